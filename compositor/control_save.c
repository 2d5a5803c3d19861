/* SPDX-License-Identifier: MIT */
/* Saves: several watches that are built at one time are one, and go live together or not at all. */
#include <stdio.h>

#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/control_job.h"
#include "compositor/server.h"
#include "compositor/tile.h"

/* Saves no further apart than this, the first of them still being built, are one. */
#define TOGETHER_NS INT64_C(1000000000)

static struct city_swap watch_swap(struct city_job *job, char *origin, size_t origin_size) {
	snprintf(origin, origin_size, "watch %s", job->folder);
	struct city_swap swap = {
		.artifact_fd = job->artifact,
		.source = job->folder,
		.origin = origin,
		.strategy = CITY_STRATEGY_AUTO,
		.splice = "",
		.begin_ns = job->saved_ns,
		.build_ns = job->build_ns,
		.listener = job->request ? &city_request_listener : NULL,
		.data = job->request,
	};
	job->artifact = -1;
	return swap;
}

static void save_hand_over(struct city_control *control, uint64_t save, size_t count) {
	char origin[256], error[512] = "out of memory";
	struct city_tile *refused = NULL;
	struct city_job *job;
	/* One that is saved anew while it waits with others does not leave them behind. */
	wl_list_for_each(job, &control->jobs, link) {
		if (job->save == save && job->artifact >= 0) {
			count += city_group_companions(job->tile);
		}
	}
	struct city_group *group = count > 1 ? city_group_create(NULL, NULL) : NULL;
	bool ok = group || count == 1;
	wl_list_for_each(job, &control->jobs, link) {
		if (job->save != save || job->artifact < 0) {
			continue;
		}
		if (!ok) {
			city_job_drop_artifact(job);
			continue;
		}
		refused = job->tile;
		city_job_set_built(job);
		struct city_swap swap = watch_swap(job, origin, sizeof(origin));
		ok = group ? city_group_add(group, job->tile, &swap, error, sizeof(error))
			   : city_handover_request(job->tile, &swap, error, sizeof(error));
	}
	wl_list_for_each(job, &control->jobs, link) {
		if (group && ok && job->save == save) {
			ok = city_group_add_companions(group, job->tile, error, sizeof(error));
		}
	}
	if (!ok && refused) {
		city_tile_set_notice(refused, CITY_BADGE_ERROR, error, true);
	}
	if (group && ok) {
		city_group_begin(group);
	} else if (group) {
		city_group_cancel(group);
	}
}

/* Of several watches of one tile that have built something the last one counts. How many others
 * did. */
static size_t drop_earlier(struct city_control *control, const struct city_job *job) {
	struct city_job *other;
	size_t dropped = 0;
	wl_list_for_each(other, &control->jobs, link) {
		if (other == job) {
			break;
		}
		if (other->tile == job->tile && other->save == job->save && other->artifact >= 0) {
			city_job_drop_artifact(other);
			dropped++;
		}
	}
	return dropped;
}

/* Somebody may have asked for the same while it waited for the rest. */
static void drop_brought(struct city_job *job) {
	if (job->artifact >= 0 && city_handover_brings(job->tile, job->hash)) {
		city_job_drop_artifact(job);
	}
}

void city_save_conclude(struct city_control *control, uint64_t save) {
	struct city_job *job;
	const struct city_job *broken = NULL;
	size_t count = 0;
	wl_list_for_each(job, &control->jobs, link) {
		if (save == 0 || job->save != save) {
			continue;
		}
		if (job->building) {
			return;
		}
		broken = job->broken ? job : broken;
		drop_brought(job);
		if (job->artifact >= 0) {
			count += 1 - drop_earlier(control, job);
		}
	}
	if (count > 0 && !broken) {
		save_hand_over(control, save, count);
		return;
	}
	wl_list_for_each(job, &control->jobs, link) {
		if (broken && job->save == save && job->artifact >= 0) {
			char text[512];
			snprintf(text, sizeof(text),
				"built, but waits for %s, which was saved together with it and is "
				"not built; it goes live alone with: cityctl swap %s",
				broken->tile->name, job->tile->name);
			city_tile_set_notice(job->tile, CITY_BADGE_INFO, text, true);
			city_control_message(
				control->server, CITY_LOG_WARN, job->tile->name, "%s", text);
		}
	}
}

void city_save_join(struct city_job *job) {
	struct city_control *control = job->control;
	uint64_t before = job->save;
	/* One that mends what others wait for belongs to them still; otherwise what is saved anew
	 * is another save. */
	uint64_t save = job->broken || job->building ? before : 0;
	int64_t now = city_now_ns();
	city_job_drop_artifact(job);
	struct city_job *other;
	wl_list_for_each(other, &control->jobs, link) {
		if (other != job && other->watch && other->building && other->save != save &&
			now - other->started_ns < TOGETHER_NS) {
			struct city_job *mine;
			wl_list_for_each(mine, &control->jobs, link) {
				if (save != 0 && mine->save == save) {
					mine->save = other->save;
				}
			}
			save = other->save;
		}
	}
	job->save = save != 0 ? save : ++control->last_save;
	job->started_ns = now;
	job->broken = false;
	job->building = true;
	if (before != job->save) {
		city_save_conclude(control, before);
	}
}

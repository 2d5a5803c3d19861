/* SPDX-License-Identifier: MIT */
/* Builds and watches: what clients ask for goes to the builder, what it makes goes to the tiles. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compositor/config.h"
#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/effects/effects.h"
#include "compositor/keeper.h"
#include "compositor/paths.h"
#include "compositor/refactor.h"
#include "compositor/server.h"
#include "compositor/store.h"
#include "compositor/tile.h"
#include "source-city-control-v1-server-protocol.h"

#define FORGE_FAILURES_MAX 5
#define FORGE_BACKOFF_MS 500
#define FORGE_GOOD_NS (INT64_C(10) * 1000000000)
/* Saves no further apart than this, the first of them still being built, are one. */
#define TOGETHER_NS INT64_C(1000000000)

#define WORD_SIZE 65
/* Folders whose word is kept. It is of use to a watch that begins soon. */
#define SOURCES_MAX 64

struct city_job {
	struct wl_list link; /* city_control.jobs */
	struct city_control *control;
	uint32_t id;
	bool watch;
	bool first;		      /* of a tile that has no artifact yet */
	bool paused;		      /* the builder does not have it just now */
	bool standing;		      /* a watch of the city itself, on the tile's own source */
	struct city_request *request; /* of a watch; NULL: nobody listens to it */
	const struct city_build_listener *listener; /* of a build; NULL: none */
	void *data;
	struct city_tile *tile;
	struct wl_listener tile_destroy;
	char *folder;
	bool building;

	/* of a watch */
	int64_t started_ns;
	uint64_t save;	  /* the same for what was saved together */
	int artifact;	  /* built, and waits for what was saved together with it; -1: none */
	int64_t saved_ns; /* of the artifact */
	int64_t build_ns; /* of the artifact */
	bool broken;	  /* the last build of it failed */

	/* The builder's words for sources: what was built last for the tile, so that a save while
	 * the builder does not have the watch is not lost; and what has been built, but has not
	 * come yet, and does not if the builder dies first. "": none. */
	bool known; /* word counts, even an empty one: nothing is like that */
	char word[WORD_SIZE], coming[WORD_SIZE];
};

/* What was built last from a folder that no watch has built from. */
struct city_sources {
	struct wl_list link; /* city_control.sources, the newest first */
	char *folder;
	char word[WORD_SIZE];
};

static void save_conclude(struct city_control *control, uint64_t save);

/* ---- what was built last */

static struct city_sources *sources_of(struct city_control *control, const char *folder) {
	struct city_sources *sources;
	wl_list_for_each(sources, &control->sources, link) {
		if (strcmp(sources->folder, folder) == 0) {
			return sources;
		}
	}
	return NULL;
}

static void sources_destroy(struct city_sources *sources) {
	wl_list_remove(&sources->link);
	free(sources->folder);
	free(sources);
}

void city_builder_set_sources(struct city_control *control, const char *folder, const char *word) {
	struct city_sources *sources = sources_of(control, folder);
	if (!sources) {
		sources = calloc(1, sizeof(*sources));
		if (!sources || !(sources->folder = strdup(folder))) {
			free(sources);
			return;
		}
		wl_list_init(&sources->link);
	}
	snprintf(sources->word, sizeof(sources->word), "%s", word);
	wl_list_remove(&sources->link);
	wl_list_insert(&control->sources, &sources->link);
	if (wl_list_length(&control->sources) > SOURCES_MAX) {
		sources_destroy(wl_container_of(control->sources.prev, sources, link));
	}
}

static void know(struct city_job *job, const char *word) {
	job->known = true;
	snprintf(job->word, sizeof(job->word), "%s", word);
}

/* A watch that has built nothing begins with what was built from its folder before. */
static void learn(struct city_job *job) {
	const struct city_job *other;
	wl_list_for_each(other, &job->control->jobs, link) {
		if (other->known && other != job && strcmp(other->folder, job->folder) == 0) {
			know(job, other->word);
			return;
		}
	}
	const struct city_sources *sources = sources_of(job->control, job->folder);
	if (sources) {
		know(job, sources->word);
	}
}

/* ---- jobs */

static void drop_artifact(struct city_job *job) {
	if (job->artifact >= 0) {
		close(job->artifact);
		job->artifact = -1;
	}
}

static void job_destroy(struct city_job *job) {
	if (job->request) {
		job->request->job = NULL;
	}
	drop_artifact(job);
	if (job->known) {
		city_builder_set_sources(job->control, job->folder, job->word);
	}
	wl_list_remove(&job->tile_destroy.link);
	wl_list_remove(&job->link);
	free(job->folder);
	free(job);
}

static void set_built(struct city_job *job) {
	job->building = false;
	if (job->tile->notice_build) {
		city_tile_set_notice(job->tile, CITY_BADGE_NONE, NULL, false);
	}
}

static void send_cancel(struct city_job *job) {
	if (job->control->builder) {
		source_city_builder_v1_send_cancel(job->control->builder, job->id);
	}
	if (job->building) {
		set_built(job);
	}
}

static void job_cancel(struct city_job *job) {
	struct city_control *control = job->control;
	uint64_t save = job->save;
	send_cancel(job);
	job_destroy(job);
	save_conclude(control, save);
}

/* Others may go with it. */
static void job_fail(struct city_job *job, const char *step, const char *reason) {
	struct city_request *request = job->request;
	const struct city_build_listener *listener = job->listener;
	void *data = job->data;
	job_destroy(job);
	if (request) {
		city_request_fail(request, step, reason);
	}
	if (listener) {
		listener->failed(data, step, reason);
	}
}

static void fail_all(struct city_control *control, const char *reason) {
	while (!wl_list_empty(&control->jobs)) {
		struct city_job *job = wl_container_of(control->jobs.next, job, link);
		job_fail(job, "build", reason);
	}
}

static void handle_job_tile_destroy(struct wl_listener *listener, void *data) {
	struct city_job *job = wl_container_of(listener, job, tile_destroy);
	struct city_control *control = job->control;
	uint64_t save = job->save;
	send_cancel(job);
	job_fail(job, "closed", "the tile was closed");
	save_conclude(control, save);
}

static void job_send(struct city_job *job) {
	struct wl_resource *builder = job->control->builder;
	if (job->paused) {
		return;
	}
	/* A save while the builder did not have it shall not be lost. */
	if (job->watch && job->known &&
		wl_resource_get_version(builder) >= SOURCE_CITY_BUILDER_V1_WATCH_ON_SINCE_VERSION) {
		source_city_builder_v1_send_watch_on(
			builder, job->id, job->tile->name, job->folder, job->word);
	} else if (job->watch) {
		source_city_builder_v1_send_watch(builder, job->id, job->tile->name, job->folder);
	} else {
		source_city_builder_v1_send_build(builder, job->id, job->tile->name, job->folder);
	}
}

static struct city_job *job_find(struct city_control *control, uint32_t id) {
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		if (job->id == id && !job->paused) {
			return job;
		}
	}
	/* Cancelled while the builder's words were on their way. */
	return NULL;
}

/* NULL with one line in `why`. */
static struct city_job *job_create(struct city_control *control, struct city_tile *tile,
	const char *folder, bool watch, bool standing, const char **why) {
	if (!control->builder && !control->forge_wanted) {
		*why = "nothing here builds sources: source-city-forge does not run";
		return NULL;
	}
	struct city_job *job = calloc(1, sizeof(*job));
	if (!job || !(job->folder = strdup(folder))) {
		free(job);
		*why = "out of memory";
		return NULL;
	}
	job->control = control;
	job->id = ++control->last_job;
	job->tile = tile;
	job->watch = watch;
	job->standing = standing;
	job->artifact = -1;
	job->tile_destroy.notify = handle_job_tile_destroy;
	wl_signal_add(&tile->events.destroy, &job->tile_destroy);
	wl_list_insert(control->jobs.prev, &job->link);
	if (watch && standing) {
		learn(job);
	}
	if (control->builder) {
		job_send(job);
	}
	return job;
}

struct city_job *city_builder_build(struct city_control *control, struct city_tile *tile,
	const char *folder, const struct city_build_listener *listener, void *data,
	const char **why) {
	struct city_job *job = job_create(control, tile, folder, false, false, why);
	if (job) {
		job->listener = listener;
		job->data = data;
	}
	return job;
}

void city_builder_cancel(struct city_job *job) {
	job_cancel(job);
}

void city_builder_supersede(struct city_control *control, struct city_tile *tile) {
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		if (job->watch && job->tile == tile && job->artifact >= 0) {
			drop_artifact(job);
			set_built(job);
			save_conclude(control, job->save);
			return;
		}
	}
}

void city_builder_watch(struct city_control *control, struct city_request *request,
	struct city_tile *tile, const char *folder) {
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		if (job->standing && !job->request && job->tile == tile &&
			strcmp(job->folder, folder) == 0) {
			job->request = request;
			request->job = job;
			return;
		}
	}
	const char *why;
	job = job_create(control, tile, folder, true, false, &why);
	if (!job) {
		city_request_fail(request, "build", why);
		return;
	}
	job->request = request;
	request->job = job;
}

void city_builder_stand_watch(struct city_control *control, struct city_tile *tile) {
	const char *folder = city_tile_source(tile);
	bool watched = false;
	struct city_job *old, *next;
	wl_list_for_each_safe(old, next, &control->jobs, link) {
		if (!old->watch || old->tile != tile) {
			continue;
		}
		/* One that is paused goes on where the sources are when it does. */
		if (old->paused || strcmp(old->folder, folder) == 0) {
			/* Perhaps for somebody; two watches would build each save twice. */
			old->standing = !watched;
			watched = true;
		} else if (old->standing && old->request) {
			old->standing = false; /* goes on for the one who asked for it */
		} else if (old->standing) {
			job_cancel(old);
		}
	}
	if (watched) {
		return;
	}
	/* What the user cannot write is not edited there. */
	if (!control->forge_wanted || access(folder, W_OK) < 0) {
		return;
	}
	const char *why;
	job_create(control, tile, folder, true, true, &why);
}

void city_builder_pause(struct city_control *control, const char *folder) {
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		if (!job->first && city_path_same(job->folder, folder)) {
			job->paused = true;
			if (job->artifact >= 0) {
				know(job, ""); /* built for nothing */
			}
			drop_artifact(job);
			send_cancel(job);
		}
	}
}

void city_builder_resume(struct city_control *control, const char *folder) {
	struct city_job *job;
	struct wl_array tiles;
	wl_array_init(&tiles);
	wl_list_for_each(job, &control->jobs, link) {
		if (!job->paused) {
			continue;
		}
		char *copy = folder ? strdup(folder) : NULL;
		if (copy) {
			free(job->folder);
			job->folder = copy;
			job->known = false;
			learn(job);
		}
		job->paused = false;
		struct city_tile **tile = wl_array_add(&tiles, sizeof(struct city_tile *));
		if (tile) {
			*tile = job->tile;
		}
		if (control->builder) {
			job_send(job);
		}
	}
	/* One that has got another source meanwhile is watched there. */
	struct city_tile **tile;
	wl_array_for_each(tile, &tiles) {
		if (!(*tile)->closing) {
			city_builder_stand_watch(control, *tile);
		}
	}
	wl_array_release(&tiles);
}

void city_builder_forget(struct city_request *request) {
	struct city_job *job = request->job;
	if (!job) {
		return;
	}
	job->request = NULL;
	request->job = NULL;
	if (!job->standing) {
		job_cancel(job);
	}
}

static void handle_needs_build(struct wl_listener *listener, void *data) {
	struct city_control *control = wl_container_of(listener, control, needs_build);
	struct city_tile *tile = data;
	const char *why;
	struct city_job *job =
		job_create(control, tile, city_tile_source(tile), false, false, &why);
	if (!job) {
		city_tile_set_notice(tile, CITY_BADGE_ERROR,
			"it is not built yet, and source-city-forge does not run", false);
		return;
	}
	job->first = true;
}

/* ---- what was saved together goes live together */

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
	struct city_group *group = count > 1 ? city_group_create(NULL, NULL) : NULL;
	bool ok = group || count == 1;
	struct city_tile *refused = NULL;
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		if (job->save != save || job->artifact < 0) {
			continue;
		}
		if (!ok) {
			drop_artifact(job);
			continue;
		}
		refused = job->tile;
		set_built(job);
		struct city_swap swap = watch_swap(job, origin, sizeof(origin));
		ok = group ? city_group_add(group, job->tile, &swap, error, sizeof(error))
			   : city_handover_request(job->tile, &swap, error, sizeof(error));
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
			drop_artifact(other);
			dropped++;
		}
	}
	return dropped;
}

/* What of it is built waits for the rest. */
static void save_conclude(struct city_control *control, uint64_t save) {
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

/* A build of a watch begins: of which save is it? */
static void save_join(struct city_job *job) {
	struct city_control *control = job->control;
	uint64_t before = job->save;
	/* One that mends what others wait for belongs to them still; otherwise what is saved anew
	 * is another save. */
	uint64_t save = job->broken || job->building ? before : 0;
	int64_t now = city_now_ns();
	drop_artifact(job);
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
		save_conclude(control, before);
	}
}

/* ---- what the builder says */

/* NULL when the city is about to end. */
static struct city_control *control_of(struct wl_resource *resource) {
	struct city_control *control = wl_resource_get_user_data(resource);
	return control && control->builder == resource ? control : NULL;
}

static struct city_job *job_of(struct wl_resource *resource, uint32_t id) {
	struct city_control *control = control_of(resource);
	return control ? job_find(control, id) : NULL;
}

static void handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void handle_started(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_job *job = job_of(resource, id);
	if (!job) {
		struct city_control *control = control_of(resource);
		if (control) {
			city_refactor_started(control, id);
		}
		return;
	}
	if (job->watch) {
		save_join(job);
	}
	job->building = true;
	job->coming[0] = '\0';
	city_tile_set_notice(job->tile, CITY_BADGE_INFO, "building", true);
	const struct city_tiles *tiles = job->tile->tiles;
	if (tiles->effects && tiles->server->config->animations) {
		city_effects_prepare(tiles->effects, "melt");
	}
	if (job->request) {
		city_request_progress(job->request, "build", city_now_ns());
	}
	if (job->listener) {
		job->listener->started(job->data);
	}
}

static void handle_output(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *text) {
	struct city_job *job = job_of(resource, id);
	struct city_control *control = control_of(resource);
	if (job && job->request) {
		city_request_output(job->request, text);
	} else if (!job && control) {
		city_refactor_output(control, id, text);
	}
	if (job && job->listener) {
		job->listener->output(job->data, text);
	}
}

static void handle_sources(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *word) {
	struct city_job *job = job_of(resource, id);
	struct city_control *control = control_of(resource);
	if (job && (job->building || !job->watch)) {
		/* It shall not count before what was built from them has come. */
		snprintf(job->coming, sizeof(job->coming), "%s", word);
	} else if (job) {
		know(job, word);
	} else if (control) {
		city_refactor_sources(control, id, word);
	}
}

static void built_first(struct city_job *job, int artifact) {
	struct city_tile *tile = job->tile;
	char hash[CITY_HASH_SIZE], error[512];
	int fd = city_store_put(tile->tiles->store, artifact, hash, error, sizeof(error));
	job_destroy(job);
	if (fd < 0) {
		city_tile_set_notice(tile, CITY_BADGE_ERROR, error, true);
		return;
	}
	close(fd);
	city_tile_first_artifact(tile, hash);
}

static void handle_built(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	int32_t artifact, const char *hash, const char *folder, uint32_t build_ns_hi,
	uint32_t build_ns_lo) {
	struct city_job *job = job_of(resource, id);
	if (!job) {
		close(artifact);
		return;
	}
	int64_t took = (int64_t)((uint64_t)build_ns_hi << 32 | build_ns_lo);
	took = took >= 0 ? took : -1;
	if (job->coming[0] != '\0') {
		know(job, job->coming);
	}
	set_built(job);
	if (job->first) {
		built_first(job, artifact);
	} else if (job->watch) {
		drop_artifact(job);
		job->saved_ns = took >= 0 ? city_now_ns() - took : job->started_ns;
		job->build_ns = took;
		/* What was asked for since is newer than what was saved before. */
		if (job->saved_ns >= job->tile->requested_ns &&
			!city_handover_brings(job->tile, hash)) {
			job->artifact = artifact;
			artifact = -1;
		}
		save_conclude(job->control, job->save);
	} else {
		const struct city_build_listener *listener = job->listener;
		void *user = job->data;
		job_destroy(job);
		listener->built(user, artifact, folder, took);
	}
	if (artifact >= 0) {
		close(artifact);
	}
}

static void handle_build_failed(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *reason) {
	struct city_job *job = job_of(resource, id);
	if (!job) {
		struct city_control *control = control_of(resource);
		if (control) {
			city_refactor_failed(control, id, reason);
		}
		return;
	}
	job->building = false;
	char text[1200];
	snprintf(text, sizeof(text), "not built: %.1000s", reason);
	city_tile_set_notice(job->tile, CITY_BADGE_ERROR, text, true);
	city_control_message(job->control->server, CITY_LOG_WARN, job->tile->name, "%s", text);
	if (job->watch) {
		job->broken = true;
		save_conclude(job->control, job->save);
		return;
	}
	job_fail(job, "build", reason);
}

static void handle_plan(struct wl_client *client, struct wl_resource *resource, uint32_t job,
	uint32_t number, uint32_t what, const char *tile, const char *uuid, const char *from,
	const char *to, const char *name, const char *repository, const char *text) {
	struct city_control *control = control_of(resource);
	struct city_refactor_plan plan = {
		job, number, what, tile, uuid, from, to, name, repository, text};
	if (control) {
		city_refactor_planned(control, &plan);
	}
}

static void handle_recall(
	struct wl_client *client, struct wl_resource *resource, uint32_t job, const char *text) {
	struct city_control *control = control_of(resource);
	if (control) {
		city_refactor_recall(control, job, text);
	}
}

static void handle_prepared(struct wl_client *client, struct wl_resource *resource, uint32_t job,
	uint32_t number, const char *artifact, uint32_t build_ns_hi, uint32_t build_ns_lo) {
	struct city_control *control = control_of(resource);
	if (control) {
		city_refactor_prepared(control, job, number, artifact,
			(int64_t)((uint64_t)build_ns_hi << 32 | build_ns_lo));
	}
}

static void handle_concluded(struct wl_client *client, struct wl_resource *resource,
	uint32_t number, const char *reason) {
	struct city_control *control = control_of(resource);
	if (control) {
		city_refactor_concluded(control, number, reason);
	}
}

static void handle_unfinished(struct wl_client *client, struct wl_resource *resource,
	uint32_t number, uint32_t what, uint32_t undo, const char *uuid, const char *from,
	const char *to, const char *name) {
	struct city_control *control = control_of(resource);
	struct city_refactor_plan plan = {0, number, what, "", uuid, from, to, name, "", ""};
	if (control) {
		city_refactor_unfinished(control, &plan, undo == 1);
	}
}

static const struct source_city_builder_v1_interface builder_impl = {
	.destroy = handle_destroy,
	.started = handle_started,
	.output = handle_output,
	.built = handle_built,
	.failed = handle_build_failed,
	.plan = handle_plan,
	.prepared = handle_prepared,
	.concluded = handle_concluded,
	.unfinished = handle_unfinished,
	.sources = handle_sources,
	.recall = handle_recall,
};

static void handle_builder_destroy(struct wl_resource *resource) {
	struct city_control *control = wl_resource_get_user_data(resource);
	if (!control || control->builder != resource) {
		return;
	}
	control->builder = NULL;
	city_refactor_builder_gone(control);
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		if (job->building) {
			set_built(job);
			save_conclude(control, job->save);
		}
	}
	/* The next builder gets them, if there is to be one. */
	if (!control->forge_wanted) {
		fail_all(control, "the builder went away");
	}
}

void city_builder_register(struct city_control *control, struct wl_client *client,
	struct wl_resource *control_resource, uint32_t id) {
	if (control->builder) {
		wl_resource_post_error(control_resource, SOURCE_CITY_CONTROL_V1_ERROR_BUILDER,
			"another client is the builder already");
		return;
	}
	struct wl_resource *resource = wl_resource_create(client, &source_city_builder_v1_interface,
		wl_resource_get_version(control_resource), id);
	if (!resource) {
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(resource, &builder_impl, control, handle_builder_destroy);
	control->builder = resource;
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		job_send(job);
	}
}

/* ---- the forge */

static void start_forge(struct city_control *control);

static int handle_forge_timer(void *data) {
	start_forge(data);
	return 0;
}

static void forge_failed(struct city_control *control, const char *how) {
	control->forge_instance = 0;
	bool lived = city_now_ns() - control->forge_started_ns > FORGE_GOOD_NS;
	control->forge_failures = lived ? 1 : control->forge_failures + 1;
	if (control->forge_failures > FORGE_FAILURES_MAX) {
		control->forge_wanted = false;
		city_control_message(control->server, CITY_LOG_ERROR, "forge",
			"ended again and again (%s): sources are not built any more", how);
		fail_all(control, "the forge does not come up");
		return;
	}
	city_control_message(
		control->server, CITY_LOG_WARN, "forge", "ended (%s): started again", how);
	if (control->forge_timer) {
		wl_event_source_timer_update(
			control->forge_timer, FORGE_BACKOFF_MS * control->forge_failures);
	}
}

static void handle_forge_spawned(void *data, struct city_keeper_reply *reply) {
	struct city_control *control = data;
	if (reply->status != 0) {
		forge_failed(control, reply->reason);
		return;
	}
	control->forge_instance = reply->instance;
	control->forge_pid = reply->pid;
}

pid_t city_control_forge(const struct city_control *control) {
	return control != NULL && control->forge_instance != 0 ? control->forge_pid : 0;
}

static void start_forge(struct city_control *control) {
	int fds[2];
	control->forge_started_ns = city_now_ns();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		forge_failed(control, strerror(errno));
		return;
	}
	if (!wl_client_create(control->server->display, fds[0])) {
		close(fds[0]);
		close(fds[1]);
		forge_failed(control, "no connection for it");
		return;
	}
	city_keeper_start_forge(control->server->keeper, fds[1], handle_forge_spawned, control);
	close(fds[1]);
}

static void handle_keeper_exited(struct wl_listener *listener, void *data) {
	struct city_control *control = wl_container_of(listener, control, keeper_exited);
	const struct city_keeper_exited *event = data;
	if (control->forge_instance != 0 && event->instance == control->forge_instance) {
		char how[64];
		city_keeper_describe_status(event->status, how, sizeof(how));
		forge_failed(control, how);
	}
}

void city_control_start_forge(struct city_control *control) {
	if (!control->server->keeper || control->forge_wanted) {
		return;
	}
	control->forge_wanted = true;
	control->keeper_exited.notify = handle_keeper_exited;
	wl_signal_add(
		&city_keeper_events(control->server->keeper)->exited, &control->keeper_exited);
	control->forge_timer =
		wl_event_loop_add_timer(control->server->loop, handle_forge_timer, control);
	struct city_tile *tile;
	wl_list_for_each(tile, &control->tiles->list, link) {
		city_builder_stand_watch(control, tile);
	}
	start_forge(control);
}

void city_builder_create(struct city_control *control) {
	wl_list_init(&control->jobs);
	wl_list_init(&control->sources);
	wl_list_init(&control->keeper_exited.link);
	wl_list_init(&control->needs_build.link);
	if (control->tiles) {
		control->needs_build.notify = handle_needs_build;
		wl_signal_add(&control->tiles->events.needs_build, &control->needs_build);
	}
}

void city_builder_finish(struct city_control *control) {
	struct city_job *job, *next;
	wl_list_for_each_safe(job, next, &control->jobs, link) {
		job_destroy(job);
	}
	struct city_sources *sources, *next_sources;
	wl_list_for_each_safe(sources, next_sources, &control->sources, link) {
		sources_destroy(sources);
	}
	if (control->builder) {
		wl_resource_set_user_data(control->builder, NULL);
		control->builder = NULL;
	}
	if (control->forge_timer) {
		wl_event_source_remove(control->forge_timer);
	}
	wl_list_remove(&control->keeper_exited.link);
	wl_list_remove(&control->needs_build.link);
}

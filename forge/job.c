/* SPDX-License-Identifier: MIT */
#include "forge/job.h"

#include <stdlib.h>
#include <string.h>

#include "forge/watch.h"
#include "vat/log.h"

/* When a source is gone from the folder this is how long its next version may take to appear,
 * before the folder without it is built: editors rename, version control writes file after file. */
#define SETTLE_MS 100
/* First builds of watches that run at a time: each of them uses all processors, and nobody waits
 * for it. */
#define FIRST_BUILDS_MAX 2
/* Workers that wait for the next save: in the folders that were built last. */
#define SPARES_MAX 8

struct job {
	struct forge *forge;
	uint32_t number;
	char *tile, *folder;
	const struct job_listener *listener;
	void *data;

	struct build *build; /* NULL when none runs */
	/* A watch of the same folder that builds what this one would build; NULL: none. */
	struct job *leader;
	bool owes; /* `started` was said and `done` was not: whoever listens waits for it */
	/* The first build of a watch is for the cache, so that the first save compiles one file. It
	 * is reported when it fails, and when it is of a save after all. */
	bool quiet;
	char *before;		      /* what was built before the watch began; NULL: not known */
	struct wl_event_source *idle; /* a failure without a build is delivered from the loop */
	char *failure;

	/* of a watch */
	struct wl_list link;	   /* forge.watches */
	struct watch *watch;	   /* NULL for one build */
	bool first;		   /* its first build runs */
	bool waits;		   /* for its turn to do that */
	struct worker *spare;	   /* waits in its sandbox for the next save */
	struct wl_list spare_link; /* forge.spares, the newest first, while there is one */
	struct wl_event_source *spare_idle;
	struct wl_event_source *settle;
	uint64_t settle_time_ns;
	bool settling;
	struct snapshot last; /* what was reported last, empty when nothing could be read */
	bool last_good;
	struct strings includes; /* of the last build that succeeded */
	char *last_failure;	 /* of reading the folder */
};

static void handle_done(void *data, struct build_result *result);

static const struct build_listener build_listener = {.done = handle_done};

static void handle_turn(void *data);

/* The first build has ended, or is not needed: the next one's turn. */
static void end_first(struct job *job) {
	struct forge *forge = job->forge;
	forge->first_builds -= job->first;
	job->first = job->waits = false;
	if (forge->turn_idle == nullptr)
		forge->turn_idle = wl_event_loop_add_idle(forge->loop, handle_turn, forge);
}

static void arm(struct job *job, uint64_t time_ns);

static void stop_build(struct job *job) {
	struct job *other;
	job->leader = nullptr;
	wl_list_for_each(other, &job->forge->watches, link) {
		if (other->leader == job) {
			other->leader = nullptr;
			arm(other, now_ns());
		}
	}
	build_destroy(job->build);
	job->build = nullptr;
	if (job->first || job->waits)
		end_first(job);
}

/* What is being built, by the job itself or its leader; NULL: nothing is. */
static const struct build *current_build(const struct job *job) {
	return job->leader != nullptr ? job->leader->build : job->build;
}

/* Another watch that is building exactly this. */
static struct job *find_leader(const struct job *job, const struct snapshot *snapshot) {
	struct job *other;
	wl_list_for_each(other, &job->forge->watches, link) {
		if (other != job && other->build != nullptr && !other->quiet &&
			strcmp(other->folder, job->folder) == 0 &&
			!snapshot_differs(build_snapshot(other->build), snapshot, nullptr))
			return other;
	}
	return nullptr;
}

static void tell_started(struct job *job) {
	job->owes = true;
	job->listener->started(job->data, job);
}

/* The job may be gone after that. */
static void tell_done(struct job *job, struct build_result *result) {
	job->owes = false;
	job->listener->done(job->data, job, result);
}

/* ---- failures without a build */

static void deliver_failure(void *data) {
	struct job *job = data;
	struct build_result result = {
		.artifact = -1,
		.reason = job->failure,
		.began_ns = now_ns(),
	};
	job->idle = nullptr;
	job->failure = nullptr;
	tell_started(job);
	tell_done(job, &result);
	free(result.reason);
}

/* Takes the text. */
static void fail(struct job *job, char *why) {
	free(job->failure);
	job->failure = why;
	if (job->idle == nullptr)
		job->idle = wl_event_loop_add_idle(job->forge->loop, deliver_failure, job);
}

static void take_back_failure(struct job *job) {
	if (job->idle != nullptr)
		wl_event_source_remove(job->idle);
	job->idle = nullptr;
	free(job->failure);
	job->failure = nullptr;
}

/* ---- builds */

/* The caller's; NULL if there is none. */
static struct worker *take_spare(struct job *job) {
	struct worker *worker = job->spare;
	if (worker != nullptr)
		wl_list_remove(&job->spare_link);
	job->spare = nullptr;
	return worker;
}

static void prepare_spare(void *data) {
	struct job *job = data;
	struct forge *forge = job->forge;
	char *why = nullptr;
	job->spare_idle = nullptr;
	if (job->spare != nullptr && worker_sees(job->spare, job->folder))
		return;
	worker_destroy(take_spare(job));
	while (wl_list_length(&forge->spares) >= SPARES_MAX) {
		struct job *oldest = wl_container_of(forge->spares.prev, oldest, spare_link);
		worker_destroy(take_spare(oldest));
	}
	job->spare = worker_create(forge->loop, &forge->setup, forge->sandbox, job->folder, &why);
	if (job->spare != nullptr)
		wl_list_insert(&forge->spares, &job->spare_link);
	free(why); /* the build that needs one says it */
}

/* Takes the snapshot. */
static void start_build(struct job *job, struct snapshot *snapshot, uint64_t time_ns) {
	struct worker *worker = nullptr;
	take_back_failure(job);
	free(job->last_failure);
	job->last_failure = nullptr;
	stop_build(job);
	job->leader = job->quiet || job->watch == nullptr ? nullptr : find_leader(job, snapshot);
	if (job->leader != nullptr) {
		snapshot_finish(snapshot);
		tell_started(job);
		return;
	}
	if (job->spare != nullptr && worker_sees(job->spare, job->folder))
		worker = take_spare(job);
	job->build = build_create(
		job->forge, job->folder, snapshot, worker, time_ns, &build_listener, job);
	if (!job->quiet)
		tell_started(job);
}

static void remember_snapshot(struct job *job, const struct snapshot *snapshot) {
	snapshot_finish(&job->last);
	job->last.files = allocate(snapshot->count + 1, sizeof(*job->last.files));
	job->last.count = snapshot->count;
	for (size_t i = 0; i < snapshot->count; i++) {
		job->last.files[i].name = text_copy(snapshot->files[i].name);
		job->last.files[i].digest = snapshot->files[i].digest;
	}
}

static void remember(struct job *job, const struct build *build, bool good) {
	remember_snapshot(job, build_snapshot(build));
	job->last_good = good;
	if (!good)
		return;
	strings_finish(&job->includes);
	strings_copy(&job->includes, build_includes(build));
}

static void tell_sources(struct job *job, const char *sources) {
	if (job->listener->sources != nullptr)
		job->listener->sources(job->data, job, sources);
}

/* The others that it was built for. Nothing was compiled for them. */
static void tell_followers(struct job *job, const struct build *build, const char *sources,
	const struct build_result *result) {
	struct job *other, *next;
	struct build_result shared = *result;
	shared.cached += shared.compiled;
	shared.compiled = 0;
	wl_list_for_each_safe(other, next, &job->forge->watches, link) {
		if (other->leader != job)
			continue;
		other->leader = nullptr;
		remember(other, build, result->good);
		if (result->good)
			tell_sources(other, sources);
		tell_done(other, &shared);
	}
}

/* Whether what the first build of a watch found is no save. The build looks at the folder itself,
 * and may have built what was saved since the watch began. */
static bool is_no_save(const struct job *job, const char *sources) {
	return !snapshot_differs(
		       &job->last, build_snapshot(job->build), build_includes(job->build)) &&
		(job->before == nullptr || strcmp(job->before, sources) == 0);
}

static void handle_done(void *data, struct build_result *result) {
	struct job *job = data;
	bool quiet = job->quiet;
	char sources[DIGEST_TEXT] = "";
	if (result->good) {
		struct digest digest =
			snapshot_digest(build_snapshot(job->build), build_includes(job->build));
		digest_format(&digest, sources);
		quiet = quiet && is_no_save(job, sources);
	}
	if (job->watch == nullptr) {
		if (result->good)
			tell_sources(job, sources);
		tell_done(job, result);
		return;
	}
	bool aloud = job->quiet && !quiet;
	remember(job, job->build, result->good);
	job->quiet = false;
	struct build *build = job->build;
	job->build = nullptr;
	tell_followers(job, build, sources, result);
	/* Nobody knows yet which of those that only began will be saved. */
	bool saved = !job->first || wl_list_length(&job->forge->spares) < SPARES_MAX;
	if (job->first)
		end_first(job);
	if (saved && job->spare_idle == nullptr)
		job->spare_idle = wl_event_loop_add_idle(job->forge->loop, prepare_spare, job);
	if (quiet && result->good)
		city_log(CITY_LOG_INFO, job->tile, "watching %s", job->folder);
	if (aloud || (quiet && !result->good))
		tell_started(job);
	/* Not before `started`: it is the word for what comes with `done`. */
	if (result->good)
		tell_sources(job, sources);
	if (!quiet || !result->good)
		tell_done(job, result);
	build_destroy(build);
}

/* ---- watching */

static void disarm(struct job *job) {
	if (job->settling)
		wl_event_source_timer_update(job->settle, 0);
	job->settling = false;
}

/* To look again soon. The first of several events names the time of the save. */
static void arm(struct job *job, uint64_t time_ns) {
	if (!job->settling)
		job->settle_time_ns = time_ns;
	job->settling = true;
	wl_event_source_timer_update(job->settle, SETTLE_MS);
}

static void look(struct job *job, uint64_t time_ns, bool settled) {
	struct snapshot now;
	char *why = nullptr;
	if (!snapshot_take(&now, job->folder, &why)) {
		if (!settled) {
			arm(job, time_ns);
			free(why);
			return;
		}
		disarm(job);
		stop_build(job);
		job->quiet = false;
		snapshot_finish(&job->last);
		job->last_good = false;
		if (job->last_failure == nullptr || strcmp(job->last_failure, why) != 0) {
			free(job->last_failure);
			job->last_failure = text_copy(why);
			fail(job, why);
		} else {
			free(why);
		}
		return;
	}
	const struct snapshot *before =
		current_build(job) != nullptr ? build_snapshot(current_build(job)) : &job->last;
	/* What it followed may have been stopped for what was there before: that is built, then. */
	bool left = job->owes && current_build(job) == nullptr && job->idle == nullptr;
	if (!left && !snapshot_differs(before, &now, job->last_good ? &job->includes : nullptr)) {
		disarm(job);
		snapshot_finish(&now);
		return;
	}
	if (!settled && snapshot_lost_files(before, &now)) {
		arm(job, time_ns);
		snapshot_finish(&now);
		return;
	}
	disarm(job);
	job->quiet = false;
	start_build(job, &now, time_ns);
}

static void handle_changed(void *data, uint64_t time_ns) {
	look(data, time_ns, false);
}

static int handle_settle(void *data) {
	struct job *job = data;
	look(job, job->settle_time_ns, true);
	return 0;
}

/* ---- first builds */

/* Another watch of the same folder has built the same: true if that is what this one would find. */
static bool take_over(struct job *job, const struct snapshot *snapshot) {
	const struct job *other;
	wl_list_for_each(other, &job->forge->watches, link) {
		if (other == job || other->build != nullptr || !other->last_good ||
			strcmp(other->folder, job->folder) != 0 ||
			snapshot_differs(&other->last, snapshot, &other->includes) ||
			snapshot_differs(&job->last, snapshot, &other->includes))
			continue;
		char sources[DIGEST_TEXT];
		struct digest digest = snapshot_digest(snapshot, &other->includes);
		digest_format(&digest, sources);
		if (job->before != nullptr && strcmp(job->before, sources) != 0)
			return false;
		remember_snapshot(job, snapshot);
		job->last_good = true;
		strings_copy(&job->includes, &other->includes);
		job->quiet = false;
		tell_sources(job, sources);
		city_log(CITY_LOG_INFO, job->tile, "watching %s", job->folder);
		return true;
	}
	return false;
}

static bool is_first_built(const struct forge *forge, const char *folder) {
	const struct job *job;
	wl_list_for_each(job, &forge->watches, link) {
		if (job->first && strcmp(job->folder, folder) == 0)
			return true;
	}
	return false;
}

static void begin_first(struct job *job) {
	struct snapshot snapshot;
	char *why = nullptr;
	job->waits = false;
	if (!snapshot_take(&snapshot, job->folder, &why)) {
		job->quiet = false;
		job->last_failure = text_copy(why);
		fail(job, why);
		return;
	}
	if (take_over(job, &snapshot)) {
		snapshot_finish(&snapshot);
		return;
	}
	start_build(job, &snapshot, now_ns());
	job->first = true;
	job->forge->first_builds++;
}

static void handle_turn(void *data) {
	struct forge *forge = data;
	forge->turn_idle = nullptr;
	struct job *job, *next;
	wl_list_for_each_safe(job, next, &forge->watches, link) {
		if (forge->first_builds >= FIRST_BUILDS_MAX)
			return;
		/* What is being built there will do for this one as well. */
		if (job->waits && !is_first_built(forge, job->folder))
			begin_first(job);
	}
}

/* ---- jobs */

struct job *job_create(struct forge *forge, uint32_t number, const char *tile, const char *folder,
	bool watching, const char *sources, const struct job_listener *listener, void *data) {
	struct job *job = allocate(1, sizeof(*job));
	uint64_t time = now_ns();
	job->forge = forge;
	job->number = number;
	job->tile = text_copy(tile);
	job->folder = text_copy(folder);
	job->listener = listener;
	job->data = data;
	wl_list_init(&job->link);
	char *why = nullptr;
	if (folder[0] != '/') {
		fail(job,
			folder[0] == '\0' ? text_format("the tile %s has no source folder", tile)
					  : text_format("%s: not an absolute path", folder));
		return job;
	}
	size_t size = strlen(job->folder);
	while (size > 1 && job->folder[size - 1] == '/')
		job->folder[--size] = '\0';
	if (watching) {
		job->settle = wl_event_loop_add_timer(forge->loop, handle_settle, job);
		job->watch = watch_create(forge->watcher, job->folder, handle_changed, job, &why);
		if (job->watch == nullptr) {
			fail(job, why);
			return job;
		}
		wl_list_insert(forge->watches.prev, &job->link);
	}
	struct snapshot snapshot;
	if (!snapshot_take(&snapshot, job->folder, &why)) {
		job->last_failure = text_copy(why);
		fail(job, why);
		return job;
	}
	if (!watching) {
		start_build(job, &snapshot, time);
		return job;
	}
	job->quiet = job->waits = true;
	remember_snapshot(job, &snapshot);
	snapshot_finish(&snapshot);
	job->before = sources != nullptr ? text_copy(sources) : nullptr;
	if (forge->turn_idle == nullptr)
		forge->turn_idle = wl_event_loop_add_idle(forge->loop, handle_turn, forge);
	return job;
}

void job_destroy(struct job *job) {
	if (job == nullptr)
		return;
	take_back_failure(job);
	stop_build(job);
	wl_list_remove(&job->link);
	watch_destroy(job->watch);
	if (job->spare_idle != nullptr)
		wl_event_source_remove(job->spare_idle);
	worker_destroy(take_spare(job));
	if (job->settle != nullptr)
		wl_event_source_remove(job->settle);
	snapshot_finish(&job->last);
	strings_finish(&job->includes);
	free(job->last_failure);
	free(job->before);
	free(job->folder);
	free(job->tile);
	free(job);
}

uint32_t job_number(const struct job *job) {
	return job->number;
}

const char *job_tile(const struct job *job) {
	return job->tile;
}

const char *job_folder(const struct job *job) {
	return job->folder;
}

bool job_is_watch(const struct job *job) {
	return job->watch != nullptr;
}

/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/handover.h"
#include "compositor/keeper.h"
#include "compositor/paths.h"
#include "compositor/places.h"
#include "compositor/refactor.h"
#include "compositor/server.h"
#include "compositor/tile.h"
#include "source-city-control-v1-server-protocol.h"

enum phase {
	PHASE_PLAN,
	PHASE_PREPARE,	/* the forge changes files, builds and commits */
	PHASE_HANDOVER, /* tiles are handed over, or one is started */
	PHASE_CONCLUDE, /* the forge keeps it or takes it back */
	PHASE_RESOLVE,	/* of another forge or compositor: its tile is to come to rest first */
};

struct city_refactor {
	struct city_control *control;
	struct city_request *request; /* NULL: nobody waits */
	enum phase phase;
	uint32_t job, number;
	uint32_t asked; /* enum city_refactor_what */
	uint32_t what;	/* MOVE, REPLACE or FORK */
	bool undo, dry;
	char name[VAT_NAME_SIZE]; /* of the tile; may be empty before the plan */
	struct vat_uuid uuid;
	char *from, *to, *other; /* as planned; NULL before */
	bool paused;		 /* watches of the source folder */
	struct vat_uuid tiles[CITY_GROUP_MAX];
	size_t count;
	bool put; /* at cx, cy */
	double cx, cy;
	bool keep;
	char step[32], reason[1024]; /* of a failure; "": none */

	uint64_t checkpoint; /* of the one that is forked; 0: none */
	char hash[CITY_HASH_SIZE];
	/* The new tile of a fork, or the one that is waited for. */
	struct city_tile *watched;
	struct wl_listener changed, destroy;
};

/* ---- tiles */

static struct city_tile *find_tile(struct city_control *control, const struct vat_uuid *uuid) {
	struct city_tile *tile;
	wl_list_for_each(tile, &control->tiles->list, link) {
		if (!tile->closing && vat_uuid_equal(&tile->uuid, uuid)) {
			return tile;
		}
	}
	return NULL;
}

bool city_refactor_ready(const struct city_tile *tile, char *error, size_t error_size) {
	/* One that has just been started is live in its probation, which a handover cuts short. */
	if (tile->next || (tile->handover && tile->state != CITY_TILE_LIVE)) {
		snprintf(error, error_size,
			"a handover of %s is under way; try again when it has ended", tile->name);
	} else if (!tile->live || tile->state != CITY_TILE_LIVE) {
		snprintf(error, error_size, "%s is %s; it has to run", tile->name,
			city_tile_state_name(tile->state));
	} else {
		return true;
	}
	return false;
}

bool city_refactor_fits(const struct city_tile *tile, const struct city_tile *by) {
	return tile != by && *tile->role && strcmp(tile->role, by->role) == 0;
}

static void unwatch(struct city_refactor *refactor) {
	if (refactor->watched) {
		wl_list_remove(&refactor->changed.link);
		wl_list_remove(&refactor->destroy.link);
		refactor->watched = NULL;
	}
}

static void watch(struct city_refactor *refactor, struct city_tile *tile, wl_notify_func_t changed,
	wl_notify_func_t destroy) {
	refactor->watched = tile;
	refactor->changed.notify = changed;
	wl_signal_add(&tile->events.changed, &refactor->changed);
	refactor->destroy.notify = destroy;
	wl_signal_add(&tile->events.destroy, &refactor->destroy);
}

/* ---- the end */

static void refactor_free(struct city_refactor *refactor) {
	struct city_control *control = refactor->control;
	unwatch(refactor);
	if (control->tiles) {
		city_handover_unlisten(control->tiles, refactor);
	}
	if (refactor->checkpoint) {
		city_keeper_forget(control->server->keeper, refactor->checkpoint);
	}
	if (refactor->paused) {
		const char *now = refactor->undo ? refactor->from : refactor->to;
		city_builder_resume(control, refactor->keep ? now : NULL);
	}
	if (control->refactor == refactor) {
		control->refactor = NULL;
	}
	free(refactor->from);
	free(refactor->to);
	free(refactor->other);
	free(refactor);
}

static const char *not_done(const struct city_refactor *refactor) {
	static const char *const words[] = {
		"not moved", "not replaced", "not forked", "not undone", "not redone"};
	return words[refactor->asked];
}

/* Tells how it ended, and frees it. */
static void finish(struct city_refactor *refactor) {
	struct city_control *control = refactor->control;
	struct city_request *request = refactor->request;
	const char *subject = *refactor->name ? refactor->name : "refactor";
	if (refactor->phase == PHASE_RESOLVE) {
		refactor_free(refactor);
		return;
	}
	if (*refactor->reason) {
		char text[sizeof(refactor->reason) + 32];
		snprintf(text, sizeof(text), "%s: %s", not_done(refactor), refactor->reason);
		city_control_message(control->server, CITY_LOG_WARN, subject, "%s", text);
		struct city_tile *tile = city_tiles_find(control->tiles, refactor->name);
		if (tile && !refactor->dry) {
			city_tile_set_notice(tile, CITY_BADGE_ERROR, text, true);
		}
	}
	char step[sizeof(refactor->step)], reason[sizeof(refactor->reason)];
	snprintf(step, sizeof(step), "%s", refactor->step);
	snprintf(reason, sizeof(reason), "%s", refactor->reason);
	refactor_free(refactor);
	if (request && *reason) {
		city_request_fail(request, step, reason);
	} else if (request) {
		city_request_succeed(request);
	}
}

[[gnu::format(printf, 3, 4)]]
static void set_failure(struct city_refactor *refactor, const char *step, const char *format, ...) {
	if (*refactor->reason) {
		return;
	}
	va_list args;
	va_start(args, format);
	vsnprintf(refactor->reason, sizeof(refactor->reason), format, args);
	va_end(args);
	snprintf(refactor->step, sizeof(refactor->step), "%s", step);
}

/* The tiles are as they are to be: now the forge ends it. */
static void conclude(struct city_refactor *refactor, bool keep) {
	struct city_control *control = refactor->control;
	refactor->phase = PHASE_CONCLUDE;
	refactor->keep = keep;
	unwatch(refactor);
	struct city_tile *tile = keep && refactor->put && refactor->what == CITY_REFACTOR_MOVE
		? find_tile(control, &refactor->uuid)
		: NULL;
	if (tile) {
		city_view_set_own_place(&tile->view, refactor->cx, refactor->cy);
	}
	if (keep) {
		/* What the forge no longer knows is what the next compositor begins with. */
		city_tiles_save_now(control->tiles);
		city_places_flush(control->tiles->places);
	}
	if (control->builder) {
		source_city_builder_v1_send_conclude(control->builder, refactor->number, keep);
	} else {
		/* The next forge asks. */
		finish(refactor);
	}
}

void city_refactor_concluded(struct city_control *control, uint32_t number, const char *reason) {
	struct city_refactor *refactor = control->refactor;
	if (!refactor || refactor->phase != PHASE_CONCLUDE || refactor->number != number) {
		return;
	}
	if (*reason) {
		size_t used = strlen(refactor->reason);
		snprintf(refactor->reason + used, sizeof(refactor->reason) - used, "%s%s",
			used > 0 ? "; and the sources could not be put back: " : "", reason);
	}
	finish(refactor);
}

/* ---- handovers */

static void handle_record(void *data, const char *json) {
	struct city_refactor *refactor = data;
	if (refactor->request) {
		city_request_record(refactor->request, json);
	}
}

static void handle_progress(void *data, const char *step, int64_t at_ns) {
	struct city_refactor *refactor = data;
	if (refactor->request) {
		city_request_progress(refactor->request, step, at_ns);
	}
}

static void handle_ended(void *data, enum city_result result, const char *step, const char *reason,
	const char *json) {
	struct city_refactor *refactor = data;
	if (result == CITY_RESULT_SUPERSEDED) {
		set_failure(refactor, "handover", "another handover took its place");
	} else if (result != CITY_RESULT_LIVE) {
		set_failure(refactor, step, "%s", *reason ? reason : "the handover failed");
	}
	conclude(refactor, result == CITY_RESULT_LIVE);
}

static const struct city_handover_listener handover_listener = {
	.record = handle_record,
	.progress = handle_progress,
	.ended = handle_ended,
};

static void hand_over(struct city_refactor *refactor, const char *hash, int64_t build_ns) {
	char error[512] = "out of memory";
	char origin[512];
	const char *source = refactor->undo ? refactor->from : refactor->to;
	snprintf(origin, sizeof(origin), "%s%s to %s", refactor->undo ? "undo: " : "",
		refactor->what == CITY_REFACTOR_MOVE ? "move" : "replace", source);
	struct city_group *group = city_group_create(&handover_listener, refactor);
	bool good = group != NULL;
	for (size_t i = 0; good && i < refactor->count; i++) {
		struct city_tile *tile = find_tile(refactor->control, &refactor->tiles[i]);
		struct city_swap swap = {
			.artifact_fd = -1,
			.hash = hash,
			.source = source,
			.origin = origin,
			.strategy = CITY_STRATEGY_AUTO,
			.splice = "",
			.back = refactor->undo,
			.begin_ns = build_ns >= 0 ? city_now_ns() - build_ns : 0,
			.build_ns = refactor->what == CITY_REFACTOR_MOVE ? build_ns : -1,
		};
		if (!tile) {
			snprintf(error, sizeof(error), "a tile was closed meanwhile");
			good = false;
		} else {
			good = city_group_add(group, tile, &swap, error, sizeof(error));
		}
	}
	if (good) {
		city_group_begin(group); /* it may be over when this returns */
		return;
	}
	if (group) {
		city_group_cancel(group);
	}
	set_failure(refactor, "handover", "%s", error);
	conclude(refactor, false);
}

/* ---- forks */

static void handle_fork_changed(struct wl_listener *listener, void *data) {
	struct city_refactor *refactor = wl_container_of(listener, refactor, changed);
	struct city_tile *tile = refactor->watched;
	if (tile->state == CITY_TILE_LIVE && tile->live && !tile->handover) {
		conclude(refactor, true);
	} else if (tile->state == CITY_TILE_DEAD) {
		set_failure(refactor, "start", "the new tile does not run: %s",
			tile->notice ? tile->notice : "it ended");
		unwatch(refactor);
		city_tile_close(tile);
		conclude(refactor, false);
	}
}

static void handle_fork_destroy(struct wl_listener *listener, void *data) {
	struct city_refactor *refactor = wl_container_of(listener, refactor, destroy);
	set_failure(refactor, "start", "the new tile was closed");
	conclude(refactor, false);
}

static void handle_checkpoint(void *data, struct city_keeper_reply *reply) {
	struct city_refactor *refactor = data;
	struct city_control *control = refactor->control;
	refactor->checkpoint = 0;
	char error[512];
	struct city_tile *tile = find_tile(control, &refactor->uuid), *fork = NULL;
	if (reply->status != 0) {
		snprintf(error, sizeof(error), "its state cannot be copied: %.400s", reply->reason);
	} else if (!tile) {
		snprintf(error, sizeof(error), "the tile was closed meanwhile");
	} else {
		fork = city_tile_fork(tile, refactor->other, refactor->to, refactor->hash,
			refactor->put ? &(struct city_box){.cx = refactor->cx, .cy = refactor->cy}
				      : NULL,
			error, sizeof(error));
	}
	if (!fork) {
		set_failure(refactor, "state", "%s", error);
		conclude(refactor, false);
		return;
	}
	handle_progress(refactor, "spawn", city_now_ns());
	watch(refactor, fork, handle_fork_changed, handle_fork_destroy);
}

static void start_fork(struct city_refactor *refactor, const char *hash) {
	snprintf(refactor->hash, sizeof(refactor->hash), "%s", hash);
	refactor->checkpoint = city_keeper_checkpoint(
		refactor->control->server->keeper, &refactor->uuid, handle_checkpoint, refactor);
}

static void end_fork(struct city_refactor *refactor) {
	struct city_tile *tile = city_tiles_find(refactor->control->tiles, refactor->other);
	if (tile && strcmp(city_tile_source(tile), refactor->to) == 0) {
		city_tile_close(tile);
	}
	conclude(refactor, true);
}

void city_refactor_prepared(struct city_control *control, uint32_t job, uint32_t number,
	const char *hash, int64_t build_ns) {
	struct city_refactor *refactor = control->refactor;
	if (!refactor || refactor->phase != PHASE_PREPARE || refactor->job != job) {
		return;
	}
	refactor->number = number;
	refactor->phase = PHASE_HANDOVER;
	struct city_tile *tile = city_tiles_find(control->tiles, refactor->name);
	if (tile && tile->notice_build) {
		city_tile_set_notice(tile, CITY_BADGE_NONE, NULL, false);
	}
	if (refactor->what != CITY_REFACTOR_FORK) {
		hand_over(refactor, hash, build_ns);
	} else if (refactor->undo) {
		end_fork(refactor);
	} else {
		start_fork(refactor, hash);
	}
}

/* ---- plans */

/* The one that is planned or prepared as this job; NULL: none. */
static struct city_refactor *of_job(struct city_control *control, uint32_t job) {
	struct city_refactor *refactor = control->refactor;
	return refactor && refactor->job == job && refactor->phase <= PHASE_PREPARE ? refactor
										    : NULL;
}

/* All tiles that are handed over: of a move those that share the folder, for it goes for all. */
static bool choose_tiles(struct city_refactor *refactor, char *error, size_t error_size) {
	struct city_control *control = refactor->control;
	struct city_tile *tile = find_tile(control, &refactor->uuid);
	if (!tile && refactor->what == CITY_REFACTOR_FORK && refactor->undo) {
		return true;
	}
	if (!tile) {
		snprintf(error, error_size, "the tile %s is no longer there", refactor->name);
		return false;
	}
	snprintf(refactor->name, sizeof(refactor->name), "%s", tile->name);
	if (refactor->what != CITY_REFACTOR_MOVE) {
		refactor->tiles[refactor->count++] = tile->uuid;
		if (!city_refactor_ready(tile, error, error_size)) {
			return false;
		}
		const char *source = city_tile_source(tile);
		bool same = city_path_same(source, refactor->undo ? refactor->to : refactor->from);
		if (refactor->what == CITY_REFACTOR_REPLACE &&
			refactor->asked != CITY_REFACTOR_REPLACE && !same) {
			snprintf(error, error_size, "%s runs something else since, from %s",
				tile->name, source);
			return false;
		}
		return true;
	}
	const char *folder = refactor->undo ? refactor->to : refactor->from;
	wl_list_for_each(tile, &control->tiles->list, link) {
		if (tile->closing || !city_path_same(city_tile_source(tile), folder)) {
			continue;
		}
		if (refactor->count == CITY_GROUP_MAX) {
			snprintf(error, error_size, "more than %d tiles share the source %s",
				CITY_GROUP_MAX, folder);
			return false;
		}
		if (!city_refactor_ready(tile, error, error_size)) {
			return false;
		}
		refactor->tiles[refactor->count++] = tile->uuid;
	}
	if (refactor->count == 0) {
		snprintf(error, error_size, "no tile has its source in %s any more", folder);
	}
	return refactor->count > 0;
}

static void tell_plan(struct city_refactor *refactor, const struct city_refactor_plan *plan) {
	static const char *const names[] = {"move", "replace", "fork", "undo", "redo"};
	yyjson_mut_doc *doc = refactor->request ? yyjson_mut_doc_new(NULL) : NULL;
	if (!doc) {
		return;
	}
	yyjson_mut_val *root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_add_str(doc, root, "asked", names[refactor->asked]);
	yyjson_mut_obj_add_str(doc, root, "what", names[refactor->what]);
	yyjson_mut_obj_add_str(doc, root, "tile", refactor->name);
	yyjson_mut_obj_add_str(doc, root, "from", plan->from);
	yyjson_mut_obj_add_str(doc, root, "to", plan->to);
	yyjson_mut_obj_add_str(doc, root, "name", plan->name);
	yyjson_mut_obj_add_str(doc, root, "repository", plan->repository);
	yyjson_mut_val *tiles = yyjson_mut_obj_add_arr(doc, root, "tiles");
	for (size_t i = 0; i < refactor->count; i++) {
		const struct city_tile *tile = find_tile(refactor->control, &refactor->tiles[i]);
		yyjson_mut_arr_add_str(doc, tiles, tile->name);
	}
	yyjson_mut_obj_add_str(doc, root, "text", plan->text);
	char *json = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, NULL);
	if (json) {
		city_request_text(refactor->request, json);
	}
	free(json);
	yyjson_mut_doc_free(doc);
}

static bool take_plan(struct city_refactor *refactor, const struct city_refactor_plan *plan) {
	refactor->number = plan->number;
	refactor->what = plan->what;
	snprintf(refactor->name, sizeof(refactor->name), "%s", plan->tile);
	refactor->from = strdup(plan->from);
	refactor->to = strdup(plan->to);
	refactor->other = strdup(plan->name);
	return plan->what <= CITY_REFACTOR_FORK && vat_uuid_parse(plan->uuid, &refactor->uuid) &&
		refactor->from && refactor->to && refactor->other;
}

/* Where the tile stands goes with the refactor, so that undo and redo put it there. Of a fork it
 * counts where the copy was when it was undone. */
static void remember_place(const struct city_refactor *refactor) {
	struct city_control *control = refactor->control;
	const struct city_tile *tile = refactor->what == CITY_REFACTOR_MOVE
		? find_tile(control, &refactor->uuid)
		: refactor->what == CITY_REFACTOR_FORK && refactor->undo
		? city_tiles_find(control->tiles, refactor->other)
		: NULL;
	if (tile && tile->view.shown &&
		wl_resource_get_version(control->builder) >=
			SOURCE_CITY_BUILDER_V1_REMEMBER_SINCE_VERSION) {
		char text[80];
		struct city_box box = city_view_own_box(&tile->view);
		snprintf(text, sizeof(text), "at %.17g %.17g", box.cx, box.cy);
		source_city_builder_v1_send_remember(control->builder, refactor->job, text);
	}
}

void city_refactor_recall(struct city_control *control, uint32_t job, const char *text) {
	struct city_refactor *refactor = of_job(control, job);
	double cx, cy;
	if (refactor && sscanf(text, "at %lf %lf", &cx, &cy) == 2 && isfinite(cx) && isfinite(cy)) {
		refactor->put = true;
		refactor->cx = cx;
		refactor->cy = cy;
	}
}

void city_refactor_planned(struct city_control *control, const struct city_refactor_plan *plan) {
	struct city_refactor *refactor = control->refactor;
	if (!refactor || refactor->phase != PHASE_PLAN || refactor->job != plan->job) {
		return;
	}
	char error[512] = "the plan of the forge cannot be understood";
	bool good = take_plan(refactor, plan) && choose_tiles(refactor, error, sizeof(error));
	if (good) {
		tell_plan(refactor, plan);
	}
	if (!good || refactor->dry) {
		if (!good) {
			set_failure(refactor, "plan", "%s", error);
		}
		source_city_builder_v1_send_cancel(control->builder, refactor->job);
		finish(refactor);
		return;
	}
	refactor->phase = PHASE_PREPARE;
	remember_place(refactor);
	if (refactor->what == CITY_REFACTOR_MOVE) {
		/* The folder goes away under them. */
		refactor->paused = true;
		city_builder_pause(control, refactor->undo ? refactor->to : refactor->from);
	}
	source_city_builder_v1_send_proceed(control->builder, refactor->job);
}

/* ---- requests */

static bool choose_name(const struct city_tile *tile, const char *wanted, char name[VAT_NAME_SIZE],
	char *error, size_t error_size) {
	const char *source = city_tile_source(tile), *slash = strrchr(source, '/');
	snprintf(name, VAT_NAME_SIZE, "%s", wanted);
	for (unsigned n = 2; !*wanted && n < 1000; n++) {
		char path[4096];
		snprintf(name, VAT_NAME_SIZE, "%.50s-%u", tile->kind, n);
		snprintf(path, sizeof(path), "%.*s/%s", slash ? (int)(slash - source) : 0, source,
			name);
		if (!city_places_find(tile->tiles->places, name) && access(path, F_OK) < 0) {
			return true;
		}
	}
	if (strlen(wanted) >= VAT_NAME_SIZE || !vat_name_valid(name)) {
		snprintf(error, error_size,
			"\"%.60s\" cannot name a tile: lower case letters, digits, '.', '_' and "
			"'-', a letter first",
			wanted);
		return false;
	}
	if (city_places_find(tile->tiles->places, name)) {
		snprintf(error, error_size, "there is a tile named \"%s\" already", name);
		return false;
	}
	return true;
}

/* Sends it to the forge; false with one line in `error`. */
static bool order(struct city_refactor *refactor, const char *name, const char *target, char *error,
	size_t error_size) {
	struct city_control *control = refactor->control;
	struct wl_resource *builder = control->builder;
	if (refactor->asked >= CITY_REFACTOR_UNDO) {
		source_city_builder_v1_send_refactor(
			builder, refactor->job, refactor->asked, "", "", "", "", "", "", "");
		return true;
	}
	const struct city_tile *tile = city_tiles_find(control->tiles, name), *by = NULL;
	if (!tile) {
		snprintf(error, error_size, "there is no tile \"%.60s\"", name);
		return false;
	}
	snprintf(refactor->name, sizeof(refactor->name), "%s", tile->name);
	if (!city_refactor_ready(tile, error, error_size)) {
		return false;
	}
	char chosen[VAT_NAME_SIZE] = "";
	if (refactor->asked == CITY_REFACTOR_REPLACE) {
		by = city_tiles_find(control->tiles, target);
		if (!by) {
			snprintf(error, error_size, "there is no tile \"%.60s\"", target);
			return false;
		}
		if (by == tile) {
			snprintf(error, error_size, "%s runs its own source already", tile->name);
			return false;
		}
		if (!city_refactor_ready(by, error, error_size)) {
			return false;
		}
		if (!city_refactor_fits(tile, by)) {
			snprintf(error, error_size,
				"%s has the role \"%s\" and %s the role \"%s\"; only a tile of the "
				"same role can replace another",
				tile->name, tile->role, by->name, by->role);
			return false;
		}
		snprintf(chosen, sizeof(chosen), "%s", by->name);
	} else if (refactor->asked == CITY_REFACTOR_FORK &&
		!choose_name(tile, target, chosen, error, error_size)) {
		return false;
	}
	char uuid[VAT_UUID_TEXT];
	vat_uuid_format(&tile->uuid, uuid);
	source_city_builder_v1_send_refactor(builder, refactor->job, refactor->asked, tile->name,
		uuid, city_tile_source(tile), tile->live->hash,
		by						? city_tile_source(by)
			: refactor->asked == CITY_REFACTOR_MOVE ? target
								: "",
		chosen, by ? by->live->hash : "");
	return true;
}

bool city_refactor_free(const struct city_control *control, char *error, size_t error_size) {
	if (!control->tiles) {
		snprintf(error, error_size, "this city runs without a keeper and has no tiles");
		return false;
	}
	if (control->refactor) {
		snprintf(error, error_size,
			"a refactor%s%s is under way; try again when it has "
			"ended",
			*control->refactor->name ? " of " : "", control->refactor->name);
		return false;
	}
	if (!control->builder ||
		wl_resource_get_version(control->builder) <
			SOURCE_CITY_BUILDER_V1_REFACTOR_SINCE_VERSION) {
		snprintf(error, error_size,
			"nothing here changes sources: source-city-forge does not run");
		return false;
	}
	return true;
}

const char *city_refactor_under_way(const struct city_control *control, const char **phase) {
	static const char *const phases[] = {"plan", "prepare", "handover", "conclude", "resolve"};
	if (!control->refactor) {
		return NULL;
	}
	*phase = phases[control->refactor->phase];
	return control->refactor->name;
}

void city_refactor_put(struct city_control *control, double cx, double cy) {
	if (control->refactor) {
		control->refactor->put = true;
		control->refactor->cx = cx;
		control->refactor->cy = cy;
	}
}

bool city_refactor_begin(struct city_control *control, struct city_request *request, uint32_t what,
	const char *tile, const char *target, bool dry, char *error, size_t error_size) {
	if (what > CITY_REFACTOR_REDO) {
		snprintf(error, error_size, "refactor %u is not known", what);
		return false;
	}
	if (!city_refactor_free(control, error, error_size)) {
		return false;
	}
	struct city_refactor *refactor = calloc(1, sizeof(*refactor));
	if (!refactor) {
		snprintf(error, error_size, "out of memory");
		return false;
	}
	refactor->control = control;
	refactor->request = request;
	refactor->job = ++control->last_job;
	refactor->asked = refactor->what = what;
	refactor->undo = what == CITY_REFACTOR_UNDO;
	refactor->dry = dry;
	if (!order(refactor, tile, target, error, error_size)) {
		refactor_free(refactor);
		return false;
	}
	control->refactor = refactor;
	return true;
}

void city_refactor_unlisten(struct city_control *control, const struct city_request *request) {
	if (control->refactor && control->refactor->request == request) {
		control->refactor->request = NULL;
	}
}

/* ---- what the builder says */

bool city_refactor_started(struct city_control *control, uint32_t job) {
	struct city_refactor *refactor = of_job(control, job);
	struct city_tile *tile = refactor ? city_tiles_find(control->tiles, refactor->name) : NULL;
	if (tile) {
		city_tile_set_notice(tile, CITY_BADGE_INFO, "building", true);
	}
	if (refactor) {
		handle_progress(refactor, "build", city_now_ns());
	}
	return refactor != NULL;
}

bool city_refactor_output(struct city_control *control, uint32_t job, const char *text) {
	struct city_refactor *refactor = of_job(control, job);
	if (refactor && refactor->request) {
		city_request_output(refactor->request, text);
	}
	return refactor != NULL;
}

void city_refactor_sources(struct city_control *control, uint32_t job, const char *sources) {
	const struct city_refactor *refactor = of_job(control, job);
	if (refactor && refactor->from) {
		city_sources_set(control, refactor->undo ? refactor->from : refactor->to, sources);
	}
}

bool city_refactor_failed(struct city_control *control, uint32_t job, const char *reason) {
	struct city_refactor *refactor = of_job(control, job);
	if (!refactor) {
		return false;
	}
	set_failure(refactor, refactor->phase == PHASE_PLAN ? "plan" : "build", "%s", reason);
	finish(refactor);
	return true;
}

void city_refactor_builder_gone(struct city_control *control) {
	struct city_refactor *refactor = control->refactor;
	if (!refactor) {
		return;
	}
	if (refactor->phase <= PHASE_PREPARE) {
		set_failure(refactor, "forge",
			"the forge ended; what it had begun is taken back when it runs again");
		finish(refactor);
	} else if (refactor->phase == PHASE_CONCLUDE || refactor->phase == PHASE_RESOLVE) {
		/* The next one asks. */
		finish(refactor);
	}
}

/* ---- what was begun before */

/* Whether the tiles run what the refactor would have them run. */
static bool is_in_force(struct city_refactor *refactor) {
	struct city_control *control = refactor->control;
	if (refactor->what == CITY_REFACTOR_FORK) {
		const struct city_tile *fork = city_tiles_find(control->tiles, refactor->other);
		bool there = fork && strcmp(city_tile_source(fork), refactor->to) == 0;
		return there != refactor->undo;
	}
	const struct city_tile *tile = find_tile(control, &refactor->uuid);
	return tile &&
		strcmp(city_tile_source(tile), refactor->undo ? refactor->from : refactor->to) == 0;
}

static void resolve(struct city_refactor *refactor) {
	struct city_control *control = refactor->control;
	bool keep = is_in_force(refactor);
	city_control_message(control->server, CITY_LOG_INFO, refactor->name,
		"a refactor that was cut off is %s", keep ? "kept" : "taken back");
	source_city_builder_v1_send_conclude(control->builder, refactor->number, keep);
	finish(refactor);
}

static bool at_rest(const struct city_tile *tile) {
	return !tile->handover && !tile->next && !tile->rejoins &&
		(tile->state == CITY_TILE_LIVE || tile->state == CITY_TILE_DEAD);
}

static void handle_unfinished_changed(struct wl_listener *listener, void *data) {
	struct city_refactor *refactor = wl_container_of(listener, refactor, changed);
	if (at_rest(refactor->watched)) {
		resolve(refactor);
	}
}

static void handle_unfinished_destroy(struct wl_listener *listener, void *data) {
	struct city_refactor *refactor = wl_container_of(listener, refactor, destroy);
	unwatch(refactor);
	resolve(refactor);
}

void city_refactor_unfinished(
	struct city_control *control, const struct city_refactor_plan *plan, bool undo) {
	struct city_refactor *refactor = control->refactor;
	if (refactor) {
		/* It is told when its handover has ended. */
		return;
	}
	refactor = calloc(1, sizeof(*refactor));
	if (!refactor) {
		return;
	}
	refactor->control = control;
	refactor->phase = PHASE_RESOLVE;
	refactor->undo = undo;
	control->refactor = refactor;
	if (!take_plan(refactor, plan)) {
		source_city_builder_v1_send_conclude(control->builder, plan->number, 0);
		finish(refactor);
		return;
	}
	struct city_tile *tile = control->tiles ? find_tile(control, &refactor->uuid) : NULL;
	if (tile && !at_rest(tile)) {
		watch(refactor, tile, handle_unfinished_changed, handle_unfinished_destroy);
	} else {
		resolve(refactor);
	}
}

void city_refactor_finish(struct city_control *control) {
	if (control->refactor) {
		control->refactor->paused = false;
		refactor_free(control->refactor);
	}
}

/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/handover.h"
#include "compositor/keeper.h"
#include "compositor/paths.h"
#include "compositor/places.h"
#include "compositor/refactor_internal.h"
#include "compositor/server.h"
#include "compositor/tile.h"
#include "source-city-control-v1-server-protocol.h"

/* ---- tiles */

struct city_tile *city_refactor_find_tile(
	struct city_control *control, const struct vat_uuid *uuid) {
	struct city_tile *tile;
	wl_list_for_each(tile, &control->tiles->list, link) {
		if (!tile->closing && vat_uuid_equal(&tile->uuid, uuid)) {
			return tile;
		}
	}
	return NULL;
}

void city_refactor_unwatch(struct city_refactor *refactor) {
	if (refactor->watched) {
		wl_list_remove(&refactor->changed.link);
		wl_list_remove(&refactor->destroy.link);
		refactor->watched = NULL;
	}
}

void city_refactor_watch(struct city_refactor *refactor, struct city_tile *tile,
	wl_notify_func_t changed, wl_notify_func_t destroy) {
	refactor->watched = tile;
	refactor->changed.notify = changed;
	wl_signal_add(&tile->events.changed, &refactor->changed);
	refactor->destroy.notify = destroy;
	wl_signal_add(&tile->events.destroy, &refactor->destroy);
}

/* ---- the end */

void city_refactor_destroy(struct city_refactor *refactor) {
	struct city_control *control = refactor->control;
	city_refactor_unwatch(refactor);
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
		city_refactor_destroy(refactor);
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
	city_refactor_destroy(refactor);
	if (request && *reason) {
		city_request_fail(request, step, reason);
	} else if (request) {
		city_request_succeed(request);
	}
}

void city_refactor_set_failure(
	struct city_refactor *refactor, const char *step, const char *format, ...) {
	if (*refactor->reason) {
		return;
	}
	va_list args;
	va_start(args, format);
	vsnprintf(refactor->reason, sizeof(refactor->reason), format, args);
	va_end(args);
	snprintf(refactor->step, sizeof(refactor->step), "%s", step);
}

void city_refactor_conclude(struct city_refactor *refactor, bool keep) {
	struct city_control *control = refactor->control;
	refactor->phase = PHASE_CONCLUDE;
	refactor->keep = keep;
	city_refactor_unwatch(refactor);
	struct city_tile *tile = keep && refactor->put && refactor->what == CITY_REFACTOR_MOVE
		? city_refactor_find_tile(control, &refactor->uuid)
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
	struct city_tile *tile = city_refactor_find_tile(control, &refactor->uuid);
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
		const struct city_tile *tile =
			city_refactor_find_tile(refactor->control, &refactor->tiles[i]);
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
		? city_refactor_find_tile(control, &refactor->uuid)
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

static bool read_place(const char *text, double *cx, double *cy) {
	char *middle, *end;
	if (strncmp(text, "at ", 3) != 0) {
		return false;
	}
	*cx = strtod(text + 3, &middle);
	*cy = strtod(middle, &end);
	return middle != text + 3 && end != middle && isfinite(*cx) && isfinite(*cy);
}

void city_refactor_recall(struct city_control *control, uint32_t job, const char *text) {
	struct city_refactor *refactor = of_job(control, job);
	double cx, cy;
	if (refactor && read_place(text, &cx, &cy)) {
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
			city_refactor_set_failure(refactor, "plan", "%s", error);
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

/* ---- what the builder says */

bool city_refactor_started(struct city_control *control, uint32_t job) {
	struct city_refactor *refactor = of_job(control, job);
	struct city_tile *tile = refactor ? city_tiles_find(control->tiles, refactor->name) : NULL;
	if (tile) {
		city_tile_set_notice(tile, CITY_BADGE_INFO, "building", true);
	}
	if (refactor && refactor->request) {
		city_request_progress(refactor->request, "build", city_now_ns());
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
	city_refactor_set_failure(
		refactor, refactor->phase == PHASE_PLAN ? "plan" : "build", "%s", reason);
	finish(refactor);
	return true;
}

void city_refactor_builder_gone(struct city_control *control) {
	struct city_refactor *refactor = control->refactor;
	if (!refactor) {
		return;
	}
	if (refactor->phase <= PHASE_PREPARE) {
		city_refactor_set_failure(refactor, "forge",
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
	const struct city_tile *tile = city_refactor_find_tile(control, &refactor->uuid);
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
	city_refactor_unwatch(refactor);
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
	struct city_tile *tile =
		control->tiles ? city_refactor_find_tile(control, &refactor->uuid) : NULL;
	if (tile && !at_rest(tile)) {
		city_refactor_watch(
			refactor, tile, handle_unfinished_changed, handle_unfinished_destroy);
	} else {
		resolve(refactor);
	}
}

void city_refactor_finish(struct city_control *control) {
	if (control->refactor) {
		control->refactor->paused = false;
		city_refactor_destroy(control->refactor);
	}
}

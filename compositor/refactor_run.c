/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/keeper.h"
#include "compositor/refactor_internal.h"
#include "compositor/server.h"

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
		city_refactor_set_failure(refactor, "handover", "another handover took its place");
	} else if (result != CITY_RESULT_LIVE) {
		city_refactor_set_failure(
			refactor, step, "%s", *reason ? reason : "the handover failed");
	}
	city_refactor_conclude(refactor, result == CITY_RESULT_LIVE);
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
		struct city_tile *tile =
			city_refactor_find_tile(refactor->control, &refactor->tiles[i]);
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
	city_refactor_set_failure(refactor, "handover", "%s", error);
	city_refactor_conclude(refactor, false);
}

/* ---- forks */

static void handle_fork_changed(struct wl_listener *listener, void *data) {
	struct city_refactor *refactor = wl_container_of(listener, refactor, changed);
	struct city_tile *tile = refactor->watched;
	if (tile->state == CITY_TILE_LIVE && tile->live && !tile->handover) {
		city_refactor_conclude(refactor, true);
	} else if (tile->state == CITY_TILE_DEAD) {
		city_refactor_set_failure(refactor, "start", "the new tile does not run: %s",
			tile->notice ? tile->notice : "it ended");
		city_refactor_unwatch(refactor);
		city_tile_close(tile);
		city_refactor_conclude(refactor, false);
	}
}

static void handle_fork_destroy(struct wl_listener *listener, void *data) {
	struct city_refactor *refactor = wl_container_of(listener, refactor, destroy);
	city_refactor_set_failure(refactor, "start", "the new tile was closed");
	city_refactor_conclude(refactor, false);
}

static void handle_checkpoint(void *data, struct city_keeper_reply *reply) {
	struct city_refactor *refactor = data;
	struct city_control *control = refactor->control;
	refactor->checkpoint = 0;
	char error[512];
	struct city_tile *tile = city_refactor_find_tile(control, &refactor->uuid), *fork = NULL;
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
		city_refactor_set_failure(refactor, "state", "%s", error);
		city_refactor_conclude(refactor, false);
		return;
	}
	handle_progress(refactor, "spawn", city_now_ns());
	city_refactor_watch(refactor, fork, handle_fork_changed, handle_fork_destroy);
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
	city_refactor_conclude(refactor, true);
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

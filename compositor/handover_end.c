/* SPDX-License-Identifier: MIT */
/* How handovers end: in success, in failure with everything undone, or replaced. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compositor/control.h"
#include "compositor/handover_input.h"
#include "compositor/handover_internal.h"
#include "compositor/keeper.h"
#include "compositor/pending.h"
#include "compositor/server.h"
#include "keeper/wire.h"
#include "log.h"

void city_handover_free(struct city_handover *handover) {
	city_pending_drop(handover->tile->tiles->server->desk, handover->record.id);
	city_handover_track_finish(handover);
	city_handover_wait_end(handover);
	city_handover_end_transition(handover);
	city_handover_stop_busy(handover);
	city_input_log_destroy(handover->input);
	if (handover->timer) {
		wl_event_source_remove(handover->timer);
	}
	if (handover->check_timer) {
		wl_event_source_remove(handover->check_timer);
	}
	if (handover->undo_fd >= 0) {
		struct city_tile *tile = handover->tile;
		city_keeper_keep(tile->tiles->keeper, &tile->uuid, KEEPER_UNDO, -1);
		close(handover->undo_fd);
	}
	if (handover->ahead_fd >= 0) {
		close(handover->ahead_fd);
	}
	if (handover->artifact_fd >= 0) {
		close(handover->artifact_fd);
	}
	free(handover->source);
	handover->tile->tiles->handovers--;
	free(handover);
}

const char *city_handover_write_down(struct city_tile *tile, struct city_record *record) {
	struct city_tiles *tiles = tile->tiles;
	/* The kind may have become known meanwhile. */
	snprintf(record->kind, sizeof(record->kind), "%s", tile->kind);
	record->end_ns = city_now_ns();
	const char *json = city_history_add(tiles->history, record);
	if (json) {
		city_control_record(tiles->server, json);
	}
	if (record->result == CITY_RESULT_LIVE) {
		char pause[48] = "no version yielded";
		if (record->pause_ns >= 0) {
			snprintf(pause, sizeof(pause), "pause %lld us",
				(long long)record->pause_ns / 1000);
		}
		const char *reset = city_state_mode_name(CITY_STATE_RESET);
		city_control_message(tiles->server, CITY_LOG_INFO, tile->name,
			"handover %llu: live, %s, %llu frames dropped%s",
			(unsigned long long)record->id, pause,
			(unsigned long long)record->frames_dropped,
			record->state && strcmp(record->state, reset) == 0 ? ", its state is reset"
									   : "");
	} else if (record->result != CITY_RESULT_SUPERSEDED) {
		city_control_message(tiles->server, CITY_LOG_WARN, tile->name,
			"handover %llu: %s in %s: %s", (unsigned long long)record->id,
			city_result_name(record->result), record->step ? record->step : "",
			record->reason);
	}
	return json;
}

/* Writes the record and tells who asked. Takes the handover out of its tile and frees it. */
static void finish(struct city_handover *handover, enum city_result result) {
	struct city_tile *tile = handover->tile;
	struct city_record *record = &handover->record;
	record->result = result;
	const char *json = handover->start ? NULL : city_handover_write_down(tile, record);
	if (tile->handover == handover) {
		tile->handover = NULL;
	}
	if (tile->next == handover) {
		tile->next = NULL;
	}
	if (handover->group) {
		city_group_leave(handover, result, json);
	}
	const struct city_handover_listener *listener = handover->listener;
	if (listener) {
		listener->ended(handover->data, result, record->step ? record->step : "",
			record->reason, json);
	}
	city_handover_free(handover);
	city_tiles_start_more(tile->tiles);
}

/* ---- replaced */

void city_handover_supersede(struct city_handover *handover) {
	struct city_tile *tile = handover->tile;
	struct city_record *record = &handover->record;
	/* It may have failed by itself already, and wait for the end of its process. */
	bool failed = handover->failing;
	handover->failing = true;
	if (handover->b) {
		city_version_kill(handover->b);
	}
	if (!failed) {
		record->step = "";
		snprintf(record->reason, sizeof(record->reason), "a newer request took its place");
	} else if (!*record->reason) {
		snprintf(record->reason, sizeof(record->reason), "its process has ended");
	}
	/* Its process never had the epoch: nothing waits for its end. */
	handover->b = NULL;
	struct city_group *group = handover->group;
	if (group) {
		city_group_supersede(group);
	}
	finish(handover, failed ? CITY_RESULT_FAILED : CITY_RESULT_SUPERSEDED);
	if (!tile->next) {
		/* It went with the others of its transaction. */
		if (tile->state == CITY_TILE_HANDOVER && !tile->handover && tile->live) {
			city_tile_set_state(tile, CITY_TILE_LIVE);
		}
		city_handover_advance(tile);
	}
}

/* ---- success */

static void handle_swept(void *data, struct city_keeper_reply *reply) {
	if (reply->status != 0) {
		city_log(CITY_LOG_WARN, "keeper", "streams were not swept: %s", reply->reason);
	}
}

void city_handover_succeed(struct city_handover *handover) {
	struct city_tile *tile = handover->tile;
	struct city_tile_version *b = handover->b;
	if (b) {
		city_keeper_sweep(
			tile->tiles->keeper, &tile->uuid, b->instance, handle_swept, NULL);
		if (handover->source && !handover->start &&
			(!tile->source || strcmp(tile->source, handover->source) != 0)) {
			city_tile_set_source(tile, handover->source);
			city_control_source_changed(tile->tiles->server->control, tile);
		}
		struct city_pas parts;
		handover->record.result = CITY_RESULT_LIVE;
		if (!handover->start && handover->record.continuity_known) {
			tile->pas = city_record_pas(&handover->record, &parts);
			city_view_title_changed(&tile->view);
		}
		city_tile_set_state(tile, CITY_TILE_LIVE);
		if (!handover->start && !tile->notice_build) {
			city_tile_set_notice(tile, CITY_BADGE_NONE, NULL, false);
		}
	}
	finish(handover, CITY_RESULT_LIVE);
	city_tiles_save(tile->tiles);
	city_tile_changed(tile);
	city_handover_advance(tile);
}

/* ---- failure */

void city_handover_fail(struct city_handover *handover, const char *format, ...) {
	if (handover->failing) {
		return;
	}
	handover->failing = true;
	handover->failed_ns = city_now_ns();
	va_list args;
	va_start(args, format);
	vsnprintf(handover->record.reason, sizeof(handover->record.reason), format, args);
	va_end(args);
	handover->record.step = city_steps[handover->step].name;
	city_handover_wait_end(handover);
	city_group_fail(handover);
	handover->check = CITY_CHECK_NONE;
	if (handover->check_timer) {
		wl_event_source_timer_update(handover->check_timer, 0);
	}
	if (!handover->b) {
		city_handover_conclude_failure(handover);
		return;
	}
	city_version_kill(handover->b);
	city_handover_set_timer(handover, 5000);
}

int city_tile_undo(struct city_tile *tile, int undo_fd, int64_t *pages) {
	struct vat_region *region = tile->region; /* mapped before B could write, where possible */
	struct vat_error error;
	struct vat_undo_stats stats;
	*pages = -1;
	int armed = vat_undo_stats(undo_fd, &stats, &error);
	if (armed == -EALREADY) {
		return armed;
	}
	int result = armed == -ENODATA ? 0 : armed;
	if (result == 0) {
		result = vat_region_protect(region, VAT_WRITE, &error);
	}
	if (result == 0 && armed == 0) {
		*pages = (int64_t)stats.pages;
		result = vat_undo_apply(region, undo_fd, &error);
	} else if (result == 0 && vat_region_has_previous(region)) {
		/* It came as far as fitting the region to its declarations. */
		result = vat_region_rollback(region, &error);
	}
	vat_region_protect(region, VAT_READ, NULL);
	if (result != 0) {
		tile->damaged = true;
		city_control_message(tile->tiles->server, CITY_LOG_ERROR, tile->name,
			"what the new version wrote could not be undone: %s", error.text);
	}
	return result;
}

/* The region as it was when A yielded. B is dead. */
static bool undo(struct city_handover *handover) {
	return city_tile_undo(handover->tile, handover->undo_fd, &handover->record.undo_pages) == 0;
}

/* For the version that comes next. */
static void hold_input(struct city_handover *handover) {
	struct city_tile *tile = handover->tile;
	if (handover->input) {
		city_input_log_destroy(tile->held_input);
		tile->held_input = city_input_hold(tile, handover->input);
		handover->input = NULL;
	}
}

/* A goes on; true if there is one. */
static bool resume(struct city_handover *handover) {
	struct city_tile *tile = handover->tile;
	struct city_tile_version *a = handover->a;
	if (!a) {
		return false;
	}
	if (a->state == CITY_VERSION_DYING || city_version_has_gone(a)) {
		/* Its end, when it is heard of, is a crash of the live version if that is what it
		 * still is; what was typed waits for the next. */
		return tile->live == a;
	}
	if (a->state == CITY_VERSION_FROZEN) {
		/* Its picture first: what it draws next must find it on the screen. */
		city_tile_show(tile, a);
		city_version_send_resume(a, ++tile->epoch);
		if (a->acked_width != tile->width || a->acked_height != tile->height) {
			city_version_send_configure(a, tile->width, tile->height);
		}
	} else if (a->state == CITY_VERSION_YIELDING) {
		city_version_expect_late_answer(a);
	}
	if (handover->input) {
		city_input_replay(handover->input, a->surface);
		city_input_log_destroy(handover->input);
		handover->input = NULL;
	}
	return true;
}

void city_handover_conclude_failure(struct city_handover *handover) {
	struct city_tile *tile = handover->tile;
	bool undone = true;
	bool taken = city_handover_taken(handover);
	if (taken && handover->step < CITY_STEP_ATTACH) {
		handover->record.step = city_steps[CITY_STEP_ATTACH].name;
	}
	if (taken && handover->undo_fd >= 0 && !(handover->start && handover->shown)) {
		undone = undo(handover);
	}
	city_handover_end_transition(handover);
	city_handover_stop_busy(handover);
	bool active = tile->handover == handover;
	bool runs = active ? undone && resume(handover) : tile->live != NULL;
	if (active && runs) {
		handover->record.rollback_ns = city_now_ns() - handover->failed_ns;
	}
	/* Whoever resumed has got it. */
	hold_input(handover);
	bool start = handover->start, shown = handover->shown;
	if (start && !shown) {
		/* Another one is tried next time, if there is another. */
		snprintf(tile->bad, sizeof(tile->bad), "%s", handover->hash);
	}
	char reason[sizeof(handover->record.reason)];
	snprintf(reason, sizeof(reason), "%s", handover->record.reason);
	char text[sizeof(reason) + 128];
	snprintf(text, sizeof(text), "handover failed in %s: %s",
		handover->record.step ? handover->record.step : "start", reason);

	if (!undone && handover->a) {
		city_version_kill(handover->a);
		tile->live = NULL;
	}
	finish(handover, shown ? CITY_RESULT_ROLLED_BACK : CITY_RESULT_FAILED);
	if (tile->closing) {
		return;
	}
	if (start) {
		if (!runs) {
			city_tile_crashed(tile, reason);
		}
	} else {
		city_tile_set_notice(tile, CITY_BADGE_ERROR, text, false);
		if (runs) {
			if (!tile->handover) {
				city_tile_set_state(tile, CITY_TILE_LIVE);
			}
		} else if (!tile->next && !tile->damaged) {
			/* Neither the new nor the old version is there: bring the good one back. */
			city_tile_restart(tile, 0);
		}
	}
	if (tile->damaged) {
		city_tile_set_state(tile, CITY_TILE_DEAD);
	}
	city_tile_changed(tile);
	city_handover_advance(tile);
}

const char *city_handover_keeps(const struct city_handover *handover) {
	if (!handover->shown || !handover->had_a || handover->failing ||
		handover->step == CITY_STEP_RETIRE) {
		return NULL;
	}
	return handover->record.from;
}

bool city_handover_roll_back(struct city_handover *handover, const char *reason) {
	if (!city_handover_keeps(handover)) {
		return false;
	}
	city_handover_fail(handover, "%s", reason);
	return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * B builds cells in another shape while A goes on: A is told to write under a barrier, and B gets
 * the log. Whatever is in the way of it, B then builds them when it attaches. A stays tracked until
 * it yields, or until B has ended: B may write to where A must not place anything meanwhile.
 */
#include <unistd.h>

#include "compositor/handover_internal.h"
#include "compositor/server.h"
#include "log.h"

static void answer(struct city_handover *handover, int log_fd) {
	if (handover->track == CITY_TRACK_NONE) {
		return;
	}
	handover->track = CITY_TRACK_NONE;
	if (handover->track_timer) {
		wl_event_source_timer_update(handover->track_timer, 0);
	}
	if (handover->b) {
		city_version_send_snapshot(handover->b, log_fd);
		if (!handover->failing) {
			city_handover_restart_timer(handover);
		}
	}
	if (handover->track_fd >= 0) {
		close(handover->track_fd);
		handover->track_fd = -1;
	}
}

static int handle_timer(void *data) {
	struct city_handover *handover = data;
	city_log(CITY_LOG_INFO, handover->tile->name,
		"the old version has not begun to be tracked in time");
	answer(handover, -1);
	return 0;
}

void city_handover_track_advance(struct city_handover *handover) {
	struct city_tile *tile = handover->tile;
	struct city_tile_version *live = tile->live;
	if (handover->track != CITY_TRACK_WAITING) {
		return;
	}
	if (tile->handover) {
		city_handover_hasten(tile->handover);
		return;
	}
	/* One that was given up builds until it has ended. */
	if (live && live->tracked_for && live->tracked_for != handover->b &&
		city_handover_track_busy(tile)) {
		return;
	}
	struct vat_region *region = city_tile_region(tile);
	struct vat_error error;
	if (!live || live->state != CITY_VERSION_LIVE || live->tracked_for || !region) {
		answer(handover, -1);
		return;
	}
	handover->track_fd = vat_undo_create(region, &error);
	handover->track_timer =
		wl_event_loop_add_timer(tile->tiles->server->loop, handle_timer, handover);
	if (handover->track_fd < 0 || !handover->track_timer) {
		answer(handover, -1);
		return;
	}
	handover->track = CITY_TRACK_ASKED;
	live->tracked_for = handover->b;
	wl_event_source_timer_update(handover->track_timer, tile->tiles->limits.migrate_ms);
	if (!city_version_send_track(live, handover->track_room, handover->track_fd)) {
		live->tracked_for = NULL;
		answer(handover, -1);
	}
}

void city_handover_version_prebuild(struct city_tile_version *version, uint64_t room) {
	struct city_handover *handover = version->tile->next;
	if (!handover || handover->b != version || handover->failing) {
		city_version_send_snapshot(version, -1);
		return;
	}
	handover->track = CITY_TRACK_WAITING;
	handover->track_room = room;
	/* It can do nothing about how long that takes. */
	city_handover_set_timer(handover, 0);
	city_handover_track_advance(handover);
}

void city_handover_version_tracking(struct city_tile_version *version, bool ok) {
	struct city_handover *next = version->tile->next;
	if (next && next->track == CITY_TRACK_ASKED && version->tracked_for == next->b) {
		answer(next, ok ? next->track_fd : -1);
	} else if (ok) {
		/* Too late. */
		city_version_send_untrack(version);
		ok = false;
	}
	if (!ok) {
		version->tracked_for = NULL;
	}
}

void city_handover_track_ended(struct city_tile_version *version) {
	struct city_tile *tile = version->tile;
	struct city_handover *next = tile->next;
	if (tile->live == version) {
		/* There is nobody to be tracked. */
		if (next) {
			answer(next, -1);
		}
	} else if (tile->live && tile->live->tracked_for == version) {
		tile->live->tracked_for = NULL;
		city_version_send_untrack(tile->live);
	}
}

bool city_handover_track_busy(const struct city_tile *tile) {
	const struct city_tile_version *version;
	wl_list_for_each(version, &tile->versions, link) {
		if (version->prebuilds && version->state == CITY_VERSION_DYING && !version->ended) {
			return true;
		}
	}
	return false;
}

void city_handover_track_finish(struct city_handover *handover) {
	handover->b = NULL;
	answer(handover, -1);
	if (handover->track_timer) {
		wl_event_source_remove(handover->track_timer);
	}
}

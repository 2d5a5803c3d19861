/* SPDX-License-Identifier: MIT */
/*
 * Tiles that ran before this compositor did.
 *
 * Each of their processes gets a new connection and says what it is: live, on probation, or frozen
 * after it yielded. When all of a tile's processes have said so, or have ended, it is decided from
 * that alone what becomes of a handover that was under way when the last compositor ended:
 *
 *   a live version              the handover is done, or had not begun; frozen ones retire
 *   one on probation            the probation goes on, with the frozen one to go back to
 *   only a frozen one           it came to nothing: what its successor wrote is undone, and the
 *                               frozen one goes on
 *   none                        what the last one wrote on probation is undone; the good version
 *                               is started
 *
 * Tiles of one transaction are decided together: all go on with their new versions, or none does.
 * What became of each handover is written down in its record, as ever.
 *
 * So the state is that from before the handover or that of the new version, never one between.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_output.h>

#include "compositor/control.h"
#include "compositor/handover.h"
#include "compositor/handover_input.h"
#include "compositor/keeper.h"
#include "compositor/pending.h"
#include "compositor/server.h"
#include "compositor/tile.h"
#include "compositor/tile_internal.h"
#include "keeper/wire.h"
#include "log.h"

/* Who has not said anything is of no use: a version that hangs, for example. */
static int handle_late(void *data) {
	struct city_tile *tile = data;
	struct city_tile_version *version, *next;
	wl_list_for_each_safe(version, next, &tile->versions, link) {
		if (version->awaited) {
			city_log(CITY_LOG_WARN, tile->name,
				"pid %d does not come back after the compositor's end: killed",
				version->pid);
			city_version_kill(version);
		}
	}
	return 0;
}

/* Shown again, with what was typed since this compositor began: it waited for the tile. */
static void show_again(struct city_tile *tile, struct city_tile_version *version) {
	struct city_input_log *typed = tile->held_input;
	if (typed && version->surface) {
		tile->held_input = NULL;
		city_input_redirect(tile, typed, NULL, version->surface);
	}
	city_tile_show(tile, version);
	if (typed && !tile->held_input) {
		city_input_settle(typed);
		city_input_log_destroy(typed);
	}
}

void city_tile_rejoin(struct city_tile *tile, const struct city_keeper_instance *instance) {
	if (!city_version_adopt(tile, instance)) {
		city_log(CITY_LOG_ERROR, tile->name, "pid %d cannot be given a connection: %s",
			instance->pid, strerror(errno));
		city_keeper_kill(tile->tiles->keeper, instance->instance, SIGKILL);
		return;
	}
	tile->awaited++;
	if (!tile->rejoin_timer) {
		tile->rejoin_timer =
			wl_event_loop_add_timer(tile->tiles->server->loop, handle_late, tile);
	}
	if (tile->rejoin_timer) {
		wl_event_source_timer_update(tile->rejoin_timer, tile->tiles->limits.warm_ms);
	}
}

void city_tile_rejoined(struct city_tile_version *version) {
	struct city_tile *tile = version->tile;
	if (!version->awaited) {
		return;
	}
	version->awaited = false;
	tile->awaited--;
	city_tile_rejoin_conclude(tile);
}

/* Of those that are `standing`, or do so on probation, the one with the newest epoch. */
static struct city_tile_version *newest(struct city_tile *tile, bool frozen) {
	struct city_tile_version *found = NULL, *version;
	wl_list_for_each(version, &tile->versions, link) {
		bool is_frozen = version->state == CITY_VERSION_FROZEN;
		bool is_live = version->state == CITY_VERSION_LIVE;
		if ((frozen ? is_frozen : is_live) && (!found || version->epoch > found->epoch)) {
			found = version;
		}
	}
	return found;
}

/* Whether the state is that from before the handover, or never was another. False: its probation
 * was over, and it is that of a version which has ended since. */
static bool undone(struct city_tile *tile) {
	int64_t pages = -1;
	if (tile->undo_fd < 0) {
		return true;
	}
	int result = city_tile_undo(tile, tile->undo_fd, &pages);
	if (result == 0 && pages >= 0) {
		city_control_message(tile->tiles->server, CITY_LOG_WARN, tile->name,
			"the new version has ended together with the compositor: its %lld pages "
			"are undone",
			(long long)pages);
	}
	return result != -EALREADY;
}

bool city_tile_map_ruined(struct city_tile *tile, int region_fd, int undo_fd) {
	if (!tile->rejoins || undo_fd < 0 ||
		vat_undo_map(region_fd, &tile->uuid, undo_fd, &tile->region, NULL) < 0) {
		return false;
	}
	tile->ruined = true;
	return true;
}

/* Whoever ruined its own region is ended first; false while that is awaited. */
static bool end_ruiner(struct city_tile *tile) {
	struct city_tile_version *live = newest(tile, false);
	if (!live) {
		return true;
	}
	city_control_message(tile->tiles->server, CITY_LOG_WARN, tile->name,
		"the new version has written all over its state: it is ended, and undone");
	live->awaited = true;
	tile->awaited++;
	city_version_kill(live);
	return false;
}

static void forget_undo(struct city_tile *tile) {
	if (tile->undo_fd >= 0) {
		close(tile->undo_fd);
		tile->undo_fd = -1;
		city_keeper_keep(tile->tiles->keeper, &tile->uuid, KEEPER_UNDO, -1);
	}
}

static void retire_others(struct city_tile *tile, const struct city_tile_version *first,
	const struct city_tile_version *second) {
	struct city_tile_version *version;
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
	wl_list_for_each(version, &tile->versions, link) {
		if (version != first && version != second) {
			city_version_retire(version);
		}
	}
}

static void go_on_live(struct city_tile *tile, struct city_tile_version *version) {
	retire_others(tile, version, NULL);
	/* Whoever built cells while it ran has ended. */
	city_version_send_untrack(version);
	forget_undo(tile);
	/* Its probation was over, whether or not the last compositor came to write that down. */
	if (strcmp(version->hash, city_versions_good(&tile->good)) != 0) {
		city_tile_set_good(tile, version->hash, false);
	}
	show_again(tile, version);
	city_tile_set_state(tile, CITY_TILE_LIVE);
}

static void go_on_frozen(struct city_tile *tile, struct city_tile_version *version) {
	if (!undone(tile)) {
		/* Its time was over. */
		forget_undo(tile);
		city_version_retire(version);
		return;
	}
	forget_undo(tile);
	if (tile->damaged) {
		city_version_kill(version);
		city_tile_set_state(tile, CITY_TILE_DEAD);
		return;
	}
	uint64_t epoch = vat_region_epoch(tile->region);
	tile->epoch = epoch > tile->epoch ? epoch : tile->epoch;
	city_control_message(tile->tiles->server, CITY_LOG_WARN, tile->name,
		"the handover that was under way came to nothing, as the compositor ended: the "
		"version before goes on with its state");
	retire_others(tile, version, NULL);
	show_again(tile, version);
	city_version_send_resume(version, ++tile->epoch);
	city_tile_set_state(tile, CITY_TILE_LIVE);
}

/* What is to become of a handover whose new version is on probation. */
enum verdict {
	GOES_ON,
	GOES_BACK,
	SETTLES,
};

static bool go_on_probation(struct city_tile *tile, struct city_tile_version *live,
	struct city_tile_version *frozen, struct city_group **group) {
	retire_others(tile, live, frozen);
	int undo_fd = tile->undo_fd;
	tile->undo_fd = -1;
	struct city_handover *handover = city_handover_go_on(tile, frozen, live, undo_fd, group);
	if (handover) {
		show_again(tile, live);
		city_handover_show_again(handover);
	}
	return handover != NULL;
}

static bool go_back(
	struct city_tile *tile, struct city_tile_version *live, struct city_tile_version *frozen) {
	retire_others(tile, live, frozen);
	int undo_fd = tile->undo_fd;
	tile->undo_fd = -1;
	if (frozen) {
		show_again(tile, frozen);
	}
	return city_handover_go_back(tile, frozen, live, undo_fd,
		"the compositor ended before all tiles of the transaction had taken over");
}

static void conclude(struct city_tile *tile, enum verdict verdict, struct city_group **group) {
	tile->rejoins = tile->ruined = false;
	if (tile->rejoin_timer) {
		wl_event_source_remove(tile->rejoin_timer);
		tile->rejoin_timer = NULL;
	}
	struct city_tile_version *live = newest(tile, false);
	struct city_tile_version *frozen = newest(tile, true);
	if (live && live->epoch > tile->epoch) {
		tile->epoch = live->epoch;
	}
	if (live && live->probation && tile->undo_fd >= 0 && verdict != SETTLES) {
		bool done = verdict == GOES_BACK ? go_back(tile, live, frozen)
						 : go_on_probation(tile, live, frozen, group);
		if (done) {
			city_handover_end_left(tile, NULL);
			return;
		}
	}
	if (live && live->probation) {
		/* Nothing is left to go back to. */
		city_version_send_settle(live);
	}
	if (live) {
		go_on_live(tile, live);
	} else if (frozen) {
		go_on_frozen(tile, frozen);
	} else {
		undone(tile);
		forget_undo(tile);
		if (tile->damaged) {
			city_tile_set_state(tile, CITY_TILE_DEAD);
		}
	}
	city_handover_end_left(tile, live);
	if (!tile->live) {
		city_tile_restart(tile, 0);
	}
	city_handover_kick(tile);
}

/* All that is left of it is there. */
static bool is_back(const struct city_tile *tile) {
	return tile->rejoins && tile->awaited == 0 && tile->region && !tile->closing;
}

/* The tile's part in a transaction that was under way; transaction 0: in the first that there is.
 */
static bool find_part(struct city_tile *tile, uint64_t transaction, struct city_pending *pending) {
	uint64_t id = 0;
	while (city_pending_next(tile->tiles->server->desk, &tile->uuid, id, pending)) {
		id = pending->record.id;
		uint64_t other = pending->record.transaction;
		if (other != 0 && (transaction == 0 || other == transaction)) {
			return true;
		}
	}
	return false;
}

/* What took over by it; NULL: nothing did. */
static const struct city_tile_version *taken_by(
	struct city_tile *tile, const struct city_pending *part) {
	const struct city_tile_version *live = newest(tile, false);
	uint64_t epoch = part->record.epoch;
	return live && epoch != 0 && live->epoch == epoch ? live : NULL;
}

/* All tiles of a transaction go on with the new versions, or none does. */
static void conclude_transaction(struct city_tiles *tiles, uint64_t transaction) {
	struct city_tile *tile, *next;
	bool all = true, settled = false;
	struct city_pending part;
	wl_list_for_each(tile, &tiles->list, link) {
		if (!tile->rejoins || !find_part(tile, transaction, &part)) {
			continue;
		}
		/* What cannot be read at all is not waited for. */
		if (!is_back(tile) && (tile->awaited > 0 || tile->region_request != 0)) {
			return;
		}
		const struct city_tile_version *live = taken_by(tile, &part);
		all &= live != NULL;
		settled |= live && !live->probation;
	}
	enum verdict verdict = settled ? SETTLES : all ? GOES_ON : GOES_BACK;
	struct city_group *group = NULL;
	wl_list_for_each_safe(tile, next, &tiles->list, link) {
		if (!is_back(tile) || !find_part(tile, 0, &part) ||
			part.record.transaction != transaction) {
			continue;
		}
		/* It may be in the way of another handover, which has come further. */
		bool taken = taken_by(tile, &part) != NULL;
		conclude(tile, taken ? verdict : GOES_ON, taken ? &group : NULL);
	}
}

void city_tile_rejoin_conclude(struct city_tile *tile) {
	if (!is_back(tile) || (tile->ruined && !end_ruiner(tile))) {
		return;
	}
	struct city_pending part;
	if (find_part(tile, 0, &part)) {
		conclude_transaction(tile->tiles, part.record.transaction);
	} else {
		conclude(tile, GOES_ON, NULL);
	}
}

/* ---- until they are seen */

static bool is_drawn(struct city_tile *tile) {
	if (tile->rejoins || !tile->region) {
		return false;
	}
	if (!tile->live || !city_view_is_visible(&tile->view)) {
		/* One that has ended meanwhile is started as any other. */
		return true;
	}
	return tile->live->surface && wlr_surface_has_buffer(tile->live->surface);
}

void city_tiles_return_drawn(struct city_tiles *tiles, const struct city_frame_event *event) {
	if (!tiles->returning || tiles->return_drawn) {
		return;
	}
	struct city_tile *tile;
	wl_list_for_each(tile, &tiles->list, link) {
		if (!is_drawn(tile)) {
			return;
		}
	}
	tiles->return_drawn = true;
	tiles->return_seq = event->commit_seq;
}

void city_tiles_return_presented(
	struct city_tiles *tiles, const struct city_presented_event *event) {
	if (!tiles->return_drawn || tiles->returned_ns != 0 || !event->present->presented ||
		event->commit_seq < tiles->return_seq) {
		return;
	}
	int64_t ended_ns;
	city_keeper_is_successor(tiles->keeper, &ended_ns);
	tiles->returning = false;
	tiles->returned_ns = event->when_ns;
	city_log(CITY_LOG_INFO, "city", "all tiles are on the screen again, after %lld ms",
		(long long)(event->when_ns - ended_ns) / 1000000);
}

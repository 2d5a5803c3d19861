/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wlr/types/wlr_buffer.h>
#include <wlr/types/wlr_compositor.h>

#include "compositor/control.h"
#include "compositor/desk.h"
#include "compositor/handover.h"
#include "compositor/handover_input.h"
#include "compositor/keeper.h"
#include "compositor/places.h"
#include "compositor/scape.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/text.h"
#include "compositor/tile.h"
#include "compositor/tile_internal.h"
#include "log.h"

#define MIN_SIZE 16
/* Second crash in a row: a moment to let go what it may have crashed on. */
#define BACKOFF_MS 250
/* Tiles that start at a time. More of them would only wait for each other, until some miss the
 * deadlines of their steps. */
#define STARTS_MAX 8

const char *city_tile_state_name(enum city_tile_state state) {
	static const char *const names[] = {
		[CITY_TILE_STARTING] = "starting",
		[CITY_TILE_LIVE] = "live",
		[CITY_TILE_HANDOVER] = "handover",
		[CITY_TILE_PROBATION] = "probation",
		[CITY_TILE_DEAD] = "dead",
	};
	return names[state];
}

/* ---- properties */

void city_tile_changed(struct city_tile *tile) {
	city_scape_changed(tile->tiles->server);
	wl_signal_emit_mutable(&tile->events.changed, tile);
}

void city_tile_set_state(struct city_tile *tile, enum city_tile_state state) {
	if (tile->state != state) {
		tile->state = state;
		city_tile_changed(tile);
		city_tiles_start_more(tile->tiles);
	}
}

/* What happened to its code comes first. */
static void show_notice(struct city_tile *tile) {
	const char *happened = tile->happened ? tile->happened : "";
	const char *unsaved = tile->unsaved ? tile->unsaved : "";
	free(tile->notice);
	tile->notice = NULL;
	if ((*happened || *unsaved) &&
		asprintf(&tile->notice, "%s%s%s", happened, *happened && *unsaved ? "\n" : "",
			unsaved) < 0) {
		tile->notice = NULL;
	}
	enum city_badge_kind kind = tile->notice_kind;
	if (tile->unsaved && kind < CITY_BADGE_WARN) {
		kind = CITY_BADGE_WARN;
	}
	city_view_set_badge(&tile->view, kind, tile->notice);
	city_tile_changed(tile);
}

void city_tile_set_notice(
	struct city_tile *tile, enum city_badge_kind kind, const char *text, bool build) {
	if (!text && !tile->happened) {
		return;
	}
	free(tile->happened);
	tile->happened = text ? strdup(text) : NULL;
	tile->notice_kind = tile->happened ? kind : CITY_BADGE_NONE;
	tile->notice_build = tile->happened && build;
	tile->notice_stuck = false;
	show_notice(tile);
}

void city_tile_set_unsaved(struct city_tile *tile, const char *why) {
	char clean[256];
	free(tile->unsaved);
	tile->unsaved = NULL;
	if (why) {
		city_text_copy(clean, sizeof(clean), why);
		if (asprintf(&tile->unsaved, "not saved, it is tried again until there is room: %s",
			    clean) < 0) {
			tile->unsaved = NULL;
		}
	}
	show_notice(tile);
}

const char *city_tile_title(const struct city_tile *tile) {
	return tile->live && tile->live->title ? tile->live->title : tile->name;
}

const char *city_tile_source(const struct city_tile *tile) {
	return tile->source ? tile->source : "";
}

void city_tile_set_source(struct city_tile *tile, const char *source) {
	char *copy = source ? strdup(source) : NULL, *folder = source ? strdup(source) : NULL;
	free(tile->source);
	tile->source = copy;
	char *end = folder ? strrchr(folder, '/') : NULL;
	if (end && end > folder) {
		*end = '\0';
		char *name = strrchr(folder, '/');
		city_view_set_district(&tile->view, name && name[1] ? name + 1 : "/");
	}
	free(folder);
}

void city_tile_set_good(struct city_tile *tile, const char *hash, bool back) {
	city_versions_add(&tile->good, hash, back);
	tile->bad[0] = '\0';
	city_tiles_save(tile->tiles);
}

struct vat_region *city_tile_region(struct city_tile *tile) {
	struct vat_error error;
	if (tile->region && vat_region_refresh(tile->region, &error) < 0) {
		city_log(CITY_LOG_WARN, tile->name, "its region cannot be read: %s", error.text);
		return NULL;
	}
	return tile->region;
}

/* ---- the view */

static struct city_tile *tile_of(struct city_view *view) {
	struct city_tile *tile = wl_container_of(view, tile, view);
	return tile;
}

static void view_configure(struct city_view *view, int width, int height) {
	struct city_tile *tile = tile_of(view);
	tile->width = width;
	tile->height = height;
	struct city_tile_version *version;
	wl_list_for_each(version, &tile->versions, link) {
		/* One that is frozen hears of it when it comes back. */
		if (version->state <= CITY_VERSION_YIELDING) {
			city_version_send_configure(version, width, height);
		}
	}
}

static void view_close(struct city_view *view) {
	city_tile_close(tile_of(view));
}

static const char *view_title(struct city_view *view) {
	return city_tile_title(tile_of(view));
}

static void view_note(struct city_view *view, char *text, size_t size) {
	const struct city_tile *tile = tile_of(view);
	if (tile->pas >= 0) {
		snprintf(text, size, "PAS %.2f", tile->pas);
	}
}

static const char *view_app_id(struct city_view *view) {
	return tile_of(view)->name;
}

static void view_for_each_surface(
	struct city_view *view, wlr_surface_iterator_func_t iterator, void *data) {
	struct wlr_surface *surface = city_view_surface(view);
	if (surface) {
		wlr_surface_for_each_surface(surface, iterator, data);
	}
}

static void view_limits(
	struct city_view *view, int *min_width, int *min_height, int *max_width, int *max_height) {
	*min_width = *min_height = MIN_SIZE;
	*max_width = *max_height = 0;
}

static const struct city_view_impl view_impl = {
	.configure = view_configure,
	.close = view_close,
	.title = view_title,
	.app_id = view_app_id,
	.note = view_note,
	.for_each_surface = view_for_each_surface,
	.limits = view_limits,
};

static void handle_view_moved(struct wl_listener *listener, void *data) {
	struct city_tile *tile = wl_container_of(listener, tile, view_moved);
	city_tiles_save(tile->tiles);
	city_tile_changed(tile);
}

void city_tile_place(struct city_tile *tile, int width, int height) {
	if (tile->width <= 0 || tile->height <= 0) {
		tile->width = width;
		tile->height = height;
	}
	city_view_set_size(&tile->view, tile->width, tile->height);
	if (tile->view.shown) {
		return;
	}
	struct city_box box = {tile->cx, tile->cy, tile->width, tile->height};
	city_view_show(&tile->view, tile->placed ? &box : NULL);
	if (tile->focus_once) {
		tile->focus_once = false;
		city_server_focus(tile->tiles->server, &tile->view, !tile->placed);
	}
}

void city_tile_sync_size(struct city_tile *tile) {
	const struct city_tile_version *live = tile->live;
	if (live && live->acked_width > 0) {
		city_view_set_size(&tile->view, live->acked_width, live->acked_height);
	}
}

static void drop_picture(struct city_tile *tile) {
	if (tile->last_picture) {
		city_view_show_surface(&tile->view);
		wlr_buffer_unlock(tile->last_picture);
		tile->last_picture = NULL;
	}
}

void city_tile_keep_picture(struct city_tile *tile) {
	struct wlr_surface *surface = tile->live ? tile->live->surface : NULL;
	if (!surface || !surface->buffer) {
		return;
	}
	struct wlr_buffer *picture = wlr_buffer_lock(&surface->buffer->base);
	drop_picture(tile);
	tile->last_picture = picture;
	city_view_show_buffer(&tile->view, picture, NULL);
}

void city_tile_show(struct city_tile *tile, struct city_tile_version *version) {
	bool same = tile->live == version && city_view_surface(&tile->view) == version->surface;
	bool other = tile->live != NULL && tile->live != version;
	tile->live = version;
	snprintf(tile->last, sizeof(tile->last), "%s", version->hash);
	snprintf(tile->kind, sizeof(tile->kind), "%s", version->traits.kind);
	snprintf(tile->role, sizeof(tile->role), "%s", version->role);
	if (!same) {
		city_view_set_surface(&tile->view, version->surface);
		city_view_title_changed(&tile->view);
	}
	if (other) {
		tile->handed_over_ns = city_now_ns();
		city_scape_handed_over(tile->tiles->server, &tile->view);
	}
	drop_picture(tile);
	city_tile_sync_size(tile);
	city_tile_changed(tile);
}

/* ---- start and crash */

void city_tile_hold_input(struct city_tile *tile) {
	if (!tile->held_input) {
		tile->held_input = city_input_hold(tile, NULL);
	}
}

static void drop_input(struct city_tile *tile) {
	city_input_log_destroy(tile->held_input);
	tile->held_input = NULL;
}

static void dead(struct city_tile *tile, const char *why) {
	char text[640];
	drop_input(tile);
	snprintf(text, sizeof(text), "%s. Go on with: cityctl rollback %s, or cityctl swap %s", why,
		tile->name, tile->name);
	city_control_message(tile->tiles->server, CITY_LOG_ERROR, tile->name, "%s", text);
	city_tile_place(tile, 640, 400);
	city_tile_set_notice(tile, CITY_BADGE_ERROR, text, false);
	city_tile_set_state(tile, CITY_TILE_DEAD);
}

/* The artifact to start with: the last known good one, but for one that the installed tile has
 * superseded; else the one of the config or the installed one. */
static bool choose(struct city_tile *tile, char hash[CITY_HASH_SIZE]) {
	char error[512] = "";
	const char *good = city_versions_good(&tile->good);
	bool both_bad = strcmp(good, tile->bad) == 0 &&
		(!*tile->installed || strcmp(tile->installed, tile->bad) == 0);
	if (*good && (both_bad || strcmp(good, tile->bad) != 0)) {
		int fd = city_store_open(tile->tiles->store, good, error, sizeof(error));
		if (fd >= 0) {
			close(fd);
			memcpy(hash, good, CITY_HASH_SIZE);
			return true;
		}
		city_log(CITY_LOG_WARN, tile->name, "the last known good version is gone: %s",
			error);
	}
	if (*tile->installed) {
		memcpy(hash, tile->installed, CITY_HASH_SIZE);
		return true;
	}
	return false;
}

static bool may_start(const struct city_tiles *tiles) {
	int starting = 0;
	const struct city_tile *tile;
	wl_list_for_each(tile, &tiles->list, link) {
		starting += tile->state == CITY_TILE_STARTING && !tile->closing &&
			(tile->handover || tile->next);
	}
	return starting < STARTS_MAX;
}

static void start_now(struct city_tile *tile) {
	char hash[CITY_HASH_SIZE], error[512] = "";
	if (tile->live || tile->closing || tile->damaged || tile->rejoins || tile->handover ||
		tile->next || !tile->region) {
		return;
	}
	tile->waits_to_start = false;
	if (choose(tile, hash)) {
		city_tile_set_state(tile, CITY_TILE_STARTING);
		if (!may_start(tile->tiles)) {
			tile->waits_to_start = true;
			return;
		}
		if (!city_handover_start(tile, hash, error, sizeof(error))) {
			dead(tile, error);
		}
	} else if (tile->source && tile->good.count == 0 && !*tile->installed) {
		city_tile_place(tile, 640, 400);
		city_tile_set_notice(tile, CITY_BADGE_INFO, "waits for its first build", true);
		wl_signal_emit_mutable(&tile->tiles->events.needs_build, tile);
	} else {
		dead(tile, "nothing to run: no artifact of it is there, and no source folder");
	}
}

/* Those in sight first. */
static struct city_tile *find_waiting(const struct city_tiles *tiles) {
	struct city_tile *tile, *first = NULL;
	wl_list_for_each(tile, &tiles->list, link) {
		if (!tile->waits_to_start || tile->closing) {
			continue;
		}
		const struct city_stage *stage;
		wl_list_for_each(stage, &tiles->server->stages, link) {
			struct wlr_box on = city_view_box_on(&tile->view, stage), seen;
			if (tile->view.shown && wlr_box_intersection(&seen, &on, &stage->box)) {
				return tile;
			}
		}
		first = first ? first : tile;
	}
	return first;
}

static void handle_start_more(void *data) {
	struct city_tiles *tiles = data;
	struct city_tile *tile;
	tiles->start_idle = NULL;
	while (may_start(tiles) && (tile = find_waiting(tiles))) {
		tile->waits_to_start = false;
		start_now(tile);
	}
}

void city_tiles_start_more(struct city_tiles *tiles) {
	if (!tiles->start_idle) {
		tiles->start_idle =
			wl_event_loop_add_idle(tiles->server->loop, handle_start_more, tiles);
	}
}

void city_tile_first_artifact(struct city_tile *tile, const char *hash) {
	snprintf(tile->installed, sizeof(tile->installed), "%s", hash);
	tile->built = true;
	start_now(tile);
}

static int handle_restart(void *data) {
	struct city_tile *tile = data;
	wl_event_source_remove(tile->restart_timer);
	tile->restart_timer = NULL;
	start_now(tile);
	return 0;
}

void city_tile_restart(struct city_tile *tile, int delay_ms) {
	if (tile->restart_timer) {
		return;
	}
	city_tile_set_state(tile, CITY_TILE_STARTING);
	tile->restart_timer =
		wl_event_loop_add_timer(tile->tiles->server->loop, handle_restart, tile);
	if (tile->restart_timer) {
		wl_event_source_timer_update(tile->restart_timer, delay_ms > 0 ? delay_ms : 1);
	}
}

void city_tile_crashed(struct city_tile *tile, const char *how) {
	int64_t now = city_now_ns();
	city_tile_hold_input(tile);
	memmove(tile->crashes + 1, tile->crashes, sizeof(tile->crashes) - sizeof(tile->crashes[0]));
	tile->crashes[0] = now;
	city_tile_changed(tile);
	int64_t oldest = tile->crashes[CITY_TILE_CRASHES - 1];
	if (oldest > 0 && now - oldest < CITY_TILE_CRASH_NS) {
		memset(tile->crashes, 0, sizeof(tile->crashes));
		char why[600];
		snprintf(why, sizeof(why), "ended %d times within %d s: %s", CITY_TILE_CRASHES,
			(int)(CITY_TILE_CRASH_NS / 1000000000), how);
		dead(tile, why);
		return;
	}
	city_control_message(tile->tiles->server, CITY_LOG_WARN, tile->name,
		"ended: %s; it is started again with its state", how);
	if (tile->next) {
		/* A newer version is on its way and takes over as soon as it is warm. */
		return;
	}
	city_tile_restart(tile,
		tile->crashes[1] > 0 && now - tile->crashes[1] < CITY_TILE_CRASH_NS ? BACKOFF_MS
										    : 0);
}

/* ---- life */

static void handle_region(void *data, struct city_keeper_reply *reply) {
	struct city_tile *tile = data;
	tile->region_request = 0;
	if (reply->status != 0) {
		char why[512];
		snprintf(why, sizeof(why), "there is no memory for its state: %s", reply->reason);
		dead(tile, why);
		return;
	}
	struct vat_error error;
	if (vat_region_map(reply->fd, VAT_READ, &tile->region, &error) < 0 &&
		!city_tile_map_ruined(tile, reply->fd, reply->undo_fd)) {
		tile->damaged = true;
		dead(tile, error.text);
		return;
	}
	tile->region_fd = reply->fd;
	tile->undo_fd = reply->undo_fd;
	reply->fd = reply->undo_fd = -1;
	tile->epoch = tile->ruined ? 0 : vat_region_epoch(tile->region);
	if (*reply->reason) {
		city_control_message(
			tile->tiles->server, CITY_LOG_ERROR, tile->name, "%s", reply->reason);
		city_tile_set_notice(tile, CITY_BADGE_ERROR, reply->reason, false);
	}
	city_tile_rejoin_conclude(tile);
	start_now(tile);
	city_handover_kick(tile);
}

struct city_tile *city_tile_create(struct city_tiles *tiles, const struct city_place *place) {
	struct city_tile *tile = calloc(1, sizeof(*tile));
	if (!tile) {
		return NULL;
	}
	if (!city_view_init(&tile->view, tiles->server, CITY_VIEW_TILE, &view_impl)) {
		free(tile);
		return NULL;
	}
	tile->tiles = tiles;
	tile->uuid = place->uuid;
	tile->pas = -1;
	tile->region_fd = tile->undo_fd = -1;
	city_tile_set_source(tile, place->source);
	tile->placed = place->has_place;
	tile->cx = place->cx;
	tile->cy = place->cy;
	tile->width = place->width;
	tile->height = place->height;
	snprintf(tile->name, sizeof(tile->name), "%s", place->name);
	snprintf(tile->kind, sizeof(tile->kind), "%s", place->kind ? place->kind : place->name);
	wl_list_init(&tile->versions);
	wl_signal_init(&tile->events.changed);
	wl_signal_init(&tile->events.destroy);
	tile->view_moved.notify = handle_view_moved;
	wl_signal_add(&tile->view.events.moved, &tile->view_moved);
	wl_list_insert(tiles->list.prev, &tile->link);
	city_desk_changed(tiles->server->desk);
	return tile;
}

void city_tile_begin(struct city_tile *tile) {
	struct city_tiles *tiles = tile->tiles;
	if (tile->width > 0 && tile->height > 0) {
		city_tile_place(tile, tile->width, tile->height);
	}
	wl_signal_emit_mutable(&tiles->events.tile, tile);
	if (tile->rejoins) {
		/* It has its focus, and nobody yet who could get the keys. */
		city_tile_hold_input(tile);
	}
	tile->region_request = city_keeper_open_region(
		tiles->keeper, &tile->uuid, tile->name, 0, &tile->copy_of, handle_region, tile);
}

static void tile_destroy(struct city_tile *tile) {
	city_keeper_forget(tile->tiles->keeper, tile->region_request);
	if (tile->restart_timer) {
		wl_event_source_remove(tile->restart_timer);
	}
	if (tile->reap_idle) {
		wl_event_source_remove(tile->reap_idle);
	}
	if (tile->prepare_idle) {
		wl_event_source_remove(tile->prepare_idle);
	}
	if (tile->rejoin_timer) {
		wl_event_source_remove(tile->rejoin_timer);
	}
	if (tile->undo_fd >= 0) {
		close(tile->undo_fd);
	}
	drop_picture(tile);
	drop_input(tile);
	wl_list_remove(&tile->view_moved.link);
	city_view_finish(&tile->view);
	if (tile->region) {
		vat_region_unmap(tile->region);
	}
	if (tile->region_fd >= 0) {
		close(tile->region_fd);
	}
	city_options_finish(&tile->options);
	wl_list_remove(&tile->link);
	free(tile->source);
	free(tile->artifact);
	free(tile->notice);
	free(tile->happened);
	free(tile->unsaved);
	free(tile);
}

static void handle_reap(void *data) {
	struct city_tile *tile = data;
	tile->reap_idle = NULL;
	/* Nothing writes it any more. */
	city_keeper_drop_region(tile->tiles->keeper, &tile->uuid);
	tile_destroy(tile);
}

void city_tile_reap(struct city_tile *tile) {
	/* Whoever closed it may still look at its view. */
	if (tile->closing && wl_list_empty(&tile->versions) && !tile->reap_idle) {
		tile->reap_idle =
			wl_event_loop_add_idle(tile->tiles->server->loop, handle_reap, tile);
	}
}

void city_tile_close(struct city_tile *tile) {
	if (tile->closing) {
		return;
	}
	struct city_tiles *tiles = tile->tiles;
	tile->closing = true;
	city_tiles_start_more(tiles);
	city_log(CITY_LOG_INFO, tile->name, "closed");
	wl_signal_emit_mutable(&tile->events.destroy, tile);
	city_handover_abandon(tile);
	drop_input(tile);
	city_view_hide(&tile->view);
	city_desk_changed(tiles->server->desk);
	tile->live = NULL;
	struct city_place *place = city_places_find(tiles->places, tile->name);
	if (place) {
		city_places_remove(tiles->places, place);
	}
	city_tiles_save_now(tiles);
	struct city_tile_version *version;
	wl_list_for_each(version, &tile->versions, link) {
		if (version->state == CITY_VERSION_LIVE) {
			city_version_retire(version);
		} else if (version->state != CITY_VERSION_RETIRING) {
			city_version_kill(version);
		}
	}
	city_tile_reap(tile);
}

/* With the city: the processes see their connections close and put their state away. */
void city_tile_leave(struct city_tile *tile) {
	tile->closing = true;
	wl_signal_emit_mutable(&tile->events.destroy, tile);
	city_handover_abandon(tile);
	tile->live = NULL;
	struct city_tile_version *version, *next;
	wl_list_for_each_safe(version, next, &tile->versions, link) {
		city_version_destroy(version);
	}
	tile_destroy(tile);
}

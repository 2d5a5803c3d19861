/* SPDX-License-Identifier: MIT */
/* Touch: one finger on the ground pans, elsewhere it is the client's. */
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_touch.h>

#include "compositor/layer.h"
#include "compositor/lock.h"
#include "compositor/minimap.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/view.h"

#define TOUCHES (sizeof(((struct city_seat *)0)->touches) / sizeof(struct city_touch))

static struct city_touch *find(struct city_seat *seat, int32_t id) {
	for (size_t i = 0; i < TOUCHES; i++) {
		if (seat->touches[i].used && seat->touches[i].id == id) {
			return &seat->touches[i];
		}
	}
	return NULL;
}

static struct city_touch *begin(struct city_seat *seat, int32_t id, double ox, double oy) {
	for (size_t i = 0; i < TOUCHES; i++) {
		if (!seat->touches[i].used) {
			seat->touches[i] =
				(struct city_touch){.used = true, .id = id, .ox = ox, .oy = oy};
			return &seat->touches[i];
		}
	}
	return NULL;
}

static void handle_down(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, touch_down);
	struct city_server *server = seat->server;
	const struct wlr_touch_down_event *event = data;
	city_seat_activity(seat);
	double ox, oy;
	wlr_cursor_absolute_to_layout_coords(
		seat->cursor, &event->touch->base, event->x, event->y, &ox, &oy);
	struct city_touch *touch = begin(seat, event->touch_id, ox, oy);
	if (touch == NULL) {
		return;
	}
	struct city_hit hit = city_hit_test(server, ox, oy);
	if (!city_lock_active(server->lock)) {
		bool far = hit.stage->camera.zoom < CITY_ZOOM_CLICK && hit.kind != CITY_HIT_SURFACE;
		if (hit.view != NULL) {
			city_server_focus(server, hit.view, false);
		}
		if (hit.kind == CITY_HIT_MINIMAP) {
			double cx, cy;
			city_minimap_to_city(hit.stage, ox, oy, &cx, &cy);
			city_map_centre(hit.stage, cx, cy, city_map_end(&hit.stage->camera).zoom);
			return;
		}
		bool panel = hit.kind == CITY_HIT_SURFACE && city_layers_takes_focus(hit.surface);
		city_seat_set_layer_focus(
			seat, panel ? wlr_surface_get_root_surface(hit.surface) : NULL);
		if (hit.kind == CITY_HIT_NONE || far) {
			touch->pan = hit.stage;
			city_map_stop(hit.stage);
			city_flick_begin(&seat->flick);
			return;
		}
	}
	if (hit.surface == NULL) {
		return;
	}
	double x, y;
	touch->view = hit.view;
	city_hit_base(server, hit.view, ox, oy, &x, &y);
	touch->off_x = hit.sx - x;
	touch->off_y = hit.sy - y;
	wlr_seat_touch_notify_down(
		seat->seat, hit.surface, event->time_msec, event->touch_id, hit.sx, hit.sy);
}

static void handle_motion(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, touch_motion);
	const struct wlr_touch_motion_event *event = data;
	struct city_touch *touch = find(seat, event->touch_id);
	if (touch == NULL) {
		return;
	}
	city_seat_activity(seat);
	double ox, oy, x, y;
	wlr_cursor_absolute_to_layout_coords(
		seat->cursor, &event->touch->base, event->x, event->y, &ox, &oy);
	if (touch->pan != NULL) {
		if (city_stage_exists(seat->server, touch->pan)) {
			city_flick_add(
				&seat->flick, event->time_msec, touch->ox - ox, touch->oy - oy, 0);
			city_map_drag(touch->pan, touch->ox - ox, touch->oy - oy);
		}
	} else if (wlr_seat_touch_get_point(seat->seat, event->touch_id) != NULL) {
		city_hit_base(seat->server, touch->view, ox, oy, &x, &y);
		wlr_seat_touch_notify_motion(seat->seat, event->time_msec, event->touch_id,
			x + touch->off_x, y + touch->off_y);
	}
	touch->ox = ox;
	touch->oy = oy;
}

static void handle_up(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, touch_up);
	const struct wlr_touch_up_event *event = data;
	struct city_touch *touch = find(seat, event->touch_id);
	if (touch != NULL) {
		touch->used = false;
		if (touch->pan != NULL && city_stage_exists(seat->server, touch->pan)) {
			struct city_flick_speed speed =
				city_flick_end(&seat->flick, event->time_msec);
			city_map_glide(touch->pan, &speed);
		}
	}
	city_seat_activity(seat);
	if (wlr_seat_touch_get_point(seat->seat, event->touch_id) != NULL) {
		wlr_seat_touch_notify_up(seat->seat, event->time_msec, event->touch_id);
	}
}

static void handle_cancel(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, touch_cancel);
	const struct wlr_touch_cancel_event *event = data;
	struct city_touch *touch = find(seat, event->touch_id);
	if (touch != NULL) {
		touch->used = false;
	}
	struct wlr_touch_point *point = wlr_seat_touch_get_point(seat->seat, event->touch_id);
	if (point != NULL) {
		wlr_seat_touch_notify_cancel(seat->seat, point->client);
	}
}

static void handle_frame(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, touch_frame);
	wlr_seat_touch_notify_frame(seat->seat);
}

void city_touch_forget(struct city_seat *seat) {
	for (size_t i = 0; i < TOUCHES; i++) {
		struct city_touch *touch = &seat->touches[i];
		struct wlr_touch_point *point =
			touch->used ? wlr_seat_touch_get_point(seat->seat, touch->id) : NULL;
		touch->used = false;
		if (point != NULL) {
			wlr_seat_touch_notify_cancel(seat->seat, point->client);
		}
	}
}

void city_touch_init(struct city_seat *seat) {
	struct wlr_cursor *cursor = seat->cursor;
	seat->touch_down.notify = handle_down;
	wl_signal_add(&cursor->events.touch_down, &seat->touch_down);
	seat->touch_motion.notify = handle_motion;
	wl_signal_add(&cursor->events.touch_motion, &seat->touch_motion);
	seat->touch_up.notify = handle_up;
	wl_signal_add(&cursor->events.touch_up, &seat->touch_up);
	seat->touch_cancel.notify = handle_cancel;
	wl_signal_add(&cursor->events.touch_cancel, &seat->touch_cancel);
	seat->touch_frame.notify = handle_frame;
	wl_signal_add(&cursor->events.touch_frame, &seat->touch_frame);
}

void city_touch_finish(struct city_seat *seat) {
	wl_list_remove(&seat->touch_down.link);
	wl_list_remove(&seat->touch_motion.link);
	wl_list_remove(&seat->touch_up.link);
	wl_list_remove(&seat->touch_cancel.link);
	wl_list_remove(&seat->touch_frame.link);
}

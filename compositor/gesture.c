/* SPDX-License-Identifier: MIT */
/*
 * Gestures of a touchpad: three fingers drag the map, a pinch on the ground or with Super zooms it
 * about the pointer, and fingers that are laid on it hold it still. The rest is the clients'.
 */
#include <math.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_keyboard.h>
#include <wlr/types/wlr_pointer.h>
#include <wlr/types/wlr_pointer_gestures_v1.h>
#include <wlr/types/wlr_seat.h>

#include "compositor/lock.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"

static struct city_stage *below(const struct city_seat *seat) {
	return city_stage_at(seat->server, seat->cursor->x, seat->cursor->y);
}

static bool on_map(struct city_seat *seat, uint32_t fingers) {
	if (city_lock_active(seat->server->lock)) {
		return false;
	}
	return fingers >= 3 || seat->seat->pointer_state.focused_surface == NULL ||
		(city_seat_modifiers(seat) & WLR_MODIFIER_LOGO) != 0;
}

static void take_hold(struct city_seat *seat) {
	city_map_stop(below(seat));
	city_flick_begin(&seat->flick);
	seat->scrolling = false;
}

static void handle_swipe_begin(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, swipe_begin);
	const struct wlr_pointer_swipe_begin_event *event = data;
	city_seat_activity(seat);
	if (on_map(seat, event->fingers)) {
		take_hold(seat);
		seat->swiping = true;
		return;
	}
	wlr_pointer_gestures_v1_send_swipe_begin(
		seat->gestures, seat->seat, event->time_msec, event->fingers);
}

static void handle_swipe_update(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, swipe_update);
	const struct wlr_pointer_swipe_update_event *event = data;
	city_seat_activity(seat);
	if (seat->swiping) {
		city_flick_add(&seat->flick, event->time_msec, -event->dx, -event->dy, 0);
		city_map_drag(below(seat), -event->dx, -event->dy);
		return;
	}
	wlr_pointer_gestures_v1_send_swipe_update(
		seat->gestures, seat->seat, event->time_msec, event->dx, event->dy);
}

static void handle_swipe_end(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, swipe_end);
	const struct wlr_pointer_swipe_end_event *event = data;
	if (seat->swiping) {
		seat->swiping = false;
		struct city_flick_speed speed = city_flick_end(&seat->flick, event->time_msec);
		if (!event->cancelled) {
			city_map_glide(below(seat), &speed);
		}
		return;
	}
	wlr_pointer_gestures_v1_send_swipe_end(
		seat->gestures, seat->seat, event->time_msec, event->cancelled);
}

static void handle_pinch_begin(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, pinch_begin);
	const struct wlr_pointer_pinch_begin_event *event = data;
	city_seat_activity(seat);
	if (on_map(seat, event->fingers)) {
		take_hold(seat);
		seat->pinch_zoom = below(seat)->camera.zoom;
		return;
	}
	wlr_pointer_gestures_v1_send_pinch_begin(
		seat->gestures, seat->seat, event->time_msec, event->fingers);
}

static void handle_pinch_update(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, pinch_update);
	const struct wlr_pointer_pinch_update_event *event = data;
	city_seat_activity(seat);
	if (seat->pinch_zoom > 0) {
		struct city_stage *stage = below(seat);
		double before = stage->camera.zoom;
		city_map_pinch(stage, seat->pinch_zoom * event->scale, seat->cursor->x,
			seat->cursor->y, -event->dx, -event->dy);
		city_flick_add(&seat->flick, event->time_msec, -event->dx, -event->dy,
			log2(stage->camera.zoom / before));
		return;
	}
	wlr_pointer_gestures_v1_send_pinch_update(seat->gestures, seat->seat, event->time_msec,
		event->dx, event->dy, event->scale, event->rotation);
}

static void handle_pinch_end(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, pinch_end);
	const struct wlr_pointer_pinch_end_event *event = data;
	if (seat->pinch_zoom > 0) {
		seat->pinch_zoom = 0;
		struct city_flick_speed speed = city_flick_end(&seat->flick, event->time_msec);
		speed.at_ox = seat->cursor->x;
		speed.at_oy = seat->cursor->y;
		speed.pinch = true;
		if (!event->cancelled) {
			city_map_glide(below(seat), &speed);
		}
		return;
	}
	wlr_pointer_gestures_v1_send_pinch_end(
		seat->gestures, seat->seat, event->time_msec, event->cancelled);
}

static void handle_hold_begin(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, hold_begin);
	const struct wlr_pointer_hold_begin_event *event = data;
	city_seat_activity(seat);
	struct city_stage *stage = below(seat);
	if (!city_lock_active(seat->server->lock) && stage->camera.gliding) {
		take_hold(seat);
		seat->holding = true;
		return;
	}
	wlr_pointer_gestures_v1_send_hold_begin(
		seat->gestures, seat->seat, event->time_msec, event->fingers);
}

static void handle_hold_end(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, hold_end);
	const struct wlr_pointer_hold_end_event *event = data;
	if (seat->holding) {
		seat->holding = false;
		return;
	}
	wlr_pointer_gestures_v1_send_hold_end(
		seat->gestures, seat->seat, event->time_msec, event->cancelled);
}

static void listen(
	struct wl_signal *signal, struct wl_listener *listener, wl_notify_func_t handler) {
	listener->notify = handler;
	wl_signal_add(signal, listener);
}

bool city_gestures_init(struct city_seat *seat) {
	seat->gestures = wlr_pointer_gestures_v1_create(seat->server->display);
	if (seat->gestures == NULL) {
		return false;
	}
	struct wlr_cursor *cursor = seat->cursor;
	listen(&cursor->events.swipe_begin, &seat->swipe_begin, handle_swipe_begin);
	listen(&cursor->events.swipe_update, &seat->swipe_update, handle_swipe_update);
	listen(&cursor->events.swipe_end, &seat->swipe_end, handle_swipe_end);
	listen(&cursor->events.pinch_begin, &seat->pinch_begin, handle_pinch_begin);
	listen(&cursor->events.pinch_update, &seat->pinch_update, handle_pinch_update);
	listen(&cursor->events.pinch_end, &seat->pinch_end, handle_pinch_end);
	listen(&cursor->events.hold_begin, &seat->hold_begin, handle_hold_begin);
	listen(&cursor->events.hold_end, &seat->hold_end, handle_hold_end);
	return true;
}

void city_gestures_finish(struct city_seat *seat) {
	struct wl_listener *listeners[] = {&seat->swipe_begin, &seat->swipe_update,
		&seat->swipe_end, &seat->pinch_begin, &seat->pinch_update, &seat->pinch_end,
		&seat->hold_begin, &seat->hold_end};
	for (size_t i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++) {
		wl_list_remove(&listeners[i]->link);
	}
}

/* SPDX-License-Identifier: MIT */
#include <libinput.h>
#include <linux/input-event-codes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/backend/libinput.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_keyboard.h>
#include <wlr/types/wlr_pointer.h>
#include <wlr/types/wlr_pointer_constraints_v1.h>
#include <wlr/types/wlr_relative_pointer_v1.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_xcursor_manager.h>
#include <wlr/util/region.h>

#include "compositor/command.h"
#include "compositor/config.h"
#include "compositor/layer.h"
#include "compositor/lock.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/tablet.h"
#include "compositor/view.h"
#include "vat/log.h"

#define DOUBLE_CLICK_MSEC 400
#define CLICK_SLACK 4.0 /* pixels that a hand may shake */

/* Focus. */

/* The stage that the pointer is on. */
static struct city_stage *below(const struct city_seat *seat) {
	return city_stage_at(seat->server, seat->cursor->x, seat->cursor->y);
}

static bool far_away(const struct city_seat *seat) {
	return below(seat)->camera.zoom < CITY_ZOOM_CLICK && seat->seat->drag == NULL;
}

static void clear_focus(struct city_seat *seat, const char *shape) {
	wlr_seat_pointer_notify_clear_focus(seat->seat);
	city_seat_set_shape(seat, shape);
}

static void set_focus(
	struct city_seat *seat, struct wlr_surface *surface, double sx, double sy, uint32_t time) {
	if (seat->seat->pointer_state.focused_surface != surface) {
		/* Ours until the client that comes now says otherwise. */
		city_seat_set_shape(seat, "default");
		seat->client_cursor = true;
	}
	wlr_seat_pointer_notify_enter(seat->seat, surface, sx, sy);
	wlr_seat_pointer_notify_motion(seat->seat, time, sx, sy);
}

/* The point in the surface that has the button, also where the pointer has left it. */
static void press_point(struct city_seat *seat, double *sx, double *sy) {
	double x, y;
	city_hit_base(seat->server, seat->press.view, seat->cursor->x, seat->cursor->y, &x, &y);
	*sx = x + seat->press.off_x;
	*sy = y + seat->press.off_y;
}

static void focus_below(struct city_seat *seat, uint32_t time) {
	struct wlr_seat_pointer_state *state = &seat->seat->pointer_state;
	if (seat->press.surface != NULL && seat->seat->drag == NULL) {
		if (state->button_count > 0 && state->focused_surface == seat->press.surface) {
			double sx, sy;
			press_point(seat, &sx, &sy);
			wlr_seat_pointer_notify_motion(seat->seat, time, sx, sy);
			return;
		}
		seat->press.surface = NULL;
		seat->press.view = NULL;
	}

	struct city_hit hit = city_hit_test(seat->server, seat->cursor->x, seat->cursor->y);
	switch (hit.kind) {
	case CITY_HIT_NONE:
	case CITY_HIT_MINIMAP:
		clear_focus(seat, "default");
		break;
	case CITY_HIT_FRAME:
		clear_focus(seat,
			far_away(seat)		 ? "default"
				: hit.close	 ? "pointer"
				: hit.edges != 0 ? wlr_xcursor_get_resize_name(hit.edges)
						 : "default");
		break;
	case CITY_HIT_VIEW:
		if (far_away(seat) || hit.surface == NULL) {
			clear_focus(seat, "default");
			break;
		}
		set_focus(seat, hit.surface, hit.sx, hit.sy, time);
		break;
	case CITY_HIT_SURFACE:
		set_focus(seat, hit.surface, hit.sx, hit.sy, time);
		break;
	}
}

void city_pointer_refocus(struct city_seat *seat) {
	if (seat->grab.kind != CITY_GRAB_NONE) {
		city_grab_follow(seat);
		return;
	}
	if (city_tablets_refocus(seat->tablets)) {
		return;
	}
	struct wlr_seat_pointer_state *state = &seat->seat->pointer_state;
	struct wlr_surface *before = state->focused_surface;
	double sx = state->sx, sy = state->sy;
	focus_below(seat, seat->time_msec);
	/* Clients are not woken where nothing changed for them. */
	if (state->focused_surface != before || state->sx != sx || state->sy != sy) {
		wlr_seat_pointer_notify_frame(seat->seat);
	}
}

/* Constraints. */

static void drop_constraint(struct city_seat *seat) {
	struct wlr_pointer_constraint_v1 *constraint = seat->constraint;
	if (constraint == NULL) {
		return;
	}
	seat->constraint = NULL;
	wl_list_remove(&seat->constraint_destroy.link);
	wl_list_init(&seat->constraint_destroy.link);
	/* Where the client drew its own pointer is where ours goes on. */
	if (constraint->type == WLR_POINTER_CONSTRAINT_V1_LOCKED &&
		constraint->current.cursor_hint.enabled) {
		struct city_hit hit = city_hit_test(seat->server, seat->cursor->x, seat->cursor->y);
		if (hit.surface == constraint->surface) {
			double x = constraint->current.cursor_hint.x - hit.sx;
			double y = constraint->current.cursor_hint.y - hit.sy;
			wlr_cursor_warp(seat->cursor, NULL, seat->cursor->x + x * hit.zoom,
				seat->cursor->y + y * hit.zoom);
			wlr_seat_pointer_warp(seat->seat, constraint->current.cursor_hint.x,
				constraint->current.cursor_hint.y);
		}
	}
	wlr_pointer_constraint_v1_send_deactivated(constraint);
}

static void handle_constraint_destroy(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, constraint_destroy);
	wl_list_remove(&seat->constraint_destroy.link);
	wl_list_init(&seat->constraint_destroy.link);
	seat->constraint = NULL;
}

/* Only the window that has the keyboard may hold the pointer: the keys that lead to another one
 * lead out of it too. */
static bool may_constrain(struct city_seat *seat, struct wlr_surface *surface) {
	const struct city_view *view = city_view_from_surface(seat->server, surface);
	return view == NULL || view == seat->server->focused;
}

static void activate_constraint(struct city_seat *seat, struct wlr_surface *surface) {
	struct wlr_pointer_constraint_v1 *constraint = NULL;
	if (surface != NULL && may_constrain(seat, surface)) {
		constraint = wlr_pointer_constraints_v1_constraint_for_surface(
			seat->constraints, surface, seat->seat);
	}
	if (constraint == seat->constraint) {
		return;
	}
	drop_constraint(seat);
	if (constraint == NULL) {
		return;
	}
	seat->constraint = constraint;
	wl_signal_add(&constraint->events.destroy, &seat->constraint_destroy);
	wlr_pointer_constraint_v1_send_activated(constraint);
}

void city_pointer_update_constraint(struct city_seat *seat) {
	if (seat != NULL) {
		activate_constraint(seat, seat->seat->pointer_state.focused_surface);
	}
}

static void handle_new_constraint(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, new_constraint);
	struct wlr_pointer_constraint_v1 *constraint = data;
	if (seat->seat->pointer_state.focused_surface == constraint->surface) {
		activate_constraint(seat, constraint->surface);
	}
}

static void handle_pointer_focus_change(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, pointer_focus_change);
	struct wlr_seat_pointer_focus_change_event *event = data;
	activate_constraint(seat, event->new_surface);
}

/* Shortens a motion to what the constraint lets through: along an edge the pointer slides. */
static void constrain(struct city_seat *seat, double *dx, double *dy) {
	struct wlr_pointer_constraint_v1 *constraint = seat->constraint;
	if (constraint == NULL) {
		return;
	}
	double x = seat->cursor->x, y = seat->cursor->y, sx, sy;
	struct city_hit hit = city_hit_test(seat->server, x, y);
	/* Until the surface commits the constraint's own region is empty. */
	const pixman_region32_t *region = pixman_region32_not_empty(&constraint->region)
		? &constraint->region
		: &constraint->surface->input_region;
	if (constraint->type == WLR_POINTER_CONSTRAINT_V1_CONFINED &&
		hit.surface == constraint->surface &&
		wlr_region_confine(region, hit.sx, hit.sy, hit.sx + *dx / hit.zoom,
			hit.sy + *dy / hit.zoom, &sx, &sy)) {
		*dx = (sx - hit.sx) * hit.zoom;
		*dy = (sy - hit.sy) * hit.zoom;
		return;
	}
	*dx = *dy = 0;
}

/* Motion. */

static void moved(struct city_seat *seat, uint32_t time) {
	seat->time_msec = time;
	if (seat->drag_icon != NULL) {
		struct wlr_scene_tree *layer = city_stage_focused(seat->server)->layers.drag;
		if (seat->drag_icon->node.parent != layer) {
			wlr_scene_node_reparent(&seat->drag_icon->node, layer);
		}
		wlr_scene_node_set_position(
			&seat->drag_icon->node, (int)seat->cursor->x, (int)seat->cursor->y);
	}
	if (seat->grab.kind != CITY_GRAB_NONE) {
		city_grab_motion(seat);
		return;
	}
	focus_below(seat, time);
}

static void handle_motion(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, motion);
	const struct wlr_pointer_motion_event *event = data;
	city_seat_activity(seat);
	wlr_relative_pointer_manager_v1_send_relative_motion(seat->relative, seat->seat,
		(uint64_t)event->time_msec * 1000, event->delta_x, event->delta_y,
		event->unaccel_dx, event->unaccel_dy);
	double dx = event->delta_x, dy = event->delta_y;
	constrain(seat, &dx, &dy);
	if (dx == 0 && dy == 0) {
		return;
	}
	wlr_cursor_move(seat->cursor, &event->pointer->base, dx, dy);
	moved(seat, event->time_msec);
}

void city_pointer_warp(struct city_seat *seat, struct wlr_input_device *device, double x, double y,
	uint32_t time) {
	double ox, oy;
	wlr_cursor_absolute_to_layout_coords(seat->cursor, device, x, y, &ox, &oy);
	double dx = ox - seat->cursor->x, dy = oy - seat->cursor->y;
	wlr_relative_pointer_manager_v1_send_relative_motion(
		seat->relative, seat->seat, (uint64_t)time * 1000, dx, dy, dx, dy);
	if (seat->constraint == NULL) {
		wlr_cursor_warp_absolute(seat->cursor, device, x, y);
	} else {
		constrain(seat, &dx, &dy);
		wlr_cursor_warp_closest(
			seat->cursor, device, seat->cursor->x + dx, seat->cursor->y + dy);
	}
	moved(seat, time);
}

static void handle_motion_absolute(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, motion_absolute);
	const struct wlr_pointer_motion_absolute_event *event = data;
	city_seat_activity(seat);
	city_pointer_warp(seat, &event->pointer->base, event->x, event->y, event->time_msec);
}

/* Buttons. */

/* Whether this press on the view is the second of a double click. */
static bool is_second(struct city_seat *seat, struct city_view *view, uint32_t time) {
	bool second = seat->click_view == view && time - seat->click_msec < DOUBLE_CLICK_MSEC;
	seat->click_view = second ? NULL : view;
	seat->click_msec = time;
	return second;
}

/* A click on a view that is too small to be used: go to it. */
static void click_far(struct city_seat *seat, struct city_view *view, uint32_t time) {
	city_server_focus(seat->server, view, false);
	if (is_second(seat, view, time)) {
		city_map_room(below(seat), city_view_outer_box(view));
	}
}

static void press_frame(struct city_seat *seat, const struct city_hit *hit, uint32_t time) {
	struct city_view *view = hit->view;
	if (hit->close) {
		seat->close_view = view;
	} else if (hit->edges != 0) {
		city_grab_resize(seat, view, hit->edges, BTN_LEFT);
	} else if (is_second(seat, view, time)) {
		city_view_set_maximized(view, !view->maximized);
	} else {
		city_grab_move(seat, view, BTN_LEFT);
	}
}

/* A press may still be taken back by leaving the button. */
static void release_close(struct city_seat *seat) {
	struct city_view *view = seat->close_view;
	seat->close_view = NULL;
	struct city_hit hit = city_hit_test(seat->server, seat->cursor->x, seat->cursor->y);
	if (hit.kind == CITY_HIT_FRAME && hit.view == view && hit.close) {
		city_view_close(view);
	}
}

/* What a binding may say of the place, the narrowest first; returns how many. */
static size_t places_of(const struct city_hit *hit, bool ground, enum city_bind_place places[4]) {
	size_t count = 0;
	if (hit->kind == CITY_HIT_FRAME) {
		places[count++] = CITY_BIND_FRAME;
	}
	if (hit->view != NULL) {
		places[count++] =
			hit->view->kind == CITY_VIEW_TILE ? CITY_BIND_TILE : CITY_BIND_WINDOW;
	}
	if (ground) {
		places[count++] = CITY_BIND_GROUND;
	}
	places[count++] = CITY_BIND_ANYWHERE;
	return count;
}

const struct city_bind *city_pointer_bound(struct city_seat *seat, const struct city_hit *hit,
	bool ground, enum city_bind_kind kind, uint32_t code) {
	uint32_t modifiers = city_seat_modifiers(seat) & CITY_BIND_MODIFIERS;
	enum city_bind_place places[4];
	size_t count = places_of(hit, ground, places);
	const struct city_bind *bind =
		city_bind_find_in(seat->server->config, kind, places, count, modifiers, code);
	return bind == NULL || strcmp(bind->command, "none") == 0 ? NULL : bind;
}

bool city_pointer_run(struct city_seat *seat, const struct city_hit *hit, bool ground,
	uint32_t code, struct city_pointing *pointing) {
	const struct city_bind *bind = city_pointer_bound(seat, hit, ground, pointing->kind, code);
	if (bind == NULL) {
		return false;
	}
	pointing->view = hit->view;
	pointing->panel = hit->kind == CITY_HIT_SURFACE;
	pointing->missed = false;
	char error[400];
	if (!city_command_run(seat->server, bind->command, pointing, error, sizeof(error))) {
		city_log(CITY_LOG_WARN, "pointer", "%s", error);
	}
	return !pointing->missed;
}

/* True if the press belongs to the map and not to a client. */
static bool press_on_map(
	struct city_seat *seat, const struct city_hit *hit, uint32_t button, uint32_t time) {
	struct city_server *server = seat->server;
	if (hit->kind == CITY_HIT_MINIMAP) {
		if (button == BTN_LEFT) {
			city_grab_minimap(seat, button);
		}
		return true;
	}
	struct city_pointing pointing = {.kind = CITY_BIND_BUTTON, .button = button};
	bool ground = hit->kind == CITY_HIT_NONE;
	if (city_pointer_run(seat, hit, ground, button, &pointing)) {
		return !ground; /* there also told to the seat: it closes popups */
	}
	struct city_view *view = hit->view;
	if (view == NULL) {
		return false;
	}
	if (far_away(seat)) {
		if (button == BTN_LEFT) {
			city_grab_pan(seat, button);
			click_far(seat, view, time);
		}
		return true;
	}
	city_server_focus(server, view, false);
	if (hit->kind == CITY_HIT_FRAME && button == BTN_LEFT) {
		press_frame(seat, hit, time);
	}
	return false;
}

static void remember_press(struct city_seat *seat, const struct city_hit *hit) {
	if (hit->surface == NULL || seat->grab.kind != CITY_GRAB_NONE ||
		seat->seat->pointer_state.focused_surface != hit->surface) {
		return;
	}
	double x, y;
	city_hit_base(seat->server, hit->view, seat->cursor->x, seat->cursor->y, &x, &y);
	seat->press.surface = hit->surface;
	seat->press.view = hit->view;
	seat->press.off_x = hit->sx - x;
	seat->press.off_y = hit->sy - y;
}

static void send_button(struct city_seat *seat, uint32_t button, uint32_t time,
	enum wl_pointer_button_state state) {
	struct city_input_event sent = {
		.kind = CITY_INPUT_BUTTON,
		.surface = seat->seat->pointer_state.focused_surface,
		.time_msec = time,
		.code = button,
		.state = state,
	};
	wlr_seat_pointer_notify_button(seat->seat, time, button, state);
	wl_signal_emit_mutable(&seat->server->events.input, &sent);
}

bool city_pointer_take(
	struct city_seat *seat, const struct city_hit *hit, uint32_t button, uint32_t time) {
	if (city_lock_active(seat->server->lock)) {
		return false;
	}
	if (seat->seat->pointer_state.button_count == 0) {
		bool panel = hit->kind == CITY_HIT_SURFACE && city_layers_takes_focus(hit->surface);
		city_seat_set_layer_focus(
			seat, panel ? wlr_surface_get_root_surface(hit->surface) : NULL);
	}
	if (!press_on_map(seat, hit, button, time)) {
		return false;
	}
	city_swallow(&seat->swallowed, button);
	return true;
}

void city_pointer_press(struct city_seat *seat, uint32_t button, uint32_t time) {
	struct city_hit hit = city_hit_test(seat->server, seat->cursor->x, seat->cursor->y);
	if (city_pointer_take(seat, &hit, button, time)) {
		return;
	}
	if (seat->seat->pointer_state.button_count == 0) {
		remember_press(seat, &hit);
	}
	send_button(seat, button, time, WL_POINTER_BUTTON_STATE_PRESSED);
}

void city_pointer_release(struct city_seat *seat, uint32_t button, uint32_t time) {
	if (!city_unswallow(&seat->swallowed, button)) {
		send_button(seat, button, time, WL_POINTER_BUTTON_STATE_RELEASED);
	}
	struct city_grab *grab = &seat->grab;
	if (grab->kind != CITY_GRAB_NONE && (grab->button == 0 || grab->button == button)) {
		if (hypot(seat->cursor->x - grab->start_ox, seat->cursor->y - grab->start_oy) >
			CLICK_SLACK) {
			seat->click_view = NULL; /* a drag is no half of a double click */
		}
		city_grab_release(seat, time);
		city_pointer_refocus(seat);
	}
	if (seat->close_view != NULL && button == BTN_LEFT) {
		release_close(seat);
	}
	if (seat->seat->pointer_state.button_count == 0) {
		seat->press.surface = NULL;
		seat->press.view = NULL;
		city_pointer_refocus(seat);
	}
}

static void handle_button(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, button);
	const struct wlr_pointer_button_event *event = data;
	city_seat_activity(seat);
	if (event->state == WL_POINTER_BUTTON_STATE_PRESSED) {
		city_pointer_press(seat, event->button, event->time_msec);
	} else {
		city_pointer_release(seat, event->button, event->time_msec);
	}
}

static void handle_axis(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, axis);
	city_seat_activity(seat);
	city_scroll(seat, data);
}

static void handle_frame(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, frame);
	wlr_seat_pointer_notify_frame(seat->seat);
}

/* Devices. */

void city_pointer_configure(struct city_seat *seat, struct wlr_input_device *device) {
	if (!wlr_input_device_is_libinput(device)) {
		return;
	}
	const struct city_config *config = seat->server->config;
	struct libinput_device *handle = wlr_libinput_get_device_handle(device);
	if (libinput_device_config_scroll_has_natural_scroll(handle)) {
		libinput_device_config_scroll_set_natural_scroll_enabled(
			handle, config->natural_scroll);
	}
	if (libinput_device_config_tap_get_finger_count(handle) > 0) {
		libinput_device_config_tap_set_enabled(handle,
			config->tap ? LIBINPUT_CONFIG_TAP_ENABLED : LIBINPUT_CONFIG_TAP_DISABLED);
	}
	if (libinput_device_config_accel_is_available(handle)) {
		libinput_device_config_accel_set_speed(handle, config->pointer_speed);
	}
}

#define LISTEN(seat, signal, member, handler)                                                      \
	do {                                                                                       \
		(seat)->member.notify = handler;                                                   \
		wl_signal_add(&(signal), &(seat)->member);                                         \
	} while (0)

bool city_pointer_init(struct city_seat *seat) {
	struct wl_display *display = seat->server->display;
	seat->relative = wlr_relative_pointer_manager_v1_create(display);
	seat->constraints = wlr_pointer_constraints_v1_create(display);
	if (seat->relative == NULL || seat->constraints == NULL) {
		return false;
	}
	struct wlr_cursor *cursor = seat->cursor;
	LISTEN(seat, cursor->events.motion, motion, handle_motion);
	LISTEN(seat, cursor->events.motion_absolute, motion_absolute, handle_motion_absolute);
	LISTEN(seat, cursor->events.button, button, handle_button);
	LISTEN(seat, cursor->events.axis, axis, handle_axis);
	LISTEN(seat, cursor->events.frame, frame, handle_frame);
	LISTEN(seat, seat->seat->pointer_state.events.focus_change, pointer_focus_change,
		handle_pointer_focus_change);
	LISTEN(seat, seat->constraints->events.new_constraint, new_constraint,
		handle_new_constraint);
	seat->constraint_destroy.notify = handle_constraint_destroy;
	wl_list_init(&seat->constraint_destroy.link);
	city_seat_set_shape(seat, "default");
	return true;
}

void city_pointer_finish(struct city_seat *seat) {
	struct wl_listener *listeners[] = {&seat->motion, &seat->motion_absolute, &seat->button,
		&seat->axis, &seat->frame, &seat->pointer_focus_change, &seat->new_constraint,
		&seat->constraint_destroy};
	for (size_t i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++) {
		wl_list_remove(&listeners[i]->link);
	}
}

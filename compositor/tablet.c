/* SPDX-License-Identifier: MIT */
#include <libinput.h>
#include <linux/input-event-codes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/backend/libinput.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_tablet_pad.h>
#include <wlr/types/wlr_tablet_tool.h>
#include <wlr/types/wlr_tablet_v2.h>

#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/tablet.h"
#include "compositor/view.h"
#include "vat/log.h"

struct tablet {
	struct wl_list link; /* city_tablets.tablets */
	struct city_tablets *tablets;
	struct wlr_tablet_v2_tablet *v2; /* goes by itself with the device */
	struct wl_listener destroy;
};

/* A pen, an eraser, a mouse: made when it is first seen. */
struct tool {
	struct wl_list link; /* city_tablets.tools */
	struct city_tablets *tablets;
	struct wlr_tablet_tool *wlr;
	struct wlr_tablet_v2_tablet_tool *v2; /* goes by itself with the tool */
	struct tablet *tablet;		      /* that it is near; NULL: none */
	double ox, oy;			      /* where it was last */
	double tilt_x, tilt_y;
	/* While its tip is down in a client's surface: from city_hit_base's point to the one in it.
	 */
	bool held;
	const struct city_view *view;
	double off_x, off_y;
	/* What acts as a pointer's button. */
	bool tip;
	struct city_swallowed buttons;
	struct wl_listener destroy, set_cursor;
};

struct pad {
	struct wl_list link; /* city_tablets.pads */
	struct city_tablets *tablets;
	struct wlr_input_device *device;
	struct wlr_tablet_v2_tablet_pad *v2; /* goes by itself with the device */
	struct tablet *tablet;		     /* that it is part of; NULL: none */
	struct wlr_surface *surface;	     /* that has it; NULL: none */
	struct wl_listener button, ring, strip, destroy;
};

struct city_tablets {
	struct city_seat *seat;
	struct wlr_tablet_manager_v2 *manager;
	struct wl_list tablets, tools, pads;
	struct wl_listener axis, proximity, tip, button, keyboard_focus;
};

/* Tools. */

static void leave(struct tool *tool) {
	tool->held = false;
	tool->view = NULL;
	if (tool->v2->focused_surface != NULL) {
		wlr_tablet_v2_tablet_tool_notify_proximity_out(tool->v2);
	}
}

/* Whether what is at this point is a client's that takes tools. */
static bool is_clients(struct tool *tool, double ox, double oy, struct city_hit *hit) {
	const struct city_seat *seat = tool->tablets->seat;
	*hit = city_hit_test(seat->server, ox, oy);
	bool far = hit->kind == CITY_HIT_VIEW && hit->stage->camera.zoom < CITY_ZOOM_CLICK;
	return tool->tablet != NULL && seat->grab.kind == CITY_GRAB_NONE &&
		seat->seat->drag == NULL && hit->surface != NULL && !far &&
		wlr_surface_accepts_tablet_v2(hit->surface, tool->tablet->v2);
}

static void enter(struct tool *tool, const struct city_hit *hit) {
	struct city_seat *seat = tool->tablets->seat;
	if (tool->v2->focused_surface != hit->surface) {
		leave(tool);
		wlr_seat_pointer_notify_clear_focus(seat->seat);
		/* Ours until the client says otherwise. */
		city_seat_set_shape(seat, "default");
		seat->client_cursor = true;
		wlr_tablet_v2_tablet_tool_notify_proximity_in(
			tool->v2, tool->tablet->v2, hit->surface);
	}
	wlr_tablet_v2_tablet_tool_notify_motion(tool->v2, hit->sx, hit->sy);
}

/* x, y: 0 to 1; NAN: as it was. */
static void place(
	struct tool *tool, struct wlr_input_device *device, double x, double y, uint32_t time) {
	struct city_seat *seat = tool->tablets->seat;
	struct city_hit hit;
	double ox, oy;
	wlr_cursor_absolute_to_layout_coords(seat->cursor, device, x, y, &ox, &oy);
	if (tool->held) {
		double base_x, base_y;
		wlr_cursor_warp_closest(seat->cursor, device, ox, oy);
		city_hit_base(seat->server, tool->view, ox, oy, &base_x, &base_y);
		wlr_tablet_v2_tablet_tool_notify_motion(
			tool->v2, base_x + tool->off_x, base_y + tool->off_y);
	} else if (is_clients(tool, ox, oy, &hit)) {
		wlr_cursor_warp_closest(seat->cursor, device, ox, oy);
		enter(tool, &hit);
	} else {
		leave(tool);
		city_pointer_warp(seat, device, x, y, time);
		wlr_seat_pointer_notify_frame(seat->seat);
	}
	tool->ox = seat->cursor->x;
	tool->oy = seat->cursor->y;
}

static void handle_tool_destroy(struct wl_listener *listener, void *data) {
	struct tool *tool = wl_container_of(listener, tool, destroy);
	wl_list_remove(&tool->link);
	wl_list_remove(&tool->destroy.link);
	wl_list_remove(&tool->set_cursor.link);
	free(tool);
}

static void handle_set_cursor(struct wl_listener *listener, void *data) {
	struct tool *tool = wl_container_of(listener, tool, set_cursor);
	struct city_seat *seat = tool->tablets->seat;
	const struct wlr_tablet_v2_event_cursor *event = data;
	const struct wlr_surface *surface = tool->v2->focused_surface;
	if (surface != NULL && seat->client_cursor &&
		wl_resource_get_client(surface->resource) == event->seat_client->client) {
		seat->shape = NULL;
		wlr_cursor_set_surface(
			seat->cursor, event->surface, event->hotspot_x, event->hotspot_y);
	}
}

static struct tablet *tablet_of(struct city_tablets *tablets, const struct wlr_tablet *wlr) {
	struct tablet *tablet;
	wl_list_for_each(tablet, &tablets->tablets, link) {
		if (tablet->v2->wlr_tablet == wlr) {
			return tablet;
		}
	}
	return NULL;
}

/* NULL: out of memory. */
static struct tool *tool_of(
	struct city_tablets *tablets, struct wlr_tablet_tool *wlr, const struct wlr_tablet *on) {
	struct tool *tool;
	wl_list_for_each(tool, &tablets->tools, link) {
		if (tool->wlr == wlr) {
			tool->tablet = tablet_of(tablets, on);
			return tool;
		}
	}
	tool = calloc(1, sizeof(*tool));
	if (tool == NULL) {
		return NULL;
	}
	/* Before the library's own, which frees what we listen to. */
	tool->destroy.notify = handle_tool_destroy;
	wl_signal_add(&wlr->events.destroy, &tool->destroy);
	tool->v2 = wlr_tablet_tool_create(tablets->manager, tablets->seat->seat, wlr);
	if (tool->v2 == NULL) {
		wl_list_remove(&tool->destroy.link);
		free(tool);
		return NULL;
	}
	tool->tablets = tablets;
	tool->wlr = wlr;
	tool->tablet = tablet_of(tablets, on);
	wl_list_insert(&tablets->tools, &tool->link);
	tool->set_cursor.notify = handle_set_cursor;
	wl_signal_add(&tool->v2->events.set_cursor, &tool->set_cursor);
	return tool;
}

static void send_axes(struct tool *tool, const struct wlr_tablet_tool_axis_event *event) {
	uint32_t axes = event->updated_axes;
	if ((axes & WLR_TABLET_TOOL_AXIS_PRESSURE) != 0) {
		wlr_tablet_v2_tablet_tool_notify_pressure(tool->v2, event->pressure);
	}
	if ((axes & WLR_TABLET_TOOL_AXIS_DISTANCE) != 0) {
		wlr_tablet_v2_tablet_tool_notify_distance(tool->v2, event->distance);
	}
	if ((axes & (WLR_TABLET_TOOL_AXIS_TILT_X | WLR_TABLET_TOOL_AXIS_TILT_Y)) != 0) {
		/* An event may have one of them. */
		tool->tilt_x =
			(axes & WLR_TABLET_TOOL_AXIS_TILT_X) != 0 ? event->tilt_x : tool->tilt_x;
		tool->tilt_y =
			(axes & WLR_TABLET_TOOL_AXIS_TILT_Y) != 0 ? event->tilt_y : tool->tilt_y;
		wlr_tablet_v2_tablet_tool_notify_tilt(tool->v2, tool->tilt_x, tool->tilt_y);
	}
	if ((axes & WLR_TABLET_TOOL_AXIS_ROTATION) != 0) {
		wlr_tablet_v2_tablet_tool_notify_rotation(tool->v2, event->rotation);
	}
	if ((axes & WLR_TABLET_TOOL_AXIS_SLIDER) != 0) {
		wlr_tablet_v2_tablet_tool_notify_slider(tool->v2, event->slider);
	}
	if ((axes & WLR_TABLET_TOOL_AXIS_WHEEL) != 0) {
		wlr_tablet_v2_tablet_tool_notify_wheel(tool->v2, event->wheel_delta, 0);
	}
}

static void handle_axis(struct wl_listener *listener, void *data) {
	struct city_tablets *tablets = wl_container_of(listener, tablets, axis);
	const struct wlr_tablet_tool_axis_event *event = data;
	city_seat_activity(tablets->seat);
	struct tool *tool = tool_of(tablets, event->tool, event->tablet);
	if (tool == NULL) {
		return;
	}
	double x = (event->updated_axes & WLR_TABLET_TOOL_AXIS_X) != 0 ? event->x : NAN;
	double y = (event->updated_axes & WLR_TABLET_TOOL_AXIS_Y) != 0 ? event->y : NAN;
	if (!isnan(x) || !isnan(y)) {
		place(tool, &event->tablet->base, x, y, event->time_msec);
	}
	send_axes(tool, event);
}

static void lift(struct tool *tool, uint32_t time) {
	struct city_seat *seat = tool->tablets->seat;
	if (tool->tip) {
		tool->tip = false;
		city_pointer_release(seat, BTN_LEFT, time);
		wlr_seat_pointer_notify_frame(seat->seat);
	} else if (tool->v2->is_down) {
		wlr_tablet_v2_tablet_tool_notify_up(tool->v2);
	}
	tool->held = false;
	tool->view = NULL;
}

static void handle_proximity(struct wl_listener *listener, void *data) {
	struct city_tablets *tablets = wl_container_of(listener, tablets, proximity);
	const struct wlr_tablet_tool_proximity_event *event = data;
	city_seat_activity(tablets->seat);
	struct tool *tool = tool_of(tablets, event->tool, event->tablet);
	if (tool != NULL && event->state == WLR_TABLET_TOOL_PROXIMITY_IN) {
		place(tool, &event->tablet->base, event->x, event->y, event->time_msec);
	} else if (tool != NULL) {
		lift(tool, event->time_msec);
		leave(tool);
		tool->tablet = NULL;
		city_seat_scene_changed(tablets->seat);
	}
}

static void handle_tip(struct wl_listener *listener, void *data) {
	struct city_tablets *tablets = wl_container_of(listener, tablets, tip);
	struct city_seat *seat = tablets->seat;
	const struct wlr_tablet_tool_tip_event *event = data;
	city_seat_activity(seat);
	struct tool *tool = tool_of(tablets, event->tool, event->tablet);
	if (tool == NULL) {
		return;
	}
	place(tool, &event->tablet->base, event->x, event->y, event->time_msec);
	if (event->state == WLR_TABLET_TOOL_TIP_UP) {
		lift(tool, event->time_msec);
		/* It may have been lifted over something else. */
		place(tool, &event->tablet->base, event->x, event->y, event->time_msec);
		return;
	}
	struct city_hit hit;
	if (!is_clients(tool, seat->cursor->x, seat->cursor->y, &hit)) {
		tool->tip = true;
		city_pointer_press(seat, BTN_LEFT, event->time_msec);
		wlr_seat_pointer_notify_frame(seat->seat);
	} else if (city_pointer_take(seat, &hit, BTN_LEFT, event->time_msec)) {
		tool->tip = true;
		leave(tool);
	} else {
		double x, y;
		city_hit_base(seat->server, hit.view, seat->cursor->x, seat->cursor->y, &x, &y);
		tool->held = true;
		tool->view = hit.view;
		tool->off_x = hit.sx - x;
		tool->off_y = hit.sy - y;
		wlr_tablet_v2_tablet_tool_notify_down(tool->v2);
		wlr_tablet_tool_v2_start_implicit_grab(tool->v2);
	}
}

/* For a client; a lock may have come since. */
static bool is_pressed(const struct tool *tool, uint32_t button) {
	for (size_t i = 0; i < tool->v2->num_buttons; i++) {
		if (tool->v2->pressed_buttons[i] == button) {
			return true;
		}
	}
	return false;
}

static void handle_button(struct wl_listener *listener, void *data) {
	struct city_tablets *tablets = wl_container_of(listener, tablets, button);
	struct city_seat *seat = tablets->seat;
	const struct wlr_tablet_tool_button_event *event = data;
	uint32_t as = event->button == BTN_STYLUS ? BTN_RIGHT : BTN_MIDDLE;
	city_seat_activity(seat);
	struct tool *tool = tool_of(tablets, event->tool, event->tablet);
	if (tool == NULL) {
		return;
	}
	if (event->state == WLR_BUTTON_RELEASED) {
		if (city_unswallow(&tool->buttons, event->button)) {
			city_pointer_release(seat, as, event->time_msec);
			wlr_seat_pointer_notify_frame(seat->seat);
		} else if (is_pressed(tool, event->button)) {
			wlr_tablet_v2_tablet_tool_notify_button(
				tool->v2, event->button, ZWP_TABLET_PAD_V2_BUTTON_STATE_RELEASED);
		}
		return;
	}
	struct city_hit hit;
	bool clients = tool->held || is_clients(tool, seat->cursor->x, seat->cursor->y, &hit);
	if (!clients) {
		city_swallow(&tool->buttons, event->button);
		city_pointer_press(seat, as, event->time_msec);
		wlr_seat_pointer_notify_frame(seat->seat);
	} else if (!tool->held && city_pointer_take(seat, &hit, as, event->time_msec)) {
		city_swallow(&tool->buttons, event->button);
		leave(tool);
	} else {
		wlr_tablet_v2_tablet_tool_notify_button(
			tool->v2, event->button, ZWP_TABLET_PAD_V2_BUTTON_STATE_PRESSED);
	}
}

bool city_tablets_refocus(struct city_tablets *tablets) {
	if (tablets == NULL) {
		return false;
	}
	const struct wlr_cursor *cursor = tablets->seat->cursor;
	struct tool *tool;
	wl_list_for_each(tool, &tablets->tools, link) {
		/* A mouse may have taken the cursor away from it. */
		if (tool->v2->focused_surface == NULL || tool->ox != cursor->x ||
			tool->oy != cursor->y) {
			continue;
		}
		struct city_hit hit;
		if (tool->held) {
			return true;
		}
		if (is_clients(tool, tool->ox, tool->oy, &hit)) {
			enter(tool, &hit);
			return true;
		}
		leave(tool);
	}
	return false;
}

void city_tablets_let_go(struct city_tablets *tablets) {
	struct tool *tool;
	if (tablets == NULL) {
		return;
	}
	wl_list_for_each(tool, &tablets->tools, link) {
		uint32_t held[WLR_TABLET_V2_TOOL_BUTTONS_CAP];
		size_t count = tool->v2->num_buttons;
		memcpy(held, tool->v2->pressed_buttons, sizeof(held));
		/* A grab goes on as long as anything is down. */
		for (size_t i = 0; i < count; i++) {
			wlr_tablet_v2_tablet_tool_notify_button(
				tool->v2, held[i], ZWP_TABLET_PAD_V2_BUTTON_STATE_RELEASED);
		}
		if (tool->v2->is_down) {
			wlr_tablet_v2_tablet_tool_notify_up(tool->v2);
		}
		leave(tool);
	}
}

void city_tablets_forget_view(struct city_tablets *tablets, const struct city_view *view) {
	struct tool *tool;
	if (tablets == NULL) {
		return;
	}
	wl_list_for_each(tool, &tablets->tools, link) {
		if (tool->view == view) {
			tool->held = false;
			tool->view = NULL;
		}
	}
}

/* Pads. */

static void focus_pad(struct pad *pad, struct wlr_surface *surface) {
	if (surface != NULL &&
		(pad->tablet == NULL || !wlr_surface_accepts_tablet_v2(surface, pad->tablet->v2))) {
		surface = NULL;
	}
	if (pad->surface == surface) {
		return;
	}
	if (pad->surface != NULL) {
		wlr_tablet_v2_tablet_pad_notify_leave(pad->v2, pad->surface);
	}
	pad->surface = surface;
	if (surface != NULL) {
		wlr_tablet_v2_tablet_pad_notify_enter(pad->v2, pad->tablet->v2, surface);
	}
}

static void focus_pads(struct city_tablets *tablets) {
	struct pad *pad;
	wl_list_for_each(pad, &tablets->pads, link) {
		focus_pad(pad, tablets->seat->seat->keyboard_state.focused_surface);
	}
}

static void handle_keyboard_focus(struct wl_listener *listener, void *data) {
	struct city_tablets *tablets = wl_container_of(listener, tablets, keyboard_focus);
	const struct wlr_seat_keyboard_focus_change_event *event = data;
	struct pad *pad;
	wl_list_for_each(pad, &tablets->pads, link) {
		focus_pad(pad, event->new_surface);
	}
}

static void handle_pad_button(struct wl_listener *listener, void *data) {
	struct pad *pad = wl_container_of(listener, pad, button);
	const struct wlr_tablet_pad_button_event *event = data;
	city_seat_activity(pad->tablets->seat);
	focus_pads(pad->tablets); /* the client may have bound it since */
	wlr_tablet_v2_tablet_pad_notify_mode(pad->v2, event->group, event->mode, event->time_msec);
	wlr_tablet_v2_tablet_pad_notify_button(pad->v2, event->button, event->time_msec,
		event->state == WLR_BUTTON_PRESSED ? ZWP_TABLET_PAD_V2_BUTTON_STATE_PRESSED
						   : ZWP_TABLET_PAD_V2_BUTTON_STATE_RELEASED);
}

static void handle_pad_ring(struct wl_listener *listener, void *data) {
	struct pad *pad = wl_container_of(listener, pad, ring);
	const struct wlr_tablet_pad_ring_event *event = data;
	city_seat_activity(pad->tablets->seat);
	focus_pads(pad->tablets);
	wlr_tablet_v2_tablet_pad_notify_ring(pad->v2, event->ring, event->position,
		event->source == WLR_TABLET_PAD_RING_SOURCE_FINGER, event->time_msec);
}

static void handle_pad_strip(struct wl_listener *listener, void *data) {
	struct pad *pad = wl_container_of(listener, pad, strip);
	const struct wlr_tablet_pad_strip_event *event = data;
	city_seat_activity(pad->tablets->seat);
	focus_pads(pad->tablets);
	wlr_tablet_v2_tablet_pad_notify_strip(pad->v2, event->strip, event->position,
		event->source == WLR_TABLET_PAD_STRIP_SOURCE_FINGER, event->time_msec);
}

static void pad_destroy(struct pad *pad) {
	wl_list_remove(&pad->link);
	wl_list_remove(&pad->button.link);
	wl_list_remove(&pad->ring.link);
	wl_list_remove(&pad->strip.link);
	wl_list_remove(&pad->destroy.link);
	free(pad);
}

static void handle_pad_destroy(struct wl_listener *listener, void *data) {
	struct pad *pad = wl_container_of(listener, pad, destroy);
	pad_destroy(pad);
}

static struct libinput_device_group *group_of(struct wlr_input_device *device) {
	return wlr_input_device_is_libinput(device)
		? libinput_device_get_device_group(wlr_libinput_get_device_handle(device))
		: NULL;
}

/* libinput says what is one thing; elsewhere it is the tablet that came last. */
static void pair(struct city_tablets *tablets) {
	struct pad *pad;
	struct tablet *tablet;
	wl_list_for_each(pad, &tablets->pads, link) {
		wl_list_for_each(tablet, &tablets->tablets, link) {
			if (pad->tablet == NULL &&
				group_of(pad->device) == group_of(tablet->v2->wlr_device)) {
				pad->tablet = tablet;
			}
		}
	}
	focus_pads(tablets);
}

void city_tablets_add_pad(struct city_tablets *tablets, struct wlr_input_device *device) {
	struct pad *pad = tablets == NULL ? NULL : calloc(1, sizeof(*pad));
	if (pad == NULL) {
		return;
	}
	pad->v2 = wlr_tablet_pad_create(tablets->manager, tablets->seat->seat, device);
	if (pad->v2 == NULL) {
		free(pad);
		return;
	}
	struct wlr_tablet_pad *wlr = wlr_tablet_pad_from_input_device(device);
	pad->tablets = tablets;
	pad->device = device;
	wl_list_insert(&tablets->pads, &pad->link);
	pad->button.notify = handle_pad_button;
	wl_signal_add(&wlr->events.button, &pad->button);
	pad->ring.notify = handle_pad_ring;
	wl_signal_add(&wlr->events.ring, &pad->ring);
	pad->strip.notify = handle_pad_strip;
	wl_signal_add(&wlr->events.strip, &pad->strip);
	pad->destroy.notify = handle_pad_destroy;
	wl_signal_add(&device->events.destroy, &pad->destroy);
	pair(tablets);
}

/* Tablets. */

static void tablet_destroy(struct tablet *tablet) {
	struct tool *tool;
	wl_list_for_each(tool, &tablet->tablets->tools, link) {
		if (tool->tablet == tablet) {
			leave(tool);
			tool->tablet = NULL;
		}
	}
	struct pad *pad;
	wl_list_for_each(pad, &tablet->tablets->pads, link) {
		if (pad->tablet == tablet) {
			focus_pad(pad, NULL);
			pad->tablet = NULL;
		}
	}
	wl_list_remove(&tablet->link);
	wl_list_remove(&tablet->destroy.link);
	free(tablet);
}

static void handle_tablet_destroy(struct wl_listener *listener, void *data) {
	struct tablet *tablet = wl_container_of(listener, tablet, destroy);
	tablet_destroy(tablet);
}

void city_tablets_add(struct city_tablets *tablets, struct wlr_input_device *device) {
	struct tablet *tablet = tablets == NULL ? NULL : calloc(1, sizeof(*tablet));
	if (tablet == NULL) {
		return;
	}
	/* Before the library's own, which frees it. */
	tablet->destroy.notify = handle_tablet_destroy;
	wl_signal_add(&device->events.destroy, &tablet->destroy);
	tablet->v2 = wlr_tablet_create(tablets->manager, tablets->seat->seat, device);
	if (tablet->v2 == NULL) {
		wl_list_remove(&tablet->destroy.link);
		free(tablet);
		return;
	}
	tablet->tablets = tablets;
	wl_list_insert(&tablets->tablets, &tablet->link);
	pair(tablets);
}

struct city_tablets *city_tablets_create(struct city_seat *seat) {
	struct city_tablets *tablets = calloc(1, sizeof(*tablets));
	if (tablets == NULL) {
		return NULL;
	}
	tablets->seat = seat;
	tablets->manager = wlr_tablet_v2_create(seat->server->display);
	if (tablets->manager == NULL) {
		free(tablets);
		return NULL;
	}
	wl_list_init(&tablets->tablets);
	wl_list_init(&tablets->tools);
	wl_list_init(&tablets->pads);
	struct wlr_cursor *cursor = seat->cursor;
	tablets->axis.notify = handle_axis;
	wl_signal_add(&cursor->events.tablet_tool_axis, &tablets->axis);
	tablets->proximity.notify = handle_proximity;
	wl_signal_add(&cursor->events.tablet_tool_proximity, &tablets->proximity);
	tablets->tip.notify = handle_tip;
	wl_signal_add(&cursor->events.tablet_tool_tip, &tablets->tip);
	tablets->button.notify = handle_button;
	wl_signal_add(&cursor->events.tablet_tool_button, &tablets->button);
	tablets->keyboard_focus.notify = handle_keyboard_focus;
	wl_signal_add(&seat->seat->keyboard_state.events.focus_change, &tablets->keyboard_focus);
	return tablets;
}

void city_tablets_destroy(struct city_tablets *tablets) {
	if (tablets == NULL) {
		return;
	}
	tablets->seat->tablets = NULL;
	struct wl_listener *listeners[] = {&tablets->axis, &tablets->proximity, &tablets->tip,
		&tablets->button, &tablets->keyboard_focus};
	for (size_t i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++) {
		wl_list_remove(&listeners[i]->link);
	}
	struct pad *pad, *next_pad;
	wl_list_for_each_safe(pad, next_pad, &tablets->pads, link) {
		pad_destroy(pad);
	}
	struct tablet *tablet, *next_tablet;
	wl_list_for_each_safe(tablet, next_tablet, &tablets->tablets, link) {
		tablet_destroy(tablet);
	}
	struct tool *tool, *next_tool;
	wl_list_for_each_safe(tool, next_tool, &tablets->tools, link) {
		handle_tool_destroy(&tool->destroy, NULL);
	}
	free(tablets);
}

/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <math.h>
#include <stdlib.h>

#include "cursor-shape-v1-client-protocol.h"

#define CLICK_MS 400
#define CLICK_DISTANCE 4

static struct tile_input pointer_event(struct host *host, enum tile_input_type type) {
	struct tile_input event = {.type = type, .time_ns = host_now(host)};
	event.pointer.tx = host->pointer.tx;
	event.pointer.ty = host->pointer.ty;
	event.pointer.modifiers = host_modifiers(host);
	return event;
}

static void send_simple(struct host *host, enum tile_input_type type) {
	struct tile_input event = pointer_event(host, type);
	host_input(host, &event);
}

static void apply_cursor(struct host *host) {
	static const uint32_t shapes[] = {
		[TILE_CURSOR_DEFAULT] = WP_CURSOR_SHAPE_DEVICE_V1_SHAPE_DEFAULT,
		[TILE_CURSOR_TEXT] = WP_CURSOR_SHAPE_DEVICE_V1_SHAPE_TEXT,
		[TILE_CURSOR_POINTER] = WP_CURSOR_SHAPE_DEVICE_V1_SHAPE_POINTER,
		[TILE_CURSOR_CROSSHAIR] = WP_CURSOR_SHAPE_DEVICE_V1_SHAPE_CROSSHAIR,
		[TILE_CURSOR_GRAB] = WP_CURSOR_SHAPE_DEVICE_V1_SHAPE_GRAB,
	};
	struct host_pointer *pointer = &host->pointer;
	if (!pointer->inside || !pointer->wl_pointer) {
		return;
	}
	if (pointer->cursor == TILE_CURSOR_HIDDEN) {
		wl_pointer_set_cursor(pointer->wl_pointer, pointer->enter_serial, NULL, 0, 0);
	} else if (pointer->shape) {
		wp_cursor_shape_device_v1_set_shape(
			pointer->shape, pointer->enter_serial, shapes[pointer->cursor]);
	}
}

void host_pointer_set_cursor(struct host *host, enum tile_cursor cursor) {
	cursor = (unsigned)cursor > TILE_CURSOR_HIDDEN ? TILE_CURSOR_DEFAULT : cursor;
	if (host->pointer.cursor != cursor) {
		host->pointer.cursor = cursor;
		apply_cursor(host);
	}
}

static void handle_enter(void *data, struct wl_pointer *wl_pointer, uint32_t serial,
	struct wl_surface *surface, wl_fixed_t sx, wl_fixed_t sy) {
	struct host *host = data;
	struct host_pointer *pointer = &host->pointer;
	pointer->inside = true;
	pointer->enter_serial = serial;
	pointer->tx = wl_fixed_to_double(sx);
	pointer->ty = wl_fixed_to_double(sy);
	apply_cursor(host);
	send_simple(host, TILE_INPUT_POINTER_ENTER);
}

static void flush_frame(struct host *host) {
	struct host_pointer *pointer = &host->pointer;
	if (pointer->moved) {
		pointer->moved = false;
		send_simple(host, TILE_INPUT_POINTER_MOTION);
	}
	if (pointer->scrolled) {
		struct tile_input event = {.type = TILE_INPUT_SCROLL, .time_ns = host_now(host)};
		event.scroll.tx = pointer->tx;
		event.scroll.ty = pointer->ty;
		event.scroll.dx = pointer->scroll_x;
		event.scroll.dy = pointer->scroll_y;
		event.scroll.step_x120 = pointer->step_x;
		event.scroll.step_y120 = pointer->step_y;
		event.scroll.modifiers = host_modifiers(host);
		pointer->scrolled = false;
		pointer->scroll_x = pointer->scroll_y = 0;
		pointer->step_x = pointer->step_y = 0;
		host_input(host, &event);
	}
}

static void end_event(struct host *host) {
	if (wl_pointer_get_version(host->pointer.wl_pointer) < WL_POINTER_FRAME_SINCE_VERSION) {
		flush_frame(host);
	}
}

static void handle_leave(
	void *data, struct wl_pointer *wl_pointer, uint32_t serial, struct wl_surface *surface) {
	struct host *host = data;
	flush_frame(host);
	host->pointer.inside = false;
	send_simple(host, TILE_INPUT_POINTER_LEAVE);
}

static void handle_motion(
	void *data, struct wl_pointer *wl_pointer, uint32_t time_ms, wl_fixed_t sx, wl_fixed_t sy) {
	struct host *host = data;
	host->pointer.tx = wl_fixed_to_double(sx);
	host->pointer.ty = wl_fixed_to_double(sy);
	host->pointer.moved = true;
	end_event(host);
}

static void count_click(struct host_pointer *pointer, uint32_t button, uint32_t time_ms) {
	bool again = button == pointer->last_button && time_ms - pointer->last_time_ms < CLICK_MS &&
		fabs(pointer->tx - pointer->last_tx) < CLICK_DISTANCE &&
		fabs(pointer->ty - pointer->last_ty) < CLICK_DISTANCE;
	pointer->clicks = again ? pointer->clicks + 1 : 1;
	pointer->last_button = button;
	pointer->last_time_ms = time_ms;
	pointer->last_tx = pointer->tx;
	pointer->last_ty = pointer->ty;
}

static void handle_button(void *data, struct wl_pointer *wl_pointer, uint32_t serial,
	uint32_t time_ms, uint32_t button, uint32_t state) {
	struct host *host = data;
	struct host_pointer *pointer = &host->pointer;
	flush_frame(host);
	host->input_serial = serial;
	struct tile_input event = pointer_event(host, TILE_INPUT_POINTER_BUTTON);
	event.pointer.button = button;
	event.pointer.pressed = state == WL_POINTER_BUTTON_STATE_PRESSED;
	if (event.pointer.pressed) {
		count_click(pointer, button, time_ms);
		event.pointer.clicks = pointer->clicks;
	}
	host_input(host, &event);
}

static void handle_axis(void *data, struct wl_pointer *wl_pointer, uint32_t time_ms, uint32_t axis,
	wl_fixed_t value) {
	struct host *host = data;
	double *scroll = axis == WL_POINTER_AXIS_VERTICAL_SCROLL ? &host->pointer.scroll_y
								 : &host->pointer.scroll_x;
	*scroll += wl_fixed_to_double(value);
	host->pointer.scrolled = true;
	end_event(host);
}

static void handle_frame(void *data, struct wl_pointer *wl_pointer) {
	flush_frame(data);
}

static void handle_axis_source(void *data, struct wl_pointer *wl_pointer, uint32_t source) {
}

static void handle_axis_stop(
	void *data, struct wl_pointer *wl_pointer, uint32_t time_ms, uint32_t axis) {
}

static void add_steps(struct host *host, uint32_t axis, int32_t steps) {
	int32_t *sum = axis == WL_POINTER_AXIS_VERTICAL_SCROLL ? &host->pointer.step_y
							       : &host->pointer.step_x;
	*sum += steps;
	host->pointer.scrolled = true;
}

static void handle_axis_discrete(
	void *data, struct wl_pointer *wl_pointer, uint32_t axis, int32_t discrete) {
	add_steps(data, axis, discrete * 120);
}

static void handle_axis_value120(
	void *data, struct wl_pointer *wl_pointer, uint32_t axis, int32_t value120) {
	add_steps(data, axis, value120);
}

static void handle_axis_relative_direction(
	void *data, struct wl_pointer *wl_pointer, uint32_t axis, uint32_t direction) {
}

static const struct wl_pointer_listener pointer_listener = {
	.enter = handle_enter,
	.leave = handle_leave,
	.motion = handle_motion,
	.button = handle_button,
	.axis = handle_axis,
	.frame = handle_frame,
	.axis_source = handle_axis_source,
	.axis_stop = handle_axis_stop,
	.axis_discrete = handle_axis_discrete,
	.axis_value120 = handle_axis_value120,
	.axis_relative_direction = handle_axis_relative_direction,
};

void host_pointer_bind(struct host *host) {
	struct host_pointer *pointer = &host->pointer;
	pointer->wl_pointer = wl_seat_get_pointer(host->seat);
	wl_pointer_add_listener(pointer->wl_pointer, &pointer_listener, host);
	if (host->shape_manager) {
		pointer->shape = wp_cursor_shape_manager_v1_get_pointer(
			host->shape_manager, pointer->wl_pointer);
	}
}

void host_pointer_lost(struct host *host) {
	if (host->pointer.inside) {
		host->pointer.inside = host->pointer.moved = host->pointer.scrolled = false;
		send_simple(host, TILE_INPUT_POINTER_LEAVE);
	}
}

void host_pointer_release(struct host *host) {
	struct host_pointer *pointer = &host->pointer;
	if (!pointer->wl_pointer) {
		return;
	}
	if (pointer->shape) {
		wp_cursor_shape_device_v1_destroy(pointer->shape);
		pointer->shape = NULL;
	}
	if (wl_pointer_get_version(pointer->wl_pointer) >= WL_POINTER_RELEASE_SINCE_VERSION) {
		wl_pointer_release(pointer->wl_pointer);
	} else {
		wl_pointer_destroy(pointer->wl_pointer);
	}
	pointer->wl_pointer = NULL;
}

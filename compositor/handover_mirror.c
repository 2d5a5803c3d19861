/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <wayland-server-protocol.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_keyboard.h>
#include <wlr/types/wlr_pointer.h>
#include <wlr/types/wlr_seat.h>

#include "compositor/handover_mirror.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/tile.h"

struct city_mirror {
	struct wlr_seat *seat;
	struct wlr_seat_client *client; /* A's; NULL once it, or one of the surfaces, has gone */
	struct wlr_surface *from, *to;
	bool keys, pointer; /* `to` was told that it has them */
	double sx, sy;
	struct wl_listener input, client_destroy, from_destroy, to_destroy;
};

static uint32_t next_serial(struct city_mirror *mirror) {
	return wlr_seat_client_next_serial(mirror->client);
}

static void enter_keys(struct city_mirror *mirror) {
	struct wlr_keyboard *keyboard = wlr_seat_get_keyboard(mirror->seat);
	struct wl_array keys;
	wl_array_init(&keys);
	struct wl_resource *resource;
	wl_resource_for_each(resource, &mirror->client->keyboards) {
		uint32_t serial = next_serial(mirror);
		wl_keyboard_send_enter(resource, serial, mirror->to->resource, &keys);
		if (keyboard) {
			const struct wlr_keyboard_modifiers *modifiers = &keyboard->modifiers;
			wl_keyboard_send_modifiers(resource, serial, modifiers->depressed,
				modifiers->latched, modifiers->locked, modifiers->group);
		}
	}
	mirror->keys = true;
}

static void leave_keys(struct city_mirror *mirror) {
	struct wl_resource *resource;
	wl_resource_for_each(resource, &mirror->client->keyboards) {
		wl_keyboard_send_leave(resource, next_serial(mirror), mirror->to->resource);
	}
	mirror->keys = false;
}

static void send_pointer_frame(struct wl_resource *resource) {
	if (wl_resource_get_version(resource) >= WL_POINTER_FRAME_SINCE_VERSION) {
		wl_pointer_send_frame(resource);
	}
}

static void leave_pointer(struct city_mirror *mirror) {
	struct wl_resource *resource;
	wl_resource_for_each(resource, &mirror->client->pointers) {
		wl_pointer_send_leave(resource, next_serial(mirror), mirror->to->resource);
		send_pointer_frame(resource);
	}
	mirror->pointer = false;
}

static void follow_keys(struct city_mirror *mirror) {
	bool keys = mirror->seat->keyboard_state.focused_surface == mirror->from;
	if (keys && !mirror->keys) {
		enter_keys(mirror);
	} else if (!keys && mirror->keys) {
		leave_keys(mirror);
	}
}

void city_mirror_frame(struct city_mirror *mirror, unsigned int time_msec) {
	const struct wlr_seat_pointer_state *pointer = &mirror->seat->pointer_state;
	if (!mirror->client) {
		return;
	}
	follow_keys(mirror);
	if (pointer->focused_surface != mirror->from) {
		if (mirror->pointer) {
			leave_pointer(mirror);
		}
		return;
	}
	if (mirror->pointer && pointer->sx == mirror->sx && pointer->sy == mirror->sy) {
		return;
	}
	wl_fixed_t x = wl_fixed_from_double(pointer->sx), y = wl_fixed_from_double(pointer->sy);
	struct wl_resource *resource;
	wl_resource_for_each(resource, &mirror->client->pointers) {
		if (mirror->pointer) {
			wl_pointer_send_motion(resource, time_msec, x, y);
		} else {
			wl_pointer_send_enter(
				resource, next_serial(mirror), mirror->to->resource, x, y);
		}
		send_pointer_frame(resource);
	}
	mirror->pointer = true;
	mirror->sx = pointer->sx;
	mirror->sy = pointer->sy;
}

static void send_key(struct city_mirror *mirror, const struct city_input_event *event) {
	struct wl_resource *resource;
	wl_resource_for_each(resource, &mirror->client->keyboards) {
		uint32_t serial = next_serial(mirror);
		if (event->kind == CITY_INPUT_KEY) {
			wl_keyboard_send_key(
				resource, serial, event->time_msec, event->code, event->state);
		} else {
			wl_keyboard_send_modifiers(resource, serial, event->modifiers.depressed,
				event->modifiers.latched, event->modifiers.locked,
				event->modifiers.group);
		}
	}
}

/* Tiles have version 9; what is older gets the distance alone. */
static void send_scroll(struct wl_resource *resource, const struct wlr_pointer_axis_event *scroll) {
	int version = wl_resource_get_version(resource);
	uint32_t axis = scroll->orientation;
	if (version >= WL_POINTER_AXIS_SOURCE_SINCE_VERSION) {
		wl_pointer_send_axis_source(resource, scroll->source);
	}
	if (scroll->delta == 0) {
		if (version >= WL_POINTER_AXIS_STOP_SINCE_VERSION) {
			wl_pointer_send_axis_stop(resource, scroll->time_msec, axis);
		}
		return;
	}
	if (version >= WL_POINTER_AXIS_RELATIVE_DIRECTION_SINCE_VERSION) {
		wl_pointer_send_axis_relative_direction(resource, axis, scroll->relative_direction);
	}
	if (version >= WL_POINTER_AXIS_VALUE120_SINCE_VERSION && scroll->delta_discrete != 0) {
		wl_pointer_send_axis_value120(resource, axis, scroll->delta_discrete);
	}
	wl_pointer_send_axis(
		resource, scroll->time_msec, axis, wl_fixed_from_double(scroll->delta));
}

static void handle_input(struct wl_listener *listener, void *data) {
	struct city_mirror *mirror = wl_container_of(listener, mirror, input);
	const struct city_input_event *event = data;
	if (event->surface != mirror->from) {
		return;
	}
	if (event->kind == CITY_INPUT_KEY || event->kind == CITY_INPUT_MODIFIERS) {
		follow_keys(mirror);
		send_key(mirror, event);
		return;
	}
	city_mirror_frame(mirror, event->time_msec);
	struct wl_resource *resource;
	wl_resource_for_each(resource, &mirror->client->pointers) {
		if (!mirror->pointer) {
			continue;
		}
		if (event->kind == CITY_INPUT_SCROLL) {
			send_scroll(resource, event->scroll);
		} else {
			wl_pointer_send_button(resource, next_serial(mirror), event->time_msec,
				event->code, event->state);
		}
		send_pointer_frame(resource);
	}
}

static void end(struct city_mirror *mirror) {
	if (mirror->client) {
		mirror->client = NULL;
		wl_list_remove(&mirror->input.link);
		wl_list_remove(&mirror->client_destroy.link);
		wl_list_remove(&mirror->from_destroy.link);
		wl_list_remove(&mirror->to_destroy.link);
	}
}

static void handle_client_destroy(struct wl_listener *listener, void *data) {
	struct city_mirror *mirror = wl_container_of(listener, mirror, client_destroy);
	end(mirror);
}

static void handle_from_destroy(struct wl_listener *listener, void *data) {
	struct city_mirror *mirror = wl_container_of(listener, mirror, from_destroy);
	end(mirror);
}

static void handle_to_destroy(struct wl_listener *listener, void *data) {
	struct city_mirror *mirror = wl_container_of(listener, mirror, to_destroy);
	end(mirror);
}

struct city_mirror *city_mirror_create(
	struct city_tile *tile, struct wlr_surface *from, struct wlr_surface *to) {
	struct city_server *server = tile->tiles->server;
	struct wlr_seat *seat = server->seat ? server->seat->seat : NULL;
	struct wlr_seat_client *client = seat
		? wlr_seat_client_for_wl_client(seat, wl_resource_get_client(to->resource))
		: NULL;
	struct city_mirror *mirror = client ? calloc(1, sizeof(*mirror)) : NULL;
	if (!mirror) {
		return NULL;
	}
	mirror->seat = seat;
	mirror->client = client;
	mirror->from = from;
	mirror->to = to;
	mirror->input.notify = handle_input;
	wl_signal_add(&server->events.input, &mirror->input);
	mirror->client_destroy.notify = handle_client_destroy;
	wl_signal_add(&client->events.destroy, &mirror->client_destroy);
	mirror->from_destroy.notify = handle_from_destroy;
	wl_signal_add(&from->events.destroy, &mirror->from_destroy);
	mirror->to_destroy.notify = handle_to_destroy;
	wl_signal_add(&to->events.destroy, &mirror->to_destroy);
	follow_keys(mirror);
	return mirror;
}

void city_mirror_destroy(struct city_mirror *mirror) {
	if (!mirror) {
		return;
	}
	if (mirror->client && mirror->keys) {
		leave_keys(mirror);
	}
	if (mirror->client && mirror->pointer) {
		leave_pointer(mirror);
	}
	end(mirror);
	free(mirror);
}

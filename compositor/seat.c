/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/backend.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_cursor_shape_v1.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_keyboard.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_pointer.h>
#include <wlr/types/wlr_primary_selection.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_tablet_v2.h>
#include <wlr/types/wlr_touch.h>
#include <wlr/types/wlr_virtual_keyboard_v1.h>
#include <wlr/types/wlr_virtual_pointer_v1.h>
#include <wlr/types/wlr_xcursor_manager.h>

#include "compositor/config.h"
#include "compositor/idle.h"
#include "compositor/kept_selection.h"
#include "compositor/layer.h"
#include "compositor/lock.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/tablet.h"
#include "compositor/view.h"
#include "vat/log.h"

/* Focus. */

struct wlr_surface *city_seat_due_surface(struct city_seat *seat) {
	struct city_server *server = seat->server;
	if (city_lock_active(server->lock)) {
		return city_lock_surface(server->lock); /* NULL: nobody gets the keys */
	}
	struct wlr_surface *panel = city_layers_exclusive(server);
	if (panel != NULL) {
		return panel;
	}
	if (seat->layer_focus != NULL) {
		return seat->layer_focus;
	}
	return server->focused == NULL ? NULL : city_view_input_surface(server->focused);
}

void city_seat_focus_update(struct city_seat *seat) {
	if (seat == NULL) {
		return;
	}
	struct wlr_surface *surface = city_seat_due_surface(seat);
	if (surface == seat->seat->keyboard_state.focused_surface) {
		return;
	}
	if (surface == NULL) {
		wlr_seat_keyboard_notify_clear_focus(seat->seat);
		return;
	}
	struct wlr_keyboard *keyboard = wlr_seat_get_keyboard(seat->seat);
	if (keyboard != NULL) {
		uint32_t keys[WLR_KEYBOARD_KEYS_CAP];
		size_t count = city_keyboard_pressed(seat, keyboard, keys);
		wlr_seat_keyboard_notify_enter(
			seat->seat, surface, keys, count, &keyboard->modifiers);
	} else {
		wlr_seat_keyboard_notify_enter(seat->seat, surface, NULL, 0, NULL);
	}
}

static void handle_layer_focus_destroy(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, layer_focus_destroy);
	city_seat_set_layer_focus(seat, NULL);
}

void city_seat_set_layer_focus(struct city_seat *seat, struct wlr_surface *surface) {
	if (seat == NULL || seat->layer_focus == surface) {
		return;
	}
	if (seat->layer_focus != NULL) {
		wl_list_remove(&seat->layer_focus_destroy.link);
	}
	seat->layer_focus = surface;
	if (surface != NULL) {
		seat->layer_focus_destroy.notify = handle_layer_focus_destroy;
		wl_signal_add(&surface->events.destroy, &seat->layer_focus_destroy);
	}
	city_seat_focus_update(seat);
}

static void run_scene_idle(void *data) {
	struct city_seat *seat = data;
	seat->scene_idle = NULL;
	city_pointer_refocus(seat);
}

void city_seat_scene_changed(struct city_seat *seat) {
	if (seat != NULL && seat->scene_idle == NULL) {
		seat->scene_idle = wl_event_loop_add_idle(seat->server->loop, run_scene_idle, seat);
	}
}

void city_seat_forget_view(struct city_seat *seat, struct city_view *view) {
	if (seat == NULL) {
		return;
	}
	if (seat->grab.view == view) {
		city_grab_end(seat);
	}
	if (seat->press.view == view) {
		seat->press.surface = NULL;
		seat->press.view = NULL;
	}
	if (seat->click_view == view) {
		seat->click_view = NULL;
	}
	if (seat->close_view == view) {
		seat->close_view = NULL;
	}
	for (size_t i = 0; i < sizeof(seat->touches) / sizeof(seat->touches[0]); i++) {
		if (seat->touches[i].view == view) {
			seat->touches[i].view = NULL;
		}
	}
	city_tablets_forget_view(seat->tablets, view);
}

void city_seat_forget_surface(struct city_seat *seat, struct wlr_surface *surface) {
	if (seat == NULL) {
		return;
	}
	if (seat->layer_focus == surface) {
		city_seat_set_layer_focus(seat, NULL);
	}
	city_seat_focus_update(seat);
}

bool city_seat_position(struct city_seat *seat, double *ox, double *oy) {
	if (seat == NULL || seat->cursor == NULL) {
		return false;
	}
	*ox = seat->cursor->x;
	*oy = seat->cursor->y;
	return true;
}

uint32_t city_seat_modifiers(struct city_seat *seat) {
	uint32_t modifiers = 0;
	struct city_keyboard *keyboard;
	wl_list_for_each(keyboard, &seat->keyboards, link) {
		modifiers |= wlr_keyboard_get_modifiers(keyboard->keyboard);
	}
	return modifiers;
}

void city_seat_activity(struct city_seat *seat) {
	city_idle_activity(seat->server->idle, seat->seat);
}

/* Touch screens, and the pointers of nested windows, belong to one output. */
static void map_device(struct city_device *device) {
	const char *name = NULL;
	if (device->device->type == WLR_INPUT_DEVICE_TOUCH) {
		name = wlr_touch_from_input_device(device->device)->output_name;
	} else if (device->device->type == WLR_INPUT_DEVICE_POINTER) {
		name = wlr_pointer_from_input_device(device->device)->output_name;
	}
	if (name == NULL) {
		return;
	}
	struct city_output *output;
	wl_list_for_each(output, &device->seat->server->outputs, link) {
		if (strcmp(output->wlr_output->name, name) == 0) {
			wlr_cursor_map_input_to_output(
				device->seat->cursor, device->device, output->wlr_output);
		}
	}
}

void city_seat_outputs_changed(struct city_seat *seat) {
	if (seat == NULL) {
		return;
	}
	struct city_device *device;
	wl_list_for_each(device, &seat->devices, link) {
		map_device(device);
	}
	/* A cursor that was on an output which went moves to one that is there. */
	wlr_cursor_warp_closest(seat->cursor, NULL, seat->cursor->x, seat->cursor->y);
	if (seat->shape != NULL) {
		const char *shape = seat->shape;
		seat->shape = NULL;
		city_seat_set_shape(seat, shape);
	}
}

void city_seat_set_shape(struct city_seat *seat, const char *name) {
	seat->client_cursor = false;
	if (seat->shape != NULL && strcmp(seat->shape, name) == 0) {
		return;
	}
	seat->shape = name;
	wlr_cursor_set_xcursor(seat->cursor, seat->xcursors, name);
}

/* Devices. */

static void update_capabilities(struct city_seat *seat) {
	/* There is always a cursor to be moved by virtual pointers and keys that may come. */
	uint32_t capabilities = WL_SEAT_CAPABILITY_POINTER | WL_SEAT_CAPABILITY_KEYBOARD;
	struct city_device *device;
	wl_list_for_each(device, &seat->devices, link) {
		if (device->device->type == WLR_INPUT_DEVICE_TOUCH) {
			capabilities |= WL_SEAT_CAPABILITY_TOUCH;
		}
	}
	wlr_seat_set_capabilities(seat->seat, capabilities);
}

static void device_destroy(struct city_device *device) {
	wl_list_remove(&device->link);
	wl_list_remove(&device->destroy.link);
	free(device);
}

static void handle_device_destroy(struct wl_listener *listener, void *data) {
	struct city_device *device = wl_container_of(listener, device, destroy);
	struct city_seat *seat = device->seat;
	city_log(CITY_LOG_INFO, "seat", "device gone: %s",
		device->device->name == NULL ? "unnamed" : device->device->name);
	device_destroy(device);
	update_capabilities(seat);
}

static void add_device(struct city_seat *seat, struct wlr_input_device *wlr_device, bool virtual) {
	struct city_device *device = calloc(1, sizeof(*device));
	if (device == NULL) {
		return;
	}
	device->seat = seat;
	device->device = wlr_device;
	wl_list_insert(&seat->devices, &device->link);
	device->destroy.notify = handle_device_destroy;
	wl_signal_add(&wlr_device->events.destroy, &device->destroy);

	switch (wlr_device->type) {
	case WLR_INPUT_DEVICE_KEYBOARD:
		city_keyboard_add(seat, wlr_device, virtual);
		break;
	case WLR_INPUT_DEVICE_POINTER:
	case WLR_INPUT_DEVICE_TOUCH:
	case WLR_INPUT_DEVICE_TABLET:
		city_pointer_configure(seat, wlr_device);
		wlr_cursor_attach_input_device(seat->cursor, wlr_device);
		map_device(device);
		if (wlr_device->type == WLR_INPUT_DEVICE_TABLET) {
			city_tablets_add(seat->tablets, wlr_device);
		}
		break;
	case WLR_INPUT_DEVICE_TABLET_PAD:
		city_tablets_add_pad(seat->tablets, wlr_device);
		break;
	case WLR_INPUT_DEVICE_SWITCH:
		break;
	}
	update_capabilities(seat);
	city_log(CITY_LOG_DEBUG, "seat", "device: %s",
		wlr_device->name == NULL ? "unnamed" : wlr_device->name);
}

static void handle_new_input(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, new_input);
	add_device(seat, data, false);
}

static void handle_new_virtual_keyboard(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, new_virtual_keyboard);
	struct wlr_virtual_keyboard_v1 *keyboard = data;
	add_device(seat, &keyboard->keyboard.base, true);
}

static void handle_new_virtual_pointer(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, new_virtual_pointer);
	struct wlr_virtual_pointer_v1_new_pointer_event *event = data;
	add_device(seat, &event->new_pointer->pointer.base, true);
	if (event->suggested_output != NULL) {
		wlr_cursor_map_input_to_output(
			seat->cursor, &event->new_pointer->pointer.base, event->suggested_output);
	}
}

/* Cursors of clients. */

static void handle_request_cursor(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, request_cursor);
	struct wlr_seat_pointer_request_set_cursor_event *event = data;
	if (seat->client_cursor && seat->seat->pointer_state.focused_client == event->seat_client) {
		seat->shape = NULL;
		wlr_cursor_set_surface(
			seat->cursor, event->surface, event->hotspot_x, event->hotspot_y);
	}
}

static void handle_request_shape(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, request_shape);
	struct wlr_cursor_shape_manager_v1_request_set_shape_event *event = data;
	bool allowed = event->device_type == WLR_CURSOR_SHAPE_MANAGER_V1_DEVICE_TYPE_POINTER
		? seat->seat->pointer_state.focused_client == event->seat_client
		: event->tablet_tool->focused_surface != NULL &&
			wl_resource_get_client(event->tablet_tool->focused_surface->resource) ==
				event->seat_client->client;
	if (allowed && seat->client_cursor) {
		seat->shape = NULL;
		wlr_cursor_set_xcursor(
			seat->cursor, seat->xcursors, wlr_cursor_shape_v1_name(event->shape));
	}
}

/* Selections and drags. */

static void handle_request_selection(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, request_selection);
	struct wlr_seat_request_set_selection_event *event = data;
	city_selection_set(seat, event->source, event->serial);
}

static void handle_request_primary(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, request_primary);
	struct wlr_seat_request_set_primary_selection_event *event = data;
	city_primary_selection_set(seat, event->source, event->serial);
}

static void handle_request_drag(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, request_drag);
	struct wlr_seat_request_start_drag_event *event = data;
	struct wlr_touch_point *point;
	if (wlr_seat_validate_pointer_grab_serial(seat->seat, event->origin, event->serial)) {
		wlr_seat_start_pointer_drag(seat->seat, event->drag, event->serial);
	} else if (wlr_seat_validate_touch_grab_serial(
			   seat->seat, event->origin, event->serial, &point)) {
		wlr_seat_start_touch_drag(seat->seat, event->drag, event->serial, point);
	} else {
		wlr_data_source_destroy(event->drag->source);
	}
}

/* While a menu held the keyboard the focus may have gone elsewhere. */
static void handle_keyboard_grab_end(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, keyboard_grab_end);
	city_seat_focus_update(seat);
}

static void handle_drag_destroy(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, drag_destroy);
	wl_list_remove(&seat->drag_destroy.link);
	wl_list_init(&seat->drag_destroy.link);
	seat->drag_icon = NULL; /* the scene destroys it with the icon */
	city_seat_focus_update(seat);
	city_seat_scene_changed(seat);
}

static void handle_start_drag(struct wl_listener *listener, void *data) {
	struct city_seat *seat = wl_container_of(listener, seat, start_drag);
	struct wlr_drag *drag = data;
	/* The icon hangs on the pointer, which is not of the map: 1:1 at every zoom. */
	if (drag->icon != NULL) {
		seat->drag_icon = wlr_scene_drag_icon_create(
			city_stage_focused(seat->server)->layers.drag, drag->icon);
		if (seat->drag_icon != NULL) {
			wlr_scene_node_set_position(
				&seat->drag_icon->node, (int)seat->cursor->x, (int)seat->cursor->y);
		}
	}
	wl_list_remove(&seat->drag_destroy.link);
	wl_signal_add(&drag->events.destroy, &seat->drag_destroy);
}

static void load_cursors(struct city_seat *seat) {
	const struct city_config *config = seat->server->config;
	if (seat->xcursors != NULL) {
		wlr_xcursor_manager_destroy(seat->xcursors);
	}
	/* Programs that draw their own cursors take these. */
	char size[16];
	snprintf(size, sizeof(size), "%d", config->cursor_size);
	setenv("XCURSOR_SIZE", size, 1);
	if (config->cursor_theme != NULL) {
		setenv("XCURSOR_THEME", config->cursor_theme, 1);
	}
	seat->xcursors =
		wlr_xcursor_manager_create(getenv("XCURSOR_THEME"), (uint32_t)config->cursor_size);
}

void city_seat_config_changed(struct city_seat *seat) {
	if (seat == NULL) {
		return;
	}
	wlr_cursor_unset_image(seat->cursor);
	load_cursors(seat);
	seat->shape = NULL;
	city_seat_set_shape(seat, "default");
	city_keyboards_configure(seat);
	struct city_device *device;
	wl_list_for_each(device, &seat->devices, link) {
		city_pointer_configure(seat, device->device);
	}
	city_pointer_refocus(seat);
}

void city_seat_backend_gone(struct city_seat *seat) {
	if (seat != NULL) {
		wl_list_remove(&seat->new_input.link);
		wl_list_init(&seat->new_input.link);
	}
}

struct city_seat *city_seat_create(struct city_server *server) {
	struct city_seat *seat = calloc(1, sizeof(*seat));
	if (seat == NULL) {
		return NULL;
	}
	seat->server = server;
	wl_list_init(&seat->keyboards);
	wl_list_init(&seat->devices);
	wl_list_init(&seat->drag_destroy.link);
	seat->drag_destroy.notify = handle_drag_destroy;
	seat->seat = wlr_seat_create(server->display, "seat0");
	seat->virtual_keyboards = wlr_virtual_keyboard_manager_v1_create(server->display);
	seat->virtual_pointers = wlr_virtual_pointer_manager_v1_create(server->display);
	seat->shapes = wlr_cursor_shape_manager_v1_create(server->display, 2);
	seat->cursor = wlr_cursor_create();
	if (seat->seat == NULL || seat->virtual_keyboards == NULL ||
		seat->virtual_pointers == NULL || seat->shapes == NULL || seat->cursor == NULL) {
		goto error;
	}
	city_server_hide_global(server, seat->virtual_keyboards->global, false);
	city_server_hide_global(server, seat->virtual_pointers->global, false);
	load_cursors(seat);
	if (seat->xcursors == NULL || !city_keyboards_init(seat)) {
		goto error;
	}
	wlr_cursor_attach_output_layout(seat->cursor, server->output_layout);
	if (!city_gestures_init(seat)) {
		city_keyboards_finish(seat);
		goto error;
	}
	if (!city_pointer_init(seat)) {
		city_gestures_finish(seat);
		city_keyboards_finish(seat);
		goto error;
	}
	city_touch_init(seat);
	seat->tablets = city_tablets_create(seat);
	if (seat->tablets == NULL) {
		city_touch_finish(seat);
		city_pointer_finish(seat);
		city_gestures_finish(seat);
		city_keyboards_finish(seat);
		goto error;
	}

	seat->new_input.notify = handle_new_input;
	wl_signal_add(&server->backend->events.new_input, &seat->new_input);
	seat->new_virtual_keyboard.notify = handle_new_virtual_keyboard;
	wl_signal_add(
		&seat->virtual_keyboards->events.new_virtual_keyboard, &seat->new_virtual_keyboard);
	seat->new_virtual_pointer.notify = handle_new_virtual_pointer;
	wl_signal_add(
		&seat->virtual_pointers->events.new_virtual_pointer, &seat->new_virtual_pointer);
	seat->request_cursor.notify = handle_request_cursor;
	wl_signal_add(&seat->seat->events.request_set_cursor, &seat->request_cursor);
	seat->request_shape.notify = handle_request_shape;
	wl_signal_add(&seat->shapes->events.request_set_shape, &seat->request_shape);
	seat->request_selection.notify = handle_request_selection;
	wl_signal_add(&seat->seat->events.request_set_selection, &seat->request_selection);
	seat->request_primary.notify = handle_request_primary;
	wl_signal_add(&seat->seat->events.request_set_primary_selection, &seat->request_primary);
	seat->request_drag.notify = handle_request_drag;
	wl_signal_add(&seat->seat->events.request_start_drag, &seat->request_drag);
	seat->keyboard_grab_end.notify = handle_keyboard_grab_end;
	wl_signal_add(&seat->seat->events.keyboard_grab_end, &seat->keyboard_grab_end);
	seat->start_drag.notify = handle_start_drag;
	wl_signal_add(&seat->seat->events.start_drag, &seat->start_drag);
	update_capabilities(seat);
	return seat;

error:
	if (seat->xcursors != NULL) {
		wlr_xcursor_manager_destroy(seat->xcursors);
	}
	if (seat->cursor != NULL) {
		wlr_cursor_destroy(seat->cursor);
	}
	free(seat);
	return NULL;
}

void city_seat_destroy(struct city_seat *seat) {
	if (seat == NULL) {
		return;
	}
	city_grab_end(seat);
	city_seat_set_layer_focus(seat, NULL);
	wl_list_remove(&seat->new_input.link);
	wl_list_remove(&seat->new_virtual_keyboard.link);
	wl_list_remove(&seat->new_virtual_pointer.link);
	wl_list_remove(&seat->request_cursor.link);
	wl_list_remove(&seat->request_shape.link);
	wl_list_remove(&seat->request_selection.link);
	wl_list_remove(&seat->request_primary.link);
	wl_list_remove(&seat->request_drag.link);
	wl_list_remove(&seat->keyboard_grab_end.link);
	wl_list_remove(&seat->start_drag.link);
	wl_list_remove(&seat->drag_destroy.link);
	struct city_device *device, *next;
	wl_list_for_each_safe(device, next, &seat->devices, link) {
		device_destroy(device);
	}
	city_tablets_destroy(seat->tablets);
	city_touch_finish(seat);
	city_pointer_finish(seat);
	city_gestures_finish(seat);
	city_keyboards_finish(seat);
	if (seat->scene_idle != NULL) {
		wl_event_source_remove(seat->scene_idle);
	}
	wlr_xcursor_manager_destroy(seat->xcursors);
	wlr_cursor_destroy(seat->cursor);
	free(seat); /* the wlr_seat goes with the display */
}

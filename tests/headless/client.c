/* SPDX-License-Identifier: MIT */
/* The client's connection: what there is, what the seat says, and waiting for it. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "city.h"
#include "client.h"
#include "ext-foreign-toplevel-list-v1-client-protocol.h"
#include "ext-image-capture-source-v1-client-protocol.h"
#include "ext-image-copy-capture-v1-client-protocol.h"
#include "ext-session-lock-v1-client-protocol.h"
#include "limit.h"
#include "pointer-constraints-unstable-v1-client-protocol.h"
#include "security-context-v1-client-protocol.h"
#include "viewporter-client-protocol.h"
#include "virtual-keyboard-unstable-v1-client-protocol.h"
#include "wlr-layer-shell-unstable-v1-client-protocol.h"
#include "wlr-virtual-pointer-unstable-v1-client-protocol.h"
#include "xdg-decoration-unstable-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

static void handle_ping(void *data, struct xdg_wm_base *wm_base, uint32_t serial) {
	xdg_wm_base_pong(wm_base, serial);
}

static const struct xdg_wm_base_listener wm_base_listener = {.ping = handle_ping};

static void pointer_enter(void *data, struct wl_pointer *pointer, uint32_t serial,
	struct wl_surface *surface, wl_fixed_t sx, wl_fixed_t sy) {
	struct client *client = data;
	client->pointer_focus = surface;
	client->sx = wl_fixed_to_double(sx);
	client->sy = wl_fixed_to_double(sy);
	client->enters++;
}

static void pointer_leave(
	void *data, struct wl_pointer *pointer, uint32_t serial, struct wl_surface *surface) {
	struct client *client = data;
	client->pointer_focus = NULL;
}

static void pointer_motion(
	void *data, struct wl_pointer *pointer, uint32_t time, wl_fixed_t sx, wl_fixed_t sy) {
	struct client *client = data;
	client->sx = wl_fixed_to_double(sx);
	client->sy = wl_fixed_to_double(sy);
	client->motions++;
}

static void pointer_button(void *data, struct wl_pointer *pointer, uint32_t serial, uint32_t time,
	uint32_t button, uint32_t state) {
	struct client *client = data;
	if (state == WL_POINTER_BUTTON_STATE_PRESSED) {
		client->presses++;
		client->button_serial = serial;
	} else {
		client->releases++;
	}
}

static void pointer_axis(
	void *data, struct wl_pointer *pointer, uint32_t time, uint32_t axis, wl_fixed_t value) {
	struct client *client = data;
	client->scroll += wl_fixed_to_double(value);
}

static void pointer_frame(void *data, struct wl_pointer *pointer) {
}

static void pointer_axis_source(void *data, struct wl_pointer *pointer, uint32_t source) {
}

static void pointer_axis_stop(
	void *data, struct wl_pointer *pointer, uint32_t time, uint32_t axis) {
}

static void pointer_axis_discrete(
	void *data, struct wl_pointer *pointer, uint32_t axis, int32_t discrete) {
}

static const struct wl_pointer_listener pointer_listener = {
	.enter = pointer_enter,
	.leave = pointer_leave,
	.motion = pointer_motion,
	.button = pointer_button,
	.axis = pointer_axis,
	.frame = pointer_frame,
	.axis_source = pointer_axis_source,
	.axis_stop = pointer_axis_stop,
	.axis_discrete = pointer_axis_discrete,
};

static void keyboard_keymap(
	void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd, uint32_t size) {
	close(fd);
}

static void keyboard_enter(void *data, struct wl_keyboard *keyboard, uint32_t serial,
	struct wl_surface *surface, struct wl_array *keys) {
	struct client *client = data;
	client->keyboard_focus = surface;
	client->keys_held = keys->size / sizeof(uint32_t);
}

static void keyboard_leave(
	void *data, struct wl_keyboard *keyboard, uint32_t serial, struct wl_surface *surface) {
	struct client *client = data;
	client->keyboard_focus = NULL;
}

static void keyboard_key(void *data, struct wl_keyboard *keyboard, uint32_t serial, uint32_t time,
	uint32_t key, uint32_t state) {
	struct client *client = data;
	client->keys++;
}

static void keyboard_modifiers(void *data, struct wl_keyboard *keyboard, uint32_t serial,
	uint32_t depressed, uint32_t latched, uint32_t locked, uint32_t group) {
}

static void keyboard_repeat_info(
	void *data, struct wl_keyboard *keyboard, int32_t rate, int32_t delay) {
}

static const struct wl_keyboard_listener keyboard_listener = {
	.keymap = keyboard_keymap,
	.enter = keyboard_enter,
	.leave = keyboard_leave,
	.key = keyboard_key,
	.modifiers = keyboard_modifiers,
	.repeat_info = keyboard_repeat_info,
};

static void output_geometry(void *data, struct wl_output *output, int32_t x, int32_t y,
	int32_t width_mm, int32_t height_mm, int32_t subpixel, const char *make, const char *model,
	int32_t transform) {
}

static void output_mode(void *data, struct wl_output *output, uint32_t flags, int32_t width,
	int32_t height, int32_t refresh) {
}

static void output_done(void *data, struct wl_output *output) {
}

static void output_scale(void *data, struct wl_output *output, int32_t factor) {
}

static void output_name(void *data, struct wl_output *output, const char *name) {
	snprintf(data, 32, "%s", name);
}

static void output_description(void *data, struct wl_output *output, const char *text) {
}

static const struct wl_output_listener output_listener = {
	.geometry = output_geometry,
	.mode = output_mode,
	.done = output_done,
	.scale = output_scale,
	.name = output_name,
	.description = output_description,
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct client *client = data;
	const struct {
		const struct wl_interface *interface;
		uint32_t version;
		void *proxy;
	} wanted[] = {
		{&wl_compositor_interface, 6, &client->compositor},
		{&wl_subcompositor_interface, 1, &client->subcompositor},
		{&wl_shm_interface, 1, &client->shm},
		{&wl_seat_interface, 5, &client->seat},
		{&xdg_wm_base_interface, 6, &client->wm_base},
		{&wp_viewporter_interface, 1, &client->viewporter},
		{&zxdg_decoration_manager_v1_interface, 1, &client->decorations},
		{&zwlr_layer_shell_v1_interface, 4, &client->layer_shell},
		{&zwlr_virtual_pointer_manager_v1_interface, 2, &client->virtual_pointers},
		{&zwp_virtual_keyboard_manager_v1_interface, 1, &client->virtual_keyboards},
		{&ext_output_image_capture_source_manager_v1_interface, 1,
			&client->capture_sources},
		{&ext_foreign_toplevel_image_capture_source_manager_v1_interface, 1,
			&client->window_sources},
		{&ext_image_copy_capture_manager_v1_interface, 1, &client->capture},
		{&ext_foreign_toplevel_list_v1_interface, 1, &client->window_list},
		{&wp_security_context_manager_v1_interface, 1, &client->security},
		{&ext_session_lock_manager_v1_interface, 1, &client->locks},
		{&zwp_pointer_constraints_v1_interface, 1, &client->constraints},
	};
	if (strcmp(interface, "wl_output") == 0 && client->output_count < 4) {
		struct wl_output *output =
			wl_registry_bind(registry, name, &wl_output_interface, 4);
		client->outputs[client->output_count].output = output;
		wl_output_add_listener(
			output, &output_listener, client->outputs[client->output_count].name);
		client->output_count++;
		if (client->output == NULL) {
			client->output = output;
		}
	}
	strncat(client->globals, interface, sizeof(client->globals) - strlen(client->globals) - 2);
	strcat(client->globals, " ");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void **proxy = wanted[i].proxy;
		if (*proxy == NULL && strcmp(interface, wanted[i].interface->name) == 0) {
			*proxy = wl_registry_bind(registry, name, wanted[i].interface,
				version < wanted[i].version ? version : wanted[i].version);
		}
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

static void seat_capabilities(void *data, struct wl_seat *seat, uint32_t capabilities) {
	struct client *client = data;
	if ((capabilities & WL_SEAT_CAPABILITY_POINTER) && client->pointer == NULL) {
		client->pointer = wl_seat_get_pointer(seat);
		wl_pointer_add_listener(client->pointer, &pointer_listener, client);
	}
	if ((capabilities & WL_SEAT_CAPABILITY_KEYBOARD) && client->keyboard == NULL) {
		client->keyboard = wl_seat_get_keyboard(seat);
		wl_keyboard_add_listener(client->keyboard, &keyboard_listener, client);
	}
}

static void seat_name(void *data, struct wl_seat *seat, const char *name) {
}

static const struct wl_seat_listener seat_listener = {
	.capabilities = seat_capabilities,
	.name = seat_name,
};

static struct client *client_start(struct wl_display *display) {
	assert_non_null(display);
	struct client *client = calloc(1, sizeof(*client));
	client->display = display;
	client->registry = wl_display_get_registry(client->display);
	wl_registry_add_listener(client->registry, &registry_listener, client);
	client_roundtrip(client);
	assert_non_null(client->compositor);
	assert_non_null(client->wm_base);
	assert_non_null(client->seat);
	xdg_wm_base_add_listener(client->wm_base, &wm_base_listener, client);
	wl_seat_add_listener(client->seat, &seat_listener, client);
	client_roundtrip(client);
	client_roundtrip(client);
	return client;
}

struct client *client_create(const struct test_city *city) {
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", city->dir, city->socket);
	return client_start(wl_display_connect(path));
}

struct client *client_create_on_fd(int fd) {
	return client_start(wl_display_connect_to_fd(fd));
}

void client_destroy(struct client *client) {
	if (client == NULL) {
		return;
	}
	/* Proxies go with the connection as far as the server is concerned; here each is freed. */
	void *proxies[] = {client->virtual_pointer, client->virtual_keyboard, client->pointer,
		client->keyboard, client->compositor, client->subcompositor, client->shm,
		client->seat, client->wm_base, client->viewporter, client->decorations,
		client->layer_shell, client->virtual_pointers, client->virtual_keyboards,
		client->capture_sources, client->capture, client->window_sources,
		client->window_list, client->security, client->locks, client->constraints,
		client->registry};
	for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
		if (proxies[i] != NULL) {
			wl_proxy_destroy(proxies[i]);
		}
	}
	for (size_t i = 0; i < client->output_count; i++) {
		wl_output_destroy(client->outputs[i].output);
	}
	wl_display_disconnect(client->display);
	free(client);
}

void client_roundtrip(struct client *client) {
	if (wl_display_roundtrip(client->display) < 0) {
		fail_msg("the connection was ended: %s",
			strerror(wl_display_get_error(client->display)));
	}
}

/* One turn of the queue; false when the connection has ended. */
static bool dispatch(struct client *client, int timeout_ms) {
	while (wl_display_prepare_read(client->display) != 0) {
		if (wl_display_dispatch_pending(client->display) < 0) {
			return false;
		}
	}
	wl_display_flush(client->display);
	struct pollfd fd = {.fd = wl_display_get_fd(client->display), .events = POLLIN};
	if (poll(&fd, 1, timeout_ms) > 0) {
		if (wl_display_read_events(client->display) < 0) {
			return false;
		}
	} else {
		wl_display_cancel_read(client->display);
	}
	return wl_display_dispatch_pending(client->display) >= 0;
}

void client_wait(struct client *client, bool (*done)(void *data), void *data, const char *what) {
	int64_t end = now_ms() + LIMIT_MS;
	while (!done(data)) {
		if (!dispatch(client, 50)) {
			fail_msg("the connection was ended while waiting for %s", what);
		}
		if (now_ms() > end) {
			fail_msg("%s never came", what);
		}
	}
}

void client_expect_error(struct client *client) {
	int64_t end = now_ms() + LIMIT_MS;
	while (dispatch(client, 50)) {
		if (now_ms() > end) {
			fail_msg("the server let it pass");
		}
	}
}

void client_use_output(struct client *client, const char *name) {
	for (size_t i = 0; i < client->output_count; i++) {
		if (strcmp(client->outputs[i].name, name) == 0) {
			client->output = client->outputs[i].output;
			return;
		}
	}
	fail_msg("there is no output %s", name);
}

bool client_has_global(const struct client *client, const char *name) {
	char padded[128];
	snprintf(padded, sizeof(padded), "%s ", name);
	const char *at = client->globals;
	while ((at = strstr(at, padded)) != NULL) {
		if (at == client->globals || at[-1] == ' ') {
			return true;
		}
		at++;
	}
	return false;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xkbcommon/xkbcommon.h>

#include <cmocka.h>

#include "city.h"
#include "client.h"
#include "ext-foreign-toplevel-list-v1-client-protocol.h"
#include "ext-image-capture-source-v1-client-protocol.h"
#include "ext-image-copy-capture-v1-client-protocol.h"
#include "ext-session-lock-v1-client-protocol.h"
#include "pointer-constraints-unstable-v1-client-protocol.h"
#include "security-context-v1-client-protocol.h"
#include "viewporter-client-protocol.h"
#include "virtual-keyboard-unstable-v1-client-protocol.h"
#include "wlr-layer-shell-unstable-v1-client-protocol.h"
#include "wlr-virtual-pointer-unstable-v1-client-protocol.h"
#include "xdg-decoration-unstable-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

#define LIMIT_MS 60000
#define LAYOUT_WIDTH 1280
#define LAYOUT_HEIGHT 720
/* Fractions of a pixel that an absolute position may have. */
#define SUBPIXELS 16

static int64_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Connection. */

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

static void make_virtual_keyboard(struct client *client) {
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	struct xkb_rule_names names = {.layout = "us"};
	struct xkb_keymap *keymap =
		xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	assert_non_null(keymap);
	char *text = xkb_keymap_get_as_string(keymap, XKB_KEYMAP_FORMAT_TEXT_V1);
	size_t size = strlen(text) + 1;
	int fd = memfd_create("keymap", MFD_CLOEXEC);
	assert_int_equal(write(fd, text, size), (ssize_t)size);
	client->virtual_keyboard = zwp_virtual_keyboard_manager_v1_create_virtual_keyboard(
		client->virtual_keyboards, client->seat);
	zwp_virtual_keyboard_v1_keymap(
		client->virtual_keyboard, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, fd, (uint32_t)size);
	close(fd);
	free(text);
	xkb_keymap_unref(keymap);
	xkb_context_unref(context);
}

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

/* Surfaces. */

static void buffer_release(void *data, struct wl_buffer *buffer) {
	wl_buffer_destroy(buffer);
}

static const struct wl_buffer_listener buffer_listener = {.release = buffer_release};

struct wl_buffer *client_buffer(struct client *client, int width, int height, uint32_t color) {
	size_t size = (size_t)width * (size_t)height * 4;
	int fd = memfd_create("buffer", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	uint32_t *pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(pixels, MAP_FAILED);
	for (size_t i = 0; i < size / 4; i++) {
		pixels[i] = color | 0xff000000;
	}
	munmap(pixels, size);
	struct wl_shm_pool *pool = wl_shm_create_pool(client->shm, fd, (int32_t)size);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(
		pool, 0, width, height, width * 4, WL_SHM_FORMAT_XRGB8888);
	wl_shm_pool_destroy(pool);
	close(fd);
	return buffer;
}

void window_draw(struct window *window, int width, int height) {
	struct wl_buffer *buffer = client_buffer(window->client, width, height, window->color);
	wl_buffer_add_listener(buffer, &buffer_listener, NULL);
	wl_surface_attach(window->surface, buffer, 0, 0);
	wl_surface_damage_buffer(window->surface, 0, 0, width, height);
	wl_surface_commit(window->surface);
	window->width = width;
	window->height = height;
	wl_display_flush(window->client->display);
}

static void xdg_configure(void *data, struct xdg_surface *surface, uint32_t serial) {
	struct window *window = data;
	xdg_surface_ack_configure(surface, serial);
	window->configured = true;
	window->configures++;
}

static const struct xdg_surface_listener xdg_listener = {.configure = xdg_configure};

static void toplevel_configure(void *data, struct xdg_toplevel *toplevel, int32_t width,
	int32_t height, struct wl_array *states) {
	struct window *window = data;
	window->wanted_width = width;
	window->wanted_height = height;
	window->activated = window->maximized = window->fullscreen = window->resizing =
		window->tiled = false;
	const uint32_t *state;
	wl_array_for_each(state, states) {
		switch (*state) {
		case XDG_TOPLEVEL_STATE_ACTIVATED:
			window->activated = true;
			break;
		case XDG_TOPLEVEL_STATE_MAXIMIZED:
			window->maximized = true;
			break;
		case XDG_TOPLEVEL_STATE_FULLSCREEN:
			window->fullscreen = true;
			break;
		case XDG_TOPLEVEL_STATE_TILED_LEFT:
			window->tiled = true;
			break;
		case XDG_TOPLEVEL_STATE_RESIZING:
			window->resizing = true;
			break;
		default:
			break;
		}
	}
}

static void toplevel_close(void *data, struct xdg_toplevel *toplevel) {
	struct window *window = data;
	window->closed = true;
}

static void toplevel_bounds(
	void *data, struct xdg_toplevel *toplevel, int32_t width, int32_t height) {
}

static void toplevel_capabilities(
	void *data, struct xdg_toplevel *toplevel, struct wl_array *capabilities) {
}

static const struct xdg_toplevel_listener toplevel_listener = {
	.configure = toplevel_configure,
	.close = toplevel_close,
	.configure_bounds = toplevel_bounds,
	.wm_capabilities = toplevel_capabilities,
};

static void decoration_configure(
	void *data, struct zxdg_toplevel_decoration_v1 *decoration, uint32_t mode) {
	struct window *window = data;
	window->framed = mode == ZXDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE;
}

static const struct zxdg_toplevel_decoration_v1_listener decoration_listener = {
	.configure = decoration_configure,
};

static bool is_configured(void *data) {
	struct window *window = data;
	return window->configured;
}

static struct window *surface_create(struct client *client, uint32_t color) {
	struct window *window = calloc(1, sizeof(*window));
	window->client = client;
	window->color = color;
	window->surface = wl_compositor_create_surface(client->compositor);
	return window;
}

static void finish_create(struct window *window, int width, int height) {
	wl_surface_commit(window->surface);
	client_wait(window->client, is_configured, window, "the first configure");
	window_draw(window, width, height);
	client_roundtrip(window->client);
	/* The answer to being mapped and focused. */
	client_roundtrip(window->client);
}

static struct window *toplevel_create(
	struct client *client, int width, int height, uint32_t color, bool framed) {
	struct window *window = surface_create(client, color);
	window->xdg_surface = xdg_wm_base_get_xdg_surface(client->wm_base, window->surface);
	xdg_surface_add_listener(window->xdg_surface, &xdg_listener, window);
	window->toplevel = xdg_surface_get_toplevel(window->xdg_surface);
	xdg_toplevel_add_listener(window->toplevel, &toplevel_listener, window);
	char title[32];
	snprintf(title, sizeof(title), "window %06x", color);
	xdg_toplevel_set_title(window->toplevel, title);
	xdg_toplevel_set_app_id(window->toplevel, "test");
	struct zxdg_toplevel_decoration_v1 *decoration = NULL;
	if (framed) {
		decoration = zxdg_decoration_manager_v1_get_toplevel_decoration(
			client->decorations, window->toplevel);
		zxdg_toplevel_decoration_v1_add_listener(decoration, &decoration_listener, window);
	}
	finish_create(window, width, height);
	if (decoration != NULL) {
		wl_proxy_destroy((struct wl_proxy *)decoration);
	}
	return window;
}

struct window *window_create(struct client *client, int width, int height, uint32_t color) {
	return toplevel_create(client, width, height, color, false);
}

struct window *window_create_framed(struct client *client, int width, int height, uint32_t color) {
	return toplevel_create(client, width, height, color, true);
}

static void popup_configure(
	void *data, struct xdg_popup *popup, int32_t x, int32_t y, int32_t width, int32_t height) {
	struct window *window = data;
	window->popup_x = x;
	window->popup_y = y;
	window->wanted_width = width;
	window->wanted_height = height;
}

static void popup_done(void *data, struct xdg_popup *popup) {
	struct window *window = data;
	window->closed = true;
}

static void popup_repositioned(void *data, struct xdg_popup *popup, uint32_t token) {
}

static const struct xdg_popup_listener popup_listener = {
	.configure = popup_configure,
	.popup_done = popup_done,
	.repositioned = popup_repositioned,
};

struct window *window_create_popup(
	struct window *parent, int anchor_x, int anchor_y, int width, int height, uint32_t color) {
	struct client *client = parent->client;
	struct window *window = surface_create(client, color);
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(client->wm_base);
	xdg_positioner_set_size(positioner, width, height);
	xdg_positioner_set_anchor_rect(positioner, anchor_x, anchor_y, 1, 1);
	xdg_positioner_set_anchor(positioner, XDG_POSITIONER_ANCHOR_TOP_LEFT);
	xdg_positioner_set_gravity(positioner, XDG_POSITIONER_GRAVITY_BOTTOM_RIGHT);
	xdg_positioner_set_constraint_adjustment(positioner,
		XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_SLIDE_X |
			XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_SLIDE_Y);
	window->xdg_surface = xdg_wm_base_get_xdg_surface(client->wm_base, window->surface);
	xdg_surface_add_listener(window->xdg_surface, &xdg_listener, window);
	window->popup = xdg_surface_get_popup(window->xdg_surface, parent->xdg_surface, positioner);
	if (parent->layer != NULL) {
		zwlr_layer_surface_v1_get_popup(parent->layer, window->popup);
	}
	xdg_popup_add_listener(window->popup, &popup_listener, window);
	xdg_positioner_destroy(positioner);
	if (client->popups_grab) {
		xdg_popup_grab(window->popup, client->seat, client->button_serial);
	}
	finish_create(window, width, height);
	return window;
}

struct window *window_create_sub(
	struct window *parent, int x, int y, int width, int height, uint32_t color) {
	struct client *client = parent->client;
	struct window *window = surface_create(client, color);
	window->subsurface = wl_subcompositor_get_subsurface(
		client->subcompositor, window->surface, parent->surface);
	wl_subsurface_set_position(window->subsurface, x, y);
	wl_subsurface_set_desync(window->subsurface);
	window_draw(window, width, height);
	wl_surface_commit(parent->surface);
	client_roundtrip(client);
	return window;
}

static void layer_configure(void *data, struct zwlr_layer_surface_v1 *layer, uint32_t serial,
	uint32_t width, uint32_t height) {
	struct window *window = data;
	zwlr_layer_surface_v1_ack_configure(layer, serial);
	window->wanted_width = (int)width;
	window->wanted_height = (int)height;
	window->configured = true;
	window->configures++;
}

static void layer_closed(void *data, struct zwlr_layer_surface_v1 *layer) {
	struct window *window = data;
	window->closed = true;
}

static const struct zwlr_layer_surface_v1_listener layer_listener = {
	.configure = layer_configure,
	.closed = layer_closed,
};

struct window *window_create_layer(struct client *client, uint32_t layer, uint32_t anchor,
	int width, int height, int exclusive, uint32_t color) {
	struct window *window = surface_create(client, color);
	window->layer = zwlr_layer_shell_v1_get_layer_surface(
		client->layer_shell, window->surface, client->output, layer, "test");
	zwlr_layer_surface_v1_add_listener(window->layer, &layer_listener, window);
	zwlr_layer_surface_v1_set_size(window->layer, (uint32_t)width, (uint32_t)height);
	zwlr_layer_surface_v1_set_anchor(window->layer, anchor);
	zwlr_layer_surface_v1_set_exclusive_zone(window->layer, exclusive);
	wl_surface_commit(window->surface);
	client_wait(client, is_configured, window, "the panel's configure");
	window_obey(window);
	return window;
}

void window_obey(struct window *window) {
	int width = window->wanted_width > 0 ? window->wanted_width : window->width;
	int height = window->wanted_height > 0 ? window->wanted_height : window->height;
	window_draw(window, width, height);
	client_roundtrip(window->client);
}

static void frame_done(void *data, struct wl_callback *callback, uint32_t time) {
	struct window *window = data;
	window->frames++;
	wl_callback_destroy(callback);
}

static const struct wl_callback_listener frame_listener = {.done = frame_done};

void window_request_frame(struct window *window) {
	struct wl_callback *callback = wl_surface_frame(window->surface);
	wl_callback_add_listener(callback, &frame_listener, window);
	wl_surface_commit(window->surface);
}

void window_destroy(struct window *window) {
	if (window->popup != NULL) {
		xdg_popup_destroy(window->popup);
	}
	if (window->toplevel != NULL) {
		xdg_toplevel_destroy(window->toplevel);
	}
	if (window->xdg_surface != NULL) {
		xdg_surface_destroy(window->xdg_surface);
	}
	if (window->layer != NULL) {
		zwlr_layer_surface_v1_destroy(window->layer);
	}
	if (window->subsurface != NULL) {
		wl_subsurface_destroy(window->subsurface);
	}
	if (window->lock != NULL) {
		ext_session_lock_surface_v1_destroy(window->lock);
	}
	wl_surface_destroy(window->surface);
	free(window);
}

/* Input. */

static struct zwlr_virtual_pointer_v1 *virtual_pointer(struct client *client) {
	if (client->virtual_pointer == NULL) {
		client->virtual_pointer = zwlr_virtual_pointer_manager_v1_create_virtual_pointer(
			client->virtual_pointers, client->seat);
	}
	client->time += 10;
	return client->virtual_pointer;
}

static void settle(struct client *client) {
	/* The first carries the events there, the second brings what they caused. */
	client_roundtrip(client);
	client_roundtrip(client);
}

void client_pointer_move(struct client *client, double ox, double oy) {
	struct zwlr_virtual_pointer_v1 *pointer = virtual_pointer(client);
	zwlr_virtual_pointer_v1_motion_absolute(pointer, client->time, (uint32_t)(ox * SUBPIXELS),
		(uint32_t)(oy * SUBPIXELS), LAYOUT_WIDTH * SUBPIXELS, LAYOUT_HEIGHT * SUBPIXELS);
	zwlr_virtual_pointer_v1_frame(pointer);
	settle(client);
}

void client_pointer_button(struct client *client, uint32_t button, bool pressed) {
	struct zwlr_virtual_pointer_v1 *pointer = virtual_pointer(client);
	zwlr_virtual_pointer_v1_button(pointer, client->time, button,
		pressed ? WL_POINTER_BUTTON_STATE_PRESSED : WL_POINTER_BUTTON_STATE_RELEASED);
	zwlr_virtual_pointer_v1_frame(pointer);
	settle(client);
}

void client_pointer_scroll(struct client *client, int notches) {
	struct zwlr_virtual_pointer_v1 *pointer = virtual_pointer(client);
	zwlr_virtual_pointer_v1_axis_source(pointer, WL_POINTER_AXIS_SOURCE_WHEEL);
	zwlr_virtual_pointer_v1_axis_discrete(pointer, client->time,
		WL_POINTER_AXIS_VERTICAL_SCROLL, wl_fixed_from_int(15 * notches), notches);
	zwlr_virtual_pointer_v1_frame(pointer);
	settle(client);
}

static struct zwp_virtual_keyboard_v1 *virtual_keyboard(struct client *client) {
	if (client->virtual_keyboard == NULL) {
		make_virtual_keyboard(client);
	}
	return client->virtual_keyboard;
}

void client_modifiers(struct client *client, uint32_t modifiers) {
	zwp_virtual_keyboard_v1_modifiers(virtual_keyboard(client), modifiers, 0, 0, 0);
	settle(client);
}

void client_key_state(struct client *client, uint32_t key, bool pressed) {
	client->time += 10;
	zwp_virtual_keyboard_v1_key(virtual_keyboard(client), client->time, key,
		pressed ? WL_KEYBOARD_KEY_STATE_PRESSED : WL_KEYBOARD_KEY_STATE_RELEASED);
	settle(client);
}

void client_key(struct client *client, uint32_t key, uint32_t modifiers) {
	client_modifiers(client, modifiers);
	client->time += 10;
	zwp_virtual_keyboard_v1_key(
		client->virtual_keyboard, client->time, key, WL_KEYBOARD_KEY_STATE_PRESSED);
	zwp_virtual_keyboard_v1_key(
		client->virtual_keyboard, client->time, key, WL_KEYBOARD_KEY_STATE_RELEASED);
	client_modifiers(client, 0);
}

/* Pictures. */

struct capture {
	uint32_t width, height;
	bool constrained, ready, failed;
	int left, top, right, bottom; /* of the damage of the last frame */
};

static void capture_size(void *data, struct ext_image_copy_capture_session_v1 *session,
	uint32_t width, uint32_t height) {
	struct capture *capture = data;
	capture->width = width;
	capture->height = height;
}

static void capture_shm_format(
	void *data, struct ext_image_copy_capture_session_v1 *session, uint32_t format) {
}

static void capture_dmabuf_device(
	void *data, struct ext_image_copy_capture_session_v1 *session, struct wl_array *device) {
}

static void capture_dmabuf_format(void *data, struct ext_image_copy_capture_session_v1 *session,
	uint32_t format, struct wl_array *modifiers) {
}

static void capture_done(void *data, struct ext_image_copy_capture_session_v1 *session) {
	struct capture *capture = data;
	capture->constrained = true;
}

static void capture_stopped(void *data, struct ext_image_copy_capture_session_v1 *session) {
	struct capture *capture = data;
	capture->failed = true;
}

static const struct ext_image_copy_capture_session_v1_listener session_listener = {
	.buffer_size = capture_size,
	.shm_format = capture_shm_format,
	.dmabuf_device = capture_dmabuf_device,
	.dmabuf_format = capture_dmabuf_format,
	.done = capture_done,
	.stopped = capture_stopped,
};

static void frame_transform(
	void *data, struct ext_image_copy_capture_frame_v1 *frame, uint32_t transform) {
}

static void frame_damage(void *data, struct ext_image_copy_capture_frame_v1 *frame, int32_t x,
	int32_t y, int32_t width, int32_t height) {
	struct capture *capture = data;
	capture->left = x < capture->left ? x : capture->left;
	capture->top = y < capture->top ? y : capture->top;
	capture->right = x + width > capture->right ? x + width : capture->right;
	capture->bottom = y + height > capture->bottom ? y + height : capture->bottom;
}

static void frame_time(void *data, struct ext_image_copy_capture_frame_v1 *frame, uint32_t high,
	uint32_t low, uint32_t nsec) {
}

static void frame_ready(void *data, struct ext_image_copy_capture_frame_v1 *frame) {
	struct capture *capture = data;
	capture->ready = true;
}

static void frame_failed(
	void *data, struct ext_image_copy_capture_frame_v1 *frame, uint32_t reason) {
	struct capture *capture = data;
	capture->failed = true;
}

static const struct ext_image_copy_capture_frame_v1_listener capture_frame_listener = {
	.transform = frame_transform,
	.damage = frame_damage,
	.presentation_time = frame_time,
	.ready = frame_ready,
	.failed = frame_failed,
};

static bool is_constrained(void *data) {
	struct capture *capture = data;
	return capture->constrained || capture->failed;
}

static bool is_captured(void *data) {
	struct capture *capture = data;
	return capture->ready || capture->failed;
}

struct picture client_capture(struct client *client) {
	struct ext_image_capture_source_v1 *source =
		ext_output_image_capture_source_manager_v1_create_source(
			client->capture_sources, client->output);
	struct picture picture = client_capture_source(client, source);
	ext_image_capture_source_v1_destroy(source);
	return picture;
}

static struct ext_image_copy_capture_session_v1 *capture_start(struct client *client,
	struct ext_image_capture_source_v1 *source, struct capture *capture) {
	*capture = (struct capture){0};
	struct ext_image_copy_capture_session_v1 *session =
		ext_image_copy_capture_manager_v1_create_session(client->capture, source, 0);
	ext_image_copy_capture_session_v1_add_listener(session, &session_listener, capture);
	client_wait(client, is_constrained, capture, "the size of the screen");
	assert_false(capture->failed);
	return session;
}

static struct picture capture_frame(struct client *client,
	struct ext_image_copy_capture_session_v1 *session, struct capture *capture) {
	size_t size = (size_t)capture->width * capture->height * 4;
	int fd = memfd_create("capture", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	struct wl_shm_pool *pool = wl_shm_create_pool(client->shm, fd, (int32_t)size);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool, 0, (int32_t)capture->width,
		(int32_t)capture->height, (int32_t)capture->width * 4, WL_SHM_FORMAT_XRGB8888);
	struct ext_image_copy_capture_frame_v1 *frame =
		ext_image_copy_capture_session_v1_create_frame(session);
	ext_image_copy_capture_frame_v1_add_listener(frame, &capture_frame_listener, capture);
	capture->ready = false;
	capture->left = capture->top = INT32_MAX;
	capture->right = capture->bottom = 0;
	ext_image_copy_capture_frame_v1_attach_buffer(frame, buffer);
	ext_image_copy_capture_frame_v1_capture(frame);
	client_wait(client, is_captured, capture, "a picture of the screen");
	assert_false(capture->failed);

	struct picture picture = {
		.width = (int)capture->width,
		.height = (int)capture->height,
		.pixels = malloc(size),
	};
	assert_int_equal(pread(fd, picture.pixels, size, 0), (ssize_t)size);
	close(fd);
	wl_buffer_destroy(buffer);
	wl_shm_pool_destroy(pool);
	ext_image_copy_capture_frame_v1_destroy(frame);
	return picture;
}

struct picture client_capture_source(
	struct client *client, struct ext_image_capture_source_v1 *source) {
	struct capture capture;
	struct ext_image_copy_capture_session_v1 *session = capture_start(client, source, &capture);
	struct picture picture = capture_frame(client, session, &capture);
	ext_image_copy_capture_session_v1_destroy(session);
	return picture;
}

struct rect client_capture_damage(
	struct client *client, void (*change)(void *data), void *data, struct picture *picture) {
	struct capture capture;
	struct ext_image_capture_source_v1 *source =
		ext_output_image_capture_source_manager_v1_create_source(
			client->capture_sources, client->output);
	struct ext_image_copy_capture_session_v1 *session = capture_start(client, source, &capture);
	struct picture before = capture_frame(client, session, &capture);
	picture_free(&before);
	change(data);
	*picture = capture_frame(client, session, &capture);
	ext_image_copy_capture_session_v1_destroy(session);
	ext_image_capture_source_v1_destroy(source);
	return (struct rect){capture.left, capture.top, capture.right - capture.left,
		capture.bottom - capture.top};
}

uint32_t picture_at(const struct picture *picture, int x, int y) {
	assert_true(x >= 0 && y >= 0 && x < picture->width && y < picture->height);
	return picture->pixels[y * picture->width + x] & 0xffffff;
}

struct rect picture_find(const struct picture *picture, uint32_t color) {
	int left = picture->width, top = picture->height, right = -1, bottom = -1;
	for (int y = 0; y < picture->height; y++) {
		for (int x = 0; x < picture->width; x++) {
			if (picture_at(picture, x, y) == color) {
				left = x < left ? x : left;
				right = x > right ? x : right;
				top = y < top ? y : top;
				bottom = y > bottom ? y : bottom;
			}
		}
	}
	if (right < 0) {
		return (struct rect){0};
	}
	return (struct rect){left, top, right - left + 1, bottom - top + 1};
}

void picture_free(struct picture *picture) {
	free(picture->pixels);
	picture->pixels = NULL;
}

void client_expect_rect(
	struct client *client, uint32_t color, int x, int y, int width, int height) {
	int64_t end = now_ms() + LIMIT_MS / 2;
	struct rect rect;
	do {
		struct picture picture = client_capture(client);
		rect = picture_find(&picture, color);
		picture_free(&picture);
		if (rect.x == x && rect.y == y && rect.width == width && rect.height == height) {
			return;
		}
	} while (now_ms() < end);
	fail_msg("%06x is at %d,%d %dx%d, not at %d,%d %dx%d", color, rect.x, rect.y, rect.width,
		rect.height, x, y, width, height);
}

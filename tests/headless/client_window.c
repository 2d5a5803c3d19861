/* SPDX-License-Identifier: MIT */
/* The client's surfaces: windows, popups, subsurfaces, panels, and buffers for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "client.h"
#include "ext-session-lock-v1-client-protocol.h"
#include "wlr-layer-shell-unstable-v1-client-protocol.h"
#include "xdg-decoration-unstable-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

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

/* SPDX-License-Identifier: MIT */
/*
 * A program that connects again when the compositor has ended, as some toolkits do, and makes its
 * windows anew, each of one colour, in the size that it is told.
 *
 *   guest APP_ID TITLE WIDTH HEIGHT COLOR [APP_ID TITLE WIDTH HEIGHT COLOR]...
 *
 * Ends with its input.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-client.h>

#include "xdg-shell-client-protocol.h"

#define WORDS 5

struct guest {
	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_compositor *compositor;
	struct wl_shm *shm;
	struct xdg_wm_base *wm_base;
	struct window *windows;
	size_t count;
};

struct window {
	struct guest *guest;
	const char *app_id, *title;
	int width, height; /* when it is left to the program */
	uint32_t color;
	int wanted_width, wanted_height;
	struct wl_surface *surface;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel;
};

static void buffer_release(void *data, struct wl_buffer *buffer) {
	wl_buffer_destroy(buffer);
}

static const struct wl_buffer_listener buffer_listener = {.release = buffer_release};

static void draw(struct window *window) {
	int width = window->wanted_width > 0 ? window->wanted_width : window->width;
	int height = window->wanted_height > 0 ? window->wanted_height : window->height;
	int32_t size = width * height * 4;
	int fd = memfd_create("guest", MFD_CLOEXEC);
	uint32_t *pixels = MAP_FAILED;
	if (fd >= 0 && ftruncate(fd, size) == 0) {
		pixels = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if (pixels == MAP_FAILED) {
		perror("guest: no buffer");
		exit(1);
	}
	for (int32_t i = 0; i < width * height; i++) {
		pixels[i] = window->color | 0xff000000;
	}
	munmap(pixels, (size_t)size);
	struct wl_shm_pool *pool = wl_shm_create_pool(window->guest->shm, fd, size);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(
		pool, 0, width, height, width * 4, WL_SHM_FORMAT_XRGB8888);
	wl_buffer_add_listener(buffer, &buffer_listener, NULL);
	wl_shm_pool_destroy(pool);
	close(fd);
	wl_surface_attach(window->surface, buffer, 0, 0);
	wl_surface_damage_buffer(window->surface, 0, 0, width, height);
	wl_surface_commit(window->surface);
}

static void handle_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	xdg_surface_ack_configure(xdg_surface, serial);
	draw(data);
}

static const struct xdg_surface_listener xdg_surface_listener = {.configure = handle_configure};

static void toplevel_configure(void *data, struct xdg_toplevel *toplevel, int32_t width,
	int32_t height, struct wl_array *states) {
	struct window *window = data;
	window->wanted_width = width;
	window->wanted_height = height;
}

static void toplevel_close(void *data, struct xdg_toplevel *toplevel) {
	exit(0);
}

static void toplevel_configure_bounds(
	void *data, struct xdg_toplevel *toplevel, int32_t width, int32_t height) {
}

static void toplevel_wm_capabilities(
	void *data, struct xdg_toplevel *toplevel, struct wl_array *capabilities) {
}

static const struct xdg_toplevel_listener toplevel_listener = {
	.configure = toplevel_configure,
	.close = toplevel_close,
	.configure_bounds = toplevel_configure_bounds,
	.wm_capabilities = toplevel_wm_capabilities,
};

static void handle_ping(void *data, struct xdg_wm_base *wm_base, uint32_t serial) {
	xdg_wm_base_pong(wm_base, serial);
}

static const struct xdg_wm_base_listener wm_base_listener = {.ping = handle_ping};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct guest *guest = data;
	if (strcmp(interface, wl_compositor_interface.name) == 0) {
		guest->compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 4);
	} else if (strcmp(interface, wl_shm_interface.name) == 0) {
		guest->shm = wl_registry_bind(registry, name, &wl_shm_interface, 1);
	} else if (strcmp(interface, xdg_wm_base_interface.name) == 0) {
		guest->wm_base = wl_registry_bind(registry, name, &xdg_wm_base_interface, 5);
		xdg_wm_base_add_listener(guest->wm_base, &wm_base_listener, NULL);
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

static void open_window(struct window *window) {
	struct guest *guest = window->guest;
	window->surface = wl_compositor_create_surface(guest->compositor);
	window->xdg_surface = xdg_wm_base_get_xdg_surface(guest->wm_base, window->surface);
	xdg_surface_add_listener(window->xdg_surface, &xdg_surface_listener, window);
	window->toplevel = xdg_surface_get_toplevel(window->xdg_surface);
	xdg_toplevel_add_listener(window->toplevel, &toplevel_listener, window);
	xdg_toplevel_set_app_id(window->toplevel, window->app_id);
	xdg_toplevel_set_title(window->toplevel, window->title);
	wl_surface_commit(window->surface);
}

/* Until the connection ends, or the input does: then there is no next one. */
static void serve(struct guest *guest) {
	int fd = wl_display_get_fd(guest->display);
	while (wl_display_flush(guest->display) >= 0) {
		struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
		if (poll(fds, 2, -1) < 0 || fds[1].revents != 0) {
			exit(0);
		}
		if (wl_display_dispatch(guest->display) < 0) {
			return;
		}
	}
}

static void leave(struct guest *guest) {
	for (size_t i = 0; i < guest->count && guest->windows[i].surface != NULL; i++) {
		xdg_toplevel_destroy(guest->windows[i].toplevel);
		xdg_surface_destroy(guest->windows[i].xdg_surface);
		wl_surface_destroy(guest->windows[i].surface);
		guest->windows[i].surface = NULL;
	}
	void *globals[] = {guest->compositor, guest->shm, guest->wm_base, guest->registry};
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		if (globals[i] != NULL) {
			wl_proxy_destroy(globals[i]);
		}
	}
	guest->compositor = NULL;
	guest->shm = NULL;
	guest->wm_base = NULL;
	guest->registry = NULL;
	wl_display_disconnect(guest->display);
}

int main(int argc, char *argv[]) {
	struct guest guest = {.count = (size_t)(argc - 1) / WORDS};
	if (guest.count == 0 || (argc - 1) % WORDS != 0) {
		fprintf(stderr, "usage: guest APP_ID TITLE WIDTH HEIGHT COLOR...\n");
		return 2;
	}
	guest.windows = calloc(guest.count, sizeof(*guest.windows));
	for (size_t i = 0; guest.windows != NULL && i < guest.count; i++) {
		char **words = argv + 1 + i * WORDS;
		guest.windows[i] = (struct window){
			.guest = &guest,
			.app_id = words[0],
			.title = words[1],
			.width = atoi(words[2]),
			.height = atoi(words[3]),
			.color = (uint32_t)strtoul(words[4], NULL, 16),
		};
	}
	/* The socket outlives the compositor: whoever connects waits for the next one. */
	while ((guest.display = wl_display_connect(NULL)) != NULL) {
		guest.registry = wl_display_get_registry(guest.display);
		wl_registry_add_listener(guest.registry, &registry_listener, &guest);
		if (wl_display_roundtrip(guest.display) >= 0 && guest.compositor != NULL &&
			guest.shm != NULL && guest.wm_base != NULL) {
			for (size_t i = 0; i < guest.count; i++) {
				open_window(&guest.windows[i]);
			}
			serve(&guest);
		}
		leave(&guest);
	}
	perror("guest: no compositor");
	return 1;
}

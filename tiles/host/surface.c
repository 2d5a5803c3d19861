/* SPDX-License-Identifier: MIT */
/* The connection, the surface and what is drawn on it. */
#include "host.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cursor-shape-v1-client-protocol.h"
#include "fractional-scale-v1-client-protocol.h"
#include "log.h"
#include "primary-selection-unstable-v1-client-protocol.h"
#include "source-city-tile-v1-client-protocol.h"
#include "viewporter-client-protocol.h"
#include "xdg-decoration-unstable-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

#define RECTS_MAX 64

static int32_t to_buffer(int32_t size, double scale) {
	int32_t pixels = floor(size * scale + 0.5);
	return pixels > 0 ? pixels : 1;
}

/* ---- scale */

static void set_scale(struct host *host, double scale) {
	if (scale == host->scale || !(scale > 0) || scale > 64) {
		return;
	}
	host->scale = scale;
	host_surface_apply_size(host);
}

static void handle_preferred_scale(
	void *data, struct wp_fractional_scale_v1 *fractional_scale, uint32_t scale) {
	set_scale(data, scale / 120.0);
}

static const struct wp_fractional_scale_v1_listener scale_listener = {
	.preferred_scale = handle_preferred_scale,
};

static void handle_surface_enter(void *data, struct wl_surface *surface, struct wl_output *output) {
}

static void handle_surface_leave(void *data, struct wl_surface *surface, struct wl_output *output) {
}

static void handle_preferred_buffer_scale(void *data, struct wl_surface *surface, int32_t scale) {
	struct host *host = data;
	if (!host->fractional_scale) {
		set_scale(host, scale);
	}
}

static void handle_preferred_buffer_transform(
	void *data, struct wl_surface *surface, uint32_t transform) {
}

static const struct wl_surface_listener surface_listener = {
	.enter = handle_surface_enter,
	.leave = handle_surface_leave,
	.preferred_buffer_scale = handle_preferred_buffer_scale,
	.preferred_buffer_transform = handle_preferred_buffer_transform,
};

/* ---- globals */

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct host *host = data;
	const struct {
		const struct wl_interface *interface;
		uint32_t version; /* the newest that we know */
		void *bound;	  /* where to put it */
	} globals[] = {
		{&wl_compositor_interface, 6, &host->compositor},
		{&wl_shm_interface, 1, &host->shm},
		{&wp_viewporter_interface, 1, &host->viewporter},
		{&wp_fractional_scale_manager_v1_interface, 1, &host->scale_manager},
		{&wp_cursor_shape_manager_v1_interface, 1, &host->shape_manager},
		{&wl_data_device_manager_interface, 3, &host->data_manager},
		{&zwp_primary_selection_device_manager_v1_interface, 1, &host->primary_manager},
		{&source_city_tile_manager_v1_interface, 6, &host->tile_manager},
		{&xdg_wm_base_interface, 5, &host->wm_base},
		{&zxdg_decoration_manager_v1_interface, 1, &host->decoration_manager},
	};
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		void **bound = globals[i].bound;
		if (strcmp(interface, globals[i].interface->name) == 0 && !*bound) {
			uint32_t bind = version < globals[i].version ? version : globals[i].version;
			*bound = wl_registry_bind(registry, name, globals[i].interface, bind);
			return;
		}
	}
	if (strcmp(interface, wl_seat_interface.name) == 0 && !host->seat) {
		host_seat_bind(host, name, version);
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

static bool open_display(struct host *host, int wayland_fd, char *why, size_t why_size) {
	host->display =
		wayland_fd >= 0 ? wl_display_connect_to_fd(wayland_fd) : wl_display_connect(NULL);
	if (!host->display) {
		snprintf(why, why_size, "no Wayland connection: %s", strerror(errno));
		return false;
	}
	host->registry = wl_display_get_registry(host->display);
	wl_registry_add_listener(host->registry, &registry_listener, host);
	return true;
}

/* Once the globals are known. */
static bool make_surface(struct host *host, char *why, size_t why_size) {
	if (!host->compositor || !host->shm) {
		snprintf(why, why_size, "the compositor has no wl_compositor or no wl_shm");
		return false;
	}
	host_selection_bind(host);
	host->surface = wl_compositor_create_surface(host->compositor);
	wl_surface_add_listener(host->surface, &surface_listener, host);
	if (host->viewporter) {
		host->viewport = wp_viewporter_get_viewport(host->viewporter, host->surface);
	}
	/* Without a viewport a buffer can only be a whole multiple of the surface. */
	if (host->viewport && host->scale_manager) {
		host->fractional_scale = wp_fractional_scale_manager_v1_get_fractional_scale(
			host->scale_manager, host->surface);
		wp_fractional_scale_v1_add_listener(host->fractional_scale, &scale_listener, host);
	}
	return true;
}

bool host_connect(struct host *host, int wayland_fd, char *why, size_t why_size) {
	if (!open_display(host, wayland_fd, why, why_size)) {
		return false;
	}
	if (wl_display_roundtrip(host->display) < 0) {
		snprintf(why, why_size, "the compositor hung up");
		return false;
	}
	return make_surface(host, why, why_size);
}

/* ---- the next compositor */

static void handle_seat_known(void *data, struct wl_callback *callback, uint32_t serial) {
	struct host *host = data;
	char why[160] = "the compositor does not know it as a tile";
	wl_callback_destroy(callback);
	host->connecting = NULL;
	if (!host->tile_manager ||
		wl_proxy_get_version((struct wl_proxy *)host->tile_manager) < 2 ||
		!make_surface(host, why, sizeof(why))) {
		city_log(CITY_LOG_ERROR, host->name, "%s", why);
		/* Found to be broken by the loop: nothing may be freed in here. */
		shutdown(wl_display_get_fd(host->display), SHUT_RDWR);
		return;
	}
	host_tile_role_init(host);
	host_tile_role_describe(host);
	host_describe_state(host, &(struct vat_adopt_report){0});
	host_tile_role_rejoin(host);
	host_surface_damage_all(host);
}

static const struct wl_callback_listener seat_known_listener = {
	.done = handle_seat_known,
};

/* The seat was bound just now. Its keyboard is to be there before the tile may get the focus: what
 * is typed until then would reach nobody. */
static void handle_globals_known(void *data, struct wl_callback *callback, uint32_t serial) {
	struct host *host = data;
	wl_callback_destroy(callback);
	host->connecting = wl_display_sync(host->display);
	wl_callback_add_listener(host->connecting, &seat_known_listener, host);
}

static const struct wl_callback_listener globals_known_listener = {
	.done = handle_globals_known,
};

void host_reconnect(struct host *host, int wayland_fd) {
	char why[160];
	host_disconnect(host);
	if (!open_display(host, wayland_fd, why, sizeof(why))) {
		city_log(CITY_LOG_ERROR, host->name, "%s", why);
		return;
	}
	host->connecting = wl_display_sync(host->display);
	wl_callback_add_listener(host->connecting, &globals_known_listener, host);
}

static void release(void *proxy_of_global) {
	void **proxy = proxy_of_global;
	if (*proxy) {
		wl_proxy_destroy(*proxy);
		*proxy = NULL;
	}
}

void host_disconnect(struct host *host) {
	if (!host->display) {
		return;
	}
	host_selection_disconnect(host);
	host_seat_release(host);
	host_buffers_finish(host);
	host_tile_role_finish(host);
	host_window_role_finish(host);
	if (host->frame) {
		wl_callback_destroy(host->frame);
		host->frame = NULL;
	}
	if (host->connecting) {
		wl_callback_destroy(host->connecting);
		host->connecting = NULL;
	}
	if (host->fractional_scale) {
		wp_fractional_scale_v1_destroy(host->fractional_scale);
		host->fractional_scale = NULL;
	}
	if (host->viewport) {
		wp_viewport_destroy(host->viewport);
		host->viewport = NULL;
	}
	if (host->surface) {
		wl_surface_destroy(host->surface);
		host->surface = NULL;
	}
	void *const globals[] = {&host->compositor, &host->shm, &host->viewporter,
		&host->scale_manager, &host->shape_manager, &host->data_manager,
		&host->primary_manager, &host->tile_manager, &host->wm_base,
		&host->decoration_manager, &host->registry};
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		release(globals[i]);
	}
	host->configured = host->acknowledge = host->commit_needed = false;
	wl_display_flush(host->display);
	wl_display_disconnect(host->display);
	host->display = NULL;
}

/* ---- size */

void host_surface_configure(struct host *host, uint32_t serial, int32_t width, int32_t height) {
	host->configure_serial = serial;
	host->acknowledge = true;
	host->commit_needed = true;
	host->configured = true;
	if (width > 0 && height > 0) {
		host->width = width;
		host->height = height;
	}
	host_surface_apply_size(host);
}

void host_surface_apply_size(struct host *host) {
	struct tile *tile = &host->tile;
	/* While it has given its cells up, a tile cannot be told; resume catches up. */
	if (host->state == HOST_YIELDED || host->state == HOST_FAILED ||
		(tile->width == host->width && tile->height == host->height &&
			tile->scale == host->scale)) {
		return;
	}
	tile->width = host->width;
	tile->height = host->height;
	tile->scale = host->scale;
	host_surface_damage_all(host);
	if (host->state == HOST_LIVE) {
		struct tile_input event = {
			.type = TILE_INPUT_SIZE,
			.time_ns = host_now(host),
			.size = {tile->width, tile->height, tile->scale},
		};
		host_input(host, &event);
	}
}

void host_surface_prepare(struct host *host) {
	if (host->configured) {
		host_buffer_get(host, to_buffer(host->width, host->scale),
			to_buffer(host->height, host->scale));
	}
}

/* ---- drawing */

static void handle_frame_done(void *data, struct wl_callback *callback, uint32_t time_ms) {
	struct host *host = data;
	wl_callback_destroy(callback);
	host->frame = NULL;
}

static const struct wl_callback_listener frame_listener = {
	.done = handle_frame_done,
};

void host_surface_damage_all(struct host *host) {
	pixman_region32_union_rect(&host->damage, &host->damage, 0, 0,
		to_buffer(host->tile.width, host->tile.scale),
		to_buffer(host->tile.height, host->tile.scale));
}

static size_t region_to_rects(pixman_region32_t *region, struct tile_rect rects[RECTS_MAX]) {
	int count;
	const pixman_box32_t *boxes = pixman_region32_rectangles(region, &count);
	if (count > RECTS_MAX) {
		boxes = pixman_region32_extents(region);
		count = 1;
	}
	for (int i = 0; i < count; i++) {
		rects[i] = (struct tile_rect){
			.x = boxes[i].x1,
			.y = boxes[i].y1,
			.width = boxes[i].x2 - boxes[i].x1,
			.height = boxes[i].y2 - boxes[i].y1,
		};
	}
	return count;
}

static void commit(struct host *host) {
	if (host->acknowledge) {
		host->role->ack_configure(host, host->configure_serial);
		host->acknowledge = false;
	}
	host->commit_needed = false;
	wl_surface_commit(host->surface);
}

static void draw_into(struct host *host, struct host_buffer *buffer) {
	struct tile_rect rects[RECTS_MAX];
	pixman_region32_union(&buffer->stale, &buffer->stale, &host->damage);
	struct tile_canvas canvas = {
		.pixels = buffer->pixels,
		.width = buffer->width,
		.height = buffer->height,
		.stride = buffer->stride,
		.scale = host->tile.scale,
		.damage = rects,
		.damage_count = region_to_rects(&buffer->stale, rects),
	};
	host_begin(host, "draw");
	host_recorder_operation(host, RECORDING_DRAW);
	host->ops->draw(&host->tile, &canvas);
	host_end(host);
	pixman_region32_clear(&buffer->stale);
	for (size_t i = 0; i < HOST_BUFFERS_MAX; i++) {
		struct host_buffer *other = &host->buffers[i];
		if (other->wl_buffer && other != buffer) {
			pixman_region32_union(&other->stale, &other->stale, &host->damage);
		}
	}
	vat_region_add(host->region, VAT_FRAMES, 1);
}

void host_surface_draw(struct host *host, bool first) {
	if (host->state != HOST_LIVE || host->attaching || !host->configured) {
		return;
	}
	int32_t width = to_buffer(host->tile.width, host->tile.scale);
	int32_t height = to_buffer(host->tile.height, host->tile.scale);
	pixman_region32_intersect_rect(&host->damage, &host->damage, 0, 0, width, height);
	if (!pixman_region32_not_empty(&host->damage)) {
		if (host->commit_needed) {
			commit(host);
		}
		return;
	}
	if (host->frame && !first) {
		return;
	}
	/* None free: the release of one brings us back here. */
	struct host_buffer *buffer = host_buffer_get(host, width, height);
	if (!buffer) {
		return;
	}
	draw_into(host, buffer);
	buffer->busy = true;
	wl_surface_attach(host->surface, buffer->wl_buffer, 0, 0);
	struct tile_rect rects[RECTS_MAX];
	size_t count = region_to_rects(&host->damage, rects);
	for (size_t i = 0; i < count; i++) {
		wl_surface_damage_buffer(
			host->surface, rects[i].x, rects[i].y, rects[i].width, rects[i].height);
	}
	pixman_region32_clear(&host->damage);
	if (host->viewport) {
		wp_viewport_set_destination(host->viewport, host->tile.width, host->tile.height);
	} else {
		wl_surface_set_buffer_scale(host->surface, host->tile.scale);
	}
	if (!host->frame) {
		host->frame = wl_surface_frame(host->surface);
		wl_callback_add_listener(host->frame, &frame_listener, host);
	}
	commit(host);
}

void host_surface_finish(struct host *host) {
	host_selection_finish(host);
	host_disconnect(host);
	host_seat_finish(host);
}

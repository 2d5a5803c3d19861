/* SPDX-License-Identifier: MIT */
/* What any Wayland client of the fake city sees: surfaces, the seat and the clipboard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xkbcommon/xkbcommon.h>

#include <cmocka.h>

#include "fake.h"
#include "fake_internal.h"
#include "viewporter-server-protocol.h"

/* ---- surfaces */

static void surface_attach(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *buffer, int32_t x, int32_t y) {
	version_of(client)->pending_buffer = buffer;
}

static void surface_nothing4(struct wl_client *client, struct wl_resource *resource, int32_t x,
	int32_t y, int32_t width, int32_t height) {
}

static void surface_damage_buffer(struct wl_client *client, struct wl_resource *resource, int32_t x,
	int32_t y, int32_t width, int32_t height) {
	struct fake_version *version = version_of(client);
	version->damage_x1 = x < version->damage_x1 ? x : version->damage_x1;
	version->damage_y1 = y < version->damage_y1 ? y : version->damage_y1;
	version->damage_x2 = x + width > version->damage_x2 ? x + width : version->damage_x2;
	version->damage_y2 = y + height > version->damage_y2 ? y + height : version->damage_y2;
}

static void surface_frame(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct fake_version *version = version_of(client);
	assert_true(version->frame_callback_count < 16);
	version->frame_callbacks[version->frame_callback_count++] =
		wl_resource_create(client, &wl_callback_interface, 1, id);
}

static void surface_set_region(
	struct wl_client *client, struct wl_resource *resource, struct wl_resource *region) {
}

static void take_pixels(struct fake_version *version, struct wl_resource *resource) {
	struct wl_shm_buffer *buffer = wl_shm_buffer_get(resource);
	assert_non_null(buffer);
	version->width = wl_shm_buffer_get_width(buffer);
	version->height = wl_shm_buffer_get_height(buffer);
	int stride = wl_shm_buffer_get_stride(buffer);
	free(version->pixels);
	version->pixels = calloc(version->width * version->height, 4);
	wl_shm_buffer_begin_access(buffer);
	for (int32_t y = 0; y < version->height; y++) {
		memcpy(version->pixels + y * version->width,
			(char *)wl_shm_buffer_get_data(buffer) + y * stride, version->width * 4);
	}
	wl_shm_buffer_end_access(buffer);
}

static void surface_commit(struct wl_client *client, struct wl_resource *resource) {
	struct fake_version *version = version_of(client);
	if (version->pending_buffer) {
		if (version->commits == 0) {
			version->attached_before_frame = version->attached;
		}
		version->commits++;
		take_pixels(version, version->pending_buffer);
		if (version->held_buffer && version->held_buffer != version->pending_buffer) {
			wl_buffer_send_release(version->held_buffer);
			version->held_buffer = NULL;
		}
		if (version->hold_buffers) {
			version->held_buffer = version->pending_buffer;
		} else {
			wl_buffer_send_release(version->pending_buffer);
		}
		version->pending_buffer = NULL;
	}
	if (!version->hold_frames) {
		fake_send_frames(version);
	}
}

void fake_send_frames(struct fake_version *version) {
	for (size_t i = 0; i < version->frame_callback_count; i++) {
		wl_callback_send_done(version->frame_callbacks[i], 0);
		wl_resource_destroy(version->frame_callbacks[i]);
	}
	version->frame_callback_count = 0;
}

static void surface_set_int(struct wl_client *client, struct wl_resource *resource, int32_t value) {
}

static void surface_offset(
	struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y) {
}

static const struct wl_surface_interface surface_impl = {
	.destroy = destroy_resource,
	.attach = surface_attach,
	.damage = surface_nothing4,
	.frame = surface_frame,
	.set_opaque_region = surface_set_region,
	.set_input_region = surface_set_region,
	.commit = surface_commit,
	.set_buffer_transform = surface_set_int,
	.set_buffer_scale = surface_set_int,
	.damage_buffer = surface_damage_buffer,
	.offset = surface_offset,
};

static void compositor_create_surface(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct fake_version *version = version_of(client);
	version->surface = wl_resource_create(client, &wl_surface_interface, 6, id);
	wl_resource_set_implementation(version->surface, &surface_impl, version, NULL);
}

static void compositor_create_region(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	wl_client_post_implementation_error(client, "no regions here");
}

static const struct wl_compositor_interface compositor_impl = {
	.create_surface = compositor_create_surface,
	.create_region = compositor_create_region,
};

static void viewport_set_source(struct wl_client *client, struct wl_resource *resource,
	wl_fixed_t x, wl_fixed_t y, wl_fixed_t width, wl_fixed_t height) {
}

static void viewport_set_destination(
	struct wl_client *client, struct wl_resource *resource, int32_t width, int32_t height) {
	version_of(client)->viewport_width = width;
	version_of(client)->viewport_height = height;
}

static const struct wp_viewport_interface viewport_impl = {
	.destroy = destroy_resource,
	.set_source = viewport_set_source,
	.set_destination = viewport_set_destination,
};

static void viewporter_get_viewport(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, struct wl_resource *surface) {
	struct wl_resource *viewport = wl_resource_create(client, &wp_viewport_interface, 1, id);
	wl_resource_set_implementation(viewport, &viewport_impl, NULL, NULL);
}

static const struct wp_viewporter_interface viewporter_impl = {
	.destroy = destroy_resource,
	.get_viewport = viewporter_get_viewport,
};

/* ---- the seat */

static void seat_get_pointer(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	static const struct wl_pointer_interface pointer_impl = {.release = destroy_resource};
	version_of(client)->pointer = wl_resource_create(
		client, &wl_pointer_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(version_of(client)->pointer, &pointer_impl, NULL, NULL);
}

static void send_keymap(struct wl_resource *keyboard) {
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	struct xkb_rule_names names = {.rules = "evdev", .model = "pc105", .layout = "us"};
	struct xkb_keymap *keymap =
		xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	char *text = xkb_keymap_get_as_string(keymap, XKB_KEYMAP_FORMAT_TEXT_V1);
	size_t size = strlen(text) + 1;
	int fd = memfd_create("keymap", MFD_CLOEXEC);
	assert_int_equal(write(fd, text, size), size);
	wl_keyboard_send_keymap(keyboard, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, fd, size);
	close(fd);
	free(text);
	xkb_keymap_unref(keymap);
	xkb_context_unref(context);
}

static void seat_get_keyboard(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	static const struct wl_keyboard_interface keyboard_impl = {.release = destroy_resource};
	struct fake_version *version = version_of(client);
	version->keyboard = wl_resource_create(
		client, &wl_keyboard_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(version->keyboard, &keyboard_impl, NULL, NULL);
	send_keymap(version->keyboard);
	wl_keyboard_send_repeat_info(version->keyboard, 25, 600);
}

static const struct wl_seat_interface seat_impl = {
	.get_pointer = seat_get_pointer,
	.get_keyboard = seat_get_keyboard,
	.release = destroy_resource,
};

void fake_focus(struct fake_version *version) {
	struct wl_array keys;
	wl_array_init(&keys);
	wl_keyboard_send_enter(version->keyboard, ++version->city->serial, version->surface, &keys);
	wl_keyboard_send_modifiers(version->keyboard, ++version->city->serial, 0, 0, 0, 0);
	wl_array_release(&keys);
}

void fake_key(struct fake_version *version, uint32_t keycode) {
	wl_keyboard_send_key(version->keyboard, ++version->city->serial, 0, keycode,
		WL_KEYBOARD_KEY_STATE_PRESSED);
	wl_keyboard_send_key(version->keyboard, ++version->city->serial, 0, keycode,
		WL_KEYBOARD_KEY_STATE_RELEASED);
}

void fake_click(struct fake_version *version, double tx, double ty) {
	wl_pointer_send_enter(version->pointer, ++version->city->serial, version->surface,
		wl_fixed_from_double(tx), wl_fixed_from_double(ty));
	wl_pointer_send_frame(version->pointer);
	for (int state = 1; state >= 0; state--) {
		wl_pointer_send_button(
			version->pointer, ++version->city->serial, 0, BTN_LEFT, state);
		wl_pointer_send_frame(version->pointer);
	}
}

/* ---- the clipboard */

static void offer_accept(
	struct wl_client *client, struct wl_resource *resource, uint32_t serial, const char *type) {
}

static void offer_receive(
	struct wl_client *client, struct wl_resource *resource, const char *type, int32_t fd) {
	struct fake_version *version = version_of(client);
	assert_int_equal(version->paste_fd, -1);
	assert_string_equal(type, "text/plain;charset=utf-8");
	version->paste_fd = fd;
}

static const struct wl_data_offer_interface offer_impl = {
	.accept = offer_accept,
	.receive = offer_receive,
	.destroy = destroy_resource,
};

void fake_offer(struct fake_version *version) {
	struct wl_resource *offer =
		wl_resource_create(version->client, &wl_data_offer_interface, 3, 0);
	wl_resource_set_implementation(offer, &offer_impl, NULL, NULL);
	wl_data_device_send_data_offer(version->data_device, offer);
	wl_data_offer_send_offer(offer, "text/plain");
	wl_data_offer_send_offer(offer, "text/plain;charset=utf-8");
	wl_data_device_send_selection(version->data_device, offer);
}

static void source_offer(struct wl_client *client, struct wl_resource *resource, const char *type) {
}

static const struct wl_data_source_interface source_impl = {
	.offer = source_offer,
	.destroy = destroy_resource,
};

static void handle_source_destroy(struct wl_resource *resource) {
	struct fake_version *version = wl_resource_get_user_data(resource);
	version->source = version->source == resource ? NULL : version->source;
}

static void device_set_selection(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *source, uint32_t serial) {
	version_of(client)->source = source;
}

static const struct wl_data_device_interface device_impl = {
	.set_selection = device_set_selection,
	.release = destroy_resource,
};

static void manager_create_source(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct wl_resource *source = wl_resource_create(client, &wl_data_source_interface, 3, id);
	wl_resource_set_implementation(
		source, &source_impl, version_of(client), handle_source_destroy);
}

static void manager_get_device(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	struct wl_resource *seat) {
	struct wl_resource *device = wl_resource_create(client, &wl_data_device_interface, 3, id);
	wl_resource_set_implementation(device, &device_impl, NULL, NULL);
	version_of(client)->data_device = device;
}

static const struct wl_data_device_manager_interface data_manager_impl = {
	.create_data_source = manager_create_source,
	.get_data_device = manager_get_device,
};

/* ---- the globals */

static void bind_global(struct wl_client *client, void *data, uint32_t bound, uint32_t id) {
	const struct wl_interface *interface = data;
	struct wl_resource *resource = wl_resource_create(client, interface, bound, id);
	const void *impl = interface == &wl_compositor_interface ? (const void *)&compositor_impl
		: interface == &wp_viewporter_interface		 ? (const void *)&viewporter_impl
		: interface == &wl_seat_interface		 ? (const void *)&seat_impl
		: interface == &wl_data_device_manager_interface
		? (const void *)&data_manager_impl
		: (const void *)&fake_tile_manager_impl;
	wl_resource_set_implementation(resource, impl, NULL, NULL);
	if (interface == &wl_seat_interface) {
		wl_seat_send_capabilities(
			resource, WL_SEAT_CAPABILITY_KEYBOARD | WL_SEAT_CAPABILITY_POINTER);
	}
}

void fake_add_globals(struct fake_city *city) {
	const struct {
		const struct wl_interface *interface;
		int version;
	} globals[] = {
		{&wl_compositor_interface, 6},
		{&wp_viewporter_interface, 1},
		{&wl_seat_interface, 9},
		{&wl_data_device_manager_interface, 3},
		{&source_city_tile_manager_v1_interface, 6},
	};
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		assert_non_null(wl_global_create(city->display, globals[i].interface,
			globals[i].version, (void *)globals[i].interface, bind_global));
	}
}

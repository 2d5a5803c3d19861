/* SPDX-License-Identifier: MIT */
/* The client's virtual pointer and keyboard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xkbcommon/xkbcommon.h>

#include <cmocka.h>

#include "client.h"
#include "virtual-keyboard-unstable-v1-client-protocol.h"
#include "wlr-virtual-pointer-unstable-v1-client-protocol.h"

#define LAYOUT_WIDTH 1280
#define LAYOUT_HEIGHT 720
/* Fractions of a pixel that an absolute position may have. */
#define SUBPIXELS 16

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

/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

#define EVDEV_OFFSET 8

void host_keyboard_prewarm(struct host_keyboard *keyboard) {
	keyboard->context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	if (!keyboard->context) {
		return;
	}
	const struct xkb_rule_names us = {
		.rules = "evdev", .model = "pc105", .layout = "us", .variant = "", .options = ""};
	keyboard->us_keymap =
		xkb_keymap_new_from_names(keyboard->context, &us, XKB_KEYMAP_COMPILE_NO_FLAGS);
	const char *locale = setlocale(LC_CTYPE, NULL);
	keyboard->compose_table = xkb_compose_table_new_from_locale(
		keyboard->context, locale ? locale : "C", XKB_COMPOSE_COMPILE_NO_FLAGS);
	if (keyboard->compose_table) {
		keyboard->compose =
			xkb_compose_state_new(keyboard->compose_table, XKB_COMPOSE_STATE_NO_FLAGS);
	}
}

static xkb_mod_mask_t mask_of(struct xkb_keymap *keymap, const char *name) {
	return xkb_keymap_mod_get_mask(keymap, name);
}

/* In the order of enum tile_modifier. Hyper and Meta count only where they are modifiers of their
 * own. */
static void find_masks(struct host_keyboard *keyboard) {
	static const char *const names[] = {XKB_MOD_NAME_SHIFT, XKB_VMOD_NAME_ALT,
		XKB_MOD_NAME_CTRL, XKB_VMOD_NAME_SUPER, XKB_VMOD_NAME_HYPER, XKB_VMOD_NAME_META,
		XKB_MOD_NAME_CAPS, XKB_VMOD_NAME_NUM};
	/* Keymaps made by programs often leave the virtual modifiers out. */
	static const char *const customary[8] = {[1] = "Mod1", [3] = "Mod4", [7] = "Mod2"};
	xkb_mod_mask_t seen = 0;
	for (size_t i = 0; i < 8; i++) {
		xkb_mod_mask_t mask = mask_of(keyboard->keymap, names[i]);
		if (mask == 0 && customary[i]) {
			mask = mask_of(keyboard->keymap, customary[i]);
		}
		mask &= ~seen;
		keyboard->masks[i] = mask;
		seen |= mask;
	}
}

static void forget_keymap(struct host_keyboard *keyboard) {
	xkb_state_unref(keyboard->state);
	xkb_keymap_unref(keyboard->keymap);
	free(keyboard->keymap_text);
	keyboard->state = NULL;
	keyboard->keymap = NULL;
	keyboard->keymap_text = NULL;
}

static void use_keymap(struct host_keyboard *keyboard, const char *text) {
	struct xkb_keymap *keymap = xkb_keymap_new_from_string(
		keyboard->context, text, XKB_KEYMAP_FORMAT_TEXT_V1, XKB_KEYMAP_COMPILE_NO_FLAGS);
	struct xkb_state *state = keymap ? xkb_state_new(keymap) : NULL;
	char *copy = state ? strdup(text) : NULL;
	if (!copy) {
		xkb_state_unref(state);
		xkb_keymap_unref(keymap);
		return;
	}
	forget_keymap(keyboard);
	keyboard->keymap = keymap;
	keyboard->state = state;
	keyboard->keymap_text = copy;
	find_masks(keyboard);
}

static void handle_keymap(
	void *data, struct wl_keyboard *wl_keyboard, uint32_t format, int32_t fd, uint32_t size) {
	struct host *host = data;
	struct host_keyboard *keyboard = &host->keyboard;
	char *text = MAP_FAILED;
	if (format == WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1 && size > 0) {
		text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	close(fd);
	if (text == MAP_FAILED || text[size - 1] || !keyboard->context) {
		city_log(CITY_LOG_WARN, host->name, "an unusable keymap: keys are as before");
	} else if (!keyboard->keymap_text || strcmp(text, keyboard->keymap_text) != 0) {
		use_keymap(keyboard, text);
	} else {
		/* The same again, as happens with each change between keyboards. */
		xkb_state_update_mask(keyboard->state, 0, 0, 0, 0, 0, 0);
	}
	if (text != MAP_FAILED) {
		munmap(text, size);
	}
}

static void stop_repeat(struct host_keyboard *keyboard) {
	keyboard->repeat_key = 0;
	keyboard->repeat_at = HOST_NEVER;
}

static void send_focus(struct host *host, bool focus) {
	struct tile_input event = {
		.type = TILE_INPUT_FOCUS,
		.time_ns = host_now(host),
		.focus = focus,
	};
	host_input(host, &event);
}

static void handle_enter(void *data, struct wl_keyboard *wl_keyboard, uint32_t serial,
	struct wl_surface *surface, struct wl_array *keys) {
	struct host *host = data;
	host->input_serial = serial;
	send_focus(host, true);
}

static void leave(struct host *host) {
	stop_repeat(&host->keyboard);
	if (host->keyboard.compose) {
		xkb_compose_state_reset(host->keyboard.compose);
	}
	send_focus(host, false);
}

static void handle_leave(
	void *data, struct wl_keyboard *wl_keyboard, uint32_t serial, struct wl_surface *surface) {
	leave(data);
}

void host_keyboard_lost(struct host *host) {
	if (host->keyboard.state) {
		xkb_state_update_mask(host->keyboard.state, 0, 0, 0, 0, 0, 0);
	}
	if (host->tile.focused) {
		leave(host);
	}
}

static xkb_keysym_t plain_keysym(struct xkb_keymap *keymap, xkb_keycode_t code, uint32_t layout) {
	const xkb_keysym_t *syms;
	if (keymap && xkb_keymap_key_get_syms_by_level(keymap, code, layout, 0, &syms) == 1) {
		return syms[0];
	}
	return XKB_KEY_NoSymbol;
}

/* Only what prints: control characters are told by their keysyms. */
static void set_text(struct tile_input_key *key, const char *text) {
	size_t size = strlen(text);
	key->text[0] = 0;
	if (size < sizeof(key->text) && (unsigned char)text[0] >= 0x20 && text[0] != 0x7f) {
		memcpy(key->text, text, size + 1);
	}
}

/* The key's symbol goes through the compose table. False: it was swallowed, an accent to come. */
static bool compose(struct host_keyboard *keyboard, struct tile_input_key *key) {
	char text[64];
	xkb_keysym_to_utf8(key->keysym, text, sizeof(text));
	set_text(key, text);
	if (!keyboard->compose ||
		xkb_compose_state_feed(keyboard->compose, key->keysym) !=
			XKB_COMPOSE_FEED_ACCEPTED) {
		return true;
	}
	switch (xkb_compose_state_get_status(keyboard->compose)) {
	case XKB_COMPOSE_COMPOSING:
		return false;
	case XKB_COMPOSE_CANCELLED:
		xkb_compose_state_reset(keyboard->compose);
		return false;
	case XKB_COMPOSE_COMPOSED:
		xkb_compose_state_get_utf8(keyboard->compose, text, sizeof(text));
		set_text(key, text);
		xkb_keysym_t keysym = xkb_compose_state_get_one_sym(keyboard->compose);
		if (keysym != XKB_KEY_NoSymbol) {
			key->keysym = keysym;
		}
		xkb_compose_state_reset(keyboard->compose);
		return true;
	case XKB_COMPOSE_NOTHING:
		return true;
	}
	return true;
}

static void send_key(struct host *host, uint32_t keycode, enum tile_key_state state) {
	struct host_keyboard *keyboard = &host->keyboard;
	if (!keyboard->state) {
		return;
	}
	xkb_keycode_t code = keycode + EVDEV_OFFSET;
	uint32_t layout = xkb_state_key_get_layout(keyboard->state, code);
	struct tile_input event = {.type = TILE_INPUT_KEY, .time_ns = host_now(host)};
	struct tile_input_key *key = &event.key;
	key->state = state;
	key->keycode = keycode;
	key->keysym = xkb_state_key_get_one_sym(keyboard->state, code);
	key->base_keysym = plain_keysym(keyboard->keymap, code, layout);
	key->us_keysym = plain_keysym(keyboard->us_keymap, code, 0);
	key->modifiers = host_modifiers(host);
	xkb_mod_mask_t consumed =
		xkb_state_key_get_consumed_mods2(keyboard->state, code, XKB_CONSUMED_MODE_GTK);
	for (size_t i = 0; i < 8; i++) {
		key->consumed |= consumed & keyboard->masks[i] ? 1u << i : 0;
	}
	key->consumed &= key->modifiers;
	if (state == TILE_KEY_RELEASED || compose(keyboard, key)) {
		host_input(host, &event);
	}
}

static void handle_key(void *data, struct wl_keyboard *wl_keyboard, uint32_t serial,
	uint32_t time_ms, uint32_t keycode, uint32_t state) {
	struct host *host = data;
	struct host_keyboard *keyboard = &host->keyboard;
	host->input_serial = serial;
	if (state == WL_KEYBOARD_KEY_STATE_PRESSED) {
		send_key(host, keycode, TILE_KEY_PRESSED);
		if (keyboard->keymap && keyboard->repeat_rate > 0 &&
			xkb_keymap_key_repeats(keyboard->keymap, keycode + EVDEV_OFFSET)) {
			keyboard->repeat_key = keycode;
			keyboard->repeat_at =
				host_monotonic() + keyboard->repeat_delay * 1000000ull;
		}
	} else {
		if (keycode == keyboard->repeat_key) {
			stop_repeat(keyboard);
		}
		send_key(host, keycode, TILE_KEY_RELEASED);
	}
}

void host_keyboard_repeat(struct host *host) {
	struct host_keyboard *keyboard = &host->keyboard;
	uint64_t now = host_monotonic();
	if (keyboard->repeat_at > now || keyboard->repeat_rate <= 0) {
		return;
	}
	/* A version that waits for its cells would only pile them up. */
	if (host->state == HOST_LIVE) {
		send_key(host, keyboard->repeat_key, TILE_KEY_REPEATED);
	}
	uint64_t step = 1000000000ull / keyboard->repeat_rate;
	keyboard->repeat_at += step;
	if (keyboard->repeat_at <= now) {
		keyboard->repeat_at = now + step;
	}
}

static void handle_modifiers(void *data, struct wl_keyboard *wl_keyboard, uint32_t serial,
	uint32_t depressed, uint32_t latched, uint32_t locked, uint32_t group) {
	struct host *host = data;
	if (host->keyboard.state) {
		xkb_state_update_mask(
			host->keyboard.state, depressed, latched, locked, 0, 0, group);
	}
}

static void handle_repeat_info(
	void *data, struct wl_keyboard *wl_keyboard, int32_t rate, int32_t delay) {
	struct host *host = data;
	host->keyboard.repeat_rate = rate;
	host->keyboard.repeat_delay = delay;
	if (rate <= 0) {
		stop_repeat(&host->keyboard);
	}
}

static const struct wl_keyboard_listener keyboard_listener = {
	.keymap = handle_keymap,
	.enter = handle_enter,
	.leave = handle_leave,
	.key = handle_key,
	.modifiers = handle_modifiers,
	.repeat_info = handle_repeat_info,
};

void host_keyboard_bind(struct host *host) {
	host->keyboard.wl_keyboard = wl_seat_get_keyboard(host->seat);
	wl_keyboard_add_listener(host->keyboard.wl_keyboard, &keyboard_listener, host);
}

void host_keyboard_release(struct host *host) {
	struct host_keyboard *keyboard = &host->keyboard;
	stop_repeat(keyboard);
	if (!keyboard->wl_keyboard) {
		return;
	}
	if (wl_keyboard_get_version(keyboard->wl_keyboard) >= WL_KEYBOARD_RELEASE_SINCE_VERSION) {
		wl_keyboard_release(keyboard->wl_keyboard);
	} else {
		wl_keyboard_destroy(keyboard->wl_keyboard);
	}
	keyboard->wl_keyboard = NULL;
}

void host_keyboard_finish(struct host *host) {
	struct host_keyboard *keyboard = &host->keyboard;
	forget_keymap(keyboard);
	xkb_compose_state_unref(keyboard->compose);
	xkb_compose_table_unref(keyboard->compose_table);
	xkb_keymap_unref(keyboard->us_keymap);
	xkb_context_unref(keyboard->context);
	memset(keyboard, 0, sizeof(*keyboard));
}

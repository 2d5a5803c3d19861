/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <wlr/backend/session.h>
#include <wlr/interfaces/wlr_keyboard.h>
#include <wlr/types/wlr_keyboard.h>
#include <wlr/types/wlr_keyboard_group.h>
#include <wlr/types/wlr_virtual_keyboard_v1.h>
#include <xkbcommon/xkbcommon.h>

#include "compositor/command.h"
#include "compositor/config.h"
#include "compositor/input_method.h"
#include "compositor/lock.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/view.h"
#include "vat/log.h"

#define CYCLE_MODIFIERS (WLR_MODIFIER_ALT | WLR_MODIFIER_LOGO | WLR_MODIFIER_CTRL)

/* Bindings. */

static const struct city_bind *find(
	const struct city_config *config, uint32_t modifiers, xkb_keysym_t keysym) {
	return city_bind_find(config, CITY_BIND_KEY, CITY_BIND_ANYWHERE, modifiers, keysym);
}

/* A binding may name what is printed on the key (Shift+e) or what it yields (plus). Layouts
 * without Latin letters are asked for what the key has in the others. */
static const struct city_bind *find_bind(struct city_keyboard *keyboard, xkb_keycode_t code) {
	const struct city_config *config = keyboard->seat->server->config;
	struct wlr_keyboard *kb = keyboard->keyboard;
	uint32_t modifiers = wlr_keyboard_get_modifiers(kb) & CITY_BIND_MODIFIERS;

	const xkb_keysym_t *syms;
	xkb_layout_index_t current = xkb_state_key_get_layout(kb->xkb_state, code);
	xkb_layout_index_t layouts = xkb_keymap_num_layouts_for_key(kb->keymap, code);
	for (xkb_layout_index_t i = 0; i < layouts; i++) {
		int count = xkb_keymap_key_get_syms_by_level(
			kb->keymap, code, (current + i) % layouts, 0, &syms);
		for (int j = 0; j < count; j++) {
			const struct city_bind *bind =
				find(config, modifiers, xkb_keysym_to_lower(syms[j]));
			if (bind != NULL) {
				return bind;
			}
		}
	}
	int count = xkb_state_key_get_syms(kb->xkb_state, code, &syms);
	xkb_mod_mask_t consumed =
		xkb_state_key_get_consumed_mods2(kb->xkb_state, code, XKB_CONSUMED_MODE_XKB);
	xkb_mod_index_t shift = xkb_keymap_mod_get_index(kb->keymap, XKB_MOD_NAME_SHIFT);
	if (shift != XKB_MOD_INVALID && (consumed & 1u << shift) != 0) {
		modifiers &= ~(uint32_t)WLR_MODIFIER_SHIFT;
	}
	for (int j = 0; j < count; j++) {
		const struct city_bind *bind =
			find(config, modifiers, xkb_keysym_to_lower(syms[j]));
		if (bind != NULL) {
			return bind;
		}
	}
	return NULL;
}

static bool switch_vt(struct city_keyboard *keyboard, xkb_keycode_t code) {
	struct wlr_session *session = keyboard->seat->server->session;
	const xkb_keysym_t *syms;
	int count = xkb_state_key_get_syms(keyboard->keyboard->xkb_state, code, &syms);
	for (int i = 0; i < count; i++) {
		if (syms[i] >= XKB_KEY_XF86Switch_VT_1 && syms[i] <= XKB_KEY_XF86Switch_VT_12) {
			if (session != NULL) {
				wlr_session_change_vt(
					session, syms[i] - XKB_KEY_XF86Switch_VT_1 + 1);
			}
			return true;
		}
	}
	return false;
}

static bool run_bind(struct city_keyboard *keyboard, xkb_keycode_t code) {
	struct city_server *server = keyboard->seat->server;
	if (switch_vt(keyboard, code)) {
		return true;
	}
	if (city_lock_active(server->lock)) {
		return false;
	}
	const struct city_bind *bind = find_bind(keyboard, code);
	if (bind == NULL || strcmp(bind->command, "none") == 0) {
		return false;
	}
	/* While its modifier stays held the order of the windows does. */
	if (strncmp(bind->command, "focus ", 6) == 0 && (bind->modifiers & CYCLE_MODIFIERS) != 0) {
		server->cycling = true;
	}
	char error[400];
	if (!city_command_run(server, bind->command, NULL, error, sizeof(error))) {
		city_log(CITY_LOG_WARN, "key", "%s: %s", bind->command, error);
	}
	return true;
}

/* Events. */

size_t city_keyboard_pressed(
	struct city_seat *seat, const struct wlr_keyboard *wlr, uint32_t *keys) {
	const struct city_keyboard *keyboard, *of = NULL;
	wl_list_for_each(keyboard, &seat->keyboards, link) {
		if (keyboard->keyboard == wlr) {
			of = keyboard;
		}
	}
	size_t count = 0;
	for (size_t i = 0; i < wlr->num_keycodes; i++) {
		if (of == NULL || !city_is_swallowed(&of->swallowed, wlr->keycodes[i])) {
			keys[count++] = wlr->keycodes[i];
		}
	}
	return count;
}

/* Escape takes back what the pointer is about to do. */
static bool take_back(struct city_keyboard *keyboard, xkb_keycode_t code) {
	return xkb_state_key_get_one_sym(keyboard->keyboard->xkb_state, code) == XKB_KEY_Escape &&
		city_grab_cancel(keyboard->seat);
}

static void handle_key(struct wl_listener *listener, void *data) {
	struct city_keyboard *keyboard = wl_container_of(listener, keyboard, key);
	struct city_seat *seat = keyboard->seat;
	const struct wlr_keyboard_key_event *event = data;
	if (keyboard->keyboard->xkb_state == NULL) {
		return;
	}
	city_seat_activity(seat);
	if (event->state == WL_KEYBOARD_KEY_STATE_PRESSED) {
		/* Marked first: the binding may move the focus, and where it comes to the key must
		 * not count as pressed. evdev codes are 8 below those of xkb. */
		city_swallow(&keyboard->swallowed, event->keycode);
		if (take_back(keyboard, event->keycode + 8) ||
			run_bind(keyboard, event->keycode + 8)) {
			return;
		}
		city_unswallow(&keyboard->swallowed, event->keycode);
	} else if (city_unswallow(&keyboard->swallowed, event->keycode)) {
		return;
	}
	if (city_input_method_key(seat->server->input_method, keyboard->keyboard, event)) {
		return;
	}
	wlr_seat_set_keyboard(seat->seat, keyboard->keyboard);
	struct city_input_event sent = {
		.kind = CITY_INPUT_KEY,
		.surface = seat->seat->keyboard_state.focused_surface,
		.time_msec = event->time_msec,
		.code = event->keycode,
		.state = event->state,
		.keymap = keyboard->keyboard->keymap,
	};
	wlr_seat_keyboard_notify_key(seat->seat, event->time_msec, event->keycode, event->state);
	wl_signal_emit_mutable(&seat->server->events.input, &sent);
}

static void handle_modifiers(struct wl_listener *listener, void *data) {
	struct city_keyboard *keyboard = wl_container_of(listener, keyboard, modifiers);
	struct city_seat *seat = keyboard->seat;
	if ((city_seat_modifiers(seat) & CYCLE_MODIFIERS) == 0) {
		city_server_end_cycle(seat->server);
	}
	city_grab_follow(seat); /* a modifier says what a drop would do */
	if (city_input_method_modifiers(seat->server->input_method, keyboard->keyboard)) {
		return;
	}
	wlr_seat_set_keyboard(seat->seat, keyboard->keyboard);
	struct city_input_event sent = {
		.kind = CITY_INPUT_MODIFIERS,
		.surface = seat->seat->keyboard_state.focused_surface,
		.modifiers = keyboard->keyboard->modifiers,
		.keymap = keyboard->keyboard->keymap,
	};
	wlr_seat_keyboard_notify_modifiers(seat->seat, &keyboard->keyboard->modifiers);
	wl_signal_emit_mutable(&seat->server->events.input, &sent);
}

/* Life. */

static void keyboard_destroy(struct city_keyboard *keyboard) {
	wl_list_remove(&keyboard->link);
	wl_list_remove(&keyboard->key.link);
	wl_list_remove(&keyboard->modifiers.link);
	wl_list_remove(&keyboard->destroy.link);
	if (keyboard->group != NULL) {
		wlr_keyboard_group_destroy(keyboard->group);
	}
	free(keyboard);
}

static void handle_keyboard_destroy(struct wl_listener *listener, void *data) {
	struct city_keyboard *keyboard = wl_container_of(listener, keyboard, destroy);
	struct city_seat *seat = keyboard->seat;
	struct wlr_keyboard *gone = keyboard->keyboard;
	keyboard_destroy(keyboard);
	/* Focus stays with a keyboard that is still there. */
	if (wlr_seat_get_keyboard(seat->seat) == gone) {
		wlr_seat_set_keyboard(seat->seat, seat->group->keyboard);
	}
}

static struct city_keyboard *keyboard_create(struct city_seat *seat, struct wlr_keyboard *wlr) {
	struct city_keyboard *keyboard = calloc(1, sizeof(*keyboard));
	if (keyboard == NULL) {
		return NULL;
	}
	keyboard->seat = seat;
	keyboard->keyboard = wlr;
	wl_list_insert(&seat->keyboards, &keyboard->link);
	keyboard->key.notify = handle_key;
	wl_signal_add(&wlr->events.key, &keyboard->key);
	keyboard->modifiers.notify = handle_modifiers;
	wl_signal_add(&wlr->events.modifiers, &keyboard->modifiers);
	return keyboard;
}

static void lock_numlock(struct wlr_keyboard *keyboard) {
	xkb_mod_index_t index = xkb_keymap_mod_get_index(keyboard->keymap, XKB_MOD_NAME_NUM);
	if (index == XKB_MOD_INVALID) {
		return;
	}
	const struct wlr_keyboard_modifiers *now = &keyboard->modifiers;
	wlr_keyboard_notify_modifiers(
		keyboard, now->depressed, now->latched, now->locked | 1u << index, now->group);
}

static bool set_keymap(struct city_seat *seat, struct wlr_keyboard *keyboard) {
	struct xkb_keymap *keymap = city_config_keymap(seat->server->config);
	if (keymap == NULL) {
		return false;
	}
	bool ok = wlr_keyboard_set_keymap(keyboard, keymap);
	xkb_keymap_unref(keymap);
	return ok;
}

void city_keyboards_configure(struct city_seat *seat) {
	const struct city_config *config = seat->server->config;
	/* A group takes only keyboards of its own keymap: take all out, change, put them back. */
	struct city_device *device;
	wl_list_for_each(device, &seat->devices, link) {
		if (device->device->type != WLR_INPUT_DEVICE_KEYBOARD) {
			continue;
		}
		struct wlr_keyboard *keyboard = wlr_keyboard_from_input_device(device->device);
		if (keyboard->group == seat->group->group) {
			wlr_keyboard_group_remove_keyboard(seat->group->group, keyboard);
		}
	}
	set_keymap(seat, seat->group->keyboard);
	wlr_keyboard_set_repeat_info(
		seat->group->keyboard, config->repeat_rate, config->repeat_delay);
	wl_list_for_each(device, &seat->devices, link) {
		if (device->device->type == WLR_INPUT_DEVICE_KEYBOARD &&
			wlr_input_device_get_virtual_keyboard(device->device) == NULL) {
			city_keyboard_add(seat, device->device, false);
		}
	}
}

void city_keyboard_add(struct city_seat *seat, struct wlr_input_device *device, bool is_virtual) {
	struct wlr_keyboard *wlr = wlr_keyboard_from_input_device(device);
	if (!is_virtual) {
		if (!wlr_keyboard_set_keymap(wlr, seat->group->keyboard->keymap)) {
			return;
		}
		wlr_keyboard_set_repeat_info(wlr, seat->group->keyboard->repeat_info.rate,
			seat->group->keyboard->repeat_info.delay);
		if (seat->server->config->numlock) {
			lock_numlock(wlr);
		}
		wlr_keyboard_group_add_keyboard(seat->group->group, wlr);
		return;
	}
	/* Virtual keyboards bring keymaps of their own. */
	struct city_keyboard *keyboard = keyboard_create(seat, wlr);
	if (keyboard == NULL) {
		return;
	}
	wlr_keyboard_set_repeat_info(
		wlr, seat->server->config->repeat_rate, seat->server->config->repeat_delay);
	keyboard->destroy.notify = handle_keyboard_destroy;
	wl_signal_add(&device->events.destroy, &keyboard->destroy);
}

bool city_keyboards_init(struct city_seat *seat) {
	struct wlr_keyboard_group *group = wlr_keyboard_group_create();
	if (group == NULL) {
		return false;
	}
	seat->group = keyboard_create(seat, &group->keyboard);
	if (seat->group == NULL) {
		wlr_keyboard_group_destroy(group);
		return false;
	}
	seat->group->group = group;
	wl_list_init(&seat->group->destroy.link);
	if (!set_keymap(seat, &group->keyboard)) {
		city_log(CITY_LOG_ERROR, "keyboard",
			"no keymap at all: is xkeyboard-config installed?");
		keyboard_destroy(seat->group);
		seat->group = NULL;
		return false;
	}
	wlr_keyboard_set_repeat_info(&group->keyboard, seat->server->config->repeat_rate,
		seat->server->config->repeat_delay);
	wlr_seat_set_keyboard(seat->seat, &group->keyboard);
	return true;
}

void city_keyboards_finish(struct city_seat *seat) {
	wlr_seat_set_keyboard(seat->seat, NULL);
	struct city_keyboard *keyboard, *next;
	wl_list_for_each_safe(keyboard, next, &seat->keyboards, link) {
		keyboard_destroy(keyboard);
	}
	seat->group = NULL;
}

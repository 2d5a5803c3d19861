/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <wlr/interfaces/wlr_keyboard.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_keyboard.h>
#include <wlr/types/wlr_seat.h>
#include <xkbcommon/xkbcommon.h>

#include "compositor/handover_input.h"
#include "compositor/lock.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/tile.h"
#include "compositor/view.h"

struct city_input_log {
	struct city_tile *tile;
	struct wlr_surface *to; /* NULL once destroyed, and while input is held */
	bool holds;		/* what nobody gets */
	bool delivered;		/* `to` is A again, and has got all that is in the log */
	struct wl_listener to_destroy;
	struct wl_listener input;
	size_t first, count;
	struct city_input_event events[CITY_INPUT_LOG_MAX]; /* a ring */
};

size_t city_input_log_count(const struct city_input_log *log) {
	return log->count;
}

static void forget(struct city_input_log *log) {
	for (size_t i = 0; i < log->count; i++) {
		xkb_keymap_unref(log->events[(log->first + i) % CITY_INPUT_LOG_MAX].keymap);
	}
	log->count = 0;
}

/* Not what is typed into a locked screen. */
static bool is_nobodys(const struct city_input_log *log, const struct city_input_event *event) {
	const struct city_server *server = log->tile->tiles->server;
	bool keyboard = event->kind == CITY_INPUT_KEY || event->kind == CITY_INPUT_MODIFIERS;
	return !event->surface && keyboard && server->focused == &log->tile->view &&
		!city_lock_active(server->lock);
}

static void handle_input(struct wl_listener *listener, void *data) {
	struct city_input_log *log = wl_container_of(listener, log, input);
	const struct city_input_event *event = data;
	if (log->holds ? !is_nobodys(log, event) : !log->to || event->surface != log->to) {
		return;
	}
	/* A finger on a touchpad would push the keys out of the log. */
	if (event->kind == CITY_INPUT_SCROLL) {
		return;
	}
	if (log->count == CITY_INPUT_LOG_MAX) {
		xkb_keymap_unref(log->events[log->first].keymap);
		log->first = (log->first + 1) % CITY_INPUT_LOG_MAX;
		log->count--;
	}
	struct city_input_event *kept =
		&log->events[(log->first + log->count++) % CITY_INPUT_LOG_MAX];
	*kept = *event;
	kept->keymap = event->keymap ? xkb_keymap_ref(event->keymap) : NULL;
}

/* Focus goes along without waiting for the next event. */
static void move_focus(struct city_seat *seat, struct wlr_surface *from, struct wlr_surface *to) {
	struct wlr_seat_pointer_state *pointer = &seat->seat->pointer_state;
	if (from && seat->press.surface == from) {
		seat->press.surface = to;
	}
	if (to && from && pointer->focused_surface == from && !seat->seat->drag) {
		wlr_seat_pointer_notify_enter(seat->seat, to, pointer->sx, pointer->sy);
		wlr_seat_pointer_notify_frame(seat->seat);
	}
	city_seat_focus_update(seat);
}

static struct city_input_log *log_create(struct city_tile *tile) {
	struct city_input_log *log = calloc(1, sizeof(*log));
	if (log) {
		log->tile = tile;
		log->input.notify = handle_input;
		wl_signal_add(&tile->tiles->server->events.input, &log->input);
	}
	return log;
}

void city_input_settle(struct city_input_log *log) {
	city_view_set_input_surface(&log->tile->view, NULL);
}

/* Keys that are down now, but for those whose press is about to be replayed. */
static size_t keys_before(struct city_input_log *log, const struct wlr_keyboard *keyboard,
	uint32_t keys[WLR_KEYBOARD_KEYS_CAP]) {
	size_t count = 0;
	for (size_t i = 0; i < keyboard->num_keycodes; i++) {
		bool replayed = false;
		for (size_t j = 0; j < log->count && !replayed; j++) {
			const struct city_input_event *event =
				&log->events[(log->first + j) % CITY_INPUT_LOG_MAX];
			replayed = event->kind == CITY_INPUT_KEY && event->state != 0 &&
				event->code == keyboard->keycodes[i];
		}
		if (!replayed) {
			keys[count++] = keyboard->keycodes[i];
		}
	}
	return count;
}

/*
 * A keyboard that is gone by now, such as a virtual one that typed one line, may have had a keymap
 * of its own: for the replay there is one again that has it.
 */
struct stand_in {
	struct wlr_seat *seat;
	struct wlr_keyboard *real; /* may be NULL */
	struct xkb_keymap *keymap; /* that the client knows now */
	struct wlr_keyboard keyboard;
	bool used;
};

static void stand_in_use(struct stand_in *stand_in, struct xkb_keymap *keymap) {
	static const struct wlr_keyboard_impl impl = {.name = "replay"};
	if (!keymap || keymap == stand_in->keymap) {
		return;
	}
	if (!stand_in->used) {
		wlr_keyboard_init(&stand_in->keyboard, &impl, "replay");
		stand_in->used = true;
	}
	stand_in->keymap = keymap;
	if (stand_in->real && keymap == stand_in->real->keymap) {
		wlr_seat_set_keyboard(stand_in->seat, stand_in->real);
	} else if (wlr_keyboard_set_keymap(&stand_in->keyboard, keymap)) {
		wlr_seat_set_keyboard(stand_in->seat, &stand_in->keyboard);
	}
}

static void stand_in_finish(struct stand_in *stand_in) {
	if (stand_in->used) {
		wlr_seat_set_keyboard(stand_in->seat, stand_in->real);
		wlr_keyboard_finish(&stand_in->keyboard);
	}
}

static void send_event(
	struct wlr_seat *seat, const struct city_input_event *event, bool keys, bool pointer) {
	switch (event->kind) {
	case CITY_INPUT_KEY:
		if (keys) {
			wlr_seat_keyboard_send_key(
				seat, event->time_msec, event->code, event->state);
		}
		break;
	case CITY_INPUT_MODIFIERS:
		if (keys) {
			struct wlr_keyboard_modifiers modifiers = event->modifiers;
			wlr_seat_keyboard_send_modifiers(seat, &modifiers);
		}
		break;
	case CITY_INPUT_BUTTON:
		if (pointer) {
			wlr_seat_pointer_send_button(
				seat, event->time_msec, event->code, event->state);
			wlr_seat_pointer_send_frame(seat);
		}
		break;
	case CITY_INPUT_SCROLL:
		break;
	}
}

/* Sends what was logged to a surface that is to get the tile's input from now on. */
static void send_log(struct city_input_log *log, struct wlr_surface *from, struct wlr_surface *to) {
	struct city_seat *seat = log->tile->tiles->server->seat;
	if (!seat) {
		return;
	}
	struct wlr_seat *wlr = seat->seat;
	struct wlr_keyboard *keyboard = wlr_seat_get_keyboard(wlr);
	/* Whoever has the keyboard now: B's surface, or nobody since it is gone. */
	bool due = city_seat_due_surface(seat) == to;
	if (due && keyboard && wlr->keyboard_state.focused_surface != to) {
		uint32_t keys[WLR_KEYBOARD_KEYS_CAP];
		size_t count = keys_before(log, keyboard, keys);
		wlr_seat_keyboard_enter(wlr, to, keys, count, &keyboard->modifiers);
	}
	move_focus(seat, from, to);
	city_pointer_refocus(seat);
	bool has_keys = wlr->keyboard_state.focused_surface == to;
	bool has_pointer = wlr->pointer_state.focused_surface == to;
	struct stand_in stand_in = {
		.seat = wlr,
		.real = keyboard,
		.keymap = keyboard ? keyboard->keymap : NULL,
	};
	for (size_t i = 0; i < log->count; i++) {
		const struct city_input_event *event =
			&log->events[(log->first + i) % CITY_INPUT_LOG_MAX];
		if (has_keys) {
			stand_in_use(&stand_in, event->keymap);
		}
		send_event(wlr, event, has_keys, has_pointer);
	}
	stand_in_finish(&stand_in);
	if (has_keys && keyboard && log->count > 0) {
		wlr_seat_keyboard_send_modifiers(wlr, &keyboard->modifiers);
	}
}

static void watch_surface(struct city_input_log *log, struct wlr_surface *to);

static void handle_to_destroy(struct wl_listener *listener, void *data) {
	struct city_input_log *log = wl_container_of(listener, log, to_destroy);
	struct wlr_surface *gone = log->to, *content = city_view_surface(&log->tile->view);
	wl_list_remove(&log->to_destroy.link);
	log->to = NULL;
	log->delivered = false;
	city_view_set_input_surface(&log->tile->view, NULL);
	/* What is typed from now on goes to A again, after what was typed before. It stays in the
	 * log, for A may be about to end, too. */
	if (content && content != gone) {
		send_log(log, gone, content);
		watch_surface(log, content);
		log->delivered = true;
	}
}

static void watch_surface(struct city_input_log *log, struct wlr_surface *to) {
	log->to = to;
	log->to_destroy.notify = handle_to_destroy;
	wl_signal_add(&to->events.destroy, &log->to_destroy);
}

void city_input_replay(struct city_input_log *log, struct wlr_surface *to) {
	city_view_set_input_surface(&log->tile->view, NULL);
	if (!to) {
		return;
	}
	if (!log->delivered || log->to != to) {
		send_log(log, log->to, to);
	}
	forget(log);
}

struct city_input_log *city_input_redirect(struct city_tile *tile, struct city_input_log *held,
	struct wlr_surface *from, struct wlr_surface *to) {
	struct city_input_log *log = held ? held : log_create(tile);
	if (!log) {
		return NULL;
	}
	log->holds = false;
	watch_surface(log, to);
	city_view_set_input_surface(&tile->view, to);
	send_log(log, from, to);
	return log;
}

struct city_input_log *city_input_hold(struct city_tile *tile, struct city_input_log *log) {
	log = log ? log : log_create(tile);
	if (!log) {
		return NULL;
	}
	if (log->to) {
		wl_list_remove(&log->to_destroy.link);
		log->to = NULL;
	}
	log->delivered = false;
	city_view_set_input_surface(&tile->view, NULL);
	log->holds = true;
	return log;
}

void city_input_log_destroy(struct city_input_log *log) {
	if (!log) {
		return;
	}
	forget(log);
	city_view_set_input_surface(&log->tile->view, NULL);
	if (log->to) {
		wl_list_remove(&log->to_destroy.link);
	}
	wl_list_remove(&log->input.link);
	free(log);
}

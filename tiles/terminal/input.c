/* SPDX-License-Identifier: MIT */
/* Keys, pointer, wheel, pastes: the terminal's own shortcuts first, the program gets the rest. */
#include <linux/input-event-codes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xkbcommon/xkbcommon-keysyms.h>
#include <xkbcommon/xkbcommon.h>

#include "terminal.h"
#include "vt_tile_keys.h"

#define WHEEL_LINES 3	    /* of one detent */
#define DRAG_NS 50000000ull /* between lines that a selection dragged outside scrolls by */
#define FONT_STEP_MIN (-8)
#define FONT_STEP_MAX 20

/* --- keyboard --- */

static void copy_selection(struct terminal *terminal, bool primary) {
	size_t size;
	char *text = selection_text(terminal, &size);
	if (text != NULL) {
		terminal->tile->host->clipboard_set(terminal->tile, primary, text, size);
		free(text);
	}
}

static void change_font(struct terminal *terminal, int step) {
	if (step < FONT_STEP_MIN || step > FONT_STEP_MAX || !font_load(terminal, step)) {
		return;
	}
	terminal->view->font_step = step;
	terminal_resize(terminal);
}

/* The sign on the key; where the layout has no Latin ones, that of a US keyboard. */
static uint32_t sign_of(const struct tile_input_key *key) {
	return key->base_keysym < 0x80 || key->base_keysym >= 0xfd00 ? key->base_keysym
								     : key->us_keysym;
}

/* Larger, smaller and normal text: with Ctrl alone or with Shift where the sign needs it.
 * Ctrl+Shift+minus is left to programs, for which it is Ctrl+_. */
static bool font_shortcut(
	struct terminal *terminal, uint32_t held, uint32_t sign, uint32_t keysym) {
	bool shifted = held == (TILE_MOD_CTRL | TILE_MOD_SHIFT);
	if (held != TILE_MOD_CTRL && !shifted) {
		return false;
	}
	int step = terminal->view->font_step;
	if (sign == XKB_KEY_equal || keysym == XKB_KEY_plus || keysym == XKB_KEY_KP_Add) {
		change_font(terminal, step + 1);
	} else if (!shifted && (sign == XKB_KEY_minus || keysym == XKB_KEY_KP_Subtract)) {
		change_font(terminal, step - 1);
	} else if (!shifted && (sign == XKB_KEY_0 || keysym == XKB_KEY_KP_0)) {
		change_font(terminal, 0);
	} else {
		return false;
	}
	return true;
}

/* The terminal's own keys. True when the key was one. */
static bool shortcut(struct terminal *terminal, const struct tile_input_key *key) {
	uint32_t held = key->modifiers & ~(uint32_t)(TILE_MOD_CAPS | TILE_MOD_NUM);
	struct tile *tile = terminal->tile;
	const struct vt_state *state = terminal->vt.state;
	int64_t page = state->rows > 1 ? state->rows - 1 : 1;
	uint32_t sign = sign_of(key);
	if (held == TILE_MOD_SHIFT && sign == XKB_KEY_Insert) {
		tile->host->clipboard_request(tile, true);
	} else if (held == TILE_MOD_SHIFT && !state->alt && sign == XKB_KEY_Page_Up) {
		terminal_scroll(terminal, page);
	} else if (held == TILE_MOD_SHIFT && !state->alt && sign == XKB_KEY_Page_Down) {
		terminal_scroll(terminal, -page);
	} else if (font_shortcut(terminal, held, sign, key->keysym)) {
		return true;
	} else if (held != (TILE_MOD_CTRL | TILE_MOD_SHIFT)) {
		return false;
	} else if (sign == XKB_KEY_c) {
		copy_selection(terminal, false);
	} else if (sign == XKB_KEY_v) {
		tile->host->clipboard_request(tile, false);
	} else if (sign == XKB_KEY_Home && !state->alt) {
		terminal_scroll(terminal, INT64_MAX / 2);
	} else if (sign == XKB_KEY_End && !state->alt) {
		terminal_scroll_end(terminal);
	} else {
		return false;
	}
	return true;
}

static void handle_key(struct terminal *terminal, const struct tile_input_key *key) {
	if (key->state != TILE_KEY_RELEASED && shortcut(terminal, key)) {
		terminal->view->own_key = key->keycode;
		return;
	}
	if (key->keycode == terminal->view->own_key) {
		terminal->view->own_key = 0;
		if (key->state == TILE_KEY_RELEASED) {
			return;
		}
	}
	if (terminal->view->ended) {
		if (key->state == TILE_KEY_PRESSED &&
			(key->keysym == XKB_KEY_Return || key->keysym == XKB_KEY_KP_Enter)) {
			terminal_start_shell(terminal);
		}
		return;
	}
	struct vt_key event = vt_key_of(key);
	char bytes[VT_KEY_BYTES];
	size_t size = vt_encode_key(&terminal->vt, &event, bytes);
	if (size == 0) {
		return;
	}
	vt_out_put(&terminal->vt, bytes, size);
	if (event.action != VT_KEY_RELEASE) {
		terminal_scroll_end(terminal);
	}
}

/* --- pointer --- */

struct spot {
	uint32_t col, row; /* on the grid, clamped */
	uint32_t edge;	   /* column boundary nearest to the pointer: where a selection would end */
	uint32_t x, y;	   /* px from the grid's corner */
	uint64_t line;
};

static struct spot find_spot(const struct terminal *terminal, double tx, double ty) {
	const struct vt_state *state = terminal->vt.state;
	double x = tx * terminal->scale - terminal->pad;
	double y = ty * terminal->scale - terminal->pad;
	double right = (double)state->cols * terminal->cell_width - 1;
	double bottom = (double)state->rows * terminal->cell_height - 1;
	x = fmax(0, fmin(x, right));
	y = fmax(0, fmin(y, bottom));
	struct spot spot = {
		.col = (uint32_t)(x / terminal->cell_width),
		.row = (uint32_t)(y / terminal->cell_height),
		.edge = (uint32_t)lround(x / terminal->cell_width),
		.x = (uint32_t)x,
		.y = (uint32_t)y,
	};
	spot.line = terminal_top(terminal) + spot.row;
	return spot;
}

static uint32_t core_button(uint32_t button) {
	switch (button) {
	case BTN_LEFT:
		return 1;
	case BTN_MIDDLE:
		return 2;
	case BTN_RIGHT:
		return 3;
	case BTN_SIDE:
	case BTN_BACK:
		return 8;
	case BTN_EXTRA:
	case BTN_FORWARD:
		return 9;
	default:
		return 0;
	}
}

/* Shift keeps the pointer for the terminal, as everywhere. */
static bool program_has_pointer(const struct terminal *terminal, uint32_t modifiers) {
	return vt_mouse_wanted(&terminal->vt) && !(modifiers & TILE_MOD_SHIFT) &&
		!terminal->view->scrolled;
}

static void tell_mouse(struct terminal *terminal, enum vt_mouse_action action, uint32_t button,
	uint32_t modifiers, const struct spot *spot) {
	const struct vt_mouse mouse = {
		.action = action,
		.button = button,
		.mods = vt_modifiers_of(modifiers) & (VT_MOD_SHIFT | VT_MOD_ALT | VT_MOD_CTRL),
		.col = spot->col,
		.row = spot->row,
		.x = spot->x,
		.y = spot->y,
	};
	char bytes[VT_MOUSE_BYTES];
	size_t size = vt_encode_mouse(&terminal->vt, &mouse, bytes);
	vt_out_put(&terminal->vt, bytes, size);
}

static uint32_t link_at(const struct terminal *terminal, const struct spot *spot) {
	const struct vt_cell *cells = vt_line_cells(&terminal->vt, spot->line);
	return cells != NULL ? vt_cell_link(&terminal->vt, &cells[spot->col]) : 0;
}

static void open_link(struct terminal *terminal, uint32_t link) {
	size_t length;
	const char *uri = vt_link_uri(&terminal->vt, link, &length);
	char *copy = uri != NULL ? strndup(uri, length) : NULL;
	if (copy != NULL) {
		terminal->tile->host->open_uri(terminal->tile, copy);
		free(copy);
	}
}

static void press_left(struct terminal *terminal, const struct tile_input_pointer *pointer,
	const struct spot *spot) {
	uint32_t link = link_at(terminal, spot);
	if ((pointer->modifiers & TILE_MOD_CTRL) && link != 0) {
		open_link(terminal, link);
		return;
	}
	if ((pointer->modifiers & TILE_MOD_SHIFT) && terminal->view->selection != SELECTION_NONE &&
		pointer->clicks == 1) {
		terminal->view->selecting = true;
		selection_extend(terminal, spot->line, spot->edge, spot->col);
		return;
	}
	selection_clear(terminal);
	switch (pointer->clicks) {
	case 2:
		selection_start(terminal, spot->line, spot->col, SELECTION_WORDS);
		break;
	case 3:
		selection_start(terminal, spot->line, spot->col, SELECTION_LINES);
		break;
	default:
		selection_start(terminal, spot->line, spot->edge,
			pointer->modifiers & TILE_MOD_ALT ? SELECTION_BLOCK : SELECTION_TEXT);
		break;
	}
}

static void handle_button(struct terminal *terminal, const struct tile_input_pointer *pointer) {
	struct spot spot = find_spot(terminal, pointer->tx, pointer->ty);
	struct view *view = terminal->view;
	uint32_t button = core_button(pointer->button);
	uint32_t bit = 1u << button;
	if (pointer->pressed) {
		if (program_has_pointer(terminal, pointer->modifiers) && button != 0) {
			view->buttons |= bit;
			tell_mouse(terminal, VT_MOUSE_PRESS, button, pointer->modifiers, &spot);
		} else if (pointer->button == BTN_LEFT) {
			press_left(terminal, pointer, &spot);
		} else if (pointer->button == BTN_MIDDLE) {
			terminal->tile->host->clipboard_request(terminal->tile, true);
		}
		return;
	}
	if (view->buttons & bit) { /* what was pressed for the program is released for it */
		view->buttons &= ~bit;
		tell_mouse(terminal, VT_MOUSE_RELEASE, button, pointer->modifiers, &spot);
	} else if (pointer->button == BTN_LEFT && view->selecting) {
		view->selecting = false;
		terminal->view->drag_ns = 0;
		copy_selection(terminal, true);
	}
}

void terminal_drag(struct terminal *terminal) {
	double beyond = terminal->view->drag_y < 0
		? -terminal->view->drag_y
		: terminal->view->drag_y - terminal->tile->height;
	int64_t lines = 1 + (int64_t)(beyond * terminal->scale / terminal->cell_height);
	terminal->view->drag_ns = 0;
	if (!terminal->view->selecting) {
		return;
	}
	terminal_scroll(terminal, terminal->view->drag_y < 0 ? lines : -lines);
	struct spot spot = find_spot(terminal, terminal->view->drag_x, terminal->view->drag_y);
	selection_extend(terminal, spot.line, spot.edge, spot.col);
	terminal->view->drag_ns = terminal->tile->time->now_ns + DRAG_NS;
}

void terminal_hover(struct terminal *terminal) {
	uint32_t link = 0;
	if (terminal->pointer_inside) {
		struct spot spot = find_spot(terminal, terminal->pointer_x, terminal->pointer_y);
		link = link_at(terminal, &spot);
	}
	if (link != terminal->hover_link) {
		terminal->hover_link = link;
		vt_damage_all(&terminal->vt);
	}
}

/* moves: a version that takes over is told where the pointer is, which is no news for a program. */
static void handle_motion(
	struct terminal *terminal, const struct tile_input_pointer *pointer, bool moves) {
	struct spot spot = find_spot(terminal, pointer->tx, pointer->ty);
	struct tile *tile = terminal->tile;
	uint32_t link = link_at(terminal, &spot);
	terminal->pointer_inside = true;
	terminal->pointer_x = pointer->tx;
	terminal->pointer_y = pointer->ty;
	if (terminal->view->selecting) {
		struct view *view = terminal->view;
		if (pointer->ty >= 0 && pointer->ty < tile->height) {
			view->drag_ns = 0;
		} else {
			view->drag_x = pointer->tx;
			view->drag_y = pointer->ty;
			view->drag_ns = view->drag_ns != 0 ? view->drag_ns : tile->time->now_ns;
		}
		selection_extend(terminal, spot.line, spot.edge, spot.col);
		return;
	}
	bool program = program_has_pointer(terminal, pointer->modifiers);
	if (moves && (program || terminal->view->buttons != 0)) {
		uint32_t held = terminal->view->buttons;
		tell_mouse(terminal, VT_MOUSE_MOTION, held != 0 ? (uint32_t)__builtin_ctz(held) : 0,
			pointer->modifiers, &spot);
	}
	tile->host->set_cursor(tile,
		link != 0	  ? TILE_CURSOR_POINTER
			: program ? TILE_CURSOR_DEFAULT
				  : TILE_CURSOR_TEXT);
}

static void tell_steps(struct terminal *terminal, int64_t steps, uint32_t back, uint32_t on,
	const struct tile_input_scroll *scroll, const struct spot *spot) {
	for (int64_t i = 0; i < llabs(steps) && i < 64; i++) {
		tell_mouse(
			terminal, VT_MOUSE_PRESS, steps < 0 ? back : on, scroll->modifiers, spot);
	}
}

static void handle_scroll(struct terminal *terminal, const struct tile_input_scroll *scroll) {
	struct view *view = terminal->view;
	struct spot spot = find_spot(terminal, scroll->tx, scroll->ty);
	double lines = scroll->step_y120 != 0
		? scroll->step_y120 / 120.0 * WHEEL_LINES
		: scroll->dy * terminal->scale / terminal->cell_height;
	bool program = program_has_pointer(terminal, scroll->modifiers);
	if (program) {
		tell_steps(terminal, scroll->step_x120 / 120, 6, 7, scroll, &spot);
	}
	if (view->scroll_rest * lines < 0) {
		view->scroll_rest = 0; /* the other way now */
	}
	view->scroll_rest += lines;
	/* A program gets detents, one for as many lines as a wheel's would make. */
	bool detents = program || terminal->vt.state->alt != 0;
	int64_t whole = (int64_t)(view->scroll_rest / (detents ? WHEEL_LINES : 1));
	view->scroll_rest -= (double)whole * (detents ? WHEEL_LINES : 1);
	if (detents) {
		tell_steps(terminal, whole, 4, 5, scroll, &spot);
	} else if (whole != 0) {
		terminal_scroll(terminal, -whole);
	}
}

/* --- paste --- */

static void handle_paste(struct terminal *terminal, const char *text, size_t size) {
	struct tile *tile = terminal->tile;
	struct view *view = terminal->view;
	if (size == 0 || terminal->pty < 0) {
		return;
	}
	if (view->paste_size != 0) {
		tile_log(tile, 1, "a paste is still under way: this one is dropped");
		return;
	}
	/* The rest of a long paste waits in a cell, so that a handover in the middle loses nothing.
	 */
	if (tile->cell_counts[TERMINAL_PASTE] < size &&
		!tile->host->cell_resize(tile, TERMINAL_PASTE, size)) {
		return;
	}
	if (!vt_paste_begin(&terminal->vt)) {
		tile_log(tile, 1, "the program does not read its input: the paste is dropped");
		return;
	}
	view->paste_at = 0;
	view->paste_size = size;
	memcpy(tile->cells[TERMINAL_PASTE], text, size);
	terminal_scroll_end(terminal);
}

void terminal_input(struct tile *tile, const struct tile_input *event) {
	struct terminal *terminal = tile->scratch;
	switch (event->type) {
	case TILE_INPUT_FOCUS:
		if (terminal->view->focused != event->focus) {
			terminal->view->focused = event->focus;
			vt_focus(&terminal->vt, event->focus);
		}
		break;
	case TILE_INPUT_KEY:
		handle_key(terminal, &event->key);
		break;
	case TILE_INPUT_POINTER_ENTER:
	case TILE_INPUT_POINTER_MOTION:
		handle_motion(terminal, &event->pointer, event->type == TILE_INPUT_POINTER_MOTION);
		break;
	case TILE_INPUT_POINTER_LEAVE:
		terminal->pointer_inside = false;
		break;
	case TILE_INPUT_POINTER_BUTTON:
		handle_button(terminal, &event->pointer);
		break;
	case TILE_INPUT_SCROLL:
		handle_scroll(terminal, &event->scroll);
		break;
	case TILE_INPUT_PASTE:
		handle_paste(terminal, event->paste.text, event->paste.size);
		break;
	case TILE_INPUT_SIZE:
		if (terminal->scale == event->size.scale ||
			font_load(terminal, terminal->view->font_step)) {
			terminal_resize(terminal);
		}
		break;
	case TILE_INPUT_STREAM_END:
	case TILE_INPUT_FILE:
		break; /* terminal.c */
	}
}

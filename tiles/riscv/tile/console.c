/* SPDX-License-Identifier: MIT */
/*
 * The guest's console: what its UART sends, on the terminal's core, and keys for it. The same bytes
 * go through a PTY that the keeper keeps, with `cityctl console --serve` behind it, to whoever else
 * looks on.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xkbcommon/xkbcommon-keysyms.h>

#include "rvtile.h"
#include "theme.h"
#include "vt_tile_keys.h"

#define WHEEL_LINES 3
#define HISTORY 2000
#define MARK_TOP 0
#define PTY "console"

/* ---- memory */

static bool memory_for(
	struct rvtile *rv, uint32_t columns, uint32_t rows, struct vt_memory *memory) {
	struct tile *tile = rv->tile;
	struct vt_memory wanted = {0};
	vt_memory_counts(&wanted, columns, rows, HISTORY);
	for (uint32_t i = 0; i < VT_ARRAYS; i++) {
		if (tile->cell_counts[i] < wanted.count[i] &&
			!tile->host->cell_resize(tile, i, wanted.count[i])) {
			return false;
		}
	}
	for (uint32_t i = 0; i < VT_ARRAYS; i++) {
		memory->at[i] = tile->cells[i];
		memory->count[i] = (uint32_t)tile->cell_counts[i];
	}
	return true;
}

static void handle_event(void *user, const struct vt_event *event) {
	struct rvtile *rv = user;
	switch (event->kind) {
	case VT_EVENT_BELL:
		rv->tile->host->bell(rv->tile);
		break;
	case VT_EVENT_COLORS:
	case VT_EVENT_SCREEN:
		vt_damage_all(&rv->vt);
		break;
	default:
		break;
	}
}

/* ---- those who look on */

/* Nothing is written before the other end has said that it is there: until then the PTY would send
 * it back, as if it had been typed. */
static void flush_said(struct rvtile *rv) {
	struct said *said = rv->tile->cells[CELL_SAID];
	if (rv->console < 0 || !said->ready) {
		return;
	}
	long put = 1;
	while (said->count > 0 && put > 0) {
		uint32_t head = said->head % SAID_MAX;
		uint32_t piece = SAID_MAX - head < said->count ? SAID_MAX - head : said->count;
		put = rv->tile->host->stream_write(
			rv->tile, rv->console, said->bytes + head, piece);
		if (put > 0) {
			said->head = (head + (uint32_t)put) % SAID_MAX;
			said->count -= (uint32_t)put;
		}
	}
	rv->tile->host->stream_watch(rv->tile, rv->console, true, said->count > 0 && put == 0);
}

static void open_pty(struct rvtile *rv) {
	struct tile *tile = rv->tile;
	struct said *said = tile->cells[CELL_SAID];
	const char *set = tile->host->option(tile, "console");
	rv->console = tile->host->stream_claim(tile, PTY);
	if (rv->console < 0 && (!set || strcmp(set, "off") != 0)) {
		static const char *const argv[] = {"cityctl", "console", "--serve", NULL};
		const struct tile_pty_options options = {.argv = argv,
			.columns = (uint16_t)rv->vt.state->cols,
			.rows = (uint16_t)rv->vt.state->rows};
		rv->console = tile->host->pty_open(tile, PTY, &options);
		said->ready = false;
	}
	if (rv->console >= 0) {
		tile->host->stream_watch(tile, rv->console, true, false);
		flush_said(rv);
	}
}

void console_ended(struct rvtile *rv) {
	struct said *said = rv->tile->cells[CELL_SAID];
	if (rv->console >= 0) {
		rv->tile->host->stream_close(rv->tile, rv->console);
		rv->console = -1;
		said->ready = false;
	}
}

void console_ready(struct rvtile *rv, bool readable) {
	struct said *said = rv->tile->cells[CELL_SAID];
	uint8_t bytes[1024];
	long got = 0;
	while (readable &&
		(got = rv->tile->host->stream_read(rv->tile, rv->console, bytes, sizeof(bytes))) >
			0) {
		/* The first byte is no key: it says that the other end is there. */
		size_t first = !said->ready;
		said->ready = true;
		run_type(rv, bytes + first, (size_t)got - first);
	}
	if (got < 0) {
		rv->tile->host->stream_watch(rv->tile, rv->console, false, false);
	} else {
		flush_said(rv);
	}
}

/* ---- what is shown */

uint64_t console_top(const struct rvtile *rv) {
	uint64_t line;
	uint32_t column;
	if (view_of(rv)->scrolled && !rv->vt.state->alt) {
		uint64_t first = vt_line_first(&rv->vt);
		return vt_mark_get(&rv->vt, MARK_TOP, &line, &column) && line > first ? line
										      : first;
	}
	return vt_line_screen(&rv->vt);
}

static void scroll_to_end(struct rvtile *rv) {
	if (view_of(rv)->scrolled) {
		view_of(rv)->scrolled = false;
		vt_mark_clear(&rv->vt, MARK_TOP);
		vt_damage_all(&rv->vt);
	}
}

/* Positive: back. */
static void scroll(struct rvtile *rv, int64_t lines) {
	uint64_t top = console_top(rv), first = vt_line_first(&rv->vt);
	uint64_t screen = vt_line_screen(&rv->vt);
	if (rv->vt.state->alt || lines == 0) {
		return;
	}
	uint64_t by = (uint64_t)(lines > 0 ? lines : -lines);
	top = lines > 0 ? (top - first > by ? top - by : first)
			: (screen - top > by ? top + by : screen);
	if (top == screen) {
		scroll_to_end(rv);
		return;
	}
	view_of(rv)->scrolled = true;
	vt_mark_set(&rv->vt, MARK_TOP, top, 0);
	vt_damage_all(&rv->vt);
}

static void damage_rows(struct rvtile *rv, uint64_t row, uint64_t count) {
	const struct paint_box *console = &rv->layout.console;
	struct paint_box box = {console->x, console->y + (int)row * rv->cell_height, console->width,
		(int)count * rv->cell_height};
	view_damage(rv, &box);
}

static void damage_line(struct rvtile *rv, uint64_t line) {
	uint64_t top = console_top(rv);
	if (line >= top && line - top < rv->vt.state->rows) {
		damage_rows(rv, line - top, 1);
	}
}

static uint32_t cursor_look(const struct rvtile *rv) {
	const struct vt *vt = &rv->vt;
	return vt_mode(vt, VT_MODE_CURSOR)
		? 1u + vt->state->cursor_style * 2u + view_of(rv)->focused
		: 0;
}

void console_damage(struct rvtile *rv) {
	struct vt *vt = &rv->vt;
	uint64_t top = console_top(rv), line = vt_line_screen(vt) + vt->state->row;
	uint32_t look = cursor_look(rv);
	if (vt->dirty_all || top != rv->top_drawn) {
		view_damage(rv, &rv->layout.console);
	} else if (vt_damaged(vt)) {
		for (uint32_t row = 0; row < vt->state->rows; row++) {
			if (vt_line_dirty(vt, top + row)) {
				damage_rows(rv, row, 1);
			}
		}
	}
	if (line != rv->cursor_line || vt->state->col != rv->cursor_column ||
		look != rv->cursor_look) {
		damage_line(rv, rv->cursor_line);
		damage_line(rv, line);
	}
	console_drawn(rv);
}

void console_drawn(struct rvtile *rv) {
	rv->top_drawn = console_top(rv);
	rv->cursor_line = vt_line_screen(&rv->vt) + rv->vt.state->row;
	rv->cursor_column = rv->vt.state->col;
	rv->cursor_look = cursor_look(rv);
	vt_damage_clear(&rv->vt);
}

/* ---- size */

static bool bind_for(struct rvtile *rv, uint32_t columns, uint32_t rows) {
	struct vt_memory memory;
	const char *why;
	if (!memory_for(rv, columns, rows, &memory)) {
		return false;
	}
	if (!vt_bind(&rv->vt, &memory, &why)) {
		tile_log(rv->tile, 0, "the console's state is damaged: %s", why);
		return false;
	}
	vt_set_events(&rv->vt, handle_event, rv);
	return true;
}

void console_resize(struct rvtile *rv) {
	uint32_t columns = rv->layout.columns, rows = rv->layout.rows;
	if (!bind_for(rv, columns, rows)) {
		return;
	}
	struct vt *vt = &rv->vt;
	void *scratch =
		aligned_alloc(16, (vt_resize_scratch(vt, columns, rows) + 15) / 16 * 16 + 16);
	if (!scratch ||
		!vt_resize(vt, columns, rows, (uint32_t)rv->cell_width, (uint32_t)rv->cell_height,
			scratch)) {
		tile_log(rv->tile, 0, "no memory for a console of %u by %u", columns, rows);
	}
	free(scratch);
	vt_damage_all(vt);
	if (rv->console >= 0) {
		const struct tile_pty_options size = {
			.columns = (uint16_t)columns, .rows = (uint16_t)rows};
		rv->tile->host->pty_resize(rv->tile, rv->console, &size);
	}
}

bool console_attach(struct rvtile *rv) {
	const struct vt_state *state = rv->tile->cells[VT_STATE];
	bool fresh = rv->tile->cell_fresh[VT_STATE];
	struct vt_memory memory;
	rv->console = -1;
	if (fresh ? !memory_for(rv, rv->layout.columns, rv->layout.rows, &memory) ||
				!vt_init(&rv->vt, &memory, rv->layout.columns, rv->layout.rows,
					(uint32_t)rv->cell_width, (uint32_t)rv->cell_height,
					HISTORY)
		  : !bind_for(rv, state->cols, state->rows)) {
		tile_log(rv->tile, 0, "no memory for a console of %u by %u", rv->layout.columns,
			rv->layout.rows);
		return false;
	}
	vt_set_events(&rv->vt, handle_event, rv);
	uint32_t colors[VT_COLORS];
	theme_colors(colors);
	colors[VT_COLOR_BG] = COLOUR_GROUND;
	vt_set_colors(&rv->vt, colors);
	open_pty(rv);
	if (!fresh &&
		(rv->vt.state->cols != rv->layout.columns ||
			rv->vt.state->rows != rv->layout.rows)) {
		console_resize(rv);
	}
	vt_damage_all(&rv->vt);
	return true;
}

/* ---- bytes */

/* What the terminal answers goes to the guest. */
static void answer(struct rvtile *rv) {
	size_t size;
	const uint8_t *bytes;
	while ((bytes = vt_out_peek(&rv->vt, &size)) && size > 0) {
		run_type(rv, bytes, size);
		vt_out_drop(&rv->vt, size);
	}
}

void console_output(struct rvtile *rv, const void *bytes, size_t size) {
	vt_feed(&rv->vt, bytes, size);
	answer(rv);
	/* Who does not read in time misses something; the machine waits for nobody. */
	struct said *said = rv->tile->cells[CELL_SAID];
	const uint8_t *from = bytes;
	for (size_t i = 0; i < size; i++) {
		said->bytes[(said->head + said->count) % SAID_MAX] = from[i];
		if (said->count < SAID_MAX) {
			said->count++;
		} else {
			said->head = (said->head + 1) % SAID_MAX;
		}
	}
	flush_said(rv);
}

void console_message(struct rvtile *rv, const char *text) {
	static const char before[] = "\033[0;33m", after[] = "\033[0m\r\n";
	if (rv->vt.state->col > 0) {
		console_output(rv, "\r\n", 2);
	}
	console_output(rv, before, sizeof(before) - 1);
	console_output(rv, text, strlen(text));
	console_output(rv, after, sizeof(after) - 1);
}

/* ---- keys */

static bool shortcut(struct rvtile *rv, const struct tile_input_key *key) {
	uint32_t held = key->modifiers & ~(uint32_t)(TILE_MOD_CAPS | TILE_MOD_NUM);
	uint32_t page = rv->vt.state->rows > 1 ? rv->vt.state->rows - 1 : 1;
	uint32_t sign = key->base_keysym < 0x80 || key->base_keysym >= 0xfd00 ? key->base_keysym
									      : key->us_keysym;
	if (held == TILE_MOD_SHIFT && sign == XKB_KEY_Page_Up) {
		scroll(rv, page);
	} else if (held == TILE_MOD_SHIFT && sign == XKB_KEY_Page_Down) {
		scroll(rv, -(int64_t)page);
	} else if (held == TILE_MOD_SHIFT && sign == XKB_KEY_Insert) {
		rv->tile->host->clipboard_request(rv->tile, true);
	} else if (held != (TILE_MOD_CTRL | TILE_MOD_SHIFT)) {
		return false;
	} else if (sign == XKB_KEY_v) {
		rv->tile->host->clipboard_request(rv->tile, false);
	} else if (sign == XKB_KEY_s) {
		rvtile_press(rv, BUTTON_STEP);
	} else if (sign == XKB_KEY_p || sign == XKB_KEY_r) {
		/* A key that is held is no wish to do that again and again. */
		if (key->state == TILE_KEY_PRESSED) {
			rvtile_press(rv, sign == XKB_KEY_p ? BUTTON_PAUSE : BUTTON_RESTART);
		}
	} else {
		return false;
	}
	return true;
}

static void handle_key(struct rvtile *rv, const struct tile_input_key *key) {
	struct view *view = view_of(rv);
	if (key->state != TILE_KEY_RELEASED && shortcut(rv, key)) {
		view_of(rv)->own_key = key->keycode;
		return;
	}
	if (key->keycode == view->own_key) {
		view->own_key = 0;
		if (key->state == TILE_KEY_RELEASED) {
			return;
		}
	}
	struct vt_key event = vt_key_of(key);
	char bytes[VT_KEY_BYTES];
	size_t size = vt_encode_key(&rv->vt, &event, bytes);
	if (size > 0) {
		run_type(rv, bytes, size);
		scroll_to_end(rv);
	}
}

static void handle_scroll(struct rvtile *rv, const struct tile_input_scroll *event) {
	struct view *view = view_of(rv);
	view->scroll_rest += event->step_y120 ? event->step_y120 / 120.0 * WHEEL_LINES
					      : event->dy * rv->scale / rv->cell_height;
	double whole = trunc(view->scroll_rest);
	view->scroll_rest -= whole;
	scroll(rv, -(int64_t)whole);
}

static void paste(struct rvtile *rv, const char *text, size_t size) {
	vt_paste_begin(&rv->vt);
	answer(rv);
	for (size_t at = 0; at < size;) {
		size_t taken = vt_paste_data(&rv->vt, text + at, size - at);
		answer(rv);
		if (taken == 0) {
			break;
		}
		at += taken;
	}
	vt_paste_end(&rv->vt);
	answer(rv);
}

void console_input(struct rvtile *rv, const struct tile_input *event) {
	switch (event->type) {
	case TILE_INPUT_KEY:
		handle_key(rv, &event->key);
		break;
	case TILE_INPUT_SCROLL:
		handle_scroll(rv, &event->scroll);
		break;
	case TILE_INPUT_PASTE:
		paste(rv, event->paste.text, event->paste.size);
		break;
	case TILE_INPUT_FOCUS:
		view_of(rv)->focused = event->focus;
		break;
	default:
		break;
	}
}

/* SPDX-License-Identifier: MIT */
/* Which lines are shown, what of them has to be drawn again, and synchronised updates. */
#include <math.h>
#include <string.h>

#include "terminal.h"

/* --- the view --- */

uint64_t terminal_top(const struct terminal *terminal) {
	uint64_t line;
	uint32_t col;
	if (terminal->view->scrolled && vt_mark_get(&terminal->vt, MARK_TOP, &line, &col)) {
		uint64_t first = vt_line_first(&terminal->vt);
		uint64_t screen = vt_line_screen(&terminal->vt);
		return line < first ? first : line > screen ? screen : line;
	}
	/* The oldest lines go while one reads them: stay with the oldest that there is. */
	if (terminal->view->scrolled && !terminal->vt.state->alt) {
		return vt_line_first(&terminal->vt);
	}
	return vt_line_screen(&terminal->vt);
}

void terminal_scroll_end(struct terminal *terminal) {
	if (terminal->view->scrolled) {
		terminal->view->scrolled = false;
		vt_mark_clear(&terminal->vt, MARK_TOP);
		vt_damage_all(&terminal->vt);
	}
}

void terminal_scroll(struct terminal *terminal, int64_t lines) {
	struct vt *vt = &terminal->vt;
	uint64_t first = vt_line_first(vt), screen = vt_line_screen(vt);
	uint64_t top = terminal_top(terminal);
	if (lines > 0) {
		top = top - first > (uint64_t)lines ? top - (uint64_t)lines : first;
	} else {
		top = screen - top > (uint64_t)-lines ? top + (uint64_t)-lines : screen;
	}
	if (top == screen) {
		terminal_scroll_end(terminal);
		return;
	}
	terminal->view->scrolled = true;
	vt_mark_set(vt, MARK_TOP, top, 0);
	vt_damage_all(vt);
}

/* --- damage --- */

static void damage_rows(struct terminal *terminal, uint32_t from, uint32_t count) {
	double scale = terminal->scale;
	terminal->tile->host->damage(terminal->tile, 0,
		(terminal->pad + (double)from * terminal->cell_height) / scale,
		terminal->tile->width, (double)count * terminal->cell_height / scale);
}

static void damage_line(struct terminal *terminal, uint64_t line) {
	uint64_t top = terminal_top(terminal);
	if (line >= top && line - top < terminal->vt.state->rows) {
		damage_rows(terminal, (uint32_t)(line - top), 1);
	}
}

static void damage_cursor(struct terminal *terminal) {
	const struct vt *vt = &terminal->vt;
	struct cursor_drawn now = {
		.line = vt_line_screen(vt) + vt->state->row,
		.col = vt->state->col,
	};
	if (vt_mode(vt, VT_MODE_CURSOR) && !terminal->view->blink_off) {
		now.look = 1u + vt->state->cursor_style * 2u + (terminal->tile->focused ? 1 : 0);
	}
	struct cursor_drawn before = terminal->cursor;
	if (before.line == now.line && before.col == now.col && before.look == now.look) {
		return;
	}
	terminal->cursor = now;
	if (before.look != 0) {
		damage_line(terminal, before.line);
	}
	if (now.look != 0) {
		damage_line(terminal, now.line);
	}
}

/* The bar at the right edge moves although no line does, when lines are added below. */
void terminal_damage_bar(struct terminal *terminal) {
	const struct vt *vt = &terminal->vt;
	struct tile *tile = terminal->tile;
	uint64_t first = vt_line_first(vt);
	uint64_t total = vt_line_end(vt) - first;
	struct bar bar = {0};
	if (terminal->view->scrolled && total > vt->state->rows) {
		int height = (int)lround(tile->height * terminal->scale);
		int least = height < 2 * terminal->pad ? height : 2 * terminal->pad;
		bar.height = (int)((double)vt->state->rows / (double)total * height);
		bar.height = bar.height < least ? least : bar.height;
		double share = (double)(terminal_top(terminal) - first) /
			(double)(total - vt->state->rows);
		bar.y = (int)(share * (height - bar.height));
	}
	if (bar.y != terminal->bar.y || bar.height != terminal->bar.height) {
		terminal->bar = bar;
		double width = terminal->pad / terminal->scale;
		tile->host->damage(tile, tile->width - width, 0, width, tile->height);
	}
}

static void damage_now(struct terminal *terminal) {
	struct vt *vt = &terminal->vt;
	struct tile *tile = terminal->tile;
	uint64_t top = terminal_top(terminal);
	if (vt->dirty_all || top != terminal->top_drawn) {
		tile->host->damage(tile, 0, 0, tile->width, tile->height);
		terminal->top_drawn = top;
	} else if (vt_damaged(vt)) {
		uint32_t run = 0;
		for (uint32_t row = 0; row < vt->state->rows; row++) {
			if (vt_line_dirty(vt, top + row)) {
				run++;
			} else if (run > 0) {
				damage_rows(terminal, row - run, run);
				run = 0;
			}
		}
		if (run > 0) {
			damage_rows(terminal, vt->state->rows - run, run);
		}
	}
	vt_damage_clear(vt);
	damage_cursor(terminal);
	terminal_damage_bar(terminal);
	terminal->held_waits = false;
}

void terminal_damage(struct terminal *terminal) {
	if (terminal->view->sync_ns == 0) { /* else all of it is told when the update is complete */
		terminal_hover(terminal);
		damage_now(terminal);
	}
}

/* --- synchronised updates --- */

/*
 * Keep the picture as it is now: it may be drawn at any time while the program makes the next one.
 * One that still waits to be drawn is kept instead: a program that never pauses between its updates
 * is then shown as often as the screen wants, and whole.
 */
static void hold_picture(struct terminal *terminal) {
	struct vt *vt = &terminal->vt;
	struct view *view = terminal->view;
	uint32_t cols = vt->state->cols, rows = vt->state->rows;
	struct vt_cell *held = terminal->tile->cells[TERMINAL_HELD];
	if (terminal->held_waits ||
		terminal->tile->cell_counts[TERMINAL_HELD] < (uint64_t)cols * rows) {
		return;
	}
	damage_now(terminal);
	uint64_t top = terminal_top(terminal);
	for (uint32_t row = 0; row < rows; row++) {
		const struct vt_cell *cells = vt_line_cells(vt, top + row);
		if (cells != NULL) {
			memcpy(held + (size_t)row * cols, cells, cols * sizeof(*cells));
		}
	}
	view->held_cols = cols;
	view->held_rows = rows;
	view->held_top = top;
	view->held_line = vt_line_screen(vt) + vt->state->row;
	view->held_col = vt->state->col;
	view->held_cursor = vt_mode(vt, VT_MODE_CURSOR) ? 1u + vt->state->cursor_style : 0;
	terminal->held_waits = true;
}

void terminal_sync_begin(struct terminal *terminal) {
	if (terminal->view->sync_ns != 0) {
		return;
	}
	hold_picture(terminal);
	terminal->view->held = terminal->view->held_rows == terminal->vt.state->rows &&
		terminal->view->held_cols == terminal->vt.state->cols;
	terminal->view->sync_ns = terminal->tile->time->now_ns + SYNC_LIMIT_NS;
}

void terminal_sync_end(struct terminal *terminal) {
	terminal->view->sync_ns = 0;
	terminal->view->held = false;
}

/* SPDX-License-Identifier: MIT */
/* Rows and cells: erasing, shifting, scrolling. */
#include "vt_int.h"

/* Rows come into use with their whole width to be cleared, whatever the arrays held. */
void vt_rows_fresh(struct vt *vt, uint32_t screen) {
	struct vt_state *s = vt->state;
	s->zero[screen] = 0;
	s->history[screen] = 0;
	for (uint32_t i = 0; i < s->ring[screen]; i++) {
		vt->rows[screen][i] = (struct vt_row){.store = i, .used = (uint16_t)s->cols};
	}
	struct vt_cell *cells = vt->cells[screen];
	for (uint32_t i = 0; i < s->rows; i++) {
		memset(cells + (size_t)i * s->cols, 0, s->cols * sizeof(*cells));
		vt->rows[screen][i].used = 0;
	}
}

static void fill_cells(struct vt_cell *cells, uint32_t from, uint32_t to, struct vt_cell cell) {
	for (uint32_t i = from; i < to; i++) {
		cells[i] = cell;
	}
}

/* The whole row, its flags too. */
void vt_row_clear(struct vt *vt, struct vt_row *row, struct vt_cell blank) {
	struct vt_cell *cells = vt_row_cells(vt, row);
	row->flags = 0;
	if (vt_cell_zero(blank)) {
		memset(cells, 0, row->used * sizeof(*cells));
		row->used = 0;
		return;
	}
	fill_cells(cells, 0, vt->state->cols, blank);
	row->used = (uint16_t)vt->state->cols;
}

/* Cells [from, to) become `cell`. */
void vt_fill(struct vt *vt, uint32_t r, uint32_t from, uint32_t to, struct vt_cell cell) {
	if (from >= to) {
		return;
	}
	struct vt_row *row = vt_screen_row(vt, r);
	struct vt_cell *cells = vt_row_cells(vt, row);
	vt_dirty(vt, r);
	vt_cut_wide(vt, row, from);
	vt_cut_wide(vt, row, to);
	if (to == vt->state->cols) {
		row->flags &= (uint16_t)~VT_ROW_WRAPPED;
	}
	if (!vt_cell_zero(cell)) {
		fill_cells(cells, from, to, cell);
		vt_row_uses(row, to);
		return;
	}
	uint32_t end = vt_min(to, row->used);
	if (from < end) {
		memset(cells + from, 0, (end - from) * sizeof(*cells));
	}
	if (to >= row->used && from < row->used) {
		row->used = (uint16_t)from;
	}
}

void vt_erase(struct vt *vt, uint32_t row, uint32_t from, uint32_t to) {
	if (vt->state->iso_protected) {
		vt_erase_unprotected(vt, row, from, to);
		return;
	}
	vt_fill(vt, row, from, to, vt_blank(vt->state));
}

/* DECSEL and friends: what DECSCA protects stays. */
void vt_erase_unprotected(struct vt *vt, uint32_t r, uint32_t from, uint32_t to) {
	struct vt_row *row = vt_screen_row(vt, r);
	struct vt_cell blank = vt_blank(vt->state);
	for (uint32_t col = from; col < to; col++) {
		if (vt_row_cells(vt, row)[col].at & VT_AT_PROTECTED) {
			continue;
		}
		uint32_t start = col;
		while (col < to && !(vt_row_cells(vt, row)[col].at & VT_AT_PROTECTED)) {
			col++;
		}
		vt_fill(vt, r, start, col, blank);
	}
}

void vt_erase_rows(struct vt *vt, uint32_t from, uint32_t to) {
	for (uint32_t r = from; r < to; r++) {
		vt_erase(vt, r, 0, vt->state->cols);
		if (!vt->state->iso_protected) {
			vt_screen_row(vt, r)->flags = 0;
		}
	}
}

/* Marks on the screen's rows [top, bottom] move by `delta`; those that leave are lost. */
static void move_marks(struct vt *vt, uint32_t top, uint32_t bottom, int64_t delta) {
	struct vt_state *s = vt->state;
	uint64_t first = vt_row_line(s, top);
	uint64_t last = vt_row_line(s, bottom);
	for (int i = 0; i < VT_MARKS; i++) {
		uint64_t line = s->mark_line[i];
		if (line == UINT64_MAX || s->mark_screen[i] != s->alt || line < first ||
			line > last) {
			continue;
		}
		line += (uint64_t)delta;
		s->mark_line[i] = line < first || line > last ? UINT64_MAX : line;
	}
}

/* Word by word: this is most of the cost of scrolling a region. */
static void dirty_rows(struct vt *vt, uint32_t top, uint32_t bottom) {
	uint64_t bit = vt_row_line(vt->state, top) % VT_DIRTY_BITS;
	uint32_t count = bottom + 1 - top;
	while (count > 0) {
		uint32_t shift = bit % 64;
		uint32_t part = vt_min(count, 64 - shift);
		vt->dirty[bit / 64] |= (~UINT64_C(0) >> (64 - part)) << shift;
		bit = (bit + part) % VT_DIRTY_BITS;
		count -= part;
	}
}

/*
 * One line of the whole screen leaves at the top: only indices move. The rows below `bottom` stay
 * where they are on the screen, so they change their lines.
 */
static void scroll_ring(struct vt *vt, uint32_t bottom) {
	struct vt_state *s = vt->state;
	uint32_t screen = s->alt;
	uint32_t keep = screen ? 0 : vt_min(s->history_max, s->ring[0] - s->rows);
	if (s->history[screen] < keep) {
		s->history[screen]++;
	} else {
		s->zero[screen] = vt_slot(s, screen, 1);
		s->first[screen]++;
	}
	if (bottom < s->rows - 1) {
		struct vt_row fresh = *vt_screen_row(vt, s->rows - 1);
		for (uint32_t r = s->rows - 1; r > bottom; r--) {
			*vt_screen_row(vt, r) = *vt_screen_row(vt, r - 1);
		}
		*vt_screen_row(vt, bottom) = fresh;
		move_marks(vt, bottom, s->rows - 1, 1);
		dirty_rows(vt, bottom, s->rows - 1);
	}
	vt_row_clear(vt, vt_screen_row(vt, bottom), vt_blank(s));
	vt_dirty(vt, bottom);
}

/* Records [to, end) become those `count` further down; in one go where the ring does not end. */
static void shift_rows(struct vt *vt, uint32_t to, uint32_t end, uint32_t count) {
	struct vt_row *first = vt_screen_row(vt, to);
	struct vt_row *last = vt_screen_row(vt, end + count - 1);
	if (last > first) {
		memmove(first, first + count, (end - to) * sizeof(*first));
		return;
	}
	for (uint32_t r = to; r < end; r++) {
		*vt_screen_row(vt, r) = *vt_screen_row(vt, r + count);
	}
}

/* The rows' records rotate, their text stays where it is. */
static void rotate_up(struct vt *vt, uint32_t top, uint32_t bottom, uint32_t count) {
	struct vt_row gone[VT_MAX_ROWS];
	for (uint32_t i = 0; i < count; i++) {
		gone[i] = *vt_screen_row(vt, top + i);
	}
	shift_rows(vt, top, bottom + 1 - count, count);
	struct vt_cell blank = vt_blank(vt->state);
	for (uint32_t i = 0; i < count; i++) {
		struct vt_row *row = vt_screen_row(vt, bottom + 1 - count + i);
		*row = gone[i];
		vt_row_clear(vt, row, blank);
	}
}

static void rotate_down(struct vt *vt, uint32_t top, uint32_t bottom, uint32_t count) {
	struct vt_row gone[VT_MAX_ROWS];
	for (uint32_t i = 0; i < count; i++) {
		gone[i] = *vt_screen_row(vt, bottom + 1 - count + i);
	}
	for (uint32_t r = bottom; r >= top + count; r--) {
		*vt_screen_row(vt, r) = *vt_screen_row(vt, r - count);
	}
	struct vt_cell blank = vt_blank(vt->state);
	for (uint32_t i = 0; i < count; i++) {
		struct vt_row *row = vt_screen_row(vt, top + i);
		*row = gone[i];
		vt_row_clear(vt, row, blank);
	}
}

/* With left and right margins only the cells between them move. */
void vt_move_columns(
	struct vt *vt, uint32_t from_row, uint32_t to_row, uint32_t left, uint32_t right) {
	struct vt_row *from = vt_screen_row(vt, from_row);
	struct vt_row *to = vt_screen_row(vt, to_row);
	vt_cut_wide(vt, from, left);
	vt_cut_wide(vt, from, right + 1);
	vt_cut_wide(vt, to, left);
	vt_cut_wide(vt, to, right + 1);
	memcpy(vt_row_cells(vt, to) + left, vt_row_cells(vt, from) + left,
		(right + 1 - left) * sizeof(struct vt_cell));
	vt_row_uses(to, vt_min(from->used, right + 1));
	if (right == vt->state->cols - 1) {
		to->flags &= (uint16_t)~VT_ROW_WRAPPED;
	}
	vt_dirty(vt, to_row);
}

static bool whole_width(const struct vt_state *s) {
	return vt_left_margin(s) == 0 && vt_right_margin(s) == s->cols - 1;
}

/* The text above `top` and in `bottom` no longer goes on where it went on. */
static void unlink_rows(struct vt *vt, uint32_t top, uint32_t bottom) {
	if (top > 0) {
		vt_screen_row(vt, top - 1)->flags &= (uint16_t)~VT_ROW_WRAPPED;
	}
	vt_screen_row(vt, bottom)->flags &= (uint16_t)~VT_ROW_WRAPPED;
}

/*
 * Rows top..bottom, both inclusive, between the left and right margins. With `keep`, what leaves
 * the main screen at the top goes into the history.
 */
void vt_scroll_up(struct vt *vt, uint32_t top, uint32_t bottom, uint32_t count, bool keep) {
	struct vt_state *s = vt->state;
	count = vt_min(count, bottom + 1 - top);
	if (count == 0) {
		return;
	}
	if (!whole_width(s)) {
		uint32_t left = vt_left_margin(s), right = vt_right_margin(s);
		for (uint32_t r = top; r + count <= bottom; r++) {
			vt_move_columns(vt, r + count, r, left, right);
		}
		for (uint32_t r = bottom + 1 - count; r <= bottom; r++) {
			vt_fill(vt, r, left, right + 1, vt_blank(s));
		}
		return;
	}
	unlink_rows(vt, top, bottom);
	if (top == 0 && (s->alt ? bottom == s->rows - 1 : keep)) {
		for (uint32_t i = 0; i < count; i++) {
			scroll_ring(vt, bottom);
		}
		return;
	}
	rotate_up(vt, top, bottom, count);
	move_marks(vt, top, bottom, -(int64_t)count);
	dirty_rows(vt, top, bottom);
}

void vt_scroll_down(struct vt *vt, uint32_t top, uint32_t bottom, uint32_t count) {
	struct vt_state *s = vt->state;
	count = vt_min(count, bottom + 1 - top);
	if (count == 0) {
		return;
	}
	if (!whole_width(s)) {
		uint32_t left = vt_left_margin(s), right = vt_right_margin(s);
		for (uint32_t r = bottom; r >= top + count; r--) {
			vt_move_columns(vt, r - count, r, left, right);
		}
		for (uint32_t r = top; r < top + count; r++) {
			vt_fill(vt, r, left, right + 1, vt_blank(s));
		}
		return;
	}
	unlink_rows(vt, top, bottom);
	rotate_down(vt, top, bottom, count);
	unlink_rows(vt, top, bottom);
	move_marks(vt, top, bottom, count);
	dirty_rows(vt, top, bottom);
}

/* Cells from `col` move right by `count`; what passes `to` is lost. */
void vt_insert_cells(struct vt *vt, uint32_t r, uint32_t col, uint32_t to, uint32_t count) {
	struct vt_row *row = vt_screen_row(vt, r);
	struct vt_cell *cells = vt_row_cells(vt, row);
	count = vt_min(count, to - col);
	vt_cut_wide(vt, row, col);
	vt_cut_wide(vt, row, to - count);
	vt_cut_wide(vt, row, to);
	memmove(cells + col + count, cells + col, (to - col - count) * sizeof(*cells));
	if (row->used > col) {
		vt_row_uses(row, vt_min(row->used + count, to));
	}
	vt_fill(vt, r, col, col + count, vt_blank(vt->state));
	if (to == vt->state->cols) {
		row->flags &= (uint16_t)~VT_ROW_WRAPPED;
	}
	vt_dirty(vt, r);
}

void vt_delete_cells(struct vt *vt, uint32_t r, uint32_t col, uint32_t to, uint32_t count) {
	struct vt_row *row = vt_screen_row(vt, r);
	struct vt_cell *cells = vt_row_cells(vt, row);
	count = vt_min(count, to - col);
	vt_cut_wide(vt, row, col);
	vt_cut_wide(vt, row, col + count);
	vt_cut_wide(vt, row, to);
	memmove(cells + col, cells + col + count, (to - col - count) * sizeof(*cells));
	cells[to - count].ch = 0; /* may be a tail whose lead has moved on */
	vt_fill(vt, r, to - count, to, vt_blank(vt->state));
	vt_dirty(vt, r);
}

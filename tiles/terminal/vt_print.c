/* SPDX-License-Identifier: MIT */
/* Characters onto the grid. */
#include "vt_int.h"

/* The row that the cursor came from goes on in the row that it is in now. */
void vt_wrap(struct vt *vt) {
	struct vt_state *s = vt->state;
	uint32_t from = s->row;
	vt_line_feed(vt);
	s->col = vt_left_margin(s);
	bool whole = s->col == 0 && vt_right_margin(s) == s->cols - 1;
	bool moved = s->row != from;
	bool scrolled = !moved && from == s->bottom && (s->top < s->bottom || s->top == 0);
	uint32_t line = s->history[s->alt] + s->row;
	if (whole && (moved || scrolled) && line > 0) {
		vt->rows[s->alt][vt_slot(s, s->alt, line - 1)].flags |= VT_ROW_WRAPPED;
	}
}

static inline void put(struct vt *vt, uint32_t cp, uint32_t width, uint32_t limit) {
	struct vt_state *s = vt->state;
	uint32_t r = s->row, col = s->col, ch = cp;
	if (s->modes & VT_BIT(VT_MODE_IRM)) {
		vt_insert_cells(vt, r, col, limit + 1, width);
	}
	struct vt_row *row = vt_screen_row(vt, r);
	struct vt_cell *cells = vt_row_cells(vt, row);
	vt_cut_wide(vt, row, col);
	vt_cut_wide(vt, row, col + width);
	struct vt_cell cell = vt_pen(s);
	if (width == 2) {
		cell.ch = VT_CH_TAIL;
		cells[col + 1] = cell;
		ch |= VT_CH_WIDE;
	}
	cell.ch = ch;
	cells[col] = cell;
	vt_row_uses(row, col + width);
	if (col + width == s->cols) {
		row->flags &= (uint16_t)~VT_ROW_WRAPPED;
	}
	vt_dirty(vt, r);
	vt_advance(s, cp, r, col, width, limit);
}

/* The column of the character left of the cursor; false if there can be none. */
static bool previous_col(struct vt *vt, uint32_t *col) {
	const struct vt_state *s = vt->state;
	if (!s->pending_wrap && s->col == 0) {
		return false;
	}
	*col = s->pending_wrap ? s->col : s->col - 1;
	const struct vt_cell *cells = vt_row_cells(vt, vt_screen_row(vt, s->row));
	if (cells[*col].ch & VT_CH_TAIL && *col > 0) {
		--*col;
	}
	return true;
}

/* One more code point into the cell at `col`. One that has the most already keeps what it has. */
static void add_to_cell(struct vt *vt, uint32_t col, uint32_t cp) {
	struct vt_state *s = vt->state;
	struct vt_row *row = vt_screen_row(vt, s->row);
	struct vt_cell *cell = vt_row_cells(vt, row) + col;
	uint32_t cps[VT_CLUSTER_CPS + 1];
	uint32_t count = vt_cell_cps(vt, cell, cps);
	if (count == VT_CLUSTER_CPS) {
		return;
	}
	if (count == 0) {
		cps[count++] = ' ';
	}
	cps[count++] = cp;
	uint32_t cluster = vt_intern_cluster(vt, cps, count);
	if (cluster == 0) {
		return;
	}
	cell->ch = (cell->ch & VT_CH_WIDE) | VT_CH_CLUSTER | cluster;
	vt_row_uses(row, col + 1);
	vt_dirty(vt, s->row);
}

/* The cluster left of the cursor turned out to be two cells wide. At the margin it cannot. */
static void widen(struct vt *vt, uint32_t col) {
	struct vt_state *s = vt->state;
	uint32_t limit = vt_right_limit(s);
	if (s->pending_wrap || s->col != col + 1) {
		return;
	}
	if (s->modes & VT_BIT(VT_MODE_IRM)) {
		vt_insert_cells(vt, s->row, s->col, limit + 1, 1);
	}
	struct vt_row *row = vt_screen_row(vt, s->row);
	struct vt_cell *cells = vt_row_cells(vt, row);
	vt_cut_wide(vt, row, col + 2);
	cells[col].ch |= VT_CH_WIDE;
	cells[col + 1] = cells[col];
	cells[col + 1].ch = VT_CH_TAIL;
	vt_row_uses(row, col + 2);
	if (col + 2 == s->cols) {
		row->flags &= (uint16_t)~VT_ROW_WRAPPED;
	}
	vt_advance(s, s->last_cp, s->row, s->col, 1, limit);
}

/* Mode 2027: does `cp` belong to the character before it? Then it is put there. */
static bool join(struct vt *vt, uint32_t cp, int width) {
	struct vt_state *s = vt->state;
	uint32_t col, cps[VT_CLUSTER_CPS];
	if (cp < 0x80 || s->last_cp == 0 || s->last_row != s->row || s->last_col != s->col ||
		!previous_col(vt, &col)) {
		return false;
	}
	struct vt_cell *cell = vt_row_cells(vt, vt_screen_row(vt, s->row)) + col;
	uint32_t count = vt_cell_cps(vt, cell, cps);
	if (count == 0 || !vt_joins(cps, count, cp)) {
		return false;
	}
	add_to_cell(vt, col, cp);
	bool flag = cp >= 0x1f1e6 && cp <= 0x1f1ff;
	bool emoji = cp == 0xfe0f && vt_width(cps[0]) > 0 && cps[0] >= 0xa9;
	if (!(cell->ch & VT_CH_WIDE) && (width == 2 || flag || emoji)) {
		widen(vt, col);
	}
	s->last_cp = cp;
	return true;
}

static uint32_t translate(struct vt_state *s, uint32_t cp) {
	uint8_t set = s->charsets[s->gl];
	if (s->single_shift) {
		set = s->charsets[s->single_shift];
		s->single_shift = 0;
	}
	return set == VT_CHARSET_ASCII ? cp : vt_charset_map(set, cp);
}

static void print_wide_or_narrow(struct vt *vt, uint32_t cp, uint32_t width) {
	struct vt_state *s = vt->state;
	bool wraps = s->modes & VT_BIT(VT_MODE_WRAP);
	if (s->pending_wrap && wraps) {
		vt_wrap(vt);
	}
	uint32_t limit = vt_right_limit(s);
	if (s->col + width - 1 > limit) {
		uint32_t left = vt_left_margin(s);
		if (!wraps || limit < left + width - 1) {
			s->pending_wrap = 1;
			return;
		}
		/* Two cells do not fit into the last one. */
		struct vt_cell pad = vt_pen(s);
		pad.ch = VT_CH_PAD;
		vt_fill(vt, s->row, s->col, s->col + 1, pad);
		vt_wrap(vt);
		limit = vt_right_limit(s);
	}
	put(vt, cp, width, limit);
}

static inline int quick_width(uint32_t cp) {
	if (cp < 0x300) {
		return 1;
	}
	if ((cp >= 0x4e00 && cp <= 0x9fff) || (cp >= 0xac00 && cp <= 0xd7a3)) {
		return 2;
	}
	if ((cp >= 0x2500 && cp <= 0x25fc) || (cp >= 0x390 && cp <= 0x482)) {
		return 1;
	}
	return vt_width(cp);
}

/* A character that is no control; a single graphic one is what REP repeats. */
void vt_print(struct vt *vt, uint32_t cp) {
	struct vt_state *s = vt->state;
	if (cp < 0x80) {
		cp = translate(s, cp);
	} else {
		s->single_shift = 0;
	}
	int width = quick_width(cp);
	if (s->modes & VT_BIT(VT_MODE_GRAPHEMES) && join(vt, cp, width)) {
		return;
	}
	if (width <= 0) {
		uint32_t col;
		if (previous_col(vt, &col)) {
			add_to_cell(vt, col, cp);
		}
		return;
	}
	print_wide_or_narrow(vt, cp, (uint32_t)width);
}

void vt_repeat(struct vt *vt, uint32_t count) {
	struct vt_state *s = vt->state;
	uint32_t cp = s->last_cp;
	int width = cp ? quick_width(cp) : 0;
	if (width <= 0) {
		return;
	}
	/* Beyond a screenful and the history nothing new can come of it. */
	uint64_t most = (uint64_t)s->cols * (s->rows + s->ring[0]);
	for (; count > 0 && most > 0; count--, most--) {
		print_wide_or_narrow(vt, cp, (uint32_t)width);
	}
}

/* The length of the well-formed character at `at`, with its value; 0: cut off, wrong or a control.
 */
static inline uint32_t decode(const uint8_t *at, const uint8_t *end, uint32_t *cp) {
	uint32_t c = at[0];
	if (c >= 0xc3 && c <= 0xdf && end - at >= 2 && (at[1] & 0xc0) == 0x80) {
		*cp = (c & 0x1f) << 6 | (at[1] & 0x3fu);
		return 2;
	}
	/* Not the first bytes that allow only some second ones. */
	if (c >= 0xe1 && c <= 0xef && c != 0xed && end - at >= 3 && (at[1] & 0xc0) == 0x80 &&
		(at[2] & 0xc0) == 0x80) {
		*cp = (c & 0x0f) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
		return 3;
	}
	if (c == 0xf0 && end - at >= 4 && at[1] >= 0x90 && at[1] <= 0xbf &&
		(at[2] & 0xc0) == 0x80 && (at[3] & 0xc0) == 0x80) {
		*cp = (at[1] & 0x3fu) << 12 | (at[2] & 0x3fu) << 6 | (at[3] & 0x3fu);
		return 4;
	}
	return 0;
}

/*
 * Characters of one row, ASCII among them, as long as each simply goes into the next cells; gives
 * where it stopped, which may be at once.
 */
const uint8_t *vt_print_mixed(struct vt *vt, const uint8_t *at, const uint8_t *end) {
	struct vt_state *s = vt->state;
	if (s->pending_wrap || s->modes & (VT_BIT(VT_MODE_IRM) | VT_BIT(VT_MODE_GRAPHEMES))) {
		return at;
	}
	bool ascii = s->charsets[s->gl] == VT_CHARSET_ASCII;
	uint32_t limit = vt_right_limit(s), r = s->row, first = s->col, col = first, cp = 0;
	struct vt_row *row = vt_screen_row(vt, r);
	struct vt_cell *cells = vt_row_cells(vt, row);
	vt_lanes pen = {0, vt_pen_word(s, 1), vt_pen_word(s, 2), vt_pen_word(s, 3)};
	while (at < end && col <= limit) {
		uint32_t next = *at, length = 1, width = 1;
		if (next < 0x80) {
			if (!ascii || next < 0x20 || next == 0x7f) {
				break;
			}
		} else {
			length = decode(at, end, &next);
			int w = length ? quick_width(next) : 0;
			if (w <= 0 || col + (uint32_t)w - 1 > limit) {
				break;
			}
			width = (uint32_t)w;
		}
		if (col == first) {
			vt_cut_wide(vt, row, col);
		}
		vt_lanes cell = pen;
		cell[0] = width == 2 ? next | VT_CH_WIDE : next;
		*(vt_lanes *)(cells + col) = cell;
		if (width == 2) {
			cell[0] = VT_CH_TAIL;
			*(vt_lanes *)(cells + col + 1) = cell;
		}
		cp = next;
		col += width;
		at += length;
	}
	if (col == first) {
		return at;
	}
	if (col < row->used && cells[col].ch & VT_CH_TAIL) {
		cells[col].ch = 0; /* its left half has just been written over */
	}
	vt_row_uses(row, col);
	if (col == s->cols) {
		row->flags &= (uint16_t)~VT_ROW_WRAPPED;
	}
	vt_dirty(vt, r);
	s->single_shift = 0;
	vt_advance(s, cp, r, first, col - first, limit);
	return at;
}

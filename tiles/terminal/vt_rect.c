/* SPDX-License-Identifier: MIT */
/* Rectangles: filling, erasing, copying, changing how they look, and their checksum. */
#include "vt_int.h"

struct rect {
	uint32_t top, left, bottom, right; /* inclusive */
};

/* From parameter n on: top, left, bottom, right. In origin mode they count from the margins. */
static bool get_rect(
	const struct vt *vt, const struct vt_sequence *q, uint32_t n, struct rect *rect) {
	const struct vt_state *s = vt->state;
	bool origin = s->modes & VT_BIT(VT_MODE_ORIGIN);
	uint32_t row0 = origin ? s->top : 0, col0 = origin ? vt_left_margin(s) : 0;
	uint32_t row_end = origin ? s->bottom : s->rows - 1;
	uint32_t col_end = origin ? vt_right_margin(s) : s->cols - 1;
	rect->top = row0 + vt_param(q, n, 1) - 1;
	rect->left = col0 + vt_param(q, n + 1, 1) - 1;
	rect->bottom = vt_min(row0 + vt_param(q, n + 2, row_end - row0 + 1) - 1, row_end);
	rect->right = vt_min(col0 + vt_param(q, n + 3, col_end - col0 + 1) - 1, col_end);
	return rect->top <= rect->bottom && rect->left <= rect->right;
}

static void fill(struct vt *vt, const struct vt_sequence *q) {
	struct vt_state *s = vt->state;
	struct rect rect;
	uint32_t cp = vt_param(q, 0, ' ');
	if (!get_rect(vt, q, 1, &rect) || vt_width(cp) != 1) {
		return;
	}
	struct vt_cell cell = vt_pen(s);
	cell.ch = cp < 0x80 ? vt_charset_map(s->charsets[s->gl], cp) : cp;
	for (uint32_t r = rect.top; r <= rect.bottom; r++) {
		vt_fill(vt, r, rect.left, rect.right + 1, cell);
	}
}

static void erase(struct vt *vt, const struct vt_sequence *q, bool selective) {
	struct rect rect;
	if (!get_rect(vt, q, 0, &rect)) {
		return;
	}
	for (uint32_t r = rect.top; r <= rect.bottom; r++) {
		if (selective) {
			vt_erase_unprotected(vt, r, rect.left, rect.right + 1);
		} else {
			vt_fill(vt, r, rect.left, rect.right + 1, vt_blank(vt->state));
		}
	}
}

/* Cells of one row; they may overlap. */
static void copy_row(struct vt *vt, uint32_t from_row, uint32_t from, uint32_t to_row, uint32_t to,
	uint32_t count) {
	struct vt_row *source = vt_screen_row(vt, from_row);
	struct vt_row *target = vt_screen_row(vt, to_row);
	vt_cut_wide(vt, source, from);
	vt_cut_wide(vt, source, from + count);
	vt_cut_wide(vt, target, to);
	vt_cut_wide(vt, target, to + count);
	memmove(vt_row_cells(vt, target) + to, vt_row_cells(vt, source) + from,
		count * sizeof(struct vt_cell));
	vt_row_uses(target, to + count);
	if (to + count == vt->state->cols) {
		target->flags &= (uint16_t)~VT_ROW_WRAPPED;
	}
	vt_dirty(vt, to_row);
	vt_dirty(vt, from_row);
}

/* DECCRA; pages there are none. */
static void copy(struct vt *vt, const struct vt_sequence *q) {
	const struct vt_state *s = vt->state;
	struct rect from, to;
	struct vt_sequence target = {
		.params = {vt_param(q, 5, 1), vt_param(q, 6, 1)},
		.count = 2,
	};
	if (!get_rect(vt, q, 0, &from) || !get_rect(vt, &target, 0, &to)) {
		return;
	}
	uint32_t rows = vt_min(from.bottom - from.top, to.bottom - to.top) + 1;
	uint32_t cols = vt_min(from.right - from.left, to.right - to.left) + 1;
	rows = vt_min(rows, s->rows - to.top);
	for (uint32_t i = 0; i < rows; i++) {
		uint32_t r = to.top > from.top ? rows - 1 - i : i;
		copy_row(vt, from.top + r, from.left, to.top + r, to.left, cols);
	}
}

/* ---- DECCARA, DECRARA ---- */

static const struct {
	uint16_t number;
	uint16_t at;
} reversible[] = {{1, VT_AT_BOLD}, {4, VT_AT_UNDERLINE}, {5, VT_AT_BLINK}, {7, VT_AT_INVERSE},
	{8, VT_AT_CONCEAL}};

static void reverse_cell(const struct vt_sequence *q, struct vt_cell *cell) {
	for (uint32_t n = 4; n < vt_max(q->count, 5); n++) {
		uint32_t p = vt_param(q, n, 0);
		for (size_t i = 0; i < sizeof(reversible) / sizeof(reversible[0]); i++) {
			if (p != 0 && p != reversible[i].number) {
				continue;
			}
			uint32_t bits = reversible[i].at;
			if (bits == VT_AT_UNDERLINE) {
				bool on = cell->at & VT_AT_UNDERLINE;
				cell->at &= ~VT_AT_UNDERLINE;
				cell->at |= on ? 0 : VT_UNDERLINE_SINGLE << 3;
			} else {
				cell->at ^= bits;
			}
		}
	}
}

static void change_cell(const struct vt_sequence *q, struct vt_cell *cell) {
	uint32_t underline = 0;
	if (q->count <= 4) {
		static const struct vt_sequence zero = {.count = 1};
		vt_sgr_apply(&zero, 0, cell, &underline);
		return;
	}
	for (uint32_t n = 4; n < q->count;) {
		n = vt_sgr_apply(q, n, cell, &underline);
	}
}

static void change(struct vt *vt, const struct vt_sequence *q, bool reverse) {
	const struct vt_state *s = vt->state;
	struct rect rect;
	if (!get_rect(vt, q, 0, &rect)) {
		return;
	}
	/* As a stream of text it takes whole rows but for the first and the last. */
	bool stream = !s->rect_exact;
	for (uint32_t r = rect.top; r <= rect.bottom; r++) {
		uint32_t from = !stream || r == rect.top ? rect.left : vt_left_margin(s);
		uint32_t to = !stream || r == rect.bottom ? rect.right : vt_right_margin(s);
		struct vt_row *row = vt_screen_row(vt, r);
		struct vt_cell *cells = vt_row_cells(vt, row);
		for (uint32_t col = from; col <= to; col++) {
			if (reverse) {
				reverse_cell(q, &cells[col]);
			} else {
				change_cell(q, &cells[col]);
			}
		}
		vt_row_uses(row, to + 1);
		vt_dirty(vt, r);
	}
}

/* ---- DECRQCRA ---- */

#define CHECKSUM_POSITIVE 0x01u
#define CHECKSUM_PLAIN 0x02u	  /* without the attributes */
#define CHECKSUM_NO_TRIM 0x04u	  /* trailing blanks count */
#define CHECKSUM_NO_UNDRAWN 0x08u /* what was never written counts nothing */
#define CHECKSUM_BYTE 0x10u	  /* only the low byte of each character */

static uint32_t cell_sum(const struct vt *vt, const struct vt_cell *cell) {
	uint32_t how = vt->state->checksum;
	uint32_t cps[VT_CLUSTER_CPS];
	uint32_t count = vt_cell_cps(vt, cell, cps);
	uint32_t sum = 0;
	for (uint32_t i = 0; i < count; i++) {
		sum += how & CHECKSUM_BYTE ? cps[i] & 0xff : cps[i];
	}
	if (count == 0 && !(cell->ch & VT_CH_TAIL) && !(how & CHECKSUM_NO_UNDRAWN)) {
		sum = ' ';
	}
	if (!(how & CHECKSUM_PLAIN)) {
		sum += (cell->at & VT_AT_PROTECTED ? 0x04 : 0) +
			(cell->at & VT_AT_CONCEAL ? 0x08 : 0) +
			(cell->at & VT_AT_UNDERLINE ? 0x10 : 0) +
			(cell->at & VT_AT_INVERSE ? 0x20 : 0) +
			(cell->at & (VT_AT_BLINK | VT_AT_RAPID_BLINK) ? 0x40 : 0) +
			(cell->at & VT_AT_BOLD ? 0x80 : 0);
	}
	return sum;
}

static uint32_t checksum(const struct vt *vt, const struct rect *rect) {
	const struct vt_state *s = vt->state;
	uint32_t total = 0;
	for (uint32_t r = rect->top; r <= rect->bottom; r++) {
		const struct vt_cell *cells = vt_row_cells(vt, vt_screen_row(vt, r));
		uint32_t blanks = 0;
		for (uint32_t col = rect->left; col <= rect->right; col++) {
			uint32_t sum = cell_sum(vt, &cells[col]);
			/* The row's first cell counts in any case. */
			if (sum == ' ' && col != rect->left && !(s->checksum & CHECKSUM_NO_TRIM)) {
				blanks += sum;
				continue;
			}
			total += blanks + sum;
			blanks = 0;
		}
	}
	return (s->checksum & CHECKSUM_POSITIVE ? total : -total) & 0xffff;
}

static void request_checksum(struct vt *vt, const struct vt_sequence *q) {
	struct rect rect;
	uint32_t sum = get_rect(vt, q, 2, &rect) ? checksum(vt, &rect) : 0;
	vt_reply(vt, "\033P%u!~%04X\033\\", vt_param(q, 0, 0), (unsigned)sum);
}

bool vt_rectangles(struct vt *vt, const struct vt_sequence *q) {
	struct vt_state *s = vt->state;
	if (q->private) {
		return false;
	}
	switch ((uint32_t)q->inters[0] << 8 | q->final) {
	case '$' << 8 | 'r':
		change(vt, q, false);
		return true;
	case '$' << 8 | 't':
		change(vt, q, true);
		return true;
	case '$' << 8 | 'v':
		copy(vt, q);
		return true;
	case '$' << 8 | 'x':
		fill(vt, q);
		return true;
	case '$' << 8 | 'z':
		erase(vt, q, false);
		return true;
	case '$' << 8 | '{':
		erase(vt, q, true);
		return true;
	case '*' << 8 | 'x':
		s->rect_exact = vt_param(q, 0, 0) == 2;
		return true;
	case '*' << 8 | 'y':
		request_checksum(vt, q);
		return true;
	case '#' << 8 | 'y':
		s->checksum = (uint8_t)vt_param(q, 0, 0);
		return true;
	default:
		return false;
	}
}

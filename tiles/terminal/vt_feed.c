/* SPDX-License-Identifier: MIT */
/*
 * The way in, with short cuts for what lies whole in the input: runs of text, control sequences,
 * the middle of strings. A short cut takes something whole or leaves it untouched, and leaves
 * behind what vt_parse.c would byte by byte. What coloured text needs for each character is in this
 * one file, so that the compiler sees it all.
 */
#include "vt_int.h"

/* ---- ASCII ---- */

/* The end of the printable ASCII that begins at `at`. */
static const uint8_t *printable_end(const uint8_t *at, const uint8_t *end) {
	while (end - at >= 8) {
		uint64_t w;
		memcpy(&w, at, 8);
		const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
		uint64_t low = (w - ones * 0x20) & ~w; /* below 0x20 */
		uint64_t del = w ^ ones * 0x7f;
		uint64_t is_del = (del - ones) & ~del; /* equal to 0x7f */
		uint64_t bad = (low | is_del | w) & highs;
		if (bad) {
			/* The lowest bit is exact, whatever borrows did above it. */
			return at + __builtin_ctzll(bad) / 8;
		}
		at += 8;
	}
	while (at < end && *at >= 0x20 && *at < 0x7f) {
		at++;
	}
	return at;
}

static inline void put_ascii(
	struct vt *vt, const uint8_t *text, uint32_t r, uint32_t col, uint32_t count) {
	struct vt_state *s = vt->state;
	struct vt_row *row = vt_screen_row(vt, r);
	vt_cut_wide(vt, row, col);
	vt_cut_wide(vt, row, col + count);
	vt_lanes pen = {0, vt_pen_word(s, 1), vt_pen_word(s, 2), vt_pen_word(s, 3)};
	vt_lanes *to = (vt_lanes *)(vt_row_cells(vt, row) + col);
	for (uint32_t i = 0; i < count; i++) {
		vt_lanes cell = pen;
		cell[0] = text[i];
		to[i] = cell;
	}
	vt_row_uses(row, col + count);
	if (col + count == s->cols) {
		row->flags &= (uint16_t)~VT_ROW_WRAPPED;
	}
	vt_dirty(vt, r);
}

/* As many printable ASCII characters as there are; gives where it stopped. */
static inline const uint8_t *print_ascii(struct vt *vt, const uint8_t *at, const uint8_t *end) {
	struct vt_state *s = vt->state;
	if (s->single_shift || s->charsets[s->gl] != VT_CHARSET_ASCII ||
		s->modes & VT_BIT(VT_MODE_IRM)) {
		vt_print(vt, *at);
		return at + 1;
	}
	end = at + 1 < end && at[1] < 0x20 ? at + 1 : printable_end(at, end);
	bool wraps = s->modes & VT_BIT(VT_MODE_WRAP);
	while (at < end) {
		if (s->pending_wrap) {
			if (wraps) {
				vt_wrap(vt);
			} else {
				at = end - 1; /* only the last one stays */
			}
		}
		uint32_t limit = vt_right_limit(s);
		uint32_t row = s->row, col = s->col;
		uint32_t count = limit + 1 - col;
		if ((size_t)(end - at) < count) {
			count = (uint32_t)(end - at);
		}
		put_ascii(vt, at, row, col, count);
		at += count;
		vt_advance(s, at[-1], row, col, count, limit);
	}
	return at;
}

/* ---- SGR ---- */

static uint32_t rgb(uint32_t r, uint32_t g, uint32_t b) {
	return VT_COLOR_RGB | vt_min(r, 255) << 16 | vt_min(g, 255) << 8 | vt_min(b, 255);
}

static bool follows_colon(const struct vt_sequence *q, uint32_t n) {
	return n < q->count && q->separators >> n & 1;
}

/*
 * 38, 48, 58: 38;5;N  38;2;R;G;B  38:5:N  38:2:R:G:B  38:2:SPACE:R:G:B:...  Sets *color when it is
 * one of these; gives the number of the next parameter.
 */
static uint32_t extended_color(const struct vt_sequence *q, uint32_t n, uint32_t *color) {
	const uint16_t *p = q->params + n + 1;
	if (follows_colon(q, n + 1)) {
		uint32_t count = 0;
		while (follows_colon(q, n + 1 + count)) {
			count++;
		}
		if (p[0] == 5 && count >= 2 && p[1] < 256) {
			*color = VT_COLOR_INDEXED | p[1];
		} else if (p[0] == 2 && count == 4) {
			*color = rgb(p[1], p[2], p[3]);
		} else if (p[0] == 2 && count > 4) {
			*color = rgb(p[2], p[3], p[4]);
		}
		return n + 1 + count;
	}
	uint32_t left = q->count - n - 1;
	if (left >= 2 && p[0] == 5) {
		if (p[1] < 256) {
			*color = VT_COLOR_INDEXED | p[1];
		}
		return n + 3;
	}
	if (left >= 4 && p[0] == 2) {
		*color = rgb(p[1], p[2], p[3]);
		return n + 5;
	}
	return left >= 1 && p[0] != 2 && p[0] != 5 ? n + 2 : q->count;
}

/* The pen as it lies in the state, and changed there: four words, the first unused. */
enum {
	PEN_FG = 1,
	PEN_BG = 2,
	PEN_AT = 3,
};

static uint32_t underline_style(const struct vt_sequence *q, uint32_t n, uint32_t *pen) {
	uint32_t style = VT_UNDERLINE_SINGLE;
	uint32_t next = n + 1;
	if (follows_colon(q, next)) {
		style = vt_min(q->params[next], VT_UNDERLINE_DASHED);
		while (follows_colon(q, next)) {
			next++;
		}
	}
	pen[PEN_AT] = (pen[PEN_AT] & ~VT_AT_UNDERLINE) | style << 3;
	return next;
}

/* Applies parameter n and those that belong to it; gives the number of the next. */
[[gnu::always_inline]] static inline uint32_t apply(
	const struct vt_sequence *q, uint32_t n, uint32_t *pen, uint32_t *underline) {
	uint32_t p = q->params[n];
	switch (p) {
	case 0:
		pen[PEN_FG] = 0;
		pen[PEN_BG] = 0;
		pen[PEN_AT] &= ~VT_AT_MASK | VT_AT_PROTECTED;
		*underline = 0;
		break;
	case 1:
		pen[PEN_AT] |= VT_AT_BOLD;
		break;
	case 2:
		pen[PEN_AT] |= VT_AT_DIM;
		break;
	case 3:
		pen[PEN_AT] |= VT_AT_ITALIC;
		break;
	case 4:
		return underline_style(q, n, pen);
	case 5:
		pen[PEN_AT] |= VT_AT_BLINK;
		break;
	case 6:
		pen[PEN_AT] |= VT_AT_RAPID_BLINK;
		break;
	case 7:
		pen[PEN_AT] |= VT_AT_INVERSE;
		break;
	case 8:
		pen[PEN_AT] |= VT_AT_CONCEAL;
		break;
	case 9:
		pen[PEN_AT] |= VT_AT_STRIKE;
		break;
	case 21:
		pen[PEN_AT] = (pen[PEN_AT] & ~VT_AT_UNDERLINE) | VT_UNDERLINE_DOUBLE << 3;
		break;
	case 22:
		pen[PEN_AT] &= ~(VT_AT_BOLD | VT_AT_DIM);
		break;
	case 23:
		pen[PEN_AT] &= ~VT_AT_ITALIC;
		break;
	case 24:
		pen[PEN_AT] &= ~VT_AT_UNDERLINE;
		break;
	case 25:
		pen[PEN_AT] &= ~(VT_AT_BLINK | VT_AT_RAPID_BLINK);
		break;
	case 27:
		pen[PEN_AT] &= ~VT_AT_INVERSE;
		break;
	case 28:
		pen[PEN_AT] &= ~VT_AT_CONCEAL;
		break;
	case 29:
		pen[PEN_AT] &= ~VT_AT_STRIKE;
		break;
	case 30 ... 37:
		pen[PEN_FG] = VT_COLOR_INDEXED | (p - 30);
		break;
	case 38:
		return extended_color(q, n, &pen[PEN_FG]);
	case 39:
		pen[PEN_FG] = VT_COLOR_DEFAULT;
		break;
	case 40 ... 47:
		pen[PEN_BG] = VT_COLOR_INDEXED | (p - 40);
		break;
	case 48:
		return extended_color(q, n, &pen[PEN_BG]);
	case 49:
		pen[PEN_BG] = VT_COLOR_DEFAULT;
		break;
	case 53:
		pen[PEN_AT] |= VT_AT_OVERLINE;
		break;
	case 55:
		pen[PEN_AT] &= ~VT_AT_OVERLINE;
		break;
	case 58:
		return extended_color(q, n, underline);
	case 59:
		*underline = VT_COLOR_DEFAULT;
		break;
	case 90 ... 97:
		pen[PEN_FG] = VT_COLOR_INDEXED | (p - 90 + 8);
		break;
	case 100 ... 107:
		pen[PEN_BG] = VT_COLOR_INDEXED | (p - 100 + 8);
		break;
	default:
		break;
	}
	/* Sub-parameters of what has none are dropped with it. */
	do {
		n++;
	} while (follows_colon(q, n));
	return n;
}

uint32_t vt_sgr_apply(
	const struct vt_sequence *q, uint32_t n, struct vt_cell *pen, uint32_t *underline) {
	uint32_t words[4] = {0, pen->fg, pen->bg, pen->at};
	n = apply(q, n, words, underline);
	pen->fg = words[PEN_FG];
	pen->bg = words[PEN_BG];
	pen->at = words[PEN_AT];
	return n;
}

[[gnu::always_inline]] static inline void sgr(struct vt *vt, const struct vt_sequence *q) {
	struct vt_state *s = vt->state;
	uint32_t underline = s->pen_underline;
	for (uint32_t n = 0; n < q->count;) {
		n = apply(q, n, s->pen, &underline);
	}
	if (underline != s->pen_underline) {
		s->pen_underline = underline;
		vt_pen_ext(vt);
	}
}

void vt_sgr(struct vt *vt, const struct vt_sequence *q) {
	static const struct vt_sequence zero = {.count = 1};
	sgr(vt, q->count == 0 ? &zero : q);
}

/* ---- input ---- */

/* Bytes that are sure to belong to the string. */
static const uint8_t *string_body_end(const uint8_t *at, const uint8_t *end) {
	while (at < end && *at >= 0x20 && *at != 0x9c) {
		at++;
	}
	return at;
}

/* A CSI that lies whole in the input; `at` is after its [. NULL when it is not that simple. */
static const uint8_t *quick_csi(struct vt *vt, const uint8_t *at, const uint8_t *end) {
	struct vt_sequence q;
	uint32_t count = 0, separators = 0;
	q.private = 0;
	q.inter_count = 0;
	q.inters[0] = 0;
	q.inters[1] = 0;
	if (*at >= '<' && *at <= '?') {
		q.private = *at++;
	}
	for (;;) {
		/* One check for up to four digits, a separator, and the byte behind it. */
		if (end - at < 6 || count == VT_PARAMS) {
			return NULL;
		}
		uint32_t value = at[0] - (uint32_t)'0', c = at[1] - (uint32_t)'0';
		if (value > 9) {
			c = value;
			value = 0;
			if (c > 11) {
				break; /* no parameter at all, or none behind the last separator */
			}
		} else if (c > 9) {
			at += 1;
		} else {
			uint32_t d = at[2] - (uint32_t)'0', e = at[3] - (uint32_t)'0';
			value = value * 10 + c;
			c = d;
			at += 2;
			if (d <= 9) {
				value = value * 10 + d;
				c = e;
				at += 1;
				if (e <= 9) {
					value = value * 10 + e;
					c = *++at - (uint32_t)'0';
					if (c <= 9) {
						return NULL;
					}
				}
			}
		}
		q.params[count++] = (uint16_t)value;
		if (c - 10 > 1) {
			break;
		}
		if (c == 10) {
			separators |= count < VT_PARAMS ? 1u << count : 0;
		}
		at++;
		if (*at - (uint32_t)'0' > 11) { /* a separator at the end: one more, empty */
			if (count == VT_PARAMS) {
				return NULL;
			}
			q.params[count++] = 0;
			break;
		}
	}
	while (*at >= 0x20 && *at < 0x30) {
		if (q.inter_count == 2) {
			return NULL;
		}
		q.inters[q.inter_count++] = *at++;
		if (at == end) {
			return NULL;
		}
	}
	if (*at < 0x40 || *at > 0x7e) {
		return NULL;
	}
	q.final = *at++;
	q.count = (uint8_t)count;
	q.separators = separators;
	if (q.final == 'm' && q.private == 0 && q.inter_count == 0) {
		if (count == 0) {
			q.params[0] = 0;
			q.count = 1;
		}
		sgr(vt, &q);
	} else {
		vt_csi(vt, &q);
	}
	return at;
}

void vt_feed(struct vt *vt, const void *bytes, size_t length) {
	struct vt_state *s = vt->state;
	const uint8_t *at = bytes;
	const uint8_t *end = at + length;
	s->fed += length;
	while (at < end) {
		const uint8_t *next = NULL;
		if (s->parser == VT_GROUND && s->utf8_need == 0) {
			uint8_t c = *at;
			if (c >= 0x20 && c < 0x7f) {
				at = print_ascii(vt, at, end);
				continue;
			}
			if (c == '\r') {
				vt_carriage_return(vt);
				at++;
				continue;
			}
			if (c == '\n' && !(s->modes & VT_BIT(VT_MODE_LNM))) {
				vt_line_feed(vt);
				at++;
				continue;
			}
			if (c >= 0x80) {
				next = vt_print_mixed(vt, at, end);
				next = next > at ? next : NULL;
			} else if (c == 0x1b && end - at > 2 && at[1] == '[') {
				next = quick_csi(vt, at + 2, end);
			}
		} else if (s->parser == VT_IN_STRING) {
			next = string_body_end(at, end);
			if (next > at) {
				vt_string_add(vt, at, (size_t)(next - at));
			} else {
				next = NULL;
			}
		}
		if (next) {
			at = next;
		} else {
			vt_byte(vt, *at++);
		}
	}
}

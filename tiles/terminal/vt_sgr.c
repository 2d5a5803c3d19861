/* SPDX-License-Identifier: MIT */
/* SGR: how characters look. */
#include "vt_int.h"

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
static inline uint32_t apply(
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

void vt_sgr(struct vt *vt, const struct vt_sequence *q) {
	struct vt_state *s = vt->state;
	uint32_t underline = s->pen_underline;
	if (q->count == 0) {
		static const struct vt_sequence zero = {.count = 1};
		apply(&zero, 0, s->pen, &underline);
	}
	for (uint32_t n = 0; n < q->count;) {
		n = apply(q, n, s->pen, &underline);
	}
	if (underline != s->pen_underline) {
		s->pen_underline = underline;
		vt_pen_ext(vt);
	}
}

/* ---- the way back, for DECRQSS ---- */

struct text {
	char *out;
	size_t size;
	size_t length;
};

static void append(struct text *text, uint32_t number, char before) {
	char digits[12];
	size_t count = 0;
	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	if (text->length + count + 1 > text->size) {
		return;
	}
	text->out[text->length++] = before;
	while (count > 0) {
		text->out[text->length++] = digits[--count];
	}
}

static void append_color(struct text *text, uint32_t color, uint32_t base) {
	uint32_t index = color & 0xff;
	switch (color & VT_COLOR_TAG) {
	case VT_COLOR_INDEXED:
		if (base != 58 && index < 8) {
			append(text, base - 8 + index, ';');
		} else if (base != 58 && index < 16) {
			append(text, base + 52 + index - 8, ';');
		} else {
			append(text, base, ';');
			append(text, 5, ':');
			append(text, index, ':');
		}
		break;
	case VT_COLOR_RGB:
		append(text, base, ';');
		append(text, 2, ':');
		if (text->length < text->size) {
			text->out[text->length++] = ':';
		}
		append(text, color >> 16 & 0xff, ':');
		append(text, color >> 8 & 0xff, ':');
		append(text, color & 0xff, ':');
		break;
	default:
		break;
	}
}

/* The parameters that make this pen out of a plain one, from "0" on. */
size_t vt_sgr_text(const struct vt_cell *pen, uint32_t underline, char *out, size_t size) {
	static const struct {
		uint32_t at;
		uint32_t number;
	} simple[] = {{VT_AT_BOLD, 1}, {VT_AT_DIM, 2}, {VT_AT_ITALIC, 3}, {VT_AT_BLINK, 5},
		{VT_AT_RAPID_BLINK, 6}, {VT_AT_INVERSE, 7}, {VT_AT_CONCEAL, 8}, {VT_AT_STRIKE, 9},
		{VT_AT_OVERLINE, 53}};
	struct text text = {out, size, 0};
	text.out[text.length++] = '0';
	for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++) {
		if (pen->at & simple[i].at) {
			append(&text, simple[i].number, ';');
		}
	}
	enum vt_underline style = VT_UNDERLINE_OF(pen->at);
	if (style != VT_UNDERLINE_NONE) {
		append(&text, 4, ';');
		if (style != VT_UNDERLINE_SINGLE) {
			append(&text, style, ':');
		}
	}
	append_color(&text, pen->fg, 38);
	append_color(&text, pen->bg, 48);
	append_color(&text, underline, 58);
	return text.length;
}

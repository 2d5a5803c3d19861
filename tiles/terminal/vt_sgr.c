/* SPDX-License-Identifier: MIT */
/* The pen as SGR parameters, for DECRQSS. What SGR does is in vt_feed.c. */
#include "vt_int.h"

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

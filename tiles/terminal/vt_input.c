/* SPDX-License-Identifier: MIT */
/* Mouse and paste: what they send, in the modes in force. */
#include "vt_int.h"

#include <stdio.h>

#define MOUSE_ANY                                                                                  \
	(VT_BIT(VT_MODE_MOUSE_X10) | VT_BIT(VT_MODE_MOUSE_BUTTONS) | VT_BIT(VT_MODE_MOUSE_DRAG) |  \
		VT_BIT(VT_MODE_MOUSE_MOTION))

bool vt_mouse_wanted(const struct vt *vt) {
	return vt->state->modes & MOUSE_ANY;
}

/* xterm's number for a button: 0 to 2, 64 to 67 for wheels, 128 to 131 for the extra ones. */
static uint32_t button_code(uint32_t button) {
	if (button == 0) {
		return 3;
	}
	if (button <= 3) {
		return button - 1;
	}
	return button <= 7 ? 64 + button - 4 : 128 + button - 8;
}

static bool is_wheel(uint32_t button) {
	return button >= 4 && button <= 7;
}

static size_t put_coordinate(uint32_t value, bool utf8, char *out) {
	value += 33;
	if (utf8 && value >= 0x80) {
		out[0] = (char)(0xc0 | value >> 6);
		out[1] = (char)(0x80 | (value & 0x3f));
		return 2;
	}
	out[0] = (char)value;
	return 1;
}

static size_t mouse_bytes(const struct vt *vt, const struct vt_mouse *mouse, uint32_t code,
	uint32_t col, uint32_t row, char *out) {
	bool release = mouse->action == VT_MOUSE_RELEASE;
	if (vt_mode(vt, VT_MODE_MOUSE_SGR) || vt_mode(vt, VT_MODE_MOUSE_PIXELS)) {
		bool pixels = vt_mode(vt, VT_MODE_MOUSE_PIXELS);
		return (size_t)snprintf(out, VT_MOUSE_BYTES, "\033[<%u;%u;%u%c", code,
			(pixels ? mouse->x : col) + 1, (pixels ? mouse->y : row) + 1,
			release ? 'm' : 'M');
	}
	if (release) {
		code = (code & 0x1c) | 3; /* the older forms do not say which */
	}
	if (vt_mode(vt, VT_MODE_MOUSE_URXVT)) {
		return (size_t)snprintf(
			out, VT_MOUSE_BYTES, "\033[%u;%u;%uM", code + 32, col + 1, row + 1);
	}
	bool utf8 = vt_mode(vt, VT_MODE_MOUSE_UTF8);
	uint32_t most = utf8 ? 2014 : 222;
	if (col > most || row > most || code > 222) {
		return 0;
	}
	size_t length = 3;
	memcpy(out, "\033[M", length);
	length += put_coordinate(code - 1, utf8, out + length);
	length += put_coordinate(col, utf8, out + length);
	length += put_coordinate(row, utf8, out + length);
	return length;
}

/* The wheel moves the cursor in programs that have the alternate screen and no mouse. */
static size_t alternate_scroll(const struct vt *vt, const struct vt_mouse *mouse, char *out) {
	if (!vt->state->alt || !vt_mode(vt, VT_MODE_ALT_SCROLL) || mouse->button < 4 ||
		mouse->button > 5 || mouse->action != VT_MOUSE_PRESS) {
		return 0;
	}
	struct vt_key key = {
		.code = mouse->button == 4 ? VT_KEY_UP : VT_KEY_DOWN,
		.action = VT_KEY_PRESS,
	};
	char bytes[VT_KEY_BYTES];
	size_t one = vt_encode_key(vt, &key, bytes), length = 0;
	while (one > 0 && one <= 16 && length < 3 * one) {
		memcpy(out + length, bytes, one);
		length += one;
	}
	return length;
}

static bool motion_wanted(struct vt *vt, const struct vt_mouse *mouse, uint32_t col, uint32_t row) {
	struct vt_state *s = vt->state;
	bool any = vt_mode(vt, VT_MODE_MOUSE_MOTION);
	bool drag = vt_mode(vt, VT_MODE_MOUSE_DRAG) && mouse->button != 0;
	if (!any && !drag) {
		return false;
	}
	bool pixels = vt_mode(vt, VT_MODE_MOUSE_PIXELS);
	uint32_t x = pixels ? mouse->x : col, y = pixels ? mouse->y : row;
	bool news = s->mouse_col != x || s->mouse_row != y;
	s->mouse_col = x;
	s->mouse_row = y;
	return news;
}

size_t vt_encode_mouse(struct vt *vt, const struct vt_mouse *mouse, char out[VT_MOUSE_BYTES]) {
	struct vt_state *s = vt->state;
	uint32_t col = vt_min(mouse->col, s->cols - 1);
	uint32_t row = vt_min(mouse->row, s->rows - 1);
	uint32_t code = button_code(mouse->button);
	if (!vt_mouse_wanted(vt)) {
		return alternate_scroll(vt, mouse, out);
	}
	if (mouse->button > 11) {
		return 0;
	}
	if (vt_mode(vt, VT_MODE_MOUSE_X10)) {
		if (mouse->action != VT_MOUSE_PRESS || mouse->button < 1 || mouse->button > 3) {
			return 0;
		}
		return mouse_bytes(vt, mouse, code, col, row, out);
	}
	bool pixels = vt_mode(vt, VT_MODE_MOUSE_PIXELS);
	switch (mouse->action) {
	case VT_MOUSE_MOTION:
		if (!motion_wanted(vt, mouse, col, row)) {
			return 0;
		}
		code += 32;
		break;
	case VT_MOUSE_RELEASE:
		if (is_wheel(mouse->button) || mouse->button == 0) {
			return 0;
		}
		s->mouse_buttons &= ~(1u << mouse->button);
		break;
	case VT_MOUSE_PRESS:
		if (mouse->button == 0) {
			return 0;
		}
		if (!is_wheel(mouse->button)) {
			s->mouse_buttons |= 1u << mouse->button;
		}
		s->mouse_col = pixels ? mouse->x : col;
		s->mouse_row = pixels ? mouse->y : row;
		break;
	}
	code += mouse->mods & VT_MOD_SHIFT ? 4 : 0;
	code += mouse->mods & VT_MOD_ALT ? 8 : 0;
	code += mouse->mods & VT_MOD_CTRL ? 16 : 0;
	return mouse_bytes(vt, mouse, code, col, row, out);
}

/* ---- paste ---- */

bool vt_paste_begin(struct vt *vt) {
	vt->state->paste_last = 0;
	return !vt_mode(vt, VT_MODE_PASTE) || vt_out_put(vt, "\033[200~", 6);
}

bool vt_paste_end(struct vt *vt) {
	return !vt_mode(vt, VT_MODE_PASTE) || vt_out_put(vt, "\033[201~", 6);
}

/* Controls other than tab and line ends could act, and ESC could end the brackets. */
static bool may_paste(uint8_t c) {
	return c == '\t' || c == '\r' || (c >= 0x20 && c != 0x7f);
}

/* What first byte of UTF-8 begins C1 controls, and some characters that are none. */
#define C1_LEAD 0xc2

size_t vt_paste_data(struct vt *vt, const void *bytes, size_t length) {
	const uint8_t *at = bytes;
	uint8_t last = vt->state->paste_last;
	size_t i = 0;
	/* Room for the end is kept, so that a paste that began is closed. */
	for (; i < length && vt_out_space(vt) > 6 + (last == C1_LEAD); i++) {
		uint8_t c = at[i], before = last;
		last = c;
		if (before == C1_LEAD) { /* it has waited for this one */
			if (c >= 0x80 && c < 0xa0) {
				continue;
			}
			vt_out_put(vt, &before, 1);
		}
		if (c == C1_LEAD || (c == '\n' && before == '\r')) {
			continue;
		}
		c = c == '\n' ? '\r' : c;
		if (may_paste(c)) {
			vt_out_put(vt, &c, 1);
		}
	}
	vt->state->paste_last = last;
	return i;
}

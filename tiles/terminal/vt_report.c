/* SPDX-License-Identifier: MIT */
/* What programs ask about the terminal, and the ring that takes the answers to the PTY. */
#include "vt_int.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- the ring ---- */

size_t vt_out_space(const struct vt *vt) {
	return vt->memory.count[VT_OUT] - vt->state->out_len;
}

bool vt_out_put(struct vt *vt, const void *bytes, size_t length) {
	struct vt_state *s = vt->state;
	uint32_t size = vt->memory.count[VT_OUT];
	if (length > vt_out_space(vt)) {
		s->out_lost += (uint32_t)length;
		return false;
	}
	if (length == 0) {
		return true;
	}
	uint32_t at = (s->out_head + s->out_len) % size;
	size_t first = vt_min((uint32_t)length, size - at);
	memcpy(vt->out + at, bytes, first);
	memcpy(vt->out, (const uint8_t *)bytes + first, length - first);
	s->out_len += (uint32_t)length;
	return true;
}

const uint8_t *vt_out_peek(const struct vt *vt, size_t *length) {
	const struct vt_state *s = vt->state;
	*length = vt_min(s->out_len, vt->memory.count[VT_OUT] - s->out_head);
	return vt->out + s->out_head;
}

void vt_out_drop(struct vt *vt, size_t length) {
	struct vt_state *s = vt->state;
	uint32_t count = length < s->out_len ? (uint32_t)length : s->out_len;
	s->out_len -= count;
	s->out_head = s->out_len ? (s->out_head + count) % vt->memory.count[VT_OUT] : 0;
}

void vt_reply(struct vt *vt, const char *format, ...) {
	char text[256];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length > 0 && (size_t)length < sizeof(text)) {
		vt_out_put(vt, text, (size_t)length);
	}
}

/* ---- reports ---- */

void vt_report_size(struct vt *vt) {
	const struct vt_state *s = vt->state;
	vt_reply(vt, "\033[48;%u;%u;%u;%ut", s->rows, s->cols, s->rows * s->cell_height,
		s->cols * s->cell_width);
}

static void cursor_position(struct vt *vt, const char *private) {
	const struct vt_state *s = vt->state;
	uint32_t row = s->row, col = s->col;
	if (s->modes & VT_BIT(VT_MODE_ORIGIN)) {
		row -= vt_min(row, s->top);
		col -= vt_min(col, vt_left_margin(s));
	}
	vt_reply(vt, "\033[%s%u;%u%sR", private, row + 1, col + 1, *private ? ";1" : "");
}

static void color_scheme(struct vt *vt) {
	vt_reply(vt, "\033[?997;%un", vt->state->dark ? 1 : 2);
}

static void status(struct vt *vt, const struct vt_sequence *q) {
	uint32_t what = vt_param(q, 0, 0);
	if (q->private == 0) {
		if (what == 5) {
			vt_reply(vt, "\033[0n");
		} else if (what == 6) {
			cursor_position(vt, "");
		}
		return;
	}
	switch (what) {
	case 6:
		cursor_position(vt, "?");
		break;
	case 15: /* printer: none */
		vt_reply(vt, "\033[?13n");
		break;
	case 25: /* user-defined keys: locked */
		vt_reply(vt, "\033[?21n");
		break;
	case 26: /* keyboard: North American, ready */
		vt_reply(vt, "\033[?27;1;0;0n");
		break;
	case 53:
	case 55: /* locator: none */
		vt_reply(vt, "\033[?53n");
		break;
	case 56:
		vt_reply(vt, "\033[?57;0n");
		break;
	case 62: /* macro space: none */
		vt_reply(vt, "\033[0*{");
		break;
	case 63: /* checksum of macros */
		vt_reply(vt, "\033P%u!~0000\033\\", vt_param(q, 1, 0));
		break;
	case 75: /* data integrity: ready */
		vt_reply(vt, "\033[?70n");
		break;
	case 85: /* sessions: none */
		vt_reply(vt, "\033[?83n");
		break;
	case 996:
		color_scheme(vt);
		break;
	default:
		break;
	}
}

/* DECREQTPARM */
static void terminal_parameters(struct vt *vt, uint32_t how) {
	if (how <= 1) {
		vt_reply(vt, "\033[%u;1;1;128;128;1;0x", how + 2);
	}
}

/* DECRQPSR 2: the tab stops; 1: the cursor */
static void presentation(struct vt *vt, uint32_t what) {
	const struct vt_state *s = vt->state;
	if (what == 1) {
		uint32_t look = (s->pen[3] & VT_AT_BOLD ? 1 : 0) |
			(s->pen[3] & VT_AT_UNDERLINE ? 2 : 0) | (s->pen[3] & VT_AT_BLINK ? 4 : 0) |
			(s->pen[3] & VT_AT_INVERSE ? 8 : 0);
		uint32_t flags = (s->modes & VT_BIT(VT_MODE_ORIGIN) ? 1 : 0) |
			(s->single_shift == 2 ? 2 : 0) | (s->single_shift == 3 ? 4 : 0) |
			(s->pending_wrap ? 8 : 0);
		char sets[5] = "BBBB";
		for (int i = 0; i < 4; i++) {
			sets[i] = s->charsets[i] == VT_CHARSET_GRAPHICS ? '0'
				: s->charsets[i] == VT_CHARSET_BRITISH	? 'A'
									: 'B';
		}
		vt_reply(vt, "\033P1$u%u;%u;1;%c;%c;%c;%u;%u;@;%s\033\\", s->row + 1, s->col + 1,
			0x40 | look, s->pen[3] & VT_AT_PROTECTED ? 0x41 : 0x40, 0x40 | flags, s->gl,
			s->gr, sets);
	} else if (what == 2) {
		vt_reply(vt, "\033P2$u");
		const char *separator = "";
		for (uint32_t col = 0; col < s->cols; col++) {
			if (s->tabs[col / 32] >> (col % 32) & 1) {
				vt_reply(vt, "%s%u", separator, col + 1);
				separator = "/";
			}
		}
		vt_reply(vt, "\033\\");
	}
}

/* ---- titles ---- */

static void copy_title(uint8_t *to, uint16_t *to_length, const uint8_t *from, uint32_t length) {
	memcpy(to, from, length);
	*to_length = (uint16_t)length;
}

/* A full stack forgets the oldest. */
static void push_title(struct vt *vt) {
	struct vt_state *s = vt->state;
	uint32_t entry = 2 * VT_TITLE_MAX;
	if (s->title_depth == VT_TITLE_DEPTH) {
		memmove(s->titles, s->titles + entry, entry * (VT_TITLE_DEPTH - 1));
		memmove(s->title_stack_len, s->title_stack_len + 2,
			sizeof(s->title_stack_len[0]) * 2 * (VT_TITLE_DEPTH - 1));
		s->title_depth--;
	}
	uint32_t i = s->title_depth++;
	copy_title(s->titles + i * entry, &s->title_stack_len[2 * i], s->title, s->title_len);
	copy_title(s->titles + i * entry + VT_TITLE_MAX, &s->title_stack_len[2 * i + 1], s->icon,
		s->icon_len);
}

/* `which`: 0 both, 1 icon, 2 title. */
static void pop_title(struct vt *vt, uint32_t which) {
	struct vt_state *s = vt->state;
	uint32_t entry = 2 * VT_TITLE_MAX;
	if (s->title_depth == 0) {
		return;
	}
	uint32_t i = --s->title_depth;
	if (which != 1) {
		copy_title(
			s->title, &s->title_len, s->titles + i * entry, s->title_stack_len[2 * i]);
	}
	if (which != 2) {
		copy_title(s->icon, &s->icon_len, s->titles + i * entry + VT_TITLE_MAX,
			s->title_stack_len[2 * i + 1]);
	}
	vt_tell(vt, VT_EVENT_TITLE, 0, 0);
}

/* ---- XTWINOPS ---- */

static void window(struct vt *vt, const struct vt_sequence *q) {
	const struct vt_state *s = vt->state;
	uint32_t what = vt_param(q, 0, 0);
	switch (what) {
	case 8:
		vt_tell(vt, VT_EVENT_RESIZE, vt_param(q, 2, 0), vt_param(q, 1, 0));
		break;
	case 11:
		vt_reply(vt, "\033[1t");
		break;
	case 13:
		vt_reply(vt, "\033[3;0;0t");
		break;
	case 14:
	case 15:
		vt_reply(vt, "\033[%u;%u;%ut", what - 10, s->rows * s->cell_height,
			s->cols * s->cell_width);
		break;
	case 16:
		vt_reply(vt, "\033[6;%u;%ut", s->cell_height, s->cell_width);
		break;
	case 18:
	case 19:
		vt_reply(vt, "\033[%u;%u;%ut", what - 10, s->rows, s->cols);
		break;
	case 20: /* a title that a program has set would come back as typed text */
		vt_reply(vt, "\033]L\033\\");
		break;
	case 21:
		vt_reply(vt, "\033]l\033\\");
		break;
	case 22:
		push_title(vt);
		break;
	case 23:
		pop_title(vt, vt_param(q, 1, 0));
		break;
	default:
		if (what >= 24) {
			vt_tell(vt, VT_EVENT_RESIZE, 0, what); /* DECSLPP */
		} else if (vt->event) {
			vt->event(vt->user,
				&(struct vt_event){.kind = VT_EVENT_WINDOW,
					.a = what,
					.b = vt_param(q, 1, 0),
					.c = vt_param(q, 2, 0)});
		}
		break;
	}
}

/* Control sequences that only ask, or are for the window. */
void vt_report(struct vt *vt, const struct vt_sequence *q) {
	switch ((uint32_t)q->private << 16 | (uint32_t)q->inters[0] << 8 | q->final) {
	case 'c':
		if (vt_param(q, 0, 0) == 0) {
			vt_reply(vt, "\033[?64;1;6;9;15;21;22;28;29;52c");
		}
		break;
	case '>' << 16 | 'c':
		if (vt_param(q, 0, 0) == 0) {
			vt_reply(vt, "\033[>41;400;0c");
		}
		break;
	case '=' << 16 | 'c':
		if (vt_param(q, 0, 0) == 0) {
			vt_reply(vt, "\033P!|53434954\033\\");
		}
		break;
	case '>' << 16 | 'q':
		if (vt_param(q, 0, 0) == 0) {
			vt_reply(vt, "\033P>|source-city(" CITY_VERSION ")\033\\");
		}
		break;
	case 'n':
	case '?' << 16 | 'n':
		status(vt, q);
		break;
	case '?' << 16 | 'm': /* XTQMODKEYS */
		if (vt_param(q, 0, 0) == 4) {
			vt_reply(vt, "\033[>4;%um", vt->state->modify_keys);
		}
		break;
	case '?' << 16 | 'g': /* XTQFMTKEYS */
		if (vt_param(q, 0, 0) == 4) {
			vt_reply(vt, "\033[>4;%uf", vt->state->format_keys);
		}
		break;
	case '$' << 8 | 'w':
		presentation(vt, vt_param(q, 0, 0));
		break;
	case 'x':
		terminal_parameters(vt, vt_param(q, 0, 0));
		break;
	case 't':
		window(vt, q);
		break;
	default:
		break;
	}
}

/* ---- from outside ---- */

void vt_focus(struct vt *vt, bool focused) {
	if (vt_mode(vt, VT_MODE_FOCUS)) {
		vt_reply(vt, "\033[%c", focused ? 'I' : 'O');
	}
}

void vt_set_scheme(struct vt *vt, bool dark) {
	if (vt->state->dark == dark) {
		return;
	}
	vt->state->dark = dark;
	if (vt_mode(vt, VT_MODE_SCHEME)) {
		color_scheme(vt);
	}
}

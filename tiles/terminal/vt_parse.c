/* SPDX-License-Identifier: MIT */
/*
 * From bytes to characters and control functions, one by one and with everything kept in the state,
 * after the VT500's state machine with UTF-8 in front of it. Whatever a sequence collected is
 * cleared when it ends, so that the short cuts of vt_feed.c can leave the same state behind.
 */
#include "vt_int.h"

/* ---- sequences ---- */

static void clear_sequence(struct vt_state *s) {
	uint32_t count = vt_min(s->param_count, VT_PARAMS);
	memset(s->params, 0, count * sizeof(s->params[0]));
	s->param_count = 0;
	s->separators = 0;
	s->inter_count = 0;
	s->inters[0] = 0;
	s->inters[1] = 0;
	s->private = 0;
}

/* What ends a string in progress without using it. */
static void drop_string(struct vt_state *s) {
	s->string_kind = VT_STRING_NONE;
	s->string_len = 0;
	s->string_lost = 0;
	s->string_prev = 0;
	s->string_final = 0;
}

static void to_ground(struct vt_state *s) {
	clear_sequence(s);
	drop_string(s);
	s->parser = VT_GROUND;
}

/* Out of the state: control functions see a copy, and may reset everything. */
static struct vt_sequence take_sequence(struct vt_state *s, uint8_t final) {
	struct vt_sequence q = {
		.separators = s->separators,
		.count = (uint8_t)vt_min(s->param_count, VT_PARAMS),
		.private = s->private,
		.inter_count = s->inter_count,
		.inters = {s->inters[0], s->inters[1]},
		.final = final,
	};
	memcpy(q.params, s->params, q.count * sizeof(q.params[0]));
	return q;
}

static void add_digit(struct vt_state *s, uint8_t c) {
	if (s->param_count == 0) {
		s->param_count = 1;
	}
	if (s->param_count <= VT_PARAMS) {
		uint32_t value = s->params[s->param_count - 1] * 10u + (c - '0');
		s->params[s->param_count - 1] = (uint16_t)vt_min(value, 65535);
	}
}

/* A count of one more than fit means that the rest is dropped. */
static void add_separator(struct vt_state *s, uint8_t c) {
	if (s->param_count == 0) {
		s->param_count = 1;
	}
	if (s->param_count > VT_PARAMS) {
		return;
	}
	if (c == ':' && s->param_count < VT_PARAMS) {
		s->separators |= 1u << s->param_count;
	}
	s->param_count++;
}

static void add_inter(struct vt_state *s, uint8_t c) {
	if (s->inter_count < sizeof(s->inters)) {
		s->inters[s->inter_count] = c;
	}
	if (s->inter_count <= sizeof(s->inters)) {
		s->inter_count++;
	}
}

/* ---- strings ---- */

static void begin_string(struct vt_state *s, enum vt_string_kind kind) {
	s->parser = VT_IN_STRING;
	s->string_kind = (uint8_t)kind;
}

static void end_string(struct vt *vt, bool bell) {
	struct vt_state *s = vt->state;
	if (s->string_lost) {
		vt_tell(vt, VT_EVENT_STRING_LOST, 0, 0);
	} else if (s->string_kind == VT_STRING_OSC) {
		vt_osc(vt, bell);
	} else if (s->string_kind == VT_STRING_DCS) {
		vt_dcs(vt);
	}
	to_ground(s);
}

void vt_string_add(struct vt *vt, const uint8_t *bytes, size_t length) {
	struct vt_state *s = vt->state;
	s->string_prev = bytes[length - 1];
	if (s->string_kind == VT_STRING_SKIP) {
		return;
	}
	size_t room = vt->memory.count[VT_STRING] - s->string_len;
	size_t kept = length < room ? length : room;
	memcpy(vt->string + s->string_len, bytes, kept);
	s->string_len += (uint32_t)kept;
	if (kept < length) {
		s->string_lost = 1;
	}
}

static void string_byte(struct vt *vt, uint8_t c) {
	struct vt_state *s = vt->state;
	if (c == 0x9c && s->string_prev == 0xc2) { /* ST as UTF-8 writes it */
		if (s->string_len > 0 && !s->string_lost) {
			s->string_len--;
		}
		end_string(vt, false);
		return;
	}
	switch (c) {
	case 0x07:
		if (s->string_kind == VT_STRING_OSC) {
			end_string(vt, true);
			return;
		}
		break;
	case 0x18:
	case 0x1a:
		to_ground(s);
		return;
	case 0x1b:
		s->parser = VT_IN_STRING_ESCAPE;
		return;
	default:
		break;
	}
	if (c >= 0x20 || s->string_kind == VT_STRING_DCS) {
		vt_string_add(vt, &c, 1);
	}
}

/* ---- the state machine ---- */

static void enter(struct vt_state *s, enum vt_parser parser) {
	to_ground(s);
	s->parser = (uint8_t)parser;
}

static void c1_control(struct vt *vt, uint32_t c) {
	struct vt_state *s = vt->state;
	switch (c) {
	case 0x90:
		enter(s, VT_DCS);
		return;
	case 0x98:
	case 0x9e:
	case 0x9f:
		to_ground(s);
		begin_string(s, VT_STRING_SKIP);
		return;
	case 0x9b:
		enter(s, VT_CSI);
		return;
	case 0x9c:
		to_ground(s);
		return;
	case 0x9d:
		to_ground(s);
		begin_string(s, VT_STRING_OSC);
		return;
	default:
		to_ground(s);
		vt_escape(vt, &(struct vt_sequence){.final = (uint8_t)(c - 0x40)});
	}
}

static void escape_byte(struct vt *vt, uint8_t c) {
	struct vt_state *s = vt->state;
	if (c < 0x30) {
		add_inter(s, c);
		s->parser = VT_ESCAPE_INTER;
		return;
	}
	if (s->parser == VT_ESCAPE && c >= 0x40 && c < 0x60) {
		switch (c) {
		case 'P':
		case 'X':
		case '[':
		case '\\':
		case ']':
		case '^':
		case '_':
			c1_control(vt, c + 0x40u);
			return;
		default:
			break;
		}
	}
	struct vt_sequence q = take_sequence(s, c);
	to_ground(s);
	vt_escape(vt, &q);
}

/* CSI and the head of a DCS are built alike. */
static void sequence_byte(struct vt *vt, uint8_t c, bool dcs) {
	struct vt_state *s = vt->state;
	bool params = s->parser == VT_CSI || s->parser == VT_DCS;
	enum vt_parser ignore = dcs ? VT_DCS_IGNORE : VT_CSI_IGNORE;
	if (c >= 0x40 && dcs) {
		s->string_final = c;
		begin_string(s, vt_dcs_wanted(s) ? VT_STRING_DCS : VT_STRING_SKIP);
		return;
	}
	if (c >= 0x40) {
		struct vt_sequence q = take_sequence(s, c);
		to_ground(s);
		vt_csi(vt, &q);
		return;
	}
	if (c < 0x30) {
		add_inter(s, c);
		s->parser = dcs ? VT_DCS_INTER : VT_CSI_INTER;
	} else if (!params) {
		s->parser = (uint8_t)ignore;
	} else if (c <= '9') {
		add_digit(s, c);
	} else if (c <= ';') {
		add_separator(s, c);
	} else if (s->param_count == 0 && s->private == 0) {
		s->private = c;
	} else {
		s->parser = (uint8_t)ignore;
	}
}

/* A character of any state but the strings, decoded. */
static void character(struct vt *vt, uint32_t c) {
	struct vt_state *s = vt->state;
	if (c >= 0x80) {
		if (c < 0xa0) {
			c1_control(vt, c);
		} else if (s->parser == VT_GROUND) {
			vt_print(vt, c);
		}
		return;
	}
	if (c < 0x20) {
		if (c == 0x1b) {
			enter(s, VT_ESCAPE);
		} else if (c == 0x18 || c == 0x1a) {
			to_ground(s);
		} else if (s->parser < VT_DCS) {
			vt_control(vt, c);
		}
		return;
	}
	if (c == 0x7f) {
		return;
	}
	switch (s->parser) {
	case VT_GROUND:
		vt_print(vt, c);
		break;
	case VT_ESCAPE:
	case VT_ESCAPE_INTER:
		escape_byte(vt, (uint8_t)c);
		break;
	case VT_CSI:
	case VT_CSI_INTER:
		sequence_byte(vt, (uint8_t)c, false);
		break;
	case VT_CSI_IGNORE:
		if (c >= 0x40) {
			to_ground(s);
		}
		break;
	case VT_DCS:
	case VT_DCS_INTER:
		sequence_byte(vt, (uint8_t)c, true);
		break;
	case VT_DCS_IGNORE:
		if (c >= 0x40) {
			begin_string(s, VT_STRING_SKIP);
		}
		break;
	default:
		break;
	}
}

/* ---- UTF-8 ---- */

static void utf8_end(struct vt_state *s) {
	s->utf8_cp = 0;
	s->utf8_need = 0;
	s->utf8_low = 0;
	s->utf8_high = 0;
}

static void utf8_begin(struct vt *vt, uint8_t c) {
	struct vt_state *s = vt->state;
	uint8_t low = 0x80, high = 0xbf;
	if (c >= 0xc2 && c <= 0xdf) {
		s->utf8_need = 1;
		s->utf8_cp = c & 0x1fu;
	} else if (c >= 0xe0 && c <= 0xef) {
		s->utf8_need = 2;
		s->utf8_cp = c & 0x0fu;
		low = c == 0xe0 ? 0xa0 : low;
		high = c == 0xed ? 0x9f : high;
	} else if (c >= 0xf0 && c <= 0xf4) {
		s->utf8_need = 3;
		s->utf8_cp = c & 0x07u;
		low = c == 0xf0 ? 0x90 : low;
		high = c == 0xf4 ? 0x8f : high;
	} else {
		character(vt, 0xfffd);
		return;
	}
	s->utf8_low = low;
	s->utf8_high = high;
}

/* False when the byte does not belong to the character in progress and is still to be used. */
static bool utf8_continue(struct vt *vt, uint8_t c) {
	struct vt_state *s = vt->state;
	if (c < s->utf8_low || c > s->utf8_high) {
		utf8_end(s);
		character(vt, 0xfffd);
		return false;
	}
	s->utf8_cp = s->utf8_cp << 6 | (c & 0x3fu);
	s->utf8_low = 0x80;
	s->utf8_high = 0xbf;
	if (--s->utf8_need == 0) {
		uint32_t cp = s->utf8_cp;
		utf8_end(s);
		character(vt, cp);
	}
	return true;
}

void vt_byte(struct vt *vt, uint8_t c) {
	struct vt_state *s = vt->state;
	if (s->parser == VT_IN_STRING) {
		string_byte(vt, c);
		return;
	}
	if (s->parser == VT_IN_STRING_ESCAPE) {
		if (c == '\\') {
			end_string(vt, false);
			return;
		}
		enter(s, VT_ESCAPE);
	}
	if (s->utf8_need && utf8_continue(vt, c)) {
		return;
	}
	if (c >= 0x80) {
		utf8_begin(vt, c);
	} else {
		character(vt, c);
	}
}

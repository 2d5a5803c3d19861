/* SPDX-License-Identifier: MIT */
/* Modes: setting, resetting, saving, asking. */
#include "vt_int.h"

struct mode_number {
	uint16_t number;
	uint8_t mode;
};

static const struct mode_number ansi_modes[] = {
	{2, VT_MODE_KAM},
	{4, VT_MODE_IRM},
	{12, VT_MODE_SRM},
	{20, VT_MODE_LNM},
};

static const struct mode_number dec_modes[] = {
	{1, VT_MODE_CURSOR_KEYS},
	{3, VT_MODE_COLUMNS_132},
	{4, VT_MODE_SMOOTH},
	{5, VT_MODE_REVERSE},
	{6, VT_MODE_ORIGIN},
	{7, VT_MODE_WRAP},
	{8, VT_MODE_REPEAT},
	{9, VT_MODE_MOUSE_X10},
	{12, VT_MODE_CURSOR_BLINK},
	{25, VT_MODE_CURSOR},
	{40, VT_MODE_ALLOW_COLUMNS},
	{45, VT_MODE_REVERSE_WRAP},
	{47, VT_MODE_ALT_SCREEN},
	{66, VT_MODE_KEYPAD},
	{67, VT_MODE_BACKSPACE},
	{69, VT_MODE_MARGINS},
	{95, VT_MODE_NO_CLEAR_COLUMNS},
	{1000, VT_MODE_MOUSE_BUTTONS},
	{1002, VT_MODE_MOUSE_DRAG},
	{1003, VT_MODE_MOUSE_MOTION},
	{1004, VT_MODE_FOCUS},
	{1005, VT_MODE_MOUSE_UTF8},
	{1006, VT_MODE_MOUSE_SGR},
	{1007, VT_MODE_ALT_SCROLL},
	{1015, VT_MODE_MOUSE_URXVT},
	{1016, VT_MODE_MOUSE_PIXELS},
	{1034, VT_MODE_META_8BIT},
	{1036, VT_MODE_ALT_ESCAPE},
	{1042, VT_MODE_BELL_URGENT},
	{1045, VT_MODE_EXT_REVERSE_WRAP},
	{1047, VT_MODE_ALT_SCREEN},
	{1049, VT_MODE_ALT_SCREEN},
	{2004, VT_MODE_PASTE},
	{2026, VT_MODE_SYNC},
	{2027, VT_MODE_GRAPHEMES},
	{2031, VT_MODE_SCHEME},
	{2048, VT_MODE_RESIZE},
};

#define MOUSE_KINDS                                                                                \
	(VT_BIT(VT_MODE_MOUSE_X10) | VT_BIT(VT_MODE_MOUSE_BUTTONS) | VT_BIT(VT_MODE_MOUSE_DRAG) |  \
		VT_BIT(VT_MODE_MOUSE_MOTION))
#define MOUSE_FORMS                                                                                \
	(VT_BIT(VT_MODE_MOUSE_UTF8) | VT_BIT(VT_MODE_MOUSE_SGR) | VT_BIT(VT_MODE_MOUSE_URXVT) |    \
		VT_BIT(VT_MODE_MOUSE_PIXELS))

static enum vt_mode find_mode(bool private, uint32_t number) {
	const struct mode_number *table = private ? dec_modes : ansi_modes;
	size_t count = private ? sizeof(dec_modes) / sizeof(dec_modes[0])
			       : sizeof(ansi_modes) / sizeof(ansi_modes[0]);
	for (size_t i = 0; i < count; i++) {
		if (table[i].number == number) {
			return table[i].mode;
		}
	}
	return VT_MODES;
}

/* Only the bit, and the word that it changed. */
void vt_mode_put(struct vt *vt, enum vt_mode mode, bool set) {
	struct vt_state *s = vt->state;
	uint64_t before = s->modes;
	if (set) {
		if (VT_BIT(mode) & MOUSE_KINDS) {
			s->modes &= ~MOUSE_KINDS;
		} else if (VT_BIT(mode) & MOUSE_FORMS) {
			s->modes &= ~MOUSE_FORMS;
		}
		s->modes |= VT_BIT(mode);
	} else {
		s->modes &= ~VT_BIT(mode);
	}
	if (s->modes != before) {
		vt_tell(vt, VT_EVENT_MODE, mode, set);
	}
}

/* DECCOLM: the size is the user's, the rest of what it does is done. */
static void columns_132(struct vt *vt, bool set) {
	struct vt_state *s = vt->state;
	s->top = 0;
	s->bottom = s->rows - 1;
	s->left = 0;
	s->right = s->cols - 1;
	vt_mode_put(vt, VT_MODE_MARGINS, false);
	if (!vt_mode(vt, VT_MODE_NO_CLEAR_COLUMNS)) {
		vt_erase_rows(vt, 0, s->rows);
		vt_home(vt);
	}
	if (vt_mode(vt, VT_MODE_ALLOW_COLUMNS)) {
		vt_tell(vt, VT_EVENT_RESIZE, set ? 132 : 80, 0);
	}
}

static void alt_screen(struct vt *vt, uint32_t number, bool set) {
	struct vt_state *s = vt->state;
	if (number == 1049 && set) {
		vt_save_cursor(vt);
	}
	if (number == 1047 && !set && s->alt) {
		vt_erase_rows(vt, 0, s->rows);
	}
	vt_show_screen(vt, set);
	if (number == 1049 && set) {
		vt_erase_rows(vt, 0, s->rows);
	} else if (number == 1049) {
		vt_restore_cursor(vt);
	}
}

static void set_mode(struct vt *vt, bool private, uint32_t number, bool set) {
	struct vt_state *s = vt->state;
	enum vt_mode mode = find_mode(private, number);
	if (private && number == 1048) {
		if (set) {
			vt_save_cursor(vt);
		} else {
			vt_restore_cursor(vt);
		}
		return;
	}
	switch (mode) {
	case VT_MODES:
		return;
	case VT_MODE_ALT_SCREEN:
		alt_screen(vt, number, set);
		return;
	case VT_MODE_SRM: /* never echoes by itself */
	default:
		break;
	}
	vt_mode_put(vt, mode, set);
	switch (mode) {
	case VT_MODE_COLUMNS_132:
		columns_132(vt, set);
		break;
	case VT_MODE_ORIGIN:
		vt_home(vt);
		break;
	case VT_MODE_REVERSE:
		vt_damage_all(vt);
		break;
	case VT_MODE_WRAP:
		s->pending_wrap = s->pending_wrap && set;
		break;
	case VT_MODE_MARGINS:
		s->left = 0;
		s->right = s->cols - 1;
		break;
	case VT_MODE_RESIZE:
		if (set) {
			vt_report_size(vt);
		}
		break;
	default:
		break;
	}
}

void vt_set_modes(struct vt *vt, const struct vt_sequence *q, bool set) {
	for (uint32_t n = 0; n < q->count; n++) {
		set_mode(vt, q->private == '?', q->params[n], set);
	}
}

/* XTSAVE, XTRESTORE */
void vt_save_modes(struct vt *vt, const struct vt_sequence *q, bool restore) {
	struct vt_state *s = vt->state;
	for (uint32_t n = 0; n < q->count; n++) {
		enum vt_mode mode = find_mode(true, q->params[n]);
		if (mode == VT_MODES) {
			continue;
		}
		if (restore) {
			bool set = s->saved_modes >> mode & 1;
			if (set != vt_mode(vt, mode)) {
				set_mode(vt, true, q->params[n], set);
			}
		} else {
			s->saved_modes =
				(s->saved_modes & ~VT_BIT(mode)) | (s->modes & VT_BIT(mode));
		}
	}
}

/* DECRQM: 0 unknown, 1 set, 2 reset, 3 always set, 4 always reset. */
void vt_request_mode(struct vt *vt, const struct vt_sequence *q) {
	bool private = q->private == '?';
	uint32_t number = vt_param(q, 0, 0);
	enum vt_mode mode = find_mode(private, number);
	uint32_t answer = 0;
	if (private && number == 1048) {
		answer = vt->state->saved_valid[vt->state->alt] ? 1 : 2;
	} else if (private && (number == 2 || number == 14 || number == 18)) {
		answer = number == 2 ? 3 : 4;
	} else if (mode != VT_MODES) {
		answer = vt_mode(vt, mode) ? 1 : 2;
	}
	vt_reply(vt, "\033[%s%u;%u$y", private ? "?" : "", number, answer);
}

void vt_sync_end(struct vt *vt) {
	vt_mode_put(vt, VT_MODE_SYNC, false);
}

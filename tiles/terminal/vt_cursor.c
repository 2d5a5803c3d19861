/* SPDX-License-Identifier: MIT */
/* The cursor: moving it, saving it, and the screen that it is on. */
#include "vt_int.h"

void vt_move_to(struct vt *vt, uint32_t row, uint32_t col) {
	struct vt_state *s = vt->state;
	s->row = vt_min(row, s->rows - 1);
	s->col = vt_min(col, s->cols - 1);
	s->pending_wrap = 0;
}

/* Addressed as the program does: relative to the margins when origin mode is on. */
void vt_move_origin(struct vt *vt, uint32_t row, uint32_t col) {
	const struct vt_state *s = vt->state;
	if (s->modes & VT_BIT(VT_MODE_ORIGIN)) {
		row = vt_min(vt_min(row, VT_MAX_ROWS) + s->top, s->bottom);
		col = vt_min(vt_min(col, VT_MAX_COLS) + vt_left_margin(s), vt_right_margin(s));
	}
	vt_move_to(vt, row, col);
}

void vt_home(struct vt *vt) {
	vt_move_origin(vt, 0, 0);
}

static bool between_margins(const struct vt_state *s) {
	return s->col >= vt_left_margin(s) && s->col <= vt_right_margin(s);
}

void vt_line_feed(struct vt *vt) {
	struct vt_state *s = vt->state;
	s->pending_wrap = 0;
	if (s->row != s->bottom) {
		s->row = vt_min(s->row + 1, s->rows - 1);
		return;
	}
	if (between_margins(s)) {
		vt_scroll_up(vt, s->top, s->bottom, 1, true);
	}
}

void vt_reverse_line_feed(struct vt *vt) {
	struct vt_state *s = vt->state;
	s->pending_wrap = 0;
	if (s->row != s->top) {
		s->row -= s->row > 0;
		return;
	}
	if (between_margins(s)) {
		vt_scroll_down(vt, s->top, s->bottom, 1);
	}
}

void vt_carriage_return(struct vt *vt) {
	struct vt_state *s = vt->state;
	uint32_t left = vt_left_margin(s);
	s->pending_wrap = 0;
	s->col = s->col >= left || s->modes & VT_BIT(VT_MODE_ORIGIN) ? left : 0;
}

/* One step left of the left margin, in the modes of reverse wrapping. */
static bool wrap_back(struct vt *vt) {
	struct vt_state *s = vt->state;
	bool far = s->modes & VT_BIT(VT_MODE_EXT_REVERSE_WRAP);
	if (s->row == s->top) {
		if (!far) {
			return false;
		}
		s->row = s->bottom;
	} else if (s->row == 0) {
		return false;
	} else {
		if (!far && !(vt_screen_row(vt, s->row - 1)->flags & VT_ROW_WRAPPED)) {
			return false;
		}
		s->row--;
	}
	s->col = vt_right_margin(s);
	return true;
}

void vt_backspace(struct vt *vt, uint32_t count) {
	struct vt_state *s = vt->state;
	uint64_t reverse = VT_BIT(VT_MODE_REVERSE_WRAP) | VT_BIT(VT_MODE_EXT_REVERSE_WRAP);
	bool wraps = s->modes & reverse && s->modes & VT_BIT(VT_MODE_WRAP);
	uint32_t left = vt_left_margin(s);
	if (s->pending_wrap && wraps) {
		count--;
	}
	s->pending_wrap = 0;
	/* More than all cells of the screen comes to the same place again. */
	for (count = vt_min(count, s->rows * s->cols); count > 0; count--) {
		if (s->col == 0 || s->col == left) {
			if (!wraps || !wrap_back(vt)) {
				return;
			}
			continue;
		}
		s->col--;
	}
}

static bool tab_at(const struct vt_state *s, uint32_t col) {
	return s->tabs[col / 32] >> (col % 32) & 1;
}

void vt_tab(struct vt *vt, uint32_t count) {
	struct vt_state *s = vt->state;
	uint32_t right = vt_right_margin(s);
	uint32_t end = s->col <= right ? right : s->cols - 1;
	for (; count > 0 && s->col < end; count--) {
		do {
			s->col++;
		} while (s->col < end && !tab_at(s, s->col));
	}
}

void vt_tab_back(struct vt *vt, uint32_t count) {
	struct vt_state *s = vt->state;
	uint32_t start = s->modes & VT_BIT(VT_MODE_ORIGIN) ? vt_left_margin(s) : 0;
	s->pending_wrap = 0;
	for (; count > 0 && s->col > start; count--) {
		do {
			s->col--;
		} while (s->col > start && !tab_at(s, s->col));
	}
}

/* DECFI, DECBI: at the margin the text moves instead of the cursor. */
void vt_forward_index(struct vt *vt) {
	struct vt_state *s = vt->state;
	if (s->col != vt_right_margin(s)) {
		vt_move_to(vt, s->row, s->col + 1);
		return;
	}
	if (s->row >= s->top && s->row <= s->bottom) {
		for (uint32_t r = s->top; r <= s->bottom; r++) {
			vt_delete_cells(vt, r, vt_left_margin(s), vt_right_margin(s) + 1, 1);
		}
	}
}

void vt_back_index(struct vt *vt) {
	struct vt_state *s = vt->state;
	if (s->col != vt_left_margin(s)) {
		vt_move_to(vt, s->row, s->col - (s->col > 0));
		return;
	}
	if (s->row >= s->top && s->row <= s->bottom) {
		for (uint32_t r = s->top; r <= s->bottom; r++) {
			vt_insert_cells(vt, r, vt_left_margin(s), vt_right_margin(s) + 1, 1);
		}
	}
}

void vt_save_cursor(struct vt *vt) {
	struct vt_state *s = vt->state;
	uint32_t i = s->alt;
	s->saved_row[i] = s->row;
	s->saved_col[i] = s->col;
	s->saved_pending[i] = s->pending_wrap;
	memcpy(&s->saved_pen[i * 4], s->pen, sizeof(s->pen));
	s->saved_underline[i] = s->pen_underline;
	s->saved_link[i] = s->pen_link;
	memcpy(&s->saved_charsets[i * 4], s->charsets, sizeof(s->charsets));
	s->saved_gl[i] = s->gl;
	s->saved_gr[i] = s->gr;
	s->saved_shift[i] = s->single_shift;
	s->saved_origin[i] = vt_mode(vt, VT_MODE_ORIGIN);
	s->saved_valid[i] = 1;
}

static void reset_charsets(struct vt_state *s) {
	memset(s->charsets, VT_CHARSET_ASCII, sizeof(s->charsets));
	s->gl = 0;
	s->gr = 2;
	s->single_shift = 0;
}

/* The hyperlink is not part of what SGR 0 resets, but of what a reset does. */
void vt_reset_pen(struct vt_state *s) {
	memset(s->pen, 0, sizeof(s->pen));
	s->pen_underline = 0;
	s->pen_link = 0;
}

void vt_restore_cursor(struct vt *vt) {
	struct vt_state *s = vt->state;
	uint32_t i = s->alt;
	if (!s->saved_valid[i]) {
		vt_mode_put(vt, VT_MODE_ORIGIN, false);
		reset_charsets(s);
		vt_reset_pen(s);
		vt_move_to(vt, 0, 0);
		return;
	}
	vt_move_to(vt, s->saved_row[i], s->saved_col[i]);
	s->pending_wrap = s->saved_pending[i] && s->col == s->saved_col[i];
	memcpy(s->pen, &s->saved_pen[i * 4], sizeof(s->pen));
	s->pen_underline = s->saved_underline[i];
	s->pen_link = s->saved_link[i];
	memcpy(s->charsets, &s->saved_charsets[i * 4], sizeof(s->charsets));
	s->gl = s->saved_gl[i];
	s->gr = s->saved_gr[i];
	s->single_shift = s->saved_shift[i];
	vt_mode_put(vt, VT_MODE_ORIGIN, s->saved_origin[i]);
}

void vt_show_screen(struct vt *vt, bool alt) {
	struct vt_state *s = vt->state;
	if (s->alt == alt) {
		return;
	}
	s->alt = alt;
	if (alt) {
		s->modes |= VT_BIT(VT_MODE_ALT_SCREEN);
	} else {
		s->modes &= ~VT_BIT(VT_MODE_ALT_SCREEN);
	}
	vt_damage_all(vt);
	vt_tell(vt, VT_EVENT_SCREEN, alt, 0);
}

/* DECSTR */
void vt_soft_reset(struct vt *vt) {
	struct vt_state *s = vt->state;
	static const enum vt_mode off[] = {VT_MODE_KAM, VT_MODE_IRM, VT_MODE_LNM, VT_MODE_ORIGIN,
		VT_MODE_CURSOR_KEYS, VT_MODE_KEYPAD, VT_MODE_REVERSE_WRAP, VT_MODE_EXT_REVERSE_WRAP,
		VT_MODE_MARGINS, VT_MODE_GRAPHEMES, VT_MODE_SYNC};
	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		vt_mode_put(vt, off[i], false);
	}
	vt_mode_put(vt, VT_MODE_WRAP, true);
	vt_mode_put(vt, VT_MODE_CURSOR, true);
	s->top = 0;
	s->bottom = s->rows - 1;
	s->left = 0;
	s->right = s->cols - 1;
	s->pending_wrap = 0;
	reset_charsets(s);
	vt_reset_pen(s);
	s->saved_valid[s->alt] = 0;
	s->iso_protected = 0;
	s->rect_exact = 0;
	s->modify_keys = 0;
	s->kitty_depth[s->alt] = 0;
	memset(&s->kitty_flags[s->alt * VT_KITTY_DEPTH], 0, VT_KITTY_DEPTH);
	s->cursor_style = VT_CURSOR_BLOCK;
	s->cursor_default = 1;
}

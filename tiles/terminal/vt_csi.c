/* SPDX-License-Identifier: MIT */
/* Control sequences: CSI, perhaps a private marker, parameters, intermediates, a final byte. */
#include "vt_int.h"

#define KEY(private, inter, final) ((uint32_t)(private) << 16 | (uint32_t)(inter) << 8 | (final))

/* ---- erasing ---- */

typedef void (*erase_fn)(struct vt *vt, uint32_t row, uint32_t from, uint32_t to);

/*
 * While a wrap is pending the cursor is behind the last column: nothing is right of it to erase,
 * and the next character still wraps. (The VT510 erases the last character; programs that end a
 * full line with "clear to the end of the line", as grep does, then lose it.)
 */
static void erase_line(struct vt *vt, uint32_t how, erase_fn erase) {
	struct vt_state *s = vt->state;
	switch (how) {
	case 0:
		if (!s->pending_wrap) {
			erase(vt, s->row, s->col, s->cols);
		}
		break;
	case 1:
		erase(vt, s->row, 0, s->col + 1);
		break;
	case 2:
		erase(vt, s->row, 0, s->cols);
		break;
	default:
		break;
	}
}

static void erase_display(struct vt *vt, uint32_t how, erase_fn erase) {
	struct vt_state *s = vt->state;
	uint32_t from = how == 0 ? s->row + 1 : 0;
	uint32_t to = how == 1 ? s->row : s->rows;
	if (how == 3) {
		if (!s->alt) {
			vt_clear_history(vt);
		}
		return;
	}
	if (how > 3) {
		return;
	}
	for (uint32_t r = from; r < to; r++) {
		erase(vt, r, 0, s->cols);
	}
	if (how < 2) {
		erase_line(vt, how, erase);
	}
}

/* ---- editing; all of it only between the margins ---- */

static bool inside_margins(const struct vt_state *s) {
	return s->row >= s->top && s->row <= s->bottom && s->col >= vt_left_margin(s) &&
		s->col <= vt_right_margin(s);
}

static void edit_lines(struct vt *vt, uint32_t count, bool insert) {
	struct vt_state *s = vt->state;
	if (!inside_margins(s)) {
		return;
	}
	s->pending_wrap = 0;
	if (insert) {
		vt_scroll_down(vt, s->row, s->bottom, count);
	} else {
		vt_scroll_up(vt, s->row, s->bottom, count, false);
	}
	s->col = vt_left_margin(s);
}

static void edit_cells(struct vt *vt, uint32_t count, bool insert) {
	struct vt_state *s = vt->state;
	uint32_t left = vt_left_margin(s), right = vt_right_margin(s);
	s->pending_wrap = 0;
	if (s->col < left || s->col > right) {
		return;
	}
	if (insert) {
		vt_insert_cells(vt, s->row, s->col, right + 1, count);
	} else {
		vt_delete_cells(vt, s->row, s->col, right + 1, count);
	}
}

/* DECIC, DECDC */
static void edit_columns(struct vt *vt, uint32_t count, bool insert) {
	struct vt_state *s = vt->state;
	if (!inside_margins(s)) {
		return;
	}
	uint32_t right = vt_right_margin(s);
	for (uint32_t r = s->top; r <= s->bottom; r++) {
		if (insert) {
			vt_insert_cells(vt, r, s->col, right + 1, count);
		} else {
			vt_delete_cells(vt, r, s->col, right + 1, count);
		}
	}
}

/* SL, SR */
static void shift_columns(struct vt *vt, uint32_t count, bool right) {
	struct vt_state *s = vt->state;
	uint32_t from = vt_left_margin(s), to = vt_right_margin(s) + 1;
	for (uint32_t r = s->top; r <= s->bottom; r++) {
		if (right) {
			vt_insert_cells(vt, r, from, to, count);
		} else {
			vt_delete_cells(vt, r, from, to, count);
		}
	}
}

/* ---- moving ---- */

static void up(struct vt *vt, uint32_t count) {
	struct vt_state *s = vt->state;
	uint32_t stop = s->row >= s->top ? s->top : 0;
	vt_move_to(vt, s->row - vt_min(count, s->row - stop), s->col);
}

static void down(struct vt *vt, uint32_t count) {
	struct vt_state *s = vt->state;
	uint32_t stop = s->row <= s->bottom ? s->bottom : s->rows - 1;
	vt_move_to(vt, s->row + vt_min(count, stop - s->row), s->col);
}

static void right(struct vt *vt, uint32_t count) {
	struct vt_state *s = vt->state;
	uint32_t margin = vt_right_margin(s);
	uint32_t stop = s->col <= margin ? margin : s->cols - 1;
	vt_move_to(vt, s->row, s->col + vt_min(count, stop - s->col));
}

/* CHA, HPA, VPA address as origin mode says, but only in their own direction. */
static void to_col(struct vt *vt, uint32_t col) {
	struct vt_state *s = vt->state;
	if (s->modes & VT_BIT(VT_MODE_ORIGIN)) {
		col = vt_min(col + vt_left_margin(s), vt_right_margin(s));
	}
	vt_move_to(vt, s->row, col);
}

static void to_row(struct vt *vt, uint32_t row) {
	struct vt_state *s = vt->state;
	if (s->modes & VT_BIT(VT_MODE_ORIGIN)) {
		row = vt_min(row + s->top, s->bottom);
	}
	vt_move_to(vt, row, s->col);
}

static void set_rows(struct vt *vt, const struct vt_sequence *q) {
	struct vt_state *s = vt->state;
	uint32_t top = vt_param(q, 0, 1) - 1;
	uint32_t bottom = vt_min(vt_param(q, 1, s->rows), s->rows) - 1;
	if (top >= bottom) {
		return;
	}
	s->top = top;
	s->bottom = bottom;
	vt_home(vt);
}

static void set_columns(struct vt *vt, const struct vt_sequence *q) {
	struct vt_state *s = vt->state;
	uint32_t left = vt_param(q, 0, 1) - 1;
	uint32_t right_col = vt_min(vt_param(q, 1, s->cols), s->cols) - 1;
	if (left >= right_col) {
		return;
	}
	s->left = left;
	s->right = right_col;
	vt_home(vt);
}

/* ---- tab stops ---- */

static void clear_tabs(struct vt_state *s, uint32_t how) {
	if (how == 0) {
		s->tabs[s->col / 32] &= ~(1u << (s->col % 32));
	} else if (how == 3) {
		memset(s->tabs, 0, sizeof(s->tabs));
	}
}

/* DECST8C */
static void default_tabs(struct vt_state *s) {
	memset(s->tabs, 0, sizeof(s->tabs));
	for (uint32_t col = 8; col < VT_MAX_COLS; col += 8) {
		s->tabs[col / 32] |= 1u << (col % 32);
	}
}

/* ---- keyboard ---- */

static void kitty_set(struct vt *vt, uint32_t flags, uint32_t how) {
	struct vt_state *s = vt->state;
	uint8_t *now = &s->kitty_flags[s->alt * VT_KITTY_DEPTH + s->kitty_depth[s->alt]];
	flags &= 31;
	switch (how) {
	case 1:
		*now = (uint8_t)flags;
		break;
	case 2:
		*now |= (uint8_t)flags;
		break;
	case 3:
		*now &= (uint8_t)~flags;
		break;
	default:
		return;
	}
	vt_tell(vt, VT_EVENT_KEYBOARD, 0, 0);
}

static void kitty_push(struct vt *vt, uint32_t flags) {
	struct vt_state *s = vt->state;
	uint8_t *stack = &s->kitty_flags[s->alt * VT_KITTY_DEPTH];
	if (s->kitty_depth[s->alt] == VT_KITTY_DEPTH - 1) {
		/* Full: the oldest is forgotten. Entry 0 is what holds when all are popped. */
		memmove(stack + 1, stack + 2, VT_KITTY_DEPTH - 2);
	} else {
		s->kitty_depth[s->alt]++;
	}
	stack[s->kitty_depth[s->alt]] = flags & 31;
	vt_tell(vt, VT_EVENT_KEYBOARD, 0, 0);
}

static void kitty_pop(struct vt *vt, uint32_t count) {
	struct vt_state *s = vt->state;
	uint8_t *stack = &s->kitty_flags[s->alt * VT_KITTY_DEPTH];
	if (count > s->kitty_depth[s->alt]) {
		stack[0] = 0; /* popping an empty stack resets all flags */
	}
	for (; count > 0 && s->kitty_depth[s->alt] > 0; count--) {
		stack[s->kitty_depth[s->alt]--] = 0;
	}
	vt_tell(vt, VT_EVENT_KEYBOARD, 0, 0);
}

/* XTMODKEYS: only modifyOtherKeys can be changed, the others are as xterm has them. */
static void modify_keys(struct vt *vt, const struct vt_sequence *q, bool off) {
	struct vt_state *s = vt->state;
	uint32_t resource = vt_param(q, 0, 0);
	if (q->count > 0 && resource != 4) {
		return;
	}
	s->modify_keys = off || q->count == 0 ? 0 : (uint8_t)vt_min(vt_param(q, 1, 0), 2);
	vt_tell(vt, VT_EVENT_KEYBOARD, 0, 0);
}

/* ---- cursor, protection, conformance ---- */

static void cursor_style(struct vt *vt, uint32_t how) {
	struct vt_state *s = vt->state;
	if (how > 6) {
		return;
	}
	s->cursor_default = how == 0;
	s->cursor_style = how == 0 ? VT_CURSOR_BLOCK : (uint8_t)((how - 1) / 2);
	vt_mode_put(vt, VT_MODE_CURSOR_BLINK, how == 0 || how % 2 == 1);
	vt_tell(vt, VT_EVENT_CURSOR, 0, 0);
}

static void protect(struct vt_state *s, uint32_t how) {
	s->iso_protected = 0;
	if (how == 1) {
		s->pen[3] |= VT_AT_PROTECTED;
	} else if (how == 0 || how == 2) {
		s->pen[3] &= ~VT_AT_PROTECTED;
	}
}

static void conformance(struct vt *vt, const struct vt_sequence *q) {
	uint32_t level = vt_param(q, 0, 0);
	if (level < 61 || level > 65) {
		return;
	}
	vt_soft_reset(vt);
	vt->state->conformance = (uint8_t)level;
	vt->state->c1_8bit = level > 61 && vt_param(q, 1, 0) != 1;
}

/* ---- dispatch ---- */

/* Those without a marker or intermediates; false when it is none of them. */
static bool plain(struct vt *vt, const struct vt_sequence *q) {
	struct vt_state *s = vt->state;
	uint32_t n = vt_param(q, 0, 1);
	switch (q->final) {
	case '@':
		edit_cells(vt, n, true);
		return true;
	case 'A':
		up(vt, n);
		return true;
	case 'B':
	case 'e':
		down(vt, n);
		return true;
	case 'C':
	case 'a':
		right(vt, n);
		return true;
	case 'D':
		vt_backspace(vt, n);
		return true;
	case 'E':
		down(vt, n);
		vt_carriage_return(vt);
		return true;
	case 'F':
		up(vt, n);
		vt_carriage_return(vt);
		return true;
	case 'G':
	case '`':
		to_col(vt, n - 1);
		return true;
	case 'H':
	case 'f':
		vt_move_origin(vt, n - 1, vt_param(q, 1, 1) - 1);
		return true;
	case 'I':
		vt_tab(vt, n);
		return true;
	case 'J':
		erase_display(vt, vt_param(q, 0, 0), vt_erase);
		return true;
	case 'K':
		erase_line(vt, vt_param(q, 0, 0), vt_erase);
		return true;
	case 'L':
		edit_lines(vt, n, true);
		return true;
	case 'M':
		edit_lines(vt, n, false);
		return true;
	case 'P':
		edit_cells(vt, n, false);
		return true;
	case 'S':
		vt_scroll_up(vt, s->top, s->bottom, n, true);
		return true;
	case 'T': /* with five parameters it would be highlight tracking */
		if (q->count < 2) {
			vt_scroll_down(vt, s->top, s->bottom, n);
		}
		return true;
	case '^':
		vt_scroll_down(vt, s->top, s->bottom, n);
		return true;
	case 'X':
		s->pending_wrap = 0;
		vt_erase(vt, s->row, s->col, vt_min(s->col + n, s->cols));
		return true;
	case 'Z':
		vt_tab_back(vt, n);
		return true;
	case 'b':
		vt_repeat(vt, n);
		return true;
	case 'd':
		to_row(vt, n - 1);
		return true;
	case 'g':
		clear_tabs(s, vt_param(q, 0, 0));
		return true;
	case 'h':
	case 'l':
		vt_set_modes(vt, q, q->final == 'h');
		return true;
	case 'm':
		vt_sgr(vt, q);
		return true;
	case 'r':
		set_rows(vt, q);
		return true;
	case 's':
		if (s->modes & VT_BIT(VT_MODE_MARGINS)) {
			set_columns(vt, q);
		} else {
			vt_save_cursor(vt);
		}
		return true;
	case 'u':
		vt_restore_cursor(vt);
		return true;
	default:
		return false;
	}
}

static bool marked(struct vt *vt, const struct vt_sequence *q) {
	struct vt_state *s = vt->state;
	switch (KEY(q->private, q->inters[0], q->final)) {
	case KEY('?', 0, 'J'):
		erase_display(vt, vt_param(q, 0, 0), vt_erase_unprotected);
		return true;
	case KEY('?', 0, 'K'):
		erase_line(vt, vt_param(q, 0, 0), vt_erase_unprotected);
		return true;
	case KEY('?', 0, 'W'):
		if (vt_param(q, 0, 0) == 5) {
			default_tabs(s);
		}
		return true;
	case KEY('?', 0, 'h'):
	case KEY('?', 0, 'l'):
		vt_set_modes(vt, q, q->final == 'h');
		return true;
	case KEY('?', 0, 'r'):
	case KEY('?', 0, 's'):
		vt_save_modes(vt, q, q->final == 'r');
		return true;
	case KEY(0, '$', 'p'):
	case KEY('?', '$', 'p'):
		vt_request_mode(vt, q);
		return true;
	case KEY('=', 0, 'u'):
		kitty_set(vt, vt_param(q, 0, 0), vt_param(q, 1, 1));
		return true;
	case KEY('>', 0, 'u'):
		kitty_push(vt, vt_param(q, 0, 0));
		return true;
	case KEY('<', 0, 'u'):
		kitty_pop(vt, vt_param(q, 0, 1));
		return true;
	case KEY('?', 0, 'u'):
		vt_reply(vt, "\033[?%uu", vt_kitty_flags(vt));
		return true;
	case KEY('>', 0, 'm'):
		modify_keys(vt, q, false);
		return true;
	case KEY('>', 0, 'n'):
		modify_keys(vt, q, true);
		return true;
	case KEY('>', 0, 'f'):
		if (vt_param(q, 0, 0) == 4) {
			s->format_keys = vt_param(q, 1, 0) == 1;
		}
		return true;
	case KEY(0, '!', 'p'):
		vt_soft_reset(vt);
		return true;
	case KEY(0, '"', 'p'):
		conformance(vt, q);
		return true;
	case KEY(0, '"', 'q'):
		protect(s, vt_param(q, 0, 0));
		return true;
	case KEY(0, ' ', 'q'):
		cursor_style(vt, vt_param(q, 0, 0));
		return true;
	case KEY(0, ' ', '@'):
		shift_columns(vt, vt_param(q, 0, 1), false);
		return true;
	case KEY(0, ' ', 'A'):
		shift_columns(vt, vt_param(q, 0, 1), true);
		return true;
	case KEY(0, '\'', '}'):
		edit_columns(vt, vt_param(q, 0, 1), true);
		return true;
	case KEY(0, '\'', '~'):
		edit_columns(vt, vt_param(q, 0, 1), false);
		return true;
	default:
		return false;
	}
}

void vt_csi(struct vt *vt, const struct vt_sequence *q) {
	if (q->inter_count > 1) {
		return;
	}
	if (q->private == 0 && q->inter_count == 0) {
		if (!plain(vt, q)) {
			vt_report(vt, q);
		}
		return;
	}
	if (!marked(vt, q) && !vt_rectangles(vt, q)) {
		vt_report(vt, q);
	}
}

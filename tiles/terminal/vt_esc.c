/* SPDX-License-Identifier: MIT */
/* C0 controls and escape sequences. */
#include "vt_int.h"

void vt_control(struct vt *vt, uint32_t c) {
	struct vt_state *s = vt->state;
	switch (c) {
	case 0x05: /* ENQ: the answerback is empty */
		break;
	case 0x07:
		vt_tell(vt, VT_EVENT_BELL, 0, 0);
		break;
	case 0x08:
		vt_backspace(vt, 1);
		break;
	case 0x09:
		vt_tab(vt, 1);
		break;
	case 0x0a:
	case 0x0b:
	case 0x0c:
		vt_line_feed(vt);
		if (s->modes & VT_BIT(VT_MODE_LNM)) {
			vt_carriage_return(vt);
		}
		break;
	case 0x0d:
		vt_carriage_return(vt);
		break;
	case 0x0e:
		s->gl = 1;
		break;
	case 0x0f:
		s->gl = 0;
		break;
	default:
		break;
	}
}

/* ---- character sets ---- */

static enum vt_charset set_of_94(uint8_t final) {
	switch (final) {
	case '0':
	case '2':
		return VT_CHARSET_GRAPHICS;
	case '>':
		return VT_CHARSET_TECHNICAL;
	case '<':
		return VT_CHARSET_SUPPLEMENTAL;
	case 'A':
		return VT_CHARSET_BRITISH;
	case '4':
		return VT_CHARSET_DUTCH;
	case 'C':
	case '5':
		return VT_CHARSET_FINNISH;
	case 'R':
	case 'f':
		return VT_CHARSET_FRENCH;
	case 'Q':
	case '9':
		return VT_CHARSET_CANADIAN;
	case 'K':
		return VT_CHARSET_GERMAN;
	case 'Y':
		return VT_CHARSET_ITALIAN;
	case 'E':
	case '6':
	case '`':
		return VT_CHARSET_NORWEGIAN;
	case 'Z':
		return VT_CHARSET_SPANISH;
	case 'H':
	case '7':
		return VT_CHARSET_SWEDISH;
	case '=':
		return VT_CHARSET_SWISS;
	default:
		return VT_CHARSET_ASCII;
	}
}

static void designate(struct vt_state *s, const struct vt_sequence *q) {
	enum vt_charset set = VT_CHARSET_ASCII;
	uint8_t to;
	switch (q->inters[0]) {
	case '(':
	case ')':
	case '*':
	case '+':
		to = q->inters[0] - '(';
		if (q->inter_count == 1) {
			set = set_of_94(q->final);
		} else if (q->inters[1] == '%' && q->final == '6') {
			set = VT_CHARSET_PORTUGUESE;
		} else if (q->inters[1] == '%' && q->final == '5') {
			set = VT_CHARSET_SUPPLEMENTAL;
		}
		break;
	default: /* - . / : the sets of 96 */
		to = q->inters[0] - '-' + 1;
		if (q->final == 'A') {
			set = VT_CHARSET_LATIN1;
		}
		break;
	}
	s->charsets[to] = (uint8_t)set;
}

/* ---- the sequences ---- */

static void alignment_test(struct vt *vt) {
	struct vt_state *s = vt->state;
	s->top = 0;
	s->bottom = s->rows - 1;
	s->left = 0;
	s->right = s->cols - 1;
	vt_mode_put(vt, VT_MODE_ORIGIN, false);
	vt_move_to(vt, 0, 0);
	for (uint32_t r = 0; r < s->rows; r++) {
		vt_fill(vt, r, 0, s->cols, (struct vt_cell){.ch = 'E'});
	}
}

static void plain_escape(struct vt *vt, uint8_t final) {
	struct vt_state *s = vt->state;
	switch (final) {
	case '6':
		vt_back_index(vt);
		break;
	case '7':
		vt_save_cursor(vt);
		break;
	case '8':
		vt_restore_cursor(vt);
		break;
	case '9':
		vt_forward_index(vt);
		break;
	case '=':
		vt_mode_put(vt, VT_MODE_KEYPAD, true);
		break;
	case '>':
		vt_mode_put(vt, VT_MODE_KEYPAD, false);
		break;
	case 'D':
		vt_line_feed(vt);
		break;
	case 'E':
		vt_line_feed(vt);
		vt_carriage_return(vt);
		break;
	case 'H':
		s->tabs[s->col / 32] |= 1u << (s->col % 32);
		break;
	case 'M':
		vt_reverse_line_feed(vt);
		break;
	case 'N':
		s->single_shift = 2;
		break;
	case 'O':
		s->single_shift = 3;
		break;
	case 'V': /* SPA */
		s->pen[3] |= VT_AT_PROTECTED;
		s->iso_protected = 1;
		break;
	case 'W': /* EPA */
		s->pen[3] &= ~VT_AT_PROTECTED;
		break;
	case 'Z':
		vt_csi(vt, &(struct vt_sequence){.final = 'c'});
		break;
	case 'c':
		vt_reset(vt);
		break;
	case 'n':
		s->gl = 2;
		break;
	case 'o':
		s->gl = 3;
		break;
	case '|':
		s->gr = 3;
		break;
	case '}':
		s->gr = 2;
		break;
	case '~':
		s->gr = 1;
		break;
	default:
		break;
	}
}

void vt_escape(struct vt *vt, const struct vt_sequence *q) {
	struct vt_state *s = vt->state;
	if (q->inter_count > 2) {
		return;
	}
	if (q->inter_count == 0) {
		plain_escape(vt, q->final);
		return;
	}
	switch (q->inters[0]) {
	case ' ':
		if (q->final == 'F' || q->final == 'G') {
			s->c1_8bit = q->final == 'G';
		}
		break;
	case '#':
		if (q->final == '8' && q->inter_count == 1) {
			alignment_test(vt);
		}
		break;
	case '(':
	case ')':
	case '*':
	case '+':
	case '-':
	case '.':
	case '/':
		designate(s, q);
		break;
	default: /* among them % G and % @: it is always UTF-8 */
		break;
	}
}

/* SPDX-License-Identifier: MIT */
/* What is selected, as two marks of the core, so that it follows the text. */
#include <stdlib.h>
#include <string.h>

#include "terminal.h"

/* Beside letters and digits, what belongs to a word: paths and URLs should come whole. */
static const char word_extra[] = "-_./~:@%+#?&=,$";

static bool is_word(const struct vt *vt, const struct vt_cell *cell)
{
	if (cell->ch & VT_CH_TAIL) {
		return true;
	}
	uint32_t cps[VT_CLUSTER_CPS];
	if (vt_cell_cps(vt, cell, cps) == 0) {
		return false;
	}
	uint32_t cp = cps[0];
	if (cp < 0x80) {
		return (cp >= '0' && cp <= '9') || (cp >= 'a' && cp <= 'z') ||
		       (cp >= 'A' && cp <= 'Z') || (cp > 0 && strchr(word_extra, (int)cp) != NULL);
	}
	return cp >= 0xa1;
}

static void widen_to_word(const struct vt *vt, uint64_t line, uint32_t *from, uint32_t *to)
{
	const struct vt_cell *cells = vt_line_cells(vt, line);
	uint32_t cols = vt->state->cols;
	if (cells == NULL || *from >= cols || !is_word(vt, &cells[*from])) {
		return;
	}
	while (*from > 0 && is_word(vt, &cells[*from - 1])) {
		(*from)--;
	}
	while (*to < cols && is_word(vt, &cells[*to])) {
		(*to)++;
	}
}

/* Both ends in order, the end exclusive. False when nothing is selected. */
static bool selection_ends(const struct terminal *terminal, uint64_t *first, uint32_t *first_col,
	uint64_t *last, uint32_t *last_col)
{
	const struct vt *vt = &terminal->vt;
	if (terminal->view->selection == SELECTION_NONE ||
		!vt_mark_get(vt, MARK_ANCHOR, first, first_col) ||
		!vt_mark_get(vt, MARK_HEAD, last, last_col)) {
		return false;
	}
	if (*first > *last || (*first == *last && *first_col > *last_col)) {
		uint64_t line = *first;
		*first = *last;
		*last = line;
		uint32_t col = *first_col;
		*first_col = *last_col;
		*last_col = col;
	}
	return true;
}

void selection_start(
	struct terminal *terminal, uint64_t line, uint32_t col, enum selection_kind kind)
{
	terminal->view->selection = kind;
	terminal->view->selecting = true;
	vt_mark_set(&terminal->vt, MARK_ANCHOR, line, col);
	vt_mark_set(&terminal->vt, MARK_HEAD, line, col);
	vt_damage_all(&terminal->vt);
}

void selection_extend(struct terminal *terminal, uint64_t line, uint32_t col)
{
	vt_mark_set(&terminal->vt, MARK_HEAD, line, col);
	vt_damage_all(&terminal->vt);
}

void selection_clear(struct terminal *terminal)
{
	if (terminal->view->selection == SELECTION_NONE) {
		return;
	}
	terminal->view->selection = SELECTION_NONE;
	terminal->view->selecting = false;
	vt_mark_clear(&terminal->vt, MARK_ANCHOR);
	vt_mark_clear(&terminal->vt, MARK_HEAD);
	vt_damage_all(&terminal->vt);
}

bool selection_columns(
	const struct terminal *terminal, uint64_t line, uint32_t *from, uint32_t *to)
{
	uint64_t first, last;
	uint32_t first_col, last_col;
	if (!selection_ends(terminal, &first, &first_col, &last, &last_col) || line < first ||
		line > last) {
		return false;
	}
	uint32_t cols = terminal->vt.state->cols;
	switch ((enum selection_kind)terminal->view->selection) {
	case SELECTION_LINES:
		*from = 0;
		*to = cols;
		return true;
	case SELECTION_BLOCK:
		*from = first_col < last_col ? first_col : last_col;
		*to = first_col < last_col ? last_col : first_col;
		return *from < *to;
	default:
		*from = line == first ? first_col : 0;
		*to = line == last ? last_col : cols;
		break;
	}
	if (terminal->view->selection == SELECTION_WORDS) {
		uint32_t edge = *from;
		if (line == first) {
			widen_to_word(&terminal->vt, line, from, &edge);
		}
		if (line == last) {
			uint32_t start = *to > 0 && *to > *from ? *to - 1 : *to;
			uint32_t end = start;
			widen_to_word(&terminal->vt, line, &start, &end);
			*to = end > *to ? end : *to;
		}
	}
	return *from < *to;
}

struct text {
	char *bytes;
	size_t size, room;
};

static bool text_add(struct text *text, const char *bytes, size_t size)
{
	if (text->size + size > text->room) {
		size_t room = (text->size + size) * 2 + 256;
		char *grown = realloc(text->bytes, room);
		if (grown == NULL) {
			return false;
		}
		text->bytes = grown;
		text->room = room;
	}
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	return true;
}

static bool text_add_line(
	struct text *text, const struct vt *vt, uint64_t line, uint32_t from, uint32_t to)
{
	const struct vt_cell *cells = vt_line_cells(vt, line);
	size_t blank_from = text->size; /* blanks at the end of a line are not text */
	for (uint32_t col = from; col < to; col++) {
		if (cells[col].ch & (VT_CH_TAIL | VT_CH_PAD)) {
			continue;
		}
		char bytes[VT_CLUSTER_CPS * 4];
		size_t size = vt_cell_utf8(vt, &cells[col], bytes);
		if (!text_add(text, size > 0 ? bytes : " ", size > 0 ? size : 1)) {
			return false;
		}
		if (size > 0 && !(size == 1 && bytes[0] == ' ')) {
			blank_from = text->size;
		}
	}
	if (!(vt_line_row(vt, line)->flags & VT_ROW_WRAPPED) || to < vt->state->cols) {
		text->size = blank_from;
	}
	return true;
}

char *selection_text(const struct terminal *terminal, size_t *size)
{
	const struct vt *vt = &terminal->vt;
	uint64_t first, last;
	uint32_t first_col, last_col;
	if (!selection_ends(terminal, &first, &first_col, &last, &last_col)) {
		return NULL;
	}
	struct text text = {0};
	for (uint64_t line = first; line <= last; line++) {
		uint32_t from, to;
		const struct vt_row *row = vt_line_row(vt, line);
		if (row == NULL) {
			continue;
		}
		if (selection_columns(terminal, line, &from, &to) &&
			!text_add_line(&text, vt, line, from, to)) {
			goto error;
		}
		bool joined = (row->flags & VT_ROW_WRAPPED) != 0 &&
			      terminal->view->selection != SELECTION_BLOCK;
		if (line < last && !joined && !text_add(&text, "\n", 1)) {
			goto error;
		}
	}
	if (text.size == 0) {
		goto error;
	}
	*size = text.size;
	return text.bytes;
error:
	free(text.bytes);
	return NULL;
}

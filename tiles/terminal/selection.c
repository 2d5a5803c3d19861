/* SPDX-License-Identifier: MIT */
/* What is selected, as two marks of the core, so that it follows the text. */
#include <stdlib.h>
#include <string.h>

#include "terminal.h"

/* Beside letters and digits, what belongs to a word: paths and URLs should come whole. */
static const char word_extra[] = "-_./~:@%+#?&=,$";

static bool is_word(const struct vt *vt, const struct vt_cell *cell) {
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

/* A place in the text; columns are from 0 to the number of columns. */
struct place {
	uint64_t line;
	uint32_t col;
};

static bool wraps(const struct vt *vt, uint64_t line) {
	const struct vt_row *row = vt_line_row(vt, line);
	return row != NULL && (row->flags & VT_ROW_WRAPPED);
}

static bool word_at(const struct vt *vt, struct place at) {
	const struct vt_cell *cells = vt_line_cells(vt, at.line);
	if (cells == NULL || at.col >= vt->state->cols) {
		return false;
	}
	/* What a wide character left empty at a line's end parts nothing. */
	return (cells[at.col].ch & VT_CH_PAD) || is_word(vt, &cells[at.col]);
}

/* The first cell of the word at a cell, also on an earlier line if that runs on into this one. */
static struct place word_start(const struct vt *vt, struct place at) {
	for (struct place before = at; word_at(vt, before);) {
		at = before;
		if (before.col > 0) {
			before.col--;
		} else if (before.line > vt_line_first(vt) && wraps(vt, before.line - 1)) {
			before = (struct place){before.line - 1, vt->state->cols - 1};
		} else {
			break;
		}
	}
	return at;
}

/* The place behind its last cell; behind the cell itself when it is in no word. */
static struct place word_end(const struct vt *vt, struct place at) {
	for (struct place after = at; word_at(vt, after);) {
		at = after;
		if (after.col + 1 < vt->state->cols) {
			after.col++;
		} else if (wraps(vt, after.line)) {
			after = (struct place){after.line + 1, 0};
		} else {
			break;
		}
	}
	at.col = at.col < vt->state->cols ? at.col + 1 : at.col;
	return at;
}

static bool is_before(struct place a, struct place b) {
	return a.line < b.line || (a.line == b.line && a.col < b.col);
}

/* Both ends in order, whole words or lines, the end exclusive. False when nothing is selected. */
static bool selection_ends(
	const struct terminal *terminal, struct place *first, struct place *last) {
	const struct vt *vt = &terminal->vt;
	if (terminal->view->selection == SELECTION_NONE ||
		!vt_mark_get(vt, MARK_ANCHOR, &first->line, &first->col) ||
		!vt_mark_get(vt, MARK_HEAD, &last->line, &last->col)) {
		return false;
	}
	if (is_before(*last, *first)) {
		struct place place = *first;
		*first = *last;
		*last = place;
	}
	if (terminal->view->selection == SELECTION_WORDS) {
		*first = word_start(vt, *first);
		*last = word_end(vt, *last);
	} else if (terminal->view->selection == SELECTION_LINES) {
		while (first->line > vt_line_first(vt) && wraps(vt, first->line - 1)) {
			first->line--;
		}
		while (wraps(vt, last->line)) {
			last->line++;
		}
		first->col = 0;
		last->col = vt->state->cols;
	}
	return true;
}

void selection_start(
	struct terminal *terminal, uint64_t line, uint32_t col, enum selection_kind kind) {
	terminal->view->selection = kind;
	terminal->view->selecting = true;
	vt_mark_set(&terminal->vt, MARK_ANCHOR, line, col);
	vt_mark_set(&terminal->vt, MARK_HEAD, line, col);
	vt_damage_all(&terminal->vt);
}

void selection_extend(struct terminal *terminal, uint64_t line, uint32_t edge, uint32_t col) {
	bool whole = terminal->view->selection == SELECTION_WORDS ||
		terminal->view->selection == SELECTION_LINES;
	uint32_t head = whole ? col : edge;
	uint64_t line_before;
	uint32_t head_before;
	if (vt_mark_get(&terminal->vt, MARK_HEAD, &line_before, &head_before) &&
		line_before == line && head_before == head) {
		return;
	}
	vt_mark_set(&terminal->vt, MARK_HEAD, line, head);
	vt_damage_all(&terminal->vt);
}

void selection_clear(struct terminal *terminal) {
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
	const struct terminal *terminal, uint64_t line, uint32_t *from, uint32_t *to) {
	const struct vt *vt = &terminal->vt;
	struct place first, last;
	if (!selection_ends(terminal, &first, &last) || line < first.line || line > last.line) {
		return false;
	}
	uint32_t cols = vt->state->cols;
	if (terminal->view->selection == SELECTION_BLOCK) {
		*from = first.col < last.col ? first.col : last.col;
		*to = first.col < last.col ? last.col : first.col;
	} else {
		*from = line == first.line ? first.col : 0;
		*to = line == last.line ? last.col : cols;
	}
	/* A wide character is selected whole. */
	const struct vt_cell *cells = vt_line_cells(vt, line);
	if (cells != NULL && *from < *to) {
		if (*from > 0 && *from < cols && (cells[*from].ch & VT_CH_TAIL)) {
			(*from)--;
		}
		if (*to < cols && (cells[*to].ch & VT_CH_TAIL)) {
			(*to)++;
		}
	}
	return *from < *to;
}

struct text {
	char *bytes;
	size_t size, room;
};

static bool text_add(struct text *text, const char *bytes, size_t size) {
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
	struct text *text, const struct vt *vt, uint64_t line, uint32_t from, uint32_t to) {
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

char *selection_text(const struct terminal *terminal, size_t *size) {
	const struct vt *vt = &terminal->vt;
	struct place first, last;
	if (!selection_ends(terminal, &first, &last)) {
		return NULL;
	}
	struct text text = {0};
	for (uint64_t line = first.line; line <= last.line; line++) {
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
		if (line < last.line && !joined && !text_add(&text, "\n", 1)) {
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

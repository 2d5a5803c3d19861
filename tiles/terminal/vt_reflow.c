/* SPDX-License-Identifier: MIT */
/*
 * Resizing. The main screen and its history are one text, broken anew at the new width: first what
 * is in use is copied aside, then the rows are counted to learn where the screen's top comes to lie
 * and what the history can keep, then they are written. The alternate screen belongs to a program
 * that draws it again, and is only cut.
 */
#include "vt_int.h"

struct old_line {
	uint32_t cells; /* index of the first in the copy */
	uint16_t used;
	uint16_t flags; /* VT_ROW_*, and: */
};
#define HAS_WIDE 0x8000u /* not all of its cells are one character each */

/* A place in the text that is to be found again. */
struct tracker {
	uint32_t line, col; /* old; lines counted from the oldest */
	bool pending;	    /* in: the place is after its character; out: pending wrap */
	bool set;
	uint32_t new_line, new_col;
};

enum {
	TRACK_CURSOR,
	TRACK_SAVED,
	TRACK_TOP,
	TRACK_MARKS,
	TRACKERS = TRACK_MARKS + VT_MARKS,
};

struct flow {
	struct vt *vt;
	const struct old_line *lines;
	const struct vt_cell *cells;
	uint32_t count; /* old lines */
	uint32_t old_cols;
	uint32_t cols;
	struct tracker trackers[TRACKERS];
	uint32_t line, col; /* where the next cell goes */
	bool writing;
	uint32_t start, end; /* new lines that are written */
};

/* ---- copying aside ---- */

static size_t aside_size(const struct vt *vt, uint32_t screen) {
	const struct vt_state *s = vt->state;
	uint32_t count = s->history[screen] + s->rows;
	size_t used = 0;
	for (uint32_t i = 0; i < count; i++) {
		used += vt->rows[screen][vt_slot(s, screen, i)].used;
	}
	return (count * sizeof(struct old_line) + 15) / 16 * 16 + used * sizeof(struct vt_cell);
}

size_t vt_resize_scratch(const struct vt *vt, uint32_t cols, uint32_t rows) {
	size_t main_size = aside_size(vt, 0), alt_size = aside_size(vt, 1);
	return main_size > alt_size ? main_size : alt_size;
}

static void copy_aside(
	const struct vt *vt, uint32_t screen, uint32_t count, void *scratch, struct flow *flow) {
	const struct vt_state *s = vt->state;
	struct old_line *lines = scratch;
	struct vt_cell *cells = (struct vt_cell *)((char *)scratch +
		(count * sizeof(struct old_line) + 15) / 16 * 16);
	uint32_t used = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct vt_row *row = &vt->rows[screen][vt_slot(s, screen, i)];
		memcpy(cells + used, vt->cells[screen] + (size_t)row->store * s->cols,
			row->used * sizeof(*cells));
		uint32_t any = 0;
		for (uint32_t col = used; col < used + row->used; col++) {
			any |= cells[col].ch;
		}
		uint16_t wide = any & (VT_CH_WIDE | VT_CH_TAIL | VT_CH_PAD) ? HAS_WIDE : 0;
		lines[i] = (struct old_line){used, row->used, row->flags | wide};
		used += row->used;
	}
	flow->lines = lines;
	flow->cells = cells;
	flow->count = count;
	flow->old_cols = s->cols;
}

/* ---- breaking the text anew ---- */

/* Spaces at a line's end that nobody can see, and erased cells, are no reason for another row. */
static bool is_content(const struct vt_cell *cell) {
	uint32_t seen = VT_AT_UNDERLINE | VT_AT_INVERSE | VT_AT_STRIKE | VT_AT_OVERLINE;
	uint32_t ch = cell->ch & ~VT_CH_PAD;
	return ch != 0 && (ch != ' ' || cell->bg || cell->at & seen);
}

static uint32_t content_length(const struct flow *flow, const struct old_line *old) {
	const struct vt_cell *cells = flow->cells + old->cells;
	uint32_t length = old->used;
	while (length > 0 && !is_content(&cells[length - 1])) {
		length--;
	}
	return length;
}

static bool written(const struct flow *flow) {
	return flow->writing && flow->line >= flow->start && flow->line < flow->end;
}

static struct vt_row *new_row(const struct flow *flow) {
	return &flow->vt->rows[0][flow->line - flow->start];
}

static struct vt_cell *new_cells(const struct flow *flow) {
	return flow->vt->cells[0] + (size_t)(flow->line - flow->start) * flow->cols;
}

static void begin_row(struct flow *flow) {
	if (written(flow)) {
		*new_row(flow) = (struct vt_row){.store = flow->line - flow->start};
	}
}

static void put_cell(struct flow *flow, struct vt_cell cell) {
	if (written(flow)) {
		new_cells(flow)[flow->col] = cell;
		if (!vt_cell_zero(cell)) {
			new_row(flow)->used = (uint16_t)(flow->col + 1);
		}
	}
	flow->col++;
}

static void next_row(struct flow *flow, bool wrapped) {
	if (written(flow)) {
		new_row(flow)->flags |= wrapped ? VT_ROW_WRAPPED : 0;
		memset(new_cells(flow) + flow->col, 0,
			(flow->cols - flow->col) * sizeof(struct vt_cell));
	}
	flow->line++;
	flow->col = 0;
	begin_row(flow);
}

static void found(struct flow *flow, uint32_t line, uint32_t col, uint32_t width) {
	for (int i = 0; i < TRACKERS; i++) {
		struct tracker *t = &flow->trackers[i];
		if (t->set && t->line == line && t->col >= col && t->col < col + width) {
			t->new_line = flow->line;
			t->new_col = flow->col + t->col - col;
		}
	}
}

/* Those behind the end of the text keep their distance from it as far as there is room. */
static void found_behind(struct flow *flow, uint32_t line, uint32_t length) {
	for (int i = 0; i < TRACKERS; i++) {
		struct tracker *t = &flow->trackers[i];
		if (!t->set || t->line != line || t->col < length) {
			continue;
		}
		uint32_t col = flow->col + t->col - length;
		t->new_line = flow->line;
		t->new_col = vt_min(col, flow->cols - 1);
		if (t->pending) {
			/* Blank, so there was nothing to be after. */
			t->pending = false;
		} else if (i <= TRACK_SAVED && col == flow->cols && t->col == length) {
			t->pending = true;
		}
	}
}

static bool tracked(const struct flow *flow, uint32_t line) {
	for (int i = 0; i < TRACKERS; i++) {
		if (flow->trackers[i].set && flow->trackers[i].line == line) {
			return true;
		}
	}
	return false;
}

/* Cells that are one character each, and nobody looks for any of them. */
static void flow_narrow(struct flow *flow, const struct vt_cell *cells, uint32_t length) {
	while (length > 0) {
		if (flow->col == flow->cols) {
			next_row(flow, true);
		}
		uint32_t part = vt_min(length, flow->cols - flow->col);
		if (written(flow)) {
			memcpy(new_cells(flow) + flow->col, cells, part * sizeof(*cells));
			new_row(flow)->used = (uint16_t)(flow->col + part);
		}
		flow->col += part;
		cells += part;
		length -= part;
	}
}

/* Old row `i`, of which `length` cells belong to the text. */
static void flow_row(struct flow *flow, uint32_t i, uint32_t length) {
	const struct old_line *old = &flow->lines[i];
	const struct vt_cell *cells = flow->cells + old->cells;
	bool look = tracked(flow, i);
	if (flow->col == flow->cols && length > 0) {
		next_row(flow, true);
	}
	if (written(flow)) {
		new_row(flow)->flags |= old->flags & (uint16_t)~(VT_ROW_WRAPPED | HAS_WIDE);
	}
	if (!look && !(old->flags & HAS_WIDE) && length <= old->used) {
		flow_narrow(flow, cells, length);
		return;
	}
	for (uint32_t col = 0; col < length; col++) {
		struct vt_cell cell = col < old->used ? cells[col] : (struct vt_cell){0};
		uint32_t width = cell.ch & VT_CH_WIDE && col + 1 < old->used ? 2 : 1;
		if (flow->col + width > flow->cols) {
			if (flow->col < flow->cols) {
				put_cell(flow, (struct vt_cell){.ch = VT_CH_PAD, .bg = cell.bg});
			}
			next_row(flow, true);
		}
		if (look) {
			found(flow, i, col, width);
		}
		put_cell(flow, cell);
		if (width == 2) {
			put_cell(flow, cells[++col]);
		}
	}
}

/* Old rows from `i` on that are one line of text; gives the one after them. */
static uint32_t flow_line(struct flow *flow, uint32_t i) {
	while (i + 1 < flow->count && flow->lines[i].flags & VT_ROW_WRAPPED) {
		const struct old_line *old = &flow->lines[i];
		const struct vt_cell *cells = flow->cells + old->cells;
		bool pad = old->used == flow->old_cols && cells[old->used - 1].ch & VT_CH_PAD;
		flow_row(flow, i, flow->old_cols - pad);
		if (pad) {
			found_behind(flow, i, flow->old_cols - 1);
		}
		i++;
	}
	const struct old_line *old = &flow->lines[i];
	uint32_t length = content_length(flow, old);
	flow_row(flow, i, length);
	found_behind(flow, i, length);
	for (uint32_t col = length; col < old->used && flow->col < flow->cols; col++) {
		put_cell(flow, flow->cells[old->cells + col]);
	}
	next_row(flow, false);
	return i + 1;
}

/* Gives the number of new rows. */
static uint32_t flow_text(struct flow *flow) {
	flow->line = 0;
	flow->col = 0;
	begin_row(flow);
	for (uint32_t i = 0; i < flow->count;) {
		i = flow_line(flow, i);
	}
	for (int i = 0; i < TRACKERS; i++) {
		struct tracker *t = &flow->trackers[i];
		if (t->set && t->line >= flow->count) { /* in the empty rows below the text */
			t->new_line = flow->line + t->line - flow->count;
			t->new_col = vt_min(t->col, flow->cols - 1);
			t->pending = false;
		}
	}
	return flow->line;
}

/* ---- the main screen ---- */

static bool row_blank(const struct vt *vt, uint32_t screen, uint32_t r) {
	const struct vt_state *s = vt->state;
	const struct vt_row *row = &vt->rows[screen][vt_slot(s, screen, s->history[screen] + r)];
	const struct vt_cell *cells = vt->cells[screen] + (size_t)row->store * s->cols;
	for (uint32_t col = 0; col < row->used; col++) {
		if (!vt_cell_zero(cells[col])) {
			return false;
		}
	}
	return row->flags == 0;
}

static void set_trackers(const struct vt *vt, struct flow *flow) {
	const struct vt_state *s = vt->state;
	uint32_t history = s->history[0];
	struct tracker *t = flow->trackers;
	if (!s->alt) {
		t[TRACK_CURSOR] = (struct tracker){.line = history + s->row,
			.col = s->col,
			.pending = s->pending_wrap,
			.set = true};
	}
	if (s->saved_valid[0]) {
		t[TRACK_SAVED] = (struct tracker){.line = history + s->saved_row[0],
			.col = s->saved_col[0],
			.pending = s->saved_pending[0],
			.set = true};
	}
	t[TRACK_TOP] = (struct tracker){.line = history, .set = true};
	for (uint32_t i = 0; i < VT_MARKS; i++) {
		uint64_t line = s->mark_line[i];
		if (s->mark_screen[i] == 0 && line >= s->first[0] &&
			line < s->first[0] + history + s->rows) {
			t[TRACK_MARKS + i] =
				(struct tracker){.line = (uint32_t)(line - s->first[0]),
					.col = vt_min(s->mark_col[i], s->cols - 1),
					.set = true};
		}
	}
}

/* Rows of the screen down to the last that matters, or to the cursor. */
static uint32_t rows_in_use(const struct vt *vt) {
	const struct vt_state *s = vt->state;
	uint32_t least = !s->alt ? s->row + 1 : s->saved_valid[0] ? s->saved_row[0] + 1 : 1;
	uint32_t rows = s->rows;
	while (rows > least && row_blank(vt, 0, rows - 1)) {
		rows--;
	}
	return rows;
}

static void keep_marks(struct vt *vt, const struct flow *flow, uint32_t end) {
	struct vt_state *s = vt->state;
	for (uint32_t i = 0; i < VT_MARKS; i++) {
		const struct tracker *t = &flow->trackers[TRACK_MARKS + i];
		if (s->mark_screen[i] != 0 || s->mark_line[i] == UINT64_MAX) {
			continue;
		}
		bool kept = t->set && t->new_line >= flow->start && t->new_line < end;
		s->mark_line[i] = kept ? s->first[0] + (t->new_line - flow->start) : UINT64_MAX;
		s->mark_col[i] = t->new_col;
	}
}

/* After its character, if it was: one to the right, or still pending at the edge. */
static void place(const struct flow *flow, const struct tracker *t, uint32_t top, uint32_t rows,
	uint32_t *row, uint32_t *col, uint32_t *pending) {
	uint32_t line = t->new_line > top ? t->new_line - top : 0;
	*row = vt_min(line, rows - 1);
	*col = t->new_col;
	*pending = t->pending;
	if (t->pending && t->new_col < flow->cols - 1) {
		++*col;
		*pending = 0;
	}
}

static void resize_main(struct vt *vt, uint32_t cols, uint32_t rows, uint32_t ring, void *scratch) {
	struct vt_state *s = vt->state;
	struct flow flow = {.vt = vt, .cols = cols};
	uint32_t in_use = rows_in_use(vt);
	bool full = in_use == s->rows;
	set_trackers(vt, &flow);
	copy_aside(vt, 0, s->history[0] + in_use, scratch, &flow);

	struct tracker first_pass[TRACKERS];
	memcpy(first_pass, flow.trackers, sizeof(first_pass));
	uint32_t total = flow_text(&flow);
	const struct tracker *cursor = &flow.trackers[s->alt ? TRACK_SAVED : TRACK_CURSOR];
	uint32_t top = total > rows ? total - rows : 0;
	if (!full) {
		top = vt_max(top, flow.trackers[TRACK_TOP].new_line);
	}
	if (cursor->set) {
		top = vt_min(top, cursor->new_line);
	}
	uint32_t keep = vt_min(s->history_max, ring - rows);
	flow.start = top > keep ? top - keep : 0;
	flow.end = vt_min(total, top + rows);
	flow.writing = true;
	memcpy(flow.trackers, first_pass, sizeof(first_pass));

	uint32_t used = top + rows - flow.start;
	for (uint32_t i = 0; i < ring; i++) {
		vt->rows[0][i] = (struct vt_row){.store = i, .used = i < used ? 0 : (uint16_t)cols};
	}
	flow_text(&flow);
	for (uint32_t line = flow.end; line < top + rows; line++) {
		memset(vt->cells[0] + (size_t)(line - flow.start) * cols, 0,
			cols * sizeof(struct vt_cell));
	}
	/* What went on below the screen's end goes on nowhere. */
	if (flow.end > flow.start && flow.end < total) {
		vt->rows[0][flow.end - 1 - flow.start].flags &= (uint16_t)~VT_ROW_WRAPPED;
	}

	s->zero[0] = 0;
	s->ring[0] = ring;
	s->history[0] = top - flow.start;
	s->first[0] += flow.start;
	keep_marks(vt, &flow, top + rows);
	if (flow.trackers[TRACK_CURSOR].set) {
		bool joined = s->last_row == s->row && s->last_col == s->col;
		place(&flow, &flow.trackers[TRACK_CURSOR], top, rows, &s->row, &s->col,
			&s->pending_wrap);
		s->last_row = joined ? s->row : UINT32_MAX;
		s->last_col = s->col;
	}
	if (flow.trackers[TRACK_SAVED].set) {
		place(&flow, &flow.trackers[TRACK_SAVED], top, rows, &s->saved_row[0],
			&s->saved_col[0], &s->saved_pending[0]);
	}
}

/* ---- the alternate screen ---- */

static void resize_alt(struct vt *vt, uint32_t cols, uint32_t rows, uint32_t ring, void *scratch) {
	struct vt_state *s = vt->state;
	struct flow flow = {.vt = vt};
	copy_aside(vt, 1, s->rows, scratch, &flow);
	uint32_t old_rows = s->rows;
	uint32_t shift = s->alt && s->row >= rows ? s->row + 1 - rows : 0;
	for (uint32_t i = 0; i < ring; i++) {
		vt->rows[1][i] = (struct vt_row){.store = i, .used = (uint16_t)cols};
	}
	for (uint32_t r = 0; r < rows; r++) {
		struct vt_cell *to = vt->cells[1] + (size_t)r * cols;
		struct vt_row *row = &vt->rows[1][r];
		memset(to, 0, cols * sizeof(*to));
		row->used = 0;
		if (r + shift >= old_rows) {
			continue;
		}
		const struct old_line *old = &flow.lines[r + shift];
		row->flags = old->flags & (uint16_t)~(VT_ROW_WRAPPED | HAS_WIDE);
		row->used = (uint16_t)vt_min(old->used, cols);
		memcpy(to, flow.cells + old->cells, row->used * sizeof(*to));
		if (row->used == cols && to[cols - 1].ch & VT_CH_WIDE) {
			to[cols - 1].ch = 0;
		}
	}
	s->zero[1] = 0;
	s->ring[1] = ring;
	s->first[1] += shift;
	if (s->alt) {
		s->row -= shift;
	}
}

static void clamp_cursors(struct vt_state *s, bool width_changed) {
	for (uint32_t screen = 0; screen < 2; screen++) {
		s->saved_row[screen] = vt_min(s->saved_row[screen], s->rows - 1);
		s->saved_col[screen] = vt_min(s->saved_col[screen], s->cols - 1);
	}
	s->row = vt_min(s->row, s->rows - 1);
	s->col = vt_min(s->col, s->cols - 1);
	if (width_changed) {
		s->saved_pending[1] = 0;
		s->pending_wrap = s->alt ? 0 : s->pending_wrap;
	}
	s->top = 0;
	s->bottom = s->rows - 1;
	s->left = 0;
	s->right = s->cols - 1;
}

bool vt_resize(struct vt *vt, uint32_t cols, uint32_t rows, uint32_t cell_width,
	uint32_t cell_height, void *scratch) {
	struct vt_state *s = vt->state;
	if (!vt_fits(&vt->memory, cols, rows)) {
		return false;
	}
	uint32_t rings[2] = {
		vt_ring_size(&vt->memory, 0, cols), vt_ring_size(&vt->memory, 1, cols)};
	bool same = cols == s->cols && rows == s->rows && rings[0] == s->ring[0] &&
		rings[1] == s->ring[1];
	if (same && cell_width == s->cell_width && cell_height == s->cell_height) {
		return true;
	}
	s->cell_width = cell_width;
	s->cell_height = cell_height;
	if (!same) {
		bool width_changed = cols != s->cols;
		resize_main(vt, cols, rows, rings[0], scratch);
		resize_alt(vt, cols, rows, rings[1], scratch);
		s->cols = cols;
		s->rows = rows;
		clamp_cursors(s, width_changed);
		vt_damage_all(vt);
	}
	if (vt_mode(vt, VT_MODE_RESIZE)) {
		vt_report_size(vt);
	}
	return true;
}

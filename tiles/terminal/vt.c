/* SPDX-License-Identifier: MIT */
/* The core's arrays: how large, how they begin, and whether they may be trusted. */
#include "vt_int.h"

#define FIELD_S(field_id, type, field)                                                             \
	{field_id, sizeof(VT_TYPE_##type), 1, offsetof(struct vt_state, field), #field},
#define FIELD_A(field_id, type, field, field_count)                                                \
	{field_id, sizeof(VT_TYPE_##type), field_count, offsetof(struct vt_state, field), #field},
static const struct vt_field state_fields[] = {VT_STATE_FIELDS(FIELD_S, FIELD_A)};

static const struct vt_field row_fields[] = {
	{1, 4, 1, offsetof(struct vt_row, store), "store"},
	{2, 2, 1, offsetof(struct vt_row, flags), "flags"},
	{3, 2, 1, offsetof(struct vt_row, used), "used"},
};
static const struct vt_field cell_fields[] = {
	{1, 4, 1, offsetof(struct vt_cell, ch), "ch"},
	{2, 4, 1, offsetof(struct vt_cell, fg), "fg"},
	{3, 4, 1, offsetof(struct vt_cell, bg), "bg"},
	{4, 4, 1, offsetof(struct vt_cell, at), "at"},
};
static const struct vt_field cluster_fields[] = {
	{1, 4, 1, offsetof(struct vt_cluster, head), "head"},
	{2, 4, 1, offsetof(struct vt_cluster, next), "next"},
	{3, 4, 1, offsetof(struct vt_cluster, hash), "hash"},
	{4, 2, 1, offsetof(struct vt_cluster, mark), "mark"},
	{5, 2, 1, offsetof(struct vt_cluster, count), "count"},
	{6, 4, VT_CLUSTER_CPS, offsetof(struct vt_cluster, cps), "cps"},
};
static const struct vt_field ext_fields[] = {
	{1, 4, 1, offsetof(struct vt_ext, head), "head"},
	{2, 4, 1, offsetof(struct vt_ext, next), "next"},
	{3, 4, 1, offsetof(struct vt_ext, underline), "underline"},
	{4, 4, 1, offsetof(struct vt_ext, link), "link"},
	{5, 4, 1, offsetof(struct vt_ext, mark), "mark"},
	{6, 4, 1, offsetof(struct vt_ext, live), "live"},
};
static const struct vt_field link_fields[] = {
	{1, 4, 1, offsetof(struct vt_link, head), "head"},
	{2, 4, 1, offsetof(struct vt_link, next), "next"},
	{3, 4, 1, offsetof(struct vt_link, hash), "hash"},
	{4, 4, 1, offsetof(struct vt_link, off), "off"},
	{5, 2, 1, offsetof(struct vt_link, id_len), "id_len"},
	{6, 2, 1, offsetof(struct vt_link, uri_len), "uri_len"},
	{7, 4, 1, offsetof(struct vt_link, mark), "mark"},
};

#define FIELDS(fields) sizeof(fields) / sizeof(fields[0]), fields
const struct vt_array_info vt_arrays[VT_ARRAYS] = {
	[VT_STATE] = {"vt.state", sizeof(struct vt_state), FIELDS(state_fields)},
	[VT_MAIN_ROWS] = {"vt.main.rows", sizeof(struct vt_row), FIELDS(row_fields)},
	[VT_MAIN_CELLS] = {"vt.main.cells", sizeof(struct vt_cell), FIELDS(cell_fields)},
	[VT_ALT_ROWS] = {"vt.alt.rows", sizeof(struct vt_row), FIELDS(row_fields)},
	[VT_ALT_CELLS] = {"vt.alt.cells", sizeof(struct vt_cell), FIELDS(cell_fields)},
	[VT_CLUSTERS] = {"vt.clusters", sizeof(struct vt_cluster), FIELDS(cluster_fields)},
	[VT_EXTS] = {"vt.exts", sizeof(struct vt_ext), FIELDS(ext_fields)},
	[VT_LINKS] = {"vt.links", sizeof(struct vt_link), FIELDS(link_fields)},
	[VT_URIS] = {"vt.uris", 1, 0, NULL},
	[VT_STRING] = {"vt.string", 1, 0, NULL},
	[VT_OUT] = {"vt.out", 1, 0, NULL},
};

void vt_memory_counts(struct vt_memory *memory, uint32_t cols, uint32_t rows, uint32_t history) {
	uint32_t *count = memory->count;
	count[VT_STATE] = 1;
	count[VT_MAIN_ROWS] = history + rows;
	count[VT_MAIN_CELLS] = (history + rows) * cols;
	count[VT_ALT_ROWS] = rows;
	count[VT_ALT_CELLS] = rows * cols;
	count[VT_CLUSTERS] = 16384;
	count[VT_EXTS] = 65535;
	count[VT_LINKS] = 16384;
	count[VT_URIS] = 2 * 1024 * 1024;
	count[VT_STRING] = 1024 * 1024;
	count[VT_OUT] = 64 * 1024;
}

static void take_memory(struct vt *vt, const struct vt_memory *memory) {
	*vt = (struct vt){
		.memory = *memory,
		.state = memory->at[VT_STATE],
		.rows = {memory->at[VT_MAIN_ROWS], memory->at[VT_ALT_ROWS]},
		.cells = {memory->at[VT_MAIN_CELLS], memory->at[VT_ALT_CELLS]},
		.clusters = memory->at[VT_CLUSTERS],
		.exts = memory->at[VT_EXTS],
		.links = memory->at[VT_LINKS],
		.uris = memory->at[VT_URIS],
		.string = memory->at[VT_STRING],
		.out = memory->at[VT_OUT],
		.dirty_all = true,
	};
}

/* How many rows the arrays hold at this width. */
uint32_t vt_ring_size(const struct vt_memory *memory, uint32_t screen, uint32_t cols) {
	uint32_t rows = memory->count[screen ? VT_ALT_ROWS : VT_MAIN_ROWS];
	uint32_t cells = memory->count[screen ? VT_ALT_CELLS : VT_MAIN_CELLS];
	return vt_min(rows, cells / cols);
}

bool vt_fits(const struct vt_memory *memory, uint32_t cols, uint32_t rows) {
	if (cols < VT_MIN_COLS || cols > VT_MAX_COLS || rows < VT_MIN_ROWS || rows > VT_MAX_ROWS) {
		return false;
	}
	return vt_ring_size(memory, 0, cols) >= rows && vt_ring_size(memory, 1, cols) >= rows;
}

static bool memory_usable(const struct vt_memory *memory, const char **why) {
	for (int i = 0; i < VT_ARRAYS; i++) {
		if (!memory->at[i] || (uintptr_t)memory->at[i] % 16) {
			*why = "an array is missing or not aligned";
			return false;
		}
		if (memory->count[i] < 1 || memory->count[i] > UINT32_MAX / 2) {
			*why = "an array is empty or too large";
			return false;
		}
	}
	const uint32_t *count = memory->count;
	if (count[VT_EXTS] > 65535 || count[VT_CLUSTERS] > VT_CH_VALUE || count[VT_EXTS] < 16 ||
		count[VT_CLUSTERS] < 16 || count[VT_LINKS] < 16) {
		*why = "a table has a size that cannot be";
		return false;
	}
	return true;
}

bool vt_init(struct vt *vt, const struct vt_memory *memory, uint32_t cols, uint32_t rows,
	uint32_t cell_width, uint32_t cell_height, uint32_t history) {
	const char *why;
	if (!memory_usable(memory, &why) || !vt_fits(memory, cols, rows)) {
		return false;
	}
	take_memory(vt, memory);
	struct vt_state *s = vt->state;
	memset(s, 0, sizeof(*s));
	s->layout = VT_LAYOUT;
	s->cols = cols;
	s->rows = rows;
	s->cell_width = cell_width;
	s->cell_height = cell_height;
	s->history_max = history;
	s->dark = 1;
	for (int i = 0; i < VT_MARKS; i++) {
		s->mark_line[i] = UINT64_MAX;
	}
	vt_default_colors(s->base_colors);
	memcpy(s->colors, s->base_colors, sizeof(s->colors));
	s->ring[0] = vt_ring_size(memory, 0, cols);
	s->ring[1] = vt_ring_size(memory, 1, cols);
	vt_rows_fresh(vt, 0);
	vt_rows_fresh(vt, 1);
	vt_reset(vt);
	return true;
}

static bool check_screen(const struct vt *vt, uint32_t screen, const char **why) {
	const struct vt_state *s = vt->state;
	uint32_t ring = s->ring[screen];
	if (ring > vt_ring_size(&vt->memory, screen, s->cols) || s->zero[screen] >= ring ||
		s->history[screen] > ring || s->rows > ring - s->history[screen]) {
		*why = "a screen's ring is larger than its arrays";
		return false;
	}
	for (uint32_t i = 0; i < ring; i++) {
		if (vt->rows[screen][i].store >= ring || vt->rows[screen][i].used > s->cols) {
			*why = "a row's text lies outside its array";
			return false;
		}
	}
	if (s->saved_row[screen] >= s->rows || s->saved_col[screen] >= s->cols ||
		s->saved_gl[screen] > 3 || s->saved_gr[screen] > 3 ||
		s->kitty_depth[screen] >= VT_KITTY_DEPTH) {
		*why = "a saved cursor or keyboard stack is out of range";
		return false;
	}
	return true;
}

static bool check_parser(const struct vt *vt) {
	const struct vt_state *s = vt->state;
	return s->parser < VT_PARSERS && s->utf8_need <= 3 && s->utf8_cp <= 0x10ffff &&
		s->param_count <= VT_PARAMS + 1 && s->inter_count <= sizeof(s->inters) + 1 &&
		s->string_kind < VT_STRING_KINDS && s->string_len <= vt->memory.count[VT_STRING] &&
		s->gl <= 3 && s->gr <= 3 && s->single_shift <= 3 &&
		s->title_depth <= VT_TITLE_DEPTH && s->title_len <= VT_TITLE_MAX &&
		s->icon_len <= VT_TITLE_MAX && s->cwd_len <= VT_CWD_MAX &&
		s->pointer_len <= VT_POINTER_MAX;
}

static bool check_small(const struct vt *vt, const char **why) {
	const struct vt_state *s = vt->state;
	if (s->row >= s->rows || s->col >= s->cols || s->top > s->bottom || s->bottom >= s->rows ||
		s->left > s->right || s->right >= s->cols || s->alt > 1) {
		*why = "the cursor or a margin is outside the screen";
		return false;
	}
	if (!check_parser(vt)) {
		*why = "the parser's state cannot be";
		return false;
	}
	for (int i = 0; i < 4; i++) {
		if (s->charsets[i] >= VT_CHARSETS || s->saved_charsets[i] >= VT_CHARSETS ||
			s->saved_charsets[4 + i] >= VT_CHARSETS) {
			*why = "a character set is unknown";
			return false;
		}
	}
	for (int i = 0; i < 2 * VT_TITLE_DEPTH; i++) {
		if (s->title_stack_len[i] > VT_TITLE_MAX) {
			*why = "a saved title is too long";
			return false;
		}
	}
	const uint32_t *count = vt->memory.count;
	if (s->out_head >= count[VT_OUT] || s->out_len > count[VT_OUT] ||
		s->uri_used > count[VT_URIS] || s->cluster_free >= count[VT_CLUSTERS] ||
		s->cluster_live >= count[VT_CLUSTERS] || s->ext_free >= count[VT_EXTS] ||
		s->ext_live >= count[VT_EXTS] || s->link_free >= count[VT_LINKS] ||
		s->link_live >= count[VT_LINKS]) {
		*why = "a table or queue is longer than its array";
		return false;
	}
	return true;
}

bool vt_check(const struct vt *vt, const char **why) {
	const char *unused;
	why = why ? why : &unused;
	const struct vt_state *s = vt->state;
	if (s->layout != VT_LAYOUT) {
		*why = "the arrays have another layout";
		return false;
	}
	if (!vt_fits(&vt->memory, s->cols, s->rows)) {
		*why = "the screen's size does not fit the arrays";
		return false;
	}
	return check_screen(vt, 0, why) && check_screen(vt, 1, why) && check_small(vt, why);
}

bool vt_bind(struct vt *vt, const struct vt_memory *memory, const char **why) {
	const char *unused;
	why = why ? why : &unused;
	if (!memory_usable(memory, why)) {
		return false;
	}
	take_memory(vt, memory);
	return vt_check(vt, why);
}

void vt_set_events(struct vt *vt, vt_event_fn event, void *user) {
	vt->event = event;
	vt->user = user;
}

/* What a reset leaves alone: text, size, colours of the theme, the queue to the PTY. */
void vt_reset(struct vt *vt) {
	struct vt_state *s = vt->state;
	vt_show_screen(vt, true);
	vt_soft_reset(vt);
	vt_erase_rows(vt, 0, s->rows);
	vt_show_screen(vt, false);
	vt_soft_reset(vt);
	vt_erase_rows(vt, 0, s->rows);
	vt_home(vt);
	vt_clear_history(vt);
	s->modes = VT_BIT(VT_MODE_WRAP) | VT_BIT(VT_MODE_CURSOR) | VT_BIT(VT_MODE_REPEAT) |
		VT_BIT(VT_MODE_ALT_ESCAPE) | VT_BIT(VT_MODE_ALT_SCROLL) |
		VT_BIT(VT_MODE_CURSOR_BLINK);
	s->saved_modes = s->modes;
	memset(s->tabs, 0, sizeof(s->tabs));
	for (uint32_t col = 8; col < VT_MAX_COLS; col += 8) {
		s->tabs[col / 32] |= 1u << (col % 32);
	}
	memset(s->saved_valid, 0, sizeof(s->saved_valid));
	memset(s->saved_row, 0, sizeof(s->saved_row));
	memset(s->saved_col, 0, sizeof(s->saved_col));
	memcpy(s->colors, s->base_colors, sizeof(s->colors));
	s->conformance = 64;
	s->c1_8bit = 0;
	s->checksum = 0;
	s->title_depth = 0;
	s->utf8_title = 0;
	s->prompt = 0;
	s->last_cp = 0;
	s->last_row = 0;
	s->last_col = 0;
	s->format_keys = 0;
	s->pointer_len = 0;
	s->mouse_buttons = 0;
	vt_damage_all(vt);
	vt_tell(vt, VT_EVENT_RESET, 0, 0);
}

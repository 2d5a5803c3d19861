/* SPDX-License-Identifier: MIT */
/* The terminal's cells: the schema of the core's arrays and of the view. */
#include "terminal.h"

#define STATE_TYPE_u8 VAT_U8
#define STATE_TYPE_u16 VAT_U16
#define STATE_TYPE_u32 VAT_U32
#define STATE_TYPE_u64 VAT_U64
#define STATE_FIELD(id_, type_, name_, count_)                                                     \
	{.id = (id_),                                                                              \
		.type = STATE_TYPE_##type_,                                                        \
		.count = (count_),                                                                 \
		.offset = offsetof(struct vt_state, name_),                                        \
		.name = #name_},
#define STATE_SINGLE(id, type, name) STATE_FIELD(id, type, name, 1)
#define STATE_ARRAY(id, type, name, count) STATE_FIELD(id, type, name, count)

static const struct vat_field state_fields[] = {VT_STATE_FIELDS(STATE_SINGLE, STATE_ARRAY)};

static const struct vat_field row_fields[] = {
	VAT_FIELD(1, U32, struct vt_row, store),
	VAT_FIELD(2, U16, struct vt_row, flags),
	VAT_FIELD(3, U16, struct vt_row, used),
};

static const struct vat_field cell_fields[] = {
	VAT_FIELD(1, U32, struct vt_cell, ch),
	VAT_FIELD(2, U32, struct vt_cell, fg),
	VAT_FIELD(3, U32, struct vt_cell, bg),
	VAT_FIELD(4, U32, struct vt_cell, at),
};

static const struct vat_field cluster_fields[] = {
	VAT_FIELD(1, U32, struct vt_cluster, head),
	VAT_FIELD(2, U32, struct vt_cluster, next),
	VAT_FIELD(3, U32, struct vt_cluster, hash),
	VAT_FIELD(4, U16, struct vt_cluster, mark),
	VAT_FIELD(5, U16, struct vt_cluster, count),
	VAT_FIELD(6, U32, struct vt_cluster, cps),
};

static const struct vat_field ext_fields[] = {
	VAT_FIELD(1, U32, struct vt_ext, head),
	VAT_FIELD(2, U32, struct vt_ext, next),
	VAT_FIELD(3, U32, struct vt_ext, underline),
	VAT_FIELD(4, U32, struct vt_ext, link),
	VAT_FIELD(5, U32, struct vt_ext, mark),
	VAT_FIELD(6, U32, struct vt_ext, live),
};

static const struct vat_field link_fields[] = {
	VAT_FIELD(1, U32, struct vt_link, head),
	VAT_FIELD(2, U32, struct vt_link, next),
	VAT_FIELD(3, U32, struct vt_link, hash),
	VAT_FIELD(4, U32, struct vt_link, off),
	VAT_FIELD(5, U16, struct vt_link, id_len),
	VAT_FIELD(6, U16, struct vt_link, uri_len),
	VAT_FIELD(7, U32, struct vt_link, mark),
};

struct byte {
	uint8_t value;
};

static const struct vat_field byte_fields[] = {
	VAT_FIELD(1, BYTES, struct byte, value),
};

static const struct vat_field view_fields[] = {
	VAT_FIELD(1, U64, struct view, paste_at),
	VAT_FIELD(2, U64, struct view, paste_size),
	VAT_FIELD(3, I32, struct view, font_step),
	VAT_FIELD(4, I32, struct view, exit_status),
	VAT_FIELD(5, U32, struct view, selection),
	VAT_FIELD(6, BOOL, struct view, selecting),
	VAT_FIELD(7, BOOL, struct view, scrolled),
	VAT_FIELD(8, BOOL, struct view, ended),
	VAT_FIELD(9, BOOL, struct view, focused),
	VAT_FIELD(10, U32, struct view, buttons),
	VAT_FIELD(11, F64, struct view, scroll_rest),
	VAT_FIELD(12, BOOL, struct view, held),
	VAT_FIELD(13, U32, struct view, held_cols),
	VAT_FIELD(14, U32, struct view, held_rows),
	VAT_FIELD(15, U64, struct view, held_top),
	VAT_FIELD(16, U64, struct view, held_line),
	VAT_FIELD(17, U32, struct view, held_col),
	VAT_FIELD(18, U32, struct view, held_cursor),
	VAT_FIELD(19, U32, struct view, own_key),
	VAT_FIELD(20, U64, struct view, sync_ns),
	VAT_FIELD(21, U64, struct view, blink_ns),
	VAT_FIELD(22, U64, struct view, drag_ns),
	VAT_FIELD(23, F64, struct view, drag_x),
	VAT_FIELD(24, F64, struct view, drag_y),
	VAT_FIELD(25, BOOL, struct view, blink_off),
};

/* Sized by the grid, and seldom full. */
#define GROWS (VAT_CELL_SPARSE | VAT_CELL_GROWS)

/* An array of the core: it wants them aligned to 16 bytes. The count is what the cell has at least;
 * terminal_memory makes it fit. */
#define VT_CELL(name_, structure, fields_, flags_)                                                 \
	{.name = (name_),                                                                          \
		.fields = (fields_),                                                               \
		.count = 1,                                                                        \
		.field_count = sizeof(fields_) / sizeof((fields_)[0]),                             \
		.stride = sizeof(structure),                                                       \
		.align = 16,                                                                       \
		.version = VT_LAYOUT,                                                              \
		.flags = (flags_)}

const struct vat_cell_decl terminal_cells[TERMINAL_CELLS] = {
	[VT_STATE] = VT_CELL("vt.state", struct vt_state, state_fields, 0),
	[VT_MAIN_ROWS] = VT_CELL("vt.main.rows", struct vt_row, row_fields, GROWS),
	[VT_MAIN_CELLS] = VT_CELL("vt.main.cells", struct vt_cell, cell_fields, GROWS),
	[VT_ALT_ROWS] = VT_CELL("vt.alt.rows", struct vt_row, row_fields, GROWS),
	[VT_ALT_CELLS] = VT_CELL("vt.alt.cells", struct vt_cell, cell_fields, GROWS),
	[VT_CLUSTERS] = VT_CELL("vt.clusters", struct vt_cluster, cluster_fields, GROWS),
	[VT_EXTS] = VT_CELL("vt.exts", struct vt_ext, ext_fields, GROWS),
	[VT_LINKS] = VT_CELL("vt.links", struct vt_link, link_fields, GROWS),
	[VT_URIS] = VT_CELL("vt.uris", struct byte, byte_fields, GROWS),
	[VT_STRING] = VT_CELL("vt.string", struct byte, byte_fields, GROWS),
	[VT_OUT] = VT_CELL("vt.out", struct byte, byte_fields, GROWS),
	[TERMINAL_VIEW] = VAT_CELL("view", struct view, 1, view_fields, .version = 2),
	[TERMINAL_PASTE] =
		VAT_CELL("paste", struct byte, 1, byte_fields, .version = 1, .flags = GROWS),
	[TERMINAL_HELD] = VT_CELL("held", struct vt_cell, cell_fields, GROWS),
};

bool terminal_memory(
	struct terminal *terminal, uint32_t cols, uint32_t rows, struct vt_memory *memory) {
	struct tile *tile = terminal->tile;
	struct vt_memory wanted = {0};
	if (cols > VT_MAX_COLS || rows > VT_MAX_ROWS) {
		tile_log(tile, 0, "a terminal of %u by %u is out of limits", cols, rows);
		return false;
	}
	vt_memory_counts(&wanted, cols, rows, VT_HISTORY_DEFAULT);
	for (uint32_t i = 0; i < VT_ARRAYS; i++) {
		if (tile->cell_counts[i] < wanted.count[i] &&
			!tile->host->cell_resize(tile, i, wanted.count[i])) {
			return false;
		}
	}
	if (tile->cell_counts[TERMINAL_HELD] < (uint64_t)cols * rows &&
		!tile->host->cell_resize(tile, TERMINAL_HELD, (uint64_t)cols * rows)) {
		return false;
	}
	for (uint32_t i = 0; i < VT_ARRAYS; i++) {
		memory->at[i] = tile->cells[i];
		memory->count[i] = (uint32_t)tile->cell_counts[i];
	}
	return true;
}

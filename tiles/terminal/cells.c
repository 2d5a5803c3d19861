/* SPDX-License-Identifier: MIT */
/* The terminal's cells: the schema of the core's arrays and of the view. */
#include "terminal.h"
#include "vt_cells.h"

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

const struct vat_cell_decl terminal_cells[TERMINAL_CELLS] = {
	VT_CELL_DECLS,
	[TERMINAL_VIEW] = VAT_CELL("view", struct view, 1, view_fields, .version = 2),
	[TERMINAL_PASTE] = VAT_CELL(
		"paste", struct vt_byte, 1, vt_byte_fields, .version = 1, .flags = VT_CELL_SIZED),
	[TERMINAL_HELD] = VT_CELL("held", struct vt_cell, vt_cell_fields, VT_CELL_SIZED),
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

/* SPDX-License-Identifier: MIT */
/*
 * The core's arrays as cells of a tile: their schemas, and VT_CELL_DECLS, which is the first
 * VT_ARRAYS entries of the tile's array of struct vat_cell_decl. For one file of each tile that
 * shows a terminal.
 */
#ifndef CITY_TERMINAL_VT_CELLS_H
#define CITY_TERMINAL_VT_CELLS_H

#include "tile.h"
#include "vt.h"

#define VT_CELL_TYPE_u8 VAT_U8
#define VT_CELL_TYPE_u16 VAT_U16
#define VT_CELL_TYPE_u32 VAT_U32
#define VT_CELL_TYPE_u64 VAT_U64
#define VT_CELL_FIELD(id_, type_, name_, count_)                                                   \
	{.id = (id_),                                                                              \
		.type = VT_CELL_TYPE_##type_,                                                      \
		.count = (count_),                                                                 \
		.offset = offsetof(struct vt_state, name_),                                        \
		.name = #name_},
#define VT_CELL_SINGLE(id, type, name) VT_CELL_FIELD(id, type, name, 1)
#define VT_CELL_ARRAY(id, type, name, count) VT_CELL_FIELD(id, type, name, count)

static const struct vat_field vt_state_fields[] = {VT_STATE_FIELDS(VT_CELL_SINGLE, VT_CELL_ARRAY)};

static const struct vat_field vt_row_fields[] = {
	VAT_FIELD(1, U32, struct vt_row, store),
	VAT_FIELD(2, U16, struct vt_row, flags),
	VAT_FIELD(3, U16, struct vt_row, used),
};

static const struct vat_field vt_cell_fields[] = {
	VAT_FIELD(1, U32, struct vt_cell, ch),
	VAT_FIELD(2, U32, struct vt_cell, fg),
	VAT_FIELD(3, U32, struct vt_cell, bg),
	VAT_FIELD(4, U32, struct vt_cell, at),
};

static const struct vat_field vt_cluster_fields[] = {
	VAT_FIELD(1, U32, struct vt_cluster, head),
	VAT_FIELD(2, U32, struct vt_cluster, next),
	VAT_FIELD(3, U32, struct vt_cluster, hash),
	VAT_FIELD(4, U16, struct vt_cluster, mark),
	VAT_FIELD(5, U16, struct vt_cluster, count),
	VAT_FIELD(6, U32, struct vt_cluster, cps),
};

static const struct vat_field vt_ext_fields[] = {
	VAT_FIELD(1, U32, struct vt_ext, head),
	VAT_FIELD(2, U32, struct vt_ext, next),
	VAT_FIELD(3, U32, struct vt_ext, underline),
	VAT_FIELD(4, U32, struct vt_ext, link),
	VAT_FIELD(5, U32, struct vt_ext, mark),
	VAT_FIELD(6, U32, struct vt_ext, live),
};

static const struct vat_field vt_link_fields[] = {
	VAT_FIELD(1, U32, struct vt_link, head),
	VAT_FIELD(2, U32, struct vt_link, next),
	VAT_FIELD(3, U32, struct vt_link, hash),
	VAT_FIELD(4, U32, struct vt_link, off),
	VAT_FIELD(5, U16, struct vt_link, id_len),
	VAT_FIELD(6, U16, struct vt_link, uri_len),
	VAT_FIELD(7, U32, struct vt_link, mark),
};

struct vt_byte {
	uint8_t value;
};

static const struct vat_field vt_byte_fields[] = {
	VAT_FIELD(1, BYTES, struct vt_byte, value),
};

/* Sized by the grid, and seldom full. */
#define VT_CELL_SIZED (VAT_CELL_SPARSE | VAT_CELL_GROWS)

/* An array of the core: it wants them aligned to 16 bytes. The count is what the cell has at least:
 * the tile makes it fit (vt_memory_counts). */
#define VT_CELL(name_, structure, fields_, flags_)                                                 \
	{.name = (name_),                                                                          \
		.fields = (fields_),                                                               \
		.count = 1,                                                                        \
		.field_count = sizeof(fields_) / sizeof((fields_)[0]),                             \
		.stride = sizeof(structure),                                                       \
		.align = 16,                                                                       \
		.version = VT_LAYOUT,                                                              \
		.flags = (flags_)}

/* clang-format off */
#define VT_CELL_DECLS \
	[VT_STATE] = VT_CELL("vt.state", struct vt_state, vt_state_fields, 0), \
	[VT_MAIN_ROWS] = VT_CELL("vt.main.rows", struct vt_row, vt_row_fields, VT_CELL_SIZED), \
	[VT_MAIN_CELLS] = VT_CELL("vt.main.cells", struct vt_cell, vt_cell_fields, VT_CELL_SIZED), \
	[VT_ALT_ROWS] = VT_CELL("vt.alt.rows", struct vt_row, vt_row_fields, VT_CELL_SIZED), \
	[VT_ALT_CELLS] = VT_CELL("vt.alt.cells", struct vt_cell, vt_cell_fields, VT_CELL_SIZED), \
	[VT_CLUSTERS] = VT_CELL("vt.clusters", struct vt_cluster, vt_cluster_fields, VT_CELL_SIZED), \
	[VT_EXTS] = VT_CELL("vt.exts", struct vt_ext, vt_ext_fields, VT_CELL_SIZED), \
	[VT_LINKS] = VT_CELL("vt.links", struct vt_link, vt_link_fields, VT_CELL_SIZED), \
	[VT_URIS] = VT_CELL("vt.uris", struct vt_byte, vt_byte_fields, VT_CELL_SIZED), \
	[VT_STRING] = VT_CELL("vt.string", struct vt_byte, vt_byte_fields, VT_CELL_SIZED), \
	[VT_OUT] = VT_CELL("vt.out", struct vt_byte, vt_byte_fields, VT_CELL_SIZED)
/* clang-format on */

#endif

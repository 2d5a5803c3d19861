/* SPDX-License-Identifier: MIT */
#include "elf_image.h"

#include <stdio.h>
#include <string.h>

#define SUMMARY_SIZE 256
#define PORTS_MAX 256

/* Replace a pointer of the image (an address from 0) by a copy of the string that it points to. */
static bool copy_string(struct elf_image *image, const char **string, size_t limit,
	bool may_be_null, const char *what) {
	uint64_t address = (uintptr_t)*string;
	*string = NULL;
	if (address == 0) {
		return may_be_null ? true : elf_fail(image, "the descriptor has no %s", what);
	}
	const char *found = elf_string_at(image, address, limit);
	if (!found) {
		return elf_fail(image,
			"the %s in the descriptor is no string of less than %zu bytes", what,
			limit);
	}
	char *copy = elf_report_alloc(image->report, strlen(found) + 1);
	if (!copy) {
		return elf_fail(image, "out of memory");
	}
	strcpy(copy, found);
	*string = copy;
	return true;
}

static void *copy_table(
	struct elf_image *image, const void *pointer, size_t count, size_t size, const char *what) {
	const void *found = elf_at(image, (uintptr_t)pointer, count * size);
	if (!pointer || !found) {
		elf_fail(image, "the %s in the descriptor are out of bounds", what);
		return NULL;
	}
	void *copy = elf_report_alloc(image->report, count * size);
	if (!copy) {
		elf_fail(image, "out of memory");
		return NULL;
	}
	memcpy(copy, found, count * size);
	return copy;
}

static bool copy_fields(struct elf_image *image, struct vat_cell_decl *cell) {
	if (cell->field_count > VAT_FIELDS_MAX) {
		return elf_fail(image, "cell %s has %u fields, of at most %u", cell->name,
			cell->field_count, VAT_FIELDS_MAX);
	}
	if (cell->field_count == 0) {
		cell->fields = NULL;
		return true;
	}
	struct vat_field *fields = copy_table(
		image, cell->fields, cell->field_count, sizeof(*fields), "fields of a cell");
	if (!fields) {
		return false;
	}
	cell->fields = fields;
	for (uint32_t n = 0; n < cell->field_count; n++) {
		if (!copy_string(
			    image, &fields[n].name, VAT_FIELD_SIZE, false, "name of a field")) {
			return false;
		}
	}
	return true;
}

/* The cells, or the other versions of their schemas. */
static bool copy_decls(struct elf_image *image, const struct vat_cell_decl **table, uint32_t count,
	const char *what) {
	if (count == 0) {
		*table = NULL;
		return true;
	}
	if (count > VAT_CELLS_MAX) {
		return elf_fail(image, "the descriptor has %u %s, of at most %u", count, what,
			VAT_CELLS_MAX);
	}
	struct vat_cell_decl *cells = copy_table(image, *table, count, sizeof(*cells), what);
	if (!cells) {
		return false;
	}
	*table = cells;
	for (uint32_t i = 0; i < count; i++) {
		if (!copy_string(image, &cells[i].name, VAT_NAME_SIZE, false, "name of a cell") ||
			!copy_string(
				image, &cells[i].scope, VAT_SCOPE_SIZE, true, "scope of a cell") ||
			!copy_fields(image, &cells[i])) {
			return false;
		}
	}
	return true;
}

static bool check_function(struct elf_image *image, const void *function, const char *what) {
	const Elf64_Phdr *segment = elf_segment_at(image, (uintptr_t)function, 1);
	if (!segment || !(segment->p_flags & PF_X)) {
		return elf_fail(image, "%s is no code of this file", what);
	}
	return true;
}

/* In the copy a function's place stands for it: there is nothing to be called. */
static bool copy_edges(struct elf_image *image, struct tile_descriptor *tile) {
	if (tile->edge_count == 0) {
		tile->edges = NULL;
		return true;
	}
	if (tile->edge_count > VAT_EDGES_MAX) {
		return elf_fail(image, "the descriptor has %u edges, of at most %u",
			tile->edge_count, VAT_EDGES_MAX);
	}
	struct vat_edge *edges =
		copy_table(image, tile->edges, tile->edge_count, sizeof(*edges), "edges");
	if (!edges) {
		return false;
	}
	tile->edges = edges;
	for (uint32_t i = 0; i < tile->edge_count; i++) {
		struct vat_edge *edge = &edges[i];
		char what[VAT_NAME_SIZE + 64];
		if (!copy_string(image, &edge->cell, VAT_NAME_SIZE, false, "cell of an edge")) {
			return false;
		}
		snprintf(what, sizeof(what), "the function of edge %u to %u of cell %s", edge->from,
			edge->to, edge->cell);
		if ((edge->forth && !check_function(image, (const void *)edge->forth, what)) ||
			(edge->back && !check_function(image, (const void *)edge->back, what))) {
			return false;
		}
		if (edge->lost_count > 2 * VAT_FIELDS_MAX) {
			return elf_fail(image, "edge %u to %u of cell %s loses %u fields",
				edge->from, edge->to, edge->cell, edge->lost_count);
		}
		if (edge->lost_count == 0) {
			edge->lost = NULL;
			continue;
		}
		edge->lost = copy_table(image, edge->lost, edge->lost_count, sizeof(*edge->lost),
			"lost fields of an edge");
		if (!edge->lost) {
			return false;
		}
	}
	return true;
}

static bool copy_state(struct elf_image *image, struct tile_descriptor *tile) {
	if (!copy_decls(image, &tile->cells, tile->cell_count, "cells") ||
		!copy_decls(image, &tile->schemas, tile->schema_count, "schemas") ||
		!copy_edges(image, tile)) {
		return false;
	}
	struct vat_lineage lineage = tile_lineage(tile);
	struct vat_error error;
	if (vat_lineage_check(&lineage, &error) < 0) {
		return elf_fail(image, "%s", error.text);
	}
	return true;
}

static bool copy_ports(struct elf_image *image, struct tile_descriptor *tile) {
	if (tile->port_count == 0) {
		tile->ports = NULL;
		return true;
	}
	if (tile->port_count > PORTS_MAX) {
		return elf_fail(image, "the descriptor has %u ports, of at most %u",
			tile->port_count, PORTS_MAX);
	}
	struct tile_port *ports =
		copy_table(image, tile->ports, tile->port_count, sizeof(*ports), "ports");
	if (!ports) {
		return false;
	}
	tile->ports = ports;
	for (uint32_t i = 0; i < tile->port_count; i++) {
		if (!copy_string(image, &ports[i].name, VAT_NAME_SIZE, false, "name of a port") ||
			!copy_string(
				image, &ports[i].kind, VAT_NAME_SIZE, false, "kind of a port")) {
			return false;
		}
		if (!vat_name_valid(ports[i].name) ||
			(ports[i].direction != TILE_PORT_IN &&
				ports[i].direction != TILE_PORT_OUT)) {
			return elf_fail(image, "port %u has a wrong name or direction", i);
		}
		for (uint32_t n = 0; n < i; n++) {
			if (strcmp(ports[n].name, ports[i].name) == 0 ||
				(ports[i].id && ports[n].id == ports[i].id)) {
				return elf_fail(image, "ports %u and %u have the same %s", n, i,
					ports[i].id && ports[n].id == ports[i].id ? "id" : "name");
			}
		}
	}
	return true;
}

static bool check_operation(struct elf_image *image, const void *function, const char *name) {
	char what[64];
	snprintf(what, sizeof(what), "the operation %s", name);
	return check_function(image, function, what);
}

static bool check_ops(struct elf_image *image, const struct tile_descriptor *tile) {
	struct tile_ops ops = {0};
	size_t size = tile_ops_size(tile->abi_version);
	const void *found = elf_at(image, (uintptr_t)tile->ops, size);
	if (!tile->ops || !found) {
		return elf_fail(image, "the descriptor has no operations");
	}
	memcpy(&ops, found, size);
	const struct {
		const void *function;
		const char *name;
		bool needed;
	} all[] = {
		{(const void *)ops.warm, "warm", false},
		{(const void *)ops.attach, "attach", true},
		{(const void *)ops.update, "update", false},
		{(const void *)ops.draw, "draw", true},
		{(const void *)ops.input, "input", false},
		{(const void *)ops.stream_ready, "stream_ready", false},
		{(const void *)ops.quiesce, "quiesce", false},
		{(const void *)ops.check, "check", false},
		{(const void *)ops.detach, "detach", false},
		{(const void *)ops.render, "render", false},
	};
	static_assert(sizeof(all) / sizeof(all[0]) * sizeof(void *) == sizeof(ops));
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!all[i].function && all[i].needed) {
			return elf_fail(image, "the tile has no operation %s", all[i].name);
		}
		if (all[i].function && !check_operation(image, all[i].function, all[i].name)) {
			return false;
		}
	}
	return true;
}

/* Older ones may have had ports of that name for something else. */
static bool check_sound(struct elf_image *image, const struct tile_descriptor *tile) {
	struct tile_ops ops = {0};
	size_t size = tile_ops_size(tile->abi_version);
	memcpy(&ops, elf_at(image, (uintptr_t)tile->ops, size), size);
	for (uint32_t i = 0; i < tile->port_count && tile->abi_version >= 3; i++) {
		if (tile->ports[i].direction == TILE_PORT_OUT &&
			strcmp(tile->ports[i].kind, TILE_PORT_SOUND) == 0 && !ops.render) {
			return elf_fail(image,
				"sound comes out of port %s, but there is no operation render",
				tile->ports[i].name);
		}
	}
	return true;
}

static bool find_descriptor(struct elf_image *image, Elf64_Sym *symbol) {
	for (size_t i = 1; i < image->symbol_count; i++) {
		elf_symbol(image, i, symbol);
		const char *name = elf_symbol_name(image, symbol);
		if (symbol->st_shndx != SHN_UNDEF && name && strcmp(name, TILE_SYMBOL) == 0) {
			return true;
		}
	}
	return elf_fail(
		image, "no tile: it exports no %s (see TILE_EXPORT in tile.h)", TILE_SYMBOL);
}

static bool is_utf8(const char *string) {
	for (const unsigned char *c = (const unsigned char *)string; *c;) {
		size_t more = *c < 0x80		  ? 0
			: *c >= 0xc2 && *c < 0xe0 ? 1
			: *c >= 0xe0 && *c < 0xf0 ? 2
			: *c >= 0xf0 && *c < 0xf5 ? 3
						  : SIZE_MAX;
		/* Neither longer than need be, nor a surrogate, nor beyond the last character. */
		if (more == SIZE_MAX || (*c == 0xe0 && c[1] < 0xa0) ||
			(*c == 0xed && c[1] > 0x9f) || (*c == 0xf0 && c[1] < 0x90) ||
			(*c == 0xf4 && c[1] > 0x8f)) {
			return false;
		}
		for (c++; more > 0; more--, c++) {
			if ((*c & 0xc0) != 0x80) {
				return false;
			}
		}
	}
	return true;
}

bool elf_read_descriptor(struct elf_image *image) {
	Elf64_Sym symbol;
	if (!find_descriptor(image, &symbol)) {
		return false;
	}
	struct tile_descriptor tile = {0};
	const size_t start = offsetof(struct tile_descriptor, name);
	const void *found = elf_at(image, symbol.st_value, start);
	if (!found) {
		return elf_fail(image, "the descriptor is out of bounds");
	}
	memcpy(&tile, found, start);
	if (tile.magic != TILE_MAGIC) {
		return elf_fail(image, "%s is no tile descriptor: its magic is wrong", TILE_SYMBOL);
	}
	size_t size = tile_descriptor_size(tile.abi_version);
	if (size == 0) {
		return elf_fail(image,
			"built for version %u of the tile ABI, this city has version %u; build it "
			"again "
			"with this city's tile.h",
			tile.abi_version, TILE_ABI_VERSION);
	}
	found = elf_at(image, symbol.st_value, size);
	if (tile.size != size || !found) {
		return elf_fail(
			image, "the descriptor has %u bytes in place of %zu", tile.size, size);
	}
	memcpy(&tile, found, size);
	if (!check_ops(image, &tile) ||
		!copy_string(image, &tile.name, VAT_NAME_SIZE, false, "name") ||
		!copy_string(image, &tile.role, VAT_NAME_SIZE, true, "role") ||
		!copy_string(image, &tile.summary, SUMMARY_SIZE, true, "summary")) {
		return false;
	}
	if (!vat_name_valid(tile.name) || (tile.role && !vat_name_valid(tile.role))) {
		return elf_fail(image,
			"the name or role in the descriptor is no valid name "
			"(lower-case letters, digits, '.', '_', '-')");
	}
	if (tile.summary && !is_utf8(tile.summary)) {
		return elf_fail(image, "the summary in the descriptor is not UTF-8");
	}
	tile.role = tile.role ? tile.role : tile.name;
	tile.summary = tile.summary ? tile.summary : "";
	if (tile.default_width < 0 || tile.default_height < 0 || tile.default_width > 32768 ||
		tile.default_height > 32768) {
		return elf_fail(
			image, "a default size of %dx%d", tile.default_width, tile.default_height);
	}
	if (tile.capabilities & ~(uint64_t)TILE_CAP_ALL) {
		return elf_fail(image,
			"it asks for what this version of Source City cannot give "
			"(capabilities %#lx): it was made for a newer one",
			(unsigned long)(tile.capabilities & ~(uint64_t)TILE_CAP_ALL));
	}
	if (!copy_state(image, &tile) || !copy_ports(image, &tile) || !check_sound(image, &tile)) {
		return false;
	}
	bool cyclic = tile.time_model == TILE_TIME_PHASE;
	if (tile.warm_up_ms > TILE_WARM_UP_MAX_MS) {
		return elf_fail(image, "a warm-up of %u ms: at most %u are allowed",
			tile.warm_up_ms, TILE_WARM_UP_MAX_MS);
	}
	if (tile.time_model > TILE_TIME_PHASE || cyclic != (tile.time_period_ns != 0)) {
		return elf_fail(image,
			"a wrong time model (%u with a period of %lu ns): TILE_TIME_PHASE alone "
			"has "
			"a period",
			tile.time_model, (unsigned long)tile.time_period_ns);
	}
	tile.ops = NULL;
	image->report->tile = tile;
	return true;
}

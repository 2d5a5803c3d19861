/* SPDX-License-Identifier: MIT */
/* What the city needs to know about a version to choose how it takes over. */
#include "host.h"

#include <string.h>

#include "source-city-tile-v1-client-protocol.h"

#define SENT_MAX 16 /* changed cells; the city needs one of each kind */

static uint64_t mix(uint64_t digest, const void *data, size_t size) {
	const uint8_t *bytes = data;
	/* FNV-1a, as published by its authors (Fowler, Noll, Vo). */
	for (size_t i = 0; i < size; i++) {
		digest = (digest ^ bytes[i]) * 0x100000001b3ull;
	}
	return digest;
}

static uint64_t mix_text(uint64_t digest, const char *text) {
	return text ? mix(digest, text, strlen(text) + 1) : mix(digest, "", 1);
}

static uint64_t digest_of(const struct tile_descriptor *tile) {
	uint64_t digest = 0xcbf29ce484222325ull;
	for (uint32_t i = 0; i < tile->cell_count; i++) {
		const struct vat_cell_decl *cell = &tile->cells[i];
		const uint64_t numbers[] = {cell->element, cell->count, cell->field_count,
			cell->stride, cell->align, cell->version, cell->reset, cell->flags,
			cell->key_field};
		digest = mix(mix_text(mix_text(digest, cell->name), cell->scope), numbers,
			sizeof(numbers));
		for (uint32_t j = 0; j < cell->field_count; j++) {
			const struct vat_field *field = &cell->fields[j];
			const uint64_t shape[] = {field->id, field->type, field->count,
				field->offset, field->initial.u};
			digest = mix(mix_text(digest, field->name), shape, sizeof(shape));
		}
	}
	return digest ? digest : 1;
}

static void describe_cell(struct host *host, uint32_t index, const struct vat_change *change) {
	const struct vat_cell_decl *decl = &host->descriptor.cells[index];
	const struct vat_cell *cell =
		vat_region_find(host->region, decl->name, decl->scope, decl->element);
	uint32_t what;
	if (cell && cell->key_field != decl->key_field) {
		what = SOURCE_CITY_TILE_V1_CELL_CHANGE_IDENTITY;
	} else if (change->outcome == VAT_MIGRATED) {
		what = change->lossy ? SOURCE_CITY_TILE_V1_CELL_CHANGE_LOSSY
				     : SOURCE_CITY_TILE_V1_CELL_CHANGE_MIGRATED;
	} else if (change->outcome == VAT_FRESH) {
		what = SOURCE_CITY_TILE_V1_CELL_CHANGE_FRESH;
	} else if (change->outcome == VAT_CLEARED) {
		what = SOURCE_CITY_TILE_V1_CELL_CHANGE_CLEARED;
	} else if (change->outcome == VAT_REFUSED) {
		what = SOURCE_CITY_TILE_V1_CELL_CHANGE_REFUSED;
	} else {
		return;
	}
	source_city_tile_v1_describe_change(host->wl_tile, decl->name, what);
}

void host_describe_state(struct host *host, const struct vat_adopt_report *report) {
	const struct tile_descriptor *tile = &host->descriptor;
	if (!host->wl_tile ||
		source_city_tile_v1_get_version(host->wl_tile) <
			SOURCE_CITY_TILE_V1_DESCRIBE_SCHEMA_SINCE_VERSION) {
		return;
	}
	uint64_t digest = digest_of(tile);
	source_city_tile_v1_describe_schema(host->wl_tile, digest >> 32, digest);
	bool sent[VAT_REFUSED + 1][2] = {0};
	size_t count = 0;
	for (uint32_t i = 0; i < tile->cell_count && i < report->count && count < SENT_MAX; i++) {
		const struct vat_change *change = &report->changes[i];
		/* Cells that belong to elements come in thousands. */
		if (change->outcome <= VAT_REFUSED && change->outcome != VAT_SAME &&
			!sent[change->outcome][change->lossy]) {
			sent[change->outcome][change->lossy] = true;
			describe_cell(host, i, change);
			count++;
		}
	}
	for (uint32_t i = 0; i < tile->port_count; i++) {
		const struct tile_port *port = &tile->ports[i];
		source_city_tile_v1_describe_port(
			host->wl_tile, port->name, port->kind, port->direction, port->id);
	}
	source_city_tile_v1_describe_time(host->wl_tile, tile->time_model,
		tile->time_period_ns >> 32, tile->time_period_ns, tile->warm_up_ms);
}

/* SPDX-License-Identifier: MIT */
/* What the host reads out of an artifact before it runs any of it: any bytes at all. */
#include <stdlib.h>
#include <string.h>

#include "tile_elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t touch_decls(const struct vat_cell_decl *decls, uint32_t n) {
	size_t sum = 0;
	for (uint32_t i = 0; i < n; i++) {
		sum += strlen(decls[i].name) + (decls[i].scope ? strlen(decls[i].scope) : 0);
		for (uint32_t k = 0; k < decls[i].field_count; k++) {
			sum += strlen(decls[i].fields[k].name) + decls[i].fields[k].id;
		}
	}
	return sum;
}

/* Everything that an accepted descriptor points to is read: it must be there. */
static size_t touch(const struct tile_descriptor *tile) {
	size_t sum = strlen(tile->name) + strlen(tile->role) + strlen(tile->summary);
	sum += touch_decls(tile->cells, tile->cell_count);
	sum += touch_decls(tile->schemas, tile->schema_count);
	for (uint32_t i = 0; i < tile->edge_count; i++) {
		sum += strlen(tile->edges[i].cell);
		for (uint32_t n = 0; n < tile->edges[i].lost_count; n++) {
			sum += tile->edges[i].lost[n];
		}
	}
	for (uint32_t i = 0; i < tile->port_count; i++) {
		sum += strlen(tile->ports[i].name) + strlen(tile->ports[i].kind);
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct elf_report report;
	bool ok = elf_inspect_bytes(data, size, &report);
	if (ok != (report.why[0] == 0)) {
		abort();
	}
	volatile size_t sink = ok ? touch(&report.tile) : strlen(report.why);
	(void)sink;
	elf_report_finish(&report);
	return 0;
}

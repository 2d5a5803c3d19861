/* SPDX-License-Identifier: MIT */
/* What the host reads out of an artifact before it runs any of it: any bytes at all. */
#include <stdlib.h>
#include <string.h>

#include "tile_elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that an accepted descriptor points to is read: it must be there. */
static size_t touch(const struct tile_descriptor *tile) {
	size_t sum = strlen(tile->name) + strlen(tile->role) + strlen(tile->summary);
	for (uint32_t i = 0; i < tile->cell_count; i++) {
		const struct vat_cell_decl *cell = &tile->cells[i];
		sum += strlen(cell->name) + (cell->scope ? strlen(cell->scope) : 0);
		for (uint32_t n = 0; n < cell->field_count; n++) {
			sum += strlen(cell->fields[n].name) + cell->fields[n].id;
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

/* SPDX-License-Identifier: MIT */
#include "tile_elf.h"

#include <string.h>

static const char imports[] = {
#embed "imports.txt" suffix(, 0)
};

bool elf_import_allowed(const char *name) {
	size_t length = strlen(name);
	const char *line = imports;
	while (*line) {
		size_t size = strcspn(line, "\n");
		bool prefix = size > 0 && line[size - 1] == '*';
		size_t fixed = prefix ? size - 1 : size;
		if (fixed > 0 && *line != '#' && strncmp(name, line, fixed) == 0 &&
			(prefix || length == fixed)) {
			return true;
		}
		line += size + (line[size] == '\n');
	}
	return false;
}

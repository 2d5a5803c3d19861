/* SPDX-License-Identifier: MIT */
/*
 * What an artifact is, read from its ELF file without running any of it.
 *
 * elf_inspect reads the whole file into memory, checks that loading it can run no code and needs
 * nothing that a tile may not use, and reads the descriptor by applying relocations to a copy. It
 * trusts nothing in the file. Used by the host before dlopen, by the forge as a gate, and by
 * `source-city-tile --check`. Needs libc and libvat only; any thread.
 */
#ifndef SOURCE_CITY_TILE_ELF_H
#define SOURCE_CITY_TILE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tile.h"

#define ELF_FILE_MAX (64u << 20)

struct elf_report {
	char why[320]; /* one line; "" for an artifact that was accepted */
	/* A copy of the descriptor with all it points to, except ops, which is NULL. Only after
	 * acceptance. Owned by the report. */
	struct tile_descriptor tile;
	char build_id[129];   /* hexadecimal, "" for none */
	const char **imports; /* names of undefined symbols */
	size_t import_count;
	size_t size;		  /* of the file */
	struct elf_chunk *chunks; /* private */
};

/* Both: true if the artifact is accepted, false with report->why. Finish the report in both cases.
 * The position of the fd is neither used nor changed. */
bool elf_inspect(int fd, struct elf_report *report);
bool elf_inspect_bytes(const void *data, size_t size, struct elf_report *report);
void elf_report_finish(struct elf_report *report);

/* Whether a tile may use that symbol of another library. */
bool elf_import_allowed(const char *name);
/* Whether this process has all the imports: false with report->why naming those that are missing.
 * Meaningful only in a program that links what tiles may use. */
bool elf_resolve(struct elf_report *report);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * An ELF file as the loader would lay it out at address 0, in memory of our own. Private to elf*.c.
 */
#ifndef SOURCE_CITY_TILE_ELF_IMAGE_H
#define SOURCE_CITY_TILE_ELF_IMAGE_H

#include <elf.h>

#include "tile_elf.h"

struct elf_image {
	struct elf_report *report;
	const uint8_t *file;
	size_t file_size;
	Elf64_Ehdr header;
	Elf64_Phdr *segments;
	size_t segment_count;
	Elf64_Shdr *sections;
	size_t section_count;
	/* The loadable segments at their addresses; `span` bytes from address 0. */
	uint8_t *memory;
	uint64_t span;
	/* From the dynamic section; all addresses are checked against the segments. */
	uint64_t symbols; /* address of the table */
	size_t symbol_count;
	uint64_t strings;
	uint64_t strings_size;
	uint64_t rela, rela_size, jmprel, jmprel_size, relr, relr_size;
};

__attribute__((format(printf, 2, 3))) bool elf_fail(
	struct elf_image *image, const char *format, ...);

/* The bytes [address, address + size), or NULL if they are not all in one loadable segment. */
const void *elf_at(const struct elf_image *image, uint64_t address, uint64_t size);
/* A string in a loadable segment of less than `limit` bytes, NULL for anything else. */
const char *elf_string_at(const struct elf_image *image, uint64_t address, size_t limit);
/* The loadable segment that has all these bytes, NULL for none. */
const Elf64_Phdr *elf_segment_at(const struct elf_image *image, uint64_t address, uint64_t size);
bool elf_symbol(const struct elf_image *image, size_t index, Elf64_Sym *symbol);
/* Name of a dynamic symbol; NULL if it is out of bounds. */
const char *elf_symbol_name(const struct elf_image *image, const Elf64_Sym *symbol);

/* elf_dynamic.c: the dynamic section, imports and relocations; fills symbols, strings and rel*. */
bool elf_read_dynamic(struct elf_image *image);
/* elf_descriptor.c: report->tile from the relocated image. */
bool elf_read_descriptor(struct elf_image *image);

/* Zeroed memory that lives as long as the report; NULL if there is none. */
void *elf_report_alloc(struct elf_report *report, size_t size);

#endif

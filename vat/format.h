/* SPDX-License-Identifier: MIT */
/* The bytes of a region and of an undo log; FORMAT.md explains them. Only libvat and its tests. */
#ifndef SOURCE_CITY_VAT_FORMAT_H
#define SOURCE_CITY_VAT_FORMAT_H

#include <stdint.h>

#include "vat.h"

#define VAT_FORMAT 1u
#define VAT_MAGIC 0x0a1a0a0d54415689ull /* 89 'V' 'A' 'T' 0d 0a 1a 0a on little endian */
#define VAT_UNDO_MAGIC 0x0a1a0d4f444e5589ull
#define VAT_UNDO_ENDED 0x0a1a0d444e455589ull /* in its place once the probation is over */
#define VAT_GRAIN 64u			     /* places and small sizes are multiples of it */
#define VAT_GROWTH (64u * 1024)		     /* sizes of regions are multiples of it */
#define VAT_REGION_MAX (1ull << 46)	     /* no size or offset is ever larger */
#define VAT_DIRECTORY_FIELDS_MAX (1u << 18)

struct vat_disk_root {
	uint64_t offset; /* of the directory: cells, then fields; 0 when there are no cells */
	uint64_t size;
	uint64_t generation; /* in which it was written */
	uint32_t cells;
	uint32_t fields;
	uint64_t checksum; /* of the directory */
	uint64_t updates;  /* VAT_UPDATES at the commit */
	uint64_t reserved;
	uint64_t self; /* checksum of all of the above */
};

struct vat_disk_header {
	/* Identity: written once. */
	uint64_t magic;
	uint32_t format;
	uint32_t page; /* VAT_PAGE */
	struct vat_uuid tile;
	struct vat_uuid city;
	char name[VAT_NAME_SIZE];
	uint64_t reserved;
	uint64_t identity; /* checksum of all of the above */
	/* Words, in the order of enum vat_word. */
	uint64_t words[8];
	uint64_t unused[8];
	struct vat_disk_root roots[2]; /* current: roots[generation & 1] */
};

struct vat_disk_cell {
	struct vat_key key;
	char name[VAT_NAME_SIZE];
	char scope[VAT_SCOPE_SIZE];
	uint64_t element;
	uint64_t count;
	uint64_t offset;
	uint64_t size;
	uint64_t born;
	uint32_t stride;
	uint32_t align;
	uint32_t version;
	uint32_t reset;
	uint32_t flags;
	uint32_t key_field;
	uint32_t first_field;
	uint32_t field_count;
	uint64_t reserved;
};

/* A field on disk is struct vat_stored_field. */

#define VAT_LOG_ENDED 1u
#define VAT_LOG_LOST 2u

struct vat_undo_header {
	uint64_t magic; /* written last, when the log is armed */
	uint32_t format;
	uint32_t page;
	struct vat_uuid tile;
	struct vat_uuid city;
	uint64_t pages;	     /* of the region that are covered: [0, pages) */
	uint64_t generation; /* when the barrier was armed */
	uint64_t return_to;
	uint64_t self; /* checksum of all of the above but magic */
	/* Change while the barrier is up. */
	uint64_t next; /* slots given out */
	uint64_t faults;
	uint64_t applied; /* 1 when the region is as it was again */
	/* Before anything is written that is not saved here: VAT_LOG_ENDED, or VAT_LOG_LOST when
	 * there was no memory for more. */
	uint64_t ended;
	uint8_t seed[32]; /* by chance, for the numbers that the writer and a private copy get */
};

/* A region file: header, pages, blocks, trailer. */
#define VAT_FILE_FORMAT 1u
#define VAT_FILE_MAGIC 0x0a1a0d4c49465689ull /* 89 'V' 'F' 'I' 'L' 0d 1a 0a */
#define VAT_FILE_TRAILER_MAGIC 0x0a1a0d444e455689ull

struct vat_file_header {
	uint64_t magic;
	uint32_t format;
	uint32_t page;
	struct vat_uuid tile;
	struct vat_uuid city;
	char name[VAT_NAME_SIZE];
	uint64_t region_size;
	uint64_t generation;
	uint64_t saved; /* seconds since 1970 */
	uint8_t reserved[VAT_PAGE - 144];
	uint64_t self; /* checksum of all of the above */
};

struct vat_file_block {
	uint64_t offset; /* in the region */
	uint32_t pages;
	uint32_t reserved;
	uint64_t checksum;
};

struct vat_file_trailer {
	uint64_t magic;
	uint64_t blocks;
	uint64_t pages;
	uint64_t size;	 /* of the file */
	uint64_t header; /* its checksum */
	uint64_t index;	 /* checksum of the blocks' entries */
	uint64_t reserved;
	uint64_t self; /* checksum of all of the above */
};

_Static_assert(sizeof(struct vat_file_header) == VAT_PAGE, "format");
_Static_assert(offsetof(struct vat_file_header, reserved) == 136, "format");
_Static_assert(sizeof(struct vat_file_block) == 24, "format");
_Static_assert(sizeof(struct vat_file_trailer) == 64, "format");
_Static_assert(sizeof(struct vat_disk_root) == 64, "format");
_Static_assert(sizeof(struct vat_disk_header) == 384, "format");
_Static_assert(offsetof(struct vat_disk_header, identity) == 120, "format");
_Static_assert(offsetof(struct vat_disk_header, words) == 128, "format");
_Static_assert(offsetof(struct vat_disk_header, roots) == 256, "format");
_Static_assert(sizeof(struct vat_disk_cell) == 192, "format");
_Static_assert(sizeof(struct vat_stored_field) == 64, "format");
_Static_assert(offsetof(struct vat_undo_header, self) == 72, "format");
/* Read out of ELF files by the host. */
_Static_assert(sizeof(struct vat_field) == 32, "declaration");
_Static_assert(sizeof(struct vat_cell_decl) == 72, "declaration");
_Static_assert(sizeof(struct vat_edge) == 48, "declaration");

#endif

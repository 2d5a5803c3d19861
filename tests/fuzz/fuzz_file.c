/* SPDX-License-Identifier: MIT */
/*
 * Region files that anybody may have written. Input: a byte of flags, then the file, of whose
 * header the reserved bytes are left out. The flags say which checksums and counts are put in
 * order, so that what is behind them is reached. Whatever is there: an error, or a region that can
 * be mapped, read, and saved to a file that gives the same region again.
 *
 * Run with --write FOLDER it writes files to start from instead.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format.h"
#include "internal.h"
#include "vat.h"

#define FILE_MAX (256 * 1024)
#define HEAD offsetof(struct vat_file_header, reserved)
#define FIX_HEADER 1
#define FIX_BLOCKS 2
#define FIX_TRAILER 4
#define FIX_REGION 8 /* identity and roots of the region inside */
#define SMALL_REGION 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct item {
	uint64_t value;
	char label[8];
};
static const struct vat_field fields[] = {
	VAT_FIELD(1, U64, struct item, value),
	VAT_FIELD(2, TEXT, struct item, label),
};
static const struct vat_cell_decl decls[] = {
	VAT_CELL("one", struct item, 1, fields),
	VAT_CELL("many", struct item, 600, fields),
	VAT_CELL("room", struct item, 40000, fields, .flags = VAT_CELL_SPARSE),
};

static uint8_t bytes[FILE_MAX];

static void fix_region(struct vat_disk_header *header) {
	header->identity = vat_checksum(header, offsetof(struct vat_disk_header, identity));
	for (int i = 0; i < 2; i++)
		header->roots[i].self =
			vat_checksum(&header->roots[i], offsetof(struct vat_disk_root, self));
}

static void fix(unsigned flags, size_t size) {
	struct vat_file_header *header = (void *)bytes;
	struct vat_file_trailer trailer;
	if (size < sizeof(*header) + sizeof(trailer))
		return;
	uint8_t *end = bytes + size - sizeof(trailer);
	memcpy(&trailer, end, sizeof(trailer));
	if (flags & SMALL_REGION)
		header->region_size = VAT_GROWTH;
	if (flags & FIX_HEADER)
		header->self = vat_checksum(header, offsetof(struct vat_file_header, self));
	uint64_t room = size - sizeof(*header) - sizeof(trailer);
	uint64_t blocks = trailer.blocks;
	if (blocks > room / sizeof(struct vat_file_block))
		blocks = room / sizeof(struct vat_file_block);
	uint8_t *index = end - blocks * sizeof(struct vat_file_block);
	uint8_t *at = bytes + sizeof(*header);
	if ((flags & FIX_REGION) && index - at >= (long)sizeof(struct vat_disk_header))
		fix_region((void *)at);
	for (uint64_t i = 0; (flags & FIX_BLOCKS) && i < blocks; i++) {
		struct vat_file_block block;
		memcpy(&block, index + i * sizeof(block), sizeof(block));
		uint64_t n = (uint64_t)block.pages * VAT_PAGE;
		if (n > (uint64_t)(index - at))
			break;
		block.checksum = vat_checksum(at, n);
		memcpy(index + i * sizeof(block), &block, sizeof(block));
		at += n;
	}
	if (flags & FIX_TRAILER) {
		trailer.magic = VAT_FILE_TRAILER_MAGIC;
		trailer.header = header->self;
		trailer.size = size;
		trailer.index = vat_checksum(index, blocks * sizeof(struct vat_file_block));
		trailer.self = vat_checksum(&trailer, offsetof(struct vat_file_trailer, self));
		memcpy(end, &trailer, sizeof(trailer));
	}
}

static int file_new(size_t size) {
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || pwrite(fd, bytes, size, 0) != (ssize_t)size)
		abort();
	return fd;
}

/* What was accepted is a region like any other. */
static void check(int memfd) {
	struct vat_region *region, *again;
	struct vat_error err;
	if (vat_region_map(memfd, VAT_READ, &region, &err) < 0)
		abort();
	int file = memfd_create("again", MFD_CLOEXEC);
	if (file < 0 || vat_file_save(region, -1, file, &err) < 0)
		abort();
	int copy = vat_file_load(file, &err);
	if (copy < 0 || vat_region_map(copy, VAT_READ, &again, &err) < 0 ||
		again->size < region->size || again->generation != region->generation ||
		vat_region_cell_count(again) != vat_region_cell_count(region) ||
		memcmp(again->base, region->base, VAT_PAGE) != 0)
		abort();
	vat_region_unmap(again);
	vat_region_unmap(region);
	close(copy);
	close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 1)
		return 0;
	unsigned flags = *data++;
	size--;
	memset(bytes, 0, sizeof(struct vat_file_header));
	size_t total = size;
	if (size > HEAD) {
		memcpy(bytes, data, HEAD);
		total = sizeof(struct vat_file_header) + size - HEAD;
		if (total > FILE_MAX)
			return 0;
		memcpy(bytes + sizeof(struct vat_file_header), data + HEAD, size - HEAD);
	} else {
		memcpy(bytes, data, size);
	}
	fix(flags, total);
	int file = file_new(total);
	struct vat_error err;
	int memfd = vat_file_load(file, &err);
	if (memfd >= 0) {
		check(memfd);
		close(memfd);
	}
	close(file);
	return 0;
}

static void write_seed(const char *folder, const char *name, struct vat_region *region) {
	char path[512];
	int file = memfd_create("seed", MFD_CLOEXEC);
	if (file < 0 || vat_file_save(region, -1, file, NULL) < 0)
		abort();
	ssize_t size = pread(file, bytes, sizeof(bytes), 0);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *out = fopen(path, "we");
	if (!out || size < (ssize_t)sizeof(struct vat_file_header))
		abort();
	fputc(FIX_HEADER | FIX_BLOCKS | FIX_TRAILER | FIX_REGION, out);
	fwrite(bytes, HEAD, 1, out);
	fwrite(bytes + sizeof(struct vat_file_header),
		(size_t)size - sizeof(struct vat_file_header), 1, out);
	fclose(out);
	close(file);
}

static void write_seeds(const char *folder) {
	static const struct vat_region_info info = {
		.name = "seed", .tile = {{1, 2, 3}}, .city = {{4, 5, 6}}};
	struct vat_region *region;
	int fd = vat_region_create(&info, 0, NULL);
	if (fd < 0 || vat_region_map(fd, VAT_WRITE, &region, NULL) < 0)
		abort();
	write_seed(folder, "empty", region);
	vat_region_adopt(region, decls, 2, 0, NULL, NULL);
	write_seed(folder, "cells", region);
	vat_region_adopt(region, decls, 3, VAT_ADOPT_KEEP, NULL, NULL);
	struct item *room = vat_cell_data(region, vat_region_find(region, "room", NULL, 0));
	room[0].value = room[20000].value = 1;
	write_seed(folder, "kept", region);
	vat_region_unmap(region);
	close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	/* AddressSanitizer pays for address space. */
	vat_hooks.reserve = 1 << 24;
	if (*argc == 3 && strcmp((*argv)[1], "--write") == 0) {
		write_seeds((*argv)[2]);
		exit(0);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Undo logs that anybody may have written, applied to a region that anybody may have written over.
 * Input: a byte of flags, the log's header, its entries, the pages that it saved, then what the
 * region begins with. Whatever is there: an error, or a region that can be read.
 *
 * Run with --write FOLDER it writes logs to start from instead.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format.h"
#include "internal.h"
#include "undo.h"
#include "vat.h"

#define PAGES 16
#define REGION_SIZE (PAGES * VAT_PAGE)
#define FIX_HEADER 1
#define FIX_IDENTITY 2
#define FIX_ROOTS 4
#define FIX_WRITER 8 /* the log belongs to the region */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct item {
	uint64_t value;
};
static const struct vat_field fields[] = {VAT_FIELD(1, U64, struct item, value)};
static const struct vat_cell_decl version1[] = {
	VAT_CELL("one", struct item, 1, fields),
	VAT_CELL("many", struct item, 600, fields),
};
static const struct vat_cell_decl version2[] = {
	VAT_CELL("one", struct item, 1, fields),
	VAT_CELL("many", struct item, 700, fields),
};
static const struct vat_region_info info = {
	.name = "seed", .tile = {{1, 2, 3}}, .city = {{4, 5, 6}}};

static uint8_t good[REGION_SIZE];

struct log_bytes {
	struct vat_undo_header header;
	uint64_t entries[PAGES];
	uint8_t images[PAGES][VAT_PAGE];
};
static struct log_bytes bytes;

static struct vat_region *region_new(int *fd) {
	struct vat_region *region;
	*fd = vat_region_create(&info, 0, NULL);
	if (*fd < 0 || vat_region_map(*fd, VAT_WRITE, &region, NULL) < 0)
		abort();
	return region;
}

static uint64_t header_sum(const struct vat_undo_header *header) {
	return vat_checksum(&header->format,
		offsetof(struct vat_undo_header, self) - offsetof(struct vat_undo_header, format));
}

static void fix(unsigned flags) {
	struct vat_disk_header *image = (void *)bytes.images[0];
	if (flags & FIX_WRITER) {
		bytes.header.tile = info.tile;
		bytes.header.city = info.city;
		image->tile = info.tile;
		image->city = info.city;
	}
	if (flags & FIX_IDENTITY)
		image->identity = vat_checksum(image, offsetof(struct vat_disk_header, identity));
	for (int i = 0; (flags & FIX_ROOTS) && i < 2; i++)
		image->roots[i].self =
			vat_checksum(&image->roots[i], offsetof(struct vat_disk_root, self));
	if (flags & FIX_HEADER) {
		bytes.header.magic = VAT_UNDO_MAGIC;
		bytes.header.self = header_sum(&bytes.header);
	}
}

static int log_new(void) {
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)vat_log_size(PAGES)) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0 ||
		pwrite(fd, &bytes.header, sizeof(bytes.header), 0) < 0 ||
		pwrite(fd, bytes.entries, sizeof(bytes.entries), VAT_PAGE) < 0 ||
		pwrite(fd, bytes.images, sizeof(bytes.images), 2 * VAT_PAGE) < 0)
		abort();
	return fd;
}

static size_t take(void *to, size_t room, const uint8_t **data, size_t *size) {
	size_t n = *size < room ? *size : room;
	memcpy(to, *data, n);
	*data += n;
	*size -= n;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 1)
		return 0;
	unsigned flags = *data++;
	size--;
	memset(&bytes, 0, sizeof(bytes));
	take(&bytes.header, sizeof(bytes.header), &data, &size);
	take(bytes.entries, sizeof(bytes.entries), &data, &size);
	for (size_t i = 0; i < PAGES && bytes.entries[i] != 0; i++)
		take(bytes.images[i], VAT_PAGE, &data, &size);
	fix(flags);

	int fd;
	struct vat_region *region = region_new(&fd);
	memcpy(region->base, good, sizeof(good));
	take(region->base, REGION_SIZE, &data, &size);
	int log = log_new();
	struct vat_undo_stats stats;
	struct vat_error err;
	vat_undo_stats(log, &stats, NULL);
	for (int i = 0; i < 2; i++) {
		if (vat_undo_apply(region, log, &err) < 0)
			continue;
		struct vat_region *reader;
		if (vat_region_map(fd, VAT_READ, &reader, &err) < 0 ||
			vat_region_cell_count(reader) != vat_region_cell_count(region))
			abort();
		vat_region_unmap(reader);
	}
	vat_region_unmap(region);
	close(log);
	close(fd);
	return 0;
}

static void write_seed(const char *folder, const char *name, int log, const void *over) {
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "we");
	if (!file || pread(log, &bytes.header, sizeof(bytes.header), 0) < 0 ||
		pread(log, bytes.entries, sizeof(bytes.entries), VAT_PAGE) < 0 ||
		pread(log, bytes.images, sizeof(bytes.images), 2 * VAT_PAGE) < 0)
		abort();
	fputc(FIX_HEADER | FIX_IDENTITY | FIX_ROOTS | FIX_WRITER, file);
	fwrite(&bytes.header, sizeof(bytes.header), 1, file);
	fwrite(bytes.entries, sizeof(bytes.entries), 1, file);
	for (size_t i = 0; i < PAGES && bytes.entries[i] != 0; i++)
		fwrite(bytes.images[i], VAT_PAGE, 1, file);
	fwrite(over, sizeof(struct vat_disk_header), 1, file);
	fclose(file);
}

/* A log as the barrier leaves it; what faults would save is put in order by hand. */
static void write_seeds(const char *folder) {
	static const uint8_t zeros[sizeof(struct vat_disk_header)];
	for (int kept = 0; kept < 2; kept++) {
		int fd;
		struct vat_region *region = region_new(&fd);
		vat_region_adopt(region, version1, 2, 0, NULL, NULL);
		uint64_t generation = vat_region_generation(region);
		if (kept)
			vat_region_adopt(region, version2, 2, VAT_ADOPT_KEEP, NULL, NULL);
		int log = vat_undo_create(region, NULL);
		if (log < 0 || vat_barrier_begin(region, log, generation, NULL) < 0 ||
			!vat_barrier_handle_fault(region->base + 2 * VAT_PAGE) ||
			vat_barrier_end(region, NULL) < 0)
			abort();
		write_seed(folder, kept ? "kept" : "same", log, region->base);
		write_seed(folder, kept ? "kept-scribbled" : "same-scribbled", log, zeros);
		vat_region_unmap(region);
		close(log);
		close(fd);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	/* AddressSanitizer pays for address space. */
	vat_hooks.reserve = 1 << 24;
	if (*argc == 3 && strcmp((*argv)[1], "--write") == 0) {
		write_seeds((*argv)[2]);
		exit(0);
	}
	int fd;
	struct vat_region *region = region_new(&fd);
	vat_region_adopt(region, version1, 2, 0, NULL, NULL);
	memcpy(good, region->base, sizeof(good));
	vat_region_unmap(region);
	close(fd);
	return 0;
}

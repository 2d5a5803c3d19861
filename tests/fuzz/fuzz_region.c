/* SPDX-License-Identifier: MIT */
/*
 * The reader of regions, on bytes that anybody may have written. Input: a byte of flags, the used
 * part of a header, then the region from its second page on. The flags say which checksums are put
 * in order, so that what is behind them is reached.
 *
 * Run with --write FOLDER it writes regions to start from instead.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format.h"
#include "internal.h"
#include "vat.h"

#define REGION_SIZE (64 * 1024)
#define FIX_IDENTITY 1
#define FIX_ROOTS 2
#define FIX_DIRECTORIES 4
#define FIX_KEYS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct item {
	uint32_t id;
	float level[2];
	char label[12];
};
static const struct vat_field fields[] = {
	VAT_FIELD(1, U32, struct item, id),
	VAT_FIELD_INIT(2, F32, struct item, level, .f = 0.25),
	VAT_FIELD(3, TEXT, struct item, label),
	VAT_RETIRED(9, "gone"),
};
struct item2 {
	double level[3];
	uint64_t id;
	uint8_t label[12];
	int16_t extra;
};
static const struct vat_field fields2[] = {
	VAT_FIELD(1, U64, struct item2, id),
	VAT_FIELD(2, F64, struct item2, level),
	VAT_FIELD(3, BYTES, struct item2, label),
	VAT_FIELD(4, I16, struct item2, extra),
};
static const struct vat_cell_decl version1[] = {
	VAT_CELL("one", struct item, 1, fields),
	VAT_CELL("two", struct item, 50, fields, .key_field = 1),
};
static const struct vat_cell_decl version2[] = {
	VAT_CELL("one", struct item2, 2, fields2),
	VAT_CELL("two", struct item, 20, fields, .key_field = 1),
	VAT_CELL("three", struct item2, 9, fields2, .scope = "left", .element = 3),
};

static uint8_t bytes[REGION_SIZE];
static FILE *null;

static void fix(unsigned flags) {
	struct vat_disk_header *header = (void *)bytes;
	if (flags & FIX_IDENTITY)
		header->identity = vat_checksum(header, offsetof(struct vat_disk_header, identity));
	for (int i = 0; i < 2; i++) {
		struct vat_disk_root *root = &header->roots[i];
		/* A copy, for a directory that lies over the header would change it under way. */
		const struct vat_disk_root said = *root;
		bool inside = said.offset <= REGION_SIZE &&
			said.size <= REGION_SIZE - said.offset && said.offset % VAT_GRAIN == 0;
		if (!inside)
			continue;
		struct vat_disk_cell *cells = (void *)(bytes + said.offset);
		size_t n = said.size / sizeof(*cells);
		for (size_t j = 0; (flags & FIX_KEYS) && j < n && j < said.cells; j++) {
			if (memchr(cells[j].name, 0, sizeof(cells[j].name)) &&
				memchr(cells[j].scope, 0, sizeof(cells[j].scope)))
				cells[j].key = vat_state_key(&header->city, &header->tile,
					cells[j].name, cells[j].scope, cells[j].element);
		}
		if (flags & FIX_DIRECTORIES)
			root->checksum = vat_checksum(bytes + said.offset, said.size);
		if (flags & FIX_ROOTS)
			root->self = vat_checksum(root, offsetof(struct vat_disk_root, self));
	}
}

static void read_all(struct vat_region *region) {
	vat_print(region, null, &(struct vat_print_options){.json = true, .all = true}, NULL);
	vat_print(region, null, NULL, NULL);
	for (size_t i = 0; i < vat_region_cell_count(region); i++) {
		const struct vat_cell *cell = vat_region_cell(region, i);
		if (vat_region_find(region, cell->name, cell->scope, cell->element) != cell ||
			vat_region_find_key(region, &cell->key) != cell)
			abort();
	}
}

static void write_some(struct vat_region *region) {
	struct vat_txn *txn;
	if (vat_region_has_previous(region) && vat_region_rollback(region, NULL) == 0)
		read_all(region);
	vat_region_forget_previous(region, NULL);
	vat_region_adopt(region, version2, 3, VAT_ADOPT_KEEP, NULL, NULL);
	vat_region_forget_previous(region, NULL);
	if (vat_txn_begin(region, &txn, NULL) == 0) {
		if (vat_region_cell_count(region) > 0) {
			struct vat_cell cell = *vat_region_cell(region, 0);
			vat_txn_resize(txn, cell.name, cell.scope, cell.element, cell.count / 2 + 1,
				VAT_ALLOW_LOSSY, NULL);
		}
		vat_txn_commit(txn, false, NULL);
	}
	vat_region_adopt(region, version1, 2, VAT_ADOPT_LOSSY, NULL, NULL);
	read_all(region);
}

static int new_memfd(void) {
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, REGION_SIZE) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 1)
		return 0;
	unsigned flags = data[0];
	data++;
	size--;
	memset(bytes, 0, sizeof(bytes));
	size_t head = sizeof(struct vat_disk_header);
	size_t n = size < head ? size : head;
	memcpy(bytes, data, n);
	data += n;
	size -= n;
	n = size < REGION_SIZE - VAT_PAGE ? size : REGION_SIZE - VAT_PAGE;
	memcpy(bytes + VAT_PAGE, data, n);
	fix(flags);

	int fd = new_memfd();
	if (pwrite(fd, bytes, REGION_SIZE, 0) != REGION_SIZE)
		abort();
	struct vat_region *region;
	struct vat_error err;
	if (vat_region_map(fd, VAT_WRITE, &region, &err) == 0) {
		read_all(region);
		write_some(region);
		vat_region_unmap(region);
	}
	close(fd);
	return 0;
}

static void write_seed(
	const char *folder, const char *name, struct vat_region *region, size_t size) {
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "we");
	if (!file)
		abort();
	fputc(FIX_IDENTITY | FIX_ROOTS | FIX_DIRECTORIES | FIX_KEYS, file);
	fwrite(region->base, sizeof(struct vat_disk_header), 1, file);
	fwrite(region->base + VAT_PAGE, size, 1, file);
	fclose(file);
}

static void write_seeds(const char *folder) {
	static const struct vat_region_info info = {
		.name = "seed", .tile = {{1, 2, 3}}, .city = {{4, 5, 6}}};
	struct vat_region *region;
	int fd = vat_region_create(&info, 0, NULL);
	if (fd < 0 || vat_region_map(fd, VAT_WRITE, &region, NULL) < 0)
		abort();
	write_seed(folder, "empty", region, 0);
	vat_region_adopt(region, version1, 2, 0, NULL, NULL);
	write_seed(folder, "first", region, 3072);
	vat_region_adopt(region, version2, 3, VAT_ADOPT_KEEP | VAT_ADOPT_LOSSY, NULL, NULL);
	write_seed(folder, "kept", region, 6144);
	vat_region_forget_previous(region, NULL);
	vat_region_adopt(region, version2 + 2, 1, 0, NULL, NULL);
	write_seed(folder, "orphans", region, 6144);
	vat_region_unmap(region);
	close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	if (*argc == 3 && strcmp((*argv)[1], "--write") == 0) {
		write_seeds((*argv)[2]);
		exit(0);
	}
	/* AddressSanitizer pays for address space. */
	vat_hooks.reserve = 1 << 24;
	null = fopen("/dev/null", "we");
	return null ? 0 : -1;
}

/* SPDX-License-Identifier: MIT */
/* Regions that are not what they should be: one error, or a region that is valid; never a crash. */
#include "vat_common.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

struct item {
	uint32_t id;
	float level[2];
	char label[12];
};
static const struct vat_field fields[] = {
	VAT_FIELD(1, U32, struct item, id),
	VAT_FIELD(2, F32, struct item, level),
	VAT_FIELD(3, TEXT, struct item, label),
	VAT_RETIRED(9, "gone"),
};
static const struct vat_cell_decl decls[] = {
	VAT_CELL("one", struct item, 1, fields, .key_field = 1),
	VAT_CELL("two", struct item, 50, fields, .scope = "left", .element = 7),
	VAT_CELL("three", struct item, 600, fields),
};

#define DIRECTORY_CELLS 3

/* The bytes of a good region with a kept generation, to be damaged. */
static uint8_t *good;
static size_t good_size;

static int setup(void **state) {
	vat_hooks.reserve = 1 << 24; /* thousands of regions: sanitizers pay for address space */
	struct vat_error err;
	int fd;
	struct vat_region *region = test_region(&fd);
	assert_ok(vat_region_adopt(region, decls, 2, 0, NULL, &err), err);
	assert_ok(vat_region_adopt(region, decls, 3, VAT_ADOPT_KEEP, NULL, &err), err);
	good_size = vat_region_size(region);
	good = malloc(good_size);
	memcpy(good, region->base, good_size);
	vat_region_unmap(region);
	close(fd);
	return 0;
}

static int teardown(void **state) {
	free(good);
	return 0;
}

static struct vat_disk_root *current(uint8_t *bytes) {
	struct vat_disk_header *header = (void *)bytes;
	return &header->roots[header->words[VAT_GENERATION] & 1];
}

static void seal_root(struct vat_disk_root *root) {
	root->self = vat_checksum(root, offsetof(struct vat_disk_root, self));
}

/* So that the checks behind the checksums are reached. */
static void seal(uint8_t *bytes) {
	struct vat_disk_header *header = (void *)bytes;
	header->identity = vat_checksum(header, offsetof(struct vat_disk_header, identity));
	for (int i = 0; i < 2; i++) {
		struct vat_disk_root *root = &header->roots[i];
		if (root->offset <= good_size && root->size <= good_size - root->offset)
			root->checksum = vat_checksum(bytes + root->offset, root->size);
		seal_root(root);
	}
}

/* Maps the bytes and uses all of what is there; the result of mapping. */
static int use(const uint8_t *bytes, size_t size, struct vat_error *err) {
	static FILE *null;
	static int fd = -1;
	if (fd < 0) {
		fd = memfd_create("garbled", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		assert_int_equal(ftruncate(fd, (off_t)good_size), 0);
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
		null = fopen("/dev/null", "we");
	}
	assert_int_equal(pwrite(fd, bytes, size, 0), size);
	struct vat_region *region;
	err->text[0] = 0;
	int rc = vat_region_map(fd, VAT_WRITE, &region, err);
	if (rc < 0) {
		if (!err->text[0] || strchr(err->text, '\n'))
			fail_msg("not one line: '%s'", err->text);
		return rc;
	}
	vat_print(region, null, &(struct vat_print_options){.json = true, .all = true}, NULL);
	vat_print(region, null, NULL, NULL);
	vat_region_adopt(region, decls, 2, VAT_ADOPT_DRY_RUN, NULL, NULL);
	if (vat_region_has_previous(region))
		vat_region_rollback(region, NULL);
	vat_region_adopt(region, decls, 3, VAT_ADOPT_LOSSY, NULL, NULL);
	vat_region_unmap(region);
	return 0;
}

static void test_good(void **state) {
	struct vat_error err;
	assert_ok(use(good, good_size, &err), err);
	uint8_t *bytes = malloc(good_size);
	memcpy(bytes, good, good_size);
	seal(bytes);
	assert_memory_equal(bytes, good, good_size);
	free(bytes);
}

static void flip_range(size_t from, size_t to, bool sealed, size_t *refused) {
	uint8_t *bytes = malloc(good_size);
	struct vat_error err;
	for (size_t at = from; at < to; at++) {
		static const uint8_t flips[] = {0x01, 0x10, 0x80, 0xff};
		for (size_t i = 0; i < sizeof(flips); i++) {
			memcpy(bytes, good, good_size);
			bytes[at] ^= flips[i];
			if (sealed)
				seal(bytes);
			*refused += use(bytes, good_size, &err) < 0;
		}
	}
	free(bytes);
}

static void test_flip_header(void **state) {
	size_t refused = 0;
	flip_range(0, 128, false, &refused);
	assert_int_equal(refused, 128 * 4); /* all of the identity is under its checksum */
	refused = 0;
	flip_range(128, sizeof(struct vat_disk_header) + 64, false, &refused);
	/* The current root. A word can be anything: a wrong generation still names a whole one. */
	assert_int_equal(refused, 4 * 64);
	flip_range(0, sizeof(struct vat_disk_header), true, &refused);
}

static void test_flip_directory(void **state) {
	size_t refused = 0;
	struct vat_disk_root *root = current(good);
	flip_range(root->offset, root->offset + root->size, false, &refused);
	assert_int_equal(refused, root->size * 4);
	refused = 0;
	flip_range(root->offset, root->offset + root->size, true, &refused);
	assert_uint_in_range(refused, root->size, root->size * 4);
}

static void test_cut_short(void **state) {
	struct vat_error err;
	uint8_t *bytes = malloc(good_size);
	for (size_t at = 0; at < 6000; at += 7) {
		memcpy(bytes, good, at);
		memset(bytes + at, 0, good_size - at);
		use(bytes, good_size, &err);
		memset(bytes + at, 0xff, good_size - at);
		use(bytes, good_size, &err);
	}
	free(bytes);
}

/* One lie at a time, everything else in order: each has its own words. */
static void test_lies(void **state) {
	struct vat_error err;
	uint8_t *bytes = malloc(good_size);
#define LIE(change, words)                                                                         \
	do {                                                                                       \
		memcpy(bytes, good, good_size);                                                    \
		struct vat_disk_header *header = (void *)bytes;                                    \
		struct vat_disk_root *root = current(bytes);                                       \
		struct vat_disk_cell *cells = (void *)(bytes + root->offset);                      \
		struct vat_stored_field *stored = (void *)(cells + DIRECTORY_CELLS);               \
		(void)header, (void)stored;                                                        \
		change;                                                                            \
		seal(bytes);                                                                       \
		assert_true(use(bytes, good_size, &err) < 0);                                      \
		if (!strstr(err.text, words))                                                      \
			fail_msg("'%s' does not say '%s'", err.text, words);                       \
	} while (0)
	LIE(header->magic++, "magic");
	LIE(header->format++, "format 2");
	LIE(header->page = 8192, "page size");
	LIE(header->name[0] = 'X', "valid name");
	LIE(memset(header->name, 'a', sizeof(header->name)), "valid name");
	LIE(header->words[VAT_GENERATION] = 0, "says that it is of generation");
	LIE(root->generation += 2, "says that it is of generation");
	LIE(root->generation -= 1, "says that it is of generation");
	LIE(root->cells = 0, "impossible sizes");
	LIE(root->cells = VAT_CELLS_MAX + 1, "impossible sizes");
	LIE(root->cells = UINT32_MAX, "impossible sizes");
	LIE(root->fields++, "impossible sizes");
	LIE(root->size += 64, "impossible sizes");
	LIE(root->offset += 8, "lies outside");
	LIE(root->offset = UINT64_MAX - 63, "lies outside");
	LIE(root->offset = 0, "lies outside");
	LIE(root->offset = good_size - 64, "lies outside");
	LIE(cells[0].name[0] = 0, "no valid name");
	LIE(memset(cells[0].scope, 'a', sizeof(cells[0].scope)), "no valid name");
	LIE(cells[0].key.bytes[0]++, "key does not belong");
	LIE(cells[0].element++, "key does not belong");
	LIE(header->tile.bytes[0]++, "key does not belong");
	LIE(cells[0].stride = 0, "do not fit");
	LIE(cells[0].count = UINT64_MAX, "do not fit");
	LIE(cells[0].count = UINT64_MAX / cells[0].stride + 2, "do not fit");
	LIE(cells[0].size = 8, "do not fit");
	LIE(cells[0].size = UINT64_MAX, "outside of the region");
	LIE(cells[0].offset = 64, "outside of the region");
	LIE(cells[0].offset = UINT64_MAX - 63, "outside of the region");
	LIE(cells[0].align = 0, "aligned");
	LIE(cells[0].align = 96, "aligned");
	LIE(cells[0].align = 8192, "aligned");
	LIE(cells[0].offset += 4, "aligned");
	LIE(cells[0].reset = 9, "policy");
	LIE(cells[0].flags = 1 << 20, "flags");
	LIE(cells[0].born = 99, "newer than its directory");
	LIE(cells[0].first_field = UINT32_MAX, "fields lie outside");
	LIE(cells[0].field_count = UINT32_MAX, "fields lie outside");
	LIE(cells[0].field_count = 0, "fields lie outside");
	LIE(cells[2].first_field += 1, "fields lie outside");
	LIE(cells[0].key_field = 3, "key field");
	LIE(cells[0].offset = cells[1].offset, "overlaps");
	LIE(cells[0].offset = root->offset, "overlaps the directory");
	LIE((cells[1] = cells[0], cells[1].offset = 40960), "there twice");
	LIE(stored[0].type = 77, "unknown type");
	LIE(stored[0].id = 0, "id 0");
	LIE(stored[1].id = 1, "both have id");
	LIE(stored[0].id = 2, "both have id");
	LIE(stored[0].id = 5, "order of their ids");
	LIE(stored[0].count = UINT32_MAX, "outside of its element");
	LIE(stored[0].offset = UINT32_MAX - 3, "outside of its element");
	LIE(stored[0].offset = 1, "aligned");
	LIE(stored[1].offset = 0, "overlap");
	LIE(stored[0].name[0] = '\n', "C identifier");
	LIE(memset(stored[0].name, 'a', sizeof(stored[0].name)), "C identifier");
#undef LIE
	free(bytes);
}

static void test_random_damage(void **state) {
	struct vat_error err;
	uint64_t seed = 11;
	uint8_t *bytes = malloc(good_size);
	size_t refused = 0;
	struct vat_disk_root *root = current(good);
	for (int i = 0; i < 1500; i++) {
		memcpy(bytes, good, good_size);
		for (uint64_t n = 1 + test_below(&seed, 6); n > 0; n--) {
			bool in_header = test_below(&seed, 3) == 0;
			size_t at = in_header ? test_below(&seed, sizeof(struct vat_disk_header))
					      : root->offset + test_below(&seed, root->size);
			bytes[at] = (uint8_t)test_random(&seed);
		}
		seal(bytes);
		refused += use(bytes, good_size, &err) < 0;
	}
	assert_true(refused > 400);
	free(bytes);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_flip_header),
		cmocka_unit_test(test_flip_directory),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_random_damage),
	};
	return cmocka_run_group_tests_name("vat_garbled", tests, setup, teardown);
}

/* SPDX-License-Identifier: MIT */
/*
 * A model check of the two roots: from every state that short sequences of operations lead to, each
 * operation is cut off before each of its stores in turn. What is then in the region must be the
 * generation of before or that of after, every byte of it, and one can go on from there.
 */
#include "vat_common.h"

#include <stdio.h>

struct item {
	uint32_t id;
	uint32_t value;
};
static const struct vat_field item_fields[] = {
	VAT_FIELD(1, U32, struct item, id),
	VAT_FIELD(2, U32, struct item, value),
};
struct wide {
	uint64_t value;
	uint32_t more;
	uint32_t id;
};
static const struct vat_field wide_fields[] = {
	VAT_FIELD(1, U32, struct wide, id),
	VAT_FIELD(2, U64, struct wide, value),
	VAT_FIELD_INIT(3, U32, struct wide, more, .u = 7),
};
static const struct vat_cell_decl version1[] = {
	VAT_CELL("list", struct item, 3, item_fields, .key_field = 1, .flags = VAT_CELL_GROWS),
	VAT_CELL("one", struct item, 1, item_fields),
	VAT_CELL("gone", struct item, 1, item_fields, .reset = VAT_RESET),
};
static const struct vat_cell_decl version2[] = {
	VAT_CELL("list", struct wide, 3, wide_fields, .key_field = 1, .flags = VAT_CELL_GROWS),
	VAT_CELL("one", struct item, 1, item_fields),
	VAT_CELL("new", struct wide, 2, wide_fields),
};

/* ---- operations */

static int adopt(struct vat_region *region, const struct vat_cell_decl *decls, unsigned flags) {
	return vat_region_adopt(region, decls, 3, flags | VAT_ADOPT_LOSSY, NULL, NULL);
}

static int adopt_first(struct vat_region *region) {
	return adopt(region, version1, VAT_ADOPT_KEEP);
}

static int adopt_second(struct vat_region *region) {
	return adopt(region, version2, VAT_ADOPT_KEEP);
}

static int adopt_for_good(struct vat_region *region) {
	return adopt(region, version2, 0);
}

static int adopt_anew(struct vat_region *region) {
	return adopt(region, version1, VAT_ADOPT_KEEP | VAT_ADOPT_RESET);
}

static int resize(struct vat_region *region, uint64_t count, bool keep) {
	struct vat_txn *txn = NULL;
	int rc = vat_txn_begin(region, &txn, NULL);
	if (rc == 0)
		rc = vat_txn_resize(txn, "list", NULL, 0, count, VAT_ALLOW_LOSSY, NULL);
	if (rc == 0)
		return vat_txn_commit(txn, keep, NULL);
	vat_txn_abort(txn);
	return rc;
}

static int grow(struct vat_region *region) {
	return resize(region, 9, false);
}

static int shrink(struct vat_region *region) {
	return resize(region, 2, true);
}

static int drop(struct vat_region *region) {
	struct vat_txn *txn = NULL;
	int rc = vat_txn_begin(region, &txn, NULL);
	if (rc == 0)
		rc = vat_txn_drop(txn, "one", NULL, 0, NULL);
	if (rc == 0)
		return vat_txn_commit(txn, true, NULL);
	vat_txn_abort(txn);
	return rc;
}

static int roll_back(struct vat_region *region) {
	return vat_region_rollback(region, NULL);
}

static int forget(struct vat_region *region) {
	return vat_region_forget_previous(region, NULL);
}

static const struct operation {
	const char *name;
	int (*run)(struct vat_region *region);
} operations[] = {
	{"adopt 1", adopt_first},
	{"adopt 2", adopt_second},
	{"adopt 2 for good", adopt_for_good},
	{"adopt 1 anew", adopt_anew},
	{"grow", grow},
	{"shrink", shrink},
	{"drop", drop},
	{"roll back", roll_back},
	{"forget", forget},
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* ---- what a region holds */

static void print_directory(
	FILE *file, const struct vat_region *region, const struct vat_directory *directory) {
	for (size_t i = 0; i < directory->cell_count; i++) {
		const struct vat_cell *cell = &directory->cells[i];
		fprintf(file, "%s %llu x %u, %u, %x:", cell->name, (unsigned long long)cell->count,
			cell->stride, cell->field_count, cell->flags);
		const uint8_t *data = region->base + cell->offset;
		for (uint64_t n = 0; n < cell->count * cell->stride; n++)
			fprintf(file, "%02x", data[n]);
		fputc('\n', file);
	}
}

struct content {
	char *current;
	char *previous; /* "" when none is kept */
};

static struct content read_content(const struct vat_region *region) {
	struct content content;
	struct vat_error err;
	size_t size;
	FILE *file = open_memstream(&content.current, &size);
	print_directory(file, region, &region->directory);
	fclose(file);
	file = open_memstream(&content.previous, &size);
	if (vat_region_has_previous(region)) {
		struct vat_directory previous;
		assert_ok(vat_region_load_previous(region, &previous, &err), err);
		fputs("kept\n", file);
		print_directory(file, region, &previous);
		vat_directory_finish(&previous);
	}
	fclose(file);
	return content;
}

static void content_finish(struct content *content) {
	free(content->current);
	free(content->previous);
}

/* ---- regions */

static int copy_of(int fd, struct vat_region **region) {
	struct vat_error err;
	off_t size = lseek(fd, 0, SEEK_END);
	int copy = vat_region_create(&test_info, (uint64_t)size, &err);
	assert_ok(copy, err);
	assert_int_equal(vat_copy_data(fd, copy, 0, (uint64_t)size), 0);
	assert_ok(vat_region_map(copy, VAT_WRITE, region, &err), err);
	return copy;
}

/* The tile at work: every state differs from all before it. */
static void write_all_cells(struct vat_region *region, uint32_t seed) {
	for (size_t i = 0; i < vat_region_cell_count(region); i++) {
		const struct vat_cell *cell = vat_region_cell(region, i);
		uint8_t *data = vat_cell_data(region, cell);
		const struct vat_stored_field *id = vat_cell_field(cell, 1);
		for (uint64_t n = 0; n < cell->count; n++) {
			uint8_t *element = data + n * cell->stride;
			uint32_t key = (uint32_t)n + 1, value = seed * 100 + (uint32_t)(i * 10 + n);
			memcpy(element + id->offset, &key, sizeof(key));
			memcpy(element + vat_cell_field(cell, 2)->offset, &value, sizeof(value));
		}
	}
}

/* ---- the check */

static uint64_t cuts, sequences;

static void check_cut(int fd, size_t last, uint64_t cut, const struct content *before,
	const struct content *after, bool *done) {
	struct vat_error err;
	struct vat_region *region;
	int copy = copy_of(fd, &region);
	pid_t pid = fork();
	if (pid == 0) {
		test_cut_after = cut;
		vat_hooks.store = test_cut_store;
		_exit(operations[last].run(region) < 0 ? 1 : 0);
	}
	int code = test_wait(pid);
	assert_true(code == 0 || code == TEST_CUT);
	*done = code == 0;
	vat_region_unmap(region);
	assert_ok(vat_region_map(copy, VAT_WRITE, &region, &err), err);
	struct content now = read_content(region);
	bool is_before = strcmp(now.current, before->current) == 0;
	bool is_after = strcmp(now.current, after->current) == 0;
	bool previous = now.previous[0] == '\0' || strcmp(now.previous, before->previous) == 0 ||
		strcmp(now.previous, after->previous) == 0;
	if (!(is_before || is_after) || !previous || (*done && !is_after))
		fail_msg("%s cut before store %llu: neither before nor after:\n%s%s"
			 "before:\n%s%safter:\n%s%s",
			operations[last].name, (unsigned long long)cut, now.current, now.previous,
			before->current, before->previous, after->current, after->previous);
	content_finish(&now);
	/* Whoever comes next can go on, and back. */
	if (vat_region_has_previous(region))
		assert_ok(vat_region_forget_previous(region, &err), err);
	assert_ok(
		vat_region_adopt(region, version2, 3, VAT_ADOPT_KEEP | VAT_ADOPT_LOSSY, NULL, &err),
		err);
	write_all_cells(region, 99);
	if (vat_region_has_previous(region))
		assert_ok(vat_region_rollback(region, &err), err);
	vat_region_unmap(region);
	close(copy);
	cuts++;
}

/* Each cut is a process of its own, and to fork a sanitized one takes as long as 25 others. */
#ifdef __SANITIZE_ADDRESS__
#define CUT_STEP 5
#else
#define CUT_STEP 1
#endif

/* All cuts of the operation, from the state in fd. False if it is not possible there. */
static bool check_operation(int fd, size_t last) {
	struct vat_region *region;
	int copy = copy_of(fd, &region);
	struct content before = read_content(region);
	bool possible = operations[last].run(region) == 0;
	struct content after = read_content(region);
	vat_region_unmap(region);
	close(copy);
	bool done = !possible;
	for (uint64_t cut = 0; !done; cut += CUT_STEP)
		check_cut(fd, last, cut, &before, &after, &done);
	content_finish(&before);
	content_finish(&after);
	return possible;
}

static void walk(int fd, int depth) {
	sequences++;
	for (size_t i = 0; i < OPERATIONS; i++) {
		if (!check_operation(fd, i) || depth == 0)
			continue;
		struct vat_region *region;
		int copy = copy_of(fd, &region);
		assert_int_equal(operations[i].run(region), 0);
		write_all_cells(region, (uint32_t)sequences);
		vat_region_unmap(region);
		walk(copy, depth - 1);
		close(copy);
	}
}

static void test_all_cuts(void **state) {
	struct vat_region *region;
	int fd;
	region = test_region(&fd);
	assert_int_equal(adopt(region, version1, 0), 0);
	write_all_cells(region, 0);
	vat_region_unmap(region);
	walk(fd, 1);
	close(fd);
	assert_true(cuts > 1000 / CUT_STEP && sequences > 5);
	print_message("# %llu cuts in %llu states\n", (unsigned long long)cuts,
		(unsigned long long)sequences);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_cuts),
	};
	return cmocka_run_group_tests_name("vat_model", tests, NULL, NULL);
}

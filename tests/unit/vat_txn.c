/* SPDX-License-Identifier: MIT */
/* Transactions: what they do, what they refuse, and that dying in them leaves a whole generation.
 */
#include "vat_common.h"

#include <stdio.h>
#include <sys/stat.h>

struct item {
	uint32_t id;
	uint32_t value;
};
static const struct vat_field item_fields[] = {
	VAT_FIELD(1, U32, struct item, id),
	VAT_FIELD_INIT(2, U32, struct item, value, .u = 7),
};
static const struct vat_cell_decl items = VAT_CELL("items", struct item, 10, item_fields);
static const struct vat_cell_decl keyed =
	VAT_CELL("keyed", struct item, 10, item_fields, .key_field = 1);
static const struct vat_cell_decl large = VAT_CELL("large", struct item, 3000, item_fields);

struct wide_item {
	uint64_t value;
	uint64_t id;
};
static const struct vat_field wide_fields[] = {
	VAT_FIELD(1, U64, struct wide_item, id),
	VAT_FIELD(2, U64, struct wide_item, value),
};
static const struct vat_cell_decl wide = VAT_CELL("items", struct wide_item, 12, wide_fields);

static struct vat_txn *begin(struct vat_region *region) {
	struct vat_error err;
	struct vat_txn *txn;
	assert_ok(vat_txn_begin(region, &txn, &err), err);
	return txn;
}

static struct vat_region *filled(int *fd) {
	struct vat_error err;
	struct vat_region *region = test_region(fd);
	struct vat_txn *txn = begin(region);
	assert_ok(vat_txn_add(txn, &items, &err), err);
	assert_ok(vat_txn_add(txn, &keyed, &err), err);
	assert_ok(vat_txn_add(txn, &large, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	struct item *data = test_data(region, "items");
	for (uint32_t i = 0; i < 10; i++)
		data[i] = (struct item){i + 1, 100 + i};
	struct item *more = test_data(region, "large");
	for (uint32_t i = 0; i < 3000; i++)
		more[i].id = i;
	return region;
}

static void test_add(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = test_region(&fd);
	struct vat_txn *txn = begin(region);
	struct vat_txn *second;
	assert_fails(vat_txn_begin(region, &second, &err), EBUSY);
	assert_fails(vat_region_refresh(region, &err), EBUSY);
	assert_ok(vat_txn_add(txn, &items, &err), err);
	assert_fails(vat_txn_add(txn, &items, &err), EEXIST);
	struct vat_cell_decl scoped = items;
	scoped.scope = "left";
	assert_ok(vat_txn_add(txn, &scoped, &err), err);
	scoped.element = 12;
	assert_ok(vat_txn_add(txn, &scoped, &err), err);
	struct vat_cell_decl bad = items;
	bad.name = "";
	assert_fails(vat_txn_add(txn, &bad, &err), EINVAL);
	struct item *data = vat_txn_data(txn, "items", "left", 12);
	data[9].id = 3;
	assert_null(vat_txn_data(txn, "items", "right", 12));
	assert_int_equal(vat_region_cell_count(region), 0);
	assert_ok(vat_txn_commit(txn, false, &err), err);

	assert_int_equal(vat_region_generation(region), 1);
	assert_int_equal(vat_region_cell_count(region), 3);
	const struct vat_cell *cell = vat_region_find(region, "items", "left", 12);
	assert_non_null(cell);
	assert_ptr_equal(vat_region_find_key(region, &cell->key), cell);
	assert_int_equal(cell->count, 10);
	assert_int_equal(cell->born, 1);
	data = vat_cell_data(region, cell);
	assert_int_equal(data[9].id, 3);
	assert_int_equal(data[9].value, 7); /* the initial value */
	assert_string_equal(vat_cell_field(cell, 2)->name, "value");
	assert_null(vat_cell_field(cell, 3));

	/* An empty transaction is a generation too. */
	txn = begin(region);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	assert_int_equal(vat_region_generation(region), 2);
	assert_int_equal(vat_region_cell_count(region), 3);
	vat_region_unmap(region);
	close(fd);
}

static void test_retype(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = filled(&fd);
	void *large_before = test_data(region, "large");
	void *old = test_data(region, "items");
	struct vat_txn *txn = begin(region);
	assert_fails(vat_txn_retype(txn, &(struct vat_cell_decl){.name = "none"}, 0, &err), ENOENT);
	assert_ok(vat_txn_retype(txn, &wide, 0, &err), err);
	assert_int_equal(((struct item *)old)[3].value, 103); /* the old one is untouched */
	assert_ok(vat_txn_commit(txn, false, &err), err);
	const struct vat_cell *cell = vat_region_find(region, "items", NULL, 0);
	assert_int_equal(cell->count, 12);
	const struct wide_item *data = vat_cell_data(region, cell);
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(data[i].id, i + 1);
		assert_int_equal(data[i].value, 100 + i);
	}
	assert_int_equal(data[10].id, 0);
	assert_ptr_equal(test_data(region, "large"), large_before);

	/* Back: u64 does not fit into u32. */
	txn = begin(region);
	assert_fails(vat_txn_retype(txn, &items, 0, &err), EUCLEAN);
	assert_non_null(strstr(err.text, "'id'"));
	assert_non_null(strstr(err.text, "'value'"));
	assert_ok(vat_txn_retype(txn, &items, VAT_ALLOW_LOSSY, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	assert_int_equal(((struct item *)test_data(region, "items"))[9].value, 109);
	vat_region_unmap(region);
	close(fd);
}

static void resize(
	struct vat_region *region, const char *name, uint64_t count, unsigned flags, int expected) {
	struct vat_error err;
	struct vat_txn *txn = begin(region);
	int rc = vat_txn_resize(txn, name, NULL, 0, count, flags, &err);
	assert_int_equal(rc, expected);
	if (rc < 0)
		vat_txn_abort(txn);
	else
		assert_ok(vat_txn_commit(txn, false, &err), err);
}

static void test_resize(void **state) {
	int fd;
	struct vat_region *region = filled(&fd);
	resize(region, "items", 20, 0, 0);
	struct item *data = test_data(region, "items");
	assert_int_equal(data[9].value, 109);
	assert_int_equal(data[19].value, 7);
	assert_int_equal(data[19].id, 0);
	resize(region, "items", 5, 0, -EUCLEAN);
	resize(region, "items", 5, VAT_ALLOW_LOSSY, 0);
	assert_int_equal(((struct item *)test_data(region, "items"))[4].value, 104);
	memset((struct item *)test_data(region, "items") + 2, 0, 3 * sizeof(struct item));
	resize(region, "items", 2, 0, 0); /* only zeros go */
	resize(region, "items", 0, VAT_ALLOW_LOSSY, 0);
	assert_int_equal(vat_region_find(region, "items", NULL, 0)->count, 0);
	resize(region, "items", 3, 0, 0);
	assert_int_equal(((struct item *)test_data(region, "items"))[0].value, 7);
	resize(region, "items", UINT64_MAX / 2, 0, -EINVAL);
	resize(region, "nobody", 2, 0, -ENOENT);

	/* Elements with ids stay, whatever their place. */
	struct item *k = test_data(region, "keyed");
	memset(k, 0, 10 * sizeof(*k));
	k[1] = (struct item){11, 1};
	k[6] = (struct item){22, 2};
	k[9] = (struct item){33, 3};
	resize(region, "keyed", 2, 0, -EUCLEAN);
	resize(region, "keyed", 4, 0, 0);
	k = test_data(region, "keyed");
	assert_int_equal(k[0].id, 11);
	assert_int_equal(k[1].id, 22);
	assert_int_equal(k[2].id, 33);
	assert_int_equal(k[2].value, 3);
	assert_int_equal(k[3].id, 0);
	assert_int_equal(k[3].value, 7);
	resize(region, "keyed", 2, VAT_ALLOW_LOSSY, 0);
	k = test_data(region, "keyed");
	assert_int_equal(k[1].id, 22);
	vat_region_unmap(region);
	close(fd);
}

static void test_drop_and_abort(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = filled(&fd);
	struct vat_txn *txn = begin(region);
	assert_fails(vat_txn_drop(txn, "items", NULL, 1, &err), ENOENT);
	assert_ok(vat_txn_drop(txn, "items", NULL, 0, &err), err);
	assert_null(vat_txn_data(txn, "items", NULL, 0));
	vat_txn_abort(txn);
	vat_txn_abort(NULL);
	assert_int_equal(vat_region_cell_count(region), 3);
	assert_int_equal(vat_region_generation(region), 1);

	txn = begin(region);
	assert_ok(vat_txn_drop(txn, "large", NULL, 0, &err), err);
	assert_ok(vat_txn_drop(txn, "items", NULL, 0, &err), err);
	assert_ok(vat_txn_add(txn, &items, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	assert_int_equal(vat_region_cell_count(region), 2);
	assert_int_equal(((struct item *)test_data(region, "items"))[3].id, 0);
	txn = begin(region);
	assert_ok(vat_txn_drop(txn, "items", NULL, 0, &err), err);
	assert_ok(vat_txn_drop(txn, "keyed", NULL, 0, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	assert_int_equal(vat_region_cell_count(region), 0);
	vat_region_unmap(region);
	close(fd);
}

/* Memory goes back when nothing refers to it, and the region does not grow without need. */
static void test_space(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = filled(&fd);
	for (int i = 0; i < 200; i++)
		resize(region, "large", 20000 + (uint64_t)i, 0, 0);
	assert_uint_in_range(vat_region_size(region), 0, 600000);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_uint_in_range((uint64_t)st.st_blocks * 512, 160000, 190000);

	/* Small cells share pages, and do not leak into each other. */
	for (int i = 0; i < 60; i++) {
		struct vat_cell_decl decl = items;
		char name[32];
		snprintf(name, sizeof(name), "small%d", i);
		decl.name = name;
		decl.count = 1;
		struct vat_txn *txn = begin(region);
		assert_ok(vat_txn_add(txn, &decl, &err), err);
		assert_ok(vat_txn_commit(txn, false, &err), err);
		((struct item *)test_data(region, name))->id = (uint32_t)i;
	}
	for (int i = 0; i < 60; i++) {
		char name[32];
		snprintf(name, sizeof(name), "small%d", i);
		assert_int_equal(((struct item *)test_data(region, name))->id, i);
	}
	assert_int_equal(((struct item *)test_data(region, "large"))[2999].id, 2999);

	/* What a cell leaves behind is not seen by the next one in its place. */
	void *place = test_data(region, "small7");
	memset(place, 0xff, sizeof(struct item));
	struct vat_txn *txn = begin(region);
	assert_ok(vat_txn_drop(txn, "small7", NULL, 0, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	struct vat_cell_decl decl = items;
	decl.name = "heir";
	decl.count = 1;
	txn = begin(region);
	assert_ok(vat_txn_add(txn, &decl, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	assert_ptr_equal(test_data(region, "heir"), place);
	assert_int_equal(((struct item *)place)->id, 0);
	assert_int_equal(((struct item *)place)->value, 7);
	vat_region_unmap(region);
	close(fd);
}

static void test_keep(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = filled(&fd);
	assert_fails(vat_region_rollback(region, &err), ENOENT);
	for (int round = 0; round < 3; round++) {
		uint64_t generation = vat_region_generation(region);
		struct vat_txn *txn = begin(region);
		assert_ok(vat_txn_retype(txn, &wide, 0, &err), err);
		assert_ok(vat_txn_drop(txn, "keyed", NULL, 0, &err), err);
		assert_ok(vat_txn_commit(txn, true, &err), err);
		assert_true(vat_region_has_previous(region));
		assert_fails(vat_txn_begin(region, &txn, &err), EBUSY);
		memset(test_data(region, "items"), 0xff, 12 * sizeof(struct wide_item));

		/* As another process sees it. */
		struct vat_region *other;
		assert_ok(vat_region_map(fd, VAT_WRITE, &other, &err), err);
		assert_ok(vat_region_rollback(other, &err), err);
		assert_int_equal(vat_region_generation(other), generation + 2);
		assert_false(vat_region_has_previous(other));
		const struct item *data = test_data(other, "items");
		for (uint32_t i = 0; i < 10; i++)
			assert_int_equal(data[i].value, 100 + i);
		assert_non_null(vat_region_find(other, "keyed", NULL, 0));
		vat_region_unmap(other);
		assert_ok(vat_region_refresh(region, &err), err);
		assert_int_equal(vat_region_cell_count(region), 3);
	}
	struct vat_txn *txn = begin(region);
	assert_ok(vat_txn_retype(txn, &wide, 0, &err), err);
	assert_ok(vat_txn_commit(txn, true, &err), err);
	assert_ok(vat_region_forget_previous(region, &err), err);
	assert_ok(vat_region_forget_previous(region, &err), err);
	assert_fails(vat_region_rollback(region, &err), ENOENT);
	assert_int_equal(((struct wide_item *)test_data(region, "items"))[9].value, 109);
	vat_region_unmap(region);
	close(fd);
}

static int refusals;
static int refuse_after(uint64_t offset, uint64_t size) {
	(void)offset;
	(void)size;
	return refusals-- == 0 ? ENOSPC : 0;
}

/* Memory is refused at every place where it is asked for. */
static void test_no_memory(void **state) {
	struct vat_error err;
	for (int after = 0;; after++) {
		int fd;
		struct vat_region *region = filled(&fd);
		uint64_t size = vat_region_size(region);
		struct vat_cell_decl big = large;
		big.name = "big";
		big.count = 100000;
		refusals = after;
		vat_hooks.refuse = refuse_after;
		struct vat_txn *txn = begin(region);
		int rc = vat_txn_add(txn, &big, &err);
		if (rc == 0)
			rc = vat_txn_retype(txn, &wide, 0, &err);
		if (rc == 0)
			rc = vat_txn_commit(txn, false, &err);
		else
			vat_txn_abort(txn);
		vat_hooks.refuse = NULL;
		if (rc == 0) {
			assert_int_equal(after, 4);
			vat_region_unmap(region);
			close(fd);
			break;
		}
		assert_int_equal(rc, -ENOSPC);
		assert_non_null(strstr(err.text, "No space left"));
		assert_int_equal(vat_region_generation(region), 1);
		assert_int_equal(((struct item *)test_data(region, "items"))[9].value, 109);
		/* It works once there is memory. */
		txn = begin(region);
		assert_ok(vat_txn_add(txn, &big, &err), err);
		assert_ok(vat_txn_commit(txn, false, &err), err);
		assert_true(vat_region_size(region) > size);
		vat_region_unmap(region);
		close(fd);
	}
}

static void check_old(struct vat_region *region) {
	assert_int_equal(vat_region_cell_count(region), 3);
	const struct item *data = test_data(region, "items");
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(data[i].id, i + 1);
		assert_int_equal(data[i].value, 100 + i);
	}
}

static void check_new(struct vat_region *region) {
	assert_int_equal(vat_region_cell_count(region), 3);
	const struct wide_item *data = test_data(region, "items");
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(data[i].value, 100 + i);
	assert_non_null(vat_region_find(region, "fresh", NULL, 0));
	assert_null(vat_region_find(region, "keyed", NULL, 0));
}

static int change_all(struct vat_region *region, bool keep, struct vat_error *err) {
	struct vat_txn *txn;
	struct vat_cell_decl fresh = items;
	fresh.name = "fresh";
	int rc = vat_txn_begin(region, &txn, err);
	if (rc < 0)
		return rc;
	rc = vat_txn_retype(txn, &wide, 0, err);
	if (rc == 0)
		rc = vat_txn_drop(txn, "keyed", NULL, 0, err);
	if (rc == 0)
		rc = vat_txn_add(txn, &fresh, err);
	if (rc == 0)
		return vat_txn_commit(txn, keep, err);
	vat_txn_abort(txn);
	return rc;
}

/*
 * A process dies before each of its stores in turn. Whatever it leaves is mapped as anybody would
 * map it, is the old generation or the new, in full, and can be gone on with.
 */
static void cut_commit(bool keep) {
	struct vat_error err;
	int olds = 0, news = 0;
	for (uint64_t cut = 0;; cut++) {
		int fd;
		struct vat_region *region = filled(&fd);
		pid_t pid = fork();
		if (pid == 0) {
			test_cut_after = cut;
			vat_hooks.store = test_cut_store;
			_exit(change_all(region, keep, NULL) == 0 ? 0 : 1);
		}
		int code = test_wait(pid);
		assert_true(code == 0 || code == TEST_CUT);
		vat_region_unmap(region);
		assert_ok(vat_region_map(fd, VAT_WRITE, &region, &err), err);
		uint64_t generation = vat_region_generation(region);
		if (generation == 1) {
			check_old(region);
			assert_false(vat_region_has_previous(region));
			assert_ok(change_all(region, keep, &err), err);
			check_new(region);
			olds++;
		} else {
			assert_int_equal(generation, 2);
			check_new(region);
			assert_int_equal(vat_region_has_previous(region), keep);
			news++;
		}
		if (keep) {
			assert_ok(vat_region_rollback(region, &err), err);
			check_old(region);
		}
		vat_region_unmap(region);
		close(fd);
		if (code == 0)
			break;
	}
	/* Only the very last store makes the new generation. */
	assert_true(olds > 100);
	assert_int_equal(news, 1);
}

static void test_cut_commit(void **state) {
	cut_commit(false);
}

static void test_cut_commit_keep(void **state) {
	cut_commit(true);
}

static void test_cut_rollback(void **state) {
	struct vat_error err;
	int code = TEST_CUT;
	for (uint64_t cut = 0; code != 0; cut++) {
		int fd;
		struct vat_region *region = filled(&fd);
		assert_ok(change_all(region, true, &err), err);
		pid_t pid = fork();
		if (pid == 0) {
			test_cut_after = cut;
			vat_hooks.store = test_cut_store;
			_exit(vat_region_rollback(region, NULL) == 0 ? 0 : 1);
		}
		code = test_wait(pid);
		assert_true(code == 0 || code == TEST_CUT);
		assert_ok(vat_region_refresh(region, &err), err);
		if (vat_region_generation(region) == 2) {
			check_new(region);
			assert_ok(vat_region_rollback(region, &err), err);
		}
		assert_int_equal(vat_region_generation(region), 3);
		check_old(region);
		assert_ok(change_all(region, false, &err), err);
		check_new(region);
		vat_region_unmap(region);
		close(fd);
	}
}

/* A region written by dying writers over and over: what counts is what the last whole commit said.
 */
static void test_cut_soak(void **state) {
	struct vat_error err;
	uint64_t seed = 42;
	int fd;
	struct vat_region *region = filled(&fd);
	uint64_t count = 10;
	for (int i = 0; i < 300; i++) {
		uint64_t next = 10 + test_below(&seed, 2000);
		uint64_t generation = vat_region_generation(region);
		pid_t pid = fork();
		if (pid == 0) {
			test_cut_after = test_below(&seed, 160);
			struct vat_txn *txn;
			if (vat_txn_begin(region, &txn, NULL) < 0)
				_exit(1);
			vat_hooks.store = test_cut_store;
			if (vat_txn_resize(txn, "items", NULL, 0, next, VAT_ALLOW_LOSSY, NULL) < 0)
				_exit(2);
			_exit(vat_txn_commit(txn, false, NULL) < 0 ? 3 : 0);
		}
		test_random(&seed);
		int code = test_wait(pid);
		assert_true(code == 0 || code == TEST_CUT);
		assert_ok(vat_region_refresh(region, &err), err);
		if (vat_region_generation(region) != generation)
			count = next;
		else
			assert_int_equal(code, TEST_CUT);
		assert_int_equal(vat_region_find(region, "items", NULL, 0)->count, count);
		const struct item *data = test_data(region, "items");
		for (uint32_t j = 0; j < 10; j++)
			assert_int_equal(data[j].value, 100 + j);
	}
	assert_true(vat_region_generation(region) > 20);
	vat_region_unmap(region);
	close(fd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_retype),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_drop_and_abort),
		cmocka_unit_test(test_space),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_cut_commit),
		cmocka_unit_test(test_cut_commit_keep),
		cmocka_unit_test(test_cut_rollback),
		cmocka_unit_test(test_cut_soak),
	};
	return cmocka_run_group_tests_name("vat_txn", tests, NULL, NULL);
}

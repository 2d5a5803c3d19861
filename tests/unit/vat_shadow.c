/* SPDX-License-Identifier: MIT */
/* A private copy is the region as it was when the log was armed, whatever its writer does. */
#include "vat_common.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* The handler is ours under AddressSanitizer too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
	return "handle_segv=0:allow_user_segv_handler=1";
}

static void handle_segv(int signal_number, siginfo_t *info, void *context) {
	(void)context;
	if (vat_barrier_handle_fault(info->si_addr))
		return;
	signal(signal_number, SIG_DFL);
}

struct item {
	uint64_t a, b;
};
static const struct vat_field item_fields[] = {
	VAT_FIELD(1, U64, struct item, a),
	VAT_FIELD(2, U64, struct item, b),
};
#define ITEMS 65536 /* 256 pages */
static const struct vat_cell_decl cells[] = {
	VAT_CELL("bulk", struct item, ITEMS, item_fields, .flags = VAT_CELL_GROWS),
};

struct pair {
	int fd, undo;
	struct vat_region *old, *new; /* A's mapping and B's */
	struct item *a, *b;
};

static struct vat_error err;

static struct item *bulk(struct vat_region *region) {
	return vat_cell_data(region, vat_region_find(region, "bulk", NULL, 0));
}

/* A has given up, B is under its barrier. */
static void begin(struct pair *pair) {
	struct sigaction action = {.sa_sigaction = handle_segv, .sa_flags = SA_SIGINFO};
	sigfillset(&action.sa_mask);
	assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
	struct vat_region_info info = {.name = "shadow"};
	assert_int_equal(vat_uuid_generate(&info.tile), 0);
	assert_int_equal(vat_uuid_generate(&info.city), 0);
	pair->fd = vat_region_create(&info, 0, &err);
	assert_true(pair->fd >= 0);
	assert_int_equal(vat_region_map(pair->fd, VAT_WRITE, &pair->old, &err), 0);
	assert_int_equal(vat_region_adopt(pair->old, cells, 1, 0, NULL, &err), 0);
	pair->a = bulk(pair->old);
	for (uint64_t i = 0; i < ITEMS; i++)
		pair->a[i] = (struct item){i, ~i};
	assert_int_equal(vat_region_set_epoch(pair->old, 1, &err), 0);
	assert_int_equal(vat_region_protect(pair->old, VAT_READ, &err), 0);
	pair->undo = vat_undo_create(pair->old, &err);
	assert_true(pair->undo >= 0);
	assert_int_equal(vat_region_map(pair->fd, VAT_WRITE, &pair->new, &err), 0);
	assert_int_equal(vat_region_set_epoch(pair->new, 2, &err), 0);
	assert_int_equal(
		vat_barrier_begin(pair->new, pair->undo, vat_region_generation(pair->new), &err),
		0);
	pair->b = bulk(pair->new);
}

static void finish(struct pair *pair) {
	vat_region_unmap(pair->old);
	vat_region_unmap(pair->new);
	close(pair->undo);
	close(pair->fd);
}

static void assert_old(const struct pair *pair, uint64_t from, uint64_t to) {
	for (uint64_t i = from; i < to; i++) {
		if (pair->a[i].a != i || pair->a[i].b != ~i)
			fail_msg("item %llu is not that of before", (unsigned long long)i);
	}
}

static void test_each_on_its_own(void **state) {
	struct pair pair;
	begin(&pair);
	/* Before the copy is asked for, after it, and after it was made. */
	for (uint64_t i = 0; i < ITEMS; i += 3)
		pair.b[i].a = 1;
	assert_int_equal(vat_shadow_begin(pair.old, pair.undo, &err), 0);
	assert_true(vat_shadow_active(pair.old));
	assert_int_equal(vat_region_access(pair.old), VAT_WRITE);
	assert_old(&pair, 0, ITEMS / 4);
	for (uint64_t i = 0; i < ITEMS; i += 2)
		pair.b[i].b = 2;
	assert_old(&pair, 0, ITEMS);

	uint64_t updates = vat_region_get(pair.new, VAT_UPDATES);
	vat_region_add(pair.old, VAT_UPDATES, 5);
	assert_int_equal(vat_region_get(pair.new, VAT_UPDATES), updates);
	for (uint64_t i = 0; i < ITEMS; i++)
		pair.a[i].a = 77;
	for (uint64_t i = 0; i < ITEMS; i++) {
		assert_int_equal(pair.b[i].a, i % 3 ? i : 1);
		assert_int_equal(pair.b[i].b, i % 2 ? ~i : 2);
		assert_int_equal(pair.a[i].a, 77);
	}
	assert_int_equal(vat_region_protect(pair.old, VAT_READ, &err), -EBUSY);
	assert_int_equal(vat_shadow_begin(pair.old, pair.undo, &err), -EBUSY);

	/* The end: what is seen is the region, and what A wrote is nowhere. */
	assert_int_equal(vat_shadow_end(pair.old, &err), 0);
	assert_false(vat_shadow_active(pair.old));
	assert_int_equal(vat_region_access(pair.old), VAT_READ);
	for (uint64_t i = 0; i < ITEMS; i++)
		assert_int_equal(pair.a[i].a, i % 3 ? i : 1);
	assert_int_equal(vat_barrier_end(pair.new, &err), 0);
	finish(&pair);
}

static void resize(struct vat_region *region, uint64_t count) {
	struct vat_txn *txn;
	assert_int_equal(vat_txn_begin(region, &txn, &err), 0);
	assert_int_equal(vat_txn_resize(txn, "bulk", NULL, 0, count, VAT_ALLOW_LOSSY, &err), 0);
	assert_int_equal(vat_txn_commit(txn, false, &err), 0);
}

/* Its layout is its own, too; the writer has another generation by now. */
static void test_layout(void **state) {
	for (int written = 0; written < 2; written++) {
		struct pair pair;
		begin(&pair);
		if (written) {
			resize(pair.new, ITEMS / 2);
			pair.b = bulk(pair.new);
		}
		uint64_t generation = vat_region_generation(pair.old);
		uint64_t newest = vat_region_generation(pair.new);
		off_t size = lseek(pair.fd, 0, SEEK_END);
		uint64_t mapped = vat_region_size(pair.old);
		struct item *before = bulk(pair.old);
		assert_int_equal(vat_shadow_begin(pair.old, pair.undo, &err), 0);
		for (uint64_t count = ITEMS * 8; count >= ITEMS; count /= 2) {
			resize(pair.old, count);
			pair.a = bulk(pair.old);
			assert_old(&pair, 0, ITEMS);
			assert_int_equal(pair.a[count - 1].b, count == ITEMS ? ~(ITEMS - 1ull) : 0);
		}
		assert_int_equal(lseek(pair.fd, 0, SEEK_END), size);
		for (uint64_t i = 0; i < ITEMS / 2; i++)
			assert_int_equal(pair.b[i].b, ~i);
		assert_int_equal(vat_shadow_end(pair.old, &err), 0);
		assert_int_equal(vat_region_generation(pair.old), generation);
		assert_int_equal(vat_region_size(pair.old), mapped);
		assert_ptr_equal(bulk(pair.old), before);
		assert_int_equal(vat_region_generation(pair.new), newest);
		assert_int_equal(vat_barrier_end(pair.new, &err), 0);
		assert_int_equal(vat_undo_apply(pair.new, pair.undo, &err), 0);
		assert_int_equal(vat_region_refresh(pair.old, &err), 0);
		pair.a = bulk(pair.old);
		assert_old(&pair, 0, ITEMS);
		finish(&pair);
	}
}

/* The undo is the same as without a copy, also while there is one. */
static void test_undo(void **state) {
	struct pair pair;
	begin(&pair);
	assert_int_equal(vat_shadow_begin(pair.old, pair.undo, &err), 0);
	for (uint64_t i = 0; i < ITEMS; i += 5) {
		pair.b[i].a = 3;
		pair.a[i].b = 4;
	}
	assert_int_equal(vat_barrier_end(pair.new, &err), 0);
	assert_int_equal(vat_undo_apply(pair.new, pair.undo, &err), 0);
	assert_int_equal(vat_shadow_end(pair.old, &err), 0);
	assert_old(&pair, 0, ITEMS);
	finish(&pair);
}

static atomic_bool stop;

static void *write_all(void *data) {
	struct pair *pair = data;
	for (uint64_t round = 1; !stop; round++) {
		for (uint64_t i = 0; i < ITEMS && !stop; i++)
			pair->b[(i * 7919) % ITEMS].a = round << 32;
	}
	return NULL;
}

/* Pages that are being written, and being saved, while they are copied. */
static void test_while_it_is_written(void **state) {
	for (int round = 0; round < 20; round++) {
		struct pair pair;
		begin(&pair);
		stop = false;
		pthread_t thread;
		assert_int_equal(vat_shadow_begin(pair.old, pair.undo, &err), 0);
		assert_int_equal(pthread_create(&thread, NULL, write_all, &pair), 0);
		assert_old(&pair, 0, ITEMS);
		stop = true;
		pthread_join(thread, NULL);
		assert_int_equal(vat_shadow_end(pair.old, &err), 0);
		assert_int_equal(vat_barrier_end(pair.new, &err), 0);
		finish(&pair);
	}
}

static void test_refused(void **state) {
	struct pair pair, other;
	begin(&pair);
	begin(&other);
	int never = vat_undo_create(pair.old, &err);
	assert_int_equal(vat_shadow_begin(pair.old, never, &err), -ENODATA);
	assert_int_equal(vat_shadow_begin(pair.old, other.undo, &err), -EINVAL);
	assert_int_equal(vat_shadow_begin(pair.new, pair.undo, &err), -EBUSY);
	assert_old(&pair, 0, ITEMS);
	/* Unmapping ends it. */
	assert_int_equal(vat_shadow_begin(pair.old, pair.undo, &err), 0);
	const void *at = pair.a;
	close(never);
	finish(&pair);
	assert_false(vat_barrier_handle_fault((void *)at));
	finish(&other);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_on_its_own),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_undo),
		cmocka_unit_test(test_while_it_is_written),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests_name("vat-shadow", tests, NULL, NULL);
}

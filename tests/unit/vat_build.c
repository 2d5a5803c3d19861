/* SPDX-License-Identifier: MIT */
/* Cells that are built beside the state in use, while its writer stands still and while it writes.
 */
#include "vat_common.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* The handler is ours under AddressSanitizer too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
	return "handle_segv=0:allow_user_segv_handler=1";
}

struct sample {
	uint32_t id;
	uint32_t count;
	uint32_t mirror; /* ~count between two operations */
	uint16_t extra;
};
struct sample2 {
	uint64_t mirror;
	uint64_t count;
	double half;
	uint32_t id;
	uint32_t fresh;
};
static const struct vat_field sample_fields[] = {
	VAT_FIELD(1, U32, struct sample, id),
	VAT_FIELD(2, U32, struct sample, count),
	VAT_FIELD(3, U32, struct sample, mirror),
	VAT_FIELD(4, U16, struct sample, extra),
};
static const struct vat_field sample2_fields[] = {
	VAT_FIELD(1, U32, struct sample2, id),
	VAT_FIELD(2, U64, struct sample2, count),
	VAT_FIELD(3, U64, struct sample2, mirror),
	VAT_FIELD(4, F64, struct sample2, half),
	VAT_FIELD_INIT(5, U32, struct sample2, fresh, .u = 6),
};
#define COUNT 50000
#define SPARSE 1000000

static const struct vat_cell_decl decls1[] = {
	VAT_CELL("samples", struct sample, COUNT, sample_fields, .version = 1),
	VAT_CELL("grown", struct sample, 10, sample_fields, .version = 1, .flags = VAT_CELL_GROWS),
	VAT_CELL("wide", struct sample, SPARSE, sample_fields, .version = 1,
		.flags = VAT_CELL_SPARSE),
	VAT_CELL("keyed", struct sample, 100, sample_fields, .version = 1, .key_field = 1),
};
static const struct vat_cell_decl decls2[] = {
	VAT_CELL("samples", struct sample2, COUNT + 77, sample2_fields, .version = 2),
	VAT_CELL(
		"grown", struct sample2, 10, sample2_fields, .version = 2, .flags = VAT_CELL_GROWS),
	VAT_CELL("wide", struct sample2, SPARSE, sample2_fields, .version = 2,
		.flags = VAT_CELL_SPARSE),
	VAT_CELL("keyed", struct sample2, 20, sample2_fields, .version = 2, .key_field = 1),
	VAT_CELL("more", struct sample2, 3, sample2_fields, .version = 2),
};
static const struct vat_cell_decl schemas[] = {
	VAT_CELL("samples", struct sample, 1, sample_fields, .version = 1),
	VAT_CELL("keyed", struct sample, 1, sample_fields, .version = 1),
};

static int torn, calls;
static bool wants_refusal;

/* Sees every element as it was between two operations, or the barrier's log is not one. */
static bool forth(const void *from, void *to, uint64_t n) {
	const struct sample *old = from;
	struct sample2 *new = to;
	calls++;
	for (uint64_t i = 0; i < n; i++) {
		torn += old[i].id != 0 && old[i].mirror != ~old[i].count;
		new[i].half = old[i].extra / 2.0;
	}
	return !wants_refusal;
}

static bool back(const void *from, void *to, uint64_t n) {
	const struct sample2 *old = from;
	struct sample *new = to;
	for (uint64_t i = 0; i < n; i++)
		new[i].extra = (uint16_t)(old[i].half * 2);
	return true;
}

static const struct vat_edge edges[] = {
	{.cell = "samples",
		.from = 1,
		.to = 2,
		.kind = VAT_EDGE_INVERTIBLE,
		.forth = forth,
		.back = back},
	{.cell = "keyed", .from = 1, .to = 2, .kind = VAT_EDGE_LOSSLESS, .forth = forth},
};
static const struct vat_lineage lineage2 = {.cells = decls2,
	.cell_count = 5,
	.schemas = schemas,
	.schema_count = 2,
	.edges = edges,
	.edge_count = 2};

static void handle_fault(int number, siginfo_t *info, void *context) {
	(void)context;
	if (!vat_barrier_handle_fault(info->si_addr))
		signal(number, SIG_DFL);
}

static void put(struct sample *sample, uint32_t id, uint32_t count) {
	sample->id = id;
	((volatile struct sample *)sample)->count = count;
	((volatile struct sample *)sample)->mirror = ~count;
	sample->extra = (uint16_t)(id * 3);
}

static struct vat_region *with_samples(int *fd) {
	struct vat_error err;
	struct vat_region *region = test_region(fd);
	assert_ok(vat_region_adopt(region, decls1, 4, 0, NULL, &err), err);
	struct vat_txn *txn;
	assert_ok(vat_txn_begin(region, &txn, &err), err);
	assert_ok(vat_txn_resize(txn, "grown", NULL, 0, 5000, 0, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	struct sample *samples = test_data(region, "samples"), *grown = test_data(region, "grown");
	for (uint32_t i = 0; i < COUNT; i++)
		put(&samples[i], i + 1, i * 5);
	for (uint32_t i = 0; i < 5000; i++)
		put(&grown[i], i + 1, i);
	struct sample *wide = test_data(region, "wide"), *keyed = test_data(region, "keyed");
	put(&wide[SPARSE / 2], 9, 10);
	for (uint32_t i = 0; i < 15; i++)
		put(&keyed[i * 6], i + 1, i);
	return region;
}

static void check_one(const struct sample2 *new, uint32_t id, uint32_t count) {
	assert_int_equal(new->id, id);
	assert_int_equal(new->count, count);
	assert_int_equal(new->mirror, (uint32_t)~count);
	assert_int_equal(new->fresh, 6);
}

/* What was written in the course of a test; 0 where nothing was. */
struct written {
	uint32_t samples[COUNT], grown[5000], wide[SPARSE];
};

static void check_all(const struct vat_region *region, const struct written *written) {
	static const struct written nothing;
	if (!written)
		written = &nothing;
	const struct sample2 *samples = test_data(region, "samples");
	for (uint32_t i = 0; i < COUNT; i++) {
		check_one(&samples[i], i + 1, written->samples[i] ? written->samples[i] : i * 5);
		assert_true(samples[i].half == (uint16_t)((i + 1) * 3) / 2.0);
	}
	for (uint32_t i = COUNT; i < COUNT + 77; i++)
		assert_true(samples[i].id == 0 && samples[i].fresh == 6);
	const struct sample2 *grown = test_data(region, "grown");
	assert_int_equal(vat_region_find(region, "grown", NULL, 0)->count, 5000);
	for (uint32_t i = 0; i < 5000; i++)
		check_one(&grown[i], i + 1, written->grown[i] ? written->grown[i] : i);
	const struct sample2 *wide = test_data(region, "wide");
	check_one(&wide[SPARSE / 2], 9, 10);
	assert_int_equal(wide[0].fresh, 6);
	for (uint32_t i = 1; i < SPARSE; i++) {
		if (written->wide[i])
			check_one(&wide[i], 9, written->wide[i]);
		else if (i != SPARSE / 2)
			assert_true(wide[i].id == 0 && wide[i].count == 0);
	}
	const struct sample2 *keyed = test_data(region, "keyed");
	for (uint32_t i = 0; i < 15; i++)
		check_one(&keyed[i], i + 1, i);
}

/* Nobody writes: the mapping is read-only while the edges run. */
static void test_still(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *a = with_samples(&fd), *b;
	struct vat_build *build;
	struct vat_adopt_report report;
	uint64_t generation = vat_region_generation(a);
	assert_ok(vat_region_map(fd, VAT_READ, &b, &err), err);
	assert_ok(vat_build_begin(b, &lineage2, NULL, 0, -1, &build, &err), err);
	assert_non_null(build);
	assert_true(vat_build_is_current(build));
	assert_int_equal(vat_region_get(a, VAT_GENERATION), generation);
	vat_region_unmap(a);
	calls = 0;
	assert_ok(vat_region_protect(b, VAT_WRITE, &err), err);
	assert_ok(
		vat_region_adopt_by(b, &lineage2, NULL, build, VAT_ADOPT_KEEP, &report, &err), err);
	assert_int_equal(calls, 0);
	assert_int_equal(report.changes[0].outcome, VAT_MIGRATED);
	assert_int_equal(report.changes[4].outcome, VAT_FRESH);
	vat_adopt_report_finish(&report);
	vat_build_destroy(build);
	check_all(b, NULL);
	/* The state before is whole. */
	assert_ok(vat_region_rollback(b, &err), err);
	assert_int_equal(
		((struct sample *)test_data(b, "samples"))[COUNT - 1].count, (COUNT - 1) * 5);
	assert_int_equal(vat_region_find(b, "samples", NULL, 0)->version, 1);
	/* Nothing to be built. */
	struct vat_lineage same = {.cells = decls1, .cell_count = 4};
	assert_ok(vat_build_begin(b, &same, NULL, 0, -1, &build, &err), err);
	assert_null(build);
	/* What was never written takes no memory. */
	struct stat before, after;
	assert_ok(vat_region_adopt_by(b, &same, NULL, NULL, 0, NULL, &err), err);
	fstat(fd, &before);
	static const struct vat_field wider_fields[] = {
		VAT_FIELD(1, U32, struct sample2, id),
		VAT_FIELD(2, U64, struct sample2, count),
		VAT_FIELD(3, U64, struct sample2, mirror),
		VAT_FIELD(4, F64, struct sample2, half),
	};
	struct vat_cell_decl wider[4] = {decls1[0], decls1[1], decls2[2], decls1[3]};
	wider[2].fields = wider_fields;
	wider[2].field_count = 4;
	struct vat_lineage three = {.cells = wider, .cell_count = 4};
	assert_ok(vat_build_begin(b, &three, NULL, 0, -1, &build, &err), err);
	assert_ok(vat_region_adopt_by(b, &three, NULL, build, 0, NULL, &err), err);
	vat_build_destroy(build);
	fstat(fd, &after);
	assert_true(after.st_blocks < before.st_blocks + 200);
	vat_region_unmap(b);
	close(fd);
}

struct writer {
	struct vat_region *region;
	struct written *written;
	uint64_t seed;
	_Atomic bool stop;
	_Atomic uint64_t writes;
};

static void *write_on(void *data) {
	struct writer *writer = data;
	struct sample *samples = test_data(writer->region, "samples");
	struct sample *grown = test_data(writer->region, "grown");
	struct sample *wide = test_data(writer->region, "wide");
	struct written *written = writer->written;
	while (!writer->stop || writer->writes < 500) {
		uint64_t at = test_below(&writer->seed, COUNT);
		/* Some pages often, others never. */
		if (test_below(&writer->seed, 4))
			at = at % 3000;
		put(&samples[at], (uint32_t)at + 1, (uint32_t)test_random(&writer->seed) | 1);
		written->samples[at] = samples[at].count;
		if (test_below(&writer->seed, 50) == 0) {
			put(&grown[at % 5000], (uint32_t)(at % 5000) + 1, (uint32_t)at + 1);
			written->grown[at % 5000] = (uint32_t)at + 1;
			uint64_t far = 1 + at * 19 % (SPARSE / 2 - 1);
			put(&wide[far], 9, (uint32_t)at + 1);
			written->wide[far] = (uint32_t)at + 1;
		}
		writer->writes++;
	}
	return NULL;
}

/* The writer goes on under its barrier; what the edges see is one moment, what comes out the end.
 */
static void test_tracked(void **state) {
	struct sigaction action = {.sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO};
	sigfillset(&action.sa_mask);
	sigaction(SIGSEGV, &action, NULL);
	for (uint64_t round = 1; round <= 12; round++) {
		struct vat_error err;
		int fd;
		struct vat_region *a = with_samples(&fd), *b;
		struct written *written = calloc(1, sizeof(*written));
		assert_ok(vat_region_map(fd, VAT_READ, &b, &err), err);
		assert_ok(vat_region_make_room(a, 64 << 20, &err), err);
		int undo = vat_undo_create(a, &err);
		assert_true(undo >= 0);
		assert_ok(vat_barrier_begin(a, undo, vat_region_generation(a), &err), err);
		struct writer writer = {.region = a, .written = written, .seed = round * 77};
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
		while (writer.writes < round * 20)
			continue;
		struct vat_build *build;
		torn = calls = 0;
		assert_ok(vat_build_begin(b, &lineage2, NULL, 0, undo, &build, &err), err);
		assert_non_null(build);
		assert_int_equal(torn, 0);
		assert_true(calls > 0);
		writer.stop = true;
		pthread_join(thread, NULL);
		assert_true(vat_build_is_current(build));
		assert_ok(vat_barrier_end(a, &err), err);
		vat_region_unmap(a);
		assert_ok(vat_region_protect(b, VAT_WRITE, &err), err);
		assert_ok(
			vat_region_adopt_by(b, &lineage2, NULL, build, VAT_ADOPT_KEEP, NULL, &err),
			err);
		vat_build_destroy(build);
		check_all(b, written);
		assert_ok(vat_region_forget_previous(b, &err), err);
		check_all(b, written);
		free(written);
		close(undo);
		vat_region_unmap(b);
		close(fd);
	}
	signal(SIGSEGV, SIG_DFL);
}

/* What cannot be built, and what was built for something else. */
static void test_not_possible(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *a = with_samples(&fd), *b;
	struct vat_build *build;
	assert_ok(vat_region_map(fd, VAT_READ, &b, &err), err);
	int undo = vat_undo_create(a, &err);
	/* Never armed; then without room for what is to be built. */
	assert_fails(vat_build_begin(b, &lineage2, NULL, 0, undo, &build, &err), ENODATA);
	assert_null(build);
	assert_ok(vat_barrier_begin(a, undo, vat_region_generation(a), &err), err);
	assert_fails(vat_build_begin(b, &lineage2, NULL, 0, undo, &build, &err), ENOSPC);
	assert_null(build);
	assert_ok(vat_barrier_end(a, &err), err);
	assert_ok(vat_region_make_room(a, 64 << 20, &err), err);
	assert_ok(vat_barrier_begin(a, undo, vat_region_generation(a), &err), err);
	assert_ok(vat_build_begin(b, &lineage2, NULL, 0, undo, &build, &err), err);
	/* The writer resizes a cell meanwhile: below what the barrier covers nothing moves. */
	struct vat_txn *txn;
	assert_true(vat_build_is_current(build));
	assert_ok(vat_txn_begin(a, &txn, &err), err);
	assert_ok(vat_txn_resize(txn, "grown", NULL, 0, 6000, 0, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	assert_false(vat_build_is_current(build));
	vat_build_destroy(build);
	assert_fails(vat_build_begin(b, &lineage2, NULL, 0, undo, &build, &err), ESTALE);
	assert_ok(vat_barrier_end(a, &err), err);
	assert_ok(vat_region_forget_previous(a, &err), err);
	/* Tracking that has ended before all was built. */
	assert_ok(vat_barrier_begin(a, undo, vat_region_generation(a), &err), err);
	assert_ok(vat_barrier_end(a, &err), err);
	assert_fails(vat_build_begin(b, &lineage2, NULL, 0, undo, &build, &err), ESTALE);
	/* Another epoch. */
	assert_ok(vat_build_begin(b, &lineage2, NULL, 0, -1, &build, &err), err);
	assert_ok(vat_region_set_epoch(a, 5, &err), err);
	assert_false(vat_build_is_current(build));
	vat_build_destroy(build);
	/* An edge that refuses; nothing of it stays. */
	wants_refusal = true;
	assert_fails(vat_build_begin(b, &lineage2, NULL, 0, -1, &build, &err), EUCLEAN);
	assert_null(build);
	assert_ok(vat_build_begin(b, &lineage2, NULL, VAT_ADOPT_MERGE, -1, &build, &err), err);
	assert_ok(vat_region_protect(b, VAT_WRITE, &err), err);
	struct vat_adopt_report report;
	calls = 0;
	assert_ok(vat_region_adopt_by(b, &lineage2, NULL, build, VAT_ADOPT_MERGE, &report, &err),
		err);
	assert_int_equal(calls, 0);
	assert_int_equal(report.changes[0].outcome, VAT_CLEARED);
	assert_int_equal(report.changes[1].outcome, VAT_MIGRATED);
	vat_adopt_report_finish(&report);
	vat_build_destroy(build);
	wants_refusal = false;
	vat_region_unmap(a);
	vat_region_unmap(b);
	close(undo);
	close(fd);
}

/* What is built and not adopted gives its memory back, with the next thing that is given up. */
static void test_dropped(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *a = with_samples(&fd);
	struct vat_build *build;
	struct stat before, during, after;
	assert_ok(vat_region_forget_previous(a, &err), err);
	fstat(fd, &before);
	for (int i = 0; i < 3; i++) {
		assert_ok(vat_build_begin(a, &lineage2, NULL, 0, -1, &build, &err), err);
		fstat(fd, &during);
		assert_true(during.st_blocks > before.st_blocks + COUNT * 40 / 512);
		vat_build_destroy(build);
		assert_ok(vat_region_forget_previous(a, &err), err);
		fstat(fd, &after);
		assert_int_equal(after.st_blocks, before.st_blocks);
		assert_int_equal(after.st_size, during.st_size);
	}
	const struct sample *samples = test_data(a, "samples");
	for (uint32_t i = 0; i < COUNT; i++)
		assert_true(samples[i].id == i + 1 && samples[i].count == i * 5);
	vat_region_unmap(a);
	close(fd);
}

/* The log has no more room: who writes goes on, what was built is not used. In a child, for the
 * limit stays. */
static void test_log_refused(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *a = with_samples(&fd), *b;
	pid_t pid = fork();
	if (pid == 0) {
		struct sigaction action = {.sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO};
		sigfillset(&action.sa_mask);
		sigaction(SIGSEGV, &action, NULL);
		signal(SIGXFSZ, SIG_IGN);
		struct vat_build *build;
		if (vat_region_map(fd, VAT_READ, &b, &err) < 0 ||
			vat_region_make_room(a, 64 << 20, &err) < 0)
			_exit(1);
		int undo = vat_undo_create(a, &err);
		if (undo < 0 || vat_barrier_begin_live(a, undo, &err) < 0 ||
			vat_build_begin(b, &lineage2, NULL, 0, undo, &build, &err) < 0 || !build ||
			!vat_build_is_current(build))
			_exit(2);
		struct rlimit limit = {VAT_PAGE, VAT_PAGE};
		setrlimit(RLIMIT_FSIZE, &limit);
		struct sample *samples = test_data(a, "samples");
		for (uint32_t i = 0; i < COUNT; i++)
			put(&samples[i], i + 1, i * 7);
		if (vat_build_is_current(build))
			_exit(3);
		vat_build_destroy(build);
		if (vat_barrier_end(a, &err) < 0)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(test_wait(pid), 0);
	const struct sample *samples = test_data(a, "samples");
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(samples[i].count, i * 7);
	vat_region_unmap(a);
	close(fd);
}

static uint64_t refused_from;
static int refuse(uint64_t offset, uint64_t size) {
	(void)offset;
	return size >= refused_from ? ENOSPC : 0;
}

static void test_memory_refused(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *a = with_samples(&fd);
	struct vat_build *build;
	uint64_t size = vat_region_size(a);
	refused_from = 65536;
	vat_hooks.refuse = refuse;
	assert_fails(vat_build_begin(a, &lineage2, NULL, 0, -1, &build, &err), ENOSPC);
	vat_hooks.refuse = NULL;
	assert_null(build);
	assert_int_equal(vat_region_size(a), size);
	assert_ok(vat_region_adopt_by(a, &lineage2, NULL, NULL, 0, NULL, &err), err);
	check_all(a, NULL);
	vat_region_unmap(a);
	close(fd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_still),
		cmocka_unit_test(test_tracked),
		cmocka_unit_test(test_not_possible),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_log_refused),
		cmocka_unit_test(test_memory_refused),
	};
	return cmocka_run_group_tests_name("vat_build", tests, NULL, NULL);
}

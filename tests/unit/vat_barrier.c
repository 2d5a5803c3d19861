/* SPDX-License-Identifier: MIT */
/* Write barrier and undo log: what B wrote is undone to the bit, wherever B died. */
#include "vat_common.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "undo.h"

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

/* In each test, for cmocka installs its own before each. */
static void install_handler(void) {
	struct sigaction action = {.sa_sigaction = handle_segv, .sa_flags = SA_SIGINFO};
	sigfillset(&action.sa_mask);
	assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
}

struct item {
	uint64_t a, b;
};
static const struct vat_field item_fields[] = {
	VAT_FIELD(1, U64, struct item, a),
	VAT_FIELD(2, U64, struct item, b),
};
struct item2 {
	uint64_t b, c, a;
};
static const struct vat_field item2_fields[] = {
	VAT_FIELD(1, U64, struct item2, a),
	VAT_FIELD(2, U64, struct item2, b),
	VAT_FIELD(3, U64, struct item2, c),
};

/* 64 pages of bulk, a small cell, and one whose schema changes. */
static const struct vat_cell_decl version1[] = {
	VAT_CELL("bulk", struct item, 16384, item_fields),
	VAT_CELL("small", struct item, 2, item_fields),
	VAT_CELL("shape", struct item, 1000, item_fields),
};
static const struct vat_cell_decl version2[] = {
	VAT_CELL("bulk", struct item, 16384, item_fields),
	VAT_CELL("small", struct item, 2, item_fields),
	VAT_CELL("shape", struct item2, 1000, item2_fields),
	VAT_CELL("extra", struct item, 5000, item_fields),
};

struct city {
	struct vat_region *region;
	int fd, undo;
	uint64_t generation; /* that A left */
	uint8_t *copies[3];  /* of A's cells */
};

static void city_init(struct city *city) {
	struct vat_error err;
	install_handler();
	city->region = test_region(&city->fd);
	assert_ok(vat_region_adopt(city->region, version1, 3, 0, NULL, &err), err);
	uint64_t seed = 99;
	for (int i = 0; i < 3; i++) {
		const struct vat_cell *cell =
			vat_region_find(city->region, version1[i].name, NULL, 0);
		size_t size = cell->count * cell->stride;
		uint64_t *data = vat_cell_data(city->region, cell);
		for (size_t j = 0; j < size / 8; j++)
			data[j] = test_random(&seed);
		city->copies[i] = malloc(size);
		memcpy(city->copies[i], data, size);
	}
	vat_region_set(city->region, VAT_UPDATES, 10);
	city->generation = vat_region_generation(city->region);
	city->undo = vat_undo_create(city->region, &err);
	assert_true(city->undo >= 0);
}

static void city_check(const struct city *city, const struct vat_region *region) {
	assert_int_equal(vat_region_cell_count(region), 3);
	for (int i = 0; i < 3; i++) {
		const struct vat_cell *cell = vat_region_find(region, version1[i].name, NULL, 0);
		assert_non_null(cell);
		assert_int_equal(cell->count, version1[i].count);
		if (memcmp(vat_cell_data(region, cell), city->copies[i],
			    cell->count * cell->stride) != 0)
			fail_msg("cell '%s' is not as it was", cell->name);
	}
}

static void city_finish(struct city *city) {
	vat_region_unmap(city->region);
	close(city->fd);
	close(city->undo);
	for (int i = 0; i < 3; i++)
		free(city->copies[i]);
}

static void test_write_and_undo(void **state) {
	struct vat_error err;
	struct city city;
	city_init(&city);
	struct vat_region *region = city.region;
	assert_fails(vat_undo_apply(region, city.undo, &err), ENODATA);
	assert_fails(vat_barrier_begin(region, city.undo, city.generation - 1, &err), EINVAL);
	assert_fails(vat_barrier_begin(region, city.undo, city.generation + 1, &err), EINVAL);
	assert_ok(vat_barrier_begin(region, city.undo, city.generation, &err), err);
	assert_fails(vat_barrier_begin(region, city.undo, city.generation, &err), EBUSY);
	assert_true(vat_barrier_armed(region));
	assert_fails(vat_undo_apply(region, city.undo, &err), EBUSY);
	assert_fails(vat_region_forget_previous(region, &err), EBUSY);

	struct item *bulk = test_data(region, "bulk"), *small = test_data(region, "small");
	bulk[5].a = 1;
	bulk[6].a = 2; /* the same page: no second fault */
	bulk[16383].b = 3;
	small[1].a++;
	vat_region_add(region, VAT_UPDATES, 5);
	vat_region_add(region, VAT_CLOCK, 5000);
	struct vat_undo_stats stats;
	assert_ok(vat_undo_stats(city.undo, &stats, &err), err);
	assert_int_equal(stats.faults, 3);
	/* With the header, and one page more where two writes happened to lie side by side. */
	assert_uint_in_range(stats.pages, 4, 5);

	/* A system call cannot write what was not written before. */
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(zero, &bulk[8000], 16), -1);
	assert_int_equal(errno, EFAULT);
	close(zero);

	assert_ok(vat_barrier_end(region, &err), err);
	assert_ok(vat_barrier_end(region, &err), err);
	assert_ok(vat_region_set_epoch(region, 4, &err), err);
	bool torn = memcmp(bulk, city.copies[0], 16384 * sizeof(*bulk)) == 0;
	assert_false(torn);
	for (int i = 0; i < 2; i++) {
		assert_ok(vat_undo_apply(region, city.undo, &err), err);
		city_check(&city, region);
		assert_int_equal(vat_region_get(region, VAT_UPDATES), 10);
		assert_int_equal(vat_region_get(region, VAT_CLOCK), 5000);
		assert_int_equal(vat_region_epoch(region), 4);
	}
	assert_int_equal((vat_region_generation(region) ^ city.generation) & 1, 0);
	/* The region goes on as any other. */
	assert_ok(vat_region_adopt(region, version2, 4, 0, NULL, &err), err);
	city_finish(&city);
}

/* B makes its barrier while A still writes; what A left comes back, not what B had found. */
static void test_prepared(void **state) {
	enum { SAME, OTHER_LOG, GROWN, NEVER, CASES };
	for (int number = 0; number < 2 * CASES; number++) {
		int way = number / 2;
		bool at_once = number % 2;
		struct vat_error err;
		struct city city;
		city_init(&city);
		struct vat_region *a = city.region, *b;
		assert_ok(vat_region_map(city.fd, VAT_READ, &b, &err), err);
		int other = vat_undo_create(a, &err);
		assert_true(other >= 0);
		int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		assert_fails(vat_barrier_prepare(b, null_fd, &err), EINVAL);
		close(null_fd);
		assert_ok(vat_barrier_prepare(b, other, &err), err);
		assert_ok(vat_barrier_prepare(b, way == OTHER_LOG ? other : city.undo, &err), err);
		assert_false(vat_barrier_armed(b));
		if (way == GROWN)
			assert_ok(vat_region_make_room(a, 64 << 20, &err), err);
		struct item *bulk = test_data(a, "bulk");
		((struct item *)city.copies[0])[7].a = bulk[7].a = 77;
		uint64_t generation = vat_region_generation(a);
		assert_ok(vat_region_protect(a, VAT_READ, &err), err);
		if (way != NEVER) {
			if (at_once) {
				assert_ok(vat_barrier_take(b, city.undo, 9, generation, &err), err);
			} else {
				assert_ok(vat_region_protect(b, VAT_WRITE, &err), err);
				assert_ok(vat_region_refresh(b, &err), err);
				assert_ok(vat_region_set_epoch(b, 9, &err), err);
				assert_ok(vat_barrier_begin(b, city.undo, generation, &err), err);
			}
			assert_true(vat_barrier_armed(b));
			assert_int_equal(vat_region_epoch(b), 9);
			bulk = test_data(b, "bulk");
			bulk[7].a = 78;
			bulk[16000].b = 3;
			assert_ok(vat_barrier_end(b, &err), err);
			assert_ok(vat_undo_apply(b, city.undo, &err), err);
		}
		city_check(&city, b);
		vat_region_unmap(b);
		close(other);
		city_finish(&city);
	}
}

/* A version that comes too late takes nothing over, and writes nothing. */
static void test_taken_too_late(void **state) {
	struct vat_error err;
	struct city city;
	city_init(&city);
	struct vat_region *a = city.region, *b;
	assert_ok(vat_region_map(city.fd, VAT_READ, &b, &err), err);
	assert_ok(vat_barrier_prepare(b, city.undo, &err), err);
	assert_ok(vat_region_set_epoch(a, 9, &err), err);
	uint64_t generation = vat_region_generation(a);
	assert_fails(vat_barrier_take(b, city.undo, 9, generation, &err), ESTALE);
	assert_false(vat_barrier_armed(b));
	assert_fails(vat_region_set_epoch(b, 10, &err), EACCES);
	assert_ok(vat_barrier_take(b, city.undo, 10, generation, &err), err);
	assert_ok(vat_barrier_end(b, &err), err);
	city_check(&city, b);
	vat_region_unmap(b);
	city_finish(&city);
}

/* B attaches with another schema, changes everything, resizes, and is killed; A comes back. */
static void b_runs(
	struct vat_region *region, int undo, uint64_t generation, uint64_t seed, int report_fd) {
	if (vat_region_set_epoch(region, 2, NULL) < 0 ||
		vat_region_adopt(region, version2, 4, VAT_ADOPT_KEEP, NULL, NULL) < 0 ||
		vat_barrier_begin(region, undo, generation, NULL) < 0)
		_exit(1);
	char ready = 1;
	if (write(report_fd, &ready, 1) != 1)
		_exit(2);
	for (uint64_t i = 0;; i++) {
		const struct vat_cell *cell =
			vat_region_cell(region, test_below(&seed, vat_region_cell_count(region)));
		uint64_t *data = vat_cell_data(region, cell);
		uint64_t words = cell->size / 8;
		if (words == 0)
			continue;
		uint64_t start = test_below(&seed, words), n = test_below(&seed, 2000);
		for (uint64_t j = start; j < words && j < start + n; j++)
			data[j] = test_random(&seed);
		vat_region_add(region, VAT_UPDATES, 1);
		struct vat_txn *txn;
		if (i % 50 == 49) {
			if (vat_txn_begin(region, &txn, NULL) < 0 ||
				vat_txn_resize(txn, "extra", NULL, 0, test_below(&seed, 9000),
					VAT_ALLOW_LOSSY, NULL) < 0 ||
				vat_txn_resize(txn, "bulk", NULL, 0, 1 + test_below(&seed, 20000),
					VAT_ALLOW_LOSSY, NULL) < 0 ||
				vat_txn_commit(txn, i % 3 == 0, NULL) < 0)
				_exit(3);
		}
	}
}

static void test_killed(void **state) {
	struct vat_error err;
	uint64_t seed = 5;
	for (int i = 0; i < 40; i++) {
		struct city city;
		city_init(&city);
		int ends[2];
		assert_int_equal(pipe(ends), 0);
		pid_t pid = fork();
		if (pid == 0)
			b_runs(city.region, city.undo, city.generation, seed, ends[1]);
		test_random(&seed);
		char ready;
		close(ends[1]);
		assert_int_equal(read(ends[0], &ready, 1), 1);
		close(ends[0]);
		struct timespec pause = {0, (long)test_below(&seed, 3000000)};
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(test_wait(pid), -SIGKILL);

		/* By A, whose mapping and pointers are those of before. */
		assert_ok(vat_region_set_epoch(city.region, 3, &err), err);
		assert_ok(vat_undo_apply(city.region, city.undo, &err), err);
		city_check(&city, city.region);
		assert_int_equal(vat_region_get(city.region, VAT_UPDATES), 10);
		assert_false(vat_region_has_previous(city.region));
		/* By anybody else, who maps it afresh. */
		struct vat_region *other;
		assert_ok(vat_region_map(city.fd, VAT_READ, &other, &err), err);
		city_check(&city, other);
		vat_region_unmap(other);
		/* What B took is free again. */
		struct stat st;
		assert_int_equal(fstat(city.fd, &st), 0);
		assert_uint_in_range((uint64_t)st.st_blocks * 512, 0, 320 * 1024);
		city_finish(&city);
	}
}

/* A version that writes where it should not, the header and the directories included. */
static void test_stray_writes(void **state) {
	struct vat_error err;
	/* With a handle from before, and from the log alone. */
	for (int round = 0; round < 8; round++) {
		struct city city;
		city_init(&city);
		struct vat_region *reader, *other;
		assert_ok(vat_region_map(city.fd, VAT_READ, &reader, &err), err);
		vat_region_set(city.region, VAT_CLOCK, 1000);
		pid_t pid = fork();
		if (pid == 0) {
			if (vat_region_set_epoch(city.region, 2, NULL) < 0 ||
				vat_region_adopt(
					city.region, version2, 4, VAT_ADOPT_KEEP, NULL, NULL) < 0 ||
				vat_barrier_begin(city.region, city.undo, city.generation, NULL) <
					0)
				_exit(1);
			uint8_t *base = city.region->base;
			switch (round % 4) {
			case 0:
				memset(base, 0xff, city.region->size);
				break;
			case 1:
				memset(base, 0, city.region->size);
				break;
			case 2: /* the directory of what it runs on */
				memset(base + city.region->directory.root.offset, 0x55, 64);
				break;
			default:
				vat_header(city.region)->words[VAT_GENERATION] += 7;
				vat_header(city.region)->words[VAT_EPOCH] = UINT64_MAX;
				break;
			}
			_exit(0);
		}
		assert_int_equal(test_wait(pid), 0);
		if (round % 4 < 3)
			assert_true(vat_region_map(city.fd, VAT_READ, &other, &err) < 0);

		if (round >= 4) {
			const struct vat_uuid nobody = {.bytes = {77}};
			vat_region_unmap(reader);
			assert_fails(
				vat_undo_map(city.fd, &nobody, city.undo, &reader, &err), EINVAL);
			assert_ok(vat_undo_map(city.fd, &test_info.tile, city.undo, &reader, &err),
				err);
		}
		assert_ok(vat_region_protect(reader, VAT_WRITE, &err), err);
		for (int i = 0; i < 2; i++) {
			assert_ok(vat_undo_apply(reader, city.undo, &err), err);
			city_check(&city, reader);
		}
		assert_int_equal(vat_region_epoch(reader), 2);
		assert_int_equal(vat_region_get(reader, VAT_CLOCK), 1000);
		assert_int_equal(vat_region_get(reader, VAT_UPDATES), 10);
		assert_true(vat_region_generation(reader) > city.generation + 1);
		assert_ok(vat_region_protect(reader, VAT_READ, &err), err);
		/* A goes on, and so does everybody else. */
		assert_ok(vat_region_refresh(city.region, &err), err);
		assert_ok(vat_region_set_epoch(city.region, 3, &err), err);
		city_check(&city, city.region);
		assert_ok(vat_region_map(city.fd, VAT_READ, &other, &err), err);
		assert_string_equal(vat_region_info(other)->name, test_info.name);
		city_check(&city, other);
		assert_ok(vat_region_adopt(city.region, version2, 4, 0, NULL, &err), err);
		vat_region_unmap(other);
		vat_region_unmap(reader);
		city_finish(&city);
	}
}

/* The process that undoes dies as well: the next one finishes. */
static void test_cut_apply(void **state) {
	struct vat_error err;
	uint64_t cut = 0;
	for (int code = TEST_CUT; code != 0;) {
		struct city city;
		city_init(&city);
		assert_ok(vat_region_adopt(city.region, version2, 4, VAT_ADOPT_KEEP, NULL, &err),
			err);
		assert_ok(vat_barrier_begin(city.region, city.undo, city.generation, &err), err);
		struct item *bulk = test_data(city.region, "bulk");
		bulk[0].a = bulk[700].a = bulk[16383].a = 0;
		((struct item *)test_data(city.region, "small"))[0].a = 0;
		assert_ok(vat_barrier_end(city.region, &err), err);
		pid_t pid = fork();
		if (pid == 0) {
			test_cut_after = cut;
			vat_hooks.store = test_cut_store;
			_exit(vat_undo_apply(city.region, city.undo, NULL) == 0 ? 0 : 1);
		}
		code = test_wait(pid);
		assert_true(code == 0 || code == TEST_CUT);
		assert_ok(vat_undo_apply(city.region, city.undo, &err), err);
		city_check(&city, city.region);
		city_finish(&city);
		/* The pages by samples, the header one by one. */
		cut += cut < 4 * 512 - 2 ? 61 : 1;
		assert_true(cut < 10000);
	}
}

static struct vat_region *large_region(int *fd, uint64_t pages) {
	struct vat_error err;
	struct vat_cell_decl decl = version1[0];
	decl.count = pages * (VAT_PAGE / sizeof(struct item));
	decl.flags = VAT_CELL_SPARSE;
	install_handler();
	struct vat_region *region = test_region(fd);
	assert_ok(vat_region_adopt(region, &decl, 1, 0, NULL, &err), err);
	return region;
}

/* Writes that go along the region fault seldom. */
static void test_runs(void **state) {
	struct vat_error err;
	int fd;
	const uint64_t pages = 2048;
	struct vat_region *region = large_region(&fd, pages);
	uint8_t *data = test_data(region, "bulk");
	memset(data, 1, pages * VAT_PAGE);
	int undo = vat_undo_create(region, &err);
	assert_ok(vat_barrier_begin(region, undo, 1, &err), err);
	memset(data, 2, pages * VAT_PAGE);
	struct vat_undo_stats stats;
	assert_ok(vat_undo_stats(undo, &stats, &err), err);
	assert_uint_in_range(stats.faults, 1, pages / 32);
	assert_uint_in_range(stats.pages, pages, pages + 66);
	assert_ok(vat_barrier_end(region, &err), err);
	assert_ok(vat_undo_apply(region, undo, &err), err);
	for (uint64_t i = 0; i < pages * VAT_PAGE; i += 64)
		assert_int_equal(data[i], 1);
	vat_region_unmap(region);
	close(fd);
	close(undo);
}

/* Scattered writes cost no more than the pages around them, and do not run out of mappings. */
static void test_scattered(void **state) {
	struct vat_error err;
	int fd;
	const uint64_t pages = 65536;
	struct vat_region *region = large_region(&fd, pages);
	uint8_t *data = test_data(region, "bulk");
	int undo = vat_undo_create(region, &err);
	assert_ok(vat_barrier_begin(region, undo, 1, &err), err);
	for (uint64_t i = 0; i < 1000; i++)
		data[i * 64 * VAT_PAGE] = 1;
	struct vat_undo_stats stats;
	assert_ok(vat_undo_stats(undo, &stats, &err), err);
	assert_int_equal(stats.pages, 1001);
	/* Every other page, from the end: as many mappings as there can be. */
	for (uint64_t i = pages; i >= 2; i -= 2)
		data[(i - 2) * VAT_PAGE + 5] = 1;
	assert_ok(vat_undo_stats(undo, &stats, &err), err);
	assert_uint_in_range(stats.pages, pages / 2, pages + 66);
	assert_ok(vat_barrier_end(region, &err), err);
	assert_ok(vat_undo_apply(region, undo, &err), err);
	for (uint64_t i = 0; i < pages; i++)
		assert_int_equal(data[i * VAT_PAGE] | data[i * VAT_PAGE + 5], 0);
	vat_region_unmap(region);
	close(fd);
	close(undo);
}

struct worker {
	pthread_t thread;
	uint8_t *data;
	uint64_t pages, seed;
};

static void *work(void *argument) {
	struct worker *worker = argument;
	for (int i = 0; i < 20000; i++) {
		uint64_t page = test_below(&worker->seed, worker->pages);
		__atomic_fetch_add(&worker->data[page * VAT_PAGE], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_threads(void **state) {
	struct vat_error err;
	const uint64_t pages = 1024;
	for (uint64_t round = 0; round < 10; round++) {
		int fd;
		struct vat_region *region = large_region(&fd, pages);
		uint8_t *data = test_data(region, "bulk");
		for (uint64_t i = 0; i < pages; i++)
			memset(data + i * VAT_PAGE, (int)(i % 251), VAT_PAGE);
		int undo = vat_undo_create(region, &err);
		assert_ok(vat_barrier_begin(region, undo, 1, &err), err);
		struct worker workers[4];
		for (uint64_t i = 0; i < 4; i++) {
			workers[i] = (struct worker){
				.data = data, .pages = pages, .seed = round * 4 + i + 1};
			assert_int_equal(
				pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
		}
		for (int i = 0; i < 4; i++)
			pthread_join(workers[i].thread, NULL);
		assert_ok(vat_barrier_end(region, &err), err);
		assert_ok(vat_undo_apply(region, undo, &err), err);
		for (uint64_t i = 0; i < pages; i++) {
			for (int j = 0; j < VAT_PAGE; j += 512)
				assert_int_equal(data[i * VAT_PAGE + j], i % 251);
		}
		vat_region_unmap(region);
		close(fd);
		close(undo);
	}
}

/* Giving up: the log ends at once, the mapping becomes read-only later, and that ends the barrier.
 */
static void test_give_up(void **state) {
	struct vat_error err;
	struct city city;
	city_init(&city);
	struct vat_region *region = city.region;
	assert_ok(vat_barrier_begin(region, city.undo, city.generation, &err), err);
	struct item *bulk = test_data(region, "bulk");
	bulk[700].a = 5;
	vat_barrier_stop(region);
	uint64_t ended = 0;
	assert_int_equal(
		pread(city.undo, &ended, sizeof(ended), offsetof(struct vat_undo_header, ended)),
		sizeof(ended));
	assert_int_equal(ended, 1);
	assert_true(vat_barrier_armed(region));
	assert_ok(vat_region_protect(region, VAT_READ, &err), err);
	assert_false(vat_barrier_armed(region));
	assert_fails(vat_region_set_epoch(region, 9, &err), EACCES);
	struct vat_undo_stats stats;
	assert_ok(vat_undo_stats(city.undo, &stats, &err), err);
	assert_int_equal(stats.pages, 2); /* the header is one */
	assert_ok(vat_region_protect(region, VAT_WRITE, &err), err);
	bulk[701].a = 6;
	assert_ok(vat_undo_apply(region, city.undo, &err), err);
	city_finish(&city);
}

/* The log cannot grow any more: the writer dies with the page as it was, and what it did before is
 * undone. */
static void test_no_room(void **state) {
	struct vat_error err;
	for (uint64_t room = 0; room < 64; room += 9) {
		struct city city;
		city_init(&city);
		pid_t pid = fork();
		if (pid == 0) {
			const struct rlimit none = {0, RLIM_INFINITY};
			if (vat_region_set_epoch(city.region, 2, NULL) < 0 ||
				vat_barrier_begin(city.region, city.undo, city.generation, NULL) <
					0)
				_exit(1);
			uint8_t *bulk = test_data(city.region, "bulk");
			const uint64_t pages = 16384 * sizeof(struct item) / VAT_PAGE;
			/* Far from each other, so that each is saved by itself. */
			for (uint64_t i = 0; i < room; i++)
				bulk[i * 37 % pages * VAT_PAGE] ^= 1;
			signal(SIGXFSZ, SIG_IGN);
			if (setrlimit(RLIMIT_FSIZE, &none) < 0)
				_exit(2);
			/* However many try, as threads of it would. */
			const uint64_t last = 63 * 37 % pages;
			for (int i = 0; i < 200; i++) {
				if (vat_barrier_handle_fault(&bulk[last * VAT_PAGE]))
					_exit(3);
			}
			bulk[last * VAT_PAGE] ^= 2;
			_exit(4);
		}
		assert_int_equal(test_wait(pid), -SIGSEGV);
		assert_ok(vat_region_set_epoch(city.region, 3, &err), err);
		assert_ok(vat_undo_apply(city.region, city.undo, &err), err);
		city_check(&city, city.region);
		city_finish(&city);
	}
}

static void test_real_faults(void **state) {
	struct vat_error err;
	struct city city;
	city_init(&city);
	assert_ok(vat_barrier_begin(city.region, city.undo, city.generation, &err), err);
	assert_false(vat_barrier_handle_fault(NULL));
	assert_false(vat_barrier_handle_fault(&city));
	uint8_t *end = city.region->base + city.region->size;
	assert_false(vat_barrier_handle_fault(end));
	pid_t pid = fork();
	if (pid == 0) {
		*(volatile uint8_t *)end = 1;
		_exit(0);
	}
	assert_int_equal(test_wait(pid), -SIGSEGV);
	/* Unmapping under a barrier disarms it. */
	struct vat_region *region = city.region;
	vat_region_unmap(region);
	assert_false(vat_barrier_handle_fault(end - VAT_PAGE));
	assert_ok(vat_region_map(city.fd, VAT_WRITE, &city.region, &err), err);
	city_check(&city, city.region);
	city_finish(&city);
}

/* A kept generation is whole also when the one after it was made under a barrier, and another
 * begun. */
static void test_keep_under_barrier(void **state) {
	struct vat_error err;
	struct city city;
	city_init(&city);
	struct vat_region *region = city.region;
	struct vat_txn *txn;
	struct vat_cell_decl decl = version2[3];
	assert_ok(vat_barrier_begin(region, city.undo, city.generation, &err), err);
	assert_ok(vat_txn_begin(region, &txn, &err), err);
	assert_ok(vat_txn_add(txn, &decl, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	memset(test_data(region, "extra"), 7, 5000 * sizeof(struct item));
	assert_ok(vat_txn_begin(region, &txn, &err), err);
	assert_ok(vat_txn_resize(txn, "extra", NULL, 0, 6000, 0, &err), err);
	assert_ok(vat_txn_commit(txn, true, &err), err);
	assert_ok(vat_txn_begin(region, &txn, &err), err);
	decl.name = "later";
	assert_ok(vat_txn_add(txn, &decl, &err), err);
	memset(vat_txn_data(txn, "later", NULL, 0), 9, 5000 * sizeof(struct item));
	vat_txn_abort(txn);
	assert_ok(vat_barrier_end(region, &err), err);
	assert_ok(vat_region_rollback(region, &err), err);
	const uint8_t *data = test_data(region, "extra");
	assert_int_equal(vat_region_find(region, "extra", NULL, 0)->count, 5000);
	for (size_t i = 0; i < 5000 * sizeof(struct item); i++)
		assert_int_equal(data[i], 7);
	/* And the whole of it can still be undone. */
	assert_ok(vat_undo_apply(region, city.undo, &err), err);
	city_check(&city, region);
	city_finish(&city);
}

/* Two regions of one process, one after the other and both at once; a log that is used again. */
static void test_reuse(void **state) {
	struct vat_error err;
	struct city a, b;
	city_init(&a);
	city_init(&b);
	for (int i = 0; i < 5; i++) {
		assert_ok(
			vat_barrier_begin(a.region, a.undo, vat_region_generation(a.region), &err),
			err);
		assert_ok(
			vat_barrier_begin(b.region, b.undo, vat_region_generation(b.region), &err),
			err);
		memset(test_data(a.region, "bulk"), i, 16384 * sizeof(struct item));
		memset(test_data(b.region, "shape"), i, 1000 * sizeof(struct item));
		assert_ok(vat_barrier_end(a.region, &err), err);
		assert_ok(vat_barrier_end(b.region, &err), err);
		assert_ok(vat_undo_apply(a.region, a.undo, &err), err);
		assert_ok(vat_undo_apply(b.region, b.undo, &err), err);
		city_check(&a, a.region);
		city_check(&b, b.region);
	}
	/* The region has outgrown the log. */
	struct vat_txn *txn;
	assert_ok(vat_txn_begin(a.region, &txn, &err), err);
	assert_ok(vat_txn_resize(txn, "bulk", NULL, 0, 100000, 0, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	uint64_t generation = vat_region_generation(a.region);
	assert_ok(vat_barrier_begin(a.region, a.undo, generation, &err), err);
	struct item *bulk = test_data(a.region, "bulk");
	for (int i = 0; i < 100000; i++)
		bulk[i].b = 1;
	assert_ok(vat_barrier_end(a.region, &err), err);
	assert_ok(vat_undo_apply(a.region, a.undo, &err), err);
	assert_memory_equal(bulk, a.copies[0], 16384 * sizeof(*bulk));
	assert_int_equal(bulk[99999].b, 0);
	city_finish(&a);
	city_finish(&b);
}

/* Garbled logs are refused before anything is stored, or change nothing but what they name. */
static void test_garbled_log(void **state) {
	struct vat_error err;
	struct city city;
	city_init(&city);
	uint64_t generation = city.generation;
	assert_ok(vat_barrier_begin(city.region, city.undo, generation, &err), err);
	((struct item *)test_data(city.region, "bulk"))[0].a++;
	assert_ok(vat_barrier_end(city.region, &err), err);

	struct vat_undo_header good, bad;
	assert_int_equal(pread(city.undo, &good, sizeof(good), 0), sizeof(good));
	int refused = 0;
	for (size_t i = 0; i < offsetof(struct vat_undo_header, next); i++) {
		for (int flip = 1; flip < 256; flip *= 2) {
			bad = good;
			((uint8_t *)&bad)[i] ^= (uint8_t)flip;
			assert_int_equal(pwrite(city.undo, &bad, sizeof(bad), 0), sizeof(bad));
			refused += vat_undo_apply(city.region, city.undo, &err) < 0;
		}
	}
	assert_int_equal(refused, 8 * offsetof(struct vat_undo_header, next));
	bad = good;
	bad.next = UINT64_MAX;
	assert_int_equal(pwrite(city.undo, &bad, sizeof(bad), 0), sizeof(bad));
	assert_fails(vat_undo_apply(city.region, city.undo, &err), EBADMSG);
	bad.next = 0;
	assert_int_equal(pwrite(city.undo, &bad, sizeof(bad), 0), sizeof(bad));
	assert_fails(vat_undo_apply(city.region, city.undo, &err), EBADMSG);
	assert_int_equal(pwrite(city.undo, &good, sizeof(good), 0), sizeof(good));
	uint64_t entry = UINT64_MAX;
	assert_int_equal(pwrite(city.undo, &entry, 8, VAT_PAGE + 8), 8);
	assert_fails(vat_undo_apply(city.region, city.undo, &err), EBADMSG);
	entry = good.pages + 1;
	assert_int_equal(pwrite(city.undo, &entry, 8, VAT_PAGE + 8), 8);
	assert_fails(vat_undo_apply(city.region, city.undo, &err), EBADMSG);

	/* Of another tile. */
	struct vat_region_info info = test_info;
	info.tile.bytes[0]++;
	int other_fd = vat_region_create(&info, 0, &err);
	struct vat_region *other;
	assert_ok(vat_region_map(other_fd, VAT_WRITE, &other, &err), err);
	assert_fails(vat_undo_apply(other, city.undo, &err), EINVAL);
	vat_region_unmap(other);
	close(other_fd);

	/* No log at all. */
	assert_fails(vat_undo_apply(city.region, city.fd, &err), EBADMSG);
	assert_fails(vat_undo_apply(city.region, -1, &err), EBADF);
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	assert_fails(vat_undo_apply(city.region, zero, &err), EINVAL);
	assert_fails(vat_barrier_begin(city.region, zero, generation, &err), EINVAL);
	close(zero);
	city_finish(&city);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_and_undo),
		cmocka_unit_test(test_prepared),
		cmocka_unit_test(test_taken_too_late),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_stray_writes),
		cmocka_unit_test(test_cut_apply),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_scattered),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_real_faults),
		cmocka_unit_test(test_keep_under_barrier),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_garbled_log),
	};
	return cmocka_run_group_tests_name("vat_barrier", tests, NULL, NULL);
}

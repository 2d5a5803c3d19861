/* SPDX-License-Identifier: MIT */
/* The barrier on a version that is not on probation: its page tables leave, come back, and never
 * stay. */
#include "vat_common.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "undo.h"

#define PAGES 5000 /* more than is walked over, and no whole number of tables */

/* The handler is ours under AddressSanitizer too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
	return "handle_segv=0:allow_user_segv_handler=1";
}

static void handle_segv(int signal_number, siginfo_t *info, void *context) {
	(void)context;
	if (!vat_barrier_handle_fault(info->si_addr))
		signal(signal_number, SIG_DFL);
}

struct page {
	uint64_t words[VAT_PAGE / 8];
};
static const struct vat_field page_fields[] = {VAT_FIELD(1, U64, struct page, words)};
static const struct vat_cell_decl pages_decl[] = {
	VAT_CELL("pages", struct page, PAGES, page_fields)};

struct live {
	int fd, undo;
	struct vat_region *region;
	struct page *pages;
	struct page *copy; /* what is in them */
};

static void live_init(struct live *live) {
	struct vat_error err;
	struct sigaction action = {.sa_sigaction = handle_segv, .sa_flags = SA_SIGINFO};
	sigfillset(&action.sa_mask);
	assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
	live->region = test_region(&live->fd);
	assert_ok(vat_region_adopt(live->region, pages_decl, 1, 0, NULL, &err), err);
	live->pages = test_data(live->region, "pages");
	uint64_t seed = 5;
	for (size_t i = 0; i < PAGES; i++) {
		for (size_t j = 0; j < VAT_PAGE / 8; j++)
			live->pages[i].words[j] = test_random(&seed);
	}
	live->copy = malloc(PAGES * sizeof(*live->copy));
	assert_non_null(live->copy);
	memcpy(live->copy, live->pages, PAGES * sizeof(*live->copy));
	live->undo = vat_undo_create(live->region, &err);
	assert_true(live->undo >= 0);
}

static void live_finish(struct live *live) {
	vat_region_unmap(live->region);
	close(live->fd);
	close(live->undo);
	free(live->copy);
}

static void live_write(struct live *live, size_t page, uint64_t value) {
	live->pages[page].words[page % (VAT_PAGE / 8)] = value;
	live->copy[page].words[page % (VAT_PAGE / 8)] = value;
}

/* This process's mappings of a region: how many there are, how many can be written, and how many
 * pages of them are in the page tables in the region's place. */
struct mappings {
	int all, writable;
	uint64_t pages;
};

static struct mappings mappings_of(const struct live *live) {
	struct mappings found = {};
	struct stat st;
	assert_int_equal(fstat(live->fd, &st), 0);
	FILE *file = fopen("/proc/self/smaps", "re");
	assert_non_null(file);
	uintptr_t base = (uintptr_t)live->region->base;
	char line[512], access[5];
	bool here = false;
	uint64_t start, end, inode, kib;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %" SCNu64, &start, &end,
			    access, &inode) == 4) {
			bool mine = inode == st.st_ino;
			found.all += mine;
			found.writable += mine && access[1] == 'w';
			here = mine && start >= base && start < base + live->region->size;
		} else if (here && sscanf(line, "Rss: %" SCNu64, &kib) == 1) {
			found.pages += kib * 1024 / VAT_PAGE;
		}
	}
	fclose(file);
	return found;
}

static void check_view(const struct live *live, const struct page *wanted) {
	struct vat_error err;
	struct vat_region *view;
	int fd = vat_undo_view(live->region, live->undo, &err);
	if (fd < 0)
		fail_msg("%s", err.text);
	assert_ok(vat_region_map(fd, VAT_READ, &view, &err), err);
	assert_memory_equal(test_data(view, "pages"), wanted, PAGES * sizeof(*wanted));
	vat_region_unmap(view);
	close(fd);
}

static void test_there_and_back(void **state) {
	struct vat_error err;
	struct live live;
	live_init(&live);
	struct page *before = malloc(PAGES * sizeof(*before));
	assert_non_null(before);
	uint64_t seed = 77;
	for (int round = 0; round < 4; round++) {
		assert_true(mappings_of(&live).pages >= PAGES);
		memcpy(before, live.copy, PAGES * sizeof(*before));
		assert_ok(vat_barrier_begin_live(live.region, live.undo, &err), err);
		/* Nothing was walked over: the tables have left. */
		assert_true(mappings_of(&live).pages < PAGES / 2);
		assert_memory_equal(live.pages, live.copy, PAGES * sizeof(*live.copy));
		for (int i = 0; i < 300; i++)
			live_write(&live, test_below(&seed, PAGES), test_random(&seed));
		check_view(&live, before);
		assert_memory_equal(live.pages, live.copy, PAGES * sizeof(*live.copy));
		if (round % 2 == 1)
			assert_ok(
				vat_region_grow(live.region, live.region->size + 4096, &err), err);
		assert_ok(vat_barrier_end(live.region, &err), err);
		/* They are all there again, without being touched, and in one piece. */
		struct mappings found = mappings_of(&live);
		assert_true(found.pages >= PAGES);
		assert_int_equal(found.all, 1);
		struct vat_undo_stats one, two;
		assert_ok(vat_undo_stats(live.undo, &one, &err), err);
		for (size_t i = 0; i < PAGES; i++)
			live_write(&live, i, i * (uint64_t)round);
		assert_ok(vat_undo_stats(live.undo, &two, &err), err);
		assert_int_equal(one.faults, two.faults);
		assert_memory_equal(live.pages, live.copy, PAGES * sizeof(*live.copy));
	}
	free(before);
	live_finish(&live);
}

/* Who gives the region up keeps nothing to write it with. */
static void test_given_up(void **state) {
	struct vat_error err;
	struct live live;
	live_init(&live);
	assert_ok(vat_barrier_begin_live(live.region, live.undo, &err), err);
	live_write(&live, 3, 4);
	assert_ok(vat_region_protect(live.region, VAT_READ, &err), err);
	assert_int_equal(mappings_of(&live).writable, 0);
	assert_memory_equal(live.pages, live.copy, PAGES * sizeof(*live.copy));
	assert_ok(vat_region_protect(live.region, VAT_WRITE, &err), err);
	live_write(&live, 4, 5);
	assert_memory_equal(live.pages, live.copy, PAGES * sizeof(*live.copy));
	live_finish(&live);
}

static void test_unmapped(void **state) {
	struct vat_error err;
	struct live live;
	live_init(&live);
	assert_ok(vat_barrier_begin_live(live.region, live.undo, &err), err);
	live_write(&live, 3, 4);
	struct live gone = live;
	struct vat_region region = *live.region;
	gone.region = &region;
	vat_region_unmap(live.region);
	assert_int_equal(mappings_of(&gone).all, 0);
	close(live.fd);
	close(live.undo);
	free(live.copy);
}

/* What is given back to the system meanwhile is nowhere any more, not even in tables that come
 * back. */
static void test_punched(void **state) {
	struct vat_error err;
	struct live live;
	live_init(&live);
	assert_ok(vat_barrier_begin_live(live.region, live.undo, &err), err);
	uint64_t at = (uint64_t)((uint8_t *)&live.pages[100] - live.region->base);
	assert_int_equal(fallocate(live.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
				 50 * VAT_PAGE),
		0);
	memset(&live.copy[100], 0, 50 * sizeof(*live.copy));
	assert_ok(vat_barrier_end(live.region, &err), err);
	assert_memory_equal(live.pages, live.copy, PAGES * sizeof(*live.copy));
	live_finish(&live);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_unmapped),
		cmocka_unit_test(test_punched),
	};
	return cmocka_run_group_tests_name("vat_live", tests, NULL, NULL);
}

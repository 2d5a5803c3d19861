/* SPDX-License-Identifier: MIT */
/* What the tests of libvat share. */
#ifndef TESTS_UNIT_VAT_COMMON_H
#define TESTS_UNIT_VAT_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "internal.h"
#include "vat.h"

static const struct vat_region_info test_info = {
	.name = "sample",
	.tile = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
	.city = {{99, 98, 97}},
};

/* Fails with the error's own words. */
#define assert_ok(call, err)                                                                       \
	do {                                                                                       \
		(err).text[0] = 0;                                                                 \
		int rc_ = (call);                                                                  \
		if (rc_ < 0)                                                                       \
			fail_msg("%s: %d: %s", #call, rc_, (err).text);                            \
	} while (0)
#define assert_fails(call, code)                                                                   \
	do {                                                                                       \
		int rc_ = (call);                                                                  \
		if (rc_ != -(code))                                                                \
			fail_msg("%s: %d instead of %d", #call, rc_, -(code));                     \
	} while (0)

static inline struct vat_region *test_region(int *fd) {
	struct vat_error err;
	*fd = vat_region_create(&test_info, 0, &err);
	if (*fd < 0)
		fail_msg("%s", err.text);
	struct vat_region *region;
	assert_ok(vat_region_map(*fd, VAT_WRITE, &region, &err), err);
	return region;
}

static inline void *test_data(const struct vat_region *region, const char *name) {
	const struct vat_cell *cell = vat_region_find(region, name, NULL, 0);
	assert_non_null(cell);
	return vat_cell_data(region, cell);
}

/* xorshift64*, so that a failing case can be run again by its seed. */
static inline uint64_t test_random(uint64_t *state) {
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static inline uint64_t test_below(uint64_t *state, uint64_t n) {
	assert_true(n > 0);
	return test_random(state) % n;
}

/* Waits for a child and gives its exit code, or minus the signal that killed it. */
static inline int test_wait(pid_t pid) {
	int status;
	if (waitpid(pid, &status, 0) != pid)
		fail_msg("waitpid: %s", strerror(errno));
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/*
 * Dying in the middle of a call: the process ends before store number cut_after, counted in pieces
 * of 8 bytes; aligned pieces are atomic, as on every machine this runs on.
 */
#define TEST_CUT 77
static uint64_t test_cut_after __attribute__((unused));

static inline void test_cut_store(void *to, const void *from, size_t n) {
	uint8_t *p = to;
	const uint8_t *q = from;
	do {
		if (test_cut_after-- == 0)
			_exit(TEST_CUT);
		size_t piece = n < 8 ? n : 8;
		if (piece > 0)
			memcpy(p, q, piece);
		p += piece;
		q += piece;
		n -= piece;
	} while (n > 0);
}

#endif

/* SPDX-License-Identifier: MIT */
/* What the tests of cityctl share: its very words and its exit status. */
#ifndef TEST_CTL_EXPECT_H
#define TEST_CTL_EXPECT_H

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server.h"

static inline void expect(struct result result, int status, const char *out, const char *err) {
	if (result.status != status)
		fail_msg("status %d instead of %d\n%s%s", result.status, status, result.out,
			result.err);
	assert_string_equal(result.out, out);
	assert_string_equal(result.err, err);
}

/* These are among the words. */
static inline void expect_parts(
	struct result result, int status, const char *out, const char *err) {
	if (result.status != status || strstr(result.out, out) == NULL ||
		strstr(result.err, err) == NULL)
		fail_msg("status %d, wanted %d\nstdout: %s\nwanted: %s\nstderr: %s\nwanted: %s",
			result.status, status, result.out, out, result.err, err);
}

/* Of a group of tests. */
static inline int ctl_begin(void **state) {
	signal(SIGPIPE, SIG_IGN);
	unsetenv("WAYLAND_SOCKET");
	unsetenv("NO_COLOR");
	return 0;
}

static inline int ctl_end(void **state) {
	remove_folders();
	return 0;
}

#endif

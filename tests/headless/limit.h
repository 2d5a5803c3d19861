/* SPDX-License-Identifier: MIT */
/* How long anything may take on a slow machine before a test of the desktop fails, and the clock
 * for it. */
#ifndef TEST_LIMIT_H
#define TEST_LIMIT_H

#include <stdint.h>
#include <time.h>

#define LIMIT_MS 60000

static inline int64_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif

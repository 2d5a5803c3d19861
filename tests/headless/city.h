/* SPDX-License-Identifier: MIT */
/*
 * A compositor of the test's own: headless, drawn by pixman, in a runtime folder that nothing else
 * uses. The program is named by SOURCE_CITY_COMPOSITOR.
 */
#ifndef TEST_CITY_H
#define TEST_CITY_H

#include <stdbool.h>
#include <sys/types.h>

struct test_city {
	pid_t pid;
	char dir[64];	 /* runtime folder, also HOME */
	char socket[32]; /* name of the socket */
	char *log;	 /* what it wrote on stderr so far */
	int log_fd;
};

/* Starts it with this configuration and returns once clients can connect; fails the test else. */
void test_city_start(struct test_city *city, const char *config);
/* The same as a window of another city. */
void test_city_start_nested(
	struct test_city *city, const char *config, const struct test_city *host);
/* Ends it with SIGTERM unless it has ended by itself; fails the test unless it ends well. */
void test_city_stop(struct test_city *city);
/* True while it runs. */
bool test_city_alive(struct test_city *city);
/* Reads its log until a line holds `text`; fails the test when that takes too long. */
void test_city_expect_log(struct test_city *city, const char *text);
/* Runs a program with these arguments (NULL at the end) and environment changes ("A=b" sets, "A"
 * takes away); returns its exit status and what it wrote on stderr, heap. */
int test_run(char *const argv[], const char *const environment[], char **err);
/* Sleeps of the process so far: how often it has waited for something. */
long test_city_sleeps(const struct test_city *city);

#endif

/* SPDX-License-Identifier: MIT */
/* A loop that sleeps is left alone, one that does not turn ends. The watchdog is one per process,
 * so each of these has a process of its own. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "compositor/watchdog.h"

#define LIMIT_MS 100
#define SLEEP_MS (3 * LIMIT_MS)

/* 0: nothing has woken it. */
static int sleep_on(void) {
	city_watchdog_sleeps();
	int woken = poll(NULL, 0, SLEEP_MS) < 0 && errno == EINTR;
	city_watchdog_wakes();
	return woken;
}

static int sleep_twice(void) {
	return sleep_on() + sleep_on();
}

static int hang(void) {
	sleep_on();
	while (pause() < 0) {
	}
	return 0;
}

/* How a process of its own ends in which this is a turn of the loop. */
static int status_of(int (*turn)(void)) {
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		city_watchdog_start(LIMIT_MS);
		city_watchdog_loop();
		_exit(turn());
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void test_sleeper_is_not_woken(void **state) {
	(void)state;
	int status = status_of(sleep_twice);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_hang_ends_after_a_sleep(void **state) {
	(void)state;
	int status = status_of(hang);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sleeper_is_not_woken),
		cmocka_unit_test(test_hang_ends_after_a_sleep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Whoever waits idly gets its full share again afterwards, also without any privilege. */
#include <linux/sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "schedule.h"

#define NOBODY 65534

static long policy(void) {
	return syscall(SYS_sched_getscheduler, 0) & ~SCHED_RESET_ON_FORK;
}

/* The child's exit status: 0 when it came back, 2 where the class is not ours to change. */
static int idle_and_back(bool privileged) {
	if (policy() != SCHED_NORMAL) {
		return 2;
	}
	if (!privileged) {
		setrlimit(RLIMIT_NICE, &(struct rlimit){0, 0});
		if (geteuid() == 0 && setuid(NOBODY) < 0) {
			return 2;
		}
	}
	int nice = getpriority(PRIO_PROCESS, 0);
	city_schedule_idly();
	city_schedule_promptly();
	return policy() != SCHED_NORMAL || getpriority(PRIO_PROCESS, 0) != nice;
}

static void run(bool privileged) {
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		_exit(idle_and_back(privileged));
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2) {
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_back_as_started(void **state) {
	(void)state;
	run(true);
}

static void test_back_unprivileged(void **state) {
	(void)state;
	run(false);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back_as_started),
		cmocka_unit_test(test_back_unprivileged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

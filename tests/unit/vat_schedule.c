/* SPDX-License-Identifier: MIT */
/* Whoever waits idly gets its full share again afterwards, also without any privilege; whoever may
 * go ahead of others does so alone. */
#include <linux/sched.h>
#include <sched.h>
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

/* The child's exit status: 0 when only those go ahead that may, 2 where nobody may here. */
static int go_ahead(bool privileged) {
	struct sched_param first = {.sched_priority = 1};
	cpu_set_t set;
	if (policy() != SCHED_NORMAL || sched_getaffinity(0, sizeof(set), &set) < 0 ||
		CPU_COUNT(&set) < 2) {
		return 2;
	}
	if (!privileged) {
		setrlimit(RLIMIT_RTPRIO, &(struct rlimit){0, 0});
		if (geteuid() == 0 && setuid(NOBODY) < 0) {
			return 2;
		}
	}
	city_schedule_promptly();
	struct rlimit short_time = {1000000, RLIM_INFINITY},
		      any_time = {RLIM_INFINITY, RLIM_INFINITY};
	setrlimit(RLIMIT_RTTIME, &short_time);
	city_schedule_ahead();
	if (policy() != SCHED_NORMAL) {
		return 1;
	}
	if (setrlimit(RLIMIT_RTTIME, &any_time) < 0) {
		return 2;
	}
	city_schedule_ahead();
	if (!privileged) {
		return policy() != SCHED_NORMAL;
	}
	if (policy() != SCHED_RR) {
		/* Some containers let not even root. */
		return sched_setscheduler(0, SCHED_RR, &first) < 0 ? 2 : 1;
	}
	pid_t child = fork();
	if (child == 0) {
		_exit(policy() != SCHED_NORMAL);
	}
	int status;
	return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

static void run(int (*what)(bool), bool privileged) {
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		_exit(what(privileged));
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
	run(idle_and_back, true);
}

static void test_back_unprivileged(void **state) {
	(void)state;
	run(idle_and_back, false);
}

static void test_ahead_alone(void **state) {
	(void)state;
	run(go_ahead, true);
}

static void test_ahead_unprivileged(void **state) {
	(void)state;
	run(go_ahead, false);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back_as_started),
		cmocka_unit_test(test_back_unprivileged),
		cmocka_unit_test(test_ahead_alone),
		cmocka_unit_test(test_ahead_unprivileged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

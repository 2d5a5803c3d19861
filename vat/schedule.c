/* SPDX-License-Identifier: MIT */
#include "schedule.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The shortest that the kernel grants. */
#define PROMPT_SLICE_NS 100000
/* Steps of nice: about a third of the time where others want it, too. */
#define BEHIND 5

static void set_schedule(uint32_t policy, uint64_t slice_ns) {
	/* Whoever started us in another class knows better. */
	long now = syscall(SYS_sched_getscheduler, 0) & ~SCHED_RESET_ON_FORK;
	if (now != SCHED_NORMAL && now != SCHED_IDLE) {
		return;
	}
	errno = 0;
	int nice = getpriority(PRIO_PROCESS, 0);
	struct sched_attr attributes = {
		.size = sizeof(attributes),
		.sched_policy = policy,
		.sched_flags = SCHED_FLAG_RESET_ON_FORK,
		.sched_nice = errno ? 0 : nice,
		.sched_runtime = slice_ns,
	};
	syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void city_schedule_promptly(void) {
	set_schedule(SCHED_NORMAL, PROMPT_SLICE_NS);
}

void city_schedule_behind(void) {
	errno = 0;
	int nice = getpriority(PRIO_PROCESS, 0);
	if (nice != -1 || errno == 0) {
		setpriority(PRIO_PROCESS, 0, nice + BEHIND);
	}
}

bool city_schedule_has_company(void) {
	cpu_set_t set;
	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1;
}

/* Whoever limits the time of these kills those that take longer. */
static bool is_time_limited(void) {
	struct rlimit limit;
	return getrlimit(RLIMIT_RTTIME, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY;
}

void city_schedule_ahead(void) {
	long now = syscall(SYS_sched_getscheduler, 0) & ~SCHED_RESET_ON_FORK;
	if (now != SCHED_NORMAL || !city_schedule_has_company() || is_time_limited()) {
		return;
	}
	struct sched_attr attributes = {
		.size = sizeof(attributes),
		.sched_policy = SCHED_RR,
		.sched_flags = SCHED_FLAG_RESET_ON_FORK,
		.sched_priority = 1,
	};
	syscall(SYS_sched_setattr, 0, &attributes, 0);
}

/* What may be between city_schedule_urgently and the next time that it waits. */
#define URGENT_US 200000

/* Whether it is allowed; found out at the first time. */
static volatile sig_atomic_t urgent_allowed = -1;

static void handle_too_long(int number) {
	const struct sched_param none = {0};
	int saved = errno;
	urgent_allowed = 0;
	sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none);
	errno = saved;
}

/* The system tells when it takes too long, well before it would end the process. */
static bool limit_urgent(void) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_RTTIME, &limit) < 0 || limit.rlim_cur < URGENT_US ||
		(limit.rlim_max != RLIM_INFINITY && limit.rlim_max < 2 * URGENT_US)) {
		return false;
	}
	struct sigaction action = {.sa_handler = handle_too_long, .sa_flags = SA_RESTART};
	sigemptyset(&action.sa_mask);
	limit.rlim_cur = URGENT_US;
	return sigaction(SIGXCPU, &action, NULL) == 0 && setrlimit(RLIMIT_RTTIME, &limit) == 0;
}

void city_schedule_urgently(void) {
	if (urgent_allowed == -1) {
		long now = syscall(SYS_sched_getscheduler, 0) & ~SCHED_RESET_ON_FORK;
		urgent_allowed =
			now == SCHED_NORMAL && city_schedule_has_company() && limit_urgent();
	}
	const struct sched_param first = {.sched_priority = 1};
	if (urgent_allowed && sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &first) < 0) {
		urgent_allowed = 0;
	}
}

void city_schedule_again(void) {
	const struct sched_param none = {0};
	if (urgent_allowed == 1) {
		sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none);
		city_schedule_promptly();
	}
}

/* The kernel lets only those out of SCHED_IDLE again that could also raise their own priority. */
static bool can_come_back(void) {
	errno = 0;
	int nice = getpriority(PRIO_PROCESS, 0);
	if (errno || setpriority(PRIO_PROCESS, 0, nice - 1) < 0) {
		return false;
	}
	setpriority(PRIO_PROCESS, 0, nice);
	return true;
}

void city_schedule_idly(void) {
	if (!can_come_back()) {
		return;
	}
	set_schedule(SCHED_IDLE, 0);
}

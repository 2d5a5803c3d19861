/* SPDX-License-Identifier: MIT */
#include "schedule.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
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

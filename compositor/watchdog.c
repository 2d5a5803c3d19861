/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compositor/watchdog.h"
#include "log.h"

#define TICKS 5	       /* within one turn: it hangs */
#define START_TICKS 60 /* before the loop: drivers may be slow to start */

/* Shared with the signal handler, which runs on the same thread. */
static struct {
	timer_t timer;
	bool made;
	struct itimerspec period;
	volatile sig_atomic_t asleep;
	volatile sig_atomic_t ticks, limit; /* within this turn */
	char last_words[128];
} dog;

static void handle_tick(int number) {
	/* One that was on its way when the loop went to sleep does not count. */
	if (dog.asleep || ++dog.ticks < dog.limit) {
		return;
	}
	ssize_t ignored = write(STDERR_FILENO, dog.last_words, strlen(dog.last_words));
	(void)ignored;
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void arm(void) {
	dog.ticks = 0;
	timer_settime(dog.timer, 0, &dog.period, NULL);
}

void city_watchdog_start(int limit_ms) {
	if (limit_ms <= 0 || dog.made) {
		return;
	}
	snprintf(dog.last_words, sizeof(dog.last_words),
		"source-city[compositor] error loop: hangs for %d ms now: it gives way to "
		"another\n",
		limit_ms);
	const long tick_ms = limit_ms / TICKS > 0 ? limit_ms / TICKS : 1;
	dog.period.it_value.tv_sec = dog.period.it_interval.tv_sec = tick_ms / 1000;
	dog.period.it_value.tv_nsec = dog.period.it_interval.tv_nsec = tick_ms % 1000 * 1000000;
	dog.limit = START_TICKS;
	struct sigaction action = {.sa_handler = handle_tick, .sa_flags = SA_RESTART};
	sigemptyset(&action.sa_mask);
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGPROF,
		._sigev_un._tid = gettid(),
	};
	if (sigaction(SIGPROF, &action, NULL) < 0 ||
		timer_create(CLOCK_MONOTONIC, &event, &dog.timer) < 0) {
		city_log(CITY_LOG_WARN, "loop", "nobody watches over it: %s", strerror(errno));
		return;
	}
	dog.made = true;
	arm();
}

void city_watchdog_loop(void) {
	dog.ticks = 0;
	dog.limit = TICKS;
}

void city_watchdog_sleeps(void) {
	static const struct itimerspec never;
	dog.asleep = 1;
	if (dog.made) {
		timer_settime(dog.timer, 0, &never, NULL);
	}
}

void city_watchdog_wakes(void) {
	dog.asleep = 0;
	if (dog.made) {
		arm();
	}
}

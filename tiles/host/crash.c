/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CRASH_STACK 65536
/* Processor time, so neither a busy machine nor a stopped process counts: an operation that has
 * used all of one such period has got stuck. An idle tile is never woken by it. */
#define STUCK_S 2

static struct host *crashing;

struct line {
	char text[320];
	size_t size;
};

static void add(struct line *line, const char *string) {
	while (*string && line->size < sizeof(line->text) - 1) {
		line->text[line->size++] = *string++;
	}
}

static void add_hex(struct line *line, uintptr_t value) {
	char digits[2 + 2 * sizeof(value) + 1];
	char *end = digits + sizeof(digits) - 1, *start = end;
	*end = 0;
	do {
		*--start = "0123456789abcdef"[value % 16];
		value /= 16;
	} while (value);
	*--start = 'x';
	*--start = '0';
	add(line, start);
}

static const char *signal_name(int number) {
	switch (number) {
	case SIGSEGV:
		return "SIGSEGV";
	case SIGBUS:
		return "SIGBUS";
	case SIGILL:
		return "SIGILL";
	case SIGFPE:
		return "SIGFPE";
	case SIGABRT:
		return "SIGABRT";
	default:
		return "a signal";
	}
}

/* Safe in a signal handler. The city tells people; a line on stderr is for the rest. */
static void tell_trouble(const struct host *host, int status) {
	static struct keeper_message message;
	if (host->keeper_fd < 0) {
		return;
	}
	message.type = KEEPER_TROUBLE;
	message.status = status;
	const char *operation = host->operation ? host->operation : "the host";
	for (size_t i = 0; i < sizeof(message.name) - 1; i++) {
		message.name[i] = *operation;
		operation += *operation != 0;
	}
	keeper_wire_send(host->keeper_fd, &message, NULL, 0);
}

/* STUCK_S of processor time have been used since the last time. */
static void handle_processor_time(int number) {
	struct host *host = crashing;
	int saved = errno;
	if (host->operation && !host->stuck && host->operation_number == host->operation_watched) {
		if (host->told) {
			_exit(HOST_EXIT_STUCK);
		}
		host->stuck = true;
		tell_trouble(host, 0);
	}
	host->operation_watched = host->operation ? host->operation_number : 0;
	errno = saved;
}

void host_no_longer_stuck(struct host *host) {
	host->stuck = false;
	tell_trouble(host, -1);
}

static void watch_processor_time(void) {
	struct sigaction action = {.sa_handler = handle_processor_time, .sa_flags = SA_RESTART};
	sigemptyset(&action.sa_mask);
	sigaction(SIGPROF, &action, NULL);
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
	const struct itimerspec period = {
		.it_value.tv_sec = STUCK_S, .it_interval.tv_sec = STUCK_S};
	timer_t timer;
	if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0) {
		timer_settime(timer, 0, &period, NULL);
	}
}

/* One line, then the death that the signal means. Only what is safe in a signal handler. */
static void handle_crash(int number, siginfo_t *info, void *context) {
	if (number == SIGSEGV && vat_barrier_handle_fault(info->si_addr)) {
		return;
	}
	const struct host *host = crashing;
	struct line line = {0};
	add(&line, "source-city[tile] error ");
	add(&line, host->name);
	add(&line, ": ");
	add(&line, signal_name(number));
	add(&line, " in ");
	add(&line, host->operation ? host->operation : "the host");
	if (number != SIGABRT) {
		add(&line, " at address ");
		add_hex(&line, (uintptr_t)info->si_addr);
	}
	add(&line, "\n");
	ssize_t ignored = write(STDERR_FILENO, line.text, line.size);
	(void)ignored;
	tell_trouble(host, number);
	/* Happens again with its default action, as soon as this returns if it was raised here. */
	signal(number, SIG_DFL);
	raise(number);
}

void host_crash_watch(struct host *host) {
	crashing = host;
}

void host_crash_install(struct host *host) {
	crashing = host;
	/* Of its own, so that a stack overflow is told too. */
	void *stack = mmap(NULL, CRASH_STACK, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack != MAP_FAILED) {
		stack_t alternative = {.ss_sp = stack, .ss_size = CRASH_STACK};
		sigaltstack(&alternative, NULL);
	}
	struct sigaction action = {
		.sa_sigaction = handle_crash,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	sigemptyset(&action.sa_mask);
	const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigaction(signals[i], &action, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a region that may not grow is an error like others */
	watch_processor_time();
}

/* SPDX-License-Identifier: MIT */
/*
 * Runs a machine to its end. Determinism: runs are cut where the caller likes, which no guest can
 * notice, but what comes from outside (what is typed) comes only at steps that are multiples of
 * TYPING, or when every hart waits for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "isa.h"
#include "run.h"

#define TYPING 65536ull
#define SLICE (4 * TYPING)
#define NANOSECONDS_PER_TICK (1000000000 / RV_TIMEBASE_HZ)

struct run {
	const struct run_options *options;
	struct rv_machine m;
	struct run_console console;
	struct run_network network;
	int disk; /* its file, -1: none */
	uint64_t handovers;
	struct timespec start;
};

volatile sig_atomic_t run_told_to_end;

static void handle_signal(int number) {
	run_told_to_end = number;
}

static void catch_signals(void) {
	struct sigaction action = {.sa_handler = handle_signal};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* The disk is a file that anybody may cut off meanwhile, and of which not all may have its place.
 */
static sigjmp_buf disk_lost;
static volatile size_t disk_lost_at;
static const struct rv_machine *disk_of;

static void handle_bus_error(int number, siginfo_t *info, void *context) {
	uintptr_t offset = (uintptr_t)info->si_addr - (uintptr_t)disk_of->disk;
	if (disk_of->disk && (uintptr_t)info->si_addr >= (uintptr_t)disk_of->disk &&
		offset < disk_of->disk_size) {
		disk_lost_at = offset;
		siglongjmp(disk_lost, 1);
	}
	/* It comes again at once, and ends the program. */
	signal(SIGBUS, SIG_DFL);
}

static void catch_bus_errors(const struct rv_machine *m) {
	struct sigaction action = {.sa_sigaction = handle_bus_error, .sa_flags = SA_SIGINFO};
	disk_of = m;
	sigaction(SIGBUS, &action, NULL);
}

static void trace(void *data, const struct rv_hart *hart, uint32_t instruction) {
	const struct rv_machine *m = data;
	struct rv_insn insn;
	char text[96];
	rv_decode(instruction, &insn);
	rv_disassemble(&insn, hart->pc, text, sizeof(text));
	fprintf(stderr, "%td %016" PRIx64 " %0*" PRIx32 "%s %s\n", hart - m->harts, hart->pc,
		insn.length * 2, insn.raw, insn.length == 2 ? "    " : "", text);
}

static uint64_t host_time(const struct run *run) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t nanoseconds =
		(now.tv_sec - run->start.tv_sec) * 1000000000 + (now.tv_nsec - run->start.tv_nsec);
	return nanoseconds / NANOSECONDS_PER_TICK;
}

static bool hand_over(struct run *run) {
	const struct rv_engine *next =
		run->m.engine == &rv_engine_plain ? &rv_engine_fast : &rv_engine_plain;
	rv_machine_finish(&run->m);
	if (!rv_machine_init(&run->m, next)) {
		run_say("no memory for implementation %s", next->name);
		return false;
	}
	run->handovers++;
	return true;
}

static uint64_t to_multiple(uint64_t steps, uint64_t of) {
	return of - steps % of;
}

/* Steps to make before something is to be done that is not the machine's. */
static uint64_t slice(const struct run *run) {
	const struct run_options *options = run->options;
	uint64_t steps = run->m.board->steps, most = to_multiple(steps, SLICE);
	if (run->console.input >= 0 || run->console.text_used < run->console.text_size)
		most = to_multiple(steps, TYPING);
	if (options->swap_every && to_multiple(steps, options->swap_every) < most)
		most = to_multiple(steps, options->swap_every);
	if (options->max_instructions && options->max_instructions - steps < most)
		most = options->max_instructions - steps;
	return most;
}

/* Every hart waits. False: for ever. */
static bool wait_for_something(struct run *run) {
	struct rv_machine *m = &run->m;
	if (run_console_feed(&run->console, m) || run_network_pump(&run->network, m))
		return true;
	if (run->options->deterministic)
		return false;
	uint64_t wake = rv_machine_wake_time(m), now = host_time(run);
	bool listening = run_console_listens(&run->console);
	if (wake == UINT64_MAX && !listening && run->network.from < 0)
		return false;
	/* Not longer at once: a signal may have come just before. */
	int64_t most = RUN_WAIT_MOST;
	if (wake <= now)
		most = 0;
	else if (wake - now < RUN_WAIT_MOST / NANOSECONDS_PER_TICK)
		most = (int64_t)((wake - now) * NANOSECONDS_PER_TICK);
	run_console_wait(&run->console, run->network.full ? -1 : run->network.from, most);
	rv_machine_set_time(m, host_time(run));
	return true;
}

static int status_of(uint32_t exit_code) {
	return exit_code < 255 ? (int)exit_code : 255;
}

/* Until the machine or somebody ends it; the status of the program. */
static int run_to_end(struct run *run) {
	struct rv_machine *m = &run->m;
	struct rv_board *board = m->board;
	const struct run_options *options = run->options;
	for (;;) {
		if (run_told_to_end || run->console.quit)
			return run_told_to_end ? 128 + run_told_to_end : 0;
		if (options->max_instructions && board->steps >= options->max_instructions)
			return RUN_LIMIT;
		if (!options->deterministic)
			rv_machine_set_time(m, host_time(run));
		if (!options->deterministic || board->steps % TYPING == 0)
			run_console_feed(&run->console, m);
		enum rv_stop stop = rv_machine_run(m, slice(run));
		run_console_drain(&run->console, m);
		run_network_pump(&run->network, m);
		if (run->console.failed || (options->trace && ferror(stderr)))
			return RUN_FAILED;
		if (stop == RV_STOP_ENDED)
			return status_of(board->exit_code);
		if (stop == RV_STOP_RESET && !run_guest_load(m, options))
			return RUN_FAILED;
		if (options->swap_every && board->steps % options->swap_every == 0 &&
			stop == RV_STOP_BUDGET && !hand_over(run))
			return RUN_FAILED;
		if (stop == RV_STOP_IDLE && !wait_for_something(run)) {
			run_say("every hart waits, and nothing will wake them");
			return RUN_FAILED;
		}
	}
}

static void print_hash(const struct run *run) {
	const struct rv_machine *m = &run->m;
	uint64_t retired = 0;
	for (unsigned i = 0; i < m->hart_count; i++)
		retired += m->harts[i].instret;
	run_say("hash %016" PRIx64 " console %016" PRIx64 " steps %" PRIu64 " instret %" PRIu64
		" handovers %" PRIu64,
		rv_machine_hash(m), run->console.hash, m->board->steps, retired, run->handovers);
}

static void say_disk_lost(const struct run *run) {
	struct stat stat;
	bool shorter = fstat(run->disk, &stat) == 0 && (uint64_t)stat.st_size <= disk_lost_at;
	run_say("%s: %s", run->options->disk,
		shorter ? "it became shorter while the machine used it as its disk"
			: "what the machine writes on its disk finds no room on the file system");
}

/* All that may touch the disk. */
static int run_with_disk(struct run *run) {
	if (sigsetjmp(disk_lost, 1) != 0) {
		run_console_drain(&run->console, &run->m);
		say_disk_lost(run);
		return RUN_FAILED;
	}
	catch_bus_errors(&run->m);
	int status = run_to_end(run);
	if (run->options->hash)
		print_hash(run);
	return status;
}

/* Where one of them is closed the first file of the machine would be taken for it. What is opened
 * instead fails like one that is closed. */
static void hold_standard_files(void) {
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv) {
	struct run_options options;
	int status;
	hold_standard_files();
	if (!run_options_parse(&options, argc, argv, &status))
		return status;
	struct run run = {.options = &options, .disk = -1};
	struct rv_machine *m = &run.m;
	status = RUN_FAILED;
	if (!run_guest_create(m, &options, &run.disk))
		goto out;
	if (!rv_machine_init(m, options.engine)) {
		run_say("no memory for implementation %s", options.engine->name);
		goto out;
	}
	if (options.trace) {
		m->trace = trace;
		m->trace_data = m;
	}
	if (run_network_open(&run.network, m, &options) && run_guest_load(m, &options) &&
		run_console_open(&run.console, &options)) {
		catch_signals();
		clock_gettime(CLOCK_MONOTONIC, &run.start);
		status = run_with_disk(&run);
	}
	run_console_close(&run.console);
	run_network_close(&run.network, m);
	rv_machine_finish(m);
out:
	run_guest_destroy(m);
	if (run.disk >= 0)
		close(run.disk);
	return status;
}

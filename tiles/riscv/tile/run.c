/* SPDX-License-Identifier: MIT */
/*
 * Time, and how much of it the machine gets. It runs in slices, between which the tile answers;
 * the number of instructions of a slice follows from what the one before took, as the host says.
 * Nothing else is asked, so that the same input gives the same machine.
 */
#include <stdio.h>

#include "rvtile.h"

#define TICK_NS (1000000000ull / RV_TIMEBASE_HZ)
/* What a full slice should take of the processor's time, and when the next one begins: the tile
 * has to answer within the time of a frame, and the rest of a core is for drawing, and for others.
 */
#define SLICE_NS 2500000ull
#define PERIOD_NS 2800000ull
#define BUDGET_FIRST 100000ull
#define BUDGET_LEAST 500ull
#define BUDGET_MOST 50000000ull
/* Bytes for the console in a slice, which cost more than the steps that they come from. */
#define SAID_MOST 65536
/* How far the machine's time may run ahead in a slice: not at all, so that steps are the finer
 * part of it and never the faster one. */
#define SLICE_TICKS (SLICE_NS / TICK_NS)

static uint64_t steps_of(const struct pace *pace) {
	return pace->budget * rvtile_speed;
}

static uint64_t ticks_at(const struct pace *pace, uint64_t now) {
	return now > pace->origin ? (now - pace->origin) / TICK_NS : 0;
}

void run_start(struct rvtile *rv) {
	struct pace *pace = pace_of(rv);
	uint64_t now = rv->tile->time->now_ns;
	/* The machine's time goes on where it was. */
	pace->origin = now - rv_machine_clock(&rv->machine) * TICK_NS;
	pace->paused_at = now;
	pace->budget = BUDGET_FIRST;
	pace->asked = 0;
	pace->idle = false;
}

bool run_runs(const struct rvtile *rv) {
	return setup_of(rv)->phase == SETUP_RUNS && rv->machine_there && !pace_of(rv)->paused &&
		!rv->machine.board->ended;
}

/* What the first slice of a version has of a full one. Pages that are written for the first time
 * after a handover take a hundred times what the instructions do; how many there will be nobody
 * knows before. */
#define FIRST_SHARE 32

void run_take_over(struct rvtile *rv) {
	rv->share = FIRST_SHARE;
	/* The guest has stood still: it goes on before anything is drawn. */
	if (run_runs(rv) && pace_of(rv)->asked > 0) {
		rv->tile->host->wake_at(rv->tile, 0);
	}
}

/* A share of a slice is doubled as long as it takes much less than a slice should. */
static void adapt_share(struct rvtile *rv, uint64_t took_us) {
	struct pace *pace = pace_of(rv);
	if (took_us >= SLICE_NS / 1000 / 2) {
		pace->budget /= rv->share;
		rv->share = 2;
	}
	rv->share /= 2;
}

/* By what the last slice took, if it was a full one: a quarter of the way to what would have been
 * right; all of it where it was much too long. */
static void adapt(struct rvtile *rv, uint64_t took_us) {
	struct pace *pace = pace_of(rv);
	if (pace->asked == 0 || took_us == 0) {
		return;
	}
	if (rv->share > 1) {
		adapt_share(rv, took_us);
		return;
	}
	uint64_t right = pace->budget * (SLICE_NS / 1000) / took_us;
	right = right > pace->budget * 2 ? pace->budget * 2 : right;
	pace->budget = right < pace->budget / 2 ? right : (pace->budget * 3 + right) / 4;
	pace->budget = pace->budget < BUDGET_LEAST ? BUDGET_LEAST
		: pace->budget > BUDGET_MOST	   ? BUDGET_MOST
						   : pace->budget;
}

/* Now, and from here on by steps until the next slice. */
static void set_time(struct rvtile *rv, uint64_t now) {
	struct pace *pace = pace_of(rv);
	struct rv_board *board = rv->machine.board;
	rv_machine_set_time(&rv->machine, ticks_at(pace, now));
	board->time_base = rv_machine_time(&rv->machine);
	board->steps_base = board->steps;
	board->steps_per_tick = (uint32_t)(steps_of(pace) / SLICE_TICKS + 1);
}

static void feed(struct rvtile *rv) {
	struct typed *typed = rv->tile->cells[CELL_TYPED];
	while (typed->count > 0) {
		uint32_t head = typed->head % TYPED_MAX;
		uint32_t piece = TYPED_MAX - head < typed->count ? TYPED_MAX - head : typed->count;
		size_t taken = rv_uart_input(&rv->machine, typed->bytes + head, piece);
		typed->head = (head + (uint32_t)taken) % TYPED_MAX;
		typed->count -= (uint32_t)taken;
		if (taken < piece) {
			return;
		}
	}
}

void run_type(struct rvtile *rv, const void *bytes, size_t size) {
	struct typed *typed = rv->tile->cells[CELL_TYPED];
	const uint8_t *from = bytes;
	if (size > TYPED_MAX - typed->count) {
		tile_log(rv->tile, 1, "the guest does not read what is typed: %zu bytes are lost",
			size - (TYPED_MAX - typed->count));
		size = TYPED_MAX - typed->count;
	}
	for (size_t i = 0; i < size; i++) {
		typed->bytes[(typed->head + typed->count++) % TYPED_MAX] = from[i];
	}
	run_wake(rv);
}

void run_wake(struct rvtile *rv) {
	pace_of(rv)->idle = false;
}

static size_t drain(struct rvtile *rv) {
	uint8_t bytes[RV_UART_TX];
	size_t size, drained = 0;
	while ((size = rv_uart_output(&rv->machine, bytes, sizeof(bytes))) > 0) {
		console_output(rv, bytes, size);
		drained += size;
	}
	return drained;
}

static void ended(struct rvtile *rv) {
	char text[96];
	snprintf(text, sizeof(text), "The machine was switched off with %u.",
		rv->machine.board->exit_code);
	console_message(rv, text);
}

/* Runs so many steps, or fewer if it waits, ends or begins anew. */
static void run(struct rvtile *rv, uint64_t steps) {
	struct rv_machine *m = &rv->machine;
	struct pace *pace = pace_of(rv);
	uint64_t end = m->board->steps + steps;
	size_t said = 0;
	pace->idle = false;
	while (m->board->steps < end && said < SAID_MOST) {
		feed(rv);
		enum rv_stop stop = rv_machine_run(m, end - m->board->steps);
		said += drain(rv);
		switch (stop) {
		case RV_STOP_CONSOLE:
			continue;
		case RV_STOP_IDLE:
			pace->idle = true;
			return;
		case RV_STOP_ENDED:
			ended(rv);
			return;
		case RV_STOP_RESET:
			loader_restart(rv);
			return;
		case RV_STOP_BUDGET:
			/* All steps were made; or what was done took more time than steps tell. */
			return;
		}
	}
}

void run_slice(struct rvtile *rv) {
	struct pace *pace = pace_of(rv);
	uint64_t now = rv->tile->time->now_ns;
	if (!run_runs(rv)) {
		pace->asked = 0;
		return;
	}
	adapt(rv, rv->tile->time->update_us);
	set_time(rv, now);
	uint64_t before = rv->machine.board->steps;
	uint64_t steps = steps_of(pace) / rv->share;
	run(rv, steps);
	network_flush(rv);
	uint64_t made = rv->machine.board->steps - before;
	bool laborious = rv->machine.work >= RV_WORK_MOST;
	bool full = run_runs(rv) && (made >= steps || laborious);
	/* What it is doing now takes much longer than what it did before: so many are a slice. */
	if (full && made < steps && rv->share == 1) {
		pace->budget =
			made / rvtile_speed > BUDGET_LEAST ? made / rvtile_speed : BUDGET_LEAST;
	}
	pace->asked = full ? now + PERIOD_NS / rv->share : 0;
}

uint64_t run_next(const struct rvtile *rv) {
	const struct pace *pace = pace_of(rv);
	if (!run_runs(rv)) {
		return UINT64_MAX;
	}
	if (!pace->idle) {
		return pace->asked;
	}
	uint64_t wake = rv_machine_wake_time(&rv->machine);
	if (wake > (UINT64_MAX - pace->origin) / TICK_NS) {
		return UINT64_MAX;
	}
	return pace->origin + wake * TICK_NS;
}

void run_pause(struct rvtile *rv, bool pause) {
	struct pace *pace = pace_of(rv);
	uint64_t now = rv->tile->time->now_ns;
	if (pause == pace->paused) {
		return;
	}
	pace->paused = pause;
	pace->asked = 0;
	pace->idle = false;
	if (pause) {
		pace->paused_at = now;
	} else {
		pace->origin += now - pace->paused_at;
	}
}

/* While it stands still its time does, and a machine that waits for a timer would do so for ever:
 * the wait is left out. */
static bool skip_wait(struct rvtile *rv) {
	struct pace *pace = pace_of(rv);
	uint64_t wake = rv_machine_wake_time(&rv->machine);
	uint64_t clock = rv_machine_clock(&rv->machine);
	if (wake == UINT64_MAX || wake <= clock || wake - clock > pace->origin / TICK_NS) {
		return false;
	}
	rv_machine_set_time(&rv->machine, wake);
	pace->origin -= (wake - clock) * TICK_NS;
	return true;
}

void run_step(struct rvtile *rv) {
	const struct pace *pace = pace_of(rv);
	if (pace->paused && setup_of(rv)->phase == SETUP_RUNS && rv->machine_there) {
		run(rv, 1);
		if (pace->idle && skip_wait(rv)) {
			run(rv, 1);
		}
	}
}

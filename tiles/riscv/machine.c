/* SPDX-License-Identifier: MIT */
/*
 * Harts take turns of a fixed number of steps. Runs are cut where a turn ends and where the timer
 * of the hart goes off, so that an interrupt comes at the same step whatever the caller's budgets
 * and the engine are.
 */
#include "machine.h"

#include <stdckdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virtio.h"

#define TURN 4096
#define RUN_NS 100 /* to enter and leave an engine, for as little as one step */

void *rv_scratch(const struct rv_machine *m, size_t size) {
	uint8_t *memory = calloc(1, size);
	/* Made ahead it is not only promised. */
	for (size_t at = 0; memory && m->ahead && at < size; at += RV_PAGE) {
		*(volatile uint8_t *)&memory[at] = 0;
	}
	return memory;
}

/* For the ram_size and hart_count that it has. */
static bool make_scratch(struct rv_machine *m, const struct rv_engine *engine) {
	m->engine = engine;
	m->page_flags = rv_scratch(m, m->ram_size / RV_PAGE + 1);
	if (!m->page_flags) {
		return false;
	}
	if (engine->create && !engine->create(m)) {
		free(m->page_flags);
		m->page_flags = NULL;
		return false;
	}
	m->room_ram = m->ram_size;
	m->room_harts = m->hart_count;
	return true;
}

bool rv_machine_warm(
	struct rv_machine *m, const struct rv_engine *engine, uint64_t ram_size, unsigned harts) {
	m->ahead = true;
	m->ram_size = ram_size;
	m->hart_count = harts;
	bool made = make_scratch(m, engine);
	m->ahead = false;
	return made;
}

bool rv_machine_init(struct rv_machine *m, const struct rv_engine *engine) {
	if (m->page_flags &&
		(m->engine != engine || m->room_ram < m->ram_size ||
			m->room_harts < m->hart_count)) {
		rv_machine_finish(m);
	}
	if (!m->page_flags && !make_scratch(m, engine)) {
		return false;
	}
	if (engine->begin) {
		engine->begin(m);
	}
	return true;
}

void rv_machine_finish(struct rv_machine *m) {
	if (m->page_flags && m->engine->destroy) {
		/* The machine that it was made for may have been another one. */
		unsigned harts = m->hart_count;
		m->hart_count = m->room_harts;
		m->engine->destroy(m);
		m->hart_count = harts;
	}
	free(m->page_flags);
	m->page_flags = NULL;
	m->engine_data = NULL;
}

void rv_machine_reset(struct rv_machine *m) {
	struct rv_board *board = m->board;
	for (unsigned i = 0; i < m->hart_count; i++) {
		struct rv_hart *hart = &m->harts[i];
		memset(hart, 0, sizeof(*hart));
		hart->mode = RV_MODE_M;
		hart->pc = board->boot_pc;
		hart->x[10] = i;
		hart->x[11] = board->boot_fdt;
		rv_tlb_flush(m, hart);
	}
	rv_clint_reset(m);
	rv_plic_reset(m);
	rv_uart_reset(m);
	rv_virtio_reset(m);
	if (m->net) {
		rv_net_reset(m);
	}
	board->turn = 0;
	board->turn_left = TURN;
	board->reset_wanted = false;
	board->string_left = 0;
}

void rv_machine_end(struct rv_machine *m, uint32_t exit_code) {
	m->board->ended = true;
	m->board->exit_code = exit_code;
	m->attention = true;
}

void rv_machine_want_reset(struct rv_machine *m) {
	m->board->reset_wanted = true;
	m->attention = true;
}

uint64_t rv_machine_time(const struct rv_machine *m) {
	const struct rv_board *board = m->board;
	uint64_t steps = board->steps + m->run_steps - board->steps_base;
	return board->time_base + steps / board->steps_per_tick;
}

uint64_t rv_machine_clock(const struct rv_machine *m) {
	return rv_machine_time(m) - m->board->time_shift;
}

void rv_machine_set_time(struct rv_machine *m, uint64_t clock) {
	struct rv_board *board = m->board;
	if (clock > rv_machine_clock(m)) {
		board->time_base = clock + board->time_shift;
		board->steps_base = board->steps;
	}
}

void rv_machine_write_time(struct rv_machine *m, uint64_t mtime) {
	/* Its ticks stay where they fall among the steps. */
	uint64_t change = mtime - rv_machine_time(m);
	m->board->time_base += change;
	m->board->time_shift += change;
}

uint64_t rv_machine_wake_time(const struct rv_machine *m) {
	uint64_t first = UINT64_MAX;
	for (unsigned i = 0; i < m->hart_count; i++) {
		const struct rv_hart *hart = &m->harts[i];
		if (hart->waiting && (hart->mie >> RV_INT_MTI & 1) &&
			m->clint->mtimecmp[i] < first) {
			first = m->clint->mtimecmp[i];
		}
	}
	/* Never stays never. */
	return first == UINT64_MAX ? first : first - m->board->time_shift;
}

/* Steps until the hart's timer goes off; as good as never if it is off already. */
static uint64_t steps_to_timer(const struct rv_machine *m, unsigned hart) {
	const struct rv_board *board = m->board;
	uint64_t now = rv_machine_time(m), compare = m->clint->mtimecmp[hart];
	uint64_t steps;
	if (compare <= now || ckd_mul(&steps, compare - now, (uint64_t)board->steps_per_tick)) {
		return UINT64_MAX;
	}
	/* Some of the first tick has gone. */
	return steps - (board->steps - board->steps_base) % board->steps_per_tick;
}

static bool can_run(const struct rv_machine *m, const struct rv_hart *hart) {
	return !hart->waiting || (hart->mie && (rv_mip(m, hart) & hart->mie));
}

/* Whose turn it is, NULL if all wait. Changes nothing then. */
static struct rv_hart *next_hart(struct rv_machine *m) {
	struct rv_board *board = m->board;
	struct rv_hart *present = &m->harts[board->turn];
	if (board->turn_left && !present->waiting) {
		return present;
	}
	for (unsigned i = 1; i <= m->hart_count; i++) {
		unsigned number = (board->turn + i) % m->hart_count;
		struct rv_hart *hart = &m->harts[number];
		if (!can_run(m, hart)) {
			continue;
		}
		if (hart != present) {
			present->reserved = false;
		}
		hart->waiting = false;
		board->turn = number;
		board->turn_left = TURN;
		return hart;
	}
	return NULL;
}

static uint64_t least(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

static uint64_t run_hart(struct rv_machine *m, struct rv_hart *hart, uint64_t steps) {
	struct rv_board *board = m->board;
	steps = least(steps, board->turn_left);
	steps = least(steps, steps_to_timer(m, hart - m->harts));
	m->attention = false;
	m->run_steps = 0;
	m->run_traps = 0;
	uint64_t made = m->engine->run(m, hart, steps);
	rv_counters_advance(hart, made, m->run_traps);
	board->steps += made;
	board->turn_left -= made;
	m->run_steps = 0;
	m->run_traps = 0;
	rv_work(m, RUN_NS);
	return made;
}

/* tohost may have been found since, or be in RAM that has been put there. */
static void watch_tohost(struct rv_machine *m) {
	if (m->board->tohost && rv_is_ram(m, m->board->tohost, 8)) {
		m->page_flags[(m->board->tohost - RV_RAM_BASE) / RV_PAGE] |= RV_PAGE_WATCHED;
	}
}

enum rv_stop rv_machine_run(struct rv_machine *m, uint64_t steps) {
	struct rv_board *board = m->board;
	watch_tohost(m);
	m->worked = false;
	m->new_pages = m->moved = 0;
	m->work = 0;
	for (;;) {
		if (board->ended) {
			return RV_STOP_ENDED;
		}
		if (board->reset_wanted) {
			board->resets++;
			rv_machine_reset(m);
			return RV_STOP_RESET;
		}
		if (m->uart->tx_count > RV_UART_TX - RV_UART_ROOM) {
			return RV_STOP_CONSOLE;
		}
		if (!steps || m->worked) {
			return RV_STOP_BUDGET;
		}
		/* The last step is not over yet. */
		if (m->virtio->busy) {
			rv_virtio_go_on(m);
			continue;
		}
		if (board->string_left) {
			rv_semihost_go_on(m);
			continue;
		}
		struct rv_hart *hart = next_hart(m);
		if (hart) {
			rv_interrupt(m, hart);
			steps -= run_hart(m, hart, steps);
			continue;
		}
		uint64_t wake = rv_machine_wake_time(m);
		if (!board->deterministic || wake == UINT64_MAX) {
			return RV_STOP_IDLE;
		}
		rv_machine_set_time(m, wake);
	}
}

void rv_machine_written(struct rv_machine *m, uint64_t physical, uint64_t size) {
	for (unsigned i = 0; i < m->hart_count; i++) {
		struct rv_hart *hart = &m->harts[i];
		if (hart->reservation < physical + size && physical < hart->reservation + 8) {
			hart->reserved = false;
		}
	}
	while (size) {
		uint64_t part = least(size, RV_PAGE - physical % RV_PAGE);
		if (rv_is_ram(m, physical, part) && m->engine->written &&
			(m->page_flags[(physical - RV_RAM_BASE) / RV_PAGE] & RV_PAGE_CODE)) {
			m->engine->written(m, physical, part);
		}
		physical += part;
		size -= part;
	}
}

static uint64_t hash_words(uint64_t hash, const void *data, size_t size) {
	const uint64_t prime = 0x100000001b3;
	const uint8_t *bytes = data;
	for (; size >= 8; bytes += 8, size -= 8) {
		uint64_t word;
		memcpy(&word, bytes, 8);
		hash = (hash ^ word) * prime;
		/* A multiplication only carries upwards. */
		hash ^= hash >> 32;
	}
	for (; size; bytes++, size--) {
		hash = (hash ^ *bytes) * prime;
	}
	return hash;
}

static bool hart_is_possible(const struct rv_hart *hart) {
	return !(hart->pc & 1) && hart->x[0] == 0 && hart->frm < 8 && hart->fflags < 32 &&
		(hart->mode == RV_MODE_U || hart->mode == RV_MODE_S || hart->mode == RV_MODE_M);
}

static bool net_is_possible(const struct rv_net *net) {
	bool possible = virtio_is_possible(net->queues, RV_NET_QUEUES) &&
		net->out_head < RV_NET_OUT && net->out_count <= RV_NET_OUT;
	for (unsigned i = 0; i < RV_NET_OUT; i++) {
		possible = possible && net->out[i].size <= RV_FRAME_MAX;
	}
	return possible;
}

bool rv_machine_check(const struct rv_machine *m, char *why, size_t why_size) {
	const struct rv_board *board = m->board;
	const struct rv_uart *uart = m->uart;
	const struct rv_virtio *virtio = m->virtio;
	const char *what = NULL;
	if (m->hart_count < 1 || m->hart_count > RV_HARTS_MAX || m->ram_size % RV_PAGE) {
		what = "its size";
	} else if (board->steps_per_tick == 0 || board->turn >= m->hart_count) {
		what = "its clock";
	} else if (uart->rx_count > RV_UART_RX || uart->tx_count > RV_UART_TX ||
		uart->rx_head >= RV_UART_RX || uart->tx_head >= RV_UART_TX) {
		what = "its UART";
	} else if (board->string_hart >= m->hart_count) {
		what = "its semihosting";
	} else if (!virtio_is_possible(&virtio->queue, 1) ||
		(virtio->busy && !virtio->queue.ready)) {
		what = "its disk";
	} else if (m->net && !net_is_possible(m->net)) {
		what = "its network card";
	}
	for (unsigned i = 0; !what && i < m->hart_count; i++) {
		what = hart_is_possible(&m->harts[i]) ? NULL : "a hart";
	}
	if (what) {
		snprintf(why, why_size, "%s is in a state that no machine could be in", what);
	}
	return !what;
}

uint64_t rv_machine_hash(const struct rv_machine *m) {
	uint64_t hash = 0xcbf29ce484222325;
	hash = hash_words(hash, m->board, sizeof(*m->board));
	hash = hash_words(hash, m->harts, sizeof(*m->harts) * m->hart_count);
	hash = hash_words(hash, m->tlbs, sizeof(*m->tlbs) * m->hart_count);
	hash = hash_words(hash, m->clint, sizeof(*m->clint));
	hash = hash_words(hash, m->plic, sizeof(*m->plic));
	hash = hash_words(hash, m->uart, sizeof(*m->uart));
	hash = hash_words(hash, m->virtio, sizeof(*m->virtio));
	if (m->net) {
		hash = hash_words(hash, m->net, sizeof(*m->net));
	}
	hash = hash_words(hash, m->ram, m->ram_size);
	return hash_words(hash, m->disk, m->disk_size);
}

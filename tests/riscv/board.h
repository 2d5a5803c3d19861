/* SPDX-License-Identifier: MIT */
/* A machine of which only the board is tested: its engine executes nothing. */
#ifndef TEST_RISCV_BOARD_H
#define TEST_RISCV_BOARD_H

#include <stdlib.h>

#include "machine.h"

static uint64_t board_run(struct rv_machine *m, struct rv_hart *hart, uint64_t steps) {
	return steps;
}

static const struct rv_engine board_engine = {.name = "none", .run = board_run};

/* RAM and disk are ends of allocations of their own, so that a sanitizer sees a byte too much. */
static inline struct rv_machine *board_create(unsigned harts, uint64_t ram, uint64_t disk) {
	struct rv_machine *m = calloc(1, sizeof(*m));
	m->board = calloc(1, sizeof(*m->board));
	m->harts = calloc(harts, sizeof(*m->harts));
	m->tlbs = calloc(harts, sizeof(*m->tlbs));
	m->clint = calloc(1, sizeof(*m->clint));
	m->plic = calloc(1, sizeof(*m->plic));
	m->uart = calloc(1, sizeof(*m->uart));
	m->virtio = calloc(1, sizeof(*m->virtio));
	m->ram = calloc(1, ram);
	m->ram_size = ram;
	m->disk = disk ? calloc(1, disk) : NULL;
	m->disk_size = disk;
	m->hart_count = harts;
	m->board->steps_per_tick = 1;
	m->board->deterministic = true;
	if (!rv_machine_init(m, &board_engine))
		abort();
	rv_machine_reset(m);
	return m;
}

static inline void board_destroy(struct rv_machine *m) {
	rv_machine_finish(m);
	free(m->disk);
	free(m->ram);
	free(m->virtio);
	free(m->uart);
	free(m->plic);
	free(m->clint);
	free(m->tlbs);
	free(m->harts);
	free(m->board);
	free(m);
}

static inline uint64_t board_read(struct rv_machine *m, uint64_t address, unsigned size) {
	uint64_t value = 0x5a5a5a5a5a5a5a5a;
	if (!rv_bus_read(m, address, size, &value))
		abort();
	return value;
}

static inline void board_write(
	struct rv_machine *m, uint64_t address, unsigned size, uint64_t value) {
	if (!rv_bus_write(m, address, size, value))
		abort();
}

#endif

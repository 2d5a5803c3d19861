/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "code_memory.h"

const struct rv_engine *rig_engine = &rv_engine_plain;
static bool native;

void rig_arguments(int argc, char **argv) {
	const char *name = argc > 1 ? argv[1] : "plain";
	native = strcmp(name, "native") == 0;
	if (native || strcmp(name, "threaded") == 0) {
		rig_engine = &rv_engine_fast;
	} else if (strcmp(name, "plain") != 0) {
		fprintf(stderr, "%s: the engine is plain, threaded or native, not %s\n", argv[0],
			name);
		exit(2);
	}
}

struct rig *rig_create(unsigned harts, const struct rv_engine *engine) {
	struct rig *rig = calloc(1, sizeof(*rig));
	assert_non_null(rig);
	rig->ram = calloc(1, RIG_RAM);
	assert_non_null(rig->ram);
	rig->m = (struct rv_machine){
		.board = &rig->board,
		.harts = rig->harts,
		.tlbs = rig->tlbs,
		.clint = &rig->clint,
		.plic = &rig->plic,
		.uart = &rig->uart,
		.virtio = &rig->virtio,
		.ram = rig->ram,
		.ram_size = RIG_RAM,
		.hart_count = harts,
		.code_memory = native ? code_memory : NULL,
		.code_memory_free = code_memory_free,
	};
	rig->hart = rig->harts;
	rig->board.steps_per_tick = 1;
	rig->board.deterministic = true;
	rig->board.boot_pc = RV_RAM_BASE;
	rig->at = RV_RAM_BASE;
	assert_true(rv_machine_init(&rig->m, engine));
	rv_machine_reset(&rig->m);
	return rig;
}

void rig_destroy(struct rig *rig) {
	rv_machine_finish(&rig->m);
	free(rig->ram);
	free(rig);
}

static void put(struct rig *rig, const void *data, size_t size) {
	assert_true(rv_is_ram(&rig->m, rig->at, size));
	memcpy(rig->ram + (rig->at - RV_RAM_BASE), data, size);
	rv_machine_written(&rig->m, rig->at, size);
	rig->at += size;
}

void rig_put(struct rig *rig, uint32_t instruction) {
	put(rig, &instruction, sizeof(instruction));
}

void rig_put16(struct rig *rig, uint16_t instruction) {
	put(rig, &instruction, sizeof(instruction));
}

void rig_go(struct rig *rig, uint64_t address) {
	rig->at = address;
	rig->hart->pc = address;
}

void rig_run(struct rig *rig, uint64_t steps) {
	uint64_t before = rig->board.steps;
	do {
		rv_machine_run(&rig->m, steps - (rig->board.steps - before));
		/* It may end early where much was done. */
	} while (rig->m.worked && rig->board.steps - before < steps);
	assert_int_equal(rig->board.steps - before, steps);
}

uint64_t rig_read(const struct rig *rig, uint64_t physical) {
	uint64_t value;
	assert_true(rv_is_ram(&rig->m, physical, sizeof(value)));
	memcpy(&value, rig->ram + (physical - RV_RAM_BASE), sizeof(value));
	return value;
}

void rig_write(struct rig *rig, uint64_t physical, uint64_t value) {
	assert_true(rv_is_ram(&rig->m, physical, sizeof(value)));
	memcpy(rig->ram + (physical - RV_RAM_BASE), &value, sizeof(value));
	rv_machine_written(&rig->m, physical, sizeof(value));
}

uint64_t rig_csr(const struct rig *rig, unsigned number) {
	uint64_t value;
	assert_true(rv_csr_peek(&rig->m, rig->hart, number, &value));
	return value;
}

uint64_t rig_write_csr(struct rig *rig, unsigned number, uint64_t value) {
	uint64_t old, read;
	uint32_t mode = rig->hart->mode;
	rig->hart->mode = RV_MODE_M;
	assert_true(rv_csr(&rig->m, rig->hart, number, RV_CSR_WRITE, false, true, value, &old));
	assert_true(rv_csr(&rig->m, rig->hart, number, RV_CSR_SET, true, false, 0, &read));
	rig->hart->mode = mode;
	return read;
}

void rig_step(struct rig *rig, uint32_t instruction) {
	rig->at = rig->hart->pc;
	rig_put(rig, instruction);
	rig_run(rig, 1);
}

void rig_mode(struct rig *rig, enum rv_mode mode) {
	rig_open_pmp(rig);
	rig->hart->mode = mode;
}

void rig_open_pmp(struct rig *rig) {
	rig_write_csr(rig, RV_CSR_PMPADDR15, UINT64_MAX);
	rig_write_csr(rig, RV_CSR_PMPCFG2,
		(uint64_t)(RV_PMP_NAPOT | RV_PMP_R | RV_PMP_W | RV_PMP_X) << 56);
}

/* SPDX-License-Identifier: MIT */
/*
 * Random unprivileged programs, executed beside unicorn (QEMU's processor as a library): all
 * registers, pc and fcsr are compared after every step, or after every few, the memory at the end.
 * More of them, or others: test-riscv-lockstep_unicorn ENGINE PROGRAMS SEED
 * STEPS, with comparisons no more than STEPS apart.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#include <unicorn/unicorn.h>

#include "isa.h"
#include "program.h"
#include "unicorn_differs.h"

static const uint64_t code_at = RV_RAM_BASE, data_at = RV_RAM_BASE + 0x10000;
enum { STEPS = 400, LONG = 3000, MSTATUS = 0x300, DEFAULT_PROGRAMS = 150 };

static unsigned long programs = DEFAULT_PROGRAMS, seed = 1, most;

struct pair {
	struct rig *rig;
	uc_engine *uc;
	int registers[32 * 2 + 2];
	uint64_t values[32 * 2 + 2];
	void *places[32 * 2 + 2];
};

enum { PC = 64, ITS_FCSR = 65, REGISTERS = 66 };

static void pair_open(struct pair *pair) {
	pair->rig = rig_create(1, rig_engine);
	assert_int_equal(uc_open(UC_ARCH_RISCV, UC_MODE_RISCV64, &pair->uc), UC_ERR_OK);
	assert_int_equal(uc_mem_map(pair->uc, RV_RAM_BASE, RIG_RAM, UC_PROT_ALL), UC_ERR_OK);
	uint64_t mstatus = 3 << 13;
	assert_int_equal(uc_reg_write(pair->uc, UC_RISCV_REG_MSTATUS, &mstatus), UC_ERR_OK);
	rig_write_csr(pair->rig, MSTATUS, mstatus);
	for (int i = 0; i < 32; i++) {
		pair->registers[i] = UC_RISCV_REG_X0 + i;
		pair->registers[32 + i] = UC_RISCV_REG_F0 + i;
	}
	pair->registers[PC] = UC_RISCV_REG_PC;
	pair->registers[ITS_FCSR] = UC_RISCV_REG_FCSR;
	for (int i = 0; i < REGISTERS; i++)
		pair->places[i] = &pair->values[i];
}

static void pair_close(struct pair *pair) {
	uc_close(pair->uc);
	rig_destroy(pair->rig);
}

static void write_both(struct pair *pair, uint64_t address, const void *data, size_t size) {
	memcpy(pair->rig->ram + (address - RV_RAM_BASE), data, size);
	rv_machine_written(&pair->rig->m, address, size);
	assert_int_equal(uc_mem_write(pair->uc, address, data, size), UC_ERR_OK);
}

static void begin(struct pair *pair, const struct program *program) {
	struct rv_hart *hart = pair->rig->hart;
	uint8_t data[PROGRAM_DATA];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 0x9d >> 3 ^ i << 2);
	write_both(pair, code_at, program->code, sizeof program->code);
	write_both(pair, data_at, data, sizeof data);
	uc_ctl_flush_tb(pair->uc);
	memcpy(hart->x, program->x, sizeof hart->x);
	memcpy(hart->f, program->f, sizeof hart->f);
	memcpy(pair->values, program->x, sizeof program->x);
	memcpy(pair->values + 32, program->f, sizeof program->f);
	hart->pc = pair->values[PC] = program->code_at;
	hart->fflags = hart->frm = 0;
	hart->reserved = false;
	pair->values[ITS_FCSR] = 0;
	assert_int_equal(
		uc_reg_write_batch(pair->uc, pair->registers, pair->places, REGISTERS), UC_ERR_OK);
}

static void describe(const struct pair *pair, uint64_t pc, const char *what, uint64_t ours,
	uint64_t its, unsigned flags) {
	struct rv_insn insn;
	char text[80] = "";
	uint32_t raw;
	memcpy(&raw, pair->rig->ram + (pc - RV_RAM_BASE), sizeof raw);
	rv_decode(raw, &insn);
	rv_disassemble(&insn, pc, text, sizeof text);
	print_error("%s %s: %s is %" PRIx64 ", unicorn has %" PRIx64 " (from pc %" PRIx64
		    ": %s; flags %u)\n",
		rig_engine->name, flags & PROGRAM_NO_NEWER_FP ? "in runs" : "in steps", what, ours,
		its, pc, text, flags);
}

/* True: the same, of what the program is made to keep the same. */
static bool compare(struct pair *pair, uint64_t pc, unsigned flags) {
	const struct rv_hart *hart = pair->rig->hart;
	assert_int_equal(
		uc_reg_read_batch(pair->uc, pair->registers, pair->places, REGISTERS), UC_ERR_OK);
	bool same = true;
	for (unsigned i = 0; i < 32; i++) {
		if (hart->x[i] != pair->values[i]) {
			describe(pair, pc, rv_register_name(i), hart->x[i], pair->values[i], flags);
			same = false;
		}
		/* Single numbers are not boxed there. */
		const uint64_t mask = i < 16 ? UINT32_MAX : UINT64_MAX;
		if ((hart->f[i] ^ pair->values[32 + i]) & mask) {
			describe(pair, pc, rv_fp_register_name(i), hart->f[i], pair->values[32 + i],
				flags);
			same = false;
		}
		if (i < 16 && hart->f[i] >> 32 != UINT32_MAX) {
			describe(pair, pc, "upper half", hart->f[i], UINT64_MAX, flags);
			same = false;
		}
	}
	if (hart->pc != pair->values[PC]) {
		describe(pair, pc, "pc", hart->pc, pair->values[PC], flags);
		same = false;
	}
	if ((hart->frm << 5 | hart->fflags) != pair->values[ITS_FCSR]) {
		describe(pair, pc, "fcsr", hart->frm << 5 | hart->fflags, pair->values[ITS_FCSR],
			flags);
		same = false;
	}
	return same;
}

/* What the instruction gives is ours, if unicorn gives something older. */
static void mend(struct pair *pair, const struct rv_hart *before) {
	const struct rv_hart *hart = pair->rig->hart;
	uint32_t raw;
	memcpy(&raw, pair->rig->ram + (before->pc - RV_RAM_BASE), sizeof raw);
	struct rv_insn insn;
	rv_decode(raw, &insn);
	if (!newer_than_unicorn(
		    insn.op, before->f[insn.rs1], before->f[insn.rs2], before->f[insn.rs3]))
		return;
	uint64_t fcsr = hart->frm << 5 | hart->fflags;
	uc_reg_write(pair->uc, UC_RISCV_REG_F0 + insn.rd, &hart->f[insn.rd]);
	uc_reg_write(pair->uc, UC_RISCV_REG_FCSR, &fcsr);
}

static void count_op(void *data, const struct rv_hart *hart, uint32_t raw) {
	uint64_t *executed = data;
	struct rv_insn insn;
	rv_decode(raw, &insn);
	executed[insn.op]++;
}

static bool run_program(struct pair *pair, const struct program *program, unsigned flags,
	size_t apart, uint64_t *compared) {
	begin(pair, program);
	for (unsigned made = 0; made < (apart > 1 ? LONG : STEPS);) {
		const size_t steps = 1 + (made * 7 + apart) % apart;
		const struct rv_hart before = *pair->rig->hart;
		assert_int_equal(uc_emu_start(pair->uc, before.pc, 0, 0, steps), UC_ERR_OK);
		rig_run(pair->rig, steps);
		if (steps == 1)
			mend(pair, &before);
		++*compared;
		if (!compare(pair, before.pc, flags))
			return false;
		made += (unsigned)steps;
	}
	static uint8_t memory[RIG_RAM];
	assert_int_equal(uc_mem_read(pair->uc, RV_RAM_BASE, memory, sizeof memory), UC_ERR_OK);
	if (memcmp(memory, pair->rig->ram, sizeof memory) != 0) {
		size_t i = 0;
		while (memory[i] == pair->rig->ram[i])
			i++;
		print_error("memory differs at %zx\n", i);
		return false;
	}
	return true;
}

static void engine_as_unicorn(void **state) {
	struct pair pair = {};
	pair_open(&pair);
	uint64_t compared = 0, executed[RV_OPS] = {};
	unsigned failed = 0;
	pair.rig->m.trace = count_op;
	pair.rig->m.trace_data = executed;
	for (unsigned long i = 0; i < programs && failed < 5; i++) {
		struct program program;
		const size_t apart = most ? most : i % 2 ? 1 : 2 + i % 61;
		const unsigned flags =
			PROGRAM_FP_APART | PROGRAM_FENCED | (apart > 1 ? PROGRAM_NO_NEWER_FP : 0);
		program_seed(seed + i);
		program_make(&program, flags, code_at, data_at);
		if (!run_program(&pair, &program, flags, apart, &compared)) {
			print_error("program of seed %lu\n", seed + i);
			failed++;
		}
	}
	pair_close(&pair);
	print_message("# %s: %" PRIu64 " times compared, in %lu programs\n", rig_engine->name,
		compared, programs);
	assert_int_equal(failed, 0);
	if (rig_engine != &rv_engine_plain || programs < DEFAULT_PROGRAMS)
		return;
	for (unsigned op = RV_OP_LB; op < RV_OPS; op++) {
		if (!executed[op] && (op < RV_OP_ECALL || op > RV_OP_SFENCE_VMA))
			fail_msg("%s was never executed", rv_mnemonic(op));
	}
}

int main(int argc, char **argv) {
	rig_arguments(argc, argv);
	if (argc > 2)
		programs = strtoul(argv[2], NULL, 0);
	if (argc > 3)
		seed = strtoul(argv[3], NULL, 0);
	if (argc > 4)
		most = strtoul(argv[4], NULL, 0);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(engine_as_unicorn),
	};
	return cmocka_run_group_tests_name("riscv lockstep with unicorn", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * A machine for tests, with little RAM and the plain engine, and instructions for it by name.
 * Errors fail the test.
 */
#ifndef TEST_RISCV_RIG_H
#define TEST_RISCV_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "csr.h"
#include "machine.h"

#define RIG_RAM (1u << 20)

struct rig {
	struct rv_machine m;
	struct rv_board board;
	struct rv_hart harts[RV_HARTS_MAX];
	struct rv_tlb tlbs[RV_HARTS_MAX];
	struct rv_clint clint;
	struct rv_plic plic;
	struct rv_uart uart;
	struct rv_virtio virtio;
	uint8_t *ram;
	struct rv_hart *hart; /* the first */
	uint64_t at;	      /* where rig_put() puts the next instruction */
};

/* The engine that the program's argument names: plain, threaded or native. */
void rig_arguments(int argc, char **argv);
extern const struct rv_engine *rig_engine;

/* Deterministic, a step a tick, reset, pc at the beginning of RAM, where the code goes too. */
struct rig *rig_create(unsigned harts, const struct rv_engine *engine);
void rig_destroy(struct rig *rig);
void rig_put(struct rig *rig, uint32_t instruction);
void rig_put16(struct rig *rig, uint16_t instruction);
/* To be executed from here on, and put there. */
void rig_go(struct rig *rig, uint64_t address);
/* Runs exactly so many steps. */
void rig_run(struct rig *rig, uint64_t steps);
/* RAM by physical address. */
uint64_t rig_read(const struct rig *rig, uint64_t physical);
void rig_write(struct rig *rig, uint64_t physical, uint64_t value);
/* A CSR as a debugger reads it. */
uint64_t rig_csr(const struct rig *rig, unsigned number);
/* Writes a CSR as an instruction in M mode does, and gives what it then reads. */
uint64_t rig_write_csr(struct rig *rig, unsigned number, uint64_t value);
/* Puts an instruction where pc is, by physical address, and executes it. */
void rig_step(struct rig *rig, uint32_t instruction);
/* The hart goes on in this mode, everything allowed to it by PMP. */
void rig_mode(struct rig *rig, enum rv_mode mode);
/* Allows everything to all modes by the last PMP entry. */
void rig_open_pmp(struct rig *rig);

/* ---- instructions */

enum { X0, RA, SP, GP, TP, T0, T1, T2, S0, S1, A0, A1, A2, A3, A4, A5, A6, A7 };

static inline uint32_t i_type(
	unsigned opcode, unsigned f3, unsigned rd, unsigned rs1, unsigned imm) {
	return imm << 20 | rs1 << 15 | f3 << 12 | rd << 7 | opcode;
}
static inline uint32_t r_type(
	unsigned opcode, unsigned f3, unsigned f7, unsigned rd, unsigned rs1, unsigned rs2) {
	return f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | opcode;
}
static inline uint32_t s_type(unsigned opcode, unsigned f3, unsigned rs1, unsigned rs2, int imm) {
	return (uint32_t)(imm >> 5 & 127) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 |
		(uint32_t)(imm & 31) << 7 | opcode;
}

static inline uint32_t addi(unsigned rd, unsigned rs1, int imm) {
	return i_type(0x13, 0, rd, rs1, imm);
}
static inline uint32_t add(unsigned rd, unsigned rs1, unsigned rs2) {
	return r_type(0x33, 0, 0, rd, rs1, rs2);
}
static inline uint32_t nop(void) {
	return addi(X0, X0, 0);
}
/* f3: 0 byte, 1 half, 2 word, 3 double; loads | 4: unsigned */
static inline uint32_t load(unsigned f3, unsigned rd, unsigned rs1, int imm) {
	return i_type(0x03, f3, rd, rs1, imm);
}
static inline uint32_t store(unsigned f3, unsigned rs1, unsigned rs2, int imm) {
	return s_type(0x23, f3, rs1, rs2, imm);
}
static inline uint32_t jalr(unsigned rd, unsigned rs1, int imm) {
	return i_type(0x67, 0, rd, rs1, imm);
}
static inline uint32_t jal(unsigned rd, int offset) {
	uint32_t o = offset;
	return (o >> 20 & 1) << 31 | (o >> 1 & 0x3ff) << 21 | (o >> 11 & 1) << 20 |
		(o >> 12 & 0xff) << 12 | rd << 7 | 0x6f;
}
static inline uint32_t branch(unsigned f3, unsigned rs1, unsigned rs2, int offset) {
	uint32_t o = offset;
	return (o >> 12 & 1) << 31 | (o >> 5 & 63) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 |
		(o >> 1 & 15) << 8 | (o >> 11 & 1) << 7 | 0x63;
}
static inline uint32_t csrrw(unsigned rd, unsigned csr, unsigned rs1) {
	return i_type(0x73, 1, rd, rs1, csr);
}
static inline uint32_t csrrs(unsigned rd, unsigned csr, unsigned rs1) {
	return i_type(0x73, 2, rd, rs1, csr);
}
static inline uint32_t csrrc(unsigned rd, unsigned csr, unsigned rs1) {
	return i_type(0x73, 3, rd, rs1, csr);
}
static inline uint32_t csrrwi(unsigned rd, unsigned csr, unsigned imm) {
	return i_type(0x73, 5, rd, imm, csr);
}
/* f5: 2 LR, 3 SC, 1 swap, 0 add; f3: 2 word, 3 double */
static inline uint32_t amo(unsigned f5, unsigned f3, unsigned rd, unsigned rs1, unsigned rs2) {
	return r_type(0x2f, f3, f5 << 2, rd, rs1, rs2);
}

#define ECALL 0x00000073u
#define EBREAK 0x00100073u
#define SRET 0x10200073u
#define MRET 0x30200073u
#define WFI 0x10500073u
#define SFENCE_VMA 0x12000073u
#define ILLEGAL 0x00000000u

#endif

/* SPDX-License-Identifier: MIT */
/*
 * An assembler for what fast_translate.c needs of the x86-64: each function appends an instruction
 * at `at`. There is no check of room: translating asks for enough beforehand.
 */
#ifndef RISCV_FAST_X86_H
#define RISCV_FAST_X86_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum x86_register {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
};

/* Opcodes as x86_rr(), x86_load() and x86_store() take them: two bytes are the one after 0f. */
enum x86_opcode {
	X86_ADD = 0x03,
	X86_OR = 0x0b,
	X86_AND = 0x23,
	X86_SUB = 0x2b,
	X86_XOR = 0x33,
	X86_CMP = 0x3b,
	X86_MOVSXD = 0x63,
	X86_TEST = 0x85,
	X86_STORE8 = 0x88,
	X86_STORE = 0x89,
	X86_MOV = 0x8b,
	X86_LEA = 0x8d,
	X86_IMUL = 0x0faf,
	X86_MOVZX8 = 0x0fb6,
	X86_MOVZX16 = 0x0fb7,
	X86_MOVSX8 = 0x0fbe,
	X86_MOVSX16 = 0x0fbf,
};

/* Which of the group that a constant belongs to: x86_ri(). */
enum x86_group {
	X86_G_ADD = 0,
	X86_G_OR = 1,
	X86_G_AND = 4,
	X86_G_SUB = 5,
	X86_G_XOR = 6,
	X86_G_CMP = 7,
};

enum x86_shift {
	X86_SHL = 4,
	X86_SHR = 5,
	X86_SAR = 7,
};

enum x86_unary {
	X86_NOT = 2,
	X86_NEG = 3,
	X86_MUL1 = 4,
	X86_IMUL1 = 5,
	X86_DIV = 6,
	X86_IDIV = 7,
};

enum x86_condition {
	X86_B = 2,
	X86_AE = 3,
	X86_E = 4,
	X86_NE = 5,
	X86_A = 7,
	X86_S = 8,
	X86_P = 10,
	X86_L = 12,
	X86_GE = 13,
};

struct x86 {
	uint8_t *at;
};

static inline void x86_byte(struct x86 *c, unsigned value) {
	*c->at++ = (uint8_t)value;
}

static inline void x86_32(struct x86 *c, int64_t value) {
	const uint32_t word = (uint32_t)value;
	memcpy(c->at, &word, 4);
	c->at += 4;
}

static inline void x86_64(struct x86 *c, uint64_t value) {
	memcpy(c->at, &value, 8);
	c->at += 8;
}

/* Prefix and opcode; `wide`: 64 bits. The prefix is always there, so that byte registers are the
 * low ones. */
static inline void x86_start(struct x86 *c, unsigned wide, unsigned opcode, unsigned reg,
	unsigned index, unsigned base) {
	x86_byte(c, 0x40 | wide << 3 | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3);
	if (opcode > 0xff)
		x86_byte(c, opcode >> 8);
	x86_byte(c, opcode & 0xff);
}

static inline void x86_rr(
	struct x86 *c, unsigned wide, unsigned opcode, unsigned reg, unsigned rm) {
	x86_start(c, wide, opcode, reg, 0, rm);
	x86_byte(c, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* An operand in memory: [base + offset], loaded or stored as the opcode says. */
static inline void x86_rm(struct x86 *c, unsigned wide, unsigned opcode, unsigned reg,
	unsigned base, int32_t offset) {
	x86_start(c, wide, opcode, reg, 0, base);
	const bool is_short = offset == (int8_t)offset;
	x86_byte(c, (is_short ? 0x40 : 0x80) | (reg & 7) << 3 | (base & 7));
	if ((base & 7) == RSP)
		x86_byte(c, 0x24);
	if (is_short)
		x86_byte(c, (uint8_t)offset);
	else
		x86_32(c, offset);
}

/* [base + index * (1 << scale) + offset] */
static inline void x86_rx(struct x86 *c, unsigned wide, unsigned opcode, unsigned reg,
	unsigned base, unsigned index, unsigned scale, int32_t offset) {
	x86_start(c, wide, opcode, reg, index, base);
	const bool is_short = offset == (int8_t)offset;
	x86_byte(c, (is_short ? 0x40 : 0x80) | (reg & 7) << 3 | 4);
	x86_byte(c, scale << 6 | (index & 7) << 3 | (base & 7));
	if (is_short)
		x86_byte(c, (uint8_t)offset);
	else
		x86_32(c, offset);
}

static inline void x86_mov(struct x86 *c, unsigned to, unsigned from) {
	if (to != from)
		x86_rr(c, 1, X86_MOV, to, from);
}

static inline void x86_ri(
	struct x86 *c, unsigned wide, enum x86_group group, unsigned reg, int32_t value) {
	const bool is_short = value == (int8_t)value;
	x86_rr(c, wide, is_short ? 0x83 : 0x81, group, reg);
	if (is_short)
		x86_byte(c, (uint8_t)value);
	else
		x86_32(c, value);
}

static inline void x86_shift(
	struct x86 *c, unsigned wide, enum x86_shift shift, unsigned reg, unsigned count) {
	x86_rr(c, wide, 0xc1, shift, reg);
	x86_byte(c, count);
}

/* By CL. */
static inline void x86_shift_cl(struct x86 *c, unsigned wide, enum x86_shift shift, unsigned reg) {
	x86_rr(c, wide, 0xd3, shift, reg);
}

static inline void x86_unary(struct x86 *c, unsigned wide, enum x86_unary op, unsigned reg) {
	x86_rr(c, wide, 0xf7, op, reg);
}

/* RDX from the sign of RAX, for a division. */
static inline void x86_sign_to_rdx(struct x86 *c, unsigned wide) {
	x86_byte(c, 0x40 | wide << 3);
	x86_byte(c, 0x99);
}

static inline void x86_constant(struct x86 *c, unsigned reg, uint64_t value) {
	if (value == 0) {
		x86_rr(c, 0, X86_XOR, reg, reg);
	} else if (value <= UINT32_MAX) {
		x86_byte(c, 0x40 | reg >> 3);
		x86_byte(c, 0xb8 | (reg & 7));
		x86_32(c, (int64_t)value);
	} else if ((int64_t)value == (int32_t)value) {
		x86_rr(c, 1, 0xc7, 0, reg);
		x86_32(c, (int64_t)value);
	} else {
		x86_byte(c, 0x48 | reg >> 3);
		x86_byte(c, 0xb8 | (reg & 7));
		x86_64(c, value);
	}
}

/* All of the register: 1 or 0. */
static inline void x86_set(struct x86 *c, enum x86_condition condition, unsigned reg) {
	x86_rr(c, 0, 0x0f90 | condition, 0, RAX);
	x86_rr(c, 0, X86_MOVZX8, reg, RAX);
}

/* Jumps give where their distance is, to be set by x86_land(). */
static inline uint8_t *x86_jump(struct x86 *c) {
	x86_byte(c, 0xe9);
	x86_32(c, 0);
	return c->at - 4;
}

static inline uint8_t *x86_jump_if(struct x86 *c, enum x86_condition condition) {
	x86_byte(c, 0x0f);
	x86_byte(c, 0x80 | condition);
	x86_32(c, 0);
	return c->at - 4;
}

static inline uint8_t *x86_call(struct x86 *c) {
	x86_byte(c, 0xe8);
	x86_32(c, 0);
	return c->at - 4;
}

static inline void x86_land(uint8_t *distance, const uint8_t *target) {
	const int32_t value = (int32_t)(target - (distance + 4));
	memcpy(distance, &value, 4);
}

static inline void x86_push(struct x86 *c, unsigned reg) {
	x86_byte(c, 0x40 | reg >> 3);
	x86_byte(c, 0x50 | (reg & 7));
}

static inline void x86_pop(struct x86 *c, unsigned reg) {
	x86_byte(c, 0x40 | reg >> 3);
	x86_byte(c, 0x58 | (reg & 7));
}

static inline void x86_return(struct x86 *c) {
	x86_byte(c, 0xc3);
}

/* To the address in memory at [base + offset]. */
static inline void x86_jump_memory(struct x86 *c, unsigned base, int32_t offset) {
	x86_rm(c, 0, 0xff, 4, base, offset);
}

#endif

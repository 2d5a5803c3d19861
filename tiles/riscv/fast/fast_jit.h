/* SPDX-License-Identifier: MIT */
/*
 * Native code. It runs with RBP in the middle of h->x, R15 what is left of the budget, and the
 * guest's registers that are used most in host registers throughout; RAX, RCX and RDX are free
 * within an instruction. Blocks jump to each other directly where both are in a page; the rest goes
 * through the table of fetches, or out.
 *
 * The memory is mapped twice: written through one mapping, executed through the other. It begins
 * with the ways in and out; blocks follow until it is full, then all is forgotten.
 */
#ifndef RISCV_FAST_JIT_H
#define RISCV_FAST_JIT_H

#include "fast.h"
#include "fast_x86.h"

#define FAST_CODE_ROOM (64u << 10) /* more than a block needs */

struct fast_jit {
	uint8_t *writable, *executable;
	struct x86 code;
	uint8_t *begin; /* of blocks */
	/* All in the writable mapping, where distances are the same. */
	uint8_t *enter;	     /* called: RDI the hart, RSI where to go */
	uint8_t *slow;	     /* called by a block: RDX the instruction; leaves if it has to */
	uint8_t *leave;	     /* RAX is the pc */
	uint8_t *leave_link; /* the same, RCX is h->from, EDX h->way */
};

/* Where RBP points to. */
#define FAST_MIDDLE 128
#define FAST_AT(member) ((int32_t)offsetof(struct fast_hart, member) - FAST_MIDDLE)
#define FAST_AT_X(number) ((int32_t)((number) * 8) - FAST_MIDDLE)
#define FAST_LEFT R15

/* The host's register of a guest's, or -1: it is in memory. */
static inline int fast_host_of(unsigned x) {
	static const int8_t registers[33] = {-1, -1, R13, -1, -1, -1, -1, -1, RBX, RSI, RDI, R8, R9,
		R10, R11, R12, R14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
	return registers[x];
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Random programs of unprivileged instructions, full and compressed, that never trap, never leave
 * their code and write nothing but their data, their registers and (with stores of valid
 * instructions) themselves. They do not end.
 */
#ifndef TEST_RISCV_PROGRAM_H
#define TEST_RISCV_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

enum program_flags {
	/* f0 to f15 hold single numbers alone and the others double ones alone: for who does not
	 * box as the manual says. */
	PROGRAM_FP_APART = 1 << 0,
	/* Neither FMIN nor FMAX nor any that multiplies and adds. */
	PROGRAM_NO_NEWER_FP = 1 << 1,
	/* FENCE.I follows each store to code. */
	PROGRAM_FENCED = 1 << 2,
};

enum {
	PROGRAM_CODE_MAX = 0x2000,
	PROGRAM_DATA = 0x2000, /* size */
};

struct program {
	uint64_t code_at, data_at; /* addresses, of pages */
	uint8_t code[PROGRAM_CODE_MAX];
	size_t code_size;
	uint64_t x[32], f[32]; /* to begin with */
};

/* From random.h's numbers: the same sequence of calls gives the same programs. */
void program_make(struct program *program, unsigned flags, uint64_t code_at, uint64_t data_at);

/* The generator that the program is made with. */
void program_seed(uint64_t seed);

#endif

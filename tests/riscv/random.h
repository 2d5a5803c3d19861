/* SPDX-License-Identifier: MIT */
/* Random numbers, instructions and operands, the same in every run. */
#ifndef RISCV_RANDOM_H
#define RISCV_RANDOM_H

#include <stdint.h>

#include "isa.h"

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static inline uint64_t next_random(void) {
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1du;
}

static inline uint64_t random_below(uint64_t bound) {
	return next_random() % bound;
}

/* By enum rv_op - 1. */
static const struct {
	uint32_t match, mask;
} patterns[] = {
#define RV_INSTRUCTION(name, mnemonic, match, mask, format) {match, mask},
#include "isa.def"
};
#define PATTERNS (sizeof patterns / sizeof patterns[0])

static inline uint32_t instruction(enum rv_op op, unsigned rd, unsigned rs1, unsigned rs2) {
	return patterns[op - 1].match | rd << 7 | rs1 << 15 | rs2 << 20;
}

static inline uint32_t immediate_i(int32_t value) {
	return (uint32_t)value << 20;
}

static inline uint32_t immediate_s(int32_t value) {
	return ((uint32_t)value & 31) << 7 | ((uint32_t)value >> 5 & 127) << 25;
}

static inline uint32_t immediate_b(int32_t value) {
	const uint32_t v = (uint32_t)value;
	return (v >> 11 & 1) << 7 | (v >> 1 & 15) << 8 | (v >> 5 & 63) << 25 | (v >> 12 & 1) << 31;
}

static inline uint32_t immediate_j(int32_t value) {
	const uint32_t v = (uint32_t)value;
	return (v >> 12 & 255) << 12 | (v >> 11 & 1) << 20 | (v >> 1 & 1023) << 21 |
		(v >> 20 & 1) << 31;
}

/* A number of `fraction` and `exponent` bits, of all kinds with equal care: zeros, infinities, NaNs
 * of both sorts, subnormals, the ends of the range, few bits set, near to one and to integers. */
static inline uint64_t random_number(unsigned fraction, unsigned exponent) {
	const uint64_t sign = (next_random() & 1) << (fraction + exponent);
	const uint64_t mask = (1ull << fraction) - 1, top = (1ull << exponent) - 1;
	const uint64_t one = top >> 1;
	uint64_t sparse = mask;
	for (unsigned i = 0; i < 3; i++)
		sparse &= next_random();
	uint64_t significand = next_random() & mask;
	switch (random_below(4)) {
	case 0:
		significand = sparse;
		break;
	case 1:
		significand = ~sparse & mask;
		break;
	default:
		break;
	}
	switch (random_below(16)) {
	case 0:
		return sign;
	case 1:
		return sign | top << fraction;
	case 2:
		return sign | top << fraction | (significand >> 1 | 1);
	case 3:
		return sign | top << fraction | significand | 1ull << (fraction - 1);
	case 4:
		return sign | significand >> random_below(fraction);
	case 5:
		return sign | (top - 1 - random_below(4)) << fraction | significand;
	case 6:
		return sign | random_below(fraction + 4) << fraction | significand;
	case 7:
	case 8:
	case 9:
		return sign | (one - 3 + random_below(6)) << fraction | significand;
	case 10:
		return sign | (one + random_below(70)) << fraction | significand;
	case 11:
		/* Halves and quarters. */
		return sign | (one + random_below(fraction)) << fraction |
			(significand & ~(mask >> random_below(fraction)));
	case 12:
		return sign | (one - random_below(fraction * 2)) << fraction | significand;
	default:
		return sign | (next_random() & top) << fraction | significand;
	}
}

static inline uint64_t random_f64(void) {
	return random_number(52, 11);
}

/* In a register: boxed. */
static inline uint64_t random_f32(void) {
	return 0xffffffff00000000u | random_number(23, 8);
}

/* The ends of what fits in how many bits, and anything. */
static inline uint64_t random_integer(void) {
	const uint64_t any = next_random() >> random_below(64);
	switch (random_below(8)) {
	case 0:
		return random_below(3) - 1;
	case 1:
		return (1ull << random_below(64)) - random_below(3);
	case 2:
		return -(1ull << random_below(64)) + random_below(3);
	case 3:
		return (uint64_t)(int64_t)(int32_t)next_random();
	case 4:
		return -any;
	default:
		return any;
	}
}

#endif

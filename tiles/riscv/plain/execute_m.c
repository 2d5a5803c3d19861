/* SPDX-License-Identifier: MIT */
/* M, multiplication and division: Unprivileged Architecture, chapter 12. */
#include "plain.h"

/* Division by zero gives all ones and leaves the dividend; the one quotient that does not fit is
 * the dividend. */
static int64_t quotient(int64_t a, int64_t b) {
	if (b == 0) {
		return -1;
	}
	return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

static int64_t remainder64(int64_t a, int64_t b) {
	if (b == 0) {
		return a;
	}
	return b == -1 ? 0 : a % b;
}

static uint64_t quotient_unsigned(uint64_t a, uint64_t b) {
	return b == 0 ? UINT64_MAX : a / b;
}

static uint64_t remainder_unsigned(uint64_t a, uint64_t b) {
	return b == 0 ? a : a % b;
}

COMPUTE(MUL, RS1 *RS2)
COMPUTE(MULH, (uint64_t)((__int128)(int64_t)RS1 * (int64_t)RS2 >> 64))
COMPUTE(MULHSU, (uint64_t)((__int128)(int64_t)RS1 * (__int128)RS2 >> 64))
COMPUTE(MULHU, (uint64_t)((unsigned __int128)RS1 * RS2 >> 64))
COMPUTE(DIV, (uint64_t)quotient((int64_t)RS1, (int64_t)RS2))
COMPUTE(DIVU, quotient_unsigned(RS1, RS2))
COMPUTE(REM, (uint64_t)remainder64((int64_t)RS1, (int64_t)RS2))
COMPUTE(REMU, remainder_unsigned(RS1, RS2))

/* On the lower 32 bits. */
COMPUTE(MULW, rv_word(RS1 *RS2))
COMPUTE(DIVW, rv_word((uint64_t)quotient((int32_t)RS1, (int32_t)RS2)))
COMPUTE(DIVUW, rv_word(quotient_unsigned((uint32_t)RS1, (uint32_t)RS2)))
COMPUTE(REMW, rv_word((uint64_t)remainder64((int32_t)RS1, (int32_t)RS2)))
COMPUTE(REMUW, rv_word(remainder_unsigned((uint32_t)RS1, (uint32_t)RS2)))

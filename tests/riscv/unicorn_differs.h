/* SPDX-License-Identifier: MIT */
/* Where unicorn has an older manual than this machine. */
#ifndef TEST_RISCV_UNICORN_DIFFERS_H
#define TEST_RISCV_UNICORN_DIFFERS_H

#include <stdbool.h>
#include <stdint.h>

#include "fp.h"
#include "isa.h"

/* Reads registers with an f32. */
static inline bool takes_single(enum rv_op op) {
	return (op >= RV_OP_FADD_S && op <= RV_OP_FMV_W_X && op != RV_OP_FCVT_S_D) ||
		op == RV_OP_FCVT_D_S || op == RV_OP_FMADD_S || op == RV_OP_FMSUB_S ||
		op == RV_OP_FNMSUB_S || op == RV_OP_FNMADD_S;
}

/* Writes a register with an f32. Unicorn does not box those. */
static inline bool gives_single(enum rv_op op) {
	switch (rv_format(op)) {
	case RV_FORMAT_FP_COMPARE:
	case RV_FORMAT_FP_TO_X:
	case RV_FORMAT_FP_TO_X_EXACT:
		return false;
	default:
		return (takes_single(op) && op != RV_OP_FCVT_D_S) || op == RV_OP_FCVT_S_D;
	}
}

static inline bool is_min_or_max(enum rv_op op) {
	return op == RV_OP_FMIN_S || op == RV_OP_FMAX_S || op == RV_OP_FMIN_D || op == RV_OP_FMAX_D;
}

/* Infinity times 0 is invalid even if a quiet NaN is added; and the minimum and maximum of a
 * signalling NaN and a number are that number. */
static inline bool newer_than_unicorn(
	enum rv_op op, uint64_t a_bits, uint64_t b_bits, uint64_t c_bits) {
	const bool single = takes_single(op);
	const unsigned a = single ? rv_f32_class((uint32_t)a_bits) : rv_f64_class(a_bits),
		       b = single ? rv_f32_class((uint32_t)b_bits) : rv_f64_class(b_bits),
		       c = single ? rv_f32_class((uint32_t)c_bits) : rv_f64_class(c_bits);
	const unsigned zero = 1 << 3 | 1 << 4, infinite = 1 << 0 | 1 << 7, signalling = 1 << 8,
		       quiet = 1 << 9;
	if (rv_format(op) == RV_FORMAT_FP4)
		return c & quiet && ((a & zero && b & infinite) || (a & infinite && b & zero));
	if (is_min_or_max(op))
		return (a & signalling && !(b & (quiet | signalling))) ||
			(b & signalling && !(a & (quiet | signalling)));
	return false;
}

#endif

/* SPDX-License-Identifier: MIT */
/* D, floating point of 64 bits: Unprivileged Architecture, chapter 21. */
#include "execute_float.h"

#define A rv_plain_double(p, i->rs1)
#define B rv_plain_double(p, i->rs2)
#define C rv_plain_double(p, i->rs3)
#define SIGN (1ull << 63)
#define SET rv_plain_set_double

EXECUTE(FLD) {
	if (!rv_plain_float(p)) {
		return rv_plain_illegal(p);
	}
	struct rv_loaded loaded = rv_plain_load(p, RS1 + IMM, 8);
	if (!loaded.done) {
		return rv_plain_diverted(p);
	}
	SET(p, i->rd, loaded.value);
	return next;
}

EXECUTE(FSD) {
	if (!rv_plain_float(p)) {
		return rv_plain_illegal(p);
	}
	return rv_plain_store(p, RS1 + IMM, 8, p->hart->f[i->rs2], next);
}

ARITHMETIC(FADD_D, SET, rv_f64_add(A, B, rounding, &flags))
ARITHMETIC(FSUB_D, SET, rv_f64_sub(A, B, rounding, &flags))
ARITHMETIC(FMUL_D, SET, rv_f64_mul(A, B, rounding, &flags))
ARITHMETIC(FDIV_D, SET, rv_f64_div(A, B, rounding, &flags))
ARITHMETIC(FSQRT_D, SET, rv_f64_sqrt(A, rounding, &flags))
ARITHMETIC(FMADD_D, SET, rv_f64_fma(A, B, C, rounding, &flags))
ARITHMETIC(FMSUB_D, SET, rv_f64_fma(A, B, C ^ SIGN, rounding, &flags))
ARITHMETIC(FNMSUB_D, SET, rv_f64_fma(A ^ SIGN, B, C, rounding, &flags))
ARITHMETIC(FNMADD_D, SET, rv_f64_fma(A ^ SIGN, B, C ^ SIGN, rounding, &flags))
SELECTION(FMIN_D, SET, rv_f64_min(A, B, &flags))
SELECTION(FMAX_D, SET, rv_f64_max(A, B, &flags))

MOVE(FSGNJ_D, SET, (A & ~SIGN) | (B & SIGN))
MOVE(FSGNJN_D, SET, (A & ~SIGN) | (~B & SIGN))
MOVE(FSGNJX_D, SET, A ^ (B & SIGN))

COMPARISON(FEQ_D, rv_f64_eq(A, B, &flags))
COMPARISON(FLT_D, rv_f64_lt(A, B, &flags))
COMPARISON(FLE_D, rv_f64_le(A, B, &flags))
MOVE_TO_X(FCLASS_D, rv_f64_class(A))

/* Conversions to and from integers. */
CONVERSION(FCVT_W_D, rv_f64_to_i32(A, rounding, &flags))
CONVERSION(FCVT_WU_D, rv_f64_to_u32(A, rounding, &flags))
CONVERSION(FCVT_L_D, rv_f64_to_i64(A, rounding, &flags))
CONVERSION(FCVT_LU_D, rv_f64_to_u64(A, rounding, &flags))
ARITHMETIC(FCVT_D_W, SET, rv_f64_from_i32((int32_t)RS1, &flags))
ARITHMETIC(FCVT_D_WU, SET, rv_f64_from_u32((uint32_t)RS1, &flags))
ARITHMETIC(FCVT_D_L, SET, rv_f64_from_i64((int64_t)RS1, rounding, &flags))
ARITHMETIC(FCVT_D_LU, SET, rv_f64_from_u64(RS1, rounding, &flags))

ARITHMETIC(FCVT_S_D, rv_plain_set_single, rv_f32_from_f64(A, rounding, &flags))
ARITHMETIC(FCVT_D_S, SET, rv_f64_from_f32(rv_plain_single(p, i->rs1), &flags))

/* Bits as they are. */
MOVE_TO_X(FMV_X_D, A)
MOVE(FMV_D_X, SET, RS1)

/* SPDX-License-Identifier: MIT */
/* F, floating point of 32 bits: Unprivileged Architecture, chapter 20. */
#include "execute_float.h"

#define A rv_plain_single(p, i->rs1)
#define B rv_plain_single(p, i->rs2)
#define C rv_plain_single(p, i->rs3)
#define SIGN 0x80000000u
#define SET rv_plain_set_single

EXECUTE(FLW) {
	if (!rv_plain_float(p)) {
		return rv_plain_illegal(p);
	}
	struct rv_loaded loaded = rv_plain_load(p, RS1 + IMM, 4);
	if (!loaded.done) {
		return rv_plain_diverted(p);
	}
	SET(p, i->rd, loaded.value);
	return next;
}

EXECUTE(FSW) {
	if (!rv_plain_float(p)) {
		return rv_plain_illegal(p);
	}
	return rv_plain_store(p, RS1 + IMM, 4, p->hart->f[i->rs2], next);
}

ARITHMETIC(FADD_S, SET, rv_f32_add(A, B, rounding, &flags))
ARITHMETIC(FSUB_S, SET, rv_f32_sub(A, B, rounding, &flags))
ARITHMETIC(FMUL_S, SET, rv_f32_mul(A, B, rounding, &flags))
ARITHMETIC(FDIV_S, SET, rv_f32_div(A, B, rounding, &flags))
ARITHMETIC(FSQRT_S, SET, rv_f32_sqrt(A, rounding, &flags))
ARITHMETIC(FMADD_S, SET, rv_f32_fma(A, B, C, rounding, &flags))
ARITHMETIC(FMSUB_S, SET, rv_f32_fma(A, B, C ^ SIGN, rounding, &flags))
ARITHMETIC(FNMSUB_S, SET, rv_f32_fma(A ^ SIGN, B, C, rounding, &flags))
ARITHMETIC(FNMADD_S, SET, rv_f32_fma(A ^ SIGN, B, C ^ SIGN, rounding, &flags))
SELECTION(FMIN_S, SET, rv_f32_min(A, B, &flags))
SELECTION(FMAX_S, SET, rv_f32_max(A, B, &flags))

MOVE(FSGNJ_S, SET, (A & ~SIGN) | (B & SIGN))
MOVE(FSGNJN_S, SET, (A & ~SIGN) | (~B & SIGN))
MOVE(FSGNJX_S, SET, A ^ (B & SIGN))

COMPARISON(FEQ_S, rv_f32_eq(A, B, &flags))
COMPARISON(FLT_S, rv_f32_lt(A, B, &flags))
COMPARISON(FLE_S, rv_f32_le(A, B, &flags))
MOVE_TO_X(FCLASS_S, rv_f32_class(A))

/* Conversions to and from integers. */
CONVERSION(FCVT_W_S, rv_f32_to_i32(A, rounding, &flags))
CONVERSION(FCVT_WU_S, rv_f32_to_u32(A, rounding, &flags))
CONVERSION(FCVT_L_S, rv_f32_to_i64(A, rounding, &flags))
CONVERSION(FCVT_LU_S, rv_f32_to_u64(A, rounding, &flags))
ARITHMETIC(FCVT_S_W, SET, rv_f32_from_i32((int32_t)RS1, rounding, &flags))
ARITHMETIC(FCVT_S_WU, SET, rv_f32_from_u32((uint32_t)RS1, rounding, &flags))
ARITHMETIC(FCVT_S_L, SET, rv_f32_from_i64((int64_t)RS1, rounding, &flags))
ARITHMETIC(FCVT_S_LU, SET, rv_f32_from_u64(RS1, rounding, &flags))

/* Bits as they are. */
MOVE_TO_X(FMV_X_W, rv_word(p->hart->f[i->rs1]))
MOVE(FMV_W_X, SET, RS1)

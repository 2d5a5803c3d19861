/* SPDX-License-Identifier: MIT */
/* Instructions on floating point numbers, out of fp.h. */
#include "csr.h"
#include "fast.h"
#include "fp.h"

#define BOX 0xffffffff00000000ull

/* Of 32 bits: what is not boxed is the canonical NaN. */
static uint32_t single(uint64_t f) {
	return (f & BOX) == BOX ? (uint32_t)f : RV_F32_NAN;
}

bool rv_fast_float(struct fast_hart *h, const struct fast_insn *insn) {
	struct rv_hart *hart = h->hart;
	const uint64_t a = hart->f[insn->rs1], b = hart->f[insn->rs2], c = hart->f[insn->rs3];
	const uint32_t as = single(a), bs = single(b), cs = single(c);
	const uint64_t x = h->x[insn->rs1];
	const uint32_t sign = 1u << 31;
	const uint64_t sign_d = 1ull << 63;
	uint32_t raised = 0, *const flags = &raised;
	unsigned rm = insn->rm;

	switch (rv_format(insn->op)) {
	case RV_FORMAT_FP4:
	case RV_FORMAT_FP3:
	case RV_FORMAT_FP2:
	case RV_FORMAT_FP_TO_X:
	case RV_FORMAT_X_TO_FP:
		if (rm == RV_DYN)
			rm = hart->frm;
		if (rm > RV_RMM)
			return false;
		break;
	default:
		break;
	}

	/* Each result goes to an integer register, or boxed or whole to one of floating point. */
	enum {
		TO_X,
		TO_S,
		TO_D,
	} to = TO_S;
	uint64_t r = 0;
#define S(name, value)                                                                             \
	case RV_OP_##name:                                                                         \
		to = TO_S;                                                                         \
		r = (value);                                                                       \
		break
#define D(name, value)                                                                             \
	case RV_OP_##name:                                                                         \
		to = TO_D;                                                                         \
		r = (value);                                                                       \
		break
#define X(name, value)                                                                             \
	case RV_OP_##name:                                                                         \
		to = TO_X;                                                                         \
		r = (uint64_t)(value);                                                             \
		break
	switch (insn->op) {
		S(FADD_S, rv_f32_add(as, bs, rm, flags));
		S(FSUB_S, rv_f32_sub(as, bs, rm, flags));
		S(FMUL_S, rv_f32_mul(as, bs, rm, flags));
		S(FDIV_S, rv_f32_div(as, bs, rm, flags));
		S(FSQRT_S, rv_f32_sqrt(as, rm, flags));
		S(FMADD_S, rv_f32_fma(as, bs, cs, rm, flags));
		S(FMSUB_S, rv_f32_fma(as, bs, cs ^ sign, rm, flags));
		S(FNMSUB_S, rv_f32_fma(as ^ sign, bs, cs, rm, flags));
		S(FNMADD_S, rv_f32_fma(as ^ sign, bs, cs ^ sign, rm, flags));
		S(FSGNJ_S, (as & ~sign) | (bs & sign));
		S(FSGNJN_S, (as & ~sign) | (~bs & sign));
		S(FSGNJX_S, as ^ (bs & sign));
		S(FMIN_S, rv_f32_min(as, bs, flags));
		S(FMAX_S, rv_f32_max(as, bs, flags));
		X(FLE_S, rv_f32_le(as, bs, flags));
		X(FLT_S, rv_f32_lt(as, bs, flags));
		X(FEQ_S, rv_f32_eq(as, bs, flags));
		S(FCVT_S_D, rv_f32_from_f64(a, rm, flags));
		X(FCVT_W_S, rv_f32_to_i32(as, rm, flags));
		X(FCVT_WU_S, rv_f32_to_u32(as, rm, flags));
		X(FCVT_L_S, rv_f32_to_i64(as, rm, flags));
		X(FCVT_LU_S, rv_f32_to_u64(as, rm, flags));
		S(FCVT_S_W, rv_f32_from_i32((int32_t)x, rm, flags));
		S(FCVT_S_WU, rv_f32_from_u32((uint32_t)x, rm, flags));
		S(FCVT_S_L, rv_f32_from_i64((int64_t)x, rm, flags));
		S(FCVT_S_LU, rv_f32_from_u64(x, rm, flags));
		X(FMV_X_W, (int64_t)(int32_t)a);
		X(FCLASS_S, rv_f32_class(as));
		S(FMV_W_X, (uint32_t)x);
		D(FADD_D, rv_f64_add(a, b, rm, flags));
		D(FSUB_D, rv_f64_sub(a, b, rm, flags));
		D(FMUL_D, rv_f64_mul(a, b, rm, flags));
		D(FDIV_D, rv_f64_div(a, b, rm, flags));
		D(FSQRT_D, rv_f64_sqrt(a, rm, flags));
		D(FMADD_D, rv_f64_fma(a, b, c, rm, flags));
		D(FMSUB_D, rv_f64_fma(a, b, c ^ sign_d, rm, flags));
		D(FNMSUB_D, rv_f64_fma(a ^ sign_d, b, c, rm, flags));
		D(FNMADD_D, rv_f64_fma(a ^ sign_d, b, c ^ sign_d, rm, flags));
		D(FSGNJ_D, (a & ~sign_d) | (b & sign_d));
		D(FSGNJN_D, (a & ~sign_d) | (~b & sign_d));
		D(FSGNJX_D, a ^ (b & sign_d));
		D(FMIN_D, rv_f64_min(a, b, flags));
		D(FMAX_D, rv_f64_max(a, b, flags));
		X(FLE_D, rv_f64_le(a, b, flags));
		X(FLT_D, rv_f64_lt(a, b, flags));
		X(FEQ_D, rv_f64_eq(a, b, flags));
		D(FCVT_D_S, rv_f64_from_f32(as, flags));
		X(FCVT_W_D, rv_f64_to_i32(a, rm, flags));
		X(FCVT_WU_D, rv_f64_to_u32(a, rm, flags));
		X(FCVT_L_D, rv_f64_to_i64(a, rm, flags));
		X(FCVT_LU_D, rv_f64_to_u64(a, rm, flags));
		D(FCVT_D_W, rv_f64_from_i32((int32_t)x, flags));
		D(FCVT_D_WU, rv_f64_from_u32((uint32_t)x, flags));
		D(FCVT_D_L, rv_f64_from_i64((int64_t)x, rm, flags));
		D(FCVT_D_LU, rv_f64_from_u64(x, rm, flags));
		X(FMV_X_D, a);
		X(FCLASS_D, rv_f64_class(a));
		D(FMV_D_X, x);
	default:
		return false;
	}
#undef S
#undef D
#undef X
	if (to == TO_X)
		h->x[insn->rd] = r;
	else
		hart->f[insn->rd] = to == TO_S ? r | BOX : r;
	hart->fflags |= raised;
	if (to != TO_X || raised)
		hart->mstatus |= RV_STATUS_FS;
	return true;
}

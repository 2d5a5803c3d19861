/* SPDX-License-Identifier: MIT */
/*
 * Floating point as the F and D extensions have it: IEEE 754-2008 with canonical NaNs, tininess
 * after rounding, and exact exception flags, on bit patterns. Stateless: the rounding mode goes
 * in, flags are added to *flags (NX 1, UF 2, OF 4, DZ 8, NV 16). Leaves the host's floating point
 * environment as it was.
 */
#ifndef RISCV_FP_H
#define RISCV_FP_H

#include <stdbool.h>
#include <stdint.h>

enum rv_rounding {
	RV_RNE = 0, /* to nearest, ties to even */
	RV_RTZ = 1,
	RV_RDN = 2,
	RV_RUP = 3,
	RV_RMM = 4, /* to nearest, ties away from zero */
	RV_DYN = 7, /* in an instruction: as frm says */
};

enum rv_fp_flags {
	RV_NX = 1,
	RV_UF = 2,
	RV_OF = 4,
	RV_DZ = 8,
	RV_NV = 16,
};

#define RV_F32_NAN 0x7fc00000u
#define RV_F64_NAN 0x7ff8000000000000ull

uint32_t rv_f32_add(uint32_t a, uint32_t b, unsigned rounding, uint32_t *flags);
uint32_t rv_f32_sub(uint32_t a, uint32_t b, unsigned rounding, uint32_t *flags);
uint32_t rv_f32_mul(uint32_t a, uint32_t b, unsigned rounding, uint32_t *flags);
uint32_t rv_f32_div(uint32_t a, uint32_t b, unsigned rounding, uint32_t *flags);
uint32_t rv_f32_sqrt(uint32_t a, unsigned rounding, uint32_t *flags);
uint32_t rv_f32_fma(uint32_t a, uint32_t b, uint32_t c, unsigned rounding, uint32_t *flags);
uint32_t rv_f32_min(uint32_t a, uint32_t b, uint32_t *flags);
uint32_t rv_f32_max(uint32_t a, uint32_t b, uint32_t *flags);
bool rv_f32_eq(uint32_t a, uint32_t b, uint32_t *flags);
bool rv_f32_lt(uint32_t a, uint32_t b, uint32_t *flags);
bool rv_f32_le(uint32_t a, uint32_t b, uint32_t *flags);
unsigned rv_f32_class(uint32_t a); /* the bit that FCLASS.S sets, as a mask */

uint64_t rv_f64_add(uint64_t a, uint64_t b, unsigned rounding, uint32_t *flags);
uint64_t rv_f64_sub(uint64_t a, uint64_t b, unsigned rounding, uint32_t *flags);
uint64_t rv_f64_mul(uint64_t a, uint64_t b, unsigned rounding, uint32_t *flags);
uint64_t rv_f64_div(uint64_t a, uint64_t b, unsigned rounding, uint32_t *flags);
uint64_t rv_f64_sqrt(uint64_t a, unsigned rounding, uint32_t *flags);
uint64_t rv_f64_fma(uint64_t a, uint64_t b, uint64_t c, unsigned rounding, uint32_t *flags);
uint64_t rv_f64_min(uint64_t a, uint64_t b, uint32_t *flags);
uint64_t rv_f64_max(uint64_t a, uint64_t b, uint32_t *flags);
bool rv_f64_eq(uint64_t a, uint64_t b, uint32_t *flags);
bool rv_f64_lt(uint64_t a, uint64_t b, uint32_t *flags);
bool rv_f64_le(uint64_t a, uint64_t b, uint32_t *flags);
unsigned rv_f64_class(uint64_t a);

/* Conversions. To integers: as FCVT does it, NV and the nearest bound where it does not fit; of 32
 * bits sign-extended, the unsigned ones too. */
uint32_t rv_f32_from_i32(int32_t a, unsigned rounding, uint32_t *flags);
uint32_t rv_f32_from_u32(uint32_t a, unsigned rounding, uint32_t *flags);
uint32_t rv_f32_from_i64(int64_t a, unsigned rounding, uint32_t *flags);
uint32_t rv_f32_from_u64(uint64_t a, unsigned rounding, uint32_t *flags);
uint32_t rv_f32_from_f64(uint64_t a, unsigned rounding, uint32_t *flags);
uint64_t rv_f32_to_i32(uint32_t a, unsigned rounding, uint32_t *flags);
uint64_t rv_f32_to_u32(uint32_t a, unsigned rounding, uint32_t *flags);
uint64_t rv_f32_to_i64(uint32_t a, unsigned rounding, uint32_t *flags);
uint64_t rv_f32_to_u64(uint32_t a, unsigned rounding, uint32_t *flags);
uint64_t rv_f64_from_i32(int32_t a, uint32_t *flags);
uint64_t rv_f64_from_u32(uint32_t a, uint32_t *flags);
uint64_t rv_f64_from_i64(int64_t a, unsigned rounding, uint32_t *flags);
uint64_t rv_f64_from_u64(uint64_t a, unsigned rounding, uint32_t *flags);
uint64_t rv_f64_from_f32(uint32_t a, uint32_t *flags);
uint64_t rv_f64_to_i32(uint64_t a, unsigned rounding, uint32_t *flags);
uint64_t rv_f64_to_u32(uint64_t a, unsigned rounding, uint32_t *flags);
uint64_t rv_f64_to_i64(uint64_t a, unsigned rounding, uint32_t *flags);
uint64_t rv_f64_to_u64(uint64_t a, unsigned rounding, uint32_t *flags);

#endif

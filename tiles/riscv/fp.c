/* SPDX-License-Identifier: MIT */
/*
 * On x86-64 the host's own instructions do the arithmetic: SSE has these flags, tininess after
 * rounding, and all rounding modes but one. Its NaNs and the rest are mended here.
 */
#include "fp.h"

#include "fp_soft.h"

#ifdef __x86_64__
#include <math.h>
#include <xmmintrin.h>
#endif

static uint64_t magnitude(const struct rv_fp_format *format, uint64_t bits) {
	return bits & ((1ull << (format->fraction + format->exponent)) - 1);
}

static uint64_t infinity_of(const struct rv_fp_format *format) {
	return ((1ull << format->exponent) - 1) << format->fraction;
}

static bool is_nan(const struct rv_fp_format *format, uint64_t bits) {
	return magnitude(format, bits) > infinity_of(format);
}

static bool is_signalling(const struct rv_fp_format *format, uint64_t bits) {
	return is_nan(format, bits) && !(bits >> (format->fraction - 1) & 1);
}

/* FCLASS: -inf, -normal, -subnormal, -0, 0, subnormal, normal, inf, signalling, quiet. */
static unsigned class_of(const struct rv_fp_format *format, uint64_t bits) {
	if (is_nan(format, bits))
		return is_signalling(format, bits) ? 1 << 8 : 1 << 9;
	const uint64_t value = magnitude(format, bits);
	const unsigned size = value == 0	   ? 0
		: value < 1ull << format->fraction ? 1
		: value < infinity_of(format)	   ? 2
						   : 3;
	const bool negative = bits >> (format->fraction + format->exponent) & 1;
	return 1u << (negative ? 3 - size : 4 + size);
}

static uint64_t sign_of(const struct rv_fp_format *format) {
	return 1ull << (format->fraction + format->exponent);
}

/* Of numbers, where -0 equals 0. */
static bool equal(const struct rv_fp_format *format, uint64_t a, uint64_t b) {
	return a == b || !magnitude(format, a | b);
}

static bool below(const struct rv_fp_format *format, uint64_t a, uint64_t b) {
	const uint64_t sign = sign_of(format);
	if (equal(format, a, b))
		return false;
	if ((a ^ b) & sign)
		return a & sign;
	return a & sign ? a > b : a < b;
}

/* Both are numbers. Otherwise NV, of quiet NaNs only if `strict`. */
static bool comparable(
	const struct rv_fp_format *format, uint64_t a, uint64_t b, bool strict, uint32_t *flags) {
	if (!is_nan(format, a) && !is_nan(format, b))
		return true;
	if (strict || is_signalling(format, a) || is_signalling(format, b))
		*flags |= RV_NV;
	return false;
}

/* What minimumNumber and maximumNumber make of a NaN: the other; of two the canonical one. */
static uint64_t other_than_nan(const struct rv_fp_format *format, uint64_t a, uint64_t b) {
	if (!is_nan(format, a))
		return a;
	return is_nan(format, b) ? infinity_of(format) | 1ull << (format->fraction - 1) : b;
}

/* -0 is below 0 here. */
static uint64_t smaller(
	const struct rv_fp_format *format, uint64_t a, uint64_t b, uint32_t *flags) {
	if (!comparable(format, a, b, false, flags))
		return other_than_nan(format, a, b);
	if (equal(format, a, b))
		return a | b;
	return below(format, a, b) ? a : b;
}

static uint64_t larger(const struct rv_fp_format *format, uint64_t a, uint64_t b, uint32_t *flags) {
	if (!comparable(format, a, b, false, flags))
		return other_than_nan(format, a, b);
	if (equal(format, a, b))
		return a & b;
	return below(format, a, b) ? b : a;
}

#ifdef __x86_64__

/* Whether the host can round so. */
static bool hosted(unsigned rounding) {
	return rounding <= RV_RUP;
}

/* All exceptions masked, no flag set, neither flush to zero nor denormals are zero. */
static unsigned enter(unsigned rounding) {
	static const unsigned modes[] = {
		[RV_RNE] = _MM_ROUND_NEAREST,
		[RV_RTZ] = _MM_ROUND_TOWARD_ZERO,
		[RV_RDN] = _MM_ROUND_DOWN,
		[RV_RUP] = _MM_ROUND_UP,
	};
	const unsigned before = _mm_getcsr();
	_mm_setcsr(_MM_MASK_MASK | modes[rounding]);
	return before;
}

static void leave(unsigned before, uint32_t *flags) {
	const unsigned raised = _mm_getcsr();
	_mm_setcsr(before);
	if (!(raised & _MM_EXCEPT_MASK))
		return;
	*flags |= (raised & _MM_EXCEPT_INEXACT ? RV_NX : 0) |
		(raised & _MM_EXCEPT_UNDERFLOW ? RV_UF : 0) |
		(raised & _MM_EXCEPT_OVERFLOW ? RV_OF : 0) |
		(raised & _MM_EXCEPT_DIV_ZERO ? RV_DZ : 0) |
		(raised & _MM_EXCEPT_INVALID ? RV_NV : 0);
}

static float float_of(uint32_t bits) {
	float f;
	__builtin_memcpy(&f, &bits, sizeof f);
	return f;
}

static uint32_t bits_of_float(float f) {
	uint32_t bits;
	__builtin_memcpy(&bits, &f, sizeof bits);
	return is_nan(&rv_f32, bits) ? RV_F32_NAN : bits;
}

static double double_of(uint64_t bits) {
	double d;
	__builtin_memcpy(&d, &bits, sizeof d);
	return d;
}

static uint64_t bits_of_double(double d) {
	uint64_t bits;
	__builtin_memcpy(&bits, &d, sizeof bits);
	return is_nan(&rv_f64, bits) ? RV_F64_NAN : bits;
}

/* Volatile, as enter() and leave() are: nothing else keeps the operation between them. */
#define HOST_2(type, instruction, from, to)                                                        \
	if (hosted(rounding)) {                                                                    \
		type x = from(a);                                                                  \
		const type y = from(b);                                                            \
		const unsigned before = enter(rounding);                                           \
		__asm__ volatile(instruction " %1, %0" : "+x"(x) : "x"(y));                        \
		leave(before, flags);                                                              \
		return to(x);                                                                      \
	}
#define HOST_1(type, instruction, from, result_type, to)                                           \
	if (hosted(rounding)) {                                                                    \
		const type x = from(a);                                                            \
		result_type result;                                                                \
		const unsigned before = enter(rounding);                                           \
		__asm__ volatile(instruction " %1, %0" : "=x"(result) : "x"(x));                   \
		leave(before, flags);                                                              \
		return to(result);                                                                 \
	}
/* The library's knows whether the processor has an instruction for it. */
#define HOST_FMA(type, function, from, to)                                                         \
	if (hosted(rounding)) {                                                                    \
		type x = from(a), y = from(b), z = from(c);                                        \
		const unsigned before = enter(rounding);                                           \
		__asm__ volatile("" : "+x"(x), "+x"(y), "+x"(z));                                  \
		type result = function(x, y, z);                                                   \
		__asm__ volatile("" : "+x"(result));                                               \
		leave(before, flags);                                                              \
		return to(result);                                                                 \
	}
#else
#define HOST_2(type, instruction, from, to)
#define HOST_1(type, instruction, from, result_type, to)
#define HOST_FMA(type, function, from, to)
#endif

uint32_t rv_f32_add(uint32_t a, uint32_t b, unsigned rounding, uint32_t *flags) {
	HOST_2(float, "addss", float_of, bits_of_float)
	return (uint32_t)rv_soft_add(&rv_f32, a, b, rounding, flags);
}

uint32_t rv_f32_sub(uint32_t a, uint32_t b, unsigned rounding, uint32_t *flags) {
	HOST_2(float, "subss", float_of, bits_of_float)
	return (uint32_t)rv_soft_add(&rv_f32, a, b ^ 0x80000000u, rounding, flags);
}

uint32_t rv_f32_mul(uint32_t a, uint32_t b, unsigned rounding, uint32_t *flags) {
	HOST_2(float, "mulss", float_of, bits_of_float)
	return (uint32_t)rv_soft_mul(&rv_f32, a, b, rounding, flags);
}

uint32_t rv_f32_div(uint32_t a, uint32_t b, unsigned rounding, uint32_t *flags) {
	HOST_2(float, "divss", float_of, bits_of_float)
	return (uint32_t)rv_soft_div(&rv_f32, a, b, rounding, flags);
}

uint32_t rv_f32_sqrt(uint32_t a, unsigned rounding, uint32_t *flags) {
	HOST_1(float, "sqrtss", float_of, float, bits_of_float)
	return (uint32_t)rv_soft_sqrt(&rv_f32, a, rounding, flags);
}

uint32_t rv_f32_fma(uint32_t a, uint32_t b, uint32_t c, unsigned rounding, uint32_t *flags) {
	/* Infinity times zero plus a quiet NaN is left to the processor by IEEE 754, and invalid
	 * here. */
	if (!is_nan(&rv_f32, c)) {
		HOST_FMA(float, fmaf, float_of, bits_of_float)
	}
	return (uint32_t)rv_soft_fma(&rv_f32, a, b, c, rounding, flags);
}

bool rv_f32_eq(uint32_t a, uint32_t b, uint32_t *flags) {
	return comparable(&rv_f32, a, b, false, flags) && equal(&rv_f32, a, b);
}

bool rv_f32_lt(uint32_t a, uint32_t b, uint32_t *flags) {
	return comparable(&rv_f32, a, b, true, flags) && below(&rv_f32, a, b);
}

bool rv_f32_le(uint32_t a, uint32_t b, uint32_t *flags) {
	return comparable(&rv_f32, a, b, true, flags) && !below(&rv_f32, b, a);
}

uint32_t rv_f32_min(uint32_t a, uint32_t b, uint32_t *flags) {
	return (uint32_t)smaller(&rv_f32, a, b, flags);
}

uint32_t rv_f32_max(uint32_t a, uint32_t b, uint32_t *flags) {
	return (uint32_t)larger(&rv_f32, a, b, flags);
}

unsigned rv_f32_class(uint32_t a) {
	return class_of(&rv_f32, a);
}

uint64_t rv_f64_add(uint64_t a, uint64_t b, unsigned rounding, uint32_t *flags) {
	HOST_2(double, "addsd", double_of, bits_of_double)
	return rv_soft_add(&rv_f64, a, b, rounding, flags);
}

uint64_t rv_f64_sub(uint64_t a, uint64_t b, unsigned rounding, uint32_t *flags) {
	HOST_2(double, "subsd", double_of, bits_of_double)
	return rv_soft_add(&rv_f64, a, b ^ 0x8000000000000000ull, rounding, flags);
}

uint64_t rv_f64_mul(uint64_t a, uint64_t b, unsigned rounding, uint32_t *flags) {
	HOST_2(double, "mulsd", double_of, bits_of_double)
	return rv_soft_mul(&rv_f64, a, b, rounding, flags);
}

uint64_t rv_f64_div(uint64_t a, uint64_t b, unsigned rounding, uint32_t *flags) {
	HOST_2(double, "divsd", double_of, bits_of_double)
	return rv_soft_div(&rv_f64, a, b, rounding, flags);
}

uint64_t rv_f64_sqrt(uint64_t a, unsigned rounding, uint32_t *flags) {
	HOST_1(double, "sqrtsd", double_of, double, bits_of_double)
	return rv_soft_sqrt(&rv_f64, a, rounding, flags);
}

uint64_t rv_f64_fma(uint64_t a, uint64_t b, uint64_t c, unsigned rounding, uint32_t *flags) {
	/* Infinity times zero plus a quiet NaN is left to the processor by IEEE 754, and invalid
	 * here. */
	if (!is_nan(&rv_f64, c)) {
		HOST_FMA(double, fma, double_of, bits_of_double)
	}
	return rv_soft_fma(&rv_f64, a, b, c, rounding, flags);
}

bool rv_f64_eq(uint64_t a, uint64_t b, uint32_t *flags) {
	return comparable(&rv_f64, a, b, false, flags) && equal(&rv_f64, a, b);
}

bool rv_f64_lt(uint64_t a, uint64_t b, uint32_t *flags) {
	return comparable(&rv_f64, a, b, true, flags) && below(&rv_f64, a, b);
}

bool rv_f64_le(uint64_t a, uint64_t b, uint32_t *flags) {
	return comparable(&rv_f64, a, b, true, flags) && !below(&rv_f64, b, a);
}

uint64_t rv_f64_min(uint64_t a, uint64_t b, uint32_t *flags) {
	return smaller(&rv_f64, a, b, flags);
}

uint64_t rv_f64_max(uint64_t a, uint64_t b, uint32_t *flags) {
	return larger(&rv_f64, a, b, flags);
}

unsigned rv_f64_class(uint64_t a) {
	return class_of(&rv_f64, a);
}

uint32_t rv_f32_from_f64(uint64_t a, unsigned rounding, uint32_t *flags) {
	HOST_1(double, "cvtsd2ss", double_of, float, bits_of_float)
	return (uint32_t)rv_soft_convert(&rv_f32, &rv_f64, a, rounding, flags);
}

uint64_t rv_f64_from_f32(uint32_t a, uint32_t *flags) {
	return rv_soft_convert(&rv_f64, &rv_f32, a, RV_RNE, flags);
}

static uint64_t from_signed(
	const struct rv_fp_format *format, int64_t a, unsigned rounding, uint32_t *flags) {
	return rv_soft_from_integer(
		format, a < 0, a < 0 ? -(uint64_t)a : (uint64_t)a, rounding, flags);
}

uint32_t rv_f32_from_i32(int32_t a, unsigned rounding, uint32_t *flags) {
	return (uint32_t)from_signed(&rv_f32, a, rounding, flags);
}

uint32_t rv_f32_from_u32(uint32_t a, unsigned rounding, uint32_t *flags) {
	return (uint32_t)rv_soft_from_integer(&rv_f32, false, a, rounding, flags);
}

uint32_t rv_f32_from_i64(int64_t a, unsigned rounding, uint32_t *flags) {
	return (uint32_t)from_signed(&rv_f32, a, rounding, flags);
}

uint32_t rv_f32_from_u64(uint64_t a, unsigned rounding, uint32_t *flags) {
	return (uint32_t)rv_soft_from_integer(&rv_f32, false, a, rounding, flags);
}

uint64_t rv_f32_to_i32(uint32_t a, unsigned rounding, uint32_t *flags) {
	return rv_soft_to_integer(&rv_f32, a, true, 32, rounding, flags);
}

uint64_t rv_f32_to_u32(uint32_t a, unsigned rounding, uint32_t *flags) {
	return (uint64_t)(int32_t)rv_soft_to_integer(&rv_f32, a, false, 32, rounding, flags);
}

uint64_t rv_f32_to_i64(uint32_t a, unsigned rounding, uint32_t *flags) {
	return rv_soft_to_integer(&rv_f32, a, true, 64, rounding, flags);
}

uint64_t rv_f32_to_u64(uint32_t a, unsigned rounding, uint32_t *flags) {
	return rv_soft_to_integer(&rv_f32, a, false, 64, rounding, flags);
}

uint64_t rv_f64_from_i32(int32_t a, uint32_t *flags) {
	return from_signed(&rv_f64, a, RV_RNE, flags);
}

uint64_t rv_f64_from_u32(uint32_t a, uint32_t *flags) {
	return rv_soft_from_integer(&rv_f64, false, a, RV_RNE, flags);
}

uint64_t rv_f64_from_i64(int64_t a, unsigned rounding, uint32_t *flags) {
	return from_signed(&rv_f64, a, rounding, flags);
}

uint64_t rv_f64_from_u64(uint64_t a, unsigned rounding, uint32_t *flags) {
	return rv_soft_from_integer(&rv_f64, false, a, rounding, flags);
}

uint64_t rv_f64_to_i32(uint64_t a, unsigned rounding, uint32_t *flags) {
	return rv_soft_to_integer(&rv_f64, a, true, 32, rounding, flags);
}

uint64_t rv_f64_to_u32(uint64_t a, unsigned rounding, uint32_t *flags) {
	return (uint64_t)(int32_t)rv_soft_to_integer(&rv_f64, a, false, 32, rounding, flags);
}

uint64_t rv_f64_to_i64(uint64_t a, unsigned rounding, uint32_t *flags) {
	return rv_soft_to_integer(&rv_f64, a, true, 64, rounding, flags);
}

uint64_t rv_f64_to_u64(uint64_t a, unsigned rounding, uint32_t *flags) {
	return rv_soft_to_integer(&rv_f64, a, false, 64, rounding, flags);
}

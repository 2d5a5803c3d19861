/* SPDX-License-Identifier: MIT */
/*
 * Floating point in integers: all five rounding modes and exact flags on any machine. What fp.c has
 * no instruction for goes here: rounding to nearest with ties away from zero, and everything where
 * the host is no x86-64. Numbers are bit patterns in the low bits; flags are added to *flags.
 */
#ifndef RISCV_FP_SOFT_H
#define RISCV_FP_SOFT_H

#include <stdbool.h>
#include <stdint.h>

struct rv_fp_format {
	unsigned fraction; /* bits of it */
	unsigned exponent;
};

static const struct rv_fp_format rv_f32 = {23, 8}, rv_f64 = {52, 11};

uint64_t rv_soft_add(const struct rv_fp_format *format, uint64_t a, uint64_t b, unsigned rounding,
	uint32_t *flags);
uint64_t rv_soft_mul(const struct rv_fp_format *format, uint64_t a, uint64_t b, unsigned rounding,
	uint32_t *flags);
uint64_t rv_soft_div(const struct rv_fp_format *format, uint64_t a, uint64_t b, unsigned rounding,
	uint32_t *flags);
uint64_t rv_soft_sqrt(
	const struct rv_fp_format *format, uint64_t a, unsigned rounding, uint32_t *flags);
/* a * b + c, rounded once. */
uint64_t rv_soft_fma(const struct rv_fp_format *format, uint64_t a, uint64_t b, uint64_t c,
	unsigned rounding, uint32_t *flags);
uint64_t rv_soft_convert(const struct rv_fp_format *to, const struct rv_fp_format *from, uint64_t a,
	unsigned rounding, uint32_t *flags);
uint64_t rv_soft_from_integer(const struct rv_fp_format *format, bool negative, uint64_t magnitude,
	unsigned rounding, uint32_t *flags);
/* NV and the nearest bound where it does not fit into `bits` bits; a NaN is above all. */
uint64_t rv_soft_to_integer(const struct rv_fp_format *format, uint64_t a, bool is_signed,
	unsigned bits, unsigned rounding, uint32_t *flags);

#endif

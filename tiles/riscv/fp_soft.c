/* SPDX-License-Identifier: MIT */
#include "fp_soft.h"

#include "fp.h"

typedef unsigned __int128 uint128;

enum kind {
	ZERO,
	FINITE,
	INFINITE,
	QUIET,
	SIGNALLING,
};

/* A number taken apart. FINITE: significand / 2^63 * 2^exponent, with bit 63 set. */
struct number {
	enum kind kind;
	bool negative;
	int exponent;
	uint64_t significand;
};

static uint64_t sign_bit(const struct rv_fp_format *format) {
	return 1ull << (format->fraction + format->exponent);
}

static int bias(const struct rv_fp_format *format) {
	return (1 << (format->exponent - 1)) - 1;
}

static uint64_t zero(const struct rv_fp_format *format, bool negative) {
	return negative ? sign_bit(format) : 0;
}

static uint64_t infinity(const struct rv_fp_format *format, bool negative) {
	return zero(format, negative) | ((1ull << format->exponent) - 1) << format->fraction;
}

static uint64_t nan_of(const struct rv_fp_format *format) {
	return infinity(format, false) | 1ull << (format->fraction - 1);
}

static uint64_t invalid(const struct rv_fp_format *format, uint32_t *flags) {
	*flags |= RV_NV;
	return nan_of(format);
}

static struct number take_apart(const struct rv_fp_format *format, uint64_t bits) {
	const uint64_t fraction = bits & ((1ull << format->fraction) - 1);
	const int exponent = (int)(bits >> format->fraction & ((1ull << format->exponent) - 1));
	struct number n = {.negative = bits & sign_bit(format)};
	if (exponent == (1 << format->exponent) - 1) {
		if (!fraction)
			n.kind = INFINITE;
		else
			n.kind = fraction >> (format->fraction - 1) ? QUIET : SIGNALLING;
		return n;
	}
	if (!exponent && !fraction) {
		n.kind = ZERO;
		return n;
	}
	n.kind = FINITE;
	if (exponent) {
		n.exponent = exponent - bias(format);
		n.significand = (fraction | 1ull << format->fraction) << (63 - format->fraction);
	} else {
		const int shift = __builtin_clzll(fraction);
		n.exponent = 1 - bias(format) - (shift - (63 - (int)format->fraction));
		n.significand = fraction << shift;
	}
	return n;
}

static bool is_nan(const struct number *n) {
	return n->kind >= QUIET;
}

/* The result of an operation one of whose operands is a NaN. */
static uint64_t of_nan(const struct rv_fp_format *format, const struct number *a,
	const struct number *b, uint32_t *flags) {
	if (a->kind == SIGNALLING || b->kind == SIGNALLING)
		*flags |= RV_NV;
	return nan_of(format);
}

/* Whether a magnitude whose last bit kept is `odd` and whose rest is below, at or above a half of
 * that bit (-1, 0, 1; the rest is not zero) becomes one more. */
static bool rounds_up(unsigned rounding, bool negative, bool odd, int rest) {
	switch (rounding) {
	case RV_RTZ:
		return false;
	case RV_RDN:
		return negative;
	case RV_RUP:
		return !negative;
	case RV_RMM:
		return rest >= 0;
	default:
		return rest > 0 || (rest == 0 && odd);
	}
}

/* value >> shift, rounded; 0 < shift. */
static uint128 shift_rounded(
	uint128 value, unsigned shift, unsigned rounding, bool negative, bool *inexact) {
	const uint128 kept = shift < 128 ? value >> shift : 0;
	const uint128 rest = shift < 128 ? value & (((uint128)1 << shift) - 1) : value;
	*inexact = rest != 0;
	if (!rest)
		return kept;
	int compared = -1;
	if (shift <= 128) {
		const uint128 half = (uint128)1 << (shift - 1);
		compared = rest < half ? -1 : rest > half;
	}
	return kept + rounds_up(rounding, negative, kept & 1, compared);
}

/* value >> shift, the last bit set where one was lost: what is rounded afterwards at a bit further
 * up is rounded right. */
static uint128 shift_jammed(uint128 value, unsigned shift) {
	if (!shift)
		return value;
	if (shift >= 128)
		return value != 0;
	return value >> shift | ((value & (((uint128)1 << shift) - 1)) != 0);
}

static int leading_zeros(uint128 value) {
	const uint64_t high = (uint64_t)(value >> 64);
	return high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)value);
}

/* The number significand / 2^127 * 2^exponent; significand is not 0. */
static uint64_t put_together(const struct rv_fp_format *format, bool negative, int exponent,
	uint128 significand, unsigned rounding, uint32_t *flags) {
	const int zeros = leading_zeros(significand);
	significand <<= zeros;
	exponent -= zeros;
	const int least = 1 - bias(format);
	const unsigned shift = 127 - format->fraction;
	bool inexact;
	if (exponent < least) {
		const unsigned more = (unsigned)(least - exponent);
		const uint128 rounded =
			shift_rounded(significand, shift + more, rounding, negative, &inexact);
		/* Tiny is what would also be so with an exponent without bounds. */
		bool ignored;
		const bool tiny = more > 1 ||
			!(shift_rounded(significand, shift, rounding, negative, &ignored) >>
				(format->fraction + 1));
		if (inexact)
			*flags |= RV_NX | (tiny ? RV_UF : 0);
		/* A carry into the exponent makes it the least normal number, as it must. */
		return zero(format, negative) | (uint64_t)rounded;
	}
	uint64_t rounded =
		(uint64_t)shift_rounded(significand, shift, rounding, negative, &inexact);
	if (rounded >> (format->fraction + 1)) {
		rounded >>= 1;
		exponent++;
	}
	if (exponent > bias(format)) {
		*flags |= RV_OF | RV_NX;
		/* The greatest finite number is the pattern just below infinity. */
		return infinity(format, negative) - !rounds_up(rounding, negative, true, 1);
	}
	if (inexact)
		*flags |= RV_NX;
	return zero(format, negative) | (uint64_t)(exponent + bias(format)) << format->fraction |
		(rounded & ((1ull << format->fraction) - 1));
}

/* The sum of two numbers significand / 2^126 * 2^exponent, with bit 126 set in both. */
static uint64_t add_magnitudes(const struct rv_fp_format *format, bool a_negative, int a_exponent,
	uint128 a, bool b_negative, int b_exponent, uint128 b, unsigned rounding, uint32_t *flags) {
	const int exponent = a_exponent > b_exponent ? a_exponent : b_exponent;
	a = shift_jammed(a, (unsigned)(exponent - a_exponent));
	b = shift_jammed(b, (unsigned)(exponent - b_exponent));
	if (a_negative == b_negative)
		return put_together(format, a_negative, exponent + 1, a + b, rounding, flags);
	if (a == b)
		return zero(format, rounding == RV_RDN);
	return a > b ? put_together(format, a_negative, exponent + 1, a - b, rounding, flags)
		     : put_together(format, b_negative, exponent + 1, b - a, rounding, flags);
}

uint64_t rv_soft_add(const struct rv_fp_format *format, uint64_t a_bits, uint64_t b_bits,
	unsigned rounding, uint32_t *flags) {
	const struct number a = take_apart(format, a_bits), b = take_apart(format, b_bits);
	if (is_nan(&a) || is_nan(&b))
		return of_nan(format, &a, &b, flags);
	if (a.kind == INFINITE || b.kind == INFINITE) {
		if (a.kind == b.kind && a.negative != b.negative)
			return invalid(format, flags);
		return a.kind == INFINITE ? a_bits : b_bits;
	}
	if (a.kind == ZERO && b.kind == ZERO)
		return a.negative == b.negative ? a_bits : zero(format, rounding == RV_RDN);
	if (a.kind == ZERO || b.kind == ZERO)
		return a.kind == ZERO ? b_bits : a_bits;
	return add_magnitudes(format, a.negative, a.exponent, (uint128)a.significand << 63,
		b.negative, b.exponent, (uint128)b.significand << 63, rounding, flags);
}

uint64_t rv_soft_mul(const struct rv_fp_format *format, uint64_t a_bits, uint64_t b_bits,
	unsigned rounding, uint32_t *flags) {
	const struct number a = take_apart(format, a_bits), b = take_apart(format, b_bits);
	const bool negative = a.negative != b.negative;
	if (is_nan(&a) || is_nan(&b))
		return of_nan(format, &a, &b, flags);
	if (a.kind == INFINITE || b.kind == INFINITE) {
		if (a.kind == ZERO || b.kind == ZERO)
			return invalid(format, flags);
		return infinity(format, negative);
	}
	if (a.kind == ZERO || b.kind == ZERO)
		return zero(format, negative);
	/* Bit 126 or 127 of the product is set. */
	return put_together(format, negative, a.exponent + b.exponent + 1,
		(uint128)a.significand * b.significand, rounding, flags);
}

uint64_t rv_soft_fma(const struct rv_fp_format *format, uint64_t a_bits, uint64_t b_bits,
	uint64_t c_bits, unsigned rounding, uint32_t *flags) {
	const struct number a = take_apart(format, a_bits), b = take_apart(format, b_bits),
			    c = take_apart(format, c_bits);
	const bool negative = a.negative != b.negative;
	/* Infinity times zero is invalid even if a quiet NaN is added. */
	if ((a.kind == INFINITE && b.kind == ZERO) || (a.kind == ZERO && b.kind == INFINITE))
		return invalid(format, flags);
	if (is_nan(&a) || is_nan(&b) || is_nan(&c)) {
		if (c.kind == SIGNALLING)
			*flags |= RV_NV;
		return of_nan(format, &a, &b, flags);
	}
	if (a.kind == INFINITE || b.kind == INFINITE) {
		if (c.kind == INFINITE && c.negative != negative)
			return invalid(format, flags);
		return infinity(format, negative);
	}
	if (c.kind == INFINITE)
		return c_bits;
	if (a.kind == ZERO || b.kind == ZERO) {
		if (c.kind != ZERO || c.negative == negative)
			return c_bits;
		return zero(format, rounding == RV_RDN);
	}
	uint128 product = (uint128)a.significand * b.significand;
	int exponent = a.exponent + b.exponent;
	/* The last bits are 0, so that none is lost here. */
	if (product >> 127) {
		product >>= 1;
		exponent++;
	}
	if (c.kind == ZERO)
		return put_together(format, negative, exponent + 1, product, rounding, flags);
	return add_magnitudes(format, negative, exponent, product, c.negative, c.exponent,
		(uint128)c.significand << 63, rounding, flags);
}

uint64_t rv_soft_div(const struct rv_fp_format *format, uint64_t a_bits, uint64_t b_bits,
	unsigned rounding, uint32_t *flags) {
	const struct number a = take_apart(format, a_bits), b = take_apart(format, b_bits);
	const bool negative = a.negative != b.negative;
	if (is_nan(&a) || is_nan(&b))
		return of_nan(format, &a, &b, flags);
	if (a.kind == b.kind && (a.kind == INFINITE || a.kind == ZERO))
		return invalid(format, flags);
	if (a.kind == INFINITE)
		return infinity(format, negative);
	if (a.kind == ZERO || b.kind == INFINITE)
		return zero(format, negative);
	if (b.kind == ZERO) {
		*flags |= RV_DZ;
		return infinity(format, negative);
	}
	const uint128 dividend = (uint128)a.significand << 63;
	const uint128 quotient = dividend / b.significand;
	const bool rest = quotient * b.significand != dividend;
	/* Below 2^64, and 2^63 is one: there is room for a bit that stands for the rest. */
	return put_together(
		format, negative, a.exponent - b.exponent, quotient << 64 | rest, rounding, flags);
}

uint64_t rv_soft_sqrt(
	const struct rv_fp_format *format, uint64_t a_bits, unsigned rounding, uint32_t *flags) {
	const struct number a = take_apart(format, a_bits);
	if (is_nan(&a))
		return of_nan(format, &a, &a, flags);
	if (a.kind == ZERO)
		return a_bits;
	if (a.negative)
		return invalid(format, flags);
	if (a.kind == INFINITE)
		return a_bits;
	/* With an even exponent the root of the significand, digit by digit: 2^126 is one. */
	const bool odd = a.exponent & 1;
	uint128 rest = (uint128)a.significand << (odd ? 64 : 63);
	uint128 root = 0;
	for (uint128 digit = (uint128)1 << 126; digit; digit >>= 2) {
		if (rest >= root + digit) {
			rest -= root + digit;
			root = root >> 1 | digit;
		} else {
			root >>= 1;
		}
	}
	/* 2^63 is one, below 2^64. */
	return put_together(
		format, false, (a.exponent - odd) / 2, root << 64 | (rest != 0), rounding, flags);
}

uint64_t rv_soft_convert(const struct rv_fp_format *to, const struct rv_fp_format *from,
	uint64_t bits, unsigned rounding, uint32_t *flags) {
	const struct number a = take_apart(from, bits);
	if (is_nan(&a))
		return of_nan(to, &a, &a, flags);
	if (a.kind == INFINITE)
		return infinity(to, a.negative);
	if (a.kind == ZERO)
		return zero(to, a.negative);
	return put_together(
		to, a.negative, a.exponent, (uint128)a.significand << 64, rounding, flags);
}

uint64_t rv_soft_from_integer(const struct rv_fp_format *format, bool negative, uint64_t magnitude,
	unsigned rounding, uint32_t *flags) {
	if (!magnitude)
		return 0;
	return put_together(format, negative, 127, magnitude, rounding, flags);
}

uint64_t rv_soft_to_integer(const struct rv_fp_format *format, uint64_t bits, bool is_signed,
	unsigned count, unsigned rounding, uint32_t *flags) {
	const struct number a = take_apart(format, bits);
	const uint64_t highest = UINT64_MAX >> (64 - count + is_signed);
	const uint64_t lowest = is_signed ? ~highest : 0;
	const bool negative = a.negative && !is_nan(&a);
	if (a.kind == ZERO)
		return 0;
	if (a.kind == FINITE && a.exponent < 64) {
		bool inexact = false;
		/* Below a half all magnitudes round alike. */
		const int exponent = a.exponent < -2 ? -2 : a.exponent;
		const uint64_t magnitude = exponent == 63
			? a.significand
			: (uint64_t)shift_rounded(a.significand, (unsigned)(63 - exponent),
				  rounding, negative, &inexact);
		if (magnitude <= (negative ? -lowest : highest)) {
			if (inexact)
				*flags |= RV_NX;
			return negative ? -magnitude : magnitude;
		}
	}
	*flags |= RV_NV;
	return negative ? lowest : highest;
}

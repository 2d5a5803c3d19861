/* SPDX-License-Identifier: MIT */
/*
 * Four numbers at a time, one of each of four voices. Written so that the compiler has no choice in
 * what is added to what: the same result whatever the optimisation, the machine's FPU mode, and how
 * the frames are cut up.
 */
#ifndef SYNTH_LANES_H
#define SYNTH_LANES_H

#include <stdint.h>

#define LANES 4

typedef float lanes __attribute__((vector_size(16), may_alias));
typedef int32_t lanes_i __attribute__((vector_size(16), may_alias));
typedef uint32_t lanes_u __attribute__((vector_size(16), may_alias));

static inline lanes lanes_of(float x) {
	return (lanes){x, x, x, x};
}

static inline lanes_i lanes_i_of(int32_t x) {
	return (lanes_i){x, x, x, x};
}

/* a where the mask is all ones, b where it is 0. */
static inline lanes lanes_pick(lanes_i mask, lanes a, lanes b) {
	return (lanes)(((lanes_i)a & mask) | ((lanes_i)b & ~mask));
}

static inline lanes_i lanes_i_pick(lanes_i mask, lanes_i a, lanes_i b) {
	return (a & mask) | (b & ~mask);
}

static inline lanes lanes_min(lanes a, lanes b) {
	return lanes_pick(a < b, a, b);
}

static inline lanes lanes_max(lanes a, lanes b) {
	return lanes_pick(a > b, a, b);
}

static inline lanes lanes_clamp(lanes x, float least, float most) {
	return lanes_min(lanes_max(x, lanes_of(least)), lanes_of(most));
}

/* Takes away what is so small that it would one day become a denormal number, in states that decay:
 * what is left is 0 or above 1e-20. Far below what can be heard. */
#define LANES_DUST 1e-12f
static inline lanes lanes_settle(lanes x) {
	return (x + lanes_of(LANES_DUST)) - lanes_of(LANES_DUST);
}

static inline float settle(float x) {
	return (x + LANES_DUST) - LANES_DUST;
}

/* 2 to the power of x, for -100 to 100; relative error below 3e-7. */
static inline lanes lanes_exp2(lanes x) {
	lanes_i whole = __builtin_convertvector(x, lanes_i);
	whole += (lanes_i)(__builtin_convertvector(whole, lanes) > x); /* floor: -1 where above */
	lanes f = x - __builtin_convertvector(whole, lanes);
	lanes p = lanes_of(1.8775767e-3f);
	p = p * f + lanes_of(8.9893397e-3f);
	p = p * f + lanes_of(5.5826318e-2f);
	p = p * f + lanes_of(2.4015361e-1f);
	p = p * f + lanes_of(6.9315308e-1f);
	p = p * f + lanes_of(1.0f);
	return p * (lanes)((whole + lanes_i_of(127)) << 23);
}

static inline float exp2_of(float x) {
	return lanes_exp2(lanes_of(x))[0];
}

/* The tangent, for 0 to 1.45: relative error below 2e-4. */
static inline lanes lanes_tan(lanes x) {
	lanes s = x * x;
	return x * (lanes_of(945) - lanes_of(105) * s + s * s) /
		(lanes_of(945) - lanes_of(420) * s + lanes_of(15) * s * s);
}

/* A soft curve from -1 to 1: straight in the middle, flat from -3 and 3 on. */
static inline lanes lanes_saturate(lanes x) {
	lanes t = lanes_clamp(x, -3, 3), s = t * t;
	return t * (lanes_of(27) + s) / (lanes_of(27) + lanes_of(9) * s);
}

/* The sine of a phase: a whole turn is 1; for -0.5 to 1.5. Error below 1e-4: for what modulates. */
static inline lanes lanes_wobble(lanes turn) {
	lanes t = turn - lanes_pick(turn >= lanes_of(0.5f), lanes_of(1), lanes_of(0));
	lanes a = lanes_pick(t < lanes_of(0), -t, t);
	lanes y = lanes_of(8) * t - lanes_of(16) * t * a;
	lanes b = lanes_pick(y < lanes_of(0), -y, y);
	return y * (lanes_of(0.775f) + lanes_of(0.225f) * b);
}

#endif

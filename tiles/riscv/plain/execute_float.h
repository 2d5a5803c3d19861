/* SPDX-License-Identifier: MIT */
/* What the instructions of F and D have in common: Unprivileged Architecture, chapters 20 and 21.
 */
#ifndef RISCV_EXECUTE_FLOAT_H
#define RISCV_EXECUTE_FLOAT_H

#include "csr.h"
#include "fp.h"
#include "plain.h"

#define PLAIN_FLOAT_NS 60 /* see rv_work() */

static inline bool rv_plain_float(const struct rv_plain *p) {
	return p->hart->mstatus & RV_STATUS_FS;
}

/* As the instruction says, or frm if that is what it says. */
static inline unsigned rv_plain_rounding(const struct rv_plain *p, const struct rv_insn *i) {
	return i->rm == RV_DYN ? p->hart->frm : i->rm;
}

static inline void rv_plain_flags(struct rv_plain *p, uint32_t flags) {
	if (flags) {
		p->hart->fflags |= flags;
		p->hart->mstatus |= RV_STATUS_FS;
	}
}

/* A number of 32 bits that has not ones above it is a NaN. */
static inline uint32_t rv_plain_single(const struct rv_plain *p, unsigned number) {
	uint64_t value = p->hart->f[number];
	return value >> 32 == UINT32_MAX ? (uint32_t)value : RV_F32_NAN;
}

static inline uint64_t rv_plain_double(const struct rv_plain *p, unsigned number) {
	return p->hart->f[number];
}

static inline void rv_plain_set_double(struct rv_plain *p, unsigned number, uint64_t value) {
	p->hart->f[number] = value;
	p->hart->mstatus |= RV_STATUS_FS;
}

static inline void rv_plain_set_single(struct rv_plain *p, unsigned number, uint32_t value) {
	rv_plain_set_double(p, number, 0xffffffff00000000ull | value);
}

/*
 * The kinds of instructions. `value` is an expression in which A, B and C, defined by the files
 * that use these, are the operands, `rounding` and `&flags` what the functions of fp.h take.
 */

/* With a rounding mode and flags, to an f register. */
#define ARITHMETIC(name, set, value)                                                               \
	EXECUTE(name) {                                                                            \
		unsigned rounding = rv_plain_rounding(p, i);                                       \
		if (!rv_plain_float(p) || rounding > RV_RMM) {                                     \
			return rv_plain_illegal(p);                                                \
		}                                                                                  \
		rv_work(p->m, PLAIN_FLOAT_NS);                                                     \
		uint32_t flags = 0;                                                                \
		set(p, i->rd, value);                                                              \
		rv_plain_flags(p, flags);                                                          \
		return next;                                                                       \
	}
/* The same, to an x register. */
#define CONVERSION(name, value)                                                                    \
	EXECUTE(name) {                                                                            \
		unsigned rounding = rv_plain_rounding(p, i);                                       \
		if (!rv_plain_float(p) || rounding > RV_RMM) {                                     \
			return rv_plain_illegal(p);                                                \
		}                                                                                  \
		rv_work(p->m, PLAIN_FLOAT_NS);                                                     \
		uint32_t flags = 0;                                                                \
		RD = (value);                                                                      \
		rv_plain_flags(p, flags);                                                          \
		return next;                                                                       \
	}
/* With flags but no rounding, to an x register. */
#define COMPARISON(name, value)                                                                    \
	EXECUTE(name) {                                                                            \
		if (!rv_plain_float(p)) {                                                          \
			return rv_plain_illegal(p);                                                \
		}                                                                                  \
		uint32_t flags = 0;                                                                \
		RD = (value);                                                                      \
		rv_plain_flags(p, flags);                                                          \
		return next;                                                                       \
	}
/* With flags but no rounding, to an f register. */
#define SELECTION(name, set, value)                                                                \
	EXECUTE(name) {                                                                            \
		if (!rv_plain_float(p)) {                                                          \
			return rv_plain_illegal(p);                                                \
		}                                                                                  \
		uint32_t flags = 0;                                                                \
		set(p, i->rd, value);                                                              \
		rv_plain_flags(p, flags);                                                          \
		return next;                                                                       \
	}
/* With neither, to an f register, and to an x register. */
#define MOVE(name, set, value)                                                                     \
	EXECUTE(name) {                                                                            \
		if (!rv_plain_float(p)) {                                                          \
			return rv_plain_illegal(p);                                                \
		}                                                                                  \
		set(p, i->rd, value);                                                              \
		return next;                                                                       \
	}
#define MOVE_TO_X(name, value)                                                                     \
	EXECUTE(name) {                                                                            \
		if (!rv_plain_float(p)) {                                                          \
			return rv_plain_illegal(p);                                                \
		}                                                                                  \
		RD = (value);                                                                      \
		return next;                                                                       \
	}

#endif

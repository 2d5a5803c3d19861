/* SPDX-License-Identifier: MIT */
/* What the files that translate blocks share: where the guest's registers are, and detours. */
#ifndef RISCV_FAST_TRANSLATE_H
#define RISCV_FAST_TRANSLATE_H

#include "fast_jit.h"

/* A way around an instruction that could not be done in place, at the end of the block. Those of
 * one instruction follow each other. */
struct fast_detour {
	uint8_t *from, *back;
	const struct fast_insn *insn;
};

struct fast_translation {
	struct x86 c;
	struct fast_jit *jit;
	struct fast *fast;
	struct fast_block *block;
	struct fast_detour detours[8 * FAST_BLOCK_MAX];
	unsigned detour_count;
};

static inline bool fast_is_mapped(unsigned x) {
	return fast_host_of(x) >= 0;
}

/* Into this register of the host. */
static inline void fast_get(struct fast_translation *t, unsigned host, unsigned x) {
	if (fast_is_mapped(x))
		x86_mov(&t->c, host, (unsigned)fast_host_of(x));
	else if (x == 0)
		x86_constant(&t->c, host, 0);
	else
		x86_rm(&t->c, 1, X86_MOV, host, RBP, FAST_AT_X(x));
}

/* Where it is, or into `temporary`. */
static inline unsigned fast_source(struct fast_translation *t, unsigned x, unsigned temporary) {
	if (fast_is_mapped(x))
		return (unsigned)fast_host_of(x);
	fast_get(t, temporary, x);
	return temporary;
}

/* Where to have a result for fast_put(). */
static inline unsigned fast_target(unsigned x) {
	return fast_is_mapped(x) ? (unsigned)fast_host_of(x) : RAX;
}

static inline void fast_put(struct fast_translation *t, unsigned x, unsigned host) {
	if (fast_is_mapped(x))
		x86_mov(&t->c, (unsigned)fast_host_of(x), host);
	else if (x != FAST_X0)
		x86_rm(&t->c, 1, X86_STORE, host, RBP, FAST_AT_X(x));
}

/* host op= x */
static inline void fast_operate(
	struct fast_translation *t, unsigned wide, unsigned opcode, unsigned host, unsigned x) {
	if (fast_is_mapped(x))
		x86_rr(&t->c, wide, opcode, host, (unsigned)fast_host_of(x));
	else
		x86_rm(&t->c, wide, opcode, host, RBP, FAST_AT_X(x));
}

/* To rd. */
static inline void fast_constant(
	struct fast_translation *t, const struct fast_insn *insn, uint64_t value) {
	const unsigned to = fast_target(insn->rd);
	x86_constant(&t->c, to, value);
	fast_put(t, insn->rd, to);
}

/* The flags, of the difference. */
static inline void fast_compare(struct fast_translation *t, unsigned a, unsigned b) {
	const unsigned host = fast_source(t, a, RAX);
	if (b == 0)
		x86_rr(&t->c, 1, X86_TEST, host, host);
	else
		fast_operate(t, 1, X86_CMP, host, b);
}

/* Where `from` jumps to, rv_fast_slow() does the instruction, and goes on at `back`. */
static inline void fast_detour(
	struct fast_translation *t, const struct fast_insn *insn, uint8_t *from, uint8_t *back) {
	t->detours[t->detour_count++] = (struct fast_detour){from, back, insn};
}

/* Each false: not one of these. */
bool rv_fast_translate_number(struct fast_translation *t, const struct fast_insn *insn);
bool rv_fast_translate_float(struct fast_translation *t, const struct fast_insn *insn);

/* RAX becomes the host's address of a load or a store. Gives the jump that is taken where that is
 * not known. RDX is used. */
uint8_t *rv_fast_translate_address(struct fast_translation *t, const struct fast_insn *insn,
	enum rv_access access, unsigned size);

#endif

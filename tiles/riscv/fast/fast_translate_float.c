/* SPDX-License-Identifier: MIT */
/*
 * Translates floating point for the x86-64. Arithmetic is done here where the only flag that it can
 * raise is raised already: NX. Then the result tells: one that is finite and not near to the
 * smallest numbers comes without OF, UF, DZ and NV. The rest takes the slow way.
 */
#include "csr.h"
#include "fast_translate.h"
#include "fp.h"

#ifdef __x86_64__

#include <cpuid.h>

static int32_t f_at(unsigned f) {
	return (int32_t)(offsetof(struct rv_hart, f) + f * sizeof(uint64_t));
}

#define HART(member) ((int32_t)offsetof(struct rv_hart, member))

/* ------------------------------------------------------------------ of the assembler */

enum sse_prefix {
	SSE_PD = 0x66,
	SSE_SS = 0xf3,
	SSE_SD = 0xf2,
};

enum sse_opcode {
	SSE_LOAD = 0x0f10,
	SSE_FROM_INTEGER = 0x0f2a,
	SSE_TO_INTEGER = 0x0f2c, /* towards zero */
	SSE_COMPARE = 0x0f2e,
	SSE_SQRT = 0x0f51,
	SSE_ADD = 0x0f58,
	SSE_MUL = 0x0f59,
	SSE_CONVERT = 0x0f5a, /* to the other size */
	SSE_SUB = 0x0f5c,
	SSE_DIV = 0x0f5e,
	SSE_MOVE = 0x0f7e, /* the number to the integer */
};

/* XMM0 and a register of the guest, or an integer register. */
static void sse_f(struct x86 *c, enum sse_prefix prefix, enum sse_opcode opcode, unsigned f) {
	x86_byte(c, prefix);
	x86_rm(c, 0, opcode, 0, RDX, f_at(f));
}

static void sse_x(
	struct x86 *c, enum sse_prefix prefix, unsigned wide, enum sse_opcode opcode, unsigned x) {
	x86_byte(c, prefix);
	x86_rr(c, wide, opcode, 0, x);
}

/* ------------------------------------------------------------------ what has to be so */

struct conditions {
	struct fast_translation *t;
	const struct fast_insn *insn;
	bool is_double;
};

/* Not done here if the flags say so. */
static void unless(const struct conditions *o, enum x86_condition condition) {
	fast_detour(o->t, o->insn, x86_jump_if(&o->t->c, condition), NULL);
}

/* From here on RDX is the hart: floating point has to be on. */
static void begin(const struct conditions *o) {
	struct x86 *c = &o->t->c;
	x86_rm(c, 1, X86_MOV, RDX, RBP, FAST_AT(hart));
	x86_rm(c, 0, 0xf7, 0, RDX, HART(mstatus));
	x86_32(c, RV_STATUS_FS);
	unless(o, X86_E);
}

/* f[number], of 32 bits, has to be boxed. */
static void boxed(const struct conditions *o, unsigned number) {
	if (o->is_double)
		return;
	x86_rm(&o->t->c, 0, 0x83, X86_G_CMP, RDX, f_at(number) + 4);
	x86_byte(&o->t->c, 0xff);
	unless(o, X86_NE);
}

static void inexact_before(const struct conditions *o) {
	x86_rm(&o->t->c, 0, 0xf7, 0, RDX, HART(fflags));
	x86_32(&o->t->c, RV_NX);
	unless(o, X86_E);
}

/* To nearest, which is how the host rounds: said by the instruction, or by frm. */
static bool may_round_to_nearest(const struct fast_insn *insn) {
	return insn->rm == RV_DYN || insn->rm == RV_RNE;
}

static void rounds_to_nearest(const struct conditions *o) {
	if (o->insn->rm != RV_DYN)
		return;
	x86_rm(&o->t->c, 0, 0x83, X86_G_CMP, RDX, HART(frm));
	x86_byte(&o->t->c, RV_RNE);
	unless(o, X86_NE);
}

/* RAX is the result, RCX is lost. */
static void plain_number(const struct conditions *o) {
	struct x86 *c = &o->t->c;
	const int32_t exponents = o->is_double ? 0x7ff : 0xff;
	x86_mov(c, RCX, RAX);
	x86_shift(c, 1, X86_SHR, RCX, o->is_double ? 52 : 23);
	x86_ri(c, 0, X86_G_AND, RCX, exponents);
	x86_ri(c, 0, X86_G_SUB, RCX, 2);
	x86_ri(c, 0, X86_G_CMP, RCX, exponents - 2);
	unless(o, X86_AE);
}

/* RAX to f[rd]. */
static void set_f(const struct conditions *o) {
	struct x86 *c = &o->t->c;
	const int32_t at = f_at(o->insn->rd);
	x86_rm(c, o->is_double, X86_STORE, RAX, RDX, at);
	if (!o->is_double) {
		x86_rm(c, 0, 0xc7, 0, RDX, at + 4);
		x86_32(c, -1);
	}
	x86_rm(c, 0, 0x81, X86_G_OR, RDX, HART(mstatus));
	x86_32(c, RV_STATUS_FS);
}

/* All detours of the instruction come back here. */
static void end(const struct conditions *o) {
	struct fast_translation *t = o->t;
	for (unsigned i = t->detour_count; i > 0 && t->detours[i - 1].insn == o->insn; i--)
		t->detours[i - 1].back = t->c.at;
}

/* ------------------------------------------------------------------ instructions */

static void load_f(const struct conditions *o) {
	struct fast_translation *t = o->t;
	struct x86 *c = &t->c;
	begin(o);
	fast_detour(t, o->insn,
		rv_fast_translate_address(t, o->insn, RV_LOAD, o->is_double ? 8 : 4), NULL);
	x86_rm(c, o->is_double, X86_MOV, RAX, RAX, 0);
	x86_rm(c, 1, X86_MOV, RDX, RBP, FAST_AT(hart));
	set_f(o);
	end(o);
}

static void store_f(const struct conditions *o) {
	struct fast_translation *t = o->t;
	struct x86 *c = &t->c;
	begin(o);
	fast_detour(t, o->insn,
		rv_fast_translate_address(t, o->insn, RV_STORE, o->is_double ? 8 : 4), NULL);
	x86_rm(c, 1, X86_MOV, RDX, RBP, FAST_AT(hart));
	x86_rm(c, 1, X86_MOV, RDX, RDX, f_at(o->insn->rs2));
	x86_rm(c, o->is_double, X86_STORE, RDX, RAX, 0);
	end(o);
}

static enum sse_prefix prefix_of(const struct conditions *o) {
	return o->is_double ? SSE_SD : SSE_SS;
}

/* XMM0 to f[rd], if it is a plain number. */
static void result(const struct conditions *o) {
	sse_x(&o->t->c, SSE_PD, o->is_double, SSE_MOVE, RAX);
	plain_number(o);
	set_f(o);
	end(o);
}

/* With one operand or two. False, here and below, and nothing written: for the slow way. */
static bool arithmetic(const struct conditions *o, enum sse_opcode opcode) {
	const struct fast_insn *insn = o->insn;
	struct x86 *c = &o->t->c;
	if (!may_round_to_nearest(insn))
		return false;
	begin(o);
	rounds_to_nearest(o);
	inexact_before(o);
	boxed(o, insn->rs1);
	if (opcode == SSE_SQRT) {
		sse_f(c, prefix_of(o), opcode, insn->rs1);
	} else {
		boxed(o, insn->rs2);
		sse_f(c, prefix_of(o), SSE_LOAD, insn->rs1);
		sse_f(c, prefix_of(o), opcode, insn->rs2);
	}
	result(o);
	return true;
}

static bool has_fma(void) {
	unsigned a, b, c, d;
	/* The system keeps the registers of AVX, too. */
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_FMA) || !(c & bit_OSXSAVE))
		return false;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (a & 6) == 6;
}

/* XMM0 = +-(XMM0 * XMM1) +- c, which of them by the opcode. */
static bool fused(const struct conditions *o, unsigned opcode) {
	const struct fast_insn *insn = o->insn;
	struct x86 *c = &o->t->c;
	if (!may_round_to_nearest(insn) || !has_fma())
		return false;
	begin(o);
	rounds_to_nearest(o);
	inexact_before(o);
	boxed(o, insn->rs1);
	boxed(o, insn->rs2);
	boxed(o, insn->rs3);
	sse_f(c, prefix_of(o), SSE_LOAD, insn->rs1);
	x86_byte(c, prefix_of(o));
	x86_rm(c, 0, SSE_LOAD, 1, RDX, f_at(insn->rs2));
	/* VEX, in three bytes: no extension of registers, table 0f38, the second operand XMM1. */
	x86_byte(c, 0xc4);
	x86_byte(c, 0xe2);
	x86_byte(c, o->is_double ? 0xf1 : 0x71);
	x86_byte(c, opcode);
	x86_byte(c, 0x80 | RDX);
	x86_32(c, f_at(insn->rs3));
	result(o);
	return true;
}

static bool compare_f(const struct conditions *o, unsigned a, unsigned b, enum x86_condition is) {
	struct x86 *c = &o->t->c;
	begin(o);
	boxed(o, a);
	boxed(o, b);
	sse_f(c, prefix_of(o), SSE_LOAD, a);
	if (o->is_double)
		x86_byte(c, SSE_PD);
	x86_rm(c, 0, SSE_COMPARE, 0, RDX, f_at(b));
	unless(o, X86_P);
	const unsigned to = fast_target(o->insn->rd);
	x86_set(c, is, to);
	fast_put(o->t, o->insn->rd, to);
	end(o);
	return true;
}

/* The sign of RAX becomes that of f[rs2]; the other one; both together. */
static bool sign(const struct conditions *o, unsigned kind) {
	const struct fast_insn *insn = o->insn;
	struct x86 *c = &o->t->c;
	const unsigned wide = o->is_double, top = wide ? 63 : 31;
	begin(o);
	boxed(o, insn->rs1);
	boxed(o, insn->rs2);
	x86_rm(c, wide, X86_MOV, RAX, RDX, f_at(insn->rs1));
	if (insn->rs1 != insn->rs2 || kind != 0) {
		x86_rm(c, wide, X86_MOV, RCX, RDX, f_at(insn->rs2));
		if (kind == 1)
			x86_unary(c, wide, X86_NOT, RCX);
		x86_shift(c, wide, X86_SHR, RCX, top);
		x86_shift(c, wide, X86_SHL, RCX, top);
		if (kind != 2) {
			x86_shift(c, wide, X86_SHL, RAX, 1);
			x86_shift(c, wide, X86_SHR, RAX, 1);
		}
		x86_rr(c, wide, X86_XOR, RAX, RCX);
	}
	set_f(o);
	end(o);
	return true;
}

static bool move_to_x(const struct conditions *o) {
	begin(o);
	const unsigned to = fast_target(o->insn->rd);
	x86_rm(&o->t->c, 1, o->is_double ? X86_MOV : X86_MOVSXD, to, RDX, f_at(o->insn->rs1));
	fast_put(o->t, o->insn->rd, to);
	end(o);
	return true;
}

static bool move_to_f(const struct conditions *o) {
	begin(o);
	fast_get(o->t, RAX, o->insn->rs1);
	set_f(o);
	end(o);
	return true;
}

/* Signed numbers of 32 (exact as doubles) or 64 bits. */
static bool from_integer(const struct conditions *o, unsigned wide) {
	const struct fast_insn *insn = o->insn;
	struct x86 *c = &o->t->c;
	if (!may_round_to_nearest(insn))
		return false;
	begin(o);
	rounds_to_nearest(o);
	if (wide || !o->is_double)
		inexact_before(o);
	sse_x(c, prefix_of(o), wide, SSE_FROM_INTEGER, fast_source(o->t, insn->rs1, RAX));
	sse_x(c, SSE_PD, o->is_double, SSE_MOVE, RAX);
	set_f(o);
	end(o);
	return true;
}

/* Towards zero, as programs have it. What does not fit gives the least number. */
static bool to_integer(const struct conditions *o, unsigned wide) {
	struct x86 *c = &o->t->c;
	if (o->insn->rm != RV_RTZ)
		return false;
	begin(o);
	inexact_before(o);
	boxed(o, o->insn->rs1);
	x86_byte(c, prefix_of(o));
	x86_rm(c, wide, SSE_TO_INTEGER, RAX, RDX, f_at(o->insn->rs1));
	x86_constant(c, RCX, wide ? 1ull << 63 : 1ull << 31);
	x86_rr(c, wide, X86_CMP, RAX, RCX);
	unless(o, X86_E);
	if (!wide)
		x86_rr(c, 1, X86_MOVSXD, RAX, RAX);
	fast_put(o->t, o->insn->rd, RAX);
	end(o);
	return true;
}

/* To this size from the other one. */
static bool convert(const struct conditions *o) {
	const struct conditions from = {o->t, o->insn, !o->is_double};
	if (!may_round_to_nearest(o->insn))
		return false;
	begin(o);
	rounds_to_nearest(o);
	inexact_before(o);
	boxed(&from, o->insn->rs1);
	sse_f(&o->t->c, prefix_of(&from), SSE_CONVERT, o->insn->rs1);
	result(o);
	return true;
}

#define BOTH(name, call_s, call_d)                                                                 \
	case RV_OP_##name##_S:                                                                     \
		return call_s;                                                                     \
	case RV_OP_##name##_D:                                                                     \
		return call_d
#define SAME(name, function, ...)                                                                  \
	BOTH(name, function(&s __VA_OPT__(, ) __VA_ARGS__), function(&d __VA_OPT__(, ) __VA_ARGS__))

bool rv_fast_translate_float(struct fast_translation *t, const struct fast_insn *insn) {
	const struct conditions s = {t, insn, false}, d = {t, insn, true};
	switch (insn->op) {
	case RV_OP_FLW:
		load_f(&s);
		return true;
	case RV_OP_FLD:
		load_f(&d);
		return true;
	case RV_OP_FSW:
		store_f(&s);
		return true;
	case RV_OP_FSD:
		store_f(&d);
		return true;
		SAME(FADD, arithmetic, SSE_ADD);
		SAME(FSUB, arithmetic, SSE_SUB);
		SAME(FMUL, arithmetic, SSE_MUL);
		SAME(FDIV, arithmetic, SSE_DIV);
		SAME(FSQRT, arithmetic, SSE_SQRT);
		SAME(FMADD, fused, 0xa9);
		SAME(FMSUB, fused, 0xab);
		SAME(FNMSUB, fused, 0xad);
		SAME(FNMADD, fused, 0xaf);
		SAME(FEQ, compare_f, insn->rs1, insn->rs2, X86_E);
		SAME(FLT, compare_f, insn->rs2, insn->rs1, X86_A);
		SAME(FLE, compare_f, insn->rs2, insn->rs1, X86_AE);
		SAME(FSGNJ, sign, 0);
		SAME(FSGNJN, sign, 1);
		SAME(FSGNJX, sign, 2);
		SAME(FCVT_W, to_integer, 0);
		SAME(FCVT_L, to_integer, 1);
	case RV_OP_FCVT_S_W:
		return from_integer(&s, 0);
	case RV_OP_FCVT_D_W:
		return from_integer(&d, 0);
	case RV_OP_FCVT_S_L:
		return from_integer(&s, 1);
	case RV_OP_FCVT_D_L:
		return from_integer(&d, 1);
	case RV_OP_FCVT_S_D:
		return convert(&s);
	case RV_OP_FCVT_D_S:
		return convert(&d);
	case RV_OP_FMV_X_W:
		return move_to_x(&s);
	case RV_OP_FMV_X_D:
		return move_to_x(&d);
	case RV_OP_FMV_W_X:
		return move_to_f(&s);
	case RV_OP_FMV_D_X:
		return move_to_f(&d);
	default:
		return false;
	}
}

#endif

/* SPDX-License-Identifier: MIT */
/* Translates arithmetic on whole numbers for the x86-64. */
#include "fast_translate.h"

#ifdef __x86_64__

static void alu(struct fast_translation *t, const struct fast_insn *insn, unsigned wide,
	unsigned opcode, bool commutes) {
	unsigned a = insn->rs1, b = insn->rs2, to = fast_target(insn->rd);
	if (fast_is_mapped(b) && b == insn->rd && a != b) {
		if (commutes) {
			b = a;
			a = insn->rs2;
		} else {
			to = RAX;
		}
	}
	fast_get(t, to, a);
	fast_operate(t, wide, opcode, to, b);
	if (!wide)
		x86_rr(&t->c, 1, X86_MOVSXD, to, to);
	fast_put(t, insn->rd, to);
}

static void add(struct fast_translation *t, const struct fast_insn *insn) {
	const unsigned a = insn->rs1, b = insn->rs2, to = fast_target(insn->rd);
	if (a == 0 || b == 0) {
		fast_get(t, to, a ? a : b);
		fast_put(t, insn->rd, to);
	} else if (fast_is_mapped(a) && fast_is_mapped(b) && a != insn->rd && b != insn->rd) {
		x86_rx(&t->c, 1, X86_LEA, to, (unsigned)fast_host_of(a), (unsigned)fast_host_of(b),
			0, 0);
		fast_put(t, insn->rd, to);
	} else {
		alu(t, insn, 1, X86_ADD, true);
	}
}

static void alu_immediate(
	struct fast_translation *t, const struct fast_insn *insn, enum x86_group group) {
	const unsigned to = fast_target(insn->rd);
	fast_get(t, to, insn->rs1);
	x86_ri(&t->c, 1, group, to, (int32_t)insn->imm);
	fast_put(t, insn->rd, to);
}

static void add_immediate(struct fast_translation *t, const struct fast_insn *insn) {
	const unsigned to = fast_target(insn->rd);
	if (insn->rs1 == 0) {
		fast_constant(t, insn, (uint64_t)insn->imm);
	} else if (insn->imm == 0) {
		fast_get(t, to, insn->rs1);
		fast_put(t, insn->rd, to);
	} else if (fast_is_mapped(insn->rs1) && insn->rs1 != insn->rd) {
		x86_rm(&t->c, 1, X86_LEA, to, (unsigned)fast_host_of(insn->rs1),
			(int32_t)insn->imm);
		fast_put(t, insn->rd, to);
	} else {
		alu_immediate(t, insn, X86_G_ADD);
	}
}

static void add_immediate_32(struct fast_translation *t, const struct fast_insn *insn) {
	const unsigned to = fast_target(insn->rd);
	if (insn->rs1 == 0) {
		fast_constant(t, insn, (uint64_t)insn->imm);
		return;
	}
	if (insn->imm == 0) {
		fast_operate(t, 1, X86_MOVSXD, to, insn->rs1);
	} else {
		const unsigned from = fast_source(t, insn->rs1, RAX);
		x86_rm(&t->c, 0, X86_LEA, to, from, (int32_t)insn->imm);
		x86_rr(&t->c, 1, X86_MOVSXD, to, to);
	}
	fast_put(t, insn->rd, to);
}

static void shift_immediate(struct fast_translation *t, const struct fast_insn *insn, unsigned wide,
	enum x86_shift shift) {
	const unsigned to = fast_target(insn->rd);
	fast_get(t, to, insn->rs1);
	x86_shift(&t->c, wide, shift, to, (unsigned)insn->imm & (wide ? 63 : 31));
	if (!wide)
		x86_rr(&t->c, 1, X86_MOVSXD, to, to);
	fast_put(t, insn->rd, to);
}

static void shift(struct fast_translation *t, const struct fast_insn *insn, unsigned wide,
	enum x86_shift shift) {
	const unsigned to = fast_target(insn->rd);
	fast_get(t, RCX, insn->rs2);
	fast_get(t, to, insn->rs1);
	x86_shift_cl(&t->c, wide, shift, to);
	if (!wide)
		x86_rr(&t->c, 1, X86_MOVSXD, to, to);
	fast_put(t, insn->rd, to);
}

static void set(
	struct fast_translation *t, const struct fast_insn *insn, enum x86_condition condition) {
	fast_compare(t, insn->rs1, insn->rs2);
	const unsigned to = fast_target(insn->rd);
	x86_set(&t->c, condition, to);
	fast_put(t, insn->rd, to);
}

static void set_immediate(
	struct fast_translation *t, const struct fast_insn *insn, enum x86_condition condition) {
	x86_ri(&t->c, 1, X86_G_CMP, fast_source(t, insn->rs1, RAX), (int32_t)insn->imm);
	const unsigned to = fast_target(insn->rd);
	x86_set(&t->c, condition, to);
	fast_put(t, insn->rd, to);
}

static void multiply_high(
	struct fast_translation *t, const struct fast_insn *insn, enum x86_unary multiply) {
	fast_get(t, RCX, insn->rs2);
	fast_get(t, RAX, insn->rs1);
	x86_unary(&t->c, 1, multiply, RCX);
	fast_put(t, insn->rd, RDX);
}

/* The unsigned product, less the second number where the first is negative. */
static void multiply_high_mixed(struct fast_translation *t, const struct fast_insn *insn) {
	fast_get(t, RCX, insn->rs2);
	fast_get(t, RAX, insn->rs1);
	x86_unary(&t->c, 1, X86_MUL1, RCX);
	fast_get(t, RAX, insn->rs1);
	x86_shift(&t->c, 1, X86_SAR, RAX, 63);
	x86_rr(&t->c, 1, X86_AND, RAX, RCX);
	x86_rr(&t->c, 1, X86_SUB, RDX, RAX);
	fast_put(t, insn->rd, RDX);
}

/* By 0, and by -1, for which the host has no overflow, apart. */
static void divide(struct fast_translation *t, const struct fast_insn *insn, unsigned wide,
	bool is_signed, bool remainder) {
	struct x86 *c = &t->c;
	uint8_t *minus_one = NULL, *done[2] = {NULL, NULL};
	fast_get(t, RCX, insn->rs2);
	fast_get(t, RAX, insn->rs1);
	x86_rr(c, wide, X86_TEST, RCX, RCX);
	uint8_t *zero = x86_jump_if(c, X86_E);
	if (is_signed) {
		x86_ri(c, wide, X86_G_CMP, RCX, -1);
		minus_one = x86_jump_if(c, X86_E);
		x86_sign_to_rdx(c, wide);
	} else {
		x86_constant(c, RDX, 0);
	}
	x86_unary(c, wide, is_signed ? X86_IDIV : X86_DIV, RCX);
	if (remainder)
		x86_mov(c, RAX, RDX);
	done[0] = x86_jump(c);
	if (is_signed) {
		x86_land(minus_one, c->at);
		if (remainder)
			x86_constant(c, RAX, 0);
		else
			x86_unary(c, wide, X86_NEG, RAX);
		done[1] = x86_jump(c);
	}
	x86_land(zero, c->at);
	if (!remainder)
		x86_constant(c, RAX, UINT64_MAX);
	x86_land(done[0], c->at);
	if (is_signed)
		x86_land(done[1], c->at);
	if (!wide)
		x86_rr(c, 1, X86_MOVSXD, RAX, RAX);
	fast_put(t, insn->rd, RAX);
}

bool rv_fast_translate_number(struct fast_translation *t, const struct fast_insn *insn) {
	switch (insn->op) {
	case RV_OP_LUI:
	case RV_OP_AUIPC:
		fast_constant(t, insn, (uint64_t)insn->imm);
		return true;
	case RV_OP_ADDI:
		add_immediate(t, insn);
		return true;
	case RV_OP_ADDIW:
		add_immediate_32(t, insn);
		return true;
	case RV_OP_XORI:
		alu_immediate(t, insn, X86_G_XOR);
		return true;
	case RV_OP_ORI:
		alu_immediate(t, insn, X86_G_OR);
		return true;
	case RV_OP_ANDI:
		alu_immediate(t, insn, X86_G_AND);
		return true;
	case RV_OP_SLTI:
		set_immediate(t, insn, X86_L);
		return true;
	case RV_OP_SLTIU:
		set_immediate(t, insn, X86_B);
		return true;
	case RV_OP_SLLI:
		shift_immediate(t, insn, 1, X86_SHL);
		return true;
	case RV_OP_SRLI:
		shift_immediate(t, insn, 1, X86_SHR);
		return true;
	case RV_OP_SRAI:
		shift_immediate(t, insn, 1, X86_SAR);
		return true;
	case RV_OP_SLLIW:
		shift_immediate(t, insn, 0, X86_SHL);
		return true;
	case RV_OP_SRLIW:
		shift_immediate(t, insn, 0, X86_SHR);
		return true;
	case RV_OP_SRAIW:
		shift_immediate(t, insn, 0, X86_SAR);
		return true;
	case RV_OP_ADD:
		add(t, insn);
		return true;
	case RV_OP_SUB:
		alu(t, insn, 1, X86_SUB, false);
		return true;
	case RV_OP_XOR:
		alu(t, insn, 1, X86_XOR, true);
		return true;
	case RV_OP_OR:
		alu(t, insn, 1, X86_OR, true);
		return true;
	case RV_OP_AND:
		alu(t, insn, 1, X86_AND, true);
		return true;
	case RV_OP_ADDW:
		alu(t, insn, 0, X86_ADD, true);
		return true;
	case RV_OP_SUBW:
		alu(t, insn, 0, X86_SUB, false);
		return true;
	case RV_OP_SLL:
		shift(t, insn, 1, X86_SHL);
		return true;
	case RV_OP_SRL:
		shift(t, insn, 1, X86_SHR);
		return true;
	case RV_OP_SRA:
		shift(t, insn, 1, X86_SAR);
		return true;
	case RV_OP_SLLW:
		shift(t, insn, 0, X86_SHL);
		return true;
	case RV_OP_SRLW:
		shift(t, insn, 0, X86_SHR);
		return true;
	case RV_OP_SRAW:
		shift(t, insn, 0, X86_SAR);
		return true;
	case RV_OP_SLT:
		set(t, insn, X86_L);
		return true;
	case RV_OP_SLTU:
		set(t, insn, X86_B);
		return true;
	case RV_OP_MUL:
		alu(t, insn, 1, X86_IMUL, true);
		return true;
	case RV_OP_MULW:
		alu(t, insn, 0, X86_IMUL, true);
		return true;
	case RV_OP_MULH:
		multiply_high(t, insn, X86_IMUL1);
		return true;
	case RV_OP_MULHU:
		multiply_high(t, insn, X86_MUL1);
		return true;
	case RV_OP_MULHSU:
		multiply_high_mixed(t, insn);
		return true;
	case RV_OP_DIV:
	case RV_OP_DIVW:
		divide(t, insn, insn->op == RV_OP_DIV, true, false);
		return true;
	case RV_OP_DIVU:
	case RV_OP_DIVUW:
		divide(t, insn, insn->op == RV_OP_DIVU, false, false);
		return true;
	case RV_OP_REM:
	case RV_OP_REMW:
		divide(t, insn, insn->op == RV_OP_REM, true, true);
		return true;
	case RV_OP_REMU:
	case RV_OP_REMUW:
		divide(t, insn, insn->op == RV_OP_REMU, false, true);
		return true;
	default:
		return false;
	}
}

#endif

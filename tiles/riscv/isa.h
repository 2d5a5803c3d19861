/* SPDX-License-Identifier: MIT */
/*
 * The instructions of RV64GC, described once: isa.def has a line for each, from which come the
 * numbers of operations, the decoder and the disassembler. Compressed instructions are decoded
 * into the ones that they abbreviate, with length 2. No state, no allocation.
 */
#ifndef RISCV_ISA_H
#define RISCV_ISA_H

#include <stddef.h>
#include <stdint.h>

/* RV_OP_ADD, RV_OP_AMOADD_W, RV_OP_FCVT_S_W ...: the mnemonic with _ for a dot. */
enum rv_op {
	RV_OP_ILLEGAL,
#define RV_INSTRUCTION(name, mnemonic, match, mask, format) RV_OP_##name,
#include "isa.def"
#undef RV_INSTRUCTION
	RV_OPS,
};

/* Which operands an instruction has; of floating point, FP is a register of those. */
enum rv_format {
	RV_FORMAT_NONE,
	RV_FORMAT_R,		 /* rd, rs1, rs2 */
	RV_FORMAT_I,		 /* rd, rs1, imm */
	RV_FORMAT_SHIFT,	 /* rd, rs1, imm */
	RV_FORMAT_LOAD,		 /* rd, imm(rs1) */
	RV_FORMAT_FLOAD,	 /* FP rd, imm(rs1) */
	RV_FORMAT_STORE,	 /* rs2, imm(rs1) */
	RV_FORMAT_FSTORE,	 /* FP rs2, imm(rs1) */
	RV_FORMAT_BRANCH,	 /* rs1, rs2, imm from pc */
	RV_FORMAT_U,		 /* rd, imm */
	RV_FORMAT_J,		 /* rd, imm from pc */
	RV_FORMAT_JALR,		 /* rd, imm(rs1) */
	RV_FORMAT_FENCE,	 /* imm: fm, predecessors, successors; rd and rs1 are ignored */
	RV_FORMAT_LR,		 /* rd, (rs1), rm */
	RV_FORMAT_AMO,		 /* rd, rs2, (rs1), rm */
	RV_FORMAT_SFENCE,	 /* rs1, rs2 */
	RV_FORMAT_CSR,		 /* rd, CSR imm, rs1 */
	RV_FORMAT_CSR_IMM,	 /* rd, CSR imm, rs1 is the immediate */
	RV_FORMAT_FP4,		 /* FP rd, FP rs1, FP rs2, FP rs3, rm */
	RV_FORMAT_FP3,		 /* FP rd, FP rs1, FP rs2, rm */
	RV_FORMAT_FP2,		 /* FP rd, FP rs1, rm */
	RV_FORMAT_FP3_EXACT,	 /* FP rd, FP rs1, FP rs2 */
	RV_FORMAT_FP_COMPARE,	 /* rd, FP rs1, FP rs2 */
	RV_FORMAT_FP_TO_X,	 /* rd, FP rs1, rm */
	RV_FORMAT_FP_TO_X_EXACT, /* rd, FP rs1 */
	RV_FORMAT_X_TO_FP,	 /* FP rd, rs1, rm */
	RV_FORMAT_X_TO_FP_EXACT, /* FP rd, rs1 */
};

/* What the instruction does not have is 0. */
struct rv_insn {
	uint16_t op; /* enum rv_op */
	uint8_t rd, rs1, rs2, rs3;
	uint8_t rm;	/* rounding mode of floating point instructions; aq << 1 | rl of AMOs */
	uint8_t length; /* bytes: 2 or 4 */
	/* Sign-extended; of LUI and AUIPC with its 12 zeros; shift amount; number of the CSR, its
	 * five bit immediate then in rs1. */
	int32_t imm;
	uint32_t raw; /* as it was fetched; 16 bits if length is 2 */
};

/* Never fails: what is not an instruction is RV_OP_ILLEGAL. Depends on nothing but raw, so that it
 * can be remembered by that. A reserved static rounding mode is left to who executes it, since it
 * depends on frm whether the dynamic one is. */
void rv_decode(uint32_t raw, struct rv_insn *insn);
enum rv_format rv_format(enum rv_op op);
const char *rv_mnemonic(enum rv_op op);
/* As the GNU disassembler writes it without aliases: "addi\ta0,a0,-1", "c.li\ta0,1". pc is for the
 * targets of branches. Bytes that it has, as snprintf. */
size_t rv_disassemble(const struct rv_insn *insn, uint64_t pc, char *text, size_t size);
const char *rv_register_name(unsigned x);    /* "zero", "ra", ... */
const char *rv_fp_register_name(unsigned f); /* "ft0", ... */

#endif

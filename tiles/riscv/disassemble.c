/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "compressed.h"
#include "fp.h"
#include "isa.h"
#include "machine.h"

static const char *const mnemonics[RV_OPS] = {
	[RV_OP_ILLEGAL] = ".insn",
#define RV_INSTRUCTION(name, mnemonic, match, mask, format) [RV_OP_##name] = (mnemonic),
#include "isa.def"
};

static const char register_names[32][5] = {"zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0",
	"s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7",
	"s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

static const char fp_register_names[32][5] = {"ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6",
	"ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3",
	"fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11"};

const char *rv_mnemonic(enum rv_op op) {
	return mnemonics[op < RV_OPS ? op : RV_OP_ILLEGAL];
}

const char *rv_register_name(unsigned x) {
	return register_names[x % 32];
}

const char *rv_fp_register_name(unsigned f) {
	return fp_register_names[f % 32];
}

struct line {
	char *text;
	size_t size, length; /* length: as if there were room for all */
};

[[gnu::format(printf, 2, 3)]] static void put(struct line *line, const char *format, ...) {
	const bool room = line->length < line->size;
	va_list args;
	va_start(args, format);
	const int length = vsnprintf(room ? line->text + line->length : NULL,
		room ? line->size - line->length : 0, format, args);
	va_end(args);
	if (length > 0)
		line->length += (size_t)length;
}

static void put_rounding(struct line *line, unsigned rm) {
	static const char names[8][8] = {
		"rne", "rtz", "rdn", "rup", "rmm", "unknown", "unknown", ""};
	if (names[rm % 8][0])
		put(line, ",%s", names[rm % 8]);
}

static void put_fence_set(struct line *line, unsigned set) {
	put(line, "%s%s%s%s%s", set & 8 ? "i" : "", set & 4 ? "o" : "", set & 2 ? "r" : "",
		set & 1 ? "w" : "", set ? "" : "unknown");
}

static void put_csr(struct line *line, unsigned number) {
	const char *name = rv_csr_name(number);
	if (name)
		put(line, "%s", name);
	else
		put(line, "0x%x", number);
}

static void put_full(struct line *line, const struct rv_insn *insn, uint64_t pc) {
	static const char orders[4][6] = {"", ".rl", ".aq", ".aqrl"};
	const char *rd = rv_register_name(insn->rd), *rs1 = rv_register_name(insn->rs1),
		   *rs2 = rv_register_name(insn->rs2);
	const char *fd = rv_fp_register_name(insn->rd), *fs1 = rv_fp_register_name(insn->rs1),
		   *fs2 = rv_fp_register_name(insn->rs2);
	/* Conversions that are always exact have a rounding mode nevertheless, usually 0. */
	const bool exact = insn->op == RV_OP_FCVT_D_S || insn->op == RV_OP_FCVT_D_W ||
		insn->op == RV_OP_FCVT_D_WU;
	const unsigned rm = exact && insn->rm == RV_RNE ? RV_DYN : insn->rm;
	const uint64_t target = pc + (uint64_t)(int64_t)insn->imm;

	put(line, "%s", rv_mnemonic(insn->op));
	switch (rv_format(insn->op)) {
	case RV_FORMAT_NONE:
		break;
	case RV_FORMAT_R:
		put(line, "\t%s,%s,%s", rd, rs1, rs2);
		break;
	case RV_FORMAT_I:
		put(line, "\t%s,%s,%d", rd, rs1, insn->imm);
		break;
	case RV_FORMAT_SHIFT:
		put(line, "\t%s,%s,0x%x", rd, rs1, (unsigned)insn->imm);
		break;
	case RV_FORMAT_LOAD:
	case RV_FORMAT_JALR:
		put(line, "\t%s,%d(%s)", rd, insn->imm, rs1);
		break;
	case RV_FORMAT_FLOAD:
		put(line, "\t%s,%d(%s)", fd, insn->imm, rs1);
		break;
	case RV_FORMAT_STORE:
		put(line, "\t%s,%d(%s)", rs2, insn->imm, rs1);
		break;
	case RV_FORMAT_FSTORE:
		put(line, "\t%s,%d(%s)", fs2, insn->imm, rs1);
		break;
	case RV_FORMAT_BRANCH:
		put(line, "\t%s,%s,0x%" PRIx64, rs1, rs2, target);
		break;
	case RV_FORMAT_U:
		put(line, "\t%s,0x%x", rd, (unsigned)insn->imm >> 12);
		break;
	case RV_FORMAT_J:
		put(line, "\t%s,0x%" PRIx64, rd, target);
		break;
	case RV_FORMAT_FENCE:
		if (insn->imm == 0x833) {
			put(line, ".tso");
			break;
		}
		put(line, "\t");
		put_fence_set(line, (unsigned)insn->imm >> 4 & 15);
		put(line, ",");
		put_fence_set(line, (unsigned)insn->imm & 15);
		break;
	case RV_FORMAT_LR:
		put(line, "%s\t%s,(%s)", orders[insn->rm & 3], rd, rs1);
		break;
	case RV_FORMAT_AMO:
		put(line, "%s\t%s,%s,(%s)", orders[insn->rm & 3], rd, rs2, rs1);
		break;
	case RV_FORMAT_SFENCE:
		put(line, "\t%s,%s", rs1, rs2);
		break;
	case RV_FORMAT_CSR:
	case RV_FORMAT_CSR_IMM:
		put(line, "\t%s,", rd);
		put_csr(line, (unsigned)insn->imm);
		if (rv_format(insn->op) == RV_FORMAT_CSR)
			put(line, ",%s", rs1);
		else
			put(line, ",%u", insn->rs1);
		break;
	case RV_FORMAT_FP4:
		put(line, "\t%s,%s,%s,%s", fd, fs1, fs2, rv_fp_register_name(insn->rs3));
		put_rounding(line, rm);
		break;
	case RV_FORMAT_FP3:
		put(line, "\t%s,%s,%s", fd, fs1, fs2);
		put_rounding(line, rm);
		break;
	case RV_FORMAT_FP2:
		put(line, "\t%s,%s", fd, fs1);
		put_rounding(line, rm);
		break;
	case RV_FORMAT_FP3_EXACT:
		put(line, "\t%s,%s,%s", fd, fs1, fs2);
		break;
	case RV_FORMAT_FP_COMPARE:
		put(line, "\t%s,%s,%s", rd, fs1, fs2);
		break;
	case RV_FORMAT_FP_TO_X:
		put(line, "\t%s,%s", rd, fs1);
		put_rounding(line, rm);
		break;
	case RV_FORMAT_FP_TO_X_EXACT:
		put(line, "\t%s,%s", rd, fs1);
		break;
	case RV_FORMAT_X_TO_FP:
		put(line, "\t%s,%s", fd, rs1);
		put_rounding(line, rm);
		break;
	case RV_FORMAT_X_TO_FP_EXACT:
		put(line, "\t%s,%s", fd, rs1);
		break;
	}
}

static void put_compressed(struct line *line, const struct rv_insn *insn, uint64_t pc) {
	const struct rv_compressed *c = rv_compressed_of(insn->raw);
	if (!c)
		return;
	const char *rd = rv_register_name(insn->rd), *rs1 = rv_register_name(insn->rs1),
		   *rs2 = rv_register_name(insn->rs2);
	const uint64_t target = pc + (uint64_t)(int64_t)insn->imm;

	put(line, "%s", c->mnemonic);
	switch ((enum rv_compressed_format)c->format) {
	case CIW:
		put(line, "\t%s,%s,%d", rd, rs1, insn->imm);
		break;
	case CL_W:
	case CL_D:
	case CI_WSP:
	case CI_DSP:
		put(line, "\t%s,%d(%s)", rd, insn->imm, rs1);
		break;
	case CL_FD:
	case CI_FDSP:
		put(line, "\t%s,%d(%s)", rv_fp_register_name(insn->rd), insn->imm, rs1);
		break;
	case CS_W:
	case CS_D:
	case CSS_W:
	case CSS_D:
		put(line, "\t%s,%d(%s)", rs2, insn->imm, rs1);
		break;
	case CS_FD:
	case CSS_FD:
		put(line, "\t%s,%d(%s)", rv_fp_register_name(insn->rs2), insn->imm, rs1);
		break;
	case CI:
	case CI_NOT_X0:
	case CI_LI:
	case CI_16SP:
	case CB_ANDI:
		put(line, "\t%s,%d", rd, insn->imm);
		break;
	case CI_LUI:
		put(line, "\t%s,0x%x", rd, (unsigned)insn->imm >> 12);
		break;
	case CI_SHIFT:
	case CB_SHIFT:
		put(line, "\t%s,0x%x", rd, (unsigned)insn->imm);
		break;
	case CB:
		put(line, "\t%s,0x%" PRIx64, rs1, target);
		break;
	case CJ:
		put(line, "\t0x%" PRIx64, target);
		break;
	case CA:
	case CR:
	case CR_MV:
		put(line, "\t%s,%s", rd, rs2);
		break;
	case CR_JUMP:
	case CR_JUMP_LINK:
		put(line, "\t%s", rs1);
		break;
	case CR_NONE:
		break;
	}
}

size_t rv_disassemble(const struct rv_insn *insn, uint64_t pc, char *text, size_t size) {
	struct line line = {.text = text, .size = size};
	if (size)
		text[0] = '\0';
	if (insn->op == RV_OP_ILLEGAL)
		put(&line, "%s\t%u, 0x%0*x", rv_mnemonic(RV_OP_ILLEGAL), insn->length,
			insn->length * 2, insn->raw);
	else if (insn->length == 2)
		put_compressed(&line, insn, pc);
	else
		put_full(&line, insn, pc);
	return line.length;
}

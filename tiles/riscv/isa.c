/* SPDX-License-Identifier: MIT */
/* The decoder, out of isa.def. */
#include "isa.h"

#include "compressed.h"

struct pattern {
	uint32_t match, mask;
	uint8_t format;
};

static const struct pattern patterns[RV_OPS] = {
#define RV_INSTRUCTION(name, mnemonic, match, mask, format)                                        \
	[RV_OP_##name] = {match, mask, RV_FORMAT_##format},
#include "isa.def"
};

/* The first and the last instruction of each major opcode: bits 6 to 2. */
static const struct {
	uint8_t first, last;
} opcodes[32] = {
	[0x00] = {RV_OP_LB, RV_OP_LWU},
	[0x01] = {RV_OP_FLW, RV_OP_FLD},
	[0x03] = {RV_OP_FENCE, RV_OP_FENCE_I},
	[0x04] = {RV_OP_ADDI, RV_OP_SRAI},
	[0x05] = {RV_OP_AUIPC, RV_OP_AUIPC},
	[0x06] = {RV_OP_ADDIW, RV_OP_SRAIW},
	[0x08] = {RV_OP_SB, RV_OP_SD},
	[0x09] = {RV_OP_FSW, RV_OP_FSD},
	[0x0b] = {RV_OP_LR_W, RV_OP_AMOMAXU_D},
	[0x0c] = {RV_OP_ADD, RV_OP_REMU},
	[0x0d] = {RV_OP_LUI, RV_OP_LUI},
	[0x0e] = {RV_OP_ADDW, RV_OP_REMUW},
	[0x10] = {RV_OP_FMADD_S, RV_OP_FMADD_D},
	[0x11] = {RV_OP_FMSUB_S, RV_OP_FMSUB_D},
	[0x12] = {RV_OP_FNMSUB_S, RV_OP_FNMSUB_D},
	[0x13] = {RV_OP_FNMADD_S, RV_OP_FNMADD_D},
	[0x14] = {RV_OP_FADD_S, RV_OP_FMV_D_X},
	[0x18] = {RV_OP_BEQ, RV_OP_BGEU},
	[0x19] = {RV_OP_JALR, RV_OP_JALR},
	[0x1b] = {RV_OP_JAL, RV_OP_JAL},
	[0x1c] = {RV_OP_ECALL, RV_OP_CSRRCI},
};
static_assert(RV_OPS <= 256);

static const struct rv_compressed compressed[] = {
#define RV_COMPRESSED(mnemonic, match, mask, name, format)                                         \
	{mnemonic, match, mask, RV_OP_##name, format},
#include "isa.def"
};
static const size_t compressed_count = sizeof compressed / sizeof compressed[0];

/* `count` bits of raw from `from` on, moved to bit `to`. */
static uint32_t bits(uint32_t raw, unsigned from, unsigned count, unsigned to) {
	return (raw >> from & ((1u << count) - 1)) << to;
}

static int32_t sign_extend(uint32_t value, unsigned count) {
	return (int32_t)(value << (32 - count)) >> (32 - count);
}

static void decode_operands(struct rv_insn *insn, enum rv_format format) {
	const uint32_t raw = insn->raw;
	const uint8_t rd = bits(raw, 7, 5, 0), rs1 = bits(raw, 15, 5, 0), rs2 = bits(raw, 20, 5, 0);
	const int32_t immediate = (int32_t)raw >> 20;
	switch (format) {
	case RV_FORMAT_NONE:
		break;
	case RV_FORMAT_FP4:
		insn->rs3 = bits(raw, 27, 5, 0);
		[[fallthrough]];
	case RV_FORMAT_FP3:
		insn->rs2 = rs2;
		[[fallthrough]];
	case RV_FORMAT_FP2:
	case RV_FORMAT_FP_TO_X:
	case RV_FORMAT_X_TO_FP:
		insn->rm = bits(raw, 12, 3, 0);
		[[fallthrough]];
	case RV_FORMAT_FP_TO_X_EXACT:
	case RV_FORMAT_X_TO_FP_EXACT:
		insn->rd = rd;
		insn->rs1 = rs1;
		break;
	case RV_FORMAT_R:
	case RV_FORMAT_FP3_EXACT:
	case RV_FORMAT_FP_COMPARE:
		insn->rd = rd;
		insn->rs1 = rs1;
		insn->rs2 = rs2;
		break;
	case RV_FORMAT_AMO:
		insn->rs2 = rs2;
		[[fallthrough]];
	case RV_FORMAT_LR:
		insn->rd = rd;
		insn->rs1 = rs1;
		insn->rm = bits(raw, 25, 2, 0);
		break;
	case RV_FORMAT_SFENCE:
		insn->rs1 = rs1;
		insn->rs2 = rs2;
		break;
	case RV_FORMAT_I:
	case RV_FORMAT_LOAD:
	case RV_FORMAT_FLOAD:
	case RV_FORMAT_JALR:
		insn->rd = rd;
		insn->rs1 = rs1;
		insn->imm = immediate;
		break;
	case RV_FORMAT_SHIFT:
		insn->rd = rd;
		insn->rs1 = rs1;
		insn->imm = bits(raw, 20, 6, 0);
		break;
	case RV_FORMAT_FENCE:
		insn->imm = bits(raw, 20, 12, 0);
		break;
	case RV_FORMAT_CSR:
	case RV_FORMAT_CSR_IMM:
		insn->rd = rd;
		insn->rs1 = rs1;
		insn->imm = bits(raw, 20, 12, 0);
		break;
	case RV_FORMAT_STORE:
	case RV_FORMAT_FSTORE:
		insn->rs1 = rs1;
		insn->rs2 = rs2;
		insn->imm = sign_extend(bits(raw, 25, 7, 5) | bits(raw, 7, 5, 0), 12);
		break;
	case RV_FORMAT_BRANCH:
		insn->rs1 = rs1;
		insn->rs2 = rs2;
		insn->imm = sign_extend(bits(raw, 31, 1, 12) | bits(raw, 7, 1, 11) |
				bits(raw, 25, 6, 5) | bits(raw, 8, 4, 1),
			13);
		break;
	case RV_FORMAT_U:
		insn->rd = rd;
		insn->imm = (int32_t)(raw & 0xfffff000);
		break;
	case RV_FORMAT_J:
		insn->rd = rd;
		insn->imm = sign_extend(bits(raw, 31, 1, 20) | bits(raw, 12, 8, 12) |
				bits(raw, 20, 1, 11) | bits(raw, 21, 10, 1),
			21);
		break;
	}
}

/* False: these operands are reserved. */
static bool decode_compressed_operands(struct rv_insn *insn, enum rv_compressed_format format) {
	const uint32_t raw = insn->raw;
	/* Full registers, and those of three bits: x8 to x15. */
	const uint8_t rd = bits(raw, 7, 5, 0), rs2 = bits(raw, 2, 5, 0);
	const uint8_t rd_low = 8 + bits(raw, 2, 3, 0), rs1_low = 8 + bits(raw, 7, 3, 0);
	const uint32_t shift = bits(raw, 12, 1, 5) | bits(raw, 2, 5, 0);
	const int32_t immediate = sign_extend(shift, 6);
	const uint32_t offset_w = bits(raw, 5, 1, 6) | bits(raw, 10, 3, 3) | bits(raw, 6, 1, 2);
	const uint32_t offset_d = bits(raw, 5, 2, 6) | bits(raw, 10, 3, 3);
	enum { RA = 1, SP = 2 };
	switch (format) {
	case CIW:
		insn->rd = rd_low;
		insn->rs1 = SP;
		insn->imm = (int32_t)(bits(raw, 7, 4, 6) | bits(raw, 11, 2, 4) |
			bits(raw, 5, 1, 3) | bits(raw, 6, 1, 2));
		return insn->imm != 0;
	case CL_W:
	case CL_D:
	case CL_FD:
		insn->rd = rd_low;
		insn->rs1 = rs1_low;
		insn->imm = (int32_t)(format == CL_W ? offset_w : offset_d);
		return true;
	case CS_W:
	case CS_D:
	case CS_FD:
		insn->rs2 = rd_low;
		insn->rs1 = rs1_low;
		insn->imm = (int32_t)(format == CS_W ? offset_w : offset_d);
		return true;
	case CI:
	case CI_NOT_X0:
		insn->rd = insn->rs1 = rd;
		insn->imm = immediate;
		return format != CI_NOT_X0 || rd != 0;
	case CI_LI:
		insn->rd = rd;
		insn->imm = immediate;
		return true;
	case CI_16SP:
		insn->rd = insn->rs1 = SP;
		insn->imm = sign_extend(bits(raw, 12, 1, 9) | bits(raw, 3, 2, 7) |
				bits(raw, 5, 1, 6) | bits(raw, 2, 1, 5) | bits(raw, 6, 1, 4),
			10);
		return insn->imm != 0;
	case CI_LUI:
		insn->rd = rd;
		insn->imm = (int32_t)((uint32_t)immediate << 12);
		return immediate != 0;
	case CI_SHIFT:
		insn->rd = insn->rs1 = rd;
		insn->imm = (int32_t)shift;
		return true;
	case CI_WSP:
		insn->rd = rd;
		insn->rs1 = SP;
		insn->imm =
			(int32_t)(bits(raw, 2, 2, 6) | bits(raw, 12, 1, 5) | bits(raw, 4, 3, 2));
		return rd != 0;
	case CI_DSP:
	case CI_FDSP:
		insn->rd = rd;
		insn->rs1 = SP;
		insn->imm =
			(int32_t)(bits(raw, 2, 3, 6) | bits(raw, 12, 1, 5) | bits(raw, 5, 2, 3));
		return format == CI_FDSP || rd != 0;
	case CSS_W:
		insn->rs2 = rs2;
		insn->rs1 = SP;
		insn->imm = (int32_t)(bits(raw, 7, 2, 6) | bits(raw, 9, 4, 2));
		return true;
	case CSS_D:
	case CSS_FD:
		insn->rs2 = rs2;
		insn->rs1 = SP;
		insn->imm = (int32_t)(bits(raw, 7, 3, 6) | bits(raw, 10, 3, 3));
		return true;
	case CB:
		insn->rs1 = rs1_low;
		insn->imm = sign_extend(bits(raw, 12, 1, 8) | bits(raw, 5, 2, 6) |
				bits(raw, 2, 1, 5) | bits(raw, 10, 2, 3) | bits(raw, 3, 2, 1),
			9);
		return true;
	case CB_SHIFT:
		insn->rd = insn->rs1 = rs1_low;
		insn->imm = (int32_t)shift;
		return true;
	case CB_ANDI:
		insn->rd = insn->rs1 = rs1_low;
		insn->imm = immediate;
		return true;
	case CA:
		insn->rd = insn->rs1 = rs1_low;
		insn->rs2 = rd_low;
		return true;
	case CJ:
		insn->imm = sign_extend(bits(raw, 12, 1, 11) | bits(raw, 8, 1, 10) |
				bits(raw, 9, 2, 8) | bits(raw, 6, 1, 7) | bits(raw, 7, 1, 6) |
				bits(raw, 2, 1, 5) | bits(raw, 11, 1, 4) | bits(raw, 3, 3, 1),
			12);
		return true;
	case CR:
		insn->rd = insn->rs1 = rd;
		insn->rs2 = rs2;
		return true;
	case CR_MV:
		insn->rd = rd;
		insn->rs2 = rs2;
		return true;
	case CR_JUMP:
	case CR_JUMP_LINK:
		insn->rd = format == CR_JUMP ? 0 : RA;
		insn->rs1 = rd;
		return rd != 0;
	case CR_NONE:
		return true;
	}
	return false;
}

const struct rv_compressed *rv_compressed_of(uint32_t raw) {
	for (size_t i = 0; i < compressed_count; i++) {
		if ((raw & compressed[i].mask) == compressed[i].match)
			return &compressed[i];
	}
	return NULL;
}

static void decode_compressed(uint32_t raw, struct rv_insn *insn) {
	*insn = (struct rv_insn){.raw = raw, .length = 2};
	const struct rv_compressed *c = rv_compressed_of(raw);
	if (!c)
		return;
	if (decode_compressed_operands(insn, c->format))
		insn->op = c->op;
	else
		*insn = (struct rv_insn){.raw = raw, .length = 2};
}

void rv_decode(uint32_t raw, struct rv_insn *insn) {
	if ((raw & 3) != 3) {
		decode_compressed(raw & 0xffff, insn);
		return;
	}
	*insn = (struct rv_insn){.raw = raw, .length = 4};
	const unsigned opcode = bits(raw, 2, 5, 0);
	/* A major opcode without instructions has RV_OP_ILLEGAL, whose mask would match all. */
	if (!opcodes[opcode].first)
		return;
	for (unsigned op = opcodes[opcode].first; op <= opcodes[opcode].last; op++) {
		if ((raw & patterns[op].mask) == patterns[op].match) {
			insn->op = op;
			decode_operands(insn, patterns[op].format);
			return;
		}
	}
}

enum rv_format rv_format(enum rv_op op) {
	return op < RV_OPS ? (enum rv_format)patterns[op].format : RV_FORMAT_NONE;
}

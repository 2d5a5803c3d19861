/* SPDX-License-Identifier: MIT */
/* RV64I, the base: Unprivileged Architecture, chapters 2 and 4. */
#include "plain.h"

EXECUTE(LUI) {
	RD = IMM;
	return next;
}

EXECUTE(AUIPC) {
	RD = PC + IMM;
	return next;
}

EXECUTE(JAL) {
	uint64_t target = PC + IMM;
	RD = next;
	return target;
}

EXECUTE(JALR) {
	uint64_t target = (RS1 + IMM) & ~1ull;
	RD = next;
	return target;
}

/* Branches. All instructions are aligned to two bytes, so no target is misaligned. */
#define BRANCH(name, condition)                                                                    \
	EXECUTE(name) {                                                                            \
		return (condition) ? PC + IMM : next;                                              \
	}
BRANCH(BEQ, RS1 == RS2)
BRANCH(BNE, RS1 != RS2)
BRANCH(BLT, (int64_t)RS1 < (int64_t)RS2)
BRANCH(BGE, (int64_t)RS1 >= (int64_t)RS2)
BRANCH(BLTU, RS1 < RS2)
BRANCH(BGEU, RS1 >= RS2)

#define LOAD(name, size, type)                                                                     \
	EXECUTE(name) {                                                                            \
		struct rv_loaded loaded = rv_plain_load(p, RS1 + IMM, size);                       \
		if (!loaded.done) {                                                                \
			return rv_plain_diverted(p);                                               \
		}                                                                                  \
		RD = (uint64_t)(int64_t)(type)loaded.value;                                        \
		return next;                                                                       \
	}
LOAD(LB, 1, int8_t)
LOAD(LH, 2, int16_t)
LOAD(LW, 4, int32_t)
LOAD(LD, 8, uint64_t)
LOAD(LBU, 1, uint8_t)
LOAD(LHU, 2, uint16_t)
LOAD(LWU, 4, uint32_t)

#define STORE(name, size)                                                                          \
	EXECUTE(name) {                                                                            \
		return rv_plain_store(p, RS1 + IMM, size, RS2, next);                              \
	}
STORE(SB, 1)
STORE(SH, 2)
STORE(SW, 4)
STORE(SD, 8)

COMPUTE(ADDI, RS1 + IMM)
COMPUTE(SLTI, (int64_t)RS1 < (int64_t)IMM)
COMPUTE(SLTIU, RS1 < IMM)
COMPUTE(XORI, RS1 ^ IMM)
COMPUTE(ORI, RS1 | IMM)
COMPUTE(ANDI, RS1 &IMM)
COMPUTE(SLLI, RS1 << i->imm)
COMPUTE(SRLI, RS1 >> i->imm)
COMPUTE(SRAI, (uint64_t)((int64_t)RS1 >> i->imm))

COMPUTE(ADD, RS1 + RS2)
COMPUTE(SUB, RS1 - RS2)
COMPUTE(SLL, RS1 << (RS2 & 63))
COMPUTE(SLT, (int64_t)RS1 < (int64_t)RS2)
COMPUTE(SLTU, RS1 < RS2)
COMPUTE(XOR, RS1 ^ RS2)
COMPUTE(SRL, RS1 >> (RS2 & 63))
COMPUTE(SRA, (uint64_t)((int64_t)RS1 >> (RS2 & 63)))
COMPUTE(OR, RS1 | RS2)
COMPUTE(AND, RS1 &RS2)

/* On the lower 32 bits. */
COMPUTE(ADDIW, rv_word(RS1 + IMM))
COMPUTE(SLLIW, rv_word((uint32_t)RS1 << i->imm))
COMPUTE(SRLIW, rv_word((uint32_t)RS1 >> i->imm))
COMPUTE(SRAIW, rv_word((uint32_t)((int32_t)RS1 >> i->imm)))
COMPUTE(ADDW, rv_word(RS1 + RS2))
COMPUTE(SUBW, rv_word(RS1 - RS2))
COMPUTE(SLLW, rv_word((uint32_t)RS1 << (RS2 & 31)))
COMPUTE(SRLW, rv_word((uint32_t)RS1 >> (RS2 & 31)))
COMPUTE(SRAW, rv_word((uint32_t)((int32_t)RS1 >> (RS2 & 31))))

/* Harts take turns, so all see memory in one order. */
EXECUTE(FENCE) {
	return next;
}

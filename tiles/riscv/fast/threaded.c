/* SPDX-License-Identifier: MIT */
/*
 * Threaded code: each instruction knows what executes it and jumps there. Integers, loads, stores
 * and branches are here; the rest, and every load or store whose page is not known, takes the slow
 * way through rv_fast_slow().
 */
#include <string.h>

#include "fast.h"

#define RD x[ip->rd]
#define S1 x[ip->rs1]
#define S2 x[ip->rs2]
#define IMM ip->imm

#define NEXT                                                                                       \
	do {                                                                                       \
		ip++;                                                                              \
		goto * ip->code;                                                                   \
	} while (0)

#define OP(name, expression)                                                                       \
	op_##name : RD = (uint64_t)(expression);                                                   \
	NEXT

/* A sum of 32 bits and the like, sign-extended. */
#define W(expression) (uint64_t)(int64_t)(int32_t)(expression)

#define LOAD(name, type)                                                                           \
	op_##name : {                                                                              \
		const uint64_t address = S1 + (uint64_t)IMM;                                       \
		const struct fast_entry *entry =                                                   \
			&tlb->entries[RV_LOAD][address / RV_PAGE % RV_TLB_ENTRIES];                \
		type value;                                                                        \
		if (__builtin_expect(                                                              \
			    entry->tag != ((address + sizeof value - 1) & ~(RV_PAGE - 1)), 0))     \
			goto slow;                                                                 \
		memcpy(&value, (const void *)(uintptr_t)(entry->addend + address), sizeof value);  \
		RD = (uint64_t)(int64_t)value;                                                     \
		NEXT;                                                                              \
	}

#define STORE(name, type)                                                                          \
	op_##name : {                                                                              \
		const uint64_t address = S1 + (uint64_t)IMM;                                       \
		const struct fast_entry *entry =                                                   \
			&tlb->entries[RV_STORE][address / RV_PAGE % RV_TLB_ENTRIES];               \
		const type value = (type)S2;                                                       \
		if (__builtin_expect(                                                              \
			    entry->tag != ((address + sizeof value - 1) & ~(RV_PAGE - 1)), 0))     \
			goto slow;                                                                 \
		memcpy((void *)(uintptr_t)(entry->addend + address), &value, sizeof value);        \
		NEXT;                                                                              \
	}

/* Into a block whose place is known. */
#define ENTER(to)                                                                                  \
	do {                                                                                       \
		block = (to);                                                                      \
		left -= block->count;                                                              \
		if (__builtin_expect(left < 0, 0))                                                 \
			goto over;                                                                 \
		ip = block->insns;                                                                 \
		goto * ip->code;                                                                   \
	} while (0)

#define CHAIN(which, to)                                                                           \
	do {                                                                                       \
		if (__builtin_expect(block->next[which] != NULL, 1))                               \
			ENTER(block->next[which]);                                                 \
		way = (which);                                                                     \
		pc = (to);                                                                         \
		goto find;                                                                         \
	} while (0)

#define BRANCH(name, condition)                                                                    \
	op_##name : if (condition) {                                                               \
		CHAIN(1, (uint64_t)IMM);                                                           \
	}                                                                                          \
	CHAIN(0, ip->pc + ip->length)

static uint64_t multiply_high(uint64_t a, uint64_t b) {
	return (uint64_t)((unsigned __int128)a * b >> 64);
}
static uint64_t multiply_high_signed(int64_t a, int64_t b) {
	return (uint64_t)((__int128)a * b >> 64);
}
static uint64_t multiply_high_mixed(int64_t a, uint64_t b) {
	return (uint64_t)((__int128)a * (__int128)b >> 64);
}
static int64_t divide(int64_t a, int64_t b) {
	return b == 0 ? -1 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}
static int64_t remainder_of(int64_t a, int64_t b) {
	return b == 0 ? a : b == -1 ? 0 : a % b;
}
static uint64_t divide_unsigned(uint64_t a, uint64_t b) {
	return b == 0 ? UINT64_MAX : a / b;
}
static uint64_t remainder_unsigned(uint64_t a, uint64_t b) {
	return b == 0 ? a : a % b;
}

void rv_fast_threaded(struct fast_hart *h, struct fast_block *block, const void *codes[FAST_OPS]) {
	if (!h) {
		for (unsigned op = 0; op < FAST_OPS; op++)
			codes[op] = &&slow;
#define HERE(name) codes[RV_OP_##name] = &&op_##name
		codes[FAST_OP_NEXT] = &&op_next;
		codes[FAST_OP_CROSS] = &&op_cross;
		HERE(LUI), HERE(AUIPC), HERE(JAL), HERE(JALR);
		HERE(BEQ), HERE(BNE), HERE(BLT), HERE(BGE), HERE(BLTU), HERE(BGEU);
		HERE(LB), HERE(LH), HERE(LW), HERE(LD), HERE(LBU), HERE(LHU), HERE(LWU);
		HERE(SB), HERE(SH), HERE(SW), HERE(SD);
		HERE(ADDI), HERE(SLTI), HERE(SLTIU), HERE(XORI), HERE(ORI), HERE(ANDI);
		HERE(SLLI), HERE(SRLI), HERE(SRAI);
		HERE(ADDIW), HERE(SLLIW), HERE(SRLIW), HERE(SRAIW);
		HERE(ADD), HERE(SUB), HERE(SLL), HERE(SLT), HERE(SLTU), HERE(XOR), HERE(SRL);
		HERE(SRA), HERE(OR), HERE(AND);
		HERE(ADDW), HERE(SUBW), HERE(SLLW), HERE(SRLW), HERE(SRAW);
		HERE(MUL), HERE(MULH), HERE(MULHSU), HERE(MULHU), HERE(DIV), HERE(DIVU);
		HERE(REM), HERE(REMU);
		HERE(MULW), HERE(DIVW), HERE(DIVUW), HERE(REMW), HERE(REMUW);
		HERE(FENCE), HERE(FENCE_I);
#undef HERE
		return;
	}

	uint64_t *const x = h->x;
	const struct fast_tlb *const tlb = h->tlb;
	int way = -1;
	const struct fast_insn *ip;
	int64_t left = h->left;
	uint64_t pc;
	ENTER(block);

	OP(LUI, IMM);
	OP(AUIPC, IMM);
	OP(ADDI, S1 + (uint64_t)IMM);
	OP(SLTI, (int64_t)S1 < IMM);
	OP(SLTIU, S1 < (uint64_t)IMM);
	OP(XORI, S1 ^ (uint64_t)IMM);
	OP(ORI, S1 | (uint64_t)IMM);
	OP(ANDI, S1 & (uint64_t)IMM);
	OP(SLLI, S1 << (IMM & 63));
	OP(SRLI, S1 >> (IMM & 63));
	OP(SRAI, (int64_t)S1 >> (IMM & 63));
	OP(ADDIW, W((uint32_t)S1 + (uint32_t)IMM));
	OP(SLLIW, W((uint32_t)S1 << (IMM & 31)));
	OP(SRLIW, W((uint32_t)S1 >> (IMM & 31)));
	OP(SRAIW, W((int32_t)S1 >> (IMM & 31)));
	OP(ADD, S1 + S2);
	OP(SUB, S1 - S2);
	OP(SLL, S1 << (S2 & 63));
	OP(SLT, (int64_t)S1 < (int64_t)S2);
	OP(SLTU, S1 < S2);
	OP(XOR, S1 ^ S2);
	OP(SRL, S1 >> (S2 & 63));
	OP(SRA, (int64_t)S1 >> (S2 & 63));
	OP(OR, S1 | S2);
	OP(AND, S1 & S2);
	OP(ADDW, W((uint32_t)S1 + (uint32_t)S2));
	OP(SUBW, W((uint32_t)S1 - (uint32_t)S2));
	OP(SLLW, W((uint32_t)S1 << (S2 & 31)));
	OP(SRLW, W((uint32_t)S1 >> (S2 & 31)));
	OP(SRAW, W((int32_t)S1 >> (S2 & 31)));
	OP(MUL, S1 * S2);
	OP(MULH, multiply_high_signed((int64_t)S1, (int64_t)S2));
	OP(MULHSU, multiply_high_mixed((int64_t)S1, S2));
	OP(MULHU, multiply_high(S1, S2));
	OP(DIV, divide((int64_t)S1, (int64_t)S2));
	OP(DIVU, divide_unsigned(S1, S2));
	OP(REM, remainder_of((int64_t)S1, (int64_t)S2));
	OP(REMU, remainder_unsigned(S1, S2));
	OP(MULW, W((uint32_t)S1 * (uint32_t)S2));
	OP(DIVW, W(divide((int32_t)S1, (int32_t)S2)));
	OP(DIVUW, (uint32_t)S2 == 0 ? UINT64_MAX : W((uint32_t)S1 / (uint32_t)S2));
	OP(REMW, W(remainder_of((int32_t)S1, (int32_t)S2)));
	OP(REMUW, W((uint32_t)S2 == 0 ? (uint32_t)S1 : (uint32_t)S1 % (uint32_t)S2));

	LOAD(LB, int8_t)
	LOAD(LH, int16_t)
	LOAD(LW, int32_t)
	LOAD(LD, int64_t)
	LOAD(LBU, uint8_t)
	LOAD(LHU, uint16_t)
	LOAD(LWU, uint32_t)
	STORE(SB, uint8_t)
	STORE(SH, uint16_t)
	STORE(SW, uint32_t)
	STORE(SD, uint64_t)

/* One thread does everything, in order. */
op_FENCE:
op_FENCE_I:
	NEXT;

	BRANCH(BEQ, S1 == S2);
	BRANCH(BNE, S1 != S2);
	BRANCH(BLT, (int64_t)S1 < (int64_t)S2);
	BRANCH(BGE, (int64_t)S1 >= (int64_t)S2);
	BRANCH(BLTU, S1 < S2);
	BRANCH(BGEU, S1 >= S2);

op_JAL:
	RD = ip->pc + ip->length;
	CHAIN(1, (uint64_t)IMM);
op_next:
	CHAIN(0, (uint64_t)IMM);
op_JALR:
	pc = (S1 + (uint64_t)IMM) & ~1ull;
	RD = ip->pc + ip->length;
	way = -1;
	goto find;

slow:
	h->left = left;
	if (rv_fast_slow(h, ip))
		return;
	NEXT;

find: {
	const struct fast_entry *entry = &tlb->entries[RV_FETCH][pc / RV_PAGE % RV_TLB_ENTRIES];
	if (entry->tag == (pc & ~(RV_PAGE - 1))) {
		const struct fast_page *page = (const struct fast_page *)(uintptr_t)entry->addend;
		struct fast_block *found = page->blocks[pc % RV_PAGE / 2];
		if (found != h->fast->none) {
			if (way >= 0 && page == block->page)
				block->next[way] = found;
			ENTER(found);
		}
		if (way >= 0 && page == block->page) {
			h->from = block;
			h->way = (unsigned)way;
		}
	}
	h->hart->pc = pc;
	h->left = left;
	return;
}

op_cross:
	if (rv_fast_crosses(tlb, block))
		NEXT;
over:
	h->left = left + block->count;
	h->hart->pc = block->pc;
}

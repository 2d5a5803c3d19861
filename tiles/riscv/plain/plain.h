/* SPDX-License-Identifier: MIT */
/*
 * The plain interpreter: each instruction is fetched, decoded and executed, by a function of its
 * own that reads as the manual describes it. These are in execute_*.c, a file for each extension.
 */
#ifndef RISCV_PLAIN_H
#define RISCV_PLAIN_H

#include <string.h>

#include "isa.h"
#include "machine.h"

struct rv_plain;

/* Gives the pc to go on with: `next`, that of the instruction behind, but for jumps and traps. */
typedef uint64_t rv_execute(struct rv_plain *p, const struct rv_insn *i, uint64_t next);

/* What was decoded is kept by the address, and right for as long as the bits there are the same. */
#define RV_PLAIN_DECODED 32768

/* The processor while it runs. */
struct rv_plain {
	struct rv_machine *m;
	struct rv_hart *hart;
	struct rv_tlb *tlb;
	/* The page that was fetched from last: its address, where in RAM it is, and how many of its
	 * bytes an instruction may begin at; 0 if it may not be in the TLB or of use any more. */
	uint64_t code_page, code_size;
	const uint8_t *code;
	uint64_t data_tag; /* what the tags of the TLB have in their low bits, for data */
	/* By address. It begins as zeros: those decode to an illegal instruction, RV_OP_ILLEGAL. */
	struct rv_insn decoded[RV_PLAIN_DECODED];
};

/* One function an instruction. */
#define RV_INSTRUCTION(name, mnemonic, match, mask, format) rv_execute rv_execute_##name;
#include "isa.def"
rv_execute rv_execute_ILLEGAL;

#define EXECUTE(name)                                                                              \
	uint64_t rv_execute_##name(struct rv_plain *p, const struct rv_insn *i, uint64_t next)

/* Registers: of the instruction's operands. What is written to x0 the loop clears again. */
#define RD (p->hart->x[i->rd])
#define RS1 (p->hart->x[i->rs1])
#define RS2 (p->hart->x[i->rs2])
#define PC (p->hart->pc)
#define IMM ((uint64_t)(int64_t)i->imm)

/* An instruction that only makes a value of its operands. */
#define COMPUTE(name, value)                                                                       \
	EXECUTE(name) {                                                                            \
		RD = (value);                                                                      \
		return next;                                                                       \
	}

/* A result of 32 bits, sign-extended. */
static inline uint64_t rv_word(uint64_t value) {
	return (uint64_t)(int32_t)(uint32_t)value;
}

/* The mode or mstatus may have changed. */
static inline void rv_plain_look(struct rv_plain *p) {
	p->code_size = 0;
	p->data_tag = rv_tlb_tag(0, rv_tlb_context(p->hart, RV_LOAD));
}

/* A trap, or the return from one, changed the hart's pc. */
static inline uint64_t rv_plain_diverted(struct rv_plain *p) {
	rv_plain_look(p);
	return p->hart->pc;
}

static inline uint64_t rv_plain_illegal(struct rv_plain *p) {
	rv_illegal(p->m, p->hart);
	return rv_plain_diverted(p);
}

/* The bytes behind an address if its page is in the TLB, they are all in that page, and it is RAM.
 * Anything else goes the long way. */
static inline uint8_t *rv_plain_ram(
	struct rv_plain *p, uint64_t address, unsigned size, enum rv_access access) {
	const struct rv_tlb_entry *entry = rv_tlb_slot(p->tlb, access, address);
	uint64_t page = (entry->page & ~(RV_PAGE - 1)) - RV_RAM_BASE;
	if (entry->tag != ((address & ~(RV_PAGE - 1)) | p->data_tag) ||
		address % RV_PAGE > RV_PAGE - size || page >= p->m->ram_size) {
		return NULL;
	}
	return p->m->ram + page + address % RV_PAGE;
}

/* Of a load: not done if it trapped. */
struct rv_loaded {
	uint64_t value;
	bool done;
};

struct rv_loaded rv_plain_load_slowly(struct rv_plain *p, uint64_t address, unsigned size);

static inline struct rv_loaded rv_plain_load(struct rv_plain *p, uint64_t address, unsigned size) {
	const uint8_t *ram = rv_plain_ram(p, address, size, RV_LOAD);
	if (!ram) {
		return rv_plain_load_slowly(p, address, size);
	}
	struct rv_loaded loaded = {.done = true};
	memcpy(&loaded.value, ram, size);
	return loaded;
}

/* Gives the next pc, as an instruction does. */
static inline uint64_t rv_plain_store(
	struct rv_plain *p, uint64_t address, unsigned size, uint64_t value, uint64_t next) {
	uint8_t *ram = rv_plain_ram(p, address, size, RV_STORE);
	if (ram && !p->m->page_flags[(ram - p->m->ram) / RV_PAGE]) {
		memcpy(ram, &value, size);
		return next;
	}
	return rv_store(p->m, p->hart, address, size, value) ? next : rv_plain_diverted(p);
}

#endif

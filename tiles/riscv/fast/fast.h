/* SPDX-License-Identifier: MIT */
/*
 * The fast engine. Code is decoded once, block by block, into threaded code: instructions with
 * their operands taken apart and the address of what executes them. Where there is memory for code
 * and the processor is an x86-64, each block is translated for it too (fast_translate.c), and
 * threaded code executes only what is left of a budget that ends within a block.
 *
 * A page of code (struct fast_page) is a page as the guest sees it: a physical page at a virtual
 * address in a context. Blocks lie within a page and are chained within it alone, so that nothing
 * but the table of fetches has to be asked when a page is entered, and all of a page goes at once
 * when it is written to. An instruction that goes on in the next page is a block by itself, which
 * first sees whether that page is still there and the same.
 *
 * Translations that were used are kept as what has to be added to an address to have the host's
 * (struct fast_tlb): always a subset of the machine's TLB, and for each context in a place of its
 * own, so that a change of mode costs nothing. Pages with flags have no entry for stores: those
 * take the slow way, which tells.
 *
 * All of this is scratch. The engine's own thread alone, like everything of the machine.
 */
#ifndef RISCV_FAST_H
#define RISCV_FAST_H

#include "isa.h"
#include "machine.h"

#define FAST_BLOCK_MAX 64 /* instructions of a block */
#define FAST_BUCKETS 1024
#ifndef FAST_CONTEXTS	    /* a test has less of these */
#define FAST_CONTEXTS 8	    /* kept at a time */
#define FAST_PAGES_MAX 4096 /* pages of code kept at a time */
#define FAST_CODE_SIZE (32u << 20)
#endif
#define FAST_EMPTY 1ull /* the tag of an entry that is none: no page begins there */
/* See rv_work(): for an instruction the slow way, and more if it is floating point; to find a
 * context, and to empty its entries; to make and forget a page, and a block, with each of its
 * instructions. */
#define FAST_SLOW_NS 25
#define FAST_FLOAT_NS 50
#define FAST_CONTEXT_NS 40
#define FAST_EMPTY_NS 300
#define FAST_PAGE_NS 2000
#define FAST_BLOCK_NS 400
#define FAST_INSN_NS 60
#define FAST_X0 32 /* where x[] takes what is written to x0 */

/* An operation more than the guest's: the block ends here, go on at imm. Not counted. */
#define FAST_OP_NEXT RV_OPS
/* The instruction after it goes on in the next page. Not counted. */
#define FAST_OP_CROSS (RV_OPS + 1)
#define FAST_OPS (RV_OPS + 2)
static_assert(FAST_OPS <= 256);

struct fast_insn {
	const void *code; /* in rv_fast_threaded() */
	/* As decoded, but an address where it is relative to pc: of branches, JAL and AUIPC. The
	 * instruction itself if it is illegal. */
	int64_t imm;
	uint64_t pc;
	uint8_t op, rd, rs1, rs2, rs3, rm, length;
	uint8_t after; /* instructions after it in the block */
};

struct fast_page;

struct fast_block {
	const uint8_t *native; /* translated, or what gives the way back to rv_fast_run() */
	/* Blocks of the same page that come next: [1] where a branch is taken. NULL: not known. */
	struct fast_block *next[2];
	struct fast_block *others; /* of the page */
	struct fast_page *page;	   /* NULL: a block for once, not to be chained */
	uint64_t pc;
	uint32_t count, size; /* instructions; bytes of the guest */
	uint64_t crosses;  /* serial number of the page that its instruction goes on in; 0: none */
	uint32_t jumps[2]; /* where native code goes on to next[], to be mended; 0: it does not */
	struct fast_insn insns[];
};

struct fast_page {
	uint64_t physical, virtual;
	uint64_t serial; /* of all pages that there were, from 1 on */
	unsigned context;
	uint64_t code_where;	  /* a bit for each 64 bytes that have code in a block */
	struct fast_page *others; /* in the bucket, or waiting to be freed */
	struct fast_block *all;
	struct fast_block *blocks[RV_PAGE / 2]; /* by where they begin; fast->none */
};

struct fast_entry {
	uint64_t tag;	 /* the page's virtual address, or FAST_EMPTY */
	uint64_t addend; /* of fetches: struct fast_page * */
};

struct fast_tlb {
	struct fast_entry entries[RV_ACCESSES][RV_TLB_ENTRIES];
};

struct fast;

struct fast_hart {
	uint64_t x[33]; /* while it runs; first, so that native code reaches them with short offsets
			 */
	int64_t left;	/* of the budget, when the block that runs is over */
	uint64_t total;
	struct rv_hart *hart;
	struct rv_machine *m;
	struct fast *fast;
	struct fast_tlb *tlb; /* of the context */
	/* The block found next is the one that comes after this one, that way. NULL: it is not. */
	struct fast_block *from;
	unsigned way;
	unsigned context;
	unsigned filled; /* contexts that have entries, a bit each */
	bool stale;	 /* blocks went, or the context changed: back to rv_fast_run() */
	struct fast_tlb tlbs[FAST_CONTEXTS];
};

struct fast_context {
	unsigned access[RV_ACCESSES]; /* as rv_tlb_context() says */
};

struct fast_jit;

struct fast {
	struct rv_machine *m;
	const void *codes[FAST_OPS]; /* of rv_fast_threaded() */
	struct fast_block *none;     /* where there is no block */
	struct fast_block *scratch;  /* room for one block */
	struct fast_page *buckets[FAST_BUCKETS];
	struct fast_page *gone; /* pages to be freed once no block runs */
	uint64_t pages_made;
	unsigned page_count, context_count;
	struct fast_context contexts[FAST_CONTEXTS];
	struct fast_jit *jit; /* NULL: none */
	struct fast_hart harts[];
};

/* ---- fast_blocks.c */

/* The page that is there now; NULL: no memory. */
struct fast_page *rv_fast_page(
	struct fast *fast, uint64_t physical, uint64_t virtual, unsigned context);
/* The block that begins at pc, which is in the page and does not begin with an instruction that
 * leaves it; made if need be. NULL: no memory. */
struct fast_block *rv_fast_block(struct fast *fast, struct fast_page *page, uint64_t pc);
/* The block of one instruction that begins at the end of the page and goes on in the other. */
struct fast_block *rv_fast_crossing(struct fast *fast, struct fast_page *page,
	struct fast_page *other, uint64_t pc, uint32_t raw);
/* A block for once: of the first instructions, less than all, of a block; of this instruction. */
struct fast_block *rv_fast_part(struct fast *fast, const struct fast_block *block, unsigned most);
struct fast_block *rv_fast_single(struct fast *fast, uint64_t pc, uint32_t raw);
/* Forgets blocks of what was written; of the page; all. */
void rv_fast_forget(struct fast *fast, uint64_t physical, uint64_t size);
void rv_fast_forget_page(struct fast *fast, struct fast_page *page);
void rv_fast_forget_all(struct fast *fast);
void rv_fast_free_gone(struct fast *fast);

/* Whether what the block's instruction goes on in is still the same. */
static inline bool rv_fast_crosses(const struct fast_tlb *tlb, const struct fast_block *block) {
	const uint64_t next = (block->pc & ~(RV_PAGE - 1)) + RV_PAGE;
	const struct fast_entry *entry = &tlb->entries[RV_FETCH][next / RV_PAGE % RV_TLB_ENTRIES];
	return entry->tag == next &&
		((const struct fast_page *)(uintptr_t)entry->addend)->serial == block->crosses;
}

/* ---- threaded.c */

/* Executes the block and those after it until the budget ends or something has to be asked. With
 * h NULL: gives out the addresses of what executes each operation instead. */
void rv_fast_threaded(struct fast_hart *h, struct fast_block *block, const void *codes[FAST_OPS]);

/* ---- fast_slow.c, fast_float.c */

/* The instruction in full. h->left is as the whole block leaves it. True: back to rv_fast_run(),
 * with the pc and the budget set. */
bool rv_fast_slow(struct fast_hart *h, const struct fast_insn *insn);
/* Floating point but for loads and stores. False: illegal. */
bool rv_fast_float(struct fast_hart *h, const struct fast_insn *insn);
static inline bool rv_fast_ends_block(unsigned op) {
	return op == RV_OP_ILLEGAL || (op >= RV_OP_BEQ && op <= RV_OP_SFENCE_VMA);
}

/* ---- fast_jit.c, fast_translate.c */

/* NULL: no memory for code, or not for this processor. */
struct fast_jit *rv_fast_jit_create(struct fast *fast);
void rv_fast_jit_destroy(struct fast *fast);
/* Sets block->native. False: no room, all has to be forgotten first. */
bool rv_fast_jit_translate(struct fast *fast, struct fast_block *block);
void rv_fast_jit_empty(struct fast *fast);
/* As rv_fast_threaded(). */
void rv_fast_jit_run(struct fast_hart *h, struct fast_block *block);
/* The native code of the block leads to that of block->next[way] from now on. */
void rv_fast_jit_link(struct fast *fast, struct fast_block *block, unsigned way);

#endif

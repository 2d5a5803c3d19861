/* SPDX-License-Identifier: MIT */
/* Pages of decoded code, and how they are made and forgotten. */
#include <stdlib.h>
#include <string.h>

#include "fast.h"

static struct fast_page **bucket_of(struct fast *fast, uint64_t physical) {
	return &fast->buckets[physical / RV_PAGE % FAST_BUCKETS];
}

static uint8_t *flags_of(const struct fast *fast, uint64_t physical) {
	return &fast->m->page_flags[(physical - RV_RAM_BASE) / RV_PAGE];
}

/* From now on stores to the page take the slow way. */
static void guard(struct fast *fast, uint64_t physical) {
	uint8_t *flags = flags_of(fast, physical);
	if (*flags & RV_PAGE_CODE)
		return;
	*flags |= RV_PAGE_CODE;
	const uint64_t host = (uintptr_t)fast->m->ram + (physical - RV_RAM_BASE);
	for (unsigned i = 0; i < fast->m->hart_count; i++) {
		for (unsigned c = 0; c < fast->context_count; c++) {
			struct fast_entry *entries = fast->harts[i].tlbs[c].entries[RV_STORE];
			for (unsigned e = 0; e < RV_TLB_ENTRIES; e++)
				if (entries[e].tag + entries[e].addend == host)
					entries[e].tag = FAST_EMPTY;
		}
	}
}

struct fast_page *rv_fast_page(
	struct fast *fast, uint64_t physical, uint64_t virtual, unsigned context) {
	struct fast_page **bucket = bucket_of(fast, physical);
	for (struct fast_page *page = *bucket; page; page = page->others)
		if (page->physical == physical && page->virtual == virtual &&
			page->context == context)
			return page;
	if (fast->page_count >= FAST_PAGES_MAX)
		rv_fast_forget_all(fast);
	rv_work(fast->m, FAST_PAGE_NS);
	struct fast_page *page = malloc(sizeof *page);
	if (!page)
		return NULL;
	page->physical = physical;
	page->virtual = virtual;
	page->context = context;
	page->serial = ++fast->pages_made;
	page->code_where = 0;
	page->all = NULL;
	for (size_t i = 0; i < RV_PAGE / 2; i++)
		page->blocks[i] = fast->none;
	page->others = *bucket;
	*bucket = page;
	fast->page_count++;
	guard(fast, physical);
	return page;
}

/* Takes the page, which *at points to, out; its blocks may be running. */
static void forget_page(struct fast *fast, struct fast_page **at) {
	struct fast_page *page = *at;
	*at = page->others;
	page->others = fast->gone;
	fast->gone = page;
	fast->page_count--;
	for (unsigned i = 0; i < fast->m->hart_count; i++) {
		struct fast_hart *h = &fast->harts[i];
		struct fast_entry *entry =
			&h->tlbs[page->context]
				 .entries[RV_FETCH][page->virtual / RV_PAGE % RV_TLB_ENTRIES];
		if (entry->addend == (uintptr_t)page)
			*entry = (struct fast_entry){.tag = FAST_EMPTY};
		h->stale = true;
		h->from = NULL;
	}
}

void rv_fast_forget_page(struct fast *fast, struct fast_page *page) {
	struct fast_page **at = bucket_of(fast, page->physical);
	while (*at != page)
		at = &(*at)->others;
	forget_page(fast, at);
}

static void forget_in_page(struct fast *fast, uint64_t physical, uint64_t where) {
	bool others = false;
	for (struct fast_page **at = bucket_of(fast, physical); *at;) {
		if ((*at)->physical == physical && (*at)->code_where & where) {
			forget_page(fast, at);
			continue;
		}
		others |= (*at)->physical == physical;
		at = &(*at)->others;
	}
	if (!others)
		*flags_of(fast, physical) &= (uint8_t)~RV_PAGE_CODE;
}

void rv_fast_forget(struct fast *fast, uint64_t physical, uint64_t size) {
	while (size) {
		const uint64_t offset = physical % RV_PAGE;
		const uint64_t part = size < RV_PAGE - offset ? size : RV_PAGE - offset;
		const unsigned first = offset / 64, last = (offset + part - 1) / 64;
		if (rv_is_ram(fast->m, physical - offset, RV_PAGE))
			forget_in_page(fast, physical - offset,
				UINT64_MAX << first & UINT64_MAX >> (63 - last));
		physical += part;
		size -= part;
	}
}

void rv_fast_forget_all(struct fast *fast) {
	for (size_t i = 0; i < FAST_BUCKETS; i++) {
		while (fast->buckets[i]) {
			*flags_of(fast, fast->buckets[i]->physical) &= (uint8_t)~RV_PAGE_CODE;
			forget_page(fast, &fast->buckets[i]);
		}
	}
	if (fast->jit)
		rv_fast_jit_empty(fast);
}

void rv_fast_free_gone(struct fast *fast) {
	while (fast->gone) {
		struct fast_page *page = fast->gone;
		fast->gone = page->others;
		while (page->all) {
			struct fast_block *block = page->all;
			page->all = block->others;
			free(block);
		}
		free(page);
	}
}

/* ------------------------------------------------------------------ decoding */

/* Does it write x[rd]? */
static bool writes_x(unsigned op) {
	switch (rv_format(op)) {
	case RV_FORMAT_FLOAD:
	case RV_FORMAT_FP4:
	case RV_FORMAT_FP3:
	case RV_FORMAT_FP2:
	case RV_FORMAT_FP3_EXACT:
	case RV_FORMAT_X_TO_FP:
	case RV_FORMAT_X_TO_FP_EXACT:
		return false;
	default:
		return true;
	}
}

static void predecode(const struct fast *fast, struct fast_insn *out, uint32_t raw, uint64_t pc) {
	struct rv_insn insn;
	rv_decode(raw, &insn);
	*out = (struct fast_insn){
		.code = fast->codes[insn.op],
		.imm = insn.imm,
		.pc = pc,
		.op = (uint8_t)insn.op,
		.rd = insn.rd == 0 && writes_x(insn.op) ? FAST_X0 : insn.rd,
		.rs1 = insn.rs1,
		.rs2 = insn.rs2,
		.rs3 = insn.rs3,
		.rm = insn.rm,
		.length = insn.length,
	};
	const enum rv_format format = rv_format(insn.op);
	if (format == RV_FORMAT_BRANCH || format == RV_FORMAT_J || insn.op == RV_OP_AUIPC)
		out->imm = (int64_t)(pc + (uint64_t)out->imm);
	else if (insn.op == RV_OP_ILLEGAL)
		out->imm = insn.raw;
}

/* What decodes ends: how many follow each, and where it goes on. */
static void finish(const struct fast *fast, struct fast_block *block) {
	for (uint32_t i = 0; i < block->count; i++)
		block->insns[i].after = (uint8_t)(block->count - 1 - i);
	const uint64_t pc = block->pc + block->size;
	block->insns[block->count] = (struct fast_insn){
		.code = fast->codes[FAST_OP_NEXT],
		.op = FAST_OP_NEXT,
		.imm = (int64_t)pc,
		.pc = pc,
	};
}

static struct fast_block *decode(
	const struct fast *fast, const struct fast_page *page, uint64_t pc) {
	struct fast_block *block = fast->scratch;
	const uint8_t *code = fast->m->ram + (page->physical - RV_RAM_BASE);
	unsigned offset = pc % RV_PAGE;
	*block = (struct fast_block){.native = fast->none->native, .pc = pc};
	rv_work(fast->m, FAST_BLOCK_NS);
	while (block->count < FAST_BLOCK_MAX && offset < RV_PAGE) {
		uint16_t low, high = 0;
		memcpy(&low, code + offset, 2);
		const bool is_long = (low & 3) == 3;
		if (is_long && offset == RV_PAGE - 2)
			break;
		if (is_long)
			memcpy(&high, code + offset + 2, 2);
		struct fast_insn *insn = &block->insns[block->count++];
		predecode(fast, insn, low | (uint32_t)high << 16, block->pc + block->size);
		offset += insn->length;
		block->size += insn->length;
		rv_work(fast->m, FAST_INSN_NS);
		if (rv_fast_ends_block(insn->op))
			break;
	}
	finish(fast, block);
	return block;
}

struct fast_block *rv_fast_part(struct fast *fast, const struct fast_block *block, unsigned most) {
	struct fast_block *part = fast->scratch;
	*part = (struct fast_block){.native = fast->none->native, .pc = block->pc, .count = most};
	memcpy(part->insns, block->insns, most * sizeof part->insns[0]);
	part->size = (uint32_t)(block->insns[most].pc - block->pc);
	finish(fast, part);
	return part;
}

struct fast_block *rv_fast_single(struct fast *fast, uint64_t pc, uint32_t raw) {
	struct fast_block *block = fast->scratch;
	*block = (struct fast_block){.native = fast->none->native, .pc = pc, .count = 1};
	predecode(fast, &block->insns[0], raw, pc);
	block->size = block->insns[0].length;
	finish(fast, block);
	return block;
}

/* Takes over into the page what was decoded. NULL: no memory. */
static struct fast_block *keep(struct fast_page *page, const struct fast_block *decoded) {
	const size_t insns = decoded->count + 1 + (decoded->crosses ? 1 : 0);
	const size_t size = sizeof *decoded + insns * sizeof decoded->insns[0];
	struct fast_block *block = malloc(size);
	if (!block)
		return NULL;
	memcpy(block, decoded, size);
	block->page = page;
	block->others = page->all;
	page->all = block;
	const unsigned first = block->pc % RV_PAGE, last = first + block->size - 1;
	page->blocks[first / 2] = block;
	page->code_where |=
		UINT64_MAX << first / 64 & UINT64_MAX >> (63 - (last < RV_PAGE ? last / 64 : 63));
	return block;
}

struct fast_block *rv_fast_crossing(struct fast *fast, struct fast_page *page,
	struct fast_page *other, uint64_t pc, uint32_t raw) {
	struct fast_block *block = rv_fast_single(fast, pc, raw);
	memmove(&block->insns[1], &block->insns[0], 2 * sizeof block->insns[0]);
	block->insns[0] = (struct fast_insn){
		.code = fast->codes[FAST_OP_CROSS], .op = FAST_OP_CROSS, .pc = pc};
	block->crosses = other->serial;
	other->code_where |= 1;
	return keep(page, block);
}

struct fast_block *rv_fast_block(struct fast *fast, struct fast_page *page, uint64_t pc) {
	struct fast_block *block = page->blocks[pc % RV_PAGE / 2];
	return block != fast->none ? block : keep(page, decode(fast, page, pc));
}

/* SPDX-License-Identifier: MIT */
/* The fast engine: finds blocks and runs them. */
#include "fast.h"

#include <stdlib.h>
#include <string.h>

static void empty_tlb(struct fast_tlb *tlb) {
	for (unsigned access = 0; access < RV_ACCESSES; access++)
		for (unsigned i = 0; i < RV_TLB_ENTRIES; i++)
			tlb->entries[access][i] = (struct fast_entry){.tag = FAST_EMPTY};
}

/* Which of the contexts it is, in which what is known of the TLB and of code belongs. */
static unsigned find_context(struct fast *fast, const struct rv_hart *hart) {
	struct fast_context wanted;
	for (unsigned access = 0; access < RV_ACCESSES; access++)
		wanted.access[access] = rv_tlb_context(hart, access);
	for (unsigned i = 0; i < fast->context_count; i++)
		if (!memcmp(&fast->contexts[i], &wanted, sizeof wanted))
			return i;
	if (fast->context_count == FAST_CONTEXTS) {
		rv_fast_forget_all(fast);
		fast->context_count = 0;
	}
	const unsigned context = fast->context_count++;
	fast->contexts[context] = wanted;
	rv_work(fast->m, fast->m->hart_count * FAST_EMPTY_NS);
	for (unsigned i = 0; i < fast->m->hart_count; i++) {
		empty_tlb(&fast->harts[i].tlbs[context]);
		fast->harts[i].filled &= ~(1u << context);
	}
	return context;
}

static void enter_context(struct fast_hart *h) {
	rv_work(h->m, FAST_CONTEXT_NS);
	h->context = find_context(h->fast, h->hart);
	h->tlb = &h->tlbs[h->context];
	h->from = NULL;
	h->stale = false;
}

/* The page of code at the address, which has just been fetched from. NULL: none. */
static struct fast_page *find_page(struct fast_hart *h, uint64_t address) {
	struct rv_machine *m = h->m;
	const uint64_t virtual = address & ~(RV_PAGE - 1);
	struct fast_entry *entry = &h->tlb->entries[RV_FETCH][address / RV_PAGE % RV_TLB_ENTRIES];
	if (entry->tag == virtual)
		return (struct fast_page *)(uintptr_t)entry->addend;
	const struct rv_tlb_entry *known =
		rv_tlb_slot(&m->tlbs[h->hart - m->harts], RV_FETCH, address);
	const uint64_t physical = known->page & ~(RV_PAGE - 1);
	if (known->tag != rv_tlb_tag(address, rv_tlb_context(h->hart, RV_FETCH)) ||
		!rv_is_ram(m, physical, RV_PAGE))
		return NULL;
	struct fast_page *page = rv_fast_page(h->fast, physical, virtual, h->context);
	if (page) {
		*entry = (struct fast_entry){virtual, (uintptr_t)page};
		h->filled |= 1u << h->context;
	}
	return page;
}

/* The block of an instruction that goes on in the next page. NULL: it has to be done for once. */
static struct fast_block *find_crossing(
	struct fast_hart *h, struct fast_page *page, uint64_t pc, uint32_t raw) {
	/* With so many pages the other one might come to be instead of this one. */
	if (h->fast->page_count >= FAST_PAGES_MAX)
		return NULL;
	struct fast_page *other = find_page(h, pc + 2);
	if (!other)
		return NULL;
	struct fast_block *block = page->blocks[pc % RV_PAGE / 2];
	if (block == h->fast->none)
		return rv_fast_crossing(h->fast, page, other, pc, raw);
	if (block->crosses == other->serial)
		return block;
	/* It went on in another page: all that leads to it goes, and is made anew next time. */
	rv_fast_forget_page(h->fast, page);
	return NULL;
}

/* The block at hart->pc. NULL: fetching it raised. */
static struct fast_block *find_block(struct fast_hart *h) {
	struct fast *fast = h->fast;
	const uint64_t pc = h->hart->pc;
	const struct fast_entry *entry = &h->tlb->entries[RV_FETCH][pc / RV_PAGE % RV_TLB_ENTRIES];
	if (entry->tag == (pc & ~(RV_PAGE - 1))) {
		const struct fast_page *page = (const struct fast_page *)(uintptr_t)entry->addend;
		struct fast_block *block = page->blocks[pc % RV_PAGE / 2];
		if (block != fast->none && (!block->crosses || rv_fast_crosses(h->tlb, block)))
			return block;
	}
	/* As if nothing were known of it. */
	uint32_t raw;
	h->m->run_steps = h->total - (uint64_t)h->left;
	if (!rv_fetch(h->m, h->hart, &raw))
		return NULL;
	struct fast_page *page = find_page(h, pc);
	if (!page)
		return rv_fast_single(fast, pc, raw);
	const bool crosses = pc % RV_PAGE == RV_PAGE - 2 && (raw & 3) == 3;
	struct fast_block *block =
		crosses ? find_crossing(h, page, pc, raw) : rv_fast_block(fast, page, pc);
	if (!block)
		return rv_fast_single(fast, pc, raw);
	if (fast->jit && block->native == fast->none->native &&
		!rv_fast_jit_translate(fast, block)) {
		/* All goes, this block too. */
		rv_fast_forget_all(fast);
		return rv_fast_single(fast, pc, raw);
	}
	return block;
}

static void link_blocks(struct fast_hart *h, struct fast_block *block) {
	h->from->next[h->way] = block;
	if (h->fast->jit)
		rv_fast_jit_link(h->fast, h->from, h->way);
}

static uint64_t fast_run(struct rv_machine *m, struct rv_hart *hart, uint64_t steps) {
	struct fast *fast = m->engine_data;
	struct fast_hart *h = &fast->harts[hart - m->harts];
	memcpy(h->x, hart->x, sizeof hart->x);
	h->total = steps;
	h->left = (int64_t)steps;
	enter_context(h);
	while (h->left > 0) {
		rv_fast_free_gone(fast);
		if (h->stale)
			enter_context(h);
		struct fast_block *block = find_block(h);
		if (!block) {
			h->left--;
			h->stale = true;
			if (m->attention)
				break;
			continue;
		}
		if (block->page && block->count > h->left)
			block = rv_fast_part(fast, block, (unsigned)h->left);
		else if (h->from && block->page)
			link_blocks(h, block);
		h->from = NULL;
		if (fast->jit && block->page)
			rv_fast_jit_run(h, block);
		else
			rv_fast_threaded(h, block, NULL);
		if (m->attention)
			break;
	}
	memcpy(hart->x, h->x, sizeof hart->x);
	return steps - (uint64_t)h->left;
}

static void fast_written(struct rv_machine *m, uint64_t physical, uint64_t size) {
	rv_fast_forget(m->engine_data, physical, size);
}

static void forget_entries(struct rv_machine *m, struct fast_tlb *tlb) {
	rv_work(m, FAST_EMPTY_NS);
	empty_tlb(tlb);
}

static void fast_tlb_changed(struct rv_machine *m, unsigned hart, enum rv_access access,
	const struct rv_tlb_entry *entry) {
	struct fast *fast = m->engine_data;
	struct fast_hart *h = &fast->harts[hart];
	for (unsigned i = 0; i < fast->context_count; i++) {
		if (!(h->filled >> i & 1))
			continue;
		if (entry)
			h->tlbs[i].entries[access][entry - m->tlbs[hart].entries[access]] =
				(struct fast_entry){.tag = FAST_EMPTY};
		else
			forget_entries(m, &h->tlbs[i]);
	}
	if (!entry) {
		h->filled = 0;
		h->stale = true;
	}
}

static void fast_destroy(struct rv_machine *m) {
	struct fast *fast = m->engine_data;
	rv_fast_forget_all(fast);
	rv_fast_free_gone(fast);
	rv_fast_jit_destroy(fast);
	free(fast->none);
	free(fast->scratch);
	free(fast);
	m->engine_data = NULL;
}

static bool fast_create(struct rv_machine *m) {
	struct fast *fast = rv_scratch(m, sizeof *fast + m->hart_count * sizeof fast->harts[0]);
	if (!fast)
		return false;
	fast->m = m;
	fast->none = calloc(1, sizeof *fast->none);
	fast->scratch = calloc(
		1, sizeof *fast->scratch + (FAST_BLOCK_MAX + 2) * sizeof fast->scratch->insns[0]);
	if (!fast->none || !fast->scratch) {
		free(fast->none);
		free(fast->scratch);
		free(fast);
		return false;
	}
	for (unsigned i = 0; i < m->hart_count; i++) {
		fast->harts[i].fast = fast;
		fast->harts[i].m = m;
	}
	rv_fast_threaded(NULL, NULL, fast->codes);
	fast->jit = rv_fast_jit_create(fast);
	m->engine_data = fast;
	return true;
}

static void fast_begin(struct rv_machine *m) {
	struct fast *fast = m->engine_data;
	for (unsigned i = 0; i < m->hart_count; i++)
		fast->harts[i].hart = &m->harts[i];
}

const struct rv_engine rv_engine_fast = {
	.name = "fast",
	.create = fast_create,
	.begin = fast_begin,
	.run = fast_run,
	.written = fast_written,
	.tlb_changed = fast_tlb_changed,
	.destroy = fast_destroy,
};

/* SPDX-License-Identifier: MIT */
/*
 * The PLIC: which of the devices' lines interrupts which hart, in which mode. The lines are levels:
 * a source is pending while its line is high and nobody has claimed it.
 */
#include <string.h>

#include "machine.h"

#define PRIORITY 0x000000
#define PENDING 0x001000
#define ENABLE 0x002000
#define ENABLE_STRIDE 0x80
#define CONTEXT 0x200000
#define CONTEXT_STRIDE 0x1000
#define THRESHOLD 0
#define CLAIM 4

#define PRIORITY_MASK 7u

void rv_plic_reset(struct rv_machine *m) {
	/* The lines are the devices'. */
	uint32_t level = m->plic->level;
	memset(m->plic, 0, sizeof(*m->plic));
	m->plic->level = level;
}

void rv_plic_line(struct rv_machine *m, unsigned source, bool high) {
	uint32_t bit = 1u << source;
	if (high == !!(m->plic->level & bit))
		return;
	m->plic->level ^= bit;
	m->attention = true;
}

/* The source of the highest priority above `least`, the lowest number among equals; 0: none. */
static unsigned best(const struct rv_plic *plic, unsigned context, uint32_t least) {
	uint32_t sources = plic->level & ~plic->claimed & plic->enable[context];
	unsigned found = 0;
	for (unsigned i = 1; i < RV_IRQ_COUNT && sources >> i; i++) {
		if (!(sources >> i & 1) || plic->priority[i] <= least)
			continue;
		found = i;
		least = plic->priority[i];
	}
	return found;
}

bool rv_plic_pending(const struct rv_machine *m, unsigned context) {
	/* Looked at often; mostly no line is high. */
	return m->plic->level && best(m->plic, context, m->plic->threshold[context]) != 0;
}

/* The threshold does not count for a claim. */
static uint32_t claim(struct rv_plic *plic, unsigned context) {
	unsigned source = best(plic, context, 0);
	if (source)
		plic->claimed |= 1u << source;
	return source;
}

static void complete(struct rv_machine *m, unsigned context, uint32_t source) {
	struct rv_plic *plic = m->plic;
	/* The manual: silently ignored unless the source is enabled for the context. */
	if (source < RV_IRQ_COUNT && plic->enable[context] >> source & 1)
		plic->claimed &= ~(1u << source);
	m->attention = true;
}

/* Within the array of a stride for each context that the machine has. */
static bool in_contexts(const struct rv_machine *m, uint64_t offset, uint64_t base, uint64_t stride,
	unsigned *context, uint64_t *within) {
	if (offset < base || offset >= base + stride * m->hart_count * 2)
		return false;
	*context = (offset - base) / stride;
	*within = (offset - base) % stride;
	return true;
}

bool rv_plic_read(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value) {
	struct rv_plic *plic = m->plic;
	unsigned context;
	uint64_t within;
	if (size != 4 || offset % 4 != 0)
		return false;
	*value = 0;
	if (offset < PRIORITY + 4 * RV_IRQ_COUNT) {
		*value = plic->priority[offset / 4];
	} else if (offset == PENDING) {
		*value = plic->level & ~plic->claimed;
	} else if (in_contexts(m, offset, ENABLE, ENABLE_STRIDE, &context, &within)) {
		if (within == 0)
			*value = plic->enable[context];
	} else if (in_contexts(m, offset, CONTEXT, CONTEXT_STRIDE, &context, &within)) {
		if (within == THRESHOLD)
			*value = plic->threshold[context];
		else if (within == CLAIM)
			*value = claim(plic, context);
	}
	return true;
}

bool rv_plic_write(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value) {
	struct rv_plic *plic = m->plic;
	unsigned context;
	uint64_t within;
	if (size != 4 || offset % 4 != 0)
		return false;
	if (offset < PRIORITY + 4 * RV_IRQ_COUNT) {
		if (offset > 0)
			plic->priority[offset / 4] = value & PRIORITY_MASK;
	} else if (in_contexts(m, offset, ENABLE, ENABLE_STRIDE, &context, &within)) {
		if (within == 0)
			plic->enable[context] = value & ~1u;
	} else if (in_contexts(m, offset, CONTEXT, CONTEXT_STRIDE, &context, &within)) {
		if (within == THRESHOLD)
			plic->threshold[context] = value & PRIORITY_MASK;
		else if (within == CLAIM)
			complete(m, context, value);
	}
	m->attention = true;
	return true;
}

/* SPDX-License-Identifier: MIT */
/* The memory of native code, and the ways into it and out of it. */
#include "fast_jit.h"

#include <stdlib.h>

#ifdef __x86_64__

static void load_registers(struct x86 *c) {
	for (unsigned i = 0; i < 32; i++)
		if (fast_host_of(i) >= 0)
			x86_rm(c, 1, X86_MOV, (unsigned)fast_host_of(i), RBP, FAST_AT_X(i));
	x86_rm(c, 1, X86_MOV, FAST_LEFT, RBP, FAST_AT(left));
}

static void store_registers(struct x86 *c) {
	for (unsigned i = 0; i < 32; i++)
		if (fast_host_of(i) >= 0)
			x86_rm(c, 1, X86_STORE, (unsigned)fast_host_of(i), RBP, FAST_AT_X(i));
	x86_rm(c, 1, X86_STORE, FAST_LEFT, RBP, FAST_AT(left));
}

/* What the C calling convention keeps; with the return address and 8 more the stack is aligned. */
static const uint8_t kept[] = {RBP, RBX, R12, R13, R14, R15};

static void write_ways(struct fast_jit *jit) {
	struct x86 *c = &jit->code;
	jit->enter = c->at;
	for (unsigned i = 0; i < sizeof kept; i++)
		x86_push(c, kept[i]);
	x86_ri(c, 1, X86_G_SUB, RSP, 8);
	x86_rm(c, 1, X86_LEA, RBP, RDI, FAST_MIDDLE);
	x86_mov(c, RAX, RSI);
	load_registers(c);
	x86_rr(c, 0, 0xff, 4, RAX);

	jit->leave_link = c->at;
	x86_rm(c, 1, X86_STORE, RCX, RBP, FAST_AT(from));
	x86_rm(c, 0, X86_STORE, RDX, RBP, FAST_AT(way));
	jit->leave = c->at;
	x86_rm(c, 1, X86_MOV, RCX, RBP, FAST_AT(hart));
	x86_rm(c, 1, X86_STORE, RAX, RCX, offsetof(struct rv_hart, pc));
	store_registers(c);
	uint8_t *const out = c->at;
	x86_ri(c, 1, X86_G_ADD, RSP, 8);
	for (unsigned i = sizeof kept; i > 0; i--)
		x86_pop(c, kept[i - 1]);
	x86_return(c);

	jit->slow = c->at;
	/* RSI is one of the guest's registers: the instruction comes in RDX. */
	store_registers(c);
	x86_rm(c, 1, X86_LEA, RDI, RBP, -FAST_MIDDLE);
	x86_mov(c, RSI, RDX);
	x86_constant(c, RAX, (uintptr_t)&rv_fast_slow);
	x86_ri(c, 1, X86_G_SUB, RSP, 8);
	x86_rr(c, 0, 0xff, 2, RAX);
	x86_ri(c, 1, X86_G_ADD, RSP, 8);
	x86_rr(c, 0, 0x84, RAX, RAX);
	uint8_t *stay = x86_jump_if(c, X86_E);
	x86_ri(c, 1, X86_G_ADD, RSP, 8);
	x86_land(x86_jump(c), out);
	x86_land(stay, c->at);
	load_registers(c);
	x86_return(c);
}

struct fast_jit *rv_fast_jit_create(struct fast *fast) {
	struct rv_machine *m = fast->m;
	if (!m->code_memory)
		return NULL;
	struct fast_jit *jit = calloc(1, sizeof *jit);
	if (!jit)
		return NULL;
	if (!m->code_memory(
		    m->code_memory_data, FAST_CODE_SIZE, &jit->writable, &jit->executable)) {
		free(jit);
		return NULL;
	}
	jit->code.at = jit->writable;
	write_ways(jit);
	jit->begin = jit->code.at;
	fast->none->native = jit->executable + (jit->leave - jit->writable);
	return jit;
}

void rv_fast_jit_destroy(struct fast *fast) {
	struct rv_machine *m = fast->m;
	if (!fast->jit)
		return;
	if (m->code_memory_free)
		m->code_memory_free(m->code_memory_data, FAST_CODE_SIZE, fast->jit->writable,
			fast->jit->executable);
	free(fast->jit);
	fast->jit = NULL;
}

void rv_fast_jit_empty(struct fast *fast) {
	fast->jit->code.at = fast->jit->begin;
}

void rv_fast_jit_run(struct fast_hart *h, struct fast_block *block) {
	const struct fast_jit *jit = h->fast->jit;
	void (*enter)(struct fast_hart *, const uint8_t *);
	const uintptr_t address =
		(uintptr_t)jit->executable + (uintptr_t)(jit->enter - jit->writable);
	memcpy(&enter, &address, sizeof enter);
	enter(h, block->native);
}

void rv_fast_jit_link(struct fast *fast, struct fast_block *block, unsigned way) {
	struct fast_jit *jit = fast->jit;
	if (!block->jumps[way])
		return;
	x86_land(jit->writable + block->jumps[way],
		jit->writable + (block->next[way]->native - jit->executable));
}

#else

struct fast_jit *rv_fast_jit_create(struct fast *fast) {
	(void)fast;
	return NULL;
}

void rv_fast_jit_destroy(struct fast *fast) {
	(void)fast;
}

void rv_fast_jit_empty(struct fast *fast) {
	(void)fast;
}

bool rv_fast_jit_translate(struct fast *fast, struct fast_block *block) {
	(void)fast, (void)block;
	return true;
}

void rv_fast_jit_run(struct fast_hart *h, struct fast_block *block) {
	rv_fast_threaded(h, block, NULL);
}

void rv_fast_jit_link(struct fast *fast, struct fast_block *block, unsigned way) {
	(void)fast, (void)block, (void)way;
}

#endif

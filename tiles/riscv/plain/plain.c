/* SPDX-License-Identifier: MIT */
/* The loop: fetch, decode, execute. */
#include "plain.h"

#include <stdlib.h>

static_assert(RV_OP_ILLEGAL == 0);

static rv_execute *const functions[RV_OPS] = {
	[RV_OP_ILLEGAL] = rv_execute_ILLEGAL,
#define RV_INSTRUCTION(name, mnemonic, match, mask, format) [RV_OP_##name] = rv_execute_##name,
#include "isa.def"
};

static bool create(struct rv_machine *m) {
	struct rv_plain *p = rv_scratch(m, sizeof(*p));
	if (!p) {
		return false;
	}
	p->m = m;
	m->engine_data = p;
	return true;
}

static void destroy(struct rv_machine *m) {
	free(m->engine_data);
	m->engine_data = NULL;
}

/* The page of code that is remembered may not be in the TLB any more. */
static void tlb_changed(struct rv_machine *m, unsigned hart, enum rv_access access,
	const struct rv_tlb_entry *entry) {
	struct rv_plain *p = m->engine_data;
	p->code_size = 0;
}

struct rv_loaded rv_plain_load_slowly(struct rv_plain *p, uint64_t address, unsigned size) {
	struct rv_loaded loaded;
	loaded.done = rv_load(p->m, p->hart, address, size, &loaded.value);
	return loaded;
}

struct fetched {
	uint32_t raw;
	bool done; /* not if it trapped */
};

[[gnu::noinline]] static struct fetched fetch_slowly(struct rv_plain *p, uint64_t pc) {
	struct fetched fetched;
	fetched.done = rv_fetch(p->m, p->hart, &fetched.raw);
	if (!fetched.done) {
		rv_plain_look(p);
		return fetched;
	}
	const struct rv_tlb_entry *entry = rv_tlb_slot(p->tlb, RV_FETCH, pc);
	p->code_page = pc & ~(RV_PAGE - 1);
	p->code = p->m->ram + ((entry->page & ~(RV_PAGE - 1)) - RV_RAM_BASE);
	/* The last two bytes may be those of an instruction that goes on in the next page. */
	p->code_size = RV_PAGE - 3;
	return fetched;
}

static inline struct fetched fetch(struct rv_plain *p, uint64_t pc) {
	uint64_t offset = pc - p->code_page;
	if (offset >= p->code_size) {
		return fetch_slowly(p, pc);
	}
	uint32_t bits;
	memcpy(&bits, p->code + offset, sizeof(bits));
	return (struct fetched){.raw = (bits & 3) == 3 ? bits : bits & 0xffff, .done = true};
}

static inline const struct rv_insn *decode(struct rv_plain *p, uint64_t pc, uint32_t raw) {
	struct rv_insn *insn = &p->decoded[pc / 2 % RV_PLAIN_DECODED];
	if (insn->raw != raw) {
		rv_decode(raw, insn);
	}
	return insn;
}

static uint64_t run(struct rv_machine *m, struct rv_hart *hart, uint64_t steps) {
	struct rv_plain *p = m->engine_data;
	p->hart = hart;
	p->tlb = &m->tlbs[hart - m->harts];
	rv_plain_look(p);
	uint64_t made = 0, pc = hart->pc;
	while (made < steps && !m->attention) {
		m->run_steps = made++;
		struct fetched fetched = fetch(p, pc);
		if (fetched.done) {
			const struct rv_insn *insn = decode(p, pc, fetched.raw);
			if (m->trace) {
				m->trace(m->trace_data, hart, fetched.raw);
			}
			pc = functions[insn->op](p, insn, pc + insn->length);
			hart->pc = pc;
			hart->x[0] = 0;
		} else {
			pc = hart->pc;
		}
	}
	return made;
}

const struct rv_engine rv_engine_plain = {
	.name = "plain",
	.create = create,
	.run = run,
	.tlb_changed = tlb_changed,
	.destroy = destroy,
};

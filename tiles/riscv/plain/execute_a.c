/* SPDX-License-Identifier: MIT */
/* A, atomic instructions: Unprivileged Architecture, chapter 13. Harts take turns, so nothing comes
 * between the halves of one, and ordering (aq, rl) is always there. */
#include "plain.h"

static uint64_t read_ram(const struct rv_machine *m, uint64_t physical, unsigned size) {
	uint64_t value = 0;
	memcpy(&value, m->ram + (physical - RV_RAM_BASE), size);
	return size == 4 ? rv_word(value) : value;
}

static void write_ram(struct rv_machine *m, uint64_t physical, unsigned size, uint64_t value) {
	memcpy(m->ram + (physical - RV_RAM_BASE), &value, size);
	if (m->page_flags[(physical - RV_RAM_BASE) / RV_PAGE]) {
		rv_stored(m, physical, size);
	}
}

static uint64_t load_reserved(
	struct rv_plain *p, const struct rv_insn *i, unsigned size, uint64_t next) {
	uint64_t at;
	if (!rv_translate_amo(p->m, p->hart, RS1, size, RV_LOAD, &at)) {
		return rv_plain_diverted(p);
	}
	p->hart->reserved = true;
	p->hart->reservation = at;
	RD = read_ram(p->m, at, size);
	return next;
}

static uint64_t store_conditional(
	struct rv_plain *p, const struct rv_insn *i, unsigned size, uint64_t next) {
	uint64_t at;
	if (!rv_translate_amo(p->m, p->hart, RS1, size, RV_STORE, &at)) {
		return rv_plain_diverted(p);
	}
	bool succeeds = p->hart->reserved && p->hart->reservation == at;
	if (succeeds) {
		write_ram(p->m, at, size, RS2);
	}
	p->hart->reserved = false;
	RD = !succeeds;
	return next;
}

EXECUTE(LR_W) {
	return load_reserved(p, i, 4, next);
}

EXECUTE(LR_D) {
	return load_reserved(p, i, 8, next);
}

EXECUTE(SC_W) {
	return store_conditional(p, i, 4, next);
}

EXECUTE(SC_D) {
	return store_conditional(p, i, 8, next);
}

/* `old` is what memory had, sign-extended; `b` is rs2. */
#define AMO(name, size, new)                                                                       \
	EXECUTE(name) {                                                                            \
		uint64_t at, b = RS2;                                                              \
		if (!rv_translate_amo(p->m, p->hart, RS1, size, RV_STORE, &at)) {                  \
			return rv_plain_diverted(p);                                               \
		}                                                                                  \
		uint64_t old = read_ram(p->m, at, size);                                           \
		write_ram(p->m, at, size, new);                                                    \
		RD = old;                                                                          \
		return next;                                                                       \
	}
AMO(AMOSWAP_W, 4, b)
AMO(AMOADD_W, 4, old + b)
AMO(AMOXOR_W, 4, old ^ b)
AMO(AMOAND_W, 4, old &b)
AMO(AMOOR_W, 4, old | b)
AMO(AMOMIN_W, 4, (int32_t)old < (int32_t)b ? old : b)
AMO(AMOMAX_W, 4, (int32_t)old > (int32_t)b ? old : b)
AMO(AMOMINU_W, 4, (uint32_t)old < (uint32_t)b ? old : b)
AMO(AMOMAXU_W, 4, (uint32_t)old > (uint32_t)b ? old : b)
AMO(AMOSWAP_D, 8, b)
AMO(AMOADD_D, 8, old + b)
AMO(AMOXOR_D, 8, old ^ b)
AMO(AMOAND_D, 8, old &b)
AMO(AMOOR_D, 8, old | b)
AMO(AMOMIN_D, 8, (int64_t)old < (int64_t)b ? old : b)
AMO(AMOMAX_D, 8, (int64_t)old > (int64_t)b ? old : b)
AMO(AMOMINU_D, 8, old < b ? old : b)
AMO(AMOMAXU_D, 8, old > b ? old : b)

/* SPDX-License-Identifier: MIT */
/* What is not worth being fast, or cannot be: loads and stores of pages that are not known or are
 * no RAM, atomic and privileged instructions. */
#include <string.h>

#include "csr.h"
#include "fast.h"

/* The instruction raised: the machine has set the pc. */
static bool raised(struct fast_hart *h, const struct fast_insn *insn) {
	h->left += insn->after;
	h->stale = true;
	return true;
}

static bool done(struct fast_hart *h, const struct fast_insn *insn) {
	if (!h->stale && !h->m->attention)
		return false;
	h->hart->pc = insn->pc + insn->length;
	h->left += insn->after;
	return true;
}

/* A privileged instruction, after which nothing may be as it was. hart->pc is set. */
static bool system_done(struct fast_hart *h, const struct fast_insn *insn) {
	return raised(h, insn);
}

/* What the TLB has of the address now, for the next time. */
static void remember(struct fast_hart *h, enum rv_access access, uint64_t address) {
	struct rv_machine *m = h->m;
	const struct rv_tlb_entry *known =
		rv_tlb_slot(&m->tlbs[h->hart - m->harts], access, address);
	const uint64_t virtual = address & ~(RV_PAGE - 1);
	if (known->tag != rv_tlb_tag(address, h->fast->contexts[h->context].access[access]) ||
		!rv_is_ram(m, known->page & ~(RV_PAGE - 1), RV_PAGE))
		return;
	const uint64_t offset = (known->page & ~(RV_PAGE - 1)) - RV_RAM_BASE;
	if (access == RV_STORE && m->page_flags[offset / RV_PAGE])
		return;
	h->filled |= 1u << h->context;
	h->tlb->entries[access][address / RV_PAGE % RV_TLB_ENTRIES] =
		(struct fast_entry){virtual, (uintptr_t)m->ram + offset - virtual};
}

static bool load(
	struct fast_hart *h, const struct fast_insn *insn, unsigned size, uint64_t *value) {
	const uint64_t address = h->x[insn->rs1] + (uint64_t)insn->imm;
	if (!rv_load(h->m, h->hart, address, size, value))
		return false;
	remember(h, RV_LOAD, address);
	return true;
}

static bool load_x(
	struct fast_hart *h, const struct fast_insn *insn, unsigned size, bool is_signed) {
	uint64_t value;
	if (!load(h, insn, size, &value))
		return raised(h, insn);
	const unsigned unused = 64 - size * 8;
	h->x[insn->rd] = is_signed ? (uint64_t)((int64_t)(value << unused) >> unused) : value;
	return done(h, insn);
}

static bool store(
	struct fast_hart *h, const struct fast_insn *insn, unsigned size, uint64_t value) {
	const uint64_t address = h->x[insn->rs1] + (uint64_t)insn->imm;
	if (!rv_store(h->m, h->hart, address, size, value))
		return raised(h, insn);
	remember(h, RV_STORE, address);
	return done(h, insn);
}

static bool illegal(struct fast_hart *h, const struct fast_insn *insn) {
	rv_illegal(h->m, h->hart);
	return raised(h, insn);
}

/* ------------------------------------------------------------------ floating point registers */

static bool load_f(struct fast_hart *h, const struct fast_insn *insn, unsigned size) {
	uint64_t value;
	if (!(h->hart->mstatus & RV_STATUS_FS))
		return illegal(h, insn);
	if (!load(h, insn, size, &value))
		return raised(h, insn);
	h->hart->f[insn->rd] = size == 4 ? value | 0xffffffff00000000ull : value;
	h->hart->mstatus |= RV_STATUS_FS;
	return done(h, insn);
}

static bool store_f(struct fast_hart *h, const struct fast_insn *insn, unsigned size) {
	if (!(h->hart->mstatus & RV_STATUS_FS))
		return illegal(h, insn);
	return store(h, insn, size, h->hart->f[insn->rs2]);
}

static bool floating(struct fast_hart *h, const struct fast_insn *insn) {
	rv_work(h->m, FAST_FLOAT_NS);
	if (!(h->hart->mstatus & RV_STATUS_FS) || !rv_fast_float(h, insn))
		return illegal(h, insn);
	return done(h, insn);
}

/* ------------------------------------------------------------------ atomic instructions */

static uint64_t ram_get(const struct rv_machine *m, uint64_t physical, unsigned size) {
	const uint8_t *at = m->ram + (physical - RV_RAM_BASE);
	uint64_t value;
	int32_t word;
	if (size == 8) {
		memcpy(&value, at, 8);
		return value;
	}
	memcpy(&word, at, 4);
	return (uint64_t)(int64_t)word;
}

static void ram_set(struct rv_machine *m, uint64_t physical, unsigned size, uint64_t value) {
	memcpy(m->ram + (physical - RV_RAM_BASE), &value, size);
	if (m->page_flags[(physical - RV_RAM_BASE) / RV_PAGE])
		rv_stored(m, physical, size);
}

static bool load_reserved(struct fast_hart *h, const struct fast_insn *insn, unsigned size) {
	uint64_t physical;
	if (!rv_translate_amo(h->m, h->hart, h->x[insn->rs1], size, RV_LOAD, &physical))
		return raised(h, insn);
	h->x[insn->rd] = ram_get(h->m, physical, size);
	h->hart->reserved = true;
	h->hart->reservation = physical;
	return done(h, insn);
}

static bool store_conditional(struct fast_hart *h, const struct fast_insn *insn, unsigned size) {
	uint64_t physical;
	if (!rv_translate_amo(h->m, h->hart, h->x[insn->rs1], size, RV_STORE, &physical))
		return raised(h, insn);
	const bool holds = h->hart->reserved && h->hart->reservation == physical;
	h->hart->reserved = false;
	if (holds)
		ram_set(h->m, physical, size, h->x[insn->rs2]);
	h->x[insn->rd] = !holds;
	return done(h, insn);
}

/* Both as they are sign-extended: that keeps the order of unsigned numbers of 32 bits, too. */
static uint64_t amo_result(unsigned op, uint64_t old, uint64_t value) {
	switch (op) {
	case RV_OP_AMOADD_W:
	case RV_OP_AMOADD_D:
		return old + value;
	case RV_OP_AMOXOR_W:
	case RV_OP_AMOXOR_D:
		return old ^ value;
	case RV_OP_AMOAND_W:
	case RV_OP_AMOAND_D:
		return old & value;
	case RV_OP_AMOOR_W:
	case RV_OP_AMOOR_D:
		return old | value;
	case RV_OP_AMOMIN_W:
	case RV_OP_AMOMIN_D:
		return (int64_t)old < (int64_t)value ? old : value;
	case RV_OP_AMOMAX_W:
	case RV_OP_AMOMAX_D:
		return (int64_t)old > (int64_t)value ? old : value;
	case RV_OP_AMOMINU_W:
	case RV_OP_AMOMINU_D:
		return old < value ? old : value;
	case RV_OP_AMOMAXU_W:
	case RV_OP_AMOMAXU_D:
		return old > value ? old : value;
	default:
		return value;
	}
}

static bool amo(struct fast_hart *h, const struct fast_insn *insn, unsigned size) {
	uint64_t physical;
	if (!rv_translate_amo(h->m, h->hart, h->x[insn->rs1], size, RV_STORE, &physical))
		return raised(h, insn);
	const uint64_t value = h->x[insn->rs2];
	const uint64_t old = ram_get(h->m, physical, size);
	ram_set(h->m, physical, size,
		amo_result(insn->op, old, size == 4 ? (uint64_t)(int64_t)(int32_t)value : value));
	h->x[insn->rd] = old;
	return done(h, insn);
}

/* ------------------------------------------------------------------ privileged instructions */

static bool csr(struct fast_hart *h, const struct fast_insn *insn) {
	const bool immediate = insn->op >= RV_OP_CSRRWI;
	const uint64_t operand = immediate ? insn->rs1 : h->x[insn->rs1];
	enum rv_csr_op op = RV_CSR_WRITE;
	bool read = true, write = insn->rs1 != 0;
	if (insn->op == RV_OP_CSRRS || insn->op == RV_OP_CSRRSI) {
		op = RV_CSR_SET;
	} else if (insn->op == RV_OP_CSRRC || insn->op == RV_OP_CSRRCI) {
		op = RV_CSR_CLEAR;
	} else {
		read = insn->rd != FAST_X0;
		write = true;
	}
	uint64_t old;
	const uint64_t before = h->hart->mstatus;
	if (!rv_csr(h->m, h->hart, (unsigned)insn->imm, op, read, write, operand, &old))
		return raised(h, insn);
	h->x[insn->rd] = old;
	/* What rv_tlb_context() depends on. */
	const uint64_t changed = before ^ h->hart->mstatus;
	if (changed & (RV_STATUS_SUM | RV_STATUS_MXR | RV_STATUS_MPRV | RV_STATUS_MPP))
		h->stale = true;
	return done(h, insn);
}

static bool system_instruction(struct fast_hart *h, const struct fast_insn *insn) {
	struct rv_machine *m = h->m;
	struct rv_hart *hart = h->hart;
	bool goes_on = false;
	switch (insn->op) {
	case RV_OP_ECALL:
		rv_ecall(m, hart);
		break;
	case RV_OP_EBREAK:
		goes_on = rv_ebreak(m, hart, h->x[10], h->x[11], &h->x[10]);
		break;
	case RV_OP_MRET:
		rv_mret(m, hart);
		break;
	case RV_OP_SRET:
		rv_sret(m, hart);
		break;
	case RV_OP_WFI:
		goes_on = rv_wfi(m, hart);
		break;
	case RV_OP_SFENCE_VMA:
		goes_on = rv_sfence_vma(m, hart, h->x[insn->rs1], h->x[insn->rs2]);
		break;
	default:
		return csr(h, insn);
	}
	if (goes_on)
		hart->pc = insn->pc + insn->length;
	return system_done(h, insn);
}

bool rv_fast_slow(struct fast_hart *h, const struct fast_insn *insn) {
	h->hart->pc = insn->pc;
	h->m->run_steps = h->total - (uint64_t)h->left - insn->after - 1;
	rv_work(h->m, FAST_SLOW_NS);
	switch (insn->op) {
	case RV_OP_LB:
		return load_x(h, insn, 1, true);
	case RV_OP_LH:
		return load_x(h, insn, 2, true);
	case RV_OP_LW:
		return load_x(h, insn, 4, true);
	case RV_OP_LD:
		return load_x(h, insn, 8, true);
	case RV_OP_LBU:
		return load_x(h, insn, 1, false);
	case RV_OP_LHU:
		return load_x(h, insn, 2, false);
	case RV_OP_LWU:
		return load_x(h, insn, 4, false);
	case RV_OP_FLW:
		return load_f(h, insn, 4);
	case RV_OP_FLD:
		return load_f(h, insn, 8);
	case RV_OP_SB:
		return store(h, insn, 1, h->x[insn->rs2]);
	case RV_OP_SH:
		return store(h, insn, 2, h->x[insn->rs2]);
	case RV_OP_SW:
		return store(h, insn, 4, h->x[insn->rs2]);
	case RV_OP_SD:
		return store(h, insn, 8, h->x[insn->rs2]);
	case RV_OP_FSW:
		return store_f(h, insn, 4);
	case RV_OP_FSD:
		return store_f(h, insn, 8);
	case RV_OP_LR_W:
		return load_reserved(h, insn, 4);
	case RV_OP_LR_D:
		return load_reserved(h, insn, 8);
	case RV_OP_SC_W:
		return store_conditional(h, insn, 4);
	case RV_OP_SC_D:
		return store_conditional(h, insn, 8);
	case RV_OP_ILLEGAL:
		return illegal(h, insn);
	case RV_OP_FENCE:
	case RV_OP_FENCE_I:
		return false;
	default:
		break;
	}
	if (insn->op >= RV_OP_AMOSWAP_W && insn->op <= RV_OP_AMOMAXU_D)
		return amo(h, insn, (insn->op - RV_OP_AMOSWAP_W) % 2 ? 8 : 4);
	if (insn->op >= RV_OP_ECALL && insn->op <= RV_OP_CSRRCI)
		return system_instruction(h, insn);
	return floating(h, insn);
}

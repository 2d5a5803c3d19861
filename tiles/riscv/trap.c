/* SPDX-License-Identifier: MIT */
/*
 * Traps: exceptions, interrupts, and the instructions that make and end them. Privileged
 * Architecture, chapters 3 (machine level) and 12 (supervisor level).
 */
#include "csr.h"
#include "machine.h"

#define TRAP_NS 100

static uint64_t vector(uint64_t tvec, bool interrupt, unsigned cause) {
	uint64_t base = tvec & ~3ull;
	/* Mode 1: interrupts, and only they, have an entry each. */
	if (interrupt && (tvec & 3) == 1) {
		return base + 4 * cause;
	}
	return base;
}

static void enter_supervisor(struct rv_hart *hart, bool interrupt, unsigned cause, uint64_t tval) {
	hart->scause = (interrupt ? RV_CAUSE_INTERRUPT : 0) | cause;
	hart->sepc = hart->pc;
	hart->stval = tval;
	uint64_t status = hart->mstatus & ~(RV_STATUS_SPIE | RV_STATUS_SIE | RV_STATUS_SPP);
	status |= hart->mstatus & RV_STATUS_SIE ? RV_STATUS_SPIE : 0;
	status |= hart->mode == RV_MODE_S ? RV_STATUS_SPP : 0;
	hart->mstatus = status;
	hart->mode = RV_MODE_S;
	hart->pc = vector(hart->stvec, interrupt, cause);
}

static void enter_machine(struct rv_hart *hart, bool interrupt, unsigned cause, uint64_t tval) {
	hart->mcause = (interrupt ? RV_CAUSE_INTERRUPT : 0) | cause;
	hart->mepc = hart->pc;
	hart->mtval = tval;
	uint64_t status = hart->mstatus & ~(RV_STATUS_MPIE | RV_STATUS_MIE | RV_STATUS_MPP);
	status |= hart->mstatus & RV_STATUS_MIE ? RV_STATUS_MPIE : 0;
	status |= (uint64_t)hart->mode << RV_STATUS_MPP_SHIFT;
	hart->mstatus = status;
	hart->mode = RV_MODE_M;
	hart->pc = vector(hart->mtvec, interrupt, cause);
}

/* A trap never goes to a mode with fewer privileges than the one that it comes from. */
static void enter(
	struct rv_hart *hart, bool interrupt, unsigned cause, uint64_t deleg, uint64_t tval) {
	hart->reserved = false;
	if (hart->mode != RV_MODE_M && (deleg >> cause & 1)) {
		enter_supervisor(hart, interrupt, cause, tval);
	} else {
		enter_machine(hart, interrupt, cause, tval);
	}
}

void rv_raise(struct rv_machine *m, struct rv_hart *hart, enum rv_exception cause, uint64_t tval) {
	m->run_traps++;
	rv_work(m, TRAP_NS);
	enter(hart, false, cause, hart->medeleg, tval);
}

void rv_illegal(struct rv_machine *m, struct rv_hart *hart) {
	/* It was fetched just now, so this finds its translation and reads the same again. */
	uint32_t instruction;
	if (rv_fetch(m, hart, &instruction)) {
		rv_raise(m, hart, RV_ILLEGAL, instruction);
	}
}

uint64_t rv_mip(const struct rv_machine *m, const struct rv_hart *hart) {
	unsigned number = hart - m->harts;
	uint64_t mip = hart->mip;
	if (m->clint->msip[number]) {
		mip |= 1ull << RV_INT_MSI;
	}
	if (rv_machine_time(m) >= m->clint->mtimecmp[number]) {
		mip |= 1ull << RV_INT_MTI;
	}
	if (rv_plic_pending(m, number * 2)) {
		mip |= 1ull << RV_INT_MEI;
	}
	if (rv_plic_pending(m, number * 2 + 1)) {
		mip |= 1ull << RV_INT_SEI;
	}
	return mip;
}

/* The most important of these, as 3.1.9 orders them. */
static unsigned first_interrupt(uint64_t pending) {
	static const uint8_t order[] = {
		RV_INT_MEI, RV_INT_MSI, RV_INT_MTI, RV_INT_SEI, RV_INT_SSI, RV_INT_STI};
	unsigned i = 0;
	while (!(pending >> order[i] & 1)) {
		i++;
	}
	return order[i];
}

bool rv_interrupt(struct rv_machine *m, struct rv_hart *hart) {
	if (!hart->mie) {
		return false;
	}
	uint64_t pending = rv_mip(m, hart) & hart->mie;
	if (!pending) {
		return false;
	}
	/* Those of a mode are on in all modes below it, off in all above, and in it as it says. */
	bool machine_on = hart->mode < RV_MODE_M || (hart->mstatus & RV_STATUS_MIE);
	bool supervisor_on = hart->mode < RV_MODE_S ||
		(hart->mode == RV_MODE_S && (hart->mstatus & RV_STATUS_SIE));
	uint64_t machine = machine_on ? pending & ~hart->mideleg : 0;
	uint64_t supervisor = supervisor_on ? pending & hart->mideleg : 0;
	uint64_t taken = machine ? machine : supervisor;
	if (!taken) {
		return false;
	}
	enter(hart, true, first_interrupt(taken), hart->mideleg, 0);
	return true;
}

void rv_attend(struct rv_machine *m, const struct rv_hart *hart) {
	if (hart->mie && (rv_mip(m, hart) & hart->mie)) {
		m->attention = true;
	}
}

bool rv_mret(struct rv_machine *m, struct rv_hart *hart) {
	if (hart->mode != RV_MODE_M) {
		rv_illegal(m, hart);
		return false;
	}
	uint64_t status = hart->mstatus;
	unsigned mode = (status & RV_STATUS_MPP) >> RV_STATUS_MPP_SHIFT;
	status &= ~(RV_STATUS_MIE | RV_STATUS_MPP);
	status |= status & RV_STATUS_MPIE ? RV_STATUS_MIE : 0;
	status |= RV_STATUS_MPIE;
	if (mode != RV_MODE_M) {
		status &= ~RV_STATUS_MPRV;
	}
	hart->mstatus = status;
	hart->mode = mode;
	hart->pc = hart->mepc;
	rv_attend(m, hart);
	return true;
}

bool rv_sret(struct rv_machine *m, struct rv_hart *hart) {
	if (hart->mode == RV_MODE_U ||
		(hart->mode == RV_MODE_S && (hart->mstatus & RV_STATUS_TSR))) {
		rv_illegal(m, hart);
		return false;
	}
	uint64_t status = hart->mstatus;
	unsigned mode = status & RV_STATUS_SPP ? RV_MODE_S : RV_MODE_U;
	status &= ~(RV_STATUS_SIE | RV_STATUS_SPP | RV_STATUS_MPRV);
	status |= status & RV_STATUS_SPIE ? RV_STATUS_SIE : 0;
	status |= RV_STATUS_SPIE;
	hart->mstatus = status;
	hart->mode = mode;
	hart->pc = hart->sepc;
	rv_attend(m, hart);
	return true;
}

bool rv_wfi(struct rv_machine *m, struct rv_hart *hart) {
	if (hart->mode == RV_MODE_U ||
		(hart->mode == RV_MODE_S && (hart->mstatus & RV_STATUS_TW))) {
		rv_illegal(m, hart);
		return false;
	}
	/* The machine wakes it, at once if there is something already. */
	hart->waiting = true;
	m->attention = true;
	return true;
}

bool rv_ecall(struct rv_machine *m, struct rv_hart *hart) {
	rv_raise(m, hart, RV_ECALL_U + hart->mode, 0);
	return false;
}

bool rv_sfence_vma(struct rv_machine *m, struct rv_hart *hart, uint64_t address, uint64_t asid) {
	if (hart->mode == RV_MODE_U ||
		(hart->mode == RV_MODE_S && (hart->mstatus & RV_STATUS_TVM))) {
		rv_illegal(m, hart);
		return false;
	}
	/* Of all address spaces only the present one has entries, for satp empties the TLB. */
	(void)asid;
	if (address) {
		rv_tlb_flush_page(m, hart, address);
	} else {
		rv_tlb_flush(m, hart);
	}
	return true;
}

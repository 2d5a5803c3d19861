/* SPDX-License-Identifier: MIT */
/*
 * Control and status registers. Privileged Architecture, chapters 2, 3 and 12. Where a field takes
 * some values only (WARL), a write of another one leaves it as it was, unless said otherwise.
 */
#include "csr.h"
#include "machine.h"

#define MISA                                                                                       \
	(2ull << 62 | 1u << ('I' - 'A') | 1u << ('M' - 'A') | 1u << ('A' - 'A') |                  \
		1u << ('F' - 'A') | 1u << ('D' - 'A') | 1u << ('C' - 'A') | 1u << ('S' - 'A') |    \
		1u << ('U' - 'A'))

#define SSTATUS_WRITTEN                                                                            \
	(RV_STATUS_SIE | RV_STATUS_SPIE | RV_STATUS_SPP | RV_STATUS_FS | RV_STATUS_SUM |           \
		RV_STATUS_MXR)
#define SSTATUS_READ (SSTATUS_WRITTEN | RV_STATUS_UXL | RV_STATUS_SD)
#define MSTATUS_WRITTEN                                                                            \
	(SSTATUS_WRITTEN | RV_STATUS_MIE | RV_STATUS_MPIE | RV_STATUS_MPP | RV_STATUS_MPRV |       \
		RV_STATUS_TVM | RV_STATUS_TW | RV_STATUS_TSR)

#define SUPERVISOR_INTERRUPTS (1ull << RV_INT_SSI | 1ull << RV_INT_STI | 1ull << RV_INT_SEI)
#define INTERRUPTS                                                                                 \
	(SUPERVISOR_INTERRUPTS | 1ull << RV_INT_MSI | 1ull << RV_INT_MTI | 1ull << RV_INT_MEI)
/* Exceptions 0 to 9, 12, 13 and 15; never those of M mode itself. */
#define DELEGABLE 0xb3ffull
#define COUNTERS (RV_COUNTER_CY | RV_COUNTER_TM | RV_COUNTER_IR)
#define FIOM 1ull

/* ---- counters: the hart's are of the last return of run(), and advance by m->run_steps */

static uint64_t cycles_made(const struct rv_machine *m, const struct rv_hart *hart) {
	return hart->mcountinhibit & RV_COUNTER_CY ? 0 : m->run_steps;
}

static uint64_t instructions_made(const struct rv_machine *m, const struct rv_hart *hart) {
	return hart->mcountinhibit & RV_COUNTER_IR ? 0 : m->run_steps - m->run_traps;
}

void rv_counters_advance(struct rv_hart *hart, uint64_t steps, uint64_t traps) {
	if (!(hart->mcountinhibit & RV_COUNTER_CY)) {
		hart->cycle += steps;
	}
	if (!(hart->mcountinhibit & RV_COUNTER_IR)) {
		hart->instret += steps - traps;
	}
}

/* What is written to a counter is what the next instruction reads: this one does not count. */
static void write_cycle(struct rv_machine *m, struct rv_hart *hart, uint64_t value) {
	bool counts = !(hart->mcountinhibit & RV_COUNTER_CY);
	hart->cycle = value - cycles_made(m, hart) - counts;
}

static void write_instret(struct rv_machine *m, struct rv_hart *hart, uint64_t value) {
	bool counts = !(hart->mcountinhibit & RV_COUNTER_IR);
	hart->instret = value - instructions_made(m, hart) - counts;
}

/* From the next instruction on. */
static void write_inhibit(struct rv_machine *m, struct rv_hart *hart, uint32_t value) {
	uint64_t steps = m->run_steps + 1, instructions = steps - m->run_traps;
	uint32_t off = value & ~hart->mcountinhibit, on = hart->mcountinhibit & ~value;
	if (off & RV_COUNTER_CY) {
		hart->cycle += steps;
	}
	if (off & RV_COUNTER_IR) {
		hart->instret += instructions;
	}
	if (on & RV_COUNTER_CY) {
		hart->cycle -= steps;
	}
	if (on & RV_COUNTER_IR) {
		hart->instret -= instructions;
	}
	hart->mcountinhibit = value;
}

/* ---- reading */

static uint64_t read_mstatus(const struct rv_hart *hart) {
	uint64_t value = hart->mstatus | RV_STATUS_UXL | RV_STATUS_SXL;
	if ((value & RV_STATUS_FS) == RV_STATUS_FS) {
		value |= RV_STATUS_SD;
	}
	return value;
}

/* False: there is no such register. */
static bool csr_read(
	const struct rv_machine *m, const struct rv_hart *hart, unsigned number, uint64_t *value) {
	switch (number) {
	case RV_CSR_FFLAGS:
		*value = hart->fflags;
		return true;
	case RV_CSR_FRM:
		*value = hart->frm;
		return true;
	case RV_CSR_FCSR:
		*value = hart->frm << 5 | hart->fflags;
		return true;

	case RV_CSR_SSTATUS:
		*value = read_mstatus(hart) & SSTATUS_READ;
		return true;
	case RV_CSR_SIE:
		*value = hart->mie & hart->mideleg;
		return true;
	case RV_CSR_STVEC:
		*value = hart->stvec;
		return true;
	case RV_CSR_SCOUNTEREN:
		*value = hart->scounteren;
		return true;
	case RV_CSR_SENVCFG:
		*value = hart->senvcfg;
		return true;
	case RV_CSR_SSCRATCH:
		*value = hart->sscratch;
		return true;
	case RV_CSR_SEPC:
		*value = hart->sepc;
		return true;
	case RV_CSR_SCAUSE:
		*value = hart->scause;
		return true;
	case RV_CSR_STVAL:
		*value = hart->stval;
		return true;
	case RV_CSR_SIP:
		*value = rv_mip(m, hart) & hart->mideleg;
		return true;
	case RV_CSR_SATP:
		*value = hart->satp;
		return true;

	case RV_CSR_MSTATUS:
		*value = read_mstatus(hart);
		return true;
	case RV_CSR_MISA:
		*value = MISA;
		return true;
	case RV_CSR_MEDELEG:
		*value = hart->medeleg;
		return true;
	case RV_CSR_MIDELEG:
		*value = hart->mideleg;
		return true;
	case RV_CSR_MIE:
		*value = hart->mie;
		return true;
	case RV_CSR_MTVEC:
		*value = hart->mtvec;
		return true;
	case RV_CSR_MCOUNTEREN:
		*value = hart->mcounteren;
		return true;
	case RV_CSR_MENVCFG:
		*value = hart->menvcfg;
		return true;
	case RV_CSR_MCOUNTINHIBIT:
		*value = hart->mcountinhibit;
		return true;
	case RV_CSR_MSCRATCH:
		*value = hart->mscratch;
		return true;
	case RV_CSR_MEPC:
		*value = hart->mepc;
		return true;
	case RV_CSR_MCAUSE:
		*value = hart->mcause;
		return true;
	case RV_CSR_MTVAL:
		*value = hart->mtval;
		return true;
	case RV_CSR_MIP:
		*value = rv_mip(m, hart);
		return true;
	case RV_CSR_PMPCFG0:
		*value = rv_pmpcfg_read(hart, 0);
		return true;
	case RV_CSR_PMPCFG2:
		*value = rv_pmpcfg_read(hart, 8);
		return true;
	case RV_CSR_PMPADDR0 ... RV_CSR_PMPADDR15:
		*value = rv_pmpaddr_read(hart, number - RV_CSR_PMPADDR0);
		return true;

	case RV_CSR_MCYCLE:
	case RV_CSR_CYCLE:
		*value = hart->cycle + cycles_made(m, hart);
		return true;
	case RV_CSR_MINSTRET:
	case RV_CSR_INSTRET:
		*value = hart->instret + instructions_made(m, hart);
		return true;
	case RV_CSR_TIME:
		*value = rv_machine_time(m);
		return true;
	case RV_CSR_MHARTID:
		*value = hart - m->harts;
		return true;

	/* Not implemented, and so zero. No trigger, no counter of events, no vendor. */
	case RV_CSR_MHPMEVENT3 ... RV_CSR_MHPMEVENT31:
	case RV_CSR_MHPMCOUNTER3 ... RV_CSR_MHPMCOUNTER31:
	case RV_CSR_HPMCOUNTER3 ... RV_CSR_HPMCOUNTER31:
	case RV_CSR_TSELECT:
	case RV_CSR_TDATA1:
	case RV_CSR_TDATA2:
	case RV_CSR_TDATA3:
	case RV_CSR_MVENDORID:
	case RV_CSR_MARCHID:
	case RV_CSR_MIMPID:
	case RV_CSR_MCONFIGPTR:
		*value = 0;
		return true;
	default:
		return false;
	}
}

bool rv_csr_peek(
	const struct rv_machine *m, const struct rv_hart *hart, unsigned number, uint64_t *value) {
	return csr_read(m, hart, number, value);
}

/* ---- writing */

static void write_mstatus(
	struct rv_machine *m, struct rv_hart *hart, uint64_t value, uint64_t written) {
	/* 2 is no mode. */
	if ((value & RV_STATUS_MPP) >> RV_STATUS_MPP_SHIFT == 2) {
		written &= ~RV_STATUS_MPP;
	}
	hart->mstatus = (hart->mstatus & ~written) | (value & written);
	rv_attend(m, hart);
}

static void write_masked(uint64_t *csr, uint64_t value, uint64_t written) {
	*csr = (*csr & ~written) | (value & written);
}

static void write_tvec(uint64_t *csr, uint64_t value) {
	if ((value & 3) < 2) {
		*csr = value;
	}
}

/* With a mode that is not there, nothing of it is written. */
static void write_satp(struct rv_machine *m, struct rv_hart *hart, uint64_t value) {
	unsigned mode = value >> RV_SATP_MODE_SHIFT;
	if (mode == RV_SATP_BARE || mode == RV_SATP_SV39) {
		hart->satp = value;
		rv_tlb_flush(m, hart);
	}
}

static void write_float(struct rv_hart *hart, uint32_t frm, uint32_t fflags) {
	hart->frm = frm & 7;
	hart->fflags = fflags & 0x1f;
	hart->mstatus |= RV_STATUS_FS;
}

static void csr_write(struct rv_machine *m, struct rv_hart *hart, unsigned number, uint64_t value) {
	switch (number) {
	case RV_CSR_FFLAGS:
		write_float(hart, hart->frm, value);
		break;
	case RV_CSR_FRM:
		write_float(hart, value, hart->fflags);
		break;
	case RV_CSR_FCSR:
		write_float(hart, value >> 5, value);
		break;

	case RV_CSR_SSTATUS:
		write_mstatus(m, hart, value, SSTATUS_WRITTEN);
		break;
	case RV_CSR_SIE:
		write_masked(&hart->mie, value, hart->mideleg);
		rv_attend(m, hart);
		break;
	case RV_CSR_STVEC:
		write_tvec(&hart->stvec, value);
		break;
	case RV_CSR_SCOUNTEREN:
		hart->scounteren = value & COUNTERS;
		break;
	case RV_CSR_SENVCFG:
		hart->senvcfg = value & FIOM;
		break;
	case RV_CSR_SSCRATCH:
		hart->sscratch = value;
		break;
	case RV_CSR_SEPC:
		hart->sepc = value & ~1ull;
		break;
	case RV_CSR_SCAUSE:
		hart->scause = value;
		break;
	case RV_CSR_STVAL:
		hart->stval = value;
		break;
	case RV_CSR_SIP:
		write_masked(&hart->mip, value, 1ull << RV_INT_SSI & hart->mideleg);
		rv_attend(m, hart);
		break;
	case RV_CSR_SATP:
		write_satp(m, hart, value);
		break;

	case RV_CSR_MSTATUS:
		write_mstatus(m, hart, value, MSTATUS_WRITTEN);
		break;
	case RV_CSR_MEDELEG:
		hart->medeleg = value & DELEGABLE;
		break;
	case RV_CSR_MIDELEG:
		hart->mideleg = value & SUPERVISOR_INTERRUPTS;
		rv_attend(m, hart);
		break;
	case RV_CSR_MIE:
		hart->mie = value & INTERRUPTS;
		rv_attend(m, hart);
		break;
	case RV_CSR_MTVEC:
		write_tvec(&hart->mtvec, value);
		break;
	case RV_CSR_MCOUNTEREN:
		hart->mcounteren = value & COUNTERS;
		break;
	case RV_CSR_MENVCFG:
		hart->menvcfg = value & FIOM;
		break;
	case RV_CSR_MCOUNTINHIBIT:
		write_inhibit(m, hart, value & (RV_COUNTER_CY | RV_COUNTER_IR));
		break;
	case RV_CSR_MSCRATCH:
		hart->mscratch = value;
		break;
	case RV_CSR_MEPC:
		hart->mepc = value & ~1ull;
		break;
	case RV_CSR_MCAUSE:
		hart->mcause = value;
		break;
	case RV_CSR_MTVAL:
		hart->mtval = value;
		break;
	case RV_CSR_MIP:
		hart->mip = value & SUPERVISOR_INTERRUPTS;
		rv_attend(m, hart);
		break;
	case RV_CSR_PMPCFG0:
		rv_pmpcfg_write(m, hart, 0, value);
		break;
	case RV_CSR_PMPCFG2:
		rv_pmpcfg_write(m, hart, 8, value);
		break;
	case RV_CSR_PMPADDR0 ... RV_CSR_PMPADDR15:
		rv_pmpaddr_write(m, hart, number - RV_CSR_PMPADDR0, value);
		break;
	case RV_CSR_MCYCLE:
		write_cycle(m, hart, value);
		break;
	case RV_CSR_MINSTRET:
		write_instret(m, hart, value);
		break;
	default: /* ignores writes */
		break;
	}
}

/* ---- instructions */

/* cycle, time, instret and the others after them: a bit each in the registers that permit them. */
static bool counter_permitted(const struct rv_hart *hart, unsigned number) {
	uint32_t bit = 1u << (number & 31);
	return hart->mode == RV_MODE_M ||
		((hart->mcounteren & bit) && (hart->mode == RV_MODE_S || (hart->scounteren & bit)));
}

static bool permitted(const struct rv_hart *hart, unsigned number, bool write) {
	/* Bits 9 and 8 are the least mode; 3 in bits 11 and 10 is read-only. */
	if (hart->mode < (number >> 8 & 3) || (write && number >> 10 == 3)) {
		return false;
	}
	switch (number) {
	case RV_CSR_FFLAGS:
	case RV_CSR_FRM:
	case RV_CSR_FCSR:
		return hart->mstatus & RV_STATUS_FS;
	case RV_CSR_SATP:
		return hart->mode != RV_MODE_S || !(hart->mstatus & RV_STATUS_TVM);
	case RV_CSR_CYCLE ... RV_CSR_HPMCOUNTER31:
		return counter_permitted(hart, number);
	default:
		return true;
	}
}

bool rv_csr(struct rv_machine *m, struct rv_hart *hart, unsigned number, enum rv_csr_op op,
	bool read, bool write, uint64_t operand, uint64_t *old) {
	uint64_t value;
	if (!permitted(hart, number, write) || !csr_read(m, hart, number, &value)) {
		rv_illegal(m, hart);
		return false;
	}
	*old = read ? value : 0;
	if (!write) {
		return true;
	}
	/* What devices say of interrupts is read, but not written back with the rest. */
	if (number == RV_CSR_MIP) {
		value = hart->mip;
	}
	switch (op) {
	case RV_CSR_WRITE:
		value = operand;
		break;
	case RV_CSR_SET:
		value |= operand;
		break;
	case RV_CSR_CLEAR:
		value &= ~operand;
		break;
	}
	csr_write(m, hart, number, value);
	return true;
}

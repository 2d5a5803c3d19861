/* SPDX-License-Identifier: MIT */
/*
 * Random privileged programs, executed beside QEMU: writes of all CSRs, traps and what is delegated
 * of them, returns to other modes, translations by page tables of all sorts, PMP, interrupts by
 * software and timer. All registers and CSRs are compared after every step, the memory at the end.
 * More of them, or others: test-riscv-lockstep_qemu ENGINE PROGRAMS SEED.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#include "isa.h"
#include "qemu.h"
#include "random.h"

enum { DEFAULT_PROGRAMS = 16, STEPS = 300, BODY = 120 };

static unsigned long programs = DEFAULT_PROGRAMS, seed = 1;

/* ------------------------------------------------------------------ where things are */

enum {
	M_HANDLER = 0x0000, /* offsets in RAM */
	S_HANDLER = 0x0400,
	CODE = 0x1000,
	ROOT_S = 0x10000, /* page tables: code for S mode, for U mode */
	ROOT_U = 0x11000,
	TABLE_1 = 0x12000,
	TABLE_0 = 0x13000,
	DATA = 0x40000,
	DATA_SIZE = 0x10000,
	COMPARED = DATA + DATA_SIZE + 0x2000,
	LAST = RIG_RAM - 0x8000, /* RAM, and nothing after it */
};
/* Where TABLE_1 translates. */
static const uint64_t virtual_at = 0xc0000000;

/* Registers that the body leaves alone, and what is in them. */
enum {
	LINK = 1,   /* where to go on after a jump to nowhere */
	TEMP = 5,   /* and 6 */
	RESULT = 8, /* to 17: any numbers */
	CLINT = 18,
	MASK = 19,
	PHYSICAL = 20,
	VIRTUAL = 21,
	NOWHERE = 22,
	SATP_S = 24,
	SATP_U = 25,
	MTVEC = 26,   /* and, vectored, 27 */
	STVEC = 28,   /* and 29 */
	HANDLER = 30, /* and 31 */
};

struct pair {
	struct rig *rig;
	struct qemu *qemu;
	uint64_t put_at;
	uint64_t compared;
};

static void put_word(struct pair *pair, uint32_t word) {
	memcpy(pair->rig->ram + pair->put_at, &word, sizeof word);
	pair->put_at += sizeof word;
}

static uint32_t csr(enum rv_op op, unsigned number, unsigned rd, unsigned rs1) {
	return instruction(op, rd, rs1, 0) | immediate_i((int32_t)number);
}

static uint32_t addi_(unsigned rd, unsigned rs1, int32_t value) {
	return instruction(RV_OP_ADDI, rd, rs1, 0) | immediate_i(value);
}

static uint32_t lui_(unsigned rd, uint32_t value) {
	return instruction(RV_OP_LUI, rd, 0, 0) | value;
}

/*
 * A handler of each mode: a vector of jumps, what happened, and back: behind the instruction that
 * trapped, or where LINK says if it could not be fetched, in a mode that can. Interrupts are put
 * off.
 */
static void put_handler(struct pair *pair, bool machine) {
	enum { VECTOR = 16, EXCEPTION = VECTOR, FETCH = EXCEPTION + 11, INTERRUPT = FETCH + 5 };
	const unsigned cause = machine ? RV_CSR_MCAUSE : RV_CSR_SCAUSE,
		       epc = machine ? RV_CSR_MEPC : RV_CSR_SEPC,
		       status = machine ? RV_CSR_MSTATUS : RV_CSR_SSTATUS,
		       enable = machine ? RV_CSR_MIE : RV_CSR_SIE;
	const uint32_t back = instruction(machine ? RV_OP_MRET : RV_OP_SRET, 0, 0, 0);
	const uint64_t start = pair->put_at = machine ? M_HANDLER : S_HANDLER;
	for (int i = 0; i < VECTOR; i++)
		put_word(pair,
			instruction(RV_OP_JAL, 0, 0, 0) |
				immediate_j(4 * ((i ? INTERRUPT : EXCEPTION) - i)));
	put_word(pair, csr(RV_OP_CSRRS, cause, HANDLER, 0));
	put_word(pair,
		instruction(RV_OP_BLT, 0, HANDLER, 0) |
			immediate_b(4 * (INTERRUPT - EXCEPTION - 1)));
	static const int fetches[] = {RV_FETCH_MISALIGNED, RV_FETCH_FAULT, RV_FETCH_PAGE_FAULT};
	for (int i = 0; i < 3; i++) {
		if (i)
			put_word(pair, addi_(HANDLER + 1, 0, fetches[i]));
		put_word(pair,
			instruction(RV_OP_BEQ, 0, HANDLER, i ? HANDLER + 1 : 0) |
				immediate_b((int32_t)(start + 4 * FETCH - pair->put_at)));
	}
	put_word(pair, csr(RV_OP_CSRRS, epc, HANDLER, 0));
	put_word(pair, addi_(HANDLER, HANDLER, 4));
	put_word(pair, csr(RV_OP_CSRRW, epc, 0, HANDLER));
	put_word(pair, back);
	assert_int_equal(pair->put_at, start + 4 * FETCH);
	put_word(pair, lui_(HANDLER, 0x2000));
	put_word(pair, addi_(HANDLER, HANDLER, machine ? -0x800 : -0x700));
	put_word(pair, csr(RV_OP_CSRRS, status, 0, HANDLER));
	put_word(pair, csr(RV_OP_CSRRW, epc, 0, LINK));
	put_word(pair, back);
	assert_int_equal(pair->put_at, start + 4 * INTERRUPT);
	if (machine) {
		put_word(pair, lui_(HANDLER, 0x20000));
		put_word(pair, csr(RV_OP_CSRRC, RV_CSR_MSTATUS, 0, HANDLER));
		put_word(pair, csr(RV_OP_CSRRW, RV_CSR_MIP, 0, 0));
		put_word(pair, instruction(RV_OP_SW, 0, CLINT, 0));
		put_word(pair, lui_(HANDLER, 0x4000));
		put_word(pair, instruction(RV_OP_ADD, HANDLER, HANDLER, CLINT));
		put_word(pair, addi_(HANDLER + 1, 0, -1));
		put_word(pair, instruction(RV_OP_SD, 0, HANDLER, HANDLER + 1));
		put_word(pair, back);
		return;
	}
	put_word(pair, csr(RV_OP_CSRRW, enable, 0, 0));
	put_word(pair, back);
}

/* ------------------------------------------------------------------ page tables */

static void put_entry(struct pair *pair, uint64_t table, unsigned index, uint64_t value) {
	memcpy(pair->rig->ram + table + index * 8, &value, sizeof value);
}

enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128 };

static uint64_t entry(uint64_t physical, uint64_t flags) {
	return physical >> 12 << 10 | flags;
}

static uint64_t random_flags(void) {
	/* W alone, and with X, is reserved. */
	static const uint8_t permissions[] = {R, R | W, R | W, X, R | X, R | W | X, W, W | X};
	uint64_t flags = V | A | D | permissions[random_below(random_below(3) ? 6 : 8)] |
		(next_random() & (U | G));
	if (random_below(4) == 0)
		flags ^= random_below(2) ? A : D;
	if (random_below(12) == 0)
		flags ^= 1ull << random_below(10);
	if (random_below(24) == 0)
		flags |= 1ull << (54 + random_below(10));
	return flags;
}

static void put_tables(struct pair *pair) {
	for (unsigned root = ROOT_S; root <= ROOT_U; root += 0x1000) {
		memset(pair->rig->ram + root, 0, 0x1000);
		put_entry(pair, root, 0, entry(0, V | R | W | A | D | (next_random() & (U | G))));
		put_entry(pair, root, 2,
			entry(RV_RAM_BASE, V | R | W | X | A | D | (root == ROOT_U ? U : 0)));
		put_entry(pair, root, 3, entry(RV_RAM_BASE + TABLE_1, V));
		/* A table for a leaf, a page of a size that does not fit its place. */
		put_entry(pair, root, 4, entry(RV_RAM_BASE + TABLE_1, V | random_flags()));
		put_entry(pair, root, 511, entry(RV_RAM_BASE, random_flags()));
	}
	memset(pair->rig->ram + TABLE_1, 0, 0x2000);
	put_entry(pair, TABLE_1, 0, entry(RV_RAM_BASE + TABLE_0, V));
	for (unsigned i = 1; i < 8; i++)
		put_entry(
			pair, TABLE_1, i, entry(RV_RAM_BASE + (i & 1 ? 0 : DATA), random_flags()));
	/* Pointers with one more bit, most of which are reserved there. */
	for (unsigned i = 8; i < 16; i++)
		put_entry(pair, TABLE_1, i,
			entry(RV_RAM_BASE + TABLE_0, V) |
				1ull << (random_below(4) ? 4 + random_below(6)
							 : 54 + random_below(10)));
	for (unsigned i = 0; i < 64; i++)
		put_entry(pair, TABLE_0, i,
			entry(RV_RAM_BASE + DATA + random_below(16) * 0x1000, random_flags()));
}

/* ------------------------------------------------------------------ the body */

static const uint16_t csrs[] = {RV_CSR_FFLAGS, RV_CSR_FRM, RV_CSR_FCSR, RV_CSR_SCOUNTEREN,
	RV_CSR_SSCRATCH, RV_CSR_SEPC, RV_CSR_SCAUSE, RV_CSR_STVAL, RV_CSR_MISA, RV_CSR_MCOUNTEREN,
	RV_CSR_MCOUNTINHIBIT, RV_CSR_MSCRATCH, RV_CSR_MEPC, RV_CSR_MCAUSE, RV_CSR_MTVAL,
	RV_CSR_MVENDORID, RV_CSR_MHARTID, RV_CSR_MCONFIGPTR, 0x7c0, 0x200, 0x5c0, RV_CSR_SATP,
	0x30b};

static unsigned any_number(void) {
	return RESULT + (unsigned)random_below(10);
}

/* Those in which QEMU has bits of extensions that are not here: other bits stay 0. */
static void put_masked_access(struct pair *pair, unsigned rd) {
	static const struct {
		uint16_t number;
		uint32_t mask;
	} masked[] = {{RV_CSR_MIE, 0xaaa}, {RV_CSR_SIE, 0xaaa}, {RV_CSR_MIP, 0xaaa},
		{RV_CSR_SIP, 0xaaa}, {RV_CSR_MIDELEG, 0xaaa}, {RV_CSR_MEDELEG, 0xb3ff},
		{RV_CSR_MENVCFG, 1}, {RV_CSR_SENVCFG, 1}, {RV_CSR_MSTATUS, 0x7fffff},
		{RV_CSR_SSTATUS, 0x7fffff}};
	const unsigned which = (unsigned)random_below(10);
	const uint32_t value = (uint32_t)next_random() & masked[which].mask;
	put_word(pair, lui_(TEMP, (value + 0x800) & 0xfffff000));
	put_word(pair, addi_(TEMP, TEMP, (int32_t)(value << 20) >> 20));
	put_word(
		pair, csr(RV_OP_CSRRW + (unsigned)random_below(3), masked[which].number, rd, TEMP));
}

static void put_csr_access(struct pair *pair) {
	const unsigned rd = random_below(2) ? any_number() : 0;
	switch (random_below(16)) {
	case 6:
	case 7:
	case 8:
		put_masked_access(pair, rd);
		return;
	case 0: {
		/* Counters differ, what may read them does not. */
		static const uint16_t counters[] = {
			RV_CSR_CYCLE, RV_CSR_TIME, RV_CSR_INSTRET, RV_CSR_MCYCLE, RV_CSR_MINSTRET};
		put_word(pair, csr(RV_OP_CSRRS, counters[random_below(5)], 0, 0));
		return;
	}
	case 1:
		put_word(pair,
			csr(RV_OP_CSRRW, RV_CSR_SATP, rd,
				random_below(8) == 0 ? any_number()
						     : SATP_S + (unsigned)random_below(2)));
		return;
	case 2:
		if (random_below(2))
			put_word(pair,
				csr(RV_OP_CSRRW, RV_CSR_MTVEC, rd,
					MTVEC + (unsigned)random_below(2)));
		else
			put_word(pair,
				csr(RV_OP_CSRRW, RV_CSR_STVEC, rd,
					STVEC + (unsigned)random_below(2)));
		return;
	case 3:
		/* One bit of mstatus: MPRV, SUM, MXR, TVM, TW, TSR, MPP, SPP ... */
		put_word(pair, lui_(TEMP, 1u << (12 + random_below(11))));
		put_word(pair,
			csr(RV_OP_CSRRS + (unsigned)random_below(2), RV_CSR_MSTATUS, rd, TEMP));
		return;
	case 4:
		put_word(pair,
			csr(RV_OP_CSRRWI + (unsigned)random_below(3),
				random_below(2) ? RV_CSR_MSTATUS : RV_CSR_SSTATUS, rd,
				(unsigned)random_below(32)));
		return;
	case 5:
		/* The last PMP entry lets all pass. */
		put_word(pair,
			csr(RV_OP_CSRRW, RV_CSR_PMPADDR0 + (unsigned)random_below(15), rd,
				any_number()));
		return;
	default:
		break;
	}
	const unsigned number = csrs[random_below(sizeof csrs / sizeof csrs[0])];
	if (random_below(2))
		put_word(pair,
			csr(RV_OP_CSRRW + (unsigned)random_below(3), number, rd,
				random_below(4) ? any_number() : 0));
	else
		put_word(pair,
			csr(RV_OP_CSRRWI + (unsigned)random_below(3), number, rd,
				(unsigned)random_below(32)));
}

/* An address in TEMP. */
static void put_address(struct pair *pair, bool pages) {
	put_word(pair, instruction(RV_OP_AND, TEMP, any_number(), MASK));
	unsigned base = random_below(3) ? VIRTUAL : PHYSICAL;
	if (random_below(8) == 0)
		base = NOWHERE;
	if (pages && random_below(8))
		base = VIRTUAL;
	put_word(pair, instruction(RV_OP_ADD, TEMP, TEMP, base));
	if (random_below(3))
		put_word(pair, instruction(RV_OP_ANDI, TEMP, TEMP, 0) | immediate_i(-8));
}

static void put_access(struct pair *pair, bool pages) {
	static const uint8_t loads[] = {
		RV_OP_LB, RV_OP_LH, RV_OP_LW, RV_OP_LD, RV_OP_LBU, RV_OP_LHU, RV_OP_LWU};
	put_address(pair, pages);
	switch (random_below(8)) {
	case 0:
		put_word(pair, instruction(RV_OP_FLD, (unsigned)random_below(32), TEMP, 0));
		break;
	case 1:
		put_word(pair, instruction(RV_OP_FSD, 0, TEMP, (unsigned)random_below(32)));
		break;
	case 2:
	case 3:
		put_word(pair,
			instruction(RV_OP_SB + (unsigned)random_below(4), 0, TEMP, any_number()));
		break;
	case 4:
		put_word(pair,
			instruction(RV_OP_AMOSWAP_W + (unsigned)random_below(18), any_number(),
				TEMP, any_number()));
		break;
	case 5: {
		const unsigned wide = (unsigned)random_below(2);
		put_word(pair, instruction(RV_OP_LR_W + wide, any_number(), TEMP, 0));
		put_word(pair, instruction(RV_OP_SC_W + wide, any_number(), TEMP, any_number()));
		break;
	}
	default:
		put_word(pair, instruction(loads[random_below(7)], any_number(), TEMP, 0));
		break;
	}
}

static void put_return(struct pair *pair) {
	const bool machine = random_below(2);
	if (random_below(2)) {
		/* MPP or SPP, of which any may be. */
		put_word(pair, lui_(TEMP, 0x2000));
		put_word(pair, addi_(TEMP, TEMP, -0x800));
		put_word(pair, csr(RV_OP_CSRRC, RV_CSR_MSTATUS, 0, TEMP));
		put_word(pair, lui_(TEMP, 0x1000));
		put_word(pair,
			instruction(RV_OP_SRLI, TEMP, TEMP, 0) |
				immediate_i((int32_t)random_below(2)));
		if (random_below(2))
			put_word(pair, csr(RV_OP_CSRRS, RV_CSR_MSTATUS, 0, TEMP));
		else
			put_word(pair, addi_(TEMP, 0, 0));
	}
	put_word(pair, instruction(RV_OP_AUIPC, TEMP, 0, 0));
	put_word(pair,
		addi_(TEMP, TEMP, 16 + (int32_t)random_below(2) * 2 * (random_below(4) == 0)));
	put_word(pair, csr(RV_OP_CSRRW, machine ? RV_CSR_MEPC : RV_CSR_SEPC, 0, TEMP));
	put_word(pair, instruction(machine ? RV_OP_MRET : RV_OP_SRET, 0, 0, 0));
}

static void put_interrupt(struct pair *pair) {
	switch (random_below(6)) {
	case 0:
		/* MSIP, of the CLINT. */
		put_word(pair, instruction(RV_OP_SW, 0, CLINT, any_number()));
		break;
	case 1:
		/* mtimecmp: now or never. */
		put_word(pair, lui_(TEMP, 0x4000));
		put_word(pair, instruction(RV_OP_ADD, TEMP, TEMP, CLINT));
		put_word(pair, addi_(TEMP + 1, 0, -(int32_t)random_below(2)));
		put_word(pair, instruction(RV_OP_SD, 0, TEMP, TEMP + 1));
		break;
	case 2:
		put_word(pair, addi_(TEMP, 0, 1 << (random_below(3) * 4 + 1)));
		put_word(pair, csr(RV_OP_CSRRS, RV_CSR_MIP, 0, TEMP));
		break;
	case 3:
		put_word(pair, lui_(TEMP, 0x1000));
		put_word(pair, addi_(TEMP, TEMP, 0xaaa - 0x1000));
		put_word(
			pair, csr(RV_OP_CSRRS, random_below(2) ? RV_CSR_MIE : RV_CSR_SIE, 0, TEMP));
		break;
	default:
		put_word(pair,
			csr(RV_OP_CSRRSI, random_below(2) ? RV_CSR_MSTATUS : RV_CSR_SSTATUS, 0,
				random_below(2) ? 10 : 2));
		break;
	}
}

static void put_any(struct pair *pair) {
	switch (random_below(16)) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		put_csr_access(pair);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		put_access(pair, false);
		break;
	case 9:
	case 10:
		put_return(pair);
		break;
	case 11:
		put_interrupt(pair);
		break;
	case 12: {
		static const uint32_t others[] = {0x00000073, 0x00100073, 0x0000100f, 0x12000073,
			0xffffffff, 0x00002063, 0x30200073, 0x10200073, 0x02006053, 0x0000000f};
		put_word(pair, others[random_below(8) < 7 ? random_below(6) : random_below(10)]);
		break;
	}
	case 13:
		/* Somewhere, but the way back is known. */
		put_address(pair, false);
		put_word(pair, instruction(RV_OP_JALR, LINK, TEMP, 0));
		break;
	case 14:
		/* Floating point: on or off, and what makes it dirty. */
		put_word(pair,
			instruction(RV_OP_FADD_S +
					(unsigned)random_below(RV_OP_FMV_D_X - RV_OP_FADD_S + 1),
				any_number(), any_number(), 0) |
				((uint32_t)random_below(8) << 12 &
					(uint32_t)-(int)random_below(2)));
		break;
	default:
		put_word(pair,
			instruction(RV_OP_ADD + (unsigned)random_below(18), any_number(),
				any_number(), any_number()));
		break;
	}
}

/* For programs that are about pages: nearly all of it can be done in S mode. */
static void put_about_pages(struct pair *pair) {
	switch (random_below(12)) {
	case 0:
		put_word(pair, instruction(RV_OP_SFENCE_VMA, 0, 0, 0));
		break;
	case 1:
	case 2:
		/* SUM, MXR or both. */
		put_word(pair, lui_(TEMP, (uint32_t)(1 + random_below(3)) << 18));
		put_word(pair,
			csr(RV_OP_CSRRS + (unsigned)random_below(2), RV_CSR_SSTATUS, 0, TEMP));
		break;
	case 3:
		put_any(pair);
		break;
	default:
		put_access(pair, true);
		break;
	}
}

/* ------------------------------------------------------------------ both */

/* What is compared and, at the start, written: after each step, and now and then. */
static const unsigned always[] = {QEMU_PC, QEMU_MODE, QEMU_CSR + RV_CSR_MSTATUS,
	QEMU_CSR + RV_CSR_MEPC, QEMU_CSR + RV_CSR_MCAUSE, QEMU_CSR + RV_CSR_MTVAL,
	QEMU_CSR + RV_CSR_MIP, QEMU_CSR + RV_CSR_MIE, QEMU_CSR + RV_CSR_SEPC,
	QEMU_CSR + RV_CSR_SCAUSE, QEMU_CSR + RV_CSR_STVAL, QEMU_CSR + RV_CSR_SATP,
	QEMU_CSR + RV_CSR_MTVEC, QEMU_CSR + RV_CSR_STVEC, QEMU_CSR + RV_CSR_MEDELEG,
	QEMU_CSR + RV_CSR_MIDELEG, QEMU_CSR + RV_CSR_MSCRATCH, QEMU_CSR + RV_CSR_SSCRATCH,
	QEMU_CSR + RV_CSR_MCOUNTEREN, QEMU_CSR + RV_CSR_SCOUNTEREN, QEMU_CSR + RV_CSR_MENVCFG,
	QEMU_CSR + RV_CSR_SENVCFG, QEMU_CSR + RV_CSR_FCSR};
enum { ALWAYS = sizeof always / sizeof always[0], ALL = 31 + 32 + ALWAYS + 19 };

static size_t list_registers(const struct pair *pair, unsigned *list, bool all) {
	size_t n = 0;
	const struct rv_hart *hart = pair->rig->hart;
	/* QEMU hides that even from the debugger. */
	const bool no_satp = hart->mode == RV_MODE_S && hart->mstatus & RV_STATUS_TVM;
	for (size_t i = 0; i < ALWAYS; i++) {
		if (!no_satp || always[i] != QEMU_CSR + RV_CSR_SATP)
			list[n++] = always[i];
	}
	for (unsigned i = 1; i < 32; i++)
		list[n++] = QEMU_X + i;
	if (!all)
		return n;
	for (unsigned i = 0; i < 32; i++)
		list[n++] = QEMU_F + i;
	for (unsigned i = 0; i < 16; i++)
		list[n++] = QEMU_CSR + RV_CSR_PMPADDR0 + i;
	list[n++] = QEMU_CSR + RV_CSR_PMPCFG0;
	list[n++] = QEMU_CSR + RV_CSR_PMPCFG2;
	list[n++] = QEMU_CSR + RV_CSR_MCOUNTINHIBIT;
	return n;
}

static uint64_t ours(const struct pair *pair, unsigned reg) {
	const struct rv_hart *hart = pair->rig->hart;
	if (reg < QEMU_PC)
		return hart->x[reg];
	if (reg == QEMU_PC)
		return hart->pc;
	if (reg == QEMU_MODE)
		return hart->mode;
	if (reg < QEMU_MODE)
		return hart->f[reg - QEMU_F];
	return rig_csr(pair->rig, reg - QEMU_CSR);
}

static const char *name(unsigned reg) {
	if (reg < QEMU_PC)
		return rv_register_name(reg);
	if (reg == QEMU_PC)
		return "pc";
	if (reg == QEMU_MODE)
		return "mode";
	if (reg < QEMU_MODE)
		return rv_fp_register_name(reg - QEMU_F);
	return rv_csr_name(reg - QEMU_CSR);
}

/* QEMU keeps the bits of virtual machines, which there are none of. */
static uint64_t seen(unsigned reg, uint64_t value) {
	const uint64_t interrupts = 0xaaa;
	return reg == QEMU_CSR + RV_CSR_MIP ? value & interrupts : value;
}

static bool compare(struct pair *pair, bool all, const struct rv_hart *before) {
	unsigned list[ALL];
	uint64_t its[ALL];
	const size_t count = list_registers(pair, list, all);
	qemu_read(pair->qemu, list, its, count);
	pair->compared++;
	bool same = true;
	for (size_t i = 0; i < count; i++) {
		const uint64_t mine = ours(pair, list[i]);
		if (mine == seen(list[i], its[i]))
			continue;
		print_error(
			"%s is %" PRIx64 ", QEMU has %" PRIx64 "\n", name(list[i]), mine, its[i]);
		same = false;
	}
	if (!same) {
		char text[80] = "";
		uint32_t raw = 0;
		struct rv_insn insn;
		if (rv_peek(&pair->rig->m, before, before->pc, &raw, sizeof raw)) {
			rv_decode(raw, &insn);
			rv_disassemble(&insn, before->pc, text, sizeof text);
		}
		print_error(
			"after pc %" PRIx64 " in mode %u: %s\n", before->pc, before->mode, text);
		if (text[0])
			print_error("rs1 was %" PRIx64 ", rs2 %" PRIx64 ", mstatus %" PRIx64
				    ", satp %" PRIx64 "\n",
				before->x[insn.rs1], before->x[insn.rs2], before->mstatus,
				before->satp);
	}
	return same;
}

static void write_all(struct pair *pair) {
	qemu_write(pair->qemu, QEMU_MODE, RV_MODE_M);
	/* Of translation nothing may be left: the entries of PMP are all different afterwards. */
	unsigned list[ALL];
	const size_t count = list_registers(pair, list, true);
	qemu_write(pair->qemu, QEMU_CSR + RV_CSR_PMPCFG0, 0);
	qemu_write(pair->qemu, QEMU_CSR + RV_CSR_PMPCFG2, 0);
	for (size_t i = 0; i < count; i++) {
		if (list[i] != QEMU_MODE)
			qemu_write(pair->qemu, list[i], ours(pair, list[i]));
	}
	/* Dirty now, by the registers; and the mode is the last, for it may not see the others. */
	qemu_write(pair->qemu, QEMU_CSR + RV_CSR_MSTATUS, ours(pair, QEMU_CSR + RV_CSR_MSTATUS));
	qemu_write(pair->qemu, QEMU_MODE, pair->rig->hart->mode);
}

static void make_program(struct pair *pair) {
	struct rig *rig = pair->rig;
	struct rv_hart *hart = rig->hart;
	rv_machine_reset(&rig->m);
	memset(rig->ram, 0, RIG_RAM);
	put_handler(pair, true);
	put_handler(pair, false);
	put_tables(pair);
	/* Numbers, and to be jumped to: C.JR RA. */
	for (unsigned i = 0; i < DATA_SIZE; i += 8) {
		const uint64_t value = i / 64 % 2 ? random_integer() : 0x8082808280828082;
		memcpy(rig->ram + DATA + i, &value, sizeof value);
	}
	pair->put_at = CODE;
	const bool pages = random_below(3);
	for (unsigned i = 0; i < BODY; i++) {
		if (pages)
			put_about_pages(pair);
		else
			put_any(pair);
	}
	put_word(pair,
		instruction(RV_OP_JAL, 0, 0, 0) | immediate_j(-(int32_t)(pair->put_at - CODE)));
	rv_machine_written(&rig->m, RV_RAM_BASE, RIG_RAM);

	static const uint64_t nowheres[] = {0x8000000000, 0xffffffff, 0x4000000000,
		0xffffffc000000000u, 0x7fffffffffffffff, 0x100000000000, RV_RAM_BASE + LAST,
		0x100000000};
	for (unsigned i = 0; i < 32; i++) {
		hart->x[i] = i ? random_integer() : 0;
		hart->f[i] = random_below(2) ? random_f64() : random_f32();
	}
	hart->x[LINK] = RV_RAM_BASE + CODE;
	hart->x[CLINT] = RV_CLINT_BASE;
	/* Within DATA, or to each entry of TABLE_1. */
	hart->x[MASK] = random_below(2) ? 0xffff : 0x1e0ffff;
	hart->x[PHYSICAL] = RV_RAM_BASE + DATA;
	hart->x[VIRTUAL] = virtual_at + (random_below(4) ? 0 : random_below(9) << 21);
	hart->x[NOWHERE] = nowheres[random_below(8)];
	hart->x[SATP_S] = 8ull << 60 | (RV_RAM_BASE + ROOT_S) >> 12 | random_below(4) << 44;
	hart->x[SATP_U] = 8ull << 60 | (RV_RAM_BASE + ROOT_U) >> 12;
	hart->x[MTVEC] = RV_RAM_BASE + M_HANDLER;
	hart->x[MTVEC + 1] = hart->x[MTVEC] | 1;
	hart->x[STVEC] = RV_RAM_BASE + S_HANDLER;
	hart->x[STVEC + 1] = hart->x[STVEC] | 1;
	hart->pc = RV_RAM_BASE + CODE;
	rig_write_csr(rig, RV_CSR_MTVEC, hart->x[MTVEC]);
	rig_write_csr(rig, RV_CSR_STVEC, hart->x[STVEC]);
	rig_write_csr(rig, RV_CSR_MSTATUS, random_below(4) << 13 | random_below(4) << 18);
	rig_write_csr(rig, RV_CSR_MEDELEG, random_below(2) ? 0xb3ff & next_random() : 0);
	rig_write_csr(rig, RV_CSR_MIDELEG, next_random() & 0x222);
	rig_open_pmp(rig);
	/* Where the mode is not M, code is found with translation and without. */
	static const uint8_t modes[] = {RV_MODE_M, RV_MODE_S, RV_MODE_S, RV_MODE_U};
	hart->mode = modes[random_below(4)];
	if (pages && hart->mode == RV_MODE_M)
		hart->mode = RV_MODE_S;
	if (hart->mode != RV_MODE_M && random_below(16))
		hart->satp = hart->x[hart->mode == RV_MODE_S ? SATP_S : SATP_U];
	rig->clint.mtimecmp[0] = UINT64_MAX;
	rv_tlb_flush(&rig->m, hart);

	qemu_write_memory(pair->qemu, RV_RAM_BASE, rig->ram, COMPARED);
	qemu_write_memory(pair->qemu, RV_RAM_BASE + LAST, rig->ram + LAST, RIG_RAM - LAST);
	const uint64_t never = UINT64_MAX;
	qemu_write_memory(pair->qemu, RV_CLINT_BASE, &(uint32_t){0}, 4);
	qemu_write_memory(pair->qemu, RV_CLINT_BASE + 0x4000, &never, 8);
	write_all(pair);
}

/*
 * What the manual leaves open. An SC that is going to fail raises here what the address is good
 * for; there it does not look. And a write of a floating point CSR that sets or clears no bit is
 * one here and makes the state dirty, not there.
 */
static void adopt(struct pair *pair, const struct rv_hart *before) {
	const struct rv_hart *hart = pair->rig->hart;
	uint32_t raw;
	if (!rv_peek(&pair->rig->m, before, before->pc, &raw, sizeof raw))
		return;
	struct rv_insn insn;
	rv_decode(raw, &insn);
	bool open = false;
	switch (insn.op) {
	case RV_OP_SC_W:
	case RV_OP_SC_D:
		open = !before->reserved && hart->pc != before->pc + 4;
		break;
	case RV_OP_CSRRS:
	case RV_OP_CSRRC:
		open = insn.imm <= RV_CSR_FCSR && insn.rs1 && !before->x[insn.rs1];
		break;
	default:
		break;
	}
	if (open)
		write_all(pair);
}

/* RAM, nothing, or of the CLINT what stands still: not the devices that are in QEMU alone. */
static bool on_our_board(uint64_t physical) {
	if (physical < RV_RAM_BASE) {
		const uint64_t offset = physical - RV_CLINT_BASE;
		return offset < 4 || (offset >= 0x4000 && offset < 0x4008);
	}
	return physical < 0x400000000 || physical >= 0x1000000000;
}

static bool access_on_our_board(const struct rv_hart *hart, uint64_t address, bool data) {
	unsigned mode = hart->mode;
	if (data && hart->mstatus & RV_STATUS_MPRV)
		mode = hart->mstatus >> RV_STATUS_MPP_SHIFT & 3;
	/* The tables map devices only where they are. */
	if (mode != RV_MODE_M && hart->satp >> RV_SATP_MODE_SHIFT && address >= RV_RAM_BASE)
		return true;
	return on_our_board(address);
}

/* False: the next instruction is no test of ours. */
static bool stays_on_our_board(const struct pair *pair) {
	const struct rv_hart *hart = pair->rig->hart;
	uint32_t raw = 0;
	if (!access_on_our_board(hart, hart->pc, false))
		return false;
	if (!rv_peek(&pair->rig->m, hart, hart->pc, &raw, 2))
		return true;
	rv_peek(&pair->rig->m, hart, hart->pc, &raw, sizeof raw);
	struct rv_insn insn;
	rv_decode(raw, &insn);
	switch (rv_format(insn.op)) {
	case RV_FORMAT_LOAD:
	case RV_FORMAT_FLOAD:
	case RV_FORMAT_STORE:
	case RV_FORMAT_FSTORE:
	case RV_FORMAT_LR:
	case RV_FORMAT_AMO:
		break;
	default:
		return insn.op != RV_OP_WFI;
	}
	const uint64_t address = hart->x[insn.rs1] + (uint64_t)(int64_t)insn.imm;
	return access_on_our_board(hart, address, true) &&
		access_on_our_board(hart, address + 7, true);
}

static bool step(struct pair *pair, unsigned number) {
	struct rig *rig = pair->rig;
	struct rv_hart before = *rig->hart;
	/* Where ours takes an interrupt with the step, QEMU makes a step of it. */
	const uint64_t pending = rv_mip(&rig->m, rig->hart) & rig->hart->mie;
	if (rv_interrupt(&rig->m, rig->hart)) {
		qemu_step(pair->qemu);
		/* Of several the least number comes first there, and not what the manual says. */
		if (pending & (pending - 1))
			write_all(pair);
		if (!compare(pair, false, &before))
			return false;
		before = *rig->hart;
	}
	rig_run(rig, 1);
	qemu_step(pair->qemu);
	adopt(pair, &before);
	return compare(pair, number % 16 == 0, &before);
}

static bool run_program(struct pair *pair) {
	make_program(pair);
	struct rv_hart before = *pair->rig->hart;
	if (!compare(pair, true, &before))
		return false;
	for (unsigned i = 1; i <= STEPS; i++) {
		if (!stays_on_our_board(pair))
			break;
		if (!step(pair, i)) {
			print_error("in step %u\n", i);
			return false;
		}
	}
	static uint8_t memory[COMPARED];
	qemu_read_memory(pair->qemu, RV_RAM_BASE, memory, sizeof memory);
	if (memcmp(memory, pair->rig->ram, sizeof memory) == 0)
		return true;
	size_t at = 0;
	while (memory[at] == pair->rig->ram[at])
		at++;
	print_error("memory differs at %zx\n", at);
	return false;
}

static void engine_as_qemu(void **state) {
	struct pair pair = {.rig = rig_create(1, rig_engine), .qemu = qemu_start(RIG_RAM)};
	if (!pair.qemu) {
		rig_destroy(pair.rig);
		skip();
	}
	unsigned failed = 0;
	for (unsigned long i = 0; i < programs && failed < 5; i++) {
		random_state = (seed + i) * 0x9e3779b97f4a7c15u | 1;
		if (!run_program(&pair)) {
			print_error("program of seed %lu\n", seed + i);
			failed++;
		}
	}
	qemu_stop(pair.qemu);
	rig_destroy(pair.rig);
	print_message("# %s: %" PRIu64 " times compared, in %lu programs\n", rig_engine->name,
		pair.compared, programs);
	assert_int_equal(failed, 0);
}

int main(int argc, char **argv) {
	rig_arguments(argc, argv);
	if (argc > 2)
		programs = strtoul(argv[2], NULL, 0);
	if (argc > 3)
		seed = strtoul(argv[3], NULL, 0);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(engine_as_qemu),
	};
	return cmocka_run_group_tests_name("riscv lockstep with QEMU", tests, NULL, NULL);
}

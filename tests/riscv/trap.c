/* SPDX-License-Identifier: MIT */
/* Exceptions, interrupts, delegation, and the returns from them. */
#include "rig.h"

#define CODE RV_RAM_BASE
#define M_HANDLER (RV_RAM_BASE + 0x1000)
#define S_HANDLER (RV_RAM_BASE + 0x2000)

static struct rig *make(enum rv_mode mode) {
	struct rig *rig = rig_create(1, rig_engine);
	rig_write_csr(rig, RV_CSR_MTVEC, M_HANDLER);
	rig_write_csr(rig, RV_CSR_STVEC, S_HANDLER);
	/* Handlers that are there, but are not what is tested. */
	rig->at = M_HANDLER;
	rig_put(rig, nop());
	rig->at = S_HANDLER;
	rig_put(rig, nop());
	rig_mode(rig, mode);
	return rig;
}

static unsigned mpp(const struct rig *rig) {
	return (rig->hart->mstatus & RV_STATUS_MPP) >> RV_STATUS_MPP_SHIFT;
}

static void machine_exception(
	uint32_t instruction, enum rv_mode mode, unsigned cause, uint64_t tval) {
	struct rig *rig = make(mode);
	rig->hart->mstatus |= RV_STATUS_MIE;
	rig->hart->reserved = true;
	rig_step(rig, instruction);
	assert_int_equal(rig->hart->mode, RV_MODE_M);
	assert_int_equal(rig->hart->pc, M_HANDLER);
	assert_int_equal(rig->hart->mcause, cause);
	assert_int_equal(rig->hart->mepc, CODE);
	assert_int_equal(rig->hart->mtval, tval);
	assert_int_equal(mpp(rig), mode);
	assert_int_equal(rig->hart->mstatus & (RV_STATUS_MIE | RV_STATUS_MPIE), RV_STATUS_MPIE);
	assert_false(rig->hart->reserved);
	/* It is a step and takes a cycle, but does not retire. */
	assert_int_equal(rig->hart->cycle, 1);
	assert_int_equal(rig->hart->instret, 0);
	rig_destroy(rig);
}

static void exceptions(void **state) {
	static const enum rv_mode modes[] = {RV_MODE_U, RV_MODE_S, RV_MODE_M};
	for (unsigned i = 0; i < 3; i++) {
		machine_exception(ECALL, modes[i], RV_ECALL_U + modes[i], 0);
		machine_exception(EBREAK, modes[i], RV_BREAKPOINT, CODE);
		machine_exception(ILLEGAL, modes[i], RV_ILLEGAL, 0);
		machine_exception(0xffffffff, modes[i], RV_ILLEGAL, 0xffffffff);
		/* 16 bits of it where it has 16 */
		machine_exception(0x00008000, modes[i], RV_ILLEGAL, 0x8000);
		machine_exception(load(3, A0, X0, 8), modes[i], RV_LOAD_FAULT, 8);
		machine_exception(store(3, X0, A0, 16), modes[i], RV_STORE_FAULT, 16);
	}
}

static void misaligned(void **state) {
	/* LR, SC and AMOs need alignment; what is plain does not, in RAM. */
	struct rig *rig = make(RV_MODE_M);
	rig->hart->x[A1] = RV_RAM_BASE + 0x3ffd;
	rig->hart->x[A2] = 0x1122334455667788;
	rig_step(rig, store(3, A1, A2, 0));
	rig_step(rig, load(3, A0, A1, 0));
	assert_int_equal(rig->hart->x[A0], 0x1122334455667788);
	rig_step(rig, load(2, A0, A1, 1));
	assert_int_equal(rig->hart->x[A0], 0x44556677);
	rig_destroy(rig);
	static const struct {
		uint32_t instruction;
		unsigned cause;
	} cases[] = {
		{0x1005a52f, RV_LOAD_MISALIGNED},  /* lr.w a0, (a1) */
		{0x18c5a52f, RV_STORE_MISALIGNED}, /* sc.w a0, a2, (a1) */
		{0x00c5a52f, RV_STORE_MISALIGNED}, /* amoadd.w a0, a2, (a1) */
		{0x00c5b52f, RV_STORE_MISALIGNED}, /* amoadd.d a0, a2, (a1) */
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		rig = make(RV_MODE_M);
		rig->hart->x[A1] = RV_RAM_BASE + 0x3002;
		rig_step(rig, cases[i].instruction);
		assert_int_equal(rig->hart->mcause, cases[i].cause);
		assert_int_equal(rig->hart->mtval, RV_RAM_BASE + 0x3002);
		rig_destroy(rig);
	}
	/* Nor are there reservations and AMOs outside RAM. */
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		rig = make(RV_MODE_M);
		rig->hart->x[A1] = RV_CLINT_BASE;
		rig_step(rig, cases[i].instruction);
		assert_int_equal(rig->hart->mcause,
			cases[i].cause == RV_LOAD_MISALIGNED ? RV_LOAD_FAULT : RV_STORE_FAULT);
		assert_int_equal(rig->hart->mtval, RV_CLINT_BASE);
		rig_destroy(rig);
	}
	/* A device takes no misaligned access, and nothing may hang over the end of RAM. */
	rig = make(RV_MODE_M);
	rig->hart->x[A1] = RV_CLINT_BASE + 0x4001;
	rig_step(rig, load(2, A0, A1, 0));
	assert_int_equal(rig->hart->mcause, RV_LOAD_FAULT);
	rig->hart->pc = CODE;
	rig->hart->x[A1] = RV_RAM_BASE + RIG_RAM - 4;
	rig_step(rig, store(3, A1, A2, 0));
	assert_int_equal(rig->hart->mcause, RV_STORE_FAULT);
	assert_int_equal(rig->hart->mtval, RV_RAM_BASE + RIG_RAM);
	assert_int_equal(rig_read(rig, RV_RAM_BASE + RIG_RAM - 8), 0);
	rig_destroy(rig);
}

static void delegation(void **state) {
	static const enum rv_mode modes[] = {RV_MODE_U, RV_MODE_S};
	for (unsigned i = 0; i < 2; i++) {
		struct rig *rig = make(modes[i]);
		rig_write_csr(rig, RV_CSR_MEDELEG, 1u << RV_ILLEGAL);
		rig->hart->mstatus |= RV_STATUS_SIE;
		rig_step(rig, 0xffffffff);
		assert_int_equal(rig->hart->mode, RV_MODE_S);
		assert_int_equal(rig->hart->pc, S_HANDLER);
		assert_int_equal(rig->hart->scause, RV_ILLEGAL);
		assert_int_equal(rig->hart->sepc, CODE);
		assert_int_equal(rig->hart->stval, 0xffffffff);
		assert_int_equal(!!(rig->hart->mstatus & RV_STATUS_SPP), modes[i] == RV_MODE_S);
		assert_int_equal(
			rig->hart->mstatus & (RV_STATUS_SIE | RV_STATUS_SPIE), RV_STATUS_SPIE);
		assert_int_equal(rig->hart->mepc, 0);
		rig_destroy(rig);
	}
	/* Never from M mode. */
	struct rig *rig = make(RV_MODE_M);
	rig_write_csr(rig, RV_CSR_MEDELEG, UINT64_MAX);
	rig_step(rig, 0xffffffff);
	assert_int_equal(rig->hart->pc, M_HANDLER);
	assert_int_equal(mpp(rig), RV_MODE_M);
	rig_destroy(rig);
}

static void returns(void **state) {
	struct rig *rig = make(RV_MODE_M);
	struct rv_hart *hart = rig->hart;
	/* To U mode: MPRV goes, MIE comes from MPIE, MPP is the least mode. */
	hart->mepc = CODE + 0x100;
	hart->mstatus = RV_STATUS_MPIE | RV_STATUS_MPRV;
	rig_step(rig, MRET);
	assert_int_equal(hart->pc, CODE + 0x100);
	assert_int_equal(hart->mode, RV_MODE_U);
	assert_int_equal(hart->mstatus, RV_STATUS_MPIE | RV_STATUS_MIE);
	/* To M mode: MPRV stays. */
	rig_mode(rig, RV_MODE_M);
	hart->mstatus = RV_STATUS_MPP | RV_STATUS_MPRV;
	rig_step(rig, MRET);
	assert_int_equal(hart->mode, RV_MODE_M);
	assert_int_equal(hart->mstatus, RV_STATUS_MPIE | RV_STATUS_MPRV);
	/* SRET from M mode takes MPRV too. */
	hart->sepc = CODE + 0x200;
	hart->mstatus = RV_STATUS_SPP | RV_STATUS_SPIE | RV_STATUS_MPRV;
	rig_step(rig, SRET);
	assert_int_equal(hart->pc, CODE + 0x200);
	assert_int_equal(hart->mode, RV_MODE_S);
	assert_int_equal(hart->mstatus, RV_STATUS_SPIE | RV_STATUS_SIE);
	/* TSR takes SRET from S mode; U mode has neither, S mode no MRET. */
	hart->mstatus = RV_STATUS_TSR;
	rig_step(rig, SRET);
	assert_int_equal(hart->mcause, RV_ILLEGAL);
	assert_int_equal(hart->mtval, SRET);
	static const struct {
		enum rv_mode mode;
		uint32_t instruction;
	} cases[] = {{RV_MODE_U, SRET}, {RV_MODE_U, MRET}, {RV_MODE_S, MRET}};
	for (unsigned i = 0; i < 3; i++) {
		hart->pc = CODE;
		hart->mode = cases[i].mode;
		hart->mstatus = hart->mcause = 0;
		rig_step(rig, cases[i].instruction);
		assert_int_equal(hart->mcause, RV_ILLEGAL);
		assert_int_equal(hart->mtval, cases[i].instruction);
	}
	rig_destroy(rig);
}

static void trapped_instructions(void **state) {
	static const struct {
		enum rv_mode mode;
		uint64_t mstatus;
		uint32_t instruction;
		bool legal;
	} cases[] = {
		{RV_MODE_U, 0, WFI, false},
		{RV_MODE_S, RV_STATUS_TW, WFI, false},
		{RV_MODE_M, RV_STATUS_TW, WFI, true},
		{RV_MODE_U, 0, SFENCE_VMA, false},
		{RV_MODE_S, 0, SFENCE_VMA, true},
		{RV_MODE_S, RV_STATUS_TVM, SFENCE_VMA, false},
		{RV_MODE_M, RV_STATUS_TVM, SFENCE_VMA, true},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rig *rig = make(cases[i].mode);
		rig->hart->mstatus = cases[i].mstatus;
		rig_step(rig, cases[i].instruction);
		assert_int_equal(rig->hart->pc, cases[i].legal ? CODE + 4 : M_HANDLER);
		rig_destroy(rig);
	}
}

/* Whether an interrupt of this number is taken before the next instruction, and where. */
static uint64_t interrupted(enum rv_mode mode, unsigned number, uint64_t mstatus, bool delegated) {
	struct rig *rig = make(mode);
	struct rv_hart *hart = rig->hart;
	hart->mideleg = delegated ? 1u << number : 0;
	hart->mie = hart->mip = 1u << number;
	hart->mstatus = mstatus;
	rig->at = CODE;
	rig_put(rig, nop());
	rig_run(rig, 1);
	uint64_t pc = hart->pc;
	if (pc == M_HANDLER + 4) {
		assert_int_equal(hart->mcause, RV_CAUSE_INTERRUPT | number);
		assert_int_equal(hart->mepc, CODE);
		assert_int_equal(hart->mtval, 0);
	}
	if (pc == S_HANDLER + 4) {
		assert_int_equal(hart->scause, RV_CAUSE_INTERRUPT | number);
		assert_int_equal(hart->sepc, CODE);
		assert_int_equal(hart->stval, 0);
	}
	rig_destroy(rig);
	return pc - 4;
}

static void interrupts_by_mode(void **state) {
	/* To M mode: always from below, from M mode with MIE. */
	assert_int_equal(interrupted(RV_MODE_U, RV_INT_SSI, 0, false), M_HANDLER);
	assert_int_equal(interrupted(RV_MODE_S, RV_INT_SSI, 0, false), M_HANDLER);
	assert_int_equal(interrupted(RV_MODE_M, RV_INT_SSI, RV_STATUS_SIE, false), CODE);
	assert_int_equal(interrupted(RV_MODE_M, RV_INT_SSI, RV_STATUS_MIE, false), M_HANDLER);
	/* To S mode: always from U mode, from S mode with SIE, never from M mode. */
	assert_int_equal(interrupted(RV_MODE_U, RV_INT_STI, 0, true), S_HANDLER);
	assert_int_equal(interrupted(RV_MODE_S, RV_INT_STI, RV_STATUS_MIE, true), CODE);
	assert_int_equal(interrupted(RV_MODE_S, RV_INT_STI, RV_STATUS_SIE, true), S_HANDLER);
	assert_int_equal(
		interrupted(RV_MODE_M, RV_INT_STI, RV_STATUS_SIE | RV_STATUS_MIE, true), CODE);
}

static void priorities(void **state) {
	struct rig *rig = make(RV_MODE_M);
	struct rv_hart *hart = rig->hart;
	/* From the least to the most important; each comes before those that are there already. */
	rig_write_csr(rig, RV_CSR_MIE, UINT64_MAX);
	hart->mip = 1u << RV_INT_STI;
	for (unsigned i = 0; i < 6; i++) {
		static const unsigned order[] = {
			RV_INT_STI, RV_INT_SSI, RV_INT_SEI, RV_INT_MTI, RV_INT_MSI, RV_INT_MEI};
		switch (order[i]) {
		case RV_INT_SSI:
		case RV_INT_SEI:
			hart->mip |= 1u << order[i];
			break;
		case RV_INT_MTI:
			rig->clint.mtimecmp[0] = 0;
			break;
		case RV_INT_MSI:
			rig->clint.msip[0] = 1;
			break;
		case RV_INT_MEI:
			rig->plic.priority[RV_IRQ_UART] = 1;
			rig->plic.enable[0] = 1u << RV_IRQ_UART;
			rv_plic_line(&rig->m, RV_IRQ_UART, true);
			break;
		default:
			break;
		}
		hart->pc = CODE;
		hart->mstatus = RV_STATUS_MIE;
		rig_run(rig, 1);
		assert_int_equal(hart->mcause, RV_CAUSE_INTERRUPT | order[i]);
	}
	/* Those for M mode come before all that are for S mode. */
	rig_write_csr(rig, RV_CSR_MIDELEG, 1u << RV_INT_SEI);
	hart->mip = 1u << RV_INT_SEI | 1u << RV_INT_STI;
	rig->clint.mtimecmp[0] = UINT64_MAX;
	rig->clint.msip[0] = 0;
	rv_plic_line(&rig->m, RV_IRQ_UART, false);
	hart->mode = RV_MODE_U;
	hart->pc = CODE;
	rig_run(rig, 1);
	assert_int_equal(hart->mcause, RV_CAUSE_INTERRUPT | RV_INT_STI);
	assert_int_equal(hart->mode, RV_MODE_M);
	rig_destroy(rig);
}

static void vectors(void **state) {
	struct rig *rig = make(RV_MODE_U);
	struct rv_hart *hart = rig->hart;
	rig_write_csr(rig, RV_CSR_MTVEC, M_HANDLER | 1);
	rig_write_csr(rig, RV_CSR_STVEC, S_HANDLER | 1);
	rig->at = M_HANDLER + 4 * RV_INT_STI;
	rig_put(rig, nop());
	rig->at = S_HANDLER + 4 * RV_INT_STI;
	rig_put(rig, nop());
	hart->mie = hart->mip = 1u << RV_INT_STI;
	rig_run(rig, 1);
	assert_int_equal(hart->pc, M_HANDLER + 4 * RV_INT_STI + 4);
	hart->mideleg = hart->mie;
	hart->mode = RV_MODE_U;
	rig_run(rig, 1);
	assert_int_equal(hart->pc, S_HANDLER + 4 * RV_INT_STI + 4);
	/* Exceptions go to the base. */
	hart->mie = 0;
	rig_step(rig, ECALL);
	assert_int_equal(hart->pc, M_HANDLER);
	rig_destroy(rig);
}

/* What an instruction enables is taken right behind it, not when the run happens to end. */
static void at_once(void **state) {
	struct rig *rig = make(RV_MODE_M);
	struct rv_hart *hart = rig->hart;
	hart->mie = hart->mip = 1u << RV_INT_SSI;
	hart->x[A0] = RV_STATUS_MIE;
	rig_go(rig, CODE);
	rig_put(rig, nop());
	rig_put(rig, csrrs(X0, RV_CSR_MSTATUS, A0));
	rig_put(rig, addi(A1, X0, 1));
	rig_run(rig, 3);
	assert_int_equal(hart->mepc, CODE + 8);
	assert_int_equal(hart->pc, M_HANDLER + 4);
	assert_int_equal(hart->x[A1], 0);
	/* The return to a mode in which it is enabled. */
	hart->mstatus = 0;
	hart->mepc = CODE + 0x100;
	rig_go(rig, CODE);
	rig_put(rig, MRET);
	rig_run(rig, 2);
	assert_int_equal(hart->mepc, CODE + 0x100);
	assert_int_equal(hart->mcause, RV_CAUSE_INTERRUPT | RV_INT_SSI);
	hart->mode = RV_MODE_M;
	hart->mstatus = 0;
	hart->sepc = CODE + 0x200;
	rig_go(rig, CODE);
	rig_put(rig, SRET);
	rig_run(rig, 2);
	assert_int_equal(hart->mepc, CODE + 0x200);
	assert_int_equal(hart->mcause, RV_CAUSE_INTERRUPT | RV_INT_SSI);
	/* A device's. */
	hart->mip = 0;
	hart->mie = 1u << RV_INT_MSI;
	hart->mstatus = RV_STATUS_MIE;
	hart->mode = RV_MODE_M;
	hart->x[A0] = RV_CLINT_BASE;
	hart->x[A1] = 1;
	rig_go(rig, CODE);
	rig_put(rig, store(2, A0, A1, 0));
	rig_put(rig, addi(A1, X0, 5));
	rig_run(rig, 2);
	assert_int_equal(hart->mepc, CODE + 4);
	assert_int_equal(hart->mcause, RV_CAUSE_INTERRUPT | RV_INT_MSI);
	assert_int_equal(hart->x[A1], 1);
	rig_destroy(rig);
}

/* What may be executed depends on the mode: looked at again although it is the same page. */
static void another_mode(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	rig_write_csr(rig, RV_CSR_MTVEC, M_HANDLER);
	rig->hart->mepc = CODE + 4;
	rig_put(rig, MRET);
	rig_put(rig, nop());
	rig->at = M_HANDLER;
	rig_put(rig, nop());
	rig_run(rig, 2);
	assert_int_equal(rig->hart->mcause, RV_FETCH_FAULT);
	assert_int_equal(rig->hart->mepc, CODE + 4);
	assert_int_equal(rig->hart->instret, 1);
	rig_destroy(rig);
}

int main(int argc, char **argv) {
	rig_arguments(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exceptions),
		cmocka_unit_test(misaligned),
		cmocka_unit_test(delegation),
		cmocka_unit_test(returns),
		cmocka_unit_test(trapped_instructions),
		cmocka_unit_test(interrupts_by_mode),
		cmocka_unit_test(priorities),
		cmocka_unit_test(vectors),
		cmocka_unit_test(at_once),
		cmocka_unit_test(another_mode),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

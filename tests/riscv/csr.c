/* SPDX-License-Identifier: MIT */
/* Control and status registers: what they take, who may use them, and the counters. */
#include "rig.h"

/* Writing the first of each pair reads as the second. */
static void legal_values(void **state) {
	static const struct {
		unsigned number;
		uint64_t written, read;
	} cases[] = {
		{RV_CSR_MSTATUS, UINT64_MAX, 0x8000000a007e79aa},
		{RV_CSR_MSTATUS, 0, 0x0000000a00000000},
		{RV_CSR_SSTATUS, UINT64_MAX, 0x80000002000c6122},
		{RV_CSR_SSTATUS, 0, 0x0000000200000000},
		{RV_CSR_MISA, 0, 0x800000000014112d},
		{RV_CSR_MEDELEG, UINT64_MAX, 0xb3ff},
		{RV_CSR_MIDELEG, UINT64_MAX, 0x222},
		{RV_CSR_MIE, UINT64_MAX, 0xaaa},
		{RV_CSR_MIP, UINT64_MAX, 0x222},
		{RV_CSR_MTVEC, UINT64_MAX - 2, UINT64_MAX - 2},
		{RV_CSR_MTVEC, UINT64_MAX, UINT64_MAX - 2},
		{RV_CSR_MTVEC, 0x80000002, UINT64_MAX - 2},
		{RV_CSR_STVEC, 0x80001001, 0x80001001},
		{RV_CSR_STVEC, 0x80002003, 0x80001001},
		{RV_CSR_MEPC, UINT64_MAX, UINT64_MAX - 1},
		{RV_CSR_SEPC, UINT64_MAX, UINT64_MAX - 1},
		{RV_CSR_MCAUSE, UINT64_MAX, UINT64_MAX},
		{RV_CSR_MTVAL, UINT64_MAX, UINT64_MAX},
		{RV_CSR_MSCRATCH, 0x123456789abcdef0, 0x123456789abcdef0},
		{RV_CSR_SSCRATCH, 0x123456789abcdef0, 0x123456789abcdef0},
		{RV_CSR_MCOUNTEREN, UINT64_MAX, 7},
		{RV_CSR_SCOUNTEREN, UINT64_MAX, 7},
		{RV_CSR_MCOUNTINHIBIT, UINT64_MAX, 5},
		{RV_CSR_MENVCFG, UINT64_MAX, 1},
		{RV_CSR_SENVCFG, UINT64_MAX, 1},
		{RV_CSR_SATP, 8ull << 60 | 0xabcdull << 44 | 0x12345,
			8ull << 60 | 0xabcdull << 44 | 0x12345},
		/* Sv48: nothing is written. */
		{RV_CSR_SATP, 9ull << 60 | 1, 8ull << 60 | 0xabcdull << 44 | 0x12345},
		{RV_CSR_SATP, 0, 0},
		{RV_CSR_TSELECT, 1, 0},
		{RV_CSR_TDATA1, UINT64_MAX, 0},
		{RV_CSR_MHPMCOUNTER3, 5, 0},
		{RV_CSR_MHPMEVENT31, 5, 0},
	};
	struct rig *rig = rig_create(1, rig_engine);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(
			rig_write_csr(rig, cases[i].number, cases[i].written), cases[i].read);
		assert_int_equal(rig_csr(rig, cases[i].number), cases[i].read);
		assert_non_null(rv_csr_name(cases[i].number));
	}
	/* 2 is no mode: MPP stays. */
	rig_write_csr(rig, RV_CSR_MSTATUS, 1ull << 11);
	assert_int_equal(rig_write_csr(rig, RV_CSR_MSTATUS, 2ull << 11 | RV_STATUS_MIE) & 0x1fff,
		1ull << 11 | RV_STATUS_MIE);
	rig_destroy(rig);
}

static void floating_point(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	struct rv_hart *hart = rig->hart;
	/* Off: illegal, also to read. */
	rig_step(rig, csrrs(A0, RV_CSR_FCSR, X0));
	assert_int_equal(hart->mcause, RV_ILLEGAL);
	rig_go(rig, RV_RAM_BASE);
	hart->mstatus = 1ull << 13;
	hart->x[A0] = UINT64_MAX;
	rig_step(rig, csrrs(A1, RV_CSR_FFLAGS, X0));
	assert_int_equal(hart->mstatus & RV_STATUS_FS, 1ull << 13);
	rig_step(rig, csrrw(A1, RV_CSR_FCSR, A0));
	assert_int_equal(hart->mstatus & RV_STATUS_FS, RV_STATUS_FS);
	assert_int_equal(rig_csr(rig, RV_CSR_FCSR), 0xff);
	assert_int_equal(rig_csr(rig, RV_CSR_FRM), 7);
	assert_int_equal(rig_csr(rig, RV_CSR_FFLAGS), 0x1f);
	rig_step(rig, csrrwi(A1, RV_CSR_FRM, 2));
	assert_int_equal(hart->x[A1], 7);
	assert_int_equal(rig_csr(rig, RV_CSR_FCSR), 0x5f);
	assert_true(rig_csr(rig, RV_CSR_MSTATUS) >> 63);
	assert_true(rig_csr(rig, RV_CSR_SSTATUS) >> 63);
	rig_destroy(rig);
}

static bool legal(struct rig *rig, uint32_t instruction) {
	rig->hart->mcause = 0;
	uint32_t mode = rig->hart->mode;
	uint64_t mstatus = rig->hart->mstatus;
	rig_go(rig, RV_RAM_BASE);
	rig_step(rig, instruction);
	bool was = rig->hart->pc == RV_RAM_BASE + 4;
	if (!was) {
		assert_int_equal(rig->hart->mcause, RV_ILLEGAL);
		assert_int_equal(rig->hart->mtval, instruction);
	}
	rig->hart->mode = mode;
	rig->hart->mstatus = mstatus;
	return was;
}

static void permissions(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	rig_write_csr(rig, RV_CSR_MTVEC, RV_RAM_BASE + 0x1000);
	rig_mode(rig, RV_MODE_M);
	/* By the number: mode and read-only. */
	assert_true(legal(rig, csrrs(A0, RV_CSR_MHARTID, X0)));
	assert_false(legal(rig, csrrw(X0, RV_CSR_MHARTID, X0)));
	assert_true(legal(rig, csrrs(A0, RV_CSR_CYCLE, X0)));
	assert_false(legal(rig, csrrs(A0, RV_CSR_CYCLE, A0)));
	/* Not there: odd pmpcfg, more PMP entries, Smepmp, Sstc, debug, nothing at all. */
	static const unsigned absent[] = {0x3a1, 0x3a3, 0x3a4, 0x3c0, 0x747, 0x14d, 0x7b0, 0x800};
	for (unsigned i = 0; i < sizeof(absent) / sizeof(*absent); i++) {
		assert_false(legal(rig, csrrs(A0, absent[i], X0)));
		uint64_t value;
		assert_false(rv_csr_peek(&rig->m, rig->hart, absent[i], &value));
		assert_null(rv_csr_name(absent[i]));
	}
	rig_mode(rig, RV_MODE_S);
	assert_true(legal(rig, csrrs(A0, RV_CSR_SSTATUS, X0)));
	assert_false(legal(rig, csrrs(A0, RV_CSR_MSTATUS, X0)));
	assert_true(legal(rig, csrrs(A0, RV_CSR_SATP, X0)));
	rig->hart->mstatus = RV_STATUS_TVM;
	assert_false(legal(rig, csrrs(A0, RV_CSR_SATP, X0)));
	rig->hart->mode = RV_MODE_M;
	assert_true(legal(rig, csrrs(A0, RV_CSR_SATP, X0)));
	rig->hart->mode = RV_MODE_U;
	assert_false(legal(rig, csrrs(A0, RV_CSR_SSTATUS, X0)));
	/* Counters: a bit for S mode, and a second one for U mode. */
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned enabled = 0; enabled < 4; enabled++) {
			rig->hart->mcounteren = (enabled & 1) << i;
			rig->hart->scounteren = (enabled >> 1) << i;
			rig->hart->mode = RV_MODE_S;
			assert_int_equal(legal(rig, csrrs(A0, RV_CSR_CYCLE + i, X0)), enabled & 1);
			rig->hart->mode = RV_MODE_U;
			assert_int_equal(legal(rig, csrrs(A0, RV_CSR_CYCLE + i, X0)), enabled == 3);
		}
	}
	rig->hart->mode = RV_MODE_S;
	rig->hart->mcounteren = 7;
	assert_false(legal(rig, csrrs(A0, RV_CSR_HPMCOUNTER3, X0)));
	rig_destroy(rig);
}

static void views(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	struct rv_hart *hart = rig->hart;
	/* sie and sip show what is delegated, and sip takes SSIP alone. */
	rig_write_csr(rig, RV_CSR_MIE, UINT64_MAX);
	rig_write_csr(rig, RV_CSR_MIP, UINT64_MAX);
	assert_int_equal(rig_csr(rig, RV_CSR_SIE), 0);
	assert_int_equal(rig_csr(rig, RV_CSR_SIP), 0);
	rig_write_csr(rig, RV_CSR_SIP, 0);
	assert_int_equal(hart->mip, 0x222);
	rig_write_csr(rig, RV_CSR_MIDELEG, 1u << RV_INT_SSI | 1u << RV_INT_STI);
	assert_int_equal(rig_csr(rig, RV_CSR_SIE), 0x22);
	assert_int_equal(rig_csr(rig, RV_CSR_SIP), 0x22);
	assert_int_equal(rig_write_csr(rig, RV_CSR_SIP, 0), 0x20);
	assert_int_equal(hart->mip, 0x220);
	assert_int_equal(rig_write_csr(rig, RV_CSR_SIE, 0), 0);
	assert_int_equal(hart->mie, 0xa88);
	/* sstatus is a part of mstatus. */
	rig_write_csr(rig, RV_CSR_MSTATUS, RV_STATUS_MIE | RV_STATUS_MPRV);
	rig_write_csr(rig, RV_CSR_SSTATUS, RV_STATUS_SUM | RV_STATUS_TVM);
	assert_int_equal(hart->mstatus, RV_STATUS_MIE | RV_STATUS_MPRV | RV_STATUS_SUM);
	/* What the PLIC says of SEIP is read, but setting another bit does not make it software's.
	 */
	hart->mip = hart->mie = 0;
	rig->plic.priority[RV_IRQ_UART] = 1;
	rig->plic.enable[1] = 1u << RV_IRQ_UART;
	rv_plic_line(&rig->m, RV_IRQ_UART, true);
	hart->x[A0] = 1u << RV_INT_SSI;
	rig_step(rig, csrrs(A1, RV_CSR_MIP, A0));
	assert_int_equal(hart->x[A1], 1u << RV_INT_SEI);
	assert_int_equal(hart->mip, 1u << RV_INT_SSI);
	assert_int_equal(rig_csr(rig, RV_CSR_MIP), 1u << RV_INT_SSI | 1u << RV_INT_SEI);
	rig_destroy(rig);
}

static void operations(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	struct rv_hart *hart = rig->hart;
	hart->mscratch = 0xf0;
	hart->x[A0] = 0x3c;
	rig_step(rig, csrrs(A1, RV_CSR_MSCRATCH, A0));
	assert_int_equal(hart->x[A1], 0xf0);
	assert_int_equal(hart->mscratch, 0xfc);
	rig_step(rig, csrrc(A1, RV_CSR_MSCRATCH, A0));
	assert_int_equal(hart->x[A1], 0xfc);
	assert_int_equal(hart->mscratch, 0xc0);
	/* The same register for both: the old value of each. */
	rig_step(rig, csrrw(A0, RV_CSR_MSCRATCH, A0));
	assert_int_equal(hart->x[A0], 0xc0);
	assert_int_equal(hart->mscratch, 0x3c);
	rig_step(rig, csrrw(X0, RV_CSR_MSCRATCH, X0));
	assert_int_equal(hart->mscratch, 0);
	assert_int_equal(hart->x[X0], 0);
	rig_step(rig, csrrwi(A0, RV_CSR_MSCRATCH, 31));
	assert_int_equal(hart->mscratch, 31);
	rig_step(rig, i_type(0x73, 6, A0, 4, RV_CSR_MSCRATCH));
	rig_step(rig, i_type(0x73, 7, A0, 3, RV_CSR_MSCRATCH));
	assert_int_equal(hart->mscratch, 28);
	rig_destroy(rig);
}

/* The same program in runs of every length: what counters say does not depend on them. */
static void counters(void **state) {
	for (unsigned budget = 1; budget <= 16; budget++) {
		struct rig *rig = rig_create(1, rig_engine);
		struct rv_hart *hart = rig->hart;
		rig_write_csr(rig, RV_CSR_MTVEC, RV_RAM_BASE + 16);
		hart->x[T0] = 1000;
		rig_put(rig, csrrs(A0, RV_CSR_MINSTRET, X0)); /* 0 before it */
		rig_put(rig, csrrs(A1, RV_CSR_MCYCLE, X0));
		rig_put(rig, csrrs(A2, RV_CSR_TIME, X0));
		rig_put(rig, ECALL); /* the fourth step does not retire */
		rig_put(rig, csrrs(A3, RV_CSR_MINSTRET, X0));
		rig_put(rig, csrrs(A4, RV_CSR_MCYCLE, X0));
		rig_put(rig, csrrw(A5, RV_CSR_MINSTRET, T0));
		rig_put(rig, csrrs(A6, RV_CSR_MINSTRET, X0));
		rig_put(rig, csrrw(X0, RV_CSR_MCYCLE, T0));
		rig_put(rig, csrrs(A7, RV_CSR_MCYCLE, X0));
		rig_put(rig, csrrwi(X0, RV_CSR_MCOUNTINHIBIT, 5));
		rig_put(rig, csrrs(S0, RV_CSR_MCYCLE, X0));
		rig_put(rig, csrrs(S1, RV_CSR_MINSTRET, X0));
		rig_put(rig, csrrwi(X0, RV_CSR_MCYCLE, 7));
		rig_put(rig, csrrs(T1, RV_CSR_MCYCLE, X0));
		rig_put(rig, csrrwi(X0, RV_CSR_MCOUNTINHIBIT, 0));
		rig_put(rig, csrrs(T2, RV_CSR_MCYCLE, X0));
		for (unsigned done = 0; done < 17;) {
			unsigned part = 17 - done < budget ? 17 - done : budget;
			rig_run(rig, part);
			done += part;
		}
		assert_int_equal(hart->x[A0], 0);
		assert_int_equal(hart->x[A1], 1);
		assert_int_equal(hart->x[A2], 2);
		assert_int_equal(hart->x[A3], 3);
		assert_int_equal(hart->x[A4], 5);
		assert_int_equal(hart->x[A5], 5);
		assert_int_equal(hart->x[A6], 1000);
		assert_int_equal(hart->x[A7], 1000);
		/* Inhibited from behind the instruction that says so, and on again likewise. */
		assert_int_equal(hart->x[S0], 1002);
		assert_int_equal(hart->x[S1], 1004);
		assert_int_equal(hart->x[T1], 7);
		assert_int_equal(hart->x[T2], 7);
		assert_int_equal(hart->cycle, 8);
		assert_int_equal(hart->instret, 1005);
		rig_destroy(rig);
	}
}

static void pmp_registers(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	/* The granularity is a page: the address reads with ten zeros, as a range of its own with
	 * nine ones, and the bits come back. */
	assert_int_equal(rig_write_csr(rig, RV_CSR_PMPADDR0, UINT64_MAX), 0x003ffffffffffc00);
	assert_int_equal(rig_write_csr(rig, RV_CSR_PMPADDR0, 0x12345), 0x12000);
	rig_write_csr(rig, RV_CSR_PMPCFG0, RV_PMP_NAPOT | RV_PMP_R);
	assert_int_equal(rig_csr(rig, RV_CSR_PMPADDR0), 0x123ff);
	rig_write_csr(rig, RV_CSR_PMPCFG0, RV_PMP_TOR | RV_PMP_R);
	assert_int_equal(rig_csr(rig, RV_CSR_PMPADDR0), 0x12000);
	/* Four bytes are too few; write without read is reserved; bits 5 and 6 are zero. */
	assert_int_equal(
		rig_write_csr(rig, RV_CSR_PMPCFG0, RV_PMP_NA4 | RV_PMP_R), RV_PMP_NAPOT | RV_PMP_R);
	assert_int_equal(rig_write_csr(rig, RV_CSR_PMPCFG0, RV_PMP_W | RV_PMP_X | 0x60), RV_PMP_X);
	/* Locked: neither the entry nor the bottom of its range changes until a reset. */
	uint64_t locked = (uint64_t)(RV_PMP_L | RV_PMP_TOR | RV_PMP_R) << 8;
	rig_write_csr(rig, RV_CSR_PMPADDR0 + 1, 0x4000);
	rig_write_csr(rig, RV_CSR_PMPCFG0, locked);
	assert_int_equal(rig_write_csr(rig, RV_CSR_PMPADDR0, 0), 0x12000);
	assert_int_equal(rig_write_csr(rig, RV_CSR_PMPADDR0 + 1, 0), 0x4000);
	assert_int_equal(rig_write_csr(rig, RV_CSR_PMPCFG0, RV_PMP_X), locked | RV_PMP_X);
	assert_int_equal(rig_write_csr(rig, RV_CSR_PMPCFG2, RV_PMP_X), RV_PMP_X);
	rv_machine_reset(&rig->m);
	assert_int_equal(rig_csr(rig, RV_CSR_PMPCFG0), 0);
	rig_destroy(rig);
}

int main(int argc, char **argv) {
	rig_arguments(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(legal_values),
		cmocka_unit_test(floating_point),
		cmocka_unit_test(permissions),
		cmocka_unit_test(views),
		cmocka_unit_test(operations),
		cmocka_unit_test(counters),
		cmocka_unit_test(pmp_registers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

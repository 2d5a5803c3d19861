/* SPDX-License-Identifier: MIT */
/* Sv39, physical memory protection, and what the TLB may remember. */
#include <string.h>

#include "rig.h"

#define V 0x01u
#define R 0x02u
#define W 0x04u
#define X 0x08u
#define U 0x10u
#define G 0x20u
#define A 0x40u
#define D 0x80u

/* Three tables in a row, and where things are mapped by most tests. */
#define ROOT (RV_RAM_BASE + 0x10000)
#define MIDDLE (ROOT + 0x1000)
#define LAST (ROOT + 0x2000)
#define VIRTUAL 0x40201000ull /* entry 1 in each table */
#define DATA (RV_RAM_BASE + 0x20000)

static void set(struct rig *rig, uint64_t table, unsigned index, uint64_t target, uint64_t bits) {
	rig_write(rig, table + 8 * index, target >> 12 << 10 | bits);
}

static void map(struct rig *rig, uint64_t bits) {
	set(rig, ROOT, 1, MIDDLE, V);
	set(rig, MIDDLE, 1, LAST, V);
	set(rig, LAST, 1, DATA, bits);
}

/* In S mode under Sv39, VIRTUAL mapped to DATA with these bits. */
static struct rig *make(uint64_t bits) {
	struct rig *rig = rig_create(1, rig_engine);
	rig_open_pmp(rig);
	map(rig, bits);
	rig_write_csr(rig, RV_CSR_SATP, (uint64_t)RV_SATP_SV39 << 60 | ROOT / RV_PAGE);
	rig_write(rig, DATA + 0x18, 0x1122334455667788);
	rig->hart->mode = RV_MODE_S;
	return rig;
}

#define DONE 100u

/* The exception that an access raises, or DONE; where it went. */
static unsigned try(struct rig *rig, uint64_t address, enum rv_access access, uint64_t *at) {
	struct rv_hart *hart = rig->hart;
	struct rv_hart before = *hart;
	hart->mcause = DONE;
	uint64_t physical = 0;
	bool done = rv_translate(&rig->m, hart, address, access, &physical);
	unsigned cause = hart->mcause;
	if (at) {
		*at = physical;
	}
	assert_int_equal(done, cause == DONE);
	if (!done) {
		assert_int_equal(hart->mtval, address);
	}
	before.tlb_gigabytes = hart->tlb_gigabytes;
	memcpy(before.tlb_megabytes, hart->tlb_megabytes, sizeof(before.tlb_megabytes));
	*hart = before;
	return cause;
}

static const unsigned page_fault[] = {RV_FETCH_PAGE_FAULT, RV_LOAD_PAGE_FAULT, RV_STORE_PAGE_FAULT};
static const unsigned fault[] = {RV_FETCH_FAULT, RV_LOAD_FAULT, RV_STORE_FAULT};

static const char letters[RV_ACCESSES] = {[RV_FETCH] = 'f', [RV_LOAD] = 'l', [RV_STORE] = 's'};

/* The accesses whose letters are there are allowed, the others fault. */
static void expect(struct rig *rig, uint64_t address, const char *allowed) {
	for (enum rv_access access = 0; access < RV_ACCESSES; access++) {
		bool may = strchr(allowed, letters[access]);
		assert_int_equal(try(rig, address, access, NULL), may ? DONE : page_fault[access]);
	}
}

static void permissions(void **state) {
	static const struct {
		uint64_t bits;
		const char *supervisor, *with_sum, *with_mxr, *user;
	} cases[] = {
		{V | R | W | X | A | D, "fls", "fls", "fls", ""},
		{V | R | W | A | D, "ls", "ls", "ls", ""},
		{V | R | X | A | D, "fl", "fl", "fl", ""},
		{V | R | A, "l", "l", "l", ""},
		{V | X | A, "f", "f", "fl", ""},
		{V | R | W | X | U | A | D, "", "ls", "", "fls"},
		{V | R | U | A, "", "l", "", "l"},
		{V | X | U | A, "", "", "", "f"},
		/* A and D are never set by the hart. */
		{V | R | W | X | D, "", "", "", ""},
		{V | R | W | X | A, "fl", "fl", "fl", ""},
		/* Not valid; write without read; bits of extensions that are not here. */
		{R | W | X | A | D, "", "", "", ""},
		{V | W | A | D, "", "", "", ""},
		{V | W | X | A | D, "", "", "", ""},
		{V | R | W | X | A | D | 1ull << 54, "", "", "", ""},
		{V | R | W | X | A | D | 1ull << 61, "", "", "", ""},
		{V | R | W | X | A | D | 1ull << 63, "", "", "", ""},
		/* The bits for software and G mean nothing. */
		{V | R | W | X | A | D | G | 0x300, "fls", "fls", "fls", ""},
		/* A pointer where there is no further table. */
		{V, "", "", "", ""},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rig *rig = make(cases[i].bits);
		expect(rig, VIRTUAL, cases[i].supervisor);
		rig->hart->mstatus = RV_STATUS_SUM;
		expect(rig, VIRTUAL, cases[i].with_sum);
		rig->hart->mstatus = RV_STATUS_MXR;
		expect(rig, VIRTUAL, cases[i].with_mxr);
		rig->hart->mstatus = 0;
		expect(rig, VIRTUAL, cases[i].supervisor);
		rig->hart->mode = RV_MODE_U;
		rig->hart->mstatus = RV_STATUS_SUM;
		expect(rig, VIRTUAL, cases[i].user);
		/* M mode is not translated, unless data is by MPRV. */
		rig->hart->mode = RV_MODE_M;
		rig->hart->mstatus = RV_STATUS_MPRV;
		uint64_t at;
		assert_int_equal(try(rig, VIRTUAL, RV_FETCH, &at), DONE);
		assert_int_equal(at, VIRTUAL);
		bool readable = strchr(cases[i].user, 'l');
		assert_int_equal(
			try(rig, VIRTUAL, RV_LOAD, &at), readable ? DONE : RV_LOAD_PAGE_FAULT);
		assert_int_equal(at, readable ? DATA : 0);
		rig_destroy(rig);
	}
}

static void addresses(void **state) {
	struct rig *rig = make(V | R | W | X | A | D);
	uint64_t at;
	assert_int_equal(try(rig, VIRTUAL + 0xabc, RV_LOAD, &at), DONE);
	assert_int_equal(at, DATA + 0xabc);
	/* Bits 63 to 39 have to be as bit 38 is. */
	assert_int_equal(try(rig, VIRTUAL | 1ull << 39, RV_LOAD, NULL), RV_LOAD_PAGE_FAULT);
	assert_int_equal(try(rig, VIRTUAL | 1ull << 63, RV_STORE, NULL), RV_STORE_PAGE_FAULT);
	assert_int_equal(try(rig, VIRTUAL | 1ull << 38, RV_FETCH, NULL), RV_FETCH_PAGE_FAULT);
	set(rig, ROOT, 0x101, MIDDLE, V);
	assert_int_equal(try(rig, VIRTUAL | 0xffffffc000000000, RV_LOAD, &at), DONE);
	assert_int_equal(at, DATA);
	/* A, D and U of a pointer are reserved. */
	static const uint64_t reserved[] = {A, D, U};
	for (unsigned i = 0; i < 3; i++) {
		set(rig, MIDDLE, 1, LAST, V | reserved[i]);
		rv_tlb_flush(&rig->m, rig->hart);
		expect(rig, VIRTUAL, "");
	}
	/* A table that is not in RAM: an access fault, of the kind of the access. */
	set(rig, MIDDLE, 1, 0x1000, V);
	for (enum rv_access access = 0; access < RV_ACCESSES; access++) {
		assert_int_equal(try(rig, VIRTUAL, access, NULL), fault[access]);
	}
	/* Without translation, addresses of more than 56 bits are nowhere. */
	rig_write_csr(rig, RV_CSR_SATP, 0);
	assert_int_equal(try(rig, 1ull << 56, RV_LOAD, NULL), RV_LOAD_FAULT);
	assert_int_equal(try(rig, DATA, RV_LOAD, &at), DONE);
	assert_int_equal(at, DATA);
	rig_destroy(rig);
}

static void superpages(void **state) {
	struct rig *rig = make(0);
	uint64_t at;
	set(rig, MIDDLE, 1, 0x80200000, V | R | W | X | A | D);
	assert_int_equal(try(rig, VIRTUAL + 0x12345, RV_LOAD, &at), DONE);
	assert_int_equal(at, 0x80200000 + 0x1000 + 0x12345);
	set(rig, ROOT, 1, 0x80000000, V | R | W | X | A | D);
	rv_tlb_flush(&rig->m, rig->hart);
	assert_int_equal(try(rig, VIRTUAL + 0x12345, RV_STORE, &at), DONE);
	assert_int_equal(at, 0x80000000 + 0x201000 + 0x12345);
	/* Misaligned: the bits below its size are not zero. */
	set(rig, ROOT, 1, 0x80001000, V | R | W | X | A | D);
	rv_tlb_flush(&rig->m, rig->hart);
	expect(rig, VIRTUAL, "");
	set(rig, ROOT, 1, 0xa0000000, V | R | W | X | A | D);
	expect(rig, VIRTUAL, "");
	set(rig, ROOT, 1, MIDDLE, V);
	set(rig, MIDDLE, 1, 0x80201000, V | R | W | X | A | D);
	expect(rig, VIRTUAL, "");
	set(rig, MIDDLE, 1, 0x80300000, V | R | W | X | A | D);
	expect(rig, VIRTUAL, "");
	rig_destroy(rig);
}

static void fences(void **state) {
	struct rig *rig = make(V | R | W | X | A | D);
	uint64_t at;
	set(rig, LAST, 2, DATA, V | R | A);
	assert_int_equal(try(rig, VIRTUAL, RV_LOAD, NULL), DONE);
	assert_int_equal(try(rig, VIRTUAL + 0x1000, RV_LOAD, NULL), DONE);
	/* Changed without a fence: both are remembered. */
	set(rig, LAST, 1, DATA + 0x1000, V | R | W | X | A | D);
	set(rig, LAST, 2, 0, 0);
	assert_int_equal(try(rig, VIRTUAL, RV_LOAD, &at), DONE);
	assert_int_equal(at, DATA);
	/* One address. */
	rig->hart->mode = RV_MODE_S;
	assert_true(rv_sfence_vma(&rig->m, rig->hart, VIRTUAL + 0x123, 0));
	assert_int_equal(try(rig, VIRTUAL, RV_LOAD, &at), DONE);
	assert_int_equal(at, DATA + 0x1000);
	assert_int_equal(try(rig, VIRTUAL + 0x1000, RV_LOAD, NULL), DONE);
	assert_true(rv_sfence_vma(&rig->m, rig->hart, 0, 0));
	assert_int_equal(try(rig, VIRTUAL + 0x1000, RV_LOAD, NULL), RV_LOAD_PAGE_FAULT);
	/* Any address in a large page stands for all of it. */
	set(rig, MIDDLE, 1, 0x80000000, V | R | A);
	rv_tlb_flush(&rig->m, rig->hart);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(try(rig, VIRTUAL + i * 0x1000, RV_LOAD, NULL), DONE);
	}
	set(rig, MIDDLE, 1, 0, 0);
	assert_true(rv_sfence_vma(&rig->m, rig->hart, VIRTUAL + 0x100000, 0));
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(try(rig, VIRTUAL + i * 0x1000, RV_LOAD, NULL), RV_LOAD_PAGE_FAULT);
	}
	set(rig, ROOT, 1, 0x80000000, V | R | A);
	rv_tlb_flush(&rig->m, rig->hart);
	assert_int_equal(try(rig, VIRTUAL, RV_LOAD, NULL), DONE);
	set(rig, ROOT, 1, 0, 0);
	assert_true(rv_sfence_vma(&rig->m, rig->hart, VIRTUAL + 0x12345678, 0));
	assert_int_equal(try(rig, VIRTUAL, RV_LOAD, NULL), RV_LOAD_PAGE_FAULT);
	/* Another address space. */
	map(rig, V | R | A);
	assert_int_equal(try(rig, VIRTUAL, RV_LOAD, &at), DONE);
	set(rig, LAST, 1, 0, 0);
	rig_write_csr(rig, RV_CSR_SATP, (uint64_t)RV_SATP_SV39 << 60 | 1ull << 44 | ROOT / RV_PAGE);
	assert_int_equal(try(rig, VIRTUAL, RV_LOAD, NULL), RV_LOAD_PAGE_FAULT);
	rig_destroy(rig);
}

/* Accesses that go over the end of a page are in two places, or in none. */
static void crossing(void **state) {
	struct rig *rig = make(V | R | W | X | A | D);
	struct rv_hart *hart = rig->hart;
	set(rig, LAST, 2, DATA + 0x4000, V | R | W | X | A | D);
	uint64_t value;
	assert_true(rv_store(&rig->m, hart, VIRTUAL + 0xffd, 8, 0x8877665544332211));
	assert_int_equal(rig_read(rig, DATA + 0xff8) >> 40, 0x332211);
	assert_int_equal(rig_read(rig, DATA + 0x4000), 0x8877665544);
	assert_true(rv_load(&rig->m, hart, VIRTUAL + 0xffd, 8, &value));
	assert_int_equal(value, 0x8877665544332211);
	assert_true(rv_load(&rig->m, hart, VIRTUAL + 0xfff, 2, &value));
	assert_int_equal(value, 0x4433);
	/* The second page is not there: nothing is written, and tval is where it begins. */
	set(rig, LAST, 2, 0, 0);
	rv_tlb_flush(&rig->m, hart);
	assert_false(rv_store(&rig->m, hart, VIRTUAL + 0xffd, 8, 0));
	assert_int_equal(hart->mcause, RV_STORE_PAGE_FAULT);
	assert_int_equal(hart->mtval, VIRTUAL + 0x1000);
	assert_int_equal(rig_read(rig, DATA + 0xff8) >> 40, 0x332211);
	/* An instruction likewise: epc is where it begins. */
	hart->mode = RV_MODE_S;
	hart->pc = VIRTUAL + 0xffe;
	rig_write(rig, DATA + 0xff8, (uint64_t)(nop() & 0xffff) << 48);
	rig_run(rig, 1);
	assert_int_equal(hart->mcause, RV_FETCH_PAGE_FAULT);
	assert_int_equal(hart->mepc, VIRTUAL + 0xffe);
	assert_int_equal(hart->mtval, VIRTUAL + 0x1000);
	/* One of 16 bits needs only its own page. */
	hart->mode = RV_MODE_S;
	hart->pc = VIRTUAL + 0xffe;
	rig_write(rig, DATA + 0xff8, 0x0001ull << 48);
	rig_run(rig, 1);
	assert_int_equal(hart->pc, VIRTUAL + 0x1000);
	set(rig, LAST, 2, DATA + 0x4000, V | X | A);
	rig_write(rig, DATA + 0xff8, (uint64_t)(addi(A0, X0, 77) & 0xffff) << 48);
	rig_write(rig, DATA + 0x4000, addi(A0, X0, 77) >> 16);
	hart->pc = VIRTUAL + 0xffe;
	rig_run(rig, 1);
	assert_int_equal(hart->x[A0], 77);
	assert_int_equal(hart->pc, VIRTUAL + 0x1002);
	/* Also when the page of its first half is at hand. */
	hart->x[A0] = 0;
	rig_write(rig, DATA + 0xff8,
		(uint64_t)(addi(A0, X0, 77) & 0xffff) << 48 | (uint64_t)nop() << 16);
	hart->pc = VIRTUAL + 0xffa;
	rig_run(rig, 2);
	assert_int_equal(hart->x[A0], 77);
	rig_destroy(rig);
}

/* Code is what memory has, whatever was executed there before. */
static void changed_code(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	struct rv_hart *hart = rig->hart;
	hart->x[A0] = RV_RAM_BASE + 8;
	hart->x[A1] = addi(A2, X0, 5);
	for (unsigned i = 0; i < 2; i++) {
		rig_go(rig, RV_RAM_BASE);
		rig_put(rig, nop());
		rig_put(rig, store(2, A0, A1, 0));
		rig_put(rig, addi(A2, X0, 4));
		hart->x[A2] = 0;
		rig_run(rig, 3);
		assert_int_equal(hart->x[A2], 5);
	}
	/* Nor does it matter that the page of code is mapped to another place without a fence after
	 * the TLB has lost it for another reason. */
	rig_destroy(rig);
	rig = make(V | R | X | A);
	hart = rig->hart;
	set(rig, LAST, 2, DATA + 0x1000, V | R | X | A);
	/* The same slot of the TLB. */
	set(rig, LAST, 1 + RV_TLB_ENTRIES, DATA + 0x2000, V | R | X | A);
	rig_write(rig, DATA, addi(A0, A0, 1));
	rig_write(rig, DATA + 0x1000, addi(A0, A0, 100));
	hart->pc = VIRTUAL;
	rig_run(rig, 1);
	set(rig, LAST, 1, DATA + 0x1000, V | R | X | A);
	hart->pc = VIRTUAL;
	rig_run(rig, 1);
	assert_int_equal(hart->x[A0], 2);
	rig_write(rig, DATA + 0x2000, jal(X0, -(int)(RV_TLB_ENTRIES * RV_PAGE)));
	hart->pc = VIRTUAL + RV_TLB_ENTRIES * RV_PAGE;
	rig_run(rig, 2);
	assert_int_equal(hart->x[A0], 102);
	/* With a fence, in the page that is being executed. */
	rig_write(rig, DATA + 0x1008, addi(A0, X0, 1));
	rig_write(rig, DATA + 0x2008, addi(A0, X0, 2));
	rig_write(rig, DATA + 0x1000, (uint64_t)SFENCE_VMA << 32 | nop());
	set(rig, LAST, 1, DATA + 0x2000, V | R | X | A);
	hart->pc = VIRTUAL;
	rig_run(rig, 3);
	assert_int_equal(hart->x[A0], 2);
	rig_destroy(rig);
}

static void protection(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	struct rv_hart *hart = rig->hart;
	/* Nothing is set: M mode may all, others nothing. */
	assert_int_equal(try(rig, DATA, RV_LOAD, NULL), DONE);
	hart->mode = RV_MODE_S;
	for (enum rv_access access = 0; access < RV_ACCESSES; access++) {
		assert_int_equal(try(rig, DATA, access, NULL), fault[access]);
	}
	/* Set, and moved away. */
	rig_write_csr(rig, RV_CSR_PMPCFG0, RV_PMP_NAPOT | RV_PMP_R);
	rig_write_csr(rig, RV_CSR_PMPADDR0, DATA >> 2 | 0x1ff);
	assert_int_equal(try(rig, DATA, RV_LOAD, NULL), DONE);
	rig_write_csr(rig, RV_CSR_PMPADDR0, (DATA + 0x1000) >> 2 | 0x1ff);
	assert_int_equal(try(rig, DATA, RV_LOAD, NULL), RV_LOAD_FAULT);
	/* 0: a page that may be executed only. 1: four pages around it, read and write, locked.
	 * 2 and 3: a range before them, read only. */
	rig_write_csr(rig, RV_CSR_PMPADDR0, DATA >> 2 | 0x1ff);
	rig_write_csr(rig, RV_CSR_PMPADDR0 + 1, DATA >> 2 | 0x7ff);
	rig_write_csr(rig, RV_CSR_PMPADDR0 + 2, (DATA - 0x8000) >> 2);
	rig_write_csr(rig, RV_CSR_PMPADDR0 + 3, (DATA - 0x4000) >> 2);
	rig_write_csr(rig, RV_CSR_PMPCFG0,
		(RV_PMP_NAPOT | RV_PMP_X) | (RV_PMP_NAPOT | RV_PMP_R | RV_PMP_W | RV_PMP_L) << 8 |
			(uint64_t)(RV_PMP_TOR | RV_PMP_R) << 24);
	static const struct {
		uint64_t address;
		const char *supervisor, *machine;
	} cases[] = {
		{DATA, "f", "fls"},
		{DATA + 0xffc, "f", "fls"},
		{DATA + 0x1000, "ls", "ls"},
		{DATA + 0x3fff, "ls", "ls"},
		{DATA + 0x4000, "", "fls"},
		{DATA - 1, "", "fls"},
		{DATA - 0x4000, "", "fls"},
		{DATA - 0x4001, "l", "fls"},
		{DATA - 0x8000, "l", "fls"},
		{DATA - 0x8001, "", "fls"},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (unsigned j = 0; j < RV_ACCESSES * 2; j++) {
			enum rv_access access = j / 2;
			const char *allowed = j % 2 ? cases[i].machine : cases[i].supervisor;
			bool may = strchr(allowed, letters[access]);
			hart->mode = j % 2 ? RV_MODE_M : RV_MODE_S;
			assert_int_equal(try(rig, cases[i].address, access, NULL),
				may ? DONE : fault[access]);
		}
	}
	/* MPRV borrows the rights of the lesser mode. */
	hart->mode = RV_MODE_M;
	hart->mstatus = RV_STATUS_MPRV | 1ull << RV_STATUS_MPP_SHIFT;
	assert_int_equal(try(rig, DATA, RV_LOAD, NULL), RV_LOAD_FAULT);
	assert_int_equal(try(rig, DATA, RV_FETCH, NULL), DONE);
	rig_destroy(rig);
	/* The tables of Sv39 are read as S mode reads. */
	rig = make(V | R | W | X | A | D);
	rig_write_csr(rig, RV_CSR_PMPADDR0, LAST >> 2 | 0x1ff);
	assert_int_equal(try(rig, VIRTUAL, RV_STORE, NULL), DONE);
	rig_write_csr(rig, RV_CSR_PMPCFG0, RV_PMP_NAPOT | RV_PMP_X);
	for (enum rv_access access = 0; access < RV_ACCESSES; access++) {
		assert_int_equal(try(rig, VIRTUAL, access, NULL), fault[access]);
	}
	rig_destroy(rig);
}

static void peeking(void **state) {
	struct rig *rig = make(V | X | A);
	uint8_t bytes[8];
	struct rv_tlb before = rig->tlbs[0];
	/* A debugger needs no rights, and leaves no trace. */
	assert_true(rv_peek(&rig->m, rig->hart, VIRTUAL + 0x18, bytes, sizeof(bytes)));
	assert_int_equal(bytes[0], 0x88);
	assert_false(rv_peek(&rig->m, rig->hart, VIRTUAL + 0xffc, bytes, sizeof(bytes)));
	assert_memory_equal(&before, &rig->tlbs[0], sizeof(before));
	rig->hart->mode = RV_MODE_M;
	assert_true(rv_peek(&rig->m, rig->hart, DATA + 0x18, bytes, sizeof(bytes)));
	assert_false(rv_peek(&rig->m, rig->hart, RV_UART_BASE, bytes, 1));
	rig_destroy(rig);
}

int main(int argc, char **argv) {
	rig_arguments(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions),
		cmocka_unit_test(addresses),
		cmocka_unit_test(superpages),
		cmocka_unit_test(fences),
		cmocka_unit_test(crossing),
		cmocka_unit_test(changed_code),
		cmocka_unit_test(protection),
		cmocka_unit_test(peeking),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

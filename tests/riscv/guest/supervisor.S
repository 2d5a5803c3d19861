/* SPDX-License-Identifier: MIT */
/* S mode and Sv39: what of the CSRs it sees, and what each bit of a page's entry does. */
#include "privileged.inc"

#define V 0x01
#define R 0x02
#define W 0x04
#define X 0x08
#define U 0x10
#define G 0x20
#define A 0x40
#define D 0x80
#define SUM (1 << 18)
#define MXR (1 << 19)
/* Where the page is that is looked at. */
#define PAGE 0x40000000
#define ALIAS 0x40001000

/* In S mode: the entry of PAGE has these flags; t0 and t1 are used. */
#define FLAGS(flags) \
	la	t0, page; \
	srli	t0, t0, 2; \
	ori	t0, t0, flags; \
	la	t1, table_low; \
	sd	t0, 0(t1); \
	sfence.vma

	.globl test
test:
	la	t0, table_high
	la	t1, table_middle
	la	t2, table_low
	li	t3, (0x80000000 >> 2) | V | R | W | X | A | D
	sd	t3, 16(t0)
	srli	t3, t1, 2
	ori	t3, t3, V
	sd	t3, 8(t0)
	srli	t3, t2, 2
	ori	t3, t3, V
	sd	t3, 0(t1)
	/* A page of 2 MiB where it may be, one that does not begin where it must, a table with A. */
	li	t3, (0x80000000 >> 2) | V | R | W | A | D
	sd	t3, 8(t1)
	li	t3, (0x80001000 >> 2) | V | R | W | A | D
	sd	t3, 16(t1)
	srli	t3, t2, 2
	ori	t3, t3, V | A
	sd	t3, 24(t1)
	la	t3, page
	srli	t3, t3, 2
	ori	t3, t3, V | R | W | X | A | D
	sd	t3, 8(t2)
	srli	s7, t0, 12
	li	t3, 8 << 60
	or	s7, s7, t3
	/* Page faults, illegal instructions and ECALL of U mode are for S mode. */
	li	t0, 1 << 2 | 1 << 8 | 1 << 12 | 1 << 13 | 1 << 15
	csrw	medeleg, t0
	li	t0, 0x222
	csrw	mideleg, t0
	ENTER(1)

	/* Of mstatus, mie and mip only what is S mode's. */
	CHECK(2, a0, 0x2000c0122, li a0, -1; csrw sstatus, a0; csrr a0, sstatus; li a1, 0x2000c0122; and a0, a0, a1)
	CHECK(3, a0, 0, csrr a0, sstatus; li a1, 0x7ffffffcfff21ed9; and a0, a0, a1; andi a0, a0, -2)
	CHECK(4, a0, 0, csrci sstatus, 2; li a0, 3 << 18; csrc sstatus, a0; csrr a0, sstatus; and a0, a0, 2)
	CHECK(5, a0, 0x222, li a0, -1; csrw sie, a0; csrr a0, sie)
	CHECK(6, a0, 2, li a0, -1; csrw sip, a0; csrr a0, sip)
	RAISES(7, 0x8000000000000001, 0, csrsi sstatus, 2; nop; nop)
	csrw	sip, zero
	csrw	sie, zero
	WRITES(8, sscratch, 0xfedcba9876543210, 0xfedcba9876543210)
	la	a0, to_supervisor
	csrw	stvec, a0
	/* A mode that is not there is not taken. */
	CHECK(10, a0, 0, li a0, 9 << 60 | 0x1234; csrw satp, a0; csrr a0, satp)
	CHECK(11, a0, 0, csrw satp, s7; csrr a0, satp; sub a0, a0, s7)
	sfence.vma

	/* Each bit. */
	la	s0, page
	li	s1, PAGE
	li	a0, 0x1234
	sd	a0, 0(s0)
	FLAGS(V | R | W | A | D)
	CHECK(20, a0, 0x1234, ld a0, 0(s1))
	CHECK(21, a0, 0x77, li a0, 0x77; sd a0, 8(s1); ld a0, 8(s0))
	RAISES(22, 12, PAGE, jr s1)
	FLAGS(R | W | A | D)
	RAISES(23, 13, PAGE, ld a0, 0(s1))
	FLAGS(V | R | W | D)
	RAISES(24, 13, PAGE + 8, ld a0, 8(s1))
	RAISES(25, 15, PAGE, sd a0, 0(s1))
	FLAGS(V | R | W | A)
	CHECK(26, a0, 0x1234, ld a0, 0(s1))
	RAISES(27, 15, PAGE, sw a0, 0(s1))
	RAISES(28, 15, PAGE, amoadd.w a0, a0, (s1))
	CHECK(29, a0, 0x1234, lr.w a0, (s1))
	FLAGS(V | R | A | D)
	RAISES(30, 15, PAGE, sb a0, 0(s1))
	FLAGS(V | W | A | D)
	RAISES(31, 13, PAGE, ld a0, 0(s1))
	FLAGS(V | W | R | U | A | D)
	RAISES(32, 13, PAGE, ld a0, 0(s1))
	li	a0, SUM
	csrs	sstatus, a0
	CHECK(33, a0, 0x1234, ld a0, 0(s1))
	FLAGS(V | X | R | U | A | D)
	RAISES(34, 12, PAGE, jr s1)
	li	a0, SUM
	csrc	sstatus, a0
	FLAGS(V | X | A | D)
	RAISES(35, 13, PAGE, ld a0, 0(s1))
	li	a0, MXR
	csrs	sstatus, a0
	CHECK(36, a0, 0x1234, ld a0, 0(s1))
	li	a0, MXR
	csrc	sstatus, a0
	/* Reserved bits. */
	FLAGS(V | R | W | A | D)
	la	t0, table_low
	ld	t1, 0(t0)
	li	t2, 1 << 54
	or	t1, t1, t2
	sd	t1, 0(t0)
	sfence.vma
	RAISES(37, 13, PAGE, ld a0, 0(s1))
	FLAGS(V | R | W | A | D)

	/* Larger pages. */
	CHECK(40, a0, 0, li a0, PAGE + 0x200000; lw a1, 0(s0); la a2, page; li a3, 0x80000000; sub a2, a2, a3; add a0, a0, a2; lw a0, 0(a0); sub a0, a0, a1)
	RAISES(41, 13, PAGE + 0x400000, li a0, PAGE + 0x400000; ld a0, 0(a0))
	RAISES(42, 13, PAGE + 0x600000, li a0, PAGE + 0x600000; ld a0, 0(a0))
	RAISES(43, 13, 0x4000000000, li a0, 0x4000000000; ld a0, 0(a0))
	RAISES(44, 15, 0xffffffbfffffffff, li a0, 0xffffffbfffffffff; sb a0, 0(a0))
	RAISES(45, 12, 0x8000000000000000, li a0, 0x8000000000000000; jr a0)
	/* Over the end of a page: the part that is not there is named. */
	RAISES(46, 13, PAGE + 0x2000, li a0, ALIAS; lw a1, 0xffe - 0x800(a0); addi a0, a0, 0x7fe; lw a1, 0x7fe(a0); addi a0, a0, 2; lw a1, 0x7fe(a0))

	/* Code under two addresses: written by one, executed by the other. */
	FLAGS(V | R | W | A | D)
	la	a0, code
	lw	a1, 0(a0)
	lw	a2, 4(a0)
	li	s8, ALIAS
	sw	a1, 0x100(s1)
	sw	a2, 0x104(s1)
	fence.i
	CHECK(50, a0, 5, addi a1, s8, 0x100; jalr a1)
	la	a0, code
	lw	a1, 8(a0)
	sw	a1, 0x100(s1)
	fence.i
	CHECK(51, a0, 6, addi a1, s8, 0x100; jalr a1)

	/* U mode, in that page alone. */
	FLAGS(V | R | X | U | A | D)
	la	a0, user
	lw	a1, 0(a0)
	lw	a2, 4(a0)
	sw	a1, 0x200(s8)
	sw	a2, 0x204(s8)
	fence.i
	li	a0, 1 << 8
	csrc	sstatus, a0
	li	a0, PAGE + 0x200
	csrw	sepc, a0
	li	a1, PAGE + 8
	RAISES(60, 8, 0, sret)
	CHECK(61, a0, 0x77, mv a0, a0)
	CHECK(62, a0, PAGE + 0x204, mv a0, s4)
	CHECK(63, a0, 0, srli a0, s6, 8; andi a0, a0, 1)
	/* A page of S mode is not for it. */
	li	a0, 1 << 8
	csrc	sstatus, a0
	li	a0, PAGE + 0x200
	csrw	sepc, a0
	RAISES(64, 13, ALIAS, li a1, ALIAS; sret)
	li	a0, 1 << 8
	csrc	sstatus, a0
	li	a0, ALIAS
	csrw	sepc, a0
	RAISES(65, 12, ALIAS, sret)
	/* WFI with something pending. */
	csrwi	sie, 2
	csrwi	sip, 2
	wfi
	csrwi	sip, 0
	csrwi	sie, 0
	/* And what is not delegated goes to M mode. */
	csrw	satp, zero
	sfence.vma
	RAISES(70, 5, 0x10, li a0, 0x10; lb a0, 0(a0))
	END_PRIVILEGED

	.option	push
	.option	norvc
	.balign	4
code:
	addi	a0, zero, 5
	ret
	addi	a0, zero, 6
user:
	lw	a0, 0(a1)
	ecall
	.option	pop

	.data
	.balign	4096
page:
	.space	4096
	.bss
	.balign	4096
table_high:
	.space	4096
table_middle:
	.space	4096
table_low:
	.space	4096

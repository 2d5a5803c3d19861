/* SPDX-License-Identifier: MIT */
/* M mode: its CSRs, what traps there, interrupts, what it keeps from the others, PMP. */
#include "privileged.inc"

#define CLINT 0x02000000
#define DATA 0x80100000 /* a page of RAM behind the program */
#define MIE 8

	.globl test
test:
	CHECK(2, a0, 0x800000000014112d, csrr a0, misa)
	CHECK(3, a0, 0x800000000014112d, csrw misa, zero; csrr a0, misa)
	CHECK(4, a0, 0, csrr a0, mhartid)
	csrr	a0, mvendorid
	csrr	a0, marchid
	csrr	a0, mimpid
	WRITES(5, mscratch, 0x123456789abcdef0, 0x123456789abcdef0)
	CHECK(6, a0, 0x123456789abcdef5, csrrsi a0, mscratch, 5; csrr a0, mscratch)
	CHECK(7, a0, 0x123456789abcdef4, csrrci a0, mscratch, 1; csrr a0, mscratch)
	CHECK(8, a0, 0x123456789abcdef4, li a1, -1; csrrc a0, mscratch, a1)
	CHECK(9, a0, 0, csrr a0, mscratch)
	WRITES(10, mepc, -1, -2)
	WRITES(11, sepc, 0x1003, 0x1002)
	WRITES(12, mcause, 0x800000000000000b, 0x800000000000000b)
	/* MPP is never 2; no other width of registers than 64 bits. */
	CHECK(13, a0, 0, li a0, 3 << 11; csrc mstatus, a0; li a0, 2 << 11; csrs mstatus, a0; csrr a0, mstatus; srli a0, a0, 11; andi a0, a0, 3)
	CHECK(14, a0, 0xa, csrw mstatus, zero; csrr a0, mstatus; srli a0, a0, 32)
	WRITES(15, medeleg, 1 << 11, 0)
	WRITES(16, mideleg, 0xaaa, 0x222)
	csrw	mideleg, zero
	WRITES(17, mie, 0xaaa, 0xaaa)
	csrw	mie, zero
	/* FS is dirty with SD. */
	CHECK(18, a0, 3, li a0, 1 << 13; csrs mstatus, a0; fmv.w.x fa0, zero; csrr a0, mstatus; srli a1, a0, 63; beqz a1, fail; srli a0, a0, 13; andi a0, a0, 3)

	/* Traps. */
	.option	push
	.option	norvc
	RAISES(20, 11, 0, ecall)
	CHECK(21, a0, 0, la s10, 8f; 7: ecall; 8: la a1, 7b; sub a0, s4, a1)
	RAISES(22, 2, 0xffffffff, .word 0xffffffff)
	.option	pop
	RAISES(23, 2, 0, .half 0; .half 0)
	RAISES(24, 2, 0x9c41, .half 0x9c41; .half 1)
	RAISES(25, 5, 0x10, li a0, 0x10; lw a1, 0(a0))
	RAISES(26, 7, 0x13, li a0, 0x10; sd a1, 3(a0))
	RAISES(27, 1, 0x20, li a0, 0x20; jr a0)
	CHECK(28, s4, 0x20, mv s4, s4)
	RAISES(29, 4, 0x80001802, li a0, 0x80001802; lr.w a1, (a0))
	RAISES(30, 6, 0x80001804, li a0, 0x80001804; amoadd.d a1, zero, (a0))
	RAISES(31, 7, 0x30, li a0, 0x30; amoadd.d a1, zero, (a0))
	RAISES(32, 5, 0x30, li a0, 0x30; lr.d a1, (a0))
	CHECK(33, a0, 3, la s10, 8f; ebreak; 8: mv a0, s2)
	CHECK(34, a0, 3, la s10, 8f; c.ebreak; 8: mv a0, s2)
	/* No such CSR; one that is read alone. */
	RAISES(35, 2, 0x7c002573, .word 0x7c002573)
	RAISES(36, 2, 0xf1401073, csrw mhartid, zero)
	CHECK(37, a0, 0, csrrs a0, mhartid, zero)
	/* Floating point that is off; rounding modes that are none. */
	li	a0, 3 << 13
	csrc	mstatus, a0
	RAISES(38, 2, 0x00002573 | 3 << 20, csrr a0, fcsr)
	RAISES(39, 2, 0xf0050553, fmv.w.x fa0, a0)
	li	a0, 1 << 13
	csrs	mstatus, a0
	RAISES(40, 2, 0x00b55553, .word 0x00b55553)
	fsrmi	5
	RAISES(41, 2, 0x00b57553, fadd.s fa0, fa0, fa1)
	fsrmi	0

	/* The odd address of a jump is made even: with C no target is misaligned. */
	CHECK(44, a0, 5, la a0, 8f + 1; jr a0; j fail; .balign 4; .half 1; 8: li a0, 5)

	/* Interrupts: each cause, and where it goes. */
	li	s1, CLINT
	li	s7, CLINT + 0x4000
	li	a0, -1
	sd	a0, 0(s7)
	li	a0, 1 << 3
	csrw	mie, a0
	li	a0, 1
	sw	a0, 0(s1)
	/* Pending, and not enabled: WFI goes on. */
	CHECK(50, a0, 8, wfi; csrr a0, mip)
	RAISES(51, 0x8000000000000003, 0, csrsi mstatus, MIE; nop; nop)
	CHECK(52, s5, 1, mv s5, s5)
	la	a0, to_machine + 1
	csrw	mtvec, a0
	RAISES(53, 0x8000000000000003, 0, csrsi mstatus, MIE; nop; nop)
	CHECK(54, s5, 3, mv s5, s5)
	RAISES(55, 11, 0, ecall)
	CHECK(56, s5, 1, mv s5, s5)
	sw	zero, 0(s1)
	li	a0, 1 << 7
	csrw	mie, a0
	sd	zero, 0(s7)
	RAISES(57, 0x8000000000000007, 0, csrsi mstatus, MIE; nop; nop)
	/* MEI, MSI, MTI, SEI, SSI, STI. */
	li	a0, 1
	sw	a0, 0(s1)
	li	a0, 0x222
	csrw	mip, a0
	li	a0, 0xaaa
	csrw	mie, a0
	RAISES(58, 0x8000000000000003, 0, csrsi mstatus, MIE; nop; nop)
	sw	zero, 0(s1)
	RAISES(59, 0x8000000000000007, 0, csrsi mstatus, MIE; nop; nop)
	li	a0, -1
	sd	a0, 0(s7)
	RAISES(60, 0x8000000000000009, 0, csrsi mstatus, MIE; nop; nop)
	li	a0, 1 << 9
	csrc	mip, a0
	RAISES(61, 0x8000000000000001, 0, csrsi mstatus, MIE; nop; nop)
	csrci	mip, 2
	RAISES(62, 0x8000000000000005, 0, csrsi mstatus, MIE; nop; nop)
	csrw	mip, zero
	csrw	mie, zero
	la	a0, to_machine
	csrw	mtvec, a0
	/* The timer comes by itself. */
	li	a0, 1 << 7
	csrw	mie, a0
	li	a1, CLINT + 0xbff8
	ld	a0, 0(a1)
	addi	a0, a0, 100
	sd	a0, 0(s7)
	RAISES(63, 0x8000000000000007, 0, csrsi mstatus, MIE; 1: wfi; j 1b)
	li	a0, -1
	sd	a0, 0(s7)
	csrw	mie, zero

	/* Counters. */
	CHECK(70, a0, 1, csrr a0, minstret; csrr a1, minstret; sub a0, a1, a0)
	CHECK(71, a0, 0, li a0, 100; csrw minstret, a0; csrr a0, minstret; addi a0, a0, -100)
	CHECK(72, a0, 0, li a0, -1; csrw minstret, a0; nop; csrr a0, minstret)
	CHECK(73, a0, 0, csrwi mcountinhibit, 4; csrr a0, minstret; nop; csrr a1, minstret; csrwi mcountinhibit, 0; sub a0, a1, a0)
	CHECK(74, a0, 1, csrr a0, mcycle; nop; csrr a1, mcycle; sltu a0, a0, a1)
	csrw	mcounteren, zero
	ENTER(1)
	RAISES(75, 2, 0xc0002573, csrr a0, cycle)
	csrwi	mcounteren, 7
	csrwi	scounteren, 5
	ENTER(1)
	csrr	a0, time
	csrr	a0, instret
	LEAVE(76, 1)
	ENTER(0)
	csrr	a0, cycle
	RAISES(77, 2, 0xc0102573, csrr a0, time)

	/* What S and U mode may not. */
	ENTER(1)
	RAISES(80, 2, 0x30002573, csrr a0, mstatus)
	ENTER(1)
	RAISES(81, 2, 0x30200073, mret)
	ENTER(0)
	RAISES(82, 2, 0x10002573, csrr a0, sstatus)
	ENTER(0)
	RAISES(83, 2, 0x10200073, sret)
	ENTER(0)
	RAISES(84, 2, 0x12000073, sfence.vma)
	/* TVM, TW, TSR. */
	li	a0, 1 << 20
	csrs	mstatus, a0
	ENTER(1)
	RAISES(85, 2, 0x18002573, csrr a0, satp)
	ENTER(1)
	RAISES(86, 2, 0x12000073, sfence.vma)
	li	a0, 7 << 20
	csrs	mstatus, a0
	ENTER(1)
	RAISES(87, 2, 0x10200073, sret)
	ENTER(1)
	RAISES(88, 2, 0x10500073, wfi)
	li	a0, 7 << 20
	csrc	mstatus, a0
	ENTER(1)
	LEAVE(89, 1)
	CHECK(90, a0, 1, srli a0, s6, 11; andi a0, a0, 3)

	/* Delegated to S mode; M mode's own are not. */
	li	a0, 1 << 2 | 1 << 8
	csrw	medeleg, a0
	RAISES(91, 2, 0, .half 0; .half 0)
	CHECK(92, s5, 1, mv s5, s5)
	ENTER(0)
	RAISES(93, 2, 0, .half 0; .half 0)
	CHECK(94, s5, 2, mv s5, s5)
	LEAVE(95, 1)
	csrw	medeleg, zero
	csrwi	mideleg, 2
	csrwi	mie, 2
	csrwi	mip, 2
	/* Not in M mode, and in S mode by SIE. */
	csrsi	mstatus, MIE
	nop
	csrci	mstatus, MIE
	ENTER(1)
	RAISES(96, 0x8000000000000001, 0, csrsi sstatus, 2; nop; nop)
	CHECK(97, s5, 2, mv s5, s5)
	csrci	sip, 2
	LEAVE(98, 1)
	csrw	mideleg, zero
	csrw	mie, zero

	/* MPRV: data as in MPP, here S without permission. */
	li	a0, DATA >> 2 | 0x1ff
	csrw	pmpaddr0, a0
	csrwi	pmpcfg0, 0x18
	CHECK(100, a0, 0, li a1, DATA; ld a0, 0(a1))
	ENTER(1)
	RAISES(101, 5, DATA, li a1, DATA; ld a0, 0(a1))
	li	t0, 3 << 11
	csrc	mstatus, t0
	li	t0, 1 << 11 | 1 << 17
	RAISES(102, 7, DATA + 8, li a1, DATA; csrs mstatus, t0; sd zero, 8(a1))
	/* The entry may be read from, now. */
	csrwi	pmpcfg0, 0x19
	ENTER(1)
	CHECK(103, a0, 0, li a1, DATA; ld a0, 0(a1))
	RAISES(104, 7, DATA, li a1, DATA; sd a0, 0(a1))
	ENTER(1)
	RAISES(105, 1, DATA, li a1, DATA; jr a1)
	/* Below an address. */
	li	a0, DATA >> 2
	csrw	pmpaddr0, a0
	li	a0, (DATA + 0x1000) >> 2
	csrw	pmpaddr1, a0
	li	a0, 0x0800
	csrw	pmpcfg0, a0
	ENTER(1)
	RAISES(106, 5, DATA + 0xff8, li a1, DATA + 0xff8; ld a0, 0(a1))
	/* Locked, it holds for M mode too, and stays. */
	li	a0, 0x8800
	csrw	pmpcfg0, a0
	RAISES(107, 5, DATA, li a1, DATA; ld a0, 0(a1))
	CHECK(108, a0, 0x8800, csrw pmpcfg0, zero; csrr a0, pmpcfg0)
	CHECK(109, a0, (DATA + 0x1000) >> 2, csrw pmpaddr1, zero; csrr a0, pmpaddr1)
	CHECK(110, a0, DATA >> 2, csrw pmpaddr0, zero; csrr a0, pmpaddr0)
	END_PRIVILEGED

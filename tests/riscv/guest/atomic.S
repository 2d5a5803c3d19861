/* SPDX-License-Identifier: MIT */
/* A: what was there and what is there then. */
#include "check.inc"

#define CHECK_AMO(number, instruction, start, operand, old, new, load) \
	CHECK(number, a0, old, li a1, start; sd a1, 0(s0); li a2, operand; instruction a0, a2, (s0)); \
	CHECK(number, a0, new, load a0, 0(s0))

	.text
	.globl test
test:
	la	s0, word
	CHECK_AMO(2, amoswap.w, 0x1180000000, 5, 0xffffffff80000000, 5, lw)
	CHECK_AMO(3, amoadd.w, 0x117fffffff, 1, 0x7fffffff, 0x1180000000, ld)
	CHECK_AMO(4, amoxor.w, 0xff, 0x0f, 0xff, 0xf0, ld)
	CHECK_AMO(5, amoand.w, 0xff, 0x0f, 0xff, 0x0f, ld)
	CHECK_AMO(6, amoor.w, 0xf0, 0x0f, 0xf0, 0xff, ld)
	CHECK_AMO(7, amomin.w, 0x80000000, 1, 0xffffffff80000000, 0x80000000, ld)
	CHECK_AMO(8, amomax.w, 0x80000000, 1, 0xffffffff80000000, 1, ld)
	CHECK_AMO(9, amominu.w, 0x80000000, 1, 0xffffffff80000000, 1, ld)
	CHECK_AMO(10, amomaxu.w, 0x80000000, 1, 0xffffffff80000000, 0x80000000, ld)
	CHECK_AMO(11, amomaxu.w, 1, 0x7ffffffff, 1, 0xffffffff, ld)
	CHECK_AMO(12, amoswap.d, 1, -5, 1, -5, ld)
	CHECK_AMO(13, amoadd.d, -1, 1, -1, 0, ld)
	CHECK_AMO(14, amoxor.d, -1, 1, -1, -2, ld)
	CHECK_AMO(15, amoand.d, -1, 0x8000000000000000, -1, 0x8000000000000000, ld)
	CHECK_AMO(16, amoor.d, 1, 0x8000000000000000, 1, 0x8000000000000001, ld)
	CHECK_AMO(17, amomin.d, 1, 0x8000000000000000, 1, 0x8000000000000000, ld)
	CHECK_AMO(18, amomax.d, 1, 0x8000000000000000, 1, 1, ld)
	CHECK_AMO(19, amominu.d, 1, 0x8000000000000000, 1, 1, ld)
	CHECK_AMO(20, amomaxu.d, 1, 0x8000000000000000, 1, 0x8000000000000000, ld)
	CHECK_AMO(21, amoadd.d.aqrl, 1, 1, 1, 2, ld)
	/* The operand is the destination, and none. */
	CHECK(22, a2, 9, li a1, 9; sd a1, 0(s0); li a2, 3; amoadd.d a2, a2, (s0))
	CHECK(23, a0, 12, ld a0, 0(s0); amoadd.w zero, a0, (s0))

	/* A reservation is good for one store, there. */
	CHECK(30, a0, 1, sd zero, 0(s0); sc.w a0, zero, (s0))
	CHECK(31, a0, 40, li a2, 40; 1: lr.w a1, (s0); sc.w a0, a2, (s0); bnez a0, 1b; lw a0, 0(s0))
	CHECK(32, a0, 1, li a2, 41; sc.w a0, a2, (s0))
	CHECK(33, a0, 40, lw a0, 0(s0))
	CHECK(34, a0, 1, addi a1, s0, 1024; 1: lr.d a2, (s0); sc.d a0, a2, (a1))
	CHECK(35, a0, 0x123456789, li a2, 0x123456789; 1: lr.d a1, (s0); sc.d a0, a2, (s0); bnez a0, 1b; ld a0, 0(s0))
	CHECK(36, a0, 0xffffffff80000000, li a1, 0x80000000; sd a1, 0(s0); lr.w a0, (s0))
	/* A counter. */
	CHECK(37, a0, 1000, sd zero, 0(s0); li a3, 1000; 1: lr.w.aq a0, (s0); addi a0, a0, 1; sc.w.rl a1, a0, (s0); bnez a1, 1b; bne a0, a3, 1b)
	END

	.data
	.balign	4096
word:
	.space	2048

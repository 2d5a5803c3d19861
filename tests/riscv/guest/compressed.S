/* SPDX-License-Identifier: MIT */
/* C: each of its instructions. */
#include "check.inc"

	.text
	.globl test
test:
	la	s1, memory
	CHECK(2, a0, 10, li a0, 5; c.addi a0, 5)
	CHECK(3, a0, -27, li a0, 5; c.addi a0, -32)
	CHECK(4, a0, 0xffffffff80000000, li a0, 0x7fffffff; c.addiw a0, 1)
	CHECK(5, a0, -32, c.li a0, -32)
	CHECK(6, a0, 0xfffffffffffe1000, c.lui a0, 0xfffe1)
	CHECK(7, a0, 0x1f000, c.lui a0, 0x1f)
	mv	s2, sp
	CHECK(8, a0, 0x1000, li sp, 0x1000; c.addi4spn a0, sp, 1020; addi a0, a0, -1020)
	CHECK(9, sp, 0x1000 + 496, li sp, 0x1000; c.addi16sp sp, 496)
	CHECK(10, sp, 0x1000 - 512, li sp, 0x1000; c.addi16sp sp, -512)
	CHECK(11, a0, 0x8000000000000000, li a0, 1; c.slli a0, 63)
	CHECK(12, a0, 1, li a0, -1; c.srli a0, 63)
	CHECK(13, a0, -1, li a0, -1; c.srai a0, 63)
	CHECK(14, a0, 0xffffffffffffffe0, li a0, -1; c.andi a0, -32)
	CHECK(15, a0, 3, li a0, 5; li a1, 2; c.sub a0, a1)
	CHECK(16, a0, 6, li a0, 5; li a1, 3; c.xor a0, a1)
	CHECK(17, a0, 7, li a0, 5; li a1, 3; c.or a0, a1)
	CHECK(18, a0, 1, li a0, 5; li a1, 3; c.and a0, a1)
	CHECK(19, a0, 0xffffffff80000000, li a0, 0x7fffffff; li a1, -1; c.subw a0, a1)
	CHECK(20, a0, 0xffffffff80000000, li a0, 0x7fffffff; li a1, 1; c.addw a0, a1)
	CHECK(21, t4, 77, li t3, 77; c.mv t4, t3)
	CHECK(22, t4, 154, li t3, 77; li t4, 77; c.add t4, t3)
	CHECK(23, a0, 1, li a0, 1; c.j 1f; li a0, 2; 1:)
	CHECK(24, a0, 1, li a0, 1; li a1, 0; c.beqz a1, 1f; li a0, 2; 1:)
	CHECK(25, a0, 1, li a0, 1; li a1, 4; c.bnez a1, 1f; li a0, 2; 1:)
	CHECK(26, a0, 2, li a0, 1; li a1, 4; c.beqz a1, 1f; li a0, 2; 1:)
	CHECK(27, a0, 1, la a1, 1f; li a0, 1; c.jr a1; li a0, 2; 1:)
	CHECK(28, a0, 0, la a1, 1f; c.jalr a1; 2: j fail; 1: la a0, 2b; sub a0, a0, ra)
	CHECK(30, a0, 0xffffffff9abcdef0, c.lw a0, 124(s1))
	CHECK(31, a0, 0x123456789abcdef0, addi a1, s1, -124; c.ld a0, 248(a1))
	CHECK(32, a0, 0x55, li a0, 0x55; c.sw a0, 64(s1); lw a0, 64(s1))
	CHECK(33, a0, -7, li a0, -7; c.sd a0, 72(s1); ld a0, 72(s1))
	CHECK(34, a0, 0x123456789abcdef0, addi a1, s1, -124; c.fld fa0, 248(a1); fmv.x.d a0, fa0)
	CHECK(35, a0, -9, li a0, -9; fmv.d.x fa0, a0; c.fsd fa0, 80(s1); ld a0, 80(s1))
	addi	sp, s1, -128
	CHECK(36, a0, 0xffffffff9abcdef0, c.lwsp a0, 252(sp))
	addi	sp, s1, -380
	CHECK(37, a0, 0x123456789abcdef0, c.ldsp a0, 504(sp))
	CHECK(38, t4, 0x123456789abcdef0, c.fldsp ft11, 504(sp); fmv.x.d t4, ft11)
	mv	sp, s1
	CHECK(39, a0, 0x66, li t4, 0x66; c.swsp t4, 252(sp); lw a0, 252(s1))
	CHECK(40, a0, 0x67, li t4, 0x67; c.sdsp t4, 504(sp); ld a0, 504(s1))
	CHECK(41, a0, 0x68, li t4, 0x68; fmv.d.x ft11, t4; c.fsdsp ft11, 496(sp); ld a0, 496(s1))
	mv	sp, s2
	/* Hints do nothing. */
	CHECK(42, a0, 3, li a0, 3; .half 0x0001; .half 0x0005; .half 0x4005; .half 0x6005; .half 0x0002; .half 0x8006; .half 0x9006)
	/* An instruction of four bytes over the end of a page, half a page away from another. */
	CHECK(43, a0, 0x123, call far)
	END

	.balign	4096
	.space	4094
far:
	.option	push
	.option	norvc
	addi	a0, zero, 0x123
	.option	pop
	ret

	.data
	.balign	4096
	.space	512
memory:
	.space	124
	.dword	0x123456789abcdef0
	.space	512

/* SPDX-License-Identifier: MIT */
/* The base instructions and those of M. */
#include "check.inc"

	.text
	.globl test
test:
	CHECK_RR(2, add, 0, 0, 0)
	CHECK_RR(3, add, 0xffffffff7fff8000, 0xffffffff80000000, 0xffffffffffff8000)
	CHECK_RR(4, add, 0x8000000000000000, 0x7fffffffffffffff, 1)
	CHECK_RR(5, sub, 0x7fffffffffffffff, 0x8000000000000000, 1)
	CHECK_RR(6, sub, -1, 0, 1)
	CHECK_RR(7, addw, 0xffffffff80000000, 0x7fffffff, 1)
	CHECK_RR(8, addw, 0, 0x1ffffffff, 1)
	CHECK_RR(9, subw, 0x7fffffff, 0xffffffff80000000, 1)
	CHECK_RR(10, sll, 0x8000000000000000, 1, 63)
	CHECK_RR(11, sll, 2, 1, 0xffffffffffffffc1)
	CHECK_RR(12, srl, 1, 0x8000000000000000, 63)
	CHECK_RR(13, sra, -1, 0x8000000000000000, 127)
	CHECK_RR(14, sra, 0xc000000000000000, 0x8000000000000000, 1)
	CHECK_RR(15, sllw, 0xffffffff80000000, 1, 31)
	CHECK_RR(16, sllw, 1, 1, 32)
	CHECK_RR(17, srlw, 0x40000000, 0xffffffff80000000, 1)
	CHECK_RR(18, srlw, 0xffffffff80000000, 0x180000000, 32)
	CHECK_RR(19, sraw, 0xffffffffc0000000, 0x80000000, 1)
	CHECK_RR(20, slt, 1, -1, 0)
	CHECK_RR(21, slt, 0, 0, -1)
	CHECK_RR(22, sltu, 0, -1, 0)
	CHECK_RR(23, sltu, 1, 0, -1)
	CHECK_RR(24, xor, 0x0ff00ff00ff00ff0, 0xff00ff00ff00ff00, 0xf0f0f0f0f0f0f0f0)
	CHECK_RR(25, or, 0xfff0fff0fff0fff0, 0xff00ff00ff00ff00, 0xf0f0f0f0f0f0f0f0)
	CHECK_RR(26, and, 0xf000f000f000f000, 0xff00ff00ff00ff00, 0xf0f0f0f0f0f0f0f0)
	CHECK_RI(30, addi, 0x7ffffffffffff7ff, 0x7fffffffffffffff, -2048)
	CHECK_RI(31, addiw, 0xffffffff80000000, 0x7fffffff, 1)
	CHECK_RI(32, addiw, 0xffffffff9abcdef0, 0x123456789abcdef0, 0)
	CHECK_RI(33, slti, 1, -2049, -2048)
	CHECK_RI(34, sltiu, 1, 5, -1)
	CHECK_RI(35, sltiu, 0, 0, 0)
	CHECK_RI(36, xori, -1, 0x7ff, -2048)
	CHECK_RI(37, ori, 0xfffffffffffffff1, 0xf1, -16)
	CHECK_RI(38, andi, 0xf0, 0xff, -16)
	CHECK_RI(39, slli, 0xfffffffe00000000, -1, 33)
	CHECK_RI(40, srli, 0x7fffffff, -1, 33)
	CHECK_RI(41, srai, -1, 0x8000000000000000, 63)
	CHECK_RI(42, slliw, 0xffffffff80000000, 0x100000001, 31)
	CHECK_RI(43, srliw, 1, 0xffffffff80000000, 31)
	CHECK_RI(44, sraiw, -1, 0x80000000, 31)
	CHECK(45, a0, 0xffffffff80000000, lui a0, 0x80000)
	CHECK(46, a0, 0x7ffff000, lui a0, 0x7ffff)
	CHECK(47, a0, 0xfff, .option push; .option norvc; auipc a0, 1; auipc a1, 0; .option pop; sub a0, a0, a1; addi a0, a0, 3)
	CHECK(48, zero, 0, li a0, 5; add zero, a0, a0)

	CHECK_TAKEN(50, beq, -1, -1)
	CHECK_NOT_TAKEN(51, beq, 0, 1)
	CHECK_TAKEN(52, bne, 0, 1)
	CHECK_NOT_TAKEN(53, bne, 1, 1)
	CHECK_TAKEN(54, blt, -1, 0)
	CHECK_NOT_TAKEN(55, blt, 0, -1)
	CHECK_NOT_TAKEN(56, blt, 3, 3)
	CHECK_TAKEN(57, bge, 3, 3)
	CHECK_NOT_TAKEN(58, bge, -1, 0)
	CHECK_TAKEN(59, bltu, 0, -1)
	CHECK_NOT_TAKEN(60, bltu, -1, 0)
	CHECK_TAKEN(61, bgeu, -1, 0)
	CHECK_NOT_TAKEN(62, bgeu, 0, -1)
	/* The target's last bit is cleared; the link is read after the target. */
	CHECK(63, a0, 1, li a0, 0; la a1, 1f + 1; jalr a1, 0(a1); j fail; 1: li a0, 1)
	CHECK(64, a0, 0, la a0, 1f; la a1, 2f; jalr a1, 0(a1); 1: j fail; 2: sub a0, a0, a1)
	CHECK(65, a0, 0, jal a0, 1f; 2: j fail; 1: la a1, 2b; sub a0, a0, a1)

	la	s0, numbers
	CHECK(70, a0, -1, lb a0, 0(s0))
	CHECK(71, a0, 0xff, lbu a0, 0(s0))
	CHECK(72, a0, 0xffffffffffffff00, lh a0, -1(s0))
	CHECK(73, a0, 0xff00, lhu a0, -1(s0))
	CHECK(74, a0, 0xfffffffff0f0f0ff, lw a0, 0(s0))
	CHECK(75, a0, 0xf0f0f0ff, lwu a0, 0(s0))
	CHECK(76, a0, 0x12345678f0f0f0ff, ld a0, 0(s0))
	CHECK(77, a0, 0x0f12345678f0f0f0, ld a0, 1(s0))
	la	s1, written
	CHECK(78, a0, 0x00000000000000aa, li a1, -86; sd zero, 0(s1); sb a1, 0(s1); ld a0, 0(s1))
	CHECK(79, a0, 0x000000ffffaa0000, li a1, -86; sd zero, 0(s1); sh a1, 2(s1); sb a1, 2(s1); li a1, -1; sh a1, 3(s1); ld a0, 0(s1))
	CHECK(80, a0, 0x00ffffffff000000, li a1, -1; sd zero, 0(s1); sw a1, 3(s1); ld a0, 0(s1))
	CHECK(81, a0, 0x0123456789abcdef, li a1, 0x0123456789abcdef; sd a1, 5(s1); ld a0, 5(s1))
	/* Over the end of a page. */
	la	s2, page_end
	CHECK(82, a0, 0x0123456789abcdef, li a1, 0x0123456789abcdef; sd a1, -3(s2); ld a0, -3(s2))
	CHECK(83, a0, 0xffffffffffff89ab, lh a0, -1(s2))

	CHECK_RR(90, mul, 0xffffffff80000000, -1, 0x80000000)
	CHECK_RR(91, mul, 1, -1, -1)
	CHECK_RR(92, mulh, 0, -1, -1)
	CHECK_RR(93, mulh, 0x4000000000000000, 0x8000000000000000, 0x8000000000000000)
	CHECK_RR(94, mulhu, 0xfffffffffffffffe, -1, -1)
	CHECK_RR(95, mulhsu, -1, -1, -1)
	CHECK_RR(96, mulhsu, 0x8000000000000000, 0x8000000000000000, -1)
	CHECK_RR(97, mulw, 0xfffffffffffffffe, 0x7fffffff, 2)
	CHECK_RR(98, div, -3, -20, 6)
	CHECK_RR(99, div, -1, 7, 0)
	CHECK_RR(100, div, 0x8000000000000000, 0x8000000000000000, -1)
	CHECK_RR(101, divu, 3074457345618258599, -20, 6)
	CHECK_RR(102, divu, -1, 7, 0)
	CHECK_RR(103, rem, -2, -20, 6)
	CHECK_RR(104, rem, 7, 7, 0)
	CHECK_RR(105, rem, 0, 0x8000000000000000, -1)
	CHECK_RR(106, remu, 2, -20, 6)
	CHECK_RR(107, remu, 7, 7, 0)
	CHECK_RR(108, divw, 0xffffffff80000000, 0x80000000, -1)
	CHECK_RR(109, divw, -1, 0x700000000, 0)
	CHECK_RR(110, divuw, -1, 5, 0)
	CHECK_RR(111, divuw, 0x2aaaaaa7, -20, 6)
	CHECK_RR(112, remw, 0xffffffffffffffff, 0xffffffff, 0)
	CHECK_RR(113, remw, 0, 0x80000000, -1)
	CHECK_RR(114, remuw, 0xffffffff80000000, 0x80000000, 0)
	CHECK_RR(115, remuw, 2, -20, 6)

	/* Code that is written is executed. */
	CHECK(120, a0, 7, lw a1, patch; la a2, patched; sw a1, 0(a2); fence.i; li a0, 3; call patched)
	END

	.balign	4
	.option	push
	.option	norvc
patch:
	addi	a0, a0, 4
patched:
	addi	a0, a0, 40
	ret
	.option	pop

	.data
	.balign	8
	.byte	0, 0, 0, 0, 0, 0, 0, 0
numbers:
	.dword	0x12345678f0f0f0ff
	.dword	0x0f0f0f0f0f0f0f0f
written:
	.space	16
	.balign	4096
	.space	4096
page_end:
	.space	4096

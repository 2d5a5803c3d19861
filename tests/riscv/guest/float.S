/* SPDX-License-Identifier: MIT */
/* F and D: results, flags, boxing, rounding. Numbers are patterns of bits. */
#include "check.inc"

#define NX 1
#define UF 2
#define OF 4
#define DZ 8
#define NV 16

/* The code leaves its result in fa0, or in a0 where it is an integer. */
#define CHECK_S(number, value, flags, a, b, ...) \
	CHECK(number, a0, value, li a1, a; fmv.w.x fa1, a1; li a2, b; fmv.w.x fa2, a2; \
		fsflags zero; __VA_ARGS__; fmv.x.w a0, fa0; slli a0, a0, 32; srli a0, a0, 32); \
	CHECK(number, a1, flags, frflags a1)
#define CHECK_D(number, value, flags, a, b, ...) \
	CHECK(number, a0, value, li a1, a; fmv.d.x fa1, a1; li a2, b; fmv.d.x fa2, a2; \
		fsflags zero; __VA_ARGS__; fmv.x.d a0, fa0); \
	CHECK(number, a1, flags, frflags a1)
#define CHECK_S_TO_X(number, value, flags, a, b, ...) \
	CHECK(number, a0, value, li a1, a; fmv.w.x fa1, a1; li a2, b; fmv.w.x fa2, a2; \
		fsflags zero; __VA_ARGS__); \
	CHECK(number, a1, flags, frflags a1)
#define CHECK_D_TO_X(number, value, flags, a, b, ...) \
	CHECK(number, a0, value, li a1, a; fmv.d.x fa1, a1; li a2, b; fmv.d.x fa2, a2; \
		fsflags zero; __VA_ARGS__); \
	CHECK(number, a1, flags, frflags a1)

#define ONE_S 0x3f800000
#define TWO_S 0x40000000
#define INF_S 0x7f800000
#define NAN_S 0x7fc00000
#define ONE_D 0x3ff0000000000000
#define TWO_D 0x4000000000000000
#define THREE_D 0x4008000000000000
#define INF_D 0x7ff0000000000000
#define NAN_D 0x7ff8000000000000

	.text
	.globl test
test:
	fscsr	zero
	CHECK_S(2, 0x40400000, 0, ONE_S, TWO_S, fadd.s fa0, fa1, fa2)
	CHECK_S(3, ONE_S, NX, ONE_S, 0x33000000, fadd.s fa0, fa1, fa2)
	CHECK_S(4, 0x3f800001, NX, ONE_S, 0x33000000, fadd.s fa0, fa1, fa2, rup)
	CHECK_S(5, ONE_S, NX, ONE_S, 0x33800000, fadd.s fa0, fa1, fa2, rne)
	CHECK_S(6, 0x3f800001, NX, ONE_S, 0x33800000, fadd.s fa0, fa1, fa2, rmm)
	CHECK_S(7, ONE_S, NX, ONE_S, 0x33ffffff, fadd.s fa0, fa1, fa2, rtz)
	CHECK_S(8, NAN_S, NV, INF_S, INF_S, fsub.s fa0, fa1, fa2)
	CHECK_S(9, 0, 0, ONE_S, ONE_S, fsub.s fa0, fa1, fa2)
	CHECK_S(10, 0x80000000, 0, ONE_S, ONE_S, fsub.s fa0, fa1, fa2, rdn)
	CHECK_S(11, INF_S, OF | NX, 0x7f7fffff, TWO_S, fmul.s fa0, fa1, fa2)
	CHECK_S(12, 0x7f7fffff, OF | NX, 0x7f7fffff, TWO_S, fmul.s fa0, fa1, fa2, rtz)
	CHECK_S(13, 0, UF | NX, 0x00000001, 0x3e800000, fmul.s fa0, fa1, fa2)
	CHECK_S(14, INF_S, DZ, ONE_S, 0, fdiv.s fa0, fa1, fa2)
	CHECK_S(15, NAN_S, NV, 0, 0, fdiv.s fa0, fa1, fa2)
	CHECK_S(16, 0x3eaaaaab, NX, ONE_S, 0x40400000, fdiv.s fa0, fa1, fa2)
	CHECK_S(17, 0x3fb504f3, NX, TWO_S, 0, fsqrt.s fa0, fa1)
	CHECK_S(18, NAN_S, NV, 0xbf800000, 0, fsqrt.s fa0, fa1)
	CHECK_S(19, 0x80000000, 0, 0x80000000, 0, fsqrt.s fa0, fa1)
	CHECK_S(20, NAN_S, 0, 0x7fffffff, ONE_S, fadd.s fa0, fa1, fa2)
	CHECK_S(21, NAN_S, NV, 0x7f800001, ONE_S, fadd.s fa0, fa1, fa2)
	CHECK_S(22, 0x40a00000, 0, TWO_S, ONE_S, fmadd.s fa0, fa1, fa1, fa2)
	CHECK_S(23, 0x40400000, 0, TWO_S, ONE_S, fmsub.s fa0, fa1, fa1, fa2)
	CHECK_S(24, 0xc0400000, 0, TWO_S, ONE_S, fnmsub.s fa0, fa1, fa1, fa2)
	CHECK_S(25, 0xc0a00000, 0, TWO_S, ONE_S, fnmadd.s fa0, fa1, fa1, fa2)
	CHECK_S(26, NAN_S, NV, INF_S, NAN_S, fmv.w.x fa3, zero; fmadd.s fa0, fa1, fa3, fa2)
	CHECK_S(27, 0x80000000, 0, 0x80000000, 0, fmin.s fa0, fa2, fa1)
	CHECK_S(28, 0, 0, 0x80000000, 0, fmax.s fa0, fa1, fa2)
	CHECK_S(29, ONE_S, NV, 0x7f800001, ONE_S, fmin.s fa0, fa1, fa2)
	CHECK_S(30, NAN_S, 0, NAN_S, 0x7fffffff, fmax.s fa0, fa1, fa2)
	CHECK_S(31, 0xbf800000, 0, ONE_S, 0x80000000, fsgnj.s fa0, fa1, fa2)
	CHECK_S(32, ONE_S, 0, ONE_S, 0x80000000, fsgnjn.s fa0, fa1, fa2)
	CHECK_S(33, 0xff800001, 0, 0x7f800001, 0x80000000, fsgnjx.s fa0, fa1, fa2)
	CHECK_S_TO_X(34, 1, 0, 0, 0x80000000, feq.s a0, fa1, fa2)
	CHECK_S_TO_X(35, 0, 0, NAN_S, 0, feq.s a0, fa1, fa2)
	CHECK_S_TO_X(36, 0, NV, 0x7f800001, 0, feq.s a0, fa1, fa2)
	CHECK_S_TO_X(37, 0, NV, NAN_S, 0, flt.s a0, fa1, fa2)
	CHECK_S_TO_X(38, 1, 0, 0xff800000, INF_S, flt.s a0, fa1, fa2)
	CHECK_S_TO_X(39, 0, NV, 0, NAN_S, fle.s a0, fa1, fa2)
	CHECK_S_TO_X(40, 1, 0, ONE_S, ONE_S, fle.s a0, fa1, fa2)
	CHECK_S_TO_X(41, 1 << 0, 0, 0xff800000, 0, fclass.s a0, fa1)
	CHECK_S_TO_X(42, 1 << 1, 0, 0xbf800000, 0, fclass.s a0, fa1)
	CHECK_S_TO_X(43, 1 << 2, 0, 0x807fffff, 0, fclass.s a0, fa1)
	CHECK_S_TO_X(44, 1 << 3, 0, 0x80000000, 0, fclass.s a0, fa1)
	CHECK_S_TO_X(45, 1 << 4, 0, 0, 0, fclass.s a0, fa1)
	CHECK_S_TO_X(46, 1 << 5, 0, 1, 0, fclass.s a0, fa1)
	CHECK_S_TO_X(47, 1 << 6, 0, 0x00800000, 0, fclass.s a0, fa1)
	CHECK_S_TO_X(48, 1 << 7, 0, INF_S, 0, fclass.s a0, fa1)
	CHECK_S_TO_X(49, 1 << 8, 0, 0x7f800001, 0, fclass.s a0, fa1)
	CHECK_S_TO_X(50, 1 << 9, 0, NAN_S, 0, fclass.s a0, fa1)
	CHECK_S_TO_X(51, -1, NX, 0xbf8ccccd, 0, fcvt.w.s a0, fa1, rtz)
	CHECK_S_TO_X(52, -2, NX, 0xbf8ccccd, 0, fcvt.w.s a0, fa1, rdn)
	CHECK_S_TO_X(53, 0x7fffffff, NV, 0x4f000000, 0, fcvt.w.s a0, fa1)
	CHECK_S_TO_X(54, 0xffffffff80000000, 0, 0xcf000000, 0, fcvt.w.s a0, fa1)
	CHECK_S_TO_X(55, 0x7fffffff, NV, 0xffc00000, 0, fcvt.w.s a0, fa1)
	CHECK_S_TO_X(56, 0, NV, 0xbf800000, 0, fcvt.wu.s a0, fa1)
	CHECK_S_TO_X(57, 0, NX, 0xbf666666, 0, fcvt.wu.s a0, fa1, rtz)
	CHECK_S_TO_X(58, 0xffffffff80000000, 0, 0x4f000000, 0, fcvt.wu.s a0, fa1)
	CHECK_S_TO_X(59, -1, NV, INF_S, 0, fcvt.wu.s a0, fa1)
	CHECK_S_TO_X(60, 0x8000000000000000, NV, 0xff800000, 0, fcvt.l.s a0, fa1)
	CHECK_S_TO_X(61, 0x4000000000000000, 0, 0x5e800000, 0, fcvt.lu.s a0, fa1)
	CHECK_S_TO_X(62, 2, NX, 0x3fc00000, 0, fcvt.l.s a0, fa1)
	CHECK_S_TO_X(63, 2, NX, 0x40200000, 0, fcvt.l.s a0, fa1, rne)
	CHECK_S_TO_X(64, 3, NX, 0x40200000, 0, fcvt.l.s a0, fa1, rmm)
	CHECK_S(65, 0xc0000000, 0, 0, 0, li a0, -2; fcvt.s.w fa0, a0)
	CHECK_S(66, 0x4f800000, NX, 0, 0, li a0, -2; fcvt.s.wu fa0, a0)
	CHECK_S(67, 0x4f7fffff, NX, 0, 0, li a0, -2; fcvt.s.wu fa0, a0, rtz)
	CHECK_S(68, 0x5f800000, NX, 0, 0, li a0, -2; fcvt.s.lu fa0, a0)
	CHECK_S(69, 0xc0000000, 0, 0, 0, li a0, -2; fcvt.s.l fa0, a0)

	CHECK_D(80, 0x3ff0000000000001, NX, ONE_D, 0x3c90000000000000, fadd.d fa0, fa1, fa2, rup)
	CHECK_D(81, 0x3ff8000000000000, 0, THREE_D, TWO_D, fdiv.d fa0, fa1, fa2)
	CHECK_D(82, 0x3fd5555555555555, NX, ONE_D, THREE_D, fdiv.d fa0, fa1, fa2)
	CHECK_D(83, 0x3ff6a09e667f3bcd, NX, TWO_D, 0, fsqrt.d fa0, fa1)
	CHECK_D(84, 0x4018000000000000, 0, TWO_D, THREE_D, fmul.d fa0, fa1, fa2)
	CHECK_D(85, 0xbff0000000000000, 0, TWO_D, THREE_D, fsub.d fa0, fa1, fa2)
	CHECK_D(86, 0x401c000000000000, 0, TWO_D, THREE_D, fmadd.d fa0, fa1, fa1, fa2)
	CHECK_D(87, ONE_D, 0, TWO_D, THREE_D, fmsub.d fa0, fa1, fa1, fa2)
	CHECK_D(88, 0xbff0000000000000, 0, TWO_D, THREE_D, fnmsub.d fa0, fa1, fa1, fa2)
	CHECK_D(89, 0xc01c000000000000, 0, TWO_D, THREE_D, fnmadd.d fa0, fa1, fa1, fa2)
	CHECK_D(90, 0x3cb0000000000000, 0, 0x3ff0000000000001, 0xbff0000000000000, fadd.d fa0, fa1, fa2)
	/* Tiny, and tiny before rounding but not after it. */
	CHECK_D(91, 0x0010000000000000, UF | NX, 0x001fffffffffffff, 0x3fe0000000000000, fmul.d fa0, fa1, fa2, rup)
	CHECK_D(92, 0x0010000000000000, NX, 0x000fffffffffffff, 0x3ff0000000000001, fmul.d fa0, fa1, fa2, rup)
	CHECK_D(93, NAN_D, NV, 0x7ff0000000000001, 0, fmax.d fa0, fa1, fa1)
	CHECK_D(94, ONE_D, 0, ONE_D, NAN_D, fmin.d fa0, fa1, fa2)
	CHECK_D(95, 0xbff0000000000000, 0, ONE_D, ONE_D, fsgnjn.d fa0, fa1, fa2)
	CHECK_D_TO_X(96, 1, 0, ONE_D, TWO_D, flt.d a0, fa1, fa2)
	CHECK_D_TO_X(97, 1 << 5, 0, 1, 0, fclass.d a0, fa1)
	CHECK_D_TO_X(98, 0x7fffffffffffffff, NV, 0x43e0000000000000, 0, fcvt.l.d a0, fa1)
	CHECK_D_TO_X(99, 0x8000000000000000, 0, 0x43e0000000000000, 0, fcvt.lu.d a0, fa1)
	CHECK_D_TO_X(100, -1, NV, 0x43f0000000000000, 0, fcvt.lu.d a0, fa1)
	CHECK_D_TO_X(101, 0xffffffffffffffff, NX, 0x41efffffffeccccd, 0, fcvt.wu.d a0, fa1, rtz)
	CHECK_D(102, 0xc1e0000000000000, 0, 0, 0, li a0, 0x80000000; fcvt.d.w fa0, a0)
	CHECK_D(103, 0x41e0000000000000, 0, 0, 0, li a0, 0x80000000; fcvt.d.wu fa0, a0)
	CHECK_D(104, 0x43f0000000000000, NX, 0, 0, li a0, -1; fcvt.d.lu fa0, a0)
	CHECK_D(105, 0x43efffffffffffff, NX, 0, 0, li a0, -1; fcvt.d.lu fa0, a0, rdn)
	CHECK_D(106, 0xbff0000000000000, 0, 0, 0, li a0, -1; fcvt.d.l fa0, a0)
	CHECK_S(107, 0x3f800000, NX, 0, 0, li a0, 0x3ff0000010000000; fmv.d.x fa1, a0; fcvt.s.d fa0, fa1)
	CHECK_S(108, NAN_S, NV, 0, 0, li a0, 0x7ff0000000000001; fmv.d.x fa1, a0; fcvt.s.d fa0, fa1)
	CHECK_D(109, 0x36a0000000000000, 0, 0, 0, li a0, 1; fmv.w.x fa1, a0; fcvt.d.s fa0, fa1)

	/* What is not boxed is a NaN; what is loaded is. */
	CHECK_S(120, NAN_S, 0, 0, ONE_S, li a0, 0x3f800000; fmv.d.x fa1, a0; fadd.s fa0, fa1, fa2)
	CHECK(121, a0, 0xffffffff3f800000, li a0, 0x3f800000; fmv.w.x fa0, a0; fmv.x.d a0, fa0)
	CHECK(122, a0, 0xffffffff80000001, li a0, 0x80000001; fmv.d.x fa0, a0; fmv.x.w a0, fa0)
	la	s0, memory
	CHECK(123, a0, 0xffffffff3f800000, flw fa0, 4(s0); fmv.x.d a0, fa0)
	CHECK(124, a0, 0x3f80000012345678, fld fa0, 0(s0); fsd fa0, 8(s0); ld a0, 8(s0))
	CHECK(125, a0, 0x12345678, fld fa0, 0(s0); sd zero, 16(s0); fsw fa0, 16(s0); ld a0, 16(s0))
	CHECK(126, a0, 0x7f800001, li a0, 0x7f800001; fmv.w.x fa0, a0; fsgnj.s fa0, fa0, fa0; fsw fa0, 16(s0); lwu a0, 16(s0))

	/* The mode of fcsr. */
	CHECK(130, a0, 0x3f800001, fsrmi 3; li a0, ONE_S; fmv.w.x fa0, a0; li a0, 0x33000000; fmv.w.x fa1, a0; fadd.s fa0, fa0, fa1; fmv.x.w a0, fa0)
	CHECK(131, a0, 0x61, frcsr a0)
	CHECK(132, a0, 0xff, li a0, -1; fscsr a0; frcsr a0)
	CHECK(133, a0, 7, fsrmi a0, 0)
	CHECK(134, a0, 31, fsflagsi a0, 0)
	CHECK(135, a0, 0, frcsr a0)
	END

	.data
	.balign	8
memory:
	.dword	0x3f80000012345678
	.space	32

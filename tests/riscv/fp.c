/* SPDX-License-Identifier: MIT */
/*
 * Floating point: every operation in every rounding mode on numbers of all kinds, the result and
 * the flags as unicorn (QEMU's processor as a library) has them, and the host's arithmetic as that
 * in integers.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unicorn/unicorn.h>
#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#include "fp.h"
#include "fp_soft.h"
#include "isa.h"
#include "random.h"
#include "unicorn_differs.h"

/* What the guest's program reads and writes for each case. */
struct operands {
	uint64_t a, b, c, result, flags;
};

enum { CASES = 5000, MODES = 5 };
static const uint64_t code_at = 0x10000, data_at = 0x100000;

/* Registers of the guest. */
enum { ZERO = 0, T0 = 5, A0 = 10, A1 = 11, A2 = 12, A3 = 13 };

static uint64_t boxed(uint32_t bits) {
	return 0xffffffff00000000u | bits;
}

/* What the operation is of this library. */
static uint64_t compute(enum rv_op op, const struct operands *in, unsigned rm, uint32_t *flags) {
	const uint64_t a = in->a, b = in->b, c = in->c;
	const uint32_t a32 = (uint32_t)a, b32 = (uint32_t)b, c32 = (uint32_t)c;
	const uint32_t minus32 = 1u << 31;
	const uint64_t minus64 = 1ull << 63;
	switch (op) {
	case RV_OP_FADD_S:
		return boxed(rv_f32_add(a32, b32, rm, flags));
	case RV_OP_FSUB_S:
		return boxed(rv_f32_sub(a32, b32, rm, flags));
	case RV_OP_FMUL_S:
		return boxed(rv_f32_mul(a32, b32, rm, flags));
	case RV_OP_FDIV_S:
		return boxed(rv_f32_div(a32, b32, rm, flags));
	case RV_OP_FSQRT_S:
		return boxed(rv_f32_sqrt(a32, rm, flags));
	case RV_OP_FMADD_S:
		return boxed(rv_f32_fma(a32, b32, c32, rm, flags));
	case RV_OP_FMSUB_S:
		return boxed(rv_f32_fma(a32, b32, c32 ^ minus32, rm, flags));
	case RV_OP_FNMSUB_S:
		return boxed(rv_f32_fma(a32 ^ minus32, b32, c32, rm, flags));
	case RV_OP_FNMADD_S:
		return boxed(rv_f32_fma(a32 ^ minus32, b32, c32 ^ minus32, rm, flags));
	case RV_OP_FMIN_S:
		return boxed(rv_f32_min(a32, b32, flags));
	case RV_OP_FMAX_S:
		return boxed(rv_f32_max(a32, b32, flags));
	case RV_OP_FEQ_S:
		return rv_f32_eq(a32, b32, flags);
	case RV_OP_FLT_S:
		return rv_f32_lt(a32, b32, flags);
	case RV_OP_FLE_S:
		return rv_f32_le(a32, b32, flags);
	case RV_OP_FCLASS_S:
		return rv_f32_class(a32);
	case RV_OP_FCVT_S_D:
		return boxed(rv_f32_from_f64(a, rm, flags));
	case RV_OP_FCVT_W_S:
		return rv_f32_to_i32(a32, rm, flags);
	case RV_OP_FCVT_WU_S:
		return rv_f32_to_u32(a32, rm, flags);
	case RV_OP_FCVT_L_S:
		return rv_f32_to_i64(a32, rm, flags);
	case RV_OP_FCVT_LU_S:
		return rv_f32_to_u64(a32, rm, flags);
	case RV_OP_FCVT_S_W:
		return boxed(rv_f32_from_i32((int32_t)a, rm, flags));
	case RV_OP_FCVT_S_WU:
		return boxed(rv_f32_from_u32(a32, rm, flags));
	case RV_OP_FCVT_S_L:
		return boxed(rv_f32_from_i64((int64_t)a, rm, flags));
	case RV_OP_FCVT_S_LU:
		return boxed(rv_f32_from_u64(a, rm, flags));
	case RV_OP_FADD_D:
		return rv_f64_add(a, b, rm, flags);
	case RV_OP_FSUB_D:
		return rv_f64_sub(a, b, rm, flags);
	case RV_OP_FMUL_D:
		return rv_f64_mul(a, b, rm, flags);
	case RV_OP_FDIV_D:
		return rv_f64_div(a, b, rm, flags);
	case RV_OP_FSQRT_D:
		return rv_f64_sqrt(a, rm, flags);
	case RV_OP_FMADD_D:
		return rv_f64_fma(a, b, c, rm, flags);
	case RV_OP_FMSUB_D:
		return rv_f64_fma(a, b, c ^ minus64, rm, flags);
	case RV_OP_FNMSUB_D:
		return rv_f64_fma(a ^ minus64, b, c, rm, flags);
	case RV_OP_FNMADD_D:
		return rv_f64_fma(a ^ minus64, b, c ^ minus64, rm, flags);
	case RV_OP_FMIN_D:
		return rv_f64_min(a, b, flags);
	case RV_OP_FMAX_D:
		return rv_f64_max(a, b, flags);
	case RV_OP_FEQ_D:
		return rv_f64_eq(a, b, flags);
	case RV_OP_FLT_D:
		return rv_f64_lt(a, b, flags);
	case RV_OP_FLE_D:
		return rv_f64_le(a, b, flags);
	case RV_OP_FCLASS_D:
		return rv_f64_class(a);
	case RV_OP_FCVT_D_S:
		return rv_f64_from_f32(a32, flags);
	case RV_OP_FCVT_W_D:
		return rv_f64_to_i32(a, rm, flags);
	case RV_OP_FCVT_WU_D:
		return rv_f64_to_u32(a, rm, flags);
	case RV_OP_FCVT_L_D:
		return rv_f64_to_i64(a, rm, flags);
	case RV_OP_FCVT_LU_D:
		return rv_f64_to_u64(a, rm, flags);
	case RV_OP_FCVT_D_W:
		return rv_f64_from_i32((int32_t)a, flags);
	case RV_OP_FCVT_D_WU:
		return rv_f64_from_u32(a32, flags);
	case RV_OP_FCVT_D_L:
		return rv_f64_from_i64((int64_t)a, rm, flags);
	case RV_OP_FCVT_D_LU:
		return rv_f64_from_u64(a, rm, flags);
	default:
		fail_msg("%s is computed by nobody", rv_mnemonic(op));
		return 0;
	}
}

/* What is newer than unicorn. */
static void as_the_manual_says(
	enum rv_op op, const struct operands *in, uint64_t result, uint32_t flags) {
	const bool single = takes_single(op);
	uint64_t expected = single ? boxed(RV_F32_NAN) : RV_F64_NAN;
	if (is_min_or_max(op)) {
		const unsigned a = single ? rv_f32_class((uint32_t)in->a) : rv_f64_class(in->a);
		expected = a >> 8 ? in->b : in->a;
	}
	assert_int_equal(result, expected);
	assert_int_equal(flags, RV_NV);
}

static void make_operands(enum rv_op op, struct operands *all) {
	const bool single = takes_single(op);
	const bool integer = rv_format(op) == RV_FORMAT_X_TO_FP;
	const uint64_t sign = single ? 1ull << 31 : 1ull << 63;
	for (unsigned i = 0; i < CASES; i++) {
		struct operands *in = &all[i];
		uint64_t *const each[] = {&in->a, &in->b, &in->c};
		for (unsigned n = 0; n < 3; n++)
			*each[n] = integer ? random_integer()
				: single   ? random_f32()
					   : random_f64();
		/* Close to one another, of either sign; a sum close to 0 and to the half of a bit.
		 */
		if (i % 4 == 1)
			in->b = (in->a ^ (next_random() & sign)) + random_below(3);
		uint32_t flags = 0;
		if (i % 4 == 2)
			in->c = sign ^
				(single ? boxed(rv_f32_mul(
						  (uint32_t)in->a, (uint32_t)in->b, RV_RNE, &flags))
					: rv_f64_mul(in->a, in->b, RV_RNE, &flags));
		if (single && !integer)
			in->b |= boxed(0);
	}
}

/* for each of the operands: loads, fcsr = 0, the operation, stores */
static size_t make_program(enum rv_op op, unsigned rm, uint32_t *code) {
	const enum rv_format format = rv_format(op);
	const bool from_x = format == RV_FORMAT_X_TO_FP;
	const bool to_x = format == RV_FORMAT_FP_TO_X || format == RV_FORMAT_FP_TO_X_EXACT ||
		format == RV_FORMAT_FP_COMPARE;
	const uint32_t mask = patterns[op - 1].mask;
	size_t n = 0;
	code[n++] = instruction(from_x ? RV_OP_LD : RV_OP_FLD, A1, A0, 0) | immediate_i(0);
	code[n++] = instruction(RV_OP_FLD, A2, A0, 0) | immediate_i(8);
	code[n++] = instruction(RV_OP_FLD, A3, A0, 0) | immediate_i(16);
	/* The dynamic rounding mode for every other one. */
	code[n++] = instruction(RV_OP_CSRRWI, ZERO, 0, 0) | immediate_i(3);
	code[n++] = instruction(RV_OP_CSRRW, ZERO, T0, 0) | immediate_i(2);
	uint32_t operation = instruction(op, A1, A1, 0);
	if (!(mask & 0x01f00000))
		operation |= A2 << 20;
	if (format == RV_FORMAT_FP4)
		operation |= (uint32_t)A3 << 27;
	if (!(mask & 0x7000))
		operation |= (rm & 1 ? rm : RV_DYN) << 12;
	code[n++] = operation;
	code[n++] = instruction(RV_OP_CSRRS, T0 + 1, 0, 0) | immediate_i(1);
	code[n++] = instruction(to_x ? RV_OP_SD : RV_OP_FSD, 0, A0, A1) | immediate_s(24);
	code[n++] = instruction(RV_OP_SD, 0, A0, T0 + 1) | immediate_s(32);
	code[n++] = instruction(RV_OP_ADDI, A0, A0, 0) | immediate_i(sizeof(struct operands));
	code[n] = instruction(RV_OP_BNE, 0, A0, T0 + 2) | immediate_b(-4 * (int32_t)n);
	return (n + 1) * 4;
}

static uc_engine *open_unicorn(void) {
	uc_engine *uc;
	assert_int_equal(uc_open(UC_ARCH_RISCV, UC_MODE_RISCV64, &uc), UC_ERR_OK);
	assert_int_equal(uc_mem_map(uc, code_at, 0x1000, UC_PROT_ALL), UC_ERR_OK);
	const size_t size = (CASES * sizeof(struct operands) + 0xfff) & ~0xfffull;
	assert_int_equal(uc_mem_map(uc, data_at, size, UC_PROT_ALL), UC_ERR_OK);
	/* FS: on. */
	uint64_t mstatus;
	uc_reg_read(uc, UC_RISCV_REG_MSTATUS, &mstatus);
	mstatus |= 3 << 13;
	assert_int_equal(uc_reg_write(uc, UC_RISCV_REG_MSTATUS, &mstatus), UC_ERR_OK);
	return uc;
}

static void operations_as_unicorn(void **state) {
	uc_engine *uc = open_unicorn();
	struct operands *all = calloc(CASES, sizeof *all);
	assert_non_null(all);
	size_t compared = 0, different = 0;
	for (unsigned op = RV_OP_FMADD_S; op <= RV_OP_FMV_D_X; op++) {
		const enum rv_format format = rv_format(op);
		if ((format == RV_FORMAT_FP3_EXACT && !is_min_or_max(op)) ||
			format == RV_FORMAT_X_TO_FP_EXACT || op == RV_OP_FMV_X_W ||
			op == RV_OP_FMV_X_D)
			continue;
		const bool rounds = !(patterns[op - 1].mask & 0x7000);
		for (uint64_t rm = 0; rm < (rounds ? MODES : 1); rm++) {
			uint32_t code[16];
			const size_t size = make_program(op, (unsigned)rm, code);
			make_operands(op, all);
			uc_mem_write(uc, code_at, code, size);
			uc_mem_write(uc, data_at, all, CASES * sizeof *all);
			const uint64_t at = data_at, end = data_at + CASES * sizeof *all;
			uc_reg_write(uc, UC_RISCV_REG_A0, &at);
			uc_reg_write(uc, UC_RISCV_REG_T0, &rm);
			uc_reg_write(uc, UC_RISCV_REG_T2, &end);
			uc_ctl_remove_cache(uc, code_at, code_at + size);
			assert_int_equal(
				uc_emu_start(uc, code_at, code_at + size, 0, 0), UC_ERR_OK);
			uc_mem_read(uc, data_at, all, CASES * sizeof *all);
			for (unsigned i = 0; i < CASES; i++) {
				uint32_t flags = 0;
				const uint64_t result = compute(op, &all[i], (unsigned)rm, &flags);
				if (gives_single(op)) {
					assert_int_equal(result >> 32, 0xffffffff);
					all[i].result = boxed((uint32_t)all[i].result);
				}
				compared++;
				if (newer_than_unicorn(op, all[i].a, all[i].b, all[i].c)) {
					as_the_manual_says(op, &all[i], result, flags);
					continue;
				}
				if (result == all[i].result && flags == all[i].flags)
					continue;
				if (different++ < 20)
					print_error("%s mode %u of %" PRIx64 " %" PRIx64 " %" PRIx64
						    ": %" PRIx64 " flags %x, unicorn %" PRIx64
						    " flags %x\n",
						rv_mnemonic(op), (unsigned)rm, all[i].a, all[i].b,
						all[i].c, result, flags, all[i].result,
						(unsigned)all[i].flags);
			}
		}
	}
	free(all);
	uc_close(uc);
	print_message("# %zu compared\n", compared);
	assert_int_equal(different, 0);
}

#ifdef __x86_64__
/* The host's instructions and those in integers; the host's own modes and flags stay as they were,
 * and do not matter. */
static void host_as_integers(void **state) {
	const unsigned before = _mm_getcsr();
	_MM_SET_ROUNDING_MODE(_MM_ROUND_UP);
	_MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
	_MM_SET_EXCEPTION_STATE(_MM_EXCEPT_OVERFLOW);
	const unsigned during = _mm_getcsr();
	for (unsigned n = 0; n < 100000; n++) {
		struct operands in = {random_f64(), random_f64(), random_f64()};
		const uint32_t a = (uint32_t)random_f32(), b = (uint32_t)random_f32(),
			       c = (uint32_t)random_f32();
		const unsigned rm = n % MODES;
		uint32_t host = 0, soft = 0;
#define EQUAL(x, y)                                                                                \
	do {                                                                                       \
		assert_int_equal(x, y);                                                            \
		assert_int_equal(host, soft);                                                      \
	} while (0)
		EQUAL(rv_f64_add(in.a, in.b, rm, &host),
			rv_soft_add(&rv_f64, in.a, in.b, rm, &soft));
		EQUAL(rv_f64_mul(in.a, in.b, rm, &host),
			rv_soft_mul(&rv_f64, in.a, in.b, rm, &soft));
		host = soft = 0;
		EQUAL(rv_f64_div(in.a, in.b, rm, &host),
			rv_soft_div(&rv_f64, in.a, in.b, rm, &soft));
		EQUAL(rv_f64_sqrt(in.a, rm, &host), rv_soft_sqrt(&rv_f64, in.a, rm, &soft));
		host = soft = 0;
		EQUAL(rv_f64_fma(in.a, in.b, in.c, rm, &host),
			rv_soft_fma(&rv_f64, in.a, in.b, in.c, rm, &soft));
		host = soft = 0;
		EQUAL(rv_f32_from_f64(in.a, rm, &host),
			rv_soft_convert(&rv_f32, &rv_f64, in.a, rm, &soft));
		host = soft = 0;
		EQUAL(rv_f32_add(a, b, rm, &host), rv_soft_add(&rv_f32, a, b, rm, &soft));
		EQUAL(rv_f32_mul(a, b, rm, &host), rv_soft_mul(&rv_f32, a, b, rm, &soft));
		host = soft = 0;
		EQUAL(rv_f32_div(a, b, rm, &host), rv_soft_div(&rv_f32, a, b, rm, &soft));
		EQUAL(rv_f32_sqrt(a, rm, &host), rv_soft_sqrt(&rv_f32, a, rm, &soft));
		host = soft = 0;
		EQUAL(rv_f32_fma(a, b, c, rm, &host), rv_soft_fma(&rv_f32, a, b, c, rm, &soft));
#undef EQUAL
	}
	const unsigned after = _mm_getcsr();
	_mm_setcsr(before);
	assert_int_equal(after, during);
}
#endif

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations_as_unicorn),
#ifdef __x86_64__
		cmocka_unit_test(host_as_integers),
#endif
	};
	return cmocka_run_group_tests_name("riscv fp", tests, NULL, NULL);
}

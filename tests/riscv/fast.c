/* SPDX-License-Identifier: MIT */
/*
 * The fast engine leaves the same state as the plain one after any number of steps, with and
 * without native code, and however they take turns: random programs, which write to their own code
 * and page tables, touch devices, cross pages, trap and change modes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "code_memory.h"
#include "csr.h"
#include "isa.h"
#include "machine.h"
#include "random.h"

/* ------------------------------------------------------------------ the machine */

#define PAGES 64u
#define RAM_SIZE (PAGES * RV_PAGE)
#define HANDLER RV_RAM_BASE
#define CODE (RV_RAM_BASE + 2 * RV_PAGE) /* some pages of instructions */
#define CODE_SIZE (4 * RV_PAGE)
#define DATA (RV_RAM_BASE + 16 * RV_PAGE)
#define TABLES (RV_RAM_BASE + 32 * RV_PAGE)
#define ALIAS 0x40000000ull /* where the same pages are once more */

struct state {
	struct rv_board board;
	struct rv_hart harts[2];
	struct rv_tlb tlbs[2];
	struct rv_clint clint;
	struct rv_plic plic;
	struct rv_uart uart;
	struct rv_virtio virtio;
	uint8_t ram[RAM_SIZE];
};

enum engine {
	PLAIN,
	THREADED,
	NATIVE,
	ENGINES,
};
static const char *const engine_names[ENGINES] = {"plain", "threaded", "native"};

static void start(struct rv_machine *m, struct state *state, unsigned harts, enum engine engine) {
	*m = (struct rv_machine){
		.board = &state->board,
		.harts = state->harts,
		.tlbs = state->tlbs,
		.clint = &state->clint,
		.plic = &state->plic,
		.uart = &state->uart,
		.virtio = &state->virtio,
		.ram = state->ram,
		.ram_size = RAM_SIZE,
		.hart_count = harts,
		.code_memory = engine == NATIVE ? code_memory : NULL,
		.code_memory_free = code_memory_free,
	};
	assert_true(rv_machine_init(m, engine == PLAIN ? &rv_engine_plain : &rv_engine_fast));
}

/* ------------------------------------------------------------------ random programs */

static uint32_t encode_i(unsigned opcode, unsigned funct, unsigned rd, unsigned rs1, unsigned imm) {
	return imm << 20 | rs1 << 15 | funct << 12 | rd << 7 | opcode;
}
static uint32_t csr_read(unsigned rd, unsigned number) {
	return encode_i(0x73, 2, rd, 0, number);
}
static uint32_t csr_write(unsigned number, unsigned rs1) {
	return encode_i(0x73, 1, 0, rs1, number);
}
static uint32_t csr_set(unsigned number, unsigned rs1) {
	return encode_i(0x73, 2, 0, rs1, number);
}
static uint32_t csr_clear(unsigned number, unsigned rs1) {
	return encode_i(0x73, 3, 0, rs1, number);
}
static uint32_t addi(unsigned rd, unsigned rs1, unsigned imm) {
	return encode_i(0x13, 0, rd, rs1, imm & 0xfff);
}
static uint32_t andi(unsigned rd, unsigned rs1, unsigned imm) {
	return encode_i(0x13, 7, rd, rs1, imm & 0xfff);
}
static uint32_t slli(unsigned rd, unsigned rs1, unsigned count) {
	return encode_i(0x13, 1, rd, rs1, count);
}
static uint32_t srli(unsigned rd, unsigned rs1, unsigned count) {
	return encode_i(0x13, 5, rd, rs1, count);
}
static uint32_t add(unsigned rd, unsigned rs1, unsigned rs2) {
	return rs2 << 20 | rs1 << 15 | rd << 7 | 0x33;
}
static uint32_t load(unsigned rd, unsigned rs1, unsigned imm) {
	return encode_i(0x03, 3, rd, rs1, imm);
}

/*
 * Traps go on somewhere in the code, two bytes after where it was; in a mode that comes from the
 * counter of cycles, at the address where that mode may execute; with some registers pointing where
 * it is worth reading and writing. mscratch points to a table of these.
 */
static void write_handler(struct state *state, bool paged) {
	uint32_t code[64];
	unsigned n = 0;
	enum {
		A = 5,
		B = 6,
		C = 7,
	};
	code[n++] = csr_read(A, RV_CSR_MEPC);
	code[n++] = addi(A, A, 2);
	code[n++] = slli(A, A, 50);
	code[n++] = srli(A, A, 50);
	code[n++] = csr_read(C, RV_CSR_MSCRATCH);
	code[n++] = csr_read(B, RV_CSR_MCYCLE);
	code[n++] = andi(B, B, 3);
	code[n++] = slli(B, B, 7);
	code[n++] = add(C, B, C);
	code[n++] = load(B, C, 0);
	code[n++] = add(A, A, B);
	code[n++] = csr_write(RV_CSR_MEPC, A);
	code[n++] = load(A, C, 8);
	code[n++] = csr_clear(RV_CSR_MSTATUS, A);
	code[n++] = load(A, C, 16);
	code[n++] = csr_set(RV_CSR_MSTATUS, A);
	code[n++] = load(A, C, 24);
	code[n++] = csr_clear(RV_CSR_MIE, A);
	for (unsigned x = 8; x < 16; x++) {
		code[n++] = load(x, C, (x - 4) * 8);
	}
	code[n++] = 0x30200073; /* mret */
	memcpy(state->ram + (HANDLER - RV_RAM_BASE), code, n * sizeof code[0]);

	const uint64_t other = paged ? ALIAS - RV_RAM_BASE : 0;
	for (uint64_t mode = 0; mode < 4; mode++) {
		const uint64_t to = mode == RV_MODE_S ? other : 0;
		const uint64_t table[] = {
			CODE + to,
			RV_STATUS_MPP | (mode == RV_MODE_S ? 0 : RV_STATUS_SUM),
			mode << RV_STATUS_MPP_SHIFT | RV_STATUS_FS |
				(mode == 2 ? RV_STATUS_SUM : 0),
			1 << RV_INT_MTI,
			/* x8 and so on */
			DATA + to + 0x800,
			CODE + to + 0x7c0,
			DATA + to + RV_PAGE - 12,
			mode ? RV_CLINT_BASE + 0x4000 : DATA + 8,
			CODE + to + RV_PAGE - 12,
			mode ? RV_UART_BASE : DATA + RV_PAGE - 15,
			TABLES + to + 2 * RV_PAGE + 0xa0,
			DATA + 0x10,
		};
		memcpy(state->ram + (HANDLER - RV_RAM_BASE) + 0x800 + mode * 128, table,
			sizeof table);
	}
}

#define PTE_ALL 0xcfull /* valid, readable, writable, executable, accessed, dirty */

static void write_tables(struct state *state) {
	uint64_t *root = (void *)(state->ram + (TABLES - RV_RAM_BASE));
	uint64_t *middle = root + 512, *users = middle + 512, *others = users + 512;
	memset(root, 0, 4 * RV_PAGE);
	/* Devices as they are; RAM where it is for U mode, and where ALIAS is for S mode. */
	root[0] = PTE_ALL;
	root[2] = (TABLES + RV_PAGE) >> 12 << 10 | 1;
	root[1] = (TABLES + 4 * RV_PAGE) >> 12 << 10 | 1;
	middle[0] = (TABLES + 2 * RV_PAGE) >> 12 << 10 | 1;
	middle[3 * 512] = (TABLES + 3 * RV_PAGE) >> 12 << 10 | 1;
	for (unsigned i = 0; i < PAGES; i++) {
		const uint64_t page = (RV_RAM_BASE + i * RV_PAGE) >> 12 << 10;
		users[i] = page | PTE_ALL | 0x10;
		others[i] = page | PTE_ALL;
	}
}

/* Mostly small offsets and jumps. */
static uint32_t tame_immediate(enum rv_format format, uint32_t raw) {
	switch (format) {
	case RV_FORMAT_LOAD:
	case RV_FORMAT_STORE:
	case RV_FORMAT_FLOAD:
	case RV_FORMAT_FSTORE:
	case RV_FORMAT_JALR:
		return raw & ~0xfe000000u;
	case RV_FORMAT_BRANCH:
		return raw & ~0x7c000000u;
	case RV_FORMAT_J:
		return (raw & 0x00000fff) | (raw & 0x0fe00000);
	default:
		return raw;
	}
}

/* A number of a register that has been given somewhere to point to. */
static uint32_t pointer(void) {
	return 8 + (uint32_t)next_random() % 8;
}

/* An instruction; of two bytes where `is_short`. */
static uint32_t random_instruction(bool *is_short) {
	const unsigned kind = next_random() % 32;
	*is_short = kind < 6;
	if (*is_short) {
		const uint32_t raw = (uint32_t)next_random() & 0xffff;
		return (raw & 3) == 3 ? raw ^ 1 : raw;
	}
	if (kind == 6)
		return (uint32_t)next_random() | 3;
	unsigned op = 1 + next_random() % (RV_OPS - 1);
	if (kind > 12 && op >= RV_OP_JALR)
		op = 1 + next_random() % (RV_OP_FENCE_I);
	const enum rv_format format = rv_format(op);
	const uint32_t free = ~patterns[op - 1].mask;
	uint32_t raw = ((uint32_t)next_random() & free) | patterns[op - 1].match;
	if (kind > 8) {
		raw = tame_immediate(format, raw);
	}
	if (format == RV_FORMAT_LOAD || format == RV_FORMAT_STORE || format == RV_FORMAT_FLOAD ||
		format == RV_FORMAT_FSTORE || format == RV_FORMAT_JALR || format == RV_FORMAT_AMO ||
		format == RV_FORMAT_LR) {
		raw = kind > 8 ? (raw & ~(31u << 15)) | pointer() << 15 : raw;
	}
	/* Results go elsewhere. */
	if (format != RV_FORMAT_STORE && format != RV_FORMAT_BRANCH && kind > 8 &&
		(raw >> 7 & 31) >= 8 && (raw >> 7 & 31) < 16) {
		raw ^= 16u << 7 & free;
	}
	/* Modes of rounding that are none are for the others. */
	if (kind > 8 && free >> 12 & 7 && (raw >> 12 & 7) > 4) {
		raw = (raw & ~(7u << 12)) | (next_random() % 2 ? 7u << 12 : 0);
	}
	if (format == RV_FORMAT_CSR || format == RV_FORMAT_CSR_IMM) {
		static const uint16_t numbers[] = {RV_CSR_FFLAGS, RV_CSR_FRM, RV_CSR_FCSR,
			RV_CSR_SSTATUS, RV_CSR_MSTATUS, RV_CSR_CYCLE, RV_CSR_INSTRET, RV_CSR_TIME,
			RV_CSR_MCYCLE, RV_CSR_MINSTRET, RV_CSR_SCAUSE, RV_CSR_SIP, RV_CSR_MIP,
			RV_CSR_SEPC, RV_CSR_MCOUNTINHIBIT, RV_CSR_MEPC, RV_CSR_SIE, RV_CSR_SATP};
		raw = (raw & 0xfffff) |
			(uint32_t)numbers[next_random() % (sizeof numbers / 2)] << 20;
	}
	return raw;
}

/* Arithmetic with any registers, and branches: next to nothing that traps. */
static uint32_t random_arithmetic(void) {
	static const struct {
		uint8_t first, last;
	} kinds[] = {
		{RV_OP_ADDI, RV_OP_SRAI},
		{RV_OP_AUIPC, RV_OP_SRAIW},
		{RV_OP_ADD, RV_OP_REMU},
		{RV_OP_ADD, RV_OP_REMU},
		{RV_OP_LUI, RV_OP_REMUW},
		{RV_OP_BEQ, RV_OP_BGEU},
		{RV_OP_FMADD_S, RV_OP_FMV_D_X},
		{RV_OP_FMADD_S, RV_OP_FMV_D_X},
	};
	const unsigned kind = (unsigned)next_random() % (sizeof kinds / sizeof kinds[0]);
	const unsigned first = kinds[kind].first, count = kinds[kind].last - first + 1u;
	const unsigned op = first + (unsigned)next_random() % count;
	const uint32_t free = ~patterns[op - 1].mask;
	return tame_immediate(
		rv_format(op), ((uint32_t)next_random() & free) | patterns[op - 1].match);
}

static void write_code(struct state *state, bool arithmetic) {
	uint8_t *at = state->ram + (CODE - RV_RAM_BASE);
	for (size_t i = 0; i < CODE_SIZE;) {
		bool is_short = false;
		const uint32_t raw =
			arithmetic ? random_arithmetic() : random_instruction(&is_short);
		const size_t size = is_short || i + 2 == CODE_SIZE ? 2 : 4;
		memcpy(at + i, &raw, size);
		i += size;
	}
}

/*
 * Writes to a page, executes it, changes the second half of the last instruction there, executes
 * something else near it, and so on. The two halves are in two pages if it crosses.
 */
static void write_rewriting(struct state *state, bool crosses) {
	const uint32_t back = encode_i(0x67, 0, 0, 1, 0), further = encode_i(0x67, 0, 0, 1, 4);
	const uint32_t one = addi(6, 6, 1);
	const uint32_t code[] = {
		0x00542023,		     /* sw x5, 0(x8) */
		encode_i(0x67, 0, 1, 8, 0),  /* jalr x1, 0(x8) */
		0x04741923,		     /* sh x7, 82(x8) */
		encode_i(0x67, 0, 1, 10, 0), /* jalr x1, 0(x10) */
		encode_i(0x67, 0, 1, 8, 0),  /* jalr x1, 0(x8) */
		addi(6, 6, 16),		     /* not executed */
		0x04941923,		     /* sh x9, 82(x8) */
		encode_i(0x67, 0, 1, 10, 0), /* jalr x1, 0(x10) */
		0xfe1ff06f,		     /* jal x0, -32 */
	};
	const uint64_t body = crosses ? DATA + RV_PAGE - 82 : DATA;
	uint8_t *at = state->ram + (body - RV_RAM_BASE);
	memcpy(state->ram + (CODE - RV_RAM_BASE), code, sizeof code);
	for (unsigned i = 0; i < 20; i++) {
		memcpy(at + 4 * i, &one, sizeof one);
	}
	memcpy(at + 80, &back, sizeof back);
	memcpy(at + 400, &back, sizeof back);
	for (unsigned i = 0; i < 2; i++) {
		struct rv_hart *hart = &state->harts[i];
		hart->pc = CODE;
		hart->x[5] = one;
		hart->x[7] = further >> 16;
		hart->x[8] = body;
		hart->x[9] = back >> 16;
		hart->x[10] = body + 400;
	}
}

static void seed_random(uint64_t seed) {
	random_state = seed * 0x9e3779b97f4a7c15u | 1;
	next_random();
}

static void prepare(struct state *state, uint64_t seed, unsigned harts) {
	seed_random(seed);
	memset(state, 0, sizeof *state);
	state->board.steps_per_tick = 10;
	state->board.deterministic = true;
	state->board.boot_pc = HANDLER;
	struct rv_machine m;
	start(&m, state, harts, PLAIN);
	rv_machine_reset(&m);
	rv_machine_finish(&m);
	for (size_t i = 0; i < RAM_SIZE; i += 8) {
		const uint64_t value = next_random();
		memcpy(state->ram + i, &value, 8);
	}
	write_handler(state, seed & 12);
	write_tables(state);
	write_code(state, seed % 3 == 0);
	for (unsigned i = 0; i < harts; i++) {
		struct rv_hart *hart = &state->harts[i];
		hart->pc = seed % 3 ? HANDLER : CODE;
		hart->mepc = CODE + i * RV_PAGE;
		hart->mtvec = HANDLER;
		hart->mscratch = HANDLER + 0x800;
		hart->mstatus = RV_STATUS_FS | (seed & 2 ? RV_STATUS_MPIE : 0);
		hart->satp = seed & 12 ? 8ull << 60 | TABLES >> 12 : 0;
		hart->mcounteren = hart->scounteren = 7;
		hart->mie = seed & 16 ? 1u << RV_INT_MTI : 0;
		hart->pmpaddr[0] = UINT64_MAX >> 10;
		hart->pmpcfg[0] = RV_PMP_NAPOT | RV_PMP_R | RV_PMP_W | RV_PMP_X;
		for (unsigned x = 1; x < 32; x++) {
			hart->x[x] = random_integer();
		}
		for (unsigned f = 0; f < 32; f++) {
			hart->f[f] = f % 2 ? random_f32() : random_f64();
		}
		state->clint.mtimecmp[i] = 50 + next_random() % 100;
	}
	if (seed < 2) {
		write_rewriting(state, seed == 1);
	}
}

/* ------------------------------------------------------------------ comparing */

/* Until the machine has made so many steps, whatever stops it. */
static void run_to(struct rv_machine *m, uint64_t steps) {
	while (m->board->steps < steps && !m->board->ended) {
		uint8_t text[256];
		switch (rv_machine_run(m, steps - m->board->steps)) {
		case RV_STOP_IDLE:
			for (unsigned i = 0; i < m->hart_count; i++) {
				m->harts[i].waiting = false;
			}
			break;
		default:
			while (rv_uart_output(m, text, sizeof text)) {
			}
		}
	}
}

#define STOPS 40
#define LONGEST 400

struct plan {
	uint64_t seed;
	unsigned harts;
	uint64_t stops[STOPS];
	uint64_t hashes[STOPS];
};

static void make_plan(struct plan *plan, struct state *state, uint64_t seed, unsigned harts) {
	plan->seed = seed;
	plan->harts = harts;
	prepare(state, seed, harts);
	seed_random(~seed);
	struct rv_machine m;
	start(&m, state, harts, PLAIN);
	uint64_t at = 0;
	for (unsigned i = 0; i < STOPS; i++) {
		at += 1 + next_random() % (i % 3 ? 20 : LONGEST);
		plan->stops[i] = at;
		run_to(&m, at);
		plan->hashes[i] = rv_machine_hash(&m);
	}
	rv_machine_finish(&m);
}

/* Says where it goes wrong first. */
static void explain(const struct plan *plan, enum engine engine, unsigned stop) {
	struct state *right = malloc(sizeof *right), *wrong = malloc(sizeof *wrong);
	assert_true(right && wrong);
	uint64_t from = stop ? plan->stops[stop - 1] : 0;
	for (uint64_t at = from + 1; at <= plan->stops[stop]; at++) {
		struct state *const states[2] = {right, wrong};
		uint64_t hashes[2];
		for (unsigned i = 0; i < 2; i++) {
			struct rv_machine m;
			prepare(states[i], plan->seed, plan->harts);
			start(&m, states[i], plan->harts, PLAIN);
			run_to(&m, from);
			rv_machine_finish(&m);
			start(&m, states[i], plan->harts, i ? engine : PLAIN);
			run_to(&m, at);
			hashes[i] = rv_machine_hash(&m);
			rv_machine_finish(&m);
		}
		if (hashes[0] == hashes[1]) {
			continue;
		}
		const unsigned turn = right->board.turn;
		print_message("# seed %llu: %s differs after step %llu (of the run since %llu), pc "
			      "%llx and "
			      "%llx\n",
			(unsigned long long)plan->seed, engine_names[engine],
			(unsigned long long)at, (unsigned long long)from,
			(unsigned long long)right->harts[turn].pc,
			(unsigned long long)wrong->harts[turn].pc);
		const uint64_t *a = (const void *)right, *b = (const void *)wrong;
		for (size_t i = 0, said = 0; i < sizeof *right / 8 && said < 12; i++) {
			if (a[i] != b[i]) {
				print_message("#   at %zu (harts at %zu, tlbs %zu, ram %zu): %llx, "
					      "%llx\n",
					i * 8, offsetof(struct state, harts),
					offsetof(struct state, tlbs), offsetof(struct state, ram),
					(unsigned long long)a[i], (unsigned long long)b[i]);
				said++;
			}
		}
		break;
	}
	free(right);
	free(wrong);
}

static void follow_plan(const struct plan *plan, struct state *state, enum engine engine) {
	prepare(state, plan->seed, plan->harts);
	struct rv_machine m;
	start(&m, state, plan->harts, engine);
	for (unsigned i = 0; i < STOPS; i++) {
		run_to(&m, plan->stops[i]);
		if (rv_machine_hash(&m) != plan->hashes[i]) {
			explain(plan, engine, i);
			fail_msg("seed %llu, %s, stop %u", (unsigned long long)plan->seed,
				engine_names[engine], i);
		}
	}
	rv_machine_finish(&m);
}

/* Another engine, with nothing but the state, at each stop. */
static void swap_along(const struct plan *plan, struct state *state) {
	prepare(state, plan->seed, plan->harts);
	uint64_t engines = plan->seed * 0x9e3779b97f4a7c15u;
	for (unsigned i = 0; i < STOPS; i++) {
		engines = engines * 0x2545f4914f6cdd1du + 1;
		const enum engine engine = (engines >> 32) % ENGINES;
		struct rv_machine m;
		start(&m, state, plan->harts, engine);
		run_to(&m, plan->stops[i]);
		const uint64_t hash = rv_machine_hash(&m);
		rv_machine_finish(&m);
		if (hash != plan->hashes[i]) {
			explain(plan, engine, i);
			fail_msg("seed %llu, swapped to %s before stop %u",
				(unsigned long long)plan->seed, engine_names[engine], i);
		}
	}
}

static unsigned program_count(void) {
	const char *count = getenv("SOURCE_CITY_RISCV_PROGRAMS");
	return count ? (unsigned)atoi(count) : 40;
}

static void test_engines(unsigned harts) {
	struct state *state = malloc(sizeof *state);
	assert_non_null(state);
	const unsigned count = program_count();
	for (uint64_t seed = 0; seed < count; seed++) {
		struct plan plan;
		make_plan(&plan, state, seed, harts);
		follow_plan(&plan, state, THREADED);
		follow_plan(&plan, state, NATIVE);
		swap_along(&plan, state);
	}
	free(state);
}

static void one_hart(void **unused) {
	(void)unused;
	test_engines(1);
}

static void two_harts(void **unused) {
	(void)unused;
	test_engines(2);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_hart),
		cmocka_unit_test(two_harts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <string.h>

#include "random.h"
#include "unicorn_differs.h"

/*
 * Registers that no instruction writes: SP and S0 point into the data, S1 masks an offset in it.
 * GP holds an address made of those, T0 a target of a jump.
 */
enum { ZERO = 0, RA = 1, SP = 2, GP = 3, T0 = 5, S0 = 8, S1 = 9 };

enum { SLOTS = 160, SLOT_PARTS = 6 };

/* A few instructions that belong together: nothing jumps in between. */
struct slot {
	uint32_t parts[SLOT_PARTS];
	unsigned count;
	/* The last part jumps, by an offset in this format, to a slot. */
	enum {
		STAYS,
		BRANCH,
		JUMP,
		JUMP_REGISTER,
		SHORT_BRANCH,
		SHORT_JUMP,
		SHORT_JUMP_REGISTER
	} kind;
	/* The first part of a store into code is AUIPC: the target is the last part of this slot.
	 */
	size_t stores_to;
	uint64_t at;
};

void program_seed(uint64_t seed) {
	random_state = seed * 0x9e3779b97f4a7c15u | 1;
}

static unsigned any_register(void) {
	return (unsigned)random_below(32);
}

static unsigned writable_register(void) {
	for (;;) {
		const unsigned x = any_register();
		if (x != SP && x != GP && x != S0 && x != S1)
			return x;
	}
}

static unsigned length_of(uint32_t raw) {
	return (raw & 3) == 3 ? 4 : 2;
}

static void add(struct slot *slot, uint32_t raw) {
	slot->parts[slot->count++] = raw;
}

static unsigned any_fp(unsigned flags, bool single) {
	if (!(flags & PROGRAM_FP_APART))
		return any_register();
	return (unsigned)random_below(16) + (single ? 0 : 16);
}

/* An operation on floating point numbers, of those that round in a random mode. */
static void add_fp(struct slot *slot, unsigned flags) {
	unsigned op;
	do {
		op = RV_OP_FMADD_S + (unsigned)random_below(RV_OP_FMV_D_X - RV_OP_FMADD_S + 1);
	} while (flags & PROGRAM_NO_NEWER_FP &&
		(rv_format(op) == RV_FORMAT_FP4 || is_min_or_max(op)));
	const bool from_single = takes_single(op);
	unsigned rd = any_fp(flags, gives_single(op)), rs1 = any_fp(flags, from_single);
	switch (rv_format(op)) {
	case RV_FORMAT_FP_COMPARE:
	case RV_FORMAT_FP_TO_X:
	case RV_FORMAT_FP_TO_X_EXACT:
		rd = writable_register();
		break;
	case RV_FORMAT_X_TO_FP:
	case RV_FORMAT_X_TO_FP_EXACT:
		rs1 = any_register();
		break;
	default:
		break;
	}
	const uint32_t mask = patterns[op - 1].mask;
	uint32_t raw = instruction(op, rd, rs1, 0);
	if (!(mask & 0x01f00000))
		raw |= any_fp(flags, from_single) << 20;
	if (rv_format(op) == RV_FORMAT_FP4)
		raw |= any_fp(flags, from_single) << 27;
	if (!(mask & 0x7000)) {
		const unsigned rm = (unsigned)random_below(8);
		raw |= (rm > 4 ? 7 : rm) << 12;
	}
	add(slot, raw);
}

static int32_t data_offset(void) {
	return (int32_t)random_below(4080) - 2040;
}

static void add_access(struct slot *slot, unsigned flags) {
	static const uint8_t loads[] = {
		RV_OP_LB, RV_OP_LH, RV_OP_LW, RV_OP_LD, RV_OP_LBU, RV_OP_LHU, RV_OP_LWU};
	static const uint8_t stores[] = {RV_OP_SB, RV_OP_SH, RV_OP_SW, RV_OP_SD};
	static const uint8_t fp_loads[] = {RV_OP_FLW, RV_OP_FLD};
	static const uint8_t fp_stores[] = {RV_OP_FSW, RV_OP_FSD};
	const unsigned base = random_below(2) ? SP : S0;
	int32_t offset = data_offset();
	if (random_below(4))
		offset &= ~7;
	unsigned op;
	switch (random_below(8)) {
	case 0:
		op = fp_loads[random_below(2)];
		add(slot,
			instruction(op, any_fp(flags, op == RV_OP_FLW), base, 0) |
				immediate_i(offset));
		break;
	case 1:
		op = fp_stores[random_below(2)];
		add(slot,
			instruction(op, 0, base, any_fp(flags, op == RV_OP_FSW)) |
				immediate_s(offset));
		break;
	case 2:
	case 3:
	case 4:
		op = stores[random_below(4)];
		add(slot, instruction(op, 0, base, any_register()) | immediate_s(offset));
		break;
	default:
		op = loads[random_below(7)];
		add(slot, instruction(op, writable_register(), base, 0) | immediate_i(offset));
		break;
	}
}

/* An atomic operation, or a pair that reserves and stores; to another address now and then. */
static void add_atomic(struct slot *slot) {
	add(slot, instruction(RV_OP_AND, GP, any_register(), S1));
	add(slot, instruction(RV_OP_ADD, GP, GP, SP));
	const uint32_t order = (uint32_t)random_below(4) << 25;
	const bool wide = random_below(2);
	if (random_below(3)) {
		const unsigned op = RV_OP_AMOSWAP_W +
			(unsigned)random_below(RV_OP_AMOMAXU_D - RV_OP_AMOSWAP_W + 1);
		add(slot, instruction(op, writable_register(), GP, any_register()) | order);
		return;
	}
	if (random_below(4))
		add(slot,
			instruction(wide ? RV_OP_LR_D : RV_OP_LR_W, writable_register(), GP, 0) |
				order);
	if (random_below(4) == 0)
		add(slot, instruction(RV_OP_ADDI, GP, SP, 0) | immediate_i(data_offset() & ~7));
	add(slot,
		instruction(
			wide ? RV_OP_SC_D : RV_OP_SC_W, writable_register(), GP, any_register()) |
			order);
}

static void add_csr(struct slot *slot) {
	enum { FFLAGS = 1, FRM = 2, FCSR = 3 };
	const uint32_t rd = writable_register();
	switch (random_below(6)) {
	case 0:
		add(slot,
			instruction(RV_OP_CSRRWI, rd, (unsigned)random_below(5), 0) |
				immediate_i(FRM));
		break;
	case 1:
		add(slot,
			instruction(
				RV_OP_CSRRW + (unsigned)random_below(3), rd, any_register(), 0) |
				immediate_i(FFLAGS));
		break;
	case 2:
		add(slot,
			instruction(RV_OP_CSRRWI + (unsigned)random_below(3), rd,
				(unsigned)random_below(32), 0) |
				immediate_i(FFLAGS));
		break;
	case 3:
		add(slot,
			instruction(RV_OP_CSRRWI + (unsigned)random_below(3), rd,
				(unsigned)random_below(32), 0) |
				immediate_i(FCSR));
		break;
	default:
		add(slot,
			instruction(RV_OP_CSRRS, rd, ZERO, 0) |
				immediate_i((int32_t)random_below(3) + FFLAGS));
		break;
	}
}

static void add_arithmetic(struct slot *slot) {
	static const struct {
		uint8_t first, last;
	} ranges[] = {
		{RV_OP_ADDI, RV_OP_SRAI},
		{RV_OP_ADDIW, RV_OP_SRAIW},
		{RV_OP_ADD, RV_OP_REMU},
		{RV_OP_ADDW, RV_OP_REMUW},
		{RV_OP_LUI, RV_OP_LUI},
		{RV_OP_AUIPC, RV_OP_AUIPC},
		{RV_OP_FENCE, RV_OP_FENCE_I},
	};
	static const uint8_t weights[] = {0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 4, 5, 6};
	const unsigned range = weights[random_below(sizeof weights)];
	const unsigned op = ranges[range].first +
		(unsigned)random_below(ranges[range].last - ranges[range].first + 1u);
	uint32_t raw = patterns[op - 1].match | ((uint32_t)next_random() & ~patterns[op - 1].mask);
	if (range != 6)
		raw = (raw & ~(31u << 7)) | writable_register() << 7;
	add(slot, raw);
}

/* Any compressed one that changes nothing it must not. */
static void add_compressed(struct slot *slot, unsigned flags) {
	for (;;) {
		uint32_t raw = (uint32_t)next_random() & 0xffff;
		if ((raw & 3) == 3)
			continue;
		struct rv_insn insn;
		rv_decode(raw, &insn);
		const bool fixed = insn.rd == SP || insn.rd == GP || insn.rd == S0 || insn.rd == S1;
		const bool based = insn.rs1 == SP || insn.rs1 == S0;
		switch (rv_format(insn.op)) {
		case RV_FORMAT_R:
		case RV_FORMAT_I:
		case RV_FORMAT_SHIFT:
		case RV_FORMAT_U:
			if (insn.op == RV_OP_ILLEGAL || fixed)
				continue;
			break;
		case RV_FORMAT_LOAD:
			if (fixed || !based)
				continue;
			break;
		case RV_FORMAT_FLOAD:
			if (!based || (flags & PROGRAM_FP_APART && insn.rd < 16))
				continue;
			break;
		case RV_FORMAT_STORE:
			if (!based)
				continue;
			break;
		case RV_FORMAT_FSTORE:
			if (!based || (flags & PROGRAM_FP_APART && insn.rs2 < 16))
				continue;
			break;
		default:
			continue;
		}
		add(slot, raw);
		return;
	}
}

/* The offsets are added once the slots have places. */
static void add_jump(struct slot *slot) {
	enum { C_J = 0xa001, C_BEQZ = 0xc001, C_BNEZ = 0xe001, C_JR = 0x8002, C_JALR = 0x9002 };
	switch (random_below(10)) {
	case 0:
		slot->kind = JUMP;
		add(slot, instruction(RV_OP_JAL, writable_register(), 0, 0));
		break;
	case 1:
		slot->kind = JUMP_REGISTER;
		add(slot, instruction(RV_OP_AUIPC, T0, 0, 0));
		add(slot, instruction(RV_OP_JALR, writable_register(), T0, 0));
		break;
	case 2:
		slot->kind = SHORT_JUMP;
		add(slot, C_J);
		break;
	case 3:
		slot->kind = SHORT_JUMP_REGISTER;
		add(slot, instruction(RV_OP_AUIPC, T0, 0, 0));
		add(slot, instruction(RV_OP_ADDI, T0, T0, 0));
		add(slot, (random_below(2) ? C_JR : C_JALR) | T0 << 7);
		break;
	case 4:
	case 5:
		slot->kind = SHORT_BRANCH;
		add(slot, (random_below(2) ? C_BEQZ : C_BNEZ) | (uint32_t)random_below(8) << 7);
		break;
	default:
		slot->kind = BRANCH;
		add(slot,
			instruction(RV_OP_BEQ + (unsigned)random_below(6), 0, any_register(),
				any_register()));
		break;
	}
}

/* Writes an instruction into the code further on, or a little back, in place of one as long. */
static void add_store_to_code(struct slot *slot, size_t number, unsigned flags) {
	slot->stores_to = number + 1 + random_below(12);
	const uint32_t raw = instruction(RV_OP_ADDI, writable_register(), ZERO, 0) |
		immediate_i((int32_t)random_below(4096));
	uint32_t high = raw & 0xfffff000;
	const int32_t low = (int32_t)(raw << 20) >> 20;
	if (low < 0)
		high += 0x1000;
	add(slot, instruction(RV_OP_AUIPC, GP, 0, 0));
	add(slot, instruction(RV_OP_LUI, T0, 0, 0) | high);
	add(slot, instruction(RV_OP_ADDI, T0, T0, 0) | immediate_i(low));
	add(slot, instruction(RV_OP_SW, 0, GP, T0));
	if (flags & PROGRAM_FENCED || random_below(2))
		add(slot, instruction(RV_OP_FENCE_I, 0, 0, 0));
}

static uint32_t short_jump(int32_t offset) {
	const uint32_t v = (uint32_t)offset;
	return (v >> 11 & 1) << 12 | (v >> 4 & 1) << 11 | (v >> 8 & 3) << 9 | (v >> 10 & 1) << 8 |
		(v >> 6 & 1) << 7 | (v >> 7 & 1) << 6 | (v >> 1 & 7) << 3 | (v >> 5 & 1) << 2;
}

static uint32_t short_branch(int32_t offset) {
	const uint32_t v = (uint32_t)offset;
	return (v >> 8 & 1) << 12 | (v >> 3 & 3) << 10 | (v >> 6 & 3) << 5 | (v >> 1 & 3) << 3 |
		(v >> 5 & 1) << 2;
}

static void make_slot(struct slot *slot, size_t number, unsigned flags) {
	*slot = (struct slot){};
	switch (random_below(16)) {
	case 0:
	case 1:
		add_access(slot, flags);
		break;
	case 2:
		add_atomic(slot);
		break;
	case 3:
	case 4:
	case 5:
		add_fp(slot, flags);
		break;
	case 6:
		add_csr(slot);
		break;
	case 7:
	case 8:
	case 9:
		add_compressed(slot, flags);
		break;
	case 10:
	case 11:
		add_jump(slot);
		break;
	case 12:
		if (random_below(6) == 0) {
			add_store_to_code(slot, number, flags);
			break;
		}
		[[fallthrough]];
	default:
		add_arithmetic(slot);
		break;
	}
}

/* Mostly forward: what goes back may be a loop. */
static size_t jump_target(size_t from, size_t reach) {
	if (random_below(8) == 0) {
		const size_t back = random_below(reach) + 1;
		return back > from ? 0 : from - back;
	}
	const size_t to = from + 1 + random_below(reach);
	return to < SLOTS ? to : SLOTS - 1;
}

static void aim(struct slot *slots, size_t number) {
	struct slot *slot = &slots[number];
	uint32_t *last = &slot->parts[slot->count - 1];
	uint64_t at = slot->at;
	for (unsigned i = 0; i + 1 < slot->count; i++)
		at += length_of(slot->parts[i]);
	const bool is_short = slot->kind == SHORT_BRANCH;
	const size_t target = jump_target(number, is_short ? 12 : 40);
	const int32_t offset = (int32_t)(slots[target].at - at),
		      from_slot = (int32_t)(slots[target].at - slot->at);
	switch (slot->kind) {
	case STAYS:
		break;
	case BRANCH:
		*last |= immediate_b(offset);
		break;
	case JUMP:
		*last |= immediate_j(offset);
		break;
	case JUMP_REGISTER:
		/* From AUIPC's place; the last bit is cleared by the jump. */
		*last |= immediate_i(from_slot | (int32_t)random_below(2));
		break;
	case SHORT_BRANCH:
		*last |= short_branch(
			offset < -256 || offset > 254 ? (int32_t)length_of(*last) : offset);
		break;
	case SHORT_JUMP:
		*last |= short_jump(offset);
		break;
	case SHORT_JUMP_REGISTER:
		slot->parts[1] |= immediate_i(from_slot);
		break;
	}
	if (!slot->stores_to)
		return;
	/* Only an instruction of as many bytes, and none that others of its slot depend on. */
	const struct slot *to = &slots[slot->stores_to < SLOTS ? slot->stores_to : SLOTS - 1];
	if (to->count == 1 && length_of(to->parts[0]) == 4 && to != &slots[SLOTS - 1])
		slot->parts[3] |= immediate_s((int32_t)(to->at - slot->at));
	else
		slot->parts[3] = instruction(RV_OP_SW, 0, SP, T0);
}

void program_make(struct program *program, unsigned flags, uint64_t code_at, uint64_t data_at) {
	static struct slot slots[SLOTS];
	*program = (struct program){.code_at = code_at, .data_at = data_at};
	uint64_t at = code_at;
	for (size_t i = 0; i < SLOTS; i++) {
		make_slot(&slots[i], i, flags);
		if (i == SLOTS - 1) {
			slots[i] = (struct slot){};
			add(&slots[i], instruction(RV_OP_JAL, ZERO, 0, 0));
		}
		slots[i].at = at;
		for (unsigned n = 0; n < slots[i].count; n++)
			at += length_of(slots[i].parts[n]);
	}
	slots[SLOTS - 1].parts[0] |= immediate_j((int32_t)(code_at - slots[SLOTS - 1].at));
	for (size_t i = 0; i < SLOTS; i++) {
		if (i < SLOTS - 1)
			aim(slots, i);
		for (unsigned n = 0; n < slots[i].count; n++) {
			const unsigned length = length_of(slots[i].parts[n]);
			memcpy(program->code + program->code_size, &slots[i].parts[n], length);
			program->code_size += length;
		}
	}
	for (unsigned i = 1; i < 32; i++)
		program->x[i] = random_integer();
	program->x[SP] = program->x[S0] = data_at + PROGRAM_DATA / 2;
	program->x[S1] = 0xff8;
	for (unsigned i = 0; i < 32; i++) {
		const bool single = flags & PROGRAM_FP_APART ? i < 16 : random_below(2);
		program->f[i] = single ? random_f32() : random_f64();
	}
}

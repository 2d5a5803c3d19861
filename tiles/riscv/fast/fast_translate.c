/* SPDX-License-Identifier: MIT */
/* Translates a block for the x86-64. */
#include "fast_translate.h"

#ifdef __x86_64__

/* ------------------------------------------------------------------ loads and stores */

static int32_t tlb_at(const struct fast_translation *t, enum rv_access access) {
	return (int32_t)(offsetof(struct fast_hart, tlbs) +
		       t->block->page->context * sizeof(struct fast_tlb) +
		       access * sizeof(((struct fast_tlb *)0)->entries[0])) -
		FAST_MIDDLE;
}

/* RAX is an address: RCX is where its entry is from the beginning of the table, and the flags are
 * equal if it is in the entry's page to its last byte. */
static void look_up(struct fast_translation *t, enum rv_access access, unsigned size) {
	struct x86 *c = &t->c;
	x86_rr(c, 0, X86_MOV, RCX, RAX);
	x86_shift(c, 0, X86_SHR, RCX, 8);
	x86_ri(c, 0, X86_G_AND, RCX, 0xff0);
	if (size > 1)
		x86_rm(c, 1, X86_LEA, RDX, RAX, (int32_t)size - 1);
	else
		x86_mov(c, RDX, RAX);
	x86_ri(c, 1, X86_G_AND, RDX, -(int32_t)RV_PAGE);
	x86_rx(c, 1, X86_CMP, RDX, RBP, RCX, 0,
		tlb_at(t, access) + (int32_t)offsetof(struct fast_entry, tag));
}

uint8_t *rv_fast_translate_address(struct fast_translation *t, const struct fast_insn *insn,
	enum rv_access access, unsigned size) {
	struct x86 *c = &t->c;
	x86_rm(c, 1, X86_LEA, RAX, fast_source(t, insn->rs1, RAX), (int32_t)insn->imm);
	look_up(t, access, size);
	uint8_t *unknown = x86_jump_if(c, X86_NE);
	x86_rx(c, 1, X86_ADD, RAX, RBP, RCX, 0,
		tlb_at(t, access) + (int32_t)offsetof(struct fast_entry, addend));
	return unknown;
}

static void load(struct fast_translation *t, const struct fast_insn *insn, unsigned wide,
	unsigned opcode, unsigned size) {
	uint8_t *unknown = rv_fast_translate_address(t, insn, RV_LOAD, size);
	const unsigned to = fast_target(insn->rd);
	x86_rm(&t->c, wide, opcode, to, RAX, 0);
	fast_put(t, insn->rd, to);
	fast_detour(t, insn, unknown, t->c.at);
}

static void store(struct fast_translation *t, const struct fast_insn *insn, unsigned size) {
	uint8_t *unknown = rv_fast_translate_address(t, insn, RV_STORE, size);
	const unsigned from = fast_source(t, insn->rs2, RCX);
	if (size == 2)
		x86_byte(&t->c, 0x66);
	x86_rm(&t->c, size == 8, size == 1 ? X86_STORE8 : X86_STORE, from, RAX, 0);
	fast_detour(t, insn, unknown, t->c.at);
}

/* ------------------------------------------------------------------ ways to other blocks */

static bool in_page(const struct fast_translation *t, uint64_t pc) {
	return (pc & ~(RV_PAGE - 1)) == t->block->page->virtual;
}

/* To the block at the pc in RAX. */
static void go_to_rax(struct fast_translation *t) {
	struct x86 *c = &t->c;
	look_up(t, RV_FETCH, 1);
	x86_land(x86_jump_if(c, X86_NE), t->jit->leave);
	x86_rx(c, 1, X86_MOV, RDX, RBP, RCX, 0,
		tlb_at(t, RV_FETCH) + (int32_t)offsetof(struct fast_entry, addend));
	x86_rr(c, 0, X86_MOV, RCX, RAX);
	x86_ri(c, 0, X86_G_AND, RCX, RV_PAGE - 2);
	x86_rx(c, 1, X86_MOV, RDX, RDX, RCX, 2, offsetof(struct fast_page, blocks));
	x86_jump_memory(c, RDX, offsetof(struct fast_block, native));
}

/* To a pc in another page. */
static void go_far(struct fast_translation *t, uint64_t pc) {
	struct x86 *c = &t->c;
	const int32_t entry = tlb_at(t, RV_FETCH) +
		(int32_t)(pc / RV_PAGE % RV_TLB_ENTRIES * sizeof(struct fast_entry));
	x86_constant(c, RAX, pc);
	x86_constant(c, RCX, pc & ~(RV_PAGE - 1));
	x86_rm(c, 1, X86_CMP, RCX, RBP, entry + (int32_t)offsetof(struct fast_entry, tag));
	x86_land(x86_jump_if(c, X86_NE), t->jit->leave);
	x86_rm(c, 1, X86_MOV, RDX, RBP, entry + (int32_t)offsetof(struct fast_entry, addend));
	x86_rm(c, 1, X86_MOV, RDX, RDX,
		(int32_t)(offsetof(struct fast_page, blocks) + pc % RV_PAGE / 2 * 8));
	x86_jump_memory(c, RDX, offsetof(struct fast_block, native));
}

/* `jump`, already written, goes to the block at pc. */
static void go(struct fast_translation *t, uint8_t *jump, uint64_t pc, unsigned way) {
	struct x86 *c = &t->c;
	struct fast_block *block = t->block;
	if (!in_page(t, pc)) {
		x86_land(jump, c->at);
		go_far(t, pc);
		return;
	}
	block->jumps[way] = (uint32_t)(jump - t->jit->writable);
	struct fast_block *next = block->page->blocks[pc % RV_PAGE / 2];
	if (next != t->fast->none && next->native != t->fast->none->native) {
		block->next[way] = next;
		x86_land(jump, t->jit->writable + (next->native - t->jit->executable));
		return;
	}
	x86_land(jump, c->at);
	x86_constant(c, RAX, pc);
	x86_constant(c, RCX, (uintptr_t)block);
	x86_constant(c, RDX, way);
	x86_land(x86_jump(c), t->jit->leave_link);
}

static void branch(
	struct fast_translation *t, const struct fast_insn *insn, enum x86_condition condition) {
	fast_compare(t, insn->rs1, insn->rs2);
	uint8_t *taken = x86_jump_if(&t->c, condition);
	uint8_t *not_taken = x86_jump(&t->c);
	go(t, not_taken, insn->pc + insn->length, 0);
	go(t, taken, (uint64_t)insn->imm, 1);
}

static void jump_register(struct fast_translation *t, const struct fast_insn *insn) {
	struct x86 *c = &t->c;
	x86_rm(c, 1, X86_LEA, RAX, fast_source(t, insn->rs1, RAX), (int32_t)insn->imm);
	x86_ri(c, 1, X86_G_AND, RAX, -2);
	if (insn->rd != FAST_X0) {
		const unsigned to = fast_is_mapped(insn->rd) ? fast_target(insn->rd) : RCX;
		x86_constant(c, to, insn->pc + insn->length);
		fast_put(t, insn->rd, to);
	}
	go_to_rax(t);
}

/* Out, unless rv_fast_crosses(). */
static void look_across(struct fast_translation *t) {
	struct x86 *c = &t->c;
	const uint64_t next = t->block->page->virtual + RV_PAGE;
	const int32_t entry = tlb_at(t, RV_FETCH) +
		(int32_t)(next / RV_PAGE % RV_TLB_ENTRIES * sizeof(struct fast_entry));
	x86_constant(c, RAX, t->block->pc);
	x86_constant(c, RCX, next);
	x86_rm(c, 1, X86_CMP, RCX, RBP, entry + (int32_t)offsetof(struct fast_entry, tag));
	x86_land(x86_jump_if(c, X86_NE), t->jit->leave);
	x86_rm(c, 1, X86_MOV, RCX, RBP, entry + (int32_t)offsetof(struct fast_entry, addend));
	x86_constant(c, RDX, t->block->crosses);
	x86_rm(c, 1, X86_CMP, RDX, RCX, offsetof(struct fast_page, serial));
	x86_land(x86_jump_if(c, X86_NE), t->jit->leave);
}

/* ------------------------------------------------------------------ instructions */

static void slow(struct fast_translation *t, const struct fast_insn *insn) {
	x86_constant(&t->c, RDX, (uintptr_t)insn);
	x86_land(x86_call(&t->c), t->jit->slow);
}

static void translate_insn(struct fast_translation *t, const struct fast_insn *insn) {
	if (insn->rd == FAST_X0 && insn->op >= RV_OP_ADDI && insn->op <= RV_OP_SRAIW)
		return;
	if (rv_fast_translate_number(t, insn) || rv_fast_translate_float(t, insn))
		return;
	switch (insn->op) {
	case RV_OP_LB:
		load(t, insn, 1, X86_MOVSX8, 1);
		break;
	case RV_OP_LH:
		load(t, insn, 1, X86_MOVSX16, 2);
		break;
	case RV_OP_LW:
		load(t, insn, 1, X86_MOVSXD, 4);
		break;
	case RV_OP_LD:
		load(t, insn, 1, X86_MOV, 8);
		break;
	case RV_OP_LBU:
		load(t, insn, 0, X86_MOVZX8, 1);
		break;
	case RV_OP_LHU:
		load(t, insn, 0, X86_MOVZX16, 2);
		break;
	case RV_OP_LWU:
		load(t, insn, 0, X86_MOV, 4);
		break;
	case RV_OP_SB:
		store(t, insn, 1);
		break;
	case RV_OP_SH:
		store(t, insn, 2);
		break;
	case RV_OP_SW:
		store(t, insn, 4);
		break;
	case RV_OP_SD:
		store(t, insn, 8);
		break;
	case RV_OP_FENCE:
	case RV_OP_FENCE_I:
		break;
	case RV_OP_BEQ:
		branch(t, insn, X86_E);
		break;
	case RV_OP_BNE:
		branch(t, insn, X86_NE);
		break;
	case RV_OP_BLT:
		branch(t, insn, X86_L);
		break;
	case RV_OP_BGE:
		branch(t, insn, X86_GE);
		break;
	case RV_OP_BLTU:
		branch(t, insn, X86_B);
		break;
	case RV_OP_BGEU:
		branch(t, insn, X86_AE);
		break;
	case RV_OP_JAL:
		if (insn->rd != FAST_X0)
			fast_constant(t, insn, insn->pc + insn->length);
		go(t, x86_jump(&t->c), (uint64_t)insn->imm, 1);
		break;
	case RV_OP_JALR:
		jump_register(t, insn);
		break;
	case FAST_OP_NEXT:
		go(t, x86_jump(&t->c), (uint64_t)insn->imm, 0);
		break;
	default:
		slow(t, insn);
	}
}

bool rv_fast_jit_translate(struct fast *fast, struct fast_block *block) {
	struct fast_jit *jit = fast->jit;
	struct fast_translation t = {.c = jit->code, .jit = jit, .fast = fast, .block = block};
	struct x86 *c = &t.c;
	if (jit->writable + FAST_CODE_SIZE - c->at < (ptrdiff_t)FAST_CODE_ROOM)
		return false;
	block->native = jit->executable + (c->at - jit->writable);

	if (block->crosses)
		look_across(&t);
	x86_ri(c, 1, X86_G_SUB, FAST_LEFT, (int32_t)block->count);
	uint8_t *over = x86_jump_if(c, X86_S);
	const struct fast_insn *insns = block->insns + (block->crosses ? 1 : 0);
	const bool ends = rv_fast_ends_block(insns[block->count - 1].op);
	for (uint32_t i = 0; i < block->count + !ends; i++)
		translate_insn(&t, &insns[i]);

	for (unsigned i = 0; i < t.detour_count; i++) {
		const struct fast_detour *d = &t.detours[i];
		x86_land(d->from, c->at);
		if (i + 1 < t.detour_count && d[1].insn == d->insn)
			continue;
		slow(&t, d->insn);
		x86_land(x86_jump(c), d->back);
	}
	x86_land(over, c->at);
	x86_ri(c, 1, X86_G_ADD, FAST_LEFT, (int32_t)block->count);
	x86_constant(c, RAX, block->pc);
	x86_land(x86_jump(c), jit->leave);
	jit->code.at = c->at;
	return true;
}

#endif

/* SPDX-License-Identifier: MIT */
/* The RISC-V decoder and disassembler: any words at all, at any place. What is decoded has operands
 * within bounds, and its text the length that is said, cut or not. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "isa.h"
#include "machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct rv_insn *insn, uint32_t raw) {
	const bool full = (raw & 3) == 3;
	if (insn->op >= RV_OPS || insn->length != (full ? 4 : 2) ||
		insn->raw != (full ? raw : raw & 0xffff))
		abort();
	if (insn->rd > 31 || insn->rs1 > 31 || insn->rs2 > 31 || insn->rs3 > 31 || insn->rm > 7)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	uint64_t pc = 0;
	if (size >= sizeof pc)
		memcpy(&pc, data, sizeof pc);
	while (size >= sizeof(uint32_t)) {
		uint32_t raw;
		memcpy(&raw, data, sizeof raw);
		struct rv_insn insn;
		rv_decode(raw, &insn);
		check(&insn, raw);
		/* On the heap, so that a byte too many is seen. */
		const size_t length = rv_disassemble(&insn, pc, NULL, 0);
		char *whole = malloc(length + 1), *cut = malloc(length / 2 + 1);
		if (!whole || !cut)
			abort();
		if (rv_disassemble(&insn, pc, whole, length + 1) != length ||
			strlen(whole) != length ||
			rv_disassemble(&insn, pc, cut, length / 2 + 1) != length ||
			strncmp(whole, cut, length / 2) != 0)
			abort();
		free(whole);
		free(cut);
		data += insn.length;
		size -= insn.length;
		pc += insn.length;
	}
	return 0;
}

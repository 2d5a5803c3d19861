/* SPDX-License-Identifier: MIT */
/* Zicsr, Zifencei and the privileged instructions; and what is no instruction. */
#include "plain.h"

EXECUTE(ILLEGAL) {
	return rv_plain_illegal(p);
}

/* Instructions are read when they are executed. */
EXECUTE(FENCE_I) {
	return next;
}

EXECUTE(ECALL) {
	rv_ecall(p->m, p->hart);
	return rv_plain_diverted(p);
}

EXECUTE(EBREAK) {
	uint64_t *x = p->hart->x;
	return rv_ebreak(p->m, p->hart, x[10], x[11], &x[10]) ? next : rv_plain_diverted(p);
}

EXECUTE(MRET) {
	rv_mret(p->m, p->hart);
	return rv_plain_diverted(p);
}

EXECUTE(SRET) {
	rv_sret(p->m, p->hart);
	return rv_plain_diverted(p);
}

EXECUTE(WFI) {
	return rv_wfi(p->m, p->hart) ? next : rv_plain_diverted(p);
}

EXECUTE(SFENCE_VMA) {
	return rv_sfence_vma(p->m, p->hart, RS1, RS2) ? next : rv_plain_diverted(p);
}

static uint64_t csr(struct rv_plain *p, const struct rv_insn *i, enum rv_csr_op op, bool read,
	bool write, uint64_t operand, uint64_t next) {
	uint64_t old;
	if (!rv_csr(p->m, p->hart, i->imm, op, read, write, operand, &old)) {
		return rv_plain_diverted(p);
	}
	RD = old;
	rv_plain_look(p);
	return next;
}

/* CSRRW with x0 does not read; CSRRS and CSRRC with x0, or 0, do not write. */
EXECUTE(CSRRW) {
	return csr(p, i, RV_CSR_WRITE, i->rd != 0, true, RS1, next);
}

EXECUTE(CSRRS) {
	return csr(p, i, RV_CSR_SET, true, i->rs1 != 0, RS1, next);
}

EXECUTE(CSRRC) {
	return csr(p, i, RV_CSR_CLEAR, true, i->rs1 != 0, RS1, next);
}

EXECUTE(CSRRWI) {
	return csr(p, i, RV_CSR_WRITE, i->rd != 0, true, i->rs1, next);
}

EXECUTE(CSRRSI) {
	return csr(p, i, RV_CSR_SET, true, i->rs1 != 0, i->rs1, next);
}

EXECUTE(CSRRCI) {
	return csr(p, i, RV_CSR_CLEAR, true, i->rs1 != 0, i->rs1, next);
}

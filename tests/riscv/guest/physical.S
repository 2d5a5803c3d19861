/* SPDX-License-Identifier: MIT */
/* Runs `test` in U mode without translation. Its end, or a trap that it does not expect, goes to
 * tohost, a word after the other. */
	.section .start, "ax"
	.globl _start
_start:
	csrr	t0, mhartid
1:	bnez	t0, 1b
	/* As programs set up that run on many machines: what is not there traps, and is passed
	 * over. Resumable NMIs are not. */
	csrwi	mcause, 0
	la	t0, 1f
	csrw	mtvec, t0
	csrwi	0x744, 8
	.balign	4
1:	csrr	t0, mcause
	li	t1, 2
	bne	t0, t1, failed
	la	t0, failed
	csrw	mtvec, t0
	csrwi	satp, 0
	li	t0, -1
	srli	t0, t0, 11
	csrw	pmpaddr0, t0
	li	t0, 0x1f
	csrw	pmpcfg0, t0
	csrwi	mie, 0
	csrwi	medeleg, 0
	csrwi	mideleg, 0
	la	t0, trap
	csrw	mtvec, t0
	li	t0, 1 << 13
	csrw	mstatus, t0
	csrwi	fcsr, 0
	li	gp, 0
	la	t0, test
	csrw	mepc, t0
	mret

	.balign	4
failed:
	ori	gp, gp, 1337
	j	1f
	.balign	4
trap:
	csrr	t5, mcause
	li	t6, 8
	beq	t5, t6, 1f
	ori	gp, gp, 1337
1:	la	t5, tohost
2:	sw	gp, 0(t5)
	sw	zero, 4(t5)
	j	2b

	.section .tohost, "aw"
	.balign	64
	.globl tohost
tohost:
	.dword	0
	.balign	64
	.globl fromhost
fromhost:
	.dword	0

/* SPDX-License-Identifier: MIT */
/*
 * Runs `test` in U mode under Sv39: a little supervisor in S mode maps its pages when they are
 * asked for, one fault for the page, one for that it is accessed, one for that it is written, and
 * keeps no more than six of them.
 */
#define USER 0x40000000 /* where RAM's first 2 MiB are for the test */
#define KEPT 6

	.section .start, "ax"
	.globl _start
_start:
	csrr	t0, mhartid
1:	bnez	t0, 1b
	/* What is not delegated is a failure. */
	la	t0, failed
	csrw	mtvec, t0
	li	t0, -1
	srli	t0, t0, 10
	csrw	pmpaddr0, t0
	li	t0, 0x1f
	csrw	pmpcfg0, t0
	la	t0, table_high
	la	t1, table_middle
	la	t2, table_low
	srli	t3, t1, 2
	ori	t3, t3, 1
	sd	t3, 8(t0)
	/* The supervisor's: all RAM as it is, not for U mode. */
	li	t3, (0x80000000 >> 2) | 0xcf
	sd	t3, 16(t0)
	srli	t3, t2, 2
	ori	t3, t3, 1
	sd	t3, 0(t1)
	srli	t0, t0, 12
	li	t3, 8 << 60
	or	t0, t0, t3
	csrw	satp, t0
	sfence.vma
	/* ECALL from U mode and the three page faults. */
	li	t0, 1 << 8 | 1 << 12 | 1 << 13 | 1 << 15
	csrw	medeleg, t0
	la	t0, trap
	csrw	stvec, t0
	la	t0, saved
	csrw	sscratch, t0
	li	t0, 1 << 13
	csrw	mstatus, t0
	li	gp, 0
	la	t0, test
	li	t1, 0x80000000 - USER
	sub	t0, t0, t1
	csrw	mepc, t0
	mret

	.balign	4
trap:
	csrrw	t6, sscratch, t6
	sd	t0, 0(t6)
	sd	t1, 8(t6)
	sd	t2, 16(t6)
	sd	t3, 24(t6)
	csrr	t0, scause
	li	t1, 8
	beq	t0, t1, ended
	/* The entry of the page, if it is one of the test's. */
	csrr	t1, stval
	li	t2, USER
	sub	t1, t1, t2
	srli	t2, t1, 21
	bnez	t2, failed
	srli	t1, t1, 12
	slli	t2, t1, 3
	la	t3, table_low
	add	t2, t2, t3
	ld	t3, 0(t2)
	andi	t3, t3, 1
	beqz	t3, map
	/* It is there: accessed now, and dirty if it is stored to. */
	ld	t3, 0(t2)
	andi	t1, t3, 0x40
	ori	t3, t3, 0x40
	sd	t3, 0(t2)
	beqz	t1, back
	li	t1, 15
	bne	t0, t1, failed
	andi	t1, t3, 0x80
	bnez	t1, failed
	ori	t3, t3, 0x80
	sd	t3, 0(t2)
	j	back
map:
	slli	t1, t1, 10
	li	t3, (0x80000000 >> 2) | 0x1f
	add	t1, t1, t3
	sd	t1, 0(t2)
	/* In place of the one that came first. */
	la	t0, kept
	ld	t1, KEPT * 8(t0)
	addi	t3, t1, 1
	li	t6, KEPT
	remu	t3, t3, t6
	sd	t3, KEPT * 8(t0)
	slli	t1, t1, 3
	add	t0, t0, t1
	ld	t3, 0(t0)
	sd	t2, 0(t0)
	beqz	t3, back
	beq	t3, t2, back
	sd	zero, 0(t3)
back:
	sfence.vma
	la	t6, saved
	ld	t0, 0(t6)
	ld	t1, 8(t6)
	ld	t2, 16(t6)
	ld	t3, 24(t6)
	csrrw	t6, sscratch, t6
	sret

	.balign	4
failed:
	ori	gp, gp, 1337
ended:
	la	t0, tohost
1:	sd	gp, 0(t0)
	j	1b

	.section .tohost, "aw"
	.balign	64
	.globl tohost
tohost:
	.dword	0
	.balign	64
	.globl fromhost
fromhost:
	.dword	0

	.bss
	.balign	4096
table_high:
	.space	4096
table_middle:
	.space	4096
table_low:
	.space	4096
saved:
	.space	32
kept:
	.space	KEPT * 8 + 8

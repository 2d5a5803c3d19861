/* SPDX-License-Identifier: MIT */
/*
 * Starts work() in U mode under Sv39, with 4 KiB pages, on any board that has RAM at 0x80000000, a
 * 16550 at 0x10000000 and SiFive's finisher at 0x100000. How often is the word at ROUNDS, put there
 * by who loads it; 100 times if it is 0. What work() found and the ticks of mtime that it took are
 * printed as two numbers in hexadecimal.
 */
#define ROUNDS 0x800ff000

	.section .start, "ax"
	.globl _start
_start:
	csrr	t0, mhartid
	bnez	t0, park
	la	sp, stack_end
	la	t0, trap
	csrw	mtvec, t0
	li	t0, -1
	srli	t0, t0, 10
	csrw	pmpaddr0, t0
	li	t0, 0x1f
	csrw	pmpcfg0, t0
	li	t0, 7
	csrw	mcounteren, t0
	/* 2 MiB from 0x80000000 on: a table for each level. */
	la	t0, table_low
	srli	t1, t0, 2
	ori	t1, t1, 1
	la	t2, table_middle
	sd	t1, 0(t2)
	srli	t1, t2, 2
	ori	t1, t1, 1
	la	t3, table_high
	sd	t1, 16(t3)
	li	t1, (0x80000000 >> 2) | 0xdf
	li	t2, 512
1:	sd	t1, 0(t0)
	addi	t0, t0, 8
	addi	t1, t1, 0x400
	addi	t2, t2, -1
	bnez	t2, 1b
	srli	t3, t3, 12
	li	t0, 8 << 60
	or	t0, t0, t3
	csrw	satp, t0
	sfence.vma
	/* MPP is U; floating point on. */
	li	t0, 3 << 11
	csrc	mstatus, t0
	li	t0, 1 << 13
	csrs	mstatus, t0
	la	t0, user
	csrw	mepc, t0
	li	a0, ROUNDS
	lw	a0, 0(a0)
	bnez	a0, 1f
	li	a0, 100
1:
	csrr	s11, time
	mret
user:
	call	work
	ecall

	.balign	4
trap:
	csrr	t0, time
	sub	s11, t0, s11
	csrr	t0, mcause
	li	t1, 8
	beq	t0, t1, 1f
	li	a0, 0
1:	call	print
	mv	a0, s11
	call	print
	li	t0, 0x100000
	li	t1, 0x5555
	sw	t1, 0(t0)
park:
	wfi
	j	park

/* a0, in hexadecimal, and a new line. */
print:
	li	t0, 0x10000000
	li	t1, 60
1:	srl	t2, a0, t1
	andi	t2, t2, 15
	addi	t3, t2, '0'
	li	t4, 10
	blt	t2, t4, 2f
	addi	t3, t2, 'a' - 10
2:	sb	t3, 0(t0)
	addi	t1, t1, -4
	bgez	t1, 1b
	li	t3, '\n'
	sb	t3, 0(t0)
	ret

	.bss
	.balign	4096
table_high:
	.space	4096
table_middle:
	.space	4096
table_low:
	.space	4096
	.space	65536
stack_end:

/* SPDX-License-Identifier: MIT */
/*
 * QEMU's `virt` with one hart of the same extensions as ours, driven through its gdb stub: stopped,
 * stepped and looked at. Errors fail the test.
 */
#ifndef TEST_RISCV_QEMU_H
#define TEST_RISCV_QEMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qemu;

/* Numbers of registers. */
enum {
	QEMU_X = 0,
	QEMU_PC = 32,
	QEMU_F = 33,
	QEMU_MODE = 65, /* enum rv_mode */
	QEMU_CSR = 66,	/* + number */
};

/* NULL: there is no QEMU here. ram in bytes, at RV_RAM_BASE. */
struct qemu *qemu_start(uint64_t ram);
void qemu_stop(struct qemu *qemu);

/* One instruction, or an interrupt taken. */
void qemu_step(struct qemu *qemu);
void qemu_read(struct qemu *qemu, const unsigned *registers, uint64_t *values, size_t count);
void qemu_write(struct qemu *qemu, unsigned number, uint64_t value);
/* By physical address; RAM alone. */
void qemu_write_memory(struct qemu *qemu, uint64_t address, const void *data, size_t size);
void qemu_read_memory(struct qemu *qemu, uint64_t address, void *data, size_t size);

#endif

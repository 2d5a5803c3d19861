/* SPDX-License-Identifier: MIT */
/*
 * The host interface of the public tests: a guest writes `tohost`, 64 bits in its RAM. Odd: it ends
 * with the code that is above. Device 1, command 1: a character for the console. Even, of device 0:
 * the physical address of a system call, of which write to the console is the only one here; the
 * answer is its first word, and `fromhost` becomes 1.
 */
#include <string.h>

#include "machine.h"

#define SYSCALL_WRITE 64
#define NOT_THERE ((uint64_t)-38) /* -ENOSYS */
#define BAD_ADDRESS ((uint64_t)-14)

static uint64_t read64(const struct rv_machine *m, uint64_t physical) {
	uint64_t value = 0;
	if (rv_is_ram(m, physical, sizeof(value))) {
		memcpy(&value, m->ram + (physical - RV_RAM_BASE), sizeof(value));
	}
	return value;
}

static void write64(struct rv_machine *m, uint64_t physical, uint64_t value) {
	if (rv_is_ram(m, physical, sizeof(value))) {
		memcpy(m->ram + (physical - RV_RAM_BASE), &value, sizeof(value));
		rv_machine_written(m, physical, sizeof(value));
	}
}

static uint64_t system_call(struct rv_machine *m, uint64_t call) {
	uint64_t data = read64(m, call + 16), size = read64(m, call + 24);
	if (read64(m, call) != SYSCALL_WRITE) {
		return NOT_THERE;
	}
	if (!rv_is_ram(m, data, size)) {
		return BAD_ADDRESS;
	}
	/* Always as many, whatever the host has fetched yet. */
	uint64_t sent = 0;
	for (; sent < size && sent < RV_UART_ROOM; sent++) {
		rv_uart_send(m, m->ram[data - RV_RAM_BASE + sent]);
	}
	return sent;
}

void rv_htif_written(struct rv_machine *m, uint64_t physical, uint64_t size) {
	uint64_t tohost = m->board->tohost;
	if (physical >= tohost + sizeof(uint64_t) || physical + size <= tohost) {
		return;
	}
	uint64_t command = read64(m, tohost);
	if (command == 0) {
		return;
	}
	unsigned device = command >> 56, what = command >> 48 & 0xff;
	uint64_t payload = command & 0xffffffffffff;
	if (device == 0 && (payload & 1)) {
		uint64_t code = payload >> 1;
		rv_machine_end(m, code < UINT32_MAX ? (uint32_t)code : UINT32_MAX);
		return;
	}
	write64(m, tohost, 0);
	if (device == 1 && what == 1) {
		rv_uart_send(m, (uint8_t)payload);
	} else if (device == 0 && rv_is_ram(m, payload, 32)) {
		write64(m, payload, system_call(m, payload));
		write64(m, m->board->fromhost, 1);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * Semihosting ("RISC-V Semihosting" 0.3 on Arm's calls): an EBREAK between two instructions that do
 * nothing otherwise asks the host for what a0 says, with a1. Here that is to end and to print;
 * there are no files, and nothing to read. A write may send less than all, and says so; a string is
 * sent whole, and the machine makes no step before that.
 */
#include <string.h>

#include "machine.h"

#define BEFORE 0x01f01013u /* slli x0, x0, 31 */
#define EBREAK 0x00100073u
#define AFTER 0x40705013u /* srai x0, x0, 7 */

enum call {
	CALL_OPEN = 0x01,
	CALL_CLOSE = 0x02,
	CALL_WRITEC = 0x03,
	CALL_WRITE0 = 0x04,
	CALL_WRITE = 0x05,
	CALL_READ = 0x06,
	CALL_ISERROR = 0x08,
	CALL_ISTTY = 0x09,
	CALL_CLOCK = 0x10,
	CALL_ERRNO = 0x13,
	CALL_EXIT = 0x18,
	CALL_EXIT_EXTENDED = 0x20,
};

#define APPLICATION_EXIT 0x20026
#define FAILED UINT64_MAX
#define CONSOLE_HANDLE 1
#define TICKS_OF_CLOCK (RV_TIMEBASE_HZ / 100)

static bool get(const struct rv_machine *m, const struct rv_hart *hart, uint64_t address,
	void *data, size_t size) {
	return rv_peek(m, hart, address, data, size);
}

static bool is_call(const struct rv_machine *m, const struct rv_hart *hart) {
	static const uint32_t wanted[] = {BEFORE, EBREAK, AFTER};
	uint32_t code[3];
	return get(m, hart, hart->pc - 4, code, sizeof(code)) &&
		memcmp(code, wanted, sizeof(code)) == 0;
}

/* Bytes sent: one instruction sends no more than there is always room for. */
static uint64_t send(struct rv_machine *m, const struct rv_hart *hart, uint64_t address,
	uint64_t size, bool to_zero) {
	uint64_t sent = 0;
	uint8_t byte;
	for (; sent < size && sent < RV_UART_ROOM; sent++) {
		if (!get(m, hart, address + sent, &byte, 1) || (to_zero && byte == 0))
			break;
		rv_uart_send(m, byte);
	}
	return sent;
}

void rv_semihost_go_on(struct rv_machine *m) {
	struct rv_board *board = m->board;
	uint64_t most = board->string_left < RV_UART_ROOM ? board->string_left : RV_UART_ROOM;
	uint64_t sent = send(m, &m->harts[board->string_hart], board->string_at, most, true);
	board->string_at += sent;
	/* It ends with a zero, with memory, or where it must go round in it. */
	board->string_left = sent == most ? board->string_left - sent : 0;
	m->attention |= board->string_left > 0;
}

static uint64_t open_console(const struct rv_machine *m, const struct rv_hart *hart, uint64_t at) {
	uint64_t words[3];
	char name[4];
	if (!get(m, hart, at, words, sizeof(words)) || words[2] != 3 ||
		!get(m, hart, words[0], name, sizeof(name)) || memcmp(name, ":tt", 4) != 0)
		return FAILED;
	return CONSOLE_HANDLE;
}

static void exit_with(struct rv_machine *m, const struct rv_hart *hart, uint64_t at) {
	uint64_t words[2];
	bool known = get(m, hart, at, words, sizeof(words));
	rv_machine_end(m, known && words[0] == APPLICATION_EXIT ? (uint32_t)words[1] : 1);
}

static uint64_t perform(
	struct rv_machine *m, const struct rv_hart *hart, uint64_t call, uint64_t at) {
	uint64_t words[3];
	switch (call) {
	case CALL_OPEN:
		return open_console(m, hart, at);
	case CALL_CLOSE:
	case CALL_ERRNO:
		return 0;
	case CALL_WRITEC:
		send(m, hart, at, 1, false);
		return 0;
	case CALL_WRITE0:
		m->board->string_hart = (uint32_t)(hart - m->harts);
		m->board->string_at = at;
		m->board->string_left = m->ram_size;
		rv_semihost_go_on(m);
		return 0;
	case CALL_WRITE: /* what is left */
		if (!get(m, hart, at, words, sizeof(words)))
			return FAILED;
		return words[2] - send(m, hart, words[1], words[2], false);
	case CALL_READ: /* at the end */
		return get(m, hart, at, words, sizeof(words)) ? words[2] : FAILED;
	case CALL_ISERROR:
		return get(m, hart, at, words, sizeof(words[0])) && (int64_t)words[0] < 0;
	case CALL_ISTTY:
		return 1;
	case CALL_CLOCK:
		return rv_machine_time(m) / TICKS_OF_CLOCK;
	case CALL_EXIT:
	case CALL_EXIT_EXTENDED:
		exit_with(m, hart, at);
		return 0;
	default:
		return FAILED;
	}
}

bool rv_ebreak(
	struct rv_machine *m, struct rv_hart *hart, uint64_t a0, uint64_t a1, uint64_t *answer) {
	if (!m->semihosting || !is_call(m, hart)) {
		rv_raise(m, hart, RV_BREAKPOINT, hart->pc);
		return false;
	}
	*answer = perform(m, hart, a0, a1);
	return true;
}

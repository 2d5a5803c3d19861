/* SPDX-License-Identifier: MIT */
/* CLINT, PLIC, UART and the finisher, through the bus as a guest sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "board.h"

#define RAM (64 * 1024)

static int setup(void **state) {
	*state = board_create(2, RAM, 0);
	return 0;
}

static int teardown(void **state) {
	board_destroy(*state);
	return 0;
}

/* ------------------------------------------------------------------ bus */

static void test_nothing_answers(void **state) {
	struct rv_machine *m = *state;
	uint64_t value;
	static const uint64_t holes[] = {0, 0x1000, RV_FINISHER_BASE - 8, RV_CLINT_BASE - 1,
		RV_CLINT_BASE + RV_CLINT_SIZE, RV_PLIC_BASE + RV_PLIC_SIZE,
		RV_VIRTIO_BASE + RV_VIRTIO_SIZE, RV_RAM_BASE, UINT64_MAX - 3, UINT64_MAX};
	for (unsigned i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
		assert_false(rv_bus_read(m, holes[i], 4, &value));
		assert_false(rv_bus_write(m, holes[i], 4, 1));
	}
	/* The last byte of a device is not the first of four. */
	assert_false(rv_bus_read(m, RV_UART_BASE + RV_UART_SIZE - 1, 4, &value));
	assert_true(rv_bus_read(m, RV_UART_BASE + RV_UART_SIZE - 1, 1, &value));
}

static void test_finisher(void **state) {
	struct rv_machine *m = *state;
	board_write(m, RV_FINISHER_BASE, 4, 0x1234);
	assert_false(m->board->ended);
	board_write(m, RV_FINISHER_BASE, 4, 0x00073333);
	assert_true(m->board->ended && m->attention);
	assert_int_equal(m->board->exit_code, 7);
	board_write(m, RV_FINISHER_BASE, 4, 0x5555);
	assert_int_equal(m->board->exit_code, 0);
	assert_int_equal(rv_machine_run(m, 10), RV_STOP_ENDED);
}

static void test_finisher_resets(void **state) {
	struct rv_machine *m = *state;
	m->harts[1].pc = 77;
	m->board->boot_pc = RV_RAM_BASE;
	board_write(m, RV_FINISHER_BASE, 4, 0x7777);
	assert_int_equal(rv_machine_run(m, 10), RV_STOP_RESET);
	assert_int_equal(m->board->resets, 1);
	assert_int_equal(m->board->steps, 0);
	assert_int_equal(m->harts[1].pc, RV_RAM_BASE);
	assert_int_equal(rv_machine_run(m, 10), RV_STOP_BUDGET);
}

/* ------------------------------------------------------------------ CLINT */

static void test_software_interrupts(void **state) {
	struct rv_machine *m = *state;
	board_write(m, RV_CLINT_BASE + 4, 4, 0xffffffff);
	assert_true(m->attention);
	assert_int_equal(m->clint->msip[0], 0);
	assert_int_equal(board_read(m, RV_CLINT_BASE + 4, 4), 1);
	assert_int_equal(board_read(m, RV_CLINT_BASE, 8), 1ull << 32);
	assert_true(rv_mip(m, &m->harts[1]) & 1 << RV_INT_MSI);
	assert_false(rv_mip(m, &m->harts[0]) & 1 << RV_INT_MSI);
	/* There are two harts. */
	board_write(m, RV_CLINT_BASE + 8, 4, 1);
	assert_int_equal(board_read(m, RV_CLINT_BASE + 8, 4), 0);
	assert_int_equal(m->clint->msip[2], 0);
}

static void test_timer(void **state) {
	struct rv_machine *m = *state;
	uint64_t compare = RV_CLINT_BASE + 0x4008;
	assert_int_equal(board_read(m, compare, 8), UINT64_MAX);
	board_write(m, compare, 4, 100);
	board_write(m, compare + 4, 4, 0);
	assert_int_equal(m->clint->mtimecmp[1], 100);
	assert_int_equal(board_read(m, compare, 4), 100);
	m->board->steps = 99;
	assert_false(rv_mip(m, &m->harts[1]) & 1 << RV_INT_MTI);
	m->board->steps = 100;
	assert_true(rv_mip(m, &m->harts[1]) & 1 << RV_INT_MTI);
	assert_false(rv_mip(m, &m->harts[0]) & 1 << RV_INT_MTI);
}

static void test_time_is_set(void **state) {
	struct rv_machine *m = *state;
	uint64_t mtime = RV_CLINT_BASE + 0xbff8;
	m->board->steps_per_tick = 10;
	m->board->steps = 57;
	assert_int_equal(board_read(m, mtime, 8), 5);
	board_write(m, mtime, 8, 1000);
	assert_int_equal(board_read(m, mtime, 8), 1000);
	m->board->steps = 60;
	assert_int_equal(board_read(m, mtime, 8), 1001);
	board_write(m, mtime + 4, 4, 3);
	assert_int_equal(board_read(m, mtime, 8), 3ull << 32 | 1001);
	assert_int_equal(board_read(m, mtime + 4, 4), 3);
	board_write(m, mtime, 8, 2);
	assert_int_equal(board_read(m, mtime, 8), 2);
	assert_int_equal(rv_machine_time(m), 2);
}

static void test_clint_sizes(void **state) {
	struct rv_machine *m = *state;
	uint64_t value;
	assert_false(rv_bus_read(m, RV_CLINT_BASE, 1, &value));
	assert_false(rv_bus_read(m, RV_CLINT_BASE + 2, 4, &value));
	assert_false(rv_bus_write(m, RV_CLINT_BASE + 0x4004, 8, 0));
}

/* ------------------------------------------------------------------ PLIC */

#define PRIORITY(source) (RV_PLIC_BASE + 4 * (source))
#define PENDING (RV_PLIC_BASE + 0x1000)
#define ENABLE(context) (RV_PLIC_BASE + 0x2000 + 0x80 * (context))
#define THRESHOLD(context) (RV_PLIC_BASE + 0x200000 + 0x1000 * (context))
#define CLAIM(context) (THRESHOLD(context) + 4)

static void test_claim_and_complete(void **state) {
	struct rv_machine *m = *state;
	board_write(m, PRIORITY(3), 4, 1);
	board_write(m, PRIORITY(7), 4, 2);
	board_write(m, PRIORITY(9), 4, 2);
	board_write(m, ENABLE(1), 4, 0xffffffff);
	assert_int_equal(board_read(m, ENABLE(1), 4), 0xfffffffe);
	rv_plic_line(m, 3, true);
	rv_plic_line(m, 9, true);
	m->attention = false;
	rv_plic_line(m, 7, true);
	assert_true(m->attention);
	assert_int_equal(board_read(m, PENDING, 4), 1u << 3 | 1u << 7 | 1u << 9);
	assert_true(rv_plic_pending(m, 1));
	assert_false(rv_plic_pending(m, 0));
	assert_true(rv_mip(m, &m->harts[0]) & 1 << RV_INT_SEI);
	/* By priority, the lower number of equal ones. */
	assert_int_equal(board_read(m, CLAIM(1), 4), 7);
	assert_int_equal(board_read(m, CLAIM(1), 4), 9);
	assert_int_equal(board_read(m, CLAIM(1), 4), 3);
	assert_int_equal(board_read(m, CLAIM(1), 4), 0);
	assert_false(rv_plic_pending(m, 1));
	/* Whose line is still high comes again. */
	rv_plic_line(m, 9, false);
	board_write(m, CLAIM(1), 4, 9);
	assert_int_equal(board_read(m, CLAIM(1), 4), 0);
	board_write(m, CLAIM(1), 4, 7);
	assert_int_equal(board_read(m, CLAIM(1), 4), 7);
}

static void test_threshold(void **state) {
	struct rv_machine *m = *state;
	board_write(m, PRIORITY(5), 4, 0xff);
	assert_int_equal(board_read(m, PRIORITY(5), 4), 7);
	board_write(m, PRIORITY(5), 4, 3);
	board_write(m, ENABLE(2), 4, 1 << 5);
	board_write(m, THRESHOLD(2), 4, 3);
	rv_plic_line(m, 5, true);
	assert_false(rv_plic_pending(m, 2));
	/* It does not count for a claim. */
	assert_int_equal(board_read(m, CLAIM(2), 4), 5);
	board_write(m, CLAIM(2), 4, 5);
	board_write(m, THRESHOLD(2), 4, 2);
	assert_true(rv_plic_pending(m, 2));
	assert_true(rv_mip(m, &m->harts[1]) & 1 << RV_INT_MEI);
	/* Priority 0 never interrupts. */
	board_write(m, PRIORITY(5), 4, 0);
	board_write(m, THRESHOLD(2), 4, 0);
	assert_false(rv_plic_pending(m, 2));
	assert_int_equal(board_read(m, CLAIM(2), 4), 0);
}

static void test_wrong_completion(void **state) {
	struct rv_machine *m = *state;
	board_write(m, PRIORITY(5), 4, 1);
	board_write(m, ENABLE(0), 4, 1 << 5);
	rv_plic_line(m, 5, true);
	assert_int_equal(board_read(m, CLAIM(0), 4), 5);
	board_write(m, CLAIM(1), 4, 5); /* not enabled there */
	board_write(m, CLAIM(0), 4, 5000);
	board_write(m, CLAIM(0), 4, 0);
	assert_int_equal(m->plic->claimed, 1 << 5);
	board_write(m, CLAIM(0), 4, 5);
	assert_int_equal(m->plic->claimed, 0);
}

static void test_plic_beyond(void **state) {
	struct rv_machine *m = *state;
	struct rv_plic before = *m->plic;
	uint64_t value;
	/* Sources and contexts that are not there, and the source that is none. */
	board_write(m, PRIORITY(0), 4, 1);
	board_write(m, PRIORITY(RV_IRQ_COUNT), 4, 1);
	board_write(m, ENABLE(0) + 4, 4, 1);
	board_write(m, ENABLE(4), 4, 2);
	board_write(m, THRESHOLD(4), 4, 2);
	board_write(m, THRESHOLD(0x3ff), 4, 2);
	board_write(m, PENDING, 4, 2);
	assert_memory_equal(&before, m->plic, sizeof(before));
	assert_int_equal(board_read(m, THRESHOLD(4), 4), 0);
	assert_int_equal(board_read(m, CLAIM(0x3ff), 4), 0);
	assert_false(rv_bus_read(m, PRIORITY(1), 8, &value));
	assert_false(rv_bus_read(m, PRIORITY(1) + 1, 4, &value));
}

/* ------------------------------------------------------------------ UART */

#define UART(number) (RV_UART_BASE + (number))

static bool uart_line(const struct rv_machine *m) {
	return m->plic->level & 1 << RV_IRQ_UART;
}

static void test_uart_receives(void **state) {
	struct rv_machine *m = *state;
	assert_int_equal(board_read(m, UART(5), 1), 0x60);
	assert_int_equal(rv_uart_input(m, "hello", 5), 5);
	assert_int_equal(board_read(m, UART(5), 1), 0x61);
	assert_false(uart_line(m));
	board_write(m, UART(1), 1, 1);
	assert_true(uart_line(m));
	assert_int_equal(board_read(m, UART(2), 1), 0x04);
	for (const char *c = "hello"; *c; c++)
		assert_int_equal(board_read(m, UART(0), 1), *c);
	assert_false(uart_line(m));
	assert_int_equal(board_read(m, UART(2), 1), 0x01);
	assert_int_equal(board_read(m, UART(0), 1), 0);
}

static void test_uart_holds_what_fits(void **state) {
	struct rv_machine *m = *state;
	uint8_t bytes[RV_UART_RX + 10];
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * 7;
	assert_int_equal(rv_uart_input(m, bytes, sizeof(bytes)), RV_UART_RX);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(board_read(m, UART(0), 1), bytes[i]);
	assert_int_equal(rv_uart_input(m, bytes + RV_UART_RX, 10), 10);
	for (unsigned i = 100; i < sizeof(bytes); i++)
		assert_int_equal(board_read(m, UART(0), 1), bytes[i]);
	assert_int_equal(board_read(m, UART(5), 1), 0x60);
}

static void test_uart_fifo(void **state) {
	struct rv_machine *m = *state;
	rv_uart_input(m, "gone", 4);
	board_write(m, UART(1), 1, 1);
	board_write(m, UART(2), 1, 0x81); /* enabled: emptied; trigger of 8 */
	assert_false(uart_line(m));
	assert_int_equal(board_read(m, UART(2), 1), 0xc1);
	rv_uart_input(m, "1234567", 7);
	assert_int_equal(board_read(m, UART(2), 1), 0xcc); /* fewer: by timeout */
	rv_uart_input(m, "8", 1);
	assert_int_equal(board_read(m, UART(2), 1), 0xc4);
	board_write(m, UART(2), 1, 0x83);
	assert_int_equal(board_read(m, UART(5), 1), 0x60);
}

static void test_uart_sends(void **state) {
	struct rv_machine *m = *state;
	char text[16];
	board_write(m, UART(1), 1, 2);
	assert_true(uart_line(m));
	assert_int_equal(board_read(m, UART(2), 1), 0x02);
	assert_false(uart_line(m)); /* told once */
	board_write(m, UART(0), 1, 'a');
	assert_true(uart_line(m));
	board_write(m, UART(0), 4, 0x12345600 | 'b');
	assert_int_equal(rv_uart_output(m, text, sizeof(text)), 2);
	assert_memory_equal(text, "ab", 2);
	assert_int_equal(rv_uart_output(m, text, sizeof(text)), 0);
	board_write(m, UART(1), 1, 0);
	assert_false(uart_line(m));
	board_write(m, UART(1), 1, 2);
	assert_true(uart_line(m));
}

static void test_uart_with_little_room_ends_the_slice(void **state) {
	struct rv_machine *m = *state;
	uint8_t bytes[RV_UART_TX];
	const unsigned most = RV_UART_TX - RV_UART_ROOM;
	for (unsigned i = 0; i < most; i++)
		board_write(m, UART(0), 1, i);
	assert_int_equal(rv_machine_run(m, 1), RV_STOP_BUDGET);
	m->attention = false;
	board_write(m, UART(0), 1, 0xff);
	assert_true(m->attention);
	assert_int_equal(rv_machine_run(m, 1), RV_STOP_CONSOLE);
	assert_int_equal(rv_uart_output(m, bytes, sizeof(bytes)), most + 1);
	assert_int_equal(bytes[1000], 1000 & 0xff);
	assert_int_equal(bytes[most], 0xff);
	assert_int_equal(rv_machine_run(m, 1), RV_STOP_BUDGET);
}

static void test_uart_latch_and_loop(void **state) {
	struct rv_machine *m = *state;
	char text[4];
	board_write(m, UART(3), 1, 0x83);
	board_write(m, UART(0), 1, 0x12);
	board_write(m, UART(1), 1, 0x34);
	assert_int_equal(board_read(m, UART(0), 1), 0x12);
	assert_int_equal(board_read(m, UART(1), 1), 0x34);
	board_write(m, UART(3), 1, 3);
	assert_int_equal(board_read(m, UART(1), 1), 0);
	assert_int_equal(board_read(m, UART(0), 1), 0);
	board_write(m, UART(7), 1, 0xa5);
	assert_int_equal(board_read(m, UART(7), 1), 0xa5);
	assert_int_equal(board_read(m, UART(6), 1), 0xb0);
	board_write(m, UART(4), 1, 0x1a); /* loop, RTS, OUT2 */
	assert_int_equal(board_read(m, UART(6), 1), 0x90);
	board_write(m, UART(0), 1, 'z');
	assert_int_equal(board_read(m, UART(0), 1), 'z');
	assert_int_equal(rv_uart_output(m, text, sizeof(text)), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_answers),
		TEST(test_finisher),
		TEST(test_finisher_resets),
		TEST(test_software_interrupts),
		TEST(test_timer),
		TEST(test_time_is_set),
		TEST(test_clint_sizes),
		TEST(test_claim_and_complete),
		TEST(test_threshold),
		TEST(test_wrong_completion),
		TEST(test_plic_beyond),
		TEST(test_uart_receives),
		TEST(test_uart_holds_what_fits),
		TEST(test_uart_fifo),
		TEST(test_uart_sends),
		TEST(test_uart_with_little_room_ends_the_slice),
		TEST(test_uart_latch_and_loop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

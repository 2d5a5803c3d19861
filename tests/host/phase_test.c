/* SPDX-License-Identifier: MIT */
/* The phase goes on, whatever the periods are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/host.h"

/* Not asked for by what is tested here. */
uint64_t host_now(const struct host *host) {
	return 0;
}

static uint64_t at(uint64_t now, uint64_t offset, uint64_t period) {
	const struct host host = {.phase = {.period = period, .offset = offset}};
	return host_phase_at(&host, now);
}

static void test_another_period(void **state) {
	static const uint64_t periods[] = {1, 7, 1000, 16666667, 1000000000, 86400000000000};
	static const uint64_t nows[] = {0, 1, 999, 123456789012345, UINT64_MAX / 3};
	enum { PERIODS = sizeof(periods) / sizeof(periods[0]) };
	for (size_t i = 0; i < PERIODS * PERIODS * 5; i++) {
		uint64_t from = periods[i % PERIODS], to = periods[i / PERIODS % PERIODS];
		uint64_t now = nows[i / PERIODS / PERIODS];
		const struct host_phase old = {.period = from, .offset = 777 % from};
		const struct host_phase phase = {
			.period = to, .offset = host_phase_offset(now, &old, to)};
		/* The same part has passed, to what a nanosecond of either is. */
		double before = (double)at(now, old.offset, from) / (double)from;
		double after = (double)at(now, phase.offset, to) / (double)to;
		assert_true(phase.offset < to);
		assert_true(after <= before && before - after <= 1.0 / (double)to + 1e-9);
		if (to >= 1000000) {
			assert_true(host_phase_error(now, &old, &phase) <= 1);
		}
	}
}

static void test_there_and_back(void **state) {
	const struct host_phase old = {.period = 1000000000, .offset = 12345};
	const struct host_phase slow = {
		.period = 3000000000, .offset = host_phase_offset(5550000000, &old, 3000000000)};
	assert_int_equal(at(5550000000, slow.offset, slow.period),
		at(5550000000, old.offset, old.period) * 3);
	const struct host_phase back = {
		.period = 1000000000, .offset = host_phase_offset(5550000000, &slow, 1000000000)};
	assert_int_equal(back.offset % back.period, old.offset);
}

/* What had no cycle begins one. */
static void test_the_first(void **state) {
	const struct host_phase none = {0};
	uint64_t offset = host_phase_offset(123456789, &none, 1000);
	assert_int_equal(at(123456789, offset, 1000), 0);
	assert_int_equal(at(123456790, offset, 1000), 1);
	assert_int_equal(at(5, 0, 0), 0);
}

static void test_error(void **state) {
	const struct host_phase a = {.period = 1000, .offset = 0};
	const struct host_phase b = {.period = 1000, .offset = 250};
	const struct host_phase c = {.period = 1000, .offset = 900};
	const struct host_phase none = {0};
	assert_int_equal(host_phase_error(0, &a, &a), 0);
	assert_int_equal(host_phase_error(0, &a, &b), 250000);
	assert_int_equal(host_phase_error(50, &b, &a), 250000);
	/* The shorter way round. */
	assert_int_equal(host_phase_error(0, &a, &c), 100000);
	assert_int_equal(host_phase_error(0, &none, &c), 0);
	assert_int_equal(host_phase_error(0, &a, &none), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_period),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_the_first),
		cmocka_unit_test(test_error),
	};
	return cmocka_run_group_tests_name("phase", tests, NULL, NULL);
}

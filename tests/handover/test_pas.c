/* SPDX-License-Identifier: MIT */
/* Phase Alignment Stability, by its definition in docs/pas.md. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compositor/pas.h"

static void assert_near(double value, double wanted) {
	assert_true(fabs(value - wanted) < 1e-6);
}

static double pas(struct city_continuity continuity) {
	struct city_pas parts = city_pas_of(&continuity);
	assert_near(parts.all, parts.time * parts.phase * parts.state * parts.frames);
	assert_true(parts.all >= 0 && parts.all <= 1);
	return parts.all;
}

static void test_nothing_lost(void **state) {
	assert_near(pas((struct city_continuity){0}), 1);
	assert_near(pas((struct city_continuity){
			    .gap_ns = 200000, .had = 4096, .kept = 4096, .shown = 60}),
		1);
}

static void test_time(void **state) {
	assert_near(pas((struct city_continuity){.gap_ns = 16000000}), 1);
	assert_near(pas((struct city_continuity){.gap_ns = 1000000000}), 1.0 / 60);
	assert_near(pas((struct city_continuity){.gap_ns = -1}), 0);
	/* By the screen's own frame. */
	assert_near(pas((struct city_continuity){.gap_ns = 6000000, .frame_ns = 6944444}), 1);
	assert_near(pas((struct city_continuity){.gap_ns = 16000000, .frame_ns = 4000000}), 0.25);
	assert_near(pas((struct city_continuity){.gap_ns = 30000000, .frame_ns = 33333333}), 1);
}

static void test_phase(void **state) {
	assert_near(pas((struct city_continuity){.phase_error = 0.25}), 0.5);
	assert_near(pas((struct city_continuity){.phase_error = 0.5}), 0);
	assert_true(pas((struct city_continuity){.phase_error = 0.01}) > 0.999);
}

static void test_state(void **state) {
	assert_near(pas((struct city_continuity){.had = 400, .kept = 100}), 0.25);
	assert_near(pas((struct city_continuity){.had = 400}), 0);
}

static void test_frames(void **state) {
	assert_near(pas((struct city_continuity){.shown = 30, .dropped = 10}), 0.75);
	assert_near(pas((struct city_continuity){.dropped = 10}), 0);
}

static void test_product(void **state) {
	assert_near(pas((struct city_continuity){
			    .phase_error = 0.25, .had = 2, .kept = 1, .shown = 1, .dropped = 1}),
		0.125);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_lost),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_phase),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_product),
	};
	return cmocka_run_group_tests_name("city-pas", tests, NULL, NULL);
}

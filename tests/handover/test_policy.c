/* SPDX-License-Identifier: MIT */
/* The choice of a strategy, row by row of the table in compositor/policy.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compositor/policy.h"
#include "tiles/tile.h"

static struct city_traits a, b;

/* Two versions that differ in nothing but their code. */
static int set_up(void **state) {
	a = (struct city_traits){
		.kind = "wave",
		.schema = 7,
		.port_count = 2,
		.ports = {{"in", "audio", TILE_PORT_IN, 0}, {"out", "audio", TILE_PORT_OUT, 5}},
		.ports_known = true,
		.time_model = TILE_TIME_PHASE,
		.period_ns = 1000,
	};
	b = a;
	return 0;
}

static void expect(enum city_strategy strategy, const char *reason) {
	struct city_difference difference;
	struct city_decision decision;
	city_policy_compare(&a, &b, &difference);
	city_policy_choose(&difference, &decision);
	assert_string_equal(city_strategy_name(decision.strategy), city_strategy_name(strategy));
	assert_string_equal(decision.reason, reason);
}

static void cell(enum city_cell_change change) {
	strcpy(b.cells[change], "grid");
	b.schema = 8;
}

static void test_code(void **state) {
	expect(CITY_STRATEGY_INSTANT, "only code and parameters differ");
}

static void test_layout(void **state) {
	cell(CITY_CELL_MIGRATED);
	expect(CITY_STRATEGY_CROSSFADE, "the state is laid out anew: cell grid");
}

static void test_ports(void **state) {
	b.ports[0].direction = TILE_PORT_OUT;
	expect(CITY_STRATEGY_CROSSFADE, "its ports differ: port in");
	set_up(state);
	strcpy(b.ports[0].kind, "midi");
	expect(CITY_STRATEGY_CROSSFADE, "its ports differ: port in");
	set_up(state);
	b.port_count = 1;
	expect(CITY_STRATEGY_CROSSFADE, "its ports differ: no port out");
	set_up(state);
	strcpy(b.ports[2].name, "side");
	b.port_count = 3;
	expect(CITY_STRATEGY_CROSSFADE, "its ports differ: new port side");
	/* A name is an identity, but for a port that has an id. */
	set_up(state);
	strcpy(b.ports[0].name, "left");
	expect(CITY_STRATEGY_CROSSFADE, "its ports differ: new port left");
	set_up(state);
	strcpy(b.ports[1].name, "left");
	expect(CITY_STRATEGY_INSTANT, "only code and parameters differ");
	/* The order is none. */
	struct city_port first = b.ports[0];
	b.ports[0] = b.ports[1];
	b.ports[1] = first;
	expect(CITY_STRATEGY_INSTANT, "only code and parameters differ");
	/* Of a version that says nothing about them nothing is known. */
	b.ports_known = false;
	b.port_count = 0;
	expect(CITY_STRATEGY_INSTANT, "only code and parameters differ");
}

static void test_period(void **state) {
	b.period_ns = 1500;
	expect(CITY_STRATEGY_CROSSFADE, "the period differs, the phase is aligned");
}

static void test_time_model(void **state) {
	b.time_model = TILE_TIME_RUNNING;
	b.period_ns = 0;
	expect(CITY_STRATEGY_FREEZE_AND_FADE, "the time model differs: phase to running");
}

static void test_identity(void **state) {
	cell(CITY_CELL_IDENTITY);
	expect(CITY_STRATEGY_CROSSFADE, "elements are told apart in another way: cell grid");
}

static void test_kind(void **state) {
	strcpy(b.kind, "shore");
	expect(CITY_STRATEGY_CROSSFADE, "another kind of tile: shore");
}

static void test_partly(void **state) {
	cell(CITY_CELL_CLEARED);
	expect(CITY_STRATEGY_CROSSFADE, "some state is not carried over: cell grid");
	set_up(state);
	cell(CITY_CELL_LOSSY);
	expect(CITY_STRATEGY_CROSSFADE, "some state is not carried over: cell grid");
	/* What starts anew at each handover does so with the same declarations, too. */
	set_up(state);
	cell(CITY_CELL_CLEARED);
	b.schema = a.schema;
	expect(CITY_STRATEGY_CROSSFADE, "some state is not carried over: cell grid");
}

static void test_new_state(void **state) {
	cell(CITY_CELL_FRESH);
	expect(CITY_STRATEGY_FREEZE_AND_FADE, "state that did not exist: cell grid");
	/* Found when another version ran: of the same declarations nothing differs. */
	b.schema = a.schema;
	expect(CITY_STRATEGY_INSTANT, "only code and parameters differ");
}

static void test_warm_up(void **state) {
	b.warm_up_ms = 1;
	expect(CITY_STRATEGY_FREEZE_AND_FADE, "it has to warm up");
	/* That the old one had to is of no matter. */
	set_up(state);
	a.warm_up_ms = 1;
	expect(CITY_STRATEGY_INSTANT, "only code and parameters differ");
}

static void test_no_way(void **state) {
	cell(CITY_CELL_REFUSED);
	expect(CITY_STRATEGY_RESET, "the state cannot be carried over: cell grid");
}

/* Every pair of rows: the heavier strategy counts. */
static void test_several(void **state) {
	static const int weights[CITY_STRATEGY_COUNT] = {
		[CITY_STRATEGY_CROSSFADE] = 1,
		[CITY_STRATEGY_FREEZE_AND_FADE] = 2,
		[CITY_STRATEGY_RESET] = 3,
	};
	for (size_t i = 0; i < CITY_ASPECTS; i++) {
		assert_int_equal(city_policy_rows[i].aspect, i);
		for (size_t j = i; j < CITY_ASPECTS; j++) {
			struct city_difference difference = {0};
			struct city_decision decision;
			difference.differs[i] = difference.differs[j] = true;
			city_policy_choose(&difference, &decision);
			enum city_strategy one = city_policy_rows[i].strategy;
			enum city_strategy other = city_policy_rows[j].strategy;
			assert_int_equal(
				decision.strategy, weights[one] >= weights[other] ? one : other);
		}
	}
}

static void test_look(void **state) {
	assert_int_equal(city_policy_look(CITY_STRATEGY_INSTANT, true), CITY_STRATEGY_MELT);
	assert_int_equal(city_policy_look(CITY_STRATEGY_INSTANT, false), CITY_STRATEGY_INSTANT);
	assert_int_equal(city_policy_look(CITY_STRATEGY_CROSSFADE, true), CITY_STRATEGY_CROSSFADE);
}

static void test_names(void **state) {
	enum city_strategy strategy;
	for (int i = 0; i < CITY_STRATEGY_COUNT; i++) {
		assert_true(
			city_strategy_parse(city_strategy_name((enum city_strategy)i), &strategy));
		assert_int_equal(strategy, i);
	}
	assert_false(city_strategy_parse("mlet", &strategy));
}

/* A version that said nothing at all is no reason for anything. */
static void test_unknown(void **state) {
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	expect(CITY_STRATEGY_INSTANT, "only code and parameters differ");
}

static void test_missed(void **state) {
	const int64_t at60 = 1000000000 / 60, at144 = 1000000000 / 144;
	assert_int_equal(city_policy_missed(at60 - 1, at60), 0);
	assert_int_equal(city_policy_missed(at60, at60), 1);
	assert_int_equal(city_policy_missed(at60, at144), 2);
	assert_int_equal(city_policy_missed(5000000, at144), 0);
	assert_int_equal(city_policy_missed(100000000, at144), 14);
	assert_int_equal(city_policy_missed(-1, at60), 0);
	assert_int_equal(city_policy_missed(INT64_MAX, 0), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_code, set_up),
		cmocka_unit_test_setup(test_layout, set_up),
		cmocka_unit_test_setup(test_ports, set_up),
		cmocka_unit_test_setup(test_period, set_up),
		cmocka_unit_test_setup(test_time_model, set_up),
		cmocka_unit_test_setup(test_identity, set_up),
		cmocka_unit_test_setup(test_kind, set_up),
		cmocka_unit_test_setup(test_partly, set_up),
		cmocka_unit_test_setup(test_new_state, set_up),
		cmocka_unit_test_setup(test_warm_up, set_up),
		cmocka_unit_test_setup(test_no_way, set_up),
		cmocka_unit_test_setup(test_several, set_up),
		cmocka_unit_test_setup(test_look, set_up),
		cmocka_unit_test_setup(test_names, set_up),
		cmocka_unit_test_setup(test_unknown, set_up),
		cmocka_unit_test(test_missed),
	};
	return cmocka_run_group_tests_name("city-policy", tests, NULL, NULL);
}

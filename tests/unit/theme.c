/* SPDX-License-Identifier: MIT */
/* Text can be read on all that it stands on, in light and dark; sizes are those of the scale. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "compositor/theme.h"

/* WCAG 2. */
#define LEAST_CONTRAST 4.5

static double channel(uint32_t rgba, int shift) {
	double value = (rgba >> shift & 0xff) / 255.0;
	return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

static double luminance(uint32_t rgba) {
	return 0.2126 * channel(rgba, 24) + 0.7152 * channel(rgba, 16) + 0.0722 * channel(rgba, 8);
}

static double contrast(uint32_t a, uint32_t b) {
	double x = luminance(a), y = luminance(b);
	return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}

/* `behind` may be seen through in part: what is below it is then black or white. */
static void expect_readable(const char *what, uint32_t text, uint32_t behind) {
	double share = (behind & 0xff) / 255.0;
	for (uint32_t below = 0; below < 2; below++) {
		uint32_t seen = city_color_mix(below == 0 ? 0x000000ff : 0xffffffff, behind, share);
		if (contrast(text, seen) < LEAST_CONTRAST) {
			fail_msg("%s: %08x on %08x has a contrast of %.2f", what, (unsigned)text,
				(unsigned)behind, contrast(text, seen));
		}
	}
}

static void expect_palette(const struct city_palette *p) {
	const uint32_t grounds[] = {p->ground, p->grid_major, p->district, p->district_inner};
	for (size_t i = 0; i < sizeof(grounds) / sizeof(grounds[0]); i++) {
		expect_readable("text", p->text, grounds[i]);
		expect_readable("dim text", p->text_dim, grounds[i]);
		/* Names of views without room in their frames. */
		expect_readable("a name", p->frame_text, grounds[i]);
		expect_readable("the focused name", p->focus_text, grounds[i]);
	}
	expect_readable("a title", p->frame_text, p->frame);
	expect_readable("the focused title", p->focus_text, p->focus);
	uint32_t buildings[64] = {p->guest, p->lot};
	size_t count = 2;
	for (int i = 0; i < 22; i++) {
		double cost = 0.0005 * pow(1.5, i);
		buildings[count++] = city_cost_color(p, cost);
		buildings[count++] =
			city_color_mix(city_cost_color(p, cost), 0xffffffff, p->facade);
	}
	for (size_t i = 0; i < count; i++) {
		expect_readable("a building's name", p->building_text, buildings[i]);
		expect_readable("a building's note", p->building_dim, buildings[i]);
	}
	expect_readable("a warning's sign", p->mark_text, p->warn);
	expect_readable("an error's sign", p->mark_text, p->error);
	expect_readable("a notice", p->badge_text, p->badge_info);
	expect_readable("a warning", p->badge_text, p->badge_warn);
	expect_readable("an error", p->badge_text, p->badge_error);
}

static void text_can_be_read(void **state) {
	expect_palette(city_palette_of(CITY_STYLE_DARK));
	expect_palette(city_palette_of(CITY_STYLE_LIGHT));
}

/* What lies on something else can be told from it; so can what means different things. */
static void things_can_be_told_apart(void **state) {
	for (int style = CITY_STYLE_DARK; style <= CITY_STYLE_LIGHT; style++) {
		const struct city_palette *p = city_palette_of((enum city_style)style);
		assert_true(contrast(p->cost[0], p->district_inner) >= 1.25);
		assert_true(contrast(p->district_inner, p->district) >= 1.1);
		assert_true(contrast(p->district_edge, p->district) >= 1.2);
		assert_true(contrast(p->focus, p->frame) >= 1.5);
		assert_true(contrast(p->error, p->lot) >= 3 && contrast(p->warn, p->lot) >= 3);
		assert_true(contrast(p->good, p->lot) >= 3);
		assert_true(contrast(p->pulse, p->ground) >= 3);
		assert_true(
			contrast(p->seen, p->ground) >= 4 && contrast(p->seen, p->focus) >= 1.5);
	}
}

static void costs_have_colours(void **state) {
	const struct city_palette *p = city_palette_of(CITY_STYLE_DARK);
	assert_int_equal(city_cost_color(p, -1), p->cost[0]);
	assert_int_equal(city_cost_color(p, 0.001), p->cost[0]);
	assert_int_equal(city_cost_color(p, 0.01), p->cost[1]);
	assert_int_equal(city_cost_color(p, 0.1), p->cost[2]);
	assert_int_equal(city_cost_color(p, 1), p->cost[3]);
	assert_int_equal(city_cost_color(p, 50), p->cost[3]);
	assert_int_equal(
		city_cost_color(p, sqrt(0.1)), city_color_mix(p->cost[2], p->cost[3], 0.5));
	assert_int_equal(city_color_faded(0x102030ff, 0.5), 0x10203080);
	assert_int_equal(city_color_faded(0x102030ff, 7), 0x102030ff);
}

static void sizes_are_of_the_scale(void **state) {
	assert_int_equal(city_type_under(10.9, 99), 0);
	assert_int_equal(city_type_under(11, 99), CITY_TYPE_SMALL);
	assert_int_equal(city_type_under(19.9, 99), CITY_TYPE_LARGE);
	assert_int_equal(city_type_under(500, CITY_TYPE_HEAD), CITY_TYPE_HEAD);
	assert_int_equal(city_type_under(500, 99), CITY_TYPE_MOST);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_can_be_read),
		cmocka_unit_test(things_can_be_told_apart),
		cmocka_unit_test(costs_have_colours),
		cmocka_unit_test(sizes_are_of_the_scale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

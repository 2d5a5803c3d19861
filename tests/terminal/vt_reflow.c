/* SPDX-License-Identifier: MIT */
/* Resizing: what must hold after any sequence of sizes, on texts of all kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"

static uint32_t seed;

static uint32_t next_random(uint32_t below) {
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

static struct rig *new_rig(uint32_t cols, uint32_t rows, uint32_t history) {
	struct rig *rig = malloc(sizeof(*rig));
	struct vt_memory counts = {0};
	rig_small_counts(&counts, 120, 60, history);
	rig_init_memory(rig, &counts, cols, rows, history);
	return rig;
}

static void drop_rig(struct rig *rig) {
	rig_finish(rig);
	free(rig);
}

static char *state_of(const struct rig *rig) {
	char *copy = malloc(rig->size);
	memcpy(copy, rig->block, rig->size);
	return copy;
}

static void test_wraps_and_joins(void **state) {
	struct rig *rig = new_rig(10, 5, 50);
	rig_feed(rig, "0123456789abcdef\r\nxy");
	rig_resize(rig, 8, 5);
	assert_string_equal(rig_row(rig, 0), "01234567");
	assert_string_equal(rig_row(rig, 1), "89abcdef");
	assert_string_equal(rig_row(rig, 2), "xy");
	assert_int_equal(rig->vt.state->row, 2);
	assert_int_equal(rig->vt.state->col, 2);
	rig_resize(rig, 20, 5);
	assert_string_equal(rig_row(rig, 0), "0123456789abcdef");
	assert_string_equal(rig_row(rig, 1), "xy");
	rig_feed(rig, "z");
	assert_string_equal(rig_row(rig, 1), "xyz");
	drop_rig(rig);
}

static void test_pending_wrap(void **state) {
	struct rig *rig = new_rig(10, 5, 50);
	rig_feed(rig, "0123456789");
	rig_resize(rig, 20, 5);
	assert_int_equal(rig->vt.state->col, 10);
	assert_int_equal(rig->vt.state->pending_wrap, 0);
	rig_resize(rig, 5, 5);
	assert_int_equal(rig->vt.state->row, 1);
	assert_int_equal(rig->vt.state->col, 4);
	assert_int_equal(rig->vt.state->pending_wrap, 1);
	rig_resize(rig, 10, 5);
	assert_int_equal(rig->vt.state->col, 9);
	assert_int_equal(rig->vt.state->pending_wrap, 1);
	rig_feed(rig, "x");
	assert_string_equal(rig_row(rig, 1), "x");
	drop_rig(rig);
}

static void test_wide(void **state) {
	struct rig *rig = new_rig(10, 5, 50);
	rig_feed(rig, "漢字漢字x");
	rig_resize(rig, 5, 5);
	assert_string_equal(rig_row(rig, 0), "漢字");
	assert_string_equal(rig_row(rig, 1), "漢字x");
	char *text = rig_text(rig);
	assert_string_equal(text, "漢字漢字x");
	free(text);
	rig_resize(rig, 10, 5);
	assert_string_equal(rig_row(rig, 0), "漢字漢字x");
	drop_rig(rig);
}

static void test_rows(void **state) {
	struct rig *rig = new_rig(10, 5, 50);
	rig_feed(rig, "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7");
	rig_resize(rig, 10, 3);
	assert_string_equal(rig_row(rig, 0), "5");
	assert_string_equal(rig_row(rig, 2), "7");
	assert_int_equal(rig->vt.state->row, 2);
	rig_resize(rig, 10, 6);
	assert_string_equal(rig_row(rig, 0), "2");
	assert_int_equal(rig->vt.state->row, 5);
	/* Empty rows go first, and come back empty. */
	rig_feed(rig, "\033[H\033[2J\033[3Ja\r\nb");
	rig_resize(rig, 10, 3);
	assert_string_equal(rig_row(rig, 0), "a");
	rig_resize(rig, 10, 6);
	assert_string_equal(rig_row(rig, 0), "a");
	assert_int_equal(rig->vt.state->row, 1);
	drop_rig(rig);
}

static void test_invisible_ends(void **state) {
	struct rig *rig = new_rig(20, 5, 50);
	rig_feed(rig, "ab                \r\ncd\033[41m\033[K\033[m");
	rig_resize(rig, 6, 5);
	assert_string_equal(rig_row(rig, 1), "cd");
	assert_int_equal(rig_cell(rig, 1, 5)->bg, VT_COLOR_INDEXED | 1);
	assert_int_equal(vt_line_screen(&rig->vt), 0);
	drop_rig(rig);
}

static void test_alternate(void **state) {
	struct rig *rig = new_rig(10, 5, 50);
	rig_feed(rig, "0123456789abc\033[?1049h\033[Halternate\r\n2\r\n3\r\n4\r\n5");
	rig_resize(rig, 5, 3);
	assert_string_equal(rig_row(rig, 0), "3");
	assert_string_equal(rig_row(rig, 2), "5");
	assert_int_equal(rig->vt.state->row, 2);
	rig_resize(rig, 10, 5);
	rig_feed(rig, "\033[?1049lX");
	assert_string_equal(rig_row(rig, 0), "0123456789");
	assert_string_equal(rig_row(rig, 1), "abcX");
	drop_rig(rig);
}

static void test_limits(void **state) {
	struct rig *rig = new_rig(10, 5, 50);
	char *before = state_of(rig);
	char scratch[65536] __attribute__((aligned(16)));
	assert_true(vt_resize_scratch(&rig->vt, 5000, 5) <= sizeof(scratch));
	assert_false(vt_resize(&rig->vt, 5000, 5, 8, 16, scratch));
	assert_false(vt_resize(&rig->vt, 1, 5, 8, 16, scratch));
	assert_false(vt_resize(&rig->vt, 10, 0, 8, 16, scratch));
	assert_false(vt_resize(&rig->vt, 120, 61, 8, 16, scratch));
	assert_memory_equal(before, rig->block, rig->size);
	free(before);
	/* Wider rows leave room for fewer of them. */
	rig_resize(rig, 2, 60);
	rig_resize(rig, 120, 60);
	assert_true(rig->vt.state->ring[0] <= rig->memory.count[VT_MAIN_ROWS]);
	drop_rig(rig);
}

static void test_growing_arrays(void **state) {
	struct rig *rig = new_rig(10, 5, 50);
	rig_feed(rig, "0123456789abc\r\nmore");
	struct vt_memory counts = rig->memory, larger;
	vt_memory_counts(&counts, 300, 100, 50);
	size_t size;
	char *block = rig_block(&counts, &larger, &size);
	for (int i = 0; i < VT_ARRAYS; i++) {
		uint32_t count = rig->memory.count[i] < larger.count[i] ? rig->memory.count[i]
									: larger.count[i];
		memcpy(larger.at[i], rig->memory.at[i], (size_t)count * vt_arrays[i].element);
	}
	for (int i = VT_CLUSTERS; i <= VT_LINKS; i++) {
		larger.count[i] = rig->memory.count[i];
	}
	rig_finish(rig);
	rig->block = block;
	rig->size = size;
	rig->memory = larger;
	assert_true(vt_bind(&rig->vt, &larger, NULL));
	rig_resize(rig, 300, 100);
	assert_string_equal(rig_row(rig, 0), "0123456789abc");
	assert_string_equal(rig_row(rig, 1), "more");
	drop_rig(rig);
}

static void test_report(void **state) {
	struct rig *rig = new_rig(10, 5, 50);
	rig_feed(rig, "\033[?2048h");
	rig_replies(rig);
	rig_resize(rig, 10, 5);
	assert_string_equal(rig_replies(rig), "");
	rig_resize(rig, 12, 6);
	assert_string_equal(rig_replies(rig), "^[[48;6;12;96;96t");
	drop_rig(rig);
}

/* ---- properties ---- */

static void random_text(struct rig *rig, uint32_t count) {
	static const char *const parts[] = {"x", "word ", "漢字", "e\314\201", "\r\n", "\r\n",
		"   ", "\033[7m \033[m", "\033[31mred\033[m", "\t",
		"0123456789012345678901234567890123456789", "\033[44mq\033[K\033[m\r\n"};
	for (uint32_t i = 0; i < count; i++) {
		rig_feed(rig, parts[next_random(sizeof(parts) / sizeof(parts[0]))]);
	}
}

/* Without spaces at the ends of rows, which a narrow screen may drop. */
static char *squeezed(const struct rig *rig) {
	char *text = rig_text(rig);
	char *to = text;
	for (const char *at = text; *at; at++) {
		if (*at != ' ') {
			*to++ = *at;
		}
	}
	*to = '\0';
	return text;
}

static void test_text_is_kept(void **state) {
	for (seed = 1; seed < 300;) {
		uint32_t keep = seed + 1;
		struct rig *rig = new_rig(10 + next_random(60), 4 + next_random(20), 4000);
		random_text(rig, 60);
		rig_feed(rig, "\033[?1004hEND");
		char *before = squeezed(rig);
		for (int i = 0; i < 12; i++) {
			rig_resize(rig, 2 + next_random(100), 2 + next_random(50));
			char *after = squeezed(rig);
			assert_string_equal(after, before);
			free(after);
			/* The cursor stays behind its character. */
			const struct vt_state *s = rig->vt.state;
			uint32_t row = s->row, col = s->col;
			if (!s->pending_wrap) {
				assert_true(col > 0);
				col--;
			}
			assert_int_equal(rig_cell(rig, row, col)->ch, 'D');
			assert_true(vt_check(&rig->vt, NULL));
		}
		free(before);
		drop_rig(rig);
		seed = keep;
	}
}

static void test_again_changes_nothing(void **state) {
	for (seed = 1; seed < 200;) {
		uint32_t keep = seed + 1;
		struct rig *rig = new_rig(10 + next_random(60), 4 + next_random(20), 30);
		random_text(rig, 200);
		for (int i = 0; i < 6; i++) {
			uint32_t cols = 2 + next_random(100), rows = 1 + next_random(50);
			rig_resize(rig, cols, rows);
			char *before = state_of(rig);
			rig_resize(rig, cols, rows);
			assert_memory_equal(before, rig->block, rig->size);
			free(before);
		}
		drop_rig(rig);
		seed = keep;
	}
}

/* Sizes in between, as a handover skips them, do not show in the text. */
static void test_between_does_not_matter(void **state) {
	for (seed = 1; seed < 200;) {
		uint32_t keep = seed + 1, text_seed = seed;
		struct rig *direct = new_rig(40, 12, 4000), *detour = new_rig(40, 12, 4000);
		seed = text_seed;
		random_text(direct, 100);
		seed = text_seed;
		random_text(detour, 100);
		rig_feed(direct, "END");
		rig_feed(detour, "END");
		rig_resize(detour, 2 + next_random(100), 12 + next_random(20));
		rig_resize(detour, 2 + next_random(100), 12 + next_random(20));
		uint32_t cols = 2 + next_random(100);
		rig_resize(detour, cols, 12);
		rig_resize(direct, cols, 12);
		char *a = squeezed(direct), *b = squeezed(detour);
		assert_string_equal(a, b);
		assert_int_equal(direct->vt.state->col, detour->vt.state->col);
		free(a);
		free(b);
		drop_rig(direct);
		drop_rig(detour);
		seed = keep;
	}
}

static void test_marks_follow(void **state) {
	for (seed = 1; seed < 200;) {
		uint32_t keep = seed + 1, col;
		uint64_t line;
		struct rig *rig = new_rig(10 + next_random(60), 4 + next_random(20), 4000);
		random_text(rig, 60);
		rig_feed(rig, "#");
		struct vt_state *s = rig->vt.state;
		col = s->pending_wrap ? s->col : s->col - 1;
		vt_mark_set(&rig->vt, 3, vt_line_screen(&rig->vt) + s->row, col);
		random_text(rig, 20);
		for (int i = 0; i < 8; i++) {
			rig_resize(rig, 2 + next_random(100), 2 + next_random(50));
			assert_true(vt_mark_get(&rig->vt, 3, &line, &col));
			assert_int_equal(vt_line_cells(&rig->vt, line)[col].ch, '#');
		}
		drop_rig(rig);
		seed = keep;
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wraps_and_joins),
		cmocka_unit_test(test_pending_wrap),
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_invisible_ends),
		cmocka_unit_test(test_alternate),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_growing_arrays),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_text_is_kept),
		cmocka_unit_test(test_again_changes_nothing),
		cmocka_unit_test(test_between_does_not_matter),
		cmocka_unit_test(test_marks_follow),
	};
	return cmocka_run_group_tests_name("terminal reflow", tests, NULL, NULL);
}

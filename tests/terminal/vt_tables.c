/* SPDX-License-Identifier: MIT */
/* The tables of clusters, colours and links: nothing is lost while there is room, and when there is
 * none it is told. And arrays that were damaged: refused, or harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"

static uint32_t seed = 1;

static uint32_t next_random(uint32_t below) {
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

static struct rig *new_rig(uint32_t cols, uint32_t rows, uint32_t history) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, cols, rows, history);
	return rig;
}

static void drop_rig(struct rig *rig) {
	rig_finish(rig);
	free(rig);
}

/* A letter under one of very many pairs of accents. */
static void cluster_text(uint32_t i, char *out) {
	uint32_t a = 0x300 + i % 64, b = 0x300 + i / 64 % 64;
	sprintf(out, "%c%c%c%c%c", 'a' + i % 26, 0xc0 | a >> 6, 0x80 | (a & 63), 0xc0 | b >> 6,
		0x80 | (b & 63));
}

static void test_clusters_are_reclaimed(void **state) {
	struct rig *rig = new_rig(10, 4, 0);
	char text[16], row[128] = "";
	for (uint32_t i = 0; i < 5000; i++) {
		cluster_text(i, text);
		rig_feed(rig, text);
	}
	for (uint32_t i = 4990; i < 5000; i++) {
		cluster_text(i, text);
		strcat(row, text);
	}
	assert_string_equal(rig_row(rig, 3), row);
	assert_null(strstr(rig->log, "table-full"));
	assert_int_equal(rig->vt.state->table_refused[VT_TABLE_CLUSTERS], 0);
	drop_rig(rig);
}

static void test_history_gives_up_first(void **state) {
	struct rig *rig = new_rig(10, 4, 200);
	char text[16], row[128] = "";
	for (uint32_t i = 0; i < 1000; i++) {
		cluster_text(i, text);
		rig_feed(rig, text);
	}
	for (uint32_t i = 990; i < 1000; i++) {
		cluster_text(i, text);
		strcat(row, text);
	}
	assert_string_equal(rig_row(rig, 3), row);
	assert_non_null(strstr(rig->log, "table-full 0 0"));
	assert_int_equal(rig->vt.state->table_refused[VT_TABLE_CLUSTERS], 0);
	/* What gave up its accents still has its letters. */
	assert_string_equal(rig_row(rig, -90), "ijklmnopqr");
	drop_rig(rig);
}

static void test_full_screen_refuses(void **state) {
	struct rig *rig = new_rig(80, 24, 20);
	char text[16];
	for (uint32_t i = 0; i < 1900; i++) {
		cluster_text(i, text);
		rig_feed(rig, text);
	}
	assert_non_null(strstr(rig->log, "table-full 0 1"));
	assert_true(rig->vt.state->table_refused[VT_TABLE_CLUSTERS] > 1000);
	char letters[8];
	rig_feed(rig, "\r\nplain");
	assert_string_equal(rig_row(rig, 23), "plain");
	assert_int_equal(vt_cell_utf8(&rig->vt, rig_cell(rig, 10, 10), letters), 1);
	drop_rig(rig);
}

static void check_link(struct rig *rig, uint32_t row, uint32_t i) {
	char want[64];
	size_t length;
	sprintf(want, "https://example.org/%u", i);
	const char *uri =
		vt_link_uri(&rig->vt, vt_cell_link(&rig->vt, rig_cell(rig, row, 0)), &length);
	assert_non_null(uri);
	assert_int_equal(length, strlen(want));
	assert_memory_equal(uri, want, length);
}

static void test_links_are_reclaimed(void **state) {
	struct rig *rig = new_rig(20, 10, 5);
	char text[128];
	for (uint32_t i = 0; i < 20000; i++) {
		sprintf(text, "\r\n\033]8;%s;https://example.org/%u\007link\033]8;;\007",
			i % 3 ? "" : "id=x", i);
		rig_feed(rig, text);
	}
	for (uint32_t row = 0; row < 10; row++) {
		check_link(rig, row, 19990 + row);
	}
	assert_null(strstr(rig->log, "table-full"));
	drop_rig(rig);
}

static void test_many_underline_colors(void **state) {
	struct rig *rig = new_rig(20, 5, 5);
	char text[64];
	for (uint32_t i = 0; i < 10000; i++) {
		sprintf(text, "\033[58;2;%u;%u;1mx", i / 256, i % 256);
		rig_feed(rig, text);
	}
	for (uint32_t i = 0; i < 20; i++) {
		uint32_t n = 9980 + i;
		assert_int_equal(vt_cell_underline(&rig->vt, rig_cell(rig, 4, i)),
			VT_COLOR_RGB | (n / 256) << 16 | (n % 256) << 8 | 1);
	}
	drop_rig(rig);
}

/* When and what is reclaimed is a matter of the state alone. */
static void test_reclaiming_and_handover(void **state) {
	struct rig *whole = new_rig(20, 6, 12), *broken = new_rig(20, 6, 12);
	char stream[120000] = "", text[128];
	size_t length = 0;
	for (uint32_t i = 0; i < 900; i++) {
		cluster_text(next_random(4000), text);
		length += (size_t)sprintf(stream + length, "%s\033[58;5;%um\033]8;;u:%u\007%s\r\n",
			text, next_random(256), next_random(1000),
			next_random(2) ? "\033[0m" : "ab");
	}
	vt_feed(&whole->vt, stream, length);
	for (size_t i = 0; i < length; i++) {
		vt_feed(&broken->vt, stream + i, 1);
		if (i % 7 == 0) {
			rig_hand_over(broken);
		}
	}
	assert_memory_equal(whole->block, broken->block, whole->size);
	drop_rig(whole);
	drop_rig(broken);
}

/* ---- damaged arrays ---- */

static void random_stream(struct rig *rig, uint32_t count) {
	static const char *const parts[] = {"text", "\r\n", "\033[", "5", ";", "H", "m",
		"\033]8;;u\007", "\033]", "\007", "e\314\201", "漢", "\033[?1049h", "\033[?1049l",
		"\033[2J", "\033[L", "\033[3M", "\033[58;5;9m", "\0337", "\0338", "\033[2;5r",
		"\033[?69h", "\033[2;9s", "\033[22t", "\033[23t", "\033[>1u", "\033[<9u",
		"\033P$qm\033\\", "\033[9S", "\033[T", "\033[99b", "\033[?2027h",
		"\360\237\207\251", "\033[@", "\033[P", "\t"};
	for (uint32_t i = 0; i < count; i++) {
		rig_feed(rig, parts[next_random(sizeof(parts) / sizeof(parts[0]))]);
	}
}

static void look_at_everything(struct rig *rig) {
	struct vt *vt = &rig->vt;
	char *text = rig_text(rig);
	size_t length;
	free(text);
	for (uint64_t line = vt_line_first(vt); line < vt_line_end(vt); line++) {
		const struct vt_cell *cells = vt_line_cells(vt, line);
		for (uint32_t col = 0; col < vt->state->cols; col++) {
			vt_cell_underline(vt, &cells[col]);
			vt_link_uri(vt, vt_cell_link(vt, &cells[col]), &length);
		}
	}
	vt_out_peek(vt, &length);
	vt_out_drop(vt, length);
}

static void test_damaged_arrays(void **state) {
	uint32_t accepted = 0, refused = 0;
	for (uint32_t round = 0; round < 3000; round++) {
		struct rig *rig = new_rig(12, 6, 10);
		random_stream(rig, 60);
		/* Mostly in the state, where it can hurt most. */
		for (uint32_t i = 0; i <= round % 8; i++) {
			uint32_t array = next_random(3) ? VT_STATE : next_random(VT_ARRAYS);
			size_t size = (size_t)rig->memory.count[array] * vt_arrays[array].element;
			size = array == VT_STATE && next_random(2) ? 2900 : size;
			((uint8_t *)rig->memory.at[array])[next_random((uint32_t)size)] =
				(uint8_t)next_random(256);
		}
		const char *why = NULL;
		if (!vt_bind(&rig->vt, &rig->memory, &why)) {
			assert_non_null(why);
			refused++;
		} else {
			accepted++;
			random_stream(rig, 100);
			look_at_everything(rig);
			rig_resize(rig, 7, 6);
			random_stream(rig, 100);
			look_at_everything(rig);
		}
		drop_rig(rig);
	}
	assert_true(accepted > 100 && refused > 100);
}

static void test_bad_memory(void **state) {
	struct rig *rig = new_rig(10, 5, 10);
	struct vt vt;
	struct vt_memory memory = rig->memory;
	const char *why = NULL;
	memory.at[VT_LINKS] = NULL;
	assert_false(vt_bind(&vt, &memory, &why));
	assert_non_null(why);
	memory = rig->memory;
	memory.at[VT_STATE] = (char *)memory.at[VT_STATE] + 8;
	assert_false(vt_bind(&vt, &memory, &why));
	memory = rig->memory;
	memory.count[VT_MAIN_CELLS] = 20;
	assert_false(vt_bind(&vt, &memory, &why));
	memory = rig->memory;
	memory.count[VT_EXTS] = 70000;
	assert_false(vt_bind(&vt, &memory, &why));
	rig->vt.state->layout = 99;
	assert_false(vt_bind(&vt, &rig->memory, &why));
	assert_string_equal(why, "the arrays have another layout");
	drop_rig(rig);
}

/* The schema beside the arrays says where everything is. */
static void test_fields(void **state) {
	for (int i = 0; i < VT_ARRAYS; i++) {
		const struct vt_array_info *info = &vt_arrays[i];
		uint32_t at = 0;
		for (uint32_t f = 0; f < info->field_count; f++) {
			const struct vt_field *field = &info->fields[f];
			assert_int_equal(field->offset, at);
			at += field->count * field->size;
			for (uint32_t g = 0; g < f; g++) {
				assert_int_not_equal(info->fields[g].id, field->id);
				assert_string_not_equal(info->fields[g].name, field->name);
			}
		}
		assert_int_equal(at, info->field_count ? info->element : 0);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clusters_are_reclaimed),
		cmocka_unit_test(test_history_gives_up_first),
		cmocka_unit_test(test_full_screen_refuses),
		cmocka_unit_test(test_links_are_reclaimed),
		cmocka_unit_test(test_many_underline_colors),
		cmocka_unit_test(test_reclaiming_and_handover),
		cmocka_unit_test(test_damaged_arrays),
		cmocka_unit_test(test_bad_memory),
		cmocka_unit_test(test_fields),
	};
	return cmocka_run_group_tests_name("terminal tables", tests, NULL, NULL);
}

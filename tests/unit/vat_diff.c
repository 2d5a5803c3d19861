/* SPDX-License-Identifier: MIT */
/* What differs between two states, as it is told and as it is printed. */
#include "vat_common.h"

#include <signal.h>
#include <stdio.h>

struct note {
	uint32_t id;
	int32_t value;
	char text[24];
};
static const struct vat_field note_fields[] = {
	VAT_FIELD(1, U32, struct note, id),
	VAT_FIELD(2, I32, struct note, value),
	VAT_FIELD(3, TEXT, struct note, text),
};
struct note2 {
	uint32_t id;
	uint8_t more;
	int64_t value;
	char text[24];
};
static const struct vat_field note2_fields[] = {
	VAT_FIELD(1, U32, struct note2, id),
	VAT_FIELD(2, I64, struct note2, value),
	VAT_FIELD(3, TEXT, struct note2, text),
	VAT_FIELD_INIT(4, U8, struct note2, more, .u = 7),
};
struct board {
	float levels[4];
	bool on;
	char title[400];
	uint8_t raw[100];
};
static const struct vat_field board_fields[] = {
	VAT_FIELD(1, F32, struct board, levels),
	VAT_FIELD(2, BOOL, struct board, on),
	VAT_FIELD(3, TEXT, struct board, title),
	VAT_FIELD(4, BYTES, struct board, raw),
};
/* The same fields, some shorter or longer, one under another name. */
struct board2 {
	float levels[6];
	bool on;
	char title[300];
	uint8_t raw[10];
};
static const struct vat_field board2_fields[] = {
	VAT_FIELD(1, F32, struct board2, levels),
	{.id = 2,
		.type = VAT_BOOL,
		.count = 1,
		.offset = offsetof(struct board2, on),
		.name = "lit"},
	VAT_FIELD(3, TEXT, struct board2, title),
	VAT_FIELD(4, BYTES, struct board2, raw),
};
static const struct vat_cell_decl version1[] = {
	VAT_CELL("notes", struct note, 8, note_fields, .key_field = 1, .version = 1),
	VAT_CELL("board.main", struct board, 1, board_fields),
	VAT_CELL("places", struct note, 3, note_fields),
};
static const struct vat_cell_decl version2[] = {
	VAT_CELL("notes", struct note2, 8, note2_fields, .key_field = 1, .version = 2),
	VAT_CELL("board.main", struct board, 1, board_fields),
	VAT_CELL("extra", struct note, 2, note_fields),
};
static const struct vat_cell_decl version3[] = {
	VAT_CELL("board.main", struct board2, 1, board2_fields),
};

/* ---- what is told, as lines */

struct told {
	FILE *file;
	char *text;
	size_t size;
	bool json, all;
	const char *time;
};

static void begin(struct told *told) {
	free(told->text);
	told->text = NULL;
	told->file = open_memstream(&told->text, &told->size);
	assert_non_null(told->file);
}

static void tell(const struct vat_difference *difference, void *data) {
	struct told *told = data;
	struct vat_print_options options = {.json = told->json, .all = told->all};
	vat_print_difference(difference, told->file, &options, told->time);
}

static void expect(struct told *told, const char *wanted) {
	fclose(told->file);
	assert_string_equal(told->text, wanted);
}

static void diff(struct told *told, const struct vat_region *a, const struct vat_region *b,
	const char *cell, const char *field) {
	struct vat_error err;
	begin(told);
	assert_ok(vat_diff(a, b, cell, field, tell, told, &err), err);
}

static struct vat_region *filled(const struct vat_cell_decl *decls, size_t n) {
	struct vat_error err;
	int fd;
	struct vat_region *region = test_region(&fd);
	close(fd);
	assert_ok(vat_region_adopt(region, decls, n, 0, NULL, &err), err);
	return region;
}

static struct vat_region *sample(void) {
	struct vat_region *region = filled(version1, 3);
	struct note *notes = test_data(region, "notes");
	notes[0] = (struct note){.id = 3, .value = -3, .text = "three"};
	notes[1] = (struct note){.id = 5, .value = -5, .text = "five"};
	notes[4] = (struct note){.id = 4, .value = -4, .text = "four"};
	struct board *board = test_data(region, "board.main");
	*board = (struct board){.levels = {1, 2, 3, 4}, .title = "main"};
	return region;
}

/* ---- tests */

static void test_nothing(void **state) {
	struct told told = {0};
	struct vat_region *a = sample(), *b = sample();
	diff(&told, a, b, NULL, NULL);
	expect(&told, "");
	diff(&told, a, a, NULL, NULL);
	expect(&told, "");
	vat_region_unmap(a);
	vat_region_unmap(b);
	free(told.text);
}

static void test_values(void **state) {
	struct told told = {0};
	struct vat_region *a = sample(), *b = sample();
	struct board *board = test_data(b, "board.main");
	board->levels[2] = 0.5f;
	board->on = true;
	board->raw[99] = 1;
	memcpy(board->title, "maze\n", 5);
	struct note *places = test_data(b, "places");
	places[2].value = 9;
	diff(&told, a, b, NULL, NULL);
	expect(&told,
		"board.main.levels[2]: 3 -> 0.5\n"
		"board.main.on: false -> true\n"
		"board.main.title[2]: \"in\" -> \"ze\\n\"\n"
		"board.main.raw[99]: 00 -> 01\n"
		"places[2].value: 0 -> 9\n");
	/* Only what is asked for. */
	diff(&told, a, b, "places", NULL);
	expect(&told, "places[2].value: 0 -> 9\n");
	diff(&told, a, b, "board.main", "on");
	expect(&told, "board.main.on: false -> true\n");
	diff(&told, a, b, "board.main", "nothing");
	expect(&told, "");
	told.json = true;
	told.time = "2026-01-01T00:00:00.000Z";
	diff(&told, a, b, "board.main", "levels");
	expect(&told,
		"{\"event\":\"value\",\"time\":\"2026-01-01T00:00:00.000Z\",\"cell\":\"board."
		"main\","
		"\"element\":0,\"field\":\"levels\",\"index\":2,\"old\":3,\"new\":0.5}\n");
	told.time = NULL;
	diff(&told, a, b, "places", NULL);
	expect(&told,
		"{\"event\":\"value\",\"cell\":\"places\",\"element\":2,\"field\":\"value\","
		"\"old\":0,\"new\":9}\n");
	told = (struct told){.text = told.text, .all = true};
	diff(&told, a, b, "board.main", "title");
	expect(&told, "board.main.title: \"main\" -> \"maze\\n\"\n");
	vat_region_unmap(a);
	vat_region_unmap(b);
	free(told.text);
}

/* Elements with ids are the same wherever they are. */
static void test_keyed(void **state) {
	struct told told = {0};
	struct vat_region *a = sample(), *b = sample();
	struct note *notes = test_data(b, "notes");
	struct note five = notes[1];
	notes[1] = notes[4];
	notes[4] = (struct note){0};
	notes[7] = five;
	diff(&told, a, b, NULL, NULL);
	expect(&told, "");
	notes[7].value = 55;
	notes[0] = (struct note){.id = 9, .value = 1, .text = "nine"};
	diff(&told, a, b, NULL, NULL);
	expect(&told,
		"notes[id 3]: gone  id=3 value=-3 text=\"three\"\n"
		"notes[id 5].value: -5 -> 55\n"
		"notes[id 9]: added  id=9 value=1 text=\"nine\"\n");
	told.json = true;
	diff(&told, a, b, NULL, NULL);
	expect(&told,
		"{\"event\":\"element-gone\",\"cell\":\"notes\",\"element\":0,\"id\":3,\"old\":"
		"{\"id\":3,\"value\":-3,\"text\":\"three\"},\"new\":null}\n"
		"{\"event\":\"value\",\"cell\":\"notes\",\"element\":7,\"id\":5,\"field\":"
		"\"value\","
		"\"old\":-5,\"new\":55}\n"
		"{\"event\":\"element-added\",\"cell\":\"notes\",\"element\":0,\"id\":9,\"old\":"
		"null,"
		"\"new\":{\"id\":9,\"value\":1,\"text\":\"nine\"}}\n");
	vat_region_unmap(a);
	vat_region_unmap(b);
	free(told.text);
}

static void test_shapes(void **state) {
	struct told told = {0};
	struct vat_region *a = sample(), *b = filled(version2, 3);
	struct note2 *notes = test_data(b, "notes");
	notes[2] = (struct note2){.id = 3, .value = -3, .more = 7, .text = "three"};
	notes[3] = (struct note2){.id = 4, .value = 1ll << 40, .more = 7, .text = "four"};
	notes[4] = (struct note2){.id = 5, .value = -5, .more = 8, .text = "five"};
	struct board *board = test_data(b, "board.main");
	*board = (struct board){.levels = {1, 2, 3, 4}, .title = "main"};
	diff(&told, a, b, NULL, NULL);
	expect(&told,
		"places: gone, 3 x 32 B\n"
		"notes: version 1 -> 2\n"
		"notes.value: i32 -> i64\n"
		"notes.more: added, u8\n"
		"notes[id 4].value: -4 -> 1099511627776\n"
		"extra: added, 2 x 32 B\n");
	told.json = true;
	diff(&told, a, b, NULL, NULL);
	expect(&told,
		"{\"event\":\"cell-gone\",\"cell\":\"places\",\"old\":3,\"new\":null}\n"
		"{\"event\":\"version\",\"cell\":\"notes\",\"old\":1,\"new\":2}\n"
		"{\"event\":\"field-type\",\"cell\":\"notes\",\"field\":\"value\",\"old\":\"i32\","
		"\"new\":\"i64\"}\n"
		"{\"event\":\"field-added\",\"cell\":\"notes\",\"field\":\"more\",\"old\":null,"
		"\"new\":null}\n"
		"{\"event\":\"value\",\"cell\":\"notes\",\"element\":3,\"id\":4,\"field\":"
		"\"value\","
		"\"old\":-4,\"new\":1099511627776}\n"
		"{\"event\":\"cell-added\",\"cell\":\"extra\",\"old\":null,\"new\":2}\n");
	vat_region_unmap(a);
	vat_region_unmap(b);
	free(told.text);
}

/* Full fields of unequal lengths: nothing is read behind either, which is what AddressSanitizer
 * looks at. */
static void test_lengths(void **state) {
	struct told told = {0};
	struct vat_region *a = filled(version1, 3), *b = filled(version3, 1);
	struct board *board = test_data(a, "board.main");
	struct board2 *board2 = test_data(b, "board.main");
	memset(board->title, 'x', sizeof(board->title));
	memset(board2->title, 'x', sizeof(board2->title));
	memset(board->raw, 0xaa, sizeof(board->raw));
	memset(board2->raw, 0xaa, sizeof(board2->raw));
	char wanted[1024], rest[101] = {0}, raw[181] = {0};
	memset(rest, 'x', 100);
	for (size_t i = 0; i < 90; i++)
		memcpy(raw + 2 * i, "aa", 2);
	for (int way = 0; way < 2; way++) {
		snprintf(wanted, sizeof(wanted),
			way ? "board.main.levels: f32[6] -> f32[4]\n"
			      "board.main.on: was called lit\n"
			      "board.main.title: text[300] -> text[400]\n"
			      "board.main.raw: bytes[10] -> bytes[100]\n"
			      "board.main.title[300]: \"\" -> \"%s\"\n"
			      "board.main.raw[10]:  -> %.128s ... 90 bytes in all\n"
			    : "board.main.levels: f32[4] -> f32[6]\n"
			      "board.main.lit: was called on\n"
			      "board.main.title: text[400] -> text[300]\n"
			      "board.main.raw: bytes[100] -> bytes[10]\n"
			      "board.main.title[300]: \"%s\" -> \"\"\n"
			      "board.main.raw[10]: %.128s ... 90 bytes in all -> \n",
			rest, raw);
		if (way)
			diff(&told, b, a, "board.main", NULL);
		else
			diff(&told, a, b, "board.main", NULL);
		expect(&told, wanted);
	}
	/* Not from the middle of a character, whichever side has it. */
	memset(board->title, 'y', sizeof(board->title));
	memcpy(board->title, "yyy\xc3\xa4", 5);
	memset(board2->title, 'y', 5);
	memcpy(board2->title, "yyy\xc3\xb6\0", 6);
	diff(&told, b, a, "board.main", "title");
	fclose(told.file);
	assert_non_null(strstr(told.text, "title[3]: \"\xc3\xb6"));
	assert_non_null(strstr(told.text, "-> \"\xc3\xa4yyy"));
	vat_region_unmap(a);
	vat_region_unmap(b);
	free(told.text);
}

static void test_generations(void **state) {
	struct told told = {0};
	struct vat_error err;
	struct vat_region *region = sample();
	begin(&told);
	assert_fails(vat_diff_previous(region, NULL, NULL, tell, &told, &err), ENOENT);
	expect(&told, "");
	assert_ok(vat_region_adopt(region, version2, 3, VAT_ADOPT_KEEP, NULL, &err), err);
	struct note2 *notes = test_data(region, "notes");
	assert_int_equal(notes[0].id, 3);
	notes[0].value = 33;
	struct board *board = test_data(region, "board.main");
	board->levels[0] = 100; /* in both generations */
	begin(&told);
	assert_ok(vat_diff_previous(region, NULL, NULL, tell, &told, &err), err);
	expect(&told,
		"notes: version 1 -> 2\n"
		"notes.value: i32 -> i64\n"
		"notes.more: added, u8\n"
		"notes[id 3].value: -3 -> 33\n"
		"extra: added, 2 x 32 B\n");
	vat_region_unmap(region);
	free(told.text);
}

static void handle_segv(int signal_number, siginfo_t *info, void *context) {
	(void)context;
	if (vat_barrier_handle_fault(info->si_addr))
		return;
	signal(signal_number, SIG_DFL);
}

/* The handler is ours under AddressSanitizer too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
	return "handle_segv=0:allow_user_segv_handler=1";
}

/* With the undo log everything of before can be seen, while the writer goes on. */
static void test_undo_view(void **state) {
	struct told told = {0};
	struct vat_error err;
	struct sigaction action = {.sa_sigaction = handle_segv, .sa_flags = SA_SIGINFO};
	sigfillset(&action.sa_mask);
	assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
	struct vat_region *region = sample(), *reader, *before;
	int undo = vat_undo_create(region, &err);
	assert_ok(undo, err);
	uint64_t generation = vat_region_generation(region);
	assert_ok(vat_region_map(vat_region_fd(region), VAT_READ, &reader, &err), err);
	assert_fails(vat_undo_view(reader, undo, &err), ENODATA);
	assert_ok(vat_region_adopt(region, version2, 3, VAT_ADOPT_KEEP, NULL, &err), err);
	assert_ok(vat_barrier_begin(region, undo, generation, &err), err);
	for (int round = 0; round < 3; round++) {
		struct note2 *notes = test_data(region, "notes");
		notes[0].value = 33 + round;
		struct board *board = test_data(region, "board.main");
		board->levels[0] = 100 + (float)round;
		assert_ok(vat_region_refresh(reader, &err), err);
		int fd = vat_undo_view(reader, undo, &err);
		assert_ok(fd, err);
		assert_ok(vat_region_map(fd, VAT_READ, &before, &err), err);
		close(fd);
		assert_int_equal(vat_region_generation(before), generation);
		assert_false(vat_region_has_previous(before));
		diff(&told, before, reader, NULL, NULL);
		char wanted[1024];
		snprintf(wanted, sizeof(wanted),
			"notes: version 1 -> 2\n"
			"notes.value: i32 -> i64\n"
			"notes.more: added, u8\n"
			"notes[id 3].value: -3 -> %d\n"
			"board.main.levels[0]: 1 -> %d\n"
			"extra: added, 2 x 32 B\n",
			33 + round, 100 + round);
		expect(&told, wanted);
		vat_region_unmap(before);
	}
	assert_ok(vat_barrier_end(region, &err), err);
	vat_region_unmap(reader);
	vat_region_unmap(region);
	close(undo);
	free(told.text);
}

static void look(struct told *told, struct vat_watch *watch) {
	struct vat_error err;
	begin(told);
	assert_ok(vat_watch_look(watch, tell, told, &err), err);
}

static void test_watch(void **state) {
	struct told told = {0};
	struct vat_error err;
	struct vat_watch *watch, *one;
	struct vat_region *region = sample(), *reader, *reader2;
	assert_ok(vat_region_map(vat_region_fd(region), VAT_READ, &reader, &err), err);
	assert_ok(vat_region_map(vat_region_fd(region), VAT_READ, &reader2, &err), err);
	assert_ok(vat_watch_create(reader, NULL, NULL, &watch, &err), err);
	assert_ok(vat_watch_create(reader2, "board.main", "on", &one, &err), err);
	look(&told, watch);
	expect(&told, "");
	struct board *board = test_data(region, "board.main");
	board->on = true;
	board->levels[1] = 7;
	look(&told, watch);
	expect(&told, "board.main.levels[1]: 2 -> 7\nboard.main.on: false -> true\n");
	look(&told, one);
	expect(&told, "board.main.on: false -> true\n");
	look(&told, watch);
	expect(&told, "");
	/* A handover in between. */
	assert_ok(vat_region_adopt(region, version2, 3, 0, NULL, &err), err);
	((struct note2 *)test_data(region, "notes"))[0].value = 1;
	look(&told, watch);
	expect(&told,
		"notes: version 1 -> 2\n"
		"notes.value: i32 -> i64\n"
		"notes.more: added, u8\n"
		"notes[id 3].value: -3 -> 1\n"
		"extra: added, 2 x 32 B\n");
	look(&told, one);
	expect(&told, "");
	look(&told, watch);
	expect(&told, "");
	vat_watch_destroy(watch);
	vat_watch_destroy(one);
	vat_watch_destroy(NULL);
	vat_region_unmap(reader);
	vat_region_unmap(reader2);
	vat_region_unmap(region);
	free(told.text);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_keyed),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_undo_view),
		cmocka_unit_test(test_watch),
	};
	return cmocka_run_group_tests_name("vat_diff", tests, NULL, NULL);
}

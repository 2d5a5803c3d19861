/* SPDX-License-Identifier: MIT */
/* Names, UUIDs, keys, declarations, and the log. */
#include "vat_common.h"

#include <fcntl.h>

#include "log.h"

static void test_uuid(void **state) {
	struct vat_uuid a, b;
	assert_int_equal(vat_uuid_generate(&a), 0);
	assert_int_equal(vat_uuid_generate(&b), 0);
	assert_false(vat_uuid_equal(&a, &b));
	assert_int_equal(a.bytes[6] >> 4, 4);
	assert_int_equal(a.bytes[8] >> 6, 2);
	char text[VAT_UUID_TEXT];
	vat_uuid_format(&a, text);
	assert_int_equal(strlen(text), 36);
	assert_true(vat_uuid_parse(text, &b));
	assert_true(vat_uuid_equal(&a, &b));
	assert_true(vat_uuid_parse("00112233-4455-6677-8899-AABBCCDDEEFF", &a));
	assert_int_equal(a.bytes[10], 0xaa);
	struct vat_uuid before = a;
	static const char *const bad[] = {"", "0", "00112233-4455-6677-8899-aabbccddeef",
		"00112233-4455-6677-8899-aabbccddeeff0", "001122334455-6677-8899-aabbccddeeff",
		"00112233-4455-6677-8899-aabbccddeefg", "{0112233-4455-6677-8899-aabbccddeef}"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(vat_uuid_parse(bad[i], &a));
	assert_true(vat_uuid_equal(&a, &before));
	assert_false(vat_uuid_is_nil(&a));
	assert_true(vat_uuid_is_nil(&(struct vat_uuid){0}));
}

static void test_names(void **state) {
	static const char *const good[] = {"a", "grid", "a.b_c-9", "pty0"};
	static const char *const bad[] = {"", "A", "9a", "-a", "a b", "a/b", "..", "ä", "a\n"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(vat_name_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(vat_name_valid(bad[i]));
	assert_false(vat_name_valid(NULL));
	char name[VAT_NAME_SIZE + 1];
	memset(name, 'a', sizeof(name));
	name[VAT_NAME_SIZE - 1] = 0;
	assert_true(vat_name_valid(name));
	name[VAT_NAME_SIZE - 1] = 'a';
	name[VAT_NAME_SIZE] = 0;
	assert_false(vat_name_valid(name));
	assert_true(vat_field_name_valid("_Row9"));
	assert_false(vat_field_name_valid("9"));
	assert_false(vat_field_name_valid("a-b"));
	assert_false(vat_field_name_valid(""));
}

/* One key is pinned, from another implementation: a change would lose every cell of every city. */
static void test_keys(void **state) {
	struct vat_uuid city = {{1}}, tile = {{2}};
	struct vat_key a = vat_state_key(&city, &tile, "grid", "", 0);
	struct vat_key same = vat_state_key(&city, &tile, "grid", NULL, 0);
	assert_true(vat_key_equal(&a, &same));
	struct vat_key others[] = {
		vat_state_key(&tile, &city, "grid", "", 0),
		vat_state_key(&city, &tile, "gri", "d", 0),
		vat_state_key(&city, &tile, "grid", "s", 0),
		vat_state_key(&city, &tile, "grid", "", 1),
		vat_state_key(&city, &tile, "grid", "", 256),
		vat_state_key(&city, &city, "grid", "", 0),
	};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_false(vat_key_equal(&a, &others[i]));
		for (size_t j = 0; j < i; j++)
			assert_false(vat_key_equal(&others[i], &others[j]));
	}
	static const uint8_t pinned[16] = {0x36, 0x33, 0x49, 0xad, 0x3f, 0x8b, 0x87, 0xd4, 0x89,
		0xad, 0x99, 0xe8, 0xfd, 0x7e, 0xc8, 0xea};
	assert_memory_equal(a.bytes, pinned, 16);
}

static void test_checksum(void **state) {
	uint8_t data[203];
	uint64_t seed = 7;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)test_random(&seed);
	uint64_t sum = vat_checksum(data, sizeof(data));
	for (size_t i = 0; i < sizeof(data); i++) {
		for (int bit = 0; bit < 8; bit++) {
			data[i] ^= (uint8_t)(1 << bit);
			assert_true(vat_checksum(data, sizeof(data)) != sum);
			data[i] ^= (uint8_t)(1 << bit);
		}
	}
	assert_true(vat_checksum(data, sizeof(data) - 1) != sum);
	assert_true(vat_checksum(data, sizeof(data)) == sum);
}

struct thing {
	uint32_t id;
	float level[3];
	char label[12];
	uint64_t next;
};

static const struct vat_field thing_fields[] = {
	VAT_FIELD(1, U32, struct thing, id),
	VAT_FIELD_INIT(2, F32, struct thing, level, .f = 0.5),
	VAT_FIELD(3, TEXT, struct thing, label),
	VAT_FIELD(4, LINK, struct thing, next),
	VAT_RETIRED(5, "old"),
};

static void test_declarations(void **state) {
	const struct vat_cell_decl good =
		VAT_CELL("things", struct thing, 4, thing_fields, .key_field = 1);
	struct vat_error err;
	assert_ok(vat_decl_check(&good, &err), err);
	assert_int_equal(good.fields[1].count, 3);
	assert_int_equal(good.fields[2].count, 12);
	assert_int_equal(good.stride, sizeof(struct thing));

	struct vat_field fields[5];
	struct vat_cell_decl decl;
#define BAD(change, words)                                                                         \
	do {                                                                                       \
		memcpy(fields, thing_fields, sizeof(fields));                                      \
		decl = good;                                                                       \
		decl.fields = fields;                                                              \
		change;                                                                            \
		assert_fails(vat_decl_check(&decl, &err), EINVAL);                                 \
		if (!strstr(err.text, words))                                                      \
			fail_msg("'%s' does not say '%s'", err.text, words);                       \
	} while (0)
	BAD(decl.name = "Bad", "not valid");
	BAD(decl.name = NULL, "not valid");
	BAD(decl.scope = "No Scope", "scope");
	BAD(decl.field_count = 0, "no fields");
	BAD(decl.field_count = VAT_FIELDS_MAX + 1, "fields");
	BAD(decl.stride = 0, "0 bytes");
	BAD(decl.count = UINT64_MAX, "too many");
	BAD(decl.align = 24, "power of two");
	BAD(decl.align = 8192, "power of two");
	BAD(decl.reset = 3, "reset policy");
	BAD(decl.flags = VAT_CELL_ORPHAN, "flags");
	BAD(decl.reserved = 1, "flags");
	BAD(decl.key_field = 2, "key field");
	BAD(decl.key_field = 77, "key field");
	BAD(decl.key_field = 5, "key field");
	BAD(fields[0].id = 0, "id 0");
	BAD(fields[0].id = 3, "both have id 3");
	BAD(fields[0].type = 0, "unknown type");
	BAD(fields[0].type = 99, "unknown type");
	BAD(fields[0].count = 0, "count 0");
	BAD((decl.key_field = 0, fields[0].count = 2), "overlap");
	BAD(fields[0].offset = 2, "aligned");
	BAD(fields[3].offset = 28, "aligned");
	BAD(fields[3].offset = 40, "ends outside");
	BAD(fields[3].offset = UINT32_MAX, "ends outside");
	BAD(fields[1].count = UINT32_MAX, "ends outside");
	BAD(fields[1].name = "no name", "C identifier");
	BAD(fields[1].name = NULL, "C identifier");
	BAD(decl.stride = 44, "aligned");
#undef BAD

	struct vat_cell_decl two[2] = {good, good};
	assert_fails(vat_decls_check(two, 2, &err), EINVAL);
	two[1].scope = "left";
	assert_ok(vat_decls_check(two, 2, &err), err);
	two[1].scope = "";
	assert_fails(vat_decls_check(two, 2, &err), EINVAL);
	two[1].element = 1;
	assert_ok(vat_decls_check(two, 2, &err), err);

	/* The order of the declaration and names do not make a shape. */
	memcpy(fields, thing_fields, sizeof(fields));
	fields[0] = thing_fields[3];
	fields[3] = thing_fields[0];
	fields[1].name = "loudness";
	decl = good;
	decl.fields = fields;
	assert_true(vat_decl_same_shape(&good, &decl));
	fields[2].count = 11;
	assert_false(vat_decl_same_shape(&good, &decl));
}

/* What a call to the log writes. */
static char *logged(const char *level, void (*speak)(void)) {
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		setenv("SOURCE_CITY_LOG", level, 1);
		dup2(ends[1], STDERR_FILENO);
		city_log_program("tester");
		speak();
		_exit(0);
	}
	close(ends[1]);
	static char text[3 * 4096];
	size_t have = 0;
	ssize_t n;
	while ((n = read(ends[0], text + have, sizeof(text) - 1 - have)) > 0)
		have += (size_t)n;
	text[have] = 0;
	close(ends[0]);
	assert_int_equal(test_wait(pid), 0);
	return text;
}

static void speak_plainly(void) {
	city_log(CITY_LOG_ERROR, "terminal", "broken: %d", 7);
	city_log(CITY_LOG_WARN, NULL, "careful");
	city_log(CITY_LOG_INFO, "", "news");
	city_log(CITY_LOG_DEBUG, "x", "detail");
}

static void speak_badly(void) {
	city_log(CITY_LOG_INFO, "e\x1b]0;x\x07",
		"a\nb\r\tc\x7f \xc2\x9b \xff\xc3 gr\xc3\xbc\xc3\x9f "
		"\xe2\x80\xae.");
}

static void speak_long(void) {
	char text[9000];
	memset(text, 1, sizeof(text));
	text[sizeof(text) - 1] = 0;
	errno = ENOENT;
	city_log(CITY_LOG_INFO, "long", "%s", text);
	if (errno != ENOENT)
		_exit(1);
	memset(text, 'y', 4070);
	text[4070] = 0;
	city_log(CITY_LOG_INFO, "long", "%s", text);
	text[4000] = 0;
	city_log(CITY_LOG_INFO, "long", "%s", text);
}

static void test_log(void **state) {
	assert_string_equal(logged("info", speak_plainly),
		"source-city[tester] error terminal: broken: 7\n"
		"source-city[tester] warn: careful\n"
		"source-city[tester] info: news\n");
	assert_string_equal(
		logged("error", speak_plainly), "source-city[tester] error terminal: broken: 7\n");
	assert_non_null(strstr(logged("debug", speak_plainly), "debug x: detail\n"));
	assert_non_null(strstr(logged("nonsense", speak_plainly), "info: news\n"));
	assert_string_equal(logged("info", speak_badly),
		"source-city[tester] info e\\x1b]0;x\\x07: "
		"a\\x0ab\\x0d\\x09c\\x7f \\xc2\\x9b \\xff\\xc3 gr\xc3\xbc\xc3\x9f "
		"\\xe2\\x80\\xae.\n");
	char *text = logged("info", speak_long);
	char *second = strchr(text, '\n') + 1, *third = strchr(second, '\n') + 1;
	assert_true(second - text <= 4096 && third - second <= 4096);
	assert_memory_equal(second - 4, "...\n", 4);
	assert_memory_equal(third - 4, "...\n", 4);
	assert_memory_equal(third + strlen(third) - 3, "yy\n", 3);
	assert_null(strstr(third, "..."));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_declarations),
		cmocka_unit_test(test_log),
	};
	return cmocka_run_group_tests_name("vat_basics", tests, NULL, NULL);
}

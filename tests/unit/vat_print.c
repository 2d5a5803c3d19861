/* SPDX-License-Identifier: MIT */
/* A region as text and as JSON. */
#include "vat_common.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

struct sample {
	uint8_t u8;
	int8_t i8;
	uint16_t u16;
	int16_t i16;
	uint32_t u32;
	int32_t i32;
	uint64_t u64;
	int64_t i64;
	float f32[3];
	bool on;
	char text[16];
	uint8_t raw[3];
	uint64_t link;
};
static const struct vat_field sample_fields[] = {
	VAT_FIELD(1, U8, struct sample, u8),
	VAT_FIELD(2, I8, struct sample, i8),
	VAT_FIELD(3, U16, struct sample, u16),
	VAT_FIELD(4, I16, struct sample, i16),
	VAT_FIELD(5, U32, struct sample, u32),
	VAT_FIELD(6, I32, struct sample, i32),
	VAT_FIELD(7, U64, struct sample, u64),
	VAT_FIELD(8, I64, struct sample, i64),
	VAT_FIELD(9, F32, struct sample, f32),
	VAT_FIELD(10, BOOL, struct sample, on),
	VAT_FIELD(11, TEXT, struct sample, text),
	VAT_FIELD(12, BYTES, struct sample, raw),
	VAT_FIELD(13, LINK, struct sample, link),
	VAT_RETIRED(14, "never_shown"),
};
struct point {
	int32_t x, y;
};
static const struct vat_field point_fields[] = {
	VAT_FIELD(1, I32, struct point, x),
	VAT_FIELD(2, I32, struct point, y),
};
static const struct vat_cell_decl decls[] = {
	VAT_CELL("sample", struct sample, 1, sample_fields, .version = 3, .reset = VAT_CROSSFADE),
	VAT_CELL("points", struct point, 20, point_fields, .scope = "left", .element = 4),
	VAT_CELL("none", struct point, 0, point_fields),
};

static char *print(const struct vat_region *region, const struct vat_print_options *options) {
	static char *text;
	size_t size;
	struct vat_error err;
	free(text);
	FILE *file = open_memstream(&text, &size);
	assert_ok(vat_print(region, file, options, &err), err);
	fclose(file);
	return text;
}

static void has(const char *text, const char *part) {
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

static void has_not(const char *text, const char *part) {
	if (strstr(text, part))
		fail_msg("'%s' in:\n%s", part, text);
}

static struct vat_region *filled(int *fd) {
	struct vat_error err;
	struct vat_region *region = test_region(fd);
	assert_ok(vat_region_adopt(region, decls, 3, 0, NULL, &err), err);
	*(struct sample *)test_data(region, "sample") = (struct sample){255, -128, 65535, -32768,
		4294967295u, INT32_MIN, UINT64_MAX, INT64_MIN, {0.1f, -INFINITY, NAN}, true,
		"a\"\\\n\x1b\xc3\xa4\xff", {0, 0xab, 1}, 9};
	const struct vat_cell *cell = vat_region_find(region, "points", "left", 4);
	struct point *points = vat_cell_data(region, cell);
	for (int i = 0; i < 20; i++)
		points[i] = (struct point){i, -i};
	return region;
}

static void test_plain(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = filled(&fd);
	char *text = print(region, NULL);
	has(text, "sample  tile 01020304-0506-0708-090a-0b0c0d0e0f10\n");
	has(text, "3 cells");
	has(text, "\nsample  1 x ");
	has(text, "version 3  crossfade\n");
	has(text, "  u64   u64 = 18446744073709551615\n");
	has(text, "  i64   i64 = -9223372036854775808\n");
	has(text, "  f32   f32[3] = 0.1 -inf nan\n");
	has(text, "  on    bool = true\n");
	has(text, "  text  text[16] = \"a\\\"\\\\\\n\\u001b\xc3\xa4\\xff\"\n");
	has(text, "  raw   bytes[3] = 00ab01\n");
	has(text, "  link  link = 9\n");
	has(text, "\npoints@left#4  20 x 8 B = 160 B");
	has(text, "  [7] x=7 y=-7\n  ... 12 elements more\n");
	has(text, "\nnone  0 x 8 B");
	has_not(text, "never_shown");
	has_not(text, "[8]");
	text = print(region, &(struct vat_print_options){.all = true, .cell = "points"});
	has(text, "  [19] x=19 y=-19\n");
	has_not(text, "more");
	has_not(text, "\nsample  1 x");
	assert_fails(vat_print(region, stdout, &(struct vat_print_options){.cell = "nobody"}, &err),
		ENOENT);
	FILE *full = fopen("/dev/full", "we");
	assert_non_null(full);
	assert_fails(vat_print(region, full, NULL, &err), EIO);
	fclose(full);
	vat_region_unmap(region);
	close(fd);
}

/* Enough of JSON's grammar to see that the output is in it. */
static const char *skip_value(const char *p);

static const char *skip_string(const char *p) {
	assert_int_equal(*p, '"');
	for (p++; *p != '"'; p++) {
		assert_true((unsigned char)*p >= 0x20);
		if (*p == '\\') {
			p++;
			assert_non_null(strchr("\"\\/bfnrtu", *p));
		}
	}
	return p + 1;
}

static const char *skip_list(const char *p, char end, bool keys) {
	p++;
	if (*p == end)
		return p + 1;
	for (;;) {
		if (keys) {
			p = skip_string(p);
			assert_int_equal(*p++, ':');
		}
		p = skip_value(p);
		if (*p == end)
			return p + 1;
		assert_int_equal(*p++, ',');
	}
}

static const char *skip_value(const char *p) {
	if (*p == '{')
		return skip_list(p, '}', true);
	if (*p == '[')
		return skip_list(p, ']', false);
	if (*p == '"')
		return skip_string(p);
	size_t n = strspn(p, "-+.0123456789eE");
	if (n > 0)
		return p + n;
	static const char *const words[] = {"true", "false", "null"};
	for (int i = 0; i < 3; i++) {
		if (strncmp(p, words[i], strlen(words[i])) == 0)
			return p + strlen(words[i]);
	}
	fail_msg("not JSON: %.40s", p);
	return NULL;
}

static void test_json(void **state) {
	int fd;
	struct vat_region *region = filled(&fd);
	for (int all = 0; all < 2; all++) {
		char *text = print(region, &(struct vat_print_options){.json = true, .all = all});
		assert_string_equal(skip_value(text), "\n");
		has(text, "\"u64\":18446744073709551615,");
		has(text, "\"f32\":[0.1,\"-inf\",\"nan\"],");
		has(text, "\"on\":true,");
		has(text, "\"text\":\"a\\\"\\\\\\n\\u001b\xc3\xa4\\ufffd\",");
		has(text, "\"raw\":\"00ab01\",");
		has(text, "{\"x\":7,\"y\":-7}");
		has(text, all ? "{\"x\":19,\"y\":-19}],\"elided\":0}" : "],\"elided\":12}");
		has(text, "\"values\":[],\"elided\":0}");
		has(text, "{\"id\":14,\"name\":\"never_shown\",\"type\":\"gone\",\"count\":0}");
	}
	vat_region_unmap(region);

	/* An empty region. */
	int empty_fd;
	region = test_region(&empty_fd);
	char *text = print(region, &(struct vat_print_options){.json = true});
	assert_string_equal(skip_value(text), "\n");
	has(text, "\"cells\":[]");
	vat_region_unmap(region);
	close(empty_fd);
	close(fd);
}

static void test_numbers(void **state) {
	char text[64];
	static const double doubles[] = {
		0.1, 1.0 / 3, DBL_MAX, DBL_MIN, -0.0, 5e-324, 1e300, 123456789};
	for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
		vat_format_value(text, sizeof(text), VAT_F64, &doubles[i], true);
		assert_true(strtod(text, NULL) == doubles[i]);
		float f = (float)i / 7;
		vat_format_value(text, sizeof(text), VAT_F32, &f, true);
		assert_true(strtof(text, NULL) == f);
	}
	double tenth = 0.1;
	assert_int_equal(vat_format_value(text, sizeof(text), VAT_F64, &tenth, false), 3);
	uint32_t large = 4000000000u;
	assert_int_equal(vat_format_value(text, 4, VAT_U32, &large, false), 10);
	assert_string_equal(text, "400");
	assert_int_equal(vat_format_value(text, 2, VAT_F64, &doubles[1], false) > 2, 1);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_numbers),
	};
	return cmocka_run_group_tests_name("vat_print", tests, NULL, NULL);
}

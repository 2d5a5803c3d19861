/* SPDX-License-Identifier: MIT */
/* Ways from schema to schema over edges that are written by hand: up, down, refused and lossy. */
#include "vat_common.h"

#include <stdio.h>

struct lap1 {
	uint32_t seconds;
	char name[4];
};
struct lap2 {
	uint64_t ms;
	char name[4];
	uint32_t best;
};
struct lap3 {
	uint64_t us;
	uint32_t best;
	char name[8];
};
static const struct vat_field lap1_fields[] = {
	VAT_FIELD(1, U32, struct lap1, seconds),
	VAT_FIELD(2, TEXT, struct lap1, name),
};
static const struct vat_field lap2_fields[] = {
	VAT_FIELD(1, U64, struct lap2, ms),
	VAT_FIELD(2, TEXT, struct lap2, name),
	VAT_FIELD_INIT(3, U32, struct lap2, best, .u = 7),
};
static const struct vat_field lap3_fields[] = {
	VAT_FIELD(3, U32, struct lap3, best),
	VAT_FIELD(1, U64, struct lap3, us),
	VAT_FIELD(2, TEXT, struct lap3, name),
};
#define LAPS 1000
#define LAP(n) VAT_CELL("laps", struct lap##n, LAPS, lap##n##_fields, .version = n)
static const struct vat_cell_decl laps1[] = {LAP(1)}, laps2[] = {LAP(2)}, laps3[] = {LAP(3)};
static const struct vat_cell_decl before3[] = {LAP(2), LAP(1)};

static int calls;

static bool to_ms(const void *from, void *to, uint64_t n) {
	const struct lap1 *old = from;
	struct lap2 *new = to;
	calls++;
	for (uint64_t i = 0; i < n; i++)
		new[i].ms = old[i].seconds * 1000ull;
	return true;
}

static bool to_seconds(const void *from, void *to, uint64_t n) {
	const struct lap2 *old = from;
	struct lap1 *new = to;
	calls++;
	for (uint64_t i = 0; i < n; i++)
		new[i].seconds = (uint32_t)(old[i].ms / 1000);
	return true;
}

static bool to_us(const void *from, void *to, uint64_t n) {
	const struct lap2 *old = from;
	struct lap3 *new = to;
	calls++;
	for (uint64_t i = 0; i < n; i++)
		new[i].us = old[i].ms * 1000;
	return true;
}

static bool from_us(const void *from, void *to, uint64_t n) {
	const struct lap3 *old = from;
	struct lap2 *new = to;
	calls++;
	for (uint64_t i = 0; i < n; i++)
		new[i].ms = old[i].us / 1000;
	return true;
}

static bool refuses(const void *from, void *to, uint64_t n) {
	(void)from;
	(void)to;
	return n == 0;
}

static const uint32_t lost_parts[] = {1, 2};
static const uint32_t only_best[] = {3};

static struct vat_lineage version1(void) {
	return (struct vat_lineage){.cells = laps1, .cell_count = 1};
}

static struct vat_lineage version3(const struct vat_edge *edges, size_t n) {
	return (struct vat_lineage){.cells = laps3,
		.cell_count = 1,
		.schemas = before3,
		.schema_count = 2,
		.edges = edges,
		.edge_count = n};
}

static struct vat_region *with_laps1(int *fd) {
	struct vat_error err;
	struct vat_region *region = test_region(fd);
	assert_ok(vat_region_adopt(region, laps1, 1, 0, NULL, &err), err);
	struct lap1 *laps = test_data(region, "laps");
	for (uint32_t i = 0; i < LAPS; i++) {
		laps[i].seconds = i * 3;
		memcpy(laps[i].name, "abcd", 4);
	}
	return region;
}

static void check_laps3(const struct vat_region *region) {
	const struct lap3 *laps = test_data(region, "laps");
	for (uint32_t i = 0; i < LAPS; i++) {
		assert_int_equal(laps[i].us, i * 3000000ull);
		assert_int_equal(laps[i].best, 7);
		assert_memory_equal(laps[i].name, "abcd\0\0\0\0", 8);
	}
}

static void check_laps1(const struct vat_region *region) {
	const struct lap1 *laps = test_data(region, "laps");
	for (uint32_t i = 0; i < LAPS; i++) {
		assert_int_equal(laps[i].seconds, i * 3);
		assert_memory_equal(laps[i].name, "abcd", 4);
	}
}

/* Up over two edges, down by the edges of the version that ran. */
static void test_up_and_down(void **state) {
	static const struct vat_edge edges[] = {
		{.cell = "laps",
			.from = 1,
			.to = 2,
			.kind = VAT_EDGE_LOSSLESS,
			.forth = to_ms,
			.back = to_seconds,
			.lost = only_best,
			.lost_count = 1},
		{.cell = "laps",
			.from = 2,
			.to = 3,
			.kind = VAT_EDGE_INVERTIBLE,
			.forth = to_us,
			.back = from_us},
	};
	struct vat_error err;
	struct vat_adopt_report report;
	int fd;
	struct vat_region *region = with_laps1(&fd);
	struct vat_lineage one = version1(), three = version3(edges, 2);
	calls = 0;
	assert_ok(vat_region_adopt_by(region, &three, NULL, NULL, VAT_ADOPT_DRY_RUN, &report, &err),
		err);
	assert_int_equal(calls, 0);
	assert_int_equal(report.changes[0].outcome, VAT_MIGRATED);
	vat_adopt_report_finish(&report);
	assert_ok(vat_region_adopt_by(region, &three, NULL, NULL, VAT_ADOPT_KEEP, &report, &err),
		err);
	assert_int_equal(report.changes[0].outcome, VAT_MIGRATED);
	assert_int_equal(report.changes[0].hops, 2);
	assert_int_equal(report.changes[0].elements, LAPS);
	assert_false(report.changes[0].lossy);
	vat_adopt_report_finish(&report);
	check_laps3(region);
	assert_ok(vat_region_rollback(region, &err), err);
	check_laps1(region);
	assert_ok(vat_region_adopt_by(region, &three, NULL, NULL, 0, NULL, &err), err);
	check_laps3(region);

	/* Without the newer one's edges ids alone would say microseconds are seconds. */
	assert_fails(vat_region_adopt_by(region, &one, NULL, NULL, 0, NULL, &err), EUCLEAN);
	/* With them only what version 2 has added is lost. */
	assert_fails(vat_region_adopt_by(region, &one, &three, NULL, 0, &report, &err), EUCLEAN);
	assert_int_equal(report.changes[0].outcome, VAT_REFUSED);
	assert_int_equal(report.changes[0].loss_count, 1);
	assert_string_equal(report.changes[0].losses[0].field, "best");
	assert_non_null(strstr(err.text, "best"));
	vat_adopt_report_finish(&report);
	check_laps3(region);
	assert_ok(vat_region_adopt_by(region, &one, &three, NULL, VAT_ADOPT_LOSSY, &report, &err),
		err);
	assert_int_equal(report.changes[0].hops, 2);
	assert_true(report.changes[0].lossy);
	vat_adopt_report_finish(&report);
	check_laps1(region);
	vat_region_unmap(region);
	close(fd);
}

/* An edge only one way: what is to come back is not matched as if it meant the same. */
static void test_no_way_back(void **state) {
	static const struct vat_edge edge = {
		.cell = "laps", .from = 1, .to = 3, .kind = VAT_EDGE_LOSSLESS, .forth = to_ms};
	static const struct vat_cell_decl schemas[] = {LAP(1)};
	struct vat_lineage one = version1();
	struct vat_lineage three = {.cells = laps3,
		.cell_count = 1,
		.schemas = schemas,
		.schema_count = 1,
		.edges = &edge,
		.edge_count = 1};
	struct vat_error err;
	struct vat_adopt_report report;
	int fd;
	struct vat_region *region = with_laps1(&fd);
	assert_ok(vat_region_adopt_by(region, &three, NULL, NULL, 0, NULL, &err), err);
	assert_fails(vat_region_adopt_by(region, &one, &three, NULL, 0, &report, &err), EUCLEAN);
	assert_int_equal(report.changes[0].loss_count, 3);
	assert_non_null(strstr(err.text, "'best'"));
	assert_non_null(strstr(err.text, "'us'"));
	assert_non_null(strstr(err.text, "'name'"));
	vat_adopt_report_finish(&report);
	vat_region_unmap(region);
	close(fd);
}

/* What claims to be invertible is tried on each element; nothing is committed. */
static void test_not_invertible(void **state) {
	static const struct vat_edge edge = {.cell = "laps",
		.from = 2,
		.to = 3,
		.kind = VAT_EDGE_INVERTIBLE,
		.forth = to_us,
		.back = from_us};
	struct vat_error err;
	int fd;
	struct vat_region *region = test_region(&fd);
	assert_ok(vat_region_adopt(region, laps3, 1, 0, NULL, &err), err);
	struct lap3 *laps = test_data(region, "laps");
	for (uint32_t i = 0; i < LAPS; i++)
		laps[i] = (struct lap3){.us = i * 1000ull, .best = 1};
	laps[777].us = 5001; /* does not come back */
	struct vat_lineage three = version3(&edge, 1);
	struct vat_lineage two = {.cells = laps2, .cell_count = 1};
	uint64_t generation = vat_region_generation(region);
	assert_fails(vat_region_adopt_by(region, &two, &three, NULL, 0, NULL, &err), EUCLEAN);
	assert_non_null(strstr(err.text, "cell 'laps'"));
	assert_non_null(strstr(err.text, "element 777"));
	assert_non_null(strstr(err.text, "'us'"));
	assert_int_equal(vat_region_generation(region), generation);
	assert_int_equal(laps[777].us, 5001);
	/* Asking for a lossy way does not make a wrong claim right. */
	assert_fails(vat_region_adopt_by(region, &two, &three, NULL, VAT_ADOPT_LOSSY, NULL, &err),
		EUCLEAN);
	laps[777].us = 5000;
	memcpy(laps[3].name, "too long", 8);
	assert_fails(vat_region_adopt_by(region, &two, &three, NULL, 0, NULL, &err), EUCLEAN);
	assert_non_null(strstr(err.text, "element 3, field 'name'"));
	memset(laps[3].name, 0, 8);
	assert_ok(vat_region_adopt_by(region, &two, &three, NULL, 0, NULL, &err), err);
	assert_int_equal(((struct lap2 *)test_data(region, "laps"))[999].ms, 999);
	vat_region_unmap(region);
	close(fd);
}

static void test_refusals(void **state) {
	static const struct vat_edge refusing[] = {
		{.cell = "laps", .from = 1, .to = 3, .kind = VAT_EDGE_LOSSLESS, .forth = refuses}};
	static const struct vat_edge lossy[] = {{.cell = "laps",
		.from = 1,
		.to = 3,
		.kind = VAT_EDGE_LOSSY,
		.forth = to_us,
		.lost = lost_parts,
		.lost_count = 2}};
	struct vat_error err;
	struct vat_adopt_report report;
	int fd;
	struct vat_region *region = with_laps1(&fd);
	struct vat_lineage three = version3(refusing, 1);
	assert_fails(vat_region_adopt_by(region, &three, NULL, NULL, VAT_ADOPT_KEEP, NULL, &err),
		EUCLEAN);
	assert_non_null(strstr(err.text, "version 1 to 3 refuses"));
	assert_int_equal(vat_region_generation(region), 1);
	check_laps1(region);
	three = version3(lossy, 1);
	three.schema_count = 0;
	assert_fails(vat_region_adopt_by(region, &three, NULL, NULL, 0, NULL, &err), EINVAL);
	static const struct vat_cell_decl only1[] = {LAP(1)};
	three.schemas = only1;
	three.schema_count = 1;
	assert_fails(vat_region_adopt_by(region, &three, NULL, NULL, 0, &report, &err), EUCLEAN);
	assert_int_equal(report.changes[0].loss_count, 2);
	assert_non_null(strstr(err.text, "'seconds' (id 1)"));
	assert_non_null(strstr(err.text, "'name' (id 2)"));
	vat_adopt_report_finish(&report);
	vat_region_unmap(region);
	close(fd);
}

/* All cells and all fields are named, also when there are many. */
static void test_all_named(void **state) {
	struct wide {
		uint64_t value[40];
	};
	static struct vat_field fields[40];
	static char names[40][VAT_FIELD_SIZE];
	for (uint32_t i = 0; i < 40; i++) {
		snprintf(names[i], sizeof(names[i]), "field_%u_", i);
		fields[i] = (struct vat_field){.id = i + 1,
			.type = VAT_U64,
			.count = 1,
			.offset = i * 8,
			.name = names[i]};
	}
	struct vat_cell_decl decls[2] = {
		VAT_CELL("first", struct wide, 1, fields),
		VAT_CELL("second", struct lap1, 1, lap1_fields),
	};
	struct vat_error err;
	int fd;
	struct vat_region *region = test_region(&fd);
	assert_ok(vat_region_adopt(region, decls, 2, 0, NULL, &err), err);
	decls[0].field_count = 1;
	decls[1].field_count = 1;
	struct vat_adopt_report report;
	assert_fails(vat_region_adopt(region, decls, 2, 0, &report, &err), EUCLEAN);
	assert_int_equal(report.changes[0].loss_count, 39);
	assert_non_null(strstr(err.text, "'first'"));
	for (uint32_t i = 1; i < 40; i++)
		assert_non_null(strstr(err.text, names[i]));
	assert_non_null(strstr(err.text, "'second'"));
	assert_non_null(strstr(err.text, "name"));
	vat_adopt_report_finish(&report);
	vat_region_unmap(region);
	close(fd);
}

/* A schema that was changed without a new number still goes over the edges of that number. */
static void test_same_number(void **state) {
	static const struct vat_edge edges[] = {
		{.cell = "laps", .from = 1, .to = 2, .kind = VAT_EDGE_LOSSLESS, .forth = to_ms},
		{.cell = "laps", .from = 2, .to = 3, .kind = VAT_EDGE_LOSSLESS, .forth = to_us},
	};
	struct short1 {
		uint16_t seconds;
		uint16_t empty;
	};
	static const struct vat_field short_fields[] = {VAT_FIELD(1, U16, struct short1, seconds)};
	static const struct vat_cell_decl decl[] = {
		VAT_CELL("laps", struct short1, LAPS, short_fields, .version = 1)};
	struct vat_error err;
	struct vat_adopt_report report;
	int fd;
	struct vat_region *region = test_region(&fd);
	assert_ok(vat_region_adopt(region, decl, 1, 0, NULL, &err), err);
	((struct short1 *)test_data(region, "laps"))[9].seconds = 60000;
	struct vat_lineage three = version3(edges, 2);
	assert_ok(vat_region_adopt_by(region, &three, NULL, NULL, 0, &report, &err), err);
	assert_int_equal(report.changes[0].hops, 3);
	vat_adopt_report_finish(&report);
	assert_int_equal(((struct lap3 *)test_data(region, "laps"))[9].us, 60000000000ull);
	vat_region_unmap(region);
	close(fd);
}

/* What cannot be carried over starts anew: a field that may not fit, a cell that an edge refuses or
 * to which no way leads. */
static void test_merge(void **state) {
	static const struct vat_edge refusing[] = {
		{.cell = "laps", .from = 1, .to = 3, .kind = VAT_EDGE_LOSSLESS, .forth = refuses}};
	struct narrow {
		uint16_t seconds;
		char name[2];
	};
	static const struct vat_field narrow_fields[] = {
		VAT_FIELD_INIT(1, U16, struct narrow, seconds, .u = 5),
		VAT_FIELD(2, TEXT, struct narrow, name),
	};
	static const struct vat_cell_decl narrow[] = {
		VAT_CELL("laps", struct narrow, LAPS, narrow_fields, .version = 2)};
	struct vat_error err;
	struct vat_adopt_report report;
	char text[512];
	int fd;
	struct vat_region *region = with_laps1(&fd);
	assert_ok(vat_region_adopt(region, narrow, 1, VAT_ADOPT_MERGE, &report, &err), err);
	assert_int_equal(report.changes[0].outcome, VAT_MIGRATED);
	vat_adopt_report_say(&report, text, sizeof(text));
	assert_non_null(strstr(text, "'seconds'"));
	assert_non_null(strstr(text, "'name'"));
	vat_adopt_report_finish(&report);
	const struct narrow *laps = test_data(region, "laps");
	assert_int_equal(laps[500].seconds, 5);
	assert_memory_equal(laps[500].name, "ab", 2);
	vat_region_unmap(region);
	close(fd);

	region = with_laps1(&fd);
	struct vat_lineage one = version1(), three = version3(refusing, 1);
	assert_ok(vat_region_adopt_by(region, &three, NULL, NULL, VAT_ADOPT_MERGE, &report, &err),
		err);
	assert_int_equal(report.changes[0].outcome, VAT_CLEARED);
	vat_adopt_report_say(&report, text, sizeof(text));
	assert_non_null(strstr(text, "cell 'laps' starts anew: "));
	vat_adopt_report_finish(&report);
	assert_int_equal(((struct lap3 *)test_data(region, "laps"))[5].us, 0);
	three.schemas = before3 + 1; /* not over version 2 */
	three.schema_count = 1;
	assert_ok(vat_region_adopt_by(region, &one, &three, NULL, VAT_ADOPT_MERGE, &report, &err),
		err);
	assert_int_equal(report.changes[0].outcome, VAT_CLEARED);
	vat_adopt_report_finish(&report);
	vat_region_unmap(region);
	close(fd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_up_and_down),
		cmocka_unit_test(test_no_way_back),
		cmocka_unit_test(test_not_invertible),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_all_named),
		cmocka_unit_test(test_same_number),
		cmocka_unit_test(test_merge),
	};
	return cmocka_run_group_tests_name("vat_edges", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Ways from schema to schema: the search against all paths there are, edges by hand, and random
 * graphs, schemas and collections migrated up and down.
 */
#include "vat_common.h"

#include <stdio.h>

#include "plan.h"

/* ---- The search ---- */

#define NODES 7
#define ARCS 24

struct oracle {
	const struct vat_arc *arcs;
	size_t n;
	uint32_t to;
	bool seen[NODES];
	size_t best[3]; /* lossy, arcs, matched */
	bool found;
	/* For the values of test_random_edges. */
	uint64_t values[4096];
	size_t value_count;
};

static bool less(const size_t a[3], const size_t b[3]) {
	for (size_t i = 0; i < 3; i++) {
		if (a[i] != b[i])
			return a[i] < b[i];
	}
	return false;
}

/* Carries a value over an arc; NULL where only the path matters. */
typedef uint64_t (*carry_fn)(const struct vat_arc *arc, size_t index, uint64_t value);

static void all_paths(
	struct oracle *oracle, uint32_t at, const size_t cost[3], carry_fn carry, uint64_t value) {
	if (at == oracle->to) {
		if (!oracle->found || less(cost, oracle->best)) {
			memcpy(oracle->best, cost, sizeof(oracle->best));
			oracle->value_count = 0;
		}
		oracle->found = true;
		if (memcmp(oracle->best, cost, sizeof(oracle->best)) == 0 &&
			oracle->value_count < 4096)
			oracle->values[oracle->value_count++] = value;
		return;
	}
	oracle->seen[at] = true;
	for (size_t i = 0; i < oracle->n; i++) {
		const struct vat_arc *arc = &oracle->arcs[i];
		if (arc->from != at || oracle->seen[arc->to])
			continue;
		size_t next[3] = {cost[0] + arc->lossy, cost[1] + 1, cost[2] + arc->matched};
		all_paths(oracle, arc->to, next, carry, carry ? carry(arc, i, value) : 0);
	}
	oracle->seen[at] = false;
}

static void search(struct oracle *oracle, uint32_t from, carry_fn carry, uint64_t value) {
	static const size_t nothing[3];
	all_paths(oracle, from, nothing, carry, value);
}

static void test_paths(void **state) {
	static struct oracle oracle;
	uint64_t seed = 20;
	for (int round = 0; round < 20000; round++) {
		struct vat_arc arcs[ARCS];
		uint32_t path[ARCS];
		size_t nodes = 2 + test_below(&seed, NODES - 1), n = test_below(&seed, ARCS);
		for (size_t i = 0; i < n; i++)
			arcs[i] = (struct vat_arc){
				.from = (uint32_t)test_below(&seed, nodes),
				.to = (uint32_t)test_below(&seed, nodes),
				.lossy = test_below(&seed, 3) == 0,
				.matched = test_below(&seed, 2),
			};
		oracle = (struct oracle){.arcs = arcs, .n = n, .to = 1};
		search(&oracle, 0, NULL, 0);
		size_t length = vat_arcs_path(arcs, n, nodes, 0, 1, path);
		assert_int_equal(length != SIZE_MAX, oracle.found);
		if (!oracle.found)
			continue;
		size_t cost[3] = {0, length, 0};
		uint32_t at = 0;
		for (size_t i = 0; i < length; i++) {
			assert_true(path[i] < n);
			assert_int_equal(arcs[path[i]].from, at);
			at = arcs[path[i]].to;
			cost[0] += arcs[path[i]].lossy;
			cost[2] += arcs[path[i]].matched;
		}
		assert_int_equal(at, 1);
		assert_memory_equal(cost, oracle.best, sizeof(cost));
	}
}

/* ---- Edges by hand ---- */

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

/* ---- Random edges ---- */

struct item {
	uint64_t value;
};
static const struct vat_field item_fields[] = {VAT_FIELD(1, U64, struct item, value)};

#define OPERATION(name, expression)                                                                \
	static bool name(const void *from, void *to, uint64_t n) {                                 \
		const struct item *old = from;                                                     \
		struct item *new = to;                                                             \
		for (uint64_t i = 0; i < n; i++) {                                                 \
			uint64_t v = old[i].value;                                                 \
			new[i].value = (expression);                                               \
		}                                                                                  \
		return true;                                                                       \
	}
OPERATION(add, v + 0x1234567)
OPERATION(subtract, v - 0x1234567)
OPERATION(rotate, v << 7 | v >> 57)
OPERATION(rotate_back, v >> 7 | v << 57)
OPERATION(mix, v * 0x9e3779b97f4a7c15ull)
OPERATION(cut, v >> 3)

static const struct {
	vat_edge_run forth, back;
	uint32_t kind;
} operations[] = {
	{add, subtract, VAT_EDGE_INVERTIBLE},
	{rotate, rotate_back, VAT_EDGE_INVERTIBLE},
	{mix, NULL, VAT_EDGE_LOSSLESS},
	{mix, cut, VAT_EDGE_LOSSLESS},
	{cut, add, VAT_EDGE_LOSSY},
};

static const struct vat_edge *carrying[ARCS];
static bool carrying_back[ARCS];

static uint64_t carry_item(const struct vat_arc *arc, size_t index, uint64_t value) {
	const struct vat_edge *edge = carrying[index];
	struct item in = {value}, out = {value};
	(void)arc;
	if (edge)
		(carrying_back[index] ? edge->back : edge->forth)(&in, &out, 1);
	return out.value;
}

/* Random versions and edges; what comes out is what one of the best paths gives. */
static void test_random_edges(void **state) {
	static struct oracle oracle;
	uint64_t seed = 5;
	int lossless = 0, lossy = 0, none = 0;
	for (int round = 0; round < 1500; round++) {
		uint32_t versions = 2 + (uint32_t)test_below(&seed, NODES - 1);
		uint32_t from = (uint32_t)test_below(&seed, versions);
		uint32_t to = (from + 1 + (uint32_t)test_below(&seed, versions - 1)) % versions;
		struct vat_cell_decl decls[NODES];
		for (uint32_t i = 0; i < versions; i++)
			decls[i] = (struct vat_cell_decl)VAT_CELL(
				"items", struct item, 300, item_fields, .version = i * 10);
		struct vat_edge edges[8];
		struct vat_arc arcs[ARCS];
		size_t edge_count = 0, arc_count = 0, tries = 1 + test_below(&seed, 8);
		bool joined[NODES][NODES] = {0};
		for (size_t i = 0; i < tries; i++) {
			uint32_t a = (uint32_t)test_below(&seed, versions);
			uint32_t b = (uint32_t)test_below(&seed, versions);
			size_t which =
				test_below(&seed, sizeof(operations) / sizeof(operations[0]));
			if (a == b || joined[a][b])
				continue;
			joined[a][b] = joined[b][a] = true;
			struct vat_edge *edge = &edges[edge_count++];
			*edge = (struct vat_edge){.cell = "items",
				.from = a * 10,
				.to = b * 10,
				.kind = operations[which].kind,
				.forth = operations[which].forth,
				.back = operations[which].back};
			carrying[arc_count] = edge;
			carrying_back[arc_count] = false;
			arcs[arc_count++] = (struct vat_arc){
				.from = a, .to = b, .lossy = edge->kind == VAT_EDGE_LOSSY};
			if (!edge->back)
				continue;
			carrying[arc_count] = edge;
			carrying_back[arc_count] = true;
			arcs[arc_count++] = (struct vat_arc){
				.from = b, .to = a, .lossy = edge->kind != VAT_EDGE_INVERTIBLE};
		}
		if (edge_count == 0)
			continue;
		for (uint32_t i = 0; i + 1 < versions; i++) {
			for (uint32_t k = 0; k < 2 && !joined[i][i + 1]; k++) {
				carrying[arc_count] = NULL;
				arcs[arc_count++] = (struct vat_arc){
					.from = i + k, .to = i + 1 - k, .matched = true};
			}
		}
		uint64_t value = test_random(&seed);
		oracle = (struct oracle){.arcs = arcs, .n = arc_count, .to = to};
		search(&oracle, from, carry_item, value);

		struct vat_error err;
		struct vat_adopt_report report;
		int fd;
		struct vat_region *region = test_region(&fd);
		assert_ok(vat_region_adopt(region, &decls[from], 1, 0, NULL, &err), err);
		((struct item *)test_data(region, "items"))[299].value = value;
		/* Half of the time the edges are those of the version that ran. */
		struct vat_lineage all = {.schemas = decls,
			.schema_count = versions,
			.edges = edges,
			.edge_count = edge_count};
		struct vat_lineage bare = {.cells = &decls[to], .cell_count = 1};
		bool own = test_below(&seed, 2);
		if (own)
			all.cells = &decls[to], all.cell_count = 1;
		int rc = vat_region_adopt_by(
			region, own ? &all : &bare, own ? NULL : &all, NULL, 0, &report, &err);
		bool loses = !oracle.found || oracle.best[0] > 0;
		assert_int_equal(rc, loses ? -EUCLEAN : 0);
		vat_adopt_report_finish(&report);
		if (loses)
			assert_ok(vat_region_adopt_by(region, own ? &all : &bare, own ? NULL : &all,
					  NULL, VAT_ADOPT_LOSSY, &report, &err),
				err);
		else
			assert_ok(vat_region_adopt_by(region, own ? &all : &bare, own ? NULL : &all,
					  NULL, VAT_ADOPT_DRY_RUN, &report, &err),
				err);
		if (loses && oracle.found)
			assert_int_equal(report.changes[0].hops, oracle.best[1]);
		vat_adopt_report_finish(&report);
		uint64_t got = ((struct item *)test_data(region, "items"))[299].value;
		bool right = !oracle.found && got == value;
		for (size_t i = 0; i < oracle.value_count; i++)
			right = right || oracle.values[i] == got;
		assert_true(right);
		none += !oracle.found;
		lossy += oracle.found && loses;
		lossless += !loses;
		vat_region_unmap(region);
		close(fd);
	}
	/* All of it was there. */
	assert_true(none > 5 && lossy > 50 && lossless > 50);
}

/* ---- Keyed collections ---- */

#define KEYS 400

struct member {
	uint64_t id;
	uint64_t number; /* made from the id */
	bool wide;
};

/* Three schemas of one collection, which differ in order, width and what else there is. */
struct keyed1 {
	uint32_t id;
	uint32_t number;
};
struct keyed2 {
	uint64_t number;
	uint32_t extra[3];
	uint32_t id;
};
struct keyed3 {
	double extra[3];
	uint64_t id;
	uint64_t number;
};
static const struct vat_field keyed1_fields[] = {
	VAT_FIELD(1, U32, struct keyed1, id),
	VAT_FIELD(2, U32, struct keyed1, number),
};
static const struct vat_field keyed2_fields[] = {
	VAT_FIELD(2, U64, struct keyed2, number),
	VAT_FIELD(3, U32, struct keyed2, extra),
	VAT_FIELD(1, U32, struct keyed2, id),
};
static const struct vat_field keyed3_fields[] = {
	VAT_FIELD(3, F64, struct keyed3, extra),
	VAT_FIELD(1, U64, struct keyed3, id),
	VAT_FIELD(2, U64, struct keyed3, number),
};
static const struct vat_cell_decl keyed[] = {
	VAT_CELL("keyed", struct keyed1, 0, keyed1_fields, .version = 1, .key_field = 1),
	VAT_CELL("keyed", struct keyed2, 0, keyed2_fields, .version = 2, .key_field = 1),
	VAT_CELL("keyed", struct keyed3, 0, keyed3_fields, .version = 3, .key_field = 1),
};

static void put(uint8_t *element, uint32_t version, uint64_t id, uint64_t number) {
	if (version == 1)
		*(struct keyed1 *)element = (struct keyed1){(uint32_t)id, (uint32_t)number};
	else if (version == 2)
		*(struct keyed2 *)element =
			(struct keyed2){.number = number, .id = (uint32_t)id, .extra = {1, 2}};
	else
		*(struct keyed3 *)element =
			(struct keyed3){.number = number, .id = id, .extra = {1, 2}};
}

static void get(const uint8_t *element, uint32_t version, uint64_t *id, uint64_t *number) {
	if (version == 1) {
		*id = ((const struct keyed1 *)element)->id;
		*number = ((const struct keyed1 *)element)->number;
	} else if (version == 2) {
		*id = ((const struct keyed2 *)element)->id;
		*number = ((const struct keyed2 *)element)->number;
	} else {
		*id = ((const struct keyed3 *)element)->id;
		*number = ((const struct keyed3 *)element)->number;
	}
}

/* Elements come, go and change places; versions and sizes go up and down; whoever is there keeps
 * its id, what belongs to it, and its place among the others. */
static void test_keyed(void **state) {
	uint64_t seed = 77, next_id = 1;
	static uint64_t ids[KEYS]; /* in their order */
	size_t used = 0, count = 50;
	struct vat_error err;
	int fd, shrunk = 0, refused = 0;
	struct vat_region *region = test_region(&fd);
	struct vat_cell_decl decl = keyed[0];
	decl.count = count;
	assert_ok(vat_region_adopt(region, &decl, 1, 0, NULL, &err), err);
	for (int round = 0; round < 1000; round++) {
		/* The tile at work: as the version that it is. */
		uint8_t *data = test_data(region, "keyed");
		size_t edits = test_below(&seed, 30);
		static uint64_t slots[KEYS];
		for (size_t i = 0; i < count; i++) {
			uint64_t number;
			get(data + i * decl.stride, decl.version, &slots[i], &number);
		}
		for (size_t e = 0; e < edits; e++) {
			size_t a = test_below(&seed, count), b = test_below(&seed, count);
			switch (test_below(&seed, 4)) {
			case 0:
				slots[a] = 0;
				break;
			case 1: {
				uint64_t id = slots[a];
				slots[a] = slots[b];
				slots[b] = id;
				break;
			}
			default:
				if (slots[a] == 0)
					slots[a] = next_id++;
			}
		}
		used = 0;
		for (size_t i = 0; i < count; i++) {
			memset(data + i * decl.stride, 0, decl.stride);
			if (slots[i] == 0)
				continue;
			ids[used++] = slots[i];
			put(data + i * decl.stride, decl.version, slots[i], slots[i] * 7 % 1000003);
		}
		/* Another version, another size. */
		struct vat_cell_decl next = keyed[test_below(&seed, 3)];
		next.count = 1 + test_below(&seed, KEYS - 1);
		struct vat_adopt_report report;
		int rc = vat_region_adopt(region, &next, 1, 0, &report, &err);
		bool too_few = next.count < used;
		bool down = next.version < decl.version;
		if (rc != 0)
			assert_true(rc == -EUCLEAN && (too_few || down));
		else
			assert_false(too_few || down);
		if (rc != 0) {
			refused++;
			for (size_t i = 0; too_few && i < report.changes[0].loss_count; i++)
				too_few = report.changes[0].losses[i].field_id != 0;
			assert_false(too_few); /* it is said */
			if (next.count < used) {
				vat_adopt_report_finish(&report);
				continue;
			}
			vat_adopt_report_finish(&report);
			assert_ok(
				vat_region_adopt(region, &next, 1, VAT_ADOPT_LOSSY, &report, &err),
				err);
		}
		vat_adopt_report_finish(&report);
		shrunk += next.count < count;
		decl = next;
		count = next.count;
		data = test_data(region, "keyed");
		size_t found = 0;
		for (size_t i = 0; i < count; i++) {
			uint64_t id, number;
			get(data + i * decl.stride, decl.version, &id, &number);
			if (id == 0)
				continue;
			assert_true(found < used);
			assert_int_equal(id, ids[found]);
			assert_int_equal(number, id * 7 % 1000003);
			found++;
		}
		assert_int_equal(found, used);
	}
	assert_true(shrunk > 100 && refused > 100);
	vat_region_unmap(region);
	close(fd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_up_and_down),
		cmocka_unit_test(test_no_way_back),
		cmocka_unit_test(test_not_invertible),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_all_named),
		cmocka_unit_test(test_same_number),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_random_edges),
		cmocka_unit_test(test_keyed),
	};
	return cmocka_run_group_tests_name("vat_plan", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Ways from schema to schema: the search against all paths there are, in random graphs and with
 * random edges.
 */
#include "vat_common.h"

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

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_random_edges),
	};
	return cmocka_run_group_tests_name("vat_plan", tests, NULL, NULL);
}

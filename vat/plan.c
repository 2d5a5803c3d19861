/* SPDX-License-Identifier: MIT */
/* The way of one cell from the schema that it has to the one that it shall have. */
#include "plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of elements that go through all hops before the next ones: few enough to stay in the cache.
 */
#define PIECE (32u * 1024)

/* ---- What is lost ---- */

int vat_losses_add(
	struct vat_losses *losses, const struct vat_stored_field *field, const char *format, ...) {
	struct vat_loss *items = realloc(losses->items, (losses->count + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	losses->items = items;
	struct vat_loss *loss = &items[losses->count++];
	*loss = (struct vat_loss){.field_id = field ? field->id : 0};
	if (field)
		memcpy(loss->field, field->name, sizeof(loss->field));
	va_list args;
	va_start(args, format);
	vsnprintf(loss->reason, sizeof(loss->reason), format, args);
	va_end(args);
	return 0;
}

int vat_losses_append(struct vat_losses *losses, const struct vat_losses *more) {
	if (more->count == 0)
		return 0;
	struct vat_loss *items =
		realloc(losses->items, (losses->count + more->count) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	losses->items = items;
	memcpy(items + losses->count, more->items, more->count * sizeof(*items));
	losses->count += more->count;
	return 0;
}

void vat_losses_finish(struct vat_losses *losses) {
	free(losses->items);
	*losses = (struct vat_losses){0};
}

static size_t say(char *text, size_t size, const struct vat_loss *losses, size_t n, bool reasons) {
	size_t have = 0, i = 0;
	for (; i < n; i++) {
		char one[VAT_FIELD_SIZE + sizeof(losses->reason) + 40];
		const char *between = i ? reasons ? "; " : ", " : "";
		if (losses[i].field_id == 0)
			snprintf(one, sizeof(one), "%s%s", between, losses[i].reason);
		else if (reasons)
			snprintf(one, sizeof(one), "%sfield '%s' (id %u) %s", between,
				losses[i].field, losses[i].field_id, losses[i].reason);
		else
			snprintf(one, sizeof(one), "%s%s", between, losses[i].field);
		/* What is left has to be counted, and that said, too. */
		if (have + strlen(one) + (i + 1 < n ? 24 : 0) >= size)
			break;
		have += (size_t)snprintf(text + have, size - have, "%s", one);
	}
	if (i < n)
		snprintf(text + have, size - have, " and %zu more", n - i);
	return n - i;
}

void vat_losses_say(char *text, size_t size, const struct vat_loss *losses, size_t n) {
	text[0] = 0;
	if (say(text, size, losses, n, true) > 0)
		say(text, size, losses, n, false);
}

/* ---- The shortest way ---- */

struct cost {
	size_t lossy, hops, matched;
};

static bool cheaper(struct cost a, struct cost b) {
	if (a.lossy != b.lossy)
		return a.lossy < b.lossy;
	return a.hops != b.hops ? a.hops < b.hops : a.matched < b.matched;
}

size_t vat_arcs_path(const struct vat_arc *arcs, size_t n, size_t nodes, uint32_t from, uint32_t to,
	uint32_t *path) {
	struct {
		struct cost cost;
		uint32_t by; /* arc that leads here */
		bool reached, done;
	} *all = calloc(nodes, sizeof(*all));
	size_t length = SIZE_MAX;
	if (!all)
		return length;
	all[from].reached = true;
	for (;;) {
		uint32_t at = UINT32_MAX;
		for (uint32_t i = 0; i < nodes; i++) {
			if (all[i].reached && !all[i].done &&
				(at == UINT32_MAX || cheaper(all[i].cost, all[at].cost)))
				at = i;
		}
		if (at == UINT32_MAX || at == to)
			break;
		all[at].done = true;
		for (uint32_t i = 0; i < n; i++) {
			uint32_t next = arcs[i].to;
			if (arcs[i].from != at || all[next].done)
				continue;
			struct cost cost = all[at].cost;
			cost.lossy += arcs[i].lossy;
			cost.hops++;
			cost.matched += arcs[i].matched;
			if (all[next].reached && !cheaper(cost, all[next].cost))
				continue;
			all[next].cost = cost;
			all[next].by = i;
			all[next].reached = true;
		}
	}
	if (all[to].reached) {
		length = all[to].cost.hops;
		for (uint32_t at = to, i = (uint32_t)length; at != from; at = arcs[all[at].by].from)
			path[--i] = all[at].by;
	}
	free(all);
	return length;
}

/* ---- The schemas and edges of one cell ---- */

struct graph {
	const struct vat_cell *from, *to;
	bool anew;
	struct vat_cell *nodes; /* their fields are owned; the first is from, the second to */
	size_t node_count;
	uint32_t first; /* node with a version: 1 when from is not what is known under its number */
	struct vat_hop *hops; /* one per arc */
	struct vat_arc *arcs;
	size_t arc_count, arc_capacity;
};

static int add_node(struct graph *graph, const struct vat_cell *schema) {
	struct vat_cell *node = &graph->nodes[graph->node_count];
	struct vat_stored_field *fields = calloc(schema->field_count, sizeof(*fields));
	if (!fields)
		return -ENOMEM;
	memcpy(fields, schema->fields, schema->field_count * sizeof(*fields));
	*node = *schema;
	node->fields = fields;
	graph->node_count++;
	return 0;
}

static uint32_t find_node(const struct graph *graph, uint32_t version) {
	for (uint32_t i = graph->first; i < graph->node_count; i++) {
		if (graph->nodes[i].version == version)
			return i;
	}
	return UINT32_MAX;
}

/* Of two that are known under one number the first counts; edges of the other are not for it. */
static int add_decl(struct graph *graph, const struct vat_cell_decl *decl) {
	if (strcmp(decl->name, graph->to->name) != 0 ||
		find_node(graph, decl->version) != UINT32_MAX)
		return 0;
	struct vat_stored_field *fields = calloc(decl->field_count, sizeof(*fields));
	if (!fields)
		return -ENOMEM;
	struct vat_cell cell;
	vat_cell_from_decl(NULL, decl, &cell, fields);
	int rc = add_node(graph, &cell);
	free(fields);
	return rc;
}

/* Whether the lineage means that schema by that version; true if it knows none. */
static bool fits(
	const struct vat_lineage *lineage, uint32_t version, const struct vat_cell *schema) {
	const struct vat_cell_decl *decl =
		lineage ? vat_lineage_find(lineage, schema->name, version) : NULL;
	if (!decl)
		return true;
	struct vat_stored_field *fields = calloc(decl->field_count, sizeof(*fields));
	if (!fields)
		return false;
	struct vat_cell cell;
	vat_cell_from_decl(NULL, decl, &cell, fields);
	bool same = vat_cell_same_shape(&cell, schema);
	free(fields);
	return same;
}

static bool retired(const struct vat_cell *cell, uint32_t id) {
	const struct vat_stored_field *field = vat_cell_field(cell, id);
	return field && field->type == VAT_GONE;
}

/* What an edge may lose on one of its ways. */
static int edge_losses(struct vat_hop *hop) {
	const struct vat_edge *edge = hop->edge;
	struct vat_losses *losses = &hop->plan.losses;
	if (hop->back ? edge->kind == VAT_EDGE_INVERTIBLE : edge->kind != VAT_EDGE_LOSSY) {
		vat_losses_finish(losses);
		return 0;
	}
	const char *way = hop->back ? "back " : "";
	bool named = false;
	int rc = 0;
	for (uint32_t i = 0; i < edge->lost_count && rc == 0; i++) {
		const struct vat_stored_field *field = vat_cell_field(hop->from, edge->lost[i]);
		if (!field || field->type == VAT_GONE)
			continue;
		if (!named)
			vat_losses_finish(losses);
		named = true;
		if (!retired(hop->to, field->id))
			rc = vat_losses_add(losses, field,
				"may be lost on the way %sfrom version %u to %u", way,
				hop->from->version, hop->to->version);
	}
	if (named || losses->count > 0)
		return rc;
	for (uint32_t i = 0; i < hop->from->field_count && rc == 0; i++) {
		const struct vat_stored_field *field = &hop->from->fields[i];
		if (field->type != VAT_GONE && !retired(hop->to, field->id))
			rc = vat_losses_add(losses, field,
				"may be lost on the way %sfrom version %u to %u", way,
				hop->from->version, hop->to->version);
	}
	return rc;
}

static int add_arc(
	struct graph *graph, uint32_t from, uint32_t to, const struct vat_edge *edge, bool back) {
	if (graph->arc_count == graph->arc_capacity) {
		size_t capacity = graph->arc_capacity ? graph->arc_capacity * 2 : 16;
		void *hops = realloc(graph->hops, capacity * sizeof(*graph->hops));
		graph->hops = hops ? hops : graph->hops;
		void *arcs = realloc(graph->arcs, capacity * sizeof(*graph->arcs));
		graph->arcs = arcs ? arcs : graph->arcs;
		if (!hops || !arcs)
			return -ENOMEM;
		graph->arc_capacity = capacity;
	}
	struct vat_hop *hop = &graph->hops[graph->arc_count];
	*hop = (struct vat_hop){
		.edge = edge, .back = back, .from = &graph->nodes[from], .to = &graph->nodes[to]};
	int rc = vat_plan_init(&hop->plan, hop->from, hop->to, graph->anew && !edge);
	if (rc == 0 && edge) {
		rc = edge_losses(hop);
		if (rc < 0)
			vat_plan_finish(&hop->plan);
	}
	if (rc < 0)
		return rc;
	graph->arcs[graph->arc_count++] = (struct vat_arc){
		.from = from, .to = to, .lossy = hop->plan.losses.count > 0, .matched = !edge};
	return 0;
}

static bool connected(const struct graph *graph, uint32_t a, uint32_t b) {
	for (size_t i = 0; i < graph->arc_count; i++) {
		if ((graph->arcs[i].from == a && graph->arcs[i].to == b) ||
			(graph->arcs[i].from == b && graph->arcs[i].to == a))
			return true;
	}
	return false;
}

static bool leads(const struct graph *graph, uint32_t from, uint32_t to) {
	for (size_t i = 0; i < graph->arc_count; i++) {
		if (graph->arcs[i].from == from && graph->arcs[i].to == to)
			return true;
	}
	return false;
}

static int add_edges(struct graph *graph, const struct vat_lineage *lineage) {
	for (size_t i = 0; i < lineage->edge_count; i++) {
		const struct vat_edge *edge = &lineage->edges[i];
		if (strcmp(edge->cell, graph->to->name) != 0)
			continue;
		uint32_t from = find_node(graph, edge->from), to = find_node(graph, edge->to);
		if (from == UINT32_MAX || to == UINT32_MAX ||
			!fits(lineage, edge->from, &graph->nodes[from]) ||
			!fits(lineage, edge->to, &graph->nodes[to]))
			continue;
		int rc = leads(graph, from, to) ? 0 : add_arc(graph, from, to, edge, false);
		if (rc == 0 && edge->back && !leads(graph, to, from))
			rc = add_arc(graph, to, from, edge, true);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Between versions that follow each other and have no edge, ids are matched. */
static int add_matches(struct graph *graph) {
	for (uint32_t i = graph->first; i < graph->node_count; i++) {
		uint32_t next = UINT32_MAX;
		for (uint32_t k = graph->first; k < graph->node_count; k++) {
			if (graph->nodes[k].version > graph->nodes[i].version &&
				(next == UINT32_MAX ||
					graph->nodes[k].version < graph->nodes[next].version))
				next = k;
		}
		if (next == UINT32_MAX || connected(graph, i, next))
			continue;
		int rc = add_arc(graph, i, next, NULL, false);
		if (rc == 0)
			rc = add_arc(graph, next, i, NULL, false);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool has_edges(const struct vat_lineage *lineage, const char *name) {
	for (size_t i = 0; lineage && i < lineage->edge_count; i++) {
		if (strcmp(lineage->edges[i].cell, name) == 0)
			return true;
	}
	return false;
}

static int fill_graph(struct graph *graph, const struct vat_lineage *const lineages[2]) {
	size_t most = 2;
	for (size_t i = 0; i < 2; i++)
		most += lineages[i] ? lineages[i]->cell_count + lineages[i]->schema_count : 0;
	graph->nodes = calloc(most, sizeof(*graph->nodes));
	if (!graph->nodes)
		return -ENOMEM;
	int rc = add_node(graph, graph->from);
	if (rc == 0)
		rc = add_node(graph, graph->to);
	/* A schema that was changed without a new number is first made what its number stands for.
	 */
	graph->first = !fits(lineages[0], graph->from->version, graph->from);
	for (size_t i = 0; i < 2; i++) {
		const struct vat_lineage *lineage = lineages[i];
		for (size_t k = 0; lineage && k < lineage->cell_count && rc == 0; k++)
			rc = add_decl(graph, &lineage->cells[k]);
		for (size_t k = 0; lineage && k < lineage->schema_count && rc == 0; k++)
			rc = add_decl(graph, &lineage->schemas[k]);
	}
	for (size_t i = 0; i < 2 && rc == 0; i++)
		rc = lineages[i] ? add_edges(graph, lineages[i]) : 0;
	if (rc == 0 && graph->first)
		rc = add_arc(graph, 0, find_node(graph, graph->from->version), NULL, false);
	return rc == 0 ? add_matches(graph) : rc;
}

static void graph_finish(struct graph *graph) {
	for (size_t i = 0; i < graph->arc_count; i++)
		vat_plan_finish(&graph->hops[i].plan);
	free(graph->hops);
	free(graph->arcs);
	for (size_t i = 0; i < graph->node_count; i++)
		free((void *)graph->nodes[i].fields);
	free(graph->nodes);
}

/* ---- Making ---- */

static int prepare(struct vat_route *route) {
	size_t stride = 1;
	for (size_t i = 0; i < route->count; i++) {
		struct vat_hop *hop = &route->hops[i];
		route->calls = route->calls || hop->edge;
		if (hop->edge && hop->edge->kind == VAT_EDGE_INVERTIBLE &&
			vat_plan_init(&hop->other, hop->to, hop->from, false) < 0)
			return -ENOMEM;
		stride = hop->from->stride > stride ? hop->from->stride : stride;
		stride = hop->to->stride > stride ? hop->to->stride : stride;
		if (vat_losses_append(&route->losses, &hop->plan.losses) < 0)
			return -ENOMEM;
	}
	/* One hop by ids needs none. */
	if (route->count == 1 && !route->calls)
		return 0;
	route->piece = stride < PIECE ? PIECE / stride : 1;
	for (size_t i = 0; i < 3; i++) {
		route->scratch[i] = aligned_alloc(
			VAT_PAGE, (stride * route->piece + VAT_PAGE - 1) & ~(size_t)(VAT_PAGE - 1));
		if (!route->scratch[i])
			return -ENOMEM;
	}
	return 0;
}

/* By ids alone, and nothing else. */
static int go_direct(struct vat_route *route, const struct vat_cell *from,
	const struct vat_cell *to, bool anew) {
	route->hops = calloc(1, sizeof(*route->hops));
	if (!route->hops)
		return -ENOMEM;
	route->hops[0] = (struct vat_hop){.from = from, .to = to};
	int rc = vat_plan_init(&route->hops[0].plan, from, to, anew);
	route->count = rc == 0;
	return rc;
}

/* The arcs' hops become the route's, and with them the schemas. */
static int take(struct vat_route *route, struct graph *graph, const uint32_t *path, size_t n) {
	route->hops = calloc(n, sizeof(*route->hops));
	if (!route->hops)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		route->hops[i] = graph->hops[path[i]];
		graph->hops[path[i]].plan = (struct vat_plan){0};
	}
	route->count = n;
	route->schemas = graph->nodes;
	route->schema_count = graph->node_count;
	graph->nodes = NULL;
	graph->node_count = 0;
	return 0;
}

static int no_way(struct vat_route *route, const struct vat_cell *from, const struct vat_cell *to) {
	int rc = go_direct(route, from, to, false);
	if (rc < 0)
		return rc;
	route->none = true;
	struct vat_losses *losses = &route->hops[0].plan.losses;
	vat_losses_finish(losses);
	for (uint32_t i = 0; i < from->field_count && rc == 0; i++) {
		if (from->fields[i].type != VAT_GONE)
			rc = vat_losses_add(losses, &from->fields[i],
				"has no way from version %u to %u: an edge leads only the other "
				"way",
				from->version, to->version);
	}
	return rc;
}

int vat_route_init(struct vat_route *route, const struct vat_lineage *lineage,
	const struct vat_lineage *older, const struct vat_cell *from, const struct vat_cell *to,
	bool anew) {
	const struct vat_lineage *const lineages[2] = {lineage, older};
	*route = (struct vat_route){0};
	int rc = 0;
	if (from->version == to->version ||
		(!has_edges(lineage, to->name) && !has_edges(older, to->name))) {
		rc = go_direct(route, from, to, anew);
	} else {
		struct graph graph = {.from = from, .to = to, .anew = anew};
		rc = fill_graph(&graph, lineages);
		uint32_t *path = rc == 0 ? calloc(graph.arc_count + 1, sizeof(*path)) : NULL;
		if (rc == 0 && !path)
			rc = -ENOMEM;
		if (rc == 0) {
			size_t n = vat_arcs_path(
				graph.arcs, graph.arc_count, graph.node_count, 0, 1, path);
			rc = n == SIZE_MAX ? no_way(route, from, to) : take(route, &graph, path, n);
		}
		free(path);
		graph_finish(&graph);
	}
	if (rc == 0)
		rc = prepare(route);
	if (rc < 0)
		vat_route_finish(route);
	return rc;
}

void vat_route_finish(struct vat_route *route) {
	for (size_t i = 0; i < route->count; i++) {
		vat_plan_finish(&route->hops[i].plan);
		vat_plan_finish(&route->hops[i].other);
	}
	free(route->hops);
	for (size_t i = 0; i < route->schema_count; i++)
		free((void *)route->schemas[i].fields);
	free(route->schemas);
	for (size_t i = 0; i < 3; i++)
		free(route->scratch[i]);
	vat_losses_finish(&route->losses);
	*route = (struct vat_route){0};
}

/* ---- Running ---- */

static int call(const struct vat_hop *hop, bool other_way, const struct vat_plan *plan,
	const void *from, void *to, uint64_t n, const struct vat_cell *cell,
	struct vat_error *err) {
	vat_edge_run run = hop->back != other_way ? hop->edge->back : hop->edge->forth;
	memset(to, 0, n * plan->to_stride);
	vat_plan_run(plan, from, to, n);
	if (run(from, to, n))
		return 0;
	const struct vat_cell *a = other_way ? hop->to : hop->from;
	const struct vat_cell *b = other_way ? hop->from : hop->to;
	return vat_fail(err, EUCLEAN, "cell '%s': its edge from version %u to %u refuses the state",
		cell->name, a->version, b->version);
}

/* Both are elements of that schema; padding does not count. */
static int compare(const struct vat_hop *hop, const uint8_t *was, const uint8_t *is, uint64_t n,
	uint64_t first, const struct vat_cell *cell, struct vat_error *err) {
	const struct vat_cell *schema = hop->from;
	for (uint32_t i = 0; i < schema->field_count; i++) {
		const struct vat_stored_field *field = &schema->fields[i];
		size_t size = field->count * vat_type_size(field->type);
		for (uint64_t k = 0; k < n && size > 0; k++) {
			uint64_t at = k * schema->stride + field->offset;
			if (memcmp(was + at, is + at, size) == 0)
				continue;
			return vat_fail(err, EUCLEAN,
				"cell '%s', element %llu, field '%s' (id %u): the edge between "
				"versions %u and %u is declared invertible and does not give it "
				"back; correct the edge, or declare it lossy",
				cell->name, (unsigned long long)(first + k), field->name, field->id,
				hop->edge->from, hop->edge->to);
		}
	}
	return 0;
}

static int try_back(const struct vat_route *route, const struct vat_hop *hop, const void *from,
	const void *to, uint64_t n, uint64_t first, const struct vat_cell *cell,
	struct vat_error *err) {
	int rc = call(hop, true, &hop->other, to, route->scratch[2], n, cell, err);
	return rc < 0 ? rc : compare(hop, from, route->scratch[2], n, first, cell, err);
}

static int run_block(const struct vat_route *route, const uint8_t *from, uint8_t *to, uint64_t n,
	uint64_t first, const struct vat_cell *cell, struct vat_error *err) {
	const void *at = from;
	for (size_t i = 0; i < route->count; i++) {
		const struct vat_hop *hop = &route->hops[i];
		uint8_t *next = route->scratch[i & 1];
		int rc = 0;
		if (hop->edge) {
			rc = call(hop, false, &hop->plan, at, next, n, cell, err);
			if (rc == 0 && hop->edge->kind == VAT_EDGE_INVERTIBLE)
				rc = try_back(route, hop, at, next, n, first, cell, err);
		} else {
			memset(next, 0, n * hop->to->stride);
			vat_plan_run(&hop->plan, at, next, n);
		}
		if (rc < 0)
			return rc;
		at = next;
	}
	memcpy(to, at, n * route->hops[route->count - 1].to->stride);
	return 0;
}

int vat_route_run(const struct vat_route *route, const void *from, void *to, uint64_t n,
	uint64_t first, const struct vat_cell *cell, struct vat_error *err) {
	if (!route->scratch[0]) {
		vat_plan_run(&route->hops[0].plan, from, to, n);
		return 0;
	}
	const uint8_t *p = from;
	uint8_t *q = to;
	uint32_t from_stride = route->hops[0].from->stride;
	uint32_t to_stride = route->hops[route->count - 1].to->stride;
	for (uint64_t done = 0; done < n; done += route->piece) {
		uint64_t m = n - done < route->piece ? n - done : route->piece;
		int rc = run_block(route, p + done * from_stride, q + done * to_stride, m,
			first + done, cell, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

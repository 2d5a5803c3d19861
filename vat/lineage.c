/* SPDX-License-Identifier: MIT */
/* What a version says about the versions of its schemas. */
#include "internal.h"

const char *vat_edge_kind_name(uint32_t kind) {
	static const char *const names[] = {NULL, "lossless", "lossy", "invertible"};
	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : NULL;
}

static const struct vat_cell_decl *find_in(
	const struct vat_cell_decl *decls, size_t n, const char *name, uint32_t version) {
	for (size_t i = 0; i < n; i++) {
		if (decls[i].version == version && strcmp(decls[i].name, name) == 0)
			return &decls[i];
	}
	return NULL;
}

const struct vat_cell_decl *vat_lineage_find(
	const struct vat_lineage *lineage, const char *name, uint32_t version) {
	const struct vat_cell_decl *found =
		find_in(lineage->cells, lineage->cell_count, name, version);
	return found ? found : find_in(lineage->schemas, lineage->schema_count, name, version);
}

static bool has_field(const struct vat_cell_decl *decl, uint32_t id) {
	for (uint32_t i = 0; i < decl->field_count; i++) {
		if (decl->fields[i].id == id && decl->fields[i].type != VAT_GONE)
			return true;
	}
	return false;
}

static int check_schemas(const struct vat_lineage *lineage, struct vat_error *err) {
	if (lineage->schema_count > VAT_SCHEMAS_MAX)
		return vat_fail(err, EINVAL, "%zu schemas are declared; %d are possible",
			lineage->schema_count, VAT_SCHEMAS_MAX);
	for (size_t i = 0; i < lineage->schema_count; i++) {
		const struct vat_cell_decl *schema = &lineage->schemas[i];
		int rc = vat_decl_check(schema, err);
		if (rc < 0)
			return rc;
		if (find_in(lineage->schemas, i, schema->name, schema->version))
			return vat_fail(err, EINVAL,
				"cell '%s': version %u of its schema is declared twice",
				schema->name, schema->version);
		const struct vat_cell_decl *cell =
			find_in(lineage->cells, lineage->cell_count, schema->name, schema->version);
		if (cell && !vat_decl_same_shape(cell, schema))
			return vat_fail(err, EINVAL,
				"cell '%s': two schemas have version %u; give the new one a new "
				"number",
				schema->name, schema->version);
	}
	return 0;
}

static int check_edge(
	const struct vat_lineage *lineage, const struct vat_edge *edge, struct vat_error *err) {
	if (!vat_name_valid(edge->cell))
		return vat_fail(err, EINVAL, "an edge is of a cell without a valid name");
	const struct vat_cell_decl *from = vat_lineage_find(lineage, edge->cell, edge->from);
	const struct vat_cell_decl *to = vat_lineage_find(lineage, edge->cell, edge->to);
	if (edge->from == edge->to)
		return vat_fail(err, EINVAL, "cell '%s': an edge from version %u to itself",
			edge->cell, edge->from);
	if (!from || !to)
		return vat_fail(err, EINVAL,
			"cell '%s': edge %u to %u: the schema of version %u is not declared",
			edge->cell, edge->from, edge->to, from ? edge->to : edge->from);
	if (!vat_edge_kind_name(edge->kind))
		return vat_fail(err, EINVAL, "cell '%s': edge %u to %u: unknown kind %u",
			edge->cell, edge->from, edge->to, edge->kind);
	if (!edge->forth || (edge->kind == VAT_EDGE_INVERTIBLE && !edge->back))
		return vat_fail(err, EINVAL, "cell '%s': edge %u to %u has no function %s",
			edge->cell, edge->from, edge->to, edge->forth ? "back" : "forth");
	if (edge->lost_count > 2 * VAT_FIELDS_MAX || (edge->lost_count > 0 && !edge->lost))
		return vat_fail(err, EINVAL, "cell '%s': edge %u to %u: a wrong list of fields",
			edge->cell, edge->from, edge->to);
	for (uint32_t i = 0; i < edge->lost_count; i++) {
		if (!has_field(from, edge->lost[i]) && !has_field(to, edge->lost[i]))
			return vat_fail(err, EINVAL,
				"cell '%s': edge %u to %u loses field %u, which neither version "
				"has",
				edge->cell, edge->from, edge->to, edge->lost[i]);
	}
	return 0;
}

/* Whether both lead the same way between the same versions. */
static bool same_way(const struct vat_edge *a, const struct vat_edge *b) {
	if (strcmp(a->cell, b->cell) != 0)
		return false;
	if (a->from == b->from && a->to == b->to)
		return true;
	return a->from == b->to && a->to == b->from && (a->back || b->back);
}

int vat_lineage_check(const struct vat_lineage *lineage, struct vat_error *err) {
	int rc = vat_decls_check(lineage->cells, lineage->cell_count, err);
	if (rc == 0)
		rc = check_schemas(lineage, err);
	if (rc == 0 && lineage->edge_count > VAT_EDGES_MAX)
		rc = vat_fail(err, EINVAL, "%zu edges are declared; %d are possible",
			lineage->edge_count, VAT_EDGES_MAX);
	for (size_t i = 0; i < lineage->edge_count && rc == 0; i++) {
		const struct vat_edge *edge = &lineage->edges[i];
		rc = check_edge(lineage, edge, err);
		for (size_t j = 0; j < i && rc == 0; j++) {
			if (same_way(edge, &lineage->edges[j]))
				rc = vat_fail(err, EINVAL,
					"cell '%s': two edges lead from version %u to %u",
					edge->cell, edge->from, edge->to);
		}
	}
	return rc;
}

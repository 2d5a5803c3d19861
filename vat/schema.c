/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

static const struct {
	const char *name;
	uint8_t size;
} types[VAT_TYPE_MAX + 1] = {
	[VAT_U8] = {"u8", 1},
	[VAT_I8] = {"i8", 1},
	[VAT_U16] = {"u16", 2},
	[VAT_I16] = {"i16", 2},
	[VAT_U32] = {"u32", 4},
	[VAT_I32] = {"i32", 4},
	[VAT_U64] = {"u64", 8},
	[VAT_I64] = {"i64", 8},
	[VAT_F32] = {"f32", 4},
	[VAT_F64] = {"f64", 8},
	[VAT_BOOL] = {"bool", 1},
	[VAT_TEXT] = {"text", 1},
	[VAT_BYTES] = {"bytes", 1},
	[VAT_LINK] = {"link", 8},
	[VAT_GONE] = {"gone", 0},
};

size_t vat_type_size(uint32_t type) {
	return type <= VAT_TYPE_MAX ? types[type].size : 0;
}

const char *vat_type_name(uint32_t type) {
	return type <= VAT_TYPE_MAX ? types[type].name : NULL;
}

const char *vat_reset_policy_name(uint32_t policy) {
	static const char *const names[] = {"preserve", "crossfade", "reset"};
	return policy < 3 ? names[policy] : NULL;
}

void vat_cell_label(
	const char *name, const char *scope, uint64_t element, char *label, size_t size) {
	int n = snprintf(label, size, "%.*s%s%.*s", VAT_NAME_SIZE, name ? name : "(null)",
		scope && *scope ? "@" : "", VAT_SCOPE_SIZE, scope ? scope : "");
	if (element && n > 0 && (size_t)n < size)
		snprintf(label + n, size - (size_t)n, "#%llu", (unsigned long long)element);
}

static int by_id(const void *a, const void *b) {
	const struct vat_stored_field *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static int by_offset(const void *a, const void *b) {
	const struct vat_stored_field *const *x = a, *const *y = b;
	return ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

static uint64_t field_bytes(const struct vat_stored_field *field) {
	return (uint64_t)field->count * vat_type_size(field->type);
}

static int check_field(const struct vat_stored_field *field, uint32_t stride, const char *label,
	struct vat_error *err) {
	const char *name = field->name;
	if (!memchr(name, 0, sizeof(field->name)) || !vat_field_name_valid(name))
		return vat_fail(err, EINVAL,
			"cell '%s': the name of field %u is not a C identifier of 1 to %d "
			"characters",
			label, field->id, VAT_FIELD_SIZE - 1);
	if (field->id == 0)
		return vat_fail(
			err, EINVAL, "cell '%s': field '%s' has id 0; ids start at 1", label, name);
	if (field->type == 0 || field->type > VAT_TYPE_MAX)
		return vat_fail(err, EINVAL, "cell '%s': field '%s' has the unknown type %u", label,
			name, field->type);
	if (field->type == VAT_GONE)
		return 0;
	size_t size = vat_type_size(field->type);
	if (field->count == 0)
		return vat_fail(
			err, EINVAL, "cell '%s': field '%s' has no values (count 0)", label, name);
	if (field->offset + field_bytes(field) > stride)
		return vat_fail(err, EINVAL,
			"cell '%s': field '%s' ends outside of its element of %u bytes", label,
			name, stride);
	if (field->offset % size || stride % size)
		return vat_fail(err, EINVAL,
			"cell '%s': field '%s' is not aligned to its type (%zu bytes)", label, name,
			size);
	return 0;
}

int vat_fields_check(const struct vat_stored_field *fields, uint32_t n, uint32_t stride,
	uint32_t key_field, const char *label, struct vat_error *err) {
	const struct vat_stored_field *key = NULL;
	bool sorted = true; /* by place as well as by id, as most are */
	uint64_t end = 0;
	for (uint32_t i = 0; i < n; i++) {
		int rc = check_field(&fields[i], stride, label, err);
		if (rc < 0)
			return rc;
		if (i > 0 && fields[i].id == fields[i - 1].id)
			return vat_fail(err, EINVAL,
				"cell '%s': fields '%s' and '%s' both have id %u", label,
				fields[i - 1].name, fields[i].name, fields[i].id);
		if (i > 0 && fields[i].id < fields[i - 1].id)
			return vat_fail(err, EINVAL,
				"cell '%s': fields are not in the order of their ids", label);
		if (fields[i].id == key_field)
			key = &fields[i];
		if (fields[i].type == VAT_GONE)
			continue;
		if (fields[i].offset < end)
			sorted = false;
		end = fields[i].offset + field_bytes(&fields[i]);
	}
	if (key_field && (!key || key->count != 1 || key->type > VAT_I64))
		return vat_fail(err, EINVAL,
			"cell '%s': key field %u is not a single integer field of it", label,
			key_field);
	if (sorted)
		return 0;

	const struct vat_stored_field **order = calloc(n, sizeof(*order));
	if (!order)
		return vat_fail(err, ENOMEM, "cell '%s': out of memory", label);
	size_t m = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (fields[i].type != VAT_GONE)
			order[m++] = &fields[i];
	}
	qsort(order, m, sizeof(*order), by_offset);
	int rc = 0;
	for (size_t i = 1; i < m && rc == 0; i++) {
		if (order[i]->offset < order[i - 1]->offset + field_bytes(order[i - 1]))
			rc = vat_fail(err, EINVAL, "cell '%s': fields '%s' and '%s' overlap", label,
				order[i - 1]->name, order[i]->name);
	}
	free(order);
	return rc;
}

void vat_cell_from_decl(const struct vat_region_info *info, const struct vat_cell_decl *decl,
	struct vat_cell *cell, struct vat_stored_field *fields) {
	for (uint32_t i = 0; i < decl->field_count; i++) {
		const struct vat_field *field = &decl->fields[i];
		fields[i] = (struct vat_stored_field){
			.id = field->id,
			.type = field->type,
			.count = field->type == VAT_GONE ? 0 : field->count,
			.offset = field->type == VAT_GONE ? 0 : field->offset,
			.initial = field->initial,
		};
		strncpy(fields[i].name, field->name ? field->name : "", VAT_FIELD_SIZE - 1);
	}
	qsort(fields, decl->field_count, sizeof(*fields), by_id);

	*cell = (struct vat_cell){
		.element = decl->element,
		.count = decl->count,
		.stride = decl->stride,
		.align = decl->align > VAT_GRAIN ? decl->align : VAT_GRAIN,
		.version = decl->version,
		.reset = decl->reset,
		.flags = decl->flags & VAT_CELL_DECLARED,
		.key_field = decl->key_field,
		.field_count = decl->field_count,
		.fields = fields,
	};
	strncpy(cell->name, decl->name, sizeof(cell->name) - 1);
	strncpy(cell->scope, decl->scope ? decl->scope : "", sizeof(cell->scope) - 1);
	if (info)
		cell->key = vat_state_key(
			&info->city, &info->tile, cell->name, cell->scope, cell->element);
}

int vat_decl_check(const struct vat_cell_decl *decl, struct vat_error *err) {
	if (!vat_name_valid(decl->name))
		return vat_fail(err, EINVAL,
			"cell name '%.80s' is not valid: lower case letters, digits, '.', '_' and "
			"'-', a "
			"letter first, at most %d characters",
			decl->name ? decl->name : "(null)", VAT_NAME_SIZE - 1);
	if (decl->scope && *decl->scope &&
		(!vat_name_valid(decl->scope) || strlen(decl->scope) >= VAT_SCOPE_SIZE))
		return vat_fail(err, EINVAL,
			"cell '%s': scope '%.80s' is not a name of at most %d characters",
			decl->name, decl->scope, VAT_SCOPE_SIZE - 1);
	char label[VAT_LABEL_SIZE];
	vat_cell_label(decl->name, decl->scope, decl->element, label, sizeof(label));
	if (decl->field_count == 0 || !decl->fields)
		return vat_fail(err, EINVAL, "cell '%s' has no fields", label);
	if (decl->field_count > VAT_FIELDS_MAX)
		return vat_fail(err, EINVAL, "cell '%s' has %u fields; %d are possible", label,
			decl->field_count, VAT_FIELDS_MAX);
	if (decl->stride == 0)
		return vat_fail(err, EINVAL, "cell '%s': elements of 0 bytes", label);
	if (decl->count > VAT_REGION_MAX / decl->stride)
		return vat_fail(err, EINVAL, "cell '%s': %llu elements of %u bytes are too many",
			label, (unsigned long long)decl->count, decl->stride);
	if (decl->align > VAT_PAGE || (decl->align & (decl->align - 1)))
		return vat_fail(err, EINVAL,
			"cell '%s': alignment %u is not a power of two up to %d", label,
			decl->align, VAT_PAGE);
	if (!vat_reset_policy_name(decl->reset))
		return vat_fail(
			err, EINVAL, "cell '%s': unknown reset policy %u", label, decl->reset);
	if ((decl->flags & ~(uint32_t)VAT_CELL_DECLARED) || decl->reserved)
		return vat_fail(err, EINVAL, "cell '%s': unknown flags %#x", label,
			decl->flags | decl->reserved);
	for (uint32_t i = 0; i < decl->field_count; i++) {
		/* Here, because the copy below would cut it. */
		if (!vat_field_name_valid(decl->fields[i].name))
			return vat_fail(err, EINVAL,
				"cell '%s': the name of field %u is not a C identifier of 1 to %d "
				"characters",
				label, decl->fields[i].id, VAT_FIELD_SIZE - 1);
	}

	struct vat_cell cell;
	const uint32_t n = decl->field_count;
	struct vat_stored_field *fields = calloc(n, sizeof(*fields));
	if (!fields)
		return vat_fail(err, ENOMEM, "cell '%s': out of memory", label);
	vat_cell_from_decl(NULL, decl, &cell, fields);
	int rc = vat_fields_check(fields, n, cell.stride, cell.key_field, label, err);
	free(fields);
	return rc;
}

static bool same_text(const char *a, const char *b) {
	return strcmp(a ? a : "", b ? b : "") == 0;
}

int vat_decls_check(const struct vat_cell_decl *decls, size_t n, struct vat_error *err) {
	if (n > VAT_CELLS_MAX)
		return vat_fail(
			err, EINVAL, "%zu cells are declared; %d are possible", n, VAT_CELLS_MAX);
	for (size_t i = 0; i < n; i++) {
		int rc = vat_decl_check(&decls[i], err);
		if (rc < 0)
			return rc;
		for (size_t j = 0; j < i; j++) {
			if (decls[i].element != decls[j].element ||
				!same_text(decls[i].name, decls[j].name) ||
				!same_text(decls[i].scope, decls[j].scope))
				continue;
			char label[VAT_LABEL_SIZE];
			vat_cell_label(decls[i].name, decls[i].scope, decls[i].element, label,
				sizeof(label));
			return vat_fail(err, EINVAL, "cell '%s' is declared twice", label);
		}
	}
	return 0;
}

bool vat_cell_same_shape(const struct vat_cell *a, const struct vat_cell *b) {
	if (a->stride != b->stride)
		return false;
	uint32_t i = 0, j = 0;
	for (;;) {
		while (i < a->field_count && a->fields[i].type == VAT_GONE)
			i++;
		while (j < b->field_count && b->fields[j].type == VAT_GONE)
			j++;
		if (i == a->field_count || j == b->field_count)
			return i == a->field_count && j == b->field_count;
		const struct vat_stored_field *x = &a->fields[i++], *y = &b->fields[j++];
		if (x->id != y->id || x->type != y->type || x->count != y->count ||
			x->offset != y->offset)
			return false;
	}
}

bool vat_decl_same_shape(const struct vat_cell_decl *a, const struct vat_cell_decl *b) {
	struct vat_stored_field *fields =
		calloc((size_t)a->field_count + b->field_count + 1, sizeof(*fields));
	if (!fields)
		return false;
	struct vat_cell x, y;
	vat_cell_from_decl(NULL, a, &x, fields);
	vat_cell_from_decl(NULL, b, &y, fields + a->field_count);
	bool same = vat_cell_same_shape(&x, &y);
	free(fields);
	return same;
}

bool vat_initial_bytes(const struct vat_stored_field *field, uint8_t bytes[8]) {
	memset(bytes, 0, 8);
	switch (field->type) {
	case VAT_F32: {
		float value = (float)field->initial.f;
		memcpy(bytes, &value, sizeof(value));
		break;
	}
	case VAT_F64:
	case VAT_U64:
	case VAT_I64:
	case VAT_LINK:
		memcpy(bytes, &field->initial, 8);
		break;
	case VAT_U32:
	case VAT_I32: {
		uint32_t value = (uint32_t)field->initial.u;
		memcpy(bytes, &value, sizeof(value));
		break;
	}
	case VAT_U16:
	case VAT_I16: {
		uint16_t value = (uint16_t)field->initial.u;
		memcpy(bytes, &value, sizeof(value));
		break;
	}
	case VAT_U8:
	case VAT_I8:
		bytes[0] = (uint8_t)field->initial.u;
		break;
	case VAT_BOOL:
		bytes[0] = field->initial.u != 0;
		break;
	default:
		break;
	}
	static const uint8_t zero[8];
	return memcmp(bytes, zero, sizeof(zero)) != 0;
}

const struct vat_stored_field *vat_cell_field(const struct vat_cell *cell, uint32_t id) {
	uint32_t low = 0, high = cell->field_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (cell->fields[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < cell->field_count && cell->fields[low].id == id ? &cell->fields[low] : NULL;
}

/* SPDX-License-Identifier: MIT */
/* What becomes of one cell when its declaration changes. */
#include <stdio.h>
#include <stdlib.h>

#include "convert.h"

bool vat_cell_same_text(const struct vat_cell *a, const struct vat_cell *b) {
	if (a->version != b->version || a->reset != b->reset || a->flags != b->flags ||
		a->key_field != b->key_field || a->align != b->align ||
		a->field_count != b->field_count)
		return false;
	for (uint32_t i = 0; i < a->field_count; i++) {
		if (a->fields[i].id != b->fields[i].id || a->fields[i].type != b->fields[i].type ||
			a->fields[i].initial.u != b->fields[i].initial.u ||
			strcmp(a->fields[i].name, b->fields[i].name) != 0)
			return false;
	}
	return true;
}

void vat_change_init(struct vat_change *change, enum vat_outcome outcome,
	const struct vat_cell *from, const struct vat_cell *to) {
	const struct vat_cell *cell = to ? to : from;
	*change = (struct vat_change){
		.outcome = outcome,
		.element = cell->element,
		.from_version = from ? from->version : 0,
		.to_version = cell->version,
	};
	memcpy(change->name, cell->name, sizeof(change->name));
	memcpy(change->scope, cell->scope, sizeof(change->scope));
}

static bool all_zero(const uint8_t *data, uint64_t size) {
	return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

static bool in_use(const struct vat_stored_field *key, const uint8_t *element) {
	return !all_zero(element + key->offset, vat_type_size(key->type));
}

/* The elements that will not be there any more: lost, or moved up if known by their id. */
static const char *plan_shrink(struct vat_move *move, const struct vat_region *region,
	const struct vat_cell *from, const struct vat_cell *to) {
	const uint8_t *data = vat_cell_data(region, from);
	move->elements = to->count;
	if (all_zero(data + to->count * from->stride, (from->count - to->count) * from->stride))
		return NULL;
	const struct vat_stored_field *key =
		from->key_field ? vat_cell_field(from, from->key_field) : NULL;
	if (!key)
		return "elements that are in use would be cut off";
	uint64_t used = 0;
	for (uint64_t i = 0; i < from->count; i++)
		used += in_use(key, data + i * from->stride);
	move->way = VAT_MOVE_COMPACT;
	move->elements = used < to->count ? used : to->count;
	return used > to->count ? "more elements are in use than there will be" : NULL;
}

/*
 * The one place that decides how the state of a cell gets from one schema to another: by field ids.
 * Edges that a version brings along are to be asked here first.
 */
int vat_move_init(struct vat_move *move, const struct vat_region *region,
	const struct vat_cell *from, const struct vat_cell *to, unsigned flags,
	struct vat_change *change, struct vat_error *err) {
	*move = (struct vat_move){0};
	vat_change_init(change, VAT_SAME, from, to);
	bool same = vat_cell_same_shape(from, to);
	if (same && from->count == to->count && from->offset % to->align == 0)
		return 0;

	change->outcome = VAT_MIGRATED;
	move->way = VAT_MOVE_ALONG;
	move->elements = from->count;
	move->plan = calloc(1, sizeof(*move->plan));
	move->fresh = calloc(1, sizeof(*move->fresh));
	if (!move->plan || !move->fresh || vat_plan_init(move->plan, from, to) < 0 ||
		vat_plan_init_fresh(move->fresh, to) < 0) {
		vat_move_finish(move);
		return vat_fail(err, ENOMEM, "cell '%s': out of memory", to->name);
	}
	const char *cut = from->count > to->count ? plan_shrink(move, region, from, to) : NULL;
	if (move->plan->lossy) {
		change->field_id = move->plan->lost_id;
		memcpy(change->field, move->plan->lost_field, sizeof(change->field));
	}
	if (cut)
		snprintf(change->reason, sizeof(change->reason), "%s (%llu becomes %llu)%s%.100s",
			cut, (unsigned long long)from->count, (unsigned long long)to->count,
			move->plan->lossy ? "; " : "", move->plan->lost);
	else
		snprintf(change->reason, sizeof(change->reason), "%s", move->plan->lost);
	change->lossy = cut || move->plan->lossy;
	change->elements = move->elements;
	change->bytes = to->count * to->stride;
	if (!change->lossy || (flags & VAT_ALLOW_LOSSY))
		return 0;

	change->outcome = VAT_REFUSED;
	change->elements = change->bytes = 0;
	char label[VAT_LABEL_SIZE];
	vat_cell_label(to->name, to->scope, to->element, label, sizeof(label));
	vat_move_finish(move);
	return vat_fail(err, EUCLEAN, "cell '%s' would lose state: %.180s", label, change->reason);
}

void vat_move_run(const struct vat_move *move, const struct vat_region *region,
	const struct vat_cell *from, const struct vat_cell *to) {
	const uint8_t *old = vat_cell_data(region, from);
	uint8_t *new = vat_cell_data(region, to);
	uint64_t done = move->elements;
	if (move->way == VAT_MOVE_ALONG) {
		vat_plan_run(move->plan, old, new, done);
	} else {
		const struct vat_stored_field *key = vat_cell_field(from, from->key_field);
		done = 0;
		for (uint64_t i = 0; i < from->count && done < move->elements; i++) {
			if (!in_use(key, old + i * from->stride))
				continue;
			vat_plan_run(
				move->plan, old + i * from->stride, new + done * to->stride, 1);
			done++;
		}
	}
	if (done < to->count)
		vat_plan_run(move->fresh, NULL, new + done * to->stride, to->count - done);
}

void vat_move_finish(struct vat_move *move) {
	if (move->plan)
		vat_plan_finish(move->plan);
	if (move->fresh)
		vat_plan_finish(move->fresh);
	free(move->plan);
	free(move->fresh);
	*move = (struct vat_move){0};
}

/* SPDX-License-Identifier: MIT */
/* What becomes of one cell when its declaration changes. */
#include <stdlib.h>

#include "plan.h"

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
static int plan_shrink(struct vat_move *move, const struct vat_region *region,
	const struct vat_cell *from, const struct vat_cell *to) {
	const uint8_t *data = vat_cell_data(region, from);
	struct vat_losses *losses = &move->route->losses;
	move->elements = to->count;
	if (all_zero(data + to->count * from->stride, (from->count - to->count) * from->stride))
		return 0;
	const struct vat_stored_field *key =
		from->key_field ? vat_cell_field(from, from->key_field) : NULL;
	if (!key)
		return vat_losses_add(losses, NULL,
			"elements that are in use would be cut off (%llu becomes %llu)",
			(unsigned long long)from->count, (unsigned long long)to->count);
	uint64_t used = 0;
	for (uint64_t i = 0; i < from->count; i++)
		used += in_use(key, data + i * from->stride);
	move->way = VAT_MOVE_COMPACT;
	move->elements = used < to->count ? used : to->count;
	if (used <= to->count)
		return 0;
	return vat_losses_add(losses, NULL,
		"more elements are in use than there will be (%llu becomes %llu)",
		(unsigned long long)used, (unsigned long long)to->count);
}

/* The one place that decides how the state of a cell gets from one schema to another. */
int vat_move_init(struct vat_move *move, const struct vat_region *region,
	const struct vat_cell *from, const struct vat_cell *to, const struct vat_terms *terms,
	struct vat_change *change, struct vat_error *err) {
	*move = (struct vat_move){0};
	vat_change_init(change, VAT_SAME, from, to);
	move->route = calloc(1, sizeof(*move->route));
	bool anew = terms->flags & VAT_ALLOW_ANEW;
	int rc = move->route
		? vat_route_init(move->route, terms->lineage, terms->older, from, to, anew)
		: -ENOMEM;
	if (rc < 0)
		goto no_memory;
	/* Elements that look the same may still mean something else. */
	bool same = !move->route->calls && move->route->losses.count == 0 &&
		vat_cell_same_shape(from, to);
	if (same && from->count == to->count && from->offset % to->align == 0) {
		vat_move_finish(move);
		return 0;
	}
	change->outcome = VAT_MIGRATED;
	change->hops = (uint32_t)move->route->count;
	move->way = VAT_MOVE_ALONG;
	move->elements = from->count;
	move->fresh = calloc(1, sizeof(*move->fresh));
	if (!move->fresh || vat_plan_init_fresh(move->fresh, to) < 0 ||
		(from->count > to->count && plan_shrink(move, region, from, to) < 0))
		goto no_memory;

	/* From here on they are the change's. */
	struct vat_losses *losses = &move->route->losses;
	change->losses = losses->items;
	change->loss_count = losses->count;
	*losses = (struct vat_losses){0};
	for (size_t i = 0; i < change->loss_count && change->field_id == 0; i++) {
		change->field_id = change->losses[i].field_id;
		memcpy(change->field, change->losses[i].field, sizeof(change->field));
	}
	vat_losses_say(change->reason, sizeof(change->reason), change->losses, change->loss_count);
	change->lossy = change->loss_count > 0;
	change->elements = move->elements;
	change->bytes = to->count * to->stride;
	if (anew && move->route->none) {
		/* Cell by cell, then. */
		vat_move_finish(move);
		change->outcome = VAT_CLEARED;
		change->elements = 0;
		return 0;
	}
	if (!change->lossy || anew || (terms->flags & VAT_ALLOW_LOSSY))
		return 0;

	change->outcome = VAT_REFUSED;
	change->elements = change->bytes = 0;
	vat_move_finish(move);
	char label[VAT_LABEL_SIZE], lost[sizeof(err->text) - VAT_LABEL_SIZE - 32];
	vat_cell_label(to->name, to->scope, to->element, label, sizeof(label));
	vat_losses_say(lost, sizeof(lost), change->losses, change->loss_count);
	return vat_fail(err, EUCLEAN, "cell '%s' would lose state: %s", label, lost);

no_memory:
	vat_move_finish(move);
	return vat_fail(err, ENOMEM, "cell '%s': out of memory", to->name);
}

void vat_change_finish(struct vat_change *change) {
	free(change->losses);
	change->losses = NULL;
	change->loss_count = 0;
}

/* Elements that are moved together are collected here, to be converted so many at a time. */
#define COLLECT 256

static int run_compact(const struct vat_move *move, const uint8_t *old, uint8_t *new,
	const struct vat_cell *from, const struct vat_cell *to, struct vat_error *err) {
	const struct vat_stored_field *key = vat_cell_field(from, from->key_field);
	uint8_t *some = malloc((size_t)COLLECT * from->stride);
	if (!some)
		return vat_fail(err, ENOMEM, "cell '%s': out of memory", to->name);
	uint64_t done = 0, n = 0;
	int rc = 0;
	for (uint64_t i = 0; i < from->count && done + n < move->elements && rc == 0; i++) {
		if (!in_use(key, old + i * from->stride))
			continue;
		memcpy(some + n++ * from->stride, old + i * from->stride, from->stride);
		if (n < COLLECT && done + n < move->elements)
			continue;
		rc = vat_route_run(move->route, some, new + done * to->stride, n, done, from, err);
		done += n;
		n = 0;
	}
	free(some);
	return rc;
}

int vat_move_run_at(const struct vat_move *move, const uint8_t *old, uint8_t *new,
	const struct vat_cell *from, const struct vat_cell *to, struct vat_error *err) {
	uint64_t done = move->elements;
	int rc = move->way == VAT_MOVE_ALONG
		? vat_route_run(move->route, old, new, done, 0, from, err)
		: run_compact(move, old, new, from, to, err);
	if (rc == 0 && done < to->count)
		vat_plan_run(move->fresh, NULL, new + done * to->stride, to->count - done);
	return rc;
}

int vat_move_run(const struct vat_move *move, const struct vat_region *region,
	const struct vat_cell *from, const struct vat_cell *to, struct vat_error *err) {
	return vat_move_run_at(
		move, vat_cell_data(region, from), vat_cell_data(region, to), from, to, err);
}

void vat_move_finish(struct vat_move *move) {
	if (move->route)
		vat_route_finish(move->route);
	if (move->fresh)
		vat_plan_finish(move->fresh);
	free(move->route);
	free(move->fresh);
	*move = (struct vat_move){0};
}

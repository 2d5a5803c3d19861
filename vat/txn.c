/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "build.h"
#include "convert.h"

struct draft {
	struct vat_cell cell;
	struct vat_stored_field
		*fields; /* owned; NULL while they are those of the region's directory */
};

struct vat_txn {
	struct vat_region *region;
	struct draft *drafts;
	size_t count, capacity;
	struct vat_space space;
};

static void txn_destroy(struct vat_txn *txn) {
	txn->region->in_txn = false;
	for (size_t i = 0; i < txn->count; i++)
		free(txn->drafts[i].fields);
	free(txn->drafts);
	vat_space_finish(&txn->space);
	free(txn);
}

int vat_region_used_space(
	struct vat_region *region, struct vat_space *space, struct vat_error *err) {
	*space = (struct vat_space){.floor = vat_barrier_limit(region)};
	struct vat_directory previous;
	int rc = vat_region_load_previous(region, &previous, err);
	if (rc < 0)
		return rc;
	if (vat_space_add_directory(space, &region->directory) < 0 ||
		vat_space_add_directory(space, &previous) < 0)
		rc = vat_fail(err, ENOMEM, "region '%s': out of memory", region->info.name);
	vat_directory_finish(&previous);
	if (rc < 0)
		vat_space_finish(space);
	return rc;
}

/* Under a barrier only what lies behind it may go: a page that the undo log shall bring back is
 * saved at its first store, and this is none. */
void vat_region_release(struct vat_region *region) {
	struct vat_space space;
	if (vat_region_used_space(region, &space, NULL) < 0)
		return;
	vat_space_release(&space, region);
	vat_space_finish(&space);
}

int vat_txn_begin(struct vat_region *region, struct vat_txn **out, struct vat_error *err) {
	const char *name = region->info.name;
	int rc = vat_region_check_writer(region, err);
	if (rc < 0)
		return rc;
	if (region->in_txn)
		return vat_fail(err, EBUSY, "region '%s': a transaction is open", name);
	if (vat_region_get(region, VAT_GENERATION) != region->generation)
		return vat_fail(err, ESTALE,
			"region '%s' has a newer generation than this process knows; refresh it",
			name);
	if (vat_region_has_previous(region) && !region->barrier)
		return vat_fail(err, EBUSY,
			"region '%s': the generation before is kept for a rollback; forget it "
			"first",
			name);

	struct vat_txn *txn = calloc(1, sizeof(*txn));
	if (!txn)
		return vat_fail(err, ENOMEM, "region '%s': out of memory", name);
	txn->region = region;
	txn->capacity = region->directory.cell_count + 16;
	txn->drafts = calloc(txn->capacity, sizeof(*txn->drafts));
	rc = txn->drafts ? vat_region_used_space(region, &txn->space, err)
			 : vat_fail(err, ENOMEM, "region '%s': out of memory", name);
	if (rc < 0) {
		free(txn->drafts);
		free(txn);
		return rc;
	}
	for (size_t i = 0; i < region->directory.cell_count; i++)
		txn->drafts[txn->count++].cell = region->directory.cells[i];
	region->in_txn = true;
	*out = txn;
	return 0;
}

static struct draft *find(
	struct vat_txn *txn, const char *name, const char *scope, uint64_t element) {
	for (size_t i = 0; i < txn->count; i++) {
		struct vat_cell *cell = &txn->drafts[i].cell;
		if (cell->element == element && strcmp(cell->name, name) == 0 &&
			strcmp(cell->scope, scope ? scope : "") == 0)
			return &txn->drafts[i];
	}
	return NULL;
}

/* Finds a place for the cell's elements; they are zero. */
static int place(struct vat_txn *txn, struct vat_cell *cell, struct vat_error *err) {
	uint64_t size = cell->count * cell->stride;
	struct vat_error why;
	int rc = vat_space_take(&txn->space, txn->region, size, cell->align,
		!(cell->flags & VAT_CELL_SPARSE), &cell->offset, &why);
	if (rc < 0)
		return vat_fail(err, -rc, "cell '%s': %.170s", cell->name, why.text);
	cell->size = vat_space_round(size);
	cell->born = txn->region->generation + 1;
	return 0;
}

static int place_fresh(struct vat_txn *txn, struct vat_cell *cell, struct vat_error *err) {
	struct vat_plan plan;
	if (vat_plan_init_fresh(&plan, cell) < 0)
		return vat_fail(err, ENOMEM, "cell '%s': out of memory", cell->name);
	int rc = place(txn, cell, err);
	vat_cut();
	if (rc == 0 && plan.count > 0)
		vat_plan_run(&plan, NULL, vat_cell_data(txn->region, cell), cell->count);
	vat_plan_finish(&plan);
	return rc;
}

static int from_decl(struct vat_txn *txn, const struct vat_cell_decl *decl, struct draft *draft,
	struct vat_error *err) {
	int rc = vat_decl_check(decl, err);
	if (rc < 0)
		return rc;
	draft->fields = calloc(decl->field_count, sizeof(*draft->fields));
	if (!draft->fields)
		return vat_fail(err, ENOMEM, "cell '%s': out of memory", decl->name);
	vat_cell_from_decl(&txn->region->info, decl, &draft->cell, draft->fields);
	return 0;
}

static void replace(struct draft *old, const struct draft *new) {
	free(old->fields);
	*old = *new;
}

static int missing(const char *name, const char *scope, uint64_t element, struct vat_error *err) {
	char label[VAT_LABEL_SIZE];
	vat_cell_label(name, scope, element, label, sizeof(label));
	return vat_fail(err, ENOENT, "there is no cell '%s'", label);
}

int vat_txn_add(struct vat_txn *txn, const struct vat_cell_decl *decl, struct vat_error *err) {
	struct draft draft;
	int rc = from_decl(txn, decl, &draft, err);
	if (rc < 0)
		return rc;
	if (find(txn, decl->name, decl->scope, decl->element)) {
		rc = vat_fail(err, EEXIST, "there is a cell '%s' already", decl->name);
	} else if (txn->count == VAT_CELLS_MAX) {
		rc = vat_fail(err, ENOSPC, "cell '%s': a region holds %d cells at most", decl->name,
			VAT_CELLS_MAX);
	} else if (txn->count == txn->capacity) {
		struct draft *drafts = realloc(txn->drafts, txn->capacity * 2 * sizeof(*drafts));
		if (drafts) {
			txn->drafts = drafts;
			txn->capacity *= 2;
		} else {
			rc = vat_fail(err, ENOMEM, "cell '%s': out of memory", decl->name);
		}
	}
	if (rc == 0)
		rc = place_fresh(txn, &draft.cell, err);
	if (rc < 0) {
		free(draft.fields);
		return rc;
	}
	txn->drafts[txn->count++] = draft;
	return 0;
}

int vat_txn_reset(struct vat_txn *txn, const struct vat_cell_decl *decl, struct vat_error *err) {
	struct draft *old = find(txn, decl->name, decl->scope, decl->element);
	if (!old)
		return missing(decl->name, decl->scope, decl->element, err);
	struct draft draft;
	int rc = from_decl(txn, decl, &draft, err);
	if (rc < 0)
		return rc;
	rc = place_fresh(txn, &draft.cell, err);
	if (rc < 0) {
		free(draft.fields);
		return rc;
	}
	replace(old, &draft);
	return 0;
}

/* Takes draft->fields in every case. */
static int change(struct vat_txn *txn, struct draft *old, struct draft *draft,
	const struct vat_terms *terms, struct vat_error *err) {
	struct vat_move move;
	struct vat_change report;
	int rc = vat_move_init(&move, txn->region, &old->cell, &draft->cell, terms, &report, err);
	vat_change_finish(&report);
	if (rc == 0 && move.way == VAT_MOVE_NONE) {
		draft->cell.offset = old->cell.offset;
		draft->cell.size = old->cell.size;
		draft->cell.born = old->cell.born;
	} else if (rc == 0 && vat_build_take(terms->build, &draft->cell)) {
		vat_move_finish(&move);
	} else if (rc == 0) {
		rc = place(txn, &draft->cell, err);
		vat_cut();
		if (rc == 0)
			rc = vat_move_run(&move, txn->region, &old->cell, &draft->cell, err);
		vat_move_finish(&move);
	}
	if (rc < 0) {
		free(draft->fields);
		return rc;
	}
	replace(old, draft);
	return 0;
}

int vat_txn_claim(struct vat_txn *txn, const struct vat_build *build) {
	return vat_build_claim(build, &txn->space);
}

int vat_txn_retype_by(struct vat_txn *txn, const struct vat_cell_decl *decl,
	const struct vat_terms *terms, struct vat_error *err) {
	struct draft *old = find(txn, decl->name, decl->scope, decl->element);
	if (!old)
		return missing(decl->name, decl->scope, decl->element, err);
	struct draft draft;
	int rc = from_decl(txn, decl, &draft, err);
	return rc < 0 ? rc : change(txn, old, &draft, terms, err);
}

int vat_txn_retype(struct vat_txn *txn, const struct vat_cell_decl *decl, unsigned flags,
	struct vat_error *err) {
	const struct vat_terms terms = {.flags = flags};
	return vat_txn_retype_by(txn, decl, &terms, err);
}

int vat_txn_resize(struct vat_txn *txn, const char *name, const char *scope, uint64_t element,
	uint64_t count, unsigned flags, struct vat_error *err) {
	struct draft *old = find(txn, name, scope, element);
	if (!old)
		return missing(name, scope, element, err);
	if (count > VAT_REGION_MAX / old->cell.stride)
		return vat_fail(err, EINVAL, "cell '%s': %llu elements are too many", name,
			(unsigned long long)count);
	struct draft draft = {.cell = old->cell};
	draft.cell.count = count;
	draft.fields = calloc(old->cell.field_count, sizeof(*draft.fields));
	if (!draft.fields)
		return vat_fail(err, ENOMEM, "cell '%s': out of memory", name);
	memcpy(draft.fields, old->cell.fields, old->cell.field_count * sizeof(*draft.fields));
	draft.cell.fields = draft.fields;
	const struct vat_terms terms = {.flags = flags};
	return change(txn, old, &draft, &terms, err);
}

int vat_txn_drop(struct vat_txn *txn, const char *name, const char *scope, uint64_t element,
	struct vat_error *err) {
	struct draft *old = find(txn, name, scope, element);
	if (!old)
		return missing(name, scope, element, err);
	free(old->fields);
	size_t after = (size_t)(txn->drafts + txn->count - (old + 1));
	memmove(old, old + 1, after * sizeof(*old));
	txn->count--;
	return 0;
}

void vat_txn_orphan(struct vat_txn *txn, const struct vat_cell *cell) {
	struct draft *draft = find(txn, cell->name, cell->scope, cell->element);
	if (draft)
		draft->cell.flags |= VAT_CELL_ORPHAN;
}

void *vat_txn_data(struct vat_txn *txn, const char *name, const char *scope, uint64_t element) {
	struct draft *draft = find(txn, name, scope, element);
	return draft ? vat_cell_data(txn->region, &draft->cell) : NULL;
}

void vat_txn_abort(struct vat_txn *txn) {
	if (!txn)
		return;
	struct vat_region *region = txn->region;
	txn_destroy(txn);
	vat_region_release(region);
}

static uint64_t field_count(const struct vat_txn *txn) {
	uint64_t fields = 0;
	for (size_t i = 0; i < txn->count; i++)
		fields += txn->drafts[i].cell.field_count;
	return fields;
}

/* The directory as it goes into the region; root gets all but its place. */
static void *encode(const struct vat_txn *txn, struct vat_disk_root *root) {
	const size_t n = txn->count;
	const uint64_t fields = field_count(txn);
	*root = (struct vat_disk_root){
		.size = n * sizeof(struct vat_disk_cell) + fields * sizeof(struct vat_stored_field),
		.generation = txn->region->generation + 1,
		.cells = (uint32_t)n,
		.fields = (uint32_t)fields,
		.updates = vat_region_get(txn->region, VAT_UPDATES),
	};
	struct vat_disk_cell *disk = calloc(1, root->size + 1);
	if (!disk)
		return NULL;
	struct vat_stored_field *to = (void *)(disk + n);
	uint32_t first = 0;
	for (size_t i = 0; i < n; i++) {
		const struct vat_cell *cell = &txn->drafts[i].cell;
		disk[i] = (struct vat_disk_cell){
			.key = cell->key,
			.element = cell->element,
			.count = cell->count,
			.offset = cell->offset,
			.size = cell->size,
			.born = cell->born,
			.stride = cell->stride,
			.align = cell->align,
			.version = cell->version,
			.reset = cell->reset,
			.flags = cell->flags,
			.key_field = cell->key_field,
			.first_field = first,
			.field_count = cell->field_count,
		};
		memcpy(disk[i].name, cell->name, sizeof(disk[i].name));
		memcpy(disk[i].scope, cell->scope, sizeof(disk[i].scope));
		memcpy(to + first, cell->fields, cell->field_count * sizeof(*to));
		first += cell->field_count;
	}
	return disk;
}

int vat_txn_commit(struct vat_txn *txn, bool keep, struct vat_error *err) {
	struct vat_region *region = txn->region;
	uint64_t generation = region->generation + 1;
	struct vat_disk_root root = {0};
	struct vat_directory directory;
	void *blob = NULL;
	int rc = vat_region_check_writer(region, err);
	if (rc == 0 && field_count(txn) > VAT_DIRECTORY_FIELDS_MAX)
		rc = vat_fail(err, ENOSPC, "region '%s': its cells have more than %u fields",
			region->info.name, VAT_DIRECTORY_FIELDS_MAX);
	if (rc == 0 && !(blob = encode(txn, &root)))
		rc = vat_fail(err, ENOMEM, "region '%s': no memory for a directory of %zu cells",
			region->info.name, txn->count);
	if (rc == 0 && txn->count > 0)
		rc = vat_space_take(
			&txn->space, region, root.size, VAT_GRAIN, true, &root.offset, err);
	if (rc != 0)
		goto error;
	root.checksum = vat_checksum(blob, root.size);
	root.self = vat_checksum(&root, offsetof(struct vat_disk_root, self));
	/* Nothing is committed that a reader would refuse. */
	rc = vat_directory_parse(&region->info, region->size, &root, blob, &directory, err);
	if (rc < 0)
		goto error;

	struct vat_disk_header *header = vat_header(region);
	/* From here on the other root is this generation's, and no previous one is promised. */
	vat_put_word(&header->words[VAT_KEPT], keep ? generation : 0);
	if (root.size > 0)
		vat_put(region->base + root.offset, blob, root.size);
	vat_put(&header->roots[generation & 1], &root, sizeof(root));
	vat_put_word(&header->words[VAT_GENERATION], generation);

	struct vat_directory old = region->directory;
	region->directory = directory;
	region->generation = generation;
	txn_destroy(txn);
	if (!vat_shadow_keep(region, &old))
		vat_directory_finish(&old);
	if (!keep)
		vat_region_release(region);
	return 0;

error:
	free(blob);
	vat_txn_abort(txn);
	return rc;
}

static int begin_roots(struct vat_region *region, struct vat_error *err) {
	int rc = vat_region_check_writer(region, err);
	if (rc < 0)
		return rc;
	if (region->barrier)
		return vat_fail(err, EBUSY, "region '%s' is under a write barrier; end it first",
			region->info.name);
	return vat_region_refresh(region, err);
}

int vat_region_forget_previous(struct vat_region *region, struct vat_error *err) {
	int rc = begin_roots(region, err);
	if (rc < 0)
		return rc;
	vat_put_word(&vat_header(region)->words[VAT_KEPT], 0);
	vat_region_release(region);
	return 0;
}

int vat_region_rollback(struct vat_region *region, struct vat_error *err) {
	int rc = begin_roots(region, err);
	if (rc < 0)
		return rc;
	if (!vat_region_has_previous(region))
		return vat_fail(err, ENOENT, "region '%s': no generation before is kept",
			region->info.name);
	struct vat_directory previous;
	rc = vat_region_load_previous(region, &previous, err);
	if (rc < 0)
		return rc;
	uint64_t generation = region->generation + 1;
	vat_put_word(&vat_header(region)->words[VAT_GENERATION], generation);
	vat_directory_finish(&region->directory);
	region->directory = previous;
	region->generation = generation;
	vat_region_release(region);
	return 0;
}

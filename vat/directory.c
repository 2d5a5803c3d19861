/* SPDX-License-Identifier: MIT */
/* Reading directories. Nothing here trusts a byte of the region. */
#include <stdlib.h>

#include "internal.h"

int vat_root_check(const struct vat_disk_root *root, uint64_t generation, struct vat_error *err) {
	if (root->self != vat_checksum(root, offsetof(struct vat_disk_root, self)))
		return vat_fail(err, EBADMSG, "region: the root of generation %llu is damaged",
			(unsigned long long)generation);
	/* A rollback makes an older root current again under a newer number. */
	if (root->generation > generation || ((root->generation ^ generation) & 1))
		return vat_fail(err, EBADMSG,
			"region: the root of generation %llu says that it is of generation %llu",
			(unsigned long long)generation, (unsigned long long)root->generation);
	return 0;
}

static int check_cell(const struct vat_region_info *info, const struct vat_disk_root *root,
	uint64_t region_size, const struct vat_disk_cell *disk, size_t index,
	const struct vat_stored_field *fields, struct vat_cell *cell, struct vat_error *err) {
	if (!memchr(disk->name, 0, sizeof(disk->name)) || !vat_name_valid(disk->name) ||
		!memchr(disk->scope, 0, sizeof(disk->scope)) ||
		(disk->scope[0] && !vat_name_valid(disk->scope)))
		return vat_fail(err, EBADMSG, "region: cell number %zu has no valid name", index);
	char label[VAT_LABEL_SIZE];
	vat_cell_label(disk->name, disk->scope, disk->element, label, sizeof(label));

	struct vat_key key =
		vat_state_key(&info->city, &info->tile, disk->name, disk->scope, disk->element);
	if (!vat_key_equal(&key, &disk->key))
		return vat_fail(
			err, EBADMSG, "cell '%s': the key does not belong to the name", label);
	if (disk->stride == 0 || disk->count > VAT_REGION_MAX / disk->stride ||
		disk->count * disk->stride > disk->size)
		return vat_fail(err, EBADMSG,
			"cell '%s': %llu elements of %u bytes do not fit into %llu bytes", label,
			(unsigned long long)disk->count, disk->stride,
			(unsigned long long)disk->size);
	if (disk->offset < VAT_PAGE || disk->size > region_size ||
		disk->offset > region_size - disk->size)
		return vat_fail(err, EBADMSG, "cell '%s' lies outside of the region", label);
	if (disk->align < VAT_GRAIN || disk->align > VAT_PAGE ||
		(disk->align & (disk->align - 1)) || disk->offset % disk->align)
		return vat_fail(
			err, EBADMSG, "cell '%s' is not aligned to %u bytes", label, disk->align);
	if (!vat_reset_policy_name(disk->reset) ||
		(disk->flags & ~(uint32_t)(VAT_CELL_DECLARED | VAT_CELL_ORPHAN)))
		return vat_fail(err, EBADMSG, "cell '%s': unknown policy %u or flags %#x", label,
			disk->reset, disk->flags);
	if (disk->born > root->generation)
		return vat_fail(err, EBADMSG, "cell '%s' is newer than its directory", label);
	if (disk->field_count == 0 || disk->field_count > VAT_FIELDS_MAX ||
		disk->first_field > root->fields ||
		disk->field_count > root->fields - disk->first_field)
		return vat_fail(
			err, EBADMSG, "cell '%s': its fields lie outside of the directory", label);

	*cell = (struct vat_cell){
		.key = disk->key,
		.element = disk->element,
		.count = disk->count,
		.offset = disk->offset,
		.size = disk->size,
		.born = disk->born,
		.stride = disk->stride,
		.align = disk->align,
		.version = disk->version,
		.reset = disk->reset,
		.flags = disk->flags,
		.key_field = disk->key_field,
		.field_count = disk->field_count,
		.fields = fields + disk->first_field,
	};
	memcpy(cell->name, disk->name, sizeof(cell->name));
	memcpy(cell->scope, disk->scope, sizeof(cell->scope));
	int rc = vat_fields_check(
		cell->fields, cell->field_count, cell->stride, cell->key_field, label, err);
	return rc == -EINVAL ? -EBADMSG : rc;
}

static int cell_by_offset(const void *a, const void *b) {
	const struct vat_cell *const *x = a, *const *y = b;
	return ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

static int cell_by_key(const void *a, const void *b) {
	const struct vat_cell *const *x = a, *const *y = b;
	return memcmp((*x)->key.bytes, (*y)->key.bytes, sizeof((*x)->key.bytes));
}

static int check_together(const struct vat_directory *directory, struct vat_error *err) {
	size_t n = directory->cell_count;
	const struct vat_cell **order = calloc(n ? n : 1, sizeof(*order));
	if (!order)
		return vat_fail(err, ENOMEM, "region: out of memory");
	for (size_t i = 0; i < n; i++)
		order[i] = &directory->cells[i];

	int rc = 0;
	qsort(order, n, sizeof(*order), cell_by_offset);
	uint64_t end = VAT_PAGE;
	const char *before = "the header";
	const struct vat_disk_root *root = &directory->root;
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct vat_cell *cell = order[i];
		if (cell->offset < end)
			rc = vat_fail(err, EBADMSG, "cell '%s' overlaps %s", cell->name, before);
		else if (cell->offset < root->offset + root->size &&
			root->offset < cell->offset + cell->size)
			rc = vat_fail(err, EBADMSG, "cell '%s' overlaps the directory", cell->name);
		end = cell->offset + cell->size;
		before = cell->name;
	}
	qsort(order, n, sizeof(*order), cell_by_key);
	for (size_t i = 1; i < n && rc == 0; i++) {
		if (vat_key_equal(&order[i - 1]->key, &order[i]->key))
			rc = vat_fail(err, EBADMSG, "cell '%s' is there twice", order[i]->name);
	}
	free(order);
	return rc;
}

int vat_directory_parse(const struct vat_region_info *info, uint64_t region_size,
	const struct vat_disk_root *root, void *blob, struct vat_directory *directory,
	struct vat_error *err) {
	const struct vat_disk_cell *disk = blob;
	const struct vat_stored_field *fields = (const void *)(disk + root->cells);
	struct vat_directory out = {.root = *root, .cell_count = root->cells};
	out.cells = calloc(root->cells ? root->cells : 1, sizeof(*out.cells));
	if (!out.cells)
		return vat_fail(err, ENOMEM, "region: out of memory");
	for (size_t i = 0; i < out.cell_count; i++) {
		int rc = check_cell(
			info, root, region_size, &disk[i], i, fields, &out.cells[i], err);
		if (rc < 0) {
			free(out.cells);
			return rc;
		}
	}
	int rc = check_together(&out, err);
	if (rc < 0) {
		free(out.cells);
		return rc;
	}
	out.blob = blob;
	*directory = out;
	return 0;
}

int vat_directory_read(const struct vat_region_info *info, uint64_t region_size,
	const struct vat_disk_root *from, uint64_t generation,
	int (*read)(void *data, void *to, uint64_t size, uint64_t at), void *data,
	struct vat_directory *directory, struct vat_error *err) {
	struct vat_disk_root root = *from;
	int rc = vat_root_check(&root, generation, err);
	if (rc < 0)
		return rc;
	if (root.cells > VAT_CELLS_MAX || root.fields > VAT_DIRECTORY_FIELDS_MAX ||
		root.size !=
			root.cells * sizeof(struct vat_disk_cell) +
				root.fields * sizeof(struct vat_stored_field))
		return vat_fail(err, EBADMSG,
			"region: the directory of generation %llu has impossible sizes",
			(unsigned long long)generation);
	if (root.size > 0 &&
		(root.offset < VAT_PAGE || root.offset % VAT_GRAIN || root.size > region_size ||
			root.offset > region_size - root.size))
		return vat_fail(err, EBADMSG,
			"region: the directory of generation %llu lies outside of the region",
			(unsigned long long)generation);

	void *blob = calloc(1, root.size + 1);
	if (!blob)
		return vat_fail(err, ENOMEM, "region: out of memory");
	rc = root.size > 0 ? read(data, blob, root.size, root.offset) : 0;
	if (rc < 0)
		rc = vat_fail(err, -rc, "region: the directory of generation %llu: %s",
			(unsigned long long)generation, strerror(-rc));
	else if (vat_checksum(blob, root.size) != root.checksum)
		rc = vat_fail(err, EBADMSG, "region: the directory of generation %llu is damaged",
			(unsigned long long)generation);
	else
		rc = vat_directory_parse(info, region_size, &root, blob, directory, err);
	if (rc < 0)
		free(blob);
	return rc;
}

static int read_mapping(void *data, void *to, uint64_t size, uint64_t at) {
	const struct vat_region *region = data;
	memcpy(to, region->base + at, size);
	return 0;
}

int vat_directory_load(const struct vat_region *region, uint64_t generation,
	struct vat_directory *directory, struct vat_error *err) {
	return vat_directory_read(&region->info, region->size,
		&vat_header(region)->roots[generation & 1], generation, read_mapping,
		(void *)region, directory, err);
}

void vat_directory_finish(struct vat_directory *directory) {
	free(directory->cells);
	free(directory->blob);
	*directory = (struct vat_directory){0};
}

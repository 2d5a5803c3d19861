/* SPDX-License-Identifier: MIT */
/*
 * Where there is room in a region. There is no free list that could be torn: what is used follows
 * from the directories, and what is not used is free.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "internal.h"

uint64_t vat_space_round(uint64_t size) {
	/* From a page on, a cell has its pages for itself: the write barrier works in pages. */
	uint64_t unit = size >= VAT_PAGE ? VAT_PAGE : VAT_GRAIN;
	return size ? (size + unit - 1) & ~(unit - 1) : unit;
}

int vat_space_add(struct vat_space *space, uint64_t start, uint64_t size) {
	if (size == 0)
		return 0;
	if (space->count == space->capacity) {
		size_t capacity = space->capacity ? space->capacity * 2 : 64;
		void *used = realloc(space->used, capacity * sizeof(*space->used));
		if (!used)
			return -ENOMEM;
		space->used = used;
		space->capacity = capacity;
	}
	/* Kept in order: mostly these come in order, or nearly so. */
	size_t i = space->count++;
	while (i > 0 && space->used[i - 1].start > start) {
		space->used[i] = space->used[i - 1];
		i--;
	}
	space->used[i] = (struct vat_extent){start, start + size};
	return 0;
}

int vat_space_add_directory(struct vat_space *space, const struct vat_directory *directory) {
	int rc = vat_space_add(
		space, directory->root.offset, directory->cell_count ? directory->root.size : 0);
	for (size_t i = 0; i < directory->cell_count && rc == 0; i++)
		rc = vat_space_add(space, directory->cells[i].offset, directory->cells[i].size);
	return rc;
}

static int refused(
	const struct vat_region *region, uint64_t size, int code, struct vat_error *err) {
	return vat_fail(err, code, "region '%s': no memory for %llu more bytes: %s",
		region->info.name, (unsigned long long)size, strerror(code));
}

/* Whole pages lose their memory, and are zero then. */
static int clear(struct vat_region *region, uint64_t first, uint64_t size, struct vat_error *err) {
	int rc, code = vat_hooks.refuse ? vat_hooks.refuse(first, size) : 0;
	if (code)
		return refused(region, size, code, err);
	if (region->shadow) {
		memset(region->base + first, 0, size);
		return 0;
	}
	do {
		rc = fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)first,
			(off_t)size);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? refused(region, size, errno, err) : 0;
}

/* Whole pages get theirs. */
static int fill(struct vat_region *region, uint64_t first, uint64_t size, struct vat_error *err) {
	int rc;
	if (region->shadow)
		return 0; /* it has it since it was cleared */
	do {
		rc = fallocate(region->fd, 0, (off_t)first, (off_t)size);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? refused(region, size, errno, err) : 0;
}

/* Makes sure that [offset, offset + size) is zero, and backed by memory if populate. */
static int prepare(struct vat_region *region, uint64_t offset, uint64_t size, bool populate,
	struct vat_error *err) {
	uint64_t first = (offset + VAT_PAGE - 1) & ~(uint64_t)(VAT_PAGE - 1);
	uint64_t last = (offset + size) & ~(uint64_t)(VAT_PAGE - 1);
	int rc = 0;
	if (first < last) {
		rc = clear(region, first, last - first, err);
	} else {
		int code = vat_hooks.refuse ? vat_hooks.refuse(offset, size) : 0;
		if (code)
			rc = refused(region, size, code, err);
		first = last = offset + size;
	}
	if (rc == 0 && populate) {
		uint64_t from = offset & ~(uint64_t)(VAT_PAGE - 1);
		uint64_t to = (offset + size + VAT_PAGE - 1) & ~(uint64_t)(VAT_PAGE - 1);
		rc = fill(region, from, to - from, err);
	}
	if (rc < 0)
		return rc;
	memset(region->base + offset, 0, first - offset);
	memset(region->base + last, 0, offset + size - last);
	return 0;
}

/* The first gap that is large enough. */
static uint64_t find_gap(const struct vat_space *space, uint64_t size, uint64_t align) {
	uint64_t at = space->floor > VAT_PAGE ? space->floor : VAT_PAGE;
	at = (at + align - 1) & ~(align - 1);
	for (size_t i = 0; i < space->count; i++) {
		if (space->used[i].end <= at)
			continue;
		if (space->used[i].start >= at && space->used[i].start - at >= size)
			break;
		at = (space->used[i].end + align - 1) & ~(align - 1);
	}
	return at;
}

int vat_space_reserve(struct vat_space *space, struct vat_region *region, uint64_t size,
	uint64_t limit, bool populate, uint64_t *offset, struct vat_error *err) {
	uint64_t at = find_gap(space, size, VAT_PAGE);
	if (at > VAT_REGION_MAX - size || (limit && at + size > limit))
		return refused(region, size, ENOSPC, err);
	int rc = vat_region_grow(region, at + size, err);
	if (rc == 0)
		rc = clear(region, at, size, err);
	if (rc == 0 && populate)
		rc = fill(region, at, size, err);
	if (rc == 0 && vat_space_add(space, at, size) < 0)
		rc = refused(region, size, ENOMEM, err);
	if (rc == 0)
		*offset = at;
	return rc;
}

int vat_region_make_room(struct vat_region *region, uint64_t size, struct vat_error *err) {
	struct vat_space space;
	int rc = vat_region_used_space(region, &space, err);
	if (rc < 0)
		return rc;
	size = (size + VAT_PAGE - 1) & ~(uint64_t)(VAT_PAGE - 1);
	uint64_t at = find_gap(&space, size, VAT_PAGE);
	vat_space_finish(&space);
	if (size > VAT_REGION_MAX || at > VAT_REGION_MAX - size)
		return refused(region, size, ENOMEM, err);
	return vat_region_grow(region, at + size, err);
}

int vat_space_take(struct vat_space *space, struct vat_region *region, uint64_t size,
	uint64_t align, bool populate, uint64_t *offset, struct vat_error *err) {
	size = vat_space_round(size);
	if (size >= VAT_PAGE)
		align = VAT_PAGE;
	else if (align < VAT_GRAIN)
		align = VAT_GRAIN;
	uint64_t at = find_gap(space, size, align);
	if (at > VAT_REGION_MAX - size)
		return refused(region, size, ENOMEM, err);
	int rc = vat_region_grow(region, at + size, err);
	if (rc == 0)
		rc = prepare(region, at, size, populate, err);
	if (rc == 0 && vat_space_add(space, at, size) < 0)
		rc = refused(region, size, ENOMEM, err);
	if (rc == 0)
		*offset = at;
	return rc;
}

void vat_space_release(struct vat_space *space, struct vat_region *region) {
	if (region->shadow)
		return; /* what a private copy takes goes with it */
	uint64_t at = space->floor > VAT_PAGE ? space->floor : VAT_PAGE;
	for (size_t i = 0; i <= space->count; i++) {
		uint64_t start = i < space->count ? space->used[i].start : region->size;
		uint64_t first = (at + VAT_PAGE - 1) & ~(uint64_t)(VAT_PAGE - 1);
		uint64_t last = start & ~(uint64_t)(VAT_PAGE - 1);
		/* Failing costs memory and nothing else: whoever takes the gap clears it first. */
		if (first < last)
			fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)first, (off_t)(last - first));
		if (i < space->count && space->used[i].end > at)
			at = space->used[i].end;
	}
}

void vat_space_finish(struct vat_space *space) {
	free(space->used);
	*space = (struct vat_space){0};
}

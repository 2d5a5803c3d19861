/* SPDX-License-Identifier: MIT */
/*
 * A private copy of a region that another process writes: made page by page, when a page is first
 * touched.
 *
 * The writer is under a barrier, so a page is in its log before it is written. Hence: copy the page
 * as it is, and only then look into the log. If it is there the image of the log is right, whatever
 * the copy caught; if it is not, nobody had written it when it was copied.
 */
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "undo.h"

#define SHADOWS_MAX 8
/* Bytes that one fault copies: fewer faults, and fewer splits of the mapping, which the system
 * limits. */
#define BLOCK (64ull << 10)

struct vat_shadow {
	uint8_t *base;
	uint64_t size;
	uint64_t block;	       /* a multiple of the system's page */
	const uint8_t *shared; /* the region as it is */
	struct vat_log log;
	_Atomic uint8_t *there; /* per block: copied */
	uint8_t *copy;		/* made beforehand, in place of both; not in its place yet */

	/* Once the copy has a layout of its own: that of the region, as it was given up. */
	bool changed;
	struct vat_directory directory;
	uint64_t generation;
};

static _Atomic(struct vat_shadow *) shadows[SHADOWS_MAX];

/* ---- In the signal handler ---- */

/* Blocks are touched by one thread at a time: only that of the tile works in its cells. */
static bool copy_block(struct vat_shadow *shadow, uint64_t index) {
	uint64_t start = index * shadow->block, end = start + shadow->block;
	if (atomic_load(&shadow->there[index]))
		return false; /* this is no fault of ours */
	if (end > shadow->size)
		end = shadow->size;
	if (mprotect(shadow->base + start, end - start, PROT_READ | PROT_WRITE) < 0)
		return false;
	memcpy(shadow->base + start, shadow->shared + start, end - start);
	vat_read_fence();
	const struct vat_log *log = &shadow->log;
	uint64_t next = __atomic_load_n(&log->header->next, __ATOMIC_ACQUIRE);
	for (uint64_t i = 0; i < next && i < log->pages; i++) {
		uint64_t entry = __atomic_load_n(&log->entries[i], __ATOMIC_ACQUIRE);
		/* 0: still being saved, and so not written yet. */
		uint64_t at = (entry - 1) * VAT_PAGE;
		if (entry > 0 && at >= start && at < end)
			memcpy(shadow->base + at, log->images + i * VAT_PAGE, VAT_PAGE);
	}
	atomic_store(&shadow->there[index], 1);
	return true;
}

bool vat_shadow_handle_fault(void *address) {
	for (size_t i = 0; i < SHADOWS_MAX; i++) {
		struct vat_shadow *shadow = atomic_load(&shadows[i]);
		uintptr_t offset = shadow ? (uintptr_t)address - (uintptr_t)shadow->base : 0;
		if (shadow && (uintptr_t)address >= (uintptr_t)shadow->base &&
			offset < shadow->size)
			return copy_block(shadow, offset / shadow->block);
	}
	return false;
}

/* ---- Outside of it ---- */

static void drop(struct vat_shadow *shadow) {
	for (size_t i = 0; i < SHADOWS_MAX; i++) {
		struct vat_shadow *mine = shadow;
		atomic_compare_exchange_strong(&shadows[i], &mine, NULL);
	}
	if (shadow->shared)
		munmap((void *)shadow->shared, shadow->size);
	if (shadow->copy)
		munmap(shadow->copy, shadow->size);
	vat_log_unmap(&shadow->log);
	vat_directory_finish(&shadow->directory);
	munmap(shadow, sizeof(*shadow) + shadow->size / shadow->block + 1);
}

static bool enter(struct vat_shadow *shadow) {
	for (size_t i = 0; i < SHADOWS_MAX; i++) {
		struct vat_shadow *none = NULL;
		if (atomic_compare_exchange_strong(&shadows[i], &none, shadow))
			return true;
	}
	return false;
}

int vat_shadow_begin(struct vat_region *region, int undo_fd, struct vat_error *err) {
	const char *name = region->info.name;
	if (region->shadow || region->barrier || region->in_txn || region->access != VAT_READ)
		return vat_fail(err, EBUSY,
			"region '%s': a private copy needs a mapping for reading only", name);
	long page = sysconf(_SC_PAGESIZE);
	uint64_t block = (uint64_t)page > BLOCK ? (uint64_t)page : BLOCK;
	uint64_t blocks = region->size / block + 1;
	struct vat_shadow *shadow = mmap(NULL, sizeof(*shadow) + blocks, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shadow == MAP_FAILED)
		return vat_fail(err, ENOMEM, "region '%s': no memory for a private copy", name);
	shadow->base = region->base;
	shadow->size = region->size;
	shadow->block = block;
	shadow->there = (_Atomic uint8_t *)(shadow + 1);
	struct vat_undo_header header;
	int rc = vat_log_open(undo_fd, &shadow->log, &header, err);
	if (rc == 0 && !vat_uuid_equal(&header.tile, &region->info.tile))
		rc = vat_fail(
			err, EINVAL, "undo log: it belongs to another region than '%s'", name);
	void *shared = rc == 0 ? mmap(NULL, region->size, PROT_READ, MAP_SHARED, region->fd, 0)
			       : MAP_FAILED;
	if (shared != MAP_FAILED)
		shadow->shared = shared;
	if (rc == 0 && (!shadow->shared || !enter(shadow)))
		rc = vat_fail(err, ENOMEM, "region '%s': no room for a private copy", name);
	/* In the place of what it is a copy of: whoever has pointers keeps them. */
	if (rc == 0 &&
		mmap(region->base, region->size, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
			0) == MAP_FAILED)
		rc = vat_fail(
			err, errno, "region '%s': no private copy: %s", name, strerror(errno));
	if (rc < 0) {
		drop(shadow);
		return rc;
	}
	region->shadow = shadow;
	region->access = VAT_WRITE;
	/* The log was armed when the successor had taken over: back to what this one gave up. */
	struct vat_disk_header *copy = vat_header(region);
	vat_put_word(&copy->words[VAT_KEPT], 0);
	vat_put_word(&copy->words[VAT_GENERATION], region->generation);
	if (region->epoch)
		vat_put_word(&copy->words[VAT_EPOCH], region->epoch);
	return 0;
}

/* What is not a hole of the region, as it is now. */
static int copy_all(const struct vat_region *region, uint8_t *copy, uint64_t limit) {
	uint64_t bytes = 0;
	off_t size = (off_t)region->size;
	for (off_t at = 0; at < size;) {
		off_t begin = lseek(region->fd, at, SEEK_DATA);
		if (begin < 0 || begin >= size)
			break;
		off_t end = lseek(region->fd, begin, SEEK_HOLE);
		at = end < 0 || end > size ? size : end;
		bytes += (uint64_t)(at - begin);
		if (bytes > limit)
			return -EFBIG;
		memcpy(copy + begin, region->base + begin, (size_t)(at - begin));
	}
	return 0;
}

int vat_shadow_copy(
	struct vat_region *region, uint64_t limit, struct vat_shadow **out, struct vat_error *err) {
	const char *name = region->info.name;
	uint64_t blocks = region->size / BLOCK + 1;
	struct vat_shadow *shadow = mmap(NULL, sizeof(*shadow) + blocks, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shadow == MAP_FAILED)
		return vat_fail(err, ENOMEM, "region '%s': no memory for a private copy", name);
	shadow->base = region->base;
	shadow->size = region->size;
	shadow->block = BLOCK;
	void *copy = mmap(NULL, region->size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int rc = copy == MAP_FAILED ? -ENOMEM : 0;
	if (rc == 0) {
		shadow->copy = copy;
		rc = copy_all(region, copy, limit);
	}
	if (rc < 0) {
		drop(shadow);
		return vat_fail(err, -rc, "region '%s': no private copy: %s", name, strerror(-rc));
	}
	*out = shadow;
	return 0;
}

int vat_shadow_begin_copied(
	struct vat_region *region, struct vat_shadow *shadow, struct vat_error *err) {
	const char *name = region->info.name;
	int rc = 0;
	if (region->shadow || region->barrier || region->in_txn || region->access != VAT_READ ||
		region->size != shadow->size)
		rc = vat_fail(err, EBUSY,
			"region '%s': a private copy needs a mapping for reading only", name);
	else if (mremap(shadow->copy, shadow->size, shadow->size, MREMAP_MAYMOVE | MREMAP_FIXED,
			 region->base) == MAP_FAILED)
		rc = vat_fail(
			err, errno, "region '%s': no private copy: %s", name, strerror(errno));
	if (rc < 0) {
		drop(shadow);
		return rc;
	}
	shadow->copy = NULL;
	region->shadow = shadow;
	region->access = VAT_WRITE;
	return 0;
}

void vat_shadow_drop_copy(struct vat_shadow *shadow) {
	if (shadow)
		drop(shadow);
}

void vat_shadow_drop(struct vat_region *region) {
	if (region->shadow) {
		drop(region->shadow);
		region->shadow = NULL;
	}
}

/* The region has its new generation already. */
bool vat_shadow_keep(struct vat_region *region, const struct vat_directory *directory) {
	struct vat_shadow *shadow = region->shadow;
	if (!shadow || shadow->changed)
		return false;
	shadow->changed = true;
	shadow->directory = *directory;
	shadow->generation = region->generation - 1;
	return true;
}

int vat_shadow_grow(struct vat_region *region, uint64_t size, struct vat_error *err) {
	if (size > region->reserved ||
		mmap(region->base + region->size, size - region->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return vat_fail(err, ENOMEM, "region '%s': its private copy cannot grow",
			region->info.name);
	region->size = size;
	return 0;
}

int vat_shadow_end(struct vat_region *region, struct vat_error *err) {
	struct vat_shadow *shadow = region->shadow;
	if (!shadow)
		return 0;
	uint64_t grown = region->size - shadow->size;
	if (mmap(region->base, shadow->size, PROT_READ, MAP_SHARED | MAP_FIXED, region->fd, 0) ==
			MAP_FAILED ||
		(grown > 0 &&
			mmap(region->base + shadow->size, grown, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
				0) == MAP_FAILED))
		return vat_fail(err, errno, "region '%s': cannot be mapped again: %s",
			region->info.name, strerror(errno));
	region->size = shadow->size;
	if (shadow->changed) {
		vat_directory_finish(&region->directory);
		region->directory = shadow->directory;
		region->generation = shadow->generation;
		shadow->directory = (struct vat_directory){0};
	}
	vat_shadow_drop(region);
	region->access = VAT_READ;
	return 0;
}

bool vat_shadow_active(const struct vat_region *region) {
	return region->shadow != NULL;
}

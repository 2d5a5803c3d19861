/* SPDX-License-Identifier: MIT */
/*
 * New cells, built beside the state that is in use. The version that runs may go on meanwhile: its
 * write barrier's log gives the state of the moment at which it was armed, and then the pages to
 * convert again. What is in use is only ever read here; what is written is mapped on its own.
 */
#include "build.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plan.h"
#include "undo.h"

/* Bytes of elements that are converted at a time. */
#define PIECE (64u * 1024)

/* One cell. */
struct built {
	struct vat_cell from, to; /* with fields of their own; to has its place */
	struct vat_move move;
	uint8_t *source; /* the pages of from */
	uint8_t *target; /* those of to */
	bool refused;	 /* by an edge; the cell starts anew */
	char reason[200];
	bool zero_stays; /* elements that are all zero give elements that are all zero */
};

struct vat_build {
	struct vat_region *region;
	uint64_t generation, epoch;
	unsigned flags;
	struct built *cells;
	size_t count;
	/* The log of the version that runs; slots[page] is 0, or 1 plus the place of its image. */
	struct vat_log log;
	uint32_t *slots;
	uint64_t seen;	/* entries before this one have been read */
	uint64_t again; /* bytes of new cells that were converted again */
};

/* ---- The log ---- */

static int open_log(struct vat_build *build, int fd, struct vat_error *err) {
	struct vat_region *region = build->region;
	struct vat_undo_header header;
	int rc = vat_log_open(fd, &build->log, &header, err);
	if (rc < 0)
		return rc;
	if (!vat_uuid_equal(&header.tile, &region->info.tile) ||
		header.pages * VAT_PAGE > region->size || header.generation != region->generation)
		return vat_fail(err, ESTALE, "region '%s': the log is not of the state as it is",
			region->info.name);
	build->slots = mmap(NULL, header.pages * sizeof(*build->slots), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (build->slots == MAP_FAILED) {
		build->slots = NULL;
		return vat_fail(err, ENOMEM, "region '%s': out of memory", region->info.name);
	}
	return 0;
}

/* Entries are given out in order, and may be filled in out of it. */
static void read_log(struct vat_build *build) {
	const struct vat_log *log = &build->log;
	uint64_t next = __atomic_load_n(&log->header->next, __ATOMIC_ACQUIRE);
	bool whole = true;
	for (uint64_t i = build->seen; i < next && i < log->pages; i++) {
		uint64_t page = __atomic_load_n(&log->entries[i], __ATOMIC_ACQUIRE);
		whole = whole && page != 0;
		if (whole)
			build->seen = i + 1;
		if (page != 0 && page <= log->pages && build->slots[page - 1] == 0)
			build->slots[page - 1] = (uint32_t)i + 1;
	}
}

static bool has_ended(const struct vat_build *build) {
	return __atomic_load_n(&build->log.header->ended, __ATOMIC_ACQUIRE) != 0;
}

/* What was copied from [start, start + size) of the region becomes what was there when the barrier
 * was armed: a page is not written before its image is in the log. */
static void go_back(struct vat_build *build, uint8_t *copy, uint64_t start, uint64_t size) {
	vat_read_fence();
	read_log(build);
	for (uint64_t page = start / VAT_PAGE; page * VAT_PAGE < start + size; page++) {
		uint32_t slot = page < build->log.pages ? build->slots[page] : 0;
		if (slot == 0)
			continue;
		uint64_t from = page * VAT_PAGE, to = from + VAT_PAGE;
		if (from < start)
			from = start;
		if (to > start + size)
			to = start + size;
		memcpy(copy + (from - start),
			build->log.images + (slot - 1ull) * VAT_PAGE + from % VAT_PAGE, to - from);
	}
}

/* ---- Converting ---- */

static bool all_zero(const uint8_t *data, size_t size) {
	return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

static uint64_t page_of(uint64_t offset) {
	return offset & ~(uint64_t)(VAT_PAGE - 1);
}

static uint8_t *source_of(const struct built *cell) {
	return cell->source + cell->from.offset % VAT_PAGE;
}

static uint8_t *target_of(const struct built *cell) {
	return cell->target + cell->to.offset % VAT_PAGE;
}

static uint64_t piece_of(const struct built *cell) {
	uint32_t stride = cell->from.stride > cell->to.stride ? cell->from.stride : cell->to.stride;
	return stride < PIECE ? PIECE / stride : 1;
}

/* Where nothing was ever written there is nothing to be read: a mapping would fill the hole. */
static int read_sparse(const struct vat_build *build, const struct built *cell, uint8_t *to,
	uint64_t first, uint64_t n, struct vat_error *err) {
	int rc = vat_read_all(build->region->fd, to, n * cell->from.stride,
		cell->from.offset + first * cell->from.stride);
	return rc < 0 ? vat_fail(err, -rc, "cell '%s': cannot be read: %s", cell->from.name,
				strerror(-rc))
		      : 0;
}

/* All elements, as they were at the log's beginning. */
static int convert(struct vat_build *build, struct built *cell, struct vat_error *err) {
	bool sparse = cell->from.flags & VAT_CELL_SPARSE;
	bool copies = sparse || build->slots;
	uint64_t end = cell->move.elements;
	uint64_t piece = piece_of(cell);
	size_t from_stride = cell->from.stride, to_stride = cell->to.stride;
	uint8_t *in = copies ? malloc(piece * from_stride) : NULL;
	uint8_t *out = sparse ? malloc(piece * to_stride) : NULL;
	int rc = (copies && !in) || (sparse && !out)
		? vat_fail(err, ENOMEM, "cell '%s': out of memory", cell->to.name)
		: 0;
	for (uint64_t i = 0; i < end && rc == 0; i += piece) {
		uint64_t n = end - i < piece ? end - i : piece;
		const uint8_t *from = source_of(cell) + i * from_stride;
		if (sparse)
			rc = read_sparse(build, cell, in, i, n, err);
		else if (copies)
			memcpy(in, from, n * from_stride);
		if (build->slots)
			go_back(build, in, cell->from.offset + i * from_stride, n * from_stride);
		if (copies)
			from = in;
		uint8_t *to = target_of(cell) + i * to_stride;
		if (rc == 0 && !sparse) {
			rc = vat_route_run(cell->move.route, from, to, n, i, &cell->from, err);
			continue;
		}
		/* Memory that is zero and stays so is not touched. */
		if (rc < 0 || (cell->zero_stays && all_zero(from, n * from_stride)))
			continue;
		memset(out, 0, n * to_stride);
		rc = vat_route_run(cell->move.route, from, out, n, i, &cell->from, err);
		if (rc == 0 && !all_zero(out, n * to_stride))
			memcpy(to, out, n * to_stride);
	}
	free(in);
	free(out);
	return rc;
}

/* Whether zeros give zeros; not asked where a function would have to be called for it. */
static bool try_zero(const struct built *cell) {
	if (cell->move.route->calls)
		return false;
	uint8_t *in = calloc(1, cell->from.stride), *out = calloc(1, cell->to.stride);
	bool zero = in && out &&
		vat_route_run(cell->move.route, in, out, 1, 0, &cell->from, NULL) == 0 &&
		all_zero(out, cell->to.stride);
	free(in);
	free(out);
	return zero;
}

static int fill(struct vat_build *build, struct built *cell, struct vat_error *err) {
	if (cell->move.way != VAT_MOVE_ALONG)
		return vat_move_run_at(
			&cell->move, source_of(cell), target_of(cell), &cell->from, &cell->to, err);
	cell->zero_stays = try_zero(cell);
	int rc = convert(build, cell, err);
	if (rc == 0 && cell->move.elements < cell->to.count)
		vat_plan_run(cell->move.fresh, NULL,
			target_of(cell) + cell->move.elements * cell->to.stride,
			cell->to.count - cell->move.elements);
	return rc;
}

/* What an edge refuses starts anew, if that is how it shall be. */
static int refused(struct vat_build *build, struct built *cell, int rc, struct vat_error *why,
	struct vat_error *err) {
	if (rc == -EUCLEAN && (build->flags & VAT_ADOPT_MERGE)) {
		cell->refused = true;
		snprintf(cell->reason, sizeof(cell->reason), "%.*s", (int)sizeof(cell->reason) - 1,
			why->text);
		return 0;
	}
	if (rc < 0 && err)
		*err = *why;
	return rc;
}

/* Elements that differ from what they were converted from, collected to be converted together. */
struct batch {
	struct vat_build *build;
	struct built *cell;
	uint8_t *in, *out;
	uint64_t *places;
	uint64_t count, size;
	uint64_t next; /* none before this one is looked at again */
};

static int run_batch(struct batch *batch, struct vat_error *err) {
	const struct built *cell = batch->cell;
	size_t from_stride = cell->from.stride, to_stride = cell->to.stride;
	memset(batch->out, 0, batch->count * to_stride);
	int rc = vat_route_run(
		cell->move.route, batch->in, batch->out, batch->count, 0, &cell->from, err);
	/* One by one, so that the right one is named. */
	for (uint64_t i = 0; rc == -EUCLEAN && i < batch->count; i++) {
		if (vat_route_run(cell->move.route, batch->in + i * from_stride, batch->out, 1,
			    batch->places[i], &cell->from, err) < 0)
			return rc;
	}
	for (uint64_t i = 0; rc == 0 && i < batch->count; i++)
		memcpy(target_of(cell) + batch->places[i] * to_stride, batch->out + i * to_stride,
			to_stride);
	batch->build->again += batch->count * to_stride;
	batch->count = 0;
	return rc;
}

static int add_to_batch(struct batch *batch, uint64_t place, struct vat_error *err) {
	const struct built *cell = batch->cell;
	uint8_t *in = batch->in + batch->count * cell->from.stride;
	int rc = 0;
	if (cell->from.flags & VAT_CELL_SPARSE)
		rc = read_sparse(batch->build, cell, in, place, 1, err);
	else
		memcpy(in, source_of(cell) + place * cell->from.stride, cell->from.stride);
	batch->places[batch->count++] = place;
	batch->next = place + 1;
	return rc == 0 && batch->count == batch->size ? run_batch(batch, err) : rc;
}

/* Bytes that are compared at once, before single elements are. */
#define COMPARED 256

/* A page of the cell from byte a to byte b of its elements, and what was there before. */
static int compare_page(struct batch *batch, const uint8_t *now, const uint8_t *was, uint64_t a,
	uint64_t b, struct vat_error *err) {
	uint32_t stride = batch->cell->from.stride;
	int rc = 0;
	for (uint64_t at = a; at < b && rc == 0; at += COMPARED) {
		uint64_t end = b - at < COMPARED ? b : at + COMPARED;
		if (memcmp(now + (at - a), was + (at - a), end - at) == 0)
			continue;
		uint64_t i = at / stride > batch->next ? at / stride : batch->next;
		for (; i * stride < end && rc == 0; i++) {
			uint64_t first = i * stride > at ? i * stride : at;
			uint64_t last = (i + 1) * stride < end ? (i + 1) * stride : end;
			if (memcmp(now + (first - a), was + (first - a), last - first) != 0)
				rc = add_to_batch(batch, i, err);
		}
	}
	return rc;
}

static int compare_pages(struct batch *batch, struct vat_error *err) {
	const struct vat_build *build = batch->build;
	const struct built *cell = batch->cell;
	uint64_t start = cell->from.offset;
	uint64_t end = start + cell->move.elements * cell->from.stride;
	int rc = 0;
	for (uint64_t page = start / VAT_PAGE;
		rc == 0 && page * VAT_PAGE < end && page < build->log.pages; page++) {
		uint32_t slot = build->slots[page];
		if (slot == 0)
			continue;
		uint64_t a = page * VAT_PAGE > start ? page * VAT_PAGE : start;
		uint64_t b = (page + 1) * VAT_PAGE < end ? (page + 1) * VAT_PAGE : end;
		rc = compare_page(batch, cell->source + (a - page_of(start)),
			build->log.images + (slot - 1ull) * VAT_PAGE + a % VAT_PAGE, a - start,
			b - start, err);
	}
	return rc == 0 && batch->count > 0 ? run_batch(batch, err) : rc;
}

/* The elements that were written since: those that differ, on pages that were. */
static int convert_again(struct vat_build *build, struct built *cell, struct vat_error *err) {
	struct batch batch = {.build = build, .cell = cell, .size = piece_of(cell)};
	batch.in = malloc(batch.size * cell->from.stride);
	batch.out = malloc(batch.size * cell->to.stride);
	batch.places = calloc(batch.size, sizeof(*batch.places));
	int rc = batch.in && batch.out && batch.places
		? compare_pages(&batch, err)
		: vat_fail(err, ENOMEM, "cell '%s': out of memory", cell->to.name);
	free(batch.in);
	free(batch.out);
	free(batch.places);
	return rc;
}

int vat_build_catch_up(struct vat_build *build, struct vat_error *err) {
	if (!build->slots)
		return 0;
	read_log(build);
	int rc = 0;
	for (size_t i = 0; i < build->count && rc == 0; i++) {
		struct vat_error why;
		if (!build->cells[i].refused)
			rc = refused(build, &build->cells[i],
				convert_again(build, &build->cells[i], &why), &why, err);
	}
	return rc;
}

/* ---- Places ---- */

static void *map(const struct vat_region *region, uint64_t offset, uint64_t size, bool write) {
	uint64_t start = page_of(offset);
	return mmap(NULL, offset + size - start, write ? PROT_READ | PROT_WRITE : PROT_READ,
		MAP_SHARED | (write ? MAP_POPULATE : 0), region->fd, (off_t)start);
}

static void unmap(void *at, uint64_t offset, uint64_t size) {
	if (at)
		munmap(at, offset + size - page_of(offset));
}

static int place(struct vat_build *build, struct vat_space *space, struct built *cell,
	struct vat_error *err) {
	struct vat_region *region = build->region;
	struct vat_cell *to = &cell->to;
	uint64_t size = to->count * to->stride;
	bool sparse = to->flags & VAT_CELL_SPARSE;
	/* Pages of its own, so that nobody else writes to them: what is to be zero around it is. */
	uint64_t take = vat_space_round(size < VAT_PAGE ? VAT_PAGE : size);
	uint64_t limit = build->slots ? build->log.pages * VAT_PAGE : 0;
	int rc = vat_space_reserve(space, region, take, limit, !sparse, &to->offset, err);
	if (rc < 0)
		return rc;
	to->size = vat_space_round(size);
	to->born = build->generation + 1;
	void *target = map(region, to->offset, to->size, !sparse);
	if (target != MAP_FAILED && sparse)
		mprotect(target, to->size, PROT_READ | PROT_WRITE);
	void *source = map(region, cell->from.offset, cell->from.size, false);
	cell->target = target == MAP_FAILED ? NULL : target;
	cell->source = source == MAP_FAILED ? NULL : source;
	if (!cell->target || !cell->source)
		return vat_fail(err, ENOMEM, "cell '%s': cannot be mapped", to->name);
	return 0;
}

/* ---- Making ---- */

static struct vat_stored_field *copy_fields(struct vat_cell *cell) {
	struct vat_stored_field *fields = calloc(cell->field_count + 1, sizeof(*fields));
	if (fields)
		memcpy(fields, cell->fields, cell->field_count * sizeof(*fields));
	cell->fields = fields;
	return fields;
}

static void built_finish(struct built *cell) {
	vat_move_finish(&cell->move);
	unmap(cell->source, cell->from.offset, cell->from.size);
	unmap(cell->target, cell->to.offset, cell->to.size);
	free((void *)cell->from.fields);
	free((void *)cell->to.fields);
}

/* Adds the cell if it has to be built and can be. */
static int add(struct vat_build *build, const struct vat_cell_decl *decl,
	const struct vat_terms *terms, struct vat_error *err) {
	struct vat_region *region = build->region;
	const struct vat_cell *from =
		vat_region_find(region, decl->name, decl->scope, decl->element);
	if (!from || vat_adopt_clears(decl, build->flags))
		return 0;
	struct built *cell = &build->cells[build->count];
	struct vat_stored_field *fields = calloc(decl->field_count, sizeof(*fields));
	if (!fields)
		return vat_fail(err, ENOMEM, "cell '%s': out of memory", decl->name);
	vat_cell_from_decl(&region->info, decl, &cell->to, fields);
	cell->from = *from;
	bool copied = copy_fields(&cell->from) && copy_fields(&cell->to);
	free(fields);
	build->count++;
	if (!copied)
		return vat_fail(err, ENOMEM, "cell '%s': out of memory", decl->name);
	struct vat_change change;
	int rc = vat_move_init(&cell->move, region, &cell->from, &cell->to, terms, &change, err);
	enum vat_outcome outcome = change.outcome;
	vat_change_finish(&change);
	/* Which elements stay of fewer is seen when they do not change any more. */
	bool fewer = cell->to.count < cell->from.count;
	if (rc < 0 || outcome != VAT_MIGRATED || (build->slots && fewer)) {
		built_finish(cell);
		*cell = (struct built){0};
		build->count--;
	}
	return rc;
}

int vat_build_begin(struct vat_region *region, const struct vat_lineage *lineage,
	const struct vat_lineage *older, unsigned flags, int log_fd, struct vat_build **out,
	struct vat_error *err) {
	const char *name = region->info.name;
	int rc = vat_lineage_check(lineage, err);
	if (rc == 0 && older)
		rc = vat_lineage_check(older, err);
	if (rc == 0)
		rc = vat_region_refresh(region, err);
	if (rc < 0)
		return rc;
	struct vat_build *build = calloc(1, sizeof(*build));
	if (!build)
		return vat_fail(err, ENOMEM, "region '%s': out of memory", name);
	build->region = region;
	build->generation = region->generation;
	build->epoch = vat_region_epoch(region);
	build->flags = flags;
	const struct vat_terms terms = {
		.lineage = lineage, .older = older, .flags = vat_adopt_change_flags(flags)};
	struct vat_space space = {0};
	struct vat_cell_decl *decls = NULL;
	if (log_fd >= 0)
		rc = open_log(build, log_fd, err);
	if (rc == 0) {
		build->cells = calloc(lineage->cell_count + 1, sizeof(*build->cells));
		decls = vat_adopt_fit_counts(region, lineage->cells, lineage->cell_count);
		if (!build->cells || !decls)
			rc = vat_fail(err, ENOMEM, "region '%s': out of memory", name);
	}
	if (rc == 0)
		rc = vat_region_used_space(region, &space, err);
	for (size_t i = 0; i < lineage->cell_count && rc == 0; i++)
		rc = add(build, &decls[i], &terms, err);
	for (size_t i = 0; i < build->count && rc == 0; i++)
		rc = place(build, &space, &build->cells[i], err);
	for (size_t i = 0; i < build->count && rc == 0; i++) {
		struct vat_error why;
		rc = refused(
			build, &build->cells[i], fill(build, &build->cells[i], &why), &why, err);
	}
	if (rc == 0 && build->slots && has_ended(build))
		rc = vat_fail(
			err, ESTALE, "region '%s': its state was not tracked to the end", name);
	vat_space_finish(&space);
	free(decls);
	if (rc < 0 || build->count == 0) {
		vat_build_destroy(build);
		build = NULL;
	}
	*out = build;
	return rc;
}

void vat_build_destroy(struct vat_build *build) {
	if (!build)
		return;
	for (size_t i = 0; i < build->count; i++)
		built_finish(&build->cells[i]);
	free(build->cells);
	if (build->slots)
		munmap(build->slots, build->log.pages * sizeof(*build->slots));
	vat_log_unmap(&build->log);
	free(build);
}

/* ---- Using ---- */

void vat_build_stats(const struct vat_build *build, uint64_t *bytes, uint64_t *again) {
	*bytes = 0;
	for (size_t i = 0; i < build->count; i++)
		*bytes += build->cells[i].to.count * build->cells[i].to.stride;
	*again = build->again;
}

bool vat_build_is_current(const struct vat_build *build) {
	if (build->slots &&
		__atomic_load_n(&build->log.header->ended, __ATOMIC_ACQUIRE) == VAT_LOG_LOST)
		return false;
	return vat_region_get(build->region, VAT_GENERATION) == build->generation &&
		vat_region_epoch(build->region) == build->epoch;
}

uint64_t vat_build_generation(const struct vat_build *build) {
	return build->generation;
}

static const struct built *find(const struct vat_build *build, const struct vat_cell *cell) {
	for (size_t i = 0; build && i < build->count; i++) {
		if (vat_key_equal(&build->cells[i].to.key, &cell->key))
			return &build->cells[i];
	}
	return NULL;
}

bool vat_build_take(const struct vat_build *build, struct vat_cell *cell) {
	const struct built *built = find(build, cell);
	if (!built || built->refused || built->to.count != cell->count ||
		!vat_cell_same_shape(&built->to, cell))
		return false;
	cell->offset = built->to.offset;
	cell->size = built->to.size;
	cell->born = built->to.born;
	return true;
}

const char *vat_build_refusal(const struct vat_build *build, const struct vat_cell *cell) {
	const struct built *built = find(build, cell);
	return built && built->refused ? built->reason : NULL;
}

int vat_build_claim(const struct vat_build *build, struct vat_space *space) {
	int rc = 0;
	for (size_t i = 0; build && i < build->count && rc == 0; i++) {
		const struct vat_cell *to = &build->cells[i].to;
		rc = vat_space_add(space, to->offset, to->size < VAT_PAGE ? VAT_PAGE : to->size);
	}
	return rc;
}

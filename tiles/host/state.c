/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "source-city-tile-v1-client-protocol.h"

/* The tile's clock goes on where the region's stopped. The offset is rounded up to whole steps, so
 * that every version finds the very same one and no time is lost in a handover. */
#define CLOCK_STEP (1ull << 32)

static void set_clock(struct host *host) {
	host->clock_offset = 0;
	uint64_t stopped = vat_region_get(host->region, VAT_CLOCK);
	uint64_t now = host_now(host);
	if (stopped > now) {
		host->clock_offset = (stopped - now + CLOCK_STEP - 1) & ~(CLOCK_STEP - 1);
	}
}

/* report: what adopting did; NULL when it is only the places that may have changed. */
static bool find_cells(
	struct host *host, const struct vat_adopt_report *report, char *why, size_t why_size) {
	host->state_bytes = 0;
	for (uint32_t i = 0; i < host->descriptor.cell_count; i++) {
		const struct vat_cell_decl *decl = &host->descriptor.cells[i];
		const struct vat_cell *cell =
			vat_region_find(host->region, decl->name, decl->scope, decl->element);
		if (!cell) {
			snprintf(why, why_size, "cell %s is not in the region", decl->name);
			return false;
		}
		host->cells[i] = vat_cell_data(host->region, cell);
		host->cell_counts[i] = cell->count;
		if (report) {
			enum vat_outcome outcome =
				i < report->count ? report->changes[i].outcome : VAT_SAME;
			host->cell_fresh[i] = outcome == VAT_FRESH || outcome == VAT_CLEARED;
			host->migrated_bytes +=
				outcome == VAT_MIGRATED ? report->changes[i].bytes : 0;
		}
		host->state_bytes += cell->count * cell->stride;
	}
	host->tile.cells = host->cells;
	host->tile.cell_counts = host->cell_counts;
	host->tile.cell_fresh = host->cell_fresh;
	host->found = vat_region_generation(host->region);
	return true;
}

/* Whether they are where they were found ahead, and as they will be. */
static bool were_found(const struct host *host, const struct vat_adopt_report *report) {
	if (!report->fits || host->found != vat_region_generation(host->region)) {
		return false;
	}
	const struct vat_cell_decl *decl = host->descriptor.cells;
	const struct vat_cell *first = host->descriptor.cell_count > 0
		? vat_region_find(host->region, decl->name, decl->scope, decl->element)
		: NULL;
	/* With the region they all move. */
	return first && vat_cell_data(host->region, first) == host->cells[0];
}

bool host_state_find(struct host *host, char *why, size_t why_size) {
	return find_cells(host, NULL, why, why_size);
}

static int adopt(struct host *host, unsigned flags, struct vat_adopt_report *report,
	struct vat_error *error) {
	struct vat_lineage lineage = tile_lineage(&host->descriptor);
	struct vat_lineage older = tile_lineage(&host->older);
	return vat_region_adopt_by(host->region, &lineage, host->older.magic ? &older : NULL,
		host->build, flags | host_adopt_flags(host), report, error);
}

static int check_schema(
	struct host *host, struct vat_adopt_report *report, struct vat_error *error) {
	return adopt(host, VAT_ADOPT_DRY_RUN, report, error);
}

static bool is_known_to_fit(const struct host *host) {
	return host->fits.fits &&
		host->fits.generation_before == vat_region_generation(host->region);
}

/* Keeps it if nothing will have to be done; what it holds is no longer the caller's. */
static void keep_report(struct host *host, struct vat_adopt_report *report) {
	vat_adopt_report_finish(&host->fits);
	if (report->fits) {
		host->fits = *report;
	} else {
		vat_adopt_report_finish(report);
	}
	*report = (struct vat_adopt_report){0};
}

/* Small cells are read by every attach. So near to it is no time to find out where they lie, cell
 * by cell and page by page. */
#define NEAR_MAX (64u * 1024)

static void map_cells(struct host *host) {
	for (uint32_t i = 0; i < host->descriptor.cell_count; i++) {
		const struct vat_cell_decl *decl = &host->descriptor.cells[i];
		const struct vat_cell *cell =
			vat_region_find(host->region, decl->name, decl->scope, decl->element);
		uint64_t size = cell ? cell->count * cell->stride : 0;
		if (size == 0) {
			continue;
		}
		uintptr_t at = (uintptr_t)vat_cell_data(host->region, cell);
		uintptr_t first = at & ~(uintptr_t)(VAT_PAGE - 1);
		/* Of a sparse one it would make memory; but its first page has neighbours. */
		unsigned char there = 0;
		if (decl->flags & VAT_CELL_SPARSE) {
			if (mincore((void *)first, VAT_PAGE, &there) < 0 || !(there & 1)) {
				continue;
			}
			size = 1;
		}
		size = at + (size < NEAR_MAX ? size : NEAR_MAX) - first;
		/* What it cannot do attach will. */
		madvise((void *)first, size, MADV_POPULATE_READ);
	}
}

void host_state_prepare(struct host *host) {
	struct vat_error error;
	struct vat_adopt_report report = {0};
	if (vat_region_refresh(host->region, &error) < 0) {
		return;
	}
	if (!is_known_to_fit(host)) {
		check_schema(host, &report, &error);
		keep_report(host, &report);
		map_cells(host);
	}
	host_recorder_prepare(host);
	char why[HOST_WHY_SIZE];
	bool found = host->found == vat_region_generation(host->region);
	if (host->fits.fits && !found && !find_cells(host, NULL, why, sizeof(why))) {
		host->found = 0;
	}
}

bool host_state_open(struct host *host, int region_fd, char *why, size_t why_size) {
	struct vat_error error;
	if (vat_region_map(region_fd, VAT_READ, &host->region, &error) < 0) {
		snprintf(why, why_size, "%s", error.text);
		return false;
	}
	set_clock(host);
	/* A schema that does not fit is told now, while the old version runs undisturbed; but for
	 * one that may still fit what is kept, see conclude. */
	struct vat_adopt_report report = {0};
	bool fits = check_schema(host, &report, &error) == 0;
	if (!fits && !vat_region_has_previous(host->region)) {
		snprintf(why, why_size, "%s", error.text);
		vat_adopt_report_finish(&report);
		return false;
	}
	host_describe_state(host, &report);
	keep_report(host, &report);
	map_cells(host);
	return true;
}

/* The city ended in a probation, which nobody concluded. If this version fits the state, that goes
 * on as it was left; otherwise it goes back to what the handover before found. */
static bool conclude(struct host *host, char *why, size_t why_size) {
	struct vat_error error;
	if (!vat_region_has_previous(host->region)) {
		return true;
	}
	int fits = check_schema(host, NULL, &error);
	if (fits == -EUCLEAN) {
		city_log(CITY_LOG_WARN, host->name,
			"the version before did not get through its probation, its schema goes: %s",
			error.text);
		fits = vat_region_rollback(host->region, &error);
	} else if (fits == 0) {
		fits = vat_region_forget_previous(host->region, &error);
	}
	if (fits < 0) {
		snprintf(why, why_size, "%s", error.text);
	}
	return fits == 0;
}

static bool take_region(struct host *host, uint64_t epoch, char *why, size_t why_size) {
	struct vat_error error;
	if (vat_region_protect(host->region, VAT_WRITE, &error) < 0 ||
		vat_region_refresh(host->region, &error) < 0 ||
		vat_region_set_epoch(host->region, epoch, &error) < 0) {
		snprintf(why, why_size, "%s", error.text);
		return false;
	}
	host->epoch = epoch;
	return true;
}

/* Taken over and kept in one, where nothing of the schema is left to be done: 1; 0 where something
 * is; -1 with the reason. */
static int take_kept(struct host *host, uint64_t epoch, int undo_fd, char *why, size_t why_size) {
	struct vat_error error;
	if (undo_fd < 0 || vat_region_refresh(host->region, &error) < 0 || !is_known_to_fit(host) ||
		vat_region_has_previous(host->region)) {
		return 0;
	}
	if (vat_barrier_take(host->region, undo_fd, epoch, host->fits.generation_before, &error) <
		0) {
		snprintf(why, why_size, "%s", error.text);
		return -1;
	}
	host->epoch = epoch;
	return 1;
}

static void keep_undo(struct host *host, int *undo_fd) {
	host->undo_fd = *undo_fd;
	*undo_fd = -1;
	host_random_follow(host, host->undo_fd);
}

/* Called after the cells were found; runs the tile's attach. kept: the state is what the version
 * before left, but for its shape. */
static bool attach(
	struct host *host, enum tile_attach reason, bool kept, char *why, size_t why_size) {
	set_clock(host);
	host->state = HOST_LIVE;
	host->wake_at = HOST_NEVER;
	host->time.update = vat_region_get(host->region, VAT_UPDATES);
	host->last_log[0] = 0;
	if (!host->shadow.on) {
		host_sound_attached(host, reason);
	}
	host_begin(host, "attach");
	host_recorder_attach(host, reason, kept);
	bool ok = host->ops->attach(&host->tile, reason);
	host_recorder_end(host, ok);
	host_end(host);
	if (!ok) {
		snprintf(why, why_size, "%s",
			*host->last_log ? host->last_log : "attach failed without a reason");
		host->state = HOST_FAILED;
	}
	return ok;
}

/* Whether nothing was lost but what every version begins anew. */
static bool was_kept(const struct host *host, const struct vat_adopt_report *report) {
	for (size_t i = 0; i < report->count && i < host->descriptor.cell_count; i++) {
		const struct vat_change *change = &report->changes[i];
		if (change->lossy ||
			(change->outcome == VAT_CLEARED &&
				host->descriptor.cells[i].reset != VAT_RESET)) {
			return false;
		}
	}
	return true;
}

/* How much of the state was there, and how much of that was carried over whole. */
static void count_kept(struct host *host, const struct vat_adopt_report *report) {
	host->bytes_had = host->bytes_kept = 0;
	for (size_t i = 0; i < report->count && i < host->descriptor.cell_count; i++) {
		const struct vat_change *change = &report->changes[i];
		const struct vat_cell_decl *decl = &host->descriptor.cells[i];
		const struct vat_cell *cell =
			vat_region_find(host->region, decl->name, decl->scope, decl->element);
		if (!cell || change->outcome == VAT_FRESH ||
			(decl->reset == VAT_RESET && change->outcome == VAT_CLEARED)) {
			continue;
		}
		uint64_t bytes = cell->count * cell->stride;
		bool whole = change->outcome == VAT_SAME ||
			(change->outcome == VAT_MIGRATED && !change->lossy);
		host->bytes_had += bytes;
		host->bytes_kept += whole ? bytes : 0;
	}
}

bool host_state_attach(struct host *host, enum tile_attach reason, uint64_t epoch, int undo_fd,
	char *why, size_t why_size) {
	struct vat_error error;
	struct vat_adopt_report report = {0};
	host->migrated_bytes = 0;
	if (host->build && !vat_build_is_current(host->build)) {
		host_build_drop(host);
	}
	int taken = take_kept(host, epoch, undo_fd, why, why_size);
	bool ok = taken > 0 ||
		(taken == 0 && take_region(host, epoch, why, why_size) &&
			conclude(host, why, why_size) &&
			(is_known_to_fit(host) || host_build_finish(host, why, why_size)));
	if (ok) {
		if (is_known_to_fit(host)) {
			report = host->fits;
			host->fits = (struct vat_adopt_report){0};
		} else {
			host_begin(host, "migrate");
			ok = adopt(host, undo_fd >= 0 ? VAT_ADOPT_KEEP : 0, &report, &error) == 0;
			host_end(host);
		}
		if (!ok) {
			snprintf(why, why_size, "%s", error.text);
		}
		host->lost[0] = 0;
		if (!report.fits) {
			vat_adopt_report_say(&report, host->lost, sizeof(host->lost));
		}
	}
	/* To look each of them up again takes the longer the more cells there are. */
	bool ahead = ok && were_found(host, &report);
	if (taken > 0) {
		keep_undo(host, &undo_fd);
	} else if (ok && undo_fd >= 0) {
		if (vat_barrier_begin(host->region, undo_fd, report.generation_before, &error) <
			0) {
			snprintf(why, why_size, "%s", error.text);
			ok = false;
		} else {
			keep_undo(host, &undo_fd);
		}
	}
	uint64_t stopped = vat_region_get(host->region, VAT_CLOCK);
	if (ok) {
		host_journal_take(host, host->undo_fd >= 0);
		set_clock(host);
		host_phase_take(host, host->state_mode == SOURCE_CITY_TILE_V1_STATE_MODE_RESET);
	}
	if (ahead) {
		memset(host->cell_fresh, 0,
			host->descriptor.cell_count * sizeof(*host->cell_fresh));
		host->bytes_had = host->bytes_kept = host->state_bytes;
	} else if (ok) {
		count_kept(host, &report);
		ok = find_cells(host, &report, why, why_size);
	}
	ok = ok && attach(host, reason, ahead || was_kept(host, &report), why, why_size);
	host->gap_ns = stopped > 0 ? (int64_t)(host->time.now_ns - stopped) : 0;
	vat_adopt_report_finish(&report);
	if (undo_fd >= 0) {
		close(undo_fd);
	}
	return ok;
}

static void end_probation(struct host *host) {
	struct vat_error error;
	if (host->undo_fd < 0) {
		return;
	}
	if (vat_barrier_end(host->region, &error) < 0) {
		city_log(CITY_LOG_WARN, host->name, "%s", error.text);
	}
	close(host->undo_fd);
	host->undo_fd = -1;
	host_random_unfollow(host);
}

bool host_state_yield(struct host *host, uint64_t deadline_ns, char *why, size_t why_size) {
	if (host->ops->quiesce) {
		host->last_log[0] = 0;
		host_begin(host, "quiesce");
		host_recorder_operation(host, RECORDING_QUIESCE);
		bool ok = host->ops->quiesce(&host->tile, deadline_ns);
		host_recorder_end(host, ok);
		host_end(host);
		if (!ok) {
			snprintf(why, why_size, "%s",
				*host->last_log ? host->last_log
						: "quiesce refused without a reason");
			return false;
		}
	}
	host->yielded_at = host_monotonic();
	vat_region_set(host->region, VAT_CLOCK, host_now(host));
	/* Making the mapping read-only takes the longer the larger it is: the successor does not
	 * wait for that. Cells that were resized under a barrier leave more to be done. */
	if (host->tracker != HOST_TRACK_NONE &&
		vat_region_generation(host->region) != host->tracked_generation) {
		host_track_end(host, HOST_TRACK_NONE);
	}
	vat_barrier_stop(host->region);
	host_journal_leave(host);
	host_recorder_yield(host);
	host->state = HOST_YIELDED;
	return true;
}

void host_state_leave(struct host *host) {
	struct vat_error error;
	host_watch_end(host);
	host->tracker = HOST_TRACK_NONE;
	if (vat_region_protect(host->region, VAT_READ, &error) < 0) {
		city_log(CITY_LOG_WARN, host->name, "%s", error.text);
	}
	end_probation(host);
	host_track_left(host);
}

bool host_state_resume(struct host *host, uint64_t epoch, char *why, size_t why_size) {
	if (!take_region(host, epoch, why, why_size) || !find_cells(host, NULL, why, why_size)) {
		return false;
	}
	/* What the successor had built is of no use. */
	struct vat_error error;
	if (vat_region_forget_previous(host->region, &error) < 0) {
		city_log(CITY_LOG_WARN, host->name, "%s", error.text);
	}
	memset(host->cell_fresh, 0, host->descriptor.cell_count * sizeof(*host->cell_fresh));
	host_journal_take(host, false);
	host_phase_load(host);
	return attach(host, TILE_ATTACH_ROLLBACK, true, why, why_size);
}

bool host_state_go_on(struct host *host, char *why, size_t why_size) {
	memset(host->cell_fresh, 0, host->descriptor.cell_count * sizeof(*host->cell_fresh));
	return attach(host, TILE_ATTACH_ROLLBACK, true, why, why_size);
}

void host_state_settle(struct host *host) {
	struct vat_error error;
	/* First: what is written from now on will not be in it. */
	if (host->undo_fd >= 0 && vat_undo_end(host->undo_fd, &error) < 0) {
		city_log(CITY_LOG_WARN, host->name, "%s", error.text);
	}
	host_journal_end(host);
	end_probation(host);
	if (host->state == HOST_LIVE && vat_region_has_previous(host->region) &&
		vat_region_forget_previous(host->region, &error) < 0) {
		city_log(CITY_LOG_WARN, host->name, "%s", error.text);
	}
	host_track_changed(host, true);
}

bool host_state_check(struct host *host, char *why, size_t why_size) {
	why[0] = 0;
	if (!host->ops->check || host->state != HOST_LIVE) {
		return true;
	}
	host_begin(host, "check");
	bool ok = host->ops->check(&host->tile, why, why_size);
	host_end(host);
	if (!ok && !why[0]) {
		snprintf(why, why_size, "check failed without a reason");
	}
	return ok;
}

bool host_cell_resize(struct host *host, uint32_t cell, uint64_t count) {
	if (host->state != HOST_LIVE || cell >= host->descriptor.cell_count) {
		host_log(host, CITY_LOG_ERROR, "cell_resize of cell %u is not possible now", cell);
		return false;
	}
	if (host->cell_counts[cell] == count) {
		return true;
	}
	const struct vat_cell_decl *decl = &host->descriptor.cells[cell];
	struct vat_error error;
	struct vat_txn *txn = NULL;
	if (vat_txn_begin(host->region, &txn, &error) < 0) {
		host_log(host, CITY_LOG_ERROR, "%s", error.text);
		return false;
	}
	if (vat_txn_resize(txn, decl->name, decl->scope, decl->element, count, VAT_ALLOW_LOSSY,
		    &error) < 0) {
		vat_txn_abort(txn);
		host_log(host, CITY_LOG_ERROR, "%s", error.text);
		return false;
	}
	if (vat_txn_commit(txn, false, &error) < 0) {
		host_log(host, CITY_LOG_ERROR, "%s", error.text);
		return false;
	}
	char why[256];
	if (!find_cells(host, NULL, why, sizeof(why))) {
		host_log(host, CITY_LOG_ERROR, "%s", why);
		return false;
	}
	return true;
}

bool host_cell_written(const struct host *host, uint32_t cell, uint64_t *from, uint64_t *to) {
	if (cell >= host->descriptor.cell_count || !host->region) {
		return false;
	}
	const struct vat_cell_decl *decl = &host->descriptor.cells[cell];
	const struct vat_cell *found =
		vat_region_find(host->region, decl->name, decl->scope, decl->element);
	uint64_t size = found ? found->count * found->stride : 0;
	if (*from >= size) {
		return false;
	}
	/* Where the file system cannot tell, all of it counts as written. */
	int fd = vat_region_fd(host->region);
	off_t begin = lseek(fd, (off_t)(found->offset + *from), SEEK_DATA);
	if (begin < 0 && errno == ENXIO) {
		return false;
	}
	off_t end = begin >= 0 ? lseek(fd, begin, SEEK_HOLE) : -1;
	uint64_t first = begin >= 0 ? (uint64_t)begin - found->offset : *from;
	uint64_t last = end >= 0 ? (uint64_t)end - found->offset : size;
	if (first >= size) {
		return false;
	}
	*from = first;
	*to = last < size ? last : size;
	return true;
}

void host_state_close(struct host *host) {
	host_track_end(host, HOST_TRACK_NONE);
	end_probation(host);
	host_build_drop(host);
	vat_adopt_report_finish(&host->fits);
	vat_region_unmap(host->region);
	host->region = NULL;
	host_journal_finish(host);
	host_recorder_finish(host);
}

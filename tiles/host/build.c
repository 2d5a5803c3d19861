/* SPDX-License-Identifier: MIT */
/*
 * Cells that this version has in another shape than the one before are built while that one still
 * runs; in the pause only what it has changed since is left to do. Where that is not possible they
 * are built in the pause, and where the tile's own edges run, with the region read-only all the
 * same.
 */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "source-city-tile-v1-client-protocol.h"

/* Less is converted faster than somebody else is asked. */
#define BUILD_MIN (128u * 1024)

unsigned host_adopt_flags(const struct host *host) {
	return (host->state_mode == SOURCE_CITY_TILE_V1_STATE_MODE_RESET ? VAT_ADOPT_RESET : 0) |
		(host->state_mode == SOURCE_CITY_TILE_V1_STATE_MODE_MERGE ? VAT_ADOPT_MERGE : 0) |
		(host->lossy ? VAT_ADOPT_LOSSY : 0);
}

static int build(struct host *host, int log_fd, struct vat_error *error) {
	struct vat_lineage lineage = tile_lineage(&host->descriptor);
	struct vat_lineage older = tile_lineage(&host->older);
	host_begin(host, "migrate");
	int rc = vat_build_begin(host->region, &lineage, host->older.magic ? &older : NULL,
		host_adopt_flags(host), log_fd, &host->build, error);
	host_end(host);
	return rc;
}

/* Bytes that the new cells take; 0 if they are few. */
static uint64_t room_needed(struct host *host) {
	struct vat_lineage lineage = tile_lineage(&host->descriptor);
	struct vat_lineage older = tile_lineage(&host->older);
	struct vat_adopt_report report;
	uint64_t room = 0, bytes = 0;
	if (vat_region_adopt_by(host->region, &lineage, host->older.magic ? &older : NULL, NULL,
		    host_adopt_flags(host) | VAT_ADOPT_DRY_RUN, &report, NULL) == 0) {
		for (size_t i = 0; i < report.count; i++) {
			if (report.changes[i].outcome == VAT_MIGRATED) {
				bytes += report.changes[i].bytes;
				room += report.changes[i].bytes + 2ull * VAT_PAGE;
			}
		}
	}
	vat_adopt_report_finish(&report);
	return bytes >= BUILD_MIN ? room : 0;
}

bool host_build_ahead(struct host *host, char *why, size_t why_size) {
	uint64_t room = 0;
	if (source_city_tile_v1_get_version(host->wl_tile) >=
			SOURCE_CITY_TILE_V1_PREBUILD_SINCE_VERSION &&
		!vat_region_has_previous(host->region)) {
		room = room_needed(host);
	}
	if (room == 0) {
		return true;
	}
	host->snapshot = HOST_SNAPSHOT_ASKED;
	source_city_tile_v1_prebuild(host->wl_tile, (uint32_t)(room >> 32), (uint32_t)room);
	while (host->snapshot == HOST_SNAPSHOT_ASKED) {
		if (wl_display_dispatch(host->display) < 0) {
			snprintf(why, why_size, "the compositor hung up");
			return false;
		}
	}
	struct vat_error error;
	int rc = host->snapshot == HOST_SNAPSHOT_TAKEN ? build(host, host->snapshot_fd, &error) : 0;
	if (host->snapshot_fd >= 0) {
		close(host->snapshot_fd);
		host->snapshot_fd = -1;
	}
	if (rc == -EUCLEAN) {
		snprintf(why, why_size, "%s", error.text);
		return false;
	}
	if (rc < 0) {
		city_log(CITY_LOG_INFO, host->name, "migrates when it attaches: %s", error.text);
	}
	return true;
}

/* Whether edges may have to be gone: functions of the tile's run. */
static bool changes_version(const struct host *host) {
	for (uint32_t i = 0; i < host->descriptor.cell_count; i++) {
		const struct vat_cell_decl *decl = &host->descriptor.cells[i];
		const struct vat_cell *cell =
			vat_region_find(host->region, decl->name, decl->scope, decl->element);
		if (cell && cell->version != decl->version) {
			return host->descriptor.edge_count > 0 || host->older.edge_count > 0;
		}
	}
	return false;
}

bool host_build_finish(struct host *host, char *why, size_t why_size) {
	struct vat_error error;
	if (host->build || !changes_version(host)) {
		return true;
	}
	bool ok = vat_region_protect(host->region, VAT_READ, &error) == 0 &&
		build(host, -1, &error) == 0 &&
		vat_region_protect(host->region, VAT_WRITE, &error) == 0;
	if (!ok) {
		snprintf(why, why_size, "%s", error.text);
	}
	return ok;
}

void host_build_tell(const struct host *host) {
	if (host->build && host->snapshot == HOST_SNAPSHOT_TAKEN) {
		uint64_t bytes, again;
		vat_build_stats(host->build, &bytes, &again);
		city_log(CITY_LOG_INFO, host->name,
			"%lu bytes of cells were built ahead, %lu of them again in the pause",
			(unsigned long)bytes, (unsigned long)again);
	}
}

void host_build_drop(struct host *host) {
	vat_build_destroy(host->build);
	host->build = NULL;
	host->snapshot = HOST_SNAPSHOT_NONE;
	if (host->snapshot_fd >= 0) {
		close(host->snapshot_fd);
		host->snapshot_fd = -1;
	}
}

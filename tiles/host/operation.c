/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <time.h>

static uint64_t clock_ns(clockid_t clock) {
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t host_monotonic(void) {
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t host_now(const struct host *host) {
	return host->told_time ? host->told_time->now_ns
			       : clock_ns(CLOCK_BOOTTIME) + host->clock_offset;
}

static void set_time(struct host *host) {
	if (host->told_time) {
		host->time = *host->told_time;
		return;
	}
	host->time.now_ns = host_now(host);
	host->time.phase_ns = host_phase_at(host, host->time.now_ns);
	int64_t wall = clock_ns(CLOCK_REALTIME);
	/* All time zones change at quarters of an hour. */
	const int64_t quarter = 900ll * 1000000000;
	if (wall / quarter != host->time.wall_ns / quarter) {
		tzset();
		time_t seconds = wall / 1000000000;
		struct tm local;
		if (localtime_r(&seconds, &local)) {
			host->time.utc_offset_s = local.tm_gmtoff;
		}
	}
	host->time.wall_ns = wall;
}

void host_begin(struct host *host, const char *operation) {
	set_time(host);
	host->operation_number++;
	host->operation = operation;
}

void host_end(struct host *host) {
	if (host->stuck) {
		host_no_longer_stuck(host);
	}
	host->operation = NULL;
	host_recorder_end(host, true);
	host_track_changed(host, false);
}

bool host_held_back(const struct host *host) {
	return host->frame && pixman_region32_not_empty((pixman_region32_t *)&host->damage) &&
		!(host->descriptor.capabilities & TILE_CAP_BACKGROUND);
}

void host_update_if_due(struct host *host) {
	if (host->state != HOST_LIVE || host->wake_at == HOST_NEVER || host_held_back(host) ||
		host->wake_at > host_now(host)) {
		return;
	}
	host->wake_at = HOST_NEVER;
	if (!host->ops->update) {
		return;
	}
	host->time.update = vat_region_add(host->region, VAT_UPDATES, 1);
	host_begin(host, "update");
	host_recorder_operation(host, RECORDING_UPDATE);
	host->ops->update(&host->tile);
	host_end(host);
	vat_region_set(host->region, VAT_CLOCK, host->time.now_ns);
}

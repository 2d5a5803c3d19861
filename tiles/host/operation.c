/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <time.h>

#include "log.h"

static uint64_t clock_ns(clockid_t clock) {
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t host_monotonic(void) {
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t host_now(const struct host *host) {
	return host->told ? host->told->time.now_ns : clock_ns(CLOCK_BOOTTIME) + host->clock_offset;
}

/* However busy the machine is otherwise. */
static uint32_t microseconds_of(uint64_t began) {
	uint64_t us = (clock_ns(CLOCK_THREAD_CPUTIME_ID) - began) / 1000;
	return us < 1 ? 1 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void set_time(struct host *host) {
	if (host->told) {
		host->time = host->told->time;
		host->tile.frame = host->told->frame;
		return;
	}
	host->time.now_ns = host_now(host);
	host_transport_look(host);
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
	uint64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID), waited = 0;
	if (host->attached_at != 0) {
		waited = host_monotonic() - host->attached_at;
	}
	host->ops->update(&host->tile);
	host_end(host);
	host->time.update_us = microseconds_of(began);
	host->updated_at = host_monotonic();
	vat_region_set(host->region, VAT_CLOCK, host->time.now_ns);
	if (host->attached_at != 0) {
		host->attached_at = 0;
		city_log(CITY_LOG_DEBUG, host->name, "its first update began %lu us after attach",
			(unsigned long)waited / 1000);
	}
}

/* SPDX-License-Identifier: MIT */
/* Where a tile is in its cycle: kept in the region, aligned when the period changes. docs/pas.md */
#include "host.h"

static uint64_t position(uint64_t now, uint64_t offset, uint64_t period) {
	return period ? (now % period + offset % period) % period : 0;
}

uint64_t host_phase_offset(uint64_t now, const struct host_phase *old, uint64_t period) {
	uint64_t target = 0;
	if (old->period > 0) {
		__uint128_t at = position(now, old->offset, old->period);
		target = at * period / old->period;
	}
	return (target + period - now % period) % period;
}

uint32_t host_phase_error(
	uint64_t now, const struct host_phase *old, const struct host_phase *phase) {
	if (old->period == 0 || phase->period == 0) {
		return 0;
	}
	double a = (double)position(now, old->offset, old->period) / (double)old->period;
	double b = (double)position(now, phase->offset, phase->period) / (double)phase->period;
	double difference = a > b ? a - b : b - a;
	difference = difference > 0.5 ? 1 - difference : difference;
	return (uint32_t)(difference * 1e6 + 0.5);
}

static struct host_phase stored(const struct host *host) {
	return (struct host_phase){
		.period = vat_region_get(host->region, VAT_PERIOD),
		.offset = vat_region_get(host->region, VAT_PHASE),
	};
}

void host_phase_load(struct host *host) {
	struct host_phase phase = stored(host);
	host->phase = (struct host_phase){0};
	if (host->descriptor.time_model == TILE_TIME_PHASE &&
		phase.period == host->descriptor.time_period_ns) {
		host->phase = phase;
	}
}

void host_phase_take(struct host *host, bool reset) {
	const struct host_phase old = stored(host), none = {0};
	uint64_t period = host->descriptor.time_model == TILE_TIME_PHASE
		? host->descriptor.time_period_ns
		: 0;
	host->phase_error = 0;
	host->phase = none;
	if (period == 0) {
		return; /* what was kept is there for a version that has one */
	}
	uint64_t now = host_now(host);
	host->phase.period = period;
	host->phase.offset = old.period == period && !reset
		? old.offset
		: host_phase_offset(now, reset ? &none : &old, period);
	host->phase_error = host_phase_error(now, &old, &host->phase);
	vat_region_set(host->region, VAT_PERIOD, host->phase.period);
	vat_region_set(host->region, VAT_PHASE, host->phase.offset);
}

uint64_t host_phase_at(const struct host *host, uint64_t now) {
	return position(now, host->phase.offset, host->phase.period);
}

/* SPDX-License-Identifier: MIT */
/* Phase Alignment Stability: how well time, phase and state line up across a handover, 0 to 1. What
 * it means and where it comes from is in docs/pas.md. Pure functions. */
#ifndef CITY_PAS_H
#define CITY_PAS_H

#include <stdint.h>

/* A frame where no screen says how long it is. */
#define CITY_FRAME_NS (INT64_C(1000000000) / 60)

/* What was measured at the splice. */
struct city_continuity {
	int64_t frame_ns; /* of the fastest screen that shows the tile; 0: CITY_FRAME_NS */
	int64_t gap_ns; /* of the tile's clock, from A's last moment to B's first; below 0: back */
	double phase_error;	 /* in periods, 0 to 0.5; 0 without a phase */
	uint64_t had, kept;	 /* bytes of state; of these, carried over whole */
	uint64_t shown, dropped; /* output frames */
};

struct city_pas {
	double time, phase, state, frames; /* each 0 to 1 */
	double all;			   /* their product */
};

struct city_pas city_pas_of(const struct city_continuity *continuity);

#endif

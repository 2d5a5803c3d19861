/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "compositor/pas.h"

struct city_pas city_pas_of(const struct city_continuity *continuity) {
	struct city_pas pas = {.time = 1, .phase = 1, .state = 1, .frames = 1};
	int64_t frame_ns = continuity->frame_ns > 0 ? continuity->frame_ns : CITY_FRAME_NS;
	double gap = (double)continuity->gap_ns, frame = (double)frame_ns;
	if (gap < 0) {
		pas.time = 0;
	} else if (gap > frame) {
		pas.time = frame / gap;
	}
	pas.phase = (1 + cos(2 * M_PI * continuity->phase_error)) / 2;
	if (continuity->had > 0) {
		pas.state = continuity->kept >= continuity->had
			? 1
			: (double)continuity->kept / (double)continuity->had;
	}
	uint64_t due = continuity->shown + continuity->dropped;
	if (due > 0) {
		pas.frames = (double)continuity->shown / (double)due;
	}
	pas.all = pas.time * pas.phase * pas.state * pas.frames;
	return pas;
}

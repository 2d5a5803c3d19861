/* SPDX-License-Identifier: MIT */
/*
 * What frames cost: how long the main thread took for each of the last CITY_FRAMES_KEPT frames of
 * an output that showed something new, from the moment the frame was asked for until it was handed
 * to the screen, and how much of the screen was different. For `cityctl state` and for measuring.
 *
 * Main thread only. Part of struct city_output; all zero is empty.
 */
#ifndef CITY_FRAMES_H
#define CITY_FRAMES_H

#include <stdint.h>

#define CITY_FRAMES_KEPT 600 /* ten seconds at 60 Hz */

struct city_frame_cost {
	uint32_t took_us; /* on the clock */
	uint32_t cpu_us;  /* of the thread */
	float damaged;	  /* share of the screen, 0 to 1 */
};

struct city_frames {
	struct city_frame_cost costs[CITY_FRAMES_KEPT];
	uint64_t count; /* since the output appeared; the newest is costs[(count - 1) % KEPT] */
};

/* When a frame was begun. */
struct city_frame_begin {
	int64_t at_ns, cpu_ns;
};

struct city_frames_summary {
	uint32_t frames; /* that it is about */
	struct {
		uint32_t p50, p99, max; /* µs */
	} took, cpu;
	double damaged; /* mean */
};

struct city_frame_begin city_frames_begin(void);
void city_frames_end(
	struct city_frames *frames, const struct city_frame_begin *begin, double damaged);
struct city_frames_summary city_frames_sum(const struct city_frames *frames);

#endif

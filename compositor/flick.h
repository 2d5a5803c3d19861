/* SPDX-License-Identifier: MIT */
/*
 * A flick: how fast a hand was when it let go of the map. Whoever drags it adds each motion with
 * the time of its event; at the end the last tenth of a second counts. No allocation, no clock.
 */
#ifndef CITY_FLICK_H
#define CITY_FLICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CITY_FLICK_SAMPLES 32

struct city_flick {
	struct city_flick_sample {
		uint32_t msec;
		double ox, oy; /* output pixels */
		double zoom;   /* doublings */
	} samples[CITY_FLICK_SAMPLES];
	size_t count, next;
};

struct city_flick_speed {
	double ox, oy;	     /* output pixels per second that the camera moves */
	double zoom;	     /* doublings per second */
	double at_ox, at_oy; /* the point that the zoom is about */
	bool pinch;	     /* it was a pinch: it ends in the room if near to it */
};

void city_flick_begin(struct city_flick *flick);
void city_flick_add(struct city_flick *flick, uint32_t msec, double ox, double oy, double zoom);
/* The speed when the hand let go at `msec`: zero if it had stopped before. */
struct city_flick_speed city_flick_end(const struct city_flick *flick, uint32_t msec);

#endif

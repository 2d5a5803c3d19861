/* SPDX-License-Identifier: MIT */
#include "compositor/flick.h"

#define WINDOW 100 /* ms before the end that count */
#define REST 60	   /* ms without motion: the hand had stopped */
#define SPAN_MIN 8 /* ms: two events of one moment are no speed */

void city_flick_begin(struct city_flick *flick) {
	flick->count = flick->next = 0;
}

void city_flick_add(struct city_flick *flick, uint32_t msec, double ox, double oy, double zoom) {
	flick->samples[flick->next] = (struct city_flick_sample){msec, ox, oy, zoom};
	flick->next = (flick->next + 1) % CITY_FLICK_SAMPLES;
	if (flick->count < CITY_FLICK_SAMPLES) {
		flick->count++;
	}
}

struct city_flick_speed city_flick_end(const struct city_flick *flick, uint32_t msec) {
	struct city_flick_speed speed = {0};
	uint32_t span = 0;
	for (size_t i = 1; i <= flick->count; i++) {
		const struct city_flick_sample *sample =
			&flick->samples[(flick->next + CITY_FLICK_SAMPLES - i) %
				CITY_FLICK_SAMPLES];
		/* Event times wrap round. */
		uint32_t age = msec - sample->msec;
		if (i == 1 && age > REST) {
			break;
		}
		span = age > WINDOW ? WINDOW : age;
		/* The oldest one only says since when. */
		if (age > WINDOW || i == flick->count) {
			break;
		}
		speed.ox += sample->ox;
		speed.oy += sample->oy;
		speed.zoom += sample->zoom;
	}
	if (span < SPAN_MIN) {
		return (struct city_flick_speed){0};
	}
	double seconds = span / 1000.0;
	speed.ox /= seconds;
	speed.oy /= seconds;
	speed.zoom /= seconds;
	return speed;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "compositor/splice.h"
#include "ring.h"
#include "vat.h"

/* Phrases of different lengths meet at the latest after as many bars as their product says; a
 * marker and a phrase may never do. */
#define ROUNDS_MAX 4096

int city_splice_common(const struct vat_transport *transport, const struct vat_splice_point *points,
	size_t count, uint64_t from, struct city_moment *moment, struct vat_error *err) {
	struct city_moment found = {.frame = from, .tick = vat_transport_tick(transport, from)};
	for (int round = 0; round < ROUNDS_MAX; round++) {
		bool moved = false;
		for (size_t i = 0; i < count; i++) {
			if (points[i].kind == VAT_SPLICE_NOW) {
				continue;
			}
			struct city_moment next;
			int result = vat_splice_next(transport, &points[i], found.frame, 0, 0,
				&next.frame, &next.tick, err);
			if (result != 0) {
				return result;
			}
			moved |= next.frame != found.frame;
			found = next;
		}
		/* With one there is nothing that it has to agree with. */
		if (!moved || count == 1) {
			*moment = found;
			return 0;
		}
	}
	if (err) {
		snprintf(err->text, sizeof(err->text),
			"the splice points of these tiles never come at the same time; ask for one "
			"that all can meet");
	}
	return -ENOENT;
}

bool city_splice_holds(const struct vat_transport *transport, const struct vat_splice_point *points,
	size_t count, const struct city_moment *moment) {
	struct city_moment again;
	return city_splice_common(transport, points, count, moment->frame, &again, NULL) == 0 &&
		again.frame == moment->frame && again.tick == moment->tick;
}

uint32_t city_splice_fade(const struct vat_transport *transport, uint64_t frame, bool crossfade) {
	uint64_t frames = city_splice_frames(transport->rate, CITY_SPLICE_FADE_MS);
	if (crossfade) {
		const struct vat_transport_part *part = vat_transport_at(transport, frame);
		uint64_t a_tick = (uint64_t)part->tempo * VAT_PPQ;
		uint64_t ticks = (uint64_t)CITY_SPLICE_FADE_TICKS * transport->rate * 60000;
		frames = a_tick > 0 ? ticks / a_tick : frames;
	}
	return frames < RING_TAIL_FRAMES ? (uint32_t)frames : RING_TAIL_FRAMES;
}

int64_t city_splice_beats(const struct vat_transport *transport, uint64_t frame, int64_t tick) {
	int64_t left = tick - vat_transport_tick(transport, frame);
	return left > 0 ? (left + VAT_PPQ - 1) / VAT_PPQ : 0;
}

uint64_t city_splice_frames(uint32_t rate, uint32_t ms) {
	return (uint64_t)rate * ms / 1000;
}

int city_splice_wait_ms(uint32_t rate, uint64_t now, uint64_t frame, int most) {
	if (frame <= now || rate == 0) {
		return 0;
	}
	uint64_t frames = frame - now;
	if (frames / rate >= (uint64_t)most / 1000 + 1) {
		return most;
	}
	uint64_t ms = (frames * 1000 + rate - 1) / rate;
	return ms < (uint64_t)most ? (int)ms : most;
}

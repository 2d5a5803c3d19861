/* SPDX-License-Identifier: MIT */
/*
 * When a handover may happen, in music: pure functions over a copy of the transport (transport.h).
 * What waits for such a moment, and how the tiles' sound is brought to end there, is
 * handover_splice.c.
 */
#ifndef CITY_SPLICE_H
#define CITY_SPLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport.h"

struct vat_error;

/* What an old version's sound fades into its successor's over; and over half a beat where the
 * handover is a crossfade. At most RING_TAIL_FRAMES. */
#define CITY_SPLICE_FADE_MS 20
#define CITY_SPLICE_FADE_TICKS (VAT_PPQ / 2)
/* So much is rendered ahead when an old version ends, besides what the audio process wants: the
 * time that its successor has to begin without being late. */
#define CITY_SPLICE_AHEAD_MS 100

struct city_moment {
	uint64_t frame;
	int64_t tick;
};

/*
 * The first moment not before the frame `from` at which all the points are met at once. 0, or as
 * vat_splice_next, with a line; also -ENOENT when they are never met at once. What is met at any
 * time (VAT_SPLICE_NOW) does not count; if all are, that is `from`. A loop of the city, whose parts
 * have loops of their own, is a bar.
 */
int city_splice_common(const struct vat_transport *transport, const struct vat_splice_point *points,
	size_t count, uint64_t from, struct city_moment *moment, struct vat_error *err);

/* Whether a moment that was found before is still one, after the transport has changed. */
bool city_splice_holds(const struct vat_transport *transport, const struct vat_splice_point *points,
	size_t count, const struct city_moment *moment);

/* Frames of the tail of the old version. */
uint32_t city_splice_fade(const struct vat_transport *transport, uint64_t frame, bool crossfade);

/* Beats up to a tick, begun ones counted, at a frame; 0: it is there. */
int64_t city_splice_beats(const struct vat_transport *transport, uint64_t frame, int64_t tick);

/* Frames of so many milliseconds. */
uint64_t city_splice_frames(uint32_t rate, uint32_t ms);
/* Milliseconds until a frame is heard, rounded up; 0: it is. */
int city_splice_wait_ms(uint32_t rate, uint64_t now, uint64_t frame, int most);

#endif

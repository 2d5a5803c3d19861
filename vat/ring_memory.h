/* SPDX-License-Identifier: MIT */
/*
 * What a ring's memory looks like; for ring.c and ring_read.c alone.
 *
 * Behind the head, at RING_HEAD: the samples of each channel, then those of each channel of each
 * tail. Words that both sides use are atomic; samples are not, as `written` keeps them apart.
 */
#ifndef SOURCE_CITY_RING_MEMORY_H
#define SOURCE_CITY_RING_MEMORY_H

#include <math.h>
#include <stdatomic.h>

#include "ring.h"

#define RING_MAGIC 0x676e697259544943ull
#define RING_VERSION 1u
#define RING_HEAD 4096
#define RING_FRAME_LIMIT (1ull << 60)
#define RING_LOUDEST 16.0f
/* One is being faded out while the next one begins. */
#define RING_TAILS 2
/* More handovers than that cannot fail within one ring's length. */
#define RING_BREAKS 8

struct ring_tail {
	_Atomic uint64_t frame;
	_Atomic uint32_t frames, written;
	_Atomic uint32_t serial; /* 0: there is none */
};

struct ring_memory {
	uint64_t magic;
	uint32_t version;
	_Atomic uint32_t channels;

	/* The producer's. */
	_Alignas(64) _Atomic uint64_t written;
	_Atomic uint64_t start; /* what is before it is not there */
	_Atomic uint64_t mended;
	_Atomic uint32_t resting;
	_Atomic uint32_t break_count, tail_serial; /* of the last one */
	_Atomic uint64_t breaks[RING_BREAKS]; /* frames that do not go on from the one before */
	struct ring_tail tails[RING_TAILS];

	/* The consumer's. */
	_Alignas(64) _Atomic uint64_t read;
	_Atomic uint64_t cycles, taken, late, late_times;
	_Atomic float peaks[RING_CHANNELS_MAX];
	_Atomic uint32_t want, quantum, patient;

	/* Both sides'. */
	_Alignas(
		64) _Atomic uint32_t woken; /* the producer has been woken and has not looked yet */
	_Atomic uint32_t waiting, changes;  /* ring_wait: futex */
};
_Static_assert(sizeof(struct ring_memory) <= RING_HEAD, "the head has room");

/* What may be heard of it. */
static inline float ring_mend(float value) {
	if (fabsf(value) <= RING_LOUDEST)
		return value;
	return isfinite(value) ? copysignf(RING_LOUDEST, value) : 0;
}

float *ring_samples(const struct ring *ring, uint32_t channel);
float *ring_tail_samples(const struct ring *ring, uint32_t tail, uint32_t channel);

#endif

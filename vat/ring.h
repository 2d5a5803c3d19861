/* SPDX-License-Identifier: MIT */
/*
 * A ring of samples between one tile and the audio process: shared memory that outlives both.
 *
 * The keeper makes it, as a stream of the tile (see keeper/wire.h), and gives it to the audio
 * process and to every version of the tile in turn. Only the version that holds the tile's epoch
 * writes. Positions are the city's frames (transport.h): frame f lies at f modulo the capacity, and
 * is the same instant in every ring. Samples are 32-bit floats, -1 to 1, channel by channel
 * (planar).
 *
 * One producer, one consumer, no locks: the producer owns `written`, the consumer `read`. The
 * consumer runs in real time: what it calls here neither blocks nor allocates, and makes no system
 * call but a wake-up through its eventfd. Frames that are not there in time are gone: the consumer
 * fades out, goes on counting, and fades in when there are some again; the producer finds `read`
 * ahead of it and goes on from there.
 *
 * Whatever a tile's process does to the memory, the consumer does not crash, hang, or read outside
 * of it: everything in the header that matters to it is checked each time.
 */
#ifndef SOURCE_CITY_RING_H
#define SOURCE_CITY_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vat_error;

#define RING_CHANNELS_MAX 8
#define RING_FRAMES 16384 /* capacity: 0.34 s at 48 kHz; a power of two */
/* The end of an old version, rendered by it on a copy of its state: mixed in with a fade while the
 * new one fades in. */
#define RING_TAIL_FRAMES 65536

/* What is counted, from the ring's beginning; by the consumer, but for `mended`. */
struct ring_counts {
	uint64_t cycles;
	uint64_t frames;     /* taken, and there in time */
	uint64_t late;	     /* frames that were not there in time */
	uint64_t late_times; /* how often that began */
	uint64_t mended;     /* samples that were not finite, or above the limit; by the producer */
	uint32_t quantum;    /* frames that are taken at a time, now; 0: by nobody */
	bool patient;	     /* whoever takes them waits for what is not there */
};

/* One side's mapping. */
struct ring {
	struct ring_memory *memory; /* opaque; shared */
	size_t size;
	uint32_t channels;
	bool consumer;
	/* The consumer's own: */
	uint64_t position; /* where it goes on */
	uint32_t want;	   /* as ring_want said */
	bool there, late;  /* of the last frame: it came from a version; it was not in time */
	bool silent;	   /* ring_silence came last */
	bool leapt;	   /* what ring_read takes next does not go on from what was heard */
	uint32_t playing[2], over[2]; /* the tails that are heard, and that will not be any more */
	float heard[RING_CHANNELS_MAX]; /* the last frame that went out */
	/* Where the sound does not go on from what was heard it is faded over from `last`, which
	 * that was. */
	float last[RING_CHANNELS_MAX];
	float gain; /* 0: all of `last`, 1: none of it; moves by a step a frame */
};

/* A new, empty ring in a memfd that nobody can grow or shrink. The descriptor, or a negative
 * errno. */
int ring_create(uint32_t channels, struct vat_error *err);
/* Map one. 0, or a negative errno: not a ring, another version, no memory. */
int ring_map(struct ring *ring, int fd, bool consumer, struct vat_error *err);
void ring_unmap(struct ring *ring);

/* ---- the producer: the tile's host */

/* Where to go on: the first frame that is not written yet, or, when the consumer is past it, the
 * consumer's (*skipped: how many are lost by that). How many frames to render now so that as much
 * is ahead as the consumer wants; 0: enough, it wakes you. Ask once after mapping without being
 * woken: the version before may have been, and died of it. */
uint32_t ring_wanted(struct ring *ring, uint64_t *frame, uint64_t *skipped);
/* The same with so much more ahead: before a pause. At most what fits. */
uint32_t ring_wanted_ahead(struct ring *ring, uint32_t more, uint64_t *frame, uint64_t *skipped);
/* Put `frames` frames at `frame`, which ring_wanted said: samples[channel][i]. What is not finite
 * becomes 0, what is above 16 or below -16 is cut there (and counted), denormals become 0. */
void ring_write(struct ring *ring, uint64_t frame, uint32_t frames,
	const float *const samples[RING_CHANNELS_MAX]);
/* Begin the tail: the old version goes on from `frame` for `frames` (at most RING_TAIL_FRAMES),
 * over which the consumer fades from it to what ring_write puts there: b + (a - b) * (1 - g), which
 * is b where both are equal. Begin before somebody else may write; then add to it in order. A
 * tail that is late or ends early is faded out. One may still be heard when the next begins. */
void ring_tail_begin(struct ring *ring, uint64_t frame, uint32_t frames);
void ring_tail_write(
	struct ring *ring, uint32_t frames, const float *const samples[RING_CHANNELS_MAX]);
/* No version is there for a while, as it died or there is none: what is written is played, then it
 * is faded out without being counted as late. Cleared by ring_write; what that writes does not go
 * on from what is there (a rollback, a new beginning) and is faded over to. By whoever may write,
 * or by the keeper when nobody is left who may. A new ring rests. */
void ring_rest(struct ring *ring);

/* ---- the consumer: the audio process */

/* Take the next `frames` frames, which are at the city's frame `frame` (it only grows), into
 * out[channel][0..frames). Always fills them. Returns how many were not there in time; 0 while it
 * rests. Real time. */
uint32_t ring_read(
	struct ring *ring, uint64_t frame, uint32_t frames, float *const out[RING_CHANNELS_MAX]);
/* `frames` frames of nothing, in which what was heard last is faded out; what ring_read takes then
 * is faded in. The place stays. Real time. */
void ring_silence(struct ring *ring, uint32_t frames, float *const out[RING_CHANNELS_MAX]);
/* How many frames from `frame` on are there (tail included). */
uint32_t ring_ready(const struct ring *ring, uint64_t frame);
/* Wait until so many are there; false: they are not after that time, or the ring rests. Not for a
 * thread that works in real time: for rendering that has no deadline. Wake the producer before. */
bool ring_wait(struct ring *ring, uint64_t frame, uint32_t frames, uint64_t timeout_ns);
/* Go to `frame`, at or behind where it is, without hearing what is before it; what comes is faded
 * in from silence. The producer finds out when it asks the next time. Real time. */
void ring_skip(struct ring *ring, uint64_t frame);
/* Go to `frame`, behind where it is: the producer goes on from there, what is between is left out,
 * and what comes is faded over to. Real time. */
void ring_leap(struct ring *ring, uint64_t frame);
/* Nobody fills it now. */
bool ring_resting(const struct ring *ring);
/* How much is to be ahead of `read`: at least two quanta. Real time. */
void ring_want(struct ring *ring, uint32_t frames);
/* How many it takes at a time; 0: nobody hears it now. Real time. */
void ring_quantum(struct ring *ring, uint32_t frames);
/* Whether what is not there is waited for: nothing is in real time then. Real time. */
void ring_patient(struct ring *ring, bool patient);
/* Whether the producer should be woken: less is ahead than is wanted, and it has not been woken for
 * that yet. Real time. */
bool ring_should_wake(struct ring *ring);

/* ---- anybody */

void ring_counts(const struct ring *ring, struct ring_counts *counts);
uint64_t ring_written(const struct ring *ring);
uint64_t ring_position(const struct ring *ring); /* the consumer's */
/* The greatest magnitude since the last call, a channel; for meters. Relaxed, may miss some. */
void ring_peaks(struct ring *ring, float peaks[RING_CHANNELS_MAX]);

#endif

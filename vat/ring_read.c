/* SPDX-License-Identifier: MIT */
/*
 * The ring's consumer. What the memory says is looked at once for each call, and only believed as
 * far as it cannot lead outside of it.
 *
 * A stretch of frames is cut where its sources change: what the producer wrote (the main source),
 * and up to two tails, the older of which fades into the newer, and that into the main source.
 * Where a frame does not go on from the one before (there is none, there is one again, a break, a
 * tail that is missing) the sound is faded over from what was heard last, so nothing jumps.
 */
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ring_memory.h"

#define FADE 256 /* frames; a power of two, so that the gain is exact */

struct tail_view {
	uint64_t frame, end; /* as it was meant */
	uint64_t there;	     /* up to which it is there */
	uint32_t serial;     /* 0: none */
};

struct view {
	uint64_t start, written; /* [start, written) is there */
	struct tail_view tails[RING_TAILS];
	uint64_t breaks[RING_BREAKS];
};

/* What a frame is made of. */
struct sources {
	bool main, broken;
	bool tails[RING_TAILS];
};

static void look_at_tail(struct ring_tail *tail, struct tail_view *view) {
	*view = (struct tail_view){0};
	uint32_t serial = atomic_load_explicit(&tail->serial, memory_order_acquire);
	uint64_t frame = atomic_load_explicit(&tail->frame, memory_order_acquire);
	uint32_t frames = atomic_load_explicit(&tail->frames, memory_order_acquire);
	uint32_t written = atomic_load_explicit(&tail->written, memory_order_acquire);
	if (serial == 0 || frame >= RING_FRAME_LIMIT || frames > RING_TAIL_FRAMES ||
		written > frames ||
		atomic_load_explicit(&tail->serial, memory_order_acquire) != serial)
		return;
	*view = (struct tail_view){frame, frame + frames, frame + written, serial};
}

/* `frame` is what is wanted next. */
static void look(const struct ring *ring, uint64_t frame, struct view *view) {
	struct ring_memory *memory = ring->memory;
	view->written = atomic_load_explicit(&memory->written, memory_order_acquire);
	view->start = atomic_load_explicit(&memory->start, memory_order_acquire);
	if (view->written >= RING_FRAME_LIMIT || view->written > frame + RING_FRAMES)
		view->written = 0; /* garbage */
	for (int i = 0; i < RING_BREAKS; i++)
		view->breaks[i] = atomic_load_explicit(&memory->breaks[i], memory_order_acquire);
	for (int i = 0; i < RING_TAILS; i++)
		look_at_tail(&memory->tails[i], &view->tails[i]);
}

static uint64_t sooner(uint64_t end, uint64_t boundary, uint64_t at) {
	return boundary > at && boundary < end ? boundary : end;
}

static void tail_over(struct ring *ring, int slot, uint32_t serial) {
	ring->playing[slot] = 0;
	ring->over[slot] = serial;
}

/* Whether the tail is heard at frame `at`; `end` comes nearer where that changes. */
static bool tail_at(struct ring *ring, const struct tail_view *tail, int slot, uint64_t at,
	uint64_t *end, bool *broken) {
	if (tail->serial == 0 || ring->over[slot] == tail->serial)
		return false;
	if (at < tail->frame) {
		*end = sooner(*end, tail->frame, at);
		return false;
	}
	bool plays = ring->playing[slot] == tail->serial;
	if (at < tail->there && (plays || at == tail->frame)) {
		ring->playing[slot] = tail->serial;
		*end = sooner(*end, tail->there, at);
		return true;
	}
	/* At its end, or it ends early, or begins late, or came when its place was past. */
	if (at < tail->end && (plays || at == tail->frame))
		*broken = true;
	tail_over(ring, slot, tail->serial);
	return false;
}

/* The slot of the tail that began first. */
static int older_slot(const struct view *view) {
	return view->tails[0].serial - view->tails[1].serial < UINT32_MAX / 2 ? 1 : 0;
}

/* What frame `at` is made of, and those behind it up to the end that is returned. */
static uint64_t sources_at(struct ring *ring, const struct view *view, uint64_t at, uint64_t end,
	struct sources *sources) {
	*sources = (struct sources){.main = at >= view->start && at < view->written};
	end = sooner(end, view->start, at);
	end = sooner(end, view->written, at);
	for (int i = 0; i < RING_BREAKS; i++) {
		sources->broken |= view->breaks[i] == at;
		end = sooner(end, view->breaks[i], at);
	}
	bool goes_on = false;
	int older = older_slot(view), newer = 1 - older;
	bool newer_played = ring->playing[newer] != 0;
	sources->tails[newer] =
		tail_at(ring, &view->tails[newer], newer, at, &end, &sources->broken);
	/* What faded into it has gone with it. */
	if (newer_played && !sources->tails[newer] && ring->playing[older])
		tail_over(ring, older, view->tails[older].serial);
	sources->tails[older] =
		tail_at(ring, &view->tails[older], older, at, &end, &sources->broken);
	for (int i = 0; i < RING_TAILS; i++)
		goes_on |= sources->tails[i] && at == view->tails[i].frame;
	/* The main source may end where its tail begins. */
	if (sources->main != ring->there && !(goes_on && ring->there))
		sources->broken = true;
	ring->there = sources->main;
	return end;
}

static void fade_from_here(struct ring *ring) {
	memcpy(ring->last, ring->heard, sizeof(ring->last));
	ring->gain = 0;
}

static void copy(float *to, const float *from, uint32_t frames) {
	for (uint32_t i = 0; i < frames; i++)
		to[i] = ring_mend(from[i]);
}

static void copy_main(
	const struct ring *ring, uint32_t channel, uint64_t at, uint32_t frames, float *out) {
	const float *samples = ring_samples(ring, channel);
	uint32_t offset = (uint32_t)(at % RING_FRAMES);
	uint32_t first = frames < RING_FRAMES - offset ? frames : RING_FRAMES - offset;
	copy(out, samples + offset, first);
	copy(out + first, samples, frames - first);
}

static void copy_tail(const struct ring *ring, const struct tail_view *tail, int slot,
	uint32_t channel, uint64_t at, uint32_t frames, float *out) {
	const float *samples = ring_tail_samples(ring, (uint32_t)slot, channel);
	copy(out, samples + (at - tail->frame), frames);
}

/* What is in `out`, the tail, fades into the next source. */
static void fade_into(
	float *out, const float *next, uint32_t frames, const struct tail_view *tail, uint64_t at) {
	float step = 1.0f / (float)(tail->end - tail->frame);
	uint32_t done = (uint32_t)(at - tail->frame);
	for (uint32_t i = 0; i < frames; i++) {
		float gone = (float)(done + i) * step;
		out[i] = next[i] + (out[i] - next[i]) * (1 - gone);
	}
}

#define PIECE 64 /* frames; on the stack */

static void mix_piece(struct ring *ring, const struct view *view, const struct sources *sources,
	uint32_t channel, uint64_t at, uint32_t frames, float *out) {
	int older = older_slot(view);
	const struct tail_view *fading = NULL;
	float next[PIECE];
	for (int i = 0; i < RING_TAILS; i++) {
		int slot = i == 0 ? older : 1 - older;
		if (!sources->tails[slot])
			continue;
		copy_tail(ring, &view->tails[slot], slot, channel, at, frames, fading ? next : out);
		if (fading)
			fade_into(out, next, frames, fading, at);
		fading = &view->tails[slot];
	}
	float *to = fading ? next : out;
	if (sources->main)
		copy_main(ring, channel, at, frames, to);
	else
		memset(to, 0, frames * sizeof(*to));
	if (fading)
		fade_into(out, next, frames, fading, at);
}

/* What was heard last goes over into what is in `out` now. */
static void fade_over(
	struct ring *ring, uint32_t frames, uint32_t offset, float *const out[RING_CHANNELS_MAX]) {
	float gain = ring->gain;
	for (uint32_t c = 0; c < ring->channels; c++) {
		float *to = out[c] + offset;
		gain = ring->gain;
		for (uint32_t i = 0; i < frames && gain < 1; i++) {
			gain += 1.0f / FADE;
			to[i] = ring->last[c] * (1 - gain) + to[i] * gain;
		}
		ring->heard[c] = to[frames - 1];
	}
	ring->gain = gain;
}

/* A stretch of one make. */
static void mix(struct ring *ring, const struct view *view, const struct sources *sources,
	uint64_t at, uint32_t frames, uint32_t offset, float *const out[RING_CHANNELS_MAX]) {
	for (uint32_t c = 0; c < ring->channels; c++) {
		float *to = out[c] + offset;
		for (uint32_t done = 0; done < frames; done += PIECE) {
			uint32_t n = frames - done < PIECE ? frames - done : PIECE;
			mix_piece(ring, view, sources, c, at + done, n, to + done);
		}
	}
	fade_over(ring, frames, offset, out);
}

static void count(struct ring *ring, uint32_t taken, uint32_t late, uint32_t late_times) {
	struct ring_memory *memory = ring->memory;
	atomic_fetch_add_explicit(&memory->cycles, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&memory->taken, taken, memory_order_relaxed);
	if (late)
		atomic_fetch_add_explicit(&memory->late, late, memory_order_relaxed);
	if (late_times)
		atomic_fetch_add_explicit(&memory->late_times, late_times, memory_order_relaxed);
}

static void note_peaks(struct ring *ring, uint32_t frames, float *const out[RING_CHANNELS_MAX]) {
	for (uint32_t c = 0; c < ring->channels; c++) {
		float peak = 0;
		for (uint32_t i = 0; i < frames; i++) {
			float loud = fabsf(out[c][i]);
			peak = loud > peak ? loud : peak;
		}
		_Atomic float *kept = &ring->memory->peaks[c];
		if (!(atomic_load_explicit(kept, memory_order_relaxed) >= peak))
			atomic_store_explicit(kept, peak, memory_order_relaxed);
	}
}

uint32_t ring_read(
	struct ring *ring, uint64_t frame, uint32_t frames, float *const out[RING_CHANNELS_MAX]) {
	struct ring_memory *memory = ring->memory;
	if (frames == 0)
		return 0;
	bool resting = atomic_load_explicit(&memory->resting, memory_order_acquire);
	struct view view;
	look(ring, frame, &view);
	bool jump = frame != ring->position || ring->silent || ring->leapt;
	ring->silent = ring->leapt = false;
	for (int i = 0; i < RING_TAILS; i++)
		if (ring->playing[i] && ring->playing[i] != view.tails[i].serial) {
			ring->playing[i] = 0;
			jump = true;
		}
	uint32_t late = 0, late_times = 0, taken = 0;
	for (uint64_t at = frame, end = frame + frames; at < end;) {
		struct sources sources;
		uint64_t until = sources_at(ring, &view, at, end, &sources);
		if (sources.broken || (jump && at == frame))
			fade_from_here(ring);
		uint32_t n = (uint32_t)(until - at);
		mix(ring, &view, &sources, at, n, (uint32_t)(at - frame), out);
		bool missing = !sources.main && !resting;
		late += missing ? n : 0;
		late_times += missing && !ring->late;
		taken += sources.main ? n : 0;
		ring->late = missing;
		at = until;
	}
	ring->position = frame + frames;
	note_peaks(ring, frames, out);
	count(ring, taken, late, late_times);
	/* From here on the producer may write there. */
	atomic_store(&memory->read, ring->position);
	return late;
}

void ring_silence(struct ring *ring, uint32_t frames, float *const out[RING_CHANNELS_MAX]) {
	if (frames == 0)
		return;
	if (!ring->silent)
		fade_from_here(ring);
	ring->silent = true;
	for (uint32_t c = 0; c < ring->channels; c++)
		memset(out[c], 0, frames * sizeof(*out[c]));
	fade_over(ring, frames, 0, out);
	note_peaks(ring, frames, out);
}

void ring_skip(struct ring *ring, uint64_t frame) {
	memset(ring->heard, 0, sizeof(ring->heard));
	fade_from_here(ring);
	for (int i = 0; i < RING_TAILS; i++)
		ring->playing[i] = 0;
	ring->position = frame;
	ring->there = ring->late = ring->silent = ring->leapt = false;
	atomic_store(&ring->memory->read, frame);
}

void ring_leap(struct ring *ring, uint64_t frame) {
	ring->position = frame;
	ring->leapt = true;
	atomic_store(&ring->memory->read, frame);
}

bool ring_resting(const struct ring *ring) {
	return atomic_load_explicit(&ring->memory->resting, memory_order_acquire) != 0;
}

uint32_t ring_ready(const struct ring *ring, uint64_t frame) {
	struct view view;
	look(ring, frame, &view);
	if (frame < view.start || frame >= view.written)
		return 0;
	uint64_t ready = view.written - frame;
	for (int i = 0; i < RING_TAILS; i++) {
		const struct tail_view *tail = &view.tails[i];
		bool heard = frame <= tail->frame || ring->playing[i] == tail->serial;
		if (tail->serial == 0 || ring->over[i] == tail->serial || !heard ||
			frame >= tail->end || tail->there == tail->end)
			continue;
		if (tail->there <= frame)
			return 0;
		if (tail->there - frame < ready)
			ready = tail->there - frame;
	}
	return (uint32_t)ready;
}

void ring_want(struct ring *ring, uint32_t frames) {
	ring->want = frames < RING_FRAMES ? frames : RING_FRAMES;
	atomic_store_explicit(&ring->memory->want, ring->want, memory_order_relaxed);
}

void ring_quantum(struct ring *ring, uint32_t frames) {
	atomic_store_explicit(&ring->memory->quantum, frames, memory_order_relaxed);
}

void ring_patient(struct ring *ring, bool patient) {
	atomic_store_explicit(&ring->memory->patient, patient, memory_order_relaxed);
}

bool ring_should_wake(struct ring *ring) {
	struct ring_memory *memory = ring->memory;
	uint64_t written = atomic_load_explicit(&memory->written, memory_order_acquire);
	if (written > ring->position && written - ring->position >= ring->want)
		return false;
	return atomic_load(&memory->woken) == 0 && atomic_exchange(&memory->woken, 1) == 0;
}

static uint64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool ring_wait(struct ring *ring, uint64_t frame, uint32_t frames, uint64_t timeout_ns) {
	struct ring_memory *memory = ring->memory;
	uint64_t end = now_ns() + timeout_ns;
	atomic_store(&memory->waiting, 1);
	bool ready;
	for (;;) {
		uint32_t change = atomic_load(&memory->changes);
		ready = ring_ready(ring, frame) >= frames;
		uint64_t now = now_ns();
		if (ready || now >= end || atomic_load(&memory->resting))
			break;
		struct timespec left = {
			(time_t)((end - now) / 1000000000u), (long)((end - now) % 1000000000u)};
		syscall(SYS_futex, &memory->changes, FUTEX_WAIT, change, &left, NULL, 0);
	}
	atomic_store(&memory->waiting, 0);
	return ready;
}

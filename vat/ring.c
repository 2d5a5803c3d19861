/* SPDX-License-Identifier: MIT */
/*
 * The ring's memory, its producer, and what anybody may ask. The consumer is in ring_read.c.
 *
 * `written` and `start` bound what is there: [start, written), start being moved on first when the
 * producer goes on behind a gap. The producer fills at most [read, read + RING_FRAMES), so nothing
 * is overwritten while it is read.
 */
#include <fcntl.h>
#include <float.h>
#include <limits.h>
#include <linux/futex.h>
#include <math.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"
#include "ring_memory.h"

static uint64_t size_of(uint32_t channels) {
	return RING_HEAD +
		(uint64_t)channels * sizeof(float) *
		(RING_FRAMES + RING_TAILS * (uint64_t)RING_TAIL_FRAMES);
}

int ring_create(uint32_t channels, struct vat_error *err) {
	if (channels < 1 || channels > RING_CHANNELS_MAX)
		return vat_fail(err, EINVAL, "ring: %u channels, there can be 1 to %d", channels,
			RING_CHANNELS_MAX);
	int fd = vat_memfd_fixed("source-city-ring", size_of(channels));
	if (fd < 0)
		return vat_fail(err, -fd, "ring: cannot be made: %s", strerror(-fd));
	struct ring_memory head = {
		.magic = RING_MAGIC, .version = RING_VERSION, .channels = channels, .resting = 1};
	int rc = vat_write_all(fd, &head, sizeof(head), 0);
	if (rc == 0)
		return fd;
	close(fd);
	return vat_fail(err, -rc, "ring: cannot be written: %s", strerror(-rc));
}

int ring_map(struct ring *ring, int fd, bool consumer, struct vat_error *err) {
	*ring = (struct ring){0};
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	if (fstat(fd, &st) < 0 || st.st_size < (off_t)size_of(1) ||
		st.st_size > (off_t)size_of(RING_CHANNELS_MAX) || seals < 0 ||
		!(seals & F_SEAL_SHRINK))
		return vat_fail(err, EBADMSG, "ring: what came is no ring");
	struct ring_memory *memory =
		mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return vat_fail(err, errno, "ring: cannot be mapped: %s", strerror(errno));
	/* Once: who writes to it may write here too. */
	uint32_t channels = atomic_load_explicit(&memory->channels, memory_order_relaxed);
	if (memory->magic != RING_MAGIC || memory->version != RING_VERSION || channels < 1 ||
		channels > RING_CHANNELS_MAX || size_of(channels) != (uint64_t)st.st_size) {
		munmap(memory, (size_t)st.st_size);
		return vat_fail(
			err, EBADMSG, "ring: what came is no ring, or one of another version");
	}
	ring->memory = memory;
	ring->size = (size_t)st.st_size;
	ring->channels = channels;
	ring->consumer = consumer;
	return 0;
}

void ring_unmap(struct ring *ring) {
	if (ring->memory)
		munmap(ring->memory, ring->size);
	*ring = (struct ring){0};
}

float *ring_samples(const struct ring *ring, uint32_t channel) {
	return (float *)((char *)ring->memory + RING_HEAD) + (size_t)channel * RING_FRAMES;
}

float *ring_tail_samples(const struct ring *ring, uint32_t tail, uint32_t channel) {
	return ring_samples(ring, ring->channels) +
		((size_t)tail * ring->channels + channel) * RING_TAIL_FRAMES;
}

/* ------------------------------------------------------------------ anybody */

/* A position that nobody can have got to is garbage, and none. */
static uint64_t position(const _Atomic uint64_t *from) {
	uint64_t frame = atomic_load_explicit(from, memory_order_acquire);
	return frame < RING_FRAME_LIMIT ? frame : 0;
}

uint64_t ring_written(const struct ring *ring) {
	return position(&ring->memory->written);
}

uint64_t ring_position(const struct ring *ring) {
	return position(&ring->memory->read);
}

void ring_counts(const struct ring *ring, struct ring_counts *counts) {
	const struct ring_memory *memory = ring->memory;
	*counts = (struct ring_counts){
		.cycles = atomic_load_explicit(&memory->cycles, memory_order_relaxed),
		.frames = atomic_load_explicit(&memory->taken, memory_order_relaxed),
		.late = atomic_load_explicit(&memory->late, memory_order_relaxed),
		.late_times = atomic_load_explicit(&memory->late_times, memory_order_relaxed),
		.mended = atomic_load_explicit(&memory->mended, memory_order_relaxed),
		.quantum = atomic_load_explicit(&memory->quantum, memory_order_relaxed),
		.patient = atomic_load_explicit(&memory->patient, memory_order_relaxed),
	};
}

void ring_peaks(struct ring *ring, float peaks[RING_CHANNELS_MAX]) {
	memset(peaks, 0, RING_CHANNELS_MAX * sizeof(*peaks));
	for (uint32_t c = 0; c < ring->channels; c++) {
		float peak = atomic_exchange_explicit(
			&ring->memory->peaks[c], 0.0f, memory_order_relaxed);
		peaks[c] = peak >= 0 && peak <= RING_LOUDEST ? peak : 0;
	}
}

/* ------------------------------------------------------------------ the producer */

uint32_t ring_wanted_ahead(struct ring *ring, uint32_t more, uint64_t *frame, uint64_t *skipped) {
	struct ring_memory *memory = ring->memory;
	/* In this order: when the consumer takes more behind this, it wakes again. */
	atomic_store(&memory->woken, 0);
	uint64_t read = atomic_load(&memory->read);
	if (read >= RING_FRAME_LIMIT)
		read = 0;
	uint64_t written = ring_written(ring);
	*skipped = read > written ? read - written : 0;
	*frame = written + *skipped;
	uint64_t target =
		(uint64_t)atomic_load_explicit(&memory->want, memory_order_relaxed) + more;
	if (target > RING_FRAMES)
		target = RING_FRAMES;
	uint64_t ahead = *frame - read;
	return ahead < target ? (uint32_t)(target - ahead) : 0;
}

uint32_t ring_wanted(struct ring *ring, uint64_t *frame, uint64_t *skipped) {
	return ring_wanted_ahead(ring, 0, frame, skipped);
}

/* One channel, mended; how much there was to mend. Nobody hears a denormal. */
static uint32_t put(float *to, const float *from, uint32_t frames) {
	uint32_t mended = 0;
	for (uint32_t i = 0; i < frames; i++) {
		float loud = fabsf(from[i]);
		to[i] = loud < FLT_MIN ? 0 : ring_mend(from[i]);
		mended += !(loud <= RING_LOUDEST);
	}
	return mended;
}

static void add_mended(struct ring_memory *memory, uint32_t mended) {
	if (mended)
		atomic_fetch_add_explicit(&memory->mended, mended, memory_order_relaxed);
}

/* Whoever waits in ring_wait looks again. */
static void tell(struct ring_memory *memory) {
	atomic_fetch_add(&memory->changes, 1);
	if (atomic_load(&memory->waiting))
		syscall(SYS_futex, &memory->changes, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void ring_write(struct ring *ring, uint64_t frame, uint32_t frames,
	const float *const samples[RING_CHANNELS_MAX]) {
	struct ring_memory *memory = ring->memory;
	if (frames > RING_FRAMES)
		frames = RING_FRAMES;
	if (frames == 0)
		return;
	if (frame != atomic_load_explicit(&memory->written, memory_order_relaxed))
		atomic_store_explicit(&memory->start, frame, memory_order_release);
	uint32_t at = (uint32_t)(frame % RING_FRAMES);
	uint32_t first = frames < RING_FRAMES - at ? frames : RING_FRAMES - at;
	uint32_t mended = 0;
	for (uint32_t c = 0; c < ring->channels; c++) {
		float *to = ring_samples(ring, c);
		mended += put(to + at, samples[c], first);
		mended += put(to, samples[c] + first, frames - first);
	}
	add_mended(memory, mended);
	atomic_store_explicit(&memory->written, frame + frames, memory_order_release);
	atomic_store_explicit(&memory->resting, 0, memory_order_release);
	tell(memory);
}

static void add_break(struct ring_memory *memory, uint64_t frame) {
	uint32_t count = atomic_load_explicit(&memory->break_count, memory_order_relaxed);
	/* Resting twice at one place is resting once. */
	if (memory->breaks[(count - 1) % RING_BREAKS] == frame)
		return;
	atomic_store_explicit(&memory->breaks[count % RING_BREAKS], frame, memory_order_release);
	atomic_store_explicit(&memory->break_count, count + 1, memory_order_release);
}

void ring_tail_begin(struct ring *ring, uint64_t frame, uint32_t frames) {
	struct ring_memory *memory = ring->memory;
	if (frames > RING_TAIL_FRAMES)
		frames = RING_TAIL_FRAMES;
	uint32_t serial = atomic_load_explicit(&memory->tail_serial, memory_order_relaxed) + 1;
	if (serial == 0)
		serial = 1;
	struct ring_tail *tail = &memory->tails[serial % RING_TAILS];
	/* One that has not been heard yet gives way: what it would have led over to is faded to. */
	uint64_t before = atomic_load_explicit(&tail->frame, memory_order_relaxed);
	if (atomic_load_explicit(&tail->serial, memory_order_relaxed) &&
		before >= ring_position(ring))
		add_break(memory, before);
	/* Nobody takes it for one while it is changed. */
	atomic_store_explicit(&tail->serial, 0, memory_order_release);
	atomic_store_explicit(&tail->frame, frame, memory_order_release);
	atomic_store_explicit(&tail->frames, frames, memory_order_release);
	atomic_store_explicit(&tail->written, 0, memory_order_release);
	atomic_store_explicit(&tail->serial, frames ? serial : 0, memory_order_release);
	atomic_store_explicit(&memory->tail_serial, serial, memory_order_release);
	tell(memory);
}

void ring_tail_write(
	struct ring *ring, uint32_t frames, const float *const samples[RING_CHANNELS_MAX]) {
	struct ring_memory *memory = ring->memory;
	uint32_t slot =
		atomic_load_explicit(&memory->tail_serial, memory_order_relaxed) % RING_TAILS;
	struct ring_tail *tail = &memory->tails[slot];
	uint32_t written = atomic_load_explicit(&tail->written, memory_order_relaxed);
	uint32_t end = atomic_load_explicit(&tail->frames, memory_order_relaxed);
	if (end > RING_TAIL_FRAMES || written > end)
		return;
	if (frames > end - written)
		frames = end - written;
	uint32_t mended = 0;
	for (uint32_t c = 0; c < ring->channels; c++)
		mended += put(ring_tail_samples(ring, slot, c) + written, samples[c], frames);
	add_mended(memory, mended);
	atomic_store_explicit(&tail->written, written + frames, memory_order_release);
	tell(memory);
}

void ring_rest(struct ring *ring) {
	struct ring_memory *memory = ring->memory;
	add_break(memory, atomic_load_explicit(&memory->written, memory_order_relaxed));
	atomic_store_explicit(&memory->resting, 1, memory_order_release);
	tell(memory);
}

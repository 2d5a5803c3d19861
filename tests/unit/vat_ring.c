/* SPDX-License-Identifier: MIT */
/* The ring, by one thread: against a model that takes one frame at a time, for clicks, and with
 * garbage in its memory. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring.h"
#include "ring_memory.h"
#include "vat.h"

#define CHANNELS 2
#define SPAN 400000 /* frames of the longest test */
#define FADE 256

static uint64_t seed = 88172645463325252ull;

static uint64_t chance(uint64_t below) {
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

struct pair {
	int fd;
	struct ring producer, consumer;
};

static void pair_make(struct pair *pair) {
	struct vat_error err;
	pair->fd = ring_create(CHANNELS, &err);
	assert_true(pair->fd >= 0);
	assert_int_equal(ring_map(&pair->producer, pair->fd, false, &err), 0);
	assert_int_equal(ring_map(&pair->consumer, pair->fd, true, &err), 0);
}

static void pair_end(struct pair *pair) {
	ring_unmap(&pair->producer);
	ring_unmap(&pair->consumer);
	close(pair->fd);
}

/* A sound that names its frame and the version that made it, exactly. */
static float sample(uint64_t frame, uint32_t channel, int version) {
	return ldexpf((float)(frame % 65536), -17) * (channel ? -1.0f : 1.0f) +
		(float)version * 0.25f;
}

static float buffers[CHANNELS][RING_FRAMES];
static float taken[CHANNELS][RING_FRAMES];

static void render(uint64_t frame, uint32_t frames, int version) {
	for (uint32_t c = 0; c < CHANNELS; c++)
		for (uint32_t i = 0; i < frames; i++)
			buffers[c][i] = sample(frame + i, c, version);
}

static const float *const *in(void) {
	static const float *const pointers[RING_CHANNELS_MAX] = {buffers[0], buffers[1]};
	return pointers;
}

static float *const *out(void) {
	static float *const pointers[RING_CHANNELS_MAX] = {taken[0], taken[1]};
	return pointers;
}

static void put(struct pair *pair, uint64_t frame, uint32_t frames, int version) {
	render(frame, frames, version);
	ring_write(&pair->producer, frame, frames, in());
}

static void tail(struct pair *pair, uint64_t frame, uint32_t frames, int version) {
	render(frame, frames, version);
	ring_tail_write(&pair->producer, frames, in());
}

/* All that is wanted, in slices. */
static void fill(struct pair *pair, int version) {
	uint64_t frame, skipped;
	for (uint32_t n; (n = ring_wanted(&pair->producer, &frame, &skipped)) > 0;) {
		uint32_t slice = 1 + (uint32_t)chance(1024);
		put(pair, frame, n < slice ? n : slice, version);
	}
}

/* ------------------------------------------------------------------ plain cases */

static void test_new_ring(void **state) {
	struct pair pair;
	pair_make(&pair);
	uint64_t frame, skipped;
	assert_int_equal(ring_wanted(&pair.producer, &frame, &skipped), 0);
	assert_int_equal(ring_ready(&pair.consumer, 0), 0);
	for (int i = 0; i < 3; i++) {
		taken[0][0] = taken[1][99] = 5;
		assert_int_equal(ring_read(&pair.consumer, 1000 + 100u * i, 100, out()), 0);
		assert_true(taken[0][0] == 0 && taken[1][99] == 0);
	}
	struct ring_counts counts;
	ring_counts(&pair.producer, &counts);
	assert_int_equal(counts.cycles, 3);
	assert_int_equal(counts.frames, 0);
	assert_int_equal(counts.late, 0);
	assert_int_equal(counts.quantum, 0);
	ring_quantum(&pair.consumer, 100);
	ring_counts(&pair.producer, &counts);
	assert_int_equal(counts.quantum, 100);
	assert_false(counts.patient);
	ring_patient(&pair.consumer, true);
	ring_counts(&pair.producer, &counts);
	assert_true(counts.patient);
	ring_want(&pair.consumer, 256);
	assert_true(ring_should_wake(&pair.consumer));
	assert_int_equal(ring_wanted(&pair.producer, &frame, &skipped), 256);
	assert_int_equal(frame, 1300);
	assert_int_equal(skipped, 1300);
	assert_int_equal(ring_position(&pair.producer), 1300);
	pair_end(&pair);
}

static void test_what_goes_in_comes_out(void **state) {
	struct pair pair;
	pair_make(&pair);
	ring_want(&pair.consumer, 2048);
	uint64_t at = 7;
	ring_read(&pair.consumer, 0, 7, out());
	for (int i = 0; i < 400; i++) {
		fill(&pair, 0);
		uint32_t n = 1 + (uint32_t)chance(2048);
		assert_true(ring_ready(&pair.consumer, at) >= n);
		assert_int_equal(ring_read(&pair.consumer, at, n, out()), 0);
		for (uint32_t k = 0; k < n; k++)
			for (uint32_t c = 0; c < CHANNELS && at + k >= 7 + FADE; c++)
				assert_true(taken[c][k] == sample(at + k, c, 0));
		at += n;
	}
	struct ring_counts counts;
	ring_counts(&pair.consumer, &counts);
	assert_int_equal(counts.frames, at - 7);
	assert_int_equal(counts.late, 0);
	assert_true(at > 10 * RING_FRAMES);
	pair_end(&pair);
}

static void test_late_frames_are_gone(void **state) {
	struct pair pair;
	pair_make(&pair);
	ring_want(&pair.consumer, 512);
	fill(&pair, 0);
	assert_int_equal(ring_read(&pair.consumer, 0, 512, out()), 0);
	assert_int_equal(ring_read(&pair.consumer, 512, 512, out()), 512);
	/* Faded out from where it was. */
	for (uint32_t k = 0; k < 512; k++) {
		float left = k < FADE ? 1 - (float)(k + 1) / FADE : 0;
		assert_true(taken[0][k] == sample(511, 0, 0) * left);
	}
	assert_int_equal(ring_read(&pair.consumer, 1024, 512, out()), 512);
	uint64_t frame, skipped;
	assert_int_equal(ring_wanted(&pair.producer, &frame, &skipped), 512);
	assert_int_equal(frame, 1536);
	assert_int_equal(skipped, 1024);
	/* A part of them comes, and then the rest is late. */
	put(&pair, 1536, 300, 0);
	assert_int_equal(ring_read(&pair.consumer, 1536, 512, out()), 212);
	assert_true(taken[0][299] == sample(1536 + 299, 0, 0));
	assert_true(fabsf(taken[0][300]) <= fabsf(taken[0][299]));
	struct ring_counts counts;
	ring_counts(&pair.producer, &counts);
	assert_int_equal(counts.late, 1024 + 212);
	assert_int_equal(counts.late_times, 2);
	/* What was on its way is not heard, and harms nothing. */
	put(&pair, 1836, 100, 0);
	assert_int_equal(ring_ready(&pair.consumer, 2048), 0);
	assert_int_equal(ring_wanted(&pair.producer, &frame, &skipped), 512);
	assert_int_equal(frame, 2048);
	/* What lies in a gap is not heard, whoever made it. */
	put(&pair, 2048 + 512, 512, 0);
	assert_int_equal(ring_read(&pair.consumer, 2048, 1024, out()), 512);
	for (uint32_t k = FADE; k < 512; k++)
		assert_true(taken[0][k] == 0);
	assert_true(taken[0][1023] == sample(2048 + 1023, 0, 0));
	pair_end(&pair);
}

static void test_rest_is_not_late(void **state) {
	struct pair pair;
	pair_make(&pair);
	ring_want(&pair.consumer, 512);
	fill(&pair, 0);
	ring_rest(&pair.producer);
	assert_int_equal(ring_read(&pair.consumer, 0, 400, out()), 0);
	assert_true(taken[0][399] == sample(399, 0, 0)); /* what is written is played */
	assert_int_equal(ring_read(&pair.consumer, 400, 512, out()), 0);
	assert_true(taken[0][511] == 0);
	fill(&pair, 1);
	assert_int_equal(ring_read(&pair.consumer, 912, 512, out()), 0);
	assert_true(taken[0][511] == sample(912 + 511, 0, 1));
	assert_int_equal(ring_read(&pair.consumer, 1424, 512, out()), 512);
	pair_end(&pair);
}

/* What a version writes behind a rest does not go on from what is there. */
static void test_rest_breaks(void **state) {
	struct pair pair;
	pair_make(&pair);
	ring_want(&pair.consumer, 1024);
	put(&pair, 0, 700, 0);
	ring_rest(&pair.producer);
	ring_rest(&pair.producer);
	put(&pair, 700, 700, 1);
	assert_int_equal(ring_read(&pair.consumer, 0, 1400, out()), 0);
	assert_true(taken[0][699] == sample(699, 0, 0));
	for (uint32_t k = 700; k < 1400; k++) {
		assert_true(fabsf(taken[0][k] - taken[0][k - 1]) < 1.0f / FADE);
		if (k >= 700 + FADE)
			assert_true(taken[0][k] == sample(k, 0, 1));
	}
	pair_end(&pair);
}

static void test_mended(void **state) {
	struct pair pair;
	pair_make(&pair);
	render(0, 1024, 0);
	buffers[0][512] = NAN;
	buffers[0][513] = INFINITY;
	buffers[0][514] = -INFINITY;
	buffers[1][515] = 17;
	buffers[1][516] = -1e30f;
	buffers[1][517] = 1e-40f;
	buffers[1][518] = 16;
	ring_write(&pair.producer, 0, 1024, in());
	ring_read(&pair.consumer, 0, 1024, out());
	assert_true(taken[0][512] == 0 && taken[0][513] == 0 && taken[0][514] == 0);
	assert_true(taken[1][515] == 16 && taken[1][516] == -16 && taken[1][517] == 0);
	assert_true(taken[1][518] == 16);
	struct ring_counts counts;
	ring_counts(&pair.producer, &counts);
	assert_int_equal(counts.mended, 5);
	float peaks[RING_CHANNELS_MAX];
	ring_peaks(&pair.producer, peaks);
	assert_true(peaks[0] > 0 && peaks[0] < 1 && peaks[1] == 16 && peaks[2] == 0);
	ring_peaks(&pair.producer, peaks);
	assert_true(peaks[0] == 0 && peaks[1] == 0);
	pair_end(&pair);
}

static void test_wake(void **state) {
	struct pair pair;
	pair_make(&pair);
	uint64_t frame, skipped;
	ring_want(&pair.consumer, 256);
	ring_wanted(&pair.producer, &frame, &skipped);
	assert_true(ring_should_wake(&pair.consumer));
	assert_false(ring_should_wake(&pair.consumer)); /* once */
	fill(&pair, 0);
	assert_false(ring_should_wake(&pair.consumer)); /* enough */
	ring_read(&pair.consumer, 0, 64, out());
	assert_true(ring_should_wake(&pair.consumer));
	fill(&pair, 0);
	/* Further ahead than is wanted, at most what has room. */
	assert_int_equal(ring_wanted(&pair.producer, &frame, &skipped), 0);
	assert_int_equal(ring_wanted_ahead(&pair.producer, 1000, &frame, &skipped), 1000);
	assert_int_equal(
		ring_wanted_ahead(&pair.producer, 1u << 31, &frame, &skipped), RING_FRAMES - 256);
	pair_end(&pair);
}

static void test_no_ring(void **state) {
	struct ring ring;
	struct vat_error err;
	assert_true(ring_create(0, &err) < 0);
	assert_true(ring_create(RING_CHANNELS_MAX + 1, &err) < 0);
	assert_true(ring_map(&ring, -1, true, &err) < 0);
	int fd = memfd_create("other", MFD_ALLOW_SEALING);
	assert_true(ring_map(&ring, fd, true, &err) < 0);
	assert_int_equal(ftruncate(fd, 2 << 20), 0);
	assert_true(ring_map(&ring, fd, true, &err) < 0); /* can shrink */
	close(fd);
	/* The head of one with more channels on the memory of one with less, and so on. */
	for (int what = 0; what < 4; what++) {
		fd = ring_create(2, &err);
		assert_int_equal(ring_map(&ring, fd, false, &err), 0);
		switch (what) {
		case 0:
			ring.memory->channels = 3;
			break;
		case 1:
			ring.memory->channels = 0;
			break;
		case 2:
			ring.memory->magic++;
			break;
		case 3:
			ring.memory->version++;
			break;
		}
		struct ring other;
		assert_int_equal(ring_map(&other, fd, true, &err), -EBADMSG);
		assert_null(other.memory);
		ring_unmap(&ring);
		close(fd);
	}
}

/* ------------------------------------------------------------------ tails */

/* A handover: A up to frame `splice` and a tail behind it, B from there on. */
static void hand_over(struct pair *pair, uint64_t splice, uint32_t length, int a, int b) {
	put(pair, splice - 600, 600, a);
	ring_tail_begin(&pair->producer, splice, length);
	for (uint32_t done = 0; done < length;) {
		uint32_t n = 1 + (uint32_t)chance(300);
		n = n < length - done ? n : length - done;
		tail(pair, splice + done, n, a);
		done += n;
	}
	put(pair, splice, length + 600, b);
}

static void test_equal_code_is_not_heard(void **state) {
	struct pair pair;
	pair_make(&pair);
	hand_over(&pair, 600, 960, 0, 0);
	uint64_t at = 0;
	while (at < 2000) {
		uint32_t n = 1 + (uint32_t)chance(160);
		assert_int_equal(ring_read(&pair.consumer, at, n, out()), 0);
		for (uint32_t k = 0; k < n; k++)
			if (at + k >= FADE)
				assert_true(taken[1][k] == sample(at + k, 1, 0));
		at += n;
	}
	pair_end(&pair);
}

static void test_other_code_fades_in(void **state) {
	struct pair pair;
	pair_make(&pair);
	hand_over(&pair, 600, 960, 0, 1);
	assert_int_equal(ring_read(&pair.consumer, 0, 2000, out()), 0);
	assert_true(taken[0][599] == sample(599, 0, 0));
	assert_true(taken[0][600] == sample(600, 0, 0));
	for (uint32_t k = FADE; k < 2000; k++) {
		assert_true(fabsf(taken[0][k] - taken[0][k - 1]) < 0.25f / 960 + 2e-5f);
		if (k >= 600 && k < 1560) {
			float a = sample(k, 0, 0), b = sample(k, 0, 1);
			float gone = (float)(k - 600) * (1.0f / 960);
			assert_true(taken[0][k] == b + (a - b) * (1 - gone));
		} else if (k >= 1560) {
			assert_true(taken[0][k] == sample(k, 0, 1));
		}
	}
	pair_end(&pair);
}

/* A second handover begins while the first is still being faded. */
static void test_two_tails(void **state) {
	for (int equal = 0; equal < 2; equal++) {
		struct pair pair;
		pair_make(&pair);
		put(&pair, 0, 600, 0);
		ring_tail_begin(&pair.producer, 600, 2000);
		tail(&pair, 600, 2000, 0);
		put(&pair, 600, 500, equal ? 0 : 1);
		ring_tail_begin(&pair.producer, 1100, 1000);
		tail(&pair, 1100, 1000, equal ? 0 : 1);
		put(&pair, 1100, 3000, equal ? 0 : 2);
		uint64_t at = 0;
		float before = 0;
		while (at < 4000) {
			uint32_t n = 1 + (uint32_t)chance(100);
			assert_int_equal(ring_read(&pair.consumer, at, n, out()), 0);
			for (uint32_t k = 0; k < n && at + k < 4000; k++) {
				if (equal && at + k >= FADE)
					assert_true(taken[0][k] == sample(at + k, 0, 0));
				if (at + k >= FADE)
					assert_true(fabsf(taken[0][k] - before) < 2e-3f);
				before = taken[0][k];
			}
			at += n;
		}
		assert_true(fabsf(before - sample(3999, 0, equal ? 0 : 2)) < 1e-6f);
		pair_end(&pair);
	}
}

static void test_bad_tails(void **state) {
	for (int what = 0; what < 5; what++) {
		struct pair pair;
		pair_make(&pair);
		put(&pair, 0, 600, 0);
		ring_tail_begin(&pair.producer, 600, what == 4 ? 0 : 1000);
		assert_int_equal(ring_ready(&pair.consumer, 0), 600);
		put(&pair, 600, 3000, 1);
		assert_int_equal(ring_ready(&pair.consumer, 0), what == 4 ? 3600 : 600);
		assert_int_equal(ring_ready(&pair.consumer, 600), what == 4 ? 3000 : 0);
		if (what == 1) { /* ends early */
			tail(&pair, 600, 300, 0);
			assert_int_equal(ring_ready(&pair.consumer, 0), 900);
		}
		float before = 0;
		for (uint64_t at = 0; at < 3000; at += 100) {
			if (what == 2 && at == 700) /* comes when its place is past */
				tail(&pair, 600, 1000, 0);
			if (what == 3 && at == 500) { /* and another one is begun instead */
				tail(&pair, 600, 1000, 0);
			} else if (what == 3 && at == 700) {
				ring_tail_begin(&pair.producer, 3000, 10);
				ring_tail_begin(&pair.producer, 3000, 10);
			}
			assert_int_equal(ring_read(&pair.consumer, at, 100, out()), 0);
			for (uint32_t k = 0; k < 100; k++) {
				/* 0.25 jumps without a tail of no length: the new code begins. */
				if (what != 4 && at + k >= FADE)
					assert_true(fabsf(taken[0][k] - before) < 2.0f / FADE);
				before = taken[0][k];
			}
		}
		assert_true(before == sample(2999, 0, 1));
		pair_end(&pair);
	}
}

/* B is late: the old version's tail is all there is for a while. */
static void test_tail_alone(void **state) {
	struct pair pair;
	pair_make(&pair);
	ring_want(&pair.consumer, 2000);
	put(&pair, 0, 600, 0);
	ring_tail_begin(&pair.producer, 600, 960);
	tail(&pair, 600, 960, 0);
	assert_int_equal(ring_read(&pair.consumer, 0, 1000, out()), 400);
	for (uint32_t k = FADE; k < 1000; k++) {
		assert_true(fabsf(taken[0][k] - taken[0][k - 1]) < 1.0f / FADE);
		if (k >= 600) {
			float gone = (float)(k - 600) * (1.0f / 960);
			assert_true(taken[0][k] == sample(k, 0, 0) * (1 - gone));
		}
	}
	float before = taken[0][999];
	fill(&pair, 1);
	assert_int_equal(ring_read(&pair.consumer, 1000, 1000, out()), 0);
	for (uint32_t k = 0; k < 1000; before = taken[0][k++])
		assert_true(fabsf(taken[0][k] - before) < 2.0f / FADE);
	pair_end(&pair);
}

/* ------------------------------------------------------------------ the model */

struct model_tail {
	uint64_t frame;
	uint32_t frames, written;
	int version;
	bool plays, over;
};

static struct {
	signed char version[SPAN]; /* -1: not there */
	bool breaks[SPAN];
	struct model_tail tails[2]; /* the older one first */
	bool there, late, resting;
	float heard, last, gain;
	uint64_t late_frames, late_times, position;
} model;

/* One frame of channel 0. */
static float model_take(uint64_t frame) {
	int version = model.version[frame];
	bool broken = model.breaks[frame] || frame != model.position, begins = false;
	float value = 0, share = 0;
	bool any = false;
	struct model_tail *newer = &model.tails[1];
	if (newer->plays && frame >= newer->frame + newer->written) {
		model.tails[0].over |= model.tails[0].plays;
		model.tails[0].plays = false;
	}
	for (int i = 0; i < 2; i++) {
		struct model_tail *t = &model.tails[i];
		bool meant = !t->over && t->frames > 0 && frame >= t->frame &&
			frame < t->frame + t->frames;
		bool may = t->plays || frame == t->frame;
		if (meant && may && frame < t->frame + t->written) {
			float own = sample(frame, 0, t->version);
			value = any ? own + (value - own) * share : own;
			share = 1 - (float)(frame - t->frame) * (1.0f / (float)t->frames);
			any = t->plays = true;
			begins |= frame == t->frame;
			continue;
		}
		broken |= meant && may;
		if (frame >= t->frame) {
			t->over = true;
			t->plays = false;
		}
	}
	float main = version < 0 ? 0 : sample(frame, 0, version);
	value = any ? main + (value - main) * share : main;
	bool there = version >= 0;
	broken |= there != model.there && !(begins && model.there);
	model.there = there;
	if (broken) {
		model.last = model.heard;
		model.gain = 0;
	}
	if (model.gain < 1) {
		model.gain += 1.0f / FADE;
		value = model.last * (1 - model.gain) + value * model.gain;
	}
	bool late = !there && !model.resting;
	model.late_frames += late;
	model.late_times += late && !model.late;
	model.late = late;
	model.position = frame + 1;
	return model.heard = value;
}

static void model_write(uint64_t frame, uint32_t frames, int version, uint64_t written) {
	/* Behind a gap nothing from before it is there any more. */
	for (uint64_t f = model.position; frame != written && f < frame; f++)
		model.version[f] = -1;
	for (uint32_t i = 0; i < frames; i++)
		model.version[frame + i] = (signed char)version;
	model.resting = false;
}

static void test_model(void **state) {
	int tails = 0, rests = 0, late_rounds = 0;
	for (int round = 0; round < 40; round++) {
		struct pair pair;
		pair_make(&pair);
		memset(&model, 0, sizeof(model));
		memset(model.version, -1, sizeof(model.version));
		model.resting = true;
		ring_want(&pair.consumer, 500 + (uint32_t)chance(3000));
		uint64_t at = chance(1000), written = 0, left = 0, read = 0;
		int version = 0;
		uint32_t lazy = (uint32_t)chance(8);
		while (at < 60000) {
			uint64_t frame, skipped;
			uint32_t n = ring_wanted(&pair.producer, &frame, &skipped);
			if (n > 0 && chance(8) >= lazy) {
				n = 1 + (uint32_t)chance(n);
				put(&pair, frame, n, version);
				model_write(frame, n, version, written);
				written = frame + n;
			}
			uint64_t what = chance(20);
			if (what == 0) {
				uint32_t length = 1 + (uint32_t)chance(3000);
				const struct model_tail *gone = &model.tails[0];
				if (gone->plays) /* heard, and replaced */
					model.position = UINT64_MAX;
				else if (gone->frames > 0 && gone->frame >= read)
					model.breaks[gone->frame] = true;
				model.tails[0] = model.tails[1];
				model.tails[1] =
					(struct model_tail){written, length, 0, version, 0, 0};
				ring_tail_begin(&pair.producer, written, length);
				left = length;
				version = (version + 1) % 3;
				tails++;
			} else if (what == 1) {
				ring_rest(&pair.producer);
				model.breaks[written] = model.resting = true;
				version = (version + 1) % 3;
				rests++;
			}
			if (left > 0 && chance(3)) {
				struct model_tail *t = &model.tails[1];
				uint32_t some = 1 + (uint32_t)chance(left);
				tail(&pair, t->frame + t->written, some, t->version);
				t->written += some;
				left -= some;
			}
			if (chance(100) == 0)
				at += chance(300); /* the consumer jumps */
			uint32_t take = 1 + (uint32_t)chance(1500);
			ring_read(&pair.consumer, at, take, out());
			for (uint32_t k = 0; k < take; k++) {
				float expected = model_take(at + k);
				if (taken[0][k] != expected)
					fail_msg("round %d frame %llu: %.9g, not %.9g", round,
						(unsigned long long)(at + k), (double)taken[0][k],
						(double)expected);
			}
			at += take;
			read = at;
		}
		struct ring_counts counts;
		ring_counts(&pair.consumer, &counts);
		assert_int_equal(counts.late, model.late_frames);
		assert_int_equal(counts.late_times, model.late_times);
		late_rounds += counts.late > 0;
		pair_end(&pair);
	}
	assert_true(tails > 100 && rests > 100 && late_rounds > 5);
}

/* What is silent for a while, and goes on where it was. */
static void test_silence(void **state) {
	struct pair pair;
	pair_make(&pair);
	ring_want(&pair.consumer, 4096);
	fill(&pair, 1);
	ring_read(&pair.consumer, 0, 1000, out());
	ring_silence(&pair.consumer, 100, out());
	assert_true(taken[0][99] > 0.1f && taken[0][99] < taken[0][0]);
	ring_silence(&pair.consumer, 200, out());
	assert_true(taken[0][FADE - 100] == 0 && taken[0][199] == 0);
	assert_int_equal(ring_position(&pair.producer), 1000);
	assert_int_equal(ring_read(&pair.consumer, 1000, 1000, out()), 0);
	assert_true(taken[0][0] < 0.01f);
	assert_float_equal(taken[0][FADE], sample(1000 + FADE, 0, 1), 0);
	pair_end(&pair);
}

/* Frames are left out: the producer goes on behind them, and who waits for it gets some. */
static void test_leap(void **state) {
	struct pair pair;
	pair_make(&pair);
	ring_want(&pair.consumer, 4096);
	fill(&pair, 1);
	ring_read(&pair.consumer, 0, 1000, out());
	float before = taken[0][999];
	ring_leap(&pair.consumer, 9000);
	assert_true(ring_should_wake(&pair.consumer));
	uint64_t frame, skipped;
	assert_int_equal(ring_wanted(&pair.producer, &frame, &skipped), 4096);
	assert_int_equal(frame, 9000);
	fill(&pair, 1);
	assert_true(ring_wait(&pair.consumer, 9000, 1000, 0));
	assert_int_equal(ring_read(&pair.consumer, 9000, 1000, out()), 0);
	assert_true(fabsf(taken[0][0] - before) < 2.0f / FADE);
	assert_float_equal(taken[0][FADE], sample(9000 + FADE, 0, 1), 0);
	pair_end(&pair);
}

/* Handovers, failures and lateness in any order: nothing that is heard jumps. Tails are long enough
 * for that here. */
static void test_no_clicks(void **state) {
	for (int round = 0; round < 40; round++) {
		struct pair pair;
		pair_make(&pair);
		ring_want(&pair.consumer, 500 + (uint32_t)chance(5000));
		uint64_t at = chance(1000), tail_at = 0;
		uint32_t left = 0, lazy = (uint32_t)chance(8);
		int version = 0, tail_version = 0;
		float before = 0;
		while (at < 60000) { /* the sound itself jumps at 65536 */
			uint64_t frame, skipped, what = chance(16);
			uint32_t n = ring_wanted(&pair.producer, &frame, &skipped);
			if (n > 0 && chance(8) >= lazy)
				put(&pair, frame, 1 + (uint32_t)chance(n), version);
			if (what == 0) {
				tail_at = ring_written(&pair.producer);
				left = FADE + (uint32_t)chance(3000);
				ring_tail_begin(&pair.producer, tail_at, left);
				tail_version = version;
			} else if (what == 1) {
				ring_rest(&pair.producer);
			}
			version = what < 2 ? (version + 1) % 3 : version;
			if (left > 0 && chance(3)) {
				uint32_t some = 1 + (uint32_t)chance(left);
				tail(&pair, tail_at, some, tail_version);
				tail_at += some;
				left -= some;
			}
			at += chance(100) == 0 ? chance(300) : 0;
			uint32_t take = 1 + (uint32_t)chance(1500);
			/* It waits for others, for one cycle or some. */
			bool waits = chance(50) == 0 || (pair.consumer.silent && chance(3));
			bool leaps = chance(40) == 0;
			if (leaps)
				ring_leap(&pair.consumer, at += chance(6000));
			if (waits)
				ring_silence(&pair.consumer, take, out());
			else
				ring_read(&pair.consumer, at, take, out());
			for (uint32_t k = 0; k < take; before = taken[0][k++])
				if (fabsf(taken[0][k] - before) > 2.0f / FADE)
					fail_msg("round %d frame %llu: from %g to %g", round,
						(unsigned long long)(at + k), (double)before,
						(double)taken[0][k]);
			if (waits)
				assert_int_equal(
					ring_position(&pair.consumer), pair.consumer.position);
			else
				at += take;
		}
		pair_end(&pair);
	}
}

/* ------------------------------------------------------------------ bad memory */

static void test_garbage(void **state) {
	struct pair pair;
	pair_make(&pair);
	uint64_t at = 0;
	unsigned char *bytes = (unsigned char *)pair.producer.memory;
	for (int round = 0; round < 20000; round++) {
		uint64_t frame, skipped;
		ring_want(&pair.consumer, (uint32_t)chance(5000));
		for (uint64_t i = chance(8); i > 0; i--) {
			uint64_t where = 64 + chance(sizeof(struct ring_memory) - 64) / 4 * 4;
			uint32_t word = (uint32_t)chance(3) ? (uint32_t)chance(1ull << 32)
							    : (uint32_t)(at + chance(2000));
			if (chance(2))
				word >>= chance(32);
			memcpy(bytes + where, &word, sizeof(word));
		}
		for (int i = 0; i < 20; i++) { /* whatever a tile writes there */
			float any[] = {NAN, INFINITY, -1e38f, 1e-45f, 15, -16, 0.5f};
			ring_samples(&pair.producer, (uint32_t)chance(2))[chance(RING_FRAMES)] =
				any[chance(7)];
		}
		uint32_t n =
			ring_wanted_ahead(&pair.producer, (uint32_t)chance(3000), &frame, &skipped);
		assert_true(n <= RING_FRAMES);
		put(&pair, frame, n, 0);
		if (chance(4) == 0)
			ring_tail_begin(
				&pair.producer, chance(at + 5000), (uint32_t)chance(1u << 31));
		tail(&pair, at, (uint32_t)chance(2000), 0);
		uint32_t take = 1 + (uint32_t)chance(2000);
		assert_true(ring_read(&pair.consumer, at, take, out()) <= take);
		for (uint32_t k = 0; k < take; k++)
			assert_true(fabsf(taken[0][k]) <= 16 && fabsf(taken[1][k]) <= 16);
		ring_should_wake(&pair.consumer);
		ring_ready(&pair.consumer, chance(UINT64_MAX / 2));
		ring_rest(&pair.producer);
		struct ring_counts counts;
		ring_counts(&pair.producer, &counts);
		float peaks[RING_CHANNELS_MAX];
		ring_peaks(&pair.producer, peaks);
		assert_true(peaks[0] >= 0 && peaks[0] <= 16);
		at += take;
	}
	pair_end(&pair);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_ring),
		cmocka_unit_test(test_what_goes_in_comes_out),
		cmocka_unit_test(test_late_frames_are_gone),
		cmocka_unit_test(test_rest_is_not_late),
		cmocka_unit_test(test_rest_breaks),
		cmocka_unit_test(test_mended),
		cmocka_unit_test(test_wake),
		cmocka_unit_test(test_no_ring),
		cmocka_unit_test(test_equal_code_is_not_heard),
		cmocka_unit_test(test_other_code_fades_in),
		cmocka_unit_test(test_two_tails),
		cmocka_unit_test(test_bad_tails),
		cmocka_unit_test(test_tail_alone),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_leap),
		cmocka_unit_test(test_no_clicks),
		cmocka_unit_test(test_garbage),
	};
	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}

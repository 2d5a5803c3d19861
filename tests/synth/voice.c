/* SPDX-License-Identifier: MIT */
/* Notes: the same however they are cut, without steps, within bounds, and with an end. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#include <cmocka.h>

#include "patch.h"
#include "rig.h"

#define FRAMES 96000

struct take {
	float left[FRAMES], right[FRAMES];
};

/* Something is played on all sounds, at frames that nothing divides; rendered in pieces of at most
 * `most` frames of random size, or always as many as can be where `random` is NULL. */
static void play(struct rig *rig, struct take *take, uint32_t most, uint64_t *random) {
	uint64_t score = 7;
	uint32_t at = 0, id = 1;
	while (at < FRAMES) {
		uint32_t next = at + 200 + rig_random(&score) % 2000;
		uint32_t sound = rig_random(&score) % synth_sound_count();
		rig_on(rig, id, sound, (float)(30 + rig_random(&score) % 60),
			(float)(rig_random(&score) % 100) / 100);
		if (id > 6) {
			synth_note_off(&rig->synth, id - 6);
		}
		if (id % 9 == 0) {
			synth_note_fade(&rig->synth, id - 2, 0, 3000);
		}
		if (id % 11 == 0) {
			synth_echo_frames(&rig->synth, 9000 + rig_random(&score) % 30000);
			synth_volume(&rig->synth, (float)(rig_random(&score) % 3) * 0.5f);
		}
		id++;
		next = next < FRAMES ? next : FRAMES;
		while (at < next) {
			uint32_t part = next - at;
			if (random) {
				uint32_t wanted = 1 + rig_random(random) % most;
				part = wanted < part ? wanted : part;
			}
			rig_render(rig, part, take->left + at, take->right + at);
			at += part;
		}
	}
}

static void test_any_slices(void **state) {
	struct take *whole = malloc(sizeof(*whole)), *sliced = malloc(sizeof(*sliced));
	struct rig one;
	rig_init(&one);
	play(&one, whole, 0, NULL);
	static const uint32_t most[] = {1, 7, 64, 1024};
	for (size_t i = 0; i < 4; i++) {
		struct rig other;
		uint64_t random = i + 1;
		rig_init(&other);
		play(&other, sliced, most[i], &random);
		assert_memory_equal(whole, sliced, sizeof(*whole));
		assert_memory_equal(one.cells, other.cells, sizeof(*one.cells));
		rig_finish(&other);
	}
	rig_finish(&one);
	free(whole);
	free(sliced);
}

/* Another version goes on from the cells alone. */
static void test_goes_on(void **state) {
	struct take *whole = malloc(sizeof(*whole)), *parts = malloc(sizeof(*parts));
	struct rig one, other;
	rig_init(&one);
	rig_init(&other);
	for (int i = 0; i < 2; i++) {
		struct rig *rig = i ? &other : &one;
		for (uint32_t n = 0; n < synth_sound_count(); n++) {
			rig_on(rig, n + 1, n, 48 + (float)n, 0.7f);
		}
	}
	rig_render(&one, FRAMES, whole->left, whole->right);
	for (uint32_t at = 0; at < FRAMES; at += 1000) {
		rig_render(&other, 1000, parts->left + at, parts->right + at);
		struct rig next;
		rig_init(&next);
		memcpy(next.cells, other.cells, sizeof(*next.cells));
		next.frame = other.frame;
		rig_finish(&other);
		other = next;
		char why[100];
		assert_true(synth_check(&other.synth, why, sizeof(why)));
	}
	assert_memory_equal(whole, parts, sizeof(*whole));
	rig_finish(&one);
	rig_finish(&other);
	free(whole);
	free(parts);
}

/* No operation ever meets a denormal number, so it is the same whether those count as zero. */
static void test_no_denormals(void **state) {
#ifdef __SSE__
	struct take *first = malloc(sizeof(*first)), *second = malloc(sizeof(*second));
	const unsigned before = _mm_getcsr();
	const unsigned met = 0x02 | 0x10; /* a denormal operand, a result too small */
	for (int zero = 0; zero < 2; zero++) {
		struct rig rig;
		rig_init(&rig);
		_mm_setcsr((before & ~met) | (zero ? 0x8040 : 0));
		play(&rig, zero ? second : first, 0, NULL);
		synth_all_off(&rig.synth);
		/* Down to where all has died away. */
		struct take *rest = malloc(sizeof(*rest));
		for (int i = 0; i < 12; i++) {
			rig_render(&rig, FRAMES, rest->left, rest->right);
		}
		unsigned after = _mm_getcsr();
		_mm_setcsr(before);
		assert_int_equal(after & met, 0);
		assert_true(synth_silent(&rig.synth));
		for (int i = 0; i < 1000; i++) {
			assert_true(fabsf(rest->left[FRAMES - 1 - i]) < 1e-6f);
		}
		free(rest);
		rig_finish(&rig);
	}
	assert_memory_equal(first, second, sizeof(*first));
	free(first);
	free(second);
#else
	skip();
#endif
}

static float largest_step(const float *samples, uint32_t count, float *last) {
	float most = 0;
	for (uint32_t i = 0; i < count; i++) {
		most = fmaxf(most, fabsf(samples[i] - *last));
		*last = samples[i];
	}
	return most;
}

/* A deep sine without effects, of which every step by itself is small: what is larger is a click.
 */
static void test_no_clicks(void **state) {
	struct take *take = malloc(sizeof(*take));
	struct rig rig;
	rig_init(&rig);
	const uint32_t sub = rig_sound("sub");
	rig.cells->settings[0] = (struct synth_setting){.sound = sub};
	/* The longest step of one held note, without its beginning. */
	float last = 0;
	rig_on(&rig, 1, sub, 28, 1);
	rig_render(&rig, 9600, take->left, take->right);
	largest_step(take->left, 9600, &last);
	rig_render(&rig, FRAMES, take->left, take->right);
	float steady = largest_step(take->left, FRAMES, &last);
	/* Let go, struck again, faded in and out: no step is much larger. */
	float most = 0;
	uint64_t random = 3;
	for (uint32_t id = 2; id < 300; id++) {
		uint32_t frames = 100 + rig_random(&random) % 3000;
		synth_note_off(&rig.synth, id - 1);
		synth_note_on(&rig.synth,
			&(struct synth_note){.id = id,
				.sound = sub,
				.pitch = 28,
				.velocity = 1,
				.gain_to = 1,
				.fade_frames = id % 3 == 0 ? 1000 : 0});
		if (id % 5 == 0) {
			synth_note_fade(&rig.synth, id - 1, 0, 2000);
		}
		rig_render(&rig, frames, take->left, take->right);
		most = fmaxf(most, largest_step(take->left, frames, &last));
	}
	print_message("# largest step: %.5f held, %.5f while notes come and go\n", (double)steady,
		(double)most);
	/* The attack of 4 ms is steeper than the sine itself. */
	assert_true(most < 5 * steady);
	rig_finish(&rig);
	free(take);
}

static uint32_t in_stage(const struct rig *rig, enum synth_stage stage) {
	uint32_t count = 0;
	for (int i = 0; i < SYNTH_VOICES; i++) {
		count += rig->cells->groups[i / LANES].stage[0][i % LANES] == stage;
	}
	return count;
}

/* More notes than voices: the newest sound, and what they take the place of does not click. */
static void test_stealing(void **state) {
	struct take *take = malloc(sizeof(*take));
	struct rig rig;
	rig_init(&rig);
	const uint32_t sub = rig_sound("sub");
	synth_volume(&rig.synth, 0.02f); /* far below where it limits */
	rig_render(&rig, 48000, take->left, take->right);
	float last = 0, steady = 0, most = 0;
	for (uint32_t id = 1; id <= SYNTH_SOUNDING; id++) {
		rig_on(&rig, id, sub, 28 + (float)(id % 5), 1);
	}
	assert_int_equal(in_stage(&rig, SYNTH_HELD), SYNTH_SOUNDING);
	rig_render(&rig, 4800, take->left, take->right);
	largest_step(take->left, 4800, &last);
	rig_render(&rig, 48000, take->left, take->right);
	steady = largest_step(take->left, 48000, &last);
	/* One at a time, and then all at once. */
	for (uint32_t id = 100; id < 200; id++) {
		rig_on(&rig, id, sub, 30, 1);
		assert_true(in_stage(&rig, SYNTH_HELD) <= SYNTH_SOUNDING);
		rig_render(&rig, 400, take->left, take->right);
		most = fmaxf(most, largest_step(take->left, 400, &last));
	}
	for (uint32_t id = 1000; id < 101000; id++) {
		rig_on(&rig, id, sub, 30, 0.5f);
	}
	assert_true(in_stage(&rig, SYNTH_HELD) <= SYNTH_SOUNDING);
	rig_render(&rig, 4800, take->left, take->right);
	most = fmaxf(most, largest_step(take->left, 4800, &last));
	print_message("# largest step: %.6f held, %.6f while voices are taken\n", (double)steady,
		(double)most);
	assert_true(most < 2 * steady);
	assert_true(rig.cells->mix.stolen > 0);
	rig_finish(&rig);
	free(take);
}

/* Whatever is asked for: numbers within bounds, and an end. */
static void test_any_input(void **state) {
	static const float odd[] = {0, -1, 1e30f, -1e30f, NAN, INFINITY, -INFINITY, 1e-40f};
	struct take *take = malloc(sizeof(*take));
	struct rig rig;
	uint64_t random = 11;
	rig_init(&rig);
	for (uint32_t id = 1; id < 600; id++) {
		struct synth_setting *setting =
			&rig.cells->settings[rig_random(&random) % SYNTH_CHANNELS];
		setting->sound = rig_random(&random) % (synth_sound_count() + 2);
		setting->set = rig_random(&random);
		for (int i = 0; i < SYNTH_PARAMS; i++) {
			setting->value[i] = (int32_t)(rig_random(&random) << (i % 3));
		}
		struct synth_note note = {
			.id = id,
			.channel = id % 40,
			.sound = setting->sound,
			.pitch = id % 3 ? (float)(rig_random(&random) % 200) : odd[id / 3 % 8],
			.velocity =
				id % 5 ? (float)(rig_random(&random) % 127) / 127 : odd[id / 5 % 8],
			.gain = odd[id % 8],
			.gain_to = odd[id / 7 % 8],
			.fade_frames = id % 2 ? rig_random(&random) : 0,
		};
		synth_note_on(&rig.synth, &note);
		synth_note_fade(&rig.synth, id - id % 7, odd[id % 8], rig_random(&random) % 1000);
		synth_volume(&rig.synth, odd[rig_random(&random) % 8]);
		synth_echo_frames(&rig.synth, rig_random(&random) << (id % 4));
		uint32_t frames = rig_random(&random) % 500;
		rig_render(&rig, frames, take->left, take->right);
		for (uint32_t i = 0; i < frames; i++) {
			assert_true(take->left[i] >= -1 && take->left[i] <= 1);
			assert_true(take->right[i] >= -1 && take->right[i] <= 1);
		}
		char why[100];
		if (!synth_check(&rig.synth, why, sizeof(why))) {
			fail_msg("%s", why);
		}
	}
	rig_finish(&rig);
	free(take);
}

/* Every sound makes one, ends when it is let go, and is as loud as the others. */
static void test_every_sound(void **state) {
	struct take *take = malloc(sizeof(*take));
	for (uint32_t sound = 0; sound < synth_sound_count(); sound++) {
		struct rig rig;
		rig_init(&rig);
		rig_on(&rig, 1, sound, sound == synth_vocabulary.drum_sound ? 38 : 57, 0.8f);
		rig_render(&rig, FRAMES, take->left, take->right);
		double energy = 0, most = 0;
		for (int i = 0; i < FRAMES; i++) {
			energy += (double)take->left[i] * (double)take->left[i];
			most = fmax(most, fabs((double)take->left[i]));
		}
		print_message("# %-8s peak %5.1f dB, mean %5.1f dB\n",
			synth_vocabulary.sounds[sound].name, 20 * log10(most),
			10 * log10(energy / FRAMES));
		assert_true(most > 0.05 && most < 0.9);
		synth_note_off(&rig.synth, 1);
		for (int i = 0; i < 30 && synth_sounding(&rig.synth) > 0; i++) {
			rig_render(&rig, FRAMES, take->left, take->right);
		}
		assert_int_equal(synth_sounding(&rig.synth), 0);
		rig_finish(&rig);
	}
	free(take);
}

/* A closed hat ends an open one. */
/* Many loud notes are turned down rather than bent; what is not too loud is left as it is. */
static void test_too_loud(void **state) {
	static float left[48000], right[48000];
	struct rig rig;
	rig_init(&rig);
	rig_on(&rig, 1, rig_sound("lead"), 60, 0.8f);
	rig_render(&rig, 48000, left, right);
	assert_true(rig.cells->mix.over == 0);
	for (uint32_t i = 0; i < SYNTH_SOUNDING; i++) {
		rig_on(&rig, 2 + i, rig_sound(i & 1 ? "lead" : "strings"), 40 + (float)i, 1);
	}
	rig_render(&rig, 24000, left, right);
	rig_render(&rig, 48000, left, right);
	uint32_t bent = 0;
	for (uint32_t i = 0; i < 48000; i++) {
		bent += fabsf(left[i]) > 0.9f;
	}
	print_message("# of %d notes %.2f%% of all samples are near the end\n", SYNTH_SOUNDING,
		bent / 480.0);
	assert_true(bent < 480);
	synth_all_off(&rig.synth);
	for (int i = 0; i < 8; i++) {
		rig_render(&rig, 48000, left, right);
	}
	assert_true(rig.cells->mix.over < 0.01f);
	rig_finish(&rig);
}

static void test_choke(void **state) {
	struct take *take = malloc(sizeof(*take));
	struct rig rig;
	rig_init(&rig);
	rig_on(&rig, 1, synth_vocabulary.drum_sound, 46, 1);
	rig_render(&rig, 2400, take->left, take->right);
	rig_on(&rig, 2, synth_vocabulary.drum_sound, 42, 1);
	rig_render(&rig, 600, take->left, take->right);
	assert_int_equal(synth_sounding(&rig.synth), 1);
	rig_finish(&rig);
	free(take);
}

/* What no version would leave is refused before it is used. */
static void test_garbage_is_refused(void **state) {
	char why[100];
	struct rig rig;
	rig_init(&rig);
	assert_true(synth_check(&rig.synth, why, sizeof(why)));
	rig.cells->groups[3].table[1][2] = 1 << 30;
	assert_false(synth_check(&rig.synth, why, sizeof(why)));
	rig.cells->groups[3].table[1][2] = 0;
	rig.cells->groups[5].filter[3][1] = NAN;
	assert_false(synth_check(&rig.synth, why, sizeof(why)));
	rig.cells->groups[5].filter[3][1] = 0;
	rig.cells->mix.damp[2] = INFINITY;
	assert_false(synth_check(&rig.synth, why, sizeof(why)));
	rig_finish(&rig);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_slices),
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_no_denormals),
		cmocka_unit_test(test_no_clicks),
		cmocka_unit_test(test_stealing),
		cmocka_unit_test(test_any_input),
		cmocka_unit_test(test_every_sound),
		cmocka_unit_test(test_too_loud),
		cmocka_unit_test(test_choke),
		cmocka_unit_test(test_garbage_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

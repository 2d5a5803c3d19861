/* SPDX-License-Identifier: MIT */
/* What frequencies come out, and that no others do. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"
#include "voice_int.h"

#define SIZE 65536

static void transform(double *re, double *im) {
	for (unsigned i = 1, j = 0; i < SIZE; i++) {
		unsigned bit = SIZE >> 1;
		for (; j & bit; bit >>= 1) {
			j ^= bit;
		}
		j ^= bit;
		if (i < j) {
			double swap = re[i];
			re[i] = re[j];
			re[j] = swap;
			swap = im[i];
			im[i] = im[j];
			im[j] = swap;
		}
	}
	for (unsigned length = 2; length <= SIZE; length *= 2) {
		for (unsigned i = 0; i < SIZE; i += length) {
			for (unsigned k = 0; k < length / 2; k++) {
				double c = cos(2 * M_PI * k / length),
				       s = -sin(2 * M_PI * k / length);
				double *ar = &re[i + k], *ai = &im[i + k];
				double *br = &re[i + k + length / 2], *bi = &im[i + k + length / 2];
				double xr = *br * c - *bi * s, xi = *br * s + *bi * c;
				*br = *ar - xr;
				*bi = *ai - xi;
				*ar += xr;
				*ai += xi;
			}
		}
	}
}

/* One oscillator alone, with nothing in its way, at `turns` turns in SIZE frames. */
static void oscillate(struct rig *rig, enum wave wave, unsigned turns, double out[SIZE]) {
	struct synth_group *group = &rig->cells->groups[0];
	memset(group, 0, sizeof(*group));
	float hertz = (float)turns * RATE / SIZE;
	for (int lane = 0; lane < LANES; lane++) {
		group->damping[0][lane] = group->low[0][lane] = 1;
		group->band[0][lane] = group->high[0][lane] = 1; /* together: all that comes in */
		group->cut[0][lane] = 0.5f;
		group->noise[0][lane] = 1;
		for (int osc = 0; osc < 3; osc++) {
			group->table[osc][lane] = wave_offset(wave, hertz, RATE);
		}
		group->env[0][lane] = group->env_to[0][lane] = 1;
		group->fade[0][lane] = group->fade_to[0][lane] = 1;
	}
	group->advance[0][0] = (int32_t)(turns * 65536);
	group->level_left[0][0] = 1;
	group->gain[0][0] = group->pan_left[0][0] = 1;
	for (unsigned at = 0; at < SIZE; at += SYNTH_STEP) {
		struct group_sums sums = {0};
		group_run(&rig->synth, group, SYNTH_STEP, &sums);
		for (unsigned i = 0; i < SYNTH_STEP; i++) {
			out[at + i] = (double)sums.left[i][0];
		}
	}
}

/* Decibels of the loudest that is no harmonic, below the first one; and how far the harmonics up to
 * 16 kHz are from what a saw has. */
static void measure(struct rig *rig, enum wave wave, unsigned turns, double *alias, double *off) {
	double *re = calloc(SIZE, sizeof(*re)), *im = calloc(SIZE, sizeof(*im));
	oscillate(rig, wave, turns, re);
	transform(re, im);
	double first = hypot(re[turns], im[turns]), worst = 0;
	*off = 0;
	for (unsigned i = 1; i < SIZE / 2; i++) {
		double is = hypot(re[i], im[i]);
		if (i % turns) {
			worst = fmax(worst, is);
		} else if ((double)i * RATE / SIZE < 16000) {
			*off = fmax(*off, fabs(20 * log10(is / (first / (i / turns)))));
		}
	}
	*alias = 20 * log10(worst / first);
	free(re);
	free(im);
}

static void test_no_aliases(void **state) {
	struct rig rig;
	rig_init(&rig);
	/* Odd numbers: what folds back falls between the harmonics. 41 Hz to 5.5 kHz. */
	static const unsigned turns[] = {57, 151, 301, 601, 1201, 2401, 4801, 7501};
	double worst = -200, off = 0;
	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
		double alias, wrong;
		measure(&rig, WAVE_SAW, turns[i], &alias, &wrong);
		print_message("# saw %7.1f Hz: aliases %.1f dB, harmonics within %.2f dB\n",
			turns[i] * (double)RATE / SIZE, alias, wrong);
		worst = fmax(worst, alias);
		off = fmax(off, wrong);
		measure(&rig, WAVE_SQUARE, turns[i], &alias, &wrong);
		worst = fmax(worst, alias);
	}
	assert_true(worst < -72);
	assert_true(off < 1.5);
	rig_finish(&rig);
}

/* A note is in tune: its strongest frequency is its own. */
static void test_in_tune(void **state) {
	float *left = calloc(SIZE, sizeof(*left)), *right = calloc(SIZE, sizeof(*right));
	double *re = calloc(SIZE, sizeof(*re)), *im = calloc(SIZE, sizeof(*im));
	for (int pitch = 36; pitch <= 84; pitch += 12) {
		struct rig rig;
		rig_init(&rig);
		rig_on(&rig, 1, rig_sound("organ"), (float)pitch, 0.8f);
		rig_render(&rig, SIZE, left, right);
		for (unsigned i = 0; i < SIZE; i++) {
			re[i] = (double)left[i] * (0.5 - 0.5 * cos(2 * M_PI * i / SIZE));
			im[i] = 0;
		}
		transform(re, im);
		double expected = 440 * exp2((pitch - 69) / 12.0) * SIZE / RATE;
		unsigned most = 1;
		for (unsigned i = (unsigned)(expected * 0.75); i < expected * 1.4; i++) {
			most = hypot(re[i], im[i]) > hypot(re[most], im[most]) ? i : most;
		}
		assert_true(fabs(most - expected) < 1 + expected * 0.006);
		rig_finish(&rig);
	}
	free(left);
	free(right);
	free(re);
	free(im);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_aliases),
		cmocka_unit_test(test_in_tune),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "wave.h"

#include <string.h>

#define HARMONICS 1000 /* of the lowest level: 23 Hz and below */

/* A quarter's Taylor series in double precision, so that it is the same whatever the C library. */
static double sine_of(double x) {
	double s = x * x, term = x, sum = x;
	for (int n = 1; n < 12; n++) {
		term *= -s / ((2.0 * n) * (2.0 * n + 1));
		sum += term;
	}
	return sum;
}

static void build_sine(double sine[WAVE_SIZE]) {
	const double turn = 6.283185307179586476925286766559;
	for (int i = 0; i < WAVE_SIZE / 4; i++) {
		double value = sine_of(turn * i / WAVE_SIZE);
		sine[i] = value;
		sine[WAVE_SIZE / 2 + i] = -value;
		sine[(WAVE_SIZE / 2 - i) % WAVE_SIZE] = i ? value : 0;
		sine[(WAVE_SIZE - i) % WAVE_SIZE] = i ? -value : 0;
	}
	sine[WAVE_SIZE / 4] = 1;
	sine[WAVE_SIZE * 3 / 4] = -1;
}

/* How strong harmonic h is, and where in its turn it begins (in quarters). */
static double strength(enum wave wave, int h, int *quarter, const double sine[WAVE_SIZE]) {
	static const double organ[] = {
		0, 1, 0.85, 0.5, 0.6, 0, 0.3, 0, 0.35, 0, 0, 0, 0.12, 0, 0, 0, 0.15};
	static const double reed[] = {
		0, 1, 0.25, 0.7, 0.3, 0.55, 0.2, 0.3, 0.1, 0.16, 0.05, 0.1, 0.03, 0.06};
	*quarter = 0;
	switch (wave) {
	case WAVE_SINE:
		return h == 1;
	case WAVE_TRIANGLE:
		return h & 1 ? (h & 2 ? -0.81 : 0.81) / ((double)h * h) : 0;
	case WAVE_SAW:
		return 0.6 / h;
	case WAVE_SQUARE:
		return h & 1 ? 0.9 / h : 0;
	case WAVE_PULSE:
		*quarter = 1;
		return 0.9 * sine[h * WAVE_SIZE / 8 % WAVE_SIZE] / h;
	case WAVE_ORGAN:
		return h < (int)(sizeof(organ) / sizeof(organ[0])) ? organ[h] * 0.45 : 0;
	case WAVE_REED:
		return h < (int)(sizeof(reed) / sizeof(reed[0])) ? reed[h] * 0.5 : 0;
	default:
		return 0;
	}
}

/* The highest frequency that a level serves, by thirds of an octave up to 24 kHz. */
static double level_top(int level) {
	static const double thirds[] = {1, 1.2599210498948732, 1.5874010519681994};
	return 23.4375 * (double)(1 << level / 3) * thirds[level % 3];
}

/* Harmonics up to 46% of the rate, by a rate of 48 kHz: the tables do not depend on it. */
static int level_harmonics(int level) {
	int count = (int)(22080.0 / level_top(level));
	return count < 1 ? 1 : count > HARMONICS ? HARMONICS : count;
}

/* From the highest note, which has the fewest harmonics, down: each level adds its own. */
static void build_wave(
	float levels[WAVE_LEVELS][WAVE_STRIDE], enum wave wave, const double sine[WAVE_SIZE]) {
	double sum[WAVE_SIZE] = {0};
	int done = 0;
	for (int level = WAVE_LEVELS - 1; level >= 0; level--) {
		for (int h = done + 1; h <= level_harmonics(level); h++) {
			int quarter;
			double by = strength(wave, h, &quarter, sine);
			unsigned at = (unsigned)quarter * (WAVE_SIZE / 4);
			for (int i = 0; by != 0 && i < WAVE_SIZE; i++, at += (unsigned)h) {
				sum[i] += by * sine[at % WAVE_SIZE];
			}
		}
		done = level_harmonics(level);
		for (int i = 0; i < WAVE_STRIDE; i++) {
			levels[level][i] = (float)sum[i % WAVE_SIZE];
		}
	}
}

void wave_build(struct wave_tables *tables) {
	double sine[WAVE_SIZE];
	build_sine(sine);
	for (int wave = 0; wave < WAVES; wave++) {
		build_wave(tables->values[wave], (enum wave)wave, sine);
	}
}

int32_t wave_offset(enum wave wave, float frequency, float rate) {
	int level = 0;
	while (level < WAVE_LEVELS - 1 && frequency * 48000.0f > (float)level_top(level) * rate) {
		level++;
	}
	return (int32_t)((wave * WAVE_LEVELS + level) * WAVE_STRIDE);
}

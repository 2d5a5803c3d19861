/* SPDX-License-Identifier: MIT */
/*
 * One turn of each waveform, as tables: for every third of an octave one that holds the harmonics
 * that fit below half the rate, so that nothing folds back. Made from nothing when a version warms
 * up, the same in every version and on every machine.
 */
#ifndef SYNTH_WAVE_H
#define SYNTH_WAVE_H

#include <stdint.h>

#define WAVE_SIZE 2048
#define WAVE_STRIDE (WAVE_SIZE + 4) /* the first value again at the end, to interpolate to */
#define WAVE_LEVELS 32

enum wave {
	WAVE_SINE,
	WAVE_TRIANGLE,
	WAVE_SAW,
	WAVE_SQUARE,
	WAVE_PULSE, /* a quarter of the turn */
	WAVE_ORGAN,
	WAVE_REED,
	WAVES,
};

struct wave_tables {
	float values[WAVES][WAVE_LEVELS][WAVE_STRIDE];
};

void wave_build(struct wave_tables *tables);
/* Where the table for a note begins in `values`, counted in floats; rate and frequency in Hz. */
int32_t wave_offset(enum wave wave, float frequency, float rate);

#endif

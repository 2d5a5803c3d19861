/* SPDX-License-Identifier: MIT */
/* Between the parts of the sound; see voice.h. */
#ifndef SYNTH_VOICE_INT_H
#define SYNTH_VOICE_INT_H

#include "voice.h"

/* An envelope that falls goes for a little less than nothing, so that it gets there. */
#define SYNTH_BELOW (-0.0005f)
/* One that rises goes for more than all, so that it is straight for the most part. */
#define SYNTH_ABOVE 1.25f
#define SYNTH_STOLEN_FRAMES 256
#define SYNTH_CHOKED_FRAMES 480

/* What voices put together, before effects. */
struct synth_bus {
	float left[SYNTH_STEP], right[SYNTH_STEP];
	float chorus[SYNTH_STEP], echo[SYNTH_STEP], reverb[SYNTH_STEP];
};

/* One group: what is slow, for the next SYNTH_STEP frames. */
void group_control(const struct synth *synth, struct synth_group *group);
/* `frames` up to SYNTH_STEP: adds to the sums, a lane each. */
struct group_sums {
	lanes left[SYNTH_STEP], right[SYNTH_STEP];
	lanes chorus[SYNTH_STEP], echo[SYNTH_STEP], reverb[SYNTH_STEP];
};
void group_run(const struct synth *synth, struct synth_group *group, uint32_t frames,
	struct group_sums *sums);

/* The end of the way: effects, volume, what limits. frames: up to SYNTH_STEP. */
void effect_run(struct synth *synth, uint32_t frames, const struct synth_bus *bus, float *left,
	float *right);
void effect_init(struct synth *synth);
bool effect_asleep(const struct synth *synth);

#endif

/* SPDX-License-Identifier: MIT */
/* A synth without a tile: its cells in memory. */
#ifndef TESTS_SYNTH_RIG_H
#define TESTS_SYNTH_RIG_H

#include "voice.h"

#define RATE 48000

/* All that is state, so that two can be compared as bytes. */
struct cells {
	struct synth_group groups[SYNTH_GROUPS];
	struct synth_effects effects;
	struct synth_mix mix;
	struct synth_setting settings[SYNTH_CHANNELS];
};

struct rig {
	struct cells *cells;
	struct synth synth;
	uint64_t frame; /* the next one */
};

void rig_init(struct rig *rig);
void rig_finish(struct rig *rig);
void rig_render(struct rig *rig, uint32_t frames, float *left, float *right);
void rig_on(struct rig *rig, uint32_t id, uint32_t sound, float pitch, float velocity);
uint32_t rig_sound(const char *name);

/* The same numbers everywhere. */
uint32_t rig_random(uint64_t *state);

#endif

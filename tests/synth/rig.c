/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "patch.h"

static struct wave_tables *waves;

void rig_init(struct rig *rig) {
	if (!waves) {
		waves = malloc(sizeof(*waves));
		wave_build(waves);
	}
	/* memset, so that what is between the fields can be compared, too. */
	rig->cells = aligned_alloc(64, (sizeof(*rig->cells) + 63) / 64 * 64);
	memset(rig->cells, 0, sizeof(*rig->cells));
	rig->synth = (struct synth){
		.groups = rig->cells->groups,
		.effects = &rig->cells->effects,
		.mix = &rig->cells->mix,
		.settings = rig->cells->settings,
		.waves = waves,
		.rate = RATE,
	};
	rig->frame = 0;
	synth_init(&rig->synth);
}

void rig_finish(struct rig *rig) {
	free(rig->cells);
}

void rig_render(struct rig *rig, uint32_t frames, float *left, float *right) {
	synth_render(&rig->synth, rig->frame, frames, left, right);
	rig->frame += frames;
}

void rig_on(struct rig *rig, uint32_t id, uint32_t sound, float pitch, float velocity) {
	synth_note_on(&rig->synth,
		&(struct synth_note){
			.id = id, .sound = sound, .pitch = pitch, .velocity = velocity});
}

uint32_t rig_sound(const char *name) {
	for (uint32_t i = 0; i < synth_vocabulary.sound_count; i++) {
		if (strcmp(synth_vocabulary.sounds[i].name, name) == 0) {
			return i;
		}
	}
	fprintf(stderr, "there is no sound %s\n", name);
	abort();
}

uint32_t rig_random(uint64_t *state) {
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

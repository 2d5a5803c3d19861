/* SPDX-License-Identifier: MIT */
/* What a sound is made of. Change one and save: the next note has it. */
#ifndef SYNTH_PATCH_H
#define SYNTH_PATCH_H

#include "clip.h"
#include "voice.h"

struct patch_osc {
	enum wave wave;
	float ratio; /* to the note's frequency */
	float cents; /* above that */
	float level;
	float spread; /* -1: left, 1: right */
};

struct patch {
	const char *name, *about;
	float level, pan;
	struct patch_osc osc[3];
	float noise;
	float fm, fm_sweep; /* turns by which the third bends the others; the latter by the sweep */
	bool any_phase;	    /* oscillators begin anywhere in their turn */
	/* seconds to full, to -60 dB, level, to -60 dB */
	float attack, decay, sustain, release;
	/* the same for what sweeps filter and fm */
	float sweep_attack, sweep_decay, sweep_sustain;
	float cutoff;	 /* Hz, at middle c and full velocity */
	float sweep;	 /* octaves */
	float track;	 /* how much of the pitch's way the cutoff goes */
	float soft;	 /* octaves lower at no velocity */
	float resonance; /* 0 to 1 */
	float low, band, high, steep;
	float drive;
	float wobble_hz, wobble_after, vibrato /* semitones */, tremolo, wobble_cut /* octaves */;
	float bend, bend_time; /* semitones above at first, seconds */
	float chorus, echo, reverb;
	/* drums */
	bool one_shot;
	float fixed; /* pitch, whatever the note is; 0: the note */
	bool tuned;  /* but for how far it is from the drum's own */
	uint32_t bursts;
	float burst_time;
	uint32_t choke;
};

/* What plays a pitch of a sound; for drums it depends on the pitch. *offset: semitones to add to
 * `fixed`. */
const struct patch *patch_of(uint32_t sound, int pitch, float *offset);

/* The words of clips that mean sounds, parameters and drums; sounds by their place in the list. */
extern const struct clip_vocabulary synth_vocabulary;

#endif

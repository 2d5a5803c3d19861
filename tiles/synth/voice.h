/* SPDX-License-Identifier: MIT */
/*
 * The synth's sound: notes in, samples out.
 *
 * Everything that sounds is plain old data in three cells (struct synth_group, synth_effects,
 * synth_mix below), so that a note goes on ringing in another version, and in another process. What
 * comes out depends only on the notes, the settings and the frames: the same to the bit however the
 * frames are cut up, and whether or not the processor treats denormal numbers as zero (there are
 * none). What is slow to compute is so at frames that STEP divides, by the city's count.
 *
 * struct synth is scratch: pointers to the cells and the waveforms. One thread.
 *
 * A note begins and ends at the frame that is rendered next. None is ever cut off: where voices run
 * short, the oldest of those that are let go already, or else the quietest, fades out at once.
 */
#ifndef SYNTH_VOICE_H
#define SYNTH_VOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lanes.h"
#include "vat.h"
#include "wave.h"

#define SYNTH_GROUPS 12
#define SYNTH_VOICES (SYNTH_GROUPS * LANES)
#define SYNTH_SOUNDING                                                                             \
	40	      /* notes at a time; the other voices are for notes that are fading out       \
		       */
#define SYNTH_STEP 16 /* frames */

/* ---- sounds, and what a clip can set of them */

enum synth_param {
	SYNTH_VOLUME,
	SYNTH_PAN,
	SYNTH_CUTOFF,
	SYNTH_RESONANCE,
	SYNTH_SWEEP,
	SYNTH_ATTACK,
	SYNTH_DECAY,
	SYNTH_SUSTAIN,
	SYNTH_RELEASE,
	SYNTH_DETUNE,
	SYNTH_VIBRATO,
	SYNTH_TREMOLO,
	SYNTH_DRIVE,
	SYNTH_CHORUS,
	SYNTH_ECHO,
	SYNTH_REVERB,
	SYNTH_PARAMS,
};

uint32_t synth_sound_count(void);
/* What a pitch of a sound is called where that is no tone ("kick"); or NULL. */
const char *synth_drum_name(uint32_t sound, int pitch);

#define SYNTH_CHANNELS 17 /* a clip's, and the last one for keys */
#define SYNTH_KEYS (SYNTH_CHANNELS - 1)

/* What was set on a channel, for notes from then on: thousandths, by the bits of `set`. */
struct synth_setting {
	uint32_t sound;
	uint32_t set;
	int32_t value[SYNTH_PARAMS];
};

/* ---- cells */

enum synth_stage {
	SYNTH_FREE = 0,
	SYNTH_HELD,
	SYNTH_RELEASED,
	SYNTH_ENDING, /* fades out, as it is in the way */
};

/*
 * Four voices. Each line: field id, type, name, elements a voice (an array of that many times four
 * values, voice by voice in the innermost place). The ids are permanent.
 */
#define SYNTH_GROUP_FIELDS(F)                                                                      \
	/* who it is */                                                                            \
	F(1, U32, uint32_t, stage, 1)                                                              \
	F(2, U32, uint32_t, id, 1)                                                                 \
	F(3, U32, uint32_t, sound, 1)                                                              \
	F(9, U32, uint32_t, channel, 1)                                                            \
	F(4, F32, float, pitch, 1)                                                                 \
	F(5, F32, float, velocity, 1)                                                              \
	F(6, U32, uint32_t, order, 1) /* grows with every note */                                  \
	F(7, U32, uint32_t, one_shot, 1)                                                           \
	F(8, U32, uint32_t, choke, 1) /* a later one of the same number ends it; 0: none */        \
	/* oscillators */                                                                          \
	F(10, U32, uint32_t, phase, 3)	/* a turn is 2^32 */                                       \
	F(11, I32, int32_t, advance, 3) /* of the phase, a frame */                                \
	F(12, I32, int32_t, advance_step, 3)                                                       \
	F(13, F32, float, advance_base, 3) /* before what bends it */                              \
	F(14, I32, int32_t, table, 3)                                                              \
	F(15, F32, float, level_left, 3)                                                           \
	F(16, F32, float, level_right, 3)                                                          \
	F(17, U32, uint32_t, noise, 1)                                                             \
	F(18, F32, float, noise_level, 1)                                                          \
	F(19, F32, float, fm, 1) /* how far the third bends the phase of the others, in turns */   \
	F(20, F32, float, fm_step, 1)                                                              \
	F(21, F32, float, fm_base, 1)                                                              \
	F(22, F32, float, fm_env, 1)                                                               \
	/* how loud */                                                                             \
	F(30, F32, float, env, 1)                                                                  \
	F(31, F32, float, env_to, 1)                                                               \
	F(32, F32, float, env_by, 1)                                                               \
	F(33, I32, int32_t, env_rises, 1) /* all ones, or 0 */                                     \
	F(34, F32, float, sustain, 1)                                                              \
	F(35, F32, float, attack_by, 1)                                                            \
	F(36, F32, float, decay_by, 1)                                                             \
	F(37, F32, float, release_by, 1)                                                           \
	F(38, F32, float, fade, 1)                                                                 \
	F(47, F32, float, fade_to, 1)                                                              \
	F(39, F32, float, fade_step, 1)                                                            \
	F(40, F32, float, gain, 1)                                                                 \
	F(41, F32, float, gain_step, 1)                                                            \
	F(42, F32, float, loud, 1) /* by velocity and patch */                                     \
	F(43, F32, float, tremolo, 1)                                                              \
	F(44, U32, uint32_t, bursts, 1)	    /* how often it is still struck again */               \
	F(45, U32, uint32_t, burst_wait, 1) /* control steps up to then */                         \
	F(46, U32, uint32_t, burst_steps, 1)                                                       \
	/* what bends and sweeps */                                                                \
	F(50, F32, float, sweep, 1)                                                                \
	F(51, F32, float, sweep_to, 1)                                                             \
	F(52, F32, float, sweep_by, 1)                                                             \
	F(53, I32, int32_t, sweep_rises, 1)                                                        \
	F(54, F32, float, sweep_sustain, 1)                                                        \
	F(55, F32, float, sweep_decay_by, 1)                                                       \
	F(56, F32, float, sweep_release_by, 1)                                                     \
	F(57, F32, float, bend, 1) /* octaves, on the way to 0 */                                  \
	F(58, F32, float, bend_by, 1)                                                              \
	F(59, F32, float, wobble, 1) /* turn of the slow oscillator */                             \
	F(60, F32, float, wobble_by, 1)                                                            \
	F(61, F32, float, wobble_in, 1) /* 0 to 1, as it sets in */                                \
	F(62, F32, float, wobble_in_by, 1)                                                         \
	F(63, F32, float, vibrato, 1) /* octaves */                                                \
	/* filter */                                                                               \
	F(70, F32, float, cut, 1) /* tan(pi f / rate) */                                           \
	F(71, F32, float, cut_step, 1)                                                             \
	F(72, F32, float, cutoff, 1) /* octaves above 1 Hz */                                      \
	F(73, F32, float, cutoff_env, 1)                                                           \
	F(74, F32, float, damping, 1)                                                              \
	F(75, F32, float, low, 1)                                                                  \
	F(76, F32, float, band, 1)                                                                 \
	F(77, F32, float, high, 1)                                                                 \
	F(78, F32, float, steep, 1)  /* 0: one stage, 1: two */                                    \
	F(79, F32, float, filter, 8) /* memory of two stages, left and right */                    \
	F(80, F32, float, drive, 1)                                                                \
	F(81, F32, float, drive_level, 1)                                                          \
	F(82, F32, float, wobble_cut, 1) /* octaves */                                             \
	/* where to */                                                                             \
	F(90, F32, float, pan_left, 1)                                                             \
	F(91, F32, float, pan_right, 1)                                                            \
	F(92, F32, float, chorus, 1)                                                               \
	F(93, F32, float, echo, 1)                                                                 \
	F(94, F32, float, reverb, 1)                                                               \
	F(95, F32, float, last_left, 1)                                                            \
	F(96, F32, float, last_right, 1)

struct synth_group {
#define F(id, type, c_type, name, elements) c_type name[elements][LANES];
	SYNTH_GROUP_FIELDS(F)
#undef F
} __attribute__((aligned(16)));
/* Counted, for the constant descriptor of a tile. */
#define F(id, type, c_type, name, elements) +1 /* NOLINT(bugprone-macro-parentheses) */
enum {
	SYNTH_GROUP_FIELD_COUNT = SYNTH_GROUP_FIELDS(F),
	SYNTH_EFFECTS_FIELD_COUNT = 5,
	SYNTH_MIX_FIELD_COUNT = 21,
	SYNTH_SETTING_FIELD_COUNT = 3,
};
#undef F
extern const struct vat_field synth_group_fields[SYNTH_GROUP_FIELD_COUNT];
extern const struct vat_field synth_setting_fields[SYNTH_SETTING_FIELD_COUNT];

#define SYNTH_CHORUS_FRAMES 2048
#define SYNTH_ECHO_FRAMES 65536
#define SYNTH_BEFORE_FRAMES 2048
#define SYNTH_DIFFUSERS 4
#define SYNTH_DIFFUSER_FRAMES 1024
#define SYNTH_LINES 8
#define SYNTH_LINE_FRAMES 4096

/* Delay lines: the value of frame f lies at f modulo their length. */
struct synth_effects {
	float chorus[SYNTH_CHORUS_FRAMES];
	float echo[2][SYNTH_ECHO_FRAMES];
	float before[SYNTH_BEFORE_FRAMES]; /* the reverb */
	float diffuser[SYNTH_DIFFUSERS][SYNTH_DIFFUSER_FRAMES];
	float line[SYNTH_LINES][SYNTH_LINE_FRAMES];
};
extern const struct vat_field synth_effects_fields[SYNTH_EFFECTS_FIELD_COUNT];

/* What there is one of. */
struct synth_mix {
	uint64_t at;	 /* frames rendered */
	uint32_t order;	 /* of the next note */
	uint32_t chance; /* where oscillators begin */
	float rest[2];	 /* of voices that were needed again at once: dies away */
	float volume;	 /* of everything */
	float volume_to;
	float damp[SYNTH_LINES];
	float echo_low[2], echo_high[2];
	float turn[2];	   /* of the slow oscillators of chorus and reverb */
	uint32_t echo_now; /* frames */
	uint32_t echo_next;
	uint32_t echo_wanted;		 /* when that is done */
	float echo_fade;		 /* 0 to 1: from the one to the other */
	float block_in[2], block_out[2]; /* what takes away direct current */
	uint32_t quiet; /* frames since anything went into the effects that could be heard */
	float peak[2];	/* for meters: dies away by 24 dB a second */
	uint64_t started, stolen; /* notes, counted */
	float over;		  /* by how much everything is turned down: 0: not at all */
};
extern const struct vat_field synth_mix_fields[SYNTH_MIX_FIELD_COUNT];

/* ---- scratch */

struct synth {
	struct synth_group *groups; /* SYNTH_GROUPS of them */
	struct synth_effects *effects;
	struct synth_mix *mix;
	struct synth_setting *settings; /* SYNTH_CHANNELS */
	const struct wave_tables *waves;
	float rate;
};

/* Once, on cells that are all zero. */
void synth_init(struct synth *synth);
/* What other versions left, before it is used: false, with a reason, when it makes no sense.
 * Changes nothing. */
bool synth_check(const struct synth *synth, char *why, size_t why_size);

struct synth_note {
	uint32_t id;	  /* the caller's, to end it by */
	uint32_t channel; /* whose settings it has */
	uint32_t sound;
	float pitch;	/* as MIDI counts: 69 is 440 Hz; may have a fraction */
	float velocity; /* 0 to 1 */
	/* Begins that loud and gets to gain_to in so many frames; 0: is that loud. */
	float gain, gain_to;
	uint32_t fade_frames;
};
/* What makes no sense is brought into range. */
void synth_note_on(struct synth *synth, const struct synth_note *note);
void synth_note_off(struct synth *synth, uint32_t id);
/* Goes from where it is to that gain in so many frames; ends there if that is 0. */
void synth_note_fade(struct synth *synth, uint32_t id, float gain_to, uint32_t frames);
void synth_all_off(struct synth *synth);
/* Volume of everything, 0 to 2; gets there within some milliseconds. */
void synth_volume(struct synth *synth, float volume);
/* The time between echoes; changes without a click. */
void synth_echo_frames(struct synth *synth, uint32_t frames);

/* Render the next frames; `frame` is the city's frame of the first. Any number. */
void synth_render(struct synth *synth, uint64_t frame, uint32_t frames, float *left, float *right);

uint32_t synth_sounding(const struct synth *synth);
/* Whether all is silent, and stays so without notes. */
bool synth_silent(const struct synth *synth);

#endif

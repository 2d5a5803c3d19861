/* SPDX-License-Identifier: MIT */
/* Notes: which voice plays them, how they begin and end. */
#include "voice.h"

#include <stdio.h>
#include <string.h>

#include "patch.h"
#include "voice_int.h"

/* ---- what cells are made of */

#define F(id, type, c_type, name, elements) VAT_FIELD(id, type, struct synth_group, name),
const struct vat_field synth_group_fields[SYNTH_GROUP_FIELD_COUNT] = {SYNTH_GROUP_FIELDS(F)};
#undef F

const struct vat_field synth_effects_fields[SYNTH_EFFECTS_FIELD_COUNT] = {
	VAT_FIELD(1, F32, struct synth_effects, chorus),
	VAT_FIELD(2, F32, struct synth_effects, echo),
	VAT_FIELD(3, F32, struct synth_effects, before),
	VAT_FIELD(4, F32, struct synth_effects, diffuser),
	VAT_FIELD(5, F32, struct synth_effects, line),
};

const struct vat_field synth_mix_fields[SYNTH_MIX_FIELD_COUNT] = {
	VAT_FIELD(1, U64, struct synth_mix, at),
	VAT_FIELD(2, U32, struct synth_mix, order),
	VAT_FIELD(3, U32, struct synth_mix, chance),
	VAT_FIELD(4, F32, struct synth_mix, rest),
	VAT_FIELD(5, F32, struct synth_mix, volume),
	VAT_FIELD(6, F32, struct synth_mix, volume_to),
	VAT_FIELD(7, F32, struct synth_mix, damp),
	VAT_FIELD(8, F32, struct synth_mix, echo_low),
	VAT_FIELD(9, F32, struct synth_mix, echo_high),
	VAT_FIELD(10, F32, struct synth_mix, turn),
	VAT_FIELD(11, U32, struct synth_mix, echo_now),
	VAT_FIELD(12, U32, struct synth_mix, echo_next),
	VAT_FIELD(13, F32, struct synth_mix, echo_fade),
	VAT_FIELD(14, F32, struct synth_mix, block_in),
	VAT_FIELD(15, F32, struct synth_mix, block_out),
	VAT_FIELD(16, U32, struct synth_mix, quiet),
	VAT_FIELD(17, F32, struct synth_mix, peak),
	VAT_FIELD(18, U64, struct synth_mix, started),
	VAT_FIELD(19, U64, struct synth_mix, stolen),
	VAT_FIELD(20, U32, struct synth_mix, echo_wanted),
	VAT_FIELD(21, F32, struct synth_mix, over),
};

const struct vat_field synth_setting_fields[SYNTH_SETTING_FIELD_COUNT] = {
	VAT_FIELD(1, U32, struct synth_setting, sound),
	VAT_FIELD(2, U32, struct synth_setting, set),
	VAT_FIELD(3, I32, struct synth_setting, value),
};

void synth_init(struct synth *synth) {
	synth->mix->chance = 0x2545f491;
	for (int i = 0; i < SYNTH_GROUPS; i++) {
		for (int lane = 0; lane < LANES; lane++) {
			synth->groups[i].damping[0][lane] = 1;
			synth->groups[i].noise[0][lane] =
				0x9e3779b9u * (uint32_t)(i * LANES + lane + 1);
		}
	}
	effect_init(synth);
}

static bool in_bounds(const float *values, size_t count) {
	for (size_t i = 0; i < count; i++) {
		if (!(values[i] > -1e6f && values[i] < 1e6f)) {
			return false;
		}
	}
	return true;
}

bool synth_check(const struct synth *synth, char *why, size_t why_size) {
	const int32_t tables = WAVES * WAVE_LEVELS * WAVE_STRIDE;
	const struct synth_mix *mix = synth->mix;
	for (int i = 0; i < SYNTH_GROUPS; i++) {
		const struct synth_group *group = &synth->groups[i];
		for (int lane = 0; lane < LANES; lane++) {
			bool good = group->stage[0][lane] <= SYNTH_ENDING &&
				group->env[0][lane] >= 0 && group->env[0][lane] < 2 &&
				in_bounds(&group->cut[0][lane], 1);
			for (int osc = 0; osc < 3; osc++) {
				int32_t table = group->table[osc][lane];
				good = good && table >= 0 && table <= tables - WAVE_STRIDE;
			}
			for (int memory = 0; memory < 8; memory++) {
				good = good && in_bounds(&group->filter[memory][lane], 1);
			}
			if (!good) {
				snprintf(
					why, why_size, "voice %d makes no sense", i * LANES + lane);
				return false;
			}
		}
	}
	if (mix->echo_now >= SYNTH_ECHO_FRAMES || mix->echo_next >= SYNTH_ECHO_FRAMES ||
		mix->echo_wanted >= SYNTH_ECHO_FRAMES || !in_bounds(mix->damp, SYNTH_LINES) ||
		!in_bounds(mix->turn, 2) || !in_bounds(&mix->volume, 1) ||
		!(mix->over >= 0 && mix->over < 1e6f)) {
		snprintf(why, why_size, "the effects make no sense");
		return false;
	}
	return true;
}

/* ---- beginning */

/* 1 - 2^-x, also of a very small x. */
static float share_of(float x) {
	if (x < 0.05f) {
		float y = x * 0.69314718f;
		return y * (1 - y * 0.5f * (1 - y * 0.33333333f));
	}
	return 1 - exp2_of(-(x < 60 ? x : 60));
}

/* What part of its way an envelope goes in a frame (or in `step` of them), to rise in so many
 * seconds, or to fall by 60 dB. */
static float rise_by(float seconds, float rate, float step) {
	return share_of(2.3219281f * step / ((seconds > 0.0005f ? seconds : 0.0005f) * rate));
}

static float fall_by(float seconds, float rate, float step) {
	return share_of(9.9657843f * step / ((seconds > 0.001f ? seconds : 0.001f) * rate));
}

static float log2_of(float x) {
	/* By halves, then a few steps of Newton's on 2^y = x: it is called once a note. */
	float y = 0;
	while (x >= 2) {
		x *= 0.5f;
		y += 1;
	}
	while (x < 1) {
		x *= 2;
		y -= 1;
	}
	float z = x - 1;
	for (int i = 0; i < 3; i++) {
		float e = exp2_of(z);
		z += (x - e) / (e * 0.69314718f);
	}
	return y + z;
}

static float root_of(float x) {
	return x <= 0 ? 0 : exp2_of(0.5f * log2_of(x));
}

static void set_param(struct patch *patch, enum synth_param param, float value) {
	switch (param) {
	case SYNTH_VOLUME:
		patch->level *= value;
		break;
	case SYNTH_PAN:
		patch->pan = value;
		break;
	case SYNTH_CUTOFF:
		patch->cutoff = value;
		break;
	case SYNTH_RESONANCE:
		patch->resonance = value;
		break;
	case SYNTH_SWEEP:
		patch->sweep = value;
		break;
	case SYNTH_ATTACK:
		patch->attack = value;
		break;
	case SYNTH_DECAY:
		patch->decay = value;
		patch->release = patch->one_shot ? value : patch->release;
		break;
	case SYNTH_SUSTAIN:
		patch->sustain = value;
		break;
	case SYNTH_RELEASE:
		patch->release = value;
		break;
	case SYNTH_DETUNE:
		patch->osc[0].cents = -value;
		patch->osc[1].cents = value;
		break;
	case SYNTH_VIBRATO:
		patch->vibrato = value;
		patch->wobble_hz = patch->wobble_hz > 0 ? patch->wobble_hz : 5.2f;
		break;
	case SYNTH_TREMOLO:
		patch->tremolo = value;
		patch->wobble_hz = patch->wobble_hz > 0 ? patch->wobble_hz : 5.2f;
		break;
	case SYNTH_DRIVE:
		patch->drive = value;
		break;
	case SYNTH_CHORUS:
		patch->chorus = value;
		break;
	case SYNTH_ECHO:
		patch->echo = value;
		break;
	case SYNTH_REVERB:
		patch->reverb = value;
		break;
	case SYNTH_PARAMS:
		break;
	}
}

/* A patch with what was set on the channel. */
static struct patch set_patch(
	const struct synth *synth, const struct synth_note *note, int pitch, float *offset) {
	struct patch patch = *patch_of(note->sound, pitch, offset);
	const struct synth_setting *setting = &synth->settings[note->channel];
	for (uint32_t i = 0; setting->sound == note->sound && i < SYNTH_PARAMS; i++) {
		const struct clip_parameter_word *word = &synth_vocabulary.parameters[i];
		int32_t value = setting->value[i];
		if (setting->set >> i & 1) {
			value = value < word->min   ? word->min
				: value > word->max ? word->max
						    : value;
			set_param(&patch, (enum synth_param)i, (float)value * 0.001f);
		}
	}
	return patch;
}

static uint32_t chance(struct synth *synth) {
	synth->mix->chance = synth->mix->chance * 1664525u + 1013904223u;
	uint32_t x = synth->mix->chance;
	return x ^ x >> 15;
}

static void start_oscillators(struct synth *synth, struct synth_group *group, int lane,
	const struct patch *patch, float pitch) {
	for (int i = 0; i < 3; i++) {
		const struct patch_osc *osc = &patch->osc[i];
		float hertz = 440.0f * osc->ratio *
			exp2_of((pitch - 69) * (1.0f / 12) + osc->cents * (1.0f / 1200));
		float most = synth->rate * 0.45f;
		hertz = hertz < most ? hertz : most;
		/* A bend goes above the note only where it falls at once, and a wobble is small. */
		group->table[i][lane] = wave_offset(osc->wave, hertz * 1.02f, synth->rate);
		float base = hertz / synth->rate * 4294967296.0f;
		group->advance_base[i][lane] = base;
		float bent = base * exp2_of(group->bend[0][lane]);
		group->advance[i][lane] = (int32_t)(bent < 2.1e9f ? bent : 2.1e9f);
		group->advance_step[i][lane] = 0;
		group->phase[i][lane] = patch->any_phase ? chance(synth) : 0;
		group->level_left[i][lane] = osc->level * (1 - osc->spread) * 0.5f;
		group->level_right[i][lane] = osc->level * (1 + osc->spread) * 0.5f;
		if (osc->spread == 0) {
			group->level_left[i][lane] = group->level_right[i][lane] =
				osc->level * 0.6f;
		}
	}
	group->noise_level[0][lane] = patch->noise * 0.6f;
	group->fm_base[0][lane] = patch->fm;
	group->fm_env[0][lane] = patch->fm_sweep;
	group->fm[0][lane] = patch->fm;
	group->fm_step[0][lane] = 0;
}

static void start_envelopes(const struct synth *synth, struct synth_group *group, int lane,
	const struct patch *patch, float velocity) {
	float rate = synth->rate;
	group->env[0][lane] = 0;
	group->env_rises[0][lane] = -1;
	group->env_to[0][lane] = SYNTH_ABOVE;
	group->attack_by[0][lane] = group->env_by[0][lane] = rise_by(patch->attack, rate, 1);
	group->decay_by[0][lane] = fall_by(patch->decay, rate, 1);
	group->release_by[0][lane] = fall_by(patch->release, rate, 1);
	group->sustain[0][lane] = patch->sustain > 0 ? patch->sustain : SYNTH_BELOW;
	group->loud[0][lane] = patch->level * velocity * (0.3f + 0.7f * velocity);
	group->gain[0][lane] = group->loud[0][lane] * (1 - 0.5f * patch->tremolo);
	group->gain_step[0][lane] = 0;
	group->tremolo[0][lane] = patch->tremolo;
	group->bursts[0][lane] = patch->bursts;
	group->burst_steps[0][lane] = 1 + (uint32_t)(patch->burst_time * rate / SYNTH_STEP);
	group->burst_wait[0][lane] = group->burst_steps[0][lane];
	if (patch->bursts > 0) {
		group->decay_by[0][lane] = fall_by(patch->burst_time * 2, rate, 1);
	}
	group->sweep[0][lane] = 0;
	group->sweep_rises[0][lane] = -1;
	group->sweep_to[0][lane] = SYNTH_ABOVE;
	group->sweep_by[0][lane] = rise_by(patch->sweep_attack, rate, SYNTH_STEP);
	group->sweep_decay_by[0][lane] = fall_by(patch->sweep_decay, rate, SYNTH_STEP);
	group->sweep_release_by[0][lane] = fall_by(patch->release * 1.5f, rate, SYNTH_STEP);
	group->sweep_sustain[0][lane] = patch->sweep_sustain;
	group->wobble[0][lane] = 0;
	group->wobble_by[0][lane] = patch->wobble_hz * SYNTH_STEP / rate;
	float after = patch->wobble_after > 0.02f ? patch->wobble_after : 0.02f;
	group->wobble_in_by[0][lane] = SYNTH_STEP / (rate * after);
	group->wobble_in[0][lane] = patch->wobble_after > 0.02f ? -1 : 0;
	group->vibrato[0][lane] = patch->vibrato / 12;
	group->wobble_cut[0][lane] = patch->wobble_cut;
}

static void start_filter(const struct synth *synth, struct synth_group *group, int lane,
	const struct patch *patch, float pitch, float velocity) {
	float octaves = log2_of(patch->cutoff > 16 ? patch->cutoff : 16) +
		patch->track * (pitch - 60) * (1.0f / 12) - patch->soft * (1 - velocity);
	octaves = octaves < 4 ? 4 : octaves > 14.3f ? 14.3f : octaves;
	float hertz = exp2_of(octaves);
	hertz = hertz < synth->rate * 0.45f ? hertz : synth->rate * 0.45f;
	group->cutoff[0][lane] = octaves;
	group->cutoff_env[0][lane] = patch->sweep;
	group->cut[0][lane] = lanes_tan(lanes_of(hertz * 3.14159265f / synth->rate))[0];
	group->cut_step[0][lane] = 0;
	/* Down to a quality of 12, evenly to the ear. */
	group->damping[0][lane] = 1.414f * exp2_of(-4.1f * patch->resonance);
	group->low[0][lane] = patch->low;
	group->band[0][lane] = patch->band;
	group->high[0][lane] = patch->high;
	group->steep[0][lane] = patch->steep;
	group->drive[0][lane] = patch->drive;
	group->drive_level[0][lane] = 1 + patch->drive * 2.5f;
	for (int i = 0; i < 8; i++) {
		group->filter[i][lane] = 0;
	}
}

/* ---- voices */

struct place {
	struct synth_group *group;
	int lane;
};

static struct place place_of(const struct synth *synth, int voice) {
	return (struct place){&synth->groups[voice / LANES], voice % LANES};
}

static bool is_sounding(const struct place *at) {
	uint32_t stage = at->group->stage[0][at->lane];
	return stage == SYNTH_HELD || stage == SYNTH_RELEASED;
}

/* Also of what is no number, or so small that sums with it would be denormal. */
static float gain_of(float x) {
	return x > 1e-6f ? (x < 2 ? x : 2) : 0;
}

static void fade_to(const struct place *at, float to, uint32_t frames) {
	struct synth_group *group = at->group;
	to = gain_of(to);
	group->fade_to[0][at->lane] = to;
	group->fade_step[0][at->lane] =
		(to - group->fade[0][at->lane]) / (float)(frames > 0 ? frames : 1);
}

static void end_soon(const struct place *at, uint32_t frames) {
	at->group->stage[0][at->lane] = SYNTH_ENDING;
	fade_to(at, 0, frames);
}

/* Whether b is to go rather than a: one that is let go, and then the quieter or older one. */
static bool is_better(const struct place *a, const struct place *b) {
	bool a_released = a->group->stage[0][a->lane] == SYNTH_RELEASED;
	bool b_released = b->group->stage[0][b->lane] == SYNTH_RELEASED;
	if (a_released != b_released) {
		return b_released;
	}
	float a_loud = a->group->env[0][a->lane] * a->group->loud[0][a->lane];
	float b_loud = b->group->env[0][b->lane] * b->group->loud[0][b->lane];
	/* One that only begins is not quiet. */
	a_loud += a->group->env_rises[0][a->lane] ? 10.0f : 0.0f;
	b_loud += b->group->env_rises[0][b->lane] ? 10.0f : 0.0f;
	if (a_loud != b_loud) {
		return b_loud < a_loud;
	}
	return (int32_t)(b->group->order[0][b->lane] - a->group->order[0][a->lane]) < 0;
}

/* A voice to play with. One that still fades out leaves behind where it was. */
static struct place find_voice(struct synth *synth) {
	struct place free = {NULL, 0}, fading = {NULL, 0}, quietest = {NULL, 0};
	int sounding = 0;
	for (int i = 0; i < SYNTH_VOICES; i++) {
		struct place at = place_of(synth, i);
		if (at.group->stage[0][at.lane] == SYNTH_FREE) {
			free = free.group ? free : at;
		} else if (is_sounding(&at)) {
			sounding++;
			quietest = !quietest.group || is_better(&quietest, &at) ? at : quietest;
		} else if (!fading.group ||
			at.group->fade[0][at.lane] < fading.group->fade[0][fading.lane]) {
			fading = at;
		}
	}
	if (sounding >= SYNTH_SOUNDING) {
		end_soon(&quietest, SYNTH_STOLEN_FRAMES);
		synth->mix->stolen++;
	}
	if (free.group) {
		return free;
	}
	struct place taken = fading.group ? fading : quietest;
	synth->mix->rest[0] += taken.group->last_left[0][taken.lane];
	synth->mix->rest[1] += taken.group->last_right[0][taken.lane];
	return taken;
}

static void choke(struct synth *synth, uint32_t number) {
	for (int i = 0; number && i < SYNTH_VOICES; i++) {
		struct place at = place_of(synth, i);
		if (is_sounding(&at) && at.group->choke[0][at.lane] == number) {
			end_soon(&at, SYNTH_CHOKED_FRAMES);
		}
	}
}

void synth_note_on(struct synth *synth, const struct synth_note *asked) {
	struct synth_note note = *asked;
	/* Written so that what is no number is brought into range, too. */
	note.pitch = note.pitch > 0 ? (note.pitch < 135 ? note.pitch : 135) : 0;
	note.velocity = note.velocity > 1e-3f ? (note.velocity < 1 ? note.velocity : 1) : 0;
	note.sound = note.sound < synth_sound_count() ? note.sound : 0;
	note.channel = note.channel < SYNTH_CHANNELS ? note.channel : SYNTH_KEYS;
	float offset;
	struct patch patch = set_patch(synth, &note, (int)(note.pitch + 0.5f), &offset);
	float pitch = patch.fixed > 0 ? patch.fixed + offset : note.pitch;
	choke(synth, patch.choke);
	struct place at = find_voice(synth);
	struct synth_group *group = at.group;
	int lane = at.lane;
	group->stage[0][lane] = SYNTH_HELD;
	group->id[0][lane] = note.id;
	group->sound[0][lane] = note.sound;
	group->channel[0][lane] = note.channel;
	group->pitch[0][lane] = note.pitch;
	group->velocity[0][lane] = note.velocity;
	group->order[0][lane] = synth->mix->order++;
	group->one_shot[0][lane] = patch.one_shot;
	group->choke[0][lane] = patch.choke;
	group->bend[0][lane] = patch.bend / 12;
	group->bend_by[0][lane] = 1 - fall_by(patch.bend_time, synth->rate, SYNTH_STEP);
	start_oscillators(synth, group, lane, &patch, pitch);
	start_envelopes(synth, group, lane, &patch, note.velocity);
	start_filter(synth, group, lane, &patch, pitch, note.velocity);
	group->fade[0][lane] = 1;
	group->fade_to[0][lane] = 1;
	group->fade_step[0][lane] = 0;
	if (note.fade_frames > 0) {
		group->fade[0][lane] = gain_of(note.gain);
		fade_to(&at, note.gain_to, note.fade_frames);
	}
	float to_left = root_of((1 - patch.pan) * 0.5f) * 1.41421356f;
	float to_right = root_of((1 + patch.pan) * 0.5f) * 1.41421356f;
	group->pan_left[0][lane] = to_left;
	group->pan_right[0][lane] = to_right;
	group->chorus[0][lane] = patch.chorus * 0.5f;
	group->echo[0][lane] = patch.echo * 0.5f;
	group->reverb[0][lane] = patch.reverb * 0.5f;
	group->last_left[0][lane] = group->last_right[0][lane] = 0;
	synth->mix->started++;
}

/* ---- ending */

static void release(const struct place *at) {
	struct synth_group *group = at->group;
	int lane = at->lane;
	if (group->stage[0][lane] != SYNTH_HELD) {
		return;
	}
	group->stage[0][lane] = SYNTH_RELEASED;
	if (group->one_shot[0][lane]) {
		return;
	}
	group->bursts[0][lane] = 0;
	group->env_rises[0][lane] = 0;
	group->env_to[0][lane] = SYNTH_BELOW;
	group->env_by[0][lane] = group->release_by[0][lane];
	group->sweep_rises[0][lane] = 0;
	group->sweep_to[0][lane] = 0;
	group->sweep_by[0][lane] = group->sweep_release_by[0][lane];
}

void synth_note_off(struct synth *synth, uint32_t id) {
	for (int i = 0; i < SYNTH_VOICES; i++) {
		struct place at = place_of(synth, i);
		if (at.group->id[0][at.lane] == id) {
			release(&at);
		}
	}
}

void synth_note_fade(struct synth *synth, uint32_t id, float gain_to, uint32_t frames) {
	for (int i = 0; i < SYNTH_VOICES; i++) {
		struct place at = place_of(synth, i);
		if (at.group->id[0][at.lane] == id && is_sounding(&at)) {
			fade_to(&at, gain_to, frames);
		}
	}
}

void synth_all_off(struct synth *synth) {
	for (int i = 0; i < SYNTH_VOICES; i++) {
		struct place at = place_of(synth, i);
		release(&at);
	}
}

/* ---- rendering */

static bool is_free(const struct synth_group *group) {
	return !(group->stage[0][0] | group->stage[0][1] | group->stage[0][2] | group->stage[0][3]);
}

static void sum_lanes(float *to, const lanes *from, uint32_t frames) {
	for (uint32_t i = 0; i < frames; i++) {
		to[i] = (from[i][0] + from[i][1]) + (from[i][2] + from[i][3]);
	}
}

void synth_render(struct synth *synth, uint64_t frame, uint32_t frames, float *left, float *right) {
	while (frames > 0) {
		uint32_t in_step = (uint32_t)(frame % SYNTH_STEP), part = SYNTH_STEP - in_step;
		part = part < frames ? part : frames;
		struct group_sums sums = {0};
		for (int i = 0; i < SYNTH_GROUPS; i++) {
			struct synth_group *group = &synth->groups[i];
			if (in_step == 0 && !is_free(group)) {
				group_control(synth, group);
			}
			if (!is_free(group)) {
				group_run(synth, group, part, &sums);
			}
		}
		struct synth_bus bus;
		sum_lanes(bus.left, sums.left, part);
		sum_lanes(bus.right, sums.right, part);
		sum_lanes(bus.chorus, sums.chorus, part);
		sum_lanes(bus.echo, sums.echo, part);
		sum_lanes(bus.reverb, sums.reverb, part);
		effect_run(synth, part, &bus, left, right);
		left += part;
		right += part;
		frame += part;
		frames -= part;
	}
}

uint32_t synth_sounding(const struct synth *synth) {
	uint32_t sounding = 0;
	for (int i = 0; i < SYNTH_VOICES; i++) {
		sounding += synth->groups[i / LANES].stage[0][i % LANES] != SYNTH_FREE;
	}
	return sounding;
}

bool synth_silent(const struct synth *synth) {
	return effect_asleep(synth) && synth_sounding(synth) == 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Chorus, echo, reverb, and what holds it all in bounds. A frame at a time; all that lasts is in
 * struct synth_effects and struct synth_mix.
 */
#include "voice_int.h"

#define CHORUS_FRAMES 620.0f
#define CHORUS_DEPTH 150.0f
#define ECHO_DEFAULT 18000
#define ECHO_LEAST 480
#define ECHO_FADE_STEP (1.0f / 2400)
#define ECHO_BACK 0.52f
#define BEFORE 720 /* frames: 15 ms */
/* So that a full clip only now and then reaches where it is limited. */
#define HEADROOM 0.8f
/* Above that everything is turned down; the parts of the way that a frame goes: 2 ms, 170 ms. */
#define LOUD 0.75f
#define ATTACK 0.01f
#define RELEASE 0.00012f
#define AUDIBLE 1e-6f
/* As long as the longest of the lines: what was heard last has gone through all. */
#define ASLEEP (SYNTH_ECHO_FRAMES + SYNTH_LINE_FRAMES)

static const uint32_t diffuser_frames[SYNTH_DIFFUSERS] = {229, 173, 613, 449};
static const float diffuser_by[SYNTH_DIFFUSERS] = {0.72f, 0.72f, 0.62f, 0.62f};
static const uint32_t line_frames[SYNTH_LINES] = {1129, 1327, 1559, 1801, 2137, 2467, 2801, 3253};
/* So that 60 dB take 2.4 s: 10^(-3 frames / (2.4 s 48000)). */
static const float line_by[SYNTH_LINES] = {
	0.934542f, 0.923512f, 0.910754f, 0.897633f, 0.879729f, 0.862492f, 0.845390f, 0.822785f};
/* Where sound goes in, and where it comes out. */
static const float line_in[SYNTH_LINES] = {1, -1, 1, 1, -1, 1, -1, -1};
static const float line_left[SYNTH_LINES] = {1, 0.2f, -1, 0.3f, 1, -0.2f, -1, 0.3f};
static const float line_right[SYNTH_LINES] = {0.3f, 1, -0.2f, -1, 0.3f, 1, 0.2f, -1};

void effect_init(struct synth *synth) {
	struct synth_mix *mix = synth->mix;
	mix->echo_now = mix->echo_next = mix->echo_wanted = ECHO_DEFAULT;
	mix->volume = mix->volume_to = 1;
	mix->quiet = ASLEEP;
	mix->turn[1] = 0.31f;
}

bool effect_asleep(const struct synth *synth) {
	return synth->mix->quiet >= ASLEEP;
}

static float wobble(float turn) {
	return lanes_wobble(lanes_of(turn))[0];
}

static float turn_on(float *turn, float hertz, float rate) {
	*turn += hertz / rate;
	*turn -= *turn >= 1 ? 1.0f : 0.0f;
	return *turn;
}

/* A value between two frames of a line. */
static float between(const float *line, uint32_t size, uint64_t at, float back) {
	uint32_t whole = (uint32_t)back;
	float part = back - (float)whole;
	float a = line[(at - whole) & (size - 1)], b = line[(at - whole - 1) & (size - 1)];
	return a + (b - a) * part;
}

struct stereo {
	float left, right;
};

static struct stereo chorus(struct synth *synth, float in) {
	float *line = synth->effects->chorus;
	struct synth_mix *mix = synth->mix;
	line[mix->at & (SYNTH_CHORUS_FRAMES - 1)] = settle(in);
	float turn = turn_on(&mix->turn[0], 0.53f, synth->rate);
	float a = wobble(turn), b = wobble(turn + 0.25f), c = wobble(turn + 0.5f);
	const uint32_t size = SYNTH_CHORUS_FRAMES;
	float one = between(line, size, mix->at, CHORUS_FRAMES + CHORUS_DEPTH * a);
	float two = between(line, size, mix->at, CHORUS_FRAMES * 1.37f + CHORUS_DEPTH * b);
	float three = between(line, size, mix->at, CHORUS_FRAMES * 0.71f + CHORUS_DEPTH * c);
	return (struct stereo){one * 0.8f + two * 0.35f, three * 0.8f - two * 0.35f};
}

/* From side to side, a little duller and thinner each time. */
static struct stereo echo(struct synth *synth, float in) {
	struct synth_mix *mix = synth->mix;
	float (*line)[SYNTH_ECHO_FRAMES] = synth->effects->echo;
	const uint64_t last = SYNTH_ECHO_FRAMES - 1;
	float out[2];
	for (int side = 0; side < 2; side++) {
		float now = line[side][(mix->at - mix->echo_now) & last];
		float next = line[side][(mix->at - mix->echo_next) & last];
		out[side] = now + (next - now) * mix->echo_fade;
		mix->echo_low[side] =
			settle(mix->echo_low[side] + (out[side] - mix->echo_low[side]) * 0.34f);
		mix->echo_high[side] = settle(mix->echo_high[side] +
			(mix->echo_low[side] - mix->echo_high[side]) * 0.020f);
	}
	float back_left = mix->echo_low[0] - mix->echo_high[0];
	float back_right = mix->echo_low[1] - mix->echo_high[1];
	line[0][mix->at & last] = settle(in + back_right * ECHO_BACK);
	line[1][mix->at & last] = settle(back_left);
	if (mix->echo_now == mix->echo_next) {
		mix->echo_next = mix->echo_wanted;
		mix->echo_fade = 0;
	} else {
		mix->echo_fade += ECHO_FADE_STEP;
		if (mix->echo_fade >= 1) {
			mix->echo_fade = 0;
			mix->echo_now = mix->echo_next;
		}
	}
	return (struct stereo){out[0], out[1]};
}

static float diffuse(struct synth *synth, float x) {
	const uint64_t last = SYNTH_DIFFUSER_FRAMES - 1;
	uint64_t at = synth->mix->at;
	for (int i = 0; i < SYNTH_DIFFUSERS; i++) {
		float *line = synth->effects->diffuser[i];
		float old = line[(at - diffuser_frames[i]) & last];
		float in = settle(x + old * diffuser_by[i]);
		line[at & last] = in;
		x = old - in * diffuser_by[i];
	}
	return x;
}

/* Eight lines, each of which goes into all: what comes out is what went in, as much and in another
 * order, so that it neither grows nor rings. */
static void mix_lines(float x[SYNTH_LINES]) {
	for (int half = 1; half < SYNTH_LINES; half *= 2) {
		for (int i = 0; i < SYNTH_LINES; i++) {
			if (!(i & half)) {
				float a = x[i], b = x[i + half];
				x[i] = a + b;
				x[i + half] = a - b;
			}
		}
	}
	for (int i = 0; i < SYNTH_LINES; i++) {
		x[i] *= 0.35355339f;
	}
}

static struct stereo reverb(struct synth *synth, float in) {
	struct synth_mix *mix = synth->mix;
	struct synth_effects *effects = synth->effects;
	effects->before[mix->at & (SYNTH_BEFORE_FRAMES - 1)] = settle(in);
	in = diffuse(synth, effects->before[(mix->at - BEFORE) & (SYNTH_BEFORE_FRAMES - 1)]);
	float sway = wobble(turn_on(&mix->turn[1], 0.71f, synth->rate)) * 9;
	float x[SYNTH_LINES];
	struct stereo out = {0, 0};
	for (int i = 0; i < SYNTH_LINES; i++) {
		float back = (float)line_frames[i] + (i == 3 ? sway : i == 6 ? -sway : 0);
		float y = between(effects->line[i], SYNTH_LINE_FRAMES, mix->at, back);
		mix->damp[i] = settle(mix->damp[i] + (y * line_by[i] - mix->damp[i]) * 0.58f);
		x[i] = mix->damp[i];
		out.left += x[i] * line_left[i];
		out.right += x[i] * line_right[i];
	}
	mix_lines(x);
	for (int i = 0; i < SYNTH_LINES; i++) {
		effects->line[i][mix->at & (SYNTH_LINE_FRAMES - 1)] =
			settle(x[i] + in * line_in[i]);
	}
	return out;
}

static float magnitude(float x) {
	return x < 0 ? -x : x;
}

/* Straight up to a half, then softly to 1. */
static float limit(float x) {
	float over = magnitude(x) - 0.5f;
	if (over <= 0) {
		return x;
	}
	float y = 0.5f + 0.5f * lanes_saturate(lanes_of(over + over))[0];
	return x < 0 ? -y : y;
}

/* Without direct current, as loud as was asked for. */
static float level(struct synth_mix *mix, int side, float x) {
	float y = settle(x - mix->block_in[side] + 0.9985f * mix->block_out[side]);
	mix->block_in[side] = x;
	mix->block_out[side] = y;
	return settle(y * mix->volume * HEADROOM);
}

/* What is too loud for long is turned down, both sides alike, as a hand would do it: within some
 * milliseconds, and slowly up again. What is left over, the beginning of it, the soft curve takes.
 */
static float turn_down(struct synth_mix *mix, float left, float right) {
	float loud = magnitude(left) > magnitude(right) ? magnitude(left) : magnitude(right);
	float over = loud > LOUD ? loud * (1 / LOUD) - 1 : 0;
	mix->over = settle(mix->over + (over - mix->over) * (over > mix->over ? ATTACK : RELEASE));
	return 1 / (1 + mix->over);
}

static float finish(struct synth_mix *mix, int side, float x) {
	float y = limit(x);
	float peak = settle(mix->peak[side] * 0.99994f), now = magnitude(y);
	mix->peak[side] = now > peak ? now : peak;
	return y;
}

void effect_run(struct synth *synth, uint32_t frames, const struct synth_bus *bus, float *left,
	float *right) {
	struct synth_mix *mix = synth->mix;
	for (uint32_t i = 0; i < frames; i++) {
		float most = magnitude(bus->chorus[i]) + magnitude(bus->echo[i]) +
			magnitude(bus->reverb[i]);
		struct stereo sum = {bus->left[i] + mix->rest[0], bus->right[i] + mix->rest[1]};
		mix->rest[0] = settle(mix->rest[0] * 0.985f);
		mix->rest[1] = settle(mix->rest[1] * 0.985f);
		if (most > 0 || !effect_asleep(synth)) {
			struct stereo a = chorus(synth, bus->chorus[i]);
			struct stereo b = echo(synth, bus->echo[i]);
			struct stereo c = reverb(synth, bus->reverb[i]);
			sum.left += a.left + b.left + c.left * 0.5f;
			sum.right += a.right + b.right + c.right * 0.5f;
			most += magnitude(b.left) + magnitude(b.right) + magnitude(c.left) +
				magnitude(c.right);
			mix->quiet = most > AUDIBLE   ? 0
				: mix->quiet < ASLEEP ? mix->quiet + 1
						      : ASLEEP;
		}
		sum.left = level(mix, 0, sum.left);
		sum.right = level(mix, 1, sum.right);
		float down = turn_down(mix, sum.left, sum.right);
		left[i] = finish(mix, 0, settle(sum.left * down));
		right[i] = finish(mix, 1, settle(sum.right * down));
		mix->volume = settle(mix->volume + (mix->volume_to - mix->volume) * 0.0012f);
		mix->at++;
	}
}

void synth_volume(struct synth *synth, float volume) {
	synth->mix->volume_to = volume >= 0 && volume <= 2 ? volume : 1;
}

void synth_echo_frames(struct synth *synth, uint32_t frames) {
	struct synth_mix *mix = synth->mix;
	/* Halves of a time that is too long are in time with it, too. */
	while (frames >= SYNTH_ECHO_FRAMES - 1) {
		frames /= 2;
	}
	frames = frames < ECHO_LEAST ? ECHO_LEAST : frames;
	mix->echo_wanted = frames;
}

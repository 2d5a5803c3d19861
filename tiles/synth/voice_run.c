/* SPDX-License-Identifier: MIT */
/* Four voices at a time: what they do in every frame, and what they do now and then. */
#include "voice_int.h"

/* A lane's value that stands in memory, four at a time. */
#define AT(member) (*(lanes *)(member))
#define AT_I(member) (*(lanes_i *)(member))
#define AT_U(member) (*(lanes_u *)(member))

/* ---- now and then */

/* Those of several strokes, such as of hands. */
static void strike_again(struct synth_group *group) {
	for (int lane = 0; lane < LANES; lane++) {
		if (group->bursts[0][lane] == 0 || --group->burst_wait[0][lane] > 0) {
			continue;
		}
		group->burst_wait[0][lane] = group->burst_steps[0][lane];
		group->env_rises[0][lane] = -1;
		group->env_to[0][lane] = SYNTH_ABOVE;
		group->env_by[0][lane] = group->attack_by[0][lane];
		if (--group->bursts[0][lane] == 0) {
			group->decay_by[0][lane] = group->release_by[0][lane];
		}
	}
}

static void free_ended(struct synth_group *group) {
	for (int lane = 0; lane < LANES; lane++) {
		bool ended = !group->env_rises[0][lane] && group->env_to[0][lane] <= 0 &&
			group->env[0][lane] <= 0 && group->bursts[0][lane] == 0;
		bool faded = group->fade[0][lane] <= 0 && group->fade_to[0][lane] <= 0;
		if (ended || faded) {
			group->stage[0][lane] = SYNTH_FREE;
			group->env[0][lane] = 0;
			group->env_to[0][lane] = 0;
			group->last_left[0][lane] = 0;
			group->last_right[0][lane] = 0;
		}
	}
}

static void control_sweep(struct synth_group *group) {
	lanes_i rises = AT_I(group->sweep_rises);
	lanes sweep = AT(group->sweep), to = AT(group->sweep_to), by = AT(group->sweep_by);
	sweep += (to - sweep) * by;
	lanes_i done = rises & (lanes_i)(sweep >= lanes_of(1));
	AT(group->sweep_to) = lanes_pick(done, AT(group->sweep_sustain), to);
	AT(group->sweep_by) = lanes_pick(done, AT(group->sweep_decay_by), by);
	AT_I(group->sweep_rises) = rises & ~done;
	AT(group->sweep) = lanes_settle(sweep);
}

void group_control(const struct synth *synth, struct synth_group *group) {
	const lanes part = lanes_of(1.0f / SYNTH_STEP);
	strike_again(group);
	free_ended(group);
	control_sweep(group);
	lanes sweep = AT(group->sweep);

	lanes turn = AT(group->wobble) + AT(group->wobble_by);
	turn -= lanes_pick(turn >= lanes_of(1), lanes_of(1), lanes_of(0));
	AT(group->wobble) = turn;
	lanes in = lanes_min(AT(group->wobble_in) + AT(group->wobble_in_by), lanes_of(1));
	AT(group->wobble_in) = in;
	lanes wobble = lanes_wobble(turn) * lanes_max(in, lanes_of(0));

	AT(group->bend) = lanes_settle(AT(group->bend) * AT(group->bend_by));
	lanes factor =
		lanes_exp2(lanes_clamp(AT(group->bend) + AT(group->vibrato) * wobble, -20, 20));
	for (int osc = 0; osc < 3; osc++) {
		lanes to = lanes_min(AT(group->advance_base[osc]) * factor, lanes_of(2.1e9f));
		AT_I(group->advance_step[osc]) =
			(__builtin_convertvector(to, lanes_i) - AT_I(group->advance[osc])) /
			SYNTH_STEP;
	}
	AT(group->fm_step) =
		(AT(group->fm_base) + AT(group->fm_env) * sweep - AT(group->fm)) * part;

	float top = synth->rate * 0.45f;
	lanes octaves =
		AT(group->cutoff) + AT(group->cutoff_env) * sweep + AT(group->wobble_cut) * wobble;
	lanes hertz = lanes_clamp(lanes_exp2(lanes_clamp(octaves, 4, 16)), 16, top);
	lanes cut = lanes_tan(hertz * lanes_of(3.14159265f / synth->rate));
	AT(group->cut_step) = (cut - AT(group->cut)) * part;

	lanes gain = AT(group->loud) *
		(lanes_of(1) - AT(group->tremolo) * (lanes_of(0.5f) - lanes_of(0.5f) * wobble));
	AT(group->gain_step) = (gain - AT(group->gain)) * part;
}

/* ---- every frame */

/* The waveforms at four phases, a straight line between two values of the table. */
static inline lanes look_up(const float *values, lanes_i table, lanes_u phase) {
	lanes_i at = table + (lanes_i)(phase >> 21);
	lanes_i between = (lanes_i)(phase & 0x1fffff);
	lanes a = {values[at[0]], values[at[1]], values[at[2]], values[at[3]]};
	lanes b = {values[at[0] + 1], values[at[1] + 1], values[at[2] + 1], values[at[3] + 1]};
	return a + (b - a) * (__builtin_convertvector(between, lanes) * lanes_of(0x1p-21f));
}

struct filter_by {
	lanes damping, cut, one, two; /* first stage: its damping, and 1 / (1 + g (g + k)) */
	lanes low, band, high, steep, drive, drive_level;
};

/* A state variable filter as Zavalishin makes it: may be swept however fast. */
static inline lanes filter_stage(lanes x, lanes *first, lanes *second, lanes damping, lanes cut,
	lanes by, const struct filter_by *f) {
	lanes v3 = x - *second;
	lanes v1 = (*first + cut * v3) * by;
	lanes v2 = *second + cut * v1;
	*first = lanes_settle(v1 + v1 - *first);
	*second = lanes_settle(v2 + v2 - *second);
	return f->low * v2 + f->band * v1 * damping + f->high * (x - damping * v1 - v2);
}

static inline lanes filter(lanes x, lanes memory[4], const struct filter_by *f) {
	lanes y = filter_stage(x, &memory[0], &memory[1], f->damping, f->cut, f->one, f);
	lanes z = filter_stage(y, &memory[2], &memory[3], lanes_of(1.3f), f->cut, f->two, f);
	y += f->steep * (z - y);
	return y + f->drive * (lanes_saturate(y * f->drive_level) - y);
}

static inline lanes_u noise_next(lanes_u x) {
	x ^= x << 13;
	x ^= x >> 17;
	return x ^ x << 5;
}

void group_run(const struct synth *synth, struct synth_group *group, uint32_t frames,
	struct group_sums *sums) {
	const float *values = &synth->waves->values[0][0][0];
	lanes_u phase[3] = {AT_U(group->phase[0]), AT_U(group->phase[1]), AT_U(group->phase[2])};
	lanes_i advance[3] = {
		AT_I(group->advance[0]), AT_I(group->advance[1]), AT_I(group->advance[2])};
	lanes_u noise = AT_U(group->noise);
	lanes fm = AT(group->fm), cut = AT(group->cut);
	lanes env = AT(group->env), env_to = AT(group->env_to), env_by = AT(group->env_by);
	lanes_i rises = AT_I(group->env_rises);
	lanes gain = AT(group->gain), fade = AT(group->fade);
	lanes fade_to = AT(group->fade_to), fade_step = AT(group->fade_step);
	lanes left_memory[4], right_memory[4], left = lanes_of(0), right = lanes_of(0);
	for (int i = 0; i < 4; i++) {
		left_memory[i] = AT(group->filter[i]);
		right_memory[i] = AT(group->filter[4 + i]);
	}
	struct filter_by by = {
		.damping = AT(group->damping),
		.low = AT(group->low),
		.band = AT(group->band),
		.high = AT(group->high),
		.steep = AT(group->steep),
		.drive = AT(group->drive),
		.drive_level = AT(group->drive_level),
	};
	for (uint32_t i = 0; i < frames; i++) {
		lanes third = look_up(values, AT_I(group->table[2]), phase[2]);
		/* Turns of the phase, in 2^-24 of one. */
		lanes_u shift =
			(lanes_u) __builtin_convertvector(fm * third * lanes_of(0x1p24f), lanes_i)
			<< 8;
		lanes a = look_up(values, AT_I(group->table[0]), phase[0] + shift);
		lanes b = look_up(values, AT_I(group->table[1]), phase[1] + shift);
		noise = noise_next(noise);
		lanes hiss = __builtin_convertvector((lanes_i)noise, lanes) *
			(AT(group->noise_level) * lanes_of(0x1p-31f));
		lanes x = a * AT(group->level_left[0]) + b * AT(group->level_left[1]) +
			third * AT(group->level_left[2]) + hiss;
		lanes y = a * AT(group->level_right[0]) + b * AT(group->level_right[1]) +
			third * AT(group->level_right[2]) + hiss;

		by.cut = cut;
		by.one = lanes_of(1) / (lanes_of(1) + cut * (cut + by.damping));
		by.two = lanes_of(1) / (lanes_of(1) + cut * (cut + lanes_of(1.3f)));
		x = filter(x, left_memory, &by);
		y = filter(y, right_memory, &by);

		env += (env_to - env) * env_by;
		env = lanes_max(env, lanes_of(0));
		lanes_i done = rises & (lanes_i)(env >= lanes_of(1));
		env_to = lanes_pick(done, AT(group->sustain), env_to);
		env_by = lanes_pick(done, AT(group->decay_by), env_by);
		rises &= ~done;
		/* To where it goes, from whichever side. */
		fade += fade_step;
		lanes_i past = (lanes_i)((fade - fade_to) * fade_step >= lanes_of(0));
		fade = lanes_pick(past, fade_to, fade);
		lanes loud = env * gain * fade;
		x = lanes_settle(x * loud);
		y = lanes_settle(y * loud);

		left = x * AT(group->pan_left);
		right = y * AT(group->pan_right);
		lanes both = x + y;
		sums->left[i] += left;
		sums->right[i] += right;
		sums->chorus[i] += both * AT(group->chorus);
		sums->echo[i] += both * AT(group->echo);
		sums->reverb[i] += both * AT(group->reverb);

		for (int osc = 0; osc < 3; osc++) {
			phase[osc] += (lanes_u)advance[osc];
			advance[osc] += AT_I(group->advance_step[osc]);
		}
		fm += AT(group->fm_step);
		cut += AT(group->cut_step);
		gain += AT(group->gain_step);
	}
	for (int osc = 0; osc < 3; osc++) {
		AT_U(group->phase[osc]) = phase[osc];
		AT_I(group->advance[osc]) = advance[osc];
	}
	for (int i = 0; i < 4; i++) {
		AT(group->filter[i]) = left_memory[i];
		AT(group->filter[4 + i]) = right_memory[i];
	}
	AT_U(group->noise) = noise;
	AT(group->fm) = fm;
	AT(group->cut) = cut;
	AT(group->env) = env;
	AT(group->env_to) = env_to;
	AT(group->env_by) = env_by;
	AT_I(group->env_rises) = rises;
	AT(group->gain) = gain;
	AT(group->fade) = fade;
	AT(group->last_left) = left;
	AT(group->last_right) = right;
}

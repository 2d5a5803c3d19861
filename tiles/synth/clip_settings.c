/* SPDX-License-Identifier: MIT */
/* Lines of a clip that set something: for the whole clip above its tracks, for a track in it. */
#include <string.h>

#include "clip_compile.h"

/* ---- what stands in lines */

bool clip_line_over(struct clip_maker *maker, uint32_t at, uint32_t end) {
	at = clip_skip(maker, at, end, false);
	return at == end || clip_wrong(maker, at, "the line has to end here");
}

/* Which of the words it is; -1 and an error: none. */
int clip_line_choose(struct clip_maker *maker, struct clip_line *line, const char *const *words,
	int count, const char *what) {
	struct clip_span word = clip_word(maker, line->at, line->end);
	for (int i = 0; i < count; i++) {
		if (clip_same(maker, word, words[i])) {
			line->at = word.to;
			return i;
		}
	}
	clip_wrong(maker, line->from, "%s", what);
	return -1;
}

/* A whole number with an optional sign. */
static bool signed_number(struct clip_maker *maker, struct clip_line *line, int32_t low,
	int32_t high, const char *what, int32_t *number, bool *relative) {
	uint32_t at = line->at, value = 0;
	char c = at < line->end ? maker->text[at] : '\0';
	bool sign = c == '+' || c == '-';
	at += sign;
	if (!clip_number(maker, &at, line->end, 100000, &value)) {
		return clip_wrong(maker, line->at, "%s, %d to %d", what, low, high);
	}
	*number = c == '-' ? -(int32_t)value : (int32_t)value;
	if (*number < low || *number > high) {
		return clip_wrong(maker, line->at, "%s, %d to %d", what, low, high);
	}
	if (relative) {
		*relative = sign;
	}
	line->at = at;
	return clip_line_over(maker, at, line->end);
}

static bool read_tempo(struct clip_maker *maker, struct clip_line *line, uint32_t *tempo) {
	int32_t value = 0;
	if (!clip_decimal(maker, &line->at, line->end, &value) || value < VAT_TEMPO_MIN ||
		value > VAT_TEMPO_MAX) {
		return clip_wrong(maker, line->from, "the tempo is in beats a minute, 1 to 1000");
	}
	*tempo = (uint32_t)value;
	return clip_line_over(maker, line->at, line->end);
}

static bool head_only(struct clip_maker *maker, const struct clip_line *line) {
	return !maker->in_track ||
		clip_wrong(maker, line->word.from,
			"'%.*s' is about the whole clip: it stands above the "
			"first track and the first note",
			(int)(line->word.to - line->word.from), maker->text + line->word.from);
}

/* Lines that make bytecode begin a track, if there is none yet. */
bool clip_need_track(struct clip_maker *maker, uint32_t at) {
	return maker->in_track || clip_begin_track(maker, (struct clip_span){0, 0}, at);
}

bool clip_out2(struct clip_maker *maker, uint32_t at, uint32_t first, uint32_t second) {
	return clip_flush(maker, at) && clip_word_out(maker, at, first) &&
		clip_word_out(maker, at, second);
}

/* ---- lines of the head, and of tracks */

bool clip_line_tempo(struct clip_maker *maker, struct clip_line *line) {
	uint32_t tempo = 0;
	if (!read_tempo(maker, line, &tempo)) {
		return false;
	}
	if (maker->in_track) {
		return clip_out2(maker, line->at, clip_op(CLIP_OP_TEMPO, 0), tempo);
	}
	maker->code->tempo = tempo;
	maker->code->said |= CLIP_SAID_TEMPO;
	return true;
}

bool clip_line_meter(struct clip_maker *maker, struct clip_line *line) {
	uint32_t n = 0, d = 0, at = line->at;
	if (!head_only(maker, line)) {
		return false;
	}
	bool good = clip_number(maker, &at, line->end, 64, &n) && n && at < line->end &&
		maker->text[at++] == '/' && clip_number(maker, &at, line->end, 64, &d) && d &&
		(d & (d - 1)) == 0;
	if (!good) {
		return clip_wrong(maker, line->at, "a meter is written 4/4, 3/4, 6/8");
	}
	if (n * 4 % d || n * 4 / d > 64) {
		return clip_wrong(maker, line->at,
			"%u/%u is not a whole number of quarter notes, in which the city counts: "
			"take two bars as one, %u/%u",
			n, d, 2 * n, d);
	}
	maker->code->beats_a_bar = n * 4 / d;
	maker->code->said |= CLIP_SAID_METER;
	maker->bar_grains = (int64_t)maker->code->beats_a_bar * CLIP_BEAT_GRAINS;
	return clip_line_over(maker, at, line->end);
}

bool clip_line_key(struct clip_maker *maker, struct clip_line *line) {
	char hint[200];
	int32_t root = 0;
	struct clip_span word = clip_word(maker, line->at, line->end);
	uint32_t at = word.from;
	if (!clip_letter(maker, &at, word.to, &root) || at != word.to) {
		return clip_wrong(maker, line->at,
			"a key is a root and a scale: key d minor; the root is c to b, with # or "
			"b");
	}
	at = clip_skip(maker, at, line->end, false);
	word = clip_word(maker, at, line->end);
	int32_t scale = clip_scale_find(maker, word);
	if (word.from == word.to) {
		scale = 0;
	} else if (scale < 0) {
		clip_hint(maker, word, "scale", hint, sizeof(hint));
		return clip_wrong(maker, at, "no such scale%s", hint);
	}
	maker->reading.root = root;
	maker->reading.scale = scale;
	return clip_line_over(maker, word.to, line->end);
}

bool clip_line_step(struct clip_maker *maker, struct clip_line *line) {
	struct clip_ratio step;
	uint32_t at = line->at;
	if (!clip_fraction(maker, &at, line->end, &step)) {
		return clip_wrong(maker, line->at, "a step is part of a whole note: step 1/8");
	}
	step = clip_ratio_times(step, (struct clip_ratio){CLIP_WHOLE, 1});
	if (step.n < step.d * CLIP_GRAINS || step.n / step.d > 64 * (int64_t)CLIP_WHOLE) {
		return clip_wrong(maker, line->at, "a step is 1/384 to 64 whole notes long");
	}
	maker->reading.step = step;
	return clip_line_over(maker, at, line->end);
}

bool clip_line_octave(struct clip_maker *maker, struct clip_line *line) {
	int32_t octave = 0;
	bool relative = false;
	if (!signed_number(maker, line, -8, 9, "an octave is a number", &octave, &relative)) {
		return false;
	}
	octave += relative ? maker->reading.octave : 0;
	if (octave < 0 || octave > 9) {
		return clip_wrong(
			maker, line->word.from, "octaves are 0 to 9; c4 is in the middle");
	}
	maker->reading.octave = octave;
	return true;
}

bool clip_line_gate(struct clip_maker *maker, struct clip_line *line) {
	uint32_t gate = 0;
	if (!clip_number(maker, &line->at, line->end, 400, &gate) || !gate) {
		return clip_wrong(maker, line->from,
			"the gate is how much of its time a note sounds, in per cent: 1 to 400");
	}
	line->at += line->at < line->end && maker->text[line->at] == '%';
	maker->reading.gate = (int32_t)gate;
	return clip_line_over(maker, line->at, line->end);
}

bool clip_line_swing(struct clip_maker *maker, struct clip_line *line) {
	uint32_t swing = 0;
	struct clip_ratio unit = {1, 8};
	if (!clip_number(maker, &line->at, line->end, 90, &swing) || swing < 10) {
		return clip_wrong(maker, line->from,
			"swing is where the off-beat is, in per cent of two steps: 50 is straight, "
			"66 triplets; 10 to 90");
	}
	line->at += line->at < line->end && maker->text[line->at] == '%';
	line->at = clip_skip(maker, line->at, line->end, false);
	if (line->at < line->end && !clip_fraction(maker, &line->at, line->end, &unit)) {
		return clip_wrong(maker, line->at, "swing 60 1/16: of which notes");
	}
	unit = clip_ratio_times(unit, (struct clip_ratio){(int64_t)2 * CLIP_WHOLE, 1});
	if (unit.n / unit.d < CLIP_GRAINS || unit.n / unit.d > 16 * (int64_t)CLIP_WHOLE) {
		return clip_wrong(maker, line->at, "swing of notes from 1/384 to 8 whole ones");
	}
	maker->reading.swing = swing;
	maker->reading.swing_grains = (uint32_t)(unit.n / unit.d);
	return clip_line_over(maker, line->at, line->end);
}

bool clip_line_velocity(struct clip_maker *maker, struct clip_line *line) {
	int32_t value = 0;
	bool relative = false;
	uint32_t percent = 0, at = line->at;
	bool is_percent = clip_number(maker, &at, line->end, 400, &percent) && at < line->end &&
		maker->text[at] == '%';
	if (is_percent && maker->in_track) {
		return clip_wrong(maker, line->at,
			"in a track, velocity is 1 to 127; per cent are of the whole clip, above "
			"it");
	}
	if (!maker->in_track) {
		if (!is_percent || !percent) {
			return clip_wrong(maker, line->at,
				"above the tracks, velocity is of the whole clip: velocity 80%%, 1 "
				"to "
				"400; in a track it is 1 to 127");
		}
		maker->code->velocity = percent;
		maker->code->said |= CLIP_SAID_VELOCITY;
		return clip_line_over(maker, at + 1, line->end);
	}
	return signed_number(maker, line, -127, 127, "velocity is 1 to 127, or +10, -10", &value,
		       &relative) &&
		clip_out2(maker, line->at, clip_op(CLIP_OP_VELOCITY, relative), (uint32_t)value);
}

bool clip_line_transpose(struct clip_maker *maker, struct clip_line *line) {
	int32_t value = 0;
	bool relative = false;
	if (!signed_number(maker, line, -60, 60, "transpose by semitones", &value, &relative)) {
		return false;
	}
	if (maker->in_track) {
		/* -12 is a place, as it is above the tracks; +2 and then again is what 'by' says.
		 */
		return clip_out2(maker, line->at, clip_op(CLIP_OP_TRANSPOSE, 0), (uint32_t)value);
	}
	maker->code->transpose = value;
	maker->code->said |= CLIP_SAID_TRANSPOSE;
	return true;
}

bool clip_line_shift(struct clip_maker *maker, struct clip_line *line) {
	int32_t value = 0;
	return clip_need_track(maker, line->word.from) &&
		signed_number(maker, line, -60, 60, "shift the track by semitones, each time",
			&value, NULL) &&
		clip_out2(maker, line->at, clip_op(CLIP_OP_TRANSPOSE, 1), (uint32_t)value);
}

bool clip_line_modulate(struct clip_maker *maker, struct clip_line *line) {
	int32_t value = 0;
	bool relative = false;
	return clip_need_track(maker, line->word.from) &&
		signed_number(maker, line, -60, 60, "modulate the clip by semitones: +5, or to: 0",
			&value, &relative) &&
		clip_out2(maker, line->at, clip_op(CLIP_OP_MODULATE, relative), (uint32_t)value);
}

/* name=value ... */
static bool parameters(struct clip_maker *maker, struct clip_line *line) {
	const struct clip_vocabulary *vocabulary = maker->vocabulary;
	char hint[200];
	for (;;) {
		uint32_t at = line->at = clip_skip(maker, line->at, line->end, false);
		struct clip_span word = clip_word(maker, at, line->end);
		uint32_t i = 0;
		int32_t value = 0;
		if (at == line->end) {
			return true;
		}
		while (i < vocabulary->parameter_count &&
			!clip_same(maker, word, vocabulary->parameters[i].name)) {
			i++;
		}
		if (i == vocabulary->parameter_count) {
			clip_hint(maker, word, "parameter", hint, sizeof(hint));
			return clip_wrong(maker, at, "no such parameter of a sound%s", hint);
		}
		const struct clip_parameter_word *parameter = &vocabulary->parameters[i];
		at = word.to;
		bool good = at < line->end && maker->text[at] == '=';
		at += good;
		good = good && clip_decimal(maker, &at, line->end, &value) &&
			value >= parameter->min && value <= parameter->max &&
			(at == line->end || clip_is_blank(maker->text[at]));
		if (!good) {
			return clip_wrong(maker, word.from, "%s=VALUE takes %g to %g",
				parameter->name, parameter->min / 1000.0, parameter->max / 1000.0);
		}
		if (!clip_out2(maker, at, clip_op(CLIP_OP_PARAMETER, i), (uint32_t)value)) {
			return false;
		}
		line->at = at;
	}
}

bool clip_line_sound(struct clip_maker *maker, struct clip_line *line) {
	const struct clip_vocabulary *vocabulary = maker->vocabulary;
	struct clip_span word = clip_word(maker, line->at, line->end);
	char hint[200];
	uint32_t i = 0;
	if (!clip_need_track(maker, line->word.from)) {
		return false;
	}
	while (i < vocabulary->sound_count && !clip_same(maker, word, vocabulary->sounds[i].name)) {
		i++;
	}
	if (i == vocabulary->sound_count) {
		clip_hint(maker, word, "sound", hint, sizeof(hint));
		return clip_wrong(maker, line->at, "no such sound%s", hint);
	}
	line->at = word.to;
	maker->sound_said = true;
	return clip_flush(maker, word.from) &&
		clip_word_out(maker, word.from, clip_op(CLIP_OP_SOUND, i)) &&
		parameters(maker, line);
}

bool clip_line_set(struct clip_maker *maker, struct clip_line *line) {
	if (line->at == line->end) {
		return clip_wrong(maker, line->word.from, "set what? set NAME=VALUE");
	}
	return clip_need_track(maker, line->word.from) && parameters(maker, line);
}

bool clip_line_hit(struct clip_maker *maker, struct clip_line *line) {
	struct clip_span word = clip_word(maker, line->at, line->end);
	int32_t pitch = clip_drum_find(maker, word);
	char hint[200];
	if (pitch >= 0) {
		pitch += CLIP_TONE_FIXED;
	} else if (word.from == word.to ||
		!clip_note_name(maker, word, maker->reading.octave, &pitch) || pitch < 0 ||
		pitch > 127) {
		clip_hint(maker, word, "drum", hint, sizeof(hint));
		return clip_wrong(maker, line->at, "x plays a drum or a note%s", hint);
	}
	maker->reading.hit = pitch;
	return clip_line_over(maker, word.to, line->end);
}

/* ---- how it takes over */

/* Whether this can name a marker, as vat_name_valid has it. */
bool clip_marker_name(const struct clip_maker *maker, struct clip_span name) {
	if (name.from == name.to || name.to - name.from >= CLIP_NAME ||
		maker->text[name.from] < 'a' || maker->text[name.from] > 'z') {
		return false;
	}
	for (uint32_t i = name.from; i < name.to; i++) {
		char c = maker->text[i];
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' &&
			c != '-') {
			return false;
		}
	}
	return true;
}

bool clip_line_splice(struct clip_maker *maker, struct clip_line *line) {
	static const char *const words[] = {"beat", "bar", "phrase", "loop", "marker"};
	static const char what[] =
		"a splice point is !, @beat, @bar, @phrase, @phrase(4), @loop or "
		"@marker(NAME)";
	struct clip_code *code = maker->code;
	uint32_t from = line->at;
	if (!head_only(maker, line)) {
		return false;
	}
	code->said |= CLIP_SAID_SPLICE;
	if (line->at < line->end && maker->text[line->at] == '!') {
		code->splice_kind = VAT_SPLICE_NOW;
		return clip_line_over(maker, line->at + 1, line->end);
	}
	if (line->at >= line->end || maker->text[line->at++] != '@') {
		return clip_wrong(maker, from, what);
	}
	int word = clip_line_choose(maker, line, words, 5, what);
	if (word < 0) {
		return false;
	}
	code->splice_kind = VAT_SPLICE_BEAT + (uint32_t)word;
	bool bracket = line->at < line->end && maker->text[line->at] == '(';
	uint32_t end = line->at + bracket;
	if (code->splice_kind == VAT_SPLICE_MARKER) {
		while (bracket && end < line->end && maker->text[end] != ')') {
			end++;
		}
		uint32_t size = end - line->at - bracket;
		if (!bracket || end == line->end ||
			!clip_marker_name(maker, (struct clip_span){line->at + 1, end})) {
			return clip_wrong(maker, from, what);
		}
		memcpy(code->splice_marker, maker->text + line->at + 1, size);
		end++;
	} else if (code->splice_kind == VAT_SPLICE_PHRASE && bracket) {
		if (!clip_number(maker, &end, line->end, 1024, &code->splice_bars) ||
			!code->splice_bars || end == line->end || maker->text[end] != ')') {
			return clip_wrong(maker, from, "a phrase is 1 to 1024 bars: @phrase(4)");
		}
		end++;
	}
	return clip_line_over(maker, end, line->end);
}

bool clip_line_notes(struct clip_maker *maker, struct clip_line *line) {
	static const char *const words[] = {"release", "sustain", "crossfade", "inherit"};
	int word = head_only(maker, line)
		? clip_line_choose(maker, line, words, 4,
			  "what sounds at the splice: release, sustain, crossfade or "
			  "inherit")
		: -1;
	maker->code->notes = CLIP_RELEASE + (uint32_t)word;
	maker->code->said |= CLIP_SAID_NOTES;
	return word >= 0 && clip_line_over(maker, line->at, line->end);
}

bool clip_line_state(struct clip_maker *maker, struct clip_line *line) {
	static const char *const words[] = {"inherit", "reset", "merge"};
	int word = head_only(maker, line)
		? clip_line_choose(maker, line, words, 3,
			  "tempo, transposition and velocity at the splice: inherit, reset "
			  "or merge")
		: -1;
	maker->code->state = CLIP_STATE_INHERIT + (uint32_t)word;
	maker->code->said |= CLIP_SAID_STATE;
	return word >= 0 && clip_line_over(maker, line->at, line->end);
}

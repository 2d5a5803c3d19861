/* SPDX-License-Identifier: MIT */
/* What becomes of lines of notes: bytecode. */
#include <stdio.h>
#include <string.h>

#include "clip_compile.h"

/* How the notes around it are played. */
struct manner {
	uint32_t depth;
	int32_t accent, velocity;
	bool natural; /* at the step of the track: bar lines count */
};

static bool emit_sequence(struct clip_maker *maker, struct clip_span span, struct clip_ratio unit,
	struct manner manner);

bool clip_word_out(struct clip_maker *maker, uint32_t at, uint32_t word) {
	if (maker->code->size == CLIP_WORDS) {
		return clip_wrong(maker, at,
			"the clip becomes too big here: repeat less, or make it "
			"two");
	}
	maker->code->words[maker->code->size++] = word;
	return true;
}

bool clip_flush(struct clip_maker *maker, uint32_t at) {
	while (maker->wait > 0) {
		int64_t part =
			maker->wait < CLIP_GRAINS_MAX / 2 ? maker->wait : CLIP_GRAINS_MAX / 2;
		if (!clip_word_out(maker, at, clip_op(CLIP_OP_WAIT, 0)) ||
			!clip_word_out(maker, at, (uint32_t)part)) {
			return false;
		}
		maker->wait -= part;
	}
	return true;
}

/* A place that is jumped to, or from which is jumped: nothing goes over it. */
static bool label(struct clip_maker *maker, uint32_t at) {
	maker->open_count = 0;
	return clip_flush(maker, at);
}

static bool advance(struct clip_maker *maker, uint32_t at, int64_t grains) {
	maker->wait += grains;
	maker->position += grains;
	if (maker->position >= CLIP_GRAINS_MAX) {
		return clip_wrong(
			maker, at, "the track becomes too long here: 26,000 beats are the end");
	}
	return true;
}

/* Part i of n of a time. */
static int64_t part_of(int64_t grains, uint32_t i, uint32_t n) {
	return grains * (i + 1) / n - grains * i / n;
}

static int64_t gated(const struct clip_maker *maker, int64_t grains) {
	int64_t length = grains * maker->reading.gate / 100;
	return length < 1 ? 1 : length < CLIP_GRAINS_MAX ? length : CLIP_GRAINS_MAX;
}

static uint32_t source_of(const struct clip_maker *maker, uint32_t at) {
	uint32_t line = 1, column = 1;
	for (uint32_t i = 0; i < at; i++) {
		column++;
		if (maker->text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return (line & 0xfffff) << 12 | (column < 4095 ? column : 4095);
}

static bool emit_rest(struct clip_maker *maker, uint32_t at, int64_t grains) {
	maker->open_count = 0;
	return advance(maker, at, grains);
}

static bool emit_hold(struct clip_maker *maker, uint32_t at, int64_t grains) {
	if (!grains) {
		return true;
	}
	for (uint32_t i = 0; i < maker->open_count; i++) {
		maker->open[i].full += grains;
		maker->code->words[maker->open[i].at] = (uint32_t)gated(maker, maker->open[i].full);
	}
	if (!maker->open_count &&
		(!clip_flush(maker, at) || !clip_word_out(maker, at, clip_op(CLIP_OP_TIE, 0)) ||
			!clip_word_out(maker, at, (uint32_t)grains))) {
		return false;
	}
	return advance(maker, at, grains);
}

static bool emit_tones(struct clip_maker *maker, uint32_t at, const int32_t *tones, uint32_t count,
	int64_t grains, struct manner manner) {
	if (grains < CLIP_GRAINS) {
		return clip_wrong(maker, at,
			"too fast: this note lasts less than a tick, which is 1/96 of a beat");
	}
	if (!clip_flush(maker, at)) {
		return false;
	}
	uint32_t source = source_of(maker, at);
	maker->open_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		bool fixed = tones[i] >= CLIP_TONE_FIXED;
		int32_t velocity = manner.velocity + manner.accent;
		if (!manner.velocity) {
			velocity += CLIP_VELOCITY_ZERO;
		}
		velocity = velocity < 1 ? 1 : velocity > 255 ? 255 : velocity;
		if (manner.velocity && velocity > 127) {
			velocity = 127;
		}
		uint32_t bits = (fixed ? CLIP_NOTE_FIXED : 0u) |
			(manner.velocity ? CLIP_NOTE_ABSOLUTE : 0u);
		maker->drums = maker->drums || fixed;
		if (!clip_word_out(maker, at, clip_op(CLIP_OP_NOTE, bits)) ||
			!clip_word_out(maker, at,
				(uint32_t)tones[i] % CLIP_TONE_FIXED | (uint32_t)velocity << 8)) {
			return false;
		}
		maker->open[maker->open_count].at = maker->code->size;
		maker->open[maker->open_count++].full = grains;
		if (!clip_word_out(maker, at, (uint32_t)gated(maker, grains)) ||
			!clip_word_out(maker, at, source)) {
			return false;
		}
	}
	return advance(maker, at, grains);
}

static bool emit_hits(struct clip_maker *maker, const struct clip_element *element, int64_t grains,
	struct manner manner) {
	uint32_t from = element->at, count = element->inner.to - from;
	for (uint32_t i = 0; i < count; i++) {
		char c = maker->text[from + i];
		int64_t part = part_of(grains, i, count);
		struct manner this = manner;
		if (c == '_') {
			if (!emit_hold(maker, from + i, part)) {
				return false;
			}
			continue;
		}
		if (c != 'x' && c != 'X' && c != 'o') {
			if (!emit_rest(maker, from + i, part)) {
				return false;
			}
			continue;
		}
		if (maker->reading.hit < 0) {
			return clip_wrong(maker, from + i,
				"'%c' plays what 'hit' says, and nothing does: write a line such "
				"as "
				"'hit c3' above",
				c);
		}
		this.accent += c == 'X' ? 24 : c == 'o' ? -36 : 0;
		if (!emit_tones(maker, from + i, &maker->reading.hit, 1, part, this)) {
			return false;
		}
	}
	return true;
}

/* ---- what takes turns */

/* A number for < > at this place of the text in this track. */
static bool turn_number(struct clip_maker *maker, uint32_t at, uint32_t *number) {
	struct clip_code *code = maker->code;
	for (uint32_t i = maker->turn_first; i < code->turn_count; i++) {
		if (maker->turn_keys[i] == at) {
			*number = i;
			return true;
		}
	}
	if (code->turn_count == CLIP_TURNS) {
		return clip_wrong(
			maker, at, "more than %d places with < > in one clip", CLIP_TURNS);
	}
	maker->turn_keys[code->turn_count] = at;
	*number = code->turn_count++;
	return true;
}

static bool emit_element(struct clip_maker *maker, const struct clip_element *element,
	int64_t grains, struct manner manner);

/* The choices of < >, with those that are there more than once so often: a target for each. */
static bool emit_choices(struct clip_maker *maker, const struct clip_element *element,
	uint32_t targets, uint32_t count, int64_t grains, struct manner manner) {
	uint32_t ends[CLIP_TURN_MAX], end_count = 0, done = 0, end = element->inner.to;
	int64_t position = maker->position;
	uint32_t at = clip_skip(maker, element->inner.from, end, true);
	manner.depth++;
	while (at < end && done < count) {
		struct clip_element choice;
		if (!clip_element(maker, at, end, manner.depth, &choice)) {
			return false;
		}
		for (uint32_t i = 0; i < choice.times; i++) {
			maker->code->words[targets + done++] = maker->code->size;
		}
		choice.times = 1;
		maker->position = position;
		if (!emit_element(maker, &choice, grains, manner) || !label(maker, at) ||
			!clip_word_out(maker, at, clip_op(CLIP_OP_JUMP, 0))) {
			return false;
		}
		ends[end_count++] = maker->code->size;
		if (!clip_word_out(maker, at, 0)) {
			return false;
		}
		at = clip_skip(maker, choice.end, end, true);
	}
	for (uint32_t i = 0; i < end_count; i++) {
		maker->code->words[ends[i]] = maker->code->size;
	}
	return true;
}

static bool emit_turns(struct clip_maker *maker, const struct clip_element *element, int64_t grains,
	struct manner manner) {
	uint32_t end = element->inner.to, count = 0, number = 0;
	uint32_t at = clip_skip(maker, element->inner.from, end, true);
	while (at < end) {
		struct clip_element choice;
		if (!clip_element(maker, at, end, manner.depth + 1, &choice)) {
			return false;
		}
		if (choice.kind == CLIP_BAR) {
			return clip_wrong(maker, at, "no bar lines in < >");
		}
		count += choice.times;
		if (count > CLIP_TURN_MAX) {
			return clip_wrong(maker, at, "more than %d that take turns in one < >",
				CLIP_TURN_MAX);
		}
		at = clip_skip(maker, choice.end, end, true);
	}
	if (!count) {
		return clip_wrong(maker, element->at, "nothing is in here");
	}
	at = element->at;
	if (!label(maker, at) || !turn_number(maker, at, &number) ||
		!clip_word_out(maker, at,
			clip_op(CLIP_OP_TURN, count | (element->turn ? CLIP_TURN_CHANCE : 0))) ||
		!clip_word_out(maker, at, number)) {
		return false;
	}
	uint32_t targets = maker->code->size;
	for (uint32_t i = 0; i < count; i++) {
		if (!clip_word_out(maker, at, 0)) {
			return false;
		}
	}
	return emit_choices(maker, element, targets, count, grains, manner);
}

/* ---- elements */

static bool same_ratio(struct clip_ratio a, struct clip_ratio b) {
	return (__int128)a.n * b.d == (__int128)b.n * a.d;
}

/* A group in so much time. */
static bool emit_group(struct clip_maker *maker, const struct clip_element *element, int64_t grains,
	struct manner manner) {
	struct clip_ratio weight;
	manner.depth++;
	if (!clip_weigh(maker, element->inner, manner.depth, &weight)) {
		return false;
	}
	struct clip_ratio unit = clip_ratio_times(
		(struct clip_ratio){grains, 1}, (struct clip_ratio){weight.d, weight.n});
	manner.natural = manner.natural && element->kind != CLIP_SQUEEZE &&
		same_ratio(unit, maker->reading.step);
	int64_t bar_from = maker->bar_from;
	maker->bar_from = maker->position;
	bool good = emit_sequence(maker, element->inner, unit, manner);
	maker->bar_from = bar_from;
	return good;
}

static bool emit_core(struct clip_maker *maker, const struct clip_element *element, int64_t grains,
	struct manner manner) {
	bool good = true;
	switch (element->kind) {
	case CLIP_REST:
		return emit_rest(maker, element->at, grains);
	case CLIP_HOLD:
		return emit_hold(maker, element->at, grains);
	case CLIP_TONES:
		return emit_tones(
			maker, element->at, element->tones, element->tone_count, grains, manner);
	case CLIP_HITS:
		return emit_hits(maker, element, grains, manner);
	case CLIP_TURNS_OF:
		return emit_turns(maker, element, grains, manner);
	case CLIP_PLAY:
		if (element->pattern->busy) {
			return clip_wrong(maker, element->at, "a pattern plays itself");
		}
		element->pattern->busy = true;
		good = emit_group(maker, element, grains, manner);
		element->pattern->busy = false;
		return good;
	default:
		return emit_group(maker, element, grains, manner);
	}
}

static bool emit_times(struct clip_maker *maker, const struct clip_element *element, uint32_t times,
	int64_t grains, struct manner manner) {
	for (uint32_t i = 0; i < times; i++) {
		if (!emit_core(maker, element, part_of(grains, i, times), manner)) {
			return false;
		}
	}
	return true;
}

/* Hits spread over places as evenly as can be, the first on the first. */
static bool emit_euclid(struct clip_maker *maker, const struct clip_element *element,
	int64_t grains, struct manner manner) {
	uint32_t n = element->places;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t place = (i + element->turn) % n;
		int64_t part = part_of(grains, i, n);
		bool hit = place * element->hits % n < element->hits;
		if (!(hit ? emit_times(maker, element, element->fast, part, manner)
			  : emit_rest(maker, element->at, part))) {
			return false;
		}
	}
	return true;
}

/* Once, with what follows it but for !n. */
static bool emit_once(struct clip_maker *maker, const struct clip_element *element, int64_t grains,
	struct manner manner) {
	manner.accent += element->accent;
	manner.velocity = element->velocity ? element->velocity : manner.velocity;
	uint32_t at = element->at, target = 0;
	bool dice = element->chance < 100;
	if (dice &&
		(!label(maker, at) ||
			!clip_word_out(maker, at, clip_op(CLIP_OP_CHANCE, element->chance)) ||
			!clip_word_out(maker, at, 0))) {
		return false;
	}
	target = maker->code->size - 1;
	if (!(element->places ? emit_euclid(maker, element, grains, manner)
			      : emit_times(maker, element, element->fast, grains, manner))) {
		return false;
	}
	if (!dice) {
		return true;
	}
	if (!label(maker, at) || !clip_word_out(maker, at, clip_op(CLIP_OP_JUMP, 0)) ||
		!clip_word_out(maker, at, 0)) {
		return false;
	}
	maker->code->words[target] = maker->code->size;
	target = maker->code->size - 1;
	maker->wait = grains;
	if (!clip_flush(maker, at)) {
		return false;
	}
	maker->code->words[target] = maker->code->size;
	return true;
}

/* More often than this, repeats become a loop. */
#define UNROLL 8

static bool emit_element(struct clip_maker *maker, const struct clip_element *element,
	int64_t grains, struct manner manner) {
	uint32_t times = element->times, at = element->at;
	if (grains < 1) {
		return clip_wrong(maker, at, "too fast: this lasts no time at all");
	}
	if (times <= UNROLL || grains % times) {
		for (uint32_t i = 0; i < times; i++) {
			if (!emit_once(maker, element, part_of(grains, i, times), manner)) {
				return false;
			}
		}
		return true;
	}
	int64_t one = grains / times, position = maker->position;
	if (!label(maker, at) || !clip_word_out(maker, at, clip_op(CLIP_OP_LOOP, times)) ||
		!clip_word_out(maker, at, (uint32_t)one)) {
		return false;
	}
	uint32_t body = maker->code->size;
	if (!emit_once(maker, element, one, manner)) {
		return false;
	}
	clip_seam(maker, body);
	if (!label(maker, at) || !clip_word_out(maker, at, clip_op(CLIP_OP_NEXT, 0))) {
		return false;
	}
	maker->position = position;
	maker->wait = 0;
	if (!advance(maker, at, grains)) {
		return false;
	}
	maker->wait = 0;
	return true;
}

void clip_seam(struct clip_maker *maker, uint32_t body) {
	if (body >= maker->code->size || (maker->code->words[body] & 0xff) != CLIP_OP_TIE) {
		return;
	}
	for (uint32_t i = 0; i < maker->open_count; i++) {
		maker->code->words[maker->open[i].at] = (uint32_t)maker->open[i].full;
	}
}

/* ---- sequences */

/* "7/8": a time as part of a whole note. */
static void say_time(char *text, size_t size, int64_t grains) {
	struct clip_ratio ratio = {grains, CLIP_WHOLE};
	if (grains % CLIP_BEAT_GRAINS == 0) {
		ratio = (struct clip_ratio){grains / CLIP_BEAT_GRAINS, 4};
	} else {
		ratio = clip_ratio_times(ratio, (struct clip_ratio){1, 1});
	}
	snprintf(text, size, "%lld/%lld", (long long)ratio.n, (long long)ratio.d);
}

static bool check_bar(struct clip_maker *maker, uint32_t at) {
	int64_t length = maker->position - maker->bar_from;
	if (length % maker->bar_grains) {
		char is[48], should[48], off[48];
		say_time(is, sizeof(is), length);
		say_time(should, sizeof(should), maker->bar_grains);
		say_time(off, sizeof(off),
			length > maker->bar_grains ? length - maker->bar_grains
						   : maker->bar_grains - length);
		return clip_wrong(maker, at, "the bar that ends here lasts %s, not %s: %s is %s",
			is, should, off, length > maker->bar_grains ? "too much" : "missing");
	}
	maker->bar_from = maker->position;
	return true;
}

static int64_t place(struct clip_ratio unit, struct clip_ratio weight) {
	return (int64_t)((__int128)unit.n * weight.n / ((__int128)unit.d * weight.d));
}

static bool emit_sequence(struct clip_maker *maker, struct clip_span span, struct clip_ratio unit,
	struct manner manner) {
	struct clip_ratio sum = {0, 1};
	uint32_t at = clip_skip(maker, span.from, span.to, true);
	while (at < span.to) {
		struct clip_element element;
		if (!clip_element(maker, at, span.to, manner.depth, &element)) {
			return false;
		}
		int64_t from = place(unit, sum);
		sum = clip_ratio_plus(sum, element.weight);
		if (!clip_ratio_fits(sum)) {
			return clip_wrong(maker, at, "too long, or in too odd parts");
		}
		if (element.kind == CLIP_BAR) {
			if (manner.natural && !check_bar(maker, at)) {
				return false;
			}
		} else if (!emit_element(maker, &element, place(unit, sum) - from, manner)) {
			return false;
		}
		at = clip_skip(maker, element.end, span.to, true);
	}
	return true;
}

bool clip_line_of_notes(struct clip_maker *maker, struct clip_span span) {
	struct manner manner = {.natural = true};
	return emit_sequence(maker, span, maker->reading.step, manner);
}

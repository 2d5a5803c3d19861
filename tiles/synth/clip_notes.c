/* SPDX-License-Identifier: MIT */
/* What stands in a line of notes: its elements, and how long they are. */
#include <string.h>

#include "clip_compile.h"

static const struct clip_ratio one = {1, 1};

static char peek(const struct clip_maker *maker, uint32_t at, uint32_t end) {
	return at < end ? maker->text[at] : '\0';
}

static bool is_word_char(const struct clip_maker *maker, uint32_t at, uint32_t end) {
	return clip_word(maker, at, end).to > at;
}

struct clip_pattern *clip_pattern_find(struct clip_maker *maker, struct clip_span word) {
	for (uint32_t i = 0; i < maker->pattern_count; i++) {
		struct clip_span name = maker->patterns[i].name;
		if (name.to - name.from == word.to - word.from &&
			!memcmp(maker->text + name.from, maker->text + word.from,
				word.to - word.from)) {
			return &maker->patterns[i];
		}
	}
	return NULL;
}

/* ---- brackets */

static char closer_of(char c) {
	switch (c) {
	case '[':
		return ']';
	case '(':
		return ')';
	case '{':
		return '}';
	case '<':
		return '>';
	default:
		return '\0';
	}
}

/* The bracket that closes the one at `at`. */
static bool find_closer(struct clip_maker *maker, uint32_t at, uint32_t end, uint32_t *closer) {
	char open[CLIP_GROUPS] = {0};
	uint32_t places[CLIP_GROUPS] = {0}, depth = 0;
	for (uint32_t i = at; i < end; i++) {
		char c = maker->text[i];
		if (c == '#' && !is_word_char(maker, i - 1, i)) {
			i = clip_skip(maker, i, end, false) - 1;
		} else if (closer_of(c)) {
			if (depth == CLIP_GROUPS) {
				return clip_wrong(maker, i,
					"more than %d brackets in each other: give the inner ones "
					"a "
					"name of their own",
					CLIP_GROUPS);
			}
			places[depth] = i;
			open[depth++] = c;
		} else if (c == ']' || c == ')' || c == '}' || c == '>') {
			if (closer_of(open[depth - 1]) != c) {
				return clip_wrong(maker, i,
					"'%c' where '%c' is open: close that first", c,
					open[depth - 1]);
			}
			if (!--depth) {
				*closer = i;
				return true;
			}
		}
	}
	return clip_wrong(maker, places[depth - 1], "'%c' is not closed: there is no '%c' for it",
		open[depth - 1], closer_of(open[depth - 1]));
}

/* The notes of { }. */
static bool read_tones(struct clip_maker *maker, uint32_t depth, struct clip_element *element) {
	uint32_t end = element->inner.to;
	uint32_t at = clip_skip(maker, element->inner.from, end, true);
	while (at < end) {
		struct clip_element tone;
		if (!clip_element(maker, at, end, depth + 1, &tone)) {
			return false;
		}
		if (tone.kind != CLIP_TONES || tone.times > 1 || tone.fast > 1 || tone.places ||
			tone.chance < 100 || tone.velocity || tone.accent) {
			return clip_wrong(maker, at,
				"in { } are notes that begin together, and nothing else");
		}
		if (element->tone_count + tone.tone_count > CLIP_CHORD) {
			return clip_wrong(maker, at, "more than %d notes in one { }", CLIP_CHORD);
		}
		memcpy(element->tones + element->tone_count, tone.tones,
			tone.tone_count * sizeof(tone.tones[0]));
		element->tone_count += tone.tone_count;
		at = clip_skip(maker, tone.end, end, true);
	}
	if (!element->tone_count) {
		return clip_wrong(maker, element->at, "{ } without notes");
	}
	return true;
}

static bool read_group(
	struct clip_maker *maker, uint32_t end, uint32_t depth, struct clip_element *element) {
	uint32_t closer = 0;
	if (!find_closer(maker, element->at, end, &closer)) {
		return false;
	}
	element->inner = (struct clip_span){element->at + 1, closer};
	element->end = closer + 1;
	switch (maker->text[element->at]) {
	case '{':
		element->kind = CLIP_TONES;
		return read_tones(maker, depth, element);
	case '<':
		element->kind = CLIP_TURNS_OF;
		return true;
	case '(':
		element->kind = CLIP_PLAIN;
		return clip_weigh(maker, element->inner, depth + 1, &element->weight);
	default:
		element->kind = CLIP_SQUEEZE;
		return true;
	}
}

/* ---- what stands for itself */

static bool is_step(char c) {
	return c && strchr("xXo.-_~", c);
}

static bool is_letter_step(char c) {
	return c == 'x' || c == 'X' || c == 'o';
}

/* x..x, also a single rest or tie. False without an error: it is not that. */
static bool read_hits(const struct clip_maker *maker, uint32_t end, struct clip_element *element) {
	uint32_t at = element->at, letters = 0;
	while (is_step(peek(maker, at, end))) {
		at++;
	}
	if (is_word_char(maker, at, end)) {
		/* "oh", ".oh": the letters are of the word that follows. */
		while (at > element->at && is_letter_step(maker->text[at - 1])) {
			at--;
		}
	}
	if (at == element->at) {
		return false;
	}
	for (uint32_t i = element->at; i < at; i++) {
		letters += is_letter_step(maker->text[i]);
	}
	element->end = at;
	element->inner = (struct clip_span){element->at, at};
	element->weight = (struct clip_ratio){at - element->at, 1};
	element->kind = CLIP_HITS;
	if (at - element->at == 1 && !letters) {
		element->kind = maker->text[element->at] == '_' ? CLIP_HOLD : CLIP_REST;
	}
	return true;
}

static bool read_degree(struct clip_maker *maker, uint32_t end, struct clip_element *element) {
	const struct clip_reading *reading = &maker->reading;
	uint32_t at = element->at, degree = 0;
	if (!clip_number(maker, &at, end, 64, &degree) || !degree) {
		return clip_wrong(maker, element->at,
			"steps of the scale are 1 to 64, 1 is its root; a rest is .");
	}
	int32_t tone = 12 * (reading->octave + 1) + reading->root +
		clip_scale_pitch(reading->scale, (int32_t)degree);
	for (; peek(maker, at, end) == '#' || peek(maker, at, end) == 'b'; at++) {
		tone += maker->text[at] == '#' ? 1 : -1;
	}
	element->kind = CLIP_TONES;
	element->tones[0] = tone;
	element->tone_count = 1;
	element->end = at;
	return true;
}

static bool read_word(
	struct clip_maker *maker, uint32_t end, uint32_t depth, struct clip_element *element) {
	struct clip_span word = clip_word(maker, element->at, end);
	int32_t octave = maker->reading.octave;
	char hint[160];
	element->kind = CLIP_TONES;
	element->end = word.to;
	if (clip_chord(maker, word, octave, element->tones, &element->tone_count) &&
		maker->text[word.from] <= 'G') {
		return true;
	}
	element->tone_count = 1;
	if (clip_note_name(maker, word, octave, &element->tones[0])) {
		return true;
	}
	int32_t drum = clip_drum_find(maker, word);
	if (drum >= 0) {
		element->tones[0] = drum + CLIP_TONE_FIXED;
		return true;
	}
	struct clip_pattern *pattern = clip_pattern_find(maker, word);
	if (pattern) {
		element->kind = CLIP_PLAY;
		element->pattern = pattern;
		element->inner = pattern->body;
		if (pattern->busy) {
			return clip_wrong(maker, element->at,
				"'%.*s' plays itself, without an end: leave it out here",
				(int)(word.to - word.from), maker->text + word.from);
		}
		pattern->busy = true;
		bool good = clip_weigh(maker, pattern->body, depth + 1, &element->weight);
		pattern->busy = false;
		return good;
	}
	char first = maker->text[word.from];
	if (first >= 'A' && first <= 'G') {
		return clip_wrong(maker, element->at,
			"no chord '%.*s'; chords are C Cm C7 Cm7 Cmaj7 Csus4 Cdim Cadd9..., and "
			"notes "
			"are small letters",
			(int)(word.to - word.from), maker->text + word.from);
	}
	clip_hint(maker, word, "any", hint, sizeof(hint));
	return clip_wrong(maker, element->at, "nothing is called '%.*s'%s",
		(int)(word.to - word.from < 40 ? word.to - word.from : 40), maker->text + word.from,
		hint);
}

/* Octave marks, and whether all are notes that there are. */
static bool read_marks(struct clip_maker *maker, uint32_t end, struct clip_element *element) {
	int32_t up = 0;
	for (char c; (c = peek(maker, element->end, end)) == '\'' || c == ','; element->end++) {
		up += c == '\'' ? 12 : -12;
	}
	for (uint32_t i = 0; i < element->tone_count; i++) {
		int32_t *tone = &element->tones[i];
		if (*tone >= CLIP_TONE_FIXED) {
			continue;
		}
		*tone += up;
		if (*tone < 0 || *tone > 127) {
			return clip_wrong(maker, element->at,
				"that note is too %s: there are c-1 to g9",
				*tone < 0 ? "low" : "high");
		}
	}
	return true;
}

/* ---- what may follow: *2 !4 :3/2 ? ^ =90 (3,8) */

static bool read_euclid(struct clip_maker *maker, uint32_t end, struct clip_element *element) {
	uint32_t at = element->end + 1, from = element->end;
	uint32_t numbers[3] = {0}, count = 0;
	for (;;) {
		at = clip_skip(maker, at, end, false);
		if (count == 3 || !clip_number(maker, &at, end, 64, &numbers[count])) {
			break;
		}
		count++;
		at = clip_skip(maker, at, end, false);
		if (peek(maker, at, end) != ',') {
			break;
		}
		at++;
	}
	if (count < 2 || peek(maker, at, end) != ')' || numbers[0] > numbers[1] || !numbers[1]) {
		return clip_wrong(maker, from,
			"written so it spreads hits over steps: (3,8) is 3 over 8, (3,8,2) begins "
			"2 "
			"later, 64 at most; a group of notes has a blank before it");
	}
	element->hits = numbers[0];
	element->places = numbers[1];
	element->turn = numbers[2];
	element->end = at + 1;
	return true;
}

static bool need_number(struct clip_maker *maker, uint32_t *at, uint32_t end, uint32_t low,
	uint32_t high, const char *what, uint32_t *number) {
	uint32_t from = *at;
	if (!clip_number(maker, at, end, high, number) || *number < low) {
		return clip_wrong(maker, from - 1, "%s, %u to %u", what, low, high);
	}
	return true;
}

static bool read_suffix(
	struct clip_maker *maker, char c, uint32_t end, struct clip_element *element) {
	uint32_t at = element->end + 1;
	bool digit = peek(maker, at, end) >= '0' && peek(maker, at, end) <= '9';
	bool good = true;
	uint32_t number = 0;
	switch (c) {
	case '*':
		good = need_number(maker, &at, end, 1, 64,
			"* is followed by how often it plays in its time", &element->fast);
		break;
	case '!':
		element->times = 2;
		good = !digit ||
			need_number(maker, &at, end, 1, 4096, "! is followed by how often it plays",
				&element->times);
		break;
	case ':':
		if (!clip_fraction(maker, &at, end, &element->weight)) {
			return clip_wrong(maker, at - 1,
				": is followed by how many steps it takes: c:2, c:3/2");
		}
		break;
	case '?':
		if (element->kind == CLIP_TURNS_OF && !digit) {
			element->turn = 1;
			break;
		}
		element->chance = 50;
		good = !digit ||
			need_number(maker, &at, end, 1, 100,
				"? is followed by a chance in per cent", &element->chance);
		break;
	case '^':
		element->accent += 16;
		break;
	default:
		good = need_number(
			maker, &at, end, 1, 127, "= is followed by how hard it is played", &number);
		element->velocity = (int32_t)number;
		break;
	}
	element->end = at;
	return good;
}

/* A character that the language has not at all. It cannot stand in the message, which is ASCII. */
static bool is_strange(char c) {
	return (unsigned char)c >= 0x7f || (unsigned char)c < ' ';
}

static bool strange(struct clip_maker *maker, uint32_t at) {
	unsigned char c = (unsigned char)maker->text[at];
	return clip_wrong(maker, at,
		c < 0x80 ? "a character with the code %u is nothing here: take it out"
			 : "that character is not of the language, which has plain ones: c# is "
			   "sharp, eb is flat",
		c);
}

static bool read_suffixes(struct clip_maker *maker, uint32_t end, struct clip_element *element) {
	for (;;) {
		char c = peek(maker, element->end, end);
		if (c == '(') {
			if (!read_euclid(maker, end, element)) {
				return false;
			}
		} else if (c && strchr("*!:?^=", c)) {
			if (!read_suffix(maker, c, end, element)) {
				return false;
			}
		} else {
			break;
		}
	}
	char c = peek(maker, element->end, end);
	if (element->end < end && is_strange(maker->text[element->end]) && c != '\n' &&
		!clip_is_blank(c)) {
		return strange(maker, element->end);
	}
	if (c && c != '\n' && !clip_is_blank(c) && !strchr("[{<|])}>", c)) {
		return clip_wrong(maker, element->end,
			"'%c' cannot follow here: put a blank before it, if it is something new",
			c);
	}
	if (element->places) {
		element->weight =
			clip_ratio_times(element->weight, (struct clip_ratio){element->places, 1});
	}
	if (!clip_ratio_fits(element->weight)) {
		return clip_wrong(maker, element->at, "too long, or in too odd parts");
	}
	element->weight = clip_ratio_times(element->weight, (struct clip_ratio){element->times, 1});
	if (!clip_ratio_fits(element->weight)) {
		return clip_wrong(maker, element->at, "too long, or in too odd parts");
	}
	return true;
}

bool clip_element(struct clip_maker *maker, uint32_t at, uint32_t end, uint32_t depth,
	struct clip_element *element) {
	char c = maker->text[at];
	*element = (struct clip_element){
		.at = at,
		.end = at + 1,
		.weight = one,
		.times = 1,
		.fast = 1,
		.chance = 100,
	};
	if (depth > CLIP_GROUPS) {
		return clip_wrong(maker, at, "more than %d groups in each other", CLIP_GROUPS);
	}
	if (++maker->looks > CLIP_LOOKS) {
		return clip_wrong(maker, at, "the clip becomes too big here: repeat less");
	}
	if (c == '|') {
		element->kind = CLIP_BAR;
		element->weight = (struct clip_ratio){0, 1};
		return true;
	}
	if (closer_of(c)) {
		if (!read_group(maker, end, depth, element)) {
			return false;
		}
	} else if (c >= '0' && c <= '9') {
		if (!read_degree(maker, end, element)) {
			return false;
		}
	} else if (!read_hits(maker, end, element)) {
		if (is_strange(c)) {
			return strange(maker, at);
		}
		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z')) {
			return clip_wrong(maker, at,
				c == ']' || c == ')' || c == '}' || c == '>'
					? "'%c' closes nothing"
					: "'%c' means nothing here",
				c);
		}
		if (!read_word(maker, end, depth, element)) {
			return false;
		}
	}
	return read_marks(maker, end, element) && read_suffixes(maker, end, element);
}

bool clip_weigh(struct clip_maker *maker, struct clip_span span, uint32_t depth,
	struct clip_ratio *weight) {
	uint32_t at = clip_skip(maker, span.from, span.to, true);
	*weight = (struct clip_ratio){0, 1};
	while (at < span.to) {
		struct clip_element element;
		if (!clip_element(maker, at, span.to, depth, &element)) {
			return false;
		}
		*weight = clip_ratio_plus(*weight, element.weight);
		if (!clip_ratio_fits(*weight)) {
			return clip_wrong(maker, at, "too long, or in too odd parts");
		}
		at = clip_skip(maker, element.end, span.to, true);
	}
	if (!weight->n) {
		return clip_wrong(maker, span.from ? span.from - 1 : 0, "nothing is in here");
	}
	return true;
}

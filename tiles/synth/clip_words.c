/* SPDX-License-Identifier: MIT */
/* Words, numbers and the names of music in the text of clips. */
#include <stdio.h>
#include <string.h>

#include "clip_compile.h"

#define RATIO_LIMIT 10000000

bool clip_is_blank(char c) {
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

static bool is_word(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '#' ||
		c == '-';
}

bool clip_same(const struct clip_maker *maker, struct clip_span span, const char *word) {
	size_t length = strlen(word);
	return span.to - span.from == length && !memcmp(maker->text + span.from, word, length);
}

uint32_t clip_skip(const struct clip_maker *maker, uint32_t at, uint32_t end, bool lines) {
	while (at < end) {
		char c = maker->text[at];
		if (c == '#') {
			while (at < end && maker->text[at] != '\n') {
				at++;
			}
		} else if (clip_is_blank(c) || (lines && c == '\n')) {
			at++;
		} else {
			break;
		}
	}
	return at;
}

struct clip_span clip_word(const struct clip_maker *maker, uint32_t at, uint32_t end) {
	struct clip_span word = {at, at};
	while (word.to < end && is_word(maker->text[word.to])) {
		word.to++;
	}
	return word;
}

bool clip_number(const struct clip_maker *maker, uint32_t *at, uint32_t end, uint32_t limit,
	uint32_t *number) {
	uint64_t value = 0;
	uint32_t from = *at;
	while (from < end && is_digit(maker->text[from])) {
		value = value * 10 + (uint32_t)(maker->text[from++] - '0');
		if (value > limit) {
			return false;
		}
	}
	if (from == *at) {
		return false;
	}
	*at = from;
	*number = (uint32_t)value;
	return true;
}

bool clip_decimal(const struct clip_maker *maker, uint32_t *at, uint32_t end, int32_t *number) {
	uint32_t from = *at, whole = 0, part = 0, scale = 100;
	bool minus = from < end && maker->text[from] == '-';
	if (from < end && (minus || maker->text[from] == '+')) {
		from++;
	}
	bool any = clip_number(maker, &from, end, 1000000, &whole);
	if (from < end && is_digit(maker->text[from])) {
		return false;
	}
	if (from + 1 < end && maker->text[from] == '.' && is_digit(maker->text[from + 1])) {
		for (from++; from < end && is_digit(maker->text[from]); from++) {
			part += (uint32_t)(maker->text[from] - '0') * scale;
			scale /= 10;
		}
		any = true;
	}
	if (!any) {
		return false;
	}
	*at = from;
	*number = (int32_t)(whole * 1000 + part) * (minus ? -1 : 1);
	return true;
}

bool clip_fraction(
	const struct clip_maker *maker, uint32_t *at, uint32_t end, struct clip_ratio *ratio) {
	uint32_t from = *at, n = 0, d = 1;
	if (!clip_number(maker, &from, end, 4096, &n)) {
		return false;
	}
	if (from < end && maker->text[from] == '/') {
		from++;
		if (!clip_number(maker, &from, end, 4096, &d)) {
			return false;
		}
	}
	if (!n || !d) {
		return false;
	}
	*at = from;
	*ratio = clip_ratio_times((struct clip_ratio){n, d}, (struct clip_ratio){1, 1});
	return true;
}

static struct clip_ratio shorten(struct clip_ratio ratio) {
	int64_t a = ratio.n, b = ratio.d;
	while (b) {
		int64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a > 1 ? (struct clip_ratio){ratio.n / a, ratio.d / a} : ratio;
}

/* Both factors fit, so their products fit into 64 bits. */
struct clip_ratio clip_ratio_times(struct clip_ratio a, struct clip_ratio b) {
	return shorten((struct clip_ratio){a.n * b.n, a.d * b.d});
}

struct clip_ratio clip_ratio_plus(struct clip_ratio a, struct clip_ratio b) {
	return shorten((struct clip_ratio){a.n * b.d + b.n * a.d, a.d * b.d});
}

bool clip_ratio_fits(struct clip_ratio ratio) {
	return ratio.n >= 0 && ratio.n <= RATIO_LIMIT && ratio.d > 0 && ratio.d <= RATIO_LIMIT;
}

/* ---- notes */

bool clip_letter(const struct clip_maker *maker, uint32_t *at, uint32_t end, int32_t *semitones) {
	static const int8_t white[] = {9, 11, 0, 2, 4, 5, 7};
	if (*at >= end) {
		return false;
	}
	char c = maker->text[*at];
	c = c >= 'A' && c <= 'G' ? (char)(c - 'A' + 'a') : c;
	if (c < 'a' || c > 'g') {
		return false;
	}
	*semitones = white[c - 'a'];
	uint32_t from = *at + 1;
	for (int marks = 0; from < end && marks < 2; marks++, from++) {
		if (maker->text[from] == '#') {
			++*semitones;
		} else if (maker->text[from] == 'b') {
			--*semitones;
		} else {
			break;
		}
	}
	*at = from;
	return true;
}

bool clip_note_name(
	const struct clip_maker *maker, struct clip_span word, int32_t octave, int32_t *pitch) {
	uint32_t at = word.from, number = 0;
	int32_t semitones = 0;
	if (maker->text[at] < 'a' || !clip_letter(maker, &at, word.to, &semitones)) {
		return false;
	}
	if (clip_number(maker, &at, word.to, 9, &number)) {
		octave = (int32_t)number;
	}
	*pitch = 12 * (octave + 1) + semitones;
	return at == word.to;
}

struct scale {
	const char *name;
	uint8_t count, steps[12];
};
static const struct scale scales[] = {
	{"major", 7, {0, 2, 4, 5, 7, 9, 11}},
	{"minor", 7, {0, 2, 3, 5, 7, 8, 10}},
	{"dorian", 7, {0, 2, 3, 5, 7, 9, 10}},
	{"phrygian", 7, {0, 1, 3, 5, 7, 8, 10}},
	{"lydian", 7, {0, 2, 4, 6, 7, 9, 11}},
	{"mixolydian", 7, {0, 2, 4, 5, 7, 9, 10}},
	{"locrian", 7, {0, 1, 3, 5, 6, 8, 10}},
	{"harmonic", 7, {0, 2, 3, 5, 7, 8, 11}},
	{"melodic", 7, {0, 2, 3, 5, 7, 9, 11}},
	{"pentatonic", 5, {0, 2, 4, 7, 9}},
	{"minor-pentatonic", 5, {0, 3, 5, 7, 10}},
	{"blues", 6, {0, 3, 5, 6, 7, 10}},
	{"whole", 6, {0, 2, 4, 6, 8, 10}},
	{"chromatic", 12, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
};
#define SCALES ((int32_t)(sizeof(scales) / sizeof(scales[0])))

int32_t clip_scale_find(const struct clip_maker *maker, struct clip_span name) {
	for (int32_t i = 0; i < SCALES; i++) {
		if (clip_same(maker, name, scales[i].name)) {
			return i;
		}
	}
	return -1;
}

const char *clip_scale_names(void) {
	return "major minor dorian phrygian lydian mixolydian locrian harmonic melodic pentatonic "
	       "minor-pentatonic blues whole chromatic";
}

int32_t clip_scale_pitch(int32_t number, int32_t degree) {
	const struct scale *scale = &scales[number];
	return 12 * ((degree - 1) / scale->count) + scale->steps[(degree - 1) % scale->count];
}

struct chord {
	const char *name;
	uint8_t count, tones[6];
};
static const struct chord chords[] = {
	{"", 3, {0, 4, 7}},
	{"m", 3, {0, 3, 7}},
	{"5", 2, {0, 7}},
	{"6", 4, {0, 4, 7, 9}},
	{"m6", 4, {0, 3, 7, 9}},
	{"7", 4, {0, 4, 7, 10}},
	{"m7", 4, {0, 3, 7, 10}},
	{"maj7", 4, {0, 4, 7, 11}},
	{"mmaj7", 4, {0, 3, 7, 11}},
	{"9", 5, {0, 4, 7, 10, 14}},
	{"m9", 5, {0, 3, 7, 10, 14}},
	{"maj9", 5, {0, 4, 7, 11, 14}},
	{"add9", 4, {0, 4, 7, 14}},
	{"madd9", 4, {0, 3, 7, 14}},
	{"11", 6, {0, 4, 7, 10, 14, 17}},
	{"m11", 6, {0, 3, 7, 10, 14, 17}},
	{"sus2", 3, {0, 2, 7}},
	{"sus4", 3, {0, 5, 7}},
	{"7sus4", 4, {0, 5, 7, 10}},
	{"dim", 3, {0, 3, 6}},
	{"dim7", 4, {0, 3, 6, 9}},
	{"m7b5", 4, {0, 3, 6, 10}},
	{"aug", 3, {0, 4, 8}},
};

bool clip_chord(const struct clip_maker *maker, struct clip_span word, int32_t octave,
	int32_t *tones, uint32_t *count) {
	int32_t root = 0;
	if (!clip_letter(maker, &word.from, word.to, &root)) {
		return false;
	}
	for (size_t i = 0; i < sizeof(chords) / sizeof(chords[0]); i++) {
		if (!clip_same(maker, word, chords[i].name)) {
			continue;
		}
		*count = chords[i].count;
		for (uint32_t j = 0; j < *count; j++) {
			tones[j] = 12 * (octave + 1) + root + chords[i].tones[j];
		}
		return true;
	}
	return false;
}

int32_t clip_drum_find(const struct clip_maker *maker, struct clip_span word) {
	const struct clip_vocabulary *vocabulary = maker->vocabulary;
	for (uint32_t i = 0; i < vocabulary->drum_count; i++) {
		if (clip_same(maker, word, vocabulary->drums[i].name)) {
			return (int32_t)(vocabulary->drums[i].pitch & 127);
		}
	}
	return -1;
}

/* ---- what was meant */

/* How many letters have to change, be added or left out, up to a limit of 3. */
static uint32_t distance(const char *a, size_t a_size, const char *b, size_t b_size) {
	uint8_t row[CLIP_NAME + 1];
	if (a_size > CLIP_NAME || b_size > CLIP_NAME) {
		return 3;
	}
	for (size_t j = 0; j <= b_size; j++) {
		row[j] = (uint8_t)j;
	}
	for (size_t i = 1; i <= a_size; i++) {
		uint8_t corner = row[0];
		row[0] = (uint8_t)i;
		for (size_t j = 1; j <= b_size; j++) {
			uint8_t above = row[j];
			uint8_t best = (uint8_t)(corner + (a[i - 1] != b[j - 1]));
			best = above + 1 < best ? (uint8_t)(above + 1) : best;
			best = row[j - 1] + 1 < best ? (uint8_t)(row[j - 1] + 1) : best;
			corner = above;
			row[j] = best;
		}
	}
	return row[b_size] < 3 ? row[b_size] : 3;
}

struct search {
	const char *word;
	size_t size;
	const char *best;
	size_t best_size;
	uint32_t far;
	char *list;
	size_t list_size, used;
};

static void consider(struct search *search, const char *name, size_t size) {
	uint32_t far = distance(search->word, search->size, name, size);
	/* Of short words one letter may be wrong. */
	if (far < search->far && far < size && far <= (search->size > 4 ? 2 : 1)) {
		search->far = far;
		search->best = name;
		search->best_size = size;
	}
	if (search->used + size + 2 < search->list_size) {
		int n = snprintf(search->list + search->used, search->list_size - search->used,
			" %.*s", (int)size, name);
		search->used += n > 0 ? (size_t)n : 0;
	}
}

/* Words with blanks between them. */
static void consider_all(struct search *search, const char *names) {
	while (*names) {
		size_t size = strcspn(names, " ");
		consider(search, names, size);
		names += size + (names[size] == ' ');
	}
}

void clip_hint(const struct clip_maker *maker, struct clip_span word, const char *kind, char *hint,
	size_t size) {
	const struct clip_vocabulary *vocabulary = maker->vocabulary;
	char list[120] = "";
	struct search search = {
		.word = maker->text + word.from,
		.size = word.to - word.from,
		.far = 3,
		.list = list,
		.list_size = sizeof(list),
	};
	bool any = !strcmp(kind, "any");
	if (any) {
		consider_all(&search,
			"track tempo meter key swing step octave gate velocity transpose modulate "
			"sound set splice notes state loop end once hit mark rest");
		for (uint32_t i = 0; i < maker->pattern_count; i++) {
			struct clip_span name = maker->patterns[i].name;
			consider(&search, maker->text + name.from, name.to - name.from);
		}
	}
	if (any || !strcmp(kind, "drum")) {
		for (uint32_t i = 0; i < vocabulary->drum_count; i++) {
			consider(&search, vocabulary->drums[i].name,
				strlen(vocabulary->drums[i].name));
		}
	}
	if (!strcmp(kind, "sound")) {
		for (uint32_t i = 0; i < vocabulary->sound_count; i++) {
			consider(&search, vocabulary->sounds[i].name,
				strlen(vocabulary->sounds[i].name));
		}
	}
	if (!strcmp(kind, "parameter")) {
		for (uint32_t i = 0; i < vocabulary->parameter_count; i++) {
			consider(&search, vocabulary->parameters[i].name,
				strlen(vocabulary->parameters[i].name));
		}
	}
	if (!strcmp(kind, "scale")) {
		consider_all(&search, clip_scale_names());
	}
	if (search.best) {
		snprintf(hint, size, "; did you mean '%.*s'?", (int)search.best_size, search.best);
	} else if (any || !search.used) {
		snprintf(hint, size, "%s", any ? "; notes are c to b, chords C Dm7, rests ." : "");
	} else {
		snprintf(hint, size, "; there are%s", list);
	}
}

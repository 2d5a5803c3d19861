/* SPDX-License-Identifier: MIT */
/* The compiler of clips, line by line: what a line says that is not notes. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clip_compile.h"

bool clip_wrong(struct clip_maker *maker, uint32_t at, const char *format, ...) {
	struct clip_error *error = maker->error;
	va_list args;
	if (error->line) {
		return false;
	}
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	for (char *c = error->text; *c; c++) {
		if (*c < ' ' || *c > '~') {
			*c = '?';
		}
	}
	error->line = error->column = 1;
	for (uint32_t i = 0; i < at && i < maker->size; i++) {
		/* Not the later bytes of a character. */
		error->column += ((unsigned char)maker->text[i] & 0xc0) != 0x80;
		if (maker->text[i] == '\n') {
			error->line++;
			error->column = 1;
		}
	}
	return false;
}

/* ---- tracks, loops, marks */

static uint32_t line_end(const struct clip_maker *maker, uint32_t at) {
	const char *end =
		at < maker->size ? memchr(maker->text + at, '\n', maker->size - at) : NULL;
	return end ? (uint32_t)(end - maker->text) : maker->size;
}

/* Marks of the track that begins at `at`, which are told when it begins. */
static uint32_t count_marks(const struct clip_maker *maker, uint32_t at) {
	uint32_t count = 0;
	while (at < maker->size) {
		uint32_t end = line_end(maker, at);
		struct clip_span word = clip_word(maker, clip_skip(maker, at, end, false), end);
		if (clip_same(maker, word, "track")) {
			break;
		}
		count += clip_same(maker, word, "mark");
		at = end + 1;
	}
	return count;
}

bool clip_begin_track(struct clip_maker *maker, struct clip_span name, uint32_t at) {
	struct clip_code *code = maker->code;
	if (code->track_count == CLIP_TRACKS) {
		return clip_wrong(maker, at, "more than %d tracks", CLIP_TRACKS);
	}
	char *place = code->tracks + (size_t)code->track_count * CLIP_NAME;
	uint32_t size = name.to - name.from;
	memset(place, 0, CLIP_NAME);
	memcpy(place, size ? maker->text + name.from : "clip", size ? size : 4);
	for (uint32_t i = 0; i < code->track_count; i++) {
		if (!strncmp(code->tracks + (size_t)i * CLIP_NAME, place, CLIP_NAME)) {
			return clip_wrong(maker, at, "there is a track '%s' already", place);
		}
	}
	if (!maker->in_track) {
		maker->head = maker->reading;
	}
	maker->in_track = true;
	maker->implied = !size;
	maker->track_at = at;
	maker->muted = maker->any_solo;
	maker->once = maker->sound_said = maker->drums = false;
	maker->reading = maker->head;
	int32_t drum = size ? clip_drum_find(maker, name) : -1;
	if (drum >= 0) {
		maker->reading.hit = drum + CLIP_TONE_FIXED;
	}
	maker->position = maker->bar_from = maker->wait = 0;
	maker->block_count = maker->open_count = 0;
	maker->forever_at = 0;
	maker->turn_first = code->turn_count;
	maker->entry = maker->sound_at = code->size;
	maker->loop_at = code->size + 1;
	if (!clip_word_out(maker, at, clip_op(CLIP_OP_SOUND, 0)) ||
		!clip_out2(maker, at, clip_op(CLIP_OP_LOOP, 0), 0)) {
		return false;
	}
	maker->mark_at = code->size;
	uint32_t marks = count_marks(maker, size ? line_end(maker, at) + 1 : at);
	for (uint32_t i = 0; i < marks; i++) {
		if (!clip_out2(maker, at, clip_op(CLIP_OP_MARK, 0), 0)) {
			return false;
		}
	}
	maker->loop_from = code->size;
	return true;
}

/* Put the track away, or keep it. */
static bool end_track(struct clip_maker *maker, uint32_t at) {
	struct clip_code *code = maker->code;
	if (!maker->in_track) {
		return true;
	}
	if (maker->block_count) {
		return clip_wrong(
			maker, maker->blocks[maker->block_count - 1].at, "this loop has no 'end'");
	}
	clip_seam(maker, maker->loop_from);
	if (!clip_flush(maker, at) || !clip_word_out(maker, at, clip_op(CLIP_OP_NEXT, 0)) ||
		!clip_word_out(maker, at, clip_op(CLIP_OP_END, 0))) {
		return false;
	}
	if (!maker->position || maker->muted) {
		code->size = maker->entry;
		return true;
	}
	uint32_t index = code->track_count++;
	code->entries[index] = maker->entry;
	code->swing[index] = maker->reading.swing;
	code->swing_grains[index] = maker->reading.swing_grains;
	if (!maker->sound_said && maker->drums) {
		code->words[maker->sound_at] =
			clip_op(CLIP_OP_SOUND, maker->vocabulary->drum_sound);
	}
	code->words[maker->loop_at] =
		clip_op(CLIP_OP_LOOP, maker->once || maker->forever_at ? 1 : 0);
	code->words[maker->loop_at + 1] = (uint32_t)maker->position;
	return true;
}

static bool line_track(struct clip_maker *maker, struct clip_line *line) {
	static const char *const words[] = {"muted", "solo"};
	struct clip_span name = clip_word(maker, line->at, line->end);
	int state = -1;
	if (name.from == name.to || name.to - name.from >= CLIP_NAME) {
		return clip_wrong(maker, line->at,
			"a track has a name of letters and digits, up to %d: track bass",
			CLIP_NAME - 1);
	}
	line->at = line->from = clip_skip(maker, name.to, line->end, false);
	if (line->at < line->end) {
		state = clip_line_choose(
			maker, line, words, 2, "behind a track's name: muted, solo, or nothing");
		if (state < 0 || !clip_line_over(maker, line->at, line->end)) {
			return false;
		}
	}
	if (maker->in_track && maker->implied && !maker->position) {
		return clip_wrong(maker, maker->track_at,
			"this is about one track, and none has begun: put it below 'track'");
	}
	if (!end_track(maker, line->word.from) || !clip_begin_track(maker, name, line->word.from)) {
		return false;
	}
	maker->muted = state == 0 || (maker->any_solo && state != 1);
	return true;
}

static bool line_once(struct clip_maker *maker, struct clip_line *line) {
	return clip_need_track(maker, line->word.from) && (maker->once = true) &&
		clip_line_over(maker, line->at, line->end);
}

static bool line_loop(struct clip_maker *maker, struct clip_line *line) {
	uint32_t times = 0;
	if (!clip_need_track(maker, line->word.from)) {
		return false;
	}
	if (line->at < line->end &&
		(!clip_number(maker, &line->at, line->end, 100000, &times) || !times)) {
		return clip_wrong(maker, line->from,
			"loop 4 is four times, 'loop' alone for ever; 100000 at most");
	}
	/* One is that of the track. */
	if (maker->block_count == CLIP_DEPTH - 2) {
		return clip_wrong(
			maker, line->word.from, "more than %d loops in each other", CLIP_DEPTH - 2);
	}
	maker->blocks[maker->block_count].at = line->word.from;
	maker->blocks[maker->block_count].position = maker->position;
	maker->blocks[maker->block_count].bar_from = maker->bar_from;
	maker->open_count = 0;
	if (!clip_line_over(maker, line->at, line->end) ||
		!clip_out2(maker, line->at, clip_op(CLIP_OP_LOOP, times), 0)) {
		return false;
	}
	maker->blocks[maker->block_count++].pc = maker->code->size - 2;
	return true;
}

static bool line_end_loop(struct clip_maker *maker, struct clip_line *line) {
	if (!maker->block_count) {
		return clip_wrong(maker, line->word.from,
			"'end' ends a loop, and there is none; a track ends where the next begins");
	}
	maker->block_count--;
	int64_t from = maker->blocks[maker->block_count].position;
	uint32_t pc = maker->blocks[maker->block_count].pc;
	uint32_t times = maker->code->words[pc] >> 8;
	int64_t length = maker->position - from;
	if (!length) {
		return clip_wrong(maker, maker->blocks[maker->block_count].at,
			"nothing is played in this loop: it would never come to an end");
	}
	clip_seam(maker, pc + 2);
	maker->open_count = 0;
	maker->code->words[pc + 1] = (uint32_t)length;
	if (!times) {
		maker->forever_at = line->word.from;
	}
	maker->position = from + length * (times ? times : 1);
	if (maker->position >= CLIP_GRAINS_MAX) {
		return clip_wrong(maker, line->word.from,
			"the track becomes too long here: 26,000 beats are the end");
	}
	return clip_flush(maker, line->at) &&
		clip_word_out(maker, line->at, clip_op(CLIP_OP_NEXT, 0)) &&
		clip_line_over(maker, line->at, line->end);
}

static bool line_mark(struct clip_maker *maker, struct clip_line *line) {
	struct clip_code *code = maker->code;
	struct clip_span name = clip_word(maker, line->at, line->end);
	uint32_t size = name.to - name.from;
	if (!clip_marker_name(maker, name)) {
		return clip_wrong(maker, line->at,
			"a mark has a name of small letters and digits: mark chorus");
	}
	if (!clip_need_track(maker, line->word.from)) {
		return false;
	}
	if (maker->block_count) {
		return clip_wrong(maker, line->word.from, "marks stand outside of loops");
	}
	if (code->marker_count == CLIP_TRACKS) {
		return clip_wrong(maker, line->word.from, "more than %d marks", CLIP_TRACKS);
	}
	memset(code->markers + (size_t)code->marker_count * CLIP_NAME, 0, CLIP_NAME);
	memcpy(code->markers + (size_t)code->marker_count * CLIP_NAME, maker->text + name.from,
		size);
	code->words[maker->mark_at] = clip_op(CLIP_OP_MARK, code->marker_count++);
	code->words[maker->mark_at + 1] = (uint32_t)maker->position;
	maker->mark_at += 2;
	return clip_line_over(maker, name.to, line->end);
}

static bool line_rest(struct clip_maker *maker, struct clip_line *line) {
	uint32_t bars = 1;
	if (!clip_need_track(maker, line->word.from)) {
		return false;
	}
	if (line->at < line->end &&
		(!clip_number(maker, &line->at, line->end, 1024, &bars) || !bars)) {
		return clip_wrong(maker, line->from, "rest so many bars: rest 4");
	}
	maker->open_count = 0;
	maker->wait += maker->bar_grains * bars;
	maker->position += maker->bar_grains * bars;
	if (maker->position >= CLIP_GRAINS_MAX) {
		return clip_wrong(maker, line->from, "the track becomes too long here");
	}
	return clip_line_over(maker, line->at, line->end);
}

/* ---- lines */

static const struct keyword {
	const char *word;
	bool (*read)(struct clip_maker *maker, struct clip_line *line);
	bool goes_on; /* may stand behind a loop without end */
} keywords[] = {
	{"tempo", clip_line_tempo, false},
	{"meter", clip_line_meter, false},
	{"key", clip_line_key, false},
	{"step", clip_line_step, false},
	{"octave", clip_line_octave, false},
	{"gate", clip_line_gate, false},
	{"swing", clip_line_swing, false},
	{"velocity", clip_line_velocity, false},
	{"transpose", clip_line_transpose, false},
	{"shift", clip_line_shift, false},
	{"modulate", clip_line_modulate, false},
	{"sound", clip_line_sound, false},
	{"set", clip_line_set, false},
	{"hit", clip_line_hit, false},
	{"splice", clip_line_splice, false},
	{"notes", clip_line_notes, false},
	{"state", clip_line_state, false},
	{"track", line_track, true},
	{"once", line_once, false},
	{"loop", line_loop, false},
	{"end", line_end_loop, false},
	{"mark", line_mark, false},
	{"rest", line_rest, false},
};
#define KEYWORDS (sizeof(keywords) / sizeof(keywords[0]))

static const struct keyword *find_keyword(const struct clip_maker *maker, struct clip_span word) {
	for (size_t i = 0; i < KEYWORDS; i++) {
		if (clip_same(maker, word, keywords[i].word)) {
			return &keywords[i];
		}
	}
	return NULL;
}

/* "name = ...": where what it is begins, 0: this is no such line. */
static uint32_t is_pattern(
	const struct clip_maker *maker, uint32_t at, uint32_t end, struct clip_span *name) {
	*name = clip_word(maker, at, end);
	at = clip_skip(maker, name->to, end, false);
	bool blank = at > name->to;
	return blank && name->to > name->from && at < end && maker->text[at] == '=' ? at + 1 : 0;
}

static bool add_pattern(struct clip_maker *maker, struct clip_span name, struct clip_span body) {
	int32_t pitch = 0, tones[CLIP_CHORD];
	uint32_t count = 0;
	char first = maker->text[name.from];
	bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z');
	bool hits = true;
	for (uint32_t i = name.from; i < name.to; i++) {
		hits = hits && strchr("xXo-", maker->text[i]);
	}
	const char *is = find_keyword(maker, name)	    ? "a word of clips"
		: clip_drum_find(maker, name) >= 0	    ? "a drum"
		: clip_note_name(maker, name, 4, &pitch)    ? "a note"
		: clip_chord(maker, name, 4, tones, &count) ? "a chord"
		: hits					    ? "a row of hits"
		: !letter				    ? "no word"
							    : NULL;
	if (is) {
		return clip_wrong(maker, name.from, "'%.*s' is %s already: take another name",
			(int)(name.to - name.from < 40 ? name.to - name.from : 40),
			maker->text + name.from, is);
	}
	if (clip_pattern_find(maker, name)) {
		return clip_wrong(maker, name.from, "there is a '%.*s' already: take another name",
			(int)(name.to - name.from < 40 ? name.to - name.from : 40),
			maker->text + name.from);
	}
	if (maker->pattern_count == CLIP_PATTERNS) {
		return clip_wrong(maker, name.from, "more than %d patterns", CLIP_PATTERNS);
	}
	maker->patterns[maker->pattern_count++] = (struct clip_pattern){name, body, false};
	return true;
}

/* All patterns, wherever they stand, and whether a track is solo. */
static bool find_patterns(struct clip_maker *maker) {
	struct clip_pattern *last = NULL;
	for (uint32_t at = 0; at < maker->size;) {
		uint32_t end = line_end(maker, at);
		uint32_t from = clip_skip(maker, at, end, false);
		struct clip_span name;
		uint32_t body = is_pattern(maker, from, end, &name);
		if (body) {
			if (!add_pattern(maker, name, (struct clip_span){body, end})) {
				return false;
			}
			last = &maker->patterns[maker->pattern_count - 1];
		} else if (from < end && maker->text[from] == '|' && last) {
			last->body.to = end;
		} else if (from < end) {
			last = NULL;
			struct clip_span word = clip_word(maker, from, end);
			if (clip_same(maker, word, "track")) {
				word = clip_word(maker, clip_skip(maker, word.to, end, false), end);
				word = clip_word(maker, clip_skip(maker, word.to, end, false), end);
				maker->any_solo = maker->any_solo || clip_same(maker, word, "solo");
			}
		}
		at = end + 1;
	}
	return true;
}

static bool read_line(struct clip_maker *maker, uint32_t at, uint32_t end) {
	struct clip_line line = {.word = clip_word(maker, at, end), .end = end};
	const struct keyword *keyword = find_keyword(maker, line.word);
	if (maker->forever_at && (!keyword || !keyword->goes_on) && maker->in_track) {
		/* Only the end of a loop around it may still come, and it is as unreachable. */
		return clip_wrong(maker, at,
			"this is never played: the loop above goes on for ever; say how often, as "
			"in "
			"loop 4");
	}
	if (!keyword) {
		return clip_need_track(maker, at) &&
			clip_line_of_notes(maker, (struct clip_span){at, end});
	}
	line.at = line.from = clip_skip(maker, line.word.to, end, false);
	/* What follows ends with a comment, not with the line. */
	for (uint32_t i = line.at; i < end; i++) {
		if (maker->text[i] == '#' && clip_is_blank(maker->text[i - 1])) {
			line.end = i;
			break;
		}
	}
	while (line.end > line.at && clip_is_blank(maker->text[line.end - 1])) {
		line.end--;
	}
	return keyword->read(maker, &line);
}

static bool read_lines(struct clip_maker *maker) {
	bool pattern = false;
	for (uint32_t at = 0; at < maker->size;) {
		uint32_t end = line_end(maker, at);
		uint32_t from = clip_skip(maker, at, end, false);
		struct clip_span name;
		if (from < end && is_pattern(maker, from, end, &name)) {
			pattern = true;
		} else if (from < end && !(pattern && maker->text[from] == '|')) {
			pattern = false;
			if (!read_line(maker, from, end)) {
				return false;
			}
		}
		at = end + 1;
	}
	return true;
}

bool clip_compile(const char *text, size_t size, const struct clip_vocabulary *vocabulary,
	struct clip_code *code, struct clip_error *error) {
	struct clip_maker maker = {
		.text = text,
		.size = (uint32_t)(size < CLIP_TEXT_MAX ? size : CLIP_TEXT_MAX),
		.vocabulary = vocabulary,
		.code = code,
		.error = error,
		.bar_grains = 4 * (int64_t)CLIP_BEAT_GRAINS,
		.reading =
			{
				.step = {CLIP_BEAT_GRAINS, 1},
				.octave = 4,
				.gate = 100,
				.hit = -1,
				.swing = 50,
				.swing_grains = CLIP_BEAT_GRAINS,
			},
	};
	*error = (struct clip_error){.line = 0};
	memset(code, 0, sizeof(*code));
	code->version = CLIP_CODE_VERSION;
	code->velocity = 100;
	code->beats_a_bar = 4;
	if (size > CLIP_TEXT_MAX) {
		return clip_wrong(&maker, 0, "the clip is longer than %d bytes", CLIP_TEXT_MAX);
	}
	if (!find_patterns(&maker) || !read_lines(&maker) || !end_track(&maker, maker.size)) {
		return false;
	}
	if (!code->size && !clip_word_out(&maker, 0, clip_op(CLIP_OP_END, 0))) {
		return false;
	}
	code->sum = clip_code_sum(code);
	return true;
}

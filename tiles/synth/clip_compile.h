/* SPDX-License-Identifier: MIT */
/*
 * What the files of the compiler share. It goes over the text with no memory but this structure and
 * the stack: lines and tracks in clip_compile.c, settings in
 * clip_settings.c, what stands in lines of notes in clip_notes.c, what becomes
 * of it in clip_emit.c, the words of music in clip_words.c.
 *
 * All functions that return bool give false after they have put an error into maker->error.
 */
#ifndef SOURCE_CITY_CLIP_COMPILE_H
#define SOURCE_CITY_CLIP_COMPILE_H

#include "clip_ops.h"

#define CLIP_WHOLE (4 * CLIP_BEAT_GRAINS) /* grains of a whole note */
#define CLIP_PATTERNS 64
#define CLIP_GROUPS 16	     /* brackets and patterns in each other */
#define CLIP_CHORD 16	     /* notes */
#define CLIP_TONE_FIXED 1024 /* added to the pitch of what is not transposed: a drum */
#define CLIP_LOOKS 400000    /* elements that are looked at, all in all: an end for what grows */

/* A part of the text. */
struct clip_span {
	uint32_t from, to;
};

struct clip_ratio {
	int64_t n, d;
};

struct clip_pattern {
	struct clip_span name, body;
	bool busy; /* it is being played: it may not play itself */
};

/* How notes of a track are read; a track begins with those of the head. */
struct clip_reading {
	struct clip_ratio step; /* grains */
	int32_t octave;
	int32_t root, scale; /* of degrees: semitones above C; number of the scale */
	int32_t gate;	     /* per cent */
	int32_t hit;	     /* pitch of x, or with CLIP_TONE_FIXED; -1: none */
	uint32_t swing, swing_grains;
};

enum clip_kind {
	CLIP_REST,
	CLIP_HOLD, /* _ */
	CLIP_TONES,
	CLIP_HITS,     /* x..x */
	CLIP_SQUEEZE,  /* [ ] */
	CLIP_PLAIN,    /* ( ) */
	CLIP_TURNS_OF, /* < > */
	CLIP_PLAY,     /* a pattern */
	CLIP_BAR,      /* | */
};

struct clip_element {
	enum clip_kind kind;
	uint32_t at, end;	/* offsets of its first character, and behind its last */
	struct clip_span inner; /* what stands in the brackets */
	struct clip_pattern *pattern;
	int32_t tones[CLIP_CHORD]; /* pitches, or with CLIP_TONE_FIXED */
	uint32_t tone_count;
	struct clip_ratio weight;    /* how many steps it takes, in one */
	uint32_t times;		     /* !n */
	uint32_t fast;		     /* *n */
	uint32_t chance;	     /* per cent; 100: always */
	int32_t accent;		     /* velocity more than usual */
	int32_t velocity;	     /* 0: as usual */
	uint32_t hits, places, turn; /* (hits,places,turn); places 0: not so */
};

struct clip_maker {
	const char *text;
	uint32_t size;
	const struct clip_vocabulary *vocabulary;
	struct clip_code *code;
	struct clip_error *error;
	uint32_t looks;

	struct clip_pattern patterns[CLIP_PATTERNS];
	uint32_t pattern_count;
	struct clip_reading head, reading;
	int64_t bar_grains;

	/* The track that is being made. */
	bool in_track, implied, muted, any_solo, once, sound_said, drums;
	uint32_t track_at; /* where it begins in the text; implied: it has no line */
	uint32_t entry, sound_at, loop_at, loop_from;
	int64_t position; /* grains from the track's beginning */
	int64_t bar_from;
	int64_t wait; /* still to be emitted */
	struct {
		uint32_t at; /* the line's place in the text */
		uint32_t pc, count;
		int64_t position, bar_from;
	} blocks[CLIP_DEPTH];
	uint32_t block_count;
	uint32_t forever_at; /* offset of a loop without end; what follows is never played. 0: none
			      */
	uint32_t mark_at;    /* the next of the MARK instructions at the track's beginning */
	/* The notes that end here, which a tie makes longer. */
	struct {
		uint32_t at; /* the word of their length */
		int64_t full;
	} open[CLIP_CHORD];
	uint32_t open_count;
	uint32_t turn_keys[CLIP_TURNS]; /* where in the text, for each turn */
	uint32_t turn_first;		/* of the turns of this track */
};

/* A line that is not notes. */
struct clip_line {
	struct clip_span word; /* the first one */
	uint32_t from;	       /* where what follows it begins */
	uint32_t at, end;      /* what of that is not read yet */
};

/* An error at an offset. Always false. */
[[gnu::format(printf, 3, 4)]] bool clip_wrong(
	struct clip_maker *maker, uint32_t at, const char *format, ...);

/* ---- clip_words.c */

bool clip_is_blank(char c); /* space, tab, carriage return */
bool clip_same(const struct clip_maker *maker, struct clip_span span, const char *word);
/* Behind blanks and a comment. */
uint32_t clip_skip(const struct clip_maker *maker, uint32_t at, uint32_t end, bool lines);
/* A word: letters, digits, '#', '-'. Empty where there is none. */
struct clip_span clip_word(const struct clip_maker *maker, uint32_t at, uint32_t end);
/* A whole number at *at, which goes behind it; false (no error is put): there is none, or it is
 * above the limit. */
bool clip_number(const struct clip_maker *maker, uint32_t *at, uint32_t end, uint32_t limit,
	uint32_t *number);
/* A number with up to three decimals and a sign, in thousandths; the same. */
bool clip_decimal(const struct clip_maker *maker, uint32_t *at, uint32_t end, int32_t *number);
/* n or n/d, above 0. */
bool clip_fraction(
	const struct clip_maker *maker, uint32_t *at, uint32_t end, struct clip_ratio *ratio);
struct clip_ratio clip_ratio_times(struct clip_ratio a, struct clip_ratio b);
struct clip_ratio clip_ratio_plus(struct clip_ratio a, struct clip_ratio b);
/* Whether it is in the limits within which sums cannot go wrong. */
bool clip_ratio_fits(struct clip_ratio ratio);

/* Semitones above C of a letter and its accidentals at *at; false: it is none. */
bool clip_letter(const struct clip_maker *maker, uint32_t *at, uint32_t end, int32_t *semitones);
/* A note as written by letter, without marks of octaves. */
bool clip_note_name(
	const struct clip_maker *maker, struct clip_span word, int32_t octave, int32_t *pitch);
int32_t clip_scale_find(const struct clip_maker *maker, struct clip_span name); /* -1: none */
int32_t clip_scale_pitch(int32_t scale, int32_t degree); /* semitones above the root */
/* Tones of a chord such as Dm7; false: no such chord. */
bool clip_chord(const struct clip_maker *maker, struct clip_span word, int32_t octave,
	int32_t *tones, uint32_t *count);
int32_t clip_drum_find(const struct clip_maker *maker, struct clip_span word); /* pitch; -1 */
/* ", did you mean NAME?" or a list of what there is, for the end of an error. */
void clip_hint(const struct clip_maker *maker, struct clip_span word, const char *kind, char *hint,
	size_t size);
const char *clip_scale_names(void);

/* ---- clip_notes.c */

/* The element at `at`, which is no blank. */
bool clip_element(struct clip_maker *maker, uint32_t at, uint32_t end, uint32_t depth,
	struct clip_element *element);
/* How many steps a sequence takes. */
bool clip_weigh(
	struct clip_maker *maker, struct clip_span span, uint32_t depth, struct clip_ratio *weight);
struct clip_pattern *clip_pattern_find(struct clip_maker *maker, struct clip_span word);

/* ---- clip_emit.c */

bool clip_word_out(struct clip_maker *maker, uint32_t at, uint32_t word);
/* The waiting that is due is put into the code. */
bool clip_flush(struct clip_maker *maker, uint32_t at);
/* A line of notes. */
bool clip_line_of_notes(struct clip_maker *maker, struct clip_span span);
/* What ends here goes over the seam of a loop that begins with a tie. */
void clip_seam(struct clip_maker *maker, uint32_t loop_body);

/* ---- clip_settings.c */

/* Nothing more stands in the line. */
bool clip_line_over(struct clip_maker *maker, uint32_t at, uint32_t end);
/* Which of the words comes; -1 and `what` as the error: none. */
int clip_line_choose(struct clip_maker *maker, struct clip_line *line, const char *const *words,
	int count, const char *what);
/* Whether this can name a marker, as vat_name_valid has it. */
bool clip_marker_name(const struct clip_maker *maker, struct clip_span name);
/* Lines that make bytecode begin a track, if there is none yet. */
bool clip_need_track(struct clip_maker *maker, uint32_t at);
/* What waits, then these two words. */
bool clip_out2(struct clip_maker *maker, uint32_t at, uint32_t first, uint32_t second);
bool clip_line_tempo(struct clip_maker *maker, struct clip_line *line);
bool clip_line_meter(struct clip_maker *maker, struct clip_line *line);
bool clip_line_key(struct clip_maker *maker, struct clip_line *line);
bool clip_line_step(struct clip_maker *maker, struct clip_line *line);
bool clip_line_octave(struct clip_maker *maker, struct clip_line *line);
bool clip_line_gate(struct clip_maker *maker, struct clip_line *line);
bool clip_line_swing(struct clip_maker *maker, struct clip_line *line);
bool clip_line_velocity(struct clip_maker *maker, struct clip_line *line);
bool clip_line_transpose(struct clip_maker *maker, struct clip_line *line);
bool clip_line_shift(struct clip_maker *maker, struct clip_line *line);
bool clip_line_modulate(struct clip_maker *maker, struct clip_line *line);
bool clip_line_sound(struct clip_maker *maker, struct clip_line *line);
bool clip_line_set(struct clip_maker *maker, struct clip_line *line);
bool clip_line_hit(struct clip_maker *maker, struct clip_line *line);
bool clip_line_splice(struct clip_maker *maker, struct clip_line *line);
bool clip_line_notes(struct clip_maker *maker, struct clip_line *line);
bool clip_line_state(struct clip_maker *maker, struct clip_line *line);

/* ---- clip_compile.c */

/* A track of that name; an empty one is the track of a clip that names none. */
bool clip_begin_track(struct clip_maker *maker, struct clip_span name, uint32_t at);

#endif

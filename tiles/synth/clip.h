/* SPDX-License-Identifier: MIT */
/*
 * Clips: a text that people write while it plays, the bytecode that it becomes, and the sequencer
 * that plays it. docs/clips.md describes the language.
 *
 * The text is compiled outside of the run (clip_compile), the bytecode is checked before it runs
 * (clip_verify), and the sequencer makes events of it: notes on and off, each at its exact frame.
 * What it plays depends on the clip, the transport and the requests, not on how render() is sliced.
 *
 * Time is counted in *grains*: 420 to a tick, 40,320 to a beat, so that triplets, quintuplets and
 * septuplets are whole numbers. The frame of a grain is computed from the transport's origin; at a
 * whole tick it is what vat_part_frame says.
 *
 * All state is in four cells (clip_cells.h), which any version may find in any condition: numbers
 * out of them are checked wherever they are used as an index. Nothing here allocates, and nothing
 * but the functions for the text takes longer than its budget.
 */
#ifndef SOURCE_CITY_CLIP_H
#define SOURCE_CITY_CLIP_H

#include "transport.h"
#include "vat.h"

#define CLIP_GRAINS 420				 /* of a tick */
#define CLIP_BEAT_GRAINS (VAT_PPQ * CLIP_GRAINS) /* 40,320 */
#define CLIP_FADE_TICKS 48			 /* of notes:crossfade: half a beat */

#define CLIP_TEXT_MAX 65536
#define CLIP_WORDS 8192
#define CLIP_SLOTS 4 /* clips that are kept: running, pending, last good, fallback */
#define CLIP_TRACKS 16
#define CLIP_NOTES 64 /* that sound at once; one more ends the oldest */
#define CLIP_DEPTH 8  /* of loops in each other */
#define CLIP_NAME 32
#define CLIP_TURNS 64 /* places in one clip that take turns: < > */
/* Steps of bytecode in a quarter of a beat; a clip that needs more is stopped. */
#define CLIP_BUDGET 16384

/* How a clip takes over from the one before it. All can stand in the text, as can the splice point
 * ("splice @bar"); what does not is taken from the request. */
enum clip_notes {
	CLIP_RELEASE = 1, /* what sounds is ended at the splice */
	CLIP_SUSTAIN,	  /* it rings until its own end */
	CLIP_CROSSFADE,	  /* it fades out in CLIP_FADE_TICKS, while what is new fades in */
	CLIP_INHERIT,	  /* what the new clip plays or ties at the splice goes on, the rest ends */
};
enum clip_state {
	CLIP_STATE_INHERIT = 1, /* tempo, transposition, velocity go on as they are, but for what
				 * the edit changed in the text */
	CLIP_STATE_RESET,	/* as the text says; what it does not say as in an empty city */
	CLIP_STATE_MERGE,	/* as the text says; what it does not say goes on */
};
enum clip_on_error {
	CLIP_KEEP = 1, /* what plays goes on */
	CLIP_STOP,     /* silence, at the splice point */
	CLIP_FALLBACK, /* the fallback clip, at the splice point */
};

/* ---- what is in the cells */

enum clip_said {
	CLIP_SAID_TEMPO = 1 << 0,
	CLIP_SAID_TRANSPOSE = 1 << 1,
	CLIP_SAID_VELOCITY = 1 << 2,
	CLIP_SAID_METER = 1 << 3,
	CLIP_SAID_SPLICE = 1 << 4,
	CLIP_SAID_NOTES = 1 << 5,
	CLIP_SAID_STATE = 1 << 6,
};

/* One compiled clip. Position independent, no pointers. size 0: no clip. */
struct clip_code {
	uint32_t version; /* of the bytecode */
	uint32_t size;	  /* words used */
	uint32_t sum;	  /* of all that is used */
	uint32_t track_count, marker_count, turn_count;
	uint32_t said;	   /* enum clip_said */
	uint32_t tempo;	   /* thousandths of a beat a minute */
	int32_t transpose; /* semitones */
	uint32_t velocity; /* per cent */
	uint32_t beats_a_bar;
	uint32_t splice_kind, splice_bars; /* struct vat_splice_point */
	char splice_marker[CLIP_NAME];
	uint32_t notes, state;		       /* enum clip_notes, enum clip_state */
	uint32_t entries[CLIP_TRACKS];	       /* where each track begins in words[] */
	uint32_t swing[CLIP_TRACKS];	       /* per cent: where the off-beat is; 50 is straight */
	uint32_t swing_grains[CLIP_TRACKS];    /* of a pair of steps */
	char tracks[CLIP_TRACKS * CLIP_NAME];  /* names */
	char markers[CLIP_TRACKS * CLIP_NAME]; /* names */
	uint32_t words[CLIP_WORDS];
};

/* A track of the running clip, at work. */
struct clip_track {
	int64_t grain;	      /* where it is: when its next step is due, before swing */
	int64_t began;	      /* grain of its first step */
	int64_t loop_grain;   /* where its outermost loop began last */
	uint32_t loop_grains; /* and how long that lasts; 0: it has none */
	uint32_t live;	      /* 0: it has ended */
	uint32_t pc, depth;
	uint32_t loop_pc[CLIP_DEPTH], loop_left[CLIP_DEPTH]; /* left 0: for ever */
	int32_t transpose;
	uint32_t velocity; /* 1 to 127 */
	uint32_t sound;	   /* of struct clip_vocabulary */
	uint32_t channel;  /* the same for the same name in the next clip */
	uint64_t chance;   /* state of its random numbers */
};

/* A note that sounds. */
struct clip_note {
	uint32_t id;	 /* of the note; 0: this place is free */
	uint32_t flags;	 /* the sequencer's own */
	int64_t on, end; /* grains; the end is known when it begins */
	uint32_t channel, pitch, velocity, sound;
	uint32_t source; /* see struct clip_event */
	uint32_t reserved;
};

enum clip_done {
	CLIP_DONE_SPLICED = 1, /* it plays */
	CLIP_DONE_REFUSED,     /* the text has an error */
	CLIP_DONE_SUPERSEDED,  /* a later one took its place while it waited */
	CLIP_DONE_UNREACHABLE, /* its marker is gone or passed */
	CLIP_DONE_FAILED,      /* it ran, and was stopped: the last good clip plays */
	CLIP_DONE_SAME,	       /* it plays already: nothing in it sounds different */
};

enum { CLIP_BRINGS_TEMPO, CLIP_BRINGS_METER, CLIP_BRINGS };

struct clip_player {
	/* Numbers of slots, from 1; 0: none. running == 0 is silence. */
	uint32_t running, pending, good, fallback;
	uint32_t proven;	 /* the running clip has run for a bar */
	uint32_t serial;	 /* of the last request */
	uint32_t running_serial; /* of the request that brought what runs; 0: it was an error */
	uint32_t note_serial;	 /* of the last note; ids of notes have the top bit clear */

	/* The splice that is pending. */
	uint32_t splice_serial;
	uint32_t splice_kind, splice_bars, splice_notes, splice_state;
	char splice_marker[CLIP_NAME];
	int64_t splice_grain;  /* when, as of now; moves when the transport changes */
	int64_t splice_from;   /* the first grain that it may be met at */
	uint32_t splice_armed; /* splice_grain is known; otherwise the transport stands still */
	uint32_t splice_new;   /* no slice has seen it as it is */

	/* How the last request ended; see clip_done. done_count grows by one each time. */
	uint32_t done_count, done_serial, done;
	uint32_t done_released; /* notes that sounded and were ended, or began to fade */
	int64_t done_tick;	/* where it was spliced in */
	uint64_t done_frame;
	char done_text[160]; /* one line, "" when all is well */

	/* The error of the last text, or "". Goes away with the next good one. */
	uint32_t error_line, error_column;
	char error_text[200];

	/* The state vector. */
	uint32_t tempo; /* that a clip asked for last; 0: none did */
	int32_t transpose;
	uint32_t velocity; /* per cent */

	/* Where the running clip began, and where it is. */
	int64_t origin;	    /* grain */
	int64_t position;   /* grain; all before it has been done */
	int64_t fade_until; /* of a crossfade, a grain */
	/* The transport's part as of the last slice, and where that ended. */
	uint64_t next_frame, part_frame;
	int64_t part_tick;
	uint32_t part_tempo, part_bar, part_phrase, part_playing;

	int64_t budget_from;
	uint32_t budget_used;
	uint32_t started;
	/* What is still to be told as events; 0: nothing. */
	uint32_t tell_tempo, tell_meter, faulted;
	uint32_t turns[CLIP_TURNS];
	uint32_t channels[CLIP_TRACKS]; /* hash of the track's name on that channel */
	uint64_t notes_on, notes_off, notes_stolen, faults;

	/* Of tempo and meter, which a clip brings with it; see clip_ahead.c. */
	uint32_t ahead[CLIP_BRINGS]; /* asked for from a tick on; 0: nothing */
	int64_t ahead_tick[CLIP_BRINGS];
	uint32_t changed[CLIP_BRINGS]; /* asked for at once, before anything played; 0: nothing */
	uint32_t changed_from[CLIP_BRINGS];
	uint32_t splice_tries; /* points that the pending splice let pass */
	uint32_t ahead_off;    /* the transport cannot be asked */
	int64_t part_zero;     /* of the part as of the last slice */
};

/* ---- words of the instrument, which a text may use; constant */

struct clip_sound_word {
	const char *name;  /* as all words: lower case letters, digits, '-' */
	const char *about; /* for people */
};
struct clip_parameter_word {
	const char *name;
	int32_t min, max; /* thousandths */
};
struct clip_drum_word {
	const char *name; /* "bd" */
	uint32_t pitch;	  /* 0 to 127 */
};
struct clip_vocabulary {
	const struct clip_sound_word *sounds; /* sound 0 is what a track has that names none */
	const struct clip_parameter_word *parameters;
	const struct clip_drum_word *drums;
	uint32_t sound_count, parameter_count, drum_count;
	/* The sound that a track gets by writing drums, when it names none itself; an index. */
	uint32_t drum_sound;
};

/* ---- compiling; outside of the run */

struct clip_error {
	uint32_t line, column; /* from 1; in characters */
	char text[200];	       /* one line: what, and how to mend it */
};

/* Compile a text into *code. False: *error says where and why, *code is of no use. Any bytes may
 * come; the time it takes is bounded. */
bool clip_compile(const char *text, size_t size, const struct clip_vocabulary *vocabulary,
	struct clip_code *code, struct clip_error *error);
/* Whether this is bytecode that cannot go wrong but by its budget. False: why, one line. */
bool clip_verify(const struct clip_code *code, char *why, size_t why_size);

/* ---- requests; outside of the run, between two slices */

/* All state of a clip player: where its cells are. Make it anew in each attach. */
struct clip {
	struct clip_player *player; /* one */
	struct clip_code *codes;    /* CLIP_SLOTS */
	struct clip_track *tracks;  /* CLIP_TRACKS */
	struct clip_note *notes;    /* CLIP_NOTES */
};

/* After each attach: what the cells hold is checked, what cannot be used is put away (a clip that
 * is no bytecode of this version is no clip any more; then false, and its text should be loaded
 * again). Fresh cells are a player without a clip. */
bool clip_attach(const struct clip *clip);

struct clip_options {
	struct vat_splice_point splice;	 /* where the text says none; VAT_SPLICE_BAR is usual */
	uint32_t notes, state, on_error; /* 0: CLIP_RELEASE, CLIP_STATE_INHERIT, CLIP_KEEP */
};
/*
 * A new text, as it was saved: compile it into *scratch, and have it spliced in, or do what
 * on_error says. The latest wins. Returns the request's serial; how it ended stands in
 * player->done*, what is wrong with the text in player->error*.
 */
uint32_t clip_load(const struct clip *clip, const char *text, size_t size,
	const struct clip_vocabulary *vocabulary, const struct clip_options *options,
	struct clip_code *scratch);
/* What plays when a clip cannot, and none before it was good. False: it has an error. */
bool clip_set_fallback(const struct clip *clip, const char *text, size_t size,
	const struct clip_vocabulary *vocabulary, struct clip_code *scratch,
	struct clip_error *error);
/* Move the whole clip by semitones, or its loudness by per cent, by hand. */
void clip_nudge(const struct clip *clip, int32_t semitones, int32_t velocity);

/* ---- the run */

enum clip_event_type {
	/* A note begins; note, channel, pitch, velocity, sound, and `at`, the tick at which it is
	 * to end. gain, gain_to and fade_frames (0: none) say that it fades in. */
	CLIP_NOTE_ON = 1,
	CLIP_NOTE_OFF,	/* the note with that id ends: exactly one for each that began */
	CLIP_NOTE_FADE, /* it goes from gain to gain_to in fade_frames; its off comes then */
	CLIP_SOUND,	/* the channel gets a sound, with the usual parameters of that */
	CLIP_PARAMETER, /* number `index` of the channel's sound is `value` thousandths */
	/* value: ask the transport for it; at: from that tick on (0: at once). value 0: take back
	 * what was asked for. See clip_ahead_refused. */
	CLIP_TEMPO,
	CLIP_METER,   /* value: beats a bar; the same */
	CLIP_MARK,    /* `name` is at tick `at`; the same */
	CLIP_SPLICED, /* another clip plays from here on; serial */
	CLIP_FAULT,   /* the running clip was stopped; player->done_text */
};

struct clip_event {
	enum clip_event_type type;
	uint64_t frame; /* in the slice */
	int64_t tick;
	uint32_t note; /* id: the top bit is clear, so that notes of keys can have it */
	uint32_t channel, pitch, velocity, sound;
	/* What of the text it comes from: line << 12 | column; 0: nothing. */
	uint32_t source;
	uint32_t index, serial;
	int32_t value;
	int64_t at;
	float gain, gain_to;
	uint32_t fade_frames;
	char name[CLIP_NAME];
};

/* One slice at work; scratch, of the caller. */
struct clip_run {
	const struct clip *clip;
	const struct vat_transport *transport;
	struct vat_transport_part part;
	uint64_t frame, end; /* of the slice */
	uint64_t when;	     /* the frame of what is done now */
	int64_t grain;	     /* and its grain */
	bool late;	     /* of frames that nobody heard */
	uint32_t phase, at, on_count;
	struct clip_note ons[CLIP_NOTES];
};

/*
 * Play one slice: frames [frame, frame + frames), as of struct tile_sound (which never goes over a
 * change of the transport). What lies between it and the slice before was not heard: its notes are
 * not begun. Take all events until clip_next gives false; they
 * come in order, and what an event says holds from its frame on:
 *
 *	struct clip_run run;
 *	struct clip_event event;
 *	clip_begin(&run, &clip, transport, sound->frame, sound->frames);
 *	while (clip_next(&run, &event)) {
 *		(render up to event.frame, then do what it says)
 *	}
 *	(render the rest)
 */
void clip_begin(struct clip_run *run, const struct clip *clip,
	const struct vat_transport *transport, uint64_t frame, uint32_t frames);
bool clip_next(struct clip_run *run, struct clip_event *event);

/* What a pending clip wants of the transport now (CLIP_TEMPO or CLIP_METER), as clip_next says it
 * by itself; for whoever is about to start the transport. False: nothing any more. */
bool clip_ahead(
	const struct clip *clip, const struct vat_transport_part *part, struct clip_event *event);
/* The transport cannot be asked: no splice waits for it, up to the next request. */
void clip_ahead_refused(const struct clip *clip);

/* ---- looking; outside of the run */

/* A note as it has been or will be, for the score. */
struct clip_seen {
	double tick, end;
	uint32_t note; /* id, while it sounds */
	uint32_t channel, pitch, velocity, sound, source;
	uint32_t sounds; /* it has begun already */
};
/* The running clip from where it is for so many ticks, if nothing comes between: notes by their
 * beginning, at most `max`. Returns how many. *scratch is overwritten. */
struct clip_look {
	struct clip_player player;
	struct clip_track tracks[CLIP_TRACKS];
	struct clip_note notes[CLIP_NOTES];
	struct clip_run run;
};
uint32_t clip_look(const struct clip *clip, uint32_t ticks, struct clip_look *scratch,
	struct clip_seen *seen, uint32_t max);

/* Where a pending splice will be: its tick, or INT64_MIN while it is not known. */
int64_t clip_splice_tick(const struct clip *clip);
/* The name of a track by its channel; "" when there is none. */
const char *clip_channel_name(const struct clip *clip, uint32_t channel);

/* The first frame at or behind a grain, in a part, as vat_part_frame; UINT64_MAX: never. */
static inline uint64_t clip_part_frame(
	const struct vat_transport_part *part, uint32_t rate, int64_t grain) {
	int64_t origin = part->tick * CLIP_GRAINS;
	if (grain <= origin) {
		return part->frame;
	}
	if (!part->playing) {
		return UINT64_MAX;
	}
	uint64_t a_grain = (uint64_t)part->tempo * CLIP_BEAT_GRAINS;
	unsigned __int128 scaled =
		(unsigned __int128)((uint64_t)grain - (uint64_t)origin) * ((uint64_t)rate * 60000);
	unsigned __int128 frames = (scaled + a_grain - 1) / a_grain;
	return frames > UINT64_MAX / 2 - part->frame ? UINT64_MAX : part->frame + (uint64_t)frames;
}

/* The last grain at or before a frame, in a part. */
static inline int64_t clip_part_grain(
	const struct vat_transport_part *part, uint32_t rate, uint64_t frame) {
	int64_t origin = part->tick * CLIP_GRAINS;
	if (!part->playing || frame < part->frame) {
		return origin;
	}
	unsigned __int128 scaled =
		(unsigned __int128)(frame - part->frame) * part->tempo * CLIP_BEAT_GRAINS;
	return origin + (int64_t)(scaled / ((uint64_t)rate * 60000));
}

#endif

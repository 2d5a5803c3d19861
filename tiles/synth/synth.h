/* SPDX-License-Identifier: MIT */
/*
 * The synth: a tile that plays clips (clip.h) and keys with the sound of voice.h. What it shows is
 * in the cell `shown`, taken now and then, so that the picture depends on cells alone.
 */
#ifndef SYNTH_H
#define SYNTH_H

#include "clip.h"
#include "paint.h"
#include "patch.h"
#include "tile.h"
#include "voice.h"

enum synth_cell {
	CELL_VOICES,
	CELL_EFFECTS,
	CELL_MIX,
	CELL_SETTINGS,
	CELL_KEYS,
	CELL_SCORE,
	CELL_TEXT,
	CELL_SHOWN,
	CELL_CLIP, /* and three more: clip_cells.h */
	CELLS = CELL_CLIP + 4,
};
extern const struct vat_cell_decl synth_cells[CELLS];

#define KEY_NOTES 16
/* The keys of the keyboard, and what they play. */
struct keys {
	uint32_t code[KEY_NOTES]; /* evdev; 0: free */
	uint32_t note[KEY_NOTES]; /* its id */
	uint32_t serial;
	int32_t octave;
	uint32_t sound;
	int32_t volume; /* per cent */
	uint32_t hold;	/* what is let go rings on */
	/* Counted as synth_mix.at: when it began; when it ends, having been let go at once (0: it
	 * is not). */
	uint64_t began[KEY_NOTES], ends[KEY_NOTES];
};

#define SCORE_NOTES 128
/* Notes that were, the last ones: for the score. */
struct score {
	uint32_t next;
	uint32_t id[SCORE_NOTES];
	double from[SCORE_NOTES], to[SCORE_NOTES]; /* ticks */
	uint32_t channel[SCORE_NOTES], pitch[SCORE_NOTES];
	uint32_t splices;   /* of clip_player.done_count, those that were seen */
	uint64_t splice_ns; /* when it was seen; 0: not yet */
};

/* What was read last of the clip's file. */
struct text {
	uint64_t hash;
	uint32_t loaded;
	char why[200]; /* why it cannot be read, "" */
	/* When to look again before that is said, as some editors put a file away before they make
	 * it anew; 0: not at all. */
	uint64_t again_ns;
};

#define SHOWN_NOTES 256
struct shown {
	uint64_t next_ns;
	uint32_t playing, tempo, beats_a_bar, connected;
	double head;   /* tick that is heard */
	double splice; /* tick of a pending one */
	uint32_t splice_pending, splice_known;
	char splice_text[48];
	char done[160]; /* how the last one went */
	double done_tick;
	uint32_t done_fresh, done_bad;
	char error[260];
	uint32_t note_count;
	float from[SHOWN_NOTES], to[SHOWN_NOTES]; /* ticks from `head` */
	uint32_t channel[SHOWN_NOTES], pitch[SHOWN_NOTES], lit[SHOWN_NOTES];
	uint32_t sounding[128]; /* by pitch: 1 + channel */
	uint32_t voices;
	float peak[2];
	uint64_t late;
	char names[SYNTH_CHANNELS * CLIP_NAME]; /* of channels */
	int32_t octave, volume;
	uint32_t sound, hold;
	int64_t bar_zero; /* see struct vat_transport_part */
};

struct layout {
	struct paint_box header, play, names, score, keys, status;
};

/* Scratch. */
struct player {
	struct tile *tile;
	struct synth synth;
	struct clip clip;
	struct wave_tables waves;
	struct clip_code code;
	struct clip_look look;
	struct clip_seen seen[SHOWN_NOTES];
	struct shown taken;
	char text[CLIP_TEXT_MAX + 1];
	struct paint_fonts fonts;
	struct layout layout;
	struct clip_options options;
	bool wakes;   /* update() is asked for */
	bool pressed; /* the pointer's button */
	int touched;  /* the key of the picture that the pointer holds; -1: none */
};

static inline struct keys *keys_of(const struct player *player) {
	return player->tile->cells[CELL_KEYS];
}
static inline struct score *score_of(const struct player *player) {
	return player->tile->cells[CELL_SCORE];
}
static inline struct text *text_of(const struct player *player) {
	return player->tile->cells[CELL_TEXT];
}
static inline struct shown *shown_of(const struct player *player) {
	return player->tile->cells[CELL_SHOWN];
}

/* ---- synth_play.c */
void play_render(struct tile *tile, const struct tile_sound *sound);
/* Asks for the tempo of a clip that is the first to play, before it does. */
void play_ahead(struct player *player);
/* A key of the keyboard; true: it was one for notes. */
bool play_key(struct player *player, const struct tile_input_key *key);
void play_keys_off(struct player *player);
/* The pointer on the keys in the picture: that one is down; -1: none. velocity 0 to 1. */
void play_touch(struct player *player, int pitch, float velocity);
/* What is let go rings on, or not any more. */
void play_hold(struct player *player, bool hold);
/* Everything ends, what is held, too. */
void play_all_off(struct player *player);

/* ---- synth_text.c */
void text_options(struct player *player);
void text_fallback(struct player *player);
/* Read the clip's file, and load it if it is another than the last time. */
void text_read(struct player *player);
/* Once more, if it is time for that. */
void text_again(struct player *player);

/* ---- synth_shown.c */
/* Takes the picture; has drawn what is different. True: it goes on moving. */
bool shown_take(struct player *player);

/* ---- synth_view.c */
void view_layout(struct player *player);
/* The key of the picture at a place in pixels, and how hard it is struck there (harder farther
 * down); -1: none. */
int view_key_at(const struct player *player, double x, double y, float *velocity);
void view_draw(struct tile *tile, const struct tile_canvas *canvas);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The audio manager: what is in the sound server, where it goes and how loud it is.
 *
 * The audio process tells it (audio_wire.h), over a connection that the keeper keeps, so a version
 * goes on in the middle of a message where the one before stopped. All that it knows, the layout
 * included, is in cells, and the picture is made of them alone. Who changes something asks for it
 * and believes it when it is told.
 *
 * Sizes and places are tile pixels; those of cards are below the header, before they are scrolled.
 */
#ifndef MIXER_H
#define MIXER_H

#include "audio_wire.h"
#include "paint.h"
#include "tile.h"

#define MIX_NODES 96
#define MIX_LINKS 192
#define MIX_RINGS 32
#define MIX_ASKED 16 /* requests without an answer */
#define MIX_LINE 200
#define MIX_VOLUME_MAX 1500 /* thousandths */
#define MIX_NONE 0ull	    /* no id */

enum mix_cell {
	CELL_NODES,
	CELL_LINKS,
	CELL_RINGS,
	CELL_WIRE,
	CELL_FACE,
	CELLS,
};
extern const struct vat_cell_decl mix_cells[CELLS];

/* Those that are used come first, by column, kind and id. */
struct mix_node {
	uint64_t id;	 /* MIX_NONE: free */
	uint64_t target; /* of a program: the device; MIX_NONE: none */
	uint32_t kind, flags, channels, volume;
	uint32_t seen;	/* mix_wire.turn when it was told last */
	uint32_t want;	/* volume that is asked for, plus 1; 0: none */
	uint32_t asked; /* the request for it that is not answered */
	char name[AUDIO_NAME_SIZE], media[AUDIO_NAME_SIZE], tile[VAT_MARKER_SIZE * 2];
	float level[AUDIO_CHANNELS_MAX], hold[AUDIO_CHANNELS_MAX]; /* linear */
	uint64_t hold_ns[AUDIO_CHANNELS_MAX];
	int32_t x, y, width, height, column; /* its card */
};

struct mix_link {
	uint64_t id, from, to;
	uint32_t active, seen;
};

struct mix_ring {
	uint64_t id, node, late, late_times, mended;
	uint32_t ahead, wants, quantum, seen;
	char tile[64], port[64];
};

struct mix_asked {
	uint32_t request, type, value, unused;
	uint64_t id;
};

/* The connection, and what the audio process says of itself. */
struct mix_wire {
	uint32_t open;	  /* there is one */
	uint32_t told;	  /* everything that is there has been told once, over any connection */
	uint32_t turn;	  /* how often everything was told from the beginning */
	uint32_t tries;	  /* that failed, one after the other */
	uint32_t meters;  /* asked for */
	uint32_t unseen;  /* nobody sees the tile */
	uint32_t strange; /* it speaks another version */
	uint32_t more;	  /* there is more than fits */
	uint32_t stale;	  /* there may be room again for what did not fit */
	uint32_t requests, got, put;
	uint64_t retry_ns; /* when to connect again */
	uint64_t seen_ns;  /* when the tile was seen last */
	uint32_t server, rate, quantum;
	char server_name[AUDIO_NAME_SIZE], reason[AUDIO_NAME_SIZE];
	struct mix_asked asked[MIX_ASKED];
	unsigned char in[sizeof(struct audio_message)];	      /* `got` bytes of a message */
	unsigned char out[16 * sizeof(struct audio_message)]; /* `put` bytes that wait */
};

enum mix_drag {
	DRAG_NONE,
	DRAG_FADER,
	DRAG_CARD, /* not far enough yet to be more than a click */
	DRAG_LINK, /* a line from a card's end */
	DRAG_MOVE, /* a program to another device */
};

enum mix_mode {
	MODE_NONE,
	MODE_LINK, /* the keyboard chooses the other end */
	MODE_MOVE,
};

/* What is seen and pointed at. */
struct mix_face {
	uint64_t chosen, chosen_link, hover;
	uint64_t from;	  /* of a drag or a mode */
	uint32_t on_play; /* the keyboard is on the transport's button */
	uint32_t focused, mode, drag, cursor;
	double pointer_x, pointer_y, press_x, press_y;
	int32_t scroll, content, columns;
	uint32_t playing, tempo, beats_a_bar;
	int64_t bar, beat;   /* from 0 */
	char line[MIX_LINE]; /* what went wrong */
};

struct mix_box {
	double x, y, width, height;
};

/* Scratch. */
struct mixer {
	struct tile *tile;
	struct paint_fonts fonts;
	int stream;	  /* -1: none */
	uint64_t beat_ns; /* when the next beat is; UINT64_MAX: never */
};

static inline struct mix_node *mix_nodes(const struct mixer *mixer) {
	return mixer->tile->cells[CELL_NODES];
}
static inline struct mix_link *mix_links(const struct mixer *mixer) {
	return mixer->tile->cells[CELL_LINKS];
}
static inline struct mix_ring *mix_rings(const struct mixer *mixer) {
	return mixer->tile->cells[CELL_RINGS];
}
static inline struct mix_wire *mix_wire(const struct mixer *mixer) {
	return mixer->tile->cells[CELL_WIRE];
}
static inline struct mix_face *mix_face(const struct mixer *mixer) {
	return mixer->tile->cells[CELL_FACE];
}

/* ---- model.c: what is told. Knows nothing of a tile's host. */

struct mix_model {
	struct mix_node *nodes;
	struct mix_link *links;
	struct mix_ring *rings;
	struct mix_wire *wire;
};
static inline struct mix_model mix_model(const struct mixer *mixer) {
	return (struct mix_model){
		mix_nodes(mixer), mix_links(mixer), mix_rings(mixer), mix_wire(mixer)};
}

enum mix_changed {
	CHANGED_CARDS = 1 << 0,	 /* which there are, or where: lay out again */
	CHANGED_LOOK = 1 << 1,	 /* what is drawn anywhere */
	CHANGED_METER = 1 << 2,	 /* one node's meters: .id of the message */
	CHANGED_RESULT = 1 << 3, /* of a request */
	CHANGED_MUSIC = 1 << 4,
	CHANGED_STRANGE = 1 << 5, /* no message of this version; nothing behind it can be read */
};
/* Of anybody: what makes no sense changes nothing. enum mix_changed. */
unsigned mix_apply(
	const struct mix_model *model, const struct audio_message *message, uint64_t now_ns);
/* Everything is told from the beginning from now on; what is not told again goes with DONE. */
void mix_begin(const struct mix_model *model);
/* Nothing is there any more. */
void mix_forget(const struct mix_model *model);
struct mix_node *mix_find(const struct mix_model *model, uint64_t id);
struct mix_link *mix_find_link(const struct mix_model *model, uint64_t id);
const struct mix_link *mix_link_between(const struct mix_model *model, uint64_t from, uint64_t to);
const struct mix_ring *mix_ring_of(const struct mix_model *model, uint64_t node);
void mix_quiet(const struct mix_model *model);
/* Text that others wrote, as text: valid UTF-8 in one line, ended, the rest zero. */
void mix_text(char *to, size_t to_size, const char *from, size_t from_size);
/* From where sound goes to where, of two that are to be linked; false: it cannot. */
bool mix_ends(
	const struct mix_node *one, const struct mix_node *other, uint64_t *from, uint64_t *to);
/* Whether a stream can be moved to a device. */
bool mix_can_move(const struct mix_node *stream, const struct mix_node *device);
bool mix_is_device(const struct mix_node *node);
uint32_t mix_volume(const struct mix_node *node);
/* The cells are as they may be; false with a reason. */
bool mix_check(const struct mix_model *model, char *why, size_t why_size);

/* ---- wire.c: the connection */

/* Claim the one of the version before, or open one. */
void wire_attach(struct mixer *mixer, enum tile_attach why);
/* Read what has come and write what waits. */
void wire_ready(struct mixer *mixer);
/* The time for something may have come. */
void wire_update(struct mixer *mixer);
/* Ask for something; what is not possible stands in the line of the face. */
void wire_ask(
	struct mixer *mixer, enum audio_type type, uint64_t id, uint64_t other, uint32_t value);
void wire_ask_volume(struct mixer *mixer, struct mix_node *node, uint32_t volume);
/* Connect again where that was given up. */
void wire_wake(struct mixer *mixer);
/* When it wants wire_update; UINT64_MAX: never. */
uint64_t wire_next(const struct mixer *mixer);

/* ---- layout.c: where everything is */

enum mix_part {
	PART_NONE,
	PART_PLAY,
	PART_CARD,
	PART_FADER,
	PART_MUTE,
	PART_DEFAULT,
	PART_END, /* where lines begin */
	PART_LINK,
	PART_CUT, /* what breaks the chosen link */
};
struct mix_hit {
	enum mix_part part;
	uint64_t id;
};
/* A line between cards: over `across` where it goes from a column to another, otherwise a bow. */
struct mix_path {
	double x1, y1, x2, y2;
	double bow; /* how far, to the right; 0: it goes across */
};

void layout_make(struct mixer *mixer);
void layout_show(struct mixer *mixer, const struct mix_node *node);
void layout_scroll(struct mixer *mixer, double by);
struct mix_box layout_play(const struct mixer *mixer);
struct mix_box layout_body(const struct mixer *mixer);
/* On the tile, as it is scrolled. */
struct mix_box layout_card(const struct mixer *mixer, const struct mix_node *node);
struct mix_box layout_fader(const struct mixer *mixer, const struct mix_node *node);
struct mix_box layout_mute(const struct mixer *mixer, const struct mix_node *node);
struct mix_box layout_default(const struct mixer *mixer, const struct mix_node *node);
struct mix_box layout_meter(const struct mixer *mixer, const struct mix_node *node);
struct mix_box layout_end(const struct mixer *mixer, const struct mix_node *node);
bool layout_path(const struct mixer *mixer, const struct mix_link *link, struct mix_path *path);
void layout_point(const struct mix_path *path, double t, double *x, double *y);
struct mix_hit layout_hit(const struct mixer *mixer, double x, double y);
/* The node in a direction from the chosen one, of those that fit. */
struct mix_node *layout_next(struct mixer *mixer, int right, int down,
	bool (*fits)(const struct mixer *mixer, const struct mix_node *node));

/* ---- input.c */

void input_event(struct mixer *mixer, const struct tile_input *event);
/* Whether what is being done now can end at a node. */
bool input_fits(const struct mixer *mixer, const struct mix_node *node);

#define MIX_HEADER 40
#define MIX_STATUS 24

/* ---- mixer.c */

void mixer_damage(struct mixer *mixer, const struct mix_box *box);
void mixer_damage_all(struct mixer *mixer);

#endif

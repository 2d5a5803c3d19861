/* SPDX-License-Identifier: MIT */
/*
 * The bytecode of clips. An instruction is a word, its operation in the low 8 bits and `a` in the
 * upper 24, and the words that belong to it. A track is a straight run of instructions that ends
 * with CLIP_OP_END; jumps go forward and stay in their loop, loops are the only way back.
 */
#ifndef SOURCE_CITY_CLIP_OPS_H
#define SOURCE_CITY_CLIP_OPS_H

#include "clip.h"

#define CLIP_CODE_VERSION 1

enum clip_op {
	CLIP_OP_END = 0, /* the track is over */
	CLIP_OP_NOTE,	 /* a: enum clip_note_bits; pitch | velocity << 8, length, source */
	CLIP_OP_WAIT,	 /* grains, above 0 */
	CLIP_OP_TIE,	 /* grains: what ends here goes on so long */
	CLIP_OP_LOOP,	 /* a: times, 0: for ever; grains of one pass */
	CLIP_OP_NEXT,	 /* end of the loop */
	CLIP_OP_TURN,	/* a: how many | CLIP_TURN_CHANCE; number of the turn, then a target each */
	CLIP_OP_CHANCE, /* a: per cent to go on; target otherwise */
	CLIP_OP_JUMP,	/* target */
	CLIP_OP_TRANSPOSE, /* a: 1: by, 0: to; semitones. Of the track */
	CLIP_OP_MODULATE,  /* the same, of the clip */
	CLIP_OP_VELOCITY,  /* a: 1: by, 0: to; of the track */
	CLIP_OP_TEMPO,	   /* thousandths of a beat a minute */
	CLIP_OP_SOUND,	   /* a: index */
	CLIP_OP_PARAMETER, /* a: index; value */
	CLIP_OP_MARK,	   /* a: index of the name; grains from here */
	CLIP_OP_COUNT,
};

#define CLIP_TURN_CHANCE (1u << 23)
#define CLIP_TURN_MAX 32
#define CLIP_GRAINS_MAX (1 << 30) /* of one length: 26,000 beats */
#define CLIP_SEMITONES_MAX 120

enum clip_note_bits {
	CLIP_NOTE_FIXED = 1 << 0,    /* not transposed: a drum */
	CLIP_NOTE_ABSOLUTE = 1 << 1, /* velocity is not relative to the track's */
};
/* Relative velocities are kept as this plus them. */
#define CLIP_VELOCITY_ZERO 128

static inline uint32_t clip_op(enum clip_op op, uint32_t a) {
	return (uint32_t)op | a << 8;
}

/* The words that follow the first one of an instruction; UINT32_MAX: it is none. */
static inline uint32_t clip_op_words(uint32_t word) {
	switch (word & 0xff) {
	case CLIP_OP_END:
	case CLIP_OP_NEXT:
	case CLIP_OP_SOUND:
		return 0;
	case CLIP_OP_NOTE:
		return 3;
	case CLIP_OP_TURN:
		return 1 + (word >> 8 & ~CLIP_TURN_CHANCE);
	case CLIP_OP_WAIT:
	case CLIP_OP_TIE:
	case CLIP_OP_LOOP:
	case CLIP_OP_CHANCE:
	case CLIP_OP_JUMP:
	case CLIP_OP_TRANSPOSE:
	case CLIP_OP_MODULATE:
	case CLIP_OP_VELOCITY:
	case CLIP_OP_TEMPO:
	case CLIP_OP_PARAMETER:
	case CLIP_OP_MARK:
		return 1;
	default:
		return UINT32_MAX;
	}
}

/* FNV-1a; never 0. */
static inline uint32_t clip_hash(uint32_t hash, const void *data, size_t size) {
	const unsigned char *byte = data;
	hash = hash ? hash : 2166136261u;
	for (size_t i = 0; i < size; i++) {
		hash = (hash ^ byte[i]) * 16777619u;
	}
	return hash ? hash : 1;
}

/* What clip_code.sum has to be. */
uint32_t clip_code_sum(const struct clip_code *code);

/* The parts of the run that its files share. */

/* The splice at run->grain: what sounds, the state vector, the clip that begins. */
void clip_splice_now(struct clip_run *run);
/* Know when the pending splice is, after anything changed; position: the first grain left. */
void clip_splice_arm(const struct clip *clip, const struct vat_transport *transport,
	const struct vat_transport_part *part, int64_t position);
/* Whether a value that the new clip says (enum clip_said) is to hold. */
bool clip_takes(const struct clip_player *player, const struct clip_code *old,
	const struct clip_code *new, uint32_t said, bool same);
/* The tempo and the meter that come with a clip; 0: none. */
struct clip_brings {
	uint32_t value[CLIP_BRINGS];
};
struct clip_brings clip_brings(
	const struct clip_player *player, const struct clip_code *old, const struct clip_code *new);
/* How many grains are to be left for the transport to be asked, before the pending splice. */
int64_t clip_ahead_lead(
	const struct clip *clip, const struct vat_transport_part *part, uint32_t rate);
/* Whether the splice that is due has to wait for its next point: the transport is not so yet. */
bool clip_ahead_waits(const struct clip *clip, const struct vat_transport_part *part);
/* What was asked for has come, or its asker is another one now. */
void clip_ahead_forget(const struct clip *clip);
/* The running clip cannot go on at run->grain. */
void clip_fault(struct clip_run *run, const char *why, uint32_t track);
/* The clip in player->running begins at a grain. */
void clip_start(const struct clip *clip, int64_t grain);
/* Do instructions of a track that are due, until one says something (true, *event) or there are no
 * more. */
bool clip_step(struct clip_run *run, uint32_t track, struct clip_event *event);
/* When the track is due, swing and all. */
int64_t clip_due(const struct clip *clip, uint32_t track);
/* The code in a slot number, NULL for none. */
static inline const struct clip_code *clip_slot(const struct clip *clip, uint32_t number) {
	return number && number <= CLIP_SLOTS && clip->codes[number - 1].size
		? &clip->codes[number - 1]
		: NULL;
}
/* Rounded up to a multiple, which is above 0. */
static inline int64_t clip_round_up(int64_t value, int64_t to) {
	int64_t over = value % to;
	return over > 0 ? value + to - over : value - over;
}

/* The first bar line not before a grain, of those whose number `bars` divides. */
static inline int64_t clip_bar_up(
	const struct vat_transport_part *part, int64_t grain, uint32_t bars) {
	int64_t zero = part->bar_zero * CLIP_GRAINS;
	int64_t bar = (int64_t)part->beats_a_bar * CLIP_BEAT_GRAINS;
	return zero + clip_round_up(grain - zero, bar * (bars ? bars : 1));
}

enum clip_note_flags {
	CLIP_NOTE_OFFERED = 1 << 0, /* to the clip that begins now */
	CLIP_NOTE_FOREIGN = 1 << 1, /* of the clip before */
	CLIP_NOTE_FADING = 1 << 2,  /* its fade is still to be told */
};

#endif

/* SPDX-License-Identifier: MIT */
/* The machine that runs the bytecode of clips: one track until it has to wait. */
#include <stdio.h>
#include <string.h>

#include "clip_ops.h"

#define BUDGET_GRAINS (CLIP_BEAT_GRAINS / 4)

/* A word of the code; outside of it everything ends. */
static uint32_t fetch(const struct clip_code *code, uint32_t pc) {
	return pc < code->size ? code->words[pc] : CLIP_OP_END;
}

static int64_t divide_down(int64_t a, int64_t b) {
	return a / b - (a % b < 0);
}

/* Where a place of the straight grid is heard. */
static int64_t swung(const struct clip_code *code, uint32_t index, int64_t began, int64_t grain) {
	int64_t pair = code->swing_grains[index];
	if (code->swing[index] == 50 || pair < 2) {
		return grain;
	}
	int64_t turns = divide_down(grain - began, pair);
	int64_t rest = grain - began - turns * pair;
	int64_t half = pair / 2, later = pair * code->swing[index] / 100;
	rest = rest < half ? rest * later / half
			   : later + (rest - half) * (pair - later) / (pair - half);
	return began + turns * pair + rest;
}

int64_t clip_due(const struct clip *clip, uint32_t index) {
	const struct clip_code *code = clip_slot(clip, clip->player->running);
	const struct clip_track *track = &clip->tracks[index];
	return code ? swung(code, index, track->began, track->grain) : track->grain;
}

/* xorshift: enough for dice. */
static uint32_t roll(struct clip_track *track, uint32_t sides) {
	uint64_t x = track->chance ? track->chance : 1;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	track->chance = x;
	return (uint32_t)(x >> 32) % sides;
}

static int32_t limit(int64_t value, int32_t low, int32_t high) {
	return (int32_t)(value < low ? low : value > high ? high : value);
}

/* One more note begins now, unless one that was offered is it. */
static void note(
	struct clip_run *run, const struct clip_code *code, uint32_t index, const uint32_t *word) {
	struct clip_player *player = run->clip->player;
	struct clip_track *track = &run->clip->tracks[index];
	uint32_t flags = *word >> 8;
	int64_t pitch = word[1] & 0xff;
	if (!(flags & CLIP_NOTE_FIXED)) {
		pitch += track->transpose + player->transpose;
	}
	int64_t velocity = word[1] >> 8 & 0xff;
	if (!(flags & CLIP_NOTE_ABSOLUTE)) {
		velocity += (int64_t)track->velocity - CLIP_VELOCITY_ZERO;
	}
	int64_t end = swung(code, index, track->began, track->grain + word[2]);
	struct clip_note new = {
		.on = run->grain,
		.end = end > run->grain ? end : run->grain + 1,
		.channel = track->channel,
		.pitch = (uint32_t)limit(pitch, 0, 127),
		.velocity =
			(uint32_t)limit(limit(velocity, 1, 127) * player->velocity / 100, 1, 127),
		.sound = track->sound,
		.source = word[3],
	};
	for (uint32_t i = 0; i < CLIP_NOTES; i++) {
		struct clip_note *old = &run->clip->notes[i];
		if (old->id && old->flags & CLIP_NOTE_OFFERED && old->channel == new.channel &&
			old->pitch == new.pitch) {
			old->flags = 0;
			old->end = new.end;
			old->source = new.source;
			return;
		}
	}
	if (run->on_count == CLIP_NOTES) {
		player->notes_stolen++;
		return;
	}
	run->ons[run->on_count++] = new;
}

/* What this track ends here goes on. */
static void tie(
	struct clip_run *run, const struct clip_code *code, uint32_t index, uint32_t grains) {
	struct clip_track *track = &run->clip->tracks[index];
	int64_t end = swung(code, index, track->began, track->grain + grains);
	for (uint32_t i = 0; i < CLIP_NOTES; i++) {
		struct clip_note *old = &run->clip->notes[i];
		if (!old->id || old->channel != track->channel) {
			continue;
		}
		if (old->flags & CLIP_NOTE_OFFERED ||
			(!(old->flags & CLIP_NOTE_FOREIGN) && old->end == run->grain)) {
			old->flags &= ~(uint32_t)(CLIP_NOTE_OFFERED | CLIP_NOTE_FOREIGN);
			old->end = end > run->grain ? end : run->grain + 1;
		}
	}
}

static void loop(struct clip_track *track, const uint32_t *word) {
	if (track->depth == CLIP_DEPTH) {
		track->live = 0;
		return;
	}
	track->loop_pc[track->depth] = track->pc;
	track->loop_left[track->depth] = *word >> 8;
	if (track->depth++ == 0) {
		track->loop_grain = track->grain;
		track->loop_grains = word[1];
	}
}

static void next(struct clip_track *track) {
	if (!track->depth || track->depth > CLIP_DEPTH) {
		track->live = 0;
		return;
	}
	uint32_t *left = &track->loop_left[track->depth - 1];
	if (*left && !--*left) {
		track->depth--;
		return;
	}
	track->pc = track->loop_pc[track->depth - 1];
	if (track->depth == 1) {
		track->loop_grain = track->grain;
	}
}

/* Fill in what events of a track have in common; true. */
static bool say(const struct clip_track *track, struct clip_event *event, enum clip_event_type type,
	uint32_t index, int32_t value) {
	event->type = type;
	event->channel = track->channel;
	event->sound = track->sound;
	event->index = index;
	event->value = value;
	return true;
}

static uint32_t turn_target(struct clip_run *run, struct clip_track *track, const uint32_t *word) {
	uint32_t count = *word >> 8 & ~CLIP_TURN_CHANCE;
	if (!count || count > CLIP_TURN_MAX) {
		return UINT32_MAX;
	}
	uint32_t *turn = &run->clip->player->turns[word[1] % CLIP_TURNS];
	uint32_t which = *word >> 8 & CLIP_TURN_CHANCE ? roll(track, count) : (*turn)++ % count;
	return word[2 + which];
}

/* One instruction; true when it says something. */
static bool execute(struct clip_run *run, const struct clip_code *code, uint32_t index,
	const uint32_t *word, struct clip_event *event) {
	struct clip_player *player = run->clip->player;
	struct clip_track *track = &run->clip->tracks[index];
	uint32_t a = *word >> 8;
	int32_t number = (int32_t)word[1];
	switch (*word & 0xff) {
	case CLIP_OP_NOTE:
		note(run, code, index, word);
		return false;
	case CLIP_OP_WAIT:
		track->grain += word[1] & (CLIP_GRAINS_MAX - 1);
		return false;
	case CLIP_OP_TIE:
		tie(run, code, index, word[1] & (CLIP_GRAINS_MAX - 1));
		return false;
	case CLIP_OP_LOOP:
		loop(track, word);
		return false;
	case CLIP_OP_NEXT:
		next(track);
		return false;
	case CLIP_OP_TURN:
		track->pc = turn_target(run, track, word);
		return false;
	case CLIP_OP_CHANCE:
		if (roll(track, 100) >= a) {
			track->pc = word[1];
		}
		return false;
	case CLIP_OP_JUMP:
		track->pc = word[1];
		return false;
	case CLIP_OP_TRANSPOSE:
		track->transpose = limit((a ? (int64_t)track->transpose : 0) + number,
			-CLIP_SEMITONES_MAX, CLIP_SEMITONES_MAX);
		return false;
	case CLIP_OP_MODULATE:
		player->transpose = limit((a ? (int64_t)player->transpose : 0) + number,
			-CLIP_SEMITONES_MAX, CLIP_SEMITONES_MAX);
		return false;
	case CLIP_OP_VELOCITY:
		track->velocity =
			(uint32_t)limit((a ? (int64_t)track->velocity : 0) + number, 1, 127);
		return false;
	case CLIP_OP_TEMPO:
		player->tempo = word[1];
		return say(track, event, CLIP_TEMPO, 0, number);
	case CLIP_OP_SOUND:
		track->sound = a;
		return say(track, event, CLIP_SOUND, a, 0);
	case CLIP_OP_PARAMETER:
		return say(track, event, CLIP_PARAMETER, a, number);
	case CLIP_OP_MARK:
		if (a >= code->marker_count || a >= CLIP_TRACKS) {
			return false;
		}
		memcpy(event->name, code->markers + (size_t)a * CLIP_NAME, CLIP_NAME - 1);
		event->at =
			divide_down(track->grain + (word[1] & (CLIP_GRAINS_MAX - 1)), CLIP_GRAINS);
		return say(track, event, CLIP_MARK, a, 0);
	default:
		track->live = 0;
		return false;
	}
}

/* Count a step; false: there have been too many in this quarter of a beat. */
static bool count(struct clip_run *run) {
	struct clip_player *player = run->clip->player;
	int64_t from = divide_down(run->grain, BUDGET_GRAINS) * BUDGET_GRAINS;
	if (player->budget_from != from) {
		player->budget_from = from;
		player->budget_used = 0;
	}
	return player->budget_used++ < CLIP_BUDGET;
}

bool clip_step(struct clip_run *run, uint32_t index, struct clip_event *event) {
	const struct clip_code *code = clip_slot(run->clip, run->clip->player->running);
	struct clip_track *track = &run->clip->tracks[index];
	while (code && track->live && clip_due(run->clip, index) <= run->grain) {
		if (!count(run)) {
			char why[100];
			snprintf(why, sizeof(why), "more than %d steps in a quarter of a beat",
				CLIP_BUDGET);
			clip_fault(run, why, index);
			return false;
		}
		/* A copy that ends where the code does: no instruction reads past it. */
		uint32_t words[2 + CLIP_TURN_MAX];
		uint32_t pc = track->pc, size = clip_op_words(fetch(code, pc));
		if (size > CLIP_TURN_MAX + 1) {
			size = 0;
			words[0] = CLIP_OP_END;
		} else {
			for (uint32_t i = 0; i <= size; i++) {
				words[i] = fetch(code, pc + i);
			}
		}
		for (uint32_t i = size + 1; i < 4; i++) {
			words[i] = 0;
		}
		track->pc = pc < code->size ? pc + 1 + size : pc;
		if (execute(run, code, index, words, event)) {
			return true;
		}
	}
	return false;
}

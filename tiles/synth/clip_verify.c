/* SPDX-License-Identifier: MIT */
/* Bytecode and state of clips, looked at before they run: never trust bytes. */
#include <stdio.h>
#include <string.h>

#include "clip_ops.h"

#define NOT_AN_INSTRUCTION 0xffff

uint32_t clip_code_sum(const struct clip_code *code) {
	uint32_t size = code->size <= CLIP_WORDS ? code->size : CLIP_WORDS;
	const char *from = (const char *)&code->track_count;
	uint32_t sum = clip_hash(0, from, (size_t)((const char *)code->words - from));
	return clip_hash(sum, code->words, size * sizeof(code->words[0]));
}

static bool refuse(char *why, size_t size, const char *what, uint32_t where) {
	snprintf(why, size, "not bytecode of clips: %s at word %u", what, where);
	return false;
}

/* A name of at least `least` characters that ends within its place. */
static bool check_name(const char *name, size_t least) {
	size_t length = strnlen(name, CLIP_NAME);
	if (length < least || length == CLIP_NAME) {
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		if (name[i] < ' ' || name[i] > '~') {
			return false;
		}
	}
	return true;
}

/* As vat_name_valid, which tiles do not have. */
static bool check_marker(const char *name) {
	if (name[0] < 'a' || name[0] > 'z' || !check_name(name, 1)) {
		return false;
	}
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static bool check_header(const struct clip_code *code) {
	if (code->track_count > CLIP_TRACKS || code->marker_count > CLIP_TRACKS ||
		code->turn_count > CLIP_TURNS || code->splice_kind > VAT_SPLICE_MARKER ||
		code->splice_bars > 1024 || code->notes > CLIP_INHERIT ||
		code->state > CLIP_STATE_MERGE || !check_name(code->splice_marker, 0)) {
		return false;
	}
	if ((code->said & CLIP_SAID_TEMPO &&
		    (code->tempo < VAT_TEMPO_MIN || code->tempo > VAT_TEMPO_MAX)) ||
		code->transpose < -CLIP_SEMITONES_MAX || code->transpose > CLIP_SEMITONES_MAX ||
		code->velocity > 400 || code->beats_a_bar < 1 || code->beats_a_bar > 64) {
		return false;
	}
	for (uint32_t i = 0; i < code->track_count; i++) {
		if (!check_name(code->tracks + (size_t)i * CLIP_NAME, 1) || code->swing[i] < 1 ||
			code->swing[i] > 99 || code->swing_grains[i] < 2 ||
			code->swing_grains[i] > CLIP_GRAINS_MAX) {
			return false;
		}
	}
	for (uint32_t i = 0; i < code->marker_count; i++) {
		if (!check_marker(code->markers + (size_t)i * CLIP_NAME)) {
			return false;
		}
	}
	return true;
}

/* The words of one instruction, but for its targets. */
static bool check_operands(const struct clip_code *code, const uint32_t *word) {
	uint32_t a = *word >> 8;
	switch (*word & 0xff) {
	case CLIP_OP_NOTE:
		return (word[1] & 0xff) < 128 && word[2] > 0 && word[2] <= CLIP_GRAINS_MAX;
	case CLIP_OP_WAIT:
	case CLIP_OP_TIE:
	case CLIP_OP_LOOP:
		return word[1] > 0 && word[1] <= CLIP_GRAINS_MAX;
	case CLIP_OP_TURN:
		a &= ~CLIP_TURN_CHANCE;
		return a >= 1 && a <= CLIP_TURN_MAX && word[1] < code->turn_count;
	case CLIP_OP_CHANCE:
		return a <= 100;
	case CLIP_OP_TRANSPOSE:
	case CLIP_OP_MODULATE:
		return (int32_t)word[1] >= -CLIP_SEMITONES_MAX &&
			(int32_t)word[1] <= CLIP_SEMITONES_MAX;
	case CLIP_OP_VELOCITY:
		return (int32_t)word[1] >= -127 && (int32_t)word[1] <= 127;
	case CLIP_OP_TEMPO:
		return word[1] >= VAT_TEMPO_MIN && word[1] <= VAT_TEMPO_MAX;
	case CLIP_OP_MARK:
		return a < code->marker_count && word[1] <= CLIP_GRAINS_MAX;
	default:
		return true;
	}
}

/* One track: [from, to). loops[] gets the loop that each instruction lies in. */
static bool check_track(const struct clip_code *code, uint32_t from, uint32_t to, uint16_t *loops,
	char *why, size_t why_size) {
	uint16_t open[CLIP_DEPTH] = {0};
	uint32_t depth = 0, pc = from, last = CLIP_OP_COUNT;
	while (pc < to) {
		uint32_t words = clip_op_words(code->words[pc]);
		if (words == UINT32_MAX || words >= to - pc) {
			return refuse(why, why_size, "no such instruction", pc);
		}
		if (!check_operands(code, code->words + pc)) {
			return refuse(why, why_size, "a number that makes no sense", pc);
		}
		last = code->words[pc] & 0xff;
		loops[pc] = depth ? open[depth - 1] : 0;
		if (last == CLIP_OP_LOOP) {
			if (depth == CLIP_DEPTH) {
				return refuse(why, why_size, "loops too deep in each other", pc);
			}
			open[depth++] = (uint16_t)(pc + 1);
		} else if (last == CLIP_OP_NEXT) {
			if (!depth--) {
				return refuse(why, why_size, "the end of no loop", pc);
			}
		}
		pc += 1 + words;
	}
	if (depth || last != CLIP_OP_END) {
		return refuse(why, why_size, "a track without an end", to);
	}
	return true;
}

static bool check_targets(const struct clip_code *code, uint32_t from, uint32_t to,
	const uint16_t *loops, char *why, size_t why_size) {
	for (uint32_t pc = from; pc < to; pc += 1 + clip_op_words(code->words[pc])) {
		const uint32_t *word = code->words + pc;
		uint32_t op = *word & 0xff;
		uint32_t count = op == CLIP_OP_JUMP || op == CLIP_OP_CHANCE ? 1 : 0;
		const uint32_t *target = word + 1;
		if (op == CLIP_OP_TURN) {
			count = *word >> 8 & ~CLIP_TURN_CHANCE;
			target++;
		}
		for (uint32_t i = 0; i < count; i++) {
			if (target[i] <= pc || target[i] >= to || loops[target[i]] != loops[pc]) {
				return refuse(why, why_size, "a jump to where it may not go", pc);
			}
		}
	}
	return true;
}

bool clip_verify(const struct clip_code *code, char *why, size_t why_size) {
	uint16_t loops[CLIP_WORDS];
	if (code->version != CLIP_CODE_VERSION) {
		snprintf(why, why_size, "bytecode of version %u, not %u", code->version,
			CLIP_CODE_VERSION);
		return false;
	}
	if (code->size < 1 || code->size > CLIP_WORDS || code->sum != clip_code_sum(code)) {
		snprintf(why, why_size, "the bytecode is damaged");
		return false;
	}
	if (!check_header(code)) {
		return refuse(why, why_size, "a beginning that makes no sense", 0);
	}
	memset(loops, 0xff, sizeof(loops));
	for (uint32_t i = 0; i < code->track_count; i++) {
		uint32_t to = i + 1 < code->track_count ? code->entries[i + 1] : code->size;
		if (code->entries[i] >= to || to > code->size) {
			return refuse(why, why_size, "tracks out of order", code->entries[i]);
		}
		if (!check_track(code, code->entries[i], to, loops, why, why_size) ||
			!check_targets(code, code->entries[i], to, loops, why, why_size)) {
			return false;
		}
	}
	return true;
}

#define GRAIN_LIMIT ((int64_t)1 << 55)

static bool check_grain(int64_t grain) {
	return grain > -GRAIN_LIMIT && grain < GRAIN_LIMIT;
}

/* What runs is at a place that exists. */
static bool check_work(const struct clip *clip, const struct clip_code *code) {
	for (uint32_t i = 0; i < code->track_count; i++) {
		const struct clip_track *track = &clip->tracks[i];
		if (!check_grain(track->grain) || !check_grain(track->began) ||
			!check_grain(track->loop_grain) || track->loop_grains > CLIP_GRAINS_MAX ||
			track->pc > code->size || track->depth > CLIP_DEPTH ||
			track->transpose < -CLIP_SEMITONES_MAX ||
			track->transpose > CLIP_SEMITONES_MAX || track->velocity > 127 ||
			track->channel >= CLIP_TRACKS) {
			return false;
		}
	}
	return true;
}

static bool check_player(const struct clip_player *player) {
	return check_grain(player->splice_grain) && check_grain(player->splice_from) &&
		check_grain(player->origin) && check_grain(player->position) &&
		check_grain(player->fade_until) && check_grain(player->budget_from) &&
		player->part_tick > -GRAIN_LIMIT / CLIP_GRAINS &&
		player->part_tick < GRAIN_LIMIT / CLIP_GRAINS && check_grain(player->part_zero) &&
		player->splice_kind <= VAT_SPLICE_MARKER && player->splice_bars <= 1024 &&
		player->transpose >= -CLIP_SEMITONES_MAX &&
		player->transpose <= CLIP_SEMITONES_MAX && player->velocity <= 400;
}

static void end_lines(struct clip_player *player) {
	player->splice_marker[CLIP_NAME - 1] = '\0';
	player->done_text[sizeof(player->done_text) - 1] = '\0';
	player->error_text[sizeof(player->error_text) - 1] = '\0';
}

bool clip_attach(const struct clip *clip) {
	struct clip_player *player = clip->player;
	char why[200];
	bool good = true;
	for (uint32_t i = 0; i < CLIP_SLOTS; i++) {
		struct clip_code *code = &clip->codes[i];
		if (code->size && !clip_verify(code, why, sizeof(why))) {
			good = good && i + 1 != player->running && i + 1 != player->pending;
			memset(code, 0, offsetof(struct clip_code, words));
		}
	}
	end_lines(player);
	/* Whoever asked the transport was another process. */
	memset(player->ahead, 0, sizeof(player->ahead));
	if (!check_player(player)) {
		uint32_t serial = player->serial;
		memset(player, 0, sizeof(*player));
		player->serial = serial;
		good = false;
	}
	for (uint32_t i = 0; i < CLIP_NOTES; i++) {
		struct clip_note *note = &clip->notes[i];
		if (!check_grain(note->on) || (!check_grain(note->end) && note->end != INT64_MIN) ||
			note->id >> 31 || note->channel >= CLIP_TRACKS) {
			memset(note, 0, sizeof(*note));
			good = false;
		}
	}
	uint32_t *const slots[] = {
		&player->running, &player->pending, &player->good, &player->fallback};
	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		if (*slots[i] && !clip_slot(clip, *slots[i])) {
			good = good && i > 1;
			*slots[i] = 0;
		}
	}
	const struct clip_code *code = clip_slot(clip, player->running);
	if (code && !check_work(clip, code)) {
		player->running = 0;
		good = false;
	}
	if (!player->velocity) {
		player->velocity = 100;
	}
	return good;
}

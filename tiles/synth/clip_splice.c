/* SPDX-License-Identifier: MIT */
/* How one clip takes over from another: when, what becomes of what sounds, and of the state. */
#include <stdio.h>
#include <string.h>

#include "clip_ops.h"

#define FADE_GRAINS ((int64_t)CLIP_FADE_TICKS * CLIP_GRAINS)

int64_t clip_splice_tick(const struct clip *clip) {
	const struct clip_player *player = clip->player;
	if (!player->pending || !player->splice_armed) {
		return INT64_MIN;
	}
	int64_t rest = player->splice_grain % CLIP_GRAINS;
	return (player->splice_grain - (rest < 0 ? rest + CLIP_GRAINS : rest)) / CLIP_GRAINS;
}

static void done(struct clip_player *player, uint32_t serial, enum clip_done how, const char *why) {
	player->done_count++;
	player->done_serial = serial;
	player->done = how;
	player->done_released = 0;
	player->done_tick = 0;
	player->done_frame = 0;
	snprintf(player->done_text, sizeof(player->done_text), "%s", why);
}

/* ---- when */

/* The end of the loop that is played, not before `from`; INT64_MIN: there is none. */
static int64_t loop_end(const struct clip *clip, int64_t from) {
	const struct clip_code *code = clip_slot(clip, clip->player->running);
	for (uint32_t i = 0; code && i < code->track_count && i < CLIP_TRACKS; i++) {
		const struct clip_track *track = &clip->tracks[i];
		if (track->live && track->loop_grains) {
			int64_t end = track->loop_grain + track->loop_grains;
			return end >= from ? end
					   : track->loop_grain +
					clip_round_up(from - track->loop_grain, track->loop_grains);
		}
	}
	return INT64_MIN;
}

/* The next place of a marker, not before `from`. False: there is none, *why says so. */
static bool find_marker(const struct vat_transport *transport, const char *name, int64_t from,
	int64_t *grain, char *why, size_t why_size) {
	bool passed = false, found = false;
	uint32_t count = transport->marker_count < VAT_MARKERS_MAX ? transport->marker_count
								   : VAT_MARKERS_MAX;
	for (uint32_t i = 0; i < count; i++) {
		const struct vat_marker *marker = &transport->markers[i];
		if (strncmp(marker->name, name, VAT_MARKER_SIZE) != 0 ||
			marker->tick > INT64_MAX / CLIP_GRAINS ||
			marker->tick < INT64_MIN / CLIP_GRAINS) {
			continue;
		}
		int64_t at = marker->tick * CLIP_GRAINS;
		if (at < from) {
			passed = true;
		} else if (!found || at < *grain) {
			*grain = at;
			found = true;
		}
	}
	if (!found) {
		snprintf(why, why_size,
			passed ? "the marker '%s' is passed: mark it again ahead, or splice at "
				 "@bar"
			       : "there is no marker '%s': mark it, or splice at @bar",
			name);
	}
	return found;
}

/* Where a point is met, not before `from`. False: nowhere, *why says so. */
static bool find_point(const struct clip *clip, const struct vat_transport *transport,
	const struct vat_transport_part *part, int64_t from, int64_t *grain, char *why,
	size_t why_size) {
	const struct clip_player *player = clip->player;
	switch (player->splice_kind) {
	case VAT_SPLICE_NOW:
		*grain = from;
		return true;
	case VAT_SPLICE_BEAT:
		*grain = clip_round_up(from, CLIP_BEAT_GRAINS);
		return true;
	case VAT_SPLICE_PHRASE:
		*grain = clip_bar_up(part, from,
			player->splice_bars ? player->splice_bars : part->bars_a_phrase);
		return true;
	case VAT_SPLICE_MARKER:
		return find_marker(transport, player->splice_marker, from, grain, why, why_size);
	case VAT_SPLICE_LOOP:
		*grain = loop_end(clip, from);
		if (*grain != INT64_MIN) {
			return true;
		}
		[[fallthrough]];
	default:
		*grain = clip_bar_up(part, from, 1);
		return true;
	}
}

void clip_splice_arm(const struct clip *clip, const struct vat_transport *transport,
	const struct vat_transport_part *part, int64_t position) {
	struct clip_player *player = clip->player;
	int64_t grain;
	char why[160];
	player->splice_from = position;
	player->splice_new = 0;
	player->splice_armed = 0;
	if (!find_point(clip, transport, part, position, &grain, why, sizeof(why))) {
		player->pending = 0;
		done(player, player->splice_serial, CLIP_DONE_UNREACHABLE, why);
		return;
	}
	player->splice_grain = grain;
	if (player->splice_kind != VAT_SPLICE_NOW && player->splice_kind != VAT_SPLICE_MARKER) {
		int64_t lead =
			clip_ahead_lead(clip, part, transport->rate ? transport->rate : VAT_RATE);
		if (grain < position + lead) {
			find_point(clip, transport, part, position + lead, &player->splice_grain,
				why, sizeof(why));
		}
	}
	player->splice_armed = part->playing || player->splice_kind == VAT_SPLICE_NOW;
}

/* ---- what becomes of what sounds */

static uint32_t resolve_notes(const struct clip_run *run, uint32_t how) {
	uint32_t released = 0;
	for (uint32_t i = 0; i < CLIP_NOTES; i++) {
		struct clip_note *note = &run->clip->notes[i];
		if (!note->id) {
			continue;
		}
		note->flags |= CLIP_NOTE_FOREIGN;
		if (note->end < run->grain) {
			continue;
		}
		if (how == CLIP_INHERIT) {
			/* Also what ends here: the new clip may go on with it. */
			note->flags |= CLIP_NOTE_OFFERED;
		} else if (note->end == run->grain || how == CLIP_SUSTAIN) {
			continue;
		} else if (how == CLIP_CROSSFADE) {
			note->flags |= CLIP_NOTE_FADING;
			note->end = note->end < run->grain + FADE_GRAINS ? note->end
									 : run->grain + FADE_GRAINS;
			released++;
		} else {
			note->end = run->grain;
			released++;
		}
	}
	return released;
}

/* ---- the state vector */

/* What is not so yet is asked for now, to come as soon as it can. */
static uint32_t still_to_tell(uint32_t wanted, uint32_t asked, uint32_t changed, uint32_t is) {
	return wanted == is && (wanted == asked || wanted == changed) ? 0 : wanted;
}

static void take_state(struct clip_player *player, const struct vat_transport_part *part,
	const struct clip_code *old, const struct clip_code *new) {
	bool reset = player->splice_state == CLIP_STATE_RESET;
	struct clip_brings brings = clip_brings(player, old, new);
	if (clip_takes(player, old, new, CLIP_SAID_TRANSPOSE,
		    old && old->transpose == new->transpose)) {
		player->transpose = new->transpose;
	} else if (reset) {
		player->transpose = 0;
	}
	if (clip_takes(
		    player, old, new, CLIP_SAID_VELOCITY, old && old->velocity == new->velocity)) {
		player->velocity = new->velocity ? new->velocity : 1;
	} else if (reset) {
		player->velocity = 100;
	}
	uint32_t tempo = brings.value[CLIP_BRINGS_TEMPO], beats = brings.value[CLIP_BRINGS_METER];
	if (tempo) {
		player->tempo = new->said &CLIP_SAID_TEMPO ? tempo : 0;
	}
	player->tell_tempo = still_to_tell(tempo, player->ahead[CLIP_BRINGS_TEMPO],
		player->changed[CLIP_BRINGS_TEMPO], part->tempo);
	player->tell_meter = still_to_tell(beats, player->ahead[CLIP_BRINGS_METER],
		player->changed[CLIP_BRINGS_METER], part->beats_a_bar);
}

/* ---- the clip that begins */

/* A channel for each track: that of the track of the same name, or one that is free. */
static void give_channels(const struct clip *clip, const struct clip_code *code) {
	struct clip_player *player = clip->player;
	uint32_t hashes[CLIP_TRACKS], given[CLIP_TRACKS] = {0};
	bool has[CLIP_TRACKS] = {false}, busy[CLIP_TRACKS] = {false};
	for (uint32_t i = 0; i < CLIP_NOTES; i++) {
		if (clip->notes[i].id) {
			busy[clip->notes[i].channel % CLIP_TRACKS] = true;
		}
	}
	for (uint32_t i = 0; i < code->track_count; i++) {
		const char *name = code->tracks + (size_t)i * CLIP_NAME;
		hashes[i] = clip_hash(0, name, strnlen(name, CLIP_NAME));
		for (uint32_t j = 0; j < CLIP_TRACKS; j++) {
			if (player->channels[j] == hashes[i] && !given[j]) {
				given[j] = hashes[i];
				clip->tracks[i].channel = j;
				has[i] = true;
				break;
			}
		}
	}
	for (uint32_t i = 0; i < code->track_count; i++) {
		/* Rather one on which nothing rings any more. */
		for (uint32_t pass = 0; pass < 2 && !has[i]; pass++) {
			for (uint32_t j = 0; j < CLIP_TRACKS && !has[i]; j++) {
				if (!given[j] && (pass || !busy[j])) {
					given[j] = hashes[i];
					clip->tracks[i].channel = j;
					has[i] = true;
				}
			}
		}
	}
	memcpy(player->channels, given, sizeof(given));
}

void clip_start(const struct clip *clip, int64_t grain) {
	struct clip_player *player = clip->player;
	const struct clip_code *code = clip_slot(clip, player->running);
	player->origin = grain;
	player->proven = 0;
	player->budget_from = grain;
	player->budget_used = 0;
	memset(player->turns, 0, sizeof(player->turns));
	if (!code) {
		player->running = 0;
		memset(player->channels, 0, sizeof(player->channels));
		return;
	}
	give_channels(clip, code);
	for (uint32_t i = 0; i < code->track_count; i++) {
		const char *name = code->tracks + (size_t)i * CLIP_NAME;
		uint32_t channel = clip->tracks[i].channel;
		clip->tracks[i] = (struct clip_track){
			.grain = grain,
			.began = grain,
			.live = 1,
			.pc = code->entries[i],
			.velocity = 96,
			.channel = channel,
			.chance =
				((uint64_t)clip_hash(0, name, strnlen(name, CLIP_NAME)) << 32) | 1,
		};
	}
}

void clip_splice_now(struct clip_run *run) {
	const struct clip *clip = run->clip;
	struct clip_player *player = clip->player;
	const struct clip_code *old = clip_slot(clip, player->running);
	const struct clip_code *new = clip_slot(clip, player->pending);
	uint32_t released = resolve_notes(run, player->splice_notes);
	if (new) {
		take_state(player, &run->part, old, new);
	}
	if (old && player->proven) {
		player->good = player->running;
	}
	if (player->splice_notes == CLIP_CROSSFADE) {
		player->fade_until = run->grain + FADE_GRAINS;
	}
	player->running = player->pending;
	player->running_serial = player->splice_serial;
	player->pending = 0;
	player->splice_armed = 0;
	clip_ahead_forget(clip);
	clip_start(clip, run->grain);
	done(player, player->running_serial, CLIP_DONE_SPLICED, "");
	player->done_released = released;
	player->done_tick = run->grain / CLIP_GRAINS - (run->grain % CLIP_GRAINS < 0);
	player->done_frame = run->when;
}

void clip_fault(struct clip_run *run, const char *why, uint32_t index) {
	const struct clip *clip = run->clip;
	struct clip_player *player = clip->player;
	const struct clip_code *code = clip_slot(clip, player->running);
	uint32_t next = player->good;
	const char *then = "the last good clip plays";
	if (!clip_slot(clip, next) || next == player->running) {
		next = player->fallback;
		then = "the fallback plays";
	}
	if (!clip_slot(clip, next) || next == player->running) {
		next = 0;
		then = "there is no other, so it is silent";
	}
	char text[160];
	snprintf(text, sizeof(text), "track %.*s was stopped: %s; %s", CLIP_NAME - 1,
		code ? code->tracks + (size_t)index * CLIP_NAME : "?", why, then);
	run->on_count = 0;
	uint32_t released = resolve_notes(run, CLIP_RELEASE);
	bool at_once = run->grain == player->origin;
	player->faults++;
	done(player, player->running_serial, CLIP_DONE_FAILED, text);
	player->done_released = released;
	player->done_tick = run->grain / CLIP_GRAINS - (run->grain % CLIP_GRAINS < 0);
	player->done_frame = run->when;
	if (player->good == next) {
		player->good = 0;
	}
	player->running = next;
	const struct clip_code *then_plays = clip_slot(clip, next);
	if (then_plays && then_plays->said & CLIP_SAID_TEMPO) {
		player->tell_tempo = player->tempo = then_plays->tempo;
	}
	if (then_plays && then_plays->said & CLIP_SAID_METER) {
		player->tell_meter = then_plays->beats_a_bar;
	}
	clip_start(clip, at_once ? run->grain : clip_round_up(run->grain, CLIP_BEAT_GRAINS));
	player->faulted = 1;
}

/* ---- requests */

/* A slot that nothing is in that could be played. */
static uint32_t free_slot(const struct clip_player *player) {
	uint32_t number = 1;
	while (number == player->running || number == player->good || number == player->fallback ||
		number == player->pending) {
		number++;
	}
	return number <= CLIP_SLOTS ? number : 0;
}

static uint32_t request(
	const struct clip *clip, const struct clip_code *code, const struct clip_options *options) {
	struct clip_player *player = clip->player;
	if (player->pending) {
		uint32_t old = player->splice_serial;
		player->pending = 0;
		done(player, old, CLIP_DONE_SUPERSEDED, "another clip took its place");
	}
	uint32_t slot = free_slot(player);
	if (!slot) {
		slot = player->good;
		player->good = 0;
	}
	struct vat_splice_point point = options->splice;
	if (code->said & CLIP_SAID_SPLICE) {
		point.kind = code->splice_kind;
		point.bars = code->splice_bars;
		memcpy(point.marker, code->splice_marker, sizeof(point.marker));
	}
	memmove(&clip->codes[slot - 1], code, sizeof(*code));
	player->pending = slot;
	player->splice_serial = player->serial;
	player->splice_kind = point.kind;
	player->splice_bars = point.bars;
	memcpy(player->splice_marker, point.marker, sizeof(player->splice_marker));
	player->splice_marker[CLIP_NAME - 1] = '\0';
	uint32_t notes = code->said & CLIP_SAID_NOTES ? code->notes : options->notes;
	uint32_t state = code->said & CLIP_SAID_STATE ? code->state : options->state;
	player->splice_notes = notes ? notes : CLIP_RELEASE;
	player->splice_state = state ? state : CLIP_STATE_INHERIT;
	player->splice_armed = 0;
	player->splice_new = 1;
	player->splice_tries = 0;
	player->ahead_off = 0;
	return player->serial;
}

/* Whether two clips sound the same: where in the text a note stands is not heard, and how a clip
 * comes in does not matter for one that plays. */
static bool sound_same(const struct clip_code *a, const struct clip_code *b) {
	const uint32_t heard =
		CLIP_SAID_TEMPO | CLIP_SAID_TRANSPOSE | CLIP_SAID_VELOCITY | CLIP_SAID_METER;
	if (a->size != b->size || (a->said & heard) != (b->said & heard) || a->tempo != b->tempo ||
		a->transpose != b->transpose || a->velocity != b->velocity ||
		a->beats_a_bar != b->beats_a_bar || a->track_count != b->track_count ||
		a->marker_count != b->marker_count ||
		memcmp(a->entries, b->entries, sizeof(a->entries)) != 0 ||
		memcmp(a->swing, b->swing, sizeof(a->swing)) != 0 ||
		memcmp(a->swing_grains, b->swing_grains, sizeof(a->swing_grains)) != 0 ||
		memcmp(a->tracks, b->tracks, sizeof(a->tracks)) != 0 ||
		memcmp(a->markers, b->markers, sizeof(a->markers)) != 0) {
		return false;
	}
	for (uint32_t pc = 0; pc < a->size;) {
		uint32_t words = 1 + clip_op_words(a->words[pc]);
		bool note = (a->words[pc] & 0xff) == CLIP_OP_NOTE;
		for (uint32_t i = 0; i < words - note && pc + i < a->size; i++) {
			if (a->words[pc + i] != b->words[pc + i]) {
				return false;
			}
		}
		pc += words ? words : 1;
	}
	return true;
}

/* It plays already: it goes on, and what was to take its place does not. */
static bool is_running(const struct clip *clip, const struct clip_code *code) {
	struct clip_player *player = clip->player;
	const struct clip_code *running = clip_slot(clip, player->running);
	if (!running || !sound_same(running, code)) {
		return false;
	}
	/* What rings on of another clip is for the splice to end. */
	for (uint32_t i = 0; i < CLIP_NOTES; i++) {
		if (clip->notes[i].id && clip->notes[i].flags & CLIP_NOTE_FOREIGN) {
			return false;
		}
	}
	if (player->pending) {
		player->pending = 0;
		done(player, player->splice_serial, CLIP_DONE_SUPERSEDED,
			"another clip took its place");
	}
	memcpy(&clip->codes[player->running - 1], code, sizeof(*code));
	done(player, player->serial, CLIP_DONE_SAME, "nothing in it sounds different");
	return true;
}

uint32_t clip_load(const struct clip *clip, const char *text, size_t size,
	const struct clip_vocabulary *vocabulary, const struct clip_options *options,
	struct clip_code *scratch) {
	struct clip_player *player = clip->player;
	struct clip_error error = {.line = 0};
	char why[sizeof(error.text)];
	player->serial++;
	bool good = clip_compile(text, size, vocabulary, scratch, &error);
	if (good && !clip_verify(scratch, why, sizeof(why))) {
		memcpy(error.text, why, sizeof(error.text));
		good = false;
	}
	if (good) {
		player->error_line = player->error_column = 0;
		memset(player->error_text, 0, sizeof(player->error_text));
		return is_running(clip, scratch) ? player->serial : request(clip, scratch, options);
	}
	player->error_line = error.line;
	player->error_column = error.column;
	memset(player->error_text, 0, sizeof(player->error_text));
	snprintf(player->error_text, sizeof(player->error_text), "%s", error.text);
	done(player, player->serial, CLIP_DONE_REFUSED, "the text has an error");
	uint32_t serial = player->serial;
	if (options->on_error == CLIP_STOP && clip_compile("", 0, vocabulary, scratch, &error)) {
		request(clip, scratch, options);
	} else if (options->on_error == CLIP_FALLBACK && clip_slot(clip, player->fallback)) {
		request(clip, &clip->codes[player->fallback - 1], options);
	} else {
		return serial;
	}
	player->done_serial = serial;
	player->done = CLIP_DONE_REFUSED;
	snprintf(player->done_text, sizeof(player->done_text), "the text has an error");
	return serial;
}

bool clip_set_fallback(const struct clip *clip, const char *text, size_t size,
	const struct clip_vocabulary *vocabulary, struct clip_code *scratch,
	struct clip_error *error) {
	struct clip_player *player = clip->player;
	if (!clip_compile(text, size, vocabulary, scratch, error)) {
		return false;
	}
	const struct clip_code *old = clip_slot(clip, player->fallback);
	if (old && old->sum == scratch->sum && old->size == scratch->size) {
		return true;
	}
	/* While it plays, the place that it is in stays as it is. */
	uint32_t slot = player->fallback && player->fallback != player->running ? player->fallback
										: free_slot(player);
	if (!slot) {
		slot = player->good;
		player->good = 0;
	}
	memcpy(&clip->codes[slot - 1], scratch, sizeof(*scratch));
	player->fallback = slot;
	return true;
}

void clip_nudge(const struct clip *clip, int32_t semitones, int32_t velocity) {
	struct clip_player *player = clip->player;
	int64_t transpose = (int64_t)player->transpose + semitones;
	int64_t loud = (int64_t)player->velocity + velocity;
	player->transpose = (int32_t)(transpose < -CLIP_SEMITONES_MAX ? -CLIP_SEMITONES_MAX
			: transpose > CLIP_SEMITONES_MAX	      ? CLIP_SEMITONES_MAX
								      : transpose);
	player->velocity = (uint32_t)(loud < 1 ? 1 : loud > 400 ? 400 : loud);
}

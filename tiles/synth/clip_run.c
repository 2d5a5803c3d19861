/* SPDX-License-Identifier: MIT */
/*
 * The sequencer: what happens in one slice, event by event.
 *
 * It goes from moment to moment. At each, in this order: a splice; the tracks, whose notes are put
 * by until the end; the notes that end, unless a tie went on with them; the notes that begin.
 */
#include <string.h>

#include "clip_ops.h"

enum phase {
	PHASE_MOVE = 0,
	PHASE_AHEAD,
	PHASE_FADES,
	PHASE_TELL,
	PHASE_TRACKS,
	PHASE_OFFS,
	PHASE_ONS,
	PHASE_OVER,
};

#define TICK_LIMIT ((int64_t)1 << 42)
/* A gap of frames up to which the clip is followed, unheard; after a longer one it begins again. */
#define GAP_GRAINS (64 * (int64_t)CLIP_BEAT_GRAINS)

static uint32_t between(uint32_t value, uint32_t low, uint32_t high, uint32_t otherwise) {
	return value < low || value > high ? otherwise : value;
}

/* The first grain of which the frame is not before one. */
static int64_t grain_from(const struct vat_transport_part *part, uint32_t rate, uint64_t frame) {
	if (!part->playing || frame <= part->frame) {
		return part->tick * CLIP_GRAINS;
	}
	return clip_part_grain(part, rate, frame - 1) + 1;
}

static uint32_t rate_of(const struct clip_run *run) {
	return run->transport->rate ? run->transport->rate : VAT_RATE;
}

/* All that sounds ends with the slice's first frame. */
static void end_all(const struct clip *clip) {
	for (uint32_t i = 0; i < CLIP_NOTES; i++) {
		if (clip->notes[i].id) {
			clip->notes[i].end = INT64_MIN;
			clip->notes[i].flags = CLIP_NOTE_FOREIGN;
		}
	}
}

/* Somebody moved the transport: what runs begins again at the next bar. */
static void moved(const struct clip_run *run, int64_t position) {
	struct clip_player *player = run->clip->player;
	end_all(run->clip);
	player->fade_until = position;
	if (player->running) {
		clip_start(run->clip, clip_bar_up(&run->part, position, 1));
	}
	player->splice_new = 1;
	/* What was asked for was for a tick of where it came from. */
	memset(player->ahead, 0, sizeof(player->ahead));
}

/* Compare the transport with what it was in the last slice. */
static void follow(struct clip_run *run) {
	struct clip_player *player = run->clip->player;
	const struct vat_transport_part *part = &run->part;
	struct vat_transport_part old = {
		.frame = player->part_frame,
		.tick = player->part_tick,
		.tempo = between(player->part_tempo, VAT_TEMPO_MIN, VAT_TEMPO_MAX, VAT_TEMPO),
		.playing = player->part_playing,
	};
	int64_t position = grain_from(part, rate_of(run), run->frame);
	if (!player->started) {
		player->started = 1;
		moved(run, position);
	} else {
		bool changed = old.frame != part->frame || old.tick != part->tick ||
			old.tempo != part->tempo || !old.playing != !part->playing;
		int64_t meant = clip_part_grain(&old, rate_of(run), part->frame);
		int64_t off = part->tick * CLIP_GRAINS - meant;
		int64_t gap = position - player->position;
		if ((changed && (off > 2 * CLIP_GRAINS || off < -2 * CLIP_GRAINS)) ||
			gap > GAP_GRAINS || gap < -GAP_GRAINS) {
			moved(run, position);
		} else if (position < player->position) {
			/* What was rendered already is not played again. */
			position = player->position;
		}
		if (player->part_playing && !part->playing) {
			end_all(run->clip);
		}
		if (changed || player->part_bar != part->beats_a_bar ||
			player->part_zero != part->bar_zero ||
			player->part_phrase != part->bars_a_phrase) {
			player->splice_new = 1;
		}
	}
	player->position = position;
	player->part_frame = part->frame;
	player->part_tick = part->tick;
	player->part_tempo = part->tempo;
	player->part_bar = part->beats_a_bar;
	player->part_zero = part->bar_zero;
	player->part_phrase = part->bars_a_phrase;
	player->part_playing = part->playing;
}

void clip_begin(struct clip_run *run, const struct clip *clip,
	const struct vat_transport *transport, uint64_t frame, uint32_t frames) {
	struct clip_player *player = clip->player;
	const struct vat_transport_part *part = vat_transport_at(transport, frame);
	*run = (struct clip_run){
		.clip = clip,
		.transport = transport,
		.part = *part,
		.frame = frame,
		.end = frame + frames,
		.when = frame,
		.phase = PHASE_AHEAD,
	};
	run->part.tempo = between(part->tempo, VAT_TEMPO_MIN, VAT_TEMPO_MAX, VAT_TEMPO);
	run->part.beats_a_bar = between(part->beats_a_bar, 1, 64, 4);
	run->part.bars_a_phrase = between(part->bars_a_phrase, 1, 1024, 4);
	if (part->tick > TICK_LIMIT || part->tick < -TICK_LIMIT) {
		run->part.tick = 0;
	}
	if (part->bar_zero > TICK_LIMIT || part->bar_zero < -TICK_LIMIT) {
		run->part.bar_zero = 0;
	}
	follow(run);
	if (player->pending &&
		(player->splice_new || !player->splice_armed ||
			player->splice_kind == VAT_SPLICE_MARKER)) {
		clip_splice_arm(clip, transport, &run->part, player->position);
	}
	run->grain = player->position;
}

/* ---- the events of one moment */

static bool say(struct clip_run *run, struct clip_event *event, enum clip_event_type type) {
	int64_t rest = run->grain % CLIP_GRAINS;
	event->type = type;
	event->frame = run->when;
	event->tick = run->grain / CLIP_GRAINS - (rest < 0);
	return true;
}

static bool say_note(struct clip_run *run, struct clip_event *event, enum clip_event_type type,
	const struct clip_note *note) {
	event->note = note->id;
	event->channel = note->channel;
	event->pitch = note->pitch;
	event->velocity = note->velocity;
	event->sound = note->sound;
	event->source = note->source;
	event->at = note->end == INT64_MIN ? 0 : note->end / CLIP_GRAINS;
	event->gain = event->gain_to = 1;
	return say(run, event, type);
}

/* Frames that a number of grains takes, at the tempo of now. */
static uint32_t frames_of(const struct clip_run *run, int64_t grains) {
	struct vat_transport_part part = {.tempo = run->part.tempo, .playing = 1};
	uint64_t frames = clip_part_frame(&part, rate_of(run), grains);
	return frames > UINT32_MAX ? UINT32_MAX : (uint32_t)frames;
}

static bool end_note(struct clip_run *run, struct clip_event *event, struct clip_note *note) {
	say_note(run, event, CLIP_NOTE_OFF, note);
	memset(note, 0, sizeof(*note));
	run->clip->player->notes_off++;
	return true;
}

/* A place for a note that begins; when there is none, the oldest is ended first: *event, true. */
static bool make_place(struct clip_run *run, struct clip_event *event, struct clip_note **place) {
	struct clip_note *oldest = NULL;
	for (uint32_t i = 0; i < CLIP_NOTES; i++) {
		struct clip_note *note = &run->clip->notes[i];
		if (!note->id) {
			*place = note;
			return false;
		}
		if (!oldest || note->on < oldest->on) {
			oldest = note;
		}
	}
	run->clip->player->notes_stolen++;
	return end_note(run, event, oldest);
}

/* The next note that begins; false: that was all. */
static bool begin_note(struct clip_run *run, struct clip_event *event) {
	struct clip_player *player = run->clip->player;
	struct clip_note *note = NULL;
	if (run->late || run->at >= run->on_count) {
		return false;
	}
	if (make_place(run, event, &note)) {
		return true;
	}
	*note = run->ons[run->at++];
	player->note_serial = (player->note_serial & 0x7fffffff) + 1;
	if (player->note_serial >> 31) {
		player->note_serial = 1;
	}
	note->id = player->note_serial;
	note->flags = 0;
	player->notes_on++;
	say_note(run, event, CLIP_NOTE_ON, note);
	int64_t fade = (int64_t)CLIP_FADE_TICKS * CLIP_GRAINS,
		left = player->fade_until - run->grain;
	if (left > 0 && left <= fade) {
		event->gain = (float)(fade - left) / (float)fade;
		event->fade_frames = frames_of(run, left);
	}
	return true;
}

static bool next_fade(struct clip_run *run, struct clip_event *event) {
	while (run->at < CLIP_NOTES) {
		struct clip_note *note = &run->clip->notes[run->at++];
		if (note->id && note->flags & CLIP_NOTE_FADING) {
			note->flags &= ~(uint32_t)CLIP_NOTE_FADING;
			say_note(run, event, CLIP_NOTE_FADE, note);
			event->gain_to = 0;
			event->fade_frames = frames_of(run, (int64_t)CLIP_FADE_TICKS * CLIP_GRAINS);
			return true;
		}
	}
	return false;
}

static bool tell(struct clip_run *run, struct clip_event *event) {
	struct clip_player *player = run->clip->player;
	if (player->tell_tempo) {
		event->value = (int32_t)player->tell_tempo;
		player->tell_tempo = 0;
		return say(run, event, CLIP_TEMPO);
	}
	if (player->tell_meter) {
		event->value = (int32_t)player->tell_meter;
		player->tell_meter = 0;
		return say(run, event, CLIP_METER);
	}
	return false;
}

static bool step_tracks(struct clip_run *run, struct clip_event *event) {
	struct clip_player *player = run->clip->player;
	for (;;) {
		const struct clip_code *code = clip_slot(run->clip, player->running);
		if (!code || run->at >= code->track_count || run->at >= CLIP_TRACKS) {
			return false;
		}
		bool said = clip_step(run, run->at, event);
		if (player->faulted) {
			player->faulted = 0;
			run->at = 0;
			event->serial = player->done_serial;
			return say(run, event, CLIP_FAULT);
		}
		if (said) {
			return say(run, event, event->type);
		}
		run->at++;
	}
}

/* What was offered to the new clip, and it did not take: it ends. */
static void end_offered(struct clip_run *run) {
	for (uint32_t i = 0; i < CLIP_NOTES; i++) {
		struct clip_note *note = &run->clip->notes[i];
		if (!note->id || !(note->flags & CLIP_NOTE_OFFERED)) {
			continue;
		}
		note->flags &= ~(uint32_t)CLIP_NOTE_OFFERED;
		if (note->end > run->grain) {
			note->end = run->grain;
			run->clip->player->done_released++;
		}
	}
}

static bool next_off(struct clip_run *run, struct clip_event *event) {
	while (run->at < CLIP_NOTES) {
		struct clip_note *note = &run->clip->notes[run->at++];
		if (note->id && note->end <= run->grain) {
			return end_note(run, event, note);
		}
	}
	return false;
}

/* ---- from moment to moment */

/* The grain at which something happens next. */
static int64_t next_grain(const struct clip_run *run) {
	const struct clip *clip = run->clip;
	const struct clip_player *player = clip->player;
	const struct clip_code *code = clip_slot(clip, player->running);
	int64_t grain = INT64_MAX;
	if (player->pending && player->splice_armed) {
		grain = player->splice_grain;
	}
	for (uint32_t i = 0; i < CLIP_NOTES; i++) {
		if (clip->notes[i].id && clip->notes[i].end < grain) {
			grain = clip->notes[i].end;
		}
	}
	for (uint32_t i = 0; code && run->part.playing && i < code->track_count; i++) {
		if (clip->tracks[i].live && clip_due(clip, i) < grain) {
			grain = clip_due(clip, i);
		}
	}
	return grain;
}

static void finish(struct clip_run *run) {
	struct clip_player *player = run->clip->player;
	int64_t position = grain_from(&run->part, rate_of(run), run->end);
	player->position = position > player->position ? position : player->position;
	player->next_frame = run->end;
	run->phase = PHASE_OVER;
}

/* Go on to the next moment; false: it is not in this slice. */
static bool move(struct clip_run *run) {
	struct clip_player *player = run->clip->player;
	int64_t grain = next_grain(run);
	uint64_t frame = run->frame;
	bool now = grain == INT64_MIN ||
		(player->pending && player->splice_armed && player->splice_kind == VAT_SPLICE_NOW);
	if (grain == INT64_MAX) {
		return false;
	}
	if (!now) {
		frame = clip_part_frame(&run->part, rate_of(run), grain);
	}
	if (frame >= run->end) {
		return false;
	}
	run->late = frame < run->frame;
	run->when = frame > run->when ? frame : run->when;
	/* What ends at once is of the time before. */
	run->grain = grain == INT64_MIN ? player->position - 1 : grain;
	run->on_count = 0;
	int64_t bar = (int64_t)run->part.beats_a_bar * CLIP_BEAT_GRAINS;
	if (player->running && run->grain >= player->origin + bar) {
		player->proven = 1;
	}
	return true;
}

static void enter(struct clip_run *run, enum phase phase) {
	run->phase = phase;
	run->at = 0;
}

bool clip_next(struct clip_run *run, struct clip_event *event) {
	struct clip_player *player = run->clip->player;
	*event = (struct clip_event){.type = 0};
	for (;;) {
		switch ((enum phase)run->phase) {
		case PHASE_AHEAD:
			if (clip_ahead(run->clip, &run->part, event)) {
				event->frame = run->when;
				event->tick = run->grain / CLIP_GRAINS;
				return true;
			}
			enter(run, PHASE_MOVE);
			break;
		case PHASE_MOVE:
			if (!move(run)) {
				finish(run);
				return false;
			}
			if (player->pending && player->splice_armed &&
				player->splice_grain <= run->grain) {
				if (clip_ahead_waits(run->clip, &run->part)) {
					clip_splice_arm(run->clip, run->transport, &run->part,
						player->splice_grain + 1);
					enter(run, PHASE_AHEAD);
					break;
				}
				clip_splice_now(run);
				enter(run, PHASE_FADES);
				event->serial = player->done_serial;
				return say(run, event, CLIP_SPLICED);
			}
			enter(run, PHASE_TELL);
			break;
		case PHASE_FADES:
			if (next_fade(run, event)) {
				return true;
			}
			enter(run, PHASE_TELL);
			break;
		case PHASE_TELL:
			if (tell(run, event)) {
				return true;
			}
			enter(run, PHASE_TRACKS);
			break;
		case PHASE_TRACKS:
			if (run->part.playing && step_tracks(run, event)) {
				return true;
			}
			end_offered(run);
			enter(run, PHASE_OFFS);
			break;
		case PHASE_OFFS:
			if (next_off(run, event)) {
				return true;
			}
			enter(run, PHASE_ONS);
			break;
		case PHASE_ONS:
			if (begin_note(run, event)) {
				return true;
			}
			enter(run, PHASE_MOVE);
			break;
		default:
			return false;
		}
	}
}

/* SPDX-License-Identifier: MIT */
/* The notes of the near future: a copy of the player plays them, a frame a grain. */
#include <string.h>

#include "clip_ops.h"

/* Tempo and rate at which a frame is a grain. */
#define LOOK_RATE (CLIP_BEAT_GRAINS / 60 * 1000)

static double ticks(int64_t grain) {
	return (double)grain / CLIP_GRAINS;
}

static struct clip_seen seen_note(const struct clip_note *note, bool sounds) {
	return (struct clip_seen){
		.tick = ticks(note->on),
		.end = ticks(note->end),
		.note = note->id,
		.channel = note->channel,
		.pitch = note->pitch,
		.velocity = note->velocity,
		.sound = note->sound,
		.source = note->source,
		.sounds = sounds,
	};
}

/* A tie may have made it longer than it was to be. */
static void set_end(struct clip_seen *seen, uint32_t count, uint32_t id, double end) {
	for (uint32_t i = count; i > 0; i--) {
		if (seen[i - 1].note == id) {
			seen[i - 1].end = end;
			return;
		}
	}
}

uint32_t clip_look(const struct clip *clip, uint32_t length, struct clip_look *scratch,
	struct clip_seen *seen, uint32_t max) {
	struct clip copy = {
		.player = &scratch->player,
		.codes = clip->codes,
		.tracks = scratch->tracks,
		.notes = scratch->notes,
	};
	uint32_t count = 0;
	scratch->player = *clip->player;
	memcpy(scratch->tracks, clip->tracks, sizeof(scratch->tracks));
	memcpy(scratch->notes, clip->notes, sizeof(scratch->notes));
	scratch->player.pending = 0;
	scratch->player.ahead_off = 1;
	for (uint32_t i = 0; i < CLIP_NOTES && count < max; i++) {
		if (scratch->notes[i].id && scratch->notes[i].end != INT64_MIN) {
			seen[count++] = seen_note(&scratch->notes[i], true);
		}
	}
	uint64_t ahead = (uint64_t)length * CLIP_GRAINS;
	int64_t position = scratch->player.position;
	struct vat_transport transport = {.rate = LOOK_RATE};
	transport.parts[0] = transport.parts[1] = (struct vat_transport_part){
		.tick = position / CLIP_GRAINS,
		.tempo = VAT_TEMPO_MAX,
		.beats_a_bar = clip->player->part_bar,
		.bars_a_phrase = clip->player->part_phrase,
		.bar_zero = clip->player->part_zero,
		.playing = 1,
	};
	/* The transport of the copy has always been this one. */
	scratch->player.part_frame = 0;
	scratch->player.part_tick = transport.parts[0].tick;
	scratch->player.part_tempo = VAT_TEMPO_MAX;
	scratch->player.part_playing = 1;
	scratch->player.started = 1;
	struct clip_event event;
	uint64_t first = (uint64_t)(position - transport.parts[0].tick * CLIP_GRAINS);
	clip_begin(&scratch->run, &copy, &transport, position < 0 ? 0 : first,
		(uint32_t)(ahead < UINT32_MAX ? ahead : UINT32_MAX));
	while (clip_next(&scratch->run, &event)) {
		if (event.type == CLIP_NOTE_OFF) {
			set_end(seen, count, event.note, ticks(scratch->run.grain));
		} else if (event.type == CLIP_NOTE_ON && count < max) {
			for (uint32_t i = 0; i < CLIP_NOTES; i++) {
				if (scratch->notes[i].id == event.note) {
					seen[count++] = seen_note(&scratch->notes[i], false);
				}
			}
		}
	}
	for (uint32_t i = 0; i < CLIP_NOTES; i++) {
		if (scratch->notes[i].id) {
			set_end(seen, count, scratch->notes[i].id, ticks(scratch->notes[i].end));
		}
	}
	return count;
}

const char *clip_channel_name(const struct clip *clip, uint32_t channel) {
	const struct clip_code *code = clip_slot(clip, clip->player->running);
	for (uint32_t i = 0; code && i < code->track_count && i < CLIP_TRACKS; i++) {
		if (clip->tracks[i].channel == channel) {
			return code->tracks + (size_t)i * CLIP_NAME;
		}
	}
	return "";
}

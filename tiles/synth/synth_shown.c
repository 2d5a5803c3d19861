/* SPDX-License-Identifier: MIT */
/* What is to be seen, as it is at one moment. */
#include <stdio.h>
#include <string.h>

#include "synth.h"

#define PICTURE_NS 33333333ull
#define FRESH_NS 4000000000ull
#define BEHIND (1.5 * VAT_PPQ) /* what is shown of the past, ticks */
#define AHEAD (8 * VAT_PPQ)

/* The tick that is heard, with its fraction. */
static double head_of(const struct tile *tile) {
	const struct vat_transport_part *part = vat_transport_at(tile->transport, tile->frame);
	if (!part->playing || tile->frame < part->frame) {
		return (double)part->tick;
	}
	double rate = tile->transport->rate ? (double)tile->transport->rate : VAT_RATE;
	return (double)part->tick +
		(double)(tile->frame - part->frame) * part->tempo * VAT_PPQ / (rate * 60000);
}

static void add_note(
	struct shown *shown, double from, double to, uint32_t channel, uint32_t pitch) {
	if (shown->note_count < SHOWN_NOTES && to > shown->head - BEHIND &&
		from < shown->head + AHEAD) {
		uint32_t at = shown->note_count++;
		shown->from[at] = (float)(from - shown->head);
		shown->to[at] = (float)(to - shown->head);
		shown->channel[at] = channel % SYNTH_CHANNELS;
		shown->pitch[at] = pitch & 127;
		shown->lit[at] = from <= shown->head && to > shown->head;
	}
}

static void take_notes(struct player *player, struct shown *shown) {
	const struct score *score = score_of(player);
	for (uint32_t i = 0; i < SCORE_NOTES; i++) {
		if (score->to[i] > score->from[i]) {
			add_note(shown, score->from[i], score->to[i], score->channel[i],
				score->pitch[i]);
		}
	}
	uint32_t count = clip_look(&player->clip, AHEAD, &player->look, player->seen, SHOWN_NOTES);
	for (uint32_t i = 0; i < count; i++) {
		const struct clip_seen *seen = &player->seen[i];
		/* Those that sound stand in the score already. */
		if (!seen->sounds) {
			add_note(shown, seen->tick, seen->end, seen->channel, seen->pitch);
		}
	}
}

static void take_sound(const struct player *player, struct shown *shown) {
	const struct synth_group *groups = player->synth.groups;
	for (int i = 0; i < SYNTH_VOICES; i++) {
		const struct synth_group *group = &groups[i / LANES];
		int lane = i % LANES;
		if (group->stage[0][lane] != SYNTH_FREE) {
			shown->voices++;
		}
		if (group->stage[0][lane] == SYNTH_HELD) {
			uint32_t pitch = (uint32_t)group->pitch[0][lane] & 127;
			shown->sounding[pitch] = 1 + group->channel[0][lane] % SYNTH_CHANNELS;
		}
	}
	for (int side = 0; side < 2; side++) {
		shown->peak[side] = player->synth.mix->peak[side];
	}
	struct tile_sound_status status;
	if (player->tile->host->sound_status(player->tile, 0, &status)) {
		shown->connected = status.connected;
		shown->late = status.late;
	}
	for (uint32_t channel = 0; channel < CLIP_TRACKS; channel++) {
		snprintf(shown->names + (size_t)channel * CLIP_NAME, CLIP_NAME, "%s",
			clip_channel_name(&player->clip, channel));
	}
}

static const char *point_name(const struct clip_player *clip, char text[48]) {
	static const char *const names[] = {"now", "@beat", "@bar", "@phrase", "@loop", "@marker"};
	if (clip->splice_kind == VAT_SPLICE_MARKER) {
		snprintf(text, 48, "@marker(%.*s)", CLIP_NAME, clip->splice_marker);
	} else {
		snprintf(text, 48, "%s", clip->splice_kind < 6 ? names[clip->splice_kind] : "");
	}
	return text;
}

/* Bars and beats from 1, as musicians count. */
static void say_place(
	char *text, size_t size, int64_t tick, const struct vat_transport_part *part) {
	int64_t behind, number = vat_part_bar(part, tick, &behind);
	snprintf(text, size, "%lld.%lld", (long long)number + 1, (long long)(behind / VAT_PPQ) + 1);
}

/* The result of a splice, for those who look at the log; errors stand there already. */
static void log_done(struct player *player) {
	const struct clip_player *clip = player->clip.player;
	if (clip->done == CLIP_DONE_SPLICED) {
		char place[48];
		say_place(place, sizeof(place), clip->done_tick,
			vat_transport_at(player->tile->transport, clip->done_frame));
		tile_log(player->tile, 2, "clip since %s: tick %lld, frame %llu, %u notes released",
			place, (long long)clip->done_tick, (unsigned long long)clip->done_frame,
			clip->done_released);
	} else if (clip->done == CLIP_DONE_UNREACHABLE) {
		tile_log(player->tile, 1, "clip: %.160s", clip->done_text);
	}
}

static void take_splice(struct player *player, struct shown *shown) {
	const struct clip_player *clip = player->clip.player;
	struct score *score = score_of(player);
	const struct tile *tile = player->tile;
	if (clip->pending) {
		int64_t tick = clip_splice_tick(&player->clip);
		shown->splice_pending = 1;
		shown->splice_known = tick != INT64_MIN;
		shown->splice = shown->splice_known ? (double)tick : 0;
		point_name(clip, shown->splice_text);
	}
	if (clip->done_count != score->splices) {
		score->splices = clip->done_count;
		score->splice_ns = tile->time->now_ns + 1;
		log_done(player);
	}
	shown->done_tick = (double)clip->done_tick;
	/* One that another took the place of is no news: that one waits. */
	shown->done_fresh = clip->done != CLIP_DONE_SUPERSEDED && score->splice_ns > 0 &&
		tile->time->now_ns < score->splice_ns + FRESH_NS;
	shown->done_bad = clip->done != CLIP_DONE_SPLICED && clip->done != CLIP_DONE_SAME;
	if (!shown->done_fresh) {
		return;
	}
	char place[48];
	say_place(place, sizeof(place), clip->done_tick,
		vat_transport_at(tile->transport, clip->done_frame));
	if (clip->done == CLIP_DONE_SPLICED) {
		snprintf(shown->done, sizeof(shown->done),
			clip->done_released == 1 ? "new clip since %s, %u note released"
						 : "new clip since %s, %u notes released",
			place, clip->done_released);
	} else {
		snprintf(shown->done, sizeof(shown->done), "%.150s", clip->done_text);
	}
}

static void take_error(struct player *player, struct shown *shown) {
	const struct clip_player *clip = player->clip.player;
	if (text_of(player)->why[0]) {
		snprintf(shown->error, sizeof(shown->error), "%.200s", text_of(player)->why);
	} else if (clip->error_line) {
		snprintf(shown->error, sizeof(shown->error), "%u:%u: %.200s", clip->error_line,
			clip->error_column, clip->error_text);
	}
}

static void take(struct player *player, struct shown *shown) {
	const struct tile *tile = player->tile;
	const struct vat_transport_part *part = vat_transport_at(tile->transport, tile->frame);
	const struct keys *keys = keys_of(player);
	memset(shown, 0, sizeof(*shown));
	shown->playing = part->playing;
	shown->tempo = part->tempo;
	shown->beats_a_bar = part->beats_a_bar ? part->beats_a_bar : 4;
	shown->bar_zero = part->bar_zero;
	shown->head = head_of(tile);
	shown->octave = keys->octave;
	shown->sound = keys->sound;
	shown->hold = keys->hold;
	shown->volume = keys->volume;
	take_notes(player, shown);
	take_sound(player, shown);
	take_splice(player, shown);
	take_error(player, shown);
}

bool shown_take(struct player *player) {
	struct tile *tile = player->tile;
	struct shown *shown = shown_of(player), *taken = &player->taken;
	take(player, taken);
	taken->next_ns = shown->next_ns;
	bool fresh = tile->cell_fresh[CELL_SHOWN];
	/* What lies between the fields is zero in both. */
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
	if (fresh || memcmp(taken, shown, sizeof(*shown)) != 0) {
		memcpy(shown, taken, sizeof(*shown));
		tile->host->damage(tile, 0, 0, tile->width, tile->height);
	}
	shown->next_ns = tile->time->now_ns + PICTURE_NS;
	return shown->playing || shown->done_fresh || !synth_silent(&player->synth);
}

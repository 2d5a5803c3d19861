/* SPDX-License-Identifier: MIT */
/*
 * The tempo and the meter that a clip brings: asked for before it begins, so that they hold from
 * the tick of the splice on, and taken back when it does not come.
 *
 * A splice that could not be in time with them waits for its next point. Where the transport stands
 * still and nothing would play before the splice, they are asked for at once.
 */
#include <string.h>

#include "clip_ops.h"

/* What is rendered ahead and on its way, with room for the question to get there. */
#define LEAD_FRAMES 6144
/* Points that a splice lets pass for the transport's sake; then it goes without. */
#define TRIES 4

/* Whether a value that the new clip says is to hold. */
bool clip_takes(const struct clip_player *player, const struct clip_code *old,
	const struct clip_code *new, uint32_t said, bool same) {
	if (!(new->said &said)) {
		return false;
	}
	return player->splice_state != CLIP_STATE_INHERIT || !old || !(old->said & said) || !same;
}

struct clip_brings clip_brings(const struct clip_player *player, const struct clip_code *old,
	const struct clip_code *new) {
	struct clip_brings brings = {0};
	if (clip_takes(player, old, new, CLIP_SAID_TEMPO, old && old->tempo == new->tempo)) {
		brings.value[CLIP_BRINGS_TEMPO] = new->tempo;
	} else if (player->splice_state == CLIP_STATE_RESET && player->tempo) {
		brings.value[CLIP_BRINGS_TEMPO] = VAT_TEMPO;
	}
	if (clip_takes(player, old, new, CLIP_SAID_METER,
		    old && old->beats_a_bar == new->beats_a_bar)) {
		brings.value[CLIP_BRINGS_METER] = new->beats_a_bar;
	}
	return brings;
}

/* Of the clip that is pending. */
static struct clip_brings pending_brings(const struct clip *clip) {
	const struct clip_code *new = clip_slot(clip, clip->player->pending);
	return new ? clip_brings(clip->player, clip_slot(clip, clip->player->running), new)
		   : (struct clip_brings){0};
}

static uint32_t value_of(const struct vat_transport_part *part, int which) {
	return which == CLIP_BRINGS_TEMPO ? part->tempo : part->beats_a_bar;
}

/* Whether all that is missing has been asked for from that tick on. */
static bool is_asked(const struct clip_player *player, struct clip_brings brings,
	const struct vat_transport_part *part, int64_t tick) {
	for (int i = 0; i < CLIP_BRINGS; i++) {
		if (brings.value[i] && brings.value[i] != value_of(part, i) &&
			(brings.value[i] != player->ahead[i] || player->ahead_tick[i] != tick)) {
			return false;
		}
	}
	return true;
}

static bool is_so(const struct clip *clip, const struct vat_transport_part *part) {
	struct clip_brings brings = pending_brings(clip);
	for (int i = 0; i < CLIP_BRINGS; i++) {
		if (brings.value[i] && brings.value[i] != value_of(part, i)) {
			return false;
		}
	}
	return true;
}

/* The first whole tick of the splice: a part of the transport begins with one. */
static int64_t splice_tick(const struct clip_player *player) {
	int64_t rest = player->splice_grain % CLIP_GRAINS;
	return player->splice_grain / CLIP_GRAINS + (rest > 0);
}

int64_t clip_ahead_lead(
	const struct clip *clip, const struct vat_transport_part *part, uint32_t rate) {
	const struct clip_player *player = clip->player;
	if (!part->playing || player->ahead_off || is_so(clip, part) ||
		is_asked(player, pending_brings(clip), part, splice_tick(player))) {
		return 0;
	}
	struct vat_transport_part from_here = {.tempo = part->tempo, .playing = 1};
	return clip_part_grain(&from_here, rate, LEAD_FRAMES);
}

bool clip_ahead_waits(const struct clip *clip, const struct vat_transport_part *part) {
	struct clip_player *player = clip->player;
	if (!part->playing || player->ahead_off || player->splice_kind == VAT_SPLICE_NOW ||
		player->splice_kind == VAT_SPLICE_MARKER || player->splice_tries >= TRIES ||
		is_so(clip, part)) {
		return false;
	}
	player->splice_tries++;
	return true;
}

static bool say(struct clip_event *event, int which, uint32_t value, int64_t tick) {
	event->type = which == CLIP_BRINGS_TEMPO ? CLIP_TEMPO : CLIP_METER;
	event->value = (int32_t)value;
	event->at = tick;
	return true;
}

/* While the music goes on: from the tick of the splice. */
static bool plan(struct clip_player *player, int which, uint32_t wanted, uint32_t is,
	struct clip_event *event) {
	uint32_t *asked = &player->ahead[which];
	int64_t tick = splice_tick(player);
	if (*asked && !wanted) {
		*asked = 0;
		return say(event, which, 0, player->ahead_tick[which]);
	}
	if (!wanted || wanted == is || !player->splice_armed || tick <= 0 ||
		player->splice_kind == VAT_SPLICE_NOW ||
		(*asked == wanted && player->ahead_tick[which] == tick)) {
		return false;
	}
	*asked = wanted;
	player->ahead_tick[which] = tick;
	return say(event, which, wanted, tick);
}

/* Before anything has played. */
static bool change(struct clip_player *player, int which, uint32_t wanted, uint32_t is,
	struct clip_event *event) {
	uint32_t *asked = &player->changed[which];
	if (*asked == wanted || (!*asked && wanted == is)) {
		return false;
	}
	if (!*asked) {
		player->changed_from[which] = is;
	}
	*asked = wanted;
	return say(event, which, wanted ? wanted : player->changed_from[which], 0);
}

bool clip_ahead(
	const struct clip *clip, const struct vat_transport_part *part, struct clip_event *event) {
	struct clip_player *player = clip->player;
	struct clip_brings brings = pending_brings(clip);
	for (int i = 0; i < CLIP_BRINGS && !player->ahead_off; i++) {
		uint32_t wanted = brings.value[i], is = value_of(part, i);
		if (part->playing || player->running ? plan(player, i, wanted, is, event)
						     : change(player, i, wanted, is, event)) {
			return true;
		}
	}
	return false;
}

void clip_ahead_forget(const struct clip *clip) {
	struct clip_player *player = clip->player;
	memset(player->ahead, 0, sizeof(player->ahead));
	memset(player->changed, 0, sizeof(player->changed));
	player->splice_tries = 0;
}

void clip_ahead_refused(const struct clip *clip) {
	clip_ahead_forget(clip);
	clip->player->ahead_off = 1;
}

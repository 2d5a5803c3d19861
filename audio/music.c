/* SPDX-License-Identifier: MIT */
#include "music.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "peers.h"
#include "port.h"
#include "tile.h"

/* A host reads the transport for each call of render; so much may be on its way in one. */
#define BEHIND (2 * TILE_SOUND_FRAMES_MAX)
#define WAITING_MAX VAT_PLANNED_MAX
/* Who asked is not known any more: the process before this one was told. */
#define SOMEBODY UINT64_MAX

struct ask {
	uint32_t what, value;
	int64_t tick;
	uint64_t asker; /* of one that waits for its tick */
};

struct music {
	struct audio *audio;
	struct vat_transport transport;
	bool begun;
	/* In order, until the change before has come: the page has room for one. */
	struct ask waiting[WAITING_MAX];
	uint32_t count;
	/* What is to hold from a tick on. The next of them stands in the page, as its second part,
	 * before anybody can render what is there; until then it may be taken back. */
	struct ask planned[WAITING_MAX];
	uint32_t planned_count;
	bool ahead;   /* the second part is one of these */
	bool unsaved; /* these are not in the page as they are */
};

static struct vat_transport_part *last_part(struct music *music) {
	return &music->transport.parts[1];
}

static bool same(const struct vat_transport_part *a, const struct vat_transport_part *b) {
	return a->frame == b->frame && a->tick == b->tick && a->tempo == b->tempo &&
		a->beats_a_bar == b->beats_a_bar && a->bars_a_phrase == b->bars_a_phrase &&
		a->playing == b->playing && a->bar_zero == b->bar_zero;
}

static void publish(struct music *music) {
	if (music->audio->clock.page)
		vat_transport_write(music->audio->clock.page, &music->transport);
}

/* Whoever comes after this process goes on with it. */
static void save_planned(struct music *music) {
	struct vat_planned planned[VAT_PLANNED_MAX];
	if (!music->unsaved || !music->audio->clock.page)
		return;
	for (uint32_t i = 0; i < music->planned_count; i++) {
		const struct ask *ask = &music->planned[i];
		planned[i] = (struct vat_planned){ask->what, ask->value, ask->tick};
	}
	vat_transport_write_planned(music->audio->clock.page, planned, music->planned_count);
	music->unsaved = false;
}

static void tell(struct music *music) {
	struct audio_message message = music_message(music);
	peers_tell(music->audio->peers, &message);
}

struct audio_message music_message(const struct music *music) {
	const struct clock *clock = &music->audio->clock;
	struct audio_message message = audio_message(AUDIO_TRANSPORT);
	message.transport.part = music->transport.parts[!music->ahead];
	message.transport.rate = music->transport.rate;
	message.transport.marker_count = music->transport.marker_count;
	message.transport.sound = atomic_load(&clock->sound);
	message.transport.frame = atomic_load(&clock->next);
	return message;
}

/* ---- parts */

/* The first frame that no tile can have rendered. A ring that claims more than it has room for, be
 * it read a little behind the others, is not believed. */
static uint64_t first_free(const struct music *music, uint64_t frame) {
	const struct port *port;
	uint64_t first = frame;
	spa_list_for_each(port, &music->audio->ports, link) {
		uint64_t written = ring_written(&port->ring);
		if (written > first && written <= frame + 2 * (uint64_t)RING_FRAMES)
			first = written;
	}
	return first + BEHIND;
}

/* The bar that `tick` is in has that many beats; `begins`: or a new one begins there. */
static void change_meter(
	struct vat_transport_part *part, uint32_t beats_a_bar, int64_t tick, bool begins) {
	int64_t behind, bar = vat_part_bar(part, tick, &behind);
	if (part->beats_a_bar == beats_a_bar)
		return;
	bar += begins && behind > 0;
	part->beats_a_bar = beats_a_bar;
	part->bar_zero = tick - (begins ? 0 : behind) - bar * beats_a_bar * VAT_PPQ;
}

static void change(struct vat_transport_part *part, const struct ask *ask) {
	switch (ask->what) {
	case TILE_TRANSPORT_PLAY:
		part->playing = 1;
		break;
	case TILE_TRANSPORT_STOP:
		part->playing = 0;
		break;
	case TILE_TRANSPORT_TEMPO:
		part->tempo = ask->value;
		break;
	case TILE_TRANSPORT_METER:
		change_meter(part, ask->value, part->tick, ask->asker != 0);
		break;
	case TILE_TRANSPORT_PHRASE:
		part->bars_a_phrase = ask->value;
		break;
	case TILE_TRANSPORT_LOCATE:
		part->tick = ask->tick;
		part->bar_zero = 0;
		break;
	default:
		break;
	}
}

/* The same music from a later frame on; that of a tick, so that no part of one is lost. */
static struct vat_transport_part part_from(
	const struct vat_transport_part *was, uint32_t rate, uint64_t frame) {
	struct vat_transport_part part = *was;
	part.frame = frame > was->frame ? frame : was->frame;
	if (!was->playing)
		return part;
	part.tick = vat_part_tick(was, rate, part.frame);
	if (vat_part_frame(was, rate, part.tick) < part.frame)
		part.tick++;
	part.frame = vat_part_frame(was, rate, part.tick);
	return part;
}

/* Behind what holds, which is the same in both parts. */
static void put(struct music *music, const struct vat_transport_part *part, bool ahead) {
	music->transport.parts[1] = *part;
	music->ahead = ahead;
	publish(music);
	if (!ahead)
		tell(music);
}

static void apply(struct music *music, uint64_t frame) {
	struct vat_transport_part part =
		part_from(last_part(music), music->transport.rate, first_free(music, frame));
	struct vat_transport_part changed = part;
	for (uint32_t i = 0; i < music->count; i++) {
		change(&changed, &music->waiting[i]);
		if (music->waiting[i].what == TILE_TRANSPORT_LOCATE) {
			music->planned_count = 0; /* of another place */
			music->unsaved = true;
		}
	}
	save_planned(music);
	music->count = 0;
	if (!same(&part, &changed))
		put(music, &changed, false);
}

/* ---- what is to hold from a tick on */

static void drop(struct music *music, uint32_t index) {
	music->unsaved = true;
	music->planned_count--;
	memmove(&music->planned[index], &music->planned[index + 1],
		(music->planned_count - index) * sizeof(music->planned[0]));
}

/* What cannot be in time does not come at all: whoever asked has not begun with it either. */
static void drop_passed(struct music *music, const struct vat_transport_part *part, uint64_t free) {
	for (uint32_t i = music->planned_count; i > 0; i--) {
		int64_t tick = music->planned[i - 1].tick;
		if (tick <= part->tick || vat_part_frame(part, music->transport.rate, tick) < free)
			drop(music, i - 1);
	}
}

/* The page has room for the next of them. */
static void plan(struct music *music, uint64_t frame) {
	const struct vat_transport_part *part = last_part(music);
	drop_passed(music, part, first_free(music, frame));
	save_planned(music);
	if (music->planned_count == 0)
		return;
	int64_t tick = music->planned[0].tick;
	for (uint32_t i = 1; i < music->planned_count; i++)
		tick = music->planned[i].tick < tick ? music->planned[i].tick : tick;
	struct vat_transport_part next = *part;
	next.frame = vat_part_frame(part, music->transport.rate, tick);
	if (next.frame == UINT64_MAX)
		return; /* it does not play */
	next.tick = tick;
	for (uint32_t i = 0; i < music->planned_count; i++) {
		if (music->planned[i].tick == tick)
			change(&next, &music->planned[i]);
	}
	put(music, &next, true);
}

/* Take the next of them off the page again, while nobody can have rendered it. */
static bool take_off(struct music *music, uint64_t frame) {
	if (!music->ahead)
		return true;
	if (last_part(music)->frame < first_free(music, frame))
		return false;
	music->transport.parts[1] = music->transport.parts[0];
	music->ahead = false;
	publish(music);
	return true;
}

/* As it was before the part that is about to hold: its asker does not want it any more. */
static void undo(struct music *music, uint32_t what) {
	const struct vat_transport_part *was = &music->transport.parts[0];
	if (music->count < WAITING_MAX)
		music->waiting[music->count++] = (struct ask){.what = what,
			.value = what == TILE_TRANSPORT_TEMPO ? was->tempo : was->beats_a_bar};
}

/* By others, too. */
static bool is_planned(const struct music *music, const struct ask *ask) {
	for (uint32_t i = 0; i < music->planned_count; i++) {
		if (music->planned[i].what == ask->what && music->planned[i].tick == ask->tick)
			return true;
	}
	return false;
}

/* An asker whom the process before this one knew is who asks for the same: for what it had asked
 * for at that tick, or for all that there is of it. */
static void find_asker(struct music *music, const struct ask *asked) {
	struct ask *found = NULL;
	uint32_t count = 0;
	for (uint32_t i = 0; i < music->planned_count; i++) {
		struct ask *planned = &music->planned[i];
		if (planned->what != asked->what)
			continue;
		if (planned->asker == asked->asker)
			return;
		if (planned->asker != SOMEBODY)
			continue;
		if (planned->tick == asked->tick) {
			planned->asker = asked->asker;
			return;
		}
		found = planned;
		count++;
	}
	if (count == 1)
		found->asker = asked->asker;
}

/* `what` 0: all of this asker. */
static void take_back(struct music *music, uint64_t asker, uint32_t what, bool on_page) {
	for (uint32_t i = music->planned_count; i > 0; i--) {
		struct ask ask = music->planned[i - 1];
		if (ask.asker != asker || (what != 0 && ask.what != what))
			continue;
		drop(music, i - 1);
		if (on_page && ask.tick == last_part(music)->tick && !is_planned(music, &ask))
			undo(music, ask.what);
	}
}

static int plan_ask(struct music *music, const struct ask *ask, char *why, size_t why_size) {
	uint64_t frame = audio_frame(music->audio);
	music_tick(music, frame);
	bool off = take_off(music, frame);
	find_asker(music, ask);
	take_back(music, ask->asker, ask->what, !off);
	int error = 0;
	if (ask->value != 0 && music->planned_count == WAITING_MAX) {
		snprintf(why, why_size, "too many changes of the transport wait already");
		error = EBUSY;
	} else if (ask->value != 0) {
		music->planned[music->planned_count++] = *ask;
		music->unsaved = true;
	}
	save_planned(music);
	music_tick(music, frame);
	audio_schedule(music->audio);
	return error;
}

void music_forget(struct music *music, uint64_t asker) {
	if (!music || music->planned_count == 0)
		return;
	uint64_t frame = audio_frame(music->audio);
	take_back(music, asker, 0, !take_off(music, frame));
	save_planned(music);
	music_tick(music, frame);
	audio_schedule(music->audio);
}

void music_tick(struct music *music, uint64_t frame) {
	if (!music->begun)
		return;
	if (frame < last_part(music)->frame) {
		if (!music->ahead || music->count == 0 || !take_off(music, frame))
			return;
	}
	if (!same(&music->transport.parts[0], last_part(music))) {
		bool ahead = music->ahead;
		music->transport.parts[0] = *last_part(music);
		music->ahead = false;
		publish(music);
		if (ahead)
			tell(music);
	}
	if (music->count > 0)
		apply(music, frame);
	if (same(&music->transport.parts[0], last_part(music)))
		plan(music, frame);
}

bool music_busy(const struct music *music) {
	return music->begun &&
		(music->count > 0 ||
			!same(&music->transport.parts[0], &music->transport.parts[1]) ||
			(music->planned_count > 0 && music->transport.parts[1].playing));
}

/* ---- markers */

static int find_marker(const struct vat_transport *transport, const char *name) {
	for (uint32_t i = 0; i < transport->marker_count; i++) {
		if (strcmp(transport->markers[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

static void remove_marker(struct vat_transport *transport, int index) {
	struct vat_marker *marker = &transport->markers[index];
	memmove(marker, marker + 1,
		(size_t)(&transport->markers[transport->marker_count] - (marker + 1)) *
			sizeof(*marker));
	transport->markers[--transport->marker_count] = (struct vat_marker){};
}

static int mark(struct vat_transport *transport, int64_t tick, const char *name, char *why,
	size_t why_size) {
	int index = find_marker(transport, name);
	if (index < 0 && transport->marker_count == VAT_MARKERS_MAX) {
		snprintf(why, why_size, "there are %d markers already: remove one first",
			VAT_MARKERS_MAX);
		return ENOSPC;
	}
	if (index >= 0)
		remove_marker(transport, index);
	uint32_t at = transport->marker_count++;
	for (; at > 0 && transport->markers[at - 1].tick > tick; at--)
		transport->markers[at] = transport->markers[at - 1];
	transport->markers[at] = (struct vat_marker){.tick = tick};
	audio_copy(transport->markers[at].name, VAT_MARKER_SIZE, name);
	return 0;
}

static int unmark(struct vat_transport *transport, const char *name, char *why, size_t why_size) {
	int index = find_marker(transport, name);
	if (index < 0) {
		snprintf(why, why_size, "there is no marker '%s'", name);
		return ENOENT;
	}
	remove_marker(transport, index);
	return 0;
}

/* ---- */

int music_ask(struct music *music, uint64_t asker, uint32_t what, uint32_t value, int64_t tick,
	const char *name, char *why, size_t why_size) {
	struct vat_error wrong;
	int error = -vat_transport_check(what, value, tick, name, &wrong);
	if (error != 0) {
		audio_copy(why, why_size, wrong.text);
		return error;
	}
	if (!music->begun) {
		snprintf(why, why_size, "there is no transport yet");
		return EAGAIN;
	}
	if (what == TILE_TRANSPORT_MARK || what == TILE_TRANSPORT_UNMARK) {
		error = what == TILE_TRANSPORT_MARK
			? mark(&music->transport, tick, name, why, why_size)
			: unmark(&music->transport, name, why, why_size);
		if (error == 0) {
			publish(music);
			tell(music);
		}
		return error;
	}
	if (tick > 0 && (what == TILE_TRANSPORT_TEMPO || what == TILE_TRANSPORT_METER))
		return plan_ask(music,
			&(struct ask){.what = what, .value = value, .tick = tick, .asker = asker},
			why, why_size);
	if (music->count == WAITING_MAX) {
		snprintf(why, why_size, "too many changes of the transport wait already");
		return EBUSY;
	}
	music->waiting[music->count++] = (struct ask){.what = what, .value = value, .tick = tick};
	music_tick(music, audio_frame(music->audio));
	audio_schedule(music->audio);
	return 0;
}

/* What the process before this one was asked for. Who asked will not be seen to end; whoever asks
 * again takes it over. */
static void take_planned(struct music *music) {
	struct vat_planned planned[VAT_PLANNED_MAX];
	music->planned_count = vat_transport_read_planned(music->audio->clock.page, planned);
	for (uint32_t i = 0; i < music->planned_count; i++) {
		music->planned[i] = (struct ask){.what = planned[i].what,
			.value = planned[i].value,
			.tick = planned[i].tick,
			.asker = SOMEBODY};
		music->ahead |= planned[i].tick == last_part(music)->tick;
	}
	music->ahead &= !same(&music->transport.parts[0], last_part(music));
}

void music_begin(struct music *music) {
	struct vat_transport transport;
	if (vat_transport_read(music->audio->clock.page, &transport) &&
		transport.rate == VAT_RATE) {
		music->transport = transport;
		take_planned(music);
	} else {
		city_log(CITY_LOG_WARN, "transport", "its page makes no sense: it begins anew");
		publish(music);
		music->unsaved = true;
		save_planned(music);
	}
	music->begun = true;
	tell(music);
	audio_schedule(music->audio);
}

struct music *music_create(struct audio *audio) {
	struct music *music = calloc(1, sizeof(*music));
	if (!music)
		return NULL;
	const struct vat_transport_part still = {
		.tempo = VAT_TEMPO, .beats_a_bar = 4, .bars_a_phrase = 4};
	music->audio = audio;
	music->transport = (struct vat_transport){.rate = VAT_RATE, .parts = {still, still}};
	return music;
}

void music_destroy(struct music *music) {
	free(music);
}

/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "clip_rig.h"

static const struct clip_sound_word sounds[] = {
	{"keys", "a piano of a kind"}, {"bass", "low"}, {"pad", "long"}, {"kit", "drums"}};
static const struct clip_parameter_word parameters[] = {
	{"cutoff", 0, 1000}, {"release", 1, 20000}, {"pan", -1000, 1000}};
static const struct clip_drum_word drums[] = {{"bd", 36}, {"sn", 38}, {"hh", 42}, {"oh", 46}};
const struct clip_vocabulary clip_rig_vocabulary = {
	.sounds = sounds,
	.parameters = parameters,
	.drums = drums,
	.sound_count = 4,
	.parameter_count = 3,
	.drum_count = 4,
	.drum_sound = 3,
};

void clip_rig_init(struct clip_rig *rig) {
	/* All but the events, which are many. */
	memset(rig, 0, offsetof(struct clip_rig, events));
	rig->event_count = rig->sounding_count = rig->most = 0;
	rig->answers = false;
	rig->answer_after = rig->asked_count = 0;
	rig->hash = 0;
	rig->clip = (struct clip){&rig->player, rig->codes, rig->tracks, rig->notes};
	rig->transport.rate = RIG_RATE;
	rig->transport.parts[0] = rig->transport.parts[1] = (struct vat_transport_part){
		.tempo = VAT_TEMPO,
		.beats_a_bar = 4,
		.bars_a_phrase = 4,
		.playing = 1,
	};
	if (!clip_attach(&rig->clip)) {
		clip_rig_fail("fresh cells were refused");
	}
}

void clip_rig_forget(struct clip_rig *rig) {
	rig->event_count = 0;
}

uint32_t clip_rig_load(struct clip_rig *rig, const char *text, enum vat_splice splice) {
	struct clip_options options = {.splice = {.kind = splice}};
	return clip_load(
		&rig->clip, text, strlen(text), &clip_rig_vocabulary, &options, &rig->scratch);
}

static uint32_t *find(struct clip_rig *rig, uint32_t note) {
	for (uint32_t i = 0; i < rig->sounding_count; i++) {
		if (rig->sounding[i] == note) {
			return &rig->sounding[i];
		}
	}
	return NULL;
}

static void check(struct clip_rig *rig, const struct clip_event *event, uint64_t from, uint64_t to,
	uint64_t last) {
	if (event->frame < from || event->frame >= to || event->frame < last) {
		clip_rig_fail("an event is out of its slice, or out of order");
	}
	if (event->channel >= CLIP_TRACKS || event->pitch > 127) {
		clip_rig_fail("an event of no channel or no pitch");
	}
	switch (event->type) {
	case CLIP_NOTE_ON:
		if (find(rig, event->note) || !event->note || event->note >> 31) {
			clip_rig_fail("a note begins that sounds already");
		}
		if (rig->sounding_count == CLIP_NOTES) {
			clip_rig_fail("more notes than there may be");
		}
		rig->sounding[rig->sounding_count++] = event->note;
		rig->most = rig->sounding_count > rig->most ? rig->sounding_count : rig->most;
		break;
	case CLIP_NOTE_OFF: {
		uint32_t *note = find(rig, event->note);
		if (!note) {
			clip_rig_fail("a note ends that does not sound");
		}
		*note = rig->sounding[--rig->sounding_count];
		break;
	}
	case CLIP_NOTE_FADE:
		if (!find(rig, event->note)) {
			clip_rig_fail("a note fades that does not sound");
		}
		break;
	default:
		break;
	}
}

/* What is asked for gets to the transport, which does it, or not where that is too late. */
static void take_ask(struct clip_rig *rig, const struct clip_event *ask) {
	struct vat_transport_part *parts = rig->transport.parts, *next = &parts[1];
	bool tempo = ask->type == CLIP_TEMPO, planned = next->frame > rig->frame;
	uint32_t value = (uint32_t)ask->value;
	if (ask->at > 0) {
		uint64_t frame = vat_part_frame(planned ? &parts[0] : next, RIG_RATE, ask->at);
		if (planned && (!value || next->tick != ask->at)) {
			*next = parts[0];
			planned = false;
		}
		if (!value || frame <= rig->frame || frame == UINT64_MAX) {
			return;
		}
		if (!planned) {
			parts[0] = *next;
			next->tick = ask->at;
			next->frame = frame;
		}
		if (!tempo) {
			int64_t behind, bar = vat_part_bar(next, ask->at, &behind);
			next->bar_zero = ask->at - bar * value * VAT_PPQ;
		}
	}
	*(tempo ? &next->tempo : &next->beats_a_bar) = value;
}

static void take_asks(struct clip_rig *rig) {
	while (rig->asked_count && rig->asked_at[0] <= rig->frame) {
		take_ask(rig, &rig->asked[0]);
		rig->asked_count--;
		memmove(rig->asked, rig->asked + 1, rig->asked_count * sizeof(rig->asked[0]));
		memmove(rig->asked_at, rig->asked_at + 1,
			rig->asked_count * sizeof(rig->asked_at[0]));
	}
}

static void slice(struct clip_rig *rig, uint32_t frames) {
	struct clip_run run;
	struct clip_event event;
	uint64_t last = 0;
	clip_begin(&run, &rig->clip, &rig->transport, rig->frame, frames);
	while (clip_next(&run, &event)) {
		check(rig, &event, rig->frame, rig->frame + frames, last);
		last = event.frame;
		const uint64_t words[] = {event.type, event.frame, (uint64_t)event.tick, event.note,
			event.channel, event.pitch, event.velocity, event.sound, event.index,
			(uint64_t)event.at, event.fade_frames, (uint32_t)event.value};
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			rig->hash = (rig->hash ^ words[i]) * 0x100000001b3ull;
			rig->hash ^= rig->hash >> 29;
		}
		if (rig->answers && rig->asked_count < RIG_ASKS &&
			(event.type == CLIP_TEMPO || event.type == CLIP_METER)) {
			rig->asked[rig->asked_count] = event;
			rig->asked_at[rig->asked_count++] = rig->frame + rig->answer_after;
		}
		if (rig->event_count < RIG_EVENTS) {
			rig->events[rig->event_count++] = event;
		}
	}
	if (rig->player.notes_on - rig->player.notes_off != rig->sounding_count) {
		clip_rig_fail("the player counts its notes wrong");
	}
	rig->frame += frames;
}

void clip_rig_play(struct clip_rig *rig, uint64_t frames, uint32_t most) {
	uint64_t end = rig->frame + frames;
	while (rig->frame < end) {
		take_asks(rig);
		uint64_t to = rig->frame + most < end ? rig->frame + most : end;
		uint64_t change = rig->transport.parts[1].frame;
		if (change > rig->frame && change < to) {
			to = change;
		}
		slice(rig, (uint32_t)(to - rig->frame));
	}
}

/* The next part begins with the next frame. */
static struct vat_transport_part *change(struct clip_rig *rig) {
	struct vat_transport_part *next = &rig->transport.parts[1];
	struct vat_transport_part old = *next;
	rig->transport.parts[0] = old;
	/* The first frame at or behind a tick. */
	next->tick = vat_part_tick(&old, rig->transport.rate, rig->frame);
	next->frame = rig->frame;
	return next;
}

void clip_rig_tempo(struct clip_rig *rig, uint32_t tempo) {
	change(rig)->tempo = tempo;
}

void clip_rig_stop(struct clip_rig *rig) {
	change(rig)->playing = 0;
}

void clip_rig_go(struct clip_rig *rig) {
	change(rig)->playing = 1;
}

void clip_rig_locate(struct clip_rig *rig, int64_t tick) {
	change(rig)->tick = tick;
}

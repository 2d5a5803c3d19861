/* SPDX-License-Identifier: MIT */
/* A clip player in ordinary memory, for tests and fuzz targets: a vocabulary, a transport, and
 * slices of any size. Keeps count of every note and stops (clip_rig_fail) when one is not as it
 * should be. */
#ifndef SOURCE_CITY_TEST_CLIP_RIG_H
#define SOURCE_CITY_TEST_CLIP_RIG_H

#include "clip.h"

#define RIG_EVENTS 65536
#define RIG_RATE 48000
#define RIG_ASKS 16

struct clip_rig {
	struct clip_player player;
	struct clip_code codes[CLIP_SLOTS];
	struct clip_track tracks[CLIP_TRACKS];
	struct clip_note notes[CLIP_NOTES];
	struct clip clip;
	struct clip_code scratch;
	struct vat_transport transport;
	uint64_t frame; /* the next one */
	/* All events since clip_rig_forget, as far as there is room. */
	struct clip_event events[RIG_EVENTS];
	uint32_t event_count;
	/* Notes that sound, by what events said. */
	uint32_t sounding[CLIP_NOTES * 2];
	uint32_t sounding_count, most;
	uint64_t hash; /* of all events */
	/* Whether the transport does what it is asked for from a tick on, and how many frames later
	 * that gets there. */
	bool answers;
	uint32_t answer_after;
	struct clip_event asked[RIG_ASKS];
	uint64_t asked_at[RIG_ASKS];
	uint32_t asked_count;
};

extern const struct clip_vocabulary clip_rig_vocabulary;

/* Called with a line when a promise of clip.h is broken. Does not return. */
[[noreturn]] void clip_rig_fail(const char *what);

/* An empty player; the transport plays from frame 0, tick 0, at 120 beats a minute, 4/4. */
void clip_rig_init(struct clip_rig *rig);
void clip_rig_forget(struct clip_rig *rig);
/* A new text with usual options at a splice point. */
uint32_t clip_rig_load(struct clip_rig *rig, const char *text, enum vat_splice splice);
/* Play so many frames in slices of at most `slice`; changes of the transport split them. */
void clip_rig_play(struct clip_rig *rig, uint64_t frames, uint32_t slice);
/* Change the transport from the next frame on. */
void clip_rig_tempo(struct clip_rig *rig, uint32_t tempo);
void clip_rig_stop(struct clip_rig *rig);
void clip_rig_go(struct clip_rig *rig);
void clip_rig_locate(struct clip_rig *rig, int64_t tick);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Cells of a clip player with anything in them. The first byte says what: bytecode, which the
 * verifier refuses or which then plays with an end for each note; or also the state of a player at
 * work, which is put away or goes on, and in any case comes to an end and stays in its cells.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clip_ops.h"
#include "clip_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void clip_rig_fail(const char *what) {
	fprintf(stderr, "fuzz-clip-code: %s\n", what);
	abort();
}

struct input {
	const uint8_t *data;
	size_t size;
};

/* The next bytes, or zeros. */
static void take(struct input *input, void *to, size_t size) {
	size_t part = size < input->size ? size : input->size;
	memset(to, 0, size);
	if (part) {
		memcpy(to, input->data, part);
	}
	input->data += part;
	input->size -= part;
}

static void take_code(struct input *input, struct clip_code *code) {
	uint8_t tracks[4];
	memset(code, 0, sizeof(*code));
	take(input, tracks, sizeof(tracks));
	code->version = CLIP_CODE_VERSION;
	code->velocity = 100;
	code->beats_a_bar = 4;
	code->track_count = 1 + tracks[0] % 4;
	code->marker_count = tracks[1] % 4;
	code->turn_count = tracks[2] % (CLIP_TURNS + 2);
	for (uint32_t i = 0; i < code->track_count; i++) {
		uint8_t entry = 0;
		take(input, &entry, 1);
		code->entries[i] = i ? code->entries[i - 1] + entry : 0;
		code->swing[i] = 1 + entry % 99;
		code->swing_grains[i] = CLIP_BEAT_GRAINS;
		code->tracks[i * CLIP_NAME] = code->markers[i * CLIP_NAME] = (char)('a' + i);
	}
	code->size = (uint32_t)(input->size / 4 < 512 ? input->size / 4 : 512);
	take(input, code->words, (size_t)code->size * 4);
	code->sum = clip_code_sum(code);
}

/* Play without looking at what comes. */
static void run(struct clip_rig *rig) {
	struct clip_run run;
	struct clip_event event;
	for (int i = 0; i < 50; i++) {
		uint32_t count = 0;
		clip_begin(&run, &rig->clip, &rig->transport, rig->frame, 1024);
		while (clip_next(&run, &event)) {
			if (++count > 1000000 || event.frame < rig->frame ||
				event.frame >= rig->frame + 1024) {
				clip_rig_fail("a slice without an end");
			}
		}
		rig->frame += 1024;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct clip_rig rig;
	static struct clip_look look;
	static struct clip_seen seen[64];
	struct input input = {data, size};
	uint8_t kind = 0;
	char why[200];
	take(&input, &kind, 1);
	clip_rig_init(&rig);
	if (kind & 1) {
		take(&input, &rig.player, sizeof(rig.player));
		take(&input, rig.notes, 8 * sizeof(rig.notes[0]));
		take(&input, rig.tracks, 4 * sizeof(rig.tracks[0]));
		rig.player.running = kind >> 1 & 3;
		rig.player.pending = kind >> 3 & 3;
	}
	take_code(&input, &rig.codes[0]);
	rig.codes[1] = rig.codes[0];
	if (kind & 1) {
		clip_attach(&rig.clip);
		if (clip_look(&rig.clip, 384, &look, seen, 64) > 64) {
			clip_rig_fail("more than there is room for");
		}
		run(&rig);
		return 0;
	}
	if (!clip_verify(&rig.codes[0], why, sizeof(why))) {
		size_t length = strnlen(why, sizeof(why));
		if (!length || length == sizeof(why) || strchr(why, '\n')) {
			clip_rig_fail("not one line");
		}
		return 0;
	}
	rig.player.pending = 1;
	rig.player.splice_kind = VAT_SPLICE_NOW;
	rig.player.splice_notes = CLIP_RELEASE;
	rig.player.splice_new = 1;
	clip_rig_play(&rig, RIG_RATE, 4096);
	clip_rig_load(&rig, "", VAT_SPLICE_NOW);
	clip_rig_play(&rig, 64, 64);
	if (rig.sounding_count) {
		clip_rig_fail("notes hang");
	}
	return 0;
}

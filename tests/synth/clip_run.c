/* SPDX-License-Identifier: MIT */
/* Frames, tempo, the transport, and clips that go wrong while they run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clip_ops.h"
#include "clip_rig.h"

static struct clip_rig rig;

void clip_rig_fail(const char *what) {
	fail_msg("%s", what);
	abort();
}

/* The first event of a kind at or behind number `from`; fails if there is none. */
static const struct clip_event *find(enum clip_event_type type, uint32_t from) {
	for (uint32_t i = from; i < rig.event_count; i++) {
		if (rig.events[i].type == type) {
			return &rig.events[i];
		}
	}
	fail_msg("no event of type %d", type);
	abort();
}

static uint32_t count(enum clip_event_type type) {
	uint32_t n = 0;
	for (uint32_t i = 0; i < rig.event_count; i++) {
		n += rig.events[i].type == type;
	}
	return n;
}

/* The frame of bar n at a tempo is never summed up: also after a thousand bars it is the one that
 * the transport gives, at tempi that divide nothing. */
static void test_bar_lines(void **state) {
	(void)state;
	static const uint32_t tempi[] = {120000, 133700, 97001, 61803, 999999, 7919};
	for (size_t i = 0; i < sizeof(tempi) / sizeof(tempi[0]); i++) {
		clip_rig_init(&rig);
		rig.transport.parts[0].tempo = rig.transport.parts[1].tempo = tempi[i];
		clip_rig_load(&rig, "step 1/8\n[c d e]:2 [c d e f g]:2 c d e f", VAT_SPLICE_BAR);
		const struct vat_transport_part *part = &rig.transport.parts[0];
		uint64_t end = vat_part_frame(part, RIG_RATE, 1000 * 384);
		clip_rig_play(&rig, end, 16384);
		uint32_t bars = 0;
		for (uint32_t j = 0; j < rig.event_count; j++) {
			const struct clip_event *event = &rig.events[j];
			if (event->type != CLIP_NOTE_ON) {
				continue;
			}
			if (event->tick % 384 == 0 && event->source == (2u << 12 | 2)) {
				assert_int_equal(
					event->frame, vat_part_frame(part, RIG_RATE, event->tick));
				bars++;
			}
			assert_int_equal(event->tick, vat_part_tick(part, RIG_RATE, event->frame));
		}
		assert_int_equal(bars, 1000);
	}
}

static void test_grains(void **state) {
	(void)state;
	struct vat_transport_part part = {
		.frame = 1234567, .tick = 987, .tempo = 123457, .playing = 1};
	for (int64_t tick = 980; tick < 20000; tick++) {
		assert_int_equal(clip_part_frame(&part, RIG_RATE, tick * CLIP_GRAINS),
			vat_part_frame(&part, RIG_RATE, tick));
	}
	for (uint64_t frame = 1234560; frame < 1240000; frame++) {
		int64_t grain = clip_part_grain(&part, RIG_RATE, frame);
		assert_int_equal(grain / CLIP_GRAINS, vat_part_tick(&part, RIG_RATE, frame));
		assert_true(clip_part_frame(&part, RIG_RATE, grain) <= frame || frame < part.frame);
		assert_true(clip_part_frame(&part, RIG_RATE, grain + 1) > frame);
	}
}

/* The tempo changes in the middle of notes: none is lost, none comes twice, and all that follows is
 * where the new tempo has it. */
static void test_tempo(void **state) {
	(void)state;
	clip_rig_init(&rig);
	clip_rig_load(&rig, "c d e f", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 30001, 333);
	clip_rig_tempo(&rig, 60000);
	clip_rig_play(&rig, 100000, 333);
	clip_rig_tempo(&rig, 180000);
	clip_rig_play(&rig, 200000, 333);
	int64_t tick = 0;
	for (uint32_t i = 0; i < rig.event_count; i++) {
		if (rig.events[i].type == CLIP_NOTE_ON) {
			assert_int_equal(rig.events[i].tick, tick);
			tick += 96;
		}
	}
	/* 1.25 beats, 2.08 and 12.5. */
	assert_int_equal(tick / 96, 16);
}

static void test_stop_and_go(void **state) {
	(void)state;
	clip_rig_init(&rig);
	clip_rig_load(&rig, "c:4 d:4", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 10000, 512);
	assert_int_equal(rig.sounding_count, 1);
	clip_rig_stop(&rig);
	clip_rig_play(&rig, 10000, 512);
	assert_int_equal(rig.sounding_count, 0);
	assert_int_equal(find(CLIP_NOTE_OFF, 0)->frame, 10000);
	clip_rig_play(&rig, 100000, 512);
	clip_rig_go(&rig);
	clip_rig_play(&rig, 96000, 512);
	/* d comes in time, as if nothing had been. */
	assert_int_equal(count(CLIP_NOTE_ON), 2);
	assert_int_equal(find(CLIP_NOTE_ON, rig.event_count - 1)->tick, 384);
	assert_int_equal(find(CLIP_NOTE_ON, rig.event_count - 1)->pitch, 62);
}

static void test_locate(void **state) {
	(void)state;
	clip_rig_init(&rig);
	clip_rig_load(&rig, "c d e f g:4", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 60000, 512);
	clip_rig_forget(&rig);
	clip_rig_locate(&rig, 384 * 100);
	clip_rig_play(&rig, 60000, 512);
	/* What sounded ends, the clip begins again at that bar. */
	assert_int_equal(rig.events[0].type, CLIP_NOTE_OFF);
	assert_int_equal(rig.events[0].frame, 60000);
	const struct clip_event *first = find(CLIP_NOTE_ON, 0);
	assert_int_equal(first->frame, 60000);
	assert_int_equal(first->pitch, 60);
	assert_int_equal(first->tick, 384 * 100);
}

/* Frames that came too late: their notes are not begun, those that sounded do end. */
static void test_skipped(void **state) {
	(void)state;
	clip_rig_init(&rig);
	clip_rig_load(&rig, "c d e f", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 1000, 512);
	rig.frame = 24000 * 2 + 100;
	clip_rig_forget(&rig);
	clip_rig_play(&rig, 24000, 512);
	assert_int_equal(rig.events[0].type, CLIP_NOTE_OFF);
	assert_int_equal(rig.events[0].frame, 48100);
	assert_int_equal(count(CLIP_NOTE_ON), 1);
	assert_int_equal(find(CLIP_NOTE_ON, 0)->pitch, 65);
	assert_int_equal(find(CLIP_NOTE_ON, 0)->frame, 72000);
}

/* Bytecode that goes round and round: made by hand, as no text gives it. */
static void make_endless(struct clip_code *code) {
	struct clip_error error;
	assert_true(clip_compile("c d e f g a b c", 15, &clip_rig_vocabulary, code, &error));
	code->size = 0;
	code->words[code->size++] = clip_op(CLIP_OP_NOTE, 0);
	code->words[code->size++] = 70 | CLIP_VELOCITY_ZERO << 8;
	code->words[code->size++] = CLIP_BEAT_GRAINS;
	code->words[code->size++] = 0;
	code->words[code->size++] = clip_op(CLIP_OP_WAIT, 0);
	code->words[code->size++] = 6 * CLIP_BEAT_GRAINS;
	code->words[code->size++] = clip_op(CLIP_OP_LOOP, 0);
	code->words[code->size++] = 1;
	code->words[code->size++] = clip_op(CLIP_OP_NEXT, 0);
	code->words[code->size++] = clip_op(CLIP_OP_END, 0);
	code->sum = clip_code_sum(code);
}

/* A clip that ran well, an endless one in the place of its successor. */
static void play_endless(bool good) {
	clip_rig_init(&rig);
	if (good) {
		clip_rig_load(&rig, "c d e f", VAT_SPLICE_BAR);
		clip_rig_play(&rig, 96000 * 2, 512);
	}
	clip_rig_load(&rig, "g", VAT_SPLICE_BAR);
	make_endless(&rig.codes[rig.player.pending - 1]);
	clip_rig_forget(&rig);
	clip_rig_play(&rig, 96000 * 3, 512);
}

static void test_endless(void **state) {
	(void)state;
	play_endless(true);
	const struct clip_event *fault = find(CLIP_FAULT, 0);
	assert_int_equal(fault->tick, 2 * 384 + 6 * 96);
	assert_int_equal(rig.player.done, CLIP_DONE_FAILED);
	assert_non_null(strstr(rig.player.done_text, "last good clip"));
	/* On a beat: the last good one begins right there. */
	uint32_t at = (uint32_t)(fault - rig.events);
	const struct clip_event *next = find(CLIP_NOTE_ON, at);
	assert_int_equal(next->frame, fault->frame);
	assert_int_equal(next->pitch, 60);
	assert_int_equal(count(CLIP_FAULT), 1);
	assert_true(rig.player.running);

	/* Without one: the fallback, or silence, and no hang. */
	play_endless(false);
	assert_int_equal(rig.player.done, CLIP_DONE_FAILED);
	assert_int_equal(rig.player.running, 0);
	assert_int_equal(rig.sounding_count, 0);

	struct clip_error error;
	clip_rig_init(&rig);
	assert_true(
		clip_set_fallback(&rig.clip, "a", 1, &clip_rig_vocabulary, &rig.scratch, &error));
	clip_rig_load(&rig, "g", VAT_SPLICE_BAR);
	make_endless(&rig.codes[rig.player.pending - 1]);
	clip_rig_play(&rig, 96000 * 3, 512);
	assert_int_equal(rig.player.running, rig.player.fallback);
	assert_int_equal(find(CLIP_NOTE_ON, rig.event_count - 1)->pitch, 69);
}

/* The whole clip is followed with no more than a copy: what will be is what is. */
static void test_look(void **state) {
	(void)state;
	static struct clip_look look;
	static struct clip_seen seen[512];
	clip_rig_init(&rig);
	clip_rig_load(&rig, "gate 50\nstep 1/8\nc _ <d [e f]> _\ng:6 _ . c?", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 50000, 512);
	struct clip_player before = rig.player;
	uint32_t n = clip_look(&rig.clip, 96 * 16, &look, seen, 512);
	assert_memory_equal(&before, &rig.player, sizeof(before));
	clip_rig_forget(&rig);
	clip_rig_play(&rig, 24000 * 16, 512);
	uint32_t i = 0;
	while (i < n && seen[i].sounds) {
		i++;
	}
	for (uint32_t j = 0; j < rig.event_count; j++) {
		const struct clip_event *event = &rig.events[j];
		if (event->type == CLIP_NOTE_ON) {
			assert_true(i < n);
			assert_int_equal(seen[i].tick, event->tick);
			assert_int_equal(seen[i].pitch, event->pitch);
			assert_int_equal(seen[i].channel, event->channel);
			assert_int_equal(seen[i].source, event->source);
			for (uint32_t k = j; k < rig.event_count; k++) {
				if (rig.events[k].type == CLIP_NOTE_OFF &&
					rig.events[k].note == event->note) {
					assert_int_equal(seen[i].end, rig.events[k].tick);
				}
			}
			i++;
		}
	}
	assert_int_equal(i, n);
	assert_true(n > 8);
}

/* State of any kind is taken or put away, and what is no bytecode does not run. */
static void test_attach(void **state) {
	(void)state;
	clip_rig_init(&rig);
	clip_rig_load(&rig, "c d e f", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 30000, 512);
	assert_true(clip_attach(&rig.clip));
	uint32_t running = rig.player.running;
	assert_true(running);
	rig.codes[running - 1].words[5] ^= 1;
	assert_false(clip_attach(&rig.clip));
	assert_int_equal(rig.player.running, 0);
	clip_rig_play(&rig, 48000, 512);
	assert_int_equal(rig.sounding_count, 0);

	clip_rig_init(&rig);
	clip_rig_load(&rig, "c d e f", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 30000, 512);
	rig.tracks[0].pc = CLIP_WORDS + 7;
	assert_false(clip_attach(&rig.clip));
	assert_int_equal(rig.player.running, 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bar_lines),
		cmocka_unit_test(test_grains),
		cmocka_unit_test(test_tempo),
		cmocka_unit_test(test_stop_and_go),
		cmocka_unit_test(test_locate),
		cmocka_unit_test(test_skipped),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_attach),
	};
	return cmocka_run_group_tests_name("clip-run", tests, NULL, NULL);
}

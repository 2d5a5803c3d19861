/* SPDX-License-Identifier: MIT */
/* How one clip takes over from another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clip_rig.h"

#define BEAT 24000 /* frames, at 120 */
#define BAR (4 * BEAT)

static struct clip_rig rig;

void clip_rig_fail(const char *what) {
	fail_msg("%s", what);
	abort();
}

static const struct clip_event *find(enum clip_event_type type, uint32_t pitch) {
	for (uint32_t i = 0; i < rig.event_count; i++) {
		if (rig.events[i].type == type && (!pitch || rig.events[i].pitch == pitch)) {
			return &rig.events[i];
		}
	}
	fail_msg("no event of type %d", type);
	abort();
}

static uint32_t count(enum clip_event_type type, uint32_t pitch) {
	uint32_t n = 0;
	for (uint32_t i = 0; i < rig.event_count; i++) {
		n += rig.events[i].type == type && (!pitch || rig.events[i].pitch == pitch);
	}
	return n;
}

/* `first` plays to a frame, then `second` comes and plays so long. */
static void over(const char *first, uint64_t frame, const char *second, uint64_t frames) {
	clip_rig_init(&rig);
	clip_rig_load(&rig, first, VAT_SPLICE_NOW);
	clip_rig_play(&rig, frame, 500);
	clip_rig_forget(&rig);
	clip_rig_load(&rig, second, VAT_SPLICE_BAR);
	if (rig.player.error_line) {
		fail_msg("%s", rig.player.error_text);
	}
	clip_rig_play(&rig, frames, 500);
}

/* All points: the first note of the new clip is at the very frame. */
static void test_points(void **state) {
	(void)state;
	static const struct {
		const char *head;
		uint64_t at, frame;
	} cases[] = {
		{"splice !", 30000, 30000},
		{"splice @beat", 30000, 2 * BEAT},
		{"splice @beat", 2 * BEAT, 2 * BEAT},
		{"", 30000, BAR},
		{"splice @bar", BAR, BAR},
		{"splice @bar", BAR + 1, 2 * BAR},
		{"splice @phrase(3)", 30000, 3 * BAR},
		{"splice @phrase", 30000, 4 * BAR},
		/* Three beats are the loop. */
		{"splice @loop", 2 * BEAT, 3 * BEAT},
		{"splice @loop", 3 * BEAT + 1, 6 * BEAT},
		{"splice @marker(here)", 30000, 5 * BEAT},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[100];
		snprintf(text, sizeof(text), "%s\ng", cases[i].head);
		clip_rig_init(&rig);
		rig.transport.marker_count = 1;
		rig.transport.markers[0] = (struct vat_marker){.tick = 480, .name = "here"};
		clip_rig_load(&rig, "c d e", VAT_SPLICE_NOW);
		clip_rig_play(&rig, cases[i].at, 500);
		clip_rig_forget(&rig);
		uint32_t serial = clip_rig_load(&rig, text, VAT_SPLICE_BAR);
		clip_rig_play(&rig, 6 * BAR, 500);
		const struct clip_event *spliced = find(CLIP_SPLICED, 0);
		const struct clip_event *first = find(CLIP_NOTE_ON, 67);
		if (spliced->frame != cases[i].frame || first->frame != cases[i].frame) {
			fail_msg("%s at %llu: %llu", cases[i].head, (unsigned long long)cases[i].at,
				(unsigned long long)spliced->frame);
		}
		assert_int_equal(spliced->serial, serial);
		assert_int_equal(rig.player.done, CLIP_DONE_SPLICED);
		assert_int_equal(rig.player.done_serial, serial);
		assert_int_equal(rig.player.done_frame, cases[i].frame);
		if (i) {
			assert_int_equal(rig.player.done_tick, cases[i].frame / 250);
		}
		/* Nothing of the old one behind it. */
		for (const struct clip_event *event = spliced; event < rig.events + rig.event_count;
			event++) {
			assert_true(event->type != CLIP_NOTE_ON || event->pitch == 67);
		}
	}
}

/* While it waits: the tempo changes, the meter does, the marker goes. */
static void test_moves(void **state) {
	(void)state;
	over("c d e f", 30000, "g", 100);
	assert_int_equal(clip_splice_tick(&rig.clip), 384);
	clip_rig_tempo(&rig, 60000);
	uint64_t bar = vat_part_frame(&rig.transport.parts[1], RIG_RATE, 384);
	clip_rig_play(&rig, 4 * BAR, 500);
	assert_int_equal(find(CLIP_SPLICED, 0)->frame, bar);

	over("c d e f", 30000, "g", 100);
	rig.transport.parts[0].beats_a_bar = rig.transport.parts[1].beats_a_bar = 3;
	clip_rig_play(&rig, 4 * BAR, 500);
	assert_int_equal(find(CLIP_SPLICED, 0)->frame, 3 * BEAT);

	clip_rig_init(&rig);
	rig.transport.marker_count = 1;
	rig.transport.markers[0] = (struct vat_marker){.tick = 960, .name = "here"};
	clip_rig_load(&rig, "c", VAT_SPLICE_NOW);
	clip_rig_play(&rig, 1000, 500);
	clip_rig_load(&rig, "splice @marker(here)\ng", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 1000, 500);
	assert_int_equal(clip_splice_tick(&rig.clip), 960);
	rig.transport.markers[0].tick = 1056;
	clip_rig_play(&rig, 1000, 500);
	assert_int_equal(clip_splice_tick(&rig.clip), 1056);
	rig.transport.marker_count = 0;
	clip_rig_play(&rig, 1000, 500);
	assert_int_equal(rig.player.done, CLIP_DONE_UNREACHABLE);
	assert_non_null(strstr(rig.player.done_text, "no marker 'here'"));
	assert_int_equal(rig.player.pending, 0);

	/* A transport that stands: it waits, and is met when that goes on. */
	clip_rig_stop(&rig);
	clip_rig_play(&rig, 1000, 500);
	clip_rig_forget(&rig);
	clip_rig_load(&rig, "g", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 10000, 500);
	assert_int_equal(clip_splice_tick(&rig.clip), INT64_MIN);
	clip_rig_go(&rig);
	clip_rig_play(&rig, 4 * BAR, 500);
	assert_int_equal(find(CLIP_SPLICED, 0)->tick, 384);

	/* It stopped just behind a beat, which has been played: that does not come again. */
	over("c d e f", BEAT + 10, "splice @beat\ng", 0);
	clip_rig_stop(&rig);
	clip_rig_play(&rig, 1000, 500);
	clip_rig_go(&rig);
	clip_rig_play(&rig, BAR, 500);
	assert_int_equal(find(CLIP_SPLICED, 0)->tick, 192);
}

static void test_latest(void **state) {
	(void)state;
	over("c d e f", 30000, "g", 100);
	uint32_t second = clip_rig_load(&rig, "a", VAT_SPLICE_BAR);
	assert_int_equal(rig.player.done, CLIP_DONE_SUPERSEDED);
	assert_int_equal(rig.player.done_serial, second - 1);
	clip_rig_play(&rig, BAR, 500);
	assert_int_equal(count(CLIP_SPLICED, 0), 1);
	assert_int_equal(count(CLIP_NOTE_ON, 67), 0);
	assert_true(count(CLIP_NOTE_ON, 69) > 0);
	for (uint32_t i = 0; i < 1000; i++) {
		clip_rig_load(&rig, i % 2 ? "c" : "d", VAT_SPLICE_BEAT);
	}
	clip_rig_play(&rig, BAR, 500);
	assert_int_equal(rig.player.done_serial, second + 1000);
}

/* What sounds no different goes on, wherever it is; what waited for its place does not come. */
static void test_same(void **state) {
	(void)state;
	over("c d e f", 30000, "# with a comment\nsplice @beat\nc d\n  e f # and one more", 100);
	assert_int_equal(rig.player.done, CLIP_DONE_SAME);
	clip_rig_load(&rig, "g", VAT_SPLICE_BAR);
	clip_rig_load(&rig, "c d e f", VAT_SPLICE_BAR);
	assert_int_equal(rig.player.pending, 0);
	clip_rig_play(&rig, 2 * BAR, 500);
	assert_int_equal(count(CLIP_SPLICED, 0), 0);
	assert_int_equal(find(CLIP_NOTE_ON, 64)->frame, 2 * BEAT);
	static const char *const others[] = {"c d e g", "tempo 120\nc d e f", "swing 60\nc d e f",
		"track x\nc d e f", "c d e f\nmark here", "transpose 1\nc d e f"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		clip_rig_load(&rig, others[i], VAT_SPLICE_BAR);
		assert_true(rig.player.pending);
	}
}

/* A note of four beats, a new clip in its middle. */
static void test_notes(void **state) {
	(void)state;
	over("c:4", 30000, "splice @beat\nnotes release\nc:4 d", BAR);
	assert_int_equal(find(CLIP_NOTE_OFF, 60)->frame, 2 * BEAT);
	assert_int_equal(rig.player.done_released, 1);
	assert_int_equal(count(CLIP_NOTE_ON, 60), 1);

	over("c:4", 30000, "splice @beat\nnotes sustain\ng:4", BAR);
	assert_int_equal(find(CLIP_NOTE_OFF, 60)->frame, 4 * BEAT);
	assert_int_equal(rig.player.done_released, 0);

	/* A tie of the new clip is not about what is left of the old one. */
	over("c:4", 30000, "splice @beat\nnotes sustain\n. . _ g", BAR);
	assert_int_equal(find(CLIP_NOTE_OFF, 60)->frame, 4 * BEAT);

	over("c:4", 30000, "splice @beat\nnotes crossfade\ng:1/2 a:7/2", BAR);
	const struct clip_event *fade = find(CLIP_NOTE_FADE, 60);
	assert_int_equal(fade->frame, 2 * BEAT);
	assert_int_equal(fade->fade_frames, BEAT / 2);
	assert_true(fade->gain == 1 && fade->gain_to == 0);
	assert_int_equal(find(CLIP_NOTE_OFF, 60)->frame, 2 * BEAT + BEAT / 2);
	assert_int_equal(rig.player.done_released, 1);
	const struct clip_event *on = find(CLIP_NOTE_ON, 67);
	assert_int_equal(on->fade_frames, BEAT / 2);
	assert_true(on->gain == 0 && on->gain_to == 1);
	assert_int_equal(find(CLIP_NOTE_ON, 69)->fade_frames, 0);

	/* The same note goes on, without a new attack; a tie takes any; the others end. */
	over("{c e}:4", 30000, "splice @beat\nnotes inherit\n{c g}:4", 2 * BAR);
	assert_int_equal(find(CLIP_NOTE_OFF, 64)->frame, 2 * BEAT);
	assert_int_equal(find(CLIP_NOTE_OFF, 60)->frame, 6 * BEAT);
	assert_int_equal(find(CLIP_NOTE_ON, 67)->frame, 2 * BEAT);
	assert_int_equal(find(CLIP_NOTE_ON, 60)->frame, 6 * BEAT);
	assert_int_equal(rig.player.done_released, 1);
	over("{c e}:4", 30000, "splice @beat\nnotes inherit\n_ _ g", BAR);
	assert_int_equal(find(CLIP_NOTE_OFF, 64)->frame, 4 * BEAT);
	assert_int_equal(find(CLIP_NOTE_OFF, 60)->frame, 4 * BEAT);
	assert_int_equal(rig.player.done_released, 0);
	/* Also where it would have ended. */
	over("c:2 d", 30000, "splice @beat\nnotes inherit\nc g", BAR);
	assert_int_equal(find(CLIP_NOTE_OFF, 60)->frame, 3 * BEAT);
	/* Another track's note is not the same. */
	over("track one\nc:4", 30000, "splice @beat\nnotes inherit\ntrack two\nc:4", BAR);
	assert_int_equal(find(CLIP_NOTE_OFF, 60)->frame, 2 * BEAT);
	assert_int_equal(count(CLIP_NOTE_ON, 60), 1);
}

/* The pitch of the first note of the second clip. */
static uint32_t pitch_over(const char *first, const char *second) {
	over(first, 30000, second, BAR);
	return find(CLIP_NOTE_ON, 0)->pitch;
}

static void test_state(void **state) {
	(void)state;
	/* What was modulated goes on; what the edit changed holds; what it took away goes on. */
	assert_int_equal(
		pitch_over("transpose 2\nc\nmodulate +3", "transpose 2\nsplice !\ng"), 67 + 5 + 0);
	assert_int_equal(pitch_over("transpose 2\nc", "transpose 4\nsplice !\ng"), 71);
	assert_int_equal(pitch_over("transpose 2\nc", "splice !\ng"), 69);
	assert_int_equal(pitch_over("transpose 2\nc", "state reset\nsplice !\ng"), 67);
	assert_int_equal(pitch_over("transpose 2\nc", "state merge\nsplice !\ng"), 69);
	assert_int_equal(
		pitch_over("transpose 2\nmodulate +3\nc", "transpose 2\nstate merge\nsplice !\ng"),
		69);
	over("velocity 50%\ntempo 90\nc", 30000, "splice !\ng", 1000);
	assert_int_equal(find(CLIP_NOTE_ON, 67)->velocity, 48);
	assert_int_equal(count(CLIP_TEMPO, 0), 0);
	assert_int_equal(rig.player.tempo, 90000);
	over("velocity 50%\ntempo 90\nc", 30000, "state reset\nsplice !\ng", 1000);
	assert_int_equal(find(CLIP_NOTE_ON, 67)->velocity, 96);
	assert_int_equal(find(CLIP_TEMPO, 0)->value, VAT_TEMPO);
	over("tempo 90\nc", 30000, "tempo 91.5\nsplice !\ng", 1000);
	assert_int_equal(find(CLIP_TEMPO, 0)->value, 91500);
	over("tempo 90\nc", 30000, "tempo 90\nsplice !\ng", 1000);
	assert_int_equal(count(CLIP_TEMPO, 0), 0);
	/* By hand. */
	over("c", 30000, "splice !\ng", 1000);
	clip_nudge(&rig.clip, 1, 0);
	clip_rig_play(&rig, BEAT, 500);
	assert_true(count(CLIP_NOTE_ON, 68) > 0);
}

/* `first` plays to a frame with a transport that answers after so many frames, then `second` comes.
 */
static void answered(const char *first, uint64_t frame, const char *second, uint32_t after) {
	clip_rig_init(&rig);
	rig.answers = true;
	rig.answer_after = after;
	clip_rig_load(&rig, first, VAT_SPLICE_NOW);
	clip_rig_play(&rig, frame, 500);
	clip_rig_forget(&rig);
	clip_rig_load(&rig, second, VAT_SPLICE_BAR);
}

/* The tempo and the meter of a clip hold from the tick on at which it begins: its notes, and the
 * bars behind it, are where they should be. */
static void test_tempo_is_exact(void **state) {
	(void)state;
	static const uint32_t after[] = {0, 500, 4000};
	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		answered("c d e f", 30000, "tempo 90\nmeter 3/4\ng a b", after[i]);
		clip_rig_play(&rig, 3 * BAR, 500);
		assert_int_equal(find(CLIP_SPLICED, 0)->frame, BAR);
		assert_int_equal(find(CLIP_NOTE_ON, 67)->frame, BAR);
		assert_int_equal(find(CLIP_NOTE_ON, 69)->frame, BAR + 32000);
		assert_int_equal(find(CLIP_NOTE_ON, 71)->frame, BAR + 64000);
		const struct vat_transport_part *part = &rig.transport.parts[1];
		assert_int_equal(part->frame, BAR);
		assert_int_equal(part->tempo, 90000);
		assert_int_equal(part->beats_a_bar, 3);
		int64_t behind;
		assert_int_equal(vat_part_bar(part, 384 + 287, &behind), 1);
		assert_int_equal(vat_part_bar(part, 384 + 288, &behind), 2);
		/* Nothing more is asked for, and the next one is at a bar of three. */
		assert_int_equal(count(CLIP_TEMPO, 0), 1);
		assert_int_equal(count(CLIP_METER, 0), 1);
		clip_rig_forget(&rig);
		clip_rig_load(&rig, "tempo 90\nmeter 3/4\nc", VAT_SPLICE_BAR);
		clip_rig_play(&rig, 3 * BAR, 500);
		assert_int_equal((find(CLIP_SPLICED, 0)->frame - BAR) % 96000, 0);
		assert_int_equal(count(CLIP_TEMPO, 0), 0);
	}
	/* Before anything plays: it begins with it. */
	clip_rig_init(&rig);
	rig.answers = true;
	clip_rig_stop(&rig);
	clip_rig_load(&rig, "tempo 90\nc d e f", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 1000, 500);
	clip_rig_forget(&rig);
	clip_rig_go(&rig);
	clip_rig_play(&rig, 3 * BAR, 500);
	assert_int_equal(find(CLIP_NOTE_ON, 60)->tick, 0);
	assert_int_equal(find(CLIP_NOTE_ON, 62)->frame - find(CLIP_NOTE_ON, 60)->frame, 32000);
}

/* A transport that does not answer in time: the splice waits for the next point, and not for ever.
 */
static void test_tempo_is_late(void **state) {
	(void)state;
	answered("c d e f", 30000, "tempo 90\ng a b", 90000);
	clip_rig_play(&rig, 2 * BAR, 500);
	uint64_t at = find(CLIP_SPLICED, 0)->frame;
	assert_int_equal(at, 2 * BAR);
	assert_int_equal(rig.transport.parts[1].frame, at);
	assert_int_equal(rig.transport.parts[1].tempo, 90000);
	/* Too near to be asked for. */
	answered("c d e f", BAR - 1000, "tempo 90\ng a b", 100);
	clip_rig_play(&rig, 2 * BAR, 500);
	assert_int_equal(find(CLIP_SPLICED, 0)->frame, 2 * BAR);
	/* Never. */
	over("c d e f", 30000, "tempo 90\ng", 8 * BAR);
	assert_int_equal(find(CLIP_SPLICED, 0)->frame, 5 * BAR);
	/* It cannot even be asked. */
	over("c d e f", 30000, "tempo 90\ng", 0);
	clip_ahead_refused(&rig.clip);
	clip_rig_play(&rig, 2 * BAR, 500);
	assert_int_equal(find(CLIP_SPLICED, 0)->frame, BAR);
}

/* A clip that is taken back leaves no tempo behind, nor does one whose point moves. */
static void test_tempo_is_taken_back(void **state) {
	(void)state;
	answered("c d e f", 30000, "tempo 90\nmeter 3/4\ng", 0);
	clip_rig_play(&rig, 20000, 500);
	assert_int_equal(rig.transport.parts[1].tempo, 90000);
	clip_rig_load(&rig, "a", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 1000, 500);
	assert_int_equal(rig.transport.parts[1].tempo, VAT_TEMPO);
	clip_rig_play(&rig, 2 * BAR, 500);
	assert_int_equal(rig.transport.parts[1].tempo, VAT_TEMPO);
	assert_int_equal(rig.transport.parts[1].beats_a_bar, 4);
	assert_int_equal(find(CLIP_SPLICED, 0)->frame, BAR);
	/* By one with a tempo of its own, at another point. */
	answered("c d e f", 30000, "tempo 90\ng", 0);
	clip_rig_play(&rig, 20000, 500);
	clip_rig_load(&rig, "tempo 100\nsplice @phrase(3)\na", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 2 * BAR, 500);
	assert_int_equal(rig.transport.parts[1].frame, 3 * BAR);
	assert_int_equal(rig.transport.parts[1].tempo, 100000);
	/* A marker that goes. */
	clip_rig_init(&rig);
	rig.answers = true;
	rig.transport.marker_count = 1;
	rig.transport.markers[0] = (struct vat_marker){.tick = 960, .name = "here"};
	clip_rig_load(&rig, "c", VAT_SPLICE_NOW);
	clip_rig_play(&rig, 1000, 500);
	clip_rig_load(&rig, "tempo 90\nsplice @marker(here)\ng", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 1000, 500);
	assert_int_equal(rig.transport.parts[1].tick, 960);
	rig.transport.marker_count = 0;
	clip_rig_play(&rig, 4 * BAR, 500);
	assert_int_equal(rig.transport.parts[1].tempo, VAT_TEMPO);
	/* Before anything plays. */
	clip_rig_init(&rig);
	rig.answers = true;
	clip_rig_stop(&rig);
	clip_rig_load(&rig, "tempo 90\ng", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 1000, 500);
	assert_int_equal(rig.transport.parts[1].tempo, 90000);
	clip_rig_load(&rig, "g", VAT_SPLICE_BAR);
	clip_rig_play(&rig, 1000, 500);
	assert_int_equal(rig.transport.parts[1].tempo, VAT_TEMPO);
}

static void load(const char *text, enum clip_on_error on_error) {
	struct clip_options options = {.splice = {.kind = VAT_SPLICE_BEAT}, .on_error = on_error};
	clip_load(&rig.clip, text, strlen(text), &clip_rig_vocabulary, &options, &rig.scratch);
}

static void test_on_error(void **state) {
	(void)state;
	over("c", 30000, "", 0);
	load("c\nc ]", CLIP_KEEP);
	assert_int_equal(rig.player.done, CLIP_DONE_REFUSED);
	assert_int_equal(rig.player.error_line, 2);
	assert_int_equal(rig.player.error_column, 3);
	/* What waited, waits: it was good. */
	assert_true(rig.player.pending);
	load("c", CLIP_KEEP);
	assert_string_equal(rig.player.error_text, "");
	clip_rig_play(&rig, BAR, 500);
	clip_rig_forget(&rig);
	load("]", CLIP_STOP);
	clip_rig_play(&rig, BAR, 500);
	assert_int_equal(rig.sounding_count, 0);
	assert_int_equal(count(CLIP_NOTE_ON, 0), 0);
	load("c", CLIP_STOP);
	clip_rig_play(&rig, BAR, 500);
	struct clip_error error;
	assert_true(
		clip_set_fallback(&rig.clip, "a", 1, &clip_rig_vocabulary, &rig.scratch, &error));
	clip_rig_forget(&rig);
	load("]", CLIP_FALLBACK);
	clip_rig_play(&rig, BAR, 500);
	assert_true(count(CLIP_NOTE_ON, 69) > 2);
}

/* An empty clip is silence, and its end another clip. */
static void test_empty(void **state) {
	(void)state;
	over("c d e f", 30000, "# nothing\n", 2 * BAR);
	assert_int_equal(rig.sounding_count, 0);
	assert_int_equal(find(CLIP_SPLICED, 0)->frame, BAR);
	clip_rig_forget(&rig);
	clip_rig_load(&rig, "c", VAT_SPLICE_LOOP);
	clip_rig_play(&rig, 2 * BAR, 500);
	assert_int_equal(find(CLIP_SPLICED, 0)->frame % BAR, 0);
}

/* A mark is told when its pass begins, ahead of its time. */
static void test_marks(void **state) {
	(void)state;
	over("", 1000, "splice @bar\nc d e f\nmark chorus\ng:8", 8 * BAR);
	const struct clip_event *mark = find(CLIP_MARK, 0);
	assert_string_equal(mark->name, "chorus");
	assert_int_equal(mark->tick, 384);
	assert_int_equal(mark->at, 768);
	assert_int_equal(count(CLIP_MARK, 0), 3);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_latest),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_tempo_is_exact),
		cmocka_unit_test(test_tempo_is_late),
		cmocka_unit_test(test_tempo_is_taken_back),
		cmocka_unit_test(test_on_error),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_marks),
	};
	return cmocka_run_group_tests_name("clip-splice", tests, NULL, NULL);
}

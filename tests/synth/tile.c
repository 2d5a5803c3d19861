/* SPDX-License-Identifier: MIT */
/* The tile as a whole: a clip's file becomes sound at its bar, keys play, and nothing of it lives
 * outside of the cells. */
#include <linux/input-event-codes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcft/fcft.h>

#include "clip.h"
#include "fake_host.h"
#include "voice.h"

#define SECOND FAKE_RATE
#define MOST (12 * SECOND)

static float left[MOST], right[MOST], other_left[MOST], other_right[MOST];
static char path[64];

static void save(const char *text) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int make_file(void **state) {
	strcpy(path, "/tmp/synth-tile-XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
	return unlink(path);
}

static bool start(struct fake_host *fake, const char *clip) {
	const char *const options[][2] = {{"clip", clip}, {"play", "yes"}, {NULL, NULL}};
	return fake_host_start(fake, ARTIFACT, options, NULL);
}

/* A new clip begins at the very frame of its bar. */
static void test_splice_is_exact(void **state) {
	struct fake_host fake;
	save("tempo 120\nonce\n. . . .\n");
	assert_true(start(&fake, path));
	fake_host_render(&fake, 3 * SECOND, 512, left, right);
	for (int i = 0; i < 3 * SECOND; i++) {
		assert_true(left[i] == 0);
	}
	save("sound sub\nc c c c\n");
	fake_host_saved(&fake);
	/* Bars of two seconds: the next one is at four. A click of the first frame would do: its
	 * envelope has begun to rise in that one. */
	fake_host_render(&fake, 3 * SECOND, 333, left, right);
	int first = 0;
	while (first < 3 * SECOND && left[first] == 0) {
		first++;
	}
	print_message("# first sample of the new clip: frame %d\n", 3 * SECOND + first);
	assert_true(first >= SECOND && first <= SECOND + 1);
	const struct clip_player *player = fake_host_cell(&fake, "clip");
	assert_int_equal(player->done, CLIP_DONE_SPLICED);
	assert_true(player->done_frame == 4 * SECOND);
	fake_host_finish(&fake);
}

/* The tempo and the meter of a clip hold from its first sample on, and bars are counted from there.
 */
static void test_tempo_is_exact(void **state) {
	struct fake_host fake;
	save("once\n. . . .\n");
	assert_true(start(&fake, path));
	fake_host_render(&fake, 3 * SECOND, 512, left, right);
	save("tempo 90\nmeter 3/4\nonce\nsound sub\n. . . c\n");
	fake_host_saved(&fake);
	/* It begins at four seconds; its fourth beat is one of 90 a minute. */
	fake_host_render(&fake, 4 * SECOND, 333, left, right);
	int first = 0;
	while (first < 4 * SECOND && left[first] == 0) {
		first++;
	}
	print_message("# first sample of its fourth beat: frame %d\n", first);
	assert_true(first >= 3 * SECOND && first <= 3 * SECOND + 1);
	const struct vat_transport_part *part = &fake.transport.parts[1];
	assert_true(part->frame == 4 * SECOND);
	assert_int_equal(part->tempo, 90000);
	int64_t behind;
	assert_int_equal(vat_part_bar(part, part->tick, &behind), 2);
	assert_int_equal(behind, 0);
	fake_host_finish(&fake);
}

/* A file that cannot be read is said in the log as well, once; what plays goes on. */
static void test_no_file(void **state) {
	struct fake_host fake;
	save("sound organ\nc e g c'\n");
	assert_true(start(&fake, path));
	fake_host_render(&fake, 3 * SECOND, 512, left, right);
	fake.logged[0] = '\0';
	/* Some editors put it away before they make it anew. */
	unlink(path);
	fake_host_saved(&fake);
	fake_host_render(&fake, SECOND / 10, 512, left, right);
	assert_string_equal(fake.logged, "");
	save("sound organ\nc e g c'\n");
	fake_host_saved(&fake);
	fake_host_render(&fake, SECOND, 512, left, right);
	assert_string_equal(fake.logged, "");
	unlink(path);
	fake_host_saved(&fake);
	fake_host_render(&fake, SECOND, 512, left, right);
	assert_non_null(strstr(fake.logged, "no such file"));
	fake.logged[0] = '\0';
	fake_host_saved(&fake);
	fake_host_render(&fake, SECOND, 512, left, right);
	assert_string_equal(fake.logged, "");
	const struct clip_player *player = fake_host_cell(&fake, "clip");
	assert_true(player->running && !player->pending);
	/* The same text again: it goes on as if nothing had been. */
	save("sound organ\nc e g c'\n");
	fake_host_saved(&fake);
	assert_true(player->running && !player->pending);
	fake_host_finish(&fake);
}

/* An error is said with its place, and what plays goes on. */
static void test_error(void **state) {
	struct fake_host fake;
	save("sound organ\nc e g c'\n");
	assert_true(start(&fake, path));
	fake_host_render(&fake, 3 * SECOND, 512, left, right);
	save("sound organ\nc e oops c'\n");
	fake_host_saved(&fake);
	const struct clip_player *player = fake_host_cell(&fake, "clip");
	assert_int_equal(player->error_line, 2);
	fake_host_render(&fake, 4 * SECOND, 512, left, right);
	float most = 0;
	for (int i = 3 * SECOND; i < 4 * SECOND; i++) {
		most = fmaxf(most, fabsf(left[i]));
	}
	assert_true(most > 0.01f);
	fake_host_finish(&fake);
}

/* A message for each of the samples would take for ever. */
static void assert_same(const float *one, const float *other, uint32_t count, const char *clip) {
	for (uint32_t i = 0; i < count; i++) {
		/* To the bit. */
		/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
		if (memcmp(&one[i], &other[i], sizeof(*one)) != 0) {
			fail_msg("%s: sample %u is %g and not %g", clip, i, (double)other[i],
				(double)one[i]);
		}
	}
}

/* With every clip that is installed: other slices, and other versions that take over while it
 * plays, are not heard. */
static void test_handovers_are_not_heard(void **state) {
	static const char *const clips[] = {"night-drive", "glass", "acid", "three-four"};
	for (size_t i = 0; i < sizeof(clips) / sizeof(clips[0]); i++) {
		const uint32_t frames = 5 * SECOND;
		char clip[200];
		snprintf(clip, sizeof(clip), "%s/%s.clip", CLIPS, clips[i]);
		struct fake_host one, *now = malloc(sizeof(*now));
		assert_true(start(&one, clip));
		fake_host_render(&one, frames, 256, left, right);
		const struct clip_player *player = fake_host_cell(&one, "clip");
		assert_int_equal(player->error_line, 0);
		assert_true(player->notes_on > 4);
		assert_true(start(now, clip));
		fake_host_render(now, SECOND, 300, other_left, other_right);
		for (uint32_t at = SECOND, part = 1000; at < frames; at += part, part += 7001) {
			const char *const options[][2] = {{"clip", clip}, {NULL, NULL}};
			struct fake_host *next = malloc(sizeof(*next));
			assert_true(fake_host_start(next, ARTIFACT, options, now));
			fake_host_finish(now);
			free(now);
			now = next;
			part = part < frames - at ? part : frames - at;
			fake_host_render(
				now, part, 50 + at / 7 % 900, other_left + at, other_right + at);
		}
		assert_same(left, other_left, frames, clips[i]);
		assert_same(right, other_right, frames, clips[i]);
		char why[200];
		assert_true(now->descriptor->ops->check(&now->tile, why, sizeof(why)));
		fake_host_finish(now);
		free(now);
		fake_host_finish(&one);
	}
}

static uint32_t held(const struct fake_host *fake) {
	const struct synth_group *groups = fake_host_cell(fake, "voices");
	uint32_t count = 0;
	for (int i = 0; i < SYNTH_VOICES; i++) {
		count += groups[i / LANES].stage[0][i % LANES] == SYNTH_HELD;
	}
	return count;
}

/* Keys play without a clip and without the transport, from the next frame on; what is held when the
 * tile loses the keyboard ends. */
static void test_keys(void **state) {
	struct fake_host fake;
	assert_true(fake_host_start(&fake, ARTIFACT, NULL, NULL));
	fake_host_render(&fake, SECOND, 256, left, right);
	assert_true(left[SECOND - 1] == 0);
	fake_host_key(&fake, KEY_Z, TILE_KEY_PRESSED);
	fake_host_key(&fake, KEY_Z, TILE_KEY_REPEATED);
	fake_host_key(&fake, KEY_C, TILE_KEY_PRESSED);
	assert_int_equal(held(&fake), 2);
	fake_host_render(&fake, SECOND, 256, left, right);
	int first = 0;
	while (first < SECOND && left[first] == 0) {
		first++;
	}
	assert_true(first < 3);
	fake_host_key(&fake, KEY_Z, TILE_KEY_RELEASED);
	assert_int_equal(held(&fake), 1);
	fake.descriptor->ops->input(
		&fake.tile, &(struct tile_input){.type = TILE_INPUT_FOCUS, .focus = false});
	assert_int_equal(held(&fake), 0);
	/* Ends in silence, and asks for nothing any more. */
	for (int i = 0; i < 3; i++) {
		fake_host_render(&fake, 6 * SECOND, 1024, left, right);
	}
	assert_true(fabsf(left[6 * SECOND - 1]) < 1e-6f);
	assert_true(fake.wake_at == UINT64_MAX);
	fake_host_finish(&fake);
}

static void touch(struct fake_host *fake, enum tile_input_type type, bool pressed, double x) {
	fake->descriptor->ops->input(&fake->tile,
		&(struct tile_input){.type = type,
			.pointer = {.tx = x,
				.ty = fake->tile.height - 40,
				.button = BTN_LEFT,
				.pressed = pressed}});
}

/* What is held rings on behind its key, until it is not held any more; the pointer plays, too. */
static void test_hold_and_touch(void **state) {
	struct fake_host fake;
	assert_true(fake_host_start(&fake, ARTIFACT, NULL, NULL));
	fake_host_key(&fake, KEY_ENTER, TILE_KEY_PRESSED);
	for (int i = 0; i < 3; i++) {
		fake_host_key(&fake, KEY_Z, TILE_KEY_PRESSED);
		fake_host_key(&fake, KEY_Z, TILE_KEY_RELEASED);
	}
	assert_int_equal(held(&fake), 3);
	/* More than there is room for: the oldest end. */
	for (int i = 0; i < 40; i++) {
		fake_host_key(&fake, KEY_X, TILE_KEY_PRESSED);
		fake_host_key(&fake, KEY_X, TILE_KEY_RELEASED);
	}
	assert_true(held(&fake) <= 16);
	fake_host_render(&fake, SECOND / 10, 512, left, right);
	fake_host_key(&fake, KEY_ENTER, TILE_KEY_PRESSED);
	assert_int_equal(held(&fake), 0);
	touch(&fake, TILE_INPUT_POINTER_BUTTON, true, 100);
	assert_int_equal(held(&fake), 1);
	touch(&fake, TILE_INPUT_POINTER_MOTION, true, 100);
	assert_int_equal(held(&fake), 1);
	fake_host_render(&fake, SECOND / 10, 512, left, right);
	touch(&fake, TILE_INPUT_POINTER_MOTION, true, 300);
	assert_int_equal(held(&fake), 1);
	touch(&fake, TILE_INPUT_POINTER_BUTTON, false, 300);
	fake_host_render(&fake, SECOND / 10, 512, left, right);
	assert_int_equal(held(&fake), 0);
	touch(&fake, TILE_INPUT_POINTER_MOTION, false, 100);
	assert_int_equal(held(&fake), 0);
	fake_host_finish(&fake);
}

/* Struck and let go before anything is rendered: it sounds all the same, however that is sliced. */
static void test_tap(void **state) {
	float *const outs[] = {left, other_left};
	for (int i = 0; i < 2; i++) {
		struct fake_host fake;
		assert_true(fake_host_start(&fake, ARTIFACT, NULL, NULL));
		fake_host_key(&fake, KEY_Z, TILE_KEY_PRESSED);
		fake_host_key(&fake, KEY_Z, TILE_KEY_RELEASED);
		fake_host_render(&fake, SECOND, i ? 77 : 1024, outs[i], right);
		assert_int_equal(held(&fake), 0);
		fake_host_finish(&fake);
	}
	float most = 0;
	for (int i = 0; i < SECOND; i++) {
		most = fmaxf(most, fabsf(left[i]));
	}
	print_message("# a tap is as loud as %.3f\n", (double)most);
	assert_true(most > 0.02f);
	assert_same(left, other_left, SECOND, "a tap");
}

/* What is drawn depends on cells alone: another version draws the same. */
static void test_picture(void **state) {
	struct fake_host fake, next;
	const char *const options[][2] = {
		{"clip", CLIPS "/night-drive.clip"}, {"play", "yes"}, {NULL, NULL}};
	assert_true(fake_host_start(&fake, ARTIFACT, options, NULL));
	fake_host_render(&fake, 5 * SECOND, 512, left, right);
	size_t pixels = (size_t)fake.tile.width * (size_t)fake.tile.height;
	uint32_t *one = calloc(pixels, 4), *other = calloc(pixels, 4);
	fake.descriptor->ops->update(&fake.tile);
	fake_host_draw(&fake, one);
	assert_true(fake_host_start(&next, ARTIFACT, options, &fake));
	fake_host_draw(&next, other);
	assert_memory_equal(one, other, pixels * 4);
	bool note = false;
	for (size_t i = 0; i < pixels; i++) {
		note |= (one[i] & 0xffffff) == 0xd67fb6; /* the pad */
	}
	assert_true(note);
	free(one);
	free(other);
	fake_host_finish(&fake);
	fake_host_finish(&next);
}

/* What a tile's host does. */
static int set_up(void **state) {
	return fcft_init(FCFT_LOG_COLORIZE_NEVER, false, FCFT_LOG_CLASS_ERROR) ? make_file(state)
									       : -1;
}

static int tear_down(void **state) {
	fcft_fini();
	return remove_file(state);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_splice_is_exact),
		cmocka_unit_test(test_tempo_is_exact),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_handovers_are_not_heard),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_hold_and_touch),
		cmocka_unit_test(test_tap),
		cmocka_unit_test(test_picture),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

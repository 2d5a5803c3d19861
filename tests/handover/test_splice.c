/* SPDX-License-Identifier: MIT */
/* When handovers happen in music: moments that several splice points share. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "compositor/splice.h"
#include "ring.h"
#include "vat.h"

/* 120 beats a minute at 48 kHz: a beat has 24,000 frames, a bar 96,000. */
static struct vat_transport playing(void) {
	struct vat_transport transport = {.rate = VAT_RATE, .marker_count = 1};
	transport.parts[0] = transport.parts[1] = (struct vat_transport_part){
		.frame = 1000,
		.tempo = VAT_TEMPO,
		.beats_a_bar = 4,
		.bars_a_phrase = 4,
		.playing = 1,
	};
	transport.markers[0].tick = 10 * 4 * VAT_PPQ + VAT_PPQ;
	strcpy(transport.markers[0].name, "here");
	return transport;
}

static struct vat_splice_point point(const char *text) {
	struct vat_splice_point point;
	assert_int_equal(vat_splice_parse(text, &point, NULL), 0);
	return point;
}

static void test_one(void **state) {
	const struct vat_transport transport = playing();
	struct city_moment moment;
	static const struct {
		const char *text;
		uint64_t from, frame;
		int64_t tick;
	} cases[] = {
		{"!", 1234, 1234, 0},
		{"@beat", 1001, 25000, 96},
		{"@beat", 25000, 25000, 96},
		{"@bar", 1001, 97000, 384},
		{"@bar", 97001, 193000, 768},
		{"@loop", 97001, 193000, 768},
		{"@phrase", 97001, 385000, 1536},
		{"@phrase(3)", 97001, 289000, 1152},
		{"@marker(here)", 97001, 985000, 3936},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vat_splice_point asked = point(cases[i].text);
		assert_int_equal(
			city_splice_common(&transport, &asked, 1, cases[i].from, &moment, NULL), 0);
		assert_int_equal(moment.frame, cases[i].frame);
		assert_int_equal(moment.tick, cases[i].tick);
		assert_true(strcmp(cases[i].text, "!") == 0 ||
			city_splice_holds(&transport, &asked, 1, &moment));
	}
}

static void test_several(void **state) {
	const struct vat_transport transport = playing();
	struct city_moment moment;
	struct vat_error error;
	/* Bars 12, 24, ... are multiples of both. */
	const struct vat_splice_point phrases[] = {
		point("@phrase(3)"), point("!"), point("@phrase(4)"), point("@beat")};
	assert_int_equal(city_splice_common(&transport, phrases, 4, 97001, &moment, &error), 0);
	assert_int_equal(moment.tick, 12 * 384);
	assert_int_equal(moment.frame, 1000 + 12 * 96000);
	/* The marker is at the second beat of bar 10. */
	const struct vat_splice_point marker[] = {point("@beat"), point("@marker(here)")};
	assert_int_equal(city_splice_common(&transport, marker, 2, 97001, &moment, &error), 0);
	assert_int_equal(moment.frame, 985000);
	const struct vat_splice_point never[] = {point("@bar"), point("@marker(here)")};
	assert_int_equal(city_splice_common(&transport, never, 2, 97001, &moment, &error), -ENOENT);
	assert_null(strchr(error.text, '\n'));
	const struct vat_splice_point nowhere[] = {point("@bar"), point("@marker(there)")};
	assert_int_equal(
		city_splice_common(&transport, nowhere, 2, 97001, &moment, &error), -ENOENT);
	assert_non_null(strstr(error.text, "there"));
}

static void test_change(void **state) {
	struct vat_transport transport = playing();
	struct vat_splice_point bar = point("@bar");
	struct city_moment moment;
	struct vat_error error;
	assert_int_equal(city_splice_common(&transport, &bar, 1, 97001, &moment, NULL), 0);
	assert_true(city_splice_holds(&transport, &bar, 1, &moment));
	/* Behind the splice it does not matter; before, it moves it. */
	transport.parts[1].frame = 240000;
	transport.parts[1].tick = vat_part_tick(&transport.parts[0], VAT_RATE, 240000);
	transport.parts[1].tempo = 90000;
	assert_true(city_splice_holds(&transport, &bar, 1, &moment));
	transport.parts[1].frame = 120000;
	transport.parts[1].tick = vat_part_tick(&transport.parts[0], VAT_RATE, 120000);
	assert_false(city_splice_holds(&transport, &bar, 1, &moment));
	transport.parts[1].playing = 0;
	assert_false(city_splice_holds(&transport, &bar, 1, &moment));
	assert_int_equal(city_splice_common(&transport, &bar, 1, 130000, &moment, &error), -EAGAIN);
	assert_true(*error.text != '\0');
	/* But what nobody waits for can be at any time. */
	struct vat_splice_point now = point("!");
	assert_int_equal(city_splice_common(&transport, &now, 1, 130000, &moment, &error), 0);
	assert_int_equal(moment.frame, 130000);
}

static void test_fade(void **state) {
	struct vat_transport transport = playing();
	assert_int_equal(city_splice_fade(&transport, 5000, false), 960);
	/* Half a beat. */
	assert_int_equal(city_splice_fade(&transport, 5000, true), 12000);
	transport.parts[0].tempo = transport.parts[1].tempo = VAT_TEMPO_MIN;
	assert_int_equal(city_splice_fade(&transport, 5000, true), RING_TAIL_FRAMES);
	transport.parts[0].tempo = transport.parts[1].tempo = VAT_TEMPO_MAX;
	assert_int_equal(city_splice_fade(&transport, 5000, true), 1440);
}

static void test_beats(void **state) {
	const struct vat_transport transport = playing();
	/* A beat is 24,000 frames, and tick 0 at frame 1,000. */
	assert_int_equal(city_splice_beats(&transport, 1000, 4 * VAT_PPQ), 4);
	assert_int_equal(city_splice_beats(&transport, 1000 + 23000, 4 * VAT_PPQ), 4);
	assert_int_equal(city_splice_beats(&transport, 1000 + 24000, 4 * VAT_PPQ), 3);
	assert_int_equal(city_splice_beats(&transport, 1000 + 95900, 4 * VAT_PPQ), 1);
	assert_int_equal(city_splice_beats(&transport, 1000 + 96000, 4 * VAT_PPQ), 0);
	assert_int_equal(city_splice_beats(&transport, 1000 + 96000, 0), 0);
}

static void test_wait(void **state) {
	assert_int_equal(city_splice_wait_ms(48000, 1000, 1000, 100), 0);
	assert_int_equal(city_splice_wait_ms(48000, 1000, 900, 100), 0);
	/* Never too early. */
	assert_int_equal(city_splice_wait_ms(48000, 0, 1, 100), 1);
	assert_int_equal(city_splice_wait_ms(48000, 0, 48, 100), 1);
	assert_int_equal(city_splice_wait_ms(48000, 0, 49, 100), 2);
	assert_int_equal(city_splice_wait_ms(48000, 0, UINT64_MAX, 100), 100);
	assert_int_equal(city_splice_frames(48000, 100), 4800);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_fade),
		cmocka_unit_test(test_beats),
		cmocka_unit_test(test_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The transport: its page, what is said of garbage, ticks and frames, and splice points against a
 * search through all frames. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "transport.h"
#include "vat.h"

static uint64_t seed = 88172645463325252ull;

static uint64_t chance(uint64_t below) {
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static struct vat_transport_part part(
	uint64_t frame, int64_t tick, uint32_t tempo, uint32_t playing) {
	return (struct vat_transport_part){frame, tick, tempo, 4, 4, playing};
}

static void test_new_page(void **state) {
	struct vat_error err;
	int fd = vat_transport_create(VAT_RATE, &err);
	assert_true(fd >= 0);
	assert_true(ftruncate(fd, 0) < 0);
	struct vat_transport_page *page = vat_transport_map(fd, false, &err);
	assert_non_null(page);
	struct vat_transport transport;
	assert_true(vat_transport_read(page, &transport));
	assert_int_equal(transport.rate, VAT_RATE);
	assert_int_equal(transport.parts[1].tempo, VAT_TEMPO);
	assert_int_equal(transport.parts[1].beats_a_bar, 4);
	assert_int_equal(transport.parts[1].playing, 0);
	assert_int_equal(transport.marker_count, 0);
	assert_int_equal(vat_transport_tick(&transport, 123456), 0);
	struct vat_transport_clock clock;
	assert_true(vat_transport_read_clock(page, &clock));
	assert_int_equal(vat_transport_frame_at(&clock, VAT_RATE, 77000000000ull), 0);
	vat_transport_unmap(page);
	close(fd);
	assert_true(vat_transport_create(0, &err) < 0);
	assert_true(vat_transport_create(2000000, &err) < 0);
}

static void test_what_is_written_is_read(void **state) {
	int fd = vat_transport_create(VAT_RATE, NULL);
	struct vat_transport_page *writer = vat_transport_map(fd, true, NULL);
	struct vat_transport_page *reader = vat_transport_map(fd, false, NULL);
	assert_non_null(writer);
	assert_non_null(reader);
	for (uint32_t i = 1; i < 10; i++) {
		struct vat_transport out = {.rate = VAT_RATE, .marker_count = 1};
		out.parts[0] = part(i * 100, i, VAT_TEMPO_MIN * i, 1);
		out.parts[1] = part(i * 200, i * 2, VAT_TEMPO_MIN * i, 0);
		out.markers[0].tick = i;
		strcpy(out.markers[0].name, "chorus");
		vat_transport_write(writer, &out);
		struct vat_transport in;
		assert_true(vat_transport_read(reader, &in));
		assert_memory_equal(&in, &out, sizeof(in));
		struct vat_transport_clock clock = {i * 1000, i * 7, i & 1}, seen;
		vat_transport_write_clock(writer, &clock);
		assert_true(vat_transport_read_clock(reader, &seen));
		assert_int_equal(seen.frame, clock.frame);
		assert_int_equal(seen.ns, clock.ns);
		assert_int_equal(seen.sound, clock.sound);
	}
	vat_transport_unmap(writer);
	vat_transport_unmap(reader);
	close(fd);
}

static void test_what_makes_no_sense_is_not_read(void **state) {
	int fd = vat_transport_create(VAT_RATE, NULL);
	struct vat_transport_page *page = vat_transport_map(fd, true, NULL);
	struct vat_transport good = {.rate = VAT_RATE, .marker_count = 2};
	good.parts[0] = good.parts[1] = part(0, 0, VAT_TEMPO, 1);
	strcpy(good.markers[0].name, "a");
	strcpy(good.markers[1].name, "b");
	vat_transport_write(page, &good);
	struct vat_transport seen;
	assert_true(vat_transport_read(page, &seen));
	for (int what = 0; what < 11; what++) {
		struct vat_transport bad = good;
		switch (what) {
		case 0:
			bad.rate = 0;
			break;
		case 1:
			bad.parts[1].tempo = 0;
			break;
		case 2:
			bad.parts[0].tempo = VAT_TEMPO_MAX + 1;
			break;
		case 3:
			bad.parts[1].beats_a_bar = 0;
			break;
		case 4:
			bad.parts[1].bars_a_phrase = 1025;
			break;
		case 5:
			bad.parts[1].playing = 2;
			break;
		case 6:
			bad.parts[1].frame = UINT64_MAX;
			break;
		case 7:
			bad.parts[1].tick = INT64_MIN;
			break;
		case 8:
			bad.marker_count = VAT_MARKERS_MAX + 1;
			break;
		case 9:
			memset(bad.markers[0].name, 'a', VAT_MARKER_SIZE);
			break;
		case 10:
			bad.markers[0].tick = 5;
			break;
		}
		vat_transport_write(page, &bad);
		memset(&seen, 0x55, sizeof(seen));
		struct vat_transport before = seen;
		assert_false(vat_transport_read(page, &seen));
		assert_memory_equal(&seen, &before, sizeof(seen));
	}
	vat_transport_write(page, &good);
	assert_true(vat_transport_read(page, &seen));
	vat_transport_unmap(page);
	close(fd);
}

static void test_garbage(void **state) {
	int fd = vat_transport_create(VAT_RATE, NULL);
	struct vat_transport_page *page = vat_transport_map(fd, true, NULL);
	for (int round = 0; round < 2000; round++) {
		unsigned char *bytes = (unsigned char *)page;
		for (int i = 0; i < 64; i++)
			bytes[chance(VAT_TRANSPORT_SIZE)] = (unsigned char)chance(256);
		struct vat_transport transport;
		struct vat_transport_clock clock;
		if (vat_transport_read_clock(page, &clock))
			vat_transport_frame_at(&clock, VAT_RATE, chance(UINT64_MAX));
		if (!vat_transport_read(page, &transport))
			continue;
		uint64_t frame;
		int64_t tick;
		struct vat_splice_point point = {.kind = (enum vat_splice)(1 + chance(4))};
		vat_splice_next(&transport, &point, chance(1ull << 60), 0, 0, &frame, &tick, NULL);
		vat_transport_tick(&transport, chance(UINT64_MAX));
	}
	vat_transport_unmap(page);
	close(fd);

	struct vat_error err;
	fd = memfd_create("other", 0);
	assert_null(vat_transport_map(fd, false, &err)); /* no size */
	assert_int_equal(ftruncate(fd, VAT_TRANSPORT_SIZE), 0);
	assert_null(vat_transport_map(fd, false, &err)); /* can shrink */
	close(fd);
	assert_null(vat_transport_map(-1, false, &err));
}

static void test_the_clock_goes_on(void **state) {
	struct vat_transport_clock clock = {48000, 5000000000ull, true};
	assert_int_equal(vat_transport_frame_at(&clock, 48000, 5000000000ull), 48000);
	assert_int_equal(vat_transport_frame_at(&clock, 48000, 6000000000ull), 96000);
	assert_int_equal(vat_transport_frame_at(&clock, 48000, 4500000000ull), 24000);
	assert_int_equal(vat_transport_frame_at(&clock, 48000, 4999999999ull), 47999);
	assert_int_equal(vat_transport_frame_at(&clock, 48000, 0), 0);
}

static void test_ticks_and_frames(void **state) {
	for (int round = 0; round < 20000; round++) {
		struct vat_transport_part p = part(chance(1 << 30), (int64_t)chance(100000) - 50000,
			VAT_TEMPO_MIN + (uint32_t)chance(VAT_TEMPO_MAX - VAT_TEMPO_MIN), 1);
		int64_t tick = p.tick + (int64_t)chance(1 << 20);
		uint64_t frame = vat_part_frame(&p, VAT_RATE, tick);
		/* The first frame that is not before the tick. */
		assert_int_equal(vat_part_tick(&p, VAT_RATE, frame), tick);
		if (frame > p.frame)
			assert_int_equal(vat_part_tick(&p, VAT_RATE, frame - 1), tick - 1);
	}
	/* Half a second is a beat at 120, forever. */
	struct vat_transport_part p = part(0, 0, VAT_TEMPO, 1);
	assert_int_equal(vat_part_frame(&p, VAT_RATE, 96), 24000);
	assert_int_equal(vat_part_frame(&p, VAT_RATE, 96ll * 1000000000), 24000ull * 1000000000);
	p.playing = 0;
	assert_int_equal(vat_part_tick(&p, VAT_RATE, 1 << 30), 0);
	assert_int_equal(vat_part_frame(&p, VAT_RATE, 1), UINT64_MAX);
}

static void test_splice_text(void **state) {
	static const char *const good[] = {"!", "@beat", "@bar", "@phrase", "@phrase(1)",
		"@phrase(1024)", "@loop", "@marker(chorus)", "@marker(a.b-c_9)"};
	struct vat_splice_point point;
	struct vat_error err;
	char text[64];
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(vat_splice_parse(good[i], &point, &err), 0);
		vat_splice_print(&point, text, sizeof(text));
		assert_string_equal(text, good[i]);
	}
	assert_int_equal(vat_splice_parse("", &point, &err), 0);
	assert_int_equal(point.kind, VAT_SPLICE_NOW);
	assert_int_equal(vat_splice_parse("@phrase(16)", &point, &err), 0);
	assert_int_equal(point.kind, VAT_SPLICE_PHRASE);
	assert_int_equal(point.bars, 16);

	static const char *const bad[] = {"bar", "@", "@Bar", "@bar ", " @bar", "@bars", "@phrase(",
		"@phrase()", "@phrase(0)", "@phrase(-1)", "@phrase(1025)", "@phrase(8",
		"@phrase(8))", "@phrase( 8)", "@phrase(99999999999999999999)", "@marker",
		"@marker()", "@marker(Chorus)", "@marker(a b)", "@marker(a", "!!", "@bar\n",
		"\x7f\t", "@phrase(8\n)", "@marker(\n)",
		"@marker(abcdefghijklmnopqrstuvwxyzabcdef)"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		err.text[0] = 0;
		assert_int_equal(vat_splice_parse(bad[i], &point, &err), -22);
		assert_true(strlen(err.text) > 20);
		assert_null(strchr(err.text, '\n'));
	}
	vat_splice_print(&point, text, 3); /* fits */
	assert_int_equal(text[2], 0);
}

static bool met_at(const struct vat_transport *transport, const struct vat_transport_part *p,
	const struct vat_splice_point *point, int64_t tick, int64_t loop_tick, int64_t loop_ticks) {
	int64_t bar = 96 * (int64_t)p->beats_a_bar;
	int64_t from_zero = tick - p->bar_zero;
	switch (point->kind) {
	case VAT_SPLICE_NOW:
		return true;
	case VAT_SPLICE_BEAT:
		return tick % 96 == 0;
	case VAT_SPLICE_BAR:
		return from_zero % bar == 0;
	case VAT_SPLICE_PHRASE:
		return from_zero % (bar * (point->bars ? point->bars : p->bars_a_phrase)) == 0;
	case VAT_SPLICE_LOOP:
		if (loop_ticks <= 0)
			return from_zero % bar == 0;
		return tick > loop_tick && (tick - loop_tick) % loop_ticks == 0;
	case VAT_SPLICE_MARKER:
		for (uint32_t i = 0; i < transport->marker_count; i++)
			if (transport->markers[i].tick == tick &&
				strcmp(transport->markers[i].name, point->marker) == 0)
				return true;
		return false;
	}
	return false;
}

/* Frame by frame, and of each frame all ticks that begin there. */
static bool search(const struct vat_transport *transport, const struct vat_splice_point *point,
	uint64_t from, uint64_t end, int64_t loop_tick, int64_t loop_ticks, uint64_t *frame,
	int64_t *tick) {
	for (uint64_t f = from; f < end; f++) {
		const struct vat_transport_part *p = vat_transport_at(transport, f);
		if (!p->playing || f < p->frame)
			continue;
		int64_t now = vat_part_tick(p, transport->rate, f);
		int64_t before = f == p->frame ? now - 1 : vat_part_tick(p, transport->rate, f - 1);
		for (int64_t t = before + 1; t <= now; t++)
			if (met_at(transport, p, point, t, loop_tick, loop_ticks)) {
				*frame = f;
				*tick = t;
				return true;
			}
	}
	return false;
}

static void test_splice_next(void **state) {
	enum { SPAN = 60000 };
	int found = 0, absent = 0;
	for (int round = 0; round < 600; round++) {
		struct vat_transport t = {.rate = 8000, .marker_count = 3};
		for (int i = 0; i < 2; i++) {
			t.parts[i] = part(chance(SPAN / 2), (int64_t)chance(4000) - 2000,
				100000 + (uint32_t)chance(900000), chance(4) > 0);
			t.parts[i].beats_a_bar = 1 + (uint32_t)chance(5);
			t.parts[i].bars_a_phrase = 1 + (uint32_t)chance(4);
			t.parts[i].bar_zero = chance(2) ? (int64_t)chance(2000) - 1000 : 0;
		}
		if (t.parts[0].frame > t.parts[1].frame || chance(3) == 0)
			t.parts[0] = t.parts[1];
		int64_t place = (int64_t)chance(1000) - 2000;
		static const char *const names[] = {"intro", "chorus", "chorus"};
		for (int i = 0; i < 3; i++, place += (int64_t)chance(2000)) {
			t.markers[i].tick = place;
			strcpy(t.markers[i].name, names[i]);
		}
		struct vat_splice_point point = {.kind = (enum vat_splice)chance(6)};
		point.bars = (uint32_t)chance(3);
		strcpy(point.marker, chance(2) ? "intro" : "chorus");
		int64_t loop_tick = (int64_t)chance(3000) - 2000, loop_ticks = (int64_t)chance(900);
		uint64_t from = chance(SPAN * 2 / 3), frame = 0, expected_frame = 0;
		int64_t tick = 0, expected_tick = 0;
		struct vat_error err;
		int rc = vat_splice_next(
			&t, &point, from, loop_tick, loop_ticks, &frame, &tick, &err);
		if (point.kind == VAT_SPLICE_NOW) {
			assert_int_equal(rc, 0);
			assert_int_equal(frame, from);
			assert_int_equal(tick, vat_transport_tick(&t, from));
			continue;
		}
		bool there = search(&t, &point, from, SPAN, loop_tick, loop_ticks, &expected_frame,
			&expected_tick);
		if (there) {
			assert_int_equal(rc, 0);
			assert_int_equal(frame, expected_frame);
			assert_int_equal(tick, expected_tick);
			found++;
		} else if (rc == 0) {
			assert_true(frame >= SPAN);
		} else {
			absent++;
			assert_int_equal(rc, t.parts[1].playing ? -2 : -11);
			assert_null(strchr(err.text, '\n'));
		}
	}
	assert_true(found > 200);
	assert_true(absent > 20);
}

static void test_splices_that_cannot_be(void **state) {
	struct vat_transport t = {.rate = VAT_RATE, .marker_count = 1};
	t.parts[0] = t.parts[1] = part(1000, 0, VAT_TEMPO, 0);
	strcpy(t.markers[0].name, "end");
	t.markers[0].tick = 960;
	struct vat_splice_point point;
	struct vat_error err;
	uint64_t frame = 7;
	int64_t tick = 7;
	vat_splice_parse("@bar", &point, &err);
	assert_int_equal(vat_splice_next(&t, &point, 0, 0, 0, &frame, &tick, &err), -11);
	assert_non_null(strstr(err.text, "stands still"));
	vat_splice_parse("@marker(coda)", &point, &err);
	assert_int_equal(vat_splice_next(&t, &point, 0, 0, 0, &frame, &tick, &err), -2);
	assert_non_null(strstr(err.text, "coda"));
	t.parts[0] = t.parts[1] = part(1000, 0, VAT_TEMPO, 1);
	vat_splice_parse("@marker(end)", &point, &err);
	assert_int_equal(vat_splice_next(&t, &point, 0, 0, 0, &frame, &tick, &err), 0);
	assert_int_equal(frame, 1000 + 240000);
	assert_int_equal(tick, 960);
	/* At it is not behind it. */
	assert_int_equal(vat_splice_next(&t, &point, frame, 0, 0, &frame, &tick, &err), 0);
	assert_int_equal(frame, 1000 + 240000);
	assert_int_equal(vat_splice_next(&t, &point, frame + 1, 0, 0, &frame, &tick, &err), -2);
	assert_non_null(strstr(err.text, "passed"));
	/* So slow that it is never. */
	t.parts[0] = t.parts[1] = part(1000, 0, VAT_TEMPO_MIN, 1);
	t.markers[0].tick = INT64_MAX - 1;
	assert_int_equal(vat_splice_next(&t, &point, 0, 0, 0, &frame, &tick, &err), -2);
}

/* ---- what is planned */

static void test_planned(void **state) {
	int fd = vat_transport_create(VAT_RATE, NULL);
	struct vat_transport_page *page = vat_transport_map(fd, true, NULL);
	struct vat_planned planned[VAT_PLANNED_MAX], got[VAT_PLANNED_MAX];
	assert_int_equal(vat_transport_read_planned(page, got), 0);
	for (uint32_t i = 0; i < VAT_PLANNED_MAX; i++)
		planned[i] = (struct vat_planned){
			i % 2 ? VAT_ASK_TEMPO : VAT_ASK_METER, i % 2 ? 1000 + i : 1 + i, 1 + i};
	for (uint32_t count = 0; count <= VAT_PLANNED_MAX; count++) {
		vat_transport_write_planned(page, planned, count);
		assert_int_equal(vat_transport_read_planned(page, got), count);
		assert_memory_equal(got, planned, count * sizeof(*got));
	}
	/* The music beside it stays as it is, and what makes no sense is none. */
	struct vat_transport transport;
	assert_true(vat_transport_read(page, &transport));
	planned[0].what = VAT_ASK_LOCATE;
	planned[1].value = 0;
	planned[2].value = 65;
	planned[3].tick = 0;
	planned[4].tick = VAT_TICK_MAX + 1;
	vat_transport_write_planned(page, planned, 6);
	assert_int_equal(vat_transport_read_planned(page, got), 1);
	assert_int_equal(got[0].value, planned[5].value);
	vat_transport_unmap(page);
	close(fd);
}

/* ---- what is asked for */

static void expect_asked(
	const char *why, uint32_t what, uint32_t value, int64_t tick, const char *name) {
	struct vat_error err = {};
	int rc = vat_transport_check(what, value, tick, name, &err);
	assert_string_equal(err.text, why);
	assert_int_equal(rc, *why ? -EINVAL : 0);
	assert_int_equal(vat_transport_check(what, value, tick, name, NULL), rc);
}

static void test_what_can_be_asked(void **state) {
	static const char tempo[] = "a tempo is 1 to 1000 beats a minute";
	static const char meter[] = "a bar has 1 to 64 beats";
	static const char phrase[] = "a phrase has 1 to 1024 bars";
	static const char before[] = "there is nothing before bar 0";
	static const char far[] = "the transport has no tick 1099511627777";
	expect_asked("", VAT_ASK_PLAY, 77, -77, "\x01");
	expect_asked("", VAT_ASK_STOP, 0, 0, NULL);
	static const struct {
		uint32_t what, least, most;
		const char *why;
	} values[] = {
		{VAT_ASK_TEMPO, VAT_TEMPO_MIN, VAT_TEMPO_MAX, tempo},
		{VAT_ASK_METER, 1, 64, meter},
		{VAT_ASK_PHRASE, 1, 1024, phrase},
	};
	for (int i = 0; i < 3; i++) {
		uint32_t what = values[i].what;
		/* At once, and from a tick on, where 0 takes it back. */
		for (int64_t tick = -1; tick < 2; tick++) {
			bool none = tick == 1 && what != VAT_ASK_PHRASE;
			expect_asked("", what, values[i].least, tick, "");
			expect_asked("", what, values[i].most, tick, NULL);
			expect_asked(values[i].why, what, values[i].most + 1, tick, "");
			expect_asked(values[i].why, what, UINT32_MAX, tick, "");
			expect_asked(none ? "" : values[i].why, what, 0, tick, "");
		}
		expect_asked(values[i].why, what, values[i].least - 1, 0, "");
		if (what != VAT_ASK_PHRASE)
			expect_asked(far, what, values[i].least, VAT_TICK_MAX + 1, "");
	}
	static const uint32_t places[] = {VAT_ASK_LOCATE, VAT_ASK_MARK};
	for (int i = 0; i < 2; i++) {
		expect_asked("", places[i], 0, 0, "a");
		expect_asked("", places[i], 0, VAT_TICK_MAX, "a");
		expect_asked(before, places[i], 0, -1, "a");
		expect_asked(before, places[i], 0, INT64_MIN, "a");
		expect_asked(far, places[i], 0, VAT_TICK_MAX + 1, "a");
	}
	expect_asked("the transport knows no request 0", 0, 0, 0, "");
	expect_asked("the transport knows no request 9", 9, 0, 0, "");
}

static void test_names_of_markers(void **state) {
	/* 31 and 32 letters. */
	static const char most[] = "abcdefghijklmnopqrstuvwxyzabcde";
	static const char *const wrong[] = {"", "Verse", "a b", "a/b", "1", "-",
		"abcdefghijklmnopqrstuvwxyzabcdef", "caf\xc3\xa9"};
	for (uint32_t what = VAT_ASK_MARK; what <= VAT_ASK_UNMARK; what++) {
		expect_asked("", what, 0, 0, "a");
		expect_asked("", what, 0, 0, most);
		for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
			struct vat_error err;
			assert_int_equal(vat_transport_check(what, 0, 0, wrong[i], &err), -EINVAL);
			assert_memory_equal(err.text + 1, wrong[i], strlen(wrong[i]));
			assert_non_null(strstr(err.text, "cannot name a marker"));
		}
		assert_int_equal(vat_transport_check(what, 0, 0, NULL, NULL), -EINVAL);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_page),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_what_makes_no_sense_is_not_read),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_the_clock_goes_on),
		cmocka_unit_test(test_ticks_and_frames),
		cmocka_unit_test(test_planned),
		cmocka_unit_test(test_what_can_be_asked),
		cmocka_unit_test(test_names_of_markers),
		cmocka_unit_test(test_splice_text),
		cmocka_unit_test(test_splice_next),
		cmocka_unit_test(test_splices_that_cannot_be),
	};
	return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}

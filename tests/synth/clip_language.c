/* SPDX-License-Identifier: MIT */
/* What texts mean, and what is said about those that mean nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clip_rig.h"

static struct clip_rig rig;

void clip_rig_fail(const char *what) {
	fail_msg("%s", what);
	abort();
}

/* The notes of some beats, each as "tick:pitch-end", in order. */
static void expect(const char *text, uint32_t beats, const char *notes) {
	static char heard[65536];
	size_t used = 0;
	heard[0] = '\0';
	clip_rig_init(&rig);
	clip_rig_load(&rig, text, VAT_SPLICE_NOW);
	if (rig.player.error_line) {
		fail_msg("%u:%u: %s\n%s", rig.player.error_line, rig.player.error_column,
			rig.player.error_text, text);
	}
	clip_rig_play(&rig, (uint64_t)beats * RIG_RATE / 2, 512);
	for (uint32_t i = 0; i < rig.event_count && used < sizeof(heard) - 64; i++) {
		const struct clip_event *event = &rig.events[i];
		if (event->type == CLIP_NOTE_ON) {
			used += (size_t)snprintf(heard + used, sizeof(heard) - used,
				"%s%lld:%u-%lld", used ? " " : "", (long long)event->tick,
				event->pitch, (long long)event->at);
		}
	}
	if (strcmp(heard, notes) != 0) {
		fail_msg("%s\nplays  %s\nand not %s", text, heard, notes);
	}
}

/* The error of a text: where, and a part of what it says. */
static void refuse(const char *text, uint32_t line, uint32_t column, const char *says) {
	struct clip_error error;
	if (clip_compile(text, strlen(text), &clip_rig_vocabulary, &rig.scratch, &error)) {
		fail_msg("%s\nis taken", text);
	}
	if (error.line != line || error.column != column || !strstr(error.text, says)) {
		fail_msg("%s\ngives %u:%u: %s\nand not %u:%u: %s", text, error.line, error.column,
			error.text, line, column, says);
	}
	assert_null(strchr(error.text, '\n'));
}

static void test_notes(void **state) {
	(void)state;
	expect("c d e g", 4, "0:60-96 96:62-192 192:64-288 288:67-384");
	expect("c4 c#5 bb3 c' c,, # and so on", 5,
		"0:60-96 96:73-192 192:58-288 288:72-384 384:36-480");
	expect("octave 3\nc", 1, "0:48-96");
	expect("key d minor\n1 3 8 7# 1,", 5, "0:62-96 96:65-192 192:74-288 288:73-384 384:50-480");
	expect("key a pentatonic\n1 6", 2, "0:69-96 96:81-192");
	expect("C Am7", 2, "0:60-96 0:64-96 0:67-96 96:69-192 96:72-192 96:76-192 96:79-192");
	expect("{c e' bd}", 1, "0:60-96 0:76-96 0:36-96");
	expect("bd hh", 2, "0:36-96 96:42-192");
	expect("transpose 5\nc bd", 2, "0:65-96 96:36-192");
}

static void test_time(void **state) {
	(void)state;
	expect("step 1/8\nc . d _", 2, "0:60-48 96:62-192");
	expect("c:2 d:1/2 e:3/2", 4, "0:60-192 192:62-240 240:64-384");
	expect("[c d e] f", 2, "0:60-32 32:62-64 64:64-96 96:65-192");
	expect("[c d e f g]", 1, "0:60-19 19:62-38 38:64-57 57:65-76 76:67-96");
	expect("[c [d e]:2]", 1, "0:60-32 32:62-64 64:64-96");
	expect("(c d)!2 e", 5, "0:60-96 96:62-192 192:60-288 288:62-384 384:64-480");
	expect("c*3 d!2", 3, "0:60-32 32:60-64 64:60-96 96:62-192 192:62-288");
	expect("c!10 d", 11,
		"0:60-96 96:60-192 192:60-288 288:60-384 384:60-480 480:60-576 576:60-672 "
		"672:60-768 768:60-864 864:60-960 960:62-1056");
	expect("step 1/16\nhit c\nx..X o_.", 2, "0:60-24 72:60-96 96:60-144 168:60-192");
	expect("track bd\nstep 1/16\nx(3,8)", 2, "0:36-24 72:36-96 144:36-168");
	expect("step 1/16\nbd(3,8,2) c", 2, "24:36-48 96:36-120 144:36-168");
	expect("gate 50\nc d _", 3, "0:60-48 96:62-192");
	expect("swing 66 1/8\nstep 1/8\nc d e f", 2, "0:60-63 63:62-96 96:64-159 159:65-192");
	expect("rest\nc", 5, "384:60-480");
	expect("meter 3/4\nc d e | rest2 . .\nrest2 = g", 6,
		"0:60-96 96:62-192 192:64-288 288:67-384");
}

static void test_ties(void **state) {
	(void)state;
	expect("c _ _ d", 4, "0:60-288 288:62-384");
	expect("[c d] _ e .", 4, "0:60-48 48:62-192 192:64-288");
	expect("C _\nd .", 4, "0:60-192 0:64-192 0:67-192 192:62-288");
	/* Over the seam of a loop, also when notes end before their time. */
	expect("gate 50\n_ c", 4, "96:60-192 288:60-384");
	assert_int_equal(rig.event_count > 0, 1);
	uint32_t offs = 0;
	for (uint32_t i = 0; i < rig.event_count; i++) {
		if (rig.events[i].type == CLIP_NOTE_OFF) {
			/* To the middle of the tie and not further. */
			assert_int_equal(rig.events[i].tick, 288);
			offs++;
		}
	}
	assert_int_equal(offs, 1);
	expect("_ _ c", 3, "192:60-288");
	/* Behind < > it is about whichever has been played. */
	expect("<c d> _", 4, "0:60-96 192:62-288");
	for (uint32_t i = 0; i < rig.event_count; i++) {
		assert_true(rig.events[i].type != CLIP_NOTE_OFF || rig.events[i].tick == 192);
	}
}

static void test_turns(void **state) {
	(void)state;
	expect("<c d e>", 4, "0:60-96 96:62-192 192:64-288 288:60-384");
	expect("<c!2 [d e]> .", 6, "0:60-96 192:60-288 384:62-432 432:64-480");
	expect("one = <c d>\ntwo = one one\n two", 4, "0:60-96 96:62-192 192:60-288 288:62-384");
}

static void test_chance(void **state) {
	(void)state;
	uint32_t count = 0;
	clip_rig_init(&rig);
	clip_rig_load(&rig, "step 1/16\nc?25 d .", VAT_SPLICE_NOW);
	clip_rig_play(&rig, (uint64_t)RIG_RATE * 375, 1024);
	for (uint32_t i = 0; i < rig.event_count; i++) {
		if (rig.events[i].type == CLIP_NOTE_ON) {
			count += rig.events[i].pitch == 60;
			assert_int_equal(
				rig.events[i].tick % 72, rig.events[i].pitch == 60 ? 0 : 24);
		}
	}
	/* 1,000 throws at a quarter. */
	assert_true(count > 180 && count < 320);
}

static void test_structure(void **state) {
	(void)state;
	expect("once\nc d", 6, "0:60-96 96:62-192");
	expect("c d", 3, "0:60-96 96:62-192 192:60-288");
	expect("c\nloop 2\nd\nloop 2\ne\nend\nend", 8,
		"0:60-96 96:62-192 192:64-288 288:64-384 384:62-480 480:64-576 576:64-672 "
		"672:60-768");
	expect("c\nloop\nd\nend", 3, "0:60-96 96:62-192 192:62-288");
	expect("track a1\nc . .\ntrack b1\ng .", 4, "0:60-96 0:67-96 192:67-288 288:60-384");
	expect("track a1 muted\nc\ntrack b1\ng", 1, "0:67-96");
	expect("track a1\nc\ntrack b1 solo\ng", 1, "0:67-96");
	expect("track a1\ntrack b1\n# c\n", 4, "");
	expect("", 4, "");
	expect("step 1/8\nriff = c:5 d:3\n     | e:7 f\n\nriff g:8", 9,
		"0:60-240 240:62-384 384:64-720 720:65-768 768:67-1152");
	expect("one = two two\ntwo = c\none:1", 1, "0:60-48 48:60-96");
	expect("shift 2\nc\nonce", 3, "0:62-96");
	expect("shift 2\nc", 2, "0:62-96 96:64-192");
	expect("track a1\nmodulate +1\nc\ntrack b1\nrest\ng", 2, "0:61-96 96:62-192");
	expect("c d e:2 | f\n. . . |", 4, "0:60-96 96:62-192 192:64-384");
}

static void test_loudness(void **state) {
	(void)state;
	static const struct {
		const char *text;
		uint32_t velocity;
	} cases[] = {{"c", 96}, {"c^", 112}, {"c^^", 127}, {"c=40", 40}, {"[c d]^", 112},
		{"[c=30 d]^", 46}, {"velocity 50%\nc", 48}, {"track a1\nvelocity 80\nc", 80},
		{"track a1\nvelocity 80\nvelocity +5\nc", 85}, {"hit c\nX", 120}, {"hit c\no", 60}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		expect(cases[i].text, 0, "");
		clip_rig_play(&rig, 100, 100);
		uint32_t velocity = 0;
		for (uint32_t j = 0; j < rig.event_count && !velocity; j++) {
			velocity = rig.events[j].type == CLIP_NOTE_ON ? rig.events[j].velocity : 0;
		}
		if (velocity != cases[i].velocity) {
			fail_msg("%s: %u", cases[i].text, velocity);
		}
	}
}

static void test_sounds(void **state) {
	(void)state;
	expect("track a1\nsound bass cutoff=0.25 pan=-1\nc\nset cutoff=1\nd", 2,
		"0:60-96 96:62-192");
	int32_t values[3] = {0};
	uint32_t count = 0;
	for (uint32_t i = 0; i < rig.event_count; i++) {
		const struct clip_event *event = &rig.events[i];
		if (event->type == CLIP_PARAMETER && count < 3) {
			values[count++] = event->value * (event->index ? 1000 : 1);
		}
		if (event->type == CLIP_NOTE_ON) {
			assert_int_equal(event->sound, 1);
			assert_int_equal(event->source, (event->tick ? 5u : 3u) << 12 | 1);
		}
	}
	assert_int_equal(count, 3);
	assert_int_equal(values[0], 250);
	assert_int_equal(values[1], -1000000);
	assert_int_equal(values[2], 1000);
	expect("bd", 0, "");
	clip_rig_play(&rig, 100, 100);
	assert_int_equal(rig.events[rig.event_count - 1].sound, clip_rig_vocabulary.drum_sound);
}

static void test_errors(void **state) {
	(void)state;
	refuse("c h", 1, 3, "'h'");
	refuse("c d\n  e kd", 2, 5, "did you mean 'bd'");
	refuse("tempp 120\nc", 1, 1, "did you mean 'tempo'");
	refuse("tempo 0", 1, 7, "1 to 1000");
	refuse("tempo 99999999999999999999", 1, 7, "1 to 1000");
	refuse("tempo -5", 1, 7, "1 to 1000");
	refuse("tempo", 1, 6, "1 to 1000");
	refuse("meter 7/8", 1, 7, "14/8");
	refuse("meter 0/4", 1, 7, "4/4");
	refuse("step 1/100000", 1, 6, "step 1/8");
	refuse("step 1/1000", 1, 6, "1/384");
	refuse("key h minor", 1, 5, "key d minor");
	refuse("key d minr", 1, 7, "did you mean 'minor'");
	refuse("[c d", 1, 1, "not closed");
	refuse("[c (d]", 1, 6, "'(' is open");
	refuse("c ]", 1, 3, "closes nothing");
	refuse("c []", 1, 3, "nothing is in here");
	refuse("[c*0]", 1, 3, "1 to 64");
	refuse("c d e | f", 1, 7, "lasts 3/4, not 4/4: 1/4 is missing");
	refuse("c d e f g | a", 1, 11, "too much");
	refuse("{c [d e]}", 1, 4, "begin together");
	refuse("{c d e f g a b c d e f g a b c d e}", 1, 34, "more than 16");
	refuse("riff = c riff\nriff", 1, 10, "plays itself");
	refuse("one = two\ntwo = one\none", 2, 7, "plays itself");
	refuse("bd = c", 1, 1, "is a drum");
	refuse("loop = c", 1, 1, "is a word of clips");
	refuse("riff = c\nriff = d", 2, 1, "there is a 'riff' already");
	refuse("loop 4\nc", 1, 1, "no 'end'");
	refuse("c\nend", 2, 1, "there is none");
	refuse("loop\nend", 1, 1, "nothing is played");
	refuse("loop\nc\nend\nd", 4, 1, "never played");
	refuse("loop 0\nc\nend", 1, 6, "100000 at most");
	refuse("[[[[[[[[[[[[[[[[[[[[c]]]]]]]]]]]]]]]]]]]]", 1, 17, "more than 16");
	refuse("[[[c*64]*64]*64]*64", 1, 4, "too fast");
	refuse("one = c*64:64\ntwo = one!8\ntwo two two two", 1, 7, "too big");
	refuse("c:4096!4096 d", 1, 1, "too long");
	refuse("c9999", 1, 1, "'c9999'");
	refuse("c'''''''", 1, 1, "too high");
	refuse("c,,,,,,,", 1, 1, "too low");
	refuse("Cfoo", 1, 1, "no chord 'Cfoo'");
	refuse("0", 1, 1, "1 to 64");
	refuse("c:0", 1, 2, "c:3/2");
	refuse("c=0", 1, 2, "1 to 127");
	refuse("c(9,8)", 1, 2, "(3,8)");
	refuse("x", 1, 1, "'hit c3'");
	refuse("c\xc3\xa9", 1, 2, "plain ones");
	refuse("\xe2\x99\xaa c", 1, 1, "plain ones");
	refuse("c \x01 d", 1, 3, "the code 1 is");
	refuse("c $", 1, 3, "'$' means nothing here");
	refuse("track bass\nsound bas\n", 2, 7, "did you mean 'bass'");
	refuse("track bass\nsound bass cutof=1\n", 2, 12, "did you mean 'cutoff'");
	refuse("track bass\nsound bass cutoff=2\n", 2, 12, "0 to 1");
	refuse("sound bass\ntrack lead\nc", 1, 1, "below 'track'");
	refuse("track a1\nc\ntrack a1\nd", 3, 1, "there is a track 'a1' already");
	refuse("track a1\nsplice @bar", 2, 1, "above the first track");
	refuse("splice @bars", 1, 8, "@phrase(4)");
	refuse("splice @phrase(0)", 1, 8, "1 to 1024");
	refuse("splice @marker(\xd3)", 1, 8, "@marker(NAME)");
	refuse("splice @marker()", 1, 8, "@marker(NAME)");
	refuse("mark A", 1, 6, "small letters");
	refuse("splice bar", 1, 8, "@phrase(4)");
	refuse("notes hold", 1, 7, "release, sustain");
	refuse("velocity 80\nc", 1, 10, "80%");
	refuse("track a1\nvelocity 80%", 2, 10, "1 to 127");
	refuse("c\nloop 2\nmark x1\nd\nend", 3, 1, "outside of loops");
	refuse("rest 0", 1, 6, "rest 4");
	refuse("once upon", 1, 6, "has to end here");
	refuse("swing 5", 1, 7, "10 to 90");
}

/* As many notes as one can ask for at once: they are limited, and all end. */
static void test_a_million(void **state) {
	(void)state;
	static char text[16384];
	size_t used = 0;
	for (int i = 0; i < 15; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used,
			"track t%d\ngate 400\nstep 1/384\n"
			"loop 1000\n{c d e f g a b c' d' e' f' g' a' b' c, d,}!64\nend\n",
			i);
	}
	clip_rig_init(&rig);
	clip_rig_load(&rig, text, VAT_SPLICE_NOW);
	assert_string_equal(rig.player.error_text, "");
	clip_rig_play(&rig, RIG_RATE, 512);
	assert_true(rig.most <= CLIP_NOTES);
	assert_true(rig.player.notes_stolen > 1000);
	clip_rig_load(&rig, "", VAT_SPLICE_NOW);
	clip_rig_play(&rig, 512, 512);
	assert_int_equal(rig.sounding_count, 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_ties),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_chance),
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_loudness),
		cmocka_unit_test(test_sounds),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_a_million),
	};
	return cmocka_run_group_tests_name("clip-language", tests, NULL, NULL);
}

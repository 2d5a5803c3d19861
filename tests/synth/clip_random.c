/* SPDX-License-Identifier: MIT */
/*
 * Random clips, random edits at random places, on a transport that moves: every note that begins
 * ends once (the rig looks), and what is heard does not depend on how it is sliced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clip_rig.h"

static uint64_t seed;

void clip_rig_fail(const char *what) {
	fail_msg("seed %llu: %s", (unsigned long long)seed, what);
	abort();
}

struct dice {
	uint64_t state;
};

static uint32_t roll(struct dice *dice, uint32_t sides) {
	dice->state ^= dice->state << 13;
	dice->state ^= dice->state >> 7;
	dice->state ^= dice->state << 17;
	return (uint32_t)(dice->state >> 33) % sides;
}

struct writer {
	char text[4096];
	size_t used;
};

static void put(struct writer *writer, const char *word) {
	size_t size = strlen(word);
	if (writer->used + size + 1 < sizeof(writer->text)) {
		memcpy(writer->text + writer->used, word, size + 1);
		writer->used += size;
	}
}

#define PICK(dice, words) (words)[roll(dice, sizeof(words) / sizeof((words)[0]))]

static void element(struct writer *writer, struct dice *dice, int depth) {
	static const char *const plain[] = {"c", "e'", "g#,", "a3", "1", "3", "5b", "8,", ".", ".",
		"_", "_", "x..x", "X", "Dm7", "G", "{c e g}", "bd", "hh", "riff", "o_x."};
	static const char *const suffixes[] = {"", "", "", "", "*2", "!2", "!3", ":2", ":3/2", "?",
		"?80", "^", "=40", "*3", "!2", "!10"};
	uint32_t kind = depth < 2 ? roll(dice, 10) : 9;
	static const char *const open[] = {"[", "(", "<"}, *const close[] = {"]", ")", ">"};
	if (kind < 3) {
		uint32_t count = 1 + roll(dice, 4);
		put(writer, open[kind]);
		for (uint32_t i = 0; i < count; i++) {
			element(writer, dice, depth + 1);
		}
		put(writer, close[kind]);
	} else if (kind == 3) {
		put(writer, "x(3,8)");
	} else {
		put(writer, PICK(dice, plain));
	}
	put(writer, PICK(dice, suffixes));
	put(writer, " ");
}

static void line(struct writer *writer, struct dice *dice) {
	uint32_t count = 1 + roll(dice, 6);
	for (uint32_t i = 0; i < count; i++) {
		element(writer, dice, 0);
	}
	put(writer, "\n");
}

static void write_clip(struct writer *writer, struct dice *dice) {
	static const char *const heads[] = {"tempo 140\n", "transpose 3\n", "velocity 70%\n",
		"key d minor\n", "swing 62\n", "notes sustain\n", "notes crossfade\n",
		"notes inherit\n", "notes release\n", "state reset\n", "state merge\n",
		"splice @beat\n", "splice @loop\n", "splice @phrase(2)\n", "splice !\n",
		"splice @marker(here)\n", "meter 3/4\n"};
	static const char *const settings[] = {"step 1/8\n", "step 1/16\n", "octave 3\n",
		"gate 80\n", "gate 150\n", "velocity 80\n", "shift 2\n", "modulate +1\n",
		"modulate 0\n", "sound bass cutoff=0.5\n", "set pan=-0.5\n", "swing 58 1/16\n",
		"hit sn\n", "tempo 90\n", "rest\n", "once\n", "mark here\n", "transpose -5\n"};
	static const char *const tracks[] = {
		"track bd\n", "track lead\n", "track bass\n", "track pad muted\n", "track keys\n"};
	writer->used = 0;
	writer->text[0] = '\0';
	put(writer, "hit c3\nriff = ");
	for (uint32_t i = 0; i < 3; i++) {
		put(writer, i ? "e " : "c:1/2 ");
	}
	put(writer, "[g a b]\n");
	for (uint32_t i = roll(dice, 4); i > 0; i--) {
		put(writer, PICK(dice, heads));
	}
	uint32_t first = roll(dice, 5), count = roll(dice, 4);
	for (uint32_t i = 0; i < count; i++) {
		put(writer, tracks[(first + i) % 5]);
		for (uint32_t j = 1 + roll(dice, 4); j > 0; j--) {
			if (roll(dice, 3) == 0) {
				put(writer, PICK(dice, settings));
			}
			bool loop = roll(dice, 5) == 0;
			put(writer, loop ? "loop 3\n" : "");
			line(writer, dice);
			put(writer, loop ? "end\n" : "");
		}
	}
}

static void change_transport(struct clip_rig *rig, struct dice *dice) {
	switch (roll(dice, 12)) {
	case 0:
		clip_rig_tempo(rig, 20000 + roll(dice, 300000));
		break;
	case 1:
		clip_rig_tempo(rig, roll(dice, 2) ? VAT_TEMPO_MIN : VAT_TEMPO_MAX);
		break;
	case 2:
		clip_rig_stop(rig);
		break;
	case 3:
	case 4:
	case 5:
		clip_rig_go(rig);
		break;
	case 6:
		clip_rig_locate(rig, (int64_t)roll(dice, 40) * VAT_PPQ * 4);
		break;
	case 7:
		/* Frames that were never asked for. */
		rig->frame += roll(dice, 2) ? roll(dice, 5000) : roll(dice, 5000000);
		break;
	case 8:
		rig->transport.marker_count = 1;
		snprintf(rig->transport.markers[0].name, VAT_MARKER_SIZE, "here");
		rig->transport.markers[0].tick =
			vat_transport_tick(&rig->transport, rig->frame) + roll(dice, 2000);
		break;
	case 9:
		rig->transport.marker_count = 0;
		break;
	case 10:
		rig->transport.parts[0].beats_a_bar = rig->transport.parts[1].beats_a_bar =
			1 + roll(dice, 7);
		break;
	default:
		break;
	}
}

static void attach_again(struct clip_rig *rig) {
	if (!clip_attach(&rig->clip)) {
		clip_rig_fail("a handover did not take the state that was left");
	}
}

/* A performance; all of it comes from the seed but the slices. */
static uint32_t perform(struct clip_rig *rig, struct dice slices) {
	static struct writer writer;
	struct dice dice = {.state = seed * 0x9e3779b97f4a7c15ull + 1};
	uint32_t loaded = 0;
	clip_rig_init(rig);
	for (uint32_t i = 0; i < 25; i++) {
		struct clip_options options = {
			.splice = {.kind = (enum vat_splice)roll(&dice, 6), .marker = "here"},
			.notes = roll(&dice, 5),
			.state = roll(&dice, 4),
			.on_error = roll(&dice, 4),
		};
		write_clip(&writer, &dice);
		if (roll(&dice, 8) == 0) {
			/* An edit that goes wrong, or not. */
			writer.text[roll(&dice, (uint32_t)writer.used)] = (char)roll(&dice, 256);
		}
		if (roll(&dice, 6) == 0) {
			struct clip_error error;
			clip_set_fallback(&rig->clip, "c e g", 5, &clip_rig_vocabulary,
				&rig->scratch, &error);
		}
		clip_load(&rig->clip, writer.text, writer.used, &clip_rig_vocabulary, &options,
			&rig->scratch);
		loaded += !rig->player.error_line;
		change_transport(rig, &dice);
		uint64_t frames = roll(&dice, 4) ? roll(&dice, 60000) : roll(&dice, 300000);
		while (frames > 0) {
			uint64_t part = 1 + roll(&slices, 20000);
			part = part < frames ? part : frames;
			clip_rig_play(rig, part, 1 + roll(&slices, 1024));
			frames -= part;
		}
		if (roll(&dice, 3) == 0) {
			attach_again(rig);
		}
	}
	/* Silence, at once, ends everything. */
	rig->transport.parts[1].playing = 1;
	clip_rig_load(rig, "notes release", VAT_SPLICE_NOW);
	clip_rig_play(rig, 4096, 256);
	if (rig->sounding_count) {
		clip_rig_fail("notes hang");
	}
	return loaded;
}

static void test_random(void **state) {
	(void)state;
	static struct clip_rig one, other;
	uint64_t notes = 0, faded = 0, spliced = 0, loaded = 0;
	const char *given = getenv("CLIP_SEED");
	uint64_t first = given ? strtoull(given, NULL, 10) : 1;
	uint64_t last = given ? first : 60;
	for (seed = first; seed <= last; seed++) {
		loaded += perform(&one, (struct dice){.state = seed + 77});
		perform(&other, (struct dice){.state = seed * 31 + 5});
		if (one.hash != other.hash) {
			for (uint32_t i = 0; i < one.event_count && i < other.event_count; i++) {
				const struct clip_event *a = &one.events[i], *b = &other.events[i];
				if (memcmp(a, b, sizeof(*a)) != 0) {
					print_message(
						"event %u: type %d frame %llu tick %lld pitch %u, "
						"type %d frame %llu tick %lld pitch %u\n",
						i, a->type, (unsigned long long)a->frame,
						(long long)a->tick, a->pitch, b->type,
						(unsigned long long)b->frame, (long long)b->tick,
						b->pitch);
					break;
				}
			}
			clip_rig_fail("it depends on the slices");
		}
		notes += one.player.notes_on;
		for (uint32_t i = 0; i < one.event_count; i++) {
			faded += one.events[i].type == CLIP_NOTE_FADE;
			spliced += one.events[i].type == CLIP_SPLICED;
		}
	}
	print_message("# %llu texts, %llu notes, %llu faded, %llu spliced\n",
		(unsigned long long)loaded, (unsigned long long)notes, (unsigned long long)faded,
		(unsigned long long)spliced);
	/* It did play. */
	if (!given) {
		assert_true(loaded > 700);
		assert_true(notes > 8000);
		assert_true(faded > 15);
		assert_true(spliced > 350);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
	return cmocka_run_group_tests_name("clip-random", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Every clip that is shown or installed is one: the files given, and of Markdown what stands
 * between lines of ```. Each plays for some bars with the words of the tile `synth`.
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
#include "patch.h"

static struct clip_rig rig;
static char **files;

void clip_rig_fail(const char *what) {
	fail_msg("%s", what);
	abort();
}

static void play(const char *file, uint32_t first, const char *text, size_t size) {
	struct clip_options options = {.splice = {.kind = VAT_SPLICE_NOW}};
	clip_rig_init(&rig);
	clip_load(&rig.clip, text, size, &synth_vocabulary, &options, &rig.scratch);
	if (rig.player.error_line) {
		fail_msg("%s:%u:%u: %s", file, first + rig.player.error_line,
			rig.player.error_column, rig.player.error_text);
	}
	clip_rig_play(&rig, (uint64_t)RIG_RATE * 64, 1024);
	assert_true(rig.player.notes_on > 10);
	assert_int_equal(rig.player.notes_stolen, 0);
	assert_int_equal(rig.player.faults, 0);
}

static uint32_t lines(const char *from, const char *to) {
	uint32_t n = 0;
	for (; from < to; from++) {
		n += *from == '\n';
	}
	return n;
}

static void test_examples(void **state) {
	(void)state;
	static char text[CLIP_TEXT_MAX + 1];
	uint32_t count = 0;
	for (char **file = files; *file; file++) {
		FILE *stream = fopen(*file, "r");
		assert_non_null(stream);
		text[fread(text, 1, CLIP_TEXT_MAX, stream)] = '\0';
		fclose(stream);
		if (!strstr(*file, ".md")) {
			play(*file, 0, text, strlen(text));
			count++;
			continue;
		}
		char *at = text, *end;
		while ((at = strstr(at, "\n```\n")) && (end = strstr(at + 5, "\n```\n"))) {
			at += 5;
			play(*file, lines(text, at), at, (size_t)(end - at));
			at = end + 4;
			count++;
		}
	}
	assert_true(count > 0);
}

int main(int argc, char **argv) {
	files = argv + 1;
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples)};
	if (argc < 2) {
		fprintf(stderr, "usage: test-clip-examples FILE...\n");
		return 1;
	}
	return cmocka_run_group_tests_name("clip-examples", tests, NULL, NULL);
}

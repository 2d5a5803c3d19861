/* SPDX-License-Identifier: MIT */
/*
 * Clips as anybody may write them. Whatever is in the text: it is refused with one line and a
 * place, or it becomes bytecode that passes the verifier and plays, with an end for each note.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clip_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void clip_rig_fail(const char *what) {
	fprintf(stderr, "fuzz-clip-text: %s\n", what);
	abort();
}

static void check_error(const struct clip_error *error) {
	size_t length = strnlen(error->text, sizeof(error->text));
	if (!error->line || !error->column || !length || length == sizeof(error->text)) {
		clip_rig_fail("no error, or no place");
	}
	for (size_t i = 0; i < length; i++) {
		if (error->text[i] < ' ' || error->text[i] > '~') {
			clip_rig_fail("not one line of text");
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct clip_rig rig;
	struct clip_error error;
	struct clip_options options = {.splice = {.kind = VAT_SPLICE_NOW}};
	char why[200];
	if (!clip_compile((const char *)data, size, &clip_rig_vocabulary, &rig.scratch, &error)) {
		check_error(&error);
		return 0;
	}
	if (!clip_verify(&rig.scratch, why, sizeof(why))) {
		clip_rig_fail(why);
	}
	clip_rig_init(&rig);
	clip_load(
		&rig.clip, (const char *)data, size, &clip_rig_vocabulary, &options, &rig.scratch);
	clip_rig_play(&rig, RIG_RATE, 4096);
	/* Once more in its own place, taking over whatever it can. */
	options.notes = CLIP_INHERIT;
	options.splice.kind = VAT_SPLICE_BEAT;
	clip_load(
		&rig.clip, (const char *)data, size, &clip_rig_vocabulary, &options, &rig.scratch);
	clip_rig_play(&rig, RIG_RATE, 4096);
	clip_rig_stop(&rig);
	clip_rig_play(&rig, 64, 64);
	if (rig.sounding_count) {
		clip_rig_fail("notes hang");
	}
	return 0;
}

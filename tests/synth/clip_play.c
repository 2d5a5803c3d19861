/* SPDX-License-Identifier: MIT */
/* Prints what a clip plays: for people who try the language. usage: clip-play FILE [BARS] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clip_rig.h"

static struct clip_rig rig;

void clip_rig_fail(const char *what) {
	fprintf(stderr, "clip-play: %s\n", what);
	abort();
}

int main(int argc, char **argv) {
	static const char *const names[] = {"", "on", "off", "fade", "sound", "parameter", "tempo",
		"meter", "mark", "spliced", "fault"};
	static char text[CLIP_TEXT_MAX + 1];
	FILE *file = argc > 1 ? fopen(argv[1], "r") : stdin;
	if (!file) {
		fprintf(stderr, "clip-play: cannot read %s\n", argv[1]);
		return 1;
	}
	text[fread(text, 1, CLIP_TEXT_MAX, file)] = '\0';
	clip_rig_init(&rig);
	clip_rig_load(&rig, text, VAT_SPLICE_NOW);
	if (rig.player.error_line) {
		fprintf(stderr, "%s:%u:%u: %s\n", argc > 1 ? argv[1] : "-", rig.player.error_line,
			rig.player.error_column, rig.player.error_text);
		return 1;
	}
	long bars = argc > 2 ? strtol(argv[2], NULL, 10) : 4;
	clip_rig_play(&rig, (uint64_t)bars * 96000, 512);
	for (uint32_t i = 0; i < rig.event_count; i++) {
		const struct clip_event *event = &rig.events[i];
		printf("%4lld:%03lld %-9s %-8s", (long long)event->tick / VAT_PPQ,
			(long long)event->tick % VAT_PPQ, names[event->type],
			clip_channel_name(&rig.clip, event->channel));
		if (event->type == CLIP_NOTE_ON) {
			printf(" %3u velocity %3u to %4lld:%03lld line %u:%u", event->pitch,
				event->velocity, (long long)event->at / VAT_PPQ,
				(long long)event->at % VAT_PPQ, event->source >> 12,
				event->source & 4095);
		} else if (event->type == CLIP_NOTE_OFF) {
			printf(" %3u", event->pitch);
		} else {
			printf(" %u %d %s", event->index, event->value, event->name);
		}
		printf("\n");
	}
	printf("%u words, %u tracks\n", rig.scratch.size, rig.scratch.track_count);
	return 0;
}

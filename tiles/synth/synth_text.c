/* SPDX-License-Identifier: MIT */
/* The clip's file, and the options that say how a clip takes over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "synth.h"

#define AGAIN_NS 300000000u

static const char *option(const struct player *player, const char *key) {
	return player->tile->host->option(player->tile, key);
}

/* An option that a clip's text can say as well is read as that, so that the words are the same.
 * False: it makes no sense (logged). */
static bool ask_compiler(struct player *player, const char *key, const char *word) {
	char text[160];
	struct clip_error error;
	const char *value = option(player, key);
	if (!value) {
		return false;
	}
	int size = snprintf(text, sizeof(text), "%s %s\n", word, value);
	if (size >= (int)sizeof(text) || strchr(value, '\n')) {
		tile_log(player->tile, 0, "option %s is too long", key);
		return false;
	}
	if (!clip_compile(text, (size_t)size, &synth_vocabulary, &player->code, &error)) {
		tile_log(player->tile, 0, "option %s: %.200s", key, error.text);
		return false;
	}
	return true;
}

static uint32_t on_error_of(struct player *player) {
	const char *value = option(player, "on-error");
	if (!value || strcmp(value, "keep") == 0) {
		return CLIP_KEEP;
	}
	if (strcmp(value, "stop") == 0) {
		return CLIP_STOP;
	}
	if (strcmp(value, "fallback") == 0) {
		return CLIP_FALLBACK;
	}
	tile_log(player->tile, 0, "option on-error: \"%.40s\" is none of keep, stop, fallback",
		value);
	return CLIP_KEEP;
}

static int32_t volume_of(struct player *player, int32_t usual) {
	const char *value = option(player, "volume");
	if (!value) {
		return usual;
	}
	char *end;
	long volume = strtol(value, &end, 10);
	if (*value == '\0' || (*end && strcmp(end, "%") != 0) || volume < 0 || volume > 200) {
		tile_log(player->tile, 0, "option volume: \"%.40s\" is no number of 0 to 200 (%%)",
			value);
		return usual;
	}
	return (int32_t)volume;
}

void text_options(struct player *player) {
	struct clip_options *options = &player->options;
	*options = (struct clip_options){
		.splice = {.kind = VAT_SPLICE_BAR},
		.notes = CLIP_RELEASE,
		.state = CLIP_STATE_INHERIT,
		.on_error = on_error_of(player),
	};
	if (ask_compiler(player, "splice", "splice")) {
		options->splice.kind = player->code.splice_kind;
		options->splice.bars = player->code.splice_bars;
		memcpy(options->splice.marker, player->code.splice_marker,
			sizeof(options->splice.marker));
	}
	if (ask_compiler(player, "notes", "notes")) {
		options->notes = player->code.notes;
	}
	if (ask_compiler(player, "state", "state")) {
		options->state = player->code.state;
	}
	struct keys *keys = keys_of(player);
	if (player->tile->cell_fresh[CELL_KEYS]) {
		keys->volume = volume_of(player, 100);
	}
}

/* What plays with on-error fallback: a chord, so that it is heard that something is wrong. */
void text_fallback(struct player *player) {
	static const char text[] = "sound pad volume=0.6\noctave 3\nstep 1/1\nCadd9 _\n";
	struct clip_error error;
	if (player->clip.player->fallback == 0 &&
		!clip_set_fallback(&player->clip, text, sizeof(text) - 1, &synth_vocabulary,
			&player->code, &error)) {
		tile_log(player->tile, 1, "fallback %u:%u: %.200s", error.line, error.column,
			error.text);
	}
}

static uint64_t hash_of(const char *text, size_t size) {
	uint64_t hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < size; i++) {
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
	}
	return hash;
}

/* All of the file; -1: text->why says why not. */
static long read_all(struct player *player) {
	struct tile *tile = player->tile;
	struct text *text = text_of(player);
	struct tile_file file;
	int stream = tile->host->file_open(tile, "clip", 0, &file);
	if (stream < 0) {
		uint64_t now = tile->time->now_ns;
		if (!text->again_ns && !text->why[0]) {
			text->again_ns = now + AGAIN_NS;
		} else if (now >= text->again_ns) {
			/* Once, however often it is looked for. */
			if (strncmp(text->why, file.why, sizeof(text->why) - 1) != 0) {
				tile_log(tile, 1, "%.200s", file.why);
			}
			snprintf(text->why, sizeof(text->why), "%s", file.why);
			text->again_ns = 0;
		}
		return -1;
	}
	text->again_ns = 0;
	size_t size = 0;
	long got = 1;
	while (got > 0 && size < sizeof(player->text)) {
		got = tile->host->stream_read(
			tile, stream, player->text + size, sizeof(player->text) - size);
		size += got > 0 ? (size_t)got : 0;
	}
	tile->host->stream_close(tile, stream);
	text->why[0] = '\0';
	return (long)size;
}

void text_read(struct player *player) {
	struct tile *tile = player->tile;
	struct text *text = text_of(player);
	if (!option(player, "clip")) {
		snprintf(text->why, sizeof(text->why),
			"no clip: option clip \"~/music/some.clip\" in the tile's block names one; "
			"keys play notes");
		return;
	}
	long size = read_all(player);
	if (size < 0) {
		return; /* what plays goes on */
	}
	uint64_t hash = hash_of(player->text, (size_t)size);
	if (text->loaded && text->hash == hash) {
		return;
	}
	text->hash = hash;
	text->loaded = 1;
	/* What some editors begin a file with. */
	size_t skip = size >= 3 && memcmp(player->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	clip_load(&player->clip, player->text + skip, (size_t)size - skip, &synth_vocabulary,
		&player->options, &player->code);
	const struct clip_player *state = player->clip.player;
	if (state->error_line) {
		tile_log(tile, 1, "clip %u:%u: %.200s", state->error_line, state->error_column,
			state->error_text);
	}
}

void text_again(struct player *player) {
	const struct text *text = text_of(player);
	if (text->again_ns && player->tile->time->now_ns >= text->again_ns) {
		text_read(player);
	}
}

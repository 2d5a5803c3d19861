/* SPDX-License-Identifier: MIT */
/*
 * A tile that counts keys, and forgets something in a handover, for the tests of the replay. What
 * it forgets is chosen when it is compiled; NOTHING is a good one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tile.h"

#define NOTHING 0
#define COUNT 1	   /* the count is on the heap alone */
#define QUIESCED 2 /* the same, but it is put into a cell when the cells are given up: good */
#define WAKE 3	   /* does not ask to be woken again */
#define WATCH 4	   /* does not watch its stream again */
#define PICTURE 5  /* draws what no cell knows */
#define NEW_ONE 6  /* a good one that counts otherwise */
#define CRASH 7	   /* at the third key */
#define HANG 8	   /* at the third key */
#define CHECK 9	   /* its check fails after the third key */
#define ADDRESS 10 /* keeps an address in a cell: never twice the same */
#define REFUSE 11  /* does not take over the state of another version */
#define SOUND 12   /* what sounds is on the heap alone */
#define DUE 13	   /* a good one that asks to be woken at once by each key */

#ifndef FORGETS
#define FORGETS NOTHING
#endif

struct book {
	uint32_t keys;
	uint32_t total; /* what is drawn */
	uint64_t place;
	uint32_t read;
	uint64_t alarm; /* when it is to be woken */
	uint32_t updates;
};

static const struct vat_field book_fields[] = {
	VAT_FIELD(1, U32, struct book, keys),
	VAT_FIELD(2, U32, struct book, total),
	VAT_FIELD(3, U64, struct book, place),
	VAT_FIELD(4, U32, struct book, read),
	VAT_FIELD(5, U64, struct book, alarm),
	VAT_FIELD(6, U32, struct book, updates),
};

struct visit {
	uint32_t attaches;
};

static const struct vat_field visit_fields[] = {
	VAT_FIELD(1, U32, struct visit, attaches),
};

enum { BOOK, VISIT, CELLS };

/* How often it was attached is no state that a handover could lose. */
static const struct vat_cell_decl cells[CELLS] = {
	[BOOK] = VAT_CELL("book", struct book, 1, book_fields, .version = 1),
	[VISIT] =
		VAT_CELL("visit", struct visit, 1, visit_fields, .version = 1, .reset = VAT_RESET),
};

struct scratch {
	uint32_t count;
	uint32_t noise;
	int stream;
	int image; /* a file, of which each key reads some bytes */
};

static bool warm(struct tile *tile) {
	tile->scratch = calloc(1, sizeof(struct scratch));
	return tile->scratch != NULL;
}

static void open_stream(struct tile *tile, enum tile_attach why) {
	struct scratch *scratch = tile->scratch;
	static const char *const argv[] = {"/bin/cat", NULL};
	const struct tile_pty_options options = {.argv = argv, .columns = 20, .rows = 4};
	scratch->stream = tile->host->stream_claim(tile, "pty");
	if (scratch->stream < 0) {
		scratch->stream = tile->host->pty_open(tile, "pty", &options);
	}
	if (FORGETS != WATCH || why == TILE_ATTACH_COLD) {
		tile->host->stream_watch(tile, scratch->stream, true, false);
	}
}

static bool attach(struct tile *tile, enum tile_attach why) {
	struct book *book = tile->cells[BOOK];
	struct visit *visit = tile->cells[VISIT];
	struct scratch *scratch = tile->scratch;
	struct tile_file file;
	visit->attaches++;
	if (tile->host->option(tile, "image")) {
		scratch->image = tile->host->file_open(tile, "image", book->place, &file);
		book->total = tile->cell_fresh[BOOK] ? (uint32_t)file.size : book->total;
	}
	if (FORGETS == REFUSE && why != TILE_ATTACH_COLD && book->keys > 0) {
		tile_log(tile, 1, "there are keys already");
		return false;
	}
	if (FORGETS != COUNT) {
		scratch->count = book->keys;
	}
	if (FORGETS == ADDRESS) {
		book->place = (uintptr_t)book;
	}
	if (tile->host->option(tile, "pty")) {
		open_stream(tile, why);
	}
	if (tile->cell_fresh[BOOK]) {
		book->alarm = tile->time->now_ns + 3600000000000;
	}
	if (FORGETS != WAKE || why == TILE_ATTACH_COLD) {
		tile->host->wake_at(tile, book->alarm);
	}
	return true;
}

static void input(struct tile *tile, const struct tile_input *event) {
	struct book *book = tile->cells[BOOK];
	struct scratch *scratch = tile->scratch;
	if (event->type != TILE_INPUT_KEY || event->key.state != TILE_KEY_PRESSED) {
		return;
	}
	scratch->count++;
	scratch->noise += 3;
	if (FORGETS != QUIESCED) {
		book->keys++;
	}
	book->total = FORGETS == NEW_ONE ? 100 + book->keys : scratch->count;
	if (FORGETS == CRASH && book->total == 3) {
		volatile uintptr_t nowhere = 16;
		*(volatile int *)nowhere = 1;
	}
	while (FORGETS == HANG && book->total == 3) {
	}
	if (scratch->stream >= 0 && tile->host->option(tile, "pty")) {
		char line[16];
		int size = snprintf(line, sizeof(line), "%u\n", book->total);
		tile->host->stream_write(tile, scratch->stream, line, (size_t)size);
	}
	if (tile->host->option(tile, "image")) {
		uint8_t bytes[7] = {0};
		long got = tile->host->stream_read(tile, scratch->image, bytes, sizeof(bytes));
		book->place += got > 0 ? (uint64_t)got : 0;
		book->total = book->total * 31 + bytes[6];
	}
	if (FORGETS == DUE) {
		book->alarm = tile->time->now_ns;
		tile->host->wake_at(tile, book->alarm);
	}
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
}

static void update(struct tile *tile) {
	struct book *book = tile->cells[BOOK];
	if (FORGETS == DUE && book->alarm <= tile->time->now_ns) {
		book->updates++;
		book->alarm = tile->time->now_ns + 3600000000000;
	}
	tile->host->wake_at(tile, book->alarm);
}

static void stream_ready(struct tile *tile, int stream, bool readable, bool writable) {
	struct book *book = tile->cells[BOOK];
	char bytes[64];
	long got = tile->host->stream_read(tile, stream, bytes, sizeof(bytes));
	book->read += got > 0 ? (uint32_t)got : 0;
}

static void draw(struct tile *tile, const struct tile_canvas *canvas) {
	const struct book *book = tile->cells[BOOK];
	const struct scratch *scratch = tile->scratch;
	uint32_t colour = 0xff000000 | (FORGETS == PICTURE ? scratch->noise : book->total);
	for (int32_t y = 0; y < canvas->height; y++) {
		uint32_t *row = canvas->pixels + (size_t)y * (size_t)canvas->stride / 4;
		for (int32_t x = 0; x < canvas->width; x++) {
			row[x] = colour;
		}
	}
}

/* A tone that no cell says anything of, but for its pitch. */
static void render(struct tile *tile, const struct tile_sound *sound) {
	const struct book *book = tile->cells[BOOK];
	const struct scratch *scratch = tile->scratch;
	uint64_t pitch = FORGETS == SOUND ? scratch->noise / 3 : book->keys;
	for (uint32_t i = 0; i < sound->frames; i++) {
		uint64_t at = (sound->frame + i) * pitch % 256;
		sound->out[0][i] = sound->out[1][i] = (float)at / 256;
	}
}

static bool quiesce(struct tile *tile, uint64_t deadline_ns) {
	struct book *book = tile->cells[BOOK];
	const struct scratch *scratch = tile->scratch;
	if (FORGETS == QUIESCED) {
		book->keys = scratch->count;
	}
	return true;
}

static bool check(const struct tile *tile, char *why, size_t why_size) {
	const struct book *book = tile->cells[BOOK];
	if (FORGETS == CHECK && book->total > 2) {
		snprintf(why, why_size, "a total of %u", book->total);
		return false;
	}
	return true;
}

static void detach(struct tile *tile) {
	free(tile->scratch);
}

static const struct tile_ops ops = {
	.warm = warm,
	.attach = attach,
	.update = FORGETS == DUE ? update : NULL,
	.input = input,
	.stream_ready = stream_ready,
	.draw = draw,
	.quiesce = quiesce,
	.check = check,
	.detach = detach,
	.render = render,
};

static const struct tile_port ports[] = {
	{.name = "out", .kind = TILE_PORT_SOUND, .direction = TILE_PORT_OUT},
};

TILE_EXPORT(.name = "forgetful", .role = "forgetful", .summary = "Counts keys",
	.capabilities = TILE_CAP_PTY | TILE_CAP_FILES, .cells = cells, .cell_count = CELLS,
	.ports = ports, .port_count = 1, .default_width = 16, .default_height = 8, .ops = &ops);

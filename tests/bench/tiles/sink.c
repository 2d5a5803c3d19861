/* SPDX-License-Identifier: MIT */
/*
 * A tile that runs the command of its option "command" on a PTY and hashes every byte that comes
 * out, in a cell: proves that no byte is lost or doubled over any number of handovers. VARIANT only
 * changes the artifact's bytes.
 */
#include "tile.h"

#ifndef VARIANT
#define VARIANT 1
#endif
#define PIECE 32768
#define PIECES 8 /* of one turn */

struct sink {
	uint64_t bytes;
	uint64_t hash; /* FNV-1a, 64 bits */
	uint64_t turns;
	int32_t status;
	uint32_t ended;
};

static const struct vat_field fields[] = {
	VAT_FIELD(1, U64, struct sink, bytes),
	VAT_FIELD_INIT(2, U64, struct sink, hash, .u = 0xcbf29ce484222325ull),
	VAT_FIELD(3, U64, struct sink, turns),
	VAT_FIELD(4, I32, struct sink, status),
	VAT_FIELD(5, U32, struct sink, ended),
};

static const struct vat_cell_decl cells[] = {
	VAT_CELL("sink", struct sink, 1, fields, .version = 1),
};

static bool sink_attach(struct tile *tile, enum tile_attach why) {
	struct sink *sink = tile->cells[0];
	int pty = tile->host->stream_claim(tile, "pty");
	if (pty < 0 && !sink->ended) {
		const char *command = tile->host->option(tile, "command");
		const char *const argv[] = {"/bin/sh", "-c", command ? command : "true", NULL};
		const struct tile_pty_options options = {.argv = argv, .columns = 80, .rows = 24};
		pty = tile->host->pty_open(tile, "pty", &options);
	}
	if (pty >= 0) {
		tile->host->stream_watch(tile, pty, true, false);
	}
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
	return pty >= 0 || sink->ended;
}

static void sink_ready(struct tile *tile, int stream, bool readable, bool writable) {
	struct sink *sink = tile->cells[0];
	static_assert(PIECE <= 65536);
	uint8_t piece[PIECE];
	long got;
	for (int i = 0;
		i < PIECES && (got = tile->host->stream_read(tile, stream, piece, PIECE)) > 0;
		i++) {
		uint64_t hash = sink->hash;
		for (long b = 0; b < got; b++) {
			hash = (hash ^ piece[b]) * 0x100000001b3ull;
		}
		sink->hash = hash;
		sink->bytes += (uint64_t)got;
	}
	sink->turns++;
	tile->host->damage(tile, 0, 0, 16, 16);
}

static void sink_input(struct tile *tile, const struct tile_input *event) {
	struct sink *sink = tile->cells[0];
	if (event->type == TILE_INPUT_STREAM_END) {
		sink->status = event->stream.status;
		sink->ended = 1;
	}
}

static void sink_draw(struct tile *tile, const struct tile_canvas *canvas) {
	const struct sink *sink = tile->cells[0];
	uint32_t color = (VARIANT == 1 ? 0xff203040 : 0xff302040) + (uint32_t)(sink->turns & 0x3f);
	for (int y = 0; y < canvas->height; y++) {
		uint32_t *row = canvas->pixels + (size_t)y * (size_t)(canvas->stride / 4);
		for (int x = 0; x < canvas->width; x++) {
			row[x] = color;
		}
	}
}

static const struct tile_ops ops = {
	.attach = sink_attach,
	.stream_ready = sink_ready,
	.input = sink_input,
	.draw = sink_draw,
};

TILE_EXPORT(.name = "sink", .role = "sink", .summary = "Hashes what a program prints",
	.capabilities = TILE_CAP_PTY, .cells = cells, .cell_count = 1, .default_width = 240,
	.default_height = 160, .ops = &ops);

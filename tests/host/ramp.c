/* SPDX-License-Identifier: MIT */
/*
 * A tile that sounds, for the tests of the host: the left channel says which frame it is, the right
 * one how many frames the tile has been through, which a cell knows. So whatever is missing,
 * doubled or out of place can be seen. RAMP_VERSION 2 sounds the same with the other sign.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tile.h"

#ifndef RAMP_VERSION
#define RAMP_VERSION 1
#endif

/* Exact in a float. */
#define WRAP (1u << 20)

struct state {
	uint64_t count;	  /* frames that it has been through */
	uint64_t next;	  /* the frame behind them */
	uint64_t skipped; /* of those before */
	uint64_t frame;	  /* of the last update: what is heard */
	uint64_t change;  /* the frame of the last call that began where the transport changes */
	uint64_t place;	  /* bytes of the file that were read last */
	int64_t tick;	  /* of the frame rendered last */
	uint32_t wrong;	  /* calls that did not begin where they should, or went over a change */
	uint32_t attaches;
	uint32_t saved; /* times that the file was told to have changed */
	uint32_t markers;
	uint32_t late;	   /* as the host says */
	uint32_t denormal; /* there was one */
};

static const struct vat_field state_fields[] = {
	VAT_FIELD(1, U64, struct state, count),
	VAT_FIELD(2, U64, struct state, next),
	VAT_FIELD(3, U64, struct state, skipped),
	VAT_FIELD(4, U64, struct state, frame),
	VAT_FIELD(5, U64, struct state, change),
	VAT_FIELD(6, U64, struct state, place),
	VAT_FIELD(7, I64, struct state, tick),
	VAT_FIELD(8, U32, struct state, wrong),
	VAT_FIELD(9, U32, struct state, attaches),
	VAT_FIELD(10, U32, struct state, saved),
	VAT_FIELD(11, U32, struct state, markers),
	VAT_FIELD(12, U32, struct state, late),
	VAT_FIELD(13, U32, struct state, denormal),
};

static const struct vat_cell_decl cells[] = {
	VAT_CELL("state", struct state, 1, state_fields, .version = 1),
};

static const struct tile_port ports[] = {
	{.name = "in", .kind = "notes", .direction = TILE_PORT_IN},
	{.name = "out", .kind = TILE_PORT_SOUND, .direction = TILE_PORT_OUT},
};

static void read_file(struct tile *tile) {
	struct state *state = tile->cells[0];
	struct tile_file file;
	char text[64] = "";
	int stream = tile->host->file_open(tile, "clip", 0, &file);
	long got = stream < 0 ? -1 : tile->host->stream_read(tile, stream, text, sizeof(text) - 1);
	state->place = got > 0 ? (uint64_t)got : 0;
	tile->host->set_title(tile, got > 0 ? text : "nothing");
}

static bool attach(struct tile *tile, enum tile_attach why) {
	struct state *state = tile->cells[0];
	state->attaches++;
	if (tile->host->option(tile, "clip")) {
		bool watched = tile->host->file_watch(tile, "clip");
		read_file(tile);
		if (!watched) {
			tile->host->set_title(tile, "not watched");
		}
	}
	return true;
}

static void input(struct tile *tile, const struct tile_input *event) {
	struct state *state = tile->cells[0];
	state->frame = tile->frame;
	state->markers = tile->transport->marker_count;
	if (event->type == TILE_INPUT_FILE) {
		state->saved++;
		read_file(tile);
	}
	if (event->type != TILE_INPUT_KEY || event->key.state != TILE_KEY_PRESSED) {
		return;
	}
	struct tile_sound_status status;
	bool there = tile->host->sound_status(tile, 1, &status);
	state->late = there ? (uint32_t)status.late_times + 1 : 0;
	if (tile->host->option(tile, "ask")) {
		bool asked = tile->host->transport_ask(tile, TILE_TRANSPORT_MARK, 0, 96, "verse");
		bool bad = tile->host->transport_ask(tile, TILE_TRANSPORT_TEMPO, 1, 0, NULL);
		tile->host->set_title(tile, bad ? "wrong" : asked ? "asked" : "not possible");
	}
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
}

static void render(struct tile *tile, const struct tile_sound *sound) {
	struct state *state = tile->cells[0];
	const struct vat_transport *transport = tile->transport;
	uint64_t last = sound->frame + sound->frames - 1;
	const struct vat_transport_part *part = vat_transport_at(transport, sound->frame);
	bool first = state->count == 0;
	if (sound->port != 1 || (!first && sound->frame != state->next + sound->skipped) ||
		vat_transport_at(transport, last) != part || sound->frames == 0 ||
		sound->frames > TILE_SOUND_FRAMES_MAX || sound->rate != transport->rate) {
		state->wrong++;
	}
	if (sound->frame == transport->parts[1].frame) {
		state->change = sound->frame;
	}
	state->skipped += first ? 0 : sound->skipped;
	float sign = RAMP_VERSION == 1 ? 1 : -1;
	for (uint32_t i = 0; i < sound->frames; i++) {
		sound->out[0][i] = sign * (float)((sound->frame + i) % WRAP) / WRAP;
		sound->out[1][i] = sign * (float)(++state->count % WRAP) / WRAP;
	}
	/* The least number that is no denormal, halved. */
	volatile float least = 0x1p-126f;
	state->denormal |= least / 2 != 0;
	state->next = sound->frame + sound->frames;
	state->tick = vat_transport_tick(transport, last);
	if (tile->host->option(tile, "crash")) {
		abort();
	}
}

static void draw(struct tile *tile, const struct tile_canvas *canvas) {
	for (int32_t y = 0; y < canvas->height; y++) {
		memset((char *)canvas->pixels + (size_t)y * (size_t)canvas->stride, 0x80,
			(size_t)canvas->width * 4);
	}
}

static const struct tile_ops ops = {
	.attach = attach,
	.input = input,
	.draw = draw,
	.render = render,
};

TILE_EXPORT(.name = "ramp", .summary = "Counts frames",
	.capabilities = TILE_CAP_FILES | TILE_CAP_TRANSPORT, .cells = cells, .cell_count = 1,
	.ports = ports, .port_count = 2, .default_width = 16, .default_height = 8, .ops = &ops);

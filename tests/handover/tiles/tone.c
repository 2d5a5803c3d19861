/* SPDX-License-Identifier: MIT */
/*
 * A tile whose sound shows where it comes from: the left channel says which frame it is, the right
 * one which version (VALUE), or, where there is no VALUE, the upper bits of the frame.
 */
#include <string.h>

#include "tile.h"

#define WRAP (1u << 20)
#ifndef VALUE
#define VALUE ((float)((sound->frame + i) / WRAP) / WRAP)
#endif

struct tone {
	uint64_t next; /* frame */
	uint32_t gaps; /* how often one did not begin where the last had ended */
};

static const struct vat_field fields[] = {
	VAT_FIELD(1, U64, struct tone, next),
	VAT_FIELD(2, U32, struct tone, gaps),
};

static const struct vat_cell_decl cells[] = {
	VAT_CELL("tone", struct tone, 1, fields, .version = 1),
};

static const struct tile_port ports[] = {
	{.name = "main", .kind = TILE_PORT_SOUND, .direction = TILE_PORT_OUT},
};

static bool attach(struct tile *tile, enum tile_attach why) {
	return true;
}

static void draw(struct tile *tile, const struct tile_canvas *canvas) {
	for (int32_t y = 0; y < canvas->height; y++) {
		memset((char *)canvas->pixels + (size_t)y * (size_t)canvas->stride, 0x60,
			(size_t)canvas->width * 4);
	}
}

static void render(struct tile *tile, const struct tile_sound *sound) {
	struct tone *tone = tile->cells[0];
	tone->gaps += tone->next != 0 && tone->next != sound->frame;
	for (uint32_t i = 0; i < sound->frames; i++) {
		sound->out[0][i] = (float)((sound->frame + i) % WRAP) / WRAP;
		sound->out[1][i] = VALUE;
	}
	tone->next = sound->frame + sound->frames;
}

static const struct tile_ops ops = {
	.attach = attach,
	.draw = draw,
	.render = render,
};

TILE_EXPORT(.name = "tone", .role = "tone", .summary = "Says which frame it is", .cells = cells,
	.cell_count = 1, .ports = ports, .port_count = 1, .default_width = 40, .default_height = 30,
	.ops = &ops);

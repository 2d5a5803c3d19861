/* SPDX-License-Identifier: MIT */
/*
 * The smallest tile that lives: one word of state, one colour. Variant 1 changes sixty times a
 * second, and so draws each frame where it is seen; variant 2 only when it is asked to.
 */
#include "tile.h"

#ifndef VARIANT
#define VARIANT 1
#endif

#define PERIOD_NS 16000000ull

struct count {
	uint64_t value;
};

static const struct vat_field count_fields[] = {
	VAT_FIELD(1, U64, struct count, value),
};

static const struct vat_cell_decl cells[] = {
	VAT_CELL("count", struct count, 1, count_fields, .version = 1),
};

static bool crowd_attach(struct tile *tile, enum tile_attach why) {
	if (VARIANT == 1) {
		tile->host->wake_at(tile, tile->time->now_ns + PERIOD_NS);
	}
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
	return true;
}

static void crowd_update(struct tile *tile) {
	struct count *count = tile->cells[0];
	count->value++;
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
	tile->host->wake_at(tile, tile->time->now_ns + PERIOD_NS);
}

static void crowd_draw(struct tile *tile, const struct tile_canvas *canvas) {
	const struct count *count = tile->cells[0];
	uint32_t color = 0xff204060 + ((uint32_t)(count->value & 0x3f) << 8);
	for (int y = 0; y < canvas->height; y++) {
		uint32_t *row = canvas->pixels + (size_t)y * (size_t)(canvas->stride / 4);
		for (int x = 0; x < canvas->width; x++) {
			row[x] = color;
		}
	}
}

static const struct tile_ops ops = {
	.attach = crowd_attach,
	.update = crowd_update,
	.draw = crowd_draw,
};

TILE_EXPORT(.name = "crowd", .role = "crowd", .summary = "One of many", .cells = cells,
	.cell_count = 1, .default_width = 240, .default_height = 160, .ops = &ops);

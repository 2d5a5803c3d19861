/* SPDX-License-Identifier: MIT */
/*
 * A tile of STATE_BYTES bytes of state that writes some of it all the time, for measuring
 * handovers. VARIANT only changes the artifact's bytes and the colour. A version writes TOUCH_BYTES
 * in its first update.
 */
#include "tile.h"

#ifndef STATE_BYTES
#define STATE_BYTES 4096
#endif
#ifndef TOUCH_BYTES
#define TOUCH_BYTES 0
#endif
#ifndef VARIANT
#define VARIANT 1
#endif

#define WORDS (STATE_BYTES / sizeof(uint64_t))
#define PERIOD_NS 4000000ull

struct word {
	uint64_t value;
};

static const struct vat_field word_fields[] = {
	VAT_FIELD(1, U64, struct word, value),
};

static const struct vat_cell_decl cells[] = {
	VAT_CELL("words", struct word, WORDS, word_fields, .version = 1),
};

/* Word 0 counts updates, word 1 is their sum; the others follow from their place and the count. */
static bool state_attach(struct tile *tile, enum tile_attach why) {
	tile->host->wake_at(tile, tile->time->now_ns + PERIOD_NS);
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
	return true;
}

static void state_update(struct tile *tile) {
	struct word *words = tile->cells[0];
#if TOUCH_BYTES > 0
	if (!tile->scratch) {
		/* Somewhere in the middle, away from the two that are checked. */
		for (uint64_t i = 0; i < TOUCH_BYTES / sizeof(*words); i++) {
			words[WORDS / 2 + i].value++;
		}
		tile->scratch = tile;
	}
#endif
	words[0].value++;
	words[1].value += words[0].value;
	words[2 + words[0].value % (WORDS - 2)].value = words[0].value;
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
	tile->host->wake_at(tile, tile->time->now_ns + PERIOD_NS);
}

static bool state_check(const struct tile *tile, char *why, size_t why_size) {
	const struct word *words = tile->cells[0];
	uint64_t n = words[0].value;
	return words[1].value == n * (n + 1) / 2;
}

static void state_draw(struct tile *tile, const struct tile_canvas *canvas) {
	const struct word *words = tile->cells[0];
	uint32_t color = VARIANT == 1 ? 0xff204060 : 0xff402060;
	color += (uint32_t)(words[0].value & 0x1f) << 8;
	for (int y = 0; y < canvas->height; y++) {
		uint32_t *row = canvas->pixels + (size_t)y * (size_t)(canvas->stride / 4);
		for (int x = 0; x < canvas->width; x++) {
			row[x] = color;
		}
	}
}

static const struct tile_ops ops = {
	.attach = state_attach,
	.update = state_update,
	.draw = state_draw,
	.check = state_check,
};

TILE_EXPORT(.name = "state", .role = "state", .summary = "State that changes all the time",
	.cells = cells, .cell_count = 1, .default_width = 240, .default_height = 160, .ops = &ops);

/* SPDX-License-Identifier: MIT */
/*
 * A million elements whose schema changes with each handover: SHAPE 1 and 2 take turns. The edge
 * between them is invertible, so each element is tried there and back. Each update changes CHANGES
 * elements, one after the other, or all over the place if SCATTERED.
 */
#include "tile.h"

#ifndef SHAPE
#define SHAPE 1
#endif
#ifndef CHANGES
#define CHANGES 500
#endif
#ifndef SCATTERED
#define SCATTERED 0
#endif

#define COUNT 1000000
#define PERIOD_NS 4000000ull

struct item1 {
	uint32_t id;
	uint32_t value;
	float x;
};
struct item2 {
	double x;
	uint64_t value;
	uint32_t id;
};

static const struct vat_field item1_fields[] = {
	VAT_FIELD(1, U32, struct item1, id),
	VAT_FIELD(2, U32, struct item1, value),
	VAT_FIELD(3, F32, struct item1, x),
};
[[maybe_unused]] static const struct vat_field item2_fields[] = {
	VAT_FIELD(1, U32, struct item2, id),
	VAT_FIELD(2, U64, struct item2, value),
	VAT_FIELD(3, F64, struct item2, x),
};

struct work {
	uint64_t updates;
	uint64_t changed;
	uint64_t sum;
};
static const struct vat_field work_fields[] = {
	VAT_FIELD(1, U64, struct work, updates),
	VAT_FIELD(2, U64, struct work, changed),
	VAT_FIELD(3, U64, struct work, sum),
};

#define ITEMS_(n) VAT_CELL("items", struct item##n, COUNT, item##n##_fields, .version = n)
#define ITEMS(n) ITEMS_(n)
#define ITEM_(n) struct item##n
#define ITEM(n) ITEM_(n)

static const struct vat_cell_decl cells[] = {
	ITEMS(SHAPE),
	VAT_CELL("work", struct work, 1, work_fields, .version = 1),
};

#if SHAPE == 2
static const struct vat_cell_decl schemas[] = {ITEMS(1)};

static bool forth(const void *from, void *to, uint64_t n) {
	const struct item1 *old = from;
	struct item2 *new = to;
	for (uint64_t i = 0; i < n; i++) {
		new[i].value = old[i].value * 10ull;
	}
	return true;
}

static bool back(const void *from, void *to, uint64_t n) {
	const struct item2 *old = from;
	struct item1 *new = to;
	for (uint64_t i = 0; i < n; i++) {
		new[i].value = (uint32_t)(old[i].value / 10);
	}
	return true;
}

static const struct vat_edge edges[] = {
	{.cell = "items",
		.from = 1,
		.to = 2,
		.kind = VAT_EDGE_INVERTIBLE,
		.forth = forth,
		.back = back},
};
#endif

static bool shift_attach(struct tile *tile, enum tile_attach why) {
	ITEM(SHAPE) *items = tile->cells[0];
	for (uint32_t i = 0; i < COUNT && tile->cell_fresh[0]; i++) {
		items[i].id = i + 1;
		items[i].x = i;
	}
	tile->host->wake_at(tile, tile->time->now_ns + PERIOD_NS);
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
	return true;
}

static void shift_update(struct tile *tile) {
	ITEM(SHAPE) *items = tile->cells[0];
	struct work *work = tile->cells[1];
	for (int i = 0; i < CHANGES; i++) {
		uint64_t at = work->changed++ * (SCATTERED ? 611953 : 1) % COUNT;
		items[at].value += SHAPE == 2 ? 10 : 1;
	}
	work->sum += CHANGES;
	work->updates++;
	tile->host->damage(tile, 0, 0, 8, 8);
	tile->host->wake_at(tile, tile->time->now_ns + PERIOD_NS);
}

static bool shift_check(const struct tile *tile, char *why, size_t why_size) {
	const ITEM(SHAPE) *items = tile->cells[0];
	const struct work *work = tile->cells[1];
	uint64_t sum = 0;
	for (uint32_t i = 0; i < COUNT; i++) {
		sum += items[i].value;
	}
	return sum == work->sum * (SHAPE == 2 ? 10 : 1);
}

static void shift_draw(struct tile *tile, const struct tile_canvas *canvas) {
	for (int y = 0; y < canvas->height; y++) {
		uint32_t *row = canvas->pixels + (size_t)y * (size_t)(canvas->stride / 4);
		for (int x = 0; x < canvas->width; x++) {
			row[x] = 0xff000000 | SHAPE * 0x203040;
		}
	}
}

static const struct tile_ops ops = {
	.attach = shift_attach,
	.update = shift_update,
	.draw = shift_draw,
	.check = shift_check,
};

TILE_EXPORT(.name = "shift", .role = "shift", .summary = "Elements that change their shape",
	.cells = cells, .cell_count = 2, .capabilities = TILE_CAP_BACKGROUND, .default_width = 240,
	.default_height = 160, .ops = &ops,
#if SHAPE == 2
	.schemas = schemas, .schema_count = 1, .edges = edges, .edge_count = 1,
#endif
);

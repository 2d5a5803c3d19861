/* SPDX-License-Identifier: MIT */
/*
 * A tile whose state changes shape: laps that were counted in seconds (SHAPE 1), then in
 * milliseconds (2), then in microseconds with longer names (3); 4 has no names and little room for
 * `best`. Each update lengthens one lap by a second and counts itself, and check() adds them up, so
 * that an element that was lost, doubled or converted from an older moment shows.
 *
 * FAULT makes the edge from 2 to 3 fail: 1 crash, 2 hang, 3 false, 4 claims to be invertible and is
 * not, 5 writes all over the region. With 6 check() fails, with 7 the FAULT_UPDATE-th update ruins
 * laps and crashes. VARIANT makes another artifact.
 */
#include "tile.h"

#ifndef SHAPE
#define SHAPE 1
#endif
#ifndef FAULT
#define FAULT 0
#endif
#ifndef VARIANT
#define VARIANT 0
#endif
#ifndef COUNT
#define COUNT 1000
#endif
#ifndef STEP /* laps that one update lengthens */
#define STEP 1
#endif
#define UPDATE_NS 2000000
#define FAULT_UPDATE 100 /* by then it is in its probation, however busy the machine */

__attribute__((used)) static const int variant = SHAPE * 100 + FAULT * 10 + VARIANT;

struct lap1 {
	uint32_t id;
	uint32_t seconds;
	char name[8];
};
struct lap2 {
	uint64_t ms;
	uint32_t id;
	uint32_t best;
	char name[8];
};
struct lap3 {
	char name[16];
	uint64_t us;
	uint32_t id;
	uint32_t best;
};
struct lap4 {
	uint64_t us;
	uint32_t id;
	uint8_t best;
};

[[maybe_unused]] static const struct vat_field lap1_fields[] = {
	VAT_FIELD(1, U32, struct lap1, id),
	VAT_FIELD(2, U32, struct lap1, seconds),
	VAT_FIELD(3, TEXT, struct lap1, name),
};
[[maybe_unused]] static const struct vat_field lap2_fields[] = {
	VAT_FIELD(1, U32, struct lap2, id),
	VAT_FIELD(2, U64, struct lap2, ms),
	VAT_FIELD(3, TEXT, struct lap2, name),
	VAT_FIELD_INIT(4, U32, struct lap2, best, .u = 300),
};
[[maybe_unused]] static const struct vat_field lap3_fields[] = {
	VAT_FIELD(1, U32, struct lap3, id),
	VAT_FIELD(2, U64, struct lap3, us),
	VAT_FIELD(3, TEXT, struct lap3, name),
	VAT_FIELD(4, U32, struct lap3, best),
};
[[maybe_unused]] static const struct vat_field lap4_fields[] = {
	VAT_FIELD(1, U32, struct lap4, id),
	VAT_FIELD(2, U64, struct lap4, us),
	VAT_FIELD_INIT(4, U8, struct lap4, best, .u = 9),
};

struct work {
	uint64_t updates;
	uint64_t lengthened;
	uint32_t attaches;
	uint32_t restarts;
};
static const struct vat_field work_fields[] = {
	VAT_FIELD(1, U64, struct work, updates),
	VAT_FIELD(2, U64, struct work, lengthened),
	VAT_FIELD(3, U32, struct work, attaches),
	VAT_FIELD(4, U32, struct work, restarts),
};

#define LAP_(n)                                                                                    \
	VAT_CELL("laps", struct lap##n, COUNT, lap##n##_fields, .version = n, .key_field = 1)
#define LAP(n) LAP_(n)
#define TYPE_(n) struct lap##n
#define TYPE(n) TYPE_(n)

static const struct vat_cell_decl cells[] = {
	LAP(SHAPE),
	VAT_CELL("work", struct work, 1, work_fields, .version = 1),
};

#if SHAPE == 1
#define TIME(lap) ((lap)->seconds)
#define SECOND 1
#elif SHAPE == 2
#define TIME(lap) ((lap)->ms)
#define SECOND 1000
#else
#define TIME(lap) ((lap)->us)
#define SECOND 1000000
#endif

#if SHAPE > 1
static const struct vat_cell_decl schemas[] = {
	LAP(1),
#if SHAPE > 2
	LAP(2),
#endif
#if SHAPE > 3
	LAP(3),
#endif
};

static bool to_ms(const void *from, void *to, uint64_t n) {
	const struct lap1 *old = from;
	struct lap2 *new = to;
	for (uint64_t i = 0; i < n; i++) {
		new[i].ms = old[i].seconds * 1000ull;
	}
	return true;
}

static bool to_seconds(const void *from, void *to, uint64_t n) {
	const struct lap2 *old = from;
	struct lap1 *new = to;
	for (uint64_t i = 0; i < n; i++) {
		new[i].seconds = (uint32_t)(old[i].ms / 1000);
	}
	return true;
}

#if SHAPE > 2
/* Where the region is: a wild pointer could be anywhere. */
[[maybe_unused]] static void scribble(const void *from) {
	static const uint8_t magic[] = {0x89, 'V', 'A', 'T', 0x0d, 0x0a, 0x1a, 0x0a};
	uint8_t *page = (uint8_t *)((uintptr_t)from & ~(uintptr_t)(VAT_PAGE - 1));
	while (__builtin_memcmp(page, magic, sizeof(magic)) != 0) {
		page -= VAT_PAGE;
	}
	for (volatile uint8_t *p = page; p < page + 4 * VAT_PAGE; p++) {
		*p = 0xff;
	}
}

static bool to_us(const void *from, void *to, uint64_t n) {
	const struct lap2 *old = from;
	struct lap3 *new = to;
	for (uint64_t i = 0; i < n; i++) {
		new[i].us = old[i].ms * 1000;
	}
#if FAULT == 1
	int *nowhere = NULL;
	__asm__ volatile("" : "+r"(nowhere));
	*nowhere = 1;
#elif FAULT == 2
	for (;;) {
		__asm__ volatile("");
	}
#elif FAULT == 5
	scribble(from);
	__builtin_trap();
#endif
	return FAULT != 3;
}

static bool from_us(const void *from, void *to, uint64_t n) {
	const struct lap3 *old = from;
	struct lap2 *new = to;
	for (uint64_t i = 0; i < n; i++) {
		new[i].ms = old[i].us / 1000;
		if (FAULT == 4 && old[i].id == 778) {
			new[i].best++;
		}
	}
	return true;
}
#endif

static const struct vat_edge edges[] = {
	{.cell = "laps",
		.from = 1,
		.to = 2,
		.kind = VAT_EDGE_LOSSLESS,
		.forth = to_ms,
		.back = to_seconds,
		.lost = (const uint32_t[]){4},
		.lost_count = 1},
#if SHAPE > 2
	{.cell = "laps",
		.from = 2,
		.to = 3,
		.kind = VAT_EDGE_INVERTIBLE,
		.forth = to_us,
		.back = from_us},
#endif
};
#endif

static struct work *work_of(const struct tile *tile) {
	return tile->cells[1];
}

static bool shapes_attach(struct tile *tile, enum tile_attach why) {
	TYPE(SHAPE) *laps = tile->cells[0];
	struct work *work = work_of(tile);
	if (tile->cell_fresh[0]) {
		for (uint32_t i = 0; i < COUNT; i++) {
			laps[i].id = i + 1;
#if SHAPE != 4
			laps[i].name[0] = 'a' + (char)(i % 26);
#endif
		}
		work->lengthened = 0;
	}
	work->attaches++;
	work->restarts += why == TILE_ATTACH_RESTART;
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
	tile->host->wake_at(tile, tile->time->now_ns + UPDATE_NS);
	return true;
}

static void shapes_update(struct tile *tile) {
	TYPE(SHAPE) *laps = tile->cells[0];
	struct work *work = work_of(tile);
	for (int i = 0; i < STEP; i++) {
		TIME(&laps[work->lengthened * 7919 % COUNT]) += SECOND;
		work->lengthened++;
	}
	work->updates++;
#if FAULT == 7
	uintptr_t count = (uintptr_t)tile->scratch + 1;
	tile->scratch = (void *)count;
	if (count == FAULT_UPDATE) {
		for (int i = 0; i < COUNT; i += 100) {
			laps[i].id = 0;
		}
		__builtin_trap();
	}
#endif
	tile->host->wake_at(tile, tile->time->now_ns + UPDATE_NS);
}

static void shapes_draw(struct tile *tile, const struct tile_canvas *canvas) {
	for (int y = 0; y < canvas->height; y++) {
		uint32_t *row = canvas->pixels + (size_t)y * (size_t)(canvas->stride / 4);
		for (int x = 0; x < canvas->width; x++) {
			row[x] = 0xff000000 | SHAPE * 0x302010u;
		}
	}
}

static bool shapes_check(const struct tile *tile, char *why, size_t why_size) {
	const TYPE(SHAPE) *laps = tile->cells[0];
	const struct work *work = work_of(tile);
	uint64_t sum = 0;
	bool ids = true;
	for (uint32_t i = 0; i < COUNT; i++) {
		sum += TIME(&laps[i]);
		ids = ids && laps[i].id == i + 1;
	}
	static const char wrong[] = "the laps do not add up";
	bool good = ids && sum == work->lengthened * SECOND && FAULT != 6;
	for (size_t i = 0; i < sizeof(wrong) && i < why_size && !good; i++) {
		why[i] = wrong[i];
	}
	return good;
}

static const struct tile_ops ops = {
	.attach = shapes_attach,
	.update = shapes_update,
	.draw = shapes_draw,
	.check = shapes_check,
};

TILE_EXPORT(.name = "shapes", .summary = "Counts in ever smaller units", .cells = cells,
	.cell_count = 2, .capabilities = TILE_CAP_BACKGROUND, .default_width = 100,
	.default_height = 80, .ops = &ops,
#if SHAPE > 1
	.schemas = schemas, .schema_count = sizeof(schemas) / sizeof(schemas[0]), .edges = edges,
	.edge_count = sizeof(edges) / sizeof(edges[0]),
#endif
);

/* SPDX-License-Identifier: MIT */
/*
 * A tile that keeps books: 4 KB of entries, each update adds to one of them and to their sum, each
 * key is written down. check() adds everything up again, so state that was lost, doubled or torn
 * shows. VARIANT changes the artifact's bytes. FAULT_OP and FAULT_KIND make one operation fail:
 *
 * FAULT_OP: 0 none, 1 warm, 2 attach, 3 update, 4 draw, 5 input, 6 quiesce, 7 check, 8 detach.
 * FAULT_KIND: 1 crash, 2 hang, 3 exit, 4 returns false, 5 slow (100 ms), 6 wrong books, 7 hang with
 * the books in order, 8 so slow that it looks like that, 9 writes all over its region and crashes.
 *
 * LIVELY 1 shows time as blue that comes and goes, and what was typed as green; LIVELY 2 never
 * does. WITH_PORT, WITH_MEMO (another cell), WIDE (another layout), PERIOD (a phase of so many ns)
 * and WARM_UP (ms) make it differ in what the choice of a strategy looks at.
 *
 * CHANCY (with WITH_MEMO) keeps a number by chance, drawn at attach, and shows it on the left; on
 * the right, as green how often it was scrolled and as blue the elements that keys have added to
 * its memo, or red when it was refused one.
 *
 * With kinds 1, 2, 3, 6 and 9 it ruins the books first in attach, update, draw or input, which must
 * be undone.
 */
#include "tile.h"

#ifndef VARIANT
#define VARIANT 1
#endif
#ifndef LIVELY
#define LIVELY 0
#endif
#ifndef FAULT_OP
#define FAULT_OP 0
#define FAULT_KIND 0
#endif
#define ENTRIES 448
#define UPDATE_NS 5000000
#define FAULT_UPDATE 40 /* updates of this version before the one that fails */

enum { WARM = 1, ATTACH, UPDATE, DRAW, INPUT, QUIESCE, CHECK, DETACH };
enum { CRASH = 1, HANG, EXIT, FALSE_, SLOW, WRONG, STUCK, SLOWLY, STRAY };

/* So that each of them is another artifact. */
__attribute__((used)) static const int variant = VARIANT;

struct ledger {
	uint64_t sum;
	uint64_t entries[ENTRIES];
	uint64_t updates;
#ifdef WIDE
	uint64_t spare[16];
#endif
	uint64_t attaches;
	uint64_t restarts;
	uint64_t rollbacks;
	uint32_t typed_count;
	uint32_t ruined;
	char typed[448];
};

static const struct vat_field fields[] = {
	VAT_FIELD(1, U64, struct ledger, sum),
	VAT_FIELD(2, U64, struct ledger, entries),
	VAT_FIELD(3, U64, struct ledger, updates),
	VAT_FIELD(4, U64, struct ledger, attaches),
	VAT_FIELD(5, U64, struct ledger, restarts),
	VAT_FIELD(6, U64, struct ledger, rollbacks),
	VAT_FIELD(7, U32, struct ledger, typed_count),
	VAT_FIELD(8, U32, struct ledger, ruined),
	VAT_FIELD(9, TEXT, struct ledger, typed),
};

struct memo {
	uint64_t notes[8];
};

[[maybe_unused]] static const struct vat_field memo_fields[] = {
	VAT_FIELD(1, U64, struct memo, notes),
};

[[maybe_unused]] static const struct vat_cell_decl cells[] = {
	VAT_CELL("ledger", struct ledger, 1, fields, .version = 1),
#ifdef WITH_MEMO
	VAT_CELL("memo", struct memo, 1, memo_fields, .version = 1, .flags = VAT_CELL_GROWS),
#endif
};

[[maybe_unused]] static const struct tile_port ports[] = {
	{.name = "copies", .kind = "text", .direction = TILE_PORT_OUT},
};

static struct ledger *books(const struct tile *tile) {
	return tile->cells[0];
}

#ifdef CHANCY
enum { CHANCE, SCROLLED, REFUSED };
#define GROWTH 65536 /* elements: 4 MiB */
static struct memo *memo(const struct tile *tile) {
	return tile->cells[1];
}
#endif

/* exit_group(7): no library is asked, as a tile that does such a thing would not. */
[[maybe_unused]] static void leave(void) {
#if defined(__x86_64__)
	__asm__ volatile("syscall" : : "a"(231L), "D"(7L) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long number __asm__("x8") = 94, status __asm__("x0") = 7;
	__asm__ volatile("svc 0" : : "r"(number), "r"(status) : "memory");
#endif
	__builtin_trap();
}

[[maybe_unused]] static void spend(void) {
	/* No clock and no sleep are at hand: count. */
	for (uint64_t i = 0; i < 200000000; i++) {
		__asm__ volatile("");
	}
}

/* What a wild pointer may do: the header of the region, its directories and all cells. */
[[maybe_unused]] static void scribble(void *cell) {
	static const uint8_t magic[] = {0x89, 'V', 'A', 'T', 0x0d, 0x0a, 0x1a, 0x0a};
	uint8_t *page = (uint8_t *)((uintptr_t)cell & ~(uintptr_t)(VAT_PAGE - 1));
	while (__builtin_memcmp(page, magic, sizeof(magic)) != 0) {
		page -= VAT_PAGE;
	}
	for (volatile uint8_t *p = page; p < page + 16 * VAT_PAGE; p++) {
		*p = 0xff;
	}
}

/* True unless the operation is to return false. */
static bool fault(struct tile *tile, int op) {
	if (op != FAULT_OP) {
		return true;
	}
	if (FAULT_KIND != SLOW && FAULT_KIND != FALSE_ && FAULT_KIND != STUCK &&
		FAULT_KIND != SLOWLY && tile->cells && op != QUIESCE && op != CHECK &&
		op != DETACH) {
		struct ledger *ledger = books(tile);
		ledger->ruined = 1;
		ledger->sum = 1;
		for (int i = 0; i < ENTRIES; i++) {
			ledger->entries[i] = 0xdead;
		}
	}
	int *nowhere = NULL;
	__asm__ volatile("" : "+r"(nowhere));
	switch (FAULT_KIND) {
	case STRAY:
		scribble(books(tile));
		[[fallthrough]];
	case CRASH:
		*nowhere = 1;
		return true;
	case HANG:
	case STUCK:
		for (;;) {
			__asm__ volatile("");
		}
	case EXIT:
		leave();
		return true;
	case SLOW:
		spend();
		return true;
	case SLOWLY:
		for (int i = 0; i < 200; i++) {
			spend();
		}
		return true;
	case WRONG:
		return true;
	}
	tile_log(tile, 1, "refused on purpose");
	return false;
}

static bool ledger_warm(struct tile *tile) {
	return fault(tile, WARM);
}

static bool ledger_attach(struct tile *tile, enum tile_attach why) {
	struct ledger *ledger = books(tile);
	ledger->attaches++;
	ledger->restarts += why == TILE_ATTACH_RESTART;
	ledger->rollbacks += why == TILE_ATTACH_ROLLBACK;
	tile->host->set_title(tile, "ledger");
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
	tile->host->wake_at(tile, tile->time->now_ns + UPDATE_NS);
#ifdef CHANCY
	memo(tile)->notes[CHANCE] = tile->host->random64(tile);
#endif
	return fault(tile, ATTACH);
}

static void ledger_update(struct tile *tile) {
	struct ledger *ledger = books(tile);
	uint64_t amount = ledger->updates * 2654435761u % 1000;
	ledger->entries[ledger->updates % ENTRIES] += amount;
	ledger->sum += amount;
	ledger->updates++;
	if (FAULT_OP == UPDATE) {
		uintptr_t count = (uintptr_t)tile->scratch + 1;
		tile->scratch = (void *)count;
		if (count >= FAULT_UPDATE) {
			fault(tile, UPDATE);
		}
	}
	tile->host->damage(tile, 0, 0, LIVELY ? tile->width : 8, LIVELY ? tile->height : 8);
	tile->host->wake_at(tile, tile->time->now_ns + UPDATE_NS);
}

static void ledger_input(struct tile *tile, const struct tile_input *event) {
	struct ledger *ledger = books(tile);
#ifdef CHANCY
	memo(tile)->notes[SCROLLED] += event->type == TILE_INPUT_SCROLL;
	if (event->type == TILE_INPUT_KEY && event->key.state == TILE_KEY_PRESSED &&
		!tile->host->cell_resize(tile, 1, tile->cell_counts[1] + GROWTH)) {
		memo(tile)->notes[REFUSED] = 1;
	}
#endif
	if (event->type != TILE_INPUT_KEY || event->key.state != TILE_KEY_PRESSED) {
		return;
	}
	for (const char *c = event->key.text; *c && ledger->typed_count < sizeof(ledger->typed) - 1;
		c++) {
		ledger->typed[ledger->typed_count++] = *c;
	}
	fault(tile, INPUT);
}

static void ledger_draw(struct tile *tile, const struct tile_canvas *canvas) {
	fault(tile, DRAW);
	uint32_t color = VARIANT % 2 ? 0xff204060 : 0xff604020;
#if LIVELY == 1
	const struct ledger *ledger = books(tile);
	uint32_t typed = ledger->typed_count < 5 ? ledger->typed_count : 5;
	color = 0xff000000 | (ledger->updates / 16 % 2 ? 0xff : 0) | (typed * 0x33) << 8;
#elif LIVELY == 2
	color = 0xff400000;
#endif
	uint32_t right = color;
#ifdef CHANCY
	const struct memo *notes = memo(tile);
	color = 0xff000000 | (notes->notes[CHANCE] & 0xffffff);
	right = 0xff000000 | (notes->notes[REFUSED] ? 0xff0000 : 0) |
		(uint32_t)(notes->notes[SCROLLED] % 5 * 0x33) << 8 |
		(uint32_t)(tile->cell_counts[1] / GROWTH % 5 * 0x33);
#endif
	for (int y = 0; y < canvas->height; y++) {
		uint32_t *row = canvas->pixels + (size_t)y * (size_t)(canvas->stride / 4);
		for (int x = 0; x < canvas->width; x++) {
			row[x] = x < canvas->width / 2 ? color : right;
		}
	}
}

static bool ledger_quiesce(struct tile *tile, uint64_t deadline_ns) {
	return fault(tile, QUIESCE);
}

static bool ledger_check(const struct tile *tile, char *why, size_t why_size) {
	const struct ledger *ledger = books(tile);
	uint64_t sum = 0;
	for (int i = 0; i < ENTRIES; i++) {
		sum += ledger->entries[i];
	}
	static const char wrong[] = "the books do not add up";
	bool good = sum == ledger->sum && !ledger->ruined;
	for (size_t i = 0; i < sizeof(wrong) && i < why_size && !good; i++) {
		why[i] = wrong[i];
	}
	return fault((struct tile *)tile, CHECK) && good;
}

static void ledger_detach(struct tile *tile) {
	fault(tile, DETACH);
}

static const struct tile_ops ops = {
	.warm = ledger_warm,
	.attach = ledger_attach,
	.update = ledger_update,
	.draw = ledger_draw,
	.input = ledger_input,
	.quiesce = ledger_quiesce,
	.check = ledger_check,
	.detach = ledger_detach,
};

#ifdef ABI
#undef TILE_ABI_VERSION
#define TILE_ABI_VERSION ABI
#endif
#ifndef ROLE
#define ROLE "ledger"
#endif
#ifndef NO_DESCRIPTOR
TILE_EXPORT(.name = "ledger", .role = ROLE, .summary = "Keeps books that must add up",
	.cells = cells, .cell_count = sizeof(cells) / sizeof(cells[0]),
#ifdef WITH_PORT
	.ports = ports, .port_count = 1,
#endif
#ifdef PERIOD
	.time_model = TILE_TIME_PHASE, .time_period_ns = PERIOD,
#endif
#ifdef WARM_UP
	.warm_up_ms = WARM_UP,
#endif
	.default_width = 200, .default_height = 120, .ops = &ops);
#else
extern const struct tile_ops *const not_a_tile;
__attribute__((visibility("default"))) const struct tile_ops *const not_a_tile = &ops;
#endif

#ifdef BAD_IMPORT
void no_such_function_anywhere(void);
__attribute__((visibility("default"))) void call_it(void);
void call_it(void) {
	no_such_function_anywhere();
}
#endif

/* SPDX-License-Identifier: MIT */
/*
 * A tile whose state is a function of the updates that were made and of who made them, so that
 * every byte of it can be foretold: what was lost, left over, doubled or torn shows, see proof.py.
 *
 * Update n of version V writes WORDS words, at places and with values that follow from n and V.
 * `runs` has a line per attach: who went on, from which update. An update announces itself first,
 * so that one which a death cut off is completed by whoever attaches next: what a reader then finds
 * is never half an update.
 *
 * VERSION is V. WIDE changes the schema of the bulk: it then has to be built anew in a handover.
 */
#include "tile.h"

#ifndef VERSION
#define VERSION 1
#endif
#define BULK 16384 /* words: 32 pages, 48 when wide */
#define WORDS 16   /* an update */
#define RUNS 60
#define UPDATE_NS 2000000

struct run {
	uint64_t version, from;
};

struct proof {
	uint64_t updates;
	uint64_t runs_count; /* may be more than RUNS: the place is count % RUNS */
	uint64_t announced;  /* number of the update that is under way, plus one */
	uint64_t announced_by;
	uint64_t typed;
	uint64_t typed_hash;
	uint64_t run_version[RUNS];
	uint64_t run_from[RUNS];
};

static const struct vat_field proof_fields[] = {
	VAT_FIELD(1, U64, struct proof, updates),
	VAT_FIELD(2, U64, struct proof, runs_count),
	VAT_FIELD(3, U64, struct proof, announced),
	VAT_FIELD(4, U64, struct proof, announced_by),
	VAT_FIELD(5, U64, struct proof, typed),
	VAT_FIELD(6, U64, struct proof, typed_hash),
	VAT_FIELD(7, U64, struct proof, run_version),
	VAT_FIELD(8, U64, struct proof, run_from),
};

struct word {
	uint64_t value;
#ifdef WIDE
	uint32_t extra;
	uint32_t more;
#endif
};

static const struct vat_field word_fields[] = {
	VAT_FIELD(1, U64, struct word, value),
#ifdef WIDE
	VAT_FIELD_INIT(2, U32, struct word, extra, .u = 7),
	VAT_FIELD(3, U32, struct word, more),
#else
	VAT_RETIRED(2, "extra"),
	VAT_RETIRED(3, "more"),
#endif
};

static const struct vat_cell_decl cells[] = {
	VAT_CELL("proof", struct proof, 1, proof_fields),
	VAT_CELL("bulk", struct word, BULK, word_fields),
};

static uint64_t mix(uint64_t x) {
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Nothing is moved over it: a death between two stores leaves the first one and not the second. */
static void in_order(void) {
	__asm__ volatile("" : : : "memory");
}

static void make_update(struct proof *proof, struct word *bulk) {
	for (uint64_t i = 0; i < WORDS; i++) {
		uint64_t x = mix(proof->updates * 1000003 + proof->announced_by * 7919 + i);
		bulk[x % BULK].value = x;
		in_order();
	}
	proof->updates++;
	in_order();
	proof->announced = 0;
}

static bool proof_attach(struct tile *tile, enum tile_attach why) {
	struct proof *proof = tile->cells[0];
	if (proof->announced != 0 && proof->announced == proof->updates + 1) {
		make_update(proof, tile->cells[1]);
	}
	proof->announced = 0;
	uint64_t run = proof->runs_count % RUNS;
	proof->run_version[run] = VERSION;
	proof->run_from[run] = proof->updates;
	in_order();
	proof->runs_count++;
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
	tile->host->wake_at(tile, tile->time->now_ns + UPDATE_NS);
	return true;
}

static void proof_update(struct tile *tile) {
	struct proof *proof = tile->cells[0];
	proof->announced_by = VERSION;
	in_order();
	proof->announced = proof->updates + 1;
	in_order();
	make_update(proof, tile->cells[1]);
	tile->host->damage(tile, 0, 0, 8, 8);
	tile->host->wake_at(tile, tile->time->now_ns + UPDATE_NS);
}

static void proof_input(struct tile *tile, const struct tile_input *event) {
	struct proof *proof = tile->cells[0];
	if (event->type != TILE_INPUT_KEY || event->key.state != TILE_KEY_PRESSED) {
		return;
	}
	for (const char *c = event->key.text; *c; c++) {
		proof->typed_hash = mix(proof->typed_hash + (uint8_t)*c);
		proof->typed++;
	}
}

static void proof_draw(struct tile *tile, const struct tile_canvas *canvas) {
	for (int y = 0; y < canvas->height; y++) {
		uint32_t *row = canvas->pixels + (size_t)y * (size_t)(canvas->stride / 4);
		for (int x = 0; x < canvas->width; x++) {
			row[x] = 0xff000000 | (uint32_t)(VERSION * 0x305070);
		}
	}
}

static const struct tile_ops ops = {
	.attach = proof_attach,
	.update = proof_update,
	.input = proof_input,
	.draw = proof_draw,
};

TILE_EXPORT(.name = "proof", .summary = "State of which every byte can be foretold", .cells = cells,
	.cell_count = 2, .default_width = 120, .default_height = 80, .ops = &ops);

/* SPDX-License-Identifier: MIT */
/*
 * A tile that does what its options say, for the tests of the host. PROBE_VERSION 2 has another
 * schema: `value` became wider and there is one field more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tile.h"

#ifndef PROBE_VERSION
#define PROBE_VERSION 1
#endif

enum {
	STATE,
	TEXT,
	GRID,
	CELLS,
};

struct state {
#if PROBE_VERSION == 1
	uint32_t value; /* shown as the colour; a key adds 1 */
#else
	uint64_t value;
	uint32_t version;
#endif
	uint32_t attaches;
	uint32_t reason;
	uint32_t updates;
	uint32_t text_size;
	int32_t end_status; /* of the stream, -1: it has not ended */
	uint64_t time_ns;
	uint32_t focused; /* at the last attach */
};

static const struct vat_field state_fields[] = {
#if PROBE_VERSION == 1
	VAT_FIELD(1, U32, struct state, value),
#else
	VAT_FIELD(1, U64, struct state, value),
	VAT_FIELD_INIT(8, U32, struct state, version, .u = 2),
#endif
	VAT_FIELD(2, U32, struct state, attaches),
	VAT_FIELD(3, U32, struct state, reason),
	VAT_FIELD(4, U32, struct state, updates),
	VAT_FIELD(5, U32, struct state, text_size),
	VAT_FIELD_INIT(6, I32, struct state, end_status, .i = -1),
	VAT_FIELD(7, U64, struct state, time_ns),
	VAT_FIELD(9, U32, struct state, focused),
};

struct text {
	alignas(4096) uint8_t bytes[65536];
};

static const struct vat_field text_fields[] = {
	VAT_FIELD(1, BYTES, struct text, bytes),
};

/* Squares of 8 by 8 pixels that were clicked, in the colour of their time. */
struct grid {
	uint32_t colours[6][8];
};

static const struct vat_field grid_fields[] = {
	VAT_FIELD(1, U32, struct grid, colours),
};

static const struct vat_cell_decl cells[CELLS] = {
	[STATE] = VAT_CELL("state", struct state, 1, state_fields, .version = PROBE_VERSION),
	[TEXT] = VAT_CELL("text", struct text, 1, text_fields, .version = 1,
		.flags = VAT_CELL_GROWS | VAT_CELL_SPARSE),
	[GRID] = VAT_CELL("grid", struct grid, 1, grid_fields, .version = 1),
};

static bool asked(const struct tile *tile, const char *key, const char *value) {
	const char *set = tile->host->option((struct tile *)tile, key);
	return set && strcmp(set, value) == 0;
}

/* Returns false for the operation that is to fail; does not return from the one that is to crash.
 */
static bool go(const struct tile *tile, const char *operation) {
	if (asked(tile, "crash", operation)) {
		volatile uintptr_t nowhere = 16;
		*(volatile int *)nowhere = 1;
	}
	if (asked(tile, "abort", operation)) {
		abort();
	}
	while (asked(tile, "hang", operation)) {
	}
	if (asked(tile, "refuse", operation)) {
		tile_log((struct tile *)tile, 1, "%s was told to refuse", operation);
		return false;
	}
	return true;
}

static void damage_all(struct tile *tile) {
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
}

static bool warm(struct tile *tile) {
	tile->scratch = malloc(16);
	return go(tile, "warm");
}

static void ask_wake(struct tile *tile) {
	const char *wake = tile->host->option(tile, "wake_ms");
	if (wake) {
		tile->host->wake_at(tile, tile->time->now_ns + strtoull(wake, NULL, 10) * 1000000);
	}
}

/* All of the file that an option names comes behind the text; the title says why if not. */
static void read_file(struct tile *tile) {
	struct state *state = tile->cells[STATE];
	struct text *text = tile->cells[TEXT];
	struct tile_file file;
	int stream = tile->host->file_open(tile, "image", state->text_size, &file);
	if (stream < 0) {
		tile->host->set_title(tile, file.why);
		return;
	}
	long got = 1;
	while (state->text_size < sizeof(text->bytes) && got > 0) {
		got = tile->host->stream_read(tile, stream, text->bytes + state->text_size,
			sizeof(text->bytes) - state->text_size);
		state->text_size += got > 0 ? (uint32_t)got : 0;
	}
	char title[64];
	snprintf(title, sizeof(title), "%llu bytes, %s", (unsigned long long)file.size,
		got < 0 ? "to its end" : "and more");
	tile->host->set_title(tile, title);
}

/* Of many texts some bytes of the third and the last one are written. */
static void look_for_holes(struct tile *tile) {
	struct text *texts = tile->cells[TEXT];
	uint64_t count = tile->cell_counts[TEXT], from = 0, to = 0;
	char title[200];
	int used = 0;
	texts[2].bytes[5] = texts[count - 1].bytes[sizeof(texts->bytes) - 1] = 1;
	while (used < 100 && tile->host->cell_written(tile, TEXT, &from, &to)) {
		used += snprintf(title + used, sizeof(title) - (size_t)used, "%llu-%llu ",
			(unsigned long long)from / 4096, (unsigned long long)to / 4096);
		from = to;
	}
	tile->host->set_title(tile, title);
}

/* Code that is made here and now gives the value. */
static void run_code(struct tile *tile) {
	struct state *state = tile->cells[STATE];
	void *writable, *executable;
	if (!tile->host->code_memory(tile, 5000, &writable, &executable)) {
		tile->host->set_title(tile, "no code");
		return;
	}
#ifdef __x86_64__
	static const uint8_t code[] = {0xb8, 0x56, 0x34, 0x12, 0x00, 0xc3}; /* mov, ret */
#else
	static const uint32_t code[] = {0x52868ac0, 0x72a00240, 0xd65f03c0}; /* movz, movk, ret */
#endif
	if (asked(tile, "code", "written to")) {
		memcpy(executable, code, sizeof(code));
	}
	memcpy(writable, code, sizeof(code));
	__builtin___clear_cache(executable, (char *)executable + sizeof(code));
	state->value = ((uint32_t (*)(void))executable)();
	tile->host->code_memory_free(tile, writable);
	/* As much as there may be, which it does not give back itself; and no more. */
	bool most = tile->host->code_memory(tile, 256 << 20, &writable, &executable);
	bool more = tile->host->code_memory(tile, 1, &writable, &executable);
	tile->host->set_title(tile, most && !more ? "ran" : "the limit is wrong");
}

static bool attach(struct tile *tile, enum tile_attach why) {
	struct state *state = tile->cells[STATE];
	if (!go(tile, "attach")) {
		return false;
	}
	state->attaches++;
	state->reason = why;
	state->focused = tile->focused;
	if (tile->time->now_ns < state->time_ns) {
		tile_log(tile, 1, "the clock went back");
		return false;
	}
	if (tile->cell_fresh[STATE]) {
		state->value = 0x102030;
	}
	const char *command = tile->host->option(tile, "pty");
	int stream = tile->host->stream_claim(tile, "shell");
	if (stream < 0 && command) {
		const char *const argv[] = {"/bin/sh", "-c", command, NULL};
		const struct tile_pty_options options = {.argv = argv, .columns = 80, .rows = 24};
		stream = tile->host->pty_open(tile, "shell", &options);
	}
	if (stream >= 0) {
		tile->host->stream_watch(tile, stream, true, false);
	}
	if (tile->host->option(tile, "resize")) {
		uint64_t count = strtoull(tile->host->option(tile, "resize"), NULL, 10);
		if (!tile->host->cell_resize(tile, TEXT, count)) {
			return false;
		}
		state = tile->cells[STATE];
	}
	if (asked(tile, "update", "now")) {
		tile->host->wake_at(tile, 0);
	}
	ask_wake(tile);
	tile->host->set_title(tile, PROBE_VERSION == 1 ? "probe one" : "probe two");
	if (asked(tile, "file", "read")) {
		read_file(tile);
	}
	if (asked(tile, "holes", "find")) {
		look_for_holes(tile);
	}
	if (tile->host->option(tile, "code")) {
		run_code(tile);
	}
	return true;
}

static void update(struct tile *tile) {
	struct state *state = tile->cells[STATE];
	go(tile, "update");
	state->updates++;
	if (asked(tile, "took", "tell")) {
		bool right = (tile->time->update_us == 0) == (state->updates == 1);
		tile->host->set_title(tile, !right ? "wrong" : state->updates < 3 ? "yet" : "told");
	}
	state->time_ns = tile->time->now_ns;
	if (asked(tile, "damage", "update")) {
		damage_all(tile);
	}
	ask_wake(tile);
}

static void draw(struct tile *tile, const struct tile_canvas *canvas) {
	const struct state *state = tile->cells[STATE];
	const struct grid *grid = tile->cells[GRID];
	go(tile, "draw");
	for (size_t i = 0; i < canvas->damage_count; i++) {
		const struct tile_rect *rect = &canvas->damage[i];
		for (int32_t y = rect->y; y < rect->y + rect->height; y++) {
			uint32_t *row = canvas->pixels + (size_t)y * canvas->stride / 4;
			for (int32_t x = rect->x; x < rect->x + rect->width; x++) {
				bool inside = x < 64 && y < 48;
				uint32_t colour = inside ? grid->colours[y / 8][x / 8] : 0;
				row[x] = 0xff000000 | (colour ? colour : (uint32_t)state->value);
			}
		}
	}
}

static void add_text(struct tile *tile, const char *bytes, size_t size) {
	struct state *state = tile->cells[STATE];
	struct text *text = tile->cells[TEXT];
	size_t room = sizeof(text->bytes) - state->text_size;
	size = size < room ? size : room;
	memcpy(text->bytes + state->text_size, bytes, size);
	state->text_size += size;
}

static void input(struct tile *tile, const struct tile_input *event) {
	struct state *state = tile->cells[STATE];
	go(tile, "input");
	switch (event->type) {
	case TILE_INPUT_KEY:
		if (event->key.state == TILE_KEY_PRESSED) {
			state->value++;
			damage_all(tile);
			if (asked(tile, "key", "pastes")) {
				tile->host->clipboard_request(tile, false);
			}
			if (tile->host->option(tile, "copy")) {
				const char *text = tile->host->option(tile, "copy");
				tile->host->clipboard_set(tile, false, text, strlen(text));
			}
		}
		break;
	case TILE_INPUT_POINTER_BUTTON:
		/* Only a part of it, so that buffers of different ages differ. */
		if (event->pointer.pressed) {
			struct grid *grid = tile->cells[GRID];
			int column = event->pointer.tx / 8, row = event->pointer.ty / 8;
			grid->colours[row][column] = 0x800000 + ++state->updates;
			tile->host->damage(tile, column * 8, row * 8, 8, 8);
		}
		break;
	case TILE_INPUT_PASTE:
		add_text(tile, event->paste.text, event->paste.size);
		break;
	case TILE_INPUT_STREAM_END:
		state->end_status = event->stream.status;
		damage_all(tile);
		break;
	default:
		break;
	}
}

static void stream_ready(struct tile *tile, int stream, bool readable, bool writable) {
	struct state *state = tile->cells[STATE];
	struct text *text = tile->cells[TEXT];
	go(tile, "stream_ready");
	if (readable) {
		size_t room = sizeof(text->bytes) - state->text_size;
		room = asked(tile, "read", "little") && room > 16 ? 16 : room;
		/* Into the cell itself: the host must not let a system call do that. */
		long got =
			tile->host->stream_read(tile, stream, text->bytes + state->text_size, room);
		state->text_size += got > 0 ? got : 0;
	}
}

static bool quiesce(struct tile *tile, uint64_t deadline_ns) {
	return go(tile, "quiesce");
}

static bool check(const struct tile *tile, char *why, size_t why_size) {
	if (!go(tile, "check")) {
		snprintf(why, why_size, "check was told to refuse");
		return false;
	}
	return true;
}

static void detach(struct tile *tile) {
	go(tile, "detach");
	free(tile->scratch);
}

static const struct tile_ops ops = {
	.warm = warm,
	.attach = attach,
	.update = update,
	.draw = draw,
	.input = input,
	.stream_ready = stream_ready,
	.quiesce = quiesce,
	.check = check,
	.detach = detach,
};

TILE_EXPORT(.name = "probe", .summary = "Does what its options say",
	.capabilities = TILE_CAP_PTY | TILE_CAP_CLIPBOARD | TILE_CAP_OPEN_URI |
		(PROBE_VERSION == 1 ? TILE_CAP_FILES | TILE_CAP_CODE : 0),
	.cells = cells, .cell_count = CELLS, .default_width = 64, .default_height = 48,
	.ops = &ops);

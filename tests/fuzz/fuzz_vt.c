/* SPDX-License-Identifier: MIT */
/*
 * The terminal's core on hostile input. Two of them get the same bytes, one in pieces as they come,
 * the other byte by byte with handovers in between; they must agree to the last byte, and their
 * invariants must hold. A byte 0xff, which no text has, is an order: resize, key, mouse, paste and
 * so on, by the byte behind it. Every array has its own allocation, so that sanitizers see its end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vt.h"

#define COLS 24
#define ROWS 12
#define HISTORY 9

struct side {
	struct vt vt;
	struct vt_memory memory;
};

static void fail(void) {
	abort();
}

static void get_arrays(struct vt_memory *memory) {
	for (int i = 0; i < VT_ARRAYS; i++) {
		memory->at[i] = aligned_alloc(
			16, ((size_t)memory->count[i] * vt_arrays[i].element + 15) / 16 * 16);
		memset(memory->at[i], 0, (size_t)memory->count[i] * vt_arrays[i].element);
	}
}

static void drop_arrays(struct vt_memory *memory) {
	for (int i = 0; i < VT_ARRAYS; i++) {
		free(memory->at[i]);
	}
}

static void begin(struct side *side, uint32_t cols, uint32_t rows) {
	vt_memory_counts(&side->memory, COLS, ROWS, HISTORY);
	side->memory.count[VT_CLUSTERS] = 16;
	side->memory.count[VT_EXTS] = 16;
	side->memory.count[VT_LINKS] = 16;
	side->memory.count[VT_URIS] = 128;
	side->memory.count[VT_STRING] = 64;
	side->memory.count[VT_OUT] = 128;
	get_arrays(&side->memory);
	if (!vt_init(&side->vt, &side->memory, cols, rows, 8, 16, HISTORY)) {
		fail();
	}
}

static void hand_over(struct side *side) {
	struct vt_memory next = side->memory;
	get_arrays(&next);
	for (int i = 0; i < VT_ARRAYS; i++) {
		memcpy(next.at[i], side->memory.at[i],
			(size_t)next.count[i] * vt_arrays[i].element);
	}
	drop_arrays(&side->memory);
	side->memory = next;
	memset(&side->vt, 0xa5, sizeof(side->vt));
	if (!vt_bind(&side->vt, &side->memory, NULL)) {
		fail();
	}
}

static void look(const struct vt *vt) {
	uint32_t cps[VT_CLUSTER_CPS];
	size_t length;
	for (uint64_t line = vt_line_first(vt); line < vt_line_end(vt); line++) {
		const struct vt_row *row = vt_line_row(vt, line);
		const struct vt_cell *cells = vt_line_cells(vt, line);
		for (uint32_t col = 0; col < vt->state->cols; col++) {
			const struct vt_cell *cell = &cells[col];
			vt_cell_cps(vt, cell, cps);
			vt_link_uri(vt, vt_cell_link(vt, cell), &length);
			if (col >= row->used && (cell->ch | cell->fg | cell->bg | cell->at)) {
				fail();
			}
			bool tail = col + 1 < vt->state->cols && cells[col + 1].ch & VT_CH_TAIL;
			if (tail != !!(cell->ch & VT_CH_WIDE) ||
				(col == 0 && cell->ch & VT_CH_TAIL)) {
				fail();
			}
		}
	}
}

static void resize(struct side *side, uint8_t how) {
	uint32_t cols = 2 + how % (COLS - 1), rows = 1 + how / 11 % ROWS;
	void *scratch = malloc(vt_resize_scratch(&side->vt, cols, rows) + 1);
	vt_resize(&side->vt, cols, rows, 8, 16, scratch);
	free(scratch);
}

static void order(struct side *side, uint8_t what, uint8_t how) {
	char bytes[VT_KEY_BYTES];
	struct vt *vt = &side->vt;
	struct vt_key key = {
		.code = how & 0x80
			? VT_KEY_FIRST + (how & 0x7fu) % (VT_KEY_END_OF_LIST - VT_KEY_FIRST)
			: how,
		.mods = what,
		.action = VT_KEY_PRESS + how % 3,
		.text = {(char)how, 'x'},
		.text_len = how % 3,
	};
	struct vt_mouse mouse = {
		.action = (enum vt_mouse_action)(what % 3),
		.button = how % 12,
		.mods = what & 7u,
		.col = how,
		.row = what,
	};
	size_t length;
	switch (what % 8) {
	case 0:
	case 1:
		resize(side, how);
		break;
	case 2:
		vt_out_put(vt, bytes, 0);
		length = vt_encode_key(vt, &key, bytes);
		if (length > sizeof(bytes)) {
			fail();
		}
		break;
	case 3:
		length = vt_encode_mouse(vt, &mouse, bytes);
		if (length > VT_MOUSE_BYTES) {
			fail();
		}
		break;
	case 4:
		vt_paste_begin(vt);
		vt_paste_data(vt, &key, how % sizeof(key));
		vt_paste_end(vt);
		break;
	case 5:
		vt_out_peek(vt, &length);
		vt_out_drop(vt, length < how ? length : how);
		break;
	case 6:
		vt_mark_set(vt, how % VT_MARKS, vt_line_first(vt) + how % 20, how % COLS);
		break;
	default:
		vt_focus(vt, how & 1);
		vt_set_scheme(vt, how & 2);
		vt_reply_clipboard(vt, how & 3, &key, how % sizeof(key));
		break;
	}
}

static void compare(const struct side *a, const struct side *b) {
	for (int i = 0; i < VT_ARRAYS; i++) {
		if (memcmp(a->memory.at[i], b->memory.at[i],
			    (size_t)a->memory.count[i] * vt_arrays[i].element) != 0) {
			fail();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct side whole, broken;
	if (size < 2 || size > 4096) {
		return 0;
	}
	uint32_t cols = 2 + data[0] % (COLS - 1), rows = 1 + data[1] % ROWS;
	begin(&whole, cols, rows);
	begin(&broken, cols, rows);
	for (size_t at = 2; at < size;) {
		const uint8_t *stop = memchr(data + at, 0xff, size - at);
		size_t end = stop ? (size_t)(stop - data) : size;
		vt_feed(&whole.vt, data + at, end - at);
		for (size_t i = at; i < end; i++) {
			vt_feed(&broken.vt, data + i, 1);
			if (i % 16 == 0) {
				hand_over(&broken);
			}
		}
		at = end;
		if (end + 2 < size) {
			order(&whole, data[end + 1], data[end + 2]);
			order(&broken, data[end + 1], data[end + 2]);
		}
		at += 3;
	}
	if (!vt_check(&whole.vt, NULL)) {
		fail();
	}
	look(&whole.vt);
	compare(&whole, &broken);
	drop_arrays(&whole.memory);
	drop_arrays(&broken.memory);
	return 0;
}

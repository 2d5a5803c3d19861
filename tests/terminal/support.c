/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void fail(const char *what) {
	fprintf(stderr, "rig: %s\n", what);
	abort();
}

char *rig_block(const struct vt_memory *counts, struct vt_memory *memory, size_t *size) {
	size_t offset[VT_ARRAYS], total = 0;
	for (int i = 0; i < VT_ARRAYS; i++) {
		offset[i] = total;
		total += ((size_t)counts->count[i] * vt_arrays[i].element + 63) / 64 * 64;
	}
	total = (total + 4095) / 4096 * 4096;
	char *block = mmap(NULL, total, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (block == MAP_FAILED) {
		fail("no memory");
	}
	*memory = *counts;
	for (int i = 0; i < VT_ARRAYS; i++) {
		memory->at[i] = block + offset[i];
	}
	*size = total;
	return block;
}

void rig_small_counts(struct vt_memory *memory, uint32_t cols, uint32_t rows, uint32_t history) {
	vt_memory_counts(memory, cols, rows, history);
	memory->count[VT_CLUSTERS] = 64;
	memory->count[VT_EXTS] = 128;
	memory->count[VT_LINKS] = 64;
	memory->count[VT_URIS] = 8192;
	memory->count[VT_STRING] = 8192;
	memory->count[VT_OUT] = 4096;
}

static void handle_event(void *user, const struct vt_event *event) {
	static const char *const names[] = {"bell", "title", "cwd", "pointer", "clip-set",
		"clip-query", "notify", "progress", "mode", "screen", "colors", "cursor",
		"keyboard", "prompt", "resize", "window", "table-full", "string-lost", "reset"};
	struct rig *rig = user;
	if (event->kind == VT_EVENT_MODE || rig->log_length > sizeof(rig->log) - 1024) {
		return;
	}
	int length = snprintf(rig->log + rig->log_length, sizeof(rig->log) - rig->log_length,
		"%s %u %u %u [%.*s] [%.*s]\n", names[event->kind], event->a, event->b, event->c,
		(int)(event->title_len < 200 ? event->title_len : 200),
		event->title ? (const char *)event->title : "",
		(int)(event->text_len < 200 ? event->text_len : 200),
		event->text ? (const char *)event->text : "");
	rig->log_length += (size_t)length;
}

void rig_init_memory(struct rig *rig, const struct vt_memory *counts, uint32_t cols, uint32_t rows,
	uint32_t history) {
	memset(rig, 0, sizeof(*rig));
	rig->block = rig_block(counts, &rig->memory, &rig->size);
	if (!vt_init(&rig->vt, &rig->memory, cols, rows, 8, 16, history)) {
		fail("vt_init refused");
	}
	vt_set_events(&rig->vt, handle_event, rig);
}

void rig_init(struct rig *rig, uint32_t cols, uint32_t rows, uint32_t history) {
	struct vt_memory counts = {0};
	rig_small_counts(&counts, cols, rows, history);
	rig_init_memory(rig, &counts, cols, rows, history);
}

void rig_finish(struct rig *rig) {
	munmap(rig->block, rig->size);
}

void rig_hand_over(struct rig *rig) {
	struct vt_memory memory;
	size_t size;
	char *block = rig_block(&rig->memory, &memory, &size);
	const char *why = "";
	memcpy(block, rig->block, size);
	memset(&rig->vt, 0xa5, sizeof(rig->vt));
	munmap(rig->block, rig->size);
	rig->block = block;
	rig->memory = memory;
	if (!vt_bind(&rig->vt, &rig->memory, &why)) {
		fail(why);
	}
	vt_set_events(&rig->vt, handle_event, rig);
}

void rig_feed(struct rig *rig, const char *text) {
	vt_feed(&rig->vt, text, strlen(text));
}

void rig_resize(struct rig *rig, uint32_t cols, uint32_t rows) {
	void *scratch = malloc(vt_resize_scratch(&rig->vt, cols, rows) + 16);
	if (!scratch || !vt_resize(&rig->vt, cols, rows, 8, 16, scratch)) {
		fail("vt_resize refused");
	}
	free(scratch);
}

const struct vt_cell *rig_cell(const struct rig *rig, uint32_t row, uint32_t col) {
	return vt_line_cells(&rig->vt, vt_line_screen(&rig->vt) + row) + col;
}

static size_t line_text(const struct vt *vt, uint64_t line, char *out) {
	const struct vt_cell *cells = vt_line_cells(vt, line);
	size_t length = 0;
	for (uint32_t col = 0; col < vt->state->cols; col++) {
		size_t used = vt_cell_utf8(vt, &cells[col], out + length);
		if (used == 0 && !(cells[col].ch & (VT_CH_TAIL | VT_CH_PAD))) {
			out[length] = ' ';
			used = 1;
		}
		length += used;
	}
	return length;
}

char *rig_row(const struct rig *rig, int64_t row) {
	static char text[4][VT_MAX_COLS * VT_CLUSTER_CPS * 4 + 1];
	static int turn;
	char *out = text[turn++ % 4];
	size_t length = line_text(&rig->vt, vt_line_screen(&rig->vt) + (uint64_t)row, out);
	while (length > 0 && out[length - 1] == ' ') {
		length--;
	}
	out[length] = '\0';
	return out;
}

char *rig_text(const struct rig *rig) {
	const struct vt *vt = &rig->vt;
	uint64_t first = vt_line_first(vt), end = vt_line_end(vt);
	char *out = malloc((size_t)(end - first) * (vt->state->cols * 4 * VT_CLUSTER_CPS + 1) + 1);
	size_t length = 0;
	if (!out) {
		fail("no memory");
	}
	for (uint64_t line = first; line < end; line++) {
		length += line_text(vt, line, out + length);
		if (vt_line_row(vt, line)->flags & VT_ROW_WRAPPED) {
			continue;
		}
		while (length > 0 && out[length - 1] == ' ') {
			length--;
		}
		out[length++] = '\n';
	}
	while (length > 0 && out[length - 1] == '\n') {
		length--;
	}
	out[length] = '\0';
	return out;
}

char *rig_replies(struct rig *rig) {
	static char text[65536];
	size_t used = 0, length;
	for (;;) {
		const uint8_t *bytes = vt_out_peek(&rig->vt, &length);
		if (length == 0) {
			break;
		}
		for (size_t i = 0; i < length && used < sizeof(text) - 3; i++) {
			if (bytes[i] < 0x20) {
				text[used++] = '^';
			}
			text[used++] = (char)(bytes[i] < 0x20 ? bytes[i] + 0x40 : bytes[i]);
		}
		vt_out_drop(&rig->vt, length);
	}
	text[used] = '\0';
	return text;
}

char *rig_read_file(const char *path, size_t *length) {
	FILE *file = fopen(path, "rb");
	struct stat info;
	char *text = NULL;
	if (file && fstat(fileno(file), &info) == 0) {
		text = malloc((size_t)info.st_size + 1);
	}
	if (text) {
		*length = fread(text, 1, (size_t)info.st_size, file);
		text[*length] = '\0';
	}
	if (file) {
		fclose(file);
	}
	return text;
}

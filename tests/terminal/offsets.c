/* SPDX-License-Identifier: MIT */
/*
 * A handover may come at any byte. For each stream: feed one byte, copy the arrays to another
 * address, make the old ones unreadable and forget the handle, bind anew, feed the next byte. At
 * the end the arrays must be what one uninterrupted vt_feed of the whole stream makes, byte for
 * byte: that proves every offset (of the longest streams, of their beginning), and that how the
 * input is cut up never shows. usage: offsets [-c FILE...] [DIRECTORY [NAME]]    -c: plain files as
 * streams
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "support.h"

#define HISTORY 5
/* Long streams get fewer of them further on, at changing offsets; sanitizers make each one slow. */
#ifdef __SANITIZE_ADDRESS__
#define FEWER_BEYOND 20000
#else
#define FEWER_BEYOND 60000
#endif
#define BLOCKS 4

static int tests, failures;

static void report(bool good, const char *name, const char *what) {
	failures += !good;
	printf("%sok %d - %s: %s\n", good ? "" : "not ", ++tests, name, what);
}

/* Where two states differ, in words. */
static void explain(const struct vt_memory *a, const struct vt_memory *b) {
	for (int i = 0; i < VT_ARRAYS; i++) {
		size_t size = (size_t)a->count[i] * vt_arrays[i].element;
		const unsigned char *x = a->at[i], *y = b->at[i];
		for (size_t at = 0; at < size; at++) {
			if (x[at] == y[at]) {
				continue;
			}
			printf("# %s differs at byte %zu", vt_arrays[i].name, at);
			for (uint32_t f = 0; i == VT_STATE && f < vt_arrays[i].field_count; f++) {
				const struct vt_field *field = &vt_arrays[i].fields[f];
				if (at >= field->offset &&
					at < field->offset + field->count * field->size) {
					printf(", in %s", field->name);
				}
			}
			printf(": %02x, %02x\n", x[at], y[at]);
			break;
		}
	}
}

/* Byte by byte over changing addresses. */
static void broken_run(struct rig *rig, const uint8_t *bytes, size_t length) {
	struct vt_memory memories[BLOCKS];
	char *blocks[BLOCKS];
	size_t size = rig->size;
	const char *why = "";
	blocks[0] = rig->block;
	memories[0] = rig->memory;
	for (int i = 1; i < BLOCKS; i++) {
		blocks[i] = rig_block(&rig->memory, &memories[i], &size);
		mprotect(blocks[i], size, PROT_NONE);
	}
	int now = 0;
	for (size_t i = 0; i < length; i++) {
		vt_feed(&rig->vt, bytes + i, 1);
		if (i > FEWER_BEYOND && i % 13) {
			continue;
		}
		int next = (now + 1) % BLOCKS;
		mprotect(blocks[next], size, PROT_READ | PROT_WRITE);
		memcpy(blocks[next], blocks[now], size);
		mprotect(blocks[now], size, PROT_NONE);
		memset(&rig->vt, 0xa5, sizeof(rig->vt));
		if (!vt_bind(&rig->vt, &memories[next], &why)) {
			printf("# refused after byte %zu: %s\n", i, why);
			abort();
		}
		now = next;
	}
	for (int i = 0; i < BLOCKS; i++) {
		if (i != now) {
			munmap(blocks[i], size);
		}
	}
	rig->block = blocks[now];
	rig->memory = memories[now];
}

static void cut_run(struct rig *rig, const uint8_t *bytes, size_t length, uint32_t seed) {
	for (size_t at = 0; at < length;) {
		seed = seed * 1664525u + 1013904223u;
		size_t part = 1 + (seed >> 16) % (seed & 0x8000 ? 7 : 300);
		part = part < length - at ? part : length - at;
		vt_feed(&rig->vt, bytes + at, part);
		at += part;
	}
}

static void check_stream(
	const char *name, const uint8_t *bytes, size_t length, uint32_t cols, uint32_t rows) {
	struct rig *whole = malloc(sizeof(*whole)), *other = malloc(sizeof(*other));
	rig_init(whole, cols, rows, HISTORY);
	vt_feed(&whole->vt, bytes, length);

	rig_init(other, cols, rows, HISTORY);
	broken_run(other, bytes, length);
	bool same = memcmp(whole->block, other->block, whole->size) == 0;
	report(same, name, "a handover after every byte changes nothing");
	if (!same) {
		explain(&whole->memory, &other->memory);
	}
	rig_finish(other);

	same = true;
	for (uint32_t seed = 1; seed <= 8 && same; seed++) {
		rig_init(other, cols, rows, HISTORY);
		cut_run(other, bytes, length, seed);
		same = memcmp(whole->block, other->block, whole->size) == 0 &&
			strcmp(whole->log, other->log) == 0;
		if (!same) {
			explain(&whole->memory, &other->memory);
		}
		rig_finish(other);
	}
	report(same, name, "pieces of any length give the same state and events");
	rig_finish(whole);
	free(whole);
	free(other);
}

static void check_file(const char *path, const char *name, uint32_t cols, uint32_t rows) {
	size_t length;
	uint8_t *bytes = (uint8_t *)rig_read_file(path, &length);
	if (!bytes) {
		report(false, name, "cannot be read");
		return;
	}
	check_stream(name, bytes, length, cols, rows);
	free(bytes);
}

static void check_recording(const char *directory, const char *name) {
	char path[1024];
	size_t length;
	unsigned cols = 80, rows = 24;
	snprintf(path, sizeof(path), "%s/%s/size.json", directory, name);
	char *size = rig_read_file(path, &length);
	const char *width = size ? strstr(size, "\"columns\":") : NULL;
	const char *height = size ? strstr(size, "\"screen_lines\":") : NULL;
	if (!width || !height || sscanf(width, "\"columns\":%u", &cols) != 1 ||
		sscanf(height, "\"screen_lines\":%u", &rows) != 1) {
		report(false, name, "its size.json cannot be read");
		free(size);
		return;
	}
	free(size);
	snprintf(path, sizeof(path), "%s/%s/alacritty.recording", directory, name);
	check_file(path, name, cols, rows);
}

static int by_name(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv) {
	setvbuf(stdout, NULL, _IOLBF, 0);
	int arg = 1;
	if (argc > 1 && strcmp(argv[1], "-c") == 0) {
		for (arg = 2; arg < argc && argv[arg][0] != '-'; arg++) {
			const char *base = strrchr(argv[arg], '/');
			check_file(argv[arg], base ? base + 1 : argv[arg], 40, 10);
		}
		printf("1..%d\n", tests);
		return failures > 0;
	}
	DIR *directory = argc > arg ? opendir(argv[arg]) : NULL;
	if (!directory) {
		printf("1..0 # SKIP no recorded streams at %s\n",
			argc > arg ? argv[arg] : "(no path)");
		return 77;
	}
	char *names[256];
	int count = 0;
	for (struct dirent *entry; (entry = readdir(directory)) && count < 256;) {
		bool wanted = argc == arg + 1 || strcmp(argv[arg + 1], entry->d_name) == 0;
		if (entry->d_name[0] != '.' && wanted) {
			names[count++] = strdup(entry->d_name);
		}
	}
	closedir(directory);
	qsort(names, (size_t)count, sizeof(names[0]), by_name);
	for (int i = 0; i < count; i++) {
		check_recording(argv[arg], names[i]);
		free(names[i]);
	}
	printf("1..%d\n", tests);
	return failures > 0;
}

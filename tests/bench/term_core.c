/* SPDX-License-Identifier: MIT */
/*
 * The terminal's core alone, off the PTY: megabytes of output that it takes in a second of one
 * processor's time, at 80x24 with 10,000 lines of history, fed in pieces as a PTY gives them.
 * Beside it: copying the same bytes, and libvterm where it was there to build with. One JSON object
 * a line. usage: term_core [MEASURE]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#ifdef HAVE_VTERM
#include <vterm.h>
#endif

#include "vt.h"

#define COLS 80
#define ROWS 24
#define SIZE (4 << 20)
#define PIECE 65536
#define ROUNDS 30

static char *payload;
static size_t payload_length;
static uint32_t seed = 1;

static uint32_t next_random(uint32_t below) {
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

static void add(const char *text) {
	size_t length = strlen(text);
	memcpy(payload + payload_length, text, length);
	payload_length += length;
}

/* Every cell of every frame in colours and attributes of its own. */
static void make_dense(void) {
	char text[128];
	uint32_t frame = 0;
	while (payload_length < SIZE) {
		add("\033[H");
		for (uint32_t i = 0; i < COLS * ROWS; i++) {
			snprintf(text, sizeof(text), "\033[38;5;%u;48;5;%u;1;3;4m%c",
				(i + frame) % 156 + 100, 255 - (i + frame) % 156,
				(char)('A' + frame % 26));
			add(text);
		}
		frame++;
	}
}

static void make_random_colors(void) {
	char text[128];
	while (payload_length < SIZE) {
		add("\033[H");
		for (uint32_t i = 0; i < COLS * ROWS; i++) {
			snprintf(text, sizeof(text), "\033[0;%u;38;2;%u;%u;%u;48;2;%u;%u;%um%c",
				next_random(9) + 1, next_random(256), next_random(256),
				next_random(256), next_random(256), next_random(256),
				next_random(256), (char)('!' + next_random(94)));
			add(text);
		}
	}
}

static const char *const words[] = {"the", "terminal", "holds", "what", "you", "type", "and", "a",
	"program", "answers", "line", "by", "until", "somebody", "closes", "it", "again", "{", "}",
	"return", "static", "0x1f", "->", "(void)"};

static void add_word(void) {
	add(words[next_random(sizeof(words) / sizeof(words[0]))]);
	add(" ");
}

static void make_text(void) {
	while (payload_length < SIZE) {
		for (uint32_t i = next_random(14); i > 0; i--) {
			add_word();
		}
		add("\r\n");
	}
}

static void make_colored_text(void) {
	char text[32];
	while (payload_length < SIZE) {
		for (uint32_t i = next_random(9); i > 0; i--) {
			snprintf(text, sizeof(text), "\033[%u;%um", next_random(2),
				30 + next_random(8));
			add(text);
			add_word();
			add("\033[m");
		}
		add("\r\n");
	}
}

static void make_utf8(void) {
	static const char *const parts[] = {"größer ", "naïve ", "Привет ", "мир ", "κόσμε ",
		"日本語", "漢字かな交じり ", "한국어 ", "─┬─ ", "→ ", "✓ ", "🙂 ", "e\xcc\x81 ",
		"plain "};
	while (payload_length < SIZE) {
		for (uint32_t i = next_random(9); i > 0; i--) {
			add(parts[next_random(sizeof(parts) / sizeof(parts[0]))]);
		}
		add("\r\n");
	}
}

static void make_scrolling(void) {
	while (payload_length < SIZE) {
		add("y\r\n");
	}
}

static void make_region(void) {
	add("\033[2;20r\033[20H");
	while (payload_length < SIZE) {
		add("y\r\n");
	}
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *zeroed(size_t size) {
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		exit(1);
	}
	return memory;
}

static struct vt vt;

static void make_core(void) {
	struct vt_memory memory = {0};
	vt_memory_counts(&memory, COLS, ROWS, VT_HISTORY_DEFAULT);
	for (int i = 0; i < VT_ARRAYS; i++) {
		memory.at[i] = zeroed((size_t)memory.count[i] * vt_arrays[i].element);
	}
	if (!vt_init(&vt, &memory, COLS, ROWS, 8, 16, VT_HISTORY_DEFAULT)) {
		exit(1);
	}
}

static double run_core(void) {
	double begin = now();
	for (size_t at = 0; at < payload_length; at += PIECE) {
		size_t part = payload_length - at < PIECE ? payload_length - at : PIECE;
		vt_feed(&vt, payload + at, part);
		vt_damage_clear(&vt);
	}
	return (double)payload_length / 1e6 / (now() - begin);
}

static double run_copy(void) {
	static char *to;
	to = to ? to : zeroed(SIZE * 2);
	double begin = now();
	for (int i = 0; i < 4; i++) {
		memcpy(to, payload, payload_length);
		__asm__ volatile("" : : "r"(to) : "memory");
	}
	return 4 * (double)payload_length / 1e6 / (now() - begin);
}

#ifdef HAVE_VTERM
static double run_vterm(void) {
	VTerm *peer = vterm_new(ROWS, COLS);
	vterm_set_utf8(peer, 1);
	vterm_screen_reset(vterm_obtain_screen(peer), 1);
	size_t length = payload_length / 4;
	double begin = now();
	for (size_t at = 0; at < length; at += PIECE) {
		vterm_input_write(peer, payload + at, length - at < PIECE ? length - at : PIECE);
	}
	double speed = (double)length / 1e6 / (now() - begin);
	vterm_free(peer);
	return speed;
}
#endif

static int by_size(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static const char *only;

static void measure(const char *name, void (*make)(void)) {
	if (only && strcmp(only, name) != 0) {
		return;
	}
	double samples[ROUNDS];
	payload_length = 0;
	make();
	vt_reset(&vt);
	run_core();
	run_copy();
	double copy = run_copy();
	for (int i = 0; i < ROUNDS; i++) {
		samples[i] = run_core();
	}
	qsort(samples, ROUNDS, sizeof(samples[0]), by_size);
	printf("{\"name\":\"term.core.%s\",\"unit\":\"MB/"
	       "s\",\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f,"
	       "\"n\":%d,\"beside\":{\"memcpy\":%.0f",
		name, samples[ROUNDS / 2], samples[ROUNDS * 99 / 100], samples[ROUNDS - 1], ROUNDS,
		copy);
#ifdef HAVE_VTERM
	printf(",\"libvterm\":%.1f", run_vterm());
#endif
	printf("}}\n");
	fflush(stdout);
}

int main(int argc, char **argv) {
	only = argc > 1 ? argv[1] : NULL;
	payload = zeroed(SIZE * 2);
	make_core();
	measure("dense_cells", make_dense);
	measure("random_colors", make_random_colors);
	measure("text", make_text);
	measure("colored_text", make_colored_text);
	measure("utf8", make_utf8);
	measure("scrolling", make_scrolling);
	measure("scrolling_region", make_region);
	return 0;
}

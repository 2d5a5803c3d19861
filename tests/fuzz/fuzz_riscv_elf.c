/* SPDX-License-Identifier: MIT */
/*
 * Programs for the RISC-V machine that anybody may have made. Whatever is in the file: it is
 * refused with one line and nothing is changed, or it is loaded and begins within RAM.
 */
#include <stdio.h>
#include <string.h>

#include "board.h"

#define RAM (64 * 1024)
#define FILLER 0xaa

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good, const char *what) {
	if (!good) {
		fprintf(stderr, "fuzz-riscv-elf: %s\n", what);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct rv_machine *m;
	static uint8_t before[RAM];
	char why[200];
	struct rv_image image = {.entry = 1};
	if (!m) {
		m = board_create(1, RAM, 0);
		memset(before, FILLER, RAM);
	}
	memcpy(m->ram, before, RAM);
	m->board->tohost = m->board->fromhost = 0;
	memset(why, 'x', sizeof(why));
	if (rv_load_image(m, data, size, RV_RAM_BASE, &image, why, sizeof(why))) {
		check(rv_is_ram(m, image.entry, 2), "begins outside RAM");
		check(image.start < image.end && rv_is_ram(m, image.start, image.end - image.start),
			"lies outside RAM");
		check(m->board->tohost % 8 == 0 && m->board->fromhost % 8 == 0, "HTIF not aligned");
		check(!m->board->tohost || rv_is_ram(m, m->board->tohost, 8), "tohost outside RAM");
		check(!m->board->fromhost || rv_is_ram(m, m->board->fromhost, 8),
			"fromhost outside RAM");
		return 0;
	}
	size_t length = strnlen(why, sizeof(why));
	check(length > 0 && length < sizeof(why) && !strchr(why, '\n'), "not one line");
	check(memcmp(m->ram, before, RAM) == 0, "refused, but RAM was changed");
	check(image.entry == 1 && !m->board->tohost && !m->board->fromhost, "refused, but changed");
	return 0;
}

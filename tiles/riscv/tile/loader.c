/* SPDX-License-Identifier: MIT */
/*
 * What the options say becomes memory: sizes when the machine is new, then file by file, a piece in
 * each update. How far it has come is in cells, so that another version goes on with it.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rvtile.h"

#define MIB (1ull << 20)
#define RAM_DEFAULT (128 * MIB)
#define RAM_LEAST (1 * MIB)
#define RAM_MOST (8192 * MIB)
#define DISK_MOST (65536 * MIB)
#define STAGING_MOST (1024 * MIB)
#define PIECE MIB

static const char *const options[FILES] = {
	[FILE_ELF] = "elf",
	[FILE_FIRMWARE] = "firmware",
	[FILE_KERNEL] = "kernel",
	[FILE_INITRD] = "initrd",
	[FILE_DISK] = "disk",
};

static const char *option(const struct rvtile *rv, const char *key) {
	return rv->tile->host->option(rv->tile, key);
}

static void close_file(struct rvtile *rv) {
	if (rv->stream >= 0) {
		rv->tile->host->stream_close(rv->tile, rv->stream);
		rv->stream = -1;
	}
}

__attribute__((format(printf, 2, 3))) static void fail(struct rvtile *rv, const char *format, ...) {
	struct setup *setup = setup_of(rv);
	va_list args;
	va_start(args, format);
	vsnprintf(setup->why, sizeof(setup->why), format, args);
	va_end(args);
	setup->phase = SETUP_FAILED;
	close_file(rv);
	tile_log(rv->tile, 0, "%s", setup->why);
	console_message(rv, setup->why);
}

/* ---- sizes */

static bool parse_size(const char *text, uint64_t *size) {
	char *end;
	uint64_t number = strtoull(text, &end, 10);
	unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
	if (end == text || text[0] == '-' || (shift && end[1]) || (!shift && *end) ||
		number > UINT64_MAX >> 30) {
		return false;
	}
	*size = number << shift;
	return true;
}

bool loader_sizes(const struct rvtile *rv, uint64_t *ram_size, uint32_t *hart_count, char *why,
	size_t why_size) {
	const char *memory = option(rv, "memory"), *harts = option(rv, "harts");
	uint64_t size = RAM_DEFAULT;
	if (memory && !parse_size(memory, &size)) {
		snprintf(why, why_size,
			"option memory: \"%.40s\" is no size; it is written 64M or 1G", memory);
		return false;
	}
	if (size < RAM_LEAST || size > RAM_MOST) {
		snprintf(why, why_size,
			"option memory: %.40s is out of bounds, which are 1M and 8G", memory);
		return false;
	}
	char *end = NULL;
	unsigned long count = harts ? strtoul(harts, &end, 10) : 1;
	if (count < 1 || count > RV_HARTS_MAX || (harts && *end)) {
		snprintf(why, why_size, "option harts: \"%.40s\" is not 1 to %d", harts,
			RV_HARTS_MAX);
		return false;
	}
	*ram_size = size & ~(RV_PAGE - 1);
	*hart_count = (uint32_t)count;
	return true;
}

static bool resize(struct rvtile *rv, enum rvtile_cell cell, uint64_t bytes) {
	uint64_t pages = (bytes + RV_PAGE - 1) / RV_PAGE;
	return rv->tile->host->cell_resize(rv->tile, cell, pages ? pages : 1);
}

/* ---- from the start */

static void next_file(struct rvtile *rv);

void loader_restart(struct rvtile *rv) {
	struct setup *setup = setup_of(rv);
	close_file(rv);
	if (setup->phase == SETUP_NEW || setup->ram_size == 0) {
		loader_setup(rv);
		return;
	}
	bool network;
	char why[160];
	if (!network_wanted(rv, &network, why, sizeof(why))) {
		fail(rv, "%s", why);
		/* As below; it may have no memory yet. */
		setup->ram_size = rv->machine_there ? setup->ram_size : 0;
		return;
	}
	network_setup(rv, network);
	/* Memory is made anew rather than emptied: what was touched is given back. */
	memset(rv->tile->cells[CELL_RAM], 0, sizeof(struct page));
	rvtile_unbind(rv);
	if (!resize(rv, CELL_RAM, 0) || !resize(rv, CELL_RAM, setup->ram_size) ||
		!rvtile_bind(rv)) {
		fail(rv, "no memory for a machine of %llu MiB",
			(unsigned long long)(setup->ram_size / MIB));
		/* The next restart begins with the options. */
		setup->ram_size = 0;
		return;
	}
	struct rv_board *board = rv->machine.board;
	board->ended = false;
	board->exit_code = 0;
	board->tohost = board->fromhost = 0;
	rv_machine_reset(&rv->machine);
	struct typed *typed = rv->tile->cells[CELL_TYPED];
	typed->head = typed->count = 0;
	setup->program = setup->next = (struct rv_image){0};
	setup->initrd = setup->initrd_end = 0;
	setup->why[0] = 0;
	setup->phase = SETUP_LOADING;
	setup->file = 0;
	setup->at = setup->size = 0;
	if (!option(rv, "elf") && !option(rv, "firmware")) {
		fail(rv,
			option(rv, "kernel")
				? "option kernel needs a firmware: option firmware FILE (OpenSBI's "
				  "fw_dynamic.bin)"
				: "there is nothing to run: option elf FILE, or option firmware "
				  "FILE and option kernel FILE");
		return;
	}
	next_file(rv);
}

void loader_setup(struct rvtile *rv) {
	struct setup *setup = setup_of(rv);
	setup->phase = SETUP_LOADING;
	char why[160];
	if (loader_sizes(rv, &setup->ram_size, &setup->hart_count, why, sizeof(why))) {
		loader_restart(rv);
	} else {
		setup->ram_size = 0;
		fail(rv, "%s", why);
	}
}

/* ---- files */

/* How much there is room for; and where it does not go into staging, where it goes. */
static uint64_t file_limit(const struct rvtile *rv) {
	const struct setup *setup = setup_of(rv);
	switch ((enum setup_file)setup->file) {
	case FILE_INITRD:
		return setup->ram_size > RV_BOOT_AREA ? setup->ram_size - RV_BOOT_AREA : 0;
	case FILE_DISK:
		return DISK_MOST;
	default:
		return STAGING_MOST;
	}
}

static bool wanted(const struct rvtile *rv, uint32_t file) {
	/* A disk keeps what the guest wrote on it. */
	return option(rv, options[file]) && !(file == FILE_DISK && setup_of(rv)->has_disk) &&
		!(file > FILE_ELF && file < FILE_DISK && option(rv, "elf"));
}

static void boot(struct rvtile *rv) {
	struct setup *setup = setup_of(rv);
	struct rv_boot_plan plan = {
		.program = setup->program,
		.next = setup->next,
		.boot =
			{
				.bootargs = option(rv, "append"),
				.initrd = setup->initrd,
				.initrd_end = setup->initrd_end,
			},
	};
	for (size_t i = 0; i < sizeof(plan.boot.seed); i += 8) {
		uint64_t number = rv->tile->host->random64(rv->tile);
		memcpy(plan.boot.seed + i, &number, 8);
	}
	char why[160];
	if (!rv_boot_prepare(&rv->machine, &plan, why, sizeof(why))) {
		fail(rv, "%s", why);
		return;
	}
	rv_machine_written(&rv->machine, RV_RAM_BASE, setup->ram_size);
	rv_machine_reset(&rv->machine);
	setup->phase = SETUP_RUNS;
	run_start(rv);
}

static bool make_room(struct rvtile *rv) {
	struct setup *setup = setup_of(rv);
	const char *name = options[setup->file];
	uint64_t limit = file_limit(rv);
	if (setup->size > limit) {
		fail(rv, "option %s: the file has %llu MiB, of at most %llu", name,
			(unsigned long long)(setup->size / MIB), (unsigned long long)(limit / MIB));
		return false;
	}
	if (setup->file == FILE_INITRD) {
		setup->initrd = rv_boot_initrd(&rv->machine, setup->size);
		setup->initrd_end = setup->initrd + setup->size;
		return true;
	}
	enum rvtile_cell cell = setup->file == FILE_DISK ? CELL_DISK : CELL_STAGING;
	if (!resize(rv, cell, setup->size)) {
		fail(rv, "option %s: no memory for its %llu MiB", name,
			(unsigned long long)(setup->size / MIB));
		return false;
	}
	return true;
}

/* Opens the present file where it was left. */
static bool open_file(struct rvtile *rv) {
	struct setup *setup = setup_of(rv);
	struct tile_file file;
	rv->stream = rv->tile->host->file_open(rv->tile, options[setup->file], setup->at, &file);
	if (rv->stream < 0) {
		fail(rv, "%s", file.why);
		return false;
	}
	if (setup->at == 0) {
		setup->size = file.size;
	} else if (setup->size != file.size) {
		fail(rv, "option %s: the file has changed while it was read", options[setup->file]);
		return false;
	}
	return true;
}

static void next_file(struct rvtile *rv) {
	struct setup *setup = setup_of(rv);
	while (setup->file < FILES && !wanted(rv, setup->file)) {
		setup->file++;
	}
	setup->at = 0;
	if (setup->file == FILES) {
		boot(rv);
	} else if (open_file(rv)) {
		make_room(rv);
	}
}

void loader_attach(struct rvtile *rv) {
	const struct setup *setup = setup_of(rv);
	rv->stream = -1;
	if (setup->phase == SETUP_LOADING && setup->file < FILES) {
		open_file(rv);
	}
}

static uint8_t *place(const struct rvtile *rv) {
	const struct setup *setup = setup_of(rv);
	switch ((enum setup_file)setup->file) {
	case FILE_INITRD:
		return rv->machine.ram + (setup->initrd - RV_RAM_BASE);
	case FILE_DISK:
		return rv->tile->cells[CELL_DISK];
	default:
		return rv->tile->cells[CELL_STAGING];
	}
}

/* What was named by mistake is seldom a program, and would run all the same. */
static bool may_be_loaded(const struct rvtile *rv, const void *data) {
	const struct setup *setup = setup_of(rv);
	const char *flat = option(rv, "flat");
	return setup->file != FILE_ELF || (flat && strcmp(flat, "yes") == 0) || setup->size == 0 ||
		(setup->size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0);
}

/* What is in staging goes to where it says that it belongs. */
static bool load_staging(struct rvtile *rv) {
	struct setup *setup = setup_of(rv);
	bool kernel = setup->file == FILE_KERNEL;
	uint64_t address = kernel ? rv_boot_next_stage(&rv->machine) : RV_RAM_BASE;
	const void *data = rv->tile->cells[CELL_STAGING];
	char why[200] = "not an ELF file; with option flat yes it is run as it is";
	bool loaded = may_be_loaded(rv, data) &&
		rv_load_image(&rv->machine, data, setup->size, address,
			kernel ? &setup->next : &setup->program, why, sizeof(why));
	memset(rv->tile->cells[CELL_STAGING], 0, sizeof(struct page));
	resize(rv, CELL_STAGING, 0);
	if (!loaded) {
		fail(rv, "option %s: %s", options[setup->file], why);
		return false;
	}
	return rvtile_bind(rv);
}

/* It has a disk once that is whole. */
static bool insert_disk(struct rvtile *rv) {
	struct setup *setup = setup_of(rv);
	setup->has_disk = true;
	setup->disk_size = (setup->size + 511) & ~511ull;
	return rvtile_bind(rv);
}

static void file_done(struct rvtile *rv) {
	struct setup *setup = setup_of(rv);
	close_file(rv);
	if (setup->file == FILE_DISK ? !insert_disk(rv)
				     : setup->file != FILE_INITRD && !load_staging(rv)) {
		return;
	}
	setup->file++;
	next_file(rv);
}

void loader_step(struct rvtile *rv) {
	struct setup *setup = setup_of(rv);
	if (setup->phase != SETUP_LOADING || rv->stream < 0) {
		return;
	}
	uint64_t left = setup->size - setup->at;
	uint64_t piece = left < PIECE ? left : PIECE;
	long got = piece > 0
		? rv->tile->host->stream_read(rv->tile, rv->stream, place(rv) + setup->at, piece)
		: 0;
	if (piece > 0 && got <= 0) {
		fail(rv, "option %s: the file ends after %llu bytes of %llu", options[setup->file],
			(unsigned long long)setup->at, (unsigned long long)setup->size);
		return;
	}
	setup->at += (uint64_t)got;
	if (setup->at >= setup->size) {
		file_done(rv);
	}
}

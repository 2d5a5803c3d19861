/* SPDX-License-Identifier: MIT */
/*
 * Recordings that anybody may have written: as files, and as the memory of a tile that writes them.
 * Input: a byte of flags, then the bytes. Whatever is there: an error, or events that can be walked
 * and a region that can be read.
 *
 * Run with --write FOLDER it writes recordings to start from instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"
#include "recording.h"

#define FIX_SUMS 1  /* a file of which only the contents are wrong */
#define AS_MEMORY 2 /* the bytes are laid over the slots of a live recording */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static uint8_t memory[RECORDING_ROOM_MIN];
static const struct vat_region_info info = {
	.name = "seed", .tile = {{1, 2, 3}}, .city = {{4, 5, 6}}};

static void fix_sums(uint8_t *bytes, size_t size) {
	struct recording_header header;
	if (size < RECORDING_HEADER) {
		return;
	}
	memcpy(&header, bytes, sizeof(header));
	uint64_t room = size - RECORDING_HEADER;
	header.magic = RECORDING_MAGIC;
	header.format = RECORDING_FORMAT;
	if (header.used > room) {
		header.used = room & ~7ull;
	}
	header.base_used = room - header.used;
	header.events_sum = vat_checksum(bytes + RECORDING_HEADER, header.used);
	header.base_sum = vat_checksum(bytes + RECORDING_HEADER + header.used, header.base_used);
	header.header_sum = vat_checksum(&header, offsetof(struct recording_header, header_sum));
	memcpy(bytes, &header, sizeof(header));
}

/* What nobody may read beyond, under a sanitizer. */
static void walk(const struct recording *recording) {
	uint64_t at = 0;
	volatile uint64_t sum = 0;
	const struct recording_event *event;
	while ((event = recording_next(recording, &at))) {
		const uint8_t *bytes = (const uint8_t *)event;
		for (uint32_t i = 0; i < event->size; i++) {
			sum += bytes[i];
		}
		if (!recording_type_name(event->type)) {
			abort();
		}
	}
	int fd = recording_region(recording, NULL);
	struct vat_region *region;
	if (fd >= 0 && vat_region_map(fd, VAT_READ, &region, NULL) == 0) {
		vat_region_unmap(region);
	}
	if (fd >= 0) {
		close(fd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct recording recording;
	struct vat_error error;
	if (size < 1) {
		return 0;
	}
	unsigned flags = *data++;
	size--;
	int rc;
	if (flags & AS_MEMORY) {
		uint8_t *copy = malloc(sizeof(memory));
		if (!copy) {
			return 0;
		}
		memcpy(copy, memory, sizeof(memory));
		size_t half = size / 2;
		memcpy(copy, data, half < sizeof(memory) / 2 ? half : sizeof(memory) / 2);
		memcpy(copy + sizeof(memory) / 2, data + half,
			size - half < sizeof(memory) / 2 ? size - half : sizeof(memory) / 2);
		rc = recording_collect(copy, sizeof(memory), &recording, &error);
		free(copy);
	} else {
		uint8_t *copy = malloc(size ? size : 1);
		if (!copy) {
			return 0;
		}
		memcpy(copy, data, size);
		if (flags & FIX_SUMS) {
			fix_sums(copy, size);
		}
		rc = recording_parse(copy, size, &recording, &error);
		free(copy);
	}
	if (rc == 0) {
		walk(&recording);
		recording_finish(&recording);
	}
	return 0;
}

/* ---- seeds */

static void put(struct recording_writer *writer, enum recording_type type, unsigned arg,
	const void *data, size_t size, const char *text, size_t text_size) {
	struct recording_event *event = recording_put(writer, type, arg, size + text_size);
	if (!event) {
		abort();
	}
	if (size > 0) {
		memcpy(recording_payload(event), data, size);
	}
	if (text_size > 0) {
		memcpy((char *)recording_payload(event) + size, text, text_size);
	}
	recording_publish(writer, event);
}

/* One of each event. */
static void write_events(struct recording_writer *writer) {
	const struct vat_transport_part part = {
		.tempo = VAT_TEMPO, .beats_a_bar = 4, .bars_a_phrase = 4};
	const struct vat_transport transport = {.rate = VAT_RATE,
		.parts = {part, part},
		.marker_count = 1,
		.markers = {{.tick = 3, .name = "verse"}}};
	const struct recording_attach attach = {.reason = TILE_ATTACH_COLD,
		.size = {.width = 10, .height = 10, .scale = 1},
		.transport = transport};
	const struct recording_size size = {.width = 20, .height = 10, .scale = 1.5};
	const struct recording_moment time = {.time.now_ns = 5, .frame = 7};
	const struct recording_render render = {.frame = 64, .frames = 64};
	const struct recording_status status = {.status = {.connected = true, .ahead = 5}};
	const struct recording_input key = {
		.input = {.type = TILE_INPUT_KEY, .key = {.state = TILE_KEY_PRESSED}}};
	const struct recording_input paste = {
		.input = {.type = TILE_INPUT_PASTE, .paste = {.size = 5}}};
	const struct recording_input end = {.input = {.type = TILE_INPUT_STREAM_END}};
	const struct recording_input saved = {.input = {.type = TILE_INPUT_FILE}};
	const struct tile_file file = {.size = 3};
	int64_t three = 3;
	uint32_t cell = 1;
	put(writer, RECORDING_ATTACH, 0, &attach, sizeof(attach), "a=b", 4);
	put(writer, RECORDING_CLAIM, 0, NULL, 0, "pty", 4);
	put(writer, RECORDING_OPEN, 1, NULL, 0, "pty", 4);
	put(writer, RECORDING_END, 1, NULL, 0, NULL, 0);
	put(writer, RECORDING_STREAM_THERE, 0, NULL, 0, "other", 6);
	put(writer, RECORDING_SIZE, 0, &size, sizeof(size), NULL, 0);
	put(writer, RECORDING_UPDATE, 0, &time, sizeof(time), NULL, 0);
	put(writer, RECORDING_RANDOM, 0, &three, sizeof(three), NULL, 0);
	put(writer, RECORDING_NO_CELL, 0, &cell, sizeof(cell), NULL, 0);
	put(writer, RECORDING_FILE, 1, &file, sizeof(file), "kernel", 7);
	put(writer, RECORDING_END, 1, NULL, 0, NULL, 0);
	put(writer, RECORDING_READY, 1, &time, sizeof(time), "pty", 4);
	put(writer, RECORDING_READ, 0, &three, sizeof(three), "pty\0abc", 7);
	put(writer, RECORDING_WRITE, 1, &three, sizeof(three), "pty", 4);
	put(writer, RECORDING_END, 1, NULL, 0, NULL, 0);
	put(writer, RECORDING_INPUT, 0, &key, sizeof(key), NULL, 0);
	put(writer, RECORDING_END, 1, NULL, 0, NULL, 0);
	put(writer, RECORDING_INPUT, 0, &paste, sizeof(paste), "hello", 5);
	put(writer, RECORDING_END, 1, NULL, 0, NULL, 0);
	put(writer, RECORDING_INPUT, 0, &end, sizeof(end), "pty", 4);
	put(writer, RECORDING_END, 1, NULL, 0, NULL, 0);
	put(writer, RECORDING_INPUT, 0, &saved, sizeof(saved), "clip", 5);
	put(writer, RECORDING_WATCH, 1, NULL, 0, "clip", 5);
	put(writer, RECORDING_END, 1, NULL, 0, NULL, 0);
	put(writer, RECORDING_TRANSPORT, 0, &transport, sizeof(transport), NULL, 0);
	put(writer, RECORDING_RENDER, 0, &render, sizeof(render), NULL, 0);
	put(writer, RECORDING_ASK, 1, NULL, 0, NULL, 0);
	put(writer, RECORDING_STATUS, 1, &status, sizeof(status), NULL, 0);
	put(writer, RECORDING_END, 1, NULL, 0, NULL, 0);
	put(writer, RECORDING_DRAW, 0, &time, sizeof(time), NULL, 0);
	put(writer, RECORDING_END, 1, NULL, 0, NULL, 0);
	put(writer, RECORDING_QUIESCE, 0, &time, sizeof(time), NULL, 0);
	put(writer, RECORDING_END, 1, NULL, 0, NULL, 0);
}

static void write_base(struct recording_header *header) {
	static const struct vat_field fields[] = {
		{.id = 1, .type = VAT_U64, .count = 1, .name = "x"}};
	static const struct vat_cell_decl cell = {
		.name = "cell", .fields = fields, .field_count = 1, .stride = 8, .count = 1};
	struct vat_region *region;
	int fd = vat_region_create(&info, 0, NULL);
	if (fd < 0 || vat_region_map(fd, VAT_WRITE, &region, NULL) < 0 ||
		vat_region_adopt(region, &cell, 1, 0, NULL, NULL) < 0) {
		abort();
	}
	const struct recording_extent extent = {0, 2 * VAT_PAGE};
	uint8_t *to = (uint8_t *)header + header->base_at;
	memcpy(to, &extent, sizeof(extent));
	if (pread(fd, to + sizeof(extent), extent.size, 0) < 0) {
		abort();
	}
	header->base_used = sizeof(extent) + extent.size;
	header->base_size = vat_region_size(region);
	vat_region_unmap(region);
	close(fd);
}

static void make_memory(void) {
	struct recording_writer writer;
	if (!recording_writer_init(&writer, memory, sizeof(memory))) {
		abort();
	}
	for (unsigned i = 0; i < RECORDING_SLOTS; i++) {
		recording_begin(&writer, i, &info);
		struct recording_header *header = recording_slot(&writer, i);
		if (i > 0) {
			header->flags = RECORDING_FOLLOWS;
			write_base(header);
		}
		header->number = i + 1;
		write_events(&writer);
	}
}

static void write_seed(const char *folder, const char *name, unsigned flags) {
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "we");
	struct recording recording;
	if (!file || recording_collect(memory, sizeof(memory), &recording, NULL) < 0) {
		abort();
	}
	fputc((int)flags, file);
	fflush(file);
	if (flags & AS_MEMORY) {
		fwrite(memory, 4096 + 2048, 1, file);
		fwrite(memory + sizeof(memory) / 2, 4096 + 2048, 1, file);
	} else if (recording_save(&recording, fileno(file), NULL) < 0) {
		abort();
	}
	recording_finish(&recording);
	fclose(file);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	/* AddressSanitizer pays for address space. */
	vat_hooks.reserve = 1 << 24;
	make_memory();
	if (*argc == 3 && strcmp((*argv)[1], "--write") == 0) {
		write_seed((*argv)[2], "joined", FIX_SUMS);
		write_seed((*argv)[2], "memory", AS_MEMORY);
		struct recording_writer writer;
		recording_writer_init(&writer, memory, sizeof(memory));
		recording_slot(&writer, 1)->flags = 0;
		write_seed((*argv)[2], "base", FIX_SUMS);
		exit(0);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "fake_host.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake_host *fake_of(struct tile *tile) {
	return (struct fake_host *)tile;
}

/* ---- services */

static void wake_at(struct tile *tile, uint64_t now_ns) {
	struct fake_host *fake = fake_of(tile);
	if (now_ns == UINT64_MAX || now_ns < fake->wake_at) {
		fake->wake_at = now_ns;
	}
}

static void damage(struct tile *tile, double tx, double ty, double width, double height) {
}

static long stream_read(struct tile *tile, int stream, void *data, size_t size) {
	long got = read(fake_of(tile)->fd, data, size);
	return got > 0 ? got : -1;
}

static void stream_close(struct tile *tile, int stream) {
	close(fake_of(tile)->fd);
	fake_of(tile)->fd = -1;
}

static void set_title(struct tile *tile, const char *title) {
}

static const char *option(struct tile *tile, const char *key) {
	struct fake_host *fake = fake_of(tile);
	for (int i = 0; i < FAKE_OPTIONS && fake->options[i][0]; i++) {
		if (strcmp(fake->options[i][0], key) == 0) {
			return fake->options[i][1];
		}
	}
	return NULL;
}

static void say(struct tile *tile, int level, const char *format, va_list args) {
	struct fake_host *fake = fake_of(tile);
	vsnprintf(fake->logged, sizeof(fake->logged), format, args);
	fprintf(stderr, "# tile: %s\n", fake->logged);
}

static int file_open(struct tile *tile, const char *key, uint64_t offset, struct tile_file *file) {
	struct fake_host *fake = fake_of(tile);
	const char *path = option(tile, key);
	fake->fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fake->fd < 0) {
		snprintf(file->why, sizeof(file->why), "option %s: no such file", key);
		return -1;
	}
	struct stat st;
	file->size = fstat(fake->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	return 0;
}

static bool file_watch(struct tile *tile, const char *key) {
	return true;
}

static bool sound_status(struct tile *tile, uint32_t port, struct tile_sound_status *status) {
	*status = (struct tile_sound_status){.connected = true, .quantum = 256};
	return true;
}

/* From a tick on, if that is still to come. */
static bool plan(
	struct fake_host *fake, enum tile_transport_ask what, uint32_t value, int64_t tick) {
	struct vat_transport_part *parts = fake->transport.parts, *part = &parts[1];
	uint64_t at = vat_part_frame(&parts[0], FAKE_RATE, tick);
	if (part->frame > fake->frame && (value == 0 || part->tick != tick)) {
		*part = parts[0];
	}
	if (value == 0 || at <= fake->frame || at == UINT64_MAX) {
		return true;
	}
	if (part->frame <= fake->frame) {
		parts[0] = *part;
		part->frame = at;
		part->tick = tick;
	}
	if (what == TILE_TRANSPORT_TEMPO) {
		part->tempo = value;
	} else {
		int64_t behind, bar = vat_part_bar(part, tick, &behind);
		part->beats_a_bar = value;
		part->bar_zero = tick - bar * value * VAT_PPQ;
	}
	return true;
}

/* From the tick on that is rendered next. */
static bool transport_ask(struct tile *tile, enum tile_transport_ask what, uint32_t value,
	int64_t tick, const char *name) {
	struct fake_host *fake = fake_of(tile);
	if (tick > 0 && (what == TILE_TRANSPORT_TEMPO || what == TILE_TRANSPORT_METER)) {
		return plan(fake, what, value, tick);
	}
	struct vat_transport_part before = *vat_transport_at(&fake->transport, fake->frame),
				  part = before;
	part.tick = vat_part_tick(&before, FAKE_RATE, fake->frame);
	part.frame = before.playing ? vat_part_frame(&before, FAKE_RATE, part.tick) : fake->frame;
	if (what == TILE_TRANSPORT_PLAY || what == TILE_TRANSPORT_STOP) {
		part.playing = what == TILE_TRANSPORT_PLAY;
	} else if (what == TILE_TRANSPORT_TEMPO) {
		part.tempo = value;
	} else if (what == TILE_TRANSPORT_METER) {
		part.beats_a_bar = value;
	}
	fake->transport.parts[0] = fake->transport.parts[1] = part;
	return true;
}

/* ---- starting */

/* Zero, but for the initial values of fields. */
static void *new_cell(const struct vat_cell_decl *cell) {
	char *memory = aligned_alloc(64, (cell->count * cell->stride + 63) / 64 * 64);
	memset(memory, 0, cell->count * cell->stride);
	for (uint32_t i = 0; i < cell->field_count; i++) {
		const struct vat_field *field = &cell->fields[i];
		if (field->type == VAT_I32) {
			memcpy(memory + field->offset, &(int32_t){(int32_t)field->initial.i}, 4);
		}
	}
	return memory;
}

bool fake_host_start(struct fake_host *fake, const char *artifact, const char *const options[][2],
	const struct fake_host *from) {
	void *library = dlopen(artifact, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return false;
	}
	*fake = (struct fake_host){
		.services =
			{
				.size = sizeof(struct tile_host),
				.wake_at = wake_at,
				.damage = damage,
				.stream_read = stream_read,
				.stream_close = stream_close,
				.set_title = set_title,
				.option = option,
				.log = say,
				.file_open = file_open,
				.file_watch = file_watch,
				.sound_status = sound_status,
				.transport_ask = transport_ask,
			},
		.descriptor = dlsym(library, TILE_SYMBOL),
		.transport.rate = FAKE_RATE,
		.wake_at = UINT64_MAX,
	};
	for (int i = 0; options && i < FAKE_OPTIONS && options[i][0]; i++) {
		fake->options[i][0] = options[i][0];
		fake->options[i][1] = options[i][1];
	}
	for (int i = 0; i < 2; i++) {
		fake->transport.parts[i] = (struct vat_transport_part){
			.tempo = VAT_TEMPO, .beats_a_bar = 4, .bars_a_phrase = 4};
	}
	for (uint32_t i = 0; i < fake->descriptor->cell_count; i++) {
		const struct vat_cell_decl *cell = &fake->descriptor->cells[i];
		fake->cells[i] = new_cell(cell);
		fake->counts[i] = cell->count;
		fake->fresh[i] = !from;
		if (from) {
			memcpy(fake->cells[i], from->cells[i], cell->count * cell->stride);
		}
	}
	if (from) {
		fake->transport = from->transport;
		fake->frame = from->frame;
		fake->time = from->time;
	}
	fake->tile = (struct tile){
		.host = &fake->services,
		.cells = fake->cells,
		.cell_counts = fake->counts,
		.cell_fresh = fake->fresh,
		.width = fake->descriptor->default_width,
		.height = fake->descriptor->default_height,
		.scale = 1,
		.time = &fake->time,
		.transport = &fake->transport,
		.frame = from ? from->tile.frame : 0,
	};
	return fake->descriptor->ops->warm(&fake->tile) &&
		fake->descriptor->ops->attach(
			&fake->tile, from ? TILE_ATTACH_HANDOVER : TILE_ATTACH_COLD);
}

void fake_host_finish(struct fake_host *fake) {
	fake->descriptor->ops->detach(&fake->tile);
	for (uint32_t i = 0; i < fake->descriptor->cell_count; i++) {
		free(fake->cells[i]);
	}
}

/* ---- running */

void fake_host_render(
	struct fake_host *fake, uint64_t frames, uint32_t slice, float *left, float *right) {
	while (frames > 0) {
		uint32_t part = frames < slice ? (uint32_t)frames : slice;
		uint64_t change = fake->transport.parts[1].frame;
		if (change > fake->frame && change - fake->frame < part) {
			part = (uint32_t)(change - fake->frame);
		}
		memset(left, 0, part * sizeof(*left));
		memset(right, 0, part * sizeof(*right));
		float *out[] = {left, right};
		fake->tile.frame = fake->frame;
		fake->time.now_ns = fake->frame * 1000000000u / FAKE_RATE;
		struct tile_sound sound = {
			.frame = fake->frame, .frames = part, .rate = FAKE_RATE, .out = out};
		fake->frame += part;
		fake->descriptor->ops->render(&fake->tile, &sound);
		if (fake->wake_at <= fake->time.now_ns) {
			fake->wake_at = UINT64_MAX;
			fake->descriptor->ops->update(&fake->tile);
		}
		left += part;
		right += part;
		frames -= part;
	}
}

void fake_host_saved(struct fake_host *fake) {
	fake->descriptor->ops->input(
		&fake->tile, &(struct tile_input){.type = TILE_INPUT_FILE, .file.option = "clip"});
}

void fake_host_key(struct fake_host *fake, uint32_t code, enum tile_key_state state) {
	fake->descriptor->ops->input(&fake->tile,
		&(struct tile_input){
			.type = TILE_INPUT_KEY, .key = {.keycode = code, .state = state}});
}

void fake_host_draw(struct fake_host *fake, uint32_t *pixels) {
	struct tile_rect all = {0, 0, fake->tile.width, fake->tile.height};
	fake->descriptor->ops->draw(&fake->tile,
		&(struct tile_canvas){
			.pixels = pixels,
			.width = all.width,
			.height = all.height,
			.stride = all.width * 4,
			.scale = 1,
			.damage = &all,
			.damage_count = 1,
		});
}

void *fake_host_cell(const struct fake_host *fake, const char *name) {
	for (uint32_t i = 0; i < fake->descriptor->cell_count; i++) {
		if (strcmp(fake->descriptor->cells[i].name, name) == 0) {
			return fake->cells[i];
		}
	}
	abort();
}

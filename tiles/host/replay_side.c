/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "replay.h"
#include "undo.h"

/* A stream that is not read to its end is told to be readable again, so often. */
#define AGAIN_MAX 256

__attribute__((format(printf, 3, 4))) static bool fail(
	struct replay_side *side, enum replay_end end, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(side->result->why, sizeof(side->result->why), format, args);
	va_end(args);
	side->result->end = end;
	return false;
}

/* For whoever finds this process dead. */
static void tell(struct replay_side *side, const char *operation) {
	side->result->side = side->name;
	snprintf(side->result->operation, sizeof(side->result->operation), "%s", operation);
	host_crash_watch(replay_host(side));
}

/* ---- what is written */

static void begin_watch(struct replay_side *side) {
	struct host *host = replay_host(side);
	memset(side->spans, 0, sizeof(*side->spans) * host->descriptor.cell_count);
	side->all_written = vat_barrier_begin(host->region, side->undo_fd,
				    vat_region_generation(host->region), NULL) < 0;
}

static void note_page(struct replay_side *side, uint64_t page) {
	const struct host *host = replay_host(side);
	uint64_t begin = page * VAT_PAGE, end = begin + VAT_PAGE;
	for (uint32_t i = 0; i < host->descriptor.cell_count; i++) {
		const struct vat_cell_decl *decl = &host->descriptor.cells[i];
		const struct vat_cell *cell =
			vat_region_find(host->region, decl->name, decl->scope, decl->element);
		uint64_t size = cell ? cell->count * cell->stride : 0;
		if (!cell || begin >= cell->offset + size || end <= cell->offset) {
			continue;
		}
		uint64_t from = begin > cell->offset ? begin - cell->offset : 0;
		uint64_t to = end - cell->offset < size ? end - cell->offset : size;
		struct replay_span *span = &side->spans[i];
		span->from = span->to == 0 || from < span->from ? from : span->from;
		span->to = to > span->to ? to : span->to;
	}
}

static void end_watch(struct replay_side *side) {
	struct host *host = replay_host(side);
	if (!vat_barrier_armed(host->region)) {
		side->all_written = true;
		return;
	}
	uint64_t pages = vat_region_size(host->region) / VAT_PAGE;
	struct vat_log log;
	if (vat_log_map(side->undo_fd, pages, false, &log, NULL) < 0) {
		side->all_written = true;
	} else {
		for (uint64_t i = 0; i < log.header->next && i < log.pages; i++) {
			if (log.entries[i] > 1) { /* page 0 is the header */
				note_page(side, log.entries[i] - 1);
			}
		}
		vat_log_unmap(&log);
	}
	vat_barrier_end(host->region, NULL);
}

/* ---- an instance */

static bool start_instance(struct replay_side *side, char *why, size_t why_size) {
	struct replay_instance *instance = calloc(1, sizeof(*instance));
	if (!instance) {
		snprintf(why, why_size, "out of memory");
		return false;
	}
	struct host *host = &instance->host;
	host_init(host);
	instance->side = side;
	side->instance = instance;
	host->tile.host = &replay_services;
	host->told = &side->at;
	host->state = HOST_READY;
	snprintf(host->name, sizeof(host->name), "%s", side->recording->header.name);
	if (keeper_wire_add(host->assume, side->attach->hash) == 0 &&
		side->attach_options < sizeof(host->assume->text) - host->assume->text_size) {
		memcpy(host->assume->text + host->assume->text_size, side->options,
			side->attach_options);
		host->assume->text_size += (uint32_t)side->attach_options;
	}
	tell(side, "load");
	if (!host_load(host, side->artifact, why, why_size)) {
		return false;
	}
	host->tile.width = host->width = side->size.width;
	host->tile.height = host->height = side->size.height;
	host->tile.scale = host->scale = side->size.scale;
	host->tile.focused = side->size.focused;
	host->transport = side->transport;
	host->tile.frame = side->at.frame;
	if (!host_state_open(host, side->region_fd, why, why_size)) {
		return false;
	}
	tell(side, "warm");
	return host_warm(host, why, why_size);
}

static void end_instance(struct replay_side *side) {
	if (side->instance) {
		tell(side, "detach");
		/* Nothing is given up: what the cells hold is not of interest any more. */
		if (side->instance->host.state == HOST_LIVE) {
			side->instance->host.state = HOST_FAILED;
		}
		host_finish(&side->instance->host);
		free(side->instance);
		side->instance = NULL;
	}
}

/* All of the picture, in the tile's size. */
static int32_t to_pixels(int32_t size, double scale) {
	int32_t pixels = (int32_t)floor(size * scale + 0.5);
	return pixels > 0 ? pixels : 1;
}

static void damage_all(struct replay_side *side) {
	struct host *host = replay_host(side);
	pixman_region32_union_rect(&host->damage, &host->damage, 0, 0,
		(unsigned)to_pixels(host->tile.width, host->tile.scale),
		(unsigned)to_pixels(host->tile.height, host->tile.scale));
}

/* ---- operations */

static void run_update(struct replay_side *side) {
	struct host *host = replay_host(side);
	host->wake_at = HOST_NEVER;
	if (host->ops->update) {
		tell(side, "update");
		vat_region_set(host->region, VAT_UPDATES, side->at.time.update);
		host_begin(host, "update");
		host->ops->update(&host->tile);
		host_end(host);
	}
}

static void run_input(struct replay_side *side, const struct tile_input *event) {
	struct host *host = replay_host(side);
	if (host->ops->input) {
		tell(side, "input");
		host_begin(host, "input");
		host->ops->input(&host->tile, event);
		host_end(host);
	}
}

static void run_ready(
	struct replay_side *side, struct replay_stream *stream, bool readable, bool writable) {
	struct host *host = replay_host(side);
	if (host->ops->stream_ready) {
		tell(side, "stream_ready");
		host_begin(host, "stream_ready");
		host->ops->stream_ready(
			&host->tile, (int)(stream - side->streams), readable, writable);
		host_end(host);
	}
}

/* As a loop that waits for streams would: what is left there is told again. */
static void run_leftovers(struct replay_side *side) {
	for (size_t i = 0; i < side->stream_count; i++) {
		struct replay_stream *stream = &side->streams[i];
		for (int n = 0; n < AGAIN_MAX && stream->there && stream->read &&
			stream->first < stream->count;
			n++) {
			run_ready(side, stream, true, false);
		}
	}
}

/* As it was recorded, however it would be sliced now: that must not be heard. */
static void run_render(struct replay_side *side, const struct recording_render *render) {
	struct host *host = replay_host(side);
	side->at = render->at;
	side->sound_frames = 0;
	if (!host->ops->render || render->port >= host->descriptor.port_count) {
		return;
	}
	tell(side, "render");
	memset(side->sound, 0, sizeof(side->sound));
	side->sound_frame = render->frame;
	side->sound_frames = render->frames;
	side->sound_port = render->port;
	float *const out[TILE_SOUND_CHANNELS] = {side->sound[0], side->sound[1]};
	const struct tile_sound sound = {
		.frame = render->frame,
		.skipped = render->skipped,
		.frames = render->frames,
		.rate = side->transport.rate,
		.port = render->port,
		.out = out,
	};
	host_begin(host, "render");
	host_render(host, &sound);
	host_end(host);
}

static void run_draw(struct replay_side *side) {
	struct host *host = replay_host(side);
	int32_t width = to_pixels(host->tile.width, host->tile.scale);
	int32_t height = to_pixels(host->tile.height, host->tile.scale);
	if (width != side->width || height != side->height) {
		free(side->pixels);
		side->pixels = calloc((size_t)width * (size_t)height, sizeof(*side->pixels));
		if (!side->pixels) {
			abort();
		}
		side->width = width;
		side->height = height;
		damage_all(side);
	}
	pixman_region32_intersect_rect(
		&host->damage, &host->damage, 0, 0, (unsigned)width, (unsigned)height);
	int count;
	const pixman_box32_t *boxes = pixman_region32_rectangles(&host->damage, &count);
	struct tile_rect *rects = calloc((size_t)count + 1, sizeof(*rects));
	if (!rects) {
		abort();
	}
	for (int i = 0; i < count; i++) {
		rects[i] = (struct tile_rect){boxes[i].x1, boxes[i].y1, boxes[i].x2 - boxes[i].x1,
			boxes[i].y2 - boxes[i].y1};
	}
	struct tile_canvas canvas = {
		.pixels = side->pixels,
		.width = width,
		.height = height,
		.stride = width * (int32_t)sizeof(*side->pixels),
		.scale = host->tile.scale,
		.damage = rects,
		.damage_count = (size_t)count,
	};
	if (count > 0) {
		tell(side, "draw");
		host_begin(host, "draw");
		host->ops->draw(&host->tile, &canvas);
		host_end(host);
		side->drawn++;
	}
	pixman_region32_clear(&host->damage);
	free(rects);
}

void replay_side_draw(struct replay_side *side) {
	begin_watch(side);
	replay_feed(side, 0, 0);
	run_draw(side);
	end_watch(side);
}

static void run_recorded_input(struct replay_side *side, const struct recording_event *event) {
	const struct recording_input *recorded = recording_data(event);
	struct tile_input input = recorded->input;
	size_t size;
	const char *text = recording_text(event, sizeof(*recorded), &size);
	side->at = recorded->at;
	if (input.type == TILE_INPUT_PASTE) {
		input.paste.text = text;
	} else if (input.type == TILE_INPUT_STREAM_END) {
		input.stream.name = text;
	} else if (input.type == TILE_INPUT_FILE) {
		input.file.option = text;
	} else if (input.type == TILE_INPUT_FOCUS) {
		side->size.focused = replay_host(side)->tile.focused = input.focus;
		side->focus_told = input.focus;
	} else if (input.type >= TILE_INPUT_POINTER_ENTER &&
		input.type <= TILE_INPUT_POINTER_BUTTON) {
		side->pointer_inside = input.type != TILE_INPUT_POINTER_LEAVE;
		side->pointer = input.pointer;
	}
	run_input(side, &input);
}

void replay_side_step(struct replay_side *side, const struct recording_event *event,
	uint64_t nested, uint64_t end) {
	begin_watch(side);
	replay_feed(side, nested, end);
	size_t size;
	const char *name = recording_text(event, sizeof(side->at), &size);
	side->sound_frames = 0;
	if (event->type != RECORDING_INPUT) {
		memcpy(&side->at, recording_data(event), sizeof(side->at));
	}
	switch (event->type) {
	case RECORDING_UPDATE:
		run_update(side);
		break;
	case RECORDING_DRAW:
		run_draw(side);
		break;
	case RECORDING_INPUT:
		run_recorded_input(side, event);
		break;
	case RECORDING_RENDER:
		run_render(side, recording_data(event));
		break;
	case RECORDING_READY: {
		struct replay_stream *stream = replay_stream(side, name);
		if (stream && stream->there) {
			run_ready(side, stream, event->arg & 1, event->arg & 2);
		}
		break;
	}
	default:
		break;
	}
	run_leftovers(side);
	end_watch(side);
}

void replay_side_transport(struct replay_side *side, const struct vat_transport *transport) {
	side->transport = *transport;
	replay_host(side)->transport = *transport;
}

void replay_side_size(struct replay_side *side, const struct recording_size *size) {
	struct tile *tile = &replay_host(side)->tile;
	bool same = tile->width == size->width && tile->height == size->height &&
		tile->scale == size->scale;
	side->size = *size;
	tile->width = size->width;
	tile->height = size->height;
	tile->scale = size->scale;
	tile->focused = size->focused;
	if (!same) {
		damage_all(side);
	}
}

/* ---- life */

/* What a seat tells whoever is new. */
static void greet(struct replay_side *side) {
	struct tile_input event = {
		.type = TILE_INPUT_FOCUS, .time_ns = side->at.time.now_ns, .focus = true};
	if (side->focus_told) {
		run_input(side, &event);
	}
	if (side->pointer_inside) {
		event = (struct tile_input){
			.type = TILE_INPUT_POINTER_ENTER,
			.time_ns = side->at.time.now_ns,
			.pointer = {.tx = side->pointer.tx,
				.ty = side->pointer.ty,
				.modifiers = side->pointer.modifiers},
		};
		run_input(side, &event);
	}
}

bool replay_side_attach(struct replay_side *side, enum tile_attach reason) {
	char why[300];
	if (!start_instance(side, why, sizeof(why))) {
		return fail(side, REPLAY_REFUSED, "%s", why);
	}
	struct host *host = replay_host(side);
	tell(side, "attach");
	uint64_t epoch = vat_region_epoch(host->region) + 1;
	if (!host_state_attach(host, reason, epoch, -1, why, sizeof(why))) {
		return fail(side, REPLAY_REFUSED, "%s", why);
	}
	side->all_written = true;
	/* As after every attach. */
	if (host->wake_at <= side->at.time.now_ns) {
		run_update(side);
	}
	if (reason == TILE_ATTACH_REPLAY) {
		side->focus_told = side->size.focused;
	} else if (reason == TILE_ATTACH_HANDOVER) {
		greet(side);
	}
	damage_all(side);
	return true;
}

bool replay_side_begin(struct replay_side *side, const struct recording *recording, int artifact,
	struct replay_result *result) {
	struct vat_error error;
	side->recording = recording;
	side->artifact = artifact;
	side->result = result;
	side->region_fd = recording_region(recording, &error);
	if (side->region_fd < 0) {
		return fail(side, REPLAY_REFUSED, "%s", error.text);
	}
	struct vat_region *region;
	if (vat_region_map(side->region_fd, VAT_READ, &region, &error) < 0) {
		return fail(side, REPLAY_REFUSED, "%s", error.text);
	}
	side->undo_fd = vat_undo_create(region, &error);
	vat_region_unmap(region);
	if (side->undo_fd < 0) {
		return fail(side, REPLAY_REFUSED, "%s", error.text);
	}
	return true;
}

bool replay_side_quiesce(struct replay_side *side) {
	struct host *host = replay_host(side);
	char why[256];
	tell(side, "quiesce");
	replay_feed(side, 0, 0);
	if (!host_state_yield(host, side->at.time.now_ns + 1000000000, why, sizeof(why))) {
		return false;
	}
	host_state_leave(host);
	side->all_written = true;
	return true;
}

void replay_side_catch_up(struct replay_side *side) {
	if (replay_host(side)->wake_at <= side->at.time.now_ns) {
		begin_watch(side);
		replay_feed(side, 0, 0);
		run_update(side);
		end_watch(side);
	}
}

bool replay_side_renew(struct replay_side *side) {
	end_instance(side);
	/* What the old version watched is forgotten with it. */
	for (size_t i = 0; i < side->stream_count; i++) {
		side->streams[i].read = side->streams[i].write = false;
		side->streams[i].followed = false;
	}
	side->sound_frames = 0;
	return replay_side_attach(side, TILE_ATTACH_HANDOVER);
}

bool replay_side_check(struct replay_side *side) {
	char why[256];
	tell(side, "check");
	return host_state_check(replay_host(side), why, sizeof(why)) ||
		fail(side, REPLAY_CHECK, "%s", why);
}

void replay_side_finish(struct replay_side *side) {
	end_instance(side);
	replay_streams_finish(side);
	free(side->pixels);
	close(side->region_fd);
	close(side->undo_fd);
}

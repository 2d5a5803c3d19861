/* SPDX-License-Identifier: MIT */
/* What a tile that is replayed takes for its host: streams that give what they gave, and a record
 * of all that it asks for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "replay.h"

static struct replay_side *side_of(struct tile *tile) {
	return ((struct replay_instance *)tile)->side;
}

/* ---- streams */

struct replay_stream *replay_stream(struct replay_side *side, const char *name) {
	for (size_t i = 0; i < side->stream_count; i++) {
		if (strcmp(side->streams[i].name, name) == 0) {
			return &side->streams[i];
		}
	}
	if (side->stream_count == REPLAY_STREAMS_MAX) {
		return NULL;
	}
	struct replay_stream *stream = &side->streams[side->stream_count++];
	*stream = (struct replay_stream){0};
	snprintf(stream->name, sizeof(stream->name), "%s", name);
	return stream;
}

static struct replay_stream *stream_of(struct tile *tile, int id) {
	struct replay_side *side = side_of(tile);
	if (id < 0 || (size_t)id >= side->stream_count || !side->streams[id].there) {
		return NULL;
	}
	return &side->streams[id];
}

static void push(struct replay_stream *stream, const char *data, size_t size) {
	if (stream->count == stream->capacity) {
		size_t capacity = stream->capacity ? 2 * stream->capacity : 64;
		struct replay_chunk *chunks =
			realloc(stream->chunks, capacity * sizeof(*stream->chunks));
		if (!chunks) {
			abort();
		}
		stream->chunks = chunks;
		stream->capacity = capacity;
	}
	stream->chunks[stream->count++] = (struct replay_chunk){data, size};
}

/* The event of this type and name at or after *at, which moves behind it; NULL: none in the
 * operation. */
static const struct recording_event *find(const struct replay_side *side, uint64_t *at,
	enum recording_type type, size_t skip, const char *name) {
	while (*at < side->nested_end) {
		const struct recording_event *event = recording_next(side->recording, at);
		size_t size;
		if (event->type == type &&
			(!name || strcmp(recording_text(event, skip, &size), name) == 0)) {
			return event;
		}
	}
	return NULL;
}

void replay_feed(struct replay_side *side, uint64_t nested, uint64_t end) {
	side->nested = side->random_at = side->ask_at = side->status_at = nested;
	side->nested_end = end;
	for (size_t i = 0; i < side->stream_count; i++) {
		side->streams[i].write_at = nested;
		side->streams[i].last_size = 0;
	}
	side->requests.last[0] = 0;
	for (uint64_t at = nested; at < end;) {
		const struct recording_event *event = recording_next(side->recording, &at);
		if (event->type != RECORDING_READ) {
			continue;
		}
		int64_t result = *(const int64_t *)recording_data(event);
		size_t size;
		const char *name = recording_text(event, sizeof(result), &size);
		struct replay_stream *stream = replay_stream(side, name);
		if (stream && result > 0) {
			push(stream, name + strlen(name) + 1, (size_t)result);
		} else if (stream) {
			stream->end = true;
		}
	}
}

void replay_streams_finish(struct replay_side *side) {
	for (size_t i = 0; i < side->stream_count; i++) {
		free(side->streams[i].chunks);
	}
	side->stream_count = 0;
}

static uint64_t sum_of(uint64_t sum, const void *data, size_t size) {
	const uint8_t *bytes = data;
	for (size_t i = 0; i < size; i++) {
		sum = (sum ^ bytes[i]) * 0x100000001b3ull;
	}
	return sum;
}

static void note(struct tile *tile, const char *what, const char *text, size_t size) {
	struct replay_requests *requests = &side_of(tile)->requests;
	requests->count++;
	requests->sum = sum_of(requests->sum, what, strlen(what) + 1);
	requests->sum = sum_of(requests->sum, text, size);
	snprintf(requests->last, sizeof(requests->last), "%s%s%.*s", what, size ? " " : "",
		(int)(size < sizeof(requests->last) ? size : sizeof(requests->last)), text);
}

static int claim(struct tile *tile, const char *name) {
	struct replay_side *side = side_of(tile);
	for (size_t i = 0; i < side->stream_count; i++) {
		if (side->streams[i].there && strcmp(side->streams[i].name, name) == 0) {
			return (int)i;
		}
	}
	return -1;
}

static int open_pty(struct tile *tile, const char *name, const struct tile_pty_options *options) {
	struct replay_side *side = side_of(tile);
	uint64_t at = side->nested;
	const struct recording_event *event = find(side, &at, RECORDING_OPEN, 0, name);
	note(tile, "pty_open", name, strlen(name));
	if (!vat_name_valid(name) || claim(tile, name) >= 0 || (event && !event->arg) ||
		!(replay_host(side)->descriptor.capabilities & TILE_CAP_PTY)) {
		return -1;
	}
	struct replay_stream *stream = replay_stream(side, name);
	if (!stream) {
		return -1;
	}
	stream->there = true;
	stream->write_at = side->nested;
	if (options) {
		stream->columns = options->columns;
		stream->rows = options->rows;
		stream->width_px = options->width_px;
		stream->height_px = options->height_px;
	}
	return (int)(stream - side->streams);
}

/* A version that did not open it when this was recorded finds what the one before found. */
static int open_file(
	struct tile *tile, const char *option, uint64_t offset, struct tile_file *file) {
	struct replay_side *side = side_of(tile);
	uint64_t at = side->nested;
	const struct recording_event *event =
		find(side, &at, RECORDING_FILE, sizeof(*file), option);
	*file = (struct tile_file){.why = "it was not read when this was recorded"};
	struct replay_stream *stream = vat_name_valid(option) ? replay_stream(side, option) : NULL;
	if (!stream || !(replay_host(side)->descriptor.capabilities & TILE_CAP_FILES)) {
		return -1;
	}
	if (event) {
		memcpy(&stream->file, recording_data(event), sizeof(stream->file));
		stream->file_known = true;
	}
	if (stream->file_known) {
		*file = stream->file;
	}
	stream->there = stream->file_known && (event ? event->arg : !file->why[0]);
	return stream->there ? (int)(stream - side->streams) : -1;
}

static long stream_read(struct tile *tile, int id, void *data, size_t size) {
	struct replay_stream *stream = stream_of(tile, id);
	if (!stream) {
		return -1;
	}
	if (stream->first == stream->count) {
		stream->first = stream->count = 0;
		return stream->end ? -1 : 0;
	}
	struct replay_chunk *chunk = &stream->chunks[stream->first];
	size_t taken = size < chunk->size ? size : chunk->size;
	memcpy(data, chunk->data, taken);
	chunk->data += taken;
	chunk->size -= taken;
	stream->first += chunk->size == 0;
	return (long)taken;
}

static long stream_write(struct tile *tile, int id, const void *data, size_t size) {
	struct replay_stream *stream = stream_of(tile, id);
	if (!stream) {
		return -1;
	}
	const struct recording_event *event = find(
		side_of(tile), &stream->write_at, RECORDING_WRITE, sizeof(int64_t), stream->name);
	/* arg: not everything was taken then */
	if (event && event->arg) {
		int64_t result = *(const int64_t *)recording_data(event);
		if (result < 0) {
			return -1;
		}
		size = (uint64_t)result < size ? (size_t)result : size;
	}
	size_t room = sizeof(stream->last) - stream->last_size;
	size_t kept = size < room ? size : room;
	memcpy(stream->last + stream->last_size, data, kept);
	stream->last_size += kept;
	stream->written += size;
	stream->written_sum = sum_of(stream->written_sum, data, size);
	return (long)size;
}

static void watch(struct tile *tile, int id, bool readable, bool writable) {
	struct replay_stream *stream = stream_of(tile, id);
	if (stream) {
		stream->read = readable;
		stream->write = writable;
	}
}

static void resize_pty(struct tile *tile, int id, const struct tile_pty_options *size) {
	struct replay_stream *stream = stream_of(tile, id);
	if (stream) {
		stream->columns = size->columns;
		stream->rows = size->rows;
		stream->width_px = size->width_px;
		stream->height_px = size->height_px;
	}
}

static void stream_close(struct tile *tile, int id) {
	struct replay_stream *stream = stream_of(tile, id);
	if (stream) {
		note(tile, "stream_close", stream->name, strlen(stream->name));
		stream->there = stream->end = stream->read = stream->write = false;
		stream->first = stream->count = 0;
	}
}

/* ---- the rest */

static void set_title(struct tile *tile, const char *title) {
	struct replay_requests *requests = &side_of(tile)->requests;
	snprintf(requests->title, sizeof(requests->title), "%s", title);
}

/* Asked for again as soon as the pointer comes. */
static void set_cursor(struct tile *tile, enum tile_cursor cursor) {
}

static void bell(struct tile *tile) {
	note(tile, "bell", "", 0);
}

static void clipboard_set(struct tile *tile, bool primary, const char *text, size_t size) {
	note(tile, primary ? "clipboard_set (primary)" : "clipboard_set", text, size);
}

static void clipboard_request(struct tile *tile, bool primary) {
	note(tile, primary ? "clipboard_request (primary)" : "clipboard_request", "", 0);
}

static void open_uri(struct tile *tile, const char *uri) {
	note(tile, "open_uri", uri, strlen(uri));
}

/* Outside of the barrier, which would have the region grow each time. */
static bool cell_resize(struct tile *tile, uint32_t cell, uint64_t count) {
	struct replay_side *side = side_of(tile);
	struct host *host = replay_host(side);
	for (uint64_t at = side->nested; at < side->nested_end;) {
		const struct recording_event *event = recording_next(side->recording, &at);
		if (event->type == RECORDING_NO_CELL &&
			*(const uint32_t *)recording_data(event) == cell) {
			return false;
		}
	}
	if (vat_barrier_armed(host->region)) {
		vat_barrier_end(host->region, NULL);
	}
	side->all_written = true;
	return host_cell_resize(host, cell, count);
}

static uint64_t random64(struct tile *tile) {
	struct replay_side *side = side_of(tile);
	const struct recording_event *event =
		find(side, &side->random_at, RECORDING_RANDOM, 0, NULL);
	uint64_t value;
	if (event) {
		memcpy(&value, recording_data(event), sizeof(value));
	} else {
		value = ++side->extra_random * 0x9e3779b97f4a7c15ull;
		value ^= value >> 29;
	}
	return value;
}

/* A version that did not ask when this was recorded can watch it. */
static bool watch_file(struct tile *tile, const char *option) {
	struct replay_side *side = side_of(tile);
	uint64_t at = side->nested;
	if (!vat_name_valid(option) ||
		!(replay_host(side)->descriptor.capabilities & TILE_CAP_FILES)) {
		return false;
	}
	const struct recording_event *event = find(side, &at, RECORDING_WATCH, 0, option);
	struct replay_stream *stream = replay_stream(side, option);
	if (stream) {
		stream->followed = !event || event->arg;
	}
	return stream && stream->followed;
}

static bool status_of(struct tile *tile, uint32_t port, struct tile_sound_status *status) {
	struct replay_side *side = side_of(tile);
	const struct recording_event *event =
		find(side, &side->status_at, RECORDING_STATUS, 0, NULL);
	*status = (struct tile_sound_status){0};
	if (!event) {
		return false;
	}
	const struct recording_status *recorded = recording_data(event);
	*status = recorded->status;
	return recorded->port == port && event->arg;
}

static bool ask(struct tile *tile, enum tile_transport_ask what, uint32_t value, int64_t place,
	const char *name) {
	struct replay_side *side = side_of(tile);
	const struct recording_event *event = find(side, &side->ask_at, RECORDING_ASK, 0, NULL);
	char text[96];
	int size = snprintf(text, sizeof(text), "%u %u %lld %.40s", what, value, (long long)place,
		name ? name : "");
	note(tile, "transport_ask", text, (size_t)size);
	return (replay_host(side)->descriptor.capabilities & TILE_CAP_TRANSPORT) &&
		(!event || event->arg);
}

static int open_audio(struct tile *tile, const char *name) {
	struct replay_side *side = side_of(tile);
	uint64_t at = side->nested;
	const struct recording_event *event = find(side, &at, RECORDING_OPEN, 0, name);
	note(tile, "audio_open", name, strlen(name));
	struct replay_stream *stream = vat_name_valid(name) ? replay_stream(side, name) : NULL;
	if (!stream || (event && !event->arg) ||
		!(replay_host(side)->descriptor.capabilities & TILE_CAP_AUDIO)) {
		return -1;
	}
	stream->there = true;
	stream->end = false;
	stream->write_at = side->nested;
	return (int)(stream - side->streams);
}

static void log_line(struct tile *tile, int level, const char *format, va_list args) {
	struct host *host = host_of(tile);
	char text[1024];
	vsnprintf(text, sizeof(text), format, args);
	if (level <= CITY_LOG_WARN) {
		snprintf(host->last_log, sizeof(host->last_log), "%.*s",
			(int)sizeof(host->last_log) - 1, text);
	}
	city_log(CITY_LOG_DEBUG, host->name, "%s", text);
}

struct tile_host replay_services;

void replay_services_init(void) {
	replay_services = host_services;
	replay_services.stream_claim = claim;
	replay_services.pty_open = open_pty;
	replay_services.stream_read = stream_read;
	replay_services.stream_write = stream_write;
	replay_services.stream_watch = watch;
	replay_services.pty_resize = resize_pty;
	replay_services.stream_close = stream_close;
	replay_services.set_title = set_title;
	replay_services.set_cursor = set_cursor;
	replay_services.bell = bell;
	replay_services.clipboard_set = clipboard_set;
	replay_services.clipboard_request = clipboard_request;
	replay_services.open_uri = open_uri;
	replay_services.cell_resize = cell_resize;
	replay_services.random64 = random64;
	replay_services.log = log_line;
	replay_services.file_open = open_file;
	replay_services.file_watch = watch_file;
	replay_services.sound_status = status_of;
	replay_services.transport_ask = ask;
	replay_services.audio_open = open_audio;
}

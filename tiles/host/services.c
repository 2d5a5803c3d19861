/* SPDX-License-Identifier: MIT */
/* The table of services that a tile gets, see struct tile_host. */
#include "host.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

static void wake_at(struct tile *tile, uint64_t now_ns) {
	struct host *host = host_of(tile);
	if (now_ns == HOST_NEVER || now_ns < host->wake_at) {
		host->wake_at = now_ns;
	}
}

static void damage(struct tile *tile, double tx, double ty, double width, double height) {
	struct host *host = host_of(tile);
	double x1 = floor(fmax(tx, 0) * tile->scale);
	double y1 = floor(fmax(ty, 0) * tile->scale);
	double x2 = ceil(fmin(tx + width, tile->width) * tile->scale);
	double y2 = ceil(fmin(ty + height, tile->height) * tile->scale);
	if (x2 > x1 && y2 > y1) {
		pixman_region32_union_rect(&host->damage, &host->damage, x1, y1, x2 - x1, y2 - y1);
	}
}

static int stream_claim(struct tile *tile, const char *name) {
	int stream = host_stream_claim(host_of(tile), name);
	host_recorder_stream(host_of(tile), RECORDING_CLAIM, name, stream >= 0);
	return stream;
}

static int pty_open(struct tile *tile, const char *name, const struct tile_pty_options *options) {
	int stream = host_stream_pty(host_of(tile), name, options);
	host_recorder_stream(host_of(tile), RECORDING_OPEN, name, stream >= 0);
	return stream;
}

static long stream_read(struct tile *tile, int stream, void *data, size_t size) {
	long got = host_stream_read(host_of(tile), stream, data, size);
	host_recorder_read(host_of(tile), stream, data, got);
	return got;
}

static long stream_write(struct tile *tile, int stream, const void *data, size_t size) {
	long put = host_stream_write(host_of(tile), stream, data, size);
	host_recorder_write(host_of(tile), stream, size, put);
	return put;
}

static void stream_watch(struct tile *tile, int stream, bool readable, bool writable) {
	host_stream_watch(host_of(tile), stream, readable, writable);
}

static void pty_resize(struct tile *tile, int stream, const struct tile_pty_options *size) {
	host_stream_resize(host_of(tile), stream, size);
}

static void stream_close(struct tile *tile, int stream) {
	host_stream_close(host_of(tile), stream);
}

/* The size of a prefix of whole characters that fits: Wayland messages are small. */
static int fitting(const char *string, size_t limit) {
	size_t size = strnlen(string, limit + 1);
	if (size <= limit) {
		return size;
	}
	size = limit;
	while (size > 0 && ((unsigned char)string[size] & 0xc0) == 0x80) {
		size--;
	}
	return size;
}

static void set_title(struct tile *tile, const char *title) {
	struct host *host = host_of(tile);
	char text[1024];
	snprintf(text, sizeof(text), "%.*s", fitting(title, sizeof(text) - 1), title);
	memcpy(host->title, text, sizeof(host->title));
	/* Others wait for the end of an attach, and not for this. */
	host->title_told = !host->attaching;
	if (host->title_told) {
		host->role->set_title(host, text);
	}
}

static void set_cursor(struct tile *tile, enum tile_cursor cursor) {
	host_pointer_set_cursor(host_of(tile), cursor);
}

static void bell(struct tile *tile) {
	struct host *host = host_of(tile);
	host->role->bell(host);
}

static bool may(struct host *host, uint64_t capability, const char *what, const char *name) {
	if (host->descriptor.capabilities & capability) {
		return true;
	}
	host_log(host, CITY_LOG_WARN, "%s needs %s in the descriptor", what, name);
	return false;
}

static void clipboard_set(struct tile *tile, bool primary, const char *text, size_t size) {
	struct host *host = host_of(tile);
	if (may(host, TILE_CAP_CLIPBOARD, "clipboard_set", "TILE_CAP_CLIPBOARD")) {
		host_selection_set(host, primary, text, size);
	}
}

static void clipboard_request(struct tile *tile, bool primary) {
	struct host *host = host_of(tile);
	if (may(host, TILE_CAP_CLIPBOARD, "clipboard_request", "TILE_CAP_CLIPBOARD")) {
		host_selection_request(host, primary);
	}
}

static void open_uri(struct tile *tile, const char *uri) {
	struct host *host = host_of(tile);
	if (may(host, TILE_CAP_OPEN_URI, "open_uri", "TILE_CAP_OPEN_URI") &&
		strnlen(uri, 4000) < 4000) {
		host->role->open_uri(host, uri);
	}
}

static bool cell_resize(struct tile *tile, uint32_t cell, uint64_t count) {
	bool done = host_cell_resize(host_of(tile), cell, count);
	if (!done) {
		host_recorder_no_cell(host_of(tile), cell);
	}
	return done;
}

static uint64_t random64(struct tile *tile) {
	uint64_t value = host_random_next(host_of(tile));
	host_recorder_random(host_of(tile), value);
	return value;
}

static const char *option(struct tile *tile, const char *key) {
	struct host *host = host_of(tile);
	size_t offset = 0, length = strlen(key);
	keeper_wire_next(host->assume, &offset); /* the artifact's hash */
	const char *entry;
	while ((entry = keeper_wire_next(host->assume, &offset))) {
		if (strncmp(entry, key, length) == 0 && entry[length] == '=') {
			return entry + length + 1;
		}
	}
	return NULL;
}

static int file_open(struct tile *tile, const char *name, uint64_t offset, struct tile_file *file) {
	struct host *host = host_of(tile);
	*file = (struct tile_file){0};
	int stream = -1;
	if (!may(host, TILE_CAP_FILES, "file_open", "TILE_CAP_FILES")) {
		snprintf(file->why, sizeof(file->why), "the tile may not read files");
	} else {
		stream = host_file_open(host, name, offset, file);
	}
	host_recorder_file(host, name, file, stream >= 0);
	return stream;
}

static bool file_watch(struct tile *tile, const char *name) {
	struct host *host = host_of(tile);
	bool watched = may(host, TILE_CAP_FILES, "file_watch", "TILE_CAP_FILES") &&
		host_file_watch(host, name);
	host_recorder_stream(host, RECORDING_WATCH, name, watched);
	return watched;
}

static bool sound_status(struct tile *tile, uint32_t port, struct tile_sound_status *status) {
	bool known = host_sound_status(host_of(tile), port, status);
	host_recorder_status(host_of(tile), port, status, known);
	return known;
}

static bool transport_ask(struct tile *tile, enum tile_transport_ask what, uint32_t value,
	int64_t tick, const char *name) {
	struct host *host = host_of(tile);
	bool asked = may(host, TILE_CAP_TRANSPORT, "transport_ask", "TILE_CAP_TRANSPORT") &&
		host_transport_ask(host, what, value, tick, name);
	host_recorder_ask(host, asked);
	return asked;
}

static int audio_open(struct tile *tile, const char *name) {
	struct host *host = host_of(tile);
	int stream = may(host, TILE_CAP_AUDIO, "audio_open", "TILE_CAP_AUDIO")
		? host_stream_audio(host, name)
		: -1;
	host_recorder_stream(host, RECORDING_OPEN, name, stream >= 0);
	return stream;
}

static bool code_memory(struct tile *tile, size_t size, void **writable, void **executable) {
	struct host *host = host_of(tile);
	return may(host, TILE_CAP_CODE, "code_memory", "TILE_CAP_CODE") &&
		host_code_memory(host, size, writable, executable);
}

static void code_memory_free(struct tile *tile, void *writable) {
	host_code_free(host_of(tile), writable);
}

static bool cell_written(struct tile *tile, uint32_t cell, uint64_t *from, uint64_t *to) {
	return host_cell_written(host_of(tile), cell, from, to);
}

static void log_line(struct tile *tile, int level, const char *format, va_list args) {
	struct host *host = host_of(tile);
	char text[1024];
	vsnprintf(text, sizeof(text), format, args);
	level = level < CITY_LOG_ERROR	 ? CITY_LOG_ERROR
		: level > CITY_LOG_DEBUG ? CITY_LOG_DEBUG
					 : level;
	if (level <= CITY_LOG_WARN) {
		snprintf(host->last_log, sizeof(host->last_log), "%.*s",
			(int)sizeof(host->last_log) - 1, text);
	}
	city_log(level, host->name, "%s", text);
}

void host_log(struct host *host, int level, const char *format, ...) {
	va_list args;
	va_start(args, format);
	log_line(&host->tile, level, format, args);
	va_end(args);
}

const struct tile_host host_services = {
	.size = sizeof(struct tile_host),
	.wake_at = wake_at,
	.damage = damage,
	.stream_claim = stream_claim,
	.pty_open = pty_open,
	.stream_read = stream_read,
	.stream_write = stream_write,
	.stream_watch = stream_watch,
	.pty_resize = pty_resize,
	.stream_close = stream_close,
	.set_title = set_title,
	.set_cursor = set_cursor,
	.bell = bell,
	.clipboard_set = clipboard_set,
	.clipboard_request = clipboard_request,
	.open_uri = open_uri,
	.cell_resize = cell_resize,
	.random64 = random64,
	.option = option,
	.log = log_line,
	.file_open = file_open,
	.code_memory = code_memory,
	.code_memory_free = code_memory_free,
	.cell_written = cell_written,
	.file_watch = file_watch,
	.sound_status = sound_status,
	.transport_ask = transport_ask,
	.audio_open = audio_open,
};

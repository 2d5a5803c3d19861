/* SPDX-License-Identifier: MIT */
/*
 * A version that has given its cells up and goes on, seen fading, on a private copy of them: it
 * gets time, input and what streams have given as its successor does, reads files, draws, and
 * reaches nobody else. What it writes to streams, asks of the keeper or the desktop, and puts into
 * its cells is gone.
 */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* Streams are followed by what the successor writes down, which nothing wakes us for. */
#define FOLLOW_NS 8000000ull

/* ---- services that reach nobody */

static int find(struct host *host, const char *name) {
	for (int i = 0; i < HOST_STREAMS_MAX; i++) {
		if (host->streams[i].fd >= 0 && strcmp(host->streams[i].name, name) == 0) {
			return i;
		}
	}
	return -1;
}

static int stream_claim(struct tile *tile, const char *name) {
	return find(host_of(tile), name);
}

static int pty_open(struct tile *tile, const char *name, const struct tile_pty_options *options) {
	return find(host_of(tile), name);
}

static long stream_read(struct tile *tile, int stream, void *data, size_t size) {
	struct host *host = host_of(tile);
	if (stream < 0 || stream >= HOST_STREAMS_MAX ||
		(!host->streams[stream].replay && !host->streams[stream].file)) {
		return 0;
	}
	return host_stream_read(host, stream, data, size);
}

static long stream_write(struct tile *tile, int stream, const void *data, size_t size) {
	return (long)size;
}

static void pty_resize(struct tile *tile, int stream, const struct tile_pty_options *size) {
}

static void stream_close(struct tile *tile, int stream) {
	struct host *host = host_of(tile);
	if (stream >= 0 && stream < HOST_STREAMS_MAX && host->streams[stream].file) {
		host_stream_close(host, stream);
	}
}

static void set_title(struct tile *tile, const char *title) {
}

static void set_cursor(struct tile *tile, enum tile_cursor cursor) {
}

static void bell(struct tile *tile) {
}

static void clipboard_set(struct tile *tile, bool primary, const char *text, size_t size) {
}

static void clipboard_request(struct tile *tile, bool primary) {
}

static void open_uri(struct tile *tile, const char *uri) {
}

static bool file_watch(struct tile *tile, const char *option) {
	return true;
}

static bool transport_ask(struct tile *tile, enum tile_transport_ask what, uint32_t value,
	int64_t tick, const char *name) {
	return true;
}

static int audio_open(struct tile *tile, const char *name) {
	return find(host_of(tile), name);
}

static const struct tile_host *services(void) {
	static struct tile_host table;
	table = host_services;
	table.stream_claim = stream_claim;
	table.pty_open = pty_open;
	table.stream_read = stream_read;
	table.stream_write = stream_write;
	table.pty_resize = pty_resize;
	table.stream_close = stream_close;
	table.set_title = set_title;
	table.set_cursor = set_cursor;
	table.bell = bell;
	table.clipboard_set = clipboard_set;
	table.clipboard_request = clipboard_request;
	table.open_uri = open_uri;
	table.file_watch = file_watch;
	table.transport_ask = transport_ask;
	table.audio_open = audio_open;
	return &table;
}

/* ---- begin and end */

static void drop_replays(struct host *host) {
	for (size_t i = 0; i < HOST_STREAMS_MAX; i++) {
		free(host->streams[i].replay);
		host->streams[i].replay = NULL;
	}
}

/* The copy is in the region's place. */
static bool go_on(struct host *host, char *why, size_t why_size) {
	host->shadow.on = true;
	host->shadow.journal_at = 0;
	host->shadow.follow_at = 0;
	/* Nothing of this is to be recorded. */
	host->shadow.recorder = host->recorder;
	host->recorder = (struct host_recorder){.fd = -1};
	host->tile.host = services();
	if (!host_state_go_on(host, why, why_size)) {
		host_shadow_end(host);
		return false;
	}
	return true;
}

bool host_shadow_begin(struct host *host, int undo_fd, char *why, size_t why_size) {
	struct vat_error error;
	host_tail_finish(host);
	if (vat_shadow_begin(host->region, undo_fd, &error) < 0) {
		snprintf(why, why_size, "%s", error.text);
		return false;
	}
	host_random_follow(host, undo_fd);
	return go_on(host, why, why_size);
}

bool host_shadow_begin_copied(
	struct host *host, struct vat_shadow *copy, char *why, size_t why_size) {
	struct vat_error error;
	if (vat_shadow_begin_copied(host->region, copy, &error) < 0) {
		snprintf(why, why_size, "%s", error.text);
		return false;
	}
	if (!go_on(host, why, why_size)) {
		return false;
	}
	host->shadow.tail = true;
	host->state = HOST_YIELDED;
	return true;
}

void host_shadow_end(struct host *host) {
	if (!host->shadow.on) {
		return;
	}
	/* It has been through attach: what that began is ended, in the copy. */
	if ((host->state == HOST_LIVE || host->shadow.tail) && host->ops->quiesce) {
		host_begin(host, "quiesce");
		host->ops->quiesce(&host->tile, host_now(host));
		host_end(host);
	}
	host->shadow.on = host->shadow.tail = false;
	host->tile.host = &host_services;
	host->recorder = host->shadow.recorder;
	host->state = HOST_YIELDED;
	drop_replays(host);
	host_random_unfollow(host);
	struct vat_error error;
	char why[HOST_WHY_SIZE];
	if (vat_shadow_end(host->region, &error) < 0) {
		city_log(CITY_LOG_ERROR, host->name, "%s", error.text);
		host_quit(host, 1);
	} else if (!host_state_find(host, why, sizeof(why))) {
		city_log(CITY_LOG_ERROR, host->name, "%s", why);
		host_quit(host, 1);
	}
}

void host_shadow_follow(struct host *host) {
	if (!host->shadow.on || host->shadow.tail || host_monotonic() < host->shadow.follow_at) {
		return;
	}
	host->shadow.follow_at = host_monotonic() + FOLLOW_NS;
	host->shadow.journal_at = host_journal_follow(host, host->shadow.journal_at);
}

uint64_t host_shadow_deadline(const struct host *host) {
	bool streams = false;
	for (size_t i = 0; i < HOST_STREAMS_MAX; i++) {
		streams |= host->streams[i].fd >= 0 && host->streams[i].read;
	}
	return host->shadow.on && !host->shadow.tail && streams ? host->shadow.follow_at
								: HOST_NEVER;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_primary_selection.h>
#include <wlr/types/wlr_seat.h>

#include "compositor/keeper.h"
#include "compositor/kept_selection.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/tile.h"
#include "log.h"

/* Text that is longer is passed on, and lost with the version. */
#define KEPT_MAX (64u << 20)
/* Pastes from one text under way; whoever asks more often does not read. */
#define SENDS_MAX 64

#define TEXT "text/plain;charset=utf-8"

/* Both protocols have the same shape. */
struct kept {
	union {
		struct wlr_data_source data;
		struct wlr_primary_selection_source primary_data;
	};
	bool primary;
	bool replaced; /* no longer the seat's: goes with the last of its sends */
	struct city_server *server;
	bool stored;	/* with the keeper */
	void *original; /* the version's source; NULL once it is gone */
	struct wl_listener original_destroy;
	int fd; /* the text comes from here; -1: it is there, or never will be */
	struct wl_event_source *reader; /* with fd */
	bool complete;
	char *text;
	size_t size, capacity;
	struct wl_list sends; /* send.link */
	size_t send_count;
};

/* Somebody who pastes. */
struct send {
	struct wl_list link;
	struct kept *kept;
	int fd;
	struct wl_event_source *writer; /* NULL while the text is not complete */
	size_t done;
};

static void pass_on(struct kept *kept, const char *type, int fd) {
	if (!kept->original) {
		close(fd);
	} else if (kept->primary) {
		wlr_primary_selection_source_send(kept->original, type, fd);
	} else {
		wlr_data_source_send(kept->original, type, fd);
	}
}

static void stop_reading(struct kept *kept) {
	if (kept->fd >= 0) {
		wl_event_source_remove(kept->reader);
		close(kept->fd);
		kept->fd = -1;
	}
}

static void free_if_unused(struct kept *kept) {
	if (kept->replaced && wl_list_empty(&kept->sends)) {
		stop_reading(kept);
		free(kept->text);
		free(kept);
	}
}

static void send_end(struct send *send) {
	struct kept *kept = send->kept;
	if (send->writer) {
		wl_event_source_remove(send->writer);
	}
	wl_list_remove(&send->link);
	kept->send_count--;
	close(send->fd);
	free(send);
}

static int handle_writable(int fd, uint32_t mask, void *data) {
	struct send *send = data;
	struct kept *kept = send->kept;
	while (send->done < kept->size) {
		ssize_t put = write(fd, kept->text + send->done, kept->size - send->done);
		if (put < 0 && errno == EINTR) {
			continue;
		}
		if (put < 0 && errno == EAGAIN) {
			return 0;
		}
		if (put <= 0) {
			break;
		}
		send->done += put;
	}
	send_end(send);
	free_if_unused(kept);
	return 0;
}

/* Give the text, once there is one. */
static void send_start(struct send *send) {
	int flags = fcntl(send->fd, F_GETFL);
	if (flags < 0 || fcntl(send->fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		send_end(send);
		return;
	}
	send->writer = wl_event_loop_add_fd(
		send->kept->server->loop, send->fd, WL_EVENT_WRITABLE, handle_writable, send);
	if (!send->writer) {
		send_end(send);
	}
}

/* What text is offered as. */
static char *const text_types[] = {TEXT, "UTF8_STRING", "text/plain", "TEXT", "STRING"};

static bool is_text(const char *type) {
	for (size_t i = 0; i < sizeof(text_types) / sizeof(text_types[0]); i++) {
		if (strcmp(type, text_types[i]) == 0) {
			return true;
		}
	}
	return false;
}

static void give(struct kept *kept, const char *type, int fd) {
	if (!is_text(type) || (!kept->complete && kept->fd < 0)) {
		pass_on(kept, type, fd);
		return;
	}
	struct send *send = kept->send_count < SENDS_MAX ? calloc(1, sizeof(*send)) : NULL;
	if (!send) {
		close(fd);
		return;
	}
	send->kept = kept;
	send->fd = fd;
	wl_list_insert(kept->sends.prev, &send->link);
	kept->send_count++;
	if (kept->complete) {
		send_start(send);
	}
}

/* No longer offered. */
static void withdraw(struct kept *kept) {
	if (kept->primary) {
		wlr_primary_selection_source_destroy(&kept->primary_data);
	} else {
		wlr_data_source_destroy(&kept->data);
	}
}

/* ---- for the next compositor */

/* Streams of no tile. */
static const struct vat_uuid nobody;

static const char *stream_of(bool primary) {
	return primary ? ".primary" : ".selection";
}

static bool write_all(int fd, const char *text, size_t size) {
	while (size > 0) {
		ssize_t put = write(fd, text, size);
		if (put < 0 && errno != EINTR) {
			return false;
		}
		if (put > 0) {
			text += put;
			size -= (size_t)put;
		}
	}
	return true;
}

static void store(struct kept *kept) {
	struct city_keeper *keeper = kept->server->keeper;
	int fd = keeper ? memfd_create("source-city-selection", MFD_CLOEXEC) : -1;
	if (fd < 0) {
		return;
	}
	if (write_all(fd, kept->text, kept->size)) {
		city_keeper_keep(keeper, &nobody, stream_of(kept->primary), fd);
		kept->stored = true;
	}
	close(fd);
}

static void forget(struct city_server *server, bool primary) {
	if (server->keeper) {
		city_keeper_keep(server->keeper, &nobody, stream_of(primary), -1);
	}
}

/* The text is complete, or does not come: then those who wait are sent on to the original. */
static void reading_done(struct kept *kept, bool complete) {
	stop_reading(kept);
	kept->complete = complete;
	struct send *send, *next;
	wl_list_for_each_safe(send, next, &kept->sends, link) {
		if (complete) {
			send_start(send);
			continue;
		}
		int fd = fcntl(send->fd, F_DUPFD_CLOEXEC, 0);
		if (fd >= 0) {
			pass_on(kept, TEXT, fd);
		}
		send_end(send);
	}
	bool nothing = complete ? kept->size == 0 : true;
	if (!complete) {
		free(kept->text);
		kept->text = NULL;
		kept->size = 0;
	}
	if (kept->replaced) {
		free_if_unused(kept);
	} else if (nothing && !kept->original) {
		withdraw(kept);
	} else if (!nothing) {
		store(kept);
	}
}

static int handle_readable(int fd, uint32_t mask, void *data) {
	struct kept *kept = data;
	while (true) {
		if (kept->size == kept->capacity) {
			size_t capacity = kept->capacity ? kept->capacity * 2 : 4096;
			char *text = capacity <= KEPT_MAX ? realloc(kept->text, capacity) : NULL;
			if (!text) {
				city_log(CITY_LOG_INFO, "seat",
					"a selection is too large to outlive who offers it");
				reading_done(kept, false);
				return 0;
			}
			kept->text = text;
			kept->capacity = capacity;
		}
		ssize_t got = read(fd, kept->text + kept->size, kept->capacity - kept->size);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0 && errno == EAGAIN) {
			return 0;
		}
		if (got <= 0) {
			reading_done(kept, got == 0);
			return 0;
		}
		kept->size += got;
	}
}

static void handle_original_destroy(struct wl_listener *listener, void *data) {
	struct kept *kept = wl_container_of(listener, kept, original_destroy);
	wl_list_remove(&kept->original_destroy.link);
	kept->original = NULL;
	/* What it has written until now still comes. */
	if (!kept->complete && kept->fd < 0 && !kept->replaced) {
		withdraw(kept);
	}
}

static void kept_destroy(struct kept *kept) {
	void *original = kept->original;
	if (original) {
		wl_list_remove(&kept->original_destroy.link);
		kept->original = NULL;
	}
	kept->replaced = true;
	if (kept->stored) {
		forget(kept->server, kept->primary);
	}
	/* Its client learns that it is no longer the selection; the text that was asked for comes.
	 */
	if (original && kept->primary) {
		wlr_primary_selection_source_destroy(original);
	} else if (original) {
		wlr_data_source_destroy(original);
	}
	free_if_unused(kept);
}

static void handle_send(struct wlr_data_source *source, const char *type, int32_t fd) {
	struct kept *kept = wl_container_of(source, kept, data);
	give(kept, type, fd);
}

static void handle_destroy(struct wlr_data_source *source) {
	struct kept *kept = wl_container_of(source, kept, data);
	kept_destroy(kept);
}

static void handle_primary_send(
	struct wlr_primary_selection_source *source, const char *type, int fd) {
	struct kept *kept = wl_container_of(source, kept, primary_data);
	give(kept, type, fd);
}

static void handle_primary_destroy(struct wlr_primary_selection_source *source) {
	struct kept *kept = wl_container_of(source, kept, primary_data);
	kept_destroy(kept);
}

static bool copy_types(struct wl_array *to, char *const *types, size_t count) {
	for (size_t i = 0; i < count; i++) {
		char *copy = strdup(types[i]);
		char **place = copy ? wl_array_add(to, sizeof(*place)) : NULL;
		if (!place) {
			free(copy);
			return false;
		}
		*place = copy;
	}
	return true;
}

static bool has_text(const struct wl_array *types) {
	char *const *type = types->data;
	for (size_t i = 0; i < types->size / sizeof(*type); i++) {
		if (strcmp(type[i], TEXT) == 0) {
			return true;
		}
	}
	return false;
}

/* A serial of input belongs to the one client that got it. */
static bool is_tiles(const struct city_seat *seat, uint32_t serial) {
	struct wlr_seat_client *client;
	wl_list_for_each(client, &seat->seat->clients, link) {
		if (wlr_seat_client_validate_event_serial(client, serial)) {
			return city_version_from_client(client->client) != NULL;
		}
	}
	return false;
}

/* Without a text; NULL when there is no memory for it. */
static struct kept *kept_create(
	struct city_seat *seat, bool primary, char *const *types, size_t count) {
	static const struct wlr_data_source_impl impl = {
		.send = handle_send,
		.destroy = handle_destroy,
	};
	static const struct wlr_primary_selection_source_impl primary_impl = {
		.send = handle_primary_send,
		.destroy = handle_primary_destroy,
	};
	struct kept *kept = calloc(1, sizeof(*kept));
	if (!kept) {
		return NULL;
	}
	kept->primary = primary;
	kept->server = seat->server;
	kept->fd = -1;
	wl_list_init(&kept->sends);
	if (primary) {
		wlr_primary_selection_source_init(&kept->primary_data, &primary_impl);
	} else {
		wlr_data_source_init(&kept->data, &impl);
	}
	if (!copy_types(primary ? &kept->primary_data.mime_types : &kept->data.mime_types, types,
		    count)) {
		withdraw(kept);
		return NULL;
	}
	return kept;
}

/* One in place of the original; NULL when there is no memory or no descriptor for it. */
static struct kept *keep(struct city_seat *seat, bool primary, void *original,
	const struct wl_array *types, struct wl_signal *destroyed) {
	struct kept *kept = kept_create(seat, primary, types->data, types->size / sizeof(char *));
	int fds[2];
	if (!kept || pipe2(fds, O_CLOEXEC) < 0) {
		if (kept) {
			withdraw(kept);
		}
		return NULL;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	kept->reader = wl_event_loop_add_fd(
		kept->server->loop, fds[0], WL_EVENT_READABLE, handle_readable, kept);
	if (!kept->reader) {
		close(fds[0]);
		close(fds[1]);
		withdraw(kept);
		return NULL;
	}
	kept->fd = fds[0];
	kept->original = original;
	kept->original_destroy.notify = handle_original_destroy;
	wl_signal_add(destroyed, &kept->original_destroy);
	pass_on(kept, TEXT, fds[1]);
	return kept;
}

void city_selection_set(struct city_seat *seat, struct wlr_data_source *source, uint32_t serial) {
	if (source && has_text(&source->mime_types) && is_tiles(seat, serial)) {
		struct kept *kept =
			keep(seat, false, source, &source->mime_types, &source->events.destroy);
		source = kept ? &kept->data : source;
	}
	wlr_seat_set_selection(seat->seat, source, serial);
}

void city_primary_selection_set(
	struct city_seat *seat, struct wlr_primary_selection_source *source, uint32_t serial) {
	if (source && has_text(&source->mime_types) && is_tiles(seat, serial)) {
		struct kept *kept =
			keep(seat, true, source, &source->mime_types, &source->events.destroy);
		source = kept ? &kept->primary_data : source;
	}
	wlr_seat_set_primary_selection(seat->seat, source, serial);
}

/* ---- from the last compositor */

static char *read_text(int fd, size_t *size) {
	struct stat info;
	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size <= 0 ||
		info.st_size > KEPT_MAX) {
		return NULL;
	}
	*size = (size_t)info.st_size;
	char *text = malloc(*size);
	if (text && pread(fd, text, *size, 0) != info.st_size) {
		free(text);
		text = NULL;
	}
	return text;
}

static void offer_again(struct city_server *server, bool primary, int fd) {
	struct wlr_seat *seat = server->seat->seat;
	bool taken =
		primary ? seat->primary_selection_source != NULL : seat->selection_source != NULL;
	size_t size = 0;
	char *text = taken ? NULL : read_text(fd, &size);
	struct kept *kept = text ? kept_create(server->seat, primary, text_types,
					   sizeof(text_types) / sizeof(text_types[0]))
				 : NULL;
	if (!kept) {
		free(text);
		return;
	}
	kept->text = text;
	kept->size = kept->capacity = size;
	kept->complete = kept->stored = true;
	uint32_t serial = wl_display_next_serial(server->display);
	if (primary) {
		wlr_seat_set_primary_selection(seat, &kept->primary_data, serial);
	} else {
		wlr_seat_set_selection(seat, &kept->data, serial);
	}
}

static void handle_selection_left(void *data, struct city_keeper_reply *reply) {
	if (reply->status == 0 && reply->fd >= 0) {
		offer_again(data, false, reply->fd);
	}
}

static void handle_primary_left(void *data, struct city_keeper_reply *reply) {
	if (reply->status == 0 && reply->fd >= 0) {
		offer_again(data, true, reply->fd);
	}
}

void city_selections_go_on(struct city_server *server) {
	city_keeper_look(server->keeper, &nobody, stream_of(false), handle_selection_left, server);
	city_keeper_look(server->keeper, &nobody, stream_of(true), handle_primary_left, server);
}

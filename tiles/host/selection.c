/* SPDX-License-Identifier: MIT */
/*
 * Clipboard and primary selection, through the loop: neither a slow reader nor a slow writer on the
 * other side holds the tile up. Both protocols have the same shape, so offers and sources are
 * wrapped.
 */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "primary-selection-unstable-v1-client-protocol.h"

#define PASTE_MAX (64u << 20)
/* Pastes under way in each direction; the loop waits for all of them. Nobody needs so many, but a
 * client may ask for text again and again and never read it. */
#define SENDING_MAX (HOST_TRANSFERS_MAX - RECEIVING_MAX)
#define RECEIVING_MAX 8
/* Who offers text and then gives nothing for so long will not give it any more. */
#define SILENCE_NS 5000000000ull
/* For the rest of what others paste from a version that ends. */
#define FAREWELL_NS 500000000ull

/* Best first; what we offer ourselves is all of them. */
static const char *const text_types[] = {
	"text/plain;charset=utf-8", "UTF8_STRING", "text/plain", "TEXT", "STRING"};
#define TEXT_TYPES (sizeof(text_types) / sizeof(text_types[0]))

struct host_offer {
	struct wl_list link; /* host.offers */
	bool primary;
	bool current; /* it is the selection */
	size_t best;  /* index of text_types; TEXT_TYPES: no text */
	union {
		struct wl_data_offer *data;
		struct zwp_primary_selection_offer_v1 *primary_offer;
	};
};

struct host_source {
	struct wl_list link; /* host.sources */
	struct host *host;
	bool primary;
	union {
		void *object; /* NULL: its compositor is gone, to be offered again */
		struct wl_data_source *data;
		struct zwp_primary_selection_source_v1 *primary_source;
	};
	char *text;
	size_t size;
};

struct host_transfer {
	struct wl_list link; /* host.transfers */
	int fd;
	bool sending;
	bool primary;
	char *text;
	size_t size, done, capacity;
	uint64_t silent_at; /* receiving: when it has been silent for too long */
};

/* ---- transfers */

static size_t count_transfers(const struct host *host, bool sending) {
	size_t count = 0;
	const struct host_transfer *transfer;
	wl_list_for_each(transfer, &host->transfers, link) {
		count += transfer->sending == sending;
	}
	return count;
}

bool host_selection_receiving(const struct host *host) {
	return count_transfers(host, false) > 0;
}

/* Owns the fd. NULL: there are too many. */
static struct host_transfer *add_transfer(struct host *host, int fd, bool sending, bool primary) {
	struct host_transfer *transfer = NULL;
	if (count_transfers(host, sending) < (sending ? SENDING_MAX : RECEIVING_MAX)) {
		transfer = calloc(1, sizeof(*transfer));
	}
	if (!transfer) {
		close(fd);
		return NULL;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	transfer->fd = fd;
	transfer->sending = sending;
	transfer->primary = primary;
	transfer->silent_at = sending ? HOST_NEVER : host_monotonic() + SILENCE_NS;
	wl_list_insert(host->transfers.prev, &transfer->link);
	return transfer;
}

static void end_transfer(struct host_transfer *transfer) {
	wl_list_remove(&transfer->link);
	close(transfer->fd);
	free(transfer->text);
	free(transfer);
}

size_t host_selection_poll(struct host *host, struct pollfd *fds, size_t count, size_t size) {
	struct host_transfer *transfer;
	wl_list_for_each(transfer, &host->transfers, link) {
		if (count < size) {
			fds[count++] = (struct pollfd){
				.fd = transfer->fd, .events = transfer->sending ? POLLOUT : POLLIN};
		}
	}
	return count;
}

static void send_some(struct host_transfer *transfer) {
	while (transfer->done < transfer->size) {
		ssize_t put = write(transfer->fd, transfer->text + transfer->done,
			transfer->size - transfer->done);
		if (put < 0 && errno == EINTR) {
			continue;
		}
		if (put < 0 && errno == EAGAIN) {
			return;
		}
		if (put <= 0) {
			break;
		}
		transfer->done += put;
	}
	end_transfer(transfer);
}

static void finish_paste(struct host *host, struct host_transfer *transfer) {
	if (transfer->size > 0) {
		struct tile_input event = {.type = TILE_INPUT_PASTE, .time_ns = host_now(host)};
		event.paste.primary = transfer->primary;
		event.paste.text = transfer->text;
		event.paste.size = transfer->size;
		host_input(host, &event);
	}
	end_transfer(transfer);
}

static void receive_some(struct host *host, struct host_transfer *transfer) {
	while (true) {
		if (transfer->size == transfer->capacity) {
			size_t capacity = transfer->capacity ? transfer->capacity * 2 : 65536;
			char *text =
				capacity <= PASTE_MAX ? realloc(transfer->text, capacity) : NULL;
			if (!text) {
				city_log(CITY_LOG_WARN, host->name,
					"a paste of over %u MiB is dropped", PASTE_MAX >> 20);
				end_transfer(transfer);
				return;
			}
			transfer->text = text;
			transfer->capacity = capacity;
		}
		ssize_t got = read(transfer->fd, transfer->text + transfer->size,
			transfer->capacity - transfer->size);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0 && errno == EAGAIN) {
			return;
		}
		if (got <= 0) {
			finish_paste(host, transfer);
			return;
		}
		transfer->size += got;
		transfer->silent_at = host_monotonic() + SILENCE_NS;
	}
}

uint64_t host_selection_deadline(const struct host *host) {
	uint64_t deadline = HOST_NEVER;
	const struct host_transfer *transfer;
	wl_list_for_each(transfer, &host->transfers, link) {
		uint64_t at = transfer->silent_at; // NOLINT(clang-analyzer-unix.Malloc)
		deadline = at < deadline ? at : deadline;
	}
	return deadline;
}

static void drop_silent(struct host *host) {
	uint64_t deadline = host_selection_deadline(host);
	if (deadline == HOST_NEVER || deadline > host_monotonic()) {
		return;
	}
	struct host_transfer *transfer, *next;
	wl_list_for_each_safe(transfer, next, &host->transfers, link) {
		if (transfer->silent_at == deadline) {
			city_log(CITY_LOG_WARN, host->name,
				"a paste is given up: its text does not come");
			end_transfer(transfer);
		}
	}
}

void host_selection_dispatch(struct host *host, const struct pollfd *fds, size_t count) {
	struct host_transfer *transfer, *next;
	wl_list_for_each_safe(transfer, next, &host->transfers, link) {
		for (size_t i = 0; i < count; i++) {
			if (fds[i].fd != transfer->fd || !fds[i].revents) {
				continue;
			}
			if (transfer->sending) {
				send_some(transfer);
			} else {
				receive_some(host, transfer);
			}
			break;
		}
	}
	drop_silent(host);
}

/* ---- what others offer */

static void destroy_offer(struct host_offer *offer) {
	wl_list_remove(&offer->link);
	if (offer->primary) {
		zwp_primary_selection_offer_v1_destroy(offer->primary_offer);
	} else {
		wl_data_offer_destroy(offer->data);
	}
	free(offer);
}

static void note_type(struct host_offer *offer, const char *type) {
	for (size_t i = 0; i < offer->best; i++) {
		if (strcmp(type, text_types[i]) == 0) {
			offer->best = i;
			return;
		}
	}
}

static void handle_offer_type(void *data, struct wl_data_offer *wl_offer, const char *type) {
	note_type(data, type);
}

static void handle_offer_source_actions(
	void *data, struct wl_data_offer *wl_offer, uint32_t actions) {
}

static void handle_offer_action(void *data, struct wl_data_offer *wl_offer, uint32_t action) {
}

static const struct wl_data_offer_listener offer_listener = {
	.offer = handle_offer_type,
	.source_actions = handle_offer_source_actions,
	.action = handle_offer_action,
};

static void handle_primary_offer_type(
	void *data, struct zwp_primary_selection_offer_v1 *wl_offer, const char *type) {
	note_type(data, type);
}

static const struct zwp_primary_selection_offer_v1_listener primary_offer_listener = {
	.offer = handle_primary_offer_type,
};

static struct host_offer *add_offer(struct host *host, bool primary) {
	struct host_offer *offer = calloc(1, sizeof(*offer));
	if (offer) {
		offer->primary = primary;
		offer->best = TEXT_TYPES;
		wl_list_insert(&host->offers, &offer->link);
	}
	return offer;
}

/* The selection is another one now; its offer, of which there may be none, was announced before. */
static void set_current(struct host *host, bool primary, void *wl_offer) {
	host->selection_told[primary] = true;
	struct host_offer *offer, *next;
	wl_list_for_each_safe(offer, next, &host->offers, link) {
		if (offer->primary != primary) {
			continue;
		}
		void *object = primary ? (void *)offer->primary_offer : (void *)offer->data;
		if (object == wl_offer) {
			offer->current = true;
		} else {
			destroy_offer(offer);
		}
	}
}

static void handle_data_offer(
	void *data, struct wl_data_device *device, struct wl_data_offer *wl_offer) {
	struct host_offer *offer = add_offer(data, false);
	if (!offer) {
		wl_data_offer_destroy(wl_offer);
		return;
	}
	offer->data = wl_offer;
	wl_data_offer_add_listener(wl_offer, &offer_listener, offer);
}

static void handle_selection(
	void *data, struct wl_data_device *device, struct wl_data_offer *wl_offer) {
	set_current(data, false, wl_offer);
}

/* Nothing can be dropped on a tile: what hovers over it is refused by being ignored. */
static void handle_drag_enter(void *data, struct wl_data_device *device, uint32_t serial,
	struct wl_surface *surface, wl_fixed_t sx, wl_fixed_t sy, struct wl_data_offer *wl_offer) {
}

static void handle_drag_leave(void *data, struct wl_data_device *device) {
	struct host *host = data;
	struct host_offer *offer, *next;
	wl_list_for_each_safe(offer, next, &host->offers, link) {
		if (!offer->primary && !offer->current) {
			destroy_offer(offer);
		}
	}
}

static void handle_drag_motion(
	void *data, struct wl_data_device *device, uint32_t time_ms, wl_fixed_t sx, wl_fixed_t sy) {
}

static void handle_drop(void *data, struct wl_data_device *device) {
	handle_drag_leave(data, device);
}

static const struct wl_data_device_listener device_listener = {
	.data_offer = handle_data_offer,
	.enter = handle_drag_enter,
	.leave = handle_drag_leave,
	.motion = handle_drag_motion,
	.drop = handle_drop,
	.selection = handle_selection,
};

static void handle_primary_data_offer(void *data, struct zwp_primary_selection_device_v1 *device,
	struct zwp_primary_selection_offer_v1 *wl_offer) {
	struct host_offer *offer = add_offer(data, true);
	if (!offer) {
		zwp_primary_selection_offer_v1_destroy(wl_offer);
		return;
	}
	offer->primary_offer = wl_offer;
	zwp_primary_selection_offer_v1_add_listener(wl_offer, &primary_offer_listener, offer);
}

static void handle_primary_selection(void *data, struct zwp_primary_selection_device_v1 *device,
	struct zwp_primary_selection_offer_v1 *wl_offer) {
	set_current(data, true, wl_offer);
}

static const struct zwp_primary_selection_device_v1_listener primary_device_listener = {
	.data_offer = handle_primary_data_offer,
	.selection = handle_primary_selection,
};

void host_selection_request(struct host *host, bool primary) {
	struct host_offer *offer;
	wl_list_for_each(offer, &host->offers, link) {
		if (offer->primary != primary || !offer->current || offer->best == TEXT_TYPES) {
			continue;
		}
		int fds[2];
		if (pipe2(fds, O_CLOEXEC) < 0) {
			city_log(CITY_LOG_WARN, host->name, "no pipe to paste through: %s",
				strerror(errno));
			return;
		}
		if (primary) {
			zwp_primary_selection_offer_v1_receive(
				offer->primary_offer, text_types[offer->best], fds[1]);
		} else {
			wl_data_offer_receive(offer->data, text_types[offer->best], fds[1]);
		}
		close(fds[1]);
		add_transfer(host, fds[0], false, primary);
		return;
	}
}

/* ---- what we offer */

static void withdraw(struct host_source *source) {
	if (source->object && source->primary) {
		zwp_primary_selection_source_v1_destroy(source->primary_source);
	} else if (source->object) {
		wl_data_source_destroy(source->data);
	}
	source->object = NULL;
}

static void destroy_source(struct host_source *source) {
	wl_list_remove(&source->link);
	withdraw(source);
	free(source->text);
	free(source);
}

static void send_source(struct host_source *source, int fd) {
	struct host_transfer *transfer = add_transfer(source->host, fd, true, source->primary);
	if (!transfer) {
		return;
	}
	transfer->text = malloc(source->size + 1);
	if (!transfer->text) {
		end_transfer(transfer);
		return;
	}
	memcpy(transfer->text, source->text, source->size);
	transfer->size = source->size;
	send_some(transfer);
}

static void handle_source_target(void *data, struct wl_data_source *wl_source, const char *type) {
}

static void handle_source_send(
	void *data, struct wl_data_source *wl_source, const char *type, int32_t fd) {
	send_source(data, fd);
}

static void handle_source_cancelled(void *data, struct wl_data_source *wl_source) {
	destroy_source(data);
}

static void handle_source_done(void *data, struct wl_data_source *wl_source) {
}

static void handle_source_action(void *data, struct wl_data_source *wl_source, uint32_t action) {
}

static const struct wl_data_source_listener source_listener = {
	.target = handle_source_target,
	.send = handle_source_send,
	.cancelled = handle_source_cancelled,
	.dnd_drop_performed = handle_source_done,
	.dnd_finished = handle_source_done,
	.action = handle_source_action,
};

static void handle_primary_source_send(void *data,
	struct zwp_primary_selection_source_v1 *wl_source, const char *type, int32_t fd) {
	send_source(data, fd);
}

static void handle_primary_source_cancelled(
	void *data, struct zwp_primary_selection_source_v1 *wl_source) {
	destroy_source(data);
}

static const struct zwp_primary_selection_source_v1_listener primary_source_listener = {
	.send = handle_primary_source_send,
	.cancelled = handle_primary_source_cancelled,
};

/* The source that was offered before is cancelled by the compositor, and ends there. */
static void offer(struct host *host, struct host_source *source) {
	if (source->primary) {
		source->primary_source = zwp_primary_selection_device_manager_v1_create_source(
			host->primary_manager);
		zwp_primary_selection_source_v1_add_listener(
			source->primary_source, &primary_source_listener, source);
		for (size_t i = 0; i < TEXT_TYPES; i++) {
			zwp_primary_selection_source_v1_offer(
				source->primary_source, text_types[i]);
		}
		zwp_primary_selection_device_v1_set_selection(
			host->primary_device, source->primary_source, host->input_serial);
	} else {
		source->data = wl_data_device_manager_create_data_source(host->data_manager);
		wl_data_source_add_listener(source->data, &source_listener, source);
		for (size_t i = 0; i < TEXT_TYPES; i++) {
			wl_data_source_offer(source->data, text_types[i]);
		}
		wl_data_device_set_selection(host->data_device, source->data, host->input_serial);
	}
}

/* What waits for a compositor, and is not to be offered any more. */
static void forget_kept(struct host *host, bool primary) {
	struct host_source *source, *next;
	wl_list_for_each_safe(source, next, &host->sources, link) {
		if (source->primary == primary && !source->object) {
			destroy_source(source);
		}
	}
}

void host_selection_set(struct host *host, bool primary, const char *text, size_t size) {
	bool can = primary ? host->primary_device != NULL : host->data_device != NULL;
	if (!can && host->display) {
		return;
	}
	struct host_source *source = calloc(1, sizeof(*source));
	char *copy = malloc(size + 1);
	if (!source || !copy) {
		free(source);
		free(copy);
		return;
	}
	memcpy(copy, text, size);
	source->host = host;
	source->primary = primary;
	source->text = copy;
	source->size = size;
	forget_kept(host, primary);
	wl_list_insert(&host->sources, &source->link);
	if (can) {
		offer(host, source);
	}
}

/* What was offered when the compositor went is offered to the next one, if nobody has offered
 * anything there before this tile gets the keyboard. */
void host_selection_offer_again(struct host *host) {
	struct host_source *source, *next;
	wl_list_for_each_safe(source, next, &host->sources, link) {
		if (source->object || !host->tile.focused ||
			!host->selection_told[source->primary]) {
			continue;
		}
		bool taken = false;
		struct host_offer *other;
		wl_list_for_each(other, &host->offers, link) {
			taken |= other->current && other->primary == source->primary;
		}
		if (taken) {
			destroy_source(source);
		} else {
			offer(host, source);
		}
	}
}

void host_selection_bind(struct host *host) {
	if (host->seat && host->data_manager) {
		host->data_device =
			wl_data_device_manager_get_data_device(host->data_manager, host->seat);
		wl_data_device_add_listener(host->data_device, &device_listener, host);
	}
	if (host->seat && host->primary_manager) {
		host->primary_device = zwp_primary_selection_device_manager_v1_get_device(
			host->primary_manager, host->seat);
		zwp_primary_selection_device_v1_add_listener(
			host->primary_device, &primary_device_listener, host);
	}
}

/* Whoever is pasting from us gets the rest, if it takes it soon. */
static void finish_sending(struct host *host) {
	uint64_t limit = host_monotonic() + FAREWELL_NS;
	struct host_transfer *transfer, *next;
	wl_list_for_each_safe(transfer, next, &host->transfers, link) {
		if (!transfer->sending) {
			end_transfer(transfer);
		}
	}
	for (uint64_t now; (now = host_monotonic()) < limit;) {
		struct pollfd fds[HOST_TRANSFERS_MAX];
		size_t count = host_selection_poll(host, fds, 0, HOST_TRANSFERS_MAX);
		if (count == 0 || poll(fds, count, (limit - now) / 1000000 + 1) <= 0) {
			return;
		}
		host_selection_dispatch(host, fds, count);
	}
}

void host_selection_disconnect(struct host *host) {
	struct host_offer *offer, *next_offer;
	wl_list_for_each_safe(offer, next_offer, &host->offers, link) {
		destroy_offer(offer);
	}
	/* The newest of each kind is the first. */
	bool kept[2] = {false, false};
	struct host_source *source, *next_source;
	wl_list_for_each_safe(source, next_source, &host->sources, link) {
		if (kept[source->primary]) {
			destroy_source(source);
			continue;
		}
		kept[source->primary] = true;
		withdraw(source);
	}
	host->selection_told[0] = host->selection_told[1] = false;
	if (host->data_device) {
		wl_data_device_destroy(host->data_device);
		host->data_device = NULL;
	}
	if (host->primary_device) {
		zwp_primary_selection_device_v1_destroy(host->primary_device);
		host->primary_device = NULL;
	}
}

void host_selection_finish(struct host *host) {
	finish_sending(host);
	struct host_transfer *transfer, *next_transfer;
	// NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
	wl_list_for_each_safe(transfer, next_transfer, &host->transfers, link) {
		end_transfer(transfer);
	}
	struct host_source *source, *next_source;
	wl_list_for_each_safe(source, next_source, &host->sources, link) {
		destroy_source(source);
	}
}

/* SPDX-License-Identifier: MIT */
#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "music.h"
#include "port.h"
#include "server.h"
#include "view.h"

/* Messages that wait for a peer, beyond which it gets no meters, and is hung up. */
#define WAITING_METERS 64
#define WAITING_MAX 8192
/* Messages of one peer that are handled before the others get their turn. */
#define BATCH 32

struct peer {
	struct spa_list link;
	struct peers *peers;
	struct spa_source *source;
	int fd;
	uint64_t number;
	char name[VAT_NAME_SIZE];
	bool watching, meters, dead;
	struct audio_message *waiting; /* `count` of them, the first of which is sent in part */
	size_t count, room, sent;
	union {
		struct audio_message message;
		char bytes[sizeof(struct audio_message)];
	} in;
	size_t in_size;
};

struct peers {
	struct audio *audio;
	struct spa_list list;
	struct spa_source *reap; /* frees the dead ones outside of their own callbacks */
	uint64_t numbers;
};

static void hang_up(struct peer *peer, const char *why) {
	if (peer->dead)
		return;
	if (why)
		city_log(CITY_LOG_WARN, peer->name[0] ? peer->name : "compositor",
			"its connection to the sound was ended: %s", why);
	peer->dead = true;
	peer->watching = peer->meters = false;
	pw_loop_signal_event(peer->peers->audio->loop, peer->peers->reap);
}

static void flush(struct peer *peer) {
	while (peer->count > 0 && !peer->dead) {
		const char *bytes = (const char *)peer->waiting + peer->sent;
		size_t size = peer->count * sizeof(*peer->waiting) - peer->sent;
		ssize_t n = send(peer->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				hang_up(peer, NULL);
			break;
		}
		peer->sent += (size_t)n;
		size_t whole = peer->sent / sizeof(*peer->waiting);
		peer->count -= whole;
		peer->sent -= whole * sizeof(*peer->waiting);
		memmove(peer->waiting, peer->waiting + whole, peer->count * sizeof(*peer->waiting));
	}
	if (!peer->dead)
		pw_loop_update_io(peer->peers->audio->loop, peer->source,
			SPA_IO_IN | SPA_IO_HUP | SPA_IO_ERR | (peer->count ? SPA_IO_OUT : 0));
}

static void push(struct peer *peer, const struct audio_message *message) {
	if (peer->dead || (message->type == AUDIO_METERS && peer->count > WAITING_METERS))
		return;
	if (peer->count == WAITING_MAX) {
		hang_up(peer, "it does not read what it is told");
		return;
	}
	if (peer->count == peer->room) {
		size_t room = peer->room ? 2 * peer->room : 64;
		struct audio_message *more =
			reallocarray(peer->waiting, room, sizeof(*peer->waiting));
		if (!more) {
			hang_up(peer, "no memory");
			return;
		}
		peer->waiting = more;
		peer->room = room;
	}
	peer->waiting[peer->count++] = *message;
	if (peer->count == 1)
		flush(peer);
}

/* ---- what they ask */

static void push_to(void *data, const struct audio_message *message) {
	push(data, message);
}

static void tell_everything(struct peer *peer) {
	struct audio *audio = peer->peers->audio;
	struct audio_message message = server_message(audio->server);
	push(peer, &message);
	view_tell(audio->view, push_to, peer);
	struct port *port;
	spa_list_for_each(port, &audio->ports, link) {
		message = port_message(port);
		push(peer, &message);
	}
	message = music_message(audio->music);
	push(peer, &message);
	message = audio_message(AUDIO_DONE);
	push(peer, &message);
}

static void answer(struct peer *peer, uint32_t request, int error, const char *text) {
	struct audio_message result = audio_message(AUDIO_RESULT);
	result.request = request;
	result.result.error = error;
	audio_copy(result.result.text, sizeof(result.result.text), text);
	push(peer, &result);
}

static void handle_request(struct peer *peer, struct audio_message *message) {
	struct audio *audio = peer->peers->audio;
	char why[200] = "";
	int error = 0;
	if (message->version != AUDIO_WIRE_VERSION) {
		hang_up(peer, "it speaks another version of the protocol");
		return;
	}
	switch (message->type) {
	case AUDIO_WATCH:
		peer->meters = message->value != 0;
		if (!peer->watching) {
			peer->watching = true;
			tell_everything(peer);
		}
		view_meter(audio->view);
		audio_schedule(audio);
		break;
	case AUDIO_TRANSPORT_ASK:
		message->ask.name[sizeof(message->ask.name) - 1] = '\0';
		error = music_ask(audio->music, peer->number, message->ask.what, message->ask.value,
			message->ask.tick, message->ask.name, why, sizeof(why));
		break;
	case AUDIO_SET_VOLUME:
	case AUDIO_SET_MUTE:
	case AUDIO_SET_DEFAULT:
	case AUDIO_LINK_MAKE:
	case AUDIO_LINK_BREAK:
	case AUDIO_MOVE:
		error = view_request(audio->view, peer->number, message, why, sizeof(why));
		if (error == EINPROGRESS)
			return;
		break;
	default:
		error = EOPNOTSUPP;
		snprintf(why, sizeof(why), "no such request: %u", message->type);
	}
	answer(peer, message->request, error, why);
}

static void handle_peer(void *data, int fd, uint32_t mask) {
	struct peer *peer = data;
	if (mask & SPA_IO_OUT)
		flush(peer);
	for (int i = 0; i < BATCH && !peer->dead && mask & (SPA_IO_IN | SPA_IO_HUP | SPA_IO_ERR);
		i++) {
		ssize_t n = recv(fd, peer->in.bytes + peer->in_size,
			sizeof(peer->in.bytes) - peer->in_size, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			hang_up(peer, NULL);
			return;
		}
		peer->in_size += (size_t)n;
		if (peer->in_size == sizeof(peer->in.bytes)) {
			peer->in_size = 0;
			handle_request(peer, &peer->in.message);
		}
	}
}

/* ---- */

static void peer_destroy(struct peer *peer) {
	spa_list_remove(&peer->link);
	if (peer->source)
		pw_loop_destroy_source(peer->peers->audio->loop, peer->source);
	close(peer->fd);
	free(peer->waiting);
	free(peer);
}

static void handle_reap(void *data, uint64_t count) {
	struct peers *peers = data;
	struct peer *peer, *next;
	spa_list_for_each_safe(peer, next, &peers->list, link) {
		if (peer->dead) {
			music_forget(peers->audio->music, peer->number);
			peer_destroy(peer);
		}
	}
	view_meter(peers->audio->view);
	audio_schedule(peers->audio);
}

void peers_add(struct peers *peers, int fd, const char *name) {
	struct peer *peer = calloc(1, sizeof(*peer));
	if (!peer) {
		close(fd);
		return;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	peer->peers = peers;
	peer->fd = fd;
	peer->number = ++peers->numbers;
	audio_copy(peer->name, sizeof(peer->name), name);
	spa_list_append(&peers->list, &peer->link);
	peer->source = pw_loop_add_io(peers->audio->loop, fd, SPA_IO_IN | SPA_IO_HUP | SPA_IO_ERR,
		false, handle_peer, peer);
	if (!peer->source)
		peer_destroy(peer);
}

void peers_tell(struct peers *peers, const struct audio_message *message) {
	struct peer *peer;
	if (!peers)
		return;
	spa_list_for_each(peer, &peers->list, link) {
		if (peer->watching && (peer->meters || message->type != AUDIO_METERS))
			push(peer, message);
	}
}

void peers_tell_gone(struct peers *peers, enum audio_type type, uint64_t id) {
	struct audio_message message = audio_message(type);
	message.id = id;
	peers_tell(peers, &message);
}

void peers_tell_port(struct peers *peers, const struct port *port) {
	if (peers_watching(peers) == 0)
		return;
	struct audio_message message = port_message(port);
	peers_tell(peers, &message);
}

void peers_answer(
	struct peers *peers, uint64_t number, uint32_t request, int error, const char *text) {
	struct peer *peer;
	spa_list_for_each(peer, &peers->list, link) {
		if (peer->number == number)
			answer(peer, request, error, text);
	}
}

uint32_t peers_watching(const struct peers *peers) {
	uint32_t count = 0;
	const struct peer *peer;
	spa_list_for_each(peer, &peers->list, link) {
		count += peer->watching;
	}
	return count;
}

uint32_t peers_metering(const struct peers *peers) {
	uint32_t count = 0;
	const struct peer *peer;
	spa_list_for_each(peer, &peers->list, link) {
		count += peer->meters;
	}
	return count;
}

struct peers *peers_create(struct audio *audio) {
	struct peers *peers = calloc(1, sizeof(*peers));
	if (!peers)
		return NULL;
	peers->audio = audio;
	spa_list_init(&peers->list);
	peers->reap = pw_loop_add_event(audio->loop, handle_reap, peers);
	return peers;
}

void peers_destroy(struct peers *peers) {
	if (!peers)
		return;
	struct peer *peer, *next;
	spa_list_for_each_safe(peer, next, &peers->list, link) {
		peer_destroy(peer);
	}
	pw_loop_destroy_source(peers->audio->loop, peers->reap);
	free(peers);
}

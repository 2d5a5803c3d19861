/* SPDX-License-Identifier: MIT */
/* What the keeper tells its children. Nothing is lost to a child that is slow to read. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "log.h"

/* What may wait for a tile. More than that it has asked for without reading the answers; the
 * compositor is trusted, and must miss nothing. */
#define TILE_WAITING_MAX 64
/* And for the audio process, besides the rings that it is told of at its start. */
#define AUDIO_WAITING_MAX 256

static void waiting_destroy(struct keeper_waiting *waiting) {
	keeper_wire_close(waiting->fds);
	free(waiting);
}

/* NULL with errno. */
static struct keeper_waiting *waiting_create(
	const struct keeper_message *message, const int *fds, size_t fd_count) {
	struct keeper_waiting *waiting = malloc(offsetof(struct keeper_waiting, message) +
		KEEPER_MESSAGE_HEAD + message->text_size);
	if (waiting == NULL) {
		return NULL;
	}
	waiting->next = NULL;
	waiting->fd_count = fd_count;
	memcpy(&waiting->message, message, KEEPER_MESSAGE_HEAD + message->text_size);
	bool whole = true;
	for (size_t i = 0; i < KEEPER_FDS_MAX; i++) {
		waiting->fds[i] = i < fd_count ? fcntl(fds[i], F_DUPFD_CLOEXEC, 0) : -1;
		whole = whole && (i >= fd_count || waiting->fds[i] >= 0);
	}
	if (!whole) {
		int saved = errno;
		waiting_destroy(waiting);
		errno = saved;
		return NULL;
	}
	return waiting;
}

static void watch(struct keeper *keeper, const struct keeper_child *child) {
	struct epoll_event event = {
		.events = EPOLLIN | (child->waiting != NULL ? EPOLLOUT : 0),
		.data.fd = child->wire,
	};
	epoll_ctl(keeper->epoll, EPOLL_CTL_MOD, child->wire, &event);
}

/* A peer that is gone needs no messages; that it is gone is seen when its wire is read. The audio
 * process must not go on with half of what it has to know. */
static void lost(struct keeper *keeper, struct keeper_child *child) {
	if (errno == EPIPE || errno == ECONNRESET) {
		return;
	}
	city_log(CITY_LOG_ERROR, child->name, "cannot be sent a message: %s", strerror(errno));
	if (child->kind == KEEPER_CHILD_AUDIO) {
		keeper_child_hang_up(keeper, child);
		keeper_audio_hung_up(child);
	}
}

void keeper_send(struct keeper *keeper, struct keeper_child *child, struct keeper_message *message,
	const int *fds, size_t fd_count) {
	if (child->wire < 0) {
		return;
	}
	if (child->waiting == NULL) {
		if (keeper_wire_send(child->wire, message, fds, fd_count) == 0) {
			return;
		}
		if (errno != EAGAIN) {
			lost(keeper, child);
			return;
		}
	}
	const size_t most = child->kind == KEEPER_CHILD_AUDIO
		? AUDIO_WAITING_MAX + keeper_audio_ring_count(keeper, NULL)
		: TILE_WAITING_MAX;
	if (child->kind != KEEPER_CHILD_COMPOSITOR && child->waiting_count >= most) {
		city_log(CITY_LOG_WARN, child->name,
			"does not read what the keeper answers: it is not listened to any more");
		keeper_child_hang_up(keeper, child);
		keeper_audio_hung_up(child);
		return;
	}
	struct keeper_waiting *waiting = waiting_create(message, fds, fd_count);
	if (waiting == NULL) {
		lost(keeper, child);
		return;
	}
	struct keeper_waiting **link = &child->waiting;
	if (child->waiting != NULL) {
		link = &child->waiting_last->next;
	}
	*link = waiting;
	child->waiting_last = waiting;
	child->waiting_count++;
	watch(keeper, child);
}

void keeper_send_waiting(struct keeper *keeper, struct keeper_child *child) {
	while (child->waiting != NULL) {
		struct keeper_waiting *first = child->waiting;
		if (keeper_wire_send(child->wire, &first->message, first->fds, first->fd_count) <
			0) {
			if (errno == EAGAIN) {
				return;
			}
			lost(keeper, child);
			if (child->wire < 0) {
				return;
			}
		}
		child->waiting = first->next;
		child->waiting_count--;
		waiting_destroy(first);
	}
	watch(keeper, child);
}

void keeper_send_forget(struct keeper_child *child) {
	while (child->waiting != NULL) {
		struct keeper_waiting *first = child->waiting;
		child->waiting = first->next;
		waiting_destroy(first);
	}
	child->waiting_count = 0;
}

/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

/* The keeper answers in microseconds; more than this means that it is stuck. */
#define KEEPER_PATIENCE_NS 2000000000ull

/* fds are the caller's, but for one that is kept: that is -1 then. */
static void handle_event(
	struct host *host, const struct keeper_message *message, int fds[KEEPER_FDS_MAX]) {
	if (message->request != 0) {
		/* What nobody waits for any more is dropped. */
		host_streams_answer(host, message, fds);
		return;
	}
	if (message->type == KEEPER_TRACK || message->type == KEEPER_TRACK_END) {
		host_track_handle(host, message, fds[0]);
		return;
	}
	if (message->type == KEEPER_RECONNECT && fds[0] >= 0) {
		/* Only the newest compositor counts. */
		if (host->reconnect_fd >= 0) {
			close(host->reconnect_fd);
		}
		host->reconnect_fd = fds[0];
		fds[0] = -1;
		return;
	}
	if (message->type != KEEPER_STREAM_ENDED) {
		city_log(CITY_LOG_WARN, host->name, "the keeper sent a message of type %u",
			message->type);
		return;
	}
	for (size_t i = 0; i < HOST_STREAMS_MAX; i++) {
		struct host_stream *stream = &host->streams[i];
		if (stream->fd >= 0 && strcmp(stream->name, message->name) == 0) {
			stream->child_ended = true;
			stream->status = message->status;
			return;
		}
	}
}

static void lost_keeper(struct host *host) {
	city_log(CITY_LOG_WARN, host->name, "the keeper is gone");
	close(host->keeper_fd);
	host->keeper_fd = -1;
	host_streams_lost(host);
	if (!host->display) {
		host_quit(host, 0); /* nobody could give it one any more */
	}
}

void host_keeper_dispatch(struct host *host) {
	struct keeper_message *message = malloc(sizeof(*message));
	if (!message) {
		return;
	}
	while (host->keeper_fd >= 0) {
		int fds[KEEPER_FDS_MAX];
		int got = keeper_wire_receive(host->keeper_fd, message, fds);
		if (got < 0 && errno == EPROTO) {
			city_log(CITY_LOG_WARN, host->name, "the keeper sent a malformed message");
			continue;
		}
		if (got < 0) {
			break;
		}
		if (got == 0) {
			lost_keeper(host);
			break;
		}
		handle_event(host, message, fds);
		keeper_wire_close(fds);
	}
	free(message);
}

static int send_request(
	struct host *host, struct keeper_message *request, const int *fds, size_t fd_count) {
	request->request = ++host->keeper_request;
	request->instance = host->assume->instance;
	request->uuid = host->assume->uuid;
	return keeper_wire_send(host->keeper_fd, request, fds, fd_count);
}

int host_keeper_send(struct host *host, struct keeper_message *request) {
	if (host->keeper_fd < 0) {
		errno = EPIPE;
		return -1;
	}
	return send_request(host, request, NULL, 0);
}

/* The answer to that request. What else comes meanwhile is seen to. */
static int await(struct host *host, uint64_t request, struct keeper_message *answer,
	int fds[KEEPER_FDS_MAX], char *why, size_t why_size) {
	uint64_t limit = host_monotonic() + KEEPER_PATIENCE_NS;
	while (true) {
		uint64_t now = host_monotonic();
		struct pollfd poll_fd = {.fd = host->keeper_fd, .events = POLLIN};
		if (now >= limit || poll(&poll_fd, 1, (limit - now) / 1000000 + 1) == 0) {
			snprintf(why, why_size, "the keeper does not answer");
			return -1;
		}
		int got = keeper_wire_receive(host->keeper_fd, answer, fds);
		if (got < 0 && (errno == EAGAIN || errno == EINTR || errno == EPROTO)) {
			continue;
		}
		if (got <= 0) {
			lost_keeper(host);
			snprintf(why, why_size, "the keeper is gone");
			return -1;
		}
		if (answer->request == request) {
			return 0;
		}
		handle_event(host, answer, fds);
		keeper_wire_close(fds);
	}
}

int host_keeper_call(struct host *host, struct keeper_message *request, const int *request_fds,
	size_t request_fd_count, struct keeper_message *answer, int fds[KEEPER_FDS_MAX], char *why,
	size_t why_size) {
	if (host->keeper_fd < 0) {
		snprintf(why, why_size, "there is no keeper");
		return -1;
	}
	if (send_request(host, request, request_fds, request_fd_count) < 0) {
		snprintf(why, why_size, "the keeper cannot be asked: %s", strerror(errno));
		return -1;
	}
	if (await(host, request->request, answer, fds, why, why_size) < 0) {
		return -1;
	}
	if (answer->type == KEEPER_RESULT && answer->status != 0) {
		keeper_wire_close(fds);
		errno = answer->status;
		snprintf(why, why_size, "%s",
			answer->text_size > 0 ? answer->text : strerror(answer->status));
		return -1;
	}
	return 0;
}

void host_keeper_wait_streams(struct host *host) {
	struct keeper_message *answer = host->streams_asked != 0 ? malloc(sizeof(*answer)) : NULL;
	int fds[KEEPER_FDS_MAX];
	char why[256];
	if (answer && await(host, host->streams_asked, answer, fds, why, sizeof(why)) == 0) {
		host_streams_answer(host, answer, fds);
		keeper_wire_close(fds);
	}
	free(answer);
}

static int ask_for_memory(
	struct host *host, struct keeper_message messages[2], uint32_t type, int given, int *fd) {
	int fds[KEEPER_FDS_MAX];
	char why[256];
	messages[0].type = type;
	int result = host_keeper_call(host, &messages[0], given >= 0 ? &given : NULL, given >= 0,
		&messages[1], fds, why, sizeof(why));
	int error = errno;
	if (result == 0) {
		*fd = fds[0];
		fds[0] = -1;
		keeper_wire_close(fds);
	} else if (error != ENOENT || type != KEEPER_STREAM_CLAIM) {
		city_log(CITY_LOG_WARN, host->name, "no memory for %s: %s", messages[0].name, why);
	}
	return result;
}

int host_keeper_memory(struct host *host, const char *stream) {
	struct keeper_message *messages = calloc(2, sizeof(*messages));
	int fd = -1;
	if (!messages) {
		return -1;
	}
	snprintf(messages[0].name, sizeof(messages[0].name), "%s", stream);
	if (ask_for_memory(host, messages, KEEPER_STREAM_CLAIM, -1, &fd) < 0) {
		int none,
			made = memfd_create("source-city-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (made >= 0 &&
			ask_for_memory(host, messages, KEEPER_STREAM_PUT, made, &none) == 0) {
			fd = made;
		} else if (made >= 0) {
			close(made);
		}
	}
	free(messages);
	return fd;
}

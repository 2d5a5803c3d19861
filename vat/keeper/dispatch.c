/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "log.h"

/* A child's packets handled before the others get their turn. */
#define DISPATCH_BATCH 16

static void send_to(
	struct keeper_child *child, struct keeper_message *message, const int *fds, size_t count) {
	if (child->wire >= 0 && keeper_wire_send(child->wire, message, fds, count) < 0) {
		city_log(CITY_LOG_WARN, child->name, "does not read its messages: %s",
			strerror(errno));
	}
}

/* The answer to a request without one of its own. `why` may be NULL. */
static void send_result(struct keeper_child *child, const struct keeper_message *request, int error,
	const char *why) {
	struct keeper_message result = {
		.type = KEEPER_RESULT,
		.request = request->request,
		.uuid = request->uuid,
		.instance = request->instance,
		.status = error,
	};
	memcpy(result.name, request->name, sizeof(result.name));
	if (why != NULL) {
		keeper_wire_add(&result, why);
	}
	send_to(child, &result, NULL, 0);
}

static void send_stream(struct keeper_child *child, const struct keeper_message *request,
	struct keeper_stream *stream) {
	if (!keeper_stream_claim(stream, child->instance)) {
		send_result(child, request, EBUSY, "too many versions hold this stream");
		return;
	}
	struct keeper_message answer = {
		.type = KEEPER_STREAM,
		.request = request->request,
		.uuid = stream->uuid,
		.pid = stream->pid,
	};
	memcpy(answer.name, stream->name, sizeof(answer.name));
	send_to(child, &answer, &stream->fd, 1);
	if (stream->ended) {
		keeper_stream_tell_ended(stream, child);
	}
}

static int send_region(
	int wire, uint64_t request, const struct keeper_region *region, bool created) {
	struct keeper_message answer = {
		.type = KEEPER_REGION,
		.request = request,
		.uuid = region->uuid,
		.status = created,
	};
	return keeper_wire_send(wire, &answer, &region->fd, 1);
}

int keeper_greet_compositor(struct keeper *keeper, int wire) {
	struct keeper_message hello = {.type = KEEPER_HELLO};
	memcpy(hello.name, keeper->socket.name, sizeof(hello.name));
	if (keeper_wire_send(wire, &hello, &keeper->socket.fd, 1) < 0) {
		return -1;
	}
	for (struct keeper_region *region = keeper->regions; region != NULL;
		region = region->next) {
		if (send_region(wire, 0, region, false) < 0) {
			return -1;
		}
	}
	struct keeper_message end = {.type = KEEPER_RESULT};
	return keeper_wire_send(wire, &end, NULL, 0);
}

/* --- from tiles --- */

static void handle_stream_put(struct keeper *keeper, struct keeper_child *tile,
	const struct keeper_message *request, int fds[KEEPER_FDS_MAX]) {
	if (fds[0] < 0 || !vat_name_valid(request->name)) {
		send_result(tile, request, EINVAL, "a stream needs a descriptor and a valid name");
		return;
	}
	struct keeper_stream *stream =
		keeper_stream_add(keeper, &tile->uuid, request->name, fds[0], 0);
	if (stream == NULL) {
		send_result(tile, request, errno, strerror(errno));
		return;
	}
	fds[0] = -1; /* the stream's now */
	keeper_stream_claim(stream, tile->instance);
	send_result(tile, request, 0, NULL);
}

static void handle_stream_claim(
	struct keeper *keeper, struct keeper_child *tile, const struct keeper_message *request) {
	struct keeper_stream *stream = keeper_stream_find(keeper, &tile->uuid, request->name);
	if (stream == NULL) {
		send_result(tile, request, ENOENT, "no stream of that name");
		return;
	}
	send_stream(tile, request, stream);
}

static void handle_stream_close(
	struct keeper *keeper, struct keeper_child *tile, const struct keeper_message *request) {
	struct keeper_stream *stream = keeper_stream_find(keeper, &tile->uuid, request->name);
	if (stream == NULL) {
		send_result(tile, request, ENOENT, "no stream of that name");
		return;
	}
	keeper_stream_remove(keeper, stream);
	send_result(tile, request, 0, NULL);
}

static void handle_pty_open(
	struct keeper *keeper, struct keeper_child *tile, const struct keeper_message *request) {
	if (!vat_name_valid(request->name)) {
		send_result(tile, request, EINVAL, "a stream needs a valid name");
		return;
	}
	char why[256];
	struct keeper_stream *stream = keeper_pty_open(keeper, tile, request, why, sizeof(why));
	if (stream == NULL) {
		city_log(CITY_LOG_ERROR, tile->name, "%s", why);
		send_result(tile, request, EIO, why);
		return;
	}
	send_stream(tile, request, stream);
}

static void pass_on_trouble(struct keeper *keeper, const struct keeper_child *tile,
	const struct keeper_message *message) {
	struct keeper_message event = {
		.type = KEEPER_TROUBLE,
		.instance = tile->instance,
		.uuid = tile->uuid,
		.pid = tile->pid,
		.status = message->status,
	};
	memcpy(event.name, message->name, sizeof(event.name));
	if (keeper->compositor != NULL) {
		send_to(keeper->compositor, &event, NULL, 0);
	}
}

static bool dispatch_tile(struct keeper *keeper, struct keeper_child *tile,
	const struct keeper_message *request, int fds[KEEPER_FDS_MAX]) {
	switch (request->type) {
	case KEEPER_TROUBLE:
		pass_on_trouble(keeper, tile, request);
		return true;
	case KEEPER_STREAM_PUT:
		handle_stream_put(keeper, tile, request, fds);
		return true;
	case KEEPER_STREAM_CLAIM:
		handle_stream_claim(keeper, tile, request);
		return true;
	case KEEPER_STREAM_CLOSE:
		handle_stream_close(keeper, tile, request);
		return true;
	case KEEPER_PTY_OPEN:
		handle_pty_open(keeper, tile, request);
		return true;
	default:
		return false;
	}
}

/* --- from the compositor --- */

static void handle_region_open(struct keeper *keeper, struct keeper_child *compositor,
	const struct keeper_message *request) {
	struct keeper_region *region = keeper_region_find(keeper, &request->uuid);
	bool created = region == NULL;
	struct vat_error err;
	if (created) {
		region = keeper_region_create(keeper, request, &err);
	}
	if (region == NULL) {
		city_log(CITY_LOG_ERROR, request->name, "%s", err.text);
		send_result(compositor, request, ENOMEM, err.text);
		return;
	}
	if (send_region(compositor->wire, request->request, region, created) < 0) {
		city_log(CITY_LOG_WARN, request->name, "its region cannot be sent: %s",
			strerror(errno));
	}
}

static void handle_spawn(struct keeper *keeper, struct keeper_child *compositor,
	struct keeper_message *request, int fds[KEEPER_FDS_MAX]) {
	struct keeper_region *region = keeper_region_find(keeper, &request->uuid);
	if (region == NULL || fds[0] < 0 || fds[1] < 0 || !vat_name_valid(request->name)) {
		send_result(compositor, request, EINVAL,
			"to start a tile takes a region, a connection, an artifact and a valid "
			"name");
		return;
	}
	struct keeper_child *tile = keeper->spare;
	if (tile == NULL) {
		tile = keeper_start_spare(keeper);
	}
	if (tile == NULL) {
		send_result(compositor, request, EAGAIN, "no process can be started for the tile");
		return;
	}
	keeper->spare = NULL;
	tile->kind = KEEPER_CHILD_TILE;
	tile->uuid = request->uuid;
	memcpy(tile->name, request->name, sizeof(tile->name));
	struct keeper_message answer = {
		.type = KEEPER_SPAWNED,
		.request = request->request,
		.instance = tile->instance,
		.uuid = request->uuid,
		.pid = tile->pid,
	};
	memcpy(answer.name, request->name, sizeof(answer.name));
	const int gifts[] = {fds[0], fds[1], region->fd};
	request->type = KEEPER_ASSUME;
	request->request = 0;
	request->instance = tile->instance;
	if (keeper_wire_send(tile->wire, request, gifts, 3) < 0) {
		/* It died as a spare; its end will be reported like that of any other tile. */
		city_log(CITY_LOG_WARN, tile->name, "its process cannot be told what to run: %s",
			strerror(errno));
		kill(tile->pid, SIGKILL);
	}
	send_to(compositor, &answer, NULL, 0);
	keeper_want_spare(keeper);
}

static void handle_forge(struct keeper *keeper, struct keeper_child *compositor,
	const struct keeper_message *request, const int fds[KEEPER_FDS_MAX]) {
	struct keeper_child *forge = fds[0] >= 0 ? keeper_start_forge(keeper, fds[0]) : NULL;
	if (forge == NULL) {
		send_result(compositor, request, EAGAIN, "the forge cannot be started");
		return;
	}
	struct keeper_message answer = {
		.type = KEEPER_SPAWNED,
		.request = request->request,
		.instance = forge->instance,
		.pid = forge->pid,
	};
	send_to(compositor, &answer, NULL, 0);
}

static void handle_kill(struct keeper *keeper, const struct keeper_message *request) {
	struct keeper_child *child = keeper_child_by_instance(keeper, request->instance);
	if (child != NULL && child->kind != KEEPER_CHILD_COMPOSITOR && request->status > 0 &&
		request->status < NSIG) {
		kill(child->pid, request->status);
	}
}

static void handle_sweep(struct keeper *keeper, struct keeper_child *compositor,
	const struct keeper_message *request) {
	struct keeper_message answer = {
		.type = KEEPER_RESULT,
		.request = request->request,
		.uuid = request->uuid,
		.instance = request->instance,
	};
	for (struct keeper_stream *stream = keeper->streams, *next; stream != NULL; stream = next) {
		next = stream->next;
		if (!vat_uuid_equal(&stream->uuid, &request->uuid)) {
			continue;
		}
		bool claimed = false;
		for (size_t i = 0; i < KEEPER_CLAIMS_MAX; i++) {
			claimed = claimed || stream->claims[i] == request->instance;
		}
		if (!claimed) {
			city_log(CITY_LOG_INFO, request->name,
				"stream \"%s\" is closed: the new version does not claim it",
				stream->name);
			keeper_wire_add(&answer, stream->name);
			keeper_stream_remove(keeper, stream);
		}
	}
	send_to(compositor, &answer, NULL, 0);
}

static bool dispatch_compositor(struct keeper *keeper, struct keeper_child *compositor,
	struct keeper_message *request, int fds[KEEPER_FDS_MAX]) {
	switch (request->type) {
	case KEEPER_READY:
		if (!keeper->ready) {
			city_log(CITY_LOG_INFO, "city", "up on %s", keeper->socket.name);
		}
		keeper->ready = true;
		keeper->restarts = 0;
		if (keeper->spare == NULL) {
			keeper_want_spare(keeper);
		}
		return true;
	case KEEPER_QUIT:
		keeper->quitting = true;
		return true;
	case KEEPER_REGION_OPEN:
		handle_region_open(keeper, compositor, request);
		return true;
	case KEEPER_REGION_DROP:
		keeper_region_drop(keeper, &request->uuid);
		send_result(compositor, request, 0, NULL);
		return true;
	case KEEPER_SPAWN:
		handle_spawn(keeper, compositor, request, fds);
		return true;
	case KEEPER_FORGE:
		handle_forge(keeper, compositor, request, fds);
		return true;
	case KEEPER_KILL:
		handle_kill(keeper, request);
		return true;
	case KEEPER_STREAM_SWEEP:
		handle_sweep(keeper, compositor, request);
		return true;
	default:
		return false;
	}
}

void keeper_dispatch(struct keeper *keeper, struct keeper_child *child) {
	/* Large, and used by one call at a time: dispatch is never re-entered. */
	static struct keeper_message message;
	for (int i = 0; i < DISPATCH_BATCH && child->wire >= 0; i++) {
		int fds[KEEPER_FDS_MAX];
		int got = keeper_wire_receive(child->wire, &message, fds);
		if (got == 0) {
			keeper_child_hang_up(keeper, child);
			return;
		}
		if (got < 0) {
			if (errno == EAGAIN) {
				return;
			}
			city_log(CITY_LOG_WARN, child->name, "sent the keeper a broken message: %s",
				strerror(errno));
			if (errno == EPROTO) {
				continue;
			}
			keeper_child_hang_up(keeper, child);
			return;
		}
		bool known = false;
		if (child->kind == KEEPER_CHILD_TILE) {
			known = dispatch_tile(keeper, child, &message, fds);
		} else if (child->kind == KEEPER_CHILD_COMPOSITOR) {
			known = dispatch_compositor(keeper, child, &message, fds);
		}
		if (!known) {
			city_log(CITY_LOG_WARN, child->name,
				"sent the keeper message %u, which it may not send", message.type);
			send_result(child, &message, EPERM, "not allowed");
		}
		keeper_wire_close(fds);
	}
}

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
/* Messages without sense after which a child is not listened to any more. */
#define BROKEN_MAX 16
/* Messages waiting for the compositor beyond which those that tiles bring about are dropped. */
#define TROUBLE_WAITING_MAX 1024
/* Processes that are told what to run, one after the other, when they turn out to be dead. */
#define SPAWN_TRIES 3

/* The answer to a request without one of its own. `why` may be NULL. */
static void send_result(struct keeper *keeper, struct keeper_child *child,
	const struct keeper_message *request, int error, const char *why) {
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
	keeper_send(keeper, child, &result, NULL, 0);
}

static void answer_stream(struct keeper *keeper, struct keeper_child *child,
	const struct keeper_message *request, const struct keeper_stream *stream) {
	struct keeper_message answer = {
		.type = KEEPER_STREAM,
		.request = request->request,
		.uuid = stream->uuid,
		.pid = stream->pid,
		.size = stream->channels,
	};
	memcpy(answer.name, stream->name, sizeof(answer.name));
	const int fds[] = {stream->fd, stream->wake};
	keeper_send(keeper, child, &answer, fds, stream->wake >= 0 ? 2 : 1);
}

static void send_stream(struct keeper *keeper, struct keeper_child *child,
	const struct keeper_message *request, struct keeper_stream *stream) {
	if (!keeper_stream_claim(stream, child->instance)) {
		send_result(keeper, child, request, EBUSY, "too many versions hold this stream");
		return;
	}
	answer_stream(keeper, child, request, stream);
	if (stream->ended) {
		keeper_stream_tell_ended(keeper, stream, child);
	}
}

/* --- from tiles --- */

static void handle_stream_put(struct keeper *keeper, struct keeper_child *tile,
	const struct keeper_message *request, int fds[KEEPER_FDS_MAX]) {
	if (fds[0] < 0 || !keeper_stream_name_valid(request->name)) {
		send_result(keeper, tile, request, EINVAL,
			"a stream needs a descriptor and a valid name");
		return;
	}
	struct keeper_stream *stream =
		keeper_stream_add(keeper, &tile->uuid, request->name, fds[0], 0);
	if (stream == NULL) {
		send_result(keeper, tile, request, errno, strerror(errno));
		return;
	}
	fds[0] = -1; /* the stream's now */
	keeper_stream_claim(stream, tile->instance);
	send_result(keeper, tile, request, 0, NULL);
}

static void handle_stream_claim(
	struct keeper *keeper, struct keeper_child *tile, const struct keeper_message *request) {
	struct keeper_stream *stream = keeper_stream_find(keeper, &tile->uuid, request->name);
	if (stream == NULL) {
		send_result(keeper, tile, request, ENOENT, "no stream of that name");
		return;
	}
	send_stream(keeper, tile, request, stream);
}

static void handle_stream_list(
	struct keeper *keeper, struct keeper_child *tile, const struct keeper_message *request) {
	struct keeper_message answer = {
		.type = KEEPER_RESULT,
		.request = request->request,
		.uuid = tile->uuid,
		.instance = request->instance,
	};
	for (const struct keeper_stream *stream = keeper->streams; stream != NULL;
		stream = stream->next) {
		if (vat_uuid_equal(&stream->uuid, &tile->uuid) &&
			!keeper_stream_is_internal(stream->name)) {
			keeper_wire_add(&answer, stream->name);
		}
	}
	keeper_send(keeper, tile, &answer, NULL, 0);
}

static void handle_stream_close(
	struct keeper *keeper, struct keeper_child *tile, const struct keeper_message *request) {
	struct keeper_stream *stream = keeper_stream_find(keeper, &tile->uuid, request->name);
	if (stream == NULL) {
		send_result(keeper, tile, request, ENOENT, "no stream of that name");
		return;
	}
	keeper_stream_remove(keeper, stream);
	send_result(keeper, tile, request, 0, NULL);
}

static void handle_pty_open(
	struct keeper *keeper, struct keeper_child *tile, const struct keeper_message *request) {
	if (!vat_name_valid(request->name)) {
		send_result(keeper, tile, request, EINVAL, "a stream needs a valid name");
		return;
	}
	char why[256];
	struct keeper_stream *stream = keeper_pty_open(keeper, tile, request, why, sizeof(why));
	if (stream == NULL) {
		city_log(CITY_LOG_ERROR, tile->name, "%s", why);
		send_result(keeper, tile, request, EIO, why);
		return;
	}
	send_stream(keeper, tile, request, stream);
}

static void handle_ring_open(
	struct keeper *keeper, struct keeper_child *tile, const struct keeper_message *request) {
	struct vat_error err;
	struct keeper_stream *stream =
		keeper_audio_ring(keeper, tile, request->name, request->size, &err);
	if (stream == NULL) {
		send_result(keeper, tile, request, errno, err.text);
		return;
	}
	send_stream(keeper, tile, request, stream);
}

/* A connection that is the asker's alone: who it is for, by name. */
static void give_audio_connection(struct keeper *keeper, struct keeper_child *child,
	const struct keeper_message *request, const char *name) {
	struct vat_error err;
	int fd = keeper_audio_connect(keeper, name, &err);
	if (fd < 0) {
		send_result(keeper, child, request, -fd, err.text);
		return;
	}
	struct keeper_message answer = {.type = KEEPER_STREAM, .request = request->request};
	keeper_send(keeper, child, &answer, &fd, 1);
	close(fd);
}

/* One that is kept takes the place of the connection that the tile had under that name. */
static void handle_tile_audio_open(
	struct keeper *keeper, struct keeper_child *tile, const struct keeper_message *request) {
	if (request->name[0] == '\0') {
		give_audio_connection(keeper, tile, request, tile->name);
		return;
	}
	struct keeper_stream *stream = keeper_stream_find(keeper, &tile->uuid, request->name);
	if (!vat_name_valid(request->name) || (stream != NULL && !stream->peer)) {
		send_result(keeper, tile, request, stream != NULL ? EEXIST : EINVAL,
			"a connection to the audio process needs a valid name that is not taken");
		return;
	}
	struct vat_error err;
	int fd = keeper_audio_connect(keeper, tile->name, &err);
	if (fd < 0) {
		send_result(keeper, tile, request, -fd, err.text);
		return;
	}
	if (stream != NULL) {
		keeper_stream_remove(keeper, stream);
	}
	stream = keeper_stream_add(keeper, &tile->uuid, request->name, fd, 0);
	if (stream == NULL) {
		send_result(keeper, tile, request, errno, strerror(errno));
		close(fd);
		return;
	}
	stream->peer = true;
	send_stream(keeper, tile, request, stream);
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
	/* A tile can say it as often as it likes. */
	if (keeper->compositor != NULL && keeper->compositor->waiting_count < TROUBLE_WAITING_MAX) {
		keeper_send(keeper, keeper->compositor, &event, NULL, 0);
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
	case KEEPER_STREAM_LIST:
		handle_stream_list(keeper, tile, request);
		return true;
	case KEEPER_STREAM_CLOSE:
		handle_stream_close(keeper, tile, request);
		return true;
	case KEEPER_PTY_OPEN:
		handle_pty_open(keeper, tile, request);
		return true;
	case KEEPER_RING_OPEN:
		handle_ring_open(keeper, tile, request);
		return true;
	case KEEPER_AUDIO_OPEN:
		handle_tile_audio_open(keeper, tile, request);
		return true;
	case KEEPER_CHANGED:
		keeper_checkpoint_changed(keeper, tile, request->status == 1);
		return true;
	case KEEPER_TRACKED:
		keeper_checkpoint_tracked(keeper, tile, request);
		return true;
	default:
		return false;
	}
}

/* --- from the compositor --- */

static void handle_region_open(struct keeper *keeper, struct keeper_child *compositor,
	const struct keeper_message *request) {
	struct keeper_region *region = keeper_region_find(keeper, &request->uuid);
	int status = 0;
	struct vat_error err = {0};
	if (region == NULL) {
		region = keeper_region_create(keeper, request, &status, &err);
	}
	if (region == NULL) {
		city_log(CITY_LOG_ERROR, request->name, "%s", err.text);
		send_result(keeper, compositor, request, ENOMEM, err.text);
		return;
	}
	struct keeper_message answer = {
		.type = KEEPER_REGION,
		.request = request->request,
		.uuid = region->uuid,
		.status = status,
	};
	keeper_wire_add(&answer, err.text);
	const struct keeper_stream *undo = keeper_stream_find(keeper, &request->uuid, KEEPER_UNDO);
	const int gifts[] = {region->fd, undo != NULL ? undo->fd : -1};
	keeper_send(keeper, compositor, &answer, gifts, undo != NULL ? 2 : 1);
	keeper_checkpoint_opened(keeper, region);
}

/* Tell the spare, or a new process, what to run. It may have died while it waited: then the next
 * one is told. NULL when none can be started. */
static struct keeper_child *assume(
	struct keeper *keeper, struct keeper_message *message, const int *fds, size_t fd_count) {
	for (int tries = 0; tries < SPAWN_TRIES; tries++) {
		struct keeper_child *tile = keeper->spare;
		if (tile == NULL) {
			tile = keeper_start_spare(keeper);
		}
		if (tile == NULL) {
			return NULL;
		}
		keeper->spare = NULL;
		message->instance = tile->instance;
		if (keeper_wire_send(tile->wire, message, fds, fd_count) == 0) {
			return tile;
		}
		kill(tile->pid, SIGKILL);
	}
	return NULL;
}

static void handle_spawn(struct keeper *keeper, struct keeper_child *compositor,
	struct keeper_message *request, int fds[KEEPER_FDS_MAX]) {
	struct keeper_region *region = keeper_region_find(keeper, &request->uuid);
	if (region == NULL || fds[0] < 0 || fds[1] < 0 || !vat_name_valid(request->name)) {
		send_result(keeper, compositor, request, EINVAL,
			"to start a tile takes a region, a connection, an artifact and a valid "
			"name");
		return;
	}
	const uint64_t number = request->request;
	const int gifts[] = {fds[0], fds[1], region->fd, keeper->transport_seen};
	request->type = KEEPER_ASSUME;
	request->request = 0;
	struct keeper_child *tile = assume(keeper, request, gifts, 4);
	request->request = number;
	if (tile == NULL) {
		send_result(keeper, compositor, request, EAGAIN,
			"no process can be started for the tile");
		return;
	}
	tile->kind = KEEPER_CHILD_TILE;
	tile->uuid = request->uuid;
	memcpy(tile->name, request->name, sizeof(tile->name));
	size_t offset = 0;
	const char *artifact = keeper_wire_next(request, &offset);
	snprintf(tile->artifact, sizeof(tile->artifact), "%s", artifact != NULL ? artifact : "");
	struct keeper_message answer = {
		.type = KEEPER_SPAWNED,
		.request = request->request,
		.instance = tile->instance,
		.uuid = request->uuid,
		.pid = tile->pid,
	};
	memcpy(answer.name, request->name, sizeof(answer.name));
	keeper_send(keeper, compositor, &answer, NULL, 0);
	keeper_want_spare(keeper);
}

static void handle_forge(struct keeper *keeper, struct keeper_child *compositor,
	const struct keeper_message *request, const int fds[KEEPER_FDS_MAX]) {
	struct keeper_child *forge = fds[0] >= 0 ? keeper_start_forge(keeper, fds[0]) : NULL;
	if (forge == NULL) {
		send_result(keeper, compositor, request, EAGAIN, "the forge cannot be started");
		return;
	}
	struct keeper_message answer = {
		.type = KEEPER_SPAWNED,
		.request = request->request,
		.instance = forge->instance,
		.pid = forge->pid,
	};
	keeper_send(keeper, compositor, &answer, NULL, 0);
}

static void handle_reconnect(struct keeper *keeper, struct keeper_child *compositor,
	const struct keeper_message *request, const int fds[KEEPER_FDS_MAX]) {
	struct keeper_child *tile = keeper_child_by_instance(keeper, request->instance);
	if (fds[0] < 0 || tile == NULL || tile->kind != KEEPER_CHILD_TILE || tile->wire < 0) {
		send_result(keeper, compositor, request, ESRCH,
			"no tile runs that a connection could be given to");
		return;
	}
	struct keeper_message event = {.type = KEEPER_RECONNECT, .instance = tile->instance};
	keeper_send(keeper, tile, &event, fds, 1);
	send_result(keeper, compositor, request, 0, NULL);
}

static void handle_keep(
	struct keeper *keeper, const struct keeper_message *request, int fds[KEEPER_FDS_MAX]) {
	if (!keeper_stream_is_internal(request->name) || !keeper_stream_name_valid(request->name)) {
		city_log(CITY_LOG_WARN, "compositor", "\"%s\" does not name an internal stream",
			request->name);
		return;
	}
	struct keeper_stream *stream = keeper_stream_find(keeper, &request->uuid, request->name);
	if (stream != NULL) {
		keeper_stream_remove(keeper, stream);
	}
	if (fds[0] < 0) {
		return;
	}
	if (keeper_stream_add(keeper, &request->uuid, request->name, fds[0], 0) == NULL) {
		city_log(CITY_LOG_WARN, "compositor", "cannot keep %s of a tile: %s", request->name,
			strerror(errno));
		return;
	}
	fds[0] = -1; /* the stream's now */
}

static void handle_replace(struct keeper *keeper, const struct keeper_child *compositor,
	const struct keeper_message *request) {
	size_t offset = 0;
	const char *path = keeper_wire_next(request, &offset);
	keeper_replace_begin(
		keeper, path != NULL ? path : "", compositor->instance, request->request);
}

static void handle_kill(struct keeper *keeper, const struct keeper_message *request) {
	struct keeper_child *child = keeper_child_by_instance(keeper, request->instance);
	if (child != NULL && child->kind != KEEPER_CHILD_COMPOSITOR && request->status > 0 &&
		request->status < NSIG) {
		child->ending |= request->status == SIGKILL;
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
		if (!keeper_stream_is_internal(stream->name) &&
			!keeper_stream_has_claim(stream, request->instance)) {
			city_log(CITY_LOG_INFO, request->name,
				"stream \"%s\" is closed: the new version does not claim it",
				stream->name);
			keeper_wire_add(&answer, stream->name);
			keeper_stream_remove(keeper, stream);
		}
	}
	keeper_send(keeper, compositor, &answer, NULL, 0);
}

static void handle_stream_look(struct keeper *keeper, struct keeper_child *compositor,
	const struct keeper_message *request) {
	struct keeper_stream *stream = keeper_stream_find(keeper, &request->uuid, request->name);
	if (stream == NULL) {
		send_result(keeper, compositor, request, ENOENT, "no stream of that name");
		return;
	}
	answer_stream(keeper, compositor, request, stream);
}

static bool dispatch_compositor(struct keeper *keeper, struct keeper_child *compositor,
	struct keeper_message *request, int fds[KEEPER_FDS_MAX]) {
	switch (request->type) {
	case KEEPER_READY:
		if (!keeper->ready) {
			city_log(CITY_LOG_INFO, "city", "up on %s", keeper->socket.name);
		}
		keeper->ready = true;
		if (keeper->spare == NULL) {
			keeper_want_spare(keeper);
		}
		keeper_audio_start(keeper, false);
		return true;
	case KEEPER_AUDIO_OPEN:
		give_audio_connection(keeper, compositor, request, "");
		return true;
	case KEEPER_QUIT:
		keeper->quitting = true;
		return true;
	case KEEPER_REPLACE:
		handle_replace(keeper, compositor, request);
		return true;
	case KEEPER_RESTART:
		keeper->asked = true;
		return true;
	case KEEPER_REGION_OPEN:
		handle_region_open(keeper, compositor, request);
		return true;
	case KEEPER_CHECKPOINT:
		keeper_checkpoint_ask(keeper, request);
		return true;
	case KEEPER_CHECKPOINT_EVERY:
		keeper_checkpoint_every(keeper, request->status);
		return true;
	case KEEPER_REGION_DROP:
		keeper_region_drop(keeper, &request->uuid, true);
		send_result(keeper, compositor, request, 0, NULL);
		return true;
	case KEEPER_SPAWN:
		handle_spawn(keeper, compositor, request, fds);
		return true;
	case KEEPER_FORGE:
		handle_forge(keeper, compositor, request, fds);
		return true;
	case KEEPER_RECONNECT:
		handle_reconnect(keeper, compositor, request, fds);
		return true;
	case KEEPER_KEEP:
		handle_keep(keeper, request, fds);
		return true;
	case KEEPER_KILL:
		handle_kill(keeper, request);
		return true;
	case KEEPER_STREAM_LOOK:
		handle_stream_look(keeper, compositor, request);
		return true;
	case KEEPER_STREAM_SWEEP:
		handle_sweep(keeper, compositor, request);
		return true;
	default:
		return false;
	}
}

/* What starts something: refused when the city ends, for it could be left behind. */
static bool starts_something(uint32_t type) {
	return type == KEEPER_SPAWN || type == KEEPER_FORGE || type == KEEPER_PTY_OPEN ||
		type == KEEPER_REGION_OPEN || type == KEEPER_STREAM_PUT ||
		type == KEEPER_RING_OPEN || type == KEEPER_AUDIO_OPEN;
}

static void dispatch_message(struct keeper *keeper, struct keeper_child *child,
	struct keeper_message *message, int fds[KEEPER_FDS_MAX]) {
	if (keeper->quitting && starts_something(message->type)) {
		send_result(keeper, child, message, ECANCELED, "the city ends");
		return;
	}
	bool known = false;
	if (child->kind == KEEPER_CHILD_TILE) {
		known = dispatch_tile(keeper, child, message, fds);
	} else if (child->kind == KEEPER_CHILD_COMPOSITOR) {
		known = dispatch_compositor(keeper, child, message, fds);
	} else if (child->kind == KEEPER_CHILD_AUDIO && message->type == KEEPER_AUDIO_HERE) {
		keeper_audio_here(keeper, child);
		known = true;
	}
	if (!known) {
		city_log(CITY_LOG_WARN, child->name,
			"sent the keeper message %u, which it may not send", message->type);
		child->broken++;
		send_result(keeper, child, message, EPERM, "not allowed");
	}
}

bool keeper_dispatch(struct keeper *keeper, struct keeper_child *child) {
	/* Large, and used by one call at a time: dispatch is never re-entered. */
	static struct keeper_message message;
	for (int i = 0; i < DISPATCH_BATCH && child->wire >= 0; i++) {
		int fds[KEEPER_FDS_MAX];
		int got = keeper_wire_receive(child->wire, &message, fds);
		if (got == 0) {
			keeper_child_hang_up(keeper, child);
		} else if (got > 0) {
			dispatch_message(keeper, child, &message, fds);
			keeper_wire_close(fds);
		} else if (errno == EAGAIN) {
			return false;
		} else {
			city_log(CITY_LOG_WARN, child->name, "sent the keeper a broken message: %s",
				strerror(errno));
			child->broken += errno == EPROTO ? 1 : BROKEN_MAX;
		}
		if (child->broken >= BROKEN_MAX) {
			city_log(CITY_LOG_WARN, child->name, "is not listened to any more");
			keeper_child_hang_up(keeper, child);
		}
	}
	if (child->wire < 0) {
		keeper_audio_hung_up(child);
	}
	return child->wire >= 0;
}

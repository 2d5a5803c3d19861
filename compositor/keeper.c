/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compositor/keeper.h"
#include "compositor/options.h"
#include "compositor/server.h"
#include "keeper/wire.h"
#include "log.h"
#include "transport.h"

#define SUBJECT "keeper"
#define GREETING_MS 5000

/* A request that waits for its answer. */
struct request {
	struct wl_list link; /* city_keeper.requests */
	uint64_t number;
	uint32_t type;
	city_keeper_reply_func func;
	void *data;
	bool forgotten;
};

/* A message that the socket did not take yet. */
struct outgoing {
	struct wl_list link; /* city_keeper.outgoing */
	int fds[KEEPER_FDS_MAX];
	size_t fd_count;
	struct keeper_message message;
};

struct city_keeper {
	struct city_server *server;
	int fd;
	struct wl_event_source *source;
	struct wl_list requests; /* request.link, oldest first */
	struct wl_list outgoing; /* outgoing.link, oldest first */
	uint64_t last_request;
	bool gone;
	bool keeps_nothing;
	int desk_fd;
	struct vat_transport_page *transport; /* NULL: there is none */
	enum keeper_start start;
	int64_t ended_ns; /* of the compositor before this one */
	struct city_keeper_instance *instances;
	size_t instance_count, instances_told;
	struct city_keeper_events events;
	struct keeper_message in, out; /* too large for the stack of a handler */
};

void city_keeper_describe_status(int status, char *text, size_t size) {
	if (WIFSIGNALED(status)) {
		const char *name = sigabbrev_np(WTERMSIG(status));
		if (name) {
			snprintf(text, size, "SIG%s", name);
		} else {
			snprintf(text, size, "signal %d", WTERMSIG(status));
		}
	} else if (WIFEXITED(status)) {
		snprintf(text, size, "exit %d", WEXITSTATUS(status));
	} else {
		snprintf(text, size, "status %d", status);
	}
}

struct city_keeper_events *city_keeper_events(struct city_keeper *keeper) {
	return &keeper->events;
}

static void outgoing_destroy(struct outgoing *item) {
	keeper_wire_close(item->fds);
	wl_list_remove(&item->link);
	free(item);
}

static void answer(
	struct city_keeper *keeper, struct request *request, struct city_keeper_reply *reply) {
	wl_list_remove(&request->link);
	if (request->forgotten) {
		if (request->type == KEEPER_SPAWN && reply->status == 0) {
			city_keeper_kill(keeper, reply->instance, SIGKILL);
		}
	} else {
		request->func(request->data, reply);
	}
	free(request);
}

/* The keeper ended: nothing can be started any more, and nobody keeps the state. */
static void lost(struct city_keeper *keeper, const char *why) {
	if (keeper->gone) {
		return;
	}
	keeper->gone = true;
	city_log(CITY_LOG_ERROR, SUBJECT, "the keeper is gone (%s): the city ends", why);
	if (keeper->source) {
		wl_event_source_remove(keeper->source);
		keeper->source = NULL;
	}
	while (!wl_list_empty(&keeper->requests)) {
		struct request *request = wl_container_of(keeper->requests.next, request, link);
		struct city_keeper_reply reply = {
			.status = ECONNRESET,
			.reason = "the keeper is gone",
			.fd = -1,
			.undo_fd = -1,
		};
		/* The analyser does not see that it leaves the list before it is freed. */
		answer(keeper, request, &reply); // NOLINT(clang-analyzer-unix.Malloc)
	}
	city_server_quit(keeper->server, 1);
}

static void flush(struct city_keeper *keeper) {
	struct outgoing *item, *next;
	wl_list_for_each_safe(item, next, &keeper->outgoing, link) {
		if (keeper_wire_send(keeper->fd, &item->message, item->fds, item->fd_count) < 0) {
			if (errno == EAGAIN) {
				return;
			}
			city_log(CITY_LOG_ERROR, SUBJECT, "cannot send: %s", strerror(errno));
		}
		outgoing_destroy(item);
	}
	wl_event_source_fd_update(keeper->source, WL_EVENT_READABLE);
}

/* Sends keeper->out, or queues it. False when it can never be sent; errno says why. */
static bool post(struct city_keeper *keeper, const int *fds, size_t fd_count) {
	if (keeper->gone) {
		errno = ECONNRESET;
		return false;
	}
	if (wl_list_empty(&keeper->outgoing)) {
		if (keeper_wire_send(keeper->fd, &keeper->out, fds, fd_count) == 0) {
			return true;
		}
		if (errno != EAGAIN) {
			return false;
		}
	}
	struct outgoing *item = calloc(1, sizeof(*item));
	if (!item) {
		return false;
	}
	item->message = keeper->out;
	item->fd_count = fd_count;
	wl_list_init(&item->link);
	for (size_t i = 0; i < KEEPER_FDS_MAX; i++) {
		item->fds[i] = i < fd_count ? fcntl(fds[i], F_DUPFD_CLOEXEC, 0) : -1;
		if (i < fd_count && item->fds[i] < 0) {
			outgoing_destroy(item);
			return false;
		}
	}
	wl_list_insert(keeper->outgoing.prev, &item->link);
	wl_event_source_fd_update(keeper->source, WL_EVENT_READABLE | WL_EVENT_WRITABLE);
	return true;
}

static struct keeper_message *message_new(struct city_keeper *keeper, uint32_t type) {
	memset(&keeper->out, 0, KEEPER_MESSAGE_HEAD);
	keeper->out.type = type;
	return &keeper->out;
}

static uint64_t ask(struct city_keeper *keeper, const int *fds, size_t fd_count,
	city_keeper_reply_func func, void *data) {
	struct request *request = calloc(1, sizeof(*request));
	if (request) {
		request->number = ++keeper->last_request;
		request->type = keeper->out.type;
		request->func = func;
		request->data = data;
		wl_list_insert(keeper->requests.prev, &request->link);
		keeper->out.request = request->number;
		if (post(keeper, fds, fd_count)) {
			return request->number;
		}
		wl_list_remove(&request->link);
		free(request);
	}
	struct city_keeper_reply reply = {
		.status = errno,
		.reason = strerror(errno),
		.fd = -1,
		.undo_fd = -1,
	};
	func(data, &reply);
	return 0;
}

/* Request 0: whatever comes back is dropped. */
static void tell(struct city_keeper *keeper) {
	if (!post(keeper, NULL, 0) && !keeper->gone) {
		city_log(CITY_LOG_WARN, SUBJECT, "cannot tell the keeper: %s", strerror(errno));
	}
}

void city_keeper_keep(
	struct city_keeper *keeper, const struct vat_uuid *uuid, const char *name, int fd) {
	struct keeper_message *message = message_new(keeper, KEEPER_KEEP);
	message->uuid = *uuid;
	snprintf(message->name, sizeof(message->name), "%s", name);
	if (!post(keeper, &fd, fd >= 0) && !keeper->gone) {
		city_log(CITY_LOG_WARN, SUBJECT, "cannot tell the keeper: %s", strerror(errno));
	}
}

const struct city_keeper_instance *city_keeper_instances(
	const struct city_keeper *keeper, size_t *count) {
	*count = keeper->instance_count;
	return keeper->instances;
}

bool city_keeper_is_successor(const struct city_keeper *keeper, int64_t *ended_ns) {
	*ended_ns = keeper->ended_ns;
	return keeper->start != KEEPER_START_FIRST;
}

bool city_keeper_keeps_nothing(const struct city_keeper *keeper) {
	return keeper->keeps_nothing;
}

int city_keeper_desk(const struct city_keeper *keeper) {
	return keeper->desk_fd;
}

const struct vat_transport_page *city_keeper_transport(const struct city_keeper *keeper) {
	return keeper->transport;
}

static struct request *request_find(struct city_keeper *keeper, uint64_t number) {
	struct request *request;
	wl_list_for_each(request, &keeper->requests, link) {
		if (request->number == number) {
			return request;
		}
	}
	return NULL;
}

uint64_t city_keeper_open_region(struct city_keeper *keeper, const struct vat_uuid *uuid,
	const char *name, uint64_t size, const struct vat_uuid *copy_of,
	city_keeper_reply_func func, void *data) {
	struct keeper_message *message = message_new(keeper, KEEPER_REGION_OPEN);
	if (copy_of && !vat_uuid_is_nil(copy_of)) {
		char text[VAT_UUID_TEXT];
		vat_uuid_format(copy_of, text);
		keeper_wire_add(message, text);
	}
	message->uuid = *uuid;
	message->size = size;
	snprintf(message->name, sizeof(message->name), "%s", name);
	return ask(keeper, NULL, 0, func, data);
}

uint64_t city_keeper_spawn(struct city_keeper *keeper, const struct vat_uuid *uuid,
	const char *name, const char *hash, const struct city_options *options, int wayland_fd,
	int artifact_fd, city_keeper_reply_func func, void *data) {
	struct keeper_message *message = message_new(keeper, KEEPER_SPAWN);
	message->uuid = *uuid;
	snprintf(message->name, sizeof(message->name), "%s", name);
	bool fits = keeper_wire_add(message, hash) == 0;
	for (size_t i = 0; fits && i < options->count; i++) {
		fits = keeper_wire_add(message, options->list[i]) == 0;
	}
	if (!fits) {
		struct city_keeper_reply reply = {
			.status = E2BIG,
			.reason = "the tile's options are too long",
			.fd = -1,
			.undo_fd = -1,
		};
		func(data, &reply);
		return 0;
	}
	int fds[] = {wayland_fd, artifact_fd};
	return ask(keeper, fds, 2, func, data);
}

uint64_t city_keeper_reconnect(struct city_keeper *keeper, uint64_t instance, int wayland_fd,
	city_keeper_reply_func func, void *data) {
	message_new(keeper, KEEPER_RECONNECT)->instance = instance;
	return ask(keeper, &wayland_fd, 1, func, data);
}

uint64_t city_keeper_start_forge(
	struct city_keeper *keeper, int wayland_fd, city_keeper_reply_func func, void *data) {
	message_new(keeper, KEEPER_FORGE);
	return ask(keeper, &wayland_fd, 1, func, data);
}

uint64_t city_keeper_sweep(struct city_keeper *keeper, const struct vat_uuid *uuid,
	uint64_t instance, city_keeper_reply_func func, void *data) {
	struct keeper_message *message = message_new(keeper, KEEPER_STREAM_SWEEP);
	message->uuid = *uuid;
	message->instance = instance;
	return ask(keeper, NULL, 0, func, data);
}

uint64_t city_keeper_checkpoint(struct city_keeper *keeper, const struct vat_uuid *uuid,
	city_keeper_reply_func func, void *data) {
	message_new(keeper, KEEPER_CHECKPOINT)->uuid = *uuid;
	return ask(keeper, NULL, 0, func, data);
}

void city_keeper_checkpoint_every(struct city_keeper *keeper, int seconds) {
	message_new(keeper, KEEPER_CHECKPOINT_EVERY)->status = seconds;
	tell(keeper);
}

uint64_t city_keeper_look(struct city_keeper *keeper, const struct vat_uuid *uuid, const char *name,
	city_keeper_reply_func func, void *data) {
	struct keeper_message *message = message_new(keeper, KEEPER_STREAM_LOOK);
	message->uuid = *uuid;
	snprintf(message->name, sizeof(message->name), "%s", name);
	return ask(keeper, NULL, 0, func, data);
}

uint64_t city_keeper_open_audio(
	struct city_keeper *keeper, city_keeper_reply_func func, void *data) {
	message_new(keeper, KEEPER_AUDIO_OPEN);
	return ask(keeper, NULL, 0, func, data);
}

void city_keeper_forget(struct city_keeper *keeper, uint64_t number) {
	struct request *request = number ? request_find(keeper, number) : NULL;
	if (request) {
		request->forgotten = true;
	}
}

void city_keeper_kill(struct city_keeper *keeper, uint64_t instance, int signal_number) {
	struct keeper_message *message = message_new(keeper, KEEPER_KILL);
	message->instance = instance;
	message->status = signal_number;
	tell(keeper);
}

void city_keeper_drop_region(struct city_keeper *keeper, const struct vat_uuid *uuid) {
	message_new(keeper, KEEPER_REGION_DROP)->uuid = *uuid;
	tell(keeper);
}

void city_keeper_ready(struct city_keeper *keeper) {
	message_new(keeper, KEEPER_READY);
	tell(keeper);
}

uint64_t city_keeper_replace(
	struct city_keeper *keeper, const char *path, city_keeper_reply_func func, void *data) {
	struct keeper_message *message = message_new(keeper, KEEPER_REPLACE);
	if (keeper_wire_add(message, path) < 0) {
		struct city_keeper_reply reply = {
			.status = E2BIG,
			.reason = "the path is too long",
			.fd = -1,
			.undo_fd = -1,
		};
		func(data, &reply);
		return 0;
	}
	return ask(keeper, NULL, 0, func, data);
}

void city_keeper_restart(struct city_keeper *keeper) {
	message_new(keeper, KEEPER_RESTART);
	tell(keeper);
}

void city_keeper_quit(struct city_keeper *keeper) {
	message_new(keeper, KEEPER_QUIT);
	tell(keeper);
}

/* Handles keeper->in. fds that somebody keeps are set to -1. */
static void dispatch(struct city_keeper *keeper, int fds[KEEPER_FDS_MAX]) {
	struct keeper_message *in = &keeper->in;
	switch (in->type) {
	case KEEPER_EXITED: {
		struct city_keeper_exited event = {
			.instance = in->instance,
			.pid = in->pid,
			.status = in->status,
		};
		wl_signal_emit_mutable(&keeper->events.exited, &event);
		return;
	}
	case KEEPER_TROUBLE: {
		struct city_keeper_trouble event = {
			.instance = in->instance,
			.status = in->status,
			.operation = in->name,
		};
		wl_signal_emit_mutable(&keeper->events.trouble, &event);
		return;
	}
	case KEEPER_UNSAVED: {
		size_t at = 0;
		const char *why = keeper_wire_next(in, &at);
		struct city_keeper_unsaved event = {
			.uuid = in->uuid,
			.status = in->status,
			.reason = why ? why : "",
		};
		wl_signal_emit_mutable(&keeper->events.unsaved, &event);
		return;
	}
	case KEEPER_AUDIO_STATE: {
		bool runs = in->status == 1;
		wl_signal_emit_mutable(&keeper->events.audio, &runs);
		return;
	}
	case KEEPER_RESULT:
	case KEEPER_REGION:
	case KEEPER_SPAWNED:
	case KEEPER_STREAM:
		break;
	default:
		city_log(CITY_LOG_WARN, SUBJECT, "message of type %u is not understood", in->type);
		return;
	}
	if (in->request == 0) {
		return;
	}
	struct request *request = request_find(keeper, in->request);
	if (!request) {
		city_log(CITY_LOG_WARN, SUBJECT, "answer to a request that was never made");
		return;
	}
	struct city_keeper_reply reply = {
		.instance = in->instance,
		.pid = in->pid,
		.fd = in->type == KEEPER_REGION || in->type == KEEPER_STREAM ? fds[0] : -1,
		.undo_fd = in->type == KEEPER_REGION ? fds[1] : -1,
		.fresh = in->type == KEEPER_REGION && in->status == 1,
		.reason = "",
		.message = in,
	};
	size_t offset = 0;
	const char *text = keeper_wire_next(in, &offset);
	if (in->type == KEEPER_REGION && text) {
		reply.reason = text;
	}
	if (in->type == KEEPER_RESULT && in->status != 0) {
		reply.status = in->status > 0 ? in->status : EIO;
		reply.reason = text && *text ? text : strerror(reply.status);
	}
	bool region = in->type == KEEPER_REGION;
	answer(keeper, request, &reply);
	if (region || in->type == KEEPER_STREAM) {
		fds[0] = reply.fd;
	}
	if (region) {
		fds[1] = reply.undo_fd;
	}
}

static int handle_readable(int fd, uint32_t mask, void *data) {
	struct city_keeper *keeper = data;
	if (mask & WL_EVENT_WRITABLE) {
		flush(keeper);
	}
	while (!keeper->gone) {
		int fds[KEEPER_FDS_MAX];
		int got = keeper_wire_receive(keeper->fd, &keeper->in, fds);
		if (got == 0) {
			lost(keeper, "it closed its socket");
			return 0;
		}
		if (got < 0) {
			if (errno == EAGAIN) {
				return 0;
			}
			if (errno == EPROTO || errno == EINTR) {
				continue;
			}
			lost(keeper, strerror(errno));
			return 0;
		}
		dispatch(keeper, fds);
		keeper_wire_close(fds);
	}
	return 0;
}

static int64_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool take_hello(struct city_keeper *keeper, int fds[KEEPER_FDS_MAX]) {
	const struct keeper_message *in = &keeper->in;
	struct city_server *server = keeper->server;
	server->listen_fd = fds[0];
	keeper->desk_fd = fds[1];
	fds[0] = fds[1] = -1;
	struct vat_error error;
	if (fds[2] >= 0 && !(keeper->transport = vat_transport_map(fds[2], false, &error))) {
		city_log(CITY_LOG_ERROR, SUBJECT, "the city has no transport: %s", error.text);
	}
	free(server->socket_name);
	server->socket_name = strdup(in->name);
	keeper->start = (enum keeper_start)in->status;
	keeper->ended_ns = (int64_t)in->instance;
	keeper->keeps_nothing = in->text_size > 0;
	keeper->instances = calloc(in->size + 1, sizeof(*keeper->instances));
	keeper->instance_count = in->size;
	return server->socket_name && keeper->instances;
}

static void take_instance(struct city_keeper *keeper) {
	const struct keeper_message *in = &keeper->in;
	struct city_keeper_instance *instance = &keeper->instances[keeper->instances_told++];
	size_t offset = 0;
	const char *hash = keeper_wire_next(in, &offset);
	instance->instance = in->instance;
	instance->pid = in->pid;
	instance->uuid = in->uuid;
	memcpy(instance->name, in->name, sizeof(instance->name));
	snprintf(instance->hash, sizeof(instance->hash), "%s", hash ? hash : "");
}

/* HELLO with the socket, then what runs already. */
static bool greet(struct city_keeper *keeper) {
	int64_t end = now_ms() + GREETING_MS;
	for (;;) {
		int64_t left = end - now_ms();
		struct pollfd poll_fd = {.fd = keeper->fd, .events = POLLIN};
		int ready = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;
		if (ready < 0 && errno == EINTR) {
			continue;
		}
		if (ready <= 0) {
			city_log(CITY_LOG_ERROR, SUBJECT, "the keeper said nothing for %d ms",
				GREETING_MS);
			return false;
		}
		int fds[KEEPER_FDS_MAX];
		int got = keeper_wire_receive(keeper->fd, &keeper->in, fds);
		if (got < 0 && (errno == EAGAIN || errno == EPROTO || errno == EINTR)) {
			continue;
		}
		if (got <= 0) {
			city_log(CITY_LOG_ERROR, SUBJECT, "the keeper hung up at the start");
			return false;
		}
		bool ok = true;
		if (keeper->in.type == KEEPER_HELLO && fds[0] >= 0 && !keeper->instances) {
			ok = take_hello(keeper, fds);
		} else if (keeper->in.type == KEEPER_INSTANCE &&
			keeper->instances_told < keeper->instance_count) {
			take_instance(keeper);
		}
		keeper_wire_close(fds);
		if (!ok ||
			(keeper->instances && keeper->instances_told == keeper->instance_count)) {
			return ok;
		}
	}
}

struct city_keeper *city_keeper_create(struct city_server *server) {
	const char *text = getenv("SOURCE_CITY_KEEPER_FD");
	if (!text || !*text) {
		city_log(CITY_LOG_DEBUG, SUBJECT, "no keeper: a compositor without tiles");
		return NULL;
	}
	char *end;
	long fd = strtol(text, &end, 10);
	if (*end || fd < 0 || fd > INT32_MAX || fcntl((int)fd, F_GETFD) < 0) {
		city_log(CITY_LOG_ERROR, SUBJECT, "SOURCE_CITY_KEEPER_FD=%s is no open descriptor",
			text);
		return NULL;
	}
	struct city_keeper *keeper = calloc(1, sizeof(*keeper));
	if (!keeper) {
		return NULL;
	}
	keeper->server = server;
	keeper->fd = (int)fd;
	keeper->desk_fd = -1;
	wl_list_init(&keeper->requests);
	wl_list_init(&keeper->outgoing);
	wl_signal_init(&keeper->events.exited);
	wl_signal_init(&keeper->events.trouble);
	wl_signal_init(&keeper->events.unsaved);
	wl_signal_init(&keeper->events.audio);
	/* Programs started from here must neither hold the wire nor look for it. */
	unsetenv("SOURCE_CITY_KEEPER_FD");
	fcntl(keeper->fd, F_SETFD, FD_CLOEXEC);
	fcntl(keeper->fd, F_SETFL, fcntl(keeper->fd, F_GETFL) | O_NONBLOCK);
	if (!greet(keeper)) {
		goto error;
	}
	keeper->source = wl_event_loop_add_fd(
		server->loop, keeper->fd, WL_EVENT_READABLE, handle_readable, keeper);
	if (!keeper->source) {
		goto error;
	}
	return keeper;

error:
	close(keeper->fd);
	if (keeper->desk_fd >= 0) {
		close(keeper->desk_fd);
	}
	vat_transport_unmap(keeper->transport);
	free(keeper->instances);
	free(keeper);
	return NULL;
}

void city_keeper_destroy(struct city_keeper *keeper) {
	if (!keeper) {
		return;
	}
	struct request *request, *next_request;
	wl_list_for_each_safe(request, next_request, &keeper->requests, link) {
		wl_list_remove(&request->link);
		free(request);
	}
	struct outgoing *item, *next_item;
	wl_list_for_each_safe(item, next_item, &keeper->outgoing, link) {
		outgoing_destroy(item);
	}
	if (keeper->source) {
		wl_event_source_remove(keeper->source);
	}
	close(keeper->fd);
	if (keeper->desk_fd >= 0) {
		close(keeper->desk_fd);
	}
	vat_transport_unmap(keeper->transport);
	free(keeper->instances);
	free(keeper);
}

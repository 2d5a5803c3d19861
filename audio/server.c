/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "log.h"
#include "peers.h"
#include "port.h"
#include "view.h"

/* A server makes its socket a moment before it listens: so often, so long after each other. */
#define TRY_AGAIN_MS 100
#define TRIES 50

struct server {
	struct audio *audio;
	struct pw_core *core;
	struct spa_hook listener;
	struct spa_source *folder; /* watches where sockets appear */
	struct spa_source *again;  /* timer */
	struct spa_source *ended;  /* forget the connection, outside of its own callbacks */
	char base[64];		   /* the socket's name there */
	char reason[AUDIO_NAME_SIZE];
	char name[AUDIO_NAME_SIZE];
	uint32_t tries;
	bool said;
	uint32_t rate, quantum; /* as told last */
};

struct pw_core *server_core(const struct server *server) {
	return server ? server->core : NULL;
}

struct audio_message server_message(const struct server *server) {
	struct audio_message message = audio_message(AUDIO_SERVER);
	message.server.connected = server->core != NULL;
	message.server.rate = server->core ? server->rate : 0;
	message.server.quantum = server->core ? server->quantum : 0;
	audio_copy(message.server.name, sizeof(message.server.name), server->name);
	if (!server->core)
		audio_copy(message.server.reason, sizeof(message.server.reason), server->reason);
	return message;
}

static void tell(struct server *server) {
	struct audio_message message = server_message(server);
	peers_tell(server->audio->peers, &message);
}

void server_look(struct server *server) {
	const struct clock *clock = &server->audio->clock;
	uint32_t rate = atomic_load(&clock->rate), quantum = atomic_load(&clock->quantum);
	if (!server->core || rate == 0 || quantum == 0 ||
		(rate == server->rate && quantum == server->quantum))
		return;
	city_log(CITY_LOG_DEBUG, "sound", "%u frames a cycle at %u Hz", quantum, rate);
	server->rate = rate;
	server->quantum = quantum;
	tell(server);
}

static void try_again_in(struct server *server, uint32_t ms) {
	struct timespec when = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};
	pw_loop_update_timer(server->audio->loop, server->again, &when, NULL, false);
}

/* ---- the connection */

static void handle_info(void *data, const struct pw_core_info *info) {
	struct server *server = data;
	if (info->change_mask & PW_CORE_CHANGE_MASK_PROPS && info->props) {
		const char *rate = spa_dict_lookup(info->props, "default.clock.rate");
		const char *quantum = spa_dict_lookup(info->props, "default.clock.quantum");
		server->rate = rate ? (uint32_t)strtoul(rate, NULL, 10) : 0;
		server->quantum = quantum ? (uint32_t)strtoul(quantum, NULL, 10) : 0;
	}
	snprintf(server->name, sizeof(server->name), "%s %s", info->name ? info->name : "",
		info->version ? info->version : "");
	tell(server);
}

static void handle_error(void *data, uint32_t id, int seq, int res, const char *message) {
	struct server *server = data;
	if (id == PW_ID_CORE && res == -EPIPE) {
		pw_loop_signal_event(server->audio->loop, server->ended);
		return;
	}
	city_log(CITY_LOG_DEBUG, "sound", "the sound server says of %u: %s", id, message);
	view_error(server->audio->view, id, res, message);
}

static void handle_done(void *data, uint32_t id, int seq) {
	struct server *server = data;
	if (id == PW_ID_CORE)
		view_done(server->audio->view, seq);
}

static const struct pw_core_events core_events = {
	PW_VERSION_CORE_EVENTS,
	.info = handle_info,
	.done = handle_done,
	.error = handle_error,
};

static void connect(struct server *server) {
	if (server->core)
		return;
	server->core = pw_context_connect(server->audio->context, NULL, 0);
	if (!server->core) {
		int error = errno;
		snprintf(server->reason, sizeof(server->reason),
			"there is no sound server (PipeWire: %s)", strerror(error));
		if (!server->said) {
			city_log(CITY_LOG_INFO, "sound",
				"no PipeWire server at %s (%s): sound begins when one appears",
				server->base, strerror(error));
			server->said = true;
			tell(server);
		}
		if (server->tries > 0) {
			server->tries--;
			try_again_in(server, TRY_AGAIN_MS);
		}
		return;
	}
	server->said = false;
	server->tries = 0;
	pw_core_add_listener(server->core, &server->listener, &core_events, server);
	city_log(CITY_LOG_INFO, "sound", "connected to PipeWire");
	view_begin(server->audio->view, server->core);
	struct port *port;
	spa_list_for_each(port, &server->audio->ports, link) {
		port_connect(port, server->core);
	}
	tell(server);
	audio_schedule(server->audio);
}

static void disconnect(struct server *server) {
	if (!server->core)
		return;
	struct port *port;
	spa_list_for_each(port, &server->audio->ports, link) {
		port_disconnect(port);
	}
	view_end(server->audio->view);
	spa_hook_remove(&server->listener);
	pw_core_disconnect(server->core);
	server->core = NULL;
	audio_schedule(server->audio);
}

static void handle_ended(void *data, uint64_t count) {
	struct server *server = data;
	if (!server->core)
		return;
	disconnect(server);
	city_log(CITY_LOG_WARN, "sound",
		"the PipeWire server is gone: sound goes on when it is back");
	audio_copy(server->reason, sizeof(server->reason), "the sound server is gone");
	server->said = true;
	tell(server);
	server->tries = TRIES;
	connect(server);
}

/* ---- waiting for one */

static void handle_again(void *data, uint64_t expirations) {
	connect(data);
}

static void handle_folder(void *data, int fd, uint32_t mask) {
	struct server *server = data;
	_Alignas(struct inotify_event) char events[4096];
	bool ours = false;
	ssize_t size;
	while ((size = read(fd, events, sizeof(events))) > 0) {
		for (ssize_t at = 0; at < size;) {
			const struct inotify_event *event = (const void *)(events + at);
			ours |= event->len > 0 && strcmp(event->name, server->base) == 0;
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	if (ours && !server->core) {
		server->tries = TRIES;
		connect(server);
	}
}

/* As libpipewire looks for it. */
static void watch_folder(struct server *server) {
	const char *remote = getenv("PIPEWIRE_REMOTE");
	const char *folders[] = {
		getenv("PIPEWIRE_RUNTIME_DIR"), getenv("XDG_RUNTIME_DIR"), "/run/pipewire"};
	char own[4096] = "";
	if (remote && remote[0] == '/') {
		audio_copy(own, sizeof(own), remote);
		*strrchr(own, '/') = '\0';
		folders[0] = own[0] ? own : "/";
		folders[1] = folders[2] = NULL;
		remote = strrchr(remote, '/') + 1;
	}
	audio_copy(server->base, sizeof(server->base), remote ? remote : PW_DEFAULT_REMOTE);
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	for (int i = 0; fd >= 0 && i < 3; i++) {
		if (folders[i])
			inotify_add_watch(fd, folders[i], IN_CREATE | IN_MOVED_TO);
	}
	if (fd >= 0)
		server->folder = pw_loop_add_io(
			server->audio->loop, fd, SPA_IO_IN, true, handle_folder, server);
}

struct server *server_create(struct audio *audio) {
	struct server *server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	server->audio = audio;
	watch_folder(server);
	server->again = pw_loop_add_timer(audio->loop, handle_again, server);
	server->ended = pw_loop_add_event(audio->loop, handle_ended, server);
	return server;
}

void server_begin(struct server *server) {
	connect(server);
}

void server_destroy(struct server *server) {
	if (!server)
		return;
	disconnect(server);
	if (server->folder)
		pw_loop_destroy_source(server->audio->loop, server->folder);
	pw_loop_destroy_source(server->audio->loop, server->again);
	pw_loop_destroy_source(server->audio->loop, server->ended);
	free(server);
}

/* SPDX-License-Identifier: MIT */
/*
 * A city for cityctl: the server side of the control protocol, with three tiles and answers by
 * rote. run() starts cityctl and serves it until it ends.
 */
#ifndef TEST_CTL_SERVER_H
#define TEST_CTL_SERVER_H

#include <wayland-server-core.h>

#include "../forge/support.h"

/* What is asked of a request, written down as one line in server.log. */
struct server {
	struct wl_display *display;
	struct wl_event_loop *loop;
	struct wl_global *global;
	char *runtime;	    /* XDG_RUNTIME_DIR */
	const char *socket; /* name in it */
	char *log;	    /* requests, a line each */
	struct wl_resource *control;
	struct wl_list tiles; /* struct fake_tile.link */
	int kill_client;      /* stop serving at this request */
	/* How swaps go: steps separated by spaces; a last word "ok", "fail", "superseded" or
	 * "hang". */
	const char *script;
	bool without_tiles;
	bool mute; /* accepts connections and says nothing */
	/* Once, when a watch was asked for, or with the script "talk" the tiles. */
	void (*idle)(struct server *server);
	pid_t child;
};

struct result {
	int status; /* exit status, -signal */
	char *out, *err;
};

void server_start(struct server *server);
void server_stop(struct server *server);
/* Arguments are split at spaces; "%s" in them stands for nothing special. */
struct result run(struct server *server, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Sets an environment variable of later runs, NULL to unset. */
void run_environment(const char *name, const char *value);

/* Events that a test sends while cityctl listens. */
void server_message(
	struct server *server, uint32_t severity, const char *subject, const char *line);
void server_tile_state(struct server *server, const char *name, uint32_t state, const char *notice);
void server_record(struct server *server); /* of id 9 */
void server_transport(struct server *server);
void server_audio(struct server *server, const char *json);
void server_tile_close(struct server *server, const char *name);

extern const char record_live[], record_failed[], transport_json[], audio_json[];

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The compositor's side of the keeper's wire: asks for regions and processes, hears when processes
 * end. Nothing here waits: a request is queued and its answer comes from the event loop. The only
 * exception is city_keeper_create, which receives what the keeper says at the start.
 *
 * Descriptors given to a call are copied or sent at once; the caller keeps and closes its own.
 * When the keeper is gone the city ends: all requests fail first, then the server is told to quit.
 * Main thread only.
 */
#ifndef CITY_KEEPER_H
#define CITY_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <wayland-server-core.h>

#include "compositor/store.h"
#include "vat.h"

struct city_keeper;
struct city_options;
struct city_server;
struct keeper_message;

struct city_keeper_reply {
	int status; /* 0, or an errno */
	/* One line when status is not 0; never NULL. Of a region also what the user should know of
	 * it; "" for nothing. */
	const char *reason;
	uint64_t instance; /* spawn, forge */
	pid_t pid;
	int fd;	     /* region, stream; set it to -1 to keep it, otherwise it is closed */
	int undo_fd; /* region: the undo log of a handover that was under way when the compositor
		      * before this one ended, or -1; likewise */
	bool fresh;  /* region: it was made just now */
	const struct keeper_message *message; /* for what has no member here; NULL at the end */
};
typedef void (*city_keeper_reply_func)(void *data, struct city_keeper_reply *reply);

/* keeper->events.exited */
struct city_keeper_exited {
	uint64_t instance;
	pid_t pid;
	int status; /* as waitpid gives it */
};

/* keeper->events.trouble */
struct city_keeper_trouble {
	uint64_t instance;
	/* The signal that ends it, 0 when the operation does not return, -1 when it has after all.
	 */
	int status;
	const char *operation;
};

/* A process that ran before this compositor did. */
struct city_keeper_instance {
	uint64_t instance;
	pid_t pid;
	struct vat_uuid uuid; /* of its tile */
	char name[VAT_NAME_SIZE];
	char hash[CITY_HASH_SIZE];
};

/* keeper->events.unsaved */
struct city_keeper_unsaved {
	struct vat_uuid uuid; /* of the tile */
	int status;	      /* 0: its state gets to disk again; an errno: it does not */
	const char *reason;   /* never NULL */
};

struct city_keeper_events {
	struct wl_signal exited;  /* struct city_keeper_exited */
	struct wl_signal trouble; /* struct city_keeper_trouble: of a tile, before its end */
	struct wl_signal unsaved; /* struct city_keeper_unsaved: when that changes */
	struct wl_signal audio;	  /* bool: the audio process runs, or has ended */
};

/*
 * Connects to the keeper named by SOURCE_CITY_KEEPER_FD, waits for its greeting (5 s at most) and
 * puts the listening socket into server->listen_fd and ->socket_name. NULL when there is no keeper
 * (one line at debug) or it does not speak (one line at error).
 */
struct city_keeper *city_keeper_create(struct city_server *server);
void city_keeper_destroy(struct city_keeper *keeper); /* NULL-safe */
struct city_keeper_events *city_keeper_events(struct city_keeper *keeper);

/* The processes that the keeper told of at the start; `count` of them. */
const struct city_keeper_instance *city_keeper_instances(
	const struct city_keeper *keeper, size_t *count);
/* Whether there was a compositor before this one, and when it ended (CLOCK_MONOTONIC). */
bool city_keeper_is_successor(const struct city_keeper *keeper, int64_t *ended_ns);
/* What one compositor leaves to the next, see desk.h. The keeper's; not to be closed. */
int city_keeper_desk(const struct city_keeper *keeper);

/* The city's transport, for reading; NULL: there is none. The keeper's. */
struct vat_transport_page;
const struct vat_transport_page *city_keeper_transport(const struct city_keeper *keeper);

/* Each returns the number of the request, with which city_keeper_forget takes it back: its answer
 * is then dropped, and a process that it started is killed. 0: failed at once, func was called. */
/* copy_of: the tile whose saved state a new region begins with; nil or NULL: none. */
uint64_t city_keeper_open_region(struct city_keeper *keeper, const struct vat_uuid *uuid,
	const char *name, uint64_t size, const struct vat_uuid *copy_of,
	city_keeper_reply_func func, void *data);
uint64_t city_keeper_spawn(struct city_keeper *keeper, const struct vat_uuid *uuid,
	const char *name, const char *hash, const struct city_options *options, int wayland_fd,
	int artifact_fd, city_keeper_reply_func func, void *data);
/* The process gets a new connection. */
uint64_t city_keeper_reconnect(struct city_keeper *keeper, uint64_t instance, int wayland_fd,
	city_keeper_reply_func func, void *data);
uint64_t city_keeper_start_forge(
	struct city_keeper *keeper, int wayland_fd, city_keeper_reply_func func, void *data);
/* The names of the streams that were closed are the strings of reply->message. */
uint64_t city_keeper_sweep(struct city_keeper *keeper, const struct vat_uuid *uuid,
	uint64_t instance, city_keeper_reply_func func, void *data);
/* Save the region now. Of reply->message: the size is that of the file, the text its path, and the
 * instance the ns that the tile waited. */
uint64_t city_keeper_checkpoint(struct city_keeper *keeper, const struct vat_uuid *uuid,
	city_keeper_reply_func func, void *data);
/* A stream of the tile, to be looked at. */
uint64_t city_keeper_look(struct city_keeper *keeper, const struct vat_uuid *uuid, const char *name,
	city_keeper_reply_func func, void *data);
/* A connection to the audio process (audio_wire.h). EAGAIN: there is none now; events.audio tells
 * when there is. */
uint64_t city_keeper_open_audio(
	struct city_keeper *keeper, city_keeper_reply_func func, void *data);
void city_keeper_forget(struct city_keeper *keeper, uint64_t request);

/* Without an answer; a failure is logged. */
void city_keeper_kill(struct city_keeper *keeper, uint64_t instance, int signal);
void city_keeper_drop_region(struct city_keeper *keeper, const struct vat_uuid *uuid);
/* Keep `fd` for the tile under this name (KEEPER_UNDO), beyond the compositor's end; -1: no more.
 */
void city_keeper_keep(
	struct city_keeper *keeper, const struct vat_uuid *uuid, const char *name, int fd);
/* Another city saves its tiles where this one would: nothing of its tiles goes to disk. */
bool city_keeper_keeps_nothing(const struct city_keeper *keeper);
/* Save what has changed so many seconds later; 0: not by time. */
void city_keeper_checkpoint_every(struct city_keeper *keeper, int seconds);
void city_keeper_ready(struct city_keeper *keeper);
/* Another keeper takes over: the program at `path`, empty: the keeper's own. */
uint64_t city_keeper_replace(
	struct city_keeper *keeper, const char *path, city_keeper_reply_func func, void *data);
/* Another compositor is to be started once this one has ended. */
void city_keeper_restart(struct city_keeper *keeper);
void city_keeper_quit(struct city_keeper *keeper);

/* A one-line description of a wait status: "exit 3", "SIGSEGV". */
void city_keeper_describe_status(int status, char *text, size_t size);

#endif

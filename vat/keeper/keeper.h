/* SPDX-License-Identifier: MIT */
/*
 * The keeper: the small process that outlives everything else in the city.
 *
 * It owns the regions (memfds), the streams (PTYs and other descriptors), the desk (what one
 * compositor leaves to the next), the listening socket and all child processes. When the compositor
 * ends by accident it starts another; everything else runs on meanwhile. It is single-threaded,
 * runs one epoll loop, uses nothing but libc and libvat, and keeps no state that its children could
 * corrupt: what they send is checked in wire.c and dispatch.c. Only main.c ends the process.
 */
#ifndef SOURCE_CITY_KEEPER_H
#define SOURCE_CITY_KEEPER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "keeper/disk.h"
#include "keeper/wire.h"
#include "vat.h"

enum keeper_child_kind {
	KEEPER_CHILD_COMPOSITOR,
	KEEPER_CHILD_FORGE,
	KEEPER_CHILD_SPARE, /* a tile host that has not been told yet what to run */
	KEEPER_CHILD_TILE,
	KEEPER_CHILD_PTY,   /* a program behind a PTY stream; has no wire */
	KEEPER_CHILD_CHECK, /* another keeper that is asked whether it could take over; no wire */
	KEEPER_CHILD_SAVER, /* writes a checkpoint of tile `uuid`; has no wire */
	KEEPER_CHILD_AUDIO,
};

struct keeper_child {
	struct keeper_child *next;
	enum keeper_child_kind kind;
	pid_t pid;
	int wire;	   /* -1 for KEEPER_CHILD_PTY, and once the peer is gone */
	uint64_t instance; /* what the compositor calls it; 0 for none */
	struct vat_uuid uuid;
	char name[KEEPER_NAME_SIZE];
	char artifact[KEEPER_NAME_SIZE + 8]; /* hash of what a tile runs; empty: not a tile */
	uint64_t start_ns;
	bool ending;				       /* was sent SIGKILL */
	unsigned broken;			       /* messages of it that made no sense */
	struct keeper_waiting *waiting, *waiting_last; /* that the wire did not take yet; send.c */
	unsigned waiting_count;
	bool answers;	     /* the audio process: it does, when it is looked at */
	unsigned unanswered; /* how often it was looked at since it did last */
};

/* A message that a wire did not take yet. */
struct keeper_waiting {
	struct keeper_waiting *next;
	int fds[KEEPER_FDS_MAX]; /* owned */
	size_t fd_count;
	struct keeper_message message; /* cut after its text */
};

#define KEEPER_ASKERS_MAX 8

/* How a region gets to disk; checkpoint.c, saver.c. Another keeper that takes over needs changed,
 * kept_off, unseen, writer, bytes, error and why. */
struct keeper_checkpoint {
	bool changed;	     /* since the last one */
	bool kept_off;	     /* what is on disk must not be replaced */
	bool unseen;	     /* it is not known yet what is on disk */
	uint64_t writer;     /* the instance that said so last; 0: none */
	uint64_t due_ns;     /* when to begin; 0: not planned */
	uint64_t tracker;    /* the instance that was asked for its barrier; 0: none */
	bool tracked;	     /* it has answered that it is up */
	int undo;	     /* its log; -1: none */
	pid_t saver;	     /* 0: none */
	int result;	     /* what the saver says, -1: nothing */
	uint64_t arming_ns;  /* that the tile waited for the barrier */
	uint64_t bytes;	     /* of the file as it is */
	int error;	     /* it did not get to disk, and people were told; 0: it did */
	char why[200];	     /* not */
	unsigned last_tries; /* at the end of the city */
	uint64_t askers[KEEPER_ASKERS_MAX]; /* requests of the compositor that wait */
	size_t asker_count, served;	    /* as many of them are by what is under way */
	uint64_t asked_ns;		    /* the first of them */
};

struct keeper_region {
	struct keeper_region *next;
	struct vat_uuid uuid;
	char name[KEEPER_NAME_SIZE]; /* of the tile, for people */
	int fd;
	struct keeper_checkpoint checkpoint;
};

#define KEEPER_CLAIMS_MAX 8
#define KEEPER_STREAMS_MAX 64 /* of one tile */
#define KEEPER_RINGS_MAX 16   /* among them */

struct keeper_stream {
	struct keeper_stream *next;
	struct vat_uuid uuid; /* the tile */
	char name[KEEPER_NAME_SIZE];
	int fd;
	int wake;	   /* of a ring: the eventfd of whoever fills it; otherwise -1 */
	uint32_t channels; /* of a ring; otherwise 0 */
	bool peer;	   /* a connection to the audio process */
	pid_t pid;	   /* the child behind a PTY, or 0 */
	bool ended;	   /* that child was reaped; its status follows */
	int status;
	uint64_t claims[KEEPER_CLAIMS_MAX]; /* instances that have it; 0: unused */
};

struct keeper_socket {
	char name[KEEPER_NAME_SIZE];
	char path[108];
	char lock_path[108 + 8];
	int fd;
	int lock_fd;
};

/* Another keeper is to take over; replace.c. */
struct keeper_replacement {
	char *path;	  /* NULL: nothing of the kind. Owned */
	int answer;	  /* what its check says; -1: none runs */
	pid_t check;	  /* 0: none runs */
	uint64_t late_ns; /* when it is killed */
	uint64_t asker;	  /* instance that has asked for it, 0: none */
	uint64_t request;
};

struct keeper {
	int epoll;
	int signals;	      /* signalfd */
	int timer;	      /* timerfd: when to start the next spare */
	int desk;	      /* memfd; what it holds is the compositors' business */
	int checkpoint_timer; /* timerfd: when the next checkpoint is due; not set: none is */
	uint64_t checkpoint_every_ns; /* 0: not by time */
	struct keeper_disk disk;
	bool disk_missing; /* it cannot be used, and people were told */
	bool disk_taken;   /* by another city, for good */
	struct keeper_socket socket;
	char *program_dir;	/* where the other programs lie, owned */
	char **compositor_args; /* NULL-terminated, borrowed from main's argv */

	struct keeper_child *children;
	struct keeper_region *regions;
	struct keeper_stream *streams;

	struct keeper_child *compositor; /* may be NULL: between two of them */
	struct keeper_child *spare;	 /* may be NULL */
	struct keeper_child *audio;	 /* may be NULL */
	uint64_t next_instance;
	sigset_t original_mask; /* what children get back */
	struct rlimit original_files;

	bool ready; /* the compositor has said so at least once */
	bool quitting;
	int exit_status;
	unsigned restarts; /* of the compositor in a row */
	bool asked;	   /* the compositor ends to be started again */
	char *safe;	   /* the compositor runs in safe mode, and why; NULL: it does not. Owned */
	uint64_t last_start_ns;
	int transport;	    /* memfd, the transport's page */
	int transport_seen; /* the same, to be read only */
	int audio_timer;    /* timerfd: when to start the audio process again, or look at it */
	unsigned audio_planned_s; /* in how many seconds that was; 0: it is not set */
	bool audio_missing;	  /* it is not installed, and people were told */
	unsigned audio_failures;  /* in a row */
	struct keeper_replacement replacement;
	int witness; /* of tests, see witness_wire.h; -1: none */
};

/* --- socket.c: the listening Wayland socket --- */

/* Lock, bind and listen. `name` NULL: the first free wayland-N. 0, or -1 after logging why. */
int keeper_socket_open(struct keeper_socket *socket, const char *name);
/* Close and unlink. Harmless on a zeroed structure with fd -1. */
void keeper_socket_close(struct keeper_socket *socket);

/* --- child.c: processes --- */

/* Start the compositor, with HELLO and the running tiles waiting in its wire. `ended_ns`: when the
 * one before ended, 0: there was none. In safe mode it gets --safe instead of its options. 0, or -1
 * logged. */
int keeper_start_compositor(struct keeper *keeper, uint64_t ended_ns);
/* Start the forge; `wayland` is its connection. The child, or NULL logged. */
struct keeper_child *keeper_start_forge(struct keeper *keeper, int wayland);
/* Start a tile host that waits. The child, or NULL logged. */
struct keeper_child *keeper_start_spare(struct keeper *keeper);
/* Have the spare ready a little later, when the handover that took the last one is over. */
void keeper_want_spare(struct keeper *keeper);
/* Some seconds later: the last one ended as soon as it began. */
void keeper_want_spare_later(struct keeper *keeper);
/* Start any other program that has a wire and nothing else. The child, or NULL logged. */
struct keeper_child *keeper_child_start(
	struct keeper *keeper, enum keeper_child_kind kind, const char *name);
struct keeper_child *keeper_child_by_pid(struct keeper *keeper, pid_t pid);
struct keeper_child *keeper_child_by_instance(struct keeper *keeper, uint64_t instance);
/* Add a child that was forked elsewhere (PTYs). NULL when there is no memory. */
struct keeper_child *keeper_child_add(
	struct keeper *keeper, enum keeper_child_kind kind, pid_t pid, int wire);
/* Stop listening to a child that closed its wire. */
void keeper_child_hang_up(struct keeper *keeper, struct keeper_child *child);
/* Forget a child that was reaped. */
void keeper_child_remove(struct keeper *keeper, struct keeper_child *child);
/* Called in a forked child: default signals, original mask and limits, no descriptors from `first`
 * on. */
void keeper_child_prepare(const struct keeper *keeper, unsigned first);

/* --- send.c: what children are told --- */

/* Send now, or as soon as the child reads; descriptors are copied. A tile that lets too much wait
 * loses its wire. Failures are logged: there is nothing that a caller could do. */
void keeper_send(struct keeper *keeper, struct keeper_child *child, struct keeper_message *message,
	const int *fds, size_t fd_count);
/* The wire takes messages again. */
void keeper_send_waiting(struct keeper *keeper, struct keeper_child *child);
/* Drop what waits. */
void keeper_send_forget(struct keeper_child *child);

/* --- region.c --- */

struct keeper_region *keeper_region_find(struct keeper *keeper, const struct vat_uuid *uuid);
/* Make what KEEPER_REGION_OPEN asks for, or bring it back from disk: status becomes 1 or 2. NULL
 * with a reason in `err`, which may also hold something that people should know. */
struct keeper_region *keeper_region_create(struct keeper *keeper,
	const struct keeper_message *request, int *status, struct vat_error *err);
/* Takes fd. NULL when there is no memory. */
struct keeper_region *keeper_region_add(
	struct keeper *keeper, const struct vat_uuid *uuid, const char *name, int fd);
/* With its streams; `remove`: from disk as well. */
void keeper_region_drop(struct keeper *keeper, const struct vat_uuid *uuid, bool remove);

/* --- checkpoint.c: regions on disk --- */

void keeper_checkpoint_init(struct keeper_checkpoint *checkpoint);
/* The first look at the disk, and who has it. */
void keeper_checkpoint_open(struct keeper *keeper);
/* KEEPER_CHANGED */
void keeper_checkpoint_changed(
	struct keeper *keeper, const struct keeper_child *tile, bool settled);
/* KEEPER_TRACKED */
void keeper_checkpoint_tracked(struct keeper *keeper, const struct keeper_child *tile,
	const struct keeper_message *answer);
/* KEEPER_CHECKPOINT */
void keeper_checkpoint_ask(struct keeper *keeper, const struct keeper_message *request);
/* A compositor has the region: it hears if that does not get to disk. */
void keeper_checkpoint_opened(struct keeper *keeper, const struct keeper_region *region);
/* KEEPER_CHECKPOINT_EVERY */
void keeper_checkpoint_every(struct keeper *keeper, int32_t seconds);
void keeper_checkpoint_tile_ended(
	struct keeper *keeper, const struct keeper_child *tile, int status);
void keeper_checkpoint_saver_ended(struct keeper *keeper, const struct keeper_child *saver);
void keeper_checkpoint_handle_timer(struct keeper *keeper);
/* The saved region of a tile that has none in memory: its memfd. -ENOENT: it begins anew, and if
 * note has a text, people should know why. Otherwise it cannot begin now. */
int keeper_checkpoint_restore(
	struct keeper *keeper, struct keeper_region *region, struct vat_error *note);
/* Stop what is under way; with `remove` the tile is gone for good. */
void keeper_checkpoint_drop(struct keeper *keeper, struct keeper_region *region, bool remove);
/* Another keeper takes over: what is under way is dropped, to be begun again by it. */
void keeper_checkpoint_pause(struct keeper *keeper);
/* Take up what another keeper has left, or what was paused. */
void keeper_checkpoint_resume(struct keeper *keeper);
/* The city ends and no tile runs any more: save what is not saved. Once. */
void keeper_checkpoint_finish(struct keeper *keeper);

/* --- saver.c: the process that writes a checkpoint --- */

/* Start one for the region, of which none runs. 0 or an errno. */
int keeper_saver_start(struct keeper *keeper, struct keeper_region *region);
/* It was reaped: the size of the file, or an errno and why. */
int keeper_saver_end(struct keeper_checkpoint *checkpoint, uint64_t *bytes, struct vat_error *err);
/* Nothing changes on disk any more. Harmless where none runs. */
void keeper_saver_stop(struct keeper_checkpoint *checkpoint);

/* --- stream.c --- */

/* Whether it names a stream that tiles may have, or an internal one. */
bool keeper_stream_name_valid(const char *name);
bool keeper_stream_is_internal(const char *name);
struct keeper_stream *keeper_stream_find(
	struct keeper *keeper, const struct vat_uuid *uuid, const char *name);
/* Take over `fd`. NULL with errno (EEXIST when the name is taken, EMFILE when the tile has too
 * many); fd is then still the caller's. */
struct keeper_stream *keeper_stream_add(
	struct keeper *keeper, const struct vat_uuid *uuid, const char *name, int fd, pid_t pid);
/* Note that `instance` has it, so that a sweep leaves it. False when too many have. */
bool keeper_stream_claim(struct keeper_stream *stream, uint64_t instance);
bool keeper_stream_has_claim(const struct keeper_stream *stream, uint64_t instance);
void keeper_stream_release_claims(struct keeper *keeper, uint64_t instance);
/* Close it and forget it. */
void keeper_stream_remove(struct keeper *keeper, struct keeper_stream *stream);
/* The child behind a PTY was reaped: keep its status and tell those who have the stream. */
void keeper_stream_child_ended(struct keeper *keeper, pid_t pid, int status);
/* Tell one process that the child behind the stream has ended. */
void keeper_stream_tell_ended(
	struct keeper *keeper, struct keeper_stream *stream, struct keeper_child *child);

/* --- pty.c --- */

/* Run what KEEPER_PTY_OPEN asks for. The new stream, or NULL with a reason in `why`. */
struct keeper_stream *keeper_pty_open(struct keeper *keeper, struct keeper_child *tile,
	const struct keeper_message *request, char *why, size_t why_size);
/* Hang up what is left of the session that `leader` led, at the end of the city: the kernel tells
 * only the foreground, and a shell may end before it has told its other jobs. What ignores the
 * hangup, or has a session of its own, lives on. */
void keeper_pty_hang_up_session(pid_t leader);

/* --- audio.c: the audio process, rings and the transport's page --- */

/* Make the page. 0, or -1 logged. */
int keeper_transport_open(struct keeper *keeper);
/* Start the audio process if it is time for that and it does not run; `asked`: somebody wants to
 * hear something, so also if it has ended too often. */
void keeper_audio_start(struct keeper *keeper, bool asked);
void keeper_audio_handle_timer(struct keeper *keeper);
/* It was reaped; `end` says how it ended. */
void keeper_audio_ended(struct keeper *keeper, const struct keeper_child *audio, const char *end);
/* It says that it goes on. */
void keeper_audio_here(struct keeper *keeper, struct keeper_child *audio);
/* Look at it, from now on, while there are rings: where nothing answers for a while it is ended,
 * and another one started. Nothing else notices that it is stopped, or hangs. */
void keeper_audio_watch(struct keeper *keeper);
/* A child has lost its wire: if it is the audio process, that is its end. */
void keeper_audio_hung_up(const struct keeper_child *child);
/* A new compositor hears whether it runs. */
void keeper_audio_greet(struct keeper *keeper);
/* KEEPER_RING_OPEN: find or make a ring. NULL with errno and a reason. */
struct keeper_stream *keeper_audio_ring(struct keeper *keeper, const struct keeper_child *tile,
	const char *name, uint64_t channels, struct vat_error *err);
/* Of one tile, or of all. */
size_t keeper_audio_ring_count(const struct keeper *keeper, const struct vat_uuid *tile);
/* A stream is about to be removed. */
void keeper_audio_ring_removed(struct keeper *keeper, const struct keeper_stream *stream);
/* Before the claims of `instance` are released: rings that nobody else can fill rest. */
void keeper_audio_tile_ended(struct keeper *keeper, uint64_t instance);
/* A new connection to the audio process, for the tile of that name or "" for the compositor. A
 * descriptor, or -EAGAIN (none runs) or another errno with a reason. */
int keeper_audio_connect(struct keeper *keeper, const char *name, struct vat_error *err);

/* --- replace.c: another keeper takes over, with everything in its hands --- */

/* Have the program at `path` (empty: the keeper's own) try whether it could. The rest follows from
 * the end of that check. `asker` (an instance, or 0) gets the answer to its `request`. */
void keeper_replace_begin(
	struct keeper *keeper, const char *path, uint64_t asker, uint64_t request);
/* The check has ended: go on as the new program. Returns only when that is not possible. */
void keeper_replace_checked(struct keeper *keeper, bool good);
/* Until a check that does not answer is killed, which this does when it is time; -1: none runs. */
int keeper_replace_wait_ms(struct keeper *keeper);
/* For tests: tells the witness of the steps. */
void keeper_replace_watch(struct keeper *keeper);
/* In the new program, as the check: one line on stdout; the exit status. */
int keeper_replace_check(int state_fd, const char *program_dir);
/* In the new program: take over. 0, or -1 logged. */
int keeper_replace_load(struct keeper *keeper, int state_fd);
/* The loop is about to go on: say so. */
void keeper_replace_done(struct keeper *keeper);

/* --- state.c: what one keeper leaves to the next --- */

/* All of it in a new memfd; -1 with errno. */
int keeper_state_save(const struct keeper *keeper);
/* Closes the memfd, and has the keeper go on from it. 0, or -1 logged. */
int keeper_state_load(struct keeper *keeper, int state_fd);
/* NULL: all of it can be loaded; otherwise why not. */
const char *keeper_state_check(int state_fd);

/* --- dispatch.c --- */

/* Handle some of what waits in a child's wire; whether there may be more. */
bool keeper_dispatch(struct keeper *keeper, struct keeper_child *child);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t keeper_now(void);

#endif

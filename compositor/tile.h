/* SPDX-License-Identifier: MIT */
/*
 * Tiles and their versions.
 *
 * struct city_tile is one tile of the city: an identity that outlives all code, a region, a place
 * on the map, and at most one live version. struct city_tile_version is one process that runs one
 * artifact for it, and its connection. tile.c has tiles, tile_version.c the processes,
 * tile_protocol.c what they say over source-city-tile-v1, tile_rejoin.c those that ran before this
 * compositor did, handover.h what replaces one by another.
 *
 * Who owns what: city_tiles owns the tiles and everything that they share; a tile owns its
 * versions. A version is freed only when its process has ended (the keeper says so) and its
 * connection is gone; until then nothing is done to the region on the assumption that it ended.
 *
 * Main thread only. Times are nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef CITY_TILE_H
#define CITY_TILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <wayland-server-core.h>

#include "compositor/options.h"
#include "compositor/policy.h"
#include "compositor/store.h"
#include "compositor/versions.h"
#include "compositor/view.h"
#include "vat.h"

#define CITY_TILE_CRASHES 3 /* this many within CITY_TILE_CRASH_NS: the tile is dead */
#define CITY_TILE_CRASH_NS (10 * INT64_C(1000000000))

struct city_effects;
struct city_handover;
struct city_history;
struct city_input_log;
struct city_keeper;
struct city_keeper_instance;
struct city_places;
struct city_server;
struct city_tile;
struct wlr_buffer;
struct wlr_surface;

/* The values of source_city_tile_handle_v1.state. */
enum city_tile_state {
	CITY_TILE_STARTING = 0,
	CITY_TILE_LIVE = 1,
	CITY_TILE_HANDOVER = 2,
	CITY_TILE_PROBATION = 3,
	CITY_TILE_DEAD = 4,
};
const char *city_tile_state_name(enum city_tile_state state);

enum city_version_state {
	CITY_VERSION_SPAWNING,	/* asked of the keeper */
	CITY_VERSION_WARMING,	/* runs, has not said ready */
	CITY_VERSION_PREPARING, /* is ready, was sent prepare */
	CITY_VERSION_READY,	/* warm, waits for attach */
	CITY_VERSION_ATTACHING, /* has the epoch, has not said attached */
	CITY_VERSION_LIVE,	/* has the epoch */
	CITY_VERSION_YIELDING,	/* was sent migrate */
	CITY_VERSION_FROZEN,	/* yielded */
	CITY_VERSION_SHADOW,	/* yielded, and goes on with a private copy while it fades */
	CITY_VERSION_RETIRING,	/* was sent retire */
	CITY_VERSION_DYING,	/* was killed or has failed; what it still says is not heard */
};

struct city_configure {
	uint32_t serial;
	int width, height;
};

struct city_tile_version {
	struct wl_list link; /* city_tile.versions */
	struct city_tile *tile;
	enum city_version_state state;

	bool awaited;	/* ran before this compositor did, and has not said yet what it is */
	bool probation; /* it rejoined with what it writes in the undo log */

	char hash[CITY_HASH_SIZE];
	char *source;	     /* folder that it was built from; NULL: not known */
	int artifact_fd;     /* -1: it was not started from here */
	uint32_t state_mode; /* source_city_tile_v1.state_mode: how it takes the state over */
	bool lossy;
	int lineage_fd;	 /* artifact of the version that ran last, until it is sent; -1: none */
	char lost[1024]; /* what the state lost by that; empty: nothing */

	uint64_t spawn_request; /* 0 when answered */
	uint64_t instance;	/* the keeper's name for the process, 0 before it is spawned */
	pid_t pid;
	bool ended;	    /* the process has ended, or never began */
	int exit_status;    /* as waitpid gives it */
	char *failure;	    /* what it said itself about its end; NULL: nothing */
	char operation[32]; /* that crashed or got stuck; empty: none known */
	bool stuck;	    /* that operation does not return */
	int64_t late_ns;    /* busy for longer than a frame of its screen, in all */
	int64_t late_count; /* so often */
	int64_t missed_ns;  /* the whole frames of it */

	struct wl_client *client; /* NULL when disconnected */
	struct wl_listener client_destroy;
	struct wl_resource *resource; /* source_city_tile_v1, NULL before get_tile */
	struct wlr_surface *surface;  /* NULL before get_tile and after its end */
	struct wl_listener surface_destroy;
	struct wl_array configures;    /* struct city_configure, sent and not acknowledged */
	int acked_width, acked_height; /* of the last acknowledged configure, 0: none yet */
	bool described;
	bool prebuilds;		   /* has asked to build cells ahead */
	bool snapshot_due;	   /* and has no answer yet */
	char role[VAT_NAME_SIZE];  /* as it described itself */
	struct city_traits traits; /* the rest of that */

	uint32_t serial;	 /* last used in migrate, attach and check */
	uint32_t migrate_serial; /* of the one not yet answered, 0: none */
	uint32_t attach_serial;
	uint32_t stand_by_serial; /* of the attach that is to follow, 0: it does not stand by */
	uint32_t check_serial;
	int64_t asked_ns; /* when it was sent the last migrate, attach or stand_by */
	uint64_t epoch;	  /* that it was given last */
	char *title;	  /* NULL: none set */

	uint32_t sound_serial; /* of the sound_end that holds, 0: none */
	uint64_t sound_frame;  /* where it is to end; 0: wherever it is */
	int64_t sound_ns;      /* when it was asked to */
	bool sound_ended;
	uint64_t sound_at; /* where it ended */

	struct wl_event_source *timer;		     /* of retire and of a late answer to migrate */
	const struct city_tile_version *tracked_for; /* its successor builds cells; NULL: none */
};

struct city_tile {
	struct wl_list link; /* city_tiles.list */
	struct city_tiles *tiles;
	struct vat_uuid uuid;
	char name[VAT_NAME_SIZE]; /* unique in the city */
	char kind[VAT_NAME_SIZE]; /* name in the descriptor */
	char role[VAT_NAME_SIZE]; /* of what was shown last; empty before that */
	char *source;		  /* source folder; NULL: that of the installed kind */
	char *artifact; /* file of the first version, from the config; NULL: the installed one */
	struct city_options options; /* for the tile itself */

	struct city_view view;
	bool placed; /* cx, cy are wanted; otherwise a place is found */
	double cx, cy;
	bool focus_once;   /* gets the focus when it appears */
	int width, height; /* wanted content size; 0 until known */
	enum city_tile_state state;
	char *notice;	/* text of the badge; NULL: none */
	char *happened; /* the part of it that is about the tile's code; NULL: none */
	char *unsaved;	/* the part that says why its state does not get to disk; NULL: it does */
	enum city_badge_kind notice_kind;
	bool notice_build; /* the notice is about a build: the next good build takes it away */
	bool notice_stuck; /* it is about a live version that does not return from an operation */

	struct vat_uuid copy_of; /* whose saved state it begins with; nil: none */
	uint64_t region_request;
	int region_fd;		   /* -1 until the keeper gave it */
	struct vat_region *region; /* for reading; NULL until then */
	uint64_t epoch;		   /* the newest that was given to a version */
	bool ruined;		   /* cannot be read: an undo is needed first */
	bool waits_to_start;	   /* until fewer others do */
	bool rejoins;		   /* what ran before this compositor did is still to be found */
	unsigned awaited;	   /* versions that have not said yet what they are */
	struct wl_event_source *rejoin_timer;
	int undo_fd;  /* of the last compositor's handover, until that is decided; -1: none */
	bool damaged; /* an undo failed: the region is in no known state */

	struct wl_list versions;	      /* city_tile_version.link */
	struct city_tile_version *live;	      /* what is shown and holds the epoch; may be NULL */
	struct city_handover *handover;	      /* under way, from its splice point on; may be NULL */
	struct city_handover *next;	      /* being prepared: spawned, warmed; may be NULL */
	struct wl_event_source *prepare_idle; /* its process is about to be asked for */

	struct city_versions good;	/* artifacts that were found good */
	char last[CITY_HASH_SIZE];	/* artifact that was shown last */
	char installed[CITY_HASH_SIZE]; /* that came with the city, as far as known; empty: none */
	bool built;		  /* `installed` is the first build of its own source instead */
	char bad[CITY_HASH_SIZE]; /* did not come up at the last start; empty: none */
	struct wlr_buffer *last_picture; /* shown while nothing runs; locked */

	int64_t crashes[CITY_TILE_CRASHES]; /* newest first; 0: none */
	struct wl_event_source *restart_timer;
	int64_t handed_over_ns; /* when another version was shown last; 0: never */
	double pas;		/* of the last handover; below 0: none yet */
	int64_t requested_ns;	/* when a version of it was asked for last, but by a save */
	int64_t last_input_ns;	/* of the last key or button that reached it */
	struct city_input_log *held_input; /* waits for the next version; NULL: none */
	bool closing;
	struct wl_event_source
		*reap_idle; /* nothing of it runs any more: it is about to be freed */

	struct wl_listener view_moved;
	struct {
		struct wl_signal changed; /* struct city_tile: any property */
		struct wl_signal destroy; /* struct city_tile */
	} events;
};

/* Deadlines of a handover; $SOURCE_CITY_LIMITS ("warm=500,probation=200", in ms) changes them. */
struct city_limits {
	int spawn_ms, warm_ms, migrate_ms, attach_ms, frame_ms, check_ms, retire_ms, late_ms;
	int melt_ms, warm_up_ms, probation_ms, probation_frames;
	int missed_frames; /* of 60 in a second, whatever the screen's rate; 0: any number */
	int hang_ms;	   /* of the compositor's own loop */
	int return_ms;	   /* of windows after the compositor's death */
};
/* The usual ones, as far as $SOURCE_CITY_LIMITS does not say otherwise. */
void city_limits_read(struct city_limits *limits);

struct city_tiles {
	struct city_server *server;
	struct city_keeper *keeper;
	struct city_store *store;
	struct city_places *places;
	struct city_history *history;
	struct city_effects *effects; /* NULL: transitions are instant */
	struct city_limits limits;
	int witness;	     /* see witness.h; -1: none */
	struct wl_list list; /* city_tile.link, in the order they were made */
	size_t handovers;    /* that there are of all of them */
	bool returning;	     /* tiles of the compositor before are not all on the screen yet */
	bool return_drawn;
	uint32_t return_seq; /* of the frame that has all of them, once drawn */
	int64_t returned_ns; /* when that was presented; 0: not */
	struct wl_global *global;
	struct wl_event_source *save_timer;
	bool save_due;
	struct wl_event_source *start_idle; /* tiles that wait to start are looked for */

	struct wl_listener keeper_exited;
	struct wl_listener keeper_trouble;
	struct wl_listener keeper_unsaved;
	struct wl_listener frame_commit;
	struct wl_listener frame_presented;
	struct wl_listener input;
	struct wl_listener config;
	struct {
		struct wl_signal tile; /* struct city_tile: a new one */
		/* struct city_tile: it has no artifact and none is installed: build its source */
		struct wl_signal needs_build;
	} events;
};

/* Needs server->keeper. NULL after one line in the log. */
struct city_tiles *city_tiles_create(struct city_server *server);
/* Makes the tiles of the config and of the places, or the default ones, and starts them. */
void city_tiles_start(struct city_tiles *tiles);
/* A start has ended, perhaps: others that wait for it may begin. */
void city_tiles_start_more(struct city_tiles *tiles);
/* This compositor ends, the city does not: saves the places. What safe mode had is ended.
 * NULL-safe. */
void city_tiles_leave(struct city_tiles *tiles);
/* NULL-safe. Saves the places; the processes end with their connections. */
void city_tiles_destroy(struct city_tiles *tiles);
struct city_tile *city_tiles_find(struct city_tiles *tiles, const char *name); /* may be NULL */
/* Places are written soon, many changes at once. */
void city_tiles_save(struct city_tiles *tiles);
/* At once: a tile has come or gone. */
void city_tiles_save_now(struct city_tiles *tiles);

/*
 * A new tile. kind: the name of a configured or installed tile, or the absolute path of a source
 * folder; name: empty to have one chosen; options: may be NULL, and come before those of a
 * configured tile. They are kept over restarts. NULL with one line in `error`.
 */
struct city_tile *city_tile_open(struct city_tiles *tiles, const char *kind, const char *name,
	const struct city_options *options, char *error, size_t error_size);
/* A new tile that begins with the state of this one as it was saved last, from a source and with an
 * artifact of its own. at: its place; NULL: one is found. NULL with one line in `error`. */
struct city_tile *city_tile_fork(struct city_tile *tile, const char *name, const char *source,
	const char *hash, const struct city_box *at, char *error, size_t error_size);
/* The folder that it is built from, which also says what district it stands in. */
void city_tile_set_source(struct city_tile *tile, const char *source);
/* Ends it: process, streams, state and place. It is freed when its processes have ended. */
void city_tile_close(struct city_tile *tile);
/* Frees a closed tile once nothing of it runs. */
void city_tile_reap(struct city_tile *tile);
/* The builder has an artifact for a tile that had none. */
void city_tile_first_artifact(struct city_tile *tile, const char *hash);

void city_tile_set_state(struct city_tile *tile, enum city_tile_state state);
/* The badge on the tile; NULL takes it away. build: as notice_build above. */
void city_tile_set_notice(
	struct city_tile *tile, enum city_badge_kind kind, const char *text, bool build);
/* Why its state does not get to disk, on the badge beside the notice; NULL: it does. */
void city_tile_set_unsaved(struct city_tile *tile, const char *why);
void city_tile_changed(struct city_tile *tile);
const char *city_tile_title(const struct city_tile *tile);  /* never NULL */
const char *city_tile_source(const struct city_tile *tile); /* "" if there is none */
/* What the config says for handovers of it that ask for no strategy; mostly AUTO. */
enum city_strategy city_tile_strategy(const struct city_tile *tile);
/* What the config says of when handovers of it happen that say nothing of it; "": nothing. */
const char *city_tile_splice(const struct city_tile *tile);
/* A version of this hash is now the last known good one. back: it was gone back to. */
void city_tile_set_good(struct city_tile *tile, const char *hash, bool back);
/* Starts the version that should run, if none does; with `delay_ms` later. */
void city_tile_restart(struct city_tile *tile, int delay_ms);
/* The live version ended by itself: restart, or give up. */
void city_tile_crashed(struct city_tile *tile, const char *how);
/* Shows the version's surface as the tile's content from the coming frame on; NULL: nothing. */
void city_tile_show(struct city_tile *tile, struct city_tile_version *version);
/* Keys that come while nothing runs are for the next version. */
void city_tile_hold_input(struct city_tile *tile);
/* Keeps what the view shows now on the screen although its client goes. */
void city_tile_keep_picture(struct city_tile *tile);
/* The content's size follows what the live version has drawn. */
void city_tile_sync_size(struct city_tile *tile);
/* Puts the tile on the map once its size is known. */
void city_tile_place(struct city_tile *tile, int width, int height);
/* Undoes what a version wrote since the log was begun; it must be dead. 0, with the number of pages
 * or -1 if there was nothing; -EALREADY if its probation was over; another error: the tile is
 * damaged now, and that was said. */
int city_tile_undo(struct city_tile *tile, int undo_fd, int64_t *pages);
/* Region as it is now; NULL if it is not there (yet). */
struct vat_region *city_tile_region(struct city_tile *tile);

/* ---- versions: tile_version.c */

/* Takes artifact_fd. The version is SPAWNING; what follows comes through handover.h. NULL with
 * errno when it cannot be asked for; artifact_fd is then closed. */
struct city_tile_version *city_version_create(
	struct city_tile *tile, const char *hash, const char *source, int artifact_fd);
/* The version of a process that ran before this compositor did; it gets a connection. NULL with
 * errno. */
struct city_tile_version *city_version_adopt(
	struct city_tile *tile, const struct city_keeper_instance *instance);
/* SIGKILL; city_handover_version_ended comes when the process is gone. */
void city_version_kill(struct city_tile_version *version);
/* Its process has ended, be it that nobody has said so yet. */
bool city_version_has_gone(const struct city_tile_version *version);
/* Sends retire, and SIGKILL after the limit. */
void city_version_retire(struct city_tile_version *version);
/* Kills it unless it answers migrate (city_version_answered) within the limit. */
void city_version_expect_late_answer(struct city_tile_version *version);
void city_version_answered(struct city_tile_version *version);
void city_version_process_ended(struct city_tile_version *version, int status);
/* status as in struct city_keeper_trouble. */
void city_version_trouble(struct city_tile_version *version, int status, const char *operation);
struct city_tile_version *city_version_from_client(const struct wl_client *client);
struct city_tile_version *city_version_from_instance(struct city_tiles *tiles, uint64_t instance);
const char *city_version_state_name(enum city_version_state state);
/* How it ended, for people: what it said itself and the status. */
void city_version_describe_end(const struct city_tile_version *version, char *text, size_t size);
/* Closes the connection and frees it. The process must have ended. */
void city_version_destroy(struct city_tile_version *version);

/* ---- the wire: tile_protocol.c */

struct wl_global *city_tile_protocol_create(struct city_tiles *tiles);
void city_version_send_configure(struct city_tile_version *version, int width, int height);
/* The answer to prebuild; log_fd -1: it is not possible. */
void city_version_send_snapshot(struct city_tile_version *version, int log_fd);
/* False if it cannot be asked. */
bool city_version_send_track(struct city_tile_version *version, uint64_t room, int log_fd);
void city_version_send_untrack(struct city_tile_version *version);
/* Whether sound comes out of it, which ends at a frame if it is asked to. */
bool city_version_sounds(const struct city_tile_version *version);
/* As sound_end of the protocol; frame 0: as soon as it can. */
void city_version_send_sound_end(
	struct city_tile_version *version, uint64_t frame, uint32_t ahead, uint32_t fade);
/* Takes that back, if it was asked to and has not been told to migrate. */
void city_version_send_sound_go_on(struct city_tile_version *version);
/* Goes out with the next flush of its client. */
void city_version_send_migrate(struct city_tile_version *version, int deadline_ms);
/* What attach will bring, so that the version need not make ready for it in the pause. */
/* False if it does not answer, and is not asked. */
bool city_version_send_prepare(struct city_tile_version *version, int undo_fd);
/* Whether one can give the other the cells without the compositor between them. */
bool city_version_can_pass_baton(
	const struct city_tile_version *from, const struct city_tile_version *to);
/* The version stands by for the attach that is to follow, with one end of the baton. Flushes its
 * connection. */
void city_version_send_stand_by(
	struct city_tile_version *version, uint64_t epoch, int undo_fd, int baton_fd);
/* The other end, for the version that is to yield. Goes out with the next flush of its client. */
void city_version_send_baton(struct city_tile_version *version, int baton_fd);
/* undo_fd -1: none. Of one that stands by the epoch is the one that it was told. Flushes the
 * connection: this is the pause. */
void city_version_send_attach(
	struct city_tile_version *version, uint32_t reason, uint64_t epoch, int undo_fd);
void city_version_send_resume(struct city_tile_version *version, uint64_t epoch);
/* Until city_version_send_freeze. False if it is of a kind that cannot. */
bool city_version_send_shadow(struct city_tile_version *version, int undo_fd);
void city_version_send_freeze(struct city_tile_version *version);
void city_version_send_settle(struct city_tile_version *version);
void city_version_send_check(struct city_tile_version *version);

int64_t city_now_ns(void); /* CLOCK_MONOTONIC */

#endif

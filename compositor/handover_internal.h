/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of the handover controller: handover.c (requests, preparation, up to B's
 * attach), handover_splice.c (the splice point), handover_version.c (what versions say, up to B's
 * first frame), handover_show.c (commit on a frame, melt, probation), handover_end.c (failure,
 * undo, record). Nobody else includes it.
 */
#ifndef CITY_HANDOVER_INTERNAL_H
#define CITY_HANDOVER_INTERNAL_H

#include "compositor/handover.h"
#include "compositor/splice.h"
#include "compositor/tile.h"

struct city_input_log;
struct city_mirror;
struct city_output;
struct city_transition;
struct wlr_buffer;

enum city_check {
	CITY_CHECK_NONE,
	CITY_CHECK_FIRST, /* at the start of probation */
	CITY_CHECK_LAST,  /* at its end */
};

enum city_track {
	CITY_TRACK_NONE,
	CITY_TRACK_WAITING, /* for the end of another handover */
	CITY_TRACK_ASKED,   /* A is to be tracked */
};

struct city_handover {
	struct city_tile *tile;
	bool start; /* no request: no record, nothing to go back to */
	enum city_step step;
	bool spawned;		     /* has left the queue: B is asked for */
	struct city_tile_version *a; /* NULL: nothing ran, or it has ended since */
	struct city_tile_version *b; /* NULL: not yet, or it has ended */
	bool had_a;
	bool force; /* A's refusal does not count */
	enum city_state_mode state;
	bool lossy;
	bool back;  /* B is a version that was good before, and is gone back to */
	bool late;  /* A has missed the deadline of MIGRATE and has some more time to answer */
	bool alone; /* goes on without A, which is being killed */

	char hash[CITY_HASH_SIZE];
	char *source;
	int artifact_fd;	     /* until B has it; -1 */
	enum city_strategy asked;    /* as asked for */
	enum city_strategy strategy; /* as used; decided at the splice point */
	int64_t warm_until_ns;	     /* B has warmed up then */
	struct city_record record;
	const struct city_handover_listener *listener; /* may be NULL */
	void *data;

	struct city_group *group;  /* that it belongs to; NULL: none */
	struct wl_list group_link; /* city_group.members */
	bool passed;		   /* its last check; the others' are waited for */
	bool culprit;		   /* the first of its group that failed */

	struct wl_event_source *timer; /* deadline of the step */
	int undo_fd;		       /* -1: none */
	int ahead_fd;	    /* the one that B has been told of before its turn; -1: none */
	int64_t ready_ns;   /* when B was ready */
	int64_t yielded_ns; /* end of A's last operation, 0: did not yield */
	bool stands_by;	    /* B may attach as soon as A has given up the cells */
	uint64_t old_epoch; /* of the region at the splice point */
	bool attach_sent;   /* B is told to; see city_handover_taken */
	bool shown;	    /* B is on the screen */
	bool failing;	    /* waits for the end of B */
	int64_t failed_ns;  /* when that began */
	bool busy;	    /* city_server_busy_begin is in force for it */
	struct city_input_log *input; /* what B has got instead of A; NULL: nothing to log */

	struct city_mirror *mirror;	    /* input of B for A that goes on; NULL: none */
	struct city_transition *transition; /* NULL: none */
	double progress;		    /* of the transition's last frame; below 0: none yet */
	int64_t melt_ns;		    /* when its time began; 0: not yet */
	int64_t shown_ns;		    /* predicted presentation of the commit */
	uint64_t frames_shown;		    /* presented with B */
	int64_t last_frame_ns;
	enum city_check check;
	bool hasten; /* a newer request waits for the end of the probation */
	struct wl_event_source *check_timer;

	/* While it waits for its splice point. */
	bool aimed; /* at: */
	struct city_moment aim;
	uint64_t not_before; /* what its sound has been rendered up to */
	struct wl_event_source *wait_timer;
	int64_t beats_left; /* that its badge says */

	enum city_track track; /* what B's building ahead waits for */
	uint64_t track_room;   /* bytes that it builds, be it ahead or when it attaches; 0: none */
	int track_fd;	       /* the log; -1: none */
	struct wl_event_source *track_timer;
};

void city_handover_set_step(struct city_handover *handover, enum city_step step);
void city_handover_set_timer(struct city_handover *handover, int ms);
/* The step's time begins anew. */
void city_handover_restart_timer(struct city_handover *handover);
void city_handover_stop_busy(struct city_handover *handover);
/* Whether B may have written the region: it is told to, or stood by and has not waited for that. */
bool city_handover_taken(const struct city_handover *handover);
/* B's turn: A has yielded, or there is none. */
void city_handover_attach(struct city_handover *handover, bool yielded);
/* A cannot be asked any more: it is killed, and B starts when that is done. */
[[gnu::format(printf, 2, 3)]]
void city_handover_go_on_alone(struct city_handover *handover, const char *format, ...);
/* Lets the tile's prepared handover go on if nothing is in its way. */
void city_handover_advance(struct city_tile *tile);

/* With nothing of it done yet; NULL when out of memory. */
struct city_handover *city_handover_create(struct city_tile *tile);

/* handover_track.c */
/* Lets A be tracked if B wants it and nothing is in its way. */
void city_handover_track_advance(struct city_handover *handover);
/* The version's process has ended. */
void city_handover_track_ended(struct city_tile_version *version);
/* Whether a version that was given up while it built cells has not ended yet. */
bool city_handover_track_busy(const struct city_tile *tile);
void city_handover_track_finish(struct city_handover *handover);

/* A handover that is not yet its tile's; NULL with one line in `error`. Takes the artifact. */
struct city_handover *city_handover_make(
	struct city_tile *tile, const struct city_swap *swap, char *error, size_t error_size);
/* Takes the place of what is being prepared. */
void city_handover_enqueue(struct city_handover *handover);
/* It is this handover's turn. */
void city_handover_splice(struct city_handover *handover);
/* By what differs between what runs and B, unless somebody asked for a way. */
void city_handover_decide(const struct city_handover *handover, const struct city_tile_version *a,
	struct city_decision *decision);

/* handover_splice.c */
/* Whether the splice point of these, which are all warm and splice together, is met now. If not the
 * tiles are advanced again when it may be, or all have failed. */
bool city_handover_await(struct city_handover *const *members, size_t count);
/* It waits no more; an old version whose sound was to end, and that was not told to migrate, goes
 * on. */
void city_handover_wait_end(struct city_handover *handover);
/* The splice is now: what was met goes into the record. */
void city_handover_met(struct city_handover *handover);

/* handover_group.c */
/* One of the last compositor's; group NULL: the first of them. NULL when out of memory: alone. */
struct city_group *city_group_join(struct city_group *group, struct city_handover *handover);
/* Of its listener, at its end. */
void city_group_leave(struct city_handover *handover, enum city_result result, const char *json);
void city_group_unlisten(struct city_group *group, const void *data);
/* This one fails: so do the others. */
void city_group_fail(struct city_handover *handover);
void city_group_supersede(struct city_group *group);
/* Splices all if all are ready. */
bool city_group_splice(struct city_group *group);
bool city_group_all_at(const struct city_group *group, enum city_step step);
struct city_handover *city_group_any(struct city_group *group);
bool city_group_visible(const struct city_group *group);
bool city_group_passed(const struct city_group *group);
void city_group_call(struct city_group *group, void (*call)(struct city_handover *handover));
/* Tells the listener of a step that all have reached. */
void city_group_progress(struct city_group *group, int64_t at_ns);

/* handover_show.c */
/* B has drawn its first frame. */
void city_handover_drawn(struct city_handover *handover);
/* The effect that shows a strategy. */
const char *city_handover_program(enum city_strategy strategy);
void city_handover_hasten(struct city_handover *handover);
void city_handover_end_transition(struct city_handover *handover);
/* A no longer goes on beside B. */
void city_handover_end_shadow(struct city_handover *handover);
void city_handover_step_late(struct city_handover *handover); /* of MELT and PROBATION */

/* handover_end.c */
[[gnu::format(printf, 2, 3)]]
void city_handover_fail(struct city_handover *handover, const char *format, ...);
void city_handover_supersede(struct city_handover *handover);
/* B is good: A is gone, streams are swept, the record is written. */
void city_handover_succeed(struct city_handover *handover);
/* B has ended, and the handover fails. */
void city_handover_conclude_failure(struct city_handover *handover);
/* Adds a record with its result to the history and tells of it; its JSON, NULL when out of memory.
 */
const char *city_handover_write_down(struct city_tile *tile, struct city_record *record);
/* No record, no listener. */
void city_handover_free(struct city_handover *handover);

#endif

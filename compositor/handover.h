/* SPDX-License-Identifier: MIT */
/*
 * The handover controller: replaces version A of a tile by version B with its state, or brings a
 * version up where none runs (a start, which is a handover without A).
 *
 * One table, city_steps in handover.c, names the steps in their order with the deadline of each,
 * and says what holds in it. A tile has at most one handover past its splice point (tile->handover)
 * and one in preparation (tile->next), so of many requests the newest wins and none queues:
 *  - a request replaces the one in preparation, whose process is killed;
 *  - preparation waits while another handover is between its splice point and its commit, and its
 *    splice point waits until the other has ended; the other's probation is cut to one check.
 *
 * A splice point in music ("@bar") is waited for with everything warm, in the step WAIT: until then
 * a newer request takes its place. A version that sounds is asked to end at exactly that frame, and
 * goes on as ever until it says that it has rendered all before it; see handover_splice.c.
 *
 * A that cannot be asked for its state any more (it hangs, or dies while it is asked) does not stop
 * its successor: it is killed, and B starts from the state as A's last operation left it, with the
 * attach reason of a restart. One that refuses to yield stays, unless the request is forced.
 *
 * Every way to fail leads through city_handover_fail: B is killed, and when the keeper says that it
 * ended, what it wrote is undone and A resumes; if A is gone too, its artifact is started again on
 * the same state.
 *
 * Every handover that was not a mere start ends in one record (record.h). Main thread only.
 */
#ifndef CITY_HANDOVER_H
#define CITY_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compositor/policy.h"
#include "compositor/record.h"

struct city_frame_event;
struct city_handover;
struct city_presented_event;
struct city_tile;
struct city_tile_version;
struct city_tiles;

/* The values of source_city_tile_handle_v1.state_mode and source_city_tile_v1.state_mode. */
enum city_state_mode {
	CITY_STATE_INHERIT = 0, /* all of it, or not at all */
	CITY_STATE_RESET = 1,	/* nothing */
	CITY_STATE_MERGE = 2,	/* what can be carried over */
};
const char *city_state_mode_name(enum city_state_mode mode);

enum city_step {
	CITY_STEP_SPAWN,
	CITY_STEP_WARM,
	CITY_STEP_WAIT,
	CITY_STEP_SPLICE,
	CITY_STEP_MIGRATE,
	CITY_STEP_ATTACH,
	CITY_STEP_FRAME,
	CITY_STEP_WARM_UP,
	CITY_STEP_COMMIT,
	CITY_STEP_MELT,
	CITY_STEP_PROBATION,
	CITY_STEP_RETIRE,
	CITY_STEP_COUNT,
};

struct city_step_info {
	const char *name;
	size_t limit;	  /* offset of its deadline in struct city_limits; SIZE_MAX: none */
	const char *late; /* what to say when the deadline has passed */
	bool replaceable; /* a newer request takes its place */
	bool shown;	  /* B is on the screen: a failure is a rollback */
	bool needs_b;	  /* the end of B is a failure of this step */
};
extern const struct city_step_info city_steps[CITY_STEP_COUNT];
struct city_limits;
/* The deadline of a step, 0: none. room: bytes of cells that are built in another shape. */
int city_step_limit_ms(const struct city_limits *limits, enum city_step step, uint64_t room);

struct city_handover_listener {
	/* A record of one tile of several; may be NULL. */
	void (*record)(void *data, const char *json);
	/* A step was reached; name as in the protocol. */
	void (*progress)(void *data, const char *step, int64_t at_ns);
	/* The end, and the last call. step and reason are "" on success. */
	void (*ended)(void *data, enum city_result result, const char *step, const char *reason,
		const char *json);
};

struct city_swap {
	int artifact_fd;    /* taken, also on failure; -1: open the one named by hash */
	const char *hash;   /* with artifact_fd -1 */
	const char *source; /* folder that it was built from; NULL: not known */
	const char *origin; /* for the record */
	enum city_strategy strategy;
	const char *splice; /* as vat_splice_parse reads it; "": as the config says */
	bool force;	    /* also when the old version refuses to yield */
	enum city_state_mode state;
	bool lossy;	  /* values may be lost where they do not fit */
	bool back;	  /* to a version that was good before */
	int64_t begin_ns; /* of the request; 0: now */
	int64_t build_ns; /* -1: it was not built */
	const struct city_handover_listener *listener; /* may be NULL */
	void *data;
};

/* False with one line in `error` if it is refused; then there is no record and no call of the
 * listener. Otherwise the listener hears of the end, perhaps before this returns. */
bool city_handover_request(
	struct city_tile *tile, const struct city_swap *swap, char *error, size_t error_size);
/*
 * Several tiles on one output frame, all or none: any failure before the commit leaves all of them
 * as they were, and in probation the failure of one, or its rollback by hand, takes all back. They
 * settle together. A newer request for one of them replaces all, before MIGRATE.
 *
 * The listener hears each record, and then one end of it all. A group that is not begun has to be
 * cancelled; one that is begun frees itself.
 */
#define CITY_GROUP_MAX 64
struct city_group;
struct city_group *city_group_create(const struct city_handover_listener *listener, void *data);
/* Takes swap->artifact_fd. swap->listener hears of this one alone. Each tile once. False with one
 * line in `error`. */
bool city_group_add(struct city_group *group, struct city_tile *tile, const struct city_swap *swap,
	char *error, size_t error_size);
/* Tiles that go live only together with this one, were saved and not asked for by name, and would
 * not go live any more if a newer request for this one alone were begun now. */
size_t city_group_companions(const struct city_tile *tile);
/* Adds them, with what they wait with; those that are in it already stay as they are. False with
 * one line in `error`. */
bool city_group_add_companions(
	struct city_group *group, const struct city_tile *tile, char *error, size_t error_size);
void city_group_begin(struct city_group *group);
void city_group_cancel(struct city_group *group);
/* Checks what a later city_handover_request would refuse before anything is known of the artifact.
 */
bool city_handover_check(struct city_tile *tile, uint32_t strategy, const char *splice, char *error,
	size_t error_size);
/* The part of it that is about when. */
bool city_splice_check(
	const struct city_tile *tile, const char *splice, char *error, size_t error_size);
/* Brings up a version on the state as it is; no record. */
bool city_handover_start(struct city_tile *tile, const char *hash, char *error, size_t error_size);
/* The artifact of A in probation, where a rollback goes; NULL if there is no A to go back to. */
const char *city_handover_keeps(const struct city_handover *handover);
/* A handover that the last compositor had begun is taken up: `a` (frozen; NULL: it has ended) and
 * `b` have rejoined. It is shown, and its probation goes on, by city_handover_show_again. Takes
 * undo_fd. With `group` (NULL: alone) it joins those of its transaction. NULL when out of memory.
 */
struct city_handover *city_handover_go_on(struct city_tile *tile, struct city_tile_version *a,
	struct city_tile_version *b, int undo_fd, struct city_group **group);
/* The same, but it comes to nothing: what `b` wrote is undone, and `a` goes on. */
bool city_handover_go_back(struct city_tile *tile, struct city_tile_version *a,
	struct city_tile_version *b, int undo_fd, const char *reason);
void city_handover_show_again(struct city_handover *handover);
/* What the last compositor left of other handovers of the tile ends in its records: with success if
 * it made `live` (may be NULL). */
void city_handover_end_left(struct city_tile *tile, const struct city_tile_version *live);
/* Back to A in probation: ends like any failure. False if there is no A to go back to. */
bool city_handover_roll_back(struct city_handover *handover, const char *reason);
/* The region is there: what waited for it goes on. */
void city_handover_kick(struct city_tile *tile);
/* The folder that the newest version was built from, be it still on its way; "": not known. */
const char *city_handover_source(const struct city_tile *tile);
/* Whether this artifact is on its way to be live, or not yet out of its probation. */
bool city_handover_brings(const struct city_tile *tile, const char *hash);
/* No more calls of this listener. */
void city_handover_unlisten(struct city_tiles *tiles, void *data);
/* The tile is being closed, or the city ends: no resume, no record, nothing is started. */
void city_handover_abandon(struct city_tile *tile);
enum city_step city_handover_step(const struct city_handover *handover);
/* The undo log, while what it holds is the state to go back to; otherwise -1. */
int city_handover_undo_fd(const struct city_handover *handover);

/* What versions do; called by tile_version.c and tile_protocol.c. */
void city_handover_version_spawned(struct city_tile_version *version);
/* It is warm: whether there is something that it is to make ahead first, before it counts as ready.
 */
bool city_handover_version_prepare(struct city_tile_version *version);
void city_handover_version_ready(struct city_tile_version *version);
void city_handover_version_failed(
	struct city_tile_version *version, const char *step, const char *reason);
void city_handover_version_yielded(struct city_tile_version *version, int64_t last_update_ns);
void city_handover_version_refused(struct city_tile_version *version, const char *reason);
/* It wants to build cells of so many bytes ahead. */
void city_handover_version_prebuild(struct city_tile_version *version, uint64_t room);
void city_handover_version_tracking(struct city_tile_version *version, bool ok);
void city_handover_version_attached(struct city_tile_version *version, int64_t first_update_ns,
	int64_t state_bytes, int64_t migrated_bytes);
void city_handover_version_committed(struct city_tile_version *version);
void city_handover_version_checked(struct city_tile_version *version, bool ok, const char *reason);
/* version->stuck has changed. */
void city_handover_version_stuck(struct city_tile_version *version);
struct city_continuity;
void city_handover_version_continues(
	struct city_tile_version *version, const struct city_continuity *continuity);
/* It was busy for so long without a pause. */
void city_handover_version_late(struct city_tile_version *version, int64_t busy_ns);
/* Its connection is gone and its process is about to end. */
void city_handover_version_lost(struct city_tile_version *version);
void city_handover_version_ended(struct city_tile_version *version);

/* It has rendered its sound up to that frame, and nothing beyond. */
void city_handover_version_sound_ended(struct city_tile_version *version, uint64_t frame);
/* It cannot end where it was asked to, for it has rendered up to that frame. */
void city_handover_version_sound_missed(struct city_tile_version *version, uint64_t frame);
/* Its first sound. */
void city_handover_version_sound_began(
	struct city_tile_version *version, uint64_t frame, uint32_t skipped);

/* The transport has changed: what waits looks at it at once. */
void city_handover_transport_changed(struct city_tiles *tiles);

/* What the outputs do. */
void city_handover_frame_commit(struct city_tiles *tiles, struct city_frame_event *event);
void city_handover_presented(struct city_tiles *tiles, struct city_presented_event *event);

#endif

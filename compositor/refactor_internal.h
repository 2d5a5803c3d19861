/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of refactors: refactor.c (plans, the end, what the forge says),
 * refactor_request.c (what is asked, and whether it can be done), refactor_run.c (the handover, or
 * the new tile of a fork). Nobody else includes it.
 */
#ifndef CITY_REFACTOR_INTERNAL_H
#define CITY_REFACTOR_INTERNAL_H

#include "compositor/handover.h"
#include "compositor/refactor.h"
#include "compositor/tile.h"

enum city_refactor_phase {
	PHASE_PLAN,
	PHASE_PREPARE,	/* the forge changes files, builds and commits */
	PHASE_HANDOVER, /* tiles are handed over, or one is started */
	PHASE_CONCLUDE, /* the forge keeps it or takes it back */
	PHASE_RESOLVE,	/* of another forge or compositor: its tile is to come to rest first */
};

struct city_refactor {
	struct city_control *control;
	struct city_request *request; /* NULL: nobody waits */
	enum city_refactor_phase phase;
	uint32_t job, number;
	uint32_t asked; /* enum city_refactor_what */
	uint32_t what;	/* MOVE, REPLACE or FORK */
	bool undo, dry;
	char name[VAT_NAME_SIZE]; /* of the tile; may be empty before the plan */
	struct vat_uuid uuid;
	char *from, *to, *other; /* as planned; NULL before */
	bool paused;		 /* watches of the source folder */
	struct vat_uuid tiles[CITY_GROUP_MAX];
	size_t count;
	bool put; /* at cx, cy */
	double cx, cy;
	bool keep;
	char step[32], reason[1024]; /* of a failure; "": none */

	uint64_t checkpoint; /* of the one that is forked; 0: none */
	char hash[CITY_HASH_SIZE];
	/* The new tile of a fork, or the one that is waited for. */
	struct city_tile *watched;
	struct wl_listener changed, destroy;
};

/* The tile of this identity that is not being closed; NULL: none. */
struct city_tile *city_refactor_find_tile(
	struct city_control *control, const struct vat_uuid *uuid);
/* Listens to a tile, to one at a time. */
void city_refactor_watch(struct city_refactor *refactor, struct city_tile *tile,
	wl_notify_func_t changed, wl_notify_func_t destroy);
void city_refactor_unwatch(struct city_refactor *refactor);
/* Why it came to nothing; the first reason counts. */
[[gnu::format(printf, 3, 4)]]
void city_refactor_set_failure(
	struct city_refactor *refactor, const char *step, const char *format, ...);
/* The tiles are as they are to be: now the forge ends it. May free it. */
void city_refactor_conclude(struct city_refactor *refactor, bool keep);
void city_refactor_destroy(struct city_refactor *refactor);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The desk: how tiles and windows lie, as the user left them, for the compositor that comes after
 * this one.
 *
 * A memfd that the keeper holds. It has the place, size and state of each, their order and focus,
 * and the camera of each output, also of those that are gone. It is written after each change,
 * before the loop sleeps again; two copies take turns and one store names the current one, so that
 * a compositor that is killed at any instruction leaves a whole one. What is kept beyond the end of
 * the city is in places.h.
 *
 * Programs whose toolkit connects again make their windows anew. What of them belongs to which
 * window of before is told by the process (its pid and when it began), then by app id, title and
 * the order in which they were made: see desk_windows.c. They are awaited for a while; meanwhile
 * they stay on the desk, should this compositor end as well.
 *
 * The records of handovers that are under way lie here, too (pending.h).
 *
 * It also says whether the session is locked: what ends the compositor must not unlock it.
 *
 * Main thread only.
 */
#ifndef CITY_DESK_H
#define CITY_DESK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compositor/arrange.h"
#include "compositor/map.h"
#include "vat.h"

struct city_desk;
struct city_server;
struct city_view;

enum {
	CITY_DESK_SHOWN = 1,
	CITY_DESK_MINIMIZED = 2,
	CITY_DESK_MAXIMIZED = 4,
	CITY_DESK_FULLSCREEN = 8,
	CITY_DESK_FOCUSED = 16,
	CITY_DESK_ABOVE = 32,
	CITY_DESK_SNAPPED = 64,
};

/* As it lies in the memfd. */
struct city_desk_entry {
	struct vat_uuid uuid; /* of a tile; nil for a window */
	struct city_box box;  /* as it is when it fills neither a screen nor a part of it */
	struct city_box now;
	struct city_part part; /* that it is snapped to */
	uint32_t flags;
	/* Of a window. */
	int32_t pid;
	uint64_t began;	 /* when the process did, as /proc has it */
	uint64_t made;	 /* counts up in the order in which windows were made */
	char app_id[64]; /* the beginning of it */
	char title[128]; /* likewise */
};

/* Who a window belongs to. */
struct city_process {
	pid_t pid;	/* 0: not known */
	uint64_t began; /* 0: not known */
};
struct city_process city_process_of(pid_t pid);

/* Looks at what lies on the desk of the server's keeper. NULL without one, or after one line in the
 * log: then nothing is remembered. */
struct city_desk *city_desk_create(struct city_server *server);
void city_desk_destroy(struct city_desk *desk); /* NULL-safe */
/* What the last compositor left of a tile; NULL: nothing. For use before city_desk_begin. */
const struct city_desk_entry *city_desk_find(
	const struct city_desk *desk, const struct vat_uuid *uuid);
/* Whether the last compositor left anything; then it had no other tiles than those. NULL-safe. */
bool city_desk_was_left(const struct city_desk *desk);
/* Where the camera of the output of this name was last. False: it is not known. NULL-safe. */
bool city_desk_camera(const struct city_desk *desk, const char *output, struct city_camera *camera);
/* The tiles are there: brings their order and states, the focus and the cameras back, and writes
 * every change from now on. */
void city_desk_begin(struct city_desk *desk);
/* At once, and in safe mode, too. NULL-safe, both. */
void city_desk_set_locked(struct city_desk *desk, bool locked);
bool city_desk_was_locked(const struct city_desk *desk);
/* Something that it holds has changed, or may have. NULL-safe. */
void city_desk_changed(struct city_desk *desk);

/* desk_windows.c */

/* What was left of this window, which its program makes again; NULL: nothing. Once for each. */
const struct city_desk_entry *city_desk_claim(struct city_desk *desk, struct city_view *view);
/* It has its place: puts it where it was in the order, and gives it the focus if it had that and
 * nobody has it now. */
void city_desk_returned(struct city_desk *desk, struct city_view *view);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The desk: how the tiles lie, as the user left them, for the compositor that comes after this one.
 *
 * A memfd that the keeper holds. It has the place, size and state of each tile, their order and
 * focus, and the camera of each output, also of those that are gone. It is written after each
 * change, before the loop sleeps again; two copies take turns and one store names the current one,
 * so that a compositor that is killed at any instruction leaves a whole one. What is kept beyond
 * the end of the city is in places.h.
 *
 * Main thread only.
 */
#ifndef CITY_DESK_H
#define CITY_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "compositor/map.h"
#include "vat.h"

struct city_desk;
struct city_server;

enum {
	CITY_DESK_SHOWN = 1,
	CITY_DESK_MINIMIZED = 2,
	CITY_DESK_MAXIMIZED = 4,
	CITY_DESK_FULLSCREEN = 8,
	CITY_DESK_FOCUSED = 16,
};

/* As it lies in the memfd. */
struct city_desk_entry {
	struct vat_uuid uuid;
	struct city_box box; /* as it is when neither maximised nor fullscreen */
	uint32_t flags;
	uint32_t unused;
};

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
/* Something that it holds has changed, or may have. NULL-safe. */
void city_desk_changed(struct city_desk *desk);

#endif

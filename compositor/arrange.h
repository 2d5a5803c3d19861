/* SPDX-License-Identifier: MIT */
/*
 * Windows in parts of a room: one snapped to a half or a corner, all of a block side by side, and
 * edges that hold a window that is dragged near them. A room is what an output shows at zoom 1,
 * without its panels. What is snapped is an ordinary window on the map: it goes where the map goes,
 * and gets its place and size back when it is pulled away or asked to. Main thread only.
 */
#ifndef CITY_ARRANGE_H
#define CITY_ARRANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "compositor/map.h"

struct city_server;
struct city_stage;
struct city_view;

/* Shares of a room, 0 to 1. */
struct city_part {
	double left, top, right, bottom;
};

/* "left", "top-right", ..., "center"; false: no such name. */
bool city_part_named(const char *name, struct city_part *part);
/* The names that there are, with commas. */
const char *city_part_names(void);
/* The part of the room, less half a gap where it meets others and less a whole one at the room's
 * edge, on whole units. */
struct city_box city_part_box(struct city_part part, struct city_box room);
/*
 * What a window fills that is dropped with the pointer at an edge of the screen (output
 * coordinates, without panels), or beyond it: a half at the sides and at the bottom, a quarter at
 * the corners, all at the top, which is "maximize". NULL: nothing.
 */
const char *city_drop_part(struct wlr_box screen, double ox, double oy);
/* The room's part on the screen, for what is to be seen of it before: what the stage shows must be
 * a room. */
struct wlr_box city_part_on(struct city_part part, struct city_stage *stage);
/* The i-th of n windows side by side: rows and columns as near to a square as n and the room's
 * shape allow; a last row that is not full is shared by those that are in it. */
struct city_part city_part_of(size_t i, size_t n, struct city_box room);

/*
 * How far a box that moves is to be pulled, so that its edges lie at edges near by: dx, dy, 0
 * where there is none within `reach`. Edges of boxes at its side count, at a gap's distance from
 * each other or in line, and those of the room from within.
 */
void city_magnet(struct city_box box, const struct city_box *others, size_t count,
	struct city_box room, double reach, double *dx, double *dy);

/* Into that part of the room that its main output shows, or would show at zoom 1; the camera goes
 * there. Again to the same part: back to where it was. */
void city_view_snap(struct city_view *view, struct city_part part);
/* As the compositor before left it: at `now`, where it came from `restore`. */
void city_view_snap_again(struct city_view *view, struct city_part part, const struct city_box *now,
	const struct city_box *restore);
/* By dropping it: into the part of that stage's room, not back out of it; off, its place and size
 * will be `home`. */
void city_view_snap_on(struct city_view *view, struct city_part part, struct city_stage *stage,
	struct city_box home);
/* Back to its place and size from before; no-op when it is not snapped. */
void city_view_unsnap(struct city_view *view);
/* All windows and tiles of the block that the view stands on (those without a block are one),
 * which share the room; off: each is back where it was. */
void city_arrange(struct city_view *view, bool off);
/* Where a view that is dragged to cx, cy (its content) is held by what is near. */
void city_view_hold(const struct city_view *view, double *cx, double *cy);

/* The nearest view that can be focused in that direction (one of dx, dy is -1 or 1, the other 0),
 * NULL: there is none. */
struct city_view *city_view_beside(struct city_view *view, int dx, int dy);

#endif

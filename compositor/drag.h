/* SPDX-License-Identifier: MIT */
/*
 * Dragging a tile on the map. While it is dragged it is said what a drop would do, before it is
 * dropped: a ghost goes with the pointer, the target is outlined, and a label names the refactor.
 *
 *	onto another district	its source folder moves there
 *	onto a tile of its role	that tile gets its implementation
 *	with Ctrl		a fork
 *	within its district	it is placed, nothing else; it moves itself, without a ghost
 *
 * In the room, at zoom 1 and above, all is an ordinary desktop: a drag only places. A tile that
 * cannot be refactored just now says so in the label, and a drop there does nothing.
 *
 * What is dropped is done by refactor.h, which tells the tile how it ended. Main thread only.
 */
#ifndef CITY_DRAG_H
#define CITY_DRAG_H

#include <stdbool.h>

struct city_drag;
struct city_seat;
struct city_view;

/* A drag of this view, at its place; NULL if it is no tile, or without memory. */
struct city_drag *city_drag_begin(struct city_seat *seat, struct city_view *view);
void city_drag_end(struct city_drag *drag); /* nothing is dropped; NULL-safe */
/* The pointer is at this point of the city, and the view would go to cx, cy. True: it is to stay
 * where it was, for a drop would do something else. */
bool city_drag_motion(
	struct city_drag *drag, double point_cx, double point_cy, double cx, double cy);
/* The button was let go there. Ends it. */
void city_drag_drop(struct city_drag *drag);

/* What a drop would do; "place" or "" for nothing else. Borrowed, never NULL. */
const char *city_drag_what(const struct city_drag *drag); /* move, replace, fork, none, place */
const char *city_drag_text(const struct city_drag *drag); /* as the label says it */
const char *city_drag_target(const struct city_drag *drag);

#endif

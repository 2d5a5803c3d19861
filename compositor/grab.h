/* SPDX-License-Identifier: MIT */
/*
 * What the pointer does to the map while a button is held: panning, moving and resizing a view.
 * Main thread only.
 */
#ifndef CITY_GRAB_H
#define CITY_GRAB_H

#include <stdbool.h>
#include <stdint.h>

#include "compositor/arrange.h"

struct city_drag;
struct city_ghost;
struct city_seat;
struct city_stage;
struct city_view;

enum city_grab_kind {
	CITY_GRAB_NONE,
	CITY_GRAB_PAN,	   /* the map follows the pointer */
	CITY_GRAB_MINIMAP, /* the camera does, in the minimap */
	CITY_GRAB_MOVE,	   /* the view does */
	CITY_GRAB_QUARTER, /* a quarter of source does */
	CITY_GRAB_RESIZE,  /* its edges do */
};

struct city_grab {
	enum city_grab_kind kind;
	struct city_view *view; /* for MOVE and RESIZE */
	char *quarter;		/* for QUARTER: its name, heap */
	uint32_t edges;
	uint32_t button; /* whose release ends it */
	/* For PAN and MINIMAP: whose map. For MOVE: that most of the view was on. It may be gone.
	 */
	struct city_stage *stage;
	double start_ox, start_oy; /* pointer when it began */
	double last_ox, last_oy;
	double point_cx, point_cy; /* the point of the city that it took hold of */
	double start_cx, start_cy; /* the view's place and size then */
	int start_width, start_height;
	struct city_drag *drag; /* of a tile that is moved; NULL otherwise */
	/* Of a view that is moved: how it was when it was taken, and where it would be had it not
	 * been maximised or snapped. */
	bool was_maximized, was_snapped;
	struct city_part was_part;
	struct city_box was, home;
	/* What a drop would fill, as city_drop_part says it; NULL: it stays where it is dropped. */
	const char *drop;
	struct city_stage *drop_stage; /* it may be gone */
	struct city_ghost *ghost;      /* of that; NULL as long as there was none */
};

/* Each begins with the button that is held; 0: the first that is released ends it. */
void city_grab_pan(struct city_seat *seat, uint32_t button);
/* False if the pointer is on none. */
bool city_grab_quarter(struct city_seat *seat, uint32_t button);
void city_grab_minimap(struct city_seat *seat, uint32_t button);
void city_grab_move(struct city_seat *seat, struct city_view *view, uint32_t button);
/* edges 0: chosen by the part of the view that the pointer is in. */
void city_grab_resize(
	struct city_seat *seat, struct city_view *view, uint32_t edges, uint32_t button);
/* A client asks; the serial must be that of a button held over it. */
void city_grab_move_requested(struct city_seat *seat, struct city_view *view, uint32_t serial);
void city_grab_resize_requested(
	struct city_seat *seat, struct city_view *view, uint32_t serial, uint32_t edges);
/* The pointer moved. */
void city_grab_motion(struct city_seat *seat);
/* The map moved below the pointer: a view that is being moved stays at it. */
void city_grab_follow(struct city_seat *seat);
void city_grab_end(struct city_seat *seat);
/* The same by letting go of the button: a map that was flicked glides on, and what is dragged is
 * dropped. */
void city_grab_release(struct city_seat *seat, uint32_t time_msec);
/* Takes back a move. False if none is going on. */
bool city_grab_cancel(struct city_seat *seat);

#endif

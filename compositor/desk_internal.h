/* SPDX-License-Identifier: MIT */
/* Shared by desk.c and desk_windows.c; nobody else includes it. */
#ifndef CITY_DESK_INTERNAL_H
#define CITY_DESK_INTERNAL_H

#include <wayland-server-core.h>

#include "compositor/desk.h"

struct sheet;

#define CITY_DESK_CAMERAS 32

/* Where the camera of an output is, or was when it went. */
struct city_desk_camera {
	char output[64]; /* its name */
	double cx, cy, zoom;
};

/* One entry of what the last compositor left. */
struct city_desk_left {
	struct city_desk *desk;
	struct city_desk_entry entry;
	bool raised; /* since then: it has its place in the order by that */
	/* Of windows. */
	bool awaited;		/* its program may make it again, but has not shown it yet */
	struct city_view *view; /* that it is now; NULL: none */
	struct wl_listener view_destroy;
	int process;		       /* pidfd, -1 */
	struct wl_event_source *ended; /* with process */
};

struct city_desk {
	struct city_server *server;
	struct sheet *sheet;
	bool was_left; /* there was something on it */
	bool begun;
	struct wl_event_source *idle;			    /* it is about to be written */
	struct city_desk_camera cameras[CITY_DESK_CAMERAS]; /* the one that moved last first */
	uint32_t camera_count;
	struct wl_listener focus, camera;
	struct city_desk_left *left; /* the topmost first */
	uint32_t left_count;
	struct wl_event_source *timer; /* until then windows are awaited */
};

static inline bool city_desk_is_window(const struct city_desk_entry *entry) {
	return vat_uuid_is_nil(&entry->uuid);
}

/* The tile or window that it is now; NULL: none. */
struct city_view *city_desk_view_of(const struct city_desk_left *left);
/* What was left of this view; -1: nothing. */
int city_desk_rank(const struct city_desk *desk, const struct city_view *view);

/* desk_windows.c */

/* From now on, as long as there is a program that may make them again. */
void city_desk_await_windows(struct city_desk *desk);
void city_desk_forget_windows(struct city_desk *desk);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Bookmarks: places of the city with a name, kept over restarts in
 * $XDG_STATE_HOME/source-city/bookmarks, an scfg file that is always replaced as a whole:
 *
 *	bookmark "desk" 640 360 1
 *
 * The numbers are the point in the middle of the screen, and the zoom. The file is read when they
 * are first asked for; one that cannot be understood is set aside. Main thread only.
 */
#ifndef CITY_BOOKMARKS_H
#define CITY_BOOKMARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <wayland-util.h>

#define CITY_BOOKMARK_NAME 64 /* bytes of a name, with its end */
#define CITY_BOOKMARKS_MAX 256

struct city_server;

struct city_bookmark {
	struct wl_list link; /* in the order in which they were made */
	char name[CITY_BOOKMARK_NAME];
	double cx, cy, zoom;
};

/* All of them, struct city_bookmark.link. Never NULL. */
struct wl_list *city_bookmarks_list(struct city_server *server);
struct city_bookmark *city_bookmarks_find(struct city_server *server, const char *name);
/* Makes or changes one. False with the reason in `error`. */
bool city_bookmarks_set(struct city_server *server, const char *name, double cx, double cy,
	double zoom, char *error, size_t error_size);
void city_bookmarks_remove(struct city_server *server, struct city_bookmark *bookmark);
/* What it takes to be a name; false with the reason in `error`. */
bool city_bookmarks_check(const char *name, char *error, size_t error_size);
/* Brings them to disk. */
void city_bookmarks_destroy(struct city_server *server);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Says when something in a source folder may have changed: a file written, moved, linked or deleted
 * in it or in a folder below; the folder itself moved away, replaced, deleted, made again. What has
 * really changed is for a snapshot to find out.
 *
 * All watches share one inotify instance, of which a user gets few (128 as a rule), and those of
 * the same folder one descriptor in it.
 */
#ifndef FORGE_WATCH_H
#define FORGE_WATCH_H

#include <wayland-server-core.h>

struct watch;
struct watcher;

/* Takes nothing of the system before the first watch. */
struct watcher *watcher_create(struct wl_event_loop *loop);
/* After its watches, before the loop. NULL-safe. */
void watcher_destroy(struct watcher *watcher);

/* The time is CLOCK_MONOTONIC, when the event was read. */
typedef void (*watch_changed_func)(void *data, uint64_t time_ns);

/* The folder need not exist. NULL with one line in *why (heap) when the system grants no watch. */
struct watch *watch_create(struct watcher *watcher, const char *folder, watch_changed_func changed,
	void *data, char **why);
void watch_destroy(struct watch *watch); /* NULL-safe */

#endif

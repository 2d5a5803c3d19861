/* SPDX-License-Identifier: MIT */
/*
 * Says when something in a source folder may have changed: a file written, moved, linked or deleted
 * in it or in a folder below; the folder itself moved away, replaced, deleted, made again. What has
 * really changed is for a snapshot to find out.
 */
#ifndef FORGE_WATCH_H
#define FORGE_WATCH_H

#include <wayland-server-core.h>

struct watch;

/* The time is CLOCK_MONOTONIC, when the event was read. */
typedef void (*watch_changed_func)(void *data, uint64_t time_ns);

/* The folder need not exist. NULL with one line in *why (heap) when the system grants no watch. */
struct watch *watch_create(struct wl_event_loop *loop, const char *folder,
	watch_changed_func changed, void *data, char **why);
void watch_destroy(struct watch *watch); /* NULL-safe */

#endif

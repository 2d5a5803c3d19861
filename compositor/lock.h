/* SPDX-License-Identifier: MIT */
/*
 * ext-session-lock. While locked nothing of the city is drawn and nothing of it gets input; if the
 * locker dies, it stays so until another one unlocks, and so it does if this compositor ends: the
 * next one begins locked (desk.h). Main thread only.
 */
#ifndef CITY_LOCK_H
#define CITY_LOCK_H

#include <stdbool.h>

struct city_lock;
struct city_server;
struct wlr_surface;

bool city_lock_create(struct city_server *server); /* sets server->lock */
/* The last compositor ended while the session was locked; called before the first frame. */
void city_lock_go_on(struct city_server *server);
void city_lock_destroy(struct city_server *server);
bool city_lock_active(const struct city_lock *lock); /* NULL-safe */
/* The surface of the locker that has the keyboard; NULL if there is none. */
struct wlr_surface *city_lock_surface(const struct city_lock *lock);
void city_lock_outputs_changed(struct city_lock *lock); /* NULL-safe */

#endif

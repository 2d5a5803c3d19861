/* SPDX-License-Identifier: MIT */
/* ext-idle-notify and idle-inhibit: whether somebody is there. Main thread only. */
#ifndef CITY_IDLE_H
#define CITY_IDLE_H

#include <stdbool.h>

struct city_idle;
struct city_server;
struct wlr_seat;

bool city_idle_create(struct city_server *server); /* sets server->idle */
void city_idle_destroy(struct city_server *server);
void city_idle_activity(struct city_idle *idle, struct wlr_seat *seat); /* NULL-safe */

#endif

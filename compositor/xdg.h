/* SPDX-License-Identifier: MIT */
/*
 * Guests: xdg-shell windows as views, with xdg-decoration, KDE's server decoration and
 * xdg-activation. Main thread only.
 */
#ifndef CITY_XDG_H
#define CITY_XDG_H

#include <stdbool.h>

struct city_server;
struct city_view;
struct wlr_xdg_toplevel;

bool city_xdg_create(struct city_server *server); /* sets server->xdg */
void city_xdg_destroy(struct city_server *server);
/* NULL for views that are no guests. */
struct wlr_xdg_toplevel *city_xdg_toplevel(struct city_view *view);

#endif

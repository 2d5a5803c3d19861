/* SPDX-License-Identifier: MIT */
/*
 * Who draws a window's frame: xdg-decoration and KDE's older protocol. The city draws it unless
 * the client asks to do so itself; clients that know neither protocol draw their own.
 */
#ifndef CITY_DECORATION_H
#define CITY_DECORATION_H

struct city_decorations;
struct city_server;
struct wlr_xdg_toplevel;

struct city_decorations *city_decorations_create(struct city_server *server);
void city_decorations_destroy(struct city_decorations *decorations); /* NULL-safe */
/* The toplevel can be configured now: tell it the mode, if it asked for one before. */
void city_decorations_announce(
	struct city_decorations *decorations, struct wlr_xdg_toplevel *toplevel);

#endif

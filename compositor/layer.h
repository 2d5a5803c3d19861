/* SPDX-License-Identifier: MIT */
/*
 * wlr-layer-shell: panels, wallpapers, launchers. They live in output space and do not move with
 * the map. Main thread only.
 */
#ifndef CITY_LAYER_H
#define CITY_LAYER_H

#include <stdbool.h>
#include <wayland-server-core.h>

struct city_output;
struct city_server;
struct wlr_surface;

struct city_layers_shell;
bool city_layers_create(struct city_server *server); /* sets server->layer_shell */
void city_layers_destroy(struct city_server *server);
/* Gives every layer surface of the output its place and sets output->usable. */
void city_layers_arrange(struct city_output *output);
/* Closes what was on it. */
void city_layers_output_gone(struct city_output *output);
/* The topmost surface that demands the keyboard, NULL if none does. */
struct wlr_surface *city_layers_exclusive(struct city_server *server);
/* Whether a click on this surface may give it the keyboard. */
bool city_layers_takes_focus(struct wlr_surface *surface);

#endif

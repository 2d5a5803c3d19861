/* SPDX-License-Identifier: MIT */
/*
 * Outputs: from the backend's new_output to frames on the screen. struct city_output is in
 * server.h, as everybody may look at it. Main thread only.
 */
#ifndef CITY_OUTPUT_H
#define CITY_OUTPUT_H

#include "compositor/server.h"

/* Listens for outputs and offers them to clients (output management, power). */
bool city_outputs_init(struct city_server *server);
void city_outputs_finish(struct city_server *server);
/* The backend ends by itself: nothing may listen to it any more. */
void city_outputs_backend_gone(struct city_server *server);
/* Applies the config to all outputs again. */
void city_outputs_configure(struct city_server *server);
/* Gives all outputs the server's current renderer and allocator. */
void city_outputs_renew_renderer(struct city_server *server);

/* How long it shows a frame; 0: not known. */
int64_t city_output_frame_ns(const struct city_output *output);
/* Where the output is in the layout; empty while it is off. */
struct wlr_box city_output_box(const struct city_output *output);
struct city_output *city_output_from_wlr(struct wlr_output *wlr_output); /* may return NULL */
/* The output at a point of the layout, else the nearest; NULL without outputs. */
struct city_output *city_output_at(struct city_server *server, double ox, double oy);
/* The layout or a mode changed: panels, locks and the ground follow. */
void city_outputs_changed(struct city_server *server);

#endif

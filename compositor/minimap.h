/* SPDX-License-Identifier: MIT */
/*
 * The minimap of a stage: the whole city small in a corner of the screen, with what the screen
 * shows of it as a frame. A click or drag in it moves the camera there. Main thread only.
 */
#ifndef CITY_MINIMAP_H
#define CITY_MINIMAP_H

#include <stdbool.h>

struct city_server;
struct city_stage;

/* Switches it on or off; draws it. */
void city_minimap_show(struct city_stage *stage, bool shown);
bool city_minimap_is_shown(const struct city_stage *stage);
/* The stage's camera or screen changed. Does nothing when it is off. */
void city_minimap_update(struct city_stage *stage);
/* Views came, went or moved, or the focus did: drawn again on all stages once the loop is idle. */
void city_minimap_changed(struct city_server *server);
/* The point of the city that it shows there. */
void city_minimap_to_city(
	const struct city_stage *stage, double ox, double oy, double *cx, double *cy);
void city_minimap_destroy(struct city_stage *stage); /* does nothing without one */

#endif

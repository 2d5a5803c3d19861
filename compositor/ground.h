/* SPDX-License-Identifier: MIT */
/*
 * The ground: what is seen where no view is. A plain colour, a grid that keeps its density at
 * every zoom, and a block with its name behind the tiles of each district. Main thread only.
 */
#ifndef CITY_GROUND_H
#define CITY_GROUND_H

#include <stdbool.h>

struct city_server;

bool city_ground_create(struct city_server *server); /* sets server->ground */
void city_ground_destroy(struct city_server *server);
/* The camera or the layout changed; draws the districts again too. NULL-safe. */
void city_ground_update(struct city_server *server);
/* Views came, went or moved. */
void city_ground_update_districts(struct city_server *server);

#endif

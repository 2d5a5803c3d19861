/* SPDX-License-Identifier: MIT */
/*
 * The ground of a stage: what is seen where no view is. A plain colour, a grid that keeps its
 * density at every zoom, and a block with its name behind the tiles of each district. Main thread
 * only.
 */
#ifndef CITY_GROUND_H
#define CITY_GROUND_H

#include <stdbool.h>

#include "compositor/map.h"

struct city_server;
struct city_stage;

bool city_ground_create(struct city_stage *stage); /* sets stage->ground */
void city_ground_destroy(struct city_stage *stage);
/* The camera or the screen changed; draws the districts again too. Does nothing without ground. */
void city_ground_update(struct city_stage *stage);
/* Views came, went or moved: on all stages. */
void city_ground_update_districts(struct city_server *server);

/* Where the district of this name is. False if there is none. */
bool city_ground_find_district(
	const struct city_server *server, const char *name, struct city_box *box);
/* Calls `each` for every district, and every plaza of windows. */
void city_ground_for_each_district(const struct city_server *server,
	void (*each)(void *data, const char *name, struct city_box box), void *data);
/* The same without plazas. */
void city_ground_for_each_block(const struct city_server *server,
	void (*each)(void *data, const char *name, struct city_box box), void *data);

#endif

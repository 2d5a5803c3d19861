/* SPDX-License-Identifier: MIT */
/* Shared by tile.c and tiles.c alone. */
#ifndef CITY_TILE_INTERNAL_H
#define CITY_TILE_INTERNAL_H

struct city_place;
struct city_tile;
struct city_tiles;

/* Not begun: the caller fills in what the place does not say. NULL when out of memory. */
struct city_tile *city_tile_create(struct city_tiles *tiles, const struct city_place *place);
/* Announces it, puts it on the map if its size is known, and asks for its region. */
void city_tile_begin(struct city_tile *tile);
/* The end of the city. */
void city_tile_leave(struct city_tile *tile);

#endif

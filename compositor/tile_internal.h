/* SPDX-License-Identifier: MIT */
/* Shared by the files of tiles alone: tile.c, tile_*.c, tiles.c. */
#ifndef CITY_TILE_INTERNAL_H
#define CITY_TILE_INTERNAL_H

struct city_frame_event;
struct city_keeper_instance;
struct city_place;
struct city_presented_event;
struct city_tile;
struct city_tile_version;
struct city_tiles;

/* Not begun: the caller fills in what the place does not say. NULL when out of memory. */
struct city_tile *city_tile_create(struct city_tiles *tiles, const struct city_place *place);
/* Announces it, puts it on the map if its size is known, and asks for its region. */
void city_tile_begin(struct city_tile *tile);
/* A process of it ran before this compositor did; between create and begin. */
void city_tile_rejoin(struct city_tile *tile, const struct city_keeper_instance *instance);
/* The version has said what it is, or has ended. */
void city_tile_rejoined(struct city_tile_version *version);
/* The region of a version on probation, which has written all over it. False: it cannot be undone.
 */
bool city_tile_map_ruined(struct city_tile *tile, int region_fd, int undo_fd);
/* Goes on when all have, and the region is there. */
void city_tile_rejoin_conclude(struct city_tile *tile);
/* A frame is built, or was presented: whether it is the first with all tiles from before. */
void city_tiles_return_drawn(struct city_tiles *tiles, const struct city_frame_event *event);
void city_tiles_return_presented(
	struct city_tiles *tiles, const struct city_presented_event *event);
/* The end of the city. */
void city_tile_leave(struct city_tile *tile);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What tiles cost, measured over the last CITY_COST_SECONDS seconds, in cores (1 is all the time of
 * one processor):
 *
 *	cost = CPU time of the tile's process / time
 *	     + frames that it committed / time * megapixels of a frame * CITY_COST_MEGAPIXEL
 *
 * The second term is the compositor's work for it, which is done on its behalf. Of the city's own
 * processes (compositor, keeper, forge) it is the CPU time alone.
 *
 * One sample a second is taken, while the city range is on the screen or somebody has just asked,
 * and only for as long as anything costs more than nothing: a city at rest lets its machine sleep.
 * The next frame of a tile, or move of the camera, begins it again. Main thread only.
 */
#ifndef CITY_COST_H
#define CITY_COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <wayland-server-core.h>

struct city_costs;

/* The folders of the city's own source whose programs are measured. */
#define CITY_COST_FOLDERS 3
extern const char *const city_cost_folders[CITY_COST_FOLDERS];
struct city_server;
struct city_tile;

#define CITY_COST_SECONDS 4
#define CITY_COST_MEGAPIXEL 0.002 /* seconds to show a frame of so many pixels */

struct city_costs *city_costs_create(struct city_server *server); /* NULL when out of memory */
void city_costs_destroy(struct city_costs *costs);		  /* NULL-safe, as are all below */
/* Somebody looks: samples are taken, once a second. */
void city_costs_look(struct city_costs *costs);
/* Below 0: not measured (yet). */
double city_costs_tile(const struct city_costs *costs, const struct city_tile *tile);
/* By the folder of its source: "compositor", "vat" (the keeper) or "forge"; below 0 for others. */
double city_costs_part(const struct city_costs *costs, const char *folder);
/* Emitted after each sample. */
struct wl_signal *city_costs_sampled(struct city_costs *costs);

#endif

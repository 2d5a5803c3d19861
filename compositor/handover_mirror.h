/* SPDX-License-Identifier: MIT */
/*
 * Input for two: while A goes on beside B and fades, it gets the keys, buttons, motions and scrolls
 * that B gets, so that both show the same. The seat knows nothing of it: A never has the focus.
 * Main thread only.
 */
#ifndef CITY_HANDOVER_MIRROR_H
#define CITY_HANDOVER_MIRROR_H

struct city_mirror;
struct city_tile;
struct wlr_surface;

/* What `from` gets, `to` gets as well, while both are there. NULL when out of memory, or without a
 * seat. */
struct city_mirror *city_mirror_create(
	struct city_tile *tile, struct wlr_surface *from, struct wlr_surface *to);
/* Where the pointer is: once a frame. */
void city_mirror_frame(struct city_mirror *mirror, unsigned int time_msec);
void city_mirror_destroy(struct city_mirror *mirror); /* NULL-safe */

#endif

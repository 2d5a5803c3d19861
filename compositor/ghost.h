/* SPDX-License-Identifier: MIT */
/*
 * What is seen of a drag before it is dropped: a ghost, which is an outlined area where something
 * would come to lie, another one round the target, and words at the pointer. On one stage at a
 * time, above all windows. Main thread only.
 */
#ifndef CITY_GHOST_H
#define CITY_GHOST_H

#include <stdbool.h>
#include <wlr/util/box.h>

struct city_ghost;
struct city_stage;

struct city_ghost *city_ghost_create(void);	   /* nothing is seen yet; NULL: out of memory */
void city_ghost_destroy(struct city_ghost *ghost); /* this and the rest: NULL-safe */
/* Boxes in output coordinates; mark: round the target, NULL: there is none. good: a drop would do
 * it. */
void city_ghost_show(struct city_ghost *ghost, struct city_stage *stage, const struct wlr_box *box,
	const struct wlr_box *mark, bool good);
/* While it is shown: words beside this point, on the screen. */
void city_ghost_say(struct city_ghost *ghost, const char *text, int ox, int oy);
void city_ghost_hide(struct city_ghost *ghost);

#endif

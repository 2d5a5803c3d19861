/* SPDX-License-Identifier: MIT */
/*
 * On which screens a surface is, where several stages show it. Each stage has a scene node of its
 * own for the surface, and the scene takes each for the only one: what one node leaves it takes for
 * left, and what one no longer shows for shown nowhere, so that the surface hears of no frames any
 * more. Here the screens of all its nodes are put together again. Main thread only.
 */
#ifndef CITY_PRESENCE_H
#define CITY_PRESENCE_H

struct wlr_scene_surface;

/* For as long as the node is there. Without memory it is as the scene has it. */
void city_presence_watch(struct wlr_scene_surface *scene);

#endif

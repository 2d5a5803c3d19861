/* SPDX-License-Identifier: MIT */
/*
 * A surface tree: the scene nodes of one wl_surface and its subsurfaces, shown at any zoom. The
 * stock scene resets the size of a surface's node at each commit and has no scale for subtrees, so
 * this holds one scene surface per wl_surface and applies position and size again after each
 * commit and whenever it is placed. Main thread only.
 */
#ifndef CITY_SURFACE_H
#define CITY_SURFACE_H

#include <stdbool.h>
#include <wayland-server-core.h>

struct wlr_scene_buffer;
struct wlr_scene_tree;
struct wlr_surface;

struct city_surface_tree;

struct city_surface_tree_listener {
	/* The root surface was destroyed: the tree has emptied itself, free it at leisure. */
	void (*gone)(void *data);
	/* A surface of the tree committed; called after positions were applied. May be NULL. */
	void (*committed)(void *data, struct wlr_surface *surface);
};

/* Nodes become children of `parent`. The pictures the surfaces have now are in the scene when it
 * returns. NULL when out of memory. */
struct city_surface_tree *city_surface_tree_create(struct wlr_scene_tree *parent,
	struct wlr_surface *surface, const struct city_surface_tree_listener *listener, void *data);
void city_surface_tree_destroy(struct city_surface_tree *tree); /* NULL-safe */

/*
 * Where the root surface's (0, 0) is and how large it is shown: output coordinates, not rounded.
 * `base_ox, base_oy` is the position of the parent node in the scene, which is subtracted.
 */
void city_surface_tree_place(struct city_surface_tree *tree, double ox, double oy, double zoom,
	int base_ox, int base_oy);
/* Below another node, in the place that it is given next. */
void city_surface_tree_move(struct city_surface_tree *tree, struct wlr_scene_tree *parent);
void city_surface_tree_set_enabled(struct city_surface_tree *tree, bool enabled);
/* NULL once the root surface was destroyed, and for a tree that is NULL. */
struct wlr_surface *city_surface_tree_root(const struct city_surface_tree *tree);

/* For a scene buffer found by wlr_scene_node_at: its surface and the zoom it is shown at. False
 * when the buffer is not of a surface tree. */
bool city_surface_tree_find(
	struct wlr_scene_buffer *buffer, struct wlr_surface **surface, double *zoom);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * xdg popups, of views (at the map's zoom) and of layer surfaces (at 1:1). A popup belongs to one
 * root; popups of popups too. They are drawn in the popups layer, above panels,
 * of one stage: they must stay on its screen. Main thread only.
 */
#ifndef CITY_POPUP_H
#define CITY_POPUP_H

#include <wayland-server-core.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/util/box.h>

struct city_server;
struct city_stage;
struct city_view;
struct wlr_scene_tree;
struct wlr_xdg_popup;

/* Where the popups' root surface stands, asked each time it matters. */
struct city_popup_root {
	struct city_server *server;
	struct city_view *view; /* for hit tests, NULL for layer surfaces */
	struct wl_list popups;	/* city_popup.link, parents before children */
	/* The stage that a new popup belongs on; and whether one may stay on the stage it is on. */
	struct city_stage *(*stage)(struct city_popup_root *root);
	bool (*is_on)(struct city_popup_root *root, const struct city_stage *stage);
	/* Output coordinates of the root surface's (0, 0) on that stage, and the zoom. */
	void (*origin)(struct city_popup_root *root, const struct city_stage *stage, double *ox,
		double *oy, double *zoom);
};

void city_popup_root_init(struct city_popup_root *root, struct city_server *server);
/* Ends all popups. */
void city_popup_root_finish(struct city_popup_root *root);
/* A new popup somewhere below the root. */
void city_popup_create(struct city_popup_root *root, struct wlr_xdg_popup *popup);
/* The root moved, was zoomed, hidden or shown. */
void city_popup_root_place(struct city_popup_root *root);
void city_popup_root_set_enabled(struct city_popup_root *root, bool enabled);
void city_popup_root_for_each_surface(
	struct city_popup_root *root, wlr_surface_iterator_func_t iterator, void *data);

#endif

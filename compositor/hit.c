/* SPDX-License-Identifier: MIT */
/* The hit test: what is under a point of the screen, and where in its own pixels. */
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/util/edges.h>

#include "compositor/label.h"
#include "compositor/scape.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/surface.h"
#include "compositor/theme.h"
#include "compositor/view.h"

/* Nodes of views, and of their popups, hang below a tree that names the view. */
static struct city_view *owner(struct wlr_scene_node *node) {
	for (struct wlr_scene_tree *tree = node->parent; tree != NULL; tree = tree->node.parent) {
		if (tree->node.data != NULL) {
			return tree->node.data;
		}
	}
	return NULL;
}

/* The layer that the node is in; NULL for none. */
static struct wlr_scene_tree *layer_of(
	const struct city_stage *stage, const struct wlr_scene_node *node) {
	struct wlr_scene_tree *tree = node == NULL ? NULL : node->parent;
	while (tree != NULL && tree->node.parent != stage->tree) {
		tree = tree->node.parent;
	}
	return tree;
}

/* Which edges of the view a point on its frame or just outside moves. */
static uint32_t edges_at(
	const struct city_view *view, const struct city_stage *stage, double ox, double oy) {
	struct wlr_box box = city_view_box_on(view, stage);
	double zoom = stage->camera.zoom;
	int bar = (int)(CITY_TITLEBAR * zoom);
	uint32_t edges = 0;
	/* Corners reach further than edges are thick, or nobody would hit them. */
	int corner = CITY_GRAB_EDGE * 2;
	bool left = ox < box.x, right = ox >= box.x + box.width;
	bool top = oy < box.y - bar, bottom = oy >= box.y + box.height;
	if (left || ((top || bottom) && ox < box.x + corner)) {
		edges |= WLR_EDGE_LEFT;
	} else if (right || ((top || bottom) && ox >= box.x + box.width - corner)) {
		edges |= WLR_EDGE_RIGHT;
	}
	if (top) {
		edges |= WLR_EDGE_TOP;
	} else if (bottom || ((left || right) && oy >= box.y + box.height - corner)) {
		edges |= WLR_EDGE_BOTTOM;
	}
	return edges;
}

/* Frames are thin: a press just outside of one still takes it. */
static struct city_view *near_frame(const struct city_stage *stage, double ox, double oy) {
	struct city_view *view;
	wl_list_for_each(view, &stage->server->views, link) {
		if (!view->shown || view->minimized || !view->framed || view->fullscreen) {
			continue;
		}
		struct wlr_box box = city_map_box(&stage->camera, city_view_outer_box(view));
		box.x -= CITY_GRAB_EDGE;
		box.y -= CITY_GRAB_EDGE;
		box.width += 2 * CITY_GRAB_EDGE;
		box.height += 2 * CITY_GRAB_EDGE;
		if (wlr_box_contains_point(&box, ox, oy)) {
			return view;
		}
	}
	return NULL;
}

static struct city_view *building_at(const struct city_stage *stage, double ox, double oy) {
	struct city_view *view;
	wl_list_for_each(view, &stage->server->views, link) {
		struct wlr_box box = city_map_box(&stage->camera, city_view_outer_box(view));
		if (view->shown && !view->minimized && wlr_box_contains_point(&box, ox, oy)) {
			return view;
		}
	}
	return NULL;
}

struct city_hit city_hit_test(struct city_server *server, double ox, double oy) {
	struct city_stage *stage = city_stage_at(server, ox, oy);
	struct city_hit hit = {.kind = CITY_HIT_NONE, .zoom = 1, .stage = stage};
	double nx, ny;
	struct wlr_scene_node *node = city_stage_node_at(stage, ox, oy, &nx, &ny);
	struct city_view *view = node == NULL ? NULL : owner(node);

	if (node != NULL && node->type == WLR_SCENE_NODE_BUFFER) {
		struct wlr_scene_buffer *buffer = wlr_scene_buffer_from_node(node);
		if (city_surface_tree_find(buffer, &hit.surface, &hit.zoom)) {
			hit.kind = view != NULL ? CITY_HIT_VIEW : CITY_HIT_SURFACE;
			hit.view = view;
			if (view != NULL && hit.surface == city_view_surface(view)) {
				hit.surface = city_view_input_surface(view);
			}
			hit.sx = nx;
			hit.sy = ny;
			return hit;
		}
		struct wlr_scene_surface *scene_surface = wlr_scene_surface_try_from_buffer(buffer);
		if (scene_surface != NULL) {
			hit.kind = CITY_HIT_SURFACE;
			hit.surface = scene_surface->surface;
			hit.sx = nx;
			hit.sy = ny;
			return hit;
		}
		/* The shown picture and the badge over it are seen, the surfaces get the input. */
		const struct city_sight *sight = view == NULL ? NULL : city_view_sight(view, stage);
		if (sight != NULL && (buffer == sight->buffer || node->parent == sight->tree)) {
			double cx, cy;
			city_map_to_city(&stage->camera, ox, oy, &cx, &cy);
			hit.kind = CITY_HIT_VIEW;
			hit.view = view;
			hit.zoom = stage->camera.zoom;
			hit.surface = city_view_surface_at(
				view, cx - view->cx, cy - view->cy, &hit.sx, &hit.sy);
			return hit;
		}
	}
	struct wlr_scene_tree *layer = layer_of(stage, node);
	if (node != NULL && layer == stage->layers.minimap) {
		hit.kind = CITY_HIT_MINIMAP;
		return hit;
	}
	bool ground = node == NULL || layer == stage->layers.ground ||
		layer == stage->layers.districts || layer == stage->layers.buildings;
	/* From afar only its building is seen. */
	if (view == NULL && ground && city_scape_live(stage->camera.zoom) <= 0) {
		hit.view = building_at(stage, ox, oy);
		hit.kind = hit.view != NULL ? CITY_HIT_VIEW : CITY_HIT_NONE;
		hit.zoom = stage->camera.zoom;
		return hit;
	}
	if (view == NULL && ground) {
		view = near_frame(stage, ox, oy);
	}
	if (view != NULL) {
		hit.kind = CITY_HIT_FRAME;
		hit.view = view;
		hit.edges = edges_at(view, stage, ox, oy);
		struct wlr_box close = city_view_close_box(view, stage);
		hit.close = hit.edges == 0 && wlr_box_contains_point(&close, ox, oy);
	}
	return hit;
}

void city_hit_base(struct city_server *server, const struct city_view *view, double ox, double oy,
	double *x, double *y) {
	*x = ox;
	*y = oy;
	if (view != NULL) {
		city_map_to_city(&city_stage_at(server, ox, oy)->camera, ox, oy, x, y);
		*x -= view->cx;
		*y -= view->cy;
	}
}

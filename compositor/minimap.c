/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/config.h"
#include "compositor/ground.h"
#include "compositor/minimap.h"
#include "compositor/scape.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/view.h"

#define SHARE 0.2 /* of the screen's width and height, at most */
#define MIN_SIDE 120
#define MAX_SIDE 360
#define DISTANCE 16 /* from the screen's edges */
#define PADDING 6   /* round the city in it */
#define DOT 2	    /* pixels that a view has at least */
#define FRAME 2	    /* of what the screen shows */
#define RECTS_MAX 4096
#define OPACITY 0xecu
#define SEEN 0x0cu /* opacity of the veil over what the screen shows */

struct city_minimap {
	struct city_stage *stage;
	struct wlr_scene_tree *tree;
	/* In drawing order; those beyond `used` are switched off. */
	struct wlr_scene_rect **rects;
	size_t made, used;
	struct wlr_box box;    /* layout coordinates */
	struct city_box world; /* what it shows */
	double scale, ox, oy;  /* world.cx, world.cy is at ox, oy */
};

static const struct city_palette *palette_of(const struct city_minimap *map) {
	return city_palette_of(map->stage->server->config->style);
}

bool city_minimap_is_shown(const struct city_stage *stage) {
	return stage->minimap != NULL;
}

/* The next rectangle, from below. */
static void add_rect(struct city_minimap *map, struct wlr_box box, uint32_t rgba) {
	float color[4];
	city_color_float(rgba, color);
	if (map->used == map->made) {
		if (map->made == RECTS_MAX) {
			return;
		}
		struct wlr_scene_rect **grown =
			reallocarray(map->rects, map->made + 1, sizeof(struct wlr_scene_rect *));
		if (grown == NULL) {
			return;
		}
		map->rects = grown;
		grown[map->made] = wlr_scene_rect_create(map->tree, 0, 0, color);
		if (grown[map->made] == NULL) {
			return;
		}
		map->made++;
	}
	struct wlr_scene_rect *rect = map->rects[map->used++];
	if (!city_color_same(rect->color, color)) {
		wlr_scene_rect_set_color(rect, color);
	}
	wlr_scene_rect_set_size(rect, box.width, box.height);
	wlr_scene_node_set_position(&rect->node, box.x, box.y);
	wlr_scene_node_set_enabled(&rect->node, true);
}

static void add_border(struct city_minimap *map, struct wlr_box box, int width, uint32_t rgba) {
	int inner = box.height - 2 * width;
	add_rect(map, (struct wlr_box){box.x, box.y, box.width, width}, rgba);
	add_rect(map, (struct wlr_box){box.x, box.y + box.height - width, box.width, width}, rgba);
	add_rect(map, (struct wlr_box){box.x, box.y + width, width, inner}, rgba);
	add_rect(map, (struct wlr_box){box.x + box.width - width, box.y + width, width, inner},
		rgba);
}

struct bounds {
	double left, top, right, bottom;
};

static void extend(struct bounds *bounds, struct city_box box) {
	if (!isfinite(box.cx) || !isfinite(box.cy)) {
		return;
	}
	bounds->left = fmin(bounds->left, box.cx);
	bounds->top = fmin(bounds->top, box.cy);
	bounds->right = fmax(bounds->right, box.cx + box.width);
	bounds->bottom = fmax(bounds->bottom, box.cy + box.height);
}

static void extend_by_district(void *data, const char *name, struct city_box box) {
	extend(data, box);
}

/* The next quarter of source that stands in the city, from *i on; NULL: no more. */
static const struct city_quarter *next_quarter(const struct city_server *server, size_t *i) {
	const struct city_survey *survey = city_scape_survey(server);
	size_t count = 0;
	const struct city_quarter *quarters =
		survey == NULL ? NULL : city_survey_quarters(survey, &count);
	while (*i < count) {
		const struct city_quarter *quarter = &quarters[(*i)++];
		if (quarter->site != CITY_NO_SITE) {
			return quarter;
		}
	}
	return NULL;
}

/* All that there is; a city without anything is what the screen shows. */
static struct city_box find_world(const struct city_stage *stage) {
	struct bounds all = {INFINITY, INFINITY, -INFINITY, -INFINITY};
	const struct city_view *view;
	wl_list_for_each(view, &stage->server->views, link) {
		if (view->shown && !view->minimized) {
			extend(&all, city_view_outer_box(view));
		}
	}
	city_ground_for_each_district(stage->server, extend_by_district, &all);
	const struct city_quarter *quarter;
	for (size_t i = 0; (quarter = next_quarter(stage->server, &i)) != NULL;) {
		extend(&all, quarter->box);
	}
	if (!(all.left < all.right && all.top < all.bottom)) {
		return city_map_visible(&stage->camera, stage->box);
	}
	return (struct city_box){all.left, all.top, all.right - all.left, all.bottom - all.top};
}

static void lay_out(struct city_minimap *map) {
	struct wlr_box screen = city_map_screen(map->stage);
	double width = fmin(fmax(screen.width * SHARE, MIN_SIDE), MAX_SIDE);
	double height = fmin(fmax(screen.height * SHARE * 1.25, MIN_SIDE), MAX_SIDE);
	map->world = find_world(map->stage);
	map->scale = fmin((width - 2 * PADDING) / map->world.width,
		(height - 2 * PADDING) / map->world.height);
	/* As large as the city in it, but never a mere line. */
	width = fmax(map->world.width * map->scale, MIN_SIDE / 2.0) + 2 * PADDING;
	height = fmax(map->world.height * map->scale, MIN_SIDE / 2.0) + 2 * PADDING;
	map->box = (struct wlr_box){
		.x = screen.x + screen.width - (int)ceil(width) - DISTANCE,
		.y = screen.y + screen.height - (int)ceil(height) - DISTANCE,
		.width = (int)ceil(width),
		.height = (int)ceil(height),
	};
	map->ox = map->box.x + (map->box.width - map->world.width * map->scale) / 2;
	map->oy = map->box.y + (map->box.height - map->world.height * map->scale) / 2;
}

static struct wlr_box to_box(const struct city_minimap *map, struct city_box box, int least) {
	double x = map->ox + (box.cx - map->world.cx) * map->scale;
	double y = map->oy + (box.cy - map->world.cy) * map->scale;
	int left = city_map_round(x), top = city_map_round(y);
	int width = city_map_round(x + box.width * map->scale) - left;
	int height = city_map_round(y + box.height * map->scale) - top;
	return (struct wlr_box){
		left, top, width < least ? least : width, height < least ? least : height};
}

static void draw_district(void *data, const char *name, struct city_box box) {
	struct city_minimap *map = data;
	add_rect(map, to_box(map, box, DOT), palette_of(map)->district_inner);
}

static void draw_views(struct city_minimap *map) {
	const struct city_server *server = map->stage->server;
	const struct city_palette *palette = palette_of(map);
	const struct city_view *view;
	wl_list_for_each_reverse(view, &server->views, link) {
		if (!view->shown || view->minimized) {
			continue;
		}
		uint32_t color = view == server->focused ? palette->focus
			: view->kind == CITY_VIEW_TILE	 ? palette->cost[0]
							 : palette->guest;
		add_rect(map, to_box(map, city_view_outer_box(view), DOT), color);
	}
}

/* What the screen shows; where that is outside, at the edge on its side. */
static void draw_camera(struct city_minimap *map) {
	const struct city_stage *stage = map->stage;
	struct wlr_box box = to_box(map, city_map_visible(&stage->camera, stage->box), 2 * FRAME);
	int right = box.x + box.width, bottom = box.y + box.height;
	struct wlr_box in = {
		map->box.x + 1, map->box.y + 1, map->box.width - 2, map->box.height - 2};
	int end_x = in.x + in.width, end_y = in.y + in.height, least = 3 * FRAME;
	box.x = box.x < in.x ? in.x : box.x > end_x - least ? end_x - least : box.x;
	box.y = box.y < in.y ? in.y : box.y > end_y - least ? end_y - least : box.y;
	right = right > end_x ? end_x : right < box.x + least ? box.x + least : right;
	bottom = bottom > end_y ? end_y : bottom < box.y + least ? box.y + least : bottom;
	box.width = right - box.x;
	box.height = bottom - box.y;
	const struct city_palette *palette = palette_of(map);
	uint32_t color = palette->seen;
	add_rect(map, box, (color & ~0xffu) | SEEN);
	add_border(map, box, FRAME, color);
}

void city_minimap_update(struct city_stage *stage) {
	struct city_minimap *map = stage->minimap;
	if (map == NULL || wlr_box_empty(&stage->box)) {
		return;
	}
	lay_out(map);
	map->used = 0;
	add_rect(map, map->box, (palette_of(map)->ground & ~0xffu) | OPACITY);
	const struct city_quarter *quarter;
	for (size_t i = 0; (quarter = next_quarter(stage->server, &i)) != NULL;) {
		draw_district(map, quarter->name, quarter->box);
	}
	city_ground_for_each_district(stage->server, draw_district, map);
	draw_views(map);
	draw_camera(map);
	add_border(map, map->box, 1, palette_of(map)->district_edge);
	for (size_t i = map->used; i < map->made; i++) {
		wlr_scene_node_set_enabled(&map->rects[i]->node, false);
	}
}

static void update_all(void *data) {
	struct city_server *server = data;
	server->minimap_idle = NULL;
	struct city_stage *stage;
	wl_list_for_each(stage, &server->stages, link) {
		city_minimap_update(stage);
	}
}

void city_minimap_changed(struct city_server *server) {
	if (server->minimap_idle == NULL && server->minimaps > 0) {
		server->minimap_idle = wl_event_loop_add_idle(server->loop, update_all, server);
	}
}

void city_minimap_show(struct city_stage *stage, bool shown) {
	if (!shown) {
		city_minimap_destroy(stage);
		return;
	}
	if (stage->minimap != NULL) {
		return;
	}
	struct city_minimap *map = calloc(1, sizeof(*map));
	if (map == NULL) {
		return;
	}
	map->stage = stage;
	map->tree = stage->layers.minimap;
	stage->minimap = map;
	stage->server->minimaps++;
	city_minimap_update(stage);
}

void city_minimap_to_city(
	const struct city_stage *stage, double ox, double oy, double *cx, double *cy) {
	const struct city_minimap *map = stage->minimap;
	*cx = map->world.cx + (ox - map->ox) / map->scale;
	*cy = map->world.cy + (oy - map->oy) / map->scale;
}

void city_minimap_destroy(struct city_stage *stage) {
	struct city_minimap *map = stage->minimap;
	if (map == NULL) {
		return;
	}
	stage->minimap = NULL;
	struct city_server *server = stage->server;
	if (--server->minimaps == 0 && server->minimap_idle != NULL) {
		wl_event_source_remove(server->minimap_idle);
		server->minimap_idle = NULL;
	}
	for (size_t i = 0; i < map->made; i++) {
		wlr_scene_node_destroy(&map->rects[i]->node);
	}
	free(map->rects);
	free(map);
}

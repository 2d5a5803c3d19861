/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/config.h"
#include "compositor/ground.h"
#include "compositor/label.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/view.h"

#define MAX_LINES 512	/* of the grid, each way */
#define MIN_STEP 48.0	/* pixels between two lines of the finest grid that is drawn */
#define BLOCK_MARGIN 40 /* city units from tile to edge of its block */
#define BLOCK_EDGE 1
#define PLAZAS_MAX 64
/* To the eye and in every pixel opaque; but the scene does not cut what is below into a thousand
 * pieces for it, each of which would be drawn by itself. */
#define NEARLY_OPAQUE 0.9999f

struct line_pool {
	struct wlr_scene_rect *rects[MAX_LINES];
	int made;
};

struct district {
	struct wl_list link;
	char *name; /* of a plaza: only to find it by */
	bool plaza;
	struct city_box box;
	bool seen; /* by the current round */
	struct wlr_scene_tree *tree;
	struct wlr_scene_rect *edge, *floor;
	struct city_label *label;
};

struct city_ground {
	struct wlr_scene_rect *floor;
	struct wlr_scene_tree *grid; /* the lines */
	struct line_pool columns, rows;
	struct wl_list districts; /* district.link */
};

static void mix(const float a[4], const float b[4], double share, float out[4]) {
	for (int i = 0; i < 4; i++) {
		out[i] = (float)(a[i] + (b[i] - a[i]) * share);
	}
}

struct grid {
	double step;	    /* pixels */
	double finest;	    /* how strong the lines that the next coarser grid lacks are, 0 to 1 */
	float colors[3][4]; /* odd lines, every second, every fourth */
};

/* Lines fade in as one zooms in: at the zoom where the step halves, the new lines are invisible
 * and the old ones look as before, so nothing jumps. */
static struct grid make_grid(const struct city_stage *stage) {
	const struct city_palette *palette = city_palette_of(stage->server->config->style);
	float ground[4], minor[4], major[4];
	city_color_float(stage->server->config->color_ground, ground);
	city_color_float(palette->grid, minor);
	city_color_float(palette->grid_major, major);
	struct grid grid;
	double wanted = CITY_GRID_STEP * stage->camera.zoom;
	grid.step = wanted * exp2(-floor(log2(wanted / MIN_STEP)));
	grid.finest = log2(grid.step / MIN_STEP);
	mix(ground, minor, grid.finest, grid.colors[0]);
	mix(minor, major, grid.finest, grid.colors[1]);
	memcpy(grid.colors[2], major, sizeof(major));
	for (int i = 0; i < 3; i++) {
		grid.colors[i][3] = NEARLY_OPAQUE;
	}
	return grid;
}

static void draw_lines(struct city_stage *stage, struct line_pool *pool, const struct grid *grid,
	struct wlr_box area, bool column) {
	double start = column ? area.x : area.y, length = column ? area.width : area.height;
	double origin = -(column ? stage->camera.cx : stage->camera.cy) * stage->camera.zoom;
	double first = ceil((start - origin) / grid->step);
	int used = 0;
	for (double index = first; used < MAX_LINES; index++) {
		double at = origin + index * grid->step;
		if (at >= start + length) {
			break;
		}
		struct wlr_scene_rect **rect = &pool->rects[used];
		/* Odd lines, then every second, then every fourth. */
		int rank = fmod(fabs(index), 4) == 0 ? 2 : fmod(fabs(index), 2) == 0 ? 1 : 0;
		if (used == pool->made) {
			*rect = wlr_scene_rect_create(
				stage->ground->grid, 0, 0, grid->colors[rank]);
			if (*rect == NULL) {
				break;
			}
			pool->made++;
		}
		used++;
		if (!city_color_same((*rect)->color, grid->colors[rank])) {
			wlr_scene_rect_set_color(*rect, grid->colors[rank]);
		}
		int pixel = (int)floor(at + 0.5);
		wlr_scene_rect_set_size(*rect, column ? 1 : area.width, column ? area.height : 1);
		wlr_scene_node_set_position(
			&(*rect)->node, column ? pixel : area.x, column ? area.y : pixel);
		wlr_scene_node_set_enabled(&(*rect)->node, rank > 0 || grid->finest > 0.02);
	}
	for (int i = used; i < pool->made; i++) {
		wlr_scene_node_set_enabled(&pool->rects[i]->node, false);
	}
}

static void set_rect(struct wlr_scene_rect *rect, int x, int y, int width, int height) {
	wlr_scene_node_set_position(&rect->node, x, y);
	wlr_scene_rect_set_size(rect, width, height);
}

static void set_color(struct wlr_scene_rect *rect, uint32_t rgba) {
	float color[4];
	city_color_float(rgba, color);
	if (!city_color_same(rect->color, color)) {
		wlr_scene_rect_set_color(rect, color);
	}
}

static void place_district(struct city_stage *stage, struct district *district) {
	const struct city_palette *palette = city_palette_of(stage->server->config->style);
	set_color(district->edge, palette->district_edge);
	set_color(district->floor, palette->district);
	struct wlr_box box = city_map_box(&stage->camera, district->box);
	set_rect(district->edge, box.x, box.y, box.width, box.height);
	set_rect(district->floor, box.x + BLOCK_EDGE, box.y + BLOCK_EDGE,
		box.width > 2 * BLOCK_EDGE ? box.width - 2 * BLOCK_EDGE : 0,
		box.height > 2 * BLOCK_EDGE ? box.height - 2 * BLOCK_EDGE : 0);
	double zoom = stage->camera.zoom;
	/* Above the block, where nothing of what stands on it can meet it. It grows slower than
	 * that, so that it is there when one looks for it. */
	double size = CITY_TYPE_LARGE * pow(fmax(zoom, 1e-3), 0.4);
	bool shown = box.width > CITY_NAME_WIDTH;
	city_label_set_enabled(district->label, shown);
	if (shown) {
		struct city_label_style style = {
			.font = stage->server->config->font,
			.size = (int)round(fmin(fmax(size, CITY_TYPE_SMALL), CITY_TYPE_MOST)),
			.color = palette->text_dim,
			.max_width = box.width,
			.max_lines = 1,
		};
		city_label_set(district->label, district->plaza ? "plaza" : district->name, &style,
			stage->scale);
		city_label_set_opacity(district->label, city_name_share(box.width));
		city_label_set_position(district->label, box.x,
			box.y - city_label_height(district->label) - CITY_SPACE_TINY);
	}
}

static void district_destroy(struct district *district) {
	wl_list_remove(&district->link);
	city_label_destroy(district->label);
	if (district->tree != NULL) {
		wlr_scene_node_destroy(&district->tree->node);
	}
	free(district->name);
	free(district);
}

static struct district *get_district(struct city_stage *stage, const char *name, bool plaza) {
	struct district *district;
	wl_list_for_each(district, &stage->ground->districts, link) {
		if (district->plaza == plaza && strcmp(district->name, name) == 0) {
			return district;
		}
	}
	district = calloc(1, sizeof(*district));
	if (district == NULL) {
		return NULL;
	}
	wl_list_insert(&stage->ground->districts, &district->link);
	float edge[4], floor_color[4];
	const struct city_palette *palette = city_palette_of(stage->server->config->style);
	city_color_float(palette->district_edge, edge);
	city_color_float(palette->district, floor_color);
	district->plaza = plaza;
	district->name = strdup(name);
	district->tree = wlr_scene_tree_create(stage->layers.districts);
	if (district->tree != NULL) {
		district->edge = wlr_scene_rect_create(district->tree, 0, 0, edge);
		district->floor = wlr_scene_rect_create(district->tree, 0, 0, floor_color);
		district->label = city_label_create(district->tree);
	}
	if (district->name == NULL || district->edge == NULL || district->floor == NULL ||
		district->label == NULL) {
		district_destroy(district);
		return NULL;
	}
	return district;
}

static bool meet(struct city_box a, struct city_box b) {
	return a.cx < b.cx + b.width && b.cx < a.cx + a.width && a.cy < b.cy + b.height &&
		b.cy < a.cy + a.height;
}

static struct city_box block_of(const struct city_view *view) {
	struct city_box box = city_view_outer_box(view);
	box.cx -= BLOCK_MARGIN;
	box.cy -= BLOCK_MARGIN;
	box.width += 2 * BLOCK_MARGIN;
	box.height += 2 * BLOCK_MARGIN;
	return box;
}

static bool on_district(const struct city_stage *stage, struct city_box box) {
	const struct district *district;
	wl_list_for_each(district, &stage->ground->districts, link) {
		if (district->seen && !district->plaza && meet(district->box, box)) {
			return true;
		}
	}
	return false;
}

/* Windows of ordinary programs stand on plazas, one for those that are near each other; but not
 * those that somebody has put among tiles. */
static void update_plazas(struct city_stage *stage) {
	struct city_box boxes[PLAZAS_MAX];
	size_t count = 0;
	const struct city_view *view;
	wl_list_for_each(view, &stage->server->views, link) {
		if (view->district != NULL || !view->shown || view->minimized || view->fullscreen ||
			view->maximized || view->width <= 0) {
			continue;
		}
		struct city_box box = block_of(view);
		for (size_t i = 0; i < count;) {
			if (!meet(boxes[i], box)) {
				i++;
				continue;
			}
			/* It may have become a neighbour of those that were looked at before. */
			city_box_join(&box, boxes[i]);
			boxes[i] = boxes[--count];
			i = 0;
		}
		if (count < PLAZAS_MAX) {
			boxes[count++] = box;
		}
	}
	int number = 0;
	for (size_t i = 0; i < count; i++) {
		char key[32];
		if (on_district(stage, boxes[i])) {
			continue;
		}
		snprintf(key, sizeof(key), "plaza %d", number++);
		struct district *district = get_district(stage, key, true);
		if (district != NULL) {
			district->box = boxes[i];
			district->seen = true;
		}
	}
}

static void update_districts(struct city_stage *stage) {
	struct district *district, *next;
	wl_list_for_each(district, &stage->ground->districts, link) {
		district->seen = false;
	}
	struct city_view *view;
	wl_list_for_each(view, &stage->server->views, link) {
		if (view->district == NULL || !view->shown) {
			continue;
		}
		district = get_district(stage, view->district, false);
		if (district == NULL) {
			continue;
		}
		struct city_box box = block_of(view);
		if (district->seen) {
			city_box_join(&district->box, box);
		} else {
			district->box = box;
			district->seen = true;
		}
	}
	update_plazas(stage);
	wl_list_for_each_safe(district, next, &stage->ground->districts, link) {
		if (district->seen) {
			place_district(stage, district);
		} else {
			district_destroy(district);
		}
	}
}

void city_ground_update_districts(struct city_server *server) {
	struct city_stage *stage;
	wl_list_for_each(stage, &server->stages, link) {
		if (stage->ground != NULL) {
			update_districts(stage);
		}
	}
}

static void for_each(const struct city_server *server, bool plazas,
	void (*each)(void *data, const char *name, struct city_box box), void *data) {
	const struct city_stage *stage;
	wl_list_for_each(stage, &server->stages, link) {
		if (stage->ground == NULL) {
			continue;
		}
		const struct district *district;
		wl_list_for_each(district, &stage->ground->districts, link) {
			if (plazas || !district->plaza) {
				each(data, district->name, district->box);
			}
		}
		return; /* they are the same on every stage */
	}
}

void city_ground_for_each_district(const struct city_server *server,
	void (*each)(void *data, const char *name, struct city_box box), void *data) {
	for_each(server, true, each, data);
}

void city_ground_for_each_block(const struct city_server *server,
	void (*each)(void *data, const char *name, struct city_box box), void *data) {
	for_each(server, false, each, data);
}

struct search {
	const char *name;
	struct city_box *box;
	bool found;
};

static void match(void *data, const char *name, struct city_box box) {
	struct search *search = data;
	if (!search->found && strcmp(search->name, name) == 0) {
		search->found = true;
		*search->box = box;
	}
}

bool city_ground_find_district(
	const struct city_server *server, const char *name, struct city_box *box) {
	struct search search = {name, box, false};
	city_ground_for_each_district(server, match, &search);
	return search.found;
}

void city_ground_update(struct city_stage *stage) {
	struct city_ground *ground = stage->ground;
	if (ground == NULL) {
		return;
	}
	struct wlr_box area = stage->box;
	set_color(ground->floor, stage->server->config->color_ground);
	set_rect(ground->floor, area.x, area.y, area.width, area.height);
	struct grid grid = make_grid(stage);
	/* For each node that changes in sight the scene looks at all others: once is enough. */
	wlr_scene_node_set_enabled(&ground->grid->node, false);
	draw_lines(stage, &ground->columns, &grid, area, true);
	draw_lines(stage, &ground->rows, &grid, area, false);
	wlr_scene_node_set_enabled(&ground->grid->node, true);
	struct district *district;
	wl_list_for_each(district, &ground->districts, link) {
		place_district(stage, district);
	}
}

bool city_ground_create(struct city_stage *stage) {
	struct city_ground *ground = calloc(1, sizeof(*ground));
	if (ground == NULL) {
		return false;
	}
	wl_list_init(&ground->districts);
	float color[4];
	city_color_float(stage->server->config->color_ground, color);
	ground->floor = wlr_scene_rect_create(stage->layers.ground, 0, 0, color);
	ground->grid = wlr_scene_tree_create(stage->layers.ground);
	if (ground->floor == NULL || ground->grid == NULL) {
		free(ground);
		return false;
	}
	stage->ground = ground;
	update_districts(stage);
	return true;
}

void city_ground_destroy(struct city_stage *stage) {
	struct city_ground *ground = stage->ground;
	if (ground == NULL) {
		return;
	}
	struct district *district, *next;
	wl_list_for_each_safe(district, next, &ground->districts, link) {
		district_destroy(district);
	}
	/* The rectangles go with the scene. */
	free(ground);
	stage->ground = NULL;
}

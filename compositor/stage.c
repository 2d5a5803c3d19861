/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/desk.h"
#include "compositor/ground.h"
#include "compositor/minimap.h"
#include "compositor/output.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/sheets.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/view.h"

/* Between two stages in the scene. A view is at most 16384 units large and shown at 8 times that,
 * and what no output shows of it is not drawn: this is far enough. */
#define APART (1 << 22)
#define STAGES_MAX 256

static bool create_layers(struct city_stage *stage) {
	struct city_layers *layers = &stage->layers;
	struct wlr_scene_tree **trees[] = {&layers->unseen, &layers->ground,
		&layers->shell_background, &layers->shell_bottom, &layers->districts,
		&layers->views, &layers->above, &layers->buildings, &layers->shell_top,
		&layers->minimap, &layers->fullscreen, &layers->popups, &layers->shell_overlay,
		&layers->drag, &layers->input_method, &layers->lock};
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		*trees[i] = wlr_scene_tree_create(stage->tree);
		if (*trees[i] == NULL) {
			return false;
		}
	}
	float color[4];
	city_color_float(CITY_COLOR_LOCKED, color);
	stage->cover = wlr_scene_rect_create(layers->lock, 0, 0, color);
	wlr_scene_node_set_enabled(&layers->lock->node, false);
	wlr_scene_node_set_enabled(&layers->unseen->node, false);
	return stage->cover != NULL;
}

/* The first place that no other stage has. */
static int find_room(struct city_server *server) {
	for (int i = 1; i < STAGES_MAX; i++) {
		bool taken = false;
		struct city_stage *other;
		wl_list_for_each(other, &server->stages, link) {
			taken = taken || other->at == i * APART;
		}
		if (!taken) {
			return i * APART;
		}
	}
	return -1;
}

struct city_stage *city_stage_create(struct city_server *server, struct city_output *output) {
	int at = find_room(server);
	struct city_stage *stage = at < 0 ? NULL : calloc(1, sizeof(*stage));
	if (stage == NULL) {
		return NULL;
	}
	stage->server = server;
	stage->output = output;
	stage->at = at;
	stage->scale = 1;
	city_map_init(&stage->camera);
	if (server->nowhere != NULL) {
		city_map_copy(&stage->camera, &city_stage_focused(server)->camera);
		if (output != NULL) {
			city_desk_camera(server->desk, output->wlr_output->name, &stage->camera);
		}
	}
	wl_list_insert(server->stages.prev, &stage->link);
	stage->tree = wlr_scene_tree_create(&server->scene->tree);
	if (stage->tree == NULL || !create_layers(stage)) {
		goto error;
	}
	wlr_scene_node_set_position(&stage->tree->node, at, 0);
	if (server->nowhere == NULL) {
		/* The first one: nobody sees it, it only keeps things. */
		wlr_scene_node_set_enabled(&stage->tree->node, false);
		return stage;
	}
	if (!city_ground_create(stage) || !city_sheets_create(stage) || !city_views_enter(stage)) {
		goto error;
	}
	return stage;

error:
	city_stage_destroy(stage);
	return NULL;
}

static void move_children(struct wlr_scene_tree *from, struct wlr_scene_tree *to) {
	struct wlr_scene_node *node, *next;
	wl_list_for_each_safe(node, next, &from->children, link) {
		wlr_scene_node_reparent(node, to);
	}
}

void city_stage_destroy(struct city_stage *stage) {
	if (stage == NULL) {
		return;
	}
	struct city_server *server = stage->server;
	city_views_leave(stage);
	city_minimap_destroy(stage);
	city_sheets_destroy(stage);
	city_ground_destroy(stage);
	if (stage->cover != NULL) {
		wlr_scene_node_destroy(&stage->cover->node);
	}
	struct city_stage *nowhere = server->nowhere;
	if (nowhere != NULL && nowhere != stage && stage->layers.lock != NULL) {
		move_children(stage->layers.popups, nowhere->layers.popups);
		move_children(stage->layers.shell_overlay, nowhere->layers.shell_overlay);
		move_children(stage->layers.drag, nowhere->layers.drag);
		move_children(stage->layers.input_method, nowhere->layers.input_method);
		move_children(stage->layers.lock, nowhere->layers.lock);
	}
	wl_list_remove(&stage->link);
	if (stage->tree != NULL) {
		wlr_scene_node_destroy(&stage->tree->node);
	}
	free(stage);
}

void city_stage_update(struct city_stage *stage) {
	struct city_server *server = stage->server;
	/* For each node that changes in sight the scene looks at all others, and when the camera
	 * moves nearly all change. So they do it out of its sight, and it looks once. */
	bool seen = stage->tree->node.enabled;
	wlr_scene_node_set_enabled(&stage->tree->node, false);
	city_ground_update(stage);
	city_sheets_update(stage);
	city_views_update(stage);
	city_minimap_update(stage);
	wlr_scene_node_set_enabled(&stage->tree->node, seen);
	wl_signal_emit_mutable(&server->events.camera, stage);
	city_seat_scene_changed(server->seat);
}

struct city_stage *city_stage_focused(struct city_server *server) {
	struct city_output *output = city_server_focused_output(server);
	return output != NULL ? output->stage : server->nowhere;
}

struct city_stage *city_stage_at(struct city_server *server, double ox, double oy) {
	struct city_output *output = city_output_at(server, ox, oy);
	return output != NULL ? output->stage : server->nowhere;
}

bool city_stage_exists(const struct city_server *server, const struct city_stage *stage) {
	const struct city_stage *other;
	wl_list_for_each(other, &server->stages, link) {
		if (other == stage) {
			return true;
		}
	}
	return false;
}

struct wlr_scene_node *city_stage_node_at(
	struct city_stage *stage, double ox, double oy, double *nx, double *ny) {
	return wlr_scene_node_at(&stage->tree->node, ox + stage->at, oy, nx, ny);
}

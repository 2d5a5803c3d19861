/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/config.h"
#include "compositor/ghost.h"
#include "compositor/label.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/theme.h"

#define LINE 2 /* pixels of an outline */
#define LABEL_OFFSET 18

/* An area with an outline. */
struct frame {
	struct wlr_scene_tree *tree;
	struct wlr_scene_rect *fill, *sides[4];
};

struct city_ghost {
	struct city_stage *stage; /* that the nodes are on; NULL: none */
	struct wlr_scene_tree *tree;
	struct wl_listener tree_destroy;
	struct frame box, mark;
	struct city_label *label;
	bool good;
};

static void forget_nodes(struct city_ghost *ghost) {
	wl_list_remove(&ghost->tree_destroy.link);
	ghost->tree = NULL;
	ghost->stage = NULL;
	ghost->label = NULL;
}

static void handle_tree_destroy(struct wl_listener *listener, void *data) {
	struct city_ghost *ghost = wl_container_of(listener, ghost, tree_destroy);
	/* Its output went. The label's node goes with the tree. */
	city_label_destroy(ghost->label);
	forget_nodes(ghost);
}

void city_ghost_hide(struct city_ghost *ghost) {
	if (ghost != NULL && ghost->tree != NULL) {
		struct wlr_scene_tree *tree = ghost->tree;
		city_label_destroy(ghost->label);
		forget_nodes(ghost);
		wlr_scene_node_destroy(&tree->node);
	}
}

static bool frame_create(struct frame *frame, struct wlr_scene_tree *parent) {
	static const float none[4] = {0};
	frame->tree = wlr_scene_tree_create(parent);
	bool good = frame->tree != NULL &&
		(frame->fill = wlr_scene_rect_create(frame->tree, 0, 0, none)) != NULL;
	for (int i = 0; good && i < 4; i++) {
		frame->sides[i] = wlr_scene_rect_create(frame->tree, 0, 0, none);
		good = frame->sides[i] != NULL;
	}
	return good;
}

static void frame_set(struct frame *frame, struct wlr_box box, uint32_t color) {
	float line[4], fill[4];
	city_color_float(color, line);
	city_color_float((color & 0xffffff00) | 0x30, fill);
	int width = box.width > 1 ? box.width : 1, height = box.height > 1 ? box.height : 1;
	wlr_scene_node_set_position(&frame->tree->node, box.x, box.y);
	wlr_scene_rect_set_size(frame->fill, width, height);
	wlr_scene_rect_set_color(frame->fill, fill);
	const struct wlr_box sides[4] = {
		{0, 0, width, LINE},
		{0, height - LINE, width, LINE},
		{0, 0, LINE, height},
		{width - LINE, 0, LINE, height},
	};
	for (int i = 0; i < 4; i++) {
		wlr_scene_node_set_position(&frame->sides[i]->node, sides[i].x, sides[i].y);
		wlr_scene_rect_set_size(frame->sides[i], sides[i].width, sides[i].height);
		wlr_scene_rect_set_color(frame->sides[i], line);
	}
}

static bool make_nodes(struct city_ghost *ghost, struct city_stage *stage) {
	if (ghost->stage == stage) {
		return true;
	}
	city_ghost_hide(ghost);
	ghost->tree = wlr_scene_tree_create(stage->layers.drag);
	if (ghost->tree == NULL) {
		return false;
	}
	ghost->stage = stage;
	ghost->tree_destroy.notify = handle_tree_destroy;
	wl_signal_add(&ghost->tree->node.events.destroy, &ghost->tree_destroy);
	if (!frame_create(&ghost->mark, ghost->tree) || !frame_create(&ghost->box, ghost->tree) ||
		!(ghost->label = city_label_create(ghost->tree))) {
		city_ghost_hide(ghost);
		return false;
	}
	return true;
}

void city_ghost_show(struct city_ghost *ghost, struct city_stage *stage, const struct wlr_box *box,
	const struct wlr_box *mark, bool good) {
	if (ghost == NULL || !make_nodes(ghost, stage)) {
		return;
	}
	const struct city_palette *palette = city_palette_of(stage->server->config->style);
	uint32_t color = good ? palette->good : palette->warn;
	ghost->good = good;
	frame_set(&ghost->box, *box, color);
	wlr_scene_node_set_enabled(&ghost->mark.tree->node, mark != NULL);
	if (mark != NULL) {
		frame_set(&ghost->mark, *mark, color);
	}
}

void city_ghost_say(struct city_ghost *ghost, const char *text, int ox, int oy) {
	if (ghost == NULL || ghost->stage == NULL) {
		return;
	}
	const struct city_stage *stage = ghost->stage;
	const struct city_palette *palette = city_palette_of(stage->server->config->style);
	struct city_label_style style = {
		.font = stage->server->config->font,
		.size = CITY_TYPE_TEXT,
		.color = palette->badge_text,
		.background = ghost->good ? palette->badge_info : palette->badge_warn,
		.pad_x = CITY_SPACE,
		.pad_y = CITY_SPACE_SMALL,
		.max_width = 480,
		.max_lines = 3,
	};
	city_label_set(ghost->label, text, &style, stage->scale);
	/* Beside the pointer, on the screen. */
	int x = ox + LABEL_OFFSET, y = oy + LABEL_OFFSET;
	int right = stage->box.x + stage->box.width - city_label_width(ghost->label);
	int bottom = stage->box.y + stage->box.height - city_label_height(ghost->label);
	city_label_set_position(ghost->label, x < right ? x : right, y < bottom ? y : bottom);
}

struct city_ghost *city_ghost_create(void) {
	struct city_ghost *ghost = calloc(1, sizeof(*ghost));
	if (ghost != NULL) {
		wl_list_init(&ghost->tree_destroy.link);
	}
	return ghost;
}

void city_ghost_destroy(struct city_ghost *ghost) {
	city_ghost_hide(ghost);
	free(ghost);
}

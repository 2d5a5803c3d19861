/* SPDX-License-Identifier: MIT */
/* What the stages show of a view: its content and where it is. */
#include <stdlib.h>
#include <wlr/types/wlr_buffer.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_presentation_time.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/scape.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/surface.h"
#include "compositor/view.h"

#define MARGIN 48 /* pixels round the screen in which views are drawn already */

/* Content. */

static void surfaces_committed(void *data, struct wlr_surface *surface) {
	/* The surface tree has placed its nodes itself; what is below the pointer may differ. */
	struct city_sight *sight = data;
	city_seat_scene_changed(sight->view->server->seat);
}

static const struct city_surface_tree_listener surfaces_listener = {
	.committed = surfaces_committed,
};

/* The nodes of the current surface instead of those of the one before. */
static bool show_surfaces(struct city_sight *sight) {
	struct city_view *view = sight->view;
	struct city_surface_tree *tree = NULL;
	if (view->surface != NULL) {
		tree = city_surface_tree_create(
			sight->content, view->surface, &surfaces_listener, sight);
		if (tree == NULL) {
			return false;
		}
		city_surface_tree_set_enabled(tree, view->picture == NULL);
	}
	city_surface_tree_destroy(sight->surfaces);
	sight->surfaces = tree;
	return true;
}

static void handle_surface_destroy(struct wl_listener *listener, void *data) {
	struct city_view *view = wl_container_of(listener, view, surface_destroy);
	wl_list_remove(&view->surface_destroy.link);
	wl_list_init(&view->surface_destroy.link);
	wl_list_remove(&view->surface_commit.link);
	wl_list_init(&view->surface_commit.link);
	view->surface = NULL;
	struct city_sight *sight;
	wl_list_for_each(sight, &view->sights, link) {
		city_surface_tree_destroy(sight->surfaces);
		sight->surfaces = NULL;
	}
	city_seat_scene_changed(view->server->seat);
}

static void handle_surface_commit(struct wl_listener *listener, void *data) {
	struct city_view *view = wl_container_of(listener, view, surface_commit);
	const struct wlr_surface *surface = view->surface;
	if ((surface->current.committed & WLR_SURFACE_STATE_BUFFER) != 0) {
		view->megapixels += (double)surface->current.buffer_width *
			surface->current.buffer_height / 1e6;
		city_scape_drawn(view->server);
	}
}

bool city_view_set_surface(struct city_view *view, struct wlr_surface *surface) {
	if (view->surface == surface) {
		return true;
	}
	wl_list_remove(&view->surface_destroy.link);
	wl_list_init(&view->surface_destroy.link);
	wl_list_remove(&view->surface_commit.link);
	wl_list_init(&view->surface_commit.link);
	view->surface = surface;
	if (surface != NULL) {
		view->surface_destroy.notify = handle_surface_destroy;
		wl_signal_add(&surface->events.destroy, &view->surface_destroy);
		view->surface_commit.notify = handle_surface_commit;
		wl_signal_add(&surface->events.commit, &view->surface_commit);
	}
	bool ok = true;
	struct city_sight *sight;
	wl_list_for_each(sight, &view->sights, link) {
		if (sight->content != NULL) {
			ok = show_surfaces(sight) && ok;
		}
	}
	city_view_update(view);
	city_seat_focus_update(view->server->seat);
	city_seat_scene_changed(view->server->seat);
	return ok;
}

struct wlr_surface *city_view_surface(const struct city_view *view) {
	return view->surface;
}

void city_view_set_input_surface(struct city_view *view, struct wlr_surface *surface) {
	view->input_surface = surface;
}

struct wlr_surface *city_view_input_surface(const struct city_view *view) {
	return view->input_surface != NULL ? view->input_surface : city_view_surface(view);
}

void city_view_set_offset(struct city_view *view, int offset_sx, int offset_sy) {
	if (view->offset_sx != offset_sx || view->offset_sy != offset_sy) {
		view->offset_sx = offset_sx;
		view->offset_sy = offset_sy;
		city_view_update(view);
	}
}

static void send_frame_done(struct wlr_surface *surface, int sx, int sy, void *data) {
	wlr_surface_send_frame_done(surface, data);
}

/* The hidden surfaces live on: they are told of frames as if the shown buffer were theirs. */
static void handle_buffer_frame_done(struct wl_listener *listener, void *data) {
	struct city_sight *sight = wl_container_of(listener, sight, buffer_frame_done);
	struct wlr_scene_frame_done_event *event = data;
	struct wlr_surface *surface = city_view_surface(sight->view);
	if (surface != NULL) {
		wlr_surface_for_each_surface(surface, send_frame_done, &event->when);
	}
}

static void mark_sampled(struct wlr_surface *surface, int sx, int sy, void *data) {
	wlr_presentation_surface_textured_on_output(surface, data);
}

static void handle_buffer_sampled(struct wl_listener *listener, void *data) {
	struct city_sight *sight = wl_container_of(listener, sight, buffer_sampled);
	struct wlr_scene_output_sample_event *event = data;
	struct wlr_surface *surface = city_view_surface(sight->view);
	if (surface != NULL && sight->buffer->primary_output == event->output) {
		wlr_surface_for_each_surface(surface, mark_sampled, event->output->output);
	}
}

static bool show_picture(struct city_sight *sight, const pixman_region32_t *damage) {
	if (sight->buffer == NULL) {
		sight->buffer = wlr_scene_buffer_create(sight->content, NULL);
		if (sight->buffer == NULL) {
			return false;
		}
		sight->buffer_frame_done.notify = handle_buffer_frame_done;
		wl_signal_add(&sight->buffer->events.frame_done, &sight->buffer_frame_done);
		sight->buffer_sampled.notify = handle_buffer_sampled;
		wl_signal_add(&sight->buffer->events.output_sample, &sight->buffer_sampled);
		if (sight->surfaces != NULL) {
			city_surface_tree_set_enabled(sight->surfaces, false);
		}
		damage = NULL;
	}
	wlr_scene_buffer_set_buffer_with_damage(sight->buffer, sight->view->picture, damage);
	return true;
}

static void hide_picture(struct city_sight *sight) {
	if (sight->buffer == NULL) {
		return;
	}
	wl_list_remove(&sight->buffer_frame_done.link);
	wl_list_remove(&sight->buffer_sampled.link);
	wlr_scene_node_destroy(&sight->buffer->node);
	sight->buffer = NULL;
	if (sight->surfaces != NULL) {
		city_surface_tree_set_enabled(sight->surfaces, true);
	}
}

bool city_view_show_buffer(
	struct city_view *view, struct wlr_buffer *buffer, const pixman_region32_t *damage) {
	struct wlr_buffer *old = view->picture;
	view->picture = wlr_buffer_lock(buffer);
	wlr_buffer_unlock(old);
	bool ok = true;
	struct city_sight *sight;
	wl_list_for_each(sight, &view->sights, link) {
		if (sight->content != NULL) {
			ok = show_picture(sight, damage) && ok;
		}
	}
	city_view_update(view);
	return ok;
}

void city_view_show_surface(struct city_view *view) {
	if (view->picture == NULL) {
		return;
	}
	wlr_buffer_unlock(view->picture);
	view->picture = NULL;
	struct city_sight *sight;
	wl_list_for_each(sight, &view->sights, link) {
		hide_picture(sight);
	}
}

/* Sights. */

static bool sight_create(struct city_view *view, struct city_stage *stage) {
	struct city_sight *sight = calloc(1, sizeof(*sight));
	if (sight == NULL) {
		return false;
	}
	sight->tree = wlr_scene_tree_create(stage->layers.unseen);
	if (sight->tree == NULL) {
		free(sight);
		return false;
	}
	sight->view = view;
	sight->stage = stage;
	sight->tree->node.data = view;
	wlr_scene_node_set_enabled(&sight->tree->node, false);
	wl_list_insert(view->sights.prev, &sight->link);
	return true;
}

static void sight_destroy(struct city_sight *sight) {
	hide_picture(sight);
	city_surface_tree_destroy(sight->surfaces);
	city_sight_finish_frame(sight);
	wlr_scene_node_destroy(&sight->tree->node);
	wl_list_remove(&sight->link);
	free(sight);
}

void city_view_destroy_sights(struct city_view *view) {
	struct city_sight *sight, *next;
	wl_list_for_each_safe(sight, next, &view->sights, link) {
		sight_destroy(sight);
	}
}

bool city_view_create_sights(struct city_view *view) {
	struct city_stage *stage;
	wl_list_for_each(stage, &view->server->stages, link) {
		if (stage != view->server->nowhere && !sight_create(view, stage)) {
			city_view_destroy_sights(view);
			return false;
		}
	}
	return true;
}

/* What it needs to be looked at. */
static bool fill_sight(struct city_sight *sight) {
	if (sight->content != NULL) {
		return true;
	}
	sight->frame = wlr_scene_tree_create(sight->tree);
	struct wlr_scene_tree *content = wlr_scene_tree_create(sight->tree);
	if (sight->frame == NULL || content == NULL) {
		if (sight->frame != NULL) {
			wlr_scene_node_destroy(&sight->frame->node);
			sight->frame = NULL;
		}
		if (content != NULL) {
			wlr_scene_node_destroy(&content->node);
		}
		return false;
	}
	sight->content = content;
	return show_surfaces(sight) && (sight->view->picture == NULL || show_picture(sight, NULL));
}

struct city_sight *city_view_sight(const struct city_view *view, const struct city_stage *stage) {
	struct city_sight *sight;
	wl_list_for_each(sight, &view->sights, link) {
		if (sight->stage == stage) {
			return sight;
		}
	}
	return NULL;
}

bool city_views_enter(struct city_stage *stage) {
	struct city_server *server = stage->server;
	struct city_view *view;
	wl_list_for_each(view, &server->views, link) {
		if (!sight_create(view, stage)) {
			return false;
		}
	}
	city_views_lift(server);
	return true;
}

void city_views_leave(struct city_stage *stage) {
	struct city_view *view;
	wl_list_for_each(view, &stage->server->views, link) {
		struct city_sight *sight = city_view_sight(view, stage);
		if (sight != NULL) {
			sight_destroy(sight);
		}
	}
}

/* Placing. */

/* Whether the view covers the stage's output above the panels: fullscreen, focused and in the room.
 */
static bool is_covering(const struct city_view *view, const struct city_stage *stage) {
	if (!view->fullscreen || view->server->focused != view || stage->camera.zoom != 1) {
		return false;
	}
	struct wlr_box box = city_view_box_on(view, stage);
	return !wlr_box_empty(&stage->box) && box.x == stage->box.x && box.y == stage->box.y;
}

/* Nearly in view is in view: names stand above frames. */
static bool is_near(const struct city_view *view, const struct city_stage *stage) {
	struct wlr_box box = city_map_box(&stage->camera, city_view_outer_box(view));
	if (wlr_box_empty(&stage->box)) {
		return false;
	}
	return box.x <= stage->box.x + stage->box.width + MARGIN &&
		box.y <= stage->box.y + stage->box.height + MARGIN &&
		box.x + box.width >= stage->box.x - MARGIN &&
		box.y + box.height >= stage->box.y - MARGIN;
}

/* Into its place among those that are there already: above all that were raised before it. */
static void enter_layer(struct city_sight *sight, struct wlr_scene_tree *layer) {
	wlr_scene_node_reparent(&sight->tree->node, layer);
	struct wlr_scene_node *node;
	wl_list_for_each(node, &layer->children, link) {
		const struct city_view *other = node->data;
		if (other->raised > sight->view->raised) {
			wlr_scene_node_place_below(&sight->tree->node, node);
			return;
		}
	}
}

static void leave(struct city_sight *sight) {
	wlr_scene_node_set_enabled(&sight->tree->node, false);
	wlr_scene_node_reparent(&sight->tree->node, sight->stage->layers.unseen);
}

static void update_sight(struct city_sight *sight) {
	struct city_view *view = sight->view;
	struct city_stage *stage = sight->stage;
	/* From afar a building stands for it. */
	bool drawn = view->shown && !view->minimized && is_near(view, stage) &&
		(city_scape_live(stage->camera.zoom) > 0 || view->fullscreen) && fill_sight(sight);
	if (!drawn && !sight->drawn) {
		return;
	}
	sight->drawn = drawn;
	if (!drawn) {
		leave(sight);
		return;
	}
	struct wlr_scene_tree *layer = is_covering(view, stage) ? stage->layers.fullscreen
		: view->above					? stage->layers.above
								: stage->layers.views;
	if (sight->tree->node.parent != layer) {
		enter_layer(sight, layer);
	}
	const struct city_camera *camera = &stage->camera;
	struct wlr_box box = city_view_box_on(view, stage);
	wlr_scene_node_set_position(&sight->tree->node, box.x, box.y);
	if (sight->surfaces != NULL) {
		double ox, oy;
		city_map_to_output(
			camera, view->cx - view->offset_sx, view->cy - view->offset_sy, &ox, &oy);
		city_surface_tree_place(sight->surfaces, ox, oy, camera->zoom, box.x, box.y);
	}
	if (sight->buffer != NULL) {
		bool seen = box.width > 0 && box.height > 0;
		wlr_scene_node_set_enabled(&sight->buffer->node, seen);
		if (seen) {
			wlr_scene_buffer_set_dest_size(sight->buffer, box.width, box.height);
		}
	}
	city_sight_update_frame(sight, box);
	wlr_scene_node_set_enabled(&sight->tree->node, true);
}

void city_view_update(struct city_view *view) {
	struct city_sight *sight;
	wl_list_for_each(sight, &view->sights, link) {
		update_sight(sight);
	}
	if (view->impl->placed != NULL) {
		view->impl->placed(view);
	}
}

void city_views_update(struct city_stage *stage) {
	struct city_view *view;
	wl_list_for_each(view, &stage->server->views, link) {
		struct city_sight *sight = city_view_sight(view, stage);
		if (sight != NULL) {
			update_sight(sight);
		}
		if (view->impl->placed != NULL) {
			view->impl->placed(view);
		}
	}
}

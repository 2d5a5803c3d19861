/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_linux_drm_syncobj_v1.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_subcompositor.h>

#include "compositor/map.h"
#include "compositor/presence.h"
#include "compositor/surface.h"

/* What a commit may change besides the picture and its size; each makes the scene draw all of the
 * node again. */
struct look {
	float opacity;
	enum wlr_color_transfer_function transfer_function;
	enum wlr_color_named_primaries primaries;
	enum wlr_color_encoding encoding;
	enum wlr_color_range range;
};

/* One wl_surface of the tree and its scene node. */
struct surface_node {
	struct wl_list link; /* city_surface_tree.nodes */
	struct city_surface_tree *tree;
	struct wlr_surface *surface;
	struct wlr_subsurface *subsurface; /* NULL for the root */
	struct wlr_scene_surface *scene;
	int sx, sy;   /* of its top left in the root's coordinates */
	bool visited; /* during one walk */

	/* What place_node gave the scene, when that is not what the surface itself would have. */
	bool zoomed;
	int dest_width, dest_height;
	pixman_region32_t opaque;
	struct look look; /* while the scene handles a commit */

	struct wl_listener before_commit; /* runs before the scene's */
	struct wl_listener commit;
	struct wl_listener map;
	struct wl_listener unmap;
	struct wl_listener destroy;
	struct wl_listener subsurface_destroy;
};

struct city_surface_tree {
	struct wlr_scene_tree *scene;
	struct wlr_surface *root; /* NULL once it was destroyed */
	struct wl_list nodes;	  /* surface_node.link */
	const struct city_surface_tree_listener *listener;
	void *data;

	double ox, oy, zoom; /* of the root's (0, 0) */
	int base_ox, base_oy;
};

static bool accepts_input(struct wlr_scene_buffer *buffer, double *sx, double *sy) {
	struct surface_node *node = buffer->node.data;
	const struct wlr_surface_state *state = &node->surface->current;
	/* The scene gives output pixels from the node's corner. */
	if (buffer->dst_width > 0 && buffer->dst_height > 0) {
		*sx *= (double)state->width / buffer->dst_width;
		*sy *= (double)state->height / buffer->dst_height;
	}
	return wlr_surface_point_accepts_input(node->surface, *sx, *sy);
}

/* Shrinks to whole pixels, so that nothing is called opaque that is not. */
static void scale_opaque(struct surface_node *node, double scale_x, double scale_y) {
	pixman_region32_clear(&node->opaque);
	int count;
	const pixman_box32_t *boxes =
		pixman_region32_rectangles(&node->surface->opaque_region, &count);
	for (int i = 0; i < count; i++) {
		int x1 = (int)ceil(boxes[i].x1 * scale_x - 1e-9);
		int y1 = (int)ceil(boxes[i].y1 * scale_y - 1e-9);
		int x2 = (int)floor(boxes[i].x2 * scale_x + 1e-9);
		int y2 = (int)floor(boxes[i].y2 * scale_y + 1e-9);
		if (x2 > x1 && y2 > y1) {
			pixman_region32_union_rect(&node->opaque, &node->opaque, x1, y1,
				(unsigned int)(x2 - x1), (unsigned int)(y2 - y1));
		}
	}
	wlr_scene_buffer_set_opaque_region(node->scene->buffer, &node->opaque);
}

static void place_node(struct surface_node *node) {
	struct city_surface_tree *tree = node->tree;
	int width = node->surface->current.width, height = node->surface->current.height;
	struct wlr_scene_buffer *buffer = node->scene->buffer;
	bool mapped = node->subsurface == NULL || node->surface->mapped;
	node->zoomed = false;
	if (width <= 0 || height <= 0 || !mapped) {
		wlr_scene_node_set_enabled(&buffer->node, false);
		return;
	}

	int x1 = city_map_round(tree->ox + node->sx * tree->zoom);
	int y1 = city_map_round(tree->oy + node->sy * tree->zoom);
	int x2 = city_map_round(tree->ox + (node->sx + width) * tree->zoom);
	int y2 = city_map_round(tree->oy + (node->sy + height) * tree->zoom);
	int dest_width = x2 > x1 ? x2 - x1 : 1, dest_height = y2 > y1 ? y2 - y1 : 1;
	wlr_scene_node_set_position(&buffer->node, x1 - tree->base_ox, y1 - tree->base_oy);
	wlr_scene_buffer_set_dest_size(buffer, dest_width, dest_height);
	if (dest_width != width || dest_height != height) {
		node->zoomed = true;
		node->dest_width = dest_width;
		node->dest_height = dest_height;
		scale_opaque(node, (double)dest_width / width, (double)dest_height / height);
	} else {
		wlr_scene_buffer_set_opaque_region(buffer, &node->surface->opaque_region);
	}
	wlr_scene_node_set_enabled(&buffer->node, true);
}

static void node_destroy(struct surface_node *node) {
	wl_list_remove(&node->before_commit.link);
	wl_list_remove(&node->commit.link);
	wl_list_remove(&node->map.link);
	wl_list_remove(&node->unmap.link);
	wl_list_remove(&node->destroy.link);
	wl_list_remove(&node->subsurface_destroy.link);
	wl_list_remove(&node->link);
	if (node->scene != NULL) {
		wlr_scene_node_destroy(&node->scene->buffer->node);
	}
	pixman_region32_fini(&node->opaque);
	free(node);
}

static void tree_update(struct city_surface_tree *tree);

static struct look get_look(const struct wlr_scene_buffer *buffer) {
	return (struct look){
		.opacity = buffer->opacity,
		.transfer_function = buffer->transfer_function,
		.primaries = buffer->primaries,
		.encoding = buffer->color_encoding,
		.range = buffer->color_range,
	};
}

static bool look_same(struct look a, struct look b) {
	return a.opacity == b.opacity && a.transfer_function == b.transfer_function &&
		a.primaries == b.primaries && a.encoding == b.encoding && a.range == b.range;
}

/*
 * At each commit the scene gives the node the surface's own size and opaque region; taking them
 * back to the zoomed ones would draw all of it again for a blinking cursor. So for as long as the
 * scene handles the commit the node has the values that it is about to be given, and nothing
 * changes but the picture; afterwards the damage is repeated at its true place.
 */
static void handle_before_commit(struct wl_listener *listener, void *data) {
	struct surface_node *node = wl_container_of(listener, node, before_commit);
	struct wlr_scene_buffer *buffer = node->scene->buffer;
	node->zoomed = node->zoomed && buffer->buffer != NULL && node->surface->buffer != NULL &&
		buffer->transform == node->surface->current.transform;
	if (!node->zoomed) {
		return;
	}
	struct wlr_fbox source;
	wlr_surface_get_buffer_source_box(node->surface, &source);
	node->zoomed = wlr_fbox_equal(&source, &buffer->src_box);
	if (!node->zoomed) {
		return;
	}
	node->look = get_look(buffer);
	buffer->dst_width = node->surface->current.width;
	buffer->dst_height = node->surface->current.height;
	pixman_region32_copy(&buffer->opaque_region, &node->surface->opaque_region);
}

static void restore_zoom(struct surface_node *node) {
	struct wlr_surface *surface = node->surface;
	struct wlr_scene_buffer *buffer = node->scene->buffer;
	buffer->dst_width = node->dest_width;
	buffer->dst_height = node->dest_height;
	pixman_region32_copy(&buffer->opaque_region, &node->opaque);
	if (surface->buffer == NULL) {
		return;
	}
	struct wlr_linux_drm_syncobj_surface_v1_state *sync =
		wlr_linux_drm_syncobj_v1_get_surface_state(surface);
	struct wlr_scene_buffer_set_buffer_options options = {.damage = &surface->buffer_damage};
	if (sync != NULL) {
		options.wait_timeline = sync->acquire_timeline;
		options.wait_point = sync->acquire_point;
	}
	wlr_scene_buffer_set_buffer_with_options(buffer, &surface->buffer->base, &options);
}

static void handle_surface_commit(struct wl_listener *listener, void *data) {
	struct surface_node *node = wl_container_of(listener, node, commit);
	struct city_surface_tree *tree = node->tree;
	struct wlr_surface *surface = node->surface;
	if (node->zoomed && look_same(node->look, get_look(node->scene->buffer))) {
		restore_zoom(node);
	}
	tree_update(tree);
	if (tree->listener != NULL && tree->listener->committed != NULL) {
		tree->listener->committed(tree->data, surface);
	}
}

static void handle_surface_map(struct wl_listener *listener, void *data) {
	struct surface_node *node = wl_container_of(listener, node, map);
	tree_update(node->tree);
}

static void handle_surface_unmap(struct wl_listener *listener, void *data) {
	struct surface_node *node = wl_container_of(listener, node, unmap);
	if (node->subsurface != NULL) {
		wlr_scene_node_set_enabled(&node->scene->buffer->node, false);
	}
}

static void handle_subsurface_destroy(struct wl_listener *listener, void *data) {
	struct surface_node *node = wl_container_of(listener, node, subsurface_destroy);
	node_destroy(node);
}

static void handle_surface_destroy(struct wl_listener *listener, void *data) {
	struct surface_node *node = wl_container_of(listener, node, destroy);
	struct city_surface_tree *tree = node->tree;
	bool root = node->surface == tree->root;
	/* The scene destroys its own node on this signal. */
	node->scene = NULL;
	node_destroy(node);
	if (!root) {
		return;
	}
	tree->root = NULL;
	struct surface_node *other, *next;
	wl_list_for_each_safe(other, next, &tree->nodes, link) {
		node_destroy(other);
	}
	if (tree->listener != NULL && tree->listener->gone != NULL) {
		tree->listener->gone(tree->data);
	}
}

/* The node is put into the list before `at`. */
static struct surface_node *node_create(struct city_surface_tree *tree, struct wl_list *at,
	struct wlr_surface *surface, struct wlr_subsurface *subsurface) {
	struct surface_node *node = calloc(1, sizeof(*node));
	if (node == NULL) {
		return NULL;
	}
	/* One commit listener of ours before the scene's and one after it. */
	node->before_commit.notify = handle_before_commit;
	wl_signal_add(&surface->events.commit, &node->before_commit);
	node->scene = wlr_scene_surface_create(tree->scene, surface);
	if (node->scene == NULL) {
		wl_list_remove(&node->before_commit.link);
		free(node);
		return NULL;
	}
	city_presence_watch(node->scene);
	pixman_region32_init(&node->opaque);
	node->tree = tree;
	node->surface = surface;
	node->subsurface = subsurface;
	node->scene->buffer->node.data = node;
	node->scene->buffer->point_accepts_input = accepts_input;
	wl_list_insert(at->prev, &node->link);

	node->commit.notify = handle_surface_commit;
	wl_signal_add(&surface->events.commit, &node->commit);
	node->map.notify = handle_surface_map;
	wl_signal_add(&surface->events.map, &node->map);
	node->unmap.notify = handle_surface_unmap;
	wl_signal_add(&surface->events.unmap, &node->unmap);
	node->destroy.notify = handle_surface_destroy;
	wl_signal_add(&surface->events.destroy, &node->destroy);
	node->subsurface_destroy.notify = handle_subsurface_destroy;
	if (subsurface != NULL) {
		wl_signal_add(&subsurface->events.destroy, &node->subsurface_destroy);
	} else {
		wl_list_init(&node->subsurface_destroy.link);
	}
	return node;
}

struct walk {
	struct city_surface_tree *tree;
	struct surface_node *below; /* the one that was visited last */
	/* Where the next node is expected. The list keeps the order of the last walk, so that a
	 * client with many surfaces costs no search for each. */
	struct wl_list *at;
};

static struct surface_node *find_node(struct walk *state, struct wlr_surface *surface) {
	struct wl_list *nodes = &state->tree->nodes;
	struct surface_node *node;
	if (state->at != nodes) {
		node = wl_container_of(state->at, node, link);
		if (node->surface == surface) {
			state->at = state->at->next;
			return node;
		}
	}
	for (struct wl_list *link = state->at->next; link != state->at; link = link->next) {
		node = wl_container_of(link, node, link);
		if (link != nodes && node->surface == surface) {
			wl_list_remove(&node->link);
			wl_list_insert(state->at->prev, &node->link);
			return node;
		}
	}
	return NULL;
}

static void walk(struct walk *state, struct wlr_surface *surface, struct wlr_subsurface *subsurface,
	int sx, int sy) {
	struct wlr_subsurface *child;
	wl_list_for_each(child, &surface->current.subsurfaces_below, current.link) {
		walk(state, child->surface, child, sx + child->current.x, sy + child->current.y);
	}

	struct surface_node *node = find_node(state, surface);
	if (node == NULL) {
		node = node_create(state->tree, state->at, surface, subsurface);
	}
	if (node != NULL) {
		node->visited = true;
		node->sx = sx;
		node->sy = sy;
		/* Neither call touches the scene when the order is right already. */
		if (state->below == NULL) {
			wlr_scene_node_lower_to_bottom(&node->scene->buffer->node);
		} else {
			wlr_scene_node_place_above(
				&node->scene->buffer->node, &state->below->scene->buffer->node);
		}
		state->below = node;
		place_node(node);
	}

	wl_list_for_each(child, &surface->current.subsurfaces_above, current.link) {
		walk(state, child->surface, child, sx + child->current.x, sy + child->current.y);
	}
}

/* Brings nodes, order, positions and sizes in line with the surfaces' current state. */
static void tree_update(struct city_surface_tree *tree) {
	struct surface_node *node, *next;
	wl_list_for_each(node, &tree->nodes, link) {
		node->visited = false;
	}
	struct walk state = {.tree = tree, .at = tree->nodes.next};
	if (tree->root != NULL) {
		walk(&state, tree->root, NULL, 0, 0);
	}
	wl_list_for_each_safe(node, next, &tree->nodes, link) {
		if (!node->visited) {
			node_destroy(node);
		}
	}
}

struct city_surface_tree *city_surface_tree_create(struct wlr_scene_tree *parent,
	struct wlr_surface *surface, const struct city_surface_tree_listener *listener,
	void *data) {
	struct city_surface_tree *tree = calloc(1, sizeof(*tree));
	if (tree == NULL) {
		return NULL;
	}
	tree->scene = wlr_scene_tree_create(parent);
	if (tree->scene == NULL) {
		free(tree);
		return NULL;
	}
	wl_list_init(&tree->nodes);
	tree->root = surface;
	tree->listener = listener;
	tree->data = data;
	tree->zoom = 1;
	tree_update(tree);
	if (wl_list_empty(&tree->nodes)) {
		wlr_scene_node_destroy(&tree->scene->node);
		free(tree);
		return NULL;
	}
	return tree;
}

void city_surface_tree_destroy(struct city_surface_tree *tree) {
	if (tree == NULL) {
		return;
	}
	struct surface_node *node, *next;
	wl_list_for_each_safe(node, next, &tree->nodes, link) {
		node_destroy(node);
	}
	wlr_scene_node_destroy(&tree->scene->node);
	free(tree);
}

void city_surface_tree_place(struct city_surface_tree *tree, double ox, double oy, double zoom,
	int base_ox, int base_oy) {
	tree->ox = ox;
	tree->oy = oy;
	tree->zoom = zoom;
	tree->base_ox = base_ox;
	tree->base_oy = base_oy;
	struct surface_node *node;
	wl_list_for_each(node, &tree->nodes, link) {
		place_node(node);
	}
}

void city_surface_tree_move(struct city_surface_tree *tree, struct wlr_scene_tree *parent) {
	if (tree->scene->node.parent != parent) {
		wlr_scene_node_reparent(&tree->scene->node, parent);
	}
}

void city_surface_tree_set_enabled(struct city_surface_tree *tree, bool enabled) {
	wlr_scene_node_set_enabled(&tree->scene->node, enabled);
}

struct wlr_surface *city_surface_tree_root(const struct city_surface_tree *tree) {
	return tree == NULL ? NULL : tree->root;
}

bool city_surface_tree_find(
	struct wlr_scene_buffer *buffer, struct wlr_surface **surface, double *zoom) {
	if (buffer->point_accepts_input != accepts_input) {
		return false;
	}
	struct surface_node *node = buffer->node.data;
	*surface = node->surface;
	*zoom = node->tree->zoom;
	return true;
}

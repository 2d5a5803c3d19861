/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_fractional_scale_v1.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/util/addon.h>

#include "compositor/presence.h"

/* Of a surface; ends with its last node. */
struct presence {
	struct wlr_addon addon; /* wlr_surface.addons */
	struct wlr_surface *surface;
	struct wl_list nodes; /* node.link */
};

struct node {
	struct wl_list link; /* presence.nodes */
	struct presence *presence;
	struct wlr_scene_buffer *buffer;
	struct wl_listener outputs_update, destroy;
};

static void presence_destroy(struct presence *presence) {
	wlr_addon_finish(&presence->addon);
	free(presence);
}

static void node_free(struct node *node) {
	wl_list_remove(&node->outputs_update.link);
	wl_list_remove(&node->destroy.link);
	wl_list_remove(&node->link);
	free(node);
}

/* The surface is about to go, and its nodes with it. */
static void handle_addon_destroy(struct wlr_addon *addon) {
	struct presence *presence = wl_container_of(addon, presence, addon);
	struct node *node, *next;
	wl_list_for_each_safe(node, next, &presence->nodes, link) {
		node_free(node);
	}
	presence_destroy(presence);
}

static const struct wlr_addon_interface addon_impl = {
	.name = "city_presence",
	.destroy = handle_addon_destroy,
};

static void handle_node_destroy(struct wl_listener *listener, void *data) {
	struct node *node = wl_container_of(listener, node, destroy);
	struct presence *presence = node->presence;
	node_free(node);
	if (wl_list_empty(&presence->nodes)) {
		presence_destroy(presence);
	}
}

/* As the scene does, of all that the surface is on. */
static void notify_scale(struct wlr_surface *surface) {
	double scale = 1;
	const struct wlr_surface_output *on;
	wl_list_for_each(on, &surface->current_outputs, link) {
		scale = fmax(scale, on->output->scale);
	}
	wlr_fractional_scale_v1_notify_scale(surface, scale);
	wlr_surface_set_preferred_buffer_scale(surface, (int32_t)ceil(scale));
}

/* The scene has done its part; this listener comes behind its own. */
static void handle_outputs_update(struct wl_listener *listener, void *data) {
	struct node *node = wl_container_of(listener, node, outputs_update);
	const struct wlr_scene_outputs_update_event *event = data;
	struct wlr_surface *surface = node->presence->surface;
	const struct node *other;
	bool elsewhere = false;
	wl_list_for_each(other, &node->presence->nodes, link) {
		const struct wlr_scene_output *at = other->buffer->primary_output;
		/* A picture that is being drawn is no screen. */
		if (other == node || at == NULL || at->output->global == NULL) {
			continue;
		}
		elsewhere = true;
		if (event->size == 0) {
			/* It counts as hidden there, until it is entered anew. */
			wlr_surface_send_leave(surface, at->output);
		}
		wlr_surface_send_enter(surface, at->output);
	}
	if (elsewhere) {
		notify_scale(surface);
	}
}

static struct presence *presence_of(struct wlr_surface *surface) {
	struct wlr_addon *addon = wlr_addon_find(&surface->addons, NULL, &addon_impl);
	struct presence *presence;
	if (addon != NULL) {
		return wl_container_of(addon, presence, addon);
	}
	presence = calloc(1, sizeof(*presence));
	if (presence == NULL) {
		return NULL;
	}
	presence->surface = surface;
	wl_list_init(&presence->nodes);
	wlr_addon_init(&presence->addon, &surface->addons, NULL, &addon_impl);
	return presence;
}

void city_presence_watch(struct wlr_scene_surface *scene) {
	struct node *node = calloc(1, sizeof(*node));
	struct presence *presence = node != NULL ? presence_of(scene->surface) : NULL;
	if (presence == NULL) {
		free(node);
		return;
	}
	node->presence = presence;
	node->buffer = scene->buffer;
	node->outputs_update.notify = handle_outputs_update;
	wl_signal_add(&scene->buffer->events.outputs_update, &node->outputs_update);
	node->destroy.notify = handle_node_destroy;
	wl_signal_add(&scene->buffer->node.events.destroy, &node->destroy);
	wl_list_insert(presence->nodes.prev, &node->link);
}

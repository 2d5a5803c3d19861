/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <wlr/types/wlr_layer_shell_v1.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "compositor/layer.h"
#include "compositor/output.h"
#include "compositor/popup.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/view.h"
#include "vat/log.h"

struct city_layer {
	struct wl_list link; /* city_output.layer_surfaces */
	struct city_server *server;
	struct city_output *output; /* NULL once it is gone */
	struct wlr_layer_surface_v1 *surface;
	struct wlr_scene_layer_surface_v1 *scene;
	bool mapped; /* when the output was last arranged */
	struct city_popup_root popups;

	struct wl_listener commit;
	struct wl_listener map;
	struct wl_listener unmap;
	struct wl_listener destroy;
	struct wl_listener new_popup;
};

struct city_layers_shell {
	struct city_server *server;
	struct wlr_layer_shell_v1 *shell;
	struct wl_listener new_surface;
};

static struct wlr_scene_tree *layer_tree(
	const struct city_output *output, enum zwlr_layer_shell_v1_layer layer) {
	const struct city_layers *layers = &output->stage->layers;
	switch (layer) {
	case ZWLR_LAYER_SHELL_V1_LAYER_BACKGROUND:
		return layers->shell_background;
	case ZWLR_LAYER_SHELL_V1_LAYER_BOTTOM:
		return layers->shell_bottom;
	case ZWLR_LAYER_SHELL_V1_LAYER_TOP:
		return layers->shell_top;
	case ZWLR_LAYER_SHELL_V1_LAYER_OVERLAY:
		return layers->shell_overlay;
	}
	return layers->shell_overlay;
}

void city_layers_arrange(struct city_output *output) {
	struct wlr_box full = city_output_box(output), usable = full;
	if (wlr_box_empty(&full)) {
		return; /* off: everything waits as it is */
	}
	/* Those that claim an edge first, from the top layer down; then those that fill the rest.
	 */
	for (int exclusive = 1; exclusive >= 0; exclusive--) {
		for (int level = ZWLR_LAYER_SHELL_V1_LAYER_OVERLAY;
			level >= (int)ZWLR_LAYER_SHELL_V1_LAYER_BACKGROUND; level--) {
			struct city_layer *layer;
			wl_list_for_each(layer, &output->layer_surfaces, link) {
				const struct wlr_layer_surface_v1_state *state =
					&layer->surface->current;
				if (layer->surface->initialized && (int)state->layer == level &&
					(state->exclusive_zone > 0) == (exclusive == 1)) {
					wlr_scene_layer_surface_v1_configure(
						layer->scene, &full, &usable);
					city_popup_root_place(&layer->popups);
				}
			}
		}
	}
	if (!wlr_box_equal(&usable, &output->usable)) {
		output->usable = usable;
		city_views_refit(output->server);
	}
}

static void handle_commit(struct wl_listener *listener, void *data) {
	struct city_layer *layer = wl_container_of(listener, layer, commit);
	if (layer->output == NULL) {
		return;
	}
	uint32_t committed = layer->surface->current.committed;
	if ((committed & WLR_LAYER_SURFACE_V1_STATE_LAYER) != 0) {
		struct wlr_scene_tree *tree =
			layer_tree(layer->output, layer->surface->current.layer);
		wlr_scene_node_reparent(&layer->scene->tree->node, tree);
	}
	/* Only what is mapped has an edge. (Not at once when it is unmapped: until its commit is
	 * over it would still be sent a size, which it may no longer acknowledge.) */
	bool mapped = layer->surface->surface->mapped;
	if (layer->surface->initial_commit || committed != 0 || layer->mapped != mapped) {
		layer->mapped = mapped;
		city_layers_arrange(layer->output);
		city_seat_focus_update(layer->server->seat);
	}
	city_popup_root_place(&layer->popups);
}

static void handle_map(struct wl_listener *listener, void *data) {
	struct city_layer *layer = wl_container_of(listener, layer, map);
	city_seat_focus_update(layer->server->seat);
	city_seat_scene_changed(layer->server->seat);
}

static void handle_unmap(struct wl_listener *listener, void *data) {
	struct city_layer *layer = wl_container_of(listener, layer, unmap);
	city_seat_forget_surface(layer->server->seat, layer->surface->surface);
	city_seat_scene_changed(layer->server->seat);
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct city_layer *layer = wl_container_of(listener, layer, destroy);
	struct city_output *output = layer->output;
	struct city_server *server = layer->server;
	city_popup_root_finish(&layer->popups);
	wl_list_remove(&layer->link);
	wl_list_remove(&layer->commit.link);
	wl_list_remove(&layer->map.link);
	wl_list_remove(&layer->unmap.link);
	wl_list_remove(&layer->destroy.link);
	wl_list_remove(&layer->new_popup.link);
	layer->surface->data = NULL;
	free(layer);
	if (output != NULL) {
		city_layers_arrange(output);
	}
	city_seat_focus_update(server->seat);
}

static struct city_stage *popup_stage(struct city_popup_root *root) {
	const struct city_layer *layer = wl_container_of(root, layer, popups);
	return layer->output != NULL ? layer->output->stage : root->server->nowhere;
}

static bool popup_is_on(struct city_popup_root *root, const struct city_stage *stage) {
	return stage == popup_stage(root);
}

static void popup_origin(struct city_popup_root *root, const struct city_stage *stage, double *ox,
	double *oy, double *zoom) {
	const struct city_layer *layer = wl_container_of(root, layer, popups);
	/* Its layer lies where the layout begins. */
	*ox = layer->scene->tree->node.x;
	*oy = layer->scene->tree->node.y;
	*zoom = 1;
}

static void handle_new_popup(struct wl_listener *listener, void *data) {
	struct city_layer *layer = wl_container_of(listener, layer, new_popup);
	city_popup_create(&layer->popups, data);
}

static void handle_new_surface(struct wl_listener *listener, void *data) {
	struct city_layers_shell *shell = wl_container_of(listener, shell, new_surface);
	struct city_server *server = shell->server;
	struct wlr_layer_surface_v1 *surface = data;
	if (surface->output == NULL) {
		struct city_output *focused = city_server_focused_output(server);
		if (focused == NULL) {
			wlr_layer_surface_v1_destroy(surface);
			return;
		}
		surface->output = focused->wlr_output;
	}
	struct city_output *output = city_output_from_wlr(surface->output);
	struct city_layer *layer = calloc(1, sizeof(*layer));
	if (output == NULL || layer == NULL) {
		free(layer);
		wlr_layer_surface_v1_destroy(surface);
		return;
	}
	layer->scene = wlr_scene_layer_surface_v1_create(
		layer_tree(output, surface->pending.layer), surface);
	if (layer->scene == NULL) {
		free(layer);
		wlr_layer_surface_v1_destroy(surface);
		return;
	}
	layer->server = server;
	layer->output = output;
	layer->surface = surface;
	surface->data = layer;
	city_popup_root_init(&layer->popups, server);
	layer->popups.stage = popup_stage;
	layer->popups.is_on = popup_is_on;
	layer->popups.origin = popup_origin;
	wl_list_insert(output->layer_surfaces.prev, &layer->link);

	layer->commit.notify = handle_commit;
	wl_signal_add(&surface->surface->events.commit, &layer->commit);
	layer->map.notify = handle_map;
	wl_signal_add(&surface->surface->events.map, &layer->map);
	layer->unmap.notify = handle_unmap;
	wl_signal_add(&surface->surface->events.unmap, &layer->unmap);
	layer->destroy.notify = handle_destroy;
	wl_signal_add(&surface->events.destroy, &layer->destroy);
	layer->new_popup.notify = handle_new_popup;
	wl_signal_add(&surface->events.new_popup, &layer->new_popup);
}

void city_layers_output_gone(struct city_output *output) {
	struct city_layer *layer, *next;
	wl_list_for_each_safe(layer, next, &output->layer_surfaces, link) {
		wl_list_remove(&layer->link);
		wl_list_init(&layer->link);
		layer->output = NULL;
		wlr_layer_surface_v1_destroy(layer->surface);
	}
}

struct wlr_surface *city_layers_exclusive(struct city_server *server) {
	static const enum zwlr_layer_shell_v1_layer levels[] = {
		ZWLR_LAYER_SHELL_V1_LAYER_OVERLAY, ZWLR_LAYER_SHELL_V1_LAYER_TOP};
	for (size_t i = 0; i < 2; i++) {
		struct city_output *output;
		wl_list_for_each(output, &server->outputs, link) {
			/* On a screen that is not used nobody could see what it asks. */
			struct wlr_box box = city_output_box(output);
			if (wlr_box_empty(&box)) {
				continue;
			}
			struct city_layer *layer;
			wl_list_for_each_reverse(layer, &output->layer_surfaces, link) {
				const struct wlr_layer_surface_v1_state *state =
					&layer->surface->current;
				if (layer->surface->surface->mapped && state->layer == levels[i] &&
					state->keyboard_interactive ==
						ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_EXCLUSIVE) {
					return layer->surface->surface;
				}
			}
		}
	}
	return NULL;
}

bool city_layers_takes_focus(struct wlr_surface *surface) {
	struct wlr_layer_surface_v1 *layer =
		wlr_layer_surface_v1_try_from_wlr_surface(wlr_surface_get_root_surface(surface));
	return layer != NULL && layer->surface->mapped &&
		layer->current.keyboard_interactive !=
		ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_NONE;
}

bool city_layers_create(struct city_server *server) {
	struct city_layers_shell *shell = calloc(1, sizeof(*shell));
	if (shell == NULL) {
		return false;
	}
	shell->server = server;
	shell->shell = wlr_layer_shell_v1_create(server->display, 5);
	if (shell->shell == NULL) {
		free(shell);
		return false;
	}
	city_server_hide_global(server, shell->shell->global, false);
	shell->new_surface.notify = handle_new_surface;
	wl_signal_add(&shell->shell->events.new_surface, &shell->new_surface);
	server->layer_shell = shell;
	return true;
}

void city_layers_destroy(struct city_server *server) {
	if (server->layer_shell == NULL) {
		return;
	}
	wl_list_remove(&server->layer_shell->new_surface.link);
	free(server->layer_shell);
	server->layer_shell = NULL;
}

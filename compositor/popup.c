/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "compositor/popup.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/surface.h"

struct city_popup {
	struct wl_list link; /* city_popup_root.popups */
	struct city_popup_root *root;
	struct wlr_xdg_popup *popup;
	struct city_stage *stage;    /* that it is on */
	struct wlr_scene_tree *tree; /* names the view for hit tests */
	struct city_surface_tree *surfaces;
	bool enabled;

	struct wl_listener commit;
	struct wl_listener map;
	struct wl_listener unmap;
	struct wl_listener destroy;
	struct wl_listener new_popup;
	struct wl_listener reposition;
};

/* Surface coordinates of the popup's (0, 0) in its root surface. */
static void position(const struct city_popup *popup, double *root_sx, double *root_sy) {
	*root_sx = *root_sy = 0;
	const struct wlr_xdg_popup *at = popup->popup;
	while (at != NULL) {
		*root_sx += at->current.geometry.x - at->base->geometry.x;
		*root_sy += at->current.geometry.y - at->base->geometry.y;
		/* Panels are no xdg surfaces: their popups count from the panel's corner. */
		const struct wlr_xdg_surface *parent = at->parent == NULL
			? NULL
			: wlr_xdg_surface_try_from_wlr_surface(at->parent);
		if (parent == NULL) {
			break;
		}
		*root_sx += parent->geometry.x;
		*root_sy += parent->geometry.y;
		at = parent->role == WLR_XDG_SURFACE_ROLE_POPUP ? parent->popup : NULL;
	}
}

/* It stays where it is seen: a menu does not follow the pointer to another screen. */
static void choose_stage(struct city_popup *popup) {
	struct city_popup_root *root = popup->root;
	if (popup->stage == NULL || !city_stage_exists(root->server, popup->stage) ||
		!root->is_on(root, popup->stage)) {
		popup->stage = root->stage(root);
	}
	if (popup->tree->node.parent != popup->stage->layers.popups) {
		wlr_scene_node_reparent(&popup->tree->node, popup->stage->layers.popups);
	}
}

static void place(struct city_popup *popup) {
	bool shown = popup->enabled && popup->popup->base->surface->mapped;
	wlr_scene_node_set_enabled(&popup->tree->node, shown);
	if (!shown || popup->surfaces == NULL) {
		return;
	}
	choose_stage(popup);
	double ox, oy, zoom, sx, sy;
	popup->root->origin(popup->root, popup->stage, &ox, &oy, &zoom);
	position(popup, &sx, &sy);
	city_surface_tree_place(popup->surfaces, ox + sx * zoom, oy + sy * zoom, zoom, 0, 0);
}

/* Keeps it on the screen: the screen's box in the root surface's coordinates. */
static void unconstrain(struct city_popup *popup) {
	choose_stage(popup);
	double ox, oy, zoom;
	popup->root->origin(popup->root, popup->stage, &ox, &oy, &zoom);
	struct wlr_box bounds = popup->stage->box;
	struct wlr_box box = {
		.x = city_map_round(ceil((bounds.x - ox) / zoom)),
		.y = city_map_round(ceil((bounds.y - oy) / zoom)),
		.width = city_map_round(floor(bounds.width / zoom)),
		.height = city_map_round(floor(bounds.height / zoom)),
	};
	wlr_xdg_popup_unconstrain_from_box(popup->popup, &box);
}

static void handle_commit(struct wl_listener *listener, void *data) {
	struct city_popup *popup = wl_container_of(listener, popup, commit);
	if (popup->popup->base->initial_commit) {
		unconstrain(popup);
		return;
	}
	place(popup);
}

static void handle_reposition(struct wl_listener *listener, void *data) {
	struct city_popup *popup = wl_container_of(listener, popup, reposition);
	unconstrain(popup);
}

static void handle_map(struct wl_listener *listener, void *data) {
	struct city_popup *popup = wl_container_of(listener, popup, map);
	place(popup);
	city_seat_scene_changed(popup->root->server->seat);
}

static void handle_unmap(struct wl_listener *listener, void *data) {
	struct city_popup *popup = wl_container_of(listener, popup, unmap);
	wlr_scene_node_set_enabled(&popup->tree->node, false);
	city_seat_scene_changed(popup->root->server->seat);
}

static void popup_destroy(struct city_popup *popup) {
	wl_list_remove(&popup->link);
	wl_list_remove(&popup->commit.link);
	wl_list_remove(&popup->map.link);
	wl_list_remove(&popup->unmap.link);
	wl_list_remove(&popup->destroy.link);
	wl_list_remove(&popup->new_popup.link);
	wl_list_remove(&popup->reposition.link);
	city_surface_tree_destroy(popup->surfaces);
	wlr_scene_node_destroy(&popup->tree->node);
	free(popup);
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct city_popup *popup = wl_container_of(listener, popup, destroy);
	struct city_server *server = popup->root->server;
	popup_destroy(popup);
	city_seat_scene_changed(server->seat);
}

static void handle_new_popup(struct wl_listener *listener, void *data) {
	struct city_popup *popup = wl_container_of(listener, popup, new_popup);
	city_popup_create(popup->root, data);
}

void city_popup_create(struct city_popup_root *root, struct wlr_xdg_popup *xdg_popup) {
	struct wlr_surface *surface = xdg_popup->base->surface;
	struct city_popup *popup = calloc(1, sizeof(*popup));
	if (popup == NULL) {
		return;
	}
	popup->tree = wlr_scene_tree_create(root->server->nowhere->layers.popups);
	if (popup->tree == NULL) {
		free(popup);
		return;
	}
	popup->surfaces = city_surface_tree_create(popup->tree, surface, NULL, NULL);
	if (popup->surfaces == NULL) {
		wlr_scene_node_destroy(&popup->tree->node);
		free(popup);
		return;
	}
	popup->tree->node.data = root->view;
	popup->root = root;
	popup->popup = xdg_popup;
	popup->enabled = true;
	wlr_scene_node_set_enabled(&popup->tree->node, false);
	wl_list_insert(root->popups.prev, &popup->link);

	popup->commit.notify = handle_commit;
	wl_signal_add(&surface->events.commit, &popup->commit);
	popup->map.notify = handle_map;
	wl_signal_add(&surface->events.map, &popup->map);
	popup->unmap.notify = handle_unmap;
	wl_signal_add(&surface->events.unmap, &popup->unmap);
	popup->destroy.notify = handle_destroy;
	wl_signal_add(&xdg_popup->events.destroy, &popup->destroy);
	popup->new_popup.notify = handle_new_popup;
	wl_signal_add(&xdg_popup->base->events.new_popup, &popup->new_popup);
	popup->reposition.notify = handle_reposition;
	wl_signal_add(&xdg_popup->events.reposition, &popup->reposition);
}

void city_popup_root_init(struct city_popup_root *root, struct city_server *server) {
	root->server = server;
	wl_list_init(&root->popups);
}

void city_popup_root_finish(struct city_popup_root *root) {
	struct city_popup *popup, *next;
	wl_list_for_each_reverse_safe(popup, next, &root->popups, link) {
		popup_destroy(popup);
	}
}

void city_popup_root_place(struct city_popup_root *root) {
	struct city_popup *popup;
	wl_list_for_each(popup, &root->popups, link) {
		place(popup);
	}
}

void city_popup_root_set_enabled(struct city_popup_root *root, bool enabled) {
	struct city_popup *popup;
	wl_list_for_each(popup, &root->popups, link) {
		if (popup->enabled != enabled) {
			popup->enabled = enabled;
			place(popup);
		}
	}
}

void city_popup_root_for_each_surface(
	struct city_popup_root *root, wlr_surface_iterator_func_t iterator, void *data) {
	struct city_popup *popup;
	wl_list_for_each(popup, &root->popups, link) {
		wlr_surface_for_each_surface(popup->popup->base->surface, iterator, data);
	}
}

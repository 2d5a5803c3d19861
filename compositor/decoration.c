/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <wlr/types/wlr_server_decoration.h>
#include <wlr/types/wlr_xdg_decoration_v1.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "compositor/decoration.h"
#include "compositor/server.h"
#include "compositor/view.h"

struct city_decorations {
	struct wlr_xdg_decoration_manager_v1 *xdg;
	struct wlr_server_decoration_manager *kde;
	struct wl_list decorations; /* decoration.link */
	struct wl_list kde_decorations;
	struct wl_listener new_xdg;
	struct wl_listener new_kde;
};

struct decoration {
	struct wl_list link;
	struct wlr_xdg_toplevel_decoration_v1 *xdg;
	struct wl_listener request_mode;
	struct wl_listener destroy;
};

struct kde_decoration {
	struct wl_list link;
	struct wlr_server_decoration *kde;
	struct wl_listener mode;
	struct wl_listener commit;
	struct wl_listener destroy;
};

static void apply(struct decoration *decoration) {
	struct wlr_xdg_toplevel *toplevel = decoration->xdg->toplevel;
	bool ours =
		decoration->xdg->requested_mode != WLR_XDG_TOPLEVEL_DECORATION_V1_MODE_CLIENT_SIDE;
	if (toplevel->base->initialized) {
		wlr_xdg_toplevel_decoration_v1_set_mode(decoration->xdg,
			ours ? WLR_XDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE
			     : WLR_XDG_TOPLEVEL_DECORATION_V1_MODE_CLIENT_SIDE);
	}
	struct city_view *view = toplevel->base->data;
	if (view != NULL) {
		city_view_set_framed(view, ours);
	}
}

static void handle_request_mode(struct wl_listener *listener, void *data) {
	struct decoration *decoration = wl_container_of(listener, decoration, request_mode);
	apply(decoration);
}

static void decoration_destroy(struct decoration *decoration) {
	wl_list_remove(&decoration->link);
	wl_list_remove(&decoration->request_mode.link);
	wl_list_remove(&decoration->destroy.link);
	free(decoration);
}

static void handle_xdg_destroy(struct wl_listener *listener, void *data) {
	struct decoration *decoration = wl_container_of(listener, decoration, destroy);
	struct city_view *view = decoration->xdg->toplevel->base->data;
	if (view != NULL) {
		city_view_set_framed(view, false);
	}
	decoration_destroy(decoration);
}

static void handle_new_xdg(struct wl_listener *listener, void *data) {
	struct city_decorations *decorations = wl_container_of(listener, decorations, new_xdg);
	struct decoration *decoration = calloc(1, sizeof(*decoration));
	if (decoration == NULL) {
		return;
	}
	decoration->xdg = data;
	wl_list_insert(&decorations->decorations, &decoration->link);
	decoration->request_mode.notify = handle_request_mode;
	wl_signal_add(&decoration->xdg->events.request_mode, &decoration->request_mode);
	decoration->destroy.notify = handle_xdg_destroy;
	wl_signal_add(&decoration->xdg->events.destroy, &decoration->destroy);
	apply(decoration);
}

void city_decorations_announce(
	struct city_decorations *decorations, struct wlr_xdg_toplevel *toplevel) {
	struct decoration *decoration;
	wl_list_for_each(decoration, &decorations->decorations, link) {
		if (decoration->xdg->toplevel == toplevel) {
			apply(decoration);
		}
	}
}

static void apply_kde(struct kde_decoration *decoration) {
	struct wlr_xdg_surface *xdg =
		wlr_xdg_surface_try_from_wlr_surface(decoration->kde->surface);
	struct city_view *view =
		xdg == NULL || xdg->role != WLR_XDG_SURFACE_ROLE_TOPLEVEL ? NULL : xdg->data;
	if (view != NULL) {
		city_view_set_framed(
			view, decoration->kde->mode == WLR_SERVER_DECORATION_MANAGER_MODE_SERVER);
	}
}

static void handle_kde_mode(struct wl_listener *listener, void *data) {
	struct kde_decoration *decoration = wl_container_of(listener, decoration, mode);
	apply_kde(decoration);
}

/* The surface may become a window only after it got its decoration. */
static void handle_kde_commit(struct wl_listener *listener, void *data) {
	struct kde_decoration *decoration = wl_container_of(listener, decoration, commit);
	apply_kde(decoration);
}

static void kde_destroy(struct kde_decoration *decoration) {
	wl_list_remove(&decoration->link);
	wl_list_remove(&decoration->mode.link);
	wl_list_remove(&decoration->commit.link);
	wl_list_remove(&decoration->destroy.link);
	free(decoration);
}

static void handle_kde_destroy(struct wl_listener *listener, void *data) {
	struct kde_decoration *decoration = wl_container_of(listener, decoration, destroy);
	kde_destroy(decoration);
}

static void handle_new_kde(struct wl_listener *listener, void *data) {
	struct city_decorations *decorations = wl_container_of(listener, decorations, new_kde);
	struct kde_decoration *decoration = calloc(1, sizeof(*decoration));
	if (decoration == NULL) {
		return;
	}
	decoration->kde = data;
	wl_list_insert(&decorations->kde_decorations, &decoration->link);
	decoration->mode.notify = handle_kde_mode;
	wl_signal_add(&decoration->kde->events.mode, &decoration->mode);
	decoration->commit.notify = handle_kde_commit;
	wl_signal_add(&decoration->kde->surface->events.commit, &decoration->commit);
	decoration->destroy.notify = handle_kde_destroy;
	wl_signal_add(&decoration->kde->events.destroy, &decoration->destroy);
	apply_kde(decoration);
}

struct city_decorations *city_decorations_create(struct city_server *server) {
	struct city_decorations *decorations = calloc(1, sizeof(*decorations));
	if (decorations == NULL) {
		return NULL;
	}
	wl_list_init(&decorations->decorations);
	wl_list_init(&decorations->kde_decorations);
	decorations->xdg = wlr_xdg_decoration_manager_v1_create(server->display);
	decorations->kde = wlr_server_decoration_manager_create(server->display);
	if (decorations->xdg == NULL || decorations->kde == NULL) {
		free(decorations);
		return NULL;
	}
	wlr_server_decoration_manager_set_default_mode(
		decorations->kde, WLR_SERVER_DECORATION_MANAGER_MODE_SERVER);
	decorations->new_xdg.notify = handle_new_xdg;
	wl_signal_add(&decorations->xdg->events.new_toplevel_decoration, &decorations->new_xdg);
	decorations->new_kde.notify = handle_new_kde;
	wl_signal_add(&decorations->kde->events.new_decoration, &decorations->new_kde);
	return decorations;
}

void city_decorations_destroy(struct city_decorations *decorations) {
	if (decorations == NULL) {
		return;
	}
	struct decoration *decoration, *next;
	wl_list_for_each_safe(decoration, next, &decorations->decorations, link) {
		decoration_destroy(decoration);
	}
	struct kde_decoration *kde, *kde_next;
	wl_list_for_each_safe(kde, kde_next, &decorations->kde_decorations, link) {
		kde_destroy(kde);
	}
	wl_list_remove(&decorations->new_xdg.link);
	wl_list_remove(&decorations->new_kde.link);
	free(decorations);
}

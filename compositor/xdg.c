/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <wlr/util/edges.h>

#include "compositor/decoration.h"
#include "compositor/grab.h"
#include "compositor/output.h"
#include "compositor/popup.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/view.h"
#include "compositor/xdg.h"
#include "vat/log.h"

#define MAX_SIZE 16384

struct city_xdg {
	struct city_server *server;
	struct wlr_xdg_shell *shell;
	struct city_decorations *decorations;
	struct wl_listener new_toplevel;
};

struct guest {
	struct city_view view;
	struct wlr_xdg_toplevel *toplevel;
	struct city_popup_root popups;
	bool suspended;
	const struct city_desk_entry *left; /* by the last compositor; NULL: nothing */

	struct wl_listener commit;
	struct wl_listener map;
	struct wl_listener unmap;
	struct wl_listener destroy;
	struct wl_listener new_popup;
	struct wl_listener request_maximize;
	struct wl_listener request_fullscreen;
	struct wl_listener request_minimize;
	struct wl_listener request_move;
	struct wl_listener request_resize;
	struct wl_listener set_title;
	struct wl_listener set_app_id;
};

/* What the view asks of the window. */

static struct guest *guest_from_view(struct city_view *view) {
	return wl_container_of(view, (struct guest *)NULL, view);
}

static bool configurable(const struct guest *guest) {
	return guest->toplevel->base->initialized;
}

static void impl_configure(struct city_view *view, int width, int height) {
	struct guest *guest = guest_from_view(view);
	if (configurable(guest)) {
		wlr_xdg_toplevel_set_size(guest->toplevel, width, height);
	}
}

static void impl_activate(struct city_view *view, bool active) {
	struct guest *guest = guest_from_view(view);
	if (configurable(guest)) {
		wlr_xdg_toplevel_set_activated(guest->toplevel, active);
	}
}

static void impl_close(struct city_view *view) {
	wlr_xdg_toplevel_send_close(guest_from_view(view)->toplevel);
}

static const char *impl_title(struct city_view *view) {
	return guest_from_view(view)->toplevel->title;
}

static const char *impl_app_id(struct city_view *view) {
	return guest_from_view(view)->toplevel->app_id;
}

static void impl_for_each_surface(
	struct city_view *view, wlr_surface_iterator_func_t iterator, void *data) {
	struct guest *guest = guest_from_view(view);
	wlr_surface_for_each_surface(guest->toplevel->base->surface, iterator, data);
	city_popup_root_for_each_surface(&guest->popups, iterator, data);
}

static void impl_set_fullscreen(struct city_view *view, bool fullscreen) {
	struct guest *guest = guest_from_view(view);
	if (configurable(guest)) {
		wlr_xdg_toplevel_set_fullscreen(guest->toplevel, fullscreen);
	}
}

static void impl_set_maximized(struct city_view *view, bool maximized) {
	struct guest *guest = guest_from_view(view);
	if (configurable(guest)) {
		wlr_xdg_toplevel_set_maximized(guest->toplevel, maximized);
	}
}

static void impl_set_resizing(struct city_view *view, bool resizing) {
	struct guest *guest = guest_from_view(view);
	if (configurable(guest)) {
		wlr_xdg_toplevel_set_resizing(guest->toplevel, resizing);
	}
}

static void impl_set_tiled(struct city_view *view, bool tiled) {
	struct guest *guest = guest_from_view(view);
	if (configurable(guest)) {
		uint32_t all = WLR_EDGE_LEFT | WLR_EDGE_RIGHT | WLR_EDGE_TOP | WLR_EDGE_BOTTOM;
		wlr_xdg_toplevel_set_tiled(guest->toplevel, tiled ? all : WLR_EDGE_NONE);
	}
}

static void impl_limits(
	struct city_view *view, int *min_width, int *min_height, int *max_width, int *max_height) {
	const struct wlr_xdg_toplevel_state *state = &guest_from_view(view)->toplevel->current;
	*min_width = state->min_width;
	*min_height = state->min_height;
	*max_width = state->max_width;
	*max_height = state->max_height;
}

static struct city_view *impl_parent(struct city_view *view) {
	const struct wlr_xdg_toplevel *parent = guest_from_view(view)->toplevel->parent;
	return parent == NULL ? NULL : parent->base->data;
}

static bool any_moving(const struct city_server *server) {
	const struct city_stage *stage;
	wl_list_for_each(stage, &server->stages, link) {
		if (stage->camera.moving) {
			return true;
		}
	}
	return false;
}

static void impl_placed(struct city_view *view) {
	struct guest *guest = guest_from_view(view);
	city_popup_root_set_enabled(&guest->popups, view->shown && !view->minimized);
	city_popup_root_place(&guest->popups);
	/* Windows out of sight may sleep. On the way the camera passes many: wait till it rests. */
	if (!view->shown || any_moving(view->server) || !configurable(guest)) {
		return;
	}
	bool suspended = !city_view_is_visible(view);
	if (guest->suspended != suspended) {
		guest->suspended = suspended;
		wlr_xdg_toplevel_set_suspended(guest->toplevel, suspended);
	}
}

static const struct city_view_impl guest_impl = {
	.configure = impl_configure,
	.activate = impl_activate,
	.close = impl_close,
	.title = impl_title,
	.app_id = impl_app_id,
	.for_each_surface = impl_for_each_surface,
	.set_fullscreen = impl_set_fullscreen,
	.set_maximized = impl_set_maximized,
	.set_resizing = impl_set_resizing,
	.set_tiled = impl_set_tiled,
	.limits = impl_limits,
	.parent = impl_parent,
	.placed = impl_placed,
};

struct wlr_xdg_toplevel *city_xdg_toplevel(struct city_view *view) {
	return view->impl == &guest_impl ? guest_from_view(view)->toplevel : NULL;
}

/* Popups. */

static struct city_stage *popup_stage(struct city_popup_root *root) {
	const struct guest *guest = wl_container_of(root, guest, popups);
	return city_view_main_stage(&guest->view);
}

static bool popup_is_on(struct city_popup_root *root, const struct city_stage *stage) {
	const struct guest *guest = wl_container_of(root, guest, popups);
	return city_view_area_on(&guest->view, stage) > 0;
}

static void popup_origin(struct city_popup_root *root, const struct city_stage *stage, double *ox,
	double *oy, double *zoom) {
	const struct guest *guest = wl_container_of(root, guest, popups);
	const struct city_view *view = &guest->view;
	const struct city_camera *camera = &stage->camera;
	city_map_to_output(camera, view->cx - view->offset_sx, view->cy - view->offset_sy, ox, oy);
	*zoom = camera->zoom;
}

static void handle_new_popup(struct wl_listener *listener, void *data) {
	struct guest *guest = wl_container_of(listener, guest, new_popup);
	city_popup_create(&guest->popups, data);
}

/* What the window asks for. */

static void take_over_geometry(struct guest *guest) {
	struct wlr_box box = guest->toplevel->base->geometry;
	const struct wlr_surface_state *state = &guest->toplevel->base->surface->current;
	if (box.width <= 0 || box.height <= 0) {
		box = (struct wlr_box){.width = state->width, .height = state->height};
	}
	box.width = box.width < 1 ? 1 : box.width > MAX_SIZE ? MAX_SIZE : box.width;
	box.height = box.height < 1 ? 1 : box.height > MAX_SIZE ? MAX_SIZE : box.height;
	city_view_set_offset(&guest->view, box.x, box.y);
	city_view_set_size(&guest->view, box.width, box.height);
}

static void first_configure(struct guest *guest) {
	struct city_server *server = guest->view.server;
	struct wlr_xdg_toplevel *toplevel = guest->toplevel;
	wlr_xdg_toplevel_set_wm_capabilities(toplevel,
		WLR_XDG_TOPLEVEL_WM_CAPABILITIES_MAXIMIZE |
			WLR_XDG_TOPLEVEL_WM_CAPABILITIES_FULLSCREEN |
			WLR_XDG_TOPLEVEL_WM_CAPABILITIES_MINIMIZE);
	struct wlr_box screen = city_map_screen(city_stage_focused(server));
	wlr_xdg_toplevel_set_bounds(toplevel, screen.width, screen.height);
	wlr_xdg_toplevel_set_size(toplevel, 0, 0);
	guest->left = city_desk_claim(server->desk, &guest->view);
	if (guest->left != NULL) {
		wlr_xdg_toplevel_set_size(
			toplevel, (int)guest->left->now.width, (int)guest->left->now.height);
		wlr_xdg_toplevel_set_maximized(
			toplevel, (guest->left->flags & CITY_DESK_MAXIMIZED) != 0);
		wlr_xdg_toplevel_set_fullscreen(
			toplevel, (guest->left->flags & CITY_DESK_FULLSCREEN) != 0);
	}
	city_decorations_announce(server->xdg->decorations, toplevel);
}

static void handle_commit(struct wl_listener *listener, void *data) {
	struct guest *guest = wl_container_of(listener, guest, commit);
	if (guest->toplevel->base->initial_commit) {
		first_configure(guest);
		return;
	}
	if (guest->toplevel->base->surface->mapped) {
		take_over_geometry(guest);
		city_popup_root_place(&guest->popups);
	}
}

static void set_fullscreen(struct guest *guest) {
	const struct wlr_xdg_toplevel_requested *requested = &guest->toplevel->requested;
	if (requested->fullscreen && requested->fullscreen_output != NULL) {
		city_view_set_fullscreen_on(
			&guest->view, city_output_from_wlr(requested->fullscreen_output));
	} else {
		city_view_set_fullscreen(&guest->view, requested->fullscreen);
	}
}

/* As if the last compositor had not ended. */
static void show_as_left(struct guest *guest) {
	struct city_view *view = &guest->view;
	const struct city_desk_entry *left = guest->left;
	guest->left = NULL;
	city_view_show_as(view, &left->now, &left->box, (left->flags & CITY_DESK_MAXIMIZED) != 0,
		(left->flags & CITY_DESK_FULLSCREEN) != 0);
	city_view_set_above(view, (left->flags & CITY_DESK_ABOVE) != 0);
	if (left->flags & CITY_DESK_SNAPPED) {
		city_view_snap_again(view, left->part, &left->now, &left->box);
	}
	if (left->flags & CITY_DESK_MINIMIZED) {
		city_view_set_minimized(view, true);
	}
	city_desk_returned(view->server->desk, view);
}

static void handle_map(struct wl_listener *listener, void *data) {
	struct guest *guest = wl_container_of(listener, guest, map);
	struct city_view *view = &guest->view;
	struct wlr_xdg_toplevel *toplevel = guest->toplevel;
	if (!city_view_set_surface(view, toplevel->base->surface)) {
		wl_client_post_no_memory(wl_resource_get_client(toplevel->resource));
		return;
	}
	take_over_geometry(guest);
	if (guest->left != NULL) {
		show_as_left(guest);
		return;
	}
	struct city_box place;
	struct city_view *parent = impl_parent(view);
	if (parent != NULL && parent->shown) {
		place = city_view_box(parent);
		place.cx = round(place.cx + (place.width - view->width) / 2);
		place.cy = round(place.cy + (place.height - view->height) / 2);
	}
	city_view_show(view, parent != NULL && parent->shown ? &place : NULL);
	city_server_focus(view->server, view, true);
	if (toplevel->requested.fullscreen) {
		set_fullscreen(guest);
	} else if (toplevel->requested.maximized) {
		city_view_set_maximized(view, true);
	}
}

static void handle_unmap(struct wl_listener *listener, void *data) {
	struct guest *guest = wl_container_of(listener, guest, unmap);
	city_view_hide(&guest->view);
	city_view_set_surface(&guest->view, NULL);
	guest->view.fullscreen = guest->view.maximized = guest->view.minimized = false;
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct guest *guest = wl_container_of(listener, guest, destroy);
	guest->toplevel->base->data = NULL;
	city_popup_root_finish(&guest->popups);
	city_view_finish(&guest->view);
	wl_list_remove(&guest->commit.link);
	wl_list_remove(&guest->map.link);
	wl_list_remove(&guest->unmap.link);
	wl_list_remove(&guest->destroy.link);
	wl_list_remove(&guest->new_popup.link);
	wl_list_remove(&guest->request_maximize.link);
	wl_list_remove(&guest->request_fullscreen.link);
	wl_list_remove(&guest->request_minimize.link);
	wl_list_remove(&guest->request_move.link);
	wl_list_remove(&guest->request_resize.link);
	wl_list_remove(&guest->set_title.link);
	wl_list_remove(&guest->set_app_id.link);
	free(guest);
}

/* The protocol wants a configure in answer to each request, also where nothing changes. */
static void answer(struct guest *guest) {
	if (configurable(guest)) {
		wlr_xdg_surface_schedule_configure(guest->toplevel->base);
	}
}

static void handle_request_maximize(struct wl_listener *listener, void *data) {
	struct guest *guest = wl_container_of(listener, guest, request_maximize);
	if (guest->view.shown) {
		city_view_set_maximized(&guest->view, guest->toplevel->requested.maximized);
	}
	answer(guest);
}

static void handle_request_fullscreen(struct wl_listener *listener, void *data) {
	struct guest *guest = wl_container_of(listener, guest, request_fullscreen);
	if (guest->view.shown) {
		set_fullscreen(guest);
	}
	answer(guest);
}

static void handle_request_minimize(struct wl_listener *listener, void *data) {
	struct guest *guest = wl_container_of(listener, guest, request_minimize);
	if (guest->view.shown) {
		city_view_set_minimized(&guest->view, guest->toplevel->requested.minimized);
	}
	answer(guest);
}

static void handle_request_move(struct wl_listener *listener, void *data) {
	struct guest *guest = wl_container_of(listener, guest, request_move);
	struct wlr_xdg_toplevel_move_event *event = data;
	city_grab_move_requested(guest->view.server->seat, &guest->view, event->serial);
}

static void handle_request_resize(struct wl_listener *listener, void *data) {
	struct guest *guest = wl_container_of(listener, guest, request_resize);
	struct wlr_xdg_toplevel_resize_event *event = data;
	city_grab_resize_requested(
		guest->view.server->seat, &guest->view, event->serial, event->edges);
}

static void handle_set_title(struct wl_listener *listener, void *data) {
	struct guest *guest = wl_container_of(listener, guest, set_title);
	city_view_title_changed(&guest->view);
}

static void handle_set_app_id(struct wl_listener *listener, void *data) {
	struct guest *guest = wl_container_of(listener, guest, set_app_id);
	city_view_title_changed(&guest->view);
}

static void handle_new_toplevel(struct wl_listener *listener, void *data) {
	struct city_xdg *xdg = wl_container_of(listener, xdg, new_toplevel);
	struct wlr_xdg_toplevel *toplevel = data;
	struct wlr_surface *surface = toplevel->base->surface;
	struct guest *guest = calloc(1, sizeof(*guest));
	if (guest == NULL ||
		!city_view_init(&guest->view, xdg->server, CITY_VIEW_GUEST, &guest_impl)) {
		free(guest);
		wl_client_post_no_memory(wl_resource_get_client(toplevel->resource));
		return;
	}
	guest->toplevel = toplevel;
	pid_t pid;
	wl_client_get_credentials(wl_resource_get_client(toplevel->resource), &pid, NULL, NULL);
	guest->view.process = city_process_of(pid);
	guest->view.framed = false; /* until the client leaves the frame to us */
	toplevel->base->data = &guest->view;
	city_popup_root_init(&guest->popups, xdg->server);
	guest->popups.view = &guest->view;
	guest->popups.stage = popup_stage;
	guest->popups.is_on = popup_is_on;
	guest->popups.origin = popup_origin;

	guest->commit.notify = handle_commit;
	wl_signal_add(&surface->events.commit, &guest->commit);
	guest->map.notify = handle_map;
	wl_signal_add(&surface->events.map, &guest->map);
	guest->unmap.notify = handle_unmap;
	wl_signal_add(&surface->events.unmap, &guest->unmap);
	guest->destroy.notify = handle_destroy;
	wl_signal_add(&toplevel->events.destroy, &guest->destroy);
	guest->new_popup.notify = handle_new_popup;
	wl_signal_add(&toplevel->base->events.new_popup, &guest->new_popup);
	guest->request_maximize.notify = handle_request_maximize;
	wl_signal_add(&toplevel->events.request_maximize, &guest->request_maximize);
	guest->request_fullscreen.notify = handle_request_fullscreen;
	wl_signal_add(&toplevel->events.request_fullscreen, &guest->request_fullscreen);
	guest->request_minimize.notify = handle_request_minimize;
	wl_signal_add(&toplevel->events.request_minimize, &guest->request_minimize);
	guest->request_move.notify = handle_request_move;
	wl_signal_add(&toplevel->events.request_move, &guest->request_move);
	guest->request_resize.notify = handle_request_resize;
	wl_signal_add(&toplevel->events.request_resize, &guest->request_resize);
	guest->set_title.notify = handle_set_title;
	wl_signal_add(&toplevel->events.set_title, &guest->set_title);
	guest->set_app_id.notify = handle_set_app_id;
	wl_signal_add(&toplevel->events.set_app_id, &guest->set_app_id);
}

bool city_xdg_create(struct city_server *server) {
	struct city_xdg *xdg = calloc(1, sizeof(*xdg));
	if (xdg == NULL) {
		return false;
	}
	xdg->server = server;
	xdg->shell = wlr_xdg_shell_create(server->display, 6);
	if (xdg->shell == NULL) {
		free(xdg);
		return false;
	}
	xdg->decorations = city_decorations_create(server);
	if (xdg->decorations == NULL) {
		free(xdg);
		return false;
	}
	xdg->new_toplevel.notify = handle_new_toplevel;
	wl_signal_add(&xdg->shell->events.new_toplevel, &xdg->new_toplevel);
	server->xdg = xdg;
	return true;
}

void city_xdg_destroy(struct city_server *server) {
	if (server->xdg == NULL) {
		return;
	}
	wl_list_remove(&server->xdg->new_toplevel.link);
	city_decorations_destroy(server->xdg->decorations);
	free(server->xdg);
	server->xdg = NULL;
}

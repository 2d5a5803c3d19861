/* SPDX-License-Identifier: MIT */
/* Which view has the keyboard, and in what order they follow each other. */
#include <wlr/types/wlr_scene.h>

#include "compositor/desk.h"
#include "compositor/minimap.h"
#include "compositor/scape.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/view.h"

static bool focusable(const struct city_view *view) {
	return view->shown && !view->minimized;
}

static void set_active(struct city_view *view, bool active) {
	if (view->active == active) {
		return;
	}
	view->active = active;
	if (view->impl->activate != NULL) {
		view->impl->activate(view, active);
	}
	city_view_update(view);
	city_scape_changed(view->server);
	wl_signal_emit_mutable(&view->events.states, view);
}

static bool belongs_to(struct city_view *view, const struct city_view *ancestor) {
	while (view != NULL && view != ancestor) {
		view = view->impl->parent == NULL ? NULL : view->impl->parent(view);
	}
	return view == ancestor;
}

static void raise_nodes(struct city_view *view) {
	struct city_sight *sight;
	view->raised = ++view->server->raises;
	wl_list_for_each(sight, &view->sights, link) {
		wlr_scene_node_raise_to_top(&sight->tree->node);
	}
}

void city_view_lift(struct city_view *view) {
	struct city_view *other;
	raise_nodes(view);
	/* Dialogs stay above the window that waits for them. */
	wl_list_for_each_reverse(other, &view->server->views, link) {
		if (other != view && belongs_to(other, view)) {
			raise_nodes(other);
		}
	}
}

void city_view_raise(struct city_view *view) {
	city_view_lift(view);
	if (!view->server->cycling) {
		wl_list_remove(&view->link);
		wl_list_insert(&view->server->views, &view->link);
	}
	city_desk_changed(view->server->desk);
	city_seat_scene_changed(view->server->seat);
}

void city_views_lift(struct city_server *server) {
	struct city_view *view;
	wl_list_for_each_reverse(view, &server->views, link) {
		city_view_lift(view);
	}
}

void city_view_stack_above(struct city_view *view, struct city_view *other) {
	struct city_server *server = view->server;
	wl_list_remove(&view->link);
	wl_list_insert(other != NULL ? other->link.prev : server->views.prev, &view->link);
	city_views_lift(server);
	city_desk_changed(server->desk);
	city_seat_scene_changed(server->seat);
}

void city_server_focus(struct city_server *server, struct city_view *view, bool reveal) {
	if (view != NULL && !focusable(view)) {
		return;
	}
	struct city_view *old = server->focused;
	server->focused = view;
	if (old != view) {
		if (old != NULL) {
			set_active(old, false);
			/* It may cover the screen no longer. */
			city_view_update(old);
		}
		if (view != NULL) {
			set_active(view, true);
		}
	}
	if (view != NULL) {
		city_view_raise(view);
		city_view_update(view);
		if (reveal) {
			city_map_reveal(city_view_main_stage(view), city_view_outer_box(view));
		}
	}
	city_seat_focus_update(server->seat);
	city_pointer_update_constraint(server->seat);
	city_minimap_changed(server);
	if (old != view) {
		wl_signal_emit_mutable(&server->events.focus, view);
	}
}

void city_server_focus_other(struct city_server *server, bool reveal) {
	struct city_view *view, *last = NULL;
	wl_list_for_each(view, &server->views, link) {
		if (!focusable(view)) {
			continue;
		}
		if (city_view_is_visible(view)) {
			city_server_focus(server, view, false);
			return;
		}
		last = last == NULL ? view : last;
	}
	city_server_focus(server, last, reveal);
}

static struct city_view *next(
	struct city_server *server, struct wl_list *start, int step, bool minimized_too) {
	for (struct wl_list *at = step > 0 ? start->next : start->prev; at != start;
		at = step > 0 ? at->next : at->prev) {
		if (at == &server->views) {
			continue;
		}
		struct city_view *view = wl_container_of(at, view, link);
		if (view->shown && (minimized_too || !view->minimized)) {
			return view;
		}
	}
	return NULL;
}

struct city_view *city_view_cycle(struct city_server *server, int step) {
	struct wl_list *start = &server->views;
	if (server->focused != NULL && focusable(server->focused)) {
		start = &server->focused->link;
	}
	/* Outside a cycle the focused view is the first: going backwards from it meets the one
	 * that has been out of focus longest, so repeating it visits all. */
	if (!server->cycling && step > 0 && start != &server->views) {
		step = -1;
	}
	struct city_view *view = next(server, start, step, server->cycling);
	return view != NULL ? view : next(server, start, step, true);
}

void city_server_end_cycle(struct city_server *server) {
	if (!server->cycling) {
		return;
	}
	server->cycling = false;
	if (server->focused != NULL) {
		city_view_raise(server->focused);
	}
}

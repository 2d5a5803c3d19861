/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <wlr/util/edges.h>

#include "compositor/desk.h"
#include "compositor/ground.h"
#include "compositor/minimap.h"
#include "compositor/output.h"
#include "compositor/pas.h"
#include "compositor/scape.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/view.h"

bool city_view_init(struct city_view *view, struct city_server *server, enum city_view_kind kind,
	const struct city_view_impl *impl) {
	*view = (struct city_view){
		.server = server,
		.impl = impl,
		.kind = kind,
		.id = ++server->last_view_id,
		.raised = ++server->raises,
		.framed = true,
	};
	wl_list_init(&view->sights);
	wl_list_init(&view->surface_destroy.link);
	wl_list_init(&view->surface_commit.link);
	if (!city_view_create_sights(view)) {
		return false;
	}
	wl_signal_init(&view->events.destroy);
	wl_signal_init(&view->events.moved);
	wl_signal_init(&view->events.title);
	wl_signal_init(&view->events.states);
	wl_list_insert(server->views.prev, &view->link);
	if (kind == CITY_VIEW_TILE) {
		view->district = strdup("tiles"); /* until its owner names another */
	}
	return true;
}

void city_view_finish(struct city_view *view) {
	city_view_hide(view);
	city_desk_changed(view->server->desk);
	wl_signal_emit_mutable(&view->events.destroy, view);
	wl_list_remove(&view->link);
	city_seat_forget_view(view->server->seat, view);
	city_view_show_surface(view);
	city_view_destroy_sights(view);
	wl_list_remove(&view->surface_destroy.link);
	wl_list_remove(&view->surface_commit.link);
	free(view->badge_text);
	free(view->district);
}

/* Place and size. */

struct city_box city_view_box(const struct city_view *view) {
	return (struct city_box){view->cx, view->cy, view->width, view->height};
}

static bool fills(const struct city_view *view) {
	return view->fullscreen || view->maximized || view->snapped;
}

struct city_box city_view_own_box(const struct city_view *view) {
	return fills(view) ? view->restore : city_view_box(view);
}

struct city_box city_view_outer_box(const struct city_view *view) {
	struct city_box box = city_view_box(view);
	if (view->framed && !view->fullscreen) {
		box.cx -= CITY_BORDER;
		box.width += 2 * CITY_BORDER;
		box.cy -= CITY_TITLEBAR;
		box.height += CITY_TITLEBAR + CITY_BORDER;
	}
	return box;
}

struct wlr_box city_view_box_on(const struct city_view *view, const struct city_stage *stage) {
	return city_map_box(&stage->camera, city_view_box(view));
}

long city_view_area_on(const struct city_view *view, const struct city_stage *stage) {
	struct wlr_box box = city_view_box_on(view, stage), seen;
	if (!wlr_box_intersection(&seen, &box, &stage->box)) {
		return 0;
	}
	return (long)seen.width * seen.height;
}

struct city_output *city_view_main_output(const struct city_view *view) {
	struct city_output *output, *best = NULL;
	long best_area = 0;
	wl_list_for_each(output, &view->server->outputs, link) {
		long area = city_view_area_on(view, output->stage);
		if (area > best_area) {
			best_area = area;
			best = output;
		}
	}
	return best;
}

int64_t city_view_frame_ns(const struct city_view *view) {
	const struct city_output *output;
	int64_t shortest = 0;
	wl_list_for_each(output, &view->server->outputs, link) {
		int64_t frame = city_output_frame_ns(output);
		if (view->shown && !view->minimized && frame > 0 &&
			(shortest == 0 || frame < shortest) &&
			city_view_area_on(view, output->stage) > 0) {
			shortest = frame;
		}
	}
	return shortest > 0 ? shortest : CITY_FRAME_NS;
}

struct city_stage *city_view_main_stage(const struct city_view *view) {
	struct city_stage *focused = city_stage_focused(view->server);
	if (city_view_area_on(view, focused) > 0) {
		return focused;
	}
	const struct city_output *output = city_view_main_output(view);
	return output != NULL ? output->stage : focused;
}

bool city_view_is_visible(const struct city_view *view) {
	return view->shown && !view->minimized && city_view_main_output(view) != NULL;
}

static void announce_moved(struct city_view *view) {
	city_scape_changed(view->server);
	city_ground_update_districts(view->server);
	wl_signal_emit_mutable(&view->events.moved, view);
	city_minimap_changed(view->server);
	city_desk_changed(view->server->desk);
	city_seat_scene_changed(view->server->seat);
}

void city_view_set_place(struct city_view *view, double cx, double cy) {
	if (view->cx == cx && view->cy == cy) {
		return;
	}
	view->cx = cx;
	view->cy = cy;
	city_view_update(view);
	announce_moved(view);
}

void city_view_set_own_place(struct city_view *view, double cx, double cy) {
	if (fills(view)) {
		view->restore.cx = cx;
		view->restore.cy = cy;
	} else {
		city_view_set_place(view, cx, cy);
	}
}

/* The anchor holds until the client has drawn the last size that was asked for. */
static void drop_anchor(struct city_view *view) {
	if (!view->resizing && view->width == view->requested_width &&
		view->height == view->requested_height) {
		view->anchor_edges = 0;
	}
}

void city_view_set_size(struct city_view *view, int width, int height) {
	if (view->width == width && view->height == height) {
		return;
	}
	if ((view->anchor_edges & WLR_EDGE_LEFT) != 0) {
		view->cx += view->width - width;
	}
	if ((view->anchor_edges & WLR_EDGE_TOP) != 0) {
		view->cy += view->height - height;
	}
	view->width = width;
	view->height = height;
	drop_anchor(view);
	city_view_update(view);
	announce_moved(view);
}

static int limit(int value, int min, int max) {
	value = max > 0 && value > max ? max : value;
	value = value < min ? min : value;
	return value < 1 ? 1 : value > 16384 ? 16384 : value;
}

void city_view_request_size(struct city_view *view, int width, int height) {
	int min_width = 0, min_height = 0, max_width = 0, max_height = 0;
	if (view->impl->limits != NULL) {
		view->impl->limits(view, &min_width, &min_height, &max_width, &max_height);
	}
	view->requested_width = limit(width, min_width, max_width);
	view->requested_height = limit(height, min_height, max_height);
	if (view->impl->configure != NULL) {
		view->impl->configure(view, view->requested_width, view->requested_height);
	}
}

void city_view_begin_resize(struct city_view *view, uint32_t edges) {
	view->anchor_edges = edges;
	view->resizing = true;
	if (view->snapped) {
		view->snapped = false;
		city_view_states_changed(view);
	}
	view->requested_width = view->width;
	view->requested_height = view->height;
	if (view->impl->set_resizing != NULL) {
		view->impl->set_resizing(view, true);
	}
}

void city_view_end_resize(struct city_view *view) {
	view->resizing = false;
	drop_anchor(view);
	if (view->impl->set_resizing != NULL) {
		view->impl->set_resizing(view, false);
	}
}

/* On and off the map. */

void city_view_show(struct city_view *view, const struct city_box *place) {
	if (view->shown) {
		return;
	}
	struct city_box box;
	if (place != NULL) {
		box = *place;
	} else {
		box = city_view_find_place(view->server, view->width, view->height, view->kind);
	}
	view->cx = box.cx;
	view->cy = box.cy;
	view->shown = true;
	city_view_update(view);
	wl_signal_emit_mutable(&view->server->events.view_mapped, view);
	announce_moved(view);
}

void city_view_hide(struct city_view *view) {
	if (!view->shown) {
		return;
	}
	struct city_server *server = view->server;
	bool seen = city_view_is_visible(view);
	wl_signal_emit_mutable(&server->events.view_unmapped, view);
	city_scape_changed(server);
	view->shown = false;
	city_view_update(view);
	city_minimap_changed(server);
	city_desk_changed(server->desk);
	city_ground_update_districts(server);
	city_seat_forget_view(server->seat, view);
	if (server->focused == view) {
		city_server_focus_other(server, seen);
	}
	city_seat_scene_changed(server->seat);
}

/* States. */

void city_view_set_framed(struct city_view *view, bool framed) {
	if (view->framed != framed) {
		view->framed = framed;
		city_scape_changed(view->server);
		city_ground_update_districts(view->server);
		city_view_update(view);
	}
}

/* Where on the screen the content of a view that fills the output is. */
static struct wlr_box filling(const struct city_view *view, const struct city_output *output) {
	struct wlr_box box = view->fullscreen ? city_output_box(output) : output->usable;
	if (!view->fullscreen && view->framed) {
		box.x += CITY_BORDER;
		box.width -= 2 * CITY_BORDER;
		box.y += CITY_TITLEBAR;
		box.height -= CITY_TITLEBAR + CITY_BORDER;
	}
	return box;
}

/* Gives the content the size of the screen, round the place that it had; `look` brings the camera
 * there, so that it fills the screen indeed. */
static void set_filled(struct city_view *view, const struct city_output *output, bool look) {
	struct wlr_box target = filling(view, output);
	struct city_box old = view->restore;
	double cx = round(old.cx + old.width / 2 - target.width / 2.0);
	double cy = round(old.cy + old.height / 2 - target.height / 2.0);
	view->anchor_edges = 0;
	city_view_set_place(view, cx, cy);
	city_view_request_size(view, target.width, target.height);
	if (look) {
		city_map_go(output->stage, cx - target.x, cy - target.y, 1);
	}
}

void city_views_refit(struct city_server *server) {
	struct city_view *view;
	wl_list_for_each(view, &server->views, link) {
		if (!view->shown || !(view->fullscreen || view->maximized)) {
			continue;
		}
		const struct city_output *output = city_view_main_output(view);
		if (output == NULL) {
			output = city_server_focused_output(server);
		}
		if (output == NULL) {
			continue;
		}
		struct wlr_box box = filling(view, output);
		if (box.width != view->requested_width || box.height != view->requested_height) {
			/* The camera is not moved on somebody else's behalf. */
			set_filled(view, output, view == server->focused);
		}
	}
}

void city_view_states_changed(struct city_view *view) {
	if (view->impl->set_tiled != NULL) {
		view->impl->set_tiled(view, view->snapped);
	}
	city_view_update(view);
	city_scape_changed(view->server);
	wl_signal_emit_mutable(&view->events.states, view);
	city_desk_changed(view->server->desk);
}

void city_view_set_above(struct city_view *view, bool above) {
	if (view->above != above) {
		view->above = above;
		city_view_states_changed(view);
		city_seat_scene_changed(view->server->seat);
	}
}

/* output: which is filled, NULL: the focused one. restore: where it will be after, NULL: where it
 * was before. */
static void set_filling(struct city_view *view, bool fullscreen, bool maximized,
	const struct city_output *output, const struct city_box *restore) {
	bool was = view->fullscreen || view->maximized;
	bool becomes = fullscreen || maximized;
	if (restore != NULL) {
		view->restore = *restore;
	} else if (!was && becomes && !view->snapped) {
		view->restore = city_view_box(view);
	}
	view->snapped = false;
	if (view->fullscreen != fullscreen) {
		view->fullscreen = fullscreen;
		if (view->impl->set_fullscreen != NULL) {
			view->impl->set_fullscreen(view, fullscreen);
		}
	}
	if (view->maximized != maximized) {
		view->maximized = maximized;
		if (view->impl->set_maximized != NULL) {
			view->impl->set_maximized(view, maximized);
		}
	}
	if (output == NULL) {
		output = city_server_focused_output(view->server);
	}
	if (becomes && output != NULL) {
		set_filled(view, output, true);
	} else if (becomes) {
		/* Once there is a screen. */
		view->requested_width = view->requested_height = 0;
	} else if (was) {
		city_view_set_place(view, view->restore.cx, view->restore.cy);
		city_view_request_size(view, (int)view->restore.width, (int)view->restore.height);
	}
	city_view_states_changed(view);
}

void city_view_show_as(struct city_view *view, const struct city_box *now,
	const struct city_box *restore, bool maximized, bool fullscreen) {
	view->maximized = maximized;
	view->fullscreen = fullscreen;
	if (maximized || fullscreen) {
		view->restore = *restore;
		view->requested_width = (int)now->width;
		view->requested_height = (int)now->height;
	}
	city_view_show(view, now);
	/* The screen may be another one. */
	city_views_refit(view->server);
}

void city_view_set_fullscreen(struct city_view *view, bool fullscreen) {
	if (view->fullscreen != fullscreen) {
		set_filling(view, fullscreen, view->maximized, NULL, NULL);
	}
}

void city_view_set_fullscreen_on(struct city_view *view, const struct city_output *output) {
	set_filling(view, true, view->maximized, output, NULL);
}

void city_view_set_maximized(struct city_view *view, bool maximized) {
	if (view->maximized != maximized) {
		set_filling(view, view->fullscreen, maximized, NULL, NULL);
	}
}

void city_view_maximize_again(
	struct city_view *view, const struct city_output *output, const struct city_box *restore) {
	set_filling(view, view->fullscreen, true, output, restore);
}

void city_view_set_minimized(struct city_view *view, bool minimized) {
	struct city_server *server = view->server;
	if (view->minimized == minimized) {
		return;
	}
	bool seen = city_view_is_visible(view);
	view->minimized = minimized;
	if (minimized) {
		wl_list_remove(&view->link);
		wl_list_insert(server->views.prev, &view->link);
		city_seat_forget_view(server->seat, view);
	}
	city_view_update(view);
	city_scape_changed(view->server);
	wl_signal_emit_mutable(&view->events.states, view);
	city_minimap_changed(server);
	city_desk_changed(server->desk);
	if (minimized && server->focused == view) {
		city_server_focus_other(server, seen);
	}
	city_seat_scene_changed(server->seat);
}

void city_view_close(struct city_view *view) {
	if (view->impl->close != NULL) {
		view->impl->close(view);
	}
}

void city_view_title_changed(struct city_view *view) {
	city_view_update(view);
	city_desk_changed(view->server->desk);
	city_scape_changed(view->server);
	wl_signal_emit_mutable(&view->events.title, view);
}

const char *city_view_title(struct city_view *view) {
	const char *title = view->impl->title == NULL ? NULL : view->impl->title(view);
	return title == NULL ? "" : title;
}

const char *city_view_app_id(struct city_view *view) {
	const char *app_id = view->impl->app_id == NULL ? NULL : view->impl->app_id(view);
	return app_id == NULL ? "" : app_id;
}

void city_view_set_badge(struct city_view *view, enum city_badge_kind kind, const char *text) {
	if (text == NULL || text[0] == '\0') {
		kind = CITY_BADGE_NONE;
	}
	char *copy = kind == CITY_BADGE_NONE ? NULL : strdup(text);
	if (kind != CITY_BADGE_NONE && copy == NULL) {
		return;
	}
	free(view->badge_text);
	view->badge_text = copy;
	view->badge_kind = kind;
	city_view_update(view);
}

void city_view_set_district(struct city_view *view, const char *name) {
	char *copy = name == NULL ? NULL : strdup(name);
	free(view->district);
	view->district = copy;
	city_ground_update_districts(view->server);
}

struct wlr_surface *city_view_surface_at(
	struct city_view *view, double tx, double ty, double *sx, double *sy) {
	struct wlr_surface *surface = city_view_surface(view);
	if (surface == NULL) {
		return NULL;
	}
	struct wlr_surface *found =
		wlr_surface_surface_at(surface, tx + view->offset_sx, ty + view->offset_sy, sx, sy);
	return found == surface ? city_view_input_surface(view) : found;
}

struct city_view *city_view_from_surface(struct city_server *server, struct wlr_surface *surface) {
	surface = wlr_surface_get_root_surface(surface);
	for (struct wlr_xdg_popup *popup = wlr_xdg_popup_try_from_wlr_surface(surface);
		popup != NULL && popup->parent != NULL;
		popup = wlr_xdg_popup_try_from_wlr_surface(surface)) {
		surface = wlr_surface_get_root_surface(popup->parent);
	}
	struct city_view *view;
	wl_list_for_each(view, &server->views, link) {
		if (city_view_surface(view) == surface) {
			return view;
		}
	}
	return NULL;
}

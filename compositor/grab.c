/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_xcursor_manager.h>
#include <wlr/util/edges.h>

#include "compositor/drag.h"
#include "compositor/ghost.h"
#include "compositor/minimap.h"
#include "compositor/scape.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/view.h"

#define PULL_OUT 16 /* pixels that a maximised or snapped view must be pulled */

/* The one that the pointer is on. */
static struct city_stage *stage_of(const struct city_seat *seat) {
	return city_stage_at(seat->server, seat->cursor->x, seat->cursor->y);
}

static void begin(
	struct city_seat *seat, enum city_grab_kind kind, struct city_view *view, uint32_t button) {
	/* Another one meanwhile: what was not let go is not dropped. */
	if (!city_grab_cancel(seat)) {
		city_grab_end(seat);
	}
	seat->grab = (struct city_grab){
		.kind = kind,
		.view = view,
		.button = button,
		.start_ox = seat->cursor->x,
		.start_oy = seat->cursor->y,
		.last_ox = seat->cursor->x,
		.last_oy = seat->cursor->y,
	};
	city_map_to_city(&stage_of(seat)->camera, seat->cursor->x, seat->cursor->y,
		&seat->grab.point_cx, &seat->grab.point_cy);
	if (view != NULL) {
		seat->grab.start_cx = view->cx;
		seat->grab.start_cy = view->cy;
		seat->grab.start_width = view->width;
		seat->grab.start_height = view->height;
		seat->grab.was_maximized = view->maximized;
		seat->grab.was_snapped = view->snapped;
		seat->grab.was_part = view->part;
		seat->grab.was = city_view_box(view);
		seat->grab.home = view->maximized || view->snapped ? view->restore : seat->grab.was;
	}
	wlr_seat_pointer_notify_clear_focus(seat->seat);
}

void city_grab_pan(struct city_seat *seat, uint32_t button) {
	begin(seat, CITY_GRAB_PAN, NULL, button);
	seat->grab.stage = stage_of(seat);
	city_map_stop(seat->grab.stage);
	city_flick_begin(&seat->flick);
	city_seat_set_shape(seat, "grabbing");
}

/* What is under the pointer in the minimap comes into the middle: at first by a journey. */
static void look(struct city_seat *seat, bool first) {
	struct city_stage *stage = seat->grab.stage;
	double ox = seat->cursor->x, oy = seat->cursor->y, cx, cy;
	if (!city_stage_exists(seat->server, stage) || !city_minimap_is_shown(stage)) {
		return;
	}
	city_minimap_to_city(stage, ox, oy, &cx, &cy);
	double zoom = city_map_end(&stage->camera).zoom;
	if (first) {
		city_map_centre(stage, cx, cy, zoom);
	} else if (ox != seat->grab.last_ox || oy != seat->grab.last_oy) {
		struct wlr_box screen = city_map_screen(stage);
		city_map_set(stage, cx - (screen.x + screen.width / 2.0) / zoom,
			cy - (screen.y + screen.height / 2.0) / zoom, zoom);
	}
}

void city_grab_minimap(struct city_seat *seat, uint32_t button) {
	begin(seat, CITY_GRAB_MINIMAP, NULL, button);
	seat->grab.stage = stage_of(seat);
	look(seat, true);
}

void city_grab_move(struct city_seat *seat, struct city_view *view, uint32_t button) {
	if (view->fullscreen) {
		return;
	}
	begin(seat, CITY_GRAB_MOVE, view, button);
	const struct city_output *output = city_view_main_output(view);
	seat->grab.stage = output != NULL ? output->stage : NULL;
	seat->grab.drag = city_drag_begin(seat, view);
	city_seat_set_shape(seat, "grabbing");
}

bool city_grab_quarter(struct city_seat *seat, uint32_t button) {
	double cx, cy;
	const struct city_survey *survey = city_scape_survey(seat->server);
	city_map_to_city(&stage_of(seat)->camera, seat->cursor->x, seat->cursor->y, &cx, &cy);
	size_t count = 0;
	const struct city_quarter *quarters =
		survey == NULL ? NULL : city_survey_quarters(survey, &count);
	for (size_t i = count; i-- > 0;) {
		struct city_box box = quarters[i].box;
		if (quarters[i].site == CITY_NO_SITE || cx < box.cx || cy < box.cy ||
			cx >= box.cx + box.width || cy >= box.cy + box.height) {
			continue;
		}
		char *name = strdup(quarters[i].name);
		if (name == NULL) {
			return false;
		}
		begin(seat, CITY_GRAB_QUARTER, NULL, button);
		seat->grab.quarter = name;
		seat->grab.start_cx = box.cx;
		seat->grab.start_cy = box.cy;
		city_seat_set_shape(seat, "grabbing");
		return true;
	}
	return false;
}

/* The nearest corner, or the nearest edge in the middle third of a side. */
static uint32_t choose_edges(struct city_seat *seat, struct city_view *view) {
	struct wlr_box box = city_view_box_on(view, stage_of(seat));
	double at_x = (seat->cursor->x - box.x) / fmax(box.width, 1);
	double at_y = (seat->cursor->y - box.y) / fmax(box.height, 1);
	uint32_t edges = 0;
	edges |= at_x < 1.0 / 3 ? WLR_EDGE_LEFT : at_x > 2.0 / 3 ? WLR_EDGE_RIGHT : 0;
	edges |= at_y < 1.0 / 3 ? WLR_EDGE_TOP : at_y > 2.0 / 3 ? WLR_EDGE_BOTTOM : 0;
	return edges != 0 ? edges : WLR_EDGE_RIGHT | WLR_EDGE_BOTTOM;
}

void city_grab_resize(
	struct city_seat *seat, struct city_view *view, uint32_t edges, uint32_t button) {
	if (view->fullscreen || view->maximized) {
		return;
	}
	if (edges == 0) {
		edges = choose_edges(seat, view);
	}
	begin(seat, CITY_GRAB_RESIZE, view, button);
	seat->grab.edges = edges;
	city_view_begin_resize(view, edges);
	city_seat_set_shape(seat, wlr_xcursor_get_resize_name((enum wlr_edges)edges));
}

static bool may_grab(struct city_seat *seat, struct city_view *view, uint32_t serial) {
	/* Only with the button held that the client names, over one of its own surfaces. */
	struct wlr_surface *surface = city_view_surface(view);
	struct wlr_surface *over = seat->seat->pointer_state.focused_surface;
	return surface != NULL && over != NULL &&
		wl_resource_get_client(over->resource) ==
		wl_resource_get_client(surface->resource) &&
		wlr_seat_validate_pointer_grab_serial(seat->seat, NULL, serial);
}

void city_grab_move_requested(struct city_seat *seat, struct city_view *view, uint32_t serial) {
	if (seat != NULL && may_grab(seat, view, serial)) {
		city_grab_move(seat, view, 0);
	}
}

void city_grab_resize_requested(
	struct city_seat *seat, struct city_view *view, uint32_t serial, uint32_t edges) {
	if (seat != NULL && may_grab(seat, view, serial)) {
		city_grab_resize(seat, view, edges, 0);
	}
}

/* The pointer keeps its share of a view that gets its old size back. */
static void pull_out(struct city_grab *grab) {
	struct city_view *view = grab->view;
	double share_x = (grab->point_cx - grab->start_cx) / fmax(grab->start_width, 1);
	double share_y = (grab->point_cy - grab->start_cy) / fmax(grab->start_height, 1);
	if (view->maximized) {
		city_view_set_maximized(view, false);
	} else {
		city_view_unsnap(view);
	}
	grab->start_cx = grab->point_cx - share_x * view->restore.width;
	if (share_y > 0) {
		grab->start_cy = grab->point_cy - share_y * view->restore.height;
	}
}

/* Only in a room, which is what it would be a part of, and not where a drop is a refactor; a click
 * at an edge is no drag. */
static const char *find_drop(
	const struct city_seat *seat, struct city_stage *stage, bool refactors) {
	const struct city_grab *grab = &seat->grab;
	double ox = seat->cursor->x, oy = seat->cursor->y;
	if (refactors || grab->view->maximized || grab->view->snapped ||
		!city_map_is_room(&stage->camera) ||
		hypot(ox - grab->start_ox, oy - grab->start_oy) <= PULL_OUT) {
		return NULL;
	}
	return city_drop_part(city_map_screen(stage), ox, oy);
}

/* Shows what a drop would fill. */
static void aim(struct city_seat *seat, bool refactors) {
	struct city_grab *grab = &seat->grab;
	struct city_stage *stage = stage_of(seat);
	grab->drop = find_drop(seat, stage, refactors);
	grab->drop_stage = stage;
	if (grab->drop == NULL) {
		city_ghost_hide(grab->ghost);
		return;
	}
	struct city_part part;
	struct wlr_box box = city_part_named(grab->drop, &part) ? city_part_on(part, stage)
								: city_map_screen(stage);
	if (grab->ghost == NULL) {
		grab->ghost = city_ghost_create();
	}
	city_ghost_show(grab->ghost, stage, &box, NULL, true);
}

/* cx, cy: how far the pointer is from where it took hold. */
static void move(struct city_seat *seat, double cx, double cy) {
	struct city_grab *grab = &seat->grab;
	struct city_view *view = grab->view;
	bool refactors = false;
	bool held = view->maximized || view->snapped;
	if (held && hypot(cx, cy) * city_view_main_stage(view)->camera.zoom > PULL_OUT) {
		pull_out(grab);
		held = false;
	}
	if (!held) {
		/* Whole units, so that in the room every pixel of the view is one of the screen. */
		double to_cx = round(grab->start_cx + cx), to_cy = round(grab->start_cy + cy);
		if (grab->drag != NULL &&
			city_drag_motion(grab->drag, grab->point_cx + cx, grab->point_cy + cy,
				to_cx, to_cy)) {
			city_view_set_place(view, grab->start_cx, grab->start_cy);
			refactors = true;
		} else {
			city_view_hold(view, &to_cx, &to_cy);
			city_view_set_place(view, to_cx, to_cy);
		}
	}
	aim(seat, refactors);
}

static void resize(struct city_grab *grab, double cx, double cy) {
	int width = grab->start_width, height = grab->start_height;
	int by_x = (int)lround(cx), by_y = (int)lround(cy);
	if ((grab->edges & WLR_EDGE_LEFT) != 0) {
		width -= by_x;
	} else if ((grab->edges & WLR_EDGE_RIGHT) != 0) {
		width += by_x;
	}
	if ((grab->edges & WLR_EDGE_TOP) != 0) {
		height -= by_y;
	} else if ((grab->edges & WLR_EDGE_BOTTOM) != 0) {
		height += by_y;
	}
	city_view_request_size(grab->view, width, height);
}

static void pan(struct city_seat *seat, double dox, double doy) {
	struct city_grab *grab = &seat->grab;
	if (city_stage_exists(seat->server, grab->stage)) {
		city_flick_add(&seat->flick, seat->time_msec, dox, doy, 0);
		city_map_drag(grab->stage, dox, doy);
	}
}

void city_grab_motion(struct city_seat *seat) {
	struct city_grab *grab = &seat->grab;
	double ox = seat->cursor->x, oy = seat->cursor->y, cx, cy;
	struct city_stage *stage = stage_of(seat);
	city_map_to_city(&stage->camera, ox, oy, &cx, &cy);
	switch (grab->kind) {
	case CITY_GRAB_NONE:
		break;
	case CITY_GRAB_PAN:
		pan(seat, grab->last_ox - ox, grab->last_oy - oy);
		break;
	case CITY_GRAB_MINIMAP:
		look(seat, false);
		break;
	case CITY_GRAB_MOVE:
		move(seat, cx - grab->point_cx, cy - grab->point_cy);
		break;
	case CITY_GRAB_QUARTER:
		city_survey_move(city_scape_survey(seat->server), grab->quarter,
			round(grab->start_cx + cx - grab->point_cx),
			round(grab->start_cy + cy - grab->point_cy));
		break;
	case CITY_GRAB_RESIZE:
		resize(grab, cx - grab->point_cx, cy - grab->point_cy);
		break;
	}
	grab->last_ox = ox;
	grab->last_oy = oy;
}

void city_grab_follow(struct city_seat *seat) {
	if (seat->grab.kind == CITY_GRAB_MOVE) {
		city_grab_motion(seat);
	}
}

void city_grab_release(struct city_seat *seat, uint32_t time_msec) {
	struct city_grab grab = seat->grab;
	seat->grab.drag = NULL;
	city_grab_end(seat);
	if (grab.drag != NULL) {
		city_drag_drop(grab.drag);
	}
	if (grab.drop != NULL && city_stage_exists(seat->server, grab.drop_stage)) {
		struct city_part part;
		if (city_part_named(grab.drop, &part)) {
			city_view_snap_on(grab.view, part, grab.drop_stage, grab.home);
		} else {
			city_view_set_maximized(grab.view, true);
			grab.view->restore = grab.home;
		}
	}
	if (grab.kind == CITY_GRAB_PAN && city_stage_exists(seat->server, grab.stage)) {
		struct city_flick_speed speed = city_flick_end(&seat->flick, time_msec);
		city_map_glide(grab.stage, &speed);
	}
}

void city_grab_end(struct city_seat *seat) {
	struct city_grab grab = seat->grab;
	if (grab.kind == CITY_GRAB_NONE) {
		return;
	}
	seat->grab = (struct city_grab){0};
	free(grab.quarter);
	city_drag_end(grab.drag);
	city_ghost_destroy(grab.ghost);
	if (grab.kind == CITY_GRAB_RESIZE) {
		city_view_end_resize(grab.view);
	}
	city_seat_scene_changed(seat);
}

bool city_grab_cancel(struct city_seat *seat) {
	struct city_grab grab = seat->grab;
	if (grab.kind != CITY_GRAB_MOVE) {
		return false;
	}
	city_grab_end(seat);
	struct city_view *view = grab.view;
	if (view->maximized || view->snapped) {
		return true; /* it has not been pulled out yet */
	}
	if (grab.was_maximized) {
		bool left = city_stage_exists(seat->server, grab.stage);
		city_view_maximize_again(view, left ? grab.stage->output : NULL, &grab.home);
	} else if (grab.was_snapped) {
		city_view_snap_again(view, grab.was_part, &grab.was, &grab.home);
	} else {
		city_view_set_place(view, grab.was.cx, grab.was.cy);
	}
	return true;
}

/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_keyboard.h>

#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/drag.h"
#include "compositor/ghost.h"
#include "compositor/ground.h"
#include "compositor/paths.h"
#include "compositor/refactor.h"
#include "compositor/scape.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/tile.h"
#include "compositor/view.h"

enum drop {
	DROP_PLACE,
	DROP_MOVE,
	DROP_REPLACE,
	DROP_FORK,
	DROP_NONE, /* it would be one of these, but cannot be done */
};

struct city_drag {
	struct city_seat *seat;
	struct city_tile *tile;
	char *city;		  /* the city folder; NULL: none */
	struct city_box district; /* where its district was when it began; empty: none */
	enum drop drop;
	char target[VAT_NAME_SIZE * 4]; /* tile or district */
	char folder[4096];		/* of the district */
	char text[512];
	double cx, cy;		   /* where it would be put */
	double point_cx, point_cy; /* where the pointer is */
	struct city_ghost *ghost;
};

static struct city_tile *tile_of(struct city_view *view) {
	struct city_tile *tile = wl_container_of(view, tile, view);
	return tile;
}

/* ---- what is seen of it */

/* box: of the target, in the city; NULL: there is none. */
static void show(struct city_drag *drag, const struct city_box *box) {
	struct city_seat *seat = drag->seat;
	struct city_stage *stage = city_stage_at(seat->server, seat->cursor->x, seat->cursor->y);
	if (drag->drop == DROP_PLACE) {
		city_ghost_hide(drag->ghost);
		return;
	}
	struct city_box outer = city_view_outer_box(&drag->tile->view);
	outer.cx += drag->cx - drag->tile->view.cx;
	outer.cy += drag->cy - drag->tile->view.cy;
	struct wlr_box moved = city_map_box(&stage->camera, outer), mark;
	if (box != NULL) {
		mark = city_map_box(&stage->camera, *box);
	}
	city_ghost_show(
		drag->ghost, stage, &moved, box != NULL ? &mark : NULL, drag->drop != DROP_NONE);
	city_ghost_say(drag->ghost, drag->text, (int)seat->cursor->x, (int)seat->cursor->y);
}

/* ---- what it would do */

/* The topmost tile there, but for the one that is dragged. */
static struct city_tile *tile_at(const struct city_drag *drag, double cx, double cy) {
	struct city_view *view;
	wl_list_for_each(view, &drag->seat->server->views, link) {
		struct city_box box = city_view_outer_box(view);
		if (view != &drag->tile->view && view->shown && !view->minimized &&
			city_box_contains(box, cx, cy)) {
			return view->kind == CITY_VIEW_TILE ? tile_of(view) : NULL;
		}
	}
	return NULL;
}

/* The folder that a folder lies in; empty for none. */
static void parent_of(const char *path, char *text, size_t size) {
	const char *slash = strrchr(path, '/');
	snprintf(text, size, "%.*s", slash != NULL ? (int)(slash - path) : 0, path);
}

struct search {
	double cx, cy;
	const char *own;  /* not this one */
	const char *name; /* that was found; NULL: none */
	struct city_box *box;
};

static void look_at(void *data, const char *name, struct city_box box) {
	struct search *search = data;
	if (search->name == NULL && city_box_contains(box, search->cx, search->cy) &&
		(search->own == NULL || strcmp(search->own, name) != 0)) {
		search->name = name;
		*search->box = box;
	}
}

/* A district whose tiles are on the map: its folder is that of any of them. */
static bool find_block(
	struct city_drag *drag, double cx, double cy, const char **name, struct city_box *box) {
	struct search search = {cx, cy, drag->tile->view.district, NULL, box};
	city_ground_for_each_district(drag->seat->server, look_at, &search);
	const struct city_tile *tile;
	wl_list_for_each(tile, &drag->tile->tiles->list, link) {
		if (search.name != NULL && !tile->closing && tile->view.district != NULL &&
			strcmp(tile->view.district, search.name) == 0) {
			*name = search.name;
			parent_of(city_tile_source(tile), drag->folder, sizeof(drag->folder));
			return drag->folder[0] != '\0';
		}
	}
	return false;
}

/* One of which there is only source: a quarter that is a folder of the city's. */
static bool find_quarter(
	struct city_drag *drag, double cx, double cy, const char **name, struct city_box *box) {
	const struct city_survey *survey = city_scape_survey(drag->seat->server);
	size_t count = 0;
	const struct city_quarter *quarters =
		survey == NULL ? NULL : city_survey_quarters(survey, &count);
	char own[4096], parent[4096];
	parent_of(city_tile_source(drag->tile), own, sizeof(own));
	for (size_t i = 0; i < count; i++) {
		const struct city_quarter *quarter = &quarters[i];
		if (quarter->site == CITY_NO_SITE || quarter->path == NULL ||
			!city_box_contains(quarter->box, cx, cy) || drag->city == NULL ||
			strcmp(quarter->path, own) == 0) {
			continue;
		}
		parent_of(quarter->path, parent, sizeof(parent));
		if (strcmp(parent, drag->city) == 0) {
			snprintf(drag->folder, sizeof(drag->folder), "%s", quarter->path);
			*name = quarter->name;
			*box = quarter->box;
			return true;
		}
	}
	return false;
}

static bool find_district(
	struct city_drag *drag, double cx, double cy, const char **name, struct city_box *box) {
	return !city_box_contains(drag->district, cx, cy) &&
		(find_block(drag, cx, cy, name, box) || find_quarter(drag, cx, cy, name, box));
}

/* One that is missing would be made again, and that is not what was aimed at. */
static bool is_folder(const char *path, char error[400]) {
	struct stat info;
	if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
		return true;
	}
	snprintf(error, 400, "The folder of this district, %.300s, is no longer there", path);
	return false;
}

/* Sets drop, target and text; false: there is no box to outline. */
static bool decide(struct city_drag *drag, double cx, double cy, struct city_box *box) {
	const struct city_tile *tile = drag->tile, *over = tile_at(drag, cx, cy);
	const struct city_server *server = drag->seat->server;
	const char *name;
	bool marked = false;
	drag->drop = DROP_PLACE;
	drag->text[0] = drag->target[0] = '\0';
	if (city_stage_at(drag->seat->server, drag->seat->cursor->x, drag->seat->cursor->y)
				->camera.zoom >= 1 ||
		server->control == NULL) {
		return false;
	}
	if ((city_seat_modifiers(drag->seat) & WLR_MODIFIER_CTRL) != 0) {
		drag->drop = DROP_FORK;
		snprintf(drag->text, sizeof(drag->text), "Fork %s: a copy of its source and state",
			tile->name);
	} else if (over != NULL && city_refactor_fits(over, tile)) {
		drag->drop = DROP_REPLACE;
		snprintf(drag->target, sizeof(drag->target), "%s", over->name);
		snprintf(drag->text, sizeof(drag->text),
			"Replace what %s runs by %s; its state and streams stay", over->name,
			tile->name);
		*box = city_view_outer_box(&over->view);
		marked = true;
	} else if (find_district(drag, cx, cy, &name, box)) {
		drag->drop = DROP_MOVE;
		snprintf(drag->target, sizeof(drag->target), "%s", name);
		snprintf(drag->text, sizeof(drag->text),
			"Move the source of %s from %s to %s, build it and hand over", tile->name,
			tile->view.district, name);
		marked = true;
	}
	char error[400];
	const struct city_tile *changed = drag->drop == DROP_REPLACE ? over : tile;
	if (drag->drop != DROP_PLACE &&
		(!city_refactor_free(server->control, error, sizeof(error)) ||
			!city_refactor_ready(changed, error, sizeof(error)) ||
			(drag->drop == DROP_MOVE && !is_folder(drag->folder, error)))) {
		drag->drop = DROP_NONE;
		snprintf(drag->text, sizeof(drag->text), "%s", error);
	}
	return marked;
}

bool city_drag_motion(
	struct city_drag *drag, double point_cx, double point_cy, double cx, double cy) {
	struct city_box box;
	drag->cx = cx;
	drag->cy = cy;
	drag->point_cx = point_cx;
	drag->point_cy = point_cy;
	bool marked = decide(drag, point_cx, point_cy, &box);
	show(drag, marked ? &box : NULL);
	return drag->drop != DROP_PLACE;
}

/* Whether a drop does now what it was last said to do; what is dropped on may have gone since. */
static bool is_as_said(struct city_drag *drag, char error[512]) {
	enum drop said = drag->drop;
	char target[sizeof(drag->target)];
	struct city_box box;
	snprintf(target, sizeof(target), "%s", drag->target);
	if (said == DROP_PLACE || said == DROP_NONE) {
		return true;
	}
	decide(drag, drag->point_cx, drag->point_cy, &box);
	if (drag->drop == said && strcmp(target, drag->target) == 0) {
		return true;
	}
	snprintf(error, 512, "nothing was done: %.480s",
		drag->drop == DROP_NONE ? drag->text : "what it was dropped on has gone");
	return false;
}

void city_drag_drop(struct city_drag *drag) {
	struct city_control *control = drag->seat->server->control;
	struct city_tile *tile = drag->tile;
	char error[512];
	if (!is_as_said(drag, error)) {
		city_tile_set_notice(tile, CITY_BADGE_ERROR, error, true);
		city_control_message(drag->seat->server, CITY_LOG_WARN, tile->name, "%s", error);
		city_drag_end(drag);
		return;
	}
	bool good = true;
	switch (drag->drop) {
	case DROP_MOVE:
		good = city_refactor_begin(control, NULL, CITY_REFACTOR_MOVE, tile->name,
			drag->folder, false, error, sizeof(error));
		break;
	case DROP_REPLACE:
		good = city_refactor_begin(control, NULL, CITY_REFACTOR_REPLACE, drag->target,
			tile->name, false, error, sizeof(error));
		break;
	case DROP_FORK:
		good = city_refactor_begin(control, NULL, CITY_REFACTOR_FORK, tile->name, "", false,
			error, sizeof(error));
		break;
	case DROP_PLACE:
	case DROP_NONE:
		break;
	}
	if (!good) {
		city_tile_set_notice(tile, CITY_BADGE_ERROR, error, true);
	} else if (drag->drop == DROP_MOVE || drag->drop == DROP_FORK) {
		city_refactor_put(control, drag->cx, drag->cy);
	}
	city_drag_end(drag);
}

/* ---- life */

struct city_drag *city_drag_begin(struct city_seat *seat, struct city_view *view) {
	struct city_drag *drag = view->kind == CITY_VIEW_TILE ? calloc(1, sizeof(*drag)) : NULL;
	if (drag != NULL) {
		drag->seat = seat;
		drag->tile = tile_of(view);
		drag->ghost = city_ghost_create();
		drag->city = city_path_data("city");
		if (view->district != NULL) {
			city_ground_find_district(seat->server, view->district, &drag->district);
		}
	}
	return drag;
}

void city_drag_end(struct city_drag *drag) {
	if (drag != NULL) {
		city_ghost_destroy(drag->ghost);
		free(drag->city);
		free(drag);
	}
}

const char *city_drag_what(const struct city_drag *drag) {
	static const char *const names[] = {"place", "move", "replace", "fork", "none"};
	return names[drag->drop];
}

const char *city_drag_text(const struct city_drag *drag) {
	return drag->text;
}

const char *city_drag_target(const struct city_drag *drag) {
	return drag->target;
}

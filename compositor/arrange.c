/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/util/edges.h>

#include "compositor/arrange.h"
#include "compositor/output.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/view.h"

#define GAP 8		  /* between windows that share a room, and round them; units */
#define REACH 12	  /* pixels of the screen within which an edge holds */
#define DROP_REACH 8	  /* pixels from a screen's edge where a drop fills a part of it */
#define DROP_CORNER 0.2	  /* of the shorter side, that a corner reaches along an edge */
#define NEIGHBOURS_MAX 64 /* of a dragged window; more are not looked at */

static const struct {
	const char *name;
	struct city_part part;
} parts[] = {
	{"left", {0, 0, 0.5, 1}},
	{"right", {0.5, 0, 1, 1}},
	{"top", {0, 0, 1, 0.5}},
	{"bottom", {0, 0.5, 1, 1}},
	{"top-left", {0, 0, 0.5, 0.5}},
	{"top-right", {0.5, 0, 1, 0.5}},
	{"bottom-left", {0, 0.5, 0.5, 1}},
	{"bottom-right", {0.5, 0.5, 1, 1}},
	{"center", {1.0 / 6, 1.0 / 12, 5.0 / 6, 11.0 / 12}},
};

bool city_part_named(const char *name, struct city_part *part) {
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcmp(parts[i].name, name) == 0) {
			*part = parts[i].part;
			return true;
		}
	}
	return false;
}

const char *city_part_names(void) {
	return "left, right, top, bottom, top-left, top-right, bottom-left, bottom-right, center";
}

const char *city_drop_part(struct wlr_box screen, double ox, double oy) {
	bool left = ox < screen.x + DROP_REACH;
	bool right = ox >= screen.x + screen.width - DROP_REACH;
	bool top = oy < screen.y + DROP_REACH;
	bool bottom = oy >= screen.y + screen.height - DROP_REACH;
	if (!left && !right && !top && !bottom) {
		return NULL;
	}
	/* Near a corner the edges that meet there count both. */
	double corner = fmin(screen.width, screen.height) * DROP_CORNER;
	bool west = ox < screen.x + corner, east = ox >= screen.x + screen.width - corner;
	bool north = oy < screen.y + corner, south = oy >= screen.y + screen.height - corner;
	if (west || east) {
		if (north) {
			return west ? "top-left" : "top-right";
		}
		if (south) {
			return west ? "bottom-left" : "bottom-right";
		}
	}
	return left ? "left" : right ? "right" : top ? "maximize" : "bottom";
}

/* One axis of a part: from and to are shares of the room. */
static void cut(double from, double to, double begin, double size, double *at, double *length) {
	double first = begin + from * size + (from > 0 ? GAP / 2.0 : GAP);
	double last = begin + to * size - (to < 1 ? GAP / 2.0 : GAP);
	*at = round(first);
	*length = fmax(round(last) - *at, 1);
}

struct city_box city_part_box(struct city_part part, struct city_box room) {
	struct city_box box;
	cut(part.left, part.right, room.cx, room.width, &box.cx, &box.width);
	cut(part.top, part.bottom, room.cy, room.height, &box.cy, &box.height);
	return box;
}

struct city_part city_part_of(size_t i, size_t n, struct city_box room) {
	if (n == 0 || i >= n) {
		return (struct city_part){0, 0, 1, 1};
	}
	/* As wide as high in the end, if the room were filled evenly. */
	double shape = room.height > 0 ? room.width / room.height : 1;
	size_t columns = (size_t)lround(sqrt((double)n * shape / 1.3));
	columns = columns < 1 ? 1 : columns > n ? n : columns;
	size_t rows = (n + columns - 1) / columns;
	size_t row = i / columns;
	size_t in_row = row + 1 < rows ? columns : n - row * columns;
	size_t column = i % columns;
	return (struct city_part){
		.left = (double)column / (double)in_row,
		.right = (double)(column + 1) / (double)in_row,
		.top = (double)row / (double)rows,
		.bottom = (double)(row + 1) / (double)rows,
	};
}

/* ---- edges that hold */

static void pull(double from, double to, double reach, double *by) {
	double d = to - from;
	if (fabs(d) <= reach && (*by == 0 || fabs(d) < fabs(*by))) {
		*by = d;
	}
}

static bool meet(double a, double a_size, double b, double b_size, double reach) {
	return a <= b + b_size + reach && b <= a + a_size + reach;
}

static void pull_axis(
	double at, double size, double other, double other_size, double reach, double *by) {
	double end = at + size, other_end = other + other_size;
	pull(at, other_end + GAP, reach, by); /* beside it */
	pull(end, other - GAP, reach, by);
	pull(at, other, reach, by); /* in line with it */
	pull(end, other_end, reach, by);
}

void city_magnet(struct city_box box, const struct city_box *others, size_t count,
	struct city_box room, double reach, double *dx, double *dy) {
	*dx = *dy = 0;
	for (size_t i = 0; i < count; i++) {
		const struct city_box *other = &others[i];
		if (meet(box.cy, box.height, other->cy, other->height, GAP + reach)) {
			pull_axis(box.cx, box.width, other->cx, other->width, reach, dx);
		}
		if (meet(box.cx, box.width, other->cx, other->width, GAP + reach)) {
			pull_axis(box.cy, box.height, other->cy, other->height, reach, dy);
		}
	}
	pull(box.cx, room.cx + GAP, reach, dx);
	pull(box.cx + box.width, room.cx + room.width - GAP, reach, dx);
	pull(box.cy, room.cy + GAP, reach, dy);
	pull(box.cy + box.height, room.cy + room.height - GAP, reach, dy);
}

static bool is_free(const struct city_view *view) {
	return view->shown && !view->minimized && !view->fullscreen && !view->maximized;
}

/* What the stage's screen shows, or would show at zoom 1 about the same middle. */
static struct city_box room_of(struct city_stage *stage) {
	struct wlr_box screen = city_map_screen(stage);
	struct city_camera camera = city_map_end(&stage->camera);
	struct city_box seen = city_map_visible(&camera, screen);
	return (struct city_box){
		.cx = round(seen.cx + seen.width / 2 - screen.width / 2.0),
		.cy = round(seen.cy + seen.height / 2 - screen.height / 2.0),
		.width = screen.width,
		.height = screen.height,
	};
}

void city_view_hold(const struct city_view *view, double *cx, double *cy) {
	struct city_stage *stage = city_view_main_stage(view);
	struct wlr_box screen = city_map_screen(stage);
	struct city_box others[NEIGHBOURS_MAX];
	size_t count = 0;
	const struct city_view *other;
	wl_list_for_each(other, &view->server->views, link) {
		if (other != view && is_free(other) && count < NEIGHBOURS_MAX &&
			city_view_is_visible(other)) {
			others[count++] = city_view_outer_box(other);
		}
	}
	struct city_box box = city_view_outer_box(view);
	box.cx += *cx - view->cx;
	box.cy += *cy - view->cy;
	double dx, dy;
	city_magnet(box, others, count, city_map_visible(&stage->camera, screen),
		REACH / stage->camera.zoom, &dx, &dy);
	*cx += round(dx);
	*cy += round(dy);
}

/* ---- snapping */

static void look_at(struct city_stage *stage, struct city_box room) {
	struct wlr_box screen = city_map_screen(stage);
	city_map_go(stage, room.cx - screen.x, room.cy - screen.y, 1);
}

static void fill(struct city_view *view, struct city_part part, struct city_box room) {
	struct city_box box = city_part_box(part, room);
	struct city_box outer = city_view_outer_box(view), content = city_view_box(view);
	if (!view->snapped) {
		view->restore = content;
		view->snapped = true;
	}
	view->part = part;
	view->anchor_edges = 0;
	city_view_set_place(view, box.cx + content.cx - outer.cx, box.cy + content.cy - outer.cy);
	city_view_request_size(view, (int)fmax(box.width - (outer.width - content.width), 1),
		(int)fmax(box.height - (outer.height - content.height), 1));
	city_view_states_changed(view);
}

static bool same_part(struct city_part a, struct city_part b) {
	return a.left == b.left && a.top == b.top && a.right == b.right && a.bottom == b.bottom;
}

void city_view_snap(struct city_view *view, struct city_part part) {
	if (view->snapped && same_part(view->part, part)) {
		city_view_unsnap(view);
		return;
	}
	struct city_stage *stage = city_view_main_stage(view);
	struct city_box room = room_of(stage);
	fill(view, part, room);
	look_at(stage, room);
}

void city_view_snap_on(struct city_view *view, struct city_part part, struct city_stage *stage,
	struct city_box home) {
	struct city_box room = room_of(stage);
	fill(view, part, room);
	view->restore = home;
	look_at(stage, room);
}

struct wlr_box city_part_on(struct city_part part, struct city_stage *stage) {
	return city_map_box(&stage->camera, city_part_box(part, room_of(stage)));
}

void city_view_snap_again(struct city_view *view, struct city_part part, const struct city_box *now,
	const struct city_box *restore) {
	view->restore = *restore;
	view->part = part;
	view->snapped = true;
	view->anchor_edges = 0;
	city_view_set_place(view, now->cx, now->cy);
	city_view_request_size(view, (int)now->width, (int)now->height);
	city_view_states_changed(view);
}

void city_view_unsnap(struct city_view *view) {
	if (!view->snapped) {
		return;
	}
	view->snapped = false;
	view->anchor_edges = 0;
	city_view_set_place(view, view->restore.cx, view->restore.cy);
	city_view_request_size(view, (int)view->restore.width, (int)view->restore.height);
	city_view_states_changed(view);
}

static bool same_block(const struct city_view *a, const struct city_view *b) {
	return a->district == NULL || b->district == NULL ? a->district == b->district
							  : strcmp(a->district, b->district) == 0;
}

struct placed {
	struct city_view *view;
	double row, cx; /* of its middle */
};

/* As one reads. */
static int by_place(const void *left, const void *right) {
	const struct placed *a = left, *b = right;
	if (a->row != b->row) {
		return a->row < b->row ? -1 : 1;
	}
	return a->cx < b->cx ? -1 : a->cx > b->cx;
}

void city_arrange(struct city_view *view, bool off) {
	struct city_stage *stage = city_view_main_stage(view);
	struct city_box room = room_of(stage);
	size_t count = 0;
	struct city_view *other;
	wl_list_for_each(other, &view->server->views, link) {
		count += is_free(other) && same_block(view, other);
	}
	struct placed *all = calloc(count, sizeof(*all));
	if (all == NULL) {
		return;
	}
	double row = city_part_of(0, count, room).bottom * room.height;
	count = 0;
	wl_list_for_each(other, &view->server->views, link) {
		if (is_free(other) && same_block(view, other)) {
			struct city_box box = city_view_box(other);
			all[count++] = (struct placed){
				.view = other,
				.row = floor((box.cy + box.height / 2 - room.cy) / fmax(row, 1)),
				.cx = box.cx + box.width / 2,
			};
		}
	}
	qsort(all, count, sizeof(*all), by_place);
	for (size_t i = 0; i < count; i++) {
		if (off) {
			city_view_unsnap(all[i].view);
		} else {
			fill(all[i].view, city_part_of(i, count, room), room);
		}
	}
	free(all);
	if (!off) {
		look_at(stage, room);
	}
}

struct city_view *city_view_beside(struct city_view *view, int dx, int dy) {
	struct city_box from = city_view_box(view);
	double best = INFINITY;
	struct city_view *found = NULL, *other;
	wl_list_for_each(other, &view->server->views, link) {
		if (other == view || !other->shown || other->minimized) {
			continue;
		}
		struct city_box to = city_view_box(other);
		double x = to.cx + to.width / 2 - from.cx - from.width / 2;
		double y = to.cy + to.height / 2 - from.cy - from.height / 2;
		double along = dx * x + dy * y, across = dx != 0 ? y : x;
		/* Straight ahead before aside. */
		double distance = along + 2 * fabs(across);
		if (along > 0 && fabs(across) <= 2 * along && distance < best) {
			best = distance;
			found = other;
		}
	}
	return found;
}

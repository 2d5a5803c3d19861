/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <wayland-server-core.h>

#include "compositor/map.h"
#include "compositor/output.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/view.h"

/* Ground round everything when all of it is shown: blocks with their names fit in. */
#define ALL_MARGIN 48
/* Pixels above a block that its name takes, whatever the zoom up to 1; as much below, for balance.
 */
#define NAME_ROOM (2 * CITY_TYPE_LARGE)
/* Pixels: no journey. */
#define NEAR 4

void city_map_init(struct city_camera *camera) {
	*camera = (struct city_camera){.zoom = 1, .target_zoom = 1, .start_zoom = 1};
}

void city_map_copy(struct city_camera *camera, const struct city_camera *other) {
	city_map_init(camera);
	struct city_camera end = city_map_end(other);
	camera->cx = camera->target_cx = end.cx;
	camera->cy = camera->target_cy = end.cy;
	camera->zoom = camera->target_zoom = camera->start_zoom = end.zoom;
}

struct city_camera city_map_end(const struct city_camera *camera) {
	struct city_camera end = *camera;
	if (camera->moving) {
		end.cx = camera->target_cx;
		end.cy = camera->target_cy;
		end.zoom = camera->target_zoom;
		end.moving = false;
	}
	return end;
}

void city_map_to_output(
	const struct city_camera *camera, double cx, double cy, double *ox, double *oy) {
	*ox = (cx - camera->cx) * camera->zoom;
	*oy = (cy - camera->cy) * camera->zoom;
}

void city_map_to_city(
	const struct city_camera *camera, double ox, double oy, double *cx, double *cy) {
	*cx = camera->cx + ox / camera->zoom;
	*cy = camera->cy + oy / camera->zoom;
}

int city_map_round(double value) {
	/* Halves go up whatever the last bits say, or an edge on one would tremble. */
	return (int)floor(fmin(fmax(value, -1e8), 1e8) + (0.5 + 1e-6));
}

struct wlr_box city_map_box(const struct city_camera *camera, struct city_box box) {
	double ox, oy, right, bottom;
	city_map_to_output(camera, box.cx, box.cy, &ox, &oy);
	city_map_to_output(camera, box.cx + box.width, box.cy + box.height, &right, &bottom);
	int x = city_map_round(ox), y = city_map_round(oy);
	return (struct wlr_box){.x = x,
		.y = y,
		.width = city_map_round(right) - x,
		.height = city_map_round(bottom) - y};
}

struct city_box city_map_visible(const struct city_camera *camera, struct wlr_box layout_box) {
	struct city_box box;
	city_map_to_city(camera, layout_box.x, layout_box.y, &box.cx, &box.cy);
	box.width = layout_box.width / camera->zoom;
	box.height = layout_box.height / camera->zoom;
	return box;
}

bool city_map_is_room(const struct city_camera *camera) {
	return camera->zoom == 1 && !camera->moving;
}

struct wlr_box city_map_screen(struct city_stage *stage) {
	const struct city_output *output = stage->output;
	if (output != NULL && !wlr_box_empty(&output->usable)) {
		return output->usable;
	}
	return wlr_box_empty(&stage->box) ? (struct wlr_box){.width = 1280, .height = 720}
					  : stage->box;
}

void city_map_pan(struct city_stage *stage, double dox, double doy) {
	struct city_camera end = city_map_end(&stage->camera);
	city_map_go(stage, end.cx + dox / end.zoom, end.cy + doy / end.zoom, end.zoom);
}

void city_map_zoom_about(struct city_stage *stage, double zoom, double ox, double oy) {
	zoom = city_map_clamp(zoom);
	/* The point that will be under ox, oy once a running animation has ended stays there. */
	struct city_camera end = city_map_end(&stage->camera);
	city_map_go(stage, end.cx + ox / end.zoom - ox / zoom, end.cy + oy / end.zoom - oy / zoom,
		zoom);
}

double city_map_ladder(double zoom, int steps) {
	/* Two steps double the zoom. From between two rungs the first step goes to the next. */
	double rung = log2(zoom) * 2;
	double base = steps > 0 ? floor(rung + 1e-6) : ceil(rung - 1e-6);
	return exp2((base + steps) / 2);
}

void city_map_zoom_step(struct city_stage *stage, int steps) {
	struct wlr_box screen = city_map_screen(stage);
	double zoom = city_map_end(&stage->camera).zoom;
	city_map_zoom_about(stage, city_map_ladder(zoom, steps), screen.x + screen.width / 2.0,
		screen.y + screen.height / 2.0);
}

/* Where the camera must be for the middle of `box` to be in the middle of `screen`. */
static void centre(
	struct wlr_box screen, struct city_box box, double zoom, double *cx, double *cy) {
	*cx = box.cx + box.width / 2 - (screen.x + screen.width / 2.0) / zoom;
	*cy = box.cy + box.height / 2 - (screen.y + screen.height / 2.0) / zoom;
}

void city_map_travel(struct city_stage *stage, double cx, double cy, double zoom) {
	struct city_camera *camera = &stage->camera;
	struct city_camera end = city_map_end(camera);
	zoom = city_map_clamp(zoom);
	/* Who is there already does not leave. */
	if (zoom != end.zoom || fmax(fabs(cx - end.cx), fabs(cy - end.cy)) * zoom > NEAR) {
		camera->last.known = true;
		camera->last.cx = end.cx;
		camera->last.cy = end.cy;
		camera->last.zoom = end.zoom;
	}
	city_map_go(stage, cx, cy, zoom);
}

void city_map_back(struct city_stage *stage) {
	const struct city_camera *camera = &stage->camera;
	if (camera->last.known) {
		city_map_travel(stage, camera->last.cx, camera->last.cy, camera->last.zoom);
	}
}

void city_map_centre(struct city_stage *stage, double cx, double cy, double zoom) {
	zoom = city_map_clamp(zoom);
	centre(city_map_screen(stage), (struct city_box){cx, cy, 0, 0}, zoom, &cx, &cy);
	city_map_travel(stage, cx, cy, zoom);
}

void city_map_fit(struct city_stage *stage, struct city_box box) {
	struct wlr_box screen = city_map_screen(stage);
	double height = fmax(screen.height - 2 * NAME_ROOM, 1);
	double zoom = fmin(1, fmin(screen.width / box.width, height / box.height));
	double cx, cy;
	zoom = city_map_clamp(zoom);
	centre(screen, box, zoom, &cx, &cy);
	city_map_travel(stage, cx, cy, zoom);
}

void city_map_room(struct city_stage *stage, struct city_box box) {
	struct wlr_box screen = city_map_screen(stage);
	double cx, cy;
	centre(screen, box, 1, &cx, &cy);
	/* What does not fit shows its beginning. */
	if (box.width > screen.width) {
		cx = box.cx - screen.x;
	}
	if (box.height > screen.height) {
		cy = box.cy - screen.y;
	}
	city_map_travel(stage, cx, cy, 1);
}

void city_box_join(struct city_box *box, struct city_box other) {
	double right = fmax(box->cx + box->width, other.cx + other.width);
	double bottom = fmax(box->cy + box->height, other.cy + other.height);
	box->cx = fmin(box->cx, other.cx);
	box->cy = fmin(box->cy, other.cy);
	box->width = right - box->cx;
	box->height = bottom - box->cy;
}

bool city_map_all(const struct city_server *server, struct city_box *box) {
	double left = INFINITY, top = INFINITY, right = -INFINITY, bottom = -INFINITY;
	const struct city_view *view;
	wl_list_for_each(view, &server->views, link) {
		if (!view->shown || view->minimized || view->fullscreen) {
			continue;
		}
		struct city_box outer = city_view_outer_box(view);
		left = fmin(left, outer.cx);
		top = fmin(top, outer.cy);
		right = fmax(right, outer.cx + outer.width);
		bottom = fmax(bottom, outer.cy + outer.height);
	}
	*box = (struct city_box){left - ALL_MARGIN, top - ALL_MARGIN, right - left + 2 * ALL_MARGIN,
		bottom - top + 2 * ALL_MARGIN};
	return left < right && top < bottom;
}

void city_map_show_all(struct city_stage *stage) {
	struct city_box box;
	if (city_map_all(stage->server, &box)) {
		city_map_fit(stage, box);
	}
}

void city_map_show(struct city_stage *stage, struct city_box box) {
	city_map_fit(stage,
		(struct city_box){box.cx - ALL_MARGIN, box.cy - ALL_MARGIN,
			box.width + 2 * ALL_MARGIN, box.height + 2 * ALL_MARGIN});
}

/* How far the interval [at, at + size] must be pushed to lie in [from, to]; its beginning counts
 * when it is too long. */
static double push(double at, double size, double from, double to) {
	if (size > to - from || at < from) {
		return at - from;
	}
	return at + size > to ? at + size - to : 0;
}

void city_map_reveal(struct city_stage *stage, struct city_box box) {
	struct city_camera *camera = &stage->camera;
	struct wlr_box screen = city_map_screen(stage);
	struct city_camera end = city_map_end(camera);
	struct city_box seen = city_map_visible(&end, screen);
	/* A little ground round it is better to look at, where there is room. */
	double room_x = fmin(fmax((seen.width - box.width) / 2, 0), CITY_GAP);
	double room_y = fmin(fmax((seen.height - box.height) / 2, 0), CITY_GAP);
	bool inside = box.cx >= seen.cx && box.cy >= seen.cy &&
		box.cx + box.width <= seen.cx + seen.width &&
		box.cy + box.height <= seen.cy + seen.height;
	if (inside) {
		return;
	}
	box.cx -= room_x;
	box.width += 2 * room_x;
	box.cy -= room_y;
	box.height += 2 * room_y;
	double dx = push(box.cx, box.width, seen.cx, seen.cx + seen.width);
	double dy = push(box.cy, box.height, seen.cy, seen.cy + seen.height);
	/* What already fills the screen in one direction needs no push in it. */
	if (box.width > seen.width && box.cx <= seen.cx &&
		box.cx + box.width >= seen.cx + seen.width) {
		dx = 0;
	}
	if (box.height > seen.height && box.cy <= seen.cy &&
		box.cy + box.height >= seen.cy + seen.height) {
		dy = 0;
	}
	if (dx == 0 && dy == 0) {
		return;
	}
	city_map_go(stage, end.cx + dx, end.cy + dy, end.zoom);
}

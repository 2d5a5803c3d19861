/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_output.h>

#include "compositor/config.h"
#include "compositor/map.h"
#include "compositor/output.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/view.h"

/* The spring's natural frequency: at rest after about 0.4 s. */
#define SPRING 22.0
/* What a doubling of the zoom counts as in output pixels, for carrying speed over. */
#define ZOOM_LENGTH 400.0
/* Ground round everything when all of it is shown: blocks with their names fit in. */
#define ALL_MARGIN 48

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
	return (int)floor(fmin(fmax(value, -1e8), 1e8) + 0.5);
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

static double clamp_zoom(double zoom) {
	zoom = fmin(fmax(zoom, CITY_ZOOM_MIN), CITY_ZOOM_MAX);
	/* Rooms are pixel for pixel: nearly 1 is 1. */
	return fabs(zoom - 1) < 0.02 ? 1 : zoom;
}

static void settle(struct city_camera *camera) {
	camera->cx = camera->target_cx;
	camera->cy = camera->target_cy;
	camera->zoom = camera->target_zoom;
	camera->moving = false;
	camera->speed = 0;
	camera->last_ns = 0;
}

void city_map_set(struct city_stage *stage, double cx, double cy, double zoom) {
	struct city_camera *camera = &stage->camera;
	camera->target_zoom = clamp_zoom(zoom);
	camera->target_cx = camera->target_zoom == 1 ? round(cx) : cx;
	camera->target_cy = camera->target_zoom == 1 ? round(cy) : cy;
	settle(camera);
	city_stage_update(stage);
}

void city_map_go(struct city_stage *stage, double cx, double cy, double zoom) {
	struct city_camera *camera = &stage->camera;
	zoom = clamp_zoom(zoom);
	if (zoom == 1) {
		cx = round(cx);
		cy = round(cy);
	}
	if (!stage->server->config->animations) {
		city_map_set(stage, cx, cy, zoom);
		return;
	}
	if (cx == camera->cx && cy == camera->cy && zoom == camera->zoom && !camera->moving) {
		return;
	}

	/* Carry the speed over where it goes the same way, so that one key press after another
	 * moves evenly. */
	double way_x = cx - camera->cx, way_y = cy - camera->cy;
	double way_zoom = log2(zoom / camera->zoom);
	double length =
		fmax(hypot(way_x, way_y) * sqrt(zoom * camera->zoom), fabs(way_zoom) * ZOOM_LENGTH);
	double old_zoom = log2(camera->target_zoom / camera->start_zoom);
	double along = (camera->target_cx - camera->start_cx) * way_x +
		(camera->target_cy - camera->start_cy) * way_y;
	double speed = 0;
	if (camera->moving && length > 0 && old_zoom * way_zoom >= 0 &&
		(along > 0 || old_zoom * way_zoom > 0)) {
		speed = fmin(camera->speed * camera->length / length, SPRING);
	}

	camera->start_cx = camera->cx;
	camera->start_cy = camera->cy;
	camera->start_zoom = camera->zoom;
	camera->target_cx = cx;
	camera->target_cy = cy;
	camera->target_zoom = zoom;
	camera->progress = 0;
	camera->speed = speed;
	camera->length = length;
	if (!camera->moving) {
		camera->moving = true;
		camera->last_ns = 0;
	}
	if (stage->output != NULL) {
		wlr_output_schedule_frame(stage->output->wlr_output);
	}
}

bool city_map_step(struct city_stage *stage, int64_t when_ns) {
	struct city_camera *camera = &stage->camera;
	if (!camera->moving) {
		return false;
	}
	double seconds = 1.0 / 60;
	if (camera->last_ns != 0) {
		seconds = (double)(when_ns - camera->last_ns) / 1e9;
	}
	if (seconds <= 0) {
		return true;
	}
	camera->last_ns = when_ns;
	seconds = fmin(seconds, 0.1);

	double left = camera->progress - 1;
	double pull = camera->speed + SPRING * left;
	double decay = exp(-SPRING * seconds);
	camera->progress = 1 + (left + pull * seconds) * decay;
	camera->speed = (camera->speed - SPRING * pull * seconds) * decay;

	if (fabs(1 - camera->progress) * camera->length < 0.4 &&
		fabs(camera->speed) * camera->length < 20) {
		settle(camera);
		city_stage_update(stage);
		return false;
	}
	double ratio = camera->target_zoom / camera->start_zoom;
	camera->zoom = camera->start_zoom * pow(ratio, camera->progress);
	double share = 1 - camera->progress;
	if (fabs(ratio - 1) > 1e-3) {
		share = (1 / camera->zoom - 1 / camera->target_zoom) /
			(1 / camera->start_zoom - 1 / camera->target_zoom);
	}
	camera->cx = camera->target_cx + (camera->start_cx - camera->target_cx) * share;
	camera->cy = camera->target_cy + (camera->start_cy - camera->target_cy) * share;
	city_stage_update(stage);
	return true;
}

void city_map_pan(struct city_stage *stage, double dox, double doy) {
	struct city_camera end = city_map_end(&stage->camera);
	city_map_go(stage, end.cx + dox / end.zoom, end.cy + doy / end.zoom, end.zoom);
}

void city_map_drag(struct city_stage *stage, double dox, double doy) {
	struct city_camera *camera = &stage->camera;
	double zoom = camera->zoom;
	camera->target_cx = camera->cx + dox / zoom;
	camera->target_cy = camera->cy + doy / zoom;
	camera->target_zoom = zoom;
	settle(camera);
	city_stage_update(stage);
}

void city_map_zoom_about(struct city_stage *stage, double zoom, double ox, double oy) {
	zoom = clamp_zoom(zoom);
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
	city_map_go(stage, cx, cy, 1);
}

void city_map_show_all(struct city_stage *stage) {
	double left = INFINITY, top = INFINITY, right = -INFINITY, bottom = -INFINITY;
	struct city_view *view;
	wl_list_for_each(view, &stage->server->views, link) {
		if (!view->shown || view->minimized || view->fullscreen) {
			continue;
		}
		struct city_box box = city_view_outer_box(view);
		left = fmin(left, box.cx);
		top = fmin(top, box.cy);
		right = fmax(right, box.cx + box.width);
		bottom = fmax(bottom, box.cy + box.height);
	}
	if (!(left < right && top < bottom)) {
		return;
	}
	city_map_show(stage, (struct city_box){left, top, right - left, bottom - top});
}

void city_map_show(struct city_stage *stage, struct city_box box) {
	struct wlr_box screen = city_map_screen(stage);
	struct city_box all = {box.cx - ALL_MARGIN, box.cy - ALL_MARGIN, box.width + 2 * ALL_MARGIN,
		box.height + 2 * ALL_MARGIN};
	/* Never larger than life. */
	double zoom = fmin(1, fmin(screen.width / all.width, screen.height / all.height));
	zoom = clamp_zoom(zoom);
	double cx, cy;
	centre(screen, all, zoom, &cx, &cy);
	city_map_go(stage, cx, cy, zoom);
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

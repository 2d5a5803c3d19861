/* SPDX-License-Identifier: MIT */
/* How the camera of a stage moves: at once, by a spring, or gliding on after a flick. */
#include <math.h>
#include <wlr/types/wlr_output.h>

#include "compositor/config.h"
#include "compositor/map.h"
#include "compositor/server.h"
#include "compositor/stage.h"

/* The spring's natural frequency: at rest after about 0.4 s. */
#define SPRING 22.0
/* What a doubling of the zoom counts as in output pixels, for carrying speed over. */
#define ZOOM_LENGTH 400.0
/* A glide loses this much of its speed per second, as an exponent: it goes a fifth of a second's
 * way further than the hand did. */
#define FRICTION 5.0
#define GLIDE_MIN 100.0 /* output pixels per second: below it nothing glides */
#define GLIDE_MAX 9000.0
#define ZOOM_MIN 0.4 /* doublings per second */
#define ZOOM_MAX 8.0
/* A pinch that ends so near to the room, in doublings, ends in it. */
#define ROOM_PULL 0.18
/* Nobody is further out than this; beyond, doubles would not tell pixels apart. */
#define FAR 1e12

double city_map_clamp(double zoom) {
	if (isnan(zoom)) {
		return 1;
	}
	zoom = fmin(fmax(zoom, CITY_ZOOM_MIN), CITY_ZOOM_MAX);
	/* Rooms are pixel for pixel: nearly 1 is 1. */
	return fabs(zoom - 1) < 0.02 ? 1 : zoom;
}

static double clamp_place(double at) {
	return isnan(at) ? 0 : fmin(fmax(at, -FAR), FAR);
}

/* Where it goes, in full: in the room whole units are whole pixels. */
static void set_target(struct city_camera *camera, double cx, double cy, double zoom) {
	zoom = city_map_clamp(zoom);
	cx = clamp_place(cx);
	cy = clamp_place(cy);
	camera->target_zoom = zoom;
	camera->target_cx = zoom == 1 ? round(cx) : cx;
	camera->target_cy = zoom == 1 ? round(cy) : cy;
}

static void settle(struct city_camera *camera) {
	camera->cx = camera->target_cx;
	camera->cy = camera->target_cy;
	camera->zoom = camera->target_zoom;
	camera->moving = camera->gliding = false;
	camera->speed = 0;
	camera->last_ns = 0;
}

static void set_out(struct city_stage *stage) {
	struct city_camera *camera = &stage->camera;
	camera->start_cx = camera->cx;
	camera->start_cy = camera->cy;
	camera->start_zoom = camera->zoom;
	camera->progress = 0;
	if (!camera->moving) {
		camera->moving = true;
		camera->last_ns = 0;
	}
	if (stage->output != NULL) {
		wlr_output_schedule_frame(stage->output->wlr_output);
	}
}

void city_map_set(struct city_stage *stage, double cx, double cy, double zoom) {
	struct city_camera *camera = &stage->camera;
	set_target(camera, cx, cy, zoom);
	camera->rest_ox = camera->rest_oy = 0;
	settle(camera);
	city_stage_update(stage);
}

void city_map_go(struct city_stage *stage, double cx, double cy, double zoom) {
	struct city_camera *camera = &stage->camera;
	if (!stage->server->config->animations) {
		city_map_set(stage, cx, cy, zoom);
		return;
	}
	struct city_camera to = *camera;
	set_target(&to, cx, cy, zoom);
	double way_x = to.target_cx - camera->cx, way_y = to.target_cy - camera->cy;
	double way_zoom = log2(to.target_zoom / camera->zoom);
	if (way_x == 0 && way_y == 0 && way_zoom == 0 && !camera->moving) {
		return;
	}

	/* Carry the speed over where it goes the same way, so that one key press after another
	 * moves evenly. */
	double length = fmax(hypot(way_x, way_y) * sqrt(to.target_zoom * camera->zoom),
		fabs(way_zoom) * ZOOM_LENGTH);
	double old_zoom = log2(camera->target_zoom / camera->start_zoom);
	double along = (camera->target_cx - camera->start_cx) * way_x +
		(camera->target_cy - camera->start_cy) * way_y;
	double speed = 0;
	if (camera->moving && length > 0 && old_zoom * way_zoom >= 0 &&
		(along > 0 || old_zoom * way_zoom > 0)) {
		speed = fmin(camera->speed * camera->length / length, SPRING);
	}
	camera->target_cx = to.target_cx;
	camera->target_cy = to.target_cy;
	camera->target_zoom = to.target_zoom;
	camera->rest_ox = camera->rest_oy = 0;
	camera->length = length;
	camera->speed = speed;
	camera->gliding = false;
	set_out(stage);
}

void city_map_glide(struct city_stage *stage, const struct city_flick_speed *flick) {
	struct city_camera *camera = &stage->camera;
	double speed = hypot(flick->ox, flick->oy);
	double doublings = fmin(fmax(flick->zoom, -ZOOM_MAX), ZOOM_MAX);
	bool pans = speed >= GLIDE_MIN, zooms = fabs(doublings) >= ZOOM_MIN;
	double zoom = camera->zoom;
	if (zooms) {
		zoom = city_map_clamp(zoom * exp2(doublings / FRICTION));
	}
	/* Whoever pinches to about the room's size means the room. */
	bool pinched = flick->pinch && fabs(log2(zoom)) < ROOM_PULL;
	zoom = pinched ? 1 : zoom;
	if (!stage->server->config->animations || !stage->server->config->inertia ||
		(!pans && zoom == camera->zoom)) {
		return;
	}
	double x = 0, y = 0;
	if (pans) {
		double share = fmin(1, GLIDE_MAX / speed) / FRICTION;
		/* Whole pixels, as the drag before it. */
		x = round(flick->ox * share);
		y = round(flick->oy * share);
	}
	double cx = camera->cx + (flick->at_ox + x) / camera->zoom - flick->at_ox / zoom;
	double cy = camera->cy + (flick->at_oy + y) / camera->zoom - flick->at_oy / zoom;
	if (pinched) {
		city_map_go(stage, cx, cy, 1);
		return;
	}
	camera->target_cx = clamp_place(cx);
	camera->target_cy = clamp_place(cy);
	camera->target_zoom = zoom;
	camera->length = fmax(hypot(x, y), fabs(log2(zoom / camera->zoom)) * ZOOM_LENGTH);
	camera->speed = FRICTION;
	camera->gliding = true;
	set_out(stage);
}

void city_map_stop(struct city_stage *stage) {
	struct city_camera *camera = &stage->camera;
	if (camera->moving) {
		set_target(camera, camera->cx, camera->cy, camera->zoom);
		settle(camera);
		city_stage_update(stage);
	}
}

/* Critically damped, or slowed by friction; both end at 1. */
static void advance(struct city_camera *camera, double seconds) {
	double left = camera->progress - 1;
	if (camera->gliding) {
		camera->progress = 1 + left * exp(-FRICTION * seconds);
		camera->speed = FRICTION * (1 - camera->progress);
		return;
	}
	double pull = camera->speed + SPRING * left;
	double decay = exp(-SPRING * seconds);
	camera->progress = 1 + (left + pull * seconds) * decay;
	camera->speed = (camera->speed - SPRING * pull * seconds) * decay;
}

static bool has_arrived(const struct city_camera *camera) {
	double left = fabs(1 - camera->progress) * camera->length;
	/* A glide is so slow at its end that its last pixel takes long. */
	return camera->gliding ? left < 1 : left < 0.4 && fabs(camera->speed) * camera->length < 20;
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
	advance(camera, fmin(seconds, 0.1));
	if (has_arrived(camera)) {
		settle(camera);
		city_stage_update(stage);
		return false;
	}
	double ratio = camera->target_zoom / camera->start_zoom;
	double way_x = camera->target_cx - camera->start_cx;
	double way_y = camera->target_cy - camera->start_cy;
	if (fabs(ratio - 1) > 1e-3) {
		camera->zoom = camera->start_zoom * pow(ratio, camera->progress);
		/* About the one point that start and end show at the same place. */
		double share = 1 -
			(1 / camera->zoom - 1 / camera->target_zoom) /
				(1 / camera->start_zoom - 1 / camera->target_zoom);
		camera->cx = camera->start_cx + way_x * share;
		camera->cy = camera->start_cy + way_y * share;
	} else {
		/* Whole pixels: all edges keep their fractions, so that nothing shimmers. */
		camera->cx = camera->start_cx +
			round(way_x * camera->progress * camera->zoom) / camera->zoom;
		camera->cy = camera->start_cy +
			round(way_y * camera->progress * camera->zoom) / camera->zoom;
	}
	city_stage_update(stage);
	return true;
}

void city_map_drag(struct city_stage *stage, double dox, double doy) {
	struct city_camera *camera = &stage->camera;
	if (!isfinite(dox) || !isfinite(doy)) {
		return;
	}
	camera->rest_ox += dox;
	camera->rest_oy += doy;
	double x = round(camera->rest_ox), y = round(camera->rest_oy);
	camera->rest_ox -= x;
	camera->rest_oy -= y;
	if (x == 0 && y == 0 && !camera->moving) {
		return;
	}
	double zoom = camera->zoom;
	camera->target_cx = clamp_place(camera->cx + x / zoom);
	camera->target_cy = clamp_place(camera->cy + y / zoom);
	camera->target_zoom = zoom;
	settle(camera);
	city_stage_update(stage);
}

void city_map_pinch(
	struct city_stage *stage, double zoom, double ox, double oy, double dox, double doy) {
	const struct city_camera *camera = &stage->camera;
	if (!isfinite(zoom) || !isfinite(dox) || !isfinite(doy)) {
		return;
	}
	zoom = city_map_clamp(zoom);
	city_map_set(stage, camera->cx + (ox + dox) / camera->zoom - ox / zoom,
		camera->cy + (oy + doy) / camera->zoom - oy / zoom, zoom);
}

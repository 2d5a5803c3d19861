/* SPDX-License-Identifier: MIT */
/*
 * The map: the one place where coordinates are converted.
 *
 * Spaces and how names say which one a number is in:
 *   surface  sx, sy   logical pixels of one wl_surface
 *   tile     tx, ty   logical pixels of a view's content, origin at its top left (a view's
 *                     content is as large on the map as it is in its own pixels)
 *   city     cx, cy   doubles; the map. One city unit is one logical pixel at zoom 1
 *   output   ox, oy   logical pixels of the output layout, which is what the scene graph uses
 *
 *   output = (city - camera) * zoom
 *
 * Each output has a stage with a camera of its own (stage.h); outputs that lie side by side and
 * have equal cameras show one picture. Called on the compositor's main thread only.
 */
#ifndef CITY_MAP_H
#define CITY_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include <wlr/util/box.h>

#include "compositor/flick.h"

struct city_server;
struct city_stage;

#define CITY_ZOOM_MIN (1.0 / 32)
#define CITY_ZOOM_MAX 8.0
/* Below this a click focuses and pans instead of reaching the client. */
#define CITY_ZOOM_CLICK 0.5

struct city_camera {
	/* What is shown now: the city point at the layout's (0, 0), and the zoom. */
	double cx, cy;
	double zoom;

	/* Where the animation comes from and goes to. Between the two the screen zooms evenly about
	 * the one point that both show at the same place, or pans when the zooms are equal. */
	double start_cx, start_cy, start_zoom;
	double target_cx, target_cy, target_zoom;
	double progress, speed; /* a critically damped spring from 0 to 1, speed per second */
	bool gliding;		/* no spring: slowed by friction after a flick */
	double length;		/* how far it is, in output pixels */
	bool moving;
	int64_t last_ns;	 /* time of the last step; 0 when at rest */
	double rest_ox, rest_oy; /* what a drag has not moved yet: less than a pixel */
	struct {
		bool known;
		double cx, cy, zoom;
	} last; /* where it was before it last went somewhere */
};

/* A rectangle on the map. */
struct city_box {
	double cx, cy, width, height;
};

void city_map_init(struct city_camera *camera);

/* The smallest box round both, in the place of the first. */
void city_box_join(struct city_box *box, struct city_box other);
/* Rests where the other one is, or is going. */
void city_map_copy(struct city_camera *camera, const struct city_camera *other);
/* Where it is, or is going. */
struct city_camera city_map_end(const struct city_camera *camera);

/* Conversions. They use what is shown now, not the animation's target. */
void city_map_to_output(
	const struct city_camera *camera, double cx, double cy, double *ox, double *oy);
void city_map_to_city(
	const struct city_camera *camera, double ox, double oy, double *cx, double *cy);
/* To the nearest pixel, within what the scene's integers can add up. */
int city_map_round(double value);
/* Edges are rounded, not sizes: boxes that touch on the map touch on the screen. */
/* An empty one has no point. */
static inline bool city_box_contains(struct city_box box, double cx, double cy) {
	return cx >= box.cx && cx < box.cx + box.width && cy >= box.cy && cy < box.cy + box.height;
}
struct wlr_box city_map_box(const struct city_camera *camera, struct city_box box);
/* The part of the city that a box of the output layout shows. */
struct city_box city_map_visible(const struct city_camera *camera, struct wlr_box layout_box);

/* All windows and tiles, with some ground round them. False if there are none. */
bool city_map_all(const struct city_server *server, struct city_box *box);

/* True where the city is an ordinary desktop: zoom exactly 1 and at rest. */
bool city_map_is_room(const struct city_camera *camera);

/* Moves of the camera. Each starts (or redirects) the spring; with animations off in the config
 * they take effect at once. */
void city_map_go(struct city_stage *stage, double cx, double cy, double zoom);
void city_map_pan(struct city_stage *stage, double dox, double doy);
/* Follows the hand without the spring, by whole pixels: what is left of one counts for the next. */
void city_map_drag(struct city_stage *stage, double dox, double doy);
/* The same with a new zoom about a point that moves. */
void city_map_pinch(
	struct city_stage *stage, double zoom, double ox, double oy, double dox, double doy);
/* Goes on as the hand did that let go, ever slower, to a whole pixel. */
void city_map_glide(struct city_stage *stage, const struct city_flick_speed *flick);
/* A hand holds the map: it stops where it is. */
void city_map_stop(struct city_stage *stage);
void city_map_zoom_about(struct city_stage *stage, double zoom, double ox, double oy);
/* One step of the keyboard's ladder of zooms (factors of the square root of two), about the
 * middle of the screen. */
void city_map_zoom_step(struct city_stage *stage, int steps);
/* Travels: zoom 1 with this box in the middle of the output (top left when it is larger). */
void city_map_room(struct city_stage *stage, struct city_box box);
/* Going somewhere: as city_map_go, and where it was is remembered for city_map_back. */
void city_map_travel(struct city_stage *stage, double cx, double cy, double zoom);
/* To where it was before it last travelled; the next time forth again. */
void city_map_back(struct city_stage *stage);
/* Travels until this point is in the middle of the screen. */
void city_map_centre(struct city_stage *stage, double cx, double cy, double zoom);
/* Travels until the box fills the screen but for the name of a block above it, and never larger
 * than life. */
void city_map_fit(struct city_stage *stage, struct city_box box);
/* Travels: every window and tile in view. */
void city_map_show_all(struct city_stage *stage);
/* Travels: this part of the city in view, with some ground round it; never larger than life. */
void city_map_show(struct city_stage *stage, struct city_box box);
/* Pans as little as needed to bring the box in view, keeping the zoom. */
void city_map_reveal(struct city_stage *stage, struct city_box box);
/* At once and without animation. */
void city_map_set(struct city_stage *stage, double cx, double cy, double zoom);

/* Moves the animation on to the time of the coming frame. Called for each frame of the stage's
 * output by output.c; true while still moving. */
bool city_map_step(struct city_stage *stage, int64_t when_ns);
/* The nearest zoom that there is. */
double city_map_clamp(double zoom);
/* The zoom that the next step of the ladder goes to. */
double city_map_ladder(double zoom, int steps);
/* The part of the layout that views are centred in: the output less its panels. */
struct wlr_box city_map_screen(struct city_stage *stage);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the picture of the city is painted with: shapes whose edges are whole pixels, and text, in
 * an image that is a part of the map. Whatever is outside the image is left out. Main thread only.
 */
#ifndef CITY_CANVAS_H
#define CITY_CANVAS_H

#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>

#include "compositor/label.h"
#include "compositor/layout/layout.h"
#include "compositor/scape.h"

struct city_canvas {
	const struct city_paint *paint;
	pixman_image_t *image;
	uint32_t *data;
	int stride; /* pixels */
	int width, height;
	int64_t x, y;	/* of the image's top left, in pixels of the map */
	int64_t ox, oy; /* of what plots are in, a quarter or the map */
};

struct city_area {
	int left, top, right, bottom; /* pixels of the image */
};

static inline bool city_area_empty(struct city_area area) {
	return area.left >= area.right || area.top >= area.bottom;
}

/* Where a plot is in the image, and whether that is in it. */
struct city_area city_canvas_area(const struct city_canvas *canvas, struct city_plot plot);
bool city_canvas_sees(const struct city_canvas *canvas, struct city_area area);
/* What stands in the middle of a plot, with the same whole pixels of street at each side: all
 * streets of a width are then as wide on the screen. A street is never quite gone. */
struct city_area city_canvas_within(
	const struct city_canvas *canvas, struct city_plot plot, struct city_plot inner);

/* In place of what is there, alpha too. */
void city_canvas_fill(const struct city_canvas *canvas, struct city_area area, uint32_t rgba);
/* Over what is there. */
void city_canvas_shade(const struct city_canvas *canvas, struct city_area area, uint32_t rgba);
/* Over what is there, with round corners where it is large enough. */
void city_canvas_round(const struct city_canvas *canvas, struct city_area area, uint32_t rgba);
/* A building: with light on its upper edge, and its lower one in the shade. */
void city_canvas_build(const struct city_canvas *canvas, struct city_area area, uint32_t color);

/* Text. Sizes are of the theme's scale, in logical pixels; all else in pixels of the image. */
struct city_label_style city_canvas_style(
	const struct city_canvas *canvas, int size, uint32_t color, int room);
/* The largest that is no larger than so many pixels of the image, nor than `most`; 0: none. */
int city_canvas_type(const struct city_canvas *canvas, double pixels, int most);
int city_canvas_measure(const struct city_canvas *canvas, const char *text, int size, int *height);
/* From the top of a line to its baseline. */
int city_canvas_ascent(const struct city_canvas *canvas, int size);
/* One line. Returns its height; 0: nothing was legible. */
int city_canvas_write(const struct city_canvas *canvas, const char *text, int size, uint32_t color,
	int x, int y, int room);
/* At *size, but smaller or in more lines where that makes it fit whole; what still does not is cut
 * off. Returns its height, and the size; 0: nothing was legible. */
int city_canvas_name(const struct city_canvas *canvas, const char *name, int *size, uint32_t color,
	struct city_area area);

#endif

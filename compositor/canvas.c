/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compositor/canvas.h"
#include "compositor/theme.h"

#define NAME_LINES 3
/* Logical pixels. */
#define ROUND_FROM 10 /* what is smaller has square corners */
#define ROUND_MOST 24 /* pixels of the image */

/* ---- colours and shapes */

/* 0xRRGGBBAA as it is in the image. */
static uint32_t pixel(uint32_t rgba) {
	uint32_t alpha = rgba & 0xff, out = alpha << 24;
	for (int shift = 0; shift < 24; shift += 8) {
		out |= ((rgba >> (shift + 8) & 0xff) * alpha / 255) << shift;
	}
	return out;
}

static struct city_area clip(const struct city_canvas *canvas, struct city_area area) {
	area.left = area.left < 0 ? 0 : area.left;
	area.top = area.top < 0 ? 0 : area.top;
	area.right = area.right > canvas->width ? canvas->width : area.right;
	area.bottom = area.bottom > canvas->height ? canvas->height : area.bottom;
	return area;
}

void city_canvas_fill(const struct city_canvas *canvas, struct city_area area, uint32_t rgba) {
	area = clip(canvas, area);
	if (city_area_empty(area)) {
		return;
	}
	uint32_t color = pixel(rgba);
	for (int y = area.top; y < area.bottom; y++) {
		uint32_t *row = canvas->data + (ptrdiff_t)y * canvas->stride;
		for (int x = area.left; x < area.right; x++) {
			row[x] = color;
		}
	}
}

/* `share` of the colour over what is there, 0 to 255. */
static void blend(const struct city_canvas *canvas, int x, int y, uint32_t rgba, uint32_t share) {
	if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height) {
		return;
	}
	uint32_t *at = canvas->data + (ptrdiff_t)y * canvas->stride + x;
	uint32_t over = pixel(rgba), out = 0;
	uint32_t rest = 255 - (over >> 24) * share / 255;
	for (int shift = 0; shift < 32; shift += 8) {
		uint32_t sum =
			(over >> shift & 0xff) * share / 255 + (*at >> shift & 0xff) * rest / 255;
		out |= (sum > 255 ? 255 : sum) << shift;
	}
	*at = out;
}

void city_canvas_shade(const struct city_canvas *canvas, struct city_area area, uint32_t rgba) {
	area = clip(canvas, area);
	for (int y = area.top; y < area.bottom; y++) {
		for (int x = area.left; x < area.right; x++) {
			blend(canvas, x, y, rgba, 255);
		}
	}
}

static void cover(const struct city_canvas *canvas, struct city_area area, uint32_t rgba) {
	if ((rgba & 0xff) == 0xff) {
		city_canvas_fill(canvas, area, rgba);
	} else {
		city_canvas_shade(canvas, area, rgba);
	}
}

/* How much of each pixel in a corner is inside, from its tip; of the radius asked last. */
struct corner {
	int radius;
	uint8_t share[ROUND_MOST][ROUND_MOST];
};

static const struct corner *corner_of(int radius) {
	static struct corner corner;
	if (corner.radius == radius) {
		return &corner;
	}
	corner.radius = radius;
	for (int i = 0; i < radius; i++) {
		for (int j = 0; j < radius; j++) {
			double out = hypot(radius - i - 0.5, radius - j - 0.5) - radius;
			corner.share[i][j] = (uint8_t)lround(255 * fmin(fmax(0.5 - out, 0), 1));
		}
	}
	return &corner;
}

void city_canvas_round(const struct city_canvas *canvas, struct city_area area, uint32_t rgba) {
	int radius = (int)lround(CITY_ROUND * canvas->paint->scale);
	int least = (int)lround(ROUND_FROM * canvas->paint->scale);
	if (area.right - area.left < least || area.bottom - area.top < least ||
		radius > ROUND_MOST) {
		cover(canvas, area, rgba);
		return;
	}
	struct city_area middle = {area.left, area.top + radius, area.right, area.bottom - radius};
	int left = area.left + radius, right = area.right - radius;
	cover(canvas, middle, rgba);
	cover(canvas, (struct city_area){left, area.top, right, middle.top}, rgba);
	cover(canvas, (struct city_area){left, middle.bottom, right, area.bottom}, rgba);
	const struct corner *corner = corner_of(radius);
	for (int i = 0; i < radius; i++) {
		for (int j = 0; j < radius; j++) {
			uint32_t share = corner->share[i][j];
			blend(canvas, area.left + j, area.top + i, rgba, share);
			blend(canvas, area.right - 1 - j, area.top + i, rgba, share);
			blend(canvas, area.left + j, area.bottom - 1 - i, rgba, share);
			blend(canvas, area.right - 1 - j, area.bottom - 1 - i, rgba, share);
		}
	}
}

void city_canvas_build(const struct city_canvas *canvas, struct city_area area, uint32_t color) {
	city_canvas_round(canvas, area, color);
	double scale = canvas->paint->scale;
	int width = area.right - area.left, height = area.bottom - area.top;
	if (width < ROUND_FROM * scale || height < ROUND_FROM * scale) {
		return;
	}
	int line = (int)lround(scale), radius = (int)lround(CITY_ROUND * scale);
	int left = area.left + radius, right = area.right - radius;
	const struct city_palette *palette = canvas->paint->palette;
	city_canvas_fill(canvas, (struct city_area){left, area.top, right, area.top + line},
		city_color_mix(color, 0xffffffff, palette->light));
	city_canvas_fill(canvas, (struct city_area){left, area.bottom - line, right, area.bottom},
		city_color_mix(color, 0x000000ff, palette->shade));
}

static int limited(double value) {
	return (int)fmin(fmax(value, -1e8), 1e8);
}

static int edge(int64_t origin, double at, double zoom, int64_t from) {
	return limited((double)origin + floor(at * zoom + 0.5) - (double)from);
}

struct city_area city_canvas_area(const struct city_canvas *canvas, struct city_plot plot) {
	double zoom = canvas->paint->zoom;
	return (struct city_area){
		edge(canvas->ox, plot.x, zoom, canvas->x),
		edge(canvas->oy, plot.y, zoom, canvas->y),
		edge(canvas->ox, plot.x + plot.width, zoom, canvas->x),
		edge(canvas->oy, plot.y + plot.height, zoom, canvas->y),
	};
}

struct city_area city_canvas_within(
	const struct city_canvas *canvas, struct city_plot plot, struct city_plot inner) {
	struct city_area area = city_canvas_area(canvas, plot);
	double zoom = canvas->paint->zoom;
	int dx = limited(floor((inner.x - plot.x) * zoom + 0.5));
	int dy = limited(floor((inner.y - plot.y) * zoom + 0.5));
	/* A street is never quite gone. */
	return (struct city_area){area.left + dx, area.top + dy, area.right - (dx > 0 ? dx : 1),
		area.bottom - (dy > 0 ? dy : 1)};
}

bool city_canvas_sees(const struct city_canvas *canvas, struct city_area area) {
	return area.left < canvas->width && area.right > 0 && area.top < canvas->height &&
		area.bottom > 0;
}

/* ---- text */

struct city_label_style city_canvas_style(
	const struct city_canvas *canvas, int size, uint32_t color, int room) {
	return (struct city_label_style){
		.font = canvas->paint->font,
		.size = (int)lround(size * canvas->paint->scale),
		.color = color,
		.max_width = room,
	};
}

int city_canvas_write(const struct city_canvas *canvas, const char *text, int size, uint32_t color,
	int x, int y, int room) {
	struct city_label_style style = city_canvas_style(canvas, size, color, room);
	int height = 0;
	return room > 0 && city_label_draw(canvas->image, text, &style, x, y, &height) > 0 ? height
											   : 0;
}

int city_canvas_measure(const struct city_canvas *canvas, const char *text, int size, int *height) {
	struct city_label_style style = city_canvas_style(canvas, size, 0, 0);
	return city_label_draw(NULL, text, &style, 0, 0, height);
}

int city_canvas_type(const struct city_canvas *canvas, double pixels, int most) {
	return city_type_under(pixels / canvas->paint->scale + 1e-9, most);
}

int city_canvas_ascent(const struct city_canvas *canvas, int size) {
	struct city_label_style style = city_canvas_style(canvas, size, 0, 0);
	return city_label_ascent(&style);
}

/* Whole, in so many lines at most, at the largest size at which it fits. Returns its height; 0: it
 * does at none. */
static int write_whole(const struct city_canvas *canvas, const char *name, int *size,
	uint32_t color, struct city_area area, int most) {
	for (int type = *size; type > 0; type = city_type_under(type - 1, type)) {
		struct city_label_style style =
			city_canvas_style(canvas, type, color, area.right - area.left);
		style.max_lines = most;
		int height = 0, lines = city_label_draw_name(NULL, name, &style, 0, 0, &height);
		if (lines > 0 && lines * height <= area.bottom - area.top) {
			city_label_draw_name(
				canvas->image, name, &style, area.left, area.top, &height);
			*size = type;
			return lines * height;
		}
	}
	return 0;
}

int city_canvas_name(const struct city_canvas *canvas, const char *name, int *size, uint32_t color,
	struct city_area area) {
	int height = write_whole(canvas, name, size, color, area, NAME_LINES);
	const char *dot = strrchr(name, '.');
	if (height > 0) {
		return height;
	}
	*size = CITY_TYPE_SMALL;
	if (dot != NULL && dot > name) {
		char broken[256];
		snprintf(broken, sizeof(broken), "%.*s %s", (int)(dot - name), name, dot);
		height = write_whole(canvas, broken, size, color, area, NAME_LINES);
		if (height > 0) {
			return height;
		}
	}
	city_canvas_measure(canvas, name, *size, &height);
	return height > area.bottom - area.top
		? 0
		: city_canvas_write(
			  canvas, name, *size, color, area.left, area.top, area.right - area.left);
}

/* SPDX-License-Identifier: MIT */
/* Links as lines. A line is as many discs as make it smooth, in a mask of its own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mixer.h"
#include "view.h"

struct mask {
	struct paint_box box; /* of the canvas */
	pixman_image_t *image;
	uint8_t *pixels;
	int stride;
};

static bool mask_begin(struct mask *mask, const struct paint *paint, double x1, double y1,
	double x2, double y2, double margin) {
	int left = (int)fmax(floor(fmin(x1, x2) - margin), 0);
	int top = (int)fmax(floor(fmin(y1, y2) - margin), 0);
	int right = (int)fmin(ceil(fmax(x1, x2) + margin), paint->canvas->width);
	int bottom = (int)fmin(ceil(fmax(y1, y2) + margin), paint->canvas->height);
	mask->box = (struct paint_box){left, top, right - left, bottom - top};
	if (right <= left || bottom <= top || !view_damaged(paint, &mask->box)) {
		return false;
	}
	mask->image =
		pixman_image_create_bits(PIXMAN_a8, mask->box.width, mask->box.height, NULL, 0);
	if (!mask->image) {
		return false;
	}
	mask->pixels = (uint8_t *)pixman_image_get_data(mask->image);
	mask->stride = pixman_image_get_stride(mask->image);
	return true;
}

static void mask_end(struct mask *mask, const struct paint *paint, uint32_t rgb) {
	const pixman_color_t color = {(uint16_t)((rgb >> 16 & 0xff) * 0x101),
		(uint16_t)((rgb >> 8 & 0xff) * 0x101), (uint16_t)((rgb & 0xff) * 0x101), 0xffff};
	pixman_image_t *ink = pixman_image_create_solid_fill(&color);
	if (ink) {
		pixman_image_composite32(PIXMAN_OP_OVER, ink, mask->image, paint->image, 0, 0, 0, 0,
			mask->box.x, mask->box.y, mask->box.width, mask->box.height);
		pixman_image_unref(ink);
	}
	pixman_image_unref(mask->image);
}

static void disc(const struct mask *mask, double x, double y, double radius) {
	x -= mask->box.x;
	y -= mask->box.y;
	int top = (int)fmax(floor(y - radius - 1), 0);
	int bottom = (int)fmin(ceil(y + radius + 1), mask->box.height);
	int left = (int)fmax(floor(x - radius - 1), 0);
	int right = (int)fmin(ceil(x + radius + 1), mask->box.width);
	for (int row = top; row < bottom; row++) {
		uint8_t *pixels = mask->pixels + (ptrdiff_t)row * mask->stride;
		for (int column = left; column < right; column++) {
			double far = hypot(column + 0.5 - x, row + 0.5 - y);
			double cover = fmin(fmax(radius + 0.5 - far, 0), 1);
			uint8_t value = (uint8_t)lround(cover * 255);
			pixels[column] = value > pixels[column] ? value : pixels[column];
		}
	}
}

static void stroke(struct paint *paint, const struct mix_path *path, uint32_t rgb, double width) {
	double scale = paint->canvas->scale;
	double margin = (fabs(path->bow) + width) * scale + 2;
	struct mask mask;
	if (!mask_begin(&mask, paint, path->x1 * scale, path->y1 * scale, path->x2 * scale,
		    path->y2 * scale, margin)) {
		return;
	}
	double length = fabs(path->x2 - path->x1) + fabs(path->y2 - path->y1) + 4 * fabs(path->bow);
	int steps = (int)fmin(fmax(length * scale * 1.5, 8), 20000);
	for (int i = 0; i <= steps; i++) {
		double x, y;
		layout_point(path, (double)i / steps, &x, &y);
		disc(&mask, x * scale, y * scale, width * scale / 2);
	}
	mask_end(&mask, paint, rgb);
}

static void dot(struct paint *paint, double x, double y, double radius, uint32_t rgb) {
	double scale = paint->canvas->scale;
	struct mask mask;
	if (mask_begin(
		    &mask, paint, x * scale, y * scale, x * scale, y * scale, radius * scale + 2)) {
		disc(&mask, x * scale, y * scale, radius * scale);
		mask_end(&mask, paint, rgb);
	}
}

static void draw_link(struct paint *paint, const struct mixer *mixer, const struct mix_link *link) {
	const struct mix_model model = mix_model(mixer);
	const struct mix_node *from = mix_find(&model, link->from);
	bool chosen = mix_face(mixer)->chosen_link == link->id;
	struct mix_path path;
	if (!layout_path(mixer, link, &path)) {
		return;
	}
	uint32_t rgb = paint_mix(COLOUR_GROUND, view_colour(from), link->active ? 14 : 6);
	stroke(paint, &path, chosen ? COLOUR_BRIGHT : rgb, chosen ? 3 : 2);
}

/* The other end of a line that is being drawn. */
static void draw_drag(struct paint *paint, const struct mixer *mixer) {
	const struct mix_face *face = mix_face(mixer);
	const struct mix_model model = mix_model(mixer);
	const struct mix_node *from = mix_find(&model, face->from);
	const struct mix_node *to = mix_find(&model, face->chosen);
	bool drags = face->drag == DRAG_LINK || face->drag == DRAG_MOVE;
	if (!from || (!drags && (face->mode == MODE_NONE || !to || to == from))) {
		return;
	}
	struct mix_box end = layout_end(mixer, from);
	struct mix_path path = {.x1 = end.x + end.width / 2,
		.y1 = end.y + end.height / 2,
		.x2 = face->pointer_x,
		.y2 = face->pointer_y};
	if (!drags) {
		end = layout_end(mixer, to);
		path.x2 = end.x + end.width / 2;
		path.y2 = end.y + end.height / 2;
		path.bow = from->column == to->column ? end.x < 40 ? -18 : 18 : 0;
	}
	stroke(paint, &path, COLOUR_PULSE, 2);
	dot(paint, path.x2, path.y2, 4, COLOUR_PULSE);
}

static void draw_cut(struct paint *paint, const struct mixer *mixer) {
	const struct mix_model model = mix_model(mixer);
	const struct mix_link *chosen = mix_find_link(&model, mix_face(mixer)->chosen_link);
	struct mix_path path;
	double x, y;
	if (!chosen || !layout_path(mixer, chosen, &path)) {
		return;
	}
	layout_point(&path, 0.5, &x, &y);
	dot(paint, x, y, 9, COLOUR_ERROR);
	stroke(paint, &(struct mix_path){x - 3, y - 3, x + 3, y + 3, 1e-9}, COLOUR_BRIGHT, 2);
	stroke(paint, &(struct mix_path){x - 3, y + 3, x + 3, y - 3, 1e-9}, COLOUR_BRIGHT, 2);
}

/* Where lines begin and end; bright where something is linked. */
static void draw_ends(struct paint *paint, const struct mixer *mixer) {
	const struct mix_node *nodes = mix_nodes(mixer);
	const struct mix_link *links = mix_links(mixer);
	for (int i = 0; i < MIX_NODES && nodes[i].id != MIX_NONE; i++) {
		bool linked = false;
		for (int n = 0; n < MIX_LINKS; n++) {
			linked |= links[n].id != MIX_NONE &&
				(links[n].from == nodes[i].id || links[n].to == nodes[i].id);
		}
		struct mix_box end = layout_end(mixer, &nodes[i]);
		double x = end.x + end.width / 2, y = end.y + end.height / 2;
		dot(paint, x, y, 5, COLOUR_GROUND);
		dot(paint, x, y, 4, linked ? view_colour(&nodes[i]) : COLOUR_EDGE);
	}
}

void lines_draw_under(struct paint *paint, const struct mixer *mixer) {
	const struct mix_link *links = mix_links(mixer);
	for (int i = 0; i < MIX_LINKS; i++) {
		if (links[i].id != MIX_NONE) {
			draw_link(paint, mixer, &links[i]);
		}
	}
}

void lines_draw_over(struct paint *paint, const struct mixer *mixer) {
	draw_ends(paint, mixer);
	draw_cut(paint, mixer);
	draw_drag(paint, mixer);
}

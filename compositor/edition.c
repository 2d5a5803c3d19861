/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <pixman.h>
#include <stdlib.h>
#include <time.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/edition.h"
#include "compositor/picture.h"
#include "compositor/scape.h"
#include "compositor/stage.h"

struct sheet {
	struct wl_list link; /* city_edition.sheets */
	int64_t i, j;	     /* CITY_SHEET logical pixels of the map each */
	struct wlr_scene_buffer *buffer;
	bool dirty;
	bool full;   /* all of it is opaque */
	bool wanted; /* when it was looked for last */
};

static void sheet_destroy(struct sheet *sheet) {
	wl_list_remove(&sheet->link);
	wlr_scene_node_destroy(&sheet->buffer->node);
	free(sheet);
}

void city_edition_clear(struct city_edition *edition) {
	struct sheet *sheet, *next;
	wl_list_for_each_safe(sheet, next, &edition->sheets, link) {
		sheet_destroy(sheet);
	}
	edition->zoom = 0;
}

bool city_edition_init(struct city_edition *edition, struct wlr_scene_tree *parent) {
	wl_list_init(&edition->sheets);
	edition->zoom = 0;
	edition->tree = wlr_scene_tree_create(parent);
	return edition->tree != NULL;
}

/* Ground to the pointer: what is below decides. */
static bool accepts_nothing(struct wlr_scene_buffer *buffer, double *sx, double *sy) {
	return false;
}

/* ---- what is where */

struct span {
	int64_t left, top, right, bottom; /* logical pixels of the map */
};

static int64_t pixel_of(double at, double zoom) {
	return (int64_t)floor(fmin(fmax(at * zoom, -1e15), 1e15) + 0.5);
}

static struct span span_of(struct city_box box, double zoom) {
	return (struct span){
		pixel_of(box.cx, zoom),
		pixel_of(box.cy, zoom),
		pixel_of(box.cx + box.width, zoom),
		pixel_of(box.cy + box.height, zoom),
	};
}

static struct span span_of_sheet(int64_t i, int64_t j) {
	return (struct span){
		i * CITY_SHEET, j * CITY_SHEET, (i + 1) * CITY_SHEET, (j + 1) * CITY_SHEET};
}

static bool meet(struct span a, struct span b) {
	return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/* What a box of the layout shows, at the camera's own zoom. */
static struct span span_in_view(const struct city_camera *camera, struct wlr_box box) {
	int64_t x = pixel_of(camera->cx, camera->zoom), y = pixel_of(camera->cy, camera->zoom);
	return (struct span){box.x + x, box.y + y, box.x + x + box.width, box.y + y + box.height};
}

/* Which sheet lies at a pixel, where a sheet is so large. Their edges are rounded. */
static int64_t sheet_at(int64_t pixel, double side) {
	int64_t at = (int64_t)floor(fmin(fmax(((double)pixel + 0.5) / side, -1e15), 1e15));
	return pixel_of((double)at, side) > pixel ? at - 1 : at;
}

/* The sheets that hold these pixels. */
static struct city_sheet_span sheets_of(struct span span, double side) {
	return (struct city_sheet_span){
		sheet_at(span.left, side),
		sheet_at(span.top, side),
		sheet_at(span.right - 1, side),
		sheet_at(span.bottom - 1, side),
	};
}

struct city_sheet_span city_sheets_in_view(
	const struct city_stage *stage, const struct city_camera *camera, double zoom) {
	return sheets_of(span_in_view(camera, stage->box), CITY_SHEET * (camera->zoom / zoom));
}

/* Whether there is anything in it; *full: a quarter fills it. */
static bool has_content(
	const struct city_paint *paint, struct span sheet, double zoom, bool *full) {
	size_t count = 0;
	bool any = false;
	*full = false;
	const struct city_quarter *quarters =
		paint->survey == NULL ? NULL : city_survey_quarters(paint->survey, &count);
	for (size_t i = 0; i < count; i++) {
		struct span span = span_of(quarters[i].box, zoom);
		if (quarters[i].site == CITY_NO_SITE || !meet(span, sheet)) {
			continue;
		}
		any = true;
		/* Its corners are round. */
		*full = *full ||
			(span.left + 4 <= sheet.left && span.top + 4 <= sheet.top &&
				span.right - 4 >= sheet.right && span.bottom - 4 >= sheet.bottom);
	}
	for (size_t i = 0; i < paint->lot_count && !any; i++) {
		any = meet(span_of(paint->lots[i].box, zoom), sheet);
	}
	return any;
}

/* ---- drawing */

static bool may_draw(struct city_draw_budget *budget) {
	struct timespec now = {0};
	if (budget->used && budget->end_ns > 0) {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	}
	budget->used = true;
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec <= budget->end_ns;
}

static struct sheet *have_sheet(const struct city_edition *edition, int64_t i, int64_t j) {
	struct sheet *sheet;
	wl_list_for_each(sheet, &edition->sheets, link) {
		if (sheet->i == i && sheet->j == j) {
			return sheet;
		}
	}
	return NULL;
}

static struct sheet *find_sheet(struct city_edition *edition, int64_t i, int64_t j) {
	struct sheet *sheet = have_sheet(edition, i, j);
	if (sheet != NULL) {
		return sheet;
	}
	sheet = calloc(1, sizeof(*sheet));
	if (sheet == NULL) {
		return NULL;
	}
	sheet->buffer = wlr_scene_buffer_create(edition->tree, NULL);
	if (sheet->buffer == NULL) {
		free(sheet);
		return NULL;
	}
	/* Until it is placed. */
	wlr_scene_node_set_enabled(&sheet->buffer->node, false);
	sheet->buffer->point_accepts_input = accepts_nothing;
	sheet->i = i;
	sheet->j = j;
	sheet->dirty = true;
	wl_list_insert(&edition->sheets, &sheet->link);
	return sheet;
}

/* With one pixel round it: where it is shown larger these are mixed into its edges. */
static bool draw(struct sheet *sheet, const struct city_paint *paint, bool full) {
	int side = (int)lround(CITY_SHEET * paint->scale), all = side + 2;
	struct city_picture *picture = city_picture_create(all, all);
	pixman_image_t *image = picture == NULL
		? NULL
		: pixman_image_create_bits_no_clear(
			  PIXMAN_a8r8g8b8, all, all, picture->data, (int)picture->stride);
	if (image == NULL) {
		if (picture != NULL) {
			wlr_buffer_drop(&picture->base);
		}
		return false;
	}
	city_paint(paint, image, sheet->i * side - 1, sheet->j * side - 1);
	pixman_image_unref(image);
	wlr_scene_buffer_set_buffer(sheet->buffer, &picture->base);
	wlr_scene_buffer_set_source_box(sheet->buffer, &(struct wlr_fbox){1, 1, side, side});
	wlr_buffer_drop(&picture->base);
	sheet->full = full;
	sheet->dirty = false;
	return true;
}

enum city_drawn city_edition_draw(struct city_edition *edition, const struct city_paint *paint,
	struct city_sheet_span sheets, struct city_draw_budget *budget) {
	struct sheet *sheet;
	wl_list_for_each(sheet, &edition->sheets, link) {
		sheet->wanted = sheet->i >= sheets.left && sheet->i <= sheets.right &&
			sheet->j >= sheets.top && sheet->j <= sheets.bottom;
	}
	for (int64_t j = sheets.top; j <= sheets.bottom; j++) {
		for (int64_t i = sheets.left; i <= sheets.right; i++) {
			bool full;
			if (!has_content(paint, span_of_sheet(i, j), edition->zoom, &full)) {
				continue;
			}
			sheet = have_sheet(edition, i, j);
			if (sheet == NULL || sheet->dirty) {
				if (!may_draw(budget)) {
					return CITY_DRAWN_SOME;
				}
				sheet = find_sheet(edition, i, j);
				if (sheet == NULL || !draw(sheet, paint, full)) {
					return CITY_DRAWN_NO_MEMORY;
				}
			}
			sheet->wanted = true;
			wl_list_remove(&sheet->link);
			wl_list_insert(&edition->sheets, &sheet->link);
		}
	}
	return CITY_DRAWN_ALL;
}

void city_edition_look_ahead(struct city_edition *edition, const struct city_paint *paint,
	struct city_sheet_span sheets) {
	for (int64_t j = sheets.top - 1; j <= sheets.bottom + 1; j++) {
		for (int64_t i = sheets.left - 1; i <= sheets.right + 1; i++) {
			bool full;
			if (have_sheet(edition, i, j) != NULL ||
				!has_content(paint, span_of_sheet(i, j), edition->zoom, &full)) {
				continue;
			}
			struct sheet *sheet = find_sheet(edition, i, j);
			if (sheet != NULL) {
				draw(sheet, paint, full);
			}
			return;
		}
	}
}

void city_edition_damage(struct city_edition *edition, const struct city_box *box) {
	struct sheet *sheet;
	wl_list_for_each(sheet, &edition->sheets, link) {
		if (box == NULL ||
			meet(span_of(*box, edition->zoom), span_of_sheet(sheet->i, sheet->j))) {
			sheet->dirty = true;
		}
	}
}

void city_edition_forget(struct city_edition *edition, int keep) {
	int unwanted = 0;
	struct sheet *sheet, *next;
	wl_list_for_each_safe(sheet, next, &edition->sheets, link) {
		if (!sheet->wanted && (sheet->dirty || ++unwanted > keep)) {
			sheet_destroy(sheet);
		}
	}
}

/* ---- placing */

static bool covers(
	const struct city_edition *upper, const struct city_camera *camera, struct span part) {
	struct city_sheet_span sheets = sheets_of(part, CITY_SHEET * (camera->zoom / upper->zoom));
	for (int64_t j = sheets.top; j <= sheets.bottom; j++) {
		for (int64_t i = sheets.left; i <= sheets.right; i++) {
			if (have_sheet(upper, i, j) == NULL) {
				return false;
			}
		}
	}
	return true;
}

static int64_t larger(int64_t a, int64_t b) {
	return a > b ? a : b;
}

void city_edition_place(struct city_edition *edition, const struct city_stage *stage,
	double opacity, const struct city_edition *upper) {
	const struct city_camera *camera = &stage->camera;
	if (edition->zoom == 0) {
		return;
	}
	struct span view = span_in_view(camera, stage->box);
	/* Edges are rounded, not sizes: sheets that touch on the map touch on the screen. */
	double side = CITY_SHEET * (camera->zoom / edition->zoom);
	struct sheet *sheet;
	wl_list_for_each(sheet, &edition->sheets, link) {
		struct span span = {
			pixel_of((double)sheet->i, side),
			pixel_of((double)sheet->j, side),
			pixel_of((double)(sheet->i + 1), side),
			pixel_of((double)(sheet->j + 1), side),
		};
		struct wlr_scene_buffer *buffer = sheet->buffer;
		struct span part = {larger(span.left, view.left), larger(span.top, view.top),
			-larger(-span.right, -view.right), -larger(-span.bottom, -view.bottom)};
		bool shown = part.left < part.right && part.top < part.bottom &&
			(upper == NULL || !covers(upper, camera, part));
		if (!shown) {
			wlr_scene_node_set_enabled(&buffer->node, false);
			continue;
		}
		int width = (int)(span.right - span.left), height = (int)(span.bottom - span.top);
		pixman_region32_t opaque;
		pixman_region32_init_rect(&opaque, 0, 0, sheet->full ? (unsigned int)width : 0,
			sheet->full ? (unsigned int)height : 0);
		wlr_scene_node_set_position(&buffer->node,
			stage->box.x + (int)(span.left - view.left),
			stage->box.y + (int)(span.top - view.top));
		wlr_scene_buffer_set_dest_size(buffer, width, height);
		wlr_scene_buffer_set_opaque_region(buffer, &opaque);
		wlr_scene_buffer_set_opacity(buffer, (float)opacity);
		wlr_scene_node_set_enabled(&buffer->node, true);
		pixman_region32_fini(&opaque);
	}
}

/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/config.h"
#include "compositor/label.h"
#include "compositor/picture.h"
#include "compositor/scape.h"
#include "compositor/server.h"
#include "compositor/sheets.h"
#include "compositor/stage.h"

/* Sheets out of sight that are kept for coming back. */
#define KEEP 48
#define PULSE_NS INT64_C(1100000000)
#define PULSE_REACH 26 /* logical pixels that a ring goes out */
#define PULSES_MAX 32

struct sheet {
	struct wl_list link; /* set.sheets, the last used first */
	int64_t i, j;	     /* CITY_SHEET logical pixels of the map each */
	struct wlr_scene_buffer *buffer;
	bool dirty, seen;
};

struct set {
	enum city_sheet_kind kind;
	struct wlr_scene_tree *tree;
	struct wl_list sheets;
	double zoom, scale; /* that they are drawn for */
};

struct pulse {
	struct wl_list link;
	struct city_box box;
	int64_t begin_ns; /* 0: not seen yet */
	struct wlr_scene_rect *bars[4];
};

struct city_sheets {
	struct set sets[2];
	struct wl_list pulses;
	bool stale;
};

static void sheet_destroy(struct sheet *sheet) {
	wl_list_remove(&sheet->link);
	wlr_scene_node_destroy(&sheet->buffer->node);
	free(sheet);
}

static void clear(struct set *set) {
	struct sheet *sheet, *next;
	wl_list_for_each_safe(sheet, next, &set->sheets, link) {
		sheet_destroy(sheet);
	}
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

static struct sheet *have_sheet(struct set *set, int64_t i, int64_t j) {
	struct sheet *sheet;
	wl_list_for_each(sheet, &set->sheets, link) {
		if (sheet->i == i && sheet->j == j) {
			return sheet;
		}
	}
	return NULL;
}

static struct sheet *find_sheet(struct set *set, int64_t i, int64_t j) {
	struct sheet *sheet = have_sheet(set, i, j);
	if (sheet != NULL) {
		return sheet;
	}
	sheet = calloc(1, sizeof(*sheet));
	if (sheet == NULL) {
		return NULL;
	}
	sheet->buffer = wlr_scene_buffer_create(set->tree, NULL);
	if (sheet->buffer == NULL) {
		free(sheet);
		return NULL;
	}
	sheet->buffer->point_accepts_input = accepts_nothing;
	sheet->i = i;
	sheet->j = j;
	sheet->dirty = true;
	wl_list_insert(&set->sheets, &sheet->link);
	return sheet;
}

static void draw(struct sheet *sheet, const struct city_paint *paint, bool full) {
	int side = (int)lround(CITY_SHEET * paint->scale);
	struct city_picture *picture = city_picture_create(side, side);
	pixman_image_t *image = picture == NULL
		? NULL
		: pixman_image_create_bits_no_clear(
			  PIXMAN_a8r8g8b8, side, side, picture->data, (int)picture->stride);
	if (image == NULL) {
		if (picture != NULL) {
			wlr_buffer_drop(&picture->base);
		}
		return;
	}
	city_paint(paint, image, sheet->i * side, sheet->j * side);
	pixman_image_unref(image);
	pixman_region32_t opaque;
	pixman_region32_init_rect(&opaque, 0, 0, full ? CITY_SHEET : 0, full ? CITY_SHEET : 0);
	wlr_scene_buffer_set_buffer(sheet->buffer, &picture->base);
	wlr_scene_buffer_set_dest_size(sheet->buffer, CITY_SHEET, CITY_SHEET);
	wlr_scene_buffer_set_opaque_region(sheet->buffer, &opaque);
	pixman_region32_fini(&opaque);
	wlr_buffer_drop(&picture->base);
	sheet->dirty = false;
}

static int64_t divide(int64_t a, int64_t b) {
	return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* One of those that come into sight next, so that not a whole row of them is due on one frame. */
static void look_ahead(struct set *set, const struct city_paint *paint, int64_t left, int64_t top,
	int64_t right, int64_t bottom) {
	for (int64_t j = top; j <= bottom; j++) {
		for (int64_t i = left; i <= right; i++) {
			bool full;
			if (have_sheet(set, i, j) != NULL ||
				!has_content(paint, span_of_sheet(i, j), set->zoom, &full)) {
				continue;
			}
			struct sheet *sheet = find_sheet(set, i, j);
			if (sheet != NULL) {
				wlr_scene_node_set_enabled(&sheet->buffer->node, false);
				draw(sheet, paint, full);
			}
			return;
		}
	}
}

static void update_set(struct city_stage *stage, struct set *set) {
	struct city_server *server = stage->server;
	double zoom = stage->camera.zoom;
	bool lots = set->kind == CITY_SHEETS_LOTS;
	double shown = lots ? city_scape_buildings(zoom) : 1;
	wlr_scene_node_set_enabled(&set->tree->node, shown > 0);
	if (shown <= 0 || wlr_box_empty(&stage->box)) {
		clear(set);
		return;
	}
	struct city_paint paint = {
		.palette = city_palette_of(server->config->style),
		.font = server->config->font,
		.survey = lots ? NULL : city_scape_survey(server),
		.costs = city_scape_costs(server),
		.zoom = zoom * stage->scale,
		.scale = stage->scale,
		.ink = city_scape_ink(zoom),
	};
	if (lots) {
		paint.lots = city_scape_lots(server, &paint.lot_count);
	}
	/* At the same zoom as before it has been, or what is in it has changed. */
	bool panned = stage->output != NULL && set->zoom == zoom && set->scale == stage->scale;
	if (set->zoom != zoom || set->scale != stage->scale) {
		set->zoom = zoom;
		set->scale = stage->scale;
		clear(set);
	}
	struct sheet *sheet, *next;
	wl_list_for_each(sheet, &set->sheets, link) {
		sheet->seen = false;
	}
	int64_t x = pixel_of(stage->camera.cx, zoom), y = pixel_of(stage->camera.cy, zoom);
	int64_t left = divide(stage->box.x + x, CITY_SHEET);
	int64_t top = divide(stage->box.y + y, CITY_SHEET);
	int64_t right = divide(stage->box.x + stage->box.width - 1 + x, CITY_SHEET);
	int64_t bottom = divide(stage->box.y + stage->box.height - 1 + y, CITY_SHEET);
	for (int64_t j = top; j <= bottom; j++) {
		for (int64_t i = left; i <= right; i++) {
			bool full;
			if (!has_content(&paint, span_of_sheet(i, j), zoom, &full) ||
				(sheet = find_sheet(set, i, j)) == NULL) {
				continue;
			}
			sheet->seen = true;
			if (sheet->dirty) {
				draw(sheet, &paint, full);
			}
			wlr_scene_node_set_position(&sheet->buffer->node, (int)(i * CITY_SHEET - x),
				(int)(j * CITY_SHEET - y));
			wlr_scene_buffer_set_opacity(sheet->buffer, (float)shown);
			wlr_scene_node_set_enabled(&sheet->buffer->node, true);
			wl_list_remove(&sheet->link);
			wl_list_insert(&set->sheets, &sheet->link);
		}
	}
	if (panned) {
		look_ahead(set, &paint, left - 1, top - 1, right + 1, bottom + 1);
	}
	int unseen = 0;
	wl_list_for_each_safe(sheet, next, &set->sheets, link) {
		if (sheet->seen) {
			continue;
		}
		wlr_scene_node_set_enabled(&sheet->buffer->node, false);
		if (sheet->dirty || ++unseen > KEEP) {
			sheet_destroy(sheet);
		}
	}
}

/* ---- rings */

static void pulse_destroy(struct pulse *pulse) {
	wl_list_remove(&pulse->link);
	for (int i = 0; i < 4; i++) {
		if (pulse->bars[i] != NULL) {
			wlr_scene_node_destroy(&pulse->bars[i]->node);
		}
	}
	free(pulse);
}

static void set_bar(struct pulse *pulse, int which, struct wlr_box box, const float color[4]) {
	wlr_scene_rect_set_size(pulse->bars[which], box.width, box.height);
	wlr_scene_node_set_position(&pulse->bars[which]->node, box.x, box.y);
	wlr_scene_rect_set_color(pulse->bars[which], color);
}

static void place_pulse(struct city_stage *stage, struct pulse *pulse, int64_t when_ns) {
	if (pulse->begin_ns == 0) {
		pulse->begin_ns = when_ns;
	}
	double share = fmin((double)(when_ns - pulse->begin_ns) / (double)PULSE_NS, 1);
	/* Fast at first, from just outside what is written above the view; it fades evenly. */
	double out = CITY_SPACE_SMALL + (PULSE_REACH - CITY_SPACE_SMALL) * (1 - pow(1 - share, 3));
	struct wlr_box box = city_map_box(&stage->camera, pulse->box);
	int by = (int)lround(out), line = share < 0.4 ? 3 : 2;
	box.x -= by;
	box.y -= by;
	box.width += 2 * by;
	box.height += 2 * by;
	float color[4];
	uint32_t rgba = city_palette_of(stage->server->config->style)->pulse;
	city_color_float((rgba & 0xffffff00) | (uint32_t)lround(230 * (1 - share)), color);
	int inner = box.height - 2 * line;
	inner = inner > 0 ? inner : 0;
	set_bar(pulse, 0, (struct wlr_box){box.x, box.y, box.width, line}, color);
	set_bar(pulse, 1, (struct wlr_box){box.x, box.y + line + inner, box.width, line}, color);
	set_bar(pulse, 2, (struct wlr_box){box.x, box.y + line, line, inner}, color);
	set_bar(pulse, 3, (struct wlr_box){box.x + box.width - line, box.y + line, line, inner},
		color);
}

void city_sheets_pulse(struct city_stage *stage, struct city_box box) {
	/* Where the thing itself is seen as large as it is, its melt says enough. */
	if (stage->sheets == NULL || !stage->server->config->animations ||
		stage->camera.zoom >= 1 || wl_list_length(&stage->sheets->pulses) >= PULSES_MAX) {
		return;
	}
	struct pulse *pulse = calloc(1, sizeof(*pulse));
	if (pulse == NULL) {
		return;
	}
	pulse->box = box;
	wl_list_insert(&stage->sheets->pulses, &pulse->link);
	static const float nothing[4];
	for (int i = 0; i < 4; i++) {
		pulse->bars[i] = wlr_scene_rect_create(stage->layers.buildings, 0, 0, nothing);
		if (pulse->bars[i] == NULL) {
			pulse_destroy(pulse);
			return;
		}
	}
	if (stage->output != NULL) {
		wlr_output_schedule_frame(stage->output->wlr_output);
	}
}

/* ---- */

void city_sheets_frame(struct city_stage *stage, int64_t when_ns) {
	struct city_sheets *sheets = stage->sheets;
	if (sheets == NULL) {
		return;
	}
	struct pulse *pulse, *next;
	wl_list_for_each_safe(pulse, next, &sheets->pulses, link) {
		place_pulse(stage, pulse, when_ns);
		if (when_ns - pulse->begin_ns >= PULSE_NS) {
			pulse_destroy(pulse);
		}
	}
	if (sheets->stale) {
		sheets->stale = false;
		update_set(stage, &sheets->sets[CITY_SHEETS_QUARTERS]);
		update_set(stage, &sheets->sets[CITY_SHEETS_LOTS]);
	}
	if (!wl_list_empty(&sheets->pulses) && stage->output != NULL) {
		wlr_output_schedule_frame(stage->output->wlr_output);
	}
}

void city_sheets_update(struct city_stage *stage) {
	if (stage->sheets == NULL) {
		return;
	}
	stage->sheets->stale = true;
	if (stage->output == NULL) {
		city_sheets_frame(stage, 1);
	} else if (stage->output->wlr_output->enabled) {
		wlr_output_schedule_frame(stage->output->wlr_output);
	}
}

void city_sheets_damage(
	struct city_stage *stage, enum city_sheet_kind kind, const struct city_box *box) {
	if (stage->sheets == NULL) {
		return;
	}
	struct set *set = &stage->sheets->sets[kind];
	struct sheet *sheet;
	wl_list_for_each(sheet, &set->sheets, link) {
		if (box == NULL ||
			meet(span_of(*box, set->zoom), span_of_sheet(sheet->i, sheet->j))) {
			sheet->dirty = true;
		}
	}
	city_sheets_update(stage);
}

bool city_sheets_create(struct city_stage *stage) {
	struct city_sheets *sheets = calloc(1, sizeof(*sheets));
	if (sheets == NULL) {
		return false;
	}
	wl_list_init(&sheets->pulses);
	for (int i = 0; i < 2; i++) {
		struct set *set = &sheets->sets[i];
		set->kind = (enum city_sheet_kind)i;
		wl_list_init(&set->sheets);
		set->tree = wlr_scene_tree_create(
			i == CITY_SHEETS_LOTS ? stage->layers.buildings : stage->layers.districts);
		if (set->tree == NULL) {
			free(sheets);
			return false;
		}
	}
	stage->sheets = sheets;
	return true;
}

void city_sheets_destroy(struct city_stage *stage) {
	if (stage->sheets == NULL) {
		return;
	}
	struct pulse *pulse, *next;
	wl_list_for_each_safe(pulse, next, &stage->sheets->pulses, link) {
		pulse_destroy(pulse);
	}
	/* The trees go with the scene. */
	clear(&stage->sheets->sets[0]);
	clear(&stage->sheets->sets[1]);
	free(stage->sheets);
	stage->sheets = NULL;
}

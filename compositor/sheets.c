/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/config.h"
#include "compositor/edition.h"
#include "compositor/frames.h"
#include "compositor/label.h"
#include "compositor/scape.h"
#include "compositor/server.h"
#include "compositor/sheets.h"
#include "compositor/stage.h"

/* Sheets out of sight that are kept for coming back. */
#define KEEP 32
/* What drawing them may take on one frame, of the thread's time. */
#define DRAW_NS INT64_C(3000000)
/* An edition that is so many times too large or small is still worth finishing. */
#define NEAR 1.5
#define PULSE_NS INT64_C(1100000000)
#define PULSE_REACH 26 /* logical pixels that a ring goes out */
#define PULSES_MAX 32

struct set {
	enum city_sheet_kind kind;
	struct wlr_scene_tree *tree;
	struct city_edition editions[2];
	/* For where the camera rests, or goes; and the one before, which is seen until that is
	 * finished. */
	struct city_edition *fresh, *old;
	double scale;  /* that both are drawn for */
	bool finished; /* the fresh one lacked nothing when it was looked at last */
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

static double share_seen(const struct set *set, double zoom) {
	return set->kind == CITY_SHEETS_LOTS ? city_scape_buildings(zoom) : 1;
}

static void clear(struct set *set) {
	city_edition_clear(set->fresh);
	city_edition_clear(set->old);
	set->finished = false;
}

/* How far a zoom is from that of an edition, in doublings. */
static double distance(const struct city_edition *edition, double zoom) {
	return fabs(log2(edition->zoom / zoom));
}

/* Begins an edition for the zoom that the camera has in the end. One that is near the zoom it has
 * now is finished before: whoever pinches has another zoom on each frame. */
static void choose_edition(struct set *set, double zoom, double end_zoom) {
	struct city_edition *last = set->fresh;
	if (last->zoom == end_zoom ||
		(last->zoom > 0 && !set->finished && distance(last, zoom) < log2(NEAR))) {
		return;
	}
	/* What lacks something is better than nothing. */
	if (set->finished || set->old->zoom == 0) {
		city_edition_forget(last, 0);
		set->fresh = set->old;
		set->old = last;
	}
	city_edition_clear(set->fresh);
	set->fresh->zoom = end_zoom;
	set->finished = false;
}

/* The edition that is drawn for nearly this zoom lies above the other. */
static void place(const struct city_stage *stage, struct set *set) {
	double zoom = stage->camera.zoom, shown = share_seen(set, zoom);
	wlr_scene_node_set_enabled(&set->tree->node, shown > 0);
	if (shown <= 0 || set->fresh->zoom == 0) {
		return;
	}
	struct city_edition *upper = set->fresh, *lower = set->old;
	if (distance(set->old, zoom) < distance(set->fresh, zoom)) {
		upper = set->old;
		lower = set->fresh;
	}
	wlr_scene_node_place_above(&upper->tree->node, &lower->tree->node);
	city_edition_place(upper, stage, shown, NULL);
	city_edition_place(lower, stage, shown, upper);
}

/* False while something is missing. */
static bool draw(const struct city_stage *stage, struct set *set, struct city_draw_budget *budget) {
	struct city_server *server = stage->server;
	const struct city_camera *camera = &stage->camera;
	const struct city_camera end = city_map_end(camera);
	double seen = share_seen(set, camera->zoom), seen_then = share_seen(set, end.zoom);
	if ((seen <= 0 && seen_then <= 0) || wlr_box_empty(&stage->box)) {
		clear(set);
		return true;
	}
	if (set->scale != stage->scale) {
		clear(set);
		set->scale = stage->scale;
	}
	/* What goes out of sight needs no pictures of how it would look there. */
	if (seen_then > 0) {
		choose_edition(set, camera->zoom, end.zoom);
	}
	struct city_edition *edition = set->fresh;
	if (edition->zoom == 0) {
		return true;
	}
	struct city_paint paint = {
		.palette = city_palette_of(server->config->style),
		.font = server->config->font,
		.survey = set->kind == CITY_SHEETS_LOTS ? NULL : city_scape_survey(server),
		.costs = city_scape_costs(server),
		.zoom = edition->zoom * stage->scale,
		.scale = stage->scale,
		.ink = city_scape_ink(edition->zoom),
	};
	if (set->kind == CITY_SHEETS_LOTS) {
		paint.lots = city_scape_lots(server, &paint.lot_count);
	}
	/* Where the camera goes; but where it is, if it has the zoom for that already, or the
	 * edition is for none that it will have. */
	bool there = edition->zoom == camera->zoom;
	bool coming = !there && edition->zoom == end.zoom;
	struct city_sheet_span sheets =
		city_sheets_in_view(stage, coming ? &end : camera, edition->zoom);
	bool panned = set->finished && there && budget->end_ns > 0;
	enum city_drawn drawn = city_edition_draw(edition, &paint, sheets, budget);
	set->finished = drawn == CITY_DRAWN_ALL;
	if (panned && set->finished && !budget->used) {
		city_edition_look_ahead(edition, &paint, sheets);
	}
	city_edition_forget(edition, KEEP);
	if (there && set->finished) {
		city_edition_clear(set->old);
	}
	return drawn == CITY_DRAWN_NO_MEMORY ||
		(set->finished && (edition->zoom == end.zoom || seen_then <= 0));
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
		struct city_draw_budget budget = {0};
		if (stage->output != NULL) {
			budget.end_ns = city_frames_begin().cpu_ns + DRAW_NS;
		}
		sheets->stale = false;
		for (int i = 0; i < 2; i++) {
			sheets->stale = !draw(stage, &sheets->sets[i], &budget) || sheets->stale;
			place(stage, &sheets->sets[i]);
		}
	}
	if ((sheets->stale || !wl_list_empty(&sheets->pulses)) && stage->output != NULL) {
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
		return;
	}
	place(stage, &stage->sheets->sets[CITY_SHEETS_QUARTERS]);
	place(stage, &stage->sheets->sets[CITY_SHEETS_LOTS]);
	if (stage->output->wlr_output->enabled) {
		wlr_output_schedule_frame(stage->output->wlr_output);
	}
}

void city_sheets_damage(
	struct city_stage *stage, enum city_sheet_kind kind, const struct city_box *box) {
	if (stage->sheets == NULL) {
		return;
	}
	struct set *set = &stage->sheets->sets[kind];
	city_edition_damage(set->fresh, box);
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
		set->fresh = &set->editions[0];
		set->old = &set->editions[1];
		set->tree = wlr_scene_tree_create(
			i == CITY_SHEETS_LOTS ? stage->layers.buildings : stage->layers.districts);
		if (set->tree == NULL || !city_edition_init(set->fresh, set->tree) ||
			!city_edition_init(set->old, set->tree)) {
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

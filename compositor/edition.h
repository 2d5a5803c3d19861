/* SPDX-License-Identifier: MIT */
/*
 * An edition of the cityscape: pictures ("sheets") of CITY_SHEET logical pixels a side, aligned to
 * the map and drawn for one zoom. At that zoom they are shown pixel for pixel wherever the camera
 * is; at another one they are stretched or shrunk, without seams.
 *
 * A sheet takes 4 * (CITY_SHEET * scale + 2)^2 bytes, 0.9 MB at scale 1. The owner (sheets.c) says
 * which are drawn, how long that may take, and how many are kept.
 *
 * Main thread only.
 */
#ifndef CITY_EDITION_H
#define CITY_EDITION_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

#include "compositor/map.h"

struct city_paint;
struct city_stage;
struct wlr_scene_tree;

#define CITY_SHEET 480

struct city_edition {
	struct wlr_scene_tree *tree;
	struct wl_list sheets; /* those looked for last first */
	double zoom;	       /* 0: there is none, and no sheets */
};

/* Of sheets, by their place on the map: right and bottom are the last ones. */
struct city_sheet_span {
	int64_t left, top, right, bottom;
};

/* What may be drawn now. */
struct city_draw_budget {
	int64_t end_ns; /* of the thread's time; 0: anything */
	bool used;	/* one sheet is drawn in any case */
};

enum city_drawn {
	CITY_DRAWN_ALL, /* nothing is missing */
	CITY_DRAWN_SOME,
	CITY_DRAWN_NO_MEMORY,
};

/* False when out of memory. */
bool city_edition_init(struct city_edition *edition, struct wlr_scene_tree *parent);
/* Without sheets and zoom, as after init. The tree goes with its parent. */
void city_edition_clear(struct city_edition *edition);

/* What the camera sees on the stage, in sheets for this zoom. */
struct city_sheet_span city_sheets_in_view(
	const struct city_stage *stage, const struct city_camera *camera, double zoom);
/* Draws what is missing of these, as far as the budget goes. `paint` is for the edition's zoom. */
enum city_drawn city_edition_draw(struct city_edition *edition, const struct city_paint *paint,
	struct city_sheet_span sheets, struct city_draw_budget *budget);
/* One of those round these, so that not a whole row of them is missing on one frame. */
void city_edition_look_ahead(struct city_edition *edition, const struct city_paint *paint,
	struct city_sheet_span sheets);
/* Something is different in this part of the city; NULL: everywhere. */
void city_edition_damage(struct city_edition *edition, const struct city_box *box);
/* Keeps those that were looked for last, and as many others. */
void city_edition_forget(struct city_edition *edition, int keep);

/* Puts the sheets where the stage's camera has them. Those that are all behind sheets of `upper`
 * (NULL: nothing lies above) are not shown. */
void city_edition_place(struct city_edition *edition, const struct city_stage *stage,
	double opacity, const struct city_edition *upper);

#endif

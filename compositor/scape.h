/* SPDX-License-Identifier: MIT */
/*
 * The cityscape: what stands in the city beside the live contents of views. Quarters of source,
 * with a building for each module, at every zoom; and below CITY_ZOOM_STREET, where live contents
 * would be too small to mean anything, a building in the place of each view.
 *
 * A tile's building has the area of its lines of source, as far as its lot allows (CITY_LINE_AREA
 * square city units a line, which makes a program of some thousand lines as large as its window),
 * and the colour of its cost (cost.h). A handover sends a ring out from it. A tile whose source
 * does not build, or that is dead, is outlined and marked. Its name, lines, cost and PAS stand on
 * it where there is room.
 *
 * Each stage shows it by sheets (sheets.h). Between CITY_ZOOM_STREET and CITY_ZOOM_CITY buildings
 * fade in above live contents, which are gone below that. Text never lies over other text there.
 *
 * Main thread only.
 */
#ifndef CITY_SCAPE_H
#define CITY_SCAPE_H

#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>

#include "compositor/cost.h"
#include "compositor/map.h"
#include "compositor/survey.h"
#include "compositor/theme.h"

struct city_scape;
struct city_server;
struct city_view;

#define CITY_ZOOM_STREET 0.25 /* live contents from here on */
#define CITY_ZOOM_CITY 0.18   /* only buildings below this */

enum city_mark {
	CITY_MARK_NONE,
	CITY_MARK_BUILD, /* its source does not build */
	CITY_MARK_ERROR, /* another error stands on it */
	CITY_MARK_STUCK, /* it does not return from an operation, or another warning stands on it */
	CITY_MARK_DEAD,
};
const char *city_mark_name(enum city_mark mark);

/* A view as it stands in the city. */
struct city_lot {
	uint32_t id; /* of the view */
	struct city_box box, building;
	bool tile, focused, changing; /* changing: a handover of it is under way */
	enum city_mark mark;
	uint64_t lines;		/* 0: not known */
	double cost;		/* below 0: not measured */
	double pas;		/* below 0: none yet */
	int64_t handed_over_ns; /* when its last handover was shown; 0: none */
	char name[96], note[96];
};

bool city_scape_create(struct city_server *server); /* sets server->scape */
void city_scape_destroy(struct city_server *server);
/* A view or a tile came, went or changed: it is looked at before the next frame. NULL-safe. */
void city_scape_changed(struct city_server *server);
/* A view has a new frame. */
void city_scape_drawn(struct city_server *server);
/* Another version of a tile is on the screen. */
void city_scape_handed_over(struct city_server *server, struct city_view *view);
/* How much of a view's live content is seen at this zoom: 1 from the street on, 0 in the city. */
double city_scape_live(double zoom);
/* What goes on between the two: first the names of live contents go, then buildings come over them,
 * and when these cover all, what is written on them. Each from 0 to 1. */
double city_scape_names(double zoom);
double city_scape_buildings(double zoom);
double city_scape_ink(double zoom);
/* NULL if there is none. */
struct city_survey *city_scape_survey(const struct city_server *server);
struct city_costs *city_scape_costs(const struct city_server *server);
/* The lots as they are now, the lowest first; borrowed, until the next call. */
const struct city_lot *city_scape_lots(struct city_server *server, size_t *count);
/* Everything that stands in the city: tiles, windows and quarters. False if nothing does. */
bool city_scape_bounds(struct city_server *server, struct city_box *box);

/*
 * Paints what is on the map over what is in the image, whose top left is at the pixel `x, y`, with
 * the city's origin at 0, 0. First quarters, then lots with their buildings.
 */
struct city_paint {
	const struct city_palette *palette;
	const char *font;		  /* NULL: the usual one */
	const struct city_survey *survey; /* whose quarters are painted; may be NULL */
	const struct city_lot *lots;
	size_t lot_count;
	const struct city_costs *costs; /* may be NULL */
	double zoom;			/* image pixels a city unit */
	double scale;			/* image pixels a logical pixel: text is larger by this */
	double ink;			/* how much of text on lots is seen, 0 to 1 */
};
void city_paint(const struct city_paint *paint, pixman_image_t *image, int64_t x, int64_t y);
/* The part of its lot that a building of so many lines takes. */
struct city_box city_lot_building(struct city_box lot, uint64_t lines);

#endif

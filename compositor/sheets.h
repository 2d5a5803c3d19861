/* SPDX-License-Identifier: MIT */
/*
 * What a stage shows of the cityscape (scape.h), by editions of it (edition.h): at rest one for the
 * zoom that there is. Panning moves it as it is, and only what comes into sight is drawn. When the
 * zoom changes, an edition for the zoom in the end is drawn, some sheets on each frame; until it is
 * finished the one before is seen, as large as the zoom makes it. On the stage of an output that is
 * done on the frames that show it, on others at once.
 *
 * Quarters lie in the layer of the districts; the buildings that stand for views, and the rings
 * that go out from them when they are handed over, in a layer above views. At 1920x1080 each of the
 * two has at most 52 sheets (48 MB) at rest, and 102 (94 MB) while the zoom changes.
 *
 * Main thread only.
 */
#ifndef CITY_SHEETS_H
#define CITY_SHEETS_H

#include <stdbool.h>
#include <stdint.h>

#include "compositor/map.h"

struct city_server;
struct city_sheets;
struct city_stage;

enum city_sheet_kind {
	CITY_SHEETS_QUARTERS,
	CITY_SHEETS_LOTS,
};

bool city_sheets_create(struct city_stage *stage); /* sets stage->sheets */
void city_sheets_destroy(struct city_stage *stage);
/* The camera or the screen changed. Does nothing without sheets, as all below. */
void city_sheets_update(struct city_stage *stage);
/* Something is different in this part of the city; NULL: everywhere. */
void city_sheets_damage(
	struct city_stage *stage, enum city_sheet_kind kind, const struct city_box *box);
/* A ring goes out from this box. */
void city_sheets_pulse(struct city_stage *stage, struct city_box box);
/* Before a frame of its output: draws what is missing. */
void city_sheets_frame(struct city_stage *stage, int64_t when_ns);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The look of the city in one place: colours (straight 0xRRGGBBAA) and measures (logical pixels
 * at zoom 1). Everything that the compositor draws itself takes its colours from here; the config
 * chooses one of two palettes and may override the few that a `theme` block names.
 */
#ifndef CITY_THEME_H
#define CITY_THEME_H

#include <stdbool.h>
#include <stdint.h>

/* What there is in light and in dark. */
struct city_palette {
	/* The ground, its grid, and the blocks on it: of views, and of folders in them. */
	uint32_t ground, grid, grid_major;
	uint32_t district, district_inner, district_edge;
	uint32_t text, text_dim; /* on all of these */

	/* Frames round views. */
	uint32_t frame, frame_text, focus, focus_text;

	/* Buildings: of what costs nothing, 1 %, 10 % and all of a core; and of guests. */
	uint32_t cost[4], guest;
	uint32_t building_text, building_dim;
	uint32_t lot, lot_edge;
	uint32_t good, warn, error, mark_text;
	uint32_t pulse;
	double light, shade; /* how much on a building's upper edge, and its lower one */
};

enum city_style {
	CITY_STYLE_DARK,
	CITY_STYLE_LIGHT,
};
const struct city_palette *city_palette_of(enum city_style style);

/* Badges. */
#define CITY_COLOR_BADGE_TEXT 0xf2f4f7ffu
#define CITY_COLOR_BADGE_INFO 0x24405ae8u
#define CITY_COLOR_BADGE_WARN 0x5a4717e8u
#define CITY_COLOR_BADGE_ERROR 0x5e2129ecu

#define CITY_COLOR_LOCKED 0x0d0f12ffu
#define CITY_COLOR_LOST 0x3a1218ffu

#define CITY_BORDER 2	  /* width of the frame at the sides and below */
#define CITY_TITLEBAR 24  /* height of the frame above */
#define CITY_TITLE_MIN 14 /* pixels; in a lower frame a title would not be legible */
#define CITY_GRAB_EDGE 8  /* how far outside a frame a press still resizes */
#define CITY_GAP 24	  /* free ground that placement keeps between views */
#define CITY_GRID_STEP 64 /* city units between grid lines at zoom 1 */
#define CITY_FONT "sans"
#define CITY_FONT_MONO "monospace"
#define CITY_FONT_SIZE 13 /* pixels */

static inline void city_color_float(uint32_t rgba, float out[static 4]) {
	float alpha = (float)(rgba & 0xff) / 255.0f;
	/* wlroots wants premultiplied colour. */
	out[0] = (float)(rgba >> 24 & 0xff) / 255.0f * alpha;
	out[1] = (float)(rgba >> 16 & 0xff) / 255.0f * alpha;
	out[2] = (float)(rgba >> 8 & 0xff) / 255.0f * alpha;
	out[3] = alpha;
}

static inline bool city_color_same(const float a[static 4], const float b[static 4]) {
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The look of the city in one place: colours (straight 0xRRGGBBAA), sizes of text, spaces and other
 * measures (logical pixels at zoom 1). Everything that the compositor draws itself takes its looks
 * from here; the config chooses one of two palettes and may override the few that a `theme` block
 * names. Text on what is behind it has a contrast of 4.5 (WCAG 2) and more.
 */
#ifndef CITY_THEME_H
#define CITY_THEME_H

#include <stdbool.h>
#include <stdint.h>

#define CITY_COSTS 4 /* colours of costs */

/* What there is in light and in dark. */
struct city_palette {
	/* The ground, its grid, and the blocks on it: of views, and of folders in them. */
	uint32_t ground, grid, grid_major;
	uint32_t district, district_inner, district_edge;
	uint32_t text, text_dim; /* on all of these */

	/* Frames round views. */
	uint32_t frame, frame_text, focus, focus_text;

	/* Buildings: of what costs nothing, 1 %, 10 % and all of a core; and of guests. */
	uint32_t cost[CITY_COSTS], guest;
	uint32_t building_text, building_dim;
	uint32_t lot, lot_edge;
	uint32_t good, warn, error, mark_text;
	uint32_t pulse;
	uint32_t seen;	     /* round what the screen shows, on the minimap */
	double light, shade; /* how much on a building's upper edge, and its lower one */
	double facade;	     /* how much lighter a header is than what is behind it */

	/* What stands above all else: notices on views, what a drop would do. */
	uint32_t badge_text, badge_info, badge_warn, badge_error;
};

enum city_style {
	CITY_STYLE_DARK,
	CITY_STYLE_LIGHT,
};
const struct city_palette *city_palette_of(enum city_style style);

/* `share` of b, the rest of a; each channel for itself. */
uint32_t city_color_mix(uint32_t a, uint32_t b, double share);
/* The colour of a building that costs so much, in cores; below 0: none was measured. */
uint32_t city_cost_color(const struct city_palette *palette, double cost);

/* A locked screen, and one whose locker is gone: the same in light and dark. */
#define CITY_COLOR_LOCKED 0x0d0f12ffu
#define CITY_COLOR_LOST 0x3a1218ffu

/* Sizes of text. Nothing else is used, but by what grows with the zoom pixel by pixel. */
#define CITY_TYPE_SMALL 11
#define CITY_TYPE_TEXT 13
#define CITY_TYPE_LARGE 16
#define CITY_TYPE_HEAD 20
#define CITY_TYPE_MOST 34
/* The largest size that is no larger than both; 0: none is so small. */
int city_type_under(double pixels, int most);

/* What is narrower has no name above it, and that of what grows comes bit by bit: from 0 to 1. */
#define CITY_NAME_WIDTH 48
double city_name_share(double width);

/* Spaces. */
#define CITY_SPACE_TINY 2
#define CITY_SPACE_SMALL 4
#define CITY_SPACE 8
#define CITY_SPACE_LARGE 16

#define CITY_ROUND 3	  /* radius of a building's corners, and of all that is as small */
#define CITY_BORDER 2	  /* width of the frame at the sides and below */
#define CITY_TITLEBAR 24  /* height of the frame above */
#define CITY_TITLE_MIN 14 /* pixels; in a lower frame a title would not be legible */
#define CITY_GRAB_EDGE 8  /* how far outside a frame a press still resizes */
#define CITY_GAP 24	  /* free ground that placement keeps between views */
#define CITY_GRID_STEP 64 /* city units between grid lines at zoom 1 */
#define CITY_FONT "sans"
#define CITY_FONT_MONO "monospace"

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

/* The same colour, so much less of it. */
static inline uint32_t city_color_faded(uint32_t rgba, double share) {
	share = share < 0 ? 0 : share > 1 ? 1 : share;
	return (rgba & ~0xffu) | (uint32_t)((rgba & 0xff) * share + 0.5);
}

#endif

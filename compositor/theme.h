/* SPDX-License-Identifier: MIT */
/*
 * The look of the city in one place: colours (straight 0xRRGGBBAA) and measures (logical pixels
 * at zoom 1). Everything that the compositor draws itself takes its colours from here; the config
 * may override the few that a `theme` block names.
 */
#ifndef CITY_THEME_H
#define CITY_THEME_H

#include <stdbool.h>
#include <stdint.h>

/* The ground and what is drawn on it. */
#define CITY_COLOR_GROUND 0x14171cffu
#define CITY_COLOR_GRID 0x1b1f26ffu
#define CITY_COLOR_GRID_MAJOR 0x232932ffu
#define CITY_COLOR_DISTRICT 0x181c22ffu
#define CITY_COLOR_DISTRICT_EDGE 0x252b34ffu
#define CITY_COLOR_DISTRICT_TEXT 0x6b7789ffu

/* Frames round views. */
#define CITY_COLOR_FRAME 0x262c35ffu
#define CITY_COLOR_FRAME_TEXT 0x8b97a8ffu
#define CITY_COLOR_FOCUS 0x3b5b7affu
#define CITY_COLOR_FOCUS_TEXT 0xe8eef6ffu

/* Badges. */
#define CITY_COLOR_BADGE_TEXT 0xf2f4f7ffu
#define CITY_COLOR_BADGE_INFO 0x24405ae8u
#define CITY_COLOR_BADGE_WARN 0x5a4717e8u
#define CITY_COLOR_BADGE_ERROR 0x5e2129ecu

#define CITY_COLOR_LOCKED 0x0d0f12ffu
#define CITY_COLOR_LOST 0x3a1218ffu

#define CITY_BORDER 2	  /* width of the frame at the sides and below */
#define CITY_TITLEBAR 24  /* height of the frame above */
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

/* SPDX-License-Identifier: MIT */
/*
 * Text and boxes in a tile's canvas, with fcft and pixman, in the city's type and colours. All
 * places are buffer pixels; colours are 0xrrggbb.
 */
#ifndef TILE_PAINT_H
#define TILE_PAINT_H

#include <fcft/fcft.h>
#include <pixman.h>

#include "tile.h"

/* The city's colours in the dark: compositor/theme.c. */
#define COLOUR_GROUND 0x12151a
#define COLOUR_SIDE 0x191e25
#define COLOUR_INNER 0x262d37
#define COLOUR_EDGE 0x323b48
#define COLOUR_TEXT 0xc2ccd9
#define COLOUR_DIM 0x93a0b2
#define COLOUR_BRIGHT 0xf0f4f9
#define COLOUR_FOCUS 0x3d6288
#define COLOUR_GOOD 0x6fb3a0
#define COLOUR_WARN 0xd9a441
#define COLOUR_ERROR 0xe5645a
#define COLOUR_PULSE 0x8fd0ff

enum paint_font {
	PAINT_SMALL,
	PAINT_TEXT,
	PAINT_MONO,
	PAINT_LARGE,
	PAINT_FONTS,
};

struct paint_fonts {
	struct fcft_font *fonts[PAINT_FONTS];
	double scale;
};
/* For a scale; does nothing where they are that already. False: there is none (logged). */
bool paint_fonts_load(struct paint_fonts *fonts, struct tile *tile);
void paint_fonts_finish(struct paint_fonts *fonts);

struct paint_box {
	int x, y, width, height;
};

struct paint {
	const struct paint_fonts *fonts;
	const struct tile_canvas *canvas;
	pixman_image_t *image;
	pixman_image_t *ink; /* the colour that text was last drawn in */
	uint32_t ink_rgb;
};
/* Nothing outside of the canvas's damage is drawn. False: no memory. */
bool paint_begin(
	struct paint *paint, const struct paint_fonts *fonts, const struct tile_canvas *canvas);
void paint_end(struct paint *paint);
/* Whether any of the box has to be drawn. */
bool paint_damaged(const struct paint *paint, const struct paint_box *box);
pixman_color_t paint_color(uint32_t rgb);
void paint_fill(const struct paint *paint, uint32_t rgb, int x, int y, int width, int height);
/* A character in any font; how far it is to the next. */
int paint_glyph(struct paint *paint, struct fcft_font *font, uint32_t rgb, int x, int baseline,
	uint32_t cp);
/* UTF-8, up to `right`; where the next character would be. */
int paint_text(struct paint *paint, enum paint_font font, uint32_t rgb, int x, int baseline,
	int right, const char *text);
int paint_text_width(const struct paint_fonts *fonts, enum paint_font font, const char *text);
/* Where text stands in the middle of a box's height. */
int paint_baseline(const struct paint *paint, enum paint_font font, const struct paint_box *box);
/* A colour between two: parts of 16 of b. */
uint32_t paint_mix(uint32_t a, uint32_t b, unsigned parts);

#endif

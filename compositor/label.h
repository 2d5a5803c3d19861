/* SPDX-License-Identifier: MIT */
/*
 * Text in the scene. A label is a scene buffer with text drawn by fcft at the resolution of the
 * screen, whatever the zoom: ask for the size in output pixels that it should have now. The
 * picture is drawn again only when text, size, colours or scale change. Main thread only.
 */
#ifndef CITY_LABEL_H
#define CITY_LABEL_H

#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>

struct city_label;
struct wlr_buffer;
struct wlr_scene_buffer;
struct wlr_scene_tree;

struct city_label_style {
	const char *font;    /* fontconfig name without size; NULL: CITY_FONT */
	int size;	     /* pixels of the em, logical */
	uint32_t color;	     /* 0xRRGGBBAA */
	uint32_t background; /* 0 alpha: none */
	int pad_x, pad_y;    /* logical pixels round the text */
	int max_width;	     /* logical, padding included; 0: no limit */
	int max_lines;	     /* 0 or 1: one line, cut with an ellipsis; more: wrapped */
	bool fill_width;     /* as wide as max_width whatever the text */
};

/* fcft's global state. False when there is no font system at all; labels are then empty. */
bool city_label_start(void);
void city_label_stop(void);

/* The label's node is a child of `parent` and dies with it or with city_label_destroy. */
struct city_label *city_label_create(struct wlr_scene_tree *parent);
void city_label_destroy(struct city_label *label); /* NULL-safe */
/* `scale` is the output's. Draws again only if something differs from the last call. */
void city_label_set(struct city_label *label, const char *text,
	const struct city_label_style *style, double scale);
struct wlr_scene_buffer *city_label_node(struct city_label *label);
int city_label_width(const struct city_label *label); /* logical; 0 without text */
int city_label_height(const struct city_label *label);
void city_label_set_position(struct city_label *label, int x, int y);
void city_label_set_enabled(struct city_label *label, bool enabled);
/* From 0 to 1; whole at first. */
void city_label_set_opacity(struct city_label *label, double opacity);

/* The picture alone, for others who show text: a new wlr_buffer with one reference (drop it with
 * wlr_buffer_drop), NULL on failure. Sizes in logical pixels. */
struct wlr_buffer *city_label_render(const char *text, const struct city_label_style *style,
	double scale, int *width, int *height);

/*
 * One line of text into a picture, in its pixels, with x and y the top left of the line; `image`
 * may be NULL to measure only. What does not fit into style->max_width ends with an ellipsis; where
 * too little of it would be left nothing is drawn. Returns the width, 0 for nothing. Of the
 * style font, size, color and max_width count.
 */
int city_label_draw(pixman_image_t *image, const char *text, const struct city_label_style *style,
	int x, int y, int *height);
/*
 * The same of a name such as "tile_protocol.c", on up to style->max_lines lines: it is broken after
 * a blank, '_', '-' or '/'. Returns the lines; 0 if it does not fit whole, and
 * nothing is drawn. `height` is that of one line.
 */
int city_label_draw_name(pixman_image_t *image, const char *text,
	const struct city_label_style *style, int x, int y, int *height);
/* From the top of a line to its baseline, in pixels of the picture. */
int city_label_ascent(const struct city_label_style *style);

#endif

/* SPDX-License-Identifier: MIT */
/* What the parts of the picture share. */
#ifndef MIXER_VIEW_H
#define MIXER_VIEW_H

#include "mixer.h"

void view_draw(struct tile *tile, const struct tile_canvas *canvas);
/* Whether anything of a box (buffer pixels) is to be drawn. */
bool view_damaged(const struct paint *paint, const struct paint_box *box);
/* Of a node and the lines that come from it. */
uint32_t view_colour(const struct mix_node *node);
/* Its name for people. */
const char *view_name(const struct mix_node *node);
/* A box of the tile in buffer pixels. */
struct paint_box view_box(const struct paint *paint, const struct mix_box *box);
int view_px(const struct paint *paint, double size);
/* Text up to `right`, with dots where it does not fit; where the next character would be. */
int view_text(struct paint *paint, enum paint_font font, uint32_t rgb, int x, int baseline,
	int right, const char *text);

/* ---- view_card.c */

void card_draw(struct paint *paint, const struct mixer *mixer, const struct mix_node *node);

/* ---- lines.c */

/* The links, behind the cards; their ends, and what is being drawn, before them. */
void lines_draw_under(struct paint *paint, const struct mixer *mixer);
void lines_draw_over(struct paint *paint, const struct mixer *mixer);

#endif

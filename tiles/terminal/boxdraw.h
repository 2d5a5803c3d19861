/* SPDX-License-Identifier: MIT */
#ifndef CITY_TERMINAL_BOXDRAW_H
#define CITY_TERMINAL_BOXDRAW_H

#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>

/* Draw a box drawing or block element character so that it joins its neighbours. False when the
 * font has to do it. x, y: the cell's corner, buffer pixels. */
bool boxdraw(pixman_image_t *image, const pixman_color_t *color, uint32_t cp, int x, int y,
	int width, int height, int thickness);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A picture in memory that the compositor draws itself and the renderer reads: premultiplied
 * ARGB8888. Drawn into before it is shown and never after. Main thread only.
 */
#ifndef CITY_PICTURE_H
#define CITY_PICTURE_H

#include <stddef.h>
#include <stdint.h>
#include <wlr/interfaces/wlr_buffer.h>

struct city_picture {
	struct wlr_buffer base; /* dropped with wlr_buffer_drop */
	uint32_t *data;
	size_t stride; /* bytes */
};

/* Nothing is in it but zeroes. NULL when out of memory. */
struct city_picture *city_picture_create(int width, int height);

#endif

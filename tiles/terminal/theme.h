/* SPDX-License-Identifier: MIT */
/* The colours of a terminal's text, and of what is behind it: 0xrrggbb. */
#ifndef CITY_TERMINAL_THEME_H
#define CITY_TERMINAL_THEME_H

#include <stdint.h>

#include "vt.h"

extern const uint32_t theme_background;
void theme_colors(uint32_t colors[VT_COLORS]);

#endif

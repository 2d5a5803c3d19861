/* SPDX-License-Identifier: MIT */
/* The terminal's colours. Change one and save: the terminal melts into it. */
#include "theme.h"

const uint32_t theme_background = 0x11151c;

static const uint32_t foreground = 0xd5dae3;
static const uint32_t cursor = 0xf2b866;
static const uint32_t selection = 0x2f4a66;

static const uint32_t ansi[16] = {
	0x1d232d,
	0xe06c6f,
	0x8fbf73,
	0xe0b265,
	0x6ca6e8,
	0xb98ae0,
	0x5fbdb8,
	0xb7bfca,
	0x56606f,
	0xf0888a,
	0xa8d58d,
	0xf2ca85,
	0x8fc0f7,
	0xd0a9f0,
	0x82d6d1,
	0xeef1f5,
};

void theme_colors(uint32_t colors[VT_COLORS]) {
	/* The 256-colour cube and greys are fixed by custom; only the first sixteen are ours. */
	vt_default_colors(colors);
	for (int i = 0; i < 16; i++) {
		colors[i] = ansi[i];
	}
	colors[VT_COLOR_FG] = foreground;
	colors[VT_COLOR_BG] = theme_background;
	colors[VT_COLOR_CURSOR] = cursor;
	colors[VT_COLOR_SELECTION_BG] = selection;
	colors[VT_COLOR_SELECTION_FG] = VT_COLOR_UNSET;
}

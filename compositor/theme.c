/* SPDX-License-Identifier: MIT */
#include "compositor/theme.h"

/* Text on the colour behind it has a contrast of 4.5 and more, dim text of 3 and more. */
static const struct city_palette palettes[] = {
	[CITY_STYLE_DARK] =
		{
			.ground = 0x14171cff,
			.grid = 0x1b1f26ff,
			.grid_major = 0x232932ff,
			.district = 0x181c22ff,
			.district_inner = 0x242a33ff,
			.district_edge = 0x2b323dff,
			.text = 0xb4bfceff,
			.text_dim = 0x768396ff,
			.frame = 0x262c35ff,
			.frame_text = 0x8b97a8ff,
			.focus = 0x3b5b7aff,
			.focus_text = 0xe8eef6ff,
			.cost = {0x3a4656ff, 0x2d6972ff, 0x96691fff, 0xa83d36ff},
			.guest = 0x4a4560ff,
			.building_text = 0xe8eef6ff,
			.building_dim = 0xb4bfceff,
			.lot = 0x1f252dff,
			.lot_edge = 0x343d49ff,
			.good = 0x6fb3a0ff,
			.warn = 0xd9a441ff,
			.error = 0xe5645aff,
			.mark_text = 0x14171cff,
			.pulse = 0x8fd0ffff,
			.light = 0.07,
			.shade = 0.35,
		},
	[CITY_STYLE_LIGHT] =
		{
			.ground = 0xf3f1ecff,
			.grid = 0xebe8e1ff,
			.grid_major = 0xe2ded5ff,
			.district = 0xebe8e2ff,
			.district_inner = 0xdedad1ff,
			.district_edge = 0xd0cbc0ff,
			.text = 0x3c434cff,
			.text_dim = 0x6e7680ff,
			.frame = 0xd9d5ccff,
			.frame_text = 0x565e68ff,
			.focus = 0x7fa8cfff,
			.focus_text = 0x14202cff,
			.cost = {0xc3cad3ff, 0x9cc7c4ff, 0xe7bd66ff, 0xe38c7dff},
			.guest = 0xcdc5dbff,
			.building_text = 0x20262dff,
			.building_dim = 0x464e58ff,
			.lot = 0xf8f6f2ff,
			.lot_edge = 0xc9c3b7ff,
			.good = 0x3f8f7bff,
			.warn = 0xb87a10ff,
			.error = 0xc23b30ff,
			.mark_text = 0xffffffff,
			.pulse = 0x2f7fbfff,
			.light = 0.45,
			.shade = 0.16,
		},
};

const struct city_palette *city_palette_of(enum city_style style) {
	return &palettes[style];
}

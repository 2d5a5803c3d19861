/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stddef.h>

#include "compositor/theme.h"

static const struct city_palette palettes[] = {
	[CITY_STYLE_DARK] =
		{
			.ground = 0x12151aff,
			.grid = 0x191d24ff,
			.grid_major = 0x212730ff,
			.district = 0x191e25ff,
			.district_inner = 0x262d37ff,
			.district_edge = 0x323b48ff,
			.text = 0xc2ccd9ff,
			.text_dim = 0x93a0b2ff,
			.frame = 0x2a313bff,
			.frame_text = 0xa3afbeff,
			.focus = 0x3d6288ff,
			.focus_text = 0xf0f5fbff,
			.cost = {0x3a4656ff, 0x4c4675ff, 0x803c5fff, 0x98432aff},
			.guest = 0x2b5156ff,
			.building_text = 0xf0f4f9ff,
			.building_dim = 0xdde4edff,
			.lot = 0x1f252dff,
			.lot_edge = 0x3b4553ff,
			.good = 0x6fb3a0ff,
			.warn = 0xd9a441ff,
			.error = 0xe5645aff,
			.mark_text = 0x14171cff,
			.pulse = 0x8fd0ffff,
			.seen = 0xaebccdff,
			.light = 0.08,
			.shade = 0.35,
			.facade = 0.06,
			.badge_text = 0xf2f4f7ff,
			.badge_info = 0x24405af0,
			.badge_warn = 0x5a4717f0,
			.badge_error = 0x5e2129f0,
		},
	[CITY_STYLE_LIGHT] =
		{
			.ground = 0xf4f2edff,
			.grid = 0xece9e2ff,
			.grid_major = 0xe3dfd6ff,
			.district = 0xeae7e0ff,
			.district_inner = 0xdcd8ceff,
			.district_edge = 0xc9c3b6ff,
			.text = 0x333a43ff,
			.text_dim = 0x565e68ff,
			.frame = 0xd9d5ccff,
			.frame_text = 0x4f5761ff,
			.focus = 0x7fa8cfff,
			.focus_text = 0x14202cff,
			.cost = {0xb4c0ceff, 0xcbbfe4ff, 0xe8b3caff, 0xf2b083ff},
			.guest = 0xa9d0cbff,
			.building_text = 0x1b2128ff,
			.building_dim = 0x3a424cff,
			.lot = 0xf8f6f2ff,
			.lot_edge = 0xbfb8aaff,
			.good = 0x2f7f6bff,
			.warn = 0x8f5d08ff,
			.error = 0xbd362bff,
			.mark_text = 0xffffffff,
			.pulse = 0x2f7fbfff,
			.seen = 0x5d6773ff,
			.light = 0.45,
			.shade = 0.16,
			.facade = 0.25,
			.badge_text = 0x1b2128ff,
			.badge_info = 0xd6e6f5f4,
			.badge_warn = 0xf7e4b4f4,
			.badge_error = 0xf9d3cdf4,
		},
};

const struct city_palette *city_palette_of(enum city_style style) {
	return &palettes[style];
}

uint32_t city_color_mix(uint32_t a, uint32_t b, double share) {
	uint32_t out = 0;
	for (int shift = 0; shift < 32; shift += 8) {
		double from = a >> shift & 0xff, to = b >> shift & 0xff;
		out |= (uint32_t)lround(from + (to - from) * share) << shift;
	}
	return out;
}

uint32_t city_cost_color(const struct city_palette *palette, double cost) {
	/* Of each colour to the next it is a factor of ten: 0.1 %, 1 %, 10 % and all of a core. */
	double at = cost <= 0 ? 0 : fmin(fmax(log10(cost * 1000), 0), CITY_COSTS - 1);
	int from = at >= CITY_COSTS - 1 ? CITY_COSTS - 2 : (int)at;
	return city_color_mix(palette->cost[from], palette->cost[from + 1], at - from);
}

int city_type_under(double pixels, int most) {
	static const int sizes[] = {CITY_TYPE_SMALL, CITY_TYPE_TEXT, CITY_TYPE_LARGE,
		CITY_TYPE_HEAD, 26, CITY_TYPE_MOST};
	int size = 0;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (sizes[i] <= most && sizes[i] <= pixels) {
			size = sizes[i];
		}
	}
	return size;
}

double city_name_share(double width) {
	return fmin(fmax((width - CITY_NAME_WIDTH) / 12, 0), 1);
}

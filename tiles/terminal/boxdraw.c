/* SPDX-License-Identifier: MIT */
/*
 * Box drawing and block elements, drawn from lines and boxes so that they join from cell to cell at
 * every size. Shapes are those of the Unicode charts U+2500, U+2580 and U+2800, and
 * Powerline's separators.
 */
#include <math.h>

#include "boxdraw.h"

/* Arms up, right, down, left: 0 none, 1 light, 2 heavy, 3 double. */
#define ARMS(up, right, down, left) ((up) << 6 | (right) << 4 | (down) << 2 | (left))
#define ARM_UP(arms) ((arms) >> 6 & 3)
#define ARM_RIGHT(arms) ((arms) >> 4 & 3)
#define ARM_DOWN(arms) ((arms) >> 2 & 3)
#define ARM_LEFT(arms) ((arms) & 3)
#define A(digits)                                                                                  \
	ARMS((0x##digits) >> 12 & 3, (0x##digits) >> 8 & 3, (0x##digits) >> 4 & 3, (0x##digits) & 3)

/* 0: dashes, arcs and diagonals, which are drawn otherwise. */
static const uint8_t lines[128] = {
	A(0101),
	A(0202),
	A(1010),
	A(2020),
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	A(0110),
	A(0210),
	A(0120),
	A(0220),
	A(0011),
	A(0012),
	A(0021),
	A(0022),
	A(1100),
	A(1200),
	A(2100),
	A(2200),
	A(1001),
	A(1002),
	A(2001),
	A(2002),
	A(1110),
	A(1210),
	A(2110),
	A(1120),
	A(2120),
	A(2210),
	A(1220),
	A(2220),
	A(1011),
	A(1012),
	A(2011),
	A(1021),
	A(2021),
	A(2012),
	A(1022),
	A(2022),
	A(0111),
	A(0112),
	A(0211),
	A(0212),
	A(0121),
	A(0122),
	A(0221),
	A(0222),
	A(1101),
	A(1102),
	A(1201),
	A(1202),
	A(2101),
	A(2102),
	A(2201),
	A(2202),
	A(1111),
	A(1112),
	A(1211),
	A(1212),
	A(2111),
	A(1121),
	A(2121),
	A(2112),
	A(2211),
	A(1122),
	A(1221),
	A(2212),
	A(1222),
	A(2122),
	A(2221),
	A(2222),
	0,
	0,
	0,
	0,
	A(0303),
	A(3030),
	A(0310),
	A(0130),
	A(0330),
	A(0013),
	A(0031),
	A(0033),
	A(1300),
	A(3100),
	A(3300),
	A(1003),
	A(3001),
	A(3003),
	A(1310),
	A(3130),
	A(3330),
	A(1013),
	A(3031),
	A(3033),
	A(0313),
	A(0131),
	A(0333),
	A(1303),
	A(3101),
	A(3303),
	A(1313),
	A(3131),
	A(3333),
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	A(0001),
	A(1000),
	A(0100),
	A(0010),
	A(0002),
	A(2000),
	A(0200),
	A(0020),
	A(0201),
	A(1020),
	A(0102),
	A(2010),
};

struct pen {
	pixman_image_t *image;
	const pixman_color_t *color;
	int x, y, width, height; /* the cell */
	int light;		 /* thickness of a light line */
};

/* From (x1, y1) up to, not including, (x2, y2), within the cell. */
static void fill(const struct pen *pen, int x1, int y1, int x2, int y2) {
	if (x2 <= x1 || y2 <= y1) {
		return;
	}
	pixman_box32_t box = {pen->x + x1, pen->y + y1, pen->x + x2, pen->y + y2};
	pixman_image_fill_boxes(PIXMAN_OP_OVER, pen->image, pen->color, 1, &box);
}

static int thickness_of(const struct pen *pen, int weight) {
	return weight == 2 ? pen->light * 2 : pen->light;
}

/* Where a line of that thickness lies about the middle of an extent. */
static int line_start(int extent, int thickness) {
	return (extent - thickness) / 2;
}

/*
 * One line of an arm, from the cell's edge to where it meets the lines across. `side` is -1, 0 or
 * 1: which line of a double arm. It ends at the far side of a line across of weight `meets`, and
 * goes `reach` line widths further.
 */
static void arm_line(const struct pen *pen, bool vertical, bool from_start, int weight, int side,
	int meets, int reach) {
	int along = vertical ? pen->height : pen->width;
	int across = vertical ? pen->width : pen->height;
	int thickness = thickness_of(pen, weight);
	int at = line_start(across, thickness) + side * pen->light;
	int middle = line_start(along, thickness_of(pen, meets));
	int from = from_start ? 0 : middle - reach * pen->light;
	int to = from_start ? middle + thickness_of(pen, meets) + reach * pen->light : along;
	if (vertical) {
		fill(pen, at, from, at + thickness, to);
	} else {
		fill(pen, from, at, to, at + thickness);
	}
}

/*
 * How far a line goes past the middle. `near` is the crossing arm on the side of this line, `far`
 * the one on the other side: a double crossing arm on the near side stops it early, one on the far
 * side alone pulls it to the outer corner.
 */
static int reach_of(int side, int near, int far, bool straight) {
	if (near != 3 && far != 3) {
		return 0;
	}
	if (side == 0) {
		return straight ? 1 : near == 3 && far == 3 ? -1 : 1;
	}
	return near == 3 ? -1 : 1;
}

static void draw_arm(const struct pen *pen, bool vertical, bool from_start, int weight, int before,
	int after, bool straight) {
	if (weight == 0) {
		return;
	}
	int meets = before == 2 || after == 2 ? 2 : 1;
	if (weight != 3) {
		arm_line(pen, vertical, from_start, weight, 0, meets,
			reach_of(0, before, after, straight));
		return;
	}
	arm_line(pen, vertical, from_start, weight, -1, meets,
		reach_of(-1, before, after, straight));
	arm_line(pen, vertical, from_start, weight, 1, meets, reach_of(1, after, before, straight));
}

static void draw_lines(const struct pen *pen, uint8_t arms) {
	int up = ARM_UP(arms), right = ARM_RIGHT(arms);
	int down = ARM_DOWN(arms), left = ARM_LEFT(arms);
	draw_arm(pen, true, true, up, left, right, down != 0);
	draw_arm(pen, true, false, down, left, right, up != 0);
	draw_arm(pen, false, true, left, up, down, right != 0);
	draw_arm(pen, false, false, right, up, down, left != 0);
}

static void draw_dashes(const struct pen *pen, bool vertical, int weight, int count) {
	int along = vertical ? pen->height : pen->width;
	int thickness = thickness_of(pen, weight);
	int at = line_start(vertical ? pen->width : pen->height, thickness);
	for (int i = 0; i < count; i++) {
		int from = along * i / count;
		int to = along * (i + 1) / count;
		int gap = (to - from) / 3 > 0 ? (to - from) / 3 : 1;
		if (vertical) {
			fill(pen, at, from, at + thickness, to - gap);
		} else {
			fill(pen, from, at, to - gap, at + thickness);
		}
	}
}

/* How much of a pixel, 0 to 1, a line of the pen's thickness covers whose middle is that far off.
 */
static double coverage(const struct pen *pen, double distance) {
	return fmin(1, fmax(0, pen->light / 2.0 + 0.5 - fabs(distance)));
}

static void shade_pixel(const struct pen *pen, int x, int y, double part) {
	if (part <= 0) {
		return;
	}
	const pixman_color_t color = {
		.red = (uint16_t)(pen->color->red * part),
		.green = (uint16_t)(pen->color->green * part),
		.blue = (uint16_t)(pen->color->blue * part),
		.alpha = (uint16_t)(pen->color->alpha * part),
	};
	pixman_box32_t box = {pen->x + x, pen->y + y, pen->x + x + 1, pen->y + y + 1};
	pixman_image_fill_boxes(PIXMAN_OP_OVER, pen->image, &color, 1, &box);
}

/* A quarter circle between the middles of two edges, straight on where the cell is not square. */
static void draw_arc(const struct pen *pen, bool right, bool down) {
	double middle_x = line_start(pen->width, pen->light) + pen->light / 2.0;
	double middle_y = line_start(pen->height, pen->light) + pen->light / 2.0;
	double room_x = right ? pen->width - middle_x : middle_x;
	double room_y = down ? pen->height - middle_y : middle_y;
	double radius = fmin(room_x, room_y);
	for (int y = 0; y < pen->height; y++) {
		for (int x = 0; x < pen->width; x++) {
			/* From the lines' crossing towards the open quarter. */
			double u = (x + 0.5 - middle_x) * (right ? 1 : -1);
			double v = (y + 0.5 - middle_y) * (down ? 1 : -1);
			double distance = v >= radius ? u
				: u >= radius	      ? v
						      : hypot(radius - u, radius - v) - radius;
			shade_pixel(pen, x, y, coverage(pen, distance));
		}
	}
}

static void draw_diagonals(const struct pen *pen, bool rising, bool falling) {
	double length = hypot(pen->width, pen->height);
	for (int y = 0; y < pen->height; y++) {
		for (int x = 0; x < pen->width; x++) {
			double across = (x + 0.5) * pen->height;
			double fall = (across - (y + 0.5) * pen->width) / length;
			double rise = (across - (pen->height - y - 0.5) * pen->width) / length;
			double part = fmax(falling ? coverage(pen, fall) : 0,
				rising ? coverage(pen, rise) : 0);
			shade_pixel(pen, x, y, part);
		}
	}
}

static bool draw_box(const struct pen *pen, uint32_t cp) {
	uint8_t arms = lines[cp - 0x2500];
	if (arms != 0) {
		draw_lines(pen, arms);
		return true;
	}
	switch (cp) {
	case 0x2504:
	case 0x2505:
		draw_dashes(pen, false, (int)(cp - 0x2504) + 1, 3);
		return true;
	case 0x2506:
	case 0x2507:
		draw_dashes(pen, true, (int)(cp - 0x2506) + 1, 3);
		return true;
	case 0x2508:
	case 0x2509:
		draw_dashes(pen, false, (int)(cp - 0x2508) + 1, 4);
		return true;
	case 0x250a:
	case 0x250b:
		draw_dashes(pen, true, (int)(cp - 0x250a) + 1, 4);
		return true;
	case 0x254c:
	case 0x254d:
		draw_dashes(pen, false, (int)(cp - 0x254c) + 1, 2);
		return true;
	case 0x254e:
	case 0x254f:
		draw_dashes(pen, true, (int)(cp - 0x254e) + 1, 2);
		return true;
	case 0x256d: /* the arcs, clockwise from the upper left corner */
		draw_arc(pen, true, true);
		return true;
	case 0x256e:
		draw_arc(pen, false, true);
		return true;
	case 0x256f:
		draw_arc(pen, false, false);
		return true;
	case 0x2570:
		draw_arc(pen, true, false);
		return true;
	case 0x2571:
	case 0x2572:
	case 0x2573:
		draw_diagonals(pen, cp != 0x2572, cp != 0x2571);
		return true;
	default:
		return false;
	}
}

static void draw_quadrants(const struct pen *pen, unsigned quadrants) {
	int x = pen->width / 2, y = pen->height / 2;
	if (quadrants & 1) { /* upper left */
		fill(pen, 0, 0, x, y);
	}
	if (quadrants & 2) { /* upper right */
		fill(pen, x, 0, pen->width, y);
	}
	if (quadrants & 4) { /* lower left */
		fill(pen, 0, y, x, pen->height);
	}
	if (quadrants & 8) { /* lower right */
		fill(pen, x, y, pen->width, pen->height);
	}
}

static void draw_shade(const struct pen *pen, unsigned quarters) {
	pixman_color_t shade = {
		.red = (uint16_t)(pen->color->red * quarters / 4),
		.green = (uint16_t)(pen->color->green * quarters / 4),
		.blue = (uint16_t)(pen->color->blue * quarters / 4),
		.alpha = (uint16_t)(pen->color->alpha * quarters / 4),
	};
	struct pen shaded = *pen;
	shaded.color = &shade;
	fill(&shaded, 0, 0, pen->width, pen->height);
}

static bool draw_block(const struct pen *pen, uint32_t cp) {
	static const uint8_t quadrants[] = {4, 8, 1, 13, 9, 7, 11, 2, 6, 14};
	int w = pen->width, h = pen->height;
	if (cp == 0x2580) {
		fill(pen, 0, 0, w, h / 2);
	} else if (cp <= 0x2588) { /* lower eighths */
		fill(pen, 0, h - h * (int)(cp - 0x2580) / 8, w, h);
	} else if (cp <= 0x258f) { /* left eighths */
		fill(pen, 0, 0, w * (int)(0x2590 - cp) / 8, h);
	} else if (cp == 0x2590) {
		fill(pen, w / 2, 0, w, h);
	} else if (cp <= 0x2593) {
		draw_shade(pen, cp - 0x2590);
	} else if (cp == 0x2594) {
		fill(pen, 0, 0, w, h / 8 > 0 ? h / 8 : 1);
	} else if (cp == 0x2595) {
		fill(pen, w - (w / 8 > 0 ? w / 8 : 1), 0, w, h);
	} else {
		draw_quadrants(pen, quadrants[cp - 0x2596]);
	}
	return true;
}

/* Eight dots, two by four, evenly apart also across cells: graphs are made of them. */
static void draw_braille(const struct pen *pen, unsigned dots) {
	static const uint8_t order[8] = {0, 2, 4, 1, 3, 5, 6, 7}; /* bit to place, row by row */
	int wide = pen->width / 4, high = pen->height / 8;
	int size = wide < high ? wide : high;
	size = size > 0 ? size : 1;
	for (int i = 0; i < 8; i++) {
		if (dots >> i & 1) {
			int column = order[i] % 2, row = order[i] / 2;
			int x = (2 * column + 1) * pen->width / 4 - size / 2;
			int y = (2 * row + 1) * pen->height / 8 - size / 2;
			fill(pen, x, y, x + size, y + size);
		}
	}
}

/* Powerline's separators U+E0B0 to U+E0B3: a triangle or its outline, pointing right or left. */
static void draw_separator(const struct pen *pen, bool left, bool outline) {
	double length = hypot(pen->width, pen->height / 2.0);
	for (int y = 0; y < pen->height; y++) {
		for (int x = 0; x < pen->width; x++) {
			double u = left ? pen->width - x - 0.5 : x + 0.5;
			double v = fabs(y + 0.5 - pen->height / 2.0);
			/* How far inside of the slanted edge. */
			double inside =
				((pen->width - u) * pen->height / 2.0 - v * pen->width) / length;
			double part = fmin(1, fmax(0, inside + 0.5));
			shade_pixel(pen, x, y,
				outline ? coverage(pen, inside - pen->light / 2.0) : part);
		}
	}
}

bool boxdraw(pixman_image_t *image, const pixman_color_t *color, uint32_t cp, int x, int y,
	int width, int height, int thickness) {
	const struct pen pen = {image, color, x, y, width, height, thickness};
	if (cp >= 0x2800 && cp <= 0x28ff) {
		draw_braille(&pen, cp - 0x2800);
		return true;
	}
	if (cp >= 0xe0b0 && cp <= 0xe0b3) {
		draw_separator(&pen, cp >= 0xe0b2, cp & 1);
		return true;
	}
	if (cp < 0x2500 || cp > 0x259f) {
		return false;
	}
	return cp < 0x2580 ? draw_box(&pen, cp) : draw_block(&pen, cp);
}

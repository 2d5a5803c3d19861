/* SPDX-License-Identifier: MIT */
/* Painting the city: quarters of source, and buildings in the place of views. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compositor/label.h"
#include "compositor/scape.h"

/* Sizes of text, in logical pixels: nothing else is used on the map. */
static const int type_scale[] = {11, 13, 16, 20, 26, 34};
#define TYPES (sizeof(type_scale) / sizeof(type_scale[0]))

/* Logical pixels. */
#define NAME_SIDE 34 /* a building of this side, were it a square, has its name on it */
#define NAME_WIDTH 40
#define PLATE_PAD 4
#define ROUND_FROM 12 /* smaller buildings have square corners */

struct canvas {
	const struct city_paint *paint;
	pixman_image_t *image;
	uint32_t *data;
	int stride; /* pixels */
	int width, height;
	int64_t x, y;	/* of the image's top left, in pixels of the map */
	int64_t ox, oy; /* of the quarter's top left */
};

struct area {
	int left, top, right, bottom; /* pixels of the image */
};

/* ---- colours and shapes */

static uint32_t mix(uint32_t a, uint32_t b, double share) {
	uint32_t out = 0;
	for (int shift = 0; shift < 32; shift += 8) {
		double from = a >> shift & 0xff, to = b >> shift & 0xff;
		out |= (uint32_t)lround(from + (to - from) * share) << shift;
	}
	return out;
}

/* 0xRRGGBBAA as it is in the image. */
static uint32_t pixel(uint32_t rgba) {
	uint32_t alpha = rgba & 0xff, out = alpha << 24;
	for (int shift = 0; shift < 24; shift += 8) {
		out |= ((rgba >> (shift + 8) & 0xff) * alpha / 255) << shift;
	}
	return out;
}

static bool is_empty(struct area area) {
	return area.left >= area.right || area.top >= area.bottom;
}

static struct area clip(const struct canvas *canvas, struct area area) {
	area.left = area.left < 0 ? 0 : area.left;
	area.top = area.top < 0 ? 0 : area.top;
	area.right = area.right > canvas->width ? canvas->width : area.right;
	area.bottom = area.bottom > canvas->height ? canvas->height : area.bottom;
	return area;
}

static void fill(const struct canvas *canvas, struct area area, uint32_t rgba) {
	area = clip(canvas, area);
	if (is_empty(area)) {
		return;
	}
	uint32_t color = pixel(rgba);
	for (int y = area.top; y < area.bottom; y++) {
		uint32_t *row = canvas->data + (ptrdiff_t)y * canvas->stride;
		for (int x = area.left; x < area.right; x++) {
			row[x] = color;
		}
	}
}

/* `share` of the colour over what is there, 0 to 255. */
static void blend(const struct canvas *canvas, int x, int y, uint32_t rgba, uint32_t share) {
	if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height) {
		return;
	}
	uint32_t *at = canvas->data + (ptrdiff_t)y * canvas->stride + x;
	uint32_t over = pixel(rgba), out = 0;
	uint32_t rest = 255 - (over >> 24) * share / 255;
	for (int shift = 0; shift < 32; shift += 8) {
		uint32_t sum =
			(over >> shift & 0xff) * share / 255 + (*at >> shift & 0xff) * rest / 255;
		out |= (sum > 255 ? 255 : sum) << shift;
	}
	*at = out;
}

static void shade(const struct canvas *canvas, struct area area, uint32_t rgba) {
	area = clip(canvas, area);
	for (int y = area.top; y < area.bottom; y++) {
		for (int x = area.left; x < area.right; x++) {
			blend(canvas, x, y, rgba, 255);
		}
	}
}

static void fill_round(const struct canvas *canvas, struct area area, uint32_t rgba) {
	/* How much of the pixels in a corner of radius 3 is inside. */
	static const uint8_t corner[3][3] = {{10, 120, 225}, {120, 255, 255}, {225, 255, 255}};
	if (area.right - area.left < ROUND_FROM || area.bottom - area.top < ROUND_FROM ||
		(rgba & 0xff) != 0xff) {
		fill(canvas, area, rgba);
		return;
	}
	fill(canvas, (struct area){area.left + 3, area.top, area.right - 3, area.bottom}, rgba);
	fill(canvas, (struct area){area.left, area.top + 3, area.left + 3, area.bottom - 3}, rgba);
	fill(canvas, (struct area){area.right - 3, area.top + 3, area.right, area.bottom - 3},
		rgba);
	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++) {
			uint32_t share = corner[i][j];
			blend(canvas, area.left + j, area.top + i, rgba, share);
			blend(canvas, area.right - 1 - j, area.top + i, rgba, share);
			blend(canvas, area.left + j, area.bottom - 1 - i, rgba, share);
			blend(canvas, area.right - 1 - j, area.bottom - 1 - i, rgba, share);
		}
	}
}

/* A building: with light on its upper edge, and its lower one in the shade. */
static void build(const struct canvas *canvas, struct area area, uint32_t color) {
	fill_round(canvas, area, color);
	int width = area.right - area.left, height = area.bottom - area.top;
	if (width < ROUND_FROM || height < ROUND_FROM) {
		return;
	}
	int line = (int)lround(canvas->paint->scale);
	const struct city_palette *palette = canvas->paint->palette;
	fill(canvas, (struct area){area.left + 3, area.top, area.right - 3, area.top + line},
		mix(color, 0xffffffff, palette->light));
	fill(canvas, (struct area){area.left + 3, area.bottom - line, area.right - 3, area.bottom},
		mix(color, 0x000000ff, palette->shade));
}

static void outline(const struct canvas *canvas, struct area area, int width, uint32_t rgba) {
	fill(canvas, (struct area){area.left, area.top, area.right, area.top + width}, rgba);
	fill(canvas, (struct area){area.left, area.bottom - width, area.right, area.bottom}, rgba);
	fill(canvas,
		(struct area){area.left, area.top + width, area.left + width, area.bottom - width},
		rgba);
	fill(canvas,
		(struct area){
			area.right - width, area.top + width, area.right, area.bottom - width},
		rgba);
}

static int limited(double value) {
	return (int)fmin(fmax(value, -1e8), 1e8);
}

static int edge(int64_t origin, double at, double zoom, int64_t from) {
	return limited((double)origin + floor(at * zoom + 0.5) - (double)from);
}

static struct area area_of(const struct canvas *canvas, struct city_plot plot) {
	double zoom = canvas->paint->zoom;
	return (struct area){
		edge(canvas->ox, plot.x, zoom, canvas->x),
		edge(canvas->oy, plot.y, zoom, canvas->y),
		edge(canvas->ox, plot.x + plot.width, zoom, canvas->x),
		edge(canvas->oy, plot.y + plot.height, zoom, canvas->y),
	};
}

static bool is_seen(const struct canvas *canvas, struct area area) {
	return area.left < canvas->width && area.right > 0 && area.top < canvas->height &&
		area.bottom > 0;
}

/* ---- text */

static struct city_label_style style_of(
	const struct canvas *canvas, int size, uint32_t color, int room) {
	return (struct city_label_style){
		.font = canvas->paint->font,
		.size = (int)lround(size * canvas->paint->scale),
		.color = color,
		.max_width = room,
	};
}

/* Returns its height; 0: nothing was legible. */
static int write(const struct canvas *canvas, const char *text, int size, uint32_t color, int x,
	int y, int room) {
	struct city_label_style style = style_of(canvas, size, color, room);
	int height = 0;
	return room > 0 && city_label_draw(canvas->image, text, &style, x, y, &height) > 0 ? height
											   : 0;
}

static int measure(const struct canvas *canvas, const char *text, int size, int *height) {
	struct city_label_style style = style_of(canvas, size, 0, 0);
	return city_label_draw(NULL, text, &style, 0, 0, height);
}

/* The largest of the scale that is no larger than so many pixels of the image; 0: none. */
static int type_for(const struct canvas *canvas, double pixels, int most) {
	int size = 0;
	for (size_t i = 0; i < TYPES; i++) {
		if (type_scale[i] <= most && type_scale[i] * canvas->paint->scale <= pixels) {
			size = type_scale[i];
		}
	}
	return size;
}

static void put_lines(char *text, size_t size, uint64_t lines) {
	if (lines >= 1000000) {
		snprintf(text, size, "%.1f M lines", (double)lines / 1e6);
	} else if (lines >= 10000) {
		snprintf(text, size, "%.0f k lines", (double)lines / 1e3);
	} else {
		snprintf(text, size, "%u line%s", (unsigned int)lines, lines == 1 ? "" : "s");
	}
}

/* A name across ground that has other things on it. */
struct plate {
	struct area area; /* empty: it does not fit */
	int size, x, y, length;
};

static struct plate fit_plate(const struct canvas *canvas, const char *name, struct area area) {
	double scale = canvas->paint->scale;
	struct plate plate = {0};
	int pad = (int)lround(PLATE_PAD * scale), height = 0;
	int width = area.right - area.left, room = width - 4 * pad;
	plate.size = type_for(canvas, fmin(width, area.bottom - area.top) * 0.13, 20);
	plate.size = plate.size == 0 ? type_scale[0] : plate.size;
	plate.length = measure(canvas, name, plate.size, &height);
	if (plate.length > room) {
		plate.size = type_scale[0];
		plate.length = measure(canvas, name, plate.size, &height);
	}
	if (plate.length <= 0 || plate.length > room || height + 4 * pad > area.bottom - area.top) {
		return plate;
	}
	plate.x = area.left + (width - plate.length) / 2;
	plate.y = area.top + (area.bottom - area.top - height) / 2;
	plate.area = (struct area){plate.x - 2 * pad, plate.y - pad,
		plate.x + plate.length + 2 * pad, plate.y + height + pad};
	return plate;
}

static void write_plate(const struct canvas *canvas, const char *name, const struct plate *plate) {
	const struct city_palette *palette = canvas->paint->palette;
	shade(canvas, plate->area, (palette->district & 0xffffff00) | 0xe4);
	write(canvas, name, plate->size, palette->text, plate->x, plate->y, plate->length + 1);
}

/* ---- quarters */

uint32_t city_cost_color(const struct city_palette *palette, double cost) {
	/* Of each colour to the next it is a factor of ten: 0.1 %, 1 %, 10 % and all of a core. */
	double at = cost <= 0 ? 0 : fmin(fmax(log10(cost * 1000), 0), 3);
	int from = at >= 3 ? 2 : (int)at;
	return mix(palette->cost[from], palette->cost[from + 1], at - from);
}

static const struct city_site *site_of(const struct canvas *canvas, uint32_t at) {
	return &city_survey_layout(canvas->paint->survey)->sites[at];
}

static const char *name_of(const struct canvas *canvas, const struct city_site *site) {
	return city_site_name(city_survey_layout(canvas->paint->survey), site);
}

struct look {
	uint32_t floor, building;
	double cost; /* of the part that it belongs to, below 0: not known */
	bool named;  /* the name of the folder round it stands in its head */
	bool silent; /* nothing has a name: that of the folder round it lies across */
};

static void paint_module(
	const struct canvas *canvas, const struct city_site *site, const struct look *look) {
	uint32_t floor_color = look->floor, color = look->building;
	const struct city_palette *palette = canvas->paint->palette;
	double zoom = canvas->paint->zoom, scale = canvas->paint->scale;
	struct area ground = area_of(canvas, site->plot);
	int least = ground.right - ground.left < ground.bottom - ground.top
		? ground.right - ground.left
		: ground.bottom - ground.top;
	if (least < 4) {
		/* Too small for a street. */
		fill(canvas, ground, mix(floor_color, color, 0.75));
		return;
	}
	struct city_plot plot = city_site_footprint(site);
	struct area building = area_of(canvas, plot);
	if (building.right <= building.left || building.bottom <= building.top) {
		return;
	}
	build(canvas, building, color);
	double side = sqrt(plot.width * plot.height) * zoom / scale;
	int width = building.right - building.left, height = building.bottom - building.top;
	if (look->silent || side < NAME_SIDE || width < NAME_WIDTH * scale) {
		return;
	}
	int pad = (int)lround((side < 64 ? 5 : 9) * scale);
	int size = type_for(canvas, side * scale * 0.13, 20);
	size = size == 0 ? type_scale[0] : size;
	int y = building.top + pad * 2 / 3;
	if (y + size * scale * 1.4 > building.bottom) {
		return;
	}
	int line = write(canvas, name_of(canvas, site), size, palette->building_text,
		building.left + pad, y, width - 2 * pad);
	if (line > 0 && side >= 92 && height > 2 * line + 2 * pad) {
		char text[32];
		put_lines(text, sizeof(text), site->lines);
		write(canvas, text, size > 13 ? 13 : 11, palette->building_dim, building.left + pad,
			y + line, width - 2 * pad);
	}
}

static void paint_folder(const struct canvas *canvas, uint32_t at, struct look look);

static void paint_site(const struct canvas *canvas, uint32_t at, const struct look *look) {
	const struct city_site *site = site_of(canvas, at);
	struct area area = area_of(canvas, site->plot);
	if (!is_seen(canvas, area)) {
		return;
	}
	if (site->kind == CITY_SITE_FOLDER) {
		paint_folder(canvas, at, *look);
	} else if (site->kind == CITY_SITE_MODULE) {
		paint_module(canvas, site, look);
	} else if (area.right - area.left <= 2 && area.bottom - area.top <= 2) {
		/* All that is below would be the same few pixels. */
		fill(canvas, area, mix(look->floor, look->building, 0.75));
	} else {
		paint_site(canvas, site->first, look);
		paint_site(canvas, site->second, look);
	}
}

static void paint_folder(const struct canvas *canvas, uint32_t at, struct look look) {
	const struct city_palette *palette = canvas->paint->palette;
	const struct city_site *site = site_of(canvas, at);
	const char *name = name_of(canvas, site);
	double zoom = canvas->paint->zoom, scale = canvas->paint->scale;
	struct city_plot plot = city_site_block(site);
	struct area area = area_of(canvas, plot);
	if (is_empty(area)) {
		return;
	}
	unsigned level = site->depth < 3 ? site->depth : 3;
	look.floor = mix(palette->district, palette->district_inner, level / 3.0);
	fill_round(canvas, area, palette->district_edge);
	int line = (int)lround(scale);
	struct area floor_area = {
		area.left + line, area.top + line, area.right - line, area.bottom - line};
	if (is_empty(floor_area)) {
		return;
	}
	fill_round(canvas, floor_area, look.floor);
	if (site->depth == 1) {
		const struct city_site *quarter = site_of(canvas, site->folder);
		bool own = strcmp(name_of(canvas, quarter), CITY_OWN_QUARTER) == 0;
		look.cost = own ? city_costs_part(canvas->paint->costs, name) : -1;
		look.building = city_cost_color(palette, look.cost);
	}
	double head = city_block_head(plot) * zoom, margin = city_block_margin(plot) * zoom;
	int size = type_for(canvas, head * 0.72, 34);
	/* What has no head to be named in is named across, unless what it is in is too. */
	struct plate plate = {0};
	if (size == 0 && !look.silent && (look.named || site->depth == 0)) {
		plate = fit_plate(canvas, name, area);
		look.silent = !is_empty(plate.area);
	}
	look.named = false;
	if (size > 0 && !look.silent) {
		char text[400], lines[32], cost[24] = "";
		put_lines(lines, sizeof(lines), site->lines);
		if (look.cost >= 0 && site->depth == 1) {
			snprintf(cost, sizeof(cost), " · %.1f %%", look.cost * 100);
		}
		snprintf(text, sizeof(text), "%s%s", lines, cost);
		int x = area.left + (int)fmax(margin, 6 * scale), height = 0;
		int room = area.right - x - (int)(6 * scale);
		int length = measure(canvas, name, size, &height);
		int y = area.top + (int)((head + margin - height) / 2);
		look.named = write(canvas, name, size, palette->text, x, y, room) > 0;
		int small = size > 16 ? 13 : 11, small_height = 0, gap = (int)lround(10 * scale);
		int small_length = measure(canvas, text, small, &small_height);
		if (look.named && length + gap + small_length < room) {
			write(canvas, text, small, palette->text_dim, x + length + gap,
				y + (int)((height - small_height) * 0.72), small_length + 1);
		}
	}
	if (site->first != CITY_NO_SITE) {
		paint_site(canvas, site->first, &look);
	}
	if (!is_empty(plate.area)) {
		write_plate(canvas, name, &plate);
	}
}

static void paint_quarters(struct canvas *canvas) {
	const struct city_paint *paint = canvas->paint;
	size_t count;
	const struct city_quarter *quarters = city_survey_quarters(paint->survey, &count);
	for (size_t i = 0; i < count; i++) {
		if (quarters[i].site == CITY_NO_SITE) {
			continue;
		}
		canvas->ox = (int64_t)floor(quarters[i].box.cx * paint->zoom + 0.5);
		canvas->oy = (int64_t)floor(quarters[i].box.cy * paint->zoom + 0.5);
		if (is_seen(canvas, area_of(canvas, site_of(canvas, quarters[i].site)->plot))) {
			paint_folder(canvas, quarters[i].site,
				(struct look){.building = paint->palette->cost[0], .cost = -1});
		}
	}
	canvas->ox = canvas->oy = 0;
}

/* ---- lots */

struct city_box city_lot_building(struct city_box lot, uint64_t lines) {
	/* Of what is not known, or is a program without source here, a third. */
	double area = lot.width * lot.height;
	double wanted = lines > 0 ? (double)lines * CITY_LINE_AREA : area / 3;
	double share = area > 0 ? sqrt(fmin(fmax(wanted / area, 0.04), 1)) : 1;
	double width = lot.width * share, height = lot.height * share;
	return (struct city_box){
		lot.cx + lot.width - width, lot.cy + lot.height - height, width, height};
}

static struct city_plot plot_of(struct city_box box) {
	return (struct city_plot){box.cx, box.cy, box.width, box.height};
}

/* Has room for a mark beside the name. */
static bool is_wide(const struct canvas *canvas, struct area area) {
	return area.right - area.left >= 120 * canvas->paint->scale;
}

static void paint_mark(const struct canvas *canvas, const struct city_lot *lot, struct area area) {
	const struct city_palette *palette = canvas->paint->palette;
	double scale = canvas->paint->scale;
	uint32_t color = lot->mark == CITY_MARK_STUCK ? palette->warn : palette->error;
	int line = (int)lround(2 * scale);
	outline(canvas, area, line, color);
	int side = (int)lround(18 * scale);
	if (area.right - area.left < 2 * side || area.bottom - area.top < 2 * side) {
		return;
	}
	struct area badge = {.left = area.left + 2 * line, .top = area.bottom - 2 * line - side};
	if (is_wide(canvas, area)) {
		badge.left = area.right - 2 * line - side;
		badge.top = area.top + 2 * line;
	}
	badge.right = badge.left + side;
	badge.bottom = badge.top + side;
	fill_round(canvas, badge, color);
	const char *sign = lot->mark == CITY_MARK_DEAD ? "×" : "!";
	struct city_label_style style = style_of(canvas, 13, palette->mark_text, 0);
	int height = 0, width = city_label_draw(NULL, sign, &style, 0, 0, &height);
	if (width > 0) {
		city_label_draw(canvas->image, sign, &style, badge.left + (side - width) / 2,
			badge.top + (side - height) / 2, &height);
	}
}

/* As much of it, "a · b · c", as has room; returns the height. */
static int write_note(
	const struct canvas *canvas, const char *note, int size, int x, int y, int room) {
	char text[sizeof(((struct city_lot *)NULL)->note)];
	int height = 0;
	snprintf(text, sizeof(text), "%s", note);
	while (measure(canvas, text, size, &height) > room) {
		char *last = NULL;
		for (char *at = text; (at = strstr(at, " · ")) != NULL; at++) {
			last = at;
		}
		if (last == NULL) {
			return 0;
		}
		*last = '\0';
	}
	return write(canvas, text, size, canvas->paint->palette->building_dim, x, y, room);
}

static void paint_lot(const struct canvas *canvas, const struct city_lot *lot) {
	const struct city_palette *palette = canvas->paint->palette;
	double scale = canvas->paint->scale;
	struct area area = area_of(canvas, plot_of(lot->box));
	if (!is_seen(canvas, area) || is_empty(area)) {
		return;
	}
	uint32_t color = lot->tile ? city_cost_color(palette, lot->cost) : palette->guest;
	int width = area.right - area.left, height = area.bottom - area.top;
	if (width < 6 || height < 6) {
		fill(canvas, area, lot->mark != CITY_MARK_NONE ? palette->error : color);
		return;
	}
	int line = (int)lround((lot->focused ? 2 : 1) * scale);
	fill_round(canvas, area, lot->focused ? palette->focus : palette->lot_edge);
	fill_round(canvas,
		(struct area){
			area.left + line, area.top + line, area.right - line, area.bottom - line},
		palette->lot);
	struct area building = area_of(canvas, plot_of(lot->building));
	int gap = (int)lround(3 * scale);
	struct area inner = {area.left + gap, area.top + gap, area.right - gap, area.bottom - gap};
	building.left = building.left < inner.left ? inner.left : building.left;
	building.top = building.top < inner.top ? inner.top : building.top;
	building.right = inner.right;
	building.bottom = inner.bottom;
	build(canvas, building, color);
	if (lot->mark != CITY_MARK_NONE) {
		paint_mark(canvas, lot, area);
	}

	double side = fmin(width, 1.6 * height) / scale;
	int pad = (int)lround((side < 70 ? 5 : 10) * scale);
	bool marked = lot->mark != CITY_MARK_NONE;
	int room = width - 2 * pad;
	room -= marked && is_wide(canvas, area) ? (int)lround(24 * scale) : 0;
	int size = side >= 240 ? 20 : side >= 130 ? 16 : side >= 84 ? 13 : 11;
	int y = area.top + pad * 2 / 3;
	if (y + size * scale * 1.4 > area.bottom) {
		return;
	}
	int text = write(canvas, lot->name, size, palette->building_text, area.left + pad, y, room);
	int small = size > 13 ? 13 : 11;
	if (text == 0) {
		return;
	}
	y += text;
	if (lot->note[0] != '\0' && y + small * 1.5 * scale < area.bottom - pad) {
		y += write_note(canvas, lot->note, small, area.left + pad, y, width - 2 * pad);
	}
	/* How well its last handover lined up, as a gauge along its foot. */
	if (lot->pas >= 0 && (!marked || is_wide(canvas, area)) && y + 14 * scale < area.bottom &&
		width > 60 * scale) {
		int thick = (int)lround(3 * scale), left = area.left + pad,
		    right = area.right - pad;
		int top = area.bottom - pad - thick;
		fill(canvas, (struct area){left, top, right, top + thick},
			mix(color, palette->lot_edge, 0.6));
		fill(canvas,
			(struct area){left, top,
				left + (int)lround((right - left) * fmin(lot->pas, 1)),
				top + thick},
			lot->pas < 0.5 ? palette->warn : palette->good);
	}
}

void city_paint(const struct city_paint *paint, pixman_image_t *image, int64_t x, int64_t y) {
	struct canvas canvas = {
		.paint = paint,
		.image = image,
		.data = pixman_image_get_data(image),
		.stride = pixman_image_get_stride(image) / 4,
		.width = pixman_image_get_width(image),
		.height = pixman_image_get_height(image),
		.x = x,
		.y = y,
	};
	if (paint->survey != NULL && city_survey_layout(paint->survey) != NULL) {
		paint_quarters(&canvas);
	}
	for (size_t i = 0; i < paint->lot_count; i++) {
		paint_lot(&canvas, &paint->lots[i]);
	}
}

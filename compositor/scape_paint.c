/* SPDX-License-Identifier: MIT */
/* Painting the city: quarters of source, and buildings in the place of views. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compositor/canvas.h"
#include "compositor/label.h"
#include "compositor/scape.h"

/* Logical pixels. */
#define NAME_SIDE 30 /* a building of this side, were it a square, has its name on it */
/* What is written on something comes while that grows by this share. */
#define COMING 0.1

/* How much is seen of what is written where `at` has reached `from`. */
static double coming(double at, double from) {
	return fmin(fmax((at / from - 1) / COMING, 0), 1);
}

/* Round what is written on something: it grows with that, so that the room for text never shrinks
 * while one zooms in. */
static int padding(const struct city_canvas *canvas, double wanted, int most) {
	return (int)lround(fmin(fmax(wanted, CITY_SPACE_SMALL), most) * canvas->paint->scale);
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
	struct city_area area; /* empty: it does not fit */
	int size, x, y, length;
	double ink;
};

static struct plate fit_plate(
	const struct city_canvas *canvas, const char *name, struct city_area area, double ink) {
	double scale = canvas->paint->scale;
	struct plate plate = {.ink = ink};
	int pad = (int)lround(CITY_SPACE_SMALL * scale), height = 0;
	int width = area.right - area.left, room = width - 4 * pad;
	plate.size = city_canvas_type(
		canvas, fmin(width, area.bottom - area.top) * 0.13, CITY_TYPE_HEAD);
	plate.size = plate.size == 0 ? CITY_TYPE_SMALL : plate.size;
	plate.length = city_canvas_measure(canvas, name, plate.size, &height);
	if (plate.length > room) {
		plate.size = CITY_TYPE_SMALL;
		plate.length = city_canvas_measure(canvas, name, plate.size, &height);
	}
	if (plate.length <= 0 || plate.length > room || height + 4 * pad > area.bottom - area.top) {
		return plate;
	}
	plate.x = area.left + (width - plate.length) / 2;
	plate.y = area.top + (area.bottom - area.top - height) / 2;
	plate.area = (struct city_area){plate.x - 2 * pad, plate.y - pad,
		plate.x + plate.length + 2 * pad, plate.y + height + pad};
	return plate;
}

static void write_plate(
	const struct city_canvas *canvas, const char *name, const struct plate *plate) {
	const struct city_palette *palette = canvas->paint->palette;
	city_canvas_round(
		canvas, plate->area, city_color_faded(palette->district, 0.92 * plate->ink));
	city_canvas_write(canvas, name, plate->size, city_color_faded(palette->text, plate->ink),
		plate->x, plate->y, plate->length + 1);
}

/* ---- quarters */

static const struct city_site *site_of(const struct city_canvas *canvas, uint32_t at) {
	return &city_survey_layout(canvas->paint->survey)->sites[at];
}

static const char *name_of(const struct city_canvas *canvas, const struct city_site *site) {
	return city_site_name(city_survey_layout(canvas->paint->survey), site);
}

struct look {
	uint32_t floor, building;
	double cost; /* of the part that it belongs to, below 0: not known */
	double ink;  /* of all text: less where the name of the folder round it lies across */
	bool named;  /* the name of the folder round it stands in its head */
};

/* As much of it, "a · b · c", as has room; returns the height. */
static int write_note(const struct city_canvas *canvas, const char *note, int size, uint32_t color,
	int x, int y, int room) {
	char text[sizeof(((struct city_lot *)NULL)->note)];
	int height = 0;
	snprintf(text, sizeof(text), "%s", note);
	while (city_canvas_measure(canvas, text, size, &height) > room) {
		char *last = NULL;
		for (char *at = text; (at = strstr(at, " · ")) != NULL; at++) {
			last = at;
		}
		if (last == NULL) {
			return 0;
		}
		*last = '\0';
	}
	return city_canvas_write(canvas, text, size, color, x, y, room);
}

static bool is_header(const char *name) {
	const char *dot = strrchr(name, '.');
	return dot != NULL && (dot[1] == 'h' || dot[1] == 'H');
}

static void paint_module(
	const struct city_canvas *canvas, const struct city_site *site, const struct look *look) {
	const struct city_palette *palette = canvas->paint->palette;
	double zoom = canvas->paint->zoom, scale = canvas->paint->scale;
	struct city_area ground = city_canvas_area(canvas, site->plot);
	const char *name = name_of(canvas, site);
	uint32_t color = is_header(name)
		? city_color_mix(look->building, 0xffffffff, palette->facade)
		: look->building;
	int least = ground.right - ground.left < ground.bottom - ground.top
		? ground.right - ground.left
		: ground.bottom - ground.top;
	if (least < 4) {
		/* Too small for a street. */
		city_canvas_fill(canvas, ground, city_color_mix(look->floor, color, 0.75));
		return;
	}
	struct city_plot plot = city_site_footprint(site);
	struct city_area building = city_canvas_within(canvas, site->plot, plot);
	if (city_area_empty(building)) {
		return;
	}
	city_canvas_build(canvas, building, color);
	double side = sqrt(plot.width * plot.height) * zoom / scale;
	double ink = look->ink * coming(side, NAME_SIDE);
	if (ink <= 0) {
		return;
	}
	int pad = padding(canvas, side / 14, CITY_SPACE);
	int size = city_canvas_type(canvas, side * scale * 0.13, CITY_TYPE_HEAD);
	size = size == 0 ? CITY_TYPE_SMALL : size;
	struct city_area room = {building.left + pad, building.top + pad, building.right - pad,
		building.bottom - pad};
	room.top -= pad / 4;
	int height = city_canvas_name(
		canvas, name, &size, city_color_faded(palette->building_text, ink), room);
	ink *= coming(side, 84);
	int small = size > CITY_TYPE_TEXT ? CITY_TYPE_TEXT : CITY_TYPE_SMALL;
	if (height > 0 && ink > 0 && room.top + height + small * 1.4 * scale < room.bottom) {
		char text[32];
		put_lines(text, sizeof(text), site->lines);
		write_note(canvas, text, small, city_color_faded(palette->building_dim, ink),
			room.left, room.top + height, room.right - room.left);
	}
}

static void paint_folder(const struct city_canvas *canvas, uint32_t at, struct look look);

static void paint_site(const struct city_canvas *canvas, uint32_t at, const struct look *look) {
	const struct city_site *site = site_of(canvas, at);
	struct city_area area = city_canvas_area(canvas, site->plot);
	if (!city_canvas_sees(canvas, area)) {
		return;
	}
	if (site->kind == CITY_SITE_FOLDER) {
		paint_folder(canvas, at, *look);
	} else if (site->kind == CITY_SITE_MODULE) {
		paint_module(canvas, site, look);
	} else if (area.right - area.left <= 2 && area.bottom - area.top <= 2) {
		/* All that is below would be the same few pixels. */
		city_canvas_fill(canvas, area, city_color_mix(look->floor, look->building, 0.75));
	} else {
		paint_site(canvas, site->first, look);
		paint_site(canvas, site->second, look);
	}
}

struct head {
	const char *name;
	int size;
	double height, margin, ink;
};

/* The name, and what is known of it on the same baseline. */
static bool write_head(const struct city_canvas *canvas, const struct city_site *site,
	const struct look *look, struct city_area area, struct head head) {
	const struct city_palette *palette = canvas->paint->palette;
	double scale = canvas->paint->scale;
	char text[64], lines[32], cost[24] = "";
	put_lines(lines, sizeof(lines), site->lines);
	if (look->cost >= 0 && site->depth == 1) {
		snprintf(cost, sizeof(cost), " · %.1f %%", look->cost * 100);
	}
	snprintf(text, sizeof(text), "%s%s", lines, cost);
	int x = area.left + (int)fmax(head.margin, CITY_SPACE * scale), height = 0;
	int room = area.right - x - (int)(CITY_SPACE * scale);
	int length = city_canvas_measure(canvas, head.name, head.size, &height);
	int y = area.top + (int)((head.height + head.margin - height) / 2);
	if (city_canvas_write(canvas, head.name, head.size,
		    city_color_faded(palette->text, head.ink), x, y, room) == 0) {
		return false;
	}
	int small = head.size > CITY_TYPE_LARGE ? CITY_TYPE_TEXT : CITY_TYPE_SMALL;
	int gap = (int)lround(CITY_SPACE * scale);
	int small_length = city_canvas_measure(canvas, text, small, &height);
	if (length + gap + small_length < room) {
		city_canvas_write(canvas, text, small,
			city_color_faded(palette->text_dim, head.ink), x + length + gap,
			y + city_canvas_ascent(canvas, head.size) -
				city_canvas_ascent(canvas, small),
			small_length + 1);
	}
	return true;
}

static void paint_folder(const struct city_canvas *canvas, uint32_t at, struct look look) {
	const struct city_palette *palette = canvas->paint->palette;
	const struct city_site *site = site_of(canvas, at);
	const char *name = name_of(canvas, site);
	double zoom = canvas->paint->zoom, scale = canvas->paint->scale;
	struct city_plot plot = city_site_block(site);
	struct city_area area = site->depth == 0 ? city_canvas_area(canvas, plot)
						 : city_canvas_within(canvas, site->plot, plot);
	if (city_area_empty(area)) {
		return;
	}
	unsigned level = site->depth < 3 ? site->depth : 3;
	look.floor = city_color_mix(palette->district, palette->district_inner, level / 3.0);
	int line = (int)lround(scale);
	struct city_area inner = {
		area.left + line, area.top + line, area.right - line, area.bottom - line};
	/* A quarter stands on the ground as the blocks of views do, with square corners. */
	void (*const draw)(const struct city_canvas *, struct city_area, uint32_t) =
		site->depth == 0 ? city_canvas_fill : city_canvas_round;
	draw(canvas, area, palette->district_edge);
	if (city_area_empty(inner)) {
		return;
	}
	draw(canvas, inner, look.floor);
	if (site->depth == 1) {
		const struct city_site *quarter = site_of(canvas, site->folder);
		bool own = strcmp(name_of(canvas, quarter), CITY_OWN_QUARTER) == 0;
		look.cost = own ? city_costs_part(canvas->paint->costs, name) : -1;
		look.building = city_cost_color(palette, look.cost);
	}
	double head = city_block_head(plot) * zoom, margin = city_block_margin(plot) * zoom;
	int size = city_canvas_type(canvas, head * 0.72, CITY_TYPE_MOST);
	double ink = look.ink, headed = coming(head * 0.72, CITY_TYPE_SMALL * scale);
	/* What has no head to be named in is named across, unless what it is in is too. */
	struct plate plate = {0};
	if (headed < 1 && ink > 0 && (look.named || site->depth == 0)) {
		/* Never both: the one goes, then the other comes. */
		plate = fit_plate(canvas, name, area, ink * fmax(1 - 2 * headed, 0));
		headed = city_area_empty(plate.area) ? headed : fmax(2 * headed - 1, 0);
		look.ink = city_area_empty(plate.area) ? ink : ink * headed;
	}
	look.named = false;
	if (size > 0 && ink * headed > 0) {
		look.named = write_head(canvas, site, &look, area,
			(struct head){name, size, head, margin, ink * headed});
	}
	if (site->first != CITY_NO_SITE) {
		paint_site(canvas, site->first, &look);
	}
	if (!city_area_empty(plate.area)) {
		write_plate(canvas, name, &plate);
	}
}

static void paint_quarters(struct city_canvas *canvas) {
	const struct city_paint *paint = canvas->paint;
	size_t count;
	const struct city_quarter *quarters = city_survey_quarters(paint->survey, &count);
	for (size_t i = 0; i < count; i++) {
		if (quarters[i].site == CITY_NO_SITE) {
			continue;
		}
		canvas->ox = (int64_t)floor(quarters[i].box.cx * paint->zoom + 0.5);
		canvas->oy = (int64_t)floor(quarters[i].box.cy * paint->zoom + 0.5);
		if (city_canvas_sees(canvas,
			    city_canvas_area(canvas, site_of(canvas, quarters[i].site)->plot))) {
			paint_folder(canvas, quarters[i].site,
				(struct look){
					.building = paint->palette->cost[0], .cost = -1, .ink = 1});
		}
	}
	canvas->ox = canvas->oy = 0;
}

/* ---- lots */

struct city_box city_lot_building(struct city_box lot, uint64_t lines) {
	/* Of what is not known a third. */
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
static bool is_wide(const struct city_canvas *canvas, struct city_area area) {
	return area.right - area.left >= 120 * canvas->paint->scale;
}

static uint32_t mark_color(const struct city_canvas *canvas, const struct city_lot *lot) {
	const struct city_palette *palette = canvas->paint->palette;
	return lot->mark == CITY_MARK_STUCK ? palette->warn : palette->error;
}

static void paint_mark(
	const struct city_canvas *canvas, const struct city_lot *lot, struct city_area area) {
	double scale = canvas->paint->scale;
	int line = (int)lround(2 * scale);
	int side = (int)lround(18 * scale);
	if (area.right - area.left < 2 * side || area.bottom - area.top < 2 * side) {
		return;
	}
	struct city_area badge = {
		.left = area.left + 2 * line, .top = area.bottom - 2 * line - side};
	if (is_wide(canvas, area)) {
		badge.left = area.right - 2 * line - side;
		badge.top = area.top + 2 * line;
	}
	badge.right = badge.left + side;
	badge.bottom = badge.top + side;
	city_canvas_round(canvas, badge, mark_color(canvas, lot));
	const char *sign = lot->mark == CITY_MARK_DEAD ? "×" : "!";
	struct city_label_style style =
		city_canvas_style(canvas, CITY_TYPE_TEXT, canvas->paint->palette->mark_text, 0);
	int height = 0, width = city_label_draw(NULL, sign, &style, 0, 0, &height);
	if (width > 0) {
		city_label_draw(canvas->image, sign, &style, badge.left + (side - width) / 2,
			badge.top + (side - height) / 2, &height);
	}
}

/* How well its last handover lined up, as a gauge along its foot. */
static void paint_gauge(const struct city_canvas *canvas, const struct city_lot *lot,
	struct city_area area, uint32_t color) {
	const struct city_palette *palette = canvas->paint->palette;
	double scale = canvas->paint->scale, ink = canvas->paint->ink;
	area.top = area.bottom - (int)lround(3 * scale);
	city_canvas_shade(
		canvas, area, city_color_faded(city_color_mix(color, palette->lot, 0.6), ink));
	area.right = area.left + (int)lround((area.right - area.left) * fmin(lot->pas, 1));
	city_canvas_shade(canvas, area,
		city_color_faded(lot->pas < 0.5 ? palette->warn : palette->good, ink));
}

static void write_lot(const struct city_canvas *canvas, const struct city_lot *lot,
	struct city_area area, uint32_t color) {
	const struct city_palette *palette = canvas->paint->palette;
	double scale = canvas->paint->scale, ink = canvas->paint->ink;
	int width = area.right - area.left, height = area.bottom - area.top;
	double side = fmin(width, 1.6 * height) / scale;
	int pad = padding(canvas, side / 11, CITY_SPACE_LARGE * 3 / 4);
	bool marked = lot->mark != CITY_MARK_NONE, wide = is_wide(canvas, area);
	int size = side >= 240 ? CITY_TYPE_HEAD
		: side >= 130  ? CITY_TYPE_LARGE
		: side >= 84   ? CITY_TYPE_TEXT
			       : CITY_TYPE_SMALL;
	struct city_area room = {
		area.left + pad, area.top + pad * 3 / 4, area.right - pad, area.bottom - pad / 2};
	struct city_area name = room;
	if (marked) {
		name.right -= wide ? (int)lround(24 * scale) : 0;
		name.bottom -= wide ? 0 : (int)lround(20 * scale);
	}
	ink *= coming(side, 24);
	if (ink <= 0 || city_area_empty(name)) {
		return;
	}
	int text = city_canvas_name(
		canvas, lot->name, &size, city_color_faded(palette->building_text, ink), name);
	int small = size > CITY_TYPE_TEXT ? CITY_TYPE_TEXT : CITY_TYPE_SMALL;
	if (text == 0) {
		return;
	}
	int y = name.top + text;
	if (lot->note[0] != '\0' && y + small * 1.5 * scale < name.bottom) {
		y += write_note(canvas, lot->note, small,
			city_color_faded(palette->building_dim, ink), room.left, y,
			room.right - room.left);
	}
	struct city_area foot = {room.left, y, room.right, area.bottom - pad};
	if (lot->pas >= 0 && (!marked || wide) && foot.top + 8 * scale < foot.bottom &&
		width > 60 * scale) {
		paint_gauge(canvas, lot, foot, color);
	}
}

static void paint_lot(const struct city_canvas *canvas, const struct city_lot *lot) {
	const struct city_palette *palette = canvas->paint->palette;
	double scale = canvas->paint->scale;
	struct city_area area = city_canvas_area(canvas, plot_of(lot->box));
	if (!city_canvas_sees(canvas, area) || city_area_empty(area)) {
		return;
	}
	uint32_t color = lot->tile ? city_cost_color(palette, lot->cost) : palette->guest;
	bool marked = lot->mark != CITY_MARK_NONE;
	int width = area.right - area.left, height = area.bottom - area.top;
	if (width < 6 || height < 6) {
		city_canvas_fill(canvas, area, marked ? mark_color(canvas, lot) : color);
		return;
	}
	int line = (int)lround((lot->focused || marked ? 2 : 1) * scale);
	city_canvas_round(canvas, area,
		marked		       ? mark_color(canvas, lot)
			: lot->focused ? palette->focus
				       : palette->lot_edge);
	city_canvas_round(canvas,
		(struct city_area){
			area.left + line, area.top + line, area.right - line, area.bottom - line},
		palette->lot);
	struct city_area building = city_canvas_area(canvas, plot_of(lot->building));
	int gap = (int)lround(3 * scale);
	struct city_area inner = {
		area.left + gap, area.top + gap, area.right - gap, area.bottom - gap};
	building.left = building.left < inner.left ? inner.left : building.left;
	building.top = building.top < inner.top ? inner.top : building.top;
	building.right = inner.right;
	building.bottom = inner.bottom;
	city_canvas_build(canvas, building, color);
	if (marked) {
		paint_mark(canvas, lot, area);
	}
	write_lot(canvas, lot, area, color);
}

void city_paint(const struct city_paint *paint, pixman_image_t *image, int64_t x, int64_t y) {
	struct city_canvas canvas = {
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

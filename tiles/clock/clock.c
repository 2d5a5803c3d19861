/* SPDX-License-Identifier: MIT */
/*
 * A clock: the time large, the date small, the seconds as a ring of dots. A click changes between
 * 12 and 24 hours, the wheel the colour. Also the example of docs/writing-a-tile.md: everything
 * that a tile has to do, and little more.
 */
#include <fcft/fcft.h>
#include <linux/input-event-codes.h>
#include <math.h>
#include <pixman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tile.h"

#define SECOND 1000000000ll
#define DOTS 60
#define COLOURS 5

/* ---- state: what the next version finds as this one left it */

enum clock_cell {
	CLOCK_FACE,
	CLOCK_COUNT,
	CLOCK_CELLS,
};

/* How the user wants it. */
struct face {
	bool twelve_hours;
	uint32_t colour; /* of the seconds: 0 to COLOURS - 1 */
};

struct count {
	uint64_t seconds;   /* shown so far, by all versions */
	int64_t last_shown; /* local time, seconds since 1970 */
};

static const struct vat_field face_fields[] = {
	VAT_FIELD(1, BOOL, struct face, twelve_hours),
	VAT_FIELD(2, U32, struct face, colour),
};

static const struct vat_field count_fields[] = {
	VAT_FIELD(1, U64, struct count, seconds),
	VAT_FIELD(2, I64, struct count, last_shown),
};

static const struct vat_cell_decl cells[CLOCK_CELLS] = {
	[CLOCK_FACE] = VAT_CELL("face", struct face, 1, face_fields, .version = 1),
	[CLOCK_COUNT] = VAT_CELL("count", struct count, 1, count_fields, .version = 1),
};

/* ---- scratch: what this version makes for itself, from nothing but the size */

struct spot {
	int x, y;
};

struct clock {
	struct fcft_font *time_font, *date_font;
	pixman_image_t *dot; /* a mask */
	int dot_size;
	struct spot dots[DOTS]; /* top left of each, buffer pixels */
	int width, height;	/* buffer pixels that all this was made for */
};

static const pixman_color_t background_top = {0x1616, 0x1c1c, 0x2828, 0xffff};
static const pixman_color_t background_bottom = {0x0a0a, 0x0d0d, 0x1414, 0xffff};
static const pixman_color_t time_colour = {0xf2f2, 0xf0f0, 0xeaea, 0xffff};
static const pixman_color_t date_colour = {0x9090, 0x9999, 0xacac, 0xffff};
static const pixman_color_t dim_colour = {0x2c2c, 0x3434, 0x4444, 0xffff};
static const pixman_color_t bright_colours[COLOURS] = {
	{0xf2f2, 0xa6a6, 0x4949, 0xffff},
	{0x7a7a, 0xc5c5, 0xf0f0, 0xffff},
	{0x9c9c, 0xd6d6, 0x7b7b, 0xffff},
	{0xf0f0, 0x8080, 0x9595, 0xffff},
	{0xc0c0, 0xa2a2, 0xf2f2, 0xffff},
};

/* ---- time */

static int64_t local_second(const struct tile *tile) {
	int64_t local = tile->time->wall_ns + tile->time->utc_offset_s * SECOND;
	return local / SECOND;
}

static void format_time(const struct face *face, int64_t second, char text[16]) {
	time_t seconds = second;
	struct tm tm;
	gmtime_r(&seconds, &tm);
	int hour = face->twelve_hours ? (tm.tm_hour + 11) % 12 + 1 : tm.tm_hour;
	snprintf(text, 16, face->twelve_hours ? "%d:%02d" : "%02d:%02d", hour, tm.tm_min);
}

static void format_date(const struct face *face, int64_t second, char text[64]) {
	time_t seconds = second;
	struct tm tm;
	gmtime_r(&seconds, &tm);
	size_t size = strftime(text, 64, "%A, %e %B %Y", &tm);
	if (face->twelve_hours) {
		snprintf(text + size, 64 - size, "  \u00b7  %s", tm.tm_hour < 12 ? "am" : "pm");
	}
}

/* ---- what depends on the size */

static struct fcft_font *load_font(int pixels, const char *weight) {
	char attributes[64];
	snprintf(attributes, sizeof(attributes), "pixelsize=%d:weight=%s", pixels, weight);
	return fcft_from_name(1, (const char *[]){"sans"}, attributes);
}

/* A disc with a soft edge. */
static pixman_image_t *make_dot(int size) {
	pixman_image_t *dot = pixman_image_create_bits(PIXMAN_a8, size, size, NULL, 0);
	if (!dot) {
		return NULL;
	}
	uint8_t *pixels = (uint8_t *)pixman_image_get_data(dot);
	int stride = pixman_image_get_stride(dot);
	double middle = (size - 1) / 2.0, radius = size / 2.0 - 0.5;
	for (int y = 0; y < size; y++) {
		for (int x = 0; x < size; x++) {
			double inside = radius + 0.5 - hypot(x - middle, y - middle);
			pixels[y * stride + x] = 255 * fmin(fmax(inside, 0), 1);
		}
	}
	return dot;
}

/* Glyphs are made when they are first drawn; better now than in the first frame. */
static void make_glyphs(struct fcft_font *font, const char *text) {
	for (; *text; text++) {
		fcft_rasterize_char_utf32(font, *text, FCFT_SUBPIXEL_NONE);
	}
}

/* A point of a rounded rectangle around the middle; turn 0 is at the top, going round clockwise. */
static void ring_point(const struct clock *clock, double turn, double *x, double *y) {
	double c = sin(2 * M_PI * turn), s = -cos(2 * M_PI * turn);
	double reach = pow(pow(c, 6) + pow(s, 6), -1 / 6.0);
	double margin = 0.07 * fmin(clock->width, clock->height) + 2;
	*x = clock->width / 2.0 + c * reach * (clock->width / 2.0 - margin);
	*y = clock->height / 2.0 + s * reach * (clock->height / 2.0 - margin);
}

/* The dots lie at equal distances along the ring, which equal angles would not give. */
static void place_dots(struct clock *clock) {
	enum { STEPS = 5760 };
	double length[STEPS + 1] = {0}, x, y, last_x, last_y;
	ring_point(clock, 0, &last_x, &last_y);
	for (int i = 1; i <= STEPS; i++) {
		ring_point(clock, (double)i / STEPS, &x, &y);
		length[i] = length[i - 1] + hypot(x - last_x, y - last_y);
		last_x = x;
		last_y = y;
	}
	for (int dot = 0, i = 0; dot < DOTS; dot++) {
		while (i < STEPS && length[i] < length[STEPS] * dot / DOTS) {
			i++;
		}
		ring_point(clock, (double)i / STEPS, &x, &y);
		clock->dots[dot].x = floor(x - clock->dot_size / 2.0 + 0.5);
		clock->dots[dot].y = floor(y - clock->dot_size / 2.0 + 0.5);
	}
}

static void free_looks(struct clock *clock) {
	if (clock->time_font) {
		fcft_destroy(clock->time_font);
	}
	if (clock->date_font) {
		fcft_destroy(clock->date_font);
	}
	if (clock->dot) {
		pixman_image_unref(clock->dot);
	}
	memset(clock, 0, sizeof(*clock));
}

static bool make_looks(struct clock *clock, const struct tile *tile) {
	int width = fmax(tile->width * tile->scale + 0.5, 1);
	int height = fmax(tile->height * tile->scale + 0.5, 1);
	if (clock->time_font && clock->width == width && clock->height == height) {
		return true;
	}
	free_looks(clock);
	clock->width = width;
	clock->height = height;
	int time_size = fmax(fmin(width * 0.23, height * 0.40), 8);
	int date_size = fmax(fmin(width * 0.042, height * 0.075), 7);
	clock->dot_size = fmax(fmin(width, height) * 0.016 + 1, 2);
	clock->time_font = load_font(time_size, "light");
	clock->date_font = load_font(date_size, "regular");
	clock->dot = make_dot(clock->dot_size);
	place_dots(clock);
	if (!clock->time_font || !clock->date_font || !clock->dot) {
		return false;
	}
	make_glyphs(clock->time_font, "0123456789:");
	make_glyphs(clock->date_font, "0123456789, ");
	for (int letter = 'A'; letter <= 'z'; letter++) {
		make_glyphs(clock->date_font, (const char[]){(char)letter, 0});
	}
	return true;
}

/* ---- drawing */

/* x is the middle; y the base line. */
static void draw_text(pixman_image_t *target, struct fcft_font *font, const char *text, int x,
	int y, const pixman_color_t *colour) {
	const struct fcft_glyph *glyphs[64];
	size_t count = 0;
	int width = 0;
	for (const unsigned char *c = (const unsigned char *)text; *c && count < 64; c++) {
		uint32_t symbol = *c;
		/* The only character beyond ASCII that a clock needs has two bytes. */
		if ((*c & 0xe0) == 0xc0 && c[1]) {
			symbol = (*c & 0x1fu) << 6 | (c[1] & 0x3fu);
			c++;
		}
		const struct fcft_glyph *glyph =
			fcft_rasterize_char_utf32(font, symbol, FCFT_SUBPIXEL_NONE);
		if (glyph) {
			glyphs[count++] = glyph;
			width += glyph->advance.x;
		}
	}
	pixman_image_t *fill = pixman_image_create_solid_fill(colour);
	x -= width / 2;
	for (size_t i = 0; i < count; i++) {
		const struct fcft_glyph *glyph = glyphs[i];
		pixman_image_composite32(PIXMAN_OP_OVER, fill, glyph->pix, target, 0, 0, 0, 0,
			x + glyph->x, y - glyph->y, glyph->width, glyph->height);
		x += glyph->advance.x;
	}
	pixman_image_unref(fill);
}

static void draw_background(pixman_image_t *target, const struct clock *clock) {
	pixman_point_fixed_t top = {0, 0}, bottom = {0, pixman_int_to_fixed(clock->height)};
	pixman_gradient_stop_t stops[] = {
		{0, background_top},
		{pixman_fixed_1, background_bottom},
	};
	pixman_image_t *gradient = pixman_image_create_linear_gradient(&top, &bottom, stops, 2);
	pixman_image_composite32(PIXMAN_OP_SRC, gradient, NULL, target, 0, 0, 0, 0, 0, 0,
		clock->width, clock->height);
	pixman_image_unref(gradient);
}

static void draw_dots(
	pixman_image_t *target, const struct clock *clock, const struct face *face, int second) {
	pixman_image_t *bright = pixman_image_create_solid_fill(&bright_colours[face->colour]);
	pixman_image_t *dim = pixman_image_create_solid_fill(&dim_colour);
	for (int i = 0; i < DOTS; i++) {
		pixman_image_composite32(PIXMAN_OP_OVER, i <= second ? bright : dim, clock->dot,
			target, 0, 0, 0, 0, clock->dots[i].x, clock->dots[i].y, clock->dot_size,
			clock->dot_size);
	}
	pixman_image_unref(bright);
	pixman_image_unref(dim);
}

/* Where time and date are: base lines, buffer pixels. */
static void place_text(const struct clock *clock, int *time_y, int *date_y) {
	int gap = clock->date_font->height * 3 / 5;
	/* Digits have no descent, so the ascent alone is their height, less what is above them. */
	int digits = clock->time_font->ascent * 4 / 5;
	int block = digits + gap + clock->date_font->height;
	*time_y = (clock->height - block) / 2 + digits;
	*date_y = *time_y + gap + clock->date_font->ascent;
}

static void draw(struct tile *tile, const struct tile_canvas *canvas) {
	struct clock *clock = tile->scratch;
	const struct face *face = tile->cells[CLOCK_FACE];
	const struct count *count = tile->cells[CLOCK_COUNT];
	if (!make_looks(clock, tile)) {
		return;
	}
	pixman_image_t *target = pixman_image_create_bits_no_clear(
		PIXMAN_a8r8g8b8, canvas->width, canvas->height, canvas->pixels, canvas->stride);
	/* Everything is drawn, and only what is damaged comes through. */
	pixman_region32_t clip;
	pixman_region32_init(&clip);
	for (size_t i = 0; i < canvas->damage_count; i++) {
		const struct tile_rect *rect = &canvas->damage[i];
		pixman_region32_union_rect(
			&clip, &clip, rect->x, rect->y, rect->width, rect->height);
	}
	pixman_image_set_clip_region32(target, &clip);
	pixman_region32_fini(&clip);
	char text[64];
	int time_y, date_y;
	place_text(clock, &time_y, &date_y);
	draw_background(target, clock);
	draw_dots(target, clock, face, count->last_shown % 60);
	format_time(face, count->last_shown, text);
	draw_text(target, clock->time_font, text, clock->width / 2, time_y, &time_colour);
	format_date(face, count->last_shown, text);
	draw_text(target, clock->date_font, text, clock->width / 2, date_y, &date_colour);
	pixman_image_unref(target);
}

/* ---- operations */

static void damage_all(struct tile *tile) {
	tile->host->damage(tile, 0, 0, tile->width, tile->height);
}

static void wake_at_next_second(struct tile *tile) {
	int64_t rest = SECOND - tile->time->wall_ns % SECOND;
	tile->host->wake_at(tile, tile->time->now_ns + rest);
}

static bool warm(struct tile *tile) {
	struct clock *clock = calloc(1, sizeof(*clock));
	tile->scratch = clock;
	if (!clock || (tile->width > 0 && !make_looks(clock, tile))) {
		tile_log(tile, 0, "no font for the clock: is any font installed?");
		return false;
	}
	return true;
}

static bool attach(struct tile *tile, enum tile_attach why) {
	struct count *count = tile->cells[CLOCK_COUNT];
	struct face *face = tile->cells[CLOCK_FACE];
	/* An older or newer version may have had more colours. */
	face->colour %= COLOURS;
	if (tile->cell_fresh[CLOCK_COUNT]) {
		count->last_shown = local_second(tile);
		count->seconds = 1;
	}
	tile->host->set_title(tile, "Clock");
	wake_at_next_second(tile);
	return true;
}

static void damage_dot(struct tile *tile, int second) {
	const struct clock *clock = tile->scratch;
	const struct spot *dot = &clock->dots[second % DOTS];
	double size = clock->dot_size / tile->scale;
	tile->host->damage(tile, dot->x / tile->scale, dot->y / tile->scale, size, size);
}

static void update(struct tile *tile) {
	struct count *count = tile->cells[CLOCK_COUNT];
	int64_t now = local_second(tile);
	if (now != count->last_shown) {
		/* Within a minute one dot more is bright; anything else is another picture. */
		if (now == count->last_shown + 1 && now % 60 != 0) {
			damage_dot(tile, now % 60);
		} else {
			damage_all(tile);
		}
		count->last_shown = now;
		count->seconds++;
	}
	wake_at_next_second(tile);
}

static void input(struct tile *tile, const struct tile_input *event) {
	struct face *face = tile->cells[CLOCK_FACE];
	switch (event->type) {
	case TILE_INPUT_POINTER_BUTTON:
		if (event->pointer.pressed && event->pointer.button == BTN_LEFT) {
			face->twelve_hours = !face->twelve_hours;
			damage_all(tile);
		}
		break;
	case TILE_INPUT_SCROLL:
		if (event->scroll.dy != 0) {
			face->colour =
				(face->colour + (event->scroll.dy > 0 ? 1 : COLOURS - 1)) % COLOURS;
			damage_all(tile);
		}
		break;
	default:
		break;
	}
}

static bool check(const struct tile *tile, char *why, size_t why_size) {
	const struct face *face = tile->cells[CLOCK_FACE];
	const struct count *count = tile->cells[CLOCK_COUNT];
	if (face->colour >= COLOURS) {
		snprintf(why, why_size, "colour %u of %d", face->colour, COLOURS);
		return false;
	}
	if (count->seconds == 0 || count->last_shown <= 0) {
		snprintf(why, why_size, "%lu seconds were shown, the last one %ld",
			(unsigned long)count->seconds, (long)count->last_shown);
		return false;
	}
	return true;
}

static void detach(struct tile *tile) {
	struct clock *clock = tile->scratch;
	if (clock) {
		free_looks(clock);
		free(clock);
	}
}

static const struct tile_ops ops = {
	.warm = warm,
	.attach = attach,
	.update = update,
	.draw = draw,
	.input = input,
	.check = check,
	.detach = detach,
};

TILE_EXPORT(.name = "clock", .role = "clock",
	.summary = "The time of day, its date and its seconds", .cells = cells,
	.cell_count = CLOCK_CELLS, .default_width = 420, .default_height = 260, .ops = &ops);

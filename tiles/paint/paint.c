/* SPDX-License-Identifier: MIT */
#include "paint.h"

#include <math.h>
#include <stdio.h>
#include <utf8proc.h>

static const struct {
	const char *name, *attributes;
	int size; /* tile pixels */
} font_of[PAINT_FONTS] = {
	[PAINT_SMALL] = {"sans", "", 11},
	[PAINT_TEXT] = {"sans", "", 13},
	[PAINT_MONO] = {"monospace", "", 12},
	[PAINT_LARGE] = {"sans", ":weight=light", 20},
};

void paint_fonts_finish(struct paint_fonts *fonts) {
	for (int i = 0; i < PAINT_FONTS; i++) {
		if (fonts->fonts[i]) {
			fcft_destroy(fonts->fonts[i]);
			fonts->fonts[i] = NULL;
		}
	}
}

bool paint_fonts_load(struct paint_fonts *fonts, struct tile *tile) {
	double scale = tile->scale > 0 ? tile->scale : 1;
	if (fonts->fonts[0] && fonts->scale == scale) {
		return true;
	}
	paint_fonts_finish(fonts);
	fonts->scale = scale;
	for (int i = 0; i < PAINT_FONTS; i++) {
		char attributes[64];
		snprintf(attributes, sizeof(attributes), "pixelsize=%d%s",
			(int)lround(font_of[i].size * scale), font_of[i].attributes);
		fonts->fonts[i] = fcft_from_name(
			2, (const char *[]){font_of[i].name, "Noto Color Emoji"}, attributes);
		if (!fonts->fonts[i]) {
			tile_log(tile, 0, "no font can be loaded: install some, such as DejaVu");
			paint_fonts_finish(fonts);
			return false;
		}
		for (uint32_t cp = ' '; cp < 0x7f; cp++) {
			fcft_rasterize_char_utf32(fonts->fonts[i], cp, FCFT_SUBPIXEL_NONE);
		}
	}
	return true;
}

pixman_color_t paint_color(uint32_t rgb) {
	return (pixman_color_t){(uint16_t)((rgb >> 16 & 0xff) * 0x101),
		(uint16_t)((rgb >> 8 & 0xff) * 0x101), (uint16_t)((rgb & 0xff) * 0x101), 0xffff};
}

bool paint_begin(
	struct paint *paint, const struct paint_fonts *fonts, const struct tile_canvas *canvas) {
	*paint = (struct paint){
		.fonts = fonts,
		.canvas = canvas,
		.image = pixman_image_create_bits_no_clear(PIXMAN_a8r8g8b8, canvas->width,
			canvas->height, canvas->pixels, canvas->stride),
	};
	if (!paint->image) {
		return false;
	}
	pixman_region32_t clip;
	pixman_region32_init(&clip);
	for (size_t i = 0; i < canvas->damage_count; i++) {
		const struct tile_rect *rect = &canvas->damage[i];
		pixman_region32_union_rect(&clip, &clip, rect->x, rect->y, (unsigned)rect->width,
			(unsigned)rect->height);
	}
	bool good = pixman_image_set_clip_region32(paint->image, &clip);
	pixman_region32_fini(&clip);
	if (!good) {
		pixman_image_unref(paint->image);
	}
	return good;
}

void paint_end(struct paint *paint) {
	if (paint->ink) {
		pixman_image_unref(paint->ink);
	}
	pixman_image_unref(paint->image);
}

bool paint_damaged(const struct paint *paint, const struct paint_box *box) {
	for (size_t i = 0; i < paint->canvas->damage_count; i++) {
		const struct tile_rect *rect = &paint->canvas->damage[i];
		if (rect->x < box->x + box->width && rect->x + rect->width > box->x &&
			rect->y < box->y + box->height && rect->y + rect->height > box->y) {
			return true;
		}
	}
	return false;
}

void paint_fill(const struct paint *paint, uint32_t rgb, int x, int y, int width, int height) {
	if (width > 0 && height > 0) {
		pixman_color_t color = paint_color(rgb);
		pixman_box32_t box = {x, y, x + width, y + height};
		pixman_image_fill_boxes(PIXMAN_OP_SRC, paint->image, &color, 1, &box);
	}
}

static pixman_image_t *ink(struct paint *paint, uint32_t rgb) {
	if (!paint->ink || paint->ink_rgb != rgb) {
		if (paint->ink) {
			pixman_image_unref(paint->ink);
		}
		pixman_color_t color = paint_color(rgb);
		paint->ink = pixman_image_create_solid_fill(&color);
		paint->ink_rgb = rgb;
	}
	return paint->ink;
}

static int draw_glyph(
	struct paint *paint, const struct fcft_glyph *glyph, uint32_t rgb, int x, int baseline) {
	pixman_image_t *source = glyph->is_color_glyph ? glyph->pix : ink(paint, rgb);
	if (glyph->pix && source) {
		pixman_image_composite32(PIXMAN_OP_OVER, source,
			glyph->is_color_glyph ? NULL : glyph->pix, paint->image, 0, 0, 0, 0,
			x + glyph->x, baseline - glyph->y, glyph->width, glyph->height);
	}
	return glyph->advance.x;
}

int paint_glyph(struct paint *paint, struct fcft_font *font, uint32_t rgb, int x, int baseline,
	uint32_t cp) {
	const struct fcft_glyph *glyph = fcft_rasterize_char_utf32(font, cp, FCFT_SUBPIXEL_NONE);
	return glyph ? draw_glyph(paint, glyph, rgb, x, baseline) : 0;
}

/* The next character; what is no UTF-8 is one as well. */
static uint32_t next_character(const char **text) {
	utf8proc_int32_t cp;
	utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)*text, -1, &cp);
	*text += size > 0 ? size : 1;
	return size > 0 ? (uint32_t)cp : 0xfffd;
}

int paint_text_width(const struct paint_fonts *fonts, enum paint_font font, const char *text) {
	int width = 0;
	while (*text) {
		const struct fcft_glyph *glyph = fcft_rasterize_char_utf32(
			fonts->fonts[font], next_character(&text), FCFT_SUBPIXEL_NONE);
		width += glyph ? glyph->advance.x : 0;
	}
	return width;
}

int paint_text(struct paint *paint, enum paint_font font, uint32_t rgb, int x, int baseline,
	int right, const char *text) {
	while (*text) {
		const struct fcft_glyph *glyph = fcft_rasterize_char_utf32(
			paint->fonts->fonts[font], next_character(&text), FCFT_SUBPIXEL_NONE);
		if (!glyph) {
			continue;
		}
		if (x + glyph->advance.x > right) {
			break;
		}
		x += draw_glyph(paint, glyph, rgb, x, baseline);
	}
	return x;
}

int paint_baseline(const struct paint *paint, enum paint_font font, const struct paint_box *box) {
	const struct fcft_font *with = paint->fonts->fonts[font];
	return box->y + (box->height - with->ascent - with->descent) / 2 + with->ascent;
}

uint32_t paint_mix(uint32_t a, uint32_t b, unsigned parts) {
	uint32_t mixed = 0;
	for (int shift = 0; shift < 24; shift += 8) {
		uint32_t channel =
			((a >> shift & 0xff) * (16 - parts) + (b >> shift & 0xff) * parts) / 16;
		mixed |= channel << shift;
	}
	return mixed;
}

/* SPDX-License-Identifier: MIT */
#include <fcft/fcft.h>
#include <math.h>
#include <pixman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/label.h"
#include "compositor/picture.h"
#include "compositor/theme.h"
#include "vat/log.h"

#define MAX_TEXT 4096 /* code points */
#define MAX_LINES 64
#define MAX_PIXELS 8192
#define FONT_CACHE 24
/* Of what is cut off so many are legible, or two thirds: fewer say nothing. */
#define LEAST_LETTERS 10
#define MAX_NAME 256 /* code points of a line or a name that is drawn into a picture */

struct city_label {
	struct wlr_scene_buffer *scene; /* NULL once its parent was destroyed */
	struct wl_listener scene_destroy;
	char *text;
	struct city_label_style style;
	char *font;
	double scale;
	int width, height;
	bool cut; /* the text did not fit, or has several lines */
};

/* Fonts at pixel sizes, the least recently used one goes first. */
static struct {
	char *name;
	int pixels;
	struct fcft_font *font;
	uint64_t used;
} fonts[FONT_CACHE];
static uint64_t fonts_clock;
static bool started;

bool city_label_start(void) {
	started = fcft_init(FCFT_LOG_COLORIZE_NEVER, false, FCFT_LOG_CLASS_NONE);
	return started;
}

void city_label_stop(void) {
	for (size_t i = 0; i < FONT_CACHE; i++) {
		if (fonts[i].font != NULL) {
			fcft_destroy(fonts[i].font);
			free(fonts[i].name);
			fonts[i].font = NULL;
			fonts[i].name = NULL;
		}
	}
	if (started) {
		fcft_fini();
		started = false;
	}
}

static struct fcft_font *get_font(const char *name, int pixels) {
	if (!started) {
		return NULL;
	}
	size_t oldest = 0;
	for (size_t i = 0; i < FONT_CACHE; i++) {
		if (fonts[i].font != NULL && fonts[i].pixels == pixels &&
			strcmp(fonts[i].name, name) == 0) {
			fonts[i].used = ++fonts_clock;
			return fonts[i].font;
		}
		if (fonts[i].used < fonts[oldest].used) {
			oldest = i;
		}
	}
	char full[256];
	snprintf(full, sizeof(full), "%s:pixelsize=%d", name, pixels);
	const char *names[] = {full};
	struct fcft_font *font = fcft_from_name(1, names, NULL);
	char *copy = strdup(name);
	if (font == NULL || copy == NULL) {
		static bool said;
		if (!said) {
			city_log(CITY_LOG_WARN, "label", "no font for \"%s\": labels stay empty",
				full);
			said = true;
		}
		if (font != NULL) {
			fcft_destroy(font);
		}
		free(copy);
		return NULL;
	}
	if (fonts[oldest].font != NULL) {
		fcft_destroy(fonts[oldest].font);
		free(fonts[oldest].name);
	}
	fonts[oldest].name = copy;
	fonts[oldest].pixels = pixels;
	fonts[oldest].font = font;
	fonts[oldest].used = ++fonts_clock;
	return font;
}

/* UTF-8 to code points; what is broken becomes U+FFFD, controls but newline become blanks. */
static size_t decode(const char *text, uint32_t *out, size_t size) {
	const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
	size_t count = 0;
	while (*at != 0 && count < size) {
		utf8proc_int32_t code;
		utf8proc_ssize_t used = utf8proc_iterate(at, -1, &code);
		if (used <= 0) {
			code = 0xfffd;
			used = 1;
		}
		if (code != '\n' && (code < 0x20 || (code >= 0x7f && code < 0xa0))) {
			code = ' ';
		}
		out[count++] = (uint32_t)code;
		at += used;
	}
	return count;
}

static int advance(struct fcft_font *font, uint32_t code) {
	const struct fcft_glyph *glyph = fcft_rasterize_char_utf32(font, code, FCFT_SUBPIXEL_NONE);
	return glyph == NULL ? 0 : glyph->advance.x;
}

struct line {
	size_t from, to; /* code points */
	int width;
	bool ellipsis;
};

/* Breaks at newlines and blanks; what does not fit at all is broken anywhere. The last allowed
 * line ends with an ellipsis if there is more. */
static size_t lay_out(struct fcft_font *font, const uint32_t *text, size_t length, int room,
	size_t max_lines, struct line *lines) {
	size_t count = 0, at = 0;
	int dots = advance(font, 0x2026);
	while (at < length && count < max_lines) {
		struct line *line = &lines[count++];
		*line = (struct line){.from = at, .to = at};
		bool last = count == max_lines;
		size_t blank = 0, fits_dots = at, i;
		int width = 0, blank_width = 0, dots_width = 0;
		bool over = false;
		for (i = at; i < length && text[i] != '\n'; i++) {
			int step = advance(font, text[i]);
			if (room > 0 && width + step > room && i > at) {
				over = true;
				break;
			}
			if (text[i] == ' ') {
				blank = i;
				blank_width = width;
			}
			width += step;
			if (width + dots <= room) {
				fits_dots = i + 1;
				dots_width = width;
			}
		}
		if (!over) {
			line->to = i;
			line->width = width;
			at = i < length ? i + 1 : length;
			if (last && at < length && room > 0) {
				line->ellipsis = true;
				if (width + dots > room) {
					line->to = fits_dots;
					line->width = dots_width;
				}
				line->width += dots;
			}
		} else if (last) {
			line->to = fits_dots;
			line->width = dots_width + dots;
			line->ellipsis = true;
			at = length;
		} else if (blank > line->from) {
			line->to = blank;
			line->width = blank_width;
			at = blank + 1;
		} else {
			line->to = i;
			line->width = width;
			at = i;
		}
	}
	return count;
}

static pixman_color_t pixman_color(uint32_t rgba) {
	uint32_t alpha = rgba & 0xff;
	/* Premultiplied, each channel widened to 16 bits. */
	return (pixman_color_t){
		.red = (uint16_t)((rgba >> 24 & 0xff) * 257 * alpha / 255),
		.green = (uint16_t)((rgba >> 16 & 0xff) * 257 * alpha / 255),
		.blue = (uint16_t)((rgba >> 8 & 0xff) * 257 * alpha / 255),
		.alpha = (uint16_t)(alpha * 257),
	};
}

static int draw_glyph(pixman_image_t *image, pixman_image_t *ink, struct fcft_font *font,
	uint32_t code, int x, int baseline) {
	const struct fcft_glyph *glyph = fcft_rasterize_char_utf32(font, code, FCFT_SUBPIXEL_NONE);
	if (glyph == NULL) {
		return 0;
	}
	if (glyph->is_color_glyph) {
		pixman_image_composite32(PIXMAN_OP_OVER, glyph->pix, NULL, image, 0, 0, 0, 0,
			x + glyph->x, baseline - glyph->y, glyph->width, glyph->height);
	} else {
		pixman_image_composite32(PIXMAN_OP_OVER, ink, glyph->pix, image, 0, 0, 0, 0,
			x + glyph->x, baseline - glyph->y, glyph->width, glyph->height);
	}
	return glyph->advance.x;
}

/* Some lines one below the other. */
static bool draw_lines(pixman_image_t *image, struct fcft_font *font, const uint32_t *codes,
	const struct line *lines, size_t count, uint32_t rgba, int x, int y) {
	pixman_color_t color = pixman_color(rgba);
	pixman_image_t *ink = pixman_image_create_solid_fill(&color);
	if (ink == NULL) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		int at = x, baseline = y + (int)i * font->height + font->ascent;
		for (size_t j = lines[i].from; j < lines[i].to; j++) {
			at += draw_glyph(image, ink, font, codes[j], at, baseline);
		}
		if (lines[i].ellipsis) {
			draw_glyph(image, ink, font, 0x2026, at, baseline);
		}
	}
	pixman_image_unref(ink);
	return true;
}

/* The logical size that is at least so many pixels and a whole number of them, so that the picture
 * is shown pixel for pixel also where logical pixels are no whole ones. */
static int whole_size(int pixels, double scale) {
	int size = (int)ceil(pixels / scale - 1e-6);
	for (int more = 0; more < 8; more++) {
		double exact = (size + more) * scale;
		if (fabs(exact - round(exact)) < 1e-3) {
			return size + more;
		}
	}
	return size;
}

/* cut: whether it did not fit. */
static struct wlr_buffer *render(const char *text, const struct city_label_style *style,
	double scale, int *width, int *height, bool *cut) {
	int pixels = (int)round(style->size * scale);
	struct fcft_font *font =
		get_font(style->font != NULL ? style->font : CITY_FONT, pixels < 4 ? 4 : pixels);
	uint32_t *codes = font == NULL ? NULL : calloc(MAX_TEXT, sizeof(*codes));
	if (codes == NULL) {
		return NULL;
	}
	size_t length = decode(text, codes, MAX_TEXT);
	int pad_x = (int)round(style->pad_x * scale), pad_y = (int)round(style->pad_y * scale);
	int limit = (int)floor(style->max_width * scale);
	struct line lines[MAX_LINES];
	size_t max_lines = style->max_lines < 1 ? 1 : (size_t)style->max_lines;
	if (max_lines > MAX_LINES) {
		max_lines = MAX_LINES;
	}
	int room = limit > 0 ? limit - 2 * pad_x : 0;
	if (limit > 0 && room < 1) {
		room = 1;
	}
	size_t count = lay_out(font, codes, length, room, max_lines, lines);

	int total_width = 0;
	for (size_t i = 0; i < count; i++) {
		total_width = lines[i].width > total_width ? lines[i].width : total_width;
	}
	total_width += 2 * pad_x;
	if (style->fill_width && limit > total_width) {
		total_width = limit;
	}
	if (limit > 0 && total_width > limit) {
		total_width = limit;
	}
	int total_height = (int)count * font->height + 2 * pad_y;
	*cut = count > 1 || (count > 0 && lines[0].ellipsis);
	*width = (int)round(total_width / scale);
	*height = (int)round(total_height / scale);
	if (!style->fill_width && total_width > 0 && total_height > 0) {
		*width = whole_size(total_width, scale);
		*height = whole_size(total_height, scale);
		total_width = (int)round(*width * scale);
		total_height = (int)round(*height * scale);
	}
	if (total_width < 1 || total_height < 1 || total_width > MAX_PIXELS ||
		total_height > MAX_PIXELS) {
		free(codes);
		return NULL;
	}

	struct city_picture *picture = city_picture_create(total_width, total_height);
	pixman_image_t *image = NULL;
	if (picture != NULL) {
		image = pixman_image_create_bits_no_clear(PIXMAN_a8r8g8b8, total_width,
			total_height, picture->data, (int)picture->stride);
	}
	if (image == NULL) {
		goto error;
	}
	pixman_color_t background = pixman_color(style->background);
	pixman_box32_t all = {0, 0, total_width, total_height};
	pixman_image_fill_boxes(PIXMAN_OP_SRC, image, &background, 1, &all);
	if (!draw_lines(image, font, codes, lines, count, style->color, pad_x, pad_y)) {
		goto error;
	}
	pixman_image_unref(image);
	free(codes);
	return &picture->base;

error:
	if (image != NULL) {
		pixman_image_unref(image);
	}
	if (picture != NULL) {
		wlr_buffer_drop(&picture->base);
	}
	free(codes);
	return NULL;
}

static struct fcft_font *font_of(const struct city_label_style *style) {
	return get_font(
		style->font != NULL ? style->font : CITY_FONT, style->size < 4 ? 4 : style->size);
}

int city_label_ascent(const struct city_label_style *style) {
	struct fcft_font *font = font_of(style);
	return font == NULL ? 0 : font->ascent;
}

int city_label_draw(pixman_image_t *image, const char *text, const struct city_label_style *style,
	int x, int y, int *height) {
	struct fcft_font *font = font_of(style);
	uint32_t codes[MAX_NAME];
	struct line line;
	if (font == NULL) {
		return 0;
	}
	size_t length = decode(text, codes, MAX_NAME);
	if (length == 0 || lay_out(font, codes, length, style->max_width, 1, &line) == 0 ||
		line.to == line.from || (style->max_width > 0 && line.width > style->max_width) ||
		(line.ellipsis && line.to < LEAST_LETTERS && 3 * line.to < 2 * length)) {
		return 0;
	}
	*height = font->height;
	if (image != NULL && !draw_lines(image, font, codes, &line, 1, style->color, x, y)) {
		return 0;
	}
	return line.width;
}

int city_label_draw_name(pixman_image_t *image, const char *text,
	const struct city_label_style *style, int x, int y, int *height) {
	struct fcft_font *font = font_of(style);
	uint32_t codes[MAX_NAME];
	struct line lines[MAX_LINES] = {0};
	if (font == NULL) {
		return 0;
	}
	size_t length = decode(text, codes, MAX_NAME), count = 1;
	size_t most = style->max_lines < 1 ? 1 : (size_t)style->max_lines;
	most = most > MAX_LINES ? MAX_LINES : most;
	/* Up to where the line can be broken, and how wide it is up to there. */
	size_t end = 0;
	int end_width = 0, width = 0;
	for (size_t i = 0; i < length; i++) {
		struct line *line = &lines[count - 1];
		uint32_t before = i > 0 ? codes[i - 1] : 0;
		if (i > line->from &&
			(before == ' ' || before == '_' || before == '-' || before == '/')) {
			end = i;
			end_width = width;
		}
		width += advance(font, codes[i]);
		if (width <= style->max_width) {
			continue;
		}
		if (end <= line->from || count == most || width - end_width > style->max_width) {
			return 0;
		}
		line->to = end;
		lines[count++].from = end;
		width -= end_width;
	}
	lines[count - 1].to = length;
	*height = font->height;
	if (length == 0 ||
		(image != NULL &&
			!draw_lines(image, font, codes, lines, count, style->color, x, y))) {
		return 0;
	}
	return (int)count;
}

struct wlr_buffer *city_label_render(const char *text, const struct city_label_style *style,
	double scale, int *width, int *height) {
	bool cut;
	return render(text, style, scale, width, height, &cut);
}

static void handle_scene_destroy(struct wl_listener *listener, void *data) {
	struct city_label *label = wl_container_of(listener, label, scene_destroy);
	wl_list_remove(&label->scene_destroy.link);
	wl_list_init(&label->scene_destroy.link);
	label->scene = NULL;
}

struct city_label *city_label_create(struct wlr_scene_tree *parent) {
	struct city_label *label = calloc(1, sizeof(*label));
	if (label == NULL) {
		return NULL;
	}
	label->scene = wlr_scene_buffer_create(parent, NULL);
	if (label->scene == NULL) {
		free(label);
		return NULL;
	}
	label->scene_destroy.notify = handle_scene_destroy;
	wl_signal_add(&label->scene->node.events.destroy, &label->scene_destroy);
	return label;
}

void city_label_destroy(struct city_label *label) {
	if (label == NULL) {
		return;
	}
	wl_list_remove(&label->scene_destroy.link);
	if (label->scene != NULL) {
		wlr_scene_node_destroy(&label->scene->node);
	}
	free(label->text);
	free(label->font);
	free(label);
}

static bool same(const char *a, const char *b) {
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool style_same(const struct city_label_style *a, const struct city_label_style *b) {
	return same(a->font, b->font) && a->size == b->size && a->color == b->color &&
		a->background == b->background && a->pad_x == b->pad_x && a->pad_y == b->pad_y &&
		a->max_width == b->max_width && a->max_lines == b->max_lines &&
		a->fill_width == b->fill_width;
}

/* Whether only the room for it differs, and it is enough before and after. */
static bool still_fits(const struct city_label *label, const struct city_label_style *style) {
	struct city_label_style other = *style;
	other.max_width = label->style.max_width;
	return !label->cut && !style->fill_width && style_same(&label->style, &other) &&
		(style->max_width == 0 || label->width <= style->max_width);
}

void city_label_set(struct city_label *label, const char *text,
	const struct city_label_style *style, double scale) {
	if (label == NULL || label->scene == NULL ||
		(same(label->text, text) && label->scale == scale &&
			(style_same(&label->style, style) || still_fits(label, style)))) {
		return;
	}
	char *copy = strdup(text == NULL ? "" : text);
	char *font = style->font == NULL ? NULL : strdup(style->font);
	if (copy == NULL || (style->font != NULL && font == NULL)) {
		free(copy);
		free(font);
		return;
	}
	free(label->text);
	free(label->font);
	label->text = copy;
	label->font = font;
	label->style = *style;
	label->style.font = font;
	label->scale = scale;
	label->width = label->height = 0;

	struct wlr_buffer *buffer = NULL;
	if (copy[0] != '\0') {
		buffer = render(
			copy, &label->style, scale, &label->width, &label->height, &label->cut);
	}
	wlr_scene_buffer_set_buffer(label->scene, buffer);
	if (buffer != NULL) {
		wlr_scene_buffer_set_dest_size(label->scene, label->width, label->height);
		wlr_buffer_drop(buffer);
	}
}

struct wlr_scene_buffer *city_label_node(struct city_label *label) {
	return label->scene;
}

int city_label_width(const struct city_label *label) {
	return label == NULL ? 0 : label->width;
}

int city_label_height(const struct city_label *label) {
	return label == NULL ? 0 : label->height;
}

void city_label_set_position(struct city_label *label, int x, int y) {
	if (label != NULL && label->scene != NULL) {
		wlr_scene_node_set_position(&label->scene->node, x, y);
	}
}

void city_label_set_enabled(struct city_label *label, bool enabled) {
	if (label != NULL && label->scene != NULL) {
		wlr_scene_node_set_enabled(&label->scene->node, enabled);
	}
}

void city_label_set_opacity(struct city_label *label, double opacity) {
	if (label != NULL && label->scene != NULL) {
		wlr_scene_buffer_set_opacity(label->scene, (float)fmin(fmax(opacity, 0), 1));
	}
}

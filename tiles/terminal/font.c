/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>

#include "terminal.h"

#define FONT_DEFAULT "monospace"
#define FONT_SIZE_DEFAULT 15.0 /* tile pixels */
#define FONT_STEP 1.1	       /* of one step larger */
#define FONT_PX_MIN 4
#define PAD 6 /* tile pixels around the grid */

static const char *const style_attributes[FONT_STYLES] = {
	[FONT_REGULAR] = "",
	[FONT_BOLD] = ":weight=bold",
	[FONT_ITALIC] = ":slant=italic",
	[FONT_BOLD_ITALIC] = ":weight=bold:slant=italic",
};

static struct fcft_font *load_style(struct terminal *terminal, int font_px, enum font_style style) {
	const char *name = terminal->tile->host->option(terminal->tile, "font");
	const char *names[] = {name != NULL ? name : FONT_DEFAULT, "Noto Color Emoji"};
	char attributes[96];
	snprintf(
		attributes, sizeof(attributes), "pixelsize=%d%s", font_px, style_attributes[style]);
	return fcft_from_name(2, names, attributes);
}

static int at_least(int value, int least) {
	return value > least ? value : least;
}

static void measure(struct terminal *terminal, struct fcft_font *font) {
	const struct fcft_glyph *glyph = fcft_rasterize_char_utf32(font, 'M', FCFT_SUBPIXEL_NONE);
	terminal->cell_width = at_least(
		glyph != NULL && glyph->advance.x > 0 ? glyph->advance.x : font->max_advance.x, 1);
	/* A little air between the lines; half of it above. */
	int air = (int)lround(font->height * 0.1);
	terminal->cell_height = at_least(font->height + air, 1);
	terminal->ascent = font->ascent + air / 2;
	terminal->pad = (int)lround(PAD * terminal->scale);
	terminal->thickness = at_least((int)lround(terminal->font_px / 15.0), 1);
	/* Two lines below it are for the lower half of a double or curly one. */
	int lowest = terminal->cell_height - 2 * terminal->thickness;
	int wanted = terminal->ascent - font->underline.position;
	wanted = at_least(wanted, terminal->ascent + terminal->thickness);
	terminal->underline_at = wanted < lowest ? wanted : at_least(lowest, 0);
	terminal->strike_at = at_least(terminal->ascent - font->strikeout.position, 0);
}

bool font_load(struct terminal *terminal, int font_step) {
	double scale = terminal->tile->scale > 0 ? terminal->tile->scale : 1;
	if (terminal->fonts[FONT_REGULAR] != NULL && terminal->scale == scale &&
		terminal->font_step == font_step) {
		return true;
	}
	double size = FONT_SIZE_DEFAULT * pow(FONT_STEP, font_step) * scale;
	int font_px = at_least((int)lround(size), FONT_PX_MIN);
	struct fcft_font *font = load_style(terminal, font_px, FONT_REGULAR);
	if (font == NULL) {
		tile_log(terminal->tile, 0,
			"no monospace font can be loaded: install one, such as DejaVu Sans Mono");
		return false;
	}
	font_unload(terminal);
	terminal->scale = scale;
	terminal->font_step = font_step;
	terminal->font_px = font_px;
	terminal->fonts[FONT_REGULAR] = font;
	measure(terminal, font);
	return true;
}

void font_unload(struct terminal *terminal) {
	for (int i = 0; i < FONT_STYLES; i++) {
		if (terminal->fonts[i] != NULL) {
			fcft_destroy(terminal->fonts[i]);
			terminal->fonts[i] = NULL;
		}
	}
}

struct fcft_font *font_get(struct terminal *terminal, enum font_style style) {
	if (terminal->fonts[style] == NULL) {
		terminal->fonts[style] = load_style(terminal, terminal->font_px, style);
		if (terminal->fonts[style] == NULL) {
			terminal->fonts[style] = fcft_clone(terminal->fonts[FONT_REGULAR]);
		}
	}
	return terminal->fonts[style];
}

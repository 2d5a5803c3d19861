/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>

#include "terminal.h"

#define FONT_DEFAULT "monospace"
#define FONT_SIZE_DEFAULT 15.0 /* tile pixels */
#define FONT_STEP 1.1          /* of one step larger */
#define PAD 6                  /* tile pixels around the grid */

static const char *const style_attributes[FONT_STYLES] = {
	[FONT_REGULAR] = "",
	[FONT_BOLD] = ":weight=bold",
	[FONT_ITALIC] = ":slant=italic",
	[FONT_BOLD_ITALIC] = ":weight=bold:slant=italic",
};

static struct fcft_font *load_style(struct terminal *terminal, enum font_style style)
{
	const char *name = terminal->tile->host->option(terminal->tile, "font");
	const char *names[] = {name != NULL ? name : FONT_DEFAULT, "Noto Color Emoji"};
	char attributes[96];
	snprintf(attributes, sizeof(attributes), "pixelsize=%d%s", terminal->font_px,
		style_attributes[style]);
	return fcft_from_name(2, names, attributes);
}

bool font_load(struct terminal *terminal, int font_step)
{
	font_unload(terminal);
	double scale = terminal->tile->scale > 0 ? terminal->tile->scale : 1;
	terminal->scale = scale;
	terminal->font_px = (int)lround(FONT_SIZE_DEFAULT * pow(FONT_STEP, font_step) * scale);
	if (terminal->font_px < 4) {
		terminal->font_px = 4;
	}
	struct fcft_font *font = load_style(terminal, FONT_REGULAR);
	if (font == NULL) {
		tile_log(terminal->tile, 0,
			"no monospace font can be loaded: install one, such as DejaVu Sans Mono");
		return false;
	}
	terminal->fonts[FONT_REGULAR] = font;
	const struct fcft_glyph *glyph =
		fcft_rasterize_char_utf32(font, 'M', FCFT_SUBPIXEL_NONE);
	terminal->cell_width = glyph != NULL && glyph->advance.x > 0 ? glyph->advance.x
								     : font->max_advance.x;
	/* A little air between the lines; half of it above. */
	int air = (int)lround(font->height * 0.1);
	terminal->cell_height = font->height + air;
	terminal->ascent = font->ascent + air / 2;
	if (terminal->cell_width < 1) {
		terminal->cell_width = 1;
	}
	if (terminal->cell_height < 1) {
		terminal->cell_height = 1;
	}
	terminal->pad = (int)lround(PAD * scale);
	terminal->thickness = (int)lround(scale);
	if (terminal->thickness < 1) {
		terminal->thickness = 1;
	}
	return true;
}

void font_unload(struct terminal *terminal)
{
	for (int i = 0; i < FONT_STYLES; i++) {
		if (terminal->fonts[i] != NULL) {
			fcft_destroy(terminal->fonts[i]);
			terminal->fonts[i] = NULL;
		}
	}
}

struct fcft_font *font_get(struct terminal *terminal, enum font_style style)
{
	if (terminal->fonts[style] == NULL) {
		terminal->fonts[style] = load_style(terminal, style);
		if (terminal->fonts[style] == NULL) {
			terminal->fonts[style] = fcft_clone(terminal->fonts[FONT_REGULAR]);
		}
	}
	return terminal->fonts[style];
}

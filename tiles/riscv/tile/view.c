/* SPDX-License-Identifier: MIT */
/* Where everything is, fonts, and the console's text. */
#include "rvtile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boxdraw.h"

/* Tile pixels; the city's type and spaces: compositor/theme.h. */
#define TYPE_TEXT 13
#define HEADER 34
#define SPACE 8
#define PAD 12
#define SIDE 368
#define SIDE_FROM 860 /* a narrower tile is console alone */
#define LINE_SMALL 15
#define STATE 112 /* of the header, for what the machine does */
#define CODE_LINES 9
#define CODE_LINES_LEAST 3

/* ---- fonts */

static const struct {
	const char *name, *attributes;
	int size;
} font_of[FONTS] = {
	[FONT_CONSOLE] = {"monospace", "", TYPE_TEXT},
	[FONT_CONSOLE_BOLD] = {"monospace", ":weight=bold", TYPE_TEXT},
};

void view_fonts_finish(struct rvtile *rv) {
	paint_fonts_finish(&rv->type);
	for (int i = 0; i < FONTS; i++) {
		if (rv->fonts[i]) {
			fcft_destroy(rv->fonts[i]);
			rv->fonts[i] = NULL;
		}
	}
}

bool view_fonts(struct rvtile *rv) {
	double scale = rv->tile->scale > 0 ? rv->tile->scale : 1;
	if (rv->fonts[0] && rv->scale == scale) {
		return true;
	}
	view_fonts_finish(rv);
	rv->scale = scale;
	if (!paint_fonts_load(&rv->type, rv->tile)) {
		return false;
	}
	for (int i = 0; i < FONTS; i++) {
		char attributes[64];
		snprintf(attributes, sizeof(attributes), "pixelsize=%d%s",
			(int)lround(font_of[i].size * scale), font_of[i].attributes);
		rv->fonts[i] = fcft_from_name(
			2, (const char *[]){font_of[i].name, "Noto Color Emoji"}, attributes);
		if (!rv->fonts[i]) {
			tile_log(
				rv->tile, 0, "no font can be loaded: install some, such as DejaVu");
			view_fonts_finish(rv);
			return false;
		}
		for (uint32_t cp = ' '; cp < 0x7f; cp++) {
			fcft_rasterize_char_utf32(rv->fonts[i], cp, FCFT_SUBPIXEL_NONE);
		}
	}
	const struct fcft_font *font = rv->fonts[FONT_CONSOLE];
	const struct fcft_glyph *m =
		fcft_rasterize_char_utf32(rv->fonts[FONT_CONSOLE], 'M', FCFT_SUBPIXEL_NONE);
	int air = (int)lround(font->height * 0.1);
	rv->cell_width = m && m->advance.x > 0 ? m->advance.x : font->max_advance.x;
	rv->cell_width = rv->cell_width > 0 ? rv->cell_width : 1;
	rv->cell_height = font->height + air > 0 ? font->height + air : 1;
	rv->ascent = font->ascent + air / 2;
	return true;
}

/* ---- places */

static int px(const struct rvtile *rv, double size) {
	return (int)lround(size * rv->scale);
}

static void place_buttons(struct rvtile *rv) {
	/* Wide enough for both of what a button says. */
	static const char *const widest[BUTTONS] = {"Continue", "Step", "Restart"};
	struct layout *layout = &rv->layout;
	int widths[BUTTONS], count = 0, room = layout->header.width - px(rv, STATE);
	for (; count < BUTTONS; count++) {
		widths[count] =
			paint_text_width(&rv->type, PAINT_TEXT, widest[count]) + 2 * px(rv, 10);
		room -= widths[count] + px(rv, SPACE);
		if (room < 0) {
			break;
		}
	}
	/* What there is no room for has its key. */
	int x = layout->header.width - px(rv, PAD);
	layout->state_end = x;
	for (int i = count - 1; i >= 0; i--) {
		x -= widths[i];
		layout->buttons[i] = (struct paint_box){
			x, px(rv, 5), widths[i], layout->header.height - 2 * px(rv, 5)};
		x -= px(rv, SPACE);
		layout->state_end = x;
	}
}

/* A part of the side with its heading, below what is there already, if there is room for it. */
static struct paint_box place_part(struct rvtile *rv, int *y, int height) {
	const struct paint_box *side = &rv->layout.side;
	int pad = px(rv, PAD), top = *y + px(rv, 4) + rv->layout.heading;
	if (top + height + pad > side->y + side->height) {
		return (struct paint_box){0};
	}
	*y = top + height;
	return (struct paint_box){side->x + pad, top, side->width - 2 * pad, height};
}

static void place_side(struct rvtile *rv) {
	struct layout *layout = &rv->layout;
	int line = px(rv, LINE_SMALL), y = layout->side.y, end = y + layout->side.height;
	layout->heading = px(rv, 22);
	layout->registers = place_part(rv, &y, 18 * line + px(rv, 6));
	for (int lines = CODE_LINES; lines >= CODE_LINES_LEAST && !layout->code.height; lines--) {
		layout->code = place_part(rv, &y, lines * line);
		layout->code_lines = lines;
	}
	int left = end - y - px(rv, 4) - layout->heading - px(rv, PAD);
	if (left >= px(rv, 24)) {
		layout->memory = place_part(rv, &y, left);
	}
}

void view_layout(struct rvtile *rv) {
	struct layout *layout = &rv->layout;
	if (rv->laid_scale == rv->scale && rv->laid_width == rv->tile->width &&
		rv->laid_height == rv->tile->height) {
		return;
	}
	rv->laid_scale = rv->scale;
	rv->laid_width = rv->tile->width;
	rv->laid_height = rv->tile->height;
	int width = px(rv, rv->tile->width), height = px(rv, rv->tile->height);
	int header = px(rv, HEADER), pad = px(rv, PAD);
	int side = rv->tile->width >= SIDE_FROM ? px(rv, SIDE) : 0;
	*layout = (struct layout){.header = {0, 0, width, header}};
	int room = width - side - 2 * pad;
	int columns = room / rv->cell_width, rows = (height - header - 2 * pad) / rv->cell_height;
	columns = columns < VT_MIN_COLS ? VT_MIN_COLS
		: columns > VT_MAX_COLS ? VT_MAX_COLS
					: columns;
	rows = rows < VT_MIN_ROWS ? VT_MIN_ROWS : rows > VT_MAX_ROWS ? VT_MAX_ROWS : rows;
	layout->columns = (uint32_t)columns;
	layout->rows = (uint32_t)rows;
	layout->console = (struct paint_box){
		pad, header + pad, columns * rv->cell_width, rows * rv->cell_height};
	layout->side = (struct paint_box){width - side, header, side, height - header};
	place_buttons(rv);
	if (side > 0) {
		place_side(rv);
	}
}

int view_button(const struct rvtile *rv, double tx, double ty) {
	int x = (int)floor(tx * rv->scale), y = (int)floor(ty * rv->scale);
	for (int i = 0; i < BUTTONS; i++) {
		const struct paint_box *box = &rv->layout.buttons[i];
		if (x >= box->x && y >= box->y && x < box->x + box->width &&
			y < box->y + box->height) {
			return i;
		}
	}
	return -1;
}

void view_damage(struct rvtile *rv, const struct paint_box *box) {
	if (box->width > 0 && box->height > 0) {
		rv->tile->host->damage(rv->tile, box->x / rv->scale, box->y / rv->scale,
			box->width / rv->scale, box->height / rv->scale);
	}
}

/* ---- the console */

struct colours {
	uint32_t text, behind;
};

static struct colours colours_of(const struct vt *vt, const struct vt_cell *cell) {
	uint32_t text = cell->fg;
	if ((cell->at & VT_AT_BOLD) && (text & VT_COLOR_TAG) == VT_COLOR_INDEXED &&
		(text & 0xff) < 8) {
		text += 8;
	}
	struct colours colours = {vt_rgb(vt, text, VT_COLOR_FG), vt_rgb(vt, cell->bg, VT_COLOR_BG)};
	if (((cell->at & VT_AT_INVERSE) != 0) != vt_mode(vt, VT_MODE_REVERSE)) {
		colours = (struct colours){colours.behind, colours.text};
	}
	if (cell->at & VT_AT_DIM) {
		colours.text = (colours.text >> 1 & 0x7f7f7f) + (colours.behind >> 1 & 0x7f7f7f);
	}
	if (cell->at & VT_AT_CONCEAL) {
		colours.text = colours.behind;
	}
	return colours;
}

static void draw_cell(
	struct frame *frame, const struct vt_cell *cell, struct colours colours, int x, int y) {
	const struct rvtile *rv = frame->rv;
	int width = rv->cell_width * (cell->ch & VT_CH_WIDE ? 2 : 1);
	int thickness = px(rv, 1) > 0 ? px(rv, 1) : 1;
	uint32_t cps[VT_CLUSTER_CPS], count = vt_cell_cps(&rv->vt, cell, cps);
	pixman_color_t color = paint_color(colours.text);
	if (count > 0 &&
		!(count == 1 &&
			boxdraw(frame->paint.image, &color, cps[0], x, y, width, rv->cell_height,
				thickness))) {
		enum rvtile_font font = cell->at & VT_AT_BOLD ? FONT_CONSOLE_BOLD : FONT_CONSOLE;
		for (uint32_t i = 0; i < count; i++) {
			paint_glyph(&frame->paint, rv->fonts[font], colours.text, x, y + rv->ascent,
				cps[i]);
		}
	}
	if (VT_UNDERLINE_OF(cell->at) != VT_UNDERLINE_NONE) {
		paint_fill(&frame->paint, colours.text, x, y + rv->ascent + thickness, width,
			thickness);
	}
	if (cell->at & VT_AT_STRIKE) {
		paint_fill(
			&frame->paint, colours.text, x, y + rv->cell_height / 2, width, thickness);
	}
}

static void draw_cursor(struct frame *frame, const struct vt_cell *cell, int x, int y) {
	const struct rvtile *rv = frame->rv;
	int width = rv->cell_width * (cell->ch & VT_CH_WIDE ? 2 : 1), height = rv->cell_height;
	int line = px(rv, 1) > 0 ? px(rv, 1) : 1;
	uint32_t rgb = vt_rgb(&rv->vt, VT_COLOR_DEFAULT, VT_COLOR_FG);
	if (rv->vt.state->colors[VT_COLOR_CURSOR] != VT_COLOR_UNSET) {
		rgb = rv->vt.state->colors[VT_COLOR_CURSOR];
	}
	if (!view_of(rv)->focused) {
		paint_fill(&frame->paint, rgb, x, y, width, line);
		paint_fill(&frame->paint, rgb, x, y + height - line, width, line);
		paint_fill(&frame->paint, rgb, x, y, line, height);
		paint_fill(&frame->paint, rgb, x + width - line, y, line, height);
		return;
	}
	paint_fill(&frame->paint, rgb, x, y, width, height);
	draw_cell(frame, cell, (struct colours){colours_of(&rv->vt, cell).behind, rgb}, x, y);
}

static void draw_row(struct frame *frame, uint64_t line, int y) {
	const struct rvtile *rv = frame->rv;
	const struct vt *vt = &rv->vt;
	const struct vt_cell *cells = vt_line_cells(vt, line);
	uint32_t columns = vt->state->cols;
	int left = rv->layout.console.x;
	if (!cells) {
		return;
	}
	for (uint32_t column = 0; column < columns; column++) {
		paint_fill(&frame->paint, colours_of(vt, &cells[column]).behind,
			left + (int)column * rv->cell_width, y, rv->cell_width, rv->cell_height);
	}
	for (uint32_t column = 0; column < columns; column++) {
		if (cells[column].ch || cells[column].at) {
			draw_cell(frame, &cells[column], colours_of(vt, &cells[column]),
				left + (int)column * rv->cell_width, y);
		}
	}
	uint32_t at = vt->state->col < columns ? vt->state->col : columns - 1;
	if (vt_mode(vt, VT_MODE_CURSOR) && line == vt_line_screen(vt) + vt->state->row) {
		at -= at > 0 && (cells[at].ch & VT_CH_TAIL);
		draw_cursor(frame, &cells[at], left + (int)at * rv->cell_width, y);
	}
}

void view_draw_console(struct frame *frame) {
	const struct rvtile *rv = frame->rv;
	const struct paint_box *console = &rv->layout.console;
	uint64_t top = console_top(rv);
	for (uint32_t row = 0; row < rv->vt.state->rows; row++) {
		struct paint_box box = {console->x, console->y + (int)row * rv->cell_height,
			console->width, rv->cell_height};
		if (paint_damaged(&frame->paint, &box)) {
			draw_row(frame, top + row, box.y);
		}
	}
	uint64_t first = vt_line_first(&rv->vt), end = vt_line_end(&rv->vt);
	if (view_of(rv)->scrolled && end - first > rv->vt.state->rows) {
		double share = (double)rv->vt.state->rows / (double)(end - first);
		double from = (double)(top - first) / (double)(end - first);
		paint_fill(&frame->paint, COLOUR_DIM, console->x + console->width + px(rv, 3),
			console->y + (int)(from * console->height), px(rv, 3),
			(int)fmax(share * console->height, px(rv, 12)));
	}
}

void view_draw(struct tile *tile, const struct tile_canvas *canvas) {
	struct rvtile *rv = tile->scratch;
	struct frame frame = {.rv = rv};
	if (!paint_begin(&frame.paint, &rv->type, canvas)) {
		return;
	}
	paint_fill(&frame.paint, COLOUR_GROUND, 0, 0, canvas->width, canvas->height);
	view_draw_console(&frame);
	view_draw_machine(&frame);
	paint_end(&frame.paint);
}

/* SPDX-License-Identifier: MIT */
/* Draws the grid. Only what the canvas says is damaged is drawn: pixman clips to it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "terminal.h"

struct colors {
	uint32_t fg, bg; /* 0xrrggbb */
};

struct frame {
	struct terminal *terminal;
	pixman_image_t *image;
	int width, height;	    /* buffer pixels */
	const struct vt_cell *held; /* drawn instead of the core's lines, NULL: those */
	uint32_t cols, rows;
	uint64_t top;
	uint64_t cursor_line;
	uint32_t cursor_col;
	uint32_t cursor; /* 1 + enum vt_cursor_style; 0: hidden */
	int row_y;	 /* corner of the row being drawn: nothing of it may lie above or below */
	/* The colour that text was last drawn in. */
	pixman_image_t *ink;
	uint32_t ink_rgb;
};

static pixman_color_t to_pixman(uint32_t rgb) {
	return (pixman_color_t){
		.red = (uint16_t)((rgb >> 16 & 0xff) * 0x101),
		.green = (uint16_t)((rgb >> 8 & 0xff) * 0x101),
		.blue = (uint16_t)((rgb & 0xff) * 0x101),
		.alpha = 0xffff,
	};
}

static uint32_t mix(uint32_t a, uint32_t b, unsigned b_parts_of_8) {
	uint32_t mixed = 0;
	for (int shift = 0; shift < 24; shift += 8) {
		uint32_t channel = ((a >> shift & 0xff) * (8 - b_parts_of_8) +
					   (b >> shift & 0xff) * b_parts_of_8) /
			8;
		mixed |= channel << shift;
	}
	return mixed;
}

static void fill_rect(
	const struct frame *frame, uint32_t rgb, int x, int y, int width, int height) {
	if (width <= 0 || height <= 0) {
		return;
	}
	pixman_color_t color = to_pixman(rgb);
	pixman_box32_t box = {x, y, x + width, y + height};
	pixman_image_fill_boxes(PIXMAN_OP_SRC, frame->image, &color, 1, &box);
}

static struct colors cell_colors(
	const struct frame *frame, const struct vt_cell *cell, bool selected) {
	const struct vt *vt = &frame->terminal->vt;
	uint32_t fg = cell->fg;
	/* Bold in one of the eight dark colours is shown bright, as programs have expected for
	 * long. */
	if ((cell->at & VT_AT_BOLD) && (fg & VT_COLOR_TAG) == VT_COLOR_INDEXED && (fg & 0xff) < 8) {
		fg += 8;
	}
	struct colors colors = {
		.fg = vt_rgb(vt, fg, VT_COLOR_FG),
		.bg = vt_rgb(vt, cell->bg, VT_COLOR_BG),
	};
	if (((cell->at & VT_AT_INVERSE) != 0) != vt_mode(vt, VT_MODE_REVERSE)) {
		uint32_t fg_rgb = colors.fg;
		colors.fg = colors.bg;
		colors.bg = fg_rgb;
	}
	if (cell->at & VT_AT_DIM) {
		colors.fg = mix(colors.fg, colors.bg, 3);
	}
	if (selected) {
		uint32_t bg = vt->state->colors[VT_COLOR_SELECTION_BG];
		uint32_t text = vt->state->colors[VT_COLOR_SELECTION_FG];
		colors.bg = bg != VT_COLOR_UNSET ? bg : mix(colors.bg, colors.fg, 3);
		colors.fg = text != VT_COLOR_UNSET ? text : colors.fg;
	}
	if (cell->at & VT_AT_CONCEAL) {
		colors.fg = colors.bg;
	}
	return colors;
}

/* A source of that colour; NULL when there is no memory. */
static pixman_image_t *ink(struct frame *frame, uint32_t rgb) {
	if (frame->ink == NULL || frame->ink_rgb != rgb) {
		if (frame->ink != NULL) {
			pixman_image_unref(frame->ink);
		}
		pixman_color_t color = to_pixman(rgb);
		frame->ink = pixman_image_create_solid_fill(&color);
		frame->ink_rgb = rgb;
	}
	return frame->ink;
}

/* An emoji in a single cell would cover its neighbour: make it smaller. True when that was done. */
static bool draw_shrunk(
	struct frame *frame, const struct fcft_glyph *glyph, int x, int baseline, int room) {
	if (!glyph->is_color_glyph || glyph->width <= room) {
		return false;
	}
	double factor = (double)glyph->width / room;
	int height = (int)(glyph->height / factor);
	int y = baseline - (glyph->y + height) / 2;
	y = y < frame->row_y ? frame->row_y : y;
	pixman_transform_t transform;
	pixman_transform_init_scale(
		&transform, pixman_double_to_fixed(factor), pixman_double_to_fixed(factor));
	pixman_image_set_transform(glyph->pix, &transform);
	pixman_image_set_filter(glyph->pix, PIXMAN_FILTER_BILINEAR, NULL, 0);
	pixman_image_composite32(
		PIXMAN_OP_OVER, glyph->pix, NULL, frame->image, 0, 0, 0, 0, x, y, room, height);
	pixman_image_set_transform(glyph->pix, NULL);
	return true;
}

/* Cut off at the row's edges: a row is drawn whenever it changed, its neighbours may not be.
 * `room`: pixels up to the next cell. */
static void draw_glyph(struct frame *frame, const struct fcft_glyph *glyph, uint32_t rgb, int x,
	int baseline, int room) {
	pixman_image_t *source = ink(frame, rgb);
	if (glyph == NULL || glyph->pix == NULL || source == NULL ||
		draw_shrunk(frame, glyph, x, baseline, room)) {
		return;
	}
	int gx = x + glyph->x, gy = baseline - glyph->y;
	int cut = gy < frame->row_y ? frame->row_y - gy : 0;
	int bottom = frame->row_y + frame->terminal->cell_height;
	int height = (gy + glyph->height > bottom ? bottom - gy : glyph->height) - cut;
	if (height <= 0) {
		return;
	}
	if (glyph->is_color_glyph) {
		pixman_image_composite32(PIXMAN_OP_OVER, glyph->pix, NULL, frame->image, 0, cut, 0,
			0, gx, gy + cut, glyph->width, height);
	} else {
		pixman_image_composite32(PIXMAN_OP_OVER, source, glyph->pix, frame->image, 0, 0, 0,
			cut, gx, gy + cut, glyph->width, height);
	}
}

static void draw_text(struct frame *frame, const struct vt_cell *cell, uint32_t rgb, int x, int y) {
	struct terminal *terminal = frame->terminal;
	uint32_t cps[VT_CLUSTER_CPS];
	uint32_t count = vt_cell_cps(&terminal->vt, cell, cps);
	if (count == 0 || (count == 1 && cps[0] == ' ')) {
		return;
	}
	int width = (cell->ch & VT_CH_WIDE ? 2 : 1) * terminal->cell_width;
	pixman_color_t color = to_pixman(rgb);
	if (count == 1 &&
		boxdraw(frame->image, &color, cps[0], x, y, width, terminal->cell_height,
			terminal->thickness)) {
		return;
	}
	enum font_style style = FONT_REGULAR;
	if (cell->at & VT_AT_BOLD) {
		style += FONT_BOLD;
	}
	if (cell->at & VT_AT_ITALIC) {
		style += FONT_ITALIC;
	}
	struct fcft_font *font = font_get(terminal, style);
	int baseline = y + terminal->ascent;
	if (count > 1 && (fcft_capabilities() & FCFT_CAPABILITY_GRAPHEME_SHAPING)) {
		const struct fcft_grapheme *grapheme =
			fcft_rasterize_grapheme_utf32(font, count, cps, FCFT_SUBPIXEL_NONE);
		if (grapheme != NULL) {
			int pen = x;
			for (size_t i = 0; i < grapheme->count; i++) {
				const struct fcft_glyph *glyph = grapheme->glyphs[i];
				/* A mark is placed from where its base begins, or from where it
				 * ends. */
				bool mark = i > 0 && glyph->advance.x == 0 && glyph->x >= 0;
				draw_glyph(frame, glyph, rgb, mark ? x : pen, baseline, width);
				pen += glyph->advance.x;
			}
			return;
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		draw_glyph(frame, fcft_rasterize_char_utf32(font, cps[i], FCFT_SUBPIXEL_NONE), rgb,
			x, baseline, width);
	}
}

static void draw_curl(const struct frame *frame, uint32_t rgb, int x, int y, int width) {
	int t = frame->terminal->thickness;
	/* A zigzag of period 4t, rounded by its own thickness; phase by the place, so cells join.
	 */
	static const int8_t wave[4] = {0, 1, 2, 1};
	for (int i = 0; i < width; i += t) {
		int step = t * wave[((x + i) / t) & 3];
		fill_rect(frame, rgb, x + i, y + step - t, i + t > width ? width - i : t, t);
	}
}

static void draw_underline(const struct frame *frame, const struct vt_cell *cell, uint32_t rgb,
	int x, int y, int width) {
	struct terminal *terminal = frame->terminal;
	int t = terminal->thickness;
	int at = y + terminal->underline_at;
	uint32_t own = vt_cell_underline(&terminal->vt, cell);
	if (own != VT_COLOR_DEFAULT) {
		rgb = vt_rgb(&terminal->vt, own, VT_COLOR_FG);
	}
	uint32_t link = vt_cell_link(&terminal->vt, cell);
	enum vt_underline underline = VT_UNDERLINE_OF(cell->at);
	if (underline == VT_UNDERLINE_NONE && link != 0) {
		underline =
			link == terminal->hover_link ? VT_UNDERLINE_SINGLE : VT_UNDERLINE_DOTTED;
	}
	switch (underline) {
	case VT_UNDERLINE_NONE:
		break;
	case VT_UNDERLINE_SINGLE:
		fill_rect(frame, rgb, x, at, width, t);
		break;
	case VT_UNDERLINE_DOUBLE:
		fill_rect(frame, rgb, x, at - t, width, t);
		fill_rect(frame, rgb, x, at + t, width, t);
		break;
	case VT_UNDERLINE_CURLY:
		draw_curl(frame, rgb, x, at, width);
		break;
	case VT_UNDERLINE_DOTTED:
		/* Phase by the place, so that they go on evenly from cell to cell. */
		for (int i = (2 * t - x % (2 * t)) % (2 * t); i < width; i += 2 * t) {
			fill_rect(frame, rgb, x + i, at, i + t > width ? width - i : t, t);
		}
		break;
	case VT_UNDERLINE_DASHED:
		fill_rect(frame, rgb, x, at, width * 3 / 5, t);
		break;
	}
}

static void draw_decorations(const struct frame *frame, const struct vt_cell *cell, uint32_t rgb,
	int x, int y, int width) {
	const struct terminal *terminal = frame->terminal;
	draw_underline(frame, cell, rgb, x, y, width);
	if (cell->at & VT_AT_STRIKE) {
		fill_rect(frame, rgb, x, y + terminal->strike_at, width, terminal->thickness);
	}
	if (cell->at & VT_AT_OVERLINE) {
		fill_rect(frame, rgb, x, y, width, terminal->thickness);
	}
}

/* Everything but the background. */
static void draw_cell(
	struct frame *frame, const struct vt_cell *cell, struct colors colors, int x, int y) {
	if (cell->ch & (VT_CH_TAIL | VT_CH_PAD)) {
		return;
	}
	if (cell->ch != 0) {
		draw_text(frame, cell, colors.fg, x, y);
	}
	if (cell->at & (VT_AT_UNDERLINE | VT_AT_STRIKE | VT_AT_OVERLINE | ~VT_AT_MASK)) {
		int columns = cell->ch & VT_CH_WIDE ? 2 : 1;
		draw_decorations(
			frame, cell, colors.fg, x, y, columns * frame->terminal->cell_width);
	}
}

static void draw_cursor(
	struct frame *frame, const struct vt_cell *cell, struct colors colors, int x, int y) {
	const struct terminal *terminal = frame->terminal;
	const struct vt_state *state = terminal->vt.state;
	int width = terminal->cell_width * (cell->ch & VT_CH_WIDE ? 2 : 1);
	int height = terminal->cell_height;
	uint32_t rgb = state->colors[VT_COLOR_CURSOR];
	if (rgb == VT_COLOR_UNSET) {
		rgb = colors.fg;
	}
	int t = terminal->thickness;
	if (!terminal->tile->focused) {
		fill_rect(frame, rgb, x, y, width, t);
		fill_rect(frame, rgb, x, y + height - t, width, t);
		fill_rect(frame, rgb, x, y, t, height);
		fill_rect(frame, rgb, x + width - t, y, t, height);
		return;
	}
	switch ((enum vt_cursor_style)(frame->cursor - 1)) {
	case VT_CURSOR_UNDERLINE:
		fill_rect(frame, rgb, x, y + height - 2 * t, width, 2 * t);
		return;
	case VT_CURSOR_BAR:
		fill_rect(frame, rgb, x, y, 2 * t, height);
		return;
	case VT_CURSOR_BLOCK:
		fill_rect(frame, rgb, x, y, width, height);
		draw_cell(frame, cell, (struct colors){.fg = colors.bg, .bg = rgb}, x, y);
		return;
	}
}

/* Backgrounds in runs of one colour, before any text: glyphs may reach into the next cell. */
static void draw_backgrounds(
	const struct frame *frame, const struct colors colors[VT_MAX_COLS], int y) {
	const struct terminal *terminal = frame->terminal;
	uint32_t start = 0;
	for (uint32_t col = 1; col <= frame->cols; col++) {
		if (col == frame->cols || colors[col].bg != colors[start].bg) {
			fill_rect(frame, colors[start].bg,
				terminal->pad + (int)start * terminal->cell_width, y,
				(int)(col - start) * terminal->cell_width, terminal->cell_height);
			start = col;
		}
	}
}

static void draw_row(struct frame *frame, uint32_t row, int y) {
	struct terminal *terminal = frame->terminal;
	uint64_t line = frame->top + row;
	const struct vt_cell *cells = frame->held != NULL ? frame->held + (size_t)row * frame->cols
							  : vt_line_cells(&terminal->vt, line);
	if (cells == NULL) {
		return;
	}
	frame->row_y = y;
	uint32_t from = 0, to = 0;
	selection_columns(terminal, line, &from, &to);
	struct colors colors[VT_MAX_COLS];
	for (uint32_t col = 0; col < frame->cols; col++) {
		colors[col] = cell_colors(frame, &cells[col], col >= from && col < to);
	}
	draw_backgrounds(frame, colors, y);
	for (uint32_t col = 0; col < frame->cols; col++) {
		if (cells[col].ch != 0 || cells[col].at != 0) {
			draw_cell(frame, &cells[col], colors[col],
				terminal->pad + (int)col * terminal->cell_width, y);
		}
	}
	if (frame->cursor != 0 && line == frame->cursor_line && frame->cursor_col < frame->cols) {
		uint32_t col = frame->cursor_col;
		if (col > 0 && (cells[col].ch & VT_CH_TAIL)) {
			col--;
		}
		draw_cursor(frame, &cells[col], cell_colors(frame, &cells[col], false),
			terminal->pad + (int)col * terminal->cell_width, y);
	}
}

/* A thin bar at the right edge that says how far back the view is. */
static void draw_bar(const struct frame *frame) {
	const struct terminal *terminal = frame->terminal;
	const struct vt *vt = &terminal->vt;
	int width = terminal->pad / 2 > 2 ? terminal->pad / 2 : 2;
	uint32_t rgb = mix(vt_rgb(vt, VT_COLOR_DEFAULT, VT_COLOR_BG),
		vt_rgb(vt, VT_COLOR_DEFAULT, VT_COLOR_FG), 3);
	fill_rect(frame, rgb, frame->width - width, terminal->bar.y, width, terminal->bar.height);
}

static bool set_clip(pixman_image_t *image, const struct tile_canvas *canvas) {
	pixman_region32_t clip;
	pixman_region32_init(&clip);
	for (size_t i = 0; i < canvas->damage_count; i++) {
		const struct tile_rect *rect = &canvas->damage[i];
		if (rect->width > 0 && rect->height > 0) {
			pixman_region32_union_rect(&clip, &clip, rect->x, rect->y,
				(unsigned)rect->width, (unsigned)rect->height);
		}
	}
	bool set = pixman_image_set_clip_region32(image, &clip);
	pixman_region32_fini(&clip);
	return set;
}

static bool row_is_damaged(const struct tile_canvas *canvas, int y, int height) {
	for (size_t i = 0; i < canvas->damage_count; i++) {
		const struct tile_rect *rect = &canvas->damage[i];
		if (rect->y < y + height && rect->y + rect->height > y) {
			return true;
		}
	}
	return false;
}

/* What is shown: the core's screen, or the picture held while the program makes its next one. */
static void choose_picture(struct frame *frame) {
	const struct terminal *terminal = frame->terminal;
	const struct vt *vt = &terminal->vt;
	const struct view *view = terminal->view;
	frame->cols = vt->state->cols;
	frame->rows = vt->state->rows;
	if (view->held && view->held_cols == frame->cols && view->held_rows == frame->rows) {
		frame->held = terminal->tile->cells[TERMINAL_HELD];
		frame->top = view->held_top;
		frame->cursor_line = view->held_line;
		frame->cursor_col = view->held_col;
		frame->cursor = view->held_cursor;
	} else {
		frame->top = terminal_top(terminal);
		frame->cursor_line = vt_line_screen(vt) + vt->state->row;
		frame->cursor_col = vt->state->col;
		frame->cursor = vt_mode(vt, VT_MODE_CURSOR) ? 1u + vt->state->cursor_style : 0;
	}
	if (terminal->view->blink_off) {
		frame->cursor = 0;
	}
}

static void draw_border(const struct frame *frame) {
	const struct terminal *terminal = frame->terminal;
	const struct vt *vt = &terminal->vt;
	uint32_t bg = vt_rgb(
		vt, VT_COLOR_DEFAULT, vt_mode(vt, VT_MODE_REVERSE) ? VT_COLOR_FG : VT_COLOR_BG);
	int right = terminal->pad + (int)frame->cols * terminal->cell_width;
	int bottom = terminal->pad + (int)frame->rows * terminal->cell_height;
	fill_rect(frame, bg, 0, 0, frame->width, terminal->pad);
	fill_rect(frame, bg, 0, bottom, frame->width, frame->height - bottom);
	fill_rect(frame, bg, 0, 0, terminal->pad, frame->height);
	fill_rect(frame, bg, right, 0, frame->width - right, frame->height);
}

void terminal_draw(struct tile *tile, const struct tile_canvas *canvas) {
	struct terminal *terminal = tile->scratch;
	struct frame frame = {
		.terminal = terminal,
		.image = pixman_image_create_bits_no_clear(PIXMAN_a8r8g8b8, canvas->width,
			canvas->height, canvas->pixels, canvas->stride),
		.width = canvas->width,
		.height = canvas->height,
	};
	if (frame.image == NULL) {
		return;
	}
	if (!set_clip(frame.image, canvas)) {
		goto end;
	}
	choose_picture(&frame);
	draw_border(&frame);
	for (uint32_t row = 0; row < frame.rows; row++) {
		int y = terminal->pad + (int)row * terminal->cell_height;
		if (row_is_damaged(canvas, y, terminal->cell_height)) {
			draw_row(&frame, row, y);
		}
	}
	draw_bar(&frame);
	terminal->held_waits = false;
end:
	if (frame.ink != NULL) {
		pixman_image_unref(frame.ink);
	}
	pixman_image_unref(frame.image);
}

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
	int width, height; /* buffer pixels */
	uint64_t cursor_line;
	uint32_t cursor_col;
	bool cursor_shown;
};

static pixman_color_t to_pixman(uint32_t rgb)
{
	return (pixman_color_t){
		.red = (uint16_t)((rgb >> 16 & 0xff) * 0x101),
		.green = (uint16_t)((rgb >> 8 & 0xff) * 0x101),
		.blue = (uint16_t)((rgb & 0xff) * 0x101),
		.alpha = 0xffff,
	};
}

static uint32_t mix(uint32_t a, uint32_t b, unsigned b_parts_of_8)
{
	uint32_t mixed = 0;
	for (int shift = 0; shift < 24; shift += 8) {
		uint32_t channel = ((a >> shift & 0xff) * (8 - b_parts_of_8) +
					   (b >> shift & 0xff) * b_parts_of_8) / 8;
		mixed |= channel << shift;
	}
	return mixed;
}

static void fill_rect(const struct frame *frame, uint32_t rgb, int x, int y, int width, int height)
{
	if (width <= 0 || height <= 0) {
		return;
	}
	pixman_color_t color = to_pixman(rgb);
	pixman_box32_t box = {x, y, x + width, y + height};
	pixman_image_fill_boxes(PIXMAN_OP_SRC, frame->image, &color, 1, &box);
}

static struct colors cell_colors(const struct frame *frame, const struct vt_cell *cell, bool selected)
{
	const struct vt *vt = &frame->terminal->vt;
	uint32_t fg = cell->fg;
	/* Bold in one of the eight dark colours is shown bright, as programs have expected for long. */
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

static void draw_glyph(const struct frame *frame, const struct fcft_glyph *glyph,
	pixman_image_t *source, int x, int baseline)
{
	if (glyph == NULL || glyph->pix == NULL) {
		return;
	}
	int gx = x + glyph->x, gy = baseline - glyph->y;
	if (glyph->is_color_glyph) {
		pixman_image_composite32(PIXMAN_OP_OVER, glyph->pix, NULL, frame->image, 0, 0, 0, 0, gx,
			gy, glyph->width, glyph->height);
	} else {
		pixman_image_composite32(PIXMAN_OP_OVER, source, glyph->pix, frame->image, 0, 0, 0, 0,
			gx, gy, glyph->width, glyph->height);
	}
}

static void draw_text(const struct frame *frame, const struct vt_cell *cell,
	pixman_image_t *source, const pixman_color_t *color, int x, int y)
{
	struct terminal *terminal = frame->terminal;
	uint32_t cps[VT_CLUSTER_CPS];
	uint32_t count = vt_cell_cps(&terminal->vt, cell, cps);
	if (count == 0 || (count == 1 && cps[0] == ' ')) {
		return;
	}
	int columns = cell->ch & VT_CH_WIDE ? 2 : 1;
	if (count == 1 && boxdraw(frame->image, color, cps[0], x, y,
				 columns * terminal->cell_width, terminal->cell_height,
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
				draw_glyph(frame, grapheme->glyphs[i], source, pen, baseline);
				pen += grapheme->glyphs[i]->advance.x;
			}
			return;
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		draw_glyph(frame, fcft_rasterize_char_utf32(font, cps[i], FCFT_SUBPIXEL_NONE), source,
			x, baseline);
	}
}

static void draw_curl(const struct frame *frame, uint32_t rgb, int x, int y, int width)
{
	int t = frame->terminal->thickness;
	/* A zigzag of period 4t, rounded by its own thickness; phase by the place, so cells join. */
	static const int8_t wave[4] = {0, 1, 2, 1};
	for (int i = 0; i < width; i += t) {
		int step = t * wave[((x + i) / t) & 3];
		fill_rect(frame, rgb, x + i, y + step - t, i + t > width ? width - i : t, t);
	}
}

static void draw_underline(const struct frame *frame, const struct vt_cell *cell, uint32_t rgb, int x,
	int y, int width)
{
	struct terminal *terminal = frame->terminal;
	int t = terminal->thickness;
	int at = y + terminal->ascent + t + (terminal->cell_height - terminal->ascent) / 4;
	if (at + 2 * t > y + terminal->cell_height) {
		at = y + terminal->cell_height - 2 * t;
	}
	uint32_t own = vt_cell_underline(&terminal->vt, cell);
	if (own != VT_COLOR_DEFAULT) {
		rgb = vt_rgb(&terminal->vt, own, VT_COLOR_FG);
	}
	uint32_t link = vt_cell_link(&terminal->vt, cell);
	enum vt_underline underline = VT_UNDERLINE_OF(cell->at);
	if (underline == VT_UNDERLINE_NONE && link != 0) {
		underline = link == terminal->hover_link ? VT_UNDERLINE_SINGLE : VT_UNDERLINE_DOTTED;
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
		for (int i = 0; i < width; i += 2 * t) {
			fill_rect(frame, rgb, x + i, at, t, t);
		}
		break;
	case VT_UNDERLINE_DASHED:
		fill_rect(frame, rgb, x, at, width * 3 / 5, t);
		break;
	}
}

static void draw_decorations(const struct frame *frame, const struct vt_cell *cell, uint32_t rgb, int x,
	int y, int width)
{
	const struct terminal *terminal = frame->terminal;
	draw_underline(frame, cell, rgb, x, y, width);
	if (cell->at & VT_AT_STRIKE) {
		fill_rect(frame, rgb, x, y + terminal->ascent * 2 / 3, width, terminal->thickness);
	}
	if (cell->at & VT_AT_OVERLINE) {
		fill_rect(frame, rgb, x, y, width, terminal->thickness);
	}
}

/* Everything but the background. */
static void draw_cell(
	const struct frame *frame, const struct vt_cell *cell, struct colors colors, int x, int y)
{
	if (cell->ch & (VT_CH_TAIL | VT_CH_PAD)) {
		return;
	}
	pixman_color_t color = to_pixman(colors.fg);
	if (cell->ch != 0) {
		pixman_image_t *source = pixman_image_create_solid_fill(&color);
		if (source == NULL) {
			return;
		}
		draw_text(frame, cell, source, &color, x, y);
		pixman_image_unref(source);
	}
	if (cell->at & (VT_AT_UNDERLINE | VT_AT_STRIKE | VT_AT_OVERLINE | ~VT_AT_MASK)) {
		int columns = cell->ch & VT_CH_WIDE ? 2 : 1;
		draw_decorations(frame, cell, colors.fg, x, y, columns * frame->terminal->cell_width);
	}
}

static void draw_cursor(const struct frame *frame, const struct vt_cell *cell, struct colors colors,
	int x, int y)
{
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
	switch ((enum vt_cursor_style)state->cursor_style) {
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

static void draw_row(const struct frame *frame, uint64_t line, int y)
{
	struct terminal *terminal = frame->terminal;
	const struct vt *vt = &terminal->vt;
	const struct vt_cell *cells = vt_line_cells(vt, line);
	if (cells == NULL) {
		return;
	}
	uint32_t cols = vt->state->cols;
	uint32_t from = 0, to = 0;
	selection_columns(terminal, line, &from, &to);
	int cell_width = terminal->cell_width;
	/* Backgrounds first, in runs of one colour: glyphs may reach into the next cell. */
	uint32_t run_start = 0, run_bg = 0;
	for (uint32_t col = 0; col <= cols; col++) {
		uint32_t bg = 0;
		if (col < cols) {
			bg = cell_colors(frame, &cells[col], col >= from && col < to).bg;
		}
		if (col == 0) {
			run_bg = bg;
		} else if (col == cols || bg != run_bg) {
			fill_rect(frame, run_bg, terminal->pad + (int)run_start * cell_width, y,
				(int)(col - run_start) * cell_width, terminal->cell_height);
			run_start = col;
			run_bg = bg;
		}
	}
	for (uint32_t col = 0; col < cols; col++) {
		const struct vt_cell *cell = &cells[col];
		if (cell->ch == 0 && cell->at == 0) {
			continue;
		}
		draw_cell(frame, cell, cell_colors(frame, cell, col >= from && col < to),
			terminal->pad + (int)col * cell_width, y);
	}
	if (frame->cursor_shown && line == frame->cursor_line) {
		uint32_t col = frame->cursor_col;
		if (col > 0 && (cells[col].ch & VT_CH_TAIL)) {
			col--;
		}
		draw_cursor(frame, &cells[col], cell_colors(frame, &cells[col], false),
			terminal->pad + (int)col * cell_width, y);
	}
}

/* A thin bar at the right edge that says how far back the view is. */
static void draw_scrollbar(const struct frame *frame, uint64_t top)
{
	const struct terminal *terminal = frame->terminal;
	const struct vt *vt = &terminal->vt;
	uint64_t first = vt_line_first(vt);
	uint64_t total = vt_line_end(vt) - first;
	if (!terminal->view->scrolled || total <= vt->state->rows) {
		return;
	}
	int width = terminal->pad / 2 > 2 ? terminal->pad / 2 : 2;
	int height = (int)((double)vt->state->rows / (double)total * frame->height);
	height = height < 4 * width ? 4 * width : height;
	double share = (double)(top - first) / (double)(total - vt->state->rows);
	int y = (int)(share * (frame->height - height));
	uint32_t rgb = mix(vt_rgb(vt, VT_COLOR_DEFAULT, VT_COLOR_BG),
		vt_rgb(vt, VT_COLOR_DEFAULT, VT_COLOR_FG), 3);
	fill_rect(frame, rgb, frame->width - width, y, width, height);
}

static bool set_clip(pixman_image_t *image, const struct tile_canvas *canvas)
{
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

static bool row_is_damaged(const struct tile_canvas *canvas, int y, int height)
{
	for (size_t i = 0; i < canvas->damage_count; i++) {
		const struct tile_rect *rect = &canvas->damage[i];
		if (rect->y < y + height && rect->y + rect->height > y) {
			return true;
		}
	}
	return false;
}

void terminal_draw(struct tile *tile, const struct tile_canvas *canvas)
{
	struct terminal *terminal = tile->scratch;
	const struct vt *vt = &terminal->vt;
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
	uint64_t screen = vt_line_screen(vt);
	frame.cursor_line = screen + vt->state->row;
	frame.cursor_col = vt->state->col;
	frame.cursor_shown = vt_mode(vt, VT_MODE_CURSOR) && !terminal->blink_off;

	uint32_t bg = vt_rgb(vt, VT_COLOR_DEFAULT,
		vt_mode(vt, VT_MODE_REVERSE) ? VT_COLOR_FG : VT_COLOR_BG);
	int grid_right = terminal->pad + (int)vt->state->cols * terminal->cell_width;
	int grid_bottom = terminal->pad + (int)vt->state->rows * terminal->cell_height;
	fill_rect(&frame, bg, 0, 0, canvas->width, terminal->pad);
	fill_rect(&frame, bg, 0, grid_bottom, canvas->width, canvas->height - grid_bottom);
	fill_rect(&frame, bg, 0, 0, terminal->pad, canvas->height);
	fill_rect(&frame, bg, grid_right, 0, canvas->width - grid_right, canvas->height);

	uint64_t top = terminal_top(terminal);
	for (uint32_t row = 0; row < vt->state->rows; row++) {
		int y = terminal->pad + (int)row * terminal->cell_height;
		if (row_is_damaged(canvas, y, terminal->cell_height)) {
			draw_row(&frame, top + row, y);
		}
	}
	draw_scrollbar(&frame, top);
end:
	pixman_image_unref(frame.image);
}

/* SPDX-License-Identifier: MIT */
/*
 * The terminal tile: a shell on a PTY stream, the VT core (vt.h) on its cells, fcft for the text.
 *
 * Everything that matters lives in cells: the core's arrays and struct view. struct terminal is the
 * scratch of one version: fonts, what is drawn at the moment, nothing that could not be made anew.
 * All functions run on the tile's thread, called from the operations in terminal.c.
 */
#ifndef CITY_TERMINAL_H
#define CITY_TERMINAL_H

#include <fcft/fcft.h>
#include <pixman.h>

#include "boxdraw.h"
#include "theme.h"
#include "tile.h"
#include "vt.h"

/* Cells of the descriptor: the arrays of the core come first, under their own numbers. */
enum terminal_cell {
	TERMINAL_VIEW = VT_ARRAYS,
	TERMINAL_PASTE,
	TERMINAL_HELD, /* struct vt_cell: the picture that stays during a synchronised update */
	TERMINAL_CELLS,
};

/* Marks of the core that the tile uses. */
enum terminal_mark {
	MARK_ANCHOR, /* where a selection began */
	MARK_HEAD,   /* where it ends */
	MARK_TOP,    /* the first line shown, while scrolled back */
};

enum selection_kind {
	SELECTION_NONE,
	SELECTION_TEXT,
	SELECTION_WORDS,
	SELECTION_LINES,
	SELECTION_BLOCK,
};

/* What the user did to the view: a cell. */
struct view {
	uint64_t paste_at;   /* bytes of TERMINAL_PASTE that went out, */
	uint64_t paste_size; /* and that there are; 0: no paste under way */
	int32_t font_step;   /* steps that the text was made larger */
	int32_t exit_status; /* of the shell, as waitpid gives it, once ended */
	uint32_t selection;  /* enum selection_kind */
	bool selecting;	     /* the button is held */
	bool scrolled;	     /* MARK_TOP holds the first line shown; else the screen is shown */
	bool ended;	     /* the shell has ended; Enter starts another */
	bool focused;
	uint32_t buttons;   /* held and told to the program, as a mask by core number */
	double scroll_rest; /* lines of scrolling that did not make a whole one yet */
	/* While a program makes its next picture (mode 2026), TERMINAL_HELD is what is shown. */
	bool held;
	uint32_t held_cols, held_rows;
	uint64_t held_top;  /* its first line */
	uint64_t held_line; /* its cursor */
	uint32_t held_col;
	uint32_t held_cursor;  /* 1 + enum vt_cursor_style; 0: hidden */
	uint32_t own_key;      /* evdev: pressed for the terminal, so its release is not told */
	uint64_t sync_ns;      /* when a synchronised update counts as forgotten; 0: none */
	uint64_t blink_ns;     /* when the cursor's blink turns; 0: not blinking */
	uint64_t drag_ns;      /* when a selection that left the tile scrolls next; 0: it did not */
	double drag_x, drag_y; /* where the pointer is then */
	bool blink_off;	       /* the cursor is in the dark half of its blink */
};

enum font_style {
	FONT_REGULAR,
	FONT_BOLD,
	FONT_ITALIC,
	FONT_BOLD_ITALIC,
	FONT_STYLES,
};

struct cursor_drawn {
	uint64_t line;
	uint32_t col;
	uint32_t look; /* shape and focus, folded; 0: none */
};

/* The bar that says how far back the view is; height 0: none. Buffer pixels. */
struct bar {
	int y, height;
};

struct terminal {
	struct tile *tile;
	struct vt vt;
	struct view *view;
	int pty; /* stream, -1: none */

	/* Made by font_load; buffer pixels. */
	struct fcft_font *fonts[FONT_STYLES]; /* regular is always there, the others when used */
	double scale;
	int font_step, font_px;
	int cell_width, cell_height, ascent;
	int pad;
	int thickness;	  /* of lines in box drawing, cursors and underlines */
	int underline_at; /* from a cell's top to its underline */
	int strike_at;

	uint64_t top_drawn; /* first line shown at the last damage */
	struct cursor_drawn cursor;
	struct bar bar;
	bool held_waits;     /* the held picture has not been drawn yet */
	bool pointer_inside; /* as told last; told again to every version */
	double pointer_x, pointer_y;
	uint32_t hover_link; /* hyperlink under the pointer */
};

/* --- cells.c --- */

extern const struct vat_cell_decl terminal_cells[TERMINAL_CELLS];
/* Make the arrays large enough for that many columns, rows and lines of history and put them into
 * `memory`. False when there is no memory for it (logged). */
bool terminal_memory(
	struct terminal *terminal, uint32_t cols, uint32_t rows, struct vt_memory *memory);

/* --- view.c --- */

/* A synchronised update that takes longer was forgotten by its program. */
#define SYNC_LIMIT_NS 200000000ull

/* Tell the host what has to be drawn again. Call after anything that may have changed the screen.
 */
void terminal_damage(struct terminal *terminal);
/* The same for the bar alone, also during a synchronised update. */
void terminal_damage_bar(struct terminal *terminal);
/* The program begins or has ended its next picture. */
void terminal_sync_begin(struct terminal *terminal);
void terminal_sync_end(struct terminal *terminal);
/* First line shown. */
uint64_t terminal_top(const struct terminal *terminal);
/* Scroll the view; positive is back into the history. */
void terminal_scroll(struct terminal *terminal, int64_t lines);
void terminal_scroll_end(struct terminal *terminal);

/* --- terminal.c --- */

/* Give the PTY what waits for it, and the rest of a paste. */
void terminal_flush(struct terminal *terminal);
/* Start the shell, or what the option "command" says, on a screen with all modes as at first. */
void terminal_start_shell(struct terminal *terminal);
/* Fit grid and PTY to the tile's size, scale and font. */
void terminal_resize(struct terminal *terminal);

/* --- font.c --- */

/* Load fonts for tile->scale and that step; false, and what was loaded stays, when there is none.
 */
bool font_load(struct terminal *terminal, int font_step);
void font_unload(struct terminal *terminal);
struct fcft_font *font_get(struct terminal *terminal, enum font_style style);

/* --- render.c --- */

void terminal_draw(struct tile *tile, const struct tile_canvas *canvas);

/* --- selection.c --- */

void selection_start(
	struct terminal *terminal, uint64_t line, uint32_t col, enum selection_kind kind);
/* `edge`: column boundary nearest to the pointer, `col`: column that it is in. */
void selection_extend(struct terminal *terminal, uint64_t line, uint32_t edge, uint32_t col);
void selection_clear(struct terminal *terminal);
/* Columns of a line that are selected: [from, to). False when none. */
bool selection_columns(
	const struct terminal *terminal, uint64_t line, uint32_t *from, uint32_t *to);
/* The selected text as UTF-8; owned by the caller, NULL when there is none. */
char *selection_text(const struct terminal *terminal, size_t *size);

/* --- input.c --- */

void terminal_input(struct tile *tile, const struct tile_input *event);
/* The hyperlink under the pointer may be another one. */
void terminal_hover(struct terminal *terminal);
/* A selection is being dragged outside the tile: scroll there. At drag_ns. */
void terminal_drag(struct terminal *terminal);

#endif

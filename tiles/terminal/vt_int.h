/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the terminal's core share. Rows are screen rows unless they are called lines,
 * ranges are [from, to) unless they are called margins, the screen is the one shown.
 */
#ifndef CITY_TERMINAL_VT_INT_H
#define CITY_TERMINAL_VT_INT_H

#include "vt.h"

#include <string.h>

#ifndef CITY_VERSION
#define CITY_VERSION "0"
#endif

enum vt_parser {
	VT_GROUND,
	VT_ESCAPE,
	VT_ESCAPE_INTER,
	VT_CSI,
	VT_CSI_INTER,
	VT_CSI_IGNORE,
	VT_DCS,
	VT_DCS_INTER,
	VT_DCS_IGNORE, /* header was wrong: the whole string is skipped */
	VT_IN_STRING,
	VT_IN_STRING_ESCAPE,
	VT_PARSERS,
};

enum vt_string_kind {
	VT_STRING_NONE,
	VT_STRING_SKIP, /* SOS, PM, APC, and DCS that nobody wants */
	VT_STRING_OSC,
	VT_STRING_DCS,
	VT_STRING_KINDS,
};

enum vt_charset {
	VT_CHARSET_ASCII,
	VT_CHARSET_GRAPHICS,
	VT_CHARSET_TECHNICAL,
	VT_CHARSET_SUPPLEMENTAL, /* 94 characters of DEC multinational */
	VT_CHARSET_LATIN1,	 /* 96 */
	VT_CHARSET_BRITISH,
	VT_CHARSET_DUTCH,
	VT_CHARSET_FINNISH,
	VT_CHARSET_FRENCH,
	VT_CHARSET_CANADIAN,
	VT_CHARSET_GERMAN,
	VT_CHARSET_ITALIAN,
	VT_CHARSET_NORWEGIAN,
	VT_CHARSET_PORTUGUESE,
	VT_CHARSET_SPANISH,
	VT_CHARSET_SWEDISH,
	VT_CHARSET_SWISS,
	VT_CHARSETS,
};

/* One control sequence, whole. */
struct vt_sequence {
	uint16_t params[VT_PARAMS];
	uint32_t separators;
	uint8_t count;
	uint8_t private;
	uint8_t inter_count;
	uint8_t inters[2];
	uint8_t final;
};

#define VT_DIRTY_BITS (VT_MAX_ROWS * 2)
#define VT_BIT(mode) (UINT64_C(1) << (mode))

static inline uint32_t vt_min(uint32_t a, uint32_t b) {
	return a < b ? a : b;
}

static inline uint32_t vt_max(uint32_t a, uint32_t b) {
	return a > b ? a : b;
}

/* Parameter n, or `missing` when it is absent or 0. */
static inline uint32_t vt_param(const struct vt_sequence *q, uint32_t n, uint32_t missing) {
	return n < q->count && q->params[n] ? q->params[n] : missing;
}

/* Ring index of a line counted from the oldest. */
static inline uint32_t vt_slot(const struct vt_state *s, uint32_t screen, uint32_t line) {
	uint32_t slot = s->zero[screen] + line;
	return slot >= s->ring[screen] ? slot - s->ring[screen] : slot;
}

static inline struct vt_row *vt_screen_row(const struct vt *vt, uint32_t row) {
	const struct vt_state *s = vt->state;
	return &vt->rows[s->alt][vt_slot(s, s->alt, s->history[s->alt] + row)];
}

static inline struct vt_cell *vt_row_cells(const struct vt *vt, const struct vt_row *row) {
	return vt->cells[vt->state->alt] + (size_t)row->store * vt->state->cols;
}

static inline uint64_t vt_row_line(const struct vt_state *s, uint32_t row) {
	return s->first[s->alt] + s->history[s->alt] + row;
}

static inline void vt_dirty(struct vt *vt, uint32_t row) {
	uint64_t bit = vt_row_line(vt->state, row) % VT_DIRTY_BITS;
	vt->dirty[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void vt_row_uses(struct vt_row *row, uint32_t to) {
	if (row->used < to) {
		row->used = (uint16_t)to;
	}
}

/*
 * Word by word, also where the compiler would rather read more at once: the pen has often just been
 * written so, and a wider read then has to wait for the writes to reach the cache.
 */
static inline uint32_t vt_pen_word(const struct vt_state *s, uint32_t i) {
	uint32_t word = s->pen[i];
	__asm__("" : "+r"(word));
	return word;
}

static inline struct vt_cell vt_pen(const struct vt_state *s) {
	return (struct vt_cell){0, vt_pen_word(s, 1), vt_pen_word(s, 2), vt_pen_word(s, 3)};
}

/* What erasing leaves: the pen's background and nothing else. */
static inline struct vt_cell vt_blank(const struct vt_state *s) {
	return (struct vt_cell){0, 0, s->pen[2], 0};
}

static inline bool vt_cell_zero(struct vt_cell cell) {
	return (cell.ch | cell.fg | cell.bg | cell.at) == 0;
}

/*
 * Something is about to change on one side of the border before `col`: a wide character across it
 * loses both halves.
 */
static inline void vt_cut_wide(struct vt *vt, struct vt_row *row, uint32_t col) {
	if (col == 0 || col >= row->used) {
		return;
	}
	struct vt_cell *cells = vt_row_cells(vt, row);
	if (cells[col].ch & VT_CH_TAIL) {
		cells[col].ch = 0;
		cells[col - 1].ch = 0;
	}
}

static inline uint32_t vt_left_margin(const struct vt_state *s) {
	return s->modes & VT_BIT(VT_MODE_MARGINS) ? s->left : 0;
}

static inline uint32_t vt_right_margin(const struct vt_state *s) {
	return s->modes & VT_BIT(VT_MODE_MARGINS) ? s->right : s->cols - 1;
}

typedef uint32_t vt_lanes __attribute__((vector_size(16)));

static inline uint32_t vt_right_limit(const struct vt_state *s) {
	uint32_t right = vt_right_margin(s);
	return s->col <= right ? right : s->cols - 1;
}

/*
 * Moves the cursor behind what was printed at `row`, `col`, and keeps what REP and joining need.
 * The values come as arguments: reading them back as a pair right after they were stored one by one
 * stalls the processor, for every character.
 */
static inline void vt_advance(struct vt_state *s, uint32_t cp, uint32_t row, uint32_t col,
	uint32_t width, uint32_t limit) {
	bool at_limit = col + width > limit;
	col = at_limit ? limit : col + width;
	s->col = col;
	s->pending_wrap = at_limit;
	s->last_cp = cp;
	s->last_row = row;
	s->last_col = col;
}

static inline void vt_tell(struct vt *vt, enum vt_event_kind kind, uint32_t a, uint32_t b) {
	if (vt->event) {
		vt->event(vt->user, &(struct vt_event){.kind = kind, .a = a, .b = b});
	}
}

/* vt.c */
uint32_t vt_ring_size(const struct vt_memory *memory, uint32_t screen, uint32_t cols);

/* vt_grid.c: rows and cells */
void vt_rows_fresh(struct vt *vt, uint32_t screen);
void vt_row_clear(struct vt *vt, struct vt_row *row, struct vt_cell blank);
void vt_fill(struct vt *vt, uint32_t row, uint32_t from, uint32_t to, struct vt_cell cell);
void vt_erase(struct vt *vt, uint32_t row, uint32_t from, uint32_t to);
void vt_erase_unprotected(struct vt *vt, uint32_t row, uint32_t from, uint32_t to);
void vt_erase_rows(struct vt *vt, uint32_t from, uint32_t to);
void vt_scroll_up(struct vt *vt, uint32_t top, uint32_t bottom, uint32_t count, bool keep);
void vt_scroll_down(struct vt *vt, uint32_t top, uint32_t bottom, uint32_t count);
void vt_insert_cells(struct vt *vt, uint32_t row, uint32_t col, uint32_t to, uint32_t count);
void vt_delete_cells(struct vt *vt, uint32_t row, uint32_t col, uint32_t to, uint32_t count);
void vt_move_columns(
	struct vt *vt, uint32_t from_row, uint32_t to_row, uint32_t left, uint32_t right);

/* vt_cursor.c: moving the cursor, saving it, switching screens */
void vt_move_to(struct vt *vt, uint32_t row, uint32_t col);
void vt_move_origin(struct vt *vt, uint32_t row, uint32_t col);
void vt_home(struct vt *vt);
void vt_line_feed(struct vt *vt);
void vt_reverse_line_feed(struct vt *vt);
void vt_carriage_return(struct vt *vt);
void vt_backspace(struct vt *vt, uint32_t count);
void vt_tab(struct vt *vt, uint32_t count);
void vt_tab_back(struct vt *vt, uint32_t count);
void vt_forward_index(struct vt *vt);
void vt_back_index(struct vt *vt);
void vt_save_cursor(struct vt *vt);
void vt_restore_cursor(struct vt *vt);
void vt_show_screen(struct vt *vt, bool alt);
void vt_soft_reset(struct vt *vt);
void vt_reset_pen(struct vt_state *s);

/* vt_print.c: characters */
void vt_print(struct vt *vt, uint32_t cp);
void vt_wrap(struct vt *vt);
const uint8_t *vt_print_mixed(struct vt *vt, const uint8_t *at, const uint8_t *end);
void vt_repeat(struct vt *vt, uint32_t count);
uint32_t vt_charset_map(enum vt_charset charset, uint32_t cp);

/* vt_csi.c, vt_esc.c, vt_sgr.c, vt_modes.c, vt_rect.c */
void vt_control(struct vt *vt, uint32_t c);
void vt_escape(struct vt *vt, const struct vt_sequence *q);
void vt_csi(struct vt *vt, const struct vt_sequence *q);
void vt_sgr(struct vt *vt, const struct vt_sequence *q);
uint32_t vt_sgr_apply(
	const struct vt_sequence *q, uint32_t n, struct vt_cell *pen, uint32_t *underline);
size_t vt_sgr_text(const struct vt_cell *pen, uint32_t underline, char *out, size_t size);
void vt_set_modes(struct vt *vt, const struct vt_sequence *q, bool set);
void vt_save_modes(struct vt *vt, const struct vt_sequence *q, bool restore);
void vt_request_mode(struct vt *vt, const struct vt_sequence *q);
void vt_mode_put(struct vt *vt, enum vt_mode mode, bool set);
bool vt_rectangles(struct vt *vt, const struct vt_sequence *q);

/* vt_parse.c: one byte, any state */
void vt_byte(struct vt *vt, uint8_t c);
void vt_string_add(struct vt *vt, const uint8_t *bytes, size_t length);

/* vt_osc.c, vt_dcs.c: strings */
void vt_osc(struct vt *vt, bool bell);
void vt_dcs(struct vt *vt);
bool vt_dcs_wanted(const struct vt_state *s);
bool vt_parse_color(const uint8_t *text, size_t length, uint32_t *color);
size_t vt_base64_decode(const uint8_t *from, size_t length, uint8_t *to, bool *bad);
size_t vt_base64_encode(const uint8_t *from, size_t length, char *to);

/* vt_reply.c: what goes back */
[[gnu::format(printf, 2, 3)]] void vt_reply(struct vt *vt, const char *format, ...);
void vt_report(struct vt *vt, const struct vt_sequence *q);
void vt_report_size(struct vt *vt);

/* vt_intern.c: tables */
uint32_t vt_intern_cluster(struct vt *vt, const uint32_t *cps, uint32_t count);
uint32_t vt_intern_ext(struct vt *vt, uint32_t underline, uint32_t link);
uint32_t vt_intern_link(
	struct vt *vt, const uint8_t *id, size_t id_len, const uint8_t *uri, size_t uri_len);
void vt_pen_ext(struct vt *vt);

/* vt_width.c */
bool vt_joins(const uint32_t *cps, uint32_t count, uint32_t cp);

#endif

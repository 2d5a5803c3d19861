/* SPDX-License-Identifier: MIT */
/*
 * The terminal's core: bytes from the program in, a grid of cells out.
 *
 * All state is in plain arrays that the caller supplies (cells of the tile's region): fixed-width
 * integers only, no pointer, nothing on the heap, no globals. `struct vt` is a handle that is made
 * anew at any time by vt_bind(). After any byte of input the arrays can be copied to another
 * address, everything else forgotten, and a newer build of this code can go on with them. How the
 * bytes were cut into vt_feed() calls never shows in the arrays.
 *
 * Owner and thread: one handle, one thread (the tile's). Nothing here blocks, allocates, does I/O
 * or asks for the time. The handle and what the accessors return point into the arrays; row and
 * cell pointers are good until the next vt_feed, vt_resize or vt_reset.
 *
 * Positions: columns and screen rows count from 0. A *line* is an absolute number that belongs to
 * one row of text: it stays with the row while it scrolls into the history, is never used again,
 * and changes only when a resize breaks the text anew (see marks). The two screens (main,
 * alternate) count their lines separately.
 *
 * Order of use: vt_init on fresh arrays or vt_bind on kept ones, then vt_events if wanted; feed
 * what the PTY gives; after each feed write what vt_out_peek offers to the PTY; draw dirty lines.
 */
#ifndef CITY_TERMINAL_VT_H
#define CITY_TERMINAL_VT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VT_MAX_COLS 2048
#define VT_MAX_ROWS 1024
#define VT_MIN_COLS 2
#define VT_MIN_ROWS 1
#define VT_PARAMS 32
#define VT_MARKS 8
#define VT_KITTY_DEPTH 16
#define VT_TITLE_MAX 512
#define VT_TITLE_DEPTH 10
#define VT_CWD_MAX 4096
#define VT_POINTER_MAX 32
#define VT_CLUSTER_CPS 12
#define VT_HISTORY_DEFAULT 10000

/* ---- one character cell: 16 bytes, all zero is an erased cell in default colours ---- */

struct vt_cell {
	uint32_t ch; /* a code point, or the number of a cluster; VT_CH_* on top. 0: erased */
	uint32_t fg; /* VT_COLOR_* */
	uint32_t bg; /* VT_COLOR_* */
	uint32_t at; /* low 16 bits: VT_AT_*; high 16 bits: number of a struct vt_ext, 0 for none */
};
static_assert(sizeof(struct vt_cell) == 16);

#define VT_CH_VALUE 0x00ffffffu
#define VT_CH_CLUSTER 0x80000000u /* the value is the number of a struct vt_cluster */
#define VT_CH_WIDE 0x40000000u	  /* left half of a character two cells wide */
#define VT_CH_TAIL 0x20000000u	  /* right half of it: nothing to draw, value 0 */
#define VT_CH_PAD 0x10000000u /* left empty at a line's end as a wide one did not fit, value 0 */

#define VT_COLOR_TAG 0x03000000u
#define VT_COLOR_DEFAULT 0u
#define VT_COLOR_INDEXED 0x01000000u /* low 8 bits: palette index */
#define VT_COLOR_RGB 0x02000000u     /* low 24 bits: 0xrrggbb */

#define VT_AT_BOLD 0x0001u
#define VT_AT_DIM 0x0002u
#define VT_AT_ITALIC 0x0004u
#define VT_AT_UNDERLINE 0x0038u /* three bits: enum vt_underline << 3 */
#define VT_AT_BLINK 0x0040u
#define VT_AT_RAPID_BLINK 0x0080u
#define VT_AT_INVERSE 0x0100u
#define VT_AT_CONCEAL 0x0200u
#define VT_AT_STRIKE 0x0400u
#define VT_AT_OVERLINE 0x0800u
#define VT_AT_PROTECTED 0x1000u /* DECSCA: selective erase leaves it */
#define VT_AT_MASK 0xffffu
#define VT_AT_EXT_SHIFT 16

enum vt_underline {
	VT_UNDERLINE_NONE,
	VT_UNDERLINE_SINGLE,
	VT_UNDERLINE_DOUBLE,
	VT_UNDERLINE_CURLY,
	VT_UNDERLINE_DOTTED,
	VT_UNDERLINE_DASHED,
};
#define VT_UNDERLINE_OF(at) ((enum vt_underline)(((at) & VT_AT_UNDERLINE) >> 3))

/* ---- one row of a screen's ring: 8 bytes ---- */

struct vt_row {
	uint32_t store; /* its text is cells[store * cols ...] */
	uint16_t flags; /* VT_ROW_* */
	uint16_t used;	/* cells from here on are all zero */
};
static_assert(sizeof(struct vt_row) == 8);

#define VT_ROW_WRAPPED 0x0001u /* the text goes on in the next row without a line break */
#define VT_ROW_PROMPT 0x0002u  /* a shell prompt begins here (OSC 133 A) */
#define VT_ROW_INPUT 0x0004u   /* typed text begins here (OSC 133 B) */
#define VT_ROW_OUTPUT 0x0008u  /* a command's output begins here (OSC 133 C) */
#define VT_ROW_DONE 0x0010u    /* a command ended here (OSC 133 D) */

/*
 * ---- interned tables ----
 * Entry 0 of each is never handed out. `head` is the first entry of the hash bucket of the same
 * number, `next` the chain, or the free list. When a table is full, what no cell names any more is
 * reclaimed; if that is too little, the oldest history gives up its entries; if even that is not
 * enough, the new one is refused. The last two are counted and told by VT_EVENT_TABLE_FULL.
 */

/* Several code points in one cell. */
struct vt_cluster {
	uint32_t head;
	uint32_t next;
	uint32_t hash;
	uint16_t mark;
	uint16_t count; /* 0: free */
	uint32_t cps[VT_CLUSTER_CPS];
};
static_assert(sizeof(struct vt_cluster) == 64);

/* What few cells have: underline colour and hyperlink. */
struct vt_ext {
	uint32_t head;
	uint32_t next;
	uint32_t underline; /* VT_COLOR_*; default: as the text */
	uint32_t link;	    /* number of a struct vt_link, 0 for none */
	uint32_t mark;
	uint32_t live;
};
static_assert(sizeof(struct vt_ext) == 24);

/* A hyperlink: its id and URI are bytes [off, off + id_len) and the uri_len after it in `uris`. */
struct vt_link {
	uint32_t head;
	uint32_t next;
	uint32_t hash;
	uint32_t off;
	uint16_t id_len;  /* 0: no id given, so it is one with no other link */
	uint16_t uri_len; /* 0: free */
	uint32_t mark;
};
static_assert(sizeof(struct vt_link) == 24);

/* ---- modes: bits of vt_state.modes ---- */

enum vt_mode {
	/* ANSI */
	VT_MODE_KAM, /* 2 keyboard locked */
	VT_MODE_IRM, /* 4 insert */
	VT_MODE_SRM, /* 12 no local echo (kept, not acted on) */
	VT_MODE_LNM, /* 20 LF also returns, Return sends CR LF */
	/* DEC private */
	VT_MODE_CURSOR_KEYS,	  /* 1 DECCKM: application cursor keys */
	VT_MODE_COLUMNS_132,	  /* 3 DECCOLM */
	VT_MODE_SMOOTH,		  /* 4 DECSCLM (kept) */
	VT_MODE_REVERSE,	  /* 5 DECSCNM: screen shown inverse */
	VT_MODE_ORIGIN,		  /* 6 DECOM */
	VT_MODE_WRAP,		  /* 7 DECAWM */
	VT_MODE_REPEAT,		  /* 8 DECARM (kept) */
	VT_MODE_MOUSE_X10,	  /* 9 */
	VT_MODE_CURSOR_BLINK,	  /* 12 */
	VT_MODE_CURSOR,		  /* 25 DECTCEM: cursor shown */
	VT_MODE_ALLOW_COLUMNS,	  /* 40 */
	VT_MODE_REVERSE_WRAP,	  /* 45 */
	VT_MODE_KEYPAD,		  /* 66 DECNKM: application keypad */
	VT_MODE_BACKSPACE,	  /* 67 DECBKM: Backspace sends BS */
	VT_MODE_MARGINS,	  /* 69 DECLRMM: left and right margins */
	VT_MODE_NO_CLEAR_COLUMNS, /* 95 DECNCSM */
	VT_MODE_MOUSE_BUTTONS,	  /* 1000 */
	VT_MODE_MOUSE_DRAG,	  /* 1002 */
	VT_MODE_MOUSE_MOTION,	  /* 1003 */
	VT_MODE_FOCUS,		  /* 1004 */
	VT_MODE_MOUSE_UTF8,	  /* 1005 */
	VT_MODE_MOUSE_SGR,	  /* 1006 */
	VT_MODE_ALT_SCROLL,	  /* 1007: wheel sends arrows on the alternate screen */
	VT_MODE_MOUSE_URXVT,	  /* 1015 */
	VT_MODE_MOUSE_PIXELS,	  /* 1016 */
	VT_MODE_META_8BIT,	  /* 1034 (kept) */
	VT_MODE_ALT_ESCAPE,	  /* 1036: Alt sends ESC before the key; on at first */
	VT_MODE_BELL_URGENT,	  /* 1042 */
	VT_MODE_EXT_REVERSE_WRAP, /* 1045 */
	VT_MODE_ALT_SCREEN,	  /* 47, 1047, 1049 */
	VT_MODE_PASTE,		  /* 2004 bracketed paste */
	VT_MODE_SYNC,		  /* 2026 synchronised output: do not draw while set */
	VT_MODE_GRAPHEMES,	  /* 2027 cells hold grapheme clusters */
	VT_MODE_SCHEME,		  /* 2031 report changes of the colour scheme */
	VT_MODE_RESIZE,		  /* 2048 report resizes in band */
	VT_MODES,
};
static_assert(VT_MODES <= 64);

enum vt_cursor_style { /* DECSCUSR; VT_MODE_CURSOR_BLINK says whether it blinks */
	VT_CURSOR_BLOCK,
	VT_CURSOR_UNDERLINE,
	VT_CURSOR_BAR,
};

/* Colours beside the palette, as indices of vt_state.colors. */
enum vt_color {
	VT_COLOR_FG = 256,     /* OSC 10 */
	VT_COLOR_BG,	       /* OSC 11 */
	VT_COLOR_CURSOR,       /* OSC 12; VT_COLOR_UNSET: the tile's choice */
	VT_COLOR_SELECTION_BG, /* OSC 17 */
	VT_COLOR_SELECTION_FG, /* OSC 19 */
	VT_COLORS = 264,
};
#define VT_COLOR_UNSET 0xff000000u

/*
 * ---- the state: one flat record ----
 * X-macro, so that the record and the schema beside it cannot differ. S(id, type, name) is one
 * value, A(id, type, name, count) an array. Ids are never used again; a new field gets the next
 * free one, whatever its place. Order is by falling size, so there is no padding.
 * [2] is main and alternate screen.
 */
/* clang-format off */
#define VT_STATE_FIELDS(S, A) \
	S(1, u64, modes)           /* bits by enum vt_mode */ \
	S(2, u64, saved_modes)     /* as of XTSAVE */ \
	A(3, u64, first, 2)        /* absolute number of the oldest line kept */ \
	A(4, u64, mark_line, VT_MARKS) \
	S(5, u64, fed)             /* bytes eaten since vt_init */ \
	S(6, u32, layout)          /* VT_LAYOUT */ \
	S(7, u32, cols) \
	S(8, u32, rows) \
	S(9, u32, cell_width)      /* px, for reports */ \
	S(10, u32, cell_height) \
	S(11, u32, history_max)    /* wish of the caller, in lines */ \
	A(12, u32, ring, 2)        /* rows in the ring */ \
	A(13, u32, zero, 2)        /* ring index of the oldest line */ \
	A(14, u32, history, 2)     /* lines above the screen */ \
	S(15, u32, alt)            /* the screen shown: 0 main, 1 alternate */ \
	S(16, u32, row)            /* cursor */ \
	S(17, u32, col) \
	S(18, u32, pending_wrap)   /* the next character wraps first */ \
	S(19, u32, top)            /* margins, all inclusive */ \
	S(20, u32, bottom) \
	S(21, u32, left) \
	S(22, u32, right) \
	A(23, u32, pen, 4)         /* a struct vt_cell with ch 0 */ \
	S(24, u32, pen_underline)  /* what pen's ext was made of */ \
	S(25, u32, pen_link) \
	S(26, u32, last_cp)        /* for REP; 0: none */ \
	S(27, u32, last_row)       /* where the cursor was after the last character */ \
	S(28, u32, last_col) \
	S(29, u32, utf8_cp)        /* character in progress */ \
	A(30, u32, saved_row, 2)   /* DECSC */ \
	A(31, u32, saved_col, 2) \
	A(32, u32, saved_pending, 2) \
	A(33, u32, saved_pen, 8) \
	A(34, u32, saved_underline, 2) \
	A(35, u32, saved_link, 2) \
	A(36, u32, mark_col, VT_MARKS) \
	A(37, u32, tabs, VT_MAX_COLS / 32) \
	A(38, u32, colors, VT_COLORS)      /* 0xrrggbb, VT_COLOR_UNSET */ \
	A(39, u32, base_colors, VT_COLORS) /* what a reset goes back to */ \
	S(40, u32, separators)     /* bit n: parameter n follows a colon */ \
	S(41, u32, string_len)     /* of the OSC or DCS in progress */ \
	S(42, u32, string_lost)    /* bytes of it that did not fit */ \
	S(43, u32, out_head)       /* bytes for the PTY */ \
	S(44, u32, out_len) \
	S(45, u32, out_lost)       /* bytes refused as it was full */ \
	S(46, u32, cluster_free) \
	S(47, u32, cluster_live) \
	S(48, u32, ext_free) \
	S(49, u32, ext_live) \
	S(50, u32, link_free) \
	S(51, u32, link_live) \
	S(52, u32, uri_used) \
	A(53, u32, table_refused, 3) /* by enum vt_table */ \
	A(54, u32, table_hold, 3)  /* requests until reclaiming is tried again */ \
	S(55, u32, mouse_col)      /* where motion was last reported */ \
	S(56, u32, mouse_row) \
	S(57, u32, mouse_buttons)  /* held, as a mask */ \
	S(58, u32, dark)           /* colour scheme, for 996 and 2031 */ \
	A(59, u16, params, VT_PARAMS) \
	A(60, u16, title_stack_len, 2 * VT_TITLE_DEPTH) /* title, icon; title, icon; ... */ \
	S(61, u16, title_len) \
	S(62, u16, icon_len) \
	S(63, u16, cwd_len) \
	S(64, u16, pointer_len) \
	S(65, u8, parser)          /* enum vt_parser */ \
	S(66, u8, utf8_need)       /* bytes that the character still lacks */ \
	S(67, u8, utf8_low)        /* range of the next one */ \
	S(68, u8, utf8_high) \
	S(69, u8, param_count) \
	S(70, u8, inter_count) \
	A(71, u8, inters, 2)       /* intermediates */ \
	S(72, u8, private)         /* < = > ? or 0 */ \
	S(73, u8, string_kind)     /* OSC, DCS hook or ignored */ \
	S(74, u8, string_prev)     /* last byte of the string, for a C1 ST in UTF-8 */ \
	S(75, u8, string_final)    /* the DCS's final byte */ \
	A(76, u8, charsets, 4)     /* G0 to G3: enum vt_charset */ \
	S(77, u8, gl)              /* which of them is in GL, and GR */ \
	S(78, u8, gr) \
	S(79, u8, single_shift)    /* 2 or 3: for one character */ \
	A(80, u8, saved_charsets, 8) \
	A(81, u8, saved_gl, 2) \
	A(82, u8, saved_gr, 2) \
	A(83, u8, saved_shift, 2) \
	A(84, u8, saved_origin, 2) \
	A(85, u8, saved_valid, 2) \
	A(86, u8, kitty_flags, 2 * VT_KITTY_DEPTH) \
	A(87, u8, kitty_depth, 2)  /* index of the entry in force */ \
	S(88, u8, modify_keys)     /* XTMODKEYS modifyOtherKeys: 0, 1, 2 */ \
	S(89, u8, format_keys)     /* XTFMTKEYS formatOtherKeys */ \
	S(90, u8, cursor_style)    /* enum vt_cursor_style */ \
	S(91, u8, cursor_default)  /* DECSCUSR 0 is in force: the tile may choose */ \
	S(92, u8, conformance)     /* DECSCL: 61 to 65 */ \
	S(93, u8, c1_8bit)         /* S8C1T was asked (kept; replies stay 7 bit) */ \
	S(94, u8, rect_exact)      /* DECSACE */ \
	S(95, u8, checksum)        /* XTCHECKSUM bits */ \
	S(96, u8, iso_protected)   /* SPA rather than DECSCA: plain erase respects it too */ \
	S(97, u8, title_depth) \
	S(98, u8, utf8_title)      /* XTSMTITLE bits */ \
	S(99, u8, prompt)          /* last OSC 133 letter */ \
	A(100, u8, mark_screen, VT_MARKS) \
	A(101, u8, title, VT_TITLE_MAX) \
	A(102, u8, icon, VT_TITLE_MAX) \
	A(103, u8, titles, 2 * VT_TITLE_DEPTH * VT_TITLE_MAX) \
	A(104, u8, cwd, VT_CWD_MAX) /* the URI of OSC 7 */ \
	A(105, u8, pointer, VT_POINTER_MAX) /* OSC 22 shape name */ \
	S(106, u8, paste_last)     /* byte that vt_paste_data took last; 0 at first */
/* clang-format on */

#define VT_TYPE_u8 uint8_t
#define VT_TYPE_u16 uint16_t
#define VT_TYPE_u32 uint32_t
#define VT_TYPE_u64 uint64_t

#define VT_DECLARE_S(id, type, name) VT_TYPE_##type name;
#define VT_DECLARE_A(id, type, name, count) VT_TYPE_##type name[count];
struct vt_state {
	VT_STATE_FIELDS(VT_DECLARE_S, VT_DECLARE_A)
};
#define VT_SIZE_S(id, type, name) +sizeof(VT_TYPE_##type)
#define VT_SIZE_A(id, type, name, count) +sizeof(VT_TYPE_##type) * (count)
static_assert(sizeof(struct vt_state) == 0 VT_STATE_FIELDS(VT_SIZE_S, VT_SIZE_A),
	"vt_state has padding: mend the order, or add bytes that are reserved");

#define VT_LAYOUT 1u /* meaning of the arrays as a whole; vt_bind refuses another */
static_assert(sizeof(struct vt_state) == 18384);

/* ---- the arrays ---- */

enum vt_array {
	VT_STATE,      /* struct vt_state, one */
	VT_MAIN_ROWS,  /* struct vt_row */
	VT_MAIN_CELLS, /* struct vt_cell */
	VT_ALT_ROWS,   /* struct vt_row */
	VT_ALT_CELLS,  /* struct vt_cell */
	VT_CLUSTERS,   /* struct vt_cluster */
	VT_EXTS,       /* struct vt_ext, at most 65535 */
	VT_LINKS,      /* struct vt_link */
	VT_URIS,       /* bytes: ids and URIs of links */
	VT_STRING,     /* bytes: OSC or DCS in progress; bounds what OSC 52 can set */
	VT_OUT,	       /* bytes: ring of what goes to the PTY */
	VT_ARRAYS,
};

/* Where they are and how many elements each has. Each must be aligned to 16 bytes. */
struct vt_memory {
	void *at[VT_ARRAYS];
	uint32_t count[VT_ARRAYS];
};

/* What a schema needs to be written beside them. */
struct vt_field {
	uint16_t id;
	uint8_t size; /* bytes of one: 1, 2, 4, 8; all unsigned, little endian as the machine */
	uint32_t count;
	uint32_t offset;
	const char *name;
};
struct vt_array_info {
	const char *name;     /* "vt.state", "vt.main.rows", ... */
	uint32_t element;     /* bytes of one element */
	uint32_t field_count; /* 0: plain bytes */
	const struct vt_field *fields;
};
extern const struct vt_array_info vt_arrays[VT_ARRAYS];

/*
 * Fill in `count` for a terminal that can be up to cols x rows with `history` lines above.
 * Untouched memory is never written, so arrays may be sparse. Growing later: copy the old arrays to
 * the front of larger ones, vt_bind, vt_resize. So may grow: rows, cells, VT_URIS, VT_STRING, and
 * VT_OUT while it is empty; the tables are hashed by their size and keep it.
 */
void vt_memory_counts(struct vt_memory *memory, uint32_t cols, uint32_t rows, uint32_t history);

/* Whether a screen of this size fits the arrays and the limits. */
bool vt_fits(const struct vt_memory *memory, uint32_t cols, uint32_t rows);

/* ---- events: called from inside vt_feed; the handler must not feed, resize or reset ---- */

enum vt_event_kind {
	VT_EVENT_BELL,
	VT_EVENT_TITLE,		/* title or icon name changed: see vt_state */
	VT_EVENT_CWD,		/* vt_state.cwd changed */
	VT_EVENT_POINTER,	/* vt_state.pointer changed; empty: the usual shape */
	VT_EVENT_CLIPBOARD_SET, /* text: decoded bytes; a: VT_CLIPBOARD_* mask; text_len 0: clear */
	VT_EVENT_CLIPBOARD_QUERY, /* a: VT_CLIPBOARD_* mask; answer with vt_reply_clipboard, or not
				   */
	VT_EVENT_NOTIFY,	  /* text: body; title: its title, may be empty (OSC 9, 99, 777) */
	VT_EVENT_PROGRESS,    /* OSC 9;4: a: state 0 none 1 normal 2 error 3 unknown 4 paused; b:
				 percent */
	VT_EVENT_MODE,	      /* a: enum vt_mode; b: now set (also VT_MODE_SYNC) */
	VT_EVENT_SCREEN,      /* a: 0 main, 1 alternate */
	VT_EVENT_COLORS,      /* colors changed */
	VT_EVENT_CURSOR,      /* cursor style changed */
	VT_EVENT_KEYBOARD,    /* kitty flags or modifyOtherKeys changed */
	VT_EVENT_PROMPT,      /* OSC 133: a: letter 'A'..'D'; b: exit status, or UINT32_MAX */
	VT_EVENT_RESIZE,      /* the program asks for a columns x b rows; 0: leave it */
	VT_EVENT_WINDOW,      /* XTWINOPS a with b, c: raise, iconify ...; as parsed */
	VT_EVENT_TABLE_FULL,  /* a: enum vt_table; b: 0 history gave up entries, 1 some are refused
			       */
	VT_EVENT_STRING_LOST, /* an OSC or DCS was longer than VT_STRING: ignored whole */
	VT_EVENT_RESET,	      /* RIS */
};

enum vt_table {
	VT_TABLE_CLUSTERS,
	VT_TABLE_EXTS,
	VT_TABLE_LINKS,
};

#define VT_CLIPBOARD_CLIPBOARD 1u
#define VT_CLIPBOARD_PRIMARY 2u

struct vt_event {
	enum vt_event_kind kind;
	uint32_t a, b, c;
	const uint8_t *text; /* not terminated; only during the call */
	size_t text_len;
	const uint8_t *title;
	size_t title_len;
};
typedef void (*vt_event_fn)(void *user, const struct vt_event *event);

/* ---- the handle: nothing in it outlives the process ---- */

struct vt {
	struct vt_state *state;
	struct vt_memory memory;
	struct vt_row *rows[2];
	struct vt_cell *cells[2];
	struct vt_cluster *clusters;
	struct vt_ext *exts;
	struct vt_link *links;
	uint8_t *uris;
	uint8_t *string;
	uint8_t *out;
	vt_event_fn event;
	void *user;
	uint64_t dirty[VT_MAX_ROWS * 2 / 64]; /* by line modulo the number of bits */
	bool dirty_all;
};

/*
 * Fresh state in `memory`. VT_CLUSTERS, VT_EXTS and VT_LINKS must be zero, as fresh memory is; what
 * the others hold does not matter, they are cleared as they come into use. False when counts are
 * too small for cols x rows or out of limits.
 */
bool vt_init(struct vt *vt, const struct vt_memory *memory, uint32_t cols, uint32_t rows,
	uint32_t cell_width, uint32_t cell_height, uint32_t history);
/*
 * Take up kept state. Everything is dirty afterwards. Runs vt_check first, so damaged arrays are
 * refused; then `why` (may be NULL) says what is wrong.
 */
bool vt_bind(struct vt *vt, const struct vt_memory *memory, const char **why);
/* The invariants that keep the rest of this code within its arrays. Cost: a look at every row. */
bool vt_check(const struct vt *vt, const char **why);
void vt_set_events(struct vt *vt, vt_event_fn event, void *user);

/* Eat bytes from the PTY: all of them, always. */
void vt_feed(struct vt *vt, const void *bytes, size_t length);
/* As RIS, ESC c. */
void vt_reset(struct vt *vt);
/* Forget the main screen's history, as ED 3. */
void vt_clear_history(struct vt *vt);

/*
 * Change the size; the text of the main screen and its history is broken anew at the new width, the
 * cursor, the saved cursor and the marks stay on their characters. The same size again changes
 * nothing. `scratch` is memory of vt_resize_scratch() bytes, aligned to 16, used only during the
 * call. False, and nothing changed, when it does not fit the arrays or the limits.
 * Sends the in-band report when mode 2048 is set; TIOCSWINSZ is the caller's.
 */
size_t vt_resize_scratch(const struct vt *vt, uint32_t cols, uint32_t rows);
bool vt_resize(struct vt *vt, uint32_t cols, uint32_t rows, uint32_t cell_width,
	uint32_t cell_height, void *scratch);

/* ---- reading the screen ---- */

/* Line numbers of the screen that is shown: oldest kept, top of the screen, one past its end. */
uint64_t vt_line_first(const struct vt *vt);
uint64_t vt_line_screen(const struct vt *vt);
uint64_t vt_line_end(const struct vt *vt);
/* NULL outside [first, end). `vt_line_cells` gives `cols` cells. */
const struct vt_row *vt_line_row(const struct vt *vt, uint64_t line);
const struct vt_cell *vt_line_cells(const struct vt *vt, uint64_t line);

/* Dirty: to be drawn again since vt_damage_clear. Only lines of the screen shown are tracked; a
 * line that scrolled into the history is unchanged by that. A moved cursor makes nothing dirty. */
bool vt_line_dirty(const struct vt *vt, uint64_t line);
bool vt_damaged(const struct vt *vt); /* anything at all */
void vt_damage_all(struct vt *vt);
void vt_damage_clear(struct vt *vt);

/* Code points of a cell, at most VT_CLUSTER_CPS; 0 for erased cells, tails and pads. */
uint32_t vt_cell_cps(const struct vt *vt, const struct vt_cell *cell, uint32_t *cps);
/* The same as UTF-8, not terminated; `out` has room for VT_CLUSTER_CPS * 4. */
size_t vt_cell_utf8(const struct vt *vt, const struct vt_cell *cell, char *out);
/* VT_COLOR_* of its underline; VT_COLOR_DEFAULT: as the text. */
uint32_t vt_cell_underline(const struct vt *vt, const struct vt_cell *cell);
/* Number of its hyperlink, 0 for none: equal numbers, one link. */
uint32_t vt_cell_link(const struct vt *vt, const struct vt_cell *cell);
const char *vt_link_uri(const struct vt *vt, uint32_t link, size_t *length);
/* 0xrrggbb of a cell colour; `role` VT_COLOR_FG or VT_COLOR_BG says what "default" is. Inverse,
 * dim, bold-is-bright and VT_MODE_REVERSE are the renderer's. */
uint32_t vt_rgb(const struct vt *vt, uint32_t color, enum vt_color role);
/* As utf8proc and the grid count it: 0, 1 or 2; -1 for controls. */
int vt_width(uint32_t cp);

static inline bool vt_mode(const struct vt *vt, enum vt_mode mode) {
	return vt->state->modes >> mode & 1;
}

/* ---- marks: places in the text that follow it through scrolling and reflow ---- */

void vt_mark_set(struct vt *vt, uint32_t mark, uint64_t line, uint32_t col);
void vt_mark_clear(struct vt *vt, uint32_t mark);
/* False when it is not set, its line is gone, or it is on the screen not shown. */
bool vt_mark_get(const struct vt *vt, uint32_t mark, uint64_t *line, uint32_t *col);

/* ---- to the PTY: one ring for replies, keys, mouse and pastes, so their order is kept ---- */

/* All or nothing; false when it has no room. Replies that find none are dropped and counted. */
bool vt_out_put(struct vt *vt, const void *bytes, size_t length);
size_t vt_out_space(const struct vt *vt);
/* The longest piece in one span; after writing n of it, vt_out_drop(n). */
const uint8_t *vt_out_peek(const struct vt *vt, size_t *length);
void vt_out_drop(struct vt *vt, size_t length);

/* ---- keyboard ---- */

/* Keys that are not characters. All others are their code point. */
enum vt_key_code {
	VT_KEY_FIRST = 0x110000,
	VT_KEY_ESCAPE = VT_KEY_FIRST,
	VT_KEY_ENTER,
	VT_KEY_TAB,
	VT_KEY_BACKSPACE,
	VT_KEY_INSERT,
	VT_KEY_DELETE,
	VT_KEY_LEFT,
	VT_KEY_RIGHT,
	VT_KEY_UP,
	VT_KEY_DOWN,
	VT_KEY_PAGE_UP,
	VT_KEY_PAGE_DOWN,
	VT_KEY_HOME,
	VT_KEY_END,
	VT_KEY_CAPS_LOCK,
	VT_KEY_SCROLL_LOCK,
	VT_KEY_NUM_LOCK,
	VT_KEY_PRINT_SCREEN,
	VT_KEY_PAUSE,
	VT_KEY_MENU,
	VT_KEY_F1, /* F1 to F35 in a row */
	VT_KEY_F35 = VT_KEY_F1 + 34,
	VT_KEY_KP_0, /* KP_0 to KP_9 in a row */
	VT_KEY_KP_9 = VT_KEY_KP_0 + 9,
	VT_KEY_KP_DECIMAL,
	VT_KEY_KP_DIVIDE,
	VT_KEY_KP_MULTIPLY,
	VT_KEY_KP_SUBTRACT,
	VT_KEY_KP_ADD,
	VT_KEY_KP_ENTER,
	VT_KEY_KP_EQUAL,
	VT_KEY_KP_SEPARATOR,
	VT_KEY_KP_LEFT,
	VT_KEY_KP_RIGHT,
	VT_KEY_KP_UP,
	VT_KEY_KP_DOWN,
	VT_KEY_KP_PAGE_UP,
	VT_KEY_KP_PAGE_DOWN,
	VT_KEY_KP_HOME,
	VT_KEY_KP_END,
	VT_KEY_KP_INSERT,
	VT_KEY_KP_DELETE,
	VT_KEY_KP_BEGIN,
	VT_KEY_MEDIA_PLAY,
	VT_KEY_MEDIA_PAUSE,
	VT_KEY_MEDIA_PLAY_PAUSE,
	VT_KEY_MEDIA_REVERSE,
	VT_KEY_MEDIA_STOP,
	VT_KEY_MEDIA_FAST_FORWARD,
	VT_KEY_MEDIA_REWIND,
	VT_KEY_MEDIA_TRACK_NEXT,
	VT_KEY_MEDIA_TRACK_PREVIOUS,
	VT_KEY_MEDIA_RECORD,
	VT_KEY_LOWER_VOLUME,
	VT_KEY_RAISE_VOLUME,
	VT_KEY_MUTE_VOLUME,
	VT_KEY_LEFT_SHIFT,
	VT_KEY_LEFT_CONTROL,
	VT_KEY_LEFT_ALT,
	VT_KEY_LEFT_SUPER,
	VT_KEY_LEFT_HYPER,
	VT_KEY_LEFT_META,
	VT_KEY_RIGHT_SHIFT,
	VT_KEY_RIGHT_CONTROL,
	VT_KEY_RIGHT_ALT,
	VT_KEY_RIGHT_SUPER,
	VT_KEY_RIGHT_HYPER,
	VT_KEY_RIGHT_META,
	VT_KEY_ISO_LEVEL3_SHIFT,
	VT_KEY_ISO_LEVEL5_SHIFT,
	VT_KEY_END_OF_LIST,
};

#define VT_MOD_SHIFT 1u
#define VT_MOD_ALT 2u
#define VT_MOD_CTRL 4u
#define VT_MOD_SUPER 8u
#define VT_MOD_HYPER 16u
#define VT_MOD_META 32u
#define VT_MOD_CAPS 64u
#define VT_MOD_NUM 128u

enum vt_key_action {
	VT_KEY_PRESS = 1,
	VT_KEY_REPEAT = 2,
	VT_KEY_RELEASE = 3,
};

struct vt_key {
	uint32_t code;	   /* enum vt_key_code, or what the key gives without any modifier */
	uint32_t shifted;  /* what it gives with Shift, 0 if nothing or the same */
	uint32_t base;	   /* what the same place gives on a US keyboard, 0 if unknown */
	uint32_t mods;	   /* VT_MOD_* in force */
	uint32_t consumed; /* those of them that the keymap used up in making `text` */
	enum vt_key_action action;
	bool composed; /* `text` came from a compose sequence or input method */
	uint8_t text_len;
	char text[27]; /* UTF-8 that the key gives with its modifiers (without Ctrl's effect) */
};

#define VT_KEY_BYTES 256
/* What the key sends, in the protocol in force; 0: nothing. Puts nothing in the ring. */
size_t vt_encode_key(const struct vt *vt, const struct vt_key *key, char out[VT_KEY_BYTES]);
/* Kitty keyboard flags in force on the screen shown. */
uint32_t vt_kitty_flags(const struct vt *vt);

/* ---- mouse, focus, paste, reports ---- */

enum vt_mouse_action {
	VT_MOUSE_PRESS,
	VT_MOUSE_RELEASE,
	VT_MOUSE_MOTION,
};
struct vt_mouse {
	enum vt_mouse_action action;
	uint32_t button; /* 1 left 2 middle 3 right 4/5 wheel up/down 6/7 wheel left/right 8..11; 0:
			    none */
	uint32_t mods;	 /* VT_MOD_SHIFT, ALT, CTRL */
	uint32_t col, row;
	uint32_t x, y; /* px from the grid's top left corner */
};
#define VT_MOUSE_BYTES 64
/* Does the program want the mouse at all? (Then selecting needs Shift.) */
bool vt_mouse_wanted(const struct vt *vt);
/* What it sends; 0: nothing, or no news. A wheel step on the alternate screen may give arrows. */
size_t vt_encode_mouse(struct vt *vt, const struct vt_mouse *mouse, char out[VT_MOUSE_BYTES]);

/* Each puts into the ring what the modes ask for, if anything. */
void vt_focus(struct vt *vt, bool focused);
void vt_set_scheme(struct vt *vt, bool dark);
/* `selection` as in the query's event. */
bool vt_reply_clipboard(struct vt *vt, uint32_t selection, const void *bytes, size_t length);
/* Paste: begin, data as often as needed (returns the bytes taken: fewer when the ring is full),
 * end. Line ends (LF, CR LF, CR) become CR, controls that could act are dropped; how the text is
 * cut into pieces makes no difference. */
bool vt_paste_begin(struct vt *vt);
size_t vt_paste_data(struct vt *vt, const void *bytes, size_t length);
bool vt_paste_end(struct vt *vt);

/* Colours of the theme: VT_COLORS entries. What the program has not set itself follows. */
void vt_set_colors(struct vt *vt, const uint32_t colors[VT_COLORS]);
/* xterm's palette on dark, for a start. */
void vt_default_colors(uint32_t colors[VT_COLORS]);
/* End a synchronised update that took too long (the caller has the clock). */
void vt_sync_end(struct vt *vt);

#endif

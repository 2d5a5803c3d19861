/* SPDX-License-Identifier: MIT */
/*
 * The machine as a tile: the parts of machine.h on cells, a console on the terminal's core (vt.h),
 * and a view of what goes on.
 *
 * Everything that matters lives in cells, so that the engine can be replaced between any two
 * updates; struct rvtile is the scratch of one version. What is drawn is drawn from cells alone
 * (struct shown is a picture of the machine, taken some times a second), so that every version
 * draws the same. All functions run on the tile's thread.
 *
 * rvtile.c: operations. run.c: the machine's time and its share of the processor's. loader.c:
 * files. console.c: the terminal. network.c: who is behind its network card. shown.c: takes the
 * picture. view.c, view_machine.c: draw it.
 * engine_*.c: which engine this artifact has.
 */
#ifndef RISCV_TILE_H
#define RISCV_TILE_H

#include "machine.h"
#include "net_line.h"
#include "paint.h"
#include "tile.h"
#include "vt.h"

/* ------------------------------------------------------------------ cells */

enum rvtile_cell {
	/* VT_ARRAYS of the terminal come first, under their own numbers. */
	CELL_BOARD = VT_ARRAYS,
	CELL_HARTS,
	CELL_TLB, /* struct rv_tlb_entry, in the order of struct rv_tlb */
	CELL_CLINT,
	CELL_PLIC,
	CELL_UART,
	CELL_VIRTIO,
	CELL_RAM,     /* struct page */
	CELL_DISK,    /* struct page */
	CELL_STAGING, /* struct page: a file that is being read, before it is loaded */
	CELL_SETUP,
	CELL_PACE,
	CELL_TYPED,
	CELL_SAID,
	CELL_VIEW,
	CELL_SHOWN,
	CELL_NET,
	CELL_LINE, /* struct rv_line */
	CELL_NETWORK,
	CELLS,
};

struct page {
	alignas(RV_PAGE) uint8_t bytes[RV_PAGE];
};

enum setup_phase {
	SETUP_NEW,     /* nothing was loaded yet */
	SETUP_LOADING, /* file by file */
	SETUP_RUNS,
	SETUP_FAILED, /* see why */
};

/* In the order in which they are loaded. */
enum setup_file {
	FILE_ELF,
	FILE_FIRMWARE,
	FILE_KERNEL,
	FILE_INITRD,
	FILE_DISK,
	FILES,
};

/* What the machine is, and how far its loading has come. */
struct setup {
	uint64_t ram_size, disk_size;
	uint64_t at, size;	       /* of the file being read */
	struct rv_image program, next; /* loaded so far: struct rv_boot_plan */
	uint64_t initrd, initrd_end;
	uint32_t hart_count;
	uint32_t phase; /* enum setup_phase */
	uint32_t file;	/* enum setup_file */
	bool has_disk;
	char why[240];
};

/* How the machine is run. Times are those of the tile, ns. */
struct pace {
	uint64_t origin; /* when its mtime would have been 0 */
	uint64_t paused_at;
	uint64_t budget; /* steps of a slice, divided by rvtile_speed */
	uint64_t asked;	 /* when the slice that follows a full one should begin; 0: none */
	bool paused;
	bool idle; /* as the last slice ended */
};

#define TYPED_MAX 65536

/* What waits for room in the UART. */
struct typed {
	uint32_t head, count;
	uint8_t bytes[TYPED_MAX];
};

#define SAID_MAX 16384

/* What waits for those who look on. The oldest goes if they do not read it. */
struct said {
	uint32_t head, count;
	bool ready; /* somebody is there to pass it on */
	uint8_t bytes[SAID_MAX];
};

/* Whether the machine has a card, and who is at the other end of its line. */
struct network {
	bool card;
	uint64_t start_at; /* when it is to be started again; 0: it is there, or never will be */
	uint64_t started;  /* when it was last */
	uint64_t starts;
	uint32_t failures; /* one after the other */
	bool open;	   /* it was started, and has not ended */
	/* What a version that is undone was given comes again. */
	bool catching_up;
	uint64_t next_ns; /* while it does: when more comes to a guest that is busy */
};

struct view {
	double scroll_rest;
	uint32_t own_key;
	bool scrolled;
	bool focused;
};

#define PICTURE_COLUMNS 64
#define PICTURE_ROWS 32

/* A block of memory in the picture: what it is, and how full in sixteenths. 0: empty. */
enum picture_kind {
	PICTURE_DATA = 0x10,
	PICTURE_TEXT = 0x20,
	PICTURE_POINTERS = 0x30,
};

#define SHOWN_CODE 96
#define SHOWN_CODE_BEFORE 32

/* The machine as it is shown. */
struct shown {
	uint64_t next_ns, next_picture_ns; /* when it is to be taken again */
	uint64_t at_ns;			   /* when it was taken */
	uint64_t steps, rate;		   /* rate: instructions a second */
	uint64_t seconds;		   /* of the guest's time */
	uint64_t pc, x[32], satp, mstatus, epc, cause;
	uint32_t changed; /* a bit a register: since the one before */
	uint32_t hart, mode;
	uint32_t state; /* enum shown_state */
	uint32_t exit_code;
	uint32_t percent;	     /* of loading */
	uint32_t code_from, code_to; /* bytes of code that could be read */
	uint32_t pc_block;	     /* of the picture; UINT32_MAX: none */
	uint8_t code[SHOWN_CODE];    /* pc is at SHOWN_CODE_BEFORE */
	uint8_t picture[PICTURE_ROWS * PICTURE_COLUMNS];
};

enum shown_state {
	SHOWN_LOADING,
	SHOWN_RUNNING,
	SHOWN_IDLE,
	SHOWN_PAUSED,
	SHOWN_ENDED,
	SHOWN_FAILED,
};

/* ------------------------------------------------------------------ scratch */

/* The console's own; the rest is set in the city's type: paint.h. */
enum rvtile_font {
	FONT_CONSOLE,
	FONT_CONSOLE_BOLD,
	FONTS,
};

enum rvtile_button {
	BUTTON_PAUSE,
	BUTTON_STEP,
	BUTTON_RESTART,
	BUTTONS,
};

struct layout {
	struct paint_box header, console, side;
	struct paint_box buttons[BUTTONS];	  /* width 0: no room */
	struct paint_box registers, code, memory; /* without their headings; height 0: no room */
	int heading;				  /* of the parts of the side */
	int code_lines;
	int state_end; /* of what is beside the buttons */
	uint32_t columns, rows;
};

struct rvtile {
	struct tile *tile;
	struct vt vt;
	struct rv_machine machine;
	bool machine_there; /* machine was initialised */
	int stream;	    /* of the file being read, -1: none */
	int console;	    /* PTY for others who look on, -1: none */
	int net;	    /* PTY of the network, -1: none */
	uint32_t share;	    /* the part of a slice that is run at a time; 1: all of it */

	struct paint_fonts type;
	struct fcft_font *fonts[FONTS];
	double scale;
	int cell_width, cell_height, ascent;
	struct layout layout;
	int32_t laid_width, laid_height; /* of the tile that it is for */
	double laid_scale;

	uint64_t top_drawn, cursor_line;
	uint32_t cursor_column, cursor_look;
	int hover; /* enum rvtile_button, -1: none */
};

/* ---- cells.c */
extern const struct vat_cell_decl rvtile_cells[CELLS];

static inline struct setup *setup_of(const struct rvtile *rv) {
	return rv->tile->cells[CELL_SETUP];
}
static inline struct pace *pace_of(const struct rvtile *rv) {
	return rv->tile->cells[CELL_PACE];
}
static inline struct network *network_of(const struct rvtile *rv) {
	return rv->tile->cells[CELL_NETWORK];
}
static inline struct view *view_of(const struct rvtile *rv) {
	return rv->tile->cells[CELL_VIEW];
}
static inline struct shown *shown_of(const struct rvtile *rv) {
	return rv->tile->cells[CELL_SHOWN];
}

/* ---- engine_*.c */
extern const struct rv_engine *const rvtile_engine;
/* About how many times as fast as the plain one it is: what a slice holds is right from the first
 * one on when another engine takes over. */
extern const uint32_t rvtile_speed;

/* ---- rvtile.c */
extern const struct tile_ops rvtile_ops;
extern const struct tile_port rvtile_ports[1];
/* What both artifacts are, apart from their names. */
#define RVTILE_EXPORT(name_, summary_)                                                             \
	TILE_EXPORT(.name = (name_), .role = "riscv", .summary = (summary_),                       \
		.capabilities = TILE_CAP_PTY | TILE_CAP_CLIPBOARD | TILE_CAP_BACKGROUND |          \
			TILE_CAP_FILES | TILE_CAP_CODE,                                            \
		.cells = rvtile_cells, .cell_count = CELLS, .ports = rvtile_ports,                 \
		.port_count = sizeof(rvtile_ports) / sizeof(rvtile_ports[0]),                      \
		.default_width = 1036, .default_height = 680, .time_model = TILE_TIME_RUNNING,     \
		.ops = &rvtile_ops)
/* After a cell that the machine lies in has moved. False: no memory (logged). */
bool rvtile_bind(struct rvtile *rv);
/* Until the next rvtile_bind there is no machine, and its cells may be resized. */
void rvtile_unbind(struct rvtile *rv);
/* What a button does, or its key; nothing where there is nothing for it to do. */
void rvtile_press(struct rvtile *rv, int button);

/* ---- run.c */
void run_slice(struct rvtile *rv);
/* After another version: the first slice comes at once. */
void run_take_over(struct rvtile *rv);
void run_pause(struct rvtile *rv, bool pause);
void run_step(struct rvtile *rv); /* one instruction, if paused */
/* Bytes for the guest's UART. */
void run_type(struct rvtile *rv, const void *bytes, size_t size);
/* When the machine has to be run next; UINT64_MAX: not before something happens. */
uint64_t run_next(const struct rvtile *rv);
/* It goes on by itself: it was not paused, and did not end. */
bool run_runs(const struct rvtile *rv);
/* Something came for it from outside: it is to be run. */
void run_wake(struct rvtile *rv);
/* The machine starts now. */
void run_start(struct rvtile *rv);

/* ---- loader.c */
/* Sizes from the options; false, with one line in why: they are wrong. */
bool loader_sizes(const struct rvtile *rv, uint64_t *ram_size, uint32_t *hart_count, char *why,
	size_t why_size);
/* A machine that is new. */
void loader_setup(struct rvtile *rv);
/* Begins to load, from the first file on: memory is empty afterwards. */
void loader_restart(struct rvtile *rv);
/* A piece of a file. */
void loader_step(struct rvtile *rv);
/* A file that was being read is opened again where the cells say. */
void loader_attach(struct rvtile *rv);

/* ---- console.c */
/* The size of the grid as the layout has it. False: no memory (logged). */
bool console_attach(struct rvtile *rv);
void console_resize(struct rvtile *rv);
/* What the guest wrote. */
void console_output(struct rvtile *rv, const void *bytes, size_t size);
void console_message(struct rvtile *rv, const char *text);
void console_input(struct rvtile *rv, const struct tile_input *event);
void console_ready(struct rvtile *rv, bool readable);
void console_ended(struct rvtile *rv); /* the PTY */
void console_damage(struct rvtile *rv);
void console_drawn(struct rvtile *rv); /* all of it, in any case */
uint64_t console_top(const struct rvtile *rv);

/* ---- network.c */
/* Whether the options ask for a card. False: with one line in why, if they make no sense. */
bool network_wanted(const struct rvtile *rv, bool *wanted, char *why, size_t why_size);
/* Before the machine starts: it gets a card if the options say so and there can be a network. */
void network_setup(struct rvtile *rv, bool wanted);
/* The line of the version before, or a new one. */
void network_attach(struct rvtile *rv, enum tile_attach why);
void network_ready(struct rvtile *rv);
void network_ended(struct rvtile *rv, int status); /* who was at the other end */
/* After the machine has run: what it sends goes out, and what waited for its buffers comes. */
void network_flush(struct rvtile *rv);
/* Starts it again where that is due. */
void network_update(struct rvtile *rv);
uint64_t network_next(const struct rvtile *rv); /* when; UINT64_MAX: never */

/* ---- shown.c */
enum shown_state shown_state(const struct rvtile *rv);
/* Takes the picture if that is due, or in any case; has it drawn. */
void shown_take(struct rvtile *rv, bool now);

/* ---- view.c, view_machine.c */
bool view_fonts(struct rvtile *rv);
void view_fonts_finish(struct rvtile *rv);
/* Does nothing where it is for that size already. */
void view_layout(struct rvtile *rv);
void view_draw(struct tile *tile, const struct tile_canvas *canvas);
/* The button there, -1: none. Tile pixels. */
int view_button(const struct rvtile *rv, double tx, double ty);
void view_damage(struct rvtile *rv, const struct paint_box *box);

struct frame {
	struct rvtile *rv;
	struct paint paint;
};
void view_draw_machine(struct frame *frame);
/* Whether there is something for it to do in that state. */
bool view_enabled(enum rvtile_button button, uint32_t state);
void view_draw_console(struct frame *frame);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The tile ABI: what a tile is to the process that runs it.
 *
 * A tile is a shared object with one exported constant, `source_city_tile`, of type
 * struct tile_descriptor. The host reads it out of the ELF file before any of the tile's code
 * runs, so it must be constant data: TILE_EXPORT(...) below defines it.
 *
 * Rules that make a tile replaceable while it runs:
 *  - What must survive a handover lives in cells (declared in the descriptor, see vat.h). Heap
 *    memory is scratch: it dies with the version that allocated it.
 *  - No writable globals, no thread-local variables, no constructors or destructors, no threads.
 *    The host refuses an artifact that has them.
 *  - No input or output of its own: time, randomness, streams and the screen are arguments or host
 *    calls, so that the same inputs give the same result.
 *  - Never hand cell memory to anything that writes it from outside (a system call, another
 *    process): the host reads streams into memory of its own.
 *
 * All operations are called by the host, on one thread, never re-entered. Unless said otherwise,
 * strings are UTF-8, sizes and positions are tile pixels (logical, before scale), times are
 * nanoseconds of a monotonic clock that never restarts, and pointers given to an operation are
 * valid until it returns.
 */
#ifndef SOURCE_CITY_TILE_H
#define SOURCE_CITY_TILE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport.h"
#include "vat.h"

/* Raised when anything in this header changes in a way that old artifacts would not survive. */
#define TILE_ABI_VERSION 3u
/* "SCtile" and two zeros, read as little endian; the host looks for it before anything else. */
#define TILE_MAGIC 0x0000656c69744353ull

struct tile;

/* ------------------------------------------------------------------ time */

struct tile_time {
	uint64_t now_ns;      /* monotonic; continuous across handovers, restarts and suspend */
	int64_t wall_ns;      /* since 1970-01-01T00:00:00Z */
	int32_t utc_offset_s; /* local time = wall time + this */
	/* Processor time that the last update() of this version took, in us and at least 1; 0: it
	 * has made none, or the host is too old to say. For who sizes its work by it. */
	uint32_t update_us;
	uint64_t update; /* number of updates of this tile since it was created, all versions */
	/* Of a tile with TILE_TIME_PHASE: where it is in its period, below time_period_ns. Goes on
	 * over handovers; if the period changes the part of it that has passed is the same. */
	uint64_t phase_ns;
};

/* ------------------------------------------------------------------ drawing */

struct tile_rect {
	int32_t x, y, width, height;
};

/*
 * Where to draw. Pixels are 0xAARRGGBB, premultiplied, native endian, in buffer pixels: the
 * tile's size times `scale`, rounded to the nearest. The buffer holds an older frame; everything
 * inside `damage` (buffer pixels) must be drawn again, nothing outside it may change.
 */
struct tile_canvas {
	uint32_t *pixels;
	int32_t width, height; /* buffer pixels */
	int32_t stride;	       /* bytes */
	double scale;
	const struct tile_rect *damage;
	size_t damage_count;
};

/* ------------------------------------------------------------------ sound */

/* The kind of a port that sound comes out of (TILE_PORT_OUT): two channels, left and right. */
#define TILE_PORT_SOUND "audio"
#define TILE_SOUND_CHANNELS 2
#define TILE_SOUND_FRAMES_MAX 1024

/*
 * What render() is to fill: `frames` frames of one port, the first of which is the city's frame
 * `frame`. The city's frames never restart and never stop while it lives; tile->transport says what
 * tick each of them is, and one call never goes over a change of it. A call goes on where the last
 * one for the port ended, in whatever version that was, except after `skipped` frames that nobody
 * heard because they came too late (or because the tile is new, or came back by a rollback).
 * How many frames a call asks for is the host's business and must not be heard.
 */
struct tile_sound {
	uint64_t frame;
	uint64_t skipped;
	uint32_t frames;   /* 1 to TILE_SOUND_FRAMES_MAX */
	uint32_t rate;	   /* frames a second; the same as long as the city lives */
	uint32_t port;	   /* index in the descriptor's ports */
	float *const *out; /* out[channel][0..frames), zeroed; -1 to 1 */
};

/* How a port of a tile fares; see tile_host.sound_status. */
struct tile_sound_status {
	bool connected;	     /* its frames go to a sound server */
	uint32_t quantum;    /* frames that the server takes at a time; 0: not known */
	uint32_t ahead;	     /* frames that are rendered and not heard yet */
	uint64_t late;	     /* frames that were not there in time, from the beginning */
	uint64_t late_times; /* how often that began */
	uint64_t mended;     /* samples that were not finite or far too loud, from the beginning */
};

/* What a tile may ask of the transport; one a call. */
enum tile_transport_ask {
	TILE_TRANSPORT_PLAY = VAT_ASK_PLAY,
	TILE_TRANSPORT_STOP = VAT_ASK_STOP,
	/* These two with a tick above 0: from that tick on exactly, or, where that is too late for
	 * sound that is rendered ahead, not at all. What a process asked for last is what counts,
	 * value 0 (and any tick above 0) takes it back, and so does its end, and whoever goes to
	 * another place. A meter that changes so begins a bar there. */
	TILE_TRANSPORT_TEMPO = VAT_ASK_TEMPO,	/* value: beats a minute, times 1,000 */
	TILE_TRANSPORT_METER = VAT_ASK_METER,	/* value: beats a bar */
	TILE_TRANSPORT_PHRASE = VAT_ASK_PHRASE, /* value: bars a phrase */
	TILE_TRANSPORT_LOCATE = VAT_ASK_LOCATE, /* tick: go there */
	TILE_TRANSPORT_MARK = VAT_ASK_MARK,	/* tick, name: a marker, new or moved */
	TILE_TRANSPORT_UNMARK = VAT_ASK_UNMARK, /* name */
};

/* ------------------------------------------------------------------ input */

enum tile_input_type {
	TILE_INPUT_FOCUS =
		1,	/* keyboard focus came or went: .focus. Comes again after a handover */
	TILE_INPUT_KEY, /* .key */
	TILE_INPUT_POINTER_ENTER, /* .pointer */
	TILE_INPUT_POINTER_LEAVE,
	TILE_INPUT_POINTER_MOTION, /* .pointer */
	TILE_INPUT_POINTER_BUTTON, /* .pointer */
	TILE_INPUT_SCROLL,	   /* .scroll */
	TILE_INPUT_PASTE,	   /* .paste: the answer to tile_host.clipboard_request */
	TILE_INPUT_SIZE,	   /* .size: the tile has a new size or scale */
	TILE_INPUT_STREAM_END, /* .stream: the child behind a PTY ended; its output is drained */
	TILE_INPUT_FILE, /* .file: what tile_host.file_watch watches is another now, or gone */
};

enum tile_modifier {
	TILE_MOD_SHIFT = 1 << 0,
	TILE_MOD_ALT = 1 << 1,
	TILE_MOD_CTRL = 1 << 2,
	TILE_MOD_SUPER = 1 << 3,
	TILE_MOD_HYPER = 1 << 4,
	TILE_MOD_META = 1 << 5,
	TILE_MOD_CAPS = 1 << 6,
	TILE_MOD_NUM = 1 << 7,
};

enum tile_key_state {
	TILE_KEY_RELEASED = 0,
	TILE_KEY_PRESSED = 1,
	TILE_KEY_REPEATED = 2,
};

struct tile_input_key {
	enum tile_key_state state;
	uint32_t keycode;     /* evdev */
	uint32_t keysym;      /* xkb, with modifiers applied */
	uint32_t base_keysym; /* xkb, same key with no modifiers in the current layout */
	uint32_t us_keysym;   /* xkb, same physical key in the us layout */
	uint32_t modifiers;   /* enum tile_modifier, effective */
	uint32_t consumed;    /* of these, those that were used up to make keysym */
	/* What the key types, composed, NUL-terminated; "" for none. Ctrl and Alt change nothing in
	 * it, and it never holds control characters: Return, Tab, BackSpace... are told by keysym.
	 */
	char text[16];
};

struct tile_input_pointer {
	double tx, ty;
	uint32_t button; /* evdev, for POINTER_BUTTON */
	bool pressed;
	uint32_t modifiers;
	uint32_t clicks; /* for POINTER_BUTTON pressed: 1 single, 2 double, 3 triple... */
};

struct tile_input_scroll {
	double tx, ty;
	double dx, dy;		      /* tile pixels; positive is right and down */
	int32_t step_x120, step_y120; /* wheel detents in 1/120, 0 for touchpads */
	uint32_t modifiers;
};

struct tile_input {
	enum tile_input_type type;
	uint64_t time_ns;
	union {
		bool focus;
		struct tile_input_key key;
		struct tile_input_pointer pointer;
		struct tile_input_scroll scroll;
		struct {
			bool primary;	  /* from the primary selection rather than the clipboard */
			const char *text; /* not NUL-terminated */
			size_t size;
		} paste;
		struct {
			int32_t width, height;
			double scale;
		} size;
		struct {
			const char *name;
			int status; /* as waitpid gives it */
		} stream;
		struct {
			const char *option;
		} file;
	};
};

enum tile_cursor {
	TILE_CURSOR_DEFAULT = 0,
	TILE_CURSOR_TEXT,
	TILE_CURSOR_POINTER,
	TILE_CURSOR_CROSSHAIR,
	TILE_CURSOR_GRAB,
	TILE_CURSOR_HIDDEN,
};

/* ------------------------------------------------------------------ the host's side */

/* What tile_host.pty_open runs. Every pointer may be NULL: then the user's shell, the host's
 * environment, the user's home. */
struct tile_pty_options {
	const char *const *argv; /* NULL-terminated */
	const char *const *env;	 /* "NAME=value" added to the environment, NULL-terminated */
	const char *cwd;
	uint16_t columns, rows, width_px, height_px;
};

/* What tile_host.file_open found. */
struct tile_file {
	uint64_t size; /* bytes */
	char why[200]; /* one line, with the option and the path, when it cannot be read */
};

/*
 * Services of the host. Streams are named by the tile (vat_name_valid) and belong to the tile, not
 * to a version of it: a stream opened by an older version is claimed by its name with stream_claim
 * in attach. A stream that no one claimed is closed, and logged, when the handover's probation
 * ends. Stream ids are small integers, valid in this version only.
 */
struct tile_host {
	uint32_t size; /* bytes of this structure; later versions only append */

	/* Ask for update() at a time (0: as soon as possible; UINT64_MAX: not at all). One shot;
	 * the earliest of several wins until it has happened, and UINT64_MAX takes all back. Asked
	 * for in attach and due, it happens before the first frame. While the tile cannot be seen
	 * and has damage that waits to be drawn, its update is held back until it is seen again,
	 * unless it declares TILE_CAP_BACKGROUND; streams and input are never held back. */
	void (*wake_at)(struct tile *tile, uint64_t now_ns);
	/* Ask for draw(): mark an area (tile pixels) as needing to be drawn again. */
	void (*damage)(struct tile *tile, double tx, double ty, double width, double height);

	/* The stream's id, or -1 when the tile has none of that name. */
	int (*stream_claim)(struct tile *tile, const char *name);
	/* Start a program on a new PTY kept under that name. The program is a child of the keeper:
	 * it lives on whatever happens to the tile. The stream's id, or -1 (reason in the log). */
	int (*pty_open)(
		struct tile *tile, const char *name, const struct tile_pty_options *options);
	/* Never block. Bytes moved; 0: nothing now; -1: the other end is gone. */
	long (*stream_read)(struct tile *tile, int stream, void *data, size_t size);
	long (*stream_write)(struct tile *tile, int stream, const void *data, size_t size);
	/* Call stream_ready() when readable (true: always on until changed) and/or writable. */
	void (*stream_watch)(struct tile *tile, int stream, bool readable, bool writable);
	void (*pty_resize)(struct tile *tile, int stream, const struct tile_pty_options *size);
	void (*stream_close)(struct tile *tile, int stream);

	void (*set_title)(struct tile *tile, const char *title);
	void (*set_cursor)(struct tile *tile, enum tile_cursor cursor);
	void (*bell)(struct tile *tile);
	/* Offer text as the clipboard, or as the primary selection: UTF-8, copied by the host. It
	 * outlives this version, and the tile. Refused unless the tile has had input, as for any
	 * window. */
	void (*clipboard_set)(struct tile *tile, bool primary, const char *text, size_t size);
	/* The answer comes as TILE_INPUT_PASTE, also if a handover is asked for meanwhile; nothing
	 * comes when there is no text, or more than 64 MiB. */
	void (*clipboard_request)(struct tile *tile, bool primary);
	/* Open a link the way the desktop does it. */
	void (*open_uri)(struct tile *tile, const char *uri);

	/* Make cell number `cell` of the descriptor, which has VAT_CELL_GROWS, hold `count`
	 * elements: contents up to the smaller count are kept, new elements have the initial values
	 * of their fields. tile->cells[cell] may move, no other cell does. False when refused (no
	 * memory: reason in the log); the cell is then as before. Only in attach, update, input and
	 * stream_ready. */
	bool (*cell_resize)(struct tile *tile, uint32_t cell, uint64_t count);
	uint64_t (*random64)(struct tile *tile);
	/* Value of a key of the tile's block in the config file, NULL when it is not set. */
	const char *(*option)(struct tile *tile, const char *key);
	/* One line into the one log, under the tile's name. level as in log.h (0 error .. 3 debug).
	 */
	void (*log)(struct tile *tile, int level, const char *format, va_list args);

	/* Not in hosts of which `size` ends here. */

	/* Read the ordinary file that an option of the config names, from byte `offset` on: a
	 * stream with the option's name, which is this version's own. So open it again in attach,
	 * from where the cells say; what was open under the name is closed by that. The path is
	 * absolute or begins with ~/. The stream's id, or -1 and the reason in file->why. */
	int (*file_open)(
		struct tile *tile, const char *option, uint64_t offset, struct tile_file *file);
	/* Memory for code that the tile generates, in whole pages and zeroed: the same memory at
	 * two addresses, of which one can be written and the other executed, and none both. It is
	 * scratch; what is left at the end of the version the host gives back. False: none (reason
	 * in the log). Also in warm. */
	bool (*code_memory)(struct tile *tile, size_t size, void **writable, void **executable);
	void (*code_memory_free)(struct tile *tile, void *writable);
	/* Of a cell with VAT_CELL_SPARSE, the next part at or behind byte *from that memory was
	 * made for, as somebody wrote there: [*from, *to). False: there is none. What is not in
	 * such parts is zero, and looking at it would only make memory of it. */
	bool (*cell_written)(struct tile *tile, uint32_t cell, uint64_t *from, uint64_t *to);

	/* From now on TILE_INPUT_FILE tells when the file that an option of the config names was
	 * saved, replaced, made or removed; however often that happens before it is told, once.
	 * Read it with file_open. It need not be there yet. Is this version's own: ask again in
	 * attach, and look whether what was read last is still what the file says. False: it cannot
	 * be watched (reason in the log). */
	bool (*file_watch)(struct tile *tile, const char *option);
	/* Of a port (index in the descriptor). False: it is no port for sound, or there is no audio
	 * process. */
	bool (*sound_status)(struct tile *tile, uint32_t port, struct tile_sound_status *status);
	/* Change the transport, for the whole city, as soon as that is possible for sound that is
	 * rendered ahead: what holds is what tile->transport says. False: not possible now (reason
	 * in the log). */
	bool (*transport_ask)(struct tile *tile, enum tile_transport_ask what, uint32_t value,
		int64_t tick, const char *name);
	/* A stream to the audio process, kept under that name like a PTY: see audio_wire.h for what
	 * it says. When it ends, the audio process has ended: open it again (a new one is started),
	 * for instance a second later. The stream's id, or -1 (reason in the log). */
	int (*audio_open)(struct tile *tile, const char *name);
};

struct tile {
	const struct tile_host *host;
	void *scratch; /* the tile's own: set it in warm, free it in detach */
	/* In the order of the descriptor's cells: the first element of each, its number of
	 * elements, and whether it was created by this attach (the initial values of its fields,
	 * mostly zero). NULL before attach. */
	void *const *cells;
	const uint64_t *cell_counts;
	const bool *cell_fresh;
	int32_t width, height; /* tile pixels */
	double scale;
	bool focused; /* as the compositor sees it now; a TILE_INPUT_FOCUS may be still to come */
	const struct tile_time *time; /* of the operation being run */
	/* Never NULL; the same for all tiles. Stands still at 0 where there is no audio process. */
	const struct vat_transport *transport;
	uint64_t frame; /* the city's frame that is heard at time->now_ns */
};

/* ------------------------------------------------------------------ the tile's side */

enum tile_attach {
	TILE_ATTACH_COLD = 1, /* the tile is new: all cells are fresh */
	TILE_ATTACH_HANDOVER, /* from an older (or newer) version */
	TILE_ATTACH_ROLLBACK, /* this version ran, was replaced, and comes back */
	TILE_ATTACH_RESTART,  /* same state, new process: a crash, or the desktop restarted */
	TILE_ATTACH_REPLAY,   /* as HANDOVER, on a copy of the state and with recorded input */
};

/*
 * Operations. Any may be NULL except attach and draw. An operation that has not returned after its
 * limit makes the tile count as hung.
 */
struct tile_ops {
	/* Before the cells are there, while the old version still runs: load fonts, build tables,
	 * allocate scratch. Slow things belong here. False refuses the handover. */
	bool (*warm)(struct tile *tile);
	/* The cells are there and may be written. Claim streams, ask for the next update, rebuild
	 * what depends on state: what an older version asked of the host (wake_at, stream_watch,
	 * set_title) is gone. A whole draw follows. Every microsecond here is a pause that the user
	 * may feel. False refuses (log says why). Called again, on the same scratch and with the
	 * same stream ids, when this version gave its cells up with quiesce and gets them back
	 * (TILE_ATTACH_ROLLBACK). */
	bool (*attach)(struct tile *tile, enum tile_attach why);
	/* The time asked for by wake_at has come. */
	void (*update)(struct tile *tile);
	void (*draw)(struct tile *tile, const struct tile_canvas *canvas);
	void (*input)(struct tile *tile, const struct tile_input *event);
	void (*stream_ready)(struct tile *tile, int stream, bool readable, bool writable);
	/* Put into cells what is still outside of them; last call in which cells may be written.
	 * False: not now (the handover fails, the tile goes on). Must return before deadline_ns. */
	bool (*quiesce)(struct tile *tile, uint64_t deadline_ns);
	/* The tile's invariants, checked in probation and by tests: true, or false with a reason.
	 * Cells may not be written. */
	bool (*check)(const struct tile *tile, char *why, size_t why_size);
	/* Free scratch. Cells may not be written. Not called when warm refused, nor when the
	 * process is killed. */
	void (*detach)(struct tile *tile);
	/* Version 2 of the ABI ends here. */

	/* Fill a port with sound; of tiles with a port of kind TILE_PORT_SOUND. Called ahead of
	 * time, also while the tile cannot be seen, and never waits for a draw that is not needed:
	 * but it shares the thread with the other operations, so these should take less than some
	 * milliseconds. Cells may be written. What is late is not heard. What asks for more than
	 * sound (damage, wake_at) is better done in update; the clock may be slower than it sounds.
	 * A version that has given its cells up is attached once more, to a copy of them that
	 * nobody else sees, and renders its end into which the next one is faded. */
	void (*render)(struct tile *tile, const struct tile_sound *sound);
};

enum tile_capability {
	TILE_CAP_PTY = 1 << 0,	      /* pty_open */
	TILE_CAP_CLIPBOARD = 1 << 1,  /* clipboard_set, clipboard_request */
	TILE_CAP_OPEN_URI = 1 << 2,   /* open_uri */
	TILE_CAP_BACKGROUND = 1 << 3, /* update() on time even while nobody can see the tile */
	TILE_CAP_FILES = 1 << 4,      /* file_open */
	TILE_CAP_CODE = 1 << 5,	      /* code_memory */
	TILE_CAP_TRANSPORT = 1 << 6,  /* transport_ask */
	TILE_CAP_AUDIO = 1 << 7,      /* audio_open: everything that is heard in the session */
};

enum tile_port_direction {
	TILE_PORT_IN = 1,
	TILE_PORT_OUT,
};

/* All that this host knows; an artifact that asks for more is refused. */
#define TILE_CAP_ALL ((1u << 8) - 1)

/* A named end that a stream can be connected to; kind is free text such as "pty" or "audio". */
struct tile_port {
	const char *name;
	const char *kind;
	uint32_t direction; /* enum tile_port_direction */
	uint32_t id; /* permanent, unique in the tile: a port that is renamed keeps it; 0: the
		      * name identifies it */
};

/* What the tile's picture and state follow in time; says what has to fit at a handover. */
enum tile_time_model {
	TILE_TIME_NONE = 0, /* it moves only when something happens to it */
	TILE_TIME_WALL,	    /* the time of day */
	TILE_TIME_RUNNING,  /* time.now_ns since some moment, with no end */
	TILE_TIME_PHASE,    /* time.now_ns, again and again: a period of time_period_ns */
};

#define TILE_WARM_UP_MAX_MS 10000

struct tile_descriptor {
	uint64_t magic;	       /* TILE_MAGIC */
	uint32_t abi_version;  /* TILE_ABI_VERSION */
	uint32_t size;	       /* sizeof(struct tile_descriptor) */
	const char *name;      /* vat_name_valid: what kind of tile this is */
	const char *role;      /* tiles of the same role can replace each other; usually the name */
	const char *summary;   /* one line for people */
	uint64_t capabilities; /* enum tile_capability: what it asks for */
	const struct vat_cell_decl *cells;
	uint32_t cell_count;
	uint32_t port_count;
	const struct tile_port *ports;
	int32_t default_width, default_height; /* tile pixels, for a new one */
	const struct tile_ops *ops;
	/* Version 1 of the ABI ends here, and is still loaded. What follows may be left out. */

	/* How state of other versions becomes state of this one, where field ids do not say it
	 * all: see struct vat_edge. schemas are the other versions of the cells' schemas. */
	const struct vat_cell_decl *schemas;
	const struct vat_edge *edges;
	uint32_t schema_count;
	uint32_t edge_count;
	uint32_t time_model; /* enum tile_time_model */
	/* How long it runs after attach before its picture is worth to be shown, because averages
	 * have to settle or lines to fill up; the last picture of the version before stays so long.
	 * 0: the first one is. At most TILE_WARM_UP_MAX_MS. */
	uint32_t warm_up_ms;
	uint64_t time_period_ns; /* of TILE_TIME_PHASE, otherwise 0 */
};

/* Bytes of the descriptor of an artifact that was built for that version of the ABI; 0 if it is not
 * supported. What an older one does not have is zero. */
static inline size_t tile_descriptor_size(uint32_t abi_version) {
	switch (abi_version) {
	case 1:
		return offsetof(struct tile_descriptor, schemas);
	case 2:
	case TILE_ABI_VERSION:
		return sizeof(struct tile_descriptor);
	default:
		return 0;
	}
}

/* The same of its operations. */
static inline size_t tile_ops_size(uint32_t abi_version) {
	return abi_version < 3 ? offsetof(struct tile_ops, render) : sizeof(struct tile_ops);
}

/* What it says about its state, for libvat. */
static inline struct vat_lineage tile_lineage(const struct tile_descriptor *tile) {
	return (struct vat_lineage){
		.cells = tile->cells,
		.cell_count = tile->cell_count,
		.schemas = tile->schemas,
		.schema_count = tile->schema_count,
		.edges = tile->edges,
		.edge_count = tile->edge_count,
	};
}

/* Defines the descriptor of this artifact: TILE_EXPORT(.name = "clock", .ops = &ops, ...). */
#define TILE_EXPORT(...)                                                                           \
	__attribute__((                                                                            \
		visibility("default"))) extern const struct tile_descriptor source_city_tile;      \
	const struct tile_descriptor source_city_tile                                              \
		__attribute__((used)) = {.magic = TILE_MAGIC,                                      \
			.abi_version = TILE_ABI_VERSION,                                           \
			.size = sizeof(struct tile_descriptor),                                    \
			__VA_ARGS__}

#define TILE_SYMBOL "source_city_tile"

__attribute__((format(printf, 3, 4))) static inline void tile_log(
	struct tile *tile, int level, const char *format, ...) {
	va_list args;
	va_start(args, format);
	tile->host->log(tile, level, format, args);
	va_end(args);
}

#endif

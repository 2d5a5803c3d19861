/* SPDX-License-Identifier: MIT */
/*
 * cityctl: the command line of a running city. One process, one thread, one command.
 *
 * main.c parses the command line by the table of commands and options; connection.c speaks
 * source-city-control-v1 and keeps a copy of the tiles; request.c follows one request to its end;
 * output.c prints. Each group of commands has a file and a few rows in the table.
 *
 * With --json each object printed is one line, and a failure is one too: {"event":"failed",...}.
 */
#ifndef CTL_H
#define CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <wayland-util.h>
#include <yyjson.h>

/* Exit status. */
#define CTL_OK 0
#define CTL_FAILED 1
#define CTL_USAGE 2

#define CTL_OPTIONS_MAX 8
/* Strings on the wire are limited; a path must leave room for the rest of its message. */
#define CTL_TEXT_MAX 3500

struct ctl;
struct source_city_request_v1;

struct option {
	const char *name;  /* without "--" */
	const char *value; /* what it takes, "DIR"; NULL for a switch */
	const char *help;
};

struct command {
	const char *name;
	const char *words; /* as shown in its usage */
	size_t min, max;   /* number of words */
	const char *help;
	const struct option *options; /* ended by a name of NULL; may be NULL */
	int (*run)(struct ctl *ctl);
	bool free_words; /* unknown options are words */
};

extern const struct command commands[]; /* ended by a name of NULL */

/* Numbers are those of the protocol. */
enum tile_state { TILE_STARTING, TILE_LIVE, TILE_HANDOVER, TILE_PROBATION, TILE_DEAD };

enum tile_change {
	TILE_NEW = 1 << 0,
	TILE_VERSION = 1 << 1,
	TILE_PLACE = 1 << 2,
	TILE_TITLE = 1 << 3,
	TILE_STATE = 1 << 4,
	TILE_NOTICE = 1 << 5,
	TILE_PORTS = 1 << 6,
};

/* A tile as the city tells it. */
struct tile {
	struct wl_list link; /* ctl.tiles */
	struct ctl *ctl;
	struct source_city_tile_handle_v1 *handle;
	char *uuid, *name, *kind; /* "" until known, never NULL */
	char *artifact, *source;
	uint32_t pid;
	uint64_t epoch;
	double cx, cy;
	int32_t width, height;
	char *title;
	enum tile_state state;
	char *notice;
	char *ports;	      /* JSON objects, with commas between them */
	char *new_ports;      /* those of the coming done */
	char *pas;	      /* of its last handover, a number; "" before that */
	unsigned int changed; /* enum tile_change, since the last done */
	bool announced;	      /* had its first done */
};

struct ctl {
	/* the command line */
	const struct command *command;
	bool json;
	const char *socket; /* NULL: as the environment says */
	char **words;
	size_t word_count;
	struct {
		const char *name, *value;
	} options[CTL_OPTIONS_MAX];
	size_t option_count;
	bool color; /* stdout is a terminal that wants it */
	bool live;  /* stderr is a terminal: progress may be shown */

	/* the connection */
	struct wl_display *display;
	struct wl_registry *registry;
	struct source_city_control_v1 *control;
	struct wl_list tiles; /* tile.link, in order of appearance */
	bool ready;	      /* all tiles that existed are known */
	char *city;	      /* the socket's name, for messages */
	bool leaving;	      /* the end of the connection is no failure */
	bool lost;	      /* it has ended */

	/* What a command listens to; each may be NULL. */
	void (*on_change)(struct ctl *ctl, struct tile *tile); /* tile->changed says what */
	void (*on_ready)(struct ctl *ctl);
	void (*on_close)(struct ctl *ctl, struct tile *tile);
	void (*on_message)(
		struct ctl *ctl, uint32_t severity, const char *subject, const char *text);
	void (*on_record)(struct ctl *ctl, const char *json);
	void (*on_transport)(struct ctl *ctl, const char *json);
	void (*on_audio)(struct ctl *ctl, const char *json);
	void *data;
};

/* ---- main.c */

/* The option's value, "" for a switch that is given; NULL when it is not. */
const char *ctl_option(const struct ctl *ctl, const char *name);
bool ctl_has(const struct ctl *ctl, const char *name);
/* Says what is wrong with the command line; returns CTL_USAGE. */
int ctl_usage(const struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Of NULL-terminated names the one that was probably meant, NULL when none is close. */
const char *ctl_nearest(const char *word, const char *const *names);
/* A number from 1 to max. False after ctl_usage. */
bool ctl_number(const struct ctl *ctl, const char *option, long max, long *number);

/* ---- connection.c */

/* Connects and learns of all tiles. CTL_OK, or CTL_FAILED after saying why. */
int ctl_connect(struct ctl *ctl);
void ctl_disconnect(struct ctl *ctl);
/* The tile of this name or UUID. NULL after saying which there are. */
struct tile *ctl_tile(struct ctl *ctl, const char *name);
/*
 * Handles events until done(data) is true. False when the city went away (said), or a signal came,
 * or timeout_ms (-1: none) has passed. tick (may be NULL) is called ten times a second.
 */
bool ctl_wait(struct ctl *ctl, bool (*done)(void *data), void (*tick)(void *data), void *data,
	int timeout_ms);
/* The signal that asked to end, or 0. */
int ctl_signal(void);

const char *tile_state_name(enum tile_state state);
const char *severity_name(uint32_t severity);

/* ---- request.c */

enum request_result { REQUEST_OPEN, REQUEST_SUCCEEDED, REQUEST_FAILED, REQUEST_SUPERSEDED };

/* Follows a request. Callbacks may be NULL. Texts are valid during the call. */
struct request {
	struct ctl *ctl;
	struct source_city_request_v1 *proxy;
	void (*progress)(struct request *request, const char *step, uint64_t time_ns);
	void (*output)(struct request *request, const char *text);
	void (*record)(struct request *request, const char *json);
	void *data;

	char *text; /* all text events together, "" for none */
	size_t text_size;
	int region;    /* fd, -1 for none */
	int undo;      /* fd, -1 for none */
	int recording; /* fd, -1 for none */
	int file;      /* fd, -1 for none */
	struct {
		int fd; /* -1 for none */
		uint32_t width, height, stride;
	} picture;
	enum request_result result;
	char *step, *reason; /* of a failure */
	bool enough;	     /* set by a callback: no need to wait for the end */
};

/* Follows the request that the proxy stands for; set callbacks after it, before the next wait. */
void request_begin(struct request *request, struct ctl *ctl, struct source_city_request_v1 *proxy);
/* Waits for its end, or for `enough`. False if neither came. */
bool request_wait(struct request *request, void (*tick)(void *data));
/* Says how it failed and returns the exit status: CTL_OK when it succeeded. tile: its name or "".
 */
int request_status(const struct request *request, const char *tile);
void request_finish(struct request *request);
/* begin, wait and finish of a request that has no answer but its end. */
int request_simple(struct ctl *ctl, struct source_city_request_v1 *proxy, const char *tile);

/* ---- draft.c: a file that is there whole or not at all. It is written beside its place, for
 * nobody else to read, and moved there in the end. A device, a pipe or a folder is never replaced.
 */

struct draft {
	const struct ctl *ctl;
	const char *step, *path; /* borrowed */
	char *beside;
	int fd; /* to write to; draft_close closes it */
};
/* CTL_OK, or CTL_FAILED after one line; then there is nothing to close. */
int draft_open(struct draft *draft, const struct ctl *ctl, const char *step, const char *path);
/* CTL_OK in status: brings it to the disk and to its place. Otherwise it is thrown away. Returns
 * the status that it ends with. */
int draft_close(struct draft *draft, int status);

/* ---- output.c */

/* One line on stderr, and with --json an object on stdout. Returns CTL_FAILED. */
int ctl_fail(const struct ctl *ctl, const char *step, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same about a tile; "" for none. */
int ctl_fail_tile(const struct ctl *ctl, const char *tile, const char *step, const char *reason);

/* Text from elsewhere made fit for a terminal: one line without control characters, or with lines
 * (newline and tab stay). Heap. */
char *clean_line(const char *text);
char *clean_text(const char *text);
char *copy_text(const char *text); /* never NULL */

enum color { PLAIN, BOLD, DIM, RED, GREEN, YELLOW };
/* The escape sequence, "" where none is wanted. */
const char *color_on(const struct ctl *ctl, enum color color);
const char *color_off(const struct ctl *ctl);

/* Columns that are as wide as their widest cell. Cells are cleaned. */
struct table {
	size_t columns;
	struct cell {
		char *text;
		enum color color;
	} *cells;
	size_t count, capacity;
};
/* headings: NULL-terminated. */
void table_begin(struct table *table, const char *const *headings);
void table_add(struct table *table, enum color color, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void table_print(struct table *table, const struct ctl *ctl); /* and frees it */

/* "312 µs", "1.3 ms", "2.1 s". Returns buffer. */
const char *format_us(char *buffer, size_t size, double us);

/* The time: in full (UTC, with the date) for programs, of the day for people. */
void format_now(char *text, size_t size, bool full);

/* An object to be printed as one line. */
struct json {
	yyjson_mut_doc *doc;
	yyjson_mut_val *root;
};
void json_begin(struct json *json, const char *event); /* event may be NULL */
void json_text(struct json *json, const char *key, const char *value);
void json_uint(struct json *json, const char *key, uint64_t value);
void json_real(struct json *json, const char *key, double value);
void json_print(struct json *json); /* and frees it */
void json_event(const char *event); /* one with nothing else in it */
/* Prints an object that came as text, with "event" in front; what is no object is left out. */
void json_pass(const char *event, const char *text);
/* All properties of a tile. */
void json_tile(struct json *json, const struct tile *tile);
/* One line about a handover from its record: what replaced what, and what it cost. */
void print_record(const struct ctl *ctl, const char *json);

/* ---- versions.c */

/* Prints the versions of the tile that were found good. The exit status. */
int list_versions(struct ctl *ctl, const struct tile *tile);

/* ---- commands */

int command_tiles(struct ctl *ctl);
int command_open(struct ctl *ctl);
int command_close(struct ctl *ctl);
int command_swap(struct ctl *ctl);
int command_watch(struct ctl *ctl);
int command_checkpoint(struct ctl *ctl);
int command_console(struct ctl *ctl);
int command_rollback(struct ctl *ctl);
int command_move(struct ctl *ctl);
int command_replace(struct ctl *ctl);
int command_fork(struct ctl *ctl);
int command_undo(struct ctl *ctl);
int command_redo(struct ctl *ctl);
int command_record(struct ctl *ctl);
int command_test(struct ctl *ctl);
int command_vat(struct ctl *ctl);
int command_history(struct ctl *ctl);
int command_events(struct ctl *ctl);
int command_run(struct ctl *ctl);
int command_go(struct ctl *ctl);
int command_bookmark(struct ctl *ctl);
int command_camera(struct ctl *ctl);
int command_picture(struct ctl *ctl);
int command_keeper(struct ctl *ctl);
int command_map(struct ctl *ctl);
int command_transport(struct ctl *ctl);
int command_audio(struct ctl *ctl);
int command_state(struct ctl *ctl);
int command_quit(struct ctl *ctl);
int command_version(struct ctl *ctl);

#endif

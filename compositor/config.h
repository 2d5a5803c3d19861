/* SPDX-License-Identifier: MIT */
/*
 * The user's config: one scfg file, $XDG_CONFIG_HOME/source-city/config, else the installed
 * default. Parsing has no side effects; what is read is plain data owned by struct city_config.
 * Errors are reported as `file:line: what; allowed: ...` through city_log.
 */
#ifndef CITY_CONFIG_H
#define CITY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wayland-server-protocol.h>
#include <xkbcommon/xkbcommon.h>

#include "compositor/bind.h"
#include "compositor/options.h"
#include "compositor/policy.h"
#include "compositor/theme.h"

struct city_output_config {
	char *name; /* "HDMI-A-1", or "*" for all others */
	bool off;
	int width, height; /* 0: preferred */
	int refresh_mhz;   /* 0: any */
	double scale;	   /* 0: 1 */
	enum wl_output_transform transform;
	bool has_position;
	int ox, oy;
};

/* `tile NAME { kind KIND; source PATH; artifact FILE; at X Y; size W H; option KEY VALUE; ... }`.
 */
struct city_tile_config {
	char *name;
	char *kind;	/* of an installed tile; NULL: `name` */
	char *source;	/* absolute, ~ expanded; NULL: the installed source of that kind */
	char *artifact; /* file that the first version is loaded from; NULL: the installed one */
	struct city_options options; /* for the tile itself */
	bool has_place, has_size;
	double cx, cy;
	int width, height;
	enum city_strategy strategy; /* of handovers that ask for none; AUTO: by what differs */
	char *splice; /* when those happen that say nothing of it, "@bar"; NULL: not said */
};

struct city_config {
	char *path;	 /* NULL: built-in defaults */
	bool path_given; /* by the user: read again from there */

	/* xkb names, NULL for the system's default. */
	char *xkb_rules, *xkb_model, *xkb_layout, *xkb_variant, *xkb_options;
	int repeat_rate, repeat_delay;
	bool numlock;

	bool natural_scroll, tap; /* libinput */
	bool inertia;		  /* the map goes on after a flick */
	double pointer_speed;	  /* -1 to 1 */
	char *cursor_theme;	  /* NULL: XCURSOR_THEME, else the default */
	int cursor_size;

	bool animations;
	char *record;	/* how much of what goes into tiles is kept: "64M", "off"; NULL: the default
			 */
	int checkpoint; /* seconds until what has changed is saved; 0: not by time */
	enum city_strategy strategy; /* as in city_tile_config, of the tiles that have none */
	char *font;		     /* fontconfig name without size, NULL: CITY_FONT */
	enum city_style style;
	/* Those that the config gives, else of the style's palette. */
	uint32_t color_ground, color_focus, color_frame;
	char **sources; /* folders of source that are shown as quarters; absolute */
	size_t source_count;

	/* arrays, heap */
	struct city_bind *binds;
	size_t bind_count;
	struct city_output_config *outputs;
	size_t output_count;
	struct city_tile_config *tiles;
	size_t tile_count;
	char *launcher;	  /* shell command; NULL: one that is installed */
	char **autostart; /* shell commands run once the city is up */
	size_t autostart_count;

	/* Size of the outputs that the headless backend is given. */
	int headless_width, headless_height, headless_count;
};

/* Built-in defaults. NULL when out of memory. */
struct city_config *city_config_default(void);
/*
 * Reads `path`, or the user's file, or the installed default when path is NULL. On an error logs
 * each problem and, when `strict`, returns NULL; otherwise returns what could be understood over
 * the defaults. `errors` (may be NULL) counts the problems.
 */
struct city_config *city_config_load(const char *path, bool strict, int *errors);
void city_config_destroy(struct city_config *config); /* NULL-safe */

/* The keymap that the config names; the caller's. NULL: there is none of these names. */
struct xkb_keymap *city_config_keymap(const struct city_config *config);

const struct city_output_config *city_config_output(
	const struct city_config *config, const char *name); /* may return NULL */

#endif

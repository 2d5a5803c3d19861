/* SPDX-License-Identifier: MIT */
/*
 * The survey: what source the city is made of, and where it stands. A thread of its own looks at
 * the disk, counts lines and lays the quarters out (compositor/layout), so that no frame waits for
 * a disk; it is started for each survey and ends with it. Main thread only, but for that.
 *
 * Quarters are the city's own source (a table made with the build), each folder of
 * $XDG_DATA_HOME/source-city/city with what in it is no source of a running tile, and the folders
 * that the config names as "sources". Where they stand and how they are cut is kept in
 * $XDG_STATE_HOME/source-city/layout:
 *
 *	source-city layout 1
 *	city /home/me/.local/share/source-city/city
 *	place QUARTER CX CY [hand]
 *	...the cuts, see compositor/layout/layout.h
 *	end CHECKSUM
 *
 * A file that is damaged, or that tells of another city, is set aside under a new name and never
 * overwritten.
 */
#ifndef CITY_SURVEY_H
#define CITY_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wayland-server-core.h>

#include "compositor/layout/layout.h"
#include "compositor/map.h"

struct city_server;
struct city_survey;

#define CITY_OWN_QUARTER "source-city"

/* A module of the city's own source, from the table that the build makes; sorted by path. */
struct city_own_module {
	const char *path; /* "compositor/view.c" */
	uint32_t lines;
};
extern const struct city_own_module city_own_modules[];
extern const size_t city_own_module_count;

struct city_quarter {
	char *name;
	uint32_t site;	     /* in the layout; CITY_NO_SITE: its source is gone for now */
	struct city_box box; /* on the map */
	bool hand;	     /* put there by the user */
	char *path;	     /* of its folder; NULL: the city's own source */
};

/* Emits `changed` whenever a survey has ended, or a quarter has moved. NULL when out of memory. */
struct city_survey *city_survey_create(struct city_server *server);
/* Waits for the thread, which ends soon. NULL-safe. */
void city_survey_destroy(struct city_survey *survey);
/* Source has come, gone or changed, or may have. One survey follows, soon. NULL-safe. */
void city_survey_begin(struct city_survey *survey);
/* Whether one is under way. */
bool city_survey_busy(const struct city_survey *survey);

/* NULL before the first survey has ended; the survey's. */
const struct city_layout *city_survey_layout(const struct city_survey *survey);
/* The same, for longer: the caller's reference. There must be one. */
struct city_layout *city_survey_keep_layout(const struct city_survey *survey);
const struct city_quarter *city_survey_quarters(const struct city_survey *survey, size_t *count);
/* Puts a quarter somewhere, by hand. False if there is none of that name. */
bool city_survey_move(struct city_survey *survey, const char *name, double cx, double cy);
/* Counts how often layout or quarters changed: as long as it is the same, so are they. */
uint64_t city_survey_changes(const struct city_survey *survey);
/* The lines of a tile's source; 0: not known (yet). */
uint64_t city_survey_lines(const struct city_survey *survey, const char *source);
/* One line about what could not be read or was too much; "" for nothing. */
const char *city_survey_note(const struct city_survey *survey);
struct wl_signal *city_survey_changed(struct city_survey *survey);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Where the tiles are, kept over restarts: $XDG_STATE_HOME/source-city/places, an scfg file that is
 * always replaced as a whole. It holds for each tile its identity (the uuid that its region is
 * found by), its kind, its place on the map and its last known good artifact:
 *
 *	tile terminal {
 *		uuid 8d5f...
 *		kind terminal
 *		source /home/me/terminal
 *		at 120 80
 *		size 800 600
 *		option font "monospace 12"
 *		artifact 5e1c...
 *		later 77a0...
 *		earlier 03fe... 9b21...
 *	}
 *
 * Plain data. A file that cannot be understood is set aside under a new name and never overwritten.
 */
#ifndef CITY_PLACES_H
#define CITY_PLACES_H

#include <stdbool.h>
#include <wayland-util.h>

#include "compositor/options.h"
#include "compositor/versions.h"
#include "vat.h"

struct city_place {
	struct wl_list link; /* city_places.list */
	char *name;
	char *kind;
	char *source;		       /* NULL: the installed one */
	char *artifact;		       /* hash, NULL: none known to be good */
	struct city_versions versions; /* that one, and the good ones before and after it */
	char *installed; /* hash of the installed artifact when this was written; may be NULL */
	struct vat_uuid uuid;
	bool has_place;
	double cx, cy;
	int width, height;	     /* 0: the kind's own */
	struct city_options options; /* what was said when it was opened, besides the config */
};

struct city_places {
	char *path;
	struct city_writer *writer; /* NULL: nothing was saved yet */
	bool existed;		    /* there was such a file, perhaps an empty one */
	struct wl_list list;	    /* city_place.link, in the order of the file */
};

/* NULL when out of memory or without a state folder (one line in the log). */
struct city_places *city_places_load(void);
/* No places, and none will be saved. NULL when out of memory. */
struct city_places *city_places_none(void);
void city_places_destroy(struct city_places *places); /* NULL-safe */
struct city_place *city_places_find(struct city_places *places, const char *name);
/* A new entry at the end; NULL when out of memory. */
struct city_place *city_places_add(struct city_places *places, const char *name);
void city_places_remove(struct city_places *places, struct city_place *place);
/* Has it brought to disk, by a thread of its own. False after one line in the log. */
bool city_places_save(struct city_places *places);
/* Returns when what was saved is on disk. */
void city_places_flush(struct city_places *places);

/* For tests: reads text as it would stand in the file; -1 after one line in the log. */
int city_places_read(struct city_places *places, const char *path);

#endif

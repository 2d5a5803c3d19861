/* SPDX-License-Identifier: MIT */
/*
 * A census: what source there is, as a tree of folders and modules with their lines. Plain data
 * that is built up in order and then only read; no file is touched here (scan.h does that). Names
 * are bytes as they come from the file system. Any thread, one at a time.
 */
#ifndef CITY_LAYOUT_CENSUS_H
#define CITY_LAYOUT_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct city_census_entry {
	uint32_t name;	/* in city_census.names */
	uint32_t end;	/* of its subtree: the next entry that is not below it */
	uint32_t lines; /* of a folder: all below it */
	bool folder;
	double weight; /* area that it asks for, in square city units; see city_census_weigh */
};

/* Entries in preorder; those of a folder are sorted by name, bytewise, and differ. */
struct city_census {
	struct city_census_entry *entries;
	size_t count, room;
	char *names;
	size_t names_size, names_room;
	uint32_t *open; /* folders that are not ended yet */
	size_t open_count, open_room;
	bool failed; /* out of memory: it is not whole */
};

/* Zeroed memory is an empty census. */
void city_census_finish(struct city_census *census);
/* The top level holds folders only: the quarters. A name that is not greater than the one before it
 * in the same folder is not taken, and false returned. */
bool city_census_begin(struct city_census *census, const char *name);
bool city_census_module(struct city_census *census, const char *name, uint32_t lines);
void city_census_end(struct city_census *census);
/* Once it is whole: sums up lines and weights. */
void city_census_weigh(struct city_census *census);

static inline const char *city_census_name(
	const struct city_census *census, const struct city_census_entry *entry) {
	return census->names + entry->name;
}

#endif

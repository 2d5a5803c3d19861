/* SPDX-License-Identifier: MIT */
/*
 * Counts the lines of the source below a folder. Reads the disk, which may take long: for a thread
 * of its own. What is no source is left out: names that begin with a dot, links of any kind (so
 * there are no loops), devices and pipes, files with a zero byte in their beginning, and what is
 * larger than SCAN_FILE_MAX. A folder that is one of those that it lies in (a mount of itself), or
 * that lies too deep, or that cannot be read, is an empty folder in the census, and counted.
 */
#ifndef CITY_LAYOUT_SCAN_H
#define CITY_LAYOUT_SCAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compositor/layout/census.h"

#define CITY_SCAN_DEPTH 48
#define CITY_SCAN_ENTRIES 400000
#define CITY_SCAN_FILE_MAX (16 << 20)

struct city_scan {
	struct city_census *census;
	/* Folders that are not gone into, by their real paths; sorted bytewise. */
	const char *const *without;
	size_t without_count;
	atomic_bool *stop; /* may be NULL; set: it ends early */

	size_t entries;	   /* so far */
	size_t links;	   /* that were not followed */
	size_t unreadable; /* folders and files */
	size_t too_deep;   /* and loops */
	bool too_many;	   /* there is more than CITY_SCAN_ENTRIES */
	char first[256];   /* the first that was unreadable: its path and why */
};

/* Adds the folder at `path` to the census, with all that is in it, under this name. Its entries are
 * all that is added if `name` is NULL. False if it cannot be read at all, with errno. */
bool city_scan_folder(struct city_scan *scan, const char *path, const char *name);
/* The lines of all source below the folder; 0 if it cannot be read. */
uint64_t city_scan_lines(struct city_scan *scan, const char *path);

#endif

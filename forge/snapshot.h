/* SPDX-License-Identifier: MIT */
/*
 * What is in a source folder at a moment: the names and the hashes of its files. The forge compares
 * contents, not times: two saves within one tick of the file system's clock are two saves, and a
 * touched file is none.
 *
 * Left out are hidden files and what editors and compilers leave beside sources. Links to folders
 * are not followed.
 */
#ifndef FORGE_SNAPSHOT_H
#define FORGE_SNAPSHOT_H

#include "forge/util.h"

#define SNAPSHOT_FILES_MAX 4096
#define SNAPSHOT_DEPTH_MAX 8

struct snapshot_file {
	char *name; /* relative to the folder */
	struct digest digest;
};

struct snapshot {
	struct snapshot_file *files; /* sorted by name */
	size_t count;
};

/* False with one line about why in *why (heap): no such folder, no sources in it, unreadable. The
 * snapshot is then empty. */
bool snapshot_take(struct snapshot *snapshot, const char *folder, char **why);
void snapshot_finish(struct snapshot *snapshot);

/* A file that is compiled: a *.c in the folder itself. */
bool snapshot_is_source(const char *name);
bool snapshot_is_ignored(const char *name); /* the last part of a name */
const struct snapshot_file *snapshot_find(const struct snapshot *snapshot, const char *name);

/*
 * Whether b would be built differently from a. C sources and headers always count; of the other
 * files those in `known`, or all if it is NULL.
 */
bool snapshot_differs(
	const struct snapshot *a, const struct snapshot *b, const struct strings *known);
/* Hash of all that counts as above. */
struct digest snapshot_digest(const struct snapshot *snapshot, const struct strings *known);
/* Whether b lacks a source or a header of a: half of what an editor does that renames. */
bool snapshot_lost_files(const struct snapshot *a, const struct snapshot *b);
/* Hash of the names of all headers: a new one can take the place of another in an #include. */
struct digest snapshot_headers(const struct snapshot *snapshot);

#endif

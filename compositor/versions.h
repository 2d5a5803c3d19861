/* SPDX-License-Identifier: MIT */
/*
 * The versions of one tile that were found good, the newest first, and which of them is the last
 * known good one: that a rollback counts from. Going back moves only the mark, so that one can go
 * back again, and forward by naming a version. A new version takes its place before the one that
 * it replaced. Plain data; kept over restarts in the places.
 */
#ifndef CITY_VERSIONS_H
#define CITY_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "compositor/store.h"

#define CITY_VERSIONS_MAX 32

struct city_versions {
	char hashes[CITY_VERSIONS_MAX][CITY_HASH_SIZE];
	size_t count;
	size_t at; /* the last known good one; 0 when there is none */
};

/* "" when none is known. */
const char *city_versions_good(const struct city_versions *versions);
/* This one is good. back: it was gone back to. */
void city_versions_add(struct city_versions *versions, const char *hash, bool back);
/* For reading them from a file, the newest first. False when it is no hash, or there are too many.
 */
bool city_versions_append(struct city_versions *versions, const char *hash);
/*
 * What a rollback goes to. running: the hash of what runs, or ran last; which: "" or "1" for the
 * good version before it, "2" for the one before that..., or the beginning of a hash. NULL with one
 * line in `error`.
 */
const char *city_versions_find(const struct city_versions *versions, const char *running,
	const char *which, char *error, size_t error_size);
/* Whether that is a number of versions; 0: it is not. "" is 1. */
size_t city_versions_steps(const char *which);

#endif

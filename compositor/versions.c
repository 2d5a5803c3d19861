/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/versions.h"

#define PREFIX_MIN 4 /* digits of a hash; fewer are a number of versions */

const char *city_versions_good(const struct city_versions *versions) {
	return versions->count > 0 ? versions->hashes[versions->at] : "";
}

/* SIZE_MAX: it is not there. */
static size_t index_of(const struct city_versions *versions, const char *hash) {
	for (size_t i = 0; i < versions->count; i++) {
		if (strcmp(versions->hashes[i], hash) == 0) {
			return i;
		}
	}
	return SIZE_MAX;
}

static void remove_at(struct city_versions *versions, size_t index) {
	memmove(versions->hashes[index], versions->hashes[index + 1],
		(versions->count - index - 1) * sizeof(versions->hashes[0]));
	versions->count--;
}

static void insert_first(struct city_versions *versions, const char *hash) {
	size_t keep = versions->count < CITY_VERSIONS_MAX ? versions->count : CITY_VERSIONS_MAX - 1;
	memmove(versions->hashes[1], versions->hashes[0], keep * sizeof(versions->hashes[0]));
	snprintf(versions->hashes[0], sizeof(versions->hashes[0]), "%s", hash);
	versions->count = keep + 1;
}

void city_versions_add(struct city_versions *versions, const char *hash, bool back) {
	size_t index = index_of(versions, hash);
	if (index != SIZE_MAX && (back || index == versions->at)) {
		versions->at = index;
		return;
	}
	if (versions->at > 0) {
		char good[CITY_HASH_SIZE];
		memcpy(good, versions->hashes[versions->at], sizeof(good));
		remove_at(versions, versions->at);
		insert_first(versions, good);
		index = index_of(versions, hash);
	}
	if (index != SIZE_MAX) {
		remove_at(versions, index);
	}
	insert_first(versions, hash);
	versions->at = 0;
}

bool city_versions_append(struct city_versions *versions, const char *hash) {
	if (versions->count == CITY_VERSIONS_MAX || !city_hash_valid(hash)) {
		return false;
	}
	if (index_of(versions, hash) == SIZE_MAX) {
		memcpy(versions->hashes[versions->count++], hash, CITY_HASH_SIZE);
	}
	return true;
}

size_t city_versions_steps(const char *which) {
	size_t length = strlen(which);
	if (length == 0) {
		return 1;
	}
	if (length >= PREFIX_MIN || strspn(which, "0123456789") != length) {
		return 0;
	}
	return strtoul(which, NULL, 10);
}

static const char *find_hash(
	const struct city_versions *versions, const char *which, char *error, size_t error_size) {
	const char *found = NULL;
	if (strlen(which) < PREFIX_MIN) {
		snprintf(error, error_size,
			"\"%.60s\" names no version: a number from 1 on, or at least %d digits of "
			"a hash",
			which, PREFIX_MIN);
		return NULL;
	}
	for (size_t i = 0; i < versions->count; i++) {
		if (strncmp(versions->hashes[i], which, strlen(which)) != 0) {
			continue;
		}
		if (found) {
			snprintf(error, error_size,
				"more than one version begins with %.60s; give more digits", which);
			return NULL;
		}
		found = versions->hashes[i];
	}
	if (!found) {
		snprintf(error, error_size,
			"no good version of it begins with %.64s; --list shows those there are",
			which);
	}
	return found;
}

const char *city_versions_find(const struct city_versions *versions, const char *running,
	const char *which, char *error, size_t error_size) {
	size_t steps = city_versions_steps(which);
	if (steps == 0) {
		return find_hash(versions, which, error, error_size);
	}
	/* What runs and was not found good yet came after the last good one. */
	bool good_runs = strcmp(running, city_versions_good(versions)) == 0;
	size_t first = versions->at + (good_runs && versions->count > 0);
	size_t there = versions->count > first ? versions->count - first : 0;
	if (steps > there && there == 0) {
		snprintf(error, error_size, "there is no earlier version to go back to");
		return NULL;
	}
	if (steps > there) {
		snprintf(error, error_size,
			"there are only %zu earlier versions to go back to, not %zu; --list shows "
			"them",
			there, steps);
		return NULL;
	}
	return versions->hashes[first + steps - 1];
}

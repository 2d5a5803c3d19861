/* SPDX-License-Identifier: MIT */
/*
 * Artifacts by hash: $XDG_DATA_HOME/source-city/store/HASH.so, HASH being the BLAKE2b-256 of the
 * bytes in hex. A file there is written once, under a name that nobody sees, and then linked into
 * place whole; it is never opened for writing again. The forge puts its artifacts there in the same
 * way. Main thread only; reading and hashing an artifact takes well under a millisecond.
 */
#ifndef CITY_STORE_H
#define CITY_STORE_H

#include <stdbool.h>
#include <stddef.h>

#define CITY_HASH_SIZE 65 /* hex digits and the zero byte */
#define CITY_ARTIFACT_MAX (64u << 20)

struct city_store;

/* NULL after one line in the log. A folder that cannot be made now is tried again with each put. */
struct city_store *city_store_create(void);
void city_store_destroy(struct city_store *store); /* NULL-safe */

/*
 * Puts the bytes of `fd` (a plain file or a memfd, read from its start) into the store. Returns a
 * descriptor of the file in the store, open for reading, and its hash; -1 with one line in `error`.
 */
int city_store_put(struct city_store *store, int fd, char hash[CITY_HASH_SIZE], char *error,
	size_t error_size);
/* The file of this hash, whose bytes are checked against it; -1 with one line in `error`. */
int city_store_open(struct city_store *store, const char *hash, char *error, size_t error_size);
/*
 * As put, but where the disk does not take it the artifact is kept in memory, as long as the store
 * is there: what the city comes with runs on a full disk, too. Logged.
 */
int city_store_lend(struct city_store *store, int fd, char hash[CITY_HASH_SIZE], char *error,
	size_t error_size);
bool city_hash_valid(const char *hash);

#endif

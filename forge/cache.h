/* SPDX-License-Identifier: MIT */
/*
 * The cache of compiled files: an edit of one file compiles one file. An entry is found by the hash
 * of everything that went into it: flags, compiler, the source, and each header it included, by
 * content. Entries are whole or not there, and checked when they are used.
 *
 * Two kinds of file lie in the folder: NAME.deps lists what a source includes, named by source,
 * flags and compiler; NAME.obj holds the object and what the compiler said, named by that and by
 * the contents of all includes.
 */
#ifndef FORGE_CACHE_H
#define FORGE_CACHE_H

#include "forge/snapshot.h"

struct object_cache;

struct object_cache *cache_create(const char *directory); /* and drops old entries of a large one */
void cache_destroy(struct object_cache *cache);		  /* NULL-safe */

/* What one compile depends on. */
struct cache_query {
	const char *folder;
	const struct snapshot *snapshot;
	const char *source;	/* in the snapshot */
	struct digest settings; /* flags and compiler */
};

/*
 * Writes the object to `object`, appends what the compiler said to `said` and the includes within
 * the folder to `includes`. False when it is not there.
 */
bool cache_find(struct object_cache *cache, const struct cache_query *query, const char *object,
	struct buffer *said, struct strings *includes);
/*
 * Keeps an object just compiled, unless something it depends on is no longer as in the snapshot.
 * depfile: as the compiler wrote it. Appends the includes within the folder to `includes`.
 */
void cache_keep(struct object_cache *cache, const struct cache_query *query, const char *object,
	const char *depfile, const char *said, size_t said_size, struct strings *includes);

/* The prerequisites of the first rule of a make file as compilers write it, without doubles
 * and without "./" in front. */
void cache_parse_depfile(const char *text, size_t size, struct strings *names);

#endif

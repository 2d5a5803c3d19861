/* SPDX-License-Identifier: MIT */
/*
 * A small file that is replaced as a whole, again and again, by a thread of its own: bringing it to
 * disk may take long, and no frame waits for that. Of texts that come faster than the disk takes
 * them the newest wins. Main thread only, but for the work itself.
 */
#ifndef CITY_WRITER_H
#define CITY_WRITER_H

#include <stddef.h>

struct city_writer;

/* NULL when out of memory. Nothing is written before the first text. */
struct city_writer *city_writer_create(const char *path);
/* Takes text, which came from malloc. Failures are logged. */
void city_writer_put(struct city_writer *writer, char *text, size_t size);
/* Returns when all that was put is on disk, or has failed. */
void city_writer_flush(struct city_writer *writer);
void city_writer_destroy(struct city_writer *writer); /* flushes; NULL-safe */

#endif

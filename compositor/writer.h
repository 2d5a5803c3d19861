/* SPDX-License-Identifier: MIT */
/*
 * A small file that is replaced as a whole, again and again, by a thread of its own: bringing it to
 * disk may take long, and no frame waits for that. Of texts that come faster than the disk takes
 * them the newest wins; one that is on disk already is left alone. Main thread only, but for the
 * work itself.
 */
#ifndef CITY_WRITER_H
#define CITY_WRITER_H

#include <stddef.h>

struct city_writer;

/* NULL when out of memory. Nothing is written before the first text. */
struct city_writer *city_writer_create(const char *path);
/* Takes text, which came from malloc. Failures are logged. */
void city_writer_put(struct city_writer *writer, char *text, size_t size);
/* The same where making the text takes long: `make` is called on the writer's thread and returns
 * it, NULL when out of memory. `drop` is called once, there or here, when the data is no longer
 * needed, also where a newer text came before. */
typedef char *(*city_writer_make_func)(void *data, size_t *size);
void city_writer_put_made(struct city_writer *writer, city_writer_make_func make,
	void (*drop)(void *data), void *data);
/* Returns when all that was put is on disk, or has failed. */
void city_writer_flush(struct city_writer *writer);
void city_writer_destroy(struct city_writer *writer); /* flushes; NULL-safe */

#endif

/* SPDX-License-Identifier: MIT */
/* What a tile is told when it starts, as "key=value" texts; of several of one key the first counts.
 * Plain memory, owned by whoever has the struct; zeroes are an empty list. */
#ifndef CITY_OPTIONS_H
#define CITY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Of all texts with their zero bytes: they travel in one message. */
#define CITY_OPTIONS_SIZE 2048

struct city_options {
	char **list;
	size_t count;
};

/* A copy of the text. False when out of memory. */
bool city_options_add(struct city_options *options, const char *text);
bool city_options_add_all(struct city_options *options, const struct city_options *more);
/* From texts that end with a zero byte each. False with one line in `error` when one is not
 * "key=value", has a control character, or all are too long; then `options` is empty. */
bool city_options_read(struct city_options *options, const char *texts, size_t size, char *error,
	size_t error_size);
void city_options_finish(struct city_options *options);

#endif

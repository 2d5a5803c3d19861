/* SPDX-License-Identifier: MIT */
/*
 * Small helpers of the forge. Out of memory ends the process with a line in the log: the compositor
 * starts the forge again, and nothing that matters lives in it.
 */
#ifndef FORGE_UTIL_H
#define FORGE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- bytes */

struct buffer {
	char *data; /* always followed by a zero byte, NULL while empty */
	size_t size, capacity;
};

void buffer_add(struct buffer *buffer, const void *data, size_t size);
void buffer_add_string(struct buffer *buffer, const char *string); /* with its zero byte */
void buffer_printf(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void buffer_drop(struct buffer *buffer, size_t size); /* from the front */
void buffer_finish(struct buffer *buffer);	      /* frees; may be used again */

void *allocate(size_t count, size_t size); /* zeroed */
char *text_copy(const char *text);
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* NULL-terminated arrays of heap strings. */
struct strings {
	char **items; /* NULL while empty */
	size_t count;
};

void strings_add(struct strings *strings, const char *text);
void strings_take(struct strings *strings, char *text);		   /* owned from now on */
void strings_copy(struct strings *to, const struct strings *from); /* appended */
bool strings_has(const struct strings *strings, const char *text);
void strings_finish(struct strings *strings);

/* ---- hashes: BLAKE2b with 32 bytes */

struct digest {
	uint8_t bytes[32];
};
#define DIGEST_TEXT 65

struct digest digest_of(const void *data, size_t size);
void digest_format(const struct digest *digest, char text[DIGEST_TEXT]);
bool digest_equal(const struct digest *a, const struct digest *b);

/* ---- files */

/* Reads a regular file of at most `limit` bytes. 0 or an errno; EFBIG above the limit, EINVAL for
 * what is no regular file. `directory` as in openat. */
int file_read(int directory, const char *path, size_t limit, struct buffer *buffer);
/* Writes all of it under a temporary name beside and renames it into place. 0 or an errno. */
int file_replace(const char *path, const void *data, size_t size);
/* As mkdir -p, mode 0700. 0 or an errno. */
int directory_make(const char *path);
/* Removes a folder with all that is in it. Never follows links. */
void directory_remove(const char *path);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t now_ns(void);

#endif

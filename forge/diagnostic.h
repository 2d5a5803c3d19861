/* SPDX-License-Identifier: MIT */
/* What compilers say, made fit to be passed on. */
#ifndef FORGE_DIAGNOSTIC_H
#define FORGE_DIAGNOSTIC_H

#include "forge/util.h"

#define DIAGNOSTIC_PIECE 2048 /* bytes in one message of the protocol */
#define DIAGNOSTIC_REASON 400 /* bytes of a reason */

/* Appends text with broken UTF-8 and control characters replaced: it will be shown in terminals. */
void diagnostic_add(struct buffer *buffer, const char *text, size_t size);
/* The line that says best why a build failed, heap: the first error of a compiler, else of a
 * linker, else the first line. NULL when there is none. */
char *diagnostic_first_error(const char *text);
/* How much of the text fits into `limit` bytes without cutting a character. */
size_t diagnostic_cut(const char *text, size_t size, size_t limit);

/* Sends the text in pieces of DIAGNOSTIC_PIECE, with the request of the protocol for it. */
struct source_city_builder_v1;
void diagnostic_send(const struct buffer *text, struct source_city_builder_v1 *builder,
	uint32_t job,
	void (*send)(struct source_city_builder_v1 *builder, uint32_t job, const char *text));

#endif

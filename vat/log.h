/* SPDX-License-Identifier: MIT */
/*
 * The one log of all programs of the city: a line on stderr per message,
 *
 *	source-city[program] level subject: message
 *
 * written with one write(2), so lines of several processes never mix. Control characters and broken
 * UTF-8 in a message come out escaped: a message is always one line and cannot touch the terminal
 * it is read on. Long messages are cut. May be called from any thread, not from a signal handler.
 */
#ifndef SOURCE_CITY_LOG_H
#define SOURCE_CITY_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum city_log_level {
	CITY_LOG_ERROR, /* something failed that was asked for */
	CITY_LOG_WARN,	/* the city helps itself, but somebody should know */
	CITY_LOG_INFO,	/* what a user wants to see: start, handovers, end */
	CITY_LOG_DEBUG,
};

/* Names this program in every line: "compositor". The string is copied (31 bytes). Call it first in
 * main, before there are threads. */
void city_log_program(const char *name);
/* Whether messages of this level are printed: up to $SOURCE_CITY_LOG (error, warn, info, debug),
 * else info. Read once. */
bool city_log_enabled(enum city_log_level level);
/* subject: the tile, client or part concerned; NULL for none. errno is preserved. */
void city_log(enum city_log_level level, const char *subject, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void city_vlog(enum city_log_level level, const char *subject, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

#endif

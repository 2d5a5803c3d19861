/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define LINE_SIZE 4096 /* what a pipe takes in one piece */

static char program[32] = "?";
static int threshold = -1;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void city_log_program(const char *name) {
	snprintf(program, sizeof(program), "%s", name);
}

bool city_log_enabled(enum city_log_level level) {
	int now = __atomic_load_n(&threshold, __ATOMIC_RELAXED);
	if (now < 0) {
		now = CITY_LOG_INFO;
		const char *wanted = getenv("SOURCE_CITY_LOG");
		for (int i = 0; wanted && i <= CITY_LOG_DEBUG; i++) {
			if (strcmp(wanted, level_names[i]) == 0)
				now = i;
		}
		__atomic_store_n(&threshold, now, __ATOMIC_RELAXED);
	}
	return (int)level <= now;
}

struct line {
	char text[LINE_SIZE];
	size_t size;
	bool cut;
};

/* Appends what is printable, and the rest as \xNN. Leaves room for dots and the end of the line. */
static void append(struct line *line, const char *text) {
	size_t left = strlen(text);
	while (left > 0 && !line->cut) {
		uint32_t code = 0;
		size_t n = vat_utf8_decode(text, left, &code);
		/* Neither C0 nor C1 controls, nor what turns the direction of writing. */
		bool plain = n > 0 && code >= 0x20 && !(code >= 0x7f && code < 0xa0) &&
			!(code >= 0x2028 && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069);
		if (n == 0)
			n = 1;
		if (line->size + (plain ? n : 4 * n) > LINE_SIZE - 5) {
			memcpy(line->text + line->size, "...", 3);
			line->size += 3;
			line->cut = true;
			break;
		}
		if (plain)
			memcpy(line->text + line->size, text, n);
		for (size_t i = 0; i < n && !plain; i++)
			sprintf(line->text + line->size + 4 * i, "\\x%02x", (unsigned char)text[i]);
		line->size += plain ? n : 4 * n;
		text += n;
		left -= n;
	}
}

void city_vlog(enum city_log_level level, const char *subject, const char *format, va_list args) {
	if (!city_log_enabled(level))
		return;
	int saved_errno = errno;
	char message[LINE_SIZE];
	if (vsnprintf(message, sizeof(message), format, args) < 0)
		snprintf(message, sizeof(message), "(a message that cannot be formatted)");

	struct line line;
	line.size = 0;
	line.cut = false;
	append(&line, "source-city[");
	append(&line, program);
	append(&line, "] ");
	append(&line, level_names[level]);
	if (subject && *subject) {
		append(&line, " ");
		append(&line, subject);
	}
	append(&line, ": ");
	append(&line, message);
	line.text[line.size++] = '\n';
	ssize_t n;
	do {
		n = write(STDERR_FILENO, line.text, line.size);
	} while (n < 0 && errno == EINTR);
	errno = saved_errno;
}

void city_log(enum city_log_level level, const char *subject, const char *format, ...) {
	va_list args;
	va_start(args, format);
	city_vlog(level, subject, format, args);
	va_end(args);
}

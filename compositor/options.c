/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/options.h"

bool city_options_add(struct city_options *options, const char *text) {
	char **list = realloc(options->list, (options->count + 1) * sizeof(*list));
	if (!list) {
		return false;
	}
	options->list = list;
	list[options->count] = strdup(text);
	if (!list[options->count]) {
		return false;
	}
	options->count++;
	return true;
}

bool city_options_add_all(struct city_options *options, const struct city_options *more) {
	for (size_t i = 0; i < more->count; i++) {
		if (!city_options_add(options, more->list[i])) {
			return false;
		}
	}
	return true;
}

/* How much of it is in one line without control characters. */
static int line_length(const char *text) {
	const char *c = text;
	while ((unsigned char)*c >= ' ' && *c != '\x7f') {
		c++;
	}
	return (int)(c - text);
}

/* It is written into a file of lines. */
static bool is_option(const char *text) {
	const char *equals = strchr(text, '=');
	return equals && equals != text && !text[line_length(text)];
}

bool city_options_read(struct city_options *options, const char *texts, size_t size, char *error,
	size_t error_size) {
	*options = (struct city_options){0};
	if (size > CITY_OPTIONS_SIZE) {
		snprintf(error, error_size, "the options are longer than %d bytes together",
			CITY_OPTIONS_SIZE);
		return false;
	}
	for (size_t at = 0; at < size; at += strlen(texts + at) + 1) {
		bool ends = memchr(texts + at, '\0', size - at);
		if (!ends || !is_option(texts + at)) {
			snprintf(error, error_size,
				"an option is KEY=VALUE in one line of text, not \"%.*s\"",
				ends ? line_length(texts + at) : 0, texts + at);
			city_options_finish(options);
			return false;
		}
		if (!city_options_add(options, texts + at)) {
			snprintf(error, error_size, "out of memory");
			city_options_finish(options);
			return false;
		}
	}
	return true;
}

void city_options_finish(struct city_options *options) {
	for (size_t i = 0; i < options->count; i++) {
		free(options->list[i]);
	}
	free(options->list);
	*options = (struct city_options){0};
}

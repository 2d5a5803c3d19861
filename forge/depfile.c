/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "forge/cache.h"

void cache_parse_depfile(const char *text, size_t size, struct strings *names) {
	const char *end = text + size;
	struct buffer word = {};
	bool targets = true;
	while (text <= end) {
		char c = text < end ? *text : '\n';
		char next = text + 1 < end ? text[1] : '\n';
		text++;
		if (c == '\\' && next == '\n') {
			text++;
			c = ' ';
		} else if (c == '\\' && next == '\r' && text + 1 < end && text[1] == '\n') {
			text += 2;
			c = ' ';
		} else if (c == '\\' && (next == ' ' || next == '#' || next == '\\')) {
			buffer_add(&word, &next, 1);
			text++;
			continue;
		} else if (c == '$' && next == '$') {
			buffer_add(&word, "$", 1);
			text++;
			continue;
		} else if (targets && c == ':' && (next == ' ' || next == '\n' || next == '\\')) {
			targets = false;
			word.size = 0;
			continue;
		}
		if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
			buffer_add(&word, &c, 1);
			continue;
		}
		if (word.size > 0 && !targets) {
			word.data[word.size] = '\0';
			const char *name = word.data;
			while (strncmp(name, "./", 2) == 0)
				name += 2;
			if (!strings_has(names, name))
				strings_add(names, name);
		}
		word.size = 0;
		if (c == '\n' && !targets)
			break;
	}
	buffer_finish(&word);
}

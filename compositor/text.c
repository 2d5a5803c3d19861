/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <utf8proc.h>

#include "compositor/text.h"

void city_text_copy(char *to, size_t size, const char *from) {
	static const char replacement[] = "\xef\xbf\xbd";
	const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)from;
	size_t used = 0;
	while (*at) {
		utf8proc_int32_t code;
		utf8proc_ssize_t length = utf8proc_iterate(at, -1, &code);
		const char *piece = (const char *)at;
		size_t piece_size = length > 0 ? (size_t)length : 0;
		if (length <= 0) {
			length = 1;
			piece = replacement;
			piece_size = sizeof(replacement) - 1;
		} else if (code < ' ' || (code >= 0x7f && code <= 0x9f)) {
			piece = " ";
			piece_size = 1;
		}
		if (piece_size >= size - used) {
			break;
		}
		memcpy(to + used, piece, piece_size);
		used += piece_size;
		at += length;
	}
	to[used] = '\0';
}

void city_text_quote(FILE *file, const char *text) {
	fputc('"', file);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\') {
			fputc('\\', file);
		}
		fputc(*text, file);
	}
	fputc('"', file);
}

/* SPDX-License-Identifier: MIT */
#include "forge/diagnostic.h"

#include <string.h>
#include <utf8proc.h>

void diagnostic_add(struct buffer *buffer, const char *text, size_t size) {
	static const char replacement[] = "\xef\xbf\xbd";
	const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
	const utf8proc_uint8_t *end = at + size;
	while (at < end) {
		utf8proc_int32_t character;
		utf8proc_ssize_t length = utf8proc_iterate(at, end - at, &character);
		bool good = length > 0 &&
			(character >= ' ' || character == '\n' || character == '\t') &&
			(character < 0x7f || character > 0x9f);
		if (good)
			buffer_add(buffer, at, (size_t)length);
		else if (length <= 0 || character != '\r')
			buffer_add(buffer, replacement, sizeof(replacement) - 1);
		at += length > 0 ? length : 1;
	}
}

size_t diagnostic_cut(const char *text, size_t size, size_t limit) {
	if (size <= limit)
		return size;
	size_t cut = limit;
	while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	return cut > 0 ? cut : limit;
}

static bool has(const char *line, size_t size, const char *part) {
	return memmem(line, size, part, strlen(part)) != nullptr;
}

/* Whether what comes before `at` ends with ":12:5" or ":12". */
static bool has_place(const char *line, const char *at) {
	const char *digits = at;
	while (digits > line && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	return digits < at && digits > line && digits[-1] == ':';
}

enum rank { PLACED_ERROR, LINK_ERROR, OTHER_ERROR, ANYTHING, NOTHING };

static enum rank rank(const char *line, size_t size) {
	static const char *const errors[] = {": error: ", ": fatal error: "};
	if (has(line, size, "undefined reference to") || has(line, size, "multiple definition of"))
		return LINK_ERROR;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		const char *at = memmem(line, size, errors[i], strlen(errors[i]));
		if (at != nullptr)
			return has_place(line, at) ? PLACED_ERROR : OTHER_ERROR;
	}
	return size > 0 ? ANYTHING : NOTHING;
}

char *diagnostic_first_error(const char *text) {
	const char *best = nullptr;
	size_t best_size = 0;
	enum rank best_rank = NOTHING;
	while (text != nullptr && *text != '\0') {
		size_t size = strcspn(text, "\n");
		enum rank value = rank(text, size);
		if (value < best_rank) {
			best = text;
			best_size = size;
			best_rank = value;
		}
		text += size + (text[size] == '\n');
	}
	if (best == nullptr)
		return nullptr;
	size_t cut = diagnostic_cut(best, best_size, DIAGNOSTIC_REASON);
	return text_format("%.*s%s", (int)cut, best, cut < best_size ? "…" : "");
}

void diagnostic_send(const struct buffer *text, struct source_city_builder_v1 *builder,
	uint32_t job,
	void (*send)(struct source_city_builder_v1 *builder, uint32_t job, const char *text)) {
	size_t at = 0;
	char piece[DIAGNOSTIC_PIECE + 1];
	while (at < text->size) {
		size_t size =
			diagnostic_cut(text->data + at, text->size - at, DIAGNOSTIC_PIECE - 1);
		memcpy(piece, text->data + at, size);
		piece[size] = '\0';
		send(builder, job, piece);
		at += size;
	}
}

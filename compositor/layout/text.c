/* SPDX-License-Identifier: MIT */
/* A layout as text, and back. */
#include <stdlib.h>
#include <string.h>

#include "compositor/layout/layout.h"

#define DEPTH_MAX 512

void city_layout_escape(const char *name, char *to, size_t size) {
	static const char digits[] = "0123456789abcdef";
	size_t used = 0;
	for (const unsigned char *c = (const unsigned char *)name; *c && used + 4 <= size; c++) {
		if (*c <= ' ' || *c == '%' || *c == 0x7f) {
			to[used++] = '%';
			to[used++] = digits[*c >> 4];
			to[used++] = digits[*c & 15];
		} else {
			to[used++] = (char)*c;
		}
	}
	to[used] = '\0';
}

static int digit(char c) {
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool city_layout_unescape(char *name) {
	char *to = name;
	for (const char *from = name; *from; from++) {
		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		int high = digit(from[1]), low = high < 0 ? -1 : digit(from[2]);
		if (low < 0 || high * 16 + low == 0) {
			return false;
		}
		*to++ = (char)(high * 16 + low);
		from += 2;
	}
	*to = '\0';
	return to > name;
}

static void write_site(const struct city_layout *layout, uint32_t at, FILE *file) {
	const struct city_site *site = &layout->sites[at];
	char name[3 * 4096 + 1];
	if (site->kind == CITY_SITE_CUT) {
		fputs(site->across ? "above\n" : "beside\n", file);
		write_site(layout, site->first, file);
		write_site(layout, site->second, file);
		return;
	}
	city_layout_escape(city_site_name(layout, site), name, sizeof(name));
	if (site->kind == CITY_SITE_MODULE) {
		fprintf(file, "module %u %s\n", site->lines, name);
		return;
	}
	fprintf(file, "%s %s\n", site->folder == CITY_NO_SITE ? "quarter" : "folder", name);
	if (site->first == CITY_NO_SITE) {
		fputs("empty\n", file);
	} else {
		write_site(layout, site->first, file);
	}
}

void city_layout_write(const struct city_layout *layout, FILE *file) {
	for (size_t i = 0; i < layout->quarter_count; i++) {
		write_site(layout, layout->quarters[i], file);
	}
}

/* ---- reading */

struct reader {
	const char *at, *end;
	unsigned line;
	struct city_layout *layout;
	size_t name_room, quarter_room;
};

static bool next_line(struct reader *r, char *line, size_t size) {
	const char *newline = r->at < r->end ? memchr(r->at, '\n', (size_t)(r->end - r->at)) : NULL;
	r->line++;
	if (newline == NULL || (size_t)(newline - r->at) >= size) {
		return false;
	}
	size_t length = (size_t)(newline - r->at);
	memcpy(line, r->at, length);
	line[length] = '\0';
	r->at = newline + 1;
	return strlen(line) == length;
}

static bool add_name(struct reader *r, const char *name, uint32_t *at) {
	struct city_layout *layout = r->layout;
	size_t length = strlen(name) + 1;
	if (layout->names == NULL || layout->names_size + length > r->name_room) {
		size_t room = (layout->names_size + length) * 2 + 4096;
		char *names = room < UINT32_MAX ? realloc(layout->names, room) : NULL;
		if (names == NULL) {
			return false;
		}
		layout->names = names;
		r->name_room = room;
	}
	*at = (uint32_t)layout->names_size;
	memcpy(layout->names + layout->names_size, name, length);
	layout->names_size += length;
	return true;
}

static uint32_t add_site(struct reader *r, enum city_site_kind kind, uint32_t folder) {
	struct city_layout *layout = r->layout;
	if (layout->count == layout->room) {
		size_t room = layout->room < 256 ? 256 : layout->room * 2;
		struct city_site *sites = reallocarray(layout->sites, room, sizeof(*sites));
		if (sites == NULL) {
			return CITY_NO_SITE;
		}
		layout->sites = sites;
		layout->room = room;
	}
	layout->sites[layout->count] = (struct city_site){.kind = kind,
		.folder = folder,
		.first = CITY_NO_SITE,
		.second = CITY_NO_SITE,
		.depth = folder == CITY_NO_SITE ? 0 : (layout->sites[folder].depth + 1) & 0xff};
	return (uint32_t)layout->count++;
}

/* One site with all below it, or what "empty" stands for; false if it is not whole. */
static bool read_site(struct reader *r, uint32_t folder, unsigned depth, uint32_t *site) {
	char line[3 * 4096 + 64];
	*site = CITY_NO_SITE;
	if (depth > DEPTH_MAX || !next_line(r, line, sizeof(line))) {
		return false;
	}
	if (strcmp(line, "empty") == 0) {
		return true;
	}
	bool across = strcmp(line, "above") == 0;
	if (across || strcmp(line, "beside") == 0) {
		uint32_t first, second, at = add_site(r, CITY_SITE_CUT, CITY_NO_SITE);
		if (at == CITY_NO_SITE || !read_site(r, folder, depth + 1, &first) ||
			!read_site(r, folder, depth + 1, &second) || first == CITY_NO_SITE ||
			second == CITY_NO_SITE) {
			return false;
		}
		struct city_site *cut = &r->layout->sites[at];
		cut->first = first;
		cut->second = second;
		cut->across = across;
		*site = at;
		return true;
	}
	unsigned long lines = 0;
	char *name;
	bool module = strncmp(line, "module ", 7) == 0;
	if (module) {
		lines = strtoul(line + 7, &name, 10);
		if (name == line + 7 || *name != ' ' || lines > UINT32_MAX) {
			return false;
		}
		name++;
	} else if (strncmp(line, "folder ", 7) == 0) {
		name = line + 7;
	} else {
		return false;
	}
	uint32_t at = add_site(r, module ? CITY_SITE_MODULE : CITY_SITE_FOLDER, folder);
	if (at == CITY_NO_SITE || !city_layout_unescape(name) ||
		!add_name(r, name, &r->layout->sites[at].name)) {
		return false;
	}
	*site = at;
	if (module) {
		r->layout->sites[at].lines = (uint32_t)lines;
		r->layout->module_count++;
		return true;
	}
	r->layout->folder_count++;
	uint32_t content;
	if (!read_site(r, at, depth + 1, &content)) {
		return false;
	}
	r->layout->sites[at].first = content;
	return true;
}

static bool read_quarter(struct reader *r) {
	char line[3 * 4096 + 64];
	struct city_layout *layout = r->layout;
	uint32_t content, at = add_site(r, CITY_SITE_FOLDER, CITY_NO_SITE);
	uint32_t *quarters = reallocarray(
		layout->quarters, layout->quarter_count + 1, sizeof(*layout->quarters));
	if (quarters != NULL) {
		layout->quarters = quarters;
	}
	if (quarters == NULL || at == CITY_NO_SITE || !next_line(r, line, sizeof(line)) ||
		strncmp(line, "quarter ", 8) != 0 || !city_layout_unescape(line + 8) ||
		!add_name(r, line + 8, &layout->sites[at].name)) {
		return false;
	}
	layout->quarters[layout->quarter_count++] = at;
	layout->folder_count++;
	if (!read_site(r, at, 0, &content)) {
		return false;
	}
	layout->sites[at].first = content;
	return true;
}

struct city_layout *city_layout_read(const char *text, size_t size, unsigned *line) {
	struct reader r = {.at = text, .end = text + size, .layout = calloc(1, sizeof(*r.layout))};
	if (r.layout == NULL) {
		return NULL;
	}
	r.layout->references = 1;
	while (r.at < r.end) {
		if (!read_quarter(&r)) {
			*line = r.line;
			city_layout_unref(r.layout);
			return NULL;
		}
	}
	return r.layout;
}

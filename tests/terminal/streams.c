/* SPDX-License-Identifier: MIT */
/*
 * Recorded terminal sessions against the grids that the recording terminal had at their end.
 * Characters must be equal; how many cells differ in colours or attributes is told beside.
 * usage: streams DIRECTORY [NAME...]
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "support.h"

/* Known differences, each explained in README.md. */
static const char *const expected_to_differ[] = {"decaln_reset", "selective_erasure"};

static yyjson_doc *read_json(const char *directory, const char *name, const char *file) {
	char path[1024];
	size_t length;
	snprintf(path, sizeof(path), "%s/%s/%s", directory, name, file);
	char *text = rig_read_file(path, &length);
	yyjson_doc *doc = text ? yyjson_read(text, length, 0) : NULL;
	free(text);
	return doc;
}

static uint32_t number(yyjson_val *object, const char *key) {
	return (uint32_t)yyjson_get_uint(yyjson_obj_get(object, key));
}

static uint32_t expected_color(yyjson_val *value) {
	static const char *const names[] = {"Black", "Red", "Green", "Yellow", "Blue", "Magenta",
		"Cyan", "White", "BrightBlack", "BrightRed", "BrightGreen", "BrightYellow",
		"BrightBlue", "BrightMagenta", "BrightCyan", "BrightWhite"};
	const char *name = yyjson_get_str(yyjson_obj_get(value, "Named"));
	yyjson_val *spec = yyjson_obj_get(value, "Spec");
	if (spec) {
		return VT_COLOR_RGB | number(spec, "r") << 16 | number(spec, "g") << 8 |
			number(spec, "b");
	}
	for (uint32_t i = 0; name && i < 16; i++) {
		if (strcmp(name, names[i]) == 0) {
			return VT_COLOR_INDEXED | i;
		}
	}
	return name ? VT_COLOR_DEFAULT : VT_COLOR_INDEXED | number(value, "Indexed");
}

static uint32_t expected_attributes(const char *flags) {
	static const struct {
		const char *name;
		uint32_t at;
	} names[] = {{"BOLD", VT_AT_BOLD}, {"DIM", VT_AT_DIM}, {"ITALIC", VT_AT_ITALIC},
		{"INVERSE", VT_AT_INVERSE}, {"HIDDEN", VT_AT_CONCEAL}, {"STRIKEOUT", VT_AT_STRIKE},
		{"UNDERLINE", VT_UNDERLINE_SINGLE << 3},
		{"DOUBLE_UNDERLINE", VT_UNDERLINE_DOUBLE << 3},
		{"UNDERCURL", VT_UNDERLINE_CURLY << 3},
		{"DOTTED_UNDERLINE", VT_UNDERLINE_DOTTED << 3},
		{"DASHED_UNDERLINE", VT_UNDERLINE_DASHED << 3}};
	uint32_t at = 0;
	for (const char *word = flags; *word;) {
		size_t length = strcspn(word, " |");
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (strlen(names[i].name) == length &&
				!strncmp(names[i].name, word, length)) {
				at |= names[i].at;
			}
		}
		word += length;
		word += strspn(word, " |");
	}
	return at;
}

/* The cell's characters as the file writes them: a tab and a spacer are blank there and here. */
static void expected_text(yyjson_val *cell, char *out, size_t size) {
	const char *c = yyjson_get_str(yyjson_obj_get(cell, "c"));
	snprintf(out, size, "%s", c && c[0] != '\t' ? c : " ");
	yyjson_val *more = yyjson_obj_get(yyjson_obj_get(cell, "extra"), "zerowidth");
	size_t i, most;
	yyjson_val *value;
	yyjson_arr_foreach(more, i, most, value) {
		size_t used = strlen(out);
		snprintf(out + used, size - used, "%s", yyjson_get_str(value));
	}
}

static bool link_differs(const struct vt *vt, const struct vt_cell *cell, yyjson_val *extra) {
	size_t length;
	const char *uri = vt_link_uri(vt, vt_cell_link(vt, cell), &length);
	yyjson_val *link = yyjson_obj_get(yyjson_obj_get(extra, "hyperlink"), "inner");
	const char *wanted = yyjson_get_str(yyjson_obj_get(link, "uri"));
	if (!uri || !wanted) {
		return uri || wanted;
	}
	return strlen(wanted) != length || memcmp(uri, wanted, length) != 0;
}

struct result {
	uint32_t characters, looks;
	char first[512];
};

static void compare_cell(const struct vt *vt, const struct vt_cell *cell, yyjson_val *wanted,
	uint32_t row, uint32_t col, struct result *result) {
	char text[128], want[128];
	size_t length = vt_cell_utf8(vt, cell, text);
	text[length] = '\0';
	if (length == 0) {
		strcpy(text, " ");
	}
	expected_text(wanted, want, sizeof(want));
	if (strcmp(text, want) != 0) {
		if (result->characters++ == 0) {
			snprintf(result->first, sizeof(result->first),
				"row %u column %u is '%s', recorded was '%s'", row, col, text,
				want);
		}
	}
	const char *flags = yyjson_get_str(yyjson_obj_get(wanted, "flags"));
	yyjson_val *extra = yyjson_obj_get(wanted, "extra");
	yyjson_val *underline = yyjson_obj_get(extra, "underline_color");
	uint32_t line = underline && !yyjson_is_null(underline) ? expected_color(underline) : 0;
	if (cell->fg != expected_color(yyjson_obj_get(wanted, "fg")) ||
		cell->bg != expected_color(yyjson_obj_get(wanted, "bg")) ||
		(cell->at & VT_AT_MASK) != expected_attributes(flags) ||
		vt_cell_underline(vt, cell) != line || link_differs(vt, cell, extra)) {
		if (result->looks++ == 0 && result->characters == 0) {
			snprintf(result->first, sizeof(result->first),
				"look at row %u column %u: %08x %08x %08x '%s'", row, col, cell->fg,
				cell->bg, cell->at, flags);
		}
	}
}

static bool compare(const char *directory, const char *name, struct result *result) {
	char path[1024];
	size_t length;
	yyjson_doc *size = read_json(directory, name, "size.json");
	yyjson_doc *grid = read_json(directory, name, "grid.json");
	yyjson_doc *config = read_json(directory, name, "config.json");
	snprintf(path, sizeof(path), "%s/%s/alacritty.recording", directory, name);
	char *stream = rig_read_file(path, &length);
	if (!size || !grid || !stream) {
		return false;
	}
	uint32_t cols = number(yyjson_doc_get_root(size), "columns");
	uint32_t rows = number(yyjson_doc_get_root(size), "screen_lines");
	uint32_t history = config ? number(yyjson_doc_get_root(config), "history_size") : 0;
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, cols, rows, history);
	vt_feed(&rig->vt, stream, length);

	yyjson_val *raw = yyjson_obj_get(yyjson_doc_get_root(grid), "raw");
	yyjson_val *lines = yyjson_obj_get(raw, "inner");
	size_t count = yyjson_arr_size(lines);
	uint32_t zero = number(raw, "zero");
	for (uint32_t row = 0; row < rows; row++) {
		yyjson_val *line = yyjson_arr_get(lines, (zero + rows - row - 1) % count);
		yyjson_val *cells = yyjson_obj_get(line, "inner");
		for (uint32_t col = 0; col < cols; col++) {
			compare_cell(&rig->vt, rig_cell(rig, row, col), yyjson_arr_get(cells, col),
				row, col, result);
		}
	}
	rig_finish(rig);
	free(rig);
	free(stream);
	yyjson_doc_free(size);
	yyjson_doc_free(grid);
	yyjson_doc_free(config);
	return true;
}

static int by_name(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool known(const char *name) {
	for (size_t i = 0; i < sizeof(expected_to_differ) / sizeof(expected_to_differ[0]); i++) {
		if (strcmp(expected_to_differ[i], name) == 0) {
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv) {
	char *names[256];
	int count = 0, equal = 0, failed = 0;
	DIR *directory = argc > 1 ? opendir(argv[1]) : NULL;
	if (!directory) {
		printf("1..0 # SKIP no recorded streams at %s\n", argc > 1 ? argv[1] : "(no path)");
		return 77;
	}
	for (struct dirent *entry; (entry = readdir(directory)) && count < 256;) {
		if (entry->d_name[0] != '.' && (argc == 2 || !strcmp(argv[2], entry->d_name))) {
			names[count++] = strdup(entry->d_name);
		}
	}
	closedir(directory);
	qsort(names, (size_t)count, sizeof(names[0]), by_name);
	printf("1..%d\n", count + 1);
	for (int i = 0; i < count; i++) {
		struct result result = {0};
		bool read = compare(argv[1], names[i], &result);
		bool same = read && result.characters == 0;
		equal += same;
		failed += !same && !known(names[i]);
		printf("%sok %d - %s%s\n", same || (read && known(names[i])) ? "" : "not ", i + 1,
			names[i], same ? "" : " (not equal: see README.md)");
		if (!read) {
			printf("# cannot read it\n");
		} else if (result.characters || result.looks) {
			printf("# %u characters, %u looks differ; %s\n", result.characters,
				result.looks, result.first);
		}
		free(names[i]);
	}
	bool enough = argc > 2 || equal >= 43;
	printf("%sok %d - %d of %d grids equal\n", enough ? "" : "not ", count + 1, equal, count);
	return failed || !enough;
}

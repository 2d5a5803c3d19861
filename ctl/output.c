/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utf8proc.h>

#include "ctl.h"

#define GAP 2 /* spaces between columns */

char *copy_text(const char *text) {
	char *copy = strdup(text);
	if (copy == NULL)
		abort();
	return copy;
}

/* ---- cleaning */

static char *clean(const char *text, bool lines) {
	static const char replacement[] = "\xef\xbf\xbd";
	const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
	size_t left = strlen(text);
	/* The worst case is three bytes for each. */
	char *result = malloc(left * 3 + 1), *out = result;
	if (result == NULL)
		abort();
	while (left > 0) {
		utf8proc_int32_t character;
		utf8proc_ssize_t size = utf8proc_iterate(at, (utf8proc_ssize_t)left, &character);
		bool good = size > 0 && character >= ' ' && (character < 0x7f || character > 0x9f);
		if (size > 0 && (character == '\n' || character == '\t')) {
			good = true;
			if (!lines)
				character = ' ';
		}
		if (size <= 0)
			size = 1;
		if (good && character == ' ') {
			*out++ = ' ';
		} else if (good) {
			memcpy(out, at, (size_t)size);
			out += size;
		} else {
			memcpy(out, replacement, 3);
			out += 3;
		}
		at += size;
		left -= (size_t)size;
	}
	*out = '\0';
	return result;
}

char *clean_line(const char *text) {
	return clean(text, false);
}

char *clean_text(const char *text) {
	return clean(text, true);
}

int ctl_fail_tile(const struct ctl *ctl, const char *tile, const char *step, const char *reason) {
	char *line = clean_line(reason), *subject = clean_line(tile);
	fprintf(stderr, "cityctl: %s%s%s\n", subject, tile[0] != '\0' ? ": " : "", line);
	if (ctl->json) {
		struct json json;
		json_begin(&json, "failed");
		if (tile[0] != '\0')
			json_text(&json, "tile", tile);
		json_text(&json, "step", step);
		json_text(&json, "reason", line);
		json_print(&json);
	}
	free(line);
	free(subject);
	return CTL_FAILED;
}

int ctl_fail(const struct ctl *ctl, const char *step, const char *format, ...) {
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	ctl_fail_tile(ctl, "", step, text);
	free(text);
	return CTL_FAILED;
}

/* ---- colours */

const char *color_on(const struct ctl *ctl, enum color color) {
	static const char *const sequences[] = {
		"", "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m"};
	return ctl->color ? sequences[color] : "";
}

const char *color_off(const struct ctl *ctl) {
	return ctl->color ? "\033[0m" : "";
}

/* ---- tables */

static size_t width_of(const char *text) {
	const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
	size_t width = 0;
	utf8proc_int32_t character;
	utf8proc_ssize_t size;
	while (*at != '\0' && (size = utf8proc_iterate(at, -1, &character)) > 0) {
		width += (size_t)utf8proc_charwidth(character);
		at += size;
	}
	return width;
}

void table_add(struct table *table, enum color color, const char *format, ...) {
	if (table->count == table->capacity) {
		table->capacity = table->capacity == 0 ? 64 : table->capacity * 2;
		table->cells = reallocarray(table->cells, table->capacity, sizeof(*table->cells));
		if (table->cells == NULL)
			abort();
	}
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	table->cells[table->count++] = (struct cell){.text = clean_line(text), .color = color};
	free(text);
}

void table_begin(struct table *table, const char *const *headings) {
	*table = (struct table){};
	for (; *headings != NULL; headings++) {
		table_add(table, DIM, "%s", *headings);
		table->columns++;
	}
}

void table_print(struct table *table, const struct ctl *ctl) {
	size_t *widths = calloc(table->columns, sizeof(*widths));
	if (widths == NULL)
		abort();
	for (size_t i = 0; i < table->count; i++) {
		size_t width = width_of(table->cells[i].text);
		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
	for (size_t i = 0; i < table->count; i++) {
		const struct cell *cell = &table->cells[i];
		size_t column = i % table->columns;
		const char *on = color_on(ctl, cell->color);
		printf("%s%s%s", on, cell->text, on[0] != '\0' ? color_off(ctl) : "");
		if (column + 1 == table->columns)
			putchar('\n');
		else
			printf("%*s", (int)(widths[column] - width_of(cell->text) + GAP), "");
		free(cell->text);
	}
	free(widths);
	free(table->cells);
}

const char *format_us(char *buffer, size_t size, double us) {
	if (us < 1000)
		snprintf(buffer, size, "%.0f µs", us);
	else if (us < 100e3)
		snprintf(buffer, size, "%.1f ms", us / 1e3);
	else if (us < 1e6)
		snprintf(buffer, size, "%.0f ms", us / 1e3);
	else
		snprintf(buffer, size, "%.1f s", us / 1e6);
	return buffer;
}

/* ---- JSON */

void format_now(char *text, size_t size, bool full) {
	struct timespec now;
	struct tm tm;
	char seconds[40];
	clock_gettime(CLOCK_REALTIME, &now);
	if (full) {
		gmtime_r(&now.tv_sec, &tm);
		strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(text, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
	} else {
		localtime_r(&now.tv_sec, &tm);
		strftime(seconds, sizeof(seconds), "%H:%M:%S", &tm);
		snprintf(text, size, "%s.%03ld", seconds, now.tv_nsec / 1000000);
	}
}

void json_begin(struct json *json, const char *event) {
	json->doc = yyjson_mut_doc_new(NULL);
	if (json->doc == NULL)
		abort();
	json->root = yyjson_mut_obj(json->doc);
	yyjson_mut_doc_set_root(json->doc, json->root);
	if (event != NULL)
		json_text(json, "event", event);
}

/* JSON is UTF-8: what is not is replaced. Control characters are escaped by the writer. */
static char *valid_utf8(const char *text) {
	for (const char *at = text; *at != '\0'; at++) {
		utf8proc_int32_t character;
		utf8proc_ssize_t size =
			utf8proc_iterate((const utf8proc_uint8_t *)at, -1, &character);
		if (size <= 0)
			return clean_text(text);
		at += size - 1;
	}
	return copy_text(text);
}

void json_text(struct json *json, const char *key, const char *value) {
	char *valid = valid_utf8(value);
	yyjson_mut_obj_add_strcpy(json->doc, json->root, key, valid);
	free(valid);
}

void json_uint(struct json *json, const char *key, uint64_t value) {
	yyjson_mut_obj_add_uint(json->doc, json->root, key, value);
}

void json_real(struct json *json, const char *key, double value) {
	/* Whole numbers without a point: places on the map mostly are. */
	if (value >= -1e15 && value <= 1e15 && value == (double)(int64_t)value)
		yyjson_mut_obj_add_int(json->doc, json->root, key, (int64_t)value);
	else
		yyjson_mut_obj_add_real(json->doc, json->root, key, value);
}

void json_print(struct json *json) {
	char *text = yyjson_mut_write(json->doc,
		YYJSON_WRITE_ALLOW_INVALID_UNICODE | YYJSON_WRITE_INF_AND_NAN_AS_NULL, NULL);
	if (text == NULL)
		abort();
	puts(text);
	free(text);
	yyjson_mut_doc_free(json->doc);
}

void json_event(const char *event) {
	struct json json;
	json_begin(&json, event);
	json_print(&json);
}

void json_pass(const char *event, const char *text) {
	yyjson_doc *doc = yyjson_read(text, strlen(text), YYJSON_READ_ALLOW_INVALID_UNICODE);
	struct json json;
	json_begin(&json, event);
	if (yyjson_is_obj(yyjson_doc_get_root(doc))) {
		yyjson_val *key;
		yyjson_obj_iter iter = yyjson_obj_iter_with(yyjson_doc_get_root(doc));
		while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
			yyjson_mut_obj_add(json.root, yyjson_val_mut_copy(json.doc, key),
				yyjson_val_mut_copy(json.doc, yyjson_obj_iter_get_val(key)));
		}
		json_print(&json);
	} else {
		yyjson_mut_doc_free(json.doc);
	}
	yyjson_doc_free(doc);
}

void json_tile(struct json *json, const struct tile *tile) {
	json_text(json, "name", tile->name);
	json_text(json, "uuid", tile->uuid);
	json_text(json, "kind", tile->kind);
	json_text(json, "state", tile_state_name(tile->state));
	json_text(json, "notice", tile->notice);
	if (tile->pas[0] != '\0')
		json_real(json, "pas", strtod(tile->pas, NULL));
	else
		yyjson_mut_obj_add_null(json->doc, json->root, "pas");
	json_text(json, "title", tile->title);
	json_text(json, "artifact", tile->artifact);
	json_text(json, "source", tile->source);
	json_uint(json, "pid", tile->pid);
	json_uint(json, "epoch", tile->epoch);
	json_real(json, "cx", tile->cx);
	json_real(json, "cy", tile->cy);
	json_real(json, "width", tile->width);
	json_real(json, "height", tile->height);
	char *ports;
	if (asprintf(&ports, "[%s]", tile->ports) < 0)
		abort();
	yyjson_doc *list = yyjson_read(ports, strlen(ports), YYJSON_READ_ALLOW_INVALID_UNICODE);
	yyjson_mut_obj_add_val(json->doc, json->root, "ports",
		yyjson_val_mut_copy(json->doc, yyjson_doc_get_root(list)));
	yyjson_doc_free(list);
	free(ports);
}

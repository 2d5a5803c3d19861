/* SPDX-License-Identifier: MIT */
/* go, bookmark, camera */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

/* The words as one line behind a command's name. False after ctl_usage. */
static bool join_words(const struct ctl *ctl, const char *name, char *line, size_t size) {
	size_t used = (size_t)snprintf(line, size, "%s", name);
	for (size_t i = 0; i < ctl->word_count; i++) {
		used += (size_t)snprintf(line + used, size - used, " %s", ctl->words[i]);
		if (used >= size) {
			ctl_usage(ctl, "this is too long");
			return false;
		}
	}
	return true;
}

static int run_words(struct ctl *ctl, const char *name) {
	char line[CTL_TEXT_MAX + 1];
	if (!join_words(ctl, name, line, sizeof(line)))
		return CTL_USAGE;
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	return request_simple(ctl, source_city_control_v1_run_command(ctl->control, line), "");
}

int command_go(struct ctl *ctl) {
	return run_words(ctl, "go");
}

/* The city's state; NULL after saying why, with the exit status. */
static yyjson_doc *get_state(struct ctl *ctl, int *status) {
	yyjson_doc *doc = NULL;
	*status = ctl_connect(ctl);
	if (*status != CTL_OK)
		return NULL;
	struct request request;
	request_begin(&request, ctl, source_city_control_v1_get_state(ctl->control));
	request_wait(&request, NULL);
	*status = request_status(&request, "");
	if (*status == CTL_OK)
		doc = yyjson_read(
			request.text, request.text_size, YYJSON_READ_ALLOW_INVALID_UNICODE);
	if (*status == CTL_OK && doc == NULL)
		*status = ctl_fail(ctl, "state", "the city's answer is not JSON");
	request_finish(&request);
	return doc;
}

static double real(yyjson_val *object, const char *key) {
	return yyjson_get_num(yyjson_obj_get(object, key));
}

static const char *text(yyjson_val *object, const char *key) {
	const char *value = yyjson_get_str(yyjson_obj_get(object, key));
	return value != NULL ? value : "";
}

/* With the output's name in front. */
static void print_object(const char *name, yyjson_val *object) {
	struct json json;
	json_begin(&json, NULL);
	if (name != NULL)
		json_text(&json, "output", name);
	size_t i, max;
	yyjson_val *key, *value;
	yyjson_obj_foreach(object, i, max, key, value) {
		yyjson_mut_obj_add(json.root, yyjson_val_mut_copy(json.doc, key),
			yyjson_val_mut_copy(json.doc, value));
	}
	json_print(&json);
}

static int list_bookmarks(struct ctl *ctl) {
	int status;
	yyjson_doc *doc = get_state(ctl, &status);
	if (doc == NULL)
		return status;
	yyjson_val *array = yyjson_obj_get(yyjson_doc_get_root(doc), "bookmarks"), *bookmark;
	size_t i, max;
	struct table table;
	const char *const headings[] = {"BOOKMARK", "MIDDLE", "ZOOM", NULL};
	bool plain = !ctl->json && !ctl_has(ctl, "names");
	if (plain && yyjson_arr_size(array) == 0)
		puts("no bookmarks; make one with: cityctl bookmark set NAME");
	plain = plain && yyjson_arr_size(array) > 0;
	if (plain)
		table_begin(&table, headings);
	yyjson_arr_foreach(array, i, max, bookmark) {
		if (ctl->json) {
			print_object(NULL, bookmark);
		} else if (plain) {
			table_add(&table, BOLD, "%s", text(bookmark, "name"));
			table_add(&table, PLAIN, "%.0f,%.0f", real(bookmark, "cx"),
				real(bookmark, "cy"));
			table_add(&table, PLAIN, "%.3g", real(bookmark, "zoom"));
		} else {
			char *name = clean_line(text(bookmark, "name"));
			puts(name);
			free(name);
		}
	}
	if (plain)
		table_print(&table, ctl);
	yyjson_doc_free(doc);
	return CTL_OK;
}

int command_bookmark(struct ctl *ctl) {
	const char *word = ctl->word_count > 0 ? ctl->words[0] : "list";
	if (strcmp(word, "list") == 0)
		return list_bookmarks(ctl);
	if (ctl->word_count < 2)
		return ctl_usage(ctl, "say set, go or remove, and a name");
	return run_words(ctl, "bookmark");
}

static void print_camera(const struct ctl *ctl, struct table *table, yyjson_val *output) {
	yyjson_val *camera = yyjson_obj_get(output, "camera");
	if (ctl->json) {
		print_object(text(output, "name"), camera);
		return;
	}
	table_add(table, BOLD, "%s", text(output, "name"));
	table_add(table, PLAIN, "%.0f,%.0f", real(camera, "cx"), real(camera, "cy"));
	table_add(table, PLAIN, "%.0fx%.0f", real(camera, "width"), real(camera, "height"));
	table_add(table, PLAIN, "%.3g", real(camera, "zoom"));
	table_add(table, PLAIN, "%s",
		yyjson_get_bool(yyjson_obj_get(camera, "moving"))	  ? "moving"
			: yyjson_get_bool(yyjson_obj_get(camera, "room")) ? "room"
									  : "-");
}

int command_camera(struct ctl *ctl) {
	if (ctl->word_count == 1)
		return ctl_usage(ctl, "a place is two numbers, and a zoom if wanted");
	if (ctl->word_count > 1)
		return run_words(ctl, "camera");
	int status;
	yyjson_doc *doc = get_state(ctl, &status);
	if (doc == NULL)
		return status;
	yyjson_val *array = yyjson_obj_get(yyjson_doc_get_root(doc), "outputs"), *output;
	size_t i, max;
	struct table table;
	const char *const headings[] = {"OUTPUT", "PLACE", "SEEN", "ZOOM", "STATE", NULL};
	if (!ctl->json)
		table_begin(&table, headings);
	yyjson_arr_foreach(array, i, max, output) {
		print_camera(ctl, &table, output);
	}
	if (!ctl->json)
		table_print(&table, ctl);
	yyjson_doc_free(doc);
	return CTL_OK;
}

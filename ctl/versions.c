/* SPDX-License-Identifier: MIT */
/* rollback --list: the versions of a tile that can be gone back to */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

struct version {
	const char *hash;    /* in the state's document */
	char *time, *origin; /* of the record of when it came, "" when there is none */
	long back; /* what rollback is given for it: 0 is the good one, below 0 later ones */
};

struct versions {
	const struct tile *tile;
	struct version *list;
	size_t count;
};

static const char *text_of(yyjson_val *object, const char *key) {
	const char *text = yyjson_get_str(yyjson_obj_get(object, key));
	return text != NULL ? text : "";
}

static void handle_record(struct request *request, const char *json) {
	struct versions *versions = request->data;
	yyjson_doc *doc = yyjson_read(json, strlen(json), YYJSON_READ_ALLOW_INVALID_UNICODE);
	yyjson_val *record = yyjson_doc_get_root(doc);
	bool counts = strcmp(text_of(record, "uuid"), versions->tile->uuid) == 0 &&
		strcmp(text_of(record, "result"), "live") == 0 &&
		strcmp(text_of(record, "origin"), "rollback") != 0;
	for (size_t i = 0; counts && i < versions->count; i++) {
		struct version *version = &versions->list[i];
		if (strcmp(version->hash, text_of(record, "to")) != 0)
			continue;
		free(version->time);
		free(version->origin);
		version->time = copy_text(text_of(record, "time"));
		version->origin = copy_text(text_of(record, "origin"));
	}
	yyjson_doc_free(doc);
}

static void add(struct versions *versions, const char *hash, long back) {
	versions->list = reallocarray(versions->list, versions->count + 1, sizeof(*versions->list));
	if (versions->list == NULL)
		abort();
	versions->list[versions->count++] = (struct version){
		.hash = hash,
		.time = copy_text(""),
		.origin = copy_text(""),
		.back = back,
	};
}

static void read_state(struct versions *versions, yyjson_val *state) {
	yyjson_val *tile, *value;
	size_t i, max, j, count;
	yyjson_arr_foreach(yyjson_obj_get(state, "tiles"), i, max, tile) {
		if (strcmp(text_of(tile, "uuid"), versions->tile->uuid) != 0)
			continue;
		yyjson_arr_foreach(yyjson_obj_get(tile, "later"), j, count, value) {
			if (yyjson_is_str(value))
				add(versions, yyjson_get_str(value), (long)j - (long)count);
		}
		if (text_of(tile, "good")[0] != '\0')
			add(versions, text_of(tile, "good"), 0);
		yyjson_arr_foreach(yyjson_obj_get(tile, "earlier"), j, count, value) {
			if (yyjson_is_str(value))
				add(versions, yyjson_get_str(value), (long)j + 1);
		}
	}
}

static void print_table(struct ctl *ctl, const struct versions *versions) {
	const char *const headings[] = {"BACK", "VERSION", "SINCE (UTC)", "ORIGIN", NULL};
	struct table table;
	table_begin(&table, headings);
	for (size_t i = 0; i < versions->count; i++) {
		struct version *version = &versions->list[i];
		if (strlen(version->time) > 19 && version->time[10] == 'T') {
			version->time[10] = ' ';
			version->time[19] = '\0';
		}
		if (version->back > 0)
			table_add(&table, BOLD, "%ld", version->back);
		else
			table_add(&table, GREEN, "%s", version->back == 0 ? "good" : "-");
		table_add(&table, PLAIN, "%.12s", version->hash);
		table_add(&table, DIM, "%s", version->time[0] != '\0' ? version->time : "-");
		table_add(&table, PLAIN, "%s", version->origin[0] != '\0' ? version->origin : "-");
	}
	table_print(&table, ctl);
}

static void print_json(const struct versions *versions) {
	for (size_t i = 0; i < versions->count; i++) {
		const struct version *version = &versions->list[i];
		struct json json;
		json_begin(&json, NULL);
		json_text(&json, "tile", versions->tile->name);
		yyjson_mut_obj_add_sint(json.doc, json.root, "back", version->back);
		json_text(&json, "artifact", version->hash);
		json_text(&json, "time", version->time);
		json_text(&json, "origin", version->origin);
		json_print(&json);
	}
}

int list_versions(struct ctl *ctl, const struct tile *tile) {
	struct versions versions = {.tile = tile};
	struct request request, history;
	request_begin(&request, ctl, source_city_control_v1_get_state(ctl->control));
	request_wait(&request, NULL);
	int status = request_status(&request, "");
	if (status != CTL_OK) {
		request_finish(&request);
		return status;
	}
	yyjson_doc *state =
		yyjson_read(request.text, request.text_size, YYJSON_READ_ALLOW_INVALID_UNICODE);
	read_state(&versions, yyjson_doc_get_root(state));
	request_begin(&history, ctl, source_city_control_v1_get_history(ctl->control));
	history.record = handle_record;
	history.data = &versions;
	request_wait(&history, NULL);
	status = request_status(&history, "");
	if (status == CTL_OK && ctl->json)
		print_json(&versions);
	else if (status == CTL_OK && versions.count > 0)
		print_table(ctl, &versions);
	else if (status == CTL_OK)
		printf("%s: no version was found good yet\n", tile->name);
	for (size_t i = 0; i < versions.count; i++) {
		free(versions.list[i].time);
		free(versions.list[i].origin);
	}
	free(versions.list);
	yyjson_doc_free(state);
	request_finish(&history);
	request_finish(&request);
	return status;
}

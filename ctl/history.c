/* SPDX-License-Identifier: MIT */
/* history: the records of past handovers */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

struct history {
	struct ctl *ctl;
	char **records;
	size_t count, capacity;
};

static bool is_of(const char *json, const char *name) {
	yyjson_doc *doc = yyjson_read(json, strlen(json), YYJSON_READ_ALLOW_INVALID_UNICODE);
	yyjson_val *root = yyjson_doc_get_root(doc);
	bool same = yyjson_equals_str(yyjson_obj_get(root, "tile"), name) ||
		yyjson_equals_str(yyjson_obj_get(root, "uuid"), name);
	yyjson_doc_free(doc);
	return same;
}

static void handle_record(struct request *request, const char *json) {
	struct history *history = request->data;
	if (history->ctl->word_count > 0 && !is_of(json, history->ctl->words[0]))
		return;
	if (history->count == history->capacity) {
		history->capacity = history->capacity == 0 ? 64 : history->capacity * 2;
		history->records = reallocarray(
			history->records, history->capacity, sizeof(*history->records));
		if (history->records == NULL)
			abort();
	}
	history->records[history->count++] = copy_text(json);
}

static const char *text_of(yyjson_val *record, const char *key) {
	const char *text = yyjson_get_str(yyjson_obj_get(record, key));
	return text != NULL ? text : "";
}

static void add_duration(struct table *table, yyjson_val *record, const char *key) {
	char text[32];
	yyjson_val *value = yyjson_obj_get(record, key);
	table_add(table, PLAIN, "%s",
		yyjson_is_num(value) ? format_us(text, sizeof(text), yyjson_get_num(value)) : "-");
}

static void add_row(struct table *table, const char *json) {
	yyjson_doc *doc = yyjson_read(json, strlen(json), YYJSON_READ_ALLOW_INVALID_UNICODE);
	yyjson_val *record = yyjson_doc_get_root(doc);
	const char *result = text_of(record, "result"), *reason = text_of(record, "reason");
	const char *from = text_of(record, "from");
	bool live = strcmp(result, "live") == 0;
	char *time = copy_text(text_of(record, "time"));
	/* 2026-05-04T03:02:01.123Z: the day and the second are enough. */
	if (strlen(time) > 19 && time[10] == 'T') {
		time[10] = ' ';
		time[19] = '\0';
	}
	table_add(table, DIM, "%s", time);
	table_add(table, BOLD, "%s", text_of(record, "tile"));
	table_add(table, live ? GREEN : RED, "%s", result);
	table_add(table, PLAIN, "%.8s", from[0] != '\0' ? from : "-");
	table_add(table, PLAIN, "%.8s", text_of(record, "to"));
	table_add(table, PLAIN, "%s", text_of(record, "strategy"));
	yyjson_val *pas = yyjson_obj_get(record, "pas");
	if (yyjson_is_num(pas))
		table_add(table, PLAIN, "%.2f", yyjson_get_num(pas));
	else
		table_add(table, PLAIN, "-");
	add_duration(table, record, "pause_us");
	add_duration(table, record, "build_us");
	add_duration(table, record, "total_us");
	const char *step = text_of(record, "step");
	if (reason[0] != '\0')
		table_add(table, PLAIN, "%s%s%s", step, step[0] != '\0' ? ": " : "", reason);
	else
		table_add(table, PLAIN, "%s", text_of(record, "origin"));
	free(time);
	yyjson_doc_free(doc);
}

static void print_table(struct ctl *ctl, char **records, size_t count) {
	const char *const headings[] = {"TIME (UTC)", "TILE", "RESULT", "FROM", "TO", "STRATEGY",
		"PAS", "PAUSE", "BUILD", "TOTAL", "ORIGIN", NULL};
	struct table table;
	table_begin(&table, headings);
	for (size_t i = 0; i < count; i++)
		add_row(&table, records[i]);
	table_print(&table, ctl);
}

int command_history(struct ctl *ctl) {
	long last = 0;
	if (ctl_has(ctl, "last") && !ctl_number(ctl, "last", 1000000, &last))
		return CTL_USAGE;
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	struct history history = {.ctl = ctl};
	struct request request;
	request_begin(&request, ctl, source_city_control_v1_get_history(ctl->control));
	request.record = handle_record;
	request.data = &history;
	request_wait(&request, NULL);
	status = request_status(&request, "");
	request_finish(&request);
	/* Of a tile that is gone there may be records; of one that never was there are none. */
	if (status == CTL_OK && history.count == 0 && ctl->word_count > 0 &&
		ctl_tile(ctl, ctl->words[0]) == NULL)
		status = CTL_FAILED;

	size_t first = last > 0 && (size_t)last < history.count ? history.count - (size_t)last : 0;
	if (ctl->json) {
		for (size_t i = first; i < history.count; i++)
			json_pass(NULL, history.records[i]);
	} else if (history.count > 0) {
		print_table(ctl, history.records + first, history.count - first);
	} else if (status == CTL_OK) {
		puts("no handovers yet");
	}
	for (size_t i = 0; i < history.count; i++)
		free(history.records[i]);
	free(history.records);
	return status;
}

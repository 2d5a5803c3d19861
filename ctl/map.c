/* SPDX-License-Identifier: MIT */
/* map: what stands in the city */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

/* The whole file; NULL, with errno. */
static char *read_whole(int fd, size_t *size) {
	struct stat info;
	char *text = fstat(fd, &info) == 0 ? malloc((size_t)info.st_size + 1) : NULL;
	*size = 0;
	while (text != NULL && *size < (size_t)info.st_size) {
		ssize_t got = pread(fd, text + *size, (size_t)info.st_size - *size, (off_t)*size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		*size += (size_t)got;
	}
	if (text != NULL)
		text[*size] = '\0';
	return text;
}

static void add_share(struct table *table, yyjson_val *value, double scale, const char *unit) {
	if (yyjson_is_num(value))
		table_add(table, PLAIN, "%.*f%s", scale > 1 ? 1 : 2, yyjson_get_num(value) * scale,
			unit);
	else
		table_add(table, PLAIN, "-");
}

static void add_place(struct table *table, yyjson_val *object) {
	table_add(table, PLAIN, "%.0f,%.0f", yyjson_get_num(yyjson_obj_get(object, "cx")),
		yyjson_get_num(yyjson_obj_get(object, "cy")));
	table_add(table, PLAIN, "%.0fx%.0f", yyjson_get_num(yyjson_obj_get(object, "width")),
		yyjson_get_num(yyjson_obj_get(object, "height")));
}

static const char *string_of(yyjson_val *object, const char *key) {
	const char *text = yyjson_get_str(yyjson_obj_get(object, key));
	return text != NULL ? text : "";
}

static void print_map(struct ctl *ctl, yyjson_val *root) {
	const char *const lots[] = {
		"NAME", "KIND", "LINES", "COST", "PAS", "MARK", "PLACE", "SIZE", NULL};
	const char *const quarters[] = {
		"QUARTER", "LINES", "MODULES", "PLACE", "SIZE", "FOLDER", NULL};
	struct table table;
	yyjson_val *object;
	size_t i, count;
	table_begin(&table, lots);
	yyjson_arr_foreach(yyjson_obj_get(root, "lots"), i, count, object) {
		const char *mark = string_of(object, "mark");
		uint64_t lines = yyjson_get_uint(yyjson_obj_get(object, "lines"));
		table_add(&table, BOLD, "%s", string_of(object, "name"));
		table_add(&table, PLAIN, "%s", string_of(object, "kind"));
		if (lines > 0)
			table_add(&table, PLAIN, "%ju", (uintmax_t)lines);
		else
			table_add(&table, PLAIN, "-");
		add_share(&table, yyjson_obj_get(object, "cost"), 100, " %");
		add_share(&table, yyjson_obj_get(object, "pas"), 1, "");
		table_add(
			&table, mark[0] != '\0' ? RED : PLAIN, "%s", mark[0] != '\0' ? mark : "-");
		add_place(&table, object);
	}
	table_print(&table, ctl);
	table_begin(&table, quarters);
	yyjson_arr_foreach(yyjson_obj_get(root, "quarters"), i, count, object) {
		table_add(&table, BOLD, "%s", string_of(object, "name"));
		table_add(&table, PLAIN, "%ju",
			(uintmax_t)yyjson_get_uint(yyjson_obj_get(object, "lines")));
		table_add(&table, PLAIN, "%zu", yyjson_arr_size(yyjson_obj_get(object, "modules")));
		add_place(&table, object);
		table_add(&table, PLAIN, "%s", string_of(object, "path"));
	}
	table_print(&table, ctl);
}

int command_map(struct ctl *ctl) {
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	if (source_city_control_v1_get_version(ctl->control) <
		SOURCE_CITY_CONTROL_V1_GET_MAP_SINCE_VERSION)
		return ctl_fail(ctl, "map", "this city is too old to tell what is on its map");
	struct request request;
	request_begin(&request, ctl, source_city_control_v1_get_map(ctl->control));
	request_wait(&request, NULL);
	status = request_status(&request, "");
	size_t size = 0;
	char *text = status == CTL_OK && request.file >= 0 ? read_whole(request.file, &size) : NULL;
	yyjson_doc *doc =
		text != NULL ? yyjson_read(text, size, YYJSON_READ_ALLOW_INVALID_UNICODE) : NULL;
	if (status == CTL_OK && doc == NULL)
		status = ctl_fail(ctl, "map", "the city's answer is not JSON");
	else if (status == CTL_OK && ctl->json)
		puts(text);
	else if (status == CTL_OK)
		print_map(ctl, yyjson_doc_get_root(doc));
	yyjson_doc_free(doc);
	free(text);
	request_finish(&request);
	return status;
}

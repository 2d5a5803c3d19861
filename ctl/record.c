/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static const char *get_text(yyjson_val *record, const char *key) {
	const char *text = yyjson_get_str(yyjson_obj_get(record, key));
	return text != NULL ? text : "";
}

void print_record(const struct ctl *ctl, const char *json) {
	yyjson_doc *doc = yyjson_read(json, strlen(json), YYJSON_READ_ALLOW_INVALID_UNICODE);
	yyjson_val *record = yyjson_doc_get_root(doc);
	const char *result = get_text(record, "result");
	char *text = NULL;
	size_t size = 0;
	char duration[32];
	FILE *line = open_memstream(&text, &size);
	if (line == NULL)
		abort();
	bool live = strcmp(result, "live") == 0;
	fprintf(line, "%s: %s", get_text(record, "tile"), result);
	if (!live && get_text(record, "step")[0] != '\0')
		fprintf(line, " at %s: %s", get_text(record, "step"), get_text(record, "reason"));
	const char *from = get_text(record, "from"), *to = get_text(record, "to");
	if (live)
		fprintf(line, ": %.8s -> %.8s, %s", from[0] != '\0' ? from : "nothing",
			to[0] != '\0' ? to : "nothing", get_text(record, "strategy"));
	/* It is live, but something was out of the ordinary. */
	if (live && get_text(record, "reason")[0] != '\0')
		fprintf(line, " (%s)", get_text(record, "reason"));
	if (get_text(record, "lost")[0] != '\0')
		fprintf(line, ", lost: %s", get_text(record, "lost"));
	yyjson_val *pause = yyjson_obj_get(record, "pause_us");
	if (yyjson_is_num(pause))
		fprintf(line, ", pause %s",
			format_us(duration, sizeof(duration), yyjson_get_num(pause)));
	yyjson_val *dropped = yyjson_obj_get(record, "frames_dropped");
	if (yyjson_is_uint(dropped) && live)
		fprintf(line, ", %ju frame%s dropped", (uintmax_t)yyjson_get_uint(dropped),
			yyjson_get_uint(dropped) == 1 ? "" : "s");
	yyjson_val *build = yyjson_obj_get(record, "build_us");
	if (yyjson_is_num(build))
		fprintf(line, ", built in %s",
			format_us(duration, sizeof(duration), yyjson_get_num(build)));
	yyjson_val *total = yyjson_obj_get(record, "total_us");
	if (yyjson_is_num(total))
		fprintf(line, ", %s in all",
			format_us(duration, sizeof(duration), yyjson_get_num(total)));
	fflush(line);
	char *clean = clean_line(text);
	printf("%s%s%s\n", color_on(ctl, live ? GREEN : RED), clean, color_off(ctl));
	free(clean);
	fclose(line);
	free(text);
	yyjson_doc_free(doc);
}

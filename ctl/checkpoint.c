/* SPDX-License-Identifier: MIT */
/* checkpoint: tiles are saved now */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

static void print_saved(const struct ctl *ctl, const struct tile *tile, const char *text) {
	uint64_t bytes = 0, waited_ns = 0;
	int path = 0;
	if (sscanf(text, "%" SCNu64 " %" SCNu64 " %n", &bytes, &waited_ns, &path) < 2)
		return;
	if (ctl->json) {
		struct json json;
		json_begin(&json, "saved");
		json_text(&json, "tile", tile->name);
		json_text(&json, "file", text + path);
		json_uint(&json, "bytes", bytes);
		json_uint(&json, "waited_ns", waited_ns);
		json_print(&json);
	} else {
		char *line = clean_line(text + path);
		puts(line);
		free(line);
	}
}

static int save_tile(struct ctl *ctl, struct tile *tile) {
	struct request request;
	request_begin(&request, ctl, source_city_tile_handle_v1_checkpoint(tile->handle));
	request_wait(&request, NULL);
	int status = request_status(&request, tile->name);
	if (status == CTL_OK)
		print_saved(ctl, tile, request.text);
	request_finish(&request);
	return status;
}

int command_checkpoint(struct ctl *ctl) {
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	struct tile *tile, *next;
	if (ctl->word_count > 0) {
		tile = ctl_tile(ctl, ctl->words[0]);
		return tile != NULL ? save_tile(ctl, tile) : CTL_FAILED;
	}
	wl_list_for_each_safe(tile, next, &ctl->tiles, link) {
		int saved = save_tile(ctl, tile);
		status = status == CTL_OK ? saved : status;
	}
	return status;
}

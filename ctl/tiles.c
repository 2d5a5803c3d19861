/* SPDX-License-Identifier: MIT */
/* tiles, open, close */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

/* What the city takes of options, with the zero byte behind each. */
#define OPTIONS_MAX 2048

static enum color state_color(enum tile_state state) {
	switch (state) {
	case TILE_LIVE:
		return GREEN;
	case TILE_DEAD:
		return RED;
	default:
		return YELLOW;
	}
}

/* What sound comes out of. */
static void print_sound(const struct tile *tile) {
	char *text;
	if (asprintf(&text, "[%s]", tile->ports) < 0)
		abort();
	yyjson_doc *doc = yyjson_read(text, strlen(text), YYJSON_READ_ALLOW_INVALID_UNICODE);
	yyjson_val *port;
	size_t index, count, sounds = 0;
	yyjson_arr_foreach(yyjson_doc_get_root(doc), index, count, port) {
		if (!yyjson_equals_str(yyjson_obj_get(port, "kind"), "audio") ||
			!yyjson_equals_str(yyjson_obj_get(port, "direction"), "out"))
			continue;
		char *name = clean_line(yyjson_get_str(yyjson_obj_get(port, "name")));
		if (sounds++ == 0)
			printf("%s: sound from", tile->name);
		printf("%s %s", sounds > 1 ? "," : "", name);
		free(name);
	}
	if (sounds > 0)
		putchar('\n');
	yyjson_doc_free(doc);
	free(text);
}

static void print_tiles(struct ctl *ctl) {
	struct table table;
	const char *const headings[] = {
		"TILE", "STATE", "KIND", "VERSION", "PAS", "PID", "PLACE", "SIZE", "TITLE", NULL};
	struct tile *tile;
	table_begin(&table, headings);
	wl_list_for_each(tile, &ctl->tiles, link) {
		table_add(&table, BOLD, "%s", tile->name);
		table_add(&table, state_color(tile->state), "%s", tile_state_name(tile->state));
		table_add(&table, PLAIN, "%s", tile->kind);
		table_add(&table, PLAIN, "%.8s", tile->artifact[0] != '\0' ? tile->artifact : "-");
		table_add(&table, PLAIN, "%.4s", tile->pas[0] != '\0' ? tile->pas : "-");
		if (tile->pid != 0)
			table_add(&table, PLAIN, "%u", tile->pid);
		else
			table_add(&table, PLAIN, "-");
		table_add(&table, PLAIN, "%.0f,%.0f", tile->cx, tile->cy);
		table_add(&table, PLAIN, "%dx%d", tile->width, tile->height);
		table_add(&table, PLAIN, "%s", tile->title);
	}
	table_print(&table, ctl);
	wl_list_for_each(tile, &ctl->tiles, link) print_sound(tile);
	wl_list_for_each(tile, &ctl->tiles, link) {
		if (tile->notice[0] == '\0')
			continue;
		char *notice = clean_line(tile->notice);
		printf("%s%s: %s%s\n", color_on(ctl, YELLOW), tile->name, notice, color_off(ctl));
		free(notice);
	}
}

int command_tiles(struct ctl *ctl) {
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	struct tile *tile;
	if (!ctl->json && !ctl_has(ctl, "names")) {
		if (wl_list_empty(&ctl->tiles))
			puts("no tiles; open one with: cityctl open terminal");
		else
			print_tiles(ctl);
		return CTL_OK;
	}
	wl_list_for_each(tile, &ctl->tiles, link) {
		if (ctl->json) {
			struct json json;
			json_begin(&json, NULL);
			json_tile(&json, tile);
			json_print(&json);
		} else {
			printf("%s\n", tile->name);
		}
	}
	return CTL_OK;
}

/*
 * What --option says, as it is sent. A value that is a path from here is made one from anywhere.
 * False after ctl_usage.
 */
static bool collect_options(struct ctl *ctl, struct wl_array *texts) {
	for (size_t i = 0; i < ctl->option_count; i++) {
		const char *text = ctl->options[i].value;
		if (strcmp(ctl->options[i].name, "option") != 0)
			continue;
		const char *equals = strchr(text, '=');
		if (equals == NULL || equals == text) {
			ctl_usage(ctl, "--option needs KEY=VALUE, not \"%s\"", text);
			return false;
		}
		const char *value = equals + 1;
		char *cwd = NULL;
		if (strncmp(value, "./", 2) == 0 || strncmp(value, "../", 3) == 0)
			cwd = getcwd(NULL, 0);
		char *whole;
		if (asprintf(&whole, "%.*s%s%s%s", (int)(value - text), text,
			    cwd != NULL ? cwd : "", cwd != NULL ? "/" : "", value) < 0)
			abort();
		free(cwd);
		size_t size = strlen(whole) + 1;
		if (texts->size + size > OPTIONS_MAX) {
			free(whole);
			ctl_usage(
				ctl, "the options are longer than %d bytes together", OPTIONS_MAX);
			return false;
		}
		char *at = wl_array_add(texts, size);
		if (at == NULL)
			abort();
		memcpy(at, whole, size);
		free(whole);
	}
	return true;
}

int command_open(struct ctl *ctl) {
	const char *kind = ctl->words[0], *name = ctl_option(ctl, "name");
	char *folder = NULL;
	/* A path is looked at from here, whatever the compositor's working directory is. */
	if (strchr(kind, '/') != NULL) {
		struct stat info;
		folder = realpath(kind, NULL);
		if (folder == NULL || stat(folder, &info) != 0) {
			free(folder);
			return ctl_fail(ctl, "open", "%s: no such folder", kind);
		}
		if (!S_ISDIR(info.st_mode)) {
			free(folder);
			return ctl_fail(ctl, "open", "%s: not a folder of sources", kind);
		}
		kind = folder;
	}
	if (strlen(kind) > CTL_TEXT_MAX || (name != NULL && strlen(name) > CTL_TEXT_MAX / 8)) {
		free(folder);
		return ctl_usage(ctl, "that name is too long");
	}
	struct wl_array options;
	wl_array_init(&options);
	int status = collect_options(ctl, &options) ? ctl_connect(ctl) : CTL_USAGE;
	if (status != CTL_OK)
		goto out;
	if (options.size > 0 &&
		source_city_control_v1_get_version(ctl->control) <
			SOURCE_CITY_CONTROL_V1_OPEN_TILE_WITH_SINCE_VERSION) {
		status = ctl_fail(ctl, "open", "this city is older and knows no --option");
		goto out;
	}
	if (name == NULL)
		name = "";
	struct request request;
	request_begin(&request, ctl,
		options.size > 0
			? source_city_control_v1_open_tile_with(ctl->control, kind, name, &options)
			: source_city_control_v1_open_tile(ctl->control, kind, name));
	request_wait(&request, NULL);
	status = request_status(&request, "");
	if (status == CTL_OK && ctl->json) {
		/* Its other properties are there with the first look at the tiles. */
		struct json json;
		json_begin(&json, "opened");
		json_text(&json, "name", request.text);
		json_print(&json);
	} else if (status == CTL_OK) {
		char *line = clean_line(request.text);
		puts(line);
		free(line);
	}
	request_finish(&request);
out:
	wl_array_release(&options);
	free(folder);
	return status;
}

int command_close(struct ctl *ctl) {
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	struct tile *tile = ctl_tile(ctl, ctl->words[0]);
	if (tile == NULL)
		return CTL_FAILED;
	return request_simple(ctl, source_city_tile_handle_v1_close(tile->handle), ctl->words[0]);
}

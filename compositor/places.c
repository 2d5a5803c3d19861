/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <scfg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compositor/paths.h"
#include "compositor/places.h"
#include "compositor/text.h"
#include "compositor/writer.h"
#include "log.h"

#define SUBJECT "places"
#define PLACE_MAX 1e9

static void place_destroy(struct city_place *place) {
	wl_list_remove(&place->link);
	free(place->name);
	free(place->kind);
	free(place->source);
	free(place->artifact);
	free(place->installed);
	city_options_finish(&place->options);
	free(place);
}

struct city_place *city_places_find(struct city_places *places, const char *name) {
	struct city_place *place;
	wl_list_for_each(place, &places->list, link) {
		if (strcmp(place->name, name) == 0) {
			return place;
		}
	}
	return NULL;
}

struct city_place *city_places_add(struct city_places *places, const char *name) {
	struct city_place *place = calloc(1, sizeof(*place));
	if (!place) {
		return NULL;
	}
	place->name = strdup(name);
	if (!place->name) {
		free(place);
		return NULL;
	}
	wl_list_insert(places->list.prev, &place->link);
	return place;
}

void city_places_remove(struct city_places *places, struct city_place *place) {
	place_destroy(place);
}

static bool parse_number(const char *text, double *number) {
	char *end;
	errno = 0;
	*number = strtod(text, &end);
	return *text && !*end && errno == 0 && isfinite(*number);
}

/* Lines of one place in any order. */
struct lists {
	struct city_versions later, earlier;
};

static bool read_line(
	struct city_place *place, struct lists *lists, const struct scfg_directive *line) {
	double x, y;
	char **param = line->params;
	size_t count = line->params_len;
	if (strcmp(line->name, "uuid") == 0) {
		return count == 1 && vat_uuid_parse(param[0], &place->uuid);
	}
	char **string = strcmp(line->name, "kind") == 0 ? &place->kind
		: strcmp(line->name, "source") == 0	? &place->source
		: strcmp(line->name, "artifact") == 0	? &place->artifact
		: strcmp(line->name, "installed") == 0	? &place->installed
							: NULL;
	if (string) {
		free(*string);
		*string = count == 1 ? strdup(param[0]) : NULL;
		return *string != NULL;
	}
	bool later = strcmp(line->name, "later") == 0;
	if (later || strcmp(line->name, "earlier") == 0) {
		struct city_versions *versions = later ? &lists->later : &lists->earlier;
		for (size_t i = 0; i < count; i++) {
			/* What is no version any more is no reason to give the tile up. */
			city_versions_append(versions, param[i]);
		}
		return true;
	}
	bool at = strcmp(line->name, "at") == 0;
	if (at || strcmp(line->name, "size") == 0) {
		if (count != 2 || !parse_number(param[0], &x) || !parse_number(param[1], &y)) {
			return false;
		}
		if (at) {
			place->has_place = true;
			place->cx = fmax(fmin(x, PLACE_MAX), -PLACE_MAX);
			place->cy = fmax(fmin(y, PLACE_MAX), -PLACE_MAX);
		} else {
			place->width = (int)fmax(fmin(x, 16384), 0);
			place->height = (int)fmax(fmin(y, 16384), 0);
		}
		return true;
	}
	char *option;
	if (strcmp(line->name, "option") == 0) {
		if (count != 2 || asprintf(&option, "%s=%s", param[0], param[1]) < 0) {
			return false;
		}
		bool added = city_options_add(&place->options, option);
		free(option);
		return added;
	}
	/* A newer city may have written more. */
	return true;
}

static void join_versions(struct city_place *place, const struct lists *lists) {
	struct city_versions *versions = &place->versions;
	if (!place->artifact || !city_hash_valid(place->artifact)) {
		return;
	}
	for (size_t i = 0; i < lists->later.count; i++) {
		city_versions_append(versions, lists->later.hashes[i]);
	}
	if (!city_versions_append(versions, place->artifact)) {
		versions->count--; /* the oldest of so many later ones has to go */
		city_versions_append(versions, place->artifact);
	}
	versions->at = versions->count - 1;
	for (size_t i = 0; i < lists->earlier.count; i++) {
		city_versions_append(versions, lists->earlier.hashes[i]);
	}
}

int city_places_read(struct city_places *places, const char *path) {
	if (access(path, F_OK) < 0 && errno == ENOENT) {
		return 0;
	}
	struct scfg_block root = {0};
	if (scfg_load_file(&root, path) != 0) {
		return -1;
	}
	int result = 1;
	for (size_t i = 0; i < root.directives_len && result > 0; i++) {
		struct scfg_directive *entry = &root.directives[i];
		if (strcmp(entry->name, "tile") != 0) {
			continue;
		}
		if (entry->params_len != 1 || !vat_name_valid(entry->params[0]) ||
			city_places_find(places, entry->params[0])) {
			city_log(CITY_LOG_ERROR, SUBJECT, "%s:%d: a tile without a name of its own",
				path, entry->lineno);
			result = -1;
			break;
		}
		struct city_place *place = city_places_add(places, entry->params[0]);
		struct lists lists = {0};
		for (size_t j = 0; place && j < entry->children.directives_len; j++) {
			struct scfg_directive *line = &entry->children.directives[j];
			if (!read_line(place, &lists, line)) {
				city_log(CITY_LOG_ERROR, SUBJECT, "%s:%d: bad %s", path,
					line->lineno, line->name);
				result = -1;
				break;
			}
		}
		if (place) {
			join_versions(place, &lists);
		}
		if (!place || vat_uuid_is_nil(&place->uuid) ||
			(place->kind && !vat_name_valid(place->kind))) {
			city_log(CITY_LOG_ERROR, SUBJECT, "%s:%d: tile %s has no identity or kind",
				path, entry->lineno, entry->params[0]);
			result = -1;
		}
	}
	scfg_block_finish(&root);
	return result;
}

struct city_places *city_places_none(void) {
	struct city_places *places = calloc(1, sizeof(*places));
	if (places) {
		wl_list_init(&places->list);
	}
	return places;
}

struct city_places *city_places_load(void) {
	struct city_places *places = calloc(1, sizeof(*places));
	if (!places) {
		return NULL;
	}
	wl_list_init(&places->list);
	char *folder = city_path_state(NULL);
	if (!folder || asprintf(&places->path, "%s/places", folder) < 0) {
		city_log(CITY_LOG_ERROR, SUBJECT, "no state folder: %s; set HOME or XDG_STATE_HOME",
			strerror(errno));
		free(folder);
		free(places);
		return NULL;
	}
	free(folder);
	int got = city_places_read(places, places->path);
	places->existed = got > 0;
	if (got < 0) {
		struct city_place *place, *next;
		wl_list_for_each_safe(place, next, &places->list, link) {
			place_destroy(place);
		}
		city_path_set_aside(places->path, SUBJECT, "the tiles start anew");
	}
	return places;
}

void city_places_destroy(struct city_places *places) {
	if (!places) {
		return;
	}
	struct city_place *place, *next;
	wl_list_for_each_safe(place, next, &places->list, link) {
		place_destroy(place);
	}
	city_writer_destroy(places->writer);
	free(places->path);
	free(places);
}

static void put_string(FILE *file, const char *key, const char *value) {
	fprintf(file, "\t%s ", key);
	city_text_quote(file, value);
	fputc('\n', file);
}

static void put_versions(
	FILE *file, const char *key, const struct city_versions *versions, size_t from, size_t to) {
	if (from >= to) {
		return;
	}
	fprintf(file, "\t%s", key);
	for (size_t i = from; i < to; i++) {
		fprintf(file, " %s", versions->hashes[i]);
	}
	fputc('\n', file);
}

static void put_options(FILE *file, const struct city_options *options) {
	for (size_t i = 0; i < options->count; i++) {
		const char *text = options->list[i];
		size_t key = strcspn(text, "=");
		fputs("\toption ", file);
		char *name = strndup(text, key);
		city_text_quote(file, name ? name : "");
		fputc(' ', file);
		city_text_quote(file, text[key] == '=' ? text + key + 1 : "");
		fputc('\n', file);
		free(name);
	}
}

bool city_places_save(struct city_places *places) {
	if (!places->path) {
		return true;
	}
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	if (!file) {
		return false;
	}
	struct city_place *place;
	wl_list_for_each(place, &places->list, link) {
		char uuid[VAT_UUID_TEXT];
		vat_uuid_format(&place->uuid, uuid);
		fprintf(file, "tile %s {\n\tuuid %s\n", place->name, uuid);
		if (place->kind) {
			put_string(file, "kind", place->kind);
		}
		if (place->source && !strpbrk(place->source, "\n\r")) {
			put_string(file, "source", place->source);
		}
		if (place->has_place) {
			fprintf(file, "\tat %.3f %.3f\n", place->cx, place->cy);
		}
		if (place->width > 0 && place->height > 0) {
			fprintf(file, "\tsize %d %d\n", place->width, place->height);
		}
		if (place->artifact) {
			put_string(file, "artifact", place->artifact);
		}
		const struct city_versions *versions = &place->versions;
		put_versions(file, "later", versions, 0, versions->at);
		put_versions(file, "earlier", versions, versions->at + 1, versions->count);
		if (place->installed) {
			put_string(file, "installed", place->installed);
		}
		put_options(file, &place->options);
		fputs("}\n", file);
	}
	if (!places->writer) {
		places->writer = city_writer_create(places->path);
	}
	if (fclose(file) != 0 || !places->writer) {
		city_log(CITY_LOG_WARN, SUBJECT, "no memory to save where the tiles are");
		free(text);
		return false;
	}
	city_writer_put(places->writer, text, size);
	return true;
}

void city_places_flush(struct city_places *places) {
	if (places->writer) {
		city_writer_flush(places->writer);
	}
}

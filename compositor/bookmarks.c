/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <scfg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compositor/bookmarks.h"
#include "compositor/map.h"
#include "compositor/paths.h"
#include "compositor/server.h"
#include "compositor/text.h"
#include "compositor/writer.h"
#include "vat/log.h"

#define SUBJECT "bookmarks"

struct city_bookmarks {
	struct wl_list list;
	size_t count;
	char *path; /* NULL: they are not kept */
	struct city_writer *writer;
};

bool city_bookmarks_check(const char *name, char *error, size_t error_size) {
	size_t length = strlen(name);
	bool ok = length > 0 && length < CITY_BOOKMARK_NAME;
	for (size_t i = 0; i < length && ok; i++) {
		ok = (unsigned char)name[i] >= ' ' && name[i] != 0x7f;
	}
	if (!ok) {
		snprintf(error, error_size,
			"a bookmark's name is a line of 1 to %d bytes, not \"%.80s\"",
			CITY_BOOKMARK_NAME - 1, name);
	}
	return ok;
}

static struct city_bookmark *find(struct city_bookmarks *bookmarks, const char *name) {
	struct city_bookmark *bookmark;
	wl_list_for_each(bookmark, &bookmarks->list, link) {
		if (strcmp(bookmark->name, name) == 0) {
			return bookmark;
		}
	}
	return NULL;
}

static struct city_bookmark *add(struct city_bookmarks *bookmarks, const char *name) {
	struct city_bookmark *bookmark =
		bookmarks->count < CITY_BOOKMARKS_MAX ? calloc(1, sizeof(*bookmark)) : NULL;
	if (bookmark != NULL) {
		snprintf(bookmark->name, sizeof(bookmark->name), "%s", name);
		wl_list_insert(bookmarks->list.prev, &bookmark->link);
		bookmarks->count++;
	}
	return bookmark;
}

static void drop(struct city_bookmarks *bookmarks, struct city_bookmark *bookmark) {
	wl_list_remove(&bookmark->link);
	bookmarks->count--;
	free(bookmark);
}

static bool read_number(const char *word, double *number) {
	char *end;
	*number = strtod(word, &end);
	return end != word && *end == '\0' && isfinite(*number);
}

static bool read_line(struct city_bookmarks *bookmarks, const struct scfg_directive *line) {
	double numbers[3];
	char error[256];
	if (strcmp(line->name, "bookmark") != 0) {
		return true; /* a newer city may have written more */
	}
	bool ok = line->params_len == 4 &&
		city_bookmarks_check(line->params[0], error, sizeof(error));
	for (size_t i = 0; i < 3 && ok; i++) {
		ok = read_number(line->params[i + 1], &numbers[i]);
	}
	if (!ok || find(bookmarks, line->params[0]) != NULL) {
		city_log(CITY_LOG_ERROR, SUBJECT,
			"%s:%d: no bookmark; allowed: bookmark NAME CX CY ZOOM, each name once",
			bookmarks->path, line->lineno);
		return false;
	}
	struct city_bookmark *bookmark = add(bookmarks, line->params[0]);
	if (bookmark != NULL) {
		bookmark->cx = numbers[0];
		bookmark->cy = numbers[1];
		bookmark->zoom = city_map_clamp(numbers[2]);
	}
	return true;
}

static void read_file(struct city_bookmarks *bookmarks) {
	struct scfg_block root = {0};
	if (access(bookmarks->path, F_OK) != 0 && errno == ENOENT) {
		return;
	}
	bool ok = scfg_load_file(&root, bookmarks->path) == 0;
	for (size_t i = 0; i < root.directives_len && ok; i++) {
		ok = read_line(bookmarks, &root.directives[i]);
	}
	scfg_block_finish(&root);
	if (!ok) {
		struct city_bookmark *bookmark, *next;
		wl_list_for_each_safe(bookmark, next, &bookmarks->list, link) {
			drop(bookmarks, bookmark);
		}
		city_path_set_aside(bookmarks->path, SUBJECT, "there are none for now");
	}
}

static struct city_bookmarks *get(struct city_server *server) {
	if (server->bookmarks != NULL) {
		return server->bookmarks;
	}
	struct city_bookmarks *bookmarks = calloc(1, sizeof(*bookmarks));
	if (bookmarks == NULL) {
		abort();
	}
	server->bookmarks = bookmarks;
	wl_list_init(&bookmarks->list);
	char *folder = city_path_state(NULL);
	if (folder == NULL || asprintf(&bookmarks->path, "%s/bookmarks", folder) < 0) {
		city_log(CITY_LOG_WARN, SUBJECT,
			"no state folder: %s; they end with the city: set HOME or XDG_STATE_HOME",
			strerror(errno));
		bookmarks->path = NULL;
	} else {
		read_file(bookmarks);
	}
	free(folder);
	return bookmarks;
}

static void save(struct city_bookmarks *bookmarks) {
	char *text = NULL;
	size_t size = 0;
	if (bookmarks->path == NULL) {
		return;
	}
	if (bookmarks->writer == NULL) {
		bookmarks->writer = city_writer_create(bookmarks->path);
	}
	FILE *file = bookmarks->writer == NULL ? NULL : open_memstream(&text, &size);
	if (file == NULL) {
		city_log(CITY_LOG_WARN, SUBJECT, "no memory to save them");
		return;
	}
	const struct city_bookmark *bookmark;
	wl_list_for_each(bookmark, &bookmarks->list, link) {
		fputs("bookmark ", file);
		city_text_quote(file, bookmark->name);
		fprintf(file, " %.17g %.17g %.17g\n", bookmark->cx, bookmark->cy, bookmark->zoom);
	}
	if (fclose(file) != 0) {
		city_log(CITY_LOG_WARN, SUBJECT, "no memory to save them");
		free(text);
		return;
	}
	city_writer_put(bookmarks->writer, text, size);
}

struct wl_list *city_bookmarks_list(struct city_server *server) {
	return &get(server)->list;
}

struct city_bookmark *city_bookmarks_find(struct city_server *server, const char *name) {
	return find(get(server), name);
}

bool city_bookmarks_set(struct city_server *server, const char *name, double cx, double cy,
	double zoom, char *error, size_t error_size) {
	if (!city_bookmarks_check(name, error, error_size)) {
		return false;
	}
	struct city_bookmarks *bookmarks = get(server);
	struct city_bookmark *bookmark = find(bookmarks, name);
	if (bookmark == NULL) {
		bookmark = add(bookmarks, name);
	}
	if (bookmark == NULL) {
		snprintf(error, error_size, "there are %d bookmarks already: remove one",
			CITY_BOOKMARKS_MAX);
		return false;
	}
	bookmark->cx = cx;
	bookmark->cy = cy;
	bookmark->zoom = zoom;
	save(bookmarks);
	return true;
}

void city_bookmarks_remove(struct city_server *server, struct city_bookmark *bookmark) {
	struct city_bookmarks *bookmarks = get(server);
	drop(bookmarks, bookmark);
	save(bookmarks);
}

void city_bookmarks_destroy(struct city_server *server) {
	struct city_bookmarks *bookmarks = server->bookmarks;
	if (bookmarks == NULL) {
		return;
	}
	struct city_bookmark *bookmark, *next;
	wl_list_for_each_safe(bookmark, next, &bookmarks->list, link) {
		drop(bookmarks, bookmark);
	}
	city_writer_destroy(bookmarks->writer);
	free(bookmarks->path);
	free(bookmarks);
	server->bookmarks = NULL;
}

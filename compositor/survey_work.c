/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compositor/layout/scan.h"
#include "compositor/survey_internal.h"

static void add_own(struct city_census *census) {
	/* Folders of the one before, and of this one, are ended and begun where they differ. */
	char open[256] = "";
	city_census_begin(census, CITY_OWN_QUARTER);
	for (size_t i = 0; i < city_own_module_count; i++) {
		const char *path = city_own_modules[i].path, *slash = strrchr(path, '/');
		char folder[256];
		snprintf(folder, sizeof(folder), "%.*s",
			slash == NULL ? 0 : (int)(slash - path + 1), path);
		while (strncmp(folder, open, strlen(open)) != 0) {
			city_census_end(census);
			open[strlen(open) - 1] = '\0';
			char *up = strrchr(open, '/');
			*(up == NULL ? open : up + 1) = '\0';
		}
		for (char *at = folder + strlen(open), *next; (next = strchr(at, '/')) != NULL;
			at = next + 1) {
			*next = '\0';
			city_census_begin(census, at);
			*next = '/';
		}
		strcpy(open, folder);
		city_census_module(
			census, slash == NULL ? path : slash + 1, city_own_modules[i].lines);
	}
	for (const char *at = open; (at = strchr(at, '/')) != NULL; at++) {
		city_census_end(census);
	}
	city_census_end(census);
}

static int by_name(const void *a, const void *b) {
	return strcmp(((const struct city_survey_folder *)a)->name,
		((const struct city_survey_folder *)b)->name);
}

bool city_survey_work_add(struct city_survey_work *work, const char *name, const char *path) {
	for (size_t i = 0; i < work->folder_count; i++) {
		if (strcmp(work->folders[i].name, name) == 0) {
			char other[300];
			size_t length = strlen(name);
			snprintf(other, sizeof(other), "%.250s%s", name,
				length > 0 && name[length - 1] == '\'' ? "'" : " '");
			return city_survey_work_add(work, other, path);
		}
	}
	struct city_survey_folder *folders =
		reallocarray(work->folders, work->folder_count + 1, sizeof(*folders));
	if (folders == NULL) {
		return false;
	}
	work->folders = folders;
	struct city_survey_folder *folder = &folders[work->folder_count];
	*folder = (struct city_survey_folder){strdup(name), path == NULL ? NULL : strdup(path)};
	if (folder->name == NULL || (path != NULL && folder->path == NULL)) {
		free(folder->name);
		return false;
	}
	work->folder_count++;
	return true;
}

static void add_home(struct city_survey_work *work) {
	DIR *home = work->home == NULL ? NULL : opendir(work->home);
	struct dirent *entry;
	while (home != NULL && (entry = readdir(home)) != NULL) {
		char path[4096];
		struct stat info;
		if (entry->d_name[0] != '.' &&
			snprintf(path, sizeof(path), "%s/%s", work->home, entry->d_name) <
				(int)sizeof(path) &&
			lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
			city_survey_work_add(work, entry->d_name, path);
		}
	}
	if (home != NULL) {
		closedir(home);
	}
}

static void say(struct city_survey_work *work, const struct city_scan *scan) {
	if (scan->unreadable > 0) {
		snprintf(work->note, sizeof(work->note),
			"%zu of the source cannot be read, the first is %s", scan->unreadable,
			scan->first);
	} else if (scan->too_many) {
		snprintf(work->note, sizeof(work->note),
			"there is more source than %d files: the rest is not shown",
			CITY_SCAN_ENTRIES);
	}
}

/* A quarter of which nothing is left, as all of it runs, is no quarter. */
static void take_census(struct city_survey_work *work, struct city_census *census) {
	const char **without = calloc(work->tile_count + 1, sizeof(*without));
	struct city_scan scan = {.census = census, .without = without, .stop = &work->stop};
	for (size_t i = 0; i < work->tile_count && without != NULL; i++) {
		without[scan.without_count++] = work->tiles[i].source;
	}
	city_survey_work_add(work, CITY_OWN_QUARTER, NULL);
	add_home(work);
	qsort(work->folders, work->folder_count, sizeof(*work->folders), by_name);
	for (size_t i = 0; i < work->folder_count; i++) {
		const struct city_survey_folder *folder = &work->folders[i];
		size_t entries = census->count, names = census->names_size;
		if (folder->path == NULL) {
			add_own(census);
			continue;
		}
		if (!city_scan_folder(&scan, folder->path, folder->name)) {
			snprintf(work->note, sizeof(work->note), "%.200s cannot be read: %s",
				folder->path, strerror(errno));
		} else if (census->count == entries + 1) {
			census->count = entries;
			census->names_size = names;
		}
	}
	for (size_t i = 0; i < work->tile_count; i++) {
		work->tiles[i].lines = city_scan_lines(&scan, work->tiles[i].source);
	}
	say(work, &scan);
	free(without);
}

void *city_survey_work_run(void *data) {
	struct city_survey_work *work = data;
	const struct sched_param none = {0};
	/* Whatever else there is to do comes first. */
	pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
	if (work->first && work->file != NULL) {
		work->old = city_survey_file_read(work->file, work->home, &work->places);
	}
	struct city_census census = {0};
	take_census(work, &census);
	city_census_weigh(&census);
	if (!atomic_load(&work->stop)) {
		work->layout = city_layout_create(&census, work->old);
	}
	/* One that was read is nobody's yet. */
	if (!work->first && work->layout != NULL && work->old != NULL &&
		city_layout_same(work->layout, work->old)) {
		work->same = true;
		city_layout_unref(work->layout);
		work->layout = NULL;
	}
	city_census_finish(&census);
	eventfd_write(work->done_fd, 1);
	return NULL;
}

void city_survey_work_destroy(struct city_survey_work *work) {
	for (size_t i = 0; i < work->folder_count; i++) {
		free(work->folders[i].name);
		free(work->folders[i].path);
	}
	for (size_t i = 0; i < work->tile_count; i++) {
		free(work->tiles[i].source);
	}
	free(work->folders);
	free(work->tiles);
	free(work->home);
	free(work->file);
	city_layout_unref(work->old);
	city_layout_unref(work->layout);
	city_survey_places_finish(&work->places);
	close(work->done_fd);
	free(work);
}

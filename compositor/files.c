/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compositor/files.h"

/* Formats into the heap; NULL if nothing is there. */
[[gnu::format(printf, 1, 2)]]
static char *existing(const char *format, ...) {
	va_list args;
	va_start(args, format);
	char *path;
	int length = vasprintf(&path, format, args);
	va_end(args);
	if (length < 0) {
		return NULL;
	}
	if (access(path, R_OK) == 0) {
		return path;
	}
	free(path);
	return NULL;
}

/* By the variable, else beside the executable, else where the build said. */
static char *installed(
	const char *variable, const char *beside, const char *built, const char *name) {
	const char *given = getenv(variable);
	if (given != NULL && given[0] != '\0') {
		return existing("%s/%s", given, name);
	}
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length > 0) {
		self[length] = '\0';
		char *slash = strrchr(self, '/');
		if (slash != NULL) {
			*slash = '\0';
			char *path = existing("%s/../%s/%s", self, beside, name);
			if (path != NULL) {
				return path;
			}
		}
	}
	return existing("%s/%s", built, name);
}

char *city_file_installed(const char *name) {
	return installed("SOURCE_CITY_DATADIR", "share/source-city", CITY_DATADIR, name);
}

char *city_file_tile(const char *name) {
	return installed("SOURCE_CITY_TILEDIR", "lib/source-city/tiles", CITY_TILEDIR, name);
}

char *city_file_config(void) {
	const char *home = getenv("XDG_CONFIG_HOME");
	char *path = NULL;
	if (home != NULL && home[0] == '/') {
		path = existing("%s/source-city/config", home);
	} else if ((home = getenv("HOME")) != NULL) {
		path = existing("%s/.config/source-city/config", home);
	}
	return path != NULL ? path : city_file_installed("config");
}

char *city_file_expand(const char *path, const char *from) {
	char *result = NULL;
	int length;
	const char *home = getenv("HOME");
	if (path[0] == '/') {
		return strdup(path);
	}
	if (path[0] == '~' && (path[1] == '/' || path[1] == '\0') && home != NULL) {
		length = asprintf(&result, "%s%s", home, path + 1);
	} else {
		const char *slash = strrchr(from, '/');
		char folder[PATH_MAX], full[PATH_MAX];
		snprintf(folder, sizeof(folder), "%.*s",
			slash == NULL ? 1 : (int)(slash - from + 1), slash == NULL ? "." : from);
		if (realpath(folder, full) == NULL) {
			return NULL;
		}
		length = asprintf(&result, "%s/%s", full, path);
	}
	return length < 0 ? NULL : result;
}

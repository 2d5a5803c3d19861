/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compositor/files.h"
#include "compositor/paths.h"
#include "vat/log.h"

static bool make_folders(char *path) {
	for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash) {
			*slash = '\0';
		}
		bool ok = mkdir(path, 0700) == 0 || errno == EEXIST;
		if (slash) {
			*slash = '/';
		}
		if (!ok || !slash) {
			return ok;
		}
	}
}

static char *below(const char *variable, const char *fallback, const char *sub) {
	char path[PATH_MAX];
	const char *base = getenv(variable);
	int length;
	if (base && base[0] == '/') {
		length = snprintf(path, sizeof(path), "%s/source-city", base);
	} else {
		const char *home = getenv("HOME");
		if (!home || home[0] != '/') {
			errno = ENOENT;
			return NULL;
		}
		length = snprintf(path, sizeof(path), "%s/%s/source-city", home, fallback);
	}
	if (sub && length > 0 && (size_t)length < sizeof(path)) {
		length += snprintf(path + length, sizeof(path) - (size_t)length, "/%s", sub);
	}
	if (length < 0 || (size_t)length >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	make_folders(path);
	return strdup(path);
}

bool city_path_make(const char *folder) {
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s", folder);
	return make_folders(path);
}

bool city_path_make_parent(const char *path) {
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1,
		slash ? path : ".");
	return make_folders(folder);
}

char *city_path_data(const char *sub) {
	return below("XDG_DATA_HOME", ".local/share", sub);
}

char *city_path_state(const char *sub) {
	return below("XDG_STATE_HOME", ".local/state", sub);
}

char *city_path_tile(const char *kind) {
	char name[NAME_MAX + 1];
	snprintf(name, sizeof(name), "%s.so", kind);
	char *path = city_file_tile(name);
	if (!path && asprintf(&path, "%s/%s", CITY_TILEDIR, name) < 0) {
		return NULL;
	}
	return path;
}

char *city_path_tile_source(const char *kind) {
	char name[PATH_MAX];
	snprintf(name, sizeof(name), "tiles/%s", kind);
	return city_file_installed(name);
}

static bool sync_folder(const char *path) {
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
		slash ? path : ".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0) {
		close(fd);
	}
	return ok;
}

static bool replace(const char *path, const char *text, size_t size, bool durably) {
	char temp[PATH_MAX];
	int length = snprintf(temp, sizeof(temp), "%s.new", path);
	if (length < 0 || (size_t)length >= sizeof(temp)) {
		errno = ENAMETOOLONG;
		return false;
	}
	const int flags = O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC;
	int fd = open(temp, flags, 0600);
	if (fd < 0 && errno == ENOENT && city_path_make_parent(path)) {
		fd = open(temp, flags, 0600);
	}
	if (fd < 0) {
		return false;
	}
	size_t done = 0;
	while (done < size) {
		ssize_t wrote = write(fd, text + done, size - done);
		if (wrote < 0 && errno == EINTR) {
			continue;
		}
		if (wrote < 0) {
			break;
		}
		done += (size_t)wrote;
	}
	bool ok = done == size && (!durably || fsync(fd) == 0);
	int saved = errno;
	close(fd);
	if (ok && rename(temp, path) == 0) {
		return !durably || sync_folder(path);
	}
	if (ok) {
		saved = errno;
	}
	unlink(temp);
	errno = saved;
	return false;
}

bool city_path_replace(const char *path, const char *text, size_t size) {
	return replace(path, text, size, false);
}

bool city_path_replace_durably(const char *path, const char *text, size_t size) {
	return replace(path, text, size, true);
}

void city_path_set_aside(const char *path, const char *subject, const char *follows) {
	char aside[4096];
	for (int n = 1; n < 1000; n++) {
		snprintf(aside, sizeof(aside), "%s.damaged-%d", path, n);
		if (access(aside, F_OK) == 0) {
			continue;
		}
		if (rename(path, aside) == 0) {
			city_log(CITY_LOG_ERROR, subject,
				"%s cannot be used; it is kept as %s and %s", path, aside, follows);
		} else {
			city_log(CITY_LOG_ERROR, subject, "%s cannot be used: %s", path,
				strerror(errno));
		}
		return;
	}
}

bool city_path_same(const char *a, const char *b) {
	struct stat first, second;
	return strcmp(a, b) == 0 ||
		(stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
			first.st_ino == second.st_ino);
}

/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compositor/paths.h"
#include "compositor/source.h"
#include "log.h"

/* Sources lie flat, perhaps with a folder of headers below. */
#define DEPTH_MAX 4

static bool copy_file(int from_dir, int to_dir, const char *name) {
	int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int to =
		from < 0 ? -1 : openat(to_dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	struct stat info;
	bool ok = to >= 0 && fstat(from, &info) == 0;
	off_t left = ok ? info.st_size : 0;
	while (ok && left > 0) {
		ssize_t sent = sendfile(to, from, NULL, (size_t)left);
		if (sent < 0 && errno == EINTR) {
			continue;
		}
		ok = sent > 0;
		left -= sent;
	}
	int saved = errno;
	if (from >= 0) {
		close(from);
	}
	if (to >= 0 && close(to) < 0 && ok) {
		return false;
	}
	errno = saved;
	return ok;
}

static bool copy_entries(DIR *from, int to, int depth);

static bool copy_folder(int from_dir, int to_dir, const char *name, int depth) {
	if (depth == 0) {
		errno = ELOOP;
		return false;
	}
	int fd = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *from = fd >= 0 ? fdopendir(fd) : NULL;
	if (!from) {
		if (fd >= 0) {
			close(fd);
		}
		return false;
	}
	int to = mkdirat(to_dir, name, 0755) == 0
		? openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
		: -1;
	bool ok = to >= 0 && copy_entries(from, to, depth - 1);
	int saved = errno;
	if (to >= 0) {
		close(to);
	}
	closedir(from);
	errno = saved;
	return ok;
}

static bool copy_entries(DIR *from, int to, int depth) {
	struct dirent *entry;
	for (errno = 0; (entry = readdir(from)); errno = 0) {
		struct stat info;
		if (entry->d_name[0] == '.' ||
			fstatat(dirfd(from), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0) {
			continue;
		}
		if (S_ISREG(info.st_mode) && !copy_file(dirfd(from), to, entry->d_name)) {
			return false;
		}
		if (S_ISDIR(info.st_mode) && !copy_folder(dirfd(from), to, entry->d_name, depth)) {
			return false;
		}
	}
	return errno == 0;
}

static void remove_folder(int dir, const char *name) {
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	while (entries && (entry = readdir(entries))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
			continue;
		}
		if (unlinkat(dirfd(entries), entry->d_name, 0) < 0 && errno == EISDIR) {
			remove_folder(dirfd(entries), entry->d_name);
		}
	}
	if (entries) {
		closedir(entries);
	} else if (fd >= 0) {
		close(fd);
	}
	unlinkat(dir, name, AT_REMOVEDIR);
}

/* Whole or not at all: under a name of its own first. */
static bool copy_whole(const char *from, int district, const char *kind) {
	char name[300];
	snprintf(name, sizeof(name), ".%s.new", kind);
	remove_folder(district, name);
	DIR *entries = opendir(from);
	int to = entries && mkdirat(district, name, 0755) == 0
		? openat(district, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
		: -1;
	bool ok = to >= 0 && copy_entries(entries, to, DEPTH_MAX) &&
		renameat(district, name, district, kind) == 0;
	int saved = errno;
	if (entries) {
		closedir(entries);
	}
	if (to >= 0) {
		close(to);
	}
	if (!ok) {
		remove_folder(district, name);
	}
	errno = saved;
	return ok;
}

char *city_source_own(const char *kind) {
	char *installed = city_path_tile_source(kind);
	char *district = city_path_data("city/" CITY_HOME_DISTRICT);
	char *own = NULL;
	int fd = -1;
	if (!district) {
		city_log(CITY_LOG_WARN, kind, "no folder for its own source: %s", strerror(errno));
		goto end;
	}
	if (asprintf(&own, "%s/%s", district, kind) < 0) {
		own = NULL;
		goto end;
	}
	if (access(own, R_OK | X_OK) == 0) {
		goto end;
	}
	fd = open(district, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!installed || fd < 0 || !copy_whole(installed, fd, kind)) {
		if (installed) {
			city_log(CITY_LOG_WARN, kind, "its source cannot be copied to %s: %s", own,
				strerror(errno));
		}
		free(own);
		own = NULL;
	}
end:
	if (fd >= 0) {
		close(fd);
	}
	free(district);
	if (own) {
		free(installed);
		return own;
	}
	return installed;
}

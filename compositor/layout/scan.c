/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compositor/layout/scan.h"

#define CHUNK 65536
#define LOOK 4096 /* bytes in which a zero byte says that it is no text */

struct above {
	const struct above *up;
	dev_t dev;
	ino_t ino;
};

struct entry {
	char *name;
	bool folder;
};

static bool stopped(const struct city_scan *scan) {
	return scan->stop != NULL && atomic_load(scan->stop);
}

static void note_unreadable(struct city_scan *scan, const char *path, const char *name) {
	if (scan->unreadable++ == 0) {
		snprintf(scan->first, sizeof(scan->first), "%.180s%s%.40s: %s", path,
			*name ? "/" : "", name, strerror(errno));
	}
}

/* -1: it is no source, or cannot be read, with errno set for the latter. */
static int64_t count_lines(int folder, const char *name) {
	errno = 0;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat info;
	if (fd < 0) {
		return -1;
	}
	int64_t lines = -1;
	bool first = true, ended = true;
	char *data = malloc(CHUNK);
	if (data != NULL && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
		info.st_size <= CITY_SCAN_FILE_MAX) {
		int64_t left = CITY_SCAN_FILE_MAX; /* it may grow while it is read */
		ssize_t got;
		lines = 0;
		while (left > 0 && (got = read(fd, data, CHUNK)) > 0) {
			if (first && memchr(data, 0, (size_t)(got < LOOK ? got : LOOK)) != NULL) {
				lines = -1;
				break;
			}
			first = false;
			left -= got;
			const char *at = data, *end = data + got;
			while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
				lines++;
				at++;
			}
			ended = data[got - 1] == '\n';
		}
		lines += lines >= 0 && !ended;
	}
	errno = 0;
	free(data);
	close(fd);
	return lines;
}

static int by_name(const void *a, const void *b) {
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* Reads the folder's entries, sorted. Takes fd. */
static bool list(struct city_scan *scan, int fd, struct entry **entries, size_t *count) {
	DIR *folder = fdopendir(fd);
	if (folder == NULL) {
		close(fd);
		return false;
	}
	size_t room = 0;
	struct dirent *found;
	while (!stopped(scan) && (found = readdir(folder)) != NULL) {
		unsigned char type = found->d_type;
		if (found->d_name[0] == '.') {
			continue;
		}
		struct stat info;
		if (type == DT_UNKNOWN &&
			fstatat(dirfd(folder), found->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
			type = IFTODT(info.st_mode);
		}
		scan->links += type == DT_LNK;
		if (type != DT_REG && type != DT_DIR) {
			continue;
		}
		if (scan->entries >= CITY_SCAN_ENTRIES) {
			scan->too_many = true;
			break;
		}
		if (*count == room) {
			room = room < 32 ? 32 : room * 2;
			struct entry *grown = reallocarray(*entries, room, sizeof(*grown));
			if (grown == NULL) {
				break;
			}
			*entries = grown;
		}
		char *name = strdup(found->d_name);
		if (name == NULL) {
			break;
		}
		(*entries)[(*count)++] = (struct entry){name, type == DT_DIR};
		scan->entries++;
	}
	closedir(folder);
	if (*count > 0) {
		qsort(*entries, *count, sizeof(**entries), by_name);
	}
	return true;
}

static int compare_paths(const void *key, const void *element) {
	return strcmp(key, *(const char *const *)element);
}

static bool left_out(const struct city_scan *scan, const char *path) {
	return scan->without_count > 0 &&
		bsearch(path, scan->without, scan->without_count, sizeof(*scan->without),
			compare_paths) != NULL;
}

static bool is_loop(const struct above *above, const struct stat *info) {
	for (; above != NULL; above = above->up) {
		if (above->dev == info->st_dev && above->ino == info->st_ino) {
			return true;
		}
	}
	return false;
}

/* With a census all that is found goes there; otherwise only lines are counted. */
static uint64_t walk(struct city_scan *scan, int fd, const char *path, unsigned depth,
	const struct above *up, bool count_only) {
	struct entry *entries = NULL;
	size_t count = 0;
	uint64_t sum = 0;
	struct stat info;
	int base = dup(fd);
	if (base < 0 || fstat(fd, &info) < 0 || is_loop(up, &info) || depth > CITY_SCAN_DEPTH) {
		scan->too_deep += base >= 0;
		close(fd);
		if (base >= 0) {
			close(base);
		}
		return 0;
	}
	const struct above here = {up, info.st_dev, info.st_ino};
	if (!list(scan, fd, &entries, &count)) {
		note_unreadable(scan, path, "");
	}
	for (size_t i = 0; i < count && !stopped(scan); i++) {
		const char *name = entries[i].name;
		if (!entries[i].folder) {
			int64_t lines = count_lines(base, name);
			if (lines < 0 && errno != 0) {
				note_unreadable(scan, path, name);
			} else if (lines >= 0 && count_only) {
				sum += (uint64_t)lines;
			} else if (lines >= 0) {
				city_census_module(scan->census, name,
					lines > UINT32_MAX ? UINT32_MAX : (uint32_t)lines);
			}
			continue;
		}
		char below[PATH_MAX];
		int length = snprintf(below, sizeof(below), "%s/%s", path, name);
		if (length >= (int)sizeof(below)) {
			scan->too_deep++;
			continue;
		}
		if (!count_only && left_out(scan, below)) {
			continue;
		}
		int next = openat(
			base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (next < 0) {
			note_unreadable(scan, path, name);
		}
		if (!count_only && !city_census_begin(scan->census, name)) {
			if (next >= 0) {
				close(next);
			}
			continue;
		}
		if (next >= 0) {
			sum += walk(scan, next, below, depth + 1, &here, count_only);
		}
		if (!count_only) {
			city_census_end(scan->census);
		}
	}
	for (size_t i = 0; i < count; i++) {
		free(entries[i].name);
	}
	free(entries);
	close(base);
	return sum;
}

bool city_scan_folder(struct city_scan *scan, const char *path, const char *name) {
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return false;
	}
	if (name != NULL && !city_census_begin(scan->census, name)) {
		close(fd);
		errno = EEXIST;
		return false;
	}
	walk(scan, fd, path, 0, NULL, false);
	if (name != NULL) {
		city_census_end(scan->census);
	}
	return true;
}

uint64_t city_scan_lines(struct city_scan *scan, const char *path) {
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? 0 : walk(scan, fd, path, 0, NULL, true);
}

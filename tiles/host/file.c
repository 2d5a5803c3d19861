/* SPDX-License-Identifier: MIT */
/* Files that options of a tile name: the only ones that it can read. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path as it is opened; false with a reason. */
static bool expand(const char *text, char path[4096], const char **why) {
	const char *home = getenv("HOME");
	int length;
	if (strncmp(text, "~/", 2) == 0 && home && home[0] == '/') {
		length = snprintf(path, 4096, "%s%s", home, text + 1);
	} else if (text[0] == '/') {
		length = snprintf(path, 4096, "%s", text);
	} else {
		*why = "the path has to begin with / or ~/";
		return false;
	}
	*why = strerror(ENAMETOOLONG);
	return length < 4096;
}

static int open_at(const char *path, uint64_t offset, struct tile_file *file, const char **why) {
	/* A FIFO or a device must not be waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0) {
		*why = strerror(errno);
	} else if (!S_ISREG(st.st_mode)) {
		*why = "not an ordinary file";
	} else if (offset > INT64_MAX || lseek(fd, (off_t)offset, SEEK_SET) < 0) {
		*why = "there is no such place in a file";
	} else {
		file->size = (uint64_t)st.st_size;
		return fd;
	}
	if (fd >= 0) {
		close(fd);
	}
	return -1;
}

/* The end of a long path says more than its beginning. */
static void explain(
	const char *option, const char *text, const char *reason, char *why, size_t why_size) {
	size_t length = strlen(text), shown = length < 96 ? length : 96;
	snprintf(why, why_size, "option %s: %s%s: %s", option, shown < length ? "..." : "",
		text + length - shown, reason);
}

static const char *value_of(struct host *host, const char *option, char *why, size_t why_size) {
	const char *text = host->tile.host->option(&host->tile, option);
	if (!text || !vat_name_valid(option)) {
		snprintf(why, why_size, "option %.64s is not set", option);
		return NULL;
	}
	return text;
}

bool host_file_path(
	struct host *host, const char *option, char path[4096], char *why, size_t why_size) {
	const char *text = value_of(host, option, why, why_size), *reason;
	if (text && !expand(text, path, &reason)) {
		explain(option, text, reason, why, why_size);
		return false;
	}
	return text != NULL;
}

int host_file_open(struct host *host, const char *option, uint64_t offset, struct tile_file *file) {
	char path[4096];
	if (!host_file_path(host, option, path, file->why, sizeof(file->why))) {
		return -1;
	}
	const char *why;
	int fd = open_at(path, offset, file, &why);
	int id = fd >= 0 ? host_stream_add_file(host, option, fd) : -1;
	if (id < 0) {
		explain(option, value_of(host, option, NULL, 0),
			fd >= 0 ? "there is no stream left for it" : why, file->why,
			sizeof(file->why));
		file->size = 0;
	}
	return id;
}

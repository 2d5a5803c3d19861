/* SPDX-License-Identifier: MIT */
#include "forge/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARTIFACT_MAX (256u << 20)

static bool holds(const char *path, const struct buffer *content) {
	struct buffer there = {};
	bool same = file_read(-1, path, ARTIFACT_MAX, &there) == 0 && there.size == content->size &&
		memcmp(there.data, content->data, content->size) == 0;
	buffer_finish(&there);
	return same;
}

static int write_all(int fd, const struct buffer *content) {
	size_t done = 0;
	while (done < content->size) {
		ssize_t size = write(fd, content->data + done, content->size - done);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno;
		done += (size_t)size;
	}
	return fchmod(fd, 0444) == 0 && fsync(fd) == 0 ? 0 : errno;
}

/* Under its name only when it is whole and on the disk. */
static int put_new(const char *store, const char *path, const struct buffer *content) {
	char *temporary = nullptr;
	int error;
	int fd = open(store, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0444);
	if (fd < 0) { /* not every file system can */
		temporary = text_format("%s/.new-XXXXXX", store);
		fd = mkostemp(temporary, O_CLOEXEC);
		if (fd < 0) {
			error = errno;
			free(temporary);
			return error;
		}
	}
	error = write_all(fd, content);
	if (error == 0) {
		char link_path[64];
		snprintf(link_path, sizeof(link_path), "/proc/self/fd/%d", fd);
		const char *from = temporary != nullptr ? temporary : link_path;
		/* With the same name comes the same content: somebody else was first. */
		if (linkat(AT_FDCWD, from, AT_FDCWD, path,
			    temporary != nullptr ? 0 : AT_SYMLINK_FOLLOW) != 0 &&
			errno != EEXIST)
			error = errno;
	}
	if (temporary != nullptr)
		unlink(temporary);
	free(temporary);
	close(fd);
	return error;
}

int store_put(const char *store, const char *built, char hash[DIGEST_TEXT], char **why) {
	struct buffer content = {};
	char *path = nullptr;
	int fd = -1;
	int error = file_read(-1, built, ARTIFACT_MAX, &content);
	if (error != 0) {
		*why = text_format("cannot read the built artifact: %s", strerror(error));
		goto out;
	}
	struct digest digest = digest_of(content.data, content.size);
	digest_format(&digest, hash);
	path = text_format("%s/%s.so", store, hash);
	if (!holds(path, &content)) {
		/* A file of that name that holds something else was damaged: it makes room, and
		 * whoever has it open keeps it as it is. */
		unlink(path);
		error = directory_make(store);
		if (error == 0)
			error = put_new(store, path, &content);
		if (error != 0) {
			*why = text_format("cannot write %s: %s", path, strerror(error));
			goto out;
		}
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		*why = text_format("cannot open %s: %s", path, strerror(errno));
out:
	free(path);
	buffer_finish(&content);
	return fd;
}

/* SPDX-License-Identifier: MIT */
#include "forge/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge/refactor_internal.h"

/* ---- copying */

#define COPIED_AT_ONCE (1u << 20)

static int copy_file(int from, int to, const char *name, const struct stat *info) {
	int error = 0, out = -1;
	int in = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0 || (out = openat(to, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600)) < 0)
		error = errno;
	for (ssize_t size = 1; error == 0 && size != 0;) {
		size = sendfile(out, in, NULL, COPIED_AT_ONCE);
		if (size < 0 && errno != EINTR)
			error = errno;
	}
	if (error == 0 && (fchmod(out, info->st_mode & 0777) != 0 || fsync(out) != 0))
		error = errno;
	if (out >= 0 && close(out) != 0 && error == 0)
		error = errno;
	if (in >= 0)
		close(in);
	return error;
}

static int copy_link(int from, int to, const char *name) {
	char target[PATH_MAX];
	ssize_t size = readlinkat(from, name, target, sizeof(target) - 1);
	if (size < 0)
		return errno;
	target[size] = '\0';
	return symlinkat(target, to, name) == 0 ? 0 : errno;
}

static int copy_below(int parent_from, const char *from, int parent_to, const char *to, int depth);

static int copy_entry(int from, int to, const char *name, int depth) {
	struct stat info;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, ".git") == 0)
		return 0;
	if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	if (S_ISDIR(info.st_mode))
		return copy_below(from, name, to, name, depth - 1);
	if (S_ISREG(info.st_mode))
		return copy_file(from, to, name, &info);
	if (S_ISLNK(info.st_mode))
		return copy_link(from, to, name);
	return 0;
}

static int copy_below(int parent_from, const char *from, int parent_to, const char *to, int depth) {
	if (depth == 0)
		return ELOOP;
	int fd = openat(parent_from, from, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *entries = fd >= 0 ? fdopendir(fd) : nullptr;
	int error = entries != nullptr ? 0 : errno;
	int made = -1;
	struct stat info = {};
	if (entries == nullptr) {
		if (fd >= 0)
			close(fd);
		return error;
	}
	refactor_stop();
	if (fstat(fd, &info) != 0 || mkdirat(parent_to, to, 0700) != 0 ||
		(made = openat(parent_to, to, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		error = errno;
	struct dirent *entry;
	while (error == 0 && (entry = readdir(entries)) != nullptr)
		error = copy_entry(fd, made, entry->d_name, depth);
	closedir(entries);
	if (error == 0 && (fchmod(made, (info.st_mode & 0777) | 0700) != 0 || fsync(made) != 0))
		error = errno;
	if (made >= 0)
		close(made);
	return error;
}

int folder_copy(const char *from, const char *to) {
	return copy_below(AT_FDCWD, from, AT_FDCWD, to, FOLDER_DEPTH_MAX);
}

/* ---- names */

int folder_rename(const char *from, const char *to) {
	refactor_stop();
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)
		return errno;
	/* Not all file systems can promise it. */
	struct stat info;
	if (lstat(to, &info) == 0)
		return EEXIST;
	return rename(from, to) == 0 ? 0 : errno;
}

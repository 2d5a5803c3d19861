/* SPDX-License-Identifier: MIT */
#include "forge/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge/refactor_internal.h"

/* ---- copying */

static int copy_file(int from, int to, const char *name, const struct stat *info, bool whole) {
	struct buffer content = {};
	int error = file_read(from, name, SIZE_MAX / 8, &content);
	int fd = error == 0 ? openat(to, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600) : -1;
	if (error == 0 && fd < 0)
		error = errno;
	for (size_t done = 0; error == 0 && done < content.size;) {
		ssize_t size = write(fd, content.data + done, content.size - done);
		if (size < 0 && errno != EINTR)
			error = errno;
		done += size > 0 ? (size_t)size : 0;
	}
	const struct timespec times[2] = {info->st_atim, info->st_mtim};
	if (error == 0 &&
		(fchmod(fd, info->st_mode & 0777) != 0 || (whole && futimens(fd, times) != 0) ||
			fsync(fd) != 0))
		error = errno;
	if (fd >= 0 && close(fd) != 0 && error == 0)
		error = errno;
	buffer_finish(&content);
	return error;
}

static int copy_link(int from, int to, const char *name, const struct stat *info) {
	char target[PATH_MAX];
	ssize_t size = readlinkat(from, name, target, sizeof(target) - 1);
	if (size < 0)
		return errno;
	target[size] = '\0';
	const struct timespec times[2] = {info->st_atim, info->st_mtim};
	return symlinkat(target, to, name) == 0 &&
			utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) == 0
		? 0
		: errno;
}

static int copy_below(
	int parent_from, const char *from, int parent_to, const char *to, bool whole, int depth);

static int copy_entry(int from, int to, const char *name, bool whole, int depth) {
	struct stat info;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		(!whole && strcmp(name, ".git") == 0))
		return 0;
	if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	if (S_ISDIR(info.st_mode))
		return copy_below(from, name, to, name, whole, depth - 1);
	if (S_ISREG(info.st_mode))
		return copy_file(from, to, name, &info, whole);
	if (S_ISLNK(info.st_mode))
		return copy_link(from, to, name, &info);
	return whole ? ENOTSUP : 0;
}

static int copy_below(
	int parent_from, const char *from, int parent_to, const char *to, bool whole, int depth) {
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
		error = copy_entry(fd, made, entry->d_name, whole, depth);
	closedir(entries);
	const struct timespec times[2] = {info.st_atim, info.st_mtim};
	if (error == 0 &&
		(fchmod(made, (info.st_mode & 0777) | 0700) != 0 ||
			(whole && futimens(made, times) != 0) || fsync(made) != 0))
		error = errno;
	if (made >= 0)
		close(made);
	return error;
}

int folder_copy(const char *from, const char *to) {
	return copy_below(AT_FDCWD, from, AT_FDCWD, to, false, FOLDER_DEPTH_MAX);
}

int folder_copy_whole(const char *from, const char *to) {
	return copy_below(AT_FDCWD, from, AT_FDCWD, to, true, FOLDER_DEPTH_MAX);
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

int folder_remove_at_once(const char *path, const char *aside) {
	directory_remove(aside);
	int error = folder_rename(path, aside);
	refactor_stop();
	if (error == 0)
		directory_remove(aside);
	return error;
}

const char *folder_error(int error) {
	return error == ELOOP ? "it is too deep to be copied"
		: error == ENOTSUP
		? "it holds something that is no file, folder or link; take that out of it first"
		: strerror(error);
}

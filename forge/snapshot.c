/* SPDX-License-Identifier: MIT */
#include "forge/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Above these sizes a file counts by its size and time only: it is data, and not worth reading each
 * time. All files together are bounded too, should somebody name a folder that is no tile's. */
#define CODE_MAX (16u << 20)
#define DATA_MAX (1u << 20)
#define TOTAL_MAX (64u << 20)

static bool ends_with(const char *name, const char *end) {
	size_t size = strlen(name), end_size = strlen(end);
	return size > end_size && strcmp(name + size - end_size, end) == 0;
}

static bool is_header(const char *name) {
	return ends_with(name, ".h") || ends_with(name, ".inc") || ends_with(name, ".def");
}

static bool is_code(const char *name) {
	return ends_with(name, ".c") || is_header(name);
}

bool snapshot_is_source(const char *name) {
	return ends_with(name, ".c") && strchr(name, '/') == nullptr;
}

bool snapshot_is_ignored(const char *name) {
	static const char *const ends[] = {"~", ".swp", ".swx", ".o", ".so", ".a", ".d", ".tmp"};
	if (name[0] == '.' || name[0] == '#' || strcmp(name, "4913") == 0)
		return true;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (ends_with(name, ends[i]))
			return true;
	}
	return false;
}

static int compare_files(const void *a, const void *b) {
	const struct snapshot_file *first = a, *second = b;
	return strcmp(first->name, second->name);
}

struct walk {
	const char *folder;
	struct snapshot *snapshot;
	size_t capacity;
	size_t total; /* bytes read */
	char **why;
};

/* Takes `name`. */
static bool add_file(
	struct walk *walk, int directory, const char *last, char *name, const struct stat *info) {
	struct buffer content = {};
	struct snapshot *snapshot = walk->snapshot;
	struct digest digest;
	int error = 0;
	size_t limit = is_code(name) ? CODE_MAX : DATA_MAX;
	if (info->st_size > (off_t)limit || walk->total > TOTAL_MAX) {
		struct {
			int64_t size, seconds, nanoseconds;
		} stamp = {info->st_size, info->st_mtim.tv_sec, info->st_mtim.tv_nsec};
		digest = digest_of(&stamp, sizeof(stamp));
	} else {
		error = file_read(directory, last, limit * 2, &content);
		digest = digest_of(content.data, content.size);
		walk->total += content.size;
	}
	buffer_finish(&content);
	if (error == ENOENT) {
		free(name);
		return true;
	}
	if (error != 0 && is_code(name)) {
		*walk->why = text_format("%s/%s: %s", walk->folder, name, strerror(error));
		free(name);
		return false;
	}
	if (snapshot->count == SNAPSHOT_FILES_MAX) {
		*walk->why = text_format("%s: more than %d files: not the folder of a tile",
			walk->folder, SNAPSHOT_FILES_MAX);
		free(name);
		return false;
	}
	if (snapshot->count == walk->capacity) {
		walk->capacity = walk->capacity == 0 ? 32 : walk->capacity * 2;
		struct snapshot_file *grown = allocate(walk->capacity, sizeof(*grown));
		if (snapshot->count > 0)
			memcpy(grown, snapshot->files, snapshot->count * sizeof(*grown));
		free(snapshot->files);
		snapshot->files = grown;
	}
	snapshot->files[snapshot->count++] = (struct snapshot_file){.name = name, .digest = digest};
	return true;
}

static bool walk_directory(struct walk *walk, int fd, const char *prefix, int depth);

static bool walk_entry(
	struct walk *walk, int fd, const char *last, const char *prefix, int depth, bool folders) {
	struct stat info;
	if (snapshot_is_ignored(last) || fstatat(fd, last, &info, AT_SYMLINK_NOFOLLOW) != 0)
		return true;
	if (S_ISDIR(info.st_mode)) {
		if (!folders || depth == SNAPSHOT_DEPTH_MAX)
			return true;
		int child = openat(fd, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			return true;
		char *deeper = text_format("%s%s/", prefix, last);
		bool good = walk_directory(walk, child, deeper, depth + 1);
		free(deeper);
		return good;
	}
	if (folders)
		return true;
	if (S_ISLNK(info.st_mode) && fstatat(fd, last, &info, 0) != 0)
		return true;
	if (!S_ISREG(info.st_mode))
		return true;
	return add_file(walk, fd, last, text_format("%s%s", prefix, last), &info);
}

static bool has_source(const struct snapshot *snapshot) {
	for (size_t i = 0; i < snapshot->count; i++) {
		if (snapshot_is_source(snapshot->files[i].name))
			return true;
	}
	return false;
}

/* Takes the descriptor. Files first, then folders: a folder without sources is left at once. */
static bool walk_directory(struct walk *walk, int fd, const char *prefix, int depth) {
	DIR *entries = fdopendir(fd);
	if (entries == nullptr) {
		*walk->why = text_format("%s/%s: %s", walk->folder, prefix, strerror(errno));
		close(fd);
		return false;
	}
	bool good = true;
	struct dirent *entry;
	while (good && (entry = readdir(entries)) != nullptr)
		good = walk_entry(walk, fd, entry->d_name, prefix, depth, false);
	if (good && depth == 0 && !has_source(walk->snapshot)) {
		*walk->why = text_format("%s: no *.c file in this folder", walk->folder);
		good = false;
	}
	rewinddir(entries);
	while (good && (entry = readdir(entries)) != nullptr)
		good = walk_entry(walk, fd, entry->d_name, prefix, depth, true);
	closedir(entries);
	return good;
}

bool snapshot_take(struct snapshot *snapshot, const char *folder, char **why) {
	*snapshot = (struct snapshot){};
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		const char *what = errno == ENOENT ? "no such folder"
			: errno == ENOTDIR	   ? "not a folder"
						   : strerror(errno);
		*why = text_format("%s: %s", folder, what);
		return false;
	}
	struct walk walk = {.folder = folder, .snapshot = snapshot, .why = why};
	bool good = walk_directory(&walk, fd, "", 0);
	if (snapshot->count > 0)
		qsort(snapshot->files, snapshot->count, sizeof(*snapshot->files), compare_files);
	if (!good)
		snapshot_finish(snapshot);
	return good;
}

void snapshot_finish(struct snapshot *snapshot) {
	for (size_t i = 0; i < snapshot->count; i++)
		free(snapshot->files[i].name);
	free(snapshot->files);
	*snapshot = (struct snapshot){};
}

const struct snapshot_file *snapshot_find(const struct snapshot *snapshot, const char *name) {
	if (snapshot->count == 0)
		return nullptr;
	struct snapshot_file key = {.name = (char *)name};
	return bsearch(
		&key, snapshot->files, snapshot->count, sizeof(*snapshot->files), compare_files);
}

static bool counts(const char *name, const struct strings *known) {
	return known == nullptr || is_code(name) || strings_has(known, name);
}

bool snapshot_differs(
	const struct snapshot *a, const struct snapshot *b, const struct strings *known) {
	size_t i = 0, j = 0;
	while (i < a->count || j < b->count) {
		int order = i == a->count ? 1
			: j == b->count	  ? -1
					  : strcmp(a->files[i].name, b->files[j].name);
		if (order == 0) {
			if (!digest_equal(&a->files[i].digest, &b->files[j].digest) &&
				counts(a->files[i].name, known))
				return true;
			i++;
			j++;
		} else if (order < 0) {
			if (counts(a->files[i++].name, known))
				return true;
		} else if (counts(b->files[j++].name, known)) {
			return true;
		}
	}
	return false;
}

struct digest snapshot_digest(const struct snapshot *snapshot, const struct strings *known) {
	struct buffer all = {};
	for (size_t i = 0; i < snapshot->count; i++) {
		const struct snapshot_file *file = &snapshot->files[i];
		if (counts(file->name, known)) {
			buffer_add_string(&all, file->name);
			buffer_add(&all, file->digest.bytes, sizeof(file->digest.bytes));
		}
	}
	struct digest digest = digest_of(all.data, all.size);
	buffer_finish(&all);
	return digest;
}

bool snapshot_lost_files(const struct snapshot *a, const struct snapshot *b) {
	for (size_t i = 0; i < a->count; i++) {
		if (is_code(a->files[i].name) && snapshot_find(b, a->files[i].name) == nullptr)
			return true;
	}
	return false;
}

struct digest snapshot_headers(const struct snapshot *snapshot) {
	struct buffer names = {};
	for (size_t i = 0; i < snapshot->count; i++) {
		if (is_header(snapshot->files[i].name))
			buffer_add_string(&names, snapshot->files[i].name);
	}
	struct digest digest = digest_of(names.data, names.size);
	buffer_finish(&names);
	return digest;
}

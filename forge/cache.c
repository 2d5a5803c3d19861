/* SPDX-License-Identifier: MIT */
#include "forge/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vat/log.h"

/* Raised when the meaning of an entry changes. */
#define FORMAT "source-city object 1"
#define FILE_MAX (256u << 20)
#define CACHE_LIMIT (256u << 20)
#define CACHE_GOAL (192u << 20)

/* A system's header that was read before. Its time is trusted, because packages and not people
 * change it. */
struct known_file {
	char *path;
	struct digest digest;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct object_cache {
	char *directory;
	void *known; /* tsearch tree of struct known_file */
};

/* The head of a *.obj. What follows it is what the compiler said, then the object. */
struct entry_head {
	char format[32];
	struct digest digest; /* of all that follows */
	uint64_t said_size;
};

/* ---- hashing of includes */

static int compare_known(const void *a, const void *b) {
	const struct known_file *first = a, *second = b;
	return strcmp(first->path, second->path);
}

static void free_known(void *data) {
	struct known_file *file = data;
	free(file->path);
	free(file);
}

static bool same_time(struct timespec a, struct timespec b) {
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool hash_now(const char *path, struct digest *digest) {
	struct buffer content = {};
	bool good = file_read(-1, path, FILE_MAX, &content) == 0;
	*digest = digest_of(content.data, content.size);
	buffer_finish(&content);
	return good;
}

static bool hash_system(struct object_cache *cache, const char *path, struct digest *digest) {
	struct stat info;
	if (stat(path, &info) != 0)
		return false;
	struct known_file key = {.path = (char *)path};
	struct known_file **found = tfind(&key, &cache->known, compare_known);
	struct known_file *file = found != nullptr ? *found : nullptr;
	if (file == nullptr) {
		file = allocate(1, sizeof(*file));
		file->path = text_copy(path);
		if (tsearch(file, &cache->known, compare_known) == nullptr) {
			free_known(file);
			return hash_now(path, digest);
		}
	}
	if (file->inode != info.st_ino || file->device != info.st_dev ||
		file->size != info.st_size || !same_time(file->modified, info.st_mtim) ||
		!same_time(file->changed, info.st_ctim)) {
		file->inode = 0;
		if (!hash_now(path, &file->digest))
			return false;
		file->device = info.st_dev;
		file->inode = info.st_ino;
		file->size = info.st_size;
		file->modified = info.st_mtim;
		file->changed = info.st_ctim;
	}
	*digest = file->digest;
	return true;
}

/* The name within the folder of a path relative to it or absolute; NULL outside of it. */
static const char *inside(const char *folder, const char *path) {
	if (path[0] != '/')
		return strncmp(path, "../", 3) == 0 ? nullptr : path;
	size_t size = strlen(folder);
	while (size > 0 && folder[size - 1] == '/')
		size--;
	if (strncmp(path, folder, size) != 0 || path[size] != '/')
		return nullptr;
	return path + size + 1;
}

/*
 * With `again` the file is also read, and must be as in the snapshot. Files that the snapshot
 * leaves out are read in any case.
 */
static bool hash_include(struct object_cache *cache, const struct cache_query *query,
	const char *path, bool again, struct digest *digest) {
	const char *name = inside(query->folder, path);
	if (name == nullptr && path[0] == '/')
		return hash_system(cache, path, digest);
	char *full = text_format("%s/%s", query->folder, name != nullptr ? name : path);
	const struct snapshot_file *file =
		name != nullptr ? snapshot_find(query->snapshot, name) : nullptr;
	bool good = true;
	if (file == nullptr) {
		good = hash_now(full, digest);
	} else {
		*digest = file->digest;
		struct digest now;
		if (again)
			good = hash_now(full, &now) && digest_equal(&now, digest);
	}
	free(full);
	return good;
}

/* ---- names of entries */

static struct digest source_key(const struct cache_query *query) {
	struct buffer key = {};
	struct digest headers = snapshot_headers(query->snapshot);
	const struct snapshot_file *file = snapshot_find(query->snapshot, query->source);
	buffer_add_string(&key, FORMAT);
	buffer_add(&key, query->settings.bytes, sizeof(query->settings.bytes));
	buffer_add(&key, headers.bytes, sizeof(headers.bytes));
	buffer_add_string(&key, query->source);
	if (file != nullptr)
		buffer_add(&key, file->digest.bytes, sizeof(file->digest.bytes));
	struct digest digest = digest_of(key.data, key.size);
	buffer_finish(&key);
	return digest;
}

static bool object_key(struct object_cache *cache, const struct cache_query *query,
	const struct digest *source, const struct strings *names, bool again, struct digest *key) {
	struct buffer buffer = {};
	buffer_add(&buffer, source->bytes, sizeof(source->bytes));
	bool good = true;
	for (size_t i = 0; good && i < names->count; i++) {
		struct digest digest;
		good = hash_include(cache, query, names->items[i], again, &digest);
		buffer_add_string(&buffer, names->items[i]);
		buffer_add(&buffer, digest.bytes, sizeof(digest.bytes));
	}
	*key = digest_of(buffer.data, buffer.size);
	buffer_finish(&buffer);
	return good;
}

static char *entry_path(
	const struct object_cache *cache, const struct digest *key, const char *kind) {
	char text[DIGEST_TEXT];
	digest_format(key, text);
	return text_format("%s/%s.%s", cache->directory, text, kind);
}

static void add_inside(
	const struct cache_query *query, const struct strings *names, struct strings *includes) {
	for (size_t i = 0; i < names->count; i++) {
		const char *name = inside(query->folder, names->items[i]);
		if (name != nullptr && !strings_has(includes, name))
			strings_add(includes, name);
	}
}

/* ---- finding and keeping */

static bool unpack(struct buffer *entry, const char *object, struct buffer *said) {
	struct entry_head head;
	if (entry->size < sizeof(head))
		return false;
	memcpy(&head, entry->data, sizeof(head));
	const char *content = entry->data + sizeof(head);
	size_t size = entry->size - sizeof(head);
	struct digest digest = digest_of(content, size);
	if (strncmp(head.format, FORMAT, sizeof(head.format)) != 0 ||
		!digest_equal(&head.digest, &digest) || head.said_size > size)
		return false;
	if (file_replace(object, content + head.said_size, size - head.said_size) != 0)
		return false;
	buffer_add(said, content, head.said_size);
	return true;
}

bool cache_find(struct object_cache *cache, const struct cache_query *query, const char *object,
	struct buffer *said, struct strings *includes) {
	struct digest source = source_key(query), key;
	struct buffer list = {}, entry = {};
	struct strings names = {};
	char *deps_path = entry_path(cache, &source, "deps");
	char *object_path = nullptr;
	bool found = false;
	if (file_read(-1, deps_path, FILE_MAX, &list) != 0)
		goto out;
	for (size_t at = 0; at < list.size; at += strlen(list.data + at) + 1)
		strings_add(&names, list.data + at);
	if (!object_key(cache, query, &source, &names, false, &key))
		goto out;
	object_path = entry_path(cache, &key, "obj");
	if (file_read(-1, object_path, FILE_MAX, &entry) != 0 || !unpack(&entry, object, said))
		goto out;
	found = true;
	add_inside(query, &names, includes);
	/* The time of an entry is the time of its last use. */
	utimensat(AT_FDCWD, deps_path, nullptr, 0);
	utimensat(AT_FDCWD, object_path, nullptr, 0);
out:
	free(object_path);
	free(deps_path);
	strings_finish(&names);
	buffer_finish(&entry);
	buffer_finish(&list);
	return found;
}

static int put_entry(const char *path, const struct buffer *object, const char *said, size_t size) {
	struct buffer entry = {}, content = {};
	buffer_add(&content, said, size);
	buffer_add(&content, object->data, object->size);
	struct entry_head head = {
		.format = FORMAT,
		.digest = digest_of(content.data, content.size),
		.said_size = size,
	};
	buffer_add(&entry, &head, sizeof(head));
	buffer_add(&entry, content.data, content.size);
	int error = file_replace(path, entry.data, entry.size);
	buffer_finish(&content);
	buffer_finish(&entry);
	return error;
}

void cache_keep(struct object_cache *cache, const struct cache_query *query, const char *object,
	const char *depfile, const char *said, size_t said_size, struct strings *includes) {
	struct digest source = source_key(query), key;
	struct buffer text = {}, bytes = {}, list = {};
	struct strings names = {};
	char *deps_path = entry_path(cache, &source, "deps");
	char *object_path = nullptr;
	int error = 0;
	if (file_read(-1, depfile, FILE_MAX, &text) != 0)
		goto out;
	cache_parse_depfile(text.data, text.size, &names);
	add_inside(query, &names, includes);
	if (names.count == 0 || !object_key(cache, query, &source, &names, true, &key) ||
		file_read(-1, object, FILE_MAX, &bytes) != 0)
		goto out;
	for (size_t i = 0; i < names.count; i++)
		buffer_add_string(&list, names.items[i]);
	object_path = entry_path(cache, &key, "obj");
	error = put_entry(object_path, &bytes, said, said_size);
	if (error == 0)
		error = file_replace(deps_path, list.data, list.size);
	if (error != 0)
		city_log(CITY_LOG_WARN, "forge", "cannot keep a compiled file in %s: %s",
			cache->directory, strerror(error));
out:
	free(object_path);
	free(deps_path);
	strings_finish(&names);
	buffer_finish(&list);
	buffer_finish(&bytes);
	buffer_finish(&text);
}

/* ---- size */

struct old_entry {
	char *name;
	struct timespec used;
	off_t size;
};

static int compare_age(const void *a, const void *b) {
	const struct old_entry *first = a, *second = b;
	if (first->used.tv_sec != second->used.tv_sec)
		return first->used.tv_sec < second->used.tv_sec ? -1 : 1;
	return first->used.tv_nsec < second->used.tv_nsec
		? -1
		: first->used.tv_nsec > second->used.tv_nsec;
}

static void prune(const char *directory) {
	DIR *folder = opendir(directory);
	if (folder == nullptr)
		return;
	struct buffer found = {};
	uint64_t total = 0;
	struct dirent *entry;
	while ((entry = readdir(folder)) != nullptr) {
		struct stat info;
		if (fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
			!S_ISREG(info.st_mode))
			continue;
		struct old_entry old = {
			.name = text_copy(entry->d_name),
			.used = info.st_mtim,
			.size = info.st_size,
		};
		buffer_add(&found, &old, sizeof(old));
		total += (uint64_t)info.st_size;
	}
	struct old_entry *entries = (struct old_entry *)found.data;
	size_t count = found.size / sizeof(*entries);
	bool large = total > CACHE_LIMIT;
	if (large)
		qsort(entries, count, sizeof(*entries), compare_age);
	for (size_t i = 0; i < count; i++) {
		if (large && total > CACHE_GOAL && unlinkat(dirfd(folder), entries[i].name, 0) == 0)
			total -= (uint64_t)entries[i].size;
		free(entries[i].name);
	}
	buffer_finish(&found);
	closedir(folder);
}

struct object_cache *cache_create(const char *directory) {
	struct object_cache *cache = allocate(1, sizeof(*cache));
	cache->directory = text_copy(directory);
	prune(directory);
	return cache;
}

void cache_destroy(struct object_cache *cache) {
	if (cache == nullptr)
		return;
	tdestroy(cache->known, free_known);
	free(cache->directory);
	free(cache);
}

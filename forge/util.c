/* SPDX-License-Identifier: MIT */
#include "forge/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vat/log.h"

[[noreturn]] static void out_of_memory(void) {
	city_log(CITY_LOG_ERROR, nullptr, "out of memory");
	_exit(1);
}

void *allocate(size_t count, size_t size) {
	void *memory = calloc(count, size);
	if (memory == nullptr)
		out_of_memory();
	return memory;
}

void buffer_add(struct buffer *buffer, const void *data, size_t size) {
	if (size > SIZE_MAX / 4 - buffer->size)
		out_of_memory();
	size_t needed = buffer->size + size + 1;
	if (needed > buffer->capacity) {
		size_t capacity = needed < 256 ? 256 : needed * 2;
		char *grown = realloc(buffer->data, capacity);
		if (grown == nullptr)
			out_of_memory();
		buffer->data = grown;
		buffer->capacity = capacity;
	}
	if (size > 0)
		memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
	buffer->data[buffer->size] = '\0';
}

void buffer_add_string(struct buffer *buffer, const char *string) {
	buffer_add(buffer, string, strlen(string) + 1);
}

void buffer_printf(struct buffer *buffer, const char *format, ...) {
	char *text = nullptr;
	va_list args;
	va_start(args, format);
	int size = vasprintf(&text, format, args);
	va_end(args);
	if (size < 0)
		out_of_memory();
	buffer_add(buffer, text, (size_t)size);
	free(text);
}

void buffer_drop(struct buffer *buffer, size_t size) {
	if (size == 0)
		return;
	memmove(buffer->data, buffer->data + size, buffer->size - size + 1);
	buffer->size -= size;
}

void buffer_finish(struct buffer *buffer) {
	free(buffer->data);
	*buffer = (struct buffer){};
}

char *text_copy(const char *text) {
	char *copy = strdup(text);
	if (copy == nullptr)
		out_of_memory();
	return copy;
}

char *text_format(const char *format, ...) {
	char *text = nullptr;
	va_list args;
	va_start(args, format);
	int size = vasprintf(&text, format, args);
	va_end(args);
	if (size < 0)
		out_of_memory();
	return text;
}

void strings_take(struct strings *strings, char *text) {
	/* Room for the next power of two, and the NULL. */
	if ((strings->count & (strings->count - 1)) == 0) {
		size_t capacity = strings->count == 0 ? 2 : strings->count * 2 + 1;
		char **grown = reallocarray(strings->items, capacity, sizeof(*grown));
		if (grown == nullptr)
			out_of_memory();
		strings->items = grown;
	}
	strings->items[strings->count++] = text;
	strings->items[strings->count] = nullptr;
}

void strings_add(struct strings *strings, const char *text) {
	strings_take(strings, text_copy(text));
}

void strings_copy(struct strings *to, const struct strings *from) {
	for (size_t i = 0; i < from->count; i++)
		strings_add(to, from->items[i]);
}

bool strings_has(const struct strings *strings, const char *text) {
	for (size_t i = 0; i < strings->count; i++) {
		if (strcmp(strings->items[i], text) == 0)
			return true;
	}
	return false;
}

void strings_finish(struct strings *strings) {
	for (size_t i = 0; i < strings->count; i++)
		free(strings->items[i]);
	free(strings->items);
	*strings = (struct strings){};
}

struct digest digest_of(const void *data, size_t size) {
	struct digest digest;
	crypto_generichash(digest.bytes, sizeof(digest.bytes), data, size, nullptr, 0);
	return digest;
}

void digest_format(const struct digest *digest, char text[DIGEST_TEXT]) {
	sodium_bin2hex(text, DIGEST_TEXT, digest->bytes, sizeof(digest->bytes));
}

bool digest_equal(const struct digest *a, const struct digest *b) {
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int file_read(int directory, const char *path, size_t limit, struct buffer *buffer) {
	/* Non-blocking: a FIFO must not stop the forge. */
	int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno;
	int error = 0;
	struct stat info;
	if (fstat(fd, &info) != 0) {
		error = errno;
		goto out;
	}
	if (!S_ISREG(info.st_mode)) {
		error = EINVAL;
		goto out;
	}
	size_t start = buffer->size;
	char chunk[65536];
	while (true) {
		ssize_t size = read(fd, chunk, sizeof(chunk));
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			error = errno;
		if (size <= 0)
			break;
		if (buffer->size - start + (size_t)size > limit) {
			error = EFBIG;
			break;
		}
		buffer_add(buffer, chunk, (size_t)size);
	}
out:
	close(fd);
	return error;
}

int file_replace(const char *path, const void *data, size_t size) {
	char *temporary = text_format("%s.XXXXXX", path);
	int error = 0;
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		error = errno;
		goto out;
	}
	const char *at = data;
	while (size > 0) {
		ssize_t written = write(fd, at, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			error = errno;
			break;
		}
		at += written;
		size -= (size_t)written;
	}
	if (close(fd) != 0 && error == 0)
		error = errno;
	if (error == 0 && rename(temporary, path) != 0)
		error = errno;
	if (error != 0)
		unlink(temporary);
out:
	free(temporary);
	return error;
}

int directory_make(const char *path) {
	if (mkdir(path, 0700) == 0)
		return 0;
	if (errno == EEXIST) {
		struct stat info;
		if (stat(path, &info) != 0)
			return errno;
		return S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
	}
	if (errno != ENOENT)
		return errno;
	char *parent = text_copy(path);
	char *slash = strrchr(parent, '/');
	int error = ENOENT;
	if (slash != nullptr && slash != parent) {
		*slash = '\0';
		error = directory_make(parent);
	}
	free(parent);
	if (error != 0)
		return error;
	return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;
}

static void remove_contents(int directory) {
	DIR *entries = fdopendir(directory);
	if (entries == nullptr) {
		close(directory);
		return;
	}
	struct dirent *entry;
	while ((entry = readdir(entries)) != nullptr) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(entries), entry->d_name, 0) == 0)
			continue;
		int child = openat(dirfd(entries), entry->d_name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			continue;
		remove_contents(child);
		unlinkat(dirfd(entries), entry->d_name, AT_REMOVEDIR);
	}
	closedir(entries);
}

void directory_remove(const char *path) {
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	remove_contents(fd);
	rmdir(path);
}

uint64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define KEPT_MAX 8192

static void *kept[KEPT_MAX];
static size_t kept_count;
static char *folders[256];
static size_t folder_count;

static void *keep(void *memory) {
	assert_non_null(memory);
	assert_true(kept_count < KEPT_MAX);
	kept[kept_count++] = memory;
	return memory;
}

size_t keep_mark(void) {
	return kept_count;
}

void keep_release(size_t mark) {
	while (kept_count > mark)
		free(kept[--kept_count]);
}

char *make_folder(void) {
	const char *base = getenv("TMPDIR");
	char *path = NULL;
	assert_true(asprintf(&path, "%s/city-test-XXXXXX", base != NULL ? base : "/tmp") > 0);
	keep(path);
	assert_non_null(mkdtemp(path));
	assert_true(folder_count < sizeof(folders) / sizeof(folders[0]));
	folders[folder_count++] = path;
	return path;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
	remove(path);
	return 0;
}

void remove_folders(void) {
	for (size_t i = 0; i < folder_count; i++)
		nftw(folders[i], remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	folder_count = 0;
	for (size_t i = 0; i < kept_count; i++)
		free(kept[i]);
	kept_count = 0;
}

const char *text(const char *format, ...) {
	char *result = NULL;
	va_list args;
	va_start(args, format);
	assert_true(vasprintf(&result, format, args) >= 0);
	va_end(args);
	return keep(result);
}

static void make_parents(const char *path) {
	char *copy = strdup(path);
	assert_non_null(copy);
	for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, 0700);
		*slash = '/';
	}
	free(copy);
}

static void put(const char *path, int flags, const char *content) {
	make_parents(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
	assert_true(fd >= 0);
	size_t size = strlen(content);
	assert_int_equal(write(fd, content, size), (ssize_t)size);
	close(fd);
}

void write_file(const char *path, const char *content) {
	put(path, O_TRUNC, content);
}

void append_file(const char *path, const char *content) {
	put(path, O_APPEND, content);
}

void replace_file(const char *path, const char *content) {
	const char *temporary = text("%s.tmp", path);
	put(temporary, O_TRUNC, content);
	assert_int_equal(rename(temporary, path), 0);
}

char *read_whole(const char *path, size_t *size) {
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return NULL;
	char *content = NULL;
	size_t used = 0;
	while (true) {
		content = realloc(content, used + 65537);
		assert_non_null(content);
		size_t got = fread(content + used, 1, 65536, file);
		used += got;
		if (got == 0)
			break;
	}
	fclose(file);
	content[used] = '\0';
	if (size != NULL)
		*size = used;
	return keep(content);
}

void copy_file(const char *from, const char *to) {
	const char *content = read_whole(from, NULL);
	assert_non_null(content);
	write_file(to, content);
}

size_t count_files(const char *folder) {
	DIR *entries = opendir(folder);
	size_t count = 0;
	if (entries == NULL)
		return 0;
	while (readdir(entries) != NULL)
		count++;
	closedir(entries);
	return count - 2;
}

int64_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compositor/paths.h"
#include "compositor/store.h"
#include "log.h"

#define HASH_BYTES 32

struct city_store {
	char *path;
	int dir_fd;
};

bool city_hash_valid(const char *hash) {
	return strlen(hash) == CITY_HASH_SIZE - 1 &&
		strspn(hash, "0123456789abcdef") == CITY_HASH_SIZE - 1;
}

struct city_store *city_store_create(void) {
	struct city_store *store = calloc(1, sizeof(*store));
	if (!store) {
		return NULL;
	}
	if (sodium_init() < 0) {
		city_log(CITY_LOG_ERROR, "store", "libsodium does not start");
		free(store);
		return NULL;
	}
	store->path = city_path_data("store");
	store->dir_fd = store->path ? open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (store->dir_fd < 0) {
		city_log(CITY_LOG_ERROR, "store",
			"versions of tiles cannot be kept below $XDG_DATA_HOME, nor $HOME without "
			"it: %s; set it to a folder that can be written",
			strerror(errno));
		free(store->path);
		free(store);
		return NULL;
	}
	return store;
}

void city_store_destroy(struct city_store *store) {
	if (!store) {
		return;
	}
	close(store->dir_fd);
	free(store->path);
	free(store);
}

/* The whole file; its size cannot be trusted, for a writer may still be at it. */
static unsigned char *read_whole(int fd, size_t *size, char *error, size_t error_size) {
	struct stat info;
	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
		snprintf(error, error_size, "the artifact is not a plain file");
		return NULL;
	}
	if (info.st_size <= 0 || info.st_size > CITY_ARTIFACT_MAX) {
		snprintf(error, error_size, "the artifact has %lld bytes; 1 to %u are allowed",
			(long long)info.st_size, CITY_ARTIFACT_MAX);
		return NULL;
	}
	size_t capacity = (size_t)info.st_size, used = 0;
	unsigned char *bytes = malloc(capacity);
	if (!bytes) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	while (used < capacity) {
		ssize_t got = pread(fd, bytes + used, capacity - used, (off_t)used);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			snprintf(error, error_size, "cannot read the artifact: %s",
				got < 0 ? strerror(errno) : "it became shorter");
			free(bytes);
			return NULL;
		}
		used += (size_t)got;
	}
	*size = used;
	return bytes;
}

static void hash_bytes(const unsigned char *bytes, size_t size, char hash[CITY_HASH_SIZE]) {
	unsigned char digest[HASH_BYTES];
	crypto_generichash(digest, sizeof(digest), bytes, size, NULL, 0);
	sodium_bin2hex(hash, CITY_HASH_SIZE, digest, sizeof(digest));
}

static bool write_whole(int fd, const unsigned char *bytes, size_t size) {
	size_t done = 0;
	while (done < size) {
		ssize_t wrote = write(fd, bytes + done, size - done);
		if (wrote < 0 && errno == EINTR) {
			continue;
		}
		if (wrote <= 0) {
			return false;
		}
		done += (size_t)wrote;
	}
	return true;
}

/* Under a name that nobody sees until the file is whole; EEXIST then means that it is there. */
static bool write_once(
	struct city_store *store, const char *name, const unsigned char *bytes, size_t size) {
	int fd = openat(store->dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0444);
	if (fd >= 0) {
		char self[64];
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		bool ok = write_whole(fd, bytes, size) &&
			(linkat(AT_FDCWD, self, store->dir_fd, name, AT_SYMLINK_FOLLOW) == 0 ||
				errno == EEXIST);
		int saved = errno;
		close(fd);
		errno = saved;
		return ok;
	}
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) {
		return false;
	}
	char temp[128];
	snprintf(temp, sizeof(temp), ".%.64s.%d", name, (int)getpid());
	fd = openat(store->dir_fd, temp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
	if (fd < 0) {
		return false;
	}
	bool ok = write_whole(fd, bytes, size) &&
		(linkat(store->dir_fd, temp, store->dir_fd, name, 0) == 0 || errno == EEXIST);
	int saved = errno;
	unlinkat(store->dir_fd, temp, 0);
	close(fd);
	errno = saved;
	return ok;
}

int city_store_open(struct city_store *store, const char *hash, char *error, size_t error_size) {
	if (!city_hash_valid(hash)) {
		snprintf(error, error_size, "\"%.80s\" is not the hash of an artifact", hash);
		return -1;
	}
	char name[CITY_HASH_SIZE + 8];
	snprintf(name, sizeof(name), "%s.so", hash);
	int fd = openat(store->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(error, error_size, "%s/%s: %s", store->path, name, strerror(errno));
		return -1;
	}
	size_t size;
	unsigned char *bytes = read_whole(fd, &size, error, error_size);
	if (!bytes) {
		close(fd);
		return -1;
	}
	char found[CITY_HASH_SIZE];
	hash_bytes(bytes, size, found);
	free(bytes);
	if (strcmp(found, hash) != 0) {
		snprintf(error, error_size, "%s/%s is damaged: its bytes hash to %s", store->path,
			name, found);
		close(fd);
		return -1;
	}
	return fd;
}

int city_store_put(struct city_store *store, int fd, char hash[CITY_HASH_SIZE], char *error,
	size_t error_size) {
	size_t size;
	unsigned char *bytes = read_whole(fd, &size, error, error_size);
	if (!bytes) {
		return -1;
	}
	hash_bytes(bytes, size, hash);
	char name[CITY_HASH_SIZE + 8];
	snprintf(name, sizeof(name), "%s.so", hash);
	int stored = -1;
	if (faccessat(store->dir_fd, name, R_OK, 0) == 0) {
		stored = city_store_open(store, hash, error, error_size);
		if (stored < 0) {
			/* A damaged file is set aside, never overwritten. */
			char aside[CITY_HASH_SIZE + 32];
			snprintf(aside, sizeof(aside), "%s.damaged", name);
			city_log(CITY_LOG_WARN, "store", "%s; kept as %s", error, aside);
			renameat(store->dir_fd, name, store->dir_fd, aside);
		}
	}
	if (stored < 0) {
		if (!write_once(store, name, bytes, size)) {
			snprintf(error, error_size, "cannot write %s/%s: %s", store->path, name,
				strerror(errno));
		} else {
			stored = city_store_open(store, hash, error, error_size);
		}
	}
	free(bytes);
	return stored;
}

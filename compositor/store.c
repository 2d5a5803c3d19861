/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wayland-util.h>

#include "compositor/paths.h"
#include "compositor/store.h"
#include "log.h"

#define HASH_BYTES 32

/* An artifact in memory. */
struct lent {
	struct wl_list link; /* city_store.lent */
	char hash[CITY_HASH_SIZE];
	int fd;
};

struct city_store {
	char *path;
	int dir_fd;	     /* -1: the folder could not be made yet */
	struct wl_list lent; /* lent.link */
};

bool city_hash_valid(const char *hash) {
	return strlen(hash) == CITY_HASH_SIZE - 1 &&
		strspn(hash, "0123456789abcdef") == CITY_HASH_SIZE - 1;
}

/* False with errno. */
static bool open_folder(struct city_store *store) {
	if (store->dir_fd < 0 && city_path_make(store->path)) {
		store->dir_fd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return store->dir_fd >= 0;
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
	wl_list_init(&store->lent);
	store->path = city_path_data("store");
	store->dir_fd = -1;
	if (!store->path) {
		city_log(CITY_LOG_ERROR, "store",
			"versions of tiles cannot be kept below $XDG_DATA_HOME, nor $HOME without "
			"it: %s; set it to a folder that can be written",
			strerror(errno));
		free(store);
		return NULL;
	}
	if (!open_folder(store)) {
		city_log(CITY_LOG_ERROR, "store",
			"versions of tiles cannot be kept in %s: %s; it is tried again",
			store->path, strerror(errno));
	}
	return store;
}

void city_store_destroy(struct city_store *store) {
	if (!store) {
		return;
	}
	struct lent *lent, *next;
	wl_list_for_each_safe(lent, next, &store->lent, link) {
		wl_list_remove(&lent->link);
		close(lent->fd);
		free(lent);
	}
	if (store->dir_fd >= 0) {
		close(store->dir_fd);
	}
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

static struct lent *find_lent(struct city_store *store, const char *hash) {
	struct lent *lent;
	wl_list_for_each(lent, &store->lent, link) {
		if (strcmp(lent->hash, hash) == 0) {
			return lent;
		}
	}
	return NULL;
}

int city_store_open(struct city_store *store, const char *hash, char *error, size_t error_size) {
	if (!city_hash_valid(hash)) {
		snprintf(error, error_size, "\"%.80s\" is not the hash of an artifact", hash);
		return -1;
	}
	const struct lent *lent = find_lent(store, hash);
	if (lent) {
		int copy = fcntl(lent->fd, F_DUPFD_CLOEXEC, 3);
		if (copy < 0) {
			snprintf(error, error_size, "%s: %s", hash, strerror(errno));
		}
		return copy;
	}
	char name[CITY_HASH_SIZE + 8];
	snprintf(name, sizeof(name), "%s.so", hash);
	int fd = open_folder(store) ? openat(store->dir_fd, name, O_RDONLY | O_CLOEXEC) : -1;
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

/* -1 with one line in `error`. */
static int put_bytes(struct city_store *store, const unsigned char *bytes, size_t size,
	const char *hash, char *error, size_t error_size) {
	char name[CITY_HASH_SIZE + 8];
	snprintf(name, sizeof(name), "%s.so", hash);
	if (!open_folder(store)) {
		snprintf(error, error_size, "cannot write %s/%s: %s", store->path, name,
			strerror(errno));
		return -1;
	}
	if (faccessat(store->dir_fd, name, R_OK, 0) == 0) {
		int stored = city_store_open(store, hash, error, error_size);
		if (stored >= 0) {
			return stored;
		}
		/* A damaged file is set aside, never overwritten. */
		char aside[CITY_HASH_SIZE + 32];
		snprintf(aside, sizeof(aside), "%s.damaged", name);
		city_log(CITY_LOG_WARN, "store", "%s; kept as %s", error, aside);
		renameat(store->dir_fd, name, store->dir_fd, aside);
	}
	if (!write_once(store, name, bytes, size)) {
		snprintf(error, error_size, "cannot write %s/%s: %s", store->path, name,
			strerror(errno));
		return -1;
	}
	return city_store_open(store, hash, error, error_size);
}

/* In memory, as the disk does not take it; false with errno. */
static bool lend(
	struct city_store *store, const unsigned char *bytes, size_t size, const char *hash) {
	struct lent *lent = calloc(1, sizeof(*lent));
	if (!lent) {
		return false;
	}
	memcpy(lent->hash, hash, CITY_HASH_SIZE);
	lent->fd = memfd_create("source-city-artifact", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (lent->fd < 0 || !write_whole(lent->fd, bytes, size) ||
		fcntl(lent->fd, F_ADD_SEALS,
			F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
		int saved = errno;
		if (lent->fd >= 0) {
			close(lent->fd);
		}
		free(lent);
		errno = saved;
		return false;
	}
	wl_list_insert(&store->lent, &lent->link);
	return true;
}

static int put(struct city_store *store, int fd, bool may_lend, char hash[CITY_HASH_SIZE],
	char *error, size_t error_size) {
	size_t size;
	unsigned char *bytes = read_whole(fd, &size, error, error_size);
	if (!bytes) {
		return -1;
	}
	hash_bytes(bytes, size, hash);
	int stored = put_bytes(store, bytes, size, hash, error, error_size);
	if (stored < 0 && may_lend && (find_lent(store, hash) || lend(store, bytes, size, hash))) {
		city_log(CITY_LOG_WARN, "store", "%s; it runs from memory", error);
		stored = city_store_open(store, hash, error, error_size);
	}
	free(bytes);
	return stored;
}

int city_store_put(struct city_store *store, int fd, char hash[CITY_HASH_SIZE], char *error,
	size_t error_size) {
	return put(store, fd, false, hash, error, error_size);
}

int city_store_lend(struct city_store *store, int fd, char hash[CITY_HASH_SIZE], char *error,
	size_t error_size) {
	return put(store, fd, true, hash, error, error_size);
}

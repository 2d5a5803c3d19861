/* SPDX-License-Identifier: MIT */
#include "keeper/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long a city that was killed may hold its lock still. */
#define LOCK_TRIES 10
#define LOCK_WAIT_NS 50000000
#define FILE_NAME_SIZE (VAT_UUID_TEXT + 32)

void (*keeper_disk_step)(void);

static void step(void) {
	if (keeper_disk_step != NULL) {
		keeper_disk_step();
	}
}

__attribute__((format(printf, 3, 4))) static int fail(
	struct vat_error *err, int code, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return code > 0 ? -code : -EIO;
}

static void file_name(const struct vat_uuid *tile, const char *end, char name[FILE_NAME_SIZE]) {
	char uuid[VAT_UUID_TEXT];
	vat_uuid_format(tile, uuid);
	snprintf(name, FILE_NAME_SIZE, "%s.vat%s", uuid, end);
}

void keeper_disk_file(
	const struct keeper_disk *disk, const struct vat_uuid *tile, char path[PATH_MAX]) {
	char name[FILE_NAME_SIZE];
	file_name(tile, "", name);
	snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - FILE_NAME_SIZE - 2, disk->path, name);
}

/* ---- the folder */

static int find_folder(char *path, size_t size, struct vat_error *err) {
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int length;
	if (state != NULL && state[0] == '/') {
		length = snprintf(path, size, "%s/source-city/regions", state);
	} else if (home != NULL && home[0] == '/') {
		length = snprintf(path, size, "%s/.local/state/source-city/regions", home);
	} else {
		return fail(err, ENOENT,
			"no folder to save tiles in: set HOME or XDG_STATE_HOME to a folder that "
			"can be written");
	}
	if (length < 0 || (size_t)length >= size - FILE_NAME_SIZE) {
		return fail(err, ENAMETOOLONG, "no folder to save tiles in: its path is too long");
	}
	return 0;
}

/* The folder and all above it; a folder that was made is on disk when this returns. */
static int make_folders(char *path) {
	for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash != NULL) {
			*slash = '\0';
		}
		int made = mkdir(path, 0700);
		int code = made < 0 ? errno : 0;
		if (made == 0) {
			char above[PATH_MAX];
			snprintf(above, sizeof(above), "%s/..", path);
			int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (fd >= 0) {
				fsync(fd);
				close(fd);
			}
		}
		if (slash != NULL) {
			*slash = '/';
		}
		if (code != 0 && code != EEXIST) {
			return code;
		}
		if (slash == NULL) {
			return 0;
		}
	}
}

static int take_lock(struct keeper_disk *disk, struct vat_error *err) {
	int lock = openat(disk->folder, "lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (lock < 0) {
		return fail(err, errno, "%s/lock: %s", disk->path, strerror(errno));
	}
	for (int i = 0; flock(lock, LOCK_EX | LOCK_NB) < 0; i++) {
		int code = errno;
		if ((code == EWOULDBLOCK || code == EINTR) && i < LOCK_TRIES) {
			const struct timespec wait = {.tv_nsec = LOCK_WAIT_NS};
			nanosleep(&wait, NULL);
			continue;
		}
		close(lock);
		if (code == EWOULDBLOCK) {
			return fail(err, EBUSY,
				"another city saves its tiles in %s: this one begins with fresh "
				"tiles, and saves nothing; set XDG_STATE_HOME to a folder of its "
				"own",
				disk->path);
		}
		return fail(err, code, "%s/lock: %s", disk->path, strerror(code));
	}
	disk->lock = lock;
	return 0;
}

int keeper_disk_open(struct keeper_disk *disk, struct vat_error *err) {
	struct stat st;
	if (disk->folder >= 0 && (fstat(disk->folder, &st) < 0 || st.st_nlink == 0)) {
		keeper_disk_close(disk); /* somebody has removed it */
	}
	if (disk->lock >= 0) {
		return 0;
	}
	int rc = find_folder(disk->path, sizeof(disk->path), err);
	if (rc < 0) {
		return rc;
	}
	int code = make_folders(disk->path);
	if (code == 0 && disk->folder < 0) {
		disk->folder = open(disk->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		code = disk->folder < 0 ? errno : 0;
	}
	if (code != 0) {
		return fail(
			err, code, "tiles cannot be saved in %s: %s", disk->path, strerror(code));
	}
	return take_lock(disk, err);
}

void keeper_disk_close(struct keeper_disk *disk) {
	if (disk->lock >= 0) {
		close(disk->lock);
	}
	if (disk->folder >= 0) {
		close(disk->folder);
	}
	*disk = KEEPER_DISK_NONE;
}

/* ---- a file */

static int no_file(const struct keeper_disk *disk, const char *name, int code, const char *what,
	struct vat_error *err) {
	return fail(err, code, "%s/%s cannot be %s: %s", disk->path, name, what, strerror(code));
}

int keeper_disk_save(const struct keeper_disk *disk, struct vat_region *region, int undo_fd,
	uint64_t *bytes, struct vat_error *err) {
	char name[FILE_NAME_SIZE], draft[FILE_NAME_SIZE];
	file_name(&vat_region_info(region)->tile, "", name);
	file_name(&vat_region_info(region)->tile, ".new", draft);
	step();
	/* A draft that is there was left behind: only one process at a time writes a tile's. */
	if (unlinkat(disk->folder, draft, 0) < 0 && errno != ENOENT) {
		return no_file(disk, draft, errno, "removed", err);
	}
	step();
	int fd = openat(disk->folder, draft, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		return no_file(disk, draft, errno, "made", err);
	}
	struct stat st;
	struct vat_error cause;
	int rc = vat_file_save(region, undo_fd, fd, &cause);
	if (rc < 0) {
		rc = fail(err, -rc, "%s/%s: %.300s", disk->path, name, cause.text);
		goto error;
	}
	step();
	if (fsync(fd) < 0 || fstat(fd, &st) < 0) {
		rc = no_file(disk, draft, errno, "written", err);
		goto error;
	}
	step();
	if (renameat(disk->folder, draft, disk->folder, name) < 0) {
		rc = no_file(disk, name, errno, "replaced", err);
		goto error;
	}
	close(fd);
	step();
	if (fsync(disk->folder) < 0) {
		return no_file(disk, name, errno, "brought to disk", err);
	}
	*bytes = (uint64_t)st.st_size;
	return 0;

error:
	close(fd);
	unlinkat(disk->folder, draft, 0);
	return rc;
}

int keeper_disk_set_aside(const struct keeper_disk *disk, const struct vat_uuid *tile,
	const char *why, struct vat_error *err) {
	char name[FILE_NAME_SIZE], aside[FILE_NAME_SIZE];
	file_name(tile, "", name);
	for (int n = 1; n < 1000; n++) {
		char end[24];
		snprintf(end, sizeof(end), ".%.10s-%d", why, n);
		file_name(tile, end, aside);
		int rc = renameat2(disk->folder, name, disk->folder, aside, RENAME_NOREPLACE);
		/* Not all file systems can promise not to replace anything. */
		if (rc < 0 && errno == EINVAL && faccessat(disk->folder, aside, F_OK, 0) < 0) {
			rc = renameat(disk->folder, name, disk->folder, aside);
		}
		if (rc == 0) {
			fsync(disk->folder);
			snprintf(err->text, sizeof(err->text), "%.900s/%s", disk->path, aside);
			return 1;
		}
		if (errno == ENOENT) {
			return 0;
		}
		if (errno != EEXIST && errno != EINVAL) {
			break;
		}
	}
	return no_file(disk, name, errno, "set aside", err);
}

static int check_tile(int memfd, const struct vat_uuid *tile, struct vat_error *err) {
	struct vat_region *region;
	int rc = vat_region_map(memfd, VAT_READ, &region, err);
	if (rc < 0) {
		return rc;
	}
	if (!vat_uuid_equal(&vat_region_info(region)->tile, tile)) {
		rc = fail(err, EBADMSG, "region file: it is that of another tile, %s",
			vat_region_info(region)->name);
	}
	vat_region_unmap(region);
	return rc;
}

int keeper_disk_load(const struct keeper_disk *disk, const struct vat_uuid *tile, uint64_t *bytes,
	struct vat_error *err) {
	char name[FILE_NAME_SIZE];
	file_name(tile, "", name);
	int fd = openat(disk->folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return no_file(disk, name, errno, "read", err);
	}
	struct vat_error cause;
	struct stat st;
	int memfd = vat_file_load(fd, &cause);
	*bytes = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	close(fd);
	int rc = memfd < 0 ? memfd : check_tile(memfd, tile, &cause);
	if (rc >= 0) {
		return memfd;
	}
	if (memfd >= 0) {
		close(memfd);
	}
	/* These are no fault of the file. */
	if (rc == -ENOMEM || rc == -ENOSPC || rc == -EMFILE || rc == -ENFILE || rc == -EINTR) {
		return fail(err, -rc, "%s/%s: %.300s", disk->path, name, cause.text);
	}
	struct vat_error place;
	int moved = keeper_disk_set_aside(disk, tile, "damaged", &place);
	if (moved < 0) {
		return fail(err, EROFS, "%.300s; %.600s", cause.text, place.text);
	}
	return fail(err, EBADMSG, "%.300s; kept as %.600s", cause.text, place.text);
}

void keeper_disk_remove(const struct keeper_disk *disk, const struct vat_uuid *tile) {
	char name[FILE_NAME_SIZE];
	for (int draft = 0; draft < 2; draft++) {
		file_name(tile, draft ? ".new" : "", name);
		unlinkat(disk->folder, name, 0);
	}
}

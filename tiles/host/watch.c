/* SPDX-License-Identifier: MIT */
/*
 * Files that options name, followed: whoever saves one, in whatever way an editor does that (in
 * place, renamed into place, made anew behind a link), is noticed; nobody has to read it again and
 * again to find out.
 *
 * What is watched is folders: the one that the file is in, that of each link on the way to it, and
 * where a folder is missing the nearest one above it. After each event that may matter the way is
 * walked again. What happens to other files in a folder is read and forgotten.
 */
#include "host.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define LINKS_MAX 8
#define FOLDER_EVENTS                                                                              \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |   \
		IN_MOVE_SELF | IN_ONLYDIR)

/* One folder on the way, and what in it leads on. */
struct place {
	int watch;
	char *path;
	const char *name; /* the end of it */
};

/* What a file is: another one in any of these is another file. */
struct mark {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct host_watch {
	char option[VAT_NAME_SIZE];
	char path[PATH_MAX];
	struct place places[LINKS_MAX + 1];
	size_t count;
	struct mark mark; /* zeros: there is none */
	bool tell;
};

static struct mark mark_of(const char *path) {
	struct stat st;
	if (stat(path, &st) < 0) {
		return (struct mark){0};
	}
	return (struct mark){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

static bool same(const struct mark *a, const struct mark *b) {
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
		a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* The same watch for the same folder, however often it is asked for. */
static void add_place(
	struct host *host, struct host_watch *watch, const char *folder, const char *name) {
	int id = inotify_add_watch(host->watch_fd, *folder ? folder : "/", FOLDER_EVENTS);
	char *path = NULL;
	if (id >= 0 && asprintf(&path, "%s/%s", folder, name) >= 0) {
		watch->places[watch->count++] = (struct place){id, path, path + strlen(folder) + 1};
	}
}

/* The folder that the path is in, or the nearest one above it that is there. */
static void add_folder(struct host *host, struct host_watch *watch, const char *path) {
	char folder[PATH_MAX];
	snprintf(folder, sizeof(folder), "%s", path);
	for (char *slash = strrchr(folder, '/'); slash; slash = strrchr(folder, '/')) {
		*slash = 0;
		struct stat st;
		if (stat(*folder ? folder : "/", &st) == 0 && S_ISDIR(st.st_mode)) {
			add_place(host, watch, folder, slash + 1);
			return;
		}
	}
}

/* Where a link leads; false: it is none. */
static bool follow(const char *path, char next[PATH_MAX]) {
	char target[PATH_MAX];
	ssize_t size = readlink(path, target, sizeof(target) - 1);
	if (size <= 0) {
		return false;
	}
	target[size] = 0;
	const char *slash = strrchr(path, '/');
	int folder = target[0] == '/' || !slash ? 0 : (int)(slash - path) + 1;
	return snprintf(next, PATH_MAX, "%.*s%s", folder, path, target) < PATH_MAX;
}

static void forget_places(struct host_watch *watch) {
	for (size_t i = 0; i < watch->count; i++) {
		free(watch->places[i].path);
	}
	watch->count = 0;
}

static void walk(struct host *host, struct host_watch *watch) {
	char path[PATH_MAX], next[PATH_MAX];
	forget_places(watch);
	memcpy(path, watch->path, sizeof(path));
	do {
		add_folder(host, watch, path);
	} while (watch->count <= LINKS_MAX && follow(path, next) &&
		memcpy(path, next, sizeof(path)));
}

/* Folders that no file is on the way to any more. */
static void drop_unused(struct host *host, int id) {
	for (size_t i = 0; i < host->watch_count; i++) {
		const struct host_watch *watch = host->watches[i];
		for (size_t n = 0; n < watch->count; n++) {
			if (watch->places[n].watch == id) {
				return;
			}
		}
	}
	inotify_rm_watch(host->watch_fd, id);
}

static void look_again(struct host *host, struct host_watch *watch, bool written) {
	int before[LINKS_MAX + 1];
	size_t count = watch->count;
	for (size_t i = 0; i < count; i++) {
		before[i] = watch->places[i].watch;
	}
	walk(host, watch);
	for (size_t i = 0; i < count; i++) {
		drop_unused(host, before[i]);
	}
	struct mark mark = mark_of(watch->path);
	watch->tell |= written || !same(&mark, &watch->mark);
	watch->mark = mark;
}

/* One that was just made, also in the place of one that is put away or removed: whoever makes it is
 * about to write it, and says so when that is done. A link, or a second name for a file, is there
 * at once. */
static bool is_being_made(const struct place *place) {
	struct stat st;
	return lstat(place->path, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

static void handle_event(struct host *host, const struct inotify_event *event) {
	const uint32_t folder = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT;
	for (size_t i = 0; i < host->watch_count; i++) {
		struct host_watch *watch = host->watches[i];
		for (size_t n = 0; n < watch->count; n++) {
			const struct place *place = &watch->places[n];
			bool matters = (event->mask & IN_Q_OVERFLOW) ||
				(place->watch == event->wd &&
					((event->mask & folder) ||
						(event->len > 0 &&
							strcmp(event->name, place->name) == 0)));
			if (!matters) {
				continue;
			}
			if (!(event->mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM)) ||
				!is_being_made(place)) {
				look_again(host, watch, event->mask & IN_CLOSE_WRITE);
			}
			break;
		}
	}
}

bool host_file_watch(struct host *host, const char *option) {
	char path[PATH_MAX], why[200];
	if (!host_file_path(host, option, path, why, sizeof(why))) {
		host_log(host, CITY_LOG_WARN, "%s", why);
		return false;
	}
	for (size_t i = 0; i < host->watch_count; i++) {
		if (strcmp(host->watches[i]->option, option) == 0) {
			return true;
		}
	}
	if (host->watch_fd < 0) {
		host->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	}
	struct host_watch *watch = calloc(1, sizeof(*watch));
	if (host->watch_fd < 0 || !watch || host->watch_count == HOST_WATCHES_MAX) {
		host_log(host, CITY_LOG_WARN, "option %s: the file cannot be watched: %s", option,
			host->watch_fd < 0 ? strerror(errno)
				: watch	   ? "too many are"
					   : "out of memory");
		free(watch);
		return false;
	}
	snprintf(watch->option, sizeof(watch->option), "%s", option);
	memcpy(watch->path, path, sizeof(path));
	host->watches[host->watch_count++] = watch;
	walk(host, watch);
	if (watch->count == 0) {
		host_log(host, CITY_LOG_WARN, "option %s: the file cannot be watched: %s", option,
			strerror(errno));
		host->watch_count--;
		free(watch);
		return false;
	}
	watch->mark = mark_of(path);
	return true;
}

void host_watch_read(struct host *host) {
	alignas(struct inotify_event) char buffer[16384];
	ssize_t size;
	while (host->watch_fd >= 0 && (size = read(host->watch_fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < size;) {
			const struct inotify_event *event = (const void *)(buffer + at);
			handle_event(host, event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	for (size_t i = 0; i < host->watch_count && host->state == HOST_LIVE; i++) {
		struct host_watch *watch = host->watches[i];
		if (watch->tell) {
			struct tile_input event = {
				.type = TILE_INPUT_FILE, .time_ns = host_now(host)};
			event.file.option = watch->option;
			watch->tell = false;
			host_input(host, &event);
		}
	}
}

void host_watch_end(struct host *host) {
	for (size_t i = 0; i < host->watch_count; i++) {
		forget_places(host->watches[i]);
		free(host->watches[i]);
	}
	host->watch_count = 0;
	if (host->watch_fd >= 0) {
		close(host->watch_fd);
		host->watch_fd = -1;
	}
}

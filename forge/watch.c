/* SPDX-License-Identifier: MIT */
#include "forge/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge/snapshot.h"
#include "vat/log.h"

#define FOLDER_EVENTS                                                                              \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB |        \
		IN_DELETE_SELF | IN_MOVE_SELF | IN_EXCL_UNLINK | IN_ONLYDIR)
#define PARENT_EVENTS                                                                              \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |     \
		IN_ONLYDIR)

/* A folder that inotify watches. */
struct place {
	int wd;
	char *path;
	char *child; /* of a parent: the name in it that matters; NULL for a folder of sources */
};

struct watch {
	char *folder;
	int fd;
	struct wl_event_source *source;
	struct place *places;
	size_t count, capacity;
	watch_changed_func changed;
	void *data;
};

static void forget_places(struct watch *watch) {
	for (size_t i = 0; i < watch->count; i++) {
		inotify_rm_watch(watch->fd, watch->places[i].wd);
		free(watch->places[i].path);
		free(watch->places[i].child);
	}
	watch->count = 0;
}

/* 0 or an errno. */
static int add_place(struct watch *watch, const char *path, const char *child) {
	int wd = inotify_add_watch(
		watch->fd, path, child != nullptr ? PARENT_EVENTS : FOLDER_EVENTS);
	if (wd < 0)
		return errno;
	if (watch->count == watch->capacity) {
		watch->capacity = watch->capacity == 0 ? 8 : watch->capacity * 2;
		struct place *grown = allocate(watch->capacity, sizeof(*grown));
		if (watch->count > 0)
			memcpy(grown, watch->places, watch->count * sizeof(*grown));
		free(watch->places);
		watch->places = grown;
	}
	watch->places[watch->count++] = (struct place){
		.wd = wd,
		.path = text_copy(path),
		.child = child != nullptr ? text_copy(child) : nullptr,
	};
	return 0;
}

/* The folder and those below it. Watches before it looks, so that nothing slips through. */
static int add_tree(struct watch *watch, const char *path, int depth) {
	int error = add_place(watch, path, nullptr);
	if (error != 0)
		return error;
	DIR *entries = depth < SNAPSHOT_DEPTH_MAX ? opendir(path) : nullptr;
	if (entries == nullptr)
		return 0;
	struct dirent *entry;
	while ((entry = readdir(entries)) != nullptr && error != ENOSPC) {
		struct stat info;
		if (snapshot_is_ignored(entry->d_name) ||
			fstatat(dirfd(entries), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
			!S_ISDIR(info.st_mode))
			continue;
		char *deeper = text_format("%s/%s", path, entry->d_name);
		error = add_tree(watch, deeper, depth + 1);
		free(deeper);
	}
	closedir(entries);
	return error == ENOSPC ? ENOSPC : 0;
}

/* The parent of the folder or, while that is missing too, the nearest one that exists. */
static int add_parent(struct watch *watch) {
	char *path = text_copy(watch->folder);
	int error = ENOENT;
	while (error == ENOENT || error == ENOTDIR) {
		char *slash = strrchr(path, '/');
		if (slash == nullptr || slash[1] == '\0')
			break;
		char *child = text_copy(slash + 1);
		if (slash == path)
			slash++;
		*slash = '\0';
		error = add_place(watch, path, child);
		free(child);
	}
	free(path);
	return error;
}

static int watch_places(struct watch *watch) {
	int error = 0;
	/* Once more when the folder appeared between the two steps. */
	for (int attempt = 0; attempt < 8; attempt++) {
		forget_places(watch);
		error = add_parent(watch);
		if (error != 0)
			return error;
		struct stat info;
		error = add_tree(watch, watch->folder, 0);
		if (error == 0 || error == ENOSPC || stat(watch->folder, &info) != 0)
			break;
	}
	return error == ENOSPC ? error : 0;
}

/* Whether an event can mean that a source changed, and whether the set of folders did. */
static bool matters(struct watch *watch, const struct inotify_event *event, bool *folders) {
	if ((event->mask & IN_Q_OVERFLOW) != 0) {
		*folders = true;
		return true;
	}
	const struct place *place = nullptr;
	for (size_t i = 0; i < watch->count; i++) {
		if (watch->places[i].wd == event->wd)
			place = &watch->places[i];
	}
	if (place == nullptr)
		return false;
	if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0) {
		*folders = true;
		return true;
	}
	if (event->len == 0)
		return false;
	if (place->child != nullptr) {
		if (strcmp(place->child, event->name) != 0)
			return false;
		*folders = true;
		return true;
	}
	if (snapshot_is_ignored(event->name))
		return false;
	if ((event->mask & IN_ISDIR) != 0) {
		bool moved = (event->mask & ~(uint32_t)(IN_ISDIR | IN_ATTRIB)) != 0;
		*folders = *folders || moved;
		return moved;
	}
	if ((event->mask & IN_CREATE) != 0) {
		/* A new file is not written yet: the end of that comes as another event. A new link
		 * is all there is. */
		char *path = text_format("%s/%s", place->path, event->name);
		struct stat info;
		bool link = lstat(path, &info) == 0 && (S_ISLNK(info.st_mode) || info.st_nlink > 1);
		free(path);
		return link;
	}
	return true;
}

static int handle_events(int fd, uint32_t mask, void *data) {
	struct watch *watch = data;
	alignas(struct inotify_event) char chunk[16384];
	bool changed = false, folders = false;
	ssize_t size;
	while ((size = read(fd, chunk, sizeof(chunk))) > 0) {
		for (ssize_t at = 0; at < size;) {
			const struct inotify_event *event =
				(const struct inotify_event *)(chunk + at);
			changed = matters(watch, event, &folders) || changed;
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	uint64_t time = now_ns();
	if (folders) {
		int error = watch_places(watch);
		if (error != 0)
			city_log(CITY_LOG_WARN, "forge", "cannot watch all of %s: %s",
				watch->folder, strerror(error));
	}
	if (changed)
		watch->changed(watch->data, time);
	return 0;
}

struct watch *watch_create(struct wl_event_loop *loop, const char *folder,
	watch_changed_func changed, void *data, char **why) {
	struct watch *watch = allocate(1, sizeof(*watch));
	watch->folder = text_copy(folder);
	size_t size = strlen(watch->folder);
	while (size > 1 && watch->folder[size - 1] == '/')
		watch->folder[--size] = '\0';
	watch->changed = changed;
	watch->data = data;
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->fd < 0) {
		*why = text_format("cannot watch %s: %s%s", folder, strerror(errno),
			errno == EMFILE ? "; raise fs.inotify.max_user_instances" : "");
		goto error;
	}
	int error = watch_places(watch);
	if (error != 0) {
		*why = text_format("cannot watch %s: %s%s", folder, strerror(error),
			error == ENOSPC ? "; raise fs.inotify.max_user_watches" : "");
		goto error;
	}
	watch->source =
		wl_event_loop_add_fd(loop, watch->fd, WL_EVENT_READABLE, handle_events, watch);
	return watch;
error:
	watch_destroy(watch);
	return nullptr;
}

void watch_destroy(struct watch *watch) {
	if (watch == nullptr)
		return;
	if (watch->source != nullptr)
		wl_event_source_remove(watch->source);
	if (watch->fd >= 0) {
		forget_places(watch);
		close(watch->fd);
	}
	free(watch->places);
	free(watch->folder);
	free(watch);
}

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

struct watch;

/* What inotify knows as one: there is one for a folder, however many watches look at it. */
struct eye {
	int wd;
	struct wl_list places; /* place.of_eye */
};

struct watcher {
	struct wl_event_loop *loop;
	int fd; /* -1: nothing was watched yet */
	struct wl_event_source *source;
	struct eye **eyes; /* sorted by wd */
	size_t count, capacity;
	struct wl_list watches; /* watch.link */
	struct wl_list noticed; /* watch.noticed */
};

/* A folder that matters to a watch. */
struct place {
	struct wl_list of_eye, of_watch;
	struct eye *eye; /* NULL: inotify has let go of it */
	struct watch *watch;
	uint32_t events;
	char *path;
	char *child; /* of a parent: the name in it that matters; NULL for a folder of sources */
};

struct watch {
	struct wl_list link; /* watcher.watches */
	struct watcher *watcher;
	char *folder;
	struct wl_list places; /* place.of_watch */
	watch_changed_func changed;
	void *data;

	struct wl_list noticed; /* watcher.noticed, while there is something to look at: */
	bool sources, folders;	/* one of them may have changed */
};

/* ---- eyes */

/* Where the one of this descriptor is, or would be. */
static size_t find_eye(const struct watcher *watcher, int wd) {
	size_t low = 0, high = watcher->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (watcher->eyes[middle]->wd < wd)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct eye *eye_of(const struct watcher *watcher, int wd) {
	size_t at = find_eye(watcher, wd);
	return at < watcher->count && watcher->eyes[at]->wd == wd ? watcher->eyes[at] : nullptr;
}

static struct eye *make_eye(struct watcher *watcher, int wd) {
	if (watcher->count == watcher->capacity) {
		watcher->capacity = watcher->capacity == 0 ? 64 : watcher->capacity * 2;
		struct eye **grown = allocate(watcher->capacity, sizeof(struct eye *));
		if (watcher->count > 0)
			memcpy(grown, watcher->eyes, watcher->count * sizeof(struct eye *));
		free(watcher->eyes);
		watcher->eyes = grown;
	}
	struct eye *eye = allocate(1, sizeof(*eye));
	eye->wd = wd;
	wl_list_init(&eye->places);
	/* Nearly always the last one: inotify counts up. */
	size_t at = find_eye(watcher, wd);
	memmove(watcher->eyes + at + 1, watcher->eyes + at,
		(watcher->count - at) * sizeof(struct eye *));
	watcher->eyes[at] = eye;
	watcher->count++;
	return eye;
}

static void drop_eye(struct watcher *watcher, struct eye *eye) {
	size_t at = find_eye(watcher, eye->wd);
	watcher->count--;
	memmove(watcher->eyes + at, watcher->eyes + at + 1,
		(watcher->count - at) * sizeof(struct eye *));
	free(eye);
}

/* ---- places */

static void forget_places(struct watch *watch) {
	struct place *place, *next;
	wl_list_for_each_safe(place, next, &watch->places, of_watch) {
		struct eye *eye = place->eye;
		wl_list_remove(&place->of_eye);
		wl_list_remove(&place->of_watch);
		if (eye != nullptr && wl_list_empty(&eye->places)) {
			inotify_rm_watch(watch->watcher->fd, eye->wd);
			drop_eye(watch->watcher, eye);
		}
		free(place->path);
		free(place->child);
		free(place);
	}
}

/* 0 or an errno. */
static int add_place(struct watch *watch, const char *path, const char *child) {
	struct watcher *watcher = watch->watcher;
	uint32_t events = child != nullptr ? PARENT_EVENTS : FOLDER_EVENTS;
	/* Others may want more of the same folder. */
	int wd = inotify_add_watch(watcher->fd, path, events | IN_MASK_ADD);
	if (wd < 0)
		return errno;
	struct eye *eye = eye_of(watcher, wd);
	if (eye == nullptr)
		eye = make_eye(watcher, wd);
	struct place *place = allocate(1, sizeof(*place));
	*place = (struct place){
		.eye = eye,
		.watch = watch,
		.events = events & IN_ALL_EVENTS,
		.path = text_copy(path),
		.child = child != nullptr ? text_copy(child) : nullptr,
	};
	wl_list_insert(&eye->places, &place->of_eye);
	wl_list_insert(&watch->places, &place->of_watch);
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

/* ---- events */

/* Whether an event can mean that a source changed, and whether the set of folders did. */
static bool matters(const struct place *place, const struct inotify_event *event, bool *folders) {
	if ((event->mask & (IN_IGNORED | IN_UNMOUNT)) != 0) {
		*folders = true;
		return true;
	}
	if ((event->mask & place->events) == 0)
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

static void mark(struct watch *watch, bool sources, bool folders) {
	if ((sources || folders) && wl_list_empty(&watch->noticed))
		wl_list_insert(watch->watcher->noticed.prev, &watch->noticed);
	watch->sources = watch->sources || sources;
	watch->folders = watch->folders || folders;
}

static void notice(struct watcher *watcher, const struct inotify_event *event) {
	if ((event->mask & IN_Q_OVERFLOW) != 0) {
		struct watch *watch;
		wl_list_for_each(watch, &watcher->watches, link) mark(watch, true, true);
		return;
	}
	struct eye *eye = eye_of(watcher, event->wd);
	if (eye == nullptr)
		return;
	struct place *place, *next;
	wl_list_for_each_safe(place, next, &eye->places, of_eye) {
		bool folders = false, sources = matters(place, event, &folders);
		mark(place->watch, sources, folders);
		if ((event->mask & IN_IGNORED) != 0) {
			wl_list_remove(&place->of_eye);
			wl_list_init(&place->of_eye);
			place->eye = nullptr;
		}
	}
	if ((event->mask & IN_IGNORED) != 0)
		drop_eye(watcher, eye);
}

/* The watch may be gone when it returns. */
static void tell(struct watch *watch, uint64_t time_ns) {
	bool sources = watch->sources, folders = watch->folders;
	watch->sources = watch->folders = false;
	if (folders) {
		int error = watch_places(watch);
		if (error != 0)
			city_log(CITY_LOG_WARN, "forge", "cannot watch all of %s: %s",
				watch->folder, strerror(error));
	}
	if (sources)
		watch->changed(watch->data, time_ns);
}

static int handle_events(int fd, uint32_t mask, void *data) {
	struct watcher *watcher = data;
	alignas(struct inotify_event) char chunk[16384];
	ssize_t size;
	while ((size = read(fd, chunk, sizeof(chunk))) > 0) {
		for (ssize_t at = 0; at < size;) {
			const struct inotify_event *event =
				(const struct inotify_event *)(chunk + at);
			notice(watcher, event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	uint64_t time = now_ns();
	/* Who is told may end others. */
	while (!wl_list_empty(&watcher->noticed)) {
		struct watch *watch = wl_container_of(watcher->noticed.next, watch, noticed);
		wl_list_remove(&watch->noticed);
		wl_list_init(&watch->noticed);
		tell(watch, time);
	}
	return 0;
}

/* ---- all watches */

struct watcher *watcher_create(struct wl_event_loop *loop) {
	struct watcher *watcher = allocate(1, sizeof(*watcher));
	watcher->loop = loop;
	watcher->fd = -1;
	wl_list_init(&watcher->watches);
	wl_list_init(&watcher->noticed);
	return watcher;
}

void watcher_destroy(struct watcher *watcher) {
	if (watcher == nullptr)
		return;
	if (watcher->source != nullptr)
		wl_event_source_remove(watcher->source);
	if (watcher->fd >= 0)
		close(watcher->fd);
	free(watcher->eyes);
	free(watcher);
}

/* 0 or an errno. */
static int open_watcher(struct watcher *watcher) {
	if (watcher->fd >= 0)
		return 0;
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0)
		return errno;
	watcher->source =
		wl_event_loop_add_fd(watcher->loop, fd, WL_EVENT_READABLE, handle_events, watcher);
	if (watcher->source == nullptr) {
		close(fd);
		return ENOMEM;
	}
	watcher->fd = fd;
	return 0;
}

struct watch *watch_create(struct watcher *watcher, const char *folder, watch_changed_func changed,
	void *data, char **why) {
	int error = open_watcher(watcher);
	if (error != 0) {
		*why = text_format("cannot watch %s: %s%s", folder, strerror(error),
			error == EMFILE ? "; raise fs.inotify.max_user_instances" : "");
		return nullptr;
	}
	struct watch *watch = allocate(1, sizeof(*watch));
	watch->watcher = watcher;
	watch->folder = text_copy(folder);
	size_t size = strlen(watch->folder);
	while (size > 1 && watch->folder[size - 1] == '/')
		watch->folder[--size] = '\0';
	watch->changed = changed;
	watch->data = data;
	wl_list_init(&watch->places);
	wl_list_init(&watch->noticed);
	wl_list_insert(watcher->watches.prev, &watch->link);
	error = watch_places(watch);
	if (error != 0) {
		*why = text_format("cannot watch %s: %s%s", folder, strerror(error),
			error == ENOSPC ? "; raise fs.inotify.max_user_watches" : "");
		watch_destroy(watch);
		return nullptr;
	}
	return watch;
}

void watch_destroy(struct watch *watch) {
	if (watch == nullptr)
		return;
	forget_places(watch);
	wl_list_remove(&watch->link);
	wl_list_remove(&watch->noticed);
	free(watch->folder);
	free(watch);
}

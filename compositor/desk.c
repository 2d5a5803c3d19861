/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_output.h>

#include "compositor/desk_internal.h"
#include "compositor/keeper.h"
#include "compositor/pending.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/tile.h"
#include "compositor/view.h"
#include "log.h"

/* Names the layout too: another one gets another number. */
#define MAGIC (UINT64_C(0x0000006b73656463) | (uint64_t)sizeof(struct sheet) << 40)
#define ENTRIES_MAX 4096

struct copy {
	uint32_t count;
	uint32_t camera_count;
	struct city_desk_camera cameras[CITY_DESK_CAMERAS]; /* the one that moved last first */
	struct city_desk_entry entries[ENTRIES_MAX];	    /* the topmost first */
};

struct sheet {
	uint64_t magic;
	_Atomic uint32_t current; /* which copy; written last */
	/* Whether the session is locked. Stays where it is in each other layout, too. */
	_Atomic uint32_t locked;
	struct copy copies[2];
	struct city_pending_sheet pending;
};

static struct city_tile *tile_of(const struct city_view *view) {
	struct city_tile *tile = wl_container_of(view, tile, view);
	return tile;
}

static const struct copy *current(const struct city_desk *desk) {
	return &desk->sheet->copies[atomic_load(&desk->sheet->current) & 1];
}

struct city_view *city_desk_view_of(const struct city_desk_left *left) {
	if (city_desk_is_window(&left->entry)) {
		return left->view;
	}
	struct city_view *view;
	wl_list_for_each(view, &left->desk->server->views, link) {
		if (view->kind == CITY_VIEW_TILE &&
			vat_uuid_equal(&tile_of(view)->uuid, &left->entry.uuid)) {
			return view;
		}
	}
	return NULL;
}

int city_desk_rank(const struct city_desk *desk, const struct city_view *view) {
	for (uint32_t i = 0; i < desk->left_count; i++) {
		const struct city_desk_left *left = &desk->left[i];
		bool is = view->kind == CITY_VIEW_TILE
			? vat_uuid_equal(&tile_of(view)->uuid, &left->entry.uuid)
			: left->view == view;
		if (is) {
			return (int)i;
		}
	}
	return -1;
}

/* ---- writing */

static void put(struct city_desk_entry *entry, struct city_view *view) {
	*entry = (struct city_desk_entry){
		.box = city_view_own_box(view),
		.now = city_view_box(view),
		.part = view->part,
		.flags = (view->shown ? CITY_DESK_SHOWN : 0u) |
			(view->minimized ? CITY_DESK_MINIMIZED : 0u) |
			(view->maximized ? CITY_DESK_MAXIMIZED : 0u) |
			(view->fullscreen ? CITY_DESK_FULLSCREEN : 0u) |
			(view->above ? CITY_DESK_ABOVE : 0u) |
			(view->snapped ? CITY_DESK_SNAPPED : 0u) |
			(view->server->focused == view ? CITY_DESK_FOCUSED : 0u),
	};
	if (view->kind == CITY_VIEW_TILE) {
		entry->uuid = tile_of(view)->uuid;
		return;
	}
	entry->pid = view->process.pid;
	entry->began = view->process.began;
	entry->made = view->id;
	snprintf(entry->app_id, sizeof(entry->app_id), "%s", city_view_app_id(view));
	snprintf(entry->title, sizeof(entry->title), "%s", city_view_title(view));
}

static bool is_kept(struct city_view *view) {
	return view->kind == CITY_VIEW_TILE ? !tile_of(view)->closing
					    : view->shown && view->process.pid > 0;
}

/* Windows that are still awaited stay where they were among the others. */
static uint32_t put_awaited(
	const struct city_desk *desk, struct copy *copy, uint32_t from, uint32_t to) {
	for (; from < to; from++) {
		const struct city_desk_left *left = &desk->left[from];
		if (!left->awaited || copy->count == ENTRIES_MAX) {
			continue;
		}
		struct city_desk_entry *entry = &copy->entries[copy->count++];
		*entry = left->entry;
		if (desk->server->focused != NULL) {
			entry->flags &= ~(uint32_t)CITY_DESK_FOCUSED;
		}
	}
	return to;
}

static void write_now(void *data) {
	struct city_desk *desk = data;
	desk->idle = NULL;
	uint32_t next = (atomic_load(&desk->sheet->current) + 1) & 1;
	struct copy *copy = &desk->sheet->copies[next];
	memcpy(copy->cameras, desk->cameras, sizeof(copy->cameras));
	copy->camera_count = desk->camera_count;
	copy->count = 0;
	uint32_t reached = 0;
	struct city_view *view;
	wl_list_for_each(view, &desk->server->views, link) {
		if (!is_kept(view)) {
			continue;
		}
		int rank = desk->timer != NULL ? city_desk_rank(desk, view) : -1;
		if (rank > (int)reached) {
			reached = put_awaited(desk, copy, reached, (uint32_t)rank);
		}
		if (copy->count < ENTRIES_MAX) {
			put(&copy->entries[copy->count++], view);
		}
	}
	put_awaited(desk, copy, reached, desk->left_count);
	atomic_store(&desk->sheet->current, next);
}

void city_desk_changed(struct city_desk *desk) {
	if (desk != NULL && desk->begun && desk->idle == NULL) {
		desk->idle = wl_event_loop_add_idle(desk->server->loop, write_now, desk);
	}
}

static void handle_focus(struct wl_listener *listener, void *data) {
	struct city_desk *desk = wl_container_of(listener, desk, focus);
	int rank = desk->begun && data != NULL ? city_desk_rank(desk, data) : -1;
	if (rank >= 0) {
		desk->left[rank].raised = true;
	}
	city_desk_changed(desk);
}

static uint32_t find_camera(const struct city_desk *desk, const char *output) {
	uint32_t at = 0;
	while (at < desk->camera_count && strcmp(desk->cameras[at].output, output) != 0) {
		at++;
	}
	return at;
}

static void handle_camera(struct wl_listener *listener, void *data) {
	struct city_desk *desk = wl_container_of(listener, desk, camera);
	const struct city_stage *stage = data;
	if (stage->output == NULL || !desk->begun) {
		return;
	}
	struct city_camera end = city_map_end(&stage->camera);
	struct city_desk_camera place = {.cx = end.cx, .cy = end.cy, .zoom = end.zoom};
	snprintf(place.output, sizeof(place.output), "%s", stage->output->wlr_output->name);
	uint32_t at = find_camera(desk, place.output);
	if (at == desk->camera_count) {
		/* Of too many the one that has not moved for longest goes. */
		at = at < CITY_DESK_CAMERAS ? desk->camera_count++ : CITY_DESK_CAMERAS - 1;
	}
	memmove(&desk->cameras[1], &desk->cameras[0], at * sizeof(desk->cameras[0]));
	desk->cameras[0] = place;
	city_desk_changed(desk);
}

bool city_desk_camera(
	const struct city_desk *desk, const char *output, struct city_camera *camera) {
	uint32_t at = desk == NULL ? 0 : find_camera(desk, output);
	if (desk == NULL || at == desk->camera_count) {
		return false;
	}
	const struct city_desk_camera *place = &desk->cameras[at];
	city_map_copy(camera,
		&(struct city_camera){.cx = place->cx, .cy = place->cy, .zoom = place->zoom});
	return true;
}

/* ---- reading */

const struct city_desk_entry *city_desk_find(
	const struct city_desk *desk, const struct vat_uuid *uuid) {
	for (uint32_t i = 0; desk != NULL && i < desk->left_count; i++) {
		if (vat_uuid_equal(&desk->left[i].entry.uuid, uuid)) {
			return &desk->left[i].entry;
		}
	}
	return NULL;
}

bool city_desk_was_left(const struct city_desk *desk) {
	return desk != NULL && desk->was_left;
}

struct city_pending_sheet *city_desk_pending(struct city_desk *desk) {
	/* In safe mode, and of another layout, there is nothing to be seen. */
	return desk->sheet->magic == MAGIC && desk->server->safe == NULL ? &desk->sheet->pending
									 : NULL;
}

void city_desk_set_locked(struct city_desk *desk, bool locked) {
	if (desk != NULL) {
		atomic_store(&desk->sheet->locked, locked);
	}
}

bool city_desk_was_locked(const struct city_desk *desk) {
	return desk != NULL && atomic_load(&desk->sheet->locked) != 0;
}

static void restore(struct city_desk *desk) {
	struct city_view *focused = NULL;
	for (uint32_t i = desk->left_count; i > 0; i--) {
		const struct city_desk_left *left = &desk->left[i - 1];
		uint32_t flags = left->entry.flags;
		struct city_view *view = city_desk_view_of(left);
		if (view == NULL || !view->shown) {
			continue;
		}
		city_view_raise(view);
		if (flags & CITY_DESK_SNAPPED) {
			city_view_snap_again(
				view, left->entry.part, &left->entry.now, &left->entry.box);
		}
		if (flags & CITY_DESK_MAXIMIZED) {
			city_view_set_maximized(view, true);
		}
		if (flags & CITY_DESK_FULLSCREEN) {
			city_view_set_fullscreen(view, true);
		}
		city_view_set_above(view, (flags & CITY_DESK_ABOVE) != 0);
		if (flags & CITY_DESK_FOCUSED) {
			focused = view;
		}
	}
	/* The last ones of the order. */
	for (uint32_t i = 0; i < desk->left_count; i++) {
		struct city_view *view = city_desk_view_of(&desk->left[i]);
		if (view != NULL && (desk->left[i].entry.flags & CITY_DESK_MINIMIZED)) {
			city_view_set_minimized(view, true);
		}
	}
	/* The window that had it will get it, or somebody else, if it does not come. */
	city_server_focus(desk->server, focused, false);
	struct city_output *output;
	wl_list_for_each(output, &desk->server->outputs, link) {
		struct city_camera camera;
		if (city_desk_camera(desk, output->wlr_output->name, &camera)) {
			city_map_set(output->stage, camera.cx, camera.cy, camera.zoom);
		}
	}
	city_desk_await_windows(desk);
}

/* ---- life */

void city_desk_begin(struct city_desk *desk) {
	if (desk == NULL) {
		return;
	}
	if (desk->was_left) {
		restore(desk);
	}
	desk->begun = true;
	if (desk->sheet->magic != MAGIC) {
		memset(desk->sheet->pending.current, 0, sizeof(desk->sheet->pending.current));
		desk->sheet->magic = MAGIC;
	}
	struct city_output *output;
	wl_list_for_each(output, &desk->server->outputs, link) {
		handle_camera(&desk->camera, output->stage);
	}
	city_desk_changed(desk);
}

static bool is_whole(const struct sheet *sheet) {
	return sheet->magic == MAGIC &&
		sheet->copies[atomic_load(&sheet->current) & 1].count <= ENTRIES_MAX &&
		sheet->copies[atomic_load(&sheet->current) & 1].camera_count <= CITY_DESK_CAMERAS;
}

static void read_cameras(struct city_desk *desk) {
	const struct copy *copy = current(desk);
	for (uint32_t i = 0; i < copy->camera_count; i++) {
		const struct city_desk_camera *place = &copy->cameras[i];
		if (memchr(place->output, 0, sizeof(place->output)) != NULL &&
			isfinite(place->cx) && isfinite(place->cy) && place->zoom > 0 &&
			isfinite(place->zoom)) {
			desk->cameras[desk->camera_count++] = *place;
		}
	}
}

/* A copy, as what it is taken from will be written over. */
static bool take(struct city_desk *desk) {
	const struct copy *copy = current(desk);
	desk->left = calloc(copy->count + 1, sizeof(*desk->left));
	if (desk->left == NULL) {
		return false;
	}
	desk->left_count = copy->count;
	for (uint32_t i = 0; i < copy->count; i++) {
		struct city_desk_left *left = &desk->left[i];
		left->desk = desk;
		left->process = -1;
		left->entry = copy->entries[i];
		left->entry.app_id[sizeof(left->entry.app_id) - 1] = '\0';
		left->entry.title[sizeof(left->entry.title) - 1] = '\0';
	}
	return true;
}

struct city_desk *city_desk_create(struct city_server *server) {
	int fd = server->keeper != NULL ? city_keeper_desk(server->keeper) : -1;
	if (fd < 0) {
		return NULL;
	}
	struct city_desk *desk = calloc(1, sizeof(*desk));
	struct stat info;
	void *map = MAP_FAILED;
	/* Pages that are not used take no memory. */
	if (desk != NULL && fstat(fd, &info) == 0 &&
		(info.st_size >= (off_t)sizeof(struct sheet) ||
			ftruncate(fd, sizeof(struct sheet)) == 0)) {
		map = mmap(NULL, sizeof(struct sheet), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if (map == MAP_FAILED) {
		city_log(CITY_LOG_WARN, "desk",
			"where tiles lie, and a lock, will not outlive this compositor: %s",
			strerror(errno));
		free(desk);
		return NULL;
	}
	desk->server = server;
	desk->sheet = map;
	/* In safe mode it stays as it is, for the city that comes after that. */
	desk->was_left = server->safe == NULL && is_whole(desk->sheet) && take(desk);
	if (desk->was_left) {
		read_cameras(desk);
	}
	desk->focus.notify = handle_focus;
	wl_signal_add(&server->events.focus, &desk->focus);
	desk->camera.notify = handle_camera;
	wl_signal_add(&server->events.camera, &desk->camera);
	return desk;
}

void city_desk_destroy(struct city_desk *desk) {
	if (desk == NULL) {
		return;
	}
	if (desk->idle != NULL) {
		wl_event_source_remove(desk->idle);
	}
	wl_list_remove(&desk->focus.link);
	wl_list_remove(&desk->camera.link);
	city_desk_forget_windows(desk);
	free(desk->left);
	munmap(desk->sheet, sizeof(*desk->sheet));
	free(desk);
}

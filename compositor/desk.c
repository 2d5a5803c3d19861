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

#include "compositor/desk.h"
#include "compositor/keeper.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/tile.h"
#include "compositor/view.h"
#include "log.h"

/* Names the layout too: another one gets another number. */
#define MAGIC UINT64_C(0x0200006b73656463)
#define ENTRIES_MAX 4096
#define CAMERAS_MAX 32

/* Where the camera of an output is, or was when it went. */
struct place {
	char output[64]; /* its name */
	double cx, cy, zoom;
};

struct copy {
	uint32_t count;
	uint32_t camera_count;
	struct place cameras[CAMERAS_MAX];	     /* the one that moved last first */
	struct city_desk_entry entries[ENTRIES_MAX]; /* the topmost first */
};

struct sheet {
	uint64_t magic;
	_Atomic uint32_t current; /* which copy; written last */
	uint32_t unused;
	struct copy copies[2];
};

struct city_desk {
	struct city_server *server;
	struct sheet *sheet;
	bool left; /* there was something on it */
	bool begun;
	struct wl_event_source *idle; /* it is about to be written */
	struct place cameras[CAMERAS_MAX];
	uint32_t camera_count;
	struct wl_listener focus, camera;
};

static const struct copy *current(const struct city_desk *desk) {
	return &desk->sheet->copies[atomic_load(&desk->sheet->current) & 1];
}

/* ---- writing */

static struct city_tile *tile_of(struct city_view *view) {
	struct city_tile *tile = wl_container_of(view, tile, view);
	return tile;
}

static void put(struct city_desk_entry *entry, struct city_view *view) {
	const bool filling = view->fullscreen || view->maximized;
	*entry = (struct city_desk_entry){
		.uuid = tile_of(view)->uuid,
		.box = filling ? view->restore : city_view_box(view),
		.flags = (view->shown ? CITY_DESK_SHOWN : 0u) |
			(view->minimized ? CITY_DESK_MINIMIZED : 0u) |
			(view->maximized ? CITY_DESK_MAXIMIZED : 0u) |
			(view->fullscreen ? CITY_DESK_FULLSCREEN : 0u) |
			(view->server->focused == view ? CITY_DESK_FOCUSED : 0u),
	};
}

static void write_now(void *data) {
	struct city_desk *desk = data;
	desk->idle = NULL;
	uint32_t next = (atomic_load(&desk->sheet->current) + 1) & 1;
	struct copy *copy = &desk->sheet->copies[next];
	memcpy(copy->cameras, desk->cameras, sizeof(copy->cameras));
	copy->camera_count = desk->camera_count;
	copy->count = 0;
	struct city_view *view;
	wl_list_for_each(view, &desk->server->views, link) {
		if (view->kind == CITY_VIEW_TILE && !tile_of(view)->closing &&
			copy->count < ENTRIES_MAX) {
			put(&copy->entries[copy->count++], view);
		}
	}
	atomic_store(&desk->sheet->current, next);
}

void city_desk_changed(struct city_desk *desk) {
	if (desk != NULL && desk->begun && desk->idle == NULL) {
		desk->idle = wl_event_loop_add_idle(desk->server->loop, write_now, desk);
	}
}

static void handle_focus(struct wl_listener *listener, void *data) {
	struct city_desk *desk = wl_container_of(listener, desk, focus);
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
	struct place place = {.cx = end.cx, .cy = end.cy, .zoom = end.zoom};
	snprintf(place.output, sizeof(place.output), "%s", stage->output->wlr_output->name);
	uint32_t at = find_camera(desk, place.output);
	if (at == desk->camera_count) {
		/* Of too many the one that has not moved for longest goes. */
		at = at < CAMERAS_MAX ? desk->camera_count++ : CAMERAS_MAX - 1;
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
	const struct place *place = &desk->cameras[at];
	city_map_copy(camera,
		&(struct city_camera){.cx = place->cx, .cy = place->cy, .zoom = place->zoom});
	return true;
}

/* ---- reading */

const struct city_desk_entry *city_desk_find(
	const struct city_desk *desk, const struct vat_uuid *uuid) {
	if (desk == NULL || !desk->left) {
		return NULL;
	}
	const struct copy *copy = current(desk);
	for (uint32_t i = 0; i < copy->count; i++) {
		if (vat_uuid_equal(&copy->entries[i].uuid, uuid)) {
			return &copy->entries[i];
		}
	}
	return NULL;
}

bool city_desk_was_left(const struct city_desk *desk) {
	return desk != NULL && desk->left;
}

static struct city_view *find_view(struct city_desk *desk, const struct vat_uuid *uuid) {
	struct city_view *view;
	wl_list_for_each(view, &desk->server->views, link) {
		if (view->kind == CITY_VIEW_TILE && vat_uuid_equal(&tile_of(view)->uuid, uuid)) {
			return view;
		}
	}
	return NULL;
}

static void restore(struct city_desk *desk) {
	const struct copy *copy = current(desk);
	struct city_view *focused = NULL;
	for (uint32_t i = copy->count; i > 0; i--) {
		const struct city_desk_entry *entry = &copy->entries[i - 1];
		struct city_view *view = find_view(desk, &entry->uuid);
		if (view == NULL || !view->shown) {
			continue;
		}
		city_view_raise(view);
		if (entry->flags & CITY_DESK_MAXIMIZED) {
			city_view_set_maximized(view, true);
		}
		if (entry->flags & CITY_DESK_FULLSCREEN) {
			city_view_set_fullscreen(view, true);
		}
		if (entry->flags & CITY_DESK_FOCUSED) {
			focused = view;
		}
	}
	/* The last ones of the order. */
	for (uint32_t i = 0; i < copy->count; i++) {
		struct city_view *view = find_view(desk, &copy->entries[i].uuid);
		if (view != NULL && (copy->entries[i].flags & CITY_DESK_MINIMIZED)) {
			city_view_set_minimized(view, true);
		}
	}
	city_server_focus(desk->server, focused, false);
	struct city_output *output;
	wl_list_for_each(output, &desk->server->outputs, link) {
		struct city_camera camera;
		if (city_desk_camera(desk, output->wlr_output->name, &camera)) {
			city_map_set(output->stage, camera.cx, camera.cy, camera.zoom);
		}
	}
}

/* ---- life */

void city_desk_begin(struct city_desk *desk) {
	if (desk == NULL) {
		return;
	}
	if (desk->left) {
		restore(desk);
	}
	desk->begun = true;
	desk->sheet->magic = MAGIC;
	struct city_output *output;
	wl_list_for_each(output, &desk->server->outputs, link) {
		handle_camera(&desk->camera, output->stage);
	}
	city_desk_changed(desk);
}

static bool is_whole(const struct sheet *sheet) {
	return sheet->magic == MAGIC &&
		sheet->copies[atomic_load(&sheet->current) & 1].count <= ENTRIES_MAX &&
		sheet->copies[atomic_load(&sheet->current) & 1].camera_count <= CAMERAS_MAX;
}

static void read_cameras(struct city_desk *desk) {
	const struct copy *copy = current(desk);
	for (uint32_t i = 0; i < copy->camera_count; i++) {
		const struct place *place = &copy->cameras[i];
		if (memchr(place->output, 0, sizeof(place->output)) != NULL &&
			isfinite(place->cx) && isfinite(place->cy) && place->zoom > 0 &&
			isfinite(place->zoom)) {
			desk->cameras[desk->camera_count++] = *place;
		}
	}
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
			"where tiles lie will not outlive this compositor: %s", strerror(errno));
		free(desk);
		return NULL;
	}
	desk->server = server;
	desk->sheet = map;
	desk->left = is_whole(desk->sheet);
	if (desk->left) {
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
	munmap(desk->sheet, sizeof(*desk->sheet));
	free(desk);
}

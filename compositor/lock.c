/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_session_lock_v1.h>

#include "compositor/desk.h"
#include "compositor/lock.h"
#include "compositor/output.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/tablet.h"
#include "compositor/theme.h"
#include "vat/log.h"

struct city_lock {
	struct city_server *server;
	struct wlr_session_lock_manager_v1 *manager;
	struct wlr_session_lock_v1 *lock; /* NULL: not locked, or the locker is gone */
	bool active;
	bool told;		 /* the locker knows that the city is hidden */
	struct wl_list surfaces; /* lock_surface.link */

	struct wl_listener new_lock;
	struct wl_listener new_surface;
	struct wl_listener unlock;
	struct wl_listener lock_destroy;
	struct wl_listener presented;
};

struct lock_surface {
	struct wl_list link;
	struct city_lock *lock;
	struct wlr_session_lock_surface_v1 *surface;
	struct wlr_scene_tree *tree;
	struct wl_listener map;
	struct wl_listener destroy;
};

bool city_lock_active(const struct city_lock *lock) {
	return lock != NULL && lock->active;
}

struct wlr_surface *city_lock_surface(const struct city_lock *lock) {
	struct city_output *focused = city_server_focused_output(lock->server);
	struct wlr_surface *any = NULL;
	struct lock_surface *surface;
	wl_list_for_each(surface, &lock->surfaces, link) {
		if (!surface->surface->surface->mapped) {
			continue;
		}
		any = surface->surface->surface;
		if (focused != NULL && surface->surface->output == focused->wlr_output) {
			return any;
		}
	}
	return any;
}

static void show_city(struct city_server *server, bool shown) {
	struct city_stage *stage;
	wl_list_for_each(stage, &server->stages, link) {
		struct wlr_scene_node *node;
		wl_list_for_each(node, &stage->tree->children, link) {
			wlr_scene_node_set_enabled(
				node, (node == &stage->layers.lock->node) != shown);
		}
	}
}

static void set_cover(struct city_lock *lock, uint32_t rgba) {
	float color[4];
	city_color_float(rgba, color);
	struct city_stage *stage;
	wl_list_for_each(stage, &lock->server->stages, link) {
		wlr_scene_rect_set_color(stage->cover, color);
		wlr_scene_rect_set_size(stage->cover, stage->box.width, stage->box.height);
		wlr_scene_node_set_position(&stage->cover->node, stage->box.x, stage->box.y);
	}
}

static void place(struct lock_surface *surface) {
	struct city_output *output = city_output_from_wlr(surface->surface->output);
	if (output == NULL) {
		return;
	}
	struct wlr_box box = city_output_box(output);
	if (surface->tree->node.parent != output->stage->layers.lock) {
		wlr_scene_node_reparent(&surface->tree->node, output->stage->layers.lock);
	}
	wlr_scene_node_set_position(&surface->tree->node, box.x, box.y);
	if (box.width > 0 && box.height > 0) {
		wlr_session_lock_surface_v1_configure(
			surface->surface, (uint32_t)box.width, (uint32_t)box.height);
	}
}

/* The locker may believe that nothing can be read only once every screen shows the cover. */
static void tell_if_hidden(struct city_lock *lock) {
	if (lock->lock == NULL || lock->told) {
		return;
	}
	struct city_output *output;
	wl_list_for_each(output, &lock->server->outputs, link) {
		if (output->wlr_output->enabled && !output->shows_lock) {
			return;
		}
	}
	lock->told = true;
	wlr_session_lock_v1_send_locked(lock->lock);
}

void city_lock_outputs_changed(struct city_lock *lock) {
	if (!city_lock_active(lock)) {
		return;
	}
	/* Also on one that is new. */
	show_city(lock->server, false);
	set_cover(lock, lock->lock == NULL ? CITY_COLOR_LOST : CITY_COLOR_LOCKED);
	struct lock_surface *surface;
	wl_list_for_each(surface, &lock->surfaces, link) {
		place(surface);
	}
	/* Perhaps the one that had not shown it yet is gone. */
	tell_if_hidden(lock);
}

static void handle_presented(struct wl_listener *listener, void *data) {
	struct city_lock *lock = wl_container_of(listener, lock, presented);
	struct city_presented_event *event = data;
	if (lock->active && event->present->presented &&
		(int32_t)(event->commit_seq - event->output->lock_seq) > 0) {
		event->output->shows_lock = true;
		tell_if_hidden(lock);
	}
}

static void handle_surface_map(struct wl_listener *listener, void *data) {
	struct lock_surface *surface = wl_container_of(listener, surface, map);
	city_seat_focus_update(surface->lock->server->seat);
	city_seat_scene_changed(surface->lock->server->seat);
}

static void lock_surface_destroy(struct lock_surface *surface) {
	wl_list_remove(&surface->link);
	wl_list_remove(&surface->map.link);
	wl_list_remove(&surface->destroy.link);
	wlr_scene_node_destroy(&surface->tree->node);
	free(surface);
}

static void handle_surface_destroy(struct wl_listener *listener, void *data) {
	struct lock_surface *surface = wl_container_of(listener, surface, destroy);
	struct city_server *server = surface->lock->server;
	lock_surface_destroy(surface);
	city_seat_focus_update(server->seat);
}

static void handle_new_surface(struct wl_listener *listener, void *data) {
	struct city_lock *lock = wl_container_of(listener, lock, new_surface);
	struct lock_surface *surface = calloc(1, sizeof(*surface));
	if (surface == NULL) {
		return;
	}
	surface->lock = lock;
	surface->surface = data;
	surface->tree = wlr_scene_subsurface_tree_create(
		lock->server->nowhere->layers.lock, surface->surface->surface);
	if (surface->tree == NULL) {
		free(surface);
		return;
	}
	wl_list_insert(&lock->surfaces, &surface->link);
	surface->map.notify = handle_surface_map;
	wl_signal_add(&surface->surface->surface->events.map, &surface->map);
	surface->destroy.notify = handle_surface_destroy;
	wl_signal_add(&surface->surface->events.destroy, &surface->destroy);
	place(surface);
}

static void forget_lock(struct city_lock *lock) {
	wl_list_remove(&lock->new_surface.link);
	wl_list_remove(&lock->unlock.link);
	wl_list_remove(&lock->lock_destroy.link);
	struct lock_surface *surface, *next;
	wl_list_for_each_safe(surface, next, &lock->surfaces, link) {
		lock_surface_destroy(surface);
	}
	lock->lock = NULL;
}

static void handle_unlock(struct wl_listener *listener, void *data) {
	struct city_lock *lock = wl_container_of(listener, lock, unlock);
	forget_lock(lock);
	lock->active = false;
	city_desk_set_locked(lock->server->desk, false);
	show_city(lock->server, true);
	city_log(CITY_LOG_INFO, "lock", "the session is unlocked");
	city_seat_focus_update(lock->server->seat);
	city_seat_scene_changed(lock->server->seat);
}

static void handle_lock_destroy(struct wl_listener *listener, void *data) {
	struct city_lock *lock = wl_container_of(listener, lock, lock_destroy);
	forget_lock(lock);
	city_log(CITY_LOG_WARN, "lock",
		"the screen locker ended without unlocking; the session stays locked, start "
		"another locker to unlock it");
	set_cover(lock, CITY_COLOR_LOST);
	city_seat_focus_update(lock->server->seat);
}

static void end_grabs(struct city_server *server) {
	struct wlr_seat *seat = server->seat->seat;
	/* What was half done when the user left is not done. */
	if (!city_grab_cancel(server->seat)) {
		city_grab_end(server->seat);
	}
	if (wlr_seat_pointer_has_grab(seat)) {
		wlr_seat_pointer_end_grab(seat);
	}
	if (wlr_seat_keyboard_has_grab(seat)) {
		wlr_seat_keyboard_end_grab(seat);
	}
	if (wlr_seat_touch_has_grab(seat)) {
		wlr_seat_touch_end_grab(seat);
	}
	city_touch_forget(server->seat);
	city_tablets_let_go(server->seat->tablets);
}

static void handle_new_lock(struct wl_listener *listener, void *data) {
	struct city_lock *lock = wl_container_of(listener, lock, new_lock);
	struct city_server *server = lock->server;
	struct wlr_session_lock_v1 *wlr_lock = data;
	if (lock->lock != NULL) {
		wlr_session_lock_v1_destroy(wlr_lock);
		return;
	}
	lock->lock = wlr_lock;
	lock->told = false;
	lock->new_surface.notify = handle_new_surface;
	wl_signal_add(&wlr_lock->events.new_surface, &lock->new_surface);
	lock->unlock.notify = handle_unlock;
	wl_signal_add(&wlr_lock->events.unlock, &lock->unlock);
	lock->lock_destroy.notify = handle_lock_destroy;
	wl_signal_add(&wlr_lock->events.destroy, &lock->lock_destroy);

	end_grabs(server);
	set_cover(lock, CITY_COLOR_LOCKED);
	if (!lock->active) {
		lock->active = true;
		city_desk_set_locked(server->desk, true);
		show_city(server, false);
		struct city_output *output;
		wl_list_for_each(output, &server->outputs, link) {
			output->shows_lock = false;
			output->lock_seq = output->wlr_output->commit_seq;
		}
		city_log(CITY_LOG_INFO, "lock", "the session is locked");
	}
	city_seat_focus_update(server->seat);
	city_seat_scene_changed(server->seat);
	city_server_schedule_frame(server);
	tell_if_hidden(lock);
}

void city_lock_go_on(struct city_server *server) {
	struct city_lock *lock = server->lock;
	lock->active = true;
	show_city(server, false);
	set_cover(lock, CITY_COLOR_LOST);
	city_log(CITY_LOG_WARN, "lock",
		"the compositor ended while the session was locked; it stays locked, start a "
		"screen locker to unlock it");
}

bool city_lock_create(struct city_server *server) {
	struct city_lock *lock = calloc(1, sizeof(*lock));
	if (lock == NULL) {
		return false;
	}
	lock->server = server;
	wl_list_init(&lock->surfaces);
	lock->manager = wlr_session_lock_manager_v1_create(server->display);
	if (lock->manager == NULL) {
		free(lock);
		return false;
	}
	city_server_hide_global(server, lock->manager->global, false);
	lock->new_lock.notify = handle_new_lock;
	wl_signal_add(&lock->manager->events.new_lock, &lock->new_lock);
	lock->presented.notify = handle_presented;
	wl_signal_add(&server->events.frame_presented, &lock->presented);
	server->lock = lock;
	return true;
}

void city_lock_destroy(struct city_server *server) {
	struct city_lock *lock = server->lock;
	if (lock == NULL) {
		return;
	}
	if (lock->lock != NULL) {
		forget_lock(lock);
	}
	wl_list_remove(&lock->new_lock.link);
	wl_list_remove(&lock->presented.link);
	free(lock);
	server->lock = NULL;
}

/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_idle_inhibit_v1.h>
#include <wlr/types/wlr_idle_notify_v1.h>

#include "compositor/idle.h"
#include "compositor/server.h"
#include "compositor/view.h"

struct city_idle {
	struct city_server *server;
	struct wlr_idle_notifier_v1 *notifier;
	struct wlr_idle_inhibit_manager_v1 *inhibit;
	struct wl_list inhibitors; /* inhibitor.link */
	struct wl_listener new_inhibitor;
	struct wl_listener camera;
	struct wl_listener view_mapped;
	struct wl_listener view_unmapped;
};

struct inhibitor {
	struct wl_list link;
	struct city_idle *idle;
	struct wlr_idle_inhibitor_v1 *inhibitor;
	struct wl_listener destroy;
};

/* Only what can be seen keeps the screen awake. */
static void update(struct city_idle *idle) {
	bool inhibited = false;
	struct inhibitor *inhibitor;
	wl_list_for_each(inhibitor, &idle->inhibitors, link) {
		struct wlr_surface *surface = inhibitor->inhibitor->surface;
		const struct city_view *view = city_view_from_surface(idle->server, surface);
		if (surface->mapped && (view == NULL || city_view_is_visible(view))) {
			inhibited = true;
		}
	}
	wlr_idle_notifier_v1_set_inhibited(idle->notifier, inhibited);
}

static void inhibitor_destroy(struct inhibitor *inhibitor) {
	wl_list_remove(&inhibitor->link);
	wl_list_remove(&inhibitor->destroy.link);
	free(inhibitor);
}

static void handle_inhibitor_destroy(struct wl_listener *listener, void *data) {
	struct inhibitor *inhibitor = wl_container_of(listener, inhibitor, destroy);
	struct city_idle *idle = inhibitor->idle;
	inhibitor_destroy(inhibitor);
	update(idle);
}

static void handle_new_inhibitor(struct wl_listener *listener, void *data) {
	struct city_idle *idle = wl_container_of(listener, idle, new_inhibitor);
	struct inhibitor *inhibitor = calloc(1, sizeof(*inhibitor));
	if (inhibitor == NULL) {
		return;
	}
	inhibitor->idle = idle;
	inhibitor->inhibitor = data;
	wl_list_insert(&idle->inhibitors, &inhibitor->link);
	inhibitor->destroy.notify = handle_inhibitor_destroy;
	wl_signal_add(&inhibitor->inhibitor->events.destroy, &inhibitor->destroy);
	update(idle);
}

static void handle_camera(struct wl_listener *listener, void *data) {
	struct city_idle *idle = wl_container_of(listener, idle, camera);
	if (!wl_list_empty(&idle->inhibitors)) {
		update(idle);
	}
}

static void handle_view_mapped(struct wl_listener *listener, void *data) {
	struct city_idle *idle = wl_container_of(listener, idle, view_mapped);
	if (!wl_list_empty(&idle->inhibitors)) {
		update(idle);
	}
}

static void handle_view_unmapped(struct wl_listener *listener, void *data) {
	struct city_idle *idle = wl_container_of(listener, idle, view_unmapped);
	if (!wl_list_empty(&idle->inhibitors)) {
		update(idle);
	}
}

void city_idle_activity(struct city_idle *idle, struct wlr_seat *seat) {
	if (idle == NULL) {
		return;
	}
	if (!wl_list_empty(&idle->inhibitors)) {
		update(idle);
	}
	wlr_idle_notifier_v1_notify_activity(idle->notifier, seat);
}

bool city_idle_create(struct city_server *server) {
	struct city_idle *idle = calloc(1, sizeof(*idle));
	if (idle == NULL) {
		return false;
	}
	idle->server = server;
	wl_list_init(&idle->inhibitors);
	idle->notifier = wlr_idle_notifier_v1_create(server->display);
	idle->inhibit = wlr_idle_inhibit_v1_create(server->display);
	if (idle->notifier == NULL || idle->inhibit == NULL) {
		free(idle);
		return false;
	}
	idle->new_inhibitor.notify = handle_new_inhibitor;
	wl_signal_add(&idle->inhibit->events.new_inhibitor, &idle->new_inhibitor);
	idle->camera.notify = handle_camera;
	wl_signal_add(&server->events.camera, &idle->camera);
	idle->view_mapped.notify = handle_view_mapped;
	wl_signal_add(&server->events.view_mapped, &idle->view_mapped);
	idle->view_unmapped.notify = handle_view_unmapped;
	wl_signal_add(&server->events.view_unmapped, &idle->view_unmapped);
	server->idle = idle;
	return true;
}

void city_idle_destroy(struct city_server *server) {
	struct city_idle *idle = server->idle;
	if (idle == NULL) {
		return;
	}
	struct inhibitor *inhibitor, *next;
	wl_list_for_each_safe(inhibitor, next, &idle->inhibitors, link) {
		inhibitor_destroy(inhibitor);
	}
	wl_list_remove(&idle->new_inhibitor.link);
	wl_list_remove(&idle->camera.link);
	wl_list_remove(&idle->view_mapped.link);
	wl_list_remove(&idle->view_unmapped.link);
	free(idle);
	server->idle = NULL;
}

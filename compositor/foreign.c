/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <wlr/types/wlr_ext_foreign_toplevel_list_v1.h>
#include <wlr/types/wlr_ext_image_capture_source_v1.h>
#include <wlr/types/wlr_foreign_toplevel_management_v1.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/foreign.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/view.h"

struct city_foreign {
	struct city_server *server;
	struct wlr_foreign_toplevel_manager_v1 *manager;
	struct wlr_ext_foreign_toplevel_list_v1 *list;
	struct wlr_ext_foreign_toplevel_image_capture_source_manager_v1 *capture;
	struct wl_list entries; /* entry.link */
	struct wl_listener view_mapped;
	struct wl_listener view_unmapped;
	struct wl_listener camera;
	struct wl_listener capture_request;
};

/* A view as it is listed. */
struct entry {
	struct wl_list link;
	struct city_view *view;
	struct wlr_foreign_toplevel_handle_v1 *handle;
	struct wlr_ext_foreign_toplevel_handle_v1 *ext;
	/* For capture: the view's surface alone, unframed and 1:1. NULL until asked for. */
	struct wlr_scene *scene;
	struct wlr_surface *scene_surface;
	struct wlr_scene_tree *scene_tree;
	struct wl_listener scene_tree_destroy;
	struct wlr_ext_image_capture_source_v1 *source;
	struct wl_listener source_destroy;

	struct wl_listener title;
	struct wl_listener moved;
	struct wl_listener states;
	struct wl_listener request_activate;
	struct wl_listener request_close;
	struct wl_listener request_fullscreen;
	struct wl_listener request_maximize;
	struct wl_listener request_minimize;
};

static void tell_title(struct entry *entry) {
	struct city_view *view = entry->view;
	wlr_foreign_toplevel_handle_v1_set_title(entry->handle, city_view_title(view));
	wlr_foreign_toplevel_handle_v1_set_app_id(entry->handle, city_view_app_id(view));
	struct wlr_ext_foreign_toplevel_handle_v1_state state = {
		.title = city_view_title(view),
		.app_id = city_view_app_id(view),
	};
	wlr_ext_foreign_toplevel_handle_v1_update_state(entry->ext, &state);
}

static void handle_title(struct wl_listener *listener, void *data) {
	struct entry *entry = wl_container_of(listener, entry, title);
	tell_title(entry);
}

static void tell_states(struct entry *entry) {
	const struct city_view *view = entry->view;
	wlr_foreign_toplevel_handle_v1_set_activated(entry->handle, view->active);
	wlr_foreign_toplevel_handle_v1_set_fullscreen(entry->handle, view->fullscreen);
	wlr_foreign_toplevel_handle_v1_set_maximized(entry->handle, view->maximized);
	wlr_foreign_toplevel_handle_v1_set_minimized(entry->handle, view->minimized);
}

/* Taskbars list what is on their own screen. A view that no output shows stays with the last. */
static void tell_output(struct entry *entry) {
	const struct city_output *main = city_view_main_output(entry->view);
	if (main == NULL) {
		return;
	}
	const struct city_output *output;
	wl_list_for_each(output, &entry->view->server->outputs, link) {
		if (output == main) {
			wlr_foreign_toplevel_handle_v1_output_enter(
				entry->handle, output->wlr_output);
		} else {
			wlr_foreign_toplevel_handle_v1_output_leave(
				entry->handle, output->wlr_output);
		}
	}
}

static void handle_moved(struct wl_listener *listener, void *data) {
	struct entry *entry = wl_container_of(listener, entry, moved);
	tell_output(entry);
}

static void handle_states(struct wl_listener *listener, void *data) {
	struct entry *entry = wl_container_of(listener, entry, states);
	tell_states(entry);
}

static void handle_request_activate(struct wl_listener *listener, void *data) {
	struct entry *entry = wl_container_of(listener, entry, request_activate);
	city_view_set_minimized(entry->view, false);
	city_server_focus(entry->view->server, entry->view, true);
}

static void handle_request_close(struct wl_listener *listener, void *data) {
	struct entry *entry = wl_container_of(listener, entry, request_close);
	city_view_close(entry->view);
}

static void handle_request_fullscreen(struct wl_listener *listener, void *data) {
	struct entry *entry = wl_container_of(listener, entry, request_fullscreen);
	const struct wlr_foreign_toplevel_handle_v1_fullscreen_event *event = data;
	city_view_set_fullscreen(entry->view, event->fullscreen);
}

static void handle_request_maximize(struct wl_listener *listener, void *data) {
	struct entry *entry = wl_container_of(listener, entry, request_maximize);
	const struct wlr_foreign_toplevel_handle_v1_maximized_event *event = data;
	city_view_set_maximized(entry->view, event->maximized);
}

static void handle_request_minimize(struct wl_listener *listener, void *data) {
	struct entry *entry = wl_container_of(listener, entry, request_minimize);
	const struct wlr_foreign_toplevel_handle_v1_minimized_event *event = data;
	city_view_set_minimized(entry->view, event->minimized);
}

static void entry_destroy(struct entry *entry) {
	wl_list_remove(&entry->link);
	wl_list_remove(&entry->title.link);
	wl_list_remove(&entry->moved.link);
	wl_list_remove(&entry->states.link);
	wl_list_remove(&entry->request_activate.link);
	wl_list_remove(&entry->request_close.link);
	wl_list_remove(&entry->request_fullscreen.link);
	wl_list_remove(&entry->request_maximize.link);
	wl_list_remove(&entry->request_minimize.link);
	wl_list_remove(&entry->source_destroy.link);
	wl_list_remove(&entry->scene_tree_destroy.link);
	wlr_foreign_toplevel_handle_v1_destroy(entry->handle);
	wlr_ext_foreign_toplevel_handle_v1_destroy(entry->ext);
	if (entry->scene != NULL) {
		wlr_scene_node_destroy(&entry->scene->tree.node);
	}
	free(entry);
}

static void handle_view_mapped(struct wl_listener *listener, void *data) {
	struct city_foreign *foreign = wl_container_of(listener, foreign, view_mapped);
	struct city_view *view = data;
	struct entry *entry = calloc(1, sizeof(*entry));
	if (entry == NULL) {
		return;
	}
	struct wlr_ext_foreign_toplevel_handle_v1_state state = {
		.title = city_view_title(view),
		.app_id = city_view_app_id(view),
	};
	entry->view = view;
	entry->handle = wlr_foreign_toplevel_handle_v1_create(foreign->manager);
	entry->ext = wlr_ext_foreign_toplevel_handle_v1_create(foreign->list, &state);
	if (entry->handle == NULL || entry->ext == NULL) {
		if (entry->handle != NULL) {
			wlr_foreign_toplevel_handle_v1_destroy(entry->handle);
		}
		free(entry);
		return;
	}
	entry->ext->data = entry;
	wl_list_insert(&foreign->entries, &entry->link);
	wl_list_init(&entry->source_destroy.link);
	wl_list_init(&entry->scene_tree_destroy.link);
	entry->title.notify = handle_title;
	wl_signal_add(&view->events.title, &entry->title);
	entry->moved.notify = handle_moved;
	wl_signal_add(&view->events.moved, &entry->moved);
	entry->states.notify = handle_states;
	wl_signal_add(&view->events.states, &entry->states);
	entry->request_activate.notify = handle_request_activate;
	wl_signal_add(&entry->handle->events.request_activate, &entry->request_activate);
	entry->request_close.notify = handle_request_close;
	wl_signal_add(&entry->handle->events.request_close, &entry->request_close);
	entry->request_fullscreen.notify = handle_request_fullscreen;
	wl_signal_add(&entry->handle->events.request_fullscreen, &entry->request_fullscreen);
	entry->request_maximize.notify = handle_request_maximize;
	wl_signal_add(&entry->handle->events.request_maximize, &entry->request_maximize);
	entry->request_minimize.notify = handle_request_minimize;
	wl_signal_add(&entry->handle->events.request_minimize, &entry->request_minimize);
	tell_title(entry);
	tell_output(entry);
	tell_states(entry);
}

/* Only where the camera comes to rest counts. */
static void handle_camera(struct wl_listener *listener, void *data) {
	struct city_foreign *foreign = wl_container_of(listener, foreign, camera);
	const struct city_stage *stage = data;
	struct entry *entry;
	if (stage->camera.moving) {
		return;
	}
	wl_list_for_each(entry, &foreign->entries, link) {
		tell_output(entry);
	}
}

static void handle_view_unmapped(struct wl_listener *listener, void *data) {
	struct city_foreign *foreign = wl_container_of(listener, foreign, view_unmapped);
	struct entry *entry, *next;
	wl_list_for_each_safe(entry, next, &foreign->entries, link) {
		if (entry->view == data) {
			entry_destroy(entry);
		}
	}
}

static void handle_source_destroy(struct wl_listener *listener, void *data) {
	struct entry *entry = wl_container_of(listener, entry, source_destroy);
	wl_list_remove(&entry->source_destroy.link);
	wl_list_init(&entry->source_destroy.link);
	entry->source = NULL;
}

static void handle_scene_tree_destroy(struct wl_listener *listener, void *data) {
	struct entry *entry = wl_container_of(listener, entry, scene_tree_destroy);
	wl_list_remove(&entry->scene_tree_destroy.link);
	wl_list_init(&entry->scene_tree_destroy.link);
	entry->scene_tree = NULL;
	entry->scene_surface = NULL;
}

static bool prepare_capture(struct entry *entry) {
	struct city_server *server = entry->view->server;
	struct wlr_surface *surface = city_view_surface(entry->view);
	if (surface == NULL) {
		return false;
	}
	if (entry->scene == NULL) {
		entry->scene = wlr_scene_create();
		if (entry->scene == NULL) {
			return false;
		}
	}
	if (entry->scene_surface != surface) {
		if (entry->scene_tree != NULL) {
			wlr_scene_node_destroy(&entry->scene_tree->node);
		}
		entry->scene_tree = wlr_scene_subsurface_tree_create(&entry->scene->tree, surface);
		if (entry->scene_tree == NULL) {
			return false;
		}
		entry->scene_surface = surface;
		entry->scene_tree_destroy.notify = handle_scene_tree_destroy;
		wl_signal_add(&entry->scene_tree->node.events.destroy, &entry->scene_tree_destroy);
	}
	if (entry->source == NULL) {
		entry->source = wlr_ext_image_capture_source_v1_create_with_scene_node(
			&entry->scene->tree.node, server->loop, server->allocator,
			server->renderer);
		if (entry->source == NULL) {
			return false;
		}
		entry->source_destroy.notify = handle_source_destroy;
		wl_signal_add(&entry->source->events.destroy, &entry->source_destroy);
	}
	return true;
}

static void handle_capture_request(struct wl_listener *listener, void *data) {
	struct wlr_ext_foreign_toplevel_image_capture_source_manager_v1_request *request = data;
	struct entry *entry = request->toplevel_handle->data;
	if (entry != NULL && prepare_capture(entry)) {
		wlr_ext_foreign_toplevel_image_capture_source_manager_v1_request_accept(
			request, entry->source);
	}
}

bool city_foreign_create(struct city_server *server) {
	struct city_foreign *foreign = calloc(1, sizeof(*foreign));
	if (foreign == NULL) {
		return false;
	}
	foreign->server = server;
	wl_list_init(&foreign->entries);
	foreign->manager = wlr_foreign_toplevel_manager_v1_create(server->display);
	foreign->list = wlr_ext_foreign_toplevel_list_v1_create(server->display, 1);
	foreign->capture =
		wlr_ext_foreign_toplevel_image_capture_source_manager_v1_create(server->display, 1);
	if (foreign->manager == NULL || foreign->list == NULL || foreign->capture == NULL) {
		free(foreign);
		return false;
	}
	city_server_hide_global(server, foreign->manager->global, false);
	city_server_hide_global(server, foreign->list->global, false);
	city_server_hide_global(server, foreign->capture->global, false);
	foreign->view_mapped.notify = handle_view_mapped;
	wl_signal_add(&server->events.view_mapped, &foreign->view_mapped);
	foreign->view_unmapped.notify = handle_view_unmapped;
	wl_signal_add(&server->events.view_unmapped, &foreign->view_unmapped);
	foreign->camera.notify = handle_camera;
	wl_signal_add(&server->events.camera, &foreign->camera);
	foreign->capture_request.notify = handle_capture_request;
	wl_signal_add(&foreign->capture->events.new_request, &foreign->capture_request);
	server->foreign = foreign;
	return true;
}

void city_foreign_destroy(struct city_server *server) {
	struct city_foreign *foreign = server->foreign;
	if (foreign == NULL) {
		return;
	}
	struct entry *entry, *next;
	wl_list_for_each_safe(entry, next, &foreign->entries, link) {
		entry_destroy(entry);
	}
	wl_list_remove(&foreign->view_mapped.link);
	wl_list_remove(&foreign->view_unmapped.link);
	wl_list_remove(&foreign->camera.link);
	wl_list_remove(&foreign->capture_request.link);
	free(foreign);
	server->foreign = NULL;
}

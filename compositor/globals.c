/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <wlr/backend.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_alpha_modifier_v1.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_content_type_v1.h>
#include <wlr/types/wlr_data_control_v1.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_export_dmabuf_v1.h>
#include <wlr/types/wlr_ext_data_control_v1.h>
#include <wlr/types/wlr_ext_image_capture_source_v1.h>
#include <wlr/types/wlr_ext_image_copy_capture_v1.h>
#include <wlr/types/wlr_fixes.h>
#include <wlr/types/wlr_fractional_scale_v1.h>
#include <wlr/types/wlr_gamma_control_v1.h>
#include <wlr/types/wlr_linux_dmabuf_v1.h>
#include <wlr/types/wlr_linux_drm_syncobj_v1.h>
#include <wlr/types/wlr_presentation_time.h>
#include <wlr/types/wlr_primary_selection_v1.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_screencopy_v1.h>
#include <wlr/types/wlr_security_context_v1.h>
#include <wlr/types/wlr_shm.h>
#include <wlr/types/wlr_single_pixel_buffer_v1.h>
#include <wlr/types/wlr_subcompositor.h>
#include <wlr/types/wlr_viewporter.h>
#include <wlr/types/wlr_xdg_activation_v1.h>
#include <wlr/types/wlr_xdg_foreign_registry.h>
#include <wlr/types/wlr_xdg_foreign_v2.h>
#include <wlr/types/wlr_xdg_output_v1.h>

#include "compositor/globals.h"
#include "compositor/server.h"
#include "compositor/view.h"
#include "vat/log.h"

struct city_privileged_global {
	const struct wl_global *global;
	bool tiles_only;
};

struct city_protocols {
	struct city_server *server;
	struct wlr_security_context_manager_v1 *security;
	struct wlr_xdg_activation_v1 *activation;
	struct wl_listener request_activate;
};

void city_server_hide_global(
	struct city_server *server, struct wl_global *global, bool tiles_only) {
	struct city_privileged_global *entry = wl_array_add(&server->privileged, sizeof(*entry));
	if (entry == NULL) {
		/* Better not there than there for everybody. */
		city_log(CITY_LOG_ERROR, "globals", "out of memory");
		abort();
	}
	*entry = (struct city_privileged_global){global, tiles_only};
}

static bool filter(const struct wl_client *client, const struct wl_global *global, void *data) {
	struct city_server *server = data;
	const struct city_privileged_global *entry;
	wl_array_for_each(entry, &server->privileged) {
		if (entry->global != global) {
			continue;
		}
		if (entry->tiles_only) {
			return server->is_tile_client != NULL &&
				server->is_tile_client(server, client);
		}
		return server->protocols != NULL &&
			wlr_security_context_manager_v1_lookup_client(
				server->protocols->security, client) == NULL;
	}
	return true;
}

static void handle_request_activate(struct wl_listener *listener, void *data) {
	struct city_protocols *protocols = wl_container_of(listener, protocols, request_activate);
	const struct wlr_xdg_activation_v1_request_activate_event *event = data;
	struct city_view *view = city_view_from_surface(protocols->server, event->surface);
	/* Only what the user did may move the focus: the token names the input that led here. */
	if (view != NULL && event->token->seat != NULL) {
		city_view_set_minimized(view, false);
		city_server_focus(protocols->server, view, true);
	}
}

static bool create_buffers(struct city_server *server) {
	struct wlr_renderer *renderer = server->renderer;
	if (!wlr_renderer_init_wl_shm(renderer, server->display)) {
		return false;
	}
	if (wlr_renderer_get_texture_formats(renderer, WLR_BUFFER_CAP_DMABUF) != NULL) {
		struct wlr_linux_dmabuf_v1 *dmabuf =
			wlr_linux_dmabuf_v1_create_with_renderer(server->display, 5, renderer);
		if (dmabuf != NULL) {
			wlr_scene_set_linux_dmabuf_v1(server->scene, dmabuf);
		}
	}
	int drm_fd = wlr_renderer_get_drm_fd(renderer);
	if (drm_fd >= 0 && renderer->features.timeline && server->backend->features.timeline) {
		wlr_linux_drm_syncobj_manager_v1_create(server->display, 1, drm_fd);
	}
	return wlr_single_pixel_buffer_manager_v1_create(server->display) != NULL;
}

static bool create_surfaces(struct city_server *server) {
	struct wl_display *display = server->display;
	server->compositor = wlr_compositor_create(display, 6, server->renderer);
	bool ok = server->compositor != NULL && wlr_subcompositor_create(display) != NULL &&
		wlr_viewporter_create(display) != NULL &&
		wlr_fractional_scale_manager_v1_create(display, 1) != NULL &&
		wlr_presentation_create(display, server->backend, 2) != NULL &&
		wlr_alpha_modifier_v1_create(display) != NULL &&
		wlr_content_type_manager_v1_create(display, 1) != NULL &&
		wlr_xdg_output_manager_v1_create(display, server->output_layout) != NULL &&
		wlr_fixes_create(display, 1) != NULL;
	struct wlr_xdg_foreign_registry *registry = wlr_xdg_foreign_registry_create(display);
	return ok && registry != NULL && wlr_xdg_foreign_v2_create(display, registry) != NULL;
}

static bool create_data(struct city_server *server) {
	struct wl_display *display = server->display;
	struct wlr_data_control_manager_v1 *control = wlr_data_control_manager_v1_create(display);
	struct wlr_ext_data_control_manager_v1 *ext =
		wlr_ext_data_control_manager_v1_create(display, 1);
	if (wlr_data_device_manager_create(display) == NULL ||
		wlr_primary_selection_v1_device_manager_create(display) == NULL ||
		control == NULL || ext == NULL) {
		return false;
	}
	city_server_hide_global(server, control->global, false);
	city_server_hide_global(server, ext->global, false);
	return true;
}

static bool create_capture(struct city_server *server) {
	struct wl_display *display = server->display;
	struct wlr_screencopy_manager_v1 *screencopy = wlr_screencopy_manager_v1_create(display);
	struct wlr_export_dmabuf_manager_v1 *dmabuf = wlr_export_dmabuf_manager_v1_create(display);
	struct wlr_ext_image_copy_capture_manager_v1 *copy =
		wlr_ext_image_copy_capture_manager_v1_create(display, 1);
	struct wlr_ext_output_image_capture_source_manager_v1 *source =
		wlr_ext_output_image_capture_source_manager_v1_create(display, 1);
	struct wlr_gamma_control_manager_v1 *gamma = wlr_gamma_control_manager_v1_create(display);
	if (screencopy == NULL || dmabuf == NULL || copy == NULL || source == NULL ||
		gamma == NULL) {
		return false;
	}
	wlr_scene_set_gamma_control_manager_v1(server->scene, gamma);
	city_server_hide_global(server, screencopy->global, false);
	city_server_hide_global(server, dmabuf->global, false);
	city_server_hide_global(server, copy->global, false);
	city_server_hide_global(server, source->global, false);
	city_server_hide_global(server, gamma->global, false);
	return true;
}

bool city_globals_create(struct city_server *server) {
	struct city_protocols *protocols = calloc(1, sizeof(*protocols));
	if (protocols == NULL) {
		return false;
	}
	protocols->server = server;
	protocols->security = wlr_security_context_manager_v1_create(server->display);
	protocols->activation = wlr_xdg_activation_v1_create(server->display);
	if (protocols->security == NULL || protocols->activation == NULL ||
		!create_buffers(server) || !create_surfaces(server) || !create_data(server) ||
		!create_capture(server)) {
		free(protocols);
		return false;
	}
	city_server_hide_global(server, protocols->security->global, false);
	protocols->request_activate.notify = handle_request_activate;
	wl_signal_add(
		&protocols->activation->events.request_activate, &protocols->request_activate);
	server->protocols = protocols;
	wl_display_set_global_filter(server->display, filter, server);
	return true;
}

void city_globals_destroy(struct city_server *server) {
	struct city_protocols *protocols = server->protocols;
	if (protocols == NULL) {
		return;
	}
	wl_list_remove(&protocols->request_activate.link);
	free(protocols);
	server->protocols = NULL;
}

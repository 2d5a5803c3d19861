/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <wlr/backend.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_output_management_v1.h>
#include <wlr/types/wlr_output_power_management_v1.h>
#include <wlr/types/wlr_output_swapchain_manager.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/lock.h"
#include "compositor/output.h"
#include "compositor/output_manager.h"
#include "compositor/server.h"
#include "vat/log.h"

struct city_output_manager {
	struct city_server *server;
	struct wlr_output_manager_v1 *manager;
	struct wlr_output_power_manager_v1 *power;
	struct wl_event_source *idle; /* an update is due */
	bool applying; /* layout changes come from ourselves, one update at the end */
	struct wl_listener apply;
	struct wl_listener test;
	struct wl_listener set_power;
};

static void update(void *data) {
	struct city_output_manager *manager = data;
	struct city_server *server = manager->server;
	manager->idle = NULL;
	struct wlr_output_configuration_v1 *config = wlr_output_configuration_v1_create();
	if (config == NULL) {
		return;
	}
	struct city_output *output;
	wl_list_for_each(output, &server->outputs, link) {
		struct wlr_output_configuration_head_v1 *head =
			wlr_output_configuration_head_v1_create(config, output->wlr_output);
		if (head == NULL) {
			wlr_output_configuration_v1_destroy(config);
			return;
		}
		struct wlr_output_layout_output *place =
			wlr_output_layout_get(server->output_layout, output->wlr_output);
		/* Asleep is still on: it has its place. */
		head->state.enabled = place != NULL;
		if (place != NULL) {
			head->state.x = place->x;
			head->state.y = place->y;
		}
	}
	wlr_output_manager_v1_set_configuration(manager->manager, config);
}

void city_output_manager_update(struct city_server *server) {
	struct city_output_manager *manager = server->output_manager;
	if (manager == NULL || manager->applying || manager->idle != NULL) {
		return;
	}
	/* Once for however many changes this turn of the loop brings. */
	manager->idle = wl_event_loop_add_idle(server->loop, update, manager);
}

static void apply_layout(struct city_server *server, struct wlr_output_configuration_v1 *config) {
	struct wlr_output_configuration_head_v1 *head;
	wl_list_for_each(head, &config->heads, link) {
		struct city_output *output = city_output_from_wlr(head->state.output);
		if (output == NULL) {
			continue;
		}
		if (!head->state.enabled) {
			wlr_output_layout_remove(server->output_layout, output->wlr_output);
			continue;
		}
		struct wlr_output_layout_output *old =
			wlr_output_layout_get(server->output_layout, output->wlr_output);
		if (old != NULL && old->x == head->state.x && old->y == head->state.y) {
			continue;
		}
		wlr_output_layout_add(
			server->output_layout, output->wlr_output, head->state.x, head->state.y);
	}
}

static bool run(struct city_server *server, struct wlr_output_configuration_v1 *config, bool test) {
	size_t count;
	struct wlr_backend_output_state *states =
		wlr_output_configuration_v1_build_state(config, &count);
	if (states == NULL) {
		return false;
	}
	struct wlr_output_swapchain_manager swapchains;
	wlr_output_swapchain_manager_init(&swapchains, server->backend);
	bool ok = wlr_output_swapchain_manager_prepare(&swapchains, states, count);
	if (ok && !test) {
		for (size_t i = 0; i < count && ok; i++) {
			struct city_output *output = city_output_from_wlr(states[i].output);
			if (output == NULL || !states[i].base.enabled) {
				continue;
			}
			struct wlr_scene_output_state_options options = {
				.swapchain = wlr_output_swapchain_manager_get_swapchain(
					&swapchains, states[i].output),
			};
			ok = wlr_scene_output_build_state(
				output->scene_output, &states[i].base, &options);
		}
		ok = ok && wlr_backend_commit(server->backend, states, count);
		if (ok) {
			wlr_output_swapchain_manager_apply(&swapchains);
		}
	}
	wlr_output_swapchain_manager_finish(&swapchains);
	for (size_t i = 0; i < count; i++) {
		wlr_output_state_finish(&states[i].base);
	}
	free(states);
	return ok;
}

static void answer(struct wlr_output_configuration_v1 *config, bool ok) {
	if (ok) {
		wlr_output_configuration_v1_send_succeeded(config);
	} else {
		wlr_output_configuration_v1_send_failed(config);
	}
	wlr_output_configuration_v1_destroy(config);
}

static void handle_apply(struct wl_listener *listener, void *data) {
	struct city_output_manager *manager = wl_container_of(listener, manager, apply);
	struct wlr_output_configuration_v1 *config = data;
	manager->applying = true;
	bool ok = run(manager->server, config, false);
	if (ok) {
		apply_layout(manager->server, config);
	}
	manager->applying = false;
	answer(config, ok);
	city_outputs_changed(manager->server);
}

static void handle_test(struct wl_listener *listener, void *data) {
	struct city_output_manager *manager = wl_container_of(listener, manager, test);
	struct wlr_output_configuration_v1 *config = data;
	answer(config, run(manager->server, config, true));
}

static void handle_set_power(struct wl_listener *listener, void *data) {
	struct city_output_manager *manager = wl_container_of(listener, manager, set_power);
	struct wlr_output_power_v1_set_mode_event *event = data;
	if (wlr_output_layout_get(manager->server->output_layout, event->output) == NULL) {
		return; /* switched off by the configuration: it has no place to show */
	}
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, event->mode == ZWLR_OUTPUT_POWER_V1_MODE_ON);
	if (!wlr_output_commit_state(event->output, &state)) {
		city_log(CITY_LOG_WARN, event->output->name, "cannot be switched %s",
			event->mode == ZWLR_OUTPUT_POWER_V1_MODE_ON ? "on" : "off");
	}
	wlr_output_state_finish(&state);
	city_lock_outputs_changed(manager->server->lock);
}

bool city_output_manager_create(struct city_server *server) {
	struct city_output_manager *manager = calloc(1, sizeof(*manager));
	if (manager == NULL) {
		return false;
	}
	manager->server = server;
	manager->manager = wlr_output_manager_v1_create(server->display);
	manager->power = wlr_output_power_manager_v1_create(server->display);
	if (manager->manager == NULL || manager->power == NULL) {
		free(manager);
		return false;
	}
	city_server_hide_global(server, manager->manager->global, false);
	city_server_hide_global(server, manager->power->global, false);
	manager->apply.notify = handle_apply;
	wl_signal_add(&manager->manager->events.apply, &manager->apply);
	manager->test.notify = handle_test;
	wl_signal_add(&manager->manager->events.test, &manager->test);
	manager->set_power.notify = handle_set_power;
	wl_signal_add(&manager->power->events.set_mode, &manager->set_power);
	server->output_manager = manager;
	return true;
}

void city_output_manager_destroy(struct city_server *server) {
	struct city_output_manager *manager = server->output_manager;
	if (manager == NULL) {
		return;
	}
	if (manager->idle != NULL) {
		wl_event_source_remove(manager->idle);
	}
	wl_list_remove(&manager->apply.link);
	wl_list_remove(&manager->test.link);
	wl_list_remove(&manager->set_power.link);
	free(manager);
	server->output_manager = NULL;
}

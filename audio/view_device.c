/* SPDX-License-Identifier: MIT */
/* Sound cards keep the volume of their outputs and inputs themselves, by route: what is set at the
 * node alone the session manager would not remember. */
#include <spa/param/param.h>
#include <spa/param/route.h>
#include <spa/pod/builder.h>
#include <spa/pod/parser.h>
#include <stdlib.h>

#include "view_internal.h"

static void handle_param(void *data, int seq, uint32_t id, uint32_t index, uint32_t next,
	const struct spa_pod *param) {
	struct device *device = data;
	int32_t route = 0, profile = 0;
	if (id != SPA_PARAM_Route || !param ||
		spa_pod_parse_object(param, SPA_TYPE_OBJECT_ParamRoute, NULL, SPA_PARAM_ROUTE_index,
			SPA_POD_Int(&route), SPA_PARAM_ROUTE_device, SPA_POD_Int(&profile)) < 0)
		return;
	uint32_t at = 0;
	while (at < SPA_N_ELEMENTS(device->routes) && device->routes[at].used &&
		device->routes[at].device != (uint32_t)profile)
		at++;
	if (at == SPA_N_ELEMENTS(device->routes))
		return;
	device->routes[at].used = true;
	device->routes[at].index = (uint32_t)route;
	device->routes[at].device = (uint32_t)profile;
}

static const struct pw_device_events device_events = {
	PW_VERSION_DEVICE_EVENTS,
	.param = handle_param,
};

void view_device_add(struct view *view, uint32_t id) {
	struct device *device = calloc(1, sizeof(*device));
	if (!device)
		return;
	device->id = id;
	device->proxy = pw_registry_bind(
		view->registry, id, PW_TYPE_INTERFACE_Device, PW_VERSION_DEVICE, 0);
	if (!device->proxy) {
		free(device);
		return;
	}
	spa_list_append(&view->devices, &device->link);
	pw_proxy_add_object_listener(
		device->proxy, &device->object_listener, &device_events, device);
	uint32_t ids[] = {SPA_PARAM_Route};
	pw_device_subscribe_params((struct pw_device *)device->proxy, ids, 1);
}

static void remove_device(struct device *device) {
	spa_list_remove(&device->link);
	spa_hook_remove(&device->object_listener);
	pw_proxy_destroy(device->proxy);
	free(device);
}

bool view_device_gone(struct view *view, uint32_t id) {
	struct device *device;
	spa_list_for_each(device, &view->devices, link) {
		if (device->id == id) {
			remove_device(device);
			return true;
		}
	}
	return false;
}

void view_devices_end(struct view *view) {
	struct device *device, *next;
	spa_list_for_each_safe(device, next, &view->devices, link) {
		remove_device(device);
	}
}

static bool set_route(const struct device *device, uint32_t at, const struct node *node,
	bool volume, float linear, bool mute) {
	uint8_t memory[1024];
	struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(memory, sizeof(memory));
	struct spa_pod_frame frame;
	spa_pod_builder_push_object(&builder, &frame, SPA_TYPE_OBJECT_ParamRoute, SPA_PARAM_Route);
	spa_pod_builder_add(&builder, SPA_PARAM_ROUTE_index,
		SPA_POD_Int((int32_t)device->routes[at].index), SPA_PARAM_ROUTE_device,
		SPA_POD_Int((int32_t)device->routes[at].device), 0);
	spa_pod_builder_prop(&builder, SPA_PARAM_ROUTE_props, 0);
	view_props(&builder, SPA_PARAM_Route, node->channels, volume, linear, mute);
	spa_pod_builder_add(&builder, SPA_PARAM_ROUTE_save, SPA_POD_Bool(true), 0);
	const struct spa_pod *route = spa_pod_builder_pop(&builder, &frame);
	return pw_device_set_param((struct pw_device *)device->proxy, SPA_PARAM_Route, 0, route) >=
		0;
}

bool view_device_set(
	struct view *view, const struct node *node, bool volume, float linear, bool mute) {
	const struct device *device;
	spa_list_for_each(device, &view->devices, link) {
		if (device->id != node->device)
			continue;
		for (uint32_t i = 0; i < SPA_N_ELEMENTS(device->routes); i++) {
			if (device->routes[i].used &&
				device->routes[i].device == node->device_profile)
				return set_route(device, i, node, volume, linear, mute);
		}
	}
	return false;
}

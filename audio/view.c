/* SPDX-License-Identifier: MIT */
#include "view_internal.h"

#include <math.h>
#include <spa/param/props.h>
#include <spa/pod/iter.h>
#include <spa/utils/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "peers.h"
#include "port.h"

#define METER_KEY "source-city.meter"

/* ---- what is told */

struct node *view_node(const struct view *view, uint32_t id) {
	struct node *node;
	spa_list_for_each(node, &view->nodes, link) {
		if (node->id == id)
			return node;
	}
	return NULL;
}

struct node *view_node_by_serial(const struct view *view, uint64_t serial) {
	struct node *node;
	spa_list_for_each(node, &view->nodes, link) {
		if (node->serial == serial && view_node_shown(node))
			return node;
	}
	return NULL;
}

uint64_t view_number(const struct view *view, uint32_t id) {
	const struct node *node = id != SPA_ID_INVALID ? view_node(view, id) : NULL;
	return node && view_node_shown(node) ? node->serial : 0;
}

static uint32_t kind_of(const struct node *node) {
	if (node->kind == AUDIO_FILTER && !view_node_sounds(node->view, node->id))
		return 0;
	return node->kind;
}

bool view_node_shown(const struct node *node) {
	return node->known && kind_of(node) != 0;
}

static bool is_default(const struct node *node) {
	const struct view *view = node->view;
	return (node->kind == AUDIO_OUTPUT && strcmp(node->name, view->default_output) == 0) ||
		(node->kind == AUDIO_INPUT && strcmp(node->name, view->default_input) == 0);
}

static struct audio_message node_message(const struct node *node) {
	struct audio_message message = audio_message(AUDIO_NODE);
	const struct port *port = port_of_node(node->view->audio, node->id);
	message.id = node->serial;
	message.node.kind = node->kind;
	message.node.flags = (node->mute ? AUDIO_NODE_MUTE : 0) |
		(is_default(node) ? AUDIO_NODE_DEFAULT : 0) |
		(node->running ? AUDIO_NODE_RUNNING : 0) | (port ? AUDIO_NODE_OURS : 0) |
		(node->has_volume ? AUDIO_NODE_VOLUME : 0);
	message.node.channels = node->channels;
	message.node.volume = (uint32_t)lrintf(cbrtf(fmaxf(node->volume, 0)) * 1000);
	message.node.target = view_target(node->view, node);
	audio_copy(message.node.name, sizeof(message.node.name), node->title);
	audio_copy(message.node.media, sizeof(message.node.media), node->media);
	audio_copy(message.node.tile, sizeof(message.node.tile), port ? port->tile : "");
	return message;
}

void view_touch(struct view *view, struct node *node) {
	if (node)
		node->dirty = true;
	pw_loop_signal_event(view->audio->loop, view->flush);
}

static void handle_flush(void *data, uint64_t count) {
	struct view *view = data;
	struct node *node;
	struct pair *pair;
	bool meters = false;
	spa_list_for_each(node, &view->nodes, link) {
		if (!node->dirty)
			continue;
		node->dirty = false;
		if (!view_node_shown(node))
			continue;
		struct audio_message message = node_message(node);
		meters |= !node->told;
		node->told = true;
		peers_tell(view->audio->peers, &message);
	}
	spa_list_for_each(pair, &view->pairs, link) {
		if (!pair->dirty || !view_pair_shown(view, pair))
			continue;
		pair->dirty = false;
		pair->told = true;
		struct audio_message message = view_pair_message(view, pair);
		peers_tell(view->audio->peers, &message);
	}
	if (meters)
		view_meter(view);
}

void view_tell(struct view *view, void (*tell)(void *data, const struct audio_message *message),
	void *data) {
	struct node *node;
	struct pair *pair;
	spa_list_for_each(node, &view->nodes, link) {
		if (!view_node_shown(node))
			continue;
		struct audio_message message = node_message(node);
		node->told = true;
		tell(data, &message);
	}
	spa_list_for_each(pair, &view->pairs, link) {
		if (!view_pair_shown(view, pair))
			continue;
		struct audio_message message = view_pair_message(view, pair);
		pair->told = true;
		tell(data, &message);
	}
}

/* ---- nodes */

static uint32_t kind_from_class(const char *class) {
	static const struct {
		const char *class;
		uint32_t kind;
	} kinds[] = {
		{"Audio/Sink", AUDIO_OUTPUT},
		{"Audio/Duplex", AUDIO_OUTPUT},
		{"Audio/Source", AUDIO_INPUT},
		{"Audio/Source/Virtual", AUDIO_INPUT},
		{"Stream/Output/Audio", AUDIO_PLAYER},
		{"Stream/Input/Audio", AUDIO_RECORDER},
	};
	for (size_t i = 0; class && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].class, class) == 0)
			return kinds[i].kind;
	}
	return class ? 0 : AUDIO_FILTER;
}

static uint32_t number_of(const struct spa_dict *props, const char *key, uint32_t otherwise) {
	const char *text = spa_dict_lookup(props, key);
	return text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

static const char *first_of(const struct spa_dict *props, const char *const *keys) {
	for (; *keys; keys++) {
		const char *text = spa_dict_lookup(props, *keys);
		if (text && text[0])
			return text;
	}
	return NULL;
}

static void handle_node_info(void *data, const struct pw_node_info *info) {
	static const char *const device_names[] = {
		PW_KEY_NODE_DESCRIPTION, PW_KEY_NODE_NICK, PW_KEY_NODE_NAME, NULL};
	static const char *const program_names[] = {"source-city.tile", PW_KEY_APP_NAME,
		PW_KEY_NODE_DESCRIPTION, PW_KEY_NODE_NAME, NULL};
	struct node *node = data;
	const struct spa_dict *props = info->props;
	if (info->change_mask & PW_NODE_CHANGE_MASK_STATE)
		node->running = info->state == PW_NODE_STATE_RUNNING;
	if (info->change_mask & PW_NODE_CHANGE_MASK_PROPS && props) {
		bool program = node->kind == AUDIO_PLAYER || node->kind == AUDIO_RECORDER;
		node->known = true;
		if (spa_dict_lookup(props, METER_KEY))
			node->kind = 0;
		audio_copy(
			node->name, sizeof(node->name), spa_dict_lookup(props, PW_KEY_NODE_NAME));
		audio_copy(node->title, sizeof(node->title),
			first_of(props, program ? program_names : device_names));
		audio_copy(node->media, sizeof(node->media),
			program ? spa_dict_lookup(props, PW_KEY_MEDIA_NAME) : NULL);
		node->device = number_of(props, PW_KEY_DEVICE_ID, SPA_ID_INVALID);
		node->device_profile = number_of(props, "card.profile.device", SPA_ID_INVALID);
	}
	view_touch(node->view, node);
}

static void handle_node_param(void *data, int seq, uint32_t id, uint32_t index, uint32_t next,
	const struct spa_pod *param) {
	struct node *node = data;
	const struct spa_pod_object *object = (const struct spa_pod_object *)param;
	const struct spa_pod_prop *prop;
	if (id != SPA_PARAM_Props || !param || !spa_pod_is_object(param))
		return;
	SPA_POD_OBJECT_FOREACH(object, prop) {
		float volumes[64];
		if (prop->key == SPA_PROP_mute) {
			spa_pod_get_bool(&prop->value, &node->mute);
		} else if (prop->key == SPA_PROP_channelVolumes) {
			uint32_t count = spa_pod_copy_array(
				&prop->value, SPA_TYPE_Float, volumes, SPA_N_ELEMENTS(volumes));
			node->volume = count > 0 ? volumes[0] : node->volume;
			for (uint32_t i = 1; i < count; i++)
				node->volume = fmaxf(node->volume, volumes[i]);
			node->channels = count > 0 ? count : node->channels;
			node->has_volume |= count > 0;
		}
	}
	view_touch(node->view, node);
}

static const struct pw_node_events node_events = {
	PW_VERSION_NODE_EVENTS,
	.info = handle_node_info,
	.param = handle_node_param,
};

static void add_node(struct view *view, uint32_t id, const struct spa_dict *props) {
	uint32_t kind = kind_from_class(spa_dict_lookup(props, PW_KEY_MEDIA_CLASS));
	const char *serial = spa_dict_lookup(props, PW_KEY_OBJECT_SERIAL);
	if (kind == 0)
		return;
	struct node *node = calloc(1, sizeof(*node));
	if (!node)
		return;
	node->view = view;
	node->id = id;
	node->serial = serial ? strtoull(serial, NULL, 10) : audio_number(view->audio);
	node->kind = kind;
	node->volume = 1;
	node->device = SPA_ID_INVALID;
	node->proxy =
		pw_registry_bind(view->registry, id, PW_TYPE_INTERFACE_Node, PW_VERSION_NODE, 0);
	if (!node->proxy) {
		free(node);
		return;
	}
	spa_list_append(&view->nodes, &node->link);
	pw_proxy_add_object_listener(node->proxy, &node->object_listener, &node_events, node);
	uint32_t ids[] = {SPA_PARAM_Props};
	pw_node_subscribe_params((struct pw_node *)node->proxy, ids, 1);
}

static void remove_node(struct node *node) {
	struct view *view = node->view;
	if (node->told)
		peers_tell_gone(view->audio->peers, AUDIO_NODE_GONE, node->serial);
	meter_destroy(node->meter);
	spa_list_remove(&node->link);
	spa_hook_remove(&node->object_listener);
	pw_proxy_destroy(node->proxy);
	free(node);
}

/* ---- which devices are the default ones */

static int handle_metadata(
	void *data, uint32_t subject, const char *key, const char *type, const char *value) {
	struct view *view = data;
	char name[256] = "";
	if (subject != PW_ID_CORE)
		return 0;
	bool output = !key || strcmp(key, "default.audio.sink") == 0;
	bool input = !key || strcmp(key, "default.audio.source") == 0;
	if (value && (output || input))
		spa_json_str_object_find(value, strlen(value), "name", name, sizeof(name));
	if (output)
		audio_copy(view->default_output, sizeof(view->default_output), name);
	if (input)
		audio_copy(view->default_input, sizeof(view->default_input), name);
	struct node *node;
	spa_list_for_each(node, &view->nodes, link) {
		if ((output && node->kind == AUDIO_OUTPUT) || (input && node->kind == AUDIO_INPUT))
			view_touch(view, node);
	}
	return 0;
}

static const struct pw_metadata_events metadata_events = {
	PW_VERSION_METADATA_EVENTS,
	.property = handle_metadata,
};

static void add_metadata(struct view *view, uint32_t id, const struct spa_dict *props) {
	const char *name = spa_dict_lookup(props, PW_KEY_METADATA_NAME);
	if (!name || strcmp(name, "default") != 0 || view->metadata)
		return;
	view->metadata = pw_registry_bind(
		view->registry, id, PW_TYPE_INTERFACE_Metadata, PW_VERSION_METADATA, 0);
	if (!view->metadata)
		return;
	view->metadata_id = id;
	pw_metadata_add_listener(view->metadata, &view->metadata_listener, &metadata_events, view);
}

static void remove_metadata(struct view *view) {
	if (!view->metadata)
		return;
	spa_hook_remove(&view->metadata_listener);
	pw_proxy_destroy((struct pw_proxy *)view->metadata);
	view->metadata = NULL;
	handle_metadata(view, PW_ID_CORE, NULL, NULL, NULL);
}

/* ---- the registry */

static void handle_global(void *data, uint32_t id, uint32_t permissions, const char *type,
	uint32_t version, const struct spa_dict *props) {
	struct view *view = data;
	if (!props)
		return;
	if (strcmp(type, PW_TYPE_INTERFACE_Node) == 0)
		add_node(view, id, props);
	else if (strcmp(type, PW_TYPE_INTERFACE_Port) == 0)
		view_port_add(view, id, props);
	else if (strcmp(type, PW_TYPE_INTERFACE_Link) == 0)
		view_link_add(view, id, props);
	else if (strcmp(type, PW_TYPE_INTERFACE_Device) == 0)
		view_device_add(view, id);
	else if (strcmp(type, PW_TYPE_INTERFACE_Metadata) == 0)
		add_metadata(view, id, props);
}

static void handle_global_remove(void *data, uint32_t id) {
	struct view *view = data;
	struct node *node = view_node(view, id);
	if (node)
		remove_node(node);
	else if (view->metadata && view->metadata_id == id)
		remove_metadata(view);
	else if (!view_link_gone(view, id))
		view_device_gone(view, id);
}

static const struct pw_registry_events registry_events = {
	PW_VERSION_REGISTRY_EVENTS,
	.global = handle_global,
	.global_remove = handle_global_remove,
};

void view_begin(struct view *view, struct pw_core *core) {
	view->core = core;
	view->registry = pw_core_get_registry(core, PW_VERSION_REGISTRY, 0);
	if (view->registry)
		pw_registry_add_listener(
			view->registry, &view->registry_listener, &registry_events, view);
}

void view_end(struct view *view) {
	if (!view->core)
		return;
	struct node *node, *next;
	view_requests_end(view);
	view_links_end(view);
	spa_list_for_each_safe(node, next, &view->nodes, link) {
		remove_node(node);
	}
	view_devices_end(view);
	remove_metadata(view);
	if (view->registry) {
		spa_hook_remove(&view->registry_listener);
		pw_proxy_destroy((struct pw_proxy *)view->registry);
		view->registry = NULL;
	}
	view->core = NULL;
}

/* ---- meters */

void view_meter(struct view *view) {
	bool wanted = peers_metering(view->audio->peers) > 0;
	struct node *node;
	if (!view->core)
		return;
	spa_list_for_each(node, &view->nodes, link) {
		bool can = view_node_shown(node) &&
			(node->kind == AUDIO_OUTPUT || node->kind == AUDIO_INPUT ||
				node->kind == AUDIO_PLAYER);
		if (wanted && can && !node->meter) {
			node->meter = meter_create(node);
		} else if ((!wanted || !can) && node->meter) {
			meter_destroy(node->meter);
			node->meter = NULL;
		}
	}
}

void view_send_meters(struct view *view) {
	struct node *node;
	spa_list_for_each(node, &view->nodes, link) {
		if (!node->meter)
			continue;
		struct audio_message message = meter_message(node->meter);
		peers_tell(view->audio->peers, &message);
	}
}

/* ---- */

struct view *view_create(struct audio *audio) {
	struct view *view = calloc(1, sizeof(*view));
	if (!view)
		return NULL;
	view->audio = audio;
	spa_list_init(&view->nodes);
	spa_list_init(&view->ports);
	spa_list_init(&view->links);
	spa_list_init(&view->pairs);
	spa_list_init(&view->devices);
	spa_list_init(&view->pendings);
	view->flush = pw_loop_add_event(audio->loop, handle_flush, view);
	return view;
}

void view_destroy(struct view *view) {
	if (!view)
		return;
	view_end(view);
	pw_loop_destroy_source(view->audio->loop, view->flush);
	free(view);
}

/* SPDX-License-Identifier: MIT */
/* How the view keeps what it knows; for view*.c and meter.c alone. Main thread. */
#ifndef SOURCE_CITY_AUDIO_VIEW_INTERNAL_H
#define SOURCE_CITY_AUDIO_VIEW_INTERNAL_H

#include <pipewire/extensions/metadata.h>
#include <spa/pod/builder.h>

#include "view.h"

struct view {
	struct audio *audio;
	struct pw_core *core;
	struct pw_registry *registry;
	struct spa_hook registry_listener;
	struct spa_source *flush; /* tells what has changed, once for several changes */
	struct spa_list nodes, ports, links, pairs, devices, pendings;
	struct pw_metadata *metadata; /* "default" */
	struct spa_hook metadata_listener;
	uint32_t metadata_id;
	char default_output[256], default_input[256]; /* node.name */
};

struct node {
	struct spa_list link;
	struct view *view;
	uint32_t id;
	uint64_t serial;
	struct pw_proxy *proxy;
	struct spa_hook listener, object_listener;
	uint32_t kind; /* enum audio_node_kind; 0: nobody wants to see it */
	uint32_t channels;
	float volume; /* linear, of the loudest channel */
	bool mute, has_volume, running;
	bool known; /* its properties have come */
	bool dirty, told;
	char name[256]; /* node.name */
	char title[AUDIO_NAME_SIZE], media[AUDIO_NAME_SIZE];
	uint32_t device;	 /* SPA_ID_INVALID: none */
	uint32_t device_profile; /* its number in the device's profile */
	struct meter *meter;
};

struct port_view {
	struct spa_list link;
	uint32_t id, node, number;
	bool out, monitor, sound;
	char channel[32];
};

/* One link of the sound server; links of the same two nodes are a pair. */
struct link_view {
	struct spa_list link;
	struct view *view;
	uint32_t id;
	struct pair *pair;
	struct pw_proxy *proxy;
	struct spa_hook object_listener;
	bool active;
};

struct pair {
	struct spa_list link;
	uint32_t from, to; /* ids of nodes */
	uint64_t serial;   /* of its first link */
	bool dirty, told;
};

/* A sound card, which has its volume itself. */
struct device {
	struct spa_list link;
	uint32_t id;
	struct pw_proxy *proxy;
	struct spa_hook object_listener;
	struct {
		uint32_t index, device; /* of the route, of the node in the profile */
		bool used;
	} routes[16];
};

/* A request that waits for the server. */
struct pending {
	struct spa_list link;
	int seq;
	uint64_t peer;
	uint32_t request;
	struct pw_proxy *made[AUDIO_CHANNELS_MAX]; /* links */
	uint32_t ids[AUDIO_CHANNELS_MAX + 1];	   /* proxies whose errors are its own */
	uint32_t made_count, id_count;
	int error;
	char why[200];
};

struct node *view_node(const struct view *view, uint32_t id);
struct node *view_node_by_serial(const struct view *view, uint64_t serial);
/* Whether it is told to anybody. */
bool view_node_shown(const struct node *node);
void view_touch(struct view *view, struct node *node);

/* view_links.c */
void view_port_add(struct view *view, uint32_t id, const struct spa_dict *props);
void view_link_add(struct view *view, uint32_t id, const struct spa_dict *props);
/* True: it was a port or a link. */
bool view_link_gone(struct view *view, uint32_t id);
void view_links_end(struct view *view);
struct audio_message view_pair_message(const struct view *view, const struct pair *pair);
/* The node at the other end of a stream; 0: none. */
uint64_t view_target(const struct view *view, const struct node *node);
bool view_pair_shown(const struct view *view, const struct pair *pair);
/* Whether a node without a class has ports for sound. */
bool view_node_sounds(const struct view *view, uint32_t id);

/* view_device.c */
void view_device_add(struct view *view, uint32_t id);
bool view_device_gone(struct view *view, uint32_t id);
void view_devices_end(struct view *view);
/* Set volume or mute of a node that a sound card has; false: it has none. */
bool view_device_set(
	struct view *view, const struct node *node, bool volume, float linear, bool mute);

/* view_request.c */
void view_requests_end(struct view *view);
/* SPA_PARAM_Props with these. */
struct spa_pod *view_props(struct spa_pod_builder *builder, uint32_t id, uint32_t channels,
	bool volume, float linear, bool mute);

/* meter.c */
struct meter *meter_create(struct node *node);
void meter_destroy(struct meter *meter);
/* AUDIO_METERS since the last call. */
struct audio_message meter_message(struct meter *meter);

#endif

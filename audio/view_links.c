/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "peers.h"
#include "view_internal.h"

static uint32_t number_of(const struct spa_dict *props, const char *key) {
	const char *text = spa_dict_lookup(props, key);
	return text ? (uint32_t)strtoul(text, NULL, 10) : SPA_ID_INVALID;
}

static bool is_true(const struct spa_dict *props, const char *key) {
	const char *text = spa_dict_lookup(props, key);
	return text && strcmp(text, "true") == 0;
}

/* ---- ports */

void view_port_add(struct view *view, uint32_t id, const struct spa_dict *props) {
	struct port_view *port = calloc(1, sizeof(*port));
	if (!port)
		return;
	const char *direction = spa_dict_lookup(props, PW_KEY_PORT_DIRECTION);
	const char *format = spa_dict_lookup(props, PW_KEY_FORMAT_DSP);
	port->id = id;
	port->node = number_of(props, PW_KEY_NODE_ID);
	port->number = number_of(props, PW_KEY_PORT_ID);
	port->out = direction && strcmp(direction, "out") == 0;
	port->monitor = is_true(props, PW_KEY_PORT_MONITOR);
	port->sound = format && strstr(format, "audio");
	audio_copy(
		port->channel, sizeof(port->channel), spa_dict_lookup(props, PW_KEY_AUDIO_CHANNEL));
	spa_list_append(&view->ports, &port->link);
	struct node *node = view_node(view, port->node);
	if (node && !node->told)
		view_touch(view, node);
}

bool view_node_sounds(const struct view *view, uint32_t id) {
	const struct port_view *port;
	spa_list_for_each(port, &view->ports, link) {
		if (port->node == id && port->sound)
			return true;
	}
	return false;
}

/* ---- pairs */

bool view_pair_shown(const struct view *view, const struct pair *pair) {
	const struct node *from = view_node(view, pair->from), *to = view_node(view, pair->to);
	return from && to && view_node_shown(from) && view_node_shown(to);
}

struct audio_message view_pair_message(const struct view *view, const struct pair *pair) {
	struct audio_message message = audio_message(AUDIO_LINK);
	const struct link_view *link;
	message.id = pair->serial;
	message.link.from = view_number(view, pair->from);
	message.link.to = view_number(view, pair->to);
	spa_list_for_each(link, &view->links, link) {
		if (link->pair == pair)
			message.link.active |= link->active;
	}
	return message;
}

uint64_t view_target(const struct view *view, const struct node *node) {
	const struct pair *pair;
	spa_list_for_each(pair, &view->pairs, link) {
		if (node->kind == AUDIO_PLAYER && pair->from == node->id) {
			const struct node *to = view_node(view, pair->to);
			if (to && view_node_shown(to))
				return to->serial;
		} else if (node->kind == AUDIO_RECORDER && pair->to == node->id) {
			const struct node *from = view_node(view, pair->from);
			if (from && view_node_shown(from))
				return from->serial;
		}
	}
	return 0;
}

static void touch_pair(struct view *view, struct pair *pair) {
	pair->dirty = true;
	view_touch(view, view_node(view, pair->from));
	view_touch(view, view_node(view, pair->to));
}

static struct pair *find_pair(struct view *view, uint32_t from, uint32_t to, uint64_t serial) {
	struct pair *pair;
	spa_list_for_each(pair, &view->pairs, link) {
		if (pair->from == from && pair->to == to)
			return pair;
	}
	pair = calloc(1, sizeof(*pair));
	if (!pair)
		return NULL;
	*pair = (struct pair){.from = from, .to = to, .serial = serial};
	spa_list_append(&view->pairs, &pair->link);
	return pair;
}

static void drop_pair_if_empty(struct view *view, struct pair *pair) {
	const struct link_view *link;
	spa_list_for_each(link, &view->links, link) {
		if (link->pair == pair) {
			touch_pair(view, pair);
			return;
		}
	}
	if (pair->told)
		peers_tell_gone(view->audio->peers, AUDIO_LINK_GONE, pair->serial);
	spa_list_remove(&pair->link);
	view_touch(view, view_node(view, pair->from));
	view_touch(view, view_node(view, pair->to));
	free(pair);
}

/* ---- links */

static void handle_link_info(void *data, const struct pw_link_info *info) {
	struct link_view *link = data;
	if (!(info->change_mask & PW_LINK_CHANGE_MASK_STATE))
		return;
	link->active = info->state == PW_LINK_STATE_ACTIVE;
	touch_pair(link->view, link->pair);
}

static const struct pw_link_events link_events = {
	PW_VERSION_LINK_EVENTS,
	.info = handle_link_info,
};

void view_link_add(struct view *view, uint32_t id, const struct spa_dict *props) {
	const char *serial = spa_dict_lookup(props, PW_KEY_OBJECT_SERIAL);
	struct link_view *link = calloc(1, sizeof(*link));
	if (!link)
		return;
	link->view = view;
	link->id = id;
	link->pair = find_pair(view, number_of(props, PW_KEY_LINK_OUTPUT_NODE),
		number_of(props, PW_KEY_LINK_INPUT_NODE),
		serial ? strtoull(serial, NULL, 10) : audio_number(view->audio));
	link->proxy = link->pair
		? pw_registry_bind(view->registry, id, PW_TYPE_INTERFACE_Link, PW_VERSION_LINK, 0)
		: NULL;
	if (!link->pair) {
		free(link);
		return;
	}
	if (link->proxy)
		pw_proxy_add_object_listener(
			link->proxy, &link->object_listener, &link_events, link);
	spa_list_append(&view->links, &link->link);
	touch_pair(view, link->pair);
}

static void remove_link(struct link_view *link) {
	struct view *view = link->view;
	struct pair *pair = link->pair;
	spa_list_remove(&link->link);
	if (link->proxy) {
		spa_hook_remove(&link->object_listener);
		pw_proxy_destroy(link->proxy);
	}
	free(link);
	drop_pair_if_empty(view, pair);
}

bool view_link_gone(struct view *view, uint32_t id) {
	struct link_view *link;
	spa_list_for_each(link, &view->links, link) {
		if (link->id == id) {
			remove_link(link);
			return true;
		}
	}
	struct port_view *port;
	spa_list_for_each(port, &view->ports, link) {
		if (port->id == id) {
			spa_list_remove(&port->link);
			free(port);
			return true;
		}
	}
	return false;
}

void view_links_end(struct view *view) {
	struct link_view *link, *next_link;
	spa_list_for_each_safe(link, next_link, &view->links, link) {
		remove_link(link);
	}
	struct port_view *port, *next_port;
	spa_list_for_each_safe(port, next_port, &view->ports, link) {
		spa_list_remove(&port->link);
		free(port);
	}
}

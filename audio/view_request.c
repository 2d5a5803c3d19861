/* SPDX-License-Identifier: MIT */
/* What is asked of the sound server. Each request is answered when the server has dealt with all
 * that was sent for it; an error that it said about that on the way is the result. */
#include <errno.h>
#include <spa/param/props.h>
#include <spa/pod/builder.h>
#include <spa/utils/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"
#include "port.h"
#include "view_internal.h"

#define VOLUME_MAX 1500 /* thousandths */
/* Of one peer; the server answers them as fast as it can. */
#define PENDINGS_MAX 64

static void pending_destroy(struct pending *pending) {
	for (uint32_t i = 0; i < pending->made_count; i++)
		pw_proxy_destroy(pending->made[i]);
	spa_list_remove(&pending->link);
	free(pending);
}

static void finish(struct view *view, struct pending *pending) {
	peers_answer(
		view->audio->peers, pending->peer, pending->request, pending->error, pending->why);
	pending_destroy(pending);
}

void view_done(struct view *view, int seq) {
	struct pending *pending, *next;
	spa_list_for_each_safe(pending, next, &view->pendings, link) {
		if (pending->seq == seq)
			finish(view, pending);
	}
}

void view_error(struct view *view, uint32_t proxy, int res, const char *message) {
	struct pending *pending;
	spa_list_for_each(pending, &view->pendings, link) {
		for (uint32_t i = 0; i < pending->id_count; i++) {
			if (pending->ids[i] != proxy || pending->error)
				continue;
			pending->error = res < 0 ? -res : EIO;
			audio_copy(pending->why, sizeof(pending->why), message);
			return;
		}
	}
}

void view_requests_end(struct view *view) {
	struct pending *pending, *next;
	spa_list_for_each_safe(pending, next, &view->pendings, link) {
		pending->error = ECONNRESET;
		audio_copy(pending->why, sizeof(pending->why), "the sound server is gone");
		finish(view, pending);
	}
}

static void await(struct pending *pending, struct pw_proxy *proxy) {
	if (proxy && pending->id_count < SPA_N_ELEMENTS(pending->ids))
		pending->ids[pending->id_count++] = pw_proxy_get_id(proxy);
}

static uint32_t count_pendings(const struct view *view, uint64_t peer) {
	const struct pending *pending;
	uint32_t count = 0;
	spa_list_for_each(pending, &view->pendings, link) {
		count += pending->peer == peer;
	}
	return count;
}

/* ---- volume */

struct spa_pod *view_props(struct spa_pod_builder *builder, uint32_t id, uint32_t channels,
	bool volume, float linear, bool mute) {
	struct spa_pod_frame frame;
	float volumes[64];
	spa_pod_builder_push_object(builder, &frame, SPA_TYPE_OBJECT_Props, id);
	if (volume) {
		if (channels < 1 || channels > SPA_N_ELEMENTS(volumes))
			channels = 1;
		for (uint32_t i = 0; i < channels; i++)
			volumes[i] = linear;
		spa_pod_builder_prop(builder, SPA_PROP_channelVolumes, 0);
		spa_pod_builder_array(builder, sizeof(float), SPA_TYPE_Float, channels, volumes);
	} else {
		spa_pod_builder_prop(builder, SPA_PROP_mute, 0);
		spa_pod_builder_bool(builder, mute);
	}
	return spa_pod_builder_pop(builder, &frame);
}

static int set_props(struct view *view, struct pending *pending,
	const struct audio_message *request, char *why, size_t why_size) {
	struct node *node = view_node_by_serial(view, request->id);
	bool volume = request->type == AUDIO_SET_VOLUME;
	if (!node) {
		snprintf(why, why_size, "there is no node %llu", (unsigned long long)request->id);
		return ENOENT;
	}
	if (!node->has_volume) {
		snprintf(why, why_size, "%s has no volume", node->title);
		return ENOTSUP;
	}
	if (volume && request->value > VOLUME_MAX) {
		snprintf(why, why_size, "a volume is at most %d %%, not %u.%u %%", VOLUME_MAX / 10,
			request->value / 10, request->value % 10);
		return EINVAL;
	}
	float fader = (float)request->value / 1000;
	float linear = fader * fader * fader;
	bool mute = request->value != 0;
	/* The server would wait for our own answer before it reads what else we say. */
	struct port *port = port_of_node(view->audio, node->id);
	if (port)
		return port_set_props(port, volume, linear, mute);
	await(pending, node->proxy);
	if (view_device_set(view, node, volume, linear, mute))
		return 0;
	uint8_t memory[1024];
	struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(memory, sizeof(memory));
	const struct spa_pod *props =
		view_props(&builder, SPA_PARAM_Props, node->channels, volume, linear, mute);
	int rc = pw_node_set_param((struct pw_node *)node->proxy, SPA_PARAM_Props, 0, props);
	return rc < 0 ? -rc : 0;
}

/* ---- metadata: what the session manager is told */

static int no_session_manager(char *why, size_t why_size) {
	snprintf(why, why_size,
		"no session manager (such as WirePlumber) runs, which would do that");
	return ENOTSUP;
}

static int set_default(struct view *view, struct pending *pending,
	const struct audio_message *request, char *why, size_t why_size) {
	const struct node *node = view_node_by_serial(view, request->id);
	if (!node || (node->kind != AUDIO_OUTPUT && node->kind != AUDIO_INPUT)) {
		snprintf(why, why_size, "%llu is no output and no input",
			(unsigned long long)request->id);
		return node ? EINVAL : ENOENT;
	}
	if (!view->metadata)
		return no_session_manager(why, why_size);
	char name[600], value[640];
	spa_json_encode_string(name, sizeof(name), node->name);
	snprintf(value, sizeof(value), "{ \"name\": %s }", name);
	await(pending, (struct pw_proxy *)view->metadata);
	int rc = pw_metadata_set_property(view->metadata, PW_ID_CORE,
		node->kind == AUDIO_OUTPUT ? "default.configured.audio.sink"
					   : "default.configured.audio.source",
		"Spa:String:JSON", value);
	return rc < 0 ? -rc : 0;
}

static int move(struct view *view, struct pending *pending, const struct audio_message *request,
	char *why, size_t why_size) {
	const struct node *stream = view_node_by_serial(view, request->id);
	const struct node *device = view_node_by_serial(view, request->other);
	bool plays = stream && stream->kind == AUDIO_PLAYER;
	bool records = stream && stream->kind == AUDIO_RECORDER;
	if (!plays && !records) {
		snprintf(why, why_size, "%llu is no program that plays or records",
			(unsigned long long)request->id);
		return stream ? EINVAL : ENOENT;
	}
	if (!device || (plays && device->kind != AUDIO_OUTPUT) ||
		(records && device->kind != AUDIO_INPUT && device->kind != AUDIO_OUTPUT)) {
		snprintf(why, why_size, "%llu is no %s", (unsigned long long)request->other,
			plays ? "output" : "input");
		return device ? EINVAL : ENOENT;
	}
	if (!view->metadata)
		return no_session_manager(why, why_size);
	char target[32];
	snprintf(target, sizeof(target), "%llu", (unsigned long long)device->serial);
	await(pending, (struct pw_proxy *)view->metadata);
	int rc = pw_metadata_set_property(
		view->metadata, stream->id, "target.object", "Spa:Id", target);
	return rc < 0 ? -rc : 0;
}

/* ---- links */

static int make_link(struct view *view, struct pending *pending, const struct port_view *from,
	const struct port_view *to) {
	struct pw_properties *props = pw_properties_new(PW_KEY_OBJECT_LINGER, "true", NULL);
	if (!props)
		return ENOMEM;
	pw_properties_setf(props, PW_KEY_LINK_OUTPUT_NODE, "%u", from->node);
	pw_properties_setf(props, PW_KEY_LINK_OUTPUT_PORT, "%u", from->id);
	pw_properties_setf(props, PW_KEY_LINK_INPUT_NODE, "%u", to->node);
	pw_properties_setf(props, PW_KEY_LINK_INPUT_PORT, "%u", to->id);
	struct pw_proxy *proxy = pw_core_create_object(view->core, "link-factory",
		PW_TYPE_INTERFACE_Link, PW_VERSION_LINK, &props->dict, 0);
	pw_properties_free(props);
	if (!proxy)
		return errno;
	pending->made[pending->made_count++] = proxy;
	await(pending, proxy);
	return 0;
}

/* The sound ports of one side of a node, by number. */
static uint32_t ports_of(const struct view *view, uint32_t node, bool out,
	const struct port_view *ports[AUDIO_CHANNELS_MAX]) {
	uint32_t count = 0;
	const struct port_view *port;
	spa_list_for_each(port, &view->ports, link) {
		if (port->node != node || port->out != out || !port->sound ||
			count == AUDIO_CHANNELS_MAX)
			continue;
		uint32_t at = count++;
		for (; at > 0 && ports[at - 1]->number > port->number; at--)
			ports[at] = ports[at - 1];
		ports[at] = port;
	}
	return count;
}

static const struct port_view *same_channel(
	const struct port_view *const *ports, uint32_t count, const struct port_view *as) {
	for (uint32_t i = 0; i < count; i++) {
		if (as->channel[0] && strcmp(ports[i]->channel, as->channel) == 0)
			return ports[i];
	}
	return NULL;
}

static int make_links(struct view *view, struct pending *pending,
	const struct audio_message *request, char *why, size_t why_size) {
	const struct node *from = view_node_by_serial(view, request->link.from);
	const struct node *to = view_node_by_serial(view, request->link.to);
	const struct port_view *outs[AUDIO_CHANNELS_MAX], *ins[AUDIO_CHANNELS_MAX];
	uint32_t out_count = from ? ports_of(view, from->id, true, outs) : 0;
	uint32_t in_count = to ? ports_of(view, to->id, false, ins) : 0;
	if (out_count == 0 || in_count == 0) {
		snprintf(why, why_size, "%llu has nothing that sound comes %s",
			(unsigned long long)(out_count ? request->link.to : request->link.from),
			out_count ? "into" : "out of");
		return from && to ? EINVAL : ENOENT;
	}
	/* Left to left and right to right where the channels have such names; otherwise in order,
	 * one channel to all. */
	uint32_t count = out_count > in_count ? out_count : in_count;
	bool named = out_count > 1 && in_count > 1;
	int error = 0;
	for (uint32_t i = 0; i < count && error == 0; i++) {
		const struct port_view *in = ins[i % in_count], *out = outs[i % out_count];
		if (named && i < out_count)
			in = same_channel(ins, in_count, out);
		if (named && (i >= out_count || !in)) {
			if (i >= in_count || i >= out_count)
				continue;
			in = ins[i];
		}
		error = make_link(view, pending, out, in);
	}
	return error;
}

static int break_links(struct view *view, struct pending *pending,
	const struct audio_message *request, char *why, size_t why_size) {
	const struct link_view *link;
	int error = ENOENT;
	await(pending, (struct pw_proxy *)view->registry);
	spa_list_for_each(link, &view->links, link) {
		if (link->pair->serial != request->id)
			continue;
		int rc = pw_registry_destroy(view->registry, link->id);
		error = rc < 0 ? -rc : 0;
	}
	if (error == ENOENT)
		snprintf(why, why_size, "there is no link %llu", (unsigned long long)request->id);
	return error;
}

/* ---- */

int view_request(struct view *view, uint64_t peer, const struct audio_message *request, char *why,
	size_t why_size) {
	if (!view->core || !view->registry) {
		snprintf(why, why_size, "there is no sound server");
		return ENOTCONN;
	}
	if (count_pendings(view, peer) >= PENDINGS_MAX) {
		snprintf(why, why_size, "too many requests wait for the sound server already");
		return EBUSY;
	}
	struct pending *pending = calloc(1, sizeof(*pending));
	if (!pending)
		return ENOMEM;
	pending->peer = peer;
	pending->request = request->request;
	spa_list_append(&view->pendings, &pending->link);
	int error = 0;
	switch (request->type) {
	case AUDIO_SET_VOLUME:
	case AUDIO_SET_MUTE:
		error = set_props(view, pending, request, why, why_size);
		break;
	case AUDIO_SET_DEFAULT:
		error = set_default(view, pending, request, why, why_size);
		break;
	case AUDIO_MOVE:
		error = move(view, pending, request, why, why_size);
		break;
	case AUDIO_LINK_MAKE:
		error = make_links(view, pending, request, why, why_size);
		break;
	case AUDIO_LINK_BREAK:
		error = break_links(view, pending, request, why, why_size);
		break;
	default:
		error = EOPNOTSUPP;
	}
	if (error == 0) {
		pending->seq = pw_core_sync(view->core, PW_ID_CORE, 0);
		return EINPROGRESS;
	}
	if (why[0] == '\0')
		snprintf(why, why_size, "%s", strerror(error));
	pending_destroy(pending);
	return error;
}

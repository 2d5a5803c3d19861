/* SPDX-License-Identifier: MIT */
/* Of the control server: the transport, and what sounds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/audio.h"
#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/keeper.h"
#include "compositor/server.h"
#include "source-city-control-v1-server-protocol.h"
#include "tiles/audio_wire.h"
#include "tiles/tile.h"
#include "vat.h"

#define NO_TRANSPORT "this city has no transport: its keeper is older, or it runs without one"

static void answer(struct city_request *request, const char *step, char *json, const char *why) {
	if (json) {
		city_request_text(request, json);
		city_request_succeed(request);
	} else {
		city_request_fail(request, step, why);
	}
	free(json);
}

static struct city_request *begin(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	return city_request_create(wl_resource_get_user_data(resource), client,
		(uint32_t)wl_resource_get_version(resource), id);
}

void city_control_handle_get_transport(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_request *request = begin(client, resource, id);
	if (request) {
		answer(request, "transport",
			city_audio_transport_json(request->control->server, true), NO_TRANSPORT);
	}
}

void city_control_handle_get_audio(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_request *request = begin(client, resource, id);
	if (request) {
		answer(request, "audio", city_audio_json(request->control->server->audio),
			"out of memory");
	}
}

static void handle_transport_asked(void *data, int error, const char *text) {
	struct city_request *request = data;
	request->audio_request = 0;
	if (error != 0) {
		city_request_fail(request, "transport", text);
	} else {
		city_request_succeed(request);
	}
}

static void handle_audio_asked(void *data, int error, const char *text) {
	struct city_request *request = data;
	request->audio_request = 0;
	if (error != 0) {
		city_request_fail(request, "audio", text);
	} else {
		city_request_succeed(request);
	}
}

/* False with one line. */
static bool check(const struct city_server *server, const struct audio_message *message,
	const char *name, char *error, size_t size) {
	const struct vat_transport_page *page =
		server->keeper ? city_keeper_transport(server->keeper) : NULL;
	struct vat_transport transport;
	struct vat_error wrong;
	if (!page || !vat_transport_read(page, &transport)) {
		snprintf(error, size, NO_TRANSPORT);
		return false;
	}
	if (vat_transport_check(
		    message->ask.what, message->ask.value, message->ask.tick, name, &wrong) < 0) {
		snprintf(error, size, "%.200s", wrong.text);
		return false;
	}
	for (uint32_t i = 0; i < transport.marker_count; i++) {
		if (strcmp(transport.markers[i].name, name) == 0) {
			return true;
		}
	}
	snprintf(error, size, "there is no marker \"%.60s\"", name);
	return message->ask.what != TILE_TRANSPORT_UNMARK;
}

void city_control_handle_ask_transport(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, uint32_t what, uint32_t value, uint32_t tick_hi, uint32_t tick_lo,
	const char *name) {
	struct city_request *request = begin(client, resource, id);
	if (!request) {
		return;
	}
	char error[256];
	struct city_server *server = request->control->server;
	struct audio_message message = {
		.type = AUDIO_TRANSPORT_ASK,
		.ask =
			{
				.what = what,
				.value = value,
				.tick = (int64_t)((uint64_t)tick_hi << 32 | tick_lo),
			},
	};
	if (!check(server, &message, name, error, sizeof(error))) {
		city_request_fail(request, "transport", error);
		return;
	}
	snprintf(message.ask.name, sizeof(message.ask.name), "%s", name);
	request->audio_request =
		city_audio_ask(server->audio, &message, handle_transport_asked, request);
}

void city_control_handle_ask_audio(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, uint32_t what, uint32_t node_hi, uint32_t node_lo, uint32_t other_hi,
	uint32_t other_lo, uint32_t value) {
	struct city_request *request = begin(client, resource, id);
	if (!request) {
		return;
	}
	static const uint32_t types[] = {
		[SOURCE_CITY_CONTROL_V1_AUDIO_VOLUME] = AUDIO_SET_VOLUME,
		[SOURCE_CITY_CONTROL_V1_AUDIO_MUTE] = AUDIO_SET_MUTE,
		[SOURCE_CITY_CONTROL_V1_AUDIO_DEFAULT] = AUDIO_SET_DEFAULT,
		[SOURCE_CITY_CONTROL_V1_AUDIO_LINK] = AUDIO_LINK_MAKE,
		[SOURCE_CITY_CONTROL_V1_AUDIO_UNLINK] = AUDIO_LINK_BREAK,
		[SOURCE_CITY_CONTROL_V1_AUDIO_MOVE] = AUDIO_MOVE,
	};
	struct city_audio *audio = request->control->server->audio;
	struct audio_message message = {
		.id = (uint64_t)node_hi << 32 | node_lo,
		.other = (uint64_t)other_hi << 32 | other_lo,
		.value = value,
	};
	message.type = what < sizeof(types) / sizeof(types[0]) ? types[what] : 0;
	switch (message.type) {
	case 0:
		city_request_fail(request, "audio", "this city does not know that request");
		return;
	case AUDIO_LINK_MAKE:
		message.link.from = message.id;
		message.link.to = message.other;
		message.id = message.other = 0;
		break;
	case AUDIO_LINK_BREAK:
		message.id = city_audio_link(audio, message.id, message.other);
		message.other = 0;
		if (message.id == 0) {
			city_request_fail(request, "audio", "there is no link between these two");
			return;
		}
		break;
	default:
		break;
	}
	request->audio_request = city_audio_ask(audio, &message, handle_audio_asked, request);
}

void city_control_transport(struct city_server *server, const char *json) {
	struct wl_resource *resource;
	if (!server->control) {
		return;
	}
	wl_resource_for_each(resource, &server->control->resources) {
		if (wl_resource_get_version(resource) >=
			SOURCE_CITY_CONTROL_V1_TRANSPORT_SINCE_VERSION) {
			source_city_control_v1_send_transport(resource, json);
		}
	}
}

void city_control_audio(struct city_server *server, const char *json) {
	struct wl_resource *resource;
	if (!server->control) {
		return;
	}
	wl_resource_for_each(resource, &server->control->resources) {
		if (wl_resource_get_version(resource) >=
			SOURCE_CITY_CONTROL_V1_AUDIO_SINCE_VERSION) {
			source_city_control_v1_send_audio(resource, json);
		}
	}
}

/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compositor/audio.h"
#include "compositor/command.h"
#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/keeper.h"
#include "compositor/record.h"
#include "compositor/refactor.h"
#include "compositor/server.h"
#include "compositor/shot.h"
#include "compositor/tile.h"
#include "source-city-control-v1-server-protocol.h"

/* A thousand records to a client that does not read yet. */
#define CLIENT_BUFFER (8u << 20)

/* ---- requests that get an answer */

static void request_drop_rollback(struct city_request *request) {
	if (request->rolling_back) {
		wl_list_remove(&request->tile_changed.link);
		wl_list_remove(&request->tile_destroy.link);
		request->rolling_back = NULL;
	}
}

static void request_close(struct city_request *request) {
	request->open = false;
	request_drop_rollback(request);
}

void city_request_succeed(struct city_request *request) {
	if (request->open) {
		request_close(request);
		source_city_request_v1_send_succeeded(request->resource);
	}
}

void city_request_fail(struct city_request *request, const char *step, const char *reason) {
	if (request->open) {
		request_close(request);
		char cut[1024];
		snprintf(cut, sizeof(cut), "%s", reason);
		source_city_request_v1_send_failed(request->resource, step, cut);
	}
}

void city_request_progress(struct city_request *request, const char *step, int64_t at_ns) {
	if (request->open) {
		source_city_request_v1_send_progress(request->resource, step,
			(uint32_t)((uint64_t)at_ns >> 32), (uint32_t)at_ns);
	}
}

static void send_pieces(struct wl_resource *resource, const char *text,
	void (*send)(struct wl_resource *resource, const char *text)) {
	char piece[CITY_TEXT_PIECE + 1];
	size_t left = strlen(text);
	while (left > 0) {
		size_t size = left < CITY_TEXT_PIECE ? left : CITY_TEXT_PIECE;
		/* Not within a character. */
		while (size < left && size > CITY_TEXT_PIECE - 4 &&
			((unsigned char)text[size] & 0xc0) == 0x80) {
			size--;
		}
		memcpy(piece, text, size);
		piece[size] = '\0';
		send(resource, piece);
		text += size;
		left -= size;
	}
}

void city_request_text(struct city_request *request, const char *text) {
	if (request->open) {
		send_pieces(request->resource, text, source_city_request_v1_send_text);
	}
}

void city_request_output(struct city_request *request, const char *text) {
	if (request->open) {
		send_pieces(request->resource, text, source_city_request_v1_send_output);
	}
}

void city_request_record(struct city_request *request, const char *json) {
	if (request->open) {
		source_city_request_v1_send_record(request->resource, json);
	}
}

static void listener_progress(void *data, const char *step, int64_t at_ns) {
	city_request_progress(data, step, at_ns);
}

static void listener_ended(void *data, enum city_result result, const char *step,
	const char *reason, const char *json) {
	struct city_request *request = data;
	if (!request->open) {
		return;
	}
	if (json) {
		city_request_record(request, json);
	}
	if (request->job) {
		/* A watch goes on. */
		return;
	}
	switch (result) {
	case CITY_RESULT_LIVE:
		city_request_succeed(request);
		break;
	case CITY_RESULT_SUPERSEDED:
		request_close(request);
		source_city_request_v1_send_superseded(request->resource);
		break;
	case CITY_RESULT_FAILED:
	case CITY_RESULT_ROLLED_BACK:
		city_request_fail(request, step, reason);
		break;
	}
}

static void listener_record(void *data, const char *json) {
	city_request_record(data, json);
}

const struct city_handover_listener city_request_listener = {
	.record = listener_record,
	.progress = listener_progress,
	.ended = listener_ended,
};

static void handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static const struct source_city_request_v1_interface request_impl = {
	.destroy = handle_destroy,
};

static void handle_request_resource_destroy(struct wl_resource *resource) {
	struct city_request *request = wl_resource_get_user_data(resource);
	request_close(request);
	if (request->keeper_request != 0) {
		city_keeper_forget(request->control->server->keeper, request->keeper_request);
	}
	city_audio_forget(request->control->server->audio, request->audio_request);
	city_shot_cancel(request->shot);
	city_control_map_forget(request);
	city_builder_forget(request);
	city_refactor_unlisten(request->control, request);
	city_transaction_forget(request);
	if (request->control->tiles) {
		city_handover_unlisten(request->control->tiles, request);
	}
	wl_list_remove(&request->link);
	free(request);
}

struct city_request *city_request_create(
	struct city_control *control, struct wl_client *client, uint32_t version, uint32_t id) {
	struct city_request *request = calloc(1, sizeof(*request));
	struct wl_resource *resource = request
		? wl_resource_create(client, &source_city_request_v1_interface, (int)version, id)
		: NULL;
	if (!resource) {
		free(request);
		wl_client_post_no_memory(client);
		return NULL;
	}
	request->control = control;
	request->resource = resource;
	request->open = true;
	wl_list_insert(control->requests.prev, &request->link);
	wl_resource_set_implementation(
		resource, &request_impl, request, handle_request_resource_destroy);
	return request;
}

/* ---- the entry point */

static struct city_request *begin(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_control *control = wl_resource_get_user_data(resource);
	return city_request_create(
		control, client, (uint32_t)wl_resource_get_version(resource), id);
}

static void open_tile(struct city_request *request, const char *kind, const char *title,
	const struct wl_array *texts) {
	if (!request->control->tiles) {
		city_request_fail(
			request, "open", "this city runs without a keeper and has no tiles");
		return;
	}
	char error[512];
	struct city_options options = {0};
	bool read = !texts ||
		city_options_read(&options, texts->data, texts->size, error, sizeof(error));
	struct city_tile *tile = read ? city_tile_open(request->control->tiles, kind, title,
						&options, error, sizeof(error))
				      : NULL;
	city_options_finish(&options);
	if (!tile) {
		city_request_fail(request, "open", error);
		return;
	}
	city_request_text(request, tile->name);
	city_request_succeed(request);
}

static void handle_open_tile(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	const char *kind, const char *title) {
	struct city_request *request = begin(client, resource, id);
	if (request) {
		open_tile(request, kind, title, NULL);
	}
}

static void handle_open_tile_with(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, const char *kind, const char *title, struct wl_array *options) {
	struct city_request *request = begin(client, resource, id);
	if (request) {
		open_tile(request, kind, title, options);
	}
}

static void handle_run_command(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *command) {
	struct city_request *request = begin(client, resource, id);
	char error[512] = "";
	if (!request) {
		return;
	}
	if (city_command_run(request->control->server, command, NULL, error, sizeof(error))) {
		city_request_succeed(request);
	} else {
		city_request_fail(request, "command", error);
	}
}

static void handle_keeper_replaced(void *data, struct city_keeper_reply *reply) {
	struct city_request *request = data;
	request->keeper_request = 0;
	if (reply->status != 0) {
		city_request_fail(request, "keeper", reply->reason);
	} else {
		city_request_succeed(request);
	}
}

static void handle_replace_keeper(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *path) {
	struct city_request *request = begin(client, resource, id);
	if (!request) {
		return;
	}
	struct city_keeper *keeper = request->control->server->keeper;
	if (!keeper) {
		city_request_fail(request, "keeper", "this city runs without a keeper");
		return;
	}
	request->keeper_request =
		city_keeper_replace(keeper, path, handle_keeper_replaced, request);
}

static void handle_create_transaction(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	city_transaction_create(wl_resource_get_user_data(resource), client,
		(uint32_t)wl_resource_get_version(resource), id);
}

static void handle_get_history(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_request *request = begin(client, resource, id);
	if (!request) {
		return;
	}
	const struct city_tiles *tiles = request->control->tiles;
	for (size_t i = 0; tiles && i < city_history_count(tiles->history); i++) {
		source_city_request_v1_send_record(
			request->resource, city_history_get(tiles->history, i));
	}
	city_request_succeed(request);
}

static void handle_get_state(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_request *request = begin(client, resource, id);
	if (!request) {
		return;
	}
	char *json = city_control_state(request->control);
	if (!json) {
		city_request_fail(request, "state", "out of memory");
		return;
	}
	city_request_text(request, json);
	free(json);
	city_request_succeed(request);
}

static void handle_get_map(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_request *request = begin(client, resource, id);
	if (!request) {
		return;
	}
	city_control_map(request);
}

static void handle_register_builder(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	city_builder_register(wl_resource_get_user_data(resource), client, resource, id);
}

static void handle_picture(void *data, const struct city_shot *shot, const char *error) {
	struct city_request *request = data;
	request->shot = NULL;
	if (!shot) {
		city_request_fail(request, "picture", error);
		return;
	}
	source_city_request_v1_send_picture(request->resource, shot->fd, (uint32_t)shot->width,
		(uint32_t)shot->height, (uint32_t)shot->stride);
	city_request_succeed(request);
}

static void handle_draw_picture(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	const char *what, uint32_t width, uint32_t height) {
	struct city_request *request = begin(client, resource, id);
	char error[512] = "";
	if (!request) {
		return;
	}
	request->shot = city_shot_begin(request->control->server, what, width, height,
		handle_picture, request, error, sizeof(error));
	if (!request->shot) {
		city_request_fail(request, "picture", error);
	}
}

static void handle_refactor(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	uint32_t what, const char *tile, const char *target, uint32_t dry) {
	struct city_request *request = begin(client, resource, id);
	char error[512];
	if (request &&
		!city_refactor_begin(request->control, request, what, tile, target, dry == 1, error,
			sizeof(error))) {
		city_request_fail(request, "request", error);
	}
}

static const struct source_city_control_v1_interface control_impl = {
	.draw_picture = handle_draw_picture,
	.destroy = handle_destroy,
	.open_tile = handle_open_tile,
	.run_command = handle_run_command,
	.get_history = handle_get_history,
	.create_transaction = handle_create_transaction,
	.get_state = handle_get_state,
	.register_builder = handle_register_builder,
	.replace_keeper = handle_replace_keeper,
	.get_map = handle_get_map,
	.refactor = handle_refactor,
	.get_transport = city_control_handle_get_transport,
	.ask_transport = city_control_handle_ask_transport,
	.get_audio = city_control_handle_get_audio,
	.ask_audio = city_control_handle_ask_audio,
	.open_tile_with = handle_open_tile_with,
};

static void handle_resource_destroy(struct wl_resource *resource) {
	wl_list_remove(wl_resource_get_link(resource));
}

static void handle_bind(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct city_control *control = data;
	struct wl_resource *resource =
		wl_resource_create(client, &source_city_control_v1_interface, (int)version, id);
	if (!resource) {
		wl_client_post_no_memory(client);
		return;
	}
	wl_client_set_max_buffer_size(client, CLIENT_BUFFER);
	wl_resource_set_implementation(resource, &control_impl, control, handle_resource_destroy);
	wl_list_insert(&control->resources, wl_resource_get_link(resource));
	if (control->tiles) {
		struct city_tile *tile;
		wl_list_for_each(tile, &control->tiles->list, link) {
			if (!tile->closing) {
				city_handle_announce(resource, tile);
			}
		}
	}
	source_city_control_v1_send_done(resource);
}

static void handle_new_tile(struct wl_listener *listener, void *data) {
	struct city_control *control = wl_container_of(listener, control, new_tile);
	struct wl_resource *resource;
	wl_resource_for_each(resource, &control->resources) {
		city_handle_announce(resource, data);
	}
	city_builder_stand_watch(control, data);
}

void city_control_source_changed(struct city_control *control, struct city_tile *tile) {
	city_builder_stand_watch(control, tile);
}

void city_control_message(struct city_server *server, enum city_log_level level,
	const char *subject, const char *format, ...) {
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	city_log(level, subject, "%s", text);
	if (!server->control) {
		return;
	}
	struct wl_resource *resource;
	wl_resource_for_each(resource, &server->control->resources) {
		source_city_control_v1_send_message(resource, (uint32_t)level, subject, text);
	}
}

void city_control_record(struct city_server *server, const char *json) {
	struct wl_resource *resource;
	if (!server->control) {
		return;
	}
	wl_resource_for_each(resource, &server->control->resources) {
		if (wl_resource_get_version(resource) >=
			SOURCE_CITY_CONTROL_V1_RECORD_SINCE_VERSION) {
			source_city_control_v1_send_record(resource, json);
		}
	}
}

struct city_control *city_control_create(struct city_server *server) {
	struct city_control *control = calloc(1, sizeof(*control));
	if (!control) {
		return NULL;
	}
	control->server = server;
	control->tiles = server->tiles;
	wl_list_init(&control->resources);
	wl_list_init(&control->handles);
	wl_list_init(&control->requests);
	wl_list_init(&control->transactions);
	wl_list_init(&control->maps);
	wl_list_init(&control->new_tile.link);
	control->global = wl_global_create(
		server->display, &source_city_control_v1_interface, 6, control, handle_bind);
	if (!control->global) {
		city_log(CITY_LOG_ERROR, "control",
			"there is no control of this city: out of memory");
		free(control);
		return NULL;
	}
	city_server_hide_global(server, control->global, false);
	if (control->tiles) {
		control->new_tile.notify = handle_new_tile;
		wl_signal_add(&control->tiles->events.tile, &control->new_tile);
	}
	city_builder_create(control);
	return control;
}

void city_control_destroy(struct city_control *control) {
	if (!control) {
		return;
	}
	control->server->control = NULL;
	city_refactor_finish(control);
	city_transactions_finish(control);
	city_builder_finish(control);
	/* Their clients outlive this by a moment; the objects do not. */
	struct city_request *request, *next_request;
	wl_list_for_each_safe(request, next_request, &control->requests, link) {
		wl_resource_destroy(request->resource);
	}
	city_control_map_finish(control);
	struct city_handle *handle, *next_handle;
	wl_list_for_each_safe(handle, next_handle, &control->handles, link) {
		wl_resource_destroy(handle->resource);
	}
	struct wl_resource *resource, *next;
	wl_resource_for_each_safe(resource, next, &control->resources) {
		wl_resource_destroy(resource);
	}
	wl_list_remove(&control->new_tile.link);
	wl_global_destroy(control->global);
	free(control);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/keeper.h"
#include "compositor/places.h"
#include "compositor/server.h"
#include "compositor/tile.h"
#include "keeper/wire.h"
#include "source-city-control-v1-server-protocol.h"

/* ---- properties */

static void send_properties(struct city_handle *handle) {
	struct wl_resource *resource = handle->resource;
	struct city_tile *tile = handle->tile;
	const struct city_tile_version *live = tile->live;
	char uuid[VAT_UUID_TEXT];
	vat_uuid_format(&tile->uuid, uuid);
	source_city_tile_handle_v1_send_identity(resource, uuid, tile->name, tile->kind);
	source_city_tile_handle_v1_send_version(resource, live ? live->hash : "",
		live && live->source ? live->source : city_tile_source(tile),
		live ? (uint32_t)live->pid : 0, (uint32_t)(tile->epoch >> 32),
		(uint32_t)tile->epoch);
	struct city_box box = city_view_box(&tile->view);
	char cx[32], cy[32];
	snprintf(cx, sizeof(cx), "%.3f", box.cx);
	snprintf(cy, sizeof(cy), "%.3f", box.cy);
	source_city_tile_handle_v1_send_place(resource, cx, cy, (int)box.width, (int)box.height);
	char title[600];
	snprintf(title, sizeof(title), "%s", city_tile_title(tile));
	source_city_tile_handle_v1_send_title(resource, title);
	char notice[2048];
	snprintf(notice, sizeof(notice), "%s", tile->notice ? tile->notice : "");
	source_city_tile_handle_v1_send_status(resource, tile->state, notice);
	if (wl_resource_get_version(resource) >= SOURCE_CITY_TILE_HANDLE_V1_PAS_SINCE_VERSION) {
		char pas[16] = "";
		if (tile->pas >= 0) {
			snprintf(pas, sizeof(pas), "%.4f", tile->pas);
		}
		source_city_tile_handle_v1_send_pas(resource, pas);
	}
	bool ports = live &&
		wl_resource_get_version(resource) >= SOURCE_CITY_TILE_HANDLE_V1_PORT_SINCE_VERSION;
	for (size_t i = 0; ports && i < live->traits.port_count; i++) {
		const struct city_port *port = &live->traits.ports[i];
		source_city_tile_handle_v1_send_port(
			resource, port->name, port->kind, port->direction);
	}
	source_city_tile_handle_v1_send_done(resource);
}

static void handle_idle(void *data) {
	struct city_handle *handle = data;
	handle->idle = NULL;
	if (handle->tile) {
		send_properties(handle);
	}
}

static void handle_changed(struct wl_listener *listener, void *data) {
	struct city_handle *handle = wl_container_of(listener, handle, changed);
	/* Many changes come at once. */
	if (!handle->idle) {
		handle->idle =
			wl_event_loop_add_idle(handle->control->server->loop, handle_idle, handle);
	}
}

static void handle_drop_tile(struct city_handle *handle) {
	if (handle->tile) {
		wl_list_remove(&handle->changed.link);
		wl_list_remove(&handle->destroy.link);
		handle->tile = NULL;
	}
}

static void handle_tile_destroy(struct wl_listener *listener, void *data) {
	struct city_handle *handle = wl_container_of(listener, handle, destroy);
	handle_drop_tile(handle);
	source_city_tile_handle_v1_send_closed(handle->resource);
}

/* ---- requests */

/* NULL when nothing more can be done; the request then has its answer. */
static struct city_request *begin(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, struct city_handle **handle) {
	*handle = wl_resource_get_user_data(resource);
	struct city_request *request = city_request_create(
		(*handle)->control, client, (uint32_t)wl_resource_get_version(resource), id);
	if (request && !(*handle)->tile) {
		city_request_fail(request, "closed", "the tile was closed");
		return NULL;
	}
	return request;
}

static void handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void handle_force(struct wl_client *client, struct wl_resource *resource) {
	struct city_handle *handle = wl_resource_get_user_data(resource);
	handle->terms.force = true;
}

static void handle_carry_state(
	struct wl_client *client, struct wl_resource *resource, uint32_t mode, uint32_t lossy) {
	struct city_handle *handle = wl_resource_get_user_data(resource);
	/* One that is not known loses nothing. */
	handle->terms.state = mode <= CITY_STATE_MERGE ? mode : CITY_STATE_INHERIT;
	handle->terms.lossy = lossy == 1;
}

static void handle_at(struct wl_client *client, struct wl_resource *resource, const char *splice) {
	struct city_handle *handle = wl_resource_get_user_data(resource);
	/* One that is too long is no splice point: what remains of it is none, either. */
	snprintf(handle->terms.splice, sizeof(handle->terms.splice), "%s", splice);
}

struct city_terms city_handle_take_terms(struct city_handle *handle) {
	struct city_terms terms = handle->terms;
	handle->terms = (struct city_terms){0};
	return terms;
}

static void handle_swap_artifact(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, int32_t artifact, const char *origin, uint32_t strategy, const char *splice) {
	struct city_handle *handle;
	struct city_request *request = begin(client, resource, id, &handle);
	if (!request) {
		close(artifact);
		return;
	}
	char error[512];
	struct city_terms terms = city_handle_take_terms(handle);
	struct city_swap swap = {
		.artifact_fd = artifact,
		.origin = origin,
		.strategy = strategy,
		.splice = *splice ? splice : terms.splice,
		.force = terms.force,
		.state = terms.state,
		.lossy = terms.lossy,
		.build_ns = -1,
		.listener = &city_request_listener,
		.data = request,
	};
	if (city_handover_request(handle->tile, &swap, error, sizeof(error))) {
		city_transactions_supersede(handle->control, handle->tile);
	} else {
		city_request_fail(request, "request", error);
	}
}

const char *city_handle_folder(
	const struct city_handle *handle, const char *folder, const char **why) {
	if (*folder == '/') {
		return folder;
	}
	if (*folder) {
		*why = "the source folder needs its absolute path";
		return NULL;
	}
	/* What was swapped in last, though it may still be on probation. */
	const char *source = city_handover_source(handle->tile);
	*why = "the tile has no source folder that is known; name one";
	return *source ? source : NULL;
}

static const char *folder_of(
	const struct city_handle *handle, const char *folder, struct city_request *request) {
	const char *why = NULL;
	const char *source = city_handle_folder(handle, folder, &why);
	if (!source) {
		city_request_fail(request, "build", why);
	}
	return source;
}

static void handle_swap_source(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	const char *folder, uint32_t strategy, const char *splice) {
	struct city_handle *handle;
	struct city_request *request = begin(client, resource, id, &handle);
	const char *source = request ? folder_of(handle, folder, request) : NULL;
	if (source) {
		struct city_terms terms = city_handle_take_terms(handle);
		city_transaction_swap_source(handle->control, request, handle->tile, source,
			strategy, *splice ? splice : terms.splice, &terms);
	}
}

static void handle_watch(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *folder) {
	struct city_handle *handle;
	struct city_request *request = begin(client, resource, id, &handle);
	const char *source = request ? folder_of(handle, folder, request) : NULL;
	if (source) {
		city_builder_watch(handle->control, request, handle->tile, source);
	}
}

static void handle_rolled_back(struct wl_listener *listener, void *data) {
	struct city_request *request = wl_container_of(listener, request, tile_changed);
	const struct city_tile *tile = request->rolling_back;
	if (!tile->handover && tile->state == CITY_TILE_LIVE) {
		city_request_succeed(request);
	} else if (tile->state == CITY_TILE_DEAD) {
		city_request_fail(request, "rollback", "the old version is gone, too");
	}
}

static void handle_rollback_tile_destroy(struct wl_listener *listener, void *data) {
	struct city_request *request = wl_container_of(listener, request, tile_destroy);
	city_request_fail(request, "closed", "the tile was closed");
}

static void handle_rollback_to(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *which) {
	struct city_handle *handle;
	struct city_request *request = begin(client, resource, id, &handle);
	if (!request) {
		return;
	}
	struct city_tile *tile = handle->tile;
	struct city_handover *handover = tile->handover;
	char error[512];
	const char *a = handover ? city_handover_keeps(handover) : NULL;
	/* In probation the version that is kept is the one before; what is counted on from it. */
	const char *running = tile->live ? tile->live->hash : tile->last;
	size_t steps = city_versions_steps(which);
	char rest[32];
	bool undo = a && (steps == 1 || (steps == 0 && strncmp(a, which, strlen(which)) == 0));
	if (a && steps > 1) {
		running = a;
		snprintf(rest, sizeof(rest), "%zu", steps - 1);
		which = rest;
	}
	const char *hash = NULL;
	if (!undo) {
		hash = city_versions_find(&tile->good, running, which, error, sizeof(error));
		const char *good = city_versions_good(&tile->good);
		if (!hash && steps == 1 && !tile->live && *good) {
			/* Where nothing runs, the last good one, also if that is what ended. */
			hash = good;
		}
		if (!hash) {
			city_request_fail(request, "rollback", error);
			return;
		}
		if (tile->live && !a && strcmp(hash, running) == 0) {
			city_request_fail(request, "rollback", "that version is the one that runs");
			return;
		}
	}
	if (a && city_handover_roll_back(handover, "rolled back by hand") && undo) {
		request->rolling_back = tile;
		request->tile_changed.notify = handle_rolled_back;
		wl_signal_add(&tile->events.changed, &request->tile_changed);
		request->tile_destroy.notify = handle_rollback_tile_destroy;
		wl_signal_add(&tile->events.destroy, &request->tile_destroy);
		city_transactions_supersede(handle->control, tile);
		return;
	}
	struct city_terms terms = city_handle_take_terms(handle);
	struct city_swap swap = {
		.artifact_fd = -1,
		.hash = hash,
		.origin = "rollback",
		.strategy = CITY_STRATEGY_AUTO,
		.splice = terms.splice,
		.force = terms.force,
		.state = terms.state,
		.lossy = terms.lossy,
		.back = true,
		.build_ns = -1,
		.listener = &city_request_listener,
		.data = request,
	};
	if (city_handover_request(tile, &swap, error, sizeof(error))) {
		city_transactions_supersede(handle->control, tile);
	} else {
		city_request_fail(request, "rollback", error);
	}
}

static void handle_rollback(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	handle_rollback_to(client, resource, id, "");
}

/* The same file, for reading only; -1 if there is none. */
static int reading(int fd) {
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd >= 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

static void handle_get_region(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_handle *handle;
	struct city_request *request = begin(client, resource, id, &handle);
	if (!request) {
		return;
	}
	int fd = reading(handle->tile->region_fd);
	if (fd < 0) {
		city_request_fail(request, "region", "the tile has no region yet");
		return;
	}
	source_city_request_v1_send_region(request->resource, fd);
	close(fd);
	city_request_succeed(request);
}

static void handle_recording(void *data, struct city_keeper_reply *reply) {
	struct city_request *request = data;
	request->keeper_request = 0;
	int fd = reply->status == 0 ? reading(reply->fd) : -1;
	if (fd < 0) {
		city_request_fail(request, "recording",
			reply->status == ENOENT ? "the tile is not recorded: see record in "
						  "source-city(5)"
				: reply->status ? reply->reason
						: strerror(errno));
		return;
	}
	source_city_request_v1_send_recording(request->resource, fd);
	close(fd);
	city_request_succeed(request);
}

static void handle_get_recording(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_handle *handle;
	struct city_request *request = begin(client, resource, id, &handle);
	if (request) {
		request->keeper_request = city_keeper_look(handle->tile->tiles->keeper,
			&handle->tile->uuid, KEEPER_STREAM_RECORDING, handle_recording, request);
	}
}

static void handle_get_undo(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_handle *handle;
	struct city_request *request = begin(client, resource, id, &handle);
	if (!request) {
		return;
	}
	const struct city_handover *handover = handle->tile->handover;
	int fd = handover ? reading(city_handover_undo_fd(handover)) : -1;
	if (fd < 0) {
		city_request_fail(request, "undo", "the tile is not in probation");
		return;
	}
	source_city_request_v1_send_undo(request->resource, fd);
	close(fd);
	city_request_succeed(request);
}

static void handle_saved(void *data, struct city_keeper_reply *reply) {
	struct city_request *request = data;
	request->keeper_request = 0;
	if (reply->status != 0) {
		city_request_fail(request, "checkpoint", reply->reason);
		return;
	}
	/* Without it nobody would know whose file it is. */
	city_places_flush(request->control->tiles->places);
	size_t offset = 0;
	const char *path = keeper_wire_next(reply->message, &offset);
	char text[CITY_TEXT_PIECE];
	snprintf(text, sizeof(text), "%llu %llu %s", (unsigned long long)reply->message->size,
		(unsigned long long)reply->message->instance, path ? path : "");
	city_request_text(request, text);
	city_request_succeed(request);
}

static void handle_checkpoint(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_handle *handle;
	struct city_request *request = begin(client, resource, id, &handle);
	if (request) {
		city_tiles_save_now(handle->control->tiles);
		request->keeper_request = city_keeper_checkpoint(handle->control->server->keeper,
			&handle->tile->uuid, handle_saved, request);
	}
}

static void handle_close(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_handle *handle;
	struct city_request *request = begin(client, resource, id, &handle);
	if (request) {
		city_tile_close(handle->tile);
		city_request_succeed(request);
	}
}

static const struct source_city_tile_handle_v1_interface handle_impl = {
	.destroy = handle_destroy,
	.swap_artifact = handle_swap_artifact,
	.swap_source = handle_swap_source,
	.watch = handle_watch,
	.rollback = handle_rollback,
	.get_region = handle_get_region,
	.close = handle_close,
	.force = handle_force,
	.carry_state = handle_carry_state,
	.at = handle_at,
	.get_undo = handle_get_undo,
	.get_recording = handle_get_recording,
	.rollback_to = handle_rollback_to,
	.checkpoint = handle_checkpoint,
};

/* ---- life */

static void handle_resource_destroy(struct wl_resource *resource) {
	struct city_handle *handle = wl_resource_get_user_data(resource);
	handle_drop_tile(handle);
	if (handle->idle) {
		wl_event_source_remove(handle->idle);
	}
	wl_list_remove(&handle->link);
	free(handle);
}

void city_handle_announce(struct wl_resource *control_resource, struct city_tile *tile) {
	struct city_control *control = wl_resource_get_user_data(control_resource);
	struct wl_client *client = wl_resource_get_client(control_resource);
	struct city_handle *handle = calloc(1, sizeof(*handle));
	struct wl_resource *resource = handle
		? wl_resource_create(client, &source_city_tile_handle_v1_interface,
			  wl_resource_get_version(control_resource), 0)
		: NULL;
	if (!resource) {
		free(handle);
		wl_client_post_no_memory(client);
		return;
	}
	handle->control = control;
	handle->resource = resource;
	handle->tile = tile;
	wl_list_insert(&control->handles, &handle->link);
	wl_resource_set_implementation(resource, &handle_impl, handle, handle_resource_destroy);
	handle->changed.notify = handle_changed;
	wl_signal_add(&tile->events.changed, &handle->changed);
	handle->destroy.notify = handle_tile_destroy;
	wl_signal_add(&tile->events.destroy, &handle->destroy);
	source_city_control_v1_send_tile(control_resource, resource);
	send_properties(handle);
}

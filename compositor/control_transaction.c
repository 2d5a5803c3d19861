/* SPDX-License-Identifier: MIT */
/* Transactions: what clients ask for of several tiles at once. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/server.h"
#include "compositor/tile.h"
#include "source-city-control-v1-server-protocol.h"

struct city_transaction {
	struct city_control *control;
	/* Artifacts wait here: what they are is looked at on commit, all at once. */
	struct wl_list parts; /* part.link */
};

struct part {
	struct wl_list link;
	struct city_tile *tile; /* NULL: it was closed */
	struct wl_listener tile_destroy;
	int artifact;
	char origin[256];
	uint32_t strategy;
	struct city_terms terms;
};

static void part_destroy(struct part *part) {
	if (part->tile) {
		wl_list_remove(&part->tile_destroy.link);
	}
	if (part->artifact >= 0) {
		close(part->artifact);
	}
	wl_list_remove(&part->link);
	free(part);
}

static void handle_tile_destroy(struct wl_listener *listener, void *data) {
	struct part *part = wl_container_of(listener, part, tile_destroy);
	wl_list_remove(&part->tile_destroy.link);
	part->tile = NULL;
}

static void handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void handle_add_artifact(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *tile_resource, int32_t artifact, const char *origin,
	uint32_t strategy) {
	struct city_transaction *transaction = wl_resource_get_user_data(resource);
	struct city_handle *handle = wl_resource_get_user_data(tile_resource);
	struct part *part = calloc(1, sizeof(*part));
	if (!part) {
		close(artifact);
		wl_client_post_no_memory(client);
		return;
	}
	part->tile = handle->tile;
	part->artifact = artifact;
	part->strategy = strategy;
	part->terms = city_handle_take_terms(handle);
	snprintf(part->origin, sizeof(part->origin), "%s", origin);
	if (part->tile) {
		part->tile_destroy.notify = handle_tile_destroy;
		wl_signal_add(&part->tile->events.destroy, &part->tile_destroy);
	}
	wl_list_insert(transaction->parts.prev, &part->link);
}

static bool add(struct city_group *group, struct part *part, char *error, size_t size) {
	if (!part->tile) {
		snprintf(error, size, "one of the tiles was closed");
		return false;
	}
	struct city_swap swap = {
		.artifact_fd = part->artifact,
		.origin = part->origin,
		.strategy = part->strategy,
		.splice = "",
		.force = part->terms.force,
		.state = part->terms.state,
		.lossy = part->terms.lossy,
		.build_ns = -1,
	};
	part->artifact = -1;
	char reason[400];
	if (!city_group_add(group, part->tile, &swap, reason, sizeof(reason))) {
		snprintf(error, size, "%s: %s", part->tile->name, reason);
		return false;
	}
	return true;
}

static void handle_commit(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_transaction *transaction = wl_resource_get_user_data(resource);
	struct city_request *request = city_request_create(
		transaction->control, client, (uint32_t)wl_resource_get_version(resource), id);
	if (!request) {
		return;
	}
	char error[512] = "a transaction without a tile";
	struct city_group *group = city_group_create(&city_request_listener, request);
	bool ok = group && !wl_list_empty(&transaction->parts);
	struct part *part, *next;
	wl_list_for_each_safe(part, next, &transaction->parts, link) {
		ok = ok && add(group, part, error, sizeof(error));
		part_destroy(part);
	}
	if (ok) {
		city_group_begin(group);
		return;
	}
	if (group) {
		city_group_cancel(group);
	}
	city_request_fail(request, "request", group ? error : "out of memory");
}

static const struct source_city_transaction_v1_interface transaction_impl = {
	.destroy = handle_destroy,
	.add_artifact = handle_add_artifact,
	.commit = handle_commit,
};

static void handle_resource_destroy(struct wl_resource *resource) {
	struct city_transaction *transaction = wl_resource_get_user_data(resource);
	struct part *part, *next;
	wl_list_for_each_safe(part, next, &transaction->parts, link) {
		part_destroy(part);
	}
	free(transaction);
}

void city_transaction_create(
	struct city_control *control, struct wl_client *client, uint32_t version, uint32_t id) {
	struct city_transaction *transaction = calloc(1, sizeof(*transaction));
	struct wl_resource *resource = transaction
		? wl_resource_create(
			  client, &source_city_transaction_v1_interface, (int)version, id)
		: NULL;
	if (!resource) {
		free(transaction);
		wl_client_post_no_memory(client);
		return;
	}
	transaction->control = control;
	wl_list_init(&transaction->parts);
	wl_resource_set_implementation(
		resource, &transaction_impl, transaction, handle_resource_destroy);
}

/* SPDX-License-Identifier: MIT */
/* What one request brings live, of one tile or of several, all or none. Sources are built first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/server.h"
#include "compositor/tile.h"
#include "source-city-control-v1-server-protocol.h"

struct city_transaction {
	struct wl_list link; /* city_control.transactions, once committed */
	struct city_control *control;
	struct city_request *request; /* NULL: nobody waits for it, or not committed */
	bool committed;
	bool building; /* and that was told */
	/* Artifacts wait here: what they are is looked at when all are there. */
	struct wl_list parts; /* part.link */
};

struct part {
	struct wl_list link;
	struct city_transaction *transaction;
	struct city_tile *tile; /* NULL: it was closed */
	struct wl_listener tile_destroy;
	char *folder;	      /* sources; NULL: an artifact was given */
	struct city_job *job; /* that builds them; NULL: none any more */
	bool spoke;	      /* the compiler did, about this one */
	int artifact;	      /* -1: not there yet */
	char origin[256];
	uint32_t strategy;
	char splice[64];
	struct city_terms terms;
	int64_t begin_ns, build_ns;
};

static void part_destroy(struct part *part) {
	if (part->job) {
		city_builder_cancel(part->job);
	}
	if (part->tile) {
		wl_list_remove(&part->tile_destroy.link);
	}
	if (part->artifact >= 0) {
		close(part->artifact);
	}
	wl_list_remove(&part->link);
	free(part->folder);
	free(part);
}

static void transaction_destroy(struct city_transaction *transaction) {
	struct part *part, *next;
	wl_list_for_each_safe(part, next, &transaction->parts, link) {
		part_destroy(part);
	}
	if (transaction->request) {
		transaction->request->transaction = NULL;
	}
	wl_list_remove(&transaction->link);
	free(transaction);
}

static bool is_alone(const struct city_transaction *transaction) {
	return wl_list_length(&transaction->parts) == 1;
}

/* Nothing of it goes live. */
static void fail(struct city_transaction *transaction, const struct part *part, const char *step,
	const char *reason) {
	struct city_request *request = transaction->request;
	char text[1100];
	bool named = part && part->tile && !is_alone(transaction);
	snprintf(text, sizeof(text), "%s%s%.1000s", named ? part->tile->name : "",
		named ? ": " : "", reason);
	transaction_destroy(transaction);
	if (request) {
		city_request_fail(request, step, text);
	}
}

static void handle_tile_destroy(struct wl_listener *listener, void *data) {
	struct part *part = wl_container_of(listener, part, tile_destroy);
	if (part->transaction->committed) {
		fail(part->transaction, part, "closed", "the tile was closed");
		return;
	}
	wl_list_remove(&part->tile_destroy.link);
	part->tile = NULL;
}

/* NULL when out of memory. */
static struct part *add_part(struct city_transaction *transaction, struct city_tile *tile,
	uint32_t strategy, const struct city_terms *terms) {
	struct part *part = calloc(1, sizeof(*part));
	if (!part) {
		return NULL;
	}
	part->transaction = transaction;
	part->tile = tile;
	part->artifact = -1;
	part->strategy = strategy;
	part->terms = *terms;
	snprintf(part->splice, sizeof(part->splice), "%s", terms->splice);
	part->build_ns = -1;
	if (tile) {
		part->tile_destroy.notify = handle_tile_destroy;
		wl_signal_add(&tile->events.destroy, &part->tile_destroy);
	}
	wl_list_insert(transaction->parts.prev, &part->link);
	return part;
}

/* ---- all are built */

static struct city_swap swap_of(struct part *part) {
	struct city_swap swap = {
		.artifact_fd = part->artifact,
		.source = part->folder,
		.origin = part->origin,
		.strategy = part->strategy,
		.splice = part->splice,
		.force = part->terms.force,
		.state = part->terms.state,
		.lossy = part->terms.lossy,
		.begin_ns = part->begin_ns,
		.build_ns = part->build_ns,
	};
	part->artifact = -1;
	return swap;
}

static void hand_over(struct city_transaction *transaction) {
	struct city_request *request = transaction->request;
	const struct city_handover_listener *listener = request ? &city_request_listener : NULL;
	bool alone = is_alone(transaction), ok = true;
	char error[512] = "out of memory";
	struct city_group *group = alone ? NULL : city_group_create(listener, request);
	struct part *part;
	/* From here on the handovers answer. */
	transaction->request = NULL;
	if (request) {
		request->transaction = NULL;
	}
	wl_list_for_each(part, &transaction->parts, link) {
		struct city_swap swap = swap_of(part);
		if (alone) {
			swap.listener = listener;
			swap.data = request;
			ok = city_handover_request(part->tile, &swap, error, sizeof(error));
		} else {
			ok = group &&
				city_group_add(group, part->tile, &swap, error, sizeof(error));
		}
		if (!ok) {
			break;
		}
	}
	if (ok) {
		transaction_destroy(transaction);
		if (group) {
			city_group_begin(group);
		}
		return;
	}
	if (group) {
		city_group_cancel(group);
	}
	if (part->folder) {
		city_tile_set_notice(part->tile, CITY_BADGE_ERROR, error, true);
	}
	transaction->request = request;
	fail(transaction, part, "request", error);
}

/* ---- builds */

static void handle_started(void *data) {
	const struct part *part = data;
	struct city_transaction *transaction = part->transaction;
	if (!transaction->building && transaction->request) {
		city_request_progress(transaction->request, "build", city_now_ns());
	}
	transaction->building = true;
}

static void handle_output(void *data, const char *text) {
	struct part *part = data;
	struct city_request *request = part->transaction->request;
	if (!request) {
		return;
	}
	if (!part->spoke && !is_alone(part->transaction)) {
		char name[VAT_NAME_SIZE + 2];
		snprintf(name, sizeof(name), "%s:\n", part->tile->name);
		city_request_output(request, name);
	}
	part->spoke = true;
	city_request_output(request, text);
}

static void handle_built(void *data, int artifact, const char *folder, int64_t took_ns) {
	struct part *part = data;
	struct city_transaction *transaction = part->transaction;
	part->job = NULL;
	part->artifact = dup(artifact);
	if (part->artifact < 0) {
		fail(transaction, part, "build", "no file descriptor is left for what was built");
		return;
	}
	part->begin_ns = took_ns >= 0 ? city_now_ns() - took_ns : 0;
	part->build_ns = took_ns;
	wl_list_for_each(part, &transaction->parts, link) {
		if (part->job) {
			return;
		}
	}
	hand_over(transaction);
}

static void handle_failed(void *data, const char *step, const char *reason) {
	struct part *part = data;
	part->job = NULL;
	fail(part->transaction, part, step, reason);
}

static const struct city_build_listener build_listener = {
	.started = handle_started,
	.output = handle_output,
	.built = handle_built,
	.failed = handle_failed,
};

/* ---- begin and end */

/* The first that cannot go, and why; NULL: all can. */
static struct part *find_bad(struct city_transaction *transaction, char *error, size_t size) {
	struct part *part, *other;
	wl_list_for_each(part, &transaction->parts, link) {
		if (!part->tile) {
			snprintf(error, size, "one of the tiles was closed");
			return part;
		}
		if (!city_handover_check(part->tile, part->strategy, part->splice, error, size)) {
			return part;
		}
		wl_list_for_each(other, &transaction->parts, link) {
			if (other != part && other->tile == part->tile) {
				snprintf(error, size, "it is named twice");
				return part;
			}
		}
	}
	return NULL;
}

/* Takes the transaction; the request has its answer, or will. */
static void begin(struct city_transaction *transaction, struct city_request *request) {
	struct city_control *control = transaction->control;
	char error[400];
	bool builds = false;
	transaction->request = request;
	request->transaction = transaction;
	struct part *part = find_bad(transaction, error, sizeof(error));
	if (part) {
		fail(transaction, part, "request", error);
		return;
	}
	wl_list_for_each(part, &transaction->parts, link) {
		city_transactions_supersede(control, part->tile);
	}
	transaction->committed = true;
	wl_list_insert(control->transactions.prev, &transaction->link);
	wl_list_for_each(part, &transaction->parts, link) {
		const char *why = NULL;
		if (!part->folder) {
			continue;
		}
		part->job = city_builder_build(
			control, part->tile, part->folder, &build_listener, part, &why);
		if (!part->job) {
			fail(transaction, NULL, "build", why);
			return;
		}
		builds = true;
	}
	if (!builds) {
		hand_over(transaction);
	}
}

void city_transactions_supersede(struct city_control *control, struct city_tile *tile) {
	struct city_transaction *transaction, *next;
	wl_list_for_each_safe(transaction, next, &control->transactions, link) {
		const struct part *part;
		bool of_it = false;
		wl_list_for_each(part, &transaction->parts, link) {
			of_it |= part->tile == tile;
		}
		if (!of_it) {
			continue;
		}
		struct city_request *request = transaction->request;
		transaction_destroy(transaction);
		if (request) {
			city_request_listener.ended(
				request, CITY_RESULT_SUPERSEDED, "build", "", NULL);
		}
	}
	tile->requested_ns = city_now_ns();
	city_builder_supersede(control, tile);
}

void city_transaction_forget(struct city_request *request) {
	if (request->transaction) {
		request->transaction->request = NULL;
		request->transaction = NULL;
	}
}

void city_transactions_finish(struct city_control *control) {
	struct city_transaction *transaction, *next;
	wl_list_for_each_safe(transaction, next, &control->transactions, link) {
		transaction_destroy(transaction);
	}
}

static struct city_transaction *create(struct city_control *control) {
	struct city_transaction *transaction = calloc(1, sizeof(*transaction));
	if (transaction) {
		transaction->control = control;
		wl_list_init(&transaction->link);
		wl_list_init(&transaction->parts);
	}
	return transaction;
}

void city_transaction_swap_source(struct city_control *control, struct city_request *request,
	struct city_tile *tile, const char *folder, enum city_strategy strategy, const char *splice,
	const struct city_terms *terms) {
	struct city_transaction *transaction = create(control);
	struct part *part = transaction ? add_part(transaction, tile, strategy, terms) : NULL;
	if (!part || !(part->folder = strdup(folder))) {
		if (transaction) {
			transaction_destroy(transaction);
		}
		city_request_fail(request, "build", "out of memory");
		return;
	}
	snprintf(part->origin, sizeof(part->origin), "source %s", folder);
	snprintf(part->splice, sizeof(part->splice), "%s", splice);
	begin(transaction, request);
}

/* ---- the protocol's object: what is gathered before the commit */

static void handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void handle_add_artifact(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *tile_resource, int32_t artifact, const char *origin,
	uint32_t strategy) {
	struct city_transaction *transaction = wl_resource_get_user_data(resource);
	struct city_handle *handle = wl_resource_get_user_data(tile_resource);
	struct city_terms terms = city_handle_take_terms(handle);
	struct part *part =
		transaction ? add_part(transaction, handle->tile, strategy, &terms) : NULL;
	if (!part) {
		close(artifact);
		if (transaction) {
			wl_client_post_no_memory(client);
		}
		return;
	}
	part->artifact = artifact;
	snprintf(part->origin, sizeof(part->origin), "%s", origin);
}

static void handle_add_source(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *tile_resource, const char *folder, uint32_t strategy) {
	struct city_transaction *transaction = wl_resource_get_user_data(resource);
	struct city_handle *handle = wl_resource_get_user_data(tile_resource);
	struct city_terms terms = city_handle_take_terms(handle);
	if (!transaction) {
		return;
	}
	struct part *part = add_part(transaction, handle->tile, strategy, &terms);
	/* What is wrong with it the builder says. */
	const char *why, *source = NULL;
	if (handle->tile) {
		source = city_handle_folder(handle, folder, &why);
	}
	if (!part || !(part->folder = strdup(source ? source : folder))) {
		wl_client_post_no_memory(client);
		return;
	}
	snprintf(part->origin, sizeof(part->origin), "source %s", part->folder);
}

static void handle_commit(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_transaction *transaction = wl_resource_get_user_data(resource);
	struct city_control *control = transaction ? transaction->control : NULL;
	if (!transaction) {
		wl_client_post_implementation_error(client, "a transaction is committed once");
		return;
	}
	struct city_request *request = city_request_create(
		control, client, (uint32_t)wl_resource_get_version(resource), id);
	if (!request) {
		return;
	}
	wl_resource_set_user_data(resource, NULL);
	if (wl_list_empty(&transaction->parts)) {
		transaction_destroy(transaction);
		city_request_fail(request, "request", "a transaction without a tile");
		return;
	}
	begin(transaction, request);
}

static const struct source_city_transaction_v1_interface transaction_impl = {
	.destroy = handle_destroy,
	.add_artifact = handle_add_artifact,
	.commit = handle_commit,
	.add_source = handle_add_source,
};

static void handle_resource_destroy(struct wl_resource *resource) {
	struct city_transaction *transaction = wl_resource_get_user_data(resource);
	if (transaction) {
		transaction_destroy(transaction);
	}
}

void city_transaction_create(
	struct city_control *control, struct wl_client *client, uint32_t version, uint32_t id) {
	struct city_transaction *transaction = create(control);
	struct wl_resource *resource = transaction
		? wl_resource_create(
			  client, &source_city_transaction_v1_interface, (int)version, id)
		: NULL;
	if (!resource) {
		free(transaction);
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(
		resource, &transaction_impl, transaction, handle_resource_destroy);
}

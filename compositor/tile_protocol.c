/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_fractional_scale_v1.h>
#include <wlr/types/wlr_output.h>

#include "compositor/control.h"
#include "compositor/handover.h"
#include "compositor/server.h"
#include "compositor/text.h"
#include "compositor/tile.h"
#include "compositor/tile_internal.h"
#include "log.h"
#include "source-city-tile-v1-server-protocol.h"
#include "tiles/tile.h"

#define TILE_SIZE_MAX 16384
#define CONFIGURES_MAX 64
#define REASON_MAX 1025
#define TITLE_MAX 513

static const struct source_city_tile_v1_interface tile_impl;

/* NULL when the version has ended or its words no longer count. */
static struct city_tile_version *version_from_resource(struct wl_resource *resource) {
	struct city_tile_version *version = wl_resource_get_user_data(resource);
	return version && version->state != CITY_VERSION_DYING ? version : NULL;
}

static uint64_t join(uint32_t hi, uint32_t lo) {
	return (uint64_t)hi << 32 | lo;
}

static int64_t join_time(uint32_t hi, uint32_t lo) {
	uint64_t value = join(hi, lo);
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* When it was done with what it was asked for; 0: it does not know. Nothing that it says lies
 * before the question or after the answer. */
static int64_t answer_time(const struct city_tile_version *version, uint32_t hi, uint32_t lo) {
	const int64_t said = join_time(hi, lo), now = city_now_ns();
	if (said == 0) {
		return 0;
	}
	return said < version->asked_ns ? version->asked_ns : said > now ? now : said;
}

static uint32_t next_serial(struct city_tile_version *version) {
	if (++version->serial == 0) {
		version->serial = 1;
	}
	return version->serial;
}

/* Breaks the connection; the process follows. */
static void protocol_error(struct city_tile_version *version, uint32_t code, const char *what) {
	if (!version->failure &&
		asprintf(&version->failure, "it broke the protocol: %s", what) < 0) {
		version->failure = NULL;
	}
	wl_resource_post_error(version->resource, code, "%s", what);
}

/* ---- the surface's role */

static void role_client_commit(struct wlr_surface *surface) {
	struct wl_resource *resource = surface->role_resource;
	struct city_tile_version *version = resource ? version_from_resource(resource) : NULL;
	if (!version || !(surface->pending.committed & WLR_SURFACE_STATE_BUFFER) ||
		!surface->pending.buffer) {
		return;
	}
	if (version->acked_width == 0) {
		protocol_error(version, SOURCE_CITY_TILE_V1_ERROR_UNCONFIGURED,
			"a buffer was committed before a configure was acknowledged");
	} else if (version->state < CITY_VERSION_LIVE) {
		protocol_error(version, SOURCE_CITY_TILE_V1_ERROR_ORDER,
			"a buffer was committed before attached was sent");
	}
}

static void role_commit(struct wlr_surface *surface) {
	struct wl_resource *resource = surface->role_resource;
	struct city_tile_version *version = resource ? version_from_resource(resource) : NULL;
	if (!wlr_surface_has_buffer(surface)) {
		wlr_surface_unmap(surface);
		return;
	}
	wlr_surface_map(surface);
	if (version) {
		city_handover_version_committed(version);
	}
}

static const struct wlr_surface_role tile_role = {
	.name = "source_city_tile_v1",
	.client_commit = role_client_commit,
	.commit = role_commit,
};

static void handle_surface_destroy(struct wl_listener *listener, void *data) {
	struct city_tile_version *version = wl_container_of(listener, version, surface_destroy);
	wl_list_remove(&version->surface_destroy.link);
	version->surface = NULL;
}

/* ---- requests of source_city_tile_v1 */

static void handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void handle_ack_configure(
	struct wl_client *client, struct wl_resource *resource, uint32_t serial) {
	struct city_tile_version *version = version_from_resource(resource);
	if (!version) {
		return;
	}
	struct city_configure *configures = version->configures.data;
	size_t count = version->configures.size / sizeof(*configures);
	for (size_t i = 0; i < count; i++) {
		if (configures[i].serial != serial) {
			continue;
		}
		version->acked_width = configures[i].width;
		version->acked_height = configures[i].height;
		size_t left = count - i - 1;
		memmove(configures, configures + i + 1, left * sizeof(*configures));
		version->configures.size = left * sizeof(*configures);
		return;
	}
	protocol_error(version, SOURCE_CITY_TILE_V1_ERROR_SERIAL,
		"ack_configure with a serial that was not sent or is acknowledged already");
}

static void handle_describe(struct wl_client *client, struct wl_resource *resource,
	const char *name, const char *role, const char *summary, uint32_t abi_version,
	int32_t default_width, int32_t default_height) {
	struct city_tile_version *version = version_from_resource(resource);
	if (!version) {
		return;
	}
	struct city_tile *tile = version->tile;
	if (version->described || version->state > CITY_VERSION_WARMING) {
		protocol_error(version, SOURCE_CITY_TILE_V1_ERROR_ORDER, "describe was sent twice");
		return;
	}
	char reason[256];
	if (tile_descriptor_size(abi_version) == 0) {
		snprintf(reason, sizeof(reason),
			"built for tile ABI %u, this city has %u: build it again", abi_version,
			TILE_ABI_VERSION);
		city_handover_version_failed(version, "load", reason);
		return;
	}
	if (!vat_name_valid(name) || !vat_name_valid(role)) {
		city_handover_version_failed(version, "load",
			"the name or the role in its descriptor is not a valid name");
		return;
	}
	if (*tile->role && strcmp(tile->role, role) != 0) {
		snprintf(reason, sizeof(reason),
			"its role is \"%.60s\", the tile's is \"%.60s\": tiles of different roles "
			"cannot replace each other",
			role, tile->role);
		city_handover_version_failed(version, "load", reason);
		return;
	}
	version->described = true;
	/* They become the tile's when this version is shown. */
	snprintf(version->traits.kind, sizeof(version->traits.kind), "%s", name);
	snprintf(version->role, sizeof(version->role), "%s", role);
	if (tile->width <= 0 || tile->height <= 0) {
		bool good = default_width > 0 && default_height > 0 &&
			default_width <= TILE_SIZE_MAX && default_height <= TILE_SIZE_MAX;
		city_tile_place(tile, good ? default_width : 640, good ? default_height : 400);
		city_version_send_configure(version, tile->width, tile->height);
	}
}

/* The version, if it may describe itself now. */
static struct city_tile_version *describing(struct wl_resource *resource) {
	struct city_tile_version *version = version_from_resource(resource);
	if (!version) {
		return NULL;
	}
	if (version->state > CITY_VERSION_WARMING || !version->described) {
		protocol_error(version, SOURCE_CITY_TILE_V1_ERROR_ORDER,
			"state, ports and time are described between describe and ready");
		return NULL;
	}
	return version;
}

static void handle_describe_schema(struct wl_client *client, struct wl_resource *resource,
	uint32_t digest_hi, uint32_t digest_lo) {
	struct city_tile_version *version = describing(resource);
	if (version) {
		version->traits.schema = join(digest_hi, digest_lo);
		version->traits.ports_known = true;
	}
}

static void handle_describe_change(
	struct wl_client *client, struct wl_resource *resource, const char *cell, uint32_t change) {
	struct city_tile_version *version = describing(resource);
	if (version && change < CITY_CELL_CHANGES && vat_name_valid(cell) &&
		!*version->traits.cells[change]) {
		snprintf(version->traits.cells[change], VAT_NAME_SIZE, "%s", cell);
	}
}

static void handle_describe_port(struct wl_client *client, struct wl_resource *resource,
	const char *name, const char *kind, uint32_t direction, uint32_t id) {
	struct city_tile_version *version = describing(resource);
	if (!version || version->traits.port_count == CITY_PORTS_MAX) {
		return;
	}
	struct city_port *port = &version->traits.ports[version->traits.port_count++];
	city_text_copy(port->name, sizeof(port->name), name);
	city_text_copy(port->kind, sizeof(port->kind), kind);
	port->direction = direction;
	port->id = id;
}

static void handle_describe_time(struct wl_client *client, struct wl_resource *resource,
	uint32_t model, uint32_t period_hi, uint32_t period_lo, uint32_t warm_up_ms) {
	struct city_tile_version *version = describing(resource);
	if (version && model <= TILE_TIME_PHASE && warm_up_ms <= TILE_WARM_UP_MAX_MS) {
		version->traits.time_model = model;
		version->traits.period_ns = join(period_hi, period_lo);
		version->traits.warm_up_ms = warm_up_ms;
	}
}

static void handle_late(struct wl_client *client, struct wl_resource *resource, uint32_t busy_us) {
	struct city_tile_version *version = version_from_resource(resource);
	if (version && version->state == CITY_VERSION_LIVE) {
		city_handover_version_late(version, busy_us * INT64_C(1000));
	}
}

static void handle_ready(struct wl_client *client, struct wl_resource *resource) {
	struct city_tile_version *version = version_from_resource(resource);
	if (!version) {
		return;
	}
	if (version->state > CITY_VERSION_WARMING || version->awaited || !version->described ||
		version->snapshot_due) {
		protocol_error(version, SOURCE_CITY_TILE_V1_ERROR_ORDER,
			"ready must be sent once, after describe and after the snapshot that was "
			"asked for");
		return;
	}
	version->state = CITY_VERSION_READY;
	if (!city_handover_version_prepare(version)) {
		city_handover_version_ready(version);
	}
}

static void handle_prepared(struct wl_client *client, struct wl_resource *resource) {
	struct city_tile_version *version = version_from_resource(resource);
	if (version && version->state == CITY_VERSION_PREPARING) {
		version->state = CITY_VERSION_READY;
		city_handover_version_ready(version);
	}
}

static void handle_rejoin(struct wl_client *client, struct wl_resource *resource, uint32_t standing,
	uint32_t epoch_hi, uint32_t epoch_lo) {
	struct city_tile_version *version = version_from_resource(resource);
	if (!version) {
		return;
	}
	if (!version->awaited || !version->described) {
		protocol_error(version, SOURCE_CITY_TILE_V1_ERROR_ORDER,
			"rejoin is for a version from before this compositor, once, after "
			"describe");
		return;
	}
	version->epoch = join(epoch_hi, epoch_lo);
	version->probation = standing == SOURCE_CITY_TILE_V1_STANDING_PROBATION;
	version->state = standing == SOURCE_CITY_TILE_V1_STANDING_FROZEN ? CITY_VERSION_FROZEN
									 : CITY_VERSION_LIVE;
	city_tile_rejoined(version);
}

static const char *failure_name(uint32_t step) {
	static const char *const names[] = {
		[SOURCE_CITY_TILE_V1_FAILURE_LOAD] = "load",
		[SOURCE_CITY_TILE_V1_FAILURE_WARM] = "warm",
		[SOURCE_CITY_TILE_V1_FAILURE_QUIESCE] = "quiesce",
		[SOURCE_CITY_TILE_V1_FAILURE_ATTACH] = "attach",
		[SOURCE_CITY_TILE_V1_FAILURE_CHECK] = "check",
		[SOURCE_CITY_TILE_V1_FAILURE_CRASH] = "crash",
	};
	return step < sizeof(names) / sizeof(names[0]) ? names[step] : "crash";
}

static void handle_failed(
	struct wl_client *client, struct wl_resource *resource, uint32_t step, const char *reason) {
	struct city_tile_version *version = version_from_resource(resource);
	if (!version) {
		return;
	}
	char clean[REASON_MAX];
	city_text_copy(clean, sizeof(clean), *reason ? reason : failure_name(step));
	free(version->failure);
	version->failure = strdup(clean);
	/* After a crash the process ends by itself, with a status that says more. */
	if (step != SOURCE_CITY_TILE_V1_FAILURE_CRASH) {
		city_handover_version_failed(version, failure_name(step),
			version->failure ? version->failure : failure_name(step));
	}
}

static void handle_yielded(struct wl_client *client, struct wl_resource *resource, uint32_t serial,
	uint32_t last_update_hi, uint32_t last_update_lo, uint32_t update_hi, uint32_t update_lo) {
	struct city_tile_version *version = version_from_resource(resource);
	if (!version) {
		return;
	}
	if (version->migrate_serial == 0 || serial != version->migrate_serial) {
		protocol_error(version, SOURCE_CITY_TILE_V1_ERROR_SERIAL,
			"yielded without the serial of a migrate that waits for an answer");
		return;
	}
	version->migrate_serial = 0;
	city_handover_version_yielded(
		version, answer_time(version, last_update_hi, last_update_lo));
}

static void handle_refused(struct wl_client *client, struct wl_resource *resource, uint32_t serial,
	const char *reason) {
	struct city_tile_version *version = version_from_resource(resource);
	if (!version) {
		return;
	}
	if (version->migrate_serial == 0 || serial != version->migrate_serial) {
		protocol_error(version, SOURCE_CITY_TILE_V1_ERROR_SERIAL,
			"refused without the serial of a migrate that waits for an answer");
		return;
	}
	version->migrate_serial = 0;
	char clean[REASON_MAX];
	city_text_copy(clean, sizeof(clean), *reason ? reason : "the tile would not yield");
	city_handover_version_refused(version, clean);
}

static void handle_continuity(struct wl_client *client, struct wl_resource *resource,
	uint32_t gap_hi, uint32_t gap_lo, uint32_t phase_error, uint32_t had_hi, uint32_t had_lo,
	uint32_t kept_hi, uint32_t kept_lo) {
	struct city_tile_version *version = version_from_resource(resource);
	if (version && version->attach_serial != 0) {
		const struct city_continuity continuity = {
			.gap_ns = (int64_t)join(gap_hi, gap_lo),
			.phase_error = phase_error < 500000 ? phase_error / 1e6 : 0.5,
			.had = join(had_hi, had_lo),
			.kept = join(kept_hi, kept_lo),
		};
		city_handover_version_continues(version, &continuity);
	}
}

static void handle_attached(struct wl_client *client, struct wl_resource *resource, uint32_t serial,
	uint32_t first_update_hi, uint32_t first_update_lo, uint32_t state_bytes_hi,
	uint32_t state_bytes_lo, uint32_t migrated_bytes_hi, uint32_t migrated_bytes_lo) {
	struct city_tile_version *version = version_from_resource(resource);
	if (!version) {
		return;
	}
	if (version->attach_serial == 0 || serial != version->attach_serial) {
		protocol_error(version, SOURCE_CITY_TILE_V1_ERROR_SERIAL,
			"attached without the serial of an attach that waits for an answer");
		return;
	}
	version->attach_serial = 0;
	version->state = CITY_VERSION_LIVE;
	city_handover_version_attached(version,
		answer_time(version, first_update_hi, first_update_lo),
		join_time(state_bytes_hi, state_bytes_lo),
		join_time(migrated_bytes_hi, migrated_bytes_lo));
}

static void handle_checked(struct wl_client *client, struct wl_resource *resource, uint32_t serial,
	uint32_t ok, const char *reason) {
	struct city_tile_version *version = version_from_resource(resource);
	if (!version) {
		return;
	}
	if (version->check_serial == 0 || serial != version->check_serial) {
		protocol_error(version, SOURCE_CITY_TILE_V1_ERROR_SERIAL,
			"checked without the serial of a check that waits for an answer");
		return;
	}
	version->check_serial = 0;
	char clean[REASON_MAX];
	city_text_copy(clean, sizeof(clean), reason);
	city_handover_version_checked(version, ok == 1, clean);
}

static void handle_set_title(
	struct wl_client *client, struct wl_resource *resource, const char *title) {
	struct city_tile_version *version = version_from_resource(resource);
	char clean[TITLE_MAX];
	city_text_copy(clean, sizeof(clean), title);
	if (!version || (version->title && strcmp(version->title, clean) == 0)) {
		return;
	}
	free(version->title);
	version->title = strdup(clean);
	if (version->tile->live == version) {
		city_view_title_changed(&version->tile->view);
		city_tile_changed(version->tile);
	}
}

static void handle_bell(struct wl_client *client, struct wl_resource *resource) {
	struct city_tile_version *version = version_from_resource(resource);
	if (version && version->tile->live == version) {
		city_control_message(version->tile->tiles->server, CITY_LOG_INFO,
			version->tile->name, "asks for attention");
	}
}

static void handle_open_uri(
	struct wl_client *client, struct wl_resource *resource, const char *uri) {
	struct city_tile_version *version = version_from_resource(resource);
	if (!version || version->tile->live != version) {
		return;
	}
	struct city_tile *tile = version->tile;
	if (city_now_ns() - tile->last_input_ns > INT64_C(1000000000)) {
		city_log(CITY_LOG_WARN, tile->name,
			"wanted to open a link without having been clicked or typed into: refused");
		return;
	}
	static const char *const schemes[] = {
		"https://", "http://", "file://", "mailto:", "ftp://"};
	bool known = false;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		known |= strncasecmp(uri, schemes[i], strlen(schemes[i])) == 0;
	}
	for (const char *c = uri; *c && known; c++) {
		/* A quote would end the argument of the shell; a URI has it escaped. */
		known = (unsigned char)*c > ' ' && *c != '\'' && *c != 0x7f;
	}
	char command[4200];
	if (!known ||
		snprintf(command, sizeof(command), "xdg-open '%s'", uri) >= (int)sizeof(command)) {
		city_log(CITY_LOG_WARN, tile->name, "wanted to open what is no link: refused");
		return;
	}
	city_server_spawn(tile->tiles->server, command);
}

static void handle_lost(struct wl_client *client, struct wl_resource *resource, const char *what) {
	struct city_tile_version *version = version_from_resource(resource);
	if (version) {
		city_text_copy(version->lost, sizeof(version->lost), what);
	}
}

static void handle_prebuild(struct wl_client *client, struct wl_resource *resource,
	uint32_t room_hi, uint32_t room_lo) {
	struct city_tile_version *version = version_from_resource(resource);
	if (!version) {
		return;
	}
	if (version->state > CITY_VERSION_WARMING || version->prebuilds) {
		protocol_error(version, SOURCE_CITY_TILE_V1_ERROR_ORDER,
			"prebuild must be sent once, before ready");
		return;
	}
	version->prebuilds = version->snapshot_due = true;
	city_handover_version_prebuild(version, (uint64_t)room_hi << 32 | room_lo);
}

static void handle_tracking(struct wl_client *client, struct wl_resource *resource, uint32_t ok) {
	struct city_tile_version *version = version_from_resource(resource);
	if (version) {
		city_handover_version_tracking(version, ok == 1);
	}
}

/* Of the end that was asked for last; what was asked before means nothing any more. */
static struct city_tile_version *sound_answer(struct wl_resource *resource, uint32_t serial) {
	struct city_tile_version *version = version_from_resource(resource);
	bool right = version && serial != 0 && serial == version->sound_serial &&
		!version->sound_ended && version->state == CITY_VERSION_LIVE;
	return right ? version : NULL;
}

static void handle_sound_ended(struct wl_client *client, struct wl_resource *resource,
	uint32_t serial, uint32_t frame_hi, uint32_t frame_lo) {
	struct city_tile_version *version = sound_answer(resource, serial);
	if (version) {
		city_handover_version_sound_ended(version, join(frame_hi, frame_lo));
	}
}

static void handle_sound_missed(struct wl_client *client, struct wl_resource *resource,
	uint32_t serial, uint32_t frame_hi, uint32_t frame_lo) {
	struct city_tile_version *version = sound_answer(resource, serial);
	if (version) {
		city_handover_version_sound_missed(version, join(frame_hi, frame_lo));
	}
}

static void handle_sound_began(struct wl_client *client, struct wl_resource *resource,
	uint32_t frame_hi, uint32_t frame_lo, uint32_t skipped) {
	struct city_tile_version *version = version_from_resource(resource);
	if (version) {
		city_handover_version_sound_began(version, join(frame_hi, frame_lo), skipped);
	}
}

static const struct source_city_tile_v1_interface tile_impl = {
	.destroy = handle_destroy,
	.ack_configure = handle_ack_configure,
	.describe = handle_describe,
	.ready = handle_ready,
	.rejoin = handle_rejoin,
	.failed = handle_failed,
	.yielded = handle_yielded,
	.refused = handle_refused,
	.attached = handle_attached,
	.checked = handle_checked,
	.set_title = handle_set_title,
	.bell = handle_bell,
	.open_uri = handle_open_uri,
	.describe_schema = handle_describe_schema,
	.describe_change = handle_describe_change,
	.describe_port = handle_describe_port,
	.describe_time = handle_describe_time,
	.late = handle_late,
	.continuity = handle_continuity,
	.lost = handle_lost,
	.prebuild = handle_prebuild,
	.tracking = handle_tracking,
	.sound_ended = handle_sound_ended,
	.sound_missed = handle_sound_missed,
	.sound_began = handle_sound_began,
	.prepared = handle_prepared,
};

static void handle_tile_resource_destroy(struct wl_resource *resource) {
	struct city_tile_version *version = wl_resource_get_user_data(resource);
	if (!version) {
		return;
	}
	version->resource = NULL;
	if (version->surface) {
		wl_list_remove(&version->surface_destroy.link);
		version->surface = NULL;
	}
	/* Without its object a version can do nothing more, though its process may not know it. */
	if (version->client && !version->ended && version->state != CITY_VERSION_RETIRING) {
		if (!version->failure) {
			version->failure = strdup("it destroyed its tile object");
		}
		city_version_kill(version);
		city_handover_version_lost(version);
	}
}

/* ---- the manager */

static void handle_get_tile(struct wl_client *client, struct wl_resource *manager, uint32_t id,
	struct wl_resource *surface_resource) {
	struct city_tile_version *version = city_version_from_client(client);
	struct wlr_surface *surface = wlr_surface_from_resource(surface_resource);
	if (!version) {
		wl_resource_post_error(
			manager, WL_DISPLAY_ERROR_INVALID_METHOD, "this client is no tile");
		return;
	}
	if (version->resource) {
		wl_resource_post_error(manager, SOURCE_CITY_TILE_MANAGER_V1_ERROR_EXISTS,
			"this client has created its tile object already");
		return;
	}
	if (wlr_surface_has_buffer(surface) || surface->pending.buffer) {
		wl_resource_post_error(manager, SOURCE_CITY_TILE_MANAGER_V1_ERROR_ROLE,
			"the surface has a buffer already");
		return;
	}
	if (!wlr_surface_set_role(
		    surface, &tile_role, manager, SOURCE_CITY_TILE_MANAGER_V1_ERROR_ROLE)) {
		return;
	}
	struct wl_resource *resource = wl_resource_create(
		client, &source_city_tile_v1_interface, wl_resource_get_version(manager), id);
	if (!resource) {
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(resource, &tile_impl, version, handle_tile_resource_destroy);
	version->resource = resource;
	version->surface = surface;
	wlr_surface_set_role_object(surface, resource);
	version->surface_destroy.notify = handle_surface_destroy;
	wl_signal_add(&surface->events.destroy, &version->surface_destroy);

	if (!version->awaited &&
		wl_resource_get_version(resource) >= SOURCE_CITY_TILE_V1_STATE_SINCE_VERSION) {
		source_city_tile_v1_send_state(resource, version->state_mode, version->lossy);
		if (version->lineage_fd >= 0) {
			source_city_tile_v1_send_lineage(resource, version->lineage_fd);
		}
	}
	struct city_tile *tile = version->tile;
	/* Of a new tile the size is known when it has described itself. */
	if (tile->width > 0 && tile->height > 0) {
		city_version_send_configure(version, tile->width, tile->height);
	}
	struct city_output *output = city_view_main_output(&tile->view);
	if (output) {
		wlr_surface_set_preferred_buffer_scale(
			surface, (int32_t)(output->wlr_output->scale + 0.999f));
		wlr_fractional_scale_v1_notify_scale(surface, output->wlr_output->scale);
	}
}

static const struct source_city_tile_manager_v1_interface manager_impl = {
	.destroy = handle_destroy,
	.get_tile = handle_get_tile,
};

static void handle_bind(struct wl_client *client, void *data, uint32_t bind_version, uint32_t id) {
	struct wl_resource *resource = wl_resource_create(
		client, &source_city_tile_manager_v1_interface, (int)bind_version, id);
	if (!resource) {
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(resource, &manager_impl, data, NULL);
}

struct wl_global *city_tile_protocol_create(struct city_tiles *tiles) {
	struct wl_global *global = wl_global_create(tiles->server->display,
		&source_city_tile_manager_v1_interface, 6, tiles, handle_bind);
	if (global) {
		city_server_hide_global(tiles->server, global, true);
	}
	return global;
}

/* ---- events */

void city_version_send_configure(struct city_tile_version *version, int width, int height) {
	if (!version->resource || version->state == CITY_VERSION_DYING) {
		return;
	}
	struct city_configure *configures = version->configures.data;
	size_t count = version->configures.size / sizeof(*configures);
	/* One that does not answer may lose the oldest. */
	if (count >= CONFIGURES_MAX) {
		memmove(configures, configures + 1, (count - 1) * sizeof(*configures));
		version->configures.size -= sizeof(*configures);
	}
	struct city_configure *configure = wl_array_add(&version->configures, sizeof(*configure));
	if (!configure) {
		wl_resource_post_no_memory(version->resource);
		return;
	}
	*configure = (struct city_configure){
		.serial = next_serial(version),
		.width = width,
		.height = height,
	};
	source_city_tile_v1_send_configure(version->resource, configure->serial, width, height);
}

void city_version_send_snapshot(struct city_tile_version *version, int log_fd) {
	if (!version->resource || version->state == CITY_VERSION_DYING) {
		return;
	}
	version->snapshot_due = false;
	int null_fd = log_fd < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
	source_city_tile_v1_send_snapshot(
		version->resource, log_fd >= 0, log_fd >= 0 ? log_fd : null_fd);
	wl_client_flush(version->client);
	if (null_fd >= 0) {
		close(null_fd);
	}
}

bool city_version_send_track(struct city_tile_version *version, uint64_t room, int log_fd) {
	if (!version->resource ||
		wl_resource_get_version(version->resource) <
			SOURCE_CITY_TILE_V1_TRACK_SINCE_VERSION) {
		return false;
	}
	source_city_tile_v1_send_track(
		version->resource, (uint32_t)(room >> 32), (uint32_t)room, log_fd);
	wl_client_flush(version->client);
	return true;
}

void city_version_send_untrack(struct city_tile_version *version) {
	if (version->resource) {
		source_city_tile_v1_send_untrack(version->resource);
		wl_client_flush(version->client);
	}
}

bool city_version_sounds(const struct city_tile_version *version) {
	if (!version->resource ||
		wl_resource_get_version(version->resource) <
			SOURCE_CITY_TILE_V1_SOUND_END_SINCE_VERSION) {
		return false;
	}
	for (size_t i = 0; i < version->traits.port_count; i++) {
		const struct city_port *port = &version->traits.ports[i];
		if (port->direction == TILE_PORT_OUT && strcmp(port->kind, TILE_PORT_SOUND) == 0) {
			return true;
		}
	}
	return false;
}

void city_version_send_sound_end(
	struct city_tile_version *version, uint64_t frame, uint32_t ahead, uint32_t fade) {
	version->sound_serial = next_serial(version);
	version->sound_frame = frame;
	version->sound_ns = city_now_ns();
	version->sound_ended = false;
	source_city_tile_v1_send_sound_end(version->resource, version->sound_serial,
		(uint32_t)(frame >> 32), (uint32_t)frame, ahead, fade);
	wl_client_flush(version->client);
}

void city_version_send_sound_go_on(struct city_tile_version *version) {
	bool asked = version->sound_serial != 0;
	version->sound_serial = 0;
	version->sound_ended = false;
	if (asked && version->resource && version->state == CITY_VERSION_LIVE) {
		source_city_tile_v1_send_sound_go_on(version->resource);
		wl_client_flush(version->client);
	}
}

void city_version_send_migrate(struct city_tile_version *version, int deadline_ms) {
	version->state = CITY_VERSION_YIELDING;
	version->migrate_serial = next_serial(version);
	version->asked_ns = city_now_ns();
	source_city_tile_v1_send_migrate(
		version->resource, version->migrate_serial, (uint32_t)deadline_ms * 1000);
}

bool city_version_send_prepare(struct city_tile_version *version, int undo_fd) {
	if (!version->resource ||
		wl_resource_get_version(version->resource) <
			SOURCE_CITY_TILE_V1_PREPARED_SINCE_VERSION) {
		return false;
	}
	source_city_tile_v1_send_prepare(version->resource, undo_fd);
	wl_client_flush(version->client);
	return true;
}

static bool knows_baton(const struct city_tile_version *version) {
	return version->resource &&
		wl_resource_get_version(version->resource) >=
		SOURCE_CITY_TILE_V1_STAND_BY_SINCE_VERSION;
}

bool city_version_can_pass_baton(
	const struct city_tile_version *from, const struct city_tile_version *to) {
	return knows_baton(from) && knows_baton(to);
}

void city_version_send_stand_by(
	struct city_tile_version *version, uint64_t epoch, int undo_fd, int baton_fd) {
	version->stand_by_serial = next_serial(version);
	version->asked_ns = city_now_ns();
	source_city_tile_v1_send_stand_by(version->resource, version->stand_by_serial,
		(uint32_t)(epoch >> 32), (uint32_t)epoch, undo_fd, baton_fd);
	wl_client_flush(version->client);
}

void city_version_send_baton(struct city_tile_version *version, int baton_fd) {
	source_city_tile_v1_send_baton(version->resource, baton_fd);
}

void city_version_send_attach(
	struct city_tile_version *version, uint32_t reason, uint64_t epoch, int undo_fd) {
	bool stands_by = version->stand_by_serial != 0;
	version->state = CITY_VERSION_ATTACHING;
	version->attach_serial = stands_by ? version->stand_by_serial : next_serial(version);
	version->stand_by_serial = 0;
	/* One that stands by may have begun long before. */
	version->asked_ns = stands_by ? version->asked_ns : city_now_ns();
	version->epoch = epoch;
	int null_fd = undo_fd < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
	source_city_tile_v1_send_attach(version->resource, version->attach_serial, reason,
		(uint32_t)(epoch >> 32), (uint32_t)epoch, undo_fd >= 0,
		undo_fd >= 0 ? undo_fd : null_fd);
	wl_client_flush(version->client);
	if (null_fd >= 0) {
		close(null_fd);
	}
}

void city_version_send_resume(struct city_tile_version *version, uint64_t epoch) {
	version->state = CITY_VERSION_LIVE;
	version->epoch = epoch;
	version->sound_serial = 0;
	source_city_tile_v1_send_resume(
		version->resource, (uint32_t)(epoch >> 32), (uint32_t)epoch);
	wl_client_flush(version->client);
}

bool city_version_send_shadow(struct city_tile_version *version, int undo_fd) {
	if (!version->resource ||
		wl_resource_get_version(version->resource) <
			SOURCE_CITY_TILE_V1_SHADOW_SINCE_VERSION) {
		return false;
	}
	version->state = CITY_VERSION_SHADOW;
	source_city_tile_v1_send_shadow(version->resource, undo_fd);
	wl_client_flush(version->client);
	return true;
}

void city_version_send_freeze(struct city_tile_version *version) {
	version->state = CITY_VERSION_FROZEN;
	if (version->resource) {
		source_city_tile_v1_send_freeze(version->resource);
		wl_client_flush(version->client);
	}
}

void city_version_send_settle(struct city_tile_version *version) {
	if (version->resource) {
		source_city_tile_v1_send_settle(version->resource);
		wl_client_flush(version->client);
	}
}

void city_version_send_check(struct city_tile_version *version) {
	version->check_serial = next_serial(version);
	source_city_tile_v1_send_check(version->resource, version->check_serial);
	wl_client_flush(version->client);
}

/* SPDX-License-Identifier: MIT */
/* The tile protocol of the fake city: what versions say, and what they are told. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"
#include "fake_internal.h"
#include "source-city-tile-v1-server-protocol.h"

/* ---- what versions say */

static uint64_t join(uint32_t hi, uint32_t lo) {
	return (uint64_t)hi << 32 | lo;
}

static void tile_ack_configure(
	struct wl_client *client, struct wl_resource *resource, uint32_t serial) {
	version_of(client)->acked = serial;
}

static void tile_describe(struct wl_client *client, struct wl_resource *resource, const char *name,
	const char *role, const char *summary, uint32_t abi_version, int32_t default_width,
	int32_t default_height) {
	struct fake_version *version = version_of(client);
	version->described = true;
	snprintf(version->role, sizeof(version->role), "%s", role);
	version->default_width = default_width;
	version->default_height = default_height;
}

static void tile_ready(struct wl_client *client, struct wl_resource *resource) {
	version_of(client)->ready = true;
}

static void set_reason(struct fake_version *version, const char *reason) {
	snprintf(version->reason, sizeof(version->reason), "%s", reason);
}

static void tile_failed(
	struct wl_client *client, struct wl_resource *resource, uint32_t step, const char *reason) {
	version_of(client)->failed_step = step;
	set_reason(version_of(client), reason);
}

static void tile_yielded(struct wl_client *client, struct wl_resource *resource, uint32_t serial,
	uint32_t last_hi, uint32_t last_lo, uint32_t update_hi, uint32_t update_lo) {
	version_of(client)->yielded = true;
	version_of(client)->last_update = join(last_hi, last_lo);
}

static void tile_refused(struct wl_client *client, struct wl_resource *resource, uint32_t serial,
	const char *reason) {
	version_of(client)->refused = true;
	set_reason(version_of(client), reason);
}

static void tile_attached(struct wl_client *client, struct wl_resource *resource, uint32_t serial,
	uint32_t first_hi, uint32_t first_lo, uint32_t state_hi, uint32_t state_lo,
	uint32_t migrated_hi, uint32_t migrated_lo) {
	struct fake_version *version = version_of(client);
	version->attached = true;
	version->first_update = join(first_hi, first_lo);
	version->state_bytes = join(state_hi, state_lo);
	version->migrated_bytes = join(migrated_hi, migrated_lo);
}

static void tile_checked(struct wl_client *client, struct wl_resource *resource, uint32_t serial,
	uint32_t ok, const char *reason) {
	version_of(client)->checked = true;
	version_of(client)->check_ok = ok;
	set_reason(version_of(client), reason);
}

static void tile_set_title(
	struct wl_client *client, struct wl_resource *resource, const char *title) {
	struct fake_version *version = version_of(client);
	snprintf(version->title, sizeof(version->title), "%s", title);
}

static void tile_rejoin(struct wl_client *client, struct wl_resource *resource, uint32_t standing,
	uint32_t epoch_hi, uint32_t epoch_lo) {
	struct fake_version *version = version_of(client);
	assert_true(version->described);
	/* From here on it may have the focus. */
	assert_non_null(version->keyboard);
	version->standing = (int)standing;
	version->rejoined_epoch = join(epoch_hi, epoch_lo);
}

/* For the choice of a strategy: nobody chooses here. */

static void tile_describe_schema(struct wl_client *client, struct wl_resource *resource,
	uint32_t digest_hi, uint32_t digest_lo) {
}

static void tile_describe_change(
	struct wl_client *client, struct wl_resource *resource, const char *cell, uint32_t change) {
}

static void tile_describe_port(struct wl_client *client, struct wl_resource *resource,
	const char *name, const char *kind, uint32_t direction, uint32_t port) {
}

static void tile_describe_time(struct wl_client *client, struct wl_resource *resource,
	uint32_t model, uint32_t period_hi, uint32_t period_lo, uint32_t warm_up_ms) {
}

static void tile_late(struct wl_client *client, struct wl_resource *resource, uint32_t busy_us) {
}

static void tile_continuity(struct wl_client *client, struct wl_resource *resource, uint32_t gap_hi,
	uint32_t gap_lo, uint32_t phase_error, uint32_t had_hi, uint32_t had_lo, uint32_t kept_hi,
	uint32_t kept_lo) {
}

static void tile_lost(struct wl_client *client, struct wl_resource *resource, const char *what) {
}

static void tile_bell(struct wl_client *client, struct wl_resource *resource) {
}

static void tile_open_uri(struct wl_client *client, struct wl_resource *resource, const char *uri) {
}

static void tile_sound_ended(struct wl_client *client, struct wl_resource *resource,
	uint32_t serial, uint32_t frame_hi, uint32_t frame_lo) {
	version_of(client)->sound_ended = serial;
	version_of(client)->sound_frame = join(frame_hi, frame_lo);
}

static void tile_sound_missed(struct wl_client *client, struct wl_resource *resource,
	uint32_t serial, uint32_t frame_hi, uint32_t frame_lo) {
	version_of(client)->sound_missed = serial;
	version_of(client)->sound_frame = join(frame_hi, frame_lo);
}

static void tile_sound_began(struct wl_client *client, struct wl_resource *resource,
	uint32_t frame_hi, uint32_t frame_lo, uint32_t skipped) {
	version_of(client)->sound_begins++;
	version_of(client)->sound_began = join(frame_hi, frame_lo);
	version_of(client)->sound_skipped = skipped;
}

static void tile_prepared(struct wl_client *client, struct wl_resource *resource) {
	version_of(client)->prepared = true;
}

static const struct source_city_tile_v1_interface tile_impl = {
	.destroy = destroy_resource,
	.ack_configure = tile_ack_configure,
	.describe = tile_describe,
	.ready = tile_ready,
	.failed = tile_failed,
	.yielded = tile_yielded,
	.refused = tile_refused,
	.attached = tile_attached,
	.checked = tile_checked,
	.set_title = tile_set_title,
	.bell = tile_bell,
	.open_uri = tile_open_uri,
	.describe_schema = tile_describe_schema,
	.describe_change = tile_describe_change,
	.describe_port = tile_describe_port,
	.describe_time = tile_describe_time,
	.late = tile_late,
	.continuity = tile_continuity,
	.lost = tile_lost,
	.rejoin = tile_rejoin,
	.sound_ended = tile_sound_ended,
	.sound_missed = tile_sound_missed,
	.sound_began = tile_sound_began,
	.prepared = tile_prepared,
};

static void handle_tile_destroy(struct wl_resource *resource) {
	struct fake_version *version = wl_resource_get_user_data(resource);
	version->tile = NULL;
}

void fake_send_configure(struct fake_version *version, int32_t width, int32_t height) {
	source_city_tile_v1_send_configure(version->tile, ++version->city->serial, width, height);
}

static void manager_get_tile(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	struct wl_resource *surface) {
	struct fake_version *version = version_of(client);
	version->tile = wl_resource_create(
		client, &source_city_tile_v1_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(version->tile, &tile_impl, version, handle_tile_destroy);
	fake_send_configure(version, 64, 48);
}

const struct source_city_tile_manager_v1_interface fake_tile_manager_impl = {
	.destroy = destroy_resource,
	.get_tile = manager_get_tile,
};

/* ---- what they are told */

static void send_attach(struct fake_version *version, uint32_t serial, uint64_t epoch,
	uint32_t reason, int undo_fd) {
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	source_city_tile_v1_send_attach(version->tile, serial, reason, epoch >> 32, (uint32_t)epoch,
		undo_fd >= 0, undo_fd >= 0 ? undo_fd : null_fd);
	wl_display_flush_clients(version->city->display);
	close(null_fd);
}

void fake_send_attach(struct fake_version *version, uint32_t reason, int undo_fd) {
	uint64_t epoch = ++version->city->epoch;
	send_attach(version, ++version->city->serial, epoch, reason, undo_fd);
}

int fake_send_stand_by(struct fake_version *version, int undo_fd) {
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	uint64_t epoch = version->stand_by_epoch = ++version->city->epoch;
	version->stand_by_serial = ++version->city->serial;
	source_city_tile_v1_send_stand_by(version->tile, version->stand_by_serial, epoch >> 32,
		(uint32_t)epoch, undo_fd, ends[1]);
	wl_display_flush_clients(version->city->display);
	close(ends[1]);
	return ends[0];
}

void fake_send_attach_to(struct fake_version *version, int undo_fd) {
	send_attach(version, version->stand_by_serial, version->stand_by_epoch,
		SOURCE_CITY_TILE_V1_ATTACH_REASON_HANDOVER, undo_fd);
}

int fake_send_baton(struct fake_version *version) {
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	source_city_tile_v1_send_baton(version->tile, ends[1]);
	close(ends[1]);
	return ends[0];
}

void fake_attach(struct fake_version *version, uint32_t reason, int undo_fd) {
	unsigned commits = version->commits;
	fake_send_attach(version, reason, undo_fd);
	FAKE_WAIT(version->city, version->commits > commits || version->ended);
	assert_true(version->attached);
}

void fake_send_prepare(struct fake_version *version, int undo_fd) {
	version->prepared = false;
	source_city_tile_v1_send_prepare(version->tile, undo_fd);
}

void fake_send_migrate(struct fake_version *version) {
	version->yielded = version->refused = false;
	source_city_tile_v1_send_migrate(version->tile, ++version->city->serial, 1000000);
}

void fake_send_resume(struct fake_version *version) {
	uint64_t epoch = ++version->city->epoch;
	source_city_tile_v1_send_resume(version->tile, epoch >> 32, (uint32_t)epoch);
}

uint32_t fake_send_sound_end(
	struct fake_version *version, uint64_t frame, uint32_t ahead, uint32_t fade) {
	uint32_t serial = ++version->city->serial;
	version->sound_ended = version->sound_missed = 0;
	source_city_tile_v1_send_sound_end(
		version->tile, serial, frame >> 32, (uint32_t)frame, ahead, fade);
	return serial;
}

void fake_send_sound_go_on(struct fake_version *version) {
	source_city_tile_v1_send_sound_go_on(version->tile);
}

void fake_send_settle(struct fake_version *version) {
	source_city_tile_v1_send_settle(version->tile);
}

void fake_send_check(struct fake_version *version) {
	version->checked = false;
	source_city_tile_v1_send_check(version->tile, ++version->city->serial);
}

void fake_send_retire(struct fake_version *version) {
	source_city_tile_v1_send_retire(version->tile);
}

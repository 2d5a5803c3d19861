/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xkbcommon/xkbcommon.h>

#include <cmocka.h>

#include "fake.h"
#include "keeper/wire.h"
#include "source-city-tile-v1-server-protocol.h"
#include "viewporter-server-protocol.h"

#define WAIT_NS 20000000000ull

static uint64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool fake_time_left(uint64_t *limit) {
	if (*limit == 0) {
		*limit = now_ns() + WAIT_NS;
	}
	return now_ns() < *limit;
}

/* ---- Wayland */

static void destroy_resource(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static struct fake_version *version_of(struct wl_client *client) {
	return wl_client_get_user_data(client);
}

static void surface_attach(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *buffer, int32_t x, int32_t y) {
	version_of(client)->pending_buffer = buffer;
}

static void surface_nothing4(struct wl_client *client, struct wl_resource *resource, int32_t x,
	int32_t y, int32_t width, int32_t height) {
}

static void surface_damage_buffer(struct wl_client *client, struct wl_resource *resource, int32_t x,
	int32_t y, int32_t width, int32_t height) {
	struct fake_version *version = version_of(client);
	version->damage_x1 = x < version->damage_x1 ? x : version->damage_x1;
	version->damage_y1 = y < version->damage_y1 ? y : version->damage_y1;
	version->damage_x2 = x + width > version->damage_x2 ? x + width : version->damage_x2;
	version->damage_y2 = y + height > version->damage_y2 ? y + height : version->damage_y2;
}

static void surface_frame(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct fake_version *version = version_of(client);
	assert_true(version->frame_callback_count < 16);
	version->frame_callbacks[version->frame_callback_count++] =
		wl_resource_create(client, &wl_callback_interface, 1, id);
}

static void surface_set_region(
	struct wl_client *client, struct wl_resource *resource, struct wl_resource *region) {
}

static void take_pixels(struct fake_version *version, struct wl_resource *resource) {
	struct wl_shm_buffer *buffer = wl_shm_buffer_get(resource);
	assert_non_null(buffer);
	version->width = wl_shm_buffer_get_width(buffer);
	version->height = wl_shm_buffer_get_height(buffer);
	int stride = wl_shm_buffer_get_stride(buffer);
	free(version->pixels);
	version->pixels = calloc(version->width * version->height, 4);
	wl_shm_buffer_begin_access(buffer);
	for (int32_t y = 0; y < version->height; y++) {
		memcpy(version->pixels + y * version->width,
			(char *)wl_shm_buffer_get_data(buffer) + y * stride, version->width * 4);
	}
	wl_shm_buffer_end_access(buffer);
}

static void surface_commit(struct wl_client *client, struct wl_resource *resource) {
	struct fake_version *version = version_of(client);
	if (version->pending_buffer) {
		if (version->commits == 0) {
			version->attached_before_frame = version->attached;
		}
		version->commits++;
		take_pixels(version, version->pending_buffer);
		if (version->held_buffer && version->held_buffer != version->pending_buffer) {
			wl_buffer_send_release(version->held_buffer);
			version->held_buffer = NULL;
		}
		if (version->hold_buffers) {
			version->held_buffer = version->pending_buffer;
		} else {
			wl_buffer_send_release(version->pending_buffer);
		}
		version->pending_buffer = NULL;
	}
	if (!version->hold_frames) {
		fake_send_frames(version);
	}
}

void fake_send_frames(struct fake_version *version) {
	for (size_t i = 0; i < version->frame_callback_count; i++) {
		wl_callback_send_done(version->frame_callbacks[i], 0);
		wl_resource_destroy(version->frame_callbacks[i]);
	}
	version->frame_callback_count = 0;
}

static void surface_set_int(struct wl_client *client, struct wl_resource *resource, int32_t value) {
}

static void surface_offset(
	struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y) {
}

static const struct wl_surface_interface surface_impl = {
	.destroy = destroy_resource,
	.attach = surface_attach,
	.damage = surface_nothing4,
	.frame = surface_frame,
	.set_opaque_region = surface_set_region,
	.set_input_region = surface_set_region,
	.commit = surface_commit,
	.set_buffer_transform = surface_set_int,
	.set_buffer_scale = surface_set_int,
	.damage_buffer = surface_damage_buffer,
	.offset = surface_offset,
};

static void compositor_create_surface(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct fake_version *version = version_of(client);
	version->surface = wl_resource_create(client, &wl_surface_interface, 6, id);
	wl_resource_set_implementation(version->surface, &surface_impl, version, NULL);
}

static void compositor_create_region(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	wl_client_post_implementation_error(client, "no regions here");
}

static const struct wl_compositor_interface compositor_impl = {
	.create_surface = compositor_create_surface,
	.create_region = compositor_create_region,
};

static void viewport_set_source(struct wl_client *client, struct wl_resource *resource,
	wl_fixed_t x, wl_fixed_t y, wl_fixed_t width, wl_fixed_t height) {
}

static void viewport_set_destination(
	struct wl_client *client, struct wl_resource *resource, int32_t width, int32_t height) {
	version_of(client)->viewport_width = width;
	version_of(client)->viewport_height = height;
}

static const struct wp_viewport_interface viewport_impl = {
	.destroy = destroy_resource,
	.set_source = viewport_set_source,
	.set_destination = viewport_set_destination,
};

static void viewporter_get_viewport(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, struct wl_resource *surface) {
	struct wl_resource *viewport = wl_resource_create(client, &wp_viewport_interface, 1, id);
	wl_resource_set_implementation(viewport, &viewport_impl, NULL, NULL);
}

static const struct wp_viewporter_interface viewporter_impl = {
	.destroy = destroy_resource,
	.get_viewport = viewporter_get_viewport,
};

static void seat_get_pointer(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	static const struct wl_pointer_interface pointer_impl = {.release = destroy_resource};
	version_of(client)->pointer = wl_resource_create(
		client, &wl_pointer_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(version_of(client)->pointer, &pointer_impl, NULL, NULL);
}

static void send_keymap(struct wl_resource *keyboard) {
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	struct xkb_rule_names names = {.rules = "evdev", .model = "pc105", .layout = "us"};
	struct xkb_keymap *keymap =
		xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	char *text = xkb_keymap_get_as_string(keymap, XKB_KEYMAP_FORMAT_TEXT_V1);
	size_t size = strlen(text) + 1;
	int fd = memfd_create("keymap", MFD_CLOEXEC);
	assert_int_equal(write(fd, text, size), size);
	wl_keyboard_send_keymap(keyboard, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, fd, size);
	close(fd);
	free(text);
	xkb_keymap_unref(keymap);
	xkb_context_unref(context);
}

static void seat_get_keyboard(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	static const struct wl_keyboard_interface keyboard_impl = {.release = destroy_resource};
	struct fake_version *version = version_of(client);
	version->keyboard = wl_resource_create(
		client, &wl_keyboard_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(version->keyboard, &keyboard_impl, NULL, NULL);
	send_keymap(version->keyboard);
	wl_keyboard_send_repeat_info(version->keyboard, 25, 600);
}

/* ---- the clipboard */

static void offer_accept(
	struct wl_client *client, struct wl_resource *resource, uint32_t serial, const char *type) {
}

static void offer_receive(
	struct wl_client *client, struct wl_resource *resource, const char *type, int32_t fd) {
	struct fake_version *version = version_of(client);
	assert_int_equal(version->paste_fd, -1);
	assert_string_equal(type, "text/plain;charset=utf-8");
	version->paste_fd = fd;
}

static const struct wl_data_offer_interface offer_impl = {
	.accept = offer_accept,
	.receive = offer_receive,
	.destroy = destroy_resource,
};

void fake_offer(struct fake_version *version) {
	struct wl_resource *offer =
		wl_resource_create(version->client, &wl_data_offer_interface, 3, 0);
	wl_resource_set_implementation(offer, &offer_impl, NULL, NULL);
	wl_data_device_send_data_offer(version->data_device, offer);
	wl_data_offer_send_offer(offer, "text/plain");
	wl_data_offer_send_offer(offer, "text/plain;charset=utf-8");
	wl_data_device_send_selection(version->data_device, offer);
}

static void source_offer(struct wl_client *client, struct wl_resource *resource, const char *type) {
}

static const struct wl_data_source_interface source_impl = {
	.offer = source_offer,
	.destroy = destroy_resource,
};

static void handle_source_destroy(struct wl_resource *resource) {
	struct fake_version *version = wl_resource_get_user_data(resource);
	version->source = version->source == resource ? NULL : version->source;
}

static void device_set_selection(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *source, uint32_t serial) {
	version_of(client)->source = source;
}

static const struct wl_data_device_interface device_impl = {
	.set_selection = device_set_selection,
	.release = destroy_resource,
};

static void manager_create_source(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct wl_resource *source = wl_resource_create(client, &wl_data_source_interface, 3, id);
	wl_resource_set_implementation(
		source, &source_impl, version_of(client), handle_source_destroy);
}

static void manager_get_device(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	struct wl_resource *seat) {
	struct wl_resource *device = wl_resource_create(client, &wl_data_device_interface, 3, id);
	wl_resource_set_implementation(device, &device_impl, NULL, NULL);
	version_of(client)->data_device = device;
}

static const struct wl_data_device_manager_interface data_manager_impl = {
	.create_data_source = manager_create_source,
	.get_data_device = manager_get_device,
};

static const struct wl_seat_interface seat_impl = {
	.get_pointer = seat_get_pointer,
	.get_keyboard = seat_get_keyboard,
	.release = destroy_resource,
};

/* ---- the tile protocol */

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
	version_of(client)->sound_frame = (uint64_t)frame_hi << 32 | frame_lo;
}

static void tile_sound_missed(struct wl_client *client, struct wl_resource *resource,
	uint32_t serial, uint32_t frame_hi, uint32_t frame_lo) {
	version_of(client)->sound_missed = serial;
	version_of(client)->sound_frame = (uint64_t)frame_hi << 32 | frame_lo;
}

static void tile_sound_began(struct wl_client *client, struct wl_resource *resource,
	uint32_t frame_hi, uint32_t frame_lo, uint32_t skipped) {
	version_of(client)->sound_begins++;
	version_of(client)->sound_began = (uint64_t)frame_hi << 32 | frame_lo;
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

static const struct source_city_tile_manager_v1_interface manager_impl = {
	.destroy = destroy_resource,
	.get_tile = manager_get_tile,
};

static void bind_global(struct wl_client *client, void *data, uint32_t bound, uint32_t id) {
	const struct wl_interface *interface = data;
	struct wl_resource *resource = wl_resource_create(client, interface, bound, id);
	const void *impl = interface == &wl_compositor_interface ? (const void *)&compositor_impl
		: interface == &wp_viewporter_interface		 ? (const void *)&viewporter_impl
		: interface == &wl_seat_interface		 ? (const void *)&seat_impl
		: interface == &wl_data_device_manager_interface ? (const void *)&data_manager_impl
								 : (const void *)&manager_impl;
	wl_resource_set_implementation(resource, impl, NULL, NULL);
	if (interface == &wl_seat_interface) {
		wl_seat_send_capabilities(
			resource, WL_SEAT_CAPABILITY_KEYBOARD | WL_SEAT_CAPABILITY_POINTER);
	}
}

/* ---- the keeper */

static struct fake_stream *find_stream(struct fake_city *city, const char *name) {
	for (size_t i = 0; i < city->stream_count; i++) {
		if (strcmp(city->streams[i].name, name) == 0) {
			return &city->streams[i];
		}
	}
	return NULL;
}

struct fake_stream *fake_stream(struct fake_city *city, const char *name) {
	struct fake_stream *stream = find_stream(city, name);
	assert_non_null(stream);
	return stream;
}

static struct fake_stream *add_stream(struct fake_city *city, const char *name, int fd, pid_t pid) {
	assert_true(city->stream_count < 8);
	struct fake_stream *stream = &city->streams[city->stream_count++];
	snprintf(stream->name, sizeof(stream->name), "%s", name);
	stream->fd = fd;
	stream->pid = pid;
	return stream;
}

static struct fake_stream *open_pty(struct fake_city *city, struct keeper_message *request) {
	char *argv[16] = {0};
	size_t offset = 0;
	assert_true(request->argc >= 1 && request->argc <= 15);
	for (size_t i = 0; i < request->argc; i++) {
		argv[i] = (char *)keeper_wire_next(request, &offset);
	}
	int master;
	pid_t pid = forkpty(&master, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (pid == 0) {
		/* As the keeper does it: whoever runs this may ignore hangups, its jobs must not.
		 */
		signal(SIGHUP, SIG_DFL);
		execv(argv[0], argv);
		_exit(127);
	}
	fcntl(master, F_SETFD, FD_CLOEXEC);
	return add_stream(city, request->name, master, pid);
}

static struct fake_ring *find_ring(struct fake_city *city, const char *name) {
	for (size_t i = 0; i < city->ring_count; i++) {
		if (strcmp(city->rings[i].name, name) == 0) {
			return &city->rings[i];
		}
	}
	return NULL;
}

static struct fake_ring *open_ring(struct fake_city *city, const char *name, uint32_t channels) {
	struct fake_ring *ring = find_ring(city, name);
	if (ring) {
		return ring;
	}
	assert_true(city->ring_count < 4);
	ring = &city->rings[city->ring_count++];
	snprintf(ring->name, sizeof(ring->name), "%s", name);
	ring->fd = ring_create(channels, NULL);
	ring->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(ring->fd >= 0 && ring->wake_fd >= 0);
	assert_int_equal(ring_map(&ring->ring, ring->fd, true, NULL), 0);
	return ring;
}

struct fake_ring *fake_ring(struct fake_city *city, const char *name, uint32_t want) {
	struct fake_ring *ring = find_ring(city, name);
	assert_non_null(ring);
	ring_want(&ring->ring, want);
	return ring;
}

void fake_pull(struct fake_city *city, struct fake_ring *ring, uint32_t frames, float left[],
	float right[]) {
	float *const out[RING_CHANNELS_MAX] = {left, right};
	uint64_t limit = 0;
	while (ring_ready(&ring->ring, ring->position) < frames && fake_time_left(&limit)) {
		if (ring_should_wake(&ring->ring)) {
			eventfd_write(ring->wake_fd, 1);
		}
		fake_dispatch(city, 0);
		ring_wait(&ring->ring, ring->position, frames, 1000000);
	}
	assert_int_equal(ring_read(&ring->ring, ring->position, frames, out), 0);
	ring->position += frames;
	if (ring_should_wake(&ring->ring)) {
		eventfd_write(ring->wake_fd, 1);
	}
}

/* Sends what only messages of sound have. False: it is another one. */
static bool answer_sound(
	struct fake_version *version, const struct keeper_message *message, int fd) {
	static struct keeper_message answer;
	struct fake_city *city = version->city;
	answer = (struct keeper_message){.type = KEEPER_STREAM, .request = message->request};
	memcpy(answer.name, message->name, sizeof(answer.name));
	if (message->type == KEEPER_RING_OPEN) {
		const struct fake_ring *ring =
			open_ring(city, message->name, (uint32_t)message->size);
		const int fds[] = {ring->fd, ring->wake_fd};
		assert_int_equal(keeper_wire_send(fd, &answer, fds, 2), 0);
		return true;
	}
	if (message->type != KEEPER_AUDIO_OPEN) {
		return false;
	}
	if (city->no_audio) {
		answer.type = KEEPER_RESULT;
		answer.status = EAGAIN;
		assert_int_equal(keeper_wire_send(fd, &answer, NULL, 0), 0);
		return true;
	}
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	if (city->audio_fd >= 0) {
		close(city->audio_fd);
	}
	city->audio_fd = pair[0];
	assert_int_equal(keeper_wire_send(fd, &answer, &pair[1], 1), 0);
	close(pair[1]);
	return true;
}

static int handle_keeper(int fd, uint32_t mask, void *data) {
	struct fake_version *version = data;
	static struct keeper_message message, answer;
	int fds[KEEPER_FDS_MAX];
	if (keeper_wire_receive(fd, &message, fds) <= 0) {
		wl_event_source_remove(version->keeper_source);
		version->keeper_source = NULL;
		return 0;
	}
	if (message.type == KEEPER_TROUBLE) {
		memcpy(version->trouble, message.name, sizeof(version->trouble));
		version->trouble_status = message.status;
		return 0;
	}
	if (message.type == KEEPER_CHANGED) {
		version->changes++;
		version->settled_change = message.status == 1;
		return 0;
	}
	if (message.type == KEEPER_TRACKED) {
		version->tracked = true;
		version->track_status = message.status;
		return 0;
	}
	if (answer_sound(version, &message, fd)) {
		return 0;
	}
	if (message.type == KEEPER_STREAM_CLAIM) {
		version->city->claims++;
		if (version->city->hold_claims) {
			version->held_claim = message.request;
			memcpy(version->held_name, message.name, sizeof(version->held_name));
			return 0;
		}
	}
	memset(&answer, 0, sizeof(answer));
	answer.type = KEEPER_RESULT;
	answer.request = message.request;
	memcpy(answer.name, message.name, sizeof(answer.name));
	struct fake_stream *stream = find_stream(version->city, message.name);
	if (message.type == KEEPER_STREAM_PUT) {
		add_stream(version->city, message.name, fds[0], 0);
	} else if (message.type == KEEPER_STREAM_LIST) {
		for (size_t i = 0; i < version->city->stream_count; i++) {
			keeper_wire_add(&answer, version->city->streams[i].name);
		}
	} else if (message.type == KEEPER_STREAM_CLAIM || message.type == KEEPER_PTY_OPEN) {
		if (message.type == KEEPER_PTY_OPEN) {
			stream = open_pty(version->city, &message);
		}
		answer.type = stream ? KEEPER_STREAM : KEEPER_RESULT;
		answer.status = stream ? 0 : ENOENT;
		answer.pid = stream ? stream->pid : 0;
	}
	bool gives = answer.type == KEEPER_STREAM;
	assert_int_equal(keeper_wire_send(fd, &answer, gives ? &stream->fd : NULL, gives), 0);
	return 0;
}

void fake_send_claimed(struct fake_version *version) {
	const struct fake_stream *stream = find_stream(version->city, version->held_name);
	static struct keeper_message answer;
	answer = (struct keeper_message){
		.type = stream ? KEEPER_STREAM : KEEPER_RESULT,
		.request = version->held_claim,
		.status = stream ? 0 : ENOENT,
		.pid = stream ? stream->pid : 0,
	};
	int fd = stream ? stream->fd : -1;
	assert_int_equal(keeper_wire_send(version->keeper_fd, &answer, &fd, stream != NULL), 0);
}

void fake_send_track(struct fake_version *version, int undo_fd) {
	struct keeper_message request = {.type = KEEPER_TRACK};
	version->tracked = false;
	assert_int_equal(keeper_wire_send(version->keeper_fd, &request, &undo_fd, 1), 0);
}

void fake_send_track_end(struct fake_version *version) {
	struct keeper_message event = {.type = KEEPER_TRACK_END};
	assert_int_equal(keeper_wire_send(version->keeper_fd, &event, NULL, 0), 0);
}

void fake_send_stream_ended(struct fake_version *version, const char *name, int status) {
	struct keeper_message event = {.type = KEEPER_STREAM_ENDED, .status = status};
	snprintf(event.name, sizeof(event.name), "%s", name);
	assert_int_equal(keeper_wire_send(version->keeper_fd, &event, NULL, 0), 0);
}

/* ---- the city */

void fake_city_init(struct fake_city *city) {
	memset(city, 0, sizeof(*city));
	wl_list_init(&city->versions);
	city->display = wl_display_create();
	city->loop = wl_display_get_event_loop(city->display);
	assert_int_equal(wl_display_init_shm(city->display), 0);
	const struct {
		const struct wl_interface *interface;
		int version;
	} globals[] = {
		{&wl_compositor_interface, 6},
		{&wp_viewporter_interface, 1},
		{&wl_seat_interface, 9},
		{&wl_data_device_manager_interface, 3},
		{&source_city_tile_manager_v1_interface, 5},
	};
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		assert_non_null(wl_global_create(city->display, globals[i].interface,
			globals[i].version, (void *)globals[i].interface, bind_global));
	}
	struct vat_region_info info = {.name = "probe"};
	vat_uuid_generate(&info.tile);
	city->uuid = info.tile;
	city->region_fd = vat_region_create(&info, 0, NULL);
	assert_true(city->region_fd >= 0);
	assert_int_equal(vat_region_map(city->region_fd, VAT_READ, &city->region, NULL), 0);
	city->audio_fd = -1;
	city->transport_fd = vat_transport_create(VAT_RATE, NULL);
	assert_true(city->transport_fd >= 0);
	city->transport = vat_transport_map(city->transport_fd, true, NULL);
	assert_non_null(city->transport);
}

static void handle_client_destroy(struct wl_listener *listener, void *data) {
	struct fake_version *version = wl_container_of(listener, version, client_destroy);
	version->client = NULL;
	version->source = NULL;
	version->pending_buffer = version->held_buffer = NULL;
	version->frame_callback_count = 0;
}

void fake_city_finish(struct fake_city *city) {
	struct fake_version *version, *next;
	wl_list_for_each_safe(version, next, &city->versions, link) {
		if (!version->ended) {
			kill(version->pid, SIGKILL);
			waitpid(version->pid, NULL, 0);
		}
		if (version->client) {
			wl_client_destroy(version->client);
		}
		if (version->keeper_source) {
			wl_event_source_remove(version->keeper_source);
		}
		close(version->keeper_fd);
		if (version->paste_fd >= 0) {
			close(version->paste_fd);
		}
		free(version->pixels);
		free(version);
	}
	for (size_t i = 0; i < city->stream_count; i++) {
		close(city->streams[i].fd);
		if (city->streams[i].pid) {
			kill(city->streams[i].pid, SIGKILL);
			waitpid(city->streams[i].pid, NULL, 0);
		}
	}
	for (size_t i = 0; i < city->ring_count; i++) {
		ring_unmap(&city->rings[i].ring);
		close(city->rings[i].fd);
		close(city->rings[i].wake_fd);
	}
	if (city->audio_fd >= 0) {
		close(city->audio_fd);
	}
	vat_transport_unmap(city->transport);
	close(city->transport_fd);
	vat_region_unmap(city->region);
	close(city->region_fd);
	wl_display_destroy(city->display);
}

void fake_dispatch(struct fake_city *city, int timeout_ms) {
	wl_display_flush_clients(city->display);
	wl_event_loop_dispatch(city->loop, timeout_ms);
	wl_display_flush_clients(city->display);
	struct fake_version *version;
	wl_list_for_each(version, &city->versions, link) {
		if (!version->ended &&
			waitpid(version->pid, &version->status, WNOHANG) == version->pid) {
			version->ended = true;
		}
	}
}

static void make_client(struct fake_version *version, int fd) {
	version->client = wl_client_create(version->city->display, fd);
	wl_client_set_user_data(version->client, version, NULL);
	version->client_destroy.notify = handle_client_destroy;
	wl_client_add_destroy_listener(version->client, &version->client_destroy);
}

struct fake_version *fake_start(
	struct fake_city *city, const char *artifact, const char *const *options) {
	struct fake_version *version = calloc(1, sizeof(*version));
	version->city = city;
	version->failed_step = version->paste_fd = version->standing = -1;
	version->damage_x1 = version->damage_y1 = INT32_MAX;
	wl_list_insert(city->versions.prev, &version->link);
	int keeper[2], wayland[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keeper), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wayland), 0);
	version->pid = fork();
	assert_true(version->pid >= 0);
	if (version->pid == 0) {
		char number[16];
		fcntl(keeper[1], F_SETFD, 0);
		snprintf(number, sizeof(number), "%d", keeper[1]);
		setenv("SOURCE_CITY_KEEPER_FD", number, 1);
		const char *host = getenv("SOURCE_CITY_TILE");
		execl(host, host, (char *)NULL);
		_exit(127);
	}
	close(keeper[1]);
	version->keeper_fd = keeper[0];
	make_client(version, wayland[0]);
	version->keeper_source = wl_event_loop_add_fd(
		city->loop, keeper[0], WL_EVENT_READABLE, handle_keeper, version);
	int artifact_fd = open(artifact, O_RDONLY | O_CLOEXEC);
	assert_true(artifact_fd >= 0);
	struct keeper_message *assume = calloc(1, sizeof(*assume));
	assume->type = KEEPER_ASSUME;
	assume->uuid = city->uuid;
	snprintf(assume->name, sizeof(assume->name), "probe");
	assert_int_equal(keeper_wire_add(assume, "0000"), 0);
	for (; options && *options; options++) {
		assert_int_equal(keeper_wire_add(assume, *options), 0);
	}
	const int fds[] = {wayland[1], artifact_fd, city->region_fd, city->transport_fd};
	assert_int_equal(keeper_wire_send(version->keeper_fd, assume, fds, 4), 0);
	free(assume);
	close(artifact_fd);
	close(wayland[1]);
	return version;
}

struct fake_version *fake_start_ready(
	struct fake_city *city, const char *artifact, const char *const *options) {
	struct fake_version *version = fake_start(city, artifact, options);
	FAKE_WAIT(city, version->ready || version->ended || version->failed_step >= 0);
	assert_true(version->ready);
	assert_true(version->described);
	return version;
}

void fake_send_attach(struct fake_version *version, uint32_t reason, int undo_fd) {
	uint64_t epoch = ++version->city->epoch;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	source_city_tile_v1_send_attach(version->tile, ++version->city->serial, reason, epoch >> 32,
		(uint32_t)epoch, undo_fd >= 0, undo_fd >= 0 ? undo_fd : null_fd);
	wl_display_flush_clients(version->city->display);
	close(null_fd);
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

void fake_focus(struct fake_version *version) {
	struct wl_array keys;
	wl_array_init(&keys);
	wl_keyboard_send_enter(version->keyboard, ++version->city->serial, version->surface, &keys);
	wl_keyboard_send_modifiers(version->keyboard, ++version->city->serial, 0, 0, 0, 0);
	wl_array_release(&keys);
}

void fake_key(struct fake_version *version, uint32_t keycode) {
	wl_keyboard_send_key(version->keyboard, ++version->city->serial, 0, keycode,
		WL_KEYBOARD_KEY_STATE_PRESSED);
	wl_keyboard_send_key(version->keyboard, ++version->city->serial, 0, keycode,
		WL_KEYBOARD_KEY_STATE_RELEASED);
}

void fake_click(struct fake_version *version, double tx, double ty) {
	wl_pointer_send_enter(version->pointer, ++version->city->serial, version->surface,
		wl_fixed_from_double(tx), wl_fixed_from_double(ty));
	wl_pointer_send_frame(version->pointer);
	for (int state = 1; state >= 0; state--) {
		wl_pointer_send_button(version->pointer, ++version->city->serial, 0, 0x110, state);
		wl_pointer_send_frame(version->pointer);
	}
}

void fake_wait_exit(struct fake_version *version) {
	FAKE_WAIT(version->city, version->ended);
}

void fake_kill(struct fake_version *version) {
	kill(version->pid, SIGKILL);
	fake_wait_exit(version);
}

void fake_disconnect(struct fake_version *version) {
	wl_client_destroy(version->client);
	version->standing = -1;
	version->keyboard = version->pointer = NULL;
	version->described = false;
	version->commits = 0;
	version->width = version->height = 0;
	version->title[0] = 0;
}

void fake_reconnect(struct fake_version *version) {
	static struct keeper_message message;
	int wayland[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wayland), 0);
	make_client(version, wayland[0]);
	message.type = KEEPER_RECONNECT;
	assert_int_equal(keeper_wire_send(version->keeper_fd, &message, &wayland[1], 1), 0);
	close(wayland[1]);
	FAKE_WAIT(version->city, version->standing >= 0);
}

const void *fake_cell(struct fake_city *city, const char *name) {
	assert_int_equal(vat_region_refresh(city->region, NULL), 0);
	const struct vat_cell *cell = vat_region_find(city->region, name, NULL, 0);
	assert_non_null(cell);
	return vat_cell_data(city->region, cell);
}

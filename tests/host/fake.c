/* SPDX-License-Identifier: MIT */
/* The fake city and its versions, from their beginning to their end. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"
#include "fake_internal.h"
#include "keeper/wire.h"

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

void fake_city_init(struct fake_city *city) {
	memset(city, 0, sizeof(*city));
	wl_list_init(&city->versions);
	city->display = wl_display_create();
	city->loop = wl_display_get_event_loop(city->display);
	assert_int_equal(wl_display_init_shm(city->display), 0);
	fake_add_globals(city);
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
		city->loop, keeper[0], WL_EVENT_READABLE, fake_handle_keeper, version);
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

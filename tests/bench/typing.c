/* SPDX-License-Identifier: MIT */
/*
 * How long a key takes to the screen of the compositor that WAYLAND_DISPLAY names: presses one for
 * whoever has the keyboard and echoes it, and notes when the output frame that shows something new
 * was presented. The keys come at any moment between two frames.
 *
 *   bench-typing NAME COUNT
 *
 * Prints the times as one JSON object, in ms.
 */
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../headless/client.h"
#include "ext-image-capture-source-v1-client-protocol.h"
#include "ext-image-copy-capture-v1-client-protocol.h"

struct screen {
	uint32_t width, height;
	bool known, done, failed;
	int64_t presented_ns;
};

static int64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- what is presented */

static void session_size(void *data, struct ext_image_copy_capture_session_v1 *session,
	uint32_t width, uint32_t height) {
	struct screen *screen = data;
	screen->width = width;
	screen->height = height;
}

static void session_shm(
	void *data, struct ext_image_copy_capture_session_v1 *session, uint32_t format) {
}

static void session_device(
	void *data, struct ext_image_copy_capture_session_v1 *session, struct wl_array *device) {
}

static void session_dmabuf(void *data, struct ext_image_copy_capture_session_v1 *session,
	uint32_t format, struct wl_array *modifiers) {
}

static void session_done(void *data, struct ext_image_copy_capture_session_v1 *session) {
	((struct screen *)data)->known = true;
}

static void session_stopped(void *data, struct ext_image_copy_capture_session_v1 *session) {
	((struct screen *)data)->failed = true;
}

static const struct ext_image_copy_capture_session_v1_listener session_listener = {
	.buffer_size = session_size,
	.shm_format = session_shm,
	.dmabuf_device = session_device,
	.dmabuf_format = session_dmabuf,
	.done = session_done,
	.stopped = session_stopped,
};

static void frame_transform(
	void *data, struct ext_image_copy_capture_frame_v1 *frame, uint32_t transform) {
}

static void frame_damage(void *data, struct ext_image_copy_capture_frame_v1 *frame, int32_t x,
	int32_t y, int32_t width, int32_t height) {
}

static void frame_time(void *data, struct ext_image_copy_capture_frame_v1 *frame, uint32_t high,
	uint32_t low, uint32_t nsec) {
	struct screen *screen = data;
	screen->presented_ns = (int64_t)((uint64_t)high << 32 | low) * INT64_C(1000000000) + nsec;
}

static void frame_ready(void *data, struct ext_image_copy_capture_frame_v1 *frame) {
	((struct screen *)data)->done = true;
}

static void frame_failed(
	void *data, struct ext_image_copy_capture_frame_v1 *frame, uint32_t reason) {
	((struct screen *)data)->failed = true;
}

static const struct ext_image_copy_capture_frame_v1_listener frame_listener = {
	.transform = frame_transform,
	.damage = frame_damage,
	.presentation_time = frame_time,
	.ready = frame_ready,
	.failed = frame_failed,
};

static bool is_known(void *data) {
	const struct screen *screen = data;
	return screen->known || screen->failed;
}

static bool is_done(void *data) {
	const struct screen *screen = data;
	return screen->done || screen->failed;
}

/* ---- keys */

static int connect_display(void) {
	const char *dir = getenv("XDG_RUNTIME_DIR"), *name = getenv("WAYLAND_DISPLAY");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!dir || !name ||
		snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, name) >=
			(int)sizeof(address.sun_path) ||
		connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		fprintf(stderr, "bench-typing: no compositor to type into\n");
		exit(1);
	}
	return fd;
}

static void rest(int64_t ns) {
	nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static struct ext_image_copy_capture_frame_v1 *ask(
	struct ext_image_copy_capture_session_v1 *session, struct wl_buffer *buffer,
	struct screen *screen) {
	struct ext_image_copy_capture_frame_v1 *frame =
		ext_image_copy_capture_session_v1_create_frame(session);
	ext_image_copy_capture_frame_v1_add_listener(frame, &frame_listener, screen);
	screen->done = false;
	ext_image_copy_capture_frame_v1_attach_buffer(frame, buffer);
	ext_image_copy_capture_frame_v1_capture(frame);
	return frame;
}

/* One key; how long it took to the screen. The frame is asked for first, so that the very next one
 * that differs is it; what differs before the key is waited out. */
static int64_t type(struct client *client, struct ext_image_copy_capture_session_v1 *session,
	struct wl_buffer *buffer, struct screen *screen) {
	struct ext_image_copy_capture_frame_v1 *frame = ask(session, buffer, screen);
	for (;;) {
		client_roundtrip(client);
		rest(20000000 + rand() % 33000000);
		client_roundtrip(client);
		if (!is_done(screen)) {
			break;
		}
		ext_image_copy_capture_frame_v1_destroy(frame);
		frame = ask(session, buffer, screen);
	}
	int64_t begin = now_ns();
	client_key(client, KEY_A, 0);
	client_wait(client, is_done, screen, "a picture of the key");
	ext_image_copy_capture_frame_v1_destroy(frame);
	if (screen->failed) {
		fprintf(stderr, "bench-typing: the screen cannot be captured\n");
		exit(1);
	}
	return screen->presented_ns - begin;
}

static int by_value(const void *a, const void *b) {
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

int main(int argc, char *argv[]) {
	if (argc != 3 || atoi(argv[2]) < 1) {
		fprintf(stderr, "usage: bench-typing NAME COUNT\n");
		return 1;
	}
	int count = atoi(argv[2]);
	struct client *client = client_create_on_fd(connect_display());
	struct screen screen = {0};
	struct ext_image_capture_source_v1 *source =
		ext_output_image_capture_source_manager_v1_create_source(
			client->capture_sources, client->output);
	struct ext_image_copy_capture_session_v1 *session =
		ext_image_copy_capture_manager_v1_create_session(client->capture, source, 0);
	ext_image_copy_capture_session_v1_add_listener(session, &session_listener, &screen);
	client_wait(client, is_known, &screen, "the size of the screen");

	size_t size = (size_t)screen.width * screen.height * 4;
	int fd = memfd_create("screen", MFD_CLOEXEC);
	if (screen.failed || ftruncate(fd, (off_t)size) < 0) {
		fprintf(stderr, "bench-typing: no picture of the screen\n");
		return 1;
	}
	struct wl_shm_pool *pool = wl_shm_create_pool(client->shm, fd, (int32_t)size);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool, 0, (int32_t)screen.width,
		(int32_t)screen.height, (int32_t)screen.width * 4, WL_SHM_FORMAT_XRGB8888);

	int64_t *times = calloc((size_t)count, sizeof(*times));
	if (!times) {
		return 1;
	}
	srand(1);
	/* The first few find the caches cold. */
	for (int i = -5; i < count; i++) {
		times[i < 0 ? 0 : i] = type(client, session, buffer, &screen);
	}
	qsort(times, (size_t)count, sizeof(*times), by_value);
	printf("{\"name\": \"%s\", \"unit\": \"ms\", \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f, "
	       "\"n\": %d}\n",
		argv[1], (double)times[count / 2] / 1e6, (double)times[count * 99 / 100] / 1e6,
		(double)times[count - 1] / 1e6, count);
	free(times);
	ext_image_copy_capture_session_v1_destroy(session);
	ext_image_capture_source_v1_destroy(source);
	wl_buffer_destroy(buffer);
	wl_shm_pool_destroy(pool);
	client_destroy(client);
	close(fd);
	return 0;
}

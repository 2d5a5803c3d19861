/* SPDX-License-Identifier: MIT */
/* The client's pictures of the screen, and what is found on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "client.h"
#include "ext-image-capture-source-v1-client-protocol.h"
#include "ext-image-copy-capture-v1-client-protocol.h"
#include "limit.h"

struct capture {
	uint32_t width, height;
	bool constrained, ready, failed;
	int left, top, right, bottom; /* of the damage of the last frame */
};

static void capture_size(void *data, struct ext_image_copy_capture_session_v1 *session,
	uint32_t width, uint32_t height) {
	struct capture *capture = data;
	capture->width = width;
	capture->height = height;
}

static void capture_shm_format(
	void *data, struct ext_image_copy_capture_session_v1 *session, uint32_t format) {
}

static void capture_dmabuf_device(
	void *data, struct ext_image_copy_capture_session_v1 *session, struct wl_array *device) {
}

static void capture_dmabuf_format(void *data, struct ext_image_copy_capture_session_v1 *session,
	uint32_t format, struct wl_array *modifiers) {
}

static void capture_done(void *data, struct ext_image_copy_capture_session_v1 *session) {
	struct capture *capture = data;
	capture->constrained = true;
}

static void capture_stopped(void *data, struct ext_image_copy_capture_session_v1 *session) {
	struct capture *capture = data;
	capture->failed = true;
}

static const struct ext_image_copy_capture_session_v1_listener session_listener = {
	.buffer_size = capture_size,
	.shm_format = capture_shm_format,
	.dmabuf_device = capture_dmabuf_device,
	.dmabuf_format = capture_dmabuf_format,
	.done = capture_done,
	.stopped = capture_stopped,
};

static void frame_transform(
	void *data, struct ext_image_copy_capture_frame_v1 *frame, uint32_t transform) {
}

static void frame_damage(void *data, struct ext_image_copy_capture_frame_v1 *frame, int32_t x,
	int32_t y, int32_t width, int32_t height) {
	struct capture *capture = data;
	capture->left = x < capture->left ? x : capture->left;
	capture->top = y < capture->top ? y : capture->top;
	capture->right = x + width > capture->right ? x + width : capture->right;
	capture->bottom = y + height > capture->bottom ? y + height : capture->bottom;
}

static void frame_time(void *data, struct ext_image_copy_capture_frame_v1 *frame, uint32_t high,
	uint32_t low, uint32_t nsec) {
}

static void frame_ready(void *data, struct ext_image_copy_capture_frame_v1 *frame) {
	struct capture *capture = data;
	capture->ready = true;
}

static void frame_failed(
	void *data, struct ext_image_copy_capture_frame_v1 *frame, uint32_t reason) {
	struct capture *capture = data;
	capture->failed = true;
}

static const struct ext_image_copy_capture_frame_v1_listener capture_frame_listener = {
	.transform = frame_transform,
	.damage = frame_damage,
	.presentation_time = frame_time,
	.ready = frame_ready,
	.failed = frame_failed,
};

static bool is_constrained(void *data) {
	struct capture *capture = data;
	return capture->constrained || capture->failed;
}

static bool is_captured(void *data) {
	struct capture *capture = data;
	return capture->ready || capture->failed;
}

struct picture client_capture(struct client *client) {
	struct ext_image_capture_source_v1 *source =
		ext_output_image_capture_source_manager_v1_create_source(
			client->capture_sources, client->output);
	struct picture picture = client_capture_source(client, source);
	ext_image_capture_source_v1_destroy(source);
	return picture;
}

static struct ext_image_copy_capture_session_v1 *capture_start(struct client *client,
	struct ext_image_capture_source_v1 *source, struct capture *capture) {
	*capture = (struct capture){0};
	struct ext_image_copy_capture_session_v1 *session =
		ext_image_copy_capture_manager_v1_create_session(client->capture, source, 0);
	ext_image_copy_capture_session_v1_add_listener(session, &session_listener, capture);
	client_wait(client, is_constrained, capture, "the size of the screen");
	assert_false(capture->failed);
	return session;
}

static struct picture capture_frame(struct client *client,
	struct ext_image_copy_capture_session_v1 *session, struct capture *capture) {
	size_t size = (size_t)capture->width * capture->height * 4;
	int fd = memfd_create("capture", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	struct wl_shm_pool *pool = wl_shm_create_pool(client->shm, fd, (int32_t)size);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool, 0, (int32_t)capture->width,
		(int32_t)capture->height, (int32_t)capture->width * 4, WL_SHM_FORMAT_XRGB8888);
	struct ext_image_copy_capture_frame_v1 *frame =
		ext_image_copy_capture_session_v1_create_frame(session);
	ext_image_copy_capture_frame_v1_add_listener(frame, &capture_frame_listener, capture);
	capture->ready = false;
	capture->left = capture->top = INT32_MAX;
	capture->right = capture->bottom = 0;
	ext_image_copy_capture_frame_v1_attach_buffer(frame, buffer);
	ext_image_copy_capture_frame_v1_capture(frame);
	client_wait(client, is_captured, capture, "a picture of the screen");
	assert_false(capture->failed);

	struct picture picture = {
		.width = (int)capture->width,
		.height = (int)capture->height,
		.pixels = malloc(size),
	};
	assert_int_equal(pread(fd, picture.pixels, size, 0), (ssize_t)size);
	close(fd);
	wl_buffer_destroy(buffer);
	wl_shm_pool_destroy(pool);
	ext_image_copy_capture_frame_v1_destroy(frame);
	return picture;
}

struct picture client_capture_source(
	struct client *client, struct ext_image_capture_source_v1 *source) {
	struct capture capture;
	struct ext_image_copy_capture_session_v1 *session = capture_start(client, source, &capture);
	struct picture picture = capture_frame(client, session, &capture);
	ext_image_copy_capture_session_v1_destroy(session);
	return picture;
}

struct rect client_capture_damage(
	struct client *client, void (*change)(void *data), void *data, struct picture *picture) {
	struct capture capture;
	struct ext_image_capture_source_v1 *source =
		ext_output_image_capture_source_manager_v1_create_source(
			client->capture_sources, client->output);
	struct ext_image_copy_capture_session_v1 *session = capture_start(client, source, &capture);
	struct picture before = capture_frame(client, session, &capture);
	picture_free(&before);
	change(data);
	*picture = capture_frame(client, session, &capture);
	ext_image_copy_capture_session_v1_destroy(session);
	ext_image_capture_source_v1_destroy(source);
	return (struct rect){capture.left, capture.top, capture.right - capture.left,
		capture.bottom - capture.top};
}

uint32_t picture_at(const struct picture *picture, int x, int y) {
	assert_true(x >= 0 && y >= 0 && x < picture->width && y < picture->height);
	return picture->pixels[y * picture->width + x] & 0xffffff;
}

struct rect picture_find(const struct picture *picture, uint32_t color) {
	int left = picture->width, top = picture->height, right = -1, bottom = -1;
	for (int y = 0; y < picture->height; y++) {
		for (int x = 0; x < picture->width; x++) {
			if (picture_at(picture, x, y) == color) {
				left = x < left ? x : left;
				right = x > right ? x : right;
				top = y < top ? y : top;
				bottom = y > bottom ? y : bottom;
			}
		}
	}
	if (right < 0) {
		return (struct rect){0};
	}
	return (struct rect){left, top, right - left + 1, bottom - top + 1};
}

void picture_free(struct picture *picture) {
	free(picture->pixels);
	picture->pixels = NULL;
}

void client_expect_rect(
	struct client *client, uint32_t color, int x, int y, int width, int height) {
	int64_t end = now_ms() + LIMIT_MS / 2;
	struct rect rect;
	do {
		struct picture picture = client_capture(client);
		rect = picture_find(&picture, color);
		picture_free(&picture);
		if (rect.x == x && rect.y == y && rect.width == width && rect.height == height) {
			return;
		}
	} while (now_ms() < end);
	fail_msg("%06x is at %d,%d %dx%d, not at %d,%d %dx%d", color, rect.x, rect.y, rect.width,
		rect.height, x, y, width, height);
}

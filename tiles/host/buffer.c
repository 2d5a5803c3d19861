/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void handle_buffer_release(void *data, struct wl_buffer *wl_buffer) {
	struct host_buffer *buffer = data;
	buffer->busy = false;
}

static const struct wl_buffer_listener buffer_listener = {
	.release = handle_buffer_release,
};

static void buffer_finish(struct host_buffer *buffer) {
	if (!buffer->wl_buffer) {
		return;
	}
	wl_buffer_destroy(buffer->wl_buffer);
	munmap(buffer->pixels, buffer->size);
	pixman_region32_fini(&buffer->stale);
	memset(buffer, 0, sizeof(*buffer));
}

static bool buffer_init(
	struct host *host, struct host_buffer *buffer, int32_t width, int32_t height) {
	size_t stride = (size_t)width * 4, size = stride * height;
	if (size > INT32_MAX) {
		return false;
	}
	int fd = memfd_create("source-city-buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) {
		return false;
	}
	void *pixels = MAP_FAILED;
	/* The seal spares the compositor its guard against a file that shrinks. */
	if (ftruncate(fd, size) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) == 0) {
		pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	}
	if (pixels == MAP_FAILED) {
		close(fd);
		return false;
	}
	struct wl_shm_pool *pool = wl_shm_create_pool(host->shm, fd, size);
	*buffer = (struct host_buffer){
		.host = host,
		.wl_buffer = wl_shm_pool_create_buffer(
			pool, 0, width, height, stride, WL_SHM_FORMAT_ARGB8888),
		.pixels = pixels,
		.size = size,
		.width = width,
		.height = height,
		.stride = stride,
	};
	wl_shm_pool_destroy(pool);
	close(fd);
	wl_buffer_add_listener(buffer->wl_buffer, &buffer_listener, buffer);
	pixman_region32_init_rect(&buffer->stale, 0, 0, width, height);
	return true;
}

static int64_t region_area(pixman_region32_t *region) {
	int count;
	const pixman_box32_t *boxes = pixman_region32_rectangles(region, &count);
	int64_t area = 0;
	for (int i = 0; i < count; i++) {
		area += (int64_t)(boxes[i].x2 - boxes[i].x1) * (boxes[i].y2 - boxes[i].y1);
	}
	return area;
}

struct host_buffer *host_buffer_get(struct host *host, int32_t width, int32_t height) {
	struct host_buffer *best = NULL, *empty = NULL;
	int64_t best_area = 0;
	for (size_t i = 0; i < HOST_BUFFERS_MAX; i++) {
		struct host_buffer *buffer = &host->buffers[i];
		if (buffer->wl_buffer && !buffer->busy &&
			(buffer->width != width || buffer->height != height)) {
			buffer_finish(buffer);
		}
		if (!buffer->wl_buffer) {
			empty = empty ? empty : buffer;
		} else if (!buffer->busy) {
			int64_t area = region_area(&buffer->stale);
			if (!best || area < best_area) {
				best = buffer;
				best_area = area;
			}
		}
	}
	if (!best && empty && buffer_init(host, empty, width, height)) {
		best = empty;
	}
	return best;
}

void host_buffers_finish(struct host *host) {
	for (size_t i = 0; i < HOST_BUFFERS_MAX; i++) {
		buffer_finish(&host->buffers[i]);
	}
}

/* SPDX-License-Identifier: MIT */
#include "tests/effects/rig.h"

#include <drm_fourcc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* An emulated machine takes its time to compile a shader. */
#define PATIENCE_MS 120000.0

static uint32_t scramble(uint32_t n) {
	n = (n ^ (n >> 16)) * 0x7feb352d;
	n = (n ^ (n >> 15)) * 0x846ca68b;
	return n ^ (n >> 16);
}

static void picture_destroy(struct wlr_buffer *base) {
	struct rig_picture *picture = wl_container_of(base, picture, base);
	wlr_buffer_finish(base);
	if (picture->fd >= 0) {
		munmap(picture->pixels, picture->stride * (size_t)base->height);
		close(picture->fd);
	} else {
		free(picture->pixels);
	}
	free(picture);
}

static bool picture_begin_access(
	struct wlr_buffer *base, uint32_t flags, void **data, uint32_t *format, size_t *stride) {
	struct rig_picture *picture = wl_container_of(base, picture, base);
	*data = picture->pixels;
	*format = picture->format;
	*stride = picture->stride;
	return true;
}

static void picture_end_access(struct wlr_buffer *base) {
}

static bool picture_get_shm(struct wlr_buffer *base, struct wlr_shm_attributes *shm) {
	struct rig_picture *picture = wl_container_of(base, picture, base);
	*shm = (struct wlr_shm_attributes){
		.fd = picture->fd,
		.format = picture->format,
		.width = base->width,
		.height = base->height,
		.stride = (int)picture->stride,
	};
	return true;
}

static const struct wlr_buffer_impl memory_impl = {
	.destroy = picture_destroy,
	.begin_data_ptr_access = picture_begin_access,
	.end_data_ptr_access = picture_end_access,
};

static const struct wlr_buffer_impl shm_impl = {
	.destroy = picture_destroy,
	.get_shm = picture_get_shm,
};

struct rig_picture *rig_picture_create(int width, int height, uint32_t format, bool shm) {
	struct rig_picture *picture = calloc(1, sizeof(*picture));
	if (picture == NULL) {
		abort();
	}
	picture->format = format;
	/* Some padding, as clients may have it. */
	picture->stride = ((size_t)width + 5) * 4;
	picture->fd = -1;
	size_t size = picture->stride * (size_t)height;
	if (shm) {
		picture->fd = memfd_create("picture", MFD_CLOEXEC);
		if (picture->fd < 0 || ftruncate(picture->fd, (off_t)size) != 0) {
			abort();
		}
		picture->pixels =
			mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, picture->fd, 0);
	} else {
		picture->pixels = calloc(1, size);
	}
	if (picture->pixels == NULL || picture->pixels == MAP_FAILED) {
		abort();
	}
	wlr_buffer_init(&picture->base, shm ? &shm_impl : &memory_impl, width, height);
	return picture;
}

void rig_picture_fill(struct rig_picture *picture, uint32_t color) {
	for (int y = 0; y < picture->base.height; y++) {
		uint32_t *row = picture->pixels + (size_t)y * picture->stride / 4;
		for (int x = 0; x < picture->base.width; x++) {
			row[x] = color;
		}
	}
}

void rig_picture_checker(struct rig_picture *picture, int size, uint32_t seed) {
	for (int y = 0; y < picture->base.height; y++) {
		uint32_t *row = picture->pixels + (size_t)y * picture->stride / 4;
		for (int x = 0; x < picture->base.width; x++) {
			uint32_t block = scramble(
				scramble((uint32_t)(x / size)) + (uint32_t)(y / size) * 31 + seed);
			row[x] = block & 1 ? 0xffffffff : 0xff000000;
		}
	}
}

void rig_picture_text(struct rig_picture *picture, uint32_t seed) {
	static const uint32_t colors[] = {
		0xffd8dee9, 0xffa3be8c, 0xff88c0d0, 0xffebcb8b, 0xffbf616a, 0xffb48ead};
	const int cell_width = 8, cell_height = 16;
	rig_picture_fill(picture, 0xff1d2128);
	for (int line = 0; line < picture->base.height / cell_height; line++) {
		uint32_t n = scramble(seed + (uint32_t)line * 977);
		int length = (int)(n % (uint32_t)(picture->base.width / cell_width));
		uint32_t color = colors[0];
		for (int column = 0; column < length; column++) {
			n = scramble(n + (uint32_t)column);
			if (n % 6 == 0) {
				color = colors[(n >> 8) % 6];
				continue;
			}
			/* A glyph: bits of 6x10. */
			uint64_t bits = ((uint64_t)scramble(n) << 32) | scramble(n + 1);
			for (int i = 0; i < 60; i++) {
				int x = column * cell_width + 1 + i % 6;
				int y = line * cell_height + 3 + i / 6;
				if (bits >> i & 1) {
					picture->pixels[(size_t)y * picture->stride / 4 +
						(size_t)x] = color;
				}
			}
		}
	}
}

double rig_now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void init(struct rig *rig, const struct city_effects_options *options) {
	*rig = (struct rig){.loop = options->loop, .effects = city_effects_create(options)};
	pixman_region32_init(&rig->damage);
	if (rig->effects == NULL) {
		abort();
	}
}

void rig_init(struct rig *rig, const char *shader_path, int idle_ms, bool guard_in_shader) {
	init(rig,
		&(struct city_effects_options){
			.loop = wl_event_loop_create(),
			.drm_fd = -1,
			.shader_path = shader_path,
			.idle_ms = idle_ms,
			.guard_in_shader = guard_in_shader,
		});
	rig->own_loop = true;
}

void rig_init_on(struct rig *rig, const char *shader_path, struct wl_event_loop *loop, int drm_fd) {
	init(rig,
		&(struct city_effects_options){
			.loop = loop,
			.drm_fd = drm_fd,
			.shader_path = shader_path,
		});
}

void rig_finish(struct rig *rig) {
	city_effects_destroy(rig->effects);
	wlr_buffer_unlock(rig->frame);
	pixman_region32_fini(&rig->damage);
	if (rig->own_loop) {
		wl_event_loop_destroy(rig->loop);
	}
}

static void handle_frame(struct city_transition *transition, struct wlr_buffer *buffer,
	const pixman_region32_t *damage, double progress, void *data) {
	struct rig *rig = data;
	wlr_buffer_lock(buffer);
	wlr_buffer_unlock(rig->frame);
	rig->frame = buffer;
	pixman_region32_copy(&rig->damage, damage);
	rig->progress = progress;
	rig->frames++;
}

static void handle_failed(struct city_transition *transition, const char *reason, void *data) {
	struct rig *rig = data;
	snprintf(rig->reason, sizeof(rig->reason), "%s", reason);
	rig->failures++;
}

static const struct city_transition_impl transition_impl = {
	.frame = handle_frame,
	.failed = handle_failed,
};

struct city_transition *rig_transition_on(struct rig *rig, const char *name,
	struct wlr_buffer *from, int width, int height, struct wlr_renderer *renderer,
	struct wlr_allocator *allocator) {
	return city_transition_create(rig->effects,
		&(struct city_transition_options){
			.name = name,
			.from = from,
			.width = width,
			.height = height,
			.seed = 7,
			.renderer = renderer,
			.allocator = allocator,
			.impl = &transition_impl,
			.data = rig,
		});
}

struct city_transition *rig_transition(
	struct rig *rig, const char *name, struct wlr_buffer *from, int width, int height) {
	return rig_transition_on(rig, name, from, width, height, NULL, NULL);
}

bool rig_wait(struct rig *rig, bool (*done)(void *data), void *data) {
	double start = rig_now_ms();
	while (!done(data)) {
		if (rig_now_ms() - start > PATIENCE_MS) {
			return false;
		}
		wl_event_loop_dispatch(rig->loop, 1000);
	}
	return true;
}

static bool is_started(void *data) {
	struct rig *rig = data;
	return city_effects_state(rig->effects) != CITY_EFFECTS_STARTING;
}

bool rig_prepare(struct rig *rig, const char *name) {
	city_effects_prepare(rig->effects, name);
	return rig_wait(rig, is_started, rig) &&
		city_effects_state(rig->effects) == CITY_EFFECTS_READY;
}

struct answer {
	struct rig *rig;
	int frames, failures;
};

static bool is_answered(void *data) {
	struct answer *answer = data;
	return answer->rig->frames > answer->frames || answer->rig->failures > answer->failures;
}

struct wlr_buffer *rig_frame(struct rig *rig, struct city_transition *transition, double progress) {
	struct answer answer = {rig, rig->frames, rig->failures};
	city_transition_request(transition, progress);
	if (!rig_wait(rig, is_answered, &answer) || rig->frames == answer.frames) {
		return NULL;
	}
	return rig->frame;
}

void rig_read(struct wlr_buffer *buffer, uint32_t *pixels) {
	void *data;
	uint32_t format;
	size_t stride;
	if (!wlr_buffer_begin_data_ptr_access(
		    buffer, WLR_BUFFER_DATA_PTR_ACCESS_READ, &data, &format, &stride)) {
		abort();
	}
	for (int y = 0; y < buffer->height; y++) {
		memcpy(pixels + (size_t)y * (size_t)buffer->width,
			(uint8_t *)data + (size_t)y * stride, (size_t)buffer->width * 4);
	}
	wlr_buffer_end_data_ptr_access(buffer);
}

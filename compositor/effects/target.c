/* SPDX-License-Identifier: MIT */
/*
 * What frames are drawn into. Where the renderer shows dmabufs and EGL can draw into them, they
 * come from the compositor's allocator and no pixel is ever read back; otherwise they are plain
 * memory, which every renderer can show.
 */
#include <drm_fourcc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <wlr/interfaces/wlr_buffer.h>
#include <wlr/render/allocator.h>
#include <wlr/render/swapchain.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_buffer.h>

#include "compositor/effects/internal.h"

/* Shown, being drawn, and the one before that the next is drawn from. */
#define MEMORY_TARGETS 3

struct memory_buffer {
	struct wlr_buffer base;
	void *data;
	size_t size, stride;
};

struct fx_targets {
	struct wlr_swapchain *swapchain; /* NULL: memory */
	struct memory_buffer *memory[MEMORY_TARGETS];
	bool acquired; /* the allocator did give one */
	int width, height;
};

static void memory_buffer_destroy(struct wlr_buffer *base) {
	struct memory_buffer *buffer = wl_container_of(base, buffer, base);
	wlr_buffer_finish(base);
	munmap(buffer->data, buffer->size);
	free(buffer);
}

static bool memory_buffer_begin_access(
	struct wlr_buffer *base, uint32_t flags, void **data, uint32_t *format, size_t *stride) {
	struct memory_buffer *buffer = wl_container_of(base, buffer, base);
	*data = buffer->data;
	*format = DRM_FORMAT_ARGB8888;
	*stride = buffer->stride;
	return true;
}

static void memory_buffer_end_access(struct wlr_buffer *base) {
}

static const struct wlr_buffer_impl memory_buffer_impl = {
	.destroy = memory_buffer_destroy,
	.begin_data_ptr_access = memory_buffer_begin_access,
	.end_data_ptr_access = memory_buffer_end_access,
};

static struct memory_buffer *memory_buffer_create(int width, int height) {
	struct memory_buffer *buffer = calloc(1, sizeof(*buffer));
	if (buffer == NULL) {
		return NULL;
	}
	buffer->stride = (size_t)width * 4;
	buffer->size = buffer->stride * height;
	/* mmap, so that the pages go back to the system with the buffer. */
	buffer->data = mmap(
		NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer->data == MAP_FAILED) {
		free(buffer);
		return NULL;
	}
	wlr_buffer_init(&buffer->base, &memory_buffer_impl, width, height);
	return buffer;
}

/* Modifiers that both sides can use. */
static struct wlr_swapchain *create_swapchain(struct wlr_renderer *renderer,
	struct wlr_allocator *allocator, const struct wlr_drm_format_set *formats, int width,
	int height) {
	if (renderer == NULL || allocator == NULL || formats == NULL ||
		!(allocator->buffer_caps & WLR_BUFFER_CAP_DMABUF)) {
		return NULL;
	}
	const struct wlr_drm_format_set *shown =
		wlr_renderer_get_texture_formats(renderer, WLR_BUFFER_CAP_DMABUF);
	if (shown == NULL) {
		return NULL;
	}
	struct wlr_drm_format_set both = {0};
	struct wlr_swapchain *swapchain = NULL;
	if (wlr_drm_format_set_intersect(&both, shown, formats)) {
		const struct wlr_drm_format *format =
			wlr_drm_format_set_get(&both, DRM_FORMAT_ARGB8888);
		if (format != NULL) {
			swapchain = wlr_swapchain_create(allocator, width, height, format);
		}
	}
	wlr_drm_format_set_finish(&both);
	return swapchain;
}

struct fx_targets *fx_targets_create(struct wlr_renderer *renderer, struct wlr_allocator *allocator,
	const struct wlr_drm_format_set *formats, int width, int height) {
	struct fx_targets *targets = calloc(1, sizeof(*targets));
	if (targets == NULL) {
		return NULL;
	}
	targets->width = width;
	targets->height = height;
	targets->swapchain = create_swapchain(renderer, allocator, formats, width, height);
	return targets;
}

void fx_targets_use_memory(struct fx_targets *targets) {
	wlr_swapchain_destroy(targets->swapchain);
	targets->swapchain = NULL;
}

void fx_targets_destroy(struct fx_targets *targets) {
	if (targets == NULL) {
		return;
	}
	wlr_swapchain_destroy(targets->swapchain);
	for (size_t i = 0; i < MEMORY_TARGETS; i++) {
		if (targets->memory[i] != NULL) {
			wlr_buffer_drop(&targets->memory[i]->base);
		}
	}
	free(targets);
}

static bool acquire_memory(struct fx_targets *targets, struct fx_target *target) {
	for (size_t i = 0; i < MEMORY_TARGETS; i++) {
		struct memory_buffer *buffer = targets->memory[i];
		if (buffer == NULL) {
			buffer = memory_buffer_create(targets->width, targets->height);
			if (buffer == NULL) {
				return false;
			}
			targets->memory[i] = buffer;
		}
		if (buffer->base.n_locks > 0) {
			continue;
		}
		*target = (struct fx_target){
			.buffer = wlr_buffer_lock(&buffer->base),
			.pixels = buffer->data,
			.stride = buffer->stride,
		};
		return true;
	}
	return false;
}

bool fx_targets_acquire(struct fx_targets *targets, struct fx_target *target) {
	if (targets->swapchain == NULL) {
		return acquire_memory(targets, target);
	}
	struct wlr_buffer *buffer = wlr_swapchain_acquire(targets->swapchain);
	*target = (struct fx_target){.buffer = buffer};
	if (buffer != NULL && wlr_buffer_get_dmabuf(buffer, &target->dmabuf)) {
		targets->acquired = true;
		return true;
	}
	wlr_buffer_unlock(buffer);
	if (targets->acquired) {
		return false; /* all are in use */
	}
	fx_targets_use_memory(targets);
	return acquire_memory(targets, target);
}

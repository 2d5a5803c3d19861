/* SPDX-License-Identifier: MIT */
#include <drm_fourcc.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/render/pixman.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/render/wlr_texture.h>
#include <wlr/types/wlr_buffer.h>

#include "compositor/effects/internal.h"

static bool format_is_known(uint32_t format) {
	switch (format) {
	case DRM_FORMAT_ARGB8888:
	case DRM_FORMAT_XRGB8888:
	case DRM_FORMAT_ABGR8888:
	case DRM_FORMAT_XBGR8888:
		return true;
	default:
		return false;
	}
}

static bool alloc_pixels(struct fx_source *source, uint32_t format) {
	source->kind = FX_SOURCE_PIXELS;
	source->format = format;
	source->stride = (size_t)source->box.width * 4;
	source->pixels = malloc(source->stride * source->box.height);
	return source->pixels != NULL;
}

static bool from_dmabuf(struct fx_source *source, struct wlr_buffer *buffer) {
	if (!wlr_buffer_get_dmabuf(buffer, &source->dmabuf)) {
		return false;
	}
	source->kind = FX_SOURCE_DMABUF;
	source->format = source->dmabuf.format;
	source->locked = wlr_buffer_lock(buffer);
	return true;
}

/* The worker reads the client's file itself: no copy on this thread. */
static bool from_shm(struct fx_source *source, struct wlr_buffer *buffer) {
	struct wlr_shm_attributes shm;
	if (!wlr_buffer_get_shm(buffer, &shm) || !format_is_known(shm.format)) {
		return false;
	}
	source->kind = FX_SOURCE_SHM;
	source->format = shm.format;
	source->fd = shm.fd;
	source->offset = shm.offset;
	source->stride = shm.stride;
	source->locked = wlr_buffer_lock(buffer);
	return true;
}

static bool from_memory(struct fx_source *source, struct wlr_buffer *buffer) {
	void *data;
	uint32_t format;
	size_t stride;
	if (!wlr_buffer_begin_data_ptr_access(
		    buffer, WLR_BUFFER_DATA_PTR_ACCESS_READ, &data, &format, &stride)) {
		return false;
	}
	bool ok = format_is_known(format) && alloc_pixels(source, format);
	if (ok) {
		const struct wlr_box *box = &source->box;
		const uint8_t *row = (uint8_t *)data + box->y * stride + (size_t)box->x * 4;
		for (int y = 0; y < box->height; y++, row += stride) {
			memcpy(source->pixels + y * source->stride, row, source->stride);
		}
	}
	wlr_buffer_end_data_ptr_access(buffer);
	return ok;
}

static bool from_texture(struct fx_source *source, struct wlr_texture *texture) {
	if (!alloc_pixels(source, DRM_FORMAT_ARGB8888)) {
		return false;
	}
	return wlr_texture_read_pixels(texture,
		&(struct wlr_texture_read_pixels_options){
			.data = source->pixels,
			.format = DRM_FORMAT_ARGB8888,
			.stride = source->stride,
			.src_box = source->box,
		});
}

struct fx_source *fx_source_create(struct wlr_renderer *renderer, struct wlr_buffer *buffer,
	const struct wlr_box *box, bool dmabuf) {
	struct fx_source *source = calloc(1, sizeof(*source));
	if (source == NULL) {
		return NULL;
	}
	source->fd = -1;
	source->width = buffer->width;
	source->height = buffer->height;
	source->box = *box;

	/* A renderer that uploads lets go of a client's memory at once, and may put later pictures
	 * into the same texture: what `source` names is then not what was committed, and the client
	 * may be drawing into it. Only pixman, and dmabufs, keep it as it was. */
	struct wlr_client_buffer *client = wlr_client_buffer_get(buffer);
	struct wlr_buffer *raw = client != NULL ? client->source : buffer;
	if (client != NULL && raw != NULL && raw->n_locks == 0) {
		raw = NULL;
	}
	bool uploaded = client != NULL && (renderer == NULL || !wlr_renderer_is_pixman(renderer));
	if (raw != NULL && dmabuf && from_dmabuf(source, raw)) {
		return source;
	}
	if (raw != NULL && !uploaded && (from_shm(source, raw) || from_memory(source, raw))) {
		return source;
	}
	free(source->pixels);
	source->pixels = NULL;

	if (client != NULL && client->texture != NULL && from_texture(source, client->texture)) {
		return source;
	}
	if (client == NULL && renderer != NULL) {
		struct wlr_texture *texture = wlr_texture_from_buffer(renderer, buffer);
		bool ok = texture != NULL && from_texture(source, texture);
		wlr_texture_destroy(texture);
		if (ok) {
			return source;
		}
	}
	fx_source_destroy(source);
	return NULL;
}

void fx_source_destroy(struct fx_source *source) {
	if (source == NULL) {
		return;
	}
	wlr_buffer_unlock(source->locked);
	free(source->pixels);
	free(source);
}

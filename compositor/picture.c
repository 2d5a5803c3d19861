/* SPDX-License-Identifier: MIT */
#include <drm_fourcc.h>
#include <stdlib.h>

#include "compositor/picture.h"

static void handle_destroy(struct wlr_buffer *buffer) {
	struct city_picture *picture = wl_container_of(buffer, picture, base);
	wlr_buffer_finish(buffer);
	free(picture->data);
	free(picture);
}

static bool begin_access(
	struct wlr_buffer *buffer, uint32_t flags, void **data, uint32_t *format, size_t *stride) {
	struct city_picture *picture = wl_container_of(buffer, picture, base);
	if ((flags & WLR_BUFFER_DATA_PTR_ACCESS_WRITE) != 0) {
		return false;
	}
	*data = picture->data;
	*format = DRM_FORMAT_ARGB8888;
	*stride = picture->stride;
	return true;
}

static void end_access(struct wlr_buffer *buffer) {
}

static const struct wlr_buffer_impl picture_impl = {
	.destroy = handle_destroy,
	.begin_data_ptr_access = begin_access,
	.end_data_ptr_access = end_access,
};

struct city_picture *city_picture_create(int width, int height) {
	struct city_picture *picture = calloc(1, sizeof(*picture));
	if (picture == NULL) {
		return NULL;
	}
	picture->stride = (size_t)width * 4;
	picture->data = calloc((size_t)height, picture->stride);
	if (picture->data == NULL) {
		free(picture);
		return NULL;
	}
	wlr_buffer_init(&picture->base, &picture_impl, width, height);
	return picture;
}

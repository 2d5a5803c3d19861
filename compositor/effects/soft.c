/* SPDX-License-Identifier: MIT */
/* Pictures and frames in memory. */
#include <drm_fourcc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compositor/effects/work.h"

static pixman_format_code_t pixman_format(uint32_t format) {
	switch (format) {
	case DRM_FORMAT_XRGB8888:
		return PIXMAN_x8r8g8b8;
	case DRM_FORMAT_ABGR8888:
		return PIXMAN_a8b8g8r8;
	case DRM_FORMAT_XBGR8888:
		return PIXMAN_x8b8g8r8;
	default:
		return PIXMAN_a8r8g8b8;
	}
}

static void image_clear(pixman_image_t **image) {
	if (*image != NULL) {
		pixman_image_unref(*image);
		*image = NULL;
	}
}

static pixman_image_t *scaled(pixman_image_t *raw, int width, int height) {
	pixman_image_t *image = pixman_image_create_bits(PIXMAN_a8r8g8b8, width, height, NULL, 0);
	if (image == NULL) {
		return NULL;
	}
	pixman_transform_t transform;
	pixman_transform_init_scale(&transform,
		pixman_double_to_fixed((double)pixman_image_get_width(raw) / width),
		pixman_double_to_fixed((double)pixman_image_get_height(raw) / height));
	pixman_image_set_transform(raw, &transform);
	pixman_image_set_filter(raw, PIXMAN_FILTER_BILINEAR, NULL, 0);
	pixman_image_set_repeat(raw, PIXMAN_REPEAT_PAD);
	pixman_image_composite32(PIXMAN_OP_SRC, raw, NULL, image, 0, 0, 0, 0, 0, 0, width, height);
	return image;
}

bool fx_soft_set(struct fx_work *work, struct fx_picture *picture, struct fx_source *source,
	struct fx_staging *staging, struct wlr_box *changed, char *reason, size_t size) {
	if (source->kind == FX_SOURCE_DMABUF) {
		snprintf(reason, size, "a dmabuf cannot be read without EGL");
		return false;
	}
	if (picture->raw == NULL || pixman_image_get_width(picture->raw) != source->width ||
		pixman_image_get_height(picture->raw) != source->height) {
		image_clear(&picture->raw);
		image_clear(&picture->pixels);
		picture->raw = pixman_image_create_bits(
			PIXMAN_a8r8g8b8, source->width, source->height, NULL, 0);
		if (source->kind == FX_SOURCE_SHM) {
			source->box = (struct wlr_box){0, 0, source->width, source->height};
		}
	}
	size_t stride;
	uint8_t *data = fx_source_read(source, staging, &stride);
	const struct wlr_box *box = &source->box;
	pixman_image_t *part = data == NULL
		? NULL
		: pixman_image_create_bits(pixman_format(source->format), box->width, box->height,
			  (uint32_t *)data, (int)stride);
	bool ok = part != NULL && picture->raw != NULL;
	if (ok) {
		pixman_image_composite32(PIXMAN_OP_SRC, part, NULL, picture->raw, 0, 0, 0, 0,
			box->x, box->y, box->width, box->height);
	}
	image_clear(&part);

	*changed = *box;
	if (ok && source->width == work->width && source->height == work->height) {
		if (picture->pixels == NULL) {
			picture->pixels = pixman_image_ref(picture->raw);
		}
	} else if (ok) {
		image_clear(&picture->pixels);
		picture->pixels = scaled(picture->raw, work->width, work->height);
		*changed = (struct wlr_box){0, 0, work->width, work->height};
	}
	ok = ok && picture->pixels != NULL;
	if (!ok) {
		snprintf(reason, size, "out of memory");
	}
	return ok;
}

bool fx_soft_frame(struct fx_work *work, const struct fx_target *target, float progress,
	char *reason, size_t size) {
	pixman_image_t *image = target->pixels == NULL
		? NULL
		: pixman_image_create_bits_no_clear(PIXMAN_a8r8g8b8, work->width, work->height,
			  (uint32_t *)target->pixels, (int)target->stride);
	if (image == NULL) {
		snprintf(reason, size, "nothing to draw into without EGL");
		return false;
	}
	float part = progress * progress * (3.0f - 2.0f * progress);
	pixman_image_t *from = work->from.pixels, *to = work->to.pixels;
	const int width = work->width, height = work->height;
	/* In 8 bits, so that both shares add up to the whole. */
	uint16_t share = (uint16_t)(part * 255.0f + 0.5f);
	const pixman_color_t from_color = {.alpha = (uint16_t)((255 - share) * 0x101)};
	const pixman_color_t to_color = {.alpha = (uint16_t)(share * 0x101)};
	pixman_image_t *from_share = pixman_image_create_solid_fill(&from_color);
	pixman_image_t *to_share = pixman_image_create_solid_fill(&to_color);
	bool ok = from_share != NULL && to_share != NULL;
	if (ok && (share == 0 || share == 255)) {
		pixman_image_composite32(PIXMAN_OP_SRC, share == 0 ? from : to, NULL, image, 0, 0,
			0, 0, 0, 0, width, height);
	} else if (ok) {
		pixman_image_composite32(
			PIXMAN_OP_SRC, from, from_share, image, 0, 0, 0, 0, 0, 0, width, height);
		pixman_image_composite32(
			PIXMAN_OP_ADD, to, to_share, image, 0, 0, 0, 0, 0, 0, width, height);
	} else {
		snprintf(reason, size, "out of memory");
	}
	image_clear(&from_share);
	image_clear(&to_share);
	image_clear(&image);
	return ok;
}

void fx_soft_clear(struct fx_picture *picture) {
	image_clear(&picture->raw);
	image_clear(&picture->pixels);
}

void fx_soft_finish(struct fx_work *work) {
	fx_soft_clear(&work->from);
	fx_soft_clear(&work->to);
}

static inline uint8_t min8(uint8_t a, uint8_t b) {
	return a < b ? a : b;
}

static inline uint8_t max8(uint8_t a, uint8_t b) {
	return a > b ? a : b;
}

/* From `at` - `by` to `at` + `by`, without wrapping round. */
static inline uint8_t within(uint8_t value, uint8_t at, uint8_t by) {
	uint8_t low = (uint8_t)(max8(at, by) - by);
	uint8_t high = (uint8_t)(min8(at, (uint8_t)(255 - by)) + by);
	return min8(max8(value, low), high);
}

static inline void guard(uint8_t *restrict frame, const uint8_t *restrict before,
	const uint8_t *restrict goal, size_t size, uint8_t step, uint8_t left) {
	for (size_t i = 0; i < size; i++) {
		frame[i] = within(within(frame[i], before[i], step), goal[i], left);
	}
}

void fx_soft_guard(uint8_t *restrict frame, const uint8_t *restrict before,
	const uint8_t *restrict goal, size_t size, int step, int left) {
	const uint8_t s = (uint8_t)(step < 255 ? step : 255);
	const uint8_t l = (uint8_t)(left < 255 ? left : 255);
	size_t at = 0;
	/* Of a constant length, so that the compiler makes vector code of it. */
	for (; at + 256 <= size; at += 256) {
		guard(frame + at, before + at, goal + at, 256, s, l);
	}
	guard(frame + at, before + at, goal + at, size - at, s, l);
}

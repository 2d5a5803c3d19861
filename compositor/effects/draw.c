/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compositor/effects/work.h"

/* Not a power of two: drivers make other code for those. */
#define WARM_WIDTH 60
#define WARM_HEIGHT 44

static bool pread_all(int fd, uint8_t *data, size_t size, off_t offset) {
	while (size > 0) {
		ssize_t n = pread(fd, data, size, offset);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			memset(data, 0, size);
			return false;
		}
		data += n;
		offset += n;
		size -= (size_t)n;
	}
	return true;
}

static uint8_t *staging_reserve(struct fx_staging *staging, size_t size) {
	if (size > staging->size) {
		free(staging->data);
		staging->data = malloc(size);
		staging->size = staging->data != NULL ? size : 0;
	}
	return staging->data;
}

uint8_t *fx_source_read(struct fx_source *source, struct fx_staging *staging, size_t *stride) {
	const struct wlr_box *box = &source->box;
	if (source->kind == FX_SOURCE_PIXELS) {
		*stride = source->stride;
		return source->pixels;
	}
	size_t row = (size_t)box->width * 4;
	uint8_t *data = staging_reserve(staging, row * (size_t)box->height);
	if (data == NULL) {
		return NULL;
	}
	*stride = row;
	off_t at = source->offset + box->y * (off_t)source->stride + box->x * 4;
	if (row == source->stride) {
		pread_all(source->fd, data, row * (size_t)box->height, at);
		return data;
	}
	for (int y = 0; y < box->height; y++, at += (off_t)source->stride) {
		pread_all(source->fd, data + (size_t)y * row, row, at);
	}
	return data;
}

static void texture_release(
	struct fx_gl *gl, struct fx_picture *picture, struct wl_list *returned) {
	fx_image_finish(gl, &picture->texture);
	if (picture->held != NULL) {
		wl_list_insert(returned, &picture->held->link);
		picture->held = NULL;
	}
}

static bool upload(struct fx_gl *gl, struct fx_work *work, struct fx_picture *picture,
	const struct wlr_box *changed, struct wl_list *returned) {
	struct wlr_box box = *changed;
	struct fx_image *texture = &picture->texture;
	if (texture->texture == 0 || texture->image != EGL_NO_IMAGE_KHR) {
		texture_release(gl, picture, returned);
		if (!fx_image_alloc(texture, work->width, work->height)) {
			return false;
		}
		box = (struct wlr_box){0, 0, work->width, work->height};
	}
	size_t stride = (size_t)pixman_image_get_stride(picture->pixels);
	const uint8_t *data = (const uint8_t *)pixman_image_get_data(picture->pixels);
	fx_image_upload(texture, &box, data + (size_t)box.y * stride + (size_t)box.x * 4, stride);
	return glGetError() == GL_NO_ERROR;
}

/* True with `kept` if the source stays in use. */
static bool import(struct fx_gl *gl, struct fx_work *work, struct fx_picture *picture,
	struct fx_source *source, struct wl_list *returned, bool *kept) {
	struct fx_image image;
	if (!fx_image_import(gl, &image, &source->dmabuf)) {
		fx_image_finish(gl, &image);
		return false;
	}
	texture_release(gl, picture, returned);
	if (!image.external && image.width == work->width && image.height == work->height) {
		picture->texture = image;
		picture->held = source;
		*kept = true;
		return true;
	}
	bool ok = fx_image_alloc(&picture->texture, work->width, work->height) &&
		fx_image_make_target(&picture->texture) &&
		fx_image_scale(gl, &image, &picture->texture);
	glFinish(); /* before its owner draws into it again */
	fx_image_finish(gl, &image);
	return ok;
}

bool fx_draw_set(struct fx_gl *gl, struct fx_work *work, struct fx_picture *picture,
	struct fx_source *source, struct fx_staging *staging, struct wl_list *returned,
	char *reason, size_t size) {
	bool ok, kept = false;
	if (source->kind == FX_SOURCE_DMABUF) {
		fx_soft_clear(picture);
		ok = import(gl, work, picture, source, returned, &kept);
		if (!ok) {
			snprintf(reason, size, "EGL cannot import a buffer of %dx%d", source->width,
				source->height);
		}
	} else {
		struct wlr_box changed;
		ok = fx_soft_set(work, picture, source, staging, &changed, reason, size);
		if (ok && !upload(gl, work, picture, &changed, returned)) {
			snprintf(reason, size, "no texture of %dx%d", work->width, work->height);
			ok = false;
		}
	}
	if (!kept) {
		wl_list_insert(returned, &source->link);
	}
	return ok;
}

static struct fx_image *dmabuf_slot(
	struct fx_gl *gl, struct fx_work *work, const struct fx_target *target) {
	for (int i = 0; i < FX_TARGETS; i++) {
		struct fx_image *image = &work->slots[i].image;
		if (work->slots[i].key == target->buffer) {
			return image;
		}
		if (work->slots[i].key == NULL) {
			if (!fx_image_import(gl, image, &target->dmabuf) ||
				!fx_image_make_target(image)) {
				fx_image_finish(gl, image);
				return NULL;
			}
			work->slots[i].key = target->buffer;
			return image;
		}
	}
	return NULL;
}

static struct fx_image *memory_slot(struct fx_work *work) {
	work->drawn_memory ^= 1;
	struct fx_image *image = &work->memory[work->drawn_memory];
	if (image->texture == 0 &&
		(!fx_image_alloc(image, work->width, work->height) ||
			!fx_image_make_target(image))) {
		return NULL;
	}
	return image;
}

static void draw(struct fx_gl *gl, const struct fx_program *program, bool guarded,
	const struct fx_image *from, const struct fx_image *to, const struct fx_image *before,
	const struct fx_image *target, uint32_t seed, float progress, float step) {
	const struct fx_variant *variant = &program->variants[guarded];
	const struct fx_image *const images[FX_UNITS] = {
		[FX_UNIT_FROM] = from,
		[FX_UNIT_TO] = to,
		[FX_UNIT_FROM_NEAREST] = from,
		[FX_UNIT_TO_NEAREST] = to,
		[FX_UNIT_BEFORE_NEAREST] = before,
	};
	glBindFramebuffer(GL_FRAMEBUFFER, target->framebuffer);
	glViewport(0, 0, target->width, target->height);
	glUseProgram(variant->id);
	for (GLuint i = 0; i < FX_UNITS; i++) {
		glActiveTexture(GL_TEXTURE0 + i);
		glBindTexture(GL_TEXTURE_2D, images[i]->texture);
		glBindSampler(i, i >= FX_UNIT_FROM_NEAREST ? gl->nearest : 0);
	}
	float random[4];
	for (int i = 0; i < 4; i++) {
		seed = seed * 747796405 + 2891336453;
		random[i] = (float)(((seed >> ((seed >> 28) + 4)) ^ seed) & 0xffff) / 65536.0f;
	}
	glUniform1f(variant->progress, progress);
	glUniform2f(variant->size, (float)target->width, (float)target->height);
	glUniform2f(variant->texel, 1.0f / (float)target->width, 1.0f / (float)target->height);
	glUniform1ui(variant->seed, seed);
	glUniform4fv(variant->random, 1, random);
	glUniform1f(variant->step, (float)CITY_TRANSITION_SLOPE * step);
	glUniform1f(variant->left, (float)CITY_TRANSITION_SLOPE * (1.0f - progress));
	fx_gl_draw();
}

/* The contract's guard is cheaper in memory than in a shader on a CPU: three streams of bytes
 * instead of two textures. */
static void guard_in_memory(
	struct fx_work *work, const struct fx_target *target, float progress, float step) {
	const uint8_t *goal = (const uint8_t *)pixman_image_get_data(work->to.pixels);
	const uint8_t *before = work->drawn_pixels;
	if (before == NULL || progress <= 0.0f) {
		before = (const uint8_t *)pixman_image_get_data(work->from.pixels);
	}
	const double full = 255.0 * CITY_TRANSITION_SLOPE;
	fx_soft_guard(target->pixels, before, goal, target->stride * (size_t)work->height,
		(int)lround(full * (double)step), (int)ceil(full * (1.0 - (double)progress)));
}

bool fx_draw_frame(struct fx_gl *gl, struct fx_work *work, struct fx_program *program,
	const struct fx_target *target, float progress, bool *no_dmabuf, char *reason,
	size_t size) {
	struct fx_image *image =
		target->pixels != NULL ? memory_slot(work) : dmabuf_slot(gl, work, target);
	if (image == NULL) {
		*no_dmabuf = target->pixels == NULL;
		snprintf(reason, size, "cannot draw into a buffer of %dx%d", work->width,
			work->height);
		glGetError();
		return false;
	}
	bool in_memory = !work->guard_in_shader && target->pixels != NULL &&
		work->from.pixels != NULL && work->to.pixels != NULL &&
		(work->drawn_pixels != NULL || !work->shown);
	const struct fx_image *before = work->drawn;
	float step = fabsf(progress - work->progress);
	if (before == NULL || progress <= 0.0f) { /* 0 is A, whatever was before */
		before = &work->from.texture;
		step = progress <= 0.0f ? 0.0f : step;
	}
	if (work->from_changed) { /* how far that goes is up to A */
		step = 1.0f;
	}
	draw(gl, program, !in_memory, &work->from.texture, &work->to.texture, before, image,
		work->seed, progress, step);
	if (target->pixels != NULL) {
		glPixelStorei(GL_PACK_ROW_LENGTH, (GLint)(target->stride / 4));
		glReadPixels(0, 0, work->width, work->height, GL_BGRA_EXT, GL_UNSIGNED_BYTE,
			target->pixels);
	} else {
		glFinish();
	}
	GLenum error = glGetError();
	if (error != GL_NO_ERROR) {
		snprintf(reason, size, "GL error 0x%x", error);
		return false;
	}
	if (in_memory) {
		guard_in_memory(work, target, progress, step);
	}
	work->drawn = image;
	work->drawn_pixels = target->pixels;
	return true;
}

void fx_draw_finish(struct fx_gl *gl, struct fx_work *work, struct wl_list *returned) {
	struct fx_picture *pictures[] = {&work->from, &work->to};
	for (int i = 0; i < 2; i++) {
		texture_release(gl, pictures[i], returned);
		fx_soft_clear(pictures[i]);
	}
	for (int i = 0; i < FX_TARGETS; i++) {
		fx_image_finish(gl, &work->slots[i].image);
		work->slots[i].key = NULL;
	}
	fx_image_finish(gl, &work->memory[0]);
	fx_image_finish(gl, &work->memory[1]);
	work->drawn = NULL;
	work->drawn_pixels = NULL;
}

void fx_draw_warm(struct fx_gl *gl, struct fx_program *program) {
	struct fx_image images[4] = {0};
	bool ok = true;
	for (int i = 0; i < 4; i++) {
		ok = fx_image_alloc(&images[i], WARM_WIDTH, WARM_HEIGHT) && ok;
	}
	if (ok && fx_image_make_target(&images[3])) {
		for (int guarded = 0; guarded < 2; guarded++) {
			draw(gl, program, guarded, &images[0], &images[1], &images[2], &images[3],
				1, 0.5f, 0.1f);
		}
		glFinish();
	}
	for (int i = 0; i < 4; i++) {
		fx_image_finish(gl, &images[i]);
	}
	glGetError();
}

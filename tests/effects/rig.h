/* SPDX-License-Identifier: MIT */
/* What the tests and measures of the effects engine share: pictures, and one frame at a time. */
#ifndef CITY_TESTS_EFFECTS_RIG_H
#define CITY_TESTS_EFFECTS_RIG_H

#include <stddef.h>
#include <stdint.h>
#include <wlr/interfaces/wlr_buffer.h>

#include "compositor/effects/effects.h"

/* A picture in memory. Destroyed by wlr_buffer_drop(&picture->base). */
struct rig_picture {
	struct wlr_buffer base;
	uint32_t format;
	size_t stride; /* bytes */
	uint32_t *pixels;
	int fd; /* of a memfd: the buffer is then shm, and has no other access. -1: memory */
};

struct rig_picture *rig_picture_create(int width, int height, uint32_t format, bool shm);
/* Black and white blocks of `size` pixels, placed by `seed`. */
void rig_picture_checker(struct rig_picture *picture, int size, uint32_t seed);
/* Rows that look like text on a terminal; the same seed gives the same text. */
void rig_picture_text(struct rig_picture *picture, uint32_t seed);
void rig_picture_fill(struct rig_picture *picture, uint32_t color);

struct rig {
	struct wl_event_loop *loop;
	bool own_loop;
	struct city_effects *effects;
	/* Of the last callback. */
	struct wlr_buffer *frame; /* locked by the rig */
	pixman_region32_t damage;
	double progress;
	int frames, failures;
	char reason[200];
};

void rig_init(struct rig *rig, const char *shader_path, int idle_ms, bool guard_in_shader);
/* On a loop and a DRM device of the caller's. */
void rig_init_on(struct rig *rig, const char *shader_path, struct wl_event_loop *loop, int drm_fd);
void rig_finish(struct rig *rig);
/* With the rig's callbacks. */
struct city_transition *rig_transition(
	struct rig *rig, const char *name, struct wlr_buffer *from, int width, int height);
struct city_transition *rig_transition_on(struct rig *rig, const char *name,
	struct wlr_buffer *from, int width, int height, struct wlr_renderer *renderer,
	struct wlr_allocator *allocator);
/* Asks for a frame and waits for it. NULL if the transition failed or nothing came in two minutes.
 */
struct wlr_buffer *rig_frame(struct rig *rig, struct city_transition *transition, double progress);
/* Copies pixels of a frame in memory, ARGB8888, without padding. */
void rig_read(struct wlr_buffer *buffer, uint32_t *pixels);
/* Runs the loop until done(data) or two minutes are over. */
bool rig_wait(struct rig *rig, bool (*done)(void *data), void *data);
/* Prepares the program and waits until it is known whether there is EGL: true if there is. */
bool rig_prepare(struct rig *rig, const char *name);
double rig_now_ms(void);

#endif

/* SPDX-License-Identifier: MIT */
/* The worker's part of a transition: drawn with GL (draw.c) or without (soft.c). Worker only. */
#ifndef CITY_EFFECTS_WORK_H
#define CITY_EFFECTS_WORK_H

#include "compositor/effects/gl.h"
#include "compositor/effects/program.h"

/*
 * A or B. What lies in memory is kept there (`raw` as it came, `pixels` at the transition's size,
 * a8r8g8b8, often the same image) and uploaded into `texture`. A dmabuf is imported: `texture` is
 * that buffer itself, or what was drawn from it if it cannot be read pixel by pixel at that size.
 */
struct fx_picture {
	pixman_image_t *raw, *pixels;
	struct fx_image texture;
	struct fx_source *held; /* the imported buffer, while `texture` is it */
};

struct fx_work {
	char name[FX_NAME_SIZE];
	int width, height;
	uint32_t seed;
	bool begun, failed;
	bool guard_in_shader;

	struct fx_picture from, to;
	bool has_to;
	bool changed, from_changed; /* since the frame before */
	struct {
		struct wlr_buffer *key; /* compared only */
		struct fx_image image;
	} slots[FX_TARGETS];	   /* dmabufs drawn into */
	struct fx_image memory[2]; /* drawn into and read back, in turns */
	int drawn_memory;
	const struct fx_image *drawn; /* the frame before in the context; NULL: none */
	const uint8_t *drawn_pixels;  /* the frame before in memory; NULL: none */
	bool shown;		      /* a frame was drawn */
	float progress;		      /* of the frame before; 0 at first */
};

/* Memory for pixels on their way. */
struct fx_staging {
	uint8_t *data;
	size_t size;
};

/*
 * The pixels of `box`; NULL when out of memory. What a client's file no longer has is zero.
 * Valid until the next call or the end of the source.
 */
uint8_t *fx_source_read(struct fx_source *source, struct fx_staging *staging, size_t *stride);

/*
 * draw.c, with GL. On false `reason` is set. fx_draw_set adds a source that is not kept to
 * `returned`.
 */
bool fx_draw_set(struct fx_gl *gl, struct fx_work *work, struct fx_picture *picture,
	struct fx_source *source, struct fx_staging *staging, struct wl_list *returned,
	char *reason, size_t size);
bool fx_draw_frame(struct fx_gl *gl, struct fx_work *work, struct fx_program *program,
	const struct fx_target *target, float progress, bool *no_dmabuf, char *reason, size_t size);
void fx_draw_finish(struct fx_gl *gl, struct fx_work *work, struct wl_list *returned);
/* Draws small pictures with the program, so that the driver has made its code before the first
 * frame. */
void fx_draw_warm(struct fx_gl *gl, struct fx_program *program);

/* soft.c, without: fills picture->pixels from a source that is no dmabuf. `changed` is what is
 * different then. */
bool fx_soft_set(struct fx_work *work, struct fx_picture *picture, struct fx_source *source,
	struct fx_staging *staging, struct wlr_box *changed, char *reason, size_t size);
/* A plain crossfade. */
bool fx_soft_frame(struct fx_work *work, const struct fx_target *target, float progress,
	char *reason, size_t size);
void fx_soft_clear(struct fx_picture *picture);
void fx_soft_finish(struct fx_work *work);
/* Holds a frame in memory to the contract, as the end of every GLSL program does: at most `step`
 * from the frame before, at most `left` from B, out of 255. Rows are packed. */
void fx_soft_guard(uint8_t *restrict frame, const uint8_t *restrict before,
	const uint8_t *restrict goal, size_t size, int step, int left);

#endif

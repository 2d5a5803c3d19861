/* SPDX-License-Identifier: MIT */
/*
 * The context and what lies in it. Everything is called on the worker; the context is current from
 * fx_gl_create to fx_gl_destroy.
 */
#ifndef CITY_EFFECTS_GL_H
#define CITY_EFFECTS_GL_H

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES3/gl3.h>

#include <GLES2/gl2ext.h>

#include "compositor/effects/internal.h"

struct gbm_device;

struct fx_gl {
	EGLDisplay display;
	EGLContext context;
	struct gbm_device *gbm;	      /* NULL: no device */
	bool dmabuf;		      /* can import */
	GLuint nearest;		      /* a sampler */
	GLuint scale, scale_external; /* programs; the second 0 until it is needed */

	PFNEGLCREATEIMAGEKHRPROC create_image;
	PFNEGLDESTROYIMAGEKHRPROC destroy_image;
	PFNEGLQUERYDMABUFFORMATSEXTPROC query_formats;
	PFNEGLQUERYDMABUFMODIFIERSEXTPROC query_modifiers;
	PFNGLEGLIMAGETARGETTEXTURE2DOESPROC image_target_texture;
};

/* A picture in the context: a texture, and where it is drawn into a framebuffer. Zeroed is none. */
struct fx_image {
	GLuint texture, framebuffer;
	EGLImageKHR image; /* of a dmabuf */
	bool external;	   /* only samplerExternalOES can read it */
	int width, height;
};

/* NULL with the reason in `reason`. drm_fd -1: without a device. */
struct fx_gl *fx_gl_create(int drm_fd, char *reason, size_t size);
void fx_gl_destroy(struct fx_gl *gl);
/* Those that can be drawn into. NULL if none. */
struct wlr_drm_format_set *fx_gl_target_formats(struct fx_gl *gl);

/* Its pixels are ARGB8888, as in memory. */
bool fx_image_alloc(struct fx_image *image, int width, int height);
/* `pixels` are those of the box; stride a multiple of 4. */
void fx_image_upload(
	struct fx_image *image, const struct wlr_box *box, const void *pixels, size_t stride);
bool fx_image_import(
	struct fx_gl *gl, struct fx_image *image, const struct wlr_dmabuf_attributes *dmabuf);
/* Gives it a framebuffer. */
bool fx_image_make_target(struct fx_image *image);
/* Draws `from` over the whole of `to`. */
bool fx_image_scale(struct fx_gl *gl, const struct fx_image *from, const struct fx_image *to);
void fx_image_finish(struct fx_gl *gl, struct fx_image *image);

/* Compiles a program that covers the viewport. On failure 0, and the compiler's text in `log`. */
GLuint fx_gl_link(const char *const *parts, int count, char *log, size_t size);
void fx_gl_draw(void);

#endif

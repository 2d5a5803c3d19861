/* SPDX-License-Identifier: MIT */
#include "compositor/effects/gl.h"

#include <drm_fourcc.h>
#include <gbm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char vertex_source[] =
	"#version 300 es\n"
	"void main() {\n"
	"	vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);\n"
	"	gl_Position = vec4(corner, 0.0, 1.0);\n"
	"}\n";

static const char scale_source[] =
	"precision highp float;\n"
	"uniform vec2 u_texel;\n"
	"out vec4 o_color;\n"
	"void main() { o_color = texture(u_from, gl_FragCoord.xy * u_texel); }\n";

static bool has_extension(const char *list, const char *name) {
	size_t length = strlen(name);
	for (const char *at = list; at != NULL && (at = strstr(at, name)) != NULL; at += length) {
		if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
			return true;
		}
	}
	return false;
}

static EGLDisplay get_display(EGLenum platform, void *native) {
	PFNEGLGETPLATFORMDISPLAYEXTPROC get_platform_display =
		(PFNEGLGETPLATFORMDISPLAYEXTPROC)eglGetProcAddress("eglGetPlatformDisplayEXT");
	if (get_platform_display == NULL) {
		return EGL_NO_DISPLAY;
	}
	/* With counted references, so that ending ours does not end that of somebody else in this
	 * process who asked for the same display. */
	const char *client = eglQueryString(EGL_NO_DISPLAY, EGL_EXTENSIONS);
	const EGLint counted[] = {EGL_TRACK_REFERENCES_KHR, EGL_TRUE, EGL_NONE};
	EGLDisplay display = EGL_NO_DISPLAY;
	if (has_extension(client, "EGL_KHR_display_reference")) {
		display = get_platform_display(platform, native, counted);
	}
	if (display == EGL_NO_DISPLAY) {
		display = get_platform_display(platform, native, NULL);
	}
	if (display != EGL_NO_DISPLAY && !eglInitialize(display, NULL, NULL)) {
		display = EGL_NO_DISPLAY;
	}
	return display;
}

static bool open_display(struct fx_gl *gl, int drm_fd) {
	if (drm_fd >= 0) {
		gl->gbm = gbm_create_device(drm_fd);
		if (gl->gbm != NULL) {
			gl->display = get_display(EGL_PLATFORM_GBM_KHR, gl->gbm);
			if (gl->display != EGL_NO_DISPLAY) {
				return true;
			}
			gbm_device_destroy(gl->gbm);
			gl->gbm = NULL;
		}
	}
	gl->display = get_display(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY);
	return gl->display != EGL_NO_DISPLAY;
}

static bool make_context(struct fx_gl *gl, char *reason, size_t size) {
	const char *extensions = eglQueryString(gl->display, EGL_EXTENSIONS);
	if (!has_extension(extensions, "EGL_KHR_no_config_context") ||
		!has_extension(extensions, "EGL_KHR_surfaceless_context")) {
		snprintf(reason, size, "EGL makes no context without a surface");
		return false;
	}
	const EGLint attributes[] = {
		EGL_CONTEXT_MAJOR_VERSION, 3, EGL_CONTEXT_MINOR_VERSION, 0, EGL_NONE};
	eglBindAPI(EGL_OPENGL_ES_API);
	gl->context = eglCreateContext(gl->display, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, attributes);
	if (gl->context == EGL_NO_CONTEXT ||
		!eglMakeCurrent(gl->display, EGL_NO_SURFACE, EGL_NO_SURFACE, gl->context)) {
		snprintf(reason, size, "no GLES 3 context (EGL error 0x%x)",
			(unsigned int)eglGetError());
		return false;
	}
	const char *gl_extensions = (const char *)glGetString(GL_EXTENSIONS);
	if (!has_extension(gl_extensions, "GL_EXT_texture_format_BGRA8888") ||
		!has_extension(gl_extensions, "GL_EXT_read_format_bgra")) {
		snprintf(reason, size, "GLES without BGRA textures");
		return false;
	}

	gl->create_image = (PFNEGLCREATEIMAGEKHRPROC)eglGetProcAddress("eglCreateImageKHR");
	gl->destroy_image = (PFNEGLDESTROYIMAGEKHRPROC)eglGetProcAddress("eglDestroyImageKHR");
	gl->image_target_texture = (PFNGLEGLIMAGETARGETTEXTURE2DOESPROC)eglGetProcAddress(
		"glEGLImageTargetTexture2DOES");
	gl->dmabuf = has_extension(extensions, "EGL_EXT_image_dma_buf_import") &&
		has_extension(gl_extensions, "GL_OES_EGL_image") && gl->create_image != NULL &&
		gl->destroy_image != NULL && gl->image_target_texture != NULL;
	if (gl->dmabuf && has_extension(extensions, "EGL_EXT_image_dma_buf_import_modifiers")) {
		gl->query_formats = (PFNEGLQUERYDMABUFFORMATSEXTPROC)eglGetProcAddress(
			"eglQueryDmaBufFormatsEXT");
		gl->query_modifiers = (PFNEGLQUERYDMABUFMODIFIERSEXTPROC)eglGetProcAddress(
			"eglQueryDmaBufModifiersEXT");
	}
	return true;
}

struct fx_gl *fx_gl_create(int drm_fd, char *reason, size_t size) {
	struct fx_gl *gl = calloc(1, sizeof(*gl));
	if (gl == NULL) {
		snprintf(reason, size, "out of memory");
		return NULL;
	}
	if (!open_display(gl, drm_fd)) {
		snprintf(reason, size, "no EGL display (is a Mesa driver installed?)");
		free(gl);
		return NULL;
	}
	if (!make_context(gl, reason, size)) {
		goto error;
	}
	const char *const parts[] = {
		"#version 300 es\nuniform highp sampler2D u_from;\n", scale_source};
	gl->scale = fx_gl_link(parts, 2, reason, size);
	if (gl->scale == 0) {
		goto error;
	}
	glGenSamplers(1, &gl->nearest);
	glSamplerParameteri(gl->nearest, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
	glSamplerParameteri(gl->nearest, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
	glSamplerParameteri(gl->nearest, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
	glSamplerParameteri(gl->nearest, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
	glDisable(GL_DITHER);
	glDisable(GL_BLEND);
	glPixelStorei(GL_UNPACK_ALIGNMENT, 4);
	glPixelStorei(GL_PACK_ALIGNMENT, 4);
	return gl;

error:
	fx_gl_destroy(gl);
	return NULL;
}

void fx_gl_destroy(struct fx_gl *gl) {
	if (gl == NULL) {
		return;
	}
	if (gl->context != EGL_NO_CONTEXT) {
		glDeleteSamplers(1, &gl->nearest);
		glDeleteProgram(gl->scale);
		glDeleteProgram(gl->scale_external);
		eglMakeCurrent(gl->display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
		eglDestroyContext(gl->display, gl->context);
	}
	eglTerminate(gl->display);
	eglReleaseThread();
	if (gl->gbm != NULL) {
		gbm_device_destroy(gl->gbm);
	}
	free(gl);
}

struct wlr_drm_format_set *fx_gl_target_formats(struct fx_gl *gl) {
	if (!gl->dmabuf) {
		return NULL;
	}
	struct wlr_drm_format_set *set = calloc(1, sizeof(*set));
	if (set == NULL) {
		return NULL;
	}
	const uint32_t format = DRM_FORMAT_ARGB8888;
	wlr_drm_format_set_add(set, format, DRM_FORMAT_MOD_INVALID);
	EGLint count = 0;
	if (gl->query_modifiers == NULL ||
		!gl->query_modifiers(gl->display, format, 0, NULL, NULL, &count) || count <= 0) {
		wlr_drm_format_set_add(set, format, DRM_FORMAT_MOD_LINEAR);
		return set;
	}
	EGLuint64KHR *modifiers = calloc(count, sizeof(*modifiers));
	EGLBoolean *external = calloc(count, sizeof(*external));
	if (modifiers != NULL && external != NULL &&
		gl->query_modifiers(gl->display, format, count, modifiers, external, &count)) {
		for (EGLint i = 0; i < count; i++) {
			if (!external[i]) {
				wlr_drm_format_set_add(set, format, modifiers[i]);
			}
		}
	}
	free(modifiers);
	free(external);
	return set;
}

static void texture_init(struct fx_image *image, GLenum target) {
	glGenTextures(1, &image->texture);
	glBindTexture(target, image->texture);
	glTexParameteri(target, GL_TEXTURE_MIN_FILTER, GL_LINEAR);
	glTexParameteri(target, GL_TEXTURE_MAG_FILTER, GL_LINEAR);
	glTexParameteri(target, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
	glTexParameteri(target, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
}

bool fx_image_alloc(struct fx_image *image, int width, int height) {
	*image = (struct fx_image){.width = width, .height = height};
	texture_init(image, GL_TEXTURE_2D);
	glTexImage2D(GL_TEXTURE_2D, 0, GL_BGRA_EXT, width, height, 0, GL_BGRA_EXT, GL_UNSIGNED_BYTE,
		NULL);
	return glGetError() == GL_NO_ERROR;
}

void fx_image_upload(
	struct fx_image *image, const struct wlr_box *box, const void *pixels, size_t stride) {
	glBindTexture(GL_TEXTURE_2D, image->texture);
	glPixelStorei(GL_UNPACK_ROW_LENGTH, (GLint)(stride / 4));
	glTexSubImage2D(GL_TEXTURE_2D, 0, box->x, box->y, box->width, box->height, GL_BGRA_EXT,
		GL_UNSIGNED_BYTE, pixels);
	glPixelStorei(GL_UNPACK_ROW_LENGTH, 0);
}

/* Whether only samplerExternalOES can read buffers of this kind. */
static bool is_external_only(struct fx_gl *gl, const struct wlr_dmabuf_attributes *dmabuf) {
	EGLint count = 0;
	if (gl->query_modifiers == NULL || dmabuf->modifier == DRM_FORMAT_MOD_INVALID ||
		!gl->query_modifiers(gl->display, (EGLint)dmabuf->format, 0, NULL, NULL, &count) ||
		count <= 0) {
		return false;
	}
	bool result = false;
	EGLuint64KHR *modifiers = calloc(count, sizeof(*modifiers));
	EGLBoolean *external = calloc(count, sizeof(*external));
	if (modifiers != NULL && external != NULL &&
		gl->query_modifiers(
			gl->display, (EGLint)dmabuf->format, count, modifiers, external, &count)) {
		for (EGLint i = 0; i < count; i++) {
			if (modifiers[i] == dmabuf->modifier) {
				result = external[i];
			}
		}
	}
	free(modifiers);
	free(external);
	return result;
}

bool fx_image_import(
	struct fx_gl *gl, struct fx_image *image, const struct wlr_dmabuf_attributes *dmabuf) {
	static const EGLint names[WLR_DMABUF_MAX_PLANES][5] = {
		{EGL_DMA_BUF_PLANE0_FD_EXT, EGL_DMA_BUF_PLANE0_OFFSET_EXT,
			EGL_DMA_BUF_PLANE0_PITCH_EXT, EGL_DMA_BUF_PLANE0_MODIFIER_LO_EXT,
			EGL_DMA_BUF_PLANE0_MODIFIER_HI_EXT},
		{EGL_DMA_BUF_PLANE1_FD_EXT, EGL_DMA_BUF_PLANE1_OFFSET_EXT,
			EGL_DMA_BUF_PLANE1_PITCH_EXT, EGL_DMA_BUF_PLANE1_MODIFIER_LO_EXT,
			EGL_DMA_BUF_PLANE1_MODIFIER_HI_EXT},
		{EGL_DMA_BUF_PLANE2_FD_EXT, EGL_DMA_BUF_PLANE2_OFFSET_EXT,
			EGL_DMA_BUF_PLANE2_PITCH_EXT, EGL_DMA_BUF_PLANE2_MODIFIER_LO_EXT,
			EGL_DMA_BUF_PLANE2_MODIFIER_HI_EXT},
		{EGL_DMA_BUF_PLANE3_FD_EXT, EGL_DMA_BUF_PLANE3_OFFSET_EXT,
			EGL_DMA_BUF_PLANE3_PITCH_EXT, EGL_DMA_BUF_PLANE3_MODIFIER_LO_EXT,
			EGL_DMA_BUF_PLANE3_MODIFIER_HI_EXT},
	};
	if (!gl->dmabuf) {
		return false;
	}
	EGLint attributes[16 + WLR_DMABUF_MAX_PLANES * 10];
	int n = 0;
	attributes[n++] = EGL_WIDTH;
	attributes[n++] = dmabuf->width;
	attributes[n++] = EGL_HEIGHT;
	attributes[n++] = dmabuf->height;
	attributes[n++] = EGL_LINUX_DRM_FOURCC_EXT;
	attributes[n++] = (EGLint)dmabuf->format;
	attributes[n++] = EGL_IMAGE_PRESERVED_KHR;
	attributes[n++] = EGL_TRUE;
	for (int i = 0; i < dmabuf->n_planes; i++) {
		attributes[n++] = names[i][0];
		attributes[n++] = dmabuf->fd[i];
		attributes[n++] = names[i][1];
		attributes[n++] = (EGLint)dmabuf->offset[i];
		attributes[n++] = names[i][2];
		attributes[n++] = (EGLint)dmabuf->stride[i];
		if (gl->query_modifiers != NULL && dmabuf->modifier != DRM_FORMAT_MOD_INVALID) {
			attributes[n++] = names[i][3];
			attributes[n++] = (EGLint)(dmabuf->modifier & 0xffffffff);
			attributes[n++] = names[i][4];
			attributes[n++] = (EGLint)(dmabuf->modifier >> 32);
		}
	}
	attributes[n] = EGL_NONE;

	*image = (struct fx_image){.width = dmabuf->width, .height = dmabuf->height};
	image->external = is_external_only(gl, dmabuf);
	image->image = gl->create_image(
		gl->display, EGL_NO_CONTEXT, EGL_LINUX_DMA_BUF_EXT, NULL, attributes);
	if (image->image == EGL_NO_IMAGE_KHR) {
		return false;
	}
	GLenum target = image->external ? GL_TEXTURE_EXTERNAL_OES : GL_TEXTURE_2D;
	texture_init(image, target);
	gl->image_target_texture(target, image->image);
	return glGetError() == GL_NO_ERROR;
}

bool fx_image_make_target(struct fx_image *image) {
	if (image->external) {
		return false;
	}
	glGenFramebuffers(1, &image->framebuffer);
	glBindFramebuffer(GL_FRAMEBUFFER, image->framebuffer);
	glFramebufferTexture2D(
		GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, image->texture, 0);
	return glCheckFramebufferStatus(GL_FRAMEBUFFER) == GL_FRAMEBUFFER_COMPLETE;
}

bool fx_image_scale(struct fx_gl *gl, const struct fx_image *from, const struct fx_image *to) {
	GLuint program = gl->scale;
	if (from->external) {
		if (gl->scale_external == 0) {
			const char *const parts[] = {
				"#version 300 es\n"
				"#extension GL_OES_EGL_image_external_essl3 : require\n"
				"uniform samplerExternalOES u_from;\n",
				scale_source};
			char log[256];
			gl->scale_external = fx_gl_link(parts, 2, log, sizeof(log));
		}
		program = gl->scale_external;
	}
	if (program == 0) {
		return false;
	}
	glBindFramebuffer(GL_FRAMEBUFFER, to->framebuffer);
	glViewport(0, 0, to->width, to->height);
	glUseProgram(program);
	glUniform1i(glGetUniformLocation(program, "u_from"), 0);
	glUniform2f(glGetUniformLocation(program, "u_texel"), 1.0f / (float)to->width,
		1.0f / (float)to->height);
	glActiveTexture(GL_TEXTURE0);
	glBindTexture(from->external ? GL_TEXTURE_EXTERNAL_OES : GL_TEXTURE_2D, from->texture);
	fx_gl_draw();
	return glGetError() == GL_NO_ERROR;
}

void fx_image_finish(struct fx_gl *gl, struct fx_image *image) {
	glDeleteFramebuffers(1, &image->framebuffer);
	glDeleteTextures(1, &image->texture);
	if (image->image != EGL_NO_IMAGE_KHR) {
		gl->destroy_image(gl->display, image->image);
	}
	*image = (struct fx_image){0};
}

static GLuint compile(GLenum type, const char *const *parts, int count, char *log, size_t size) {
	GLuint shader = glCreateShader(type);
	glShaderSource(shader, count, parts, NULL);
	glCompileShader(shader);
	GLint ok = 0;
	glGetShaderiv(shader, GL_COMPILE_STATUS, &ok);
	if (!ok) {
		glGetShaderInfoLog(shader, (GLsizei)size, NULL, log);
		glDeleteShader(shader);
		return 0;
	}
	return shader;
}

GLuint fx_gl_link(const char *const *parts, int count, char *log, size_t size) {
	log[0] = '\0';
	const char *const vertex_parts[] = {vertex_source};
	GLuint vertex = compile(GL_VERTEX_SHADER, vertex_parts, 1, log, size);
	if (vertex == 0) {
		return 0;
	}
	GLuint fragment = compile(GL_FRAGMENT_SHADER, parts, count, log, size);
	if (fragment == 0) {
		glDeleteShader(vertex);
		return 0;
	}
	GLuint program = glCreateProgram();
	glAttachShader(program, vertex);
	glAttachShader(program, fragment);
	glLinkProgram(program);
	glDeleteShader(vertex);
	glDeleteShader(fragment);
	GLint ok = 0;
	glGetProgramiv(program, GL_LINK_STATUS, &ok);
	if (!ok) {
		glGetProgramInfoLog(program, (GLsizei)size, NULL, log);
		glDeleteProgram(program);
		return 0;
	}
	return program;
}

void fx_gl_draw(void) {
	glDrawArrays(GL_TRIANGLES, 0, 3);
}

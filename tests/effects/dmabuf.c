/* SPDX-License-Identifier: MIT */
/*
 * The effects engine between dmabufs: A's and B's are imported, frames are drawn straight into
 * buffers of the renderer's device, and nothing is read back. Prints TAP; skips where the machine
 * has no DRM device that wlroots' gles2 renderer starts on.
 *
 * usage: test-effects-dmabuf [SHADERS [drm]]; with `drm` in a session of its own, as the city has
 * it
 */
#include <drm_fourcc.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/backend.h>
#include <wlr/backend/headless.h>
#include <wlr/render/allocator.h>
#include <wlr/render/drm_format_set.h>
#include <wlr/render/pass.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/render/wlr_texture.h>
#include <wlr/types/wlr_buffer.h>
#include <wlr/util/log.h>

#include "tests/effects/rig.h"

#define WIDTH 320
#define HEIGHT 200
#define FRAMES CITY_TRANSITION_FRAMES

static struct wl_event_loop *loop;
static struct wlr_renderer *renderer;
static struct wlr_allocator *allocator;
static int drm_fd;
static int count, failed;

static void ok(bool true_or_not, const char *what) {
	printf("%sok %d - %s\n", true_or_not ? "" : "not ", ++count, what);
	failed += !true_or_not;
	fflush(stdout);
}

static const struct wlr_drm_format *device_format(void) {
	return wlr_drm_format_set_get(
		wlr_renderer_get_texture_formats(renderer, WLR_BUFFER_CAP_DMABUF),
		DRM_FORMAT_ARGB8888);
}

/* On a display of the session's with `on_screen`, otherwise on any device without one. */
static bool start(bool on_screen) {
	setenv("WLR_RENDERER", "gles2", 0);
	setenv("WLR_RENDERER_ALLOW_SOFTWARE", "1", 0);
	wlr_log_init(getenv("WLR_DEBUG") != NULL ? WLR_DEBUG : WLR_ERROR, NULL);
	glob_t nodes;
	if (glob("/dev/dri/renderD*", 0, NULL, &nodes) != 0 &&
		glob("/dev/dri/card*", 0, NULL, &nodes) != 0) {
		printf("1..0 # skip this machine has no DRM device\n");
		return false;
	}
	setenv("WLR_RENDER_DRM_DEVICE", nodes.gl_pathv[0], 0);
	globfree(&nodes);
	loop = wl_event_loop_create();
	if (on_screen) {
		unsetenv("WLR_RENDER_DRM_DEVICE");
		setenv("WLR_BACKENDS", "drm", 1);
	}
	struct wlr_backend *backend =
		on_screen ? wlr_backend_autocreate(loop, NULL) : wlr_headless_backend_create(loop);
	renderer = backend != NULL ? wlr_renderer_autocreate(backend) : NULL;
	allocator = renderer != NULL ? wlr_allocator_autocreate(backend, renderer) : NULL;
	drm_fd = renderer != NULL ? wlr_renderer_get_drm_fd(renderer) : -1;
	struct wlr_buffer *buffer = allocator != NULL && device_format() != NULL
		? wlr_allocator_create_buffer(allocator, 64, 64, device_format())
		: NULL;
	if (buffer == NULL) {
		printf("1..0 # skip no gles2 renderer with dmabufs on this machine's device\n");
		return false;
	}
	wlr_buffer_drop(buffer);
	return true;
}

/* The picture in a buffer of the device. */
static struct wlr_buffer *to_device(struct rig_picture *picture) {
	struct wlr_buffer *buffer = wlr_allocator_create_buffer(
		allocator, picture->base.width, picture->base.height, device_format());
	struct wlr_texture *texture = wlr_texture_from_buffer(renderer, &picture->base);
	struct wlr_render_pass *pass = buffer == NULL || texture == NULL
		? NULL
		: wlr_renderer_begin_buffer_pass(renderer, buffer, NULL);
	if (pass == NULL) {
		printf("Bail out! cannot make a buffer on the device\n");
		exit(1);
	}
	wlr_render_pass_add_texture(pass,
		&(struct wlr_render_texture_options){
			.texture = texture,
			.blend_mode = WLR_RENDER_BLEND_MODE_NONE,
		});
	wlr_render_pass_submit(pass);
	wlr_texture_destroy(texture);
	return buffer;
}

static bool read_device(struct wlr_buffer *buffer, uint32_t *pixels) {
	struct wlr_texture *texture = wlr_texture_from_buffer(renderer, buffer);
	bool done = texture != NULL &&
		wlr_texture_read_pixels(texture,
			&(struct wlr_texture_read_pixels_options){
				.data = pixels,
				.format = DRM_FORMAT_ARGB8888,
				.stride = (uint32_t)buffer->width * 4,
			});
	wlr_texture_destroy(texture);
	return done;
}

static bool is_same(const uint32_t *pixels, const struct rig_picture *picture) {
	for (int y = 0; y < HEIGHT; y++) {
		if (memcmp(pixels + (size_t)y * WIDTH,
			    picture->pixels + (size_t)y * picture->stride / 4, WIDTH * 4) != 0) {
			return false;
		}
	}
	return true;
}

static void melt(struct rig *rig, const char *what, struct wlr_buffer *from, struct wlr_buffer *to,
	const struct rig_picture *a, const struct rig_picture *b) {
	static uint32_t before[WIDTH * HEIGHT], now[WIDTH * HEIGHT];
	char text[200];
	int dmabufs = 0, largest = 0, drawn = 0;
	bool first = false, last = false;
	struct city_transition *transition =
		rig_transition_on(rig, "melt", from, WIDTH, HEIGHT, renderer, allocator);
	bool set = transition != NULL && city_transition_set_to(transition, to, NULL);
	double total = 0;
	for (int i = 0; set && i <= FRAMES; i++) {
		double begin = rig_now_ms();
		struct wlr_buffer *frame = rig_frame(rig, transition, (double)i / FRAMES);
		total += rig_now_ms() - begin;
		struct wlr_dmabuf_attributes attributes;
		if (frame == NULL || !read_device(frame, now)) {
			break;
		}
		drawn++;
		dmabufs += wlr_buffer_get_dmabuf(frame, &attributes);
		for (size_t j = 0; i > 0 && j < sizeof(now); j++) {
			int change = abs(((uint8_t *)now)[j] - ((uint8_t *)before)[j]);
			largest = change > largest ? change : largest;
		}
		first = i == 0 ? is_same(now, a) : first;
		last = i == FRAMES ? is_same(now, b) : last;
		memcpy(before, now, sizeof(now));
	}
	city_transition_destroy(transition);
	printf("# %s: %d frames, %.1f ms each, at most %d of 255 between two%s%s\n", what, drawn,
		drawn > 0 ? total / drawn : 0.0, largest, rig->failures > 0 ? ": " : "",
		rig->reason);
	snprintf(text, sizeof(text), "%s: every frame is a dmabuf", what);
	ok(drawn == FRAMES + 1 && dmabufs == drawn, text);
	snprintf(text, sizeof(text), "%s: the first is A, the last is B, to the pixel", what);
	ok(first && last, text);
	snprintf(text, sizeof(text), "%s: the bound holds", what);
	ok(largest > 0 &&
			largest <=
				255.0 * CITY_TRANSITION_SLOPE / FRAMES + CITY_TRANSITION_ROUNDING,
		text);
}

int main(int argc, char *argv[]) {
	if (!start(argc > 2 && strcmp(argv[2], "drm") == 0)) {
		return 0;
	}
	struct rig rig;
	rig_init_on(&rig, argc > 1 ? argv[1] : SHADERS, loop, drm_fd);
	ok(rig_prepare(&rig, "melt"), "EGL on the renderer's device");
	struct rig_picture *a = rig_picture_create(WIDTH, HEIGHT, DRM_FORMAT_ARGB8888, false);
	struct rig_picture *b = rig_picture_create(WIDTH, HEIGHT, DRM_FORMAT_ARGB8888, false);
	struct rig_picture *flat = rig_picture_create(90, 70, DRM_FORMAT_ARGB8888, false);
	struct rig_picture *wide = rig_picture_create(WIDTH, HEIGHT, DRM_FORMAT_ARGB8888, false);
	rig_picture_text(a, 1);
	rig_picture_checker(b, 1, 2);
	rig_picture_fill(flat, 0xff336699);
	rig_picture_fill(wide, 0xff336699);
	struct wlr_buffer *from = to_device(a), *to = to_device(b), *small = to_device(flat);
	melt(&rig, "dmabuf to dmabuf", from, to, a, b);
	melt(&rig, "memory to dmabuf", &a->base, to, a, b);
	melt(&rig, "dmabuf to memory", from, &b->base, a, b);
	melt(&rig, "another size", small, to, wide, b);
	ok(rig.failures == 0, "no transition failed");
	rig_finish(&rig);
	printf("1..%d\n", count);
	return failed > 0;
}

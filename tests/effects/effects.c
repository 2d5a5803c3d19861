/* SPDX-License-Identifier: MIT */
/*
 * The effects engine and the Visual Consistency Contract, pixel by pixel. With the argument
 * `thread` only what is about threads, with `no-egl` what happens without EGL (the environment
 * must see to that: a process finds its EGL drivers once).
 */
#include <dirent.h>
#include <drm_fourcc.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/effects/rig.h"

#define FRAMES CITY_TRANSITION_FRAMES

static char folder[] = "/tmp/city-effects-XXXXXX";

static void write_file(const char *name, const char *text) {
	char path[200], temporary[200];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(temporary, sizeof(temporary), "%s/.new", folder);
	FILE *file = fopen(temporary, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(temporary, path), 0);
}

/* What the engine writes to stderr between these two. */
static int saved_stderr, captured_stderr;

static void capture_begin(void) {
	char path[200];
	snprintf(path, sizeof(path), "%s/.log", folder);
	fflush(stderr);
	captured_stderr = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	saved_stderr = dup(STDERR_FILENO);
	assert_true(captured_stderr >= 0 && saved_stderr >= 0);
	dup2(captured_stderr, STDERR_FILENO);
}

static void capture_end(char *text, size_t size) {
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	ssize_t length = pread(captured_stderr, text, size - 1, 0);
	text[length > 0 ? length : 0] = '\0';
	close(captured_stderr);
}

static void need_egl(struct rig *rig) {
	if (!rig_prepare(rig, "melt")) {
		rig_finish(rig);
		print_message("# no EGL on this machine\n");
		skip();
	}
}

static void assert_same(struct wlr_buffer *frame, const struct rig_picture *picture) {
	const int width = picture->base.width, height = picture->base.height;
	assert_non_null(frame);
	assert_int_equal(frame->width, width);
	assert_int_equal(frame->height, height);
	uint32_t *pixels = calloc((size_t)width * (size_t)height, 4);
	rig_read(frame, pixels);
	for (int y = 0; y < height; y++) {
		const uint32_t *row = picture->pixels + (size_t)y * picture->stride / 4;
		for (int x = 0; x < width; x++) {
			uint32_t expected = row[x];
			if (picture->format == DRM_FORMAT_XRGB8888 ||
				picture->format == DRM_FORMAT_XBGR8888) {
				expected |= 0xff000000;
			}
			if (picture->format == DRM_FORMAT_XBGR8888 ||
				picture->format == DRM_FORMAT_ABGR8888) {
				expected = (expected & 0xff00ff00) | (expected & 0xff) << 16 |
					(expected >> 16 & 0xff);
			}
			uint32_t got = pixels[(size_t)y * (size_t)width + (size_t)x];
			if (got != expected) {
				fail_msg("pixel %d,%d is %08x, not %08x", x, y, got, expected);
			}
		}
	}
	free(pixels);
}

static void fill_premultiplied(struct rig_picture *picture) {
	for (int y = 0; y < picture->base.height; y++) {
		for (int x = 0; x < picture->base.width; x++) {
			uint32_t alpha = (uint32_t)(x * 7 + y * 3) & 0xff;
			uint32_t part = alpha * (uint32_t)(y & 0x3f) / 0x3f;
			picture->pixels[(size_t)y * picture->stride / 4 + (size_t)x] =
				alpha << 24 | part << 16 | (alpha - part) << 8 | alpha / 2;
		}
	}
}

static void test_ends_are_exact(void **state) {
	static const char *const names[] = {"melt", "crossfade"};
	static const uint32_t formats[] = {
		DRM_FORMAT_ARGB8888, DRM_FORMAT_XRGB8888, DRM_FORMAT_ABGR8888, DRM_FORMAT_XBGR8888};
	for (int guard = 0; guard < 2; guard++) {
		struct rig rig;
		rig_init(&rig, SHADERS, 0, guard == 1);
		need_egl(&rig);
		for (int i = 0; i < 16; i++) {
			int width = i & 1 ? 321 : 64, height = i & 2 ? 203 : 64;
			uint32_t format = formats[i % 4];
			struct rig_picture *a = rig_picture_create(width, height, format, i & 4);
			struct rig_picture *b =
				rig_picture_create(width, height, formats[(i + 1) % 4], i & 8);
			if (i & 1) {
				fill_premultiplied(a);
				rig_picture_checker(b, 1, 3);
			} else {
				rig_picture_text(a, 1);
				fill_premultiplied(b);
			}
			struct city_transition *transition =
				rig_transition(&rig, names[i % 2], &a->base, 0, 0);
			assert_true(city_transition_set_to(transition, &b->base, NULL));
			assert_same(rig_frame(&rig, transition, 0.0), a);
			for (int n = 1; n < 5; n++) {
				assert_non_null(rig_frame(&rig, transition, n / 5.0));
			}
			assert_same(rig_frame(&rig, transition, 1.0), b);
			/* And there and back without anything between. */
			assert_same(rig_frame(&rig, transition, 0.0), a);
			assert_same(rig_frame(&rig, transition, 1.0), b);
			city_transition_destroy(transition);
			wlr_buffer_drop(&a->base);
			wlr_buffer_drop(&b->base);
		}
		rig_finish(&rig);
	}
}

/* The largest change of a channel. */
static int difference(const uint32_t *a, const uint32_t *b, size_t count) {
	const uint8_t *one = (const uint8_t *)a, *other = (const uint8_t *)b;
	int largest = 0;
	for (size_t i = 0; i < count * 4; i++) {
		int change = abs(one[i] - other[i]);
		largest = change > largest ? change : largest;
	}
	return largest;
}

/* Every frame of a transition at the nominal rate is within the bound. */
static void check_bound(
	struct rig *rig, const char *name, struct rig_picture *a, struct rig_picture *b) {
	const double bound = 255.0 * CITY_TRANSITION_SLOPE / FRAMES + CITY_TRANSITION_ROUNDING;
	size_t count = (size_t)a->base.width * (size_t)a->base.height;
	uint32_t *before = calloc(count, 4), *now = calloc(count, 4);
	struct city_transition *transition = rig_transition(rig, name, &a->base, 0, 0);
	assert_true(city_transition_set_to(transition, &b->base, NULL));
	assert_same(rig_frame(rig, transition, 0.0), a);
	rig_read(rig->frame, before);
	int largest = 0, moving = 0;
	for (int i = 1; i <= FRAMES; i++) {
		assert_non_null(rig_frame(rig, transition, (double)i / FRAMES));
		rig_read(rig->frame, now);
		int change = difference(before, now, count);
		if (change > bound) {
			fail_msg("%s: frame %d changes a pixel by %d, bound %.1f", name, i, change,
				bound);
		}
		largest = change > largest ? change : largest;
		moving += change > 0;
		memcpy(before, now, count * 4);
	}
	print_message(
		"# %s: at most %d of 255 between two frames, bound %.1f\n", name, largest, bound);
	assert_true(moving > FRAMES / 2);
	assert_same(rig->frame, b);
	city_transition_destroy(transition);
	free(before);
	free(now);
}

static void test_change_is_bounded(void **state) {
	write_file("flash.frag",
		"vec4 transition(vec2 pos) { return vec4(hash(ivec2(pos) + int(u_progress * 99.0))"
		" > 0.5 ? 1.0 : 0.0); }\n");
	for (int guard = 0; guard < 2; guard++) {
		struct rig rig;
		char path[200];
		snprintf(path, sizeof(path), "%s:" SHADERS, folder);
		rig_init(&rig, path, 0, guard == 1);
		need_egl(&rig);
		struct rig_picture *a = rig_picture_create(256, 240, DRM_FORMAT_XRGB8888, true);
		struct rig_picture *b = rig_picture_create(256, 240, DRM_FORMAT_ARGB8888, false);
		rig_picture_checker(a, 1, 1);
		rig_picture_checker(b, 1, 2);
		check_bound(&rig, "melt", a, b);
		check_bound(&rig, "crossfade", a, b);
		check_bound(&rig, "flash", a, b);
		rig_picture_checker(a, 7, 5);
		rig_picture_checker(b, 30, 6);
		check_bound(&rig, "melt", a, b);
		rig_picture_fill(a, 0xff000000);
		rig_picture_fill(b, 0xffffffff);
		check_bound(&rig, "melt", a, b);
		rig_picture_fill(a, 0);
		check_bound(&rig, "melt", a, b);
		rig_picture_text(a, 1);
		rig_picture_text(b, 2);
		check_bound(&rig, "melt", a, b);
		wlr_buffer_drop(&a->base);
		wlr_buffer_drop(&b->base);
		rig_finish(&rig);
	}
}

/* Every channel of a melting pixel is between what A has from there up and what B has there. */
static void test_melt_shows_only_a_and_b(void **state) {
	struct rig rig;
	rig_init(&rig, SHADERS, 0, false);
	need_egl(&rig);
	const int width = 200, height = 160;
	for (int content = 0; content < 2; content++) {
		struct rig_picture *a =
			rig_picture_create(width, height, DRM_FORMAT_ARGB8888, true);
		struct rig_picture *b =
			rig_picture_create(width, height, DRM_FORMAT_ARGB8888, true);
		if (content == 0) {
			/* Every column has its own colours, so a sideways sample shows. */
			for (int y = 0; y < height; y++) {
				for (int x = 0; x < width; x++) {
					a->pixels[(size_t)y * a->stride / 4 + (size_t)x] =
						0xff000000 |
						(uint32_t)(x * 97 % 200 + y % 9) << 16 |
						(uint32_t)(x * 31 % 200 + y % 5) << 8;
					b->pixels[(size_t)y * b->stride / 4 + (size_t)x] =
						0xff000000 | (uint32_t)(x * 61 % 256);
				}
			}
		} else {
			rig_picture_text(a, 1);
			rig_picture_fill(b, 0xff802040);
		}
		struct city_transition *transition = rig_transition(&rig, "melt", &a->base, 0, 0);
		assert_true(city_transition_set_to(transition, &b->base, NULL));
		uint8_t *now = calloc((size_t)width * height, 4);
		for (int i = 0; i <= FRAMES; i++) {
			assert_non_null(rig_frame(&rig, transition, (double)i / FRAMES));
			rig_read(rig.frame, (uint32_t *)now);
			for (int x = 0; x < width * 4; x++) {
				int low = 255, high = 0;
				for (int y = 0; y < height; y++) {
					int from = ((uint8_t *)a->pixels)[(size_t)y * a->stride +
						(size_t)x];
					int to = ((uint8_t *)b->pixels)[(size_t)y * b->stride +
						(size_t)x];
					int got = now[(size_t)y * (size_t)width * 4 + (size_t)x];
					low = from < low ? from : low;
					high = from > high ? from : high;
					if (got < (to < low ? to : low) - 1 ||
						got > (to > high ? to : high) + 1) {
						fail_msg("frame %d: %d at %d,%d is neither", i, got,
							x / 4, y);
					}
				}
			}
		}
		free(now);
		city_transition_destroy(transition);
		wlr_buffer_drop(&a->base);
		wlr_buffer_drop(&b->base);
	}
	rig_finish(&rig);
}

static void test_same_seed_same_frames(void **state) {
	struct rig rig;
	rig_init(&rig, SHADERS, 0, false);
	need_egl(&rig);
	struct rig_picture *a = rig_picture_create(150, 100, DRM_FORMAT_ARGB8888, true);
	struct rig_picture *b = rig_picture_create(150, 100, DRM_FORMAT_ARGB8888, true);
	rig_picture_text(a, 1);
	rig_picture_text(b, 2);
	static uint32_t first[150 * 100], second[150 * 100];
	for (int run = 0; run < 2; run++) {
		struct city_transition *transition = rig_transition(&rig, "melt", &a->base, 0, 0);
		assert_true(city_transition_set_to(transition, &b->base, NULL));
		for (int i = 0; i < 12; i++) {
			assert_non_null(rig_frame(&rig, transition, i / 24.0));
		}
		rig_read(rig.frame, run == 0 ? first : second);
		city_transition_destroy(transition);
	}
	assert_memory_equal(first, second, sizeof(first));
	wlr_buffer_drop(&a->base);
	wlr_buffer_drop(&b->base);
	rig_finish(&rig);
}

static bool is_unlocked(void *data) {
	return ((struct rig_picture *)data)->base.n_locks == 0;
}

/* B draws on while it appears: only what changed is read again, and its buffers come back. */
static void test_b_goes_on(void **state) {
	struct rig rig;
	rig_init(&rig, SHADERS, 0, false);
	need_egl(&rig);
	struct rig_picture *a = rig_picture_create(200, 100, DRM_FORMAT_ARGB8888, true);
	struct rig_picture *b[2] = {
		rig_picture_create(200, 100, DRM_FORMAT_XRGB8888, true),
		rig_picture_create(200, 100, DRM_FORMAT_XRGB8888, true),
	};
	rig_picture_text(a, 1);
	struct city_transition *transition = rig_transition(&rig, "melt", &a->base, 0, 0);
	pixman_region32_t damage;
	pixman_region32_init(&damage);
	rig_picture_fill(b[0], 0xff102030);
	rig_picture_fill(b[1], 0xff102030);
	assert_true(city_transition_set_to(transition, &b[0]->base, NULL));
	for (int i = 1; i <= 20; i++) {
		struct rig_picture *next = b[i % 2];
		assert_true(rig_wait(&rig, is_unlocked, next));
		/* Both get the new spot, and the one of the frame before. */
		for (int j = i - 1; j <= i; j++) {
			next->pixels[(size_t)(j * 3) * next->stride / 4 + (size_t)j * 7] =
				0x00ffffff;
		}
		pixman_region32_clear(&damage);
		pixman_region32_union_rect(&damage, &damage, i * 7, i * 3, 1, 1);
		if (i == 1) {
			pixman_region32_union_rect(&damage, &damage, 0, 0, 1, 1);
		}
		/* Several commits without a frame between them add up. */
		assert_true(city_transition_set_to(transition, &next->base, &damage));
		if (i % 3 == 0) {
			assert_non_null(rig_frame(&rig, transition, i / 25.0));
		}
		for (int j = 0; j <= i; j++) {
			next->pixels[(size_t)(j * 3) * next->stride / 4 + (size_t)j * 7] =
				0x00ffffff;
		}
	}
	assert_same(rig_frame(&rig, transition, 1.0), b[0]);
	/* Nothing new, nothing drawn. */
	struct wlr_buffer *last = rig.frame;
	assert_ptr_equal(rig_frame(&rig, transition, 1.0), last);
	assert_false(pixman_region32_not_empty(&rig.damage));
	/* A resize of B is scaled into place. */
	struct rig_picture *wide = rig_picture_create(400, 300, DRM_FORMAT_ARGB8888, false);
	rig_picture_fill(wide, 0xff405060);
	assert_true(city_transition_set_to(transition, &wide->base, &damage));
	rig_picture_fill(b[0], 0xff405060);
	assert_same(rig_frame(&rig, transition, 1.0), b[0]);
	city_transition_destroy(transition);
	assert_true(rig_wait(&rig, is_unlocked, a));
	pixman_region32_fini(&damage);
	wlr_buffer_drop(&a->base);
	wlr_buffer_drop(&b[0]->base);
	wlr_buffer_drop(&b[1]->base);
	wlr_buffer_drop(&wide->base);
	rig_finish(&rig);
}

/* A goes on while it fades: what it draws is seen at once, and the end is still B. */
static void test_a_goes_on(void **state) {
	struct rig rig;
	rig_init(&rig, SHADERS, 0, false);
	need_egl(&rig);
	struct rig_picture *a[2] = {
		rig_picture_create(200, 100, DRM_FORMAT_ARGB8888, true),
		rig_picture_create(200, 100, DRM_FORMAT_ARGB8888, true),
	};
	struct rig_picture *b = rig_picture_create(200, 100, DRM_FORMAT_ARGB8888, true);
	rig_picture_fill(a[0], 0xff000000);
	rig_picture_fill(a[1], 0xffffffff);
	rig_picture_text(b, 1);
	struct city_transition *transition = rig_transition(&rig, "crossfade", &a[0]->base, 0, 0);
	assert_true(city_transition_set_to(transition, &b->base, NULL));
	assert_same(rig_frame(&rig, transition, 0), a[0]);
	/* Far more than A's fading alone may change in so small a step. */
	assert_true(city_transition_set_from(transition, &a[1]->base, NULL));
	assert_same(rig_frame(&rig, transition, 0.0001), a[1]);
	assert_true(city_transition_set_from(transition, &a[0]->base, NULL));
	assert_same(rig_frame(&rig, transition, 0.0002), a[0]);
	assert_same(rig_frame(&rig, transition, 1.0), b);
	city_transition_destroy(transition);
	assert_true(rig_wait(&rig, is_unlocked, a[0]));
	assert_true(rig_wait(&rig, is_unlocked, a[1]));
	wlr_buffer_drop(&a[0]->base);
	wlr_buffer_drop(&a[1]->base);
	wlr_buffer_drop(&b->base);
	rig_finish(&rig);
}

/* A client that shrinks its file under us gets no more than a hole. */
static void test_shrunk_file(void **state) {
	struct rig rig;
	rig_init(&rig, SHADERS, 0, false);
	struct rig_picture *a = rig_picture_create(100, 100, DRM_FORMAT_ARGB8888, true);
	struct rig_picture *b = rig_picture_create(100, 100, DRM_FORMAT_ARGB8888, true);
	rig_picture_fill(a, 0xffffffff);
	rig_picture_fill(b, 0xffffffff);
	assert_int_equal(ftruncate(b->fd, 5000), 0);
	struct city_transition *transition = rig_transition(&rig, "melt", &a->base, 0, 0);
	assert_true(city_transition_set_to(transition, &b->base, NULL));
	assert_non_null(rig_frame(&rig, transition, 0.5));
	assert_non_null(rig_frame(&rig, transition, 1.0));
	city_transition_destroy(transition);
	rig_finish(&rig);
	wlr_buffer_drop(&a->base);
	wlr_buffer_drop(&b->base);
}

static uint32_t middle_pixel(struct rig *rig, const char *name) {
	struct rig_picture *a = rig_picture_create(16, 16, DRM_FORMAT_ARGB8888, true);
	struct rig_picture *b = rig_picture_create(16, 16, DRM_FORMAT_ARGB8888, true);
	rig_picture_fill(a, 0xff000000);
	rig_picture_fill(b, 0xffffffff);
	struct city_transition *transition = rig_transition(rig, name, &a->base, 0, 0);
	assert_true(city_transition_set_to(transition, &b->base, NULL));
	assert_non_null(rig_frame(rig, transition, 0.5));
	uint32_t pixels[256];
	rig_read(rig->frame, pixels);
	city_transition_destroy(transition);
	wlr_buffer_drop(&a->base);
	wlr_buffer_drop(&b->base);
	return pixels[0] & 0xff;
}

static void test_programs_are_edited_live(void **state) {
	struct rig rig;
	char path[200], log[4000];
	snprintf(path, sizeof(path), "/nonexistent:%s:" SHADERS, folder);
	rig_init(&rig, path, 0, false);
	need_egl(&rig);

	/* Never was good: the built-in crossfade, and a line that says where it is wrong. */
	write_file("own.frag", "// mine\nvec4 transition(vec2 pos) {\n\treturn colour(pos);\n}\n");
	capture_begin();
	uint32_t pixel = middle_pixel(&rig, "own");
	capture_end(log, sizeof(log));
	assert_uint_in_range(pixel, 126, 129);
	assert_non_null(strstr(log, "own.frag:3: "));
	assert_ptr_equal(strchr(log, '\n'), log + strlen(log) - 1);

	/* Mended: used at once. */
	write_file(
		"own.frag", "vec4 transition(vec2 pos) { return vec4(0.25, 0.25, 0.25, 1.0); }\n");
	assert_uint_in_range(middle_pixel(&rig, "own"), 63, 65);

	/* Broken again: the last good one stays, and the error is told once. */
	write_file("own.frag", "vec4 transition(vec2 pos) { return vec3(0.0); }\n");
	capture_begin();
	assert_uint_in_range(middle_pixel(&rig, "own"), 63, 65);
	assert_uint_in_range(middle_pixel(&rig, "own"), 63, 65);
	capture_end(log, sizeof(log));
	assert_non_null(strstr(log, "own.frag:1: "));
	assert_non_null(strstr(log, "last good"));
	assert_ptr_equal(strchr(log, '\n'), log + strlen(log) - 1);

	/* Saved again within the same second. */
	write_file("own.frag", "vec4 transition(vec2 pos) { return vec4(0.75); }\n");
	assert_uint_in_range(middle_pixel(&rig, "own"), 190, 192);

	/* No such file, and names that are no names. */
	capture_begin();
	assert_uint_in_range(middle_pixel(&rig, "absent"), 126, 129);
	assert_uint_in_range(middle_pixel(&rig, "../crossfade"), 126, 129);
	capture_end(log, sizeof(log));
	assert_non_null(strstr(log, "no file absent.frag"));

	/* A folder before another. */
	write_file("crossfade.frag", "vec4 transition(vec2 pos) { return vec4(0.25); }\n");
	assert_uint_in_range(middle_pixel(&rig, "crossfade"), 63, 65);
	rig_finish(&rig);
}

static int count_threads(void) {
	int count = 0;
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
		count += entry->d_name[0] != '.';
	}
	closedir(tasks);
	return count;
}

struct idle {
	int threads;
};

static bool has_few_threads(void *data) {
	usleep(1000);
	return count_threads() <= ((struct idle *)data)->threads;
}

static void test_context_rests(void **state) {
	struct rig rig;
	int before = count_threads();
	rig_init(&rig, SHADERS, 30, false);
	assert_int_equal(count_threads(), before);
	assert_int_equal(city_effects_state(rig.effects), CITY_EFFECTS_COLD);
	need_egl(&rig);
	for (int i = 0; i < 3; i++) {
		assert_uint_in_range(middle_pixel(&rig, "melt"), 1, 254);
		/* What the driver started has ended; only the worker sleeps on. */
		struct idle idle = {before + 1};
		wl_event_loop_dispatch(rig.loop, 0);
		double start = rig_now_ms();
		while (!has_few_threads(&idle) && rig_now_ms() - start < 20000) {
			wl_event_loop_dispatch(rig.loop, 1);
		}
		assert_int_equal(count_threads(), before + 1);
		assert_int_equal(city_effects_state(rig.effects), CITY_EFFECTS_READY);
	}
	rig_finish(&rig);
	assert_int_equal(count_threads(), before);
}

/* Below: also under ThreadSanitizer. */

static bool all_unlocked(void *data) {
	struct rig_picture **pictures = data;
	for (int i = 0; i < 4; i++) {
		if (pictures[i]->base.n_locks > 0) {
			return false;
		}
	}
	return true;
}

static void test_many_at_once(void **state) {
	struct rig rig;
	rig_init(&rig, SHADERS, 0, false);
	struct rig_picture *pictures[4];
	for (int i = 0; i < 4; i++) {
		pictures[i] = rig_picture_create(
			120 + i, 90, i & 1 ? DRM_FORMAT_XRGB8888 : DRM_FORMAT_ARGB8888, i & 2);
		rig_picture_checker(pictures[i], 3, (uint32_t)i);
	}
	/* Without waiting for anything to start. */
	struct city_transition *transitions[12];
	for (int i = 0; i < 12; i++) {
		transitions[i] = rig_transition(
			&rig, i & 1 ? "melt" : "crossfade", &pictures[i % 4]->base, 0, 0);
		assert_non_null(transitions[i]);
		assert_true(
			city_transition_set_to(transitions[i], &pictures[(i + 1) % 4]->base, NULL));
		city_transition_request(transitions[i], 0.0);
	}
	for (int round = 1; round <= 40; round++) {
		int seen = rig.frames;
		for (int i = 0; i < 12; i++) {
			if (transitions[i] == NULL) {
				continue;
			}
			city_transition_request(transitions[i], round / 40.0);
			if (round % 5 == 0) {
				assert_true(city_transition_set_to(
					transitions[i], &pictures[(i + round) % 4]->base, NULL));
			}
			/* Some go while their frame is being drawn. */
			if (round == 2 * i + 5) {
				city_transition_destroy(transitions[i]);
				transitions[i] = NULL;
			}
		}
		if (round < 25) {
			double start = rig_now_ms();
			while (rig.frames == seen && rig_now_ms() - start < 20000) {
				wl_event_loop_dispatch(rig.loop, 100);
			}
		}
	}
	assert_true(rig_wait(&rig, all_unlocked, pictures));
	assert_int_equal(rig.failures, 0);
	/* The engine ends while some have not begun to draw. */
	for (int i = 0; i < 3; i++) {
		assert_non_null(rig_transition(&rig, "melt", &pictures[i]->base, 0, 0));
	}
	rig_finish(&rig);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pictures[i]->base.n_locks, 0);
		wlr_buffer_drop(&pictures[i]->base);
	}
}

static void test_newest_request_wins(void **state) {
	struct rig rig;
	rig_init(&rig, SHADERS, 0, false);
	struct rig_picture *a = rig_picture_create(300, 200, DRM_FORMAT_ARGB8888, true);
	struct rig_picture *b = rig_picture_create(300, 200, DRM_FORMAT_ARGB8888, true);
	struct city_transition *transition = rig_transition(&rig, "melt", &a->base, 0, 0);
	/* None is drawn before B is known. */
	for (int i = 0; i <= 50; i++) {
		city_transition_request(transition, i / 100.0);
	}
	assert_true(city_transition_set_to(transition, &b->base, NULL));
	for (int i = 51; i <= 100; i++) {
		city_transition_request(transition, i / 100.0);
	}
	double start = rig_now_ms();
	while (rig.progress < 1.0 && rig_now_ms() - start < 20000) {
		wl_event_loop_dispatch(rig.loop, 100);
	}
	assert_true(rig.progress == 1.0);
	assert_int_in_range(rig.frames, 1, 2);
	city_transition_request(transition, 7.0);
	city_transition_destroy(transition);
	rig_finish(&rig);
	wlr_buffer_drop(&a->base);
	wlr_buffer_drop(&b->base);
}

static void test_start_and_stop(void **state) {
	for (int i = 0; i < 6; i++) {
		struct rig rig;
		rig_init(&rig, SHADERS, i % 2 ? 1 : 0, false);
		if (i > 0) {
			city_effects_prepare(rig.effects, "melt");
		}
		if (i > 3) {
			usleep(30000);
		}
		rig_finish(&rig);
	}
	city_effects_destroy(NULL);
	city_transition_destroy(NULL);
}

/* Without EGL: a crossfade that keeps the contract, and one line in the log. */
static void test_without_egl(void **state) {
	struct rig rig;
	char log[4000];
	capture_begin();
	rig_init(&rig, SHADERS, 20, false);
	bool egl = rig_prepare(&rig, "melt");
	struct rig_picture *a = rig_picture_create(96, 70, DRM_FORMAT_XRGB8888, true);
	struct rig_picture *b = rig_picture_create(96, 70, DRM_FORMAT_ARGB8888, false);
	rig_picture_checker(a, 1, 1);
	rig_picture_checker(b, 2, 2);
	struct city_transition *transition = rig_transition(&rig, "melt", &a->base, 0, 0);
	bool set = city_transition_set_to(transition, &b->base, NULL);
	capture_end(log, sizeof(log));
	assert_false(egl);
	assert_true(set);
	assert_int_equal(city_effects_state(rig.effects), CITY_EFFECTS_CROSSFADE);
	assert_non_null(strstr(log, "plain crossfade"));
	assert_ptr_equal(strchr(log, '\n'), log + strlen(log) - 1);
	assert_same(rig_frame(&rig, transition, 0.0), a);
	city_transition_destroy(transition);
	check_bound(&rig, "melt", a, b);
	struct rig_picture *small = rig_picture_create(20, 30, DRM_FORMAT_ABGR8888, true);
	rig_picture_fill(small, 0xff112233);
	transition = rig_transition(&rig, "melt", &small->base, 96, 70);
	assert_true(city_transition_set_to(transition, &b->base, NULL));
	assert_non_null(rig_frame(&rig, transition, 0.3));
	assert_same(rig_frame(&rig, transition, 1.0), b);
	city_transition_destroy(transition);
	rig_finish(&rig);
	wlr_buffer_drop(&a->base);
	wlr_buffer_drop(&b->base);
	wlr_buffer_drop(&small->base);
}

static int make_folder(void **state) {
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state) {
	char command[200];
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command) == 0 ? 0 : -1;
}

int main(int argc, char *argv[]) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_context_rests),
		cmocka_unit_test(test_ends_are_exact),
		cmocka_unit_test(test_change_is_bounded),
		cmocka_unit_test(test_melt_shows_only_a_and_b),
		cmocka_unit_test(test_same_seed_same_frames),
		cmocka_unit_test(test_b_goes_on),
		cmocka_unit_test(test_a_goes_on),
		cmocka_unit_test(test_shrunk_file),
		cmocka_unit_test(test_programs_are_edited_live),
	};
	const struct CMUnitTest thread_tests[] = {
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_newest_request_wins),
		cmocka_unit_test(test_start_and_stop),
	};
	const struct CMUnitTest no_egl_tests[] = {
		cmocka_unit_test(test_without_egl),
		cmocka_unit_test(test_shrunk_file),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_newest_request_wins),
	};
	if (argc > 1 && strcmp(argv[1], "thread") == 0) {
		return cmocka_run_group_tests(thread_tests, make_folder, remove_folder);
	}
	if (argc > 1 && strcmp(argv[1], "no-egl") == 0) {
		return cmocka_run_group_tests(no_egl_tests, make_folder, remove_folder);
	}
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

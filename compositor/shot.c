/* SPDX-License-Identifier: MIT */
#include <drm_fourcc.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wlr/backend.h>
#include <wlr/backend/headless.h>
#include <wlr/render/wlr_texture.h>
#include <wlr/types/wlr_buffer.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/scape.h"
#include "compositor/server.h"
#include "compositor/shot.h"
#include "compositor/stage.h"
#include "compositor/view.h"

#define MARGIN 130	  /* city units round everything: for blocks and their names */
#define MARGIN_SHARE 0.05 /* the same of a large city */
#define STRIP_PIXELS (4 * 1024 * 1024)
#define OWN_SIZE_MAX 4096.0 /* the longer side of a picture whose size nobody gave */

struct city_shot_job {
	struct city_server *server;
	struct city_box box; /* what is shown */
	int width, height;
	char error[256];
	city_shot_done_t done;
	void *data;

	struct city_shot shot; /* fd -1 until there is one */
	uint8_t *pixels;
	int strip, next; /* rows of one; the first row of the next */
	struct wl_event_source *timer;
	struct wl_listener renderer_lost;

	struct wlr_backend *backend;
	struct wlr_output *output;
	struct city_stage *stage;
	struct wlr_scene_output *scene;
};

[[gnu::format(printf, 2, 3)]]
static bool fail(struct city_shot_job *job, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(job->error, sizeof(job->error), format, args);
	va_end(args);
	return false;
}

/* Four numbers and nothing else. */
static bool read_box(const char *numbers, struct city_box *box) {
	double *values[] = {&box->cx, &box->cy, &box->width, &box->height};
	for (size_t i = 0; i < 4; i++) {
		char *end;
		*values[i] = strtod(numbers, &end);
		if (end == numbers) {
			return false;
		}
		numbers = end;
	}
	return numbers[strspn(numbers, " ")] == '\0';
}

static bool find_region(struct city_shot_job *job, const char *numbers) {
	struct city_box *box = &job->box;
	if (!read_box(numbers, box) || !isfinite(box->cx) || !isfinite(box->cy) ||
		!(box->width > 0) || !(box->height > 0) || box->width > 1e7 || box->height > 1e7 ||
		fabs(box->cx) > 1e9 || fabs(box->cy) > 1e9) {
		return fail(job,
			"\"%.100s\" is no region: CX CY WIDTH HEIGHT, sizes above 0 and up to 1e7",
			numbers);
	}
	return true;
}

static bool find_tile(struct city_shot_job *job, const char *name) {
	struct city_view *view;
	wl_list_for_each(view, &job->server->views, link) {
		if (view->shown && strcmp(city_view_app_id(view), name) == 0) {
			job->box = city_view_outer_box(view);
			return true;
		}
	}
	return fail(job, "no tile or window of the city is called \"%.100s\"", name);
}

static bool find(struct city_shot_job *job, const char *what) {
	if (strcmp(what, "all") == 0) {
		struct city_box *box = &job->box;
		if (!city_scape_bounds(job->server, box)) {
			return fail(job, "there is nothing in the city to draw");
		}
		double margin = fmax(MARGIN, fmax(box->width, box->height) * MARGIN_SHARE);
		*box = (struct city_box){box->cx - margin, box->cy - margin,
			box->width + 2 * margin, box->height + 2 * margin};
		return true;
	}
	if (strncmp(what, "tile ", 5) == 0) {
		return find_tile(job, what + 5);
	}
	if (strncmp(what, "region ", 7) == 0) {
		return find_region(job, what + 7);
	}
	return fail(job,
		"a picture is of all, tile NAME or region CX CY WIDTH HEIGHT, not \"%.100s\"",
		what);
}

static bool choose_size(struct city_shot_job *job, uint32_t width, uint32_t height) {
	if (width == 0 && height == 0) {
		double longer = fmax(job->box.width, job->box.height);
		double zoom = longer > OWN_SIZE_MAX ? OWN_SIZE_MAX / longer : 1;
		width = (uint32_t)fmax(1, round(job->box.width * zoom));
		height = (uint32_t)fmax(1, round(job->box.height * zoom));
	}
	if (width < 1 || height < 1 || width > CITY_SHOT_SIDE || height > CITY_SHOT_SIDE ||
		(uint64_t)width * height > CITY_SHOT_PIXELS) {
		return fail(job,
			"%ux%u is no size for a picture: sides from 1 to %d, %d million pixels",
			width, height, CITY_SHOT_SIDE, CITY_SHOT_PIXELS >> 20);
	}
	job->width = (int)width;
	job->height = (int)height;
	job->strip = STRIP_PIXELS / job->width;
	job->strip = job->strip > job->height ? job->height : job->strip;
	return true;
}

static bool make_output(struct city_shot_job *job) {
	struct city_server *server = job->server;
	job->backend = wlr_headless_backend_create(server->loop);
	if (job->backend == NULL || !wlr_backend_start(job->backend)) {
		return fail(job, "no memory for a picture");
	}
	job->output = wlr_headless_add_output(
		job->backend, (unsigned int)job->width, (unsigned int)job->strip);
	if (job->output == NULL ||
		!wlr_output_init_render(job->output, server->allocator, server->renderer)) {
		return fail(job, "the renderer cannot draw a picture");
	}
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, true);
	/* The slowest there is: no surface waits for its frames. */
	wlr_output_state_set_custom_mode(&state, job->width, job->strip, 1);
	bool ok = wlr_output_commit_state(job->output, &state);
	wlr_output_state_finish(&state);
	return ok || fail(job, "the renderer cannot draw %dx%d", job->width, job->height);
}

static bool set_up(struct city_shot_job *job) {
	struct city_stage *stage = city_stage_create(job->server, NULL);
	job->stage = stage;
	if (stage == NULL) {
		return fail(job, "no memory for a picture");
	}
	struct city_camera *camera = &stage->camera;
	city_map_init(camera);
	/* Any zoom, also one that no screen would go to. */
	camera->zoom = fmin(job->width / job->box.width, job->height / job->box.height);
	camera->cx = job->box.cx + job->box.width / 2 - job->width / 2.0 / camera->zoom;
	camera->cy = job->box.cy + job->box.height / 2 - job->height / 2.0 / camera->zoom;
	if (camera->zoom == 1) {
		camera->cx = round(camera->cx);
		camera->cy = round(camera->cy);
	}
	camera->target_zoom = camera->start_zoom = camera->zoom;
	camera->target_cx = camera->cx;
	camera->target_cy = camera->cy;
	stage->box = (struct wlr_box){.width = job->width, .height = job->height};
	job->scene = wlr_scene_output_create(job->server->scene, job->output);
	if (job->scene == NULL) {
		return fail(job, "no memory for a picture");
	}
	city_stage_update(stage);
	return true;
}

static bool make_memory(struct city_shot_job *job) {
	size_t stride = (size_t)job->width * 4, size = stride * (size_t)job->height;
	job->shot = (struct city_shot){
		memfd_create("source-city-picture", MFD_CLOEXEC), job->width, job->height, stride};
	void *map = MAP_FAILED;
	if (job->shot.fd >= 0 && ftruncate(job->shot.fd, (off_t)size) == 0) {
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, job->shot.fd, 0);
	}
	job->pixels = map == MAP_FAILED ? NULL : map;
	return map != MAP_FAILED || fail(job, "no memory for a picture: %s", strerror(errno));
}

static bool read_strip(struct city_shot_job *job, struct wlr_buffer *buffer) {
	int rows = job->height - job->next < job->strip ? job->height - job->next : job->strip;
	struct wlr_texture *texture = wlr_texture_from_buffer(job->server->renderer, buffer);
	struct wlr_texture_read_pixels_options options = {
		.data = job->pixels + (size_t)job->next * job->shot.stride,
		.format = DRM_FORMAT_XRGB8888,
		.stride = (uint32_t)job->shot.stride,
		.src_box = {.width = job->width, .height = rows},
	};
	bool ok = texture != NULL && wlr_texture_read_pixels(texture, &options);
	wlr_texture_destroy(texture);
	job->next += rows;
	return ok || fail(job, "the renderer does not give its pixels back");
}

static bool draw_strip(struct city_shot_job *job) {
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_scene_output_set_position(job->scene, job->stage->at, job->next);
	bool ok = wlr_scene_output_build_state(job->scene, &state, NULL) && state.buffer != NULL;
	if (ok) {
		ok = read_strip(job, state.buffer);
	} else {
		fail(job, "the renderer cannot draw %dx%d", job->width, job->strip);
	}
	wlr_output_state_finish(&state);
	return ok;
}

static void destroy(struct city_shot_job *job) {
	wl_list_remove(&job->renderer_lost.link);
	if (job->timer != NULL) {
		wl_event_source_remove(job->timer);
	}
	if (job->scene != NULL) {
		wlr_scene_output_destroy(job->scene);
	}
	city_stage_destroy(job->stage);
	if (job->backend != NULL) {
		wlr_backend_destroy(job->backend);
	}
	if (job->pixels != NULL) {
		munmap(job->pixels, job->shot.stride * (size_t)job->shot.height);
	}
	if (job->shot.fd >= 0) {
		close(job->shot.fd);
	}
	free(job);
}

/* What it draws with is about to go. */
static void handle_renderer_lost(struct wl_listener *listener, void *data) {
	struct city_shot_job *job = wl_container_of(listener, job, renderer_lost);
	job->done(job->data, NULL, "the GPU was lost; try again");
	destroy(job);
}

static int handle_timer(void *data) {
	struct city_shot_job *job = data;
	bool ok = draw_strip(job);
	if (ok && job->next < job->height) {
		wl_event_source_timer_update(job->timer, 1);
		return 0;
	}
	job->done(job->data, ok ? &job->shot : NULL, job->error);
	destroy(job);
	return 0;
}

struct city_shot_job *city_shot_begin(struct city_server *server, const char *what, uint32_t width,
	uint32_t height, city_shot_done_t done, void *data, char *error, size_t error_size) {
	struct city_shot_job *job = calloc(1, sizeof(*job));
	if (job == NULL) {
		snprintf(error, error_size, "no memory for a picture");
		return NULL;
	}
	job->server = server;
	job->done = done;
	job->data = data;
	job->shot.fd = -1;
	job->renderer_lost.notify = handle_renderer_lost;
	wl_signal_add(&server->events.renderer_lost, &job->renderer_lost);
	if (find(job, what) && choose_size(job, width, height) && make_memory(job) &&
		make_output(job) && set_up(job)) {
		job->timer = wl_event_loop_add_timer(server->loop, handle_timer, job);
	}
	if (job->timer == NULL) {
		snprintf(error, error_size, "%s",
			job->error[0] != '\0' ? job->error : "no memory for a picture");
		destroy(job);
		return NULL;
	}
	wl_event_source_timer_update(job->timer, 1);
	return job;
}

void city_shot_cancel(struct city_shot_job *job) {
	if (job != NULL) {
		destroy(job);
	}
}

/* SPDX-License-Identifier: MIT */
/* The compositor in the test's own process, for what no client can bring about. */
#include "inside.h"

#include <limits.h>
#include <math.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wlr/backend/headless.h>
#include <wlr/backend/multi.h>
#include <wlr/interfaces/wlr_buffer.h>
#include <wlr/interfaces/wlr_pointer.h>
#include <wlr/interfaces/wlr_touch.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/command.h"
#include "compositor/config.h"
#include "compositor/ground.h"
#include "compositor/label.h"
#include "compositor/output.h"
#include "compositor/scape.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/shot.h"
#include "compositor/stage.h"
#include "compositor/view.h"
#include "compositor/writer.h"

struct inside {
	struct city_server *server;
	char dir[64];
	unsigned int commits, presents;
	uint32_t last_commit, missed;
	struct wl_listener commit, presented;
};

static void handle_commit(struct wl_listener *listener, void *data) {
	struct inside *inside = wl_container_of(listener, inside, commit);
	const struct city_frame_event *event = data;
	inside->commits++;
	inside->last_commit = event->commit_seq;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	/* However slow the machine is between the two. */
	assert_true(event->when_ns > ns - 60000000000);
	assert_true(event->when_ns < ns + 40000000);
}

static void handle_presented(struct wl_listener *listener, void *data) {
	struct inside *inside = wl_container_of(listener, inside, presented);
	const struct city_presented_event *event = data;
	if (event->present->presented) {
		inside->presents++;
		inside->missed += event->missed;
	}
}

static int inside_start(void **state) {
	struct inside *inside = calloc(1, sizeof(*inside));
	inside->server = inside_server(inside->dir);
	inside->commit.notify = handle_commit;
	wl_signal_add(&inside->server->events.frame_commit, &inside->commit);
	inside->presented.notify = handle_presented;
	wl_signal_add(&inside->server->events.frame_presented, &inside->presented);
	*state = inside;
	return 0;
}

static int inside_stop(void **state) {
	struct inside *inside = *state;
	wl_list_remove(&inside->commit.link);
	wl_list_remove(&inside->presented.link);
	city_server_destroy(inside->server);
	assert_int_equal(rmdir(inside->dir), 0);
	free(inside);
	return 0;
}

static void run_until(struct inside *inside, unsigned int presents) {
	for (int i = 0; i < 2000 && inside->presents < presents; i++) {
		wl_event_loop_dispatch(inside->server->loop, 10);
	}
	assert_true(inside->presents >= presents);
}

static void a_lost_renderer_is_replaced(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	city_server_schedule_frame(server);
	run_until(inside, 1);
	for (int i = 0; i < 3; i++) {
		struct wlr_renderer *old = server->renderer;
		wl_signal_emit_mutable(&old->events.lost, NULL);
		assert_ptr_equal(server->renderer, old); /* not within its own signal */
		unsigned int presents = inside->presents;
		wl_event_loop_dispatch(server->loop, 0);
		city_server_schedule_frame(server);
		run_until(inside, presents + 1);
	}
}

static void being_busy_counts_every_frame(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	city_server_busy_begin(server);
	/* Nothing held it up but this machine, which does not do so for ever. */
	unsigned int before;
	do {
		before = inside->missed;
		run_until(inside, inside->presents + 20);
	} while (inside->missed - before >= 10);
	city_server_busy_end(server);
	/* A tenth of a second away is six cycles or so. */
	unsigned int missed = inside->missed;
	city_server_busy_begin(server);
	run_until(inside, inside->presents + 2);
	usleep(100000);
	run_until(inside, inside->presents + 2);
	assert_true(inside->missed - missed >= 4);
	city_server_busy_end(server);
	/* Rest: no frames. */
	for (int i = 0; i < 10; i++) {
		wl_event_loop_dispatch(server->loop, 20);
	}
	unsigned int commits = inside->commits;
	for (int i = 0; i < 10; i++) {
		wl_event_loop_dispatch(server->loop, 20);
	}
	assert_int_equal(inside->commits, commits);
}

static const struct city_view_impl no_impl = {0};

static const char *some_title(struct city_view *view) {
	return "a title";
}

static const struct city_view_impl titled_impl = {.title = some_title};

static void a_picture_stands_for_the_surfaces(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	struct city_view view;
	assert_true(city_view_init(&view, server, CITY_VIEW_GUEST, &no_impl));
	city_view_set_size(&view, 300, 200);
	city_view_show(&view, &(struct city_box){100, 100, 300, 200});
	city_server_focus(server, &view, false);
	struct city_label_style style = {.size = 20, .color = 0xffffffff, .background = 0x112233ff};
	int width, height;
	struct wlr_buffer *picture = city_label_render("picture", &style, 1, &width, &height);
	if (picture == NULL) {
		print_message("no fonts here\n");
		city_view_finish(&view);
		skip();
	}
	assert_true(city_view_show_buffer(&view, picture, NULL));
	wlr_buffer_drop(picture);
	struct city_stage *stage = city_stage_focused(server);
	const struct city_sight *sight = city_view_sight(&view, stage);
	assert_int_equal(sight->buffer->dst_width, 300);
	city_map_set(stage, 0, 0, 2);
	assert_int_equal(sight->buffer->dst_width, 600);
	struct city_hit hit = city_hit_test(server, 300, 300);
	assert_int_equal(hit.kind, CITY_HIT_VIEW);
	assert_ptr_equal(hit.view, &view);
	city_view_set_badge(&view, CITY_BADGE_ERROR, "one\ntwo words\n\nfour");
	city_server_schedule_frame(server);
	run_until(inside, inside->presents + 1);
	city_view_set_badge(&view, CITY_BADGE_NONE, NULL);
	city_view_show_surface(&view);
	assert_null(sight->buffer);
	city_view_finish(&view);
	assert_null(server->focused);
}

/* A view that obeys at once. */
static void obey(struct city_view *view, int width, int height) {
	city_view_set_size(view, width, height);
}

static const struct city_view_impl obedient_impl = {.configure = obey};

static void find_headless(struct wlr_backend *backend, void *data) {
	if (wlr_backend_is_headless(backend)) {
		*(struct wlr_backend **)data = backend;
	}
}

static void outputs_come_and_go(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	struct wlr_backend *headless = NULL;
	wlr_multi_for_each_backend(server->backend, find_headless, &headless);
	assert_non_null(headless);
	struct wlr_output *first = city_server_focused_output(server)->wlr_output;
	struct wlr_output *second = wlr_headless_add_output(headless, 1920, 1080);
	assert_int_equal(wl_list_length(&server->outputs), 2);

	struct city_view view;
	assert_true(city_view_init(&view, server, CITY_VIEW_GUEST, &obedient_impl));
	city_view_set_size(&view, 300, 200);
	city_view_show(&view, &(struct city_box){100, 100, 300, 200});
	city_server_focus(server, &view, false);
	/* It fills the second, which goes: it fits into the one that is left. */
	struct wlr_box box = city_output_box(second->data);
	wlr_cursor_warp(server->seat->cursor, NULL, box.x + 500, box.y + 300);
	city_view_set_fullscreen(&view, true);
	assert_int_equal(view.width, box.width);
	assert_int_equal(view.height, box.height);
	city_server_schedule_frame(server);
	run_until(inside, inside->presents + 2);
	wlr_output_destroy(second);
	box = city_output_box(first->data);
	assert_int_equal(view.width, box.width);
	assert_int_equal(view.height, box.height);
	assert_true(wlr_box_contains_point(&box, server->seat->cursor->x, server->seat->cursor->y));
	city_server_schedule_frame(server);
	run_until(inside, inside->presents + 1);

	/* No screen at all: everything goes on unseen. */
	wlr_output_destroy(first);
	assert_null(city_server_focused_output(server));
	assert_false(city_view_is_visible(&view));
	city_view_set_fullscreen(&view, false);
	city_view_set_maximized(&view, true);
	struct city_stage *nowhere = city_stage_focused(server);
	assert_ptr_equal(nowhere, server->nowhere);
	city_map_show_all(nowhere);
	city_map_zoom_step(nowhere, -1);
	city_map_room(nowhere, city_view_outer_box(&view));
	city_view_set_minimized(&view, true);
	city_view_set_minimized(&view, false);
	city_server_focus(server, &view, true);
	wl_event_loop_dispatch(server->loop, 0);
	assert_ptr_equal(server->focused, &view);

	/* One comes: the view fits itself into it. */
	struct wlr_output *third = wlr_headless_add_output(headless, 640, 480);
	box = ((struct city_output *)third->data)->usable;
	assert_int_equal(city_view_outer_box(&view).width, box.width);
	assert_int_equal(city_view_outer_box(&view).height, box.height);
	city_server_schedule_frame(server);
	run_until(inside, inside->presents + 1);
	city_view_finish(&view);
}

static void a_drag_taken_back_fills_the_same_screen(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	struct city_seat *seat = server->seat;
	struct wlr_backend *headless = NULL;
	wlr_multi_for_each_backend(server->backend, find_headless, &headless);
	assert_non_null(headless);
	const struct city_stage *second =
		((struct city_output *)wlr_headless_add_output(headless, 1920, 1080)->data)->stage;
	struct city_view view;
	assert_true(city_view_init(&view, server, CITY_VIEW_GUEST, &obedient_impl));
	city_view_set_size(&view, 300, 200);
	city_view_show(&view, &(struct city_box){100, 100, 300, 200});
	city_view_set_maximized(&view, true);
	struct city_box was = city_view_box(&view);
	assert_true(was.width > 1200 && was.width < 1900);
	struct city_camera camera = second->camera;
	city_grab_move(seat, &view, 0);
	wlr_cursor_warp(seat->cursor, NULL, second->box.x + 500, second->box.y + 300);
	city_grab_motion(seat);
	assert_false(view.maximized);
	assert_true(city_grab_cancel(seat));
	assert_true(view.maximized);
	struct city_box box = city_view_box(&view);
	assert_double_equal(box.cx, was.cx, 0);
	assert_double_equal(box.cy, was.cy, 0);
	assert_double_equal(box.width, was.width, 0);
	assert_double_equal(box.height, was.height, 0);
	assert_double_equal(second->camera.cx, camera.cx, 0);
	assert_double_equal(second->camera.cy, camera.cy, 0);
	city_view_set_maximized(&view, false);
	box = city_view_box(&view);
	assert_double_equal(box.cx, 100, 0);
	assert_double_equal(box.width, 300, 0);
	city_view_finish(&view);
}

static void put_finger(struct wlr_touch *touch, double x, double y) {
	struct wlr_touch_down_event event = {.touch = touch, .touch_id = 7, .x = x, .y = y};
	wl_signal_emit_mutable(&touch->events.down, &event);
	wl_signal_emit_mutable(&touch->events.frame, NULL);
}

static void move_finger(struct wlr_touch *touch, double x, double y) {
	struct wlr_touch_motion_event event = {.touch = touch, .touch_id = 7, .x = x, .y = y};
	wl_signal_emit_mutable(&touch->events.motion, &event);
	wl_signal_emit_mutable(&touch->events.frame, NULL);
}

static void lift_finger(struct wlr_touch *touch) {
	struct wlr_touch_up_event event = {.touch = touch, .touch_id = 7};
	wl_signal_emit_mutable(&touch->events.up, &event);
	wl_signal_emit_mutable(&touch->events.frame, NULL);
}

static void a_finger_moves_the_map(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	static const struct wlr_touch_impl impl = {.name = "test"};
	struct wlr_touch touch;
	wlr_touch_init(&touch, &impl, "a touch screen");
	wl_signal_emit_mutable(&server->backend->events.new_input, &touch.base);
	assert_true((server->seat->seat->capabilities & WL_SEAT_CAPABILITY_TOUCH) != 0);
	put_finger(&touch, 0.5, 0.5);
	move_finger(&touch, 0.6, 0.5);
	assert_double_equal(city_stage_focused(server)->camera.cx, -128, 0.001);
	lift_finger(&touch);
	move_finger(&touch, 0.5, 0.5);
	assert_double_equal(city_stage_focused(server)->camera.cx, -128, 0.001);
	/* Locking the screen lets go of it. */
	put_finger(&touch, 0.5, 0.5);
	city_touch_forget(server->seat);
	move_finger(&touch, 0.9, 0.5);
	lift_finger(&touch);
	assert_double_equal(city_stage_focused(server)->camera.cx, -128, 0.001);
	wlr_touch_finish(&touch);
	assert_true((server->seat->seat->capabilities & WL_SEAT_CAPABILITY_TOUCH) == 0);
}

/* A touchpad. Events are as far apart as a touchpad's. */

static uint32_t pad_msec;

static void swipe(struct wlr_pointer *pad, int updates, double dx, double dy) {
	struct wlr_pointer_swipe_begin_event begin = {pad, pad_msec, 3};
	wl_signal_emit_mutable(&pad->events.swipe_begin, &begin);
	for (int i = 0; i < updates; i++) {
		pad_msec += 8;
		struct wlr_pointer_swipe_update_event update = {pad, pad_msec, 3, dx, dy};
		wl_signal_emit_mutable(&pad->events.swipe_update, &update);
	}
}

static void lift_swipe(struct wlr_pointer *pad, uint32_t rest_msec, bool cancelled) {
	pad_msec += rest_msec;
	struct wlr_pointer_swipe_end_event end = {pad, pad_msec, cancelled};
	wl_signal_emit_mutable(&pad->events.swipe_end, &end);
}

static void pinch(struct wlr_pointer *pad, int updates, double scale) {
	struct wlr_pointer_pinch_begin_event begin = {pad, pad_msec, 2};
	wl_signal_emit_mutable(&pad->events.pinch_begin, &begin);
	for (int i = 1; i <= updates; i++) {
		pad_msec += 8;
		struct wlr_pointer_pinch_update_event update = {.pointer = pad,
			.time_msec = pad_msec,
			.fingers = 2,
			.scale = pow(scale, (double)i / updates)};
		wl_signal_emit_mutable(&pad->events.pinch_update, &update);
	}
}

static void lift_pinch(struct wlr_pointer *pad, uint32_t rest_msec) {
	pad_msec += rest_msec;
	struct wlr_pointer_pinch_end_event end = {pad, pad_msec, false};
	wl_signal_emit_mutable(&pad->events.pinch_end, &end);
}

static void run_until_rest(struct inside *inside, const struct city_camera *camera) {
	for (int i = 0; i < 6000 && camera->moving; i++) {
		wl_event_loop_dispatch(inside->server->loop, 10);
	}
	assert_false(camera->moving);
}

/* What is drawn aside, as the city from afar is, may still come; then there is nothing more. */
static void expect_no_frames(struct inside *inside) {
	struct wl_event_loop *loop = inside->server->loop;
	unsigned int quiet = 0;
	for (int i = 0; i < 3000 && quiet < 15; i++) {
		unsigned int commits = inside->commits;
		wl_event_loop_dispatch(loop, 20);
		quiet = inside->commits == commits ? quiet + 1 : 0;
	}
	assert_int_equal(quiet, 15);
}

static void a_flick_glides_and_comes_to_rest(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	static const struct wlr_pointer_impl impl = {.name = "test"};
	static struct wlr_pointer pad;
	wlr_pointer_init(&pad, &impl, "a touchpad");
	wl_signal_emit_mutable(&server->backend->events.new_input, &pad.base);
	server->config->animations = true;
	struct city_stage *stage = city_stage_focused(server);
	const struct city_camera *camera = &stage->camera;
	city_map_set(stage, 0.3, 0, 0.5);

	/* Fractions of pixels add up; the map moves by whole ones. */
	swipe(&pad, 3, 0.4, 0);
	assert_double_equal(camera->cx, 0.3 - 2, 1e-9);
	/* Fingers that rest before they are lifted leave it where it is. */
	lift_swipe(&pad, 200, false);
	assert_false(camera->moving);

	/* A thousand pixels a second: a fifth of that further, ever slower. */
	city_map_set(stage, 0.3, 0, 0.5);
	swipe(&pad, 20, -8, 0);
	assert_double_equal(camera->cx, 0.3 + 320, 1e-9);
	lift_swipe(&pad, 8, false);
	assert_true(camera->moving);
	assert_true(camera->gliding);
	double end = camera->target_cx;
	assert_true(end - camera->cx > 2 * 150 && end - camera->cx < 2 * 200);
	double last = camera->cx, last_step = INFINITY;
	while (camera->moving) {
		unsigned int presents = inside->presents;
		run_until(inside, presents + 1);
		double step = camera->cx - last;
		double pixels = (camera->cx - 0.3) * 0.5;
		assert_double_equal(pixels, round(pixels), 1e-6);
		assert_true(step >= 0);
		last = camera->cx;
		last_step = step;
	}
	assert_true(last_step < 20);
	assert_true(camera->cx == end);
	expect_no_frames(inside);

	/* A hand that is laid on it stops it; its own gesture is not the client's. */
	swipe(&pad, 20, 0, -8);
	lift_swipe(&pad, 8, false);
	struct wlr_pointer_hold_begin_event hold = {&pad, pad_msec, 3};
	wl_signal_emit_mutable(&pad.events.hold_begin, &hold);
	assert_false(camera->moving);
	struct wlr_pointer_hold_end_event let_go = {&pad, pad_msec, false};
	wl_signal_emit_mutable(&pad.events.hold_end, &let_go);
	/* A gesture that is taken back is no flick; nor is any with inertia off. */
	swipe(&pad, 20, 0, -8);
	lift_swipe(&pad, 8, true);
	assert_false(camera->moving);
	server->config->inertia = false;
	swipe(&pad, 20, 0, -8);
	lift_swipe(&pad, 8, false);
	assert_false(camera->moving);
	server->config->inertia = true;

	/* A pinch zooms about the pointer, and ends in the room when it is nearly there. */
	wlr_cursor_warp(server->seat->cursor, NULL, 300, 200);
	city_map_set(stage, 100, 50, 0.25);
	pinch(&pad, 16, 2);
	assert_double_equal(camera->zoom, 0.5, 1e-9);
	double cx, cy;
	city_map_to_city(camera, 300, 200, &cx, &cy);
	assert_double_equal(cx, 100 + 300 / 0.25, 1e-6);
	assert_double_equal(cy, 50 + 200 / 0.25, 1e-6);
	lift_pinch(&pad, 200);
	assert_false(camera->moving);
	pinch(&pad, 16, 1.9);
	lift_pinch(&pad, 200);
	assert_true(camera->moving);
	run_until_rest(inside, camera);
	assert_true(city_map_is_room(camera));
	city_map_to_city(camera, 300, 200, &cx, &cy);
	assert_double_equal(cx, 100 + 300 / 0.25, 1);
	/* Thrown, it zooms on. */
	pinch(&pad, 16, 0.5);
	double zoom = camera->zoom;
	lift_pinch(&pad, 8);
	run_until_rest(inside, camera);
	assert_true(camera->zoom < zoom * 0.8);
	expect_no_frames(inside);
	wlr_pointer_finish(&pad);
}

static void the_ends_of_numbers_are_harmless(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	struct city_stage *stage = city_stage_focused(server);
	struct city_camera *camera = &stage->camera;
	struct city_view view;
	assert_true(city_view_init(&view, server, CITY_VIEW_GUEST, &no_impl));
	city_view_set_size(&view, 300, 200);
	city_view_show(&view, &(struct city_box){100, 100, 300, 200});
	const double ends[] = {0, 1e300, -1e300, INFINITY, -INFINITY, NAN, 1e-300, 2147483648.0};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		for (size_t j = 0; j < sizeof(ends) / sizeof(ends[0]); j++) {
			server->config->animations = (i + j) % 2 == 0;
			city_map_go(stage, ends[i], ends[j], ends[(i + j) % 8]);
			city_map_drag(stage, ends[j], ends[i]);
			city_map_pinch(stage, ends[i], ends[j], 3, ends[j], ends[i]);
			city_map_set(stage, ends[i], ends[j], ends[i]);
			city_map_glide(stage,
				&(struct city_flick_speed){ends[i], ends[j], ends[i], ends[j]});
			for (int k = 1; k < 9; k++) {
				city_map_step(stage, camera->last_ns + 100000000);
			}
			city_map_stop(stage);
			assert_true(isfinite(camera->cx) && isfinite(camera->cy));
			assert_true(camera->zoom >= CITY_ZOOM_MIN && camera->zoom <= CITY_ZOOM_MAX);
		}
		city_view_set_place(&view, ends[i], ends[i]);
		city_map_show_all(stage);
		city_map_reveal(stage, city_view_outer_box(&view));
		city_map_room(stage, city_view_outer_box(&view));
		city_server_schedule_frame(server);
		run_until(inside, inside->presents + 1);
	}
	city_view_finish(&view);
}

/* Pictures without an output. */

struct taken {
	bool ended;
	uint32_t *pixels;
	struct city_shot shot;
	char error[256];
};

static void handle_taken(void *data, const struct city_shot *shot, const char *error) {
	struct taken *taken = data;
	taken->ended = true;
	if (shot == NULL) {
		snprintf(taken->error, sizeof(taken->error), "%s", error);
		return;
	}
	taken->shot = *shot;
	size_t size = shot->stride * (size_t)shot->height;
	taken->pixels = malloc(size);
	assert_int_equal(pread(shot->fd, taken->pixels, size, 0), size);
}

static void take(struct inside *inside, struct taken *taken, const char *what, uint32_t width,
	uint32_t height) {
	*taken = (struct taken){0};
	if (city_shot_begin(inside->server, what, width, height, handle_taken, taken, taken->error,
		    sizeof(taken->error)) == NULL) {
		taken->ended = true;
	}
	for (int i = 0; i < 6000 && !taken->ended; i++) {
		wl_event_loop_dispatch(inside->server->loop, 10);
	}
	assert_true(taken->ended);
}

static uint32_t taken_at(const struct taken *taken, int x, int y) {
	return taken->pixels[(size_t)y * taken->shot.stride / 4 + (size_t)x] & 0xffffff;
}

static void pictures_need_no_output(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	int stages = wl_list_length(&server->stages);
	const uint32_t frame = 0x262c35;
	server->config->color_frame = frame << 8 | 0xff;
	struct taken taken;

	struct city_view view;
	assert_true(city_view_init(&view, server, CITY_VIEW_GUEST, &no_impl));
	city_view_set_district(&view, NULL);
	city_view_set_size(&view, 300, 200);
	city_view_show(&view, &(struct city_box){5000, 100, 300, 200});
	struct wlr_output *output = city_server_focused_output(server)->wlr_output;
	wlr_output_destroy(output);
	/* With its frame, pixel for pixel. */
	take(inside, &taken, "region 4990 70 320 240", 0, 0);
	assert_string_equal(taken.error, "");
	assert_int_equal(taken.shot.width, 320);
	assert_int_equal(taken.shot.height, 240);
	assert_int_equal(taken_at(&taken, 8, 6), frame);
	assert_int_equal(taken_at(&taken, 311, 29), frame);
	assert_int_not_equal(taken_at(&taken, 7, 6), frame);
	assert_int_not_equal(taken_at(&taken, 8, 5), frame);
	assert_int_equal(taken_at(&taken, 311, 231), frame);
	assert_int_not_equal(taken_at(&taken, 311, 232), frame);
	free(taken.pixels);
	/* In strips: the frame is where it should be in all of them. */
	take(inside, &taken, "region 4990 70 320 240", 3200, 2400);
	for (int y = 310; y < 2300; y++) {
		assert_int_equal(taken_at(&taken, 85, y), frame);
		assert_int_not_equal(taken_at(&taken, 70, y), frame);
	}
	assert_int_equal(taken_at(&taken, 1603, 2310), frame);
	assert_int_not_equal(taken_at(&taken, 1603, 2330), frame);
	free(taken.pixels);
	/* Fitted into another shape. */
	take(inside, &taken, "region 4990 70 320 240", 640, 240);
	assert_int_equal(taken_at(&taken, 160 + 8, 6), frame);
	free(taken.pixels);
	/* One that nobody waits for. */
	char error[256];
	struct city_shot_job *job = city_shot_begin(
		server, "all", 4000, 4000, handle_taken, &taken, error, sizeof(error));
	assert_non_null(job);
	wl_event_loop_dispatch(server->loop, 10);
	city_shot_cancel(job);
	const char *const bad[] = {"", "tile", "tile none", "region", "region 1 2 3",
		"region 0 0 0 5", "region 0 0 nan 5", "region 0 0 1e300 5", "region 0 0 5 5 5"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		take(inside, &taken, bad[i], 100, 100);
		assert_string_not_equal(taken.error, "");
		assert_null(taken.pixels);
	}
	take(inside, &taken, "all", 20000, 1);
	assert_string_not_equal(taken.error, "");
	take(inside, &taken, "all", 16384, 16384);
	assert_string_not_equal(taken.error, "");
	assert_int_equal(wl_list_length(&server->stages), stages - 1);
	city_view_finish(&view);
}

static void check_label(struct city_label *label, double scale) {
	const struct wlr_scene_buffer *node = city_label_node(label);
	assert_int_equal(node->buffer->width, lround(node->dst_width * scale));
	assert_int_equal(node->buffer->height, lround(node->dst_height * scale));
}

/* Every text is drawn for the pixels that it is shown at, and only when something differs. */
static void text_is_sharp_at_every_zoom(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	struct city_stage *stage = city_stage_focused(server);
	struct city_view view;
	assert_true(city_view_init(&view, server, CITY_VIEW_GUEST, &titled_impl));
	city_view_set_size(&view, 300, 200);
	city_view_show(&view, &(struct city_box){100, 100, 300, 200});
	struct city_sight *sight = city_view_sight(&view, stage);
	struct wlr_scene_buffer *node = city_label_node(sight->title_label);
	if (node->buffer == NULL) {
		print_message("no fonts here\n");
		city_view_finish(&view);
		skip();
	}
	const double scales[] = {1, 1.25, 1.5, 1.75, 2}, zooms[] = {0.3, 0.5, 0.73, 1, 1.4, 2, 5};
	for (size_t i = 0; i < 5; i++) {
		stage->scale = scales[i];
		for (size_t j = 0; j < 7; j++) {
			city_map_set(stage, 0, 0, zooms[j]);
			if (node->node.enabled) {
				check_label(sight->title_label, scales[i]);
			}
			/* Moved, it is the same picture. */
			struct wlr_buffer *before = wlr_buffer_lock(node->buffer);
			city_map_drag(stage, 3.7, 1.2);
			assert_ptr_equal(node->buffer, before);
			wlr_buffer_unlock(before);
		}
	}
	/* More or less room that is enough changes nothing. */
	stage->scale = 1;
	city_map_set(stage, 0, 0, 1);
	struct wlr_buffer *before = wlr_buffer_lock(node->buffer);
	city_view_set_size(&view, 290, 200);
	assert_ptr_equal(node->buffer, before);
	city_view_set_size(&view, 40, 200);
	assert_ptr_not_equal(node->buffer, before);
	wlr_buffer_unlock(before);
	city_view_finish(&view);
}

static void note_top(struct wlr_scene_buffer *buffer, int x, int y, void *data) {
	int *top = data;
	*top = y < *top ? y : *top;
}

static void all_is_shown_with_its_names(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	struct city_stage *stage = city_stage_focused(server);
	struct city_view view;
	assert_true(city_view_init(&view, server, CITY_VIEW_GUEST, &obedient_impl));
	city_view_set_district(&view, "gypsum");
	const int heights[] = {400, 690, 1500, 3000};
	for (size_t i = 0; i < sizeof(heights) / sizeof(heights[0]); i++) {
		city_view_set_size(&view, 800, heights[i]);
		if (i == 0) {
			city_view_show(&view, &(struct city_box){0, 0, 800, heights[i]});
		}
		city_map_show_all(stage);
		city_server_schedule_frame(server);
		run_until(inside, inside->presents + 1);
		int top = INT_MAX;
		wlr_scene_node_for_each_buffer(&stage->layers.districts->node, note_top, &top);
		assert_true(top >= 0 && top < 720);
		struct city_box block;
		assert_true(city_ground_find_district(server, "gypsum", &block));
		city_map_fit(stage, block);
		city_server_schedule_frame(server);
		run_until(inside, inside->presents + 1);
		top = INT_MAX;
		wlr_scene_node_for_each_buffer(&stage->layers.districts->node, note_top, &top);
		assert_true(top >= 0 && top < 720);
	}
	city_view_finish(&view);
}

static void scroll_fingers(struct wlr_pointer *pad, double delta) {
	struct wlr_pointer_axis_event event = {
		.pointer = pad,
		.time_msec = pad_msec += 8,
		.source = WL_POINTER_AXIS_SOURCE_FINGER,
		.orientation = WL_POINTER_AXIS_VERTICAL_SCROLL,
		.delta = delta,
	};
	wl_signal_emit_mutable(&pad->events.axis, &event);
	wl_signal_emit_mutable(&pad->events.frame, pad);
}

/* Of the wheel, on the ground, only one direction. */
static struct city_bind *bind_ground_down(struct city_server *server) {
	struct city_bind *bind = NULL;
	for (size_t i = 0; i < server->config->bind_count; i++) {
		if (strcmp(server->config->binds[i].command, "scroll pan") == 0) {
			bind = &server->config->binds[i];
		}
	}
	assert_non_null(bind);
	bind->code = CITY_WHEEL_DOWN;
	free(bind->command);
	bind->command = strdup("pan 10 0");
	return bind;
}

static void fingers_run_a_wheels_binding_by_notches(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	static const struct wlr_pointer_impl impl = {.name = "test"};
	static struct wlr_pointer pad;
	wlr_pointer_init(&pad, &impl, "a touchpad");
	wl_signal_emit_mutable(&server->backend->events.new_input, &pad.base);
	bind_ground_down(server);
	const struct city_camera *camera = &city_stage_focused(server)->camera;
	double from = camera->cx;
	scroll_fingers(&pad, 8);
	assert_double_equal(camera->cx, from, 1e-9);
	scroll_fingers(&pad, 8);
	assert_double_equal(camera->cx, from + 10, 1e-9);
	scroll_fingers(&pad, 30);
	assert_double_equal(camera->cx, from + 30, 1e-9);
	/* Lifted: what was left of a notch is gone. */
	scroll_fingers(&pad, 14);
	scroll_fingers(&pad, 0);
	scroll_fingers(&pad, 14);
	assert_double_equal(camera->cx, from + 30, 1e-9);
	wlr_pointer_finish(&pad);
}

static unsigned int to_clients;

static void count_scroll(struct wl_listener *listener, void *data) {
	const struct city_input_event *event = data;
	to_clients += event->kind == CITY_INPUT_SCROLL;
}

static void who_has_the_scroll_has_its_end(void **state) {
	struct inside *inside = *state;
	struct city_server *server = inside->server;
	static const struct wlr_pointer_impl impl = {.name = "test"};
	static struct wlr_pointer pad;
	wlr_pointer_init(&pad, &impl, "a touchpad");
	wl_signal_emit_mutable(&server->backend->events.new_input, &pad.base);
	struct wl_listener input = {.notify = count_scroll};
	wl_signal_add(&server->events.input, &input);
	struct city_bind *bind = bind_ground_down(server);
	to_clients = 0;
	/* Only the other direction is bound. */
	scroll_fingers(&pad, -20);
	assert_int_equal(to_clients, 1);
	scroll_fingers(&pad, 0);
	assert_int_equal(to_clients, 2);
	/* It is bound no more when they are lifted. */
	scroll_fingers(&pad, 20);
	bind->code = CITY_WHEEL_LEFT;
	scroll_fingers(&pad, 0);
	assert_int_equal(to_clients, 2);
	wl_list_remove(&input.link);
	wlr_pointer_finish(&pad);
}

static bool is_listed(const char *name, const char *list) {
	char word[64];
	int at = 0;
	for (; sscanf(list, "%63s%n", word, &at) == 1; list += at) {
		if (strcmp(word, name) == 0) {
			return true;
		}
	}
	return false;
}

/* What is there for buttons and wheels alone is nothing to run. */
static void completions_know_every_command(void **state) {
	static const struct {
		const char *file, *before, *begin, *end;
	} lists[] = {
		{"cityctl.bash", "\trun)", "-W '", "'"},
		{"_cityctl", "\trun)", "1:command:(", ")"},
		{"cityctl.fish", "__fish_seen_subcommand_from run'", "-a '", "'"},
	};
	char error[2048];
	assert_false(city_command_check("nonsense", CITY_BIND_KEY, error, sizeof(error)));
	char *known = strstr(error, "allowed: ");
	assert_non_null(known);
	known += strlen("allowed: ");
	for (char *comma = known; (comma = strchr(comma, ',')) != NULL;) {
		*comma = ' ';
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		char path[4096], text[32768], word[64];
		snprintf(path, sizeof(path), "%s/%s", getenv("SOURCE_CITY_COMPLETIONS"),
			lists[i].file);
		FILE *file = fopen(path, "re");
		assert_non_null(file);
		size_t size = fread(text, 1, sizeof(text) - 1, file);
		assert_true(feof(file));
		fclose(file);
		text[size] = '\0';
		char *list = strstr(text, lists[i].before);
		list = list == NULL ? NULL : strstr(list, lists[i].begin);
		assert_non_null(list);
		list += strlen(lists[i].begin);
		assert_non_null(strstr(list, lists[i].end));
		*strstr(list, lists[i].end) = '\0';
		int at = 0;
		for (const char *next = known; sscanf(next, "%63s%n", word, &at) == 1; next += at) {
			if (is_listed(word, list) == is_listed(word, "drag none scroll")) {
				fail_msg("%s: \"%s\" in: %s", lists[i].file, word, list);
			}
		}
		for (const char *next = list; sscanf(next, "%63s%n", word, &at) == 1; next += at) {
			if (!is_listed(word, known)) {
				fail_msg("%s: there is no \"%s\"", lists[i].file, word);
			}
		}
	}
}

static void same_binds(const struct city_config *all, const struct city_config *config) {
	for (size_t i = 0; i < config->bind_count; i++) {
		const struct city_bind *bind = &config->binds[i];
		const struct city_bind *same =
			city_bind_find(all, bind->kind, bind->place, bind->modifiers, bind->code);
		if (same == NULL || strcmp(same->command, bind->command) != 0) {
			fail_msg("only one of them binds something to \"%s\"", bind->command);
		}
	}
}

/* Between the street and the city: what is written on buildings comes when they cover all that has
 * text below them, names included. */
static void text_never_lies_over_text(void **state) {
	double last = 0;
	for (int i = 0; i < 140; i++) {
		double zoom = 0.3 * pow(0.995, i);
		double ink = city_scape_ink(zoom);
		assert_true(ink >= last);
		last = ink;
		if (ink > 0) {
			assert_true(city_scape_buildings(zoom) == 1);
			assert_true(city_scape_names(zoom) == 0);
		}
		assert_true(zoom < CITY_ZOOM_STREET || city_scape_buildings(zoom) == 0);
	}
	assert_true(last == 1);
}

static void names_are_broken_where_they_can_be(void **state) {
	struct city_label_style style = {.size = 13, .max_width = 10000, .max_lines = 3};
	int height = 0;
	static const char name[] = "tile_protocol.c";
	int width = city_label_draw(NULL, name, &style, 0, 0, &height);
	assert_true(width > 0 && height >= 13);
	assert_true(city_label_ascent(&style) > 0 && city_label_ascent(&style) < height);
	style.max_width = width;
	assert_int_equal(city_label_draw_name(NULL, name, &style, 0, 0, &height), 1);
	style.max_width = width - 1;
	assert_int_equal(city_label_draw_name(NULL, name, &style, 0, 0, &height), 2);
	style.max_lines = 1;
	assert_int_equal(city_label_draw_name(NULL, name, &style, 0, 0, &height), 0);
	style.max_lines = 3;
	style.max_width = width / 2;
	assert_int_equal(city_label_draw_name(NULL, name, &style, 0, 0, &height), 0);
	/* Cut off: two thirds of a word, or a beginning of something long. */
	assert_int_equal(city_label_draw(NULL, name, &style, 0, 0, &height), 0);
	style.max_width = width * 9 / 10;
	assert_true(city_label_draw(NULL, name, &style, 0, 0, &height) > 0);
	assert_true(city_label_draw(NULL, "a title that is much longer than there is room for it",
			    &style, 0, 0, &height) > 0);
}

/* The file is what users see of the defaults. */
static void the_shipped_config_binds_what_is_bound_without(void **state) {
	const char *path = getenv("SOURCE_CITY_CONFIG_DEFAULT");
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	struct city_config *without = city_config_default();
	struct city_config *bare = calloc(1, sizeof(*bare));
	assert_non_null(without);
	assert_non_null(bare);
	char line[256], keys[64], error[400];
	while (fgets(line, sizeof(line), file) != NULL) {
		struct city_bind bind;
		int at = 0;
		if (sscanf(line, "bind %63s %n", keys, &at) != 1) {
			continue;
		}
		line[strcspn(line, "\n")] = '\0';
		assert_true(city_bind_parse(keys, &bind, error, sizeof(error)));
		bind.command = strdup(line + at);
		bare->binds = realloc(bare->binds, (bare->bind_count + 1) * sizeof(bind));
		bare->binds[bare->bind_count++] = bind;
	}
	fclose(file);
	same_binds(without, bare);
	same_binds(bare, without);
	city_config_destroy(bare);
	city_config_destroy(without);
}

static char *make_text(void *data, size_t *size) {
	char *copy = strdup(data);
	*size = strlen(copy);
	return copy;
}

static unsigned int dropped;

static void drop_text(void *data) {
	free(data);
	dropped++;
}

static ino_t file_of(const char *path) {
	struct stat info;
	assert_int_equal(stat(path, &info), 0);
	return info.st_ino;
}

/* Writing replaces the file. */
static void what_is_written_is_left_alone(void **state) {
	struct inside *inside = *state;
	char path[128];
	snprintf(path, sizeof(path), "%s/written", inside->dir);
	struct city_writer *writer = city_writer_create(path);
	assert_non_null(writer);
	city_writer_put(writer, strdup("one"), 3);
	city_writer_flush(writer);
	ino_t first = file_of(path);
	city_writer_put(writer, strdup("one"), 3);
	city_writer_flush(writer);
	assert_int_equal(file_of(path), first);
	dropped = 0;
	city_writer_put_made(writer, make_text, drop_text, strdup("one"));
	city_writer_flush(writer);
	assert_int_equal(file_of(path), first);
	assert_int_equal(dropped, 1);
	city_writer_put_made(writer, make_text, drop_text, strdup("two"));
	city_writer_flush(writer);
	assert_int_not_equal(file_of(path), first);
	assert_int_equal(dropped, 2);
	/* What somebody else has changed is put right. */
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("owt", file);
	fclose(file);
	city_writer_put(writer, strdup("two"), 3);
	city_writer_destroy(writer);
	char text[8] = "";
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fread(text, 1, sizeof(text), file), 3);
	fclose(file);
	assert_string_equal(text, "two");
	assert_int_equal(unlink(path), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shipped_config_binds_what_is_bound_without),
		cmocka_unit_test(completions_know_every_command),
		cmocka_unit_test(text_never_lies_over_text),
		cmocka_unit_test_setup_teardown(
			names_are_broken_where_they_can_be, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(
			all_is_shown_with_its_names, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(
			fingers_run_a_wheels_binding_by_notches, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(
			who_has_the_scroll_has_its_end, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(
			a_lost_renderer_is_replaced, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(
			being_busy_counts_every_frame, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(
			a_picture_stands_for_the_surfaces, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(outputs_come_and_go, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(
			a_drag_taken_back_fills_the_same_screen, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(a_finger_moves_the_map, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(
			a_flick_glides_and_comes_to_rest, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(pictures_need_no_output, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(
			text_is_sharp_at_every_zoom, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(
			the_ends_of_numbers_are_harmless, inside_start, inside_stop),
		cmocka_unit_test_setup_teardown(
			what_is_written_is_left_alone, inside_start, inside_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

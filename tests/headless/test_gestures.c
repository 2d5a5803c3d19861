/* SPDX-License-Identifier: MIT */
/* Fingers on a touch screen and on a touchpad, which no client can have: they move the map. */
#include "inside_frames.h"

#include <math.h>
#include <wlr/backend.h>
#include <wlr/interfaces/wlr_pointer.h>
#include <wlr/interfaces/wlr_touch.h>
#include <wlr/types/wlr_cursor.h>

#include "compositor/command.h"
#include "compositor/config.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/view.h"

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

static void plug_in(struct city_server *server, struct wlr_pointer *pad) {
	static const struct wlr_pointer_impl impl = {.name = "test"};
	wlr_pointer_init(pad, &impl, "a touchpad");
	wl_signal_emit_mutable(&server->backend->events.new_input, &pad->base);
}

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
	static struct wlr_pointer pad;
	plug_in(server, &pad);
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
	static struct wlr_pointer pad;
	plug_in(server, &pad);
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
	static struct wlr_pointer pad;
	plug_in(server, &pad);
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

static const struct city_view_impl no_impl = {0};

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

int main(void) {
	const struct CMUnitTest tests[] = {
		INSIDE_TEST(a_finger_moves_the_map),
		INSIDE_TEST(a_flick_glides_and_comes_to_rest),
		INSIDE_TEST(fingers_run_a_wheels_binding_by_notches),
		INSIDE_TEST(who_has_the_scroll_has_its_end),
		INSIDE_TEST(the_ends_of_numbers_are_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Outputs come and go, renderers are lost, and every frame is counted. */
#include "inside_frames.h"

#include <unistd.h>
#include <wlr/backend/headless.h>
#include <wlr/backend/multi.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_output.h>

#include "compositor/output.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/view.h"

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

int main(void) {
	const struct CMUnitTest tests[] = {
		INSIDE_TEST(a_lost_renderer_is_replaced),
		INSIDE_TEST(being_busy_counts_every_frame),
		INSIDE_TEST(outputs_come_and_go),
		INSIDE_TEST(a_drag_taken_back_fills_the_same_screen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

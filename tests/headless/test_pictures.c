/* SPDX-License-Identifier: MIT */
/* Pictures of the city without an output, and pictures in the place of a view's surfaces. */
#include "inside_frames.h"

#include <unistd.h>
#include <wlr/interfaces/wlr_buffer.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/config.h"
#include "compositor/label.h"
#include "compositor/output.h"
#include "compositor/server.h"
#include "compositor/shot.h"
#include "compositor/stage.h"
#include "compositor/view.h"

static const struct city_view_impl no_impl = {0};

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

int main(void) {
	const struct CMUnitTest tests[] = {
		INSIDE_TEST(a_picture_stands_for_the_surfaces),
		INSIDE_TEST(pictures_need_no_output),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

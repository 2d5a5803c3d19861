/* SPDX-License-Identifier: MIT */
/* What is written on the map: sharp, where it can be read, and never over something else. */
#include "inside_frames.h"

#include <limits.h>
#include <math.h>
#include <wlr/interfaces/wlr_buffer.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/ground.h"
#include "compositor/label.h"
#include "compositor/scape.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/view.h"

static const char *some_title(struct city_view *view) {
	return "a title";
}

static const struct city_view_impl titled_impl = {.title = some_title};

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

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_never_lies_over_text),
		INSIDE_TEST(names_are_broken_where_they_can_be),
		INSIDE_TEST(all_is_shown_with_its_names),
		INSIDE_TEST(text_is_sharp_at_every_zoom),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

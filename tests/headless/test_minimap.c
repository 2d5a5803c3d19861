/* SPDX-License-Identifier: MIT */
/* The minimap: all of the city is on it, and the pointer goes anywhere by it. */
#include "inside.h"

#include <limits.h>
#include <wlr/backend.h>
#include <wlr/interfaces/wlr_pointer.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/minimap.h"
#include "compositor/scape.h"
#include "compositor/seat.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/view.h"

#define DISTANCE 16 /* of the minimap from the screen's edges */

static const struct city_view_impl no_impl = {0};

struct look {
	struct city_server *server;
	char dir[64];
	struct city_stage *stage;
	struct city_view view;
	struct wlr_pointer mouse;
	uint32_t msec;
};

static int look_start(void **state) {
	struct look *look = calloc(1, sizeof(*look));
	look->server = inside_server(look->dir);
	look->stage = city_stage_focused(look->server);
	assert_true(city_view_init(&look->view, look->server, CITY_VIEW_GUEST, &no_impl));
	city_view_set_size(&look->view, 200, 100);
	city_view_show(&look->view, &(struct city_box){540, 320, 200, 100});
	static const struct wlr_pointer_impl impl = {.name = "test"};
	wlr_pointer_init(&look->mouse, &impl, "a mouse");
	wl_signal_emit_mutable(&look->server->backend->events.new_input, &look->mouse.base);
	*state = look;
	return 0;
}

static int look_stop(void **state) {
	struct look *look = *state;
	wlr_pointer_finish(&look->mouse);
	city_view_finish(&look->view);
	city_server_destroy(look->server);
	assert_int_equal(rmdir(look->dir), 0);
	free(look);
	return 0;
}

static void move(struct look *look, double ox, double oy) {
	struct wlr_pointer_motion_absolute_event event = {
		.pointer = &look->mouse,
		.time_msec = look->msec += 8,
		.x = ox / 1280,
		.y = oy / 720,
	};
	wl_signal_emit_mutable(&look->mouse.events.motion_absolute, &event);
}

static void press(struct look *look, bool pressed) {
	struct wlr_pointer_button_event event = {
		.pointer = &look->mouse,
		.time_msec = look->msec += 8,
		.button = BTN_LEFT,
		.state = pressed ? WL_POINTER_BUTTON_STATE_PRESSED
				 : WL_POINTER_BUTTON_STATE_RELEASED,
	};
	wl_signal_emit_mutable(&look->mouse.events.button, &event);
}

static bool on_minimap(const struct look *look, int ox, int oy) {
	return city_hit_test(look->server, ox, oy).kind == CITY_HIT_MINIMAP;
}

/* Where it is on the screen. */
static struct wlr_box find(const struct look *look) {
	int right = 1280 - DISTANCE, bottom = 720 - DISTANCE, left = right, top = bottom;
	while (left > 0 && on_minimap(look, left - 1, bottom - 1)) {
		left--;
	}
	while (top > 0 && on_minimap(look, right - 1, top - 1)) {
		top--;
	}
	assert_true(left < right && top < bottom);
	return (struct wlr_box){left, top, right - left, bottom - top};
}

/* Whether it has a rectangle of this colour there. */
static bool has_color(const struct look *look, uint32_t rgba, double ox, double oy) {
	float color[4];
	city_color_float(rgba, color);
	struct wlr_scene_node *node;
	wl_list_for_each(node, &look->stage->layers.minimap->children, link) {
		if (node->type != WLR_SCENE_NODE_RECT || !node->enabled) {
			continue;
		}
		const struct wlr_scene_rect *rect = wlr_scene_rect_from_node(node);
		struct wlr_box box = {node->x, node->y, rect->width, rect->height};
		if (city_color_same(rect->color, color) && wlr_box_contains_point(&box, ox, oy)) {
			return true;
		}
	}
	return false;
}

static void all_of_the_city_is_on_it(void **state) {
	struct look *look = *state;
	const struct city_palette *palette = city_palette_of(CITY_STYLE_DARK);
	/* Drawn before the source is known, and again then. */
	city_minimap_show(look->stage, true);
	size_t count;
	const struct city_quarter *quarters = inside_quarters(look->server, &count);
	for (int i = 0; i < 3; i++) {
		wl_event_loop_dispatch(look->server->loop, 0);
	}
	struct wlr_box box = find(look);
	double left, top, right, bottom;
	city_minimap_to_city(look->stage, box.x, box.y, &left, &top);
	city_minimap_to_city(look->stage, box.x + box.width, box.y + box.height, &right, &bottom);
	double scale = box.width / (right - left);
	for (size_t i = 0; i < count; i++) {
		struct city_box quarter = quarters[i].box;
		assert_int_not_equal(quarters[i].site, CITY_NO_SITE);
		assert_true(quarter.cx >= left && quarter.cx + quarter.width <= right);
		assert_true(quarter.cy >= top && quarter.cy + quarter.height <= bottom);
		assert_true(has_color(look, palette->district_inner,
			box.x + (quarter.cx + quarter.width / 2 - left) * scale,
			box.y + (quarter.cy + quarter.height / 2 - top) * scale));
	}
	assert_true(has_color(
		look, palette->guest, box.x + (640 - left) * scale, box.y + (370 - top) * scale));
	city_minimap_show(look->stage, false);
	assert_false(on_minimap(look, box.x, box.y));
}

/* The camera comes to rest on whole pixels. */
static void expect_centre(const struct look *look, double cx, double cy) {
	const struct city_camera *camera = &look->stage->camera;
	assert_double_equal(camera->cx + 640 / camera->zoom, cx, 0.51);
	assert_double_equal(camera->cy + 360 / camera->zoom, cy, 0.51);
}

static void it_leads_anywhere(void **state) {
	struct look *look = *state;
	size_t count;
	inside_quarters(look->server, &count);
	struct city_camera before = look->stage->camera;
	city_minimap_show(look->stage, true);
	struct wlr_box box = find(look);
	double cx, cy;
	/* What is clicked comes into the middle, and the pointer takes it along. */
	city_minimap_to_city(look->stage, box.x + 20, box.y + 12, &cx, &cy);
	move(look, box.x + 20, box.y + 12);
	press(look, true);
	expect_centre(look, cx, cy);
	city_minimap_to_city(look->stage, box.x + 31, box.y + 9, &cx, &cy);
	move(look, box.x + 31, box.y + 9);
	expect_centre(look, cx, cy);
	press(look, false);
	move(look, box.x + 5, box.y + 40);
	expect_centre(look, cx, cy);
	/* The click was a journey. */
	city_map_back(look->stage);
	assert_double_equal(look->stage->camera.cx, before.cx, 1e-6);
	/* The map goes on below it; where the screen shows nothing of the city its frame is at the
	 * edge on that side. */
	uint32_t seen = city_palette_of(CITY_STYLE_DARK)->seen;
	city_map_set(look->stage, -1e6, before.cy, 1);
	assert_true(has_color(look, seen, box.x + 1, box.y + box.height / 2.0) ||
		has_color(look, seen, box.x + 1, box.y + 1));
	assert_false(has_color(look, seen, box.x + box.width - 2, box.y + box.height / 2.0));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_of_the_city_is_on_it, look_start, look_stop),
		cmocka_unit_test_setup_teardown(it_leads_anywhere, look_start, look_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The sheets that the cityscape is shown by: what a frame draws of them, and what is seen
 * meanwhile. */
#include "inside.h"

#include <pixman.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/edition.h"
#include "compositor/scape.h"
#include "compositor/sheets.h"
#include "compositor/stage.h"
#include "compositor/theme.h"

struct seen {
	pixman_region32_t region; /* that the sheets cover */
	long area;		  /* of all of them */
	int count, whole;	  /* whole: shown pixel for pixel */
	struct wlr_buffer *buffers[64];
};

struct look {
	struct city_server *server;
	char dir[64];
	struct city_stage *stage;
	struct city_box quarter; /* the city's own source */
	struct wl_listener presented;
	unsigned int holes; /* frames that lacked something of it */
	unsigned int frames;
	struct seen before;
};

static void see(struct wlr_scene_buffer *buffer, int x, int y, void *data) {
	struct seen *seen = data;
	/* Labels have none. */
	if (wlr_fbox_empty(&buffer->src_box)) {
		return;
	}
	assert_true(seen->count < 64);
	seen->buffers[seen->count++] = buffer->buffer;
	seen->whole += buffer->dst_width == CITY_SHEET && buffer->dst_height == CITY_SHEET;
	seen->area += (long)buffer->dst_width * buffer->dst_height;
	pixman_region32_union_rect(&seen->region, &seen->region, x, y,
		(unsigned int)buffer->dst_width, (unsigned int)buffer->dst_height);
}

/* The sheets below a tree that are shown. */
static struct seen look_at(struct wlr_scene_tree *tree) {
	struct seen seen = {0};
	pixman_region32_init(&seen.region);
	wlr_scene_node_for_each_buffer(&tree->node, see, &seen);
	return seen;
}

static long area_of(pixman_region32_t *region) {
	int count;
	long area = 0;
	const pixman_box32_t *boxes = pixman_region32_rectangles(region, &count);
	for (int i = 0; i < count; i++) {
		area += (long)(boxes[i].x2 - boxes[i].x1) * (boxes[i].y2 - boxes[i].y1);
	}
	return area;
}

/* Whether all that is in view of the quarter lies under sheets. */
static bool is_covered(const struct look *look) {
	const struct city_stage *stage = look->stage;
	struct wlr_box box = city_map_box(&stage->camera, look->quarter), in_view;
	/* Its edges are rounded for another zoom. */
	box = (struct wlr_box){box.x + 2, box.y + 2, box.width - 4, box.height - 4};
	if (!wlr_box_intersection(&in_view, &box, &stage->box)) {
		return true;
	}
	struct seen seen = look_at(stage->layers.districts);
	pixman_region32_t left;
	pixman_region32_init_rect(&left, in_view.x, in_view.y, (unsigned int)in_view.width,
		(unsigned int)in_view.height);
	pixman_region32_subtract(&left, &left, &seen.region);
	bool covered = pixman_region32_empty(&left);
	pixman_region32_fini(&left);
	pixman_region32_fini(&seen.region);
	return covered;
}

static void handle_presented(struct wl_listener *listener, void *data) {
	struct look *look = wl_container_of(listener, look, presented);
	look->frames++;
	look->holes += !is_covered(look);
}

static int look_start(void **state) {
	struct look *look = calloc(1, sizeof(*look));
	look->server = inside_server(look->dir);
	look->stage = city_stage_focused(look->server);
	size_t count;
	const struct city_quarter *quarters = inside_quarters(look->server, &count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(quarters[i].name, CITY_OWN_QUARTER) == 0) {
			look->quarter = quarters[i].box;
		}
	}
	assert_true(look->quarter.width > 0);
	look->presented.notify = handle_presented;
	wl_signal_add(&look->server->events.frame_presented, &look->presented);
	*state = look;
	return 0;
}

static int look_stop(void **state) {
	struct look *look = *state;
	wl_list_remove(&look->presented.link);
	city_server_destroy(look->server);
	assert_int_equal(rmdir(look->dir), 0);
	free(look);
	return 0;
}

/* A camera for the quarter's upper left corner. */
static void look_here(const struct look *look, double zoom, double *cx, double *cy) {
	*cx = look->quarter.cx - 50 / zoom;
	*cy = look->quarter.cy - 50 / zoom;
}

static bool is_finished(void *data) {
	struct look *look = data;
	if (look->stage->camera.moving || !is_covered(look)) {
		return false;
	}
	struct seen seen = look_at(look->stage->layers.districts);
	pixman_region32_fini(&seen.region);
	return seen.count > 0 && seen.whole == seen.count;
}

static void finish(struct look *look) {
	inside_run_until(look->server, is_finished, look);
}

static struct city_paint paint_for(const struct look *look, double zoom) {
	return (struct city_paint){
		.palette = city_palette_of(look->server->config->style),
		.survey = city_scape_survey(look->server),
		.zoom = zoom,
		.scale = 1,
	};
}

static int drawn_sheets(const struct city_edition *edition) {
	return wl_list_length(&edition->tree->children);
}

static void what_there_is_no_time_for_is_drawn_later(void **state) {
	struct look *look = *state;
	struct city_edition edition;
	assert_true(city_edition_init(&edition, look->stage->layers.lock));
	const double zoom = edition.zoom = 0.5;
	const struct city_paint paint = paint_for(look, zoom);
	struct city_camera camera = look->stage->camera;
	camera.zoom = zoom;
	look_here(look, zoom, &camera.cx, &camera.cy);
	const struct city_sheet_span view = city_sheets_in_view(look->stage, &camera, zoom);
	/* One on each frame, though all time is over. */
	int drawn = 0;
	for (enum city_drawn result = CITY_DRAWN_SOME; result != CITY_DRAWN_ALL;) {
		struct city_draw_budget budget = {.end_ns = 1};
		result = city_edition_draw(&edition, &paint, view, &budget);
		assert_int_not_equal(result, CITY_DRAWN_NO_MEMORY);
		int more = drawn_sheets(&edition) - drawn;
		assert_int_equal(more, result == CITY_DRAWN_ALL && !budget.used ? 0 : 1);
		drawn += more;
	}
	assert_true(drawn >= 4 && drawn <= 12);
	/* Nothing is drawn twice, unless it has changed. */
	struct city_draw_budget budget = {.end_ns = 1};
	assert_int_equal(city_edition_draw(&edition, &paint, view, &budget), CITY_DRAWN_ALL);
	assert_false(budget.used);
	city_edition_damage(&edition, &look->quarter);
	assert_int_equal(city_edition_draw(&edition, &paint, view, &budget), CITY_DRAWN_SOME);
	assert_true(budget.used);
	/* With all the time there is. */
	city_edition_damage(&edition, NULL);
	budget = (struct city_draw_budget){0};
	assert_int_equal(city_edition_draw(&edition, &paint, view, &budget), CITY_DRAWN_ALL);
	assert_int_equal(drawn_sheets(&edition), drawn);
	city_edition_clear(&edition);
	assert_int_equal(drawn_sheets(&edition), 0);
	wlr_scene_node_destroy(&edition.tree->node);
}

static void set_camera(struct look *look, double zoom) {
	double cx, cy;
	look_here(look, zoom, &cx, &cy);
	look->stage->camera.zoom = zoom;
	look->stage->camera.cx = cx;
	look->stage->camera.cy = cy;
}

static void sheets_meet_at_any_zoom(void **state) {
	struct look *look = *state;
	struct city_stage *stage = look->stage;
	struct city_edition lower, upper;
	assert_true(city_edition_init(&lower, stage->layers.districts));
	assert_true(city_edition_init(&upper, stage->layers.drag));
	lower.zoom = upper.zoom = 0.5;
	const struct city_paint paint = paint_for(look, lower.zoom);
	set_camera(look, lower.zoom);
	const struct city_sheet_span view = city_sheets_in_view(stage, &stage->camera, lower.zoom);
	struct city_draw_budget budget = {0};
	assert_int_equal(city_edition_draw(&lower, &paint, view, &budget), CITY_DRAWN_ALL);
	const double zooms[] = {0.5, 0.3, 0.4999, 0.5001, 0.7, 1.3, 3.7, 8};
	for (size_t i = 0; i < sizeof(zooms) / sizeof(zooms[0]); i++) {
		set_camera(look, zooms[i]);
		city_edition_place(&lower, stage, 1, NULL);
		struct seen seen = look_at(lower.tree);
		/* They do not overlap, and leave nothing free. */
		assert_int_equal(seen.area, area_of(&seen.region));
		assert_true(zooms[i] < 0.5 || is_covered(look));
		assert_true(zooms[i] != 0.5 || seen.whole == seen.count);
		pixman_region32_fini(&seen.region);
	}
	/* What lies above all of a sheet hides it. */
	set_camera(look, 0.5);
	city_edition_place(&lower, stage, 1, NULL);
	struct seen all = look_at(lower.tree);
	for (int drawn = 0; drawn <= all.count; drawn++) {
		city_edition_place(&lower, stage, 1, &upper);
		struct seen seen = look_at(lower.tree);
		assert_int_equal(seen.count, all.count - drawn);
		pixman_region32_fini(&seen.region);
		budget = (struct city_draw_budget){.end_ns = 1};
		city_edition_draw(&upper, &paint, view, &budget);
	}
	pixman_region32_fini(&all.region);
	city_edition_clear(&lower);
	city_edition_clear(&upper);
	wlr_scene_node_destroy(&lower.tree->node);
	wlr_scene_node_destroy(&upper.tree->node);
}

/* On the way from one zoom to another: what is hidden is hidden to the pixel. */
static void nothing_is_missing_between_editions(void **state) {
	struct look *look = *state;
	struct city_stage *stage = look->stage;
	const double zooms[] = {0.5, 2};
	struct city_edition editions[2], *lower = &editions[0], *upper = &editions[1];
	for (int i = 0; i < 2; i++) {
		assert_true(city_edition_init(&editions[i], stage->layers.districts));
		editions[i].zoom = zooms[i];
		const struct city_paint paint = paint_for(look, zooms[i]);
		set_camera(look, zooms[i]);
		struct city_draw_budget budget = {0};
		assert_int_equal(
			city_edition_draw(&editions[i], &paint,
				city_sheets_in_view(stage, &stage->camera, zooms[i]), &budget),
			CITY_DRAWN_ALL);
	}
	for (int i = 0; i <= 2000; i++) {
		set_camera(look, zooms[0] + (zooms[1] - zooms[0]) * i / 2000);
		city_edition_place(upper, stage, 1, NULL);
		city_edition_place(lower, stage, 1, upper);
		assert_true(is_covered(look));
		city_edition_place(lower, stage, 1, NULL);
		city_edition_place(upper, stage, 1, lower);
		assert_true(is_covered(look));
	}
	for (int i = 0; i < 2; i++) {
		city_edition_clear(&editions[i]);
		wlr_scene_node_destroy(&editions[i].tree->node);
	}
}

static void go(struct look *look, double zoom) {
	double cx, cy;
	look_here(look, zoom, &cx, &cy);
	city_map_go(look->stage, cx, cy, zoom);
}

static void what_was_seen_is_seen_until_there_is_better(void **state) {
	struct look *look = *state;
	go(look, 0.5);
	finish(look);
	/* Going near there is something at any time, in the end for that very zoom. */
	look->server->config->animations = true;
	look->holes = look->frames = 0;
	go(look, 2);
	finish(look);
	assert_true(look->frames >= 2);
	assert_int_equal(look->holes, 0);
	/* The same by a hand, which says nowhere where it goes. */
	look->server->config->animations = false;
	for (double zoom = 2; zoom < 5; zoom *= 1.04) {
		unsigned int frames = look->frames;
		go(look, zoom);
		while (look->frames == frames) {
			wl_event_loop_dispatch(look->server->loop, 10);
		}
	}
	finish(look);
	assert_int_equal(look->holes, 0);
	/* Far away there is more to see than there was: that comes. */
	look->server->config->animations = true;
	go(look, 0.3);
	finish(look);
}

static bool all_differ(void *data) {
	struct look *look = data;
	struct seen now = look_at(look->stage->layers.districts);
	pixman_region32_fini(&now.region);
	bool differ = now.count == look->before.count;
	for (int i = 0; i < now.count && differ; i++) {
		for (int j = 0; j < now.count; j++) {
			differ = differ && now.buffers[i] != look->before.buffers[j];
		}
	}
	return differ;
}

static void what_has_changed_is_drawn_again(void **state) {
	struct look *look = *state;
	go(look, 0.5);
	finish(look);
	look->holes = 0;
	look->before = look_at(look->stage->layers.districts);
	pixman_region32_fini(&look->before.region);
	for (int i = 0; i < look->before.count; i++) {
		wlr_buffer_lock(look->before.buffers[i]); /* so that no other has its address */
	}
	city_sheets_damage(look->stage, CITY_SHEETS_QUARTERS, NULL);
	inside_run_until(look->server, all_differ, look);
	assert_int_equal(look->holes, 0);
	for (int i = 0; i < look->before.count; i++) {
		wlr_buffer_unlock(look->before.buffers[i]);
	}
}

#define LOOK_TEST(name) cmocka_unit_test_setup_teardown(name, look_start, look_stop)

int main(void) {
	const struct CMUnitTest tests[] = {
		LOOK_TEST(what_there_is_no_time_for_is_drawn_later),
		LOOK_TEST(sheets_meet_at_any_zoom),
		LOOK_TEST(nothing_is_missing_between_editions),
		LOOK_TEST(what_was_seen_is_seen_until_there_is_better),
		LOOK_TEST(what_has_changed_is_drawn_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

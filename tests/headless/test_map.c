/* SPDX-License-Identifier: MIT */
/* Where things are on the screen at every zoom, to the pixel. */
#include "fixture.h"

#include <math.h>

#include "compositor/theme.h"

#include "viewporter-client-protocol.h"

static void windows_scale_with_the_map(void **state) {
	struct fixture *f = *state;
	struct window *window = window_create(f->client, 200, 100, RED);
	client_expect_rect(f->client, RED, FIRST_X, FIRST_Y, 200, 100);
	client_key(f->client, KEY_2, SUPER);
	/* 321 / 2 and 421 / 2 round up: edges are rounded, not sizes. */
	client_expect_rect(f->client, RED, 270, 161, 100, 50);
	client_key(f->client, KEY_3, SUPER);
	client_expect_rect(f->client, RED, 280, 242, 400, 200);
	client_key(f->client, KEY_1, SUPER);
	client_expect_rect(f->client, RED, FIRST_X, FIRST_Y, 200, 100);
	window_destroy(window);
}

static void commits_do_not_undo_the_zoom(void **state) {
	struct fixture *f = *state;
	struct window *window = window_create(f->client, 200, 100, RED);
	client_key(f->client, KEY_3, SUPER);
	window->color = GREEN;
	window_draw(window, 200, 100);
	client_expect_rect(f->client, GREEN, 280, 242, 400, 200);
	/* A new size too. */
	window->color = BLUE;
	window_draw(window, 100, 60);
	client_expect_rect(f->client, BLUE, 280, 242, 200, 120);
	window_destroy(window);
}

static void subsurfaces_stay_where_they_belong(void **state) {
	struct fixture *f = *state;
	struct window *window = window_create(f->client, 200, 100, RED);
	struct window *sub = window_create_sub(window, 31, 17, 40, 20, GREEN);
	struct window *deep = window_create_sub(sub, 5, 5, 10, 10, BLUE);
	client_expect_rect(f->client, GREEN, FIRST_X + 31, FIRST_Y + 17, 40, 20);
	client_expect_rect(f->client, BLUE, FIRST_X + 36, FIRST_Y + 22, 10, 10);
	client_key(f->client, KEY_3, SUPER);
	client_expect_rect(f->client, GREEN, 280 + 62, 242 + 34, 80, 40);
	client_expect_rect(f->client, BLUE, 280 + 72, 242 + 44, 20, 20);
	/* It draws by itself, zoomed, and moves with its parent's next commit. */
	sub->color = YELLOW;
	window_draw(sub, 30, 20);
	client_expect_rect(f->client, YELLOW, 280 + 62, 242 + 34, 60, 40);
	wl_subsurface_set_position(sub->subsurface, 100, 50);
	wl_surface_commit(window->surface);
	client_expect_rect(f->client, YELLOW, 280 + 200, 242 + 100, 60, 40);
	client_expect_rect(f->client, BLUE, 280 + 210, 242 + 110, 20, 20);
	/* Below its parent it is hidden by it. */
	wl_subsurface_place_below(sub->subsurface, window->surface);
	wl_surface_commit(window->surface);
	client_expect_rect(f->client, YELLOW, 0, 0, 0, 0);
	wl_subsurface_place_above(sub->subsurface, window->surface);
	wl_surface_commit(window->surface);
	client_expect_rect(f->client, YELLOW, 280 + 200, 242 + 100, 60, 40);
	window_destroy(deep);
	window_destroy(sub);
	client_expect_rect(f->client, YELLOW, 0, 0, 0, 0);
	window_destroy(window);
}

static void neighbours_have_no_seam(void **state) {
	struct fixture *f = *state;
	struct window *window = window_create(f->client, 200, 100, RED);
	struct window *left = window_create_sub(window, 0, 0, 67, 100, GREEN);
	struct window *right = window_create_sub(window, 67, 0, 133, 100, BLUE);
	client_key(f->client, KEY_4, SUPER);
	struct picture picture = client_capture(f->client);
	struct rect a = picture_find(&picture, GREEN), b = picture_find(&picture, BLUE);
	assert_int_equal(a.x + a.width, b.x);
	assert_int_equal(picture_find(&picture, RED).width, 0);
	picture_free(&picture);
	window_destroy(right);
	window_destroy(left);
	window_destroy(window);
}

static void viewports_are_scaled_once(void **state) {
	struct fixture *f = *state;
	struct window *window = window_create(f->client, 200, 100, RED);
	struct wp_viewport *viewport =
		wp_viewporter_get_viewport(f->client->viewporter, window->surface);
	wp_viewport_set_destination(viewport, 300, 150);
	window->color = GREEN;
	window_draw(window, 10, 5);
	client_expect_rect(f->client, GREEN, FIRST_X, FIRST_Y, 300, 150);
	client_key(f->client, KEY_3, SUPER);
	client_expect_rect(f->client, GREEN, 280, 242, 600, 300);
	wp_viewport_destroy(viewport);
	window_destroy(window);
}

static void popups_follow_the_zoom(void **state) {
	struct fixture *f = *state;
	struct window *window = window_create(f->client, 200, 100, RED);
	struct window *popup = window_create_popup(window, 20, 30, 80, 40, GREEN);
	struct window *nested = window_create_popup(popup, 40, 20, 30, 30, BLUE);
	client_expect_rect(f->client, GREEN, FIRST_X + 20, FIRST_Y + 30, 80, 40);
	client_expect_rect(f->client, BLUE, FIRST_X + 60, FIRST_Y + 50, 30, 30);
	client_key(f->client, KEY_3, SUPER);
	client_expect_rect(f->client, BLUE, 280 + 120, 242 + 100, 60, 60);
	client_key(f->client, KEY_2, SUPER);
	client_expect_rect(f->client, GREEN, 280, 176, 40, 20);
	nested->color = YELLOW;
	window_draw(nested, 30, 30);
	client_expect_rect(f->client, YELLOW, 300, 186, 15, 15);
	window_destroy(nested);
	window_destroy(popup);
	window_destroy(window);
}

static void popups_stay_on_the_screen(void **state) {
	struct fixture *f = *state;
	struct window *window = window_create(f->client, 200, 100, RED);
	/* At zoom 2 the screen ends at city 400 + 640 = 1040 and 200 + 360 = 560. */
	client_key(f->client, KEY_3, SUPER);
	struct window *popup = window_create_popup(window, 190, 90, 400, 200, GREEN);
	/* 540 + 190 + 400 = 1130 is 90 too far; 321 + 90 + 200 = 611 is 51 too far. */
	assert_int_equal(popup->popup_x, 190 - 90);
	assert_int_equal(popup->popup_y, 90 - 51);
	client_expect_rect(f->client, GREEN, 1280 - 800, 720 - 400, 800, 400);
	window_destroy(popup);
	window_destroy(window);
}

static void new_windows_do_not_cover_others(void **state) {
	struct fixture *f = *state;
	struct window *a = window_create(f->client, 300, 200, RED);
	struct window *b = window_create(f->client, 300, 200, GREEN);
	struct window *c = window_create(f->client, 300, 200, BLUE);
	struct picture picture = client_capture(f->client);
	uint32_t colors[] = {RED, GREEN, BLUE};
	for (int i = 0; i < 3; i++) {
		struct rect rect = picture_find(&picture, colors[i]);
		assert_int_equal(rect.width, 300);
		assert_int_equal(rect.height, 200);
	}
	picture_free(&picture);
	window_destroy(c);
	window_destroy(b);
	window_destroy(a);
}

static void camera_follows_a_window_out_of_sight(void **state) {
	struct fixture *f = *state;
	struct window *a = window_create(f->client, 600, 500, RED);
	struct window *b = window_create(f->client, 600, 500, GREEN);
	struct picture picture = client_capture(f->client);
	struct rect rect = picture_find(&picture, GREEN);
	assert_int_equal(rect.width, 600);
	assert_int_equal(rect.height, 500);
	picture_free(&picture);
	/* Far away; Super+0 comes back to what has the focus. */
	client_key(f->client, KEY_6, SUPER);
	client_expect_rect(f->client, GREEN, 0, 0, 0, 0);
	client_key(f->client, KEY_0, SUPER);
	picture = client_capture(f->client);
	assert_int_equal(picture_find(&picture, GREEN).width, 600);
	picture_free(&picture);
	window_destroy(b);
	window_destroy(a);
}

static bool has_frame(void *data) {
	struct window *window = data;
	return window->frames > 0;
}

static void hidden_windows_get_no_frames(void **state) {
	struct fixture *f = *state;
	struct window *window = window_create(f->client, 200, 100, RED);
	window_request_frame(window);
	client_wait(f->client, has_frame, window, "a frame callback");
	client_key(f->client, KEY_6, SUPER);
	window->frames = 0;
	window_request_frame(window);
	struct picture picture = client_capture(f->client); /* a frame was drawn */
	picture_free(&picture);
	client_roundtrip(f->client);
	assert_int_equal(window->frames, 0);
	client_key(f->client, KEY_1, SUPER);
	client_wait(f->client, has_frame, window, "a frame callback after coming back");
	window_destroy(window);
}

static void the_zoom_ladder_returns_to_the_room(void **state) {
	struct fixture *f = *state;
	struct window *window = window_create(f->client, 200, 100, RED);
	for (int i = 0; i < 5; i++) {
		client_key(f->client, KEY_MINUS, SUPER);
	}
	for (int i = 0; i < 5; i++) {
		client_key(f->client, KEY_EQUAL, SUPER);
	}
	client_expect_rect(f->client, RED, FIRST_X, FIRST_Y, 200, 100);
	client_key(f->client, KEY_MINUS, SUPER);
	client_key(f->client, KEY_MINUS, SUPER);
	/* Half, about the middle of the screen at 640,360: 321 is 39 above it, 421 is 61 below. */
	client_expect_rect(f->client, RED, 590, 341, 100, 50);
	window_destroy(window);
}

static void frames_are_drawn_round_the_content(void **state) {
	struct fixture *f = *state;
	struct window *window = window_create_framed(f->client, 200, 100, RED);
	assert_true(window->framed);
	client_expect_rect(f->client, RED, FIRST_X, FIRST_Y, 200, 100);
	struct picture picture = client_capture(f->client);
	uint32_t focus = city_palette_of(CITY_STYLE_DARK)->focus >> 8;
	assert_int_equal(picture_at(&picture, FIRST_X - 1, FIRST_Y + 50), focus);
	assert_int_equal(picture_at(&picture, FIRST_X + 200, FIRST_Y + 50), focus);
	assert_int_equal(picture_at(&picture, FIRST_X + 100, FIRST_Y + 100), focus);
	assert_int_equal(picture_at(&picture, FIRST_X + 190, FIRST_Y - 20), focus);
	assert_int_not_equal(picture_at(&picture, FIRST_X + 190, FIRST_Y - 26), focus);
	picture_free(&picture);
	window_destroy(window);
}

static void who_comes_back_in_sight_lies_where_it_did(void **state) {
	struct fixture *f = *state;
	struct window *low = window_create(f->client, 200, 100, RED);
	client_key(f->client, KEY_8, SUPER);
	struct window *large = window_create(f->client, 1000, 400, GREEN);
	client_key(f->client, KEY_8, SUPER);
	struct window *high = window_create(f->client, 180, 100, BLUE);
	client_key(f->client, KEY_8, SUPER);
	client_key(f->client, KEY_1, SUPER);
	const uint32_t ways[] = {KEY_3, KEY_6}; /* only the large one stays in sight; none does */
	for (size_t i = 0; i < 2; i++) {
		client_expect_rect(f->client, GREEN, 100, 80, 1000, 400);
		client_expect_rect(f->client, BLUE, 100, 80, 180, 100);
		client_expect_rect(f->client, RED, 0, 0, 0, 0);
		client_key(f->client, ways[i], SUPER);
		client_expect_rect(f->client, BLUE, 0, 0, 0, 0);
		client_key(f->client, KEY_1, SUPER);
	}
	/* Raised meanwhile. */
	client_key(f->client, KEY_3, SUPER);
	client_expect_rect(f->client, GREEN, 0, 0, 1280, 560);
	client_pointer_move(f->client, 600, 300);
	client_pointer_button(f->client, BTN_LEFT, true);
	client_pointer_button(f->client, BTN_LEFT, false);
	client_key(f->client, KEY_1, SUPER);
	client_expect_rect(f->client, GREEN, 100, 80, 1000, 400);
	client_expect_rect(f->client, BLUE, 0, 0, 0, 0);
	window_destroy(large);
	client_expect_rect(f->client, BLUE, 100, 80, 180, 100);
	client_expect_rect(f->client, RED, 280, 80, 20, 100);
	window_destroy(high);
	window_destroy(low);
}

/* A spot of 10 by 10 in the middle of the window gets another colour. */
static void change_spot(void *data) {
	struct window *window = data;
	struct wl_buffer *buffer = client_buffer(window->client, 200, 100, GREEN);
	wl_surface_attach(window->surface, buffer, 0, 0);
	wl_surface_damage_buffer(window->surface, 100, 50, 10, 10);
	wl_surface_commit(window->surface);
	client_roundtrip(window->client);
	wl_buffer_destroy(buffer);
}

static void little_is_drawn_again_at_any_zoom(void **state) {
	struct fixture *f = *state;
	const struct {
		int key;
		double x, y, zoom;
	} cameras[] = {{KEY_1, 0, 0, 1}, {KEY_2, 0, 0, 0.5}, {KEY_3, 400, 200, 2}};
	for (size_t i = 0; i < sizeof(cameras) / sizeof(cameras[0]); i++) {
		struct window *window = window_create(f->client, 200, 100, RED);
		client_key(f->client, (uint32_t)cameras[i].key, SUPER);
		double zoom = cameras[i].zoom;
		int x = (int)lround((FIRST_X - cameras[i].x) * zoom) + (int)(100 * zoom);
		int y = (int)lround((FIRST_Y - cameras[i].y) * zoom) + (int)(50 * zoom);
		int size = (int)(10 * zoom);
		struct picture picture;
		struct rect damage;
		bool little = false;
		/* The source that stands in the city comes into view on the first frames. */
		for (int frame = 0; frame < 100 && !little; frame++) {
			damage = client_capture_damage(f->client, change_spot, window, &picture);
			assert_int_equal(picture_at(&picture, x + size / 2, y + size / 2), GREEN);
			picture_free(&picture);
			/* All that the client said, and no more than it and the pixels it bleeds
			 * into. */
			bool whole = damage.x <= x && damage.y <= y &&
				damage.x + damage.width >= x + size &&
				damage.y + damage.height >= y + size;
			assert_true(whole);
			little = damage.width * damage.height <= 180 * 100;
		}
		if (!little) {
			fail_msg("at zoom %g %d,%d %dx%d was drawn again for %d,%d %dx%d", zoom,
				damage.x, damage.y, damage.width, damage.height, x, y, size, size);
		}
		client_key(f->client, KEY_1, SUPER);
		window_destroy(window);
	}
}

static void windows_stand_on_a_plaza(void **state) {
	struct fixture *f = *state;
	const uint32_t paving = city_palette_of(CITY_STYLE_DARK)->district >> 8;
	struct window *a = window_create(f->client, 200, 100, RED);
	/* 40 round it; within an edge of one pixel. */
	client_expect_rect(f->client, paving, FIRST_X - 39, FIRST_Y - 39, 278, 178);
	/* The neighbour is on the same one. */
	struct window *b = window_create(f->client, 100, 100, GREEN);
	struct picture picture = client_capture(f->client);
	struct rect both = picture_find(&picture, paving), green = picture_find(&picture, GREEN);
	assert_true(both.width > 278 + 100);
	assert_true(green.x > both.x && green.x + green.width < both.x + both.width);
	picture_free(&picture);
	window_destroy(b);
	/* At every zoom. */
	client_key(f->client, KEY_3, SUPER);
	client_expect_rect(f->client, RED, 280, 242, 400, 200);
	client_expect_rect(f->client, paving, 201, 163, 558, 358);
	window_destroy(a);
	client_expect_rect(f->client, paving, 0, 0, 0, 0);
}

static void many_windows_have_places_too(void **state) {
	enum { COUNT = 90 };
	struct fixture *f = *state;
	struct window *windows[COUNT];
	for (int i = 0; i < COUNT; i++) {
		windows[i] = window_create(f->client, 60, 40, 0x400000u + (uint32_t)i);
	}
	client_key(f->client, KEY_5, SUPER); /* zoom 0.25 */
	client_key(f->client, KEY_1, SUPER);
	client_key(f->client, KEY_2, SUPER); /* 0.5: more than the screen had room for */
	struct picture picture = client_capture(f->client);
	for (int i = 0; i < COUNT; i++) {
		struct rect rect = picture_find(&picture, 0x400000u + (uint32_t)i);
		if (rect.width != 30 || rect.height != 20) {
			fail_msg("window %d is %dx%d", i, rect.width, rect.height);
		}
	}
	picture_free(&picture);
	for (int i = 0; i < COUNT; i++) {
		window_destroy(windows[i]);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		DESK_TEST(windows_scale_with_the_map),
		DESK_TEST(commits_do_not_undo_the_zoom),
		DESK_TEST(little_is_drawn_again_at_any_zoom),
		DESK_TEST(subsurfaces_stay_where_they_belong),
		DESK_TEST(neighbours_have_no_seam),
		DESK_TEST(viewports_are_scaled_once),
		DESK_TEST(popups_follow_the_zoom),
		DESK_TEST(popups_stay_on_the_screen),
		DESK_TEST(new_windows_do_not_cover_others),
		DESK_TEST(camera_follows_a_window_out_of_sight),
		DESK_TEST(hidden_windows_get_no_frames),
		DESK_TEST(who_comes_back_in_sight_lies_where_it_did),
		DESK_TEST(the_zoom_ladder_returns_to_the_room),
		DESK_TEST(frames_are_drawn_round_the_content),
		DESK_TEST(windows_stand_on_a_plaza),
		DESK_TEST(many_windows_have_places_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Windows in parts of the screen: snapped, side by side, held by edges, always on top. */
#include "fixture.h"

#include "compositor/theme.h"

static const char extra[] = "bind Super+e snap left\n"
			    "bind Super+d snap right\n"
			    "bind Super+t arrange\n"
			    "bind Super+y arrange off\n"
			    "bind Super+u above\n"
			    "bind Super+j focus left\n"
			    "bind Super+k focus right\n";

static int start(void **state) {
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char config[4096];
	snprintf(config, sizeof(config), "%s%s", CONFIG_TEXT, extra);
	test_city_start(&fixture->city, config);
	fixture->client = client_create(&fixture->city);
	*state = fixture;
	return 0;
}

static void press(struct client *c, uint32_t key) {
	client_key(c, key, SUPER);
	client_roundtrip(c);
	client_roundtrip(c);
}

static void a_half_and_back(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	press(c, KEY_E);
	assert_int_equal(window->wanted_width, 640 - 8 - 4);
	assert_int_equal(window->wanted_height, 720 - 16);
	assert_true(window->tiled);
	window_obey(window);
	client_expect_rect(c, RED, 8, 8, 628, 704);
	/* The same once more: back to where it was. */
	press(c, KEY_E);
	assert_false(window->tiled);
	assert_int_equal(window->wanted_width, 200);
	window_obey(window);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 200, 100);
	/* Maximised from a half, it comes back to its own place, too. */
	press(c, KEY_D);
	window_obey(window);
	client_expect_rect(c, RED, 644, 8, 628, 704);
	press(c, KEY_M);
	window_obey(window);
	press(c, KEY_M);
	assert_int_equal(window->wanted_width, 200);
	window_obey(window);
	press(c, KEY_1); /* the camera went with it */
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 200, 100);
	window_destroy(window);
}

static void pulled_away_it_has_its_size(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	press(c, KEY_E);
	window_obey(window);
	client_expect_rect(c, RED, 8, 8, 628, 704);
	client_pointer_move(c, 322, 360);
	client_modifiers(c, SUPER);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_move(c, 422, 360);
	client_pointer_button(c, BTN_LEFT, false);
	client_modifiers(c, 0);
	client_roundtrip(c);
	client_roundtrip(c);
	assert_int_equal(window->wanted_width, 200);
	assert_false(window->tiled);
	window_obey(window);
	/* The pointer is at its middle still. */
	client_expect_rect(c, RED, 322, 310, 200, 100);
	window_destroy(window);
}

static void all_side_by_side(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *red = window_create(c, 200, 100, RED);
	press(c, KEY_8); /* to 100,80: left of what comes now */
	struct window *green = window_create(c, 200, 100, GREEN);
	press(c, KEY_T);
	window_obey(red);
	window_obey(green);
	client_expect_rect(c, RED, 8, 8, 628, 704);
	client_expect_rect(c, GREEN, 644, 8, 628, 704);
	/* Directions. */
	press(c, KEY_J);
	assert_ptr_equal(c->keyboard_focus, red->surface);
	press(c, KEY_J); /* there is nothing */
	assert_ptr_equal(c->keyboard_focus, red->surface);
	press(c, KEY_K);
	assert_ptr_equal(c->keyboard_focus, green->surface);
	press(c, KEY_Y);
	window_obey(red);
	window_obey(green);
	client_expect_rect(c, RED, 100, 80, 200, 100);
	window_destroy(green);
	window_destroy(red);
}

static void edges_hold_a_dragged_window(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_pointer_move(c, FIRST_X + 10, FIRST_Y + 10);
	client_modifiers(c, SUPER);
	client_pointer_button(c, BTN_LEFT, true);
	/* To 3 pixels from where the screen's edge holds it. */
	client_pointer_move(c, 8 + 3 + 10, FIRST_Y + 10);
	client_expect_rect(c, RED, 8, FIRST_Y, 200, 100);
	/* And out of its reach. */
	client_pointer_move(c, 8 + 30 + 10, FIRST_Y + 10);
	client_expect_rect(c, RED, 38, FIRST_Y, 200, 100);
	client_pointer_button(c, BTN_LEFT, false);
	client_modifiers(c, 0);
	window_destroy(window);
}

static void above_stays_above(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *low = window_create(c, 200, 100, RED);
	press(c, KEY_8);
	press(c, KEY_U);
	struct window *other = window_create(c, 200, 100, GREEN);
	press(c, KEY_8);
	/* The same place, and the later one has the focus. */
	assert_ptr_equal(c->keyboard_focus, other->surface);
	client_expect_rect(c, RED, 100, 80, 200, 100);
	struct picture picture = client_capture(c);
	assert_int_equal(picture_find(&picture, GREEN).width, 0);
	picture_free(&picture);
	window_destroy(other);
	client_roundtrip(c);
	press(c, KEY_U);
	window_destroy(low);
}

/* Takes the window by this point, with Super. */
static void take(struct client *c, double ox, double oy) {
	client_pointer_move(c, ox, oy);
	client_modifiers(c, SUPER);
	client_pointer_button(c, BTN_LEFT, true);
}

static void let_go(struct client *c) {
	client_pointer_button(c, BTN_LEFT, false);
	client_modifiers(c, 0);
	client_roundtrip(c);
	client_roundtrip(c);
}

/* The outline of what a drop would fill, in the colour of the dark style. */
#define PREVIEW (city_palette_of(CITY_STYLE_DARK)->good >> 8)

static void a_drop_at_an_edge_is_seen_before(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	take(c, FIRST_X + 10, FIRST_Y + 10);
	client_expect_rect(c, PREVIEW, 0, 0, 0, 0);
	client_pointer_move(c, 2, 360);
	client_expect_rect(c, PREVIEW, 8, 8, 628, 704);
	client_pointer_move(c, 1278, 718);
	client_expect_rect(c, PREVIEW, 644, 364, 628, 348);
	client_pointer_move(c, 640, 1);
	client_expect_rect(c, PREVIEW, 0, 0, 1280, 720);
	/* Not at the edge any more. */
	client_pointer_move(c, 640, 200);
	client_expect_rect(c, PREVIEW, 0, 0, 0, 0);
	client_pointer_move(c, 2, 360);
	client_expect_rect(c, PREVIEW, 8, 8, 628, 704);
	/* Taken back: the drop that comes does nothing. */
	client_key(c, KEY_ESC, SUPER);
	client_expect_rect(c, PREVIEW, 0, 0, 0, 0);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 200, 100);
	let_go(c);
	assert_false(window->tiled);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 200, 100);
	/* Not in a room: what is seen would not be a part of one. */
	client_key(c, KEY_2, SUPER);
	take(c, FIRST_X / 2.0 + 10, FIRST_Y / 2.0 + 10);
	client_pointer_move(c, 2, 360);
	let_go(c);
	assert_false(window->tiled);
	assert_false(window->maximized);
	window_destroy(window);
}

static void dropped_at_an_edge_it_fills_a_part(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	take(c, FIRST_X + 100, FIRST_Y + 50);
	client_pointer_move(c, 2, 360);
	let_go(c);
	assert_true(window->tiled);
	assert_int_equal(window->wanted_width, 628);
	window_obey(window);
	client_expect_rect(c, RED, 8, 8, 628, 704);
	client_expect_rect(c, PREVIEW, 0, 0, 0, 0);
	/* Dragged off and on to a corner, it has had its own size meanwhile. */
	take(c, 322, 360);
	client_pointer_move(c, 422, 360);
	client_roundtrip(c);
	assert_false(window->tiled);
	assert_int_equal(window->wanted_width, 200);
	window_obey(window);
	client_expect_rect(c, RED, 322, 310, 200, 100);
	client_pointer_move(c, 1279, 30);
	let_go(c);
	window_obey(window);
	client_expect_rect(c, RED, 644, 8, 628, 348);
	/* Escape takes it back into the corner. */
	take(c, 900, 200);
	client_pointer_move(c, 800, 300);
	client_roundtrip(c);
	window_obey(window);
	client_key(c, KEY_ESC, SUPER);
	client_roundtrip(c);
	let_go(c);
	assert_true(window->tiled);
	window_obey(window);
	client_expect_rect(c, RED, 644, 8, 628, 348);
	/* To the top: all of it; and then back to where it was before all that. */
	take(c, 900, 200);
	client_pointer_move(c, 640, 0);
	let_go(c);
	assert_true(window->maximized);
	window_obey(window);
	client_expect_rect(c, RED, 0, 0, 1280, 720);
	press(c, KEY_M);
	window_obey(window);
	press(c, KEY_1); /* the camera went with it */
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 200, 100);
	window_destroy(window);
}

#define ARRANGE_TEST(name) cmocka_unit_test_setup_teardown(name, start, fixture_stop)

int main(void) {
	const struct CMUnitTest tests[] = {
		ARRANGE_TEST(a_half_and_back),
		ARRANGE_TEST(pulled_away_it_has_its_size),
		ARRANGE_TEST(all_side_by_side),
		ARRANGE_TEST(edges_hold_a_dragged_window),
		ARRANGE_TEST(above_stays_above),
		ARRANGE_TEST(a_drop_at_an_edge_is_seen_before),
		ARRANGE_TEST(dropped_at_an_edge_it_fills_a_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

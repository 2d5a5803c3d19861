/* SPDX-License-Identifier: MIT */
/* Cameras: one for each output, and where they go. */
#include "fixture.h"

#include "compositor/theme.h"

#include "xdg-shell-client-protocol.h"

#define WIDE                                                                                       \
	"animations off\n"                                                                         \
	"headless {\n size 640x720\n count 2\n}\n"                                                 \
	"output HEADLESS-1 {\n position 0 0\n}\n"                                                  \
	"output HEADLESS-2 {\n position 640 0\n}\n"                                                \
	"bind Super+1 camera 0 0 1\n"                                                              \
	"bind Super+2 camera 0 0 0.5\n"                                                            \
	"bind Super+3 camera 400 200 2\n"                                                          \
	"bind Super+6 camera -10000 0 1\n"                                                         \
	"bind Super+8 move 100 80\n"

static int wide_start(void **state) {
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	test_city_start(&fixture->city, WIDE);
	fixture->client = client_create(&fixture->city);
	*state = fixture;
	return 0;
}

static void expect_on(struct client *client, const char *output, int x, int y, int w, int h) {
	client_use_output(client, output);
	client_expect_rect(client, RED, x, y, w, h);
}

static void each_output_has_a_camera(void **state) {
	struct client *c = ((struct fixture *)*state)->client;
	client_pointer_move(c, 10, 10);
	struct window *window = window_create(c, 600, 100, RED);
	client_key(c, KEY_8, SUPER);
	client_key(c, KEY_1, SUPER);
	/* Side by side they show one city until one of them is moved. */
	expect_on(c, "HEADLESS-1", 100, 80, 540, 100);
	expect_on(c, "HEADLESS-2", 0, 80, 60, 100);
	/* The keys move the one that the pointer is on. */
	client_pointer_move(c, 900, 10);
	client_key(c, KEY_2, SUPER);
	expect_on(c, "HEADLESS-2", 50, 40, 300, 50);
	expect_on(c, "HEADLESS-1", 100, 80, 540, 100);
	/* What reaches over the edge of one is not seen on the other. */
	client_key(c, KEY_6, SUPER);
	expect_on(c, "HEADLESS-2", 0, 0, 0, 0);
	expect_on(c, "HEADLESS-1", 100, 80, 540, 100);
	client_pointer_move(c, 10, 10);
	client_key(c, KEY_6, SUPER);
	expect_on(c, "HEADLESS-1", 0, 0, 0, 0);
	client_pointer_move(c, 900, 10);
	client_key(c, KEY_1, SUPER);
	expect_on(c, "HEADLESS-2", 100, 80, 540, 100);
	/* A commit reaches every one that shows it. */
	client_pointer_move(c, 10, 10);
	client_key(c, KEY_2, SUPER);
	window->color = GREEN;
	window_draw(window, 600, 100);
	client_use_output(c, "HEADLESS-1");
	client_expect_rect(c, GREEN, 50, 40, 300, 50);
	client_use_output(c, "HEADLESS-2");
	client_expect_rect(c, GREEN, 100, 80, 540, 100);
	window_destroy(window);
	client_expect_rect(c, GREEN, 0, 0, 0, 0);
}

static void input_goes_through_the_camera_that_it_is_on(void **state) {
	struct client *c = ((struct fixture *)*state)->client;
	client_pointer_move(c, 10, 10);
	struct window *window = window_create(c, 200, 100, RED);
	client_key(c, KEY_8, SUPER);
	client_key(c, KEY_1, SUPER);
	client_pointer_move(c, 900, 10);
	client_key(c, KEY_3, SUPER); /* out of sight there */
	client_pointer_move(c, 150, 130);
	assert_ptr_equal(c->pointer_focus, window->surface);
	assert_double_equal(c->sx, 50, 0.1);
	assert_double_equal(c->sy, 50, 0.1);
	client_pointer_move(c, 640 + 150, 130);
	assert_null(c->pointer_focus);
	client_key(c, KEY_2, SUPER);
	client_pointer_move(c, 640 + 60, 50);
	assert_ptr_equal(c->pointer_focus, window->surface);
	assert_double_equal(c->sx, 20, 0.1);
	assert_double_equal(c->sy, 20, 0.1);
	/* A menu opens where one looks, and only there. */
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_button(c, BTN_LEFT, false);
	struct window *popup = window_create_popup(window, 20, 30, 80, 40, GREEN);
	client_use_output(c, "HEADLESS-2");
	client_expect_rect(c, GREEN, 60, 55, 40, 20);
	client_use_output(c, "HEADLESS-1");
	client_expect_rect(c, GREEN, 0, 0, 0, 0);
	/* It stays when the pointer leaves, and goes over when its window is not seen there. */
	client_pointer_move(c, 10, 10);
	client_use_output(c, "HEADLESS-2");
	client_expect_rect(c, GREEN, 60, 55, 40, 20);
	client_pointer_move(c, 900, 600);
	client_key(c, KEY_6, SUPER);
	client_use_output(c, "HEADLESS-1");
	client_expect_rect(c, GREEN, 120, 110, 80, 40);
	window_destroy(popup);
	window_destroy(window);
}

#define GOING                                                                                      \
	"animations off\n"                                                                         \
	"headless {\n size 1280x720\n}\n"                                                          \
	"bind Super+1 camera 0 0 1\n"                                                              \
	"bind Super+2 camera 0 0 0.5\n"                                                            \
	"bind Super+3 go red\n"                                                                    \
	"bind Super+4 go back\n"                                                                   \
	"bind Super+5 go all\n"                                                                    \
	"bind Super+6 bookmark set my desk\n"                                                      \
	"bind Super+7 bookmark go my desk\n"                                                       \
	"bind Super+8 move 5000 80\n"                                                              \
	"bind Super+9 go my desk\n"                                                                \
	"bind Super+0 bookmark remove my desk\n"

static int going_start(void **state) {
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	test_city_start(&fixture->city, GOING);
	fixture->client = client_create(&fixture->city);
	*state = fixture;
	return 0;
}

static void names_lead_there_and_back(void **state) {
	struct client *c = ((struct fixture *)*state)->client;
	struct window *window = window_create(c, 200, 100, RED);
	xdg_toplevel_set_app_id(window->toplevel, "red");
	client_key(c, KEY_8, SUPER);
	client_key(c, KEY_2, SUPER);
	client_expect_rect(c, RED, 0, 0, 0, 0);
	client_key(c, KEY_3, SUPER);
	client_expect_rect(c, RED, 540, 310, 200, 100);
	/* Going where one is already is no journey. */
	client_key(c, KEY_3, SUPER);
	client_key(c, KEY_4, SUPER);
	client_expect_rect(c, RED, 0, 0, 0, 0);
	client_key(c, KEY_4, SUPER);
	client_expect_rect(c, RED, 540, 310, 200, 100);
	client_key(c, KEY_1, SUPER);
	client_key(c, KEY_5, SUPER);
	client_expect_rect(c, RED, 540, 310, 200, 100);
	client_key(c, KEY_4, SUPER);
	client_expect_rect(c, RED, 0, 0, 0, 0);
	window_destroy(window);
}

static void bookmarks_are_kept(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 200, 100);
	client_key(c, KEY_7, SUPER); /* there is none yet */
	client_key(c, KEY_2, SUPER);
	client_expect_rect(c, RED, 270, 161, 100, 50);
	client_key(c, KEY_6, SUPER);
	client_key(c, KEY_1, SUPER);
	client_key(c, KEY_7, SUPER);
	client_expect_rect(c, RED, 270, 161, 100, 50);
	client_key(c, KEY_4, SUPER);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 200, 100);
	client_key(c, KEY_9, SUPER);
	client_expect_rect(c, RED, 270, 161, 100, 50);
	client_key(c, KEY_1, SUPER);
	client_key(c, KEY_0, SUPER);
	client_key(c, KEY_7, SUPER);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 200, 100);
	window_destroy(window);
}

#define GOING_TEST(name) cmocka_unit_test_setup_teardown(name, going_start, fixture_stop)
#define WIDE_TEST(name) cmocka_unit_test_setup_teardown(name, wide_start, fixture_stop)

int main(void) {
	const struct CMUnitTest tests[] = {
		WIDE_TEST(each_output_has_a_camera),
		WIDE_TEST(input_goes_through_the_camera_that_it_is_on),
		GOING_TEST(names_lead_there_and_back),
		GOING_TEST(bookmarks_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

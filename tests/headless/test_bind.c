/* SPDX-License-Identifier: MIT */
/* Bindings of buttons and wheels. */
#include "fixture.h"

static const char extra[] = "bind Frame+ButtonMiddle maximize\n"
			    "bind Window+Ctrl+WheelDown move right\n"
			    "bind Ctrl+WheelDown camera 0 0 0.5\n"
			    "bind Ctrl+WheelUp camera 10 20 1\n"
			    "bind ButtonSide focus prev\n"
			    "bind Ground+ButtonLeft none\n"
			    "bind Ground+ButtonRight drag pan\n"
			    "bind Super+ButtonRight drag move\n"
			    "bind Ground+Wheel none\n"
			    "bind Window+ButtonExtra none\n"
			    "bind ButtonExtra close\n";

static int start(void **state) {
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char config[4096];
	snprintf(config, sizeof(config), "%s%s", CONFIG_TEXT, extra);
	test_city_start(&fixture->city, config);
	fixture->client = client_create(&fixture->city);
	*state = fixture;
	return 0;
}

static void click(struct client *c, uint32_t button) {
	client_pointer_button(c, button, true);
	client_pointer_button(c, button, false);
}

static void a_button_is_about_what_the_pointer_is_on(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create_framed(c, 200, 100, RED);
	struct window *other = window_create(c, 200, 100, GREEN);
	assert_ptr_equal(c->keyboard_focus, other->surface);
	/* In the window it is the client's. */
	client_pointer_move(c, FIRST_X + 100, FIRST_Y + 50);
	click(c, BTN_MIDDLE);
	assert_int_equal(c->presses, 1);
	assert_int_equal(c->releases, 1);
	assert_false(window->maximized);
	client_key(c, KEY_TAB, SUPER);
	assert_ptr_equal(c->keyboard_focus, other->surface);
	client_pointer_move(c, FIRST_X + 100, FIRST_Y - 12);
	click(c, BTN_MIDDLE);
	assert_true(window->maximized);
	assert_false(other->maximized);
	assert_int_equal(c->presses, 1);
	assert_int_equal(c->releases, 1);
	window_destroy(other);
	window_destroy(window);
}

static void a_bound_button_reaches_no_client(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *first = window_create(c, 200, 100, RED);
	struct window *second = window_create(c, 200, 100, GREEN);
	client_pointer_move(c, FIRST_X + 10, FIRST_Y + 10);
	assert_ptr_equal(c->pointer_focus, first->surface);
	click(c, BTN_SIDE);
	assert_ptr_equal(c->keyboard_focus, first->surface);
	click(c, BTN_SIDE);
	assert_ptr_equal(c->keyboard_focus, second->surface);
	assert_int_equal(c->presses, 0);
	assert_int_equal(c->releases, 0);
	/* What is taken away for windows is the client's there, whatever is bound elsewhere. */
	click(c, BTN_EXTRA);
	assert_int_equal(c->presses, 1);
	assert_false(first->closed);
	window_destroy(second);
	window_destroy(first);
}

static void each_notch_runs_the_narrowest(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_pointer_move(c, FIRST_X + 10, FIRST_Y + 10);
	client_modifiers(c, CTRL);
	client_pointer_scroll(c, 1);
	client_expect_rect(c, RED, FIRST_X + 32, FIRST_Y, 200, 100);
	client_pointer_move(c, FIRST_X + 90, FIRST_Y + 10);
	client_pointer_scroll(c, 2);
	client_expect_rect(c, RED, FIRST_X + 96, FIRST_Y, 200, 100);
	assert_double_equal(c->scroll, 0, 0.01);
	/* Not bound for windows alone, but anywhere. */
	client_pointer_move(c, FIRST_X + 150, FIRST_Y + 50);
	client_pointer_scroll(c, -1);
	client_expect_rect(c, RED, FIRST_X + 86, FIRST_Y - 20, 200, 100);
	/* On the ground. */
	client_pointer_move(c, 20, 20);
	client_pointer_scroll(c, 1);
	client_expect_rect(c, RED, (FIRST_X + 96) / 2, (FIRST_Y + 1) / 2, 100, 50);
	client_modifiers(c, 0);
	client_pointer_move(c, FIRST_X / 2.0 + 60, FIRST_Y / 2.0 + 10);
	client_pointer_scroll(c, 1);
	assert_double_equal(c->scroll, 15, 0.01);
	window_destroy(window);
}

static void the_citys_own_manners_are_bindings(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_pointer_move(c, 100, 100);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_move(c, 150, 120);
	client_pointer_button(c, BTN_LEFT, false);
	client_pointer_scroll(c, 1);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 200, 100);
	client_pointer_button(c, BTN_RIGHT, true);
	client_pointer_move(c, 160, 140);
	client_pointer_button(c, BTN_RIGHT, false);
	client_expect_rect(c, RED, FIRST_X + 10, FIRST_Y + 20, 200, 100);
	client_pointer_move(c, FIRST_X + 60, FIRST_Y + 60);
	client_modifiers(c, SUPER);
	client_pointer_button(c, BTN_RIGHT, true);
	client_pointer_move(c, FIRST_X + 40, FIRST_Y + 40);
	client_pointer_button(c, BTN_RIGHT, false);
	client_modifiers(c, 0);
	client_expect_rect(c, RED, FIRST_X - 10, FIRST_Y, 200, 100);
	window_destroy(window);
}

static void more_modifiers_change_no_manners(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_pointer_move(c, FIRST_X + 20, FIRST_Y + 40);
	client_modifiers(c, SUPER | ALT);
	client_pointer_button(c, BTN_RIGHT, true);
	client_pointer_move(c, FIRST_X + 40, FIRST_Y + 60);
	client_pointer_button(c, BTN_RIGHT, false);
	client_expect_rect(c, RED, FIRST_X + 20, FIRST_Y + 20, 200, 100);
	/* Four notches are half as large. */
	client_pointer_scroll(c, 4);
	client_expect_rect(c, RED, FIRST_X + 30, FIRST_Y + 40, 100, 50);
	client_pointer_scroll(c, -4);
	client_expect_rect(c, RED, FIRST_X + 20, FIRST_Y + 20, 200, 100);
	assert_double_equal(c->scroll, 0, 0.01);
	assert_int_equal(c->presses, 0);
	client_modifiers(c, ALT);
	client_pointer_scroll(c, 1);
	assert_double_equal(c->scroll, 15, 0.01);
	client_modifiers(c, 0);
	window_destroy(window);
}

static void rewrite(const struct fixture *f, const char *text) {
	char path[128];
	snprintf(path, sizeof(path), "%s/config", f->city.dir);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void they_are_read_again(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	rewrite(f, "animations off\nbind ButtonSide move 100 80\n");
	client_key(c, KEY_R, SUPER);
	test_city_expect_log(&f->city, "loaded again");
	client_pointer_move(c, FIRST_X + 10, FIRST_Y + 10);
	click(c, BTN_SIDE);
	client_expect_rect(c, RED, 100, 80, 200, 100);
	rewrite(f, "animations off\nbind ButtonSide move 200 90\nbind ButtonSide drag it\n");
	client_key(c, KEY_R, SUPER);
	test_city_expect_log(&f->city, ":3: drag takes move, resize or pan");
	test_city_expect_log(&f->city, "the old one stays");
	client_key(c, KEY_LEFT, SUPER | SHIFT);
	client_pointer_move(c, 110, 90);
	click(c, BTN_SIDE);
	client_expect_rect(c, RED, 100, 80, 200, 100);
	window_destroy(window);
}

#define BIND_TEST(name) cmocka_unit_test_setup_teardown(name, start, fixture_stop)

int main(void) {
	const struct CMUnitTest tests[] = {
		BIND_TEST(a_button_is_about_what_the_pointer_is_on),
		BIND_TEST(a_bound_button_reaches_no_client),
		BIND_TEST(each_notch_runs_the_narrowest),
		BIND_TEST(the_citys_own_manners_are_bindings),
		BIND_TEST(more_modifiers_change_no_manners),
		BIND_TEST(they_are_read_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

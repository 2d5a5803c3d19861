/* SPDX-License-Identifier: MIT */
/* Pointer and keyboard: coordinates under zoom, focus, moving and resizing. */
#include "fixture.h"

#include "pointer-constraints-unstable-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

static void pointer_coordinates_are_the_clients_own(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_pointer_move(c, FIRST_X + 30.5, FIRST_Y + 20.25);
	assert_ptr_equal(c->pointer_focus, window->surface);
	assert_double_equal(c->sx, 30.5, 0.01);
	assert_double_equal(c->sy, 20.25, 0.01);

	client_key(c, KEY_3, SUPER);
	client_pointer_move(c, 280 + 150, 242 + 101);
	assert_ptr_equal(c->pointer_focus, window->surface);
	assert_double_equal(c->sx, 75, 0.01);
	assert_double_equal(c->sy, 50.5, 0.01);

	client_key(c, KEY_2, SUPER);
	client_pointer_move(c, 270 + 40, 161 + 10);
	assert_ptr_equal(c->pointer_focus, window->surface);
	assert_double_equal(c->sx, 80, 0.01);
	assert_double_equal(c->sy, 20, 0.6);
	client_pointer_move(c, 270 + 101, 161 + 10);
	assert_null(c->pointer_focus);
	window_destroy(window);
}

static void pointer_finds_subsurfaces_and_popups(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	struct window *sub = window_create_sub(window, 30, 20, 40, 20, GREEN);
	struct window *popup = window_create_popup(window, 100, 50, 200, 150, BLUE);
	client_key(c, KEY_3, SUPER);
	client_pointer_move(c, 280 + 2 * 35, 242 + 2 * 27);
	assert_ptr_equal(c->pointer_focus, sub->surface);
	assert_double_equal(c->sx, 5, 0.01);
	assert_double_equal(c->sy, 7, 0.01);
	/* The popup reaches out of its window. */
	client_pointer_move(c, 280 + 2 * 250, 242 + 2 * 120);
	assert_ptr_equal(c->pointer_focus, popup->surface);
	assert_double_equal(c->sx, 150, 0.01);
	assert_double_equal(c->sy, 70, 0.01);
	window_destroy(popup);
	window_destroy(sub);
	window_destroy(window);
}

static void moving_the_map_moves_what_is_below_the_pointer(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_pointer_move(c, FIRST_X + 30, FIRST_Y + 20);
	assert_ptr_equal(c->pointer_focus, window->surface);
	client_key(c, KEY_6, SUPER);
	assert_null(c->pointer_focus);
	client_key(c, KEY_1, SUPER);
	assert_ptr_equal(c->pointer_focus, window->surface);
	assert_double_equal(c->sx, 30, 0.01);
	window_destroy(window);
}

static void a_held_button_keeps_the_pointer(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_key(c, KEY_3, SUPER);
	client_pointer_move(c, 280 + 20, 242 + 20);
	client_pointer_button(c, BTN_LEFT, true);
	assert_int_equal(c->presses, 1);
	client_pointer_move(c, 280 - 40, 242 - 60);
	assert_ptr_equal(c->pointer_focus, window->surface);
	assert_double_equal(c->sx, -20, 0.01);
	assert_double_equal(c->sy, -30, 0.01);
	client_pointer_button(c, BTN_LEFT, false);
	assert_int_equal(c->releases, 1);
	assert_null(c->pointer_focus);
	window_destroy(window);
}

static void far_away_a_click_only_focuses(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *first = window_create(c, 200, 100, RED);
	struct window *second = window_create(c, 200, 100, GREEN);
	assert_ptr_equal(c->keyboard_focus, second->surface);
	client_key(c, KEY_5, SUPER);
	client_pointer_move(c, (FIRST_X + 100) / 4.0, (FIRST_Y + 50) / 4.0);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_button(c, BTN_LEFT, false);
	assert_int_equal(c->presses, 0);
	assert_null(c->pointer_focus);
	assert_ptr_equal(c->keyboard_focus, first->surface);
	window_destroy(second);
	window_destroy(first);
}

static void clicks_focus_and_raise(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *first = window_create(c, 200, 100, RED);
	struct window *second = window_create(c, 200, 100, GREEN);
	assert_true(second->activated);
	client_pointer_move(c, FIRST_X + 10, FIRST_Y + 10);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_button(c, BTN_LEFT, false);
	assert_int_equal(c->presses, 1);
	assert_int_equal(c->releases, 1);
	assert_ptr_equal(c->keyboard_focus, first->surface);
	assert_true(first->activated);
	assert_false(second->activated);
	window_destroy(second);
	window_destroy(first);
}

static void tab_walks_through_the_windows(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *windows[3];
	uint32_t colors[] = {RED, GREEN, BLUE};
	for (int i = 0; i < 3; i++) {
		windows[i] = window_create(c, 200, 100, colors[i]);
	}
	/* One Tab: the one before. Again: back. */
	client_key(c, KEY_TAB, SUPER);
	assert_ptr_equal(c->keyboard_focus, windows[1]->surface);
	client_key(c, KEY_TAB, SUPER);
	assert_ptr_equal(c->keyboard_focus, windows[2]->surface);
	/* Twice with the modifier held: the one before that. */
	client_modifiers(c, SUPER);
	client_key(c, KEY_TAB, SUPER);
	window_destroy(windows[0]);
	assert_ptr_equal(c->keyboard_focus, windows[1]->surface);
	window_destroy(windows[1]);
	client_roundtrip(c);
	client_roundtrip(c);
	assert_ptr_equal(c->keyboard_focus, windows[2]->surface);
	window_destroy(windows[2]);
}

static void super_drag_moves(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_key(c, KEY_3, SUPER);
	client_pointer_move(c, 280 + 100, 242 + 50);
	client_modifiers(c, SUPER);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_move(c, 280 + 160, 242 + 90);
	client_pointer_button(c, BTN_LEFT, false);
	client_modifiers(c, 0);
	assert_int_equal(c->presses, 0);
	client_expect_rect(c, RED, 280 + 60, 242 + 40, 400, 200);
	client_key(c, KEY_1, SUPER);
	client_expect_rect(c, RED, FIRST_X + 30, FIRST_Y + 20, 200, 100);
	window_destroy(window);
}

static void super_right_drag_resizes(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_key(c, KEY_3, SUPER);
	/* The lower right corner. */
	client_pointer_move(c, 280 + 390, 242 + 190);
	client_modifiers(c, SUPER);
	client_pointer_button(c, BTN_RIGHT, true);
	client_pointer_move(c, 280 + 450, 242 + 150);
	assert_true(window->resizing);
	assert_int_equal(window->wanted_width, 230);
	assert_int_equal(window->wanted_height, 80);
	window_obey(window);
	client_pointer_button(c, BTN_RIGHT, false);
	assert_false(window->resizing);
	client_expect_rect(c, RED, 280, 242, 460, 160);
	/* The upper left corner: the lower right one stays. */
	client_pointer_move(c, 280 + 10, 242 + 10);
	client_pointer_button(c, BTN_RIGHT, true);
	client_pointer_move(c, 280 - 50, 242 - 30);
	assert_int_equal(window->wanted_width, 260);
	assert_int_equal(window->wanted_height, 100);
	client_pointer_button(c, BTN_RIGHT, false);
	client_modifiers(c, 0);
	window_obey(window);
	client_expect_rect(c, RED, 280 - 60, 242 - 40, 520, 200);
	window_destroy(window);
}

static void clients_may_ask_for_moves(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	/* Without a button it is refused. */
	xdg_toplevel_move(window->toplevel, c->seat, 12345);
	client_pointer_move(c, FIRST_X + 10, FIRST_Y + 10);
	client_pointer_move(c, FIRST_X + 60, FIRST_Y + 60);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 200, 100);
	client_pointer_button(c, BTN_LEFT, true);
	xdg_toplevel_move(window->toplevel, c->seat, c->button_serial);
	client_roundtrip(c);
	client_pointer_move(c, FIRST_X + 90, FIRST_Y + 40);
	client_pointer_button(c, BTN_LEFT, false);
	client_expect_rect(c, RED, FIRST_X + 30, FIRST_Y - 20, 200, 100);
	/* It is over: the window stays. */
	client_pointer_move(c, FIRST_X + 200, FIRST_Y + 40);
	client_expect_rect(c, RED, FIRST_X + 30, FIRST_Y - 20, 200, 100);
	client_pointer_move(c, FIRST_X + 40, FIRST_Y);
	client_pointer_button(c, BTN_LEFT, true);
	xdg_toplevel_resize(
		window->toplevel, c->seat, c->button_serial, XDG_TOPLEVEL_RESIZE_EDGE_BOTTOM_RIGHT);
	client_roundtrip(c);
	client_pointer_move(c, FIRST_X + 60, FIRST_Y + 30);
	client_pointer_button(c, BTN_LEFT, false);
	assert_int_equal(window->wanted_width, 220);
	assert_int_equal(window->wanted_height, 130);
	window_destroy(window);
}

static void the_ground_pans(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_pointer_move(c, 100, 100);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_move(c, 150, 80);
	client_pointer_button(c, BTN_LEFT, false);
	client_expect_rect(c, RED, FIRST_X + 50, FIRST_Y - 20, 200, 100);
	client_pointer_scroll(c, 1);
	client_expect_rect(c, RED, FIRST_X + 50, FIRST_Y - 20 - 60, 200, 100);
	/* Over a window the wheel is the window's. */
	client_pointer_move(c, FIRST_X + 60, FIRST_Y - 60);
	client_pointer_scroll(c, 1);
	assert_double_equal(c->scroll, 15, 0.01);
	client_expect_rect(c, RED, FIRST_X + 50, FIRST_Y - 80, 200, 100);
	window_destroy(window);
}

static void super_wheel_zooms_about_the_pointer(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_pointer_move(c, FIRST_X, FIRST_Y);
	client_modifiers(c, SUPER);
	for (int i = 0; i < 4; i++) {
		client_pointer_scroll(c, -1);
	}
	client_modifiers(c, 0);
	assert_double_equal(c->scroll, 0, 0.01);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 400, 200);
	window_destroy(window);
}

static void frames_move_and_resize(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create_framed(c, 200, 100, RED);
	client_pointer_move(c, FIRST_X + 100, FIRST_Y - 12);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_move(c, FIRST_X + 110, FIRST_Y + 8);
	client_pointer_button(c, BTN_LEFT, false);
	client_expect_rect(c, RED, FIRST_X + 10, FIRST_Y + 20, 200, 100);
	assert_int_equal(c->presses, 0);
	/* A few pixels outside of the right edge. */
	client_pointer_move(c, FIRST_X + 10 + 205, FIRST_Y + 70);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_move(c, FIRST_X + 10 + 245, FIRST_Y + 70);
	client_pointer_button(c, BTN_LEFT, false);
	assert_int_equal(window->wanted_width, 240);
	assert_int_equal(window->wanted_height, 100);
	window_destroy(window);
}

static void a_click_beside_a_menu_moves_the_focus(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct client *other = client_create(&f->city);
	struct window *window = window_create(c, 200, 100, RED);
	struct window *beside = window_create(other, 200, 100, GREEN);
	client_key(c, KEY_8, SUPER); /* to 100, 80 */
	client_pointer_move(c, FIRST_X + 10, FIRST_Y + 10);
	client_pointer_button(c, BTN_LEFT, true);
	c->popups_grab = true;
	struct window *menu = window_create_popup(window, 10, 10, 50, 50, BLUE);
	client_pointer_button(c, BTN_LEFT, false);
	assert_ptr_equal(c->keyboard_focus, window->surface);
	client_pointer_move(c, 150, 100);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_button(c, BTN_LEFT, false);
	client_roundtrip(other);
	assert_true(menu->closed);
	assert_true(beside->activated);
	assert_null(c->keyboard_focus);
	assert_ptr_equal(other->keyboard_focus, beside->surface);
	window_destroy(menu);
	window_destroy(window);
	window_destroy(beside);
	client_destroy(other);
}

static void titles_close_and_maximise(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create_framed(c, 200, 100, RED);
	/* Pressed, but thought better of. */
	client_pointer_move(c, FIRST_X + 188, FIRST_Y - 12);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_move(c, FIRST_X + 100, FIRST_Y - 12);
	client_pointer_button(c, BTN_LEFT, false);
	assert_false(window->closed);
	client_pointer_move(c, FIRST_X + 188, FIRST_Y - 12);
	client_pointer_button(c, BTN_LEFT, true);
	assert_false(window->closed);
	client_pointer_button(c, BTN_LEFT, false);
	assert_true(window->closed);
	/* It stays, perhaps to ask whether to save. */
	client_pointer_move(c, FIRST_X + 100, FIRST_Y - 12);
	for (int i = 0; i < 2; i++) {
		client_pointer_button(c, BTN_LEFT, true);
		client_pointer_button(c, BTN_LEFT, false);
	}
	assert_true(window->maximized);
	window_destroy(window);
}

static void keys_move_and_resize(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_key(c, KEY_LEFT, SUPER | SHIFT);
	client_key(c, KEY_UP, SUPER | SHIFT);
	client_expect_rect(c, RED, FIRST_X - 32, FIRST_Y - 32, 200, 100);
	client_key(c, KEY_RIGHT, SUPER | CTRL);
	assert_int_equal(window->wanted_width, 232);
	assert_int_equal(window->wanted_height, 100);
	window_obey(window);
	client_key(c, KEY_UP, SUPER | CTRL);
	assert_int_equal(window->wanted_width, 232);
	assert_int_equal(window->wanted_height, 68);
	/* Not while it fills the screen. */
	client_key(c, KEY_F, SUPER);
	window_obey(window);
	client_key(c, KEY_LEFT, SUPER | SHIFT);
	client_expect_rect(c, RED, 0, 0, 1280, 720);
	window_destroy(window);
}

static void bindings_do_not_reach_clients(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_key(c, KEY_A, 0);
	assert_int_equal(c->keys, 2);
	client_key(c, KEY_1, SUPER);
	assert_int_equal(c->keys, 2);
	client_key(c, KEY_8, SUPER);
	client_expect_rect(c, RED, 100, 80, 200, 100);
	client_key(c, KEY_9, SUPER);
	assert_int_equal(window->wanted_width, 333);
	assert_int_equal(window->wanted_height, 222);
	client_key(c, KEY_Q, SUPER);
	assert_true(window->closed);
	window_destroy(window);
}

static void a_dragged_window_stays_at_the_pointer(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_pointer_move(c, FIRST_X + 40, FIRST_Y + 30);
	client_modifiers(c, SUPER);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_move(c, FIRST_X + 50, FIRST_Y + 30);
	client_expect_rect(c, RED, FIRST_X + 10, FIRST_Y, 200, 100);
	/* The map goes from under it: a window is carried to another part of the city. */
	client_key(c, KEY_6, SUPER);
	client_expect_rect(c, RED, FIRST_X + 10, FIRST_Y, 200, 100);
	/* And is held at the same point of it when the map shrinks. */
	client_key(c, KEY_2, SUPER);
	client_expect_rect(c, RED, FIRST_X + 50 - 20, FIRST_Y + 30 - 15, 100, 50);
	client_pointer_button(c, BTN_LEFT, false);
	client_key(c, KEY_6, SUPER);
	client_expect_rect(c, RED, 0, 0, 0, 0);
	window_destroy(window);
}

static void a_maximised_window_is_pulled_off(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create_framed(c, 200, 100, RED);
	client_key(c, KEY_M, SUPER);
	assert_true(window->maximized);
	window_obey(window);
	/* Three quarters along its title. */
	client_pointer_move(c, 2 + 1276 * 3 / 4, 10);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_move(c, 2 + 1276 * 3 / 4, 50);
	assert_false(window->maximized);
	assert_int_equal(window->wanted_width, 200);
	window_obey(window);
	client_pointer_button(c, BTN_LEFT, false);
	client_expect_rect(c, RED, 2 + 1276 * 3 / 4 - 150, 24 + 40, 200, 100);
	window_destroy(window);
}

static void a_locked_pointer_is_let_go_with_the_keyboard(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *other = window_create(c, 200, 100, GREEN);
	struct window *window = window_create(c, 200, 100, RED);
	client_key(c, KEY_8, SUPER); /* to 100, 80 */
	client_pointer_move(c, 150, 100);
	assert_ptr_equal(c->pointer_focus, window->surface);
	struct zwp_locked_pointer_v1 *held = zwp_pointer_constraints_v1_lock_pointer(c->constraints,
		window->surface, c->pointer, NULL, ZWP_POINTER_CONSTRAINTS_V1_LIFETIME_PERSISTENT);
	client_roundtrip(c);
	client_pointer_move(c, 400, 600);
	assert_ptr_equal(c->pointer_focus, window->surface);
	client_key(c, KEY_TAB, SUPER);
	assert_ptr_equal(c->keyboard_focus, other->surface);
	client_pointer_move(c, 400, 600);
	assert_null(c->pointer_focus);
	zwp_locked_pointer_v1_destroy(held);
	window_destroy(window);
	window_destroy(other);
}

static void a_confined_pointer_slides_along_the_edge(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_key(c, KEY_3, SUPER);
	client_pointer_move(c, 280 + 200, 242 + 100);
	struct zwp_confined_pointer_v1 *held =
		zwp_pointer_constraints_v1_confine_pointer(c->constraints, window->surface,
			c->pointer, NULL, ZWP_POINTER_CONSTRAINTS_V1_LIFETIME_PERSISTENT);
	client_roundtrip(c);
	client_pointer_move(c, 1200, 242 + 160);
	assert_ptr_equal(c->pointer_focus, window->surface);
	assert_double_equal(c->sx, 199, 1);
	assert_double_equal(c->sy, 80, 0.1);
	zwp_confined_pointer_v1_destroy(held);
	client_roundtrip(c);
	client_pointer_move(c, 1200, 242 + 160);
	assert_null(c->pointer_focus);
	window_destroy(window);
}

static void the_key_of_a_binding_is_not_held_for_clients(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *first = window_create(c, 200, 100, GREEN);
	struct window *second = window_create(c, 200, 100, RED);
	c->keys_held = 99;
	client_key(c, KEY_TAB, SUPER);
	assert_ptr_equal(c->keyboard_focus, first->surface);
	assert_int_equal(c->keys_held, 0);
	window_destroy(second);
	window_destroy(first);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		DESK_TEST(pointer_coordinates_are_the_clients_own),
		DESK_TEST(pointer_finds_subsurfaces_and_popups),
		DESK_TEST(moving_the_map_moves_what_is_below_the_pointer),
		DESK_TEST(a_held_button_keeps_the_pointer),
		DESK_TEST(far_away_a_click_only_focuses),
		DESK_TEST(clicks_focus_and_raise),
		DESK_TEST(tab_walks_through_the_windows),
		DESK_TEST(super_drag_moves),
		DESK_TEST(super_right_drag_resizes),
		DESK_TEST(clients_may_ask_for_moves),
		DESK_TEST(the_ground_pans),
		DESK_TEST(super_wheel_zooms_about_the_pointer),
		DESK_TEST(frames_move_and_resize),
		DESK_TEST(a_click_beside_a_menu_moves_the_focus),
		DESK_TEST(titles_close_and_maximise),
		DESK_TEST(keys_move_and_resize),
		DESK_TEST(bindings_do_not_reach_clients),
		DESK_TEST(a_dragged_window_stays_at_the_pointer),
		DESK_TEST(a_maximised_window_is_pulled_off),
		DESK_TEST(a_locked_pointer_is_let_go_with_the_keyboard),
		DESK_TEST(a_confined_pointer_slides_along_the_edge),
		DESK_TEST(the_key_of_a_binding_is_not_held_for_clients),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Panels, windows that fill the screen, outputs that change, locks, sandboxes, and rest. */
#include "fixture.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ext-foreign-toplevel-list-v1-client-protocol.h"
#include "ext-image-capture-source-v1-client-protocol.h"
#include "ext-session-lock-v1-client-protocol.h"
#include "security-context-v1-client-protocol.h"
#include "wlr-layer-shell-unstable-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

#define TOP ZWLR_LAYER_SHELL_V1_LAYER_TOP
#define EDGE_TOP                                                                                   \
	(ZWLR_LAYER_SURFACE_V1_ANCHOR_TOP | ZWLR_LAYER_SURFACE_V1_ANCHOR_LEFT |                    \
		ZWLR_LAYER_SURFACE_V1_ANCHOR_RIGHT)

static void panels_take_their_edge(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *panel = window_create_layer(c, TOP, EDGE_TOP, 0, 30, 30, BLUE);
	assert_int_equal(panel->wanted_width, 1280);
	client_expect_rect(c, BLUE, 0, 0, 1280, 30);
	/* The map moves below it. */
	client_key(c, KEY_3, SUPER);
	client_expect_rect(c, BLUE, 0, 0, 1280, 30);
	client_key(c, KEY_1, SUPER);

	struct window *window = window_create(c, 200, 100, RED);
	xdg_toplevel_set_maximized(window->toplevel);
	client_roundtrip(c);
	client_roundtrip(c);
	assert_true(window->maximized);
	assert_int_equal(window->wanted_width, 1280);
	assert_int_equal(window->wanted_height, 690);
	window_obey(window);
	client_expect_rect(c, RED, 0, 30, 1280, 690);
	/* A higher panel: the window fits itself again. */
	zwlr_layer_surface_v1_set_exclusive_zone(panel->layer, 50);
	wl_surface_commit(panel->surface);
	client_roundtrip(c);
	client_roundtrip(c);
	assert_int_equal(window->wanted_height, 670);
	xdg_toplevel_unset_maximized(window->toplevel);
	client_roundtrip(c);
	client_roundtrip(c);
	assert_false(window->maximized);
	assert_int_equal(window->wanted_width, 200);
	assert_int_equal(window->wanted_height, 100);
	window_destroy(window);
	window_destroy(panel);
}

static void panels_may_take_the_keyboard(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	assert_ptr_equal(c->keyboard_focus, window->surface);
	struct window *panel = window_create_layer(c, TOP, EDGE_TOP, 0, 30, 30, BLUE);
	assert_ptr_equal(c->keyboard_focus, window->surface);
	zwlr_layer_surface_v1_set_keyboard_interactivity(
		panel->layer, ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_EXCLUSIVE);
	wl_surface_commit(panel->surface);
	client_roundtrip(c);
	client_roundtrip(c);
	assert_ptr_equal(c->keyboard_focus, panel->surface);
	zwlr_layer_surface_v1_set_keyboard_interactivity(
		panel->layer, ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_ON_DEMAND);
	wl_surface_commit(panel->surface);
	client_roundtrip(c);
	client_roundtrip(c);
	assert_ptr_equal(c->keyboard_focus, window->surface);
	client_pointer_move(c, 100, 10);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_button(c, BTN_LEFT, false);
	assert_ptr_equal(c->keyboard_focus, panel->surface);
	window_destroy(panel);
	client_roundtrip(c);
	client_roundtrip(c);
	assert_ptr_equal(c->keyboard_focus, window->surface);
	window_destroy(window);
}

static void fullscreen_covers_everything(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *panel = window_create_layer(c, TOP, EDGE_TOP, 0, 30, 30, BLUE);
	struct window *window = window_create_framed(c, 200, 100, RED);
	client_key(c, KEY_F, SUPER);
	assert_true(window->fullscreen);
	assert_int_equal(window->wanted_width, 1280);
	assert_int_equal(window->wanted_height, 720);
	window_obey(window);
	client_expect_rect(c, RED, 0, 0, 1280, 720);
	struct picture picture = client_capture(c);
	assert_int_equal(picture_find(&picture, BLUE).width, 0);
	picture_free(&picture);
	/* From above it is a window among others, and the panel is back. */
	client_key(c, KEY_MINUS, SUPER);
	client_key(c, KEY_MINUS, SUPER);
	client_expect_rect(c, BLUE, 0, 0, 1280, 30);
	/* Half about the middle of what the panel leaves free, 640,375. */
	client_expect_rect(c, RED, 320, 188, 640, 360);
	client_key(c, KEY_F, SUPER);
	assert_false(window->fullscreen);
	assert_int_equal(window->wanted_width, 200);
	window_obey(window);
	client_key(c, KEY_1, SUPER);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y + 15, 200, 100);
	window_destroy(window);
	window_destroy(panel);
}

static void minimised_windows_come_back(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	struct window *popup = window_create_popup(window, 10, 10, 50, 50, YELLOW);
	client_key(c, KEY_H, SUPER);
	client_expect_rect(c, RED, 0, 0, 0, 0);
	client_expect_rect(c, YELLOW, 0, 0, 0, 0);
	assert_null(c->keyboard_focus);
	client_key(c, KEY_TAB, SUPER);
	assert_ptr_equal(c->keyboard_focus, window->surface);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 200, 100);
	client_expect_rect(c, YELLOW, FIRST_X + 10, FIRST_Y + 10, 50, 50);
	/* The walk through the others meets it last. */
	struct window *others[2] = {
		window_create(c, 200, 100, GREEN), window_create(c, 200, 100, BLUE)};
	xdg_toplevel_set_minimized(window->toplevel);
	client_roundtrip(c);
	client_key(c, KEY_TAB, SUPER);
	assert_ptr_equal(c->keyboard_focus, others[0]->surface);
	client_key(c, KEY_TAB, SUPER);
	assert_ptr_equal(c->keyboard_focus, others[1]->surface);
	client_expect_rect(c, RED, 0, 0, 0, 0);
	window_destroy(others[1]);
	window_destroy(others[0]);
	window_destroy(popup);
	window_destroy(window);
}

static void the_keyboard_goes_to_what_is_seen(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *seen = window_create(c, 200, 100, RED);
	struct window *far = window_create(c, 200, 100, GREEN);
	client_key(c, KEY_8, SUPER); /* far to 100, 80 */
	client_key(c, KEY_6, SUPER); /* the camera to -10000, 0 */
	struct window *here = window_create(c, 200, 100, BLUE);
	struct window *there = window_create(c, 200, 100, YELLOW);
	/* Both last ones are in sight, the others are not. */
	assert_ptr_equal(c->keyboard_focus, there->surface);
	client_key(c, KEY_TAB, SUPER);
	client_key(c, KEY_TAB, SUPER);
	window_destroy(there);
	client_roundtrip(c);
	client_roundtrip(c);
	assert_ptr_equal(c->keyboard_focus, here->surface);
	/* None is: the camera goes to the last used one. */
	window_destroy(here);
	client_roundtrip(c);
	client_roundtrip(c);
	assert_ptr_equal(c->keyboard_focus, far->surface);
	struct picture picture = client_capture(c);
	assert_int_equal(picture_find(&picture, GREEN).width, 200);
	picture_free(&picture);
	window_destroy(far);
	window_destroy(seen);
}

static void dialogs_stay_above(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 400, 300, RED);
	struct window *dialog = window_create(c, 100, 50, GREEN);
	client_key(c, KEY_8, SUPER); /* the dialog to 100, 80 */
	xdg_toplevel_set_parent(dialog->toplevel, window->toplevel);
	client_key(c, KEY_TAB, SUPER);
	assert_ptr_equal(c->keyboard_focus, window->surface);
	client_key(c, KEY_8, SUPER); /* its parent too: one covers the other */
	client_expect_rect(c, GREEN, 100, 80, 100, 50);
	client_pointer_move(c, 300, 200);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_button(c, BTN_LEFT, false);
	assert_ptr_equal(c->keyboard_focus, window->surface);
	client_expect_rect(c, GREEN, 100, 80, 100, 50);
	window_destroy(dialog);
	window_destroy(window);
}

static void panels_have_popups(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *panel = window_create_layer(c, TOP, EDGE_TOP, 0, 30, 30, BLUE);
	struct window *menu = window_create_popup(panel, 100, 30, 80, 60, GREEN);
	struct window *nested = window_create_popup(menu, 80, 10, 40, 20, YELLOW);
	client_expect_rect(c, GREEN, 100, 30, 80, 60);
	client_expect_rect(c, YELLOW, 180, 40, 40, 20);
	/* Panels do not zoom, nor do their menus. */
	client_key(c, KEY_3, SUPER);
	client_expect_rect(c, GREEN, 100, 30, 80, 60);
	client_pointer_move(c, 110, 50);
	assert_ptr_equal(c->pointer_focus, menu->surface);
	assert_double_equal(c->sx, 10, 0.01);
	assert_double_equal(c->sy, 20, 0.01);
	window_destroy(nested);
	window_destroy(menu);
	/* At the edge of the screen it stays on it. */
	menu = window_create_popup(panel, 1270, 30, 80, 60, GREEN);
	client_expect_rect(c, GREEN, 1200, 30, 80, 60);
	window_destroy(menu);
	window_destroy(panel);
}

static void a_hidden_panel_gives_its_edge_back(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *panel = window_create_layer(c, TOP, EDGE_TOP, 0, 30, 30, BLUE);
	struct window *window = window_create(c, 200, 100, RED);
	xdg_toplevel_set_maximized(window->toplevel);
	client_roundtrip(c);
	client_roundtrip(c);
	assert_int_equal(window->wanted_height, 690);
	wl_surface_attach(panel->surface, NULL, 0, 0);
	wl_surface_commit(panel->surface);
	client_roundtrip(c);
	client_roundtrip(c);
	assert_int_equal(window->wanted_height, 720);
	window_destroy(window);
	window_destroy(panel);
}

static int wlr_randr(struct fixture *f, char *option, char *value) {
	char runtime[96], display[64];
	snprintf(runtime, sizeof(runtime), "XDG_RUNTIME_DIR=%s", f->city.dir);
	snprintf(display, sizeof(display), "WAYLAND_DISPLAY=%s", f->city.socket);
	const char *environment[] = {runtime, display, NULL};
	char *argv[] = {"wlr-randr", "--output", "HEADLESS-1", option, value, NULL};
	return test_run(argv, environment, NULL);
}

static void outputs_change_at_run_time(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *panel = window_create_layer(c, TOP, EDGE_TOP, 0, 30, 30, BLUE);
	struct window *window = window_create(c, 200, 100, RED);
	int status = wlr_randr(f, "--custom-mode", "800x600");
	if (status == 127) {
		print_message("wlr-randr is not installed\n");
		skip();
	}
	assert_int_equal(status, 0);
	client_roundtrip(c);
	assert_int_equal(panel->wanted_width, 800);
	window_obey(panel);
	struct picture picture = client_capture(c);
	assert_int_equal(picture.width, 800);
	assert_int_equal(picture.height, 600);
	picture_free(&picture);
	client_expect_rect(c, BLUE, 0, 0, 800, 30);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y + 15, 200, 100);

	assert_int_equal(wlr_randr(f, "--scale", "2"), 0);
	client_roundtrip(c);
	assert_int_equal(panel->wanted_width, 400);
	client_key(c, KEY_8, SUPER); /* to 100, 80 */
	client_expect_rect(c, RED, 200, 160, 400, 200);
	/* Off and on again. */
	assert_int_equal(wlr_randr(f, "--off", NULL), 0);
	client_roundtrip(c);
	assert_true(panel->closed || panel->wanted_width > 0);
	assert_int_equal(wlr_randr(f, "--on", NULL), 0);
	/* For clients it is a new one. */
	struct client *late = client_create(&f->city);
	client_expect_rect(late, RED, 200, 160, 400, 200);
	client_destroy(late);
	window_destroy(window);
	window_destroy(panel);
}

struct lock_state {
	struct ext_session_lock_v1 *lock;
	bool locked, finished;
};

static void lock_locked(void *data, struct ext_session_lock_v1 *lock) {
	struct lock_state *state = data;
	state->locked = true;
}

static void lock_finished(void *data, struct ext_session_lock_v1 *lock) {
	struct lock_state *state = data;
	state->finished = true;
}

static const struct ext_session_lock_v1_listener lock_listener = {
	.locked = lock_locked,
	.finished = lock_finished,
};

static bool is_locked(void *data) {
	struct lock_state *state = data;
	return state->locked || state->finished;
}

static void lock_surface_configure(void *data, struct ext_session_lock_surface_v1 *surface,
	uint32_t serial, uint32_t width, uint32_t height) {
	struct window *window = data;
	ext_session_lock_surface_v1_ack_configure(surface, serial);
	window->wanted_width = (int)width;
	window->wanted_height = (int)height;
	window->configured = true;
}

static const struct ext_session_lock_surface_v1_listener lock_surface_listener = {
	.configure = lock_surface_configure,
};

static void lock(struct client *c, struct lock_state *state) {
	*state = (struct lock_state){0};
	state->lock = ext_session_lock_manager_v1_lock(c->locks);
	ext_session_lock_v1_add_listener(state->lock, &lock_listener, state);
	client_wait(c, is_locked, state, "the lock");
	assert_true(state->locked);
}

static bool is_wanted(void *data) {
	struct window *window = data;
	return window->configured;
}

static struct window *show_lock(struct client *c, struct lock_state *state, uint32_t color) {
	struct window *window = calloc(1, sizeof(*window));
	window->client = c;
	window->color = color;
	window->surface = wl_compositor_create_surface(c->compositor);
	window->lock =
		ext_session_lock_v1_get_lock_surface(state->lock, window->surface, c->output);
	ext_session_lock_surface_v1_add_listener(window->lock, &lock_surface_listener, window);
	client_wait(c, is_wanted, window, "the size of the lock surface");
	window_obey(window);
	client_roundtrip(c);
	return window;
}

static void a_lock_hides_the_city(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *panel = window_create_layer(c, TOP, EDGE_TOP, 0, 30, 30, BLUE);
	struct window *window = window_create(c, 200, 100, RED);
	struct window *popup = window_create_popup(window, 10, 10, 50, 50, YELLOW);
	client_pointer_move(c, FIRST_X + 100, FIRST_Y + 20);

	struct client *locker = client_create(&f->city);
	struct lock_state lock_state;
	lock(locker, &lock_state);
	struct picture picture = client_capture(c);
	for (int i = 0; i < picture.width * picture.height; i++) {
		assert_int_equal(picture.pixels[i] & 0xffffff, 0x0d0f12);
	}
	picture_free(&picture);
	client_roundtrip(c);
	assert_null(c->keyboard_focus);
	assert_null(c->pointer_focus);

	struct window *screen = show_lock(locker, &lock_state, GREEN);
	client_expect_rect(c, GREEN, 0, 0, 1280, 720);
	assert_ptr_equal(locker->keyboard_focus, screen->surface);
	/* Keys and clicks are the locker's, bindings are off. */
	unsigned int keys = c->keys, presses = c->presses;
	client_key(c, KEY_Q, SUPER);
	client_pointer_button(c, BTN_LEFT, true);
	client_pointer_button(c, BTN_LEFT, false);
	client_roundtrip(locker);
	assert_false(window->closed);
	assert_int_equal(c->keys, keys);
	assert_int_equal(c->presses, presses);
	assert_int_equal(locker->presses, 1);

	/* A second locker is refused. */
	struct client *other = client_create(&f->city);
	struct lock_state second = {0};
	second.lock = ext_session_lock_manager_v1_lock(other->locks);
	ext_session_lock_v1_add_listener(second.lock, &lock_listener, &second);
	client_wait(other, is_locked, &second, "the refusal");
	assert_true(second.finished);
	ext_session_lock_v1_destroy(second.lock);

	/* The locker dies: nothing comes to light. */
	window_destroy(screen);
	client_destroy(locker);
	test_city_expect_log(&f->city, "ended without unlocking");
	picture = client_capture(c);
	assert_int_equal(picture_find(&picture, RED).width, 0);
	assert_int_equal(picture_find(&picture, BLUE).width, 0);
	assert_int_equal(picture_at(&picture, 640, 360), 0x3a1218);
	picture_free(&picture);

	/* Another one may take over and unlock. */
	lock(other, &lock_state);
	ext_session_lock_v1_unlock_and_destroy(lock_state.lock);
	client_roundtrip(other);
	client_roundtrip(c);
	client_expect_rect(c, BLUE, 0, 0, 1280, 30);
	assert_ptr_equal(c->keyboard_focus, window->surface);
	client_destroy(other);
	window_destroy(popup);
	window_destroy(window);
	window_destroy(panel);
}

static void sandboxed_clients_see_less(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	static const char *const privileged[] = {"zwlr_screencopy_manager_v1",
		"ext_image_copy_capture_manager_v1", "zwp_virtual_keyboard_manager_v1",
		"zwlr_virtual_pointer_manager_v1", "zwlr_data_control_manager_v1",
		"ext_data_control_manager_v1", "zwlr_layer_shell_v1", "zwlr_output_manager_v1",
		"ext_session_lock_manager_v1", "wp_security_context_manager_v1",
		"zwlr_foreign_toplevel_manager_v1", "ext_foreign_toplevel_list_v1",
		"zwlr_gamma_control_manager_v1", "zwlr_output_power_manager_v1",
		"source_city_control_v1", "zwp_input_method_manager_v2",
		"zwlr_export_dmabuf_manager_v1"};
	int listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sandbox", f->city.dir);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listen_fd, 4), 0);
	int close_fds[2];
	assert_int_equal(pipe(close_fds), 0);
	struct wp_security_context_v1 *context = wp_security_context_manager_v1_create_listener(
		c->security, listen_fd, close_fds[0]);
	wp_security_context_v1_set_app_id(context, "test");
	wp_security_context_v1_commit(context);
	wp_security_context_v1_destroy(context);
	client_roundtrip(c);

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	struct client *sandboxed = client_create_on_fd(fd);
	for (size_t i = 0; i < sizeof(privileged) / sizeof(privileged[0]); i++) {
		if (!client_has_global(c, privileged[i])) {
			fail_msg("nobody sees %s", privileged[i]);
		}
		if (client_has_global(sandboxed, privileged[i])) {
			fail_msg("a sandboxed client sees %s", privileged[i]);
		}
	}
	/* It can do what programs do. */
	struct window *window = window_create(sandboxed, 200, 100, RED);
	client_expect_rect(c, RED, FIRST_X, FIRST_Y, 200, 100);
	window_destroy(window);
	client_destroy(sandboxed);
	close(close_fds[0]);
	close(close_fds[1]);
	close(listen_fd);
}

struct listed {
	struct ext_foreign_toplevel_handle_v1 *handle;
	char title[64];
	bool done, closed;
};

static void listed_closed(void *data, struct ext_foreign_toplevel_handle_v1 *handle) {
	struct listed *listed = data;
	listed->closed = true;
}

static void listed_done(void *data, struct ext_foreign_toplevel_handle_v1 *handle) {
	struct listed *listed = data;
	listed->done = true;
}

static void listed_title(
	void *data, struct ext_foreign_toplevel_handle_v1 *handle, const char *title) {
	struct listed *listed = data;
	snprintf(listed->title, sizeof(listed->title), "%s", title);
}

static void listed_text(
	void *data, struct ext_foreign_toplevel_handle_v1 *handle, const char *text) {
}

static const struct ext_foreign_toplevel_handle_v1_listener listed_listener = {
	.closed = listed_closed,
	.done = listed_done,
	.title = listed_title,
	.app_id = listed_text,
	.identifier = listed_text,
};

static void list_toplevel(void *data, struct ext_foreign_toplevel_list_v1 *list,
	struct ext_foreign_toplevel_handle_v1 *handle) {
	struct listed *listed = data;
	listed->handle = handle;
	ext_foreign_toplevel_handle_v1_add_listener(handle, &listed_listener, listed);
}

static void list_finished(void *data, struct ext_foreign_toplevel_list_v1 *list) {
}

static const struct ext_foreign_toplevel_list_v1_listener list_listener = {
	.toplevel = list_toplevel,
	.finished = list_finished,
};

static void windows_are_listed_and_captured(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct listed listed = {0};
	struct client *viewer = client_create(&f->city);
	ext_foreign_toplevel_list_v1_add_listener(viewer->window_list, &list_listener, &listed);
	struct window *window = window_create(c, 200, 100, RED);
	client_roundtrip(viewer);
	assert_true(listed.done);
	assert_string_equal(listed.title, "window ff0000");
	struct ext_image_capture_source_v1 *source =
		ext_foreign_toplevel_image_capture_source_manager_v1_create_source(
			viewer->window_sources, listed.handle);
	/* The window alone, wherever and however small it is on the map. */
	client_key(c, KEY_6, SUPER);
	struct picture picture = client_capture_source(viewer, source);
	assert_int_equal(picture.width, 200);
	assert_int_equal(picture.height, 100);
	assert_int_equal(picture_find(&picture, RED).width, 200);
	picture_free(&picture);
	xdg_toplevel_set_title(window->toplevel, "other");
	client_roundtrip(c);
	client_roundtrip(viewer);
	assert_string_equal(listed.title, "other");
	/* It goes while somebody holds its source. */
	window_destroy(window);
	client_roundtrip(c);
	client_roundtrip(viewer);
	assert_true(listed.closed);
	ext_image_capture_source_v1_destroy(source);
	ext_foreign_toplevel_handle_v1_destroy(listed.handle);
	client_destroy(viewer);
}

static void idle_means_asleep(void **state) {
	struct fixture *f = *state;
	struct client *c = f->client;
	struct window *window = window_create(c, 200, 100, RED);
	client_key(c, KEY_3, SUPER);
	client_expect_rect(c, RED, 280, 242, 400, 200);
	/* What was still to be done after the picture. */
	long before = -1, now = test_city_sleeps(&f->city);
	for (int i = 0; i < 50 && before != now; i++) {
		usleep(100000);
		before = now;
		now = test_city_sleeps(&f->city);
	}
	usleep(1000000);
	assert_int_equal(test_city_sleeps(&f->city), now);
	window_destroy(window);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		DESK_TEST(panels_take_their_edge),
		DESK_TEST(panels_may_take_the_keyboard),
		DESK_TEST(fullscreen_covers_everything),
		DESK_TEST(minimised_windows_come_back),
		DESK_TEST(the_keyboard_goes_to_what_is_seen),
		DESK_TEST(dialogs_stay_above),
		DESK_TEST(panels_have_popups),
		DESK_TEST(a_hidden_panel_gives_its_edge_back),
		DESK_TEST(outputs_change_at_run_time),
		DESK_TEST(a_lock_hides_the_city),
		DESK_TEST(sandboxed_clients_see_less),
		DESK_TEST(windows_are_listed_and_captured),
		DESK_TEST(idle_means_asleep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Starting: what is wrong is said in one line, and what is right works. */
#include "fixture.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "wlr-layer-shell-unstable-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

static int run(const char *const environment[], char *argument, char *value, char **err) {
	char *program = getenv("SOURCE_CITY_COMPOSITOR");
	assert_non_null(program);
	char *argv[] = {program, argument, value, NULL};
	return test_run(argv, environment, err);
}

static size_t lines(const char *text) {
	size_t count = 0;
	for (; *text != '\0'; text++) {
		count += *text == '\n';
	}
	return count;
}

static void no_runtime_dir(void **state) {
	char *err;
	const char *environment[] = {"XDG_RUNTIME_DIR", "WLR_BACKENDS=headless", NULL};
	assert_int_equal(run(environment, NULL, NULL, &err), 1);
	assert_non_null(strstr(err, "XDG_RUNTIME_DIR is not set"));
	assert_int_equal(lines(err), 1);
	free(err);
	environment[0] = "XDG_RUNTIME_DIR=/proc/nowhere";
	assert_int_equal(run(environment, NULL, NULL, &err), 1);
	assert_non_null(strstr(err, "/proc/nowhere"));
	assert_int_equal(lines(err), 1);
	free(err);
}

static void no_backend(void **state) {
	char *err;
	const char *environment[] = {"XDG_RUNTIME_DIR=/tmp", "WLR_BACKENDS=nonsense",
		"WAYLAND_DISPLAY", "DISPLAY", NULL};
	assert_int_equal(run(environment, NULL, NULL, &err), 1);
	assert_non_null(strstr(err, "nothing to show the city on"));
	free(err);
}

static void unknown_argument(void **state) {
	char *err;
	assert_int_equal(run(NULL, "--nonsense", NULL, &err), 1);
	free(err);
	assert_int_equal(run(NULL, "nonsense", NULL, &err), 1);
	assert_non_null(strstr(err, "nonsense"));
	free(err);
	assert_int_equal(run(NULL, "--help", NULL, NULL), 0);
	assert_int_equal(run(NULL, "--version", NULL, NULL), 0);
}

/* Checks a config of this text; returns the exit status. */
static int check(const char *text, char **err) {
	char path[] = "/tmp/city-config-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	int status = run(NULL, "--check-config", path, err);
	unlink(path);
	return status;
}

static void expect_complaint(const char *text, const char *where, const char *what) {
	char *err;
	int status = check(text, &err);
	if (status != 1 || strstr(err, where) == NULL || strstr(err, what) == NULL ||
		lines(err) > 2) {
		fail_msg("for \"%s\" it said (status %d): %s", text, status, err);
	}
	free(err);
}

static void config_errors_are_located(void **state) {
	expect_complaint(
		"keybord {\n}\n", ":1: ", "unknown directive \"keybord\"; allowed: keyboard");
	expect_complaint("\n\nanimations maybe\n", ":3: ", "on or off");
	expect_complaint("keyboard {\n layuot de\n}\n", ":2: ", "allowed: layout");
	expect_complaint("keyboard {\n repeat 30\n}\n", ":2: ", "repeat PER_SECOND DELAY_MS");
	expect_complaint("keyboard {\n repeat fast 30\n}\n", ":2: ", "whole number");
	expect_complaint("output X {\n mode 12\n}\n", ":2: ", "WIDTHxHEIGHT");
	expect_complaint("output X {\n scale 99\n}\n", ":2: ", "from 0.25 to 8");
	expect_complaint("output X {\n transform 45\n}\n", ":2: ", "must be normal, 90");
	expect_complaint("output X {\n}\noutput X {\n}\n", ":3: ", "there twice");
	expect_complaint("bind Supper+q close\n", ":1: ", "unknown modifier \"Supper\"");
	expect_complaint("bind Super+qq close\n", ":1: ", "unknown key \"qq\"");
	expect_complaint("bind Super+q clsoe\n", ":1: ", "unknown command \"clsoe\"; allowed: ");
	expect_complaint("bind Super+q zoom sideways\n", ":1: ", "zoom takes");
	expect_complaint("bind Super+q\n", ":1: ", "bind KEYS COMMAND");
	expect_complaint("bind Ground+q close\n", ":1: ", "is for buttons and wheels");
	expect_complaint("bind Tile+Ground+WheelUp close\n", ":1: ", "in one place only");
	expect_complaint("bind ButtonUp close\n", ":1: ", "unknown key \"ButtonUp\"");
	expect_complaint("bind Super+q drag move\n", ":1: ", "drag is for buttons");
	expect_complaint("bind WheelUp drag pan\n", ":1: ", "drag is for buttons");
	expect_complaint("bind ButtonLeft drag away\n", ":1: ", "drag takes move, resize or pan");
	expect_complaint("bind ButtonLeft scroll zoom\n", ":1: ", "scroll is for wheels");
	expect_complaint("tile a {\n}\ntile a {\n}\n", ":3: ", "there twice");
	expect_complaint("tile a {\n at 1\n}\n", ":2: ", "at X Y");
	expect_complaint("tile My {\n}\n", ":1: ", "\"My\" cannot name a tile");
	expect_complaint("tile a {\n kind ../a\n}\n", ":2: ", "cannot name a tile");
	expect_complaint("\nkeyboard {\n layout nowhere\n}\n", ":2: ", "layout \"nowhere\"");
	expect_complaint("theme {\n ground \"#-12345\"\n}\n", ":2: ", "a colour like");
	expect_complaint("theme {\n ground blue\n}\n", ":2: ", "a colour like");
	expect_complaint("keyboard {\n", ": ", "not a scfg file");
	char *err;
	assert_int_equal(check("", &err), 0);
	assert_string_equal(err, "");
	free(err);
	assert_int_equal(run(NULL, "--check-config", "/nonexistent", &err), 1);
	assert_non_null(strstr(err, "/nonexistent: No such file"));
	free(err);
}

static void the_shipped_config_is_right(void **state) {
	char *err;
	int status = run(NULL, "--check-config", getenv("SOURCE_CITY_CONFIG_DEFAULT"), &err);
	assert_string_equal(err, "");
	assert_int_equal(status, 0);
	free(err);
}

static void it_starts_in_spite_of_config_errors(void **state) {
	struct test_city city;
	test_city_start(&city, "animations off\nnonsense 1\nbind Super+1 camera 7 8 1\n");
	assert_non_null(strstr(city.log, ":2: unknown directive"));
	struct client *client = client_create(&city);
	struct window *window = window_create(client, 200, 100, RED);
	client_key(client, KEY_1, SUPER);
	client_expect_rect(client, RED, FIRST_X - 7, FIRST_Y - 8, 200, 100);
	window_destroy(window);
	client_destroy(client);
	test_city_stop(&city);
}

static void reload_takes_the_new_file(void **state) {
	struct test_city city;
	test_city_start(&city, "animations off\nbind Super+1 camera 7 8 1\n");
	struct client *client = client_create(&city);
	struct window *window = window_create(client, 200, 100, RED);
	char path[128];
	snprintf(path, sizeof(path), "%s/config", city.dir);
	FILE *file = fopen(path, "w");
	fputs("animations off\nbind Super+1 camera 50 60 1\n", file);
	fclose(file);
	client_key(client, KEY_R, SUPER);
	test_city_expect_log(&city, "loaded again");
	client_key(client, KEY_1, SUPER);
	client_expect_rect(client, RED, FIRST_X - 50, FIRST_Y - 60, 200, 100);
	/* A broken one changes nothing. */
	file = fopen(path, "w");
	fputs("anmations off\n", file);
	fclose(file);
	client_key(client, KEY_R, SUPER);
	test_city_expect_log(&city, "the old one stays");
	client_key(client, KEY_1, SUPER);
	client_expect_rect(client, RED, FIRST_X - 50, FIRST_Y - 60, 200, 100);
	window_destroy(window);
	client_destroy(client);
	test_city_stop(&city);
}

static void several_outputs(void **state) {
	struct test_city city;
	test_city_start(&city,
		"animations off\nheadless {\n size 800x600\n count 2\n}\n"
		"output HEADLESS-1 {\n position 0 0\n}\n"
		"output HEADLESS-2 {\n scale 2\n position 800 0\n}\n"
		"bind Super+8 move 700 100\n");
	struct client *client = client_create(&city);
	struct window *window = window_create(client, 200, 100, RED);
	client_key(client, KEY_8, SUPER);
	/* Half of it on each, the second at twice the pixels. */
	client_use_output(client, "HEADLESS-1");
	client_expect_rect(client, RED, 700, 100, 100, 100);
	client_use_output(client, "HEADLESS-2");
	client_expect_rect(client, RED, 0, 200, 200, 200);
	/* It may say which it wants to fill. */
	client_use_output(client, "HEADLESS-1");
	client_pointer_move(client, 10, 10);
	struct wl_output *first = client->output;
	client_use_output(client, "HEADLESS-2");
	xdg_toplevel_set_fullscreen(window->toplevel, client->output);
	client_roundtrip(client);
	client_roundtrip(client);
	assert_int_equal(window->wanted_width, 400);
	assert_int_equal(window->wanted_height, 300);
	window_obey(window);
	client_expect_rect(client, RED, 0, 0, 800, 600);
	xdg_toplevel_set_fullscreen(window->toplevel, first);
	client_roundtrip(client);
	client_roundtrip(client);
	assert_int_equal(window->wanted_width, 800);
	xdg_toplevel_unset_fullscreen(window->toplevel);
	client_roundtrip(client);
	client_roundtrip(client);
	assert_int_equal(window->wanted_width, 200);
	window_destroy(window);
	client_destroy(client);
	test_city_stop(&city);
}

static void the_animation_ends_where_it_should(void **state) {
	struct test_city city;
	test_city_start(&city, "headless {\n size 1280x720\n}\n");
	struct client *client = client_create(&city);
	struct window *window = window_create(client, 200, 100, RED);
	client_key(client, KEY_MINUS, SUPER);
	client_key(client, KEY_MINUS, SUPER);
	client_expect_rect(client, RED, 590, 341, 100, 50);
	client_key(client, KEY_EQUAL, SUPER);
	client_key(client, KEY_EQUAL, SUPER);
	client_expect_rect(client, RED, FIRST_X, FIRST_Y, 200, 100);
	client_key(client, KEY_RIGHT, SUPER);
	client_expect_rect(client, RED, FIRST_X - 320, FIRST_Y, 200, 100);
	window_destroy(window);
	client_destroy(client);
	test_city_stop(&city);
}

static void a_nested_city_ends_with_its_window(void **state) {
	struct test_city host, city;
	test_city_start(&host, CONFIG_TEXT);
	struct client *client = client_create(&host);
	/* Its window is closed. */
	test_city_start_nested(&city, "theme {\n ground \"#00ff00\"\n}\n", &host);
	struct picture picture;
	do {
		picture = client_capture(client);
		int seen = picture_find(&picture, GREEN).width;
		picture_free(&picture);
		if (seen > 100) {
			break;
		}
	} while (test_city_alive(&city));
	client_key(client, KEY_Q, SUPER);
	test_city_expect_log(&city, "its last window was closed");
	test_city_stop(&city);
	/* Its host ends. */
	test_city_start_nested(&city, "animations off\n", &host);
	client_destroy(client);
	test_city_stop(&host);
	test_city_expect_log(&city, "its last window was closed");
	test_city_stop(&city);
}

static bool is_gone(void *data) {
	struct window **panels = data;
	return panels[0]->closed || panels[1]->closed;
}

static void an_output_goes_while_it_is_in_use(void **state) {
	struct test_city host, city;
	test_city_start(&host, CONFIG_TEXT);
	setenv("WLR_WL_OUTPUTS", "2", 1);
	/* Small enough for the host to show both. */
	test_city_start_nested(&city, "animations off\noutput * {\n mode 400x300\n}\n", &host);
	unsetenv("WLR_WL_OUTPUTS");
	struct client *hand = client_create(&host), *client = client_create(&city);
	struct window *panels[2], *menus[2];
	const char *const names[2] = {"WL-1", "WL-2"};
	for (int i = 0; i < 2; i++) {
		client_use_output(client, names[i]);
		panels[i] = window_create_layer(client, ZWLR_LAYER_SHELL_V1_LAYER_TOP,
			ZWLR_LAYER_SURFACE_V1_ANCHOR_TOP, 100, 30, 30, BLUE);
		menus[i] = window_create_popup(panels[i], 10, 10, 20, 20, GREEN);
		/* Seen, and so are the windows that the host shows. */
		struct picture picture = client_capture(client);
		assert_int_equal(picture_find(&picture, GREEN).width, 20);
		picture_free(&picture);
	}
	struct window *window = window_create(client, 200, 100, RED);
	/* The host closes one of them, with all that stands on it. */
	client_key(hand, KEY_Q, SUPER);
	client_wait(client, is_gone, panels, "the end of a panel");
	test_city_expect_log(&city, "output gone");
	assert_true(menus[panels[0]->closed ? 0 : 1]->closed);
	int left = panels[0]->closed ? 1 : 0;
	assert_false(panels[left]->closed);
	client_use_output(client, names[left]);
	struct picture picture = client_capture(client);
	assert_int_equal(picture_find(&picture, GREEN).width, 20);
	picture_free(&picture);
	assert_ptr_equal(client->keyboard_focus, window->surface);
	window_destroy(window);
	for (int i = 0; i < 2; i++) {
		window_destroy(menus[i]);
		window_destroy(panels[i]);
	}
	client_destroy(client);
	test_city_stop(&city);
	client_destroy(hand);
	test_city_stop(&host);
}

/* 0 where there is one. */
static int run_launcher_version(void) {
	char *const argv[] = {"fuzzel", "--version", NULL};
	return test_run(argv, NULL, NULL);
}

static bool keyboard_is_gone(void *data) {
	return ((const struct client *)data)->keyboard_focus == NULL;
}

static bool keyboard_is_back(void *data) {
	return ((const struct client *)data)->keyboard_focus != NULL;
}

/* Whoever has the keyboard may not have drawn yet. */
static void expect_another_picture(struct client *client, const struct picture *before) {
	size_t size = (size_t)before->width * (size_t)before->height * sizeof(before->pixels[0]);
	time_t end = time(NULL) + 60;
	for (bool same = true; same;) {
		struct picture now = client_capture(client);
		same = memcmp(now.pixels, before->pixels, size) == 0;
		picture_free(&now);
		assert_true(!same || time(NULL) < end);
	}
}

static void its_key_starts_the_launcher(void **state) {
	if (run_launcher_version() != 0) {
		print_message("fuzzel is not installed\n");
		skip();
	}
	struct test_city city;
	test_city_start(&city, "animations off\n");
	struct client *client = client_create(&city);
	struct window *window = window_create(client, 200, 100, RED);
	struct picture before = client_capture(client);
	client_key(client, KEY_D, SUPER);
	/* Its panel takes the keyboard, and is seen. */
	client_wait(client, keyboard_is_gone, client, "the launcher does not take the keyboard");
	expect_another_picture(client, &before);
	client_key(client, KEY_ESC, 0);
	client_wait(client, keyboard_is_back, client, "Escape does not end the launcher");
	picture_free(&before);
	window_destroy(window);
	client_destroy(client);
	test_city_stop(&city);
}

static void a_launcher_of_ones_own(void **state) {
	char *path = strdup(getenv("PATH"));
	setenv("PATH", "/nowhere", 1);
	struct test_city city;
	test_city_start(&city, "animations off\n");
	struct client *client = client_create(&city);
	client_key(client, KEY_D, SUPER);
	test_city_expect_log(&city, "launch: no launcher is installed: install one of fuzzel");
	client_destroy(client);
	test_city_stop(&city);
	test_city_start(&city, "launcher echo \"its own launcher\" >&2\n");
	client = client_create(&city);
	client_key(client, KEY_D, SUPER);
	test_city_expect_log(&city, "its own launcher");
	client_destroy(client);
	test_city_stop(&city);
	setenv("PATH", path, 1);
	free(path);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_runtime_dir),
		cmocka_unit_test(no_backend),
		cmocka_unit_test(unknown_argument),
		cmocka_unit_test(config_errors_are_located),
		cmocka_unit_test(the_shipped_config_is_right),
		cmocka_unit_test(it_starts_in_spite_of_config_errors),
		cmocka_unit_test(its_key_starts_the_launcher),
		cmocka_unit_test(a_launcher_of_ones_own),
		cmocka_unit_test(reload_takes_the_new_file),
		cmocka_unit_test(several_outputs),
		cmocka_unit_test(a_nested_city_ends_with_its_window),
		cmocka_unit_test(an_output_goes_while_it_is_in_use),
		cmocka_unit_test(the_animation_ends_where_it_should),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

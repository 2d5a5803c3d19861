/* SPDX-License-Identifier: MIT */
/* The desktop: commands, cameras, bookmarks, pictures, and all of its state. */
#include "expect.h"

#include <sys/stat.h>
#include <unistd.h>

#include <png.h>

static void test_desktop(void **state) {
	struct server server;
	server_start(&server);
	expect(run(&server, "run pan -100 0.5"), 0, "", "");
	assert_string_equal(server.log, "run [pan -100 0.5]\n");
	expect(run(&server, "run exec foo -e --bar --json"), 0, "{\"event\":\"succeeded\"}\n", "");
	assert_string_equal(server.log, "run [exec foo -e --bar]\n");
	expect(run(&server, "run -- exec foo --json"), 0, "", "");
	assert_string_equal(server.log, "run [exec foo --json]\n");
	expect(run(&server, "run fly away"), 1, "", "cityctl: there is no command fly\n");
	expect(run(&server, "go a b"), 0, "", "");
	assert_string_equal(server.log, "run [go a b]\n");
	expect(run(&server, "go"), 2, "",
		"cityctl: go needs NAME|all|city|back\nusage: cityctl go NAME|all|city|back\n");
	expect(run(&server, "bookmark set a b"), 0, "", "");
	assert_string_equal(server.log, "run [bookmark set a b]\n");
	expect(run(&server, "bookmark"), 0,
		"BOOKMARK  MIDDLE  ZOOM\n"
		"a b       1,2     0.5\n",
		"");
	expect(run(&server, "bookmark --names"), 0, "a b\n", "");
	expect(run(&server, "bookmark list --json"), 0,
		"{\"name\":\"a b\",\"cx\":1,\"cy\":2,\"zoom\":0.5}\n", "");
	expect(run(&server, "bookmark go"), 2, "",
		"cityctl: say set, go or remove, and a name\n"
		"usage: cityctl bookmark [list|set|go|remove] [NAME] [--names]\n");
	expect(run(&server, "camera"), 0,
		"OUTPUT  PLACE  SEEN     ZOOM  STATE\n"
		"X-1     10,20  640x360  2     moving\n",
		"");
	expect(run(&server, "camera --json"), 0,
		"{\"output\":\"X-1\",\"cx\":10,\"cy\":20.5,\"width\":640,\"height\":360,"
		"\"zoom\":2,\"moving\":true}\n",
		"");
	expect(run(&server, "camera -5 7 0.5"), 0, "", "");
	assert_string_equal(server.log, "run [camera -5 7 0.5]\n");
	expect(run(&server, "quit"), 0, "", "");
	assert_string_equal(server.log, "run [quit]\n");
	expect(run(&server, "quit --json"), 0, "{\"event\":\"succeeded\"}\n", "");
	server_stop(&server);
}

static void test_picture(void **state) {
	struct server server;
	server_start(&server);
	char folder[] = "/tmp/cityctl-test-XXXXXX", path[64];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/city.png", folder);
	expect(run(&server, text("picture %s --size 640x480", path)), 0, "", "");
	assert_string_equal(server.log, "picture [all] 640x480\n");
	png_image image = {.version = PNG_IMAGE_VERSION};
	assert_true(png_image_begin_read_from_file(&image, path));
	assert_int_equal(image.width, 2);
	assert_int_equal(image.height, 2);
	image.format = PNG_FORMAT_RGB;
	uint8_t rgb[12];
	assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
	assert_memory_equal(rgb, "\x11\x22\x33\xff\x00\x00\x44\x55\x66\x00\xff\x00", 12);
	expect(run(&server, text("picture %s --tile clock --json", path)), 0,
		text("{\"event\":\"saved\",\"file\":\"%s\",\"width\":2,\"height\":2}\n", path), "");
	assert_string_equal(server.log, "picture [tile clock] 0x0\n");
	expect(run(&server, text("picture %s --region -5.5,7,800x600", path)), 0, "", "");
	assert_string_equal(server.log, "picture [region -5.5 7 800 600] 0x0\n");
	expect(run(&server, text("picture %s --size 1x5", path)), 1, "", "cityctl: too small\n");
	char pipe[80];
	snprintf(pipe, sizeof(pipe), "%s/pipe", folder);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	expect(run(&server, text("picture %s", pipe)), 1, "",
		text("cityctl: %s: this is not a regular file\n", pipe));
	assert_int_equal(unlink(pipe), 0);
	expect(run(&server, "picture /nonexistent/a.png"), 1, "",
		"cityctl: /nonexistent/a.png: No such file or directory\n");
	const char *usage = "usage: cityctl picture FILE.png [--size WxH] [--region CX,CY,WxH] "
			    "[--tile NAME]\n";
	expect(run(&server, "picture a.png --size 5"), 2, "",
		text("cityctl: --size takes WIDTHxHEIGHT in pixels, not \"5\"\n%s", usage));
	expect(run(&server, "picture a.png --region 1,2,3"), 2, "",
		text("cityctl: --region takes CX,CY,WIDTHxHEIGHT, not \"1,2,3\"\n%s", usage));
	expect(run(&server, "picture a.png --region 1,2,3x4 --tile b"), 2, "",
		text("cityctl: either --tile or --region\n%s", usage));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0); /* nothing is left beside it */
	server_stop(&server);
}

static void test_state(void **state) {
	struct server server;
	server_start(&server);
	server.without_tiles = true;
	expect(run(&server, "state --json"), 0,
		"{\"camera\":{\"cx\":0,\"cy\":0,\"zoom\":1},\"views\":[],\"bookmarks\":[]}\n", "");
	expect(run(&server, "state"), 0,
		"{\n  \"camera\": {\n    \"cx\": 0,\n    \"cy\": 0,\n    \"zoom\": 1\n  },\n  "
		"\"views\": [],\n  \"bookmarks\": []\n}\n",
		"");
	expect(run(&server, "bookmark"), 0,
		"no bookmarks; make one with: cityctl bookmark set NAME\n", "");
	server_stop(&server);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_desktop),
		cmocka_unit_test(test_picture),
		cmocka_unit_test(test_state),
	};
	return cmocka_run_group_tests(tests, ctl_begin, ctl_end);
}

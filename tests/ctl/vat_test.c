/* SPDX-License-Identifier: MIT */
/* The state of tiles: shown, copied, compared and saved. */
#include "expect.h"

#include <sys/stat.h>

static void test_vat(void **state) {
	struct server server;
	server_start(&server);
	expect_parts(run(&server, "vat terminal"), 0, "cursor", "");
	assert_string_equal(server.log, "get_region terminal\n");
	struct result result = run(&server, "vat terminal cursor --json");
	assert_int_equal(result.status, 0);
	assert_non_null(strstr(result.out, "\"first\":11"));
	assert_null(strstr(result.out, "\"grid\""));
	assert_ptr_equal(strchr(result.out, '\n'), result.out + strlen(result.out) - 1);
	expect(run(&server, "vat terminal crusor"), 1, "",
		"cityctl: terminal has no cell crusor; did you mean cursor?; cityctl vat terminal "
		"shows them all\n");
	expect_parts(run(&server, "vat terminal-2"), 1, "", "cityctl: terminal-2: ");
	server_stop(&server);
}

static void test_vat_files(void **state) {
	struct server server;
	server_start(&server);
	const char *folder = make_folder(), *file = text("%s/saved", folder);
	write_file(file, "something else");
	expect(run(&server, "vat terminal --save %s", file), 0, "", "");
	assert_string_equal(server.log, "get_region terminal\n");
	expect_parts(run(&server, "vat terminal --save %s --json", file), 0,
		text("{\"event\":\"saved\",\"file\":\"%s\",\"bytes\":65536}\n", file), "");
	assert_int_equal(count_files(folder), 1);
	expect(run(&server, "vat terminal --save %s/none/saved", folder), 1, "",
		text("cityctl: %s/none/saved: No such file or directory\n", folder));
	/* A device, say, would be gone. */
	const char *pipe = text("%s/pipe", folder);
	struct stat there;
	assert_int_equal(mkfifo(pipe, 0600), 0);
	expect(run(&server, "vat terminal --save %s", pipe), 1, "",
		text("cityctl: %s: this is not a regular file\n", pipe));
	assert_int_equal(stat(pipe, &there), 0);
	assert_true(S_ISFIFO(there.st_mode));

	/* The same words as of the tile itself, and no city is asked. */
	const char *live = run(&server, "vat terminal --json").out;
	run_environment("WAYLAND_DISPLAY", "wayland-77");
	expect(run(&server, "vat --file %s --json", file), 0, live, "");
	expect_parts(run(&server, "vat --file %s grid", file), 0, "\ngrid  3 x 8 B", "");
	expect(run(&server, "vat --file %s gird", file), 1, "",
		text("cityctl: %s has no cell gird; did you mean grid?; cityctl vat --file %s "
		     "shows "
		     "them all\n",
			file, file));
	run_environment("WAYLAND_DISPLAY", server.socket);

	write_file(file, "something else");
	expect(run(&server, "vat --file %s", file), 1, "",
		text("cityctl: %s: region file: this is not a region file (wrong magic)\n", file));
	expect(run(&server, "vat --file %s/none", folder), 1, "",
		text("cityctl: %s/none: No such file or directory\n", folder));
	expect(run(&server, "vat --file %s", folder), 1, "",
		text("cityctl: %s: region file: this is not a regular file\n", folder));
	expect_parts(run(&server, "vat"), 2, "", "cityctl: vat needs TILE\n");
	expect_parts(
		run(&server, "vat --file a b c"), 2, "", "cityctl: with --file, what is \"c\"?\n");
	expect_parts(
		run(&server, "vat --file a --save b"), 2, "", "cityctl: either --file or --save\n");
	expect_parts(run(&server, "vat a b --save c"), 2, "",
		"cityctl: --save writes all cells, not only b\n");
	server_stop(&server);
}

static void test_vat_differences(void **state) {
	struct server server;
	server_start(&server);
	const char *folder = make_folder(), *file = text("%s/saved", folder);
	expect(run(&server, "vat terminal --save %s", file), 0, "", "");
	expect(run(&server, "vat terminal --diff %s", file), 0, "", "");
	expect(run(&server, "vat --file %s --diff %s", file, file), 0, "", "");
	expect(run(&server, "vat terminal --diff previous"), 1, "",
		"cityctl: terminal: there is no state of before: it is kept in probation only; "
		"compare with a copy from cityctl vat --save\n");
	assert_string_equal(server.log, "get_region terminal\nget_undo terminal\n");
	expect(run(&server, "vat terminal --diff %s/none", folder), 1, "",
		text("cityctl: %s/none: No such file or directory\n", folder));
	struct result result = run(&server, "vat terminal cursor.first --json");
	assert_int_equal(result.status, 0);
	assert_non_null(strstr(result.out, "\"values\":[{\"first\":11}]"));
	expect(run(&server, "vat terminal cursor.frist"), 1, "",
		"cityctl: terminal has no field cursor.frist; did you mean first?; cityctl vat "
		"terminal shows them all\n");
	expect(run(&server, "vat terminal crusor.first --watch"), 1, "",
		"cityctl: terminal has no cell crusor.first; did you mean cursor?; cityctl vat "
		"terminal shows them all\n");
	expect_parts(run(&server, "vat terminal --diff a --watch"), 2, "",
		"cityctl: only one of --save, --diff and --watch\n");
	expect_parts(run(&server, "vat --file a --watch"), 2, "",
		"cityctl: either --file or --watch: a copy does not change\n");
	expect_parts(run(&server, "vat terminal --interval 9"), 2, "",
		"cityctl: --interval is for --watch\n");
	expect_parts(run(&server, "vat terminal --watch --interval 0"), 2, "",
		"cityctl: --interval needs a number from 1 to 3600000, not 0\n");
	server_stop(&server);
}

static void test_checkpoint(void **state) {
	struct server server;
	server_start(&server);
	expect(run(&server, "checkpoint terminal"), 0, "/state of/terminal.vat\n", "");
	assert_string_equal(server.log, "checkpoint terminal\n");
	expect(run(&server, "checkpoint terminal --json"), 0,
		"{\"event\":\"saved\",\"tile\":\"terminal\",\"file\":\"/state of/terminal.vat\","
		"\"bytes\":12345,\"waited_ns\":678}\n",
		"");
	/* All of them; one fails, the others are saved. */
	expect_parts(run(&server, "checkpoint"), 1, "/state of/terminal.vat\n", "the disk is full");
	expect_parts(run(&server, "checkpoint terminl"), 1, "", "did you mean terminal?");
	server_stop(&server);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vat),
		cmocka_unit_test(test_vat_files),
		cmocka_unit_test(test_vat_differences),
		cmocka_unit_test(test_checkpoint),
	};
	return cmocka_run_group_tests(tests, ctl_begin, ctl_end);
}

/* SPDX-License-Identifier: MIT */
/* What is said of wrong names and words, and that each word is documented. */
#include "expect.h"

#include <yyjson.h>

static void test_unknown_tile(void **state) {
	struct server server;
	server_start(&server);
	const char *words = "there are: terminal, clock, terminal-2\n";
	expect(run(&server, "swap termnial"), 1, "",
		text("cityctl: there is no tile termnial; did you mean terminal?; %s", words));
	expect(run(&server, "vat clo"), 1, "",
		text("cityctl: there is no tile clo; did you mean clock?; %s", words));
	expect(run(&server, "close something-else"), 1, "",
		text("cityctl: there is no tile something-else; %s", words));
	expect(run(&server, "--json watch none"), 1,
		"{\"event\":\"failed\",\"step\":\"tile\",\"reason\":\"there is no tile none; there "
		"are: terminal, clock, terminal-2\"}\n",
		text("cityctl: there is no tile none; %s", words));
	server.without_tiles = true;
	expect(run(&server, "rollback x"), 1, "",
		"cityctl: there is no tile x, nor any other; open one with: cityctl open "
		"terminal\n");
	server_stop(&server);
}

static void test_no_city(void **state) {
	struct server server;
	server_start(&server);
	expect(run(&server, "tiles --socket nowhere"), 1, "",
		text("cityctl: no city runs at %s/nowhere (--socket): No such file or directory; "
		     "start one with: source-city\n",
			server.runtime));
	run_environment("WAYLAND_DISPLAY", "wayland-77");
	expect(run(&server, "tiles"), 1, "",
		text("cityctl: no city runs at %s/wayland-77 ($WAYLAND_DISPLAY): No such file or "
		     "directory; start one with: source-city\n",
			server.runtime));
	run_environment("WAYLAND_DISPLAY", NULL);
	/* By name and by path. */
	expect(run(&server, "tiles --names --socket %s", server.socket), 0,
		"terminal\nclock\nterminal-2\n", "");
	expect(run(&server, "tiles --names --socket=%s/%s", server.runtime, server.socket), 0,
		"terminal\nclock\nterminal-2\n", "");
	run_environment("XDG_RUNTIME_DIR", NULL);
	expect(run(&server, "tiles --socket there"), 1, "",
		"cityctl: cannot look for the socket there: XDG_RUNTIME_DIR is not set\n");
	run_environment("XDG_RUNTIME_DIR", server.runtime);
	run_environment("WAYLAND_DISPLAY", server.socket);
	server.mute = true;
	expect(run(&server, "tiles"), 1, "",
		text("cityctl: the city at %s does not answer\n", server.socket));
	server.mute = false;
	wl_global_destroy(server.global);
	expect(run(&server, "tiles"), 1, "",
		text("cityctl: the compositor at %s/%s is not a city, or hides its control from "
		     "this program\n",
			server.runtime, server.socket));
	server_stop(&server);
}

static void test_usage(void **state) {
	struct server server;
	server_start(&server);
	static const struct {
		const char *line, *error;
	} cases[] = {
		{"swpa terminal", "cityctl: no command swpa; did you mean swap?\n"},
		{"hist", "cityctl: no command hist; did you mean history?\n"},
		{"xyzzy", "cityctl: no command xyzzy\n"},
		{"swap", "cityctl: swap needs TILE[=PATH]...\nusage: cityctl swap TILE[=PATH]..."},
		{"swap a b=",
			"cityctl: of several tiles: TILE=FILE, TILE=FOLDER, or TILE for its own "
			"source, not b=\n"},
		{"swap a --source", "cityctl: --source needs a value: DIR\n"},
		{"swap a --source=", "cityctl: --source needs a value: DIR\n"},
		{"swap a --settled=1", "cityctl: --settled takes no value\n"},
		{"watch a --setled", "cityctl: no option --setled\n"},
		{"swap a --setled", "cityctl: no option --setled; did you mean --settled?\n"},
		{"tiles -x", "cityctl: no option -x\n"},
		{"run", "cityctl: run needs COMMAND...\n"},
		{"--json", "cityctl: a command is needed\n"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct result result = run(&server, "%s", cases[i].line);
		assert_int_equal(result.status, 2);
		assert_string_equal(result.out, "");
		if (strstr(result.err, cases[i].error) != result.err)
			fail_msg("cityctl %s: %s", cases[i].line, result.err);
		assert_non_null(strstr(result.err, "usage: cityctl "));
	}
	expect_parts(run(&server, "--help"), 0, "swap TILE", "");
	expect_parts(
		run(&server, "vat -h"), 0, "usage: cityctl vat [TILE] [CELL[.FIELD]] [--all]", "");
	expect(run(&server, "version"), 0, "cityctl " CITY_VERSION "\n", "");
	expect(run(&server, "--version --json"), 0, "{\"version\":\"" CITY_VERSION "\"}\n", "");
	server_stop(&server);
}

/* Each key of a record and of a tile is explained. */
static void test_keys_are_documented(void **state) {
	static const char *const files[] = {"docs/cityctl.1.scd", "docs/handover-record.md"};
	yyjson_doc *doc = yyjson_read(record_live, strlen(record_live), 0);
	assert_non_null(doc);
	for (size_t i = 0; i < 2; i++) {
		const char *content = read_whole(text("%s/%s", TEST_SOURCE_ROOT, files[i]), NULL);
		yyjson_obj_iter iter = yyjson_obj_iter_with(yyjson_doc_get_root(doc));
		yyjson_val *key;
		while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
			char *quoted = NULL;
			assert_true(asprintf(&quoted, i == 0 ? "*%s*" : "`%s`",
					    yyjson_get_str(key)) > 0);
			if (strstr(content, quoted) == NULL)
				fail_msg("%s does not know %s", files[i], quoted);
			free(quoted);
		}
	}
	yyjson_doc_free(doc);
}

/* The completions and the manual know every command and every option. */
static void test_documents(void **state) {
	struct server server;
	server_start(&server);
	static const char *const files[] = {
		"ctl/completions/cityctl.bash",
		"ctl/completions/_cityctl",
		"ctl/completions/cityctl.fish",
		"docs/cityctl.1.scd",
	};
	struct result help = run(&server, "--help");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const char *content = read_whole(text("%s/%s", TEST_SOURCE_ROOT, files[i]), NULL);
		char *lines = (char *)text("%s", help.out), *line;
		size_t commands = 0;
		assert_non_null(content);
		while ((line = strsep(&lines, "\n")) != NULL) {
			if (strncmp(line, "  ", 2) != 0 || line[2] == '-')
				continue;
			const char *name = text("%.*s", (int)strcspn(line + 2, " "), line + 2);
			commands++;
			if (strstr(content, name) == NULL)
				fail_msg("%s does not know %s", files[i], name);
			char *options = run(&server, "%s --help", name).out;
			for (char *at = options; (at = strstr(at, "\n  --")) != NULL; at++) {
				const char *option =
					text("%.*s", (int)strcspn(at + 5, " "), at + 5);
				if (strstr(content, option) == NULL)
					fail_msg("%s does not know --%s", files[i], option);
			}
		}
		assert_uint_in_range(commands, 13, 100);
	}
	server_stop(&server);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_tile),
		cmocka_unit_test(test_no_city),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_keys_are_documented),
	};
	return cmocka_run_group_tests(tests, ctl_begin, ctl_end);
}

/* SPDX-License-Identifier: MIT */
/* Tiles: their list, opening and closing, versions, and what cityctl says while it watches them. */
#include "expect.h"

#include <limits.h>
#include <unistd.h>

static void test_tiles(void **state) {
	struct server server;
	server_start(&server);
	expect(run(&server, "tiles"), 0,
		"TILE        STATE      KIND      VERSION   PAS   PID   PLACE   SIZE     TITLE\n"
		"terminal    live       terminal  aaaaaaaa  0.98  4711  40,-12  800x600  vim "
		"\xef\xbf\xbd]0;evil\xef\xbf\xbd – notes\n"
		"clock       probation  clock     cccccccc  -     4712  1000,0  120x120  時計\n"
		"terminal-2  dead       terminal  -         -     -     0,0     10x10    \n"
		"clock: sound from main\n"
		"clock: clock.c:3:1: error: expected expression\n",
		"");
	expect(run(&server, "tiles --json"), 0,
		"{\"name\":\"terminal\",\"uuid\":\"00000000-0000-4000-8000-000000000001\","
		"\"kind\":\"terminal\",\"state\":\"live\",\"notice\":\"\",\"pas\":0.9837,\"title\":"
		"\"vim \\u001B]0;evil\\u0007 – notes\",\"artifact\":"
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"source\":"
		"\"/src/terminal\",\"pid\":4711,\"epoch\":3,\"cx\":40,\"cy\":-12.5,\"width\":800,"
		"\"height\":600,\"ports\":[]}\n"
		"{\"name\":\"clock\",\"uuid\":\"00000000-0000-4000-8000-000000000002\","
		"\"kind\":\"clock\",\"state\":\"probation\",\"notice\":"
		"\"clock.c:3:1: error: expected "
		"expression\",\"pas\":null,\"title\":\"時計\",\"artifact\":"
		"\"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\",\"source\":"
		"\"\",\"pid\":4712,\"epoch\":1,\"cx\":1000,\"cy\":0,\"width\":120,\"height\":120,"
		"\"ports\":[{\"name\":\"main\",\"kind\":\"audio\",\"direction\":\"out\"},"
		"{\"name\":\"\\\"keys\\u001B\",\"kind\":\"pty\",\"direction\":\"in\"}]}\n"
		"{\"name\":\"terminal-2\",\"uuid\":\"00000000-0000-4000-8000-000000000003\","
		"\"kind\":\"terminal\",\"state\":\"dead\",\"notice\":\"\",\"pas\":null,\"title\":"
		"\"\","
		"\"artifact\":"
		"\"\",\"source\":\"\",\"pid\":0,\"epoch\":0,\"cx\":0,\"cy\":0,\"width\":10,"
		"\"height\":10,\"ports\":[]}\n",
		"");
	expect(run(&server, "tiles --names"), 0, "terminal\nclock\nterminal-2\n", "");
	server.without_tiles = true;
	expect(run(&server, "tiles"), 0, "no tiles; open one with: cityctl open terminal\n", "");
	expect(run(&server, "tiles --json"), 0, "", "");
	server_stop(&server);
}

static void test_open_close(void **state) {
	struct server server;
	server_start(&server);
	expect(run(&server, "open terminal"), 0, "terminal-3\n", "");
	assert_string_equal(server.log, "open terminal []\n");
	expect(run(&server, "open terminal --name=mine"), 0, "mine\n", "");
	assert_string_equal(server.log, "open terminal [mine]\n");
	char cwd[PATH_MAX];
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	expect(run(&server, "open synth --option clip=./a=b.clip --option=play=yes"), 0,
		"terminal-3\n", "");
	assert_string_equal(server.log, text("open synth [] clip=%s/./a=b.clip play=yes\n", cwd));
	assert_int_equal(run(&server, "open synth --option clip").status, 2);
	expect_parts(run(&server, "open terminal --json"), 0,
		"{\"event\":\"opened\",\"name\":\"terminal-3\"}\n", "");
	char *folder = make_folder();
	expect(run(&server, "open %s/", folder), 0, "terminal-3\n", "");
	assert_string_equal(server.log, text("open %s []\n", folder));
	expect(run(&server, "open ./nowhere"), 1, "", "cityctl: ./nowhere: no such folder\n");
	expect(run(&server, "open /etc/passwd"), 1, "",
		"cityctl: /etc/passwd: not a folder of sources\n");
	expect(run(&server, "open nothing"), 1, "", "cityctl: no tile of that kind\n");
	expect(run(&server, "close clock"), 0, "", "");
	assert_string_equal(server.log, "close clock\n");
	expect(run(&server, "--json close 00000000-0000-4000-8000-000000000002"), 0,
		"{\"event\":\"succeeded\"}\n", "");
	assert_string_equal(server.log, "close clock\n");
	server_stop(&server);
}

static void test_swap(void **state) {
	struct server server;
	server_start(&server);
	server.script =
		"build spawn warm splice migrate attach frame commit melt probation retire ok";
	expect(run(&server, "swap terminal --settled"), 0,
		"terminal: live: aaaaaaaa -> bbbbbbbb, melt, pause 312 µs, 0 frames dropped, built "
		"in 181 ms, 1.4 s in all\n",
		"");
	assert_string_equal(server.log, "swap_source terminal [] 0 []\n");
	expect_parts(run(&server, "swap terminal --settled --force"), 0, "terminal: live: ", "");
	assert_string_equal(server.log, "force terminal\nswap_source terminal [] 0 []\n");
	expect_parts(
		run(&server, "swap terminal --settled --state inherit"), 0, "terminal: live: ", "");
	assert_string_equal(server.log, "swap_source terminal [] 0 []\n");
	expect_parts(run(&server, "swap terminal --settled --state merge --lossy"), 0,
		"terminal: live: ", "");
	assert_string_equal(server.log, "carry_state terminal 2 1\nswap_source terminal [] 0 []\n");
	expect_parts(run(&server, "swap terminal --state all"), 2, "",
		"cityctl: no state mode all; there are inherit, reset and merge\n");

	/* Live is enough. */
	server.script = "spawn warm splice migrate attach frame commit hang";
	expect_parts(run(&server, "swap terminal"), 0, "terminal: live after ", "");
	expect_parts(run(&server, "swap terminal --json"), 0,
		"{\"event\":\"progress\",\"tile\":\"terminal\",\"step\":\"commit\",\"time_ns\":"
		"1000006000000}\n{\"event\":\"live\",\"tile\":\"terminal\"}\n",
		"");

	char *folder = make_folder();
	server.script = "say commit ok";
	expect_parts(
		run(&server, "swap terminal --source %s/. --strategy freeze-and-fade --at @bar",
			folder),
		0, "", "main.c:3:1: warning: \xef\xbf\xbd[31mred\n");
	assert_string_equal(server.log, text("swap_source terminal [%s] 3 [@bar]\n", folder));
	expect_parts(run(&server, "swap terminal --json"), 0,
		"{\"event\":\"output\",\"tile\":\"terminal\",\"text\":\"main.c:3:1: warning: "
		"\\u001B[31mred\\n\"}\n",
		"");

	const char *artifact = text("%s/a.so", folder);
	write_file(artifact, "the artifact");
	server.script = "commit ok";
	expect_parts(run(&server, "swap terminal --artifact %s --settled --json", artifact), 0,
		"{\"event\":\"record\",\"id\":7,", "");
	assert_string_equal(
		server.log, text("swap_artifact terminal [the artifact] swap %s 0 []\n", artifact));

	/* Failures. */
	server.script = "build say refuse";
	expect(run(&server, "swap terminal"), 1, "",
		"main.c:3:1: warning: \xef\xbf\xbd[31mred\n"
		"cityctl: terminal: main.c:3:9: error: expected ';'\n");
	server.script = "spawn fail";
	expect(run(&server, "swap terminal"), 1, "", "cityctl: terminal: it did not want to\n");
	expect_parts(run(&server, "swap terminal --json"), 1,
		"\"result\":\"failed\",\"step\":\"attach\",\"reason\":\"it did not want to\"}\n"
		"{\"event\":\"failed\",\"tile\":\"terminal\",\"step\":\"attach\",\"reason\":"
		"\"it did not want to\"}\n",
		"cityctl: terminal: it did not want to\n");
	/* Live, and then not any more. */
	server.script = "spawn commit melt probation fail";
	expect(run(&server, "swap terminal --settled"), 1, "",
		"cityctl: terminal: it did not want to\n");
	server.script = "spawn superseded";
	expect(run(&server, "swap terminal"), 1, "",
		"cityctl: terminal: a newer request took its place\n");
	server.script = "spawn vanish";
	expect(run(&server, "swap terminal"), 1, "",
		text("cityctl: the city at %s went away\n", server.socket));

	/* Said before a city is asked. */
	server.log = (char *)"";
	expect(run(&server, "swap terminal --artifact %s/none.so", folder), 1, "",
		text("cityctl: %s/none.so: No such file or directory\n", folder));
	expect(run(&server, "swap terminal --artifact %s", folder), 1, "",
		text("cityctl: %s: a folder; sources are given with --source\n", folder));
	expect(run(&server, "swap terminal --source %s", artifact), 1, "",
		text("cityctl: %s: not a folder; a built tile is given with --artifact\n",
			artifact));
	expect(run(&server, "swap terminal --source %s/none", folder), 1, "",
		text("cityctl: %s/none: no such folder\n", folder));
	expect_parts(run(&server, "swap terminal --strategy mlet"), 2, "",
		"cityctl: no strategy mlet; there are auto, instant, crossfade, freeze-and-fade, "
		"reset and melt\nusage: cityctl swap TILE");
	expect_parts(run(&server, "swap terminal --source a --artifact b"), 2, "",
		"cityctl: either --source or --artifact\n");
	assert_string_equal(server.log, "");
	server_stop(&server);
}

static void test_rollback(void **state) {
	struct server server;
	server_start(&server);
	server.script = "spawn commit probation retire ok";
	expect_parts(run(&server, "rollback terminal"), 0, "terminal: rolled back\n", "");
	assert_string_equal(server.log, "rollback terminal\n");
	expect_parts(run(&server, "rollback terminal --force"), 0, "terminal: rolled back\n", "");
	assert_string_equal(server.log, "force terminal\nrollback terminal\n");
	expect_parts(run(&server, "rollback terminal --lossy"), 0, "terminal: rolled back\n", "");
	assert_string_equal(server.log, "carry_state terminal 0 1\nrollback terminal\n");
	expect_parts(
		run(&server, "rollback terminal --at @beat"), 0, "terminal: rolled back\n", "");
	assert_string_equal(server.log, "at terminal [@beat]\nrollback terminal\n");
	expect_parts(run(&server, "rollback terminal 3"), 0, "terminal: rolled back\n", "");
	assert_string_equal(server.log, "rollback terminal to 3\n");
	expect_parts(run(&server, "rollback terminal abcdef"), 0, "terminal: rolled back\n", "");
	assert_string_equal(server.log, "rollback terminal to abcdef\n");
	expect_parts(run(&server, "rollback terminal 0"), 2, "", "cityctl: 0 is neither a number");
	expect_parts(run(&server, "rollback terminal xyz"), 2, "", "cityctl: xyz is neither");
	server.script = "fail";
	expect(run(&server, "rollback terminal"), 1, "", "cityctl: terminal: it did not want to\n");
	server_stop(&server);
}

static void compile_error(struct server *server) {
	server_tile_state(server, "terminal", 1, "building");
	server_message(server, 1, "clock", "of another tile");
	server_message(server, 2, "terminal", "not so important");
	server_message(server, 1, "terminal", "not built: main.c:9:1: error: oops");
	server_message(server, 1, "terminal", "something else, later");
	server_tile_close(server, "terminal");
}

static void test_watch(void **state) {
	struct server server;
	server_start(&server);
	server.script = "build spawn commit record build spawn bad-record build";
	server.idle = compile_error;
	expect(run(&server, "watch terminal"), 1,
		"terminal: live: aaaaaaaa -> bbbbbbbb, melt, pause 312 µs, 0 frames dropped, built "
		"in 181 ms, 1.4 s in all\n"
		"clock: failed at attach: it did not want to, 52.0 ms in all\n"
		"terminal: not built: main.c:9:1: error: oops\n",
		"cityctl: terminal: the tile was closed\n");
	assert_string_equal(server.log, "watch terminal []\n");
	server.idle = compile_error;
	char *folder = make_folder();
	expect_parts(run(&server, "watch terminal --json --source %s", folder), 1,
		"{\"event\":\"failed\",\"tile\":\"terminal\",\"step\":\"build\",\"reason\":"
		"\"main.c:9:1: error: oops\"}\n"
		"{\"event\":\"failed\",\"tile\":\"terminal\",\"step\":\"closed\",\"reason\":"
		"\"the tile was closed\"}\n",
		"");
	assert_string_equal(server.log, text("watch terminal [%s]\n", folder));
	server_stop(&server);
}

static void interrupt(struct server *server) {
	kill(server->child, SIGINT);
}

static void test_interrupt(void **state) {
	struct server server;
	server_start(&server);
	server.script = "build";
	server.idle = interrupt;
	expect(run(&server, "watch terminal"), -SIGINT, "", "");
	server.script = "talk";
	server.idle = interrupt;
	expect_parts(run(&server, "events --json"), -SIGINT, "", "");
	server_stop(&server);
}

static void vanish(struct server *server) {
	server->kill_client = 1;
}

static void happen(struct server *server) {
	server_message(server, 0, "forge", "one\nline\033[0m");
	server_message(server, 2, "clock", "all is well");
	server_tile_state(server, "terminal", 2, "");
	server_tile_state(server, "terminal", 3, "main.c:1: error");
	server_tile_state(server, "terminal", 3, "main.c:1: error");
	server_tile_close(server, "clock");
	server_record(server);
	server_transport(server);
	server_audio(server, "{\"what\":\"node\",\"id\":4,\"name\":\"speakers\"}");
	server_tile_state(server, "terminal", 1, "");
	vanish(server);
}

/* Takes the times out of lines. */
static const char *without_times(char *out) {
	char *result = strdup(""), *line;
	while ((line = strsep(&out, "\n")) != NULL) {
		char *time = strstr(line, "\"time\":\"2");
		const char *rest = line;
		if (time != NULL) {
			rest = time + strlen("\"time\":\"2026-05-04T03:02:01.123Z\",");
			*time = '\0';
		} else if (strlen(line) > 12 && line[2] == ':' && line[8] == '.') {
			rest = line + 12;
			line[0] = '\0';
		} else {
			line = (char *)"";
		}
		char *longer = (char *)text("%s%s%s\n", result, line, rest);
		free(result);
		result = strdup(longer);
	}
	const char *kept = text("%s", result);
	free(result);
	return kept;
}

static void test_events(void **state) {
	struct server server;
	server_start(&server);
	server.script = "talk";
	server.idle = happen;
	struct result result = run(&server, "events");
	assert_int_equal(result.status, 1);
	assert_string_equal(without_times(result.out),
		"  forge  error: one line\xef\xbf\xbd[0m\n"
		"  clock  info: all is well\n"
		"  terminal  state: handover\n"
		"  terminal  state: probation\n"
		"  terminal  notice: main.c:1: error\n"
		"  clock  closed\n"
		"  transport  plays: bar 2, 97.5 beats a minute, 3 a bar\n"
		"  audio  node: speakers\n"
		"  terminal  state: live\n"
		"  terminal  notice: cleared\n"
		"\n");
	server.idle = happen;
	result = run(&server, "events --json");
	assert_string_equal(server.log, "");
	const char *lines = without_times(result.out);
	assert_non_null(strstr(lines,
		"{\"event\":\"ready\"}\n"
		"{\"event\":\"message\",\"severity\":\"error\",\"subject\":\"forge\",\"text\":"
		"\"one\\nline\\u001B[0m\"}\n"
		"{\"event\":\"message\",\"severity\":\"info\",\"subject\":\"clock\",\"text\":"
		"\"all is well\"}\n"
		"{\"event\":\"changed\",\"name\":\"terminal\","));
	assert_ptr_equal(strstr(lines, "{\"event\":\"tile\",\"name\":\"terminal\","), lines);
	assert_non_null(strstr(lines, "{\"event\":\"closed\",\"name\":\"clock\","));
	assert_non_null(strstr(lines, "{\"event\":\"record\",\"id\":9,\"tile\":\"terminal\","));
	assert_non_null(strstr(lines, "{\"event\":\"transport\",\"playing\":true,"));
	assert_non_null(strstr(lines, "{\"event\":\"audio\",\"what\":\"node\",\"id\":4,"));
	server_stop(&server);
}

static void test_history(void **state) {
	struct server server;
	server_start(&server);
	expect(run(&server, "history"), 0,
		"TIME (UTC)           TILE      RESULT  FROM      TO        STRATEGY  PAS   PAUSE  "
		" "
		"BUILD "
		"  TOTAL    ORIGIN\n"
		"2026-05-04 03:02:01  terminal  live    aaaaaaaa  bbbbbbbb  melt      0.98  312 µs "
		" 181 "
		"ms  1.4 s    source /src/terminal\n"
		"2026-05-04 03:03:01  clock     failed  cccccccc  dddddddd  instant   -     -      "
		" -    "
		" "
		"  52.0 ms  attach: it did not want to\n",
		"");
	expect(run(&server, "history --json"), 0, text("%s\n%s\n", record_live, record_failed), "");
	expect(run(&server, "history clock --json"), 0, text("%s\n", record_failed), "");
	expect(run(&server, "history --last 1 --json"), 0, text("%s\n", record_failed), "");
	expect_parts(run(&server, "history --last 0"), 2, "",
		"cityctl: --last needs a number from 1 to 1000000, not 0\n");
	expect(run(&server, "history terminal-2"), 0, "no handovers yet\n", "");
	expect_parts(run(&server, "history clok"), 1, "", "did you mean clock?");
	server_stop(&server);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tiles),
		cmocka_unit_test(test_open_close),
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_rollback),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_history),
	};
	return cmocka_run_group_tests(tests, ctl_begin, ctl_end);
}

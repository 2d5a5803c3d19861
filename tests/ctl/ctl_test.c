/* SPDX-License-Identifier: MIT */
/* What cityctl prints, in its very words, and how it ends. */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <png.h>
#include <yyjson.h>

#include "server.h"

static void expect(struct result result, int status, const char *out, const char *err) {
	if (result.status != status)
		fail_msg("status %d instead of %d\n%s%s", result.status, status, result.out,
			result.err);
	assert_string_equal(result.out, out);
	assert_string_equal(result.err, err);
}

static void expect_parts(struct result result, int status, const char *out, const char *err) {
	if (result.status != status || strstr(result.out, out) == NULL ||
		strstr(result.err, err) == NULL)
		fail_msg("status %d, wanted %d\nstdout: %s\nwanted: %s\nstderr: %s\nwanted: %s",
			result.status, status, result.out, out, result.err, err);
}

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

/* The completions and the manual know every command and every option. */
static void test_transport(void **state) {
	struct server server;
	server_start(&server);
	expect(run(&server, "transport"), 0,
		"plays  bar 2 beat 1  97.5 beats a minute, 3 a bar, 4 bars a phrase  heard\n"
		"marker chorus at bar 8 beat 0\n",
		"");
	expect(run(&server, "transport --json"), 0, text("%s\n", transport_json), "");
	static const struct {
		const char *line, *log;
	} right[] = {
		{"play", "1 0 0 []"},
		{"stop", "2 0 0 []"},
		{"tempo 97.5", "3 97500 0 []"},
		{"meter 7", "4 7 0 []"},
		{"phrase 16", "5 16 0 []"},
		/* A bar of three beats has 288 ticks. */
		{"locate 10", "6 0 2880 []"},
		{"locate 10.2", "6 0 3072 []"},
		{"mark verse 4.1", "7 0 1248 [verse]"},
		{"mark here", "7 0 576 [here]"},
	};
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		server.log = (char *)"";
		expect(run(&server, "transport %s", right[i].line), 0, "", "");
		assert_string_equal(server.log, text("ask_transport %s\n", right[i].log));
	}
	expect(run(&server, "transport play --json"), 0, "{\"event\":\"succeeded\"}\n", "");
	expect(run(&server, "transport unmark verse"), 1, "", "cityctl: there is no such marker\n");
	expect(run(&server, "transport locate 1.3"), 1, "",
		"cityctl: a bar has 3 beats, from 0 to 2\n");
	static const char *const wrong[][2] = {
		{"paly", "cityctl: the transport knows no paly; did you mean play?\n"},
		{"tempo", "cityctl: transport tempo BEATS-A-MINUTE\n"},
		{"play now", "cityctl: transport play takes nothing more\n"},
		{"tempo 0", "cityctl: a tempo is 1 to 1000 beats a minute, not 0\n"},
		{"tempo nan", "cityctl: a tempo is 1 to 1000 beats a minute, not nan\n"},
		{"tempo 1e9", "cityctl: a tempo is 1 to 1000 beats a minute, not 1e9\n"},
		{"tempo 1000.001", "cityctl: a tempo is 1 to 1000 beats a minute, not 1000.001\n"},
		{"tempo 4294967.416",
			"cityctl: a tempo is 1 to 1000 beats a minute, not 4294967.416\n"},
		{"meter 3.5", "cityctl: a bar has 1 to 64 beats, not 3.5\n"},
		{"meter 65", "cityctl: a bar has 1 to 64 beats, not 65\n"},
		{"phrase 0", "cityctl: a phrase has 1 to 1024 bars, not 0\n"},
		{"mark Verse",
			"cityctl: \"Verse\" cannot name a marker; allowed: lower case letters, "
			"digits, '.', '_' and '-', a letter first, 31 in all\n"},
		{"unmark -",
			"cityctl: \"-\" cannot name a marker; allowed: lower case letters, "
			"digits, '.', '_' and '-', a letter first, 31 in all\n"},
		{"locate -1", "cityctl: a place is a bar, or BAR.BEAT, counted from 0; not -1\n"},
		{"locate 1.", "cityctl: a place is a bar, or BAR.BEAT, counted from 0; not 1.\n"},
		{"mark x y", "cityctl: a place is a bar, or BAR.BEAT, counted from 0; not y\n"},
	};
	server.log = (char *)"";
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_parts(run(&server, "transport %s", wrong[i][0]), 2, "", wrong[i][1]);
	assert_string_equal(server.log, "");
	server_stop(&server);
}

static void test_audio(void **state) {
	struct server server;
	server_start(&server);
	expect(run(&server, "audio"), 0,
		"PipeWire: 48000 frames a second, 256 at a time\n"
		"ID          KIND     VOLUME  STATE   NAME         TO\n"
		"31          output*  70%     sounds  speakers     \n"
		"8589934592  player   mute    idle    Clock: tick  speakers\n"
		"33          player   -       idle    two          \n"
		"34          player   -       idle    two          \n"
		"TILE   PORT  QUANTUM  AHEAD       LATE    MENDED  CALLBACK\n"
		"clock  main  256      512 of 640  7 in 2  0       4 µs, at most 20 µs\n",
		"");
	expect(run(&server, "audio --json"), 0, text("%s\n", audio_json), "");
	static const struct {
		const char *line, *log;
	} right[] = {
		{"volume 31 55%", "1 31 0 550"},
		{"volume speakers 120", "1 31 0 1200"},
		{"mute clock", "2 8589934592 0 1"},
		{"mute clock off", "2 8589934592 0 0"},
		{"default speakers", "3 31 0 1"},
		{"link Clock 31", "4 8589934592 31 1"},
		{"unlink 33 31", "5 33 31 1"},
		{"move 34 speakers", "6 34 31 1"},
	};
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		server.log = (char *)"";
		expect(run(&server, "audio %s", right[i].line), 0, "", "");
		assert_string_equal(server.log, text("ask_audio %s\n", right[i].log));
	}
	server.log = (char *)"";
	expect(run(&server, "audio mute two"), 1, "",
		"cityctl: there are 2 of the name \"two\"; take its number, as cityctl audio "
		"lists it\n");
	expect(run(&server, "audio move clock nowhere"), 1, "",
		"cityctl: there is no \"nowhere\" that sounds; cityctl audio lists all\n");
	expect_parts(run(&server, "audio volume 31 151"), 2, "",
		"cityctl: a volume in percent is a number from 0 to 150, not 151\n");
	expect_parts(run(&server, "audio mute 31 maybe"), 2, "", "cityctl: mute is on or off");
	expect_parts(run(&server, "audio volume 31"), 2, "", "cityctl: audio volume needs NODE N%");
	expect_parts(run(&server, "audio lnik 1 2"), 2, "", "did you mean link?");
	assert_string_equal(server.log, "");
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
		cmocka_unit_test(test_tiles),
		cmocka_unit_test(test_open_close),
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_rollback),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_vat),
		cmocka_unit_test(test_vat_files),
		cmocka_unit_test(test_vat_differences),
		cmocka_unit_test(test_checkpoint),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_desktop),
		cmocka_unit_test(test_picture),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_transport),
		cmocka_unit_test(test_audio),
		cmocka_unit_test(test_unknown_tile),
		cmocka_unit_test(test_no_city),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_keys_are_documented),
	};
	signal(SIGPIPE, SIG_IGN);
	unsetenv("WAYLAND_SOCKET");
	unsetenv("NO_COLOR");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_folders();
	return failed;
}

/* SPDX-License-Identifier: MIT */
/* The transport and the sound server. */
#include "expect.h"

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

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transport),
		cmocka_unit_test(test_audio),
	};
	return cmocka_run_group_tests(tests, ctl_begin, ctl_end);
}

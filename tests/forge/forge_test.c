/* SPDX-License-Identifier: MIT */
/* The forge as a city sees it: requests go in, answers come out. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "city.h"

/* Whether a process runs whose command line holds the text. */
static bool process_with(const char *wanted) {
	DIR *entries = opendir("/proc");
	bool found = false;
	struct dirent *entry;
	assert_non_null(entries);
	while (!found && (entry = readdir(entries)) != NULL) {
		char path[300], line[8192];
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		ssize_t size = read(fd, line, sizeof(line));
		close(fd);
		found = size > 0 && memmem(line, (size_t)size, wanted, strlen(wanted)) != NULL;
	}
	closedir(entries);
	return found;
}

static void wait_without_process(const char *wanted) {
	int64_t deadline = now_ms() + LIMIT_MS;
	while (process_with(wanted))
		assert_true(now_ms() < deadline);
}

static bool sandboxed(struct city *city) {
	return strstr(city_log_text(city), "without a sandbox") == NULL;
}

/* ---- builds */

static void test_good(void **state) {
	struct city city;
	char *home = city_make_home();
	city_start(&city, home, NULL);
	char *folder = make_tile("good");
	const struct answer *answer = city_build_wait(&city, 1, folder);
	assert_int_equal(answer->type, BUILT);
	assert_int_equal(city_count(&city, 1, STARTED), 1);
	assert_string_equal(answer->text, folder);
	assert_true(has_marker(answer, "good"));
	assert_true(answer->build_ns > 0 && answer->build_ns < LIMIT_MS * 1000000ull);

	const char *stored = text("%s/data/source-city/store/%s.so", home, answer->hash);
	size_t size;
	const char *content = read_whole(stored, &size);
	assert_non_null(content);
	assert_int_equal(size, answer->content_size);
	assert_memory_equal(content, answer->content, size);
	struct stat before, after;
	assert_int_equal(stat(stored, &before), 0);
	assert_int_equal(before.st_mode & 0777, 0444);

	/* Built again, and from another folder with the same sources: the same file, untouched. */
	char first[65];
	strcpy(first, answer->hash);
	answer = city_build_wait(&city, 2, folder);
	assert_string_equal(answer->hash, first);
	answer = city_build_wait(&city, 3, make_tile("good"));
	assert_int_equal(answer->type, BUILT);
	assert_string_equal(answer->hash, first);
	assert_int_equal(stat(stored, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_true(before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
		before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);

	/* A damaged file makes room for a good one. */
	assert_int_equal(unlink(stored), 0);
	write_file(stored, "damaged");
	answer = city_build_wait(&city, 4, folder);
	assert_string_equal(answer->hash, first);
	content = read_whole(stored, &size);
	assert_int_equal(size, answer->content_size);
	assert_memory_equal(content, answer->content, size);
	city_stop(&city);
}

static void test_errors(void **state) {
	struct city city;
	char *home = city_make_home();
	city_start(&city, home, NULL);
	char *folder = make_tile("errors");
	append_file(text("%s/part.c", folder), "int broken(void) { return nothing; }\n");
	const struct answer *answer = city_build_wait(&city, 1, folder);
	assert_int_equal(answer->type, FAILED);
	assert_ptr_equal(strstr(answer->text, "part.c:3:27: error: "), answer->text);
	assert_non_null(strstr(city_output(&city, 1, 0), "part.c:3:27: error: "));
	assert_non_null(strstr(city_output(&city, 1, 0), "return nothing;"));

	/* The linker's errors name the source too. */
	folder = make_tile("errors");
	write_file(text("%s/part.c", folder),
		"#include \"part.h\"\nint other(int);\nint part(int a) { return other(a); }\n");
	answer = city_build_wait(&city, 2, folder);
	assert_int_equal(answer->type, FAILED);
	assert_non_null(strstr(answer->text, "undefined reference to `other'"));
	assert_non_null(strstr(answer->text, "part.c"));

	/* It compiles, but it is no tile. */
	folder = make_folder();
	write_file(text("%s/main.c", folder), "int x(void);\nint x(void) { return 1; }\n");
	answer = city_build_wait(&city, 3, folder);
	assert_int_equal(answer->type, FAILED);
	assert_ptr_equal(strstr(answer->text, "it compiles, but is not a tile: "), answer->text);

	/* What the compiler repeats of a source cannot harm a terminal. */
	folder = make_tile("errors");
	append_file(text("%s/main.c", folder), "#error \033]0;title\007 \xff\xfe broken\n");
	answer = city_build_wait(&city, 4, folder);
	assert_int_equal(answer->type, FAILED);
	assert_non_null(strstr(answer->text, "main.c:"));
	assert_null(strchr(city_output(&city, 4, 0), '\033'));
	assert_null(strchr(city_output(&city, 4, 0), '\xff'));
	city_stop(&city);
}

static void test_folders(void **state) {
	struct city city;
	city_start(&city, city_make_home(), NULL);
	char *empty = make_folder();
	struct {
		const char *folder, *reason;
	} const cases[] = {
		{"/nonexistent/folder", "/nonexistent/folder: no such folder"},
		{empty, text("%s: no *.c file in this folder", empty)},
		{"", "the tile sample has no source folder"},
		{"relative/folder", "relative/folder: not an absolute path"},
		{"/etc/passwd", "/etc/passwd: not a folder"},
	};
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct answer *answer = city_build_wait(&city, i + 1, cases[i].folder);
		assert_int_equal(answer->type, FAILED);
		assert_string_equal(answer->text, cases[i].reason);
	}
	city_stop(&city);
}

static void test_warnings(void **state) {
	struct city city;
	city_start(&city, city_make_home(), NULL);
	char *folder = make_tile("warnings");
	append_file(text("%s/part.c", folder), "#warning beware of this\n");
	const struct answer *answer = city_build_wait(&city, 1, folder);
	assert_int_equal(answer->type, BUILT);
	assert_non_null(strstr(city_output(&city, 1, 0), "beware of this"));
	/* Also when the file need not be compiled again. */
	answer = city_build_wait(&city, 2, folder);
	assert_int_equal(answer->type, BUILT);
	assert_non_null(strstr(city_output(&city, 2, 0), "beware of this"));
	city_stop(&city);
}

static void test_odd_names(void **state) {
	struct city city;
	city_start(&city, city_make_home(), NULL);
	char *folder = (char *)text("%s/a folder $HOME 'x'", make_folder());
	write_file(text("%s/-main file.c", folder), tile_source("odd"));
	write_file(text("%s/@part.c", folder),
		"#include \"in ner/part.h\"\nint part(int a) { return a + PART; }\n");
	write_file(text("%s/part.h", folder), "#include \"in ner/part.h\"\n");
	write_file(text("%s/in ner/part.h", folder), "#define PART 1\nint part(int a);\n");
	const struct answer *answer = city_build_wait(&city, 1, folder);
	if (answer->type == FAILED)
		fail_msg("%s", answer->text);
	assert_true(has_marker(answer, "odd"));
	write_file(text("%s/in ner/part.h", folder), "#define PART 2\nint part(int a);\n");
	answer = city_build_wait(&city, 2, folder);
	assert_int_equal(answer->type, BUILT);
	assert_non_null(strstr(city_log_text(&city), "(2 files compiled, 0 unchanged)\n"));
	city_stop(&city);
}

/* ---- the cache */

static void expect_work(struct city *city, uint32_t job, const char *folder, const char *work) {
	const struct answer *answer = city_build_wait(city, job, folder);
	if (answer->type == FAILED)
		fail_msg("%s", answer->text);
	const char *log = city_log_text(city);
	const char *last = NULL;
	for (const char *at = log; (at = strstr(at, "built ")) != NULL; at++)
		last = at;
	assert_non_null(last);
	if (strstr(last, work) == NULL)
		fail_msg("wanted %s, the log says: %s", work, last);
}

static void test_cache(void **state) {
	struct city city;
	char *home = city_make_home();
	city_start(&city, home, NULL);
	char *folder = make_tile("cache");
	write_file(text("%s/third.c", folder), "int third(void);\nint third(void) { return 3; }\n");
	expect_work(&city, 1, folder, "(3 files compiled, 0 unchanged)");
	expect_work(&city, 2, folder, "(0 files compiled, 3 unchanged)");
	append_file(text("%s/third.c", folder), "\nint fourth(void);\n");
	expect_work(&city, 3, folder, "(1 files compiled, 2 unchanged)");
	write_file(text("%s/part.h", folder), "#define PART 5\nint part(int a);\n");
	expect_work(&city, 4, folder, "(2 files compiled, 1 unchanged)");
	/* Back to what was there before. */
	write_file(text("%s/part.h", folder), "#define PART 1\nint part(int a);\n");
	expect_work(&city, 5, folder, "(0 files compiled, 3 unchanged)");
	/* A header that takes the place of another. */
	copy_file(text("%s/include/tile.h", home), text("%s/tile.h", folder));
	append_file(text("%s/tile.h", folder), "#define OWN 1\n");
	expect_work(&city, 6, folder, "(3 files compiled, 0 unchanged)");
	unlink(text("%s/tile.h", folder));
	expect_work(&city, 7, folder, "(0 files compiled, 3 unchanged)");
	/* A new header of the city: those who include it. */
	append_file(text("%s/include/tile.h", home), "#define NEWER 1\n");
	expect_work(&city, 8, folder, "(1 files compiled, 2 unchanged)");
	/* New flags: all. */
	append_file(text("%s/share/tile-flags", home), "-DMORE=1\n");
	expect_work(&city, 9, folder, "(3 files compiled, 0 unchanged)");
	/* Files that no source includes do not matter. */
	write_file(text("%s/README.md", folder), "read me\n");
	expect_work(&city, 10, folder, "(0 files compiled, 3 unchanged)");
	city_stop(&city);

	/* Damaged entries are no entries. */
	const char *objects = text("%s/cache/source-city/objects", home);
	DIR *entries = opendir(objects);
	struct dirent *entry;
	assert_non_null(entries);
	while ((entry = readdir(entries)) != NULL) {
		if (strstr(entry->d_name, ".obj") != NULL)
			assert_int_equal(truncate(text("%s/%s", objects, entry->d_name), 100), 0);
	}
	closedir(entries);
	city_start(&city, home, NULL);
	expect_work(&city, 1, folder, "(3 files compiled, 0 unchanged)");
	expect_work(&city, 2, folder, "(0 files compiled, 3 unchanged)");
	city_stop(&city);
}

/* ---- limits */

static void test_slow(void **state) {
	struct city city;
	char *home = city_make_home();
	const char *environment[] = {city_make_compiler(home), "SOURCE_CITY_BUILD_SECONDS=1", NULL};
	city_start(&city, home, environment);
	char *folder = make_tile("SLOW");
	const struct answer *answer = city_build_wait(&city, 1, folder);
	assert_int_equal(answer->type, FAILED);
	assert_string_equal(answer->text, "main.c: the compiler was stopped after 1 s");
	wait_without_process(home);
	answer = city_build_wait(&city, 2, make_tile("quick"));
	assert_int_equal(answer->type, BUILT);
	city_stop(&city);
}

static void test_flood(void **state) {
	struct city city;
	char *home = city_make_home();
	const char *environment[] = {city_make_compiler(home), NULL};
	city_start(&city, home, environment);
	const struct answer *answer = city_build_wait(&city, 1, make_tile("FLOOD"));
	assert_int_equal(answer->type, FAILED);
	assert_string_equal(
		answer->text, "main.c: the compiler was stopped: it printed more than 4 MiB");
	const char *output = city_output(&city, 1, 0);
	assert_uint_in_range(strlen(output), 50 << 10, 60 << 10);
	assert_non_null(strstr(output, " more bytes\n"));

	/* Much to say, but an end: cut between characters. */
	char *folder = make_tile("much");
	const char *line = "#warning ääääääääääääääääääääääääääääääääääääääääääääääääää\n";
	for (int i = 0; i < 400; i++)
		append_file(text("%s/part.c", folder), line);
	answer = city_build_wait(&city, 2, folder);
	assert_int_equal(answer->type, BUILT);
	output = city_output(&city, 2, 0);
	assert_uint_in_range(strlen(output), 50 << 10, 60 << 10);
	assert_null(strstr(output, "\xef\xbf\xbd"));
	city_stop(&city);
}

static void test_memory(void **state) {
	struct city city;
	char *home = city_make_home();
	const char *environment[] = {"SOURCE_CITY_BUILD_MEGABYTES=80", NULL};
	city_start(&city, home, environment);
	char *folder = make_tile("memory");
	write_file(text("%s/part.c", folder),
		"#include \"part.h\"\n"
		"#define A x, x, x, x, x, x, x, x, x, x\n#define B A, A, A, A, A, A, A, A, A, A\n"
		"#define C B, B, B, B, B, B, B, B, B, B\n#define D C, C, C, C, C, C, C, C, C, C\n"
		"#define E D, D, D, D, D, D, D, D, D, D\n#define x 1\nint many[] = {E, E, E, E, "
		"E};\n"
		"int part(int a) { return many[a]; }\n");
	const struct answer *answer = city_build_wait(&city, 1, folder);
	assert_int_equal(answer->type, FAILED);
	assert_non_null(strstr(answer->text, "memory"));
	city_stop(&city);
}

static void test_no_compiler(void **state) {
	struct city city;
	const char *environment[] = {"SOURCE_CITY_CC=/nonexistent/cc -O1", NULL};
	city_start(&city, city_make_home(), environment);
	const struct answer *answer = city_build_wait(&city, 1, make_tile("none"));
	assert_int_equal(answer->type, FAILED);
	assert_string_equal(answer->text,
		"cannot run the compiler /nonexistent/cc: No such file or directory; install gcc, "
		"or "
		"name a compiler in SOURCE_CITY_CC");
	city_stop(&city);
}

static void test_cancel(void **state) {
	struct city city;
	char *home = city_make_home();
	const char *environment[] = {city_make_compiler(home), NULL};
	city_start(&city, home, environment);
	size_t at = 0;
	/* Of several at once, one that goes on. */
	city_build(&city, 1, make_tile("SLOW"));
	city_build(&city, 2, make_tile("beside"));
	city_build(&city, 3, make_tile("SLOW"));
	assert_int_equal(city_wait(&city, &at, 2, BUILT, FAILED)->type, BUILT);
	assert_true(process_with(text("%s/compiler", home)) || process_with("sleep"));
	city_cancel(&city, 1);
	city_cancel(&city, 3);
	city_cancel(&city, 77); /* unknown */
	city_barrier(&city);
	wait_without_process(home);
	assert_int_equal(city_count(&city, 1, FAILED) + city_count(&city, 1, BUILT), 0);
	/* The city ends in the middle of a build. */
	city_build(&city, 4, make_tile("SLOW"));
	city_watch(&city, 5, make_tile("SLOW"));
	at = city.count;
	city_wait(&city, &at, 4, STARTED, STARTED);
	city_stop(&city);
	wait_without_process(home);
}

static void test_terminate(void **state) {
	struct city city;
	char *home = city_make_home();
	const char *environment[] = {city_make_compiler(home), NULL};
	city_start(&city, home, environment);
	size_t at = 0;
	city_build(&city, 1, make_tile("SLOW"));
	city_wait(&city, &at, 1, STARTED, STARTED);
	assert_int_equal(kill(city.forge, SIGTERM), 0);
	city_wait_gone(&city);
	city_stop(&city);
	wait_without_process(home);
}

/* ---- the sandbox */

static void test_sandbox(void **state) {
	struct city city;
	char *home = city_make_home();
	city_start(&city, home, NULL);
	if (!sandboxed(&city)) {
		city_stop(&city);
		skip();
	}
	const char *secret = text("%s/secret.h", make_folder());
	write_file(secret, "#error the secret was read\n");
	char *folder = make_tile("sandbox");
	append_file(text("%s/main.c", folder), text("#include \"%s\"\n", secret));
	const struct answer *answer = city_build_wait(&city, 1, folder);
	assert_int_equal(answer->type, FAILED);
	assert_non_null(strstr(answer->text, "No such file or directory"));

	folder = make_tile("sandbox");
	append_file(text("%s/main.c", folder), "#include \"/etc/passwd\"\n");
	answer = city_build_wait(&city, 2, folder);
	assert_int_equal(answer->type, FAILED);
	assert_non_null(strstr(answer->text, "/etc/passwd: No such file or directory"));
	assert_null(strstr(city_output(&city, 2, 0), "root:"));

	/* A link out of the folder leads nowhere. */
	folder = make_tile("sandbox");
	append_file(text("%s/main.c", folder), "#include \"leads_out.h\"\n");
	assert_int_equal(symlink(secret, text("%s/leads_out.h", folder)), 0);
	answer = city_build_wait(&city, 3, folder);
	assert_int_equal(answer->type, FAILED);
	assert_non_null(strstr(answer->text, "leads_out.h: No such file or directory"));
	city_stop(&city);
}

/* All of it also works where no sandbox can be had. */
static void test_no_sandbox(void **state) {
	struct city city;
	char *home = city_make_home();
	const char *environment[] = {city_make_compiler(home), "SOURCE_CITY_SANDBOX=off",
		"SOURCE_CITY_BUILD_SECONDS=1", NULL};
	city_start(&city, home, environment);
	assert_false(sandboxed(&city));
	char *folder = make_tile("open");
	assert_int_equal(city_build_wait(&city, 1, folder)->type, BUILT);
	assert_int_equal(city_build_wait(&city, 2, make_tile("SLOW"))->type, FAILED);
	append_file(text("%s/main.c", folder), "broken\n");
	assert_int_equal(city_build_wait(&city, 3, folder)->type, FAILED);
	wait_without_process(home);
	city_stop(&city);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_odd_names),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_no_compiler),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_terminate),
		cmocka_unit_test(test_sandbox),
		cmocka_unit_test(test_no_sandbox),
	};
	signal(SIGPIPE, SIG_IGN);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_folders();
	return failed;
}

/* SPDX-License-Identifier: MIT */
/* The parts of the forge that need no process: diagnostics, dependency files, snapshots. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "forge/cache.h"
#include "forge/diagnostic.h"

static void expect_depfile(const char *text, const char *const *expected) {
	struct strings names = {};
	cache_parse_depfile(text, strlen(text), &names);
	for (size_t i = 0; expected[i] != NULL; i++) {
		assert_true(i < names.count);
		assert_string_equal(names.items[i], expected[i]);
		if (expected[i + 1] == NULL)
			assert_int_equal(names.count, i + 1);
	}
	strings_finish(&names);
}

static void test_depfile(void **state) {
	expect_depfile("out.o: a.c b.h \\\n /usr/include/c.h\n",
		(const char *[]){"a.c", "b.h", "/usr/include/c.h", NULL});
	expect_depfile("out.o: \\\n ./a.c ././b.h \\\r\n a.c\n\nb.h:\n",
		(const char *[]){"a.c", "b.h", NULL});
	expect_depfile("/x/od\\ d.o: my\\ file.c a\\#b.h a$$b.h c:d.h ../up.h",
		(const char *[]){"my file.c", "a#b.h", "a$b.h", "c:d.h", "../up.h", NULL});
	const char *const broken[] = {"", ":", "\\", "a", "a:", "a: \\", "\n\n", "a: $", "$"};
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct strings names = {};
		cache_parse_depfile(broken[i], strlen(broken[i]), &names);
		assert_true(names.count <= 1);
		strings_finish(&names);
	}
}

static void expect_error(const char *text, const char *expected) {
	char *line = diagnostic_first_error(text);
	if (expected == NULL) {
		assert_null(line);
	} else {
		assert_non_null(line);
		assert_string_equal(line, expected);
	}
	free(line);
}

static void test_first_error(void **state) {
	expect_error(NULL, NULL);
	expect_error("", NULL);
	expect_error("\n\n", NULL);
	expect_error("just something\nelse\n", "just something");
	expect_error("a.c: In function 'f':\na.c:3:5: warning: odd\na.c:4:1: error: bad\n"
		     "a.c:5:1: error: worse\n",
		"a.c:4:1: error: bad");
	expect_error("cc1: error: no such option\na.c:4:1: fatal error: x.h: No such file\n",
		"a.c:4:1: fatal error: x.h: No such file");
	expect_error("/usr/bin/ld: a.o: in function `f':\na.c:1: undefined reference to `g'\n"
		     "collect2: error: ld returned 1 exit status\n",
		"a.c:1: undefined reference to `g'");
	expect_error("cc: fatal error: no input\n", "cc: fatal error: no input");
	char *line = malloc(5000);
	memset(line, 'x', 4999);
	line[4999] = '\0';
	char *cut = diagnostic_first_error(line);
	assert_uint_in_range(strlen(cut), 100, DIAGNOSTIC_REASON + 8);
	free(cut);
	free(line);
}

static void test_clean(void **state) {
	static const struct {
		const char *from, *to;
	} cases[] = {
		{"plain\ttext\n", "plain\ttext\n"},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x8f\x99", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8f\x99"},
		{"a\r\nb", "a\nb"},
		{"\033[31m", "\xef\xbf\xbd[31m"},
		{"\xc2\x9b"
		 "1m",
			"\xef\xbf\xbd"
			"1m"},
		{"\xff", "\xef\xbf\xbd"},
		{"\xc3", "\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer buffer = {};
		diagnostic_add(&buffer, cases[i].from, strlen(cases[i].from));
		assert_string_equal(buffer.data, cases[i].to);
		buffer_finish(&buffer);
	}
}

static void test_cut(void **state) {
	static const char text[] = "aä€🏙x"; /* 1, 2, 3, 4 and 1 bytes */
	static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
	for (size_t limit = 1; limit < sizeof(expected) / sizeof(expected[0]); limit++)
		assert_int_equal(diagnostic_cut(text, sizeof(text) - 1, limit), expected[limit]);
}

static void put(const char *folder, const char *name, const char *content) {
	char path[500];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(content, file);
	fclose(file);
}

static void take(struct snapshot *snapshot, const char *folder) {
	char *why = NULL;
	assert_true(snapshot_take(snapshot, folder, &why));
}

static void test_snapshot(void **state) {
	char folder[] = "/tmp/city-snapshot-XXXXXX";
	char path[500];
	struct snapshot a, b;
	assert_non_null(mkdtemp(folder));
	put(folder, "main.c", "x");
	put(folder, "main.h", "x");
	put(folder, ".main.c.swp", "x");
	put(folder, "main.c~", "x");
	put(folder, "notes.txt", "x");
	snprintf(path, sizeof(path), "%s/below", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	put(folder, "below/deep.h", "x");
	put(folder, "below/deep.c", "x");
	/* Links into circles are no trouble. */
	snprintf(path, sizeof(path), "%s/below/circle", folder);
	assert_int_equal(symlink("..", path), 0);
	snprintf(path, sizeof(path), "%s/self.c", folder);
	assert_int_equal(symlink("self.c", path), 0);
	snprintf(path, sizeof(path), "%s/pipe.c", folder);
	assert_int_equal(mkfifo(path, 0600), 0);

	take(&a, folder);
	assert_int_equal(a.count, 5);
	assert_non_null(snapshot_find(&a, "below/deep.h"));
	assert_null(snapshot_find(&a, "main.c~"));
	assert_true(snapshot_is_source("main.c"));
	assert_false(snapshot_is_source("below/deep.c"));
	assert_false(snapshot_is_source(".c"));

	struct strings none = {}, notes = {};
	strings_add(&notes, "notes.txt");
	put(folder, "notes.txt", "y");
	take(&b, folder);
	assert_false(snapshot_differs(&a, &b, &none));
	assert_true(snapshot_differs(&a, &b, &notes));
	assert_true(snapshot_differs(&a, &b, NULL));
	snapshot_finish(&b);

	put(folder, "notes.txt", "x");
	put(folder, "main.c", "x");
	take(&b, folder);
	assert_false(snapshot_differs(&a, &b, NULL));
	snapshot_finish(&b);

	put(folder, "below/deep.h", "y");
	put(folder, "new.h", "y");
	take(&b, folder);
	assert_true(snapshot_differs(&a, &b, &none));
	struct digest first = snapshot_headers(&a), second = snapshot_headers(&b);
	assert_false(digest_equal(&first, &second));
	assert_false(snapshot_lost_files(&a, &b));
	assert_true(snapshot_lost_files(&b, &a));
	snapshot_finish(&b);
	snapshot_finish(&a);
	strings_finish(&notes);
	directory_remove(folder);
	assert_int_not_equal(access(folder, F_OK), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depfile),
		cmocka_unit_test(test_first_error),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_snapshot),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

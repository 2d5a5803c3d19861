/* SPDX-License-Identifier: MIT */
/* The forge builds at each save, in all the ways in which programs save. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "city.h"

#define JOB 7

struct watched {
	struct city city;
	char *folder;
	size_t at; /* answers before it were seen */
};

static void start(struct watched *watched) {
	*watched = (struct watched){.folder = make_tile("first")};
	city_start(&watched->city, city_make_home(), NULL);
	city_watch(&watched->city, JOB, watched->folder);
	city_wait_log(&watched->city, "watching");
}

static const char *in(struct watched *watched, const char *name) {
	return text("%s/%s", watched->folder, name);
}

static void save(struct watched *watched, const char *marker) {
	write_file(in(watched, "main.c"), tile_source(marker));
}

static const struct answer *next(struct watched *watched) {
	return city_wait(&watched->city, &watched->at, JOB, BUILT, FAILED);
}

static void expect_built(struct watched *watched, const char *marker) {
	const struct answer *answer = next(watched);
	if (answer->type == FAILED)
		fail_msg("not built: %s", answer->text);
	if (!has_marker(answer, marker))
		fail_msg("what was built has no marker %s", marker);
}

static void expect_failed(struct watched *watched, const char *reason) {
	const struct answer *answer = next(watched);
	if (answer->type == BUILT)
		fail_msg("built, but wanted \"%s\"", reason);
	if (strstr(answer->text, reason) == NULL)
		fail_msg("wanted \"%s\", got \"%s\"", reason, answer->text);
}

static void test_saves(void **state) {
	struct watched watched;
	start(&watched);
	/* Nothing is built aloud before the first save. */
	assert_int_equal(city_count(&watched.city, JOB, STARTED), 0);
	save(&watched, "second");
	expect_built(&watched, "second");
	save(&watched, "third");
	expect_built(&watched, "third");
	/* Same size, and within one tick of any clock. */
	save(&watched, "fort1");
	save(&watched, "fort2");
	const struct answer *answer = next(&watched);
	if (!has_marker(answer, "fort2"))
		expect_built(&watched, "fort2");

	save(&watched, "broken\"+");
	expect_failed(&watched, "main.c:3:");
	save(&watched, "mended");
	expect_built(&watched, "mended");
	city_stop(&watched.city);
}

static void test_only_what_changed(void **state) {
	struct watched watched;
	start(&watched);
	save(&watched, "second");
	expect_built(&watched, "second");
	if (strstr(city_log_text(&watched.city), "(1 files compiled, 1 unchanged)") == NULL)
		fail_msg("the log says: %s", city_log_text(&watched.city));
	city_stop(&watched.city);
}

static void test_untouched(void **state) {
	struct watched watched;
	start(&watched);
	save(&watched, "second");
	expect_built(&watched, "second");
	size_t started = city_count(&watched.city, JOB, STARTED);
	/* The same bytes again, new times, files that no source includes, what editors leave. */
	save(&watched, "second");
	assert_int_equal(utimensat(AT_FDCWD, in(&watched, "main.c"), NULL, 0), 0);
	assert_int_equal(chmod(in(&watched, "main.c"), 0644), 0);
	write_file(in(&watched, "README.md"), "nothing of interest");
	write_file(in(&watched, ".main.c.swp"), "nothing of interest");
	write_file(in(&watched, "main.c~"), "nothing of interest");
	write_file(in(&watched, "4913"), "");
	unlink(in(&watched, "4913"));
	city_barrier(&watched.city);
	assert_int_equal(city_count(&watched.city, JOB, STARTED), started);
	save(&watched, "third");
	expect_built(&watched, "third");
	assert_int_equal(city_count(&watched.city, JOB, STARTED), started + 1);
	city_stop(&watched.city);
}

static void test_burst(void **state) {
	struct watched watched;
	start(&watched);
	for (int i = 0; i < 50; i++) {
		save(&watched, text("burst-%02d", i));
		/* Some are noticed while others come in, as with a real editor. */
		if (i % 7 == 0)
			city_barrier(&watched.city);
	}
	while (!has_marker(next(&watched), "burst-49"))
		;
	/* It was the last answer, and stays it. */
	size_t count = city_count(&watched.city, JOB, BUILT);
	city_barrier(&watched.city);
	assert_int_equal(city_count(&watched.city, JOB, BUILT), count);
	assert_int_equal(city_count(&watched.city, JOB, FAILED), 0);
	city_stop(&watched.city);
}

static void test_editors(void **state) {
	struct watched watched;
	start(&watched);
	/* Written beside and renamed into place. */
	replace_file(in(&watched, "main.c"), tile_source("renamed"));
	expect_built(&watched, "renamed");
	/* The old one renamed away, the new one written. */
	assert_int_equal(rename(in(&watched, "main.c"), in(&watched, "main.c~")), 0);
	city_barrier(&watched.city);
	save(&watched, "anew");
	expect_built(&watched, "anew");
	/* Deleted, then written. */
	assert_int_equal(unlink(in(&watched, "main.c")), 0);
	city_barrier(&watched.city);
	save(&watched, "deleted");
	expect_built(&watched, "deleted");
	/* A link put in place. */
	write_file(in(&watched, "other~"), tile_source("linked"));
	assert_int_equal(unlink(in(&watched, "main.c")), 0);
	assert_int_equal(link(in(&watched, "other~"), in(&watched, "main.c")), 0);
	expect_built(&watched, "linked");
	/* Gone for good: a build without it, which is no tile any more. */
	assert_int_equal(unlink(in(&watched, "main.c")), 0);
	expect_failed(&watched, "not a tile");
	save(&watched, "back");
	expect_built(&watched, "back");
	/* A new source. */
	write_file(in(&watched, "extra.c"), "int extra(void);\nint extra(void) { return oops; }\n");
	expect_failed(&watched, "extra.c:2:");
	assert_int_equal(unlink(in(&watched, "extra.c")), 0);
	expect_built(&watched, "back");
	city_stop(&watched.city);
}

static void test_headers(void **state) {
	struct watched watched;
	start(&watched);
	write_file(in(&watched, "part.h"), "#include \"below/deep/more.h\"\nint part(int a);\n");
	expect_failed(&watched, "below/deep/more.h: No such file");
	/* Folders that appear are watched too. */
	write_file(in(&watched, "below/deep/more.h"), "#define PART 1\n");
	const struct answer *answer = next(&watched);
	while (answer->type == FAILED)
		answer = next(&watched);
	write_file(in(&watched, "below/deep/more.h"), "#define PART oops\n");
	expect_failed(&watched, "below/deep/more.h:1:14: error:");
	write_file(in(&watched, "below/deep/more.h"), "#define PART 2\n");
	expect_built(&watched, "first");
	/* Data that a source includes. */
	write_file(in(&watched, "data.bin"), "<data-1>");
	append_file(in(&watched, "part.c"),
		"const char data[] = {\n#embed \"data.bin\"\n};\n"
		"const char *get(void);\nconst char *get(void) { return data; }\n");
	expect_built(&watched, "data-1");
	write_file(in(&watched, "data.bin"), "<data-2>");
	expect_built(&watched, "data-2");
	city_stop(&watched.city);
}

static void test_folder_replaced(void **state) {
	struct watched watched;
	start(&watched);
	const char *away = text("%s-away", watched.folder);
	assert_int_equal(rename(watched.folder, away), 0);
	expect_failed(&watched, text("%s: no such folder", watched.folder));
	/* Another one in its place, from the same parts. */
	char *other = make_tile("other");
	assert_int_equal(rename(other, watched.folder), 0);
	expect_built(&watched, "other");
	save(&watched, "other again");
	expect_built(&watched, "other again");
	/* Deleted with its contents, then made again file by file. */
	for (int i = 0; i < 3; i++)
		unlink(in(&watched, (const char *[]){"main.c", "part.c", "part.h"}[i]));
	assert_int_equal(rmdir(watched.folder), 0);
	/* It may be seen while only some of them have gone. */
	const struct answer *answer;
	do {
		answer = next(&watched);
		assert_int_equal(answer->type, FAILED);
	} while (strstr(answer->text, "no such folder") == NULL);
	copy_file(text("%s/part.h", away), in(&watched, "part.h"));
	copy_file(text("%s/part.c", away), in(&watched, "part.c"));
	save(&watched, "made again");
	do {
		answer = next(&watched);
	} while (answer->type == FAILED);
	assert_true(has_marker(answer, "made again"));
	assert_int_equal(rename(away, other), 0); /* so that it is removed */
	city_stop(&watched.city);
}

static void test_link_switched(void **state) {
	struct watched watched;
	char *parent = make_folder();
	watched = (struct watched){.folder = (char *)text("%s/current", parent)};
	assert_int_equal(symlink(make_tile("one"), watched.folder), 0);
	city_start(&watched.city, city_make_home(), NULL);
	city_watch(&watched.city, JOB, watched.folder);
	city_barrier(&watched.city);
	assert_int_equal(symlink(make_tile("two"), text("%s/next", parent)), 0);
	assert_int_equal(rename(text("%s/next", parent), watched.folder), 0);
	expect_built(&watched, "two");
	save(&watched, "three");
	expect_built(&watched, "three");
	city_stop(&watched.city);
}

static void test_appears_late(void **state) {
	char *parent = make_folder();
	struct watched watched = {.folder = (char *)text("%s/not/yet", parent)};
	city_start(&watched.city, city_make_home(), NULL);
	city_watch(&watched.city, JOB, watched.folder);
	expect_failed(&watched, "no such folder");
	char *made = make_tile("late");
	assert_int_equal(mkdir(text("%s/not", parent), 0700), 0);
	assert_int_equal(rename(made, watched.folder), 0);
	expect_built(&watched, "late");
	city_stop(&watched.city);
}

/* A watch on sources that do not compile says so at once. */
static void test_broken_from_the_start(void **state) {
	struct watched watched = {.folder = make_tile("first")};
	city_start(&watched.city, city_make_home(), NULL);
	append_file(in(&watched, "main.c"), "oops\n");
	city_watch(&watched.city, JOB, watched.folder);
	expect_failed(&watched, "main.c:");
	save(&watched, "mended");
	expect_built(&watched, "mended");
	city_cancel(&watched.city, JOB);
	city_barrier(&watched.city);
	size_t started = city_count(&watched.city, JOB, STARTED);
	save(&watched, "unwatched");
	city_barrier(&watched.city);
	assert_int_equal(city_count(&watched.city, JOB, STARTED), started);
	city_stop(&watched.city);
}

/* One that goes on builds what was saved while nobody watched, and nothing else. */
static void test_goes_on(void **state) {
	struct watched watched;
	start(&watched);
	save(&watched, "second");
	expect_built(&watched, "second");
	size_t at = 0;
	const struct answer *first = city_wait(&watched.city, &at, JOB, SOURCES, SOURCES);
	const struct answer *second = city_wait(&watched.city, &at, JOB, SOURCES, SOURCES);
	assert_string_not_equal(first->text, second->text);
	const char *of_first = text("%s", first->text), *of_second = text("%s", second->text);
	city_cancel(&watched.city, JOB);
	write_file(in(&watched, "README.md"), "nothing of interest");
	city_watch_on(&watched.city, JOB + 1, watched.folder, of_second);
	at = 0;
	const struct answer *same = city_wait(&watched.city, &at, JOB + 1, SOURCES, STARTED);
	assert_int_equal(same->type, SOURCES);
	assert_string_equal(same->text, of_second);
	save(&watched, "third");
	const struct answer *answer = city_wait(&watched.city, &at, JOB + 1, BUILT, FAILED);
	assert_true(has_marker(answer, "third"));
	city_cancel(&watched.city, JOB + 1);
	city_barrier(&watched.city);
	assert_int_equal(city_count(&watched.city, JOB + 1, STARTED), 1);
	/* Nothing is saved after it begins. */
	city_watch_on(&watched.city, JOB + 2, watched.folder, of_first);
	at = 0;
	/* The word comes with what was built, not before it is known that something is. */
	answer = city_wait(&watched.city, &at, JOB + 2, STARTED, SOURCES);
	assert_int_equal(answer->type, STARTED);
	answer = city_wait(&watched.city, &at, JOB + 2, BUILT, FAILED);
	assert_true(has_marker(answer, "third"));
	assert_int_equal(city_count(&watched.city, JOB + 2, STARTED), 1);
	city_stop(&watched.city);
}

/* How many descriptors of this kind the forge has. */
static int count_descriptors(pid_t pid, const char *kind) {
	DIR *entries = opendir(text("/proc/%d/fd", (int)pid));
	assert_non_null(entries);
	int count = 0;
	struct dirent *entry;
	while ((entry = readdir(entries)) != NULL) {
		char target[64] = "";
		if (readlinkat(dirfd(entries), entry->d_name, target, sizeof(target) - 1) > 0)
			count += strcmp(target, kind) == 0;
	}
	closedir(entries);
	return count;
}

/* A user gets few instances: all watches share one. */
static void test_one_instance(void **state) {
	struct watched watched;
	start(&watched);
	size_t from = watched.at;
	city_barrier(&watched.city);
	int before = count_descriptors(watched.city.forge, "anon_inode:inotify");
	city_watch(&watched.city, JOB + 1, watched.folder);
	char *other = make_tile("other");
	city_watch(&watched.city, JOB + 2, other);
	city_barrier(&watched.city);
	assert_true(before > 0);
	assert_int_equal(count_descriptors(watched.city.forge, "anon_inode:inotify"), before);

	/* Each sees what is saved in its folder, and only that. */
	save(&watched, "second");
	expect_built(&watched, "second");
	while (!has_marker(city_wait(&watched.city, &from, JOB + 1, BUILT, FAILED), "second"))
		;
	assert_int_equal(city_count(&watched.city, JOB + 2, STARTED), 0);

	/* One of two that look at the same folder ends. */
	city_cancel(&watched.city, JOB);
	save(&watched, "third");
	while (!has_marker(city_wait(&watched.city, &from, JOB + 1, BUILT, FAILED), "third"))
		;
	/* Another folder takes its place: what inotify knew of the first is gone. */
	char *aside = (char *)text("%s.aside", watched.folder);
	assert_int_equal(rename(watched.folder, aside), 0);
	city_barrier(&watched.city);
	char *anew = make_tile("anew");
	assert_int_equal(rename(anew, watched.folder), 0);
	while (!has_marker(city_wait(&watched.city, &from, JOB + 1, BUILT, FAILED), "anew"))
		;
	save(&watched, "fourth");
	while (!has_marker(city_wait(&watched.city, &from, JOB + 1, BUILT, FAILED), "fourth"))
		;
	assert_int_equal(city_count(&watched.city, JOB + 2, STARTED), 0);
	city_stop(&watched.city);
}

/* Processes that wait for saves of the forge's folders, or build. */
static int count_children(pid_t pid) {
	char list[65536] = "";
	int fd = open(text("/proc/%d/task/%d/children", (int)pid, (int)pid), O_RDONLY);
	assert_true(fd >= 0);
	ssize_t size = read(fd, list, sizeof(list) - 1);
	assert_true(size >= 0);
	close(fd);
	int count = 0;
	for (const char *at = list; (at = strchr(at, ' ')) != NULL; at++)
		count++;
	return count;
}

static int count_text(const char *where, const char *what) {
	int count = 0;
	for (const char *at = where; (at = strstr(at, what)) != NULL; at++)
		count++;
	return count;
}

/* More than a user has inotify instances: many tiles of one folder, and many folders. */
#define CROWD 140
#define FOLDERS 12

static void test_crowd(void **state) {
	struct watched watched;
	start(&watched);
	for (uint32_t i = 1; i < CROWD; i++)
		city_watch(&watched.city, JOB + i, watched.folder);
	for (uint32_t i = 0; i < FOLDERS; i++)
		city_watch(&watched.city, JOB + CROWD + i, make_tile(text("tile-%u", i)));
	while (count_text(city_log_text(&watched.city), "watching") < CROWD + FOLDERS)
		city_barrier(&watched.city);
	/* A few wait for the next save, of which nobody knows where it will be. */
	city_barrier(&watched.city);
	assert_int_in_range(count_children(watched.city.forge), 1, 8);
	save(&watched, "second");
	for (uint32_t i = 0; i < CROWD; i++) {
		size_t from = 0;
		const struct answer *answer =
			city_wait(&watched.city, &from, JOB + i, BUILT, FAILED);
		assert_true(has_marker(answer, "second"));
	}
	/* It was compiled for one of them. */
	const char *log = strstr(city_log_text(&watched.city), "built ");
	assert_non_null(log);
	assert_int_in_range(count_text(log, "(1 files compiled, 1 unchanged)"), 1, 8);
	city_stop(&watched.city);
}

/* Two tiles of one folder: what is saved is taken back while it is built. Each that was told of the
 * build is told of its end. */
static void test_taken_back(void **state) {
	struct watched watched = {.folder = make_tile("first")};
	char *home = city_make_home();
	const char *environment[] = {city_make_compiler(home), NULL};
	city_start(&watched.city, home, environment);
	city_watch(&watched.city, JOB, watched.folder);
	city_watch(&watched.city, JOB + 1, watched.folder);
	while (count_text(city_log_text(&watched.city), "watching") < 2)
		city_barrier(&watched.city);
	size_t at[2] = {0, 0};
	for (int round = 0; round < 2; round++) {
		save(&watched, "second");
		for (uint32_t i = 0; i < 2; i++) {
			const struct answer *answer =
				city_wait(&watched.city, &at[i], JOB + i, BUILT, FAILED);
			assert_true(has_marker(answer, "second"));
		}
		if (round == 1)
			break;
		save(&watched, "SLOW");
		for (uint32_t i = 0; i < 2; i++)
			city_wait(&watched.city, &at[i], JOB + i, STARTED, STARTED);
	}
	city_stop(&watched.city);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_saves),
		cmocka_unit_test(test_only_what_changed),
		cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_editors),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_folder_replaced),
		cmocka_unit_test(test_link_switched),
		cmocka_unit_test(test_appears_late),
		cmocka_unit_test(test_broken_from_the_start),
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_one_instance),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_taken_back),
	};
	signal(SIGPIPE, SIG_IGN);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_folders();
	return failed;
}

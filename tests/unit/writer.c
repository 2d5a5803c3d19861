/* SPDX-License-Identifier: MIT */
/* The writer of small files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "compositor/writer.h"

static char *make_text(void *data, size_t *size) {
	char *copy = strdup(data);
	*size = strlen(copy);
	return copy;
}

static unsigned int dropped;

static void drop_text(void *data) {
	free(data);
	dropped++;
}

static ino_t file_of(const char *path) {
	struct stat info;
	assert_int_equal(stat(path, &info), 0);
	return info.st_ino;
}

/* Writing replaces the file. */
static void what_is_written_is_left_alone(void **state) {
	char dir[] = "/tmp/city-test-XXXXXX", path[128];
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/written", dir);
	struct city_writer *writer = city_writer_create(path);
	assert_non_null(writer);
	city_writer_put(writer, strdup("one"), 3);
	city_writer_flush(writer);
	ino_t first = file_of(path);
	city_writer_put(writer, strdup("one"), 3);
	city_writer_flush(writer);
	assert_int_equal(file_of(path), first);
	dropped = 0;
	city_writer_put_made(writer, make_text, drop_text, strdup("one"));
	city_writer_flush(writer);
	assert_int_equal(file_of(path), first);
	assert_int_equal(dropped, 1);
	city_writer_put_made(writer, make_text, drop_text, strdup("two"));
	city_writer_flush(writer);
	assert_int_not_equal(file_of(path), first);
	assert_int_equal(dropped, 2);
	/* What somebody else has changed is put right. */
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("owt", file);
	fclose(file);
	city_writer_put(writer, strdup("two"), 3);
	city_writer_destroy(writer);
	char text[8] = "";
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fread(text, 1, sizeof(text), file), 3);
	fclose(file);
	assert_string_equal(text, "two");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_left_alone),
	};
	return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}

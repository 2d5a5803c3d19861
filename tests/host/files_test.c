/* SPDX-License-Identifier: MIT */
/* What else a tile may have of its host: files, code that it makes, and where its cells have holes.
 */
#include "host_test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define FILE_SIZE 40000

static void make_file(char *path, size_t size) {
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)(i * 7 + i / 256);
		assert_int_equal(write(fd, &byte, 1), 1);
	}
	close(fd);
}

/* A file that an option names; the next version goes on behind what there is. */
static void test_file(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	char path[] = "/tmp/source-city-host-XXXXXX", option[64];
	make_file(path, FILE_SIZE);
	snprintf(option, sizeof(option), "image=%s", path);
	const char *const *options = OPTIONS("file=read", option);
	struct fake_version *a = fake_start_ready(&city, probe, options);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	FAKE_WAIT(&city, strcmp(a->title, "40000 bytes, to its end") == 0);
	const struct state *state = fake_cell(&city, "state");
	const uint8_t *text = fake_cell(&city, "text");
	assert_int_equal(state->text_size, FILE_SIZE);
	for (size_t i = 0; i < FILE_SIZE; i++) {
		assert_int_equal(text[i], (uint8_t)(i * 7 + i / 256));
	}
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	write_text(fd, "more");
	close(fd);
	struct fake_version *b = fake_start_ready(&city, probe, options);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	int undo = vat_undo_create(city.region, NULL);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo);
	FAKE_WAIT(&city, strcmp(b->title, "40004 bytes, to its end") == 0);
	assert_memory_equal((const uint8_t *)fake_cell(&city, "text") + FILE_SIZE, "more", 4);
	/* Rolled back, the first one reads that again. */
	undo_and_resume(&city, a, b, undo);
	FAKE_WAIT(&city, strcmp(a->title, "40004 bytes, to its end") == 0);
	assert_memory_equal((const uint8_t *)fake_cell(&city, "text") + FILE_SIZE, "more", 4);
	close(undo);
	unlink(path);
	fake_city_finish(&city);
}

static void expect_no_file(const char *artifact, const char *option, const char *why) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, artifact, OPTIONS("file=read", option));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	FAKE_WAIT(&city, strcmp(a->title, why) == 0);
	fake_city_finish(&city);
}

static void test_no_file(void **context) {
	char fifo[] = "/tmp/source-city-host-XXXXXX";
	char option[600], why[600];
	expect_no_file(probe, "nothing=", "option image is not set");
	expect_no_file(probe, "image=vmlinux",
		"option image: vmlinux: the path has to begin with / or ~/");
	expect_no_file(probe, "image=/nowhere/at all",
		"option image: /nowhere/at all: No such file or directory");
	expect_no_file(probe, "image=/tmp", "option image: /tmp: not an ordinary file");
	expect_no_file(probe2, "image=/tmp", "the tile may not read files");
	/* Nobody waits for the other end. */
	close(mkstemp(fifo));
	unlink(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	snprintf(option, sizeof(option), "image=%s", fifo);
	snprintf(why, sizeof(why), "option image: %s: not an ordinary file", fifo);
	expect_no_file(probe, option, why);
	unlink(fifo);
	/* A long path is shown by its end. */
	memset(option, 'x', sizeof(option));
	memcpy(option, "image=/", 7);
	option[406] = 0;
	snprintf(why, sizeof(why), "option image: ...%.96s: File name too long", option + 310);
	expect_no_file(probe, option, why);
}

/* What there was when the cell was made larger counts too. */
static void test_holes(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("resize=8", "holes=find"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	FAKE_WAIT(&city, strcmp(a->title, "0-16 32-33 127-128 ") == 0);
	fake_city_finish(&city);
}

static void test_code(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("code=run"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	FAKE_WAIT(&city, strcmp(a->title, "ran") == 0);
	assert_pixels(a, 0x123456);
	fake_city_finish(&city);
	/* Not declared, not given. */
	fake_city_init(&city);
	a = fake_start_ready(&city, probe2, OPTIONS("code=run"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	FAKE_WAIT(&city, strcmp(a->title, "no code") == 0);
	fake_city_finish(&city);
	/* What can be executed cannot be written. */
	fake_city_init(&city);
	a = fake_start_ready(&city, probe, OPTIONS("code=written to"));
	fake_send_attach(a, TILE_ATTACH_COLD, -1);
	fake_wait_exit(a);
	bool sanitized = WIFEXITED(a->status) && getenv("ASAN_OPTIONS");
	assert_true(sanitized || WIFSIGNALED(a->status));
	if (!sanitized) {
		FAKE_WAIT(&city, *a->trouble);
		assert_string_equal(a->trouble, "attach");
	}
	fake_city_finish(&city);
}

int main(void) {
	if (!have_probes()) {
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The clipboard of a tile in its host, and handovers in the middle of a paste. */
#include "host_test.h"

#include <fcntl.h>
#include <wayland-server-protocol.h>

#include "keeper/wire.h"

static void close_paste(struct fake_version *version) {
	close(version->paste_fd);
	version->paste_fd = -1;
}

/* A paste that is on its way comes before the handover: it is there once. */
static void test_paste_and_handover(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("key=pastes"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	struct fake_version *b = fake_start_ready(&city, probe, NULL);
	fake_focus(a);
	fake_offer(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, a->paste_fd >= 0);
	write_text(a->paste_fd, "one ");
	fake_send_migrate(a);
	/* Answered after migrate was handled. */
	fake_send_check(a);
	FAKE_WAIT(&city, a->checked);
	assert_false(a->yielded);
	write_text(a->paste_fd, "two");
	close_paste(a);
	FAKE_WAIT(&city, a->yielded);
	int undo_fd = vat_undo_create(city.region, NULL);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo_fd);
	assert_int_equal(((const struct state *)fake_cell(&city, "state"))->text_size, 7);
	assert_memory_equal(fake_cell(&city, "text"), "one two", 7);
	close(undo_fd);
	fake_city_finish(&city);
}

/* Whoever has the text does not give it: the handover is what fails, the tile goes on. */
static void test_paste_that_does_not_come(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("key=pastes"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	fake_offer(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, a->paste_fd >= 0);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->refused);
	assert_non_null(strstr(a->reason, "paste"));
	write_text(a->paste_fd, "late");
	close_paste(a);
	wait_text(&city, 4);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	fake_city_finish(&city);
}

/* Somebody is pasting from it, slowly, when it is told to end: the text is given whole. */
static void test_copy_and_retire(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	static char option[5 + 200000 + 1] = "copy=";
	enum { SIZE = sizeof(((struct keeper_message *)0)->text) / 2 };
	memset(option + 5, 'x', SIZE);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS(option));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, a->source);
	int fds[2];
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) == 4096);
	wl_data_source_send_send(a->source, "text/plain", fds[1]);
	close(fds[1]);
	fake_send_retire(a);
	size_t size = 0;
	ssize_t got;
	char part[1000];
	uint64_t limit = 0;
	while ((got = read(fds[0], part, sizeof(part))) != 0 && fake_time_left(&limit)) {
		size += got > 0 ? got : 0;
		fake_dispatch(&city, got > 0 ? 0 : 1);
	}
	assert_int_equal(size, SIZE);
	close(fds[0]);
	fake_wait_exit(a);
	assert_int_equal(a->status, 0);
	fake_city_finish(&city);
}

int main(void) {
	if (!have_probes()) {
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paste_and_handover),
		cmocka_unit_test(test_paste_that_does_not_come),
		cmocka_unit_test(test_copy_and_retire),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Streams of a tile in its host: no byte is lost, however its versions come and go. */
#include "host_test.h"

#include <sys/wait.h>

/* The program behind the PTY never notices, and no byte is lost: not in a handover, not in a
 * rollback, be it to a version that waited or to one that has to be started again. With `little` at
 * a time there is always something left that was read once and goes to another version. */
static void stream_with(const char *read) {
	struct fake_city city;
	fake_city_init(&city);
	const char *const *options = OPTIONS("pty=stty -echo -opost; i=0; while [ $i -lt 2000 ]; "
					     "do echo $i; i=$((i+1)); done; exit 3",
		read);
	struct fake_version *a = fake_start_ready(&city, probe, options);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	wait_text(&city, 1);
	for (int round = 0; round < 9; round++) {
		struct fake_version *b = fake_start_ready(&city, probe, options);
		fake_send_migrate(a);
		FAKE_WAIT(&city, a->yielded);
		int undo_fd = vat_undo_create(city.region, NULL);
		fake_attach(b, TILE_ATTACH_HANDOVER, undo_fd);
		fake_dispatch(&city, 1);
		switch (round % 3) {
		case 0:
			undo_and_resume(&city, a, b, undo_fd);
			break;
		case 1:
			fake_kill(a);
			undo_writes(&city, b, undo_fd);
			a = fake_start_ready(&city, probe, options);
			fake_attach(a, TILE_ATTACH_RESTART, -1);
			break;
		default:
			fake_send_settle(b);
			fake_send_retire(a);
			fake_wait_exit(a);
			a = b;
			break;
		}
		close(undo_fd);
	}
	size_t size = 0;
	static char expected[65536];
	for (int i = 0; i < 2000; i++) {
		size += sprintf(expected + size, "%d\n", i);
	}
	wait_text(&city, size);
	const struct state *state = fake_cell(&city, "state");
	assert_int_equal(state->text_size, size);
	assert_memory_equal(fake_cell(&city, "text"), expected, size);
	fake_city_finish(&city);
}

static void test_stream(void **context) {
	stream_with("read=all");
	stream_with("read=little");
}

/* A, which has begun with a program that says each line once more, has yielded, and B has drawn
 * what it was given: while the keeper has not answered for any stream. */
static struct fake_version *attach_unanswered(
	struct fake_city *city, struct fake_version **a, int *undo_fd) {
	fake_city_init(city);
	*a = fake_start_ready(city, probe, OPTIONS("pty=stty -echo -opost; echo on; exec cat"));
	fake_attach(*a, TILE_ATTACH_COLD, -1);
	wait_text(city, 3);
	struct fake_version *b = fake_start_ready(city, probe, NULL);
	*undo_fd = vat_undo_create(city->region, NULL);
	city->hold_claims = true;
	city->claims = 0;
	fake_send_prepare(b, *undo_fd);
	FAKE_WAIT(city, b->prepared);
	fake_send_migrate(*a);
	FAKE_WAIT(city, (*a)->yielded);
	fake_attach(b, TILE_ATTACH_HANDOVER, *undo_fd);
	FAKE_WAIT(city, city->claims == 1);
	return b;
}

/* In the pause of a handover nobody waits for the keeper; and no byte is lost by it. */
static void test_stream_comes_later(void **context) {
	struct fake_city city;
	struct fake_version *a;
	int undo_fd;
	struct fake_version *b = attach_unanswered(&city, &a, &undo_fd);
	const struct fake_stream *shell = fake_stream(&city, "shell");
	assert_int_equal(write(shell->fd, "first\n", 6), 6);
	fake_send_claimed(b);
	wait_text(&city, 9);
	assert_int_equal(write(shell->fd, "second\n", 7), 7);
	wait_text(&city, 16);
	assert_memory_equal(fake_cell(&city, "text"), "on\nfirst\nsecond\n", 16);
	assert_int_equal(city.claims, 1);
	fake_send_settle(b);
	fake_send_retire(a);
	fake_wait_exit(a);
	/* It is there: the next one has it, too, and reads what this one has not. */
	city.hold_claims = false;
	struct fake_version *c = fake_start_ready(&city, probe, NULL);
	fake_send_prepare(c, undo_fd);
	fake_send_migrate(b);
	FAKE_WAIT(&city, b->yielded);
	fake_attach(c, TILE_ATTACH_HANDOVER, undo_fd);
	assert_int_equal(write(shell->fd, "third\n", 6), 6);
	wait_text(&city, 22);
	close(undo_fd);
	fake_city_finish(&city);
}

/* One that the version before has closed at the last moment is one that has ended. */
static void test_stream_does_not_come(void **context) {
	struct fake_city city;
	struct fake_version *a;
	int undo_fd;
	struct fake_version *b = attach_unanswered(&city, &a, &undo_fd);
	struct fake_stream *shell = fake_stream(&city, "shell");
	assert_int_equal(((const struct state *)fake_cell(&city, "state"))->end_status, -1);
	snprintf(shell->name, sizeof(shell->name), "another");
	fake_send_claimed(b);
	FAKE_WAIT(&city, ((const struct state *)fake_cell(&city, "state"))->end_status == 0);
	fake_send_check(b);
	FAKE_WAIT(&city, b->checked);
	close(undo_fd);
	fake_city_finish(&city);
}

/* The end of the program is told after the last byte of it. */
static void test_stream_end(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("pty=echo bye; exit 3"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	wait_text(&city, 5);
	int status;
	struct fake_stream *shell = fake_stream(&city, "shell");
	assert_int_equal(waitpid(shell->pid, &status, 0), shell->pid);
	assert_int_equal(((const struct state *)fake_cell(&city, "state"))->end_status, -1);
	fake_send_stream_ended(a, "shell", status);
	shell->pid = 0;
	FAKE_WAIT(&city, ((const struct state *)fake_cell(&city, "state"))->end_status == status);
	assert_int_equal(((const struct state *)fake_cell(&city, "state"))->text_size, 5);
	fake_city_finish(&city);
}

int main(void) {
	if (!have_probes()) {
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_end),
		cmocka_unit_test(test_stream_comes_later),
		cmocka_unit_test(test_stream_does_not_come),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

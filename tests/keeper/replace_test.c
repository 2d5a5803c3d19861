/* SPDX-License-Identifier: MIT */
/* One keeper takes over from another. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"
#include "wire_child.h"

/* Everything goes on: children, regions, streams, what waits, the socket. */
static void test_keeper_is_replaced(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	struct stat desk, region, undo_was, now;
	assert_int_equal(fstat(city->fds[1], &desk), 0);
	open_region(city);
	assert_int_equal(fstat(city->fds[0], &region), 0);
	uint64_t instance = spawn_tile(city, &tile);
	struct peer spare = accept_peer(city);
	open_pty(city, &tile,
		"while read line; do echo got $line; test $line = end && exit 5; done");
	int pty = fcntl(city->fds[0], F_DUPFD_CLOEXEC, 3);
	const pid_t shell = city->message.pid;
	int undo = memfd_create("undo", MFD_CLOEXEC);
	assert_int_equal(fstat(undo, &undo_was), 0);
	struct keeper_message keep = tile_message(KEEPER_KEEP, KEEPER_UNDO);
	send_message(city->compositor.wire, &keep, &undo, 1);
	close(undo);

	char newer[128], path[160];
	snprintf(newer, sizeof(newer), "%s/newer", city->dir);
	assert_int_equal(mkdir(newer, 0700), 0);
	copy_program(KEEPER_PROGRAM, newer, "source-city");
	copy_program(CHILD_PROGRAM, newer, "source-city-compositor");
	copy_program(CHILD_PROGRAM, newer, "source-city-tile");
	copy_program(CHILD_PROGRAM, newer, "source-city-forge");
	snprintf(path, sizeof(path), "%s/source-city", newer);
	for (int i = 0; i < 3; i++) {
		ask_replacement(city, i == 1 ? "" : path);
		assert_int_equal(city->message.status, 0);
	}
	char link[64], image[256] = "";
	snprintf(link, sizeof(link), "/proc/%d/exe", city->keeper);
	assert_true(readlink(link, image, sizeof(image) - 1) > 0);
	assert_string_equal(image, path);

	/* The PTY and who is behind it. */
	assert_int_equal(write(pty, "one\n", 4), 4);
	expect_output(pty, "got one");
	struct keeper_message claim = tile_message(KEEPER_STREAM_CLAIM, "pty");
	send_message(tile.wire, &claim, NULL, 0);
	next_message(city, tile.wire, KEEPER_STREAM);
	assert_int_equal(city->message.pid, shell);
	assert_int_equal(write(pty, "end\n", 4), 4);
	next_message(city, tile.wire, KEEPER_STREAM_ENDED);
	assert_int_equal(WEXITSTATUS(city->message.status), 5);
	close(pty);

	/* Regions, the undo log, the desk and the socket: to the next compositor. */
	end_peer(&city->compositor, 1);
	city->compositor = accept_peer(city);
	expect_hello(city);
	assert_int_equal(city->message.size, 1);
	assert_int_equal(fstat(city->fds[1], &now), 0);
	assert_int_equal(now.st_ino, desk.st_ino);
	next_message(city, city->compositor.wire, KEEPER_INSTANCE);
	assert_int_equal(city->message.instance, instance);
	assert_string_equal(city->message.text, "abc");
	open_region(city);
	assert_int_equal(fstat(city->fds[0], &now), 0);
	assert_int_equal(now.st_ino, region.st_ino);
	assert_int_equal(fstat(city->fds[1], &now), 0);
	assert_int_equal(now.st_ino, undo_was.st_ino);

	/* The spare is still one, and the end of a tile is told. */
	struct keeper_message ready = {.type = KEEPER_READY};
	send_message(city->compositor.wire, &ready, NULL, 0);
	spawn_tile(city, &spare);
	struct peer next_spare = accept_peer(city);
	end_peer(&tile, 9);
	next_message(city, city->compositor.wire, KEEPER_EXITED);
	assert_int_equal(city->message.instance, instance);
	assert_int_equal(WEXITSTATUS(city->message.status), 9);
	forget_peer(&spare);
	forget_peer(&next_spare);
}

/* One that ends while nobody looks, and what waits for a child that does not read. */
static void test_nothing_is_lost_in_a_replacement(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	open_region(city);
	uint64_t instance = spawn_tile(city, &tile);
	struct peer spare = accept_peer(city);
	/* More than its socket takes. */
	enum { ASKED = 1000 };
	struct keeper_message open = tile_message(KEEPER_REGION_OPEN, "clock");
	for (int i = 0; i < ASKED; i++) {
		open.request = 1000 + (uint64_t)i;
		send_message(city->compositor.wire, &open, NULL, 0);
	}
	struct keeper_message replace = {.type = KEEPER_REPLACE, .request = 21};
	send_message(city->compositor.wire, &replace, NULL, 0);
	end_peer(&tile, 4);
	uint64_t answered = 0;
	bool replaced = false, ended = false;
	while (!replaced || !ended || answered < ASKED) {
		any_message(city, city->compositor.wire);
		if (city->message.type == KEEPER_REGION) {
			assert_int_equal(city->message.request, 1000 + answered);
			assert_true(city->fds[0] >= 0);
			answered++;
		}
		replaced |= city->message.type == KEEPER_RESULT && city->message.request == 21 &&
			city->message.status == 0;
		ended |= city->message.type == KEEPER_EXITED &&
			city->message.instance == instance &&
			WEXITSTATUS(city->message.status) == 4;
	}
	forget_peer(&spare);
}

/* Whatever cannot take over does not. */
static void test_unfit_keepers_are_refused(void **state) {
	struct city *city = *state;
	struct peer spare = make_ready(city);
	char alone[128], path[160];
	snprintf(alone, sizeof(alone), "%s/alone", city->dir);
	assert_int_equal(mkdir(alone, 0700), 0);
	copy_program(KEEPER_PROGRAM, alone, "source-city");
	snprintf(path, sizeof(path), "%s/source-city", alone);
	const struct {
		const char *path, *why;
	} unfit[] = {
		{"/nowhere/source-city", "No such file"},
		{"/bin/true", "no keeper"},
		{"/bin/false", "no keeper"},
		{"source-city", "slash"},
		{path, "must lie beside it"},
	};
	for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++) {
		ask_replacement(city, unfit[i].path);
		assert_int_not_equal(city->message.status, 0);
		assert_non_null(strstr(city->message.text, unfit[i].why));
		open_region(city);
	}
	/* A version of the wire that the children do not speak; see struct head in state.c. */
	int state_fd = memfd_create("state", 0);
	const uint32_t head[] = {0x6563730a, 0x72657065, 1, KEEPER_WIRE_VERSION + 1};
	assert_int_equal(write(state_fd, head, sizeof(head)), sizeof(head));
	char command[256], said[256] = "";
	snprintf(command, sizeof(command), "exec %s/source-city --check-handover %d", city->dir,
		state_fd);
	FILE *check = popen(command, "r");
	assert_non_null(check);
	assert_non_null(fgets(said, sizeof(said), check));
	assert_int_not_equal(pclose(check), 0);
	assert_non_null(strstr(said, "version"));
	close(state_fd);
	forget_peer(&spare);
}

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		TEST(test_keeper_is_replaced),
		TEST(test_nothing_is_lost_in_a_replacement),
		TEST(test_unfit_keepers_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

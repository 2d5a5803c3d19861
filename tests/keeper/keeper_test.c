/* SPDX-License-Identifier: MIT */
/* Children, regions, streams and PTYs, and how it begins and ends. */
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

static void test_hello_gives_a_listening_socket(void **state) {
	struct city *city = *state;
	expect_hello(city);
	assert_string_equal(city->message.name, "wayland-1");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/wayland-1", city->dir);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	int accepted = accept4(city->fds[0], NULL, NULL, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	close(accepted);
	close(client);
}

static void test_region_outlives_the_compositor(void **state) {
	struct city *city = *state;
	struct peer spare = make_ready(city);
	open_region(city);
	assert_int_equal(city->message.status, 1);
	struct stat first;
	assert_int_equal(fstat(city->fds[0], &first), 0);
	open_region(city);
	assert_int_equal(city->message.status, 0);

	end_peer(&city->compositor, 1);
	city->compositor = accept_peer(city);
	assert_string_equal(city->compositor.program, "source-city-compositor");
	expect_hello(city);
	open_region(city);
	assert_int_equal(city->message.status, 0);
	struct stat second;
	assert_int_equal(fstat(city->fds[0], &second), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	assert_memory_equal(&city->message.uuid, &tile_uuid, sizeof(tile_uuid));
	close(spare.wire);
	close(spare.control);
}

static void test_tile_end_is_told(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	open_region(city);
	uint64_t instance = spawn_tile(city, &tile);
	struct peer next_spare = accept_peer(city);
	assert_string_equal(next_spare.program, "source-city-tile");
	end_peer(&tile, 3);
	next_message(city, city->compositor.wire, KEEPER_EXITED);
	assert_int_equal(city->message.instance, instance);
	assert_int_equal(WEXITSTATUS(city->message.status), 3);
	close(next_spare.wire);
	close(next_spare.control);
}

/* What it was answered last it never read: what it says at its end is told all the same. */
static void test_last_words_are_told(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	open_region(city);
	uint64_t instance = spawn_tile(city, &tile);
	struct peer next_spare = accept_peer(city);
	struct keeper_message list = tile_message(KEEPER_STREAM_LIST, "");
	send_message(tile.wire, &list, NULL, 0);
	await_readable(tile.wire);
	/* So that it sees both at once. */
	int status;
	assert_int_equal(kill(city->keeper, SIGSTOP), 0);
	assert_int_equal(waitpid(city->keeper, &status, WUNTRACED), city->keeper);
	struct keeper_message trouble = tile_message(KEEPER_TROUBLE, "migrate");
	trouble.status = SIGSEGV;
	send_message(tile.wire, &trouble, NULL, 0);
	end_peer(&tile, 3);
	assert_int_equal(kill(city->keeper, SIGCONT), 0);
	any_message(city, city->compositor.wire);
	assert_int_equal(city->message.type, KEEPER_TROUBLE);
	assert_int_equal(city->message.instance, instance);
	assert_int_equal(city->message.status, SIGSEGV);
	assert_string_equal(city->message.name, "migrate");
	any_message(city, city->compositor.wire);
	assert_int_equal(city->message.type, KEEPER_EXITED);
	assert_int_equal(city->message.instance, instance);
	forget_peer(&next_spare);
}

/* The next compositor learns what runs, and gives it connections. */
static void test_tiles_outlive_the_compositor(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	assert_int_equal(city->message.status, KEEPER_START_FIRST);
	struct stat desk, same;
	assert_int_equal(fstat(city->fds[1], &desk), 0);
	open_region(city);
	assert_int_equal(city->fds[1], -1);
	uint64_t instance = spawn_tile(city, &tile);
	struct peer spare = accept_peer(city);

	/* Something of the tile's handover, and something else that is not internal. */
	int undo = memfd_create("undo", MFD_CLOEXEC);
	struct stat kept, back;
	assert_int_equal(fstat(undo, &kept), 0);
	struct keeper_message keep = tile_message(KEEPER_KEEP, KEEPER_UNDO);
	keep.request = 0;
	send_message(city->compositor.wire, &keep, &undo, 1);
	struct keeper_message visible = tile_message(KEEPER_KEEP, "pty");
	send_message(city->compositor.wire, &visible, &undo, 1);
	close(undo);

	end_peer(&city->compositor, 1);
	city->compositor = accept_peer(city);
	expect_hello(city);
	assert_int_equal(city->message.status, KEEPER_START_DIED);
	assert_true(city->message.instance > 0);
	assert_int_equal(city->message.size, 1);
	assert_int_equal(fstat(city->fds[1], &same), 0);
	assert_int_equal(same.st_ino, desk.st_ino);
	next_message(city, city->compositor.wire, KEEPER_INSTANCE);
	assert_int_equal(city->message.instance, instance);
	assert_int_equal(city->message.pid, tile.pid);
	assert_string_equal(city->message.name, "clock");
	assert_string_equal(city->message.text, "abc");
	assert_memory_equal(&city->message.uuid, &tile_uuid, sizeof(tile_uuid));
	open_region(city);
	assert_int_equal(city->message.status, 0);
	assert_int_equal(fstat(city->fds[1], &back), 0);
	assert_int_equal(back.st_ino, kept.st_ino);

	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	struct keeper_message reconnect = {.type = KEEPER_RECONNECT, .request = 9};
	reconnect.instance = instance;
	send_message(city->compositor.wire, &reconnect, &pair[1], 1);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.status, 0);
	next_message(city, tile.wire, KEEPER_RECONNECT);
	assert_int_equal(write(city->fds[0], "x", 1), 1);
	char byte;
	await_readable(pair[0]);
	assert_int_equal(read(pair[0], &byte, 1), 1);
	close(pair[0]);
	close(pair[1]);

	/* Its internal streams are not swept, and go when they are let go. */
	struct keeper_message sweep = tile_message(KEEPER_STREAM_SWEEP, "clock");
	sweep.instance = instance;
	send_message(city->compositor.wire, &sweep, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.text_size, 0);
	send_message(city->compositor.wire, &keep, NULL, 0);
	open_region(city);
	assert_int_equal(city->fds[1], -1);

	end_peer(&tile, 0);
	next_message(city, city->compositor.wire, KEEPER_EXITED);
	send_message(city->compositor.wire, &reconnect, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.status, ESRCH);
	forget_peer(&spare);
}

static void test_pty_passes_from_version_to_version(void **state) {
	struct city *city = *state;
	struct peer a = make_ready(city);
	open_region(city);
	spawn_tile(city, &a);
	open_pty(city, &a,
		"stty size; echo $CITY_TEST $WAYLAND_DISPLAY$WAYLAND_SOCKET; while read line; do "
		"echo "
		"\"[$line]\"; done; "
		"exit 5");
	pid_t shell = city->message.pid;
	int pty = city->fds[0];
	city->fds[0] = -1;
	expect_output(pty, "17 91\r\nyes wayland-1\r\n");

	struct peer b = accept_peer(city);
	spawn_tile(city, &b);
	end_peer(&a, 0);
	next_message(city, city->compositor.wire, KEEPER_EXITED);
	close(pty);
	struct keeper_message claim = tile_message(KEEPER_STREAM_CLAIM, "pty");
	send_message(b.wire, &claim, NULL, 0);
	next_message(city, b.wire, KEEPER_STREAM);
	assert_int_equal(city->message.pid, shell);
	pty = city->fds[0];
	city->fds[0] = -1;
	assert_int_equal(write(pty, "still\n", 6), 6);
	expect_output(pty, "[still]");
	assert_int_equal(write(pty, "\004", 1), 1);
	next_message(city, b.wire, KEEPER_STREAM_ENDED);
	assert_int_equal(WEXITSTATUS(city->message.status), 5);
	assert_string_equal(city->message.name, "pty");
	close(pty);
	end_peer(&b, 0);
}

static void test_sweep_closes_what_nobody_claims(void **state) {
	struct city *city = *state;
	struct peer a = make_ready(city);
	open_region(city);
	spawn_tile(city, &a);
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	struct keeper_message put = tile_message(KEEPER_STREAM_PUT, "kept");
	send_message(a.wire, &put, &ends[1], 1);
	assert_int_equal(next_message(city, a.wire, KEEPER_RESULT)->status, 0);
	put = tile_message(KEEPER_STREAM_PUT, "lost");
	send_message(a.wire, &put, &ends[1], 1);
	assert_int_equal(next_message(city, a.wire, KEEPER_RESULT)->status, 0);
	put = tile_message(KEEPER_STREAM_PUT, "lost");
	send_message(a.wire, &put, &ends[1], 1);
	assert_int_equal(next_message(city, a.wire, KEEPER_RESULT)->status, EEXIST);

	struct peer b = accept_peer(city);
	uint64_t instance = spawn_tile(city, &b);
	put = tile_message(KEEPER_STREAM_PUT, ".internal");
	send_message(a.wire, &put, &ends[1], 1);
	assert_int_equal(next_message(city, a.wire, KEEPER_RESULT)->status, 0);
	struct keeper_message list = tile_message(KEEPER_STREAM_LIST, "");
	send_message(b.wire, &list, NULL, 0);
	next_message(city, b.wire, KEEPER_RESULT);
	size_t names = 0;
	assert_string_equal(keeper_wire_next(&city->message, &names), "lost");
	assert_string_equal(keeper_wire_next(&city->message, &names), "kept");
	assert_null(keeper_wire_next(&city->message, &names));
	struct keeper_message claim = tile_message(KEEPER_STREAM_CLAIM, "kept");
	send_message(b.wire, &claim, NULL, 0);
	next_message(city, b.wire, KEEPER_STREAM);
	/* To look at it is not to claim it. */
	struct keeper_message look = tile_message(KEEPER_STREAM_LOOK, "lost");
	send_message(city->compositor.wire, &look, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_STREAM);
	assert_true(city->fds[0] >= 0);
	close(city->fds[0]);
	struct keeper_message sweep = tile_message(KEEPER_STREAM_SWEEP, "clock");
	sweep.instance = instance;
	send_message(city->compositor.wire, &sweep, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	size_t offset = 0;
	assert_string_equal(keeper_wire_next(&city->message, &offset), "lost");
	assert_null(keeper_wire_next(&city->message, &offset));
	claim = tile_message(KEEPER_STREAM_CLAIM, "lost");
	send_message(b.wire, &claim, NULL, 0);
	assert_int_equal(next_message(city, b.wire, KEEPER_RESULT)->status, ENOENT);
	assert_true(log_has(city, "\"lost\" is closed"));
	send_message(city->compositor.wire, &look, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.status, ENOENT);
	close(ends[0]);
	close(ends[1]);
	end_peer(&a, 0);
	end_peer(&b, 0);
}

static void test_program_that_cannot_run(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	open_region(city);
	spawn_tile(city, &tile);
	struct keeper_message open = tile_message(KEEPER_PTY_OPEN, "pty");
	open.argc = 1;
	keeper_wire_add(&open, "/no/such/program");
	keeper_wire_add(&open, "");
	send_message(tile.wire, &open, NULL, 0);
	next_message(city, tile.wire, KEEPER_RESULT);
	assert_int_not_equal(city->message.status, 0);
	assert_non_null(strstr(city->message.text, "/no/such/program"));
	end_peer(&tile, 0);
}

static void test_bad_messages_change_nothing(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	open_region(city);
	spawn_tile(city, &tile);
	assert_int_equal(send(tile.wire, "rubbish", 7, 0), 7);
	struct keeper_message message = tile_message(KEEPER_QUIT, "x");
	send_message(tile.wire, &message, NULL, 0);
	assert_int_equal(next_message(city, tile.wire, KEEPER_RESULT)->status, EPERM);
	message = tile_message(KEEPER_STREAM_PUT, "../evil");
	send_message(tile.wire, &message, NULL, 0);
	assert_int_equal(next_message(city, tile.wire, KEEPER_RESULT)->status, EINVAL);
	message = tile_message(KEEPER_PTY_OPEN, "pty");
	message.argc = 60000;
	send_message(tile.wire, &message, NULL, 0);
	assert_int_not_equal(next_message(city, tile.wire, KEEPER_RESULT)->status, 0);
	message = tile_message(4711, "x");
	send_message(tile.wire, &message, NULL, 0);
	assert_int_equal(next_message(city, tile.wire, KEEPER_RESULT)->status, EPERM);
	/* A spawn without descriptors, from the compositor. */
	message = tile_message(KEEPER_SPAWN, "clock");
	send_message(city->compositor.wire, &message, NULL, 0);
	assert_int_equal(next_message(city, city->compositor.wire, KEEPER_RESULT)->status, EINVAL);
	open_region(city);
	end_peer(&tile, 0);
}

/* A tile that is stopped and asked for nothing must not hold up the others. */
static void test_stopped_tile_stops_nobody(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	open_region(city);
	uint64_t instance = spawn_tile(city, &tile);
	struct keeper_message message = {
		.type = KEEPER_KILL, .instance = instance, .status = SIGSTOP};
	send_message(city->compositor.wire, &message, NULL, 0);
	open_region(city);
	message = (struct keeper_message){
		.type = KEEPER_KILL, .instance = instance, .status = SIGKILL};
	send_message(city->compositor.wire, &message, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_EXITED);
	assert_int_equal(city->message.instance, instance);
	assert_int_equal(WTERMSIG(city->message.status), SIGKILL);
	close(tile.wire);
	close(tile.control);
}

/* Who is slow to read misses nothing. */
static void test_messages_wait_for_the_compositor(void **state) {
	struct city *city = *state;
	struct peer spare = make_ready(city);
	const uint64_t count = 1000;
	for (uint64_t i = 1; i <= count; i++) {
		struct keeper_message open = tile_message(KEEPER_REGION_OPEN, "clock");
		open.request = i;
		open.uuid.bytes[15] = (uint8_t)(i % 10);
		send_message(city->compositor.wire, &open, NULL, 0);
	}
	for (uint64_t i = 1; i <= count; i++) {
		next_message(city, city->compositor.wire, KEEPER_REGION);
		assert_int_equal(city->message.request, i);
		assert_true(city->fds[0] >= 0);
	}
	forget_peer(&spare);
}

static void test_tile_that_does_not_read(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	open_region(city);
	spawn_tile(city, &tile);
	struct keeper_message claim = tile_message(KEEPER_STREAM_CLAIM, "nothing");
	int sent = 0;
	while (sent < 10000 && keeper_wire_send(tile.wire, &claim, NULL, 0) == 0) {
		sent++;
	}
	assert_int_in_range(sent, 100, 9999);
	open_region(city);
	assert_true(log_has(city, "does not read what the keeper answers"));
	end_peer(&tile, 0);
}

static void test_tile_that_talks_rubbish(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	open_region(city);
	spawn_tile(city, &tile);
	int sent = 0;
	while (sent < 10000 && send(tile.wire, "rubbish", 7, 0) == 7) {
		sent++;
	}
	assert_int_in_range(sent, 16, 9999);
	open_region(city);
	assert_true(log_has(city, "is not listened to any more"));
	end_peer(&tile, 0);
}

static void test_streams_are_limited(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	open_region(city);
	spawn_tile(city, &tile);
	int status = 0, count = 0;
	for (; status == 0 && count < 1000; count++) {
		char name[16];
		snprintf(name, sizeof(name), "s%d", count);
		struct keeper_message put = tile_message(KEEPER_STREAM_PUT, name);
		send_message(tile.wire, &put, &city->accept_fd, 1);
		status = next_message(city, tile.wire, KEEPER_RESULT)->status;
	}
	assert_int_equal(status, EMFILE);
	assert_int_equal(count, 65);
	end_peer(&tile, 0);
}

/* A spare that has died is not what a tile gets. */
static void test_spare_that_died(void **state) {
	struct city *city = *state;
	struct peer spare = make_ready(city);
	open_region(city);
	for (int i = 0; i < 5; i++) {
		kill(spare.pid, SIGKILL);
		close(spare.wire);
		await_end(&spare);
		close(spare.control);
		ask_spawn(city);
		next_message(city, city->compositor.wire, KEEPER_SPAWNED);
		/* On a busy machine the next spare may be faster than the tile. */
		struct peer tile = accept_peer(city);
		spare = accept_peer(city);
		if (spare.pid == city->message.pid) {
			struct peer swap = tile;
			tile = spare;
			spare = swap;
		}
		assert_int_equal(tile.pid, city->message.pid);
		next_message(city, tile.wire, KEEPER_ASSUME);
		end_peer(&tile, 0);
		next_message(city, city->compositor.wire, KEEPER_EXITED);
		assert_int_equal(WEXITSTATUS(city->message.status), 0);
	}
	forget_peer(&spare);
}

/* The terminal that it was started from is closed, and with it whoever read the log. */
static void test_terminal_goes_away(void **state) {
	struct city *city = *state;
	int log[2];
	assert_int_equal(pipe2(log, O_CLOEXEC), 0);
	signal(SIGHUP, SIG_IGN); /* as nohup does */
	pid_t keeper = start_keeper(city, NULL, log[1]);
	signal(SIGHUP, SIG_DFL);
	close(log[0]);
	close(log[1]);
	struct city second = *city;
	second.compositor = accept_peer(&second);
	struct peer spare = make_ready(&second); /* which it logs */
	assert_int_equal(kill(keeper, SIGHUP), 0);
	open_region(&second);
	assert_int_equal(kill(keeper, SIGTERM), 0);
	assert_int_equal(await_exit(keeper), 0);
	forget_peer(&spare);
	forget_peer(&second.compositor);
	memcpy(city->fds, second.fds, sizeof(city->fds));
}

/* No memory for a region is the tile's misfortune, not the city's. */
static void test_no_memory_for_a_region(void **state) {
	struct city *city = *state;
	struct peer spare = make_ready(city);
	struct rlimit files, none;
	assert_int_equal(prlimit(city->keeper, RLIMIT_FSIZE, NULL, &files), 0);
	none = files;
	none.rlim_cur = 4096;
	assert_int_equal(prlimit(city->keeper, RLIMIT_FSIZE, &none, NULL), 0);
	struct keeper_message open = tile_message(KEEPER_REGION_OPEN, "clock");
	send_message(city->compositor.wire, &open, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.status, ENOMEM);
	assert_non_null(strstr(city->message.text, "File too large"));
	assert_int_equal(prlimit(city->keeper, RLIMIT_FSIZE, &files, NULL), 0);
	open_region(city);
	assert_int_equal(city->message.status, 1);
	forget_peer(&spare);
}

/* Whoever is out of descriptors gets the message all the same, and can say so. */
static void test_no_descriptors_left(void **state) {
	int pair[2], fds[KEEPER_FDS_MAX];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	struct keeper_message message = tile_message(KEEPER_SPAWN, "clock");
	const int gifts[] = {0, 1, 2};
	send_message(pair[0], &message, gifts, 3);
	struct rlimit files, few;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	few = files;
	few.rlim_cur = (rlim_t)pair[1] + 2;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	int got = keeper_wire_receive(pair[1], &message, fds);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	assert_int_equal(got, 1);
	assert_int_equal(message.type, KEEPER_SPAWN);
	for (size_t i = 0; i < KEEPER_FDS_MAX; i++) {
		assert_int_equal(fds[i], -1);
	}
	/* Nor is one left open that came before the limit. */
	int next = dup(0);
	assert_int_equal(next, pair[1] + 1);
	close(next);
	close(pair[0]);
	close(pair[1]);
}

/* A packet of no bytes looks like the end of the peer; what it brought is closed. */
static void test_descriptors_of_nothing(void **state) {
	int pair[2], ends[2], fds[KEEPER_FDS_MAX];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr header = {.msg_control = control.bytes, .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &ends[1], sizeof(int));
	assert_int_equal(sendmsg(pair[0], &header, MSG_NOSIGNAL), 0);
	close(ends[1]);
	struct keeper_message message;
	assert_int_equal(keeper_wire_receive(pair[1], &message, fds), 0);
	assert_int_equal(fds[0], -1);
	await_readable(ends[0]); /* the last writing end is gone */
	char byte;
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	close(pair[0]);
	close(pair[1]);
}

static void test_second_city_is_refused(void **state) {
	struct city *city = *state;
	const char *const args[] = {"--socket", "wayland-1", NULL};
	pid_t second = start_keeper(city, args, -1);
	int status = await_exit(second);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_true(log_has(city, "wayland-1 is in use by another city"));
	expect_hello(city); /* the first goes on */
}

static void test_runtime_dir_is_missing(void **state) {
	struct city *city = *state;
	unsetenv("XDG_RUNTIME_DIR");
	pid_t second = start_keeper(city, NULL, -1);
	assert_int_equal(WEXITSTATUS(await_exit(second)), 1);
	assert_true(log_has(city, "XDG_RUNTIME_DIR is not set"));
	setenv("XDG_RUNTIME_DIR", "/no/such/folder", 1);
	second = start_keeper(city, NULL, -1);
	assert_int_equal(WEXITSTATUS(await_exit(second)), 1);
	assert_true(log_has(city, "which is not a directory"));
	setenv("XDG_RUNTIME_DIR", city->dir, 1);
}

static void test_stale_socket_is_taken_over(void **state) {
	struct city *city = *state;
	kill(city->keeper, SIGKILL);
	await_exit(city->keeper);
	char path[128];
	snprintf(path, sizeof(path), "%s/wayland-1", city->dir);
	assert_int_equal(access(path, F_OK), 0);
	close(city->compositor.wire);
	close(city->compositor.control);
	city->keeper = start_keeper(city, NULL, -1);
	city->compositor = accept_peer(city);
	expect_hello(city);
	assert_string_equal(city->message.name, "wayland-1");
}

static void test_compositor_that_never_starts(void **state) {
	struct city *city = *state;
	end_peer(&city->compositor, 42);
	assert_int_equal(WEXITSTATUS(await_exit(city->keeper)), 42);
	city->keeper = -1;
}

/* Whether it was started with this option. */
static bool has_option(const struct peer *peer, const char *option) {
	char path[64], line[1024] = "";
	snprintf(path, sizeof(path), "/proc/%d/cmdline", peer->pid);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t size = fread(line, 1, sizeof(line) - 1, file);
	fclose(file);
	for (size_t at = 0; at < size; at += strlen(line + at) + 1) {
		if (strcmp(line + at, option) == 0) {
			return true;
		}
	}
	return false;
}

static void break_down(struct city *city, int times) {
	for (int i = 0; i < times; i++) {
		end_peer(&city->compositor, 1);
		/* That it gets as far as this does not make it a good one. */
		city->compositor = accept_peer(city);
		say_ready(city);
	}
}

static void test_crash_loop_ends(void **state) {
	struct city *city = *state;
	struct peer spare = make_ready(city);
	break_down(city, 3);
	assert_false(has_option(&city->compositor, "--safe"));
	break_down(city, 1);
	assert_true(has_option(&city->compositor, "--safe"));
	assert_true(log_has(city, "in safe mode"));
	break_down(city, 3);
	assert_true(has_option(&city->compositor, "--safe"));
	end_peer(&city->compositor, 1);
	assert_int_equal(WEXITSTATUS(await_exit(city->keeper)), 1);
	assert_true(log_has(city, "giving up"));
	city->keeper = -1;
	close(spare.wire);
	close(spare.control);
}

/* Asked for, it is no breakdown, and the way out of safe mode. */
static void test_restart_when_asked(void **state) {
	struct city *city = *state;
	struct peer spare = make_ready(city);
	struct keeper_message restart = {.type = KEEPER_RESTART};
	for (int i = 0; i < 5; i++) {
		send_message(city->compositor.wire, &restart, NULL, 0);
		end_peer(&city->compositor, 0);
		city->compositor = accept_peer(city);
		say_ready(city);
		assert_int_equal(city->message.status, KEEPER_START_ASKED);
	}
	break_down(city, 4);
	assert_true(has_option(&city->compositor, "--safe"));
	send_message(city->compositor.wire, &restart, NULL, 0);
	end_peer(&city->compositor, 0);
	city->compositor = accept_peer(city);
	assert_false(has_option(&city->compositor, "--safe"));
	forget_peer(&spare);
}

/* A signal before it was up, such as that of a broken driver: it may work without what broke it. */
static void test_compositor_that_crashes_at_its_start(void **state) {
	struct city *city = *state;
	for (int i = 0; i < 4; i++) {
		kill(city->compositor.pid, SIGKILL);
		await_end(&city->compositor);
		forget_peer(&city->compositor);
		city->compositor = accept_peer(city);
	}
	assert_true(has_option(&city->compositor, "--safe"));
}

static void test_term_leaves_nothing_behind(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	open_region(city);
	spawn_tile(city, &tile);
	/* A program that does not end when asked has to be ended all the same. */
	open_pty(city, &tile, "trap '' HUP TERM INT; echo armed; while :; do read line; done");
	pid_t shell = city->message.pid;
	expect_output(city->fds[0], "armed");
	struct peer spare = accept_peer(city);
	kill(city->keeper, SIGTERM);
	assert_int_equal(await_exit(city->keeper), 0);
	city->keeper = -1;
	const pid_t pids[] = {shell, tile.pid, spare.pid, city->compositor.pid};
	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
		assert_int_equal(kill(pids[i], 0), -1);
		assert_int_equal(errno, ESRCH);
	}
	char path[128];
	snprintf(path, sizeof(path), "%s/wayland-1", city->dir);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/wayland-1.lock", city->dir);
	assert_int_equal(access(path, F_OK), -1);
	close(tile.wire);
	close(tile.control);
	close(spare.wire);
	close(spare.control);
}

/* While it ends nothing is started that would be left over. */
static void test_nothing_starts_at_the_end(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	open_region(city);
	spawn_tile(city, &tile);
	struct peer spare = accept_peer(city);
	kill(city->keeper, SIGTERM);
	await_end(&spare);
	struct keeper_message open = tile_message(KEEPER_PTY_OPEN, "pty");
	keeper_wire_add(&open, "");
	send_message(tile.wire, &open, NULL, 0);
	assert_int_equal(next_message(city, tile.wire, KEEPER_RESULT)->status, ECANCELED);
	assert_int_equal(await_exit(city->keeper), 0);
	city->keeper = -1;
	forget_peer(&tile);
	forget_peer(&spare);
}

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		TEST(test_hello_gives_a_listening_socket),
		TEST(test_region_outlives_the_compositor),
		TEST(test_tile_end_is_told),
		TEST(test_last_words_are_told),
		TEST(test_tiles_outlive_the_compositor),
		TEST(test_pty_passes_from_version_to_version),
		TEST(test_sweep_closes_what_nobody_claims),
		TEST(test_program_that_cannot_run),
		TEST(test_bad_messages_change_nothing),
		TEST(test_stopped_tile_stops_nobody),
		TEST(test_messages_wait_for_the_compositor),
		TEST(test_tile_that_does_not_read),
		TEST(test_tile_that_talks_rubbish),
		TEST(test_streams_are_limited),
		TEST(test_spare_that_died),
		TEST(test_terminal_goes_away),
		TEST(test_no_memory_for_a_region),
		cmocka_unit_test(test_no_descriptors_left),
		cmocka_unit_test(test_descriptors_of_nothing),
		TEST(test_second_city_is_refused),
		TEST(test_runtime_dir_is_missing),
		TEST(test_stale_socket_is_taken_over),
		TEST(test_compositor_that_never_starts),
		TEST(test_crash_loop_ends),
		TEST(test_restart_when_asked),
		TEST(test_compositor_that_crashes_at_its_start),
		TEST(test_term_leaves_nothing_behind),
		cmocka_unit_test_setup_teardown(
			test_nothing_starts_at_the_end, rig_setup_stubborn, rig_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * The real keeper with programs of the test's own around it (see wire_child.c): each test speaks
 * the wire as compositor and as tiles.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
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

#include <cmocka.h>

#include "keeper/wire.h"
#include "wire_child.h"

#define LIMIT_MS 60000

struct peer {
	int control; /* write a byte here: it ends with that status */
	int wire;
	pid_t pid;
	char program[64];
};

struct city {
	char dir[64];  /* programs, runtime directory and log in one */
	int accept_fd; /* where the keeper's children report */
	pid_t keeper;
	struct peer compositor;
	struct keeper_message message; /* of the last receive */
	int fds[KEEPER_FDS_MAX];
};

static const struct vat_uuid tile_uuid = {.bytes = {1, 2, 3}};
static const struct vat_uuid city_uuid = {.bytes = {9, 9, 9}};

static void await_readable(int fd) {
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int ready;
	do {
		ready = poll(&poll_fd, 1, LIMIT_MS);
	} while (ready < 0 && errno == EINTR);
	assert_int_equal(ready, 1);
}

static struct peer accept_peer(struct city *city) {
	await_readable(city->accept_fd);
	struct peer peer = {.control = accept4(city->accept_fd, NULL, NULL, SOCK_CLOEXEC)};
	assert_true(peer.control >= 0);
	struct wire_child_hello hello;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = &hello, .iov_len = sizeof(hello)};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	await_readable(peer.control);
	assert_int_equal(recvmsg(peer.control, &message, MSG_CMSG_CLOEXEC), sizeof(hello));
	memcpy(&peer.wire, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	peer.pid = hello.pid;
	memcpy(peer.program, hello.program, sizeof(peer.program));
	char closed;
	await_readable(peer.control);
	assert_int_equal(read(peer.control, &closed, 1), 1);
	return peer;
}

static void end_peer(struct peer *peer, unsigned char status) {
	assert_int_equal(write(peer->control, &status, 1), 1);
	close(peer->wire);
	close(peer->control);
	peer->wire = peer->control = -1;
}

/* Returns when it has ended. */
static void await_end(struct peer *peer) {
	char byte;
	await_readable(peer->control);
	assert_int_equal(read(peer->control, &byte, 1), 0);
}

static void copy_program(const char *from, const char *dir, const char *name) {
	char command[1024];
	snprintf(command, sizeof(command), "cp '%s' '%s/%s'", from, dir, name);
	assert_int_equal(system(command), 0);
}

/* log_fd -1: the city's log. */
static pid_t start_keeper(struct city *city, const char *const *args, int log_fd) {
	pid_t pid = fork();
	if (pid == 0) {
		char program[128], log[128];
		snprintf(program, sizeof(program), "%s/source-city", city->dir);
		snprintf(log, sizeof(log), "%s/log", city->dir);
		int fd = log_fd >= 0 ? log_fd : open(log, O_CREAT | O_APPEND | O_WRONLY, 0600);
		dup2(fd, 2);
		const char *argv[8] = {program};
		for (size_t i = 0; args != NULL && args[i] != NULL && i < 6; i++) {
			argv[i + 1] = args[i];
		}
		signal(SIGPIPE, SIG_DFL);
		execv(program, (char *const *)argv);
		_exit(125);
	}
	assert_true(pid > 0);
	return pid;
}

static int await_exit(pid_t pid) {
	int status;
	pid_t got;
	do {
		got = waitpid(pid, &status, 0);
	} while (got < 0 && errno == EINTR);
	assert_int_equal(got, pid);
	return status;
}

static bool log_has(const struct city *city, const char *text) {
	char path[128];
	static char log[65536];
	snprintf(path, sizeof(path), "%s/log", city->dir);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t size = fread(log, 1, sizeof(log) - 1, file);
	fclose(file);
	log[size] = '\0';
	return strstr(log, text) != NULL;
}

/* Receive the next message of the wire into city->message and city->fds. */
static void any_message(struct city *city, int wire) {
	keeper_wire_close(city->fds);
	await_readable(wire);
	assert_int_equal(keeper_wire_receive(wire, &city->message, city->fds), 1);
}

static struct keeper_message *next_message(struct city *city, int wire, uint32_t type) {
	any_message(city, wire);
	assert_int_equal(city->message.type, type);
	return &city->message;
}

static void send_message(int wire, struct keeper_message *message, const int *fds, size_t count) {
	assert_int_equal(keeper_wire_send(wire, message, fds, count), 0);
}

static struct keeper_message tile_message(uint32_t type, const char *name) {
	struct keeper_message message = {
		.type = type, .request = 7, .uuid = tile_uuid, .city = city_uuid};
	snprintf(message.name, sizeof(message.name), "%s", name);
	return message;
}

static void expect_hello(struct city *city) {
	next_message(city, city->compositor.wire, KEEPER_HELLO);
	assert_true(city->fds[0] >= 0);
}

static int setup(void **state) {
	struct city *city = calloc(1, sizeof(*city));
	assert_non_null(city);
	for (size_t i = 0; i < KEEPER_FDS_MAX; i++) {
		city->fds[i] = -1;
	}
	snprintf(city->dir, sizeof(city->dir), "/tmp/keeper-test-XXXXXX");
	assert_non_null(mkdtemp(city->dir));
	copy_program(KEEPER_PROGRAM, city->dir, "source-city");
	copy_program(CHILD_PROGRAM, city->dir, "source-city-compositor");
	copy_program(CHILD_PROGRAM, city->dir, "source-city-tile");
	copy_program(CHILD_PROGRAM, city->dir, "source-city-forge");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/test", city->dir);
	city->accept_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(city->accept_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(city->accept_fd, 16), 0);
	setenv("KEEPER_TEST_SOCKET", address.sun_path, 1);
	setenv("XDG_RUNTIME_DIR", city->dir, 1);
	char state_home[80];
	snprintf(state_home, sizeof(state_home), "%s/state", city->dir);
	setenv("XDG_STATE_HOME", state_home, 1);
	setenv("SHELL", "/bin/sh", 1);
	setenv("WAYLAND_SOCKET", "77", 1);
	city->keeper = start_keeper(city, NULL, -1);
	city->compositor = accept_peer(city);
	*state = city;
	return 0;
}

static int setup_stubborn(void **state) {
	setenv("KEEPER_TEST_STUBBORN", "1", 1);
	int result = setup(state);
	unsetenv("KEEPER_TEST_STUBBORN");
	return result;
}

static void remove_city(struct city *city) {
	keeper_wire_close(city->fds);
	close(city->accept_fd);
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", city->dir);
	assert_int_equal(system(command), 0);
	free(city);
}

static int teardown(void **state) {
	struct city *city = *state;
	if (city->keeper > 0) {
		kill(city->keeper, SIGTERM);
		assert_int_equal(await_exit(city->keeper), 0);
	}
	if (city->compositor.wire >= 0) {
		close(city->compositor.wire);
		close(city->compositor.control);
	}
	remove_city(city);
	return 0;
}

static void say_ready(struct city *city) {
	expect_hello(city);
	struct keeper_message ready = {.type = KEEPER_READY};
	send_message(city->compositor.wire, &ready, NULL, 0);
}

/* Says READY and takes the spare that the keeper then starts. */
static struct peer make_ready(struct city *city) {
	say_ready(city);
	return accept_peer(city);
}

static void open_region(struct city *city) {
	struct keeper_message open = tile_message(KEEPER_REGION_OPEN, "clock");
	send_message(city->compositor.wire, &open, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_REGION);
}

static void ask_spawn(struct city *city) {
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fds[] = {null, null};
	struct keeper_message spawn = tile_message(KEEPER_SPAWN, "clock");
	keeper_wire_add(&spawn, "abc");
	keeper_wire_add(&spawn, "colour=blue");
	send_message(city->compositor.wire, &spawn, fds, 2);
	close(null);
}

static uint64_t expect_spawned(struct city *city, struct peer *tile) {
	next_message(city, tile->wire, KEEPER_ASSUME);
	assert_true(city->fds[0] >= 0 && city->fds[1] >= 0 && city->fds[2] >= 0);
	size_t offset = 0;
	assert_string_equal(keeper_wire_next(&city->message, &offset), "abc");
	assert_string_equal(keeper_wire_next(&city->message, &offset), "colour=blue");
	assert_null(keeper_wire_next(&city->message, &offset));
	struct keeper_message *answer = next_message(city, city->compositor.wire, KEEPER_SPAWNED);
	assert_int_equal(answer->pid, tile->pid);
	assert_int_equal(answer->request, 7);
	return answer->instance;
}

/* Turns the spare into a tile; returns its instance. */
static uint64_t spawn_tile(struct city *city, struct peer *tile) {
	ask_spawn(city);
	return expect_spawned(city, tile);
}

static void forget_peer(struct peer *peer) {
	close(peer->wire);
	close(peer->control);
}

/* --- tests --- */

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

static void open_pty(struct city *city, struct peer *tile, const char *script) {
	struct keeper_message open = tile_message(KEEPER_PTY_OPEN, "pty");
	open.argc = 3;
	open.envc = 1;
	open.pty.columns = 91;
	open.pty.rows = 17;
	keeper_wire_add(&open, "/bin/sh");
	keeper_wire_add(&open, "-c");
	keeper_wire_add(&open, script);
	keeper_wire_add(&open, "CITY_TEST=yes");
	keeper_wire_add(&open, "");
	send_message(tile->wire, &open, NULL, 0);
	next_message(city, tile->wire, KEEPER_STREAM);
}

/* Reads until the text was seen. */
static void expect_output(int pty, const char *text) {
	char seen[4096] = "";
	size_t size = 0;
	while (strstr(seen, text) == NULL) {
		await_readable(pty);
		ssize_t got = read(pty, seen + size, sizeof(seen) - 1 - size);
		assert_true(got > 0);
		size += (size_t)got;
		seen[size] = '\0';
	}
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

static void ask_replacement(struct city *city, const char *path) {
	struct keeper_message replace = {.type = KEEPER_REPLACE, .request = 21};
	keeper_wire_add(&replace, path);
	send_message(city->compositor.wire, &replace, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.request, 21);
}

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
	/* A version of the wire that the children do not speak; see struct head in replace.c. */
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

/* --- checkpoints --- */

struct item {
	uint64_t value;
};
static const struct vat_field item_fields[] = {VAT_FIELD(1, U64, struct item, value)};
static const struct vat_cell_decl item_cells[] = {
	VAT_CELL("items", struct item, 4000, item_fields)};

static void handle_segv(int number, siginfo_t *info, void *context) {
	if (!vat_barrier_handle_fault(info->si_addr)) {
		signal(number, SIG_DFL);
	}
}

static struct item *items_of(const struct vat_region *region) {
	return vat_cell_data(region, vat_region_find(region, "items", NULL, 0));
}

static void fill_items(struct vat_region *region, uint64_t value) {
	for (int i = 0; i < 4000; i++) {
		items_of(region)[i].value = value;
	}
}

/* A tile of which the test is the host. */
struct saved_tile {
	struct peer peer, spare;
	uint64_t instance;
	struct vat_region *region;
	char file[256];
};

static void map_tile_region(struct city *city, struct saved_tile *tile) {
	struct vat_error err;
	if (vat_region_map(city->fds[0], VAT_WRITE, &tile->region, &err) < 0) {
		fail_msg("%s", err.text);
	}
}

static void begin_saved_tile(struct city *city, struct saved_tile *tile) {
	struct sigaction action = {.sa_sigaction = handle_segv, .sa_flags = SA_SIGINFO};
	sigfillset(&action.sa_mask);
	sigaction(SIGSEGV, &action, NULL);
	char uuid[VAT_UUID_TEXT];
	vat_uuid_format(&tile_uuid, uuid);
	snprintf(tile->file, sizeof(tile->file), "%s/state/source-city/regions/%s.vat", city->dir,
		uuid);
	tile->peer = make_ready(city);
	struct keeper_message every = {.type = KEEPER_CHECKPOINT_EVERY, .status = 0};
	send_message(city->compositor.wire, &every, NULL, 0);
	open_region(city);
	map_tile_region(city, tile);
	if (vat_region_cell_count(tile->region) == 0) {
		vat_region_adopt(tile->region, item_cells, 1, 0, NULL, NULL);
	}
	tile->instance = spawn_tile(city, &tile->peer);
	tile->spare = accept_peer(city);
}

static void finish_saved_tile(struct saved_tile *tile) {
	vat_region_unmap(tile->region);
	forget_peer(&tile->peer);
	forget_peer(&tile->spare);
	signal(SIGSEGV, SIG_DFL);
}

static void say_changed(const struct saved_tile *tile, bool settled) {
	struct keeper_message changed = {.type = KEEPER_CHANGED, .status = settled};
	send_message(tile->peer.wire, &changed, NULL, 0);
}

static void ask_checkpoint(struct city *city) {
	struct keeper_message ask = {.type = KEEPER_CHECKPOINT, .request = 9, .uuid = tile_uuid};
	send_message(city->compositor.wire, &ask, NULL, 0);
}

static void answer_track(const struct saved_tile *tile, int status, const char *why) {
	struct keeper_message answer = {.type = KEEPER_TRACKED, .status = status, .size = 1234};
	keeper_wire_add(&answer, why);
	send_message(tile->peer.wire, &answer, NULL, 0);
}

static void arm(struct city *city, struct saved_tile *tile) {
	struct vat_error err;
	next_message(city, tile->peer.wire, KEEPER_TRACK);
	if (vat_barrier_begin(
		    tile->region, city->fds[0], vat_region_generation(tile->region), &err) < 0) {
		fail_msg("%s", err.text);
	}
}

/* What is in the file: all items have this value. */
static uint64_t value_in_file(const struct saved_tile *tile) {
	struct vat_error err;
	int file = open(tile->file, O_RDONLY | O_CLOEXEC);
	assert_true(file >= 0);
	int fd = vat_file_load(file, &err);
	struct vat_region *copy;
	if (fd < 0 || vat_region_map(fd, VAT_READ, &copy, &err) < 0) {
		fail_msg("%s", err.text);
	}
	uint64_t value = items_of(copy)[0].value;
	for (int i = 0; i < 4000; i++) {
		assert_int_equal(items_of(copy)[i].value, value);
	}
	vat_region_unmap(copy);
	close(fd);
	close(file);
	return value;
}

static void expect_checkpoint(struct city *city, const struct saved_tile *tile) {
	struct stat st;
	const struct keeper_message *answer =
		next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(answer->request, 9);
	if (answer->status != 0) {
		fail_msg("%s", answer->text);
	}
	assert_string_equal(answer->text, tile->file);
	assert_int_equal(stat(tile->file, &st), 0);
	assert_int_equal(answer->size, st.st_size);
}

/* The state of the moment in which the barrier went up, whatever is written after. */
static void test_checkpoint_of_a_moment(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 5);
	say_changed(&tile, false);
	ask_checkpoint(city);
	arm(city, &tile);
	fill_items(tile.region, 6);
	answer_track(&tile, 0, "");
	expect_checkpoint(city, &tile);
	assert_int_equal(city->message.instance, 1234);
	assert_int_equal(value_in_file(&tile), 5);
	next_message(city, tile.peer.wire, KEEPER_TRACK_END);
	vat_barrier_end(tile.region, NULL);

	/* Nothing has changed since, as far as was said: nobody is asked. Then it has. */
	ask_checkpoint(city);
	expect_checkpoint(city, &tile);
	say_changed(&tile, false);
	ask_checkpoint(city);
	arm(city, &tile);
	answer_track(&tile, 0, "");
	expect_checkpoint(city, &tile);
	assert_int_equal(value_in_file(&tile), 6);
	next_message(city, tile.peer.wire, KEEPER_TRACK_END);
	vat_barrier_end(tile.region, NULL);
	finish_saved_tile(&tile);
}

/* By time, and after a probation; refused, overtaken by a handover, and tried again. */
static void test_checkpoint_without_being_asked(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 1);
	say_changed(&tile, true);
	next_message(city, tile.peer.wire, KEEPER_TRACK);
	answer_track(&tile, EBUSY, "it is on probation");
	arm(city, &tile);
	vat_barrier_end(tile.region, NULL);
	fill_items(tile.region, 2);
	answer_track(&tile, 0, "");
	next_message(city, tile.peer.wire, KEEPER_TRACK_END);
	assert_int_equal(access(tile.file, F_OK), -1);
	arm(city, &tile);
	fill_items(tile.region, 3);
	answer_track(&tile, 0, "");
	next_message(city, tile.peer.wire, KEEPER_TRACK_END);
	assert_int_equal(value_in_file(&tile), 2);
	vat_barrier_end(tile.region, NULL);
	say_changed(&tile, false);
	struct keeper_message every = {.type = KEEPER_CHECKPOINT_EVERY, .status = 1};
	send_message(city->compositor.wire, &every, NULL, 0);
	arm(city, &tile);
	answer_track(&tile, 0, "");
	next_message(city, tile.peer.wire, KEEPER_TRACK_END);
	assert_int_equal(value_in_file(&tile), 3);
	vat_barrier_end(tile.region, NULL);
	finish_saved_tile(&tile);
}

/* A tile that is asked and dies, and one that has no process any more. */
static void test_checkpoint_of_a_dead_tile(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 8);
	say_changed(&tile, false);
	ask_checkpoint(city);
	next_message(city, tile.peer.wire, KEEPER_TRACK);
	end_peer(&tile.peer, 3);
	next_message(city, city->compositor.wire, KEEPER_EXITED);
	expect_checkpoint(city, &tile);
	assert_int_equal(value_in_file(&tile), 8);
	vat_region_unmap(tile.region);
	forget_peer(&tile.spare);
}

static void restart_keeper(struct city *city) {
	forget_peer(&city->compositor);
	city->keeper = start_keeper(city, NULL, -1);
	city->compositor = accept_peer(city);
}

/* The end of the city saves what was said to have changed, and the next one has it. */
static void test_state_comes_back(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	assert_int_equal(city->message.status, 0);
	fill_items(tile.region, 11);
	say_changed(&tile, false);
	kill(city->keeper, SIGTERM);
	assert_int_equal(await_exit(city->keeper), 0);
	assert_int_equal(value_in_file(&tile), 11);
	finish_saved_tile(&tile);

	restart_keeper(city);
	tile.peer = make_ready(city);
	open_region(city);
	assert_int_equal(city->message.status, 2);
	map_tile_region(city, &tile);
	assert_int_equal(items_of(tile.region)[3999].value, 11);
	/* Nothing has changed: the file is as it was after this as well. */
	vat_region_unmap(tile.region);
	forget_peer(&tile.peer);
	kill(city->keeper, SIGKILL);
	await_exit(city->keeper);

	/* Damaged: kept, said, and begun anew. */
	int file = open(tile.file, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(file, "xxxx", 4, 9000), 4);
	close(file);
	restart_keeper(city);
	tile.peer = make_ready(city);
	open_region(city);
	assert_int_equal(city->message.status, 1);
	assert_non_null(strstr(city->message.text, ".vat.damaged-1"));
	char aside[300];
	snprintf(aside, sizeof(aside), "%s.damaged-1", tile.file);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(access(tile.file, F_OK), -1);
	assert_true(log_has(city, "starts anew"));
	forget_peer(&tile.peer);
}

/* What was to be saved is saved by the keeper that takes over, also if one was at it. */
static void test_checkpoint_and_replacement(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 31);
	say_changed(&tile, false);
	ask_checkpoint(city);
	arm(city, &tile);
	struct keeper_message replace = {.type = KEEPER_REPLACE, .request = 21};
	send_message(city->compositor.wire, &replace, NULL, 0);
	/* Whoever waits is told, and asks again. */
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.request, 9);
	assert_int_equal(city->message.status, EAGAIN);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.request, 21);
	assert_int_equal(city->message.status, 0);
	vat_barrier_end(tile.region, NULL);
	ask_checkpoint(city);
	arm(city, &tile);
	answer_track(&tile, 0, "");
	expect_checkpoint(city, &tile);
	assert_int_equal(value_in_file(&tile), 31);
	next_message(city, tile.peer.wire, KEEPER_TRACK_END);
	vat_barrier_end(tile.region, NULL);
	/* And nothing is, where nothing has changed. */
	ask_replacement(city, "");
	ask_checkpoint(city);
	expect_checkpoint(city, &tile);
	finish_saved_tile(&tile);
}

/* A tile that is closed leaves nothing on disk. */
static void test_drop_removes_the_file(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 1);
	say_changed(&tile, false);
	ask_checkpoint(city);
	arm(city, &tile);
	answer_track(&tile, 0, "");
	expect_checkpoint(city, &tile);
	assert_int_equal(access(tile.file, F_OK), 0);
	struct keeper_message drop = {.type = KEEPER_REGION_DROP, .request = 7, .uuid = tile_uuid};
	send_message(city->compositor.wire, &drop, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(access(tile.file, F_OK), -1);
	vat_barrier_end(tile.region, NULL);
	finish_saved_tile(&tile);
}

/* The folder is gone: said once, told to whoever asks, and it works again when it can. */
static void test_checkpoint_without_a_folder(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 4);
	char command[400], folder[128];
	snprintf(folder, sizeof(folder), "%s/state/source-city/regions", city->dir);
	snprintf(command, sizeof(command), "rm -r '%s' && touch '%s'", folder, folder);
	assert_int_equal(system(command), 0);
	say_changed(&tile, false);
	ask_checkpoint(city);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.request, 9);
	assert_int_not_equal(city->message.status, 0);
	assert_non_null(strstr(city->message.text, folder));
	assert_true(log_has(city, folder));
	assert_int_equal(unlink(folder), 0);
	ask_checkpoint(city);
	arm(city, &tile);
	answer_track(&tile, 0, "");
	expect_checkpoint(city, &tile);
	assert_int_equal(value_in_file(&tile), 4);
	vat_barrier_end(tile.region, NULL);
	finish_saved_tile(&tile);
}

/* Another city with the same state folder leaves what is there alone. */
static void test_second_city_saves_nothing(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 21);
	say_changed(&tile, false);
	ask_checkpoint(city);
	arm(city, &tile);
	answer_track(&tile, 0, "");
	expect_checkpoint(city, &tile);
	vat_barrier_end(tile.region, NULL);

	struct city second = *city;
	for (size_t i = 0; i < KEEPER_FDS_MAX; i++) {
		second.fds[i] = -1;
	}
	second.keeper = start_keeper(&second, NULL, -1);
	second.compositor = accept_peer(&second);
	struct peer spare = make_ready(&second);
	open_region(&second);
	assert_int_equal(second.message.status, 1);
	ask_checkpoint(&second);
	next_message(&second, second.compositor.wire, KEEPER_RESULT);
	assert_int_not_equal(second.message.status, 0);
	kill(second.keeper, SIGTERM);
	assert_int_equal(await_exit(second.keeper), 0);
	assert_int_equal(value_in_file(&tile), 21);
	keeper_wire_close(second.fds);
	forget_peer(&spare);
	forget_peer(&second.compositor);
	finish_saved_tile(&tile);
}

int main(void) {
	signal(SIGPIPE, SIG_IGN);
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_hello_gives_a_listening_socket),
		TEST(test_region_outlives_the_compositor),
		TEST(test_tile_end_is_told),
		TEST(test_tiles_outlive_the_compositor),
		TEST(test_keeper_is_replaced),
		TEST(test_nothing_is_lost_in_a_replacement),
		TEST(test_unfit_keepers_are_refused),
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
		TEST(test_second_city_is_refused),
		TEST(test_runtime_dir_is_missing),
		TEST(test_stale_socket_is_taken_over),
		TEST(test_compositor_that_never_starts),
		TEST(test_crash_loop_ends),
		TEST(test_restart_when_asked),
		TEST(test_compositor_that_crashes_at_its_start),
		TEST(test_term_leaves_nothing_behind),
		TEST(test_checkpoint_of_a_moment),
		TEST(test_checkpoint_without_being_asked),
		TEST(test_checkpoint_of_a_dead_tile),
		TEST(test_state_comes_back),
		TEST(test_drop_removes_the_file),
		TEST(test_checkpoint_and_replacement),
		TEST(test_checkpoint_without_a_folder),
		TEST(test_second_city_saves_nothing),
		cmocka_unit_test_setup_teardown(
			test_nothing_starts_at_the_end, setup_stubborn, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

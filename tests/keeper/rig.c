/* SPDX-License-Identifier: MIT */
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

const struct vat_uuid tile_uuid = {.bytes = {1, 2, 3}};
const struct vat_uuid city_uuid = {.bytes = {9, 9, 9}};

void await_readable(int fd) {
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int ready;
	do {
		ready = poll(&poll_fd, 1, LIMIT_MS);
	} while (ready < 0 && errno == EINTR);
	assert_int_equal(ready, 1);
}

struct peer accept_peer(struct city *city) {
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

void end_peer(struct peer *peer, unsigned char status) {
	assert_int_equal(write(peer->control, &status, 1), 1);
	close(peer->wire);
	close(peer->control);
	peer->wire = peer->control = -1;
}

void await_end(struct peer *peer) {
	char byte;
	await_readable(peer->control);
	assert_int_equal(read(peer->control, &byte, 1), 0);
}

void copy_program(const char *from, const char *dir, const char *name) {
	char command[1024];
	snprintf(command, sizeof(command), "cp '%s' '%s/%s'", from, dir, name);
	assert_int_equal(system(command), 0);
}

pid_t start_keeper(struct city *city, const char *const *args, int log_fd) {
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

int await_exit(pid_t pid) {
	int status;
	pid_t got;
	do {
		got = waitpid(pid, &status, 0);
	} while (got < 0 && errno == EINTR);
	assert_int_equal(got, pid);
	return status;
}

int log_count(const struct city *city, const char *text) {
	char path[128];
	static char log[65536];
	snprintf(path, sizeof(path), "%s/log", city->dir);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t size = fread(log, 1, sizeof(log) - 1, file);
	fclose(file);
	log[size] = '\0';
	int count = 0;
	for (const char *at = log; (at = strstr(at, text)) != NULL; at++) {
		count++;
	}
	return count;
}

bool log_has(const struct city *city, const char *text) {
	return log_count(city, text) > 0;
}

void any_message(struct city *city, int wire) {
	keeper_wire_close(city->fds);
	await_readable(wire);
	assert_int_equal(keeper_wire_receive(wire, &city->message, city->fds), 1);
}

struct keeper_message *next_message(struct city *city, int wire, uint32_t type) {
	any_message(city, wire);
	assert_int_equal(city->message.type, type);
	return &city->message;
}

void send_message(int wire, struct keeper_message *message, const int *fds, size_t count) {
	assert_int_equal(keeper_wire_send(wire, message, fds, count), 0);
}

struct keeper_message tile_message(uint32_t type, const char *name) {
	struct keeper_message message = {
		.type = type, .request = 7, .uuid = tile_uuid, .city = city_uuid};
	snprintf(message.name, sizeof(message.name), "%s", name);
	return message;
}

void expect_hello(struct city *city) {
	next_message(city, city->compositor.wire, KEEPER_HELLO);
	assert_true(city->fds[0] >= 0);
}

static bool with_audio;

int rig_setup_audio(void **state) {
	with_audio = true;
	int result = rig_setup(state);
	with_audio = false;
	return result;
}

int rig_setup(void **state) {
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
	if (with_audio) {
		copy_program(CHILD_PROGRAM, city->dir, "source-city-audio");
	}
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

int rig_setup_stubborn(void **state) {
	setenv("KEEPER_TEST_STUBBORN", "1", 1);
	int result = rig_setup(state);
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

int rig_teardown(void **state) {
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

void say_ready(struct city *city) {
	expect_hello(city);
	struct keeper_message ready = {.type = KEEPER_READY};
	send_message(city->compositor.wire, &ready, NULL, 0);
}

struct peer make_ready(struct city *city) {
	say_ready(city);
	return accept_peer(city);
}

struct peer make_ready_audio(struct city *city, struct peer *audio) {
	struct peer spare = make_ready(city);
	*audio = accept_peer(city);
	if (strcmp(spare.program, "source-city-audio") == 0) {
		struct peer swap = spare;
		spare = *audio;
		*audio = swap;
	}
	assert_string_equal(audio->program, "source-city-audio");
	next_message(city, city->compositor.wire, KEEPER_AUDIO_STATE);
	assert_int_equal(city->message.status, 1);
	next_message(city, audio->wire, KEEPER_AUDIO);
	return spare;
}

void open_region(struct city *city) {
	struct keeper_message open = tile_message(KEEPER_REGION_OPEN, "clock");
	send_message(city->compositor.wire, &open, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_REGION);
}

void ask_spawn(struct city *city) {
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

uint64_t spawn_tile(struct city *city, struct peer *tile) {
	ask_spawn(city);
	return expect_spawned(city, tile);
}

void forget_peer(struct peer *peer) {
	close(peer->wire);
	close(peer->control);
}

void open_pty(struct city *city, struct peer *tile, const char *script) {
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

void expect_output(int pty, const char *text) {
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

void ask_replacement(struct city *city, const char *path) {
	struct keeper_message replace = {.type = KEEPER_REPLACE, .request = 21};
	keeper_wire_add(&replace, path);
	send_message(city->compositor.wire, &replace, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.request, 21);
}

/* SPDX-License-Identifier: MIT */
/* When an audio process that ends is started again: at once, later and later, and not at all; and
 * what happens where there are no descriptors left. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper/keeper.h"

static struct keeper city(char *dir) {
	struct keeper keeper = {
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.audio_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
		.desk = -1,
		.disk = KEEPER_DISK_NONE,
		.program_dir = dir,
		.ready = true,
		.witness = -1,
	};
	assert_int_equal(keeper_transport_open(&keeper), 0);
	return keeper;
}

static void finish(struct keeper *keeper) {
	close(keeper->epoll);
	close(keeper->audio_timer);
	close(keeper->transport);
	close(keeper->transport_seen);
}

/* One that ran for so long has ended; there is no other program to start. */
static void end_one(struct keeper *keeper, uint64_t ran_ns) {
	struct keeper_child *child = keeper_child_add(keeper, KEEPER_CHILD_AUDIO, 0x7fffffff, -1);
	assert_non_null(child);
	strcpy(child->name, "source-city-audio");
	child->start_ns = keeper_now() - ran_ns;
	keeper->audio = child;
	keeper_audio_ended(keeper, child, "was ended by the test");
	keeper_child_remove(keeper, child);
	assert_null(keeper->audio);
}

static void test_later_and_later(void **state) {
	char dir[] = "/nonexistent";
	struct keeper keeper = city(dir);
	static const int seconds[] = {0, 1, 2, 4, 8, 16, 32, 32, 32, -1, -1};
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		end_one(&keeper, 0);
		assert_int_equal(keeper.audio_planned_s, seconds[i] > 0 ? seconds[i] : 0);
		/* The timer comes, and finds nothing to start. */
		struct itimerspec now = {.it_value.tv_nsec = 1};
		timerfd_settime(keeper.audio_timer, 0, &now, NULL);
		uint64_t wait_ns = keeper_now() + 60000000000ull;
		while (keeper.audio_planned_s > 0 && keeper_now() < wait_ns) {
			keeper_audio_handle_timer(&keeper);
		}
		assert_int_equal(keeper.audio_planned_s, 0);
	}
	assert_true(keeper.audio_missing);
	/* One that ran for a while is another matter. */
	end_one(&keeper, 11 * 1000000000ull);
	assert_int_equal(keeper.audio_failures, 0);
	assert_int_equal(keeper.audio_planned_s, 0);
	finish(&keeper);
}

/* Given up by itself, but not by somebody who asks. */
static void test_asked_for(void **state) {
	char dir[] = "/tmp/keeper-audio-XXXXXX";
	assert_non_null(mkdtemp(dir));
	char program[64];
	snprintf(program, sizeof(program), "%s/source-city-audio", dir);
	assert_int_equal(symlink("/bin/cat", program), 0);
	struct keeper keeper = city(dir);
	keeper.ready = false;
	keeper_audio_start(&keeper, true);
	assert_null(keeper.audio);
	keeper.ready = true;
	keeper.audio_failures = 100;
	keeper_audio_start(&keeper, false);
	assert_null(keeper.audio);
	keeper.quitting = true;
	keeper_audio_start(&keeper, true);
	assert_null(keeper.audio);
	keeper.quitting = false;
	struct vat_error err;
	int connection = keeper_audio_connect(&keeper, "", &err);
	assert_true(connection >= 0);
	close(connection);
	assert_non_null(keeper.audio);
	struct keeper_child *audio = keeper.audio;
	keeper_audio_start(&keeper, true);
	assert_ptr_equal(keeper.audio, audio);
	assert_int_equal(kill(audio->pid, SIGKILL), 0);
	assert_int_equal(waitpid(audio->pid, NULL, 0), audio->pid);
	keeper.quitting = true;
	keeper_audio_ended(&keeper, audio, "was ended by the test");
	keeper_child_remove(&keeper, audio);
	assert_null(keeper.children);
	finish(&keeper);
	unlink(program);
	rmdir(dir);
}

/* The timer comes now. */
static void tick(struct keeper *keeper) {
	struct itimerspec when = {.it_value.tv_nsec = 1};
	struct pollfd fd = {.fd = keeper->audio_timer, .events = POLLIN};
	timerfd_settime(keeper->audio_timer, 0, &when, NULL);
	assert_int_equal(poll(&fd, 1, 60000), 1);
	keeper_audio_handle_timer(keeper);
}

static bool timer_is_set(const struct keeper *keeper) {
	struct itimerspec when;
	assert_int_equal(timerfd_gettime(keeper->audio_timer, &when), 0);
	return when.it_value.tv_sec > 0 || when.it_value.tv_nsec > 0;
}

static bool was_asked(int wire) {
	static struct keeper_message message;
	int fds[KEEPER_FDS_MAX];
	while (keeper_wire_receive(wire, &message, fds) == 1) {
		keeper_wire_close(fds);
		if (message.type == KEEPER_AUDIO_LOOK) {
			return true;
		}
	}
	return false;
}

/* While there are rings it has to answer; one that does not is ended after a while, not at once. */
static void test_looked_at(void **state) {
	char dir[] = "/nonexistent";
	struct keeper keeper = city(dir);
	int wires[2];
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, wires), 0);
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	struct keeper_child *audio = keeper_child_add(&keeper, KEEPER_CHILD_AUDIO, pid, wires[0]);
	keeper.audio = audio;
	/* Who never said that it answers is not asked; nor is anybody where nothing sounds. */
	struct keeper_child tile = {.uuid = {{1}}, .instance = 1, .name = "tile"};
	struct vat_error err;
	assert_non_null(keeper_audio_ring(&keeper, &tile, "out", 2, &err));
	assert_false(timer_is_set(&keeper));
	keeper_stream_remove(&keeper, keeper.streams);
	keeper_audio_here(&keeper, audio);
	assert_false(timer_is_set(&keeper));
	assert_non_null(keeper_audio_ring(&keeper, &tile, "out", 2, &err));
	for (int i = 0; i < 50; i++) {
		assert_true(timer_is_set(&keeper));
		tick(&keeper);
		assert_true(was_asked(wires[1]));
		if (i % 9 == 0) {
			keeper_audio_here(&keeper, audio);
		}
	}
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	keeper_audio_here(&keeper, audio);
	for (int i = 0; i < 10; i++) {
		tick(&keeper);
		assert_true(was_asked(wires[1]));
	}
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	tick(&keeper);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* Without a ring nobody is woken. */
	keeper_audio_here(&keeper, audio);
	keeper_stream_remove(&keeper, keeper.streams);
	tick(&keeper);
	assert_false(was_asked(wires[1]) || timer_is_set(&keeper));
	keeper_child_remove(&keeper, audio);
	close(wires[1]);
	finish(&keeper);
}

static int open_fds(int *highest) {
	int count = 0;
	for (int fd = 0; fd < 1000; fd++) {
		if (fcntl(fd, F_GETFD) >= 0) {
			count++;
			*highest = fd;
		}
	}
	return count;
}

/* Whatever is the first that cannot be had: that is said, and nothing is left of the rest. */
static void test_no_descriptors(void **state) {
	char dir[] = "/nonexistent";
	struct keeper keeper = city(dir);
	int wires[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wires), 0);
	keeper.audio = keeper_child_add(&keeper, KEEPER_CHILD_AUDIO, 0x7fffffff, wires[0]);
	struct keeper_child tile = {.uuid = {{1}}, .instance = 1, .name = "tile"};
	struct rlimit files;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	const rlim_t before = files.rlim_cur;
	int highest = 0, refused_rings = 0, refused_connections = 0, refused_pages = 0;
	open_fds(&highest);
	/* No gaps, so that the limit is what is left. */
	while (fcntl(wires[0], F_DUPFD_CLOEXEC, 0) < highest) {
	}
	const int count = open_fds(&highest);
	for (int room = 0; room < 4; room++) {
		files.rlim_cur = (rlim_t)highest + 1 + (rlim_t)room;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
		struct vat_error err = {0};
		struct keeper_stream *ring = keeper_audio_ring(&keeper, &tile, "out", 2, &err);
		if (ring != NULL) {
			keeper_stream_remove(&keeper, ring);
		} else {
			assert_int_equal(errno, EMFILE);
			assert_true(err.text[0] != '\0');
			refused_rings++;
		}
		err.text[0] = '\0';
		int connection = keeper_audio_connect(&keeper, "", &err);
		if (connection >= 0) {
			close(connection);
		} else {
			assert_int_equal(connection, -EMFILE);
			assert_true(err.text[0] != '\0');
			refused_connections++;
		}
		struct keeper other = {.transport = -1, .transport_seen = -1};
		if (keeper_transport_open(&other) < 0) {
			refused_pages++;
		}
		const int fds[] = {other.transport, other.transport_seen};
		for (int i = 0; i < 2; i++) {
			if (fds[i] >= 0) {
				close(fds[i]);
			}
		}
		/* What is on its way to the audio process is not counted. */
		struct keeper_message message;
		int gifts[KEEPER_FDS_MAX];
		files.rlim_cur = before;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
		fcntl(wires[1], F_SETFL, O_NONBLOCK);
		while (keeper_wire_receive(wires[1], &message, gifts) > 0) {
			keeper_wire_close(gifts);
		}
		assert_int_equal(open_fds(&highest), count);
	}
	assert_int_equal(refused_rings, 2);
	assert_int_equal(refused_connections, 2);
	assert_int_equal(refused_pages, 2);
	keeper_child_remove(&keeper, keeper.audio);
	close(wires[1]);
	finish(&keeper);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_later_and_later),
		cmocka_unit_test(test_asked_for),
		cmocka_unit_test(test_looked_at),
		cmocka_unit_test(test_no_descriptors),
	};
	return cmocka_run_group_tests_name("audio restart", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The keeper of the fake city: streams, rings, and what goes over a version's wire. */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"
#include "fake_internal.h"
#include "keeper/wire.h"

static struct fake_stream *find_stream(struct fake_city *city, const char *name) {
	for (size_t i = 0; i < city->stream_count; i++) {
		if (strcmp(city->streams[i].name, name) == 0) {
			return &city->streams[i];
		}
	}
	return NULL;
}

struct fake_stream *fake_stream(struct fake_city *city, const char *name) {
	struct fake_stream *stream = find_stream(city, name);
	assert_non_null(stream);
	return stream;
}

static struct fake_stream *add_stream(struct fake_city *city, const char *name, int fd, pid_t pid) {
	assert_true(city->stream_count < 8);
	struct fake_stream *stream = &city->streams[city->stream_count++];
	snprintf(stream->name, sizeof(stream->name), "%s", name);
	stream->fd = fd;
	stream->pid = pid;
	return stream;
}

static struct fake_stream *open_pty(struct fake_city *city, struct keeper_message *request) {
	char *argv[16] = {0};
	size_t offset = 0;
	assert_true(request->argc >= 1 && request->argc <= 15);
	for (size_t i = 0; i < request->argc; i++) {
		argv[i] = (char *)keeper_wire_next(request, &offset);
	}
	int master;
	pid_t pid = forkpty(&master, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (pid == 0) {
		/* As the keeper does it: whoever runs this may ignore hangups, its jobs must not.
		 */
		signal(SIGHUP, SIG_DFL);
		execv(argv[0], argv);
		_exit(127);
	}
	fcntl(master, F_SETFD, FD_CLOEXEC);
	return add_stream(city, request->name, master, pid);
}

static struct fake_ring *find_ring(struct fake_city *city, const char *name) {
	for (size_t i = 0; i < city->ring_count; i++) {
		if (strcmp(city->rings[i].name, name) == 0) {
			return &city->rings[i];
		}
	}
	return NULL;
}

static struct fake_ring *open_ring(struct fake_city *city, const char *name, uint32_t channels) {
	struct fake_ring *ring = find_ring(city, name);
	if (ring) {
		return ring;
	}
	assert_true(city->ring_count < 4);
	ring = &city->rings[city->ring_count++];
	snprintf(ring->name, sizeof(ring->name), "%s", name);
	ring->fd = ring_create(channels, NULL);
	ring->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(ring->fd >= 0 && ring->wake_fd >= 0);
	assert_int_equal(ring_map(&ring->ring, ring->fd, true, NULL), 0);
	return ring;
}

struct fake_ring *fake_ring(struct fake_city *city, const char *name, uint32_t want) {
	struct fake_ring *ring = find_ring(city, name);
	assert_non_null(ring);
	ring_want(&ring->ring, want);
	return ring;
}

void fake_pull(struct fake_city *city, struct fake_ring *ring, uint32_t frames, float left[],
	float right[]) {
	float *const out[RING_CHANNELS_MAX] = {left, right};
	uint64_t limit = 0;
	while (ring_ready(&ring->ring, ring->position) < frames && fake_time_left(&limit)) {
		if (ring_should_wake(&ring->ring)) {
			eventfd_write(ring->wake_fd, 1);
		}
		fake_dispatch(city, 0);
		ring_wait(&ring->ring, ring->position, frames, 1000000);
	}
	assert_int_equal(ring_read(&ring->ring, ring->position, frames, out), 0);
	ring->position += frames;
	if (ring_should_wake(&ring->ring)) {
		eventfd_write(ring->wake_fd, 1);
	}
}

/* Sends what only messages of sound have. False: it is another one. */
static bool answer_sound(
	struct fake_version *version, const struct keeper_message *message, int fd) {
	static struct keeper_message answer;
	struct fake_city *city = version->city;
	answer = (struct keeper_message){.type = KEEPER_STREAM, .request = message->request};
	memcpy(answer.name, message->name, sizeof(answer.name));
	if (message->type == KEEPER_RING_OPEN) {
		const struct fake_ring *ring =
			open_ring(city, message->name, (uint32_t)message->size);
		const int fds[] = {ring->fd, ring->wake_fd};
		assert_int_equal(keeper_wire_send(fd, &answer, fds, 2), 0);
		return true;
	}
	if (message->type != KEEPER_AUDIO_OPEN) {
		return false;
	}
	if (city->no_audio) {
		answer.type = KEEPER_RESULT;
		answer.status = EAGAIN;
		assert_int_equal(keeper_wire_send(fd, &answer, NULL, 0), 0);
		return true;
	}
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	if (city->audio_fd >= 0) {
		close(city->audio_fd);
	}
	city->audio_fd = pair[0];
	assert_int_equal(keeper_wire_send(fd, &answer, &pair[1], 1), 0);
	close(pair[1]);
	return true;
}

int fake_handle_keeper(int fd, uint32_t mask, void *data) {
	struct fake_version *version = data;
	static struct keeper_message message, answer;
	int fds[KEEPER_FDS_MAX];
	if (keeper_wire_receive(fd, &message, fds) <= 0) {
		wl_event_source_remove(version->keeper_source);
		version->keeper_source = NULL;
		return 0;
	}
	if (message.type == KEEPER_TROUBLE) {
		memcpy(version->trouble, message.name, sizeof(version->trouble));
		version->trouble_status = message.status;
		return 0;
	}
	if (message.type == KEEPER_CHANGED) {
		version->changes++;
		version->settled_change = message.status == 1;
		return 0;
	}
	if (message.type == KEEPER_TRACKED) {
		version->tracked = true;
		version->track_status = message.status;
		return 0;
	}
	if (answer_sound(version, &message, fd)) {
		return 0;
	}
	if (message.type == KEEPER_STREAM_CLAIM) {
		version->city->claims++;
		if (version->city->hold_claims) {
			version->held_claim = message.request;
			memcpy(version->held_name, message.name, sizeof(version->held_name));
			return 0;
		}
	}
	memset(&answer, 0, sizeof(answer));
	answer.type = KEEPER_RESULT;
	answer.request = message.request;
	memcpy(answer.name, message.name, sizeof(answer.name));
	struct fake_stream *stream = find_stream(version->city, message.name);
	if (message.type == KEEPER_STREAM_PUT) {
		add_stream(version->city, message.name, fds[0], 0);
	} else if (message.type == KEEPER_STREAM_LIST) {
		for (size_t i = 0; i < version->city->stream_count; i++) {
			keeper_wire_add(&answer, version->city->streams[i].name);
		}
	} else if (message.type == KEEPER_STREAM_CLAIM || message.type == KEEPER_PTY_OPEN) {
		if (message.type == KEEPER_PTY_OPEN) {
			stream = open_pty(version->city, &message);
		}
		answer.type = stream ? KEEPER_STREAM : KEEPER_RESULT;
		answer.status = stream ? 0 : ENOENT;
		answer.pid = stream ? stream->pid : 0;
	}
	bool gives = answer.type == KEEPER_STREAM;
	assert_int_equal(keeper_wire_send(fd, &answer, gives ? &stream->fd : NULL, gives), 0);
	return 0;
}

void fake_send_claimed(struct fake_version *version) {
	const struct fake_stream *stream = find_stream(version->city, version->held_name);
	static struct keeper_message answer;
	answer = (struct keeper_message){
		.type = stream ? KEEPER_STREAM : KEEPER_RESULT,
		.request = version->held_claim,
		.status = stream ? 0 : ENOENT,
		.pid = stream ? stream->pid : 0,
	};
	int fd = stream ? stream->fd : -1;
	assert_int_equal(keeper_wire_send(version->keeper_fd, &answer, &fd, stream != NULL), 0);
}

void fake_send_track(struct fake_version *version, int undo_fd) {
	struct keeper_message request = {.type = KEEPER_TRACK};
	version->tracked = false;
	assert_int_equal(keeper_wire_send(version->keeper_fd, &request, &undo_fd, 1), 0);
}

void fake_send_track_end(struct fake_version *version) {
	struct keeper_message event = {.type = KEEPER_TRACK_END};
	assert_int_equal(keeper_wire_send(version->keeper_fd, &event, NULL, 0), 0);
}

void fake_send_stream_ended(struct fake_version *version, const char *name, int status) {
	struct keeper_message event = {.type = KEEPER_STREAM_ENDED, .status = status};
	snprintf(event.name, sizeof(event.name), "%s", name);
	assert_int_equal(keeper_wire_send(version->keeper_fd, &event, NULL, 0), 0);
}

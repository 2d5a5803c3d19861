/* SPDX-License-Identifier: MIT */
/* What the keeper reads: messages of a tile or of the audio process, any number of them, of any
 * bytes and with descriptors; and the state that another keeper has left. The first byte chooses.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "keeper/keeper.h"

#define NOBODY 0x7fffffff /* a process that there is not */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	/* What is said of each message without sense is no part of this. */
	setenv("SOURCE_CITY_LOG", "error", 1);
	setenv("XDG_STATE_HOME", "/proc/nowhere", 1);
	/* Where the check of a state gives its answer. */
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return dup2(null, STDOUT_FILENO) < 0;
}

static void take_state(const uint8_t *data, size_t size) {
	int fd = memfd_create("state", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		abort();
	}
	keeper_replace_check(fd, "/proc/nowhere");
	close(fd);
}

/* These start processes, which is tested elsewhere. */
static bool is_harmless(const uint8_t *bytes, size_t size) {
	uint32_t type = 0;
	if (size >= 8) {
		memcpy(&type, bytes + 4, sizeof(type));
	}
	return type != KEEPER_PTY_OPEN;
}

/* A message: two bytes of size, one of how many descriptors, one of what to fill in. */
static size_t send_one(int wire, const uint8_t *data, size_t size) {
	static uint8_t bytes[sizeof(struct keeper_message) + 64];
	const size_t wanted = (size_t)(data[0] | data[1] << 8) % sizeof(bytes), rest = size - 4;
	const size_t given = wanted < rest ? wanted : rest;
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, data + 4, given);
	size_t length = given;
	if (data[3] & 1) { /* whole, as a child of the city would send it */
		struct keeper_message message;
		memcpy(&message, bytes, sizeof(message));
		message.version = KEEPER_WIRE_VERSION;
		message.type %= KEEPER_AUDIO_STATE + 2;
		message.text_size %= 300;
		message.name[sizeof(message.name) - 1] = '\0';
		if (message.text_size > 0) {
			message.text[message.text_size - 1] = '\0';
		}
		memcpy(bytes, &message, sizeof(message));
		length = KEEPER_MESSAGE_HEAD + message.text_size;
	}
	if (!is_harmless(bytes, length)) {
		return 4 + given;
	}
	const int fd_count = data[2] % (KEEPER_FDS_MAX + 2);
	int fds[KEEPER_FDS_MAX + 1];
	for (int i = 0; i < fd_count; i++) {
		fds[i] = STDIN_FILENO;
	}
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(fds))];
	} control = {0};
	struct iovec iov = {.iov_base = bytes, .iov_len = length};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	if (fd_count > 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)fd_count);
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)fd_count);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * (size_t)fd_count);
	}
	sendmsg(wire, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	return 4 + given;
}

/* All that it was told, so that nothing has to wait. */
static void drain(int wire) {
	static struct keeper_message message;
	int fds[KEEPER_FDS_MAX];
	int got;
	while ((got = keeper_wire_receive(wire, &message, fds)) != 0) {
		if (got < 0) {
			return; /* nothing more */
		}
		size_t offset = 0;
		while (keeper_wire_next(&message, &offset) != NULL) {
		}
		keeper_wire_close(fds);
	}
}

static struct keeper_child *add_child(
	struct keeper *keeper, enum keeper_child_kind kind, int wires[2]) {
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, wires) < 0) {
		abort();
	}
	struct keeper_child *child = keeper_child_add(keeper, kind, NOBODY, wires[0]);
	child->instance = ++keeper->next_instance;
	strcpy(child->name, "child");
	return child;
}

static void hear(const uint8_t *data, size_t size, bool from_audio) {
	const struct vat_uuid uuid = {.bytes = {1}};
	struct keeper keeper = {
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
		.checkpoint_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
		.audio_timer = -1,
		.transport = -1,
		.transport_seen = -1,
		.desk = -1,
		.disk = KEEPER_DISK_NONE,
		.replacement.answer = -1,
		.witness = -1,
	};
	int wires[2], audio_wires[2];
	struct keeper_child *tile = add_child(&keeper, KEEPER_CHILD_TILE, wires);
	tile->uuid = uuid;
	keeper.audio = add_child(&keeper, KEEPER_CHILD_AUDIO, audio_wires);
	struct keeper_child *speaker = from_audio ? keeper.audio : tile;
	const int wire = from_audio ? audio_wires[1] : wires[1];
	keeper_region_add(&keeper, &uuid, "tile", memfd_create("region", MFD_CLOEXEC));
	while (size > 4 && speaker->wire >= 0) {
		const size_t used = send_one(wire, data, size);
		data += used;
		size -= used;
		keeper_dispatch(&keeper, speaker);
		drain(wires[1]);
		drain(audio_wires[1]);
	}
	close(wires[1]);
	close(audio_wires[1]);
	while (speaker->wire >= 0 && keeper_dispatch(&keeper, speaker)) {
	}
	keeper_audio_tile_ended(&keeper, tile->instance);
	keeper_child_hang_up(&keeper, tile);
	keeper_child_remove(&keeper, tile);
	keeper_region_drop(&keeper, &uuid, false);
	keeper_child_remove(&keeper, keeper.audio);
	close(keeper.epoll);
	close(keeper.timer);
	close(keeper.checkpoint_timer);
	/* Nothing of it is left. */
	if (keeper.children != NULL || keeper.regions != NULL || keeper.streams != NULL) {
		abort();
	}
}

static int open_descriptors(void) {
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;
	if (folder == NULL) {
		abort();
	}
	while (readdir(folder) != NULL) {
		count++;
	}
	closedir(folder);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size == 0) {
		return 0;
	}
	const int before = open_descriptors();
	if (data[0] & 1) {
		take_state(data + 1, size - 1);
	} else {
		hear(data + 1, size - 1, data[0] & 2);
	}
	if (open_descriptors() != before) {
		abort();
	}
	return 0;
}

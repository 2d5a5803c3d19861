/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper/wire.h"

int keeper_wire_send(int fd, struct keeper_message *message, const int *fds, size_t fd_count) {
	if (message->text_size > KEEPER_TEXT_SIZE || fd_count > KEEPER_FDS_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	message->version = KEEPER_WIRE_VERSION;
	struct iovec iov = {
		.iov_base = message,
		.iov_len = KEEPER_MESSAGE_HEAD + message->text_size,
	};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * KEEPER_FDS_MAX)];
	} control = {0};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	if (fd_count > 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
	}
	ssize_t sent;
	do {
		sent = sendmsg(fd, &header, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -1 : 0;
}

static void take_fds(struct msghdr *header, int fds[KEEPER_FDS_MAX]) {
	size_t taken = 0;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(header); cmsg != NULL;
		cmsg = CMSG_NXTHDR(header, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int received;
			memcpy(&received, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (taken < KEEPER_FDS_MAX) {
				fds[taken++] = received;
			} else {
				close(received);
			}
		}
	}
}

static bool message_is_whole(const struct keeper_message *message, size_t received) {
	return received >= KEEPER_MESSAGE_HEAD && message->version == KEEPER_WIRE_VERSION &&
		message->text_size <= KEEPER_TEXT_SIZE &&
		received == KEEPER_MESSAGE_HEAD + message->text_size &&
		memchr(message->name, '\0', sizeof(message->name)) != NULL &&
		(message->text_size == 0 || message->text[message->text_size - 1] == '\0');
}

int keeper_wire_receive(int fd, struct keeper_message *message, int fds[KEEPER_FDS_MAX]) {
	for (size_t i = 0; i < KEEPER_FDS_MAX; i++) {
		fds[i] = -1;
	}
	struct iovec iov = {.iov_base = message, .iov_len = sizeof(*message)};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * KEEPER_FDS_MAX)];
	} control;
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t received;
	bool reset = false, again;
	do {
		received = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
		/* A peer that ended with something unread: that is told once, before what it said
		 * last. */
		again = received < 0 && (errno == EINTR || (errno == ECONNRESET && !reset));
		reset = reset || (received < 0 && errno == ECONNRESET);
	} while (again);
	if (received < 0) {
		return errno == ECONNRESET ? 0 : -1;
	}
	take_fds(&header, fds);
	if (received == 0) {
		keeper_wire_close(fds); /* a packet of nothing can bring some */
		return 0;
	}
	if ((header.msg_flags & MSG_CTRUNC) != 0) {
		keeper_wire_close(fds);
	}
	if ((header.msg_flags & MSG_TRUNC) != 0 || !message_is_whole(message, (size_t)received)) {
		keeper_wire_close(fds);
		errno = EPROTO;
		return -1;
	}
	return 1;
}

int keeper_wire_add(struct keeper_message *message, const char *string) {
	size_t size = strlen(string) + 1;
	if (size > KEEPER_TEXT_SIZE - message->text_size) {
		return -1;
	}
	memcpy(message->text + message->text_size, string, size);
	message->text_size += (uint32_t)size;
	return 0;
}

const char *keeper_wire_next(const struct keeper_message *message, size_t *offset) {
	if (*offset >= message->text_size) {
		return NULL;
	}
	const char *string = message->text + *offset;
	*offset += strlen(string) + 1;
	return string;
}

void keeper_wire_close(int fds[KEEPER_FDS_MAX]) {
	for (size_t i = 0; i < KEEPER_FDS_MAX; i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
			fds[i] = -1;
		}
	}
}

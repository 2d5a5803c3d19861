/* SPDX-License-Identifier: MIT */
#include "witness_wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

#define WITNESS_WAIT_MS 60000

static int send_all(int fd, const char *text) {
	const size_t size = strlen(text);
	return send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -1;
}

int city_witness_connect(const char *table) {
	const char *path = getenv("SOURCE_CITY_WITNESS");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (path == NULL || strlen(path) >= sizeof(address.sun_path)) {
		return -1;
	}
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		send_all(fd, table) == 0) {
		return fd;
	}
	city_log(CITY_LOG_WARN, "witness", "%s: %s", path, strerror(errno));
	if (fd >= 0) {
		close(fd);
	}
	return -1;
}

static int wait_answer(int fd) {
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	char answer[16];
	int ready;
	do {
		ready = poll(&readable, 1, WITNESS_WAIT_MS);
	} while (ready < 0 && errno == EINTR);
	return ready == 1 && recv(fd, answer, sizeof(answer), 0) > 0 ? 0 : -1;
}

void city_witness_say(int *witness, const char *text) {
	if (*witness >= 0 && (send_all(*witness, text) < 0 || wait_answer(*witness) < 0)) {
		city_log(CITY_LOG_WARN, "witness", "it does not answer; going on without");
		close(*witness);
		*witness = -1;
	}
}

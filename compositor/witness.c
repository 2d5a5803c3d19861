/* SPDX-License-Identifier: MIT */
#include "compositor/witness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "compositor/handover_internal.h"
#include "log.h"

#define WITNESS_WAIT_MS 60000

static bool send_table(int fd) {
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	if (!file) {
		return false;
	}
	fprintf(file, "{\"compositor\":%d,\"steps\":[", getpid());
	for (int i = 0; i < CITY_STEP_COUNT; i++) {
		const struct city_step_info *step = &city_steps[i];
		fprintf(file, "%s{\"name\":\"%s\",\"replaceable\":%s,\"shown\":%s,\"needs_b\":%s}",
			i > 0 ? "," : "", step->name, step->replaceable ? "true" : "false",
			step->shown ? "true" : "false", step->needs_b ? "true" : "false");
	}
	fputs("]}", file);
	bool sent = fclose(file) == 0 && send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size;
	free(text);
	return sent;
}

int city_witness_open(void) {
	const char *path = getenv("SOURCE_CITY_WITNESS");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!path || strlen(path) >= sizeof(address.sun_path)) {
		return -1;
	}
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		send_table(fd)) {
		return fd;
	}
	city_log(CITY_LOG_WARN, "witness", "%s: %s", path, strerror(errno));
	if (fd >= 0) {
		close(fd);
	}
	return -1;
}

void city_witness_close(int witness) {
	if (witness >= 0) {
		close(witness);
	}
}

static bool wait_answer(int fd) {
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	char answer[16];
	int ready;
	do {
		ready = poll(&readable, 1, WITNESS_WAIT_MS);
	} while (ready < 0 && errno == EINTR);
	return ready == 1 && recv(fd, answer, sizeof(answer), 0) > 0;
}

void city_witness_tell(int *witness, const struct city_handover *handover) {
	if (*witness < 0) {
		return;
	}
	const struct city_tile *tile = handover->tile;
	const struct city_tile_version *a = handover->a ? handover->a : tile->live;
	char text[512];
	int size = snprintf(text, sizeof(text),
		"{\"tile\":\"%s\",\"id\":%llu,\"step\":\"%s\",\"start\":%s,\"a\":%d,\"b\":%d}",
		tile->name, (unsigned long long)handover->record.id,
		city_steps[handover->step].name, handover->start ? "true" : "false",
		a && a != handover->b ? (int)a->pid : 0, handover->b ? (int)handover->b->pid : 0);
	if (send(*witness, text, (size_t)size, MSG_NOSIGNAL) != size || !wait_answer(*witness)) {
		city_log(CITY_LOG_WARN, "witness", "it does not answer; going on without");
		close(*witness);
		*witness = -1;
	}
}

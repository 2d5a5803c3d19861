/* SPDX-License-Identifier: MIT */
/*
 * Stands in for the programs that the keeper starts: hands its wire to the test, which then speaks
 * for it, and ends with the status that the test sends, or when the test is gone. With
 * KEEPER_TEST_STUBBORN it does not end when the keeper asks it to.
 */
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire_child.h"

int main(int argc, char **argv) {
	const char *path = getenv("KEEPER_TEST_SOCKET");
	const char *wire_text = getenv("SOURCE_CITY_KEEPER_FD");
	if (path == NULL || wire_text == NULL) {
		return 99;
	}
	if (getenv("KEEPER_TEST_STUBBORN") != NULL) {
		signal(SIGTERM, SIG_IGN);
	}
	int wire = atoi(wire_text);
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0) {
		return 98;
	}
	struct wire_child_hello hello = {.pid = getpid(), .argc = argc};
	snprintf(hello.program, sizeof(hello.program), "%s", basename(argv[0]));
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = &hello, .iov_len = sizeof(hello)};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &wire, sizeof(int));
	if (sendmsg(sock, &message, 0) < 0) {
		return 97;
	}
	close(wire); /* the test's copy is the only one now, and it may rely on that */
	unsigned char status = 0;
	if (write(sock, &status, 1) != 1) {
		return 95;
	}
	return read(sock, &status, 1) == 1 ? status : 96;
}

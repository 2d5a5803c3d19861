/* SPDX-License-Identifier: MIT */
/*
 * A libslirp that has been taken over: loaded before the real one it does, for a frame of the type
 * 0x88b6 that the machine sends, what whoever did that would want to do. It answers with a packet
 * of text: each deed and its errno, 0 where it was done.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libslirp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_READ "/etc/resolv.conf"

static char said[254];

static void note(const char *deed, bool done) {
	size_t size = strlen(said);
	snprintf(said + size, sizeof(said) - size, " %s=%d", deed, done ? 0 : errno);
}

static void note_fd(const char *deed, int fd) {
	note(deed, fd >= 0);
	if (fd >= 0) {
		close(fd);
	}
}

static void execute(void) {
	char *const argv[] = {"/bin/true", NULL};
	pid_t child = fork();
	note("fork", child >= 0);
	if (child == 0) {
		_exit(0);
	}
	if (child > 0) {
		waitpid(child, NULL, 0);
	}
	errno = 0;
	/* Without a program of this name there is nothing to become, if it may. */
	execve("", argv, argv);
	note("execve", errno == ENOENT);
}

static void map_code(void) {
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	note("code", at != MAP_FAILED);
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	note("memory", at != MAP_FAILED);
	note("protect", mprotect(at, 4096, PROT_READ | PROT_EXEC) == 0);
}

static void misbehave(void) {
	said[0] = '\0';
	strcat(said, "taken:");
	note_fd("write", open("/tmp/source-city-net-was-here", O_WRONLY | O_CREAT, 0600));
	note_fd("unix", socket(AF_UNIX, SOCK_STREAM, 0));
	note_fd("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	execute();
	note("kill", kill(getppid(), 0) == 0);
	note("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
	note("unlink", unlink("/tmp/source-city-net-was-here") == 0);
	note("chmod", chmod("/tmp/source-city-net-was-here", 0777) == 0);
	map_code();
	note_fd("other", open("/proc/self/environ", O_RDONLY));
	note_fd("resolv", open(FILE_READ, O_RDONLY));
	note_fd("inet", socket(AF_INET, SOCK_DGRAM, 0));
	/* As a packet: there is no 0 in it. */
	uint8_t packet[sizeof(said) + 2];
	size_t size = strlen(said);
	packet[0] = (uint8_t)(size + 1);
	memcpy(packet + 1, said, size);
	packet[size + 1] = 0;
	write(STDOUT_FILENO, packet, size + 2);
}

void slirp_input(Slirp *slirp, const uint8_t *frame, int size) {
	void (*real)(Slirp *, const uint8_t *, int) =
		(void (*)(Slirp *, const uint8_t *, int))dlsym(RTLD_NEXT, "slirp_input");
	if (size > 14 && frame[12] == 0x88 && frame[13] == 0xb6) {
		misbehave();
	} else {
		real(slirp, frame, size);
	}
}

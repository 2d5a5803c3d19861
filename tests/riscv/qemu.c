/* SPDX-License-Identifier: MIT */
#include "qemu.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PROGRAM "qemu-system-riscv64"
/* What this machine has, and PMP by pages. */
#define CPU                                                                                        \
	"rv64i,m=on,a=on,f=on,d=on,c=on,s=on,u=on,zicsr=on,zifencei=on,zicntr=on,pmp=on,mmu=on,"   \
	"sv39=on,svade=on,pmp-granularity=4096,num-pmp-regions=16,pmu-mask=0,debug=off"

struct qemu {
	pid_t pid;
	int fd;
	char in[1 << 16];
	size_t in_at, in_size;
	char reply[1 << 16];
	size_t reply_size;
};

static void send_all(struct qemu *qemu, const char *data, size_t size) {
	while (size) {
		const ssize_t sent = send(qemu->fd, data, size, MSG_NOSIGNAL);
		if (sent <= 0)
			fail_msg("QEMU does not listen any more");
		data += sent;
		size -= (size_t)sent;
	}
}

static char next(struct qemu *qemu) {
	if (qemu->in_at == qemu->in_size) {
		const ssize_t got = read(qemu->fd, qemu->in, sizeof qemu->in);
		if (got <= 0)
			fail_msg("QEMU has ended");
		qemu->in_at = 0;
		qemu->in_size = (size_t)got;
	}
	return qemu->in[qemu->in_at++];
}

/* $text#checksum; for a row of packets, to be sent at once. */
static size_t put_packet(char *out, size_t room, const char *text) {
	unsigned sum = 0;
	for (const char *c = text; *c; c++)
		sum += (unsigned char)*c;
	const int size = snprintf(out, room, "$%s#%02x", text, sum & 255);
	assert_true(size > 0 && (size_t)size < room);
	return (size_t)size;
}

static void receive(struct qemu *qemu) {
	while (next(qemu) != '$')
		;
	qemu->reply_size = 0;
	for (char c = next(qemu); c != '#'; c = next(qemu)) {
		assert_true(qemu->reply_size + 1 < sizeof qemu->reply);
		qemu->reply[qemu->reply_size++] = c;
	}
	qemu->reply[qemu->reply_size] = '\0';
	next(qemu);
	next(qemu);
}

static void ask(struct qemu *qemu, const char *text) {
	static char packet[1 << 16];
	send_all(qemu, packet, put_packet(packet, sizeof packet, text));
	receive(qemu);
	send_all(qemu, "+", 1);
}

static void command(struct qemu *qemu, const char *text) {
	ask(qemu, text);
	if (strcmp(qemu->reply, "OK") != 0)
		fail_msg("QEMU answers %.40s with '%.40s'", text, qemu->reply);
}

struct qemu *qemu_start(uint64_t ram) {
	if (system("command -v " PROGRAM " >/dev/null") != 0)
		return NULL;
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	struct qemu *qemu = calloc(1, sizeof *qemu);
	assert_non_null(qemu);
	char chardev[64], memory[32];
	snprintf(chardev, sizeof chardev, "socket,id=gdb,fd=%d", ends[1]);
	snprintf(memory, sizeof memory, "%" PRIu64 "k", ram / 1024);
	qemu->pid = fork();
	assert_true(qemu->pid >= 0);
	if (qemu->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		execlp(PROGRAM, PROGRAM, "-M", "virt", "-cpu", CPU, "-smp", "1", "-m", memory,
			"-bios", "none", "-nodefaults", "-display", "none", "-serial", "none", "-S",
			"-chardev", chardev, "-gdb", "chardev:gdb", NULL);
		_exit(127);
	}
	close(ends[1]);
	qemu->fd = ends[0];
	ask(qemu, "?");
	/* Interrupts come in steps too. */
	command(qemu, "Qqemu.sstep=1");
	command(qemu, "Qqemu.PhyMemMode:1");
	return qemu;
}

void qemu_stop(struct qemu *qemu) {
	kill(qemu->pid, SIGKILL);
	waitpid(qemu->pid, NULL, 0);
	close(qemu->fd);
	free(qemu);
}

void qemu_step(struct qemu *qemu) {
	ask(qemu, "s");
	if (qemu->reply[0] != 'T' && qemu->reply[0] != 'S')
		fail_msg("QEMU answers a step with '%.40s'", qemu->reply);
}

static uint64_t number(const char *hex) {
	uint64_t value = 0;
	unsigned byte;
	for (unsigned i = 0; i < 8 && sscanf(hex + i * 2, "%2x", &byte) == 1; i++)
		value |= (uint64_t)byte << i * 8;
	return value;
}

void qemu_read(struct qemu *qemu, const unsigned *registers, uint64_t *values, size_t count) {
	static char packets[1 << 16];
	size_t size = 0;
	for (size_t i = 0; i < count; i++) {
		char text[16];
		snprintf(text, sizeof text, "p%x", registers[i]);
		size += put_packet(packets + size, sizeof packets - size, text);
		/* Of the answer that comes to it. */
		packets[size++] = '+';
	}
	send_all(qemu, packets, size);
	for (size_t i = 0; i < count; i++) {
		receive(qemu);
		if (qemu->reply[0] == 'E' || !qemu->reply_size)
			fail_msg("QEMU does not know register %u: '%s'", registers[i], qemu->reply);
		values[i] = number(qemu->reply);
	}
}

void qemu_write(struct qemu *qemu, unsigned reg, uint64_t value) {
	char text[64];
	int size = snprintf(text, sizeof text, "P%x=", reg);
	for (unsigned i = 0; i < 8; i++)
		size += snprintf(text + size, sizeof text - (size_t)size, "%02x",
			(unsigned)(value >> i * 8 & 255));
	command(qemu, text);
}

enum { BLOCK = 4096 };

void qemu_write_memory(struct qemu *qemu, uint64_t address, const void *data, size_t size) {
	const uint8_t *bytes = data;
	while (size) {
		const size_t now = size < BLOCK ? size : BLOCK;
		char text[BLOCK * 2 + 64];
		int length = snprintf(text, sizeof text, "M%" PRIx64 ",%zx:", address, now);
		for (size_t i = 0; i < now; i++) {
			text[length++] = "0123456789abcdef"[bytes[i] >> 4];
			text[length++] = "0123456789abcdef"[bytes[i] & 15];
		}
		text[length] = '\0';
		command(qemu, text);
		address += now;
		bytes += now;
		size -= now;
	}
}

void qemu_read_memory(struct qemu *qemu, uint64_t address, void *data, size_t size) {
	uint8_t *bytes = data;
	while (size) {
		const size_t now = size < BLOCK ? size : BLOCK;
		char text[64];
		snprintf(text, sizeof text, "m%" PRIx64 ",%zx", address, now);
		ask(qemu, text);
		assert_int_equal(qemu->reply_size, now * 2);
		for (size_t i = 0; i < now; i++) {
			unsigned byte;
			assert_int_equal(sscanf(qemu->reply + i * 2, "%2x", &byte), 1);
			bytes[i] = (uint8_t)byte;
		}
		address += now;
		bytes += now;
		size -= now;
	}
}

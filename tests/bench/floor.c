/* SPDX-License-Identifier: MIT */
/*
 * Floors of this machine, to stand beside the city's own figures: a round trip over a socket and
 * over a futex between two processes. One JSON object per line.
 */
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5000

static int64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static int by_size(const void *a, const void *b) {
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void print_measure(const char *name, int64_t *samples) {
	qsort(samples, ROUNDS, sizeof(*samples), by_size);
	printf("{\"name\":\"%s\",\"unit\":\"µs\",\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f,\"n\":%d,"
	       "\"beside\":{}}\n",
		name, (double)samples[ROUNDS / 2] / 1e3, (double)samples[ROUNDS * 99 / 100] / 1e3,
		(double)samples[ROUNDS - 1] / 1e3, ROUNDS);
}

static void measure_socket(int64_t *samples) {
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) {
		exit(1);
	}
	char byte = 0;
	pid_t child = fork();
	if (child == 0) {
		close(pair[0]);
		while (read(pair[1], &byte, 1) == 1 && write(pair[1], &byte, 1) == 1) {
		}
		_exit(0);
	}
	close(pair[1]);
	for (int i = 0; i < ROUNDS; i++) {
		int64_t begin = now_ns();
		if (write(pair[0], &byte, 1) != 1 || read(pair[0], &byte, 1) != 1) {
			exit(1);
		}
		samples[i] = now_ns() - begin;
	}
	close(pair[0]);
	waitpid(child, NULL, 0);
	print_measure("floor.socket_round_trip", samples);
}

static void futex(_Atomic uint32_t *word, int operation, uint32_t value) {
	syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void measure_futex(int64_t *samples) {
	_Atomic uint32_t *word =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (word == MAP_FAILED) {
		exit(1);
	}
	pid_t child = fork();
	if (child == 0) {
		for (uint32_t i = 0; i < ROUNDS; i++) {
			while (*word != 2 * i + 1) {
				futex(word, FUTEX_WAIT, 2 * i);
			}
			*word = 2 * i + 2;
			futex(word, FUTEX_WAKE, 1);
		}
		_exit(0);
	}
	for (uint32_t i = 0; i < ROUNDS; i++) {
		int64_t begin = now_ns();
		*word = 2 * i + 1;
		futex(word, FUTEX_WAKE, 1);
		while (*word != 2 * i + 2) {
			futex(word, FUTEX_WAIT, 2 * i + 1);
		}
		samples[i] = now_ns() - begin;
	}
	waitpid(child, NULL, 0);
	print_measure("floor.futex_round_trip", samples);
}

int main(void) {
	static int64_t samples[ROUNDS];
	measure_socket(samples);
	measure_futex(samples);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Floors of this machine, to stand beside the city's own figures: a round trip over a socket and
 * over a futex between two processes, loading a tile and giving it up, a process that is started
 * and loads one, handing over warmed code by one pointer, copying. One JSON object per line. The
 * tile is found by $SOURCE_CITY_BUILD; without it nothing is said of tiles.
 */
#include <dlfcn.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static void print_some(const char *name, int64_t *samples, int count) {
	qsort(samples, (size_t)count, sizeof(*samples), by_size);
	printf("{\"name\":\"%s\",\"unit\":\"µs\",\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f,\"n\":%d,"
	       "\"beside\":{}}\n",
		name, (double)samples[count / 2] / 1e3, (double)samples[count * 99 / 100] / 1e3,
		(double)samples[count - 1] / 1e3, count);
	fflush(stdout);
}

static void print_measure(const char *name, int64_t *samples) {
	print_some(name, samples, ROUNDS);
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

#define LOADS 500
#define STARTS 100
#define COPY_BYTES (1 << 20)

static void load(const char *tile) {
	void *handle = dlopen(tile, RTLD_NOW | RTLD_LOCAL);
	if (!handle || !dlsym(handle, "source_city_tile")) {
		exit(1);
	}
	dlclose(handle);
}

static void measure_load(int64_t *samples, const char *tile) {
	for (int i = 0; i < LOADS; i++) {
		int64_t begin = now_ns();
		load(tile);
		samples[i] = now_ns() - begin;
	}
	print_some("floor.load_and_unload", samples, LOADS);
}

/* This program again, which loads the tile and ends. */
static void measure_start(int64_t *samples, const char *tile) {
	for (int i = 0; i < STARTS; i++) {
		int64_t begin = now_ns();
		pid_t child = fork();
		if (child == 0) {
			execl("/proc/self/exe", "bench-floor", tile, (char *)NULL);
			_exit(1);
		}
		int status = 1;
		if (waitpid(child, &status, 0) < 0 || status != 0) {
			exit(1);
		}
		samples[i] = now_ns() - begin;
	}
	print_some("floor.start_and_load", samples, STARTS);
}

static void work(void) {
	__asm__ volatile("");
}

static void work_too(void) {
	__asm__ volatile("" : : : "memory");
}

/* A thousand at a time: one is less than the clock can tell. */
static void measure_publish(int64_t *samples) {
	static void (*_Atomic code)(void) = work;
	for (int i = 0; i < ROUNDS; i++) {
		int64_t begin = now_ns();
		for (int n = 0; n < 1000; n++) {
			code = n % 2 ? work : work_too;
			code();
		}
		samples[i] = (now_ns() - begin) / 1000;
	}
	print_measure("floor.publish_pointer", samples);
}

static void measure_copy(int64_t *samples) {
	char *from = calloc(2, COPY_BYTES), *to = from + COPY_BYTES;
	if (!from) {
		exit(1);
	}
	memset(from, 1, 2 * COPY_BYTES);
	for (int i = 0; i < ROUNDS; i++) {
		int64_t begin = now_ns();
		memcpy(to, from, COPY_BYTES);
		__asm__ volatile("" : : "r"(to) : "memory");
		samples[i] = now_ns() - begin;
	}
	print_measure("floor.copy_1m", samples);
	free(from);
}

int main(int argc, char **argv) {
	static int64_t samples[ROUNDS];
	if (argc > 1) {
		load(argv[1]);
		return 0;
	}
	measure_socket(samples);
	measure_futex(samples);
	measure_publish(samples);
	measure_copy(samples);
	char tile[4096];
	const char *build = getenv("SOURCE_CITY_BUILD");
	if (build) {
		snprintf(tile, sizeof(tile), "%s/tests/bench/state-4k-1.so", build);
		measure_load(samples, tile);
		measure_start(samples, tile);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* What the programs that measure share: samples, and how they are printed. */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vat.h"

#define SAMPLES_MAX 4096

static double samples[SAMPLES_MAX];
static int sample_count;

static double now_us(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static inline void check(int rc, const struct vat_error *err) {
	if (rc >= 0)
		return;
	fprintf(stderr, "bench: %s\n", err->text);
	exit(1);
}

static int by_size(const void *a, const void *b) {
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* beside: members of a JSON object. */
static void print_beside(const char *name, const char *unit, double scale, const char *beside) {
	qsort(samples, (size_t)sample_count, sizeof(*samples), by_size);
	printf("{\"name\":\"%s\",\"unit\":\"%s\",\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f,\"n\":%d,"
	       "\"beside\":{%s}}\n",
		name, unit, samples[sample_count / 2] * scale,
		samples[sample_count * 99 / 100] * scale, samples[sample_count - 1] * scale,
		sample_count, beside);
	fflush(stdout);
	sample_count = 0;
}

/* floor: what copying the same bytes costs, in the same unit; below 0 for none. */
static inline void print_measure(const char *name, const char *unit, double scale, double floor) {
	char beside[64] = "";
	if (floor >= 0)
		snprintf(beside, sizeof(beside), "\"memcpy\":%.3f", floor * scale);
	print_beside(name, unit, scale, beside);
}

static void add_sample(double value) {
	if (sample_count < SAMPLES_MAX)
		samples[sample_count++] = value;
}

/* The median time of copying so many bytes between two warm buffers. */
static inline double copy_floor(size_t size) {
	char *from = malloc(size), *to = malloc(size);
	double times[15];
	if (!from || !to)
		exit(1);
	memset(from, 1, size);
	memset(to, 2, size);
	for (int i = 0; i < 15; i++) {
		double begin = now_us();
		int rounds = size < 65536 ? 100 : 1;
		for (int j = 0; j < rounds; j++) {
			memcpy(to, from, size);
			__asm__ volatile("" : : "r"(to) : "memory");
		}
		times[i] = (now_us() - begin) / rounds;
	}
	qsort(times, 15, sizeof(*times), by_size);
	free(from);
	free(to);
	return times[7];
}

#endif

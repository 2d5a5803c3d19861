/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <time.h>

#include "compositor/frames.h"

static int64_t read_clock(clockid_t clock) {
	struct timespec now;
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint32_t to_us(int64_t ns) {
	int64_t us = ns / 1000;
	return us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

struct city_frame_begin city_frames_begin(void) {
	return (struct city_frame_begin){
		.at_ns = read_clock(CLOCK_MONOTONIC),
		.cpu_ns = read_clock(CLOCK_THREAD_CPUTIME_ID),
	};
}

void city_frames_end(
	struct city_frames *frames, const struct city_frame_begin *begin, double damaged) {
	struct city_frame_begin end = city_frames_begin();
	frames->costs[frames->count++ % CITY_FRAMES_KEPT] = (struct city_frame_cost){
		.took_us = to_us(end.at_ns - begin->at_ns),
		.cpu_us = to_us(end.cpu_ns - begin->cpu_ns),
		.damaged = (float)damaged,
	};
}

static int by_size(const void *a, const void *b) {
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

struct city_frames_summary city_frames_sum(const struct city_frames *frames) {
	static uint32_t took[CITY_FRAMES_KEPT], cpu[CITY_FRAMES_KEPT];
	size_t count = frames->count < CITY_FRAMES_KEPT ? frames->count : CITY_FRAMES_KEPT;
	struct city_frames_summary sum = {.frames = (uint32_t)count};
	if (count == 0) {
		return sum;
	}
	for (size_t i = 0; i < count; i++) {
		took[i] = frames->costs[i].took_us;
		cpu[i] = frames->costs[i].cpu_us;
		sum.damaged += (double)frames->costs[i].damaged / (double)count;
	}
	qsort(took, count, sizeof(*took), by_size);
	qsort(cpu, count, sizeof(*cpu), by_size);
	sum.took.p50 = took[count / 2];
	sum.took.p99 = took[count * 99 / 100];
	sum.took.max = took[count - 1];
	sum.cpu.p50 = cpu[count / 2];
	sum.cpu.p99 = cpu[count * 99 / 100];
	sum.cpu.max = cpu[count - 1];
	return sum;
}

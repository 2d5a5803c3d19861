/* SPDX-License-Identifier: MIT */
/* What the synth's voices cost: per cent of one processor, of 32 notes of the dearest kind. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "patch.h"
#include "rig.h"

#define ROUNDS 200
#define FRAMES 2400

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double now(void) {
	struct timespec time;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void measure(const char *name, uint32_t notes) {
	static float left[FRAMES], right[FRAMES];
	static double cost[ROUNDS];
	struct rig rig;
	rig_init(&rig);
	for (uint32_t i = 0; i < notes; i++) {
		rig_on(&rig, i + 1, rig_sound("pad"), 36 + (float)i, 0.8f);
	}
	for (int i = 0; i < ROUNDS; i++) {
		double from = now();
		rig_render(&rig, FRAMES, left, right);
		cost[i] = (now() - from) / ((double)FRAMES / RATE) * 100;
	}
	rig_finish(&rig);
	qsort(cost, ROUNDS, sizeof(cost[0]), compare);
	printf("{\"name\": \"%s\", \"unit\": \"%%\", \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f, "
	       "\"n\": %d, \"beside\": {}}\n",
		name, cost[ROUNDS / 2], cost[ROUNDS * 99 / 100], cost[ROUNDS - 1], ROUNDS);
}

int main(void) {
	measure("synth.voices", 32);
	measure("synth.voices.40", 40);
	measure("synth.voices.1", 1);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * bench-melt: what a frame of a transition costs, from the request to the callback, as the
 * compositor sees it, on whatever EGL finds (llvmpipe where there is no GPU). Prints a JSON object
 * per measure. Beside each is the copy of such a frame in memory, in the same run, and for the melt
 * the case in which no two neighbours are alike and everything changes.
 */
#include <drm_fourcc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/effects/rig.h"

#define WIDTH 800
#define HEIGHT 600
#define RUNS 12
#define FRAMES CITY_TRANSITION_FRAMES
#define SAMPLES (RUNS * FRAMES)

struct figures {
	double p50, p99, max;
	int n;
	double cpu; /* of all threads, a sample */
};

static double cpu_now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static struct figures summarise(double *samples, int n) {
	qsort(samples, (size_t)n, sizeof(*samples), compare);
	return (struct figures){samples[n / 2], samples[n * 99 / 100], samples[n - 1], n, 0};
}

static struct figures measure(
	struct rig *rig, const char *name, struct rig_picture *a, struct rig_picture *b) {
	static double samples[SAMPLES];
	int n = 0;
	double cpu = cpu_now_ms();
	for (int run = 0; run < RUNS; run++) {
		struct city_transition *transition = rig_transition(rig, name, &a->base, 0, 0);
		city_transition_set_to(transition, &b->base, NULL);
		rig_frame(rig, transition, 0.0);
		for (int i = 1; i <= FRAMES; i++) {
			double start = rig_now_ms();
			if (rig_frame(rig, transition, (double)i / FRAMES) == NULL) {
				fprintf(stderr, "bench-melt: %s failed: %s\n", name, rig->reason);
				exit(1);
			}
			samples[n++] = rig_now_ms() - start;
		}
		city_transition_destroy(transition);
	}
	cpu = (cpu_now_ms() - cpu) / n;
	struct figures figures = summarise(samples, n);
	figures.cpu = cpu;
	return figures;
}

static double copy_ms(void) {
	const size_t size = (size_t)WIDTH * HEIGHT * 4;
	char *from = malloc(size), *to = malloc(size);
	if (from == NULL || to == NULL) {
		abort();
	}
	memset(from, 1, size);
	double samples[50];
	for (int i = 0; i < 50; i++) {
		double start = rig_now_ms();
		memcpy(to, from, size);
		samples[i] = rig_now_ms() - start;
		from[i] = to[(size_t)i * 97];
	}
	free(from);
	free(to);
	return summarise(samples, 50).p50;
}

static void print(const char *name, struct figures f, const char *beside, double value) {
	printf("{\"name\":\"%s\",\"unit\":\"ms\",\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f,\"n\":%d,"
	       "\"beside\":{\"memcpy_800x600\":%.3f",
		name, f.p50, f.p99, f.max, f.n, copy_ms());
	if (f.cpu > 0) {
		printf(",\"cpu_of_all_cores\":%.3f", f.cpu);
	}
	if (beside != NULL) {
		printf(",\"%s\":%.3f", beside, value);
	}
	printf("}}\n");
	fflush(stdout);
}

int main(void) {
	/* From nothing to the first frame: what city_effects_prepare hides. */
	double cold[6];
	struct rig rig;
	struct rig_picture *a = rig_picture_create(WIDTH, HEIGHT, DRM_FORMAT_XRGB8888, true);
	struct rig_picture *b = rig_picture_create(WIDTH, HEIGHT, DRM_FORMAT_XRGB8888, true);
	rig_picture_text(a, 1);
	rig_picture_text(b, 2);
	for (int i = 0; i < 6; i++) {
		double start = rig_now_ms();
		rig_init(&rig, SHADERS, -1, false);
		struct city_transition *transition = rig_transition(&rig, "melt", &a->base, 0, 0);
		city_transition_set_to(transition, &b->base, NULL);
		rig_frame(&rig, transition, 0.0);
		cold[i] = rig_now_ms() - start;
		city_transition_destroy(transition);
		rig_finish(&rig);
	}

	rig_init(&rig, SHADERS, -1, false);
	if (!rig_prepare(&rig, "melt")) {
		fprintf(stderr,
			"bench-melt: no EGL: these are the frames of the plain crossfade\n");
	}
	struct figures melt = measure(&rig, "melt", a, b);
	struct figures crossfade = measure(&rig, "crossfade", a, b);
	rig_picture_checker(a, 1, 1);
	rig_picture_checker(b, 1, 2);
	struct figures worst = measure(&rig, "melt", a, b);
	print("melt.800x600", melt, "worst_content", worst.p50);
	print("melt.crossfade.800x600", crossfade, NULL, 0);
	print("melt.cold_first_frame", summarise(cold, 6), NULL, 0);
	rig_finish(&rig);
	wlr_buffer_drop(&a->base);
	wlr_buffer_drop(&b->base);
	return 0;
}

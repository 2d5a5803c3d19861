/* SPDX-License-Identifier: MIT */
/* synth-render TILE CLIP WAV SECONDS [PICTURE]: what a clip sounds like, as fast as it goes, and
 * what the tile looks like at the end. For those who work on the synth. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcft/fcft.h>

#include "fake_host.h"

static void put(FILE *file, uint32_t value, int bytes) {
	for (int i = 0; i < bytes; i++) {
		fputc((int)(value >> 8 * i & 0xff), file);
	}
}

static void write_wav(FILE *file, const float *left, const float *right, uint32_t frames) {
	fwrite("RIFF", 1, 4, file);
	put(file, 36 + frames * 4, 4);
	fwrite("WAVEfmt ", 1, 8, file);
	put(file, 16, 4);
	put(file, 1, 2);
	put(file, 2, 2);
	put(file, FAKE_RATE, 4);
	put(file, FAKE_RATE * 4, 4);
	put(file, 4, 2);
	put(file, 16, 2);
	fwrite("data", 1, 4, file);
	put(file, frames * 4, 4);
	for (uint32_t i = 0; i < frames; i++) {
		put(file, (uint32_t)(int32_t)lrintf(left[i] * 32767), 2);
		put(file, (uint32_t)(int32_t)lrintf(right[i] * 32767), 2);
	}
}

static void write_picture(struct fake_host *fake, const char *path) {
	int width = fake->tile.width, height = fake->tile.height;
	uint32_t *pixels = calloc((size_t)(width * height), 4);
	fake_host_draw(fake, pixels);
	FILE *file = fopen(path, "wb");
	if (file) {
		fprintf(file, "P6\n%d %d\n255\n", width, height);
		for (int i = 0; i < width * height; i++) {
			put(file, pixels[i] >> 16 & 0xff, 1);
			put(file, pixels[i] >> 8 & 0xff, 1);
			put(file, pixels[i] & 0xff, 1);
		}
		fclose(file);
	}
	free(pixels);
}

int main(int argc, char **argv) {
	static struct fake_host fake;
	if (argc < 5) {
		fprintf(stderr, "usage: synth-render TILE CLIP WAV SECONDS [PICTURE]\n");
		return 2;
	}
	const char *const options[][2] = {
		{"clip", argv[2]}, {"play", "yes"}, {"splice", "!"}, {NULL, NULL}};
	uint32_t frames = (uint32_t)(atof(argv[4]) * FAKE_RATE);
	float *left = calloc(frames, sizeof(*left)), *right = calloc(frames, sizeof(*right));
	fcft_init(FCFT_LOG_COLORIZE_NEVER, false, FCFT_LOG_CLASS_ERROR);
	if (!left || !right || !fake_host_start(&fake, argv[1], options, NULL)) {
		return 1;
	}
	fake_host_render(&fake, frames, 256, left, right);
	FILE *file = fopen(argv[3], "wb");
	if (!file) {
		perror(argv[3]);
		return 1;
	}
	write_wav(file, left, right, frames);
	fclose(file);
	if (argc > 5) {
		write_picture(&fake, argv[5]);
	}
	double most = 0, energy = 0;
	for (uint32_t i = 0; i < frames; i++) {
		most = fmax(most, fabs((double)left[i]));
		energy += (double)left[i] * (double)left[i];
	}
	printf("%s: peak %.1f dB, mean %.1f dB\n", argv[2], 20 * log10(most + 1e-9),
		10 * log10(energy / frames + 1e-12));
	fake_host_finish(&fake);
	free(left);
	free(right);
	return 0;
}

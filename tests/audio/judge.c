/* SPDX-License-Identifier: MIT */
/*
 * Listens to a recording of eight channels (recorder --channels 8), frame by frame: is what one
 * instrument plays, whose code is replaced all the time, what it would have played without?
 *
 * Usage: judge FILE FADE LONGEST
 *
 * The channels, in pairs of left and right: the one that is judged; the same music by a first
 * instrument, and by a second one, which nobody touches, the one with the code before and the other
 * with the code after (or both with the same); and the city's frame that it is, its lower 20 bits
 * and the upper ones, as a tile says it that nobody touches either.
 *
 * Whatever is before the first frame that sounds does not count. From there on, each frame:
 *
 * - says the number behind that of the frame before. If not, frames are `missing`, or there are
 *   `doubled` ones; what is no number, or goes on as if it had not been, is `garbled`
 * - is the one instrument's or the other's, to the bit; or it is `between`, no further out than
 *   either, and no longer than LONGEST frames in a row. If not, it is `wrong`; or `silent`, where
 *   the two others are not
 * - is no further away from the one before than it is in either of the two others, but for what the
 *   fade between these adds, which takes FADE frames or more: `steep`
 *
 * Prints one line of JSON: these counts, with the city's frame of the first of each; how many
 * frames there were, and times of being in between; the largest step between neighbours in the two
 * that nobody touches, and that in the fades. And as they come lines `onset FRAME`: the first frame
 * that is not SILENT behind at least QUIET that were.
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHANNELS 8
#define QUIET 2048
#define SILENT 1e-9f
#define LOW (1u << 20)
/* What is rounded in a fade. */
#define DUST 1e-6f

enum fault { MISSING, DOUBLED, GARBLED, WRONG, MUTE, STEEP, FAULTS };
static const char *const fault_names[FAULTS] = {
	"missing", "doubled", "garbled", "wrong", "silent", "steep"};

struct judge {
	uint64_t fade, longest;
	uint64_t frame; /* that this one is to be */
	int64_t off;	/* how far the last one was from that, if it was */
	bool began;
	float last[CHANNELS];
	uint64_t frames, fades, quiet;
	uint64_t in_fade; /* frames, so far */
	uint64_t counts[FAULTS], first[FAULTS];
	float steady_step, fade_step;
};

static void fault(struct judge *judge, enum fault kind, uint64_t times) {
	if (judge->counts[kind] == 0)
		judge->first[kind] = judge->frame;
	judge->counts[kind] += times;
}

static bool number_of(const float *frame, uint64_t *number) {
	double low = (double)frame[6] * LOW, high = (double)frame[7] * LOW;
	if (!(low >= 0 && low < LOW && high >= 0 && high < LOW) || low != floor(low) ||
		high != floor(high))
		return false;
	*number = (uint64_t)high * LOW + (uint64_t)low;
	return true;
}

static void fault_before(struct judge *judge, enum fault kind, uint64_t times) {
	judge->frame--;
	fault(judge, kind, times);
	judge->frame++;
}

/* One that is elsewhere may be a fault of its own; when the next goes on from there, it is there.
 */
static void count_frame(struct judge *judge, const float *frame) {
	uint64_t number;
	if (!number_of(frame, &number)) {
		fault(judge, GARBLED, 1);
		judge->off = 0;
		return;
	}
	int64_t off = (int64_t)(number - judge->frame);
	if (off == 0) {
		if (judge->off != 0)
			fault_before(judge, GARBLED, 1);
		judge->off = 0;
		return;
	}
	if (off != judge->off) {
		if (judge->off != 0)
			fault_before(judge, GARBLED, 1);
		judge->off = off;
		return;
	}
	fault_before(judge, off > 0 ? MISSING : DOUBLED, (uint64_t)llabs(off));
	judge->frame = number;
	judge->off = 0;
}

static float larger(float a, float b) {
	return a > b ? a : b;
}

static bool same(const float *a, const float *b) {
	return a[0] == b[0] && a[1] == b[1];
}

static void compare(struct judge *judge, const float *frame) {
	const float *heard = frame, *one = frame + 2, *two = frame + 4;
	bool steady = same(heard, one) || same(heard, two);
	if (!steady && heard[0] == 0 && heard[1] == 0) {
		fault(judge, MUTE, 1);
	} else if (!steady) {
		bool between = judge->in_fade < judge->longest;
		for (int c = 0; c < 2; c++)
			between = between && heard[c] >= fminf(one[c], two[c]) - DUST &&
				heard[c] <= fmaxf(one[c], two[c]) + DUST;
		if (!between)
			fault(judge, WRONG, 1);
	}
	judge->fades += !steady && judge->in_fade == 0;
	judge->in_fade = steady ? 0 : judge->in_fade + 1;
	bool steep = false;
	for (int c = 0; c < 2; c++) {
		float step = fabsf(heard[c] - judge->last[c]);
		float step_one = fabsf(one[c] - judge->last[c + 2]);
		float step_two = fabsf(two[c] - judge->last[c + 4]);
		float most = larger(step_one, step_two);
		judge->steady_step = larger(judge->steady_step, most);
		if (judge->in_fade > 0)
			judge->fade_step = larger(judge->fade_step, step);
		steep = steep ||
			step > most + fabsf(one[c] - two[c]) / (float)judge->fade + 2 * DUST;
	}
	if (steep)
		fault(judge, STEEP, 1);
}

static void hear(struct judge *judge, const float *frame) {
	const float zeros[2] = {0, 0};
	bool sounds = !same(frame, zeros) || !same(frame + 2, zeros) || !same(frame + 4, zeros);
	if (!judge->began && !(sounds && number_of(frame, &judge->frame)))
		return;
	if (judge->began) {
		judge->frame++;
		count_frame(judge, frame);
		compare(judge, frame);
	} else {
		judge->began = true;
		judge->quiet = QUIET;
	}
	bool quiet = fabsf(frame[0]) < SILENT && fabsf(frame[1]) < SILENT;
	if (!quiet && judge->quiet >= QUIET) {
		printf("onset %" PRIu64 "\n", judge->frame);
		fflush(stdout);
	}
	judge->quiet = quiet ? judge->quiet + 1 : 0;
	judge->frames++;
	for (int c = 0; c < CHANNELS; c++)
		judge->last[c] = frame[c];
}

int main(int argc, char **argv) {
	static float frames[4096][CHANNELS];
	static struct judge judge;
	FILE *file = argc == 4 ? fopen(argv[1], "rb") : NULL;
	judge.fade = file ? strtoull(argv[2], NULL, 10) : 0;
	judge.longest = file ? strtoull(argv[3], NULL, 10) : 0;
	if (judge.fade == 0) {
		fprintf(stderr, "usage: judge FILE FADE LONGEST\n");
		return 2;
	}
	size_t count;
	while ((count = fread(
			frames, sizeof(frames[0]), sizeof(frames) / sizeof(frames[0]), file)) > 0) {
		for (size_t i = 0; i < count; i++)
			hear(&judge, frames[i]);
	}
	fclose(file);
	if (judge.off != 0)
		fault(&judge, GARBLED, 1);
	printf("{\"frames\": %" PRIu64 ", \"last\": %" PRIu64 ", \"fades\": %" PRIu64
	       ", \"steady_step\": %g, \"fade_step\": %g",
		judge.frames, judge.frame, judge.fades, (double)judge.steady_step,
		(double)judge.fade_step);
	for (int i = 0; i < FAULTS; i++) {
		printf(", \"%s\": %" PRIu64, fault_names[i], judge.counts[i]);
		if (judge.counts[i] > 0)
			printf(", \"%s_first\": %" PRIu64, fault_names[i], judge.first[i]);
	}
	printf("}\n");
	return 0;
}

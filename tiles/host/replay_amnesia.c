/* SPDX-License-Identifier: MIT */
/* The amnesia test: which handover is the first that loses something. */
#include "replay.h"

/* Handovers in one run of the first search, at most, unless asked otherwise. */
#define HANDOVERS_MAX 100

struct search {
	struct replay_run run;
	struct replay_result *result;
};

static bool lost(const struct replay_result *result) {
	return result->end != REPLAY_DONE || result->difference_count > 0;
}

static bool loses_alone(struct search *search, uint64_t step) {
	search->run.only = step;
	replay_run(&search->run, search->result);
	return lost(search->result);
}

/*
 * What is outside of the cells was put there by some operation: every handover from that one on
 * loses it, and those before do not. So the earliest one is found by halving.
 */
static uint64_t earliest(struct search *search, uint64_t loses) {
	uint64_t keeps = 0; /* the next one may be the earliest */
	if (loses > 0 && loses_alone(search, 0)) {
		return 0;
	}
	while (loses > keeps + 1) {
		uint64_t middle = keeps + (loses - keeps) / 2;
		if (loses_alone(search, middle)) {
			loses = middle;
		} else {
			keeps = middle;
		}
	}
	return loses;
}

void replay_amnesia(const struct recording *recording, int artifact, uint64_t every,
	const int frames[REPLAY_PICTURES], struct replay_result *result, uint64_t *handover) {
	uint64_t steps = replay_steps(recording);
	struct search search = {
		.run = {.recording = recording,
			.artifacts = {artifact, artifact},
			.every = every > 0 ? every : steps / HANDOVERS_MAX + 1,
			.only = REPLAY_NO_STEP,
			.last = REPLAY_NO_STEP,
			.first_only = true,
			.amnesia = true,
			.frames = {-1, -1, -1, -1}},
		.result = result,
	};
	*handover = REPLAY_NO_STEP;
	replay_run(&search.run, result);
	if (!lost(result) || result->handovers == 0) {
		return;
	}
	struct replay_result all = *result;
	search.run.last = result->step;
	/* The last one before the difference is the likeliest. */
	uint64_t last = result->last_handover;
	uint64_t step = search.run.every;
	while (!loses_alone(&search, last) && last >= step) {
		last -= step;
	}
	if (!lost(result)) {
		/* It takes several of them. */
		*result = all;
		*handover = all.last_handover;
		return;
	}
	*handover = earliest(&search, last);
	/* Once more to the end, for all that is lost by it. */
	search.run.last = REPLAY_NO_STEP;
	search.run.first_only = false;
	for (int i = 0; i < REPLAY_PICTURES; i++) {
		search.run.frames[i] = frames[i];
	}
	loses_alone(&search, *handover);
}

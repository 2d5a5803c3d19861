/* SPDX-License-Identifier: MIT */
/* A run: two sides through a recording, in a process of its own. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay.h"

/* Checks of the tile's own, of each side. */
#define CHECK_EVERY 64

struct replay_result *replay_result_new(void) {
	void *result = mmap(NULL, sizeof(struct replay_result), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return result == MAP_FAILED ? NULL : result;
}

void replay_result_free(struct replay_result *result) {
	if (result) {
		munmap(result, sizeof(*result));
	}
}

/* ---- steps */

/* Attaches and the like that were recorded on the way are no steps: they are what is varied. */
static bool is_step(const struct recording_event *event) {
	return event->type == RECORDING_UPDATE || event->type == RECORDING_DRAW ||
		event->type == RECORDING_INPUT || event->type == RECORDING_READY ||
		event->type == RECORDING_RENDER;
}

uint64_t replay_steps(const struct recording *recording) {
	uint64_t at = 0, steps = 0;
	const struct recording_event *event;
	while ((event = recording_next(recording, &at))) {
		steps += is_step(event);
	}
	return steps;
}

static void describe_input(const struct tile_input *input, char *text, size_t size) {
	static const char *const names[] = {
		[TILE_INPUT_FOCUS] = "focus",
		[TILE_INPUT_KEY] = "key",
		[TILE_INPUT_POINTER_ENTER] = "the pointer comes",
		[TILE_INPUT_POINTER_LEAVE] = "the pointer goes",
		[TILE_INPUT_POINTER_MOTION] = "motion",
		[TILE_INPUT_POINTER_BUTTON] = "button",
		[TILE_INPUT_SCROLL] = "scroll",
		[TILE_INPUT_PASTE] = "paste",
		[TILE_INPUT_SIZE] = "size",
		[TILE_INPUT_STREAM_END] = "end of a stream",
		[TILE_INPUT_FILE] = "a file has changed",
	};
	static const char *const states[] = {"released", "pressed", "repeated"};
	const char *name = names[input->type];
	switch (input->type) {
	case TILE_INPUT_KEY:
		snprintf(
			text, size, "%s %u %s", name, input->key.keycode, states[input->key.state]);
		break;
	case TILE_INPUT_POINTER_BUTTON:
		snprintf(text, size, "%s %u %s", name, input->pointer.button,
			states[input->pointer.pressed]);
		break;
	case TILE_INPUT_SIZE:
		snprintf(text, size, "%s %d by %d", name, input->size.width, input->size.height);
		break;
	case TILE_INPUT_PASTE:
		snprintf(text, size, "%s of %zu bytes", name, input->paste.size);
		break;
	default:
		snprintf(text, size, "%s", name);
		break;
	}
}

void replay_describe_step(
	const struct recording *recording, uint64_t step, char *text, size_t size) {
	uint64_t at = 0, number = 0;
	const struct recording_event *event = recording_next(recording, &at);
	if (!event) {
		snprintf(text, size, "nothing");
		return;
	}
	uint64_t began = ((const struct recording_attach *)recording_data(event))->at.time.now_ns;
	while (event && !(is_step(event) && ++number == step)) {
		event = recording_next(recording, &at);
	}
	if (!event) {
		snprintf(text, size, "attach");
		return;
	}
	struct recording_moment at_time;
	memcpy(&at_time, recording_data(event), sizeof(at_time));
	char what[96] = "";
	size_t name_size;
	if (event->type == RECORDING_INPUT) {
		describe_input(&((const struct recording_input *)recording_data(event))->input,
			what, sizeof(what));
	} else if (event->type == RECORDING_READY) {
		snprintf(what, sizeof(what), "%s",
			recording_text(event, sizeof(at_time), &name_size));
	}
	snprintf(text, size, "%s%s%s, at %.3f s", recording_type_name(event->type),
		*what ? ": " : "", what, (double)(at_time.time.now_ns - began) / 1e9);
}

/* ---- in the process */

struct course {
	const struct replay_run *run;
	struct replay_result *result;
	struct replay_side sides[REPLAY_SIDES];
	struct replay_comparison comparison;
};

static void compare(struct course *course, bool frame) {
	replay_compare_cells(&course->comparison, false);
	replay_compare_sound(&course->comparison);
	replay_compare_rest(&course->comparison);
	if (frame) {
		replay_compare_frame(&course->comparison);
	}
	for (int i = 0; i < REPLAY_SIDES; i++) {
		struct replay_side *side = &course->sides[i];
		side->all_written = false;
	}
}

static bool check(struct course *course) {
	return replay_side_check(&course->sides[REPLAY_LEFT]) &&
		replay_side_check(&course->sides[REPLAY_RIGHT]);
}

static bool hand_over(struct course *course) {
	struct replay_result *result = course->result;
	struct replay_side *side = &course->sides[REPLAY_RIGHT];
	if (!replay_side_quiesce(side)) {
		result->refused++;
		return true;
	}
	/* What was only put into cells now is not different: the other side has it elsewhere. */
	replay_compare_cells(&course->comparison, true);
	result->handovers++;
	if (result->difference_count == 0) {
		result->last_handover = result->step;
	}
	if (!replay_side_renew(side)) {
		return false;
	}
	/* Whoever has attached has done what was due; the other one would do it a little later. */
	replay_side_catch_up(&course->sides[REPLAY_LEFT]);
	course->comparison.at_handover = true;
	compare(course, false);
	/* The first frame of the new version, at once. */
	for (int i = 0; i < REPLAY_SIDES; i++) {
		replay_side_draw(&course->sides[i]);
	}
	result->frames++;
	compare(course, true);
	course->comparison.at_handover = false;
	return check(course);
}

static bool wants_handover(const struct course *course) {
	const struct replay_run *run = course->run;
	uint64_t step = course->result->step;
	return run->only != REPLAY_NO_STEP ? step == run->only
					   : run->every > 0 && step % run->every == 0;
}

static uint64_t sum_of_cells(const struct replay_side *side) {
	const struct host *host = &side->instance->host;
	uint64_t sum = 0xcbf29ce484222325ull;
	for (uint32_t i = 0; i < host->descriptor.cell_count; i++) {
		const uint8_t *bytes = host->cells[i];
		uint64_t size = host->cell_counts[i] * host->descriptor.cells[i].stride;
		for (uint64_t n = 0; n < size; n++) {
			sum = (sum ^ bytes[n]) * 0x100000001b3ull;
		}
	}
	return sum;
}

static void trace(const struct course *course) {
	char text[160];
	const struct replay_side *side = &course->sides[REPLAY_RIGHT];
	uint64_t step = course->result->step, written = 0, sum = 0xcbf29ce484222325ull;
	replay_describe_step(course->run->recording, step, text, sizeof(text));
	for (size_t i = 0; i < (size_t)side->width * (size_t)side->height && side->pixels; i++) {
		sum = (sum ^ side->pixels[i]) * 0x100000001b3ull;
	}
	for (size_t i = 0; i < side->stream_count; i++) {
		written += side->streams[i].written;
	}
	printf("%lu %s; cells %016lx, frame %lu %016lx, %lu bytes written\n", (unsigned long)step,
		text, (unsigned long)sum_of_cells(side), (unsigned long)course->result->frames,
		(unsigned long)sum, (unsigned long)written);
}

/* Where the operation that begins at event ends: *at moves behind it. */
static uint64_t operation_end(const struct recording *recording, uint64_t *at) {
	uint64_t end = *at;
	const struct recording_event *event;
	while ((event = recording_next(recording, at))) {
		if (event->type == RECORDING_END) {
			return *at;
		}
		end = *at;
	}
	return end;
}

static void take_options(struct replay_side *side, const struct recording_event *event) {
	side->attach = recording_data(event);
	side->options = recording_text(event, sizeof(*side->attach), &side->attach_options);
}

/* The state as it was, the streams that there were, and attach as it was called. */
static bool begin(
	struct course *course, const struct recording_event *event, uint64_t nested, uint64_t end) {
	const struct recording *recording = course->run->recording;
	const struct recording_attach *attach = recording_data(event);
	for (int i = 0; i < REPLAY_SIDES; i++) {
		struct replay_side *side = &course->sides[i];
		side->name = (enum replay_side_name)i;
		if (!replay_side_begin(
			    side, recording, course->run->artifacts[i], course->result)) {
			return false;
		}
		take_options(side, event);
		side->at = attach->at;
		side->size = attach->size;
		side->transport = attach->transport;
		replay_feed(side, nested, end);
		uint64_t at = end;
		const struct recording_event *next;
		while ((next = recording_next(recording, &at)) &&
			next->type == RECORDING_STREAM_THERE) {
			size_t size;
			struct replay_stream *stream =
				replay_stream(side, recording_text(next, 0, &size));
			if (stream) {
				stream->there = true;
			}
		}
		if (!replay_side_attach(side, attach->reason)) {
			return false;
		}
	}
	compare(course, false);
	return true;
}

/* False at the end of the run. */
static bool step(struct course *course, const struct recording_event *event, uint64_t *at) {
	struct replay_result *result = course->result;
	uint64_t nested = *at, end = operation_end(course->run->recording, at);
	result->step++;
	result->steps++;
	result->frames += event->type == RECORDING_DRAW;
	for (int i = 0; i < REPLAY_SIDES; i++) {
		replay_side_step(&course->sides[i], event, nested, end);
	}
	compare(course, event->type == RECORDING_DRAW);
	if (course->run->trace) {
		trace(course);
	}
	if (result->step % CHECK_EVERY == 0 && !check(course)) {
		return false;
	}
	if (wants_handover(course) && !hand_over(course)) {
		return false;
	}
	return result->step < course->run->last &&
		!(course->run->first_only && result->difference_count > 0);
}

/* Between steps: *at moves behind what it is. */
static void pass(struct course *course, const struct recording_event *event, uint64_t *at) {
	uint64_t nested = *at;
	if (event->type == RECORDING_SIZE) {
		for (int i = 0; i < REPLAY_SIDES; i++) {
			replay_side_size(&course->sides[i], recording_data(event));
		}
	} else if (event->type == RECORDING_TRANSPORT) {
		for (int i = 0; i < REPLAY_SIDES; i++) {
			replay_side_transport(&course->sides[i], recording_data(event));
		}
	} else if (recording_is_operation(event->type)) {
		uint64_t end = operation_end(course->run->recording, at);
		for (int i = 0; i < REPLAY_SIDES; i++) {
			struct replay_side *side = &course->sides[i];
			if (event->type == RECORDING_ATTACH) {
				take_options(side, event);
				replay_side_size(side, &side->attach->size);
				replay_side_transport(side, &side->attach->transport);
			}
			replay_feed(side, nested, end);
		}
	}
}

static void go(struct course *course) {
	const struct recording *recording = course->run->recording;
	struct replay_result *result = course->result;
	uint64_t at = 0;
	const struct recording_event *event = recording_next(recording, &at);
	if (!event) {
		snprintf(result->why, sizeof(result->why), "nothing is in the recording");
		result->end = REPLAY_REFUSED;
		return;
	}
	uint64_t nested = at, end = operation_end(recording, &at);
	bool goes_on = begin(course, event, nested, end);
	if (goes_on && wants_handover(course)) {
		goes_on = hand_over(course);
	}
	while (goes_on && (event = recording_next(recording, &at))) {
		if (is_step(event)) {
			goes_on = step(course, event, &at);
		} else {
			pass(course, event, &at);
		}
	}
	if (result->end == REPLAY_RUNNING && check(course)) {
		result->end = REPLAY_DONE;
	}
}

_Noreturn static void run_here(const struct replay_run *run, struct replay_result *result) {
	static struct course course;
	/* What a version did not write is never what another one left there. */
	mallopt(M_PERTURB, 0xa5);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct host *nobody = calloc(1, sizeof(*nobody));
	if (!nobody) {
		_exit(1);
	}
	static const struct recording_moment nobodys;
	host_init(nobody);
	nobody->told = &nobodys;
	host_crash_install(nobody);
	host_prewarm(nobody); /* what tiles find in every host */
	replay_services_init();
	host_confine();
	course.run = run;
	course.result = result;
	course.comparison = (struct replay_comparison){
		.sides = {&course.sides[REPLAY_LEFT], &course.sides[REPLAY_RIGHT]},
		.result = result,
		.amnesia = run->amnesia,
	};
	memcpy(course.comparison.frames, run->frames, sizeof(run->frames));
	go(&course);
	if (result->end == REPLAY_DONE) {
		for (int i = 0; i < REPLAY_SIDES; i++) {
			replay_side_finish(&course.sides[i]);
		}
	}
	fflush(NULL);
	_exit(0);
}

void replay_run(const struct replay_run *run, struct replay_result *result) {
	memset(result, 0, sizeof(*result));
	result->last_handover = REPLAY_NO_STEP;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		run_here(run, result);
	}
	int status = 0;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	if (pid < 0) {
		snprintf(result->why, sizeof(result->why), "no process can be started: %s",
			strerror(errno));
		result->end = REPLAY_REFUSED;
	} else if (WIFSIGNALED(status)) {
		result->end = REPLAY_CRASHED;
		result->signal = WTERMSIG(status);
	} else if (WEXITSTATUS(status) == HOST_EXIT_STUCK) {
		result->end = REPLAY_HUNG;
	} else if (WEXITSTATUS(status) != 0 || result->end == REPLAY_RUNNING) {
		/* A sanitizer, or an exit that no tile has. */
		result->end = REPLAY_CRASHED;
		result->signal = 0;
	}
}

/* SPDX-License-Identifier: MIT */
/* What a replay found, for people and as JSON. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "replay.h"

struct recording_facts {
	uint64_t steps, draws;
	double seconds;
	char hash[RECORDING_HASH];
};

static struct recording_facts facts_of(const struct recording *recording) {
	struct recording_facts facts = {.steps = replay_steps(recording)};
	uint64_t at = 0, began = 0, ended = 0;
	const struct recording_event *event;
	while ((event = recording_next(recording, &at))) {
		struct tile_time time;
		if (event->type == RECORDING_ATTACH) {
			const struct recording_attach *attach = recording_data(event);
			time = attach->at.time;
			snprintf(facts.hash, sizeof(facts.hash), "%s", attach->hash);
		} else if (recording_is_operation(event->type)) {
			memcpy(&time, recording_data(event), sizeof(time));
		} else {
			continue;
		}
		began = began ? began : time.now_ns;
		ended = time.now_ns;
		facts.draws += event->type == RECORDING_DRAW;
	}
	facts.seconds = ended > began ? (double)(ended - began) / 1e9 : 0;
	return facts;
}

static void json_text(const char *name, const char *value) {
	printf(",\"%s\":", name);
	host_print_json(value);
}

static void json_number(const char *name, uint64_t value) {
	printf(",\"%s\":%lu", name, (unsigned long)value);
}

void replay_report_recording(const struct replay_report *report) {
	const struct recording_header *header = &report->recording->header;
	struct recording_facts facts = facts_of(report->recording);
	if (report->json) {
		printf("{\"event\":\"recording\"");
		json_text("tile", header->name);
		json_text("artifact", facts.hash);
		json_number("steps", facts.steps);
		json_number("draws", facts.draws);
		printf(",\"seconds\":%.3f,\"cut\":%s", facts.seconds,
			header->flags & RECORDING_CUT ? "true" : "false");
		json_number("state_bytes", header->base_used);
		puts("}");
		return;
	}
	printf("recording of %s: %lu operations in %.1f s, %lu of them draw%s\n",
		*header->name ? header->name : "a tile", (unsigned long)facts.steps, facts.seconds,
		(unsigned long)facts.draws,
		header->flags & RECORDING_CUT ? "; it ends where there was no more room" : "");
}

/* ---- differences */

static const char *kind_name(uint32_t kind) {
	static const char *const names[] = {
		[REPLAY_CELL] = "cell",
		[REPLAY_FRAME] = "frame",
		[REPLAY_STREAM] = "stream",
		[REPLAY_REQUEST] = "request",
		[REPLAY_SOUND] = "sound",
	};
	return names[kind];
}

static void print_difference(const struct replay_report *report,
	const struct replay_difference *difference, const char *left, const char *right) {
	char step[160];
	replay_describe_step(report->recording, difference->step, step, sizeof(step));
	switch (difference->kind) {
	case REPLAY_CELL:
		printf("  cell %s%s%s", difference->name, *difference->scope ? "@" : "",
			difference->scope);
		if (*difference->field) {
			printf(", element %lu, field %s", (unsigned long)difference->element,
				difference->field);
		}
		if (difference->count > 1) {
			printf("[%u]", difference->index);
		}
		break;
	case REPLAY_FRAME:
		printf("  frame %lu, %u pixels, the first at %s", (unsigned long)difference->frame,
			difference->count, difference->field);
		break;
	case REPLAY_STREAM:
		printf("  stream %s", difference->name);
		break;
	case REPLAY_SOUND:
		printf("  sound of %s, %u samples, the first at frame %lu, channel %lu",
			difference->name, difference->count, (unsigned long)difference->frame,
			(unsigned long)difference->element);
		break;
	default:
		printf("  %s", difference->name);
		break;
	}
	printf(": %s: %s; %s: %s\n    %s operation %lu (%s)\n", left, difference->left, right,
		difference->right, difference->at_handover ? "by the handover after" : "at",
		(unsigned long)difference->step, step);
}

static void print_json_difference(
	const struct replay_report *report, const struct replay_difference *difference) {
	char step[160];
	replay_describe_step(report->recording, difference->step, step, sizeof(step));
	printf("{\"kind\":\"%s\"", kind_name(difference->kind));
	json_number("step", difference->step);
	json_text("at", step);
	printf(",\"by_handover\":%s", difference->at_handover ? "true" : "false");
	switch (difference->kind) {
	case REPLAY_CELL:
		json_text("cell", difference->name);
		json_text("scope", difference->scope);
		json_number("element", difference->element);
		json_text("field", difference->field);
		json_number("index", difference->index);
		break;
	case REPLAY_FRAME:
		json_number("frame", difference->frame);
		json_number("pixels", difference->count);
		json_text("first_pixel", difference->field);
		break;
	case REPLAY_SOUND:
		json_text("name", difference->name);
		json_number("frame", difference->frame);
		json_number("samples", difference->count);
		json_number("channel", difference->element);
		break;
	default:
		json_text("name", difference->name);
		break;
	}
	json_text("left", difference->left);
	json_text("right", difference->right);
	putchar('}');
}

/* ---- parts */

static const char *const side_words[][REPLAY_SIDES] = {
	{"once", "again"},
	{"old", "new"},
	{"without", "with the handover"},
};

static const char *const *sides_of(const char *part) {
	return side_words[strcmp(part, "amnesia") == 0 ? 2 : strcmp(part, "against") == 0 ? 1 : 0];
}

/* How a run ended that was not run to its end. */
static void describe_end(const struct replay_report *report, const char *part,
	const struct replay_result *result, char *text, size_t size) {
	char step[160], where[256];
	replay_describe_step(report->recording, result->step, step, sizeof(step));
	snprintf(where, sizeof(where), "in %s, operation %lu (%s), %s", result->operation,
		(unsigned long)result->step, step, sides_of(part)[result->side & 1]);
	switch (result->end) {
	case REPLAY_CRASHED:
		snprintf(text, size, "crashes with %s%s %s", result->signal ? "SIG" : "an error",
			result->signal ? sigabbrev_np(result->signal) : "", where);
		break;
	case REPLAY_HUNG:
		snprintf(text, size, "does not return %s", where);
		break;
	case REPLAY_CHECK:
		snprintf(text, size, "its own check fails: %s; after %s", result->why, where);
		break;
	default:
		snprintf(text, size, "cannot be run: %s; %s", result->why, where);
		break;
	}
}

static bool part_passed(const char *part, const struct replay_result *result) {
	return result->end == REPLAY_DONE &&
		(result->difference_count == 0 || strcmp(part, "against") == 0);
}

/* One line: what it comes to. */
static void sum_up(const struct replay_report *report, const char *part,
	const struct replay_result *result, uint64_t handover, char *text, size_t size) {
	bool amnesia = strcmp(part, "amnesia") == 0, same = result->difference_count == 0;
	char step[160];
	if (result->end != REPLAY_DONE) {
		describe_end(report, part, result, text, size);
	} else if (amnesia && same) {
		char refused[64] = "";
		if (result->refused > 0) {
			snprintf(refused, sizeof(refused), " (%lu were refused by quiesce)",
				(unsigned long)result->refused);
		}
		snprintf(text, size, "%lu handovers%s: nothing is lost",
			(unsigned long)result->handovers, refused);
	} else if (amnesia) {
		replay_describe_step(report->recording, handover, step, sizeof(step));
		snprintf(text, size, "a handover after operation %lu (%s) loses state",
			(unsigned long)handover, step);
	} else if (strcmp(part, "against") == 0) {
		snprintf(text, size,
			same ? "%lu operations, %lu frames: as the old version"
			     : "%lu operations, %lu frames: differs from the old version",
			(unsigned long)result->steps, (unsigned long)result->frames);
	} else if (same) {
		snprintf(text, size, "%lu operations, %lu frames: twice the same",
			(unsigned long)result->steps, (unsigned long)result->frames);
	} else {
		snprintf(text, size, "the same input gives another result the second time");
	}
}

static bool has_kind(const struct replay_result *result, enum replay_kind kind) {
	for (uint32_t i = 0; i < result->difference_count; i++) {
		if (result->differences[i].kind == kind) {
			return true;
		}
	}
	return false;
}

bool replay_report_part(const struct replay_report *report, const char *part,
	const struct replay_result *result, uint64_t handover) {
	bool passed = part_passed(part, result);
	char text[768];
	sum_up(report, part, result, handover, text, sizeof(text));
	const char *const *sides = sides_of(part);
	if (report->json) {
		printf("{\"event\":\"part\",\"part\":\"%s\",\"ok\":%s", part,
			passed ? "true" : "false");
		json_text("text", text);
		json_number("steps", result->steps);
		json_number("frames", result->frames);
		json_number("handovers", result->handovers);
		if (handover != REPLAY_NO_STEP) {
			json_number("handover", handover);
		}
		printf(",\"differences\":[");
		for (uint32_t i = 0; i < result->difference_count; i++) {
			printf("%s", i ? "," : "");
			print_json_difference(report, &result->differences[i]);
		}
		puts("]}");
		return passed;
	}
	printf("%s: %s\n", part, text);
	for (uint32_t i = 0; i < result->difference_count; i++) {
		print_difference(report, &result->differences[i], sides[0], sides[1]);
	}
	if (has_kind(result, REPLAY_FRAME) && !has_kind(result, REPLAY_CELL)) {
		puts("  No cell differs: what is drawn there comes from outside of the cells.");
	}
	if (has_kind(result, REPLAY_SOUND) && !has_kind(result, REPLAY_CELL)) {
		puts("  No cell differs: what is heard there comes from outside of the cells.");
	}
	return passed;
}

void replay_report_end(const struct replay_report *report, bool passed, const char *failed_part,
	const struct replay_result *result) {
	if (report->json) {
		printf("{\"event\":\"result\",\"ok\":%s", passed ? "true" : "false");
		if (!passed) {
			json_text("failed", failed_part);
		}
		puts("}");
	} else if (passed) {
		printf("ok: %s passes\n", report->artifact);
	} else if (result->end == REPLAY_DONE && strcmp(failed_part, "amnesia") == 0) {
		printf("failed: %s keeps state outside of its cells; see docs/writing-a-tile.md\n",
			report->artifact);
	} else if (result->end == REPLAY_DONE) {
		printf("failed: %s depends on more than its input; see docs/writing-a-tile.md\n",
			report->artifact);
	} else {
		char text[512];
		describe_end(report, failed_part, result, text, sizeof(text));
		printf("failed: %s %s\n", report->artifact, text);
	}
}

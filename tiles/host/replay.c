/* SPDX-License-Identifier: MIT */
/* source-city-tile --replay */
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static const char usage[] =
	"usage: source-city-tile --replay FILE ARTIFACT [--against OLD] [--amnesia [--every N]] "
	"[--no-repeat]\n"
	"                        [--trace] [--frames FOLDER] [--name NAME] [--json]\n";

struct options {
	const char *file, *artifact, *against, *frames, *name;
	uint64_t every;
	bool amnesia, no_repeat, trace, json;
};

/* Usable after wrong usage, or what could not be read. */
#define UNUSABLE 2

static int open_file(const char *path) {
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		fprintf(stderr, "source-city-tile: %s: %s\n", path, strerror(errno));
	}
	return fd;
}

static bool open_frames(const char *folder, int frames[REPLAY_PICTURES]) {
	static const char *const names[REPLAY_PICTURES] = {
		"before.ppm", "left.ppm", "right.ppm", "difference.ppm"};
	for (size_t i = 0; i < REPLAY_PICTURES && folder; i++) {
		char *path = NULL;
		if (asprintf(&path, "%s/%s", folder, names[i]) < 0) {
			abort();
		}
		frames[i] = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (frames[i] < 0) {
			fprintf(stderr, "source-city-tile: %s: %s\n", path, strerror(errno));
		}
		free(path);
		if (frames[i] < 0) {
			return false;
		}
	}
	return true;
}

/* What is refused before it is run is said in the same words as when it is to go live. */
static bool is_tile(const char *path, int fd) {
	struct elf_report elf = {0};
	bool good = elf_inspect(fd, &elf) && elf_resolve(&elf);
	if (!good) {
		fprintf(stderr, "source-city-tile: %s: %s\n", path, elf.why);
	}
	elf_report_finish(&elf);
	return good;
}

static bool parse(int argc, char **argv, struct options *options) {
	enum { REPLAY, AGAINST, AMNESIA, EVERY, NO_REPEAT, TRACE, FRAMES, NAME, JSON };
	static const struct option known[] = {
		{"replay", required_argument, NULL, REPLAY},
		{"against", required_argument, NULL, AGAINST},
		{"amnesia", no_argument, NULL, AMNESIA},
		{"every", required_argument, NULL, EVERY},
		{"no-repeat", no_argument, NULL, NO_REPEAT},
		{"trace", no_argument, NULL, TRACE},
		{"frames", required_argument, NULL, FRAMES},
		{"name", required_argument, NULL, NAME},
		{"json", no_argument, NULL, JSON},
		{0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		char *end = NULL;
		switch (option) {
		case REPLAY:
			options->file = optarg;
			break;
		case AGAINST:
			options->against = optarg;
			break;
		case AMNESIA:
			options->amnesia = true;
			break;
		case EVERY:
			options->every = strtoull(optarg, &end, 10);
			if (!options->every || *end) {
				fprintf(stderr,
					"source-city-tile: --every needs a number from 1\n");
				return false;
			}
			break;
		case NO_REPEAT:
			options->no_repeat = true;
			break;
		case TRACE:
			options->trace = true;
			break;
		case FRAMES:
			options->frames = optarg;
			break;
		case NAME:
			options->name = optarg;
			break;
		case JSON:
			options->json = true;
			break;
		default:
			return false;
		}
	}
	options->artifact = optind < argc ? argv[optind] : NULL;
	return options->file && options->artifact && optind + 1 == argc;
}

/* The parts of the test in their order; the first that fails ends it. */
static int test(const struct options *options, const struct recording *recording, int artifact,
	int against, const int frames[REPLAY_PICTURES]) {
	struct replay_result *result = replay_result_new();
	if (!result) {
		fprintf(stderr, "source-city-tile: out of memory\n");
		return UNUSABLE;
	}
	const struct replay_report report = {
		.json = options->json,
		.recording = recording,
		.artifact = options->name ? options->name : options->artifact,
	};
	struct replay_run run = {
		.recording = recording,
		.artifacts = {artifact, artifact},
		.only = REPLAY_NO_STEP,
		.last = REPLAY_NO_STEP,
		.trace = options->trace && !options->json,
		.frames = {-1, -1, -1, -1},
	};
	const char *part = "replay";
	bool passed = true;
	replay_report_recording(&report);
	if (!options->no_repeat) {
		replay_run(&run, result);
		passed = replay_report_part(&report, part, result, REPLAY_NO_STEP);
	}
	if (passed && against >= 0) {
		part = "against";
		run.artifacts[REPLAY_LEFT] = against;
		memcpy(run.frames, frames, sizeof(run.frames));
		replay_run(&run, result);
		passed = replay_report_part(&report, part, result, REPLAY_NO_STEP);
	}
	if (passed && options->amnesia) {
		uint64_t handover;
		part = "amnesia";
		replay_amnesia(recording, artifact, options->every, frames, result, &handover);
		passed = replay_report_part(&report, part, result, handover);
	}
	replay_report_end(&report, passed, part, result);
	replay_result_free(result);
	return passed ? 0 : 1;
}

int host_replay(int argc, char **argv) {
	struct options options = {0};
	if (!parse(argc, argv, &options)) {
		fputs(usage, stderr);
		return UNUSABLE;
	}
	struct recording recording = {0};
	struct vat_error error;
	int frames[REPLAY_PICTURES] = {-1, -1, -1, -1}, against = -1, status = UNUSABLE;
	int file = open_file(options.file), artifact = open_file(options.artifact);
	if (file < 0 || artifact < 0 || !open_frames(options.frames, frames)) {
		goto out;
	}
	if (options.against && (against = open_file(options.against)) < 0) {
		goto out;
	}
	if (recording_load(file, &recording, &error) < 0) {
		fprintf(stderr, "source-city-tile: %s: %s\n", options.file, error.text);
		goto out;
	}
	if (!is_tile(options.artifact, artifact) ||
		(against >= 0 && !is_tile(options.against, against))) {
		goto out;
	}
	status = test(&options, &recording, artifact, against, frames);
out:
	recording_finish(&recording);
	const int fds[] = {file, artifact, against, frames[0], frames[1], frames[2], frames[3]};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
	}
	return status;
}

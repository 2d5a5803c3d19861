/* SPDX-License-Identifier: MIT */
/*
 * source-city-forge: turns source folders into artifacts. Without arguments it is the builder of
 * the city that started it; `source-city-forge build FOLDER` builds once, without a city.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge/builder.h"
#include "forge/job.h"
#include "vat/log.h"

static const char usage_text[] =
	"usage: source-city-forge                           build for the city that started it\n"
	"       source-city-forge build FOLDER [-o FILE]    build once and print the artifact's "
	"path\n"
	"       source-city-forge --help | --version\n";

struct program {
	struct forge forge;
	bool ended;
	int status;
	const char *copy_to; /* of the command build */
};

static int handle_signal(int number, void *data) {
	struct program *program = data;
	program->ended = true;
	program->status = program->copy_to != nullptr ? 128 + number : program->status;
	return 0;
}

static void handle_city_ended(void *data) {
	struct program *program = data;
	program->ended = true;
}

static void run(struct program *program) {
	struct wl_event_source *signals[] = {
		wl_event_loop_add_signal(program->forge.loop, SIGINT, handle_signal, program),
		wl_event_loop_add_signal(program->forge.loop, SIGTERM, handle_signal, program),
	};
	while (true) {
		/* The loop would sleep after its idle tasks, and these may end the program. */
		wl_event_loop_dispatch_idle(program->forge.loop);
		if (program->ended)
			break;
		if (wl_event_loop_dispatch(program->forge.loop, -1) < 0 && errno != EINTR) {
			city_log(CITY_LOG_ERROR, "forge", "event loop: %s", strerror(errno));
			program->status = 1;
			break;
		}
	}
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		wl_event_source_remove(signals[i]);
}

static int serve(struct program *program) {
	struct builder *builder = builder_create(&program->forge, handle_city_ended, program);
	if (builder == nullptr)
		return 1;
	run(program);
	builder_destroy(builder);
	return program->status;
}

/* ---- source-city-forge build */

/* 0 or an errno. */
static int copy_artifact(int from, const char *path) {
	struct buffer content = {};
	char name[64];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", from);
	int error = file_read(AT_FDCWD, name, SIZE_MAX / 8, &content);
	if (error == 0)
		error = file_replace(path, content.data, content.size);
	if (error == 0 && chmod(path, 0644) != 0)
		error = errno;
	buffer_finish(&content);
	return error;
}

static void handle_started(void *data, struct job *job) {
}

static void handle_done(void *data, struct job *job, struct build_result *result) {
	struct program *program = data;
	program->ended = true;
	fwrite(result->output.data, 1, result->output.size, stderr);
	if (!result->good) {
		/* The compiler's own first error needs no repetition. */
		if (result->output.size == 0 ||
			strstr(result->output.data, result->reason) == nullptr)
			fprintf(stderr, "source-city-forge: %s\n", result->reason);
		return;
	}
	program->status = 0;
	if (program->copy_to[0] == '\0') {
		printf("%s/%s.so\n", program->forge.setup.store_dir, result->hash);
		return;
	}
	int error = copy_artifact(result->artifact, program->copy_to);
	if (error != 0) {
		fprintf(stderr, "source-city-forge: %s: %s\n", program->copy_to, strerror(error));
		program->status = 1;
		return;
	}
	printf("%s\n", program->copy_to);
}

static const struct job_listener once = {.started = handle_started, .done = handle_done};

static int build_once(struct program *program, const char *folder) {
	char *absolute = realpath(folder, nullptr);
	char *here = absolute == nullptr ? getcwd(nullptr, 0) : nullptr;
	if (here != nullptr && folder[0] != '/')
		absolute = text_format("%s/%s", here, folder);
	free(here);
	program->status = 1;
	struct job *job = job_create(&program->forge, 1, "build",
		absolute != nullptr ? absolute : folder, false, nullptr, &once, program);
	run(program);
	job_destroy(job);
	free(absolute);
	return program->status;
}

/* ---- main */

static int usage_error(const char *what) {
	fprintf(stderr, "source-city-forge: %s\n%s", what, usage_text);
	return 2;
}

int main(int argc, char **argv) {
	const char *folder = nullptr;
	struct program program = {};
	if (argc == 2 && strcmp(argv[1], WORKER_WORD) == 0)
		return worker_main();
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("source-city-forge " CITY_VERSION);
		return 0;
	}
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage_text, stdout);
		return 0;
	}
	if (argc > 1) {
		if (strcmp(argv[1], "build") != 0)
			return usage_error("no such command");
		if (argc == 3) {
			program.copy_to = "";
		} else if (argc == 5 &&
			(strcmp(argv[3], "-o") == 0 || strcmp(argv[3], "--output") == 0)) {
			program.copy_to = argv[4];
		} else {
			return usage_error("build needs one folder");
		}
		folder = argv[2];
	}

	city_log_program("forge");
	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0) {
		city_log(CITY_LOG_ERROR, "forge", "libsodium does not start");
		return 1;
	}
	if (!forge_init(&program.forge))
		return 1;
	int status = folder != nullptr ? build_once(&program, folder) : serve(&program);
	forge_finish(&program.forge);
	return status;
}

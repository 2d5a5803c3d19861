/* SPDX-License-Identifier: MIT */
/* record, test: what went into a tile, and what becomes of it in another process */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl.h"
#include "recording_copy.h"
#include "source-city-control-v1-client-protocol.h"

#define WORDS_MAX 24

/* ---- recordings */

/* Writes the tile's recording, as it is now. CTL_OK, or CTL_FAILED after saying why. */
static int write_recording(struct ctl *ctl, const struct tile *tile, int fd) {
	struct request request;
	struct vat_error error;
	request_begin(&request, ctl, source_city_tile_handle_v1_get_recording(tile->handle));
	request_wait(&request, NULL);
	int status = request_status(&request, tile->name);
	if (status == CTL_OK && request.recording < 0)
		status = ctl_fail_tile(ctl, tile->name, "recording", "the city sent no recording");
	if (status == CTL_OK && recording_copy(request.recording, fd, &error) < 0)
		status = ctl_fail_tile(ctl, tile->name, "recording", error.text);
	request_finish(&request);
	return status;
}

static struct tile *connect_tile(struct ctl *ctl) {
	return ctl_connect(ctl) == CTL_OK ? ctl_tile(ctl, ctl->words[0]) : NULL;
}

int command_record(struct ctl *ctl) {
	struct draft draft;
	const struct tile *tile = connect_tile(ctl);
	const char *path = ctl->words[1];
	if (tile == NULL)
		return CTL_FAILED;
	/* For nobody else: keys that were typed are in it. */
	int status = draft_open(&draft, ctl, "record", path);
	if (status != CTL_OK)
		return status;
	status = draft_close(&draft, write_recording(ctl, tile, draft.fd));
	if (status == CTL_OK && ctl->json) {
		struct json json;
		json_begin(&json, "saved");
		json_text(&json, "file", path);
		json_print(&json);
	}
	return status;
}

/* ---- other programs of the city */

/* The one that lies beside this one. Heap. */
static char *sibling(const char *name) {
	char self[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *path = NULL;
	self[size > 0 ? size : 0] = '\0';
	char *slash = strrchr(self, '/');
	if (slash != NULL)
		*slash = '\0';
	if (asprintf(&path, "%s/%s", slash != NULL ? self : ".", name) < 0)
		abort();
	return path;
}

/* Starts it, with its output into a pipe where one is wanted. False after saying why. */
static bool start(const struct ctl *ctl, char *const *words, int output, pid_t *pid) {
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	if (output >= 0)
		posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	int error = posix_spawn(pid, words[0], &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error != 0)
		ctl_fail(ctl, "test", "%s cannot be started: %s", words[0], strerror(error));
	return error == 0;
}

/* Its exit status; CTL_FAILED when it was ended otherwise. */
static int finish(pid_t pid) {
	int status;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return CTL_FAILED;
		/* A Ctrl-C goes to both. */
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : CTL_FAILED;
}

/* What the forge makes of a folder; heap, NULL after it has said what is wrong. */
static char *build(const struct ctl *ctl, const char *folder) {
	char *forge = sibling("source-city-forge"), *path = NULL;
	char *words[] = {forge, (char *)"build", (char *)folder, NULL};
	int fds[2];
	pid_t pid;
	if (pipe2(fds, O_CLOEXEC) < 0 || !start(ctl, words, fds[1], &pid)) {
		free(forge);
		return NULL;
	}
	close(fds[1]);
	FILE *output = fdopen(fds[0], "r");
	size_t room = 0;
	ssize_t size = output != NULL ? getline(&path, &room, output) : -1;
	if (output != NULL)
		fclose(output);
	if (finish(pid) != 0 || size <= 1) {
		ctl_fail(ctl, "build", "%s cannot be built; what is above says why", folder);
		free(path);
		path = NULL;
	} else if (path[size - 1] == '\n') {
		path[size - 1] = '\0';
	}
	free(forge);
	return path;
}

/* An artifact in the store. Heap. */
static char *stored(const char *hash) {
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int rc = data != NULL && data[0] == '/'
		? asprintf(&path, "%s/source-city/store/%s.so", data, hash)
		: asprintf(&path, "%s/.local/share/source-city/store/%s.so",
			  home != NULL ? home : "", hash);
	if (rc < 0)
		abort();
	return path;
}

/* ---- test */

struct plan {
	char *artifact, *against; /* heap; against may be NULL */
	int recording;		  /* fd */
};

static int open_recording(struct ctl *ctl, const struct tile *tile) {
	const char *path = ctl_option(ctl, "record");
	int fd = path != NULL ? open(path, O_RDONLY | O_NONBLOCK) : memfd_create("recording", 0);
	if (fd < 0) {
		ctl_fail(ctl, "recording", "%s: %s", path != NULL ? path : tile->name,
			strerror(errno));
	} else if (path == NULL && write_recording(ctl, tile, fd) != CTL_OK) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool make_plan(struct ctl *ctl, const struct tile *tile, struct plan *plan) {
	const char *artifact = ctl_option(ctl, "artifact"), *source = ctl_option(ctl, "source");
	*plan = (struct plan){.recording = -1};
	char *running = tile->artifact[0] != '\0' ? stored(tile->artifact) : NULL;
	if (artifact != NULL)
		plan->artifact = copy_text(artifact);
	else if (source != NULL)
		plan->artifact = build(ctl, source);
	else if (running != NULL)
		plan->artifact = copy_text(running);
	else
		ctl_fail_tile(ctl, tile->name, "test",
			"no version of it runs; name one with --artifact or --source");
	if (artifact != NULL || source != NULL) {
		plan->against = running;
		running = NULL;
	}
	free(running);
	if (plan->artifact != NULL)
		plan->recording = open_recording(ctl, tile);
	return plan->recording >= 0;
}

static int run_plan(struct ctl *ctl, const struct tile *tile, const struct plan *plan) {
	bool all = !ctl_has(ctl, "replay") && !ctl_has(ctl, "amnesia");
	const char *frames = ctl_option(ctl, "frames"), *saved = ctl_option(ctl, "record");
	char *program = sibling("source-city-tile"), file[64];
	const char *words[WORDS_MAX];
	size_t count = 0;
	pid_t pid;
	snprintf(file, sizeof(file), "/proc/self/fd/%d", plan->recording);
	words[count++] = program;
	words[count++] = "--replay";
	/* By the name that the user knows, where there is one. */
	words[count++] = saved != NULL ? saved : file;
	words[count++] = "--name";
	words[count++] = tile->name;
	if (plan->against != NULL && (all || ctl_has(ctl, "replay"))) {
		words[count++] = "--against";
		words[count++] = plan->against;
	}
	if (all || ctl_has(ctl, "amnesia"))
		words[count++] = "--amnesia";
	if (frames != NULL) {
		words[count++] = "--frames";
		words[count++] = frames;
	}
	if (ctl->json)
		words[count++] = "--json";
	words[count++] = "--";
	words[count++] = plan->artifact;
	words[count] = NULL;
	int status = start(ctl, (char *const *)words, -1, &pid) ? finish(pid) : CTL_FAILED;
	free(program);
	return status == 0 ? CTL_OK : CTL_FAILED;
}

int command_test(struct ctl *ctl) {
	if (ctl_has(ctl, "artifact") && ctl_has(ctl, "source"))
		return ctl_usage(ctl, "either --artifact or --source");
	struct plan plan = {.recording = -1};
	const struct tile *tile = connect_tile(ctl);
	int status = CTL_FAILED;
	if (tile != NULL && make_plan(ctl, tile, &plan))
		status = run_plan(ctl, tile, &plan);
	if (plan.recording >= 0)
		close(plan.recording);
	free(plan.artifact);
	free(plan.against);
	return status;
}

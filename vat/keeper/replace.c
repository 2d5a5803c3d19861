/* SPDX-License-Identifier: MIT */
/*
 * Another program takes the keeper's place, in the same process: children stay children, sockets
 * and streams stay open, and what is not in the kernel anyway goes through a memfd.
 *
 * First the new program is asked whether it could (--check-handover), in a process of its own and
 * on a copy; only if it says so is the keeper's own image replaced (--take-over). Anything that
 * goes wrong before that leaves the keeper as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "log.h"
#include "witness_wire.h"

#define CHECK_NS (5 * 1000000000ull) /* what the new program gets to answer */
/* Where the new program finds the state. */
#define STATE_FD 3

/* ---- steps */

/* What a replacement goes through; each is told to the witness when it is about to begin. */
enum step {
	STEP_ASKED,   /* nothing has been done yet */
	STEP_CHECK,   /* the new program is being asked */
	STEP_CHECKED, /* it could */
	STEP_PAUSED,  /* checkpoints have stopped, the disk is given up */
	STEP_SAVED,   /* the state is written down; the new program is next */
	STEP_BEGUN,   /* it runs, and knows nothing yet */
	STEP_LOADED,  /* it has taken over */
	STEP_DONE,    /* whoever asked has been told */
	STEP_STAYED,  /* or: it came to nothing, and that was told */
	STEP_COUNT,
};

static const char *const steps[STEP_COUNT] = {
	[STEP_ASKED] = "asked",
	[STEP_CHECK] = "check",
	[STEP_CHECKED] = "checked",
	[STEP_PAUSED] = "paused",
	[STEP_SAVED] = "saved",
	[STEP_BEGUN] = "begun",
	[STEP_LOADED] = "loaded",
	[STEP_DONE] = "done",
	[STEP_STAYED] = "stayed",
};

void keeper_replace_watch(struct keeper *keeper) {
	char table[512];
	int at = snprintf(table, sizeof(table), "{\"keeper\":%d,\"steps\":[", getpid());
	for (size_t i = 0; i < STEP_COUNT; i++) {
		at += snprintf(table + at, sizeof(table) - (size_t)at, "%s\"%s\"", i > 0 ? "," : "",
			steps[i]);
	}
	snprintf(table + at, sizeof(table) - (size_t)at, "]}");
	keeper->witness = city_witness_connect(table);
}

static void tell(struct keeper *keeper, enum step step, pid_t check) {
	char text[128];
	if (keeper->witness >= 0) {
		snprintf(text, sizeof(text), "{\"keeper\":%d,\"step\":\"%s\",\"check\":%d}",
			getpid(), steps[step], check);
		city_witness_say(&keeper->witness, text);
	}
}

int keeper_replace_load(struct keeper *keeper, int state_fd) {
	tell(keeper, STEP_BEGUN, 0);
	return keeper_state_load(keeper, state_fd);
}

/* Tells who asked for it; why: NULL for nothing to say. */
static void answer_asker(
	struct keeper *keeper, uint64_t asker, uint64_t request, int status, const char *why) {
	struct keeper_child *child = keeper_child_by_instance(keeper, asker);
	if (child == NULL) {
		return;
	}
	struct keeper_message result = {
		.type = KEEPER_RESULT, .request = request, .status = status};
	if (why != NULL) {
		char text[1024];
		snprintf(text, sizeof(text), "%s", why);
		keeper_wire_add(&result, text);
	}
	keeper_send(keeper, child, &result, NULL, 0);
}

void keeper_replace_done(struct keeper *keeper) {
	tell(keeper, STEP_LOADED, 0);
	city_log(CITY_LOG_INFO, "keeper", "version " CITY_VERSION " has taken over");
	answer_asker(keeper, keeper->replacement.asker, keeper->replacement.request, 0, NULL);
	keeper->replacement.asker = keeper->replacement.request = 0;
	tell(keeper, STEP_DONE, 0);
}

/* ---- the check */

static int say(const char *why) {
	puts(why);
	return EXIT_FAILURE;
}

int keeper_replace_check(int state_fd, const char *program_dir) {
	const char *why = keeper_state_check(state_fd);
	if (why != NULL) {
		return say(why);
	}
	static const char *const others[] = {
		"source-city-compositor", "source-city-forge", "source-city-tile"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char path[PATH_MAX + 64];
		snprintf(path, sizeof(path), "%s/%s", program_dir, others[i]);
		if (access(path, X_OK) < 0) {
			char text[PATH_MAX + 256];
			snprintf(text, sizeof(text),
				"the other programs must lie beside it: %s: %s", path,
				strerror(errno));
			return say(text);
		}
	}
	puts("ok");
	return EXIT_SUCCESS;
}

/* Tell whoever asked, and the log, that the keeper stays. */
static void stay(struct keeper *keeper, int error, const char *why) {
	city_log(CITY_LOG_ERROR, "keeper", "is not replaced and goes on: %s", why);
	answer_asker(keeper, keeper->replacement.asker, keeper->replacement.request, error, why);
	if (keeper->replacement.answer >= 0) {
		close(keeper->replacement.answer);
	}
	free(keeper->replacement.path);
	keeper->replacement = (struct keeper_replacement){.answer = -1};
	tell(keeper, STEP_STAYED, 0);
}

[[noreturn]] static void run_check(const struct keeper *keeper, int state_fd, int answer) {
	const char *path = keeper->replacement.path;
	int high_state = fcntl(state_fd, F_DUPFD, STATE_FD + 1);
	if (high_state < 0 || dup2(answer, STDOUT_FILENO) < 0 || dup2(high_state, STATE_FD) < 0) {
		_exit(126);
	}
	keeper_child_prepare(keeper, STATE_FD + 1);
	execl(path, path, "--check-handover", "3", (char *)NULL);
	printf("%s cannot be run: %s\n", path, strerror(errno));
	fflush(stdout);
	_exit(127);
}

void keeper_replace_begin(
	struct keeper *keeper, const char *path, uint64_t asker, uint64_t request) {
	if (keeper->replacement.path != NULL) {
		city_log(CITY_LOG_WARN, "keeper", "is being replaced already");
		answer_asker(keeper, asker, request, EBUSY, "the keeper is being replaced already");
		return;
	}
	keeper->replacement = (struct keeper_replacement){
		.asker = asker,
		.request = request,
		.answer = -1,
	};
	tell(keeper, STEP_ASKED, 0);
	char *own = NULL;
	if (path[0] == '\0' && asprintf(&own, "%s/source-city", keeper->program_dir) >= 0) {
		path = own;
	}
	keeper->replacement.path = strdup(path);
	free(own);
	int state_fd = keeper_state_save(keeper), answer[2] = {-1, -1};
	if (keeper->replacement.path == NULL || state_fd < 0 || pipe2(answer, O_CLOEXEC) < 0) {
		stay(keeper, ENOMEM, strerror(errno));
	} else if (keeper->replacement.path[0] != '/') {
		stay(keeper, EINVAL, "the path of the new keeper must begin with a slash");
	} else {
		keeper->replacement.answer = answer[0];
		fcntl(answer[0], F_SETFL, O_NONBLOCK);
		pid_t pid = fork();
		if (pid == 0) {
			run_check(keeper, state_fd, answer[1]);
		}
		answer[0] = -1;
		struct keeper_child *child =
			pid > 0 ? keeper_child_add(keeper, KEEPER_CHILD_CHECK, pid, -1) : NULL;
		if (child == NULL) {
			stay(keeper, EAGAIN,
				"the new keeper cannot be tried: no process to be had");
		} else {
			keeper->replacement.check = pid;
			keeper->replacement.late_ns = keeper_now() + CHECK_NS;
			tell(keeper, STEP_CHECK, pid);
		}
	}
	for (size_t i = 0; i < 2; i++) {
		if (answer[i] >= 0) {
			close(answer[i]);
		}
	}
	if (state_fd >= 0) {
		close(state_fd);
	}
}

/* ---- the replacement */

/* Descriptors that the new image needs. */
static void set_inherited(const struct keeper *keeper, int state_fd, bool inherited) {
	const int flags = inherited ? 0 : FD_CLOEXEC;
	const int fixed[] = {state_fd, keeper->desk, keeper->socket.fd, keeper->socket.lock_fd,
		keeper->transport, keeper->transport_seen};
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		fcntl(fixed[i], F_SETFD, flags);
	}
	for (const struct keeper_child *child = keeper->children; child != NULL;
		child = child->next) {
		if (child->wire >= 0) {
			fcntl(child->wire, F_SETFD, flags);
		}
		for (const struct keeper_waiting *waiting = child->waiting; waiting != NULL;
			waiting = waiting->next) {
			for (size_t i = 0; i < waiting->fd_count; i++) {
				fcntl(waiting->fds[i], F_SETFD, flags);
			}
		}
	}
	for (const struct keeper_region *region = keeper->regions; region != NULL;
		region = region->next) {
		fcntl(region->fd, F_SETFD, flags);
	}
	for (const struct keeper_stream *stream = keeper->streams; stream != NULL;
		stream = stream->next) {
		fcntl(stream->fd, F_SETFD, flags);
		if (stream->wake >= 0) {
			fcntl(stream->wake, F_SETFD, flags);
		}
	}
}

int keeper_replace_wait_ms(struct keeper *keeper) {
	const struct keeper_replacement *replacement = &keeper->replacement;
	if (replacement->check == 0) {
		return -1;
	}
	const uint64_t now = keeper_now();
	if (now < replacement->late_ns) {
		return (int)((replacement->late_ns - now) / 1000000) + 1;
	}
	kill(replacement->check, SIGKILL);
	return 1000;
}

void keeper_replace_checked(struct keeper *keeper, bool good) {
	char answer[1024] = "";
	keeper->replacement.check = 0;
	ssize_t got = read(keeper->replacement.answer, answer, sizeof(answer) - 1);
	answer[got > 0 ? got : 0] = '\0';
	answer[strcspn(answer, "\n")] = '\0';
	if (keeper->quitting) {
		stay(keeper, ECANCELED, "the city ends");
		return;
	}
	if (!good || strcmp(answer, "ok") != 0) {
		char why[sizeof(answer) + PATH_MAX];
		snprintf(why, sizeof(why), "%s: %s", keeper->replacement.path,
			answer[0] != '\0' && strcmp(answer, "ok") != 0
				? answer
				: "it is no keeper, or does not answer");
		stay(keeper, ENOEXEC, why);
		return;
	}
	tell(keeper, STEP_CHECKED, 0);
	keeper_checkpoint_pause(keeper);
	tell(keeper, STEP_PAUSED, 0);
	int state_fd = keeper_state_save(keeper);
	if (state_fd < 0) {
		stay(keeper, errno, "no memory to hand everything over");
		keeper_checkpoint_resume(keeper);
		return;
	}
	char number[16];
	snprintf(number, sizeof(number), "%d", state_fd);
	set_inherited(keeper, state_fd, true);
	tell(keeper, STEP_SAVED, 0);
	execl(keeper->replacement.path, keeper->replacement.path, "--take-over", number,
		(char *)NULL);
	int error = errno;
	set_inherited(keeper, state_fd, false);
	close(state_fd);
	stay(keeper, error, strerror(error));
	keeper_checkpoint_resume(keeper);
}

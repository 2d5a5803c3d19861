/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "log.h"

/* Long enough for a handover that took the last spare to be over. */
#define SPARE_DELAY_NS (300 * 1000000ll)
#define SPARE_LATER_S 5
/* Where a child finds its descriptors. */
#define CHILD_WIRE_FD 3
#define CHILD_WAYLAND_FD 4

uint64_t keeper_now(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void keeper_child_prepare(const struct keeper *keeper, unsigned first) {
	for (int signal_number = 1; signal_number < NSIG; signal_number++) {
		signal(signal_number, SIG_DFL);
	}
	sigprocmask(SIG_SETMASK, &keeper->original_mask, NULL);
	setrlimit(RLIMIT_NOFILE, &keeper->original_files);
	close_range(first, ~0u, 0);
}

struct keeper_child *keeper_child_add(
	struct keeper *keeper, enum keeper_child_kind kind, pid_t pid, int wire) {
	struct keeper_child *child = calloc(1, sizeof(*child));
	if (child == NULL) {
		return NULL;
	}
	child->kind = kind;
	child->pid = pid;
	child->wire = wire;
	child->start_ns = keeper_now();
	child->next = keeper->children;
	keeper->children = child;
	return child;
}

struct keeper_child *keeper_child_by_pid(struct keeper *keeper, pid_t pid) {
	for (struct keeper_child *child = keeper->children; child != NULL; child = child->next) {
		if (child->pid == pid) {
			return child;
		}
	}
	return NULL;
}

struct keeper_child *keeper_child_by_instance(struct keeper *keeper, uint64_t instance) {
	for (struct keeper_child *child = keeper->children; child != NULL; child = child->next) {
		if (instance != 0 && child->instance == instance) {
			return child;
		}
	}
	return NULL;
}

void keeper_child_hang_up(struct keeper *keeper, struct keeper_child *child) {
	if (child->wire >= 0) {
		keeper_send_forget(child);
		epoll_ctl(keeper->epoll, EPOLL_CTL_DEL, child->wire, NULL);
		close(child->wire);
		child->wire = -1;
	}
}

void keeper_child_remove(struct keeper *keeper, struct keeper_child *child) {
	keeper_child_hang_up(keeper, child);
	for (struct keeper_child **link = &keeper->children; *link != NULL; link = &(*link)->next) {
		if (*link == child) {
			*link = child->next;
			break;
		}
	}
	if (keeper->compositor == child) {
		keeper->compositor = NULL;
	}
	if (keeper->spare == child) {
		keeper->spare = NULL;
	}
	if (keeper->audio == child) {
		keeper->audio = NULL;
	}
	free(child);
}

/* In the child: put the wire and perhaps a Wayland connection at their numbers, then exec. */
[[noreturn]] static void run_program(const struct keeper *keeper, enum keeper_child_kind kind,
	pid_t parent, char *const *args, int wire, int wayland) {
	/* Duplicates above both targets first, so that neither overwrites the other. */
	int high_wire = fcntl(wire, F_DUPFD, CHILD_WAYLAND_FD + 1);
	int high_wayland = wayland >= 0 ? fcntl(wayland, F_DUPFD, CHILD_WAYLAND_FD + 1) : -1;
	if (high_wire < 0 || dup2(high_wire, CHILD_WIRE_FD) < 0) {
		_exit(126);
	}
	setenv("SOURCE_CITY_KEEPER_FD", "3", 1);
	unsetenv("WAYLAND_SOCKET");
	if (high_wayland >= 0) {
		if (dup2(high_wayland, CHILD_WAYLAND_FD) < 0) {
			_exit(126);
		}
		setenv("WAYLAND_SOCKET", "4", 1);
	}
	keeper_child_prepare(keeper, high_wayland >= 0 ? CHILD_WAYLAND_FD + 1 : CHILD_WIRE_FD + 1);
	if (kind != KEEPER_CHILD_COMPOSITOR) {
		/* A key or a hang-up on the terminal that the city was started from goes to all of
		 * its processes: the keeper ends these in good order. */
		signal(SIGINT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent) {
		_exit(126); /* it died before it could be asked for */
	}
	execv(args[0], args);
	city_log(CITY_LOG_ERROR, args[0], "cannot be run: %s", strerror(errno));
	_exit(127);
}

static struct keeper_child *start(struct keeper *keeper, enum keeper_child_kind kind,
	const char *name, char *const *extra_args, int wayland) {
	char program[4096];
	int length = snprintf(program, sizeof(program), "%s/%s", keeper->program_dir, name);
	if (length >= (int)sizeof(program)) {
		city_log(CITY_LOG_ERROR, name, "the path of the programs is too long");
		return NULL;
	}
	size_t arg_count = 0;
	while (extra_args != NULL && extra_args[arg_count] != NULL) {
		arg_count++;
	}
	char **args = calloc(arg_count + 2, sizeof(*args));
	int pair[2];
	if (args == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		city_log(CITY_LOG_ERROR, name, "cannot be started: %s", strerror(errno));
		free(args);
		return NULL;
	}
	args[0] = program;
	for (size_t i = 0; i < arg_count; i++) {
		args[i + 1] = extra_args[i];
	}
	/* Only the keeper's end must never block: a child that does not read cannot stop the city.
	 */
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	const pid_t self = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		run_program(keeper, kind, self, args, pair[1], wayland);
	}
	int fork_error = errno;
	close(pair[1]);
	free(args);
	struct keeper_child *child = NULL;
	if (pid > 0) {
		child = keeper_child_add(keeper, kind, pid, pair[0]);
	}
	struct epoll_event event = {.events = EPOLLIN, .data.fd = pair[0]};
	if (child == NULL || epoll_ctl(keeper->epoll, EPOLL_CTL_ADD, pair[0], &event) < 0) {
		city_log(CITY_LOG_ERROR, name, "cannot be started: %s",
			strerror(pid < 0 ? fork_error : errno));
		if (pid > 0) {
			kill(pid, SIGKILL); /* reaped as an unknown child, or by its entry */
		}
		if (child == NULL) {
			close(pair[0]);
		}
		return NULL;
	}
	child->instance = ++keeper->next_instance;
	snprintf(child->name, sizeof(child->name), "%s", name);
	return child;
}

static bool is_there(const struct keeper_child *child) {
	return child->kind == KEEPER_CHILD_TILE && !child->ending;
}

static void introduce(struct keeper *keeper, const struct keeper_child *tile) {
	struct keeper_message message = {
		.type = KEEPER_INSTANCE,
		.instance = tile->instance,
		.uuid = tile->uuid,
		.pid = tile->pid,
	};
	memcpy(message.name, tile->name, sizeof(message.name));
	keeper_wire_add(&message, tile->artifact);
	keeper_send(keeper, keeper->compositor, &message, NULL, 0);
}

int keeper_start_compositor(struct keeper *keeper, uint64_t ended_ns) {
	char safe[] = "--safe";
	char *safe_args[] = {safe, keeper->safe, NULL};
	struct keeper_child *child =
		start(keeper, KEEPER_CHILD_COMPOSITOR, "source-city-compositor",
			keeper->safe != NULL ? safe_args : keeper->compositor_args, -1);
	if (child == NULL) {
		return -1;
	}
	keeper->last_start_ns = keeper_now();
	keeper->compositor = child;
	struct keeper_message hello = {
		.type = KEEPER_HELLO,
		.status = ended_ns == 0 ? KEEPER_START_FIRST
			: keeper->asked ? KEEPER_START_ASKED
					: KEEPER_START_DIED,
		.instance = ended_ns,
	};
	memcpy(hello.name, keeper->socket.name, sizeof(hello.name));
	for (struct keeper_child *tile = keeper->children; tile != NULL; tile = tile->next) {
		hello.size += is_there(tile);
	}
	if (keeper->disk_taken) {
		keeper_wire_add(&hello, keeper->disk.path);
	}
	const int gifts[] = {keeper->socket.fd, keeper->desk, keeper->transport_seen};
	keeper_send(keeper, child, &hello, gifts, 3);
	for (struct keeper_child *tile = keeper->children; tile != NULL; tile = tile->next) {
		if (is_there(tile)) {
			introduce(keeper, tile);
		}
	}
	keeper_audio_greet(keeper);
	keeper->asked = false;
	return 0;
}

struct keeper_child *keeper_start_forge(struct keeper *keeper, int wayland) {
	return start(keeper, KEEPER_CHILD_FORGE, "source-city-forge", NULL, wayland);
}

struct keeper_child *keeper_child_start(
	struct keeper *keeper, enum keeper_child_kind kind, const char *name) {
	return start(keeper, kind, name, NULL, -1);
}

struct keeper_child *keeper_start_spare(struct keeper *keeper) {
	struct keeper_child *spare =
		start(keeper, KEEPER_CHILD_SPARE, "source-city-tile", NULL, -1);
	keeper->spare = spare;
	return spare;
}

void keeper_want_spare_later(struct keeper *keeper) {
	struct itimerspec when = {.it_value.tv_sec = SPARE_LATER_S};
	timerfd_settime(keeper->timer, 0, &when, NULL);
}

void keeper_want_spare(struct keeper *keeper) {
	struct itimerspec when = {.it_value.tv_nsec = SPARE_DELAY_NS};
	timerfd_settime(keeper->timer, 0, &when, NULL);
}

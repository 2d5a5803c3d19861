/* SPDX-License-Identifier: MIT */
/* source-city: the keeper and supervisor. See keeper.h. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "log.h"

/* What children get to end by themselves before they are killed. */
#define END_ASK_NS (1 * 1000000000ull)
#define END_LIMIT_NS (5 * 1000000000ull)
/* A compositor that ran this long did not crash in a loop. */
#define STEADY_NS (10 * 1000000000ull)
#define RESTARTS_MAX 3
/* Until the compositor says otherwise. */
#define CHECKPOINT_EVERY_NS (30 * 1000000000ull)
/* What the last checkpoints get when the city ends. */
#define SAVE_LIMIT_NS (60 * 1000000000ull)
/* A spare that ended sooner would end again: the next tile is started without one. */
#define SPARE_STEADY_NS (1000 * 1000000ull)
/* What a child may still have said before it ended, in batches. */
#define LAST_BATCHES_MAX 64

static const char usage[] =
	"Usage: source-city [OPTION]... [-- COMPOSITOR-OPTION...]\n"
	"Start a city: a Wayland compositor that can be rewritten while it runs.\n"
	"\n"
	"  -s, --socket NAME   listen on this socket in XDG_RUNTIME_DIR (default: the first\n"
	"                      free one of wayland-1 to wayland-32)\n"
	"  -h, --help          print this\n"
	"  -v, --version       print the version\n"
	"\n"
	"      --check-handover FD, --take-over FD   how one keeper replaces another\n"
	"\n"
	"What follows -- is passed to source-city-compositor(1), for example --config FILE.\n";

struct options {
	const char *socket_name;
	int check_fd, take_over_fd; /* -1: not given */
};

static int parse_fd(const char *text) {
	char *end;
	long fd = strtol(text, &end, 10);
	return end != text && *end == '\0' && fd > 2 && fd <= INT_MAX ? (int)fd : -1;
}

/* One end for both: 0 to go on, or the exit status + 1. */
static int parse_options(int argc, char **argv, struct options *given) {
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{"check-handover", required_argument, NULL, 'C'},
		{"take-over", required_argument, NULL, 'T'},
		{0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "s:hv", options, NULL)) != -1) {
		switch (option) {
		case 's':
			given->socket_name = optarg;
			break;
		case 'C':
			given->check_fd = parse_fd(optarg);
			break;
		case 'T':
			given->take_over_fd = parse_fd(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS + 1;
		case 'v':
			puts("source-city " CITY_VERSION);
			return EXIT_SUCCESS + 1;
		default:
			fputs("Try 'source-city --help'.\n", stderr);
			return 2 + 1;
		}
	}
	return 0;
}

/* The other programs lie beside this one. Owned by the caller; NULL after logging why. */
static char *find_program_dir(void) {
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length < 0) {
		city_log(CITY_LOG_ERROR, "keeper",
			"cannot tell where its programs are, is /proc mounted? %s",
			strerror(errno));
		return NULL;
	}
	self[length] = '\0';
	return strdup(dirname(self));
}

/* Regions, streams and wires add up: three descriptors for each tile. */
static void raise_limits(struct keeper *keeper) {
	getrlimit(RLIMIT_NOFILE, &keeper->original_files);
	struct rlimit files = keeper->original_files;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

/* Not what the caller has switched off, as nohup does. */
static void add_signal(sigset_t *mask, int signal_number) {
	struct sigaction action;
	if (sigaction(signal_number, NULL, &action) < 0 || action.sa_handler != SIG_IGN) {
		sigaddset(mask, signal_number);
	}
}

static bool add_to_epoll(struct keeper *keeper, int fd) {
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	return fd >= 0 && epoll_ctl(keeper->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int open_loop(struct keeper *keeper) {
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGCHLD);
	add_signal(&mask, SIGINT);
	add_signal(&mask, SIGHUP);
	sigaddset(&mask, SIGUSR2);
	/* Whoever read the log may be gone, and shared memory counts as files where their size is
	 * limited: both are errors like others. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigprocmask(SIG_BLOCK, &mask, &keeper->original_mask);
	keeper->epoll = epoll_create1(EPOLL_CLOEXEC);
	keeper->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	keeper->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	keeper->checkpoint_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	keeper->audio_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (keeper->epoll < 0 || !add_to_epoll(keeper, keeper->signals) ||
		!add_to_epoll(keeper, keeper->timer) ||
		!add_to_epoll(keeper, keeper->checkpoint_timer) ||
		!add_to_epoll(keeper, keeper->audio_timer)) {
		city_log(CITY_LOG_ERROR, "keeper", "no event loop: %s", strerror(errno));
		return -1;
	}
	return 0;
}

static void kill_kind(struct keeper *keeper, enum keeper_child_kind kind, int signal_number) {
	for (struct keeper_child *child = keeper->children; child != NULL; child = child->next) {
		if (child->kind == kind) {
			kill(child->pid, signal_number);
		}
	}
}

static void describe_end(int status, char *text, size_t size) {
	if (WIFSIGNALED(status)) {
		snprintf(text, size, "was ended by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	} else {
		snprintf(text, size, "ended with status %d", WEXITSTATUS(status));
	}
}

/* It broke down once too often. False: also in safe mode, so nothing is left to be tried. */
static bool enter_safe_mode(struct keeper *keeper, const char *end) {
	if (keeper->safe != NULL) {
		city_log(CITY_LOG_ERROR, "compositor",
			"%s, %u times in a row in safe mode: giving up", end, keeper->restarts);
		return false;
	}
	if (asprintf(&keeper->safe, "The compositor broke down %u times in a row; the last one %s.",
		    keeper->restarts, end) < 0) {
		keeper->safe = NULL;
		return false;
	}
	city_log(CITY_LOG_ERROR, "compositor",
		"%s, %u times in a row: starting it in safe mode, without the user's "
		"configuration, "
		"shaders and tiles; \"cityctl run restart\" there leaves it",
		end, keeper->restarts);
	keeper->restarts = 0;
	return true;
}

/* Whether another one is to be started. */
static bool goes_on_after(struct keeper *keeper, int status) {
	char end[128];
	describe_end(status, end, sizeof(end));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && keeper->asked) {
		free(keeper->safe);
		keeper->safe = NULL;
		keeper->restarts = 0;
		city_log(CITY_LOG_INFO, "compositor", "starting it again, as it was asked for");
		return true;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		return false;
	}
	if (!keeper->ready && WIFEXITED(status)) {
		/* It never worked: it has said why, and trying again would only say it again. */
		keeper->exit_status = WEXITSTATUS(status);
		return false;
	}
	if (keeper_now() - keeper->last_start_ns > STEADY_NS) {
		keeper->restarts = 0;
	}
	if (++keeper->restarts > RESTARTS_MAX) {
		if (enter_safe_mode(keeper, end)) {
			return true;
		}
		keeper->exit_status = EXIT_FAILURE;
		return false;
	}
	city_log(CITY_LOG_ERROR, "compositor", "%s; starting it again, the tiles run on", end);
	return true;
}

static void compositor_ended(struct keeper *keeper, int status) {
	const uint64_t ended_ns = keeper_now();
	if (keeper->quitting) {
		return;
	}
	if (!goes_on_after(keeper, status)) {
		keeper->quitting = true;
		return;
	}
	/* Tiles run on and are given to the new one; the forge has lost its connection for good. */
	kill_kind(keeper, KEEPER_CHILD_FORGE, SIGTERM);
	if (keeper_start_compositor(keeper, ended_ns) < 0) {
		keeper->exit_status = EXIT_FAILURE;
		keeper->quitting = true;
	}
}

static void tell_exited(struct keeper *keeper, const struct keeper_child *child, int status) {
	/* At the end it would take them for crashes. */
	if (keeper->compositor == NULL || keeper->quitting) {
		return;
	}
	struct keeper_message event = {
		.type = KEEPER_EXITED,
		.instance = child->instance,
		.uuid = child->uuid,
		.pid = child->pid,
		.status = status,
	};
	memcpy(event.name, child->name, sizeof(event.name));
	keeper_send(keeper, keeper->compositor, &event, NULL, 0);
}

static void child_ended(struct keeper *keeper, struct keeper_child *child, int status) {
	/* What it still said before it ended counts. */
	for (int i = 0; i < LAST_BATCHES_MAX && child->wire >= 0; i++) {
		if (!keeper_dispatch(keeper, child)) {
			break;
		}
	}
	switch (child->kind) {
	case KEEPER_CHILD_COMPOSITOR:
		keeper_child_remove(keeper, child);
		compositor_ended(keeper, status);
		return;
	case KEEPER_CHILD_SPARE:
		if (!keeper->quitting) {
			char end[128];
			describe_end(status, end, sizeof(end));
			city_log(CITY_LOG_WARN, "spare", "a waiting tile host %s", end);
			/* Whatever it dies of at once may pass. */
			if (keeper_now() - child->start_ns > SPARE_STEADY_NS) {
				keeper_want_spare(keeper);
			} else {
				keeper_want_spare_later(keeper);
			}
		}
		break;
	case KEEPER_CHILD_SAVER:
		keeper_checkpoint_saver_ended(keeper, child);
		break;
	case KEEPER_CHILD_AUDIO: {
		char end[128];
		describe_end(status, end, sizeof(end));
		keeper_audio_ended(keeper, child, end);
		break;
	}
	case KEEPER_CHILD_TILE:
		keeper_checkpoint_tile_ended(keeper, child, status);
		keeper_audio_tile_ended(keeper, child->instance);
		[[fallthrough]];
	case KEEPER_CHILD_FORGE:
		keeper_stream_release_claims(keeper, child->instance);
		tell_exited(keeper, child, status);
		break;
	case KEEPER_CHILD_CHECK:
		keeper_child_remove(keeper, child);
		keeper_replace_checked(keeper, WIFEXITED(status) && WEXITSTATUS(status) == 0);
		return;
	case KEEPER_CHILD_PTY:
		keeper_stream_child_ended(keeper, child->pid, status);
		if (keeper->quitting) {
			keeper_pty_hang_up_session(child->pid);
		}
		break;
	}
	keeper_child_remove(keeper, child);
}

static void reap(struct keeper *keeper) {
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct keeper_child *child = keeper_child_by_pid(keeper, pid);
		if (child != NULL) {
			child_ended(keeper, child, status);
		}
	}
}

static void handle_signals(struct keeper *keeper) {
	struct signalfd_siginfo info;
	while (read(keeper->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			reap(keeper);
		} else if (info.ssi_signo == SIGUSR2) {
			keeper_replace_begin(keeper, "", 0, 0);
		} else {
			keeper->quitting = true;
		}
	}
}

static void handle_timer(struct keeper *keeper) {
	uint64_t expirations;
	if (read(keeper->timer, &expirations, sizeof(expirations)) < 0) {
		return;
	}
	if (keeper->spare == NULL && !keeper->quitting) {
		keeper_start_spare(keeper);
	}
}

static void handle_fd(struct keeper *keeper, int fd, uint32_t events) {
	if (fd == keeper->signals) {
		handle_signals(keeper);
		return;
	}
	if (fd == keeper->timer) {
		handle_timer(keeper);
		return;
	}
	if (fd == keeper->checkpoint_timer) {
		keeper_checkpoint_handle_timer(keeper);
		return;
	}
	if (fd == keeper->audio_timer) {
		keeper_audio_handle_timer(keeper);
		return;
	}
	for (struct keeper_child *child = keeper->children; child != NULL; child = child->next) {
		if (child->wire != fd) {
			continue;
		}
		if (events & EPOLLOUT) {
			keeper_send_waiting(keeper, child);
		}
		keeper_dispatch(keeper, child);
		return;
	}
}

static int wait_for_events(struct keeper *keeper, int limit_ms) {
	struct epoll_event events[16];
	int count = epoll_wait(keeper->epoll, events, 16, limit_ms);
	for (int i = 0; i < count; i++) {
		handle_fd(keeper, events[i].data.fd, events[i].events);
	}
	return count;
}

static size_t count_kind(const struct keeper *keeper, enum keeper_child_kind kind) {
	size_t count = 0;
	for (const struct keeper_child *child = keeper->children; child != NULL;
		child = child->next) {
		count += child->kind == kind;
	}
	return count;
}

static void kill_all(struct keeper *keeper, bool savers) {
	for (struct keeper_child *child = keeper->children; child != NULL; child = child->next) {
		if (child->kind != KEEPER_CHILD_SAVER || savers) {
			kill(child->pid, SIGKILL);
		}
	}
}

/* Everything that was started is ended and reaped: politely, then not. When no tile runs any more
 * their regions are saved; that may take longer. */
static void end_children(struct keeper *keeper) {
	kill_kind(keeper, KEEPER_CHILD_COMPOSITOR, SIGTERM);
	kill_kind(keeper, KEEPER_CHILD_FORGE, SIGTERM);
	kill_kind(keeper, KEEPER_CHILD_SPARE, SIGKILL);
	/* Closing the last master end hangs up its terminal; tiles hold a copy until they end. A
	 * second hangup at the same time could end a shell before it has passed the first one on to
	 * its jobs, so it comes later, for those that did not hear the first. */
	kill_kind(keeper, KEEPER_CHILD_TILE, SIGTERM);
	while (keeper->streams != NULL) {
		keeper_stream_remove(keeper, keeper->streams);
	}
	const uint64_t start = keeper_now();
	bool asked = false, saved = false;
	while (true) {
		if (!saved && count_kind(keeper, KEEPER_CHILD_TILE) == 0) {
			saved = true;
			/* What the tiles have rendered is heard to its end. */
			kill_kind(keeper, KEEPER_CHILD_AUDIO, SIGTERM);
			keeper_checkpoint_finish(keeper);
		}
		if (keeper->children == NULL) {
			return;
		}
		uint64_t passed = keeper_now() - start;
		int left_ms = 1000;
		if (passed < END_ASK_NS) {
			left_ms = (int)((END_ASK_NS - passed) / 1000000) + 1;
		} else if (!asked) {
			asked = true;
			kill_kind(keeper, KEEPER_CHILD_PTY, SIGHUP);
			kill_kind(keeper, KEEPER_CHILD_PTY, SIGCONT);
			kill_kind(keeper, KEEPER_CHILD_AUDIO, SIGTERM);
			continue;
		} else if (passed < END_LIMIT_NS) {
			left_ms = (int)((END_LIMIT_NS - passed) / 1000000) + 1;
		} else {
			kill_all(keeper, passed >= SAVE_LIMIT_NS);
		}
		wait_for_events(keeper, left_ms);
	}
}

static void finish(struct keeper *keeper) {
	while (keeper->regions != NULL) {
		struct vat_uuid uuid = keeper->regions->uuid;
		keeper_region_drop(keeper, &uuid, false);
	}
	keeper_socket_close(&keeper->socket);
	keeper_disk_close(&keeper->disk);
	const int fds[] = {keeper->desk, keeper->transport, keeper->transport_seen,
		keeper->checkpoint_timer, keeper->audio_timer, keeper->timer, keeper->signals,
		keeper->witness, keeper->epoll};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
	}
	free(keeper->safe);
	free(keeper->program_dir);
}

/* A city from nothing. */
static int begin(struct keeper *keeper, const char *socket_name) {
	if (keeper_socket_open(&keeper->socket, socket_name) < 0) {
		return -1;
	}
	keeper->desk = memfd_create("source-city-desk", MFD_CLOEXEC);
	if (keeper->desk < 0) {
		city_log(CITY_LOG_ERROR, "keeper", "no memory for the desk: %s", strerror(errno));
		return -1;
	}
	if (keeper_transport_open(keeper) < 0) {
		return -1;
	}
	keeper_checkpoint_open(keeper);
	return keeper_start_compositor(keeper, 0);
}

/* The city of the keeper whose place this one takes. */
static int take_over(struct keeper *keeper, int state_fd) {
	if (keeper_replace_load(keeper, state_fd) < 0) {
		return -1;
	}
	keeper_replace_done(keeper);
	keeper_checkpoint_resume(keeper);
	/* Who ended meanwhile. */
	reap(keeper);
	if (keeper->ready && keeper->spare == NULL) {
		keeper_want_spare(keeper);
	}
	keeper_audio_start(keeper, false);
	keeper_audio_watch(keeper);
	return 0;
}

int main(int argc, char **argv) {
	city_log_program("keeper");
	struct options given = {.check_fd = -1, .take_over_fd = -1};
	int stop = parse_options(argc, argv, &given);
	if (stop != 0) {
		return stop - 1;
	}
	/* Descriptors 0 to 2 must be taken, or a socket would end up there. */
	int null;
	do {
		null = open("/dev/null", O_RDWR);
	} while (null >= 0 && null <= 2);
	if (null > 2) {
		close(null);
	}

	struct keeper keeper = {
		.epoll = -1,
		.signals = -1,
		.timer = -1,
		.desk = -1,
		.checkpoint_timer = -1,
		.audio_timer = -1,
		.transport = -1,
		.transport_seen = -1,
		.checkpoint_every_ns = CHECKPOINT_EVERY_NS,
		.disk = KEEPER_DISK_NONE,
		.socket = {.fd = -1, .lock_fd = -1},
		.compositor_args = argv + optind,
		.exit_status = EXIT_FAILURE,
		.replacement.answer = -1,
		.witness = -1,
	};
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	keeper.program_dir = find_program_dir();
	if (keeper.program_dir == NULL) {
		goto end;
	}
	if (given.check_fd >= 0) {
		keeper.exit_status = keeper_replace_check(given.check_fd, keeper.program_dir);
		free(keeper.program_dir);
		return keeper.exit_status;
	}
	raise_limits(&keeper);
	/* Before the socket: from here on a signal leaves nothing behind. */
	if (open_loop(&keeper) < 0) {
		goto end;
	}
	keeper_replace_watch(&keeper);
	/* Everything that runs in the city sees it: launchers, portals, programs that start others.
	 */
	setenv("XDG_CURRENT_DESKTOP", "source-city:wlroots", 1);
	if (given.take_over_fd >= 0 ? take_over(&keeper, given.take_over_fd) < 0
				    : begin(&keeper, given.socket_name) < 0) {
		goto end;
	}
	keeper.exit_status = EXIT_SUCCESS;
	while (!keeper.quitting) {
		const int limit_ms = keeper_replace_wait_ms(&keeper);
		if (wait_for_events(&keeper, limit_ms) < 0 && errno != EINTR) {
			city_log(CITY_LOG_ERROR, "keeper", "its event loop failed: %s",
				strerror(errno));
			keeper.exit_status = EXIT_FAILURE;
			break;
		}
	}
	keeper.quitting = true;
end:
	if (keeper.epoll >= 0) {
		end_children(&keeper);
	}
	finish(&keeper);
	return keeper.exit_status;
}

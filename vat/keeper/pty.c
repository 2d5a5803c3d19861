/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "keeper/keeper.h"

#define PTY_STRINGS_MAX 256
/* How long the keeper waits to hear why a program cannot be run. On a network that hangs it may
 * take for ever; the terminal then shows an empty screen, and the city goes on. */
#define EXEC_MS 500

struct pty_command {
	const char *argv[PTY_STRINGS_MAX + 1];
	const char *env[PTY_STRINGS_MAX + 1];
	const char *cwd;
};

static const char *user_shell(void) {
	const char *shell = getenv("SHELL");
	if (shell != NULL && shell[0] == '/') {
		return shell;
	}
	const struct passwd *user = getpwuid(getuid());
	return user != NULL && user->pw_shell != NULL && user->pw_shell[0] == '/' ? user->pw_shell
										  : "/bin/sh";
}

static const char *user_home(void) {
	const char *home = getenv("HOME");
	if (home != NULL && home[0] == '/') {
		return home;
	}
	const struct passwd *user = getpwuid(getuid());
	return user != NULL && user->pw_dir != NULL ? user->pw_dir : "/";
}

static bool read_command(const struct keeper_message *request, struct pty_command *command) {
	if (request->argc > PTY_STRINGS_MAX || request->envc > PTY_STRINGS_MAX) {
		return false;
	}
	size_t offset = 0;
	for (size_t i = 0; i < request->argc; i++) {
		command->argv[i] = keeper_wire_next(request, &offset);
		if (command->argv[i] == NULL) {
			return false;
		}
	}
	for (size_t i = 0; i < request->envc; i++) {
		command->env[i] = keeper_wire_next(request, &offset);
		if (command->env[i] == NULL || strchr(command->env[i], '=') == NULL) {
			return false;
		}
	}
	command->cwd = keeper_wire_next(request, &offset);
	if (command->cwd == NULL) {
		return false;
	}
	if (request->argc == 0) {
		command->argv[0] = user_shell();
	}
	if (command->cwd[0] == '\0') {
		command->cwd = user_home();
	}
	return true;
}

/* Open both ends; the master does not block. 0, or -1 with errno. */
static int open_pair(const struct keeper_message *request, int *master, int *slave) {
	*slave = -1;
	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (*master < 0) {
		return -1;
	}
	char path[64];
	struct winsize size = {
		.ws_col = request->pty.columns,
		.ws_row = request->pty.rows,
		.ws_xpixel = request->pty.width_px,
		.ws_ypixel = request->pty.height_px,
	};
	if (grantpt(*master) == 0 && unlockpt(*master) == 0 &&
		ptsname_r(*master, path, sizeof(path)) == 0 &&
		ioctl(*master, TIOCSWINSZ, &size) == 0) {
		*slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	}
	if (*slave < 0) {
		int saved = errno;
		close(*master);
		errno = saved;
		return -1;
	}
	return 0;
}

/* ---- terminfo ---- */

#define TERM_FALLBACK "xterm-256color" /* known everywhere */

static bool has_entry(const char *dir, size_t dir_length, const char *term) {
	char path[4096];
	/* Folders are named by the first letter, or by its number where file names have no case. */
	snprintf(path, sizeof(path), "%.*s/%c/%s", (int)dir_length, dir, term[0], term);
	if (access(path, R_OK) == 0) {
		return true;
	}
	snprintf(path, sizeof(path), "%.*s/%02x/%s", (int)dir_length, dir, term[0], term);
	return access(path, R_OK) == 0;
}

/* Whether programs will find the entry, in the places that ncurses looks into. */
static bool term_is_known(const char *term) {
	static const char system_dirs[] = "/etc/terminfo:/lib/terminfo:/usr/share/terminfo";
	char home[4096];
	snprintf(home, sizeof(home), "%s/.terminfo", user_home());
	const char *dirs[] = {getenv("TERMINFO"), home, getenv("TERMINFO_DIRS"), system_dirs};
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		const char *dir = dirs[i];
		while (dir != NULL && *dir != '\0') {
			size_t length = strcspn(dir, ":");
			if (length > 0 && has_entry(dir, length, term)) {
				return true;
			}
			dir += length + (dir[length] == ':');
		}
	}
	return false;
}

/* The terminal's own entry lies beside the programs when they are not installed system-wide; the
 * empty element stands for the system's own places. */
static void set_terminfo(const struct keeper *keeper) {
	char own[4096];
	snprintf(own, sizeof(own), "%s/../share/terminfo", keeper->program_dir);
	if (access(own, R_OK | X_OK) == 0) {
		const char *inherited = getenv("TERMINFO_DIRS");
		char dirs[8192];
		snprintf(dirs, sizeof(dirs), "%s:%s", own, inherited != NULL ? inherited : "");
		setenv("TERMINFO_DIRS", dirs, 1);
	}
	const char *term = getenv("TERM");
	if (term != NULL && term[0] != '\0' && !term_is_known(term)) {
		setenv("TERM", TERM_FALLBACK, 1);
	}
}

/* In the child, from fork to exec: never returns; errno goes into `report`. */
[[noreturn]] static void run_program(const struct keeper *keeper, const struct keeper_child *tile,
	const struct pty_command *command, int slave, int report) {
	if (setsid() >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0 && dup2(slave, 0) >= 0 &&
		dup2(slave, 1) >= 0 && dup2(slave, 2) >= 0 && dup2(report, 3) >= 0 &&
		fcntl(3, F_SETFD, FD_CLOEXEC) == 0) {
		report = 3;
		keeper_child_prepare(keeper, 4);
		unsetenv("SOURCE_CITY_KEEPER_FD");
		unsetenv("WAYLAND_SOCKET");
		setenv("WAYLAND_DISPLAY", keeper->socket.name, 1);
		setenv("SOURCE_CITY_TILE", tile->name, 1);
		for (const char *const *entry = command->env; *entry != NULL; entry++) {
			putenv((char *)*entry);
		}
		set_terminfo(keeper);
		/* A folder that is gone must not keep the user from a shell. */
		if (chdir(command->cwd) < 0 && chdir(user_home()) < 0 && chdir("/") < 0) {
			goto failed;
		}
		execvp(command->argv[0], (char *const *)command->argv);
		/* The city's own programs are found wherever it runs from. */
		char own[4096];
		if (errno == ENOENT && strchr(command->argv[0], '/') == NULL) {
			snprintf(own, sizeof(own), "%s/%s", keeper->program_dir, command->argv[0]);
			execv(own, (char *const *)command->argv);
		}
	}
failed:
	int error = errno;
	ssize_t written = write(report, &error, sizeof(error));
	_exit(written == sizeof(error) ? 127 : 126);
}

/* 0 once the program runs, or its errno. */
static int await_exec(int report) {
	struct pollfd poll_fd = {.fd = report, .events = POLLIN};
	int error;
	if (poll(&poll_fd, 1, EXEC_MS) == 1 &&
		read(report, &error, sizeof(error)) == sizeof(error)) {
		return error;
	}
	return 0; /* closed by a successful exec, or not known yet */
}

struct keeper_stream *keeper_pty_open(struct keeper *keeper, struct keeper_child *tile,
	const struct keeper_message *request, char *why, size_t why_size) {
	struct pty_command command = {0};
	if (!read_command(request, &command)) {
		snprintf(why, why_size, "the request to open a PTY is malformed");
		return NULL;
	}
	if (keeper_stream_find(keeper, &tile->uuid, request->name) != NULL) {
		snprintf(why, why_size, "a stream \"%s\" exists already: close it first",
			request->name);
		return NULL;
	}
	int master, slave, report[2];
	if (open_pair(request, &master, &slave) < 0) {
		snprintf(why, why_size, "no PTY can be had (is /dev/pts mounted?): %s",
			strerror(errno));
		return NULL;
	}
	if (pipe2(report, O_CLOEXEC) < 0) {
		snprintf(why, why_size, "no pipe: %s", strerror(errno));
		close(master);
		close(slave);
		return NULL;
	}
	pid_t pid = fork();
	if (pid == 0) {
		run_program(keeper, tile, &command, slave, report[1]);
	}
	int fork_error = errno;
	close(slave);
	close(report[1]);
	int error = pid < 0 ? fork_error : await_exec(report[0]);
	close(report[0]);
	struct keeper_stream *stream = NULL;
	if (error != 0) {
		snprintf(why, why_size, "cannot run \"%s\": %s", command.argv[0], strerror(error));
	} else {
		stream = keeper_stream_add(keeper, &tile->uuid, request->name, master, pid);
		if (stream == NULL) {
			snprintf(why, why_size, "no memory for a stream");
		}
	}
	if (pid > 0 && keeper_child_add(keeper, KEEPER_CHILD_PTY, pid, -1) == NULL &&
		stream != NULL) {
		snprintf(why, why_size, "no memory for a child");
		keeper_stream_remove(keeper, stream);
		return NULL;
	}
	if (stream == NULL) {
		close(master);
	}
	return stream;
}

static pid_t session_of(const char *pid) {
	char path[64], line[512];
	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		return -1;
	}
	const char *read = fgets(line, sizeof(line), file);
	fclose(file);
	/* Behind the program's name, which may hold anything: state, parent, group, session. */
	const char *rest = read != NULL ? strrchr(line, ')') : NULL;
	int session;
	return rest != NULL && sscanf(rest, ") %*c %*d %*d %d", &session) == 1 ? session : -1;
}

void keeper_pty_hang_up_session(pid_t leader) {
	DIR *folder = opendir("/proc");
	if (folder == NULL) {
		return;
	}
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		int pid = atoi(entry->d_name);
		if (pid > 0 && pid != leader && session_of(entry->d_name) == leader) {
			kill(pid, SIGHUP);
			kill(pid, SIGCONT);
		}
	}
	closedir(folder);
}

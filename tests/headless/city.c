/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "city.h"
#include "limit.h"

/* Appends what is there to *text; false at the end of the file. */
static bool read_more(int fd, char **text, int timeout_ms) {
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	if (poll(&poll_fd, 1, timeout_ms) <= 0) {
		return true;
	}
	char buffer[4096];
	ssize_t got = read(fd, buffer, sizeof(buffer) - 1);
	if (got <= 0) {
		return false;
	}
	buffer[got] = '\0';
	size_t used = *text == NULL ? 0 : strlen(*text);
	*text = realloc(*text, used + (size_t)got + 1);
	memcpy(*text + used, buffer, (size_t)got + 1);
	return true;
}

void test_city_expect_log(struct test_city *city, const char *text) {
	int64_t end = now_ms() + LIMIT_MS;
	while (city->log == NULL || strstr(city->log, text) == NULL) {
		if (!read_more(city->log_fd, &city->log, 100) || now_ms() > end) {
			fail_msg("the compositor never said \"%s\":\n%s", text,
				city->log == NULL ? "" : city->log);
		}
	}
}

static void start(struct test_city *city, const char *config, const struct test_city *host) {
	const char *program = getenv("SOURCE_CITY_COMPOSITOR");
	assert_non_null(program);
	*city = (struct test_city){.log_fd = -1};
	strcpy(city->dir, "/tmp/city-test-XXXXXX");
	assert_non_null(mkdtemp(city->dir));
	char path[128];
	snprintf(path, sizeof(path), "%s/config", city->dir);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(config, file);
	fclose(file);

	int pipe_fds[2];
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	city->pid = fork();
	assert_true(city->pid >= 0);
	if (city->pid == 0) {
		/* A test that fails half-way leaves nothing running. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pipe_fds[1], STDERR_FILENO);
		setenv("XDG_RUNTIME_DIR", city->dir, 1);
		setenv("HOME", city->dir, 1);
		setenv("WLR_BACKENDS", host == NULL ? "headless" : "wayland", 1);
		setenv("WLR_RENDERER", "pixman", 1);
		unsetenv("WAYLAND_DISPLAY");
		if (host != NULL) {
			char display[128];
			snprintf(display, sizeof(display), "%s/%s", host->dir, host->socket);
			setenv("WAYLAND_DISPLAY", display, 1);
		}
		unsetenv("WAYLAND_SOCKET");
		unsetenv("DISPLAY");
		unsetenv("XDG_CONFIG_HOME");
		unsetenv("SOURCE_CITY_KEEPER_FD");
		execl(program, program, "--config", path, NULL);
		_exit(127);
	}
	close(pipe_fds[1]);
	city->log_fd = pipe_fds[0];
	test_city_expect_log(city, "running on ");
	const char *at = strstr(city->log, "running on ") + strlen("running on ");
	while (strchr(at, '\n') == NULL) {
		read_more(city->log_fd, &city->log, 100);
		at = strstr(city->log, "running on ") + strlen("running on ");
	}
	snprintf(city->socket, sizeof(city->socket), "%.*s", (int)strcspn(at, "\n"), at);
}

void test_city_start(struct test_city *city, const char *config) {
	start(city, config, NULL);
}

void test_city_start_nested(
	struct test_city *city, const char *config, const struct test_city *host) {
	start(city, config, host);
}

bool test_city_alive(struct test_city *city) {
	return waitpid(city->pid, NULL, WNOHANG) == 0;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
	return remove(path);
}

void test_city_stop(struct test_city *city) {
	if (city->pid <= 0) {
		return;
	}
	int status = 0;
	kill(city->pid, SIGTERM);
	int64_t end = now_ms() + LIMIT_MS;
	while (read_more(city->log_fd, &city->log, 100)) {
		if (now_ms() > end) {
			kill(city->pid, SIGKILL);
			break;
		}
	}
	waitpid(city->pid, &status, 0);
	city->pid = 0;
	close(city->log_fd);
	nftw(city->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!well) {
		print_error("the compositor ended with status %#x:\n%s\n", (unsigned int)status,
			city->log);
	}
	free(city->log);
	city->log = NULL;
	assert_true(well);
}

int test_run(char *const argv[], const char *const environment[], char **err) {
	int pipe_fds[2];
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipe_fds[1], STDERR_FILENO);
		for (size_t i = 0; environment != NULL && environment[i] != NULL; i++) {
			if (strchr(environment[i], '=') != NULL) {
				putenv((char *)environment[i]);
			} else {
				unsetenv(environment[i]);
			}
		}
		execvp(argv[0], argv);
		_exit(127);
	}
	close(pipe_fds[1]);
	char *text = NULL;
	int64_t end = now_ms() + LIMIT_MS;
	while (read_more(pipe_fds[0], &text, 100)) {
		if (now_ms() > end) {
			kill(pid, SIGKILL);
			break;
		}
	}
	close(pipe_fds[0]);
	int status;
	waitpid(pid, &status, 0);
	if (err != NULL) {
		*err = text != NULL ? text : strdup("");
	} else {
		free(text);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

long test_city_sleeps(const struct test_city *city) {
	char path[64], line[128];
	long sleeps = -1;
	snprintf(path, sizeof(path), "/proc/%d/status", city->pid);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &sleeps) == 1) {
			break;
		}
	}
	fclose(file);
	return sleeps;
}

/* SPDX-License-Identifier: MIT */
#include "forge/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vat/log.h"

#define PROBE_LIMIT_MS 3000
#define SAID_SIZE 200

/* What of the system a compiler needs. /etc holds the links by which some systems choose one. */
static const char *const system_folders[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64",
	"/libx32", "/opt", "/etc/alternatives", "/etc/ld.so.cache", "/nix/store", "/gnu/store"};

static void add(struct strings *words, const char *a, const char *b, const char *c) {
	strings_add(words, a);
	if (b != nullptr)
		strings_add(words, b);
	if (c != nullptr)
		strings_add(words, c);
}

static bool below(const char *path, const char *folder) {
	size_t size = strlen(folder);
	return strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static bool in_system(const char *path) {
	for (size_t i = 0; i < sizeof(system_folders) / sizeof(system_folders[0]); i++) {
		if (below(path, system_folders[i]))
			return true;
	}
	return false;
}

/* Shows a file or a folder at its own path, unless the system's folders have it. */
static void show(struct strings *words, const char *path) {
	if (!in_system(path))
		add(words, "--ro-bind", path, path);
}

/* A compiler of the user's own is shown with what was installed around it: the folder that has
 * its bin/. That must not be how the home gets in. */
static void show_program(struct strings *words, const char *program) {
	char *folder = text_copy(program);
	char *slash = strrchr(folder, '/');
	const char *home = getenv("HOME");
	*slash = '\0';
	slash = strrchr(folder, '/');
	if (slash != nullptr && slash != folder && strcmp(slash, "/bin") == 0) {
		*slash = '\0';
		if (home != nullptr && below(home, folder))
			*slash = '/';
	}
	if (folder[0] != '\0' && (home == nullptr || !below(home, folder)))
		show(words, folder);
	else
		show(words, program);
	free(folder);
}

void sandbox_words(enum sandbox_kind kind, const struct forge_setup *setup, const char *folder,
	const char *work, struct strings *words) {
	if (kind == SANDBOX_NONE)
		return;
	add(words, "bwrap", "--unshare-all", "--die-with-parent");
	add(words, "--cap-drop", "ALL", nullptr);
	for (size_t i = 0; i < sizeof(system_folders) / sizeof(system_folders[0]); i++) {
		const char *path = system_folders[i];
		struct stat info;
		char target[256];
		if (lstat(path, &info) != 0)
			continue;
		if (!S_ISLNK(info.st_mode)) {
			add(words, "--ro-bind", path, path);
			continue;
		}
		ssize_t size = readlink(path, target, sizeof(target) - 1);
		if (size > 0) {
			target[size] = '\0';
			add(words, "--symlink", target, path);
		}
	}
	add(words, "--dev-bind", "/dev/null", "/dev/null");
	if (kind == SANDBOX_FULL)
		add(words, "--proc", "/proc", nullptr);
	add(words, "--tmpfs", "/tmp", nullptr);
	char *real = realpath(setup->compiler.items[0], nullptr);
	if (real != nullptr) {
		show_program(words, setup->compiler.items[0]);
		show_program(words, real);
	}
	free(real);
	show(words, setup->executable);
	if (access(setup->include_dir, F_OK) == 0)
		show(words, setup->include_dir);
	if (folder != nullptr)
		show(words, folder);
	if (work != nullptr)
		add(words, "--bind", work, work);
	add(words, "--chdir", work != nullptr ? work : "/", "--");
}

/* Runs it, with what it says on stderr in *said. True when it exits with 0 in time. */
static bool try(char *const *argv, char said[SAID_SIZE]) {
	bool good = false;
	int output = memfd_create("probe", MFD_CLOEXEC);
	if (output < 0)
		return false;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, 1);
	posix_spawn_file_actions_adddup2(&actions, output, 2);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	pid_t pid;
	int error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (error != 0) {
		snprintf(said, SAID_SIZE, "%s",
			error == ENOENT ? "bwrap is not installed" : strerror(error));
		goto out;
	}
	int status = 0;
	int ended = pidfd_open(pid, 0);
	struct pollfd poller = {.fd = ended, .events = POLLIN};
	if (ended < 0 || poll(&poller, 1, PROBE_LIMIT_MS) != 1) {
		snprintf(said, SAID_SIZE, "bwrap did not start in time");
		kill(pid, SIGKILL);
	}
	waitpid(pid, &status, 0);
	if (ended >= 0)
		close(ended);
	if (said[0] == '\0' && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		good = true;
	} else if (said[0] == '\0') {
		ssize_t size = pread(output, said, SAID_SIZE - 1, 0);
		said[size > 0 ? size : 0] = '\0';
		said[strcspn(said, "\n")] = '\0';
	}
out:
	close(output);
	return good;
}

enum sandbox_kind sandbox_probe(const struct forge_setup *setup) {
	if (!setup->sandbox) {
		city_log(CITY_LOG_INFO, "forge",
			"builds run without a sandbox: SOURCE_CITY_SANDBOX is off");
		return SANDBOX_NONE;
	}
	char said[SAID_SIZE] = "";
	for (int kind = SANDBOX_FULL; kind <= SANDBOX_NO_PROC; kind++) {
		struct strings words = {};
		sandbox_words((enum sandbox_kind)kind, setup, nullptr, nullptr, &words);
		add(&words, setup->executable, "--version", nullptr);
		said[0] = '\0';
		bool good = try(words.items, said);
		strings_finish(&words);
		if (good)
			return (enum sandbox_kind)kind;
	}
	city_log(CITY_LOG_WARN, "forge", "builds run without a sandbox: %s", said);
	return SANDBOX_NONE;
}

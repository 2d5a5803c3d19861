/* SPDX-License-Identifier: MIT */
#include "forge/worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forge/wire.h"

struct worker {
	pid_t pid;
	int input, output; /* pipes; its standard input and output */
	int errors;	   /* memfd; its standard error */
	char *directory;
	dev_t folder_device;
	ino_t folder_inode;
	struct wl_event_loop *loop;
	struct wl_event_source *source;
	struct buffer received;
	const struct worker_listener *listener;
	void *data;
	bool *gone; /* set when destroyed while its listener is being called */
};

static unsigned int next_number;

/* ---- the plan */

static void add_step(struct buffer *buffer, const struct worker_step *step) {
	buffer_add_string(buffer, step->cwd);
	for (size_t i = 0; i < step->argv.count; i++)
		buffer_add_string(buffer, step->argv.items[i]);
	buffer_add_string(buffer, "");
}

static int write_plan(const char *directory, const struct worker_plan *plan) {
	struct buffer buffer = {};
	buffer_add_string(&buffer, WIRE_VERSION);
	buffer_printf(&buffer, "%u", plan->jobs);
	buffer_add_string(&buffer, "");
	buffer_printf(&buffer, "%ju", (uintmax_t)plan->memory_limit);
	buffer_add_string(&buffer, "");
	buffer_printf(&buffer, "%zu", plan->compile_count);
	buffer_add_string(&buffer, "");
	for (size_t i = 0; i < plan->compile_count; i++)
		add_step(&buffer, &plan->compile[i]);
	add_step(&buffer, &plan->link);
	char *path = text_format("%s/" WIRE_PLAN, directory);
	int error = file_replace(path, buffer.data, buffer.size);
	free(path);
	buffer_finish(&buffer);
	return error;
}

static void step_finish(struct worker_step *step) {
	strings_finish(&step->argv);
	free(step->cwd);
}

void worker_plan_finish(struct worker_plan *plan) {
	for (size_t i = 0; i < plan->compile_count; i++)
		step_finish(&plan->compile[i]);
	free(plan->compile);
	step_finish(&plan->link);
	*plan = (struct worker_plan){};
}

/* ---- the process */

static bool spawn(struct worker *worker, const struct forge_setup *setup, enum sandbox_kind sandbox,
	const char *folder, int input, int output, char **why) {
	struct strings words = {};
	sandbox_words(sandbox, setup, folder, worker->directory, &words);
	strings_add(&words, setup->executable);
	strings_add(&words, WORKER_WORD);
	/* Nothing of the user's environment changes what a build gives. */
	struct strings environment = {};
	const char *path = getenv("PATH");
	strings_take(&environment,
		text_format("PATH=%s", path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin"));
	strings_add(&environment, "LC_ALL=C.UTF-8");
	strings_take(&environment,
		text_format("TMPDIR=%s", sandbox == SANDBOX_NONE ? worker->directory : "/tmp"));

	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, 0);
	posix_spawn_file_actions_adddup2(&actions, output, 1);
	posix_spawn_file_actions_adddup2(&actions, worker->errors, 2);
	posix_spawn_file_actions_addchdir_np(&actions, worker->directory);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes,
		POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	int error = posix_spawnp(&worker->pid, words.items[0], &actions, &attributes, words.items,
		environment.items);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (error != 0) {
		worker->pid = -1;
		*why = text_format("cannot start %s: %s", words.items[0], strerror(error));
	}
	strings_finish(&environment);
	strings_finish(&words);
	return error == 0;
}

struct worker *worker_create(struct wl_event_loop *loop, const struct forge_setup *setup,
	enum sandbox_kind sandbox, const char *folder, char **why) {
	int input[2] = {-1, -1}, output[2] = {-1, -1};
	struct worker *worker = allocate(1, sizeof(*worker));
	worker->loop = loop;
	worker->pid = -1;
	worker->input = worker->output = worker->errors = -1;
	worker->directory = text_format("%s/%d-%u", setup->work_dir, (int)getpid(), next_number++);
	struct stat info;
	if (stat(folder, &info) != 0) {
		*why = text_format("%s: %s", folder, strerror(errno));
		goto error;
	}
	worker->folder_device = info.st_dev;
	worker->folder_inode = info.st_ino;
	int error = directory_make(worker->directory);
	if (error != 0) {
		*why = text_format(
			"cannot make the folder %s: %s", worker->directory, strerror(error));
		goto error;
	}
	worker->errors = memfd_create("worker", MFD_CLOEXEC);
	if (worker->errors < 0 || pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
		*why = text_format("cannot start a build: %s", strerror(errno));
		goto error;
	}
	worker->input = input[1];
	worker->output = output[0];
	bool good = spawn(worker, setup, sandbox, folder, input[0], output[1], why);
	close(input[0]);
	close(output[1]);
	input[0] = output[1] = -1;
	if (good)
		return worker;
error:
	if (input[0] >= 0)
		close(input[0]);
	if (output[1] >= 0)
		close(output[1]);
	worker_destroy(worker);
	return nullptr;
}

void worker_destroy(struct worker *worker) {
	if (worker == nullptr)
		return;
	if (worker->gone != nullptr)
		*worker->gone = true;
	if (worker->source != nullptr)
		wl_event_source_remove(worker->source);
	if (worker->pid > 0) {
		/* All of its group: with the sandbox, everything inside. */
		kill(-worker->pid, SIGKILL);
		while (waitpid(worker->pid, nullptr, 0) < 0 && errno == EINTR)
			;
	}
	if (worker->input >= 0)
		close(worker->input);
	if (worker->output >= 0)
		close(worker->output);
	if (worker->errors >= 0)
		close(worker->errors);
	directory_remove(worker->directory);
	free(worker->directory);
	buffer_finish(&worker->received);
	free(worker);
}

const char *worker_directory(const struct worker *worker) {
	return worker->directory;
}

bool worker_sees(struct worker *worker, const char *folder) {
	struct stat info;
	if (waitpid(worker->pid, nullptr, WNOHANG) != 0) {
		worker->pid = -1;
		return false;
	}
	return stat(folder, &info) == 0 && info.st_dev == worker->folder_device &&
		info.st_ino == worker->folder_inode;
}

/* ---- reports */

static void report_end(struct worker *worker) {
	char said[400] = "";
	ssize_t size = pread(worker->errors, said, sizeof(said) - 1, 0);
	said[size > 0 ? size : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	wl_event_source_remove(worker->source);
	worker->source = nullptr;
	worker->listener->ended(worker->data, said);
}

static int handle_output(int fd, uint32_t mask, void *data) {
	struct worker *worker = data;
	char chunk[65536];
	ssize_t size = read(fd, chunk, sizeof(chunk));
	if (size < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (size <= 0) {
		report_end(worker);
		return 0;
	}
	buffer_add(&worker->received, chunk, (size_t)size);

	bool gone = false;
	worker->gone = &gone;
	struct wire_head head;
	while (worker->received.size >= sizeof(head)) {
		memcpy(&head, worker->received.data, sizeof(head));
		if (head.size > WORKER_OUTPUT_MAX) {
			worker->gone = nullptr;
			report_end(worker);
			return 0;
		}
		if (worker->received.size < sizeof(head) + head.size)
			break;
		struct worker_report report = {
			.link = head.link != 0,
			.index = head.index,
			.status = head.status,
			.output = worker->received.data + sizeof(head),
			.output_size = head.size,
			.output_lost = head.lost,
		};
		worker->listener->report(worker->data, &report);
		if (gone)
			return 0;
		buffer_drop(&worker->received, sizeof(head) + head.size);
	}
	worker->gone = nullptr;
	return 0;
}

void worker_run(struct worker *worker, const struct worker_plan *plan,
	const struct worker_listener *listener, void *data) {
	worker->listener = listener;
	worker->data = data;
	worker->source = wl_event_loop_add_fd(
		worker->loop, worker->output, WL_EVENT_READABLE, handle_output, worker);
	/* Without a plan the worker ends, and that is reported. */
	int error = write_plan(worker->directory, plan);
	if (error == 0) {
		ssize_t written = write(worker->input, "", 1);
		(void)written;
	} else {
		dprintf(worker->errors, "cannot write into %s: %s", worker->directory,
			strerror(error));
	}
	close(worker->input);
	worker->input = -1;
}

void worker_sweep(const struct forge_setup *setup) {
	DIR *entries = opendir(setup->work_dir);
	if (entries == nullptr)
		return;
	struct dirent *entry;
	while ((entry = readdir(entries)) != nullptr) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);
		if (pid <= 0 || *end != '-' || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
			continue;
		char *path = text_format("%s/%s", setup->work_dir, entry->d_name);
		directory_remove(path);
		free(path);
	}
	closedir(entries);
}

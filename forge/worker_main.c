/* SPDX-License-Identifier: MIT */
/* The worker's side; see worker.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forge/wire.h"
#include "forge/worker.h"

#define PLAN_MAX (64u << 20)
#define OBJECT_MAX (256u << 20)
#define JOBS_MAX 64

/* A compiler that runs. */
struct running {
	pid_t pid;	     /* 0: the slot is free */
	int output, failure; /* read ends; failure brings an errno when it could not be run */
	uint32_t index;
	bool link, flooded;
	size_t lost;
	struct buffer said;
};

static const char *next_string(const struct buffer *plan, size_t *offset) {
	if (*offset >= plan->size)
		return nullptr;
	const char *string = plan->data + *offset;
	*offset += strlen(string) + 1;
	return string;
}

static bool next_number(const struct buffer *plan, size_t *offset, unsigned long long *number) {
	const char *string = next_string(plan, offset);
	if (string == nullptr)
		return false;
	char *end;
	*number = strtoull(string, &end, 10);
	return end != string && *end == '\0';
}

static bool next_step(const struct buffer *plan, size_t *offset, struct worker_step *step) {
	const char *string = next_string(plan, offset);
	if (string == nullptr)
		return false;
	step->cwd = text_copy(string);
	while ((string = next_string(plan, offset)) != nullptr && string[0] != '\0')
		strings_add(&step->argv, string);
	return string != nullptr && step->argv.count > 0;
}

static bool read_plan(struct worker_plan *plan) {
	struct buffer buffer = {};
	size_t offset = 0;
	unsigned long long jobs, memory, count;
	const char *version;
	bool good = false;
	if (file_read(AT_FDCWD, WIRE_PLAN, PLAN_MAX, &buffer) != 0)
		goto out;
	version = next_string(&buffer, &offset);
	if (version == nullptr || strcmp(version, WIRE_VERSION) != 0)
		goto out;
	if (!next_number(&buffer, &offset, &jobs) || !next_number(&buffer, &offset, &memory) ||
		!next_number(&buffer, &offset, &count) || count > buffer.size)
		goto out;
	plan->jobs = jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : (unsigned int)jobs;
	plan->memory_limit = memory;
	plan->compile = allocate(count + 1, sizeof(*plan->compile));
	plan->compile_count = count;
	for (size_t i = 0; i < count; i++) {
		if (!next_step(&buffer, &offset, &plan->compile[i]))
			goto out;
	}
	good = next_step(&buffer, &offset, &plan->link);
out:
	buffer_finish(&buffer);
	return good;
}

static void limit(int resource, rlim_t value) {
	struct rlimit current;
	if (getrlimit(resource, &current) != 0 || current.rlim_max < value)
		return;
	struct rlimit lower = {.rlim_cur = value, .rlim_max = value};
	setrlimit(resource, &lower);
}

[[noreturn]] static void run_child(
	const struct worker_step *step, uint64_t memory, int output, int failure) {
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null >= 0)
		dup2(null, 0);
	dup2(output, 1);
	dup2(output, 2);
	limit(RLIMIT_AS, memory);
	limit(RLIMIT_FSIZE, OBJECT_MAX);
	limit(RLIMIT_CORE, 0);
	if (chdir(step->cwd) == 0)
		execvp(step->argv.items[0], step->argv.items);
	int error = errno;
	ssize_t written = write(failure, &error, sizeof(error));
	(void)written;
	_exit(127);
}

static bool start(struct running *running, const struct worker_step *step, uint64_t memory) {
	int output[2], failure[2];
	if (pipe2(output, O_CLOEXEC) != 0)
		return false;
	if (pipe2(failure, O_CLOEXEC | O_NONBLOCK) != 0) {
		close(output[0]);
		close(output[1]);
		return false;
	}
	pid_t pid = fork();
	if (pid == 0)
		run_child(step, memory, output[1], failure[1]);
	close(output[1]);
	close(failure[1]);
	if (pid < 0) {
		close(output[0]);
		close(failure[0]);
		return false;
	}
	running->pid = pid;
	running->output = output[0];
	running->failure = failure[0];
	running->lost = 0;
	running->flooded = false;
	return true;
}

static void put(const void *data, size_t size) {
	const char *at = data;
	while (size > 0) {
		ssize_t written = write(1, at, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			_exit(1); /* nobody listens any more */
		at += written;
		size -= (size_t)written;
	}
}

/* Reports a compiler whose output has ended, and frees its slot. The status is reported. */
static int finish(struct running *running, const struct worker_step *step) {
	int status = 0, code;
	while (waitpid(running->pid, &status, 0) < 0 && errno == EINTR)
		;
	code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	int error = 0;
	if (read(running->failure, &error, sizeof(error)) == (ssize_t)sizeof(error)) {
		code = WORKER_CANNOT_RUN;
		running->said.size = 0;
		buffer_printf(&running->said, "cannot run the compiler %s: %s", step->argv.items[0],
			strerror(error));
	}
	if (running->flooded)
		code = WORKER_FLOODED;
	struct wire_head head = {
		.link = running->link,
		.index = running->index,
		.status = code,
		.size = (uint32_t)running->said.size,
		.lost = (uint32_t)running->lost,
	};
	put(&head, sizeof(head));
	put(running->said.data, running->said.size);
	close(running->output);
	close(running->failure);
	buffer_finish(&running->said);
	running->pid = 0;
	return code;
}

/* False when its output has ended. */
static bool listen_to(struct running *running) {
	char chunk[65536];
	ssize_t size = read(running->output, chunk, sizeof(chunk));
	if (size < 0 && errno == EINTR)
		return true;
	if (size <= 0)
		return false;
	size_t room = WORKER_OUTPUT_MAX - running->said.size;
	size_t kept = (size_t)size < room ? (size_t)size : room;
	buffer_add(&running->said, chunk, kept);
	running->lost += (size_t)size - kept;
	if (running->said.size + running->lost > WORKER_FLOOD && !running->flooded) {
		running->flooded = true;
		kill(running->pid, SIGKILL);
	}
	/* What a flooding compiler started may still hold the pipe. */
	return !running->flooded;
}

/* Runs steps until all are done or, after a failure, those under way. True if all succeeded. */
static bool run_steps(const struct worker_plan *plan, const struct worker_step *steps, size_t count,
	bool is_link) {
	struct running slots[JOBS_MAX] = {};
	struct pollfd pollers[JOBS_MAX];
	size_t next = 0;
	unsigned int active = 0;
	bool good = true;
	while (active > 0 || (good && next < count)) {
		for (unsigned int i = 0; good && next < count && i < plan->jobs; i++) {
			if (slots[i].pid != 0)
				continue;
			if (!start(&slots[i], &steps[next], plan->memory_limit)) {
				fprintf(stderr, "cannot start a compiler: %s\n", strerror(errno));
				return false;
			}
			slots[i].index = (uint32_t)next++;
			slots[i].link = is_link;
			active++;
		}
		for (unsigned int i = 0; i < plan->jobs; i++) {
			pollers[i] = (struct pollfd){
				.fd = slots[i].pid != 0 ? slots[i].output : -1,
				.events = POLLIN,
			};
		}
		if (poll(pollers, plan->jobs, -1) < 0 && errno != EINTR)
			return false;
		for (unsigned int i = 0; i < plan->jobs; i++) {
			if (slots[i].pid == 0 || pollers[i].revents == 0 || listen_to(&slots[i]))
				continue;
			good = finish(&slots[i], &steps[slots[i].index]) == 0 && good;
			active--;
		}
	}
	return good;
}

int worker_main(void) {
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	char go;
	ssize_t size;
	while ((size = read(0, &go, 1)) < 0 && errno == EINTR)
		;
	if (size != 1)
		return 1;
	struct worker_plan plan = {};
	bool read = read_plan(&plan);
	if (!read)
		fprintf(stderr,
			"the build's plan cannot be read; was the forge upgraded just now?\n");
	bool good = read && run_steps(&plan, plan.compile, plan.compile_count, false) &&
		run_steps(&plan, &plan.link, 1, true);
	worker_plan_finish(&plan);
	return good ? 0 : 1;
}

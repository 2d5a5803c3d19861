/* SPDX-License-Identifier: MIT */
/*
 * Savers: a process of its own writes a region to disk, so that the keeper never waits for a disk.
 * It is reaped as any child; what it has to say is in a pipe by then.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "schedule.h"

/* What a saver says at its end. */
struct saved {
	int code; /* 0, or an errno */
	uint64_t bytes;
	char text[sizeof(((struct vat_error *)NULL)->text)];
};

[[noreturn]] static void run_saver(
	struct keeper *keeper, struct keeper_region *region, pid_t parent, int result, bool hurry) {
	struct saved saved = {0};
	struct vat_error err = {0};
	struct vat_region *mapped = NULL;
	/* At numbers of their own, so that all else can be closed: a PTY, say, ends with its last
	 * holder. The lock stays with the keeper. */
	int fds[] = {result, region->fd, keeper->disk.folder, region->checkpoint.undo};
	const int count = fds[3] >= 0 ? 4 : 3;
	for (int i = 0; i < count; i++) {
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 16);
	}
	for (int i = 0; i < count; i++) {
		fds[i] = dup3(fds[i], 3 + i, O_CLOEXEC);
	}
	keeper_child_prepare(keeper, 3 + (unsigned)count);
	/* The end of the session is no reason not to get to the end of this. */
	const int ignored[] = {SIGXFSZ, SIGINT, SIGHUP, SIGTERM};
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		signal(ignored[i], SIG_IGN);
	}
	/* Nobody must save after the lock is gone. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(1);
	}
	if (!hurry) {
		city_schedule_behind();
	}
	struct keeper_disk disk = keeper->disk;
	disk.folder = fds[2];
	int rc = vat_region_map(fds[1], VAT_READ, &mapped, &err);
	if (rc == 0) {
		rc = keeper_disk_save(&disk, mapped, fds[3], &saved.bytes, &err);
	}
	saved.code = -rc;
	memcpy(saved.text, err.text, sizeof(saved.text));
	ssize_t n = write(fds[0], &saved, sizeof(saved));
	_exit(n == (ssize_t)sizeof(saved) ? 0 : 1);
}

int keeper_saver_start(struct keeper *keeper, struct keeper_region *region) {
	int pipe_fds[2] = {-1, -1};
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		return errno;
	}
	const pid_t self = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		run_saver(keeper, region, self, pipe_fds[1], keeper->quitting);
	}
	int code = errno;
	close(pipe_fds[1]);
	struct keeper_child *child =
		pid > 0 ? keeper_child_add(keeper, KEEPER_CHILD_SAVER, pid, -1) : NULL;
	if (child == NULL) {
		if (pid > 0) {
			kill(pid, SIGKILL); /* reaped as an unknown child */
			code = ENOMEM;
		}
		close(pipe_fds[0]);
		return code;
	}
	child->uuid = region->uuid;
	memcpy(child->name, region->name, sizeof(child->name));
	region->checkpoint.saver = pid;
	region->checkpoint.result = pipe_fds[0];
	return 0;
}

int keeper_saver_end(struct keeper_checkpoint *checkpoint, uint64_t *bytes, struct vat_error *err) {
	struct saved saved = {.code = EIO, .text = "the process that writes it was killed"};
	ssize_t n = read(checkpoint->result, &saved, sizeof(saved));
	if (n != (ssize_t)sizeof(saved)) {
		saved.code = EIO;
	}
	saved.text[sizeof(saved.text) - 1] = '\0';
	close(checkpoint->result);
	checkpoint->result = -1;
	checkpoint->saver = 0;
	*bytes = saved.bytes;
	memcpy(err->text, saved.text, sizeof(err->text));
	return saved.code;
}

void keeper_saver_stop(struct keeper_checkpoint *checkpoint) {
	if (checkpoint->saver != 0) {
		kill(checkpoint->saver, SIGKILL);
		checkpoint->saver = 0;
	}
	if (checkpoint->result >= 0) {
		close(checkpoint->result);
		checkpoint->result = -1;
	}
}

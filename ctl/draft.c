/* SPDX-License-Identifier: MIT */
/* Files that are there whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"

int draft_open(struct draft *draft, const struct ctl *ctl, const char *step, const char *path) {
	struct stat there;
	*draft = (struct draft){.ctl = ctl, .step = step, .path = path, .fd = -1};
	if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
		return ctl_fail(ctl, step, "%s: this is not a regular file", path);
	if (asprintf(&draft->beside, "%s.XXXXXX", path) < 0)
		abort();
	draft->fd = mkostemp(draft->beside, O_CLOEXEC);
	if (draft->fd >= 0)
		return CTL_OK;
	int error = errno;
	free(draft->beside);
	return ctl_fail(ctl, step, "%s: %s", path, strerror(error));
}

int draft_close(struct draft *draft, int status) {
	if (status == CTL_OK && (fsync(draft->fd) < 0 || rename(draft->beside, draft->path) < 0))
		status = ctl_fail(draft->ctl, draft->step, "%s: %s", draft->path, strerror(errno));
	if (status != CTL_OK)
		unlink(draft->beside);
	close(draft->fd);
	free(draft->beside);
	return status;
}

/* SPDX-License-Identifier: MIT */
/*
 * The process that runs the compilers of one build: the forge's own executable, started in the
 * sandbox with --worker. It gets a plan on its standard input, runs as many compilers at once as
 * the plan says, then the link, reports each on its standard output, and ends.
 *
 * A worker may be started before there is anything to build: it waits for its plan. One worker, one
 * build.
 */
#ifndef FORGE_WORKER_H
#define FORGE_WORKER_H

#include <sys/types.h>
#include <wayland-server-core.h>

#include "forge/sandbox.h"

#define WORKER_WORD "--worker"
/* What is kept of the output of one compiler, and at how much one is stopped. */
#define WORKER_OUTPUT_MAX (60u << 10)
#define WORKER_FLOOD (4u << 20)

struct worker_step {
	struct strings argv;
	char *cwd;
};

struct worker_plan {
	unsigned int jobs;
	uint64_t memory_limit;
	struct worker_step *compile;
	size_t compile_count;
	struct worker_step link; /* done when all compiles succeeded */
};

/* One finished step. */
struct worker_report {
	bool link;
	uint32_t index;	    /* of the compile */
	int32_t status;	    /* exit status; -signal when a signal ended it; or one of those below */
	const char *output; /* cut to WORKER_OUTPUT_MAX */
	size_t output_size;
	size_t output_lost; /* bytes cut off */
};
#define WORKER_CANNOT_RUN 1000 /* status: output says why */
#define WORKER_FLOODED 1001    /* status: stopped for saying too much */

struct worker_listener {
	void (*report)(void *data, const struct worker_report *report);
	/* No more reports. `said`: last words on stderr, "" for none. The worker is the listener's
	 * to destroy, which it may do at once. */
	void (*ended)(void *data, const char *said);
};

struct worker;

/*
 * Starts one for this folder, with a folder of its own to write in. NULL with one line in *why. The
 * listener is set with the plan.
 */
struct worker *worker_create(struct wl_event_loop *loop, const struct forge_setup *setup,
	enum sandbox_kind sandbox, const char *folder, char **why);
/* Kills what still runs and removes its folder. NULL-safe. */
void worker_destroy(struct worker *worker);
const char *worker_directory(const struct worker *worker);
/* Whether it waits and sees that folder as it is now, not an older one of that name. */
bool worker_sees(struct worker *worker, const char *folder);
void worker_run(struct worker *worker, const struct worker_plan *plan,
	const struct worker_listener *listener, void *data);

void worker_plan_finish(struct worker_plan *plan);
/* Removes what workers of forges that are gone left behind. */
void worker_sweep(const struct forge_setup *setup);

/* The other side: main of the worker process. */
int worker_main(void);

#endif

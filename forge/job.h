/* SPDX-License-Identifier: MIT */
/*
 * What the compositor asked for: one build, or builds at each save until it is cancelled. A job
 * decides when to build; the newest save wins, and a build under way for an older one is stopped.
 * Watches of one folder share its builds; first builds, for which nobody waits, take turns.
 */
#ifndef FORGE_JOB_H
#define FORGE_JOB_H

#include "forge/build.h"

struct job;

struct job_listener {
	void (*started)(void *data, struct job *job);
	/* What stands for the sources that were built: before done, and when a watch has begun. May
	 * be NULL. */
	void (*sources)(void *data, struct job *job, const char *sources);
	/* After it a job of one build is over: the listener may destroy it at once. */
	void (*done)(void *data, struct job *job, struct build_result *result);
};

/*
 * The answer, also a failure, always comes from the event loop. A watch reports nothing that is
 * there when it begins; with `sources`, the word for what was built last, it does if that is
 * something else. NULL: it is not known.
 */
struct job *job_create(struct forge *forge, uint32_t number, const char *tile, const char *folder,
	bool watching, const char *sources, const struct job_listener *listener, void *data);
void job_destroy(struct job *job); /* NULL-safe */

uint32_t job_number(const struct job *job);
const char *job_tile(const struct job *job);
const char *job_folder(const struct job *job);
bool job_is_watch(const struct job *job);

#endif

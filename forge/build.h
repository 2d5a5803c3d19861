/* SPDX-License-Identifier: MIT */
/*
 * One build of one source folder: look at the files, compile what is not in the cache, link, store.
 * What is reported was built from the folder as it is at that moment: when files changed while the
 * compilers ran, the build begins again.
 *
 * Everything happens on the event loop of the one thread; a build blocks it only for reading and
 * hashing the folder.
 */
#ifndef FORGE_BUILD_H
#define FORGE_BUILD_H

#include <wayland-server-core.h>

#include "forge/cache.h"
#include "forge/sandbox.h"
#include "forge/worker.h"

/* What all builds share. */
struct forge {
	struct wl_event_loop *loop;
	struct forge_setup setup;
	struct object_cache *cache;
	enum sandbox_kind sandbox;
	struct watcher *watcher;

	/* of jobs (job.c) */
	struct wl_list watches, spares;
	unsigned int first_builds; /* that run */
	struct wl_event_source *turn_idle;
};

/* False after one line in the log. */
bool forge_init(struct forge *forge);
void forge_finish(struct forge *forge);

struct build_result {
	bool good;
	int artifact;		/* open for reading, the receiver's to close; -1 on failure */
	char hash[DIGEST_TEXT]; /* its name in the store */
	char *reason;		/* of a failure, one line */
	struct buffer output;	/* of the compilers, fit to be shown; at most WORKER_OUTPUT_MAX */
	unsigned int compiled, cached; /* files */
	uint64_t began_ns;
};

struct build_listener {
	/* Once, from the event loop; the build is then over and the listener's to destroy, which it
	 * may do at once. The result is the build's. */
	void (*done)(void *data, struct build_result *result);
};

struct build;

/*
 * Starts a build. snapshot, of the folder as it is, is taken over (left empty). A worker that was
 * started in advance is taken over too; it may be NULL.
 */
struct build *build_create(struct forge *forge, const char *folder, struct snapshot *snapshot,
	struct worker *worker, uint64_t began_ns, const struct build_listener *listener,
	void *data);
/* Stops it if it still runs. NULL-safe. */
void build_destroy(struct build *build);

/* What it is built from. */
const struct snapshot *build_snapshot(const struct build *build);
/* Files in the folder that were included, as far as known. */
const struct strings *build_includes(const struct build *build);

#endif

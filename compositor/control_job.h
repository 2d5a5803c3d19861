/* SPDX-License-Identifier: MIT */
/*
 * What the builder is asked for: one build, or a watch that builds at each save. Jobs belong to
 * control_builder.c; control_save.c and control_sources.c keep their parts of a watch in them. All
 * of it on the compositor's thread.
 */
#ifndef CITY_CONTROL_JOB_H
#define CITY_CONTROL_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

#include "compositor/store.h"

/* A builder's word for sources, with its zero byte; a longer one is cut. */
#define CITY_WORD_SIZE 65

struct city_build_listener;
struct city_control;
struct city_request;
struct city_tile;

struct city_job {
	struct wl_list link; /* city_control.jobs */
	struct city_control *control;
	uint32_t id;
	bool watch;
	bool first;		      /* of a tile that has no artifact yet */
	bool paused;		      /* the builder does not have it just now */
	bool standing;		      /* a watch of the city itself, on the tile's own source */
	struct city_request *request; /* of a watch; NULL: nobody listens to it */
	const struct city_build_listener *listener; /* of a build; NULL: none */
	void *data;
	struct city_tile *tile;
	struct wl_listener tile_destroy;
	char *folder;
	bool building;

	/* of a watch */
	int64_t started_ns;
	uint64_t save; /* the same for what was saved together */
	int artifact;  /* built, and waits for what was saved together with it; -1: none */
	char hash[CITY_HASH_SIZE]; /* of the artifact */
	int64_t saved_ns;	   /* of the artifact */
	int64_t build_ns;	   /* of the artifact */
	bool broken;		   /* the last build of it failed */

	/* The builder's words for sources: what was built last for the tile, so that a save while
	 * the builder does not have the watch is not lost; and what has been built, but has not
	 * come yet, and does not if the builder dies first. "": none. */
	bool known; /* word counts, even an empty one: nothing is like that */
	char word[CITY_WORD_SIZE], coming[CITY_WORD_SIZE];
};

/* control_builder.c */

/* What was built and waits goes away. */
void city_job_drop_artifact(struct city_job *job);
/* It is not being built any more, and its tile does not say so any more. */
void city_job_set_built(struct city_job *job);

/* control_save.c: what was saved together goes live together */

/* A build of a watch begins: finds out of which save it is. */
void city_save_join(struct city_job *job);
/* Something of the save has changed. When all of it is built it goes live; when something of it is
 * not, the rest waits and says so. 0: no save. */
void city_save_conclude(struct city_control *control, uint64_t save);

/* control_sources.c: the builder's words for what was built last */

void city_job_know(struct city_job *job, const char *word);
/* A watch that has built nothing begins with what was built from its folder before. */
void city_job_learn(struct city_job *job);

#endif

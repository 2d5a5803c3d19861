/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of the survey: survey.c (when there is one, and what comes of it) and
 * survey_work.c (what its thread does). Nobody else includes it.
 */
#ifndef CITY_SURVEY_INTERNAL_H
#define CITY_SURVEY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "compositor/survey.h"
#include "compositor/survey_file.h"

struct city_survey_folder {
	char *name, *path; /* path NULL: the city's own source */
};

struct city_survey_counted {
	char *source;
	uint64_t lines;
};

/* What the thread works on; its own while it runs. */
struct city_survey_work {
	pthread_t thread;
	int done_fd;
	atomic_bool stop;

	char *home; /* the folder whose folders are quarters */
	struct city_survey_folder *folders;
	size_t folder_count;
	struct city_survey_counted *tiles; /* lines are filled in; sorted by source */
	size_t tile_count;
	struct city_layout *old; /* NULL: none */
	bool first;		 /* the file is to be read */
	char *file;

	struct city_layout *layout; /* NULL: it failed, or is the same as the old one */
	bool same;
	struct city_survey_places places; /* of the file, if that was read */
	char note[400];
};

/* A folder to be looked at, from whoever has the work just now; one whose name is taken gets
 * another. False when out of memory. */
bool city_survey_work_add(struct city_survey_work *work, const char *name, const char *path);
/* The thread; data is the work. */
void *city_survey_work_run(void *data);
/* After its end. */
void city_survey_work_destroy(struct city_survey_work *work);

#endif

/* SPDX-License-Identifier: MIT */
/* What was built last from which folder, so that what is saved while nobody watches is not lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/control_internal.h"
#include "compositor/control_job.h"

/* Folders whose word is kept. It is of use to a watch that begins soon. */
#define SOURCES_MAX 64

/* What was built last from a folder that no watch has built from. */
struct city_sources {
	struct wl_list link; /* city_control.sources, the newest first */
	char *folder;
	char word[CITY_WORD_SIZE];
};

static struct city_sources *sources_of(struct city_control *control, const char *folder) {
	struct city_sources *sources;
	wl_list_for_each(sources, &control->sources, link) {
		if (strcmp(sources->folder, folder) == 0) {
			return sources;
		}
	}
	return NULL;
}

static void sources_destroy(struct city_sources *sources) {
	wl_list_remove(&sources->link);
	free(sources->folder);
	free(sources);
}

void city_sources_set(struct city_control *control, const char *folder, const char *word) {
	struct city_sources *sources = sources_of(control, folder);
	if (!sources) {
		sources = calloc(1, sizeof(*sources));
		if (!sources || !(sources->folder = strdup(folder))) {
			free(sources);
			return;
		}
		wl_list_init(&sources->link);
	}
	snprintf(sources->word, sizeof(sources->word), "%s", word);
	wl_list_remove(&sources->link);
	wl_list_insert(&control->sources, &sources->link);
	if (wl_list_length(&control->sources) > SOURCES_MAX) {
		sources_destroy(wl_container_of(control->sources.prev, sources, link));
	}
}

void city_job_know(struct city_job *job, const char *word) {
	job->known = true;
	snprintf(job->word, sizeof(job->word), "%s", word);
}

void city_job_learn(struct city_job *job) {
	const struct city_job *other;
	wl_list_for_each(other, &job->control->jobs, link) {
		if (other->known && other != job && strcmp(other->folder, job->folder) == 0) {
			city_job_know(job, other->word);
			return;
		}
	}
	const struct city_sources *sources = sources_of(job->control, job->folder);
	if (sources) {
		city_job_know(job, sources->word);
	}
}

void city_sources_finish(struct city_control *control) {
	struct city_sources *sources, *next;
	wl_list_for_each_safe(sources, next, &control->sources, link) {
		sources_destroy(sources);
	}
}

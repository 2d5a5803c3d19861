/* SPDX-License-Identifier: MIT */
/* A city for the forge: the builder's side of the control protocol, and a record of all answers. */
#ifndef TEST_FORGE_CITY_H
#define TEST_FORGE_CITY_H

#include "support.h"

enum answer_type { STARTED, OUTPUT, BUILT, FAILED, SOURCES };

struct answer {
	enum answer_type type;
	uint32_t job;
	char *text;    /* output, reason, folder, word for sources */
	char *hash;    /* of built */
	char *content; /* the artifact's bytes */
	size_t content_size;
	uint64_t build_ns;
	int64_t at_ms;
};

struct city {
	struct wl_display *display;
	struct wl_event_loop *loop;
	struct wl_client *client;
	struct wl_resource *builder;
	struct wl_global *global;
	pid_t forge;
	char *home;	/* all folders of the forge lie in it */
	char *log_path; /* its stderr */
	struct answer *answers;
	size_t count, capacity;
};

/* A folder with data, cache and headers for a forge, and an installed layout around it. */
char *city_make_home(void);
/* A compiler in it that never ends with a source that says SLOW, and talks without end for one that
 * says FLOOD: "NAME=value" for city_start. */
const char *city_make_compiler(char *home);
/* Starts a forge in that home, with more "NAME=value" (NULL-terminated), and waits until it
 * registered. */
void city_start(struct city *city, char *home, const char *const *environment);
/* The compositor goes away; the forge must end with 0 and leave nothing under way behind. */
void city_stop(struct city *city);
/* Waits until the forge leaves of its own. */
void city_wait_gone(struct city *city);

void city_build(struct city *city, uint32_t job, const char *folder);
void city_watch(struct city *city, uint32_t job, const char *folder);
/* Goes on with what was built of these sources. */
void city_watch_on(struct city *city, uint32_t job, const char *folder, const char *sources);
void city_cancel(struct city *city, uint32_t job);

/* Waits for the next answer of the job from *at on of one of two types, and moves *at behind it. */
const struct answer *city_wait(
	struct city *city, size_t *at, uint32_t job, enum answer_type a, enum answer_type b);
/* Builds once and waits for built or failed. */
const struct answer *city_build_wait(struct city *city, uint32_t job, const char *folder);
/* All output of a job, from answer number `from` on. */
const char *city_output(struct city *city, uint32_t job, size_t from);
/* Returns when the forge has handled everything that happened before: files saved, requests. */
void city_barrier(struct city *city);
size_t city_count(const struct city *city, uint32_t job, enum answer_type type);
/* Waits until the forge's log holds the text. */
void city_wait_log(struct city *city, const char *wanted);
const char *city_log_text(struct city *city);

/* A tile's folder. marker ends up in the artifact. */
char *make_tile(const char *marker);
const char *tile_source(const char *marker);
bool has_marker(const struct answer *answer, const char *marker);

#endif

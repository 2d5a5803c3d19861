/* SPDX-License-Identifier: MIT */
/*
 * Refactors: a tile changes together with its source. The forge does the files, git and the build,
 * here is what runs: the handover, or the new tile of a fork; and whether all of it is kept.
 *
 *	plan (forge) -> prepare (forge) -> hand over (here) -> conclude (forge)
 *
 * One at a time in a city. Any failure takes back what was done; the reason is told to who asked,
 * shown on the tile, and in the log. When the forge ends in the middle the next one asks what is to
 * become of what it finds begun; the tiles that run are the answer, also for a compositor that has
 * been started since. Main thread only.
 */
#ifndef CITY_REFACTOR_H
#define CITY_REFACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct city_control;
struct city_request;
struct city_tile;
struct wl_resource;

/* The values of source_city_control_v1.refactor. */
enum city_refactor_what {
	CITY_REFACTOR_MOVE,
	CITY_REFACTOR_REPLACE,
	CITY_REFACTOR_FORK,
	CITY_REFACTOR_UNDO,
	CITY_REFACTOR_REDO,
};

/*
 * Begins one; tile and target are names as in the protocol. False with one line in `error` when it
 * is refused at once. request gets the answer; NULL: only the tile and the log tell how it ended.
 */
bool city_refactor_begin(struct city_control *control, struct city_request *request, uint32_t what,
	const char *tile, const char *target, bool dry, char *error, size_t error_size);
/* The answer is no longer of interest; the refactor goes on. */
void city_refactor_unlisten(struct city_control *control, const struct city_request *request);
/* Where the tile that moves, or the new one, is to stand when it is done: of the one just begun. */
void city_refactor_put(struct city_control *control, double cx, double cy);
/* Whether none is under way that would have to end first, and one can be done at all. */
bool city_refactor_free(const struct city_control *control, char *error, size_t error_size);
/* Its tile and phase; NULL: none is under way. Borrowed. */
const char *city_refactor_under_way(const struct city_control *control, const char **phase);
/* Whether the tile may be refactored just now, and if not, why. */
bool city_refactor_ready(const struct city_tile *tile, char *error, size_t error_size);
/* Whether `by` can take the place of the tile's implementation. */
bool city_refactor_fits(const struct city_tile *tile, const struct city_tile *by);

/* What the builder says. The first three: false if it is about no refactor. */
bool city_refactor_started(struct city_control *control, uint32_t job);
bool city_refactor_output(struct city_control *control, uint32_t job, const char *text);
bool city_refactor_failed(struct city_control *control, uint32_t job, const char *reason);
void city_refactor_sources(struct city_control *control, uint32_t job, const char *sources);
void city_refactor_recall(struct city_control *control, uint32_t job, const char *text);
struct city_refactor_plan {
	uint32_t job, number, what;
	const char *tile, *uuid, *from, *to, *name, *repository, *text;
};
void city_refactor_planned(struct city_control *control, const struct city_refactor_plan *plan);
void city_refactor_prepared(struct city_control *control, uint32_t job, uint32_t number,
	const char *hash, int64_t build_ns);
void city_refactor_concluded(struct city_control *control, uint32_t number, const char *reason);
/* undo: it was being undone. */
void city_refactor_unfinished(
	struct city_control *control, const struct city_refactor_plan *plan, bool undo);
void city_refactor_builder_gone(struct city_control *control);
void city_refactor_finish(struct city_control *control); /* the city ends */

#endif

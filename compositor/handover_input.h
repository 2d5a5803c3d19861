/* SPDX-License-Identifier: MIT */
/*
 * Input during a handover. From MIGRATE on keys and buttons go to B's surface, whose socket keeps
 * them until B has attached. They are logged too: should the handover fail, A gets them in their
 * order; should A be gone, too, or should a version end by itself, they wait for the one that is
 * started next. So nothing that was typed is lost. The log is a ring of CITY_INPUT_LOG_MAX events;
 * what is older is forgotten, which no hand is fast enough for. Main thread only.
 */
#ifndef CITY_HANDOVER_INPUT_H
#define CITY_HANDOVER_INPUT_H

#include <stddef.h>

#define CITY_INPUT_LOG_MAX 512

struct city_input_log;
struct city_tile;
struct wlr_surface;

/* The tile's input goes from surface `from` (NULL: from nobody) to `to`, and is logged; what was
 * held (taken; may be NULL) comes first. NULL when out of memory: it then stays where it is. */
struct city_input_log *city_input_redirect(struct city_tile *tile, struct city_input_log *held,
	struct wlr_surface *from, struct wlr_surface *to);
/* Keys that would be the tile's, but that nobody gets, are held from now on, after what is in the
 * log (taken; NULL: nothing). NULL when out of memory. */
struct city_input_log *city_input_hold(struct city_tile *tile, struct city_input_log *log);
/* The tile's view decides again who gets the input, which is now surface `to`. */
void city_input_settle(struct city_input_log *log);
/* Back to surface `to` (may be NULL: dropped), with everything that was logged. */
void city_input_replay(struct city_input_log *log, struct wlr_surface *to);
/* NULL-safe. */
void city_input_log_destroy(struct city_input_log *log);
size_t city_input_log_count(const struct city_input_log *log);

#endif
